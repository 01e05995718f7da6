/* tests/unit/test_git_place.c - where a repository may lead git. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "builder/git_place.h"
#include "builder/git_url.h"

static void url_of(const char *text, struct git_url *ret)
{
	bool is;

	assert_ok(git_url_parse(text, GIT_URL_SOURCE, &is, ret));
	assert_true(is);
}

static struct err *check(const char *top_text, const char *text)
{
	AUTO(git_url) struct git_url top = { 0 };
	AUTO(git_url) struct git_url url = { 0 };
	AUTO(git_place) struct git_place top_place = { 0 };
	AUTO(git_place) struct git_place place = { 0 };

	url_of(top_text, &top);
	url_of(text, &url);
	git_place_find(&top, &top_place);
	git_place_find(&url, &place);
	return git_place_check(&top, &top_place, &url, &place);
}

TEST(a_repository_leads_no_nearer_than_it_may)
{
	static const char outside[] = "https://8.8.8.8/top.git";
	static const char inside[] = "https://10.0.0.7:8443/top.git";
	static const char here[] = "http://127.0.0.1:3000/top.git";
	static const struct {
		const char *top, *url;
		enum err_kind kind;
	} cases[] = {
		{ outside, "https://9.9.9.9/x.git", ERR_NONE },
		{ outside, "git://9.9.9.9/x", ERR_NONE },
		{ outside, "https://8.8.8.8/other.git", ERR_NONE },
		{ outside, "http://127.0.0.1/x.git", ERR_INVALID },
		{ outside, "http://127.1/x.git", ERR_INVALID },
		{ outside, "http://2130706433/x.git", ERR_INVALID },
		{ outside, "http://0x7f.0.0.1/x.git", ERR_INVALID },
		{ outside, "http://0/x.git", ERR_INVALID },
		{ outside, "http://localhost:8080/x.git", ERR_INVALID },
		{ outside, "http://[::1]/x.git", ERR_INVALID },
		{ outside, "http://[::ffff:127.0.0.1]:80/x.git", ERR_INVALID },
		{ outside, "http://169.254.169.254/latest.git", ERR_INVALID },
		{ outside, "http://[fd00:ec2::254]/x.git", ERR_INVALID },
		{ outside, "git://127.0.0.1:6379/x", ERR_INVALID },
		{ outside, "git://[fe80::1]/x", ERR_INVALID },
		{ outside, "ssh://127.0.0.1/x", ERR_INVALID },
		{ outside, "git@localhost:x", ERR_INVALID },
		{ outside, "git@127.0.0.1:x", ERR_INVALID },
		{ outside, "https://10.0.0.1/x.git", ERR_INVALID },
		{ outside, "ssh://git@192.168.1.1/x", ERR_INVALID },
		{ "git@8.8.8.8:top", "https://127.0.0.1/x.git", ERR_INVALID },
		{ "git://8.8.8.8/top", "git://127.0.0.1/x", ERR_INVALID },
		{ inside, "https://10.0.0.1/x.git", ERR_NONE },
		{ inside, "https://9.9.9.9/x.git", ERR_NONE },
		{ inside, "http://169.254.169.254/x.git", ERR_INVALID },
		{ inside, "http://127.0.0.1/x.git", ERR_INVALID },
		{ here, "http://127.0.0.1:9/x.git", ERR_NONE },
		{ here, "http://169.254.169.254/x.git", ERR_NONE },
		{ here, "git://10.0.0.1/x", ERR_NONE },
		{ "git://localhost/top", "http://127.0.0.1:9/x.git", ERR_NONE },
		{ "ssh://10.0.0.1/top", "ssh://10.0.0.1/x", ERR_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(err) struct err *err = check(cases[i].top, cases[i].url);

		if (err_kind(err) != cases[i].kind)
			fail_msg("%s to %s: %s", cases[i].top, cases[i].url,
				 err ? err_text(err) : "allowed");
	}
}

TEST(a_name_without_an_address_leads_nowhere_but_by_ssh_and_proxies)
{
	static const char top[] = "https://8.8.8.8/top.git";
	static const char *const proxies[] = { "http_proxy",  "HTTP_PROXY", "https_proxy",
					       "HTTPS_PROXY", "all_proxy",  "ALL_PROXY" };

	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
		unsetenv(proxies[i]);
	assert_fails(check(top, "https://no..body/x.git"), ERR_NETWORK);
	assert_fails(check(top, "git://no..body/x"), ERR_NETWORK);
	assert_ok(check(top, "git@no..body:x"));
	assert_int_equal(setenv("https_proxy", "http://proxy.example.com", 1), 0);
	assert_ok(check(top, "https://no..body/x.git"));
	assert_fails(check(top, "git://no..body/x"), ERR_NETWORK);
	unsetenv("https_proxy");
}

TEST(git_is_held_to_the_addresses_that_were_judged)
{
	static const struct {
		const char *url, *pin;
	} cases[] = {
		{ "https://example.com/x.git", "example.com:443:192.0.2.1,2001:db8::1" },
		{ "http://example.com/x.git", "example.com:80:192.0.2.1,2001:db8::1" },
		{ "http://example.com:8080/x.git", "example.com:8080:192.0.2.1,2001:db8::1" },
		{ "ssh://example.com/x", NULL },
		{ "git://example.com/x", NULL },
	};
	struct git_place place = { .is_known = true };

	strings_push(&place.addresses, "192.0.2.1");
	strings_push(&place.addresses, "2001:db8::1");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(git_url) struct git_url url = { 0 };
		AUTO(mem) char *pin = NULL;

		url_of(cases[i].url, &url);
		pin = git_place_pin(&url, &place);
		if (!pin != !cases[i].pin || (pin && strcmp(pin, cases[i].pin) != 0))
			fail_msg("%s: %s", cases[i].url, pin ? pin : "none");
	}
	git_place_release(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_repository_leads_no_nearer_than_it_may),
		cmocka_unit_test(a_name_without_an_address_leads_nowhere_but_by_ssh_and_proxies),
		cmocka_unit_test(git_is_held_to_the_addresses_that_were_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
