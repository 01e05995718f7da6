/* tests/unit/test_source_policy.c - policies about sources, in BuildKit's form and with its meaning. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/str.h"
#include "builder/git_url.h"
#include "builder/source_policy.h"

#define SUM "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static struct source_policy *policy_of(const char *rules)
{
	AUTO(mem) char *text = xasprintf("{\"rules\":[%s]}", rules);
	struct source_policy *policy = NULL;

	assert_ok(source_policy_parse("p.json", str_of(text), &policy));
	return policy;
}

#define RULE(action, identifier) \
	"{\"action\":\"" action "\",\"selector\":{\"identifier\":\"" identifier "\"}}"
#define CONVERT(identifier, match, updates)                                  \
	"{\"action\":\"CONVERT\",\"selector\":{\"identifier\":\"" identifier \
	"\",\"matchType\":\"" match "\"},\"updates\":{" updates "}}"

static void expect_image(const char *rules, const char *name, const char *want)
{
	AUTO(source_policy) struct source_policy *policy = policy_of(rules);
	AUTO(mem) char *got = NULL;
	AUTO(err) struct err *err = source_policy_image(policy, name, &got);

	if (err_kind(err) != (want ? ERR_NONE : ERR_DENIED))
		fail_msg("%s: %s", rules, err ? err_text(err) : got);
	if (want)
		assert_string_equal(got, want);
}

TEST(of_allow_and_deny_the_last_rule_counts)
{
	expect_image("", "alpine", "alpine");
	expect_image(RULE("DENY", "docker-image://*"), "alpine", NULL);
	expect_image(RULE("ALLOW", "docker-image://*") "," RULE("DENY", "docker-image://*"),
		     "alpine", NULL);
	expect_image(RULE("DENY", "docker-image://*") "," RULE(
			     "ALLOW", "docker-image://docker.io/library/alpine:latest"),
		     "alpine", "alpine");
	expect_image(RULE("DENY", "docker-image://*") "," RULE(
			     "ALLOW", "docker-image://docker.io/library/alpine:latest"),
		     "debian", NULL);
	expect_image(RULE("DENY", "https://*"), "alpine", "alpine");
	/* names are whole in identifiers */
	expect_image(RULE("DENY", "docker-image://docker.io/library/alpine:latest"),
		     "index.docker.io/library/alpine", NULL);
	expect_image(RULE("DENY", "docker-image://ghcr.io/*"), "ghcr.io/a/b:1", NULL);
}

TEST(a_conversion_is_asked_about_again)
{
	expect_image(CONVERT("docker-image://docker.io/library/alpine:3.18", "EXACT",
			     "\"identifier\":\"docker-image://docker.io/library/alpine:3.18@" SUM
			     "\""),
		     "alpine:3.18", "docker.io/library/alpine:3.18@" SUM);
	expect_image(CONVERT("docker-image://docker.io/library/*", "WILDCARD",
			     "\"identifier\":\"docker-image://mirror.example/$1\""),
		     "alpine:3.18", "mirror.example/alpine:3.18");
	expect_image(
		CONVERT("^docker-image://docker\\\\.io/(.*)$", "REGEX",
			"\"identifier\":\"docker-image://mirror.example/$1\"") "," RULE("DENY",
											"docker-image://mirror.example/*"),
		"alpine", NULL);
	/* what it was before may be denied */
	expect_image(RULE("DENY", "docker-image://docker.io/*") "," CONVERT(
			     "docker-image://docker.io/library/a:1", "EXACT",
			     "\"identifier\":\"docker-image://m.example/a:1\""),
		     "a:1", "m.example/a:1");
}

TEST(a_circle_of_conversions_ends)
{
	AUTO(source_policy)
	struct source_policy *policy = policy_of(
		CONVERT("docker-image://docker.io/library/a:1", "EXACT", "\"identifier\":\"docker-image://docker.io/library/b:1\"") "," CONVERT(
			"docker-image://docker.io/library/b:1", "EXACT",
			"\"identifier\":\"docker-image://docker.io/library/a:1\""));
	AUTO(source_policy)
	struct source_policy *growing = policy_of(
		CONVERT("docker-image://*", "WILDCARD", "\"identifier\":\"docker-image://$1x\""));
	char *name = NULL;

	assert_fails(source_policy_image(policy, "a:1", &name), ERR_INVALID);
	assert_fails(source_policy_image(growing, "a:1", &name), ERR_INVALID);
}

