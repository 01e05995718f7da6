/* cli/build.c - from a Recipe to an image. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "builder/build.h"
#include "builder/cdi.h"
#include "builder/check.h"
#include "builder/clip.h"
#include "builder/context_spec.h"
#include "builder/events.h"
#include "builder/fetch.h"
#include "builder/hosts.h"
#include "builder/image_changes.h"
#include "builder/mount.h"
#include "builder/on_fail.h"
#include "builder/report.h"
#include "builder/scope.h"
#include "builder/secrets.h"
#include "builder/source_policy.h"
#include "builder/ssh.h"
#include "builder/volume.h"
#include "cli/build_args.h"
#include "cli/build_attest.h"
#include "cli/build_cache.h"
#include "cli/build_image.h"
#include "cli/build_manifest.h"
#include "cli/build_outputs.h"
#include "cli/build_platform.h"
#include "cli/build_policy.h"
#include "cli/build_report.h"
#include "cli/build_verify.h"
#include "cli/call.h"
#include "cli/commands-private.h"
#include "cli/dns.h"
#include "cli/limits.h"
#include "cli/network.h"
#include "cli/output.h"
#include "cli/security.h"
#include "cli/target.h"
#include "cli/ui.h"
#include "registry/client.h"
#include "registry/reference.h"
#include "registry/url.h"
#include "store/prune.h"
#include "store/store.h"

static const char *const networks[] = { "default", "private", "host", "none", NULL };
static const enum sandbox_network network_of[] = { SANDBOX_NETWORK_DEFAULT, SANDBOX_NETWORK_PRIVATE,
						   SANDBOX_NETWORK_HOST, SANDBOX_NETWORK_NONE };

struct build_values {
	struct strings recipes, reports;
	const char *ignore_file, *from, *manifest;
	const char *cpp_flag, *os_version, *os_feature;
	bool all_platforms;
	struct platform_values platform;
	struct strings targets, tags, contexts, no_cache_stages;
	struct strings on_fail;
	struct strings described, secrets, ssh, allowed, volumes, mounts, devices, device_dirs,
		hosts;
	struct build_arg_values build_args;
	struct build_cache_values caches;
	struct build_output_values output;
	struct build_image_values image;
	struct build_attest_values attest;
	const char *policy_file;
	uint64_t jobs;
	int context_mode, network, progress, pull, userns;
	bool check, no_cache, quiet, locked, update_lock, verify;
	struct limit_values limits;
	struct security_values security;
	struct dns_values dns;
	struct network_values registries;
	bool ignored;
	const char *call, *ignored_text;
};

static const struct option options[] = {
	OPTION_LIST(struct build_values, hosts, 0, "add-host", "NAME:ADDRESS",
		    "a name that every RUN knows; host-gateway is this machine"),
	OPTION_LIST(struct build_values, allowed, 0, "allow", "ENTITLEMENT",
		    "let the Recipe ask for security.insecure, network.host or device[=NAME]"),
	BUILD_ARG_OPTIONS(struct build_values, build_args),
	OPTION_LIST(struct build_values, contexts, 0, "build-context", "NAME=VALUE",
		    "what FROM NAME and COPY --from=NAME mean: a directory, docker-image://NAME, "
		    "oci-layout://DIRECTORY, a git repository or the URL of a tar"),
	BUILD_CACHE_OPTIONS(struct build_values, caches),
	OPTION_LIST(struct build_values, device_dirs, 0, "cdi-spec-dir", "DIRECTORY",
		    "where files tell what devices by name are (default: /etc/cdi, /var/run/cdi)"),
	OPTION_TEXT(struct build_values, call, 0, "call", "METHOD[,format=FORMAT]",
		    "do not build, but tell: check, outline or targets"),
	OPTION_FLAG(struct build_values, check, 0, "check",
		    "do not build, but say what is wrong or doubtful; --call check"),
	OPTION_WORD(struct build_values, context_mode, 0, "context-mode", context_mode_names,
		    "what modes files of the context have: exact, what they have (the default), or "
		    "git, 0644 or 0755"),
	OPTION_LIST(struct build_values, devices, 0, "device", "PATH[:PLACE]|NAME",
		    "let every RUN use this device of the machine"),
	OPTION_PATHS(
		struct build_values, recipes, 'f', "file", "PATH",
		"the Recipe, or several that are read as one; '-' is standard input (default: Recipe, Containerfile or "
		"Dockerfile in CONTEXT)"),
	OPTION_TEXT(struct build_values, from, 0, "from", "IMAGE",
		    "begin with IMAGE instead of what the first FROM says"),
	OPTION_PATH(struct build_values, ignore_file, 0, "ignorefile", "PATH",
		    "the ignore file, instead of those beside the Recipe and in CONTEXT"),
	OPTION_NUMBER(struct build_values, jobs, 'j', "jobs", "N", 1, 256,
		      "run up to N steps at a time (default: one per CPU)"),
	OPTION_FLAG(struct build_values, locked, 0, "locked",
		    "use nothing that the lock of the Recipe lacks"),
	OPTION_TEXT(struct build_values, manifest, 0, "manifest", "NAME",
		    "add the image to the index NAME, which is made if it is not there"),
	OPTION_LIST(struct build_values, mounts, 0, "mount", "TYPE=...",
		    "what RUN --mount says, for every RUN"),
	OPTION_WORD(struct build_values, network, 0, "network", networks,
		    "what RUN reaches (default: a private network if there can be one)"),
	OPTION_FLAG(struct build_values, no_cache, 0, "no-cache",
		    "run every step, whatever is in the cache"),
	OPTION_LIST(struct build_values, no_cache_stages, 0, "no-cache-filter", "STAGE[,STAGE]",
		    "run every step of these stages, and what needs them"),
	OPTION_LIST(struct build_values, on_fail, 0, "on-fail", "export:PATH=DIR",
		    "if a RUN fails, copy PATH of its files into DIR of this machine"),
	BUILD_PLATFORM_OPTIONS(struct build_values, platform),
	OPTION_BARE_LIST(
		struct build_values, described, 0, "print-sandbox", "[=LINE|STAGE]", "",
		"do not build, but print how each RUN would run, as runtime-spec documents"),
	OPTION_WORD(struct build_values, progress, 0, "progress", ui_mode_names,
		    "how to show what goes on (default: BUILDKIT_PROGRESS, or auto)"),
	OPTION_BARE_WORD(struct build_values, pull, 0, "pull", pull_policy_names, "always",
			 "when to ask registries for base images (default: missing)"),
	OPTION_FLAG(struct build_values, quiet, 'q', "quiet",
		    "print nothing but the image id; --progress quiet"),
	OPTION_PATHS(struct build_values, reports, 0, "report", "FILE",
		     "write what the build did to FILE.html, a page, or FILE.json"),
	OPTION_LIST(struct build_values, secrets, 0, "secret", "id=ID[,src=PATH|,env=NAME]",
		    "a file or variable for RUN --mount=type=secret; never part of the image"),
	OPTION_LIST(struct build_values, ssh, 0, "ssh", "ID[=SOCKET|=KEY,...]",
		    "an agent, or keys for one, for RUN --mount=type=ssh; 'default' is that of "
		    "SSH_AUTH_SOCK"),
	OPTION_LIST(struct build_values, tags, 't', "tag", "NAME", "call the image NAME"),
	OPTION_LIST(
		struct build_values, targets, 0, "target", "STAGE[=NAME]",
		"stop at this stage, by name or number, and call its image NAME; more than once "
		"builds several"),
	OPTION_FLAG(struct build_values, update_lock, 0, "update-lock",
		    "resolve all sources anew, and write the lock of the Recipe after the build"),
	OPTION_WORD(struct build_values, userns, 0, "userns", step_userns_names,
		    "whether root of a RUN is that of the machine, or of a user namespace"),
	OPTION_FLAG(struct build_values, verify, 0, "verify",
		    "build twice, and say where the images differ first"),
	OPTION_LIST(struct build_values, volumes, 'v', "volume", "SOURCE:TARGET[:ro]",
		    "let every RUN find SOURCE of this machine at TARGET"),
	BUILD_OUTPUT_OPTIONS(struct build_values, output),
	BUILD_IMAGE_OPTIONS(struct build_values, image),
	BUILD_ATTEST_OPTIONS(struct build_values, attest),
	LIMIT_OPTIONS(struct build_values, limits),
	SECURITY_OPTIONS(struct build_values, security),
	DNS_OPTIONS(struct build_values, dns),
	OPTION_PATH(struct build_values, policy_file, 0, "source-policy-file", "PATH",
		    "rules about which images, files and repositories a build may use"),
	NETWORK_OPTIONS(struct build_values, registries),
	/* What others have and is refused by name. */
	OPTION_FLAG(struct build_values, all_platforms, 0, "all-platforms", NULL),
	OPTION_TEXT(struct build_values, cpp_flag, 0, "cpp-flag", "FLAG", NULL),
	OPTION_TEXT(struct build_values, os_feature, 0, "os-feature", "FEATURE", NULL),
	OPTION_TEXT(struct build_values, os_version, 0, "os-version", "VERSION", NULL),
	/* Scripts written for other builders say these; here they are how things are. */
	OPTION_TEXT(struct build_values, ignored_text, 0, "builder", "NAME", NULL),
	OPTION_FLAG(struct build_values, ignored, 0, "compress", NULL),
	OPTION_FLAG(struct build_values, ignored, 0, "disable-content-trust", NULL),
	OPTION_FLAG(struct build_values, ignored, 0, "force-rm", NULL),
	OPTION_FLAG(struct build_values, ignored, 0, "layers", NULL),
	OPTION_FLAG(struct build_values, ignored, 0, "logsplit", NULL),
	OPTION_FLAG(struct build_values, ignored, 0, "rm", NULL),
	OPTION_FLAG(struct build_values, ignored, 0, "skip-unused-stages", NULL),
};

