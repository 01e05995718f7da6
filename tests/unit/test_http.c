/* tests/unit/test_http.c - responses of servers that are slow, short, rude or many. */

#include "tests/unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stream.h"
#include "registry/config_paths.h"
#include "registry/http.h"
#include "tests/unit/child.h"
#include "tests/unit/http_server.h"

#define MILLION 1000000
#define QUICK 700 /* milliseconds: the stall timeout of these tests */

/* One transport and one server. */
struct scene {
	struct server server;
	struct transport transport;
	enum http_trouble trouble; /* of the last request */
};

static void scene_begin(struct scene *scene, void (*serve)(struct connection *c), unsigned stall)
{
	static char *const environment[] = { NULL };
	static const struct config_paths paths = { "", environment, 0 };
	const struct http_opts opts = { .stall_timeout = stall, .per_host = 4, .paths = &paths };

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

static struct err *scene_send(struct scene *scene, enum http_method method, const char *path,
			      bool bulk, struct http_response **ret)
{
	AUTO(mem) char *url = xasprintf("http://127.0.0.1:%u%s", scene->server.port, path);
	const struct http_request request = { .method = method, .url = url, .bulk = bulk };
	enum http_trouble trouble; /* several threads may be here */
	struct err *err =
		scene->transport.ops->send(scene->transport.self, &request, ret, &trouble);

	__atomic_store_n(&scene->trouble, trouble, __ATOMIC_RELAXED);
	return err;
}

static struct err *scene_get(struct scene *scene, struct http_response **ret)
{
	return scene_send(scene, HTTP_GET, "/x", true, ret);
}

/* The whole body as text. */
static struct err *body_text(struct http_response *response, char *text, size_t size)
{
	size_t len = 0;
	size_t n;

	while ((n = source_read(response->body, text + len, size - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	return source_check(response->body);
}

static void assert_says(struct err *err, const char *text)
{
	assert_int_equal(err_kind(err), ERR_NETWORK);
	if (!strstr(err_text(err), text))
		fail_msg("'%s' does not say '%s'", err_text(err), text);
	err_free(err);
}

static uint64_t milliseconds_since(uint64_t start)
{
	return (clock_monotonic() - start) / MILLION;
}

/* ---- heads ---- */

static void serve_head(struct connection *c)
{
	while (connection_request(c))
		connection_say(c, "HTTP/1.1 103 Early Hints\r\nLink: <hint>\r\n\r\n"
				  "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
				  "Link: <a>\r\nX-Folded: one\r\n  two\r\nlink: <b>\r\n"
				  "Content-Length: 4\r\n\r\nbody");
}

TEST(a_response_has_status_headers_and_body)
{
	struct scene scene;
	struct http_response *response = NULL;
	char text[16];
	size_t at = 0;

	scene_init(&scene, serve_head);
	assert_ok(scene_get(&scene, &response));
	assert_int_equal(response->status, 404);
	assert_string_equal(http_header(response, "x-folded"), "one two");
	assert_string_equal(http_header_next(response, "Link", &at), "<a>");
	assert_string_equal(http_header_next(response, "Link", &at), "<b>");
	assert_null(http_header_next(response, "Link", &at));
	assert_ok(body_text(response, text, sizeof(text)));
	assert_string_equal(text, "body");
	http_response_free(response);
	scene_release(&scene);
}

static void serve_request(struct connection *c)
{
	while (connection_request(c)) {
		AUTO(mem)
		char *head = xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
				       strlen(c->head));

		connection_say(c, head);
		connection_say(c, c->head);
	}
}

TEST(a_request_asks_for_nothing_of_its_own_accord)
{
	AUTO(strings) struct strings headers = { 0 };
	struct scene scene;
	struct http_response *response = NULL;
	struct http_request request = { .method = HTTP_DELETE, .headers = &headers };
	AUTO(mem) char *url = NULL;
	AUTO(mem) char *want = NULL;
	char text[1024];

	strings_push(&headers, "Accept: a/b");
	strings_push(&headers, "X-Twice: 1");
	strings_push(&headers, "X-Twice: 2");
	scene_init(&scene, serve_request);
	url = xasprintf("http://127.0.0.1:%u/v2/a%%2fb?x=%%3D", scene.server.port);
	want = xasprintf("DELETE /v2/a%%2fb?x=%%3D HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
			 "User-Agent: cairn/" CAIRN_VERSION "\r\nAccept: a/b\r\nX-Twice: 1\r\n"
			 "X-Twice: 2\r\nAccept-Encoding: identity\r\n\r\n",
			 scene.server.port);
	request.url = url;
	assert_ok(scene.transport.ops->send(scene.transport.self, &request, &response,
					    &scene.trouble));
	assert_ok(body_text(response, text, sizeof(text)));
	assert_string_equal(text, want);
	http_response_free(response);
	scene_release(&scene);
}

TEST(a_header_cannot_become_two)
{
	AUTO(strings) struct strings headers = { 0 };
	struct scene scene;
	struct http_response *response = NULL;
	const struct http_request request = { .url = "http://127.0.0.1:1/", .headers = &headers };

	strings_push(&headers, "Accept: a\r\nX-Evil: 1");
	scene_init(&scene, serve_request);
	assert_fails(scene.transport.ops->send(scene.transport.self, &request, &response,
					       &scene.trouble),
		     ERR_INVALID);
	scene_release(&scene);
}

static void serve_long_head(struct connection *c)
{
	if (!connection_request(c))
		return;
	connection_say(c, "HTTP/1.1 200 OK\r\n");
	while (connection_say(c, "X-Header: 0123456789012345678901234567890123456789\r\n"))
		;
}

TEST(a_head_without_end_is_refused)
{
	struct scene scene;
	struct http_response *response = NULL;

	scene_init(&scene, serve_long_head);
	assert_says(scene_get(&scene, &response), "too long");
	scene_release(&scene);
}

static void serve_long_line(struct connection *c)
{
	if (!connection_request(c))
		return;
	connection_say(c, "HTTP/1.1 200 OK\r\nX-Header: ");
	while (connection_say(c, "0123456789012345678901234567890123456789"))
		;
}

TEST(a_header_without_end_is_refused)
{
	struct scene scene;
	struct http_response *response = NULL;

	scene_init(&scene, serve_long_line);
	assert_says(scene_get(&scene, &response), "too long");
	scene_release(&scene);
}

static void serve_garbage(struct connection *c)
{
	if (connection_request(c))
		connection_say(c, "SSH-2.0-OpenSSH_9.2\r\n");
}

TEST(an_answer_that_is_not_http_is_named)
{
	struct scene scene;
	struct http_response *response = NULL;

	scene_init(&scene, serve_garbage);
	assert_says(scene_get(&scene, &response), "the answer is not HTTP");
	assert_int_equal(scene.trouble, HTTP_BROKEN);
	scene_release(&scene);
}

/* ---- connections ---- */

TEST(connections_serve_again)
{
	struct scene scene;

	scene_init(&scene, serve_head);
	for (int i = 0; i < 5; i++) {
		struct http_response *response = NULL;
		char text[16];

		assert_ok(scene_send(&scene, HTTP_GET, "/", false, &response));
		assert_int_equal(response->reused, i > 0);
		if (i % 2 == 0) /* an unread short body does not hurt */
			assert_ok(body_text(response, text, sizeof(text)));
		http_response_free(response);
	}
	assert_int_equal(atomic_load(&scene.server.connections), 1);
	scene_release(&scene);
}

static void serve_without_body(struct connection *c)
{
	while (connection_request(c)) {
		if (connection_has(c, "HEAD "))
			connection_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n");
		else
			connection_say(c, "HTTP/1.1 204 No Content\r\n\r\n");
	}
}

TEST(responses_without_a_body_end_at_once)
{
	static const enum http_method methods[] = { HTTP_HEAD, HTTP_DELETE, HTTP_POST, HTTP_HEAD };
	struct scene scene;

	scene_init(&scene, serve_without_body);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		struct http_response *response = NULL;
		char text[16];

		assert_ok(scene_send(&scene, methods[i], "/", false, &response));
		assert_int_equal(response->status, methods[i] == HTTP_HEAD ? 200 : 204);
		assert_ok(body_text(response, text, sizeof(text)));
		assert_string_equal(text, "");
		http_response_free(response);
	}
	assert_int_equal(atomic_load(&scene.server.connections), 1);
	scene_release(&scene);
}

static void serve_once(struct connection *c)
{
	if (connection_request(c))
		connection_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

TEST(a_kept_connection_that_has_died_is_replaced)
{
	struct scene scene;

	scene_init(&scene, serve_once);
	for (unsigned i = 0; i < 4; i++) {
		struct http_response *response = NULL;

		assert_ok(scene_get(&scene, &response));
		assert_int_equal(response->status, 200);
		http_response_free(response);
	}
	assert_int_equal(atomic_load(&scene.server.connections), 4);
	scene_release(&scene);
}

TEST(a_refused_connection_names_the_host)
{
	struct scene scene;
	struct http_response *response = NULL;
	AUTO(mem) char *text = NULL;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	struct http_request request = { 0 };
	AUTO(mem) char *url = NULL;

	/* Bound, but nobody listens. */
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	url = xasprintf("http://127.0.0.1:%u/v2/?secret=1", ntohs(address.sin_port));
	text = xasprintf("127.0.0.1:%u: connection refused", ntohs(address.sin_port));
	request.url = url;
	scene_init(&scene, serve_once);
	assert_says(scene.transport.ops->send(scene.transport.self, &request, &response,
					      &scene.trouble),
		    text);
	assert_int_equal(scene.trouble, HTTP_NO_HOST);
	scene_release(&scene);
	close(fd);
}

/* ---- bodies ---- */

#define BIG ((size_t)8 * 1024 * 1024)

/* The byte at any offset of a big body. */
static char pattern(size_t at)
{
	return (char)(at * 31 + at / 4093);
}

static void serve_big(struct connection *c)
{
	while (connection_request(c)) {
		char piece[8192];

		connection_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n");
		for (size_t at = 0; at < BIG; at += sizeof(piece)) {
			for (size_t i = 0; i < sizeof(piece); i++)
				piece[i] = pattern(at + i);
			if (!connection_write(c, piece, sizeof(piece)))
				return;
			atomic_fetch_add(&c->server->bytes, sizeof(piece));
		}
	}
}

static struct err *read_big(struct http_response *response, size_t *ret_wrong)
{
	char piece[10000];
	size_t at = 0;
	size_t n;

	*ret_wrong = 0;
	while ((n = source_read(response->body, piece, sizeof(piece))) > 0) {
		for (size_t i = 0; i < n; i++)
			*ret_wrong += piece[i] != pattern(at + i);
		at += n;
	}
	*ret_wrong += at != BIG;
	return source_check(response->body);
}

struct getter {
	struct scene *scene;
	pthread_t thread;
	struct err *err;
	size_t wrong;
};

static void *get_big(void *arg)
{
	struct getter *getter = arg;
	AUTO(http_response) struct http_response *response = NULL;

	getter->err = scene_get(getter->scene, &response);
	if (!getter->err)
		getter->err = read_big(response, &getter->wrong);
	return NULL;
}

TEST(many_transfers_at_once_share_few_connections)
{
	struct scene scene;
	struct getter getters[12];

	scene_init(&scene, serve_big);
	for (size_t i = 0; i < ARRAY_SIZE(getters); i++) {
		getters[i] = (struct getter){ .scene = &scene };
		pthread_create(&getters[i].thread, NULL, get_big, &getters[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(getters); i++) {
		pthread_join(getters[i].thread, NULL);
		assert_ok(getters[i].err);
		assert_int_equal(getters[i].wrong, 0);
	}
	assert_in_range(atomic_load(&scene.server.most), 2, 4);
	scene_release(&scene);
}

/* More than any pair of sockets holds. */
static void serve_endless(struct connection *c)
{
	static const char piece[8192];

	if (!connection_request(c))
		return;
	connection_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
	while (connection_write(c, piece, sizeof(piece)))
		atomic_fetch_add(&c->server->bytes, sizeof(piece));
}

TEST(a_slow_reader_stops_the_sender_and_is_no_stall)
{
	struct scene scene;
	struct http_response *response = NULL;
	unsigned long long sent;
	char piece[10000];
	size_t n;

	scene_init_quick(&scene, serve_endless);
	assert_ok(scene_get(&scene, &response));
	do {
		sent = atomic_load(&scene.server.bytes);
		usleep(2 * QUICK * 1000);
	} while (atomic_load(&scene.server.bytes) != sent);
	assert_true(sent < 1073741824);
	for (unsigned long long at = 0; at < 2 * sent; at += n) {
		n = source_read(response->body, piece, sizeof(piece));
		if (n == 0)
			assert_ok(source_check(response->body));
		assert_true(n > 0);
	}
	assert_true(atomic_load(&scene.server.bytes) > sent);
	http_response_free(response);
	scene_release(&scene);
}

TEST(a_body_nobody_wants_breaks_its_connection)
{
	struct scene scene;
	struct http_response *response = NULL;

	scene_init(&scene, serve_endless);
	assert_ok(scene_get(&scene, &response));
	http_response_free(response);
	while (atomic_load(&scene.server.open) > 0) /* whom the client leaves cannot go on */
		usleep(1000);
	assert_true(atomic_load(&scene.server.bytes) < 1073741824);
	scene_release(&scene);
}

static void serve_short(struct connection *c)
{
	if (connection_request(c))
		connection_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

TEST(a_short_body_is_an_error_behind_its_bytes)
{
	struct scene scene;
	struct http_response *response = NULL;
	char text[128];

	scene_init(&scene, serve_short);
	assert_ok(scene_get(&scene, &response));
	assert_says(body_text(response, text, sizeof(text)), "before the end");
	assert_string_equal(text, "half");
	http_response_free(response);
	scene_release(&scene);
}

/* The server's `bytes` is what the client has read: a reset takes away what it has not. */
static void serve_reset(struct connection *c)
{
	if (!connection_request(c))
		return;
	if (connection_has(c, "/x")) {
		connection_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
		while (atomic_load(&c->server->bytes) < strlen("half"))
			usleep(1000);
	}
	connection_reset(c);
}

TEST(a_reset_is_an_error_in_head_and_body)
{
	struct scene scene;
	struct http_response *response = NULL;
	char text[128];

	scene_init(&scene, serve_reset);
	assert_ok(scene_get(&scene, &response));
	assert_ok(source_read_full(response->body, text, 4));
	assert_memory_equal(text, "half", 4);
	atomic_store(&scene.server.bytes, 4);
	assert_says(body_text(response, text, sizeof(text)), "reset");
	http_response_free(response);
	response = NULL;
	assert_says(scene_send(&scene, HTTP_GET, "/before", true, &response), "reset");
	assert_int_equal(scene.trouble, HTTP_BROKEN);
	scene_release(&scene);
}

static void serve_chunks(struct connection *c)
{
	if (connection_request(c))
		connection_say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				  "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n");
	connection_request(c);
}

TEST(chunks_are_put_together_and_trailers_are_no_headers)
{
	struct scene scene;
	struct http_response *response = NULL;
	char text[128];

	scene_init(&scene, serve_chunks);
	assert_ok(scene_get(&scene, &response));
	assert_ok(body_text(response, text, sizeof(text)));
	assert_string_equal(text, "hello world");
	assert_null(http_header(response, "X-Trailer"));
	http_response_free(response);
	scene_release(&scene);
}

/* ---- addresses ---- */

static void serve_nothing(struct connection *c)
{
	while (connection_request(c))
		connection_say(c, "HTTP/1.1 204 No Content\r\n\r\n");
}

static struct err *ask_near(struct scene *scene, const char *host, enum address_reach nearest,
			    bool *ret_inside)
{
	AUTO(mem) char *url = xasprintf("http://%s:%u/", host, scene->server.port);
	const struct http_request request = { .method = HTTP_GET, .url = url, .nearest = nearest };
	AUTO(http_response) struct http_response *response = NULL;
	struct err *err = scene->transport.ops->send(scene->transport.self, &request, &response,
						     &scene->trouble);

	if (!err)
		*ret_inside = response->is_inside;
	return err;
}

static void expect_refused(struct scene *scene, const char *host, enum address_reach nearest)
{
	bool inside;
	AUTO(err) struct err *err = ask_near(scene, host, nearest, &inside);

	assert_int_equal(err_kind(err), ERR_INVALID);
	assert_non_null(strstr(err_text(err), "its address is inside this network"));
}

/* It is not the name that counts, nor whether somebody is connected already. */
TEST(an_address_that_is_too_near_is_not_connected_to)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost" };
	struct scene scene;
	bool inside = false;

	scene_init(&scene, serve_nothing);
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		expect_refused(&scene, hosts[i], ADDRESS_PRIVATE);
	assert_int_equal(atomic_load(&scene.server.connections), 0);
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		assert_ok(ask_near(&scene, hosts[i], ADDRESS_NEAR, &inside));
		assert_true(inside);
		expect_refused(&scene, hosts[i], ADDRESS_PUBLIC);
	}
	assert_int_equal(atomic_load(&scene.server.requests), 2);
	scene_release(&scene);
}

/* ---- stalls ---- */

static void serve_stall(struct connection *c)
{
	char byte;

	if (!connection_request(c))
		return;
	if (connection_has(c, "/x"))
		connection_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	if (connection_has(c, "/drip"))
		connection_say(c, "HTTP/1.1 200 OK\r\nX-Drip: ");
	while (connection_has(c, "/drip") && connection_say(c, "x"))
		usleep(20000);
	connection_some(c, &byte, 1); /* until the client goes */
}

TEST(a_stall_ends_the_transfer)
{
	static const char *const paths[] = { "/silence", "/drip" };
	struct scene scene;
	struct http_response *response = NULL;
	uint64_t start = clock_monotonic();
	char text[128];

	scene_init_quick(&scene, serve_stall);
	assert_ok(scene_get(&scene, &response));
	assert_says(body_text(response, text, sizeof(text)), "stalled");
	assert_string_equal(text, "half");
	http_response_free(response);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		response = NULL;
		assert_says(scene_send(&scene, HTTP_GET, paths[i], false, &response), "stalled");
		assert_int_equal(scene.trouble, HTTP_BROKEN);
	}
	assert_true(milliseconds_since(start) >= 3 * QUICK);
	scene_release(&scene);
}

/* ---- being told to stop ---- */

static void *interrupt(void *arg)
{
	(void)arg;
	usleep(100000);
	kill(getpid(), SIGINT);
	return NULL;
}

/* The flag stays, so this is for a process of its own. */
static bool ends_waits(void *arg)
{
	struct scene scene;
	struct http_response *response = NULL;
	pthread_t thread;
	uint64_t start = clock_monotonic();
	AUTO(err) struct err *err = NULL;

	(void)arg;
	cancel_catch_signals();
	scene_init(&scene, serve_stall);
	transport_free(&scene.transport);
	scene.transport = http_transport_new(&(struct http_opts){ .stall_timeout = 60000 });
	pthread_create(&thread, NULL, interrupt, NULL);
	err = scene_send(&scene, HTTP_GET, "/silence", false, &response);
	pthread_join(thread, NULL);
	CHECK(err_kind(err) == ERR_CANCELLED);
	CHECK(milliseconds_since(start) < 60000);
	err_free(err);
	err = scene_get(&scene, &response);
	CHECK(err_kind(err) == ERR_CANCELLED);
	scene_release(&scene);
	return true;
}

static void *stop_soon(void *scope)
{
	usleep(100 * 1000);
	cancel_stop(scope);
	return NULL;
}

/* A sibling's failure must not wait for a stall: that would be half a minute. */
TEST(work_that_is_not_wanted_any_more_waits_for_nobody)
{
	static const char *const paths[] = { "/silence", "/x" };
	static const struct http_opts opts = { .stall_timeout = 60000 };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct cancel_scope scope = { 0 };
		const struct cancel_scope *before = cancel_enter(&scope);
		uint64_t began = clock_monotonic();
		struct http_response *response = NULL;
		struct scene scene;
		AUTO(err) struct err *err = NULL;
		pthread_t thread;
		char data[16];

		scene_init(&scene, serve_stall);
		transport_free(&scene.transport);
		scene.transport = http_transport_new(&opts);
		assert_int_equal(pthread_create(&thread, NULL, stop_soon, &scope), 0);
		err = scene_send(&scene, HTTP_GET, paths[i], false, &response);
		if (!err) {
			while (source_read(response->body, data, sizeof(data)))
				;
			err = source_check(response->body);
		}
		assert_int_equal(err_kind(err), ERR_CANCELLED);
		assert_true(clock_monotonic() - began < UINT64_C(5000000000));
		pthread_join(thread, NULL);
		cancel_enter(before);
		http_response_free(response);
		scene_release(&scene);
	}
}

TEST(a_signal_ends_all_waits)
{
	child_run(ends_waits, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: its child is forked while there is one thread, as TSan wants it */
		cmocka_unit_test(work_that_is_not_wanted_any_more_waits_for_nobody),
		cmocka_unit_test(a_signal_ends_all_waits),
		cmocka_unit_test(a_response_has_status_headers_and_body),
		cmocka_unit_test(a_request_asks_for_nothing_of_its_own_accord),
		cmocka_unit_test(a_header_cannot_become_two),
		cmocka_unit_test(a_head_without_end_is_refused),
		cmocka_unit_test(a_header_without_end_is_refused),
		cmocka_unit_test(an_answer_that_is_not_http_is_named),
		cmocka_unit_test(connections_serve_again),
		cmocka_unit_test(responses_without_a_body_end_at_once),
		cmocka_unit_test(a_kept_connection_that_has_died_is_replaced),
		cmocka_unit_test(a_refused_connection_names_the_host),
		cmocka_unit_test(many_transfers_at_once_share_few_connections),
		cmocka_unit_test(a_slow_reader_stops_the_sender_and_is_no_stall),
		cmocka_unit_test(a_body_nobody_wants_breaks_its_connection),
		cmocka_unit_test(a_short_body_is_an_error_behind_its_bytes),
		cmocka_unit_test(a_reset_is_an_error_in_head_and_body),
		cmocka_unit_test(chunks_are_put_together_and_trailers_are_no_headers),
		cmocka_unit_test(an_address_that_is_too_near_is_not_connected_to),
		cmocka_unit_test(a_stall_ends_the_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
