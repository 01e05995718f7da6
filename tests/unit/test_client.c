/* tests/unit/test_client.c - requests to registries that are functions: who is told what. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "registry/certs.h"
#include "registry/client.h"
#include "registry/config_paths.h"
#include "registry/credentials.h"
#include "registry/registries.h"
#include "tests/unit/tmp.h"
#include "tests/unit/transport.h"

/* user "u", password "p" */
#define BASIC "Basic dTpw"
#define LOGIN(host) "DOCKER_AUTH_CONFIG={\"auths\":{\"" host "\":{\"auth\":\"dTpw\"}}}"

#define REALM "WWW-Authenticate: Bearer realm=\"https://auth.example.com/token\",service=\"reg\""

/* A machine without configuration, but for one variable, and a client of it. */
struct scene {
	struct fake fake;
	char *environment[2];
	struct config_paths paths;
	struct client_opts opts;
	struct client *client;
	struct place place;
	struct strings said;
	int counter; /* for the test's function */
};

static void hear(void *self, const char *line)
{
	strings_push(self, line);
}

static void scene_open(struct scene *scene,
		       struct fake_answer (*answer)(struct fake *, const char *, const char *,
						    struct str),
		       const char *variable)
{
	scene->fake = (struct fake)FAKE_INIT(answer, scene);
	scene->environment[0] = (char *)variable;
	scene->paths = (struct config_paths){ .root = "/nonexistent",
					      .environment = scene->environment,
					      .user = 12345 };
	scene->opts.paths = &scene->paths;
	scene->opts.say = hear;
	scene->opts.say_self = &scene->said;
	scene->opts.retry_pause = 2;
	scene->client = client_new(&scene->opts, fake_transport(&scene->fake));
	if (!scene->place.host)
		scene->place = (struct place){ .host = (char *)"reg.example.com",
					       .server = (char *)"reg.example.com",
					       .path = (char *)"team/app",
					       .api = (char *)"/v2" };
}

static void scene_release(struct scene *scene)
{
	client_free(scene->client);
	fake_release(&scene->fake);
	strings_release(&scene->said);
}

static void scene_auto_(struct scene *scene)
{
	scene_release(scene);
}

static struct err *get(struct scene *scene, const char *path, int *ret_status, char **ret_body)
{
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(buf) struct buf body = BUF_INIT(4096);
	struct client_request request = {
		.method = HTTP_GET,
		.place = &scene->place,
		.path = path,
		.actions = "pull",
	};

	TRY(client_send(scene->client, &request, &response));
	TRY(client_read(response, 4096, "the body", &body));
	*ret_status = response->status;
	free(*ret_body);
	*ret_body = buf_steal(&body);
	return NULL;
}

static void expect_body(struct scene *scene, const char *want)
{
	AUTO(mem) char *body = NULL;
	int status = 0;

	assert_ok(get(scene, "/manifests/1", &status, &body));
	assert_int_equal(status, 200);
	assert_string_equal(body, want);
}

static void expect_failure(struct scene *scene, enum err_kind kind, const char *part)
{
	AUTO(mem) char *body = NULL;
	int status;
	AUTO(err) struct err *err = get(scene, "/manifests/1", &status, &body);

	if (err_kind(err) != kind || !err || !strstr(err_text(err), part))
		fail_msg("kind %d: %s", (int)err_kind(err), err ? err_text(err) : "success");
}

static bool is_to(const char *line, const char *start)
{
	return strncmp(line, start, strlen(start)) == 0;
}

#define OK(text) ((struct fake_answer){ .status = 200, .body = (text) })
#define NO(number) ((struct fake_answer){ .status = (number) })

/* ---- authorisation ---- */

static struct fake_answer open_registry(struct fake *fake, const char *line, const char *auth,
					struct str body)
{
	(void)fake, (void)line, (void)body;
	return auth ? NO(400) : OK("open");
}

TEST(credentials_are_not_shown_to_who_does_not_ask)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, open_registry, LOGIN("reg.example.com"));
	expect_body(&scene, "open");
	expect_lines(&scene.fake, (const char *const[]){
					  "GET https://reg.example.com/v2/team/app/manifests/1",
					  NULL,
				  });
}

