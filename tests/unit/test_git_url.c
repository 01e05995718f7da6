/* tests/unit/test_git_url.c - URLs of git repositories, as frontend 1.26 reads them. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "builder/git_url.h"

static char *show(const struct git_url *url)
{
	static const char *const states[] = { "", "no", "yes" };

	return xasprintf("%s|%s|%s|%s|%s|%s|%s|%s", url->remote, url->authority,
			 url->login ? url->login : "", url->ref ? url->ref : "", url->subdir,
			 url->checksum ? url->checksum : "", states[url->submodules],
			 states[url->keep_git_dir]);
}

TEST(is_taken_apart)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "https://host/a/b.git", "https://host/a/b.git|host||||||" },
		{ "https://host/a/b.git#main", "https://host/a/b.git|host||main||||" },
		{ "https://host/a/b.git#main:sub/dir",
		  "https://host/a/b.git|host||main|sub/dir|||" },
		{ "https://host/a/b.git#:sub/dir", "https://host/a/b.git|host|||sub/dir|||" },
		{ "https://host/a/b.git#", "https://host/a/b.git|host||||||" },
		{ "https://host/a/b.git#:", "https://host/a/b.git|host||||||" },
		{ "https://host/a/b.git#main:/a/../../b/.",
		  "https://host/a/b.git|host||main|b|||" },
		{ "https://host/a/b.git#main:..", "https://host/a/b.git|host||main||||" },
		{ "https://host/a/b.git#feature%2Fx", "https://host/a/b.git|host||feature/x||||" },
		{ "https://host/a/b.git#refs/pull/1/head",
		  "https://host/a/b.git|host||refs/pull/1/head||||" },
		{ "HTTP://User:pa%40ss@Host:8080/b.git",
		  "http://Host:8080/b.git|host:8080|User:pa%40ss|||||" },
		{ "git://host/a", "git://host/a|host||||||" },
		{ "ssh://git@host:22/a/b", "ssh://git@host:22/a/b|host:22||||||" },
		{ "ssh://git@host/a#v1:d", "ssh://git@host/a|host||v1|d|||" },
		{ "git@github.com:moby/buildkit.git",
		  "git@github.com:moby/buildkit.git|github.com||||||" },
		{ "git@host:path#v1.0:subdir", "git@host:path|host||v1.0|subdir|||" },
		{ "git@host:path?branch=b&subdir=d", "git@host:path|host||refs/heads/b|d|||" },
		{ "https://host/b.git?ref=v1&subdir=a/b", "https://host/b.git|host||v1|a/b|||" },
		{ "https://host/b.git?tag=v1", "https://host/b.git|host||refs/tags/v1||||" },
		{ "https://host/b.git?tag=refs/tags/v1",
		  "https://host/b.git|host||refs/tags/v1||||" },
		{ "https://host/b.git?branch=v1", "https://host/b.git|host||refs/heads/v1||||" },
		{ "https://host/b.git?ref=main#main", "https://host/b.git|host||main||||" },
		{ "https://host/b.git?checksum=deadbeef", "https://host/b.git|host||||deadbeef||" },
		{ "https://host/b.git?commit=deadbeef", "https://host/b.git|host||||deadbeef||" },
		{ "https://host/b.git?submodules=false&keep-git-dir=1",
		  "https://host/b.git|host|||||no|yes" },
		{ "https://host/b.git?submodules&keep-git-dir=",
		  "https://host/b.git|host|||||yes|yes" },
		{ "https://host/b.git?mtime=commit&fetch-by-commit=true",
		  "https://host/b.git|host||||||" },
		{ "https://host/b.git?ref=a%2Fb", "https://host/b.git|host||a/b||||" },
		{ "https://host/b.git?", "https://host/b.git|host||||||" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(git_url) struct git_url url = { 0 };
		AUTO(mem) char *got = NULL;
		bool is;

		assert_ok(git_url_parse(cases[i].text, GIT_URL_SOURCE, &is, &url));
		if (!is)
			fail_msg("%s is none", cases[i].text);
		got = show(&url);
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s is %s, not %s", cases[i].text, got, cases[i].want);
	}
}

TEST(some_texts_are_no_repositories)
{
	static const char *const cases[] = {
		"",
		"dir",
		"./https://host/b.git",
		"./git@host:path",
		"../b.git",
		"b.git",
		"https://host/a.tar.gz",
		"https://host/a.git/b",
		"https://host/b#x.git",
		"https://host/b?x.git",
		"http://host/b",
		"file:///a/b.git",
		"ext::sh -c x",
		"ext://x/b.git",
		"ftp://host/b.git",
		"host:path",
		"a b@host:path",
		"user@ho st:path",
		"user@host/path",
		"@host:path",
		"github.com/moby/buildkit",
		"github.com/moby/buildkit.git",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(git_url) struct git_url url = { 0 };
		bool is;

		assert_ok(git_url_parse(cases[i], GIT_URL_SOURCE, &is, &url));
		if (is)
			fail_msg("%s is one", cases[i]);
		assert_null(url.remote);
	}
}

TEST(a_context_may_leave_out_the_scheme_of_github)
{
	AUTO(git_url) struct git_url url = { 0 };
	AUTO(mem) char *got = NULL;
	bool is;

	assert_ok(
		git_url_parse("github.com/moby/buildkit#master:docs", GIT_URL_CONTEXT, &is, &url));
	assert_true(is);
	got = show(&url);
	assert_string_equal(got, "https://github.com/moby/buildkit|github.com||master|docs|||");
}

TEST(what_is_wrong_or_dangerous_is_refused)
{
	static const char *const cases[] = {
		"https://host/b.git#--upload-pack=evil",
		"https://host/b.git?ref=-x",
		"https://host/b.git#a..b",
		"https://host/b.git#a%20b",
		"https://host/b.git#a%00b",
		"https://host/b.git#a%0ab",
		"https://host/b.git#a^{commit}",
		"https://host/b.git?ref=a:b",
		"https://host/b.git?ref=*",
		"https:///b.git",
		"https://:80/b.git",
		"https://-host/b.git",
		"ssh://-oProxyCommand=evil/b",
		"ssh://-user@host/b",
		"ssh://git@-oProxyCommand=evil/b",
		"git@-oProxyCommand:path",
		"-user@host:path",
		"https://host/a b.git",
		"git://host/\x01",
		"https://host/b.git?ref=a#b",
		"https://host/b.git?tag=a&branch=a",
		"https://host/b.git?ref=a&tag=a",
		"https://host/b.git?subdir=a#:b",
		"https://host/b.git?checksum=xyz",
		"https://host/b.git?checksum=",
		"https://host/b.git?checksum=ab&commit=cd",
		"https://host/b.git?ref",
		"https://host/b.git?ref=a&ref=a",
		"https://host/b.git?unknown=1",
		"https://host/b.git?submodules=perhaps",
		"https://host/b.git?mtime=now",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(git_url) struct git_url url = { 0 };
		bool is;
		AUTO(err) struct err *err = git_url_parse(cases[i], GIT_URL_SOURCE, &is, &url);

		if (err_kind(err) != ERR_INVALID)
			fail_msg("%s is no error", cases[i]);
	}
}

TEST(a_mistyped_parameter_is_guessed)
{
	AUTO(git_url) struct git_url url = { 0 };
	bool is;
	AUTO(err)
	struct err *err = git_url_parse("https://host/b.git?branhc=x", GIT_URL_SOURCE, &is, &url);

	assert_non_null(strstr(err_text(err), "did you mean branch?"));
}

TEST(submodules_are_seen_from_their_repository)
{
	static const struct {
		const char *base, *text, *want; /* NULL: refused */
	} cases[] = {
		{ "https://host/a/b.git", "../c.git", "https://host/a/c.git" },
		{ "https://host/a/b.git", "./c.git", "https://host/a/b.git/c.git" },
		{ "https://host/a/b.git", "../../c", "https://host/c" },
		{ "https://host/a/b.git", "../../../c", NULL },
		{ "https://host/a/b.git", "../../../evil.com/c", NULL },
		{ "https://host/a/b.git", "https://other/c", "https://other/c" },
		{ "https://host/a/b.git", "git@other:c", "git@other:c" },
		{ "https://host/a/b.git", "other:c", "other:c" },
		{ "git@host:a/b.git", "../c.git", "git@host:a/c.git" },
		{ "git@host:a/b.git", "../../c.git", "git@host:c.git" },
		{ "git@host:a/b.git", "../../../c.git", NULL },
		{ "https://host/a/b.git", "/etc", NULL },
		{ "https://host/a/b.git", "file:///etc", NULL },
		{ "https://host/a/b.git", "ext::sh -c evil", NULL },
		{ "https://host/a/b.git", "-u:x", NULL },
		{ "https://host/a/b.git", "ext::sh", NULL },
		{ "https://host/a/b.git", "ssh://-oProxyCommand=evil/x", NULL },
		{ "https://host/a/b.git", "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(git_url) struct git_url base = { 0 };
		AUTO(git_url) struct git_url url = { 0 };
		bool is;
		struct err *err;

		assert_ok(git_url_parse(cases[i].base, GIT_URL_SOURCE, &is, &base));
		err = git_url_resolve(&base, cases[i].text, &url);
		if (!err != !!cases[i].want || (!err && strcmp(url.remote, cases[i].want) != 0))
			fail_msg("%s from %s is %s", cases[i].text, cases[i].base,
				 err ? err_text(err) : url.remote);
		err_free(err);
	}
}

TEST(a_login_is_inherited_within_its_host_alone)
{
	AUTO(git_url) struct git_url base = { 0 };
	AUTO(git_url) struct git_url near = { 0 };
	AUTO(git_url) struct git_url far = { 0 };
	AUTO(git_url) struct git_url plain = { 0 };
	bool is;

	assert_ok(git_url_parse("https://u:p@host/a/b.git", GIT_URL_SOURCE, &is, &base));
	assert_ok(git_url_resolve(&base, "../c", &near));
	assert_ok(git_url_resolve(&base, "https://other/c", &far));
	assert_ok(git_url_resolve(&base, "http://host/c", &plain));
	assert_string_equal(near.login, "u:p");
	assert_null(far.login);
	assert_null(plain.login);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_taken_apart),
		cmocka_unit_test(some_texts_are_no_repositories),
		cmocka_unit_test(a_context_may_leave_out_the_scheme_of_github),
		cmocka_unit_test(what_is_wrong_or_dangerous_is_refused),
		cmocka_unit_test(a_mistyped_parameter_is_guessed),
		cmocka_unit_test(submodules_are_seen_from_their_repository),
		cmocka_unit_test(a_login_is_inherited_within_its_host_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
