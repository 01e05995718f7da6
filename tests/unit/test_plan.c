/* tests/unit/test_plan.c - what instructions become: configs, rows, steps and keys.
 *
 * Expectations follow the reference's sections on FROM, ARG, metadata instructions, history and
 * cache keys.
 */

#include "tests/unit/unit.h"

#include "builder/build.h"
#include "builder/config.h"
#include "builder/parse.h"
#include "builder/plan.h"
#include "builder/scope.h"
#include "builder/tree.h"
#include "tests/unit/kitchen.h"

/* The key of the target's last step. */
static struct digest last_key(const char *text)
{
	must_plan(text);
	assert_non_null(plan->target->top);
	return plan->target->top->record.key;
}

static bool same_key(const char *one, const char *two)
{
	struct digest a = last_key(one), b = last_key(two);

	return digest_equal(&a, &b);
}

static void assert_row(size_t index, const char *want)
{
	assert_true(index < plan->target->row_count);
	assert_string_equal(plan->target->rows[index].created_by, want);
}

static void assert_env(const char *name, const char *want)
{
	AUTO(strings) struct strings env = { 0 };
	const char *found = NULL;

	config_env(plan->target->config, &env);
	vec_foreach (&env, pair)
		if (strncmp(*pair, name, strlen(name)) == 0 && (*pair)[strlen(name)] == '=')
			found = *pair + strlen(name) + 1;
	if (!want) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, want);
}

TEST(writes_history_as_buildkit_does)
{
	fill_context("f 644 a x\n");
	must_plan("FROM scratch\n"
		  "ARG who=me other\n"
		  "RUN  echo hi\n"
		  "RUN [\"/bin/x\", \"a b\"]\n"
		  "COPY --chown=1:2 --chmod=600 a /b/\n"
		  "WORKDIR sub\n"
		  "ENV a=1 b=\"two words\"\n"
		  "LABEL l=v\n"
		  "EXPOSE 80 443/UDP 10-12\n"
		  "CMD [\"a\", \"b\"]\n"
		  "ENTRYPOINT run me\n"
		  "VOLUME /d /e\n"
		  "USER nobody\n"
		  "STOPSIGNAL SIGTERM\n"
		  "SHELL [\"/bin/bash\", \"-c\"]\n");
	assert_row(0, "ARG who=me other");
	assert_row(1, "RUN |2 who=me other= /bin/sh -c echo hi # buildkit");
	assert_row(2, "RUN |2 who=me other= /bin/x a b # buildkit");
	assert_row(3, "COPY --chown=1:2 --chmod=600 a /b/ # buildkit");
	assert_row(4, "WORKDIR /sub");
	assert_row(5, "ENV a=1 b=two words");
	assert_row(6, "LABEL l=v");
	assert_row(7, "EXPOSE [10/tcp 11/tcp 12/tcp 443/udp 80/tcp]");
	assert_row(8, "CMD [\"a\" \"b\"]");
	assert_row(9, "ENTRYPOINT [\"/bin/sh\" \"-c\" \"run me\"]");
	assert_row(10, "VOLUME [/d /e]");
	assert_row(11, "USER nobody");
	assert_row(12, "STOPSIGNAL SIGTERM");
	assert_row(13, "SHELL [/bin/bash -c]");
	assert_int_equal(plan->target->row_count, 14);
	assert_int_equal(plan->steps.len, 4);
}

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

