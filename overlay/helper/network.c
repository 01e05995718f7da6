/*
 * overlay/helper/network.c - an empty network of a user namespace.
 *
 * A network namespace belongs to the user namespace of the process that makes it, and root of that
 * one alone may open raw sockets in it. A step enters its user namespace last of all, when /sys must
 * show the network already. So a child of the spawner goes there first, makes the network, and is gone:
 * what remains is a descriptor, which it has put into the table that both share.
 */

#include "overlay/helper/helper.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "overlay/idmap.h"
#include "overlay/kernel-private.h"

/* By who is in the user namespace: ids are written as they are there. What the kernel lacks is left out. */
static void set_sysctl(int proc_fd, const char *path, const char *value)
{
	int fd = openat(proc_fd, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, value, strlen(value));
	close(fd);
}

/* A socket of where we are at `place_fd`, which is the parent's to close; no other descriptor is left. */
static int put_socket(int place_fd)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return errno;
	error = dup3(fd, place_fd, O_CLOEXEC) < 0 ? errno : 0;
	close(fd);
	return error;
}

/* The child: 0, or errno. */
static int make(int userns_fd, int proc_fd, int place_fd)
{
	struct ifreq request = { .ifr_name = "lo" };
	int error;

	if (setns(userns_fd, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNET) < 0)
		return errno;
	error = put_socket(place_fd);
	if (error)
		return error;
	if (ioctl(place_fd, SIOCGIFFLAGS, &request) < 0)
		return errno;
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	if (ioctl(place_fd, SIOCSIFFLAGS, &request) < 0)
		return errno;
	set_sysctl(proc_fd, "sys/net/ipv4/ping_group_range", IDMAP_ALL_GROUPS);
	set_sysctl(proc_fd, "sys/net/ipv4/ip_unprivileged_port_start", "0");
	return 0;
}

/* A /proc that is mounted nowhere: its sysctls are those of who looks at it. Made once. */
static int own_proc(void)
{
	static int proc_fd = -1;
	int fs_fd;

	if (proc_fd >= 0)
		return proc_fd;
	fs_fd = kernel_fsopen("proc");
	if (fs_fd >= 0 && kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		proc_fd = kernel_fsmount(fs_fd,
					 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fs_fd >= 0)
		close(fs_fd);
	return proc_fd;
}

int network_make(int userns_fd)
{
	struct clone_args args = { .flags = CLONE_FILES | CLONE_VFORK, .exit_signal = SIGCHLD };
	const int proc_fd = own_proc();
	const int place_fd =
		fcntl(userns_fd, F_DUPFD_CLOEXEC, 0); /* the child puts a socket there */
	int fd, status = 0;
	long pid;

	if (place_fd < 0)
		return -1;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(make(userns_fd, proc_fd, place_fd));
	if (pid > 0) {
		while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
			;
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
	}
	fd = pid > 0 && !errno ? ioctl(place_fd, SIOCGSKNS) : -1;
	close(place_fd);
	return fd;
}
