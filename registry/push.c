/* registry/push.c - see registry/push.h. */

#include "registry/push.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/stream.h"
#include "base/vec.h"
#include "registry/client-private.h"
#include "registry/documents.h"
#include "registry/registries.h"
#include "registry/upload.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/store.h"

#define PARALLEL 6

struct push {
	struct store *store;
	const struct push_opts *opts;
	struct places places;
	struct repository repo;
	struct documents documents;
	pthread_mutex_t lock;
	struct push_result *result; /* guarded by lock */
};

/* ---- blobs ---- */

struct job {
	struct push *push;
	const struct descriptor *blob;
};

/* Layers that must not be handed on are left where they are: who pulls finds them by their URLs. */
static bool is_left(const struct push *p, const struct descriptor *blob)
{
	return !p->opts->foreign && (strstr(blob->media_type, ".nondistributable.") ||
				     strstr(blob->media_type, ".foreign."));
}

static void count(struct push *p, const struct descriptor *blob, enum upload_way way)
{
	pthread_mutex_lock(&p->lock);
	switch (way) {
	case UPLOAD_PRESENT:
		p->result->present++;
		break;
	case UPLOAD_MOUNTED:
		p->result->mounted++;
		break;
	case UPLOAD_SENT:
		p->result->sent++;
		p->result->bytes += blob->size;
		break;
	}
	pthread_mutex_unlock(&p->lock);
}

/* A stream of the origin is verified on its way. */
static struct err *open_at_origin(void *self, struct source **ret)
{
	const struct job *job = self;
	const struct blob_origin *origin = job->push->opts->origin;
	struct source *bytes = NULL;

	TRY(origin->open(origin->self, job->blob, &bytes));
	*ret = source_verify(bytes, &job->blob->digest, job->blob->size);
	return NULL;
}

static struct err *push_from_origin(struct job *job)
{
	const struct upload_source src = { .fd = -1, .open = open_at_origin, .self = job };
	struct push *p = job->push;
	enum upload_way way;

	TRY(upload_blob(&p->repo, p->store, job->blob, &src, p->opts->progress, &way));
	count(p, job->blob, way);
	return NULL;
}

static struct err *push_blob(void *arg)
{
	struct job *job = arg;
	struct push *p = job->push;
	AUTO(fd) int fd = -1;
	struct upload_source src = { 0 };
	enum upload_way way;
	bool here = true;
	struct err *err;
	uint64_t size;

	if (p->opts->origin)
		TRY(blob_has(p->store, job->blob, &here));
	if (!here)
		return push_from_origin(job);
	TRY(blob_open(p->store, &job->blob->digest, &fd, &size));
	src.fd = fd;
	err = upload_blob(&p->repo, p->store, job->blob, &src, p->opts->progress, &way);
	TRY(blob_doubt(p->store, &job->blob->digest, err));
	count(p, job->blob, way);
	return NULL;
}

static struct err *push_blobs(struct push *p)
{
	const size_t configs = p->documents.configs.len, layers = p->documents.layers.len;
	struct job *jobs = xcalloc(configs + layers + 1, sizeof(*jobs));
	struct pool *pool = pool_new(p->opts->parallel ? p->opts->parallel : PARALLEL);
	struct group *group = group_new(pool);
	struct err *err;
	size_t left = 0;

	for (size_t i = 0; i < layers + configs; i++) {
		jobs[i] = (struct job){ p, i < layers ? &p->documents.layers.at[i] :
							&p->documents.configs.at[i - layers] };
		if (is_left(p, jobs[i].blob))
			left++;
		else
			group_run(group, push_blob, NULL, &jobs[i]);
	}
	if (left)
		client_say(p->repo.client,
			   "%zu layers are not to be handed on, and stay where they are", left);
	err = group_wait(group);
	group_free(group);
	pool_free(pool);
	free(jobs);
	return err;
}

/* ---- documents ---- */

/* By its digest, or as the tag `what`. */
static struct err *put(struct push *p, const struct descriptor *document, const char *what)
{
	AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX + 1);
	char text[DIGEST_TEXT_SIZE];

	TRY(blob_read(p->store, &document->digest, IMAGE_DOCUMENT_MAX, &bytes));
	return repository_manifest_put(&p->repo,
				       what ? what : digest_format(&document->digest, text),
				       document->media_type, buf_str(&bytes), &document->digest);
}

/* What the top leads to: manifests, then indexes, the inner ones first; the top itself comes with
 * its tag. */
