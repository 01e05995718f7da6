/* builder/tree_hash.c - digests of files and directories, and the cache of them; see builder/tree.h. */

#include "builder/tree-private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/vec.h"
#include "builder/ignore.h"
#include "builder/statcache.h"

#define HASH_CHUNK 65536 /* on the stack */

/* Feed xattrs, each with its lengths. */
static void hash_xattrs(const struct xattrs *set, struct hasher *h)
{
	vec_foreach (set, attr) {
		AUTO(mem)
		char *head =
			xasprintf("%zu %zu %s=", strlen(attr->name), attr->value.len, attr->name);

		hasher_update(h, head, strlen(head));
		hasher_update(h, attr->value.at, attr->value.len);
	}
}

static struct err *digest_xattrs(const struct xattrs *set, struct digest *ret)
{
	AUTO(hasher) struct hasher *h = NULL;

	*ret = (struct digest){ { 0 } };
	if (set->len == 0)
		return NULL;
	h = hasher_new();
	hash_xattrs(set, h);
	return hasher_finish(h, ret);
}

struct err *tree_read_xattrs(const struct tree_node *node, int fd, struct xattrs *ret)
{
	struct digest digest;

	TRY(err_wrap(xattrs_read(fd, XATTR_VIEW, ret), "'%s'", node->name));
	if (!node->hashed || !S_ISDIR(node->mode))
		return NULL;
	TRY(digest_xattrs(ret, &digest));
	return digest_equal(&digest, &node->digest) ? NULL : tree_changed(node);
}

static struct err *hash_data(const struct tree_node *node, int fd, uint64_t len, struct hasher *h)
{
	UNCLEARED char chunk[HASH_CHUNK];

	while (len > 0) {
		size_t want = len < sizeof(chunk) ? (size_t)len : sizeof(chunk);
		size_t got;

		TRY(file_read_some(fd, chunk, want, node->name, &got));
		if (got == 0)
			return tree_changed(node);
		hasher_update(h, chunk, got);
		len -= got;
		TRY(cancel_check());
	}
	return NULL;
}

static struct err *hash_zeros(uint64_t len, struct hasher *h)
{
	static const char zeros[HASH_CHUNK];

	while (len > 0) {
		size_t some = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);

		hasher_update(h, zeros, some);
		len -= some;
		TRY(cancel_check());
	}
	return NULL;
}

/* The bytes of a file. Its holes are zeros, but need not be read. */
static struct err *hash_content(const struct tree_node *node, int fd, struct hasher *h)
{
	uint64_t begin, end;

	if (!node->sparse)
		return hash_data(node, fd, node->size, h);
	for (uint64_t at = 0; at < node->size; at = end) {
		TRY(file_next_data(fd, at, node->size, &begin, &end));
		TRY(hash_zeros(begin - at, h));
		TRY(hash_data(node, fd, end - begin, h));
	}
	return NULL;
}

/* Digest of size, content and kept xattrs: the size says where the content ends. */
static struct err *hash_file(int dir_fd, struct tree_node *node)
{
	AUTO(xattrs) struct xattrs xattrs = { 0 };
	AUTO(hasher) struct hasher *h = hasher_new();
	AUTO(fd) int fd = -1;
	char head[24];

	TRY(tree_open_child(node, dir_fd, &fd));
	hasher_update(h, head, (size_t)snprintf(head, sizeof(head), "%" PRIu64 ":", node->size));
	TRY(hash_content(node, fd, h));
	TRY(tree_read_xattrs(node, fd, &xattrs));
	hash_xattrs(&xattrs, h);
	TRY(hasher_finish(h, &node->digest));
	TRY(tree_expect_unchanged(node, fd));
	node->hashed = true;
	return NULL;
}

struct err *tree_hash_dir(struct tree_node *dir, int fd)
{
	AUTO(xattrs) struct xattrs xattrs = { 0 };

