/* tests/unit/test_short_name.c - what a short name means when it is fetched. */

#include "tests/unit/machine.h"

#include "registry/registries.h"

#define MAIN "etc/containers/registries.conf"
#define HEX64 "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static struct err *meanings_of(const char *text, bool terminal, struct meanings *ret)
{
	AUTO(registries) struct registries *r = NULL;

	TRY(registries_open(&machine, &r));
	return registries_meanings(r, text, terminal, ret);
}

/* Separated by blanks; "?" behind them if the user is to choose. */
static void must_mean(const char *text, bool terminal, const char *want)
{
	AUTO(meanings) struct meanings found = { 0 };
	AUTO(buf) struct buf got = BUF_INIT(4096);
	AUTO(err) struct err *err = meanings_of(text, terminal, &found);

	if (err)
		fail_msg("%s: %s", text, err_text(err));
	vec_foreach (&found.names, name)
		buf_addf(&got, "%s%s", got.len ? " " : "", *name);
	buf_adds(&got, found.choose ? "?" : "");
	assert_string_equal(buf_str(&got).at, want);
}

TEST(without_configuration_it_is_on_the_hub)
{
	must_mean("app", false, "docker.io/library/app:latest");
	must_mean("team/app:1", false, "docker.io/team/app:1");
	must_mean("h.com/app", false, "h.com/app:latest");
	machine_put(MAIN, "# as Debian installs it: comments alone\n");
	must_mean("app", false, "docker.io/library/app:latest");
}

TEST(an_alias_decides_whatever_is_searched)
{
	machine_put(MAIN, "unqualified-search-registries = ['a.com', 'b.com']\n"
			  "short-name-mode = 'enforcing'\n"
			  "[aliases]\n"
			  "'app' = 'x.com/team/app'\n"
			  "'team/tool' = 'docker.io/team/tool'\n"
			  "'gone' = 'x.com/gone'\n"
			  "'tagged' = 'x.com/app:1'\n"
			  "'short' = 'app'\n");
	machine_put("etc/containers/registries.conf.d/a.conf", "[aliases]\ngone = ''\n");
	must_mean("app", false, "x.com/team/app:latest");
	must_mean("app:1", false, "x.com/team/app:1");
	must_mean("app:1@sha256:" HEX64, false, "x.com/team/app:1@sha256:" HEX64);
	must_mean("team/tool", false, "docker.io/team/tool:latest");
	must_mean("docker.io/library/app", false, "docker.io/library/app:latest");
	must_mean("gone", true, "a.com/gone:latest b.com/gone:latest?");
	assert_fails(meanings_of("tagged", false, &(struct meanings){ 0 }), ERR_INVALID);
	assert_fails(meanings_of("short", false, &(struct meanings){ 0 }), ERR_INVALID);
}

TEST(what_podman_noted_comes_before_the_files)
{
	machine_put(MAIN, "[aliases]\napp = 'x.com/app'\n");
	machine_put("home/.cache/containers/short-name-aliases.conf",
		    "[aliases]\n'app' = 'y.com/app'\n");
	must_mean("app", false, "y.com/app:latest");
	machine_put("var/cache/containers/short-name-aliases.conf",
		    "[aliases]\n'app' = 'z.com/app'\n");
	must_mean("app", false, "y.com/app:latest");
	machine.user = 0;
	must_mean("app", false, "z.com/app:latest");
	machine.user = 1234;
}

TEST(one_registry_is_no_question)
{
	machine_put(MAIN,
		    "unqualified-search-registries = ['a.com:5000']\nshort-name-mode='enforcing'");
	must_mean("app", false, "a.com:5000/app:latest");
	must_mean("app", true, "a.com:5000/app:latest");
	machine_put(MAIN, "unqualified-search-registries = ['docker.io']\n");
	must_mean("app", false, "docker.io/library/app:latest");
}

