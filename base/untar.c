/* base/untar.c - the reader. base/untar.h says what it accepts. */

#include "base/untar.h"

#include <string.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/pax.h"
#include "base/readahead.h"
#include "base/sparse.h"
#include "base/stream.h"
#include "base/ustar.h"

#define DEFAULT_ENTRIES UINT64_C(5000000)
#define DEFAULT_BYTES (UINT64_C(100) << 30)

/* Where Linux stops: 12 bits of major and 20 of minor number. */
#define DEV_MAJOR_MAX 4095
#define DEV_MINOR_MAX 1048575

#define TRAILER_MAX (UINT64_C(64) << 20) /* behind the end: no tape has blocks so large */

struct tar_reader {
	struct readahead in;
	struct tar_limits limits; /* none of them 0 */
	uint64_t spent;           /* of limits.bytes */

	/* The entry, or the one that is being put together. */
	uint64_t number; /* from 1 */
	struct tar_entry entry;
	struct ustar head;
	char name[USTAR_PREFIX_SIZE + 1 + USTAR_NAME_SIZE + 1];
	char link[USTAR_NAME_SIZE + 1];
	struct buf long_name, long_link; /* GNU's; empty if there is none */
	struct buf records;              /* the text that `pax` points into */
	struct pax pax;
	bool has_pax;
	bool is_sparse; /* by pax.sparse_map, whatever format the map came in */
	size_t extra;   /* of limits.header */

	uint64_t stored;        /* bytes of content still in the stream */
	size_t padding;         /* zeros behind them */
	uint64_t pos;           /* in the content as it is given, holes and all */
	struct source *content; /* NULL until it is asked for */

	struct pax global; /* of PAX_GLOBAL keys alone */
	bool ended;
	enum err_kind failed; /* what every further call returns */
	char *failure;        /* its text */
};

/* What a global header may set for every entry, and what it may not. */
#define PAX_GLOBAL (PAX_UID | PAX_GID | PAX_MTIME)

/* ---- limits and errors ---- */

static struct err *corrupt(const char *text)
{
	return err_new(ERR_CORRUPT, "%s", text);
}

static struct err *spend(struct tar_reader *tar, uint64_t bytes)
{
	if (bytes > tar->limits.bytes - tar->spent)
		return err_new(ERR_INVALID, "the archive is larger than %ju bytes",
			       (uintmax_t)tar->limits.bytes);
	tar->spent += bytes;
	return NULL;
}

/* `bytes` of pax or GNU headers, or of a sparse map. */
static struct err *spend_extra(struct tar_reader *tar, uint64_t bytes)
{
	if (bytes > tar->limits.header - tar->extra)
		return err_new(ERR_INVALID, "its headers are larger than %zu bytes",
			       tar->limits.header);
	tar->extra += (size_t)bytes;
	return spend(tar, bytes);
}

/* Say which entry it was about, and remember. NULL stays NULL. */
static struct err *fail(struct tar_reader *tar, struct err *err)
{
	if (!err)
		return NULL;
	if (tar->entry.path)
		err = err_wrap(err, "entry %ju '%.80s'", (uintmax_t)tar->number, tar->entry.path);
	else
		err = err_wrap(err, "entry %ju, before byte %ju", (uintmax_t)tar->number,
			       (uintmax_t)tar->in.offset);
	tar->failed = err_kind(err);
	tar->failure = xstrdup(err_text(err));
	return err;
}

/* ---- headers before the header ---- */

static struct err *next_block(struct tar_reader *tar, const char **ret)
{
	return readahead_block(&tar->in, TAR_BLOCK_SIZE, ret);
}

static size_t padding_of(uint64_t size)
{
	return (size_t)(-size % TAR_BLOCK_SIZE);
}

static struct err *size_field(const struct tar_reader *tar, uint64_t *ret)
{
	int64_t size;

	TRY(ustar_number(tar->head.size, sizeof(tar->head.size), "size", 0, INT64_MAX, &size));
	*ret = (uint64_t)size;
	return NULL;
}

