/* registry/pull.c - see registry/pull.h. */

#include "registry/pull.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/vec.h"
#include "registry/client-private.h"
#include "registry/documents.h"
#include "registry/origin.h"
#include "store/blob.h"
#include "store/elsewhere.h"
#include "store/image.h"
#include "store/ref.h"
#include "store/store.h"

#define PARALLEL 6 /* blobs at a time; more gain nothing from any registry that was measured */

/* One pull. */
struct pull {
	struct store *store;
	struct client *client;
	const struct reference *ref;
	const struct pull_opts *opts;
	struct platform platform;

	struct origin *origin;    /* owned; NULL until the registry is asked */
	struct descriptor target; /* what the name leads to */
	struct documents documents;
	atomic_ullong bytes;
	atomic_bool fetched;
};

static void pull_release(struct pull *p)
{
	origin_free(p->origin);
	documents_release(&p->documents);
}

/* ---- what is here ---- */

/* Is everything of the image, or with `all` of the index, in the store? */
static struct err *is_whole(struct pull *p, const struct descriptor *target, bool *ret)
{
	AUTO(documents) struct documents documents = { 0 };
	const struct sources nowhere = { 0 };
	struct err *err = documents_find(p->store, &nowhere, target, &p->platform,
					 p->opts->all_platforms, &documents);
	bool here = true;

	*ret = false;
	if (err_kind(err) == ERR_NOT_FOUND || err_kind(err) == ERR_CORRUPT ||
	    err_kind(err) == ERR_INVALID) {
		err_free(err); /* then it is fetched */
		return NULL;
	}
	TRY(err);
	for (size_t i = 0; here && i < documents.configs.len; i++)
		TRY(blob_has(p->store, &documents.configs.at[i], &here));
	for (size_t i = 0; here && i < documents.layers.len; i++)
		TRY(blob_has(p->store, &documents.layers.at[i], &here));
	*ret = here;
	return NULL;
}

/* Was the digest ever pulled under this name? The same bytes under another one would build here and
 * nowhere else. */
static bool is_of_name(const struct pull *p)
{
	AUTO(strings) struct strings paths = { 0 };

	elsewhere_list(p->store, &p->target.digest, p->ref->domain, &paths);
	vec_foreach (&paths, path)
		if (strcmp(*path, p->ref->path) == 0)
			return true;
	return false;
}

/* What the store has under the name or digest. */
static struct err *look_here(struct pull *p, bool *ret_known, bool *ret_whole)
{
	struct err *err;

	*ret_known = *ret_whole = false;
	if (p->ref->digest[0]) {
		TRY(digest_parse(p->ref->digest, &p->target.digest));
		TRY(blob_find(p->store, &p->target.digest, ret_known, &p->target.size));
		*ret_known = *ret_known && is_of_name(p);
	} else {
		AUTO(mem) char *name = reference_canonical(p->ref);

		err = ref_get(p->store, name, &p->target);
		*ret_known = !err;
		if (err_kind(err) != ERR_NOT_FOUND)
			TRY(err);
		else
			err_free(err);
	}
	return *ret_known ? is_whole(p, &p->target, ret_whole) : NULL;
}

/* ---- fetching ---- */

struct job {
	struct pull *pull;
	const struct descriptor *blob;
	bool is_layer;
};

static void note_origin(struct pull *p, const struct descriptor *blob)
{
	/* Where the name lives, which is where a push may take it from; never a mirror. */
	const struct place *place = origin_home(p->origin)->place;
	AUTO(mem) char *name = xasprintf("%s/%s", place->server, place->path);

	elsewhere_add(p->store, &blob->digest, name);
}

static struct err *fetch_blob(void *arg)
{
	const struct job *job = arg;
	struct pull *p = job->pull;
	const struct download_from from = {
		.sources = origin_sources(p->origin),
		.urls = documents_urls(&p->documents, &job->blob->digest),
	};
	bool fetched = false;

	TRY(download_blob(p->store, &from, job->blob, job->is_layer ? p->opts->taker : NULL,
			  p->opts->progress, &fetched));
	if (fetched) {
		atomic_store(&p->fetched, true);
		atomic_fetch_add(&p->bytes, job->blob->size);
	}
	note_origin(p, job->blob); /* also of what was here: the manifest says that it is there */
	return NULL;
}

static struct err *fetch_blobs(struct pull *p)
{
	const size_t configs = p->documents.configs.len, layers = p->documents.layers.len;
	struct job *jobs = xcalloc(configs + layers + 1, sizeof(*jobs));
	struct pool *pool = pool_new(p->opts->parallel ? p->opts->parallel : PARALLEL);
	struct group *group = group_new(pool);
	struct err *err;

