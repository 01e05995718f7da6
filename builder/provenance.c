/* builder/provenance.c - see builder/provenance.h. */

#include "builder/provenance.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "builder/attest.h"
#include "builder/attest_spec.h"
#include "builder/build.h"
#include "builder/context.h"
#include "builder/dependency.h"
#include "builder/provenance-private.h"
#include "builder/purl.h"
#include "builder/scope.h"
#include "builder/web_source.h"

/* What the structure of the rest is: BuildKit's, whose documents define it. */
#define BUILD_TYPE_V1 \
	"https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"
#define BUILD_TYPE_V02 "https://mobyproject.org/buildkit@v1"
#define EXTENSION_V02 "https://mobyproject.org/buildkit@v1#"

/* ---- what it was made from ---- */

static json_t *digest_set(const struct dependency *dependency)
{
	json_t *set = json_object();

	json_set_text(set, dependency->algorithm, dependency->hex);
	return set;
}

/* An image out of a layout has no name that means anything elsewhere. */
static void add_image(struct dependencies *list, const struct plan_image *image)
{
	const bool unnamed = strncmp(image->name, "oci-layout:", strlen("oci-layout:")) == 0;
	AUTO(mem) char *platform = platform_format(&image->image->platform);
	AUTO(mem) char *purl = unnamed ? NULL : purl_of_image(image->name, &image->image->platform);
	char digest[DIGEST_TEXT_SIZE];

	if (!purl) {
		struct buf text = BUF_INIT((size_t)1024);

		buf_adds(&text, "pkg:oci/image@");
		purl_encode(&text, str_of(digest_format(&image->target.digest, digest)), false);
		buf_adds(&text, "?platform=");
		purl_encode(&text, str_of(platform), false);
		purl = buf_steal(&text);
	}
	dependencies_add(list, purl, &image->target.digest);
}

static void add_sources(struct dependencies *list, const struct plan_step *step)
{
	vec_foreach (&step->copy.adds, add) {
		if (add->kind == ADD_WEB)
			dependencies_add_web(list, add->url, &add->digest);
		if (add->kind == ADD_GIT)
			dependencies_add_git(list, &add->git, add->commit);
	}
}

static void find_dependencies(const struct plan *plan, struct dependencies *ret)
{
	vec_foreach (&plan->images, image)
		add_image(ret, *image);
	vec_foreach (&plan->steps, step)
		add_sources(ret, *step);
	vec_foreach (&plan->contexts, context)
		dependencies_copy(ret, &(*context)->dependencies);
	if (plan->opts->fetched)
		dependencies_copy(ret, &plan->opts->fetched->dependencies);
	dependencies_sort(ret);
}

static json_t *format_dependencies(const struct plan *plan)
{
	AUTO(dependencies) struct dependencies list = { 0 };
	json_t *array = json_array();

	find_dependencies(plan, &list);
	vec_foreach (&list, dependency) {
		json_t *object = json_object();

		json_set_text(object, "uri", dependency->uri);
		json_set(object, "digest", digest_set(dependency));
		json_push(array, object);
	}
	return array;
}

/* ---- how it was asked for ---- */

char *provenance_recipe_name(const struct plan *plan)
{
	const char *name = script_name(plan->recipe->script);
	const char *slash = strrchr(name, '/');

	if (web_source_is_url(name))
		return web_source_name(name);
	if (name[0] == '(' || strcmp(name, "-") == 0) /* standard input */
		return NULL;
	return xstrdup(slash ? slash + 1 : name);
}

/* Where the Recipe came from: a context that was fetched, and its name there. `path_key` is what the
 * version calls it. */
static json_t *config_source(const struct plan *plan, const char *path_key)
{
	const struct context *fetched = plan->opts->fetched;
	AUTO(mem) char *name = provenance_recipe_name(plan);
	json_t *source = json_object();

	if (fetched && fetched->dependencies.len > 0) {
		const struct dependency *first = &fetched->dependencies.at[0];

		json_set_text(source, "uri", first->uri);
		json_set(source, "digest", digest_set(first));
	}
	if (name)
		json_set_text(source, path_key, name);
	return source;
}

