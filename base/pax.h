/*
 * base/pax.h - the records of a pax extended header (POSIX.1-2001).
 *
 * A header is a run of records "LENGTH KEY=VALUE\n"; LENGTH is decimal and
 * counts the whole record. The value may hold any byte. `struct pax` keeps
 * what cairn knows; every other key is passed over. Its texts lie in the bytes
 * that were parsed, which pax_parse() cuts up in place.
 *
 * An empty value takes a key back, so that neither an earlier record nor a
 * global header counts, and the ustar field does. An xattr may be empty.
 */
#ifndef BASE_PAX_H
#define BASE_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/sparse.h"
#include "base/str.h"
#include "base/tar.h"
#include "base/vec.h"

struct err;

enum {
	PAX_PATH = 1 << 0,
	PAX_LINK = 1 << 1,
	PAX_SIZE = 1 << 2,
	PAX_UID = 1 << 3,
	PAX_GID = 1 << 4,
	PAX_MTIME = 1 << 5,
	PAX_SPARSE_NAME = 1 << 6,
	PAX_SPARSE_SIZE = 1 << 7,
	PAX_SPARSE_MAJOR = 1 << 8,
	PAX_SPARSE_MINOR = 1 << 9,
	PAX_SPARSE_COUNT = 1 << 10,
	PAX_SPARSE_MAP = 1 << 11,
	PAX_SPARSE = PAX_SPARSE_SIZE | PAX_SPARSE_MAJOR | PAX_SPARSE_MINOR | PAX_SPARSE_COUNT |
		     PAX_SPARSE_MAP,
};

/* An xattr as it came: the same name may come again, and in two spellings. */
struct pax_xattr {
	struct tar_xattr xattr;
	bool is_coded; /* LIBARCHIVE.xattr, which SCHILY.xattr beats */
};

struct pax {
	unsigned seen; /* the keys that came */
	unsigned set;  /* those of them that have a value, and were not taken back */
	const char *path, *link;
	uint64_t size;
	uint64_t uid, gid; /* below UINT32_MAX */
	int64_t mtime;     /* rounded down */
	const char *sparse_name;
	uint64_t sparse_size, sparse_major, sparse_minor, sparse_count;
	struct sparse sparse_map;      /* of versions 0.0 and 0.1 */
	VEC(struct tar_xattr) xattrs;  /* sorted by name, none twice */
	VEC(struct pax_xattr) arrived; /* in order of the records */
};

void pax_reset(struct pax *pax); /* nothing set; memory kept */
void pax_release(struct pax *pax);

/* All records in `text`, which must outlive `pax` and is changed: NULs end keys and values.
 * ERR_CORRUPT for a record that does not parse, a number that is impossible, a NUL in a name;
 * ERR_INVALID for an xattr above `xattr_max`. `pax` is then good for pax_reset() only. */
struct err *pax_parse(struct pax *pax, char *text, size_t len, size_t xattr_max) MUST_USE;

#endif
