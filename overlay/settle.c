/* overlay/settle.c - owner_settle() and owner_sift() of overlay/owner.h. */

#include "overlay/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/userns.h"
#include "base/vec.h"
#include "overlay/copies.h"
#include "overlay/owner-private.h"
#include "overlay/walk.h"

#define PATH_SIZE 320

/* overlayfs gives it to what it copies up, but for links, fifos and files of several names. */
#define ORIGIN "user.overlay.origin"

/* A directory on the way to where the walk stands. */
struct above {
	size_t len;     /* of its path */
	bool passes_on; /* it has the set-gid bit */
	gid_t gid;
};

struct settling {
	int below_fd;
	const struct copies *copies; /* NULL: the mark tells */
	uid_t uid;
	gid_t gid;
	struct {
		struct above *at;
		size_t len, cap;
	} above;
	struct buf
		path; /* of the deepest directory that was met last; those above are the beginning of it */
};

static void settling_auto_(struct settling *settling)
{
	vec_release(&settling->above);
	buf_release(&settling->path);
}

/* Forget the directories that `path` does not lie in. */
static void go_up(struct settling *s, const char *path)
{
	while (s->above.len > 0) {
		const struct above *last = vec_last(&s->above);

		if (strncmp(path, s->path.at, last->len) == 0)
			return;
		s->above.len--;
	}
}

static void go_down(struct settling *s, const struct walk_entry *entry, gid_t gid)
{
	const char *path = strcmp(entry->tar.path, "./") == 0 ? "" : entry->tar.path;

	buf_reset(&s->path);
	buf_adds(&s->path, path);
	vec_push(&s->above, (struct above){ .len = strlen(path),
					    .passes_on = entry->st->st_mode & S_ISGID,
					    .gid = gid });
}

/* As a path for calls that take no descriptor. */
static void name_it(char buf[static PATH_SIZE], const struct walk_entry *entry)
{
	if (entry->name)
		snprintf(buf, PATH_SIZE, "/proc/self/fd/%d/%s", entry->dir_fd, entry->name);
	else
		snprintf(buf, PATH_SIZE, "/proc/self/fd/%d/.", entry->fd);
}

/* Whether it is a copy as far as can be seen. A link or fifo has a record, which no user can write to it, or is
 * as old as what stands there below; a file has the same record as one of several names, of which overlayfs
 * copies one without a mark. */
static bool looks_copied(const struct settling *s, const char *path, mode_t type,
			 const struct walk_entry *entry)
{
	uid_t uid, below_uid;
	gid_t gid, below_gid;
	struct stat st;
	char below[PATH_SIZE];
	AUTO(fd) int fd = -1;

	if (type != S_IFREG && owner_find_record(path, false, type, &uid, &gid))
		return true;
	err_free(file_open(s->below_fd, entry->tar.path, O_PATH | O_NOFOLLOW, 0, FILE_NO_LINKS,
			   &fd)); /* it need not be there */
	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != type)
		return false;
	if (type != S_IFREG)
		return st.st_mtim.tv_sec == entry->st->st_mtim.tv_sec &&
		       st.st_mtim.tv_nsec == entry->st->st_mtim.tv_nsec;
	snprintf(below, sizeof(below), "/proc/self/fd/%d", fd);
	return st.st_nlink > 1 && owner_find_record(below, true, type, &below_uid, &below_gid) &&
	       owner_find_record(path, false, type, &uid, &gid) && uid == below_uid &&
	       gid == below_gid;
}

/* Whether it is the step's, and not a copy of what lies below. */
static bool is_new(const struct settling *s, const char *path, mode_t type,
		   const struct walk_entry *entry)
{
	const bool markable = type == S_IFREG || type == S_IFDIR;

	if (s->copies ? copies_have(s->copies, entry->st->st_ino) :
			markable && lgetxattr(path, ORIGIN, NULL, 0) >= 0)
		return false;
	if (s->copies ? s->copies->complete || markable : type == S_IFDIR)
		return true;
	return !looks_copied(s, path, type, entry);
}

