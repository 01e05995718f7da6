/* overlay/verify.c - see overlay/verify.h. */

#include "overlay/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/stream.h"
#include "base/tar.h"
#include "overlay/diff.h"
#include "overlay/pipeline.h"
#include "overlay/stack.h"
#include "overlay/unpack.h"
#include "overlay/whiteout.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/store.h"

#define LIST_MAX ((size_t)1024 * 1024 * 1024)

/* ---- a tree and its list ---- */

/* The walk meets the entries of a list in its order. */
struct comparison {
	struct str rest;   /* of the list, after `line` */
	struct str line;   /* what should come next; empty at the end */
	struct buf own;    /* the line of the entry at hand */
	struct err *wrong; /* owned: the first difference */
};

static void comparison_auto_(struct comparison *c)
{
	buf_release(&c->own);
	err_free(c->wrong);
}

/* The path of a line, as it is spelled there: what stands behind the last blank. */
static struct str path_of(struct str line)
{
	size_t at = line.len;

	while (at && line.at[at - 1] != ' ')
		at--;
	return (struct str){ line.at + at, line.len - at };
}

static bool is_whiteout(struct str line)
{
	return line.len && line.at[0] == 'w';
}

static void next_line(struct comparison *c)
{
	do
		c->line = str_cut(&c->rest, '\n');
	while (is_whiteout(c->line));
}

/* Whether the list still has a line for this path. */
static bool comes_later(const struct comparison *c, struct str path)
{
	struct str rest = c->rest;

	while (rest.len)
		if (str_equal(path_of(str_cut(&rest, '\n')), path))
			return true;
	return false;
}

static void differ(struct comparison *c, const char *what, struct str path)
{
	c->wrong = err_new(ERR_CORRUPT, "'%.*s' %s", (int)(path.len > 4096 ? 4096 : path.len),
			   path.at, what);
}

/* Directories that were copied up without a change are in the tree and not in the list; what the root
 * is depends on what lies below. */
static void compare_entry(void *arg, const struct tar_entry *entry, const struct digest *digest)
{
	struct comparison *c = arg;
	struct str own, path;

	if (c->wrong || (entry->type == TAR_FILE && !digest))
		return;
	buf_reset(&c->own);
	diff_list_line(&c->own, entry, digest);
	own = (struct str){ c->own.at, c->own.len - 1 };
	path = path_of(own);
	if (str_is(path_of(c->line), "./") && !str_equal(path, path_of(c->line)))
		next_line(c);
	if (str_equal(own, c->line) || (str_is(path, "./") && str_is(path_of(c->line), "./")))
		next_line(c);
	else if (str_equal(path, path_of(c->line)))
		differ(c, "has changed", path);
	else if (comes_later(c, path))
		differ(c, "is missing", path_of(c->line));
	else if (entry->type != TAR_DIR)
		differ(c, "was not in the layer", path);
}

/* The name that a line of a whiteout deletes must not be there, or be a whiteout in the store's
 * spelling. One whose directory hides all that lies below has none of its own. */
