/* tests/unit/test_http_send.c - bodies of requests, and servers that do not want all of them. */

#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stream.h"
#include "registry/config_paths.h"
#include "registry/http.h"
#include "tests/unit/http_server.h"

#define BIG ((size_t)8 * 1024 * 1024)
#define QUICK 600 /* milliseconds: the stall timeout of these tests */

struct scene {
	struct server server;
	struct transport transport;
	enum http_trouble trouble;
};

static void scene_begin(struct scene *scene, void (*serve)(struct connection *c), unsigned stall)
{
	static char *const environment[] = { NULL };
	static const struct config_paths paths = { "", environment, 0 };
	const struct http_opts opts = { .stall_timeout = stall, .paths = &paths };

	memset(scene, 0, sizeof(*scene));
	server_start(&scene->server, serve);
	scene->transport = http_transport_new(&opts);
}

static void scene_init(struct scene *scene, void (*serve)(struct connection *c))
{
	scene_begin(scene, serve, 60000);
}

/* For tests of stalls: on a loaded machine others would see one, too. */
static void scene_init_quick(struct scene *scene, void (*serve)(struct connection *c))
{
	scene_begin(scene, serve, QUICK);
}

static void scene_release(struct scene *scene)
{
	transport_free(&scene->transport);
	server_stop(&scene->server);
}

static struct err *scene_put(struct scene *scene, const struct http_content *content,
			     struct http_response **ret)
{
	AUTO(mem) char *url = xasprintf("http://127.0.0.1:%u/upload", scene->server.port);
	const struct http_request request = {
		.method = HTTP_PUT, .url = url, .bulk = true, .content = *content
	};

	return scene->transport.ops->send(scene->transport.self, &request, ret, &scene->trouble);
}

static void assert_says(struct err *err, const char *text)
{
	assert_non_null(err);
	if (!strstr(err_text(err), text))
		fail_msg("'%s' does not say '%s'", err_text(err), text);
	err_free(err);
}

/* The first byte of the response's body. */
static char first_byte(struct http_response *response)
{
	char byte = 0;

	assert_ok(source_read_full(response->body, &byte, 1));
	return byte;
}

static char pattern(size_t at)
{
	return (char)(at * 31 + at / 4093);
}

static char *big_bytes(void)
{
	char *bytes = xcalloc(BIG + 10, 1);

	for (size_t i = 0; i < BIG + 10; i++)
		bytes[i] = pattern(i);
	return bytes;
}

/* The number of bytes of the content that are not those of the pattern, or are missing. */
static size_t read_content(struct connection *c, size_t offset)
{
	size_t len = connection_length(c);
	size_t wrong = 0;
	char piece[10000];

	for (size_t at = 0; at < len;) {
		size_t want = len - at < sizeof(piece) ? len - at : sizeof(piece);
		ssize_t n = connection_some(c, piece, want);

		if (n <= 0)
			return wrong + len - at;
		for (ssize_t i = 0; i < n; i++)
			wrong += piece[i] != pattern(offset + at + (size_t)i);
		at += (size_t)n;
	}
	return wrong;
}

/* "g" for good content that asked first, "n" if it did not ask, "b" for bad. `arg` is the offset. */
static void serve_upload(struct connection *c)
{
	while (connection_request(c)) {
		const size_t *offset = c->server->arg;
		bool asked = connection_has(c, "Expect: 100-continue");
		char answer[64];

		if (asked)
			connection_say(c, "HTTP/1.1 100 Continue\r\n\r\n");
		snprintf(answer, sizeof(answer),
			 "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\n%c",
			 read_content(c, offset ? *offset : 0) ? 'b' :
			 asked                                 ? 'g' :
								 'n');
		connection_say(c, answer);
	}
}

TEST(memory_is_sent_as_it_is)
{
	struct scene scene;
	AUTO(mem) char *bytes = big_bytes();
	const struct {
		size_t len;
		char want;
	} cases[] = {
		{ 0, 'n' }, { 1, 'n' }, { 1 << 20, 'n' }, { (1 << 20) + 1, 'g' }, { BIG, 'g' },
	};

	scene_init(&scene, serve_upload);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct http_content content = { .bytes = { bytes, cases[i].len } };
		struct http_response *response = NULL;

		assert_ok(scene_put(&scene, &content, &response));
		assert_int_equal(response->status, 201);
		assert_int_equal(first_byte(response), cases[i].want);
		http_response_free(response);
	}
	assert_int_equal(atomic_load(&scene.server.connections), 1);
	scene_release(&scene);
}

