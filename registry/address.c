/* registry/address.c - see registry/address.h. */

#include "registry/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"

/* An IPv4 address inside an IPv6 one is itself. */
static void unmap(struct address *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (address->len != 16 || memcmp(address->bytes, mapped, sizeof(mapped)) != 0)
		return;
	memmove(address->bytes, address->bytes + sizeof(mapped), 4);
	address->len = 4;
}

struct address address_parse(struct str text)
{
	struct address found = { .len = 0 };
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || (text.len > 0 && memchr(text.at, 0, text.len)))
		return found;
	snprintf(copy, sizeof(copy), "%.*s", STR_ARG(text));
	if (inet_pton(AF_INET, copy, found.bytes) == 1) {
		found.len = 4;
	} else if (inet_pton(AF_INET6, copy, found.bytes) == 1) {
		found.len = 16;
		unmap(&found);
	}
	return found;
}

struct address address_of_socket(const struct sockaddr *end)
{
	struct address found = { .len = 0 };
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	if (end->sa_family == AF_INET) {
		memcpy(&four, end, sizeof(four));
		memcpy(found.bytes, &four.sin_addr, 4);
		found.len = 4;
	} else if (end->sa_family == AF_INET6) {
		memcpy(&six, end, sizeof(six));
		memcpy(found.bytes, &six.sin6_addr, 16);
		found.len = 16;
		unmap(&found);
	}
	return found;
}

/* ---- who can be there ---- */

/* Special addresses and multicast; where two fit, the nearer counts. */
static const struct {
	uint32_t first; /* host byte order */
	unsigned bits;
	enum address_reach reach;
} special[] = {
	{ 0x00000000, 8, ADDRESS_NEAR },     /* this network; 0.0.0.0 connects to this machine */
	{ 0x0a000000, 8, ADDRESS_PRIVATE },  /* private */
	{ 0x64400000, 10, ADDRESS_PRIVATE }, /* shared by carriers */
	{ 0x646464c8, 32, ADDRESS_NEAR },    /* 100.100.100.200: metadata of a cloud */
	{ 0x7f000000, 8, ADDRESS_NEAR },     /* loopback */
	{ 0xa83f8110, 32, ADDRESS_NEAR },    /* 168.63.129.16: another's */
	{ 0xa9fe0000, 16, ADDRESS_NEAR },    /* link-local: metadata of most clouds */
	{ 0xac100000, 12, ADDRESS_PRIVATE }, /* private */
	{ 0xc0000000, 24, ADDRESS_PRIVATE }, /* protocol assignments */
	{ 0xc0a80000, 16, ADDRESS_PRIVATE }, /* private */
	{ 0xc6120000, 15, ADDRESS_PRIVATE }, /* benchmarks */
	{ 0xe0000000, 3, ADDRESS_NEAR },     /* multicast, reserved, broadcast */
};

static enum address_reach reach_of_four(const uint8_t *at)
{
	uint32_t address =
		(uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	enum address_reach reach = ADDRESS_PUBLIC;

	for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
		unsigned shift = 32 - special[i].bits;

		if (address >> shift == special[i].first >> shift && special[i].reach < reach)
			reach = special[i].reach;
	}
	return reach;
}

static enum address_reach reach_of_six(const uint8_t a[16])
{
	static const uint8_t zero[16] = { 0 };
	static const uint8_t translated[12] = { 0x00, 0x64, 0xff, 0x9b }; /* 64:ff9b::/96 */
	static const uint8_t local_translated[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 };
	static const uint8_t metadata[16] = { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 };

	if (memcmp(a, zero, 12) == 0 || memcmp(a, metadata, 16) == 0) /* ::, ::1, ::1.2.3.4 */
		return ADDRESS_NEAR;
	if (memcmp(a, translated, sizeof(translated)) == 0)
		return reach_of_four(a + 12);
	if (a[0] == 0x20 && a[1] == 0x02) /* 6to4 */
		return reach_of_four(a + 2);
	if ((a[0] == 0xfe && (a[1] & 0x80) == 0x80) || a[0] == 0xff) /* link or site, multicast */
		return ADDRESS_NEAR;
	return (a[0] & 0xfe) == 0xfc || /* unique local */
			       memcmp(a, local_translated, sizeof(local_translated)) == 0 ?
		       ADDRESS_PRIVATE :
		       ADDRESS_PUBLIC;
}

enum address_reach address_reach(const struct address *address)
{
	return address->len == 4  ? reach_of_four(address->bytes) :
	       address->len == 16 ? reach_of_six(address->bytes) :
				    ADDRESS_PUBLIC;
}

/* ---- comparing ---- */

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
