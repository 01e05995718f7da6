/* cli/index.c - indexes: one name for the images of several platforms. */

#include "registry/index.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/stream.h"
#include "base/text.h"
#include "cli/commands-private.h"
#include "cli/image.h"
#include "cli/index_view.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/transfer.h"
#include "registry/pull.h"
#include "registry/push.h"
#include "store/ref.h"
#include "store/store.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = { "text", "json", NULL };

struct index_values {
	struct network_values network;
	struct transfer_values transfer;
	struct strings annotations;
	bool push;
	int format;
};

static const struct option options[] = {
	OPTION_LIST(struct index_values, annotations, 0, "annotation", "NAME=VALUE",
		    "annotate the index"),
	OPTION_WORD(struct index_values, format, 0, "format", formats, "how to show it"),
	OPTION_FLAG(struct index_values, push, 0, "push",
		    "NAME is in a registry: nothing is kept here, and no layer fetched"),
	TRANSFER_OPTIONS(struct index_values, transfer),
	NETWORK_OPTIONS(struct index_values, network),
};

/* An index in the making. */
struct job {
	const struct index_values *values;
	struct store *store;
	struct platform host;
	struct progress *progress;
	struct remote *sources; /* owned; the registries that images come from */
	size_t source_count;
	struct descriptor *targets; /* owned; of each operand that is an image */
	json_t *index;              /* owned */
};

static void job_auto_(struct job *job)
{
	for (size_t i = 0; i < job->source_count; i++)
		remote_close(&job->sources[i]);
	free(job->sources);
	free(job->targets);
	json_decref(job->index);
}

/* ---- images ---- */

/* What an image in a registry leads to: all of it comes into the store, or only what the index says
 * about it. */
static struct err *fetch(struct job *job, const char *text, struct descriptor *ret)
{
	struct remote *remote = &job->sources[job->source_count++];
	const struct pull_opts opts = {
		.policy = PULL_ALWAYS,
		.platform = &job->host,
		.all_platforms = true,
		.progress = job->progress,
	};
	struct pull_result result;

	TRY(remote_open(&job->values->network, text, remote));
	if (job->values->push) {
		TRY(origin_resolve(remote->origin, ret));
		return remote_fetch_documents(remote, job->store, ret, &job->host, true);
	}
	TRY(pull_unnamed(job->store, remote->client, &remote->ref, &opts, &result));
	*ret = result.target;
	return NULL;
}

/* One of the store. */
static struct err *find(const struct job *job, const char *text, struct descriptor *ret)
{
	struct err *err = image_find(job->store, text, ret);

	return err_kind(err) != ERR_NOT_FOUND ?
		       err :
		       err_note(err, "for the image in the registry: docker://%s", text);
}

static struct err *get(struct job *job, const char *text, struct descriptor *ret)
{
	return remote_is(text) ? fetch(job, text, ret) : find(job, text, ret);
}

static bool has_digest(const json_t *manifests, const char *digest)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(manifests, i,
			   entry) if (strcmp(json_string_value(json_object_get(entry, "digest")),
					     digest) == 0) return true;
	return false;
}

/* Add images to a new index. That one takes the place of another is what was asked for with `add`;
 * here somebody gave two for one platform, and one of them is lost. */
static struct err *add_to_new(struct job *job, const char *text, const struct descriptor *target)
{
	AUTO(json) json_t *before = json_deep_copy(json_object_get(job->index, "manifests"));
	const json_t *after, *entry;
	size_t i;

	TRY(index_add(job->store, job->index, target));
	after = json_object_get(job->index, "manifests");
	json_array_foreach(before, i, entry)
	{
		const char *digest = json_string_value(json_object_get(entry, "digest"));
		AUTO(mem) char *platform = index_entry_platform(entry);

		if (!has_digest(after, digest))
			log_warn("%s takes the place of %.19s: both are for %s", text, digest,
				 platform);
	}
	return NULL;
}

/* ---- the result ---- */

