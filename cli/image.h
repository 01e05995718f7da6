/*
 * cli/image.h - images as commands name and show them.
 */
#ifndef CLI_IMAGE_H
#define CLI_IMAGE_H

#include <stdint.h>

#include "base/mem.h"
#include "registry/pull.h"
#include "store/image.h"

struct err;
struct network_values;
struct store;
struct transfer_values;

/* What a user wrote (registry/find.h); ERR_USAGE if it can be no name of an image. */
struct err *image_find(struct store *store, const char *text, struct descriptor *ret) MUST_USE;
/* The same, opened: of an index the image for `platform` ("os/arch"), or for this host if NULL. ERR_NOT_FOUND lists what there is instead. */
struct err *image_find_open(struct store *store, const char *text, const char *platform,
			    struct image **ret) MUST_USE;

/* The same of an image that is fetched if `how` says so, with what goes on shown. */
struct image_fetch {
	enum pull_policy policy;
	const struct network_values *network;
	const struct transfer_values *shown;
};
struct err *image_fetch_open(struct store *store, const char *text, const char *platform,
			     const struct image_fetch *how, struct image **ret) MUST_USE;

/* The first 12 hex digits of a digest. */
#define SHORT_ID_SIZE 13
char *image_short_id(const struct digest *digest, char buf[static SHORT_ID_SIZE]);

/* The sum of its blobs but the manifest: about what a push moves. */
uint64_t image_size(const struct image *image);

/* A member of the config's "config" object, or NULL; borrowed. */
const json_t *image_setting(const struct image *image, const char *key);

/* "3 hours ago", of an RFC 3339 time; the date alone of the epoch 0, "" if `created` is NULL or is
 * none. Owned by the caller. */
char *image_age(const char *created) MUST_USE;

#endif
