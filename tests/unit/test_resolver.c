/*
 * tests/unit/test_resolver.c - the resolv.conf of a step.
 */

#include "tests/unit/unit.h"

#include "overlay/resolver.h"

#define FORWARD "198.19.255.3"

static const struct resolver_wishes nothing;

/* The text for a private network; NULL: an error of that kind. */
static char *private_text(const char *host, const struct resolver_wishes *wishes,
			  enum err_kind kind)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	struct err *err = resolver_in_private(str_of(host), wishes, FORWARD, &text);

	if (err) {
		assert_fails(err, kind);
		return NULL;
	}
	return str_dup(buf_str(&text));
}

TEST(in_a_private_network_a_server_on_the_loopback_is_reached_by_way_of_the_forwarder)
{
	static const struct {
		const char *host, *want;
	} cases[] = {
		/* pasta gives each answer of the first server that address as its source */
		{ "nameserver 192.0.2.1\n", "nameserver " FORWARD "\n" },
		{ "nameserver 192.0.2.1\nnameserver 192.0.2.2\n",
		  "nameserver " FORWARD "\nnameserver 192.0.2.2\n" },
		{ "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch one.test two.test\n",
		  "nameserver " FORWARD "\noptions edns0 trust-ad\nsearch one.test two.test\n" },
		{ "  nameserver\t127.0.0.1 # a comment\r\n", "nameserver " FORWARD "\n" },
		{ "nameserver 0.0.0.0", "nameserver " FORWARD "\n" },
		{ "nameserver 192.0.2.1\nnameserver 127.0.0.1\nnameserver 192.0.2.2\n",
		  "nameserver " FORWARD "\nnameserver " FORWARD "\nnameserver 192.0.2.2\n" },
		{ "nameserver 2001:db8::1\nnameserver ::1\nnameserver 192.0.2.1\n",
		  "nameserver " FORWARD "\n" },
		{ "; nameserver 192.0.2.9\n#nameserver 192.0.2.8\nnameservers 192.0.2.7\n"
		  "domain here.test\nsortlist 192.0.2.0/24\nnameserver 192.0.2.1\nnonsense\n",
		  "domain here.test\nsortlist 192.0.2.0/24\nnameserver " FORWARD "\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = private_text(cases[i].host, &nothing, ERR_NONE);

		assert_non_null(text);
		assert_string_equal(text, cases[i].want);
	}
}

TEST(no_server_is_made_up)
{
	static const char *const hosts[] = {
		"",
		"search here.test\n",
		"nameserver\n",
		"nameserver 2001:db8::1\nnameserver fe80::1%eth0\n",
		"# nameserver 192.0.2.1\n",
		"nameserver 192.0.2\nnameserver resolver.test\n",
		"options nameserver 192.0.2.1\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		assert_null(private_text(hosts[i], &nothing, ERR_NOT_FOUND));
}

TEST(what_is_wished_for_takes_the_place_of_what_the_host_says)
{
	static const char *const servers[] = { "192.0.2.8", "2001:db8::8", NULL };
	static const char *const searches[] = { "one.test", "two.test", NULL };
	static const char *const nowhere[] = { ".", NULL };
	static const char *const options[] = { "ndots:2", "rotate", NULL };
	static const char host[] = "nameserver 127.0.0.1\nsearch here.test\noptions edns0\n";
	static const struct {
		struct resolver_wishes wishes;
		const char *want;
	} cases[] = {
		{ { .servers = servers },
		  "search here.test\noptions edns0\nnameserver 192.0.2.8\nnameserver 2001:db8::8\n" },
		{ { .searches = searches },
		  "nameserver " FORWARD "\noptions edns0\nsearch one.test two.test\n" },
		{ { .searches = nowhere }, "nameserver " FORWARD "\noptions edns0\n" },
		{ { .options = options },
		  "nameserver " FORWARD "\nsearch here.test\noptions ndots:2 rotate\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = private_text(host, &cases[i].wishes, ERR_NONE);

		assert_non_null(text);
		assert_string_equal(text, cases[i].want);
	}
}

TEST(a_wished_server_on_the_loopback_is_refused_in_a_private_network)
{
	static const char *const lists[][2] = {
		{ "127.0.0.1" }, { "127.1.2.3" }, { "0.0.0.0" }, { "::1" }, { "::" }
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		assert_null(private_text("nameserver 192.0.2.1\n",
					 &(struct resolver_wishes){ .servers = lists[i] },
					 ERR_INVALID));
}

TEST(on_the_hosts_network_the_hosts_file_stays_as_it_is)
{
	static const char host[] = "# ours\nnameserver 127.0.0.53\n\nnameserver ::1\nnonsense";
	static const char *const servers[] = { "127.0.0.9", NULL };
	AUTO(buf) struct buf same = BUF_INIT(4096);
	AUTO(buf) struct buf other = BUF_INIT(4096);

	resolver_on_host(str_of(host), &nothing, &same);
	assert_true(str_is(buf_str(&same), host));
	resolver_on_host(str_of(host), &(struct resolver_wishes){ .servers = servers }, &other);
	assert_true(str_is(buf_str(&other), "nameserver 127.0.0.9\n"));
}

TEST(an_address_is_one_of_ipv4_or_ipv6)
{
	static const char *const good[] = { "192.0.2.1", "::1", "2001:db8::1" };
	static const char *const bad[] = { "", "192.0.2", "192.0.2.1 ", "host", "fe80::1%eth0" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(resolver_is_address(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(resolver_is_address(bad[i]));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			in_a_private_network_a_server_on_the_loopback_is_reached_by_way_of_the_forwarder),
		cmocka_unit_test(no_server_is_made_up),
		cmocka_unit_test(what_is_wished_for_takes_the_place_of_what_the_host_says),
		cmocka_unit_test(a_wished_server_on_the_loopback_is_refused_in_a_private_network),
		cmocka_unit_test(on_the_hosts_network_the_hosts_file_stays_as_it_is),
		cmocka_unit_test(an_address_is_one_of_ipv4_or_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
