/*
 * base/tar.h - one tar entry, and the canonical writer.
 *
 * The writer decides digests, so its bytes never change. Every entry is one
 * ustar block (POSIX.1-1988) where everything fits, else a pax extended header
 * (POSIX.1-2001) that holds only the records that do not fit, followed by the
 * ustar block. No GNU extension is ever written. base/untar.h is the reader.
 *
 * The ustar block:
 *	name, prefix    a path of up to 100 bytes stands in `name` alone; a longer
 *	                one is cut at the last '/' that leaves at most 155 bytes
 *	                for `prefix` and 1 to 100 for `name`
 *	mode .. mtime   octal, zero-filled, NUL-terminated
 *	magic, version  "ustar\0" "00"
 *	uname, gname    empty
 *	devmajor/minor  octal, 0 unless the entry is a device
 *
 * The pax header, in this order, each record only where it is needed:
 *	hdrcharset=BINARY   if the path or linkpath record is not valid UTF-8
 *	path                it does not fit as above
 *	linkpath            more than 100 bytes
 *	size                8 GiB or more
 *	uid, gid            above 2097151
 *	mtime               negative or above 8589934591
 *	SCHILY.xattr.NAME   raw bytes, sorted by name
 * Its own block has type 'x', mode 0644, owners and mtime 0, and the name
 * "PaxHeaders.0/" + last component of the path, cut to 99 bytes in all.
 * A ustar field that a record overrides holds the number 0, or the first 100
 * bytes of the text with an empty prefix.
 *
 * The caller brings the entries in canonical order. Golden files in
 * tests/golden/tar hold the format; they are made by an independent program.
 */
#ifndef BASE_TAR_H
#define BASE_TAR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct sink;

#define TAR_BLOCK_SIZE 512
#define TAR_PATH_MAX 4096                        /* bytes of a path or a link */
#define TAR_XATTR_MAX ((size_t)64 * 1024)        /* bytes of an xattr's value */
#define TAR_HEADER_MAX ((size_t)2 * 1024 * 1024) /* bytes of all headers of one entry */

enum tar_type { TAR_FILE, TAR_HARDLINK, TAR_SYMLINK, TAR_CHAR, TAR_BLOCK, TAR_DIR, TAR_FIFO };

struct tar_xattr {
	const char *name; /* "security.capability", NUL-terminated */
	struct str value; /* any bytes */
};

struct tar_entry {
	enum tar_type type;
	mode_t mode;      /* permission bits, set-id and sticky: 07777 at most */
	const char *path; /* as in the archive; no NUL inside; never empty */
	const char *link; /* target of TAR_SYMLINK and TAR_HARDLINK, else NULL */
	uint32_t uid, gid;
	uint64_t size;                  /* bytes of content that follow; 0 unless TAR_FILE */
	int64_t mtime;                  /* whole seconds since 1970; the reader rounds down */
	uint32_t dev_major, dev_minor;  /* 0 unless TAR_CHAR or TAR_BLOCK */
	const struct tar_xattr *xattrs; /* sorted by name, none twice */
	size_t xattr_count;
};

/* The headers of one entry, appended to `buf`, which needs room for TAR_HEADER_MAX more below its
 * ceiling. A plain entry costs no allocation beyond `buf`. ERR_INVALID, with `buf` unchanged, if
 * the entry is not canonical or cannot be expressed:
 *	- a path that is empty, absolute or begins with "./" (the root alone is "./"); one that
 *	  ends in '/' unless it is a directory, or does not although it is one;
 *	- a link where none belongs, or none where one does; size or device likewise;
 *	- a path or link above TAR_PATH_MAX; a mode above 07777; uid or gid 4294967295, which
 *	  chown() takes for "unchanged"; a device number above 2097151;
 *	- xattrs out of order, a name that is empty or holds '=', a value above TAR_XATTR_MAX;
 *	- headers above TAR_HEADER_MAX together. */
struct err *tar_encode_header(const struct tar_entry *entry, struct buf *buf) MUST_USE;

/* One entry is written as
 *	TRY(tar_write_header(out, &entry));
 *	sink_write(out, ...);                     exactly entry.size bytes
 *	tar_write_padding(out, entry.size);
 * and after the last one comes tar_write_end(). Errors as above; what goes wrong in `out` stays
 * there until sink_finish(). */
struct err *tar_write_header(struct sink *out, const struct tar_entry *entry) MUST_USE;
void tar_write_padding(struct sink *out, uint64_t size);
void tar_write_end(struct sink *out); /* two zero blocks, no more */

/* What can have no place below a directory, whoever unpacks it: ERR_INVALID for a name that leads
 * upwards ("..") or has a component above NAME_MAX, a root that is no directory, a hard link to the
 * root or out of it, and a character device 0:0, which overlayfs takes for a whiteout. A leading
 * '/', "." and empty components are no matter. */
struct err *tar_check_entry(const struct tar_entry *entry) MUST_USE;

#endif
