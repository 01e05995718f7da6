/*
 * overlay/helper/step.c - a step from clone to exec: the order of everything.
 *
 * The order is the safety. The step's root is entered first, so no path of an
 * image is ever looked up in another tree; every other descriptor is closed
 * before the working directory is entered, so it cannot lie outside; the
 * filter is loaded before the capabilities that loading needs are dropped.
 */

#include "overlay/helper/helper.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "overlay/furniture-private.h"
#include "overlay/kernel-private.h"

_Static_assert(sizeof(char *) == sizeof(uint64_t), "offsets become pointers in place");

/* Where these are moved, so that all above can be closed. */
#define REPORT_FD 3
#define USERNS_FD 4
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

noreturn static void fail_with(const struct step *step, const struct report *report, int code)
{
	(void)!send(step->report_fd, report, sizeof(*report), MSG_NOSIGNAL);
	_exit(code);
}

noreturn void step_fail(const struct step *step, enum step_stage stage, const char *what)
{
	struct report report = { .kind = REPORT_FAILED, .stage = stage, .error = errno };

	for (size_t i = 0; what && what[i] && i < REPORT_WHAT_SIZE - 1; i++)
		report.what[i] = what[i];
	fail_with(step, &report, 125);
}

void step_report_fd(const struct step *step, enum report_kind kind, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct report report = { .kind = kind };
	struct iovec iov = { .iov_base = &report, .iov_len = sizeof(report) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	if (sendmsg(step->report_fd, &msg, MSG_NOSIGNAL) < 0)
		step_fail(step, kind == REPORT_TTY ? STAGE_TTY : STAGE_SECCOMP, "hand over");
}

/* Turn a list of offsets into one of pointers, NULL at its end. */
static void fix_list(const struct step *step, struct request_span span)
{
	uint64_t *slots = (uint64_t *)(void *)step_text(step, span.at);

	for (uint32_t i = 0; i < span.count; i++)
		slots[i] = (uint64_t)(uintptr_t)step_text(step, (uint32_t)slots[i]);
}

static void map_request(struct step *step)
{
	struct stat st;

	if (fstat(step->file_fd, &st) < 0)
		step_fail(step, STAGE_REQUEST, NULL);
	step->request = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			     step->file_fd, 0);
	if (step->request == MAP_FAILED)
		step_fail(step, STAGE_REQUEST, NULL);
	fix_list(step, step->request->argv);
	fix_list(step, step->request->envp);
	fix_list(step, step->request->cgroups);
	if (step->mount_count != step->request->mounts.count) {
		errno = EPROTO;
		step_fail(step, STAGE_REQUEST, "mounts");
	}
}

static void set_names(const struct step *step)
{
	const char *name = step_text(step, step->request->hostname);
	static const char no_domain[] =
		FURNITURE_DOMAIN; /* the host's is none of the step's business */

	/* A container around us may forbid it, and has a name of its own. */
	if ((sethostname(name, strlen(name)) < 0 ||
	     setdomainname(no_domain, sizeof(no_domain) - 1) < 0) &&
	    errno != EPERM)
		step_fail(step, STAGE_NAME, name);
}

/* Docker's settings for an own network; one that the kernel lacks is left out. */
static void set_sysctl(const struct step *step, const char *path, const char *value)
{
	int fd = openat(step->proc_fd, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, value, strlen(value));
	close(fd);
}

static void bring_up_loopback(const struct step *step)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd;

	if (!(step->request->flags & REQUEST_NEW_NETWORK) || step->network_fd >= 0)
		return; /* not its own, or come with all this */
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		step_fail(step, STAGE_NETWORK, NULL);
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		step_fail(step, STAGE_NETWORK, NULL);
	close(fd);
	set_sysctl(step, "sys/net/ipv4/ping_group_range",
		   step_text(step, step->request->ping_groups));
	set_sysctl(step, "sys/net/ipv4/ip_unprivileged_port_start", "0");
}

/* A session and a session keyring of its own. Where there can be no keyring the filter still
 * keeps the step from every other one. */
static void start_session(void)
{
	setsid(); /* cannot fail: a process just cloned leads no group */
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
}

