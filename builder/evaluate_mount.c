/*
 * builder/evaluate_mount.c - what the --mount flags of a RUN mean, and what of them is in its key.
 *
 * Those of the command line are as if they stood before its own.
 *
 * In the key is what a command can see: targets, kinds, access, and the contents of
 * what is bound. Not in it are the values of secrets, the contents of caches and
 * which cache it is: those may differ without another result being meant.
 */

#include "builder/evaluate-private.h"

#include <string.h>

#include "base/path.h"
#include "builder/build.h"
#include "builder/key.h"
#include "builder/scope.h"
#include "builder/tree.h"
#include "builder/volume.h"

#define NAMESPACE_ARGUMENT "BUILDKIT_CACHE_MOUNT_NS"

/* "a/b" of "/x/../a//b/": absolute or not, as it was written. */
static char *clean_path(const char *path)
{
	AUTO(buf) struct buf clean = BUF_INIT(TEXT_MAX_BYTES);

	(void)!path_add(&clean, str_of(path), path[0] == '/' ? PATH_STAYS : PATH_KEPT);
	if (path[0] == '/')
		return xasprintf("/%.*s", STR_ARG(buf_str(&clean)));
	return clean.len ? buf_steal(&clean) : xstrdup(".");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A source that is no pattern, for selection_add(). */
static char *quote_pattern(const char *path)
{
	struct buf quoted = BUF_INIT(TEXT_MAX_BYTES);

	for (; *path; path++) {
		if (strchr("*?[\\", *path))
			buf_addc(&quoted, '\\');
		buf_addc(&quoted, *path);
	}
	return quoted.len ? buf_steal(&quoted) : xstrdup("/");
}

/* ---- defaults ---- */

static struct err *set_target(const struct site *site, struct plan_mount *mount)
{
	mount->target = site_join_path(site_directory(site), mount->flag.target);
	if (strcmp(mount->target, "/") == 0)
		return site_error(site, ERR_INVALID,
				  "--mount: target=%s is the root, where nothing can be mounted",
				  mount->flag.target);
	return NULL;
}

/* A secret has its name from its source, its id, or the last part of its target; a file unless it
 * is wanted as a variable alone. */
static struct err *set_secret(const struct site *site, struct plan_mount *mount)
{
	struct mount *flag = &mount->flag;
	const char *id = flag->source ? flag->source :
			 flag->id     ? flag->id :
					base_name(flag->target);

	if (!id[0])
		return site_error(site, ERR_INVALID, "--mount: '%s' gives the secret no id",
				  flag->target);
	mount->id = xstrdup(id);
	if (!flag->target && !flag->env)
		flag->target = xasprintf("/run/secrets/%s", base_name(id));
	return flag->target ? set_target(site, mount) : NULL;
}

/* `index` among the agents of this RUN. */
static struct err *set_agent(const struct site *site, struct plan_mount *mount, unsigned index)
{
	struct mount *flag = &mount->flag;

	mount->id = xstrdup(flag->id ? flag->id : "default");
	mount->number = index;
	if (!flag->target)
		flag->target = xasprintf("/run/buildkit/ssh_agent.%u", index);
	return set_target(site, mount);
}

/* ---- where files come from ---- */

/* Find in a context what is bound, or for a cache all of it. */
static struct err *select_source(const struct site *site, struct plan_mount *mount,
				 const char *source)
{
	AUTO(mem) char *pattern = quote_pattern(source);
	struct plan_context *context = mount->from.context;
	struct tree *tree;

	TRY(site_tree(site, context, &tree));
	TRY(site_wrap(site, err_wrap(selection_add(&mount->selection, tree, pattern, context->what),
				     "--mount")));
	if (mount->selection.len == 0) /* what could be a pattern need not be there */
		return site_error(site, ERR_NOT_FOUND, "--mount: '%s' is not in %s", source,
				  context->what);
	return NULL;
}

static struct err *digest_selection(const struct site *site, struct plan_mount *mount,
				    struct digest *ret)
{
	const struct plan_context *context = mount->from.context;
	AUTO(hasher) struct hasher *h = hasher_new();

	TRY(site_wrap(site, selection_digest(&mount->selection, context->tree, !context->local,
					     site->plan->pool, h)));
	return hasher_finish(h, ret);
}

static bool has_from(const struct plan_from *from)
{
	return from->stage || from->image || from->context;
}

static void add_field(struct hasher *h, const char *name, const char *value)
{
	AUTO(mem) char *text = xasprintf("%s %zu:%s\n", name, strlen(value), value);

	hasher_update(h, text, strlen(text));
}

static void add_number(struct hasher *h, const char *name, int64_t value)
{
	AUTO(mem) char *text = xasprintf("%jd", (intmax_t)value);

	if (value >= 0)
		add_field(h, name, text);
}

/* Which cache it is: another one for another namespace, id, beginning, owner or mode. */
static struct err *identify_cache(const struct site *site, struct plan_mount *mount)
{
	const struct mount *flag = &mount->flag;
	const char *space = build_args_get(site->plan->opts->args, STR(NAMESPACE_ARGUMENT));
	AUTO(mem) char *id = flag->id ? xstrdup(flag->id) : clean_path(flag->target);
	AUTO(hasher) struct hasher *h = hasher_new();
	char text[DIGEST_TEXT_SIZE];

	add_field(h, "cache", "1");
	add_field(h, "namespace", space ? space : "");
	add_field(h, "id", id);
	if (has_from(&mount->from)) {
		const struct digest *from = plan_from_key(&mount->from);
		struct digest content;

		if (!from)
			TRY(digest_selection(site, mount, &content));
		add_field(h, "from", digest_format(from ? from : &content, text));
	}
	add_number(h, "mode", flag->mode);
	add_number(h, "uid", flag->uid);
	add_number(h, "gid", flag->gid);
	mount->id = STEAL(id);
	return hasher_finish(h, &mount->cache);
}

/* A part of a cache belongs to whom it belongs: owner and mode are for the root of a new one. */
static void forget_owner(struct mount *flag)
{
	AUTO(mem) char *path = site_join_path("/", flag->source ? flag->source : "/");

	if (strcmp(path, "/") != 0)
		flag->mode = flag->uid = flag->gid = -1;
}

static struct err *set_cache(const struct site *site, struct plan_mount *mount)
{
	TRY(set_target(site, mount));
	forget_owner(&mount->flag);
	if (mount->flag.from)
		TRY(site_from(site, mount->flag.from, false, &mount->from));
	if (mount->from.context)
		TRY(select_source(site, mount, "/"));
	return identify_cache(site, mount);
}

static struct err *set_bind(const struct site *site, struct plan_mount *mount)
{
	TRY(set_target(site, mount));
	mount->from.context = site->plan->context;
	if (mount->flag.from)
		TRY(site_from(site, mount->flag.from, false, &mount->from));
	if (!mount->from.context)
		return NULL;
	return select_source(site, mount, mount->flag.source ? mount->flag.source : "/");
}

/* ---- all of them ---- */

static struct err *settle(const struct site *site, struct plan_mount *mount, unsigned *agents)
{
	switch (mount->flag.type) {
	case MOUNT_BIND:
		return set_bind(site, mount);
	case MOUNT_CACHE:
		return set_cache(site, mount);
	case MOUNT_TMPFS:
		return set_target(site, mount);
	case MOUNT_SECRET:
		return set_secret(site, mount);
	case MOUNT_SSH:
		return set_agent(site, mount, (*agents)++);
	}
	return NULL;
}

/* Keeps the order of what has the same target: the later one lies on top. */
static void insert(struct plan_mounts *mounts, const struct plan_mount *mount)
{
	const char *target = mount->target ? mount->target : "";
	size_t at;

	vec_push(mounts, *mount);
	for (at = mounts->len - 1; at > 0; at--) {
		const char *before = mounts->at[at - 1].target;

		if (strcmp(before ? before : "", target) <= 0)
			break;
		mounts->at[at] = mounts->at[at - 1];
	}
	mounts->at[at] = *mount;
}

static struct err *add_mount(const struct site *site, const char *text, unsigned *agents,
			     struct plan_mounts *ret)
{
	struct plan_mounts one = { 0 };
	struct plan_mount mount = { 0 };
	struct err *err;

	TRY(site_parse_mount(site, text, &mount.flag));
	err = settle(site, &mount, agents);
	if (!err) {
		insert(ret, &mount);
		return NULL;
	}
	vec_push(&one, mount);
	plan_mounts_release(&one);
	return err;
}

struct err *evaluate_mounts(const struct site *site, struct plan_mounts *ret)
{
	const struct strings *usual = &site->plan->opts->mounts;
	const struct run *run = &site->in->run;
	unsigned agents = 0;

	if (usual->len + run->mount_count > SANDBOX_MOUNTS_MAX / 2)
		return site_error(site, ERR_INVALID, "more than %d mounts", SANDBOX_MOUNTS_MAX / 2);
	vec_foreach (usual, text)
		TRY(add_mount(site, *text, &agents, ret));
	for (size_t i = 0; i < run->mount_count; i++)
		TRY(add_mount(site, run->mounts[i].text, &agents, ret));
	return NULL;
}

/* ---- the key ---- */

static const char *or_none(const char *text)
{
	return text ? text : "";
}

/* What is no free text of what a command sees of a mount. */
static char *describe(const struct mount *flag)
{
	struct buf text = BUF_INIT(TEXT_MAX_BYTES);

	buf_adds(&text, mount_type_name(flag->type));
	if (flag->type == MOUNT_BIND || flag->type == MOUNT_CACHE)
		buf_adds(&text, flag->read_only ? " ro" : " rw");
	if (flag->type == MOUNT_TMPFS && flag->size)
		buf_addf(&text, " size=%ju", (uintmax_t)flag->size);
	if (flag->mode >= 0)
		buf_addf(&text, " mode=%jo", (uintmax_t)flag->mode);
	if (flag->uid >= 0)
		buf_addf(&text, " uid=%jd", (intmax_t)flag->uid);
	if (flag->gid >= 0)
		buf_addf(&text, " gid=%jd", (intmax_t)flag->gid);
	return buf_steal(&text);
}

/* What a command sees of a mount, but for its contents: each text an input of its own, or blanks
 * in one could pass for another. */
static void key_of_mount(const struct plan_mount *mount, struct key *key)
{
	const struct mount *flag = &mount->flag;
	AUTO(mem) char *text = describe(flag);

	key_add(key, "mount", text);
	key_add(key, "mount target", or_none(mount->target));
	if (flag->type == MOUNT_SECRET || flag->type == MOUNT_SSH)
		key_add(key, "mount id", mount->id);
	if (flag->env)
		key_add(key, "mount env", flag->env);
}

/* The directory that is bound, of which its contents say nothing: a command sees its mode, and of what was
 * fetched its owner. The usual ones go without saying. */
static void key_of_directory(const struct plan_mount *mount, struct key *key)
{
	const struct tree_node *node = mount->selection.at[0].node;
	const bool owned = !mount->from.context->local && (node->uid != 0 || node->gid != 0);
	AUTO(mem) char *text = NULL;

	if (!S_ISDIR(node->mode) || (!owned && (node->mode & 07777) == 0755))
		return;
	text = xasprintf("%o %u:%u", node->mode & 07777, owned ? node->uid : 0,
			 owned ? node->gid : 0);
	key_add(key, "mount directory", text);
}

static struct err *key_of_files(const struct site *site, struct plan_mount *mount, struct key *key)
{
	const struct digest *from = plan_from_key(&mount->from);
	struct digest content;

	if (!from)
		TRY(digest_selection(site, mount, &content));
	key_add_digest(key, "mount from", from ? from : &content);
	if (!from && mount->flag.type == MOUNT_BIND)
		key_of_directory(mount, key);
	if (mount->flag.source)
		key_add(key, "mount source", mount->flag.source);
	return NULL;
}

/* What lies in a volume of the machine is its owner's business: its paths count, and no more. Devices by
 * name count by that, and by what the command sees of them in its variables. */
static void key_of_volumes(const struct volumes *volumes, struct key *key)
{
	vec_foreach (&volumes->names, name)
		key_add(key, "device", *name);
	vec_foreach (&volumes->env, pair)
		key_add(key, "device env", *pair);
	vec_foreach (volumes, volume) {
		AUTO(mem)
		char *text = volume->named ? NULL :
					     xasprintf("%s:%s:%s", volume->source, volume->target,
						       volume->read_only ? "ro" : "rw");

		if (text)
			key_add(key, volume->device ? "device" : "volume", text);
	}
}

struct err *key_of_mounts(const struct site *site, struct plan_step *step, struct key *key)
{
	if (site->plan->opts->volumes)
		key_of_volumes(site->plan->opts->volumes, key);
	key_of_volumes(&step->devices, key);
	vec_foreach (&step->mounts, mount) {
		key_of_mount(mount, key);
		if (mount->flag.type == MOUNT_BIND || mount->flag.type == MOUNT_CACHE)
			TRY(key_of_files(site, mount, key));
	}
	return NULL;
}
