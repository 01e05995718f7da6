/* builder/fetch.c - see builder/fetch.h. */

#include "builder/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/vec.h"
#include "overlay/receive.h"
#include "overlay/stack.h"
#include "registry/client.h"
#include "registry/find.h"
#include "registry/reference.h"
#include "registry/registries.h"
#include "store/image.h"

const char *const pull_policy_names[] = {
	[PULL_MISSING] = "missing",
	[PULL_ALWAYS] = "always",
	[PULL_NEVER] = "never",
	[PULL_NEWER] = "newer",
	NULL,
};

/* ---- the taker ---- */

static struct err *take_layer(void *self, const struct descriptor *blob, struct source *bytes)
{
	bool kept;

	return receive_layer(self, blob, bytes, &kept);
}

/* What has not become a tree on the way does so now: layers that lean on those below them, and
 * such whose blobs alone were here. */
static struct err *finish_image(void *self, const struct image *image)
{
	AUTO(pool) struct pool *pool = pool_new(pool_default_threads());
	AUTO(stack) struct stack stack = { 0 };

	return stack_of_image(self, image, pool, NULL, &stack);
}

struct taker fetch_taker(struct store *store)
{
	return (struct taker){ .take = take_layer, .finish = finish_image, .self = store };
}

/* ---- what is here ---- */

static bool is_for(const struct image *image, const struct platform *want)
{
	return !want || !image->platform.arch[0] || platform_match(want, &image->platform) > 0;
}

/* The image in the store, if it is there, can be read, and is for the platform that is wanted;
 * `*ret_other` if it is for another. */
static struct err *look_here(struct store *store, const char *text, const struct fetch_opts *opts,
			     bool *ret_here, bool *ret_other, struct descriptor *ret)
{
	AUTO(image) struct image *image = NULL;
	struct err *err = find_image(store, text, ret);

	if (!err)
		err = image_open(store, ret, opts->platform, &image);
	*ret_here = !err && is_for(image, opts->platform);
	*ret_other = !err && !*ret_here;
	if (err_kind(err) == ERR_NOT_FOUND || err_kind(err) == ERR_CORRUPT) {
		err_free(err); /* then it is fetched */
		return NULL;
	}
	return err;
}

/* ---- what registries have ---- */

/* What is looked for under the names that were meant. */
struct search {
	struct store *store;
	struct client *client;
	const char *text;
	const struct fetch_opts *opts;
	struct fetch_result *result;
};

/* Say so if a short name is not what it is everywhere. */
static void tell_meaning(const char *text, const char *name)
{
	struct reference ref;
	AUTO(err) struct err *err = reference_parse(text, &ref);
	AUTO(mem) char *usual = err ? NULL : reference_canonical(&ref);

	if (usual && strcmp(usual, name) != 0)
		log_info("%s is %s here", text, name);
}

static struct err *pull_meaning(void *self, const char *name)
{
	const struct search *search = self;
	const struct fetch_opts *opts = search->opts;
	const struct taker taker = fetch_taker(search->store);
	const struct pull_opts pull = { .policy = opts->policy,
					.platform = opts->platform,
					.all_platforms = opts->all_platforms,
					.taker = &taker,
					.progress = opts->progress };
	struct pull_result result;
	struct reference ref;

	if (opts->may_ask)
		TRY(opts->may_ask(opts->may_ask_self, name));
	TRY(reference_parse(name, &ref));
	TRY(pull_image(search->store, search->client, &ref, &pull, &result));
	*search->result = (struct fetch_result){ .target = result.target,
						 .name = xstrdup(name),
						 .fetched = result.fetched,
						 .bytes = result.bytes };
	tell_meaning(search->text, name);
	return NULL;
}

static struct err *pull_meanings(struct search *search)
{
	const struct registries *registries = NULL;
	AUTO(meanings) struct meanings meanings = { 0 };

	TRY(client_registries(search->client, &registries));
	TRY(registries_meanings(registries, search->text, false, &meanings));
	return meanings_try(&meanings, pull_meaning, search);
}

/* ---- the whole ---- */

/* An id can only be in the store. */
static bool is_name(const char *text)
{
	struct reference ref;
	AUTO(err) struct err *err = reference_parse(text, &ref);
	AUTO(mem) char *canonical = NULL;

	if (err || ref.digest[0])
		return !err;
	err = reference_normalize(text, &canonical); /* "sha256:..." reads as a name, and is none */
	return !err;
}

struct err *fetch_image(struct store *store, struct client *client, const char *text,
			const struct fetch_opts *opts, struct fetch_result *ret)
{
	struct fetch_opts how = *opts;
	struct search search = { store, client, text, &how, ret };
	bool here = false, other = false;

	*ret = (struct fetch_result){ 0 };
	if (opts->policy == PULL_NEVER || !is_name(text))
		return find_image(store, text, &ret->target);
	/* All of an index is more than look_here() looks at. */
	if (opts->policy == PULL_MISSING && !opts->all_platforms)
		TRY(look_here(store, text, opts, &here, &other, &ret->target));
	if (other) /* then the store cannot answer for the name */
		how.policy = PULL_ALWAYS;
	return here ? NULL : pull_meanings(&search);
}

void fetch_result_release(struct fetch_result *result)
{
	free(result->name);
	result->name = NULL;
}