/* A pipe made by root could not be reopened by the step's user as /dev/stdout. */
static void give_pipe(const struct step *step, int fd)
{
	struct stat st;

	if (step->request->outer_uid != 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		(void)!fchown(fd, step->request->outer_uid, (gid_t)-1);
}

static void connect_stdio(const struct step *step)
{
	int tty = step->request->flags & REQUEST_TTY ? tree_terminal((struct step *)step) : -1;

	for (int i = 0; i < 3; i++) {
		int from = tty >= 0 ? tty : step->stdio[i];

		if (from < 0)
			from = openat(step->root_fd, "dev/null", O_RDWR | O_CLOEXEC);
		if (from < 0 || dup2(from, i) < 0)
			step_fail(step, STAGE_STDIO, NULL);
		if (step->stdio[i] >= 0)
			give_pipe(step, i);
	}
	if (tty >= 0 && ioctl(0, TIOCSCTTY, 0) < 0)
		step_fail(step, STAGE_TTY, "controlling terminal");
}

/* Close everything but stdio, the report socket and the user namespace. Nothing outside can be reached after it. */
static void close_everything(struct step *step)
{
	if (step->report_fd != REPORT_FD && dup3(step->report_fd, REPORT_FD, O_CLOEXEC) < 0)
		step_fail(step, STAGE_STDIO, "report socket");
	step->report_fd = REPORT_FD;
	if (step->userns_fd >= 0) {
		if (step->userns_fd != USERNS_FD && dup3(step->userns_fd, USERNS_FD, O_CLOEXEC) < 0)
			step_fail(step, STAGE_STDIO, "user namespace");
		step->userns_fd = USERNS_FD;
	}
	if (close_range((step->userns_fd >= 0 ? USERNS_FD : REPORT_FD) + 1, ~0U, 0) < 0)
		step_fail(step, STAGE_STDIO, "other descriptors");
	step->root_fd = step->base_fd = step->private_fd = step->proc_fd = step->dev_fd = -1;
}

/* Open `path` as the step sees it. "/" is the step's root by now. */
static int open_inside(const char *path, int flags)
{
	int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (root_fd < 0)
		return -1;
	fd = kernel_openat2(root_fd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	close(root_fd);
	return fd;
}

/* Make the directory `path`, whose parents exist, for the step's user. The text is cut at its
 * last slash and mended again. */
static int make_dir(const struct step *step, char *path)
{
	char *slash = strrchr(path, '/');
	int parent_fd;
	int fd;

	*slash = '\0';
	parent_fd = open_inside(slash == path ? "/" : path, O_PATH | O_DIRECTORY);
	*slash = '/';
	if (parent_fd < 0)
		return -1;
	if (mkdirat(parent_fd, slash + 1, 0755) < 0) {
		close(parent_fd);
		return -1;
	}
	fd = openat(parent_fd, slash + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	close(parent_fd);
	if (fd >= 0 && fchown(fd, step->request->outer_uid, step->request->outer_gid) < 0)
		return -1;
	return fd;
}

/* Open the directory `path`, made with its parents where it is absent. */
static int open_or_make(const struct step *step, char *path)
{
	int fd = open_inside(path, O_PATH | O_DIRECTORY);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	for (char *end = strchr(path + 1, '/');; end = strchr(end + 1, '/')) {
		if (end)
			*end = '\0';
		fd = open_inside(path, O_PATH | O_DIRECTORY);
		if (fd < 0 && errno == ENOENT)
			fd = make_dir(step, path);
		if (!end || fd < 0)
			return fd;
		*end = '/';
		close(fd);
	}
}

static void enter_cwd(const struct step *step)
{
	char *path = step_text(step, step->request->cwd);
	char seen[4096];
	int fd = open_or_make(step, path);

	if (fd < 0 || fchdir(fd) < 0)
		step_fail(step, STAGE_CWD, path);
	close(fd);
	/* The kernel writes "(unreachable)" in front of a directory outside of the root. */
	if (syscall(SYS_getcwd, seen, sizeof(seen)) < 0 && errno != ENAMETOOLONG)
		step_fail(step, STAGE_CWD, path);
	if (seen[0] != '/') {
		errno = EXDEV;
		step_fail(step, STAGE_CWD, path);
	}
}

/* ---- exec ---- */

/* The value of PATH among the step's variables. */
static const char *search_path(char *const *envp)
{
	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return DEFAULT_PATH;
}

/* Write "directory/name" into `buf`; an empty directory is the current one. False if too long. */
static bool join(char buf[static 4096], const char *dir, size_t dir_len, const char *name)
{
	size_t name_len = strlen(name);

	if (dir_len + name_len + 2 > 4096)
		return false;
	if (!dir_len) {
		dir = ".";
		dir_len = 1;
	}
	memcpy(buf, dir, dir_len);
	buf[dir_len] = '/';
	memcpy(buf + dir_len + 1, name, name_len + 1);
	return true;
}

/* What was found on the way to an execution that failed. */
struct attempt {
	int error;  /* the errno that says most */
	bool found; /* the last file that was tried exists */
};

static void try_exec(struct attempt *attempt, const char *path, char *const *argv,
		     char *const *envp)
{
	execve(path, argv, envp);
	if ((errno == ENOENT || errno == ENOTDIR) && faccessat(AT_FDCWD, path, F_OK, 0) != 0) {
		if (!attempt->error)
			attempt->error = ENOENT;
		return;
	}
	attempt->error = errno;
	attempt->found = true;
}

/* As execvpe(3), but a file of no known format is not handed to a shell. */
static void search_and_exec(struct attempt *attempt, char *const *argv, char *const *envp)
{
	const char *path = search_path(envp);
	char file[4096];

	for (;;) {
		size_t len = strcspn(path, ":");

		if (join(file, path, len, argv[0]))
			try_exec(attempt, file, argv, envp);
		/* what cannot be searched or executed may be found further on */
		if (attempt->found && attempt->error != EACCES)
			return;
		if (!path[len])
			return;
		path += len + 1;
	}
}

noreturn static void execute(const struct step *step)
{
	char *const *argv = (char *const *)(void *)step_text(step, step->request->argv.at);
	char *const *envp = (char *const *)(void *)step_text(step, step->request->envp.at);
	struct report report = { .kind = REPORT_FAILED, .stage = STAGE_EXEC };
	struct attempt attempt = { 0 };

	if (strchr(argv[0], '/'))
		try_exec(&attempt, argv[0], argv, envp);
	else if (argv[0][0])
		search_and_exec(&attempt, argv, envp);
	report.error = attempt.error ? attempt.error : ENOENT;
	report.found = attempt.found;
	fail_with(step, &report, report.error == ENOENT ? 127 : 126);
}

/* Before anything else, so that all of it is counted. What the step then sees as the top of the
 * control groups is its own; a namespace made by the clone would have the spawner's. */
static void enter_cgroups(const struct step *step)
{
	for (uint32_t i = 0; i < step->cgroup_count; i++)
		if (write(step->cgroup_fds[i], "0", 1) < 0)
			step_fail(step, STAGE_CGROUP, NULL);
	if (unshare(CLONE_NEWCGROUP) < 0)
		step_fail(step, STAGE_CGROUP, "namespace");
}

/* Before /sys is mounted, which shows the network of who mounts it. */
static void join_network(const struct step *step)
{
	if (step->network_fd >= 0 && setns(step->network_fd, CLONE_NEWNET) < 0)
		step_fail(step, STAGE_JOIN, NULL);
}

noreturn void step_main(struct step *step)
{
	prctl(PR_SET_PDEATHSIG,
	      SIGKILL); /* the process namespace does the same, and cannot be left */
	enter_cgroups(step);
	umask(0);
	map_request(step);
	join_network(step);
	identity_make_files(step);
	tree_enter(step);
	bring_up_loopback(step);
	tree_furnish(step);
	set_names(step);
	start_session();
	connect_stdio(step);
	identity_limits(step);
	umask(FURNITURE_UMASK);
	close_everything(step);
	enter_cwd(step);
	identity_own_limits(step);
	identity_assume(step);
	init_split(step);
	execute(step);
}
