/* overlay/diff.c - see overlay/diff.h. */

#include "overlay/diff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/stream.h"
#include "base/tar.h"
#include "overlay/pipeline.h"
#include "overlay/walk.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/store.h"

/* A tar in the making. */
struct job {
	const struct diff_opts *opts;
	struct sink *out;  /* borrowed */
	struct buf header; /* of the current entry */
	char *chunk;       /* owned; one byte more than STREAM_CHUNK, see copy_data() */
	char *zeros;       /* owned, STREAM_CHUNK bytes; made when a hole is met */
	struct diff_result result;
};

static void job_auto_(struct job *job)
{
	buf_release(&job->header);
	free(job->chunk);
	free(job->zeros);
}

/* ---- content ---- */

static void put(struct job *job, struct hasher *hasher, const void *data, size_t len)
{
	sink_write(job->out, data, len);
	if (hasher)
		hasher_update(hasher, data, len);
}

/* `len` bytes from where `fd` stands, which are the last of the file if `end`. Then the last
 * read asks for a byte more than there should be, so that it sees whether the file has grown. */
static struct err *copy_data(struct job *job, struct hasher *hasher, int fd, uint64_t len, bool end)
{
	while (len > 0) {
		size_t want = len < STREAM_CHUNK ? (size_t)len : STREAM_CHUNK;
		size_t got;

		want += end && len <= STREAM_CHUNK;
		TRY(file_read_some(fd, job->chunk, want, "its content", &got));
		TRY(cancel_check());
		if (got == 0 || got > len)
			return err_new(ERR_INVALID, "it has changed while it was read");
		put(job, hasher, job->chunk, got);
		len -= got;
		if (sink_failed(job->out))
			return NULL;
	}
	return NULL;
}

static struct err *copy_hole(struct job *job, struct hasher *hasher, uint64_t len)
{
	if (!job->zeros)
		job->zeros = xcalloc(1, STREAM_CHUNK);
	while (len > 0 && !sink_failed(job->out)) {
		size_t n = len < STREAM_CHUNK ? (size_t)len : STREAM_CHUNK;

		TRY(cancel_check());
		put(job, hasher, job->zeros, n);
		len -= n;
	}
	return NULL;
}

/* All of a file with holes, which are not read. */
static struct err *copy_sparse(struct job *job, struct hasher *hasher, int fd, uint64_t size)
{
	uint64_t begin, end;

	for (uint64_t at = 0; at < size && !sink_failed(job->out); at = end) {
		TRY(file_next_data(fd, at, size, &begin, &end));
		TRY(copy_hole(job, hasher, begin - at));
		TRY(copy_data(job, hasher, fd, end - begin, end == size));
	}
	return NULL;
}

static struct err *copy_content(struct job *job, struct hasher *hasher,
				const struct walk_entry *entry)
{
	uint64_t size = entry->tar.size;

	if (file_is_sparse(entry->st))
		TRY(copy_sparse(job, hasher, entry->fd, size));
	else
		TRY(copy_data(job, hasher, entry->fd, size, true));
	tar_write_padding(job->out, size);
	job->result.bytes += size;
	return NULL;
}

/* ---- entries ---- */

/* Put an entry into the directory that the options say. What it owns from then on is in `path` and `link`. */
static void move_entry(const struct diff_opts *opts, struct tar_entry *head, char **path,
		       char **link)
{
	const bool is_root = strcmp(head->path, "./") == 0;

	if (!opts->prefix)
		return;
	*path = xasprintf("%s/%s", opts->prefix, is_root ? "" : head->path);
	head->path = *path;
	if (head->type == TAR_HARDLINK) {
		*link = xasprintf("%s/%s", opts->prefix, head->link);
		head->link = *link;
	}
}

static struct err *write_one(struct job *job, const struct walk_entry *entry)
{
	bool content = entry->fd >= 0 && entry->tar.type == TAR_FILE;
	AUTO(hasher) struct hasher *hasher = content && job->opts->each ? hasher_new() : NULL;
	struct tar_entry head = entry->tar;
	AUTO(mem) char *path = NULL;
	AUTO(mem) char *link = NULL;
	struct digest digest;

	/* The root's time is that of a directory of this store: the same image has others
	 * elsewhere. */
	if (job->opts->flat && strcmp(head.path, "./") == 0)
		head.mtime = 0;
	move_entry(job->opts, &head, &path, &link);
	buf_reset(&job->header);
	TRY(tar_encode_header(&head, &job->header));
	sink_write(job->out, job->header.at, job->header.len);
	if (content)
		TRY(copy_content(job, hasher, entry));
	if (sink_failed(job->out))
		return err_new(ERR_CANCELLED, "the output has failed");
	if (hasher)
		TRY(hasher_finish(hasher, &digest));
	if (job->opts->each)
		job->opts->each(job->opts->arg, &head, hasher ? &digest : NULL);
	job->result.entries++;
	return NULL;
}

