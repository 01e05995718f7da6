/* tests/unit/test_scope.c - ARG and ENV: who wins, who sees what, what reaches RUN and history. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/scope.h"

static void give(struct build_args *args, const char *name, const char *value)
{
	build_args_set(args, str_of(name), value);
}

/* ARG name[=value]; NULL is no default. */
static struct err *arg(struct scope *scope, const char *name, const char *value)
{
	struct pair pair = { name, value, NULL };
	struct pairs pairs = { &pair, 1, false };

	return scope_arg(scope, &pairs, '\\', NULL);
}

static void env(struct scope *scope, const char *name, const char *value)
{
	scope_env(scope, str_of(name), value);
}

static void assert_value(const struct scope *scope, const char *name, const char *want)
{
	const char *got = scope_get(scope, str_of(name));

	if (!want)
		assert_null(got);
	else if (!got || strcmp(got, want) != 0)
		fail_msg("%s is %s, not %s", name, got ? got : "unset", want);
}

/* The list joined by blanks. */
static void assert_list(void (*make)(const struct scope *scope, struct strings *ret),
			const struct scope *scope, const char *want)
{
	struct strings list = { 0 };
	AUTO(buf) struct buf joined = BUF_INIT(4096);

	make(scope, &list);
	vec_foreach (&list, item)
		buf_addf(&joined, "%s%s", joined.len ? " " : "", *item);
	strings_release(&list);
	assert_string_equal(buf_str(&joined).at, want);
}

TEST(an_arg_takes_the_command_line_then_its_default_then_the_global_value)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *stage = NULL;

	give(args, "given", "line");
	assert_ok(arg(global, "given", "global"));
	assert_ok(arg(global, "both", "global"));
	assert_ok(arg(global, "only", "global"));
	stage = scope_new_stage(global);
	assert_value(stage, "only", NULL); /* not before it is declared here too */
	assert_ok(arg(stage, "given", "stage"));
	assert_ok(arg(stage, "both", "stage"));
	assert_ok(arg(stage, "only", NULL));
	assert_ok(arg(stage, "nowhere", NULL));
	assert_value(global, "given", "line");
	assert_value(stage, "given", "line");
	assert_value(stage, "both", "stage");
	assert_value(stage, "only", "global");
	assert_value(stage, "nowhere", NULL);
	assert_true(scope_is_declared(stage, STR("nowhere")));
	assert_false(scope_is_declared(stage, STR("never")));
}

TEST(a_default_masks_an_automatic_argument)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *imports = NULL;
	AUTO(scope) struct scope *masks = NULL;

	give(args, "TARGETOS", "plan9");
	scope_set_automatic(global, "TARGETARCH", "arm64");
	scope_set_automatic(global, "TARGETOS", "linux");
	assert_value(global, "TARGETARCH", "arm64");
	assert_value(global, "TARGETOS", "plan9"); /* --build-arg overrides */
	imports = scope_new_stage(global);
	assert_ok(arg(imports, "TARGETARCH", NULL));
	assert_value(imports, "TARGETARCH", "arm64");
	masks = scope_new_stage(global);
	assert_ok(arg(masks, "TARGETARCH", "amd64"));
	assert_value(masks, "TARGETARCH", "amd64");
}

TEST(defaults_see_what_was_declared_before_them)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *stage = NULL;
	struct pair both[] = { { "a", "1", NULL }, { "b", "$a$c", NULL } };
	struct pairs pairs = { both, 2, false };

	assert_ok(scope_arg(global, &pairs, '\\', NULL));
	assert_value(global, "b", "1");
	stage = scope_new_stage(global);
	env(stage, "c", "3");
	assert_ok(scope_arg(stage, &pairs, '\\', NULL));
	assert_value(stage, "b", "13");
	/* what is in the global scope is no value here */
	assert_ok(arg(stage, "d", "[$b]"));
	assert_value(stage, "d", "[13]");
}

TEST(a_default_that_is_not_needed_is_not_expanded)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(err) struct err *err = NULL;

	err = arg(global, "version", "${version:?must be given}");
	assert_int_equal(err_kind(err), ERR_INVALID);
	assert_non_null(strstr(err_text(err), "version: must be given"));
	give(args, "version", "'1'$x");
	assert_ok(arg(global, "version", "${version:?must be given}"));
	assert_value(global, "version", "'1'$x"); /* as given, never expanded */
}