/* What stands behind the present block, which counts too, into `buf` (NULL: skipped). */
static struct err *read_body(struct tar_reader *tar, struct buf *buf)
{
	uint64_t left;
	size_t padding;

	TRY(size_field(tar, &left));
	padding = padding_of(left);
	TRY(spend_extra(tar, left)); /* alone, since the sum could overflow */
	TRY(spend_extra(tar, TAR_BLOCK_SIZE + padding));
	if (!buf)
		return readahead_skip(&tar->in, left + padding);
	buf_reset(buf);
	while (left > 0) {
		char chunk[4096];
		size_t got;

		TRY(readahead_take(&tar->in, chunk, left < sizeof(chunk) ? left : sizeof(chunk),
				   &got));
		buf_add(buf, chunk, got);
		left -= got;
	}
	TRY(buf_check(buf, "a header"));
	return readahead_skip(&tar->in, padding);
}

static struct err *read_extended(struct tar_reader *tar)
{
	if (tar->has_pax)
		return corrupt("it has two extended headers");
	tar->has_pax = true;
	TRY(read_body(tar, &tar->records));
	return pax_parse(&tar->pax, tar->records.at, tar->records.len, tar->limits.xattr_value);
}

static struct err *read_global(struct tar_reader *tar)
{
	AUTO(buf) struct buf text = BUF_INIT(tar->limits.header);
	struct pax *global = &tar->global;
	struct err *err;

	TRY(read_body(tar, &text));
	err = pax_parse(global, text.at, text.len, tar->limits.xattr_value);
	if (!err && (global->seen & ~PAX_GLOBAL || global->arrived.len > 0))
		err = err_new(ERR_UNSUPPORTED, "a global header sets more than owners and times");
	return err;
}

/* A long name or link: text with NULs behind it, of which there should be one. */
static struct err *read_long(struct tar_reader *tar, struct buf *buf)
{
	size_t len;

	if (buf->len > 0)
		return corrupt("it has two long names");
	TRY(read_body(tar, buf));
	len = strnlen(buf_str(buf).at, buf->len);
	for (size_t i = len; i < buf->len; i++) {
		if (buf->at[i] != '\0')
			return corrupt("a NUL in its long name");
	}
	if (len == 0)
		return corrupt("its long name is empty");
	return NULL;
}

/* ---- the header itself ---- */

/* The pax header that sets `key`, or NULL: then the ustar field counts. */
static const struct pax *pax_with(const struct tar_reader *tar, unsigned key)
{
	if (tar->pax.seen & key)
		return tar->pax.set & key ? &tar->pax : NULL;
	return tar->global.set & key ? &tar->global : NULL;
}

static struct err *read_type(struct tar_reader *tar)
{
	static const enum tar_type types[] = { TAR_HARDLINK, TAR_SYMLINK, TAR_CHAR,
					       TAR_BLOCK,    TAR_DIR,     TAR_FIFO };
	char type = tar->head.type;

	if (type >= '1' && type <= '6')
		tar->entry.type = types[type - '1'];
	else if (type == 'D')
		tar->entry.type = TAR_DIR;
	else if (type == 'S' || type < 'A' || type > 'Z')
		tar->entry.type = TAR_FILE; /* or can be nothing better */
	else
		return err_new(ERR_UNSUPPORTED, "entries of type '%c' are not known", type);
	return NULL;
}

/* Whether the prefix field is one. GNU has times there; but Go wrote, until 1.8, GNU headers with
 * a prefix, which shows in that it does not read as times. */
static bool has_prefix(const struct ustar *head)
{
	AUTO(err) struct err *atime = NULL;
	AUTO(err) struct err *ctime = NULL;
	struct str prefix = USTAR_TEXT(head->prefix);
	int64_t time;

	if (memcmp(head->magic, "ustar", 6) == 0)
		return true;
	if (memcmp(head->magic, "ustar ", 6) != 0 || head->type == 'S')
		return false;
	atime = ustar_number(head->prefix, 12, "atime", INT64_MIN, INT64_MAX, &time);
	ctime = ustar_number(head->prefix + 12, 12, "ctime", INT64_MIN, INT64_MAX, &time);
	for (size_t i = 0; i < prefix.len; i++) {
		if (prefix.at[i] & 0x80)
			return false;
	}
	return atime || ctime;
}

