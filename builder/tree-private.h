/*
 * builder/tree-private.h - what scanning and hashing a tree share.
 */
#ifndef BUILDER_TREE_PRIVATE_H
#define BUILDER_TREE_PRIVATE_H

#include "builder/tree.h"

/* Open a directory by its path from the root. */
struct err *tree_open_dir(const struct tree *tree, const char *path, int *ret_fd) MUST_USE;

/* The entry of that name in a loaded directory, or NULL. */
struct tree_node *tree_child(const struct tree_node *dir, struct str name);

/* The error that says so of a node. */
struct err *tree_changed(const struct tree_node *node) MUST_USE;

/* Give the directory that is open as `fd` its digest, if it has none. */
struct err *tree_hash_dir(struct tree_node *dir, int fd) MUST_USE;

/* The same of a regular file in the open directory `dir_fd`, whose path is `path`, from the stat
 * cache or from its bytes; anything else is left alone. */
struct err *tree_hash_child(const struct tree *tree, struct tree_node *node, int dir_fd,
			    const char *path) MUST_USE;

#endif
