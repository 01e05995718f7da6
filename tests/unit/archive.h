/*
 * tests/unit/archive.h - tar archives for tests: built from pieces, read as text.
 */
#ifndef TESTS_ARCHIVE_H
#define TESTS_ARCHIVE_H

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/stream.h"
#include "base/untar.h"
#include "base/ustar.h"

#define BUF_MAX ((size_t)4 * 1024 * 1024)

static inline void read_file(const char *path, struct buf *out)
{
	FILE *in = fopen(path, "rb");
	char chunk[4096];
	size_t len;

	if (!in)
		fail_msg("%s is missing", path);
	while ((len = fread(chunk, 1, sizeof(chunk), in)) > 0)
		buf_add(out, chunk, len);
	fclose(in);
}

/* ---- what was read, as text ---- */

/* Printable bytes as they are, others as \xNN, and "*9" behind a byte that stands nine times. */
static inline void add_runs(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		size_t run = 1;

		while (i + run < text.len && text.at[i + run] == text.at[i])
			run++;
		if (text.at[i] > ' ' && text.at[i] <= '~' && text.at[i] != '\\')
			buf_addc(out, text.at[i]);
		else
			buf_addf(out, "\\x%02x", (unsigned char)text.at[i]);
		if (run > 3) {
			buf_addf(out, "*%zu", run);
			i += run - 1;
		}
	}
}

/* "f 644 0:0 6 1700000000 path", then target, device, content and xattrs where there are any. */
static inline void add_entry(struct buf *out, const struct tar_entry *entry)
{
	static const char types[] = {
		[TAR_FILE] = 'f',  [TAR_HARDLINK] = 'h', [TAR_SYMLINK] = 'l', [TAR_CHAR] = 'c',
		[TAR_BLOCK] = 'b', [TAR_DIR] = 'd',      [TAR_FIFO] = 'p'
	};

	buf_addf(out, "%c %o %u:%u %ju %jd ", types[entry->type], entry->mode, entry->uid,
		 entry->gid, (uintmax_t)entry->size, (intmax_t)entry->mtime);
	add_runs(out, str_of(entry->path));
	if (entry->link) {
		buf_adds(out, " -> ");
		add_runs(out, str_of(entry->link));
	}
	if (entry->type == TAR_CHAR || entry->type == TAR_BLOCK)
		buf_addf(out, " %u,%u", entry->dev_major, entry->dev_minor);
}

static inline void add_xattrs(struct buf *out, const struct tar_entry *entry)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		buf_addf(out, " %s=", entry->xattrs[i].name);
		add_runs(out, entry->xattrs[i].value);
	}
}

/* Content, read in pieces of `step` bytes. */
static inline struct err *read_content(struct tar_reader *tar, size_t step, struct buf *out)
{
	AUTO(mem) char *chunk = xcalloc(step, 1);
	size_t got;

	while ((got = source_read(tar_reader_content(tar), chunk, step)) > 0)
		buf_add(out, chunk, got);
	return source_check(tar_reader_content(tar));
}

/* All of the archive in `text`, a line for each entry. With `step`, content is read in pieces of
 * that size; without, it is skipped and not shown. */
static inline struct err *list(struct str text, const struct tar_limits *limits, size_t step,
			       struct buf *out)
{
	AUTO(source) struct source *src = source_from_memory(text.at, text.len);
	AUTO(tar_reader) struct tar_reader *tar = tar_reader_new(src, limits);
	const struct tar_entry *entry = NULL;

	for (;;) {
		AUTO(buf) struct buf content = BUF_INIT(BUF_MAX);

		TRY(tar_reader_next(tar, &entry));
		if (!entry)
			return NULL;
		add_entry(out, entry);
		if (step)
			TRY(read_content(tar, step, &content));
		assert_int_equal(content.len, step ? entry->size : 0);
		if (content.len > 0)
			buf_adds(out, " ");
		add_runs(out, buf_str(&content));
		add_xattrs(out, entry);
		buf_addc(out, '\n');
	}
}

