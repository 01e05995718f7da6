/* overlay/network-link.c - a network namespace, and what the kernel is asked about it. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/process.h"
#include "base/userns.h"
#include "overlay/netlink-private.h"
#include "overlay/network-private.h"

/* ---- the namespace ---- */

static struct err *raise_loopback(void)
{
	AUTO(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo" };

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return err_sys("find the loopback interface");
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return err_sys("bring up the loopback interface");
	return NULL;
}

/* What the kernel lacks is left out. */
SYSTEM_CALLS_ONLY static void set_sysctl(const char *path, const char *value, size_t len)
{
	const long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	syscall(SYS_write, fd, value, len);
	syscall(SYS_close, fd);
}

/* By somebody in the user namespace that it belongs to: ids are written as they are there. */
SYSTEM_CALLS_ONLY static void set_sysctls(const char *groups, size_t len)
{
	set_sysctl("/proc/sys/net/ipv4/ping_group_range", groups, len);
	set_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", 1);
}

static struct err *make_ours(const char *groups, int *ret_fd)
{
	AUTO(fd) int fd = -1;

	if (unshare(CLONE_NEWNET) < 0)
		return err_sys("make a network namespace");
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys("open a network namespace");
	set_sysctls(groups, strlen(groups));
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

/* What a child that shares our memory and descriptors makes of itself. */
struct maker {
	int userns_fd;
	const char *groups;
	size_t groups_len;
	int socket_fd; /* in the new namespace */
	int error;
};

SYSTEM_CALLS_ONLY static int run_maker(void *arg)
{
	struct maker *maker = arg;

	if (syscall(SYS_setns, maker->userns_fd, CLONE_NEWUSER) < 0 ||
	    syscall(SYS_unshare, CLONE_NEWNET) < 0) {
		maker->error = errno;
		return 1;
	}
	maker->socket_fd = (int)syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	maker->error = maker->socket_fd < 0 ? errno : 0;
	set_sysctls(maker->groups, maker->groups_len);
	return 0;
}

/* A namespace belongs to the user namespace of who makes it, and a thread cannot enter one alone. We
 * have power over it all the same: it lies below ours. */
static struct err *make_theirs(int userns_fd, const char *groups, int *ret_fd)
{
	struct maker maker = { .userns_fd = userns_fd,
			       .groups = groups,
			       .groups_len = strlen(groups),
			       .socket_fd = -1 };
	AUTO(fd) int socket_fd = -1;
	AUTO(fd) int fd = -1;
	pid_t pid;

	/* No exit signal: the program's own waiting must not see this child. */
	TRY(process_borrow(run_maker, &maker, CLONE_FILES, &pid, NULL));
	while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	socket_fd = maker.socket_fd;
	errno = maker.error;
	if (errno)
		return err_sys("make a network namespace");
	fd = ioctl(socket_fd, SIOCGSKNS);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return err_sys("enter a network namespace");
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

static struct err *make_namespace(int userns_fd, struct link *ret)
{
	AUTO(link) struct link link = LINK_INIT;
	char groups[32]; /* all that there are; in a user namespace below ours there are no fewer */

	snprintf(groups, sizeof(groups), "0 %" PRIu32, userns_last_group());
	TRY(userns_fd >= 0 ? make_theirs(userns_fd, groups, &link.ns_fd) :
			     make_ours(groups, &link.ns_fd));
	TRY(raise_loopback());
	TRY(netlink_open(RTMGRP_IPV4_ROUTE, SOCK_NONBLOCK, &link.watch_fd));
	TRY(netlink_open(0, 0, &link.ask_fd));
	*ret = link;
	link = LINK_INIT;
	return NULL;
}

struct making {
	int userns_fd;
	struct link *link;
	struct err *err;
};

static void *make_on_thread(void *arg)
{
	struct making *making = arg;

	making->err = make_namespace(making->userns_fd, making->link);
	return NULL;
}

/* By a thread of its own, which ends there: where we are not root of the host there is no way back. */
struct err *link_open(int userns_fd, struct link *ret)
{
	struct making making = { .userns_fd = userns_fd, .link = ret };
	pthread_t thread;

