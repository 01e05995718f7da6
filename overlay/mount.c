/*
 * overlay/mount.c - see overlay/mount.h.
 *
 * The three ways differ in how the kernel is told which directories are meant;
 * what it does with them is the same. By descriptor and by path the mount is
 * made with fsopen(2) and never attached. By string it is made with mount(2) in
 * the mount namespace of a child that shares our memory for as long: the child
 * attaches it, clones it detached, sends the clone, and dies. There the layers
 * are named "7:12:9" relative to /proc/self/fd, which fits 500 layers into the
 * one page that the kernel reads.
 *
 * Which way works is remembered in an atomic after the first success; threads
 * that try at the same time find the same.
 */

#include "overlay/mount.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/process.h"
#include "base/str.h"
#include "overlay/idmap.h"
#include "overlay/kernel-private.h"
#include "overlay/skeleton.h"

#define FD_PATH_SIZE 32 /* "/proc/self/fd/2147483647" */
#define PAGE_LIMIT 4096 /* of mount(2)'s data */

/* The layers as they are given to the kernel: the caller's and what lies below. */
struct stack {
	const struct overlay_spec *spec;
	bool writable;
	int bottom_fd; /* -1: none */
};

static size_t stack_len(const struct stack *stack)
{
	return stack->spec->lower_count + (stack->bottom_fd >= 0);
}

static int stack_fd(const struct stack *stack, size_t i)
{
	return i < stack->spec->lower_count ? stack->spec->lower_fds[i] : stack->bottom_fd;
}

/* ---- errors ---- */

/* What the kernel wrote about the last failure, without its "e "; empty if nothing. */
static void read_kernel_log(int fs_fd, struct buf *text)
{
	char line[512];
	ssize_t got;

	while ((got = read(fs_fd, line, sizeof(line))) > 0) {
		struct str said = str_trim((struct str){ line, (size_t)got });

		if (said.len > 2 && said.at[1] == ' ')
			said = (struct str){ said.at + 2, said.len - 2 };
		if (text->len)
			buf_adds(text, "; ");
		buf_add_str(text, said);
	}
}

static void forget_kernel_log(int fs_fd)
{
	AUTO(buf) struct buf text = BUF_INIT((size_t)4096);

	read_kernel_log(fs_fd, &text);
}

/* EINVAL says little; most often the file system of the upper directory is the cause. */
static struct err *explain(struct err *err, const struct stack *stack)
{
	struct statfs fs;

	if (!stack->writable || fstatfs(stack->spec->upper_fd, &fs) < 0)
		return err;
	return err_note(err,
			"The file system of the store (type 0x%lx) must be one that overlayfs can "
			"write to, such as ext4, xfs or btrfs; on others the storage drivers "
			"fuse-overlayfs and copy work, one of which --storage-driver auto takes.",
			(unsigned long)fs.f_type);
}

/* The failure that errno holds; `fs_fd` may be -1. */
static struct err *mount_error(const struct stack *stack, int fs_fd, const char *what)
{
	AUTO(buf) struct buf log = BUF_INIT((size_t)4096);
	int saved = errno;

	if (fs_fd >= 0)
		read_kernel_log(fs_fd, &log);
	errno = saved;
	if (log.len)
		return explain(err_sys("overlay: %s: %.*s", what, STR_ARG(buf_str(&log))), stack);
	return explain(err_sys("overlay: %s", what), stack);
}

/* ---- by descriptor and by path ---- */

/* Name a directory to the kernel. */
static int set_layer(int fs_fd, const char *key, int dir_fd, enum overlay_way way)
{
	char path[FD_PATH_SIZE];

	if (way == OVERLAY_BY_FD)
		return kernel_fsconfig(fs_fd, FSCONFIG_SET_FD, key, NULL, dir_fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
	return kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, key, path, 0);
}

static int set_options(int fs_fd, const struct stack *stack)
{
	const struct {
		const char *key, *value;
	} options[] = { { "source", "overlay" }, { "index", "off" }, { "xino", "off" } };

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, options[i].key, options[i].value,
				    0) < 0)
			return -1;
	if (kernel_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return -1;
	if (stack->writable && kernel_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
		return -1;
	/* Since 6.6: no identity is written to the upper directory. Older kernels write none, and
	 * their remark must not be taken for the cause of what fails later. */
	if (kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, "uuid", "null", 0) < 0)
		forget_kernel_log(fs_fd);
	return 0;
}

/* Before 6.5 a context takes any text and fails when it is used. */
static bool is_gullible(int fs_fd)
{
	bool taken = kernel_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "no-such-option", NULL, 0) == 0;

	forget_kernel_log(fs_fd);
	return taken;
}

