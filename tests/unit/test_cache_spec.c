/* tests/unit/test_cache_spec.c - the values of --cache-from and --cache-to, as other builders spell them. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/vec.h"
#include "registry/cache_spec.h"

TEST(a_cache_is_named_as_buildx_does)
{
	static const struct {
		const char *text;
		enum cache_way way;
		enum cache_kind kind;
		const char *name, *scope;
		bool max;
	} cases[] = {
		{ "type=registry,ref=reg.example.com/team/cache", CACHE_FROM, CACHE_REGISTRY,
		  "reg.example.com/team/cache", "", false },
		{ "type=registry,ref=reg.example.com/c:main,mode=max", CACHE_TO, CACHE_REGISTRY,
		  "reg.example.com/c:main", "main", true },
		{ "mode=min,ref=localhost:5000/c,type=registry", CACHE_TO, CACHE_REGISTRY,
		  "localhost:5000/c", "", false },
		{ "type=local,src=/var/cache/x", CACHE_FROM, CACHE_LOCAL, "/var/cache/x", "",
		  false },
		{ "type=local,dest=d,tag=pr-1", CACHE_TO, CACHE_LOCAL, "d", "pr-1", false },
		{ "\"type=local\",\"dest=a,b\"", CACHE_TO, CACHE_LOCAL, "a,b", "", false },
		{ "type=inline", CACHE_TO, CACHE_INLINE, "inline", "", false },
		{ "type=inline,ref=reg.example.com/app:1", CACHE_FROM, CACHE_INLINE,
		  "reg.example.com/app:1", "1", false },
		/* what has no effect here */
		{ "type=registry,ref=x.io/c,oci-mediatypes=true,image-manifest=false", CACHE_TO,
		  CACHE_REGISTRY, "x.io/c", "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(cache_specs) struct cache_specs specs = { 0 };

		assert_ok(cache_specs_add(&specs, cases[i].way, cases[i].text));
		assert_int_equal(specs.len, 1);
		assert_int_equal(specs.at[0].kind, cases[i].kind);
		assert_string_equal(specs.at[0].name, cases[i].name);
		assert_string_equal(specs.at[0].scope, cases[i].scope);
		assert_int_equal(specs.at[0].max, cases[i].max);
	}
}

TEST(the_plain_form_is_a_repository_that_gets_every_step)
{
	AUTO(cache_specs) struct cache_specs specs = { 0 };

	assert_ok(cache_specs_add(&specs, CACHE_FROM, "reg.example.com/a,reg.example.com/b:1"));
	assert_ok(cache_specs_add(&specs, CACHE_TO, "team/cache"));
	assert_int_equal(specs.len, 3);
	assert_string_equal(specs.at[0].name, "reg.example.com/a");
	assert_string_equal(specs.at[1].scope, "1");
	assert_false(specs.at[0].max);
	assert_string_equal(specs.at[2].ref.domain, "docker.io");
	assert_string_equal(specs.at[2].ref.path, "team/cache");
	assert_true(specs.at[2].max);
}

TEST(compression_and_errors_are_as_asked_for)
{
	AUTO(cache_specs) struct cache_specs specs = { 0 };

	assert_ok(cache_specs_add(&specs, CACHE_TO,
				  "type=local,dest=d,compression=gzip,compression-level=9,"
				  "force-compression=true,ignore-error=true"));
	assert_ok(cache_specs_add(&specs, CACHE_TO, "type=local,dest=d,compression=uncompressed"));
	assert_ok(cache_specs_add(&specs, CACHE_TO,
				  "type=registry,ref=x.io/c,registry.insecure,ignore-error=false"));
	assert_true(specs.at[0].has_compression && specs.at[0].force_compression);
	assert_int_equal(specs.at[0].compression.codec, CODEC_GZIP);
	assert_int_equal(specs.at[0].compression.level, 9);
	assert_true(specs.at[0].ignore_error);
	assert_int_equal(specs.at[1].compression.codec, CODEC_NONE);
	assert_true(specs.at[1].has_compression && !specs.at[1].ignore_error);
	assert_true(specs.at[2].insecure && !specs.at[2].ignore_error);
}