	if (dir->hashed)
		return NULL;
	TRY(tree_read_xattrs(dir, fd, &xattrs));
	TRY(digest_xattrs(&xattrs, &dir->digest));
	dir->hashed = true;
	return NULL;
}

/* Zeroed first: the cache compares keys as bytes. */
static struct statcache_key key_of(const struct tree_node *node)
{
	struct statcache_key key;

	memset(&key, 0, sizeof(key));
	key.dev = node->dev;
	key.ino = node->ino;
	key.size = node->size;
	key.mtime_sec = node->mtime.tv_sec;
	key.mtime_nsec = (uint32_t)node->mtime.tv_nsec;
	key.ctime_sec = node->ctime.tv_sec;
	key.ctime_nsec = (uint32_t)node->ctime.tv_nsec;
	return key;
}

struct err *tree_hash_child(const struct tree *tree, struct tree_node *node, int dir_fd,
			    const char *path)
{
	struct statcache_key key = key_of(node);

	if (node->hashed || !S_ISREG(node->mode))
		return NULL;
	if (tree->cache &&
	    statcache_find(tree->cache, str_of(path), str_of(node->name), &key, &node->digest)) {
		node->hashed = true;
		return NULL;
	}
	TRY(err_wrap(hash_file(dir_fd, node), "in '%s'", path[0] ? path : "."));
	node->fresh = true;
	node->parent->fresh = true;
	return NULL;
}

struct err *tree_hash(struct tree *tree, struct tree_node *file)
{
	AUTO(mem) char *path = tree_path(file->parent);
	AUTO(fd) int fd = -1;

	TRY(tree_open_dir(tree, path, &fd));
	return tree_hash_child(tree, file, fd, path);
}

/* ---- the stat cache ---- */

/* Everything that is known of one directory: from this run, or still true from an earlier one. */
static void remember_dir(struct tree *tree, const struct tree_node *dir)
{
	AUTO(mem) char *path = tree_path(dir);
	AUTO(mem) struct statcache_entry *entries = xcalloc(dir->child_count, sizeof(*entries));
	size_t count = 0;

	for (size_t i = 0; i < dir->child_count; i++) {
		const struct tree_node *node = &dir->children[i];
		struct statcache_key key = key_of(node);
		struct digest digest = node->digest;

		if (!S_ISREG(node->mode))
			continue;
		if (node->hashed ||
		    statcache_find(tree->cache, str_of(path), str_of(node->name), &key, &digest))
			entries[count++] = (struct statcache_entry){ node->name, key, digest };
	}
	statcache_put(tree->cache, str_of(path), entries, count);
}

/* True for the path of a directory that is not there: it, or one above it, is missing among the
 * entries of a directory that was read. What is ignored may well be there, for other builds. */
static bool is_gone(const void *arg, struct str path)
{
	const struct tree *tree = arg;
	const struct tree_node *at = &tree->root;

	for (struct str rest = path; rest.len > 0;) {
		struct str name = str_cut(&rest, '/');
		const struct tree_node *child;

		if (!at->loaded)
			return false;
		child = tree_child(at, name);
		if (!child) {
			AUTO(mem)
			char *missing = str_dup(
				(struct str){ path.at, (size_t)(name.at + name.len - path.at) });

			return !tree->ignore || !ignore_match(tree->ignore, missing, NULL);
		}
		if (!S_ISDIR(child->mode))
			return true;
		at = child;
	}
	return false;
}

struct err *tree_remember(struct tree *tree)
{
	VEC(const struct tree_node *) pending = { 0 };

	if (!tree->cache)
		return NULL;
	vec_push(&pending, &tree->root);
	while (pending.len > 0) {
		const struct tree_node *dir = pending.at[--pending.len];

		if (dir->fresh)
			remember_dir(tree, dir);
		for (size_t i = 0; i < dir->child_count; i++)
			if (dir->children[i].child_count > 0)
				vec_push(&pending, &dir->children[i]);
	}
	vec_release(&pending);
	return statcache_save(tree->cache, is_gone, tree);
}
