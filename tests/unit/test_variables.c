/* tests/unit/test_variables.c - where variables are filled in, which ones a line sees, and what of
 * them reaches steps, configs, history and keys.
 *
 * Expectations follow the reference's sections on variable expansion, ARG and RUN.
 */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/config.h"
#include "tests/unit/kitchen.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static const char *last_row(void)
{
	assert_true(plan->target->row_count > 0);
	return plan->target->rows[plan->target->row_count - 1].created_by;
}

/* `list` joined by blanks is `want`. */
static void assert_joined(const struct strings *list, const char *want)
{
	AUTO(buf) struct buf joined = BUF_INIT(4096);

	vec_foreach (list, item)
		buf_addf(&joined, "%s%s", joined.len ? " " : "", *item);
	assert_string_equal(buf_str(&joined).at, want);
}

static void assert_setting(const char *key, const char *want)
{
	AUTO(strings) struct strings list = { 0 };

	config_list(plan->target->config, key, &list);
	assert_joined(&list, want);
}

TEST(parts_of_instructions_are_filled_in_and_others_are_not)
{
	static const struct {
		const char *line;
		const char *row; /* how the row begins that it gives */
	} cases[] = {
		{ "ENV $v=<$v>", "ENV val=<val>" },
		{ "ENV $v <$v>", "ENV val=<val>" },
		{ "LABEL $v=<$v> \"$v 2\"='$v'", "LABEL val=<val> val 2=$v" },
		{ "ARG $v=<$v>", "ARG $v=<val>" }, /* its name is never a variable's value */
		{ "WORKDIR /$v/x", "WORKDIR /val/x" },
		{ "USER $v:$v", "USER val:val" },
		{ "STOPSIGNAL $signal", "STOPSIGNAL SIGINT" },
		{ "VOLUME /$v /x", "VOLUME [/val /x]" },
		{ "VOLUME [\"/$v\"]", "VOLUME [/val]" },
		{ "EXPOSE $ports 9", "EXPOSE [80/tcp 443/udp 9/tcp]" },
		{ "EXPOSE \"$v\"9", NULL },
		/* names that are empty then, which BuildKit takes */
		{ "ENV $none=x", NULL },
		{ "LABEL a=1 $none=x", NULL },
		{ "COPY $v /$v/", "COPY val /val/ #" },
		{ "COPY [\"$v\", \"/$v/\"]", "COPY val /val/ #" },
		{ "COPY --chown=$v:1 --chmod=$mode $v /",
		  "COPY --chown=val:1 --chmod=640 val / #" },
		{ "ADD --chown=1 --chmod=$mode $v /$v/", "ADD --chown=1 --chmod=640 val /val/ #" },
		{ "ADD --checksum=$commit https://host/$v.git#$commit /x",
		  "ADD https://host/val.git#" COMMIT " /x #" },
		/* as it is written */
		{ "COPY --exclude=$v $v /", "COPY val / #" },
		{ "CMD $v", "CMD [\"/bin/sh\" \"-c\" \"$v\"]" },
		{ "CMD [\"$v\"]", "CMD [\"$v\"]" },
		{ "ENTRYPOINT $v ${v}", "ENTRYPOINT [\"/bin/sh\" \"-c\" \"$v ${v}\"]" },
		{ "ENTRYPOINT [\"$v\"]", "ENTRYPOINT [\"$v\"]" },
		{ "SHELL [\"$v\"]", "SHELL [$v]" },
		{ "HEALTHCHECK CMD $v", "HEALTHCHECK &{[\"CMD-SHELL\" \"$v\"]" },
		{ "HEALTHCHECK CMD [\"$v\"]", "HEALTHCHECK &{[\"CMD\" \"$v\"]" },
		{ "MAINTAINER $v", "MAINTAINER $v" },
	};

	fill_context("f 644 val x\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *text = xasprintf("FROM scratch\nENV v=val signal=SIGINT mode=640 "
				       "ports=\"80 443/udp\" commit=" COMMIT "\n%s\n",
				       cases[i].line);
		AUTO(err) struct err *err = make_plan(text);

		if (!cases[i].row) {
			assert_int_equal(err_kind(err), ERR_INVALID);
			continue;
		}
		if (err)
			fail_msg("%s: %s", cases[i].line, err_text(err));
		if (!str_starts(str_of(last_row()), cases[i].row))
			fail_msg("%s: %s", cases[i].line, last_row());
	}
	/* a name that was not filled in is no variable of the other name */
	must_plan("FROM scratch\nENV k=name\nARG $k=1\nENV got=${name-none}\n");
	assert_string_equal(last_row(), "ENV got=none");
	/* an exclusion is a pattern: this one hides nothing */
	must_plan("FROM scratch\nENV v=val\nCOPY --exclude=$v . /\n");
	assert_string_equal(plan->target->top->copy.excludes.at[0], "$v");
	/* a trigger is stored as it is, and filled in where it runs */
	must_plan("FROM scratch AS s\nENV v=1\nONBUILD ENV x=$v\n");
	assert_setting("OnBuild", "ENV x=$v");
	must_plan("FROM scratch AS s\nENV v=1\nONBUILD ENV x=$v\nENV v=2\nFROM s\n");
	assert_string_equal(last_row(), "ENV x=2");
}