static int set_layers(int fs_fd, const struct stack *stack, enum overlay_way way)
{
	for (size_t i = 0; i < stack_len(stack); i++)
		if (set_layer(fs_fd, "lowerdir+", stack_fd(stack, i), way) < 0)
			return -1;
	if (!stack->writable)
		return 0;
	if (set_layer(fs_fd, "upperdir", stack->spec->upper_fd, way) < 0)
		return -1;
	return set_layer(fs_fd, "workdir", stack->spec->work_fd, way);
}

/* Sets `*ret_refused` if the kernel does not know this way, and something else may work. */
static struct err *mount_by_context(const struct stack *stack, enum overlay_way way, int *ret_fd,
				    bool *ret_refused)
{
	const unsigned attributes = MOUNT_ATTR_NODEV | (stack->writable ? 0 : MOUNT_ATTR_RDONLY);
	AUTO(fd) int fs_fd = kernel_fsopen("overlay");
	int fd;

	*ret_refused = false;
	if (fs_fd < 0) {
		*ret_refused = errno == ENOSYS;
		return mount_error(stack, -1, "fsopen");
	}
	if (way == OVERLAY_BY_PATH && is_gullible(fs_fd)) {
		*ret_refused = true;
		return err_new(ERR_UNSUPPORTED, "overlay: this kernel cannot take layers by path");
	}
	if (set_layers(fs_fd, stack, way) < 0) {
		*ret_refused = errno == EINVAL;
		return mount_error(stack, fs_fd, "name the layers");
	}
	if (set_options(fs_fd, stack) < 0)
		return mount_error(stack, fs_fd, "set the options");
	if (kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return mount_error(stack, fs_fd, "mount");
	fd = kernel_fsmount(fs_fd, attributes);
	if (fd < 0)
		return mount_error(stack, fs_fd, "fsmount");
	*ret_fd = fd;
	return NULL;
}

/* ---- by string ---- */

/* "lowerdir=7:12:9,upperdir=13,workdir=14,…", relative to /proc/self/fd. */
static struct err *format_data(const struct stack *stack, struct buf *data)
{
	buf_adds(data, "lowerdir=");
	for (size_t i = 0; i < stack_len(stack); i++)
		buf_addf(data, "%s%d", i ? ":" : "", stack_fd(stack, i));
	if (stack->writable)
		buf_addf(data, ",upperdir=%d,workdir=%d,volatile", stack->spec->upper_fd,
			 stack->spec->work_fd);
	buf_adds(data, ",userxattr,index=off,xino=off");
	buf_addc(data, '\0');
	return buf_check(data, "overlay: the list of layers");
}

/* A directory that the child has to open again. */
struct again {
	int fd;
	char name[12]; /* of the descriptor, below /proc/self/fd */
};

/* What the child is given, and its answer. It lives in the parent's memory. */
struct string_mount {
	struct again *dirs; /* owned */
	size_t dir_count;
	const char *data;
	unsigned long flags; /* MS_* */
	int reply_fd;        /* takes the mount */
	int error;           /* errno, 0 if the mount was sent */
	char path[4096];
};

/* From <sys/mount.h>. */
#define FLAG_RDONLY 1UL
#define FLAG_NODEV 4UL
#define FLAG_PRIVATE (1UL << 18)
#define FLAG_REC 16384UL

/*
 * A descriptor from before the unshare belongs to the old namespace, and is no layer in the new
 * one: open the same directory by its path, and give it the same number.
 */
SYSTEM_CALLS_ONLY static int open_again(struct string_mount *job, const struct again *dir)
{
	struct statx before, after;
	long len = syscall(SYS_readlinkat, AT_FDCWD, dir->name, job->path, sizeof(job->path) - 1);
	long fd;

	if (len < 0)
		return -1;
	job->path[len] = '\0';
	fd = syscall(SYS_openat, AT_FDCWD, job->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_statx, dir->fd, "", AT_EMPTY_PATH, STATX_INO, &before) < 0 ||
	    syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &after) < 0)
		return -1;
	if (before.stx_ino != after.stx_ino || before.stx_dev_major != after.stx_dev_major ||
	    before.stx_dev_minor != after.stx_dev_minor) {
		errno = ESTALE; /* moved away meanwhile */
		return -1;
	}
	if (syscall(SYS_dup3, fd, dir->fd, O_CLOEXEC) < 0)
		return -1;
	return (int)syscall(SYS_close, fd);
}

