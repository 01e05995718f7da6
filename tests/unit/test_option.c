/* tests/unit/test_option.c - what a command line may look like, and what it must not. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/str.h"
#include "base/vec.h"
#include "cli/option.h"

static const char *const colours[] = { "red", "green", "blue", NULL };

struct values {
	bool quiet, force;
	const char *file;
	struct strings tags, notes;
	uint64_t jobs, tries;
	int colour;
	const char *root;
	int verify, shade;
};

static const struct option own[] = {
	OPTION_FLAG(struct values, quiet, 'q', "quiet", "say little"),
	OPTION_FLAG(struct values, force, 0, "force", NULL),
	OPTION_PATH(struct values, file, 'f', "file", "PATH", "read PATH"),
	OPTION_LIST(struct values, tags, 't', "tag", "NAME", "call it NAME"),
	OPTION_NUMBER(struct values, jobs, 'j', "jobs", "N", 1, 64, "N at once"),
	OPTION_COUNT(struct values, tries, 0, "tries", "N", 9, "N times"),
	OPTION_WORD(struct values, colour, 0, "colour", colours, "paint it"),
	OPTION_SWITCH(struct values, verify, 0, "verify", "look at it"),
	OPTION_BARE_LIST(struct values, notes, 0, "note", "[=TEXT]", "true", "say something"),
	OPTION_BARE_WORD(struct values, shade, 0, "shade", colours, "blue", "paint it so"),
};
static const struct option common[] = {
	OPTION_TEXT(struct values, root, 0, "root", "DIR", "store"),
};

/* Parse words that are separated by single blanks. */
static struct err *parse(const char *line, bool first_ends, struct values *values,
			 struct strings *operands)
{
	const struct option_set sets[] = { { own, ARRAY_SIZE(own), values },
					   { common, ARRAY_SIZE(common), values } };
	const struct option_rules rules = { .first_operand_ends = first_ends };
	static struct strings words; /* values point into it */
	struct str rest = str_of(line);

	strings_release(&words);
	while (rest.len > 0) {
		AUTO(mem) char *word = str_dup(str_cut(&rest, ' '));

		strings_push(&words, word);
	}
	return option_parse(sets, ARRAY_SIZE(sets), strings_argv(&words), &rules, operands);
}

static char *joined(const struct strings *list)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);

	vec_foreach (list, item)
		buf_addf(&text, "%s%s", text.len ? " " : "", *item);
	return buf_steal(&text);
}

/* Everything that was read, in one line. */
static char *told(const struct values *v, const struct strings *operands)
{
	AUTO(mem) char *tags = joined(&v->tags);
	AUTO(mem) char *rest = joined(operands);

	return xasprintf("%s%s f=%s t=[%s] j=%u c=%s r=%s | %s", v->quiet ? "q" : "",
			 v->force ? "!" : "", v->file ? v->file : "-", tags, (unsigned)v->jobs,
			 colours[v->colour], v->root ? v->root : "-", rest);
}

