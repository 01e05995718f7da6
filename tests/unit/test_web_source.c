/* tests/unit/test_web_source.c - a file of the web: what is asked, what is kept, what is believed. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "builder/web_source.h"
#include "registry/client.h"
#include "registry/config_paths.h"
#include "store/blob.h"
#include "tests/unit/room.h"
#include "tests/unit/transport.h"

#define URL "https://files.example.com/dir/tool-1.0.bin"
/* sha256sum of "content\n" */
#define CONTENT "content\n"
#define CONTENT_SHA "sha256:434728a410a78f56fc1b5899c3593436e61ab0c731e9072d95e96db290205e53"
#define OLD "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT"
#define OLD_TIME 1445412480

/* The server of a test: one file, which may change. */
struct server {
	struct fake fake;
	struct config_paths paths;
	char *environment[1];
	struct client *client;
	struct web_source_opts opts;
	const char *body, *etag, *modified, *date; /* whole header lines; NULL: not sent */
	unsigned breaks;                           /* so many bodies break off */
	unsigned sent;                             /* bodies */
	char *asked;                               /* If-... headers of the last request, owned */
};

static struct fake_answer serve(struct fake *fake, const char *line, const char *auth,
				struct str body)
{
	struct server *server = fake->test;
	const char *none_match = fake_header(fake->request, "If-None-Match: ");
	const char *since = fake_header(fake->request, "If-Modified-Since: ");
	struct fake_answer answer = { .status = 200, .body = server->body };
	size_t n = 0;

	(void)line, (void)auth, (void)body;
	free(server->asked);
	server->asked = xasprintf("%s|%s", none_match ? none_match : "", since ? since : "");
	if (!server->body)
		return (struct fake_answer){ .status = 404 };
	if (server->etag)
		answer.headers[n++] = server->etag;
	if (server->modified)
		answer.headers[n++] = server->modified;
	if (server->date)
		answer.headers[n++] = server->date;
	if (none_match ? server->etag && strstr(server->etag, none_match) :
			 since && server->modified && strstr(server->modified, since)) {
		answer.status = 304;
		answer.body = NULL;
		return answer;
	}
	server->sent++;
	if (server->breaks) {
		server->breaks--;
		answer.cut = 3;
	}
	return answer;
}

static void server_open(struct server *server)
{
	server->fake = (struct fake)FAKE_INIT(serve, server);
	server->paths =
		(struct config_paths){ .root = "/nonexistent", .environment = server->environment };
	server->client = client_new(
		&(struct client_opts){ .paths = &server->paths, .retry_pause = 1, .retries = 1 },
		fake_transport(&server->fake));
	server->opts = (struct web_source_opts){ .store = store, .client = server->client };
}

static void server_auto_(struct server *server)
{
	client_free(server->client);
	fake_release(&server->fake);
	free(server->asked);
}

static struct web_source expect_content(struct server *server, const char *want)
{
	struct web_source source;
	char data[64] = "";
	AUTO(fd) int fd = -1;
	uint64_t size;

	assert_ok(web_source_get(&server->opts, URL, &source));
	assert_ok(blob_open(store, &source.digest, &fd, &size));
	assert_int_equal(size, strlen(want));
	assert_int_equal(source.size, size);
	assert_int_equal(read(fd, data, sizeof(data)), size);
	assert_memory_equal(data, want, size);
	return source;
}

static void expect_sent(const struct server *server, unsigned bodies, size_t requests)
{
	assert_int_equal(server->sent, bodies);
	assert_int_equal(server->fake.lines.len, requests);
}

TEST(what_did_not_change_is_asked_for_and_not_sent)
{
	AUTO(server) struct server server = { .body = CONTENT, .etag = "ETag: \"1\"" };
	struct web_source source;
	char text[DIGEST_TEXT_SIZE];

	server_open(&server);
	source = expect_content(&server, CONTENT);
	assert_true(source.fetched && !source.has_time);
	assert_string_equal(digest_format(&source.digest, text), CONTENT_SHA);
	assert_string_equal(server.asked, "|");
	source = expect_content(&server, CONTENT);
	assert_false(source.fetched);
	assert_string_equal(server.asked, "\"1\"|");
	expect_sent(&server, 1, 2);

	server.body = "changed\n";
	server.etag = "ETag: \"2\"";
	source = expect_content(&server, "changed\n");
	assert_true(source.fetched);
	expect_sent(&server, 2, 3);
	expect_content(&server, "changed\n");
	expect_sent(&server, 2, 4);
}

TEST(a_time_is_a_validator_once_it_lies_back)
{
	AUTO(server) struct server server = { .body = CONTENT, .modified = OLD };
	struct web_source source;

	server_open(&server);
	source = expect_content(&server, CONTENT);
	assert_true(source.has_time);
	assert_int_equal(source.time, OLD_TIME);
	source = expect_content(&server, CONTENT);
	assert_int_equal(source.time, OLD_TIME);
	assert_string_equal(server.asked, "|Wed, 21 Oct 2015 07:28:00 GMT");
	expect_sent(&server, 1, 2);
}

TEST(a_time_of_just_now_is_none)
{
	AUTO(server)
	struct server server = { .body = CONTENT,
				 .modified = OLD,
				 .date = "Date: Wed, 21 Oct 2015 07:28:30 GMT" };

	server_open(&server);
	expect_content(&server, CONTENT);
	expect_content(&server, CONTENT);
	assert_string_equal(server.asked, "|");
	expect_sent(&server, 2, 2);
}

