/*
 * builder/copy.h - put selected files into a layer.
 *
 * Copying writes straight into the layer's upper directory, without a mount
 * (builder/landing.h): the destination is resolved against what lies below, links
 * are followed within the root. The rules for names, owners and modes are those of
 * frontend 1.26. Files keep their times, holes, attributes and ACLs; names of one
 * file stay so within a source. The caller's umask must leave 0755 alone.
 */
#ifndef BUILDER_COPY_H
#define BUILDER_COPY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "builder/chmod.h"
#include "builder/selection.h"

struct err;
struct landing;
struct pool;

struct copy_opts {
	const char *dest; /* absolute */
	bool dest_is_dir; /* it ended in a slash, or there are several sources */
	bool keep_owner;  /* what is copied keeps its owner; else `uid` and `gid` */
	bool given_owner; /* --chown: also for parents that are new */
	uid_t uid;
	gid_t gid;
	struct chmod_spec chmod;
	struct pool *pool; /* for large sources; not the one of the calling thread; may be NULL */
};

/* Copy what is selected, and loaded (selection_load()), into `fs_fd`, the upper directory of a
 * layer on top of `below_fd` (a view of the stack). ERR_INVALID for a file over a directory or
 * the reverse, naming both, for a source that is not what was scanned, also after the last of it
 * was read, and for a character device 0:0, which would be a whiteout. */
struct err *copy_run(const struct tree *tree, const struct selection *selection,
		     const struct copy_opts *opts, int below_fd, int fs_fd) MUST_USE;

/* Copy a file that stands in the Recipe, as if it were a source called `name`: 0644, but for
 * opts->chmod, and of this moment. */
struct err *copy_text(const char *name, struct str content, const struct copy_opts *opts,
		      int below_fd, int fs_fd) MUST_USE;

/* A file that was fetched; `fd` stands at its beginning. */
struct copy_file {
	const char *name;
	int fd; /* borrowed */
	uint64_t size;
	mode_t mode; /* permission bits, to which opts->chmod is applied */
	struct timespec mtime;
};

/* Copy it, as if it were a source of that name. */
struct err *copy_file_from(const struct copy_file *file, const struct copy_opts *opts, int below_fd,
			   int fs_fd) MUST_USE;

/* Enter the destination as a directory, making it and what leads to it where that is missing. `ret` is the
 * caller's to leave and to release. */
struct err *copy_enter(const struct copy_opts *opts, int below_fd, int fs_fd, struct landing *ret)
	MUST_USE;

/* WORKDIR: make `path` in the upper directory unless it is there below; new directories are 0755
 * and owned by `uid`:`gid`. ERR_INVALID if something else is in the way. */
struct err *copy_make_dir(const char *path, uid_t uid, gid_t gid, int below_fd, int fs_fd) MUST_USE;

#endif
