/* tests/unit/test_attest_spec.c - the values of --attest, --provenance and --sbom, as buildx has them. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/attest_spec.h"

static void attest_opts_auto_(struct attest_opts *opts)
{
	attest_opts_release(opts);
}

TEST(the_values_of_attest_are_those_of_buildx)
{
	static const struct {
		const char *text;
		enum provenance_mode mode;
		bool slsa_02, sbom, reproducible;
		const char *builder;
	} cases[] = {
		{ "type=provenance", PROVENANCE_MIN, false, false, false, NULL },
		{ "type=provenance,mode=min", PROVENANCE_MIN, false, false, false, NULL },
		{ "mode=max,type=provenance", PROVENANCE_MAX, false, false, false, NULL },
		{ "type=provenance,mode=full", PROVENANCE_MAX, false, false, false, NULL },
		{ "type=provenance,version=v0.2", PROVENANCE_MIN, true, false, false, NULL },
		{ "type=provenance,version=v1", PROVENANCE_MIN, false, false, false, NULL },
		{ "type=provenance,builder-id=https://ci.example/1?a=b,reproducible=true",
		  PROVENANCE_MIN, false, false, true, "https://ci.example/1?a=b" },
		{ "type=provenance,inline-only=true", PROVENANCE_MIN, false, false, false, NULL },
		{ "type=provenance,disabled=true", PROVENANCE_NONE, false, false, false, NULL },
		{ "type=sbom", PROVENANCE_NONE, false, true, false, NULL },
		{ "type=sbom,disabled=1", PROVENANCE_NONE, false, false, false, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(attest_opts) struct attest_opts opts = { 0 };

		assert_ok(attest_spec_parse(cases[i].text, &opts));
		if (opts.provenance != cases[i].mode || opts.slsa_02 != cases[i].slsa_02 ||
		    opts.sbom != cases[i].sbom || opts.reproducible != cases[i].reproducible)
			fail_msg("%s", cases[i].text);
		if (cases[i].builder)
			assert_string_equal(opts.builder_id, cases[i].builder);
		else
			assert_null(opts.builder_id);
	}
}

TEST(the_short_forms_are_truths_or_parameters)
{
	static const struct {
		const char *type, *text;
		enum provenance_mode mode;
		bool sbom;
	} cases[] = {
		{ "provenance", "true", PROVENANCE_MIN, false },
		{ "provenance", "1", PROVENANCE_MIN, false },
		{ "provenance", "false", PROVENANCE_NONE, false },
		{ "provenance", "mode=max", PROVENANCE_MAX, false },
		{ "provenance", "mode=max,version=v1", PROVENANCE_MAX, false },
		{ "sbom", "true", PROVENANCE_NONE, true },
		{ "sbom", "f", PROVENANCE_NONE, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(attest_opts) struct attest_opts opts = { 0 };

		assert_ok(attest_spec_parse_short(cases[i].type, cases[i].text, &opts));
		if (opts.provenance != cases[i].mode || opts.sbom != cases[i].sbom)
			fail_msg("%s=%s", cases[i].type, cases[i].text);
	}
}

TEST(the_last_word_about_an_attestation_counts)
{
	AUTO(attest_opts) struct attest_opts opts = { 0 };

	assert_ok(attest_spec_parse("type=provenance,mode=max", &opts));
	assert_ok(attest_spec_parse("type=sbom", &opts));
	assert_ok(attest_spec_parse_short("provenance", "false", &opts));
	assert_int_equal(opts.provenance, PROVENANCE_NONE);
	assert_true(opts.sbom);
	assert_ok(attest_spec_parse("type=provenance,builder-id=a", &opts));
	assert_ok(attest_spec_parse("type=provenance,builder-id=b", &opts));
	assert_string_equal(opts.builder_id, "b");
}

TEST(what_is_wrong_with_an_attestation_is_told)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} cases[] = {
		{ "", ERR_INVALID },
		{ "provenance", ERR_INVALID },
		{ "mode=max", ERR_INVALID },
		{ "type=", ERR_INVALID },
		{ "type=vex", ERR_INVALID },
		{ "type=provenance,", ERR_INVALID },
		{ "type=provenance,mode=some", ERR_INVALID },
		{ "type=provenance,mode", ERR_INVALID },
		{ "type=provenance,version=v2", ERR_INVALID },
		{ "type=provenance,reproducible=perhaps", ERR_INVALID },
		{ "type=provenance,disabled=", ERR_INVALID },
		{ "type=provenance,filename=x", ERR_INVALID },
		{ "type=sbom,mode=max", ERR_INVALID },
		{ "type=sbom,generator=scanner/image", ERR_UNSUPPORTED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(attest_opts) struct attest_opts opts = { 0 };
		AUTO(err) struct err *err = attest_spec_parse(cases[i].text, &opts);

		if (err_kind(err) != cases[i].kind)
			fail_msg("%s: %s", cases[i].text, err ? err_text(err) : "taken");
	}
}

TEST(a_scanner_of_other_builders_is_refused)
{
	static const char *const presets[] = { "", "syft", "trivy-cyclonedx",
					       "generator=docker/scanner" };

	for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
		AUTO(attest_opts) struct attest_opts opts = { 0 };

		assert_fails(attest_spec_parse_short("sbom", presets[i], &opts), ERR_UNSUPPORTED);
		assert_false(opts.sbom);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_values_of_attest_are_those_of_buildx),
		cmocka_unit_test(the_short_forms_are_truths_or_parameters),
		cmocka_unit_test(the_last_word_about_an_attestation_counts),
		cmocka_unit_test(what_is_wrong_with_an_attestation_is_told),
		cmocka_unit_test(a_scanner_of_other_builders_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
