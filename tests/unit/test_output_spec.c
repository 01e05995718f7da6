/* tests/unit/test_output_spec.c - the value of -o, as other builders spell it. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/output_spec.h"

/* For what no wish is in. */
static void must_parse(const char *text, struct build_output *ret)
{
	struct output_wishes wishes;

	assert_ok(output_spec_parse(text, ret, &wishes));
	assert_false(wishes.has_codec || wishes.has_level || wishes.has_format || wishes.force);
}

TEST(the_forms_of_an_output_are_those_of_other_tools)
{
	static const struct {
		const char *text;
		enum output_kind kind;
		const char *dest;
	} cases[] = {
		{ "-", OUTPUT_TAR, "-" },
		{ "out", OUTPUT_LOCAL, "out" },
		{ "./a,b", OUTPUT_LOCAL, "./a,b" },
		{ "type=oci,dest=a.tar", OUTPUT_OCI, "a.tar" },
		{ "dest=/x/a.tar,type=docker", OUTPUT_DOCKER, "/x/a.tar" },
		{ "type=tar,dest=-", OUTPUT_TAR, "-" },
		{ "type=oci,dest=-", OUTPUT_OCI, "-" },
		{ "type=local,dest=d", OUTPUT_LOCAL, "d" },
		{ "type=oci,dest=a=b", OUTPUT_OCI, "a=b" },
		{ "type=image", OUTPUT_STORE, NULL },
		/* without dest, as buildx has it */
		{ "type=oci", OUTPUT_OCI, "-" },
		{ "type=tar", OUTPUT_TAR, "-" },
		{ "type=docker", OUTPUT_STORE, NULL },
		{ "type=docker,name=a", OUTPUT_STORE, NULL },
		{ "type=oci,dest=d,tar=false", OUTPUT_OCI, "d" },
		{ "type=cacheonly", OUTPUT_NONE, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct build_output output = { 0 };

		must_parse(cases[i].text, &output);
		if (output.kind != cases[i].kind)
			fail_msg("%s: kind %d", cases[i].text, (int)output.kind);
		if (cases[i].dest)
			assert_string_equal(output.dest, cases[i].dest);
		else
			assert_null(output.dest);
		free(output.dest);
		free(output.names);
	}
}

TEST(an_image_may_be_named_and_pushed)
{
	static const struct {
		const char *text;
		const char *names; /* NULL: none */
		bool push;
	} cases[] = {
		{ "type=image", NULL, false },
		{ "type=registry", NULL, true },
		{ "type=registry,name=a", "a", true },
		{ "type=image,push=true,name=a", "a", true },
		{ "type=image,name=a,push", "a", true },
		{ "type=image,push=false,name=a", "a", false },
		{ "type=image,\"name=a,b\",push=true", "a,b", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct build_output output = { 0 };

		must_parse(cases[i].text, &output);
		assert_int_equal(output.kind, OUTPUT_STORE);
		if (output.push != cases[i].push)
			fail_msg("%s: push %d", cases[i].text, output.push);
		if (cases[i].names)
			assert_string_equal(output.names, cases[i].names);
		else
			assert_null(output.names);
		free(output.names);
	}
}

TEST(what_is_wrong_with_an_output_is_told)
{
	static const struct {
		const char *text;
		const char *said;
	} cases[] = {
		{ "", "it is empty" },
		{ "type=local", "say where to" },
		{ "type=disk,dest=a", "'disk' is none of: image, registry, oci" },
		{ "dest=a", "needs a type" },
		{ "type=oci,colour=x,dest=a", "'colour' is none of: type, dest" },
		{ "type=local,name=x,dest=a", "only an image has a name" },
		{ "type=cacheonly,dest=a", "goes into the store" },
		{ "type=cacheonly,push=true", "can be pushed" },
		{ "type=oci,tar=false", "say where to" },
		{ "type=oci,tar=false,dest=-", "standard output" },
		{ "type=oci,compression=lzma,dest=a", "'lzma' is no compression" },
		{ "type=oci,compression-level=0,dest=a", "compression-level" },
		{ "type=oci,force-compression=maybe,dest=a", "true or false" },
		{ "type=oci,annotation=a,dest=a", "annotation.NAME" },
		{ "type=oci,annotations.a=b,dest=a", "annotation.NAME" },
		{ "type=tar,push=true,dest=a", "can be pushed" },
		{ "type=image,push=maybe", "true or false" },
		{ "=", "'' is none of: type, dest" },
		{ "type=image,dest=a", "goes into the store" },
		{ "type=local,dest=-", "standard output" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct build_output output = { .dest = NULL };
		struct output_wishes wishes;
		AUTO(err) struct err *err = output_spec_parse(cases[i].text, &output, &wishes);

		if ((err_kind(err) != ERR_USAGE && err_kind(err) != ERR_INVALID) ||
		    !strstr(err_text(err), cases[i].said))
			fail_msg("'%s': %s", cases[i].text, err ? err_text(err) : "accepted");
		assert_null(output.dest);
	}
}

TEST(what_an_output_wants_of_the_image_is_read)
{
	const char *text =
		"type=oci,dest=a,compression=gzip,compression-level=9,oci-mediatypes=false,"
		"force-compression=true,rewrite-timestamp=true,annotation.a=b,"
		"annotation-manifest-descriptor[linux/amd64].c.d=e=f,"
		"annotation[linux/arm64].g=h,\"annotation-index.k=x,y\"";
	static const char *const annotations[] = { "manifest:a=b",
						   "manifest-descriptor[linux/amd64]:c.d=e=f",
						   "manifest[linux/arm64]:g=h", "index:k=x,y" };
	struct build_output output = { 0 };
	AUTO(output_wishes) struct output_wishes wishes = { 0 };

	assert_ok(output_spec_parse(text, &output, &wishes));
	assert_true(wishes.has_codec && wishes.has_level && wishes.has_format);
	assert_int_equal(wishes.codec, CODEC_GZIP);
	assert_int_equal(wishes.level, 9);
	assert_int_equal(wishes.format, IMAGE_DOCKER);
	assert_true(wishes.force && wishes.has_rewrite && wishes.rewrite);
	assert_int_equal(wishes.annotations.len, ARRAY_SIZE(annotations));
	for (size_t i = 0; i < ARRAY_SIZE(annotations); i++)
		assert_string_equal(wishes.annotations.at[i], annotations[i]);
	free(output.dest);
}

TEST(buildkit_calls_no_compression_uncompressed)
{
	struct build_output output = { 0 };
	struct output_wishes wishes = { 0 };

	assert_ok(output_spec_parse("type=image,compression=uncompressed,unpack=true", &output,
				    &wishes));
	assert_true(wishes.has_codec);
	assert_int_equal(wishes.codec, CODEC_NONE);
	assert_fails(output_spec_parse("type=image,compression=estargz", &output, &wishes),
		     ERR_UNSUPPORTED);
	assert_fails(output_spec_parse("type=docker,tar=false,dest=d", &output, &wishes),
		     ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_forms_of_an_output_are_those_of_other_tools),
		cmocka_unit_test(an_image_may_be_named_and_pushed),
		cmocka_unit_test(what_is_wrong_with_an_output_is_told),
		cmocka_unit_test(what_an_output_wants_of_the_image_is_read),
		cmocka_unit_test(buildkit_calls_no_compression_uncompressed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
