/* base/tar.c - the canonical writer. base/tar.h is the format. */

#include "base/tar.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/stream.h"
#include "base/ustar.h"
#include "base/utf8.h"

static_assert(TAR_BLOCK_SIZE == sizeof(struct ustar), "block size");

#define XATTR_KEY "SCHILY.xattr."
#define PAX_NAME "PaxHeaders.0/"
#define PAX_NAME_MAX 99
#define UTF8_NOTICE "21 hdrcharset=BINARY\n"

/* Which fields the ustar block cannot hold, and what it holds instead. */
struct fit {
	struct str path, link;
	size_t prefix; /* bytes of `path` that stand in the prefix field */
	bool pax_path, pax_link, pax_size, pax_uid, pax_gid, pax_mtime;
	bool pax; /* any of these, or an xattr */
};

static const char zeros[2 * TAR_BLOCK_SIZE];

/* ---- what can be written ---- */

static const char *path_fault(struct str path, bool is_dir)
{
	if (path.len == 0)
		return "it has no name";
	if (path.len > TAR_PATH_MAX)
		return "its name is too long";
	if (path.at[0] == '/' || (str_starts(path, "./") && path.len > 2))
		return "its name is not canonical";
	if ((path.at[path.len - 1] == '/') != is_dir)
		return "only the names of directories end in '/'";
	return NULL;
}

static const char *number_fault(const struct tar_entry *entry)
{
	bool is_device = entry->type == TAR_CHAR || entry->type == TAR_BLOCK;

	if (entry->mode > 07777)
		return "its mode is out of range";
	if (entry->uid == UINT32_MAX || entry->gid == UINT32_MAX)
		return "its owner is out of range";
	if (entry->size > (entry->type == TAR_FILE ? INT64_MAX : 0))
		return "its size is out of range";
	if (entry->dev_major > (is_device ? USTAR_MAX_8 : 0) ||
	    entry->dev_minor > (is_device ? USTAR_MAX_8 : 0))
		return "its device number is out of range";
	return NULL;
}

static const char *xattr_fault(const struct tar_entry *entry)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct tar_xattr *xattr = &entry->xattrs[i];

		if (xattr->name[0] == '\0' || strchr(xattr->name, '='))
			return "tar has no way to write the name of its xattr";
		if (xattr->value.len > TAR_XATTR_MAX)
			return "an xattr is too large";
		if (i > 0 && strcmp(xattr[-1].name, xattr->name) >= 0)
			return "its xattrs are not in order";
	}
	return NULL;
}

static const char *fault(const struct tar_entry *entry)
{
	bool is_link = entry->type == TAR_HARDLINK || entry->type == TAR_SYMLINK;
	struct str link = str_of(entry->link);
	const char *text = path_fault(str_of(entry->path), entry->type == TAR_DIR);

	if (!text && (link.len > 0) != is_link)
		text = "links and only links have a target";
	if (!text && link.len > TAR_PATH_MAX)
		text = "its target is too long";
	if (!text)
		text = number_fault(entry);
	return text ? text : xattr_fault(entry);
}

/* ---- what fits ---- */

/* Whether `path` goes into the two fields; how much of it goes into the prefix. */
static bool split_path(struct str path, size_t *ret_prefix)
{
	size_t within = USTAR_PREFIX_SIZE + 1; /* a '/' that may be cut at lies in these bytes */
	const char *slash;

	*ret_prefix = 0;
	if (path.len <= USTAR_NAME_SIZE)
		return true;
	if (within > path.len - 1)
		within = path.len - 1;
	slash = memrchr(path.at, '/', within);
	if (!slash || path.len - (size_t)(slash + 1 - path.at) > USTAR_NAME_SIZE)
		return false;
	*ret_prefix = (size_t)(slash - path.at);
	return true;
}

static struct fit fit_entry(const struct tar_entry *entry)
{
	struct fit fit = { .path = str_of(entry->path), .link = str_of(entry->link) };