TEST(reads_every_spelling_of_an_option)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "", " f=- t=[] j=0 c=red r=- | " },
		{ "-q a b", "q f=- t=[] j=0 c=red r=- | a b" },
		{ "--file x", " f=x t=[] j=0 c=red r=- | " },
		{ "--file=x", " f=x t=[] j=0 c=red r=- | " },
		{ "--file= a", " f= t=[] j=0 c=red r=- | a" },
		{ "-f x", " f=x t=[] j=0 c=red r=- | " },
		{ "-fx", " f=x t=[] j=0 c=red r=- | " },
		{ "-f=x", " f=x t=[] j=0 c=red r=- | " },
		{ "-f -", " f=- t=[] j=0 c=red r=- | " },
		{ "-f --other", " f=--other t=[] j=0 c=red r=- | " },
		{ "-f=--quiet", " f=--quiet t=[] j=0 c=red r=- | " },
		{ "--file=-q", " f=-q t=[] j=0 c=red r=- | " },
		{ "-f -", " f=- t=[] j=0 c=red r=- | " },
		{ "-qfx", "q f=x t=[] j=0 c=red r=- | " },
		{ "-qf x y", "q f=x t=[] j=0 c=red r=- | y" },
		{ "-t a --tag b -tc", " f=- t=[a b c] j=0 c=red r=- | " },
		{ "--file a --file b", " f=b t=[] j=0 c=red r=- | " },
		{ "-j4 --colour blue", " f=- t=[] j=4 c=blue r=- | " },
		{ "a --root=/x b", " f=- t=[] j=0 c=red r=/x | a b" },
		{ "--quiet --quiet=false", " f=- t=[] j=0 c=red r=- | " },
		{ "--quiet=true", "q f=- t=[] j=0 c=red r=- | " },
		{ "--quiet=1", "q f=- t=[] j=0 c=red r=- | " },
		{ "--force", "! f=- t=[] j=0 c=red r=- | " },
		{ "-- -q --file", " f=- t=[] j=0 c=red r=- | -q --file" },
		{ "a -- -q", " f=- t=[] j=0 c=red r=- | a -q" },
		{ "-", " f=- t=[] j=0 c=red r=- | -" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct values values = { 0 };
		AUTO(strings) struct strings operands = { 0 };
		AUTO(mem) char *got = NULL;

		assert_ok(parse(cases[i].line, false, &values, &operands));
		got = told(&values, &operands);
		assert_string_equal(got, cases[i].want);
		option_release(&(struct option_set){ own, ARRAY_SIZE(own), &values });
		assert_int_equal(values.tags.len, 0);
	}
}