TEST(a_denial_names_the_rule)
{
	AUTO(source_policy)
	struct source_policy *policy =
		policy_of(RULE("ALLOW", "git://*") "," RULE("DENY", "docker-image://*/secret*"));
	char *name = NULL;
	AUTO(err) struct err *err = source_policy_image(policy, "a.example/secret/x:1", &name);

	assert_int_equal(err_kind(err), ERR_DENIED);
	assert_string_equal(err_text(err),
			    "source 'docker-image://a.example/secret/x:1' is denied by rule 2 of "
			    "p.json (DENY docker-image://*/secret*)");
}

TEST(a_file_of_the_web_gets_another_place_and_a_checksum)
{
	AUTO(source_policy)
	struct source_policy *policy = policy_of(CONVERT(
		"https://a.example/x", "EXACT",
		"\"identifier\":\"https://b.example/x\","
		"\"attrs\":{\"http.checksum\":\"" SUM
		"\"}") "," RULE("DENY",
				"http://*") "," CONVERT("https://a.example/image", "EXACT",
							"\"identifier\":\"docker-image://a\""));
	AUTO(policy_web) struct policy_web web = { 0 };
	AUTO(policy_web) struct policy_web other = { 0 };
	AUTO(policy_web) struct policy_web none = { 0 };
	char text[DIGEST_TEXT_SIZE];

	assert_ok(source_policy_web(policy, "https://a.example/x", NULL, &web));
	assert_string_equal(web.url, "https://b.example/x");
	assert_true(web.has_checksum);
	assert_string_equal(digest_format(&web.checksum, text), SUM);
	assert_ok(source_policy_web(policy, "https://a.example/y", &web.checksum, &other));
	assert_true(other.has_checksum && digest_equal(&other.checksum, &web.checksum));
	assert_fails(source_policy_web(policy, "http://a.example/x", NULL, &none), ERR_DENIED);
	assert_fails(source_policy_web(policy, "https://a.example/image", NULL, &none),
		     ERR_INVALID);
	assert_ok(source_policy_web(NULL, "https://a.example/x", NULL, &none));
	assert_false(none.has_checksum);
}

/* RFC 3986, 6.2.2 and 6.2.3: all of them are one place. */
TEST(a_denial_holds_for_every_spelling)
{
	static const char *const urls[] = {
		"https://evil.example/x",     "HTTPS://EVIL.example/x",
		"https://evil.example:443/x", "https://user:pass@evil.example/x",
		"https://evil.example./x",    "https://evil.example:0443/x",
		"https://evil.example:/x",    "https://user@evil.example.:443/x#y",
		"https://evil%2eexampl%65/x", "https://evil.example/a/../x",
	};
	AUTO(source_policy)
	struct source_policy *policy = policy_of(RULE("DENY", "https://evil.example/*"));
	AUTO(policy_web) struct policy_web other = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		AUTO(policy_web) struct policy_web web = { 0 };
		AUTO(err) struct err *err = source_policy_web(policy, urls[i], NULL, &web);

		if (err_kind(err) != ERR_DENIED)
			fail_msg("%s: %s", urls[i], err ? err_text(err) : "allowed");
	}
	/* what is allowed stays as it was written */
	assert_ok(source_policy_web(policy, "https://u@evil.example:444/x", NULL, &other));
	assert_string_equal(other.url, "https://u@evil.example:444/x");
}

TEST(what_a_rule_makes_of_a_url_is_judged_however_it_is_spelt)
{
	AUTO(source_policy)
	struct source_policy *policy = policy_of(CONVERT(
		"https://a.example/*", "WILDCARD",
		"\"identifier\":\"https://evil.example:443/$1\"") "," RULE("DENY",
									   "https://evil.example/*"));
	AUTO(source_policy)
	struct source_policy *endless = policy_of(CONVERT(
		"https://a.example/*", "WILDCARD", "\"identifier\":\"https://a.example:/b/$1\""));
	AUTO(source_policy)
	struct source_policy *spelt = policy_of(CONVERT(
		"https://a.example/*", "WILDCARD", "\"identifier\":\"https://B.example:443/$1\""));
	AUTO(policy_web) struct policy_web web = { 0 };

	assert_fails(source_policy_web(policy, "https://a.example/x", NULL, &web), ERR_DENIED);
	assert_fails(source_policy_web(endless, "https://a.example/x", NULL, &web), ERR_INVALID);
	assert_ok(source_policy_web(spelt, "https://a.example/x", NULL, &web));
	assert_string_equal(web.url, "https://B.example:443/x");
}

