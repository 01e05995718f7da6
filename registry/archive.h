/*
 * registry/archive.h - images in files: saving them, and loading whatever others have saved.
 *
 * Three formats are written: an OCI layout in a directory or in a tar
 * (registry/layout.h), and Docker's archive (registry/docker_save.h). Loading tells by
 * what is inside which one it has, compressed by gzip or zstd or not. An archive
 * that is both, as newer versions of Docker write it, is read as an OCI layout.
 */
#ifndef REGISTRY_ARCHIVE_H
#define REGISTRY_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "registry/loaded.h"
#include "registry/saved.h"

struct err;
struct store;
struct taker;

enum archive_format { ARCHIVE_OCI, ARCHIVE_OCI_DIR, ARCHIVE_DOCKER };

extern const char *const archive_format_names[]; /* "oci-archive", ...; NULL-terminated */

/* Write images to `path` ("-": standard output, not for a directory). A file appears whole or not
 * at all; a directory that holds a layout already keeps its other images. */
struct err *archive_save(struct store *store, enum archive_format format, const char *path,
			 const struct saved_image *images, size_t count) MUST_USE;

/*
 * Load every image of an archive or directory ("-": standard input) and give it the name that it
 * has there; `name` (canonical, or NULL) replaces the names of an archive of one image. A name that
 * is only a tag, as layouts may have it, belongs to the repository that the path is called. `ret`
 * lists them by their canonical names. ERR_INVALID, with `name` in the notes, for an image without
 * a name, and for two images of one name. Nothing has a name before everything is whole, and before
 * `taker` (NULL: nobody; registry/download.h) has finished each image; of an index the one for this host, if it is
 * there.
 */
struct err *archive_load(struct store *store, const char *path, const char *name,
			 const struct taker *taker, struct loaded_list *ret) MUST_USE;

/*
 * Bring the blobs into the store and name nothing: the images as the archive calls them, NULL where
 * it does not. Of several without any name the one for this host is left, unless `all`. With `only` (may be
 * NULL) just images of that name are brought; the others are listed for archive_choose() to tell of.
 */
struct err *archive_load_unnamed(struct store *store, const char *path, const char *only, bool all,
				 struct loaded_list *ret) MUST_USE;

/* What an OCI layout has, without loading it: names and targets, no platforms. ERR_UNSUPPORTED for a
 * docker archive. */
struct err *archive_list(struct store *store, const char *path, struct loaded_list *ret) MUST_USE;

/* The one that `name` means, as it is written there or as a canonical name; without a name the only
 * one. ERR_NOT_FOUND, or ERR_INVALID for several, with the names in the notes. */
struct err *archive_choose(const char *path, const char *name, const struct loaded_list *list,
			   struct descriptor *ret) MUST_USE;

#endif