	errno = pthread_create(&thread, NULL, make_on_thread, &making);
	if (errno)
		return err_sys("start a thread");
	pthread_join(thread, NULL);
	return making.err;
}

void link_close(struct link *link)
{
	if (link->ns_fd >= 0)
		close(link->ns_fd);
	if (link->watch_fd >= 0)
		close(link->watch_fd);
	if (link->ask_fd >= 0)
		close(link->ask_fd);
	*link = LINK_INIT;
}

/* ---- has it come up? ---- */

/* The interface of a message about a route to everywhere; 0: it is about another one. */
static int default_route(const struct nlmsghdr *head)
{
	const struct rtmsg *route = NLMSG_DATA(head);
	int left = (int)RTM_PAYLOAD(head);

	if (head->nlmsg_type != RTM_NEWROUTE || head->nlmsg_len < NLMSG_LENGTH(sizeof(*route)) ||
	    route->rtm_family != AF_INET || route->rtm_dst_len != 0)
		return 0;
	for (const struct rtattr *at = RTM_RTA(route); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		int index;

		if (at->rta_type != RTA_OIF || RTA_PAYLOAD(at) != sizeof(index))
			continue;
		memcpy(&index, RTA_DATA(at), sizeof(index));
		return index;
	}
	return 0;
}

struct err *link_look(const struct link *link, int *ret_index)
{
	_Alignas(struct nlmsghdr) char data[8192];

	for (;;) {
		ssize_t got = recv(link->watch_fd, data, sizeof(data), 0);
		const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)data;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return NULL;
		if (got < 0)
			return err_sys("hear about the private network");
		for (unsigned left = (unsigned)got; NLMSG_OK(head, left);
		     head = NLMSG_NEXT(head, left)) {
			int index = default_route(head);

			if (index > 0)
				*ret_index = index;
		}
	}
}

/* ---- the guard ---- */

#define LOAD_HALF(at) BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at)
#define LOAD_BYTE(at) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at)
#define LOAD_WORD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)

#define TYPE_AT 12    /* of an Ethernet frame */
#define IPV4_TO_AT 30 /* the address that it is for */
#define IPV6_TO_AT 38

/* 127.0.0.0/8, and 0.0.0.0/8, which connects to the own machine; ::/64, where ::1, :: and the addresses
 * of IPv4 in those of IPv6 are. A frame that is too short for an address does not leave either: a load
 * beyond the end says 0, "go on", to the next filter; there is none, but the kernel would drop it. */
static const struct sock_filter guard[] = {
	/* 0 */ LOAD_HALF(TYPE_AT),
	/* 1 */ IF_EQUAL(ETH_P_IP, 2, 0),
	/* 2 */ IF_EQUAL(ETH_P_IPV6, 4, 0),
	/* 3 */ IF_EQUAL(ETH_P_ARP, 7, 8),
	/* 4 */ LOAD_BYTE(IPV4_TO_AT),
	/* 5 */ IF_EQUAL(127, 6, 0),
	/* 6 */ IF_EQUAL(0, 5, 4),
	/* 7 */ LOAD_WORD(IPV6_TO_AT),
	/* 8 */ IF_EQUAL(0, 0, 2),
	/* 9 */ LOAD_WORD(IPV6_TO_AT + 4),
	/* 10 */ IF_EQUAL(0, 1, 0),
	/* 11 */ BPF_STMT(BPF_RET | BPF_K, TC_ACT_OK),
	/* 12 */ BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT),
};

struct err *link_guard(const struct link *link, int index)
{
	const uint16_t count = ARRAY_SIZE(guard);
	const uint32_t flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct tcmsg message = { .tcm_family = AF_UNSPEC,
				 .tcm_ifindex = index,
				 .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
				 .tcm_parent = TC_H_CLSACT };
	struct netlink_request request;
	struct rtattr *options;

	netlink_begin(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &message, sizeof(message));
	netlink_add(&request, TCA_KIND, "clsact", sizeof("clsact"));
	TRY(err_wrap(netlink_ask(link->ask_fd, &request), "guard the private network"));

	message.tcm_handle = 0;
	message.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);
	message.tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL));
	netlink_begin(&request, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &message,
		      sizeof(message));
	netlink_add(&request, TCA_KIND, "bpf", sizeof("bpf"));
	options = netlink_add(&request, TCA_OPTIONS, NULL, 0);
	netlink_add(&request, TCA_BPF_OPS_LEN, &count, sizeof(count));
	netlink_add(&request, TCA_BPF_OPS, guard, sizeof(guard));
	netlink_add(&request, TCA_BPF_FLAGS, &flags, sizeof(flags));
	netlink_close(&request, options);
	return err_wrap(netlink_ask(link->ask_fd, &request), "guard the private network");
}
