/*
 * store/examine-private.h - between store/examine.c, which looks at objects and records, and
 * store/examine_images.c, which looks at what names lead to.
 */
#ifndef STORE_EXAMINE_PRIVATE_H
#define STORE_EXAMINE_PRIVATE_H

#include "base/map.h"
#include "store/examine.h"
#include "store/graph-private.h"

struct examine {
	struct store *store;
	const struct examine_opts *opts;
	struct graph graph;
	struct map wanted; /* "L<lid>" and "B<hex>" of the images that were asked for */
	struct map bad;    /* hex of blobs that are damaged and still there */
	struct examine_report report;
};

/* Takes ownership of `what`. `remedy` may be NULL. Returns the finding, until the next one. */
struct examine_finding *examine_tell(struct examine *exam, const char *object, const char *place,
				     char *what, const char *remedy);
/* It is as it should be again, or is gone and will be made anew. */
void examine_repaired(struct examine *exam, struct examine_finding *finding);
void examine_note(struct examine *exam, struct examine_finding *finding);
/* What the system refused while an object was looked at, `err`, is told of that object, and the others
 * come next; any other error is given back. */
struct err *examine_go_on(struct examine *exam, const char *object, const char *place,
			  struct err *err) MUST_USE;

struct err *examine_images(struct examine *exam) MUST_USE;

#endif