static bool whiteout_holds(int fs_fd, struct str line)
{
	AUTO(mem) char *path = str_dup(path_of(line));
	char *slash = strrchr(path, '/');
	char *name = slash ? slash + 1 : path;
	AUTO(fd) int dir_fd = -1;
	const char *hidden;
	struct stat st;
	bool opaque = false;
	struct err *err;

	if (strchr(path, '\\') || strncmp(name, ".wh.", 4) != 0)
		return true; /* not judged */
	if (slash)
		*slash = '\0';
	err = file_open_dir(fs_fd, slash ? path : ".", &dir_fd);
	if (!err)
		err = whiteout_is_opaque(dir_fd, &opaque);
	if (err) {
		err_free(err);
		return false;
	}
	if (fstatat(dir_fd, name + 4, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return whiteout_is(&st) || opaque;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return whiteout_mark(dir_fd, name, &st, &hidden) == WHITEOUT_FILE;
	return opaque;
}

static struct err *compare_whiteouts(int fs_fd, struct str list, struct comparison *c)
{
	while (!c->wrong && list.len) {
		struct str line = str_cut(&list, '\n');

		if (is_whiteout(line) && !whiteout_holds(fs_fd, line))
			differ(c, "is missing", path_of(line));
	}
	return NULL;
}

static struct err *compare_list(int fs_fd, struct str list, struct err **ret_wrong)
{
	AUTO(comparison) struct comparison c = { .rest = list, .own = BUF_INIT(1 << 20) };
	const struct diff_opts opts = { .below_fd = -1, .each = compare_entry, .arg = &c };
	AUTO(sink) struct sink *nowhere = sink_null();
	struct diff_result result;
	struct err *err;

	next_line(&c);
	err = diff_write(fs_fd, &opts, nowhere, &result);
	if (err_kind(err) == ERR_INVALID) { /* a tree that cannot be a layer's */
		*ret_wrong = err;
		return NULL;
	}
	TRY(err);
	if (str_is(path_of(c.line), "./"))
		next_line(&c);
	if (!c.wrong && !str_is(c.line, "end"))
		differ(&c, "is missing", path_of(c.line));
	TRY(compare_whiteouts(fs_fd, list, &c));
	*ret_wrong = STEAL(c.wrong);
	return NULL;
}

/* ---- a tree and its blob ---- */

/* The digest of what a tree says by itself. */
static struct err *digest_tree(int fs_fd, struct digest *ret)
{
	const struct diff_opts opts = { .below_fd = -1 };
	AUTO(sink) struct sink *out = sink_hash(sink_null(), ret, NULL);
	struct diff_result result;

	TRY(diff_write(fs_fd, &opts, out, &result));
	return sink_finish(out);
}

/* Unpack a blob into a stage. */
static struct err *unpack_blob(struct store *store, const struct descriptor *blob,
			       struct layer_stage **ret_stage, struct unpack_result *ret)
{
	const struct tar_limits limits = unpack_limits(blob->size);
	const struct unpack_opts opts = { .below_fd = -1, .limits = &limits };
	AUTO(source) struct source *tar = NULL;
	uint64_t size = 0;
	int fd = -1;

	TRY(layer_begin(store, ret_stage));
	TRY(blob_open(store, &blob->digest, &fd, &size));
	TRY(codec_open(source_verify(source_from_fd(fd, "a blob"), &blob->digest, size), NULL,
		       &tar));
	return unpack(tar, (*ret_stage)->fs_fd, &opts, ret);
}

/* What a bad blob says is no answer about the tree. */
static struct err *forgive_blob(struct err *err, bool *ret_usable)
{
	*ret_usable = !err;
	if (err_kind(err) != ERR_CORRUPT && err_kind(err) != ERR_INVALID &&
	    err_kind(err) != ERR_NOT_FOUND && err_kind(err) != ERR_UNSUPPORTED)
		return err;
	err_free(err);
	return NULL;
}

static struct err *compare_blob(struct store *store, int fs_fd, const struct layer_meta *meta,
				struct err **ret_wrong)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct unpack_result result = { .dependent = true };
	struct digest own, other;
	struct err *err;
	bool usable;

	err = unpack_blob(store, &meta->blob, &stage, &result);
	if (err_kind(err) == ERR_SYSTEM)
		return err_wrap(err, "unpack its blob beside it");
	TRY(forgive_blob(err, &usable));
	if (!usable || result.dependent || !digest_equal(&result.diff_id, &meta->diff_id))
		return NULL;
	err = digest_tree(fs_fd, &own);
	if (err_kind(err) == ERR_INVALID) {
		*ret_wrong = err;
		return NULL;
	}
	TRY(err);
	TRY(digest_tree(stage->fs_fd, &other));
	if (!digest_equal(&own, &other))
		*ret_wrong = err_new(ERR_CORRUPT, "the tree is not what its blob unpacks to");
	return NULL;
}

static struct err *read_list(int dir_fd, struct buf *ret, bool *ret_found)
{
	struct err *err = file_read(dir_fd, "list", LIST_MAX, ret);

	*ret_found = !err;
	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return NULL;
}

struct err *verify_layer(struct store *store, const char *lid, struct err **ret_wrong)
{
	AUTO(buf) struct buf list = BUF_INIT(LIST_MAX + 1);
	AUTO(fd) int fs_fd = -1, dir_fd = -1;
	struct layer_meta meta;
	bool found;

	*ret_wrong = NULL;
	TRY(layer_open(store, lid, &fs_fd, &meta));
	TRY(layer_open_dir(store, lid, &dir_fd));
	TRY(read_list(dir_fd, &list, &found));
	if (found && !str_ends(buf_str(&list), "\nend\n") && !str_is(buf_str(&list), "end\n"))
		*ret_wrong = err_new(ERR_CORRUPT, "its list is cut off");
	else if (found)
		TRY(compare_list(fs_fd, buf_str(&list), ret_wrong));
	else if (meta.has_blob && meta.has_diff_id && !meta.dependent)
		TRY(compare_blob(store, fs_fd, &meta, ret_wrong));
	return NULL;
}

/* ---- making anew ---- */

struct err *verify_remake_layer(struct store *store, const struct layer_meta *meta, bool *ret_done)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct unpack_result result = { .dependent = true };
	struct layer_meta fresh = *meta;

	*ret_done = false;
	if (!meta->has_blob || !meta->has_diff_id || meta->dependent)
		return NULL;
	TRY(forgive_blob(unpack_blob(store, &meta->blob, &stage, &result), ret_done));
	*ret_done = *ret_done && !result.dependent && digest_equal(&result.diff_id, &meta->diff_id);
	if (!*ret_done)
		return NULL;
	fresh.entries = result.entries;
	fresh.bytes = result.bytes;
	fresh.has_root = result.has_root;
	return layer_seal(stage, NULL, &fresh);
}