/* Of `lock`: what decides which sources there are, and how they are reached. */
static const struct option lock_options[] = {
	BUILD_ARG_OPTIONS(struct build_values, build_args),
	OPTION_LIST(struct build_values, contexts, 0, "build-context", "NAME=VALUE",
		    "what FROM NAME and COPY --from=NAME mean"),
	OPTION_PATHS(struct build_values, recipes, 'f', "file", "PATH",
		     "the Recipe, or several that are read as one (default: Recipe, Containerfile "
		     "or Dockerfile in CONTEXT)"),
	OPTION_TEXT(struct build_values, from, 0, "from", "IMAGE",
		    "begin with IMAGE instead of what the first FROM says"),
	BUILD_PLATFORM_OPTIONS(struct build_values, platform),
	OPTION_WORD(struct build_values, progress, 0, "progress", ui_mode_names,
		    "how to show what goes on (default: BUILDKIT_PROGRESS, or auto)"),
	OPTION_FLAG(struct build_values, quiet, 'q', "quiet", "show nothing; --progress quiet"),
	OPTION_LIST(struct build_values, secrets, 0, "secret", "id=ID[,src=PATH|,env=NAME]",
		    "credentials for files of the web and repositories"),
	OPTION_PATH(struct build_values, policy_file, 0, "source-policy-file", "PATH",
		    "rules about which images, files and repositories a build may use"),
	OPTION_LIST(struct build_values, targets, 0, "target", "STAGE",
		    "lock what this stage needs; more than once for several"),
	NETWORK_OPTIONS(struct build_values, registries),
};

