/*
 * store/blob.c - see store/blob.h.
 *
 * The bytes of a blob in the making go straight to a file below tmp/<lease>; the
 * kernel is asked every few megabytes to begin writing them out, so that the
 * flush at the end, which must come before the name, has little left to wait for.
 */

#include "store/blob.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/stream.h"
#include "store/store-private.h"

#define WRITE_BEHIND ((uint64_t)8 * 1024 * 1024) /* how much may wait before writing out begins */
#define COMPARE_MAX ((size_t)1024 * 1024)        /* larger blobs are known by their size alone */

struct blob_writer {
	struct store *store;
	char *name;   /* in `dir_fd`, owned; NULL once it has its final name */
	int dir_fd;   /* tmp/<lease>, borrowed; or partial/, owned */
	bool partial; /* its bytes are worth keeping without a commit */
	bool owns_dir;
	uint64_t have;           /* bytes that are in the file already and need not be written */
	int fd;                  /* owned, read and write */
	struct sink *sink;       /* owned: hashes into `digest` and `size`, then writes to fd */
	struct digest digest;    /* valid once the sink is finished */
	uint64_t size;           /* likewise */
	uint64_t written, begun; /* bytes written, and of them those whose writing out has begun */
};

static struct err *absent(const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];

	return err_new(ERR_NOT_FOUND, "blob %s is not in the store", digest_format(digest, text));
}

/* ---- reading ---- */

static struct err *pin_blob(struct store *store, const struct digest *digest)
{
	char hex[STORE_PATH_SIZE];

	return store_pin(store, &(struct pin){ PIN_BLOB, store_hex_path("", digest, hex) }, 1);
}

/* The size of a blob that is there. */
static struct err *look(struct store *store, const struct digest *digest, bool *ret_found,
			uint64_t *ret_size)
{
	char path[STORE_PATH_SIZE];
	struct stat st;

	*ret_found = fstatat(store->root_fd, store_hex_path("blobs/sha256/", digest, path), &st,
			     AT_SYMLINK_NOFOLLOW) == 0;
	if (!*ret_found && errno != ENOENT)
		return err_sys("look for %s", path);
	*ret_found = *ret_found && S_ISREG(st.st_mode);
	if (*ret_found)
		*ret_size = (uint64_t)st.st_size;
	return NULL;
}

struct err *blob_find(struct store *store, const struct digest *digest, bool *ret_found,
		      uint64_t *ret_size)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	uint64_t size = 0;
	bool found = false;

	TRY(store_hold(store, &hold));
	TRY(look(store, digest, &found, &size));
	if (found)
		TRY(pin_blob(store, digest));
	*ret_found = found;
	if (found && ret_size)
		*ret_size = size;
	return NULL;
}

static struct err *damaged(const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];

	return err_note(err_new(ERR_CORRUPT, "blob %s is damaged", digest_format(digest, text)),
			"build, pull or load the image again to write the blob anew");
}

struct err *blob_open(struct store *store, const struct digest *digest, int *ret_fd,
		      uint64_t *ret_size)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	char path[STORE_PATH_SIZE];
	AUTO(fd) int fd = -1;
	struct err *err;
	struct stat st;

	TRY(store_hold(store, &hold));
	/* a pipe in the place of a blob is not waited for */
	err = file_open(store->root_fd, store_hex_path("blobs/sha256/", digest, path),
			O_RDONLY | O_NONBLOCK, 0, FILE_NO_LINKS, &fd);
	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err); /* told in the words of images */
		return absent(digest);
	}
	TRY(err);
	if (fstat(fd, &st) < 0)
		return err_sys("look at %s", path);
	if (!S_ISREG(st.st_mode))
		return damaged(digest);
	TRY(pin_blob(store, digest));
	*ret_fd = STEAL_FD(fd);
	*ret_size = (uint64_t)st.st_size;
	return NULL;
}