static struct err *write_entry(void *arg, const struct walk_entry *entry)
{
	struct job *job = arg;
	const struct diff_opts *opts = job->opts;

	if (!opts->wants || opts->wants(opts->arg, &entry->tar))
		TRY(write_one(job, entry));
	return opts->behind && entry->tar.type == TAR_DIR ?
		       opts->behind(opts->arg, &entry->tar, job->out) :
		       NULL;
}

struct err *diff_write(int fs_fd, const struct diff_opts *opts, struct sink *out,
		       struct diff_result *ret)
{
	const struct walk_opts walk_opts = { .flat = opts->flat, .below_fd = opts->below_fd };
	AUTO(job)
	struct job job = {
		.opts = opts,
		.out = out,
		.header = BUF_INIT(TAR_HEADER_MAX),
		.chunk = xcalloc(1, STREAM_CHUNK + 1),
	};
	struct err *err = walk(fs_fd, &walk_opts, write_entry, &job);

	/* What failed in the sink is told by sink_finish(). */
	if (err && sink_failed(out))
		err_free(STEAL(err));
	TRY(err);
	if (!opts->prefix)
		tar_write_end(out);
	*ret = job.result;
	return NULL;
}

static struct err *note_entry(void *arg, const struct walk_entry *entry)
{
	(void)entry;
	*(bool *)arg = false;
	return NULL;
}

struct err *diff_is_empty(int fs_fd, int below_fd, bool *ret)
{
	const struct walk_opts opts = { .below_fd = below_fd, .first = true };
	bool empty = true;

	TRY(walk(fs_fd, &opts, note_entry, &empty));
	*ret = empty;
	return NULL;
}

/* ---- times ---- */

static struct err *clamp(void *arg, const struct walk_entry *entry)
{
	const int64_t *epoch = arg;
	const struct timespec *now = &entry->st->st_mtim;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = *epoch } };
	int failed;

	if (now->tv_sec < *epoch || (now->tv_sec == *epoch && now->tv_nsec == 0))
		return NULL;
	if (entry->fd >= 0)
		failed = futimens(entry->fd, times);
	else
		failed = utimensat(entry->dir_fd, entry->name, times, AT_SYMLINK_NOFOLLOW);
	return failed ? err_sys("set the time") : NULL;
}

struct err *diff_clamp_times(int fs_fd, int64_t epoch)
{
	const struct walk_opts opts = { .flat = true, .bare = true };

	return walk(fs_fd, &opts, clamp, &epoch);
}

/* ---- blobs ---- */

#define LIST "list"
#define LIST_TEMP "list.tmp"
#define LIST_LINE_MAX ((size_t)64 * 1024) /* two paths, every byte escaped, and some numbers */

/* The list of a layer in the making. */
struct list {
	int dir_fd;       /* layers/<lid>, owned */
	struct sink *out; /* owned */
	struct buf line;
};

static void list_auto_(struct list *list)
{
	sink_free(list->out);
	buf_release(&list->line);
	fd_auto_(&list->dir_fd);
}

static void add_escaped(struct buf *line, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c == 0x7f || c == '\\')
			buf_addf(line, "\\%03o", c);
		else
			buf_addc(line, (char)c);
	}
}

/* The field that tells what an entry holds. */
static void add_content(struct buf *line, const struct tar_entry *entry,
			const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];

	if (digest)
		buf_adds(line, digest_format(digest, text) + strlen("sha256:"));
	else if (entry->link)
		add_escaped(line, entry->link);
	else if (entry->type == TAR_CHAR || entry->type == TAR_BLOCK)
		buf_addf(line, "%u:%u", entry->dev_major, entry->dev_minor);
	else
		buf_addc(line, '-');
}

void diff_list_line(struct buf *line, const struct tar_entry *entry, const struct digest *digest)
{
	static const char letters[] = {
		[TAR_FILE] = 'f',  [TAR_HARDLINK] = 'h', [TAR_SYMLINK] = 'l', [TAR_CHAR] = 'c',
		[TAR_BLOCK] = 'b', [TAR_DIR] = 'd',      [TAR_FIFO] = 'p'
	};
	bool whiteout = entry->type == TAR_FILE && !digest;

	buf_addf(line, "%c %04o %u %u %ju %jd ", whiteout ? 'w' : letters[entry->type],
		 (unsigned)entry->mode, entry->uid, entry->gid, (uintmax_t)entry->size,
		 (intmax_t)entry->mtime);
	add_content(line, entry, digest);
	buf_addc(line, ' ');
	add_escaped(line, entry->path);
	buf_addc(line, '\n');
}