static struct fake_answer basic_registry(struct fake *fake, const char *line, const char *auth,
					 struct str body)
{
	(void)fake, (void)line, (void)body;
	if (auth && strcmp(auth, BASIC) == 0)
		return OK("secret");
	return (struct fake_answer){ .status = 401,
				     .headers = { "www-authenticate: Basic realm=\"x\"" } };
}

TEST(basic_is_learned_once)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, basic_registry, LOGIN("reg.example.com"));
	expect_body(&scene, "secret");
	expect_body(&scene, "secret");
	expect_lines(&scene.fake,
		     (const char *const[]){
			     "GET https://reg.example.com/v2/team/app/manifests/1",
			     "GET https://reg.example.com/v2/team/app/manifests/1 [" BASIC "]",
			     "GET https://reg.example.com/v2/team/app/manifests/1 [" BASIC "]",
			     NULL,
		     });
	assert_int_equal(client_requests(scene.client), 3);
}

TEST(wrong_credentials_are_sent_once_and_named)
{
	AUTO(scene) struct scene scene = { 0 };

	/* "u:q" */
	scene_open(&scene, basic_registry,
		   "DOCKER_AUTH_CONFIG={\"auths\":{\"reg.example.com\":{\"auth\":\"dTpx\"}}}");
	expect_failure(&scene, ERR_DENIED, "401");
	assert_int_equal(scene.fake.lines.len, 2);
}

static struct fake_answer strange_registry(struct fake *fake, const char *line, const char *auth,
					   struct str body)
{
	(void)fake, (void)line, (void)auth, (void)body;
	return (struct fake_answer){ .status = 401,
				     .headers = { "WWW-Authenticate: Negotiate",
						  "WWW-Authenticate: NTLM" } };
}

TEST(a_way_to_say_who_we_are_that_is_not_spoken_here_is_named)
{
	AUTO(scene) struct scene scene = { 0 };
	AUTO(err) struct err *err = NULL;
	AUTO(mem) char *body = NULL;
	int status;

	scene_open(&scene, strange_registry, NULL);
	err = get(&scene, "/manifests/1", &status, &body);
	assert_int_equal(err_kind(err), ERR_DENIED);
	assert_non_null(strstr(err_notes(err), "'negotiate'; only Basic and Bearer"));
	assert_null(strstr(err_notes(err), "no credentials"));
}

TEST(credentials_of_another_host_are_not_sent)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, basic_registry, LOGIN("reg.example.com:5000"));
	expect_failure(&scene, ERR_DENIED, "401");
	assert_int_equal(scene.fake.lines.len, 1);
}

static struct fake_answer token_registry(struct fake *fake, const char *line, const char *auth,
					 struct str body)
{
	struct scene *scene = fake->test;

	(void)body;
	if (is_to(line, "GET https://auth.example.com/token"))
		return OK(scene->counter++ ? "{\"token\":\"two\",\"expires_in\":300}" :
					     "{\"token\":\"one\",\"expires_in\":300}");
	if (auth && strcmp(auth, "Bearer one") == 0)
		return OK("first");
	if (auth && strcmp(auth, "Bearer two") == 0)
		return OK("second");
	return (struct fake_answer){
		.status = 401,
		.headers = { REALM ",scope=\"repository:team/app:pull\"" },
	};
}

TEST(a_token_is_fetched_with_the_credentials_and_used_again)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, token_registry, LOGIN("reg.example.com"));
	expect_body(&scene, "first");
	expect_body(&scene, "first");
	expect_lines(&scene.fake,
		     (const char *const[]){
			     "GET https://reg.example.com/v2/team/app/manifests/1",
			     "GET https://auth.example.com/"
			     "token?service=reg&scope=repository%3Ateam%2Fapp%3Apull&account=u "
			     "[" BASIC "]",
			     "GET https://reg.example.com/v2/team/app/manifests/1 [Bearer one]",
			     "GET https://reg.example.com/v2/team/app/manifests/1 [Bearer one]",
			     NULL,
		     });
}

TEST(without_credentials_the_token_is_an_anonymous_one)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, token_registry, NULL);
	expect_body(&scene, "first");
	assert_string_equal(scene.fake.lines.at[1],
			    "GET https://auth.example.com/"
			    "token?service=reg&scope=repository%3Ateam%2Fapp%3Apull");
}

/* Takes "one" for a while, then only "two". */
static struct fake_answer forgetful(struct fake *fake, const char *line, const char *auth,
				    struct str body)
{
	if (fake->lines.len > 3 && auth && strcmp(auth, "Bearer one") == 0)
		auth = NULL;
	return token_registry(fake, line, auth, body);
}

