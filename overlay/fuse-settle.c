/*
 * overlay/fuse-settle.c - what fuse-overlayfs has left becomes what overlayfs would have left.
 *
 * The times of a directory are what takes thought. Overlayfs copies a file up without
 * changing the time of its directory; the program does not restore it. So a directory
 * that is in layers below, too, and got nothing but what was copied up, gets the time it had:
 * what was copied has an attribute that says so.
 *
 * Its copy of a directory lacks the set-id bits, which mkdir(2) does not take. They are given back
 * where nothing else of the mode has changed: whoever changes the mode of a copy names them.
 */

#include "overlay/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/copies.h"
#include "overlay/merge.h"
#include "overlay/whiteout.h"
#include "overlay/xattr.h"

#define OWN_PREFIX FUSE_XATTR_PREFIX
#define ORIGIN OWN_PREFIX "origin"

struct settling {
	const int *lower_fds;
	size_t lower_count;
	struct buf path; /* of the directory at hand; empty at the root */
	unsigned depth;
	struct copies *copies; /* may be NULL */
};

/* What is learned of a directory. */
struct level {
	int fd;
	struct stat st;
	bool opaque;
	bool changed; /* a name was made or removed, as far as can be seen */
};

static void settling_auto_(struct settling *s)
{
	buf_release(&s->path);
}

/* ---- attributes ---- */

