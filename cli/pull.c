/* cli/pull.c - images out of registries. */

#include "registry/pull.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "builder/fetch.h"
#include "cli/commands-private.h"
#include "cli/network.h"
#include "cli/output.h"
#include "cli/transfer.h"
#include "registry/client.h"
#include "registry/registries.h"
#include "store/image.h"
#include "store/store.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = { "text", "json", NULL };
static const char *const policies[] = { "always", "missing", "never", "newer", NULL };
static const enum pull_policy policy_of[] = { PULL_ALWAYS, PULL_MISSING, PULL_NEVER, PULL_NEWER };

struct pull_values {
	struct network_values network;
	struct transfer_values transfer;
	const char *platform;
	bool all_platforms;
	int policy, format;
};

static const struct option options[] = {
	OPTION_FLAG(struct pull_values, all_platforms, 0, "all-platforms",
		    "of an index everything, not only one image"),
	OPTION_WORD(struct pull_values, format, 0, "format", formats, "how to show what came"),
	OPTION_TEXT(struct pull_values, platform, 0, "platform", "OS/ARCH",
		    "which image of an index (default: the one for this machine)"),
	OPTION_WORD(struct pull_values, policy, 0, "policy", policies,
		    "when to ask the registry for an image that is here"),
	OPTION_WORD(struct pull_values, policy, 0, "pull", policies, NULL),
	TRANSFER_OPTIONS(struct pull_values, transfer),
	NETWORK_OPTIONS(struct pull_values, network),
};

/* One run of the command. */
struct job {
	const struct pull_values *values;
	struct store *store;
	struct pull_opts opts;
	struct transfer_ui *transfer;
	struct client *client; /* owned; NULL until something is asked for */
	struct reference ref;  /* of what the client was made for */
	json_t *array;         /* owned; what came */
};

static void job_auto_(struct job *job)
{
	client_free(job->client);
	json_decref(job->array);
}

/* ---- the result ---- */

/* The registry had one image, and it is for something else than was wanted: it is here, but may not
 * run. */
static struct err *warn_of_platform(struct job *job, const char *name,
				    const struct descriptor *target)
{
	struct platform want;
	AUTO(image) struct image *image = NULL;
	AUTO(mem) char *wanted = NULL, *had = NULL;

	if (job->opts.platform)
		want = *job->opts.platform;
	else
		platform_host(&want);
	TRY(image_open(job->store, target, &want, &image));
	if (!digest_equal(&image->manifest.digest, &target->digest) || !image->platform.arch[0] ||
	    platform_match(&want, &image->platform) > 0)
		return NULL;
	wanted = platform_format(&want);
	had = platform_format(&image->platform);
	log_warn("%s is an image for %s, not for %s", name, had, wanted);
	return NULL;
}

static void note(struct job *job, const char *name, const struct pull_result *result)
{
	char digest[DIGEST_TEXT_SIZE];
	json_t *object;

	digest_format(&result->target.digest, digest);
	object = json_object();
	json_set_text(object, "name", name);
	json_set_text(object, "digest", digest);
	json_set(object, "fetched", json_boolean(result->fetched));
	json_set(object, "bytes", json_integer((json_int_t)result->bytes));
	json_push(job->array, object);
}

/* Of those that came before an error, too. */
static void print(const struct job *job)
{
	json_t *object;
	size_t i;

	if (job->values->format == FORMAT_JSON) {
		output_json(job->array);
		return;
	}
	json_array_foreach(job->array, i, object)
		output_text(json_string_value(json_object_get(object, "digest")));
}

/* ---- names ---- */

/* Which of several registries is meant? Only a person can know. */
static struct err *ask_which(const char *text, const struct strings *names, size_t *ret)
{
	char line[32];
	uint64_t number;