	fit.pax_path = !split_path(fit.path, &fit.prefix);
	fit.pax_link = fit.link.len > USTAR_NAME_SIZE;
	fit.pax_size = entry->size > USTAR_MAX_12;
	fit.pax_uid = entry->uid > USTAR_MAX_8;
	fit.pax_gid = entry->gid > USTAR_MAX_8;
	fit.pax_mtime = entry->mtime < 0 || (uint64_t)entry->mtime > USTAR_MAX_12;
	fit.pax = fit.pax_path || fit.pax_link || fit.pax_size || fit.pax_uid || fit.pax_gid ||
		  fit.pax_mtime || entry->xattr_count > 0;
	return fit;
}

/* ---- blocks ---- */

static char type_flag(enum tar_type type)
{
	static const char flags[] = {
		[TAR_FILE] = '0',  [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
		[TAR_BLOCK] = '4', [TAR_DIR] = '5',      [TAR_FIFO] = '6',
	};

	return flags[type];
}

/* As much of `text` as the field has room for; the rest of the field is zero already. */
static void put_text(char *field, size_t size, struct str text)
{
	if (text.len > 0)
		memcpy(field, text.at, text.len < size ? text.len : size);
}

static void fill_block(const struct tar_entry *entry, const struct fit *fit, struct ustar *block)
{
	size_t cut = fit->prefix ? fit->prefix + 1 : 0;

	ustar_init(block);
	put_text(block->name, sizeof(block->name),
		 (struct str){ fit->path.at + cut, fit->path.len - cut });
	put_text(block->prefix, sizeof(block->prefix), (struct str){ fit->path.at, fit->prefix });
	put_text(block->link, sizeof(block->link), fit->link);
	block->type = type_flag(entry->type);
	USTAR_PUT(block->mode, entry->mode);
	USTAR_PUT(block->uid, fit->pax_uid ? 0 : entry->uid);
	USTAR_PUT(block->gid, fit->pax_gid ? 0 : entry->gid);
	USTAR_PUT(block->size, fit->pax_size ? 0 : entry->size);
	USTAR_PUT(block->mtime, fit->pax_mtime ? 0 : (uint64_t)entry->mtime);
	USTAR_PUT(block->dev_major, entry->dev_major);
	USTAR_PUT(block->dev_minor, entry->dev_minor);
	ustar_seal(block);
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts all of it, its own digits included. */
static void add_record(struct buf *out, const char *prefix, const char *key, struct str value)
{
	size_t rest = strlen(prefix) + strlen(key) + value.len + strlen(" =\n");
	size_t len = rest;
	size_t before;

	do {
		before = len;
		len = rest;
		for (size_t n = before; n > 0; n /= 10)
			len++;
	} while (len != before);

	buf_addf(out, "%zu %s%s=", len, prefix, key);
	buf_add_str(out, value);
	buf_addc(out, '\n');
}

static void add_number(struct buf *out, const char *key, int64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%jd", (intmax_t)n);

	add_record(out, "", key, (struct str){ text, (size_t)len });
}

static bool is_utf8(struct str text)
{
	while (text.len > 0) {
		uint32_t point;
		size_t len = utf8_decode(text, &point);

		if (len == 0)
			return false;
		text.at += len;
		text.len -= len;
	}
	return true;
}

static void add_records(struct buf *out, const struct tar_entry *entry, const struct fit *fit)
{
	if ((fit->pax_path && !is_utf8(fit->path)) || (fit->pax_link && !is_utf8(fit->link)))
		buf_adds(out, UTF8_NOTICE);
	if (fit->pax_path)
		add_record(out, "", "path", fit->path);
	if (fit->pax_link)
		add_record(out, "", "linkpath", fit->link);
	if (fit->pax_size)
		add_number(out, "size", (int64_t)entry->size);
	if (fit->pax_uid)
		add_number(out, "uid", entry->uid);
	if (fit->pax_gid)
		add_number(out, "gid", entry->gid);
	if (fit->pax_mtime)
		add_number(out, "mtime", entry->mtime);
	for (size_t i = 0; i < entry->xattr_count; i++)
		add_record(out, XATTR_KEY, entry->xattrs[i].name, entry->xattrs[i].value);
}

/* The block before the records: `size` bytes of them, for the entry at `path`. */
static void fill_pax_block(struct str path, size_t size, struct ustar *block)
{
	struct str base = path;
	const char *slash;

	if (base.at[base.len - 1] == '/')
		base.len--;
	slash = memrchr(base.at, '/', base.len);
	if (slash)
		base = (struct str){ slash + 1, (size_t)(base.at + base.len - (slash + 1)) };

	ustar_init(block);
	memcpy(block->name, PAX_NAME, strlen(PAX_NAME));
	put_text(block->name + strlen(PAX_NAME), PAX_NAME_MAX - strlen(PAX_NAME), base);
	block->type = 'x';
	USTAR_PUT(block->mode, 0644);
	USTAR_PUT(block->uid, 0);
	USTAR_PUT(block->gid, 0);
	USTAR_PUT(block->size, size);
	USTAR_PUT(block->mtime, 0);
	USTAR_PUT(block->dev_major, 0);
	USTAR_PUT(block->dev_minor, 0);
	ustar_seal(block);
}

/* How many zeros follow `size` bytes to fill the last block. */
static size_t padding(uint64_t size)
{
	return (size_t)(-size % TAR_BLOCK_SIZE);
}

/* The block of `entry`, and what stands before it: nothing, or a whole pax header. */
static struct err *encode(const struct tar_entry *entry, struct buf *pax, struct ustar *block)
{
	const char *text = fault(entry);
	struct fit fit;

	if (text)
		return err_new(ERR_INVALID, "'%.80s' does not go into a tar: %s", entry->path,
			       text);
	fit = fit_entry(entry);
	fill_block(entry, &fit, block);
	if (fit.pax) {
		struct ustar pax_block;

		buf_add(pax, zeros, sizeof(pax_block));
		add_records(pax, entry, &fit);
		fill_pax_block(fit.path, pax->len - sizeof(pax_block), &pax_block);
		buf_add(pax, zeros, padding(pax->len));
		memcpy(pax->at, &pax_block, sizeof(pax_block));
	}
	return err_wrap(buf_check(pax, "the header"), "'%.80s' does not go into a tar",
			entry->path);
}

struct err *tar_encode_header(const struct tar_entry *entry, struct buf *buf)
{
	AUTO(buf) struct buf pax = BUF_INIT(TAR_HEADER_MAX - sizeof(struct ustar));
	struct ustar block;

	TRY(encode(entry, &pax, &block));
	buf_add(buf, pax.at, pax.len);
	buf_add(buf, &block, sizeof(block));
	return buf_check(buf, "the header");
}

struct err *tar_write_header(struct sink *out, const struct tar_entry *entry)
{
	AUTO(buf) struct buf pax = BUF_INIT(TAR_HEADER_MAX - sizeof(struct ustar));
	struct ustar block;

	TRY(encode(entry, &pax, &block));
	if (pax.len > 0)
		sink_write(out, pax.at, pax.len);
	sink_write(out, &block, sizeof(block));
	return NULL;
}

void tar_write_padding(struct sink *out, uint64_t size)
{
	if (padding(size) > 0)
		sink_write(out, zeros, padding(size));
}

void tar_write_end(struct sink *out)
{
	sink_write(out, zeros, sizeof(zeros));
}

/* ---- what others wrote ---- */

/* `*ret_is_root` is true if the path has no component but "." and empty ones. */
static struct err *check_path(const char *path, bool *ret_is_root)
{
	struct str rest = str_of(path);

	*ret_is_root = true;
	while (rest.len > 0) {
		struct str part = str_cut(&rest, '/');

		if (part.len == 0 || str_is(part, "."))
			continue;
		if (str_is(part, ".."))
			return err_new(ERR_INVALID, "the path leads upwards");
		if (part.len > NAME_MAX)
			return err_new(ERR_INVALID, "a name is longer than %d bytes", NAME_MAX);
		*ret_is_root = false;
	}
	return NULL;
}

struct err *tar_check_entry(const struct tar_entry *entry)
{
	bool is_root;

	TRY(check_path(entry->path, &is_root));
	if (is_root && entry->type != TAR_DIR)
		return err_new(ERR_INVALID, "the root can only be a directory");
	if (entry->type == TAR_CHAR && entry->dev_major == 0 && entry->dev_minor == 0)
		return err_new(ERR_INVALID, "a character device 0:0 would be a whiteout");
	if (entry->type != TAR_HARDLINK)
		return NULL;
	TRY(err_wrap(check_path(entry->link, &is_root), "its target '%s'", entry->link));
	return is_root ? err_new(ERR_INVALID, "a hard link to the root") : NULL;
}