static bool is_opaque_name(const char *name)
{
	static const char *const names[] = { OWN_PREFIX "opaque", "trusted.overlay.opaque",
					     "user.overlay.opaque" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Take the program's own attributes from a file or directory. Not a part of the recursion, whose frames
 * have to be small. */
__attribute__((noinline)) static struct err *strip(int fd, bool *ret_opaque, bool *ret_copied)
{
	UNCLEARED char list[XATTR_LIST_MAX];
	ssize_t len = flistxattr(fd, list, sizeof(list));

	*ret_opaque = *ret_copied = false;
	if (len < 0 && errno != EOPNOTSUPP)
		return err_sys("list the extended attributes");
	for (const char *at = list; len > 0 && at < list + len; at += strlen(at) + 1) {
		if (strncmp(at, OWN_PREFIX, strlen(OWN_PREFIX)) != 0 &&
		    !whiteout_xattr_is_private(at))
			continue;
		*ret_opaque = *ret_opaque || is_opaque_name(at);
		*ret_copied = *ret_copied || strcmp(at, ORIGIN) == 0;
		if (fremovexattr(fd, at) < 0 && errno != ENODATA)
			return err_sys("remove the extended attribute %s", at);
	}
	return NULL;
}

/* ---- names ---- */

/* A file that stands for something: `.wh..wh..opq`, `.wh.NAME`, or what else the program has made of
 * such a name, as steps cannot. */
static struct err *settle_mark(struct level *level, const char *name, const struct stat *st)
{
	enum whiteout_kind kind = WHITEOUT_NONE;
	const char *hidden = name;
	struct err *err;

	err_free(whiteout_parse(name, &kind, &hidden));
	if (S_ISDIR(st->st_mode))
		return NULL; /* the walk of the layer will say what it thinks of it */
	if (unlinkat(level->fd, name, 0) < 0)
		return err_sys("remove '%s'", name);
	level->opaque = level->opaque || kind == WHITEOUT_OPAQUE;
	if (kind != WHITEOUT_FILE || !S_ISREG(st->st_mode))
		return NULL;
	level->changed = true;
	err = whiteout_make(level->fd, hidden);
	if (err_errno(err) == EEXIST) {
		err_free(err); /* something new has its name */
		err = NULL;
	}
	return err;
}

static struct err *settle_dir(struct settling *s, int dir_fd, const char *name, bool *ret_below);

static struct err *settle_file(struct settling *s, struct level *level, const char *name,
			       const struct stat *st)
{
	AUTO(fd) int fd = -1;
	bool opaque, copied = false;

	if (S_ISREG(st->st_mode)) {
		fd = openat(level->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			return err_sys("open it");
		TRY(strip(fd, &opaque, &copied));
	}
	level->changed = level->changed || !copied;
	if (copied)
		copies_add(s->copies, st->st_ino);
	return NULL;
}

static struct err *settle_name(struct settling *s, struct level *level, const char *name)
{
	struct stat st;
	bool below = false;

	if (fstatat(level->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("look at '%s'", name);
	if (whiteout_reserved(name))
		return settle_mark(level, name, &st);
	if (!S_ISDIR(st.st_mode))
		return err_wrap(settle_file(s, level, name, &st), "'%s'", name);
	TRY(settle_dir(s, level->fd, name, &below));
	level->changed = level->changed || !below;
	return NULL;
}

/* ---- directories ---- */

/* What the directory is below, if it is there. */
static bool find_below(const struct settling *s, struct stat *ret)
{
	const char *path = s->path.len ? s->path.at : ".";

	for (size_t i = 0; i < s->lower_count; i++) {
		AUTO(fd) int fd = -1;
		struct err *err = file_open_dir(s->lower_fds[i], path, &fd);

		if (!err && fstat(fd, ret) == 0)
			return true;
		err_free(err); /* this layer has none */
	}
	return false;
}

static struct err *restore_mode(const struct level *level, const struct stat *before)
{
	const mode_t lost = before->st_mode & (S_ISUID | S_ISGID);

	if (!lost || (level->st.st_mode | lost) != before->st_mode)
		return NULL;
	return fchmod(level->fd, before->st_mode & 07777) < 0 ?
		       err_sys("set the mode of a directory") :
		       NULL;
}

static struct err *finish(const struct settling *s, const struct level *level, bool *ret_below)
{
	struct timespec times[2] = { level->st.st_atim, level->st.st_mtim };
	struct stat before;

	*ret_below = !level->opaque && find_below(s, &before);
	if (*ret_below) {
		copies_add(s->copies, level->st.st_ino);
		TRY(restore_mode(level, &before));
	}
	if (level->opaque)
		TRY(whiteout_set_opaque(level->fd));
	if (*ret_below && !level->changed)
		times[1] = before.st_mtim;
	return futimens(level->fd, times) < 0 ? err_sys("set the time of a directory") : NULL;
}

static struct err *settle_level(struct settling *s, struct level *level, bool *ret_below)
{
	AUTO(strings) struct strings names = { 0 };
	bool copied;

	if (s->depth > MERGE_DEPTH_MAX)
		return err_new(ERR_UNSUPPORTED, "more than %d directories within directories",
			       MERGE_DEPTH_MAX);
	TRY(cancel_check());
	if (fstat(level->fd, &level->st) < 0)
		return err_sys("look at a directory");
	TRY(strip(level->fd, &level->opaque, &copied));
	TRY(file_list(level->fd, ".", &names));
	vec_foreach (&names, name)
		TRY(settle_name(s, level, *name));
	return finish(s, level, ret_below);
}

static struct err *settle_dir(struct settling *s, int dir_fd, const char *name, bool *ret_below)
{
	const size_t before = s->path.len;
	AUTO(fd)
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct level level = { .fd = fd };

	if (fd < 0)
		return err_sys("open the directory '%s'", name);
	buf_addf(&s->path, "%s%s", before ? "/" : "", name);
	TRY(buf_check(&s->path, "a path"));
	s->depth++;
	TRY(settle_level(s, &level, ret_below));
	s->depth--;
	s->path.len = before;
	s->path.at[before] = '\0';
	return NULL;
}

struct err *fuse_settle(int upper_fd, const int *lower_fds, size_t lower_count,
			struct copies *copies)
{
	AUTO(settling)
	struct settling s = { .lower_fds = lower_fds,
			      .lower_count = lower_count,
			      .copies = copies,
			      .path = BUF_INIT((size_t)1 << 20) };
	AUTO(fd) int fd = openat(upper_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct level level = { .fd = fd };
	bool below;

	if (fd < 0)
		return err_sys("open the upper directory");
	return err_wrap(settle_level(&s, &level, &below), "read what " FUSE_PROGRAM " has left");
}
