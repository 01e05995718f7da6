/* overlay/detached.c - see overlay/detached.h. */

#include "overlay/detached.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/userns.h"
#include "overlay/kernel-private.h"

#define NUMBER_SIZE 24

static bool set_number(int fs_fd, const char *key, bool octal, uint64_t number)
{
	char text[NUMBER_SIZE];

	snprintf(text, sizeof(text), octal ? "%jo" : "%ju", (uintmax_t)number);
	return kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, key, text, 0) == 0;
}

/* A tmpfs that is set up, but not made yet. */
static struct err *begin_tmpfs(const struct detached_memory *memory, int *ret_fd)
{
	AUTO(fd) int fs_fd = kernel_fsopen("tmpfs");
	const bool owned = userns_mode() != USERNS_SINGLE;

	if (fs_fd < 0 || kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", "tmpfs", 0) < 0 ||
	    !set_number(fs_fd, "mode", true, memory->mode))
		return err_sys("make a file system in memory");
	if (memory->size && !set_number(fs_fd, "size", false, memory->size))
		return err_sys("make a file system of %ju bytes in memory",
			       (uintmax_t)memory->size);
	if (memory->inodes && !set_number(fs_fd, "nr_inodes", false, memory->inodes))
		return err_sys("make a file system of %ju files in memory",
			       (uintmax_t)memory->inodes);
	if (owned && memory->uid && !set_number(fs_fd, "uid", false, memory->uid))
		return err_sys("give a file system in memory to user %ju", (uintmax_t)memory->uid);
	if (owned && memory->gid && !set_number(fs_fd, "gid", false, memory->gid))
		return err_sys("give a file system in memory to group %ju", (uintmax_t)memory->gid);
	*ret_fd = STEAL_FD(fs_fd);
	return NULL;
}

static struct err *finish_tmpfs(int fs_fd, unsigned attributes, int *ret_fd)
{
	if (kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys("make a file system in memory");
	*ret_fd = kernel_fsmount(fs_fd, attributes);
	return *ret_fd < 0 ? err_sys("mount a file system in memory") : NULL;
}

struct err *detached_memory(const struct detached_memory *memory, int *ret_fd)
{
	const unsigned attributes =
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (memory->no_exec ? MOUNT_ATTR_NOEXEC : 0);
	AUTO(fd) int fs_fd = -1;

	TRY(begin_tmpfs(memory, &fs_fd));
	return finish_tmpfs(fs_fd, attributes, ret_fd);
}

struct err *detached_tmpfs(mode_t mode, uint64_t size, int *ret_fd)
{
	return detached_memory(&(struct detached_memory){ .mode = mode, .size = size }, ret_fd);
}

static struct err *fill_file(int dir_fd, const struct detached_file *file)
{
	AUTO(fd)
	int fd = openat(dir_fd, DETACHED_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys("make a file in memory");
	TRY(file_write_all(fd, file->data, file->len, "a file in memory"));
	/* with one id alone it is everybody's who can be in the step */
	if ((userns_mode() != USERNS_SINGLE && fchown(fd, file->uid, file->gid) < 0) ||
	    fchmod(fd, file->mode) < 0)
		return err_sys("set the owner and mode of a file in memory");
	return NULL;
}

struct err *detached_file(const struct detached_file *file, int *ret_fd)
{
	const unsigned attributes =
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (file->executable ? 0 : MOUNT_ATTR_NOEXEC);
	AUTO(fd) int fs_fd = -1;
	AUTO(fd) int fd = -1;

	TRY(begin_tmpfs(&(struct detached_memory){ .mode = 0755 }, &fs_fd));
	/* Before 6.4 there is no such option, and the machine's owner decides where memory goes. */
	(void)kernel_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "noswap", NULL, 0);
	TRY(finish_tmpfs(fs_fd, attributes, &fd));
	TRY(fill_file(fd, file));
	TRY(detached_fix(fd));
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

static struct err *clone(int fd, bool all, bool read_only, int *ret_fd)
{
	const unsigned deep = all ? AT_RECURSIVE : 0;
	AUTO(fd)
	int mount_fd = (int)syscall(SYS_open_tree, fd, "",
				    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | deep);

	/* What a step mounts within it, secrets too, must not appear where it was cloned from. */
	if (mount_fd < 0 || kernel_make_private(mount_fd, "", AT_EMPTY_PATH | deep) < 0 ||
	    kernel_mount_setattr(mount_fd, "", AT_EMPTY_PATH | deep,
				 MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0)) < 0)
		return err_sys("make a mount of a directory or file");
	*ret_fd = STEAL_FD(mount_fd);
	return NULL;
}

struct err *detached_clone(int fd, bool read_only, int *ret_fd)
{
	return clone(fd, false, read_only, ret_fd);
}

struct err *detached_clone_all(int fd, bool read_only, int *ret_fd)
{
	return clone(fd, true, read_only, ret_fd);
}

struct err *detached_device(int fd, int *ret_fd)
{
	AUTO(fd)
	int mount_fd = (int)syscall(SYS_open_tree, fd, "",
				    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	struct stat st;

	if (mount_fd < 0 || fstat(mount_fd, &st) < 0 ||
	    kernel_make_private(mount_fd, "", AT_EMPTY_PATH) < 0 ||
	    kernel_mount_setattr(mount_fd, "", AT_EMPTY_PATH,
				 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC) < 0)
		return err_sys("make a mount of a device");
	/* a directory would bring every node in it along */
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_new(ERR_INVALID, "it is not a device");
	*ret_fd = STEAL_FD(mount_fd);
	return NULL;
}

struct err *detached_restrict(int fd, bool no_set_id, bool no_exec)
{
	if (kernel_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
				 (no_set_id ? MOUNT_ATTR_NOSUID : 0) |
					 (no_exec ? MOUNT_ATTR_NOEXEC : 0)) < 0)
		return err_sys("restrict a mount");
	return NULL;
}

struct err *detached_node(int fd, int *ret_fd)
{
	AUTO(fd) int fs_fd = -1;
	AUTO(fd) int mount_fd = -1;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys("look at a device");
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_new(ERR_INVALID, "it is not a device");
	TRY(begin_tmpfs(&(struct detached_memory){ .mode = 0755 }, &fs_fd));
	TRY(finish_tmpfs(fs_fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, &mount_fd));
	if (mknodat(mount_fd, DETACHED_FILE, st.st_mode, st.st_rdev) < 0 ||
	    fchownat(mount_fd, DETACHED_FILE, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(mount_fd, DETACHED_FILE, st.st_mode & 07777, 0) < 0)
		return err_sys("make a node of a device");
	*ret_fd = STEAL_FD(mount_fd);
	return NULL;
}

struct err *detached_fix(int fd)
{
	if (kernel_mount_setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY) < 0)
		return err_sys("make a mount read-only");
	return NULL;
}
