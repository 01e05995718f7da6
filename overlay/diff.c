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
#include "overlay/walk.h"

/* Below this size nobody looks for holes. */
#define SPARSE_MIN ((uint64_t)1024 * 1024)

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

/* `len` bytes from where `fd` stands, which are the last of the file if `end`. Then the last read asks for a byte
 * more than there should be, so that it sees whether the file has grown. */
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
	for (uint64_t at = 0; at < size && !sink_failed(job->out);) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno != ENXIO)
			return err_sys("look for its data");
		if (data < 0 || (uint64_t)data > size)
			data = (off_t)size;
		TRY(copy_hole(job, hasher, (uint64_t)data - at));
		at = (uint64_t)data;
		if (at == size)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || lseek(fd, data, SEEK_SET) < 0)
			return err_sys("look for its holes");
		if ((uint64_t)hole > size)
			hole = (off_t)size;
		TRY(copy_data(job, hasher, fd, (uint64_t)(hole - data), (uint64_t)hole == size));
		at = (uint64_t)hole;
	}
	return NULL;
}

static struct err *copy_content(struct job *job, struct hasher *hasher,
				const struct walk_entry *entry)
{
	uint64_t size = entry->tar.size;

	if (size >= SPARSE_MIN && (uint64_t)entry->st->st_blocks * 512 < size)
		TRY(copy_sparse(job, hasher, entry->fd, size));
	else
		TRY(copy_data(job, hasher, entry->fd, size, true));
	tar_write_padding(job->out, size);
	job->result.bytes += size;
	return NULL;
}

/* ---- entries ---- */

static struct err *write_entry(void *arg, const struct walk_entry *entry)
{
	struct job *job = arg;
	bool content = entry->fd >= 0 && entry->tar.type == TAR_FILE;
	AUTO(hasher) struct hasher *hasher = content && job->opts->each ? hasher_new() : NULL;
	struct digest digest;

	buf_reset(&job->header);
	TRY(tar_encode_header(&entry->tar, &job->header));
	sink_write(job->out, job->header.at, job->header.len);
	if (content)
		TRY(copy_content(job, hasher, entry));
	if (sink_failed(job->out))
		return err_new(ERR_CANCELLED, "the output has failed");
	if (hasher)
		TRY(hasher_finish(hasher, &digest));
	if (job->opts->each)
		job->opts->each(job->opts->arg, &entry->tar, hasher ? &digest : NULL);
	job->result.entries++;
	return NULL;
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
