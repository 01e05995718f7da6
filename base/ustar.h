/*
 * base/ustar.h - the 512-byte block that every tar header is made of.
 *
 * Only the block: its fields, its checksum, and numbers as tar spells them.
 * What the fields mean together is the business of base/tar.c, which writes
 * them, and base/untar.c, which reads them.
 */
#ifndef BASE_USTAR_H
#define BASE_USTAR_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

#define USTAR_NAME_SIZE 100 /* of `name` and of `link` */
#define USTAR_PREFIX_SIZE 155

/* Text fields end at their first NUL or are full. */
struct ustar {
	char name[USTAR_NAME_SIZE];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[USTAR_NAME_SIZE];
	char magic[6];
	char version[2];
	char uname[32];
	char gname[32];
	char dev_major[8];
	char dev_minor[8];
	char prefix[USTAR_PREFIX_SIZE];
	char pad[12];
};
static_assert(sizeof(struct ustar) == 512, "a tar block has 512 bytes");

/* The greatest numbers that fit in octal with a NUL behind them. */
#define USTAR_MAX_8 UINT64_C(07777777)
#define USTAR_MAX_12 UINT64_C(077777777777)

/* ---- writing ---- */

void ustar_init(struct ustar *block); /* zeros, "ustar\0" and "00" */
/* Octal digits that fill `field` but for a NUL at its end. `n` must fit. */
void ustar_put(char *field, size_t size, uint64_t n);
#define USTAR_PUT(field, n) ustar_put((field), sizeof(field), (n))
void ustar_seal(struct ustar *block); /* the checksum; last of all */

/* ---- reading ---- */

bool ustar_is_zero(const struct ustar *block);
/* Whether the checksum is right, over unsigned bytes or, as some old tars had it, signed ones. */
bool ustar_is_sealed(const struct ustar *block);
/* The text of a field, which it borrows. */
struct str ustar_text(const char *field, size_t size);
#define USTAR_TEXT(field) ustar_text((field), sizeof(field))
/* A number of [min, max] in octal, blanks allowed around it, all of it missing meaning 0; or, if
 * the first bit is set, GNU's big-endian base 256 in two's complement. ERR_CORRUPT names `what`;
 * `*ret` stays. */
struct err *ustar_number(const char *field, size_t size, const char *what, int64_t min, int64_t max,
			 int64_t *ret) MUST_USE;
/* The decimal number of a pax record, at most `max`. ERR_CORRUPT names `what`; `*ret` stays. */
struct err *ustar_decimal(struct str text, const char *what, uint64_t max, uint64_t *ret) MUST_USE;

#endif
