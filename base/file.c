/*
 * base/file.c - see base/file.h.
 *
 * Removing a tree keeps its own stack of levels instead of recursing, and only
 * the deepest OPEN_LEVELS of them have an open descriptor. A level that is
 * further up is parked: its descriptor is closed and its identity (device,
 * inode) noted. The way back up leads through ".." of the child, and the
 * directory found there must be the one that was parked, so that a tree that
 * is moved while it is being deleted cannot lead the deletion elsewhere. No
 * path is ever longer than one name, so there is no depth that is too deep.
 */

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/vec.h"

#define SPARSE_MIN ((uint64_t)1024 * 1024) /* below it nobody looks for holes */
#define OPEN_TRIES 32                      /* of an openat2() that a rename elsewhere disturbs */
#define NAME_TRIES 16                      /* of a random name that is taken */
#define USE_SECONDS 3600                   /* between two updates of a time of use */
#define OPEN_LEVELS 32                     /* descriptors that removing a tree holds */
#define SCAN_DIRS 4096 /* names of subdirectories that one level remembers at a time */

/* ---- errors and single components ---- */

/* The error of a failed call on `path`, from errno. */
static struct err *path_error(const char *verb, const char *path)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return err_new(ERR_NOT_FOUND, "%s %s: %s", verb, path, strerror(errno));
	if (errno == EINTR && cancel_signal())
		return err_wrap(cancel_check(), "%s %s", verb, path);
	return err_sys("%s %s", verb, path);
}

/* True if a call that failed with errno should be made again, now that `fd` is ready for
 * `events`. With EINTR and false the process was told to stop. */
static bool try_again(int fd, short events)
{
	struct pollfd ready[] = { { .fd = fd, .events = events },
				  { .fd = cancel_fd(), .events = POLLIN } };

	if (errno == EAGAIN && poll(ready, ARRAY_SIZE(ready), -1) > 0)
		errno = EINTR;
	return errno == EINTR && cancel_signal() == 0;
}

static bool is_component(const char *name)
{
	return name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static struct err *check_component(const char *name)
{
	if (is_component(name))
		return NULL;
	return err_new(ERR_INVALID, "'%.80s' is not the name of a file", name);
}

/* ---- opening ---- */

/* openat2(2), again while a rename elsewhere confuses the resolution of "..". */
static int open_resolved(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	const struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
		.resolve = resolve,
	};
	long fd;

	for (int tries = 0;; tries++) {
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
		if (fd >= 0 || tries == OPEN_TRIES)
			return (int)fd;
		if (errno != EAGAIN && !(errno == EINTR && cancel_signal() == 0))
			return -1;
	}
}

static uint64_t resolve_flags(enum file_follow follow)
{
	switch (follow) {
	case FILE_NO_LINKS:
		return RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	case FILE_BENEATH:
		return RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
	case FILE_IN_ROOT:
		return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	case FILE_ANYWHERE:
		break;
	}
	return 0;
}

/* How functions without a `follow` of their own resolve. */
static enum file_follow follow_below(int dir_fd)
{
	return dir_fd == AT_FDCWD ? FILE_ANYWHERE : FILE_NO_LINKS;
}

struct err *file_open(int dir_fd, const char *path, int flags, mode_t mode, enum file_follow follow,
		      int *ret_fd)
{
	int fd = open_resolved(dir_fd, path, flags, mode, resolve_flags(follow));

	if (fd < 0 && errno == EXDEV && follow != FILE_ANYWHERE)
		return err_sys("open %s, which leads out of its directory", path);
	if (fd < 0)
		return path_error("open", path);
	*ret_fd = fd;
	return NULL;
}

struct err *file_open_dir(int dir_fd, const char *path, int *ret_fd)
{
	return file_open(dir_fd, path, O_RDONLY | O_DIRECTORY, 0, follow_below(dir_fd), ret_fd);
}

/* Make `name` below `*dir_fd` if it is missing, and go into it. `last`: with exactly `mode`. */
static struct err *enter_made_dir(int *dir_fd, const char *name, mode_t mode, bool last,
				  enum file_follow follow)
{
	bool made = mkdirat(*dir_fd, name, last ? mode : mode | S_IRWXU) == 0;
	int fd = -1;

	if (!made && errno != EEXIST)
		return path_error("make directory", name);
	TRY(file_open(*dir_fd, name, O_DIRECTORY | (last ? O_RDONLY : O_PATH), 0, follow, &fd));
	close(*dir_fd);
	*dir_fd = fd;
	if (made && last && fchmod(fd, mode) < 0)
		return err_sys("change the mode of %s", name);
	return NULL;
}

struct err *file_make_dirs(int dir_fd, const char *path, mode_t mode, int *ret_fd)
{
	struct err *err = file_open_dir(dir_fd, path, ret_fd);
	enum file_follow follow = follow_below(dir_fd);
	AUTO(mem) char *copy = NULL;
	AUTO(fd) int at = -1;
	char *next;

