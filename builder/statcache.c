/* builder/statcache.c - see builder/statcache.h. */

#include "builder/statcache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/vec.h"
#include "store/store.h"

#define MAGIC "cairn-context-2\n"
#define FILE_MAX ((size_t)1 << 30)

struct statcache_header {
	char magic[16];
	uint32_t dir_count, file_count;
	uint64_t text_size;
};

struct statcache_dir {
	uint32_t path, path_len; /* in text */
	uint32_t first, count;   /* in files */
};

struct statcache_file {
	struct statcache_key key;
	struct digest digest;
	uint32_t name, name_len; /* in text */
};

/* A directory of this run. */
struct fresh_dir {
	char *path;
	struct statcache_file *files; /* `name` is an offset into `names` */
	size_t count;
	struct buf names;
};

struct statcache {
	int dir_fd;    /* contexts/, owned */
	char name[65]; /* the file's */
	struct timespec began;

	/* The old cache: all NULL if there is none. */
	void *map;
	size_t map_size;
	const struct statcache_dir *dirs;
	const struct statcache_file *files;
	const char *text;
	struct statcache_header header;

	VEC(struct fresh_dir) fresh;
};

/* Name the file after the directory that it describes. */
static struct err *name_cache(int root_fd, char ret[static 65])
{
	AUTO(mem) char *link = xasprintf("/proc/self/fd/%d", root_fd);
	AUTO(mem) char *path = realpath(link, NULL);
	AUTO(mem) char *text = NULL;
	AUTO(hasher) struct hasher *h = hasher_new();
	char digest_text[DIGEST_TEXT_SIZE];
	struct digest digest;
	struct stat st;

	if (!path || fstat(root_fd, &st) < 0)
		return err_sys("find the build context's path");
	text = xasprintf("%ju %ju %s", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, path);
	hasher_update(h, text, strlen(text));
	TRY(hasher_finish(h, &digest));
	memcpy(ret, strchr(digest_format(&digest, digest_text), ':') + 1, 65);
	return NULL;
}

static struct err *checksum(const void *data, size_t len, struct digest *ret)
{
	AUTO(hasher) struct hasher *h = hasher_new();

	hasher_update(h, data, len);
	return hasher_finish(h, ret);
}

/* True if the mapped file is whole; sets the pointers into it. */
static bool accept_map(struct statcache *cache)
{
	const char *at = cache->map;
	struct digest sum;
	uint64_t need = sizeof(cache->header) + sizeof(sum);
	AUTO(err) struct err *err = NULL;

	if (cache->map_size < need)
		return false;
	memcpy(&cache->header, at, sizeof(cache->header));
	if (memcmp(cache->header.magic, MAGIC, sizeof(cache->header.magic)) != 0)
		return false;
	need += (uint64_t)cache->header.dir_count * sizeof(struct statcache_dir);
	need += (uint64_t)cache->header.file_count * sizeof(struct statcache_file);
	if (cache->header.text_size > FILE_MAX || need + cache->header.text_size != cache->map_size)
		return false;
	err = checksum(at, cache->map_size - sizeof(sum), &sum);
	if (err || memcmp(at + cache->map_size - sizeof(sum), &sum, sizeof(sum)) != 0)
		return false;
	cache->dirs = (const void *)(at + sizeof(cache->header));
	cache->files = (const void *)(cache->dirs + cache->header.dir_count);
	cache->text = (const void *)(cache->files + cache->header.file_count);
	return true;
}

