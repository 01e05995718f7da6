/* overlay/network-link.c - a network namespace, and what the kernel is asked about it. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
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
#include "overlay/idmap.h"
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

static struct err *open_netlink(unsigned groups, int flags, int *ret_fd)
{
	const struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_groups = groups };
	AUTO(fd) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
		return err_sys("ask the kernel about networks");
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

static struct err *make_ours(int *ret_fd)
{
	char groups[32];
	AUTO(fd) int fd = -1;
	int len;

	if (unshare(CLONE_NEWNET) < 0)
		return err_sys("make a network namespace");
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys("open a network namespace");
	len = snprintf(groups, sizeof(groups), "0 %" PRIu32, userns_last_group());
	set_sysctls(groups, (size_t)len);
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

/* What a child that shares our memory and descriptors makes of itself. */
struct maker {
	int userns_fd;
	int socket_fd; /* in the new namespace */
	int error;
};

SYSTEM_CALLS_ONLY static int run_maker(void *arg)
{
	static const char groups[] = IDMAP_ALL_GROUPS;
	struct maker *maker = arg;

	if (syscall(SYS_setns, maker->userns_fd, CLONE_NEWUSER) < 0 ||
	    syscall(SYS_unshare, CLONE_NEWNET) < 0) {
		maker->error = errno;
		return 1;
	}
	maker->socket_fd = (int)syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	maker->error = maker->socket_fd < 0 ? errno : 0;
	set_sysctls(groups, sizeof(groups) - 1);
	return 0;
}

/* A namespace belongs to the user namespace of who makes it, and a thread cannot enter one alone. We
 * have power over it all the same: it lies below ours. */
static struct err *make_theirs(int userns_fd, int *ret_fd)
{
	struct maker maker = { .userns_fd = userns_fd, .socket_fd = -1 };
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

	TRY(userns_fd >= 0 ? make_theirs(userns_fd, &link.ns_fd) : make_ours(&link.ns_fd));
	TRY(raise_loopback());
	TRY(open_netlink(RTMGRP_IPV4_ROUTE, SOCK_NONBLOCK, &link.watch_fd));
	TRY(open_netlink(0, 0, &link.ask_fd));
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

/* A request with attributes that are put behind one another. */
struct request {
	struct nlmsghdr head;
	struct tcmsg message;
	char attributes[512];
};

static struct rtattr *add_attribute(struct request *request, unsigned short type, const void *data,
				    size_t len)
{
	struct rtattr *at =
		(struct rtattr *)(void *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));

	at->rta_type = type;
	at->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(at), data, len);
	request->head.nlmsg_len =
		(uint32_t)(NLMSG_ALIGN(request->head.nlmsg_len) + RTA_ALIGN(at->rta_len));
	return at;
}

static void begin(struct request *request, unsigned short type, int index, uint32_t parent)
{
	*request = (struct request){
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg)),
			  .nlmsg_type = type,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
		.message = { .tcm_family = AF_UNSPEC, .tcm_ifindex = index, .tcm_parent = parent },
	};
}

static struct err *ask(const struct link *link, const struct request *request)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char request[1024];
	} answer;
	ssize_t got;

	if (send(link->ask_fd, request, request->head.nlmsg_len, 0) < 0)
		return err_sys("guard the private network");
	do
		got = recv(link->ask_fd, &answer, sizeof(answer), 0);
	while (got < 0 && errno == EINTR);
	if (got < (ssize_t)NLMSG_LENGTH(sizeof(answer.error)) ||
	    answer.head.nlmsg_type != NLMSG_ERROR)
		return err_new(ERR_INTERNAL, "guard the private network: no answer");
	errno = -answer.error.error;
	return errno ? err_sys("guard the private network") : NULL;
}

struct err *link_guard(const struct link *link, int index)
{
	const uint16_t count = ARRAY_SIZE(guard);
	const uint32_t flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct request request;
	struct rtattr *options;

	begin(&request, RTM_NEWQDISC, index, TC_H_CLSACT);
	request.message.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	add_attribute(&request, TCA_KIND, "clsact", sizeof("clsact"));
	TRY(ask(link, &request));

	begin(&request, RTM_NEWTFILTER, index, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));
	request.message.tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL));
	add_attribute(&request, TCA_KIND, "bpf", sizeof("bpf"));
	options = add_attribute(&request, TCA_OPTIONS, NULL, 0);
	add_attribute(&request, TCA_BPF_OPS_LEN, &count, sizeof(count));
	add_attribute(&request, TCA_BPF_OPS, guard, sizeof(guard));
	add_attribute(&request, TCA_BPF_FLAGS, &flags, sizeof(flags));
	options->rta_len =
		(unsigned short)((char *)&request + request.head.nlmsg_len - (char *)options);
	return ask(link, &request);
}
