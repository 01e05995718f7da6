/*
 * overlay/network-wall.c - a private network for steps that may administer it.
 *
 * With CAP_NET_ADMIN a step could take the guard off the interface. So the interface, with its guard and
 * the program that carries it, is in another network namespace, of a user namespace in which the step is
 * nobody; and the step has one that leads there (macvlan). All that it sends leaves by the one with the
 * guard, whatever it does to its own: filters of an interface below are run for each frame. An identifier of
 * the other namespace, which the kernel tells, is of no use without rights there.
 */

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "overlay/netlink-private.h"
#include "overlay/network-private.h"

#define INDEX 100 /* of a fresh namespace, in which the kernel has put a few at most */
#define PREFIX 24 /* of NETWORK_CIDR */

static struct in_addr address_of(const char *text)
{
	struct in_addr address = { 0 };

	inet_pton(AF_INET, text, &address);
	return address;
}

/* Its name is free in both namespaces; the steps' own comes when it is there. */
static struct err *make_door(const struct link *outer, int index, const struct link *inner)
{
	static const char name[] = "door", kind[] = "macvlan";
	const struct ifinfomsg message = { .ifi_family = AF_UNSPEC, .ifi_index = INDEX };
	const uint32_t mode = MACVLAN_MODE_PASSTHRU; /* the one interface, with one address */
	struct netlink_request request;
	struct rtattr *info, *data;

	netlink_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &message, sizeof(message));
	netlink_add(&request, IFLA_IFNAME, name, sizeof(name));
	netlink_add(&request, IFLA_LINK, &index, sizeof(index));
	netlink_add(&request, IFLA_NET_NS_FD, &inner->ns_fd, sizeof(inner->ns_fd));
	info = netlink_add(&request, IFLA_LINKINFO, NULL, 0);
	netlink_add(&request, IFLA_INFO_KIND, kind, sizeof(kind) - 1);
	data = netlink_add(&request, IFLA_INFO_DATA, NULL, 0);
	netlink_add(&request, IFLA_MACVLAN_MODE, &mode, sizeof(mode));
	netlink_close(&request, data);
	netlink_close(&request, info);
	return netlink_ask(outer->ask_fd, &request);
}

static struct err *change_address(const struct link *link, uint16_t type, int index)
{
	const struct in_addr address = address_of(NETWORK_ADDRESS);
	const struct ifaddrmsg message = { .ifa_family = AF_INET,
					   .ifa_prefixlen = PREFIX,
					   .ifa_index = (unsigned)index };
	struct netlink_request request;

	netlink_begin(&request, type, type == RTM_NEWADDR ? NLM_F_CREATE : 0, &message,
		      sizeof(message));
	netlink_add(&request, IFA_LOCAL, &address, sizeof(address));
	netlink_add(&request, IFA_ADDRESS, &address, sizeof(address));
	return netlink_ask(link->ask_fd, &request);
}

static struct err *raise_door(const struct link *inner)
{
	static const char name[] = NETWORK_INTERFACE;
	struct ifinfomsg message = { .ifi_family = AF_UNSPEC, .ifi_index = INDEX };
	struct netlink_request request;

	netlink_begin(&request, RTM_NEWLINK, 0, &message, sizeof(message));
	netlink_add(&request, IFLA_IFNAME, name, sizeof(name));
	TRY(netlink_ask(inner->ask_fd, &request));
	message.ifi_flags = message.ifi_change = IFF_UP;
	netlink_begin(&request, RTM_NEWLINK, 0, &message, sizeof(message));
	return netlink_ask(inner->ask_fd, &request);
}

static struct err *add_route(const struct link *inner)
{
	const struct in_addr gateway = address_of(NETWORK_GATEWAY);
	const struct rtmsg message = { .rtm_family = AF_INET,
				       .rtm_table = RT_TABLE_MAIN,
				       .rtm_protocol = RTPROT_BOOT,
				       .rtm_scope = RT_SCOPE_UNIVERSE,
				       .rtm_type = RTN_UNICAST };
	const int index = INDEX;
	struct netlink_request request;

	netlink_begin(&request, RTM_NEWROUTE, NLM_F_CREATE, &message, sizeof(message));
	netlink_add(&request, RTA_GATEWAY, &gateway, sizeof(gateway));
	netlink_add(&request, RTA_OIF, &index, sizeof(index));
	return netlink_ask(inner->ask_fd, &request);
}

struct err *link_wall(const struct link *outer, int index, const struct link *inner)
{
	TRY(err_wrap(make_door(outer, index, inner), "an interface of the kind macvlan"));
	/* Who answers for the address is the step alone. */
	TRY(err_wrap(change_address(outer, RTM_DELADDR, index), "move the address"));
	TRY(err_wrap(raise_door(inner), "raise the interface"));
	TRY(err_wrap(change_address(inner, RTM_NEWADDR, INDEX), "set the address"));
	return err_wrap(add_route(inner), "set the route");
}
