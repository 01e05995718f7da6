/*
 * tests/e2e/probes.c - what a process can reach, asked from inside.
 *
 *     probes FILE PID SHM ABSTRACT PORT
 *
 * The arguments are things of the machine outside: a file, a process, a segment of shared memory,
 * an abstract socket on which somebody listens, a TCP port of the loopback. Each line of the output
 * is the name of a probe and what came of it: `open`, the name of an errno, or a word.
 *
 * Some probes would change the machine if they succeeded on it: mounts, names, devices. They are made
 * by a first process alone, which has a process namespace of its own; all other calls that could do
 * harm are given arguments with which they fail later.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* One line: what `result`, a system call's, means. A descriptor that it gave is closed. */
static void said(const char *name, long result)
{
	printf("%s %s\n", name, result < 0 ? strerrorname_np(errno) : "open");
	fflush(stdout); /* before somebody forks */
}

static void word(const char *name, const char *text)
{
	printf("%s %s\n", name, text);
	fflush(stdout);
}

static void number(const char *name, long value)
{
	printf("%s %ld\n", name, value);
	fflush(stdout);
}

static void opened(const char *name, const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	said(name, fd);
	if (fd >= 0)
		close(fd);
}

/* ---- files ---- */

static void probe_files(const char *file)
{
	static const char *const ways[] = { "", "/proc/1/root", "/proc/self/root/../..",
					    "/proc/self/cwd/../../../../../.." };
	struct {
		struct file_handle handle;
		unsigned char bytes[MAX_HANDLE_SZ];
	} handle = { .handle.handle_bytes = MAX_HANDLE_SZ };
	char path[8192], cwd[4096];
	int mount_id;
	long others = 0;

	for (size_t i = 0; i < COUNT(ways); i++) {
		snprintf(path, sizeof(path), "%s%s", ways[i], file);
		opened("host-file", path, O_RDONLY);
	}
	word("cwd", getcwd(cwd, sizeof(cwd)) && cwd[0] == '/' ? "inside" : "outside");
	for (int fd = 3; fd < 1024; fd++)
		others += fcntl(fd, F_GETFD) >= 0;
	number("descriptors", others);
	name_to_handle_at(AT_FDCWD, "/", &handle.handle, &mount_id, 0);
	said("open_by_handle_at", open_by_handle_at(AT_FDCWD, &handle.handle, O_RDONLY));
	snprintf(path, sizeof(path), "/proc/1/root/proc/1/cwd%s", file);
	said("through-links", access(path, F_OK));
}

/* ---- processes ---- */

static void probe_processes(pid_t pid)
{
	char byte, path[64];
	struct iovec own = { &byte, 1 }, theirs = { (void *)0x400000, 1 };
	struct rlimit limit;
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	long seen = 0;

	while (proc && (entry = readdir(proc)))
		seen += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	word("processes", seen <= 3 ? "own" : "others");
	said("kill", kill(pid, 0));
	said("ptrace", ptrace(PTRACE_SEIZE, pid, 0, 0)); /* it goes on, and is free when we end */
	said("process_vm_readv", process_vm_readv(pid, &own, 1, &theirs, 1, 0));
	said("pidfd_open", syscall(SYS_pidfd_open, pid, 0));
	said("prlimit", prlimit(pid, RLIMIT_NOFILE, NULL, &limit));
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	opened("proc-root", path, O_RDONLY);
}

/* ---- keys and shared memory ---- */

static void probe_keys(void)
{
	said("add_key", syscall(SYS_add_key, "user", "probe", "x", 1, -2 /* of this process */));
	said("request_key", syscall(SYS_request_key, "user", "nothing", NULL, 0));
	said("keyctl", syscall(SYS_keyctl, 0 /* the id of */, -4 /* the user's keyring */, 0));
}

static void probe_shared_memory(int shm)
{
	struct shmid_ds ds;

	said("shm", shmctl(shm, IPC_STAT, &ds));
}

/* ---- devices ---- */

