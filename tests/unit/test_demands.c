/* tests/unit/test_demands.c - signals as signal(7) and Docker's table have them, ports as Docker's reference. */

#include "tests/unit/unit.h"

#include "base/err.h"
#include "builder/demands.h"

TEST(knows_the_signals_that_can_stop_a_container)
{
	static const char *const good[] = { "9",     "SIGTERM",  "term",     "SigKill",
					    "1",     "64",       "SIGRTMIN", "RTMIN+15",
					    "SIGIO", "RTMAX-14", "CLD",      "rtmax" };
	static const char *const bad[] = { "",       "0",       "65",       "SIG",
					   "SIGFOO", "TERM ",   "RTMIN+16", "RTMAX-15",
					   "RTMIN-", "RTMAX+1", "-9" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_ok(demand_signal(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_fails(demand_signal(bad[i]), ERR_INVALID);
}

TEST(reads_ports_and_ranges_of_them)
{
	static const struct {
		const char *word;
		unsigned from, to;
		const char *protocol; /* NULL: refused */
	} cases[] = {
		{ "80", 80, 80, "tcp" },
		{ "0", 0, 0, "tcp" },
		{ "65535/UDP", 65535, 65535, "udp" },
		{ "53/Sctp", 53, 53, "sctp" },
		{ "8000-8010/udp", 8000, 8010, "udp" },
		{ "127.0.0.1:8080:80/tcp", 80, 80, "tcp" },
		{ "80/", 80, 80, "tcp" },
		{ "", 0, 0, NULL },
		{ "65536", 0, 0, NULL },
		{ "http", 0, 0, NULL },
		{ "80/tcpp", 0, 0, NULL },
		{ "80/tc", 0, 0, NULL },
		{ "80-", 0, 0, NULL },
		{ "90-80", 0, 0, NULL },
		{ "-80", 0, 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_range range;
		struct err *err = demand_ports(str_of(cases[i].word), &range);

		if (!cases[i].protocol) {
			assert_fails(err, ERR_INVALID);
			continue;
		}
		assert_ok(err);
		assert_int_equal(range.from, cases[i].from);
		assert_int_equal(range.to, cases[i].to);
		assert_string_equal(range.protocol, cases[i].protocol);
	}
}

TEST(tells_what_a_source_of_add_is)
{
	static const struct {
		const char *source, *checksum;
		int kind; /* -1: refused */
	} cases[] = {
		{ "a/b", NULL, ADD_LOCAL },
		{ "ftp://a/b", NULL, ADD_LOCAL },
		{ "http://a/b", NULL, ADD_WEB },
		{ "HTTPS://a/b", NULL, ADD_WEB },
		{ "https://a/b.git", NULL, ADD_GIT },
		{ "https://a/b.git", "0123abc", ADD_GIT },
		{ "https://a/b.git?checksum=0123abc", "0123abc", ADD_GIT },
		{ "https://a/b.git?checksum=0123abc", "0123abd", -1 },
		{ "https://a/b.git", "sha256:00", -1 },
		{ "a/b", "sha256:00", -1 },
		{ "http://a/b", "sha256:00", -1 },
		{ "http://a/b", "0123abc", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(add_source) struct add_source found = { 0 };
		const struct copy copy = { 0 };
		struct err *err =
			demand_add_source(&copy, cases[i].source, cases[i].checksum, &found);

		assert_true(!err == (cases[i].kind >= 0));
		err_free(err);
		if (cases[i].kind < 0)
			continue;
		assert_int_equal(found.kind, cases[i].kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_signals_that_can_stop_a_container),
		cmocka_unit_test(reads_ports_and_ranges_of_them),
		cmocka_unit_test(tells_what_a_source_of_add_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