TEST(a_login_is_not_carried_elsewhere)
{
	AUTO(source_policy)
	struct source_policy *policy = policy_of(
		CONVERT("https://*", "WILDCARD", "\"identifier\":\"http://m.example/$1\""));
	AUTO(policy_web) struct policy_web web = { 0 };

	assert_ok(source_policy_web(policy, "https://user:pass@a.example/x", NULL, &web));
	assert_string_equal(web.url, "http://m.example/a.example/x");
}

TEST(what_is_too_long_to_judge_is_denied)
{
	AUTO(source_policy)
	struct source_policy *policy = policy_of(RULE("DENY", "https://evil.example/*"));
	AUTO(policy_web) struct policy_web web = { 0 };
	AUTO(mem) char *url = xasprintf("https://evil.example/%*s", 3000, "x");

	for (char *c = url; *c; c++)
		*c = (char)(*c == ' ' ? 'x' : *c);
	assert_fails(source_policy_web(policy, url, NULL, &web), ERR_DENIED);
	assert_ok(source_policy_web(NULL, url, NULL, &web));
}

TEST(constraints_look_at_attributes)
{
	static const struct {
		const char *value, *condition;
		bool with, without; /* denied with the checksum, and without one */
	} cases[] = {
		{ "", "EQUAL", false, true },
		{ "", "NOTEQUAL", true, false },
		{ SUM, "EQUAL", true, false },
		{ "^sha256:9f", "MATCHES", true, false },
	};
	struct digest digest;

	assert_ok(digest_parse(SUM, &digest));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf rule = BUF_INIT(4096);
		AUTO(source_policy) struct source_policy *policy = NULL;
		AUTO(policy_web) struct policy_web one = { 0 };
		AUTO(policy_web) struct policy_web two = { 0 };

		buf_addf(&rule,
			 "{\"action\":\"DENY\",\"selector\":{\"identifier\":\"https://*\","
			 "\"constraints\":[{\"key\":\"http.checksum\",\"value\":\"%s\","
			 "\"condition\":\"%s\"}]}}",
			 cases[i].value, cases[i].condition);
		policy = policy_of(rule.at);
		assert_fails(source_policy_web(policy, "https://a/", &digest, &one),
			     cases[i].with ? ERR_DENIED : ERR_NONE);
		assert_fails(source_policy_web(policy, "https://a/", NULL, &two),
			     cases[i].without ? ERR_DENIED : ERR_NONE);
	}
}

static void expect_git(const char *rules, const char *url, const char *remote, const char *ref)
{
	AUTO(source_policy) struct source_policy *policy = policy_of(rules);
	AUTO(git_url) struct git_url git = { 0 };
	AUTO(err) struct err *err = NULL;
	bool is;

	assert_ok(git_url_parse(url, GIT_URL_CONTEXT, &is, &git));
	assert_true(is);
	err = source_policy_git(policy, &git);
	if (err_kind(err) != (remote ? ERR_NONE : ERR_DENIED))
		fail_msg("%s: %s", url, err ? err_text(err) : git.remote);
	if (!remote)
		return;
	assert_string_equal(git.remote, remote);
	if (ref)
		assert_string_equal(git.ref, ref);
	else
		assert_null(git.ref);
}

TEST(repositories_are_known_by_host_path_and_ref)
{
	static const char deny[] = RULE("DENY", "git://example.com/a/b.git#v1");

	expect_git(deny, "https://example.com/a/b.git#v1", NULL, NULL);
	expect_git(deny, "https://user:pass@example.com/a/b.git#v1", NULL, NULL);
	expect_git(deny, "git@example.com:a/b.git#v1", NULL, NULL);
	expect_git(deny, "ssh://git@example.com/a/b.git#v1", NULL, NULL);
	expect_git(deny, "https://example.com/a/b.git#v2", "https://example.com/a/b.git", "v2");
	expect_git(RULE("DENY", "git://example.com/*"), "https://example.com/a/b.git", NULL, NULL);
	/* and in every spelling */
	expect_git(deny, "https://EXAMPLE.com/a/b.git#v1", NULL, NULL);
	expect_git(deny, "https://example.com:443/a/b.git#v1", NULL, NULL);
	expect_git(deny, "https://example.com./a/b.git#v1", NULL, NULL);
	expect_git(deny, "https://example.com//a/b.git#v1", NULL, NULL);
	expect_git(deny, "ssh://one@two@example.com:22/a/b.git#v1", NULL, NULL);
	expect_git(deny, "git@Example.com:/a/b.git#v1", NULL, NULL);
	expect_git(deny, "https://ex%61mple%2Ecom/a/%62.git#v1", NULL, NULL);
	expect_git(deny, "https://example.com/c/../a/b.git#v1", NULL, NULL);
	expect_git(deny, "ssh://git@ex%41mple.com/a/%62.git#v1", NULL, NULL);
	expect_git(deny, "https://example.com:444/a/b.git#v1", "https://example.com:444/a/b.git",
		   "v1");
}

