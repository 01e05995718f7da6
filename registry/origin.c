/* registry/origin.c - see registry/origin.h. */

#include "registry/origin.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/stream.h"
#include "base/vec.h"
#include "registry/client.h"
#include "registry/registries.h"
#include "store/elsewhere.h"

struct origin {
	struct client *client;
	const struct reference *ref;
	struct places places;      /* that know what the name means */
	struct places blob_places; /* that have what is known by its digest */
	struct places home;
	struct repository *repos; /* one per blob place, and the home's behind them */
	struct sources sources;
};

struct err *origin_open(struct client *client, const struct reference *ref, struct origin **ret)
{
	AUTO(origin) struct origin *origin = xcalloc(1, sizeof(*origin));
	const struct registries *registries = NULL;

	origin->client = client;
	origin->ref = ref;
	TRY(client_registries(client, &registries));
	TRY(registries_places(registries, ref, ref->digest[0] ? PULL_BY_DIGEST : PULL_BY_TAG,
			      &origin->places));
	TRY(registries_places(registries, ref, PULL_BY_DIGEST, &origin->blob_places));
	TRY(registries_places(registries, ref, PUSH, &origin->home));
	origin->repos = xcalloc(origin->blob_places.len + 1, sizeof(*origin->repos));
	for (size_t i = 0; i < origin->blob_places.len; i++)
		origin->repos[i] = (struct repository){ .client = client,
							.place = &origin->blob_places.at[i] };
	origin->repos[origin->blob_places.len] = (struct repository){
		.client = client,
		.place = &origin->home.at[0],
	};
	origin->sources = (struct sources){ origin->repos, origin->blob_places.len };
	*ret = STEAL(origin);
	return NULL;
}

void origin_free(struct origin *origin)
{
	if (!origin)
		return;
	places_release(&origin->places);
	places_release(&origin->blob_places);
	places_release(&origin->home);
	free(origin->repos);
	free(origin);
}

const struct sources *origin_sources(const struct origin *origin)
{
	return &origin->sources;
}

const struct repository *origin_home(const struct origin *origin)
{
	return &origin->repos[origin->blob_places.len];
}

/* ---- what the name means ---- */

static struct err *nobody_has_it(const struct origin *origin)
{
	AUTO(mem) char *name = reference_familiar(origin->ref);
	AUTO(buf) struct buf asked = BUF_INIT((size_t)64 * 1024);

	vec_foreach (&origin->places, place)
		buf_addf(&asked, "%s%s/%s", asked.len ? ", " : "", place->host, place->path);
	return err_note(err_new(ERR_NOT_FOUND,
				"%s: there is no such image, or it cannot be seen without a login",
				name),
			"asked: %s", asked.at);
}

struct err *origin_resolve(struct origin *origin, struct descriptor *ret)
{
	const struct reference *ref = origin->ref;
	const char *what = ref->digest[0] ? ref->digest : ref->tag[0] ? ref->tag : "latest";
	struct err *last = NULL;

	vec_foreach (&origin->places, place) {
		const struct repository repo = { .client = origin->client, .place = place };
		bool found = false;
		struct err *err = repository_manifest_find(&repo, what, &found, ret);

		if (!err && found) {
			err_free(last);
			return NULL;
		}
		if (!err)
			continue;
		err_free(last);
		last = err;
		if (err_kind(err) == ERR_CANCELLED)
			break;
	}
	return last ? last : nobody_has_it(origin);
}

/* ---- blobs ---- */

/* The body of a response, which it owns. */
static size_t body_read(void *self, void *data, size_t len, struct err **err)
{
	struct http_response *response = self;
	size_t n = source_read(response->body, data, len);

	if (n == 0)
		*err = source_check(response->body);
	return n;
}

static void body_free(void *self)
{
	http_response_free(self);
}

static struct err *open_blob(void *self, const struct descriptor *blob, struct source **ret)
{
	static const struct source_ops ops = { body_read, body_free };
	const struct origin *origin = self;
	struct http_response *response = NULL;
	struct err *err = NULL;
	uint64_t offset;

	for (size_t i = 0; i < origin->sources.len; i++) {
		err_free(err);
		err = repository_blob_get(&origin->repos[i], blob, 0, &response, &offset);
		if (!err || err_kind(err) == ERR_CANCELLED)
			break;
	}
	TRY(err);
	*ret = source_new(&ops, response);
	return NULL;
}

struct blob_origin origin_blobs(struct origin *origin)
{
	return (struct blob_origin){ .open = open_blob, .self = origin };
}

static void note_list(const struct descriptors *list, struct store *store, const char *name)
{
	vec_foreach (list, blob)
		elsewhere_add(store, &blob->digest, name);
}

void origin_note(const struct origin *origin, struct store *store,
		 const struct documents *documents)
{
	const struct place *place = &origin->home.at[0];
	AUTO(mem) char *name = xasprintf("%s/%s", place->server, place->path);

	note_list(&documents->configs, store, name);
	note_list(&documents->layers, store, name);
}
