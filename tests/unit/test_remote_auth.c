/* tests/unit/test_remote_auth.c - which secret goes to which host. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "builder/git_url.h"
#include "builder/remote_auth.h"
#include "builder/secrets.h"

static struct secrets *table(const char *const *pairs)
{
	struct secrets *secrets = secrets_new();

	for (size_t i = 0; pairs[i]; i += 2) {
		AUTO(mem) char *option = xasprintf("id=%s,env=REMOTE_AUTH_TEST", pairs[i]);

		setenv("REMOTE_AUTH_TEST", pairs[i + 1], 1);
		assert_ok(secrets_add(secrets, option));
	}
	unsetenv("REMOTE_AUTH_TEST");
	return secrets;
}

static void expect(const char *where, char *got, const char *want)
{
	if (!got != !want || (got && strcmp(got, want) != 0))
		fail_msg("%s gets %s", where, got ? got : "nothing");
	free(got);
}

TEST(files_of_the_web_get_what_is_for_their_host)
{
	static const char *const pairs[] = { "HTTP_AUTH_HEADER_a.example.com",
					     "Basic xyz\n",
					     "HTTP_AUTH_TOKEN_b.example.com:8080",
					     "tok",
					     "HTTP_AUTH_TOKEN_a.example.com",
					     "other",
					     "HTTP_AUTH_TOKEN_bad",
					     "two\nlines",
					     NULL };
	AUTO(secrets) struct secrets *secrets = table(pairs);
	struct web_auth auth = remote_auth_web(secrets);
	char *got = NULL;

	assert_ok(auth.find(auth.self, "a.example.com", &got));
	expect("a", got, "Basic xyz");
	assert_ok(auth.find(auth.self, "b.example.com:8080", &got));
	expect("b:8080", got, "Bearer tok");
	assert_ok(auth.find(auth.self, "b.example.com", &got));
	expect("b", got, NULL);
	assert_ok(auth.find(auth.self, "example.com", &got));
	expect("example.com", got, NULL);
	assert_fails(auth.find(auth.self, "bad", &got), ERR_INVALID);
	auth = remote_auth_web(NULL);
	assert_ok(auth.find(auth.self, "a.example.com", &got));
	expect("without a table", got, NULL);
}

static void expect_git(const struct secrets *secrets, const char *text, bool named,
		       const char *want)
{
	AUTO(git_url) struct git_url url = { 0 };
	char *got = NULL;
	bool is;

	assert_ok(git_url_parse(text, GIT_URL_SOURCE, &is, &url));
	assert_true(is);
	assert_ok(remote_auth_git(secrets, &url, named, &got));
	expect(text, got, want);
}

/* "x-access-token:tok", "x-access-token:one", "u:p" in base64 */
#define TOK "basic eC1hY2Nlc3MtdG9rZW46dG9r"
#define ONE "basic eC1hY2Nlc3MtdG9rZW46b25l"

TEST(repositories_get_what_is_for_their_host_before_what_is_for_all)
{
	static const char *const pairs[] = { "GIT_AUTH_TOKEN",
					     "tok\n",
					     "GIT_AUTH_TOKEN.one.com",
					     "one",
					     "GIT_AUTH_HEADER.two.com:81",
					     "Basic raw",
					     NULL };
	static const char *const scoped[] = { "GIT_AUTH_HEADER", "Bearer h", NULL };
	AUTO(secrets) struct secrets *secrets = table(pairs);
	AUTO(secrets) struct secrets *header = table(scoped);

	expect_git(secrets, "https://one.com/x.git", true, ONE);
	expect_git(secrets, "https://one.com/x.git", false, ONE);
	expect_git(secrets, "https://other.com/x.git", true, TOK);
	expect_git(secrets, "https://other.com/x.git", false, NULL);
	expect_git(secrets, "https://two.com:81/x.git", false, "Basic raw");
	expect_git(secrets, "https://two.com/x.git", false, NULL);
	expect_git(secrets, "ssh://git@one.com/x.git", true, NULL);
	expect_git(secrets, "git://one.com/x.git", true, NULL);
	expect_git(secrets, "https://u:p@other.com/x.git", true, TOK);
	expect_git(header, "https://other.com/x.git", true, "Bearer h");
	expect_git(NULL, "https://u:p@other.com/x.git", true, "Basic dTpw");
	expect_git(NULL, "https://other.com/x.git", true, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_the_web_get_what_is_for_their_host),
		cmocka_unit_test(repositories_get_what_is_for_their_host_before_what_is_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