TEST(a_count_knows_zero_from_what_was_not_said)
{
	static const struct {
		const char *line;
		uint64_t want;
	} cases[] = { { "a", 0 }, { "--tries 0", 1 }, { "--tries=9 a", 10 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct values values = { 0 };
		AUTO(strings) struct strings operands = { 0 };

		assert_ok(parse(cases[i].line, false, &values, &operands));
		assert_int_equal(values.tries, cases[i].want);
	}
}

TEST(a_switch_knows_whether_it_was_said)
{
	static const struct {
		const char *line;
		enum option_switch want;
	} cases[] = {
		{ "a", SWITCH_UNSAID },         { "--verify a", SWITCH_ON },
		{ "--verify=true", SWITCH_ON }, { "--verify=false", SWITCH_OFF },
		{ "--verify=0", SWITCH_OFF },   { "--verify=false --verify", SWITCH_ON },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct values values = { 0 };
		AUTO(strings) struct strings operands = { 0 };

		assert_ok(parse(cases[i].line, false, &values, &operands));
		assert_int_equal(values.verify, cases[i].want);
	}
}

TEST(says_what_is_wrong_with_a_word)
{
	static const struct {
		const char *line, *says, *notes;
	} cases[] = {
		{ "--fil x", "unknown option '--fil'", "did you mean '--file'?" },
		{ "--roots x", "unknown option '--roots'", "did you mean '--root'?" },
		{ "--forse", "unknown option '--forse'",
		  NULL }, /* what is not told is not suggested */
		{ "--xyzzy=1", "unknown option '--xyzzy'", NULL },
		{ "-x", "unknown option '-x'", NULL },
		{ "--verify=no", "option --verify: 'no' is neither true nor false", NULL },
		{ "-qx", "unknown option '-x'", NULL },
		{ "--file", "option --file needs a value", NULL },
		{ "-qf", "option -f needs a value", NULL },
		{ "-f --quiet", "option -f needs a value, and '--quiet' is an option",
		  "if it is the value, write -f=--quiet" },
		{ "--tag -q", "option --tag needs a value, and '-q' is an option",
		  "if it is the value, write --tag=-q" },
		{ "--tag --jobs=1", "option --tag needs a value, and '--jobs=1' is an option",
		  "if it is the value, write --tag=--jobs=1" },
		{ "-j 0", "option -j: 0 is smaller than 1", NULL },
		{ "--jobs=65", "option --jobs: '65' is larger than 64", NULL },
		{ "--jobs=", "option --jobs: a number is missing", NULL },
		{ "--jobs=1x", "option --jobs: '1x' is not a number", NULL },
		{ "--colour pink", "option --colour: 'pink' is none of: red, green, blue", NULL },
		{ "--quiet=maybe", "option --quiet: 'maybe' is neither true nor false", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct values values = { 0 };
		AUTO(strings) struct strings operands = { 0 };
		AUTO(err) struct err *err = parse(cases[i].line, false, &values, &operands);

		assert_int_equal(err_kind(err), ERR_USAGE);
		assert_string_equal(err_text(err), cases[i].says);
		if (cases[i].notes)
			assert_string_equal(err_notes(err), cases[i].notes);
		else
			assert_null(err_notes(err));
	}
}

TEST(a_refused_value_is_a_wrong_command_line)
{
	AUTO(err) struct err *invalid = option_refuse(err_new(ERR_INVALID, "no good"), "--tag");
	AUTO(err) struct err *later = option_refuse(err_new(ERR_UNSUPPORTED, "not yet"), "--tag");

	assert_int_equal(err_kind(invalid), ERR_USAGE);
	assert_string_equal(err_text(invalid), "option --tag: no good");
	assert_int_equal(err_kind(later), ERR_UNSUPPORTED);
	assert_string_equal(err_text(later), "option --tag: not yet");
	assert_null(option_refuse(NULL, "--tag"));
}

TEST(leaves_a_command_of_its_own_alone)
{
	struct values values = { 0 };
	AUTO(strings) struct strings operands = { 0 };
	AUTO(mem) char *got = NULL;

	assert_ok(parse("-q app ls -l -- --file", true, &values, &operands));
	got = told(&values, &operands);
	assert_string_equal(got, "q f=- t=[] j=0 c=red r=- | app ls -l -- --file");
}

TEST(a_word_may_stand_alone)
{
	static const struct {
		const char *line;
		int shade;
		const char *operands;
	} cases[] = {
		{ "x", 0, "x" },
		{ "--shade x", 2, "x" }, /* the next word is its own */
		{ "--shade=green x", 1, "x" },
		{ "--shade=true", 2, "" },
		{ "--shade=green --shade=false", 0, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct values values = { 0 };
		AUTO(strings) struct strings operands = { 0 };
		AUTO(mem) char *all = NULL;

		assert_ok(parse(cases[i].line, false, &values, &operands));
		all = joined(&operands);
		if (values.shade != cases[i].shade || strcmp(all, cases[i].operands) != 0)
			fail_msg("%s: %d, '%s'", cases[i].line, values.shade, all);
	}
	{
		struct values values = { 0 };
		AUTO(strings) struct strings operands = { 0 };

		assert_fails(parse("--shade=pink", false, &values, &operands), ERR_USAGE);
	}
}

TEST(a_list_may_stand_alone)
{
	static const struct {
		const char *line, *notes, *operands;
	} cases[] = {
		{ "x", "", "x" },
		{ "--note x", "true", "x" }, /* the next word is its own */
		{ "--note=a=b x --note", "a=b true", "x" },
		{ "--note=false --note=", "false ", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct values values = { 0 };
		AUTO(strings) struct strings operands = { 0 };
		AUTO(mem) char *notes = NULL;
		AUTO(mem) char *all = NULL;

		assert_ok(parse(cases[i].line, false, &values, &operands));
		notes = joined(&values.notes);
		all = joined(&operands);
		assert_string_equal(notes, cases[i].notes);
		assert_string_equal(all, cases[i].operands);
		strings_release(&values.notes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_may_stand_alone),
		cmocka_unit_test(a_list_may_stand_alone),
		cmocka_unit_test(reads_every_spelling_of_an_option),
		cmocka_unit_test(a_count_knows_zero_from_what_was_not_said),
		cmocka_unit_test(a_switch_knows_whether_it_was_said),
		cmocka_unit_test(says_what_is_wrong_with_a_word),
		cmocka_unit_test(a_refused_value_is_a_wrong_command_line),
		cmocka_unit_test(leaves_a_command_of_its_own_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