static void add_pairs(json_t *args, const char *prefix, const struct strings *pairs)
{
	vec_foreach (pairs, pair) {
		struct str value = str_of(*pair);
		struct str name = str_cut(&value, '=');
		AUTO(mem) char *key = xasprintf("%s%.*s", prefix, STR_ARG(name));

		json_set_text(args, key, value.at ? value.at : "");
	}
}

/* Of values only what cannot be a secret, unless all of them are wanted. */
static json_t *request_args(const struct plan *plan, const struct plan_target *target, bool max)
{
	json_t *args = json_object();
	AUTO(strings) struct strings pairs = { 0 };

	if (target->asked->stage)
		json_set_text(args, "target", target->stage->name);
	if (plan->opts->no_cache)
		json_set_text(args, "no-cache", "");
	if (plan->opts->context_mode != CONTEXT_MODE_EXACT)
		json_set_text(args, "context-mode", context_mode_names[plan->opts->context_mode]);
	if (!max)
		return args;
	build_args_pairs(plan->opts->args, &pairs);
	add_pairs(args, "build-arg:", &pairs);
	add_pairs(args, "label:", &plan->opts->labels);
	return args;
}

static bool has_local_context(const struct plan *plan)
{
	return !plan->opts->fetched || !plan->opts->fetched->remote;
}

static json_t *local_sources(const struct plan *plan)
{
	json_t *locals = json_array();

	if (has_local_context(plan)) {
		static const char *const names[] = { "context", "dockerfile" };

		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			json_t *local = json_object();

			json_set_text(local, "name", names[i]);
			json_push(locals, local);
		}
	}
	vec_foreach (&plan->contexts, context) {
		if ((*context)->name && (*context)->local) {
			json_t *local = json_object();

			json_set_text(local, "name", (*context)->name);
			json_push(locals, local);
		}
	}
	return locals;
}

static bool has_id(const json_t *list, const char *id)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_object_get(json_array_get(list, i), "id")), id) ==
		    0)
			return true;
	return false;
}

/* The ids of mounts of one kind, each once; what is behind them is nobody's business. */
static json_t *mount_ids(const struct plan *plan, enum mount_type type)
{
	json_t *list = json_array();

	vec_foreach (&plan->steps, step) {
		vec_foreach (&(*step)->mounts, mount) {
			json_t *entry;

			if (mount->flag.type != type || !mount->id || has_id(list, mount->id))
				continue;
			entry = json_object();
			json_set_text(entry, "id", mount->id);
			if (!mount->flag.required)
				json_set(entry, "optional", json_true());
			json_push(list, entry);
		}
	}
	return list;
}

static json_t *format_request(const struct plan *plan, const struct plan_target *target, bool max)
{
	json_t *request = json_object();

	json_set_text(request, "frontend", "dockerfile.v0");
	json_set(request, "args", request_args(plan, target, max));
	if (max) {
		json_set(request, "secrets", mount_ids(plan, MOUNT_SECRET));
		json_set(request, "ssh", mount_ids(plan, MOUNT_SSH));
	}
	json_set(request, "locals", local_sources(plan));
	return request;
}

/* ---- how it went ---- */

static bool is_hermetic(const struct plan *plan)
{
	vec_foreach (&plan->steps, step)
		if ((*step)->kind == STEP_RUN && (*step)->network != SANDBOX_NETWORK_NONE)
			return false;
	return true;
}

static bool knows_all_sources(const struct plan *plan)
{
	vec_foreach (&plan->contexts, context)
		if ((*context)->name && (*context)->local)
			return false;
	return !has_local_context(plan) && is_hermetic(plan);
}

/* What the metadata of the two versions is called. */
struct metadata_names {
	const char *invocation, *started, *finished;
	const char *completeness, *request, *sources;
	const char *reproducible, *hermetic, *extra;
};