TEST(a_token_that_is_refused_in_the_middle_is_renewed)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, forgetful, LOGIN("reg.example.com"));
	expect_body(&scene, "first");
	expect_body(&scene, "second");
	assert_int_equal(scene.fake.lines.len, 6);
}

static struct fake_answer never(struct fake *fake, const char *line, const char *auth,
				struct str body)
{
	if (is_to(line, "GET https://reg."))
		auth = NULL;
	return token_registry(fake, line, auth, body);
}

TEST(a_token_that_does_not_help_is_not_asked_for_for_ever)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, never, LOGIN("reg.example.com"));
	expect_failure(&scene, ERR_DENIED, "401");
	assert_int_equal(scene.fake.lines.len, 3);
}

static struct fake_answer wants_more(struct fake *fake, const char *line, const char *auth,
				     struct str body)
{
	(void)fake, (void)body;
	if (is_to(line, "GET https://auth.example.com/token"))
		return strstr(line, "other") ? OK("{\"token\":\"wide\",\"expires_in\":300}") :
					       OK("{\"token\":\"narrow\",\"expires_in\":300}");
	if (auth && strcmp(auth, "Bearer wide") == 0)
		return OK("all");
	if (auth)
		return (struct fake_answer){
			.status = 401,
			.headers = { REALM ",scope=\"repository:team/app:pull "
					   "repository:other:pull\",error=\"insufficient_scope\"" },
		};
	return (struct fake_answer){ .status = 401, .headers = { REALM } };
}

TEST(a_scope_that_is_missing_is_asked_for_once_behind_the_first)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, wants_more, NULL);
	expect_body(&scene, "all");
	assert_int_equal(scene.fake.lines.len, 5);
	assert_string_equal(scene.fake.lines.at[3],
			    "GET https://auth.example.com/"
			    "token?service=reg&scope=repository%3Ateam%2Fapp%3Apull&"
			    "scope=repository%3Aother%3Apull");
}

static struct fake_answer refresh_registry(struct fake *fake, const char *line, const char *auth,
					   struct str body)
{
	struct scene *scene = fake->test;

	if (is_to(line, "POST https://auth.example.com/token")) {
		if (scene->counter)
			return NO(404);
		if (!str_is(body, "grant_type=refresh_token&service=reg&client_id=cairn&"
				  "scope=repository%3Ateam%2Fapp%3Apull&refresh_token=r%2Bt"))
			return NO(400);
		return OK("{\"access_token\":\"one\"}");
	}
	return token_registry(fake, line, auth, body);
}

TEST(an_identity_token_is_exchanged_by_post)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, refresh_registry,
		   "DOCKER_AUTH_CONFIG={\"auths\":{\"reg.example.com\":{\"identitytoken\":\"r+t\","
		   "\"auth\":\"dTo=\"}}}");
	expect_body(&scene, "first");
	assert_string_equal(scene.fake.lines.at[2],
			    "GET https://reg.example.com/v2/team/app/manifests/1 [Bearer one]");
}

static struct fake_answer strange_realm(struct fake *fake, const char *line, const char *auth,
					struct str body)
{
	static const char *const realms[] = {
		"https://auth.elsewhere.net/token", "http://auth.example.com/token",
		"https://169.254.169.254/token",    "https://127.0.0.1/token",
		"ftp://auth.example.com/token",     "https://[::1]:5000/token",
	};
	static char header[200];
	struct scene *scene = fake->test;

	(void)auth, (void)body;
	if (!is_to(line, "GET https://reg."))
		return OK("{\"token\":\"one\"}");
	snprintf(header, sizeof(header), "WWW-Authenticate: Bearer realm=\"%s\"",
		 realms[scene->counter]);
	return (struct fake_answer){ .status = 401, .headers = { header } };
}

TEST(a_realm_of_strangers_gets_no_credentials_and_no_realm_leads_inside)
{
	static const char *const parts[] = {
		"does not belong",     "plain http", "inside this network",
		"inside this network", "realm",      "inside this network"
	};

	for (int i = 0; i < 6; i++) {
		AUTO(scene) struct scene scene = { .counter = i };

		scene_open(&scene, strange_realm, LOGIN("reg.example.com"));
		expect_failure(&scene, i ? ERR_INVALID : ERR_DENIED, parts[i]);
		assert_int_equal(scene.fake.lines.len, 1);
	}
}

