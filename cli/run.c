/*
 * cli/run.c - try an image: one command in a throw-away container.
 *
 * The container is what a RUN step of a build is, with a layer that is dropped at
 * the end. Whatever goes wrong on our side ends with 125, as elsewhere, so that
 * it is not taken for the command's own code.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/str.h"
#include "builder/attachment.h"
#include "builder/cdi.h"
#include "builder/config.h"
#include "builder/fetch.h"
#include "builder/points.h"
#include "builder/step_userns.h"
#include "builder/volume.h"
#include "cli/commands-private.h"
#include "cli/dns.h"
#include "cli/image.h"
#include "cli/limits.h"
#include "cli/network.h"
#include "cli/output.h"
#include "cli/publish.h"
#include "cli/relay.h"
#include "cli/security.h"
#include "cli/transfer.h"
#include "overlay/detached.h"
#include "overlay/idmap.h"
#include "overlay/sandbox.h"
#include "overlay/skeleton.h"
#include "overlay/stack.h"
#include "overlay/user.h"
#include "store/layer.h"
#include "store/store.h"

#define FAILED 125
#define WRONG_USAGE 2

/* The first one is that of who does not say; if ports are published it is private. */
static const char *const networks[] = { "default", "host", "private", "none", NULL };
static const enum sandbox_network network_of[] = { SANDBOX_NETWORK_HOST, SANDBOX_NETWORK_HOST,
						   SANDBOX_NETWORK_PRIVATE, SANDBOX_NETWORK_NONE };

struct run_values {
	struct strings env, devices, device_dirs, volumes, mounts, tmpfs, ports;
	const char *entrypoint, *user, *workdir, *platform;
	int network, pull, userns;
	bool interactive, tty, rm, read_only, init, print, publish_all;
	struct limit_values limits;
	struct security_values security;
	struct dns_values dns;
	struct network_values registries;
	struct transfer_values shown;
};

static const struct option options[] = {
	OPTION_LIST(struct run_values, device_dirs, 0, "cdi-spec-dir", "DIRECTORY",
		    "where files tell what devices by name are (default: /etc/cdi, /var/run/cdi)"),
	OPTION_LIST(struct run_values, devices, 0, "device", "PATH[:PLACE]|NAME",
		    "let the command use this device of the machine"),
	OPTION_TEXT(struct run_values, entrypoint, 0, "entrypoint", "PROGRAM",
		    "run PROGRAM instead of the image's entrypoint and command"),
	OPTION_LIST(struct run_values, env, 'e', "env", "NAME[=VALUE]",
		    "set a variable; without VALUE it is taken from the environment"),
	OPTION_FLAG(struct run_values, init, 0, "init",
		    "let a process of ours be the first, which hands on signals"),
	OPTION_FLAG(struct run_values, interactive, 'i', "interactive",
		    "let the command read standard input"),
	OPTION_LIST(struct run_values, mounts, 0, "mount", "KEY=VALUE[,...]",
		    "mount what type=bind, volume or tmpfs, source= and target= say"),
	OPTION_WORD(struct run_values, network, 0, "network", networks, "what it reaches"),
	OPTION_TEXT(struct run_values, platform, 0, "platform", "OS/ARCH",
		    "which image of an index"),
	OPTION_FLAG(struct run_values, print, 0, "print-sandbox",
		    "run nothing, but print how it would run, as a document of the runtime-spec"),
	OPTION_WORD(struct run_values, pull, 0, "pull", pull_policy_names,
		    "when to ask the registry for the image (default: missing)"),
	OPTION_LIST(struct run_values, ports, 'p', "publish", "[[ADDRESS:]PORT:]PORT[/udp]",
		    "let a port of this machine lead to one of the container"),
	OPTION_FLAG(struct run_values, publish_all, 'P', "publish-all",
		    "the same for each port that the image exposes"),
	OPTION_FLAG(struct run_values, read_only, 0, "read-only",
		    "let the command write to nothing but what is mounted"),
	OPTION_FLAG(struct run_values, rm, 0, "rm", "nothing: the container is always removed"),
	OPTION_LIST(
		struct run_values, tmpfs, 0, "tmpfs", "TARGET[:OPTION,...]",
		"mount memory there; options: size=, mode=, uid=, gid=, nr_inodes=, noexec, ro"),
	OPTION_FLAG(struct run_values, tty, 't', "tty", "give the command a terminal"),
	OPTION_TEXT(struct run_values, user, 'u', "user", "USER[:GROUP]", "run as this user"),
	OPTION_WORD(struct run_values, userns, 0, "userns", step_userns_names,
		    "whether its root is that of the machine, or of a user namespace"),
	OPTION_LIST(struct run_values, volumes, 'v', "volume", "[SOURCE:]TARGET[:ro]",
		    "mount a path of this machine, or a volume by its name"),
	OPTION_TEXT(struct run_values, workdir, 'w', "workdir", "DIR", "run in this directory"),
	TRANSFER_OPTIONS(struct run_values, shown),
	LIMIT_OPTIONS(struct run_values, limits),
	SECURITY_OPTIONS(struct run_values, security),
	DNS_OPTIONS(struct run_values, dns),
	NETWORK_OPTIONS(struct run_values, registries),
};