static struct err *open_at_sources(void *self, const struct descriptor *blob, struct source **ret)
{
	const struct job *job = self;
	char digest[DIGEST_TEXT_SIZE];
	struct err *err = NULL;

	for (size_t i = 0; i < job->source_count; i++) {
		struct blob_origin origin = origin_blobs(job->sources[i].origin);

		err_free(err);
		err = origin.open(origin.self, blob, ret);
		if (!err || err_kind(err) == ERR_CANCELLED)
			return err;
	}
	return err ? err :
		     err_new(ERR_NOT_FOUND, "blob %s is not in the store",
			     digest_format(&blob->digest, digest));
}

static struct err *push(struct job *job, const char *text, const struct descriptor *target)
{
	AUTO(remote) struct remote to = { .client = NULL };
	const struct blob_origin origin = { .open = open_at_sources, .self = job };
	const struct push_opts opts = { .progress = job->progress, .origin = &origin };
	struct push_result result;

	TRY(remote_open(&job->values->network, text, &to));
	TRY(push_image(job->store, to.client, target, &to.ref, &opts, &result));
	if (!digest_equal(&result.digest, &target->digest))
		return err_new(ERR_NOT_FOUND, "not all images of the index could be found");
	return NULL;
}

static struct err *keep(struct job *job, const char *text, const struct descriptor *target)
{
	AUTO(mem) char *name = NULL;

	TRY(option_refuse(reference_normalize(text, &name), NULL));
	return ref_set(job->store, name, target);
}

static struct err *finish(struct job *job, const char *name, struct descriptor *ret)
{
	vec_foreach (&job->values->annotations, text)
		TRY(option_refuse(index_annotate(job->index, *text), "--annotation"));
	TRY(index_put(job->store, job->index, ret));
	return job->values->push ? push(job, name, ret) : keep(job, name, ret);
}

static void print(const struct job *job, const char *name, const struct descriptor *target)
{
	AUTO(json) json_t *object = NULL;
	char digest[DIGEST_TEXT_SIZE];

	if (job->values->format == FORMAT_TEXT) {
		puts(digest_format(&target->digest, digest));
		return;
	}
	object = index_view_describe(name, target, job->index);
	output_json(object);
}

/* ---- create, add, inspect ---- */

/* The index that there is; with --push that of the registry. */
static struct err *read_old(struct job *job, const char *name)
{
	struct descriptor target;

	json_decref(STEAL(job->index));
	if (job->values->push || remote_is(name))
		TRY(fetch(job, name, &target));
	else
		TRY(find(job, name, &target));
	return network_named(index_read(job->store, &target, &job->index), name);
}

/* The index as it is now, and the images to add. */
static struct err *get_all(struct job *job, const struct strings *operands, bool from_old)
{
	if (from_old)
		TRY(read_old(job, operands->at[1]));
	else
		job->index = index_new();
	for (size_t i = 2; i < operands->len; i++)
		TRY(network_named(get(job, operands->at[i], &job->targets[i]),
				  network_skip_scheme(operands->at[i])));
	return NULL;
}

static struct err *make(struct job *job, const struct strings *operands, bool from_old,
			struct descriptor *ret)
{
	for (size_t i = 2; i < operands->len; i++)
		TRY(network_named(from_old ? index_add(job->store, job->index, &job->targets[i]) :
					     add_to_new(job, operands->at[i], &job->targets[i]),
				  network_skip_scheme(operands->at[i])));
	return finish(job, operands->at[1], ret);
}

/* Get all that may take long, then hold the index of that name and change it. `name`, canonical, is NULL
 * with --push. */
static struct err *change_held(struct job *job, const struct strings *operands, bool from_old,
			       const char *name, struct descriptor *ret)
{
	AUTO(transfer_ui) struct transfer_ui *transfer = transfer_ui_new(&job->values->transfer);
	AUTO(lock) struct lock lock = LOCK_INIT;

	job->progress = transfer_ui_progress(transfer);
	TRY(get_all(job, operands, from_old));
	if (name)
		TRY(index_hold(job->store, name, &lock));
	if (name && from_old)
		TRY(read_old(job, operands->at[1])); /* others may have added to it meanwhile */
	return make(job, operands, from_old, ret);
}