/* The name in the block, into tar->name. */
static void join_name(struct tar_reader *tar)
{
	struct str name = USTAR_TEXT(tar->head.name);
	struct str prefix = { NULL, 0 };
	char *to = tar->name;

	if (has_prefix(&tar->head))
		prefix = USTAR_TEXT(tar->head.prefix);
	/* star ends its blocks in "tar" and has times in the last 24 bytes of the prefix. */
	if (memcmp(tar->head.pad + 8, "tar", 4) == 0 && prefix.len > 131)
		prefix.len = 131;
	if (prefix.len > 0) {
		to = mempcpy(to, prefix.at, prefix.len);
		*to++ = '/';
	}
	to = mempcpy(to, name.at, name.len);
	*to = '\0';
}

/* Of the three places for a name the one that counts. */
static struct err *choose_name(const struct tar_reader *tar, const char *pax,
			       const struct buf *long_name, const char *field, const char **ret)
{
	const char *name = field;

	if (long_name->len > 0)
		name = long_name->at;
	if (pax && long_name->len > 0 && strcmp(pax, name) != 0)
		return corrupt("its two long names differ");
	if (pax)
		name = pax;
	if (name[0] == '\0')
		return corrupt("its name is empty");
	if (strlen(name) > tar->limits.path)
		return err_new(ERR_INVALID, "its name is longer than %zu bytes", tar->limits.path);
	*ret = name;
	return NULL;
}

static struct err *read_names(struct tar_reader *tar)
{
	struct tar_entry *entry = &tar->entry;
	bool is_link = entry->type == TAR_HARDLINK || entry->type == TAR_SYMLINK;
	struct str link = USTAR_TEXT(tar->head.link);
	const char *pax_path = tar->pax.set & PAX_PATH ? tar->pax.path : NULL;
	const char *pax_link = tar->pax.set & PAX_LINK ? tar->pax.link : NULL;

	if (tar->pax.set & PAX_SPARSE_NAME)
		pax_path = tar->pax.sparse_name;
	join_name(tar);
	TRY(choose_name(tar, pax_path, &tar->long_name, tar->name, &entry->path));
	if (is_link) {
		*(char *)mempcpy(tar->link, link.at, link.len) = '\0';
		TRY(err_wrap(choose_name(tar, pax_link, &tar->long_link, tar->link, &entry->link),
			     "link"));
	}
	return NULL;
}

static struct err *read_owner(const struct tar_reader *tar, unsigned key, const char *field,
			      const char *what, uint32_t *ret)
{
	const struct pax *pax = pax_with(tar, key);
	int64_t id;

	if (pax)
		id = (int64_t)(key == PAX_UID ? pax->uid : pax->gid);
	else
		TRY(ustar_number(field, sizeof(tar->head.uid), what, 0, UINT32_MAX - 1, &id));
	*ret = (uint32_t)id;
	return NULL;
}

static struct err *read_device(const struct ustar *head, struct tar_entry *entry)
{
	int64_t major, minor;

	TRY(ustar_number(head->dev_major, sizeof(head->dev_major), "major device number", 0,
			 DEV_MAJOR_MAX, &major));
	TRY(ustar_number(head->dev_minor, sizeof(head->dev_minor), "minor device number", 0,
			 DEV_MINOR_MAX, &minor));
	entry->dev_major = (uint32_t)major;
	entry->dev_minor = (uint32_t)minor;
	return NULL;
}

static struct err *read_numbers(struct tar_reader *tar)
{
	const struct ustar *head = &tar->head;
	struct tar_entry *entry = &tar->entry;
	const struct pax *pax = pax_with(tar, PAX_MTIME);
	int64_t mode;