TEST(writes_every_row_as_buildkit_does)
{
	/* dispatch functions of its Dockerfile frontend: %v, %q of a list, %q of the healthcheck */
	static const struct {
		const char *line;
		const char *want; /* NULL: no row */
	} cases[] = {
		{ "ARG a", "ARG a" },
		{ "ARG a=1 b c=\"2 3\"", "ARG a=1 b c=2 3" },
		{ "ENV a=$v b='$v'", "ENV a=val b=$v" },
		{ "ENV old style  text", "ENV old=style  text" },
		{ "LABEL \"a b\"=\"c\\\"d\"", "LABEL a b=c\"d" },
		{ "MAINTAINER Someone <a@b>", "MAINTAINER Someone <a@b>" },
		{ "USER ${v}:1", "USER val:1" },
		{ "WORKDIR /", "WORKDIR /" },
		{ "WORKDIR a/../$v/./", "WORKDIR /val" },
		{ "STOPSIGNAL 9", "STOPSIGNAL 9" },
		{ "STOPSIGNAL sigio", "STOPSIGNAL sigio" }, /* an alias */
		{ "STOPSIGNAL IOT", "STOPSIGNAL IOT" },
		{ "STOPSIGNAL SIGRTMIN+15", "STOPSIGNAL SIGRTMIN+15" },
		{ "STOPSIGNAL rtmax-14", "STOPSIGNAL rtmax-14" },
		{ "SHELL [\"/bin/sh\", \"-e x\", \"-c\"]", "SHELL [/bin/sh -e x -c]" },
		{ "CMD []", "CMD []" },
		{ "CMD echo \"$v\"\ttab", "CMD [\"/bin/sh\" \"-c\" \"echo \\\"$v\\\"\\ttab\"]" },
		{ "CMD [\"\\u00e4\\u0007\", \"\"]", "CMD [\"\u00e4\\a\" \"\"]" },
		{ "ENTRYPOINT [\"a b\"]", "ENTRYPOINT [\"a b\"]" },
		{ "VOLUME /b $v /a", "VOLUME [/b val /a]" },
		{ "VOLUME [\"/a b\", \"/c\"]", "VOLUME [/a b /c]" },
		{ "VOLUME /a/../b/ c ~", "VOLUME [/a/../b/ c ~]" },
		{ "EXPOSE 80", "EXPOSE [80/tcp]" },
		{ "EXPOSE 80/ 9/UDP 10-11/sctp", "EXPOSE [10/sctp 11/sctp 80/tcp 9/udp]" },
		{ "EXPOSE 80 80", "EXPOSE [80/tcp 80/tcp]" },
		{ "EXPOSE $ports 1", "EXPOSE [7/tcp 5/udp 1/tcp]" },
		{ "EXPOSE 127.0.0.1:90:91", "EXPOSE [91/tcp]" },
		{ "EXPOSE 0 65535/tcp", "EXPOSE [0/tcp 65535/tcp]" },
		{ "EXPOSE 8000-8001:80-81/udp", "EXPOSE [80/udp 81/udp]" },
		{ "HEALTHCHECK NONE",
		  "HEALTHCHECK &{[\"NONE\"] \"0s\" \"0s\" \"0s\" \"0s\" '\\x00'}" },
		{ "HEALTHCHECK --interval=5s --timeout=2s CMD curl -f x",
		  "HEALTHCHECK &{[\"CMD-SHELL\" \"curl -f x\"] \"5s\" \"2s\" \"0s\" \"0s\" '\\x00'}" },
		{ "HEALTHCHECK --start-period=90s --start-interval=1500us --retries=10 CMD [\"a\", \"b\"]",
		  "HEALTHCHECK &{[\"CMD\" \"a\" \"b\"] \"0s\" \"0s\" \"1m30s\" \"1.5ms\" '\\n'}" },
		{ "ONBUILD RUN x", NULL },
		{ "RUN echo $v", "RUN |2 v=val ports=7 5/udp /bin/sh -c echo $v # buildkit" },
		{ "RUN [\"a\", \"$v\"]", "RUN |2 v=val ports=7 5/udp a $v # buildkit" },
		{ "COPY $v f /$v/", "COPY val f /val/ # buildkit" },
		{ "COPY --link --exclude=x --from=scratch f? rel", "COPY f? rel # buildkit" },
		{ "COPY --parents --chmod=7 --chown=1 f val d/",
		  "COPY --parents --chown=1 --chmod=7 f val d/ # buildkit" },
		{ "COPY [\"f\", \"val\", \"/a b/\"]", "COPY f val /a b/ # buildkit" },
		{ "COPY --chmod=u+x --chown=$v:1 f d",
		  "COPY --chown=val:1 --chmod=u+x f d # buildkit" },
		{ "ADD --chmod=600 --chown=$v f $v /d/",
		  "ADD --chown=val --chmod=600 f val /d/ # buildkit" },
		{ "ADD https://host/a.git#" COMMIT " /x",
		  "ADD https://host/a.git#" COMMIT " /x # buildkit" },
		/* not as BuildKit does: a password is no part of an image */
		{ "ADD https://user:pass@host/a.git#" COMMIT " /x",
		  "ADD https://host/a.git#" COMMIT " /x # buildkit" },
	};

	fill_context("f 644 f x\nf 644 val x\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *text =
			xasprintf("FROM scratch\nARG v=val ports=\"7 5/udp\"\n%s\n", cases[i].line);

		must_plan(text);
		if (!cases[i].want)
			assert_int_equal(plan->target->row_count, 1);
		else
			assert_row(1, cases[i].want);
	}
}

TEST(the_last_writer_of_a_variable_wins)
{
	static const struct {
		const char *recipe, *want;
	} cases[] = {
		{ "FROM scratch\nARG a=1\nENV b=$a\n", "1" },
		{ "FROM scratch\nENV a=env\nARG a=arg\nENV b=$a\n", "arg" },
		{ "FROM scratch\nARG a=arg\nENV a=env\nENV b=$a\n", "env" },
		{ "FROM scratch\nENV a=old\nENV a=new b=$a\n", "old" },
		{ "ARG g=glob\nFROM scratch\nENV b=$g\n", "" },
		{ "ARG g=glob\nFROM scratch\nARG g\nENV b=$g\n", "glob" },
		{ "ARG g=glob\nFROM scratch\nARG g=own\nENV b=$g\n", "own" },
		{ "ARG given=glob\nFROM scratch\nARG given=own\nENV b=$given\n", "cli" },
		{ "FROM scratch AS x\nARG a=1\nFROM x\nENV b=$a\n", "1" },
		{ "FROM scratch\nARG TARGETOS\nENV b=$TARGETOS\n", "linux" },
		{ "FROM scratch\nARG TARGETOS=mine\nENV b=$TARGETOS\n", "mine" },
	};

	build_args_set(args, STR("given"), "cli");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		must_plan(cases[i].recipe);
		assert_env("b", cases[i].want);
	}
}

