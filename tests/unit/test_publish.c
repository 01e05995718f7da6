/* tests/unit/test_publish.c - docker-run(1) and podman-run(1), --publish. */

#include "tests/unit/unit.h"

#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_written_as_for_docker),
		cmocka_unit_test(what_is_no_port_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