TEST(the_last_writer_wins)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *stage = scope_new_stage(global);

	env(stage, "PATH", "/bin"); /* of the base image */
	env(stage, "x", "base");
	assert_ok(arg(stage, "x", "arg"));
	assert_value(stage, "x", "arg");
	assert_list(scope_environment, stage, "PATH=/bin x=arg");
	env(stage, "x", "env");
	assert_value(stage, "x", "env");
	assert_ok(arg(stage, "y", "1"));
	env(stage, "PATH", "/sbin");
	assert_list(scope_environment, stage, "x=env y=1 PATH=/sbin");
	assert_ok(arg(stage, "x", NULL)); /* declares, and has no value to write */
	assert_value(stage, "x", "env");
}

TEST(a_stage_inherits_from_the_stage_below)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *base = scope_new_stage(global);
	AUTO(scope) struct scope *child = NULL;

	assert_ok(arg(global, "g", "global"));
	assert_ok(arg(base, "a", "1"));
	assert_ok(arg(base, "none", NULL));
	env(base, "e", "2");
	child = scope_new_child(base);
	assert_value(child, "a", "1");
	assert_value(child, "e", "2");
	assert_true(scope_is_declared(child, STR("none")));
	env(child, "e", "3");
	assert_value(base, "e", "2"); /* what the child does stays there */
	assert_ok(arg(child, "g", NULL));
	assert_value(child, "g", "global");
	assert_list(scope_history_args, child, "a=1 none= g=global");
}

TEST(history_shows_each_argument_once_with_the_value_of_the_moment)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *stage = scope_new_stage(global);

	assert_ok(arg(stage, "a", "1"));
	assert_ok(arg(stage, "b", NULL));
	env(stage, "c", "9");
	assert_ok(arg(stage, "a", "2"));
	assert_list(scope_history_args, stage, "a=2 b=");
	env(stage, "a", "env");
	assert_list(scope_history_args, stage, "a=env b=");
}

TEST(proxies_need_no_declaration_and_leave_no_trace)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *stage = scope_new_stage(global);
	struct strings unused = { 0 };

	give(args, "Http_Proxy", "http://p");
	give(args, "no_proxy", "localhost");
	assert_list(scope_proxies, stage,
		    "HTTP_PROXY=http://p http_proxy=http://p NO_PROXY=localhost "
		    "no_proxy=localhost");
	assert_list(scope_environment, stage, "");
	assert_list(scope_history_args, stage, "");
	assert_value(stage, "no_proxy", NULL);
	assert_ok(arg(stage, "no_proxy", NULL)); /* unless it is declared */
	assert_value(stage, "no_proxy", "localhost");
	assert_list(scope_history_args, stage, "no_proxy=localhost");
	build_args_unused(args, &unused);
	assert_int_equal(unused.len, 0);
}

TEST(build_arguments_that_nobody_asks_for_are_named)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *stage = scope_new_stage(global);
	struct strings unused = { 0 };

	give(args, "typo", "1");
	give(args, "used", "1");
	give(args, "typo", "2");
	give(args, "BUILDKIT_INLINE_CACHE", "1");
	give(args, "SOURCE_DATE_EPOCH", "0");
	give(args, "HTTPS_PROXY", "x");
	give(args, "BUILDKIT_SYNTACKS", "x");
	assert_ok(arg(stage, "used", NULL));
	build_args_unused(args, &unused);
	assert_int_equal(unused.len, 2);
	assert_string_equal(unused.at[0], "typo");
	assert_string_equal(unused.at[1], "BUILDKIT_SYNTACKS");
	strings_release(&unused);
}

TEST(scan_options_never_become_variables)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *stage = scope_new_stage(global);

	assert_ok(arg(stage, "BUILDKIT_SBOM_SCAN_STAGE", "true"));
	assert_value(stage, "BUILDKIT_SBOM_SCAN_STAGE", NULL);
	assert_true(scope_is_declared(stage, STR("BUILDKIT_SBOM_SCAN_STAGE")));
}

