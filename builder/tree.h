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
 * source path are resolved by tree_find() against the scanned tree.
 *
 * Whatever loads or hashes takes the tree without const, and is for one thread
 * at a time; tree_load_all() has its own threads inside. What takes it as const
 * only reads, and so do those that look at nodes: any number of threads may, once
 * all that they look at is loaded. COPY steps that run at the same time share the
 * context in this way: planning has loaded all that they select.
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
#include "overlay/xattr.h"

struct err;
struct hasher;
struct ignore;
struct pool;
struct sift;
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
	struct digest digest; /* once `hashed`: see tree_load_all() */
	bool hashed;
	bool shared;         /* names of it come and go in the store, which changes its ctime */
	bool sparse;         /* it has holes that are worth looking for */
	bool plain;          /* its mode is not what it has, but the one of tree_take_git_modes() */
	bool fresh;          /* a file: hashed in this run; a directory: has such a file */
	bool loaded;         /* `children` are known */
	bool excluded;       /* a directory kept only for what may be below it */
	atomic_bool visible; /* not excluded, or something of what is loaded below it is not */
	struct tree_node *children; /* sorted by name, owned */
	size_t child_count;
};

struct tree {
	int root_fd;                 /* owned */
	const struct ignore *ignore; /* borrowed; NULL: nothing is excluded */
	struct statcache *cache;     /* borrowed; NULL: every digest is computed */
	atomic_bool twins;           /* see tree_has_twins() */
	dev_t skip_dev;              /* see tree_skip() */
	ino_t skip_ino;              /* 0: nothing is skipped */
	bool recorded;               /* see tree_read_records() */
	bool git_modes;              /* see tree_take_git_modes() */
	struct tree_node root;
};

/* Takes ownership of `root_fd`. */
struct err *tree_open(int root_fd, const struct ignore *ignore, struct statcache *cache,
		      struct tree **ret) MUST_USE;
void tree_free(struct tree *tree);
DEFINE_AUTO(tree)

/* Leave out the directory `fd` wherever it is met: the store, when it lies in the context. For a
 * tree of which nothing is loaded yet. */
struct err *tree_skip(struct tree *tree, int fd) MUST_USE;

/* It is of the store's, where owners and devices may be recorded (overlay/owner.h). In anybody else's tree an
 * attribute of that name says nothing. For a tree of which nothing is loaded yet. */
struct err *tree_read_records(struct tree *tree) MUST_USE;

/* See modes as git keeps them: a directory is 0755, and so is what its owner may execute; all else is
 * 0644, but links, which have none. Nothing that reads the tree can tell modes apart that come
 * out the same. For a tree of which nothing is loaded yet. */
void tree_take_git_modes(struct tree *tree);

/* Read the children of a directory, if they are not known. */
struct err *tree_load(struct tree *tree, struct tree_node *dir) MUST_USE;
/* Read everything below `node`. With `hash` every regular file has its digest afterwards, of its
 * size, content and kept xattrs; and every directory, of its kept xattrs, all zero if it has none.
 * What a `sift` leaves out is not looked into; NULL: there is none. `pool` may be NULL. */
struct err *tree_load_all(struct tree *tree, struct tree_node *node, const struct sift *sift,
			  bool hash, struct pool *pool) MUST_USE;

/* True if something but a directory, of all that was read so far, has several names. */
bool tree_has_twins(const struct tree *tree);

/* The kept xattrs of a file or directory that is open as `fd`. Those of a directory that is hashed
 * must be the same still, else it is the error of tree_expect_unchanged(). */
struct err *tree_read_xattrs(const struct tree_node *node, int fd, struct xattrs *ret) MUST_USE;

/* Make sure that one regular file has its digest. */
struct err *tree_hash(struct tree *tree, struct tree_node *file) MUST_USE;

/* Hand what was hashed in this run to the stat cache and save it, without the directories that are
 * no more. */
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

/* ERR_INVALID "PATH changed while it was read" if the open node is not what was scanned. For
 * whoever has read the last of its bytes: it holds for all of them then. */
struct err *tree_expect_unchanged(const struct tree_node *node, int fd) MUST_USE;

#endif
