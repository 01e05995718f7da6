/* tests/unit/test_target.c - the values of --target, and whose the other names are. */

#include "tests/unit/unit.h"

#include "cli/target.h"

/* Texts with blanks between. */
static void cut(const char *text, struct strings *ret)
{
	AUTO(mem) char *copy = xstrdup(text);

	for (char *one = strtok(copy, " "); one; one = strtok(NULL, " "))
		strings_push(ret, one);
}

static struct err *read_all(const char *values, const char *names, struct buf *ret)
{
	AUTO(strings) struct strings given = { 0 };
	AUTO(strings) struct strings free_names = { 0 };
	AUTO(targets) struct targets targets = { 0 };

	cut(values, &given);
	cut(names, &free_names);
	TRY(targets_read(&given, &free_names, &targets));
	vec_foreach (&targets, target) {
		buf_addf(ret, "%s%s:", ret->len ? "; " : "", target->stage ? target->stage : "");
		vec_foreach (&target->tags, tag)
			buf_addf(ret, " %s", *tag);
	}
	return NULL;
}

TEST(gives_names_to_targets)
{
	static const struct {
		const char *values, *names, *want;
	} cases[] = {
		{ "", "", ":" },
		{ "", "a b", ": a b" },
		{ "one", "", "one:" },
		{ "one", "a", "one: a" },
		{ "one=x.org/x", "a", "one: x.org/x:latest a" },
		{ "one=x.org/x one=x.org/y:2 one", "", "one: x.org/x:latest x.org/y:2" },
		{ "one two", "", "one:; two:" },
		{ "one=localhost/x 1=localhost/y", "",
		  "one: localhost/x:latest; 1: localhost/y:latest" },
		{ "one=localhost/x two", "a b", "one: localhost/x:latest; two: a b" },
		{ "one=localhost/x", "localhost/x:latest", "one: localhost/x:latest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf got = BUF_INIT(4096);

		assert_ok(read_all(cases[i].values, cases[i].names, &got));
		assert_string_equal(got.at, cases[i].want);
	}
}

TEST(refuses_what_is_unclear)
{
	static const char *const cases[][2] = {
		{ "=x", "" },
		{ "one=", "" },
		{ "one=NOT/A/NAME", "" },
		{ "one two", "a" },
		{ "one=x two=y", "a" },
		{ "one=x two=x", "" },
		{ "one=x two", "docker.io/library/x:latest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf got = BUF_INIT(4096);

		assert_fails(read_all(cases[i][0], cases[i][1], &got), ERR_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_names_to_targets),
		cmocka_unit_test(refuses_what_is_unclear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
