/*
 * builder/plan.h - what a build will do, worked out before it does anything.
 *
 * Planning walks from the target stage to all that it needs: stages that it is
 * built on or copies from, and base images. Each instruction is expanded in the
 * scope of its stage and becomes a change of the stage's config, a row of its
 * history, and, for RUN, COPY and WORKDIR, a step with a key. Keys depend on
 * the base's layers, the instructions and the contents of the files that they
 * read, never on results: all are known when planning is done. Stages that the
 * target does not need are not looked at.
 *
 * A plan owns all that it points at. The executor fills in the fields below
 * "results".
 */
#ifndef BUILDER_PLAN_H
#define BUILDER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/vec.h"
#include "builder/chmod.h"
#include "builder/context_spec.h"
#include "builder/demands.h"
#include "builder/dependency.h"
#include "builder/ignore_file.h"
#include "builder/mount.h"
#include "builder/recipe.h"
#include "builder/selection.h"
#include "builder/volume.h"
#include "overlay/sandbox.h"
#include "overlay/stack.h"
#include "store/image.h"
#include "store/step.h"

struct build_opts;
struct build_target;
struct caches;
struct config;
struct err;
struct plan_stage;
struct pool;
struct scope;
struct statcache;
struct store;
struct tree;

/* A base image, once however many stages use it. */
struct plan_image {
	char *name;            /* as the Recipe says it */
	struct platform asked; /* for which it was wanted */
	struct image *image;
	struct descriptor target; /* what the name leads to: its manifest, or an index */
	struct digest key;        /* of its root filesystem: the chain id, or "empty" */

	/* results */
	enum {
		IMAGE_CLOSED,
		IMAGE_OPENING,
		IMAGE_OPEN,
		IMAGE_FAILED
	} state;            /* guarded by the execution's lock */
	struct stack stack; /* its layers, once it is open, and then never changed */
};

/* A directory tree that steps read: the build's own context, or one that --build-context names. It is opened by the
 * first who asks for its tree. */
struct plan_context {
	char *name;               /* as --build-context has it; NULL for all others */
	char *what;               /* for texts: "the build context", "context 'name'" */
	struct context_spec spec; /* what it is; all zero for one that was fetched already */
	/* A directory of this machine: with ignore rules, and digests that are remembered. Of all others what is copied
	 * keeps its owners. */
	bool local;
	char *image; /* NULL, or it is an image and no directory, called so in texts */
	struct dependencies
		dependencies; /* what was fetched for it; of the build's own opts->fetched has it */

	int fd; /* -1: not open */
	struct ignore_file ignore;
	struct statcache *cache; /* NULL: not local */
	struct tree *tree;       /* NULL: not open */
};

/* Where a COPY or a mount takes its files from. All NULL is scratch, the empty directory. */
struct plan_from {
	struct plan_stage *stage;
	struct plan_image *image;
	struct plan_context *context;
};

enum step_kind { STEP_RUN, STEP_COPY, STEP_WORKDIR };

/* A heredoc that is a source. */
struct plan_text {
	char *name;
	char *content; /* expanded */
};

/* A source of ADD, but for heredocs. */
struct plan_add {
	enum add_kind kind;
	bool unpack;                /* an archive becomes what is in it */
	struct selection selection; /* local: of the build's context */
	char *url;                  /* web: from where */
	char *name;                 /* web: what it is called in a directory */
	struct digest digest;       /* web: of a blob */
	int64_t time;               /* web: in seconds; 0 if it is not known */
	struct git_url git;
	char commit[GIT_COMMIT_SIZE];
	bool keep_git_dir;
	char *source; /* what a lock calls it (builder/source_lock.h); NULL: it says itself what it is */
};

struct plan_copy {
	bool is_add; /* ADD: `adds` says it, in place of `selection` */
	VEC(struct plan_add) adds;
	struct plan_from from;       /* without --from the build's context */
	struct strings sources;      /* expanded */
	struct selection selection;  /* of a context; empty otherwise */
	struct strings excludes;     /* --exclude */
	bool parents;                /* --parents */
	VEC(struct plan_text) texts; /* copied last */
	char *dest;                  /* absolute */
	bool dest_is_dir;            /* a trailing slash, or several sources */
	bool link;                   /* --link: see `alone` of a step */
	char *chown;                 /* expanded; NULL if not given */
	char *mode;                  /* the same of --chmod */
	struct chmod_spec chmod;
};

/* A --mount of RUN, with its variables filled in and its defaults. */
struct plan_mount {
	struct mount flag;
	char *target;               /* absolute and clean; NULL: a secret that is only a variable */
	char *id;                   /* cache, secret, ssh */
	unsigned number;            /* ssh: 0.. among those of its RUN, as they are written */
	struct plan_from from;      /* bind, cache: where the files come from */
	struct selection selection; /* of a context: what is bound, or begins a cache */
	struct digest cache;        /* cache: which one it is, store/cache_dir.h */
};

/* By target, so that one may lie in another. */
struct plan_mounts {
	struct plan_mount *at;
	size_t len, cap;
};

void plan_mounts_release(struct plan_mounts *mounts);

static inline void plan_mounts_auto_(struct plan_mounts *mounts)
{
	plan_mounts_release(mounts);
}

/* Where a RUN finds the heredoc that it executes. */
#define SCRIPT_DIR "/dev/pipes"

