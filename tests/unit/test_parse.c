/* tests/unit/test_parse.c - every instruction of the language, and every way to get it wrong. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "builder/parse.h"

static struct recipe *parse(const char *text)
{
	struct recipe *recipe = NULL;

	assert_ok(recipe_parse("Recipe", str_of(text), &recipe));
	return recipe;
}

/* ---- instructions as one line of text, for tables ---- */

static void show_words(struct buf *out, const struct words *words)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < words->len; i++)
		buf_addf(out, "%s%s", i ? "|" : "", words->at[i]);
	buf_addc(out, ']');
	if (words->at)
		assert_null(words->at[words->len]);
}

static void show_command(struct buf *out, const struct command *command)
{
	if (command->exec)
		show_words(out, &command->argv);
	else
		buf_addf(out, "{%s}", command->text);
}

static void show_heredocs(struct buf *out, const struct heredocs *heredocs)
{
	for (size_t i = 0; i < heredocs->len; i++)
		buf_addf(out, " <<%s:%s%s%s", heredocs->at[i].name, heredocs->at[i].content,
			 heredocs->at[i].expand ? "" : " raw",
			 heredocs->at[i].chomp ? " chomp" : "");
}

static void show_run(struct buf *out, const struct run *run)
{
	static const char *const forms[] = { "exec", "shell", "script" };

	buf_addf(out, "%s ", forms[run->form]);
	if (run->form == RUN_EXEC)
		show_words(out, &run->command.argv);
	else
		buf_addf(out, "{%s}", run->script);
	for (size_t i = 0; i < run->mount_count; i++)
		buf_addf(out, " mount(%s)%s%s", run->mounts[i].text,
			 run->mounts[i].from ? " from " : "",
			 run->mounts[i].from ? run->mounts[i].from : "");
	for (size_t i = 0; i < run->device_count; i++)
		buf_addf(out, " device(%s)%s", run->devices[i].name,
			 run->devices[i].required ? " required" : "");
	if (run->network)
		buf_addf(out, " network %s", run->network == RUN_NETWORK_NONE ? "none" : "host");
	if (run->security)
		buf_adds(out, " insecure");
}

static void show_flag(struct buf *out, const char *name, const char *value)
{
	if (value)
		buf_addf(out, " %s=%s", name, value);
}

static void show_copy(struct buf *out, const struct copy *copy)
{
	static const char *const states[] = { NULL, "no", "yes" };

	show_words(out, &copy->sources);
	show_heredocs(out, &copy->heredocs);
	buf_addf(out, " -> %s", copy->destination);
	show_flag(out, "from", copy->from);
	show_flag(out, "chown", copy->chown);
	show_flag(out, "chmod", copy->chmod);
	show_flag(out, "checksum", copy->checksum);
	show_flag(out, "link", copy->link ? "yes" : NULL);
	show_flag(out, "parents", copy->parents ? "yes" : NULL);
	show_flag(out, "git", states[copy->keep_git_dir]);
	show_flag(out, "unpack", states[copy->unpack]);
	for (size_t i = 0; i < copy->excludes.len; i++)
		show_flag(out, "exclude", copy->excludes.at[i]);
}

static void show_pairs(struct buf *out, const struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->len; i++)
		buf_addf(out, "%s%s%s%s", i ? "|" : "", pairs->at[i].key,
			 pairs->at[i].value ? "=" : "",
			 pairs->at[i].value ? pairs->at[i].value : "");
	if (pairs->legacy)
		buf_adds(out, " legacy");
}

static void show_healthcheck(struct buf *out, const struct healthcheck *health)
{
	if (health->form == HEALTHCHECK_NONE) {
		buf_adds(out, "none");
		return;
	}
	show_command(out, &health->command);
	buf_addf(out, " %jd %jd %jd %jd %d", (intmax_t)health->interval, (intmax_t)health->timeout,
		 (intmax_t)health->start_period, (intmax_t)health->start_interval,
		 (int)health->retries);
}

static void show(struct buf *out, const struct instruction *one)
{
	buf_addf(out, "%s ", instruction_name(one->kind));
	switch (one->kind) {
	case INSTRUCTION_RUN:
		show_run(out, &one->run);
		break;
	case INSTRUCTION_COPY:
	case INSTRUCTION_ADD:
		show_copy(out, &one->copy);
		break;
	case INSTRUCTION_CMD:
	case INSTRUCTION_ENTRYPOINT:
		show_command(out, &one->command);
		break;
	case INSTRUCTION_SHELL:
		show_words(out, &one->shell);
		break;
	case INSTRUCTION_EXPOSE:
	case INSTRUCTION_VOLUME:
		show_words(out, &one->words);
		break;
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
	case INSTRUCTION_ARG:
		show_pairs(out, &one->pairs);
		break;
	case INSTRUCTION_HEALTHCHECK:
		show_healthcheck(out, &one->healthcheck);
		break;
	case INSTRUCTION_ONBUILD:
		buf_addf(out, "(%s) ", one->onbuild.text);
		show(out, one->onbuild.trigger);
		break;
	default:
		buf_addf(out, "{%s}", one->word);
	}
}