/* ---- what runs ---- */

static void add_words(const json_t *array, struct strings *ret)
{
	json_t *word;
	size_t i;

	json_array_foreach(array, i, word) if (json_string_value(word))
		strings_push(ret, json_string_value(word));
}

static struct err *make_argv(const struct image *image, const struct run_values *values,
			     const struct strings *operands, struct strings *ret)
{
	if (values->entrypoint && values->entrypoint[0])
		strings_push(ret, values->entrypoint);
	else if (!values->entrypoint)
		add_words(image_setting(image, "Entrypoint"), ret);
	if (operands->len > 1)
		for (size_t i = 1; i < operands->len; i++)
			strings_push(ret, operands->at[i]);
	else if (!values->entrypoint)
		add_words(image_setting(image, "Cmd"), ret);
	if (ret->len == 0)
		return err_new(ERR_INVALID, "image %s has no command: name one", operands->at[0]);
	return NULL;
}

/* Set "NAME=VALUE", in place of an older one. */
static void set_variable(struct strings *env, const char *pair)
{
	size_t len = strcspn(pair, "=") + 1;

	vec_foreach (env, old)
		if (strncmp(*old, pair, len) == 0) {
			free(*old);
			*old = xstrdup(pair);
			return;
		}
	strings_push(env, pair);
}

static void set_default(struct strings *env, const char *pair)
{
	size_t len = strcspn(pair, "=") + 1;

	vec_foreach (env, old)
		if (strncmp(*old, pair, len) == 0)
			return;
	strings_push(env, pair);
}

/* A wrong value is a wrong command line, not a container that could not be run. */
static struct err *check_values(const struct run_values *values)
{
	struct platform platform;

	vec_foreach (&values->env, text)
		if ((*text)[0] == '=' || !(*text)[0])
			return err_new(ERR_USAGE, "option --env: '%.80s' has no name", *text);
	if (values->platform)
		TRY(option_refuse(platform_parse(values->platform, &platform), "--platform"));
	if (values->user && !values->user[0])
		return err_new(ERR_USAGE, "option --user: an empty name is no user");
	if (values->workdir && values->workdir[0] != '/')
		return err_new(ERR_USAGE, "option --workdir: '%.200s' is not absolute",
			       values->workdir);
	return NULL;
}

static void make_env(const struct image *image, const struct run_values *values,
		     const struct strings *devices, const struct user *user, struct strings *ret)
{
	AUTO(mem) char *home = xasprintf("HOME=%s", user->home);

	add_words(image_setting(image, "Env"), ret);
	vec_foreach (devices, pair)
		set_variable(ret, *pair);
	vec_foreach (&values->env, text) {
		const char *inherited = strchr(*text, '=') ? NULL : getenv(*text);
		AUTO(mem)
		char *pair = inherited ? xasprintf("%s=%s", *text, inherited) : xstrdup(*text);

		if (strchr(pair, '='))
			set_variable(ret, pair);
	}
	set_default(ret, "PATH=" CONFIG_DEFAULT_PATH);
	set_default(ret, home);
	if (values->tty)
		set_default(ret, "TERM=xterm");
}

/* ---- where it runs ---- */

/* What lives as long as the container. */
struct container {
	struct pool *pool;
	struct stack stack;
	struct layer_stage *layer;  /* its writable layer; never sealed */
	struct layer_stage *holder; /* where the skeleton is */
	struct skeleton skeleton;
	struct limits limits;
	struct security security;
	struct resolver_wishes resolver;
	struct publish ports;
	enum sandbox_network network; /* as it is wanted */
	struct volumes devices;
	struct attachments attachments;
	struct attached attached;
	struct sandbox_mount mounts[SANDBOX_MOUNTS_MAX]; /* of attachments, then of devices */
	size_t mount_count;
	struct sandbox *sandbox;
	struct idmap *idmap; /* of its user namespace; NULL: it has none */
	struct user user;
	struct strings env;
	int root_fd;
};

