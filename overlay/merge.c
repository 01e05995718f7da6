/*
 * overlay/merge.c - see overlay/merge.h.
 *
 * The merge goes down all layers at once. In a directory a name belongs to the newest
 * layer that has it, as a file, a directory or a whiteout; of a directory those of
 * older layers are part, down to the first that is opaque, hidden by a whiteout, or
 * no directory. Nothing is made that a newer layer would replace.
 */

#include "overlay/merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/owner.h"
#include "overlay/whiteout.h"
#include "overlay/xattr.h"

#define CHUNK ((size_t)64 * 1024)      /* on the stack */
#define CLONE_MIN ((off_t)4096)        /* below it there is no extent to share */
#define RANGE_MAX ((uint64_t)64 << 20) /* bytes between two looks whether to stop */

struct merging {
	const struct merge *what;
	int dest_fd;
	struct map
		links;   /* device and inode of what has several names -> its path in dest, owned */
	struct buf path; /* of the directory at hand; empty at the root */
	unsigned depth;
	bool no_links, no_clones, no_ranges; /* was refused by the file system */
};

/* One directory of the merged tree. */
struct level {
	const int *fds; /* of the layers that have a part of it, the newest first */
	size_t count;
	int dest_fd;
	struct map known; /* names that are decided */
};

static void level_auto_(struct level *level)
{
	map_release(&level->known, NULL);
}

/* ---- content ---- */

static struct err *copy_by_hand(int from, int to, uint64_t len)
{
	UNCLEARED char chunk[CHUNK];

	while (len > 0) {
		size_t got;

		TRY(file_read_some(from, chunk, len < CHUNK ? (size_t)len : CHUNK, "its content",
				   &got));
		if (got == 0)
			return err_new(ERR_CORRUPT, "it became shorter while it was read");
		TRY(file_write_all(to, chunk, got, "its content"));
		len -= got;
		TRY(cancel_check());
	}
	return NULL;
}

/* `len` bytes from where both stand. */
static struct err *copy_range(struct merging *m, int from, int to, uint64_t len)
{
	while (len > 0 && !m->no_ranges) {
		const size_t want = (size_t)(len < RANGE_MAX ? len : RANGE_MAX);
		ssize_t got = copy_file_range(from, NULL, to, NULL, want, 0);

		if (got == 0 || (got < 0 && errno != EINTR && errno != ENOSPC && errno != EDQUOT &&
				 errno != EIO)) {
			m->no_ranges =
				got < 0; /* some file systems give nothing at all, others say so */
			break;
		}
		if (got < 0 && errno != EINTR)
			return err_sys("copy its content");
		len -= got > 0 ? (uint64_t)got : 0;
		TRY(cancel_check());
	}
	return copy_by_hand(from, to, len);
}

static struct err *copy_content(struct merging *m, int from, int to, const struct stat *st)
{
	const uint64_t size = (uint64_t)st->st_size;
	uint64_t begin, end;

	if (st->st_size >= CLONE_MIN && !m->no_clones) {
		if (ioctl(to, FICLONE, from) == 0)
			return NULL;
		m->no_clones = true;
	}
	if (!file_is_sparse(st))
		return copy_range(m, from, to, size);
	for (uint64_t at = 0; at < size; at = end) {
		TRY(file_next_data(from, at, size, &begin, &end));
		if (lseek(to, (off_t)begin, SEEK_SET) < 0)
			return err_sys("leave a hole");
		TRY(copy_range(m, from, to, end - begin));
	}
	return ftruncate(to, st->st_size) < 0 ? err_sys("set its size") : NULL;
}

/* ---- files ---- */

static struct err *set_times(int dir_fd, const char *name, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("set its time");
	return NULL;
}