static struct err *push_documents(struct push *p, const struct descriptor *top)
{
	vec_foreach (&p->documents.manifests, manifest)
		if (!digest_equal(&manifest->digest, &top->digest))
			TRY(put(p, manifest, NULL));
	for (size_t i = p->documents.indexes.len; i > 0; i--)
		if (!digest_equal(&p->documents.indexes.at[i - 1].digest, &top->digest))
			TRY(put(p, &p->documents.indexes.at[i - 1], NULL));
	return NULL;
}

/* ---- the whole ---- */

static struct err *find_place(struct push *p, struct client *client, const struct reference *to)
{
	const struct registries *registries = NULL;

	TRY(client_registries(client, &registries));
	TRY(registries_places(registries, to, PUSH, &p->places));
	p->repo = (struct repository){ client, &p->places.at[0], .pushes = true };
	return NULL;
}

/* The one image of an index that is meant or is here. */
static struct err *choose_image(struct push *p, struct descriptor *target)
{
	AUTO(documents) struct documents documents = { 0 };
	const struct sources nowhere = { 0 };
	struct platform platform;

	platform_host(&platform);
	if (p->opts->platform)
		platform = *p->opts->platform;
	TRY(documents_find(p->store, &nowhere, target, &platform, false, &documents));
	*target = documents.manifests.at[0];
	return NULL;
}

/* The documents of an index may have been looked at while the layers stayed where they are. */
static struct err *expect_blobs(const struct push *p, const struct descriptors *blobs)
{
	char text[DIGEST_TEXT_SIZE];
	bool here = true;

	vec_foreach (blobs, blob) {
		if (!is_left(p, blob))
			TRY(blob_has(p->store, blob, &here));
		if (!here)
			return err_new(ERR_NOT_FOUND, "blob %s is not in the store",
				       digest_format(&blob->digest, text));
	}
	return NULL;
}

/* Everything that the target leads to. Of an index of which only one image was pulled, that image
 * is pushed alone, and this is said. */
static struct err *find_parts(struct push *p, struct descriptor *target)
{
	const struct sources nowhere = { 0 };
	struct platform host;
	struct err *err;

	platform_host(&host);
	err = documents_find(p->store, &nowhere, target, &host, true, &p->documents);
	if (!err && !p->opts->origin)
		err = expect_blobs(p, &p->documents.configs);
	if (!err && !p->opts->origin)
		err = expect_blobs(p, &p->documents.layers);
	if (err_kind(err) != ERR_NOT_FOUND || p->documents.indexes.len == 0)
		return err;
	err_free(err);
	documents_release(&p->documents);
	p->documents = (struct documents){ 0 };
	TRY(choose_image(p, target));
	client_say(p->repo.client, "only one image of this index is here: pushing it alone (pull "
				   "with --all-platforms to have them all)");
	return documents_find(p->store, &nowhere, target, &host, true, &p->documents);
}

/* What the registry has already. A tag that leads to the target leaves nothing to do. */
static struct err *look(struct push *p, const struct descriptor *target, const char *tag,
			bool *ret_tagged, bool *ret_there)
{
	char text[DIGEST_TEXT_SIZE];
	struct descriptor there;

	TRY(repository_manifest_find(&p->repo, tag, ret_tagged, &there));
	*ret_tagged = *ret_tagged && digest_equal(&there.digest, &target->digest);
	*ret_there = *ret_tagged;
	if (*ret_tagged)
		return NULL;
	return repository_manifest_find(&p->repo, digest_format(&target->digest, text), ret_there,
					&there);
}

static struct err *push(struct push *p, struct descriptor *target, const char *tag)
{
	bool tagged, there;

	if (p->opts->platform)
		TRY(choose_image(p, target));
	TRY(look(p, target, tag, &tagged, &there));
	if (tagged)
		return NULL;
	if (!there) {
		TRY(find_parts(p, target));
		TRY(push_blobs(p));
		TRY(push_documents(p, target));
	}
	return put(p, target, tag);
}

struct err *push_image(struct store *store, struct client *client, const struct descriptor *target,
		       const struct reference *to, const struct push_opts *opts,
		       struct push_result *ret)
{
	struct push p = { .store = store, .opts = opts, .result = ret };
	struct descriptor what = *target;
	struct err *err;

	*ret = (struct push_result){ .sent = 0 };
	if (to->digest[0])
		return err_new(ERR_USAGE, "an image is pushed to a tag, not to a digest");
	pthread_mutex_init(&p.lock, NULL);
	err = find_place(&p, client, to);
	if (!err)
		err = push(&p, &what,
			   p.places.at[0].tag ? p.places.at[0].tag :
			   to->tag[0]         ? to->tag :
						"latest");
	ret->digest = what.digest;
	places_release(&p.places);
	documents_release(&p.documents);
	pthread_mutex_destroy(&p.lock);
	return err;
}
