/* tests/unit/test_heredoc.c - which words announce heredocs. */

#include "tests/unit/unit.h"

#include "base/arena.h"
#include "builder/heredoc.h"

TEST(a_word_announces_one_heredoc_or_none)
{
	static const struct {
		const char *word;
		const char *name; /* NULL: none */
		bool expand, chomp;
		unsigned descriptor;
	} cases[] = {
		{ "<<EOF", "EOF", true, false, 0 },
		{ "<<-EOF", "EOF", true, true, 0 },
		{ "3<<EOF", "EOF", true, false, 3 },
		{ "<<\"EOF\"", "EOF", false, false, 0 },
		{ "<<'EOF'", "EOF", false, false, 0 },
		{ "<<-'E O'", "E O", false, true, 0 },
		{ "<<E'O'F", "EOF", false, false, 0 },
		{ "<<\\EOF", "EOF", true, false, 0 }, /* only quotes count as quoted */
		{ "<<E\\'F", "E'F", true, false, 0 },
		{ "<<\"a\\\"b\"", "a\"b", false, false, 0 },
		{ "<<$EOF", "$EOF", true, false, 0 },
		{ "<<EOF>file", "EOF>file", true, false, 0 },
		{ "<< EOF", "EOF", true, false, 0 },
		{ "<<- EOF", "EOF", true, true, 0 },
		{ "<<\tEOF", "EOF", true, false, 0 },
		{ "<<\xe2\x82\xac", "\xe2\x82\xac", true, false, 0 },
		{ "<<<EOF", NULL, false, false, 0 },
		{ "<<EOF<x", NULL, false, false, 0 },
		{ "<<", NULL, false, false, 0 },
		{ "<<-", NULL, false, false, 0 },
		{ "<<''", NULL, false, false, 0 },
		{ "<EOF", NULL, false, false, 0 },
		{ "a<<EOF", NULL, false, false, 0 },
		{ "\"<<EOF\"", NULL, false, false, 0 },
		{ "<<EOF bash", NULL, false, false, 0 },
		{ "<<'EOF", NULL, false, false, 0 },
		{ "", NULL, false, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena arena = { 0 };
		struct heredoc got;

		if (heredoc_parse(&arena, str_of(cases[i].word), &got) != (cases[i].name != NULL))
			fail_msg("%s", cases[i].word);
		if (!cases[i].name)
			continue;
		assert_string_equal(got.name, cases[i].name);
		assert_int_equal(got.expand, cases[i].expand);
		assert_int_equal(got.chomp, cases[i].chomp);
		assert_int_equal(got.descriptor, cases[i].descriptor);
	}
}

TEST(a_line_announces_all_of_its_heredocs)
{
	static const char *const cases[][2] = {
		{ "RUN echo", "" },
		{ "RUN <<EOF", "EOF" },
		{ "RUN <<A cat <<-B 4<<'C'", "A|B|C" },
		{ "COPY <<a <<b /x/", "a|b" },
		{ "RUN cat << EOF > /x", "EOF" },
		{ "RUN cat <<- EOF > /x", "EOF" },
		{ "RUN cat <<\"E F\" x", "E F" },
		{ "RUN cat <<<word", "" },
		{ "RUN echo \"<<EOF\" '<<EOF'", "" },
		{ "RUN echo \" a <<EOF \"", "" },
		{ "RUN echo \\<<EOF", "" },
		{ "RUN cat<<EOF", "" },
		{ "RUN echo it's <<EOF", "" }, /* no shell could read it */
		{ "RUN echo \"x <<EOF", "" },
		{ "RUN echo it\\'s <<EOF", "EOF" },
		{ "RUN echo $((1 << 2))", "" },
		{ "RUN echo $((1 <<2)) <<EOF", "EOF" },
		{ "RUN (( x = 1 << 2 )) && cat <<EOF", "EOF" },
		{ "RUN echo ${x:-<<A} <<B", "B" },
		{ "RUN echo ${x:-\"}\"} ${#a[@]} <<B", "B" },
		{ "RUN echo ${x <<B", "" },
		{ "RUN echo $x$ <<B", "B" },
		{ "RUN echo \"${x}\" \"\\\"\" <<B", "B" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena arena = { 0 };
		AUTO(buf) struct buf names = BUF_INIT(1000);
		struct heredocs got = heredocs_find(&arena, str_of(cases[i][0]));

		for (size_t k = 0; k < got.len; k++)
			buf_addf(&names, "%s%s", k ? "|" : "", got.at[k].name);
		assert_string_equal(buf_str(&names).at, cases[i][1]);
	}
}

TEST(tabs_go_from_the_start_of_each_line)
{
	AUTO(arena) struct arena arena = { 0 };

	assert_string_equal(heredoc_chomp(&arena, STR("\ta\n\t\tb\tc\n  \td\n\n\t\n")),
			    "a\nb\tc\n  \td\n\n\n");
	assert_string_equal(heredoc_chomp(&arena, STR("")), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_announces_one_heredoc_or_none),
		cmocka_unit_test(a_line_announces_all_of_its_heredocs),
		cmocka_unit_test(tabs_go_from_the_start_of_each_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