/* A file of the pattern, nameless. */
static int big_file(void)
{
	AUTO(mem) char *bytes = big_bytes();
	int fd = memfd_create("content", MFD_CLOEXEC);

	assert_int_equal(write(fd, bytes, BIG), BIG);
	return fd;
}

static void count_taken(void *self, size_t n)
{
	*(size_t *)self += n;
}

TEST(a_range_of_a_file_is_sent_and_told)
{
	struct scene scene;
	AUTO(fd) int fd = big_file();
	size_t offset = 12345, told = 0;
	const struct http_content content = {
		.fd = fd,
		.from_fd = true,
		.offset = offset,
		.size = BIG - 2 * offset,
		.taken = count_taken,
		.taken_self = &told,
	};
	struct http_response *response = NULL;

	scene_init(&scene, serve_upload);
	scene.server.arg = &offset;
	assert_ok(scene_put(&scene, &content, &response));
	assert_int_equal(first_byte(response), 'g');
	assert_int_equal(told, content.size);
	http_response_free(response);
	scene_release(&scene);
}

TEST(a_file_that_has_become_shorter_is_an_error)
{
	struct scene scene;
	AUTO(fd) int fd = big_file();
	const struct http_content content = { .fd = fd, .from_fd = true, .size = BIG + 1 };
	struct http_response *response = NULL;

	scene_init(&scene, serve_upload);
	assert_says(scene_put(&scene, &content, &response), "shorter");
	scene_release(&scene);
}

/* ---- feeds ---- */

struct writer {
	struct http_feed *feed;
	size_t len;   /* how much it writes */
	bool is_slow; /* it rests in the middle */
	bool breaks;  /* it fails then */
	bool finishes;
	pthread_t thread;
	enum err_kind kind; /* how the sink ended */
};

static void *write_feed(void *arg)
{
	struct writer *writer = arg;
	AUTO(mem) char *bytes = big_bytes();
	struct sink *sink = http_feed_sink(writer->feed);
	size_t half = writer->len / 2;
	struct err *err = NULL;

	sink_write(sink, bytes, half);
	if (writer->is_slow)
		usleep(3 * QUICK * 1000);
	if (writer->breaks)
		http_feed_break(writer->feed);
	else
		sink_write(sink, bytes + half, writer->len - half);
	err = writer->finishes ? sink_finish(sink) : sink_check(sink);
	writer->kind = err_kind(err);
	err_free(err);
	return NULL;
}

/* Send what `writer` writes, announced as `size` bytes. */
static struct err *put_feed(struct scene *scene, struct writer *writer, size_t size,
			    struct http_response **ret)
{
	struct http_content content = { .size = size };
	struct err *err;

	writer->feed = content.feed = http_feed_new();
	pthread_create(&writer->thread, NULL, write_feed, writer);
	err = scene_put(scene, &content, ret);
	pthread_join(writer->thread, NULL);
	return err;
}

TEST(a_feed_is_sent_while_it_is_written)
{
	struct scene scene;

	scene_init_quick(&scene, serve_upload);
	for (int slow = 0; slow < 2; slow++) { /* a slow writer of ours is no stall */
		struct writer writer = { .len = BIG, .is_slow = slow, .finishes = true };
		struct http_response *response = NULL;

		assert_ok(put_feed(&scene, &writer, BIG, &response));
		assert_int_equal(first_byte(response), 'g');
		assert_int_equal(writer.kind, ERR_NONE);
		http_response_free(response);
		http_feed_free(writer.feed);
	}
	scene_release(&scene);
}

TEST(a_feed_that_fails_never_becomes_a_short_body)
{
	static const struct {
		struct writer writer;
		const char *text;
	} cases[] = {
		{ { .len = BIG, .breaks = true }, "has failed" },
		{ { .len = BIG, .breaks = true, .finishes = true }, "has failed" },
		{ { .len = BIG - 1, .finishes = true }, "shorter than announced" },
	};
	struct scene scene;

	scene_init(&scene, serve_upload);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct writer writer = cases[i].writer;
		struct http_response *response = NULL;

		assert_says(put_feed(&scene, &writer, BIG, &response), cases[i].text);
		http_feed_free(writer.feed);
	}
	scene_release(&scene);
}