static struct err *set_owner(int dir_fd, const char *name, const struct stat *st)
{
	if (fchownat(dir_fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("set its owner");
	return NULL;
}

static struct err *copy_file(struct merging *m, int from_dir, int to_dir, const char *name)
{
	AUTO(fd)
	int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	AUTO(fd) int to = -1;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return err_sys("open it");
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys("make it");
	TRY(copy_content(m, from, to, &st));
	TRY(set_owner(to_dir, name, &st));
	TRY(xattrs_transfer(from, XATTR_LAYER, to));
	if (fchmod(to, st.st_mode & 07777) < 0)
		return err_sys("set its mode");
	return set_times(to_dir, name, &st);
}

static struct err *copy_symlink(int from_dir, int to_dir, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (len < 0)
		return err_sys("read the link");
	target[len] = '\0';
	return symlinkat(target, to_dir, name) < 0 ? err_sys("make the link") : NULL;
}

/* Set-id and sticky bits, and those that the umask has taken. Nobody else can put a link there. */
static struct err *make_node(int to_dir, const char *name, const struct stat *st)
{
	if (mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0)
		return err_sys("make it");
	TRY(set_owner(to_dir, name, st));
	return fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0 ? err_sys("set its mode") : NULL;
}

static struct err *copy_other(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	if (S_ISLNK(st->st_mode)) {
		TRY(copy_symlink(from_dir, to_dir, name));
		TRY(set_owner(to_dir, name, st));
	} else {
		TRY(make_node(to_dir, name, st));
	}
	if (owner_recorded())
		TRY(xattrs_transfer_record(from_dir, name, to_dir));
	return set_times(to_dir, name, st);
}

/* ---- names ---- */

/* Another name of what lies in the tree already. */
static struct err *link_again(struct merging *m, const struct stat *st, int to_dir,
			      const char *name, bool *ret_done)
{
	const uint64_t key[2] = { st->st_dev, st->st_ino };
	const struct str id = { (const char *)key, sizeof(key) };
	const char *before = map_get(&m->links, id);

	*ret_done = before && linkat(m->dest_fd, before, to_dir, name, 0) == 0;
	if (before && !*ret_done && errno != EMLINK)
		return err_sys("link it to '%s'", before);
	if (!before)
		map_put(&m->links, id,
			xasprintf("%s%s%s", m->path.len ? m->path.at : "", m->path.len ? "/" : "",
				  name));
	return NULL;
}

/* A link to the layer's own file, unless it has to look different here. */
static struct err *link_file(struct merging *m, int from_dir, int to_dir, const char *name,
			     const struct stat *st, bool *ret_done)
{
	bool ours = false;

	*ret_done = false;
	if (!m->what->link || m->no_links)
		return NULL;
	if (S_ISREG(st->st_mode))
		TRY(xattrs_look_for_ours(from_dir, name, &ours));
	if (ours)
		return NULL;
	*ret_done = linkat(from_dir, name, to_dir, name, 0) == 0;
	if (!*ret_done && (errno == EPERM || errno == EXDEV || errno == EOPNOTSUPP))
		m->no_links = true;
	else if (!*ret_done && errno != EMLINK)
		return err_sys("link it");
	return NULL;
}

/* Not a part of the recursion, whose frames have to be small. */
__attribute__((noinline)) static struct err *place_file(struct merging *m, int from_dir, int to_dir,
							const char *name, const struct stat *st)
{
	bool done;

	if (S_ISSOCK(st->st_mode))
		return NULL;
	TRY(link_file(m, from_dir, to_dir, name, st, &done));
	if (!done && st->st_nlink > 1)
		TRY(link_again(m, st, to_dir, name, &done));
	if (done)
		return NULL;
	if (S_ISREG(st->st_mode))
		return copy_file(m, from_dir, to_dir, name);
	return copy_other(from_dir, to_dir, name, st);
}

/* ---- directories ---- */

static struct err *fill(struct merging *m, struct level *level);

struct err *merge_dress(int from_fd, bool layer, int to_fd)
{
	struct stat st;
	struct timespec times[2];

	if (fstat(from_fd, &st) < 0)
		return err_sys("look at a directory");
	if (fchown(to_fd, st.st_uid, st.st_gid) < 0)
		return err_sys("set the owner of a directory");
	if (fchmod(to_fd, st.st_mode & 07777) < 0)
		return err_sys("set the mode of a directory");
	TRY(xattrs_transfer(from_fd, layer ? XATTR_LAYER : XATTR_VIEW, to_fd));
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return futimens(to_fd, times) < 0 ? err_sys("set the time of a directory") : NULL;
}

static int open_dir(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Whether a layer that has no such directory hides those below it. */
static bool hides(int dir_fd, const char *name)
{
	char mark[NAME_MAX + sizeof(".wh.")];
	const char *hidden;
	struct stat st;

	if (errno != ENOENT)
		return true; /* it has something else */
	snprintf(mark, sizeof(mark), ".wh.%s", name);
	return fstatat(dir_fd, mark, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       whiteout_mark(dir_fd, mark, &st, &hidden) == WHITEOUT_FILE;
}

/* Directories that are open until they are merged. */
struct parts {
	int *at;
	size_t len, cap;
};

static void parts_auto_(struct parts *parts)
{
	vec_foreach (parts, fd)
		close(*fd);
	vec_release(parts);
}

/* What the layers from the `first` on have of the directory `name`. */
static struct err *open_parts(const struct level *level, size_t first, const char *name,
			      struct parts *ret)
{
	bool opaque = false;

	for (size_t i = first; i < level->count && !opaque; i++) {
		int fd = open_dir(level->fds[i], name);

		if (fd >= 0) {
			vec_push(ret, fd);
			TRY(whiteout_is_opaque(fd, &opaque));
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			   errno == EACCES || errno == EIO) {
			return err_sys("open the directory '%s'", name);
		} else if (hides(level->fds[i], name)) {
			break;
		}
	}
	if (ret->len == 0)
		return err_new(ERR_CORRUPT, "the directory '%s' is gone", name);
	return NULL;
}

static struct err *fill_subdir(struct merging *m, const struct level *up, size_t first,
			       const char *name)
{
	AUTO(parts) struct parts parts = { 0 };
	AUTO(level) struct level level = { .known = MAP_INIT };
	AUTO(fd) int dest_fd = -1;
	const size_t before = m->path.len;

	if (m->depth == MERGE_DEPTH_MAX)
		return err_new(ERR_UNSUPPORTED, "more than %d directories within directories",
			       MERGE_DEPTH_MAX);
	TRY(open_parts(up, first, name, &parts));
	if (mkdirat(up->dest_fd, name, 0700) < 0)
		return err_sys("make the directory '%s'", name);
	dest_fd = open_dir(up->dest_fd, name);
	if (dest_fd < 0)
		return err_sys("open the directory '%s'", name);
	level.fds = parts.at;
	level.count = parts.len;
	level.dest_fd = dest_fd;
	buf_addf(&m->path, "%s%s", before ? "/" : "", name);
	TRY(buf_check(&m->path, "a path"));
	m->depth++;
	TRY(fill(m, &level));
	m->depth--;
	m->path.len = before;
	m->path.at[before] = '\0';
	return merge_dress(parts.at[0], true, dest_fd);
}

/* One name of the layer `i`. */
static struct err *take_name(struct merging *m, struct level *level, size_t i, const char *name)
{
	static char decided;
	const char *hidden = name;
	struct stat st;

	if (fstatat(level->fds[i], name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("look at '%s'", name);
	if (whiteout_mark(level->fds[i], name, &st, &hidden) != WHITEOUT_NONE) {
		map_put(&level->known, str_of(hidden), &decided);
		return NULL;
	}
	if (map_has(&level->known, str_of(name)))
		return NULL;
	map_put(&level->known, str_of(name), &decided);
	if (whiteout_is(&st))
		return NULL;
	if (S_ISDIR(st.st_mode))
		return fill_subdir(m, level, i, name);
	return err_wrap(place_file(m, level->fds[i], level->dest_fd, name, &st), "'%s%s%s'",
			m->path.len ? m->path.at : "", m->path.len ? "/" : "", name);
}

/* Everything that one layer has of a directory. */
static struct err *take_layer(struct merging *m, struct level *level, size_t i)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(file_list(level->fds[i], ".", &names));
	vec_foreach (&names, name) {
		TRY(cancel_check());
		TRY(take_name(m, level, i, *name));
	}
	return NULL;
}

static struct err *fill(struct merging *m, struct level *level)
{
	for (size_t i = 0; i < level->count; i++)
		TRY(take_layer(m, level, i));
	return NULL;
}

static void merging_auto_(struct merging *m)
{
	map_release(&m->links, free);
	buf_release(&m->path);
}

struct err *merge_layers(const struct merge *what, int dest_fd)
{
	AUTO(merging)
	struct merging m = { .what = what,
			     .dest_fd = dest_fd,
			     .links = MAP_INIT,
			     .path = BUF_INIT((size_t)1 << 20) };
	AUTO(level)
	struct level root = {
		.fds = what->layer_fds, .count = what->count, .dest_fd = dest_fd, .known = MAP_INIT
	};
	AUTO(fd) int root_fd = open_dir(what->root_fd, ".");

	if (root_fd < 0)
		return err_sys("open the root of a tree");
	/* What it has got from where the store lies would be passed on to all that is made. */
	TRY(xattrs_clear(dest_fd, XATTR_VIEW));
	TRY(fill(&m, &root));
	return merge_dress(root_fd, true, dest_fd);
}

/* ---- one layer onto a tree ---- */

static struct err *lay(struct merging *m, int from_fd, int dest_fd);

/* The directory of the tree that the layer's shall be: the one that was there, or a new one. What it
 * inherits its files would have, too. */
static struct err *find_dest(int from_fd, int up_fd, const char *name, int *ret_fd)
{
	bool opaque;
	struct stat st;

	TRY(whiteout_is_opaque(from_fd, &opaque));
	if (opaque || (fstatat(up_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode)))
		TRY(file_remove_tree(up_fd, name));
	if (mkdirat(up_fd, name, 0700) < 0 && errno != EEXIST)
		return err_sys("make the directory '%s'", name);
	*ret_fd = open_dir(up_fd, name);
	if (*ret_fd < 0)
		return err_sys("open the directory '%s'", name);
	return xattrs_clear(*ret_fd, XATTR_VIEW);
}

static struct err *lay_dir(struct merging *m, int up_from_fd, int up_dest_fd, const char *name)
{
	const size_t before = m->path.len;
	AUTO(fd) int from_fd = open_dir(up_from_fd, name);
	AUTO(fd) int dest_fd = -1;

	if (m->depth == MERGE_DEPTH_MAX)
		return err_new(ERR_UNSUPPORTED, "more than %d directories within directories",
			       MERGE_DEPTH_MAX);
	if (from_fd < 0)
		return err_sys("open the directory '%s'", name);
	TRY(find_dest(from_fd, up_dest_fd, name, &dest_fd));
	buf_addf(&m->path, "%s%s", before ? "/" : "", name);
	TRY(buf_check(&m->path, "a path"));
	m->depth++;
	TRY(lay(m, from_fd, dest_fd));
	m->depth--;
	m->path.len = before;
	m->path.at[before] = '\0';
	return merge_dress(from_fd, true, dest_fd);
}

static struct err *lay_name(struct merging *m, int from_fd, int dest_fd, const char *name)
{
	const char *hidden = name;
	enum whiteout_kind kind;
	struct stat st;

	if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("look at '%s'", name);
	kind = whiteout_mark(from_fd, name, &st, &hidden);
	if (kind == WHITEOUT_OPAQUE)
		return NULL; /* its directory is new */
	if (kind == WHITEOUT_FILE || whiteout_is(&st))
		return file_remove_tree(dest_fd, hidden);
	if (S_ISDIR(st.st_mode))
		return lay_dir(m, from_fd, dest_fd, name);
	TRY(file_remove_tree(dest_fd, name));
	return err_wrap(place_file(m, from_fd, dest_fd, name, &st), "'%s%s%s'",
			m->path.len ? m->path.at : "", m->path.len ? "/" : "", name);
}

static struct err *lay(struct merging *m, int from_fd, int dest_fd)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(cancel_check());
	TRY(file_list(from_fd, ".", &names));
	vec_foreach (&names, name)
		TRY(lay_name(m, from_fd, dest_fd, *name));
	return NULL;
}

struct err *merge_more(const struct merge *what, int dest_fd)
{
	AUTO(fd) int root_fd = open_dir(what->root_fd, ".");

	if (root_fd < 0)
		return err_sys("open the root of a tree");
	TRY(xattrs_clear(dest_fd, XATTR_VIEW));
	for (size_t i = what->count; i-- > 0;) {
		AUTO(merging)
		struct merging m = { .what = what,
				     .dest_fd = dest_fd,
				     .links = MAP_INIT,
				     .path = BUF_INIT((size_t)1 << 20) };
		AUTO(fd) int layer_fd = open_dir(what->layer_fds[i], ".");

		if (layer_fd < 0)
			return err_sys("open a layer");
		TRY(lay(&m, layer_fd, dest_fd));
	}
	return merge_dress(root_fd, true, dest_fd);
}

#define TRIAL_SIZE 8192

bool merge_can_share(int dir_fd)
{
	static const char zeros[TRIAL_SIZE];
	AUTO(fd) int from = openat(dir_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	AUTO(fd) int to = openat(dir_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	return from >= 0 && to >= 0 && write(from, zeros, sizeof(zeros)) == sizeof(zeros) &&
	       ioctl(to, FICLONE, from) == 0;
}