/* Everything that the options become. */
struct request {
	struct build_opts opts;
	struct build_args *args;  /* owned */
	struct secrets *secrets;  /* owned */
	struct ssh_sources *ssh;  /* owned */
	struct volumes volumes;   /* owned */
	struct on_fails on_fails; /* owned */
	struct cdi *devices;      /* owned */
	struct strings allowed;   /* of --allow device=; owned */
	struct limits limits;     /* owned */
	struct security security; /* owned */
	struct resolver_wishes resolver;
	struct strings context_names; /* owned */
	struct {
		struct build_context *at;
		size_t len, cap;
	} contexts;                   /* owned */
	struct strings names;         /* of --tag and --output; owned */
	struct targets targets;       /* owned */
	struct platforms platforms;   /* owned */
	struct reference first_tag;   /* whom --creds are for */
	struct client *client;        /* owned */
	struct build_outputs outputs; /* owned */
	struct build_caches caches;   /* owned */
	struct image_changes changes; /* owned */
	struct attest_opts attest;    /* owned */
	struct source_policy *policy; /* owned */
};

static void request_auto_(struct request *request)
{
	strings_release(&request->names);
	targets_release(&request->targets);
	vec_release(&request->platforms);
	strings_release(&request->opts.labels);
	strings_release(&request->opts.no_cache_stages);
	image_changes_release(&request->changes);
	attest_opts_release(&request->attest);
	source_policy_free(request->policy);
	build_args_free(request->args);
	secrets_free(request->secrets);
	ssh_sources_free(request->ssh);
	on_fails_release(&request->on_fails);
	volumes_release(&request->volumes);
	cdi_free(request->devices);
	strings_release(&request->allowed);
	limits_release(&request->limits);
	security_release(&request->security);
	strings_release(&request->opts.hosts);
	strings_release(&request->opts.mounts);
	strings_release(&request->opts.more_recipes);
	strings_release(&request->context_names);
	vec_release(&request->contexts);
	client_free(request->client);
	build_outputs_release(&request->outputs);
	build_caches_release(&request->caches);
}

