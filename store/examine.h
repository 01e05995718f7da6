/*
 * store/examine.h - is everything in the store what it should be?
 *
 * Blobs are hashed, trees compared with what is known of them, records and links read, and each
 * named image must be there whole. What is wrong is told with its object, its place, and what to do.
 *
 * A repair takes what is damaged out of view, so that from then on it is absent and is made anew when it
 * is needed; and makes anew at once what can be: a blob from its tree, a tree from its blob, links, the
 * view. Names are never deleted, whatever became of their images.
 *
 * What the death of a process may leave (a link that leads nowhere, a view that is one change ahead), or a
 * power cut (a layer or step that never reached the disk: it is as absent), is no damage: it is a note.
 *
 * One thing that cannot be checked hides none of the others: it is told, and counted.
 */
#ifndef STORE_EXAMINE_H
#define STORE_EXAMINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/vec.h"

struct err;
struct image;
struct layer_meta;
struct store;

enum examine_state {
	EXAMINE_WRONG,    /* and still so */
	EXAMINE_REPAIRED, /* it was wrong */
	EXAMINE_NOTE,     /* not as it should be, and no harm */
	EXAMINE_UNKNOWN,  /* it could not be checked: a full disk, one that does not answer */
	EXAMINE_STATES,
};

/* "wrong", "repaired", "note", "unknown": a literal. */
const char *examine_state_name(enum examine_state state);

struct examine_finding {
	enum examine_state state;
	char *object; /* "blob sha256:...", "image app:latest"; owned, and so are the others */
	char *place;  /* below the store's root */
	char *what;
	char *remedy; /* what a person can do; NULL: nothing needs to be done */
};

/* Whoever knows trees (overlay/verify.h). */
struct examine_hands {
	struct err *(*verify_layer)(struct store *store, const char *lid, struct err **ret_wrong);
	struct err *(*remake_layer)(struct store *store, const struct layer_meta *meta,
				    bool *ret_done);
	struct err *(*remake_blob)(struct store *store, const struct image *image, size_t i,
				   bool *ret_done);
};

struct examine_opts {
	const struct examine_hands *hands;
	bool repair;
	bool quick;                  /* no contents: documents, records, links and sizes only */
	const struct strings *names; /* canonical: only these images; NULL or empty: everything */
};

struct examine_report {
	struct examine_finding *at; /* owned */
	size_t len, cap;
	uint64_t blobs, layers, steps, images; /* how many were looked at */
	uint64_t counts[EXAMINE_STATES];
};

void examine_report_release(struct examine_report *report);

static inline void examine_report_auto_(struct examine_report *report)
{
	examine_report_release(report);
}

/* Others may work in the store meanwhile. Fails if the store cannot even be listed, and ERR_NOT_FOUND for a
 * name that there is not; what is wrong in the store is no error. */
struct err *examine_run(struct store *store, const struct examine_opts *opts,
			struct examine_report *ret) MUST_USE;

#endif
