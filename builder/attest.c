/* builder/attest.c - see builder/attest.h. */

#include "builder/attest.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/output.h"
#include "base/stream.h"
#include "builder/attest_spec.h"
#include "builder/build.h"
#include "builder/execute.h"
#include "builder/package_list.h"
#include "builder/package_scan.h"
#include "builder/provenance.h"
#include "builder/purl.h"
#include "builder/spdx.h"
#include "overlay/stack.h"
#include "store/blob.h"
#include "store/image.h"

#define STATEMENT_V1 "https://in-toto.io/Statement/v1"
#define STATEMENT_V01 "https://in-toto.io/Statement/v0.1"
#define PREDICATE_SPDX "https://spdx.dev/Document"
#define MEDIA_IN_TOTO "application/vnd.in-toto+json"
#define STATEMENT_MAX ((size_t)40 * 1024 * 1024) /* what readers of them take */

/* What is said about one image. */
struct statements {
	json_t *layers;   /* descriptors */
	json_t *diff_ids; /* of the same */
};

static void statements_auto_(struct statements *statements)
{
	json_decref(statements->layers);
	json_decref(statements->diff_ids);
}

/* ---- a statement ---- */

static void add_subject(json_t *subjects, const char *name, const struct digest *manifest)
{
	json_t *subject = json_object(), *digests = json_object();
	char text[DIGEST_TEXT_SIZE];

	json_set_text(subject, "name", name);
	json_set_text(digests, "sha256", digest_format(manifest, text) + strlen("sha256:"));
	json_set(subject, "digest", digests);
	json_push(subjects, subject);
}

/* The image, once for each of its names. */
static json_t *make_subjects(const struct plan_target *wanted)
{
	json_t *subjects = json_array();

	vec_foreach (&wanted->asked->tags, tag) {
		AUTO(mem) char *purl = purl_of_image(*tag, &wanted->stage->platform);

		add_subject(subjects, purl ? purl : *tag, &wanted->manifest.digest);
	}
	if (json_array_size(subjects) == 0)
		add_subject(subjects, "_", &wanted->manifest.digest);
	return subjects;
}

static struct err *put(struct store *store, const json_t *document, const char *media_type,
		       size_t max, struct descriptor *ret)
{
	AUTO(mem) char *text = json_format(document);

	*ret = (struct descriptor){ .size = strlen(text) };
	if (ret->size > max)
		return err_new(ERR_INVALID, "an attestation of %ju bytes is more than %zu",
			       (uintmax_t)ret->size, max);
	snprintf(ret->media_type, sizeof(ret->media_type), "%s", media_type);
	return blob_put(store, str_of(text), &ret->digest);
}

/* Takes ownership of `predicate`. */
static struct err *add_statement(const struct attest_site *site, const struct plan_target *wanted,
				 const char *statement_type, const char *predicate_type,
				 json_t *predicate, struct statements *statements)
{
	AUTO(json) json_t *statement = json_object();
	json_t *layer, *annotations = NULL;
	struct descriptor blob;
	char text[DIGEST_TEXT_SIZE];

	json_set_text(statement, "_type", statement_type);
	json_set_text(statement, "predicateType", predicate_type);
	json_set(statement, "subject", make_subjects(wanted));
	json_set(statement, "predicate", predicate);
	TRY(put(site->plan->store, statement, MEDIA_IN_TOTO, STATEMENT_MAX, &blob));
	layer = descriptor_format(&blob);
	annotations = json_object();
	json_set_text(annotations, "in-toto.io/predicate-type", predicate_type);
	json_set(layer, "annotations", annotations);
	json_push(statements->layers, layer);
	json_push(statements->diff_ids, json_text(str_of(digest_format(&blob.digest, text))));
	return NULL;
}

/* ---- the list of packages ---- */

/* What the config of the image says. */
static struct err *find_created(struct store *store, const struct descriptor *manifest,
				struct timespec *ret)
{
	AUTO(image) struct image *image = NULL;
	const char *text;

	TRY(image_open(store, manifest, NULL, &image));
	text = json_string_value(json_object_get(image->config, "created"));
	return clock_parse(str_of(text), ret);
}

static struct err *scan(struct plan *plan, struct plan_stage *stage, struct package_list *ret)
{
	AUTO(stack) struct stack stack = { 0 };
	AUTO(fd) int view_fd = -1;