static struct err *change(struct job *job, const struct strings *operands, bool from_old)
{
	AUTO(mem) char *name = NULL;
	struct descriptor target;

	if (remote_is(operands->at[1]) && !job->values->push)
		return err_new(ERR_USAGE, "'%.200s' is in a registry: --push makes it there",
			       operands->at[1]);
	if (!from_old && operands->len < 3)
		return err_new(ERR_USAGE, "an index of which images?");
	if (!job->values->push)
		TRY(option_refuse(reference_normalize(operands->at[1], &name), NULL));
	TRY(change_held(job, operands, from_old, name, &target));
	print(job, operands->at[1], &target);
	return NULL;
}

static struct err *inspect(struct job *job, const char *name)
{
	AUTO(json) json_t *object = NULL;
	struct descriptor target;

	if (remote_is(name)) {
		struct remote *remote = &job->sources[job->source_count++];
		AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX + 1);
		bool fetched;

		TRY(remote_open(&job->values->network, name, remote));
		TRY(origin_resolve(remote->origin, &target));
		TRY(documents_get(job->store, origin_sources(remote->origin), &target, &bytes,
				  &fetched));
	} else {
		TRY(find(job, name, &target));
	}
	TRY(network_named(index_read(job->store, &target, &job->index), name));
	if (job->values->format == FORMAT_TEXT) {
		index_view_print(name, &target, job->index);
		return NULL;
	}
	object = index_view_describe(name, &target, job->index);
	output_json(object);
	return NULL;
}

static struct err *run_index(struct cli *cli, void *arg, struct strings *operands)
{
	static const char *const verbs[] = { "create", "add", "inspect" };
	const struct index_values *values = arg;
	const char *verb = operands->at[0], *near;
	AUTO(store) struct store *store = NULL;
	AUTO(job) struct job job = { .values = values };
	struct err *err;

	TRY(cli_open_store(cli, &store));
	job.store = store;
	job.sources = xcalloc(operands->len, sizeof(*job.sources));
	job.targets = xcalloc(operands->len, sizeof(*job.targets));
	platform_host(&job.host);
	if (strcmp(verb, "create") == 0)
		return change(&job, operands, false);
	if (strcmp(verb, "add") == 0)
		return change(&job, operands, true);
	if (strcmp(verb, "inspect") == 0 && operands->len == 2)
		return inspect(&job, operands->at[1]);
	if (strcmp(verb, "inspect") == 0)
		return err_new(ERR_USAGE, "one index at a time");
	err = err_new(ERR_USAGE, "'%.80s' is none of: create, add, inspect", verb);
	near = text_nearest(str_of(verb), verbs, ARRAY_SIZE(verbs));
	return near ? err_note(err, "did you mean '%s'?", near) : err;
}

const struct cli_command command_index = {
	.name = "index",
	.summary = "make and show images for several platforms",
	.operands = "create|add|inspect NAME [IMAGE...]",
	.about = "Make an index NAME of images (create), add images to it or replace those of the "
		 "same platform (add), or show it (inspect). Images are those of the store, or "
		 "docker://NAME; of one that is an index itself, all are taken. The digest of the "
		 "index is printed.\n"
		 "Without --push the index is kept in the store, with all of its images. With "
		 "--push it is made in a registry, whose layers stay where they are.",
	.examples =
		"cairn index create app:1 app:1-amd64 app:1-arm64\n"
		"cairn index add --push localhost:5000/app:1 docker://localhost:5000/app:1-arm\n"
		"cairn index inspect docker://debian:trixie",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct index_values),
	.min_operands = 2,
	.max_operands = OPERANDS_ANY,
	.completes = COMPLETE_IMAGES,
	.run = run_index,
};