static void serve_refusal(struct connection *c)
{
	char rest[4096];

	if (!connection_request(c))
		return;
	connection_say(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 1\r\n\r\nx");
	shutdown(c->fd, SHUT_WR);
	while (recv(c->fd, rest, sizeof(rest), 0) > 0)
		;
}

TEST(a_feed_fails_when_the_request_ends_first)
{
	struct scene scene;
	struct writer writer = { .len = BIG };
	struct http_response *response = NULL;

	scene_init(&scene, serve_refusal);
	assert_ok(put_feed(&scene, &writer, BIG, &response));
	assert_int_equal(response->status, 413);
	assert_int_equal(writer.kind, ERR_CANCELLED);
	http_response_free(response);
	http_feed_free(writer.feed);
	scene_release(&scene);
}

TEST(a_feed_fails_when_nothing_can_be_sent)
{
	struct scene scene;
	struct writer writer = { .len = BIG };
	struct http_content content = { .size = BIG };
	const struct http_request request = { .method = HTTP_PUT, .url = "ftp://a.example/" };
	struct http_request with_feed = request;
	struct http_response *response = NULL;

	scene_init(&scene, serve_upload);
	writer.feed = content.feed = http_feed_new();
	with_feed.content = content;
	pthread_create(&writer.thread, NULL, write_feed, &writer);
	assert_fails(scene.transport.ops->send(scene.transport.self, &with_feed, &response,
					       &scene.trouble),
		     ERR_INVALID);
	pthread_join(writer.thread, NULL);
	assert_int_equal(writer.kind, ERR_CANCELLED);
	http_feed_free(writer.feed);
	scene_release(&scene);
}

/* ---- answers before the end ---- */

/* Reads a part of the content, answers, and says no more. The server's `bytes` is how much it reads
 * before. */
static void serve_early(struct connection *c)
{
	size_t len = atomic_load(&c->server->bytes);
	char piece[8192];

	if (!connection_request(c))
		return;
	if (len > 0)
		connection_say(c, "HTTP/1.1 100 Continue\r\n\r\n");
	for (size_t at = 0; at < len;) {
		ssize_t n = connection_some(c, piece, sizeof(piece));

		if (n <= 0)
			return;
		at += (size_t)n;
	}
	connection_say(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge");
	connection_finish(c);
}

TEST(an_answer_before_the_end_of_the_content_is_heard)
{
	static const size_t lens[] = { 0, 100000, 1000000, 3000000 };
	struct scene scene;
	AUTO(mem) char *bytes = big_bytes();
	const struct http_content content = { .bytes = { bytes, BIG } };

	scene_init(&scene, serve_early);
	for (size_t i = 0; i < 10 * ARRAY_SIZE(lens); i++) {
		size_t len = lens[i % ARRAY_SIZE(lens)];
		struct http_response *response = NULL;
		char text[6] = "";

		atomic_store(&scene.server.bytes, len);
		assert_ok(scene_put(&scene, &content, &response));
		assert_int_equal(response->status, 413);
		assert_ok(source_read_full(response->body, text, 5));
		assert_string_equal(text, "large");
		http_response_free(response);
	}
	scene_release(&scene);
}

/* Never says 100. */
static void serve_silently(struct connection *c)
{
	while (connection_request(c)) {
		size_t wrong = read_content(c, 0);

		connection_say(c, "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\n");
		connection_say(c, wrong ? "b" : "g");
	}
}

TEST(a_server_that_never_says_continue_gets_the_content_soon)
{
	struct scene scene;
	AUTO(mem) char *bytes = big_bytes();
	const struct http_content content = { .bytes = { bytes, BIG } };
	struct http_response *response = NULL;
	uint64_t start = clock_monotonic();

	scene_init(&scene, serve_silently);
	assert_ok(scene_put(&scene, &content, &response));
	assert_int_equal(first_byte(response), 'g');
	assert_true(clock_monotonic() - start >= 250 * UINT64_C(1000000));
	http_response_free(response);
	scene_release(&scene);
}

static void serve_no_expectations(struct connection *c)
{
	while (connection_request(c)) {
		if (connection_has(c, "Expect:")) {
			connection_say(
				c, "HTTP/1.1 417 No\r\nContent-Length: 2\r\nX-Not: 1\r\n\r\nno");
			continue;
		}
		connection_say(c, read_content(c, 0) ?
					  "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n" :
					  "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\ng");
	}
}

TEST(a_server_without_expectations_is_asked_again_without)
{
	struct scene scene;
	AUTO(mem) char *bytes = big_bytes();
	const struct http_content content = { .bytes = { bytes, BIG } };
	struct http_response *response = NULL;

	scene_init(&scene, serve_no_expectations);
	assert_ok(scene_put(&scene, &content, &response));
	assert_int_equal(response->status, 201);
	assert_null(http_header(response, "X-Not"));
	assert_int_equal(first_byte(response), 'g');
	http_response_free(response);
	scene_release(&scene);
}

/* Answers the first request; takes the second whole, and goes without an answer. */
static void serve_and_leave(struct connection *c)
{
	for (int i = 0; i < 2 && connection_request(c); i++) {
		size_t wrong = read_content(c, 0);

		atomic_fetch_add(&c->server->bytes, connection_length(c) - wrong);
		if (i == 0)
			connection_say(c, "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\ng");
	}
}

TEST(content_is_sent_again_when_a_kept_connection_was_dead)
{
	struct scene scene;
	AUTO(fd) int fd = big_file();
	const struct http_content content = { .fd = fd, .from_fd = true, .size = 300000 };

	scene_init(&scene, serve_and_leave);
	for (int i = 0; i < 6; i++) {
		struct http_response *response = NULL;

		assert_ok(scene_put(&scene, &content, &response));
		assert_int_equal(first_byte(response), 'g');
		http_response_free(response);
	}
	/* Of six requests each but the first was sent twice, and every byte was right. */
	assert_int_equal(atomic_load(&scene.server.connections), 6);
	assert_int_equal(atomic_load(&scene.server.bytes), 11 * content.size);
	scene_release(&scene);
}

/* Takes all, then thinks for longer than a stall may take. */
static void serve_thinking(struct connection *c)
{
	if (!connection_request(c))
		return;
	connection_say(c, "HTTP/1.1 100 Continue\r\n\r\n");
	read_content(c, 0);
	usleep(3 * QUICK * 1000);
	connection_say(c, "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\ng");
}

TEST(an_answer_to_long_content_may_take_long)
{
	struct scene scene;
	AUTO(mem) char *bytes = big_bytes();
	const struct http_content content = { .bytes = { bytes, BIG } };
	struct http_response *response = NULL;

	scene_init_quick(&scene, serve_thinking);
	assert_ok(scene_put(&scene, &content, &response));
	assert_int_equal(first_byte(response), 'g');
	http_response_free(response);
	scene_release(&scene);
}

/* Does not read the content. */
static void serve_deaf(struct connection *c)
{
	if (!connection_request(c))
		return;
	connection_say(c, "HTTP/1.1 100 Continue\r\n\r\n");
	usleep(4 * QUICK * 1000);
}

TEST(a_server_that_does_not_read_is_a_stall)
{
	struct scene scene;
	AUTO(mem) char *bytes = big_bytes();
	const struct http_content content = { .bytes = { bytes, BIG } };
	struct http_response *response = NULL;

	scene_init_quick(&scene, serve_deaf);
	assert_says(scene_put(&scene, &content, &response), "stalled");
	scene_release(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_sent_as_it_is),
		cmocka_unit_test(a_range_of_a_file_is_sent_and_told),
		cmocka_unit_test(a_file_that_has_become_shorter_is_an_error),
		cmocka_unit_test(a_feed_is_sent_while_it_is_written),
		cmocka_unit_test(a_feed_that_fails_never_becomes_a_short_body),
		cmocka_unit_test(a_feed_fails_when_the_request_ends_first),
		cmocka_unit_test(a_feed_fails_when_nothing_can_be_sent),
		cmocka_unit_test(an_answer_before_the_end_of_the_content_is_heard),
		cmocka_unit_test(a_server_that_never_says_continue_gets_the_content_soon),
		cmocka_unit_test(a_server_without_expectations_is_asked_again_without),
		cmocka_unit_test(content_is_sent_again_when_a_kept_connection_was_dead),
		cmocka_unit_test(an_answer_to_long_content_may_take_long),
		cmocka_unit_test(a_server_that_does_not_read_is_a_stall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
