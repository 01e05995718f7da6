/*
 * registry/registries.c - see registry/registries.h: registries.conf, and the choice of places.
 *
 * A rule is chosen by comparing its prefix with the whole canonical name, tag
 * and digest included, since a prefix may have them. What stands behind the
 * prefix then stands behind the location.
 */

#include "registry/registries.h"

#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "registry/config_paths.h"
#include "registry/reference.h"
#include "registry/registries-private.h"
#include "registry/toml.h"

#include <fcntl.h>

#define SYSTEM_FILE "/etc/containers/registries.conf"
#define HOME_FILE ".config/containers/registries.conf"
#define SYSTEM_ALIASES "/var/cache/containers/short-name-aliases.conf"
#define HOME_ALIASES ".cache/containers/short-name-aliases.conf"

/* ---- reading a [[registry]] ---- */

static void rule_release(struct registry_rule *rule)
{
	vec_foreach (&rule->mirrors, mirror)
		free(mirror->location);
	vec_release(&rule->mirrors);
	free(rule->prefix);
	free(rule->location);
	free(rule->file);
}

static void rule_auto_(struct registry_rule *rule)
{
	rule_release(rule);
}

/* A location or prefix without "/" at its end; NULL if it is absent or empty. */
static struct err *get_location(const struct json_at *at, char **ret)
{
	const char *text = "";
	struct str cut;

	TRY(json_get_optional_text(at, &text));
	if (strstr(text, "://"))
		return json_error(at, "has no scheme: HOST[:PORT][/PATH]");
	cut = str_of(text);
	while (str_ends(cut, "/"))
		cut.len--;
	if (text[0] && cut.len == 0)
		return json_error(at, "empty");
	*ret = cut.len > 0 ? str_dup(cut) : NULL;
	return NULL;
}

static struct err *get_use(const struct json_at *mirror, const struct registry_rule *rule,
			   enum mirror_use *ret)
{
	static const char *const names[] = { "all", "digest-only", "tag-only" };
	struct json_at at = json_member(mirror, "pull-from-mirror");
	const char *text = "";

	TRY(json_get_optional_text(&at, &text));
	if (!text[0])
		return NULL;
	if (rule->mirrors_by_digest_only)
		return json_error(&at, "cannot be set beside mirror-by-digest-only");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum mirror_use)i;
			return NULL;
		}
	}
	return json_error(&at, "'%.40s' is not all, digest-only or tag-only", text);
}

static struct err *read_mirrors(const struct json_at *entry, struct registry_rule *rule)
{
	struct json_at list = json_member(entry, "mirror");

	if (list.value)
		TRY(json_expect_array(&list));
	for (size_t i = 0; i < json_length(&list); i++) {
		struct json_at at = json_element(&list, i);
		struct json_at location = json_member(&at, "location");
		struct json_at insecure = json_member(&at, "insecure");
		struct mirror *mirror = vec_add(&rule->mirrors);

		if (rule->mirrors_by_digest_only)
			mirror->use = MIRROR_DIGEST_ONLY;
		TRY(json_expect_object(&at));
		TRY(get_location(&location, &mirror->location));
		if (!mirror->location)
			return json_error(&location, "missing");
		TRY(json_get_optional_flag(&insecure, &mirror->insecure));
		TRY(get_use(&at, rule, &mirror->use));
	}
	return NULL;
}

static struct err *check_prefix(const struct json_at *entry, const struct registry_rule *rule)
{
	bool is_wildcard = rule->prefix && strncmp(rule->prefix, "*.", 2) == 0;
	const char *star = rule->prefix ? strrchr(rule->prefix, '*') : NULL;

	if (!rule->prefix)
		return json_error(entry, "has neither prefix nor location");
	if (star && (!is_wildcard || star != rule->prefix || strpbrk(rule->prefix, "/:@")))
		return json_error(entry, "prefix '%.200s': '*' stands only in '*.HOST'",
				  rule->prefix);
	if (!rule->location && !is_wildcard)
		return json_error(entry, "has no location");
	return NULL;
}

static struct err *read_rule(const struct json_at *entry, const char *file,
			     struct registry_rule *rule)
{
	struct json_at prefix = json_member(entry, "prefix");
	struct json_at location = json_member(entry, "location");
	struct {
		const char *name;
		bool *flag;
	} flags[] = { { "insecure", &rule->insecure },
		      { "blocked", &rule->blocked },
		      { "mirror-by-digest-only", &rule->mirrors_by_digest_only } };