TEST(a_realm_that_the_user_trusts_gets_them)
{
	struct strings trusted = { 0 };
	AUTO(scene) struct scene scene = { .opts = { .trusted_realms = &trusted } };

	strings_push(&trusted, "auth.elsewhere.net");
	scene_open(&scene, strange_realm, LOGIN("reg.example.com"));
	expect_failure(&scene, ERR_DENIED, "401");
	assert_string_equal(scene.fake.lines.at[1],
			    "GET https://auth.elsewhere.net/"
			    "token?scope=repository%3Ateam%2Fapp%3Apull&account=u [" BASIC "]");
	strings_release(&trusted);
}

static struct fake_answer silent_401(struct fake *fake, const char *line, const char *auth,
				     struct str body)
{
	if (strcmp(line, "GET https://reg.example.com/v2/") == 0 ||
	    !is_to(line, "GET https://reg."))
		return token_registry(fake, line, auth, body);
	return auth ? token_registry(fake, line, auth, body) : NO(401);
}

TEST(a_401_without_a_challenge_is_explained_by_the_ping)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, silent_401, NULL);
	expect_body(&scene, "first");
	assert_string_equal(scene.fake.lines.at[1], "GET https://reg.example.com/v2/");
	assert_int_equal(scene.fake.lines.len, 4);
}

/* ---- redirects ---- */

static struct fake_answer redirector(struct fake *fake, const char *line, const char *auth,
				     struct str body)
{
	struct scene *scene = fake->test;
	static const char *const targets[] = {
		"https://cdn.example.net/blob?sig=secret",
		"https://reg.example.com:444/blob",
		"/moved",
		"http://cdn.example.net/blob",
		"https://10.0.0.1/blob",
		"https://[fe80::1]/blob",
		"https://2852039166/latest", /* 169.254.169.254 */
		"https://reg.example.com/v2/team/app/manifests/1",
	};
	static char header[200];

	(void)body;
	if (is_to(line, "GET https://cdn.") || is_to(line, "GET https://reg.example.com:444/"))
		return auth ? NO(400) : OK("far");
	if (strcmp(line, "GET https://reg.example.com/moved") == 0)
		return auth ? OK("near") : NO(400);
	if (!auth)
		return (struct fake_answer){ .status = 401,
					     .headers = { "WWW-Authenticate: Basic realm=x" } };
	snprintf(header, sizeof(header), "Location: %s", targets[scene->counter]);
	return (struct fake_answer){ .status = 307, .headers = { header } };
}

TEST(secrets_stay_at_home_when_a_redirect_leads_elsewhere)
{
	static const char *const want[] = { "far", "far", "near" };

	for (int i = 0; i < 3; i++) {
		AUTO(scene) struct scene scene = { .counter = i };

		scene_open(&scene, redirector, LOGIN("reg.example.com"));
		expect_body(&scene, want[i]);
	}
}

TEST(some_redirects_are_not_followed)
{
	static const char *const parts[] = { "plain http", "inside this network",
					     "inside this network", "inside this network",
					     "more than 10 times" };

	for (int i = 0; i < 5; i++) {
		AUTO(scene) struct scene scene = { .counter = i + 3 };

		scene_open(&scene, redirector, LOGIN("reg.example.com"));
		expect_failure(&scene, ERR_INVALID, parts[i]);
		assert_int_equal(scene.fake.lines.len, i < 4 ? 2 : 12);
	}
}

/* Sends everybody to a stranger, who wants to see nothing of ours. */
static struct fake_answer sends_away(struct fake *fake, const char *line, const char *auth,
				     struct str body)
{
	(void)body;
	if (is_to(line, "GET https://reg."))
		return auth ?
			       (struct fake_answer){
				       .status = 307,
				       .headers = { "Location: https://cdn.example.net/b" }
			       } :
			       NO(401);
	return auth || fake_header(fake->request, "X-Key:") ? NO(400) : OK("far");
}