static void list_entry(void *arg, const struct tar_entry *entry, const struct digest *digest)
{
	struct list *list = arg;

	buf_reset(&list->line);
	diff_list_line(&list->line, entry, digest);
	sink_write(list->out, list->line.at, list->line.len);
}

static struct err *list_begin(struct store *store, const char *lid, struct list *ret)
{
	int fd;

	TRY(layer_open_dir(store, lid, &ret->dir_fd));
	fd = openat(ret->dir_fd, LIST_TEMP, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return err_sys("create the list of layer %s", lid);
	ret->out = sink_to_fd(fd, "the list of a layer");
	return NULL;
}

static struct err *list_commit(struct list *list)
{
	sink_write(list->out, "end\n", 4);
	TRY(sink_finish(list->out));
	if (renameat(list->dir_fd, LIST_TEMP, list->dir_fd, LIST) < 0)
		return err_sys("name the list of a layer");
	return NULL;
}

/* Nobody can bring back the tar of a layer that was pulled: other tools write other bytes. */
static struct err *check_diff_id(const struct layer_meta *meta, const struct digest *diff_id)
{
	char text[DIGEST_TEXT_SIZE];

	if (!meta->has_diff_id || digest_equal(&meta->diff_id, diff_id))
		return NULL;
	return err_note(err_new(ERR_NOT_FOUND, "blob %s is not in the store",
				digest_format(&meta->blob.digest, text)),
			"pull or load the image again to get it back");
}

static struct err *make_blob(struct store *store, struct layer_meta *meta, int fs_fd, int below_fd,
			     const struct compression *how, unsigned workers)
{
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	AUTO(list) struct list list = { .dir_fd = -1, .line = BUF_INIT(LIST_LINE_MAX) };
	const struct diff_opts opts = { .below_fd = below_fd, .each = list_entry, .arg = &list };
	AUTO(sink) struct sink *out = NULL;
	struct diff_result result;
	struct digest diff_id;

	TRY(blob_begin(store, &writer));
	TRY(list_begin(store, meta->lid, &list));
	out = codec_sink(sink_borrow(blob_sink(writer)), how, workers);
	out = pipeline_sink(sink_hash(out, &diff_id, NULL));
	TRY(diff_write(fs_fd, &opts, out, &result));
	TRY(sink_finish(out));
	TRY(check_diff_id(meta, &diff_id));
	TRY(blob_commit(writer, NULL, &meta->blob.digest, &meta->blob.size));
	TRY(list_commit(&list));

	snprintf(meta->blob.media_type, sizeof(meta->blob.media_type), "%s",
		 image_layer_media_type(how->codec));
	meta->has_blob = meta->has_diff_id = true;
	meta->diff_id = diff_id;
	meta->entries = result.entries;
	meta->bytes = result.bytes;
	return layer_update(store, meta);
}

/* What is known of a layer, and whether that is a blob which is there, and of the media type
 * `only` unless that is NULL. */
static struct err *find_blob(struct store *store, const char *lid, const char *only, int *ret_fs,
			     struct layer_meta *ret_meta, bool *ret_found)
{
	AUTO(fd) int fs_fd = -1;

	*ret_found = false;
	TRY(layer_open(store, lid, &fs_fd, ret_meta));
	if (ret_meta->has_blob && (!only || strcmp(ret_meta->blob.media_type, only) == 0))
		TRY(blob_has(store, &ret_meta->blob, ret_found));
	*ret_fs = STEAL_FD(fs_fd);
	return NULL;
}

/* Wait until no other process makes the blob of this layer. */
static struct err *lock_blob(struct store *store, const char *lid, struct lock *ret)
{
	AUTO(hasher) struct hasher *hasher = hasher_new();
	struct digest key;

	hasher_update(hasher, "blob of layer ", 14);
	hasher_update(hasher, lid, strlen(lid));
	TRY(hasher_finish(hasher, &key));
	return store_single(store, &key, NULL, ret);
}

struct err *diff_commit_blob(struct store *store, struct layer_meta *meta, int below_fd,
			     const struct compression *how, bool exact, unsigned workers)
{
	const char *only = exact ? image_layer_media_type(how->codec) : NULL;
	AUTO(lock) struct lock lock = LOCK_INIT;
	AUTO(fd) int fs_fd = -1, again_fd = -1;
	struct layer_meta known;
	bool found;

	TRY(find_blob(store, meta->lid, only, &fs_fd, &known, &found));
	if (!found) {
		TRY(lock_blob(store, meta->lid, &lock));
		TRY(find_blob(store, meta->lid, only, &again_fd, &known, &found));
	}
	if (!found)
		TRY(err_wrap(make_blob(store, &known, again_fd, below_fd, how, workers),
			     "make the blob of layer %s", meta->lid));
	*meta = known;
	return NULL;
}
