/*
 * builder/sift.h - which entries of a copied directory go along: COPY --exclude and --parents.
 *
 * Paths are relative to the directory that is copied. The patterns of --exclude
 * are those of an ignore file (builder/ignore.h), of which the last that matches
 * decides. --parents has one pattern: a path with the wildcards of an ignore
 * file, `**` among them; what it matches goes along with all that is below, and
 * of the directories on the way only the directories themselves.
 */
#ifndef BUILDER_SIFT_H
#define BUILDER_SIFT_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct sift;

enum sift_answer {
	SIFT_OUT,   /* neither it nor anything below it */
	SIFT_BELOW, /* a directory: itself only if something below it goes along */
	SIFT_IN,    /* it does; what is below it is asked for by itself */
};

struct sift *sift_new(void) MUST_USE;
void sift_free(struct sift *sift);
DEFINE_AUTO(sift)

/* One --exclude. ERR_INVALID for a pattern that is none. */
struct err *sift_exclude(struct sift *sift, const char *pattern) MUST_USE;
/* Let only this path go along, once; it is clean, and "" is everything. Without wildcards it means
 * what it says, blanks and `!` included. */
struct err *sift_include(struct sift *sift, const char *path) MUST_USE;

/* What becomes of an entry; `path` is clean and not empty. */
enum sift_answer sift_ask(const struct sift *sift, const char *path);

#endif