	TRY(ustar_number(head->mode, sizeof(head->mode), "mode", 0, INT64_MAX, &mode));
	entry->mode = (mode_t)mode & 07777;
	TRY(read_owner(tar, PAX_UID, head->uid, "uid", &entry->uid));
	TRY(read_owner(tar, PAX_GID, head->gid, "gid", &entry->gid));
	if (pax)
		entry->mtime = pax->mtime;
	else
		TRY(ustar_number(head->mtime, sizeof(head->mtime), "mtime", INT64_MIN, INT64_MAX,
				 &entry->mtime));
	if (entry->type == TAR_CHAR || entry->type == TAR_BLOCK)
		return read_device(head, entry);
	return NULL;
}

/* ---- sparse maps ---- */

/* The old GNU format: four pairs in the block, more in further blocks. */
static struct err *read_gnu_map(struct tar_reader *tar)
{
	const char *block = (const char *)&tar->head;
	bool more = block[482] != '\0';
	int64_t size;

	TRY(ustar_number(block + 483, 12, "size", 0, INT64_MAX, &size));
	TRY(sparse_add_fields(&tar->pax.sparse_map, block + 386, 4));
	while (more) {
		TRY(spend_extra(tar, TAR_BLOCK_SIZE));
		TRY(next_block(tar, &block));
		if (!block)
			return corrupt("the stream ends early");
		TRY(sparse_add_fields(&tar->pax.sparse_map, block, 21));
		more = block[504] != '\0';
	}
	tar->entry.size = (uint64_t)size;
	return NULL;
}

/* The lines of a map that stands in front of the content, in blocks of its own. */
struct map_lines {
	const char *block;
	size_t at;
};

static struct err *next_map_block(struct tar_reader *tar, struct map_lines *lines)
{
	if (tar->stored < TAR_BLOCK_SIZE)
		return corrupt("its sparse map ends early");
	TRY(spend_extra(tar, TAR_BLOCK_SIZE));
	TRY(next_block(tar, &lines->block));
	if (!lines->block)
		return corrupt("the stream ends early");
	tar->stored -= TAR_BLOCK_SIZE;
	lines->at = 0;
	return NULL;
}

static struct err *next_number(struct tar_reader *tar, struct map_lines *lines, uint64_t *ret)
{
	char digits[20];

	for (size_t len = 0; len < sizeof(digits); len++) {
		if (lines->at == TAR_BLOCK_SIZE)
			TRY(next_map_block(tar, lines));
		digits[len] = lines->block[lines->at++];
		if (digits[len] == '\n')
			return ustar_decimal((struct str){ digits, len }, "sparse map", INT64_MAX,
					     ret);
	}
	return corrupt("its sparse map does not parse");
}

/* Version 1.0: how many pairs, then the pairs, one number a line. */
static struct err *read_content_map(struct tar_reader *tar)
{
	struct map_lines lines = { (const char *)&tar->head, TAR_BLOCK_SIZE }; /* used up */
	uint64_t count = 0, offset = 0, len = 0;

	sparse_reset(&tar->pax.sparse_map);
	TRY(next_number(tar, &lines, &count));
	while (count-- > 0) {
		TRY(next_number(tar, &lines, &offset));
		TRY(next_number(tar, &lines, &len));
		TRY(sparse_add(&tar->pax.sparse_map, offset, len));
	}
	return NULL;
}

static struct err *read_pax_map(struct tar_reader *tar)
{
	const struct pax *pax = &tar->pax;
	uint64_t major = pax->set & PAX_SPARSE_MAJOR ? pax->sparse_major : 0;
	uint64_t minor = pax->set & PAX_SPARSE_MINOR ? pax->sparse_minor : 0;

	if (!(pax->set & PAX_SPARSE_SIZE))
		return corrupt("its sparse map has no size");
	tar->entry.size = pax->sparse_size;
	if (major == 1 && minor == 0)
		return read_content_map(tar);
	if (major != 0 || minor > 1)
		return err_new(ERR_UNSUPPORTED, "its sparse map is of version %ju.%ju",
			       (uintmax_t)major, (uintmax_t)minor);
	if (pax->set & PAX_SPARSE_COUNT && pax->sparse_count != pax->sparse_map.extents.len)
		return corrupt("its sparse map does not have its declared length");
	return NULL;
}

