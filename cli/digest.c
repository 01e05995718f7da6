/* cli/digest.c - what a name leads to: digest and tags. */

#include <stdio.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/commands-private.h"
#include "cli/image.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "registry/archive.h"
#include "registry/documents.h"
#include "registry/location.h"
#include "registry/repository.h"
#include "store/store.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = { "text", "json", NULL };

struct digest_values {
	struct network_values network;
	const char *platform;
	int format;
};

static const struct option digest_options[] = {
	OPTION_WORD(struct digest_values, format, 0, "format", formats, "how to show it"),
	OPTION_TEXT(struct digest_values, platform, 0, "platform", "OS/ARCH",
		    "of an index the image for this, not the index"),
	NETWORK_OPTIONS(struct digest_values, network),
};

/* ---- digest ---- */

/* The store is opened, and made, only by what needs it: to ask a registry takes none. */
struct digest_job {
	struct cli *cli;
	const struct digest_values *values;
	struct store *store; /* owned; NULL until it is needed */
};

static void digest_job_auto_(struct digest_job *job)
{
	store_close(job->store);
}

static struct err *need_store(struct digest_job *job)
{
	return job->store ? NULL : cli_open_store(job->cli, &job->store);
}

static struct err *ask_registry(struct digest_job *job, const char *text,
				const struct platform *platform, struct descriptor *ret)
{
	AUTO(remote) struct remote remote = { .client = NULL };

	TRY(remote_open(&job->values->network, text, &remote));
	TRY(origin_resolve(remote.origin, ret));
	if (!platform)
		return NULL;
	TRY(need_store(job));
	return remote_choose(&remote, job->store, platform, ret);
}

static struct err *look_in_layout(struct digest_job *job, const struct location *at,
				  struct descriptor *ret)
{
	AUTO(loaded_list) struct loaded_list list = { 0 };

	TRY(need_store(job));
	TRY(archive_list(job->store, at->path, &list));
	return archive_choose(at->path, at->name, &list, ret);
}

static struct err *look_in_store(struct digest_job *job, const char *text,
				 const struct platform *platform, struct descriptor *ret)
{
	AUTO(documents) struct documents documents = { 0 };
	const struct sources nowhere = { 0 };
	struct err *err;

	TRY(need_store(job));
	err = image_find(job->store, text, ret);
	if (err_kind(err) == ERR_NOT_FOUND)
		return err_note(err, "for the image in the registry: docker://%s", text);
	TRY(err);
	if (!platform)
		return NULL;
	TRY(documents_find(job->store, &nowhere, ret, platform, false, &documents));
	documents_warn_of_platform(job->store, &nowhere, &documents, platform);
	*ret = documents.manifests.at[0];
	return NULL;
}

static struct err *find_digest(struct digest_job *job, const char *text, struct descriptor *ret)
{
	const struct digest_values *values = job->values;
	AUTO(location) struct location at = { 0 };
	struct platform want;
	const struct platform *platform = values->platform ? &want : NULL;

	if (platform)
		TRY(option_refuse(platform_parse(values->platform, &want), "--platform"));
	TRY(option_refuse(location_parse(text, &at), NULL));
	switch (at.kind) {
	case LOCATION_REGISTRY:
		return network_named(ask_registry(job, text, platform, ret),
				     network_skip_scheme(text));
	case LOCATION_STORE:
		return network_named(look_in_store(job, text, platform, ret), text);
	case LOCATION_OCI_DIR:
	case LOCATION_OCI_ARCHIVE:
	case LOCATION_DOCKER_ARCHIVE:
		break;
	}
	if (platform)
		return err_new(ERR_UNSUPPORTED, "--platform is for registries and the store");
	return look_in_layout(job, &at, ret);
}

static struct err *run_digest(struct cli *cli, void *arg, struct strings *operands)
{
	const struct digest_values *values = arg;
	AUTO(digest_job) struct digest_job job = { .cli = cli, .values = values };
	AUTO(json) json_t *array = json_array();
	char text[DIGEST_TEXT_SIZE];

	vec_foreach (operands, name) {
		struct descriptor found = { 0 };
		json_t *object;

		TRY(find_digest(&job, *name, &found));
		digest_format(&found.digest, text);
		if (values->format == FORMAT_TEXT) {
			puts(text);
			continue;
		}
		object = json_object();
		json_set_text(object, "name", *name);
		json_set_text(object, "digest", text);
		json_set_text(object, "mediaType", found.media_type);
		json_set(object, "size", json_integer((json_int_t)found.size));
		json_push(array, object);
	}
	if (values->format == FORMAT_JSON)
		output_json(array);
	return NULL;
}

const struct cli_command command_digest = {
	.name = "digest",
	.summary = "print the digest that a name leads to",
	.operands = "IMAGE...",
	.about = "Print the digest of the manifest or index that a name leads to: in a registry "
		 "(docker://NAME), which is asked for no more than that, in the store (NAME), or "
		 "in an OCI layout (oci:DIR[:NAME], oci-archive:FILE[:NAME]).",
	.examples = "cairn digest docker://debian:trixie\n"
		    "cairn digest --platform linux/arm64 docker://debian:trixie",
	.options = digest_options,
	.option_count = ARRAY_SIZE(digest_options),
	.values_size = sizeof(struct digest_values),
	.min_operands = 1,
	.max_operands = OPERANDS_ANY,
	.completes = COMPLETE_IMAGES,
	.run = run_digest,
};

/* ---- tags ---- */

struct tags_values {
	struct network_values network;
	int format;
};

static const struct option tags_options[] = {
	OPTION_WORD(struct tags_values, format, 0, "format", formats, "how to show them"),
	NETWORK_OPTIONS(struct tags_values, network),
};

static struct err *run_tags(struct cli *cli, void *arg, struct strings *operands)
{
	const struct tags_values *values = arg;
	AUTO(remote) struct remote remote = { .client = NULL };
	AUTO(strings) struct strings tags = { 0 };
	AUTO(json) json_t *object = NULL;
	AUTO(mem) char *name = NULL;

	(void)cli;
	TRY(remote_open(&values->network, operands->at[0], &remote));
	if (remote.ref.tag[0] || remote.ref.digest[0])
		return err_new(ERR_USAGE, "'%.200s' is one image: name the repository",
			       operands->at[0]);
	name = reference_repository(&remote.ref);
	TRY(err_wrap(repository_tags(origin_home(remote.origin), &tags), "tags of %s", name));
	if (values->format == FORMAT_TEXT) {
		vec_foreach (&tags, tag)
			output_text(*tag);
		return NULL;
	}
	object = json_object();
	json_set_text(object, "name", name);
	json_set(object, "tags", json_texts(&tags));
	output_json(object);
	return NULL;
}

const struct cli_command command_tags = {
	.name = "tags",
	.summary = "list the tags of a repository in a registry",
	.operands = "REPOSITORY",
	.about = "List all tags that a repository has, in the order in which the registry tells "
		 "them.",
	.examples = "cairn tags debian\n"
		    "cairn tags --format json docker://registry.example.com/team/app",
	.options = tags_options,
	.option_count = ARRAY_SIZE(tags_options),
	.values_size = sizeof(struct tags_values),
	.min_operands = 1,
	.max_operands = 1,
	.completes = COMPLETE_NOTHING,
	.run = run_tags,
};
