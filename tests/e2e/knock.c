/*
 * tests/e2e/knock.c - how a step tries to reach what it should not.
 *
 *	knock to ADDRESS PORT            connect, and print what is said there
 *	knock forge ADDRESS PORT VIA     send the first packet of a connection to ADDRESS, written by
 *	                                 hand, by way of the address VIA
 *	knock frames                     ask for sockets that send frames
 *	knock own [USER]                 what is everybody's right in a network of his own: pings, and
 *	                                 ports below 1024, as USER; without one raw sockets, too
 *
 *	knock unguard                    take the filters off the interface, and change the one in each network
 *	                                 that this one has a number for
 *
 * Linked statically; it is all that is in its image.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		abort();
	return to;
}

static int to(const char *address, const char *port)
{
	const struct sockaddr_in there = address_of(address, port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char said[256];
	ssize_t got;

	if (connect(fd, (const struct sockaddr *)&there, sizeof(there)) < 0) {
		printf("%s: %s\n", address, strerror(errno));
		return 0;
	}
	while ((got = read(fd, said, sizeof(said))) > 0)
		fwrite(said, 1, (size_t)got, stdout);
	return 0;
}

static uint16_t sum(const void *data, size_t len, uint32_t so_far)
{
	const uint8_t *at = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		so_far += (uint32_t)at[i] << 8 | at[i + 1];
	while (so_far >> 16)
		so_far = (so_far & 0xffff) + (so_far >> 16);
	return htons((uint16_t)~so_far);
}

static int forge(const char *address, const char *port, const char *way)
{
	const struct sockaddr_in there = address_of(address, port), via = address_of(way, "0");
	const struct sockaddr_in own = address_of("198.19.255.100", "40000");
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet = {
		.ip = { .version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_TCP,
			.tot_len = htons(sizeof(packet)),
			.saddr = own.sin_addr.s_addr,
			.daddr = there.sin_addr.s_addr },
		.tcp = { .source = own.sin_port,
			 .dest = there.sin_port,
			 .seq = htonl(1),
			 .doff = 5,
			 .syn = 1,
			 .window = htons(65000) },
	};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	packet.ip.check = sum(&packet.ip, sizeof(packet.ip), 0);
	/* of the addresses, the protocol and the length, and what follows */
	packet.tcp.check =
		sum(&packet.ip.saddr, 8 + sizeof(packet.tcp), IPPROTO_TCP + sizeof(packet.tcp));
	if (fd < 0 ||
	    sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&via, sizeof(via)) < 0)
		printf("%s: %s\n", address, strerror(errno));
	return 0;
}

static int frames(void)
{
	static const struct {
		const char *name;
		int family, type;
	} sockets[] = {
		{ "packet", AF_PACKET, SOCK_RAW },
		{ "packet datagrams", AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC },
		{ "old packet", AF_INET, SOCK_PACKET },
		{ "xdp", 44, SOCK_RAW },
	};

	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
		if (socket(sockets[i].family, sockets[i].type, 0) >= 0 || errno != EPERM)
			printf("%s: %s\n", sockets[i].name, strerror(errno));
	return 0;
}

static void ask(const char *what, void *request, size_t len)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[1024];
	} answer = { 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	if (send(fd, request, len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		abort();
	printf("%s: %s\n", what, strerror(-answer.error.error));
	close(fd);
}

static int unguard(void)
{
	struct {
		struct nlmsghdr head;
		struct tcmsg message;
	} filter = {
		.head = { sizeof(filter), RTM_DELQDISC, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		.message = { .tcm_ifindex = (int)if_nametoindex("tap0"),
			     .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
			     .tcm_parent = TC_H_CLSACT },
	};
	struct {
		struct nlmsghdr head;
		struct ifinfomsg message;
		struct rtattr where;
		int number;
	} lower = {
		.head = { sizeof(lower), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		.message = { .ifi_index = 2, .ifi_change = IFF_UP },
		.where = { RTA_LENGTH(sizeof(int)), IFLA_TARGET_NETNSID },
	};

	ask("own", &filter, sizeof(filter));
	for (; lower.number < 3; lower.number++)
		ask("other", &lower, sizeof(lower));
	return 0;
}

static int own(const char *user)
{
	const unsigned id = user ? (unsigned)strtoul(user, NULL, 10) : 0;
	const struct sockaddr_in low = address_of("127.0.0.1", "80");
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (user && (setgid(id) < 0 || setuid(id) < 0))
		perror(user);
	if (bind(fd, (const struct sockaddr *)&low, sizeof(low)) < 0)
		perror("port 80");
	if (socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) < 0)
		perror("ping");
	if (!user && socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0)
		perror("raw socket");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "to") == 0)
		return to(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "forge") == 0)
		return forge(argv[2], argv[3], argv[4]);
	if (argc == 2 && strcmp(argv[1], "frames") == 0)
		return frames();
	if (argc == 2 && strcmp(argv[1], "unguard") == 0)
		return unguard();
	if (argc >= 2 && strcmp(argv[1], "own") == 0)
		return own(argv[2]);
	return 2;
}