/* Needs `stored`; sets the size that the file has with its holes. */
static struct err *read_map(struct tar_reader *tar)
{
	bool is_gnu = tar->head.type == 'S';
	bool is_pax = tar->pax.set & PAX_SPARSE;

	tar->is_sparse = is_gnu || is_pax;
	if (!tar->is_sparse)
		return NULL;
	if (tar->entry.type != TAR_FILE || (is_gnu && is_pax))
		return corrupt("it has no use for a sparse map");
	TRY(is_gnu ? read_gnu_map(tar) : read_pax_map(tar));
	return sparse_finish(&tar->pax.sparse_map, tar->entry.size, tar->stored);
}

/* ---- entries ---- */

/* How much follows, and what the caller sees of it. */
static struct err *read_sizes(struct tar_reader *tar)
{
	struct tar_entry *entry = &tar->entry;
	bool is_file = entry->type == TAR_FILE;

	if (is_file && tar->pax.set & PAX_SIZE)
		tar->stored = tar->pax.size;
	else if (is_file || tar->head.type == 'D')
		TRY(size_field(tar, &tar->stored));
	tar->padding = padding_of(tar->stored);

	if (is_file && str_ends(str_of(entry->path), "/"))
		entry->type = TAR_DIR;
	if (entry->type == TAR_FILE)
		entry->size = tar->stored;
	TRY(read_map(tar));
	return spend(tar, entry->type == TAR_FILE ? entry->size : tar->stored);
}

static struct err *read_entry(struct tar_reader *tar)
{
	TRY(spend(tar, TAR_BLOCK_SIZE));
	TRY(read_type(tar));
	TRY(read_names(tar));
	if (tar->number > tar->limits.entries)
		return err_new(ERR_INVALID, "the archive has more than %ju entries",
			       (uintmax_t)tar->limits.entries);
	TRY(read_numbers(tar));
	TRY(read_sizes(tar));
	tar->entry.xattrs = tar->pax.xattrs.at;
	tar->entry.xattr_count = tar->pax.xattrs.len;
	return NULL;
}

/* At a block of zeros, or at the end of the stream (NULL). */
static struct err *read_end(struct tar_reader *tar, const char *block)
{
	uint64_t trailer = 0;
	struct str rest;

	if (tar->has_pax || tar->long_name.len > 0 || tar->long_link.len > 0)
		return corrupt("the archive ends where an entry should follow");
	if (block)
		TRY(next_block(tar, &block));
	if (block && !ustar_is_zero((const struct ustar *)block))
		return corrupt("a block of zeros is in its place");
	do {
		TRY(cancel_check());
		TRY(readahead_peek(&tar->in, &rest));
		trailer += rest.len;
		if (trailer > TRAILER_MAX)
			return err_new(ERR_INVALID, "more than %ju bytes follow the archive's end",
				       (uintmax_t)TRAILER_MAX);
		TRY(spend(tar, rest.len));
		readahead_took(&tar->in, rest.len);
	} while (rest.len > 0);
	tar->ended = true;
	return NULL;
}

/* The zeros behind content, which may be missing where the stream ends. */
static struct err *skip_padding(struct tar_reader *tar)
{
	while (tar->padding > 0) {
		struct str here;

		TRY(readahead_peek(&tar->in, &here));
		if (here.len > tar->padding)
			here.len = tar->padding;
		readahead_took(&tar->in, here.len);
		tar->padding = here.len ? tar->padding - here.len : 0;
	}
	return NULL;
}

/* Leave the present entry behind. */
static struct err *finish_entry(struct tar_reader *tar)
{
	source_free(tar->content);
	tar->content = NULL;
	TRY(readahead_skip(&tar->in, tar->stored));
	TRY(skip_padding(tar));

	tar->number++;
	tar->entry = (struct tar_entry){ 0 };
	tar->stored = 0;
	tar->pos = 0;
	tar->extra = 0;
	tar->has_pax = false;
	tar->is_sparse = false;
	buf_reset(&tar->long_name);
	buf_reset(&tar->long_link);
	pax_reset(&tar->pax);
	return NULL;
}