/* Write the tar of a tree as a blob, which must have this digest. */
static struct err *write_blob(struct store *store, int fs_fd, int below_fd,
			      const struct image_layer *layer, enum codec codec, bool *ret_done)
{
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	const struct compression how = { .codec = codec };
	const struct diff_opts opts = { .below_fd = below_fd };
	AUTO(sink) struct sink *out = NULL;
	struct diff_result result;
	struct digest digest, diff_id;
	uint64_t size;

	TRY(blob_begin(store, &writer));
	out = codec_sink(sink_borrow(blob_sink(writer)), &how, pool_default_threads());
	out = pipeline_sink(sink_hash(out, &diff_id, NULL));
	TRY(diff_write(fs_fd, &opts, out, &result));
	TRY(sink_finish(out));
	*ret_done = digest_equal(&diff_id, &layer->diff_id);
	return *ret_done ? forgive_blob(blob_commit(writer, &layer->blob.digest, &digest, &size),
					ret_done) :
			   NULL;
}

/* The stack below a layer; `*ret_found` is false if one of it is absent. */
static struct err *open_below(struct store *store, const struct image *image, size_t count,
			      struct stack *ret, bool *ret_found)
{
	*ret_found = true;
	for (size_t i = 0; i < count && *ret_found; i++) {
		const struct digest *chain = i ? &image->layers[i - 1].chain_id : NULL;
		struct layer_meta meta;

		TRY(layer_find(store, &image->layers[i].diff_id, chain, ret_found, &meta));
		if (*ret_found)
			TRY(stack_push(ret, store, meta.lid));
	}
	return NULL;
}

static enum codec codec_of(const char *media_type)
{
	if (str_ends(str_of(media_type), "+zstd"))
		return CODEC_ZSTD;
	return str_ends(str_of(media_type), "gzip") ? CODEC_GZIP : CODEC_NONE;
}

struct err *verify_remake_blob(struct store *store, const struct image *image, size_t i,
			       bool *ret_done)
{
	const struct image_layer *layer = &image->layers[i];
	const struct digest *chain = i ? &image->layers[i - 1].chain_id : NULL;
	AUTO(stack) struct stack below = { 0 };
	AUTO(fd) int fs_fd = -1, below_fd = -1;
	struct layer_meta meta;
	bool found;

	*ret_done = false;
	TRY(open_below(store, image, i, &below, &found));
	if (found)
		TRY(layer_find(store, &layer->diff_id, chain, &found, &meta));
	if (!found)
		return NULL;
	TRY(layer_open(store, meta.lid, &fs_fd, NULL));
	if (i)
		TRY(stack_view(&below, &below_fd));
	return write_blob(store, fs_fd, below_fd, layer, codec_of(layer->blob.media_type),
			  ret_done);
}
