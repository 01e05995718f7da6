/* tests/unit/test_url.c - URLs as servers send them, kind and unkind. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "registry/url.h"

TEST(takes_urls_apart)
{
	static const struct {
		const char *text, *host;
		unsigned port;
		bool is_https;
		const char *authority;
	} cases[] = {
		{ "https://registry.example.com/v2/", "registry.example.com", 443, true,
		  "registry.example.com" },
		{ "HTTPS://Registry.Example.COM/v2/", "registry.example.com", 443, true,
		  "registry.example.com" },
		{ "http://localhost:5000/v2/", "localhost", 5000, false, "localhost:5000" },
		{ "http://a.example:80/", "a.example", 80, false, "a.example" },
		{ "https://a.example:80/", "a.example", 80, true, "a.example:80" },
		{ "https://[2001:DB8:0::1]:5000/x", "2001:db8::1", 5000, true,
		  "[2001:db8::1]:5000" },
		{ "https://[::1]/", "::1", 443, true, "[::1]" },
		{ "http://0x7f.1/", "127.0.0.1", 80, false, "127.0.0.1" },
		{ "http://2130706433/", "127.0.0.1", 80, false, "127.0.0.1" },
		{ "http://0177.0.0.01:8/", "127.0.0.1", 8, false, "127.0.0.1:8" },
		{ "https://a.example?x=1", "a.example", 443, true, "a.example" },
		/* what follows an @ in path or query is neither user nor host */
		{ "https://a.example/?@b.example", "a.example", 443, true, "a.example" },
		{ "https://a.example/x@b.example", "a.example", 443, true, "a.example" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(url) struct url *url = NULL;
		AUTO(mem) char *authority = NULL;

		assert_ok(url_parse(cases[i].text, &url));
		authority = url_authority(url);
		assert_string_equal(url->host, cases[i].host);
		assert_int_equal(url->port, cases[i].port);
		assert_int_equal(url->is_https, cases[i].is_https);
		assert_string_equal(authority, cases[i].authority);
	}
}

TEST(leaves_path_and_query_as_they_are)
{
	static const char *const cases[] = {
		"https://a.example/v2/x/blobs/uploads/1?_state=AbC%2B%3d%3D&x==&&y",
		"https://a.example/a%2fb%2Fc%20d/e+f/~g",
		"https://a.example/?X-Amz-Signature=0f%2F&X-Amz-Date=2026",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(url) struct url *url = NULL;

		assert_ok(url_parse(cases[i], &url));
		assert_string_equal(url->text, cases[i]);
	}
}

TEST(refuses_what_is_no_place_for_images)
{
	static const char *const cases[] = {
		"",
		"/v2/",
		"//a.example/",
		"a.example/v2/",
		"https:a.example",
		"https:/a.example",
		"https://",
		"https:///path",
		"https://?x",
		"https://:5000/",
		"ftp://a.example/",
		"file:///etc/passwd",
		"gopher://a.example:70/_x",
		"javascript://a.example/",
		"https://user@a.example/",
		"https://user:secret@a.example/",
		"https://a.example@b.example/",
		"https://@a.example/",
		"https://a.example\\@b.example/",
		"https://a.example:0/",
		"https://a.example:65536/",
		"https://a.example:80x/",
		"https://a.example:-1/",
		"https://a.example/with blank",
		"https://a.example/\r\nX-Evil: 1",
		"https://a.example/\t",
		" https://a.example/",
		"https://a.example/\x7f",
		"https://m\xc3\xbcnchen.example/",
		"https://a.example/\xc3\xbc",
		"https://[fe80::1%25eth0]/",
		"https://[::1/",
		"https://[x]/",
		"https://a.exa%00mple/",
		"https://a.exa%bfmple/",
		"https://a.example%2fx/",
		"https://a.example,b.example/",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct url *url = NULL;
		struct err *err = url_parse(cases[i], &url);

		if (!err)
			fail_msg("'%s' was read as '%s'", cases[i], url->text);
		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_null(strstr(err_text(err), "secret"));
		err_free(err);
	}
}