static void close_mounts(struct container *c)
{
	for (size_t i = 0; i < c->mount_count; i++)
		close(c->mounts[i].fd);
	c->mount_count = 0;
	attached_release(&c->attached);
}

static void container_auto_(struct container *c)
{
	sandbox_free(c->sandbox);
	idmap_free(c->idmap);
	if (c->root_fd >= 0)
		close(c->root_fd);
	skeleton_close(&c->skeleton);
	layer_stage_free(c->layer);
	layer_stage_free(c->holder);
	stack_release(&c->stack);
	pool_free(c->pool);
	close_mounts(c);
	attachments_release(&c->attachments);
	volumes_release(&c->devices);
	user_release(&c->user);
	strings_release(&c->env);
	publish_release(&c->ports);
	limits_release(&c->limits);
	security_release(&c->security);
}

/* The devices, and what else those by name bring. */
static struct err *open_devices(struct container *c)
{
	vec_foreach (&c->devices, device) {
		struct sandbox_mount *mount = &c->mounts[c->mount_count];

		if (c->mount_count == ARRAY_SIZE(c->mounts))
			return err_new(ERR_INVALID, "more than %d mounts", SANDBOX_MOUNTS_MAX);
		TRY(volume_open(device, c->idmap, &mount->fd));
		mount->target = device->target;
		mount->source = c->idmap && device->device ? DETACHED_FILE : NULL;
		c->mount_count++;
	}
	return NULL;
}

/* Mount points for the devices where the image has none, beside those of attachments. */
static struct err *make_points(struct store *store, struct container *c)
{
	AUTO(fd) int view_fd = -1;

	if (c->devices.len)
		TRY(stack_view(&c->stack, &view_fd));
	for (size_t i = c->attachments.len; i < c->mount_count; i++) {
		const struct sandbox_mount *mount = &c->mounts[i];
		struct stat st;

		if (!points_needed(view_fd, mount->target))
			continue;
		if (!c->attached.points)
			TRY(layer_begin(store, &c->attached.points));
		if (fstat(mount->fd, &st) < 0)
			return err_sys("look at a mount");
		TRY(points_make(c->attached.points->fs_fd, view_fd, mount->target,
				S_ISDIR(st.st_mode) && !mount->source));
	}
	return NULL;
}

static struct err *read_devices(const struct run_values *values, struct volumes *ret)
{
	AUTO(cdi) struct cdi *cdi = cdi_new(&values->device_dirs);

	vec_foreach (&values->devices, text)
		TRY(option_refuse(volumes_add_device(ret, cdi, *text), "--device"));
	return NULL;
}

static struct err *read_attachments(const struct run_values *values, struct attachments *ret)
{
	vec_foreach (&values->mounts, text)
		TRY(option_refuse(attachments_add_mount(ret, *text), "--mount"));
	vec_foreach (&values->volumes, text)
		TRY(option_refuse(attachments_add_volume(ret, *text), "--volume"));
	vec_foreach (&values->tmpfs, text)
		TRY(option_refuse(attachments_add_tmpfs(ret, *text), "--tmpfs"));
	return NULL;
}

/* Which network it is to be, and which ports lead there. */
static struct err *read_ports(const struct run_values *values, struct container *c)
{
	const bool asked = values->ports.len > 0 || values->publish_all;

	c->network = network_of[values->network];
	if (asked && values->network != 0 && c->network != SANDBOX_NETWORK_PRIVATE)
		return err_note(err_new(ERR_USAGE,
					"option --publish: no port leads to --network %s",
					networks[values->network]),
				"Leave --network out, or say --network private.");
	if (asked)
		c->network = SANDBOX_NETWORK_PRIVATE;
	vec_foreach (&values->ports, text)
		TRY(option_refuse(publish_add(&c->ports, *text), "--publish"));
	return NULL;
}

/* In the order of their targets, so that one may lie in another. */
static int compare_targets(const void *a, const void *b)
{
	return strcmp(((const struct attachment *)a)->target,
		      ((const struct attachment *)b)->target);
}

static struct err *open_attachments(struct store *store, struct container *c)
{
	AUTO(fd) int view_fd = -1;

	if (!c->attachments.len)
		return NULL;
	qsort(c->attachments.at, c->attachments.len, sizeof(*c->attachments.at), compare_targets);
	TRY(stack_view(&c->stack, &view_fd));
	TRY(attachments_open(&c->attachments, store, view_fd, c->mounts, &c->attached));
	c->mount_count = c->attachments.len;
	return NULL;
}

