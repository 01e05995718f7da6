/*
 * tests/fuzz/fuzz_publish.c - what -p takes are ports that there are, as many on one side as on the other; what
 * it does not take adds none but those before the ceiling. Written out, each is read as itself.
 */

#include <arpa/inet.h>
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct network_port *port)
{
	AUTO(publish) struct publish again = { 0 };
	struct in_addr address;
	AUTO(mem) char *host = port->host ? xasprintf("%u", port->host) : xstrdup("");
	AUTO(mem)
	char *text = xasprintf("%s%s%s:%u%s", port->address, port->address[0] ? ":" : "", host,
			       port->container, port->udp ? "/udp" : "/tcp");

	assert(port->container > 0);
	assert(!port->address[0] || inet_pton(AF_INET, port->address, &address) == 1);
	assert(!publish_add(&again, text));
	assert(again.len == 1 && memcmp(&again.at[0], port, sizeof(*port)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct publish list = { 0 };
	struct str rest = { (const char *)data, size };

	while (rest.len > 0) {
		AUTO(mem) char *text = str_dup(str_cut(&rest, '\n'));
		const size_t before = list.len;
		AUTO(err) struct err *err = publish_add(&list, text);

		assert(list.len <= PUBLISH_MAX);
		assert(!err || err_kind(err) == ERR_INVALID);
		assert(err ? list.len == before || list.len == PUBLISH_MAX : list.len > before);
		for (size_t i = before; i < list.len; i++) {
			const struct network_port *first = &list.at[before], *port = &list.at[i];

			assert(port->container - first->container == (int)(i - before));
			assert(!first->host || port->host - first->host == (int)(i - before));
			if (i < before + 4)
				check(port);
		}
	}
	publish_release(&list);
	return 0;
}
