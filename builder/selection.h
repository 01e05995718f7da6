/*
 * builder/selection.h - the sources of a COPY, found in a tree.
 *
 * The rules are those of frontend 1.26: each source is rooted, ".." stays
 * within the root; `*`, `?` and `[set]` match within one component; a pattern
 * that matches nothing is skipped, a plain path that is missing is an error;
 * links in the path and as its last component are followed; a directory stands
 * for its contents.
 */
#ifndef BUILDER_SELECTION_H
#define BUILDER_SELECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "builder/tree.h"

struct chmod_spec;
struct err;
struct hasher;
struct pool;
struct sift;
struct strings;

struct selected {
	struct tree_node *node; /* borrowed from the tree */
	char *name;             /* owned: the name that a file gets inside a directory */
	struct sift *sift;      /* owned: what of a directory goes along; NULL: everything */
	/* What the sift leaves out of what is visible, without what is below that; by address. Known
	 * once the directory is loaded. */
	struct {
		const struct tree_node **at;
		size_t len, cap;
	} left_out;
};

struct selection {
	/* To be set before anything is added. */
	const struct strings *excludes; /* --exclude, borrowed while adding; NULL: none */
	bool parents;                   /* --parents */
	const struct chmod_spec *chmod; /* --chmod, borrowed while digesting; NULL: none */

	struct selected *at;
	size_t len, cap;
};

void selection_release(struct selection *selection);

static inline void selection_auto_(struct selection *selection)
{
	selection_release(selection);
}

/* Add what `pattern` selects. ERR_NOT_FOUND for a plain path that is not there; `what` names the
 * tree in the text ("the build context", "stage build"). */
struct err *selection_add(struct selection *selection, struct tree *tree, const char *pattern,
			  const char *what) MUST_USE;

/* True if `node`, of a loaded directory that is selected, goes along. */
bool selected_shows(const struct selected *selected, const struct tree_node *node);

/* Feed everything that decides the result of copying to `h`: names, types, modes as the copy has them
 * after --chmod, contents, links, names of one file, kept xattrs, and the owners if `owners`; no
 * times, and nothing of a selected directory itself. Loads and hashes what is needed. */
struct err *selection_digest(struct selection *selection, struct tree *tree, bool owners,
			     struct pool *pool, struct hasher *h) MUST_USE;

/* Load everything that is selected, as copy_run() needs it. `pool` may be NULL. */
struct err *selection_load(struct selection *selection, struct tree *tree, struct pool *pool)
	MUST_USE;

#endif
