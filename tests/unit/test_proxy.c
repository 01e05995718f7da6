/* tests/unit/test_proxy.c - the choice of a proxy, by the rules of Go's httpproxy package. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/str.h"
#include "base/vec.h"
#include "registry/config_paths.h"
#include "registry/proxy.h"

static struct err *find(const char *const *variables, const char *scheme, const char *host,
			const char *port, struct proxy *ret)
{
	AUTO(strings) struct strings environment = { 0 };
	struct config_paths paths = { .root = "" };

	for (; *variables; variables++)
		strings_push(&environment, *variables);
	paths.environment = strings_argv(&environment);
	return proxy_find(&paths, scheme, host, port, ret);
}

/* The URL, or "" for none. */
static void must_be(const char *const *variables, const char *scheme, const char *want)
{
	AUTO(proxy) struct proxy proxy = { 0 };

	assert_ok(find(variables, scheme, "example.com", NULL, &proxy));
	assert_string_equal(proxy.url ? proxy.url : "", want);
}

#define VARIABLES(...) ((const char *const[]){ __VA_ARGS__, NULL })

TEST(each_scheme_has_its_variable_and_capitals_come_first)
{
	must_be(VARIABLES("HTTP_PROXY=p:1"), "http", "http://p:1");
	must_be(VARIABLES("http_proxy=p:1"), "http", "http://p:1");
	must_be(VARIABLES("HTTP_PROXY=p:1"), "https", "");
	must_be(VARIABLES("https_proxy=q", "HTTPS_PROXY=p"), "https", "http://p");
	must_be(VARIABLES("https_proxy=q", "HTTPS_PROXY="), "https", "http://q");
	must_be(VARIABLES("HTTPS_PROXY=p"), "http", "");
	must_be(VARIABLES("ALL_PROXY=p", "all_proxy=p"), "https", "");
	must_be(VARIABLES("HTTPS_PROXYX=p"), "https", "");
}

TEST(a_value_is_a_url_or_a_host)
{
	must_be(VARIABLES("HTTP_PROXY=localhost"), "http", "http://localhost");
	must_be(VARIABLES("HTTP_PROXY=127.0.0.1:8080"), "http", "http://127.0.0.1:8080");
	must_be(VARIABLES("HTTP_PROXY=https://p.example/"), "http", "https://p.example");
	must_be(VARIABLES("HTTP_PROXY=HTTP://p:80/path?x#y"), "http", "http://p:80");
	must_be(VARIABLES("HTTP_PROXY=[2001:db8::1]:3128"), "http", "http://[2001:db8::1]:3128");
	must_be(VARIABLES("HTTP_PROXY=socks5://p:1080"), "http", "socks5h://p:1080");
	must_be(VARIABLES("HTTP_PROXY=socks5h://p"), "http", "socks5h://p");
	must_be(VARIABLES("HTTP_PROXY= p:1 "), "http", "http://p:1");
}

TEST(refuses_what_is_no_proxy_without_showing_it)
{
	static const char *const cases[] = {
		"HTTP_PROXY=foo://secret", "HTTP_PROXY=secret:x",
		"HTTP_PROXY=secret:0",     "HTTP_PROXY=secret:65536",
		"HTTP_PROXY=http://",      "HTTP_PROXY=http://u:secret@",
		"HTTP_PROXY=[secret]:1",   "HTTP_PROXY=u:se%0acret@p",
		"HTTP_PROXY=u:secret%x@p", "HTTP_PROXY=u:secret%@p",
		"HTTP_PROXY=a b secret",   "HTTP_PROXY=u:secret%00@p",
		"HTTP_PROXY=::secret",     "HTTP_PROXY=[1.2.3.4]:1",
		"HTTP_PROXY=secret\x7f",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proxy proxy = { 0 };
		AUTO(err) struct err *err = find(VARIABLES(cases[i]), "http", "h", NULL, &proxy);

		if (err_kind(err) != ERR_INVALID)
			fail_msg("accepted: %s", cases[i]);
		assert_non_null(strstr(err_text(err), "HTTP_PROXY"));
		assert_null(strstr(err_text(err), "secret"));
		assert_null(proxy.url);
	}
}