	TRY(json_expect_object(entry));
	rule->file = xstrdup(file);
	TRY(get_location(&prefix, &rule->prefix));
	TRY(get_location(&location, &rule->location));
	if (!rule->prefix)
		rule->prefix = xstrdup(rule->location);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct json_at at = json_member(entry, flags[i].name);

		TRY(json_get_optional_flag(&at, flags[i].flag));
	}
	TRY(check_prefix(entry, rule));
	return read_mirrors(entry, rule);
}

/* Put a rule in the place of one with the same prefix from another file. Of two in one file the first
 * counts, unless they disagree about what keeps the user safe. */
static struct err *keep_rule(struct registries *r, const struct json_at *entry,
			     struct registry_rule *rule)
{
	vec_foreach (&r->rules, other) {
		struct registry_rule before = *other;

		if (strcmp(other->prefix, rule->prefix) != 0)
			continue;
		if (strcmp(other->file, rule->file) == 0)
			return other->blocked == rule->blocked &&
					       other->insecure == rule->insecure ?
				       NULL :
				       json_error(entry,
						  "there is another one for '%.200s', which says "
						  "something else about blocked or insecure",
						  rule->prefix);
		*other = *rule;
		*rule = before;
		return NULL;
	}
	vec_push(&r->rules, *rule);
	*rule = (struct registry_rule){ 0 };
	return NULL;
}

static struct err *read_rules(struct registries *r, const struct json_at *root, const char *file)
{
	struct json_at list = json_member(root, "registry");

	if (json_is_object(list.value))
		return json_error(&list, "is a list: write [[registry]], with two brackets");
	if (list.value)
		TRY(json_expect_array(&list));
	for (size_t i = 0; i < json_length(&list); i++) {
		AUTO(rule) struct registry_rule rule = { 0 };
		struct json_at entry = json_element(&list, i);

		TRY(read_rule(&entry, file, &rule));
		TRY(keep_rule(r, &entry, &rule));
	}
	return NULL;
}

/* ---- reading the rest of a file ---- */

/* Version 1 has tables registries.search, .insecure and .block, each with a list. */
static struct err *refuse_version_1(const struct json_at *root)
{
	static const char *const names[] = { "search", "insecure", "block" };
	struct json_at tables = json_member(root, "registries");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct json_at table = json_member(&tables, names[i]);
		struct json_at list = json_member(&table, "registries");

		if (json_length(&list) > 0)
			return err_note(err_new(ERR_UNSUPPORTED,
						"%s: version 1 of the format ([registries.%s])",
						root->what, names[i]),
					"write version 2: unqualified-search-registries and "
					"[[registry]], as in containers-registries.conf(5)");
	}
	return NULL;
}

static struct err *read_search(struct registries *r, const struct json_at *root, const char *file)
{
	struct json_at list = json_member(root, "unqualified-search-registries");
	AUTO(strings) struct strings hosts = { 0 };

	if (!list.value)
		return NULL;
	TRY(json_get_optional_texts(&list, &hosts));
	vec_foreach (&hosts, host) {
		AUTO(mem) char *name = xasprintf("%s/a", *host);

		if (!reference_is_domain(str_of(*host)) || reference_is_short(name))
			return json_error(&list, "'%.200s' is no HOST[:PORT]", *host);
	}
	strings_release(&r->search);
	strings_copy(&r->search, &hosts);
	free(r->search_file);
	r->search_file = xstrdup(file);
	return NULL;
}

static struct err *read_mode(struct registries *r, const struct json_at *root)
{
	static const char *const names[] = { "permissive", "enforcing", "disabled" };
	struct json_at at = json_member(root, "short-name-mode");
	const char *text = "";

	TRY(json_get_optional_text(&at, &text));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			r->mode = (enum short_name_mode)i;
			return NULL;
		}
	}
	return text[0] ? json_error(&at, "'%.40s' is not enforcing, permissive or disabled", text) :
			 NULL;
}

static struct err *read_aliases(struct registries *r, const struct json_at *root)
{
	struct json_at table = json_member(root, "aliases");
	const char *name;
	json_t *value;

	if (table.value)
		TRY(json_expect_object(&table));
	json_object_foreach(table.value, name, value)
	{
		struct json_at at = json_member(&table, name);
		const char *text = NULL;

		TRY(json_get_text(&at, &text));
		free(map_put(&r->aliases, str_of(name), xstrdup(text)));
	}
	return NULL;
}

static struct err *read_helpers(struct registries *r, const struct json_at *root)
{
	struct json_at list = json_member(root, "credential-helpers");
	AUTO(strings) struct strings helpers = { 0 };

