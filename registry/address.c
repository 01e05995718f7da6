/* registry/address.c - see registry/address.h. */

#include "registry/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

struct address address_parse(struct str text)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct address found = { .len = 0 };
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || (text.len > 0 && memchr(text.at, 0, text.len)))
		return found;
	snprintf(copy, sizeof(copy), "%.*s", STR_ARG(text));
	if (inet_pton(AF_INET, copy, found.bytes) == 1) {
		found.len = 4;
	} else if (inet_pton(AF_INET6, copy, found.bytes) == 1) {
		found.len = 16;
		if (memcmp(found.bytes, mapped, sizeof(mapped)) == 0) {
			memmove(found.bytes, found.bytes + sizeof(mapped), 4);
			found.len = 4;
		}
	}
	return found;
}

bool address_is_loopback(const struct address *address)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	return (address->len == 4 && address->bytes[0] == 127) ||
	       (address->len == 16 && memcmp(address->bytes, loopback6, 16) == 0);
}

/* Whether the first `bits` bits are equal. */
static bool same_network(const struct address *a, const struct address *b, uint64_t bits)
{
	for (size_t i = 0; i < a->len; i++) {
		uint64_t left = bits > 8 * i ? bits - 8 * i : 0;
		uint8_t mask = (uint8_t)(left >= 8 ? 0xff : 0xff00 >> left);

		if ((a->bytes[i] ^ b->bytes[i]) & mask)
			return false;
	}
	return true;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->len > 0 && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

bool address_in_range(struct str range, const struct address *address, bool *ret_inside)
{
	struct str bits_text = range;
	struct address network = address_parse(str_cut(&bits_text, '/'));
	bool was_mapped = network.len == 4 && memchr(range.at, ':', range.len);
	uint64_t bits = 0;
	AUTO(err) struct err *err = NULL;

	if (!bits_text.at || network.len == 0)
		return false;
	err = num_parse(bits_text, was_mapped ? 96 : 0, was_mapped ? 128 : 8 * network.len, &bits);
	if (err)
		return false;
	*ret_inside = address->len == network.len &&
		      same_network(address, &network, was_mapped ? bits - 96 : bits);
	return true;
}
