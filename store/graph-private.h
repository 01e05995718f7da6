/*
 * store/graph-private.h - what keeps what: holders and objects.
 *
 * An object is a layer or a blob. A holder is what a person or a cache asks for:
 * a named image, an image without a name, a step record, a file of the web. Each
 * holder keeps the objects that it leads to, and an object that none keeps is
 * rubbish. Other caches (mounts, repositories, logs, ...) keep nothing and are
 * holders of themselves alone.
 *
 * The graph is read without any lock, so it is a guess about a store that others
 * change meanwhile. graph_refresh(), under the exclusive prune lock, turns the guess
 * into the truth for what matters to somebody who deletes: it finds every holder
 * that has appeared since, and every pin of a living process. Directories that were
 * not written to since they were read are not read again, so it takes well below a
 * millisecond when little has changed.
 */
#ifndef STORE_GRAPH_PRIVATE_H
#define STORE_GRAPH_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/prune.h"
#include "store/usage.h"

struct err;
struct store;

enum object_kind { OBJECT_LAYER, OBJECT_BLOB };

struct object {
	enum object_kind kind;
	char name[65];    /* a lid, or 64 hex digits */
	uint64_t bytes;   /* on disk; of a layer 0 until it is measured */
	uint32_t holders; /* that are not dropped */
	bool read;        /* what it leads to is known */
	bool gone;        /* taken out of view */
	bool measured;
	bool fresh;             /* found after everything was read: it stays */
	uint32_t stamp;         /* of the last holder that was seen to keep it */
	VEC(uint32_t) leads_to; /* objects */
	uint32_t next_of_diff;  /* the next layer with the same diff id, plus one; 0: none */
};

struct holder {
	enum holder_kind kind;
	char *path; /* below the store's root, owned: "refs/...", "steps/ab/abcd..." */
	ino_t inode;
	struct timespec used, changed; /* modification and change time */
	uint64_t bytes;                /* its own, on disk */
	bool settled;                  /* it had rested: another one of its name has another time */
	bool chosen;                   /* somebody wants it to go */
	bool dropped;
	bool replaced; /* and another one of its path has come, with what it takes */
	VEC(uint32_t) objects;
};

/* A directory of holders, and the state in which it was read. */
struct shelf {
	char path[16]; /* "refs", "steps/ab" */
	enum holder_kind kind;
	struct timespec changed;
	bool settled; /* it had rested for long enough that a later change shows in its time */
};

struct graph {
	struct store *store; /* borrowed */
	struct usage usage;
	VEC(struct object) objects;
	VEC(struct holder) holders;
	struct map names; /* "L<lid>", "B<hex>", and "D<hex>" of a diff id: index plus one */
	struct map known; /* path of a holder: index plus one */
	struct map pins;  /* lines of living leases, "L <lid>" */
	VEC(struct shelf) shelves;
	uint32_t stamp;
	bool loaded;   /* all objects are known: another one has come since */
	bool exact;    /* the file system stamps what changes with this machine's clock, finely */
	uint32_t read; /* how many holders were read, ever */
	const char
		*named; /* the image whose documents are being read, borrowed; NULL: no named one */
};

struct graph_link {
	char path[160]; /* "diffs/..." or "ids/..." */
	uint64_t bytes;
};

struct graph_links {
	struct graph_link *at;
	size_t len, cap;
};

static inline void graph_links_auto_(struct graph_links *links)
{
	vec_release(links);
}

void graph_release(struct graph *graph);

static inline void graph_auto_(struct graph *graph)
{
	graph_release(graph);
}

/* Read everything. Fails only as the file system does: a document that cannot be read keeps nothing
 * but itself, with a warning. `graph` is all zero; release it. */
struct err *graph_load(struct store *store, struct graph *graph) MUST_USE;
/* Learn what every object leads to, also those that nobody keeps. */
struct err *graph_read_rest(struct graph *graph) MUST_USE;
/* Learn how much disk each layer takes. */
struct err *graph_measure(struct graph *graph) MUST_USE;

/* The holder keeps nothing any more. */
void graph_drop(struct graph *graph, struct holder *holder);

/* Without any lock: read what has come since, so that graph_refresh() has little to do. */
struct err *graph_prepare(struct graph *graph) MUST_USE;
/* The caller holds the prune lock exclusively: find what has come since, and who lives. */
struct err *graph_refresh(struct graph *graph) MUST_USE;
/* As of the last refresh, and good until the lock is given up: whether a living process uses it. */
bool graph_object_in_use(const struct graph *graph, const struct object *object);
bool graph_holder_in_use(const struct graph *graph, const struct holder *holder);
/* Nobody keeps it, and nobody uses it: it is rubbish. */
bool graph_object_goes(const struct graph *graph, const struct object *object);
/* All objects in an order in which they may go: none before what leads to it. So whoever finds one of
 * them finds all that it leads to, and pins it. `ret` has room for all of them. */
void graph_order(const struct graph *graph, uint32_t *ret);
/* Whether a link in diffs/ or ids/ leads nowhere, or only to what goes. Such a link leads to
 * "../layers/<lid>" or "../../blobs/sha256/<hex>", which comes before it. */
bool graph_link_is_loose(const struct graph *graph, const char *path);
/* All of these. */
struct err *graph_find_loose(const struct graph *graph, struct graph_links *ret) MUST_USE;
/* Whether the process of this lease lives. */
bool graph_process_lives(const struct graph *graph, const char *lease);
/* Whether the holder of this path was dropped. */
bool graph_is_dropped(const struct graph *graph, const char *path);
/* How much lies in the trash, and in what the dead left. */
struct err *graph_rubbish(struct graph *graph, uint64_t *ret) MUST_USE;
/* The same of "trash", "tmp" or "leases" alone, added to `*bytes`. */
struct err *graph_rubbish_in(struct graph *graph, const char *dir, uint64_t *bytes) MUST_USE;
/* Whether some name leads to this image without one. */
bool graph_is_named(const struct graph *graph, const struct holder *image);

#endif