TEST(repositories_can_be_converted)
{
	expect_git(CONVERT("git://example.com/a/b.git#*", "WILDCARD",
			   "\"identifier\":\"git://mirror.example/b.git#$1\""),
		   "git@example.com:a/b.git#v1", "https://mirror.example/b.git", "v1");
	expect_git(CONVERT("git://example.com/a/b.git", "EXACT",
			   "\"identifier\":\"git://example.com/a/b.git#stable\""),
		   "https://example.com/a/b.git", "https://example.com/a/b.git", "stable");
	expect_git(CONVERT("git://example.com/a/b.git#v1", "EXACT",
			   "\"attrs\":{\"git.fullurl\":\"https://m.example/c.git\"}"),
		   "https://example.com/a/b.git#v1", "https://m.example/c.git", "v1");
}

TEST(what_is_no_policy_is_refused)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} cases[] = {
		{ "", ERR_INVALID },
		{ "[]", ERR_INVALID },
		{ "{\"rules\":{}}", ERR_INVALID },
		{ "{\"rule\":[]}", ERR_INVALID },
		{ "{\"rules\":[{}]}", ERR_INVALID },
		{ "{\"rules\":[1]}", ERR_INVALID },
		{ "{\"rules\":[{\"action\":\"DENY\"}]}", ERR_INVALID },
		{ "{\"rules\":[{\"action\":\"deny\",\"selector\":{\"identifier\":\"a\"}}]}",
		  ERR_INVALID },
		{ "{\"rules\":[{\"action\":7,\"selector\":{\"identifier\":\"a\"}}]}", ERR_INVALID },
		{ "{\"rules\":[{\"action\":\"DENY\",\"selector\":{\"identifer\":\"a\"}}]}",
		  ERR_INVALID },
		{ "{\"rules\":[{\"action\":\"DENY\",\"selector\":{\"identifier\":\"a**\"}}]}",
		  ERR_INVALID },
		{ "{\"rules\":[{\"action\":\"CONVERT\",\"selector\":{\"identifier\":\"a\"}}]}",
		  ERR_INVALID },
		{ "{\"rules\":[{\"action\":\"CONVERT\",\"selector\":{\"identifier\":\"a\"},"
		  "\"updates\":{\"attrs\":{\"http.perm\":\"1\"}}}]}",
		  ERR_UNSUPPORTED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(source_policy) struct source_policy *policy = NULL;
		AUTO(err)
		struct err *err = source_policy_parse("p.json", str_of(cases[i].text), &policy);

		if (err_kind(err) != cases[i].kind)
			fail_msg("%s: %s", cases[i].text, err ? err_text(err) : "taken");
	}
}

TEST(numbers_stand_for_words_as_in_buildkit)
{
	expect_image("{\"action\":1,\"selector\":{\"identifier\":\"docker-image://*\","
		     "\"match_type\":0}}",
		     "alpine", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_allow_and_deny_the_last_rule_counts),
		cmocka_unit_test(a_conversion_is_asked_about_again),
		cmocka_unit_test(a_circle_of_conversions_ends),
		cmocka_unit_test(a_denial_names_the_rule),
		cmocka_unit_test(a_file_of_the_web_gets_another_place_and_a_checksum),
		cmocka_unit_test(a_denial_holds_for_every_spelling),
		cmocka_unit_test(what_a_rule_makes_of_a_url_is_judged_however_it_is_spelt),
		cmocka_unit_test(a_login_is_not_carried_elsewhere),
		cmocka_unit_test(what_is_too_long_to_judge_is_denied),
		cmocka_unit_test(constraints_look_at_attributes),
		cmocka_unit_test(repositories_are_known_by_host_path_and_ref),
		cmocka_unit_test(repositories_can_be_converted),
		cmocka_unit_test(what_is_no_policy_is_refused),
		cmocka_unit_test(numbers_stand_for_words_as_in_buildkit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
