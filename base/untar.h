/*
 * base/untar.h - the reader of anybody's tar.
 *
 * Takes v7, ustar, pax (extended and global headers), GNU (long names,
 * base-256 numbers, old sparse files, pax sparse files 0.0, 0.1 and 1.0), star
 * and what early Go programs wrote, from one stream of uncompressed bytes. The
 * input is hostile: every number is checked, everything is bounded by `struct
 * tar_limits`, and where tools are known to disagree about a header the answer
 * is an error, or what the tools of the container world do.
 *
 * What is kept of an entry is `struct tar_entry`. Names and links are the raw
 * bytes of the archive, whatever the locale or hdrcharset; making them safe is
 * the caller's work, done beneath a directory descriptor. Names of owners,
 * access and change times, ACL and flag records are not read.
 *
 *	- Content follows files only. The size field of any other type is ignored,
 *	  as POSIX and Go have it; a regular file whose name ends in '/' is a
 *	  directory, its content is skipped.
 *	- Type '7' and types that nobody has defined are files (POSIX). Of the
 *	  vendors' letters, GNU's volume label 'V' is skipped, the dumpdir 'D' is a
 *	  directory, Sun's 'X' is a pax header; all others are ERR_UNSUPPORTED,
 *	  since guessing could lose somebody's file without a word.
 *	- A pax record beats the GNU long name beats the ustar field; a long name
 *	  and a pax path that differ are ERR_CORRUPT, and so are two extended
 *	  headers, two long names or two long links for one entry, or any of them
 *	  with no entry behind it. In one header the last record of a key counts;
 *	  an empty value takes the key back (but is a value for xattrs).
 *	- A global header may set uid, gid and mtime. One that sets the path, link,
 *	  size, xattrs or sparse map of all files is ERR_UNSUPPORTED.
 *	- xattrs come from SCHILY.xattr.* (the name taken as it stands) and
 *	  LIBARCHIVE.xattr.* (the name percent-coded, the value in base64); the
 *	  former wins.
 *	- The archive ends at two zero blocks, or at the end of the stream, before
 *	  which one zero block and the padding of the last file may be missing. At most
 *	  64 MiB may follow the two blocks; they are read and mean nothing.
 */
#ifndef BASE_UNTAR_H
#define BASE_UNTAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/tar.h"

struct err;
struct source;

struct tar_limits {
	uint64_t entries; /* 0: 5 million */
	uint64_t bytes; /* content with its holes, headers, and what follows the end; 0: 100 GiB */
	size_t path;    /* longest name or link; 0: TAR_PATH_MAX */
	size_t xattr_value; /* 0: TAR_XATTR_MAX */
	size_t header;      /* pax and GNU headers and sparse map of one entry; 0: TAR_HEADER_MAX */
};

struct tar_reader;

/* Reads an uncompressed tar from `src`, which it borrows. `limits` may be NULL. */
struct tar_reader *tar_reader_new(struct source *src, const struct tar_limits *limits) MUST_USE;
/* The next entry into `*ret_entry`, owned by the reader until the next call; `*ret_entry` is
 * NULL at the end of the archive, when `src` has been read to its end so that a digest of the
 * stream is complete. Content not read is skipped. ERR_CORRUPT with the number and, where known,
 * the name of the entry for a bad checksum, a truncated stream, an impossible number, a record
 * that does not parse; ERR_INVALID when a limit is passed; ERR_UNSUPPORTED as above; any error
 * of `src`. After an error every call fails alike. */
struct err *tar_reader_next(struct tar_reader *tar, const struct tar_entry **ret_entry) MUST_USE;
/* Content of the current entry, sparse holes given as zeros: exactly `size` bytes, or an error
 * of the source. Owned by the reader and valid until the next call of tar_reader_next(). */
struct source *tar_reader_content(struct tar_reader *tar) MUST_USE;
/* Whether an error came from the archive itself: its text names the entry then. */
bool tar_reader_has_failed(const struct tar_reader *tar);
void tar_reader_free(struct tar_reader *tar);
DEFINE_AUTO(tar_reader)

#endif
