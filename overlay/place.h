/*
 * overlay/place.h - one entry is made in an open directory, with what belongs to it.
 *
 * Everything is made anew, by single-component *at calls that follow nothing: a
 * name that is taken is EEXIST. Owner, mode, attributes and time come in the
 * order in which they do not undo each other: content, owner (which clears set-id
 * bits and capabilities), mode, attributes, time. Calls that would change nothing
 * are not made: a small file of our own costs open, write, utimensat, close.
 */
#ifndef OVERLAY_PLACE_H
#define OVERLAY_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "base/tar.h"
#include "overlay/xattr.h"

struct err;
struct source;

/* Who makes the entries, and how. */
struct place {
	uid_t uid;
	gid_t gid;
	mode_t umask; /* all bits if it is not known */
	enum xattr_side side;
	bool owners; /* give entries their owners; otherwise they are ours */
};

/* For the calling process: `owners` is on, the side that of a layer. */
void place_init(struct place *place);

/* A directory to make entries in. */
struct place_dir {
	int fd;
	bool inherits; /* what is made in it gets its group or set-gid bit: see place_inherits() */
};

/* Whether a directory with this group and mode passes something on. Where `gid` is ours and no
 * set-gid bit is there, nothing is passed on by any file system or mount option. */
bool place_inherits(const struct place *place, gid_t gid, mode_t mode);

/* In all of these `name` is one component and the entry's own path and link do not matter unless
 * said. ERR_SYSTEM with EEXIST if the name is taken; ERR_INVALID for what must not be made. */

/* A regular file, empty; `*ret_fd` is open for writing and the caller's. When the content is
 * written, place_seal() completes it. */
struct err *place_file(const struct place_dir *dir, const char *name, const struct tar_entry *entry,
		       int *ret_fd) MUST_USE;
/* Its content: exactly `size` bytes of `content`. A whole chunk of zeros becomes a hole. `chunk` is
 * memory of STREAM_CHUNK bytes. */
struct err *place_content(int fd, struct source *content, uint64_t size, char *chunk) MUST_USE;
/* Owner, mode, attributes and time of a file from place_file(). */
struct err *place_seal(const struct place *place, const struct place_dir *dir,
		       const struct tar_entry *entry, int fd) MUST_USE;

/* A directory, open for reading as `*ret_fd`. Complete but for its time, and its default ACL: the
 * former changes, and the latter would be passed on, while it is filled. */
struct err *place_make_dir(const struct place *place, const struct place_dir *dir, const char *name,
			   const struct tar_entry *entry, int *ret_fd) MUST_USE;
/* The same attributes for a directory that is there already; those it has are taken away. */
struct err *place_adopt_dir(const struct place *place, int fd, const struct tar_entry *entry)
	MUST_USE;

/* A symbolic link to entry->link, a device node or a fifo: ERR_INVALID for a character device 0:0,
 * which would be a whiteout, and for a device number that the kernel would cut short. */
struct err *place_node(const struct place *place, const struct place_dir *dir, const char *name,
		       const struct tar_entry *entry) MUST_USE;

/* Set the modification time of an open file or directory. */
struct err *place_time(int fd, int64_t seconds) MUST_USE;

#endif