TEST(neither_a_registry_token_nor_a_header_of_ours_leaves_home)
{
	struct strings headers = { 0 };
	AUTO(scene) struct scene scene = { 0 };
	AUTO(http_response) struct http_response *response = NULL;
	struct client_request request = { .method = HTTP_GET,
					  .path = "/blobs/x",
					  .actions = "pull" };

	scene_open(
		&scene, sends_away,
		"DOCKER_AUTH_CONFIG={\"auths\":{\"reg.example.com\":{\"registrytoken\":\"rt\"}}}");
	strings_push(&headers, "X-Key: of the request");
	strings_push(&scene.place.headers, "X-Key: of the place");
	request.place = &scene.place;
	request.headers = &headers;
	assert_ok(client_send(scene.client, &request, &response));
	expect_lines(&scene.fake,
		     (const char *const[]){
			     "GET https://reg.example.com/v2/team/app/blobs/x [Bearer rt]",
			     "GET https://cdn.example.net/b",
			     NULL,
		     });
	strings_release(&headers);
	strings_release(&scene.place.headers);
}

/* The stranger at the end of a redirect wants a token of its own. */
static struct fake_answer vanity(struct fake *fake, const char *line, const char *auth,
				 struct str body)
{
	(void)fake, (void)body;
	if (is_to(line, "GET https://reg."))
		return (struct fake_answer){
			.status = 307, .headers = { "Location: https://back.example.net/v2/a/m" }
		};
	if (is_to(line, "GET https://back.example.net/token"))
		return auth ? NO(400) : OK("{\"token\":\"theirs\"}");
	if (auth && strcmp(auth, "Bearer theirs") == 0)
		return OK("behind");
	return (struct fake_answer){
		.status = 401,
		.headers = { "WWW-Authenticate: Bearer realm=/token,scope=\"repository:a:pull\"" },
	};
}

TEST(a_stranger_behind_a_redirect_gets_an_anonymous_token_at_most)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, vanity, LOGIN("reg.example.com"));
	expect_body(&scene, "behind");
	assert_int_equal(scene.fake.lines.len, 4);
}

/* ---- again ---- */

static struct fake_answer sick(struct fake *fake, const char *line, const char *auth,
			       struct str body)
{
	struct scene *scene = fake->test;

	(void)line, (void)auth, (void)body;
	if (fake->lines.len > 2)
		return OK("well");
	return scene->counter ? NO(scene->counter) : (struct fake_answer){ .trouble = HTTP_BROKEN };
}

TEST(what_may_pass_is_tried_again_and_told)
{
	static const int statuses[] = { 0, 408, 429, 499, 500, 502, 503, 504, 522 };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		AUTO(scene) struct scene scene = { .counter = statuses[i] };

		scene_open(&scene, sick, NULL);
		expect_body(&scene, "well");
		assert_int_equal(scene.fake.lines.len, 3);
		assert_int_equal(scene.said.len, 2);
	}
}

TEST(what_will_not_pass_is_tried_once)
{
	static const struct {
		int status;
		enum err_kind kind;
	} cases[] = {
		{ 400, ERR_INVALID }, { 403, ERR_DENIED },  { 404, ERR_NOT_FOUND },
		{ 405, ERR_INVALID }, { 413, ERR_INVALID }, { 501, ERR_NETWORK },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(scene) struct scene scene = { .counter = cases[i].status };

		scene_open(&scene, sick, NULL);
		expect_failure(&scene, cases[i].kind, "GET https://reg.example.com/v2/team/app");
		assert_int_equal(scene.fake.lines.len, 1);
	}
}

static struct fake_answer always_sick(struct fake *fake, const char *line, const char *auth,
				      struct str body)
{
	struct scene *scene = fake->test;

	(void)line, (void)auth, (void)body;
	return (struct fake_answer){ .status = scene->counter ? 0 : 503,
				     .trouble = (enum http_trouble)scene->counter };
}

