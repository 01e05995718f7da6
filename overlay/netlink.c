/* overlay/netlink.c - see overlay/netlink-private.h. */

#include "overlay/netlink-private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

struct err *netlink_open(unsigned groups, int flags, int *ret_fd)
{
	const struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_groups = groups };
	AUTO(fd) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
		return err_sys("ask the kernel about networks");
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags,
		   const void *message, size_t len)
{
	*request = (struct netlink_request){
		.head = { .nlmsg_len = (uint32_t)NLMSG_LENGTH(len),
			  .nlmsg_type = type,
			  .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags) },
	};
	memcpy(NLMSG_DATA(&request->head), message, len);
}

struct rtattr *netlink_add(struct netlink_request *request, unsigned short type, const void *data,
			   size_t len)
{
	const size_t at_offset = NLMSG_ALIGN(request->head.nlmsg_len);
	struct rtattr *at = (struct rtattr *)(void *)((char *)request + at_offset);

	assert(at_offset + RTA_SPACE(len) <= sizeof(*request));
	at->rta_type = type;
	at->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(at), data, len);
	request->head.nlmsg_len = (uint32_t)(at_offset + RTA_ALIGN(at->rta_len));
	return at;
}

void netlink_close(const struct netlink_request *request, struct rtattr *outer)
{
	outer->rta_len = (unsigned short)((const char *)request + request->head.nlmsg_len -
					  (const char *)outer);
}

struct err *netlink_ask(int fd, const struct netlink_request *request)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char request[sizeof(struct netlink_request)];
	} answer;
	ssize_t got;

	if (send(fd, request, request->head.nlmsg_len, 0) < 0)
		return err_sys("ask the kernel about networks");
	do
		got = recv(fd, &answer, sizeof(answer), 0);
	while (got < 0 && errno == EINTR);
	if (got < (ssize_t)NLMSG_LENGTH(sizeof(answer.error)) ||
	    answer.head.nlmsg_type != NLMSG_ERROR)
		return err_new(ERR_INTERNAL, "ask the kernel about networks: no answer");
	errno = -answer.error.error;
	return errno ? err_sys("change a network") : NULL;
}
