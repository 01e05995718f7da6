/*
 * base/tar.h - one tar entry, the canonical writer, and the reader of anybody's tar.
 *
 * The writer decides digests, so its bytes never change: ustar (POSIX.1-1988)
 * where everything fits, else one pax extended header (POSIX.1-2001) that holds
 * only the records that do not fit, in the order path, linkpath, size, uid, gid,
 * mtime, SCHILY.xattr.* sorted by bytes; numeric owners, whole seconds, no
 * uname or gname, two zero blocks at the end. The caller brings the entries in
 * canonical order. Golden files in tests/golden hold the format.
 *
 * The reader takes ustar, pax, GNU (long names, base-256 numbers, old and pax
 * sparse files) and v7 from any tool, trusts nothing, and is bounded: see
 * `struct tar_limits`. Names and links are given as the raw bytes of the
 * archive; making them safe is the caller's work, done beneath a directory
 * descriptor.
 */
#ifndef BASE_TAR_H
#define BASE_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct source;
struct sink;

enum tar_type { TAR_FILE, TAR_HARDLINK, TAR_SYMLINK, TAR_CHAR, TAR_BLOCK, TAR_DIR, TAR_FIFO };

struct tar_xattr {
	const char *name; /* "security.capability", NUL-terminated */
	struct str value; /* any bytes */
};

struct tar_entry {
	enum tar_type type;
	const char *path; /* as in the archive; no NUL inside. Writer: no "./", dirs end in "/" */
	const char *link; /* target of TAR_SYMLINK and TAR_HARDLINK, else NULL */
	mode_t mode;      /* permission bits, set-id and sticky: 07777 at most */
	uint32_t uid, gid;
	uint64_t size; /* bytes of content that follow; 0 unless TAR_FILE */
	int64_t mtime; /* whole seconds since 1970; the reader rounds down */
	uint32_t dev_major, dev_minor;
	const struct tar_xattr *xattrs; /* sorted by name */
	size_t xattr_count;
};

/* ---- writer ---- */

/* Headers and content of one entry, in this order:
 *	tar_write_header(out, &entry);
 *	sink_write(out, ...);             exactly entry.size bytes
 *	tar_write_padding(out, entry.size);
 * and tar_write_end(out) once. A header is encoded by tar_encode_header(), appended to `buf`,
 * which needs a ceiling of at least TAR_HEADER_MAX. ERR_INVALID if the entry cannot be written
 * (a path with a NUL, an xattr above 64 KiB, a name above 4096 bytes). */
#define TAR_BLOCK_SIZE 512
#define TAR_HEADER_MAX ((size_t)2 * 1024 * 1024)

struct err *tar_encode_header(const struct tar_entry *entry, struct buf *buf) MUST_USE;
struct err *tar_write_header(struct sink *out, const struct tar_entry *entry) MUST_USE;
void tar_write_padding(struct sink *out, uint64_t size);
void tar_write_end(struct sink *out);

/* ---- reader ---- */

struct tar_limits {
	uint64_t entries;   /* 0: 5 million */
	uint64_t bytes;     /* sum of content; 0: 100 GiB */
	size_t path;        /* longest name or link; 0: 4096 */
	size_t xattr_value; /* 0: 64 KiB */
	size_t header;      /* all pax and GNU extra headers of one entry; 0: 1 MiB */
};

struct tar_reader;

/* Reads an uncompressed tar from `src`, which it borrows. `limits` may be NULL. */
struct tar_reader *tar_reader_new(struct source *src, const struct tar_limits *limits) MUST_USE;
/* The next entry into `*ret_entry`, owned by the reader until the next call; `*ret_entry` is
 * NULL at the end of the archive. Content not read is skipped. ERR_CORRUPT with the entry's
 * name and number for a bad checksum, a truncated stream, an impossible number, a record that
 * does not parse; ERR_INVALID when a limit is passed. Bytes after the end mark are consumed, so
 * that the digest of the stream is complete. */
struct err *tar_reader_next(struct tar_reader *tar, const struct tar_entry **ret_entry) MUST_USE;
/* Content of the current entry, sparse holes given as zeros. Owned by the reader. */
struct source *tar_reader_content(struct tar_reader *tar);
void tar_reader_free(struct tar_reader *tar);
DEFINE_AUTO(tar_reader)

#endif
