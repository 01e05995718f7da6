/* tests/unit/test_cache_spec.c - the values of --cache-from and --cache-to, as other builders spell them. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/vec.h"
#include "registry/cache_spec.h"

TEST(a_cache_is_named_as_buildx_does)
{
	static const struct {
		enum cache_way way;
		const char *text;
		enum cache_kind kind;
		const char *name, *scope;
		bool max;
	} cases[] = {
		{ CACHE_FROM, "type=registry,ref=reg.example.com/team/cache", CACHE_REGISTRY,
		  "reg.example.com/team/cache", "", false },
		{ CACHE_TO, "type=registry,ref=reg.example.com/c:main,mode=max", CACHE_REGISTRY,
		  "reg.example.com/c:main", "main", true },
		{ CACHE_TO, "mode=min,ref=localhost:5000/c,type=registry", CACHE_REGISTRY,
		  "localhost:5000/c", "", false },
		{ CACHE_FROM, "type=local,src=/var/cache/x", CACHE_LOCAL, "/var/cache/x", "",
		  false },
		{ CACHE_TO, "type=local,dest=d,tag=pr-1", CACHE_LOCAL, "d", "pr-1", false },
		{ CACHE_TO, "\"type=local\",\"dest=a,b\"", CACHE_LOCAL, "a,b", "", false },
		{ CACHE_TO, "type=inline", CACHE_INLINE, "inline", "", false },
		{ CACHE_FROM, "type=inline,ref=reg.example.com/app:1", CACHE_INLINE,
		  "reg.example.com/app:1", "1", false },
		/* what has no effect here */
		{ CACHE_TO, "type=registry,ref=x.io/c,oci-mediatypes=true,image-manifest=false",
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
		enum cache_way way;
		const char *text;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ CACHE_TO, "type=gha,scope=x", ERR_USAGE, "scope" },
		{ CACHE_TO, "type=gha", ERR_UNSUPPORTED, "registry, local, inline" },
		{ CACHE_FROM, "type=s3", ERR_UNSUPPORTED, "registry, local, inline" },
		{ CACHE_FROM, "type=azblob", ERR_UNSUPPORTED, "registry, local, inline" },
		{ CACHE_FROM, "type=tape", ERR_USAGE, "registry, local, inline" },
		{ CACHE_FROM, "ref=a", ERR_USAGE, "type" },
		{ CACHE_FROM, "type=registry", ERR_USAGE, "ref=NAME" },
		{ CACHE_FROM, "type=local", ERR_USAGE, "src=DIR" },
		{ CACHE_TO, "type=local,src=a", ERR_USAGE, "dest" },
		{ CACHE_TO, "type=local", ERR_USAGE, "dest=DIR" },
		{ CACHE_TO, "type=local,dest=", ERR_USAGE, "missing" },
		{ CACHE_TO, "type=local,dest=a,tag=a/b", ERR_USAGE, "no tag" },
		{ CACHE_TO, "type=registry,ref=a,dest=b", ERR_USAGE, "type=local" },
		{ CACHE_TO, "type=inline,ref=a", ERR_USAGE, "in the image" },
		{ CACHE_TO, "type=inline,mode=max", ERR_USAGE, "in the image" },
		{ CACHE_FROM, "type=inline", ERR_USAGE, "ref=NAME" },
		{ CACHE_TO, "type=registry,ref=a,mode=mid", ERR_USAGE, "min or max" },
		{ CACHE_TO, "type=registry,ref=a,ignore-error=maybe", ERR_USAGE, "true or false" },
		{ CACHE_TO, "type=local,dest=a,compression=estargz", ERR_UNSUPPORTED, "zstd" },
		{ CACHE_TO, "type=local,dest=a,compression-level=3", ERR_USAGE, "compression=" },
		{ CACHE_TO, "type=local,dest=a,compression=gzip,compression-level=13", ERR_INVALID,
		  "compression-level" },
		{ CACHE_FROM, "Not A Name", ERR_INVALID, "" },
		{ CACHE_FROM, "", ERR_USAGE, "missing" },
		{ CACHE_FROM, "a,,b", ERR_USAGE, "missing" },
		{ CACHE_FROM,
		  "a@sha256:0123456789012345678901234567890123456789012345678901234567890123",
		  ERR_USAGE, "no digest" },
		{ CACHE_TO,
		  "type=registry,ref=a:0123456789012345678901234567890123456789012345678901234567890",
		  ERR_USAGE, "more than 60" },
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