	fprintf(stderr, "which '%s'?\n", text);
	for (size_t i = 0; i < names->len; i++)
		fprintf(stderr, "  %zu  %s\n", i + 1, names->at[i]);
	fprintf(stderr, "number: ");
	if (!fgets(line, sizeof(line), stdin))
		return err_new(ERR_CANCELLED, "nothing was chosen");
	TRY(option_refuse(num_parse(str_trim(str_of(line)), 1, names->len, &number), NULL));
	*ret = (size_t)number - 1;
	return NULL;
}

/* One client for all, unless it knows a secret that is for one registry alone. */
static struct err *find_client(struct job *job, const struct reference *ref)
{
	if (job->client &&
	    (!job->values->network.creds || strcmp(job->ref.domain, ref->domain) == 0))
		return NULL;
	client_free(STEAL(job->client));
	job->ref = *ref;
	return network_open(&job->values->network, job->ref.domain, &job->client);
}

static struct err *pull_named(void *self, const char *name)
{
	struct job *job = self;
	struct pull_result result;
	struct reference ref;

	TRY(reference_parse(name, &ref));
	/* Always: whoever may write the configuration decides what a short name means. */
	transfer_ui_tell(job->transfer, name);
	TRY(find_client(job, &ref));
	TRY(network_named(pull_image(job->store, job->client, &ref, &job->opts, &result), name));
	if (!job->opts.all_platforms)
		TRY(warn_of_platform(job, name, &result.target));
	note(job, name, &result);
	return NULL;
}

/* A short name may be looked for in several registries, in their order. */
static struct err *pull_one(struct job *job, const char *text)
{
	AUTO(meanings) struct meanings meanings = { 0 };
	AUTO(registries) struct registries *registries = NULL;
	const bool terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	size_t first = 0;

	TRY(network_refuse_transport(text));
	TRY(registries_open(NULL, &registries));
	TRY(option_refuse(
		registries_meanings(registries, network_skip_scheme(text), terminal, &meanings),
		NULL));
	if (meanings.choose) {
		TRY(ask_which(text, &meanings.names, &first));
		return pull_named(job, meanings.names.at[first]);
	}
	return meanings_try(&meanings, pull_named, job);
}

static struct err *pull_all(struct job *job, const struct strings *operands)
{
	AUTO(transfer_ui) struct transfer_ui *transfer = transfer_ui_new(&job->values->transfer);

	job->transfer = transfer;
	job->opts.progress = transfer_ui_progress(transfer);
	vec_foreach (operands, text)
		TRY(pull_one(job, *text));
	return NULL;
}

static struct err *run_pull(struct cli *cli, void *arg, struct strings *operands)
{
	const struct pull_values *values = arg;
	AUTO(store) struct store *store = NULL;
	AUTO(job) struct job job = { .values = values, .array = json_array() };
	struct platform platform;
	struct taker taker;
	struct err *err;

	if (values->platform) {
		TRY(option_refuse(platform_parse(values->platform, &platform), "--platform"));
		job.opts.platform = &platform;
	}
	if (values->platform && values->all_platforms)
		return err_new(ERR_USAGE, "either --platform or --all-platforms");
	/* What is for other machines is kept packed. */
	if (!values->all_platforms)
		job.opts.taker = &taker;
	job.opts.policy = policy_of[values->policy];
	job.opts.all_platforms = values->all_platforms;
	TRY(cli_be_root());
	TRY(cli_open_store(cli, &store));
	taker = fetch_taker(store);
	job.store = store;
	err = pull_all(&job, operands);
	print(&job);
	return err;
}

const struct cli_command command_pull = {
	.name = "pull",
	.summary = "fetch images from registries into the store",
	.operands = "NAME...",
	.about = "Fetch what is missing of images, verify all of it, and name them as they are "
		 "called there. Which registry a short name means is told on standard error, the "
		 "digest on standard output. What was broken off goes on where it was.",
	.examples = "cairn pull debian:trixie-slim\n"
		    "cairn pull --platform linux/arm64 registry.example.com/app:1.2",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct pull_values),
	.min_operands = 1,
	.max_operands = OPERANDS_ANY,
	.completes = COMPLETE_IMAGES,
	.run = run_pull,
};