	TRY(execute_stack(plan, stage, &stack));
	TRY(stack_view(&stack, &view_fd));
	return package_scan(view_fd, ret);
}

static struct err *list_packages(struct plan *plan, const struct plan_target *wanted, json_t **ret)
{
	AUTO(package_list) struct package_list list = { 0 };
	const char *name = wanted->asked->tags.len ? wanted->asked->tags.at[0] : NULL;
	AUTO(mem) char *purl = name ? purl_of_image(name, &wanted->stage->platform) : NULL;
	struct spdx_image image = { .name = name,
				    .purl = purl,
				    .manifest = &wanted->manifest.digest };

	TRY(find_created(plan->store, &wanted->manifest, &image.created));
	TRY(scan(plan, wanted->stage, &list));
	*ret = spdx_make(&image, &list);
	return NULL;
}

static struct err *write_document(const char *path, const json_t *document)
{
	AUTO(output) struct output *output = NULL;
	AUTO(mem) char *text = json_format_pretty(document);

	TRY(output_open(path, &output));
	sink_write(output_sink(output), text, strlen(text));
	sink_write(output_sink(output), "\n", 1);
	return output_commit(output);
}

/* The file is that of the first target. */
static struct err *write_list(const struct plan *plan, const struct plan_target *wanted,
			      const json_t *document)
{
	const char *path = plan->opts->attest->sbom_file;
	struct err *err;
	mode_t ours;

	if (!path || wanted != plan->targets)
		return NULL;
	ours = umask(plan->opts->user_umask); /* no other thread is at work any more */
	err = write_document(path, document);
	umask(ours);
	return err_wrap(err, "write the list of packages to '%s'", path);
}

static struct err *add_list(const struct attest_site *site, const struct plan_target *wanted,
			    struct statements *statements)
{
	AUTO(json) json_t *document = NULL;

	TRY(list_packages(site->plan, wanted, &document));
	TRY(write_list(site->plan, wanted, document));
	if (!site->plan->opts->attest->sbom)
		return NULL;
	return add_statement(site, wanted, STATEMENT_V1, PREDICATE_SPDX, json_incref(document),
			     statements);
}

/* ---- the manifest ---- */

/* A config that says of itself that nobody can run it. */
static json_t *make_config(json_t *diff_ids)
{
	json_t *config = json_object(), *rootfs = json_object();

	json_set_text(config, "architecture", "unknown");
	json_set_text(config, "os", "unknown");
	json_set(config, "config", json_object());
	json_set_text(rootfs, "type", "layers");
	json_set(rootfs, "diff_ids", json_incref(diff_ids));
	json_set(config, "rootfs", rootfs);
	return config;
}

static struct err *put_manifest(struct store *store, const struct statements *statements,
				struct descriptor *ret)
{
	AUTO(json) json_t *config = make_config(statements->diff_ids);
	AUTO(json) json_t *manifest = json_object();
	struct descriptor blob;

	TRY(put(store, config, MEDIA_OCI_CONFIG, IMAGE_DOCUMENT_MAX, &blob));
	json_set(manifest, "schemaVersion", json_integer(2));
	json_set_text(manifest, "mediaType", MEDIA_OCI_MANIFEST);
	json_set(manifest, "config", descriptor_format(&blob));
	json_set(manifest, "layers", json_incref(statements->layers));
	return put(store, manifest, MEDIA_OCI_MANIFEST, IMAGE_PUT_MAX, ret);
}

struct err *attest(const struct attest_site *site, struct plan_target *wanted)
{
	const struct attest_opts *opts = site->plan->opts->attest;
	AUTO(statements)
	struct statements statements = { .layers = json_array(), .diff_ids = json_array() };

	if (!opts)
		return NULL;
	if (opts->sbom || opts->sbom_file)
		TRY(add_list(site, wanted, &statements));
	if (opts->provenance)
		TRY(add_statement(site, wanted, opts->slsa_02 ? STATEMENT_V01 : STATEMENT_V1,
				  opts->slsa_02 ? PROVENANCE_V02 : PROVENANCE_V1,
				  provenance_make(site, wanted), &statements));
	if (json_array_size(statements.layers) == 0)
		return NULL;
	return put_manifest(site->plan->store, &statements, &wanted->attestation);
}