TEST(the_number_of_repeats_has_an_end)
{
	static const struct {
		enum http_trouble trouble;
		size_t requests;
	} cases[] = {
		{ HTTP_FINE, 6 },   { HTTP_BROKEN, 6 },  { HTTP_NO_HOST, 3 },
		{ HTTP_NO_TLS, 1 }, { HTTP_NOT_TLS, 1 }, { HTTP_PROXY, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(scene) struct scene scene = { .counter = (int)cases[i].trouble };

		scene_open(&scene, always_sick, NULL);
		expect_failure(&scene, ERR_NETWORK, "");
		assert_int_equal(scene.fake.lines.len, cases[i].requests);
	}
}

TEST(nothing_is_tried_again_if_the_user_says_so)
{
	AUTO(scene)
	struct scene scene = { .counter = HTTP_BROKEN, .opts = { .never_again = true } };

	scene_open(&scene, always_sick, NULL);
	expect_failure(&scene, ERR_NETWORK, "");
	assert_int_equal(scene.fake.lines.len, 1);
}

TEST(a_pause_that_the_user_says_does_not_grow)
{
	AUTO(scene) struct scene scene = { .opts = { .retry_delay = 100, .retries = 4 } };

	scene_open(&scene, always_sick, NULL);
	expect_failure(&scene, ERR_NETWORK, "");
	assert_int_equal(scene.said.len, 4);
	vec_foreach (&scene.said, line)
		assert_non_null(strstr(*line, "trying again in 0.1 s"));
}

static struct fake_answer busy(struct fake *fake, const char *line, const char *auth,
			       struct str body)
{
	struct scene *scene = fake->test;

	(void)line, (void)auth, (void)body;
	if (fake->lines.len > 1)
		return OK("later");
	return (struct fake_answer){
		.status = 429,
		.headers = { scene->counter ? "Retry-After: 100000" : "retry-after: 1" },
	};
}

TEST(retry_after_is_honoured_up_to_a_limit)
{
	AUTO(scene) struct scene scene = { 0 };
	AUTO(scene) struct scene other = { .counter = 1 };
	uint64_t before = clock_monotonic();

	scene_open(&scene, busy, NULL);
	expect_body(&scene, "later");
	assert_true(clock_monotonic() - before >= UINT64_C(1000000000));

	scene_open(&other, busy, NULL);
	expect_failure(&other, ERR_NETWORK, "--retry-max-wait");
	assert_int_equal(other.fake.lines.len, 1);
}

/* Wants to be left alone for 100 s. */
static struct fake_answer tired(struct fake *fake, const char *line, const char *auth,
				struct str body)
{
	(void)fake, (void)line, (void)auth, (void)body;
	return (struct fake_answer){ .status = 429, .headers = { "Retry-After: 100" } };
}

static void *stop_soon(void *scope)
{
	usleep(100 * 1000);
	cancel_stop(scope);
	return NULL;
}

TEST(who_waits_to_try_again_hears_that_it_is_not_wanted_any_more)
{
	AUTO(scene) struct scene scene = { 0 };
	struct cancel_scope scope = { 0 };
	const struct cancel_scope *outer = cancel_enter(&scope);
	uint64_t before = clock_monotonic();
	pthread_t thread;

	scene_open(&scene, tired, NULL);
	assert_int_equal(pthread_create(&thread, NULL, stop_soon, &scope), 0);
	expect_failure(&scene, ERR_CANCELLED, "");
	assert_true(clock_monotonic() - before < UINT64_C(10000000000));
	pthread_join(thread, NULL);
	cancel_enter(outer);
}

/* ---- plain http ---- */

static struct fake_answer plain(struct fake *fake, const char *line, const char *auth,
				struct str body)
{
	static const enum http_trouble troubles[] = { HTTP_NOT_TLS, HTTP_NO_TLS, HTTP_CLOSED };
	struct scene *scene = fake->test;

	(void)auth, (void)body;
	if (is_to(line, "GET https:"))
		return (struct fake_answer){ .trouble = troubles[scene->counter] };
	return OK("plain");
}

static struct place place_at(const char *host, bool insecure)
{
	return (struct place){ .host = (char *)host,
			       .server = (char *)host,
			       .path = (char *)"team/app",
			       .api = (char *)"/v2",
			       .insecure = insecure };
}

TEST(plain_http_is_for_loopback_and_for_who_says_so)
{
	AUTO(scene) struct scene loopback = { .place = place_at("127.0.0.1:5000", false) };
	AUTO(scene) struct scene insecure = { .place = place_at("reg.example.com", true) };
	AUTO(scene) struct scene other = { 0 };
	AUTO(scene) struct scene looks_local = { .place = place_at("10.0.0.1:5000", false) };
	AUTO(scene)
	struct scene forged = { .place = place_at("127.0.0.1:5000", false), .counter = 1 };
	AUTO(scene)
	struct scene closes = { .place = place_at("localhost:5000", false), .counter = 2 };
	AUTO(scene) struct scene closes_elsewhere = { .counter = 2 };

	scene_open(&loopback, plain, NULL);
	expect_body(&loopback, "plain");
	expect_body(&loopback, "plain");
	expect_lines(&loopback.fake, (const char *const[]){
					     "GET https://127.0.0.1:5000/v2/team/app/manifests/1",
					     "GET http://127.0.0.1:5000/v2/team/app/manifests/1",
					     "GET http://127.0.0.1:5000/v2/team/app/manifests/1",
					     NULL,
				     });
	scene_open(&insecure, plain, NULL);
	expect_body(&insecure, "plain");
	scene_open(&other, plain, NULL);
	expect_failure(&other, ERR_NETWORK, "");
	scene_open(&looks_local, plain, NULL);
	expect_failure(&looks_local, ERR_NETWORK, "");
	/* a certificate that is refused is no reason to do without */
	scene_open(&forged, plain, NULL);
	expect_failure(&forged, ERR_NETWORK, "");
	/* some plain servers just close when they are greeted by TLS */
	scene_open(&closes, plain, NULL);
	expect_body(&closes, "plain");
	scene_open(&closes_elsewhere, plain, NULL);
	expect_failure(&closes_elsewhere, ERR_NETWORK, "");
}

/* https was only busy closing connections: what answers in clear text does not answer at all. */
static struct fake_answer busy_handshake(struct fake *fake, const char *line, const char *auth,
					 struct str body)
{
	(void)auth, (void)body;
	if (!is_to(line, "GET https:"))
		return (struct fake_answer){ .trouble = HTTP_BROKEN };
	if (fake->lines.len == 1)
		return (struct fake_answer){ .trouble = HTTP_CLOSED };
	return OK("tls");
}

TEST(a_handshake_that_broke_once_does_not_make_it_http_for_good)
{
	AUTO(scene) struct scene scene = { .place = place_at("127.0.0.1:5000", false) };

	scene_open(&scene, busy_handshake, NULL);
	expect_body(&scene, "tls");
	assert_int_equal(scene.fake.lines.len, 3);
}

/* ---- addresses ---- */

static enum address_reach nearest_of_last(const struct scene *scene)
{
	return (enum address_reach)scene->counter;
}

/* Leads to a content server by another name, whose address the transport is to judge. */
static struct fake_answer leads_away(struct fake *fake, const char *line, const char *auth,
				     struct str body)
{
	struct scene *scene = fake->test;

	(void)auth, (void)body;
	scene->counter = (int)fake->request->nearest;
	if (is_to(line, "GET https://cdn.example.net/"))
		return OK("content");
	return (struct fake_answer){ .status = 307,
				     .is_inside = strstr(line, "corp.example.com"),
				     .headers = { "Location: https://cdn.example.net/x" } };
}

TEST(who_is_outside_cannot_send_us_to_this_machine_by_any_name)
{
	AUTO(scene) struct scene outside = { 0 };
	AUTO(scene) struct scene inside = { .place = place_at("corp.example.com", false) };
	AUTO(scene) struct scene literal = { .place = place_at("10.0.0.1", false) };

	scene_open(&outside, leads_away, NULL);
	expect_body(&outside, "content");
	assert_int_equal(nearest_of_last(&outside), ADDRESS_PRIVATE);
	scene_open(&inside, leads_away, NULL);
	expect_body(&inside, "content");
	assert_int_equal(nearest_of_last(&inside), ADDRESS_NEAR);
	scene_open(&literal, leads_away, NULL);
	expect_body(&literal, "content");
	assert_int_equal(nearest_of_last(&literal), ADDRESS_NEAR);
}

/* ---- other rules ---- */

TEST(offline_sends_nothing)
{
	AUTO(scene) struct scene scene = { .opts = { .offline = true } };

	scene_open(&scene, open_registry, NULL);
	expect_failure(&scene, ERR_NETWORK, "--offline");
	assert_int_equal(scene.fake.lines.len, 0);
}

static struct fake_answer warning(struct fake *fake, const char *line, const char *auth,
				  struct str body)
{
	(void)fake, (void)line, (void)auth, (void)body;
	return (struct fake_answer){ .status = 200,
				     .headers = { "Warning: 299 - \"old\"",
						  "Warning: 299 - \"sold\"" },
				     .body = "" };
}

TEST(warnings_of_a_registry_are_passed_on_once)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, warning, NULL);
	expect_body(&scene, "");
	expect_body(&scene, "");
	assert_int_equal(scene.said.len, 2);
	assert_string_equal(scene.said.at[0], "the registry says: old");
}

