/*
 * builder/context.h - contexts that are no directory of this machine: fetched before they are read.
 *
 * Standard input and a file of the web are a tar, which is unpacked, or a Recipe
 * alone: what they hold decides. A file of the web that --build-context names is
 * a file if it is no tar. A git repository is checked out, a commit without `.git` unless
 * that is asked for. All of it lies below the lease of this process in the store,
 * and goes when the store is closed, however the build ends.
 */
#ifndef BUILDER_CONTEXT_H
#define BUILDER_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "builder/dependency.h"
#include "builder/script.h"

struct client;
struct context_spec;
struct err;
struct progress;
struct secrets;
struct source_policy;
struct store;

struct context_opts {
	struct store *store;
	struct client *client;         /* NULL: there is no network */
	const struct secrets *secrets; /* who we are where (builder/remote_auth.h); NULL: nobody */
	const struct source_policy *policy; /* which sources may be; NULL: all */
	bool keep_git_dir;                  /* of a repository whose URL does not say */
	bool named;                /* --build-context has it, and there is no Recipe in it */
	struct progress *progress; /* NULL: silence */
};

struct context {
	bool remote;                      /* it was fetched; else all but `transfers` is empty */
	int fd;                           /* the directory, owned; -1: there is none */
	struct buf recipe;                /* a Recipe that came alone; empty: there is none */
	char *recipe_name;                /* what errors call it, owned; NULL: there is none */
	bool has_time;                    /* somebody says how old the content is: */
	int64_t time;                     /* in seconds */
	bool fetched;                     /* something came over the network just now */
	struct dependencies dependencies; /* what came, and from where; not standard input */
	unsigned transfers;               /* of the build so far, this one among them */
};

#define CONTEXT_INIT ((struct context){ .fd = -1, .recipe = BUF_INIT(SCRIPT_MAX) })

/* Whether a context has to be fetched: it is not a directory of this machine, nor an image. */
bool context_is_remote(const struct context_spec *spec);

/* Fetch it. `ret` is CONTEXT_INIT, and the caller's to release, also after an error. ERR_INVALID for what
 * can be no context; ERR_CORRUPT for a damaged archive; else as the source has it. */
struct err *context_fetch(const struct context_opts *opts, const struct context_spec *spec,
			  struct context *ret) MUST_USE;
void context_release(struct context *context);

static inline void context_auto_(struct context *context)
{
	context_release(context);
}

#endif
