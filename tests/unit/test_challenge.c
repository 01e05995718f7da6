/* tests/unit/test_challenge.c - WWW-Authenticate as servers send it. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/str.h"
#include "base/vec.h"
#include "registry/challenge.h"

/* "bearer realm=x service=y; basic", to compare. Owned by the caller. */
static char *told(const struct challenges *list)
{
	struct buf out = BUF_INIT(4096);

	vec_foreach (list, challenge) {
		buf_addf(&out, "%s%s", challenge == list->at ? "" : "; ", challenge->scheme);
		if (challenge->token68)
			buf_addf(&out, " <%s>", challenge->token68);
		vec_foreach (&challenge->params, param)
			buf_addf(&out, " %s=%s", param->name, param->value);
	}
	return buf_steal(&out);
}

static void expect_invalid(struct err *error, const char *part)
{
	AUTO(err) struct err *err = error;

	assert_int_equal(err_kind(err), ERR_INVALID);
	if (!strstr(err_text(err), part))
		fail_msg("'%s' does not say '%s'", err_text(err), part);
}

TEST(reads_the_forms_of_rfc_9110_and_those_of_registries)
{
	static const struct {
		const char *header, *want;
	} cases[] = {
		{ "", "" },
		{ "Basic", "basic" },
		{ "BASIC realm=\"x\"", "basic realm=x" },
		{ "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
		  "scope=\"repository:library/alpine:pull\"",
		  "bearer realm=https://auth.docker.io/token service=registry.docker.io "
		  "scope=repository:library/alpine:pull" },
		/* two in one line, parameters and challenges parted by the same comma */
		{ "Basic realm=\"simple\", Bearer realm=\"/token\", error=\"invalid_token\"",
		  "basic realm=simple; bearer realm=/token error=invalid_token" },
		{ "Basic, Bearer realm=x", "basic; bearer realm=x" },
		{ "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic "
		  "realm=\"simple\"",
		  "newauth realm=apps type=1 title=Login to \"apps\"; basic realm=simple" },
		{ "Negotiate YWJj+/0=, Basic realm=x", "negotiate <YWJj+/0=>; basic realm=x" },
		{ "Negotiate YWJj==", "negotiate <YWJj==>" },
		{ " ,, Bearer   REALM = \"a b\" ,, Service=c ,", "bearer realm=a b service=c" },
		{ "Bearer realm=a, realm=b", "bearer realm=a" },
		{ "Bearer realm=\"a,b=c\", scope=\"x y\"", "bearer realm=a,b=c scope=x y" },
		/* against the grammar, but sent: an unquoted URL, no comma, an empty value */
		{ "Bearer realm=https://a/b?c=d,service=e",
		  "bearer realm=https://a/b?c=d service=e" },
		{ "Bearer realm=\"a\" service=\"b\"", "bearer realm=a service=b" },
		{ "Bearer realm=", "bearer <realm=>" },
		{ "Bearer realm=,service=x", "bearer <realm=> service=x" },
		{ "Bearer realm=\"\"", "bearer realm=" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(challenges) struct challenges list = { 0 };
		AUTO(mem) char *got = NULL;

		assert_ok(challenges_read(&list, cases[i].header));
		got = told(&list);
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s\n  is   %s\n  want %s", cases[i].header, got, cases[i].want);
	}
}

TEST(says_where_a_header_is_broken_and_keeps_what_came_before)
{
	static const struct {
		const char *header, *kept, *text;
	} cases[] = {
		{ "realm=x", "", "a parameter without a scheme at byte 1" },
		{ "Basic realm=\"x", "basic", "a quoted value without its end at byte 12" },
		{ "Basic realm=\"x\\", "basic", "without its end" },
		{ "Basic realm=x, \"", "basic realm=x",
		  "neither a scheme nor a parameter at byte 16" },
		{ "Basic realm=x, =y", "basic realm=x", "neither" },
		{ "@", "", "neither" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(challenges) struct challenges list = { 0 };
		AUTO(mem) char *got = NULL;

		expect_invalid(challenges_read(&list, cases[i].header), cases[i].text);
		got = told(&list);
		assert_string_equal(got, cases[i].kept);
	}
}

TEST(several_lines_are_one_list)
{
	AUTO(challenges) struct challenges list = { 0 };

	assert_ok(challenges_read(&list, "Bearer realm=one"));
	assert_ok(challenges_read(&list, "Basic realm=two"));
	expect_invalid(challenges_read(&list, "realm=three"), "without a scheme");
	assert_string_equal(challenge_param(challenges_find(&list, "basic"), "realm"), "two");
	assert_null(challenge_param(challenges_find(&list, "basic"), "scope"));
	assert_null(challenges_find(&list, "digest"));
}

TEST(the_number_of_parts_and_bytes_is_bounded)
{
	AUTO(challenges) struct challenges list = { 0 };
	AUTO(buf) struct buf many = BUF_INIT(1 << 20);

	for (int i = 0; i <= CHALLENGES_MAX; i++)
		buf_addf(&many, "s%d,", i);
	expect_invalid(challenges_read(&list, many.at), "too many challenges");
	assert_int_equal(list.len, CHALLENGES_MAX);

	challenges_release(&list);
	buf_reset(&many);
	buf_adds(&many, "s ");
	for (int i = 0; i <= CHALLENGE_PARAMS_MAX; i++)
		buf_addf(&many, "p%d=\"\",", i);
	expect_invalid(challenges_read(&list, many.at), "too many parameters");

	buf_reset(&many);
	for (size_t i = 0; i <= CHALLENGE_HEADER_MAX; i++)
		buf_addc(&many, ' ');
	expect_invalid(challenges_read(&list, many.at), "larger than 65536 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_forms_of_rfc_9110_and_those_of_registries),
		cmocka_unit_test(says_where_a_header_is_broken_and_keeps_what_came_before),
		cmocka_unit_test(several_lines_are_one_list),
		cmocka_unit_test(the_number_of_parts_and_bytes_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