	for (size_t i = 0; i < configs + layers; i++) {
		const bool is_layer = i >= configs;

		jobs[i] = (struct job){
			.pull = p,
			.blob = is_layer ? &p->documents.layers.at[i - configs] :
					   &p->documents.configs.at[i],
			.is_layer = is_layer,
		};
		group_run(group, fetch_blob, NULL, &jobs[i]);
	}
	err = group_wait(group);
	group_free(group);
	pool_free(pool);
	free(jobs);
	return err;
}

/* All is here: is it what it says it is? */
static struct err *finish(struct pull *p)
{
	vec_foreach (&p->documents.manifests, manifest) {
		AUTO(image) struct image *image = NULL;

		/* Beside images an index may hold what is said about them. */
		if (p->documents.indexes.len && p->opts->all_platforms)
			continue;
		TRY(image_open(p->store, manifest, &p->platform, &image));
		if (p->opts->taker && p->opts->taker->finish)
			TRY(p->opts->taker->finish(p->opts->taker->self, image));
	}
	return NULL;
}

static struct err *fetch_all(struct pull *p)
{
	TRY(documents_find(p->store, origin_sources(p->origin), &p->target, &p->platform,
			   p->opts->all_platforms, &p->documents));
	atomic_store(&p->fetched, p->documents.fetched);
	TRY(fetch_blobs(p));
	return finish(p);
}

static struct err *give_name(struct pull *p)
{
	AUTO(mem) char *name = NULL;
	struct reference plain = *p->ref;

	TRY(blob_sync(p->store));
	if (p->ref->digest[0]) {
		AUTO(mem) char *repository = reference_repository(p->ref);

		elsewhere_add(p->store, &p->target.digest, repository);
	}
	if (p->ref->digest[0] && !p->ref->tag[0])
		return NULL;
	plain.digest[0] = '\0';
	name = reference_canonical(&plain);
	return ref_set(p->store, name, &p->target);
}

/* ---- the whole ---- */

static void prepare(struct pull *p, struct store *store, struct client *client,
		    const struct reference *ref, const struct pull_opts *opts)
{
	*p = (struct pull){ .store = store, .client = client, .ref = ref, .opts = opts };
	if (opts->platform)
		p->platform = *opts->platform;
	else
		platform_host(&p->platform);
}

static void tell(struct pull *p, struct pull_result *ret)
{
	*ret = (struct pull_result){
		.target = p->target,
		.fetched = atomic_load(&p->fetched),
		.bytes = atomic_load(&p->bytes),
	};
}

/* Ask the registry; `known` is whether the store has something under the name, `whole` whether all
 * of it. */
static struct err *go_and_ask(struct pull *p, bool known, bool whole)
{
	struct descriptor there;
	struct err *err;

	TRY(origin_open(p->client, p->ref, &p->origin));
	err = origin_resolve(p->origin, &there);
	if (err && known && whole && p->opts->policy == PULL_NEWER &&
	    err_kind(err) != ERR_CANCELLED) {
		client_say(p->client, "%s: what is here is used", err_text(err));
		err_free(err); /* nothing newer can be had */
		return NULL;
	}
	TRY(err);
	if (known && whole && digest_equal(&there.digest, &p->target.digest))
		return NULL;
	p->target = there;
	TRY(fetch_all(p));
	return give_name(p);
}

static struct err *not_here(const struct pull *p)
{
	AUTO(mem) char *name = reference_familiar(p->ref);

	return err_new(ERR_NOT_FOUND, "%s is not in the store, and is not to be pulled", name);
}

static struct err *pull(struct pull *p)
{
	bool known, whole;

	TRY(look_here(p, &known, &whole));
	if (p->opts->policy == PULL_NEVER)
		return whole ? NULL : not_here(p);
	if (whole && (p->opts->policy == PULL_MISSING || p->ref->digest[0]))
		return NULL;
	return go_and_ask(p, known, whole);
}

struct err *pull_image(struct store *store, struct client *client, const struct reference *ref,
		       const struct pull_opts *opts, struct pull_result *ret)
{
	struct err *err;
	struct pull p;

	prepare(&p, store, client, ref, opts);
	err = pull(&p);
	tell(&p, ret);
	pull_release(&p);
	return err;
}

struct err *pull_unnamed(struct store *store, struct client *client, const struct reference *ref,
			 const struct pull_opts *opts, struct pull_result *ret)
{
	struct err *err;
	struct pull p;

	prepare(&p, store, client, ref, opts);
	err = origin_open(client, ref, &p.origin);
	if (!err)
		err = origin_resolve(p.origin, &p.target);
	if (!err)
		err = fetch_all(&p);
	if (!err)
		err = blob_sync(store);
	tell(&p, ret);
	pull_release(&p);
	return err;
}