TEST(instructions_are_read_as_the_language_says)
{
	static const char *const cases[][2] = {
		/* RUN */
		{ "RUN make all", "RUN shell {make all}" },
		{ "run\tmake  all ", "RUN shell {make  all}" },
		{ "RUN echo a \\\n    b", "RUN shell {echo a     b}" },
		{ "RUN [\"ls\", \"-l\"]", "RUN exec [ls|-l]" },
		{ "RUN [ -z x ] && y", "RUN shell {[ -z x ] && y}" },
		{ "RUN ['ls']", "RUN shell {['ls']}" },
		{ "RUN [\"ls\",]", "RUN shell {[\"ls\",]}" },
		{ "RUN [\"ls\"] # c", "RUN shell {[\"ls\"] # c}" },
		{ "RUN", "RUN shell {}" },
		{ "RUN --network=none make", "RUN shell {make} network none" },
		{ "RUN --network=host --security=insecure x",
		  "RUN shell {x} network host insecure" },
		{ "RUN --network=default --security=sandbox x", "RUN shell {x}" },
		{ "RUN --mount=type=cache,target=/a --mount=from=b,target=/c make",
		  "RUN shell {make} mount(type=cache,target=/a) mount(from=b,target=/c) from b" },
		{ "RUN --mount=type=cache,target=/a \\\n  --mount=type=$x [\"a\"]",
		  "RUN exec [a] mount(type=cache,target=/a) mount(type=$x)" },
		{ "RUN --device=nvidia.com/gpu=all x", "RUN shell {x} device(nvidia.com/gpu=all)" },
		{ "RUN --device=name=v/c,required --device=w,required=false x",
		  "RUN shell {x} device(v/c) required device(w)" },
		{ "RUN -- --mount", "RUN shell {--mount}" },
		{ "RUN x --mount=y", "RUN shell {x --mount=y}" },
		/* RUN with heredocs */
		{ "RUN <<EOF\nls /\nwhoami\nEOF", "RUN shell {ls /\nwhoami\n}" },
		{ "RUN <<-EOF\n\techo a\n\t\tb\n\tEOF", "RUN shell {echo a\nb\n}" },
		{ "RUN << EOF\na\nEOF", "RUN shell {a\n}" },
		{ "RUN <<EOF\n#!/bin/sh\nls\nEOF", "RUN script {#!/bin/sh\nls\n}" },
		{ "RUN <<-EOF\n\t#!/bin/sh\nEOF", "RUN script {#!/bin/sh\n}" },
		{ "RUN <<EOF\n # no\nEOF", "RUN shell { # no\n}" },
		{ "RUN <<'EOF' | python\nprint(\"$x\")\nEOF",
		  "RUN shell {<<'EOF' | python\nprint(\"$x\")\nEOF}" },
		{ "RUN <<-A cat && <<B cat\n\ta\n\tA\nb\nB",
		  "RUN shell {<<-A cat && <<B cat\n\ta\nA\nb\nB}" },
		{ "RUN --mount=target=/x <<EOF\na\nEOF", "RUN shell {a\n} mount(target=/x)" },
		{ "RUN cat <<EOF > /x \\\n  && true\n$a\nEOF",
		  "RUN shell {cat <<EOF > /x   && true\n$a\nEOF}" },
		{ "RUN [\"<<EOF\"]", "RUN exec [<<EOF]" },
		{ "RUN cat <<< word", "RUN shell {cat <<< word}" },
		{ "RUN <<EOF\n# comment\n\nEOF", "RUN shell {# comment\n\n}" },
		{ "RUN <<EOF\nRUN \\\nEOF", "RUN shell {RUN \\\n}" },
		/* nothing else has heredocs */
		{ "ENTRYPOINT <<EOF", "ENTRYPOINT {<<EOF}" },
		{ "HEALTHCHECK CMD <<EOF", "HEALTHCHECK {<<EOF} 0 0 0 0 0" },
		{ "ENV a=<<EOF", "ENV a=<<EOF" },
		{ "LABEL a <<EOF", "LABEL a=<<EOF legacy" },
		{ "WORKDIR <<EOF", "WORKDIR {<<EOF}" },
		{ "VOLUME <<EOF", "VOLUME [<<EOF]" },
		{ "ONBUILD CMD <<EOF", "ONBUILD (CMD <<EOF) CMD {<<EOF}" },
		{ "RUN cat <<E'O'F | tee /x\n\ta\nEOF",
		  "RUN shell {cat <<E'O'F | tee /x\n\ta\nEOF}" },
		/* CMD, ENTRYPOINT, SHELL */
		{ "CMD [\"a\", \"b c\"]", "CMD [a|b c]" },
		{ "CMD []", "CMD []" },
		{ "CMD", "CMD {}" },
		{ "CMD a \"b c\"", "CMD {a \"b c\"}" },
		{ "CMD <<EOF", "CMD {<<EOF}" },
		{ "ENTRYPOINT [\"a\"]", "ENTRYPOINT [a]" },
		{ "ENTRYPOINT []", "ENTRYPOINT []" },
		{ "ENTRYPOINT ['a']", "ENTRYPOINT {['a']}" },
		{ "SHELL [\"/bin/bash\", \"-c\"]", "SHELL [/bin/bash|-c]" },
		/* COPY */
		{ "COPY a b", "COPY [a] -> b" },
		{ "COPY a b  c/ ", "COPY [a|b] -> c/" },
		{ "COPY [\"a b\", \"c\"]", "COPY [a b] -> c" },
		{ "COPY \"a b\" c", "COPY [\"a|b\"] -> c" },
		{ "COPY ['a', b]", "COPY [['a',] -> b]" },
		{ "COPY --from=build --chown=$u:$g --chmod=u=rwX --link --parents a b",
		  "COPY [a] -> b from=build chown=$u:$g chmod=u=rwX link=yes parents=yes" },
		{ "COPY --exclude=*.o --exclude=$x --link=false --from=0 a b",
		  "COPY [a] -> b from=0 exclude=*.o exclude=$x" },
		{ "COPY --from= --chown= a b", "COPY [a] -> b" },
		{ "COPY --from=a$ b c", "COPY [b] -> c from=a$" },
		{ "COPY --from=${x:-y} b c", "COPY [b] -> c from=${x:-y}" },
		{ "COPY <<EOF /x\n$a\nEOF", "COPY [] <<EOF:$a\n -> /x" },
		{ "COPY <<'EOF' /x\nEOF", "COPY [] <<EOF: raw -> /x" },
		{ "COPY <<-EOF /x\n\ta\n\tEOF", "COPY [] <<EOF:a\n chomp -> /x" },
		{ "COPY <<a f <<\"b\" g /x/\n1\na\n2\nb", "COPY [f|g] <<a:1\n <<b:2\n raw -> /x/" },
		{ "COPY << EOF /x\na\nEOF", "COPY [] <<EOF:a\n -> /x" },
		{ "COPY <<a <<a /x\n1\na\n2\na", "COPY [] <<a:1\n <<a:2\n -> /x" },
		{ "COPY [\"<<a\", \"b\"]", "COPY [<<a] -> b" },
		{ "COPY <<<a b", "COPY [<<<a] -> b" },
		/* ADD */
		{ "ADD --checksum=sha256:$x --keep-git-dir --unpack=false http://h/x /y",
		  "ADD [http://h/x] -> /y checksum=sha256:$x git=yes unpack=no" },
		{ "ADD --unpack --keep-git-dir=false --link a b",
		  "ADD [a] -> b link=yes git=no unpack=yes" },
		{ "ADD <<EOF b\nx\nEOF", "ADD [] <<EOF:x\n -> b" },
		{ "ADD ['a', b]", "ADD [['a',] -> b]" },
		{ "ADD [\"a\", \"b\",]", "ADD [[\"a\",] -> \"b\",]" },
		{ "ADD \"a b\" c", "ADD [\"a|b\"] -> c" },
		/* ENV, LABEL, ARG */
		{ "ENV a=1 b=\"x y\" c=x\\ y d=", "ENV a=1|b=\"x y\"|c=x\\ y|d=" },
		{ "ENV a b  c=d ", "ENV a=b  c=d legacy" },
		{ "ENV a=b=c", "ENV a=b=c" },
		{ "ENV a\t\"b\"", "ENV a=\"b\" legacy" },
		{ "ENV $k=$v", "ENV $k=$v" },
		{ "ENV \"a b\"=c", "ENV \"a b\"=c" },
		{ "ENV a=1 \\\n  # c\n  b=2", "ENV a=1|b=2" },
		{ "LABEL \"a.b\"=\"c d\" e=f", "LABEL \"a.b\"=\"c d\"|e=f" },
		{ "LABEL a b", "LABEL a=b legacy" },
		{ "ARG a", "ARG a" },
		{ "ARG a=1 b c=$a", "ARG a=1|b|c=$a" },
		{ "ARG a=", "ARG a=" },
		{ "ARG a=\"x y\"", "ARG a=\"x y\"" },
		/* lists and single words */
		{ "EXPOSE 80 443/tcp $p", "EXPOSE [$p|443/tcp|80]" },
		{ "VOLUME /a /b", "VOLUME [/a|/b]" },
		{ "VOLUME [\"/a b\", \" /c \"]", "VOLUME [/a b|/c]" },
		{ "VOLUME ['/a']", "VOLUME [['/a']]" },
		{ "VOLUME \"/a b\"", "VOLUME [\"/a|b\"]" },
		{ "EXPOSE \"80 81\"", "EXPOSE [\"80|81\"]" },
		{ "WORKDIR /a b/$c", "WORKDIR {/a b/$c}" },
		{ "USER a  b", "USER {a  b}" },
		{ "MAINTAINER [\"a\"]", "MAINTAINER {[\"a\"]}" },
		{ "WORKDIR \"/a b\"", "WORKDIR {\"/a b\"}" },
		{ "USER a:b", "USER {a:b}" },
		{ "STOPSIGNAL SIGTERM", "STOPSIGNAL {SIGTERM}" },
		{ "MAINTAINER A <a@b>", "MAINTAINER {A <a@b>}" },
		/* HEALTHCHECK */
		{ "HEALTHCHECK NONE", "HEALTHCHECK none" },
		{ "HEALTHCHECK none", "HEALTHCHECK none" },
		{ "HEALTHCHECK CMD curl x", "HEALTHCHECK {curl x} 0 0 0 0 0" },
		{ "HEALTHCHECK cmd [\"a\", \"b\"]", "HEALTHCHECK [a|b] 0 0 0 0 0" },
		{ "HEALTHCHECK CMD ['a']", "HEALTHCHECK {['a']} 0 0 0 0 0" },
		{ "HEALTHCHECK --interval=1m --timeout=500ms --start-period=0s \\\n"
		  " --start-interval=1ms --retries=3 CMD --x y",
		  "HEALTHCHECK {--x y} 60000000000 500000000 0 1000000 3" },
		{ "HEALTHCHECK --interval= --retries=+0 CMD x", "HEALTHCHECK {x} 0 0 0 0 0" },
		/* ONBUILD */
		{ "ONBUILD RUN a  b", "ONBUILD (RUN a  b) RUN shell {a  b}" },
		{ "onbuild copy --from=x a b", "ONBUILD (copy --from=x a b) COPY [a] -> b from=x" },
		{ "ONBUILD  \\\n ADD a b", "ONBUILD (ADD a b) ADD [a] -> b" },
		{ "ONBUILD RUN <<EOF\nx\nEOF", "ONBUILD (RUN <<EOF\nx\nEOF) RUN shell {x\n}" },
		{ "ONBUILD COPY <<a <<b /x\n1\na\n2\nb",
		  "ONBUILD (COPY <<a <<b /x\n1\na\n2\nb) COPY [] <<a:1\n <<b:2\n -> /x" },
		{ "ONBUILD RUN [\"<<EOF\"]", "ONBUILD (RUN [\"<<EOF\"]) RUN exec [<<EOF]" },
		{ "ONBUILD ENV a=$b", "ONBUILD (ENV a=$b) ENV a=$b" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = xasprintf("FROM scratch\n%s\nUSER last", cases[i][0]);
		AUTO(recipe) struct recipe *recipe = parse(text);
		const struct instructions *got = &recipe->stages[0].instructions;
		AUTO(buf) struct buf out = BUF_INIT(10000);

		assert_int_equal(got->len, 2);
		show(&out, &got->at[0]);
		assert_string_equal(out.at, cases[i][1]);
		assert_int_equal(got->at[1].kind, INSTRUCTION_USER);
	}
}

TEST(the_escape_directive_changes_words_and_lines_but_not_heredocs)
{
	AUTO(recipe)
	struct recipe *recipe = parse("# escape=`\n"
				      "FROM a\n"
				      "RUN dir c:\\ `\n  x\n"
				      "ENV p=c:\\ q=a` b\n"
				      "COPY --from=x` y a\\ b\n"
				      "COPY <<E\\\\F /x\n1\nE\\F\n");
	const struct instruction *at = recipe->stages[0].instructions.at;

	assert_int_equal(recipe->escape, '`');
	assert_string_equal(at[0].run.script, "dir c:\\   x");
	assert_string_equal(at[1].pairs.at[0].value, "c:\\");
	assert_string_equal(at[1].pairs.at[1].value, "a` b");
	assert_string_equal(at[2].copy.from, "x y");
	assert_string_equal(at[2].copy.sources.at[0], "a\\");
	assert_string_equal(at[3].copy.heredocs.at[0].name, "E\\F");
}

TEST(stages_have_names_bases_and_platforms)
{
	AUTO(recipe)
	struct recipe *recipe = parse("# syntax=docker/dockerfile:1\n"
				      "# check=skip=all\n"
				      "ARG V=1 W\n"
				      "arg X=$V\n"
				      "FROM --platform=$BUILDPLATFORM golang:$V AS Build-1.x_y\n"
				      "RUN a\n"
				      "from build-1.x_y\n"
				      "FROM --platform= scratch as last\n");

	assert_string_equal(recipe->syntax, "docker/dockerfile:1");
	assert_string_equal(recipe->check, "skip=all");
	assert_int_equal(recipe->globals.len, 2);
	assert_string_equal(recipe->globals.at[0].pairs.at[1].key, "W");
	assert_int_equal(recipe->stage_count, 3);
	assert_string_equal(recipe->stages[0].name, "build-1.x_y");
	assert_string_equal(recipe->stages[0].base, "golang:$V");
	assert_string_equal(recipe->stages[0].platform, "$BUILDPLATFORM");
	assert_int_equal(recipe->stages[0].instructions.len, 1);
	assert_int_equal(recipe->stages[0].position.line, 5);
	assert_null(recipe->stages[1].name);
	assert_string_equal(recipe->stages[1].base, "build-1.x_y");
	assert_int_equal(recipe->stages[1].instructions.len, 0);
	assert_int_equal(recipe->stages[2].index, 2);
	assert_null(recipe->stages[2].platform);
	assert_string_equal(recipe->stages[2].text, "FROM --platform= scratch as last");
}

TEST(places_and_text_are_kept)
{
	AUTO(recipe)
	struct recipe *recipe = parse("FROM a\n\n  RUN x \\\n  # c\n   y  \n"
				      "COPY <<A <<B /x\n1\nA\nB\nCMD z\n");
	const struct instruction *at = recipe->stages[0].instructions.at;

	assert_string_equal(at[0].text, "RUN x    y");
	assert_int_equal(at[0].position.line, 3);
	assert_int_equal(at[0].position.line_end, 5);
	assert_int_equal(at[0].position.column, 3);
	assert_string_equal(at[1].text, "COPY <<A <<B /x");
	assert_int_equal(at[1].position.line, 6);
	assert_int_equal(at[1].position.line_end, 9);
	assert_int_equal(at[1].copy.heredocs.at[1].position.line, 9);
	assert_int_equal(at[2].position.line, 10);
}

TEST(comments_above_are_documentation)
{
	AUTO(recipe)
	struct recipe *recipe = parse("# foo sets foo\nARG foo=bar\n\n"
				      "# base defines first stage\nFROM busybox AS base\n"
				      "# this is irrelevant\nARG foo\n"
				      "# bar defines bar\n# baz is something else\n"
				      "ARG bar baz=123\n"
				      "# bar is gone\n#\nARG bar\n"
				      "# check=skip=JSONArgsRecommended\nCMD x\n");
	const struct instruction *at = recipe->stages[0].instructions.at;

	assert_string_equal(recipe->globals.at[0].pairs.at[0].doc, "sets foo");
	assert_string_equal(recipe->stages[0].doc, "defines first stage");
	assert_null(at[0].pairs.at[0].doc);
	assert_string_equal(at[1].pairs.at[0].doc, "defines bar");
	assert_string_equal(at[1].pairs.at[1].doc, "is something else");
	assert_null(at[2].pairs.at[0].doc);
	assert_string_equal(at[3].check, "skip=JSONArgsRecommended");
	assert_int_equal(recipe->lints.len, 0);
}

TEST(what_is_wrong_is_said_with_its_line)
{
	static const struct {
		const char *text; /* from line 2 on, behind a FROM */
		unsigned line;
		const char *message;
	} cases[] = {
		{ "RUNN make", 2, "unknown instruction: RUNN (did you mean RUN?)" },
		{ "\n\nxyzzy", 4, "unknown instruction: xyzzy" },
		{ "FROMM x", 2, "unknown instruction: FROMM (did you mean FROM?)" },
		{ "WORKDIR", 2, "WORKDIR requires exactly one argument" },
		{ "USER ", 2, "USER requires exactly one argument" },
		{ "STOPSIGNAL", 2, "STOPSIGNAL requires exactly one argument" },
		{ "MAINTAINER", 2, "MAINTAINER requires exactly one argument" },
		{ "ENV", 2, "ENV requires at least one argument" },
		{ "LABEL", 2, "LABEL requires at least one argument" },
		{ "ARG", 2, "ARG requires at least one argument" },
		{ "ONBUILD", 2, "ONBUILD requires at least one argument" },
		{ "HEALTHCHECK", 2, "HEALTHCHECK requires at least one argument" },
		{ "EXPOSE", 2, "EXPOSE requires at least one argument" },
		{ "VOLUME", 2, "VOLUME requires at least one argument" },
		{ "VOLUME []", 2, "VOLUME requires at least one argument" },
		{ "VOLUME [\" \"]", 2, "VOLUME takes no empty path" },
		{ "COPY a", 2, "COPY requires at least two arguments" },
		{ "ADD", 2, "ADD requires at least two arguments" },
		{ "COPY [\"a\"]", 2, "COPY requires at least two arguments" },
		{ "COPY <<EOF\nEOF", 2, "COPY requires at least two arguments" },
		{ "COPY a <<EOF\nEOF", 2, "COPY cannot take a heredoc as its destination" },
		{ "COPY <<\"a b\" /x\na b", 2, "holds blanks" },
		{ "RUN --mount=a\\\"b c", 2, "quote" },
		{ "RUN --network=foo x", 2, "--network: 'foo' is none of: default, none, host" },
		{ "RUN --network= x", 2, "--network: '' is none of: default, none, host" },
		{ "RUN --security=x y", 2, "--security: 'x' is none of: sandbox, insecure" },
		{ "RUN --device=required x", 2, "names no device" },
		{ "RUN --device=a,b x", 2, "unexpected 'b'" },
		{ "RUN []", 2, "RUN requires at least one argument" },
		{ "RUN [1]", 2, "strings only" },
		{ "CMD [\"a\", null]", 2, "strings only" },
		{ "SHELL", 2, "SHELL requires at least one argument" },
		{ "SHELL []", 2, "SHELL requires at least one argument" },
		{ "SHELL bash -c", 2, "SHELL requires the JSON form" },
		{ "SHELL ['bash', '-c']", 2, "SHELL requires the JSON form" },
		{ "SHELL [\"bash\", []]", 2, "strings only" },
		{ "ENTRYPOINT [true]", 2, "strings only" },
		{ "HEALTHCHECK CMD [\"a\", 1]", 2, "strings only" },
		{ "COPY [1, 2]", 2, "strings only" },
		{ "ADD [\"a\", {}]", 2, "strings only" },
		{ "VOLUME [\"a\", null]", 2, "strings only" },
		{ "ONBUILD RUN [1]", 2, "strings only" },
		{ "ENV a", 2, "ENV must have two arguments" },
		{ "ENV a=1 b", 2, "no = in 'b'" },
		{ "ENV =x", 2, "ENV names cannot be blank" },
		{ "LABEL a=1 =x", 2, "LABEL names cannot be blank" },
		{ "ARG =x", 2, "ARG names cannot be blank" },
		{ "HEALTHCHECK NONE x", 2, "HEALTHCHECK NONE takes no arguments" },
		{ "HEALTHCHECK CMD", 2, "missing command after HEALTHCHECK CMD" },
		{ "HEALTHCHECK CMD []", 2, "missing command after HEALTHCHECK CMD" },
		{ "HEALTHCHECK curl x", 2, "unknown type 'curl' in HEALTHCHECK (try CMD)" },
		{ "HEALTHCHECK --interval=50us CMD x", 2, "less than 1ms" },
		{ "HEALTHCHECK --interval=-1s CMD x", 2, "less than 1ms" },
		{ "HEALTHCHECK --timeout=5 CMD x", 2, "--timeout: " },
		{ "HEALTHCHECK --retries=-1 CMD x", 2, "--retries cannot be negative (-1)" },
		{ "HEALTHCHECK --retries=x CMD x", 2, "--retries: " },
		{ "HEALTHCHECK --intervall=1s CMD x", 2, "(did you mean --interval?)" },
		{ "ONBUILD ONBUILD RUN x", 2, "ONBUILD ONBUILD is not allowed" },
		{ "ONBUILD from x", 2, "FROM is not allowed as an ONBUILD trigger" },
		{ "ONBUILD MAINTAINER x", 2, "MAINTAINER is not allowed as an ONBUILD trigger" },
		{ "ONBUILD RUNN x", 2, "unknown instruction: RUNN" },
		{ "ONBUILD COPY x", 2, "COPY requires at least two arguments" },
		{ "MAINTAINER --boo x", 2, "unknown flag: --boo" },
		{ "ENV --x a=b", 2, "unknown flag: --x" },
		{ "COPY --chwon=a b c", 2, "unknown flag: --chwon (did you mean --chown?)" },
		{ "COPY --checksum=x a b", 2, "unknown flag: --checksum" },
		{ "ADD --from=x a b", 2, "unknown flag: --from" },
		{ "COPY --from=a --from=b c d", 2, "duplicate flag: --from" },
		{ "COPY --from a b c", 2, "--from needs a value" },
		{ "RUN --mount type=tmpfs,target=/x y", 2, "--mount needs a value" },
		{ "COPY --link= a b", 2, "--link= without a value" },
		{ "ADD --unpack=1 a b", 2, "--unpack is either true or false" },
		/* nothing is filled in here */
		{ "RUN --network=$x y", 2, "--network: '$x' is none of" },
		{ "RUN --security=$x y", 2, "--security: '$x' is none of" },
		/* Buildah's alone */
		{ "FROM --after=x a", 2, "unknown flag: --after" },
		{ "FROM", 2, "FROM requires either one or three arguments" },
		{ "FROM a b", 2, "FROM requires either one or three arguments" },
		{ "FROM \"a b\"", 2, "FROM requires either one or three arguments" },
		{ "FROM [\"a\", \"AS\", \"b\"] c", 2,
		  "FROM requires either one or three arguments" },
		{ "FROM a is b", 2, "FROM requires either one or three arguments" },
		{ "FROM a as b c", 2, "FROM requires either one or three arguments" },
		{ "FROM a as 1x", 2, "invalid name for a stage: '1x'" },
		{ "FROM a as x$y", 2, "invalid name for a stage: 'x$y'" },
		{ "RUN <<EOF\na\nb", 2, "unterminated heredoc: no line is EOF" },
		{ "USER x\nRUN <<A <<B\nA\nb\n", 3, "unterminated heredoc: no line is B" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = xasprintf("FROM scratch\n%s", cases[i].text);
		AUTO(mem) char *place = xasprintf("Recipe:%u: ", cases[i].line);
		AUTO(mem) char *mark = xasprintf(" %u | >>>", cases[i].line);
		struct recipe *recipe = NULL;
		AUTO(err) struct err *err = recipe_parse("Recipe", str_of(text), &recipe);

		if (recipe)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(err_kind(err), ERR_INVALID);
		if (!str_starts(str_of(err_text(err)), place) ||
		    !strstr(err_text(err), cases[i].message))
			fail_msg("%s: %s", cases[i].text, err_text(err));
		assert_non_null(strstr(err_notes(err), mark));
	}
}

TEST(a_flag_may_stand_once_unless_it_is_a_list)
{
	static const struct {
		const char *before, *flag, *behind; /* the flag stands twice between them */
		bool list;
	} cases[] = {
		{ "FROM", "--platform=linux/a", "b", false },
		{ "RUN", "--mount=target=/x", "y", true },
		{ "RUN", "--device=a", "y", true },
		{ "RUN", "--network=none", "y", false },
		{ "RUN", "--security=sandbox", "y", false },
		{ "COPY", "--exclude=a", "b c", true },
		{ "ADD", "--exclude=a", "b c", true },
		{ "COPY", "--from=a", "b c", false },
		{ "COPY", "--chown=1", "b c", false },
		{ "ADD", "--chmod=1", "b c", false },
		{ "COPY", "--link", "b c", false },
		{ "COPY", "--parents=false", "b c", false },
		{ "ADD", "--checksum=a", "b c", false },
		{ "ADD", "--keep-git-dir", "b c", false },
		{ "ADD", "--unpack=true", "b c", false },
		{ "HEALTHCHECK", "--interval=1s", "CMD a", false },
		{ "HEALTHCHECK", "--timeout=1s", "CMD a", false },
		{ "HEALTHCHECK", "--start-period=1s", "CMD a", false },
		{ "HEALTHCHECK", "--start-interval=1s", "CMD a", false },
		{ "HEALTHCHECK", "--retries=1", "CMD a", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *flag = cases[i].flag;
		AUTO(mem)
		char *text = xasprintf("FROM scratch\n%s %s %s %s\n", cases[i].before, flag, flag,
				       cases[i].behind);
		AUTO(recipe) struct recipe *recipe = NULL;
		AUTO(err) struct err *err = recipe_parse("Recipe", str_of(text), &recipe);
		AUTO(mem)
		char *want =
			xasprintf("Recipe:2: duplicate flag: %.*s", (int)strcspn(flag, "="), flag);

		if (cases[i].list ? err != NULL : !err || strcmp(err_text(err), want) != 0)
			fail_msg("%s: %s", text, err ? err_text(err) : "accepted");
	}
}

TEST(a_file_needs_a_from_and_nothing_but_args_before_it)
{
	static const char *const cases[][2] = {
		{ "", "Recipe: the file holds no instruction" },
		{ "# only\n\n# comments\n", "Recipe: the file holds no instruction" },
		{ "\xef\xbb\xbf", "Recipe: the file holds no instruction" },
		{ "ARG a=1\n", "Recipe: no FROM: there is nothing to build on" },
		/* how other frontends are asked for; what follows is in their language */
		{ "// syntax=example/other:1\n", "Recipe:1: unknown instruction: //" },
		{ "{\"syntax\":\"example/other:1\"}\n",
		  "Recipe:1: unknown instruction: {\"syntax\":\"example/other:1\"}" },
		{ "ARG a\nRUN x\nFROM a",
		  "Recipe:2: RUN before the first FROM: only ARG may stand there" },
		{ "# check=what\nFROM a", "Recipe:1: check: 'what' is not of the form key=value" },
		{ "# escape=x\nFROM a", "Recipe:1: escape=x: only \\ and ` can escape" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct recipe *recipe = NULL;
		AUTO(err) struct err *err = recipe_parse("Recipe", str_of(cases[i][0]), &recipe);

		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_string_equal(err_text(err), cases[i][1]);
	}
}

TEST(windows_files_are_read_too)
{
	AUTO(recipe)
	struct recipe *recipe = parse("\xef\xbb\xbf# escape=`\r\nFROM a\r\n"
				      "RUN x `\r\n  y\r\nCOPY <<E /z\r\n1\r\nE\r\n");
	const struct instruction *at = recipe->stages[0].instructions.at;

	assert_string_equal(at[0].run.script, "x   y");
	assert_string_equal(at[1].copy.heredocs.at[0].content, "1\r\n");
}

TEST(triggers_of_a_base_image_are_parsed_alone)
{
	AUTO(recipe) struct recipe *recipe = parse("# escape=`\nFROM a\n");
	static const char *const cases[][2] = {
		{ "RUN make", "RUN shell {make}" },
		{ "COPY --from=x a b", "COPY [a] -> b from=x" },
		{ "RUN <<EOF\nx\nEOF", "RUN shell {x\n}" },
		{ "ENV a=x\\ y", "ENV a=x\\ y" }, /* the image's escape is the backslash */
	};
	static const char *const bad[][2] = {
		{ "FROM x", "ONBUILD FROM x: FROM is not allowed" },
		{ "ONBUILD RUN x", "ONBUILD ONBUILD RUN x: ONBUILD ONBUILD is not allowed" },
		{ "MAINTAINER x", "ONBUILD MAINTAINER x: MAINTAINER is not allowed" },
		{ "RUNN x", "ONBUILD RUNN x: unknown instruction: RUNN (did you mean RUN?)" },
		{ "", "ONBUILD : there is no instruction" },
		{ "RUN a\nRUN b", "ONBUILD RUN a: there is more than one instruction" },
		{ "RUN <<EOF\nx", "ONBUILD RUN <<EOF: unterminated heredoc" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct instruction *trigger = NULL;
		AUTO(buf) struct buf out = BUF_INIT(1000);

		assert_ok(recipe_parse_trigger(recipe, cases[i][0], &trigger));
		show(&out, trigger);
		assert_string_equal(out.at, cases[i][1]);
		assert_int_equal(trigger->position.line, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct instruction *trigger = NULL;
		AUTO(err) struct err *err = recipe_parse_trigger(recipe, bad[i][0], &trigger);

		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_true(str_starts(str_of(err_text(err)), bad[i][1]));
	}
}

TEST(an_ordinary_recipe_takes_microseconds)
{
	static const char text[] =
		"# syntax=docker/dockerfile:1\n"
		"ARG GO=1.22\n"
		"FROM --platform=$BUILDPLATFORM golang:${GO} AS build\n"
		"ARG TARGETOS TARGETARCH\n"
		"WORKDIR /src\n"
		"COPY go.mod go.sum ./\n"
		"RUN --mount=type=cache,target=/root/.cache \\\n"
		"    go mod download\n"
		"COPY . .\n"
		"RUN --mount=type=cache,target=/root/.cache \\\n"
		"    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/app ./cmd\n"
		"FROM scratch\n"
		"LABEL a=b c=\"d e\"\n"
		"ENV PATH=/bin A=1\n"
		"COPY --from=build --chown=1:1 /out/app /app\n"
		"USER 1000\n"
		"EXPOSE 80 443\n"
		"HEALTHCHECK --interval=30s CMD [\"/app\", \"check\"]\n"
		"ENTRYPOINT [\"/app\"]\n"
		"CMD [\"serve\"]\n";
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 50; i++) {
		uint64_t start = clock_monotonic();
		struct recipe *recipe = parse(text);

		recipe_free(recipe);
		best = clock_monotonic() - start < best ? clock_monotonic() - start : best;
	}
	/* about 12 us in a release build; sanitizers and loaded machines get their share */
	assert_true(best < 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_are_read_as_the_language_says),
		cmocka_unit_test(the_escape_directive_changes_words_and_lines_but_not_heredocs),
		cmocka_unit_test(stages_have_names_bases_and_platforms),
		cmocka_unit_test(places_and_text_are_kept),
		cmocka_unit_test(comments_above_are_documentation),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(a_flag_may_stand_once_unless_it_is_a_list),
		cmocka_unit_test(a_file_needs_a_from_and_nothing_but_args_before_it),
		cmocka_unit_test(windows_files_are_read_too),
		cmocka_unit_test(triggers_of_a_base_image_are_parsed_alone),
		cmocka_unit_test(an_ordinary_recipe_takes_microseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