TEST(what_does_not_work_is_refused_with_what_does)
{
	static const struct {
		const char *text;
		enum cache_way way;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ "type=gha,scope=x", CACHE_TO, ERR_USAGE, "scope" },
		{ "type=gha", CACHE_TO, ERR_UNSUPPORTED, "registry, local, inline" },
		{ "type=s3", CACHE_FROM, ERR_UNSUPPORTED, "registry, local, inline" },
		{ "type=azblob", CACHE_FROM, ERR_UNSUPPORTED, "registry, local, inline" },
		{ "type=tape", CACHE_FROM, ERR_USAGE, "registry, local, inline" },
		{ "ref=a", CACHE_FROM, ERR_USAGE, "type" },
		{ "type=registry", CACHE_FROM, ERR_USAGE, "ref=NAME" },
		{ "type=local", CACHE_FROM, ERR_USAGE, "src=DIR" },
		{ "type=local,src=a", CACHE_TO, ERR_USAGE, "dest" },
		{ "type=local", CACHE_TO, ERR_USAGE, "dest=DIR" },
		{ "type=local,dest=", CACHE_TO, ERR_USAGE, "missing" },
		{ "type=local,dest=a,tag=a/b", CACHE_TO, ERR_USAGE, "no tag" },
		{ "type=registry,ref=a,dest=b", CACHE_TO, ERR_USAGE, "type=local" },
		{ "type=inline,ref=a", CACHE_TO, ERR_USAGE, "in the image" },
		{ "type=inline,mode=max", CACHE_TO, ERR_USAGE, "in the image" },
		{ "type=inline", CACHE_FROM, ERR_USAGE, "ref=NAME" },
		{ "type=registry,ref=a,mode=mid", CACHE_TO, ERR_USAGE, "min or max" },
		{ "type=registry,ref=a,ignore-error=maybe", CACHE_TO, ERR_USAGE, "true or false" },
		{ "type=local,dest=a,compression=estargz", CACHE_TO, ERR_UNSUPPORTED, "zstd" },
		{ "type=local,dest=a,compression-level=3", CACHE_TO, ERR_USAGE, "compression=" },
		{ "type=local,dest=a,compression=gzip,compression-level=13", CACHE_TO, ERR_INVALID,
		  "compression-level" },
		{ "Not A Name", CACHE_FROM, ERR_INVALID, "" },
		{ "", CACHE_FROM, ERR_USAGE, "missing" },
		{ "a,,b", CACHE_FROM, ERR_USAGE, "missing" },
		{ "a@sha256:0123456789012345678901234567890123456789012345678901234567890123",
		  CACHE_FROM, ERR_USAGE, "no digest" },
		{ "type=registry,ref=a:0123456789012345678901234567890123456789012345678901234567890",
		  CACHE_TO, ERR_USAGE, "more than 60" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(cache_specs) struct cache_specs specs = { 0 };
		AUTO(err)
		struct err *err = cache_specs_add(&specs, cases[i].way, cases[i].text);

		if (err_kind(err) != cases[i].kind || !strstr(err_text(err), cases[i].says))
			fail_msg("%s: %s", cases[i].text, err ? err_text(err) : "taken");
		assert_int_equal(specs.len, 0);
	}
}

TEST(places_are_the_same_whatever_is_said_besides)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "type=registry,ref=x.io/c,mode=max", "x.io/c", true },
		{ "docker.io/library/c", "c", true },
		{ "x.io/c:a", "x.io/c:b", false },
		{ "x.io/c:a", "x.io/c", false },
		{ "x.io/c", "x.io/d", false },
		{ "type=local,dest=d", "type=local,dest=d,mode=max", true },
		{ "type=local,dest=d", "type=local,dest=e", false },
		{ "type=local,dest=d", "d", false },
		{ "type=inline", "type=inline", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(cache_specs) struct cache_specs specs = { 0 };

		assert_ok(cache_specs_add(&specs, CACHE_TO, cases[i].a));
		assert_ok(cache_specs_add(&specs, CACHE_TO, cases[i].b));
		if (cache_spec_is_same(&specs.at[0], &specs.at[1]) != cases[i].same)
			fail_msg("%s, %s", cases[i].a, cases[i].b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cache_is_named_as_buildx_does),
		cmocka_unit_test(the_plain_form_is_a_repository_that_gets_every_step),
		cmocka_unit_test(compression_and_errors_are_as_asked_for),
		cmocka_unit_test(what_does_not_work_is_refused_with_what_does),
		cmocka_unit_test(places_are_the_same_whatever_is_said_besides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
