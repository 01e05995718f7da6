/*
 * builder/fetch.h - an image by what a user or a Recipe calls it: from the store, or fetched.
 *
 * Layers are unpacked while they come (overlay/receive.h), and an image gets its name only when
 * its root filesystem is ready and its diff ids are verified. What is in the store costs no
 * network, and libcurl is not even loaded for it.
 *
 * A name is looked for in the store as it is (registry/find.h). Where it is not, it is
 * what registries.conf makes of it: an alias, or the registries that are searched, in order, of
 * which the next is asked only if the one before has no such image.
 */
#ifndef BUILDER_FETCH_H
#define BUILDER_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "registry/download.h"
#include "registry/pull.h"
#include "store/descriptor.h"
#include "store/platform.h"

struct client;
struct err;
struct progress;
struct store;

/* Makes a root filesystem of every image that is pulled. Valid as long as the store is open. */
struct taker fetch_taker(struct store *store);

struct fetch_opts {
	enum pull_policy policy;
	/* Wanted; an image in the store that is for another is not what is meant. NULL: whatever is
	 * in the store, and this host's if it is fetched. */
	const struct platform *platform;
	bool all_platforms;
	struct progress *progress; /* may be NULL */
	/* Asked about each name before a registry is, once that is known; NULL: all may be. */
	struct err *(*may_ask)(void *self, const char *name);
	void *may_ask_self;
};

struct fetch_result {
	struct descriptor target; /* what the name leads to: an index or a manifest */
	char *name;               /* canonical, as a registry was asked; owned; NULL: none was */
	bool fetched;             /* something came that was not here */
	uint64_t bytes;           /* of blobs that were fetched */
};

/* An image by what was written. ERR_NOT_FOUND says what was asked; with PULL_NEVER it is the store's.
 * Others as pull_image(). Ids are only looked for in the store, whatever the policy. `client` is
 * asked for nothing if the store has it. */
struct err *fetch_image(struct store *store, struct client *client, const char *text,
			const struct fetch_opts *opts, struct fetch_result *ret) MUST_USE;
void fetch_result_release(struct fetch_result *result);

static inline void fetch_result_auto_(struct fetch_result *result)
{
	fetch_result_release(result);
}

/* "missing", "always", "never", "newer" by their policies; NULL-terminated. */
extern const char *const pull_policy_names[];

#endif