	if (err_kind(err) != ERR_NOT_FOUND || !path[0])
		return err;
	err_free(err); /* it is what we are here for */

	copy = xstrdup(path);
	next = copy;
	TRY(file_open(dir_fd, path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY, 0, follow, &at));
	for (char *name; (name = strsep(&next, "/"));) {
		bool last = !next || next[strspn(next, "/")] == '\0';

		if (name[0])
			TRY(err_wrap(enter_made_dir(&at, name, mode, last, follow), "%s", path));
	}
	*ret_fd = STEAL_FD(at);
	return NULL;
}

void file_note_use(int dir_fd, const char *path)
{
	const time_t now = clock_now().tv_sec;
	struct stat st;

	if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (now - st.st_mtime >= USE_SECONDS || st.st_mtime > now))
		(void)utimensat(dir_fd, path, NULL, AT_SYMLINK_NOFOLLOW);
}

bool file_exists(int dir_fd, const char *path)
{
	AUTO(fd) int fd = -1;

	if (is_component(path))
		return faccessat(dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	fd = open_resolved(dir_fd, path, O_PATH | O_NOFOLLOW, 0,
			   resolve_flags(follow_below(dir_fd)));
	return fd >= 0;
}

struct err *file_read_link(int dir_fd, const char *path, char **ret)
{
	char target[PATH_MAX + 1]; /* no Linux file system has longer ones */
	AUTO(fd) int fd = -1;
	ssize_t len;

	TRY(file_open(dir_fd, path, O_PATH | O_NOFOLLOW, 0, follow_below(dir_fd), &fd));
	len = readlinkat(fd, "", target, sizeof(target));
	if (len < 0 && errno == ENOENT) /* how the kernel says it of an empty path */
		errno = EINVAL;
	if (len < 0)
		return err_sys("read link %s", path);
	*ret = xmemdup(target, (size_t)len);
	return NULL;
}

/* ---- reading and writing ---- */

struct err *file_read_some(int fd, void *data, size_t len, const char *name, size_t *ret)
{
	ssize_t n;

	do
		n = read(fd, data, len);
	while (n < 0 && try_again(fd, POLLIN));
	if (n < 0)
		return path_error("read", name);
	*ret = (size_t)n;
	return NULL;
}

bool file_is_sparse(const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size;

	return S_ISREG(st->st_mode) && size >= SPARSE_MIN && (uint64_t)st->st_blocks * 512 < size;
}

struct err *file_next_data(int fd, uint64_t at, uint64_t size, uint64_t *ret_begin,
			   uint64_t *ret_end)
{
	off_t begin = lseek(fd, (off_t)at, SEEK_DATA);
	off_t end;

	if (begin < 0 && errno != ENXIO)
		return err_sys("look for its data");
	if (begin < 0 || (uint64_t)begin >= size) {
		*ret_begin = *ret_end = size;
		return NULL;
	}
	end = lseek(fd, begin, SEEK_HOLE);
	if (end < 0 || lseek(fd, begin, SEEK_SET) < 0)
		return err_sys("look for its holes");
	*ret_begin = (uint64_t)begin;
	*ret_end = (uint64_t)end < size ? (uint64_t)end : size;
	return NULL;
}

struct err *file_write_all(int fd, const void *data, size_t len, const char *name)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && !try_again(fd, POLLOUT))
			return path_error("write", name);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return NULL;
}

/* Append what `fd` holds, `size` bytes by its own word: 0 for the files of procfs, and too many
 * for those of sysfs, so only reaching a size above 0 saves the read that finds the end. */
static struct err *read_to_end(int fd, const char *name, uint64_t size, size_t max, struct buf *buf)
{
	UNCLEARED char piece[32 * 1024];
	size_t got = 0;

	for (;;) {
		ssize_t n = pread(fd, piece, sizeof(piece), (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return path_error("read", name);
		if ((size_t)n > max - got)
			return err_new(ERR_INVALID, "%s is larger than %zu bytes", name, max);
		buf_add(buf, piece, (size_t)n);
		got += (size_t)n;
		if (n == 0 || got == size)
			return buf_check(buf, name);
	}
}

struct err *file_read_fd(int fd, const char *name, size_t max, struct buf *buf)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return path_error("read", name);
	if (!S_ISREG(st.st_mode))
		return err_new(ERR_INVALID, "%s is not a regular file", name);
	if ((uint64_t)st.st_size > max)
		return err_new(ERR_INVALID, "%s is larger than %zu bytes", name, max);
	return read_to_end(fd, name, (uint64_t)st.st_size, max, buf);
}

struct err *file_read(int dir_fd, const char *path, size_t max, struct buf *buf)
{
	AUTO(fd) int fd = -1;