static struct err *map_mounts(const struct container *c)
{
	for (size_t i = 0; i < c->mount_count; i++)
		TRY(err_wrap(idmap_apply(c->idmap, c->mounts[i].fd, true), "%s",
			     c->mounts[i].target));
	return NULL;
}

/* What lies in a file system that cannot show its files in a user namespace is no reason not to run
 * the container, unless the user insists. */
static struct err *open_mounts(struct store *store, const struct run_values *values,
			       struct container *c)
{
	struct err *err;

	TRY(open_attachments(store, c));
	TRY(open_devices(c));
	if (!c->idmap)
		return NULL;
	err = map_mounts(c);
	if (err_kind(err) != ERR_UNSUPPORTED || values->userns == STEP_USERNS_PRIVATE)
		return err;
	log_info("the command is root of this machine, and not of a user namespace: %s",
		 err_text(err));
	err_free(err);
	idmap_free(c->idmap);
	c->idmap = NULL;
	close_mounts(c);
	TRY(open_attachments(store, c));
	return open_devices(c);
}

static struct err *open_container(struct store *store, const struct image *image,
				  const struct run_values *values, struct container *c)
{
	AUTO(fd) int cache = -1;

	c->pool = pool_new(pool_default_threads());
	TRY(step_userns_open((enum step_userns)values->userns, &c->security.sandbox,
			     c->network != SANDBOX_NETWORK_HOST, store, &c->idmap));
	TRY(stack_of_image(store, image, c->pool, NULL, &c->stack));
	TRY(stack_begin_layer(&c->stack, store, &c->layer));
	TRY(layer_begin(store, &c->holder));
	TRY(skeleton_open(c->holder->dir_fd, &c->skeleton));
	TRY(open_mounts(store, values, c));
	TRY(make_points(store, c));
	c->stack.idmap = c->idmap;
	TRY(stack_mount(&c->stack, c->layer, &c->skeleton, attached_points_fd(&c->attached),
			&c->root_fd, NULL));
	if (values->read_only)
		TRY(detached_fix(c->root_fd));
	TRY(file_make_dirs(store_fd(store), "cache", 0700, &cache));
	c->sandbox = sandbox_new(cache);
	sandbox_limit(c->sandbox, &c->limits.resources);
	sandbox_secure(c->sandbox, &c->security.sandbox);
	sandbox_resolve(c->sandbox, &c->resolver);
	sandbox_publish(c->sandbox, c->ports.at, c->ports.len);
	return NULL;
}

/* ---- running it ---- */

static const char *text_setting(const struct image *image, const char *key)
{
	const char *text = json_string_value(image_setting(image, key));

	return text && text[0] ? text : NULL;
}

static struct err *make_spec(struct container *c, const struct image *image,
			     const struct run_values *values, struct strings *argv,
			     struct sandbox_spec *spec)
{
	const char *who = values->user ? values->user : text_setting(image, "User");
	const char *reason;

	TRY(user_resolve(c->root_fd, str_of(who), &c->user));
	make_env(image, values, &c->devices.env, &c->user, &c->env);
	spec->idmap = c->idmap;
	spec->root_fd = c->root_fd;
	spec->init = values->init;
	spec->argv = strings_argv(argv);
	spec->envp = strings_argv(&c->env);
	spec->cwd = values->workdir ? values->workdir : text_setting(image, "WorkingDir");
	spec->uid = c->user.uid;
	spec->gid = c->user.gid;
	spec->groups = c->user.groups;
	spec->group_count = c->user.group_count;
	TRY(sandbox_choose_network(c->sandbox, c->idmap, c->network, &spec->network, &reason));
	publish_let_go(&c->ports);
	spec->mounts = c->mounts;
	spec->mount_count = c->mount_count;
	spec->shm_size = c->limits.shm_size;
	spec->limits = c->limits.ulimits.at;
	spec->limit_count = c->limits.ulimits.len;
	if (spec->cwd && spec->cwd[0] != '/')
		return err_new(ERR_INVALID, "directory '%.200s' is not absolute", spec->cwd);
	return NULL;
}

/* What is mounted, in words, for the document. */
static void tell_mounts(struct container *c)
{
	for (size_t i = 0; i < c->mount_count; i++) {
		const size_t device = i - c->attachments.len;
		const struct attachment *a = &c->attachments.at[i];
		struct sandbox_mount_told *told = &c->mounts[i].told;

		if (i >= c->attachments.len) {
			told->source = c->devices.at[device].source;
			continue;
		}
		told->source = a->source;
		told->size = a->size;
		told->mode = a->mode;
		told->no_exec = a->no_exec;
		if (a->kind == ATTACH_TMPFS || (a->kind == ATTACH_VOLUME && !a->source))
			told->type = "tmpfs";
	}
}