static json_t *format_metadata(const struct attest_site *site, const struct metadata_names *names,
			       json_t *extra)
{
	const struct plan *plan = site->plan;
	const bool max = plan->opts->attest->provenance == PROVENANCE_MAX;
	json_t *metadata = json_object(), *complete = json_object();
	char time[CLOCK_TEXT_SIZE];

	if (!plan->has_epoch) {
		if (site->invocation)
			json_set_text(metadata, names->invocation, site->invocation);
		json_set_text(metadata, names->started, clock_format(site->began, time));
		json_set_text(metadata, names->finished, clock_format(clock_now(), time));
	}
	json_set(complete, names->request, json_boolean(max));
	if (strcmp(names->request, "parameters") == 0)
		json_set(complete, "environment", json_true());
	json_set(complete, names->sources, json_boolean(knows_all_sources(plan)));
	json_set(metadata, names->completeness, complete);
	json_set(metadata, names->reproducible, json_boolean(plan->opts->attest->reproducible));
	if (is_hermetic(plan))
		json_set(metadata, names->hermetic, json_true());
	json_set(metadata, names->extra, extra);
	return metadata;
}

/* ---- the two versions ---- */

static json_t *format_builder(const struct attest_opts *opts)
{
	json_t *builder = json_object();

	json_set_text(builder, "id", opts->builder_id ? opts->builder_id : "");
	return builder;
}

static char *host_platform(void)
{
	struct platform host;

	platform_host(&host);
	return platform_format(&host);
}

/* Takes ownership of `steps` (NULL: they are not told) and `extra`. */
static json_t *make_v1(const struct attest_site *site, const struct plan_target *target,
		       json_t *steps, json_t *extra)
{
	static const struct metadata_names names = {
		"invocationId",          "startedOn",         "finishedOn",
		"buildkit_completeness", "request",           "resolvedDependencies",
		"buildkit_reproducible", "buildkit_hermetic", "buildkit_metadata",
	};
	json_t *predicate = json_object(), *definition = json_object(), *details = json_object();
	json_t *external = json_object(), *internal = json_object();
	AUTO(mem) char *platform = host_platform();

	json_set_text(definition, "buildType", BUILD_TYPE_V1);
	json_set(external, "configSource", config_source(site->plan, "path"));
	json_set(external, "request", format_request(site->plan, target, steps));
	json_set(definition, "externalParameters", external);
	json_set_text(internal, "builderPlatform", platform);
	if (steps)
		json_set(internal, "buildConfig", steps);
	json_set(definition, "internalParameters", internal);
	json_set(definition, "resolvedDependencies", format_dependencies(site->plan));
	json_set(predicate, "buildDefinition", definition);
	json_set(details, "builder", format_builder(site->plan->opts->attest));
	json_set(details, "metadata", format_metadata(site, &names, extra));
	json_set(predicate, "runDetails", details);
	return predicate;
}

/* The same. */
static json_t *make_v02(const struct attest_site *site, const struct plan_target *target,
			json_t *steps, json_t *extra)
{
	static const struct metadata_names names = {
		"buildInvocationID",
		"buildStartedOn",
		"buildFinishedOn",
		"completeness",
		"parameters",
		"materials",
		"reproducible",
		EXTENSION_V02 "hermetic",
		EXTENSION_V02 "metadata",
	};
	json_t *predicate = json_object(), *invocation = json_object(),
	       *environment = json_object();
	AUTO(mem) char *platform = host_platform();

	json_set(predicate, "builder", format_builder(site->plan->opts->attest));
	json_set_text(predicate, "buildType", BUILD_TYPE_V02);
	json_set(predicate, "materials", format_dependencies(site->plan));
	json_set(invocation, "configSource", config_source(site->plan, "entryPoint"));
	json_set(invocation, "parameters", format_request(site->plan, target, steps));
	json_set_text(environment, "platform", platform);
	json_set(invocation, "environment", environment);
	json_set(predicate, "invocation", invocation);
	if (steps)
		json_set(predicate, "buildConfig", steps);
	json_set(predicate, "metadata", format_metadata(site, &names, extra));
	return predicate;
}

json_t *provenance_make(const struct attest_site *site, const struct plan_target *target)
{
	const struct attest_opts *opts = site->plan->opts->attest;
	json_t *extra = json_object(), *steps = NULL;

	if (opts->provenance == PROVENANCE_MAX)
		steps = provenance_steps(site->plan, extra);
	return opts->slsa_02 ? make_v02(site, target, steps, extra) :
			       make_v1(site, target, steps, extra);
}