/* scope_unused() of one text, joined by blanks. */
static void assert_unused(const struct scope *scope, const char *text, const char *want)
{
	AUTO(strings) struct strings texts = { 0 }, list = { 0 };
	AUTO(buf) struct buf joined = BUF_INIT(4096);

	strings_push(&texts, "first");
	strings_push(&texts, text);
	scope_unused(scope, &texts, &list);
	buf_adds(&joined, "");
	vec_foreach (&list, item)
		buf_addf(&joined, "%s%s", joined.len ? " " : "", *item);
	if (!str_is(buf_str(&joined), want))
		fail_msg("of '%s' unused: '%s', not '%s'", text, joined.at ? joined.at : "", want);
}

TEST(an_argument_is_used_where_its_name_is_a_word)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *stage = scope_new_stage(global);

	assert_ok(arg(stage, "a", "1"));
	assert_ok(arg(stage, "a_b", "2"));
	assert_ok(arg(stage, "none", NULL));
	assert_unused(stage, "", "a a_b none");
	assert_unused(stage, "first", "a a_b none");
	assert_unused(stage, "a", "a_b none");
	assert_unused(stage, "x${a}y", "a_b none");
	assert_unused(stage, "$a-$none", "a_b");
	assert_unused(stage, "$a_b", "a none");
	assert_unused(stage, "$a_bc aa a1 1a _a A", "a a_b none");
	assert_unused(stage, "aa a_b_ aa a", "a_b none"); /* the last of many */
	assert_ok(arg(stage, "no-name", "4"));            /* to a shell: it is left alone */
	assert_unused(stage, "a", "a_b none");
	assert_unused(stage,
		      "\xc3\xa4"
		      "a\xc3\xa4",
		      "a_b none"); /* no letter to a shell */
}

TEST(what_environment_and_programs_have_is_never_unused)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *stage = scope_new_stage(global);
	AUTO(scope) struct scope *child = NULL;

	env(stage, "PATH", "/bin");
	assert_ok(arg(stage, "PATH", "/other")); /* hides what was there */
	assert_ok(arg(stage, "PATH", "/third"));
	assert_ok(arg(stage, "behind", "1"));
	env(stage, "behind", "2");
	assert_ok(arg(stage, "SOURCE_DATE_EPOCH", "0"));
	assert_ok(arg(stage, "Http_Proxy", "p"));
	assert_ok(arg(stage, "BUILDKIT_SBOM_SCAN_STAGE", "true"));
	assert_ok(arg(stage, "gone", "1"));
	env(stage, "gone", "2");
	scope_unset(stage, STR("gone"));
	assert_unused(stage, "", "gone");
	assert_ok(arg(stage, "gone", "3"));
	assert_unused(stage, "", "gone");
	child = scope_new_child(stage);
	assert_ok(arg(child, "own", "1"));
	assert_unused(child, "", "gone own");
}

TEST(values_that_are_left_use_arguments)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	AUTO(scope) struct scope *global = scope_new(args);
	AUTO(scope) struct scope *stage = scope_new_stage(global);

	assert_ok(arg(stage, "c", "3"));
	assert_ok(arg(stage, "b", "$c '$c'"));
	assert_ok(arg(stage, "a", "'$b'"));
	assert_ok(arg(stage, "d", "'$e'"));
	assert_ok(arg(stage, "e", "'$d'"));
	assert_unused(stage, "$a", "d e"); /* a names b, and that c */
	assert_unused(stage, "$b", "a d e");
	assert_unused(stage, "$e", "c b a");
	env(stage, "later", "$d");
	assert_unused(stage, "", "c b a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_arg_takes_the_command_line_then_its_default_then_the_global_value),
		cmocka_unit_test(a_default_masks_an_automatic_argument),
		cmocka_unit_test(defaults_see_what_was_declared_before_them),
		cmocka_unit_test(a_default_that_is_not_needed_is_not_expanded),
		cmocka_unit_test(the_last_writer_wins),
		cmocka_unit_test(a_stage_inherits_from_the_stage_below),
		cmocka_unit_test(history_shows_each_argument_once_with_the_value_of_the_moment),
		cmocka_unit_test(proxies_need_no_declaration_and_leave_no_trace),
		cmocka_unit_test(build_arguments_that_nobody_asks_for_are_named),
		cmocka_unit_test(scan_options_never_become_variables),
		cmocka_unit_test(an_argument_is_used_where_its_name_is_a_word),
		cmocka_unit_test(what_environment_and_programs_have_is_never_unused),
		cmocka_unit_test(values_that_are_left_use_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
