/* tests/unit/test_web.c - files of the web from servers that are functions: who is told what. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "registry/client.h"
#include "registry/config_paths.h"
#include "registry/web.h"
#include "tests/unit/transport.h"

typedef struct fake_answer answer_fn(struct fake *fake, const char *line, const char *auth,
				     struct str body);

struct scene {
	struct fake fake;
	char *environment[2];
	struct config_paths paths;
	struct client_opts opts;
	struct client *client;
	struct web_auth auth;
	const char *known_at, *known; /* what `auth` finds, and where */
	enum address_reach nearest;   /* of the last request */
};

static struct err *find_auth(void *self, const char *authority, char **ret)
{
	struct scene *scene = self;

	*ret = scene->known_at && strcmp(authority, scene->known_at) == 0 ? xstrdup(scene->known) :
									    NULL;
	return NULL;
}

static void scene_open(struct scene *scene, answer_fn *answer)
{
	scene->fake = (struct fake)FAKE_INIT(answer, scene);
	/* credentials of a registry: they must never be sent */
	scene->environment[0] =
		(char *)"DOCKER_AUTH_CONFIG={\"auths\":{\"files.example.com\":{\"auth\":"
			"\"dTpw\"}}}";
	scene->paths = (struct config_paths){ .root = "/nonexistent",
					      .environment = scene->environment,
					      .user = 12345 };
	scene->opts.paths = &scene->paths;
	scene->opts.retry_pause = 2;
	scene->auth = (struct web_auth){ find_auth, scene };
	scene->client = client_new(&scene->opts, fake_transport(&scene->fake));
}

static void scene_auto_(struct scene *scene)
{
	client_free(scene->client);
	fake_release(&scene->fake);
}

static struct err *get(struct scene *scene, const char *url, char **ret_body)
{
	AUTO(http_response) struct http_response *response = NULL;
	AUTO(buf) struct buf body = BUF_INIT(4096);

	TRY(web_get(scene->client, &(struct web_request){ .url = url, .auth = &scene->auth },
		    &response));
	TRY(client_read(response, 4096, "the body", &body));
	*ret_body = buf_steal(&body);
	return NULL;
}

static void expect_body(struct scene *scene, const char *url, const char *want)
{
	AUTO(mem) char *body = NULL;

	assert_ok(get(scene, url, &body));
	assert_string_equal(body, want);
}

static void expect_failure(struct scene *scene, const char *url, enum err_kind kind,
			   const char *text)
{
	AUTO(mem) char *body = NULL;
	AUTO(err) struct err *err = get(scene, url, &body);

	assert_int_equal(err_kind(err), kind);
	if (!strstr(err_text(err), text))
		fail_msg("'%s' does not say '%s'", err_text(err), text);
}

#define OK(text) ((struct fake_answer){ .status = 200, .body = (text) })
#define NO(code) ((struct fake_answer){ .status = (code) })
#define TO(location) ((struct fake_answer){ .status = 302, .headers = { "Location: " location } })

static struct fake_answer plain(struct fake *fake, const char *line, const char *auth,
				struct str body)
{
	(void)fake, (void)line, (void)auth, (void)body;
	return OK("content");
}

TEST(credentials_of_registries_are_never_sent)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, plain);
	expect_body(&scene, "https://files.example.com/a", "content");
	expect_lines(&scene.fake, (const char *const[]){ "GET https://files.example.com/a", NULL });
}

TEST(what_authorises_goes_to_its_host_without_being_asked)
{
	AUTO(scene) struct scene scene = { .known_at = "files.example.com", .known = "Bearer x" };

	scene_open(&scene, plain);
	expect_body(&scene, "https://files.example.com/a", "content");
	expect_body(&scene, "https://files.example.com:444/a", "content");
	expect_body(&scene, "https://other.example.com/a", "content");
	expect_lines(&scene.fake, (const char *const[]){
					  "GET https://files.example.com/a [Bearer x]",
					  "GET https://files.example.com:444/a",
					  "GET https://other.example.com/a",
					  NULL,
				  });
}

TEST(user_and_password_leave_the_url_and_go_to_its_host)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, plain);
	/* "u@x:p:q" in base64 */
	expect_body(&scene, "https://u%40x:p:q@files.example.com/a@b", "content");
	expect_lines(&scene.fake, (const char *const[]){
					  "GET https://files.example.com/a@b [Basic dUB4OnA6cQ==]",
					  NULL,
				  });
}

static struct fake_answer redirecting(struct fake *fake, const char *line, const char *auth,
				      struct str body)
{
	struct scene *scene = fake->test;

