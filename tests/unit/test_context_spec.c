/* tests/unit/test_context_spec.c - what the text of a context means.
 *
 * The kinds and their spellings follow the reference's sections on contexts and on the flags of
 * builders; what makes a git repository of a URL is what docker build documents.
 */

#include "tests/unit/unit.h"

#include "base/err.h"
#include "builder/context_spec.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

TEST(tells_kinds_of_contexts_apart)
{
	static const struct {
		const char *text;
		bool named;
		enum context_kind kind;
		const char *value; /* NULL: the text itself */
	} cases[] = {
		{ ".", false, CONTEXT_DIRECTORY, NULL },
		{ ".", true, CONTEXT_DIRECTORY, NULL },
		{ "a:b", true, CONTEXT_DIRECTORY, NULL },
		{ "/srv/app.git", false, CONTEXT_DIRECTORY, NULL },
		{ "app.git", false, CONTEXT_DIRECTORY, NULL },
		{ "-", false, CONTEXT_STDIN, NULL },
		{ "./-", false, CONTEXT_DIRECTORY, NULL },
		{ "https://example.com/app.tar.gz", false, CONTEXT_WEB, NULL },
		{ "HTTP://example.com/Recipe", true, CONTEXT_WEB, NULL },
		{ "https://example.com/app.git/file", false, CONTEXT_WEB, NULL },
		{ "https://example.com/x?y=.git", false, CONTEXT_WEB, NULL },
		{ "https://example.com/app.git", false, CONTEXT_GIT, NULL },
		{ "https://example.com/app.git#v1:sub", true, CONTEXT_GIT, NULL },
		{ "https://example.com/app.git?ref=v1&subdir=sub", false, CONTEXT_GIT, NULL },
		{ "git://example.com/app", false, CONTEXT_GIT, NULL },
		{ "ssh://git@example.com/app", false, CONTEXT_GIT, NULL },
		{ "git@example.com:owner/app.git", false, CONTEXT_GIT, NULL },
		{ "me@host:app#main", false, CONTEXT_GIT, NULL },
		{ "github.com/owner/app", false, CONTEXT_GIT, NULL },
		{ "./github.com/owner/app", false, CONTEXT_DIRECTORY, NULL },
		{ "./git@host:app", false, CONTEXT_DIRECTORY, NULL },
		{ "../x@y:z", false, CONTEXT_DIRECTORY, NULL },
		{ "dir/x@y:z", false, CONTEXT_DIRECTORY, NULL },
		{ "@y:z", false, CONTEXT_DIRECTORY, NULL },
		{ "docker-image://alpine:3", true, CONTEXT_IMAGE, "alpine:3" },
		{ "container-image://quay.io/a/b", true, CONTEXT_IMAGE, "quay.io/a/b" },
		{ "docker://alpine@sha256:" HEX, true, CONTEXT_IMAGE, "alpine@sha256:" HEX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *value = cases[i].value ? cases[i].value : cases[i].text;
		AUTO(context_spec) struct context_spec spec = { 0 };

		assert_ok(err_wrap(context_spec_parse(cases[i].text, cases[i].named, &spec), "%s",
				   cases[i].text));
		if (spec.kind != cases[i].kind)
			fail_msg("%s is kind %d", cases[i].text, spec.kind);
		assert_string_equal(spec.value, value);
	}
}

TEST(a_name_below_github_may_also_be_a_directory)
{
	AUTO(context_spec) struct context_spec spec = { 0 };

	assert_ok(context_spec_parse("github.com/owner/app", false, &spec));
	assert_true(spec.maybe_path);
	context_spec_release(&spec);
	assert_ok(context_spec_parse("https://github.com/owner/app.git", false, &spec));
	assert_false(spec.maybe_path);
}

TEST(a_layout_may_have_a_tag_or_a_digest)
{
	static const struct {
		const char *text, *path, *tag, *digest;
	} cases[] = {
		{ "oci-layout:///srv/layout", "/srv/layout", NULL, NULL },
		{ "oci-layout://layout:1.2", "layout", "1.2", NULL },
		{ "oci-layout://a:b/layout", "a:b/layout", NULL, NULL },
		{ "oci-layout://l@sha256:" HEX, "l", NULL, "sha256:" HEX },
		{ "oci-layout://l:t@sha256:" HEX, "l", "t", "sha256:" HEX },
		{ "oci-layout://with@sign", "with@sign", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(context_spec) struct context_spec spec = { 0 };

		assert_ok(context_spec_parse(cases[i].text, true, &spec));
		assert_int_equal(spec.kind, CONTEXT_LAYOUT);
		assert_string_equal(spec.value, cases[i].path);
		assert_string_equal(spec.tag ? spec.tag : "", cases[i].tag ? cases[i].tag : "");
		assert_string_equal(spec.digest ? spec.digest : "",
				    cases[i].digest ? cases[i].digest : "");
	}
}

TEST(refuses_what_can_be_no_context)
{
	static const struct {
		const char *text;
		bool named;
		enum err_kind want;
	} cases[] = {
		{ "", false, ERR_INVALID },
		{ "", true, ERR_INVALID },
		{ "ftp://example.com/x", false, ERR_INVALID },
		{ "s3://bucket/x", true, ERR_INVALID },
		{ "docker-image://alpine", false, ERR_INVALID },
		{ "oci-layout://x", false, ERR_INVALID },
		{ "docker-image://", true, ERR_INVALID },
		{ "docker-image://Not_A_Name!", true, ERR_INVALID },
		{ "oci-layout://", true, ERR_INVALID },
		{ "oci-layout://:tag", true, ERR_INVALID },
		{ "oci-layout://l@sha256:12", true, ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(context_spec) struct context_spec spec = { 0 };
		AUTO(err)
		struct err *err = context_spec_parse(cases[i].text, cases[i].named, &spec);

		if (err_kind(err) != cases[i].want)
			fail_msg("'%s': %d %s", cases[i].text, err_kind(err),
				 err ? err_text(err) : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_kinds_of_contexts_apart),
		cmocka_unit_test(a_name_below_github_may_also_be_a_directory),
		cmocka_unit_test(a_layout_may_have_a_tag_or_a_digest),
		cmocka_unit_test(refuses_what_can_be_no_context),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