TEST(a_checksum_that_is_known_asks_nobody)
{
	AUTO(server) struct server server = { .body = CONTENT };
	struct digest want;

	server_open(&server);
	assert_ok(digest_parse(CONTENT_SHA, &want));
	server.opts.checksum = &want;
	expect_content(&server, CONTENT);
	expect_content(&server, CONTENT);
	expect_sent(&server, 1, 1);
}

TEST(a_wrong_checksum_is_told_and_nothing_is_kept_of_it)
{
	AUTO(server) struct server server = { .body = "evil\n", .etag = "ETag: \"1\"" };
	struct web_source source;
	struct digest want;
	struct err *err;

	server_open(&server);
	assert_ok(digest_parse(CONTENT_SHA, &want));
	server.opts.checksum = &want;
	err = web_source_get(&server.opts, URL "?sign=hidden", &source);
	assert_int_equal(err_kind(err), ERR_CORRUPT);
	assert_non_null(strstr(err_text(err), CONTENT_SHA));
	assert_null(strstr(err_text(err), "hidden"));
	err_free(err);
	assert_false(room_has("web"));
	server.body = CONTENT;
	expect_content(&server, CONTENT);
}

TEST(without_a_network_what_was_fetched_is_taken)
{
	AUTO(server) struct server server = { .body = CONTENT, .modified = OLD };
	struct web_source source;

	server_open(&server);
	server.opts.client = NULL;
	assert_fails(web_source_get(&server.opts, URL, &source), ERR_NETWORK);
	server.opts.client = server.client;
	expect_content(&server, CONTENT);
	room_reopen();
	server.opts.store = store;
	server.opts.client = NULL;
	source = expect_content(&server, CONTENT);
	assert_int_equal(source.time, OLD_TIME);
	expect_sent(&server, 1, 1);
}

TEST(a_body_that_breaks_off_is_begun_again)
{
	AUTO(server) struct server server = { .body = CONTENT, .breaks = 2 };
	struct web_source source;

	server_open(&server);
	expect_content(&server, CONTENT);
	expect_sent(&server, 3, 3);
	server.breaks = 1000;
	assert_fails(web_source_get(&server.opts, URL "2", &source), ERR_NETWORK);
	assert_true(server.sent < 20);
}

TEST(what_is_gone_is_not_taken_from_here)
{
	AUTO(server) struct server server = { .body = CONTENT, .etag = "ETag: \"1\"" };
	struct web_source source;

	server_open(&server);
	expect_content(&server, CONTENT);
	server.body = NULL;
	assert_fails(web_source_get(&server.opts, URL, &source), ERR_NOT_FOUND);
}

TEST(a_lost_or_damaged_record_and_a_lost_blob_cost_a_fetch)
{
	AUTO(server) struct server server = { .body = CONTENT, .etag = "ETag: \"1\"" };
	AUTO(strings) struct strings names = { 0 };
	AUTO(mem) char *path = NULL;

	server_open(&server);
	expect_content(&server, CONTENT);
	assert_ok(file_list(store_fd(store), "web", &names));
	assert_int_equal(names.len, 1);
	path = xasprintf("web/%s", names.at[0]);
	room_put(path, "rubbish\n", 8);
	expect_content(&server, CONTENT);
	expect_sent(&server, 2, 2);
	assert_int_equal(
		unlinkat(store_fd(store),
			 "blobs/sha256/"
			 "434728a410a78f56fc1b5899c3593436e61ab0c731e9072d95e96db290205e53",
			 0),
		0);
	expect_content(&server, CONTENT);
	expect_sent(&server, 3, 3);
}

TEST(the_url_gives_the_name)
{
	static const struct {
		const char *url, *name; /* NULL: none */
	} cases[] = {
		{ "http://host/a/b.tar.gz", "b.tar.gz" },
		{ "http://host/a/b?x=/c/d#/e", "b" },
		{ "http://host/a/b/", "b" },
		{ "http://host/a%20b", "a b" },
		{ "http://host/a%2Fb", "b" },
		{ "http://host/%2e%2e", NULL },
		{ "http://host/a/..", NULL },
		{ "http://host/.", NULL },
		{ "http://host", NULL },
		{ "http://host/", NULL },
		{ "http://host?a=b/c", NULL },
		{ "http://host/a%00b", NULL },
		{ "http://host/100%", "100%" },
		{ "http://user:pass@host/x", "x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *name = web_source_name(cases[i].url);

		if (!name != !cases[i].name || (name && strcmp(name, cases[i].name) != 0))
			fail_msg("%s is called %s", cases[i].url, name ? name : "nothing");
	}
}

TEST(only_http_is_of_the_web)
{
	assert_true(web_source_is_url("http://a/b"));
	assert_true(web_source_is_url("HTTPS://a/b"));
	assert_false(web_source_is_url("ftp://a/b"));
	assert_false(web_source_is_url("http:/a/b"));
	assert_false(web_source_is_url("a/http://b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(what_did_not_change_is_asked_for_and_not_sent),
		ROOM_TEST(a_time_is_a_validator_once_it_lies_back),
		ROOM_TEST(a_time_of_just_now_is_none),
		ROOM_TEST(a_checksum_that_is_known_asks_nobody),
		ROOM_TEST(a_wrong_checksum_is_told_and_nothing_is_kept_of_it),
		ROOM_TEST(without_a_network_what_was_fetched_is_taken),
		ROOM_TEST(a_body_that_breaks_off_is_begun_again),
		ROOM_TEST(what_is_gone_is_not_taken_from_here),
		ROOM_TEST(a_lost_or_damaged_record_and_a_lost_blob_cost_a_fetch),
		cmocka_unit_test(the_url_gives_the_name),
		cmocka_unit_test(only_http_is_of_the_web),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
