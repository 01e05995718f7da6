/* tests/unit/test_publish.c - docker-run(1) and podman-run(1), --publish. */

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/vec.h"
#include "cli/publish.h"

TEST(a_port_is_written_as_for_docker)
{
	static const struct {
		const char *text;
		size_t count;
		struct network_port first, last;
	} cases[] = {
		{ "80", 1, { "", 0, 80, false }, { "", 0, 80, false } },
		{ "8080:80", 1, { "", 8080, 80, false }, { "", 8080, 80, false } },
		{ "53:53/udp", 1, { "", 53, 53, true }, { "", 53, 53, true } },
		{ "127.0.0.1:8080:80/tcp",
		  1,
		  { "127.0.0.1", 8080, 80, false },
		  { "127.0.0.1", 8080, 80, false } },
		{ "127.0.0.1::80",
		  1,
		  { "127.0.0.1", 0, 80, false },
		  { "127.0.0.1", 0, 80, false } },
		{ "7000-7002:80-82", 3, { "", 7000, 80, false }, { "", 7002, 82, false } },
		{ "80-81", 2, { "", 0, 80, false }, { "", 0, 81, false } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(publish) struct publish list = { 0 };

		assert_ok(publish_add(&list, cases[i].text));
		assert_int_equal(list.len, cases[i].count);
		assert_memory_equal(&list.at[0], &cases[i].first, sizeof(list.at[0]));
		assert_memory_equal(&list.at[list.len - 1], &cases[i].last, sizeof(list.at[0]));
	}
}

TEST(what_is_no_port_is_refused)
{
	static const char *const cases[] = {
		"",       "0",       "65536",  "80/sctp",       "x:80",     "1-2:3",       "80-79",
		":",      "1:",      "80/",    "::1:80:80",     "1:2:3:4",  "host:80:80",  "-1",
		"1-:1-2", "1-70000", "1-2000", "300.0.0.1:1:1", "80/udp/x", "[::1]:80:80",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(publish) struct publish list = { 0 };

		assert_fails(publish_add(&list, cases[i]), ERR_INVALID);
	}
}

/* On an address that nobody else uses: is the port of `list` free, for a socket with or without SO_REUSEADDR? */
#define ADDRESS "127.83.7.9"

static bool can_have(const struct network_port *port, bool reuse)
{
	const int yes = 1;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port->host) };
	AUTO(fd) int fd = socket(AF_INET, port->udp ? SOCK_DGRAM : SOCK_STREAM, 0);

	inet_pton(AF_INET, ADDRESS, &address.sin_addr);
	if (reuse)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	       (port->udp || listen(fd, 1) == 0);
}

TEST(a_port_is_kept_from_all_but_who_is_to_have_it)
{
	static const char *const cases[] = { ADDRESS "::80", ADDRESS "::80/udp" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(publish) struct publish chosen = { 0 };
		AUTO(publish) struct publish named = { 0 };

		assert_ok(publish_add(&chosen, cases[i]));
		assert_ok(publish_choose(&chosen));
		assert_false(can_have(&chosen.at[0], false));
		assert_true(can_have(&chosen.at[0], true));

		vec_push(&named, chosen.at[0]);
		publish_let_go(&chosen);
		assert_ok(publish_choose(&named));
		assert_false(can_have(&named.at[0], false));
		assert_true(can_have(&named.at[0], true));
	}
}

TEST(a_port_that_cannot_be_had_is_named_with_what_helps)
{
	AUTO(publish) struct publish first = { 0 };
	AUTO(publish) struct publish second = { 0 };
	AUTO(publish) struct publish nowhere = { 0 };
	AUTO(err) struct err *err = NULL;

	assert_ok(publish_add(&first, ADDRESS "::80/udp"));
	assert_ok(publish_choose(&first));
	vec_push(&second, first.at[0]);
	err = publish_choose(&second);
	assert_int_equal(err_errno(err), EADDRINUSE);
	assert_non_null(strstr(err_text(err), ADDRESS));
	assert_non_null(strstr(err_notes(err), "'-p 80'"));
	err_free(err);
	assert_ok(publish_add(&nowhere, "203.0.113.1::80"));
	err = publish_choose(&nowhere);
	assert_int_equal(err_errno(err), EADDRNOTAVAIL);
	assert_non_null(err_notes(err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_written_as_for_docker),
		cmocka_unit_test(what_is_no_port_is_refused),
		cmocka_unit_test(a_port_is_kept_from_all_but_who_is_to_have_it),
		cmocka_unit_test(a_port_that_cannot_be_had_is_named_with_what_helps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
