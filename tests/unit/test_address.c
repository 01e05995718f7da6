/* tests/unit/test_address.c - addresses and ranges (RFC 4291, RFC 4632). */

#include "tests/unit/unit.h"

#include "registry/address.h"

static bool inside(const char *range, const char *text)
{
	struct address address = address_parse(str_of(text));
	bool ret = false;

	assert_true(address_in_range(str_of(range), &address, &ret));
	return ret;
}

TEST(reads_addresses_and_nothing_else)
{
	static const char *const none[] = { "",          "a",
					    "1.2.3",     "1.2.3.4.5",
					    "1.2.3.256", "01.2.3.4",
					    "[::1]",     "::1%lo",
					    ":::",       "1.2.3.4 ",
					    "0x1.2.3.4", "12345",
					    "::1.2.3",   "1:2:3:4:5:6:7:8:9" };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_int_equal(address_parse(str_of(none[i])).len, 0);
	assert_int_equal(address_parse(STR("1.2.3.4")).len, 4);
	assert_int_equal(address_parse(STR("2001:db8::1")).len, 16);
	assert_int_equal(address_parse(STR("::ffff:1.2.3.4")).len, 4);
	assert_int_equal(address_parse(STR("::1.2.3.4")).len, 16);
}

TEST(equal_addresses_may_be_written_in_many_ways)
{
	struct address four = address_parse(STR("10.0.0.1"));
	struct address mapped = address_parse(STR("::FFFF:a00:1"));
	struct address short6 = address_parse(STR("2001:db8::1"));
	struct address long6 = address_parse(STR("2001:0DB8:0:0:0:0:0:1"));
	struct address none = { .len = 0 };

	assert_true(address_equal(&four, &mapped));
	assert_true(address_equal(&short6, &long6));
	assert_false(address_equal(&four, &short6));
	assert_false(address_equal(&none, &none));
}

TEST(who_can_be_at_an_address)
{
	static const struct {
		const char *text;
		enum address_reach reach;
	} cases[] = {
		{ "1.1.1.1", ADDRESS_PUBLIC },
		{ "2606:4700::1111", ADDRESS_PUBLIC },
		{ "172.32.0.1", ADDRESS_PUBLIC },
		{ "64:ff9b::1.1.1.1", ADDRESS_PUBLIC },
		{ "example.com", ADDRESS_PUBLIC },
		{ "10.255.0.1", ADDRESS_PRIVATE },
		{ "172.31.255.255", ADDRESS_PRIVATE },
		{ "192.168.0.1", ADDRESS_PRIVATE },
		{ "100.64.0.1", ADDRESS_PRIVATE },
		{ "fd00::1", ADDRESS_PRIVATE },
		{ "::ffff:192.168.0.1", ADDRESS_PRIVATE },
		{ "64:ff9b::10.0.0.1", ADDRESS_PRIVATE },
		{ "2002:a00:1::", ADDRESS_PRIVATE },
		{ "127.0.0.1", ADDRESS_NEAR },
		{ "127.8.8.8", ADDRESS_NEAR },
		{ "0.0.0.0", ADDRESS_NEAR },
		{ "::", ADDRESS_NEAR },
		{ "::1", ADDRESS_NEAR },
		{ "::ffff:127.0.0.1", ADDRESS_NEAR },
		{ "169.254.169.254", ADDRESS_NEAR }, /* AWS, GCP, Azure, OpenStack */
		{ "fd00:ec2::254", ADDRESS_NEAR },   /* AWS over IPv6 */
		{ "100.100.100.200", ADDRESS_NEAR }, /* Alibaba */
		{ "168.63.129.16", ADDRESS_NEAR },   /* Azure */
		{ "fe80::1", ADDRESS_NEAR },
		{ "224.0.0.1", ADDRESS_NEAR },
		{ "255.255.255.255", ADDRESS_NEAR },
		{ "ff02::1", ADDRESS_NEAR },
		{ "64:ff9b::169.254.169.254", ADDRESS_NEAR },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address address = address_parse(str_of(cases[i].text));

		if (address_reach(&address) != cases[i].reach)
			fail_msg("%s: %d", cases[i].text, (int)address_reach(&address));
	}
}

TEST(loopback_is_a_whole_network)
{
	static const struct {
		const char *text;
		bool is;
	} cases[] = { { "127.0.0.1", true },  { "127.255.0.9", true }, { "::1", true },
		      { "128.0.0.1", false }, { "::", false },         { "::ffff:127.0.0.1", true },
		      { "0.0.0.0", false },   { "x", false } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address address = address_parse(str_of(cases[i].text));

		assert_int_equal(address_is_loopback(&address), cases[i].is);
	}
}

TEST(ranges_hold_what_shares_their_bits)
{
	assert_true(inside("10.0.0.0/8", "10.255.1.2"));
	assert_false(inside("10.0.0.0/8", "11.0.0.0"));
	assert_true(inside("10.1.2.3/30", "10.1.2.0"));
	assert_false(inside("10.1.2.3/30", "10.1.2.4"));
	assert_true(inside("1.2.3.4/32", "1.2.3.4"));
	assert_false(inside("1.2.3.4/32", "1.2.3.5"));
	assert_true(inside("0.0.0.0/0", "255.1.1.1"));
	assert_false(inside("0.0.0.0/0", "::1"));
	assert_true(inside("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(inside("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(inside("::ffff:10.0.0.0/104", "10.1.1.1"));
	assert_false(inside("10.0.0.0/8", "name"));
}

TEST(what_is_no_range_is_told)
{
	static const char *const cases[] = {
		"",   "10.0.0.0", "10.0.0.0/",          "10.0.0.0/33", "10.0.0.0/x",  "10.0.0.0/-1",
		"/8", "::/129",   "::ffff:10.0.0.0/95", "name/8",      "10.0.0.0/8/8"
	};
	struct address address = address_parse(STR("10.0.0.1"));
	bool ret = false;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_false(address_in_range(str_of(cases[i]), &address, &ret));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_addresses_and_nothing_else),
		cmocka_unit_test(equal_addresses_may_be_written_in_many_ways),
		cmocka_unit_test(who_can_be_at_an_address),
		cmocka_unit_test(loopback_is_a_whole_network),
		cmocka_unit_test(ranges_hold_what_shares_their_bits),
		cmocka_unit_test(what_is_no_range_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