/* What it is on the disk: what stands for a device is an empty file. */
static mode_t type_of(const struct walk_entry *entry)
{
	const mode_t type = entry->st->st_mode & S_IFMT;

	return type == S_IFCHR || type == S_IFBLK ? S_IFREG : type;
}

static struct err *settle(void *arg, const struct walk_entry *entry)
{
	struct settling *s = arg;
	const mode_t type = type_of(entry);
	gid_t found, gid = s->gid;
	char path[PATH_SIZE];
	uid_t uid;

	go_up(s, entry->tar.path);
	if (s->above.len > 0 && vec_last(&s->above)->passes_on)
		gid = vec_last(&s->above)->gid;
	name_it(path, entry);
	if (s->above.len > 0 && (s->uid || gid) &&
	    (s->uid || !owner_find_record(path, false, type, &uid, &found)) &&
	    is_new(s, path, type, entry)) {
		if (!owner_record(path, false, type, s->uid, gid))
			return err_sys("record the owner");
		if (s->uid && type == S_IFREG && !owner_forget_device(path))
			return err_sys("take the record of a device away");
	} else {
		gid = entry->st->st_gid;
	}
	if (type == S_IFDIR)
		go_down(s, entry, gid);
	return NULL;
}

struct err *owner_settle(int fs_fd, int below_fd, const struct copies *copies, uid_t uid, gid_t gid)
{
	const struct walk_opts opts = { .flat = true, .bare = true, .below_fd = -1 };
	AUTO(settling)
	struct settling settling = { .below_fd = below_fd,
				     .copies = copies,
				     .uid = uid,
				     .gid = gid,
				     .path = BUF_INIT((size_t)2 * 4096) };

	return walk(fs_fd, &opts, settle, &settling);
}

/* ---- what may be forged ---- */

struct sifting {
	int below_fd;
	bool alone;
};

/* Take the record away unless what has the name below (-1: nothing has) has the same. */
static struct err *sift_record(const char *path, const char *name, int below_fd)
{
	char record[64], other[64], below[64];
	const ssize_t len = lgetxattr(path, name, record, sizeof(record));

	if (len < 0 && errno != ERANGE) /* there is none */
		return NULL;
	snprintf(below, sizeof(below), "/proc/self/fd/%d", below_fd);
	if (len >= 0 && below_fd >= 0 && getxattr(below, name, other, sizeof(other)) == len &&
	    memcmp(record, other, (size_t)len) == 0)
		return NULL;
	return lremovexattr(path, name) < 0 ? err_sys("take a forged record away") : NULL;
}

static bool has_record(const char *path)
{
	return lgetxattr(path, OWNER_XATTR_DEVICE, NULL, 0) >= 0 ||
	       lgetxattr(path, OWNER_XATTR_OWNER, NULL, 0) >= 0;
}

static struct err *sift(void *arg, const struct walk_entry *entry)
{
	const struct sifting *s = arg;
	const mode_t type = type_of(entry);
	char path[PATH_SIZE];
	struct stat st;
	AUTO(fd) int fd = -1;

	name_it(path, entry);
	if ((type != S_IFREG && type != S_IFDIR) || !has_record(path))
		return NULL;
	if (lstat(path, &st) < 0)
		return err_sys("look at it");
	if (!s->alone && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return NULL;
	err_free(file_open(s->below_fd, entry->tar.path, O_PATH | O_NOFOLLOW, 0, FILE_NO_LINKS,
			   &fd)); /* it need not be there */
	if (s->alone)
		return fd < 0 ? NULL : sift_record(path, OWNER_XATTR_DEVICE, fd);
	TRY(sift_record(path, OWNER_XATTR_DEVICE, fd));
	return sift_record(path, OWNER_XATTR_OWNER, fd);
}

struct err *owner_sift(int fs_fd, int below_fd)
{
	const struct walk_opts opts = { .flat = true, .bare = true, .below_fd = -1 };
	struct sifting sifting = { .below_fd = below_fd, .alone = userns_mode() == USERNS_SINGLE };

	return walk(fs_fd, &opts, sift, &sifting);
}