static void probe_devices(void)
{
	static const char *const nodes[] = {
		"mem",  "kmsg",         "port",    "sda",  "vda",     "nvme0n1",        "kvm",
		"fuse", "loop-control", "net/tun", "tty0", "console", "mapper/control", "vhost-net"
	};
	static const struct {
		const char *name;
		mode_t type;
		unsigned major, minor;
	} made[] = {
		{ "mknod-null", S_IFCHR, 1, 3 },   { "mknod-mem", S_IFCHR, 1, 1 },
		{ "mknod-kmsg", S_IFCHR, 1, 11 },  { "mknod-disk", S_IFBLK, 7, 0 },
		{ "mknod-tun", S_IFCHR, 10, 200 },
	};
	char path[64];
	long found = 0;

	for (size_t i = 0; i < COUNT(nodes); i++) {
		snprintf(path, sizeof(path), "/dev/%s", nodes[i]);
		found += open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY) >= 0;
	}
	number("devices", found);
	for (size_t i = 0; i < COUNT(made); i++) {
		unlink("/tmp/node");
		if (mknod("/tmp/node", made[i].type | 0666, makedev(made[i].major, made[i].minor)))
			said(made[i].name, -1);
		else
			opened(made[i].name, "/tmp/node", O_RDWR);
	}
	unlink("/tmp/node");
	said("TIOCSTI", ioctl(STDIN_FILENO, TIOCSTI, "x"));
	opened("tty", "/dev/tty", O_RDWR);
}

/* ---- mounts and namespaces ---- */

/* Whether any mount at or below `path` can be written to. */
static void probe_writable(const char *name, const char *path)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[8192], point[4096], options[1024];
	const char *what = "read-only";

	while (mounts && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*d %*d %*s %*s %4095s %1023s", point, options) == 2 &&
		    strncmp(point, path, strlen(path)) == 0 && strncmp(options, "rw", 2) == 0)
			what = "writable";
	word(name, what);
}

static void probe_mounts(void)
{
	static const struct {
		const char *name;
		int flag;
	} spaces[] = {
		{ "unshare-user", CLONE_NEWUSER },     { "unshare-mnt", CLONE_NEWNS },
		{ "unshare-net", CLONE_NEWNET },       { "unshare-pid", CLONE_NEWPID },
		{ "unshare-uts", CLONE_NEWUTS },       { "unshare-ipc", CLONE_NEWIPC },
		{ "unshare-cgroup", CLONE_NEWCGROUP }, { "unshare-time", 0x80 },
	};
	unsigned char args[88] = { 0 };
	long child;

	said("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
	said("remount", mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
	said("umount", umount2("/proc/sys", MNT_DETACH));
	said("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
	said("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* a clone */));
	said("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/proc", AT_FDCWD, "/tmp", 0));
	said("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, args, 32));
	said("pivot_root", syscall(SYS_pivot_root, "/", "/tmp"));
	said("setns", setns(open("/proc/self/ns/net", O_RDONLY), 0));
	for (size_t i = 0; i < COUNT(spaces); i++) {
		child = fork();
		if (child == 0) {
			said(spaces[i].name, unshare(spaces[i].flag));
			_exit(0);
		}
		waitpid((pid_t)child, NULL, 0);
	}
	child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(0);
	said("clone-user", child);
	errno = 0;
	child = syscall(SYS_clone3, args, sizeof(args)); /* without a signal of its end */
	if (child == 0)
		_exit(0);
	said("clone3", child);
	probe_writable("mounts-of-sys", "/sys");
	probe_writable("mounts-of-proc-sys", "/proc/sys");
}

/* ---- what the kernel offers ---- */

static void probe_calls(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr) };
	struct timespec never = { .tv_nsec = -1 };
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct all[2] = { { ~0U, ~0U, 0 }, { ~0U, ~0U, 0 } };
	struct rlimit limit = { 1 << 30, 1 << 30 };
	unsigned char zeros[128] = { 0 };

	said("bpf", syscall(SYS_bpf, 0, zeros, sizeof(zeros)));
	said("perf_event_open", syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0));
	said("userfaultfd", syscall(SYS_userfaultfd, 0));
	said("io_uring_setup", syscall(SYS_io_uring_setup, 1, zeros));
	said("kexec_load", syscall(SYS_kexec_load, 0, 17, NULL, 0));
	said("kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0, "", 0));
	said("init_module", syscall(SYS_init_module, NULL, 0, ""));
	said("finit_module", syscall(SYS_finit_module, -1, "", 0));
	said("delete_module", syscall(SYS_delete_module, "no such module", O_NONBLOCK));
	said("acct", syscall(SYS_acct, "/nowhere"));
	said("swapon", syscall(SYS_swapon, "/nowhere", 0));
	said("quotactl", syscall(SYS_quotactl, 0x80000300 /* a user's */, "/nowhere", 0, NULL));
	said("reboot", syscall(SYS_reboot, 0, 0, 0, NULL)); /* not the magic numbers */
	said("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, &never));
	said("syslog", syscall(SYS_syslog, 10 /* the size */, NULL, 0));
	said("sethostname", sethostname("probe", 5));
	said("fanotify_init", syscall(SYS_fanotify_init, 0, 0));
#ifdef __x86_64__
	said("iopl", iopl(3));
	said("ioperm", ioperm(0x80, 1, 1));
#endif
	said("capset", syscall(SYS_capset, &head, all));
	said("raise-limit", setrlimit(RLIMIT_NOFILE, &limit));
}

/* ---- sockets ---- */

#ifdef __x86_64__
static long call_32(long number, long first, long second)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second)
			 : "memory", "r8", "r9", "r10", "r11");
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}
#endif