TEST(keys_follow_what_a_step_reads_and_nothing_else)
{
	assert_true(same_key("FROM scratch\nRUN a\n", "# remark\nfrom scratch\n\nRUN   a\n"));
	assert_true(same_key("FROM scratch\nRUN a\n", "FROM scratch\nLABEL x=y\nCMD z\nRUN a\n"));
	assert_true(same_key("FROM scratch\nRUN a\\\nb\n", "FROM scratch\nRUN ab\n"));
	assert_false(same_key("FROM scratch\nRUN a\n", "FROM scratch\nRUN b\n"));
	assert_false(same_key("FROM scratch\nRUN a\n", "FROM scratch\nRUN [\"a\"]\n"));
	assert_false(same_key("FROM scratch\nRUN a\n", "FROM scratch\nENV x=y\nRUN a\n"));
	assert_false(same_key("FROM scratch\nRUN a\n", "FROM scratch\nARG x=y\nRUN a\n"));
	assert_false(same_key("FROM scratch\nRUN a\n", "FROM scratch\nUSER 1\nRUN a\n"));
	assert_false(same_key("FROM scratch\nRUN a\n", "FROM scratch\nRUN z\nRUN a\n"));
	assert_false(same_key("FROM scratch\nRUN a\n", "FROM scratch\nRUN --network=none a\n"));
	assert_false(same_key("FROM scratch\nRUN --mount=type=secret,target=/x,id=a,env=B a\n",
			      "FROM scratch\nRUN --mount=type=secret,target=/x,id=a\\ env=B a\n"));
	assert_false(same_key("FROM scratch\nRUN a b\n", "FROM scratch\nRUN [\"/bin/sh\", \"-c\", "
							 "\"a\", \"b\"]\n"));
}

TEST(keys_of_copies_follow_content_and_mode_but_no_time)
{
	static const char *const recipe = "FROM scratch\nCOPY . /\n";
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct digest first, now;

	fill_context("f 644 a x\nd 755 d\nf 600 d/b y\n");
	first = last_key(recipe);
	assert_int_equal(utimensat(tmp_fd, "context/d/b", times, 0), 0);
	now = last_key(recipe);
	assert_true(digest_equal(&first, &now));
	assert_int_equal(fchmodat(tmp_fd, "context/d/b", 0640, 0), 0);
	now = last_key(recipe);
	assert_false(digest_equal(&first, &now));
	assert_int_equal(fchmodat(tmp_fd, "context/d/b", 0600, 0), 0);
	now = last_key(recipe);
	assert_true(digest_equal(&first, &now));
	assert_int_equal(renameat(tmp_fd, "context/d/b", tmp_fd, "context/d/c"), 0);
	now = last_key(recipe);
	assert_false(digest_equal(&first, &now));
}

static bool was_looked_at(const char *dir)
{
	const struct tree_node *root = &plan->context->tree->root;

	for (size_t i = 0; i < root->child_count; i++)
		if (strcmp(root->children[i].name, dir) == 0)
			return root->children[i].loaded;
	fail_msg("there is no '%s'", dir);
	return false;
}

TEST(what_no_source_names_is_not_looked_at)
{
	static const char *const recipe = "FROM scratch\nCOPY f d/ /\n";
	struct digest first, now;

	fill_context("f 644 f x\nd 755 d\nf 644 d/g y\nd 755 e\nf 644 e/h z\n");
	first = last_key(recipe);
	assert_true(was_looked_at("d"));
	assert_false(was_looked_at("e"));
	fill_context("f 644 k x\nf 644 e/l x\n");
	now = last_key(recipe);
	assert_true(digest_equal(&first, &now));
	fill_context("f 644 d/l x\n");
	now = last_key(recipe);
	assert_false(digest_equal(&first, &now));
	must_plan("FROM scratch\nCOPY . /\n"); /* everything is named */
	assert_true(was_looked_at("e"));
}

TEST(a_file_changed_between_two_plans_is_seen)
{
	static const char *const recipe = "FROM scratch\nCOPY a /\n";
	struct digest first, now;
	AUTO(fd) int fd = -1;

	fill_context("f 644 a one\n");
	first = last_key(recipe);
	assert_ok(tree_remember(plan->context->tree));
	fd = openat(tmp_fd, "context/a", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "two", 3), 3); /* same size, same inode, a moment later */
	now = last_key(recipe);
	assert_false(digest_equal(&first, &now));
}

/* The content of the last step's heredocs, one after the other. */
static const char *texts(const char *recipe)
{
	static char text[1024];

	must_plan(recipe);
	text[0] = '\0';
	vec_foreach (&plan->target->top->copy.texts, one)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s:%s|", one->name,
			 one->content);
	return text;
}