	TRY(json_get_optional_texts(&list, &helpers));
	if (helpers.len == 0)
		return NULL;
	strings_release(&r->helpers);
	strings_copy(&r->helpers, &helpers);
	return NULL;
}

/* The document at `path`, NULL if there is no such file. */
static struct err *read_toml(const char *path, json_t **ret)
{
	AUTO(buf) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	bool found = false;

	*ret = NULL;
	TRY(config_read(path, &text, &found));
	return found ? toml_parse(buf_str(&text), path, ret) : NULL;
}

static struct err *read_file(struct registries *r, const char *path, bool *ret_found)
{
	AUTO(json) json_t *doc = NULL;
	struct json_at root;

	TRY(read_toml(path, &doc));
	*ret_found = doc != NULL;
	if (!doc)
		return NULL;
	r->is_configured = true;
	root = json_root(doc, path);
	TRY(refuse_version_1(&root));
	TRY(read_rules(r, &root, path));
	TRY(read_search(r, &root, path));
	TRY(read_mode(r, &root));
	TRY(read_aliases(r, &root));
	return read_helpers(r, &root);
}

/* ---- the files ---- */

static struct err *read_main(struct registries *r)
{
	const char *named = config_variable(r->paths, "CONTAINERS_REGISTRIES_CONF");
	AUTO(mem) char *home = config_home_path(r->paths, HOME_FILE);
	AUTO(mem) char *system = config_system_path(r->paths, SYSTEM_FILE);
	bool found = false;

	if (named) {
		TRY(read_file(r, named, &found));
		return found ? NULL :
			       err_new(ERR_NOT_FOUND, "CONTAINERS_REGISTRIES_CONF: there is no %s",
				       named);
	}
	if (home)
		TRY(read_file(r, home, &found));
	return found ? NULL : read_file(r, system, &found);
}

/* The files *.conf of a directory that need not be there. */
static struct err *read_dir(struct registries *r, const char *dir)
{
	AUTO(strings) struct strings names = { 0 };
	struct err *err = file_list(AT_FDCWD, dir, &names);

	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err); /* there need not be any */
		return NULL;
	}
	TRY(err);
	vec_foreach (&names, name) {
		AUTO(mem) char *path = xasprintf("%s/%s", dir, *name);
		bool found;

		if (str_ends(str_of(*name), ".conf"))
			TRY(read_file(r, path, &found));
	}
	return NULL;
}

/* What Podman noted when its user chose; only aliases are in it. */
static struct err *read_noted_aliases(struct registries *r)
{
	AUTO(mem)
	char *path = config_user(r->paths) == 0 ? config_system_path(r->paths, SYSTEM_ALIASES) :
						  config_home_path(r->paths, HOME_ALIASES);
	AUTO(json) json_t *doc = NULL;
	struct json_at root;

	if (path)
		TRY(read_toml(path, &doc));
	root = json_root(doc, path);
	return doc ? read_aliases(r, &root) : NULL;
}

static struct err *read_all(struct registries *r)
{
	AUTO(mem) char *system_dir = config_system_path(r->paths, SYSTEM_FILE ".d");
	AUTO(mem) char *home_dir = config_home_path(r->paths, HOME_FILE ".d");

	TRY(read_main(r));
	TRY(read_dir(r, system_dir));
	if (home_dir)
		TRY(read_dir(r, home_dir));
	TRY(read_noted_aliases(r));
	return r->is_configured ? NULL : docker_daemon_read(r);
}

struct err *registries_open(const struct config_paths *paths, struct registries **ret)
{
	AUTO(registries) struct registries *r = xcalloc(1, sizeof(*r));

	r->paths = paths;
	TRY(read_all(r));
	*ret = STEAL(r);
	return NULL;
}

void registries_free(struct registries *registries)
{
	if (!registries)
		return;
	vec_foreach (&registries->rules, rule)
		rule_release(rule);
	vec_release(&registries->rules);
	strings_release(&registries->helpers);
	strings_release(&registries->search);
	strings_release(&registries->hub_mirrors);
	strings_release(&registries->insecure);
	map_release(&registries->aliases, free);
	free(registries->search_file);
	free(registries);
}

const struct strings *registries_helpers(const struct registries *registries)
{
	return &registries->helpers;
}

/* ---- choosing a rule ---- */

/* How many bytes of `name` the prefix stands for; 0 if it does not fit. */
static size_t match_prefix(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(prefix, "*.", 2) == 0) {
		size_t host = strcspn(name, "/:");
		size_t suffix = len - 1; /* with the dot */

		return host > suffix && strncmp(name + host - suffix, prefix + 1, suffix) == 0 ?
			       host :
			       0;
	}
	return strncmp(name, prefix, len) == 0 && strchr("/:@", name[len]) ? len : 0;
}