struct plan_step {
	unsigned number; /* 1.. in the order of planning, behind opts->steps_before */
	enum step_kind kind;
	struct plan_stage *stage;
	struct plan_step *below; /* the step whose result it starts from; NULL: the base */
	const struct instruction *instruction; /* in the recipe, also for ONBUILD triggers */
	unsigned index;                        /* 1.. among the steps of its stage */
	struct {
		struct plan_stage **at;
		size_t len, cap;
	} reads;          /* stages that it takes files from: they are done before it begins */
	bool alone;       /* its layer is made on nothing and goes on top of whatever is below: no
			   * part of its key, and nothing to wait for, unless */
	bool looks_below; /* names of owners are looked up there */

	struct strings argv; /* RUN */
	struct strings env;  /* RUN: in the key */
	struct strings
		unused; /* RUN: names of ARGs that have a value and are not in `env`: scope_unused() */
	struct strings proxies; /* RUN: not in the key */
	enum sandbox_network network;
	struct plan_mounts mounts; /* RUN */
	struct volumes devices;    /* RUN: of its --device */
	bool insecure;             /* RUN: with all capabilities and no filter */
	const char *script;        /* RUN: what /dev/pipes/<script_name> holds, or NULL */
	const char *script_name;
	char *user; /* RUN, WORKDIR: as USER has it; "" is root */
	char *cwd;  /* RUN: where it starts; WORKDIR: what it makes */
	struct plan_copy copy;

	struct step_record record; /* key and inputs; lid and times once it is done */

	/* results */
	bool fresh;              /* it is not looked up: opts->no_cache_stages */
	bool needed;             /* the target or a running step needs its layer */
	bool cached;             /* found, not run */
	bool asked;              /* other caches do not know it either, or are not to be asked */
	bool absent;             /* cached, but its layer is still elsewhere: builder/caches.h */
	struct layer_meta layer; /* lid empty: nothing changed */
	uint64_t memory_peak;    /* RUN: bytes; as events have it */
	uint64_t cpu_time;       /* RUN: nanoseconds */
};

struct plan_row {
	char *created_by;
	struct plan_step *step; /* NULL: a row without a layer */
};

struct plan_stage {
	const struct stage *stage;
	char *name;                /* its name, or "stage-1" */
	struct plan_image *image;  /* what it is built on: an image, */
	struct plan_stage *parent; /* or another stage; both NULL: scratch */
	struct platform platform;  /* of its base, else of the build */
	struct config *config;     /* after its last instruction */
	struct scope *scope;       /* likewise */
	struct plan_row *rows;     /* its own instructions; the base's rows are not among them */
	size_t row_count, row_cap;
	struct plan_step *top; /* its last step or its parent's; NULL: only the base */
	struct digest key;     /* of the root filesystem at its end */
	unsigned step_count;
	enum { PLAN_NEW, PLAN_OPEN, PLAN_DONE } state; /* PLAN_OPEN: being planned; finds cycles */
};

/* Whether the command line means this stage: by its name, in any case, or by its number. */
bool plan_stage_is(const struct plan_stage *stage, const char *wanted);

/* A stage that is wanted. */
struct plan_target {
	struct plan_stage *stage;
	const struct build_target *asked; /* borrowed */

	/* results */
	struct descriptor manifest, config; /* of its image, once assembled */
	struct descriptor attestation;      /* what is said about it; size 0: nothing is */
	struct descriptor
		top; /* what its names lead to: the manifest, or an index with it; the same in
				* all plans of a build */
};

struct plan {
	struct store *store;           /* borrowed */
	const struct build_opts *opts; /* borrowed */
	struct recipe *recipe;         /* owned */
	struct pool *pool;             /* borrowed */
	struct scope *globals;
	bool has_epoch;            /* of the options, else of a global ARG SOURCE_DATE_EPOCH */
	int64_t epoch;             /* no time in the image above it, in seconds */
	const char *hostname;      /* of RUN; NULL: the usual one; borrowed */
	struct plan_stage *stages; /* one per stage of the Recipe */
	size_t stage_count;
	struct plan_target *targets; /* at least one */
	size_t target_count;
	size_t kept_count; /* stages behind the targets that opts->save_stages makes images of */
	struct plan_stage *target; /* of the first of them */
	struct {
		struct plan_step **at;
		size_t len, cap;
	} steps; /* every step of a needed stage, dependencies first */
	struct {
		struct plan_image **at;
		size_t len, cap;
	} images;
	struct caches *caches; /* to look for what the store has not; borrowed; NULL: none */
	unsigned transfers;    /* from and to registries so far: the last one's number */
	struct {
		struct plan_context **at;
		size_t len, cap;
	} contexts;                   /* all of them */
	struct plan_context *context; /* the build's own, among them */
};

/* Takes ownership of `recipe`, which has the name of its file: without opts->recipe that is a file
 * in the context, and an ignore file named after it is looked for there. Base images that the store lacks are
 * fetched, if the options have a client. `pool` serves the scan of the context. Errors are about the Recipe,
 * with its place: ERR_INVALID, ERR_NOT_FOUND for an image or file, ERR_NETWORK, ERR_DENIED, ERR_UNSUPPORTED for a part of
 * the language that does not work yet. */
struct err *plan_make(struct store *store, const struct build_opts *opts, struct recipe *recipe,
		      struct pool *pool, struct plan **ret) MUST_USE;
void plan_free(struct plan *plan);
DEFINE_AUTO(plan)

#endif