	/* O_NONBLOCK: a fifo opens at once, and is then refused as no regular file. */
	TRY(file_open(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, follow_below(dir_fd),
		      &fd));
	return file_read_fd(fd, path, max, buf);
}

/* ---- replacing ---- */

/* A new file that goes away with its scope, until it has been renamed. */
struct aside {
	int dir_fd; /* borrowed */
	int fd;     /* owned; -1 before it is made */
	char name[sizeof(".tmp-") + 16];
};

static void aside_auto_(struct aside *aside)
{
	if (aside->fd < 0)
		return;
	close(aside->fd);
	if (aside->name[0])
		unlinkat(aside->dir_fd, aside->name, 0);
}

static struct err *make_aside(struct aside *aside, mode_t mode)
{
	for (int tries = 0; tries < NAME_TRIES; tries++) {
		uint64_t chance;

		if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
			return err_sys("get random bytes");
		snprintf(aside->name, sizeof(aside->name), ".tmp-%016" PRIx64, chance);
		aside->fd = openat(aside->dir_fd, aside->name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (aside->fd >= 0 || errno != EEXIST)
			break;
	}
	return aside->fd >= 0 ? NULL : path_error("create", aside->name);
}

struct err *file_replace(int dir_fd, const char *path, struct str data, mode_t mode,
			 enum file_durability durability)
{
	AUTO(aside) struct aside aside = { .dir_fd = dir_fd, .fd = -1 };

	TRY(check_component(path));
	TRY(err_wrap(make_aside(&aside, mode), "replace %s", path));
	TRY(file_write_all(aside.fd, data.at, data.len, path));
	if (fchmod(aside.fd, mode) < 0) /* the umask took its part from the mode */
		return err_sys("change the mode of %s", path);
	if (durability == FILE_DURABLE && fdatasync(aside.fd) < 0)
		return err_sys("flush %s", path);
	if (renameat(dir_fd, aside.name, dir_fd, path) < 0)
		return path_error("replace", path);
	aside.name[0] = '\0';
	return NULL;
}

struct err *file_sync_dir(int dir_fd)
{
	return fsync(dir_fd) < 0 ? err_sys("flush a directory") : NULL;
}

/* ---- reading directories ---- */

struct entries {
	int fd; /* borrowed */
	size_t at, len;
	_Alignas(struct dirent64) char buf[32 * 1024];
};

/* The next entry but "." and "..", in the order of the file system; NULL at the end. */
static struct err *next_entry(struct entries *list, const struct dirent64 **ret)
{
	for (;;) {
		const struct dirent64 *entry = NULL;
		ssize_t n;

		if (list->at == list->len) {
			n = getdents64(list->fd, list->buf, sizeof(list->buf));
			if (n < 0)
				return err_sys("read a directory");
			list->at = 0;
			list->len = (size_t)n;
		}
		if (list->len == 0) {
			*ret = NULL;
			return NULL;
		}
		entry = (const struct dirent64 *)(const void *)(list->buf + list->at);
		list->at += entry->d_reclen;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			*ret = entry;
			return NULL;
		}
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct err *file_list(int dir_fd, const char *path, struct strings *ret)
{
	AUTO(strings) struct strings names = { 0 };
	const struct dirent64 *entry = NULL;
	AUTO(fd) int fd = -1;
	struct entries list = { 0 };

	TRY(file_open_dir(dir_fd, path, &fd));
	list.fd = fd;
	for (;;) {
		TRY(err_wrap(next_entry(&list, &entry), "list %s", path));
		if (!entry)
			break;
		strings_push(&names, entry->d_name);
	}
	if (names.len)
		qsort(names.at, names.len, sizeof(*names.at), compare_names);
	*ret = names;
	names = (struct strings){ 0 };
	return NULL;
}

/* ---- removing trees ---- */

/* A directory on the way from the top of the tree to where the work is. */
struct level {
	char *name;          /* in the level above */
	int fd;              /* owned; -1 while it is parked */
	dev_t dev;           /* who it is, for the return from below */
	ino_t ino;           /* likewise */
	struct strings dirs; /* subdirectories that the last scan found */
};

struct remover {
	int outside_fd;           /* borrowed: the directory of the outermost level */
	VEC(struct level) levels; /* the innermost last */
	struct entries scan;      /* of one level at a time; no level is left in the middle of it */
};

static void level_release(struct level *level)
{
	free(level->name);
	strings_release(&level->dirs);
	if (level->fd >= 0)
		close(level->fd);
}

static void remover_auto_(struct remover *r)
{
	vec_foreach (&r->levels, level)
		level_release(level);
	vec_release(&r->levels);
}

/* Open `name` as a directory that we can empty: no link, no mount point, ours to read, write
 * and search as far as our rights go. -1 with errno. */
static int open_for_removal(int dir_fd, const char *name, struct stat *st)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	const uint64_t resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
	int fd = open_resolved(dir_fd, name, flags, 0, resolve);

