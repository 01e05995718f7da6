/* tests/unit/test_review_shell.c - which scripts go on when a command fails. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/parse.h"

/* True if the Recipe has the remark. */
static bool misses(const char *before, const char *run, const char *body)
{
	AUTO(mem) char *text = xasprintf("FROM x\n%s%s\n%sE\n", before, run, body);
	AUTO(recipe) struct recipe *recipe = NULL;
	bool found = false;

	assert_ok(recipe_parse("Recipe", str_of(text), &recipe));
	vec_foreach (&recipe->lints, lint) {
		found = found || strcmp(lint->rule, "HeredocErrexit") == 0;
		assert_int_equal(lint->position.line, before[0] ? 3 : 2);
	}
	return found;
}

TEST(scripts_of_several_commands_need_errexit)
{
	static const struct {
		const char *body;
		bool misses;
	} cases[] = {
		{ "make\nmake install\n", true },
		{ "a; b\n", true },
		{ "a & b\n", true },
		{ "# a comment\n\na\nb\n", true },
		{ "if a; then b; fi\nc\n", true },
		{ "(a)\nb\n", true },
		{ "cat <<X >f\none\nX\nb\n", true },
		{ "a \\\n  b\nc\n", true },
		{ "echo 'set -e'\nb\n", true },
		{ "set -x\na\n", true },
		{ "", false },
		{ "make\n", false },
		{ "make # all; of it\n", false },
		{ "# one\nmake \\\n  install\n# two\n", false },
		{ "a &&\nb ||\nc |\nd\n", false },
		{ "a && b || c | d 2>&1 &>f\n", false },
		{ "echo 'a\nb; c'\n", false },
		{ "for i in a b; do\n  c $i\n  d\ndone\n", false },
		{ "for i in a; do for k in b; do c; done; d; done\n", false },
		{ "if a; then\n  b\nelif c; then\n  d\nelse\n  e\nfi\n", false },
		{ "while a; do b; done\n", false },
		{ "case $x in\na) b ;;\n*) c; d ;;\nesac\n", false },
		{ "{ a; b; }\n", false },
		{ "(a; b)\n", false },
		{ "echo $(a; b) done\n", false },
		{ "cat <<X >f\none\ntwo; three\nX\n", false },
		{ "cat <<-X >f\n\tone\n\tX\n", false },
		{ "set -e\na\nb\n", false },
		{ "set -eu\na\nb\n", false },
		{ "set -xeuo pipefail\na\nb\n", false },
		{ "set -o errexit\na\nb\n", false },
		{ "a=1\nset -o nounset -o errexit\nb\n", false },
		{ "#!/bin/sh\na\nb\n", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (misses("", "RUN <<E", cases[i].body) != cases[i].misses)
			fail_msg("%s", cases[i].body);
}

TEST(the_shell_may_have_errexit_itself)
{
	static const struct {
		const char *before, *run;
		bool misses;
	} cases[] = {
		{ "SHELL [\"/bin/bash\", \"-c\"]\n", "RUN <<E", true },
		{ "SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\n", "RUN <<E", true },
		{ "SHELL [\"/bin/bash\", \"-ec\"]\n", "RUN <<E", false },
		{ "SHELL [\"/bin/sh\", \"-o\", \"errexit\", \"-c\"]\n", "RUN <<E", false },
		{ "SHELL [\"/usr/bin/python3\", \"-c\"]\n", "RUN <<E", false },
		{ "", "RUN --network=none <<-E", true },
		{ "", "RUN bash <<E", true },
		{ "", "RUN /bin/sh -x <<E", true },
		{ "", "RUN <<E sh", true },
		{ "", "RUN bash -e <<E", false },
		{ "", "RUN bash -euo pipefail <<E", false },
		{ "", "RUN python3 <<E", false },
		{ "", "RUN cat <<E >f", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (misses(cases[i].before, cases[i].run, "a\nb\n") != cases[i].misses)
			fail_msg("%s%s", cases[i].before, cases[i].run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_of_several_commands_need_errexit),
		cmocka_unit_test(the_shell_may_have_errexit_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
