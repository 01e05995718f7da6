/*
 * cli/build_manifest.h - the option --manifest of a build: its images go to an index of the store.
 */
#ifndef CLI_BUILD_MANIFEST_H
#define CLI_BUILD_MANIFEST_H

#include <jansson.h>

#include "base/mem.h"

struct build_result;
struct err;
struct store;

/* The index that there is, or a new one. */
struct build_manifest {
	char *name;    /* canonical; owned */
	json_t *index; /* owned */
};

/* Before the work. ERR_USAGE for what is no name, ERR_INVALID for the name of an image. */
struct err *build_manifest_open(struct store *store, const char *text, struct build_manifest *ret)
	MUST_USE;
/* Add the images of a build, each in the place of one for the same platform, and store the index. */
struct err *build_manifest_add(struct store *store, struct build_manifest *manifest,
			       const struct build_result *result) MUST_USE;

void build_manifest_release(struct build_manifest *manifest);

static inline void build_manifest_auto_(struct build_manifest *manifest)
{
	build_manifest_release(manifest);
}

#endif