SYSTEM_CALLS_ONLY static int send_mount(const struct string_mount *job, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = (struct cmsghdr *)(void *)control;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	*(int *)(void *)CMSG_DATA(cmsg) = fd;
	return (int)syscall(SYS_sendmsg, job->reply_fd, &msg, 0);
}

/* Mount on /proc of the namespace, and clone what is there. */
SYSTEM_CALLS_ONLY static int mount_and_send(struct string_mount *job)
{
	long fd;

	if (syscall(SYS_unshare, CLONE_NEWNS) < 0 ||
	    syscall(SYS_mount, NULL, "/", NULL, FLAG_PRIVATE | FLAG_REC, NULL) < 0 ||
	    syscall(SYS_chdir, "/proc/self/fd") < 0)
		return -1;
	for (size_t i = 0; i < job->dir_count; i++)
		if (open_again(job, &job->dirs[i]) < 0)
			return -1;
	if (syscall(SYS_mount, "overlay", "/proc", "overlay", job->flags, job->data) < 0)
		return -1;
	fd = syscall(SYS_open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return fd < 0 ? -1 : send_mount(job, (int)fd);
}

/* Runs in a child that shares memory with the parent, which waits. */
SYSTEM_CALLS_ONLY static int mount_apart(void *arg)
{
	struct string_mount *job = arg;

	job->error = mount_and_send(job) < 0 ? errno : 0;
	return 0;
}

static struct err *run_apart(struct string_mount *job)
{
	pid_t pid;

	/* No exit signal: the program's own waiting must not see this child. */
	TRY(err_wrap(process_borrow(mount_apart, job, 0, &pid, NULL), "overlay"));
	while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	errno = job->error;
	return errno ? err_sys("overlay: mount in a namespace of its own") : NULL;
}

static struct err *receive_mount(int socket_fd, int *ret_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	if (recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1 || !CMSG_FIRSTHDR(&msg))
		return err_sys("overlay: receive a mount");
	memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return NULL;
}

static void add_dir(struct string_mount *job, int fd)
{
	struct again *dir = &job->dirs[job->dir_count++];

	dir->fd = fd;
	snprintf(dir->name, sizeof(dir->name), "%d", fd);
}

static struct err *mount_by_string(const struct stack *stack, int *ret_fd)
{
	AUTO(buf) struct buf data = BUF_INIT(PAGE_LIMIT);
	AUTO(mem) struct again *dirs = xcalloc(stack_len(stack) + 2, sizeof(*dirs));
	AUTO(mem) struct string_mount *job = xcalloc(1, sizeof(*job));
	AUTO(fd) int ours = -1;
	AUTO(fd) int theirs = -1;
	int pair[2];

	TRY(format_data(stack, &data));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys("overlay: make a socket");
	ours = pair[0];
	theirs = pair[1];
	*job = (struct string_mount){
		.dirs = dirs,
		.data = data.at,
		.flags = FLAG_NODEV | (stack->writable ? 0 : FLAG_RDONLY),
		.reply_fd = theirs,
	};
	for (size_t i = 0; i < stack_len(stack); i++)
		add_dir(job, stack_fd(stack, i));
	if (stack->writable) {
		add_dir(job, stack->spec->upper_fd);
		add_dir(job, stack->spec->work_fd);
	}
	TRY(explain(run_apart(job), stack));
	return receive_mount(ours, ret_fd);
}

/* ---- choosing ---- */

static struct err *mount_by(const struct stack *stack, enum overlay_way way, int *ret_fd,
			    bool *ret_refused)
{
	*ret_refused = false;
	if (way == OVERLAY_BY_STRING)
		return mount_by_string(stack, ret_fd);
	return mount_by_context(stack, way, ret_fd, ret_refused);
}

static struct err *mount_best(const struct stack *stack, int *ret_fd)
{
	static _Atomic int known; /* OVERLAY_BEST until a way has worked */
	int way = atomic_load(&known);
	struct err *err;
	bool refused;

	if (way != OVERLAY_BEST)
		return mount_by(stack, (enum overlay_way)way, ret_fd, &refused);
	for (way = OVERLAY_BY_FD;; way++) {
		err = mount_by(stack, (enum overlay_way)way, ret_fd, &refused);
		if (!err)
			atomic_store(&known, way);
		if (!err || !refused || way == OVERLAY_BY_STRING)
			return err;
		err_free(err); /* the next way may be known to this kernel */
	}
}

/* A view of nothing at all is an empty directory, and that needs no overlay. */
static struct err *mount_nothing(const struct overlay_spec *spec, int *ret_fd)
{
	AUTO(fd) int fd = kernel_clone_mount(spec->skeleton->empty_fd, "");

	if (fd < 0 || kernel_make_private(fd, "", AT_EMPTY_PATH) < 0 ||
	    kernel_mount_setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY) < 0)
		return err_sys("overlay: mount an empty view");
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

/* ---- with other owners ---- */

/* The clones that take the place of the directories. */
struct clones {
	int lower_fds[OVERLAY_LOWER_MAX];
	size_t lower_count;
	int pair_fd; /* -1: none */
	struct skeleton skeleton;
	struct overlay_spec spec; /* of them */
};

static void clones_auto_(struct clones *clones)
{
	for (size_t i = 0; i < clones->lower_count; i++)
		close(clones->lower_fds[i]);
	if (clones->pair_fd >= 0)
		close(clones->pair_fd);
	if (clones->spec.upper_fd >= 0)
		close(clones->spec.upper_fd);
	if (clones->spec.work_fd >= 0)
		close(clones->spec.work_fd);
	skeleton_close(&clones->skeleton);
}

static struct err *clone_pair(const struct overlay_spec *spec, struct clones *clones)
{
	/* the kernel wants them both on one mount */
	TRY(idmap_clone(spec->idmap, spec->pair_fd, &clones->pair_fd));
	clones->spec.upper_fd = openat(clones->pair_fd, "fs", O_PATH | O_DIRECTORY | O_CLOEXEC);
	clones->spec.work_fd = openat(clones->pair_fd, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (clones->spec.upper_fd < 0 || clones->spec.work_fd < 0)
		return err_sys("overlay: open the upper directory");
	return NULL;
}

static struct err *clone_all(const struct overlay_spec *spec, struct clones *clones)
{
	for (size_t i = 0; i < spec->lower_count; i++) {
		TRY(idmap_clone(spec->idmap, spec->lower_fds[i], &clones->lower_fds[i]));
		clones->lower_count++;
	}
	if (spec->skeleton) {
		TRY(idmap_clone(spec->idmap, spec->skeleton->root_fd, &clones->skeleton.root_fd));
		TRY(idmap_clone(spec->idmap, spec->skeleton->empty_fd, &clones->skeleton.empty_fd));
	}
	if (spec->upper_fd > 0)
		TRY(clone_pair(spec, clones));
	return NULL;
}

/* Whoever mounts it makes what it needs in the work directory, and is asked for all that is done
 * in the upper: it has to be somebody whom the clones know. If it is not, the kernel does not
 * fail, but gives us a read-only mount. */
static struct err *mount_mapped(const struct overlay_spec *spec, int *ret_fd)
{
	AUTO(clones)
	struct clones clones = { .pair_fd = -1,
				 .skeleton = SKELETON_INIT,
				 .spec = { .lower_fds = clones.lower_fds,
					   .lower_count = spec->lower_count,
					   .upper_fd = -1,
					   .work_fd = -1,
					   .way = OVERLAY_BY_FD } };
	AUTO(fd) int fd = -1;
	struct statvfs state;
	struct err *err;

	TRY(clone_all(spec, &clones));
	clones.spec.skeleton = spec->skeleton ? &clones.skeleton : NULL;
	TRY(idmap_assume(spec->idmap));
	err = overlay_mount(&clones.spec, &fd);
	idmap_resume();
	TRY(err);
	if (spec->upper_fd > 0 && (fstatvfs(fd, &state) < 0 || state.f_flag & ST_RDONLY))
		return err_new(ERR_UNSUPPORTED, "overlay: layers with other owners cannot be "
						"written to here");
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

struct err *overlay_mount(const struct overlay_spec *spec, int *ret_fd)
{
	struct stack stack = { .spec = spec, .writable = spec->upper_fd > 0, .bottom_fd = -1 };
	bool refused;

	if (spec->lower_count > OVERLAY_LOWER_MAX)
		return err_new(ERR_INVALID, "overlay: %zu layers, %d can be stacked",
			       spec->lower_count, OVERLAY_LOWER_MAX);
	if (spec->idmap)
		return mount_mapped(spec, ret_fd);
	if (stack.writable)
		stack.bottom_fd = spec->skeleton->root_fd;
	else if (spec->lower_count == 1) /* the kernel wants two when there is no upper */
		stack.bottom_fd = spec->skeleton->empty_fd;
	else if (spec->lower_count == 0)
		return mount_nothing(spec, ret_fd);
	if (spec->way == OVERLAY_BEST)
		return mount_best(&stack, ret_fd);
	return mount_by(&stack, spec->way, ret_fd, &refused);
}
