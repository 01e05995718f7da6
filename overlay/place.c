/* overlay/place.c - see overlay/place.h. */

#include "overlay/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/stream.h"
#include "overlay/owner.h"

/* What the kernel keeps of a device number (include/linux/kdev_t.h). */
#define MAJOR_MAX 0xfffU
#define MINOR_MAX 0xfffffU

/* The umask, which can be read without changing it only here (proc(5), since Linux 4.7). */
static mode_t read_umask(void)
{
	AUTO(buf) struct buf text = BUF_INIT(16384);
	AUTO(err) struct err *err = file_read(AT_FDCWD, "/proc/self/status", 16384, &text);
	const char *line = err ? NULL : strstr(text.at, "\nUmask:\t");
	struct str digits = str_of(line ? line + 8 : NULL);
	uint64_t mask;
	AUTO(err) struct err *bad = num_parse_octal(str_cut(&digits, '\n'), 0777, &mask);

	return bad ? 0777 : (mode_t)mask;
}

void place_init(struct place *place)
{
	*place = (struct place){
		.uid = geteuid(),
		.gid = getegid(),
		.umask = read_umask(),
		.side = XATTR_LAYER,
		.owners = true,
	};
}

bool place_inherits(const struct place *place, gid_t gid, mode_t mode)
{
	return gid != place->gid || (mode & S_ISGID);
}

static struct timespec *entry_times(int64_t seconds, struct timespec times[static 2])
{
	times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	times[1] = (struct timespec){ .tv_sec = seconds };
	return times;
}

struct err *place_time(int fd, int64_t seconds)
{
	struct timespec times[2];

	if (futimens(fd, entry_times(seconds, times)) < 0)
		return err_sys("set the time");
	return NULL;
}

/* Whether something just made in `dir` has to be given to its owner. */
static bool owner_differs(const struct place *place, const struct place_dir *dir,
			  const struct tar_entry *entry)
{
	return place->owners &&
	       (dir->inherits || entry->uid != place->uid || entry->gid != place->gid);
}

/* Owner and mode of `fd`, which was made in `dir` with the entry's permission bits. */
static struct err *set_owner_and_mode(const struct place *place, const struct place_dir *dir,
				      const struct tar_entry *entry, int fd)
{
	mode_t made = entry->mode & 0777 & ~place->umask;

	if (owner_differs(place, dir, entry))
		TRY(owner_set(fd, entry->uid, entry->gid));
	if ((made != entry->mode || dir->inherits) && fchmod(fd, entry->mode) < 0)
		return err_sys("set the mode");
	return NULL;
}

struct err *place_file(const struct place_dir *dir, const char *name, const struct tar_entry *entry,
		       int *ret_fd)
{
	int fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			entry->mode & 0777);

	if (fd < 0)
		return err_sys("make a file");
	*ret_fd = fd;
	return NULL;
}

static bool is_zero(const char *data, size_t len)
{
	return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

struct err *place_content(int fd, struct source *content, uint64_t size, char *chunk)
{
	bool hole = false;

	for (uint64_t left = size; left > 0;) {
		size_t len = left < STREAM_CHUNK ? (size_t)left : STREAM_CHUNK;

		TRY(source_read_full(content, chunk, len));
		TRY(cancel_check());
		left -= len;
		hole = len == STREAM_CHUNK && is_zero(chunk, len);
		if (!hole)
			TRY(file_write_all(fd, chunk, len, "its content"));
		else if (lseek(fd, (off_t)len, SEEK_CUR) < 0)
			return err_sys("leave a hole");
	}
	if (hole && ftruncate(fd, (off_t)size) < 0)
		return err_sys("set its size");
	return NULL;
}

struct err *place_seal(const struct place *place, const struct place_dir *dir,
		       const struct tar_entry *entry, int fd)
{
	TRY(set_owner_and_mode(place, dir, entry, fd));
	TRY(xattrs_apply(fd, place->side, entry->xattrs, entry->xattr_count, NULL));
	return place_time(fd, entry->mtime);
}

struct err *place_make_dir(const struct place *place, const struct place_dir *dir, const char *name,
			   const struct tar_entry *entry, int *ret_fd)
{
	AUTO(fd) int fd = -1;

	if (mkdirat(dir->fd, name, entry->mode & 0777) < 0)
		return err_sys("make a directory");
	fd = openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys("open the new directory");
	TRY(set_owner_and_mode(place, dir, entry, fd));
	TRY(xattrs_apply(fd, place->side, entry->xattrs, entry->xattr_count, XATTR_DEFAULT_ACL));
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

struct err *place_adopt_dir(const struct place *place, int fd, const struct tar_entry *entry)
{
	TRY(xattrs_clear(fd, place->side));
	if (place->owners)
		TRY(owner_set(fd, entry->uid, entry->gid));
	if (fchmod(fd, entry->mode) < 0)
		return err_sys("set the mode");
	return xattrs_apply(fd, place->side, entry->xattrs, entry->xattr_count, XATTR_DEFAULT_ACL);
}

static struct err *make_device(int dir_fd, const char *name, const struct tar_entry *entry)
{
	mode_t type = entry->type == TAR_CHAR ? S_IFCHR : S_IFBLK;
	unsigned major_nr = entry->dev_major, minor_nr = entry->dev_minor;

	if (major_nr > MAJOR_MAX || minor_nr > MINOR_MAX)
		return err_new(ERR_INVALID, "device number %u:%u is out of range", major_nr,
			       minor_nr);
	if (type == S_IFCHR && major_nr == 0 && minor_nr == 0)
		return err_new(ERR_INVALID, "a character device 0:0 would be a whiteout");
	return owner_make_device(dir_fd, name, type | (entry->mode & 0777),
				 makedev(major_nr, minor_nr));
}

static struct err *make_node(int dir_fd, const char *name, const struct tar_entry *entry)
{
	switch (entry->type) {
	case TAR_CHAR:
	case TAR_BLOCK:
		return make_device(dir_fd, name, entry);
	case TAR_FIFO:
		if (mknodat(dir_fd, name, S_IFIFO | (entry->mode & 0777), 0) < 0)
			return err_sys("make a fifo");
		return NULL;
	case TAR_SYMLINK:
		if (symlinkat(entry->link, dir_fd, name) < 0)
			return err_sys("make a symbolic link");
		return NULL;
	case TAR_FILE:
	case TAR_HARDLINK:
	case TAR_DIR:
		break;
	}
	return err_new(ERR_INTERNAL, "not a node");
}

/* chmod(2) of a node that must not be opened, and that no link may stand in for. */
static struct err *set_node_mode(int dir_fd, const char *name, mode_t mode)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[40];

	if (fd < 0)
		return err_sys("open the new node");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (chmod(path, mode) < 0)
		return err_sys("set the mode");
	return NULL;
}

struct err *place_node(const struct place *place, const struct place_dir *dir, const char *name,
		       const struct tar_entry *entry)
{
	mode_t made = entry->mode & 0777 & ~place->umask;
	struct timespec times[2];

	TRY(make_node(dir->fd, name, entry));
	if (owner_differs(place, dir, entry))
		TRY(owner_set_at(dir->fd, name, entry->uid, entry->gid));
	if (entry->type != TAR_SYMLINK && (made != entry->mode || dir->inherits))
		TRY(set_node_mode(dir->fd, name, entry->mode));
	if (utimensat(dir->fd, name, entry_times(entry->mtime, times), AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("set the time");
	return NULL;
}
