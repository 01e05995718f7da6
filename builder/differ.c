/* builder/differ.c - see builder/differ.h. */

#include "builder/differ.h"

#include <inttypes.h>
#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/untar.h"
#include "store/blob.h"
#include "store/image.h"

#define BLOCK ((size_t)32 * 1024)
#define LAYER_MAX ((uint64_t)1 << 50)

/* ---- content ---- */

struct range {
	uint64_t from, end; /* of the first run of bytes that differ */
	bool found, closed;
};

static size_t read_block(struct source *src, char *data)
{
	size_t len = 0, got;

	while (len < BLOCK && (got = source_read(src, data + len, BLOCK - len)) > 0)
		len += got;
	return len;
}

static void compare_block(const char *a, const char *b, size_t len, uint64_t at,
			  struct range *range)
{
	for (size_t i = 0; i < len && !range->closed; i++) {
		const bool same = a[i] == b[i];

		if (same && range->found) {
			range->closed = true;
		} else if (!same) {
			range->from = range->found ? range->from : at + i;
			range->end = at + i + 1;
			range->found = true;
		}
	}
}

/* The first run of different bytes; what only one of them has differs. */
static struct err *compare_content(struct source *a, struct source *b, struct range *range)
{
	UNCLEARED char in_a[BLOCK];
	UNCLEARED char in_b[BLOCK];
	uint64_t at = 0;

	for (;;) {
		const size_t len_a = read_block(a, in_a), len_b = read_block(b, in_b);
		const size_t least = len_a < len_b ? len_a : len_b;

		compare_block(in_a, in_b, least, at, range);
		at += least;
		if (len_a != len_b && !range->found)
			*range = (struct range){ at, at + len_a + len_b - 2 * least, true, true };
		if (least < BLOCK)
			break;
	}
	TRY(source_check(a));
	return source_check(b);
}

/* ---- entries ---- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_xattrs(const struct tar_entry *a, const struct tar_entry *b)
{
	if (a->xattr_count != b->xattr_count)
		return false;
	for (size_t i = 0; i < a->xattr_count; i++)
		if (strcmp(a->xattrs[i].name, b->xattrs[i].name) != 0 ||
		    !str_equal(a->xattrs[i].value, b->xattrs[i].value))
			return false;
	return true;
}

static void add_attributes(const struct tar_entry *a, const struct tar_entry *b, struct buf *ret)
{
	if (a->type != b->type)
		buf_adds(ret, ", type");
	if (a->mode != b->mode)
		buf_addf(ret, ", mode %04o and %04o", (unsigned)a->mode, (unsigned)b->mode);
	if (a->uid != b->uid || a->gid != b->gid)
		buf_addf(ret, ", owner %u:%u and %u:%u", a->uid, a->gid, b->uid, b->gid);
	if (a->mtime != b->mtime)
		buf_addf(ret, ", mtime %" PRId64 " and %" PRId64, a->mtime, b->mtime);
	if (a->size != b->size)
		buf_addf(ret, ", size %" PRIu64 " and %" PRIu64, a->size, b->size);
	if (!same_text(a->link, b->link))
		buf_adds(ret, ", link");
	if (a->dev_major != b->dev_major || a->dev_minor != b->dev_minor)
		buf_adds(ret, ", device");
	if (!same_xattrs(a, b))
		buf_adds(ret, ", xattr");
}

/* Both are in the same place. The names are the reader's until its next call. */
static struct err *compare_entries(struct tar_reader *tar_a, struct tar_reader *tar_b,
				   const struct tar_entry *a, const struct tar_entry *b,
				   struct buf *ret)
{
	AUTO(buf) struct buf what = BUF_INIT(4096);
	struct range range = { 0 };

	if (a->type == TAR_FILE && b->type == TAR_FILE)
		TRY(compare_content(tar_reader_content(tar_a), tar_reader_content(tar_b), &range));
	if (range.found)
		buf_addf(&what, ", content from byte %" PRIu64 " to %" PRIu64, range.from,
			 range.end);
	add_attributes(a, b, &what);
	if (what.len > 0)
		buf_addf(ret, "'%s' differs: %s", a->path, what.at + 2);
	return NULL;
}