/* A header that only says something about the entry to come, or nothing at all. */
static struct err *read_extra(struct tar_reader *tar, bool *ret_is_extra)
{
	*ret_is_extra = true;
	switch (tar->head.type) {
	case 'x':
	case 'X':
		return read_extended(tar);
	case 'g':
		return read_global(tar);
	case 'L':
		return read_long(tar, &tar->long_name);
	case 'K':
		return read_long(tar, &tar->long_link);
	case 'V':
		return read_body(tar, NULL);
	default:
		*ret_is_extra = false;
		return NULL;
	}
}

static struct err *next_entry(struct tar_reader *tar)
{
	bool is_extra = true;

	TRY(finish_entry(tar));
	while (is_extra) {
		const char *block;

		TRY(next_block(tar, &block));
		if (!block || ustar_is_zero((const struct ustar *)block))
			return read_end(tar, block);
		memcpy(&tar->head, block, sizeof(tar->head));
		if (!ustar_is_sealed(&tar->head))
			return corrupt("its checksum is wrong");
		TRY(read_extra(tar, &is_extra));
	}
	return read_entry(tar);
}

struct err *tar_reader_next(struct tar_reader *tar, const struct tar_entry **ret_entry)
{
	if (tar->failure)
		return err_new(tar->failed, "%s", tar->failure);
	if (!tar->ended)
		TRY(fail(tar, next_entry(tar)));
	*ret_entry = tar->ended ? NULL : &tar->entry;
	return NULL;
}

/* ---- content ---- */

static size_t content_read(void *self, void *data, size_t len, struct err **err)
{
	struct tar_reader *tar = self;
	uint64_t left = tar->entry.size - tar->pos;
	bool is_hole = false;

	if (tar->is_sparse && left > 0) {
		uint64_t run = sparse_run(&tar->pax.sparse_map, tar->pos, &is_hole);

		left = run < left ? run : left;
	}
	if (len > left)
		len = (size_t)left;
	if (len == 0)
		return 0;
	if (is_hole) {
		memset(data, 0, len);
	} else {
		*err = fail(tar, readahead_take(&tar->in, data, len, &len));
		if (*err)
			return 0;
		tar->stored -= len;
	}
	tar->pos += len;
	return len;
}

/* The reader owns its state. */
static void content_free(__attribute__((unused)) void *self)
{
}

struct source *tar_reader_content(struct tar_reader *tar)
{
	static const struct source_ops ops = { content_read, content_free };

	if (!tar->content)
		tar->content = source_new(&ops, tar);
	return tar->content;
}

/* ---- life ---- */

struct tar_reader *tar_reader_new(struct source *src, const struct tar_limits *limits)
{
	struct tar_reader *tar = xcalloc(1, sizeof(*tar));
	struct tar_limits *own = &tar->limits;

	if (limits)
		*own = *limits;
	own->entries = own->entries ? own->entries : DEFAULT_ENTRIES;
	own->bytes = own->bytes ? own->bytes : DEFAULT_BYTES;
	own->path = own->path ? own->path : TAR_PATH_MAX;
	own->xattr_value = own->xattr_value ? own->xattr_value : TAR_XATTR_MAX;
	own->header = own->header ? own->header : TAR_HEADER_MAX;

	readahead_init(&tar->in, src);
	tar->long_name = BUF_INIT(own->header);
	tar->long_link = BUF_INIT(own->header);
	tar->records = BUF_INIT(own->header);
	return tar;
}

bool tar_reader_has_failed(const struct tar_reader *tar)
{
	return tar->failed != ERR_NONE;
}

void tar_reader_free(struct tar_reader *tar)
{
	if (!tar)
		return;
	source_free(tar->content);
	readahead_release(&tar->in);
	buf_release(&tar->long_name);
	buf_release(&tar->long_link);
	buf_release(&tar->records);
	pax_release(&tar->pax);
	pax_release(&tar->global);
	free(tar->failure);
	free(tar);
}