/* Map the old cache, if it is there and whole. */
static void map_old(struct statcache *cache)
{
	AUTO(fd) int fd = openat(cache->dir_fd, cache->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    (uint64_t)st.st_size > FILE_MAX)
		return;
	cache->map_size = (size_t)st.st_size;
	cache->map = mmap(NULL, cache->map_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (cache->map == MAP_FAILED)
		cache->map = NULL;
	if (cache->map && !accept_map(cache)) {
		munmap(cache->map, cache->map_size);
		cache->map = NULL;
		cache->dirs = NULL;
		cache->files = NULL;
		cache->header = (struct statcache_header){ 0 };
	}
}

struct err *statcache_open(struct store *store, int root_fd, struct statcache **ret)
{
	AUTO(statcache) struct statcache *cache = xcalloc(1, sizeof(*cache));

	cache->dir_fd = -1;
	cache->began = clock_now();
	TRY(name_cache(root_fd, cache->name));
	TRY(file_make_dirs(store_fd(store), "contexts", 0700, &cache->dir_fd));
	map_old(cache);
	file_note_use(cache->dir_fd, cache->name);
	*ret = STEAL(cache);
	return NULL;
}

/* A name in the old cache's text; empty if it lies outside. */
static struct str old_text(const struct statcache *cache, uint32_t offset, uint32_t len)
{
	if ((uint64_t)offset + len > cache->header.text_size)
		return (struct str){ "", 0 };
	return (struct str){ cache->text + offset, len };
}

static const struct statcache_dir *find_dir(const struct statcache *cache, struct str path)
{
	size_t low = 0, high = cache->header.dir_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct statcache_dir *dir = &cache->dirs[middle];
		int order = str_compare(old_text(cache, dir->path, dir->path_len), path);

		if (order == 0)
			return (uint64_t)dir->first + dir->count <= cache->header.file_count ? dir :
											       NULL;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool statcache_find(const struct statcache *cache, struct str dir, struct str name,
		    const struct statcache_key *key, struct digest *ret)
{
	const struct statcache_dir *d = find_dir(cache, dir);
	size_t low = d ? d->first : 0, high = d ? (size_t)d->first + d->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct statcache_file *file = &cache->files[middle];
		int order = str_compare(old_text(cache, file->name, file->name_len), name);

		if (order == 0) {
			if (memcmp(&file->key, key, sizeof(*key)) != 0)
				return false;
			*ret = file->digest;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static int64_t nanoseconds(int64_t sec, uint32_t nsec)
{
	return sec * 1000000000 + nsec;
}

/* True if the file had rested long enough when the scan began. A clock without a fraction ticks in
 * whole seconds. */
static bool settled(const struct statcache *cache, const struct statcache_key *key)
{
	int64_t now = nanoseconds(cache->began.tv_sec, (uint32_t)cache->began.tv_nsec);
	int64_t rest = key->mtime_nsec || key->ctime_nsec ? STATCACHE_SETTLED : 2000000000;

	return nanoseconds(key->mtime_sec, key->mtime_nsec) < now - rest &&
	       nanoseconds(key->ctime_sec, key->ctime_nsec) < now - rest;
}

void statcache_put(struct statcache *cache, struct str dir, const struct statcache_entry *entries,
		   size_t count)
{
	struct fresh_dir now = { .path = str_dup(dir), .names = BUF_INIT(FILE_MAX) };

	now.files = xcalloc(count, sizeof(*now.files));
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(entries[i].name);

		if (!settled(cache, &entries[i].key))
			continue;
		now.files[now.count++] = (struct statcache_file){
			.key = entries[i].key,
			.digest = entries[i].digest,
			.name = (uint32_t)now.names.len,
			.name_len = (uint32_t)len,
		};
		buf_add(&now.names, entries[i].name, len);
	}
	vec_push(&cache->fresh, now);
}

static int compare_dirs(const void *a, const void *b)
{
	return strcmp(((const struct fresh_dir *)a)->path, ((const struct fresh_dir *)b)->path);
}

/* The parts of the new file while it is put together. */
struct writer {
	struct buf dirs, files, text;
	uint32_t dir_count, file_count;
	statcache_is_gone *is_gone; /* may be NULL */
	const void *arg;
};

static uint32_t add_text(struct writer *w, struct str text)
{
	uint32_t at = (uint32_t)w->text.len;

	buf_add_str(&w->text, text);
	return at;
}

static void write_dir(struct writer *w, struct str path, const struct statcache_file *files,
		      size_t count, const char *names)
{
	struct statcache_dir dir = { .path = add_text(w, path),
				     .path_len = (uint32_t)path.len,
				     .first = w->file_count,
				     .count = (uint32_t)count };

	for (size_t i = 0; i < count; i++) {
		struct statcache_file file = files[i];

		file.name = add_text(w, (struct str){ names + file.name, file.name_len });
		buf_add(&w->files, &file, sizeof(file));
	}
	buf_add(&w->dirs, &dir, sizeof(dir));
	w->dir_count++;
	w->file_count += (uint32_t)count;
}

static void write_old_dir(struct writer *w, const struct statcache *cache,
			  const struct statcache_dir *dir)
{
	struct str path = old_text(cache, dir->path, dir->path_len);

	if ((uint64_t)dir->first + dir->count > cache->header.file_count)
		return;
	if (!w->is_gone || !w->is_gone(w->arg, path))
		write_dir(w, path, cache->files + dir->first, dir->count, cache->text);
}

/* Old and new directories in one order; a new one replaces the old one of its path. */
static void merge(struct writer *w, struct statcache *cache)
{
	size_t old = 0;

	qsort(cache->fresh.at, cache->fresh.len, sizeof(*cache->fresh.at), compare_dirs);
	vec_foreach (&cache->fresh, dir) {
		struct str path = str_of(dir->path);

		for (; old < cache->header.dir_count; old++) {
			const struct statcache_dir *o = &cache->dirs[old];
			int order = str_compare(old_text(cache, o->path, o->path_len), path);

			if (order < 0)
				write_old_dir(w, cache, o);
			else if (order > 0)
				break;
		}
		if (dir > cache->fresh.at && strcmp(dir[-1].path, dir->path) == 0)
			continue;
		if (dir->count)
			write_dir(w, path, dir->files, dir->count, dir->names.at);
	}
	for (; old < cache->header.dir_count; old++)
		write_old_dir(w, cache, &cache->dirs[old]);
}

static struct err *format_file(const struct writer *w, struct buf *ret)
{
	struct statcache_header header = { .dir_count = w->dir_count,
					   .file_count = w->file_count,
					   .text_size = w->text.len };
	struct digest sum;

	memcpy(header.magic, MAGIC, sizeof(header.magic));
	buf_add(ret, &header, sizeof(header));
	buf_add_str(ret, buf_str(&w->dirs));
	buf_add_str(ret, buf_str(&w->files));
	buf_add_str(ret, buf_str(&w->text));
	TRY(buf_check(ret, "the stat cache"));
	TRY(checksum(ret->at, ret->len, &sum));
	buf_add(ret, &sum, sizeof(sum));
	return NULL;
}

struct err *statcache_save(struct statcache *cache, statcache_is_gone *is_gone, const void *arg)
{
	struct writer w = { .dirs = BUF_INIT(FILE_MAX),
			    .files = BUF_INIT(FILE_MAX),
			    .text = BUF_INIT(FILE_MAX),
			    .is_gone = is_gone,
			    .arg = arg };
	AUTO(buf) struct buf file = BUF_INIT(FILE_MAX);
	struct err *err;

	if (cache->fresh.len == 0)
		return NULL;
	merge(&w, cache);
	err = format_file(&w, &file);
	buf_release(&w.dirs);
	buf_release(&w.files);
	buf_release(&w.text);
	if (!err)
		err = file_replace(cache->dir_fd, cache->name, buf_str(&file), 0600, FILE_QUICK);
	return err;
}

void statcache_free(struct statcache *cache)
{
	if (!cache)
		return;
	vec_foreach (&cache->fresh, dir) {
		free(dir->path);
		free(dir->files);
		buf_release(&dir->names);
	}
	vec_release(&cache->fresh);
	if (cache->map)
		munmap(cache->map, cache->map_size);
	if (cache->dir_fd >= 0)
		close(cache->dir_fd);
	free(cache);
}