TEST(fills_in_heredocs_but_for_quoted_ones)
{
	static const struct {
		const char *recipe, *want;
	} cases[] = {
		{ "COPY <<E /\n$v ${v} ${w:-d}\nE\n", "E:val val d\n|" },
		{ "COPY <<\"E\" /\n$v\nE\n", "E:$v\n|" },
		{ "COPY <<'E' /\n$v \\$v\nE\n", "E:$v \\$v\n|" },
		{ "COPY <<E\"F\" /\n$v\nEF\n", "EF:$v\n|" },
		/* quotes stay and protect nothing; a backslash takes the next character as it is */
		{ "COPY <<E /\n\"$v\" '$v'\nE\n", "E:\"val\" 'val'\n|" },
		{ "COPY <<E /\n\\$v \\\\ \\x\nE\n", "E:$v \\ x\n|" },
		{ "COPY <<-E /\n\t\t$v\n\t x\t\n\tE\n", "E:val\n x\t\n|" },
		{ "COPY <<A <<B /d/\n1\nA\n2\nB\n", "A:1\n|B:2\n|" },
		{ "COPY <<E /\nE\n", "E:|" },
		{ "ONBUILD COPY <<E /\n$v\nE\nFROM s\n", "E:val\n|" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *recipe = xasprintf("FROM scratch AS s\nENV v=val w=\n%s", cases[i].recipe);

		if (strcmp(texts(recipe), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].recipe, texts(recipe));
	}
	/* always the backslash, whatever the escape directive says */
	assert_string_equal(texts("# escape=`\nFROM scratch\nENV v=val\nCOPY <<E /\n`$v \\$v\nE\n"),
			    "E:`val $v\n|");
	must_plan("FROM scratch\nCOPY --chown=1 --chmod=600 <<A <<-\"B\" /d/\nA\nB\n");
	assert_row(0, "COPY --chown=1 --chmod=600 <<A <<B /d/ # buildkit");
}

TEST(keys_follow_heredocs_parents_and_exclusions)
{
	fill_context("d 755 a\nd 755 a/b\nf 644 a/b/c x\nf 644 a/d y\n");
	assert_false(
		same_key("FROM scratch\nCOPY <<E /\n1\nE\n", "FROM scratch\nCOPY <<E /\n2\nE\n"));
	assert_false(
		same_key("FROM scratch\nCOPY <<E /\n1\nE\n", "FROM scratch\nCOPY <<F /\n1\nF\n"));
	assert_true(same_key("FROM scratch\nCOPY <<E /\n1\nE\n",
			     "FROM scratch\nCOPY <<-'E' /\n\t1\nE\n"));
	assert_false(
		same_key("FROM scratch\nCOPY a/b/c /\n", "FROM scratch\nCOPY --parents a/b/c /\n"));
	assert_false(same_key("FROM scratch\nCOPY --parents a/b /\n",
			      "FROM scratch\nCOPY --parents a/./b /\n"));
	/* what is left out decides nothing */
	assert_false(same_key("FROM scratch\nCOPY a /\n", "FROM scratch\nCOPY --exclude=b a /\n"));
	assert_true(same_key("FROM scratch\nCOPY --exclude=d --exclude=z a /\n",
			     "FROM scratch\nCOPY --exclude=d a /\n"));
	must_plan("FROM scratch\nCOPY --parents --exclude=x a/d /\n");
	assert_row(0, "COPY --parents a/d / # buildkit");
	/* of a stage nothing is known yet */
	assert_false(same_key("FROM scratch AS s\nFROM scratch\nCOPY --from=s --exclude=x / /\n",
			      "FROM scratch AS s\nFROM scratch\nCOPY --from=s / /\n"));
}

TEST(a_stages_key_is_part_of_what_copies_from_it)
{
	assert_false(same_key("FROM scratch AS s\nRUN a\nFROM scratch\nCOPY --from=s /x /\n",
			      "FROM scratch AS s\nRUN b\nFROM scratch\nCOPY --from=s /x /\n"));
	assert_true(same_key("FROM scratch AS s\nRUN a\nFROM scratch\nCOPY --from=s /x /\n",
			     "FROM scratch\nRUN a\nFROM scratch\nCOPY --from=0 /x /\n"));
}

static struct digest key_after(const char *line)
{
	AUTO(mem) char *text = xasprintf("FROM scratch\n%s\n", line);

	must_plan(text);
	return plan->target->key;
}

TEST(keys_of_additions_follow_what_is_added)
{
#define GIT "ADD https://host/a.git"
	static const struct {
		const char *one, *other;
		bool same;
	} cases[] = {
		{ "ADD f /x", "ADD --unpack f /x", true },
		{ "ADD f /x", "ADD --unpack=false f /x", false },
		{ "ADD f /x", "COPY f /x", false },
		{ "ADD f /x", "ADD --link f /x", false },
		{ "ADD f /x", "ADD --chown=1 f /x", false },
		{ GIT "#" COMMIT " /x", "ADD git@elsewhere:b#" COMMIT " /x", true },
		{ GIT "#" COMMIT " /x", GIT "?commit=" COMMIT " /x", true },
		{ GIT "#" COMMIT " /x", GIT "#1" COMMIT "12345678901234567890123 /x", false },
		{ GIT "#" COMMIT " /x", GIT "#" COMMIT ":d /x", false },
		{ GIT "#" COMMIT " /x", GIT "?submodules=0#" COMMIT " /x", false },
		{ GIT "#" COMMIT " /x", GIT "?submodules=1#" COMMIT " /x", true },
		{ GIT "#" COMMIT " /x", GIT "?keep-git-dir=1#" COMMIT " /x", false },
		{ GIT "?keep-git-dir=1#" COMMIT " /x",
		  "ADD --keep-git-dir https://host/a.git#" COMMIT " /x", true },
		{ GIT "#" COMMIT " /x", "ADD --exclude=a https://host/a.git#" COMMIT " /x", false },
	};

	fill_context("f 644 f x\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct digest one = key_after(cases[i].one), other = key_after(cases[i].other);

		if (digest_equal(&one, &other) != cases[i].same)
			fail_msg("%s and %s", cases[i].one, cases[i].other);
	}
#undef GIT
}

TEST(plans_only_what_the_target_needs)
{
	static const char *const recipe = "FROM nowhere/at-all AS broken\n"
					  "ADD x y\n"
					  "FROM scratch AS a\nRUN a\n"
					  "FROM scratch AS b\nRUN b\n"
					  "FROM a AS end\nCOPY --from=b /f /\n"
					  "FROM broken\n";

	assert_fails(make_plan(recipe), ERR_NOT_FOUND);
	wanted.stage = "end";
	must_plan(recipe);
	assert_int_equal(plan->steps.len, 3);
	assert_string_equal(plan->steps.at[0]->stage->name, "a");
	assert_string_equal(plan->steps.at[1]->stage->name, "b");
	wanted.stage = "2";
	must_plan(recipe);
	assert_string_equal(plan->target->name, "b");
}

TEST(works_with_directories_as_users_expect)
{
	static const struct {
		const char *recipe, *want;
	} cases[] = {
		{ "FROM scratch\nRUN a\n", "/" },
		{ "FROM scratch\nWORKDIR a\nWORKDIR b\nRUN a\n", "/a/b" },
		{ "FROM scratch\nWORKDIR /a/b\nWORKDIR ../c/./d/\nRUN a\n", "/a/c/d" },
		{ "FROM scratch\nWORKDIR /a\nWORKDIR ../../..\nRUN a\n", "/" },
		{ "FROM scratch\nENV d=x\nWORKDIR /$d\nRUN a\n", "/x" },
		{ "FROM scratch\nWORKDIR ~/a\nRUN a\n", "/~/a" }, /* nobody's home */
		{ "FROM scratch\nENV HOME=/root\nWORKDIR /b\nWORKDIR ~\nRUN a\n", "/b/~" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		must_plan(cases[i].recipe);
		assert_string_equal(plan->target->top->cwd, cases[i].want);
	}
}

TEST(destinations_are_within_the_working_directory)
{
	static const struct {
		const char *line, *dest;
		bool is_dir;
	} cases[] = {
		{ "COPY f /a", "/a", false },
		{ "COPY f a", "/w/a", false },
		{ "COPY f a/", "/w/a", true },
		{ "COPY f .", "/w", true },
		{ "COPY f ./", "/w", true },
		{ "COPY f ../a/./b/..", "/a", false },
		{ "COPY f ../../..", "/", false },
		{ "COPY f /", "/", true },
		{ "COPY f a/.", "/w/a", true },
		{ "COPY f $none", "/w", true },
		{ "COPY [\"f\", \"\"]", "/w", true },
		{ "COPY f ~/a", "/w/~/a", false },
		/* of several sources BuildKit's last one wins, Buildah refuses; ours is a directory */
		{ "COPY f g a", "/w/a", true },
		{ "COPY f <<E a\nE", "/w/a", true },
	};

	fill_context("f 644 f x\nf 644 g y\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *text = xasprintf("FROM scratch\nWORKDIR /w\n%s\n", cases[i].line);
		const struct plan_copy *copy;

		must_plan(text);
		copy = &plan->target->top->copy;
		if (strcmp(copy->dest, cases[i].dest) != 0 || copy->dest_is_dir != cases[i].is_dir)
			fail_msg("%s: %s %d", cases[i].line, copy->dest, copy->dest_is_dir);
	}
}

#define PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What the target's config has as `key`. */
static void assert_setting(const char *key, const char *want)
{
	AUTO(mem)
	char *got = json_format(json_object_get(plan->target->config->settings, key));

	assert_string_equal(got, want);
}

TEST(settings_are_kept_as_they_are_written)
{
	static const struct {
		const char *line, *key, *want;
	} cases[] = {
		{ "VOLUME /b/../a/ b ~ /b/../a/", "Volumes",
		  "{\"/b/../a/\":{},\"b\":{},\"~\":{}}" },
		{ "USER nobody-has-this:nor-this", "User", "\"nobody-has-this:nor-this\"" },
		{ "USER 007", "User", "\"007\"" },
		{ "STOPSIGNAL sigterm", "StopSignal", "\"sigterm\"" },
		{ "EXPOSE 9-10/SCTP 080", "ExposedPorts",
		  "{\"80/tcp\":{},\"9/sctp\":{},\"10/sctp\":{}}" },
		{ "ENV a=1 PATH=/x a=2", "Env", "[\"PATH=/x\",\"a=2\"]" },
		{ "ENV a b=c  d", "Env", "[\"" PATH "\",\"a=b=c  d\"]" },
		{ "CMD []", "Cmd", "[]" },
		{ "CMD x  y", "Cmd", "[\"/bin/sh\",\"-c\",\"x  y\"]" },
		{ "CMD x", "ArgsEscaped", "true" },
		{ "ENTRYPOINT []", "Entrypoint", "[]" },
		{ "SHELL [\"a\"]\nENTRYPOINT x y", "Entrypoint", "[\"a\",\"x y\"]" },
		{ "ONBUILD  COPY  <<A $d/\n$x\nA", "OnBuild", "[\"COPY  <<A $d/\\n$x\\nA\"]" },
		{ "ONBUILD run $a\nONBUILD ENV b=$c", "OnBuild", "[\"run $a\",\"ENV b=$c\"]" },
		{ "HEALTHCHECK --interval=0s --timeout=0 --retries=0 CMD a --timeout=9s",
		  "Healthcheck", "{\"Test\":[\"CMD-SHELL\",\"a --timeout=9s\"]}" },
		{ "HEALTHCHECK --start-interval=1m CMD [\"a\", \"b\"]", "Healthcheck",
		  "{\"Test\":[\"CMD\",\"a\",\"b\"],\"StartInterval\":60000000000}" },
		{ "HEALTHCHECK --retries=3 NONE", "Healthcheck", "{\"Test\":[\"NONE\"]}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = xasprintf("FROM scratch\n%s\n", cases[i].line);

		must_plan(text);
		assert_setting(cases[i].key, cases[i].want);
	}
}

TEST(an_onbuild_of_a_stage_runs_in_its_children_once)
{
	must_plan("FROM scratch AS base\nONBUILD RUN one\nONBUILD ENV two=2\n"
		  "FROM base AS child\nRUN own\nFROM child\nRUN last\n");
	assert_env("two", "2");
	assert_int_equal(plan->steps.len, 3);
	assert_string_equal(plan->steps.at[0]->argv.at[2], "one");
	assert_string_equal(plan->steps.at[1]->argv.at[2], "own");
	assert_string_equal(plan->steps.at[2]->argv.at[2], "last");
}

TEST(an_error_of_a_trigger_is_at_the_from_that_runs_it)
{
	AUTO(err)
	struct err *err = make_plan("FROM scratch AS base\nONBUILD COPY nothing /\nFROM base\n");

	assert_int_equal(err_kind(err), ERR_NOT_FOUND);
	assert_string_equal(err_text(err),
			    "Recipe:3: ONBUILD COPY nothing / of 'base': 'nothing' is not in "
			    "the build context");
	assert_non_null(strstr(err_notes(err), ">>> FROM base"));
}

TEST(refuses_what_is_wrong_before_anything_runs)
{
	static const struct {
		const char *recipe;
		enum err_kind want;
		const char *text; /* somewhere in the message */
	} cases[] = {
		{ "FROM scratch\nADD a b\n", ERR_NOT_FOUND, "Recipe:2: 'a' is not in" },
		{ "FROM scratch\nADD --checksum=sha256:00 Recipe b\n", ERR_INVALID,
		  "Recipe:2: --checksum is for" },
		{ "FROM scratch\nADD --checksum=sha256:00 a b c\n", ERR_INVALID,
		  "Recipe:2: --checksum is for a single" },
		{ "FROM scratch\nADD --checksum=md5:00 https://host/a b\n", ERR_UNSUPPORTED,
		  "Recipe:2: --checksum: " },
		{ "FROM scratch\nADD --checksum=sha256:00 https://host/a.git b\n", ERR_INVALID,
		  "Recipe:2: --checksum=sha256:00" },
		{ "FROM scratch\nADD --checksum=ab https://host/a.git?checksum=cd b\n", ERR_INVALID,
		  "two commits" },
		{ "FROM scratch\nADD --keep-git-dir https://host/a.git?keep-git-dir=0 b\n",
		  ERR_INVALID, "contradict" },
		{ "FROM scratch\nADD https://host/a.git#-x b\n", ERR_INVALID,
		  "Recipe:2: '-x' is no name" },
		{ "FROM scratch\nADD https://host/a b\n", ERR_NETWORK,
		  "Recipe:2: https://host/a was not fetched before" },
		{ "FROM scratch\nADD git://host/a b\n", ERR_NETWORK,
		  "Recipe:2: git://host/a: 'HEAD' was not" },
		{ "FROM scratch\nCOPY https://host/a b\n", ERR_INVALID,
		  "Recipe:2: COPY cannot take a file of the web" },
		{ "FROM scratch\nCOPY git@host:a b\n", ERR_INVALID,
		  "Recipe:2: COPY cannot take a repository" },
		{ "FROM scratch\nRUN --mount=type=cache,target=/ x\n", ERR_INVALID,
		  "nothing can be mounted" },
		{ "FROM scratch\nCOPY --parents a/b c\n", ERR_NOT_FOUND, "'a/b' is not in" },
		{ "FROM scratch\nCOPY --exclude=[ . c\n", ERR_INVALID, "--exclude=[" },
		{ "FROM scratch\nCOPY <<E /f\n${x:?no x}\nE\n", ERR_INVALID, "x: no x" },
		{ "FROM scratch\nRUN --security=insecure x\n", ERR_DENIED, "--allow" },
		{ "FROM scratch\nCOPY gone /\n", ERR_NOT_FOUND, "Recipe:2: 'gone' is not in" },
		{ "FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\nFROM a\n", ERR_INVALID,
		  "comes after" },
		{ "FROM gone:1\n", ERR_NOT_FOUND, "Recipe:1: image 'gone:1'" },
		{ "FROM Not_A_Name!\n", ERR_INVALID, "Recipe:1" },
		{ "FROM $nothing\n", ERR_INVALID, "empty" },
		{ "FROM scratch\nEXPOSE 70000\n", ERR_INVALID, "70000" },
		{ "FROM scratch\nEXPOSE 65536\n", ERR_INVALID, "65536" },
		{ "FROM scratch\nEXPOSE 80-79\n", ERR_INVALID, "ends before it begins" },
		{ "FROM scratch\nEXPOSE 80/icmp\n", ERR_INVALID, "80/icmp" },
		{ "FROM scratch\nSTOPSIGNAL SIGWHAT\n", ERR_INVALID, "SIGWHAT" },
		{ "FROM scratch\nSTOPSIGNAL SIGRTMINUS\n", ERR_INVALID, "SIGRTMINUS" },
		{ "FROM scratch\nSTOPSIGNAL SIGRTMIN+16\n", ERR_INVALID, "SIGRTMIN+16" },
		{ "FROM scratch\nSTOPSIGNAL SIGRTMAX+1\n", ERR_INVALID, "SIGRTMAX+1" },
		{ "FROM scratch\nSTOPSIGNAL 0\n", ERR_INVALID, "'0' is no signal" },
		{ "FROM scratch\nSTOPSIGNAL 65\n", ERR_INVALID, "'65' is no signal" },
		{ "FROM scratch\nCOPY --chmod=999 . /\n", ERR_INVALID, "999" },
		{ "FROM scratch\nENV a=\"${b:?must be set}\"\n", ERR_INVALID, "b: must be set" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(err) struct err *err = make_plan(cases[i].recipe);

		if (err_kind(err) != cases[i].want || !strstr(err_text(err), cases[i].text))
			fail_msg("%s: %d %s", cases[i].recipe, err_kind(err), err_text(err));
	}
}

TEST(a_word_that_was_meant_as_json_or_quoted_is_explained)
{
	static const struct {
		const char *line, *notes;
	} cases[] = {
		{ "COPY \"a b\" /c", "quotes do not keep words together here" },
		{ "COPY f 'my dir/'", "the JSON form does: COPY [\"a b\", \"c\"]" },
		{ "VOLUME 'a b'", "the JSON form does: VOLUME [\"a b\", \"c\"]" },
		{ "COPY [f, \"/x\"]", "this is no JSON, so it is read as words" },
	};

	fill_context("f 644 f x\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = xasprintf("FROM scratch\n%s\n", cases[i].line);
		AUTO(err) struct err *err = make_plan(text);

		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_non_null(strstr(err_notes(err), cases[i].notes));
	}
}

TEST(an_unknown_target_is_told_with_a_near_name)
{
	AUTO(err) struct err *err = NULL;

	wanted.stage = "buidl";
	err = make_plan("FROM scratch AS build\n");
	assert_int_equal(err_kind(err), ERR_USAGE);
	assert_string_equal(err_text(err), "option --target: Recipe has no stage 'buidl' "
					   "(did you mean build?)");
}

/* Whether `name` of the context can be copied. */
static bool sees(const char *name)
{
	AUTO(mem) char *text = xasprintf("FROM scratch\nCOPY %s /\n", name);
	AUTO(err) struct err *err = make_plan(text);

	if (err)
		assert_int_equal(err_kind(err), ERR_NOT_FOUND);
	return !err;
}

TEST(the_ignore_file_named_after_the_recipe_replaces_the_contexts)
{
	static const char *const order[] = { ".dockerignore", ".containerignore",
					     "Recipe.dockerignore", "Recipe.containerignore" };
	AUTO(mem) char *given = xasprintf("%s/other/Build", tmp_path);

	fill_context("f 644 f0 x\nf 644 f1 x\nf 644 f2 x\nf 644 f3 x\nf 644 f4 x\n");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) { /* each one hides another file */
		AUTO(mem) char *line = xasprintf("f 644 %s f%zu\n", order[i], i);
		char name[8];

		fill_context(line);
		for (size_t k = 0; k < ARRAY_SIZE(order); k++) {
			snprintf(name, sizeof(name), "f%zu", k);
			assert_int_equal(sees(name), k != i);
		}
	}
	opts.recipe = given; /* its own lie beside it, not in the context */
	assert_false(sees("f1"));
	assert_int_equal(mkdirat(tmp_fd, "other", 0755), 0);
	scene_make(tmp_fd, "f 644 other/Build.dockerignore f4\n");
	assert_false(sees("f4"));
	assert_true(sees("f1"));
	opts.recipe = "-";
	assert_false(sees("f1"));
	assert_ok(file_remove_tree(tmp_fd, "other"));
}

TEST(an_ignore_file_that_cannot_be_read_is_an_error)
{
	static const char *const bad[] = {
		"l - Recipe.dockerignore Recipe.dockerignore\n", /* ELOOP */
		"l - .dockerignore /etc/passwd\n",               /* out of the context */
		"d 755 Recipe.containerignore\n",
	};
	AUTO(mem) char *given = xasprintf("%s/context/Recipe", tmp_path);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(err) struct err *err = NULL;

		assert_ok(file_remove_tree(tmp_fd, "context"));
		assert_int_equal(mkdirat(tmp_fd, "context", 0755), 0);
		fill_context("f 644 a x\n");
		fill_context(bad[i]);
		opts.recipe = NULL;
		err = make_plan("FROM scratch\nCOPY a /\n");
		assert_non_null(err);
		opts.recipe = given;
		err_free(STEAL(err));
		err = make_plan("FROM scratch\nCOPY a /\n");
		assert_non_null(err);
	}
}

TEST(a_store_in_the_context_is_no_part_of_it)
{
	fill_context("f 644 a x\n");
	opts.context = tmp_path; /* where room_open() has put the store */
	must_plan("FROM scratch\nCOPY context /context\nCOPY . /\n");
	for (size_t i = 0; i < plan->context->tree->root.child_count; i++)
		assert_string_not_equal(plan->context->tree->root.children[i].name,
					strrchr(room_path, '/') + 1);
	assert_true(plan->context->tree->root.child_count > 0);
}

TEST(stages_that_are_kept_are_those_that_are_needed_and_more_than_a_base)
{
	static const char *const text = "FROM scratch AS one\n"
					"LABEL a=b\n"
					"FROM scratch AS bare\n"
					"FROM scratch AS unneeded\n"
					"LABEL a=b\n"
					"FROM one AS two\n"
					"WORKDIR /a\n"
					"FROM bare\n"
					"COPY --from=two /a /\n";

	must_plan(text);
	assert_int_equal(plan->kept_count, 0);
	opts.save_stages = true;
	must_plan(text);
	opts.save_stages = false;
	assert_int_equal(plan->target_count, 1);
	assert_int_equal(plan->kept_count, 2);
	assert_string_equal(plan->targets[1].stage->name, "one");
	assert_string_equal(plan->targets[2].stage->name, "two");
	assert_null(plan->targets[2].asked->stage);
}

TEST(a_mount_of_the_options_is_in_the_key_as_if_it_stood_there)
{
	const struct digest bare = last_key("FROM scratch\nRUN [\"x\"]\n");
	const struct digest own =
		last_key("FROM scratch\nRUN --mount=type=tmpfs,target=/t [\"x\"]\n");
	struct digest given;

	strings_push(&opts.mounts, "type=tmpfs,target=/t");
	given = last_key("FROM scratch\nRUN [\"x\"]\n");
	strings_release(&opts.mounts);
	assert_true(digest_equal(&own, &given));
	assert_false(digest_equal(&bare, &given));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KITCHEN_TEST(writes_history_as_buildkit_does),
		KITCHEN_TEST(stages_that_are_kept_are_those_that_are_needed_and_more_than_a_base),
		KITCHEN_TEST(a_mount_of_the_options_is_in_the_key_as_if_it_stood_there),
		KITCHEN_TEST(writes_every_row_as_buildkit_does),
		KITCHEN_TEST(the_last_writer_of_a_variable_wins),
		KITCHEN_TEST(keys_follow_what_a_step_reads_and_nothing_else),
		KITCHEN_TEST(keys_of_copies_follow_content_and_mode_but_no_time),
		KITCHEN_TEST(what_no_source_names_is_not_looked_at),
		KITCHEN_TEST(a_file_changed_between_two_plans_is_seen),
		KITCHEN_TEST(fills_in_heredocs_but_for_quoted_ones),
		KITCHEN_TEST(keys_follow_heredocs_parents_and_exclusions),
		KITCHEN_TEST(a_stages_key_is_part_of_what_copies_from_it),
		KITCHEN_TEST(keys_of_additions_follow_what_is_added),
		KITCHEN_TEST(plans_only_what_the_target_needs),
		KITCHEN_TEST(works_with_directories_as_users_expect),
		KITCHEN_TEST(destinations_are_within_the_working_directory),
		KITCHEN_TEST(settings_are_kept_as_they_are_written),
		KITCHEN_TEST(an_onbuild_of_a_stage_runs_in_its_children_once),
		KITCHEN_TEST(an_error_of_a_trigger_is_at_the_from_that_runs_it),
		KITCHEN_TEST(refuses_what_is_wrong_before_anything_runs),
		KITCHEN_TEST(a_word_that_was_meant_as_json_or_quoted_is_explained),
		KITCHEN_TEST(an_unknown_target_is_told_with_a_near_name),
		KITCHEN_TEST(the_ignore_file_named_after_the_recipe_replaces_the_contexts),
		KITCHEN_TEST(an_ignore_file_that_cannot_be_read_is_an_error),
		KITCHEN_TEST(a_store_in_the_context_is_no_part_of_it),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
