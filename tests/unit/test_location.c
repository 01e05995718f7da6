/* tests/unit/test_location.c - what people name as the source or target of a copy. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/str.h"
#include "registry/location.h"

TEST(tells_transports_by_their_prefix)
{
	static const struct {
		const char *text;
		enum location_kind kind;
		const char *path, *name, *again; /* NULL: as `text` */
	} cases[] = {
		{ "app", LOCATION_STORE, NULL, NULL, NULL },
		{ "localhost:5000/app:1", LOCATION_STORE, NULL, NULL, NULL },
		{ "44136fa355b3", LOCATION_STORE, NULL, NULL, NULL },
		{ "ocix:tag", LOCATION_STORE, NULL, NULL, NULL },
		{ "oci", LOCATION_STORE, NULL, NULL, NULL },
		{ "docker.io/library/oci:1", LOCATION_STORE, NULL, NULL, NULL },
		{ "docker:1", LOCATION_STORE, NULL, NULL, NULL },
		{ "docker://app", LOCATION_REGISTRY, NULL, NULL,
		  "docker://docker.io/library/app:latest" },
		{ "docker-image://h.com/a:1", LOCATION_REGISTRY, NULL, NULL, "docker://h.com/a:1" },
		{ "oci:dir", LOCATION_OCI_DIR, "dir", NULL, NULL },
		{ "oci:/a/b:1.0", LOCATION_OCI_DIR, "/a/b", "1.0", NULL },
		{ "oci:dir:h.com:5000/a:1", LOCATION_OCI_DIR, "dir", "h.com:5000/a:1", NULL },
		{ "oci:dir:", LOCATION_OCI_DIR, "dir", NULL, "oci:dir" },
		{ "oci-archive:f.tar", LOCATION_OCI_ARCHIVE, "f.tar", NULL, NULL },
		{ "oci-archive:-:x", LOCATION_OCI_ARCHIVE, "-", "x", NULL },
		{ "docker-archive:f.tar:app:1", LOCATION_DOCKER_ARCHIVE, "f.tar", "app:1", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(location) struct location location = { 0 };
		AUTO(mem) char *again = NULL;

		assert_ok(location_parse(cases[i].text, &location));
		assert_int_equal(location.kind, cases[i].kind);
		assert_string_equal(location.path ? location.path : "-none-",
				    cases[i].path ? cases[i].path : "-none-");
		assert_string_equal(location.name ? location.name : "-none-",
				    cases[i].name ? cases[i].name : "-none-");
		again = location_format(&location);
		assert_string_equal(again, cases[i].again ? cases[i].again : cases[i].text);
	}
}

TEST(a_place_in_a_registry_keeps_what_was_written)
{
	AUTO(location) struct location location = { 0 };

	assert_ok(location_parse("docker://localhost:5000/a", &location));
	assert_string_equal(location.ref.domain, "localhost:5000");
	assert_string_equal(location.ref.path, "a");
	assert_string_equal(location.ref.tag, "");
}

TEST(refuses_what_it_cannot_do_with_a_way_out)
{
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *remedy; /* a part of the notes */
	} cases[] = {
		{ "dir:/tmp/x", ERR_UNSUPPORTED, "oci:DIR" },
		{ "oci-layout:///x", ERR_UNSUPPORTED, "oci:DIR" },
		{ "containers-storage:app", ERR_UNSUPPORTED, "podman save" },
		{ "docker-daemon:app:1", ERR_UNSUPPORTED, "docker save" },
		{ "tarball:x.tar", ERR_UNSUPPORTED, "cairn import" },
		{ "https://h.com/app", ERR_INVALID, NULL },
		{ "ftp://h.com/app", ERR_INVALID, NULL },
		{ "docker://", ERR_INVALID, NULL },
		{ "docker://UPPER", ERR_INVALID, NULL },
		{ "docker://https://h.com/a", ERR_INVALID, NULL },
		{ "oci:", ERR_INVALID, NULL },
		{ "oci::x", ERR_INVALID, NULL },
		{ "oci-archive:", ERR_INVALID, NULL },
		{ "", ERR_INVALID, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(location) struct location location = { 0 };
		AUTO(err) struct err *err = location_parse(cases[i].text, &location);

		if (err_kind(err) != cases[i].kind)
			fail_msg("'%s': %s", cases[i].text, err ? err_text(err) : "accepted");
		if (cases[i].remedy)
			assert_non_null(strstr(err_notes(err), cases[i].remedy));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_transports_by_their_prefix),
		cmocka_unit_test(a_place_in_a_registry_keeps_what_was_written),
		cmocka_unit_test(refuses_what_it_cannot_do_with_a_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
