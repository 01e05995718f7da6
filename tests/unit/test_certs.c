/* tests/unit/test_certs.c - which certificates a host is checked by. */

#include "tests/unit/machine.h"

#include "registry/certs.h"

static void put_empty(const char *const *files)
{
	for (; *files; files++)
		machine_put(*files, "");
}

#define FILES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The files of a list below the machine's root, separated by blanks. */
static void must_be(const struct strings *list, const char *want)
{
	AUTO(buf) struct buf got = BUF_INIT(4096);
	size_t root = strlen(tmp_path);

	vec_foreach (list, file) {
		assert_memory_equal(*file, tmp_path, root);
		buf_addf(&got, "%s%s", got.len ? " " : "", *file + root + 1);
	}
	assert_string_equal(buf_str(&got).at, want);
}

TEST(without_a_directory_there_is_nothing)
{
	AUTO(certs) struct certs certs = { 0 };

	assert_ok(certs_find(&machine, NULL, "example.com", &certs));
	assert_int_equal(certs.ca_files.len, 0);
	assert_null(certs.cert);
	assert_null(certs.key);
}

TEST(takes_authorities_and_the_first_pair)
{
	AUTO(certs) struct certs certs = { 0 };

	put_empty(FILES("etc/docker/certs.d/h:5000/b.crt", "etc/docker/certs.d/h:5000/a.crt",
			"etc/docker/certs.d/h:5000/y.cert", "etc/docker/certs.d/h:5000/y.key",
			"etc/docker/certs.d/h:5000/x.cert", "etc/docker/certs.d/h:5000/x.key",
			"etc/docker/certs.d/h:5000/README"));
	assert_ok(certs_find(&machine, NULL, "h:5000", &certs));
	must_be(&certs.ca_files, "etc/docker/certs.d/h:5000/a.crt etc/docker/certs.d/h:5000/b.crt");
	assert_string_equal(certs.cert, machine_path("etc/docker/certs.d/h:5000/x.cert"));
	assert_string_equal(certs.key, machine_path("etc/docker/certs.d/h:5000/x.key"));
}

TEST(the_first_directory_that_exists_is_the_only_one)
{
	static const char *const dirs[] = {
		"home/.config/containers/certs.d/h:5000",
		"etc/containers/certs.d/h:5000",
		"etc/docker/certs.d/h:5000",
		"etc/containerd/certs.d/h_5000_",
		"etc/containerd/certs.d/h:5000",
		"etc/containerd/certs.d/_default",
	};

	for (size_t i = ARRAY_SIZE(dirs); i-- > 0;) {
		AUTO(certs) struct certs certs = { 0 };
		AUTO(mem) char *file = xasprintf("%s/ca.crt", dirs[i]);

		machine_put(file, "");
		assert_ok(certs_find(&machine, NULL, "h:5000", &certs));
		must_be(&certs.ca_files, file);
	}
}

TEST(an_empty_directory_hides_the_others)
{
	AUTO(certs) struct certs certs = { 0 };
	AUTO(fd) int fd = -1;

	put_empty(FILES("etc/docker/certs.d/h/ca.crt"));
	assert_ok(file_make_dirs(tmp_fd, "etc/containers/certs.d/h", 0755, &fd));
	assert_ok(certs_find(&machine, NULL, "h", &certs));
	must_be(&certs.ca_files, "");
}

TEST(a_port_is_part_of_the_name)
{
	AUTO(certs) struct certs certs = { 0 };

	put_empty(FILES("etc/docker/certs.d/h/ca.crt", "etc/docker/certs.d/i:5000/ca.crt"));
	assert_ok(certs_find(&machine, NULL, "h:5000", &certs));
	must_be(&certs.ca_files, "");
	assert_ok(certs_find(&machine, NULL, "i", &certs));
	must_be(&certs.ca_files, "");
}

TEST(files_of_containerd_count_only_without_hosts_toml)
{
	AUTO(certs) struct certs certs = { 0 };

	put_empty(FILES("etc/containerd/certs.d/h/ca.crt", "etc/containerd/certs.d/h/hosts.toml"));
	assert_ok(certs_find(&machine, NULL, "h", &certs));
	must_be(&certs.ca_files, "");
}

TEST(half_a_pair_is_an_error)
{
	struct certs certs = { 0 };
	AUTO(err) struct err *err = NULL;

	put_empty(FILES("etc/docker/certs.d/a/x.crt", "etc/docker/certs.d/a/x.cert",
			"etc/docker/certs.d/b/x.key", "etc/docker/certs.d/b/y.cert",
			"etc/docker/certs.d/b/y.key"));
	err = certs_find(&machine, NULL, "a", &certs);
	assert_int_equal(err_kind(err), ERR_INVALID);
	assert_non_null(strstr(err_text(err), "x.cert has no key"));
	assert_fails(certs_find(&machine, NULL, "b", &certs), ERR_INVALID);
	assert_int_equal(certs.ca_files.len, 0);
	assert_null(certs.cert);
}

TEST(a_directory_that_is_named_is_the_only_one_and_must_exist)
{
	AUTO(certs) struct certs certs = { 0 };

	put_empty(FILES("etc/docker/certs.d/h/ca.crt", "other/mine.crt"));
	assert_ok(certs_find(&machine, machine_path("other"), "h", &certs));
	must_be(&certs.ca_files, "other/mine.crt");
	certs_release(&certs);
	assert_fails(certs_find(&machine, machine_path("none"), "h", &certs), ERR_NOT_FOUND);
}