TEST(the_mode_says_what_becomes_of_several)
{
	static const char two[] = "unqualified-search-registries = ['a.com', 'docker.io']\n";
	static const struct {
		const char *mode;
		bool terminal;
		const char *want; /* NULL: refused */
	} cases[] = {
		{ "", false, "a.com/app:latest docker.io/library/app:latest" },
		{ "", true, "a.com/app:latest docker.io/library/app:latest?" },
		{ "permissive", false, "a.com/app:latest docker.io/library/app:latest" },
		{ "permissive", true, "a.com/app:latest docker.io/library/app:latest?" },
		{ "enforcing", false, NULL },
		{ "enforcing", true, "a.com/app:latest docker.io/library/app:latest?" },
		{ "disabled", false, "a.com/app:latest docker.io/library/app:latest" },
		{ "disabled", true, "a.com/app:latest docker.io/library/app:latest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = xasprintf("%sshort-name-mode = '%s'\n", two, cases[i].mode);
		struct meanings found = { 0 };
		AUTO(err) struct err *err = NULL;

		machine_put(MAIN, text);
		if (cases[i].want) {
			must_mean("app", cases[i].terminal, cases[i].want);
			continue;
		}
		err = meanings_of("app", cases[i].terminal, &found);
		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_string_equal(err_notes(err),
				    "a.com/app:latest\ndocker.io/library/app:latest");
		assert_int_equal(found.names.len, 0);
	}
}

TEST(short_names_may_be_off)
{
	AUTO(err) struct err *err = NULL;
	struct meanings found = { 0 };

	machine_put(MAIN, "unqualified-search-registries = []\n[aliases]\nb = 'x.com/b'\n");
	err = meanings_of("app:1", true, &found);
	assert_int_equal(err_kind(err), ERR_INVALID);
	assert_non_null(strstr(err_text(err), machine_path(MAIN)));
	assert_string_equal(err_notes(err), "for an image of Docker Hub: docker.io/library/app:1");
	must_mean("b", false, "x.com/b:latest");
	must_mean("docker.io/app", false, "docker.io/library/app:latest");
}

TEST(what_is_no_name_has_no_meaning)
{
	assert_fails(meanings_of("A", false, &(struct meanings){ 0 }), ERR_INVALID);
	assert_fails(meanings_of("", false, &(struct meanings){ 0 }), ERR_INVALID);
}

#define CASE(name) cmocka_unit_test_setup(name, machine_reset)

/* The first that is not "no": NOT_FOUND, DENIED, then what `self` says. */
static struct err *attempt(void *self, const char *name)
{
	static const enum err_kind kinds[] = { ERR_NOT_FOUND, ERR_DENIED };
	struct strings *asked = self;
	size_t at = asked->len;

	strings_push(asked, name);
	return at < 2 ? err_new(kinds[at], "%s: no", name) : NULL;
}

TEST(meanings_are_tried_in_order_until_one_is_there)
{
	AUTO(meanings) struct meanings meanings = { 0 };
	AUTO(strings) struct strings asked = { 0 };
	AUTO(strings) struct strings again = { 0 };
	AUTO(err) struct err *err = NULL;

	strings_push(&meanings.names, "one.example.com/app");
	strings_push(&meanings.names, "two.example.com/app");
	err = meanings_try(&meanings, attempt, &asked);
	assert_int_equal(err_kind(err), ERR_DENIED);
	assert_non_null(strstr(err_text(err), "two.example.com"));
	assert_non_null(strstr(err_notes(err), "in vain: one.example.com/app"));
	strings_push(&meanings.names, "three.example.com/app");
	strings_push(&meanings.names, "four.example.com/app");
	assert_ok(meanings_try(&meanings, attempt, &again));
	assert_int_equal(again.len, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(without_configuration_it_is_on_the_hub),
		CASE(an_alias_decides_whatever_is_searched),
		CASE(what_podman_noted_comes_before_the_files),
		CASE(one_registry_is_no_question),
		CASE(the_mode_says_what_becomes_of_several),
		CASE(short_names_may_be_off),
		CASE(meanings_are_tried_in_order_until_one_is_there),
		CASE(what_is_no_name_has_no_meaning),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