struct err *blob_has(struct store *store, const struct descriptor *blob, bool *ret)
{
	uint64_t size = 0;
	bool found = false;

	TRY(blob_find(store, &blob->digest, &found, &size));
	*ret = found && size == blob->size;
	return NULL;
}

/* Whether the bytes of a blob are its own: false only if that is certain. `ret_fd` keeps its file
 * open. */
static struct err *hash_blob(struct store *store, const struct digest *digest, int *ret_fd,
			     bool *ret_good)
{
	AUTO(source) struct source *content = NULL;
	AUTO(sink) struct sink *nowhere = sink_null();
	char path[STORE_PATH_SIZE];
	uint64_t size = 0;
	int fd = -1;
	struct err *err;

	*ret_good = true;
	err = blob_open(store, digest, ret_fd, &size);
	if (err_kind(err) == ERR_CORRUPT) {
		err_free(err); /* no file has bytes there */
		TRY(file_open(store->root_fd, store_hex_path("blobs/sha256/", digest, path),
			      O_PATH | O_NOFOLLOW, 0, FILE_NO_LINKS, ret_fd));
		*ret_good = false;
		return NULL;
	}
	TRY(err);
	fd = fcntl(*ret_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_sys("open a blob");
	content = source_verify(source_from_fd(fd, "a blob"), digest, size);
	err = stream_copy(content, nowhere, NULL);
	if (err_kind(err) != ERR_CORRUPT)
		return err;
	*ret_good = false;
	err_free(err); /* that is the answer */
	return NULL;
}

/* Take a blob out of view, if it still is the file that was found damaged. */
static struct err *discard(struct store *store, const struct digest *digest, int fd)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	char path[STORE_PATH_SIZE];
	struct stat bad, now;

	store_hex_path("blobs/sha256/", digest, path);
	TRY(store_hold(store, &hold));
	if (fstat(fd, &bad) < 0 || fstatat(store->root_fd, path, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
	    bad.st_ino != now.st_ino)
		return NULL; /* somebody wrote it anew, or took it away */
	return trash_put(store, store->root_fd, path);
}

struct err *blob_doubt(struct store *store, const struct digest *digest, struct err *err)
{
	AUTO(fd) int fd = -1;
	bool good = true;

	if (err_kind(err) != ERR_CORRUPT)
		return err;
	err_free(hash_blob(store, digest, &fd, &good)); /* in doubt it stays */
	if (good)
		return err;
	err_free(discard(store, digest, fd)); /* a store that is read-only keeps it */
	err_free(err);
	return damaged(digest);
}

struct err *blob_verify(struct store *store, const struct digest *digest, bool discard_bad,
			bool *ret_good)
{
	AUTO(fd) int fd = -1;

	TRY(hash_blob(store, digest, &fd, ret_good));
	return *ret_good || !discard_bad ? NULL : discard(store, digest, fd);
}

static struct err *hash_text(struct str text, struct digest *ret)
{
	AUTO(hasher) struct hasher *h = hasher_new();

	hasher_update(h, text.at, text.len);
	return hasher_finish(h, ret);
}

struct err *blob_read(struct store *store, const struct digest *digest, size_t max, struct buf *ret)
{
	AUTO(buf) struct buf bytes = BUF_INIT(max + 1);
	char text[DIGEST_TEXT_SIZE];
	AUTO(fd) int fd = -1;
	struct digest found;
	uint64_t size = 0;

	TRY(blob_open(store, digest, &fd, &size));
	TRY(file_read_fd(fd, digest_format(digest, text), max, &bytes));
	TRY(hash_text(buf_str(&bytes), &found));
	if (!digest_equal(&found, digest))
		return damaged(digest);
	buf_add_str(ret, buf_str(&bytes));
	return buf_check(ret, text);
}

/* ---- writing ---- */

static struct err *write_behind(void *self, const void *data, size_t len)
{
	struct blob_writer *w = self;
	size_t there = w->written >= w->have      ? 0 :
		       w->have - w->written < len ? (size_t)(w->have - w->written) :
						    len;

	w->written += there;
	if (there == len)
		return NULL;
	TRY(file_write_all(w->fd, (const char *)data + there, len - there, "a new blob"));
	w->written += len - there;
	if (w->written - w->begun >= WRITE_BEHIND) {
		/* Only a hint: the flush before the commit is what counts. */
		(void)sync_file_range(w->fd, (off_t)w->begun, (off_t)(w->written - w->begun),
				      SYNC_FILE_RANGE_WRITE);
		w->begun = w->written;
	}
	return NULL;
}

/* The sink's object is the writer, which outlives it. */
static void free_nothing(void *self)
{
	(void)self;
}

struct err *blob_begin(struct store *store, struct blob_writer **ret)
{
	static const struct sink_ops ops = { .write = write_behind, .free = free_nothing };
	AUTO(blob_writer) struct blob_writer *w = xcalloc(1, sizeof(*w));
	AUTO(mem) char *name = store_temp_name(store);
	int tmp_fd = -1;

	w->store = store;
	w->fd = -1;
	TRY(store_lease(store, &tmp_fd));
	w->dir_fd = tmp_fd;
	w->fd = openat(tmp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w->fd < 0)
		return err_sys("create a new blob");
	w->name = STEAL(name);
	w->sink = sink_hash(sink_new(&ops, w), &w->digest, &w->size);
	*ret = STEAL(w);
	return NULL;
}

struct sink *blob_sink(struct blob_writer *writer)
{
	assert(writer);
	return writer->sink;
}

void blob_writer_free(struct blob_writer *writer)
{
	if (!writer)
		return;
	sink_free(writer->sink);
	if (writer->fd >= 0)
		close(writer->fd);
	if (writer->name && !(writer->partial && writer->written))
		unlinkat(writer->dir_fd, writer->name, 0);
	if (writer->owns_dir)
		close(writer->dir_fd);
	free(writer->name);
	free(writer);
}

/* ---- what is continued ---- */

#define PARTIAL_AGE ((time_t)7 * 24 * 3600) /* seconds */

/* Remove what nobody has continued for long. Whatever goes wrong, it can wait. */
static void remove_old(int dir_fd)
{
	AUTO(strings) struct strings names = { 0 };
	AUTO(err) struct err *err = file_list(dir_fd, ".", &names);
	time_t now = clock_now().tv_sec;
	struct stat st;

	if (err)
		return;
	vec_foreach (&names, name)
		if (fstatat(dir_fd, *name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtim.tv_sec < now - PARTIAL_AGE)
			unlinkat(dir_fd, *name, 0);
}

struct err *blob_resume(struct store *store, const struct digest *want, struct blob_writer **ret,
			uint64_t *ret_have)
{
	static const struct sink_ops ops = { .write = write_behind, .free = free_nothing };
	AUTO(blob_writer) struct blob_writer *w = xcalloc(1, sizeof(*w));
	char hex[STORE_PATH_SIZE];
	struct stat st;

	w->store = store;
	w->fd = w->dir_fd = -1;
	TRY(file_make_dirs(store->root_fd, "partial", 0700, &w->dir_fd));
	w->owns_dir = true;
	remove_old(w->dir_fd);
	TRY(file_open(w->dir_fd, store_hex_path("", want, hex), O_RDWR | O_CREAT | O_APPEND, 0600,
		      FILE_NO_LINKS, &w->fd));
	w->name = xstrdup(hex);
	w->partial = true;
	if (fstat(w->fd, &st) < 0)
		return err_sys("look at partial/%s", hex);
	*ret_have = w->have = (uint64_t)st.st_size;
	w->sink = sink_hash(sink_new(&ops, w), &w->digest, &w->size);
	*ret = STEAL(w);
	return NULL;
}

struct err *blob_read_back(struct blob_writer *writer, uint64_t offset, void *data, size_t len,
			   size_t *ret)
{
	ssize_t n;

	if (offset >= writer->have)
		len = 0;
	else if (len > writer->have - offset)
		len = (size_t)(writer->have - offset);
	n = len ? pread(writer->fd, data, len, (off_t)offset) : 0;
	if (n < 0)
		return err_sys("read partial/%s", writer->name);
	*ret = (size_t)n;
	return NULL;
}

void blob_forget(struct blob_writer *writer)
{
	writer->partial = false;
}

static struct err *check_wanted(const struct digest *found, const struct digest *want)
{
	char found_text[DIGEST_TEXT_SIZE];
	char want_text[DIGEST_TEXT_SIZE];

	if (!want || digest_equal(found, want))
		return NULL;
	return err_new(ERR_CORRUPT, "blob %s has the content of %s", digest_format(want, want_text),
		       digest_format(found, found_text));
}

/* Whether the blob that is there already has the bytes of the new one. Small ones, which images
 * hang on, are compared; so a damaged document is mended by writing it again. */
static struct err *is_intact(struct blob_writer *w, bool *ret)
{
	AUTO(buf) struct buf bytes = BUF_INIT(COMPARE_MAX + 1);
	struct err *err;
	uint64_t size = 0;
	bool found = false;

	TRY(blob_find(w->store, &w->digest, &found, &size));
	*ret = found && size == w->size;
	if (!*ret || size > COMPARE_MAX)
		return NULL;
	err = blob_read(w->store, &w->digest, COMPARE_MAX, &bytes);
	*ret = !err;
	if (err_kind(err) != ERR_CORRUPT && err_errno(err) != EIO)
		return err;
	err_free(err); /* that is the answer */
	return NULL;
}

/* Flush the bytes and give them their name. */
static struct err *publish(struct blob_writer *w)
{
	struct store *store = w->store;
	AUTO(lock) struct lock hold = LOCK_INIT;
	char path[STORE_PATH_SIZE];

	if (fchmod(w->fd, 0444) < 0)
		return err_sys("change the mode of a new blob");
	if (fdatasync(w->fd) < 0)
		return err_sys("flush a new blob");
	TRY(store_hold(store, &hold));
	TRY(pin_blob(store, &w->digest));
	if (renameat(w->dir_fd, w->name, store->root_fd,
		     store_hex_path("blobs/sha256/", &w->digest, path)) < 0)
		return err_sys("rename to %s", path);
	free(STEAL(w->name));
	return NULL;
}

struct err *blob_commit(struct blob_writer *writer, const struct digest *want,
			struct digest *ret_digest, uint64_t *ret_size)
{
	bool intact = false;
	struct err *wrong;

	assert(writer->name); /* committed once */
	TRY(sink_finish(writer->sink));
	wrong = check_wanted(&writer->digest, want);
	if (wrong) {
		blob_forget(writer);
		return wrong;
	}
	TRY(is_intact(writer, &intact));
	if (!intact)
		TRY(publish(writer));
	blob_forget(writer);
	/* After the rename, or a flush by another thread could come between. Also for a blob that
	 * was there: who made it may not have flushed its name yet. */
	atomic_store(&writer->store->blobs_dirty, true);
	if (ret_digest)
		*ret_digest = writer->digest;
	if (ret_size)
		*ret_size = writer->size;
	return NULL;
}

struct err *blob_put(struct store *store, struct str data, struct digest *ret)
{
	AUTO(blob_writer) struct blob_writer *w = NULL;

	TRY(blob_begin(store, &w));
	sink_write(blob_sink(w), data.at, data.len);
	return blob_commit(w, NULL, ret, NULL);
}

struct err *blob_sync(struct store *store)
{
	struct err *err;

	if (!atomic_exchange(&store->blobs_dirty, false))
		return NULL;
	err = store_sync_dir(store, "blobs/sha256");
	if (err) /* the next call must not report success */
		atomic_store(&store->blobs_dirty, true);
	return err;
}
