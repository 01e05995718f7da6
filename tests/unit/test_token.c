/* tests/unit/test_token.c - tokens of registries: scopes, answers, and who gets which. */

#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "registry/token.h"

#define SECOND UINT64_C(1000000000)

TEST(scopes_are_a_set_of_resources_with_actions)
{
	static const struct {
		const char *added[4];
		const char *want;
	} cases[] = {
		{ { "repository:a:pull" }, "repository:a:pull" },
		{ { "repository:a:pull", "repository:a:pull" }, "repository:a:pull" },
		{ { "repository:a:pull", "repository:a:push,pull" }, "repository:a:pull,push" },
		{ { "repository:b:pull", "repository:a:pull" },
		  "repository:a:pull repository:b:pull" },
		{ { "repository:a/b:pull,push repository:c/d:pull" },
		  "repository:a/b:pull,push repository:c/d:pull" },
		/* a name may have a port: the last colon counts */
		{ { "repository:h:5000/a:pull", "repository:h:5000/a:push" },
		  "repository:h:5000/a:pull,push" },
		{ { "registry:catalog:*" }, "registry:catalog:*" },
		{ { "", "  " }, "" },
		{ { "odd", "odd" }, "odd odd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(strings) struct strings scopes = { 0 };
		AUTO(mem) char *got = NULL;

		for (size_t k = 0; k < 4 && cases[i].added[k]; k++)
			scopes_add(&scopes, str_of(cases[i].added[k]));
		got = scopes_format(&scopes);
		assert_string_equal(got, cases[i].want);
	}
}

TEST(a_set_contains_what_has_no_further_action)
{
	static const struct {
		const char *whole, *part;
		bool want;
	} cases[] = {
		{ "repository:a:pull,push", "repository:a:pull", true },
		{ "repository:a:pull,push", "repository:a:push,pull", true },
		{ "repository:a:pull", "repository:a:pull,push", false },
		{ "repository:a:pull", "repository:b:pull", false },
		{ "repository:a:pull", "", true },
		{ "", "repository:a:pull", false },
		{ "repository:a:pull repository:b:push", "repository:b:push", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(strings) struct strings whole = { 0 };
		AUTO(strings) struct strings part = { 0 };

		scopes_add(&whole, str_of(cases[i].whole));
		scopes_add(&part, str_of(cases[i].part));
		if (scopes_contain(&whole, &part) != cases[i].want)
			fail_msg("%s in %s", cases[i].part, cases[i].whole);
	}
}

TEST(an_answer_is_a_token_and_how_long_it_lasts)
{
	/* 2026-11-23T06:20:00Z */
	const struct timespec now = { .tv_sec = 1795414800 };
	static const struct {
		const char *body, *text;
		uint64_t seconds;
	} cases[] = {
		{ "{\"token\":\"t\"}", "t", 60 },
		{ "{\"access_token\":\"a\"}", "a", 60 },
		{ "{\"token\":\"t\",\"access_token\":\"a\"}", "t", 60 },
		{ "{\"token\":\"\",\"access_token\":\"a\"}", "a", 60 },
		{ "{\"token\":null,\"access_token\":\"a\"}", "a", 60 },
		{ "{\"token\":\"t\",\"expires_in\":300}", "t", 300 },
		{ "{\"token\":\"t\",\"expires_in\":5}", "t", 60 },
		{ "{\"token\":\"t\",\"expires_in\":99999999999}", "t", 86400 },
		{ "{\"token\":\"t\",\"expires_in\":300,\"issued_at\":\"2026-11-23T06:19:00Z\"}",
		  "t", 240 },
		/* a clock that is wrong must not keep a token alive, nor a wrong text kill it */
		{ "{\"token\":\"t\",\"expires_in\":300,\"issued_at\":\"2031-01-01T00:00:00Z\"}",
		  "t", 300 },
		{ "{\"token\":\"t\",\"expires_in\":300,\"issued_at\":\"2001-01-01T00:00:00Z\"}",
		  "t", 0 },
		{ "{\"token\":\"t\",\"expires_in\":300,\"issued_at\":\"yesterday\"}", "t", 300 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct token token = { 0 };

		assert_ok(token_read(str_of(cases[i].body), 7 * SECOND, now, &token));
		assert_string_equal(token.text, cases[i].text);
		if (token.good_until != (7 + cases[i].seconds) * SECOND)
			fail_msg("%s is good for %ju ns", cases[i].body,
				 (uintmax_t)(token.good_until - 7 * SECOND));
		token_release(&token);
	}
}

TEST(refuses_answers_without_a_token_that_can_be_sent)
{
	static const char *const cases[] = {
		"",
		"<html>",
		"[]",
		"{}",
		"{\"token\":\"\"}",
		"{\"token\":7}",
		"{\"token\":\"a b\"}",
		"{\"token\":\"a\\r\\nX: y\"}",
		"{\"token\":\"t\",\"expires_in\":-1}",
		"{\"token\":\"t\",\"expires_in\":\"300\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct token token = { 0 };

		assert_fails(token_read(str_of(cases[i]), 0, (struct timespec){ 0 }, &token),
			     ERR_INVALID);
		assert_null(token.text);
	}
}

/* ---- the cache ---- */

struct server {
	atomic_int asked;
	uint64_t life; /* seconds */
	bool slow, fails;
};

static struct err *serve(void *arg, struct token *ret)
{
	struct server *server = arg;
	int number = atomic_fetch_add(&server->asked, 1) + 1;

	if (server->slow)
		usleep(100 * 1000);
	if (server->fails)
		return err_new(ERR_DENIED, "no");
	*ret = (struct token){ xasprintf("token-%d", number),
			       clock_monotonic() + server->life * SECOND };
	return NULL;
}

static void expect_token(struct token_cache *cache, const char *key, struct server *server,
			 const char *want)
{
	AUTO(mem) char *got = NULL;

	assert_ok(token_cache_get(cache, key, serve, server, &got));
	assert_string_equal(got, want);
}

TEST(a_token_is_asked_for_once_per_key)
{
	AUTO(token_cache) struct token_cache *cache = token_cache_new();
	struct server server = { .life = 300 };

	expect_token(cache, "one", &server, "token-1");
	expect_token(cache, "one", &server, "token-1");
	expect_token(cache, "two", &server, "token-2");
	expect_token(cache, "one", &server, "token-1");
}

TEST(a_token_is_renewed_before_its_end_and_after_a_refusal)
{
	AUTO(token_cache) struct token_cache *cache = token_cache_new();
	struct server server = { .life = 5 };

	/* five seconds are too few to rely on, but the new token is used once */
	expect_token(cache, "one", &server, "token-1");
	expect_token(cache, "one", &server, "token-2");

	server.life = 300;
	expect_token(cache, "one", &server, "token-3");
	token_cache_drop(cache, "one", "token-2"); /* an old one: somebody renewed it meanwhile */
	token_cache_drop(cache, "other", "token-3");
	expect_token(cache, "one", &server, "token-3");
	token_cache_drop(cache, "one", "token-3");
	expect_token(cache, "one", &server, "token-4");
}

/* Those who ask meet before they do: then nobody comes so late that the first has its answer. */
static pthread_barrier_t askers_meet;

struct asker {
	struct token_cache *cache;
	struct server *server;
	enum err_kind kind;
	char *got;
};

static void *ask(void *arg)
{
	struct asker *asker = arg;
	AUTO(err) struct err *err = NULL;

	pthread_barrier_wait(&askers_meet);
	err = token_cache_get(asker->cache, "one", serve, asker->server, &asker->got);
	asker->kind = err_kind(err);
	return NULL;
}

static void ask_at_once(struct token_cache *cache, struct server *server, enum err_kind want)
{
	struct asker askers[6];
	pthread_t threads[6];

	pthread_barrier_init(&askers_meet, NULL, 6);
	for (int i = 0; i < 6; i++) {
		askers[i] = (struct asker){ .cache = cache, .server = server };
		assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
	}
	for (int i = 0; i < 6; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(askers[i].kind, want);
		if (want == ERR_NONE)
			assert_string_equal(askers[i].got, "token-1");
		free(askers[i].got);
	}
}

TEST(threads_that_want_one_key_ask_once)
{
	AUTO(token_cache) struct token_cache *cache = token_cache_new();
	struct server server = { .life = 300, .slow = true };

	ask_at_once(cache, &server, ERR_NONE);
	assert_int_equal(atomic_load(&server.asked), 1);
}

TEST(a_failure_is_told_to_all_who_wait_and_not_kept)
{
	AUTO(token_cache) struct token_cache *cache = token_cache_new();
	struct server server = { .life = 300, .slow = true, .fails = true };

	ask_at_once(cache, &server, ERR_DENIED);
	/* a thread that came late asked for itself; never all of them */
	assert_true(atomic_load(&server.asked) < 6);
	server.fails = false;
	atomic_store(&server.asked, 0);
	expect_token(cache, "one", &server, "token-1");
}

/* Who asks is told to stop. */
static struct err *stopped(void *arg, struct token *ret)
{
	(void)arg, (void)ret;
	usleep(200 * 1000);
	return err_new(ERR_CANCELLED, "stopped because something else failed");
}

static void *ask_and_stop(void *cache)
{
	AUTO(mem) char *got = NULL;

	err_free(token_cache_get(cache, "one", stopped, NULL, &got));
	return NULL;
}

TEST(that_who_asks_is_stopped_does_not_stop_those_who_wait)
{
	AUTO(token_cache) struct token_cache *cache = token_cache_new();
	struct server server = { .life = 300 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, ask_and_stop, cache), 0);
	usleep(50 * 1000);
	expect_token(cache, "one", &server, "token-1");
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scopes_are_a_set_of_resources_with_actions),
		cmocka_unit_test(a_set_contains_what_has_no_further_action),
		cmocka_unit_test(an_answer_is_a_token_and_how_long_it_lasts),
		cmocka_unit_test(refuses_answers_without_a_token_that_can_be_sent),
		cmocka_unit_test(a_token_is_asked_for_once_per_key),
		cmocka_unit_test(a_token_is_renewed_before_its_end_and_after_a_refusal),
		cmocka_unit_test(threads_that_want_one_key_ask_once),
		cmocka_unit_test(that_who_asks_is_stopped_does_not_stop_those_who_wait),
		cmocka_unit_test(a_failure_is_told_to_all_who_wait_and_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
