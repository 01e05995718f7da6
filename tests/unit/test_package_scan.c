/* tests/unit/test_package_scan.c - which files of a tree tell of packages, and what a hostile tree can do. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/vec.h"
#include "builder/package_list.h"
#include "builder/package_scan.h"
#include "tests/unit/tmp.h"

/* A file with its directories. */
static void put(const char *path, const char *text)
{
	AUTO(mem) char *dir = xstrdup(path);
	AUTO(fd) int dir_fd = -1;
	char *slash = strrchr(dir, '/');

	*slash = '\0';
	assert_ok(file_make_dirs(tmp_fd, dir, 0755, &dir_fd));
	assert_ok(file_replace(dir_fd, slash + 1, str_of(text), 0644, FILE_QUICK));
}

static void expect(const char *want)
{
	AUTO(package_list) struct package_list list = { 0 };
	AUTO(buf) struct buf got = BUF_INIT(65536);

	assert_ok(package_scan(tmp_fd, &list));
	buf_adds(&got, "");
	vec_foreach (&list, package)
		buf_addf(&got, "%s %s;", package_kind_name(package->kind), package->name);
	assert_string_equal(got.at, want);
}

TEST(every_kind_is_found_where_it_is)
{
	put("var/lib/dpkg/status", "Package: one\nStatus: install ok installed\nVersion: 1\n");
	put("var/lib/dpkg/status.d/two", "Package: two\nVersion: 1\n");
	put("var/lib/dpkg/status.d/two.md5sums", "Package: sums\nVersion: 1\n");
	put("lib/apk/db/installed", "P:three\nV:1\n");
	put("srv/app/node_modules/four/package.json", "{\"name\":\"four\",\"version\":\"1\"}");
	put("srv/app/node_modules/@s/five/package.json",
	    "{\"name\":\"@s/five\",\"version\":\"1\"}");
	put("usr/lib/python3/dist-packages/six-1.dist-info/METADATA", "Name: six\nVersion: 1\n");
	put("usr/lib/python3/dist-packages/seven-1.egg-info/PKG-INFO", "Name: seven\nVersion: 1\n");
	put("usr/lib/python3/dist-packages/eight-1.egg-info", "Name: eight\nVersion: 1\n");
	expect("deb one;deb two;apk three;npm @s/five;npm four;pypi eight;pypi seven;pypi six;");
}

TEST(a_package_json_of_anything_else_tells_of_none)
{
	put("app/package.json", "{\"name\":\"app\",\"version\":\"1\"}");
	put("app/node_modules/a/test/package.json", "{\"name\":\"test\",\"version\":\"1\"}");
	put("app/node_modules/@s/package.json", "{\"name\":\"scope\",\"version\":\"1\"}");
	put("app/node_modules/a/METADATA", "Name: meta\nVersion: 1\n");
	expect("");
}

TEST(links_lead_nowhere_else_than_into_the_tree)
{
	put("real/status", "Package: inside\nVersion: 1\n");
	put("lib/keep", "");
	put("var/lib/keep", "");
	/* as the root of the image sees it */
	assert_int_equal(symlinkat("/real", tmp_fd, "var/lib/dpkg"), 0);
	assert_int_equal(symlinkat("/etc/../../../../../../../var/lib", tmp_fd, "lib/apk"), 0);
	put("node_modules/a/keep", "");
	assert_int_equal(symlinkat("/etc/passwd", tmp_fd, "node_modules/a/package.json"), 0);
	assert_int_equal(symlinkat("loop", tmp_fd, "loop"), 0);
	expect("deb inside;");
}

TEST(what_is_no_file_is_not_read)
{
	put("var/lib/dpkg/keep", "");
	put("lib/apk/db/keep", "");
	put("node_modules/a/keep", "");
	put("x.egg-info/keep", "");
	assert_int_equal(mkfifoat(tmp_fd, "var/lib/dpkg/status", 0644), 0);
	assert_int_equal(mkdirat(tmp_fd, "lib/apk/db/installed", 0755), 0);
	assert_int_equal(mkfifoat(tmp_fd, "node_modules/a/package.json", 0644), 0);
	assert_int_equal(mkfifoat(tmp_fd, "x.egg-info/PKG-INFO", 0644), 0);
	expect("");
}

/* Sparse, so that only who reads them would notice. */
static void put_huge(const char *path, const char *head)
{
	AUTO(fd) int fd = -1;

	put(path, head);
	assert_ok(file_open(tmp_fd, path, O_WRONLY, 0, FILE_NO_LINKS, &fd));
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
}

TEST(of_a_huge_file_no_more_is_read_than_its_limit)
{
	put_huge("var/lib/dpkg/status", "Package: a\nVersion: 1\n\n");
	put_huge("node_modules/a/package.json", "{\"name\":\"a\",\"version\":\"1\"}");
	/* a description may be long, and comes behind the head */
	put_huge("a.dist-info/METADATA", "Name: long\nVersion: 1\n\n");
	expect("pypi long;");
}

TEST(one_file_under_many_names_is_not_read_for_ever)
{
	AUTO(package_list) struct package_list list = { 0 };
	AUTO(fd) int fd = -1;

	put("var/lib/dpkg/status.d/0", "Package: a\nVersion: 1\n\n");
	assert_ok(file_open(tmp_fd, "var/lib/dpkg/status.d/0", O_WRONLY, 0, FILE_NO_LINKS, &fd));
	assert_int_equal(ftruncate(fd, (off_t)32 * 1024 * 1024), 0);
	for (int i = 1; i < 20; i++) {
		char name[64];

		snprintf(name, sizeof(name), "var/lib/dpkg/status.d/%d", i);
		assert_int_equal(linkat(tmp_fd, "var/lib/dpkg/status.d/0", tmp_fd, name, 0), 0);
	}
	assert_ok(package_scan(tmp_fd, &list));
	assert_true(list.cut);
	assert_true(list.len < 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_kind_is_found_where_it_is, tmp_setup,
						tmp_teardown),
		cmocka_unit_test_setup_teardown(a_package_json_of_anything_else_tells_of_none,
						tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(links_lead_nowhere_else_than_into_the_tree,
						tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(what_is_no_file_is_not_read, tmp_setup,
						tmp_teardown),
		cmocka_unit_test_setup_teardown(one_file_under_many_names_is_not_read_for_ever,
						tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(of_a_huge_file_no_more_is_read_than_its_limit,
						tmp_setup, tmp_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