	if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, S_IRWXU, AT_SYMLINK_NOFOLLOW) == 0)
		fd = open_resolved(dir_fd, name, flags, 0, resolve);
	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && (st->st_mode & S_IRWXU) != S_IRWXU)
		(void)fchmod(fd, S_IRWXU); /* if it fails, a deletion in it will say so */
	return fd;
}

/* Delete everything in the innermost level but its directories; note those (some of them, if
 * they are very many). `*ret_found` says whether there was anything at all. */
static struct err *empty_level(struct remover *r, bool *ret_found)
{
	struct level *level = vec_last(&r->levels);
	const struct dirent64 *entry = NULL;

	r->scan.fd = level->fd;
	r->scan.at = r->scan.len = 0;
	*ret_found = false;
	while (level->dirs.len < SCAN_DIRS) {
		TRY(err_wrap(next_entry(&r->scan, &entry), "%s", level->name));
		if (!entry)
			break;
		*ret_found = true;
		if (entry->d_type != DT_DIR &&
		    (unlinkat(level->fd, entry->d_name, 0) == 0 || errno == ENOENT))
			continue;
		if (entry->d_type != DT_DIR && errno != EISDIR)
			return path_error("delete", entry->d_name);
		strings_push(&level->dirs, entry->d_name);
	}
	return NULL;
}

/* Go into `name`, which becomes the innermost level, and empty it. Takes ownership of `name`. A
 * file instead of a directory is deleted, one that has vanished is fine. */
static struct err *descend(struct remover *r, int dir_fd, char *name)
{
	AUTO(mem) char *owned = name;
	struct stat st;
	bool found = false;
	int fd = open_for_removal(dir_fd, name, &st);

	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP) && unlinkat(dir_fd, name, 0) == 0)
		return NULL;
	if (fd < 0 && errno == ENOENT)
		return NULL;
	if (fd < 0)
		return path_error(errno == EXDEV ? "delete the mount point" : "delete", name);
	vec_push(&r->levels,
		 (struct level){
			 .name = STEAL(owned), .fd = fd, .dev = st.st_dev, .ino = st.st_ino });
	if (r->levels.len > OPEN_LEVELS) {
		struct level *parked = &r->levels.at[r->levels.len - 1 - OPEN_LEVELS];

		if (parked->fd >= 0)
			close(parked->fd);
		parked->fd = -1;
	}
	return empty_level(r, &found);
}

/* The directory above the innermost level, opened again if it was parked. */
static struct err *open_above(struct remover *r, int *ret_fd)
{
	struct level *level = vec_last(&r->levels);
	struct level *above = level - 1;
	AUTO(fd) int fd = -1;
	struct stat st;

	if (r->levels.len == 1) {
		*ret_fd = r->outside_fd;
		return NULL;
	}
	if (above->fd < 0) {
		fd = open_resolved(level->fd, "..", O_RDONLY | O_DIRECTORY, 0, 0);
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_sys("return from %s", level->name);
		if (st.st_dev != above->dev || st.st_ino != above->ino)
			return err_new(ERR_INVALID, "%s was moved while it was deleted",
				       level->name);
		above->fd = STEAL_FD(fd);
	}
	*ret_fd = above->fd;
	return NULL;
}

/* The innermost level has no known subdirectories any more: delete it and go up, or look into it
 * once more if something is still there. */
static struct err *ascend(struct remover *r)
{
	struct level *level = vec_last(&r->levels);
	int above_fd = -1;
	bool found = false;

	TRY(open_above(r, &above_fd));
	if (unlinkat(above_fd, level->name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
		level_release(level);
		r->levels.len--;
		return NULL;
	}
	if (errno != ENOTEMPTY || lseek(level->fd, 0, SEEK_SET) < 0)
		return path_error("delete", level->name);
	TRY(empty_level(r, &found));
	return found ? NULL : err_new(ERR_INTERNAL, "%s is empty and is not", level->name);
}

static struct err *remove_levels(struct remover *r, const char *path)
{
	TRY(descend(r, r->outside_fd, xstrdup(path)));
	while (r->levels.len > 0) {
		struct level *level = vec_last(&r->levels);

		if (level->dirs.len > 0)
			TRY(descend(r, level->fd, level->dirs.at[--level->dirs.len]));
		else
			TRY(ascend(r));
	}
	return NULL;
}

struct err *file_remove_tree(int dir_fd, const char *path)
{
	AUTO(remover) struct remover r = { .outside_fd = dir_fd };

	TRY(check_component(path));
	return err_wrap(remove_levels(&r, path), "remove %s", path);
}
