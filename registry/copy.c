/* registry/copy.c - see registry/copy.h. */

#include "registry/copy.h"

#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "registry/archive.h"
#include "registry/documents.h"
#include "registry/find.h"
#include "registry/origin.h"
#include "registry/pull.h"
#include "registry/push.h"
#include "store/blob.h"
#include "store/ref.h"

struct copy {
	struct store *store;
	const struct copy_side *from, *to;
	const struct copy_opts *opts;
	struct platform platform;
	struct copy_result *result;
};

/* ---- the source ---- */

static struct err *load(const struct copy *c, struct descriptor *ret)
{
	AUTO(loaded_list) struct loaded_list list = { 0 };
	const struct location *at = c->from->at;

	TRY(archive_load_unnamed(c->store, at->path, at->name, false, &list));
	return archive_choose(at->path, at->name, &list, ret);
}

/* Of an index that is in the store, the one image that is meant. */
static struct err *choose_image(const struct copy *c, struct descriptor *target)
{
	AUTO(documents) struct documents documents = { 0 };
	const struct sources nowhere = { 0 };

	if (c->opts->all)
		return NULL;
	TRY(documents_find(c->store, &nowhere, target, &c->platform, false, &documents));
	if (c->opts->platform)
		documents_warn_of_platform(c->store, &nowhere, &documents, &c->platform);
	*target = documents.manifests.at[0];
	return NULL;
}

static struct err *fetch(const struct copy *c, struct descriptor *ret)
{
	const struct pull_opts opts = {
		.policy = PULL_ALWAYS,
		.platform = &c->platform,
		.all_platforms = c->opts->all,
		.progress = c->opts->progress,
	};
	struct pull_result result;

	TRY(pull_unnamed(c->store, c->from->client, &c->from->at->ref, &opts, &result));
	*ret = result.target;
	c->result->bytes += result.bytes;
	return NULL;
}

/* Into the store, with all of its blobs. */
static struct err *bring(const struct copy *c, struct descriptor *ret)
{
	switch (c->from->at->kind) {
	case LOCATION_STORE:
		TRY(find_image(c->store, c->from->at->text, ret));
		break;
	case LOCATION_REGISTRY:
		TRY(fetch(c, ret));
		break;
	case LOCATION_OCI_DIR:
	case LOCATION_OCI_ARCHIVE:
	case LOCATION_DOCKER_ARCHIVE:
		TRY(load(c, ret));
		break;
	}
	return choose_image(c, ret);
}

/* ---- the target ---- */

static struct err *send(const struct copy *c, const struct descriptor *target,
			const struct blob_origin *origin)
{
	const struct push_opts opts = { .progress = c->opts->progress, .origin = origin };
	struct push_result result;

	TRY(push_image(c->store, c->to->client, target, &c->to->at->ref, &opts, &result));
	c->result->target.digest = result.digest;
	c->result->bytes += result.bytes;
	return NULL;
}

/* What is only a tag, as other tools call images in layouts, is kept as it is. */
static struct err *save(const struct copy *c, const struct descriptor *target)
{
	static const enum archive_format formats[] = {
		[LOCATION_OCI_DIR] = ARCHIVE_OCI_DIR,
		[LOCATION_OCI_ARCHIVE] = ARCHIVE_OCI,
		[LOCATION_DOCKER_ARCHIVE] = ARCHIVE_DOCKER,
	};
	const struct location *at = c->to->at;
	const bool is_docker = at->kind == LOCATION_DOCKER_ARCHIVE;
	struct saved_image image = { .target = *target };
	AUTO(mem) char *name = NULL;

	if (at->name && !is_docker)
		image.literal = at->name;
	if (at->name && (is_docker || strpbrk(at->name, ":/")))
		TRY(reference_normalize(at->name, &name));
	image.name = name;
	return archive_save(c->store, formats[at->kind], at->path, &image, 1);
}

static struct err *name_it(const struct copy *c, const struct descriptor *target)
{
	AUTO(mem) char *name = NULL;

	TRY(reference_normalize(c->to->at->text, &name));
	return ref_set(c->store, name, target);
}

static struct err *deliver(const struct copy *c, const struct descriptor *target)
{
	switch (c->to->at->kind) {
	case LOCATION_STORE:
		return name_it(c, target);
	case LOCATION_REGISTRY:
		return send(c, target, NULL);
	case LOCATION_OCI_DIR:
	case LOCATION_OCI_ARCHIVE:
	case LOCATION_DOCKER_ARCHIVE:
		return save(c, target);
	}
	return NULL;
}

/* ---- from registry to registry ---- */

static struct err *stream(const struct copy *c)
{
	AUTO(documents) struct documents documents = { 0 };
	AUTO(origin) struct origin *origin = NULL;
	struct descriptor target;
	struct blob_origin blobs;

	TRY(origin_open(c->from->client, &c->from->at->ref, &origin));
	TRY(origin_resolve(origin, &target));
	TRY(documents_find(c->store, origin_sources(origin), &target, &c->platform, c->opts->all,
			   &documents));
	if (c->opts->platform)
		documents_warn_of_platform(c->store, origin_sources(origin), &documents,
					   &c->platform);
	if (!c->opts->all)
		target = documents.manifests.at[0];
	c->result->target = target;
	origin_note(origin, c->store, &documents);
	blobs = origin_blobs(origin);
	return send(c, &target, &blobs);
}

struct err *copy_image(struct store *store, const struct copy_side *from,
		       const struct copy_side *to, const struct copy_opts *opts,
		       struct copy_result *ret)
{
	struct copy c = { .store = store, .from = from, .to = to, .opts = opts, .result = ret };

	*ret = (struct copy_result){ .bytes = 0 };
	if (opts->platform)
		c.platform = *opts->platform;
	else
		platform_host(&c.platform);
	if (from->at->kind == LOCATION_REGISTRY && to->at->kind == LOCATION_REGISTRY)
		return stream(&c);
	TRY(bring(&c, &ret->target));
	return deliver(&c, &ret->target);
}