TEST(no_host_leads_elsewhere)
{
	struct certs certs = { 0 };

	assert_fails(certs_find(&machine, NULL, "..", &certs), ERR_INVALID);
	assert_fails(certs_find(&machine, NULL, "a/b", &certs), ERR_INVALID);
	assert_fails(certs_find(&machine, NULL, "", &certs), ERR_INVALID);
}

TEST(trusts_one_file_of_the_system)
{
	AUTO(strings) struct strings files = { 0 };

	put_empty(FILES("etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/cert.pem"));
	assert_ok(certs_trusted(&machine, &files));
	must_be(&files, "etc/pki/tls/certs/ca-bundle.crt");
}

TEST(trusts_what_the_variables_name)
{
	AUTO(strings) struct strings file_alone = { 0 };
	AUTO(strings) struct strings dirs_alone = { 0 };
	AUTO(strings) struct strings both = { 0 };
	AUTO(mem)
	char *dirs =
		xasprintf("%s/other/a:%s/other/none::%s/other/b", tmp_path, tmp_path, tmp_path);

	put_empty(FILES("etc/ssl/certs/ca-certificates.crt", "other/f.pem", "other/a/2",
			"other/a/1", "other/a/java/x", "other/b/3"));
	assert_int_equal(symlinkat("1", tmp_fd, "other/a/hash.0"), 0);
	assert_int_equal(symlinkat("../f.pem", tmp_fd, "other/b/4"), 0);
	machine_set("SSL_CERT_FILE", machine_path("other/f.pem"));
	assert_ok(certs_trusted(&machine, &file_alone));
	must_be(&file_alone, "other/f.pem etc/ssl/certs/ca-certificates.crt");
	machine_set("SSL_CERT_DIR", dirs);
	assert_ok(certs_trusted(&machine, &both));
	must_be(&both, "other/f.pem other/a/1 other/a/2 other/b/3 other/b/4");
	machine_reset(NULL);
	put_empty(FILES("etc/ssl/certs/ca-certificates.crt", "other/b/3"));
	machine_set("SSL_CERT_DIR", dirs);
	assert_ok(certs_trusted(&machine, &dirs_alone));
	must_be(&dirs_alone, "etc/ssl/certs/ca-certificates.crt other/b/3");
}

static void expect_hashed(const char *want, const char *want_others)
{
	AUTO(strings) struct strings others = { 0 };
	AUTO(mem) char *dir = certs_hashed_dir(&machine, &others);
	AUTO(mem) char *whole = want ? xasprintf("%s/%s", tmp_path, want) : NULL;

	if (!dir != !whole || (dir && strcmp(dir, whole) != 0))
		fail_msg("the directory is %s", dir ? dir : "none");
	must_be(&others, want_others);
}

static void make_hashed(void)
{
	put_empty(FILES("etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/4042bcee.x",
			"etc/ssl/certs/one.pem", "etc/ssl/certs/two.pem"));
	assert_int_equal(symlinkat("one.pem", tmp_fd, "etc/ssl/certs/4042bcee.0"), 0);
}

TEST(a_hashed_directory_serves_unless_the_variables_want_something_else)
{
	const char *const others = "etc/ssl/certs/4042bcee.x etc/ssl/certs/two.pem";

	put_empty(FILES("etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/one.pem"));
	expect_hashed(NULL, "");
	machine_reset(NULL);
	make_hashed();
	expect_hashed("etc/ssl/certs", others);
	machine_set("SSL_CERT_FILE", machine_path("etc/ssl/certs/ca-certificates.crt"));
	expect_hashed("etc/ssl/certs", others);
	machine_set("SSL_CERT_DIR", machine_path("etc/ssl/certs"));
	expect_hashed("etc/ssl/certs", others);

	machine_reset(NULL);
	make_hashed();
	machine_set("SSL_CERT_DIR", "/elsewhere");
	expect_hashed(NULL, "");
	machine_reset(NULL);
	make_hashed();
	machine_set("SSL_CERT_FILE", "/elsewhere");
	expect_hashed(NULL, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(without_a_directory_there_is_nothing, machine_reset),
		cmocka_unit_test_setup(takes_authorities_and_the_first_pair, machine_reset),
		cmocka_unit_test_setup(the_first_directory_that_exists_is_the_only_one,
				       machine_reset),
		cmocka_unit_test_setup(an_empty_directory_hides_the_others, machine_reset),
		cmocka_unit_test_setup(a_port_is_part_of_the_name, machine_reset),
		cmocka_unit_test_setup(files_of_containerd_count_only_without_hosts_toml,
				       machine_reset),
		cmocka_unit_test_setup(half_a_pair_is_an_error, machine_reset),
		cmocka_unit_test_setup(a_directory_that_is_named_is_the_only_one_and_must_exist,
				       machine_reset),
		cmocka_unit_test_setup(no_host_leads_elsewhere, machine_reset),
		cmocka_unit_test_setup(trusts_one_file_of_the_system, machine_reset),
		cmocka_unit_test_setup(trusts_what_the_variables_name, machine_reset),
		cmocka_unit_test_setup(
			a_hashed_directory_serves_unless_the_variables_want_something_else,
			machine_reset),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
