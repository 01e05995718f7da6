/*
 * store/id.h - images by their ids, whether they have names or not.
 *
 * ids/<first two hex digits>/<64 hex digits> is a symbolic link to the blob of
 * the manifest or index whose id these digits are. An image has two of them: its
 * own digest, and that of its config, which people call the image id. A link
 * comes with the image, so that neither the number of images nor the want of a
 * name makes an id slow to find; where two manifests have one config, the newest
 * has the id.
 *
 * A link to itself says that here is an image, and is what an image without a name
 * is rooted by, in the way of a step record: its modification time is the time of
 * the last use (at most one update an hour), and a prune drops it by age. Images
 * that a named index consists of have no such link, only the one of their config.
 *
 * Links are an index, and never believed: who follows one looks whether the image
 * has that id. Those of named images may be lost without harm, they are made again
 * from the refs.
 */
#ifndef STORE_ID_H
#define STORE_ID_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

struct descriptor;
struct err;
struct store;

struct id_match {
	struct digest id;     /* whose digits were asked for */
	struct digest target; /* the manifest or index */
};

struct id_matches {
	struct id_match *at;
	size_t len, cap;
};

/* The images that have an id that begins with `prefix`, 2 to 64 lower-case hex digits, each once,
 * in the order of their ids. */
struct err *id_find(struct store *store, struct str prefix, struct id_matches *ret) MUST_USE;
/* The images that are there for their own sake, which all named ones are, in the order of their
 * digests: `id` and `target` are the same. */
struct err *id_list(struct store *store, struct id_matches *ret) MUST_USE;
/* The time of the last use of what id_list() gives; 1970 if it cannot be told. */
struct timespec id_last_use(struct store *store, const struct digest *target);

/* Let `id` lead to `target`. If it does already, the image is noted as used. */
struct err *id_put(struct store *store, const struct digest *id, const struct digest *target)
	MUST_USE;
/* The same for all ids of an image that is in the store: of an index, those of every image that
 * is there. Cheap if it is remembered already. What cannot be read has no id, but its digest. */
struct err *id_remember(struct store *store, const struct descriptor *target) MUST_USE;
/* Take the ids of an image away. `*ret_known` false: it had none. */
struct err *id_forget(struct store *store, const struct descriptor *target, bool *ret_known)
	MUST_USE;

/* Flush what id_put() and id_forget() of this process changed: for images without a name, of which
 * nothing else tells. Cheap if there is nothing. */
struct err *id_sync(struct store *store) MUST_USE;

static inline void id_matches_auto_(struct id_matches *matches)
{
	vec_release(matches);
}

#endif