/* Print how it would run. */
static struct err *describe_container(const struct run_values *values, const struct image *image,
				      struct container *c, struct strings *argv)
{
	struct sandbox_spec spec = SANDBOX_SPEC_INIT;
	AUTO(json) json_t *document = NULL;

	spec.tty = values->tty;
	tell_mounts(c);
	TRY(make_spec(c, image, values, argv, &spec));
	TRY(sandbox_describe(c->sandbox, &spec, &document));
	output_json(document);
	return NULL;
}

static struct err *run_container(struct cli *cli, const struct run_values *values,
				 const struct image *image, struct container *c,
				 struct strings *argv)
{
	struct sandbox_spec spec = SANDBOX_SPEC_INIT;
	AUTO(sandbox_run) struct sandbox_run *run = NULL;
	AUTO(relay) struct relay *relay = NULL;
	struct sandbox_result result = { 0 };
	char text[SANDBOX_OOM_SIZE];

	cli->exit_code = FAILED; /* what it asks for cannot be had */
	TRY(make_spec(c, image, values, argv, &spec));
	TRY(relay_new(values->interactive, values->tty, &spec, &relay)); /* asks for spec.idmap */
	TRY(sandbox_start(c->sandbox, &spec, &run));
	TRY(relay_run(relay, run, &result));
	cli->exit_code = result.code;
	if (result.code && result.oom_kills)
		log_warn("%s", sandbox_oom_text(&result, text));
	if (result.code && result.forks_refused)
		log_warn("%s", sandbox_pids_text(&result, text));
	if (result.exec_errno)
		return err_new(ERR_INVALID, "cannot execute '%.200s' in the image: %s", argv->at[0],
			       sandbox_exec_reason(&result));
	return NULL;
}

static struct err *run_image(struct cli *cli, struct run_values *values, struct strings *operands)
{
	const struct image_fetch how = { (enum pull_policy)values->pull, &values->registries,
					 &values->shown };
	AUTO(store) struct store *store = NULL;
	AUTO(image) struct image *image = NULL;
	AUTO(strings) struct strings argv = { 0 };
	AUTO(container)
	struct container container = { .skeleton = SKELETON_INIT, .root_fd = -1 };

	TRY(check_values(values));
	TRY(limits_read(&values->limits, &container.limits));
	TRY(security_read(&values->security, &container.security));
	TRY(dns_read(&values->dns, &container.resolver));
	TRY(read_devices(values, &container.devices));
	TRY(read_attachments(values, &container.attachments));
	TRY(read_ports(values, &container));
	TRY(cli_be_root());
	TRY(cli_open_store(cli, &store));
	TRY(image_fetch_open(store, operands->at[0], values->platform, &how, &image));
	TRY(make_argv(image, values, operands, &argv));
	if (values->publish_all)
		TRY(publish_add_exposed(&container.ports, image_setting(image, "ExposedPorts")));
	TRY(publish_choose(&container.ports));
	TRY(open_container(store, image, values, &container));
	return values->print ? describe_container(values, image, &container, &argv) :
			       run_container(cli, values, image, &container, &argv);
}

/* What is not there or cannot be read is a container that could not be run, wherever it was named; wrong
 * words are a wrong command line. */
static struct err *run_run(struct cli *cli, void *arg, struct strings *operands)
{
	struct err *err;

	mem_exhausted_code(FAILED);
	err = run_image(cli, arg, operands);
	if (err && !cli->exit_code) /* else it is that of the command */
		cli->exit_code = err_kind(err) == ERR_USAGE ? WRONG_USAGE : FAILED;
	return err;
}

const struct cli_command command_run = {
	.name = "run",
	.summary = "run a command in a throw-away container",
	.operands = "IMAGE [COMMAND [ARGUMENT]...]",
	.about = "Run the command of an image, or COMMAND, in a container that is removed when it "
		 "ends. The exit code is the command's; 125 if the container could not be run, 126 "
		 "if the command cannot be executed, 127 if it is not there.",
	.examples = "cairn run app\n"
		    "cairn run -it debian:bookworm bash\n"
		    "cairn run -p 8080:80 app\n"
		    "cairn run -e DEBUG=1 -u nobody --network none app make test",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct run_values),
	.min_operands = 1,
	.max_operands = OPERANDS_ANY,
	.first_operand_ends = true,
	.completes = COMPLETE_IMAGES,
	.run = run_run,
};