/* ---- archives made by hand ---- */

/* Where the fields of a block are (POSIX.1-1988; GNU's sparse fields). */
enum {
	MODE = 100,
	UID = 108,
	SIZE = 124,
	MTIME = 136,
	SUM = 148,
	LINK = 157,
	MAGIC = 257,
	MAJOR = 329,
	MINOR = 337,
	PREFIX = 345,
	PAIRS = 386,
	MORE = 482,
	REAL_SIZE = 483,
};

/* Stand for headers 'x' and 'g' whose body is a list "key=value|key=value" without lengths. */
#define PAX 'p'
#define GLOBAL 'q'
/* Bytes alone, without a header. */
#define RAW 'r'

struct piece {
	char type;
	const char *name; /* NULL: the list of pieces ends */
	struct str body;
	struct {
		size_t at;
		struct str bytes;
	} patch[5]; /* of the header, before it gets its checksum; behind it, for `at` == SUM */
};

static inline void add_zeros(struct buf *out, size_t count)
{
	while (count-- > 0)
		buf_addc(out, '\0');
}

/* `list` as pax records. */
static inline void add_records(struct buf *out, struct str list)
{
	while (list.len > 0) {
		struct str each = str_cut(&list, '|');
		size_t len = each.len + 3; /* blank, newline, one digit */

		if (len > 9)
			len++;
		if (len > 99)
			len++;
		if (len > 999)
			len++;
		buf_addf(out, "%zu ", len);
		buf_add_str(out, each);
		buf_addc(out, '\n');
	}
}

static inline void patch_block(struct ustar *block, const struct piece *piece)
{
	bool resum = true;

	for (size_t i = 0; i < ARRAY_SIZE(piece->patch); i++) {
		const struct str bytes = piece->patch[i].bytes;

		if (piece->patch[i].at == SUM && resum) {
			ustar_seal(block);
			resum = false;
		}
		if (bytes.len > 0)
			memcpy((char *)block + piece->patch[i].at, bytes.at, bytes.len);
	}
	if (resum)
		ustar_seal(block);
}

static inline void add_piece(struct buf *out, const struct piece *piece)
{
	AUTO(buf) struct buf body = BUF_INIT(BUF_MAX);
	struct ustar block;

	if (piece->type == RAW) {
		buf_add_str(out, piece->body);
		return;
	}
	if (piece->type == PAX || piece->type == GLOBAL)
		add_records(&body, piece->body);
	else
		buf_add_str(&body, piece->body);

	ustar_init(&block);
	memcpy(block.name, piece->name, strnlen(piece->name, sizeof(block.name)));
	USTAR_PUT(block.mode, 0644);
	USTAR_PUT(block.size, body.len);
	block.type = (char)(piece->type == PAX ? 'x' : piece->type == GLOBAL ? 'g' : piece->type);
	patch_block(&block, piece);
	buf_add(out, &block, sizeof(block));
	buf_add_str(out, buf_str(&body));
	add_zeros(out, -body.len % TAR_BLOCK_SIZE);
}

#define PIECES 6

static inline void build(struct buf *out, const struct piece *pieces)
{
	for (size_t i = 0; i < PIECES && pieces[i].name; i++)
		add_piece(out, &pieces[i]);
}

static const char zeros[TAR_BLOCK_SIZE * 2];
#define BODY(text) .body = { text, sizeof(text) - 1 }
#define ZEROS(count)                                                \
	{                                                           \
		.type = RAW, .name = "", .body = { zeros, (count) } \
	}
#define FOLLOWER                                       \
	{                                              \
		.type = '0', .name = "next", BODY("n") \
	}
#define NEXT "f 644 0:0 1 0 next n\n"
#define A10 "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10
#define A155 A100 A10 A10 A10 A10 A10 "aaaaa"
#define BASE256_12(tail) STR("\x80\0\0\0" tail)

#endif
