/* builder/waste.c - see builder/waste.h.
 *
 * One node for each name that any layer has brought, in a tree: what a directory's
 * whiteout takes away is then all that lies below its node. A node that is
 * brought again after it was hidden is used again, and what it was stands in the list of
 * losses.
 */

#include "builder/waste.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/untar.h"
#include "base/vec.h"
#include "overlay/unpack.h"
#include "overlay/whiteout.h"
#include "store/blob.h"
#include "store/image.h"

struct node {
	char *path; /* owned */
	size_t layer;
	uint64_t size;
	bool there;         /* a container would see it */
	struct node *first; /* of what lies in it; each only once, there or not */
	struct node *next;  /* beside it */
};

struct waste {
	struct node root;
	struct map nodes; /* by path: struct node, owned */
	struct {
		struct waste_file *at;
		size_t len, cap;
	} lost; /* only of files with content; paths are the nodes' */
};

static void node_free(void *value)
{
	struct node *node = value;

	free(node->path);
	free(node);
}

struct waste *waste_new(void)
{
	return xcalloc(1, sizeof(struct waste));
}

void waste_free(struct waste *waste)
{
	if (!waste)
		return;
	map_release(&waste->nodes, node_free);
	vec_release(&waste->lost);
	free(waste);
}

/* ---- the tree ---- */

/* A path without "./" before it, slashes behind it, and empty parts. Owned by the caller. */
static char *clean(const char *path)
{
	struct buf out = BUF_INIT(strlen(path) + 1);
	struct str rest = str_of(path);

	while (rest.at) {
		struct str part = str_cut(&rest, '/');

		if (part.len == 0 || str_is(part, "."))
			continue;
		if (out.len > 0)
			buf_addc(&out, '/');
		buf_add_str(&out, part);
	}
	return buf_steal(&out);
}

/* The node of a clean path, made with all above it if need be. */
static struct node *node_at(struct waste *waste, struct str path)
{
	struct node *node, *above = &waste->root;

	if (path.len == 0)
		return &waste->root;
	node = map_get(&waste->nodes, path);
	if (node)
		return node;
	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] == '/')
			above = node_at(waste, (struct str){ path.at, i });
	node = xcalloc(1, sizeof(*node));
	node->path = str_dup(path);
	node->next = above->first;
	above->first = node;
	map_put(&waste->nodes, path, node);
	return node;
}

/* A file that a lower layer brought is lost; one of the same layer is only said twice. */
static void lose(struct waste *waste, struct node *node, size_t by, enum waste_kind kind)
{
	if (node->there && node->size > 0 && node->layer < by)
		vec_push(&waste->lost, (struct waste_file){ .path = node->path,
							    .size = node->size,
							    .layer = node->layer,
							    .by = by,
							    .kind = kind });
	node->there = false;
	node->size = 0;
}

/* Hide what lower layers have in and below a node's directory. */
static void hide_below(struct waste *waste, struct node *top, size_t by)
{
	VEC(struct node *) rest = { 0 };

	vec_push(&rest, top);
	while (rest.len > 0) {
		struct node *node = rest.at[--rest.len];

		for (struct node *in = node->first; in; in = in->next) {
			if (in->there && in->layer < by)
				lose(waste, in, by, WASTE_DELETED);
			vec_push(&rest, in);
		}
	}
	vec_release(&rest);
}

static void hide(struct waste *waste, struct str path, size_t by)
{
	struct node *node = map_get(&waste->nodes, path);

	if (!node)
		return;
	if (node->there && node->layer < by)
		lose(waste, node, by, WASTE_DELETED);
	hide_below(waste, node, by);
}

struct err *waste_add(struct waste *waste, size_t layer, const struct tar_entry *entry)
{
	AUTO(mem) char *path = clean(entry->path);
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path, *hidden = NULL;
	const struct str dir = { path, slash ? (size_t)(slash - path) : 0 };
	AUTO(mem) char *target = NULL;
	enum whiteout_kind kind;
	struct node *node;

	TRY(whiteout_parse(name, &kind, &hidden));
	if (kind == WHITEOUT_OPAQUE) {
		hide_below(waste, node_at(waste, dir), layer);
		return NULL;
	}
	if (kind == WHITEOUT_FILE) {
		target = xasprintf("%.*s%s%s", STR_ARG(dir), dir.len ? "/" : "", hidden);
		hide(waste, str_of(target), layer);
		return NULL;
	}
	node = node_at(waste, str_of(path));
	if (node == &waste->root)
		return NULL;
	lose(waste, node, layer, WASTE_OVERWRITTEN);
	if (entry->type != TAR_DIR) /* what is no directory has nothing below it */
		hide_below(waste, node, layer);
	node->there = true;
	node->layer = layer;
	node->size = entry->type == TAR_FILE ? entry->size : 0;
	return NULL;
}

/* ---- layers ---- */

static struct err *read_layer(struct waste *waste, struct store *store,
			      const struct image_layer *layer, size_t index)
{
	const struct tar_limits limits = unpack_limits(layer->blob.size);
	AUTO(source) struct source *tar = NULL;
	AUTO(tar_reader) struct tar_reader *reader = NULL;
	const struct tar_entry *entry = NULL;
	uint64_t size = 0;
	int fd = -1;

	TRY(blob_open(store, &layer->blob.digest, &fd, &size));
	TRY(codec_open(source_verify(source_from_fd(fd, "a blob"), &layer->blob.digest, size), NULL,
		       &tar));
	reader = tar_reader_new(tar, &limits);
	for (;;) {
		TRY(tar_reader_next(reader, &entry));
		if (!entry)
			return NULL;
		TRY(waste_add(waste, index, entry));
	}
}

struct err *waste_read(struct waste *waste, struct store *store, const struct image *image)
{
	for (size_t i = 0; i < image->layer_count; i++)
		TRY(err_wrap(read_layer(waste, store, &image->layers[i], i), "layer %zu", i + 1));
	return NULL;
}

/* ---- results ---- */

uint64_t waste_bytes(const struct waste *waste, size_t layer, size_t *ret_files)
{
	uint64_t bytes = 0;

	*ret_files = 0;
	vec_foreach (&waste->lost, file) {
		if (layer != SIZE_MAX && file->layer != layer)
			continue;
		bytes += file->size;
		(*ret_files)++;
	}
	return bytes;
}

static int by_size(const void *a, const void *b)
{
	const struct waste_file *x = a, *y = b;
	int order = (x->size < y->size) - (x->size > y->size);

	if (order == 0)
		order = strcmp(x->path, y->path);
	return order ? order : (x->layer > y->layer) - (x->layer < y->layer);
}

size_t waste_biggest(const struct waste *waste, struct waste_file *ret, size_t max)
{
	const size_t count = waste->lost.len;
	AUTO(mem) struct waste_file *sorted = xcalloc(count + 1, sizeof(*sorted));

	if (count == 0)
		return 0;
	memcpy(sorted, waste->lost.at, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_size);
	max = max < count ? max : count;
	memcpy(ret, sorted, max * sizeof(*ret));
	return max;
}