TEST(resolves_what_responses_refer_to)
{
	static const struct {
		const char *reference, *want;
	} cases[] = {
		{ "https://cdn.example/x?sig=a%2Bb", "https://cdn.example/x?sig=a%2Bb" },
		{ "http://cdn.example:81/x", "http://cdn.example:81/x" },
		{ "/token", "https://r.example:5000/token" },
		{ "/v2/a/../b", "https://r.example:5000/v2/b" },
		{ "/v2/a/blobs/uploads/1?_state=x%3D%3d",
		  "https://r.example:5000/v2/a/blobs/uploads/1?_state=x%3D%3d" },
		{ "//other.example/x", "https://other.example/x" },
		{ "?n=2&last=b", "https://r.example:5000/v2/app/tags/list?n=2&last=b" },
		{ "other", "https://r.example:5000/v2/app/tags/other" },
		{ "../up", "https://r.example:5000/v2/app/up" },
		{ "other.example/x", "https://other.example/x" },
		{ "r.example:5000/v2/x?y=z", "https://r.example:5000/v2/x?y=z" },
		{ "host:81/x", "https://host:81/x" },
		{ "localhost/x", "https://localhost/x" },
		{ "[::1]:5000/x", "https://[::1]:5000/x" },
		{ "/x#fragment", "https://r.example:5000/x" },
	};
	AUTO(url) struct url *base = NULL;

	assert_ok(url_parse("https://r.example:5000/v2/app/tags/list?n=1", &base));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(url) struct url *url = NULL;

		assert_ok(url_resolve(base, cases[i].reference, &url));
		assert_string_equal(url->text, cases[i].want);
	}
}

TEST(resolves_to_nothing_but_http)
{
	static const char *const cases[] = {
		"javascript:alert(1)",  "file:/etc/passwd",
		"file:///etc/passwd",   "data:text/plain,x",
		"mailto:x@a.example",   "https://user:pw@a.example/",
		"user@a.example/x",     "a.example:99999/x",
		"//user@a.example/",    "/a b",
		"\\\\a.example\\share", "ftp://a.example/x",
	};
	AUTO(url) struct url *base = NULL;

	assert_ok(url_parse("https://r.example/v2/", &base));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(url) struct url *url = NULL;

		assert_fails(url_resolve(base, cases[i], &url), ERR_INVALID);
	}
}

TEST(origins_are_scheme_host_and_port)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "https://a.example/x", "https://A.EXAMPLE:443/y?z", true },
		{ "http://a.example", "http://a.example:80/", true },
		{ "http://127.0.0.1/", "http://0x7f000001/", true },
		{ "http://[::1]:5/", "http://[0:0::1]:5/", true },
		{ "https://a.example", "http://a.example", false },
		{ "https://a.example:80", "http://a.example:80", false },
		{ "https://a.example", "https://a.example:5000", false },
		{ "https://a.example", "https://b.a.example", false },
		{ "https://a.example", "https://a.example.evil.example", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(url) struct url *a = NULL;
		AUTO(url) struct url *b = NULL;

		assert_ok(url_parse(cases[i].a, &a));
		assert_ok(url_parse(cases[i].b, &b));
		assert_int_equal(url_same_origin(a, b), cases[i].same);
		assert_int_equal(url_same_origin(b, a), cases[i].same);
	}
}

