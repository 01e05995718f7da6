/*
 * builder/add.h - do what an ADD says: copy, unpack, and bring what was fetched.
 *
 * Files of the context that are archives become what is in them, in the directory that the destination then
 * is; everything else is copied as COPY does (builder/copy.h). An archive is not trusted: it is
 * unpacked by overlay/unpack.h, whose entries cannot get out of the destination.
 */
#ifndef BUILDER_ADD_H
#define BUILDER_ADD_H

#include "base/mem.h"
#include "builder/git_source.h"

struct copy_opts;
struct err;
struct plan_copy;
struct store;

struct add_site {
	struct store *store;
	const struct git_source_opts *git; /* for what has to be fetched yet */
	int below_fd;                      /* a view of what lies below the layer */
	int fs_fd;                         /* the layer */
};

/* `opts` is what holds for all sources; its dest_is_dir is set here. */
struct err *add_run(const struct add_site *site, const struct plan_copy *copy,
		    struct copy_opts *opts) MUST_USE;

#endif
