/* tests/unit/test_syntax.c - how the lines of a Recipe are cut; expected is the tree of BuildKit's parser. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/json.h"
#include "builder/syntax.h"

/* The document of a Recipe, compact. */
static char *document_of(const char *text)
{
	AUTO(json) json_t *document = NULL;
	AUTO(syntax) struct syntax *syntax = NULL;

	assert_ok(syntax_parse("Recipe", str_of(text), &syntax));
	document = syntax_describe(syntax);
	return json_format(document);
}

/* "cmd flags args json" of the first instruction, each as JSON. */
static char *words_of(const char *text)
{
	AUTO(json) json_t *document = NULL;
	AUTO(syntax) struct syntax *syntax = NULL;
	AUTO(mem) char *flags = NULL;
	AUTO(mem) char *args = NULL;
	const json_t *first;

	assert_ok(syntax_parse("Recipe", str_of(text), &syntax));
	document = syntax_describe(syntax);
	first = json_array_get(json_object_get(document, "instructions"), 0);
	flags = json_format(json_object_get(first, "flags"));
	args = json_format(json_object_get(first, "args"));
	return xasprintf("%s %s %s %s", json_string_value(json_object_get(first, "cmd")), flags,
			 args, json_is_true(json_object_get(first, "json")) ? "json" : "plain");
}

TEST(the_document_has_every_member_in_its_place)
{
	AUTO(mem)
	char *text = document_of("# escape=`\n"
				 "FROM --platform=$P base AS b\n"
				 "\n"
				 "# a comment\n"
				 "RUN --mount=type=cache,target=/c a `\n"
				 "  # another\n"
				 "  b\n"
				 "COPY <<-\"E\" <<F /to\n"
				 "\tone\n"
				 "\tE\n"
				 "two\n"
				 "F\n");

	assert_string_equal(
		text,
		"{\"escape\":\"`\",\"instructions\":["
		"{\"cmd\":\"from\",\"flags\":[\"--platform=$P\"],\"args\":[\"base\",\"AS\",\"b\"],"
		"\"json\":false,\"heredocs\":[],\"start\":2,\"end\":2},"
		"{\"cmd\":\"run\",\"flags\":[\"--mount=type=cache,target=/c\"],"
		"\"args\":[\"a   b\"],\"json\":false,\"heredocs\":[],\"start\":5,\"end\":7},"
		"{\"cmd\":\"copy\",\"flags\":[],\"args\":[\"<<-\\\"E\\\"\",\"<<F\",\"/to\"],"
		"\"json\":false,\"heredocs\":["
		"{\"name\":\"E\",\"content\":\"\\tone\\n\",\"expand\":false,\"chomp\":true},"
		"{\"name\":\"F\",\"content\":\"two\\n\",\"expand\":true,\"chomp\":false}],"
		"\"start\":8,\"end\":12}]}");
}

TEST(each_instruction_is_cut_in_its_own_way)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "ADD a  b\tc", "add [] [\"a\",\"b\",\"c\"] plain" },
		{ "ADD [\"a b\", \"c\"]", "add [] [\"a b\",\"c\"] json" },
		{ "COPY 'a b' \"c\"", "copy [] [\"'a\",\"b'\",\"\\\"c\\\"\"] plain" },
		{ "COPY ['a', 'b']", "copy [] [\"['a',\",\"'b']\"] plain" },
		{ "VOLUME /a /b", "volume [] [\"/a\",\"/b\"] plain" },
		{ "VOLUME [\"/a\"]", "volume [] [\"/a\"] json" },
		{ "CMD echo  \"$a\" 'b'", "cmd [] [\"echo  \\\"$a\\\" 'b'\"] plain" },
		{ "CMD []", "cmd [] [] json" },
		{ "CMD", "cmd [] [] plain" },
		{ "ENTRYPOINT [ \"a\",\t\"$b\" ]", "entrypoint [] [\"a\",\"$b\"] json" },
		{ "SHELL /bin/sh -c", "shell [] [\"/bin/sh -c\"] plain" },
		{ "RUN [\"a\",]", "run [] [\"[\\\"a\\\",]\"] plain" },
		{ "ENV a=1 b=\"x y\" c=d\\ e",
		  "env [] [\"a\",\"1\",\"b\",\"\\\"x y\\\"\",\"c\",\"d\\\\ e\"] plain" },
		{ "ENV a  the rest = of it", "env [] [\"a\",\"the rest = of it\"] plain" },
		{ "LABEL \"a b\"=c =d", "label [] [\"\\\"a b\\\"\",\"c\",\"\",\"d\"] plain" },
		{ "ENV", "env [] [] plain" },
		{ "ARG a b=1 c=\"x y\"", "arg [] [\"a\",\"b=1\",\"c=\\\"x y\\\"\"] plain" },
		{ "EXPOSE 80 $PORT/udp", "expose [] [\"80\",\"$PORT/udp\"] plain" },
		{ "From scratch as  X", "from [] [\"scratch\",\"as\",\"X\"] plain" },
		{ "WORKDIR /a b", "workdir [] [\"/a b\"] plain" },
		{ "MAINTAINER A <a@b>", "maintainer [] [\"A <a@b>\"] plain" },
		{ "STOPSIGNAL 9", "stopsignal [] [\"9\"] plain" },
		{ "USER a:b", "user [] [\"a:b\"] plain" },
		{ "HEALTHCHECK none", "healthcheck [] [\"none\"] plain" },
		{ "HEALTHCHECK --interval=5s CMD a  b",
		  "healthcheck [\"--interval=5s\"] [\"CMD\",\"a  b\"] plain" },
		{ "HEALTHCHECK CMD [\"a\", \"b\"]", "healthcheck [] [\"CMD\",\"a\",\"b\"] json" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *got = words_of(cases[i].text);

		assert_string_equal(got, cases[i].want);
	}
}