TEST(knows_addresses_that_are_not_of_the_public_internet)
{
	static const struct {
		const char *host;
		bool loopback, private;
	} cases[] = {
		{ "localhost", true, true },
		{ "LOCALHOST", true, true },
		{ "127.0.0.1", true, true },
		{ "127.255.255.254", true, true },
		{ "127.1", true, true },
		{ "0x7f.0.0.1", true, true },
		{ "0177.1", true, true },
		{ "017700000001", true, true },
		{ "2130706433", true, true },
		{ "0X7F000001", true, true },
		{ "[::1]", true, true },
		{ "[0:0:0:0:0:0:0:1]", true, true },
		{ "localhost.", false, true },
		{ "x.localhost", false, true },
		{ "[::ffff:127.0.0.1]", true, true },
		{ "[::ffff:7f00:1]", true, true },
		{ "[::127.0.0.1]", false, true },
		{ "[::]", false, true },
		{ "0.0.0.0", false, true },
		{ "0", false, true },
		{ "10.0.0.1", false, true },
		{ "172.16.0.1", false, true },
		{ "172.31.255.255", false, true },
		{ "192.168.1", false, true },
		{ "169.254.169.254", false, true },
		{ "2852039166", false, true },
		{ "0xa9fea9fe", false, true },
		{ "0251.0376.0251.0376", false, true },
		{ "[::ffff:169.254.169.254]", false, true },
		{ "[64:ff9b::a9fe:a9fe]", false, true },
		{ "[2002:a9fe:a9fe::]", false, true },
		{ "[fd00:ec2::254]", false, true },
		{ "100.100.100.200", false, true },
		{ "192.0.0.192", false, true },
		{ "[fe80::1]", false, true },
		{ "[fec0::1]", false, true },
		{ "[fc00::1]", false, true },
		{ "[ff02::1]", false, true },
		{ "224.0.0.1", false, true },
		{ "255.255.255.255", false, true },
		{ "8.8.8.8", false, false },
		{ "172.15.0.1", false, false },
		{ "172.32.0.1", false, false },
		{ "192.167.1.1", false, false },
		{ "100.128.0.1", false, false },
		{ "[2001:4860:4860::8888]", false, false },
		{ "[::ffff:8.8.8.8]", false, false },
		{ "registry.example.com", false, false },
		{ "10.example.com", false, false },
		{ "localhost.example.com", false, false },
		{ "127.0.0.1.example.com", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = xasprintf("http://%s:5000/x", cases[i].host);
		AUTO(url) struct url *url = NULL;

		assert_ok(url_parse(text, &url));
		if (url_is_loopback(url) != cases[i].loopback ||
		    url_is_private(url) != cases[i].private)
			fail_msg("%s: loopback %d, private %d", cases[i].host, url_is_loopback(url),
				 url_is_private(url));
	}
}

TEST(hides_what_is_secret)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "https://a.example/v2/", "https://a.example/v2/" },
		{ "https://user:pw@a.example/x", "https://a.example/x" },
		{ "https://user:p@w@a.example/x", "https://a.example/x" },
		{ "//user:pw@a.example", "//a.example" },
		{ "https://a.example/x?sig=secret&v=1", "https://a.example/x?sig=...&v=..." },
		{ "https://a.example/x?secret", "https://a.example/x?..." },
		{ "https://a.example/x?a=b=secret&secret", "https://a.example/x?a=...&..." },
		{ "https://a.example/x#secret", "https://a.example/x" },
		{ "https://a.example/x?a=1#secret", "https://a.example/x?a=..." },
		{ "https://a.example?user:pw@x", "https://a.example?..." },
		{ "/x?y=secret", "/x?y=..." },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *got = url_redacted(cases[i].text);

		assert_string_equal(got, cases[i].want);
	}
}

TEST(takes_logins_out_of_any_text)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "ADD http://user:pw@a.example/x /", "ADD http://a.example/x /" },
		{ "ADD HTTPS://p@w@a.example:1?x=@y /", "ADD HTTPS://a.example:1?x=@y /" },
		{ "[\"http://u@a\", \"http://u:p@b.git#c\"]",
		  "[\"http://a\", \"http://b.git#c\"]" },
		{ "http://a/ b@c", "http://a/ b@c" },
		{ "http://a b@c", "http://a b@c" },
		{ "http://http://u@a/", "http://http://a/" },
		{ "ssh://git@a.example/x git@a:x", "ssh://git@a.example/x git@a:x" },
		{ "http://@", "http://" },
		{ "http://", "http://" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *got = url_without_logins(cases[i].text);

		assert_string_equal(got, cases[i].want);
	}
}

TEST(adds_a_parameter_and_changes_nothing_else)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "/v2/a/1", "/v2/a/1?digest=d" },
		{ "/v2/a/1?_state=x%3D%3d==", "/v2/a/1?_state=x%3D%3d==&digest=d" },
		{ "/v2/a/1?", "/v2/a/1?digest=d" },
		{ "/v2/a/1?x&", "/v2/a/1?x&digest=d" },
		{ "/v2/a&", "/v2/a&?digest=d" },
		{ "/v2/a#f?g", "/v2/a?digest=d" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *got = url_with_parameter(cases[i].text, "digest=d");

		assert_string_equal(got, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_urls_apart),
		cmocka_unit_test(leaves_path_and_query_as_they_are),
		cmocka_unit_test(refuses_what_is_no_place_for_images),
		cmocka_unit_test(resolves_what_responses_refer_to),
		cmocka_unit_test(resolves_to_nothing_but_http),
		cmocka_unit_test(origins_are_scheme_host_and_port),
		cmocka_unit_test(knows_addresses_that_are_not_of_the_public_internet),
		cmocka_unit_test(hides_what_is_secret),
		cmocka_unit_test(takes_logins_out_of_any_text),
		cmocka_unit_test(adds_a_parameter_and_changes_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