static void probe_sockets(void)
{
	said("AF_ALG", socket(38, SOCK_SEQPACKET, 0));
	said("AF_VSOCK", socket(40, SOCK_STREAM, 0));
#ifdef __x86_64__
	unsigned *args = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	args[0] = 38;
	args[1] = SOCK_SEQPACKET;
	args[2] = 0;
	said("AF_ALG-i386", call_32(359, 38, SOCK_SEQPACKET));
	said("AF_ALG-socketcall", call_32(102, 1, (long)args));
	said("AF_ALG-x32", syscall(0x40000000 + SYS_socket, 38, SOCK_SEQPACKET, 0));
	said("unshare-i386", call_32(310, CLONE_NEWUSER, 0));
#endif
}

static void probe_connections(const char *abstract, int port)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	size_t len = strlen(abstract);

	memcpy(un.sun_path + 1, abstract, len);
	said("abstract-socket",
	     connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&un,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)));
	inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
	said("loopback",
	     connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&in, sizeof(in)));
}

/* ---- /proc and /sys ---- */

static void probe_kernel_files(void)
{
	static const char *const written[] = {
		"/proc/sys/kernel/core_pattern",  "/proc/sys/kernel/modprobe",
		"/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger",
		"/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper",
		"/sys/kernel/mm/ksm/run",         "/sys/power/state",
		"/sys/fs/cgroup/cgroup.procs",    "/sys/fs/cgroup/release_agent",
		"/sys/kernel/security/lsm",       "/proc/fs/nfsd/threads",
	};
	static const char *const read_from[] = {
		"/proc/kcore",       "/proc/keys",        "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/interrupts",
	};
	static const char *const listed[] = {
		"/proc/acpi",
		"/proc/scsi",
		"/proc/asound",
		"/sys/firmware",
		"/sys/devices/virtual/powercap",
		"/sys/devices/system/cpu/cpu0/thermal_throttle",
	};
	char byte;

	for (size_t i = 0; i < COUNT(written); i++) {
		int fd = open(written[i], O_WRONLY | O_CLOEXEC);

		printf("write:%s %s\n", written[i], fd < 0 ? strerrorname_np(errno) : "open");
		close(fd);
	}
	for (size_t i = 0; i < COUNT(read_from); i++) {
		int fd = open(read_from[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		printf("read:%s %s\n", read_from[i],
		       fd >= 0 && read(fd, &byte, 1) > 0 ? "open" : "empty");
		close(fd);
	}
	for (size_t i = 0; i < COUNT(listed); i++) {
		DIR *dir = opendir(listed[i]);
		long entries = 0;

		while (dir && readdir(dir))
			entries++;
		printf("list:%s %s\n", listed[i], entries > 2 ? "open" : "empty");
	}
	fflush(stdout);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	said("oom_score_adj", write(fd, "-1000", 5));
}

static void show_namespaces(void)
{
	static const char *const names[] = { "mnt", "pid", "ipc", "uts", "net", "cgroup", "user" };
	char path[64], target[64];

	for (size_t i = 0; i < COUNT(names); i++) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		len = readlink(path, target, sizeof(target) - 1);
		target[len < 0 ? 0 : len] = '\0';
		printf("namespace:%s %s\n", names[i], target);
	}
}

static void show_status(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256], name[64], value[128];

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "%63[A-Za-z_]: %127s", name, value) == 2 &&
		    (strncmp(name, "Cap", 3) == 0 || strcmp(name, "Seccomp") == 0))
			printf("status:%s %s\n", name, value);
	if (status)
		fclose(status);
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	probe_files(argv[1]);
	probe_processes(atoi(argv[2]));
	probe_shared_memory(atoi(argv[3]));
	probe_connections(argv[4], atoi(argv[5]));
	if (getpid() != 1)
		return 0;
	show_status();
	show_namespaces();
	probe_kernel_files();
	probe_keys();
	probe_devices();
	probe_calls();
	probe_sockets();
	probe_mounts();
	return 0;
}
