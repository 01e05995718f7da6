/*
 * base/file.h - files below a directory descriptor, safely and atomically.
 *
 * Every path is taken beneath a directory that is already open, and every
 * descriptor is O_CLOEXEC. `file_open_beneath` and its relatives resolve with
 * openat2(2): a path can leave its directory neither by "..", nor by an
 * absolute name, nor through a symbolic link. New files appear whole: they are
 * written under another name, and renamed.
 *
 * Functions without a `follow` of their own take FILE_NO_LINKS. Only AT_FDCWD in
 * place of a directory means FILE_ANYWHERE: the path is the user's own word, to
 * be taken as every other program takes it.
 *
 * Calls that block (a fifo, a terminal) go on after a signal, unless it is one
 * that ends the program: then they are ERR_CANCELLED.
 *
 * Errors: ERR_NOT_FOUND for ENOENT and ENOTDIR of the named object,
 * ERR_SYSTEM with errno for everything else; the text names the path.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

/* How a path below a directory is followed. */
enum file_follow {
	FILE_NO_LINKS, /* a symbolic link anywhere is an error (ELOOP) */
	FILE_BENEATH,  /* links are followed, but never out of the directory (EXDEV) */
	FILE_IN_ROOT,  /* links are followed as if the directory were "/" */
	FILE_ANYWHERE, /* as open(2) does, for paths that the user named */
};

/* openat2(2) beneath `dir_fd`; `flags` as in open(2), O_CLOEXEC is added. The descriptor is the
 * caller's. Magic links (/proc/self/fd/N) are followed by FILE_ANYWHERE alone. */
struct err *file_open(int dir_fd, const char *path, int flags, mode_t mode, enum file_follow follow,
		      int *ret_fd) MUST_USE;

/* Open a directory O_RDONLY. */
struct err *file_open_dir(int dir_fd, const char *path, int *ret_fd) MUST_USE;

/* Make a directory and its missing parents with `mode` (umask is not applied to the last one,
 * the parents are also u+rwx) and open it. One that exists is fine and keeps its mode. */
struct err *file_make_dirs(int dir_fd, const char *path, mode_t mode, int *ret_fd) MUST_USE;

/* Read the whole regular file, at most `max` bytes, appended to `buf` (whose own ceiling also
 * holds). ERR_INVALID if it is larger or no regular file; never blocks on a fifo. After an error
 * `buf` may hold a part. The position of `fd` neither matters nor changes. */
struct err *file_read(int dir_fd, const char *path, size_t max, struct buf *buf) MUST_USE;
struct err *file_read_fd(int fd, const char *name, size_t max, struct buf *buf) MUST_USE;

enum file_durability {
	FILE_QUICK,   /* atomic against a crash of the program */
	FILE_DURABLE, /* also fdatasync before the rename; the directory is the caller's to sync */
};

/* Put `data` at `path` (one component below `dir_fd`) by a temporary name beside it, ".tmp-" and
 * 16 hex digits, and a rename. Whoever reads it sees the old bytes or the new ones, whole. `mode`
 * is exact: no umask. Only a crash leaves the temporary name behind. */
struct err *file_replace(int dir_fd, const char *path, struct str data, mode_t mode,
			 enum file_durability durability) MUST_USE;

/* Up to `len` bytes from where `fd` stands; `*ret` is 0 at the end alone. `name` is for the
 * error's text. */
struct err *file_read_some(int fd, void *data, size_t len, const char *name, size_t *ret) MUST_USE;

/* True for a regular file with holes that are worth looking for. */
bool file_is_sparse(const struct stat *st);

/* The next bytes at or behind `at` that are no hole, of a file of `size` bytes: where they begin and
 * end. `fd` then stands where they begin. Both are `size` if only a hole follows. */
struct err *file_next_data(int fd, uint64_t at, uint64_t size, uint64_t *ret_begin,
			   uint64_t *ret_end) MUST_USE;

/* Write all of it, through partial writes and EINTR. `name` is for the error's text. */
struct err *file_write_all(int fd, const void *data, size_t len, const char *name) MUST_USE;

/* Flush a directory's entries to disk. */
struct err *file_sync_dir(int dir_fd) MUST_USE;

/* Delete `path` (one component) and everything below it, without following links and at any
 * depth, also directories without write permission. Absent is fine. A mount point in the tree
 * is an error (EXDEV): what is mounted there is not ours to delete. */
struct err *file_remove_tree(int dir_fd, const char *path) MUST_USE;

/* Note in its modification time that `path` (no link is followed) is used now, at most once an hour. What
 * cannot be noted looks older than it is. */
void file_note_use(int dir_fd, const char *path);

/* True if `path` exists below `dir_fd` (a dangling link counts). */
bool file_exists(int dir_fd, const char *path);

/* The names in a directory, sorted by bytes, without "." and "..". The list is the caller's. */
struct strings;
struct err *file_list(int dir_fd, const char *path, struct strings *ret) MUST_USE;

/* The target of a symbolic link, owned by the caller. */
struct err *file_read_link(int dir_fd, const char *path, char **ret) MUST_USE;

#endif
