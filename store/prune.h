/*
 * store/prune.h - give disk back: what nobody asks for any more.
 *
 * Named images stay, always, and so does what a living process uses. Everything
 * else is a cache: it goes when it was not used for some time, when the store is
 * larger than it may be (the one that was used longest ago first), or when it is
 * asked for. Layers and blobs go with the last thing that keeps them; what nothing
 * keeps at all is rubbish, and always goes.
 *
 * Others work meanwhile. They are held up only while something is taken out of
 * view, for a few milliseconds at a time; deleting comes afterwards.
 */
#ifndef STORE_PRUNE_H
#define STORE_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

struct err;
struct store;

enum holder_kind {
	HOLDER_NAME,    /* an image with a name: never goes */
	HOLDER_IMAGE,   /* an image without one */
	HOLDER_STEP,    /* the result of a build step */
	HOLDER_WEB,     /* a file that ADD fetched */
	HOLDER_MOUNT,   /* the contents of a RUN --mount=type=cache */
	HOLDER_GIT,     /* a repository that was fetched */
	HOLDER_CONTEXT, /* what is known of the files of a build context */
	HOLDER_LOG,     /* events and output of a build */
	HOLDER_PARTIAL, /* a download that broke off */
	HOLDER_HINT,    /* where else a blob is */
	HOLDER_FAILED,  /* a step that failed, and what it had written */
	HOLDER_KINDS,
};

/* "name", "image", "step", ...: a literal. */
const char *holder_kind_name(enum holder_kind kind);

#define PRUNE_NO_LIMIT UINT64_MAX

struct prune_opts {
	unsigned kinds;     /* a bit for each holder_kind that may go */
	uint64_t unused;    /* seconds: what was not used for so long goes; 0: all of it */
	uint64_t max_bytes; /* keep taking until the store is not larger; PRUNE_NO_LIMIT: no matter.
			     * Then `unused` says what may go, not what must. */
	bool dry_run;       /* only tell */
};

struct prune_count {
	uint64_t count;
	uint64_t bytes; /* on disk, as du counts them */
};

struct prune_report {
	uint64_t before, after; /* the whole store, on disk; of a dry run what it would be */
	struct prune_count holders[HOLDER_KINDS];
	struct prune_count layers, blobs;
	uint64_t held_ns; /* the longest time for which others were held up */
	uint64_t in_use;  /* how many were kept because somebody uses them just now */
};

/* ERR_SYSTEM as the file system fails; what is gone by then is gone whole. */
struct err *prune_run(struct store *store, const struct prune_opts *opts, struct prune_report *ret)
	MUST_USE;

/* Keep the store below `bytes`, on disk, from now on; PRUNE_NO_LIMIT: no more. It is kept in the file
 * "limit" of the store. */
struct err *prune_set_limit(struct store *store, uint64_t bytes) MUST_USE;
/* For the end of a command that may have made something: prune if the store is above its limit.
 * `*ret_pruned` is false, and nothing is measured, if there is no limit or nothing was made. */
struct err *prune_keep_limit(struct store *store, bool *ret_pruned, struct prune_report *ret)
	MUST_USE;

/* One line of what a store takes. */
struct usage_line {
	char *name;           /* at the top of the store, "." for the directory itself; owned */
	bool known;           /* it is one of the store's own */
	uint64_t count;       /* of things in it; 0 if they are not counted */
	uint64_t bytes;       /* on disk */
	uint64_t reclaimable; /* of these, what a prune of everything would give back now */
};

struct usage_report {
	struct usage_line *at; /* owned */
	size_t len, cap;
	uint64_t total; /* of all lines; the same as `du -s` of the store's directory */
};

void usage_report_release(struct usage_report *report);

static inline void usage_report_auto_(struct usage_report *report)
{
	usage_report_release(report);
}

/* What takes how much. Processes that live keep what they use from being reclaimable. */
struct err *usage_tell(struct store *store, struct usage_report *ret) MUST_USE;

#endif
