/* store/meta.c - see store/meta-private.h. */

#include "store/meta-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/log.h"
#include "store/record-private.h"

static struct err *bad(const char *what)
{
	return err_new(ERR_CORRUPT, "the record has a bad %s", what);
}

/* ---- parsing ---- */

static struct err *parse_bool(struct str *rest, const char *key, bool *ret)
{
	struct str value;

	TRY(record_text(rest, key, &value));
	if (!str_is(value, "0") && !str_is(value, "1"))
		return bad(key);
	*ret = value.at[0] == '1';
	return NULL;
}

/* Text of printable ASCII that fits into `size` bytes with its NUL. */
static struct err *parse_word(struct str value, const char *what, char *ret, size_t size)
{
	if (value.len >= size)
		return bad(what);
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] < ' ' || value.at[i] > '~')
			return bad(what);
	memcpy(ret, value.at, value.len);
	ret[value.len] = '\0';
	return NULL;
}

static struct err *parse_blob(struct str *rest, struct descriptor *ret)
{
	struct str value;

	TRY(record_text(rest, "blob", &value));
	TRY(record_parse_digest(str_cut(&value, ' '), &ret->digest));
	TRY(record_parse_number(str_cut(&value, ' '), &ret->size));
	if (!value.at)
		return bad("blob");
	return parse_word(value, "media type", ret->media_type, sizeof(ret->media_type));
}

static struct err *parse_lid(struct str *rest, char ret[static LAYER_ID_SIZE])
{
	struct str value;

	TRY(record_text(rest, "lid", &value));
	if (!store_id_is_valid(value))
		return bad("lid");
	return parse_word(value, "lid", ret, LAYER_ID_SIZE);
}

struct err *meta_parse(struct str text, struct meta_record *ret)
{
	struct meta_record record = { 0 };
	struct layer_meta *meta = &record.meta;
	struct str rest, value;

	TRY(record_open(text, &rest));
	TRY(record_text(&rest, "cairn-layer", &value));
	if (!str_is(value, "1"))
		return bad("version");
	TRY(parse_lid(&rest, meta->lid));
	TRY(record_text(&rest, "boot", &value));
	TRY(parse_word(value, "boot", record.boot, sizeof(record.boot)));
	TRY(record_number(&rest, "entries", &meta->entries));
	TRY(record_number(&rest, "bytes", &meta->bytes));
	TRY(parse_bool(&rest, "dependent", &meta->dependent));
	TRY(parse_bool(&rest, "root", &meta->has_root));
	meta->has_diff_id = record_has(rest, "diff");
	if (meta->has_diff_id)
		TRY(record_digest(&rest, "diff", &meta->diff_id));
	meta->has_blob = record_has(rest, "blob");
	if (meta->has_blob)
		TRY(parse_blob(&rest, &meta->blob));
	if (rest.len)
		return bad("end");
	*ret = record;
	return NULL;
}

/* ---- formatting ---- */

struct err *meta_format(const struct meta_record *record, struct buf *buf)
{
	const struct layer_meta *meta = &record->meta;
	const struct descriptor *blob = &meta->blob;
	char digest[DIGEST_TEXT_SIZE];

	for (const char *c = blob->media_type; meta->has_blob && *c; c++)
		if (*c < ' ' || *c > '~')
			return err_new(ERR_INVALID, "the media type of a layer is no plain text");
	buf_addf(buf, "cairn-layer 1\nlid %s\nboot %s\n", meta->lid, record->boot);
	buf_addf(buf, "entries %ju\nbytes %ju\n", (uintmax_t)meta->entries, (uintmax_t)meta->bytes);
	buf_addf(buf, "dependent %d\nroot %d\n", meta->dependent, meta->has_root);
	if (meta->has_diff_id)
		buf_addf(buf, "diff %s\n", digest_format(&meta->diff_id, digest));
	if (meta->has_blob)
		buf_addf(buf, "blob %s %ju %s\n", digest_format(&blob->digest, digest),
			 (uintmax_t)blob->size, blob->media_type);
	return record_seal(buf);
}

/* ---- trust ---- */

char *meta_path(const char *lid, const char *name, char buf[static STORE_PATH_SIZE])
{
	snprintf(buf, STORE_PATH_SIZE, "layers/%s/%s", lid, name);
	return buf;
}

/* Whether the layer's files are known to be what was written. */
static bool is_trusted(struct store *store, const struct meta_record *record)
{
	char path[STORE_PATH_SIZE];

	if (strcmp(record->boot, store->boot_id) == 0 && !atomic_load(&store->sync_failed)) {
		store_note_unsynced(store, record->meta.lid);
		return true;
	}
	return file_exists(store->root_fd, meta_path(record->meta.lid, "synced", path));
}

struct err *meta_find(struct store *store, const char *lid, bool *ret_found,
		      struct meta_record *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(META_MAX);
	AUTO(err) struct err *err = NULL;
	struct meta_record record;
	char path[STORE_PATH_SIZE];
	bool found = false;
	struct stat st;

	*ret_found = false;
	if (!store_id_is_valid(str_of(lid)))
		return NULL;
	TRY(store_read(store, meta_path(lid, "meta", path), META_MAX, &text, &found));
	if (!found)
		return NULL;
	err = meta_parse(buf_str(&text), &record);
	if (!err && strcmp(record.meta.lid, lid) != 0)
		err = bad("lid");
	if (err)
		log_debug("%s: %s; the layer counts as absent", path, err_text(err));
	if (err || !is_trusted(store, &record))
		return NULL;
	if (fstatat(store->root_fd, meta_path(lid, "fs", path), &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return err_sys("look at %s", path);
		st.st_mode = 0;
	}
	if (!S_ISDIR(st.st_mode)) {
		log_debug("layers/%s has no tree; it counts as absent", lid);
		return NULL;
	}
	*ret = record;
	*ret_found = true;
	return NULL;
}
