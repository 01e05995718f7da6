/*
 * cli/image.h - images as commands name and show them.
 */
#ifndef CLI_IMAGE_H
#define CLI_IMAGE_H

#include <stdint.h>

#include "base/mem.h"
#include "store/image.h"

struct err;
struct store;

/* What a user wrote (registry/find.h); ERR_USAGE if it can be no name of an image. */
struct err *image_find(struct store *store, const char *text, struct descriptor *ret) MUST_USE;
/* The same, opened: of an index the image for `platform` ("os/arch"), or for this host if NULL. ERR_NOT_FOUND lists what there is instead. */
struct err *image_find_open(struct store *store, const char *text, const char *platform,
			    struct image **ret) MUST_USE;

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