/* The rule with the longest prefix that fits, or NULL; `*ret_len` as match_prefix() says. */
static const struct registry_rule *find_rule(const struct registries *r, const char *name,
					     size_t *ret_len)
{
	const struct registry_rule *best = NULL;

	vec_foreach (&r->rules, rule) {
		size_t len = match_prefix(name, rule->prefix);

		if (len > 0 && (!best || strlen(rule->prefix) > strlen(best->prefix))) {
			best = rule;
			*ret_len = len;
		}
	}
	return best;
}

static struct err *blocked(const char *name, const struct registry_rule *rule)
{
	return err_new(ERR_DENIED, "%s: blocked by %s (%s)", name, rule->file, rule->prefix);
}

/* ---- places by registries.conf ---- */

/* One image and the rule that was chosen for it. */
struct choice {
	const struct registries *registries;
	const struct reference *ref;
	const char *name; /* canonical */
	const struct registry_rule *rule;
	size_t matched; /* bytes of `name` for which a location stands */
};

/* The reference that `location` makes of the image. */
static struct err *relocate(const struct choice *c, const char *location, struct reference *ret)
{
	AUTO(mem) char *text = xasprintf("%s%s", location, c->name + c->matched);
	struct err *err = reference_parse(text, ret);

	if (!err && reference_is_short(text))
		err = err_new(ERR_INVALID,
			      "its host has neither a dot nor a port, and would be a name on "
			      "docker.io");
	return err_wrap(err, "%s: location '%.200s'", c->rule->file, location);
}

/* Append what `location` (NULL: the image's own name) makes of the image, unless that is blocked. */
static struct err *add_location(const struct choice *c, const char *location, bool insecure,
				bool is_mirror, struct places *ret)
{
	struct reference ref = *c->ref;
	AUTO(mem) char *there = NULL;
	const struct registry_rule *rule;
	struct place *place;
	size_t len;

	if (location)
		TRY(relocate(c, location, &ref));
	there = reference_canonical(&ref);
	rule = find_rule(c->registries, there, &len);
	if (rule && rule->blocked) {
		log_debug("%s: passed over, blocked by %s", there, rule->file);
		return NULL;
	}
	place = places_add(ret, ref.domain, ref.path);
	place->insecure = insecure;
	place->is_mirror = is_mirror;
	if (ref.tag[0] && strcmp(ref.tag, c->ref->tag[0] ? c->ref->tag : "latest") != 0)
		place->tag = xstrdup(ref.tag);
	return NULL;
}

static struct err *places_by_rule(const struct choice *c, enum registries_purpose purpose,
				  struct places *ret)
{
	const struct registry_rule *rule = c->rule;
	enum mirror_use unfit = purpose == PULL_BY_TAG ? MIRROR_DIGEST_ONLY : MIRROR_TAG_ONLY;

	if (rule->blocked)
		return blocked(c->name, rule);
	if (purpose == PUSH)
		return add_location(c, NULL, rule->insecure, false, ret);
	vec_foreach (&rule->mirrors, mirror)
		if (mirror->use != unfit)
			TRY(add_location(c, mirror->location, mirror->insecure, true, ret));
	TRY(add_location(c, rule->location, rule->insecure, false, ret));
	return ret->len > 0 ? NULL : blocked(c->name, rule);
}

/* ---- places by all sources ---- */

static struct err *usual_places(const struct registries *r, const struct reference *ref,
				enum registries_purpose purpose, struct places *ret)
{
	struct place *place;

	if (purpose != PUSH && strcmp(ref->domain, HUB_HOST) == 0)
		TRY(docker_daemon_mirrors(r, ref, ret));
	place = places_add(ret, ref->domain, ref->path);
	place->insecure = docker_daemon_is_insecure(r, ref->domain);
	return NULL;
}

struct err *registries_places(const struct registries *registries, const struct reference *ref,
			      enum registries_purpose purpose, struct places *ret)
{
	AUTO(mem) char *name = reference_canonical(ref);
	AUTO(places) struct places found = { 0 };
	struct choice choice = { .registries = registries, .ref = ref, .name = name };
	bool is_done = false;

	choice.rule = find_rule(registries, name, &choice.matched);
	if (choice.rule)
		TRY(places_by_rule(&choice, purpose, &found));
	else
		TRY(hosts_toml_places(registries, ref, purpose, &found, &is_done));
	if (!choice.rule && !is_done)
		TRY(usual_places(registries, ref, purpose, &found));
	*ret = found;
	found = (struct places){ 0 };
	return NULL;
}