static struct fake_answer complaints(struct fake *fake, const char *line, const char *auth,
				     struct str body)
{
	static const struct fake_answer answers[] = {
		{ .status = 404,
		  .headers = { "Content-Type: application/json" },
		  .body = "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest "
			  "unknown\",\"detail\":{\"Tag\":\"1\"}}]}" },
		{ .status = 404, .body = "{\"details\":\"gone\\nfor good\"}" },
		{ .status = 404, .headers = { "Content-Type: text/html" }, .body = "<html>no" },
		{ .status = 404,
		  .headers = { "Content-Type: text/plain; charset=utf-8" },
		  .body = "404 page\n not found\n" },
		{ .status = 404 },
	};
	struct scene *scene = fake->test;

	(void)line, (void)auth, (void)body;
	return answers[scene->counter];
}

TEST(what_a_registry_says_is_in_the_error)
{
	static const char *const want[] = { ": MANIFEST_UNKNOWN: manifest unknown",
					    ": gone for good", "", ": 404 page  not found", "" };

	for (int i = 0; i < 5; i++) {
		AUTO(scene) struct scene scene = { .counter = i };
		AUTO(mem) char *body = NULL;
		AUTO(mem)
		char *text = xasprintf("GET https://reg.example.com/v2/team/app/manifests/1: 404%s",
				       want[i]);
		AUTO(err) struct err *err = NULL;
		int status;

		scene_open(&scene, complaints, NULL);
		err = get(&scene, "/manifests/1", &status, &body);
		assert_int_equal(err_kind(err), ERR_NOT_FOUND);
		assert_string_equal(err_text(err), text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials_are_not_shown_to_who_does_not_ask),
		cmocka_unit_test(basic_is_learned_once),
		cmocka_unit_test(wrong_credentials_are_sent_once_and_named),
		cmocka_unit_test(a_way_to_say_who_we_are_that_is_not_spoken_here_is_named),
		cmocka_unit_test(credentials_of_another_host_are_not_sent),
		cmocka_unit_test(a_token_is_fetched_with_the_credentials_and_used_again),
		cmocka_unit_test(without_credentials_the_token_is_an_anonymous_one),
		cmocka_unit_test(a_token_that_is_refused_in_the_middle_is_renewed),
		cmocka_unit_test(a_token_that_does_not_help_is_not_asked_for_for_ever),
		cmocka_unit_test(a_scope_that_is_missing_is_asked_for_once_behind_the_first),
		cmocka_unit_test(an_identity_token_is_exchanged_by_post),
		cmocka_unit_test(
			a_realm_of_strangers_gets_no_credentials_and_no_realm_leads_inside),
		cmocka_unit_test(a_realm_that_the_user_trusts_gets_them),
		cmocka_unit_test(a_401_without_a_challenge_is_explained_by_the_ping),
		cmocka_unit_test(secrets_stay_at_home_when_a_redirect_leads_elsewhere),
		cmocka_unit_test(neither_a_registry_token_nor_a_header_of_ours_leaves_home),
		cmocka_unit_test(some_redirects_are_not_followed),
		cmocka_unit_test(a_stranger_behind_a_redirect_gets_an_anonymous_token_at_most),
		cmocka_unit_test(what_may_pass_is_tried_again_and_told),
		cmocka_unit_test(what_will_not_pass_is_tried_once),
		cmocka_unit_test(the_number_of_repeats_has_an_end),
		cmocka_unit_test(nothing_is_tried_again_if_the_user_says_so),
		cmocka_unit_test(a_pause_that_the_user_says_does_not_grow),
		cmocka_unit_test(retry_after_is_honoured_up_to_a_limit),
		cmocka_unit_test(who_waits_to_try_again_hears_that_it_is_not_wanted_any_more),
		cmocka_unit_test(plain_http_is_for_loopback_and_for_who_says_so),
		cmocka_unit_test(a_handshake_that_broke_once_does_not_make_it_http_for_good),
		cmocka_unit_test(who_is_outside_cannot_send_us_to_this_machine_by_any_name),
		cmocka_unit_test(offline_sends_nothing),
		cmocka_unit_test(warnings_of_a_registry_are_passed_on_once),
		cmocka_unit_test(what_a_registry_says_is_in_the_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