/* Their entries are at different places: if the second layer has the first one's further on, it has more here. */
static struct err *tell_only(struct tar_reader *tar_b, const struct tar_entry *a,
			     const struct tar_entry *b, struct buf *ret)
{
	AUTO(mem) char *here = b ? xstrdup(b->path) : NULL;
	bool found = !a;

	while (b && !found) {
		TRY(tar_reader_next(tar_b, &b));
		found = b && strcmp(a->path, b->path) == 0;
	}
	buf_addf(ret, "'%s' is only in the %s image", found ? here : a->path,
		 found ? "second" : "first");
	return NULL;
}

/* ---- layers ---- */

static struct err *open_layer(struct store *store, const struct image_layer *layer,
			      struct source **ret)
{
	uint64_t size;
	int fd;

	TRY(blob_open(store, &layer->blob.digest, &fd, &size));
	return codec_open(source_from_fd(fd, "layer"), NULL, ret);
}

static struct err *compare_layers(struct store *store, const struct image_layer *first,
				  const struct image_layer *second, struct buf *ret)
{
	const struct tar_limits limits = { .bytes = LAYER_MAX };
	AUTO(source) struct source *in_a = NULL;
	AUTO(source) struct source *in_b = NULL;
	AUTO(tar_reader) struct tar_reader *tar_a = NULL;
	AUTO(tar_reader) struct tar_reader *tar_b = NULL;
	const size_t before = ret->len;

	TRY(open_layer(store, first, &in_a));
	TRY(open_layer(store, second, &in_b));
	tar_a = tar_reader_new(in_a, &limits);
	tar_b = tar_reader_new(in_b, &limits);
	while (ret->len == before) {
		const struct tar_entry *a, *b;

		TRY(tar_reader_next(tar_a, &a));
		TRY(tar_reader_next(tar_b, &b));
		if (!a && !b) {
			buf_adds(ret, "the entries are the same, their headers are not");
			break;
		}
		if (a && b && strcmp(a->path, b->path) == 0)
			TRY(compare_entries(tar_a, tar_b, a, b, ret));
		else
			TRY(tell_only(tar_b, a, b, ret));
	}
	return NULL;
}

/* The instruction that made a layer, as the history has it; NULL if it does not tell. */
static const char *step_of(const struct image *image, size_t layer)
{
	const json_t *rows = json_object_get(image->config, "history");

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		if (!json_is_true(json_object_get(row, "empty_layer")) && layer-- == 0)
			return json_string_value(json_object_get(row, "created_by"));
	}
	return NULL;
}

/* ---- configs ---- */

static void compare_fields(const json_t *a, const json_t *b, const char *prefix, struct buf *ret)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)a, name,
			    value) if (!json_equal(value, json_object_get(b, name)))
		buf_addf(ret, "%s%s%s", ret->len ? ", " : "", prefix, name);
	json_object_foreach((json_t *)b, name, value) if (!json_object_get(a, name))
		buf_addf(ret, "%s%s%s", ret->len ? ", " : "", prefix, name);
}

static void compare_configs(const json_t *a, const json_t *b, struct buf *ret)
{
	AUTO(buf) struct buf names = BUF_INIT((size_t)64 * 1024);
	AUTO(json) json_t *rest_a = json_copy((json_t *)a);
	AUTO(json) json_t *rest_b = json_copy((json_t *)b);

	json_object_del(rest_a, "config");
	json_object_del(rest_b, "config");
	compare_fields(rest_a, rest_b, "", &names);
	compare_fields(json_object_get(a, "config"), json_object_get(b, "config"), "config.",
		       &names);
	if (names.len > 0)
		buf_addf(ret, "config differs: %s", names.at);
}

struct err *differ_images(struct store *store, const struct image *first,
			  const struct image *second, struct buf *ret)
{
	const size_t least =
		first->layer_count < second->layer_count ? first->layer_count : second->layer_count;

	for (size_t i = 0; i < least; i++) {
		const char *step = step_of(first, i);

		if (digest_equal(&first->layers[i].diff_id, &second->layers[i].diff_id))
			continue;
		buf_addf(ret, "layer %zu (%.200s): ", i + 1, step ? step : "no step is told");
		return compare_layers(store, &first->layers[i], &second->layers[i], ret);
	}
	if (first->layer_count != second->layer_count)
		buf_addf(ret, "the images have %zu and %zu layers", first->layer_count,
			 second->layer_count);
	else
		compare_configs(first->config, second->config, ret);
	return NULL;
}
