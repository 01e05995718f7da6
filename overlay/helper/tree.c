/*
 * overlay/helper/tree.c - what a step finds around its command.
 *
 * Everything is mounted after the root was entered, by descriptor, onto targets
 * that were opened beneath it. An image decides neither where a mount lands
 * (/proc, /sys and /dev must be directories, links are refused) nor what hides
 * a path: masks are clones of a node and a directory that the step made itself
 * in a tmpfs that it cannot reach afterwards.
 *
 * No mount that the step can write to allows devices, because nothing else
 * keeps a step with CAP_MKNOD from the host's disks: the six nodes in /dev are
 * single mounts on empty files.
 */

#include "overlay/helper/helper.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "overlay/furniture-private.h"
#include "overlay/kernel-private.h"

#define QUIET FURNITURE_QUIET

#define NUMBER_SIZE 24

/* A decimal number behind `prefix`, without stdio. */
static char *format_number(char buf[static NUMBER_SIZE + 16], const char *prefix, uint64_t n)
{
	char digits[NUMBER_SIZE];
	size_t at = sizeof(digits);
	size_t len = strlen(prefix);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	memcpy(buf, prefix, len);
	memcpy(buf + len, digits + at, sizeof(digits) - at);
	buf[len + sizeof(digits) - at] = '\0';
	return buf;
}

/* A new detached file system; `options` is a NULL-terminated list of key, value, …, or NULL. -1 and
 * errno if it may not be had. */
static int try_fs(const char *type, const char *const *options, unsigned attributes)
{
	int fs_fd = kernel_fsopen(type);
	bool good = fs_fd >= 0;
	int fd = -1;

	if (good) /* what mount(8) prints */
		kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", type, 0);
	for (; good && options && *options; options += 2)
		good = kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, options[0], options[1], 0) == 0;
	if (good && kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = kernel_fsmount(fs_fd, attributes);
	if (fs_fd >= 0) {
		int saved = errno;

		close(fs_fd);
		errno = saved;
	}
	return fd;
}

static int make_fs(const struct step *step, const char *type, const char *const *options,
		   unsigned attributes)
{
	int fd = try_fs(type, options, attributes);

	if (fd < 0)
		step_fail(step, STAGE_MOUNT, type);
	return fd;
}

/* ---- the root ---- */

/* A directory of the image's root that must be one. One that the image has deleted is made again:
 * it then belongs to the layer, as other builders leave it. */
static int open_mount_point(const struct step *step, const char *name)
{
	const uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
	int fd = kernel_openat2(step->root_fd, name, O_PATH | O_DIRECTORY, resolve);

	if (fd < 0 && errno == ENOENT && mkdirat(step->root_fd, name, 0755) == 0)
		fd = kernel_openat2(step->root_fd, name, O_PATH | O_DIRECTORY, resolve);
	if (fd < 0)
		step_fail(step, STAGE_TARGET, name);
	return fd;
}

/* Mount `fd` on the directory `name` of the root. */
static void mount_top(const struct step *step, int fd, const char *name)
{
	int target_fd = open_mount_point(step, name);

	if (kernel_attach(fd, target_fd, "") < 0)
		step_fail(step, STAGE_MOUNT, name);
	close(target_fd);
}

/* A user namespace may mount a /proc only where one is seen whole. Within a container that hides parts
 * of it a step has the container's, with what is hidden there, and sees its processes. */
static int clone_host_proc(const struct step *step)
{
	const int failed = errno;
	int fd = kernel_clone_tree(step->base_fd, BASE_PROC);

	if (failed != EPERM || fd < 0 ||
	    kernel_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, QUIET) < 0) {
		errno = failed;
		step_fail(step, STAGE_MOUNT, "proc");
	}
	return fd;
}

void tree_enter(struct step *step)
{
	static const char *const options[] = { "mode", "0755", "size", "16m", NULL };

	step->base_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	step->private_fd = make_fs(step, "tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (step->base_fd < 0 || kernel_attach(step->private_fd, step->base_fd, BASE_PRIVATE) < 0 ||
	    kernel_attach(step->root_fd, step->base_fd, BASE_ROOT) < 0 ||
	    fchdir(step->root_fd) < 0 || kernel_pivot_root(".", ".") < 0)
		step_fail(step, STAGE_ROOT, NULL);
	step->proc_fd = try_fs("proc", NULL, QUIET);
	if (step->proc_fd < 0)
		step->proc_fd = clone_host_proc(step);
	mount_top(step, step->proc_fd, "proc");
}

/* ---- /etc ---- */

/* Put a private file over `target`, which may be a link: then over the link itself. An image that
 * has no such file, or no file there, stays as it is. */