/* ---- options ---- */

/* Whether the Recipe names it or not: a directory that is misspelt must not give another image. */
static struct err *check_context(const struct context_spec *spec)
{
	AUTO(fd) int fd = -1;
	struct stat st;

	if (spec->kind != CONTEXT_DIRECTORY)
		return NULL;
	if (stat(spec->value, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_new(ERR_USAGE, "option --build-context: '%.200s' is not a directory",
			       spec->value);
	return err_wrap(file_open_dir(AT_FDCWD, spec->value, &fd), "option --build-context");
}

static struct err *read_contexts(const struct strings *list, struct request *ret)
{
	vec_foreach (list, text) {
		struct str value = str_of(*text);
		AUTO(mem) char *name = str_dup(str_cut(&value, '='));

		AUTO(context_spec) struct context_spec spec = { 0 };

		if (!name[0] || !value.at || !value.at[0])
			return err_new(ERR_USAGE,
				       "option --build-context: '%.200s' is not NAME=VALUE", *text);
		TRY(option_refuse(context_spec_parse(value.at, true, &spec), "--build-context"));
		TRY(check_context(&spec));
		strings_push(&ret->context_names, name);
		vec_push(&ret->contexts,
			 (struct build_context){ *vec_last(&ret->context_names), value.at });
	}
	return NULL;
}

static struct err *read_secrets(const struct strings *list, struct request *ret)
{
	vec_foreach (list, text)
		TRY(option_refuse(secrets_add(ret->secrets, *text), "--secret"));
	ret->opts.secrets = ret->secrets;
	return NULL;
}

static struct err *read_volumes(const struct build_values *values, struct request *ret)
{
	ret->devices = cdi_new(&values->device_dirs);
	ret->opts.cdi = ret->devices;
	vec_foreach (&values->volumes, text)
		TRY(option_refuse(volumes_add(&ret->volumes, *text), "--volume"));
	vec_foreach (&values->devices, text)
		TRY(option_refuse(volumes_add_device(&ret->volumes, ret->devices, *text),
				  "--device"));
	ret->opts.volumes = &ret->volumes;
	return NULL;
}

static struct err *read_run_options(struct build_values *values, struct request *ret)
{
	struct build_opts *opts = &ret->opts;

	TRY(limits_read(&values->limits, &ret->limits));
	opts->resources = &ret->limits.resources;
	TRY(security_read(&values->security, &ret->security));
	opts->security = &ret->security.sandbox;
	opts->ulimits = &ret->limits.ulimits;
	opts->shm_size = ret->limits.shm_size;
	vec_foreach (&values->mounts, text) {
		TRY(option_refuse(mount_check(*text), "--mount"));
		strings_push(&opts->mounts, *text);
	}
	vec_foreach (&values->on_fail, text)
		TRY(option_refuse(on_fails_add(&ret->on_fails, *text), "--on-fail"));
	opts->on_fails = &ret->on_fails;
	opts->network = network_of[values->network];
	TRY(dns_read(&values->dns, &ret->resolver));
	opts->resolver = &ret->resolver;
	vec_foreach (&values->hosts, text)
		TRY(option_refuse(hosts_add(&opts->hosts, *text, opts->network), "--add-host"));
	(void)strings_argv(&opts->hosts);
	return NULL;
}

static struct err *read_ssh(const struct strings *list, struct request *ret)
{
	vec_foreach (list, text)
		TRY(option_refuse(ssh_sources_add(ret->ssh, *text), "--ssh"));
	ret->opts.ssh = ret->ssh;
	return NULL;
}

/* Entitlements, each as a list, too. */
static struct err *read_allowed(const struct strings *list, struct request *ret)
{
	struct build_opts *opts = &ret->opts;

	opts->allowed_devices = &ret->allowed;
	vec_foreach (list, text) {
		struct str rest = str_of(*text);

		while (rest.at) {
			struct str name = str_cut(&rest, ',');

			if (str_is(name, "security.insecure"))
				opts->allow_insecure = true;
			else if (str_is(name, "device"))
				opts->allow_devices = true;
			else if (str_starts(name, "device="))
				vec_push(&ret->allowed,
					 str_dup((struct str){ name.at + 7, name.len - 7 }));
			else if (!str_is(name, "network.host")) /* which needs no leave */
				return err_new(
					ERR_USAGE,
					"option --allow: '%.*s' is none of: security.insecure, "
					"network.host, device, device=NAME",
					STR_ARG(name));
		}
	}
	return NULL;
}

/* The first one is the Recipe, and the rest stands behind it. */
static struct err *read_recipes(const struct strings *paths, struct build_opts *opts)
{
	for (size_t i = 0; i < paths->len; i++) {
		if (i == 0)
			opts->recipe = paths->at[i];
		else if (strcmp(paths->at[i], "-") == 0 || strstr(paths->at[i], "://"))
			return err_new(
				ERR_USAGE,
				"option --file: standard input and URLs can only be the first");
		else
			strings_push(&opts->more_recipes, paths->at[i]);
	}
	return NULL;
}

/* What does not exist here, with what there is instead. */
static struct err *refuse_unknown(const struct build_values *values)
{
	if (values->all_platforms)
		return err_new(ERR_USAGE, "option --all-platforms: say which, with --platform");
	if (values->cpp_flag)
		return err_new(ERR_USAGE,
			       "option --cpp-flag: no preprocessor is run; under # syntax=cairn/1 "
			       "INCLUDE brings in the lines of another file");
	vec_foreach (&values->recipes, path)
		if (str_ends(str_of(*path), ".in"))
			return err_new(ERR_USAGE,
				       "option --file: '%.200s' is for a preprocessor, and none "
				       "is run; -f - reads the output of one",
				       *path);
	if (values->os_version || values->os_feature)
		return err_new(ERR_USAGE, "option --os-%s: nothing is known of it here",
			       values->os_version ? "version" : "feature");
	if (values->from && (!values->from[0] || strpbrk(values->from, "$ \t")))
		return err_new(ERR_USAGE, "option --from: '%.200s' is no image", values->from);
	return NULL;
}

/* Buildah's -t takes a transport, too. Names that begin so are refused, and not made. */
static struct err *refuse_transport(const char *text)
{
	static const struct {
		const char *prefix, *output;
	} transports[] = {
		{ "oci-archive:", "-o type=oci,dest=FILE" },
		{ "docker-archive:", "-o type=docker,dest=FILE" },
		{ "oci:", "-o type=oci,tar=false,dest=DIRECTORY" },
		{ "dir:", "cairn copy NAME dir:DIRECTORY" },
		{ "docker://", "--push and a name without docker://" },
		{ "containers-storage:", "a name alone" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (str_starts(str_of(text), transports[i].prefix) &&
		    (strlen(transports[i].prefix) > 5 || strpbrk(text, "/.")))
			return err_new(ERR_USAGE, "option --tag: '%.200s' is no name; say %s", text,
				       transports[i].output);
	return NULL;
}

static struct err *read_tags(const struct strings *list, struct strings *ret)
{
	vec_foreach (list, text) {
		AUTO(mem) char *name = NULL;

		TRY(refuse_transport(*text));
		TRY(option_refuse(reference_normalize(*text, &name), "--tag"));
		strings_push(ret, name);
	}
	return NULL;
}

static struct err *read_context(const struct strings *operands, const char **ret)
{
	const char *context = operands->len > 0 ? operands->at[0] : ".";
	AUTO(context_spec) struct context_spec spec = { 0 };
	AUTO(mem) char *shown = url_redacted(context);
	AUTO(err) struct err *err = context_spec_parse(context, false, &spec);

	*ret = context;
	return err ? err_new(ERR_USAGE, "context '%.200s': %s", shown, err_text(err)) : NULL;
}

/* The client for base images and pushes. */
static struct err *read_registries(const struct build_values *values, struct request *request)
{
	const char *first = targets_first_name(&request->targets);

	request->opts.pull = (enum pull_policy)values->pull;
	vec_foreach (&request->targets, target)
		if (request->opts.push && target->tags.len == 0)
			return err_new(ERR_USAGE, "option --push: say where to, with -t NAME");
	if (values->registries.creds && !first)
		return err_new(ERR_USAGE, "option --creds: they are for the registry of the first "
					  "-t NAME, and there is none");
	if (first)
		TRY(reference_parse(first, &request->first_tag));
	TRY(network_open(&values->registries, request->first_tag.domain, &request->client));
	request->opts.client = request->client;
	return NULL;
}

/* Images have nothing of the user's file mode mask: work under the usual one, and keep the user's
 * for what is made outside the store. */
static mode_t set_umask_aside(void)
{
	return umask(022);
}

/* How much of a step's output is kept: as BuildKit has it, -1 is all of it. */
static struct err *read_log_limit(uint64_t *ret)
{
	const char *text = getenv("BUILDKIT_STEP_LOG_MAX_SIZE");
	struct err *err;

	if (!text || !text[0])
		return NULL;
	*ret = CLIP_UNLIMITED;
	if (strcmp(text, "-1") == 0)
		return NULL;
	err = num_parse(str_of(text), 1, INT64_MAX, ret);
	return err ? err_wrap(option_refuse(err, NULL), "BUILDKIT_STEP_LOG_MAX_SIZE") : NULL;
}

static struct err *read_request(struct build_values *values, const struct strings *operands,
				struct request *ret)
{
	struct build_opts *opts = &ret->opts;

	TRY(refuse_unknown(values));
	TRY(read_context(operands, &opts->context));
	TRY(read_log_limit(&opts->log_limit));
	TRY(build_args_read(&values->build_args, ret->args));
	TRY(read_contexts(&values->contexts, ret));
	TRY(read_secrets(&values->secrets, ret));
	TRY(read_ssh(&values->ssh, ret));
	TRY(read_run_options(values, ret));
	TRY(read_volumes(values, ret));
	TRY(read_allowed(&values->allowed, ret));
	TRY(read_tags(&values->tags, &ret->names));
	TRY(build_outputs_read(&values->output, &ret->outputs, &ret->names, opts));
	TRY(targets_read(&values->targets, &ret->names, &ret->targets));
	TRY(build_caches_read(&values->caches, &ret->caches, opts));
	TRY(read_registries(values, ret));
	TRY(build_platform_read(&values->platform, ret->args, &ret->platforms, opts));
	TRY(build_policy_read(values->policy_file, &ret->policy));
	opts->policy = ret->policy;
	TRY(build_attest_read(&values->attest, &ret->attest, opts));
	TRY(build_image_read(&values->image, &ret->outputs.wishes, ret->args, &ret->changes, opts));
	build_image_split(&values->no_cache_stages, &opts->no_cache_stages);
	TRY(read_recipes(&values->recipes, opts));
	opts->from = values->from;
	opts->want_image = opts->want_image || values->manifest;
	opts->ignore_file = values->ignore_file;
	opts->targets = ret->targets.at;
	opts->target_count = ret->targets.len;
	opts->args = ret->args;
	opts->contexts = ret->contexts.at;
	opts->context_count = ret->contexts.len;
	opts->context_mode = (enum context_mode)values->context_mode;
	opts->no_cache = values->no_cache;
	if (values->locked && values->update_lock)
		return err_new(ERR_USAGE, "options --locked and --update-lock do not go together");
	opts->lock_wish = values->locked      ? LOCK_REQUIRE :
			  values->update_lock ? LOCK_UPDATE :
						LOCK_USE;
	opts->userns = (enum step_userns)values->userns;
	opts->jobs = (unsigned)values->jobs;
	opts->user_umask = set_umask_aside();
	return NULL;
}

/* --check is --call=check. */
static struct err *read_call(const struct build_values *values, struct call_spec *ret)
{
	*ret = (struct call_spec){ .call = values->check ? CALL_CHECK : CALL_BUILD };
	if (!values->call)
		return NULL;
	TRY(option_refuse(call_parse(values->call, ret), "--call"));
	if (values->check && ret->call != CALL_CHECK)
		return err_new(ERR_USAGE, "options --check and --call %.80s do not go together",
			       values->call);
	return NULL;
}

/* Answer a question about the Recipe instead of building it. Of a context that comes through standard
 * input, only a Recipe can be asked about. */
static struct err *ask(struct cli *cli, const struct call_spec *call, const struct build_opts *opts)
{
	const bool through_stdin = strcmp(opts->context, "-") == 0;

	if (opts->more_recipes.len > 0)
		return err_new(ERR_USAGE, "option --call: it answers about one --file");
	if (opts->target_count > 1 && call->call == CALL_OUTLINE)
		return err_new(ERR_USAGE, "option --call: an outline is that of one --target");
	if (strstr(opts->context, "://")) {
		AUTO(mem) char *shown = url_redacted(opts->context);

		return err_new(ERR_UNSUPPORTED,
			       "context '%.200s': nothing is fetched to answer --call", shown);
	}
	return call_run(cli, call,
			&(struct check_opts){
				.recipe = opts->recipe || !through_stdin ? opts->recipe : "-",
				.context = through_stdin ? NULL : opts->context,
				.target = opts->target_count == 1 ? opts->targets[0].stage : NULL,
				.args = opts->args,
				.platform = opts->platform,
				.contexts = opts->contexts,
				.context_count = opts->context_count });
}

/* Without an option what the environment says, if it is one of ours. */
static enum ui_mode find_progress(const struct build_values *values)
{
	const char *usual = getenv("BUILDKIT_PROGRESS");

	if (values->quiet)
		return UI_QUIET;
	if (values->progress != UI_AUTO || !usual)
		return (enum ui_mode)values->progress;
	for (int i = 0; ui_mode_names[i]; i++)
		if (strcmp(usual, ui_mode_names[i]) == 0)
			return (enum ui_mode)i;
	return UI_AUTO;
}

/* What cannot be given back is a remark: the image is built. */
static void keep_limit(struct store *store)
{
	struct prune_report report = { 0 };
	AUTO(err) struct err *err = NULL;
	char before[TEXT_SIZE_MAX], after[TEXT_SIZE_MAX];
	bool pruned;

	err = prune_keep_limit(store, &pruned, &report);
	if (err)
		log_warn("the limit of the store: %s", err_text(err));
	else if (pruned)
		log_info("the store was above its limit: pruned from %s to %s",
			 text_size(report.before, before), text_size(report.after, after));
}

/* Print documents in place of a build. */
static struct err *describe(const struct build_values *values, struct store *store,
			    struct build_opts *opts)
{
	AUTO(build_result) struct build_result result = { 0 };
	AUTO(json) json_t *documents = json_array();
	struct err *err;

	opts->documents = documents;
	vec_foreach (&values->described, text)
		if ((*text)[0])
			strings_push(&opts->described, *text);
	err = build_run(store, opts, &result);
	strings_release(&opts->described);
	TRY(err);
	for (size_t i = 0; i < json_array_size(documents); i++)
		output_json(json_array_get(documents, i));
	return NULL;
}

/* Build, and write the reports, with the user's file mode mask. What failed first is what is reported. */
static struct err *build_and_report(const struct build_values *values, struct store *store,
				    struct build_opts *opts, const struct build_events *shown,
				    struct build_result *ret)
{
	AUTO(report) struct report *report = values->reports.len > 0 ? report_new(opts) : NULL;
	const struct build_events *pair[] = { shown, report ? report_events(report) : NULL };
	const struct build_events both = events_tee(pair);
	struct err *err, *late;

	opts->events = report ? &both : shown;
	err = build_run(store, opts, ret);
	opts->events = shown;
	umask(opts->user_umask);
	if (!report)
		return err;
	late = build_report_write(&values->reports, report, store, ret);
	if (!err || !late)
		return err ? err : late;
	log_warn("%s", err_text(late));
	err_free(late);
	return err;
}

static struct err *run_build(struct cli *cli, void *arg, struct strings *operands)
{
	struct build_values *values = arg;
	AUTO(request)
	struct request request = { .args = build_args_new(),
				   .secrets = secrets_new(),
				   .ssh = ssh_sources_new() };
	AUTO(build_result) struct build_result result = { 0 };
	AUTO(store) struct store *store = NULL;
	AUTO(build_manifest) struct build_manifest manifest = { NULL, NULL };
	AUTO(ui) struct ui *ui = NULL;
	struct call_spec call;
	struct err *err;

	TRY(read_call(values, &call));
	if (call.call == CALL_BUILD)
		TRY(cli_be_root());
	TRY(read_request(values, operands, &request));
	if (call.call != CALL_BUILD)
		return ask(cli, &call, &request.opts);
	TRY(build_outputs_check(&values->output));
	TRY(build_attest_check(&values->attest));
	TRY(build_report_check(&values->reports));
	TRY(cli_open_store(cli, &store));
	if (values->described.len > 0)
		return describe(values, store, &request.opts);
	if (values->verify)
		TRY(build_verify_prepare(&request.opts));
	if (values->manifest)
		TRY(build_manifest_open(store, values->manifest, &manifest));
	ui = ui_new(find_progress(values));
	cli_tell_ids();
	err = build_and_report(values, store, &request.opts, ui_events(ui), &result);
	ui_free(STEAL(ui)); /* before anything else is printed */
	if (!err && values->verify) {
		set_umask_aside();
		err = build_verify(store, &request.opts, &result);
		umask(request.opts.user_umask);
	}
	TRY(err);
	if (manifest.index)
		TRY(build_manifest_add(store, &manifest, &result));
	keep_limit(store);
	return build_outputs_tell(&values->output, &request.opts, &result);
}

const struct cli_command command_build = {
	.name = "build",
	.summary = "build an image from a Recipe",
	.operands = "[CONTEXT]",
	.about = "Build an image from a Recipe and the files of CONTEXT, a directory (default: the "
		 "current one), a tar on standard input ('-') or a URL. Print the image id.",
	.examples = "build -t app .\n"
		    "build -f Recipe.test --target test --progress plain .\n"
		    "SOURCE_DATE_EPOCH=0 build -t app -o type=oci,dest=app.tar .\n"
		    "build --pull --push -t registry.example.com/team/app:1.2 .",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct build_values),
	.max_operands = 1,
	.completes = COMPLETE_FILES,
	.run = run_build,
};

static struct err *run_lock(struct cli *cli, void *arg, struct strings *operands)
{
	struct build_values *values = arg;
	AUTO(request)
	struct request request = { .args = build_args_new(),
				   .secrets = secrets_new(),
				   .ssh = ssh_sources_new() };
	AUTO(build_result) struct build_result result = { 0 };
	AUTO(store) struct store *store = NULL;
	AUTO(ui) struct ui *ui = NULL;

	TRY(cli_be_root());
	TRY(read_request(values, operands, &request));
	request.opts.lock_wish = LOCK_ONLY;
	TRY(cli_open_store(cli, &store));
	ui = ui_new(find_progress(values));
	request.opts.events = ui_events(ui);
	return build_run(store, &request.opts, &result);
}

const struct cli_command command_lock = {
	.name = "lock",
	.summary = "write down what the sources of a Recipe are now",
	.operands = "[CONTEXT]",
	.about = "Resolve the images, files of the web and repositories that a Recipe names, and "
		 "write what they are to Recipe.lock beside it. Builds use what is there.",
	.examples = "cairn lock\n"
		    "cairn lock -f Recipe.test --platform linux/amd64,linux/arm64 .\n"
		    "cairn build --locked -t app .",
	.options = lock_options,
	.option_count = ARRAY_SIZE(lock_options),
	.values_size = sizeof(struct build_values),
	.max_operands = 1,
	.completes = COMPLETE_FILES,
	.run = run_lock,
};
