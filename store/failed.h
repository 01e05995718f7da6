/*
 * store/failed.h - failed/<id>: what steps that failed have left, so that somebody can look at it.
 *
 * One record for each of the last few, with all that it takes to enter the step
 * again: the layers below it, the layer of what it had written, and its sandbox.
 * An id sorts by time. Neither values of secrets nor contents of mounts are in it:
 * a mount is told in words, and only which cache it was is known.
 *
 * Whoever enters a step holds a lock on its record, shared, so that it stays. The
 * layer of a failed step belongs to its record alone: no step record and no diff
 * id leads to it, so nothing is ever built on it.
 */
#ifndef STORE_FAILED_H
#define STORE_FAILED_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/layer.h"

struct err;
struct store;

#define FAILED_KEEP 4                                   /* steps */
#define FAILED_BYTES ((uint64_t)4 * 1024 * 1024 * 1024) /* that all of them take on disk */
#define FAILED_ID_SIZE 40

/* Something that the step found mounted. All texts are owned; "" where there is none. */
struct failed_mount {
	char *type;    /* "cache", "tmpfs", "bind", ...: the word of RUN --mount, or "volume" */
	char *target;  /* absolute */
	char *source;  /* what of it was shown */
	char *id;      /* of a cache, a secret or an agent */
	char *sharing; /* of a cache */
	char *env;     /* of a secret: the variable that held it */
	struct digest cache;
	bool read_only;
	uint64_t size;           /* of a tmpfs; 0: the usual */
	uint64_t mode, uid, gid; /* plus one; 0: not given */
};

struct failed_step {
	char id[FAILED_ID_SIZE]; /* set when it is put or found */
	struct timespec created; /* when it failed */
	unsigned number;         /* in its build, as progress shows it */
	unsigned index;          /* 1.. among the steps of its stage, */
	unsigned count;          /* of so many */
	char *stage, *title;     /* owned */
	int code;                /* with which the command ended */
	char lid[LAYER_ID_SIZE]; /* what it had written; empty: nothing */
	uint64_t bytes;          /* on disk */
	struct strings below;    /* lids, lowest first */

	struct strings argv, env; /* env without secrets */
	struct strings hosts;     /* lines for /etc/hosts */
	char *shell;              /* the program to enter it with */
	char *user, *cwd;         /* as RUN had them */
	char *hostname;           /* "": the usual one */
	char *network;            /* a word: "host", "none", ... */
	bool insecure;            /* with all capabilities and no filter */
	bool host_root;           /* root was that of the machine, and not of a user namespace */
	uint64_t shm_size;        /* 0: the usual */
	struct {
		struct failed_mount *at;
		size_t len, cap;
	} mounts; /* by target */
};

void failed_step_release(struct failed_step *step);

/* Keep it, and take the oldest away. The layer is sealed and pinned; `*ret_kept` is false, and its layer
 * gone, if it is larger than all of them may be. Sets id and bytes of `step`. */
struct err *failed_put(struct store *store, struct failed_step *step, bool *ret_kept) MUST_USE;

/* The newest one for which `wanted` (NULL: any will do) says true. `*ret_lock`, the caller's, keeps it while it is
 * open. ERR_NOT_FOUND if there is none. */
struct err *failed_find(struct store *store,
			bool (*wanted)(void *self, const struct failed_step *step), void *self,
			struct failed_step *ret, int *ret_lock) MUST_USE;

/* Take the record out of view, unless somebody has entered the step: `*ret_gone` is false then. Its layer
 * is rubbish afterwards. */
struct err *failed_drop(struct store *store, const char *id, bool *ret_gone) MUST_USE;

static inline void failed_step_auto_(struct failed_step *step)
{
	failed_step_release(step);
}

#endif
