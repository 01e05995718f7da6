/*
 * tests/fuzz/fuzz_resolver.c - what the host's resolv.conf says never names a loopback, or anything but
 * an address of IPv4, as a server of a private network; and read again it is the same.
 */

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "overlay/resolver.h"

#define FORWARD "198.19.255.3"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_servers(struct str text)
{
	size_t count = 0;

	while (text.len) {
		struct str line = str_cut(&text, '\n');
		struct in_addr address;

		if (!str_starts(line, "nameserver "))
			continue;
		AUTO(mem) char *server = str_dup((struct str){ line.at + 11, line.len - 11 });

		if (inet_pton(AF_INET, server, &address) != 1 ||
		    ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET ||
		    ntohl(address.s_addr) >> 24 == 0)
			abort();
		count++;
	}
	if (!count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct resolver_wishes nothing;
	AUTO(buf) struct buf once = BUF_INIT((size_t)1024 * 1024);
	AUTO(buf) struct buf twice = BUF_INIT((size_t)1024 * 1024);
	/* who calls it reads no further than a NUL */
	const struct str host = { (const char *)data, strnlen((const char *)data, size) };
	AUTO(err) struct err *err = resolver_in_private(host, &nothing, FORWARD, &once);

	if (err) {
		if (err_kind(err) != ERR_NOT_FOUND)
			abort();
		return 0;
	}
	check_servers(buf_str(&once));
	err = resolver_in_private(buf_str(&once), &nothing, FORWARD, &twice);
	if (err || once.len != twice.len || memcmp(once.at, twice.at, once.len) != 0)
		abort();
	return 0;
}
