/*
 * builder/tree.h - what COPY reads: a directory tree, scanned once and on demand.
 *
 * A tree is a build context (with its ignore rules applied: what they exclude
 * does not exist) or the view of another stage. Directories are read when they
 * are first asked for, children sorted by bytes. Regular files are hashed only
 * if somebody needs their digest, and not at all if the stat cache of an earlier
 * build knows them: same path, device, inode, size, mtime and ctime, and not
 * changed so lately that the clock's granularity could hide a change (the racy
 * rule of git's index).
 *
 * The root is never left: names are opened beneath it, and symbolic links in a
 * source path are resolved by tree_find() against the scanned tree. A tree is
 * not thread safe; tree_load() uses a pool inside.
 */
#ifndef BUILDER_TREE_H
#define BUILDER_TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

struct err;
struct ignore;
struct pool;
struct statcache;

struct tree_node {
	struct tree_node *parent; /* NULL for the root */
	char *name;               /* owned; "" for the root */
	uint32_t mode;            /* type and permission bits */
	uint32_t uid, gid;
	uint32_t nlink;
	dev_t dev, rdev;
	ino_t ino;
	uint64_t size;
	struct timespec mtime, ctime;
	char *link;           /* a symbolic link's target, owned */
	struct digest digest; /* of the content and xattrs, once `hashed` */
	bool hashed;
	bool fresh;                 /* a file: hashed in this run; a directory: has such a file */
	bool loaded;                /* `children` are known */
	bool excluded;              /* a directory kept only because something below it is not */
	struct tree_node *children; /* sorted by name, owned */
	size_t child_count;
};

struct tree {
	int root_fd;                 /* owned */
	const struct ignore *ignore; /* borrowed; NULL: nothing is excluded */
	struct statcache *cache;     /* borrowed; NULL: every digest is computed */
	atomic_bool twins;           /* see tree_has_twins() */
	struct tree_node root;
};

/* Takes ownership of `root_fd`. */
struct err *tree_open(int root_fd, const struct ignore *ignore, struct statcache *cache,
		      struct tree **ret) MUST_USE;
void tree_free(struct tree *tree);
DEFINE_AUTO(tree)

/* Read the children of a directory, if they are not known. */
struct err *tree_load(struct tree *tree, struct tree_node *dir) MUST_USE;
/* Read everything below `node`; with `hash` every regular file has its digest afterwards. `pool`
 * may be NULL. */
struct err *tree_load_all(struct tree *tree, struct tree_node *node, bool hash, struct pool *pool)
	MUST_USE;

/* True if something but a directory, of all that was read so far, has several names. */
bool tree_has_twins(const struct tree *tree);

/* Make sure that one regular file has its digest. */
struct err *tree_hash(struct tree *tree, struct tree_node *file) MUST_USE;

/* Hand what was hashed in this run to the stat cache and save it. */
struct err *tree_remember(struct tree *tree) MUST_USE;

/* The node of a path below `from`: ".." stays within the root, symbolic links on the way, and as
 * the last component if `follow`, are followed within the root (at most 40). `*ret` is NULL if
 * there is no such thing. */
struct err *tree_find(struct tree *tree, struct tree_node *from, struct str path, bool follow,
		      struct tree_node **ret) MUST_USE;

/* "src/main.c"; "" for the root. Owned by the caller. */
char *tree_path(const struct tree_node *node) MUST_USE;

/* Open a node beneath the root and make sure it is still what was scanned (a directory may have got
 * new entries): ERR_INVALID "PATH changed while it was read" otherwise. Never blocks, never
 * follows. */
struct err *tree_open_node(const struct tree *tree, const struct tree_node *node, int *ret_fd)
	MUST_USE;

/* The same for a node in the directory `dir_fd`. */
struct err *tree_open_child(const struct tree_node *node, int dir_fd, int *ret_fd) MUST_USE;

/* True for an xattr that a copy keeps: user.* and security.capability, but none of overlayfs. */
bool tree_keeps_xattr(const char *name);

#endif