TEST(user_and_password_are_kept_apart_from_the_url)
{
	static const struct {
		const char *variable, *url, *user, *password;
	} cases[] = {
		{ "HTTPS_PROXY=http://u:p@h:1", "http://h:1", "u", "p" },
		{ "HTTPS_PROXY=u%40x:p%3aq%25@h", "http://h", "u@x", "p:q%" },
		{ "HTTPS_PROXY=u@h", "http://h", "u", "" },
		{ "HTTPS_PROXY=u:a:b@c@h/@d", "http://h", "u", "a:b@c" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(proxy) struct proxy proxy = { 0 };

		assert_ok(find(VARIABLES(cases[i].variable), "https", "x", NULL, &proxy));
		assert_string_equal(proxy.url, cases[i].url);
		assert_string_equal(proxy.user, cases[i].user);
		assert_string_equal(proxy.password, cases[i].password);
	}
}

TEST(a_cgi_program_does_not_believe_http_proxy)
{
	struct proxy proxy = { 0 };

	assert_fails(
		find(VARIABLES("HTTP_PROXY=p", "REQUEST_METHOD=GET"), "http", "h", NULL, &proxy),
		ERR_DENIED);
	must_be(VARIABLES("HTTPS_PROXY=p", "REQUEST_METHOD=GET"), "https", "http://p");
	must_be(VARIABLES("REQUEST_METHOD=GET"), "http", "");
}

static void check_exempt(const char *list, const char *host, const char *port, bool exempt)
{
	AUTO(mem) char *no_proxy = xasprintf("NO_PROXY=%s", list);
	AUTO(proxy) struct proxy proxy = { 0 };

	assert_ok(find(VARIABLES("HTTP_PROXY=p", no_proxy), "http", host, port, &proxy));
	if (!proxy.url != exempt)
		fail_msg("'%s' and %s:%s", list, host, port ? port : "");
}

TEST(this_machine_is_never_behind_a_proxy)
{
	check_exempt("", "localhost", NULL, true);
	check_exempt("", "LOCALHOST", "5000", true);
	check_exempt("", "127.0.0.1", "5000", true);
	check_exempt("", "127.1.2.3", NULL, true);
	check_exempt("", "::1", NULL, true);
	check_exempt("", "[::1]", "5000", true);
	check_exempt("", "::ffff:127.0.0.1", NULL, true);
	check_exempt("", "::2", NULL, false);
	check_exempt("", "localhost.net", NULL, false);
	check_exempt("", "128.0.0.1", NULL, false);
}

TEST(no_proxy_knows_names_addresses_ranges_and_ports)
{
	static const char list[] =
		"foobar.com, .barbaz.net,*.wildcard.io , 192.168.1.1,"
		"192.168.1.2:81, 192.168.1.3:80,10.0.0.0/30, 2001:db8::52:0:1,"
		"[2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, 2002:db8:a::45/64,"
		",:1, /8, 1.2.3.4/33, Port.Example:8080";
	static const struct {
		const char *host, *port;
		bool exempt;
	} cases[] = {
		{ "192.168.1.1", NULL, true },        { "192.168.1.1", "5000", true },
		{ "192.168.1.2", NULL, false },       { "192.168.1.2", "81", true },
		{ "192.168.1.3", NULL, true },        { "192.168.1.4", NULL, false },
		{ "10.0.0.3", NULL, true },           { "10.0.0.4", NULL, false },
		{ "::ffff:10.0.0.3", NULL, true },    { "2001:db8::52:0:1", NULL, true },
		{ "[2001:db8::52:0:1]", NULL, true }, { "2001:DB8:0::52:0:1", NULL, true },
		{ "2001:db8::52:0:2", NULL, false },  { "2001:db8::52:0:2", "443", true },
		{ "2001:db8::52:0:3", NULL, true },   { "2002:db8:a::123", NULL, true },
		{ "2002:db8:b::123", NULL, false },   { "fe80::424b:c8be:1643:a1b6", NULL, false },
		{ "barbaz.net", NULL, false },        { "www.barbaz.net", NULL, true },
		{ "foobar.com", NULL, true },         { "FooBar.com", NULL, true },
		{ "www.foobar.com", NULL, true },     { "foofoobar.com", NULL, false },
		{ "foobar.com.org", NULL, false },    { "barbarbaz.net", NULL, false },
		{ "wildcard.io", NULL, false },       { "a.nested.wildcard.io", NULL, true },
		{ "awildcard.io", NULL, false },      { "port.example", NULL, false },
		{ "port.example", "8080", true },     { "www.port.example", "8080", true },
		{ "1.2.3.4", NULL, false },           { "example.com", NULL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_exempt(list, cases[i].host, cases[i].port, cases[i].exempt);
	check_exempt("*", "example.com", NULL, true);
	check_exempt("a,*", "192.168.1.1", "5000", true);
	check_exempt("0.0.0.0/0", "8.8.8.8", NULL, true);
	check_exempt("0.0.0.0/0", "2001:db8::1", NULL, false);
	check_exempt("::ffff:10.0.0.0/104", "10.9.9.9", NULL, true);
	check_exempt("3.4", "1.2.3.4", NULL, false); /* the end of an address is no domain */
}

TEST(no_proxy_is_read_in_small_letters_too)
{
	must_be(VARIABLES("HTTP_PROXY=p", "no_proxy=example.com"), "http", "");
	must_be(VARIABLES("HTTP_PROXY=p", "no_proxy=example.com", "NO_PROXY=x"), "http",
		"http://p");
	must_be(VARIABLES("HTTPS_PROXY=p", "NO_PROXY=example.com:443"), "https", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_scheme_has_its_variable_and_capitals_come_first),
		cmocka_unit_test(a_value_is_a_url_or_a_host),
		cmocka_unit_test(refuses_what_is_no_proxy_without_showing_it),
		cmocka_unit_test(user_and_password_are_kept_apart_from_the_url),
		cmocka_unit_test(a_cgi_program_does_not_believe_http_proxy),
		cmocka_unit_test(this_machine_is_never_behind_a_proxy),
		cmocka_unit_test(no_proxy_knows_names_addresses_ranges_and_ports),
		cmocka_unit_test(no_proxy_is_read_in_small_letters_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