	(void)auth, (void)body;
	scene->nearest = fake->request->nearest;
	if (strstr(line, "//files.example.com/elsewhere"))
		return TO("https://cdn.example.net/f?sign=secret");
	if (strstr(line, "//files.example.com/here"))
		return TO("/f");
	if (strstr(line, "/plain"))
		return TO("http://files.example.com/f");
	if (strstr(line, "/inside"))
		return TO("https://169.254.169.254/latest");
	if (strstr(line, "/local"))
		return TO("file:///etc/passwd");
	if (strstr(line, "/nowhere"))
		return NO(302);
	if (strstr(line, "/round"))
		return TO("/round");
	return OK("there");
}

TEST(what_authorises_does_not_follow_a_redirect_to_another_origin)
{
	AUTO(scene) struct scene scene = { .known_at = "files.example.com", .known = "Bearer x" };

	scene_open(&scene, redirecting);
	expect_body(&scene, "https://files.example.com/elsewhere", "there");
	expect_body(&scene, "https://files.example.com/here", "there");
	expect_lines(&scene.fake, (const char *const[]){
					  "GET https://files.example.com/elsewhere [Bearer x]",
					  "GET https://cdn.example.net/f?sign=secret",
					  "GET https://files.example.com/here [Bearer x]",
					  "GET https://files.example.com/f [Bearer x]",
					  NULL,
				  });
}

TEST(user_and_password_do_not_follow_a_redirect_either)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, redirecting);
	expect_body(&scene, "https://u:p@files.example.com/elsewhere", "there");
	expect_lines(&scene.fake, (const char *const[]){
					  "GET https://files.example.com/elsewhere [Basic dTpw]",
					  "GET https://cdn.example.net/f?sign=secret",
					  NULL,
				  });
}

TEST(some_redirects_are_not_followed)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, redirecting);
	expect_body(&scene, "https://files.example.com/here", "there");
	assert_int_equal(scene.nearest, ADDRESS_NEAR);
	expect_body(&scene, "https://files.example.com/elsewhere", "there");
	assert_int_not_equal(scene.nearest, ADDRESS_NEAR); /* by whatever name */
	expect_failure(&scene, "https://files.example.com/plain", ERR_INVALID, "plain http");
	expect_failure(&scene, "https://files.example.com/inside", ERR_INVALID,
		       "inside this network");
	expect_failure(&scene, "https://files.example.com/local", ERR_INVALID, "URL");
	expect_failure(&scene, "https://files.example.com/nowhere", ERR_INVALID, "nowhere");
	expect_failure(&scene, "https://files.example.com/round", ERR_INVALID, "more than 10");
}

static struct fake_answer refusing(struct fake *fake, const char *line, const char *auth,
				   struct str body)
{
	(void)auth, (void)body;
	if (strstr(line, "/401"))
		return NO(401);
	if (strstr(line, "/404"))
		return NO(404);
	if (strstr(line, "/410"))
		return NO(410);
	return fake->lines.len < 3 ? NO(503) : OK("at last");
}

TEST(refusals_are_told_apart_and_passing_ones_tried_again)
{
	AUTO(scene) struct scene scene = { 0 };

	scene_open(&scene, refusing);
	expect_body(&scene, "https://files.example.com/busy", "at last");
	assert_int_equal(scene.fake.lines.len, 3);
	expect_failure(&scene, "https://files.example.com/404?key=secret", ERR_NOT_FOUND, "404");
	expect_failure(&scene, "https://u:secret@files.example.com/401", ERR_DENIED, "401");
	expect_failure(&scene, "https://files.example.com/410", ERR_INVALID, "410");
	assert_int_equal(scene.fake.lines.len, 6);
}

TEST(no_secret_of_the_url_is_in_an_error)
{
	AUTO(scene) struct scene scene = { 0 };
	AUTO(mem) char *body = NULL;
	struct err *err;

	scene_open(&scene, refusing);
	err = get(&scene, "https://u:hidden@files.example.com/404?key=hidden", &body);
	assert_non_null(err);
	assert_null(strstr(err_text(err), "hidden"));
	err_free(err);
}

TEST(offline_sends_nothing)
{
	AUTO(scene) struct scene scene = { .opts = { .offline = true } };

	scene_open(&scene, plain);
	assert_true(client_is_offline(scene.client));
	expect_failure(&scene, "https://files.example.com/a", ERR_NETWORK, "--offline");
	assert_int_equal(scene.fake.lines.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials_of_registries_are_never_sent),
		cmocka_unit_test(what_authorises_goes_to_its_host_without_being_asked),
		cmocka_unit_test(user_and_password_leave_the_url_and_go_to_its_host),
		cmocka_unit_test(what_authorises_does_not_follow_a_redirect_to_another_origin),
		cmocka_unit_test(user_and_password_do_not_follow_a_redirect_either),
		cmocka_unit_test(some_redirects_are_not_followed),
		cmocka_unit_test(refusals_are_told_apart_and_passing_ones_tried_again),
		cmocka_unit_test(no_secret_of_the_url_is_in_an_error),
		cmocka_unit_test(offline_sends_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