TEST(commands_are_left_to_the_shell)
{
	static const struct {
		const char *line, *argv;
	} cases[] = {
		{ "RUN echo $v \"${v}\" '$v' \\$v", "/bin/sh -c echo $v \"${v}\" '$v' \\$v" },
		{ "RUN [\"echo\", \"$v\"]", "echo $v" },
		{ "RUN <<E\n$v \\$v\nE", "/bin/sh -c $v \\$v\n" },
		{ "RUN <<-E\n\t$v\n\tE", "/bin/sh -c $v\n" },
		{ "RUN cat <<E >$v\n$v\nE", "/bin/sh -c cat <<E >$v\n$v\nE" },
		{ "SHELL [\"/a b\", \"-x\"]\nRUN $v", "/a b -x $v" },
		{ "SHELL [\"/b\"]\nRUN [\"a\"]", "a" }, /* no shell */
		{ "RUN <<E\n#!/x\nE", "/bin/sh -c /dev/pipes/E" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = xasprintf("FROM scratch\nENV v=val\n%s\n", cases[i].line);

		must_plan(text);
		assert_joined(&plan->target->top->argv, cases[i].argv);
	}
	/* the SHELL of an image counts, too */
	kitchen_image("shelled", F("f"), "\"config\":{\"Shell\":[\"/own\",\"-e\"]},");
	must_plan("FROM localhost/shelled\nRUN $v\n");
	assert_joined(&plan->target->top->argv, "/own -e $v");
}

TEST(every_option_of_a_mount_is_filled_in_but_for_commas)
{
	const struct plan_mount *mount;

	fill_context("d 755 sub\nf 644 sub/f x\n");
	must_plan(
		"FROM scratch\nENV t=cache p=/x m=0710 n=7 i=a,b s=locked yes=true d=sub k=type\n"
		"RUN --mount=type=$t,target=$p,mode=$m,uid=$n,gid=${n}1,id=$i,sharing=$s,ro=$yes y\n");
	mount = plan->target->top->mounts.at;
	assert_int_equal(mount->flag.type, MOUNT_CACHE);
	assert_string_equal(mount->target, "/x");
	assert_int_equal(mount->flag.mode, 0710);
	assert_int_equal(mount->flag.uid, 7);
	assert_int_equal(mount->flag.gid, 71);
	assert_string_equal(mount->flag.id, "a,b");
	assert_int_equal(mount->flag.sharing, MOUNT_LOCKED);
	assert_true(mount->flag.read_only);
	must_plan("FROM scratch\nENV d=sub v=TOKEN z=64k\n"
		  "RUN --mount=type=secret,id=$d,env=$v --mount=source=$d,target=/b "
		  "--mount=type=tmpfs,target=/c,size=$z y\n");
	assert_string_equal(plan->target->top->mounts.at[0].flag.env, "TOKEN");
	assert_string_equal(plan->target->top->mounts.at[1].flag.source, "sub");
	assert_int_equal(plan->target->top->mounts.at[2].flag.size, 64 << 10);
	assert_fails(make_plan("FROM scratch\nENV k=type\nRUN --mount=$k=tmpfs,target=/x y\n"),
		     ERR_INVALID);
}

TEST(a_base_is_named_by_global_and_automatic_arguments_alone)
{
	static const struct {
		const char *recipe;
		const char *error; /* NULL: it can be planned */
	} cases[] = {
		{ "ARG v=scratch\nFROM $v\n", NULL },
		{ "ARG a=scr\nARG v=${a}atch\nFROM ${v}\n", NULL },
		{ "ARG a=scr v=${a}atch\nFROM ${v}\n", NULL },
		{ "FROM scratch AS s-$TARGETOS\n", "invalid name" },
		{ "ARG v=s\nFROM scratch AS s\nFROM $v AS $v\n", "invalid name" },
		{ "FROM scratch AS s-linux\nFROM s-$TARGETOS\n", NULL },
		{ "FROM --platform=$BUILDPLATFORM scratch\n", NULL },
		{ "ARG p=linux/arm64\nFROM --platform=$p scratch\n", NULL },
		{ "FROM --platform= scratch\n", NULL },
		{ "FROM --platform=$p scratch\n", "Recipe:1: --platform: '$p' is empty" },
		{ "ARG p\nFROM --platform=${p} scratch\n",
		  "Recipe:2: --platform: '${p}' is empty" },
		{ "ARG p=no/such/platform/at/all\nFROM --platform=$p scratch\n", "Recipe:2: " },
		/* not those of stages */
		{ "FROM scratch\nARG v=scratch\nFROM $v\n", "'$v' is empty" },
		{ "FROM scratch\nENV v=scratch\nFROM $v\n", "'$v' is empty" },
		{ "FROM scratch AS a\nENV PATH=/x\nFROM ${PATH:-scratch}\n", NULL },
		/* a stage changes no global one */
		{ "ARG v=scratch\nFROM scratch\nARG v=other\nFROM $v\n", NULL },
		{ "ARG v=${w:?missing}\nFROM scratch\n", "Recipe:1: " },
		{ "ARG v=${w:?missing}\nFROM scratch\n", "w: missing" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(err) struct err *err = make_plan(cases[i].recipe);

		if (cases[i].error ? !err || !strstr(err_text(err), cases[i].error) : err != NULL)
			fail_msg("%s: %s", cases[i].recipe, err ? err_text(err) : "accepted");
	}
}

/* What `ARG name` and `$name` are in the last stage. */
static void assert_automatic(const char *recipe, const char *name, const char *want)
{
	AUTO(mem) char *text = xasprintf("%sARG %s\nENV got=$%s\n", recipe, name, name);
	AUTO(mem) char *row = xasprintf("ENV got=%s", want);

	must_plan(text);
	if (strcmp(last_row(), row) != 0)
		fail_msg("%s is not %s: %s", name, want, last_row());
}

TEST(automatic_arguments_tell_of_platforms_and_the_stage)
{
	struct platform host = opts.platform;
	AUTO(mem) char *here = platform_format(&host);

	assert_ok(platform_parse("linux/arm/v6", &opts.platform));
	assert_automatic("FROM scratch\n", "TARGETPLATFORM", "linux/arm/v6");
	assert_automatic("FROM scratch\n", "TARGETOS", "linux");
	assert_automatic("FROM scratch\n", "TARGETOSVERSION", "");
	assert_automatic("FROM scratch\n", "TARGETARCH", "arm");
	assert_automatic("FROM scratch\n", "TARGETVARIANT", "v6");
	assert_automatic("FROM scratch\n", "BUILDPLATFORM", here);
	assert_automatic("FROM scratch\n", "BUILDOS", host.os);
	assert_automatic("FROM scratch\n", "BUILDOSVERSION", "");
	assert_automatic("FROM scratch\n", "BUILDARCH", host.arch);
	assert_automatic("FROM scratch\n", "BUILDVARIANT", host.variant);
	/* of another platform for a stage they know nothing */
	assert_automatic("FROM --platform=linux/s390x scratch\n", "TARGETARCH", "arm");
	/* the stage that is wanted, or the last one, or no name */
	assert_automatic("FROM scratch AS a\nFROM scratch\n", "TARGETSTAGE", "default");
	assert_automatic("FROM scratch AS a\nFROM scratch AS Last\n", "TARGETSTAGE", "last");
	wanted.stage = "b";
	assert_automatic("FROM scratch AS a\nFROM scratch AS b\n", "TARGETSTAGE", "b");
	wanted.stage = NULL;
	/* not before an ARG declares them */
	must_plan("FROM scratch\nENV got=[$TARGETARCH]\n");
	assert_string_equal(last_row(), "ENV got=[]");
	/* --build-arg comes before all of them */
	build_args_set(args, STR("TARGETPLATFORM"), "mine");
	build_args_set(args, STR("TARGETSTAGE"), "mine");
	build_args_set(args, STR("BUILDARCH"), "mine");
	assert_automatic("FROM scratch\n", "TARGETPLATFORM", "mine");
	assert_automatic("FROM scratch\n", "TARGETSTAGE", "mine");
	assert_automatic("FROM scratch\n", "BUILDARCH", "mine");
}

TEST(an_argument_over_an_inherited_variable_counts_for_steps_and_not_for_the_image)
{
	AUTO(strings) struct strings env = { 0 };

	kitchen_image("i", F("f"), "\"config\":{\"Env\":[\"x=base\",\"PATH=/bin\"]},");
	must_plan("FROM localhost/i\nARG x=arg\nENV y=$x\nRUN a\nARG z=never\n");
	assert_joined(&plan->target->top->env, "PATH=/bin x=arg y=arg");
	config_env(plan->target->config, &env);
	assert_joined(&env, "x=base PATH=/bin y=arg");
	assert_string_equal(plan->target->rows[2].created_by,
			    "RUN |1 x=arg /bin/sh -c a # buildkit");
	assert_string_equal(last_row(), "ARG z=never");
}

static struct digest key_with(const char *name, const char *value, const char *recipe)
{
	build_args_free(args);
	args = build_args_new();
	opts.args = args;
	build_args_set(args, str_of(name), value);
	must_plan(recipe);
	return plan->target->top->record.key;
}

TEST(another_value_of_an_argument_changes_the_keys_behind_its_declaration)
{
	static const struct {
		const char *name, *recipe;
		bool same;
	} cases[] = {
		{ "a", "FROM scratch\nARG a\nRUN x\n", false }, /* used or not */
		{ "a", "FROM scratch\nRUN x\n", true },
		{ "a", "FROM scratch\nRUN x\nARG a\n", true },
		{ "a", "FROM scratch AS s\nARG a\nRUN y\nFROM scratch\nRUN x\n", true },
		{ "a", "FROM scratch AS s\nARG a\nFROM s\nRUN x\n", false },
		{ "a", "ARG a\nFROM scratch\nRUN x\n", true },
		{ "HTTP_PROXY", "FROM scratch\nRUN x\n", true },
		{ "no_proxy", "FROM scratch\nRUN x\n", true },
		{ "All_Proxy", "FROM scratch\nRUN x\n", true },
		{ "HTTP_PROXY", "FROM scratch\nARG HTTP_PROXY\nRUN x\n", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct digest one = key_with(cases[i].name, "1", cases[i].recipe);
		struct digest two = key_with(cases[i].name, "2", cases[i].recipe);

		if (digest_equal(&one, &two) != cases[i].same)
			fail_msg("%s: %s", cases[i].name, cases[i].recipe);
	}
}

TEST(a_proxy_reaches_every_command_in_both_cases_and_nothing_else)
{
	static const char *const names[] = { "HTTP_PROXY", "https_proxy", "Ftp_Proxy", "NO_PROXY",
					     "all_proxy" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		build_args_set(args, str_of(names[i]), "p");
	must_plan("FROM scratch\nRUN x\n");
	assert_joined(&plan->target->top->proxies,
		      "HTTP_PROXY=p http_proxy=p HTTPS_PROXY=p https_proxy=p FTP_PROXY=p "
		      "ftp_proxy=p NO_PROXY=p no_proxy=p ALL_PROXY=p all_proxy=p");
	assert_joined(&plan->target->top->env, "PATH=" CONFIG_DEFAULT_PATH);
	assert_string_equal(last_row(), "RUN /bin/sh -c x # buildkit");
	must_plan("FROM scratch\nARG HTTP_PROXY\nRUN x\n");
	assert_string_equal(last_row(), "RUN |1 HTTP_PROXY=p /bin/sh -c x # buildkit");
}

TEST(a_part_of_a_cache_keeps_its_owner_so_it_is_the_same_cache)
{
	static const struct {
		const char *options; /* beside type, target and id */
		bool same;
	} cases[] = {
		{ "source=sub,uid=7,gid=8,mode=0700", true },
		{ "uid=7,source=/sub/", true },
		{ "source=/,uid=7", false },
		{ "source=sub/..,mode=0700", false },
		{ "gid=8", false },
		{ "source=sub", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *text = xasprintf("FROM scratch\nRUN --mount=type=cache,id=c,target=/a "
				       "--mount=type=cache,id=c,target=/b,%s x\n",
				       cases[i].options);
		const struct plan_mount *at;

		must_plan(text);
		at = plan->target->top->mounts.at;
		if (digest_equal(&at[0].cache, &at[1].cache) != cases[i].same)
			fail_msg("%s", cases[i].options);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KITCHEN_TEST(parts_of_instructions_are_filled_in_and_others_are_not),
		KITCHEN_TEST(commands_are_left_to_the_shell),
		KITCHEN_TEST(every_option_of_a_mount_is_filled_in_but_for_commas),
		KITCHEN_TEST(a_base_is_named_by_global_and_automatic_arguments_alone),
		KITCHEN_TEST(automatic_arguments_tell_of_platforms_and_the_stage),
		KITCHEN_TEST(
			an_argument_over_an_inherited_variable_counts_for_steps_and_not_for_the_image),
		KITCHEN_TEST(another_value_of_an_argument_changes_the_keys_behind_its_declaration),
		KITCHEN_TEST(a_proxy_reaches_every_command_in_both_cases_and_nothing_else),
		KITCHEN_TEST(a_part_of_a_cache_keeps_its_owner_so_it_is_the_same_cache),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