static void cover_file(const struct step *step, const char *target, const char *name,
		       uint32_t content)
{
	const char *text = step_text(step, content);
	size_t len = strlen(text);
	int target_fd;
	int fd;

	if (!content)
		return;
	target_fd = kernel_openat2(step->root_fd, target, O_PATH | O_NOFOLLOW,
				   RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (target_fd < 0)
		return;
	fd = openat(step->private_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		step_fail(step, STAGE_FILE, target);
	close(fd);
	fd = kernel_clone_mount(step->private_fd, name);
	if (fd < 0 || (kernel_attach(fd, target_fd, "") < 0 && errno != ENOTDIR))
		step_fail(step, STAGE_MOUNT, target);
	close(fd);
	close(target_fd);
}

/* ---- /dev ---- */

static const struct {
	const char *name;
	unsigned major, minor;
} devices[] = FURNITURE_DEVICES;

static const struct {
	const char *name, *target;
} device_links[] = {
	{ "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "ptmx", "pts/ptmx" },
};

/* An empty file in /dev, for something to be mounted on. */
static void make_place(const struct step *step, const char *name)
{
	int fd = openat(step->dev_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0)
		step_fail(step, STAGE_DEVICE, name);
	close(fd);
}

/* In a user namespace no node can be made: the host's, if it is what it should be. */
static int clone_host_device(const struct step *step, size_t i)
{
	const char *name = devices[i].name;
	int dir_fd = openat(step->base_fd, BASE_DEV, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int fd;

	if (dir_fd < 0)
		return -1;
	fd = kernel_clone_mount(dir_fd, name);
	close(dir_fd);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
			st.st_rdev != makedev(devices[i].major, devices[i].minor))) {
		close(fd);
		errno = ENODEV;
		return -1;
	}
	return fd;
}

static void make_device(const struct step *step, size_t i)
{
	const char *name = devices[i].name;
	int fd;

	make_place(step, name);
	if (mknodat(step->private_fd, name, S_IFCHR | 0666,
		    makedev(devices[i].major, devices[i].minor)) == 0)
		fd = kernel_clone_mount(step->private_fd, name);
	else
		fd = errno == EPERM ? clone_host_device(step, i) : -1;
	if (fd < 0 || kernel_attach(fd, step->dev_fd, name) < 0)
		step_fail(step, STAGE_DEVICE, name);
	close(fd);
}

/* A new file system on a directory of /dev. */
static void mount_in_dev(const struct step *step, int fd, const char *name)
{
	if (mkdirat(step->dev_fd, name, 0755) < 0 || kernel_attach(fd, step->dev_fd, name) < 0)
		step_fail(step, STAGE_MOUNT, name);
	close(fd);
}

/* Terminals belong to the group tty, which a user namespace of one id does not have. */
static int make_pts(const struct step *step)
{
	char group[NUMBER_SIZE + 16];
	const char *const options[] = {
		FURNITURE_PTS_OPTIONS,
		"gid",
		format_number(group, "", step->request->tty_gid),
		NULL,
	};
	static const char *const without_group[] = { "ptmxmode", "0666", "mode", "0600", NULL };
	int fd = try_fs("devpts", options, FURNITURE_PTS);

	if (fd < 0 && errno == EINVAL)
		fd = try_fs("devpts", without_group, FURNITURE_PTS);
	if (fd < 0)
		step_fail(step, STAGE_MOUNT, "devpts");
	return fd;
}

static void furnish_dev(struct step *step)
{
	static const char *const dev_options[] = { FURNITURE_DEV_OPTIONS, NULL };
	char size[NUMBER_SIZE + 16];
	const char *shm_options[] = {
		FURNITURE_SHM_OPTIONS,
		"size",
		format_number(size, "", step->request->shm_size),
		NULL,
	};

	step->dev_fd = make_fs(step, "tmpfs", dev_options, FURNITURE_DEV);
	mount_top(step, step->dev_fd, "dev");
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		make_device(step, i);
	for (size_t i = 0; i < sizeof(device_links) / sizeof(device_links[0]); i++)
		if (symlinkat(device_links[i].target, step->dev_fd, device_links[i].name) < 0)
			step_fail(step, STAGE_DEVICE, device_links[i].name);
	mount_in_dev(step, make_pts(step), "pts");
	mount_in_dev(step, make_fs(step, "tmpfs", shm_options, QUIET), "shm");
	mount_in_dev(step, make_fs(step, "mqueue", NULL, QUIET), "mqueue");
}

/* ---- /sys and what is hidden ---- */

/* Set each word of "cpu,cpuacct" as an option; the text is cut on the way and mended again. */
static bool choose_controllers(int fs_fd, char *list)
{
	for (char *end; list; list = end ? end + 1 : NULL) {
		int failed;

		end = strchr(list, ',');
		if (end)
			*end = '\0';
		failed = kernel_fsconfig(fs_fd, FSCONFIG_SET_FLAG, list, NULL, 0);
		if (end)
			*end = ',';
		if (failed)
			return false;
	}
	return true;
}

/* The step's own control groups of one hierarchy, read-only but for one that is trusted, detached.
 * -1 if the machine has none: `controllers` is NULL for the unified ones. */
static int make_cgroups(const struct step *step, char *controllers)
{
	const bool insecure = step->request->flags & REQUEST_INSECURE;
	const char *type = controllers ? "cgroup" : "cgroup2";
	int fs_fd = kernel_fsopen(type);
	int fd = -1;

	if (fs_fd >= 0 && kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", type, 0) == 0 &&
	    choose_controllers(fs_fd, controllers) &&
	    kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = kernel_fsmount(fs_fd, QUIET | (insecure ? 0 : MOUNT_ATTR_RDONLY));
	if (fs_fd >= 0)
		close(fs_fd);
	return fd;
}

static void attach_cgroups(const struct step *step, int fd, int sys_fd)
{
	if (kernel_attach(fd, sys_fd, "fs/cgroup") < 0 && errno != ENOENT)
		step_fail(step, STAGE_MOUNT, "sys/fs/cgroup");
}

/* A directory for each hierarchy, as machines have them that have the older ones. */
static void mount_cgroup_dirs(const struct step *step, int sys_fd)
{
	static const char *const options[] = { "mode", "0755", "size", "64k", NULL };
	const struct request_span span = step->request->cgroups;
	char *const *lists = (char *const *)(void *)step_text(step, span.at);
	int top_fd = make_fs(step, "tmpfs", options, QUIET);

	attach_cgroups(step, top_fd, sys_fd);
	for (uint32_t i = 0; i <= span.count; i++) {
		const char *name = i < span.count ? lists[i] : "unified";
		int fd = make_cgroups(step, i < span.count ? lists[i] : NULL);

		if (fd < 0)
			continue;
		if (mkdirat(top_fd, name, 0755) < 0 || kernel_attach(fd, top_fd, name) < 0)
			step_fail(step, STAGE_MOUNT, name);
		close(fd);
	}
	if (kernel_mount_setattr(top_fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY) < 0)
		step_fail(step, STAGE_MOUNT, "sys/fs/cgroup");
	close(top_fd);
}

static void mount_cgroups(const struct step *step, int sys_fd)
{
	int fd = -1;

	if (step->request->cgroups.count)
		mount_cgroup_dirs(step, sys_fd);
	else
		fd = make_cgroups(step, NULL);
	if (fd < 0)
		return;
	attach_cgroups(step, fd, sys_fd);
	close(fd);
}

/* Cover a file with null, a directory with an empty one. What is not there needs no cover. */
static void hide(const struct step *step, int dir_fd, const char *path)
{
	int target_fd = kernel_openat2(dir_fd, path, O_PATH | O_NOFOLLOW,
				       RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	struct stat st;
	int fd;

	if (target_fd < 0 && errno == ENOENT)
		return;
	if (target_fd < 0 || fstat(target_fd, &st) < 0)
		step_fail(step, STAGE_MASK, path);
	if (S_ISDIR(st.st_mode))
		fd = kernel_clone_mount(step->private_fd, "empty");
	else
		fd = kernel_clone_mount(step->dev_fd, "null");
	if (fd < 0 || kernel_attach(fd, target_fd, "") < 0)
		step_fail(step, STAGE_MASK, path);
	close(fd);
	close(target_fd);
}

/* A read-only mount of `path` on itself. */
static void fix(const struct step *step, int dir_fd, const char *path)
{
	int fd = kernel_clone_mount(dir_fd, path);

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || kernel_mount_setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY) < 0 ||
	    kernel_attach(fd, dir_fd, path) < 0)
		step_fail(step, STAGE_MASK, path);
	close(fd);
}

/* The temperature of every CPU is a side channel; virtual machines have none to hide. */
static void hide_throttling(const struct step *step, int sys_fd)
{
	int dir_fd = openat(sys_fd, FURNITURE_CPUS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(struct dirent64) char entries[4096];
	char path[300];
	long got;

	if (dir_fd < 0 || faccessat(dir_fd, "cpu0/" FURNITURE_HIDDEN_CPU, F_OK, 0) < 0)
		got = 0;
	else
		got = syscall(SYS_getdents64, dir_fd, entries, sizeof(entries));
	while (got > 0) {
		for (long at = 0; at < got;) {
			const struct dirent64 *entry = (const void *)(entries + at);
			size_t len = strlen(entry->d_name);

			at += entry->d_reclen;
			if (strncmp(entry->d_name, "cpu", 3) != 0 || len > 16)
				continue;
			memcpy(path, entry->d_name, len);
			memcpy(path + len, "/" FURNITURE_HIDDEN_CPU,
			       sizeof("/" FURNITURE_HIDDEN_CPU));
			hide(step, dir_fd, path);
		}
		got = syscall(SYS_getdents64, dir_fd, entries, sizeof(entries));
	}
	if (dir_fd >= 0)
		close(dir_fd);
}

/* A user namespace may mount a sysfs only for a network of its own. With the host's it sees the host's,
 * read-only whatever was asked for, and no control groups. */
static int clone_host_sys(const struct step *step)
{
	int fd = kernel_clone_tree(step->base_fd, BASE_SYS);
	int groups_fd, empty_fd;

	if (fd < 0 || kernel_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
					   QUIET | MOUNT_ATTR_RDONLY) < 0)
		step_fail(step, STAGE_MOUNT, "sysfs");
	groups_fd = openat(fd, "fs/cgroup", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (groups_fd < 0)
		return fd;
	empty_fd = kernel_clone_mount(step->private_fd, "empty");
	if (empty_fd < 0 || kernel_attach(empty_fd, groups_fd, "") < 0)
		step_fail(step, STAGE_MASK, "sys/fs/cgroup");
	close(empty_fd);
	close(groups_fd);
	return fd;
}

static void furnish_sys(const struct step *step)
{
	static const char *const hidden[] = FURNITURE_HIDDEN_SYS;
	const bool insecure = step->request->flags & REQUEST_INSECURE;
	int sys_fd = try_fs("sysfs", NULL, QUIET | (insecure ? 0 : MOUNT_ATTR_RDONLY));

	if (sys_fd < 0 && errno != EPERM)
		step_fail(step, STAGE_MOUNT, "sysfs");
	if (sys_fd < 0)
		sys_fd = clone_host_sys(step);
	mount_top(step, sys_fd, "sys");
	mount_cgroups(step, sys_fd);
	for (size_t i = 0; !insecure && i < sizeof(hidden) / sizeof(hidden[0]); i++)
		hide(step, sys_fd, hidden[i]);
	if (!insecure)
		hide_throttling(step, sys_fd);
	close(sys_fd);
}

static void restrict_proc(const struct step *step)
{
	static const char *const hidden[] = FURNITURE_HIDDEN_PROC;
	static const char *const fixed[] = FURNITURE_FIXED_PROC;

	if (step->request->flags & REQUEST_INSECURE)
		return;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		hide(step, step->proc_fd, hidden[i]);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		fix(step, step->proc_fd, fixed[i]);
}

void tree_furnish(struct step *step)
{
	cover_file(step, "etc/hosts", "hosts", step->request->hosts);
	cover_file(step, "etc/resolv.conf", "resolv.conf", step->request->resolv);
	furnish_dev(step);

	/* From here on the private tmpfs only gives covers. */
	if (mkdirat(step->private_fd, "empty", 0755) < 0 ||
	    kernel_mount_setattr(step->private_fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY) < 0)
		step_fail(step, STAGE_MASK, NULL);
	furnish_sys(step);
	restrict_proc(step);
	bind_take_sources(step);

	if (fchdir(step->base_fd) < 0 || kernel_umount(".", KERNEL_UMOUNT_DETACH) < 0 ||
	    chdir("/") < 0)
		step_fail(step, STAGE_ROOT, NULL);
	bind_all(step);
}

/* ---- a terminal ---- */

int tree_terminal(struct step *step)
{
	int master_fd = openat(step->dev_fd, "pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	char path[NUMBER_SIZE + 16];
	unsigned number = 0;
	int unlocked = 0;
	int slave_fd;
	int fd;

	if (master_fd < 0 || ioctl(master_fd, TIOCSPTLCK, &unlocked) < 0 ||
	    ioctl(master_fd, TIOCGPTN, &number) < 0)
		step_fail(step, STAGE_TTY, "pts/ptmx");
	slave_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave_fd < 0 || fchown(slave_fd, step->request->outer_uid, (gid_t)-1) < 0)
		step_fail(step, STAGE_TTY, "pts");

	make_place(step, "console");
	fd = kernel_clone_mount(step->dev_fd, format_number(path, "pts/", number));
	if (fd < 0 || kernel_attach(fd, step->dev_fd, "console") < 0)
		step_fail(step, STAGE_TTY, "console");
	close(fd);
	step_report_fd(step, REPORT_TTY, master_fd);
	close(master_fd);
	return slave_fd;
}