TEST(flags_are_cut_off_whatever_they_say)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "RUN --unknown --a=\"b c\" --d=\\e x --y",
		  "run [\"--unknown\",\"--a=b c\",\"--d=e\"] [\"x --y\"] plain" },
		{ "COPY --from=a -- --b /c", "copy [\"--from=a\"] [\"--b\",\"/c\"] plain" },
		{ "USER --x me", "user [\"--x\"] [\"me\"] plain" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *got = words_of(cases[i].text);

		assert_string_equal(got, cases[i].want);
	}
}

TEST(an_onbuild_holds_its_trigger_and_shows_its_heredocs)
{
	AUTO(mem) char *text = document_of("ONBUILD COPY --x <<E /to\none\nE\n");

	assert_string_equal(
		text,
		"{\"escape\":\"\\\\\",\"instructions\":[{\"cmd\":\"onbuild\",\"flags\":[],"
		"\"args\":[],\"json\":false,\"heredocs\":[{\"name\":\"E\",\"content\":\"one\\n\","
		"\"expand\":true,\"chomp\":false}],\"sub\":{\"cmd\":\"copy\",\"flags\":[\"--x\"],"
		"\"args\":[\"<<E\",\"/to\"],\"json\":false,\"heredocs\":[{\"name\":\"E\","
		"\"content\":\"one\\n\",\"expand\":true,\"chomp\":false}],\"start\":1,\"end\":3},"
		"\"start\":1,\"end\":3}]}");
}

TEST(meaning_is_not_looked_at)
{
	static const char *const cases[] = {
		"RUN before any FROM",
		"FROM",
		"FROM a b c d e",
		"COPY one",
		"ONBUILD",
		"ONBUILD ONBUILD FROM x",
		"COPY --link=perhaps --from=$x a b",
		"EXPOSE no/port",
		"HEALTHCHECK neither",
		"SHELL",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = document_of(cases[i]);

		assert_non_null(text);
	}
}

TEST(what_cannot_be_cut_is_refused)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "FROM a\nRUM x", "Recipe:2: unknown instruction: RUM (did you mean RUN?)" },
		{ "ONBUILD COPPY a b",
		  "Recipe:1: unknown instruction: COPPY (did you mean COPY?)" },
		{ "ENV a", "Recipe:1: ENV must have two arguments: ENV a=VALUE" },
		{ "LABEL a=1 b", "Recipe:1: LABEL: no = in 'b': must be of the form name=value" },
		{ "RUN [\"a\", 1]", "Recipe:1: the JSON form takes strings only" },
		{ "RUN <<E\nx", "Recipe:1: unterminated heredoc: no line is E" },
		{ "# a comment", "Recipe: the file holds no instruction" },
		{ "# escape=x\nFROM a", "Recipe:1: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct syntax *syntax = NULL;
		AUTO(err) struct err *err = syntax_parse("Recipe", str_of(cases[i].text), &syntax);

		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_null(syntax);
		assert_int_equal(strncmp(err_text(err), cases[i].want, strlen(cases[i].want)), 0);
	}
}

TEST(triggers_of_triggers_have_a_bound)
{
	AUTO(buf) struct buf text = BUF_INIT(SCRIPT_MAX);
	struct syntax *syntax = NULL;

	for (int i = 0; i < SYNTAX_DEPTH; i++)
		buf_adds(&text, "ONBUILD ");
	buf_adds(&text, "RUN x");
	assert_fails(syntax_parse("Recipe", buf_str(&text), &syntax), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_document_has_every_member_in_its_place),
		cmocka_unit_test(each_instruction_is_cut_in_its_own_way),
		cmocka_unit_test(flags_are_cut_off_whatever_they_say),
		cmocka_unit_test(an_onbuild_holds_its_trigger_and_shows_its_heredocs),
		cmocka_unit_test(meaning_is_not_looked_at),
		cmocka_unit_test(what_cannot_be_cut_is_refused),
		cmocka_unit_test(triggers_of_triggers_have_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
