/* tests/unit/test_package_list.c - what the files of package managers tell. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/vec.h"
#include "builder/package_list.h"

/* "kind name version arch" of all, each with a semicolon behind it; owned. */
static char *told(const struct package_list *list)
{
	struct buf text = BUF_INIT(65536);

	buf_adds(&text, "");
	vec_foreach (list, package)
		buf_addf(&text, "%s %s %s %s;", package_kind_name(package->kind), package->name,
			 package->version, package->arch ? package->arch : "-");
	return buf_steal(&text);
}

typedef void reader(struct package_list *list, struct str text, const char *place);

static void expect(reader *read, const char *text, const char *want)
{
	AUTO(package_list) struct package_list list = { 0 };
	AUTO(mem) char *got = NULL;

	read(&list, str_of(text), "the/file");
	package_list_sort(&list);
	got = told(&list);
	assert_string_equal(got, want);
	vec_foreach (&list, package)
		assert_string_equal(package->place, "the/file");
}

TEST(dpkg_tells_what_is_installed)
{
	/* deb822(5), dpkg(1): package states */
	expect(package_list_read_dpkg,
	       "Package: libc6\nStatus: install ok installed\nPriority: optional\n"
	       "Architecture: amd64\nVersion: 2.36-9+deb12u4\nDescription: the library\n"
	       " Version: 9 is not a field\n .\n\tPackage: nor this\n\n"
	       "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n"
	       "Package: never\nStatus: unknown ok not-installed\nVersion: 1\nArchitecture: all\n\n"
	       "\n"
	       "package: Half\nstatus: install ok half-configured\nversion: 1:2-3\n",
	       "deb Half 1:2-3 -;deb libc6 2.36-9+deb12u4 amd64;");
	/* a file of status.d has no states */
	expect(package_list_read_dpkg, "Package: base-files\nVersion: 12\nArchitecture: amd64",
	       "deb base-files 12 amd64;");
}

TEST(apk_tells_by_letters)
{
	/* the format of apk's installed database */
	expect(package_list_read_apk,
	       "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:1\np:P:no\nF:lib\nR:ld.so\n\n"
	       "P:busybox\nV:1.36.1-r5\nA:x86_64\n",
	       "apk busybox 1.36.1-r5 x86_64;apk musl 1.2.4-r2 x86_64;");
}

TEST(npm_tells_by_name_and_version)
{
	expect(package_list_read_npm, "{\"name\":\"@a/b\",\"version\":\"1.0.0\",\"scripts\":{}}",
	       "npm @a/b 1.0.0 -;");
	expect(package_list_read_npm, "{\"type\":\"module\"}", "");
}

TEST(python_tells_in_the_head_of_its_metadata)
{
	expect(package_list_read_python,
	       "Metadata-Version: 2.1\r\nName: Foo_Bar\r\nVersion: 1.2\r\n\r\nName: in the text\n",
	       "pypi Foo_Bar 1.2 -;");
	expect(package_list_read_python, "Metadata-Version: 2.1\n\nName: late\nVersion: 1\n", "");
}

TEST(what_is_no_package_is_passed_over)
{
	static const char *const texts[] = {
		"",
		"\n\n\n",
		"Package: a",
		"Package: two words\nVersion: 1\n",
		"Package: a\nVersion: 1\x01\n",
		"Package:\nVersion:\n",
		"P:\nV:\n",
		"P:a\n\nV:1\n",
		"{\"name\":1,\"version\":\"1\"}",
		"{\"name\":\"a b\",\"version\":\"1\"}",
		"[\"name\"]",
		"{\"name\":\"a\",\"version\":\"1\"",
		"Name: \nVersion: 1",
		"\xff\xfe:\x80",
	};
	static reader *const readers[] = { package_list_read_dpkg, package_list_read_apk,
					   package_list_read_npm, package_list_read_python };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (size_t j = 0; j < ARRAY_SIZE(readers); j++)
			expect(readers[j], texts[i], "");
}

TEST(a_name_that_never_ends_is_no_name)
{
	AUTO(package_list) struct package_list list = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(4096);

	buf_adds(&text, "Package: ");
	for (size_t i = 0; i <= PACKAGE_WORD_MAX; i++)
		buf_addc(&text, 'a');
	buf_adds(&text, "\nVersion: 1\n");
	package_list_read_dpkg(&list, buf_str(&text), "x");
	assert_int_equal(list.len, 0);
}

TEST(more_packages_than_fit_are_cut_off_and_this_is_known)
{
	AUTO(package_list) struct package_list list = { 0 };

	for (size_t i = 0; i <= PACKAGES_MAX; i++) {
		AUTO(mem) char *text = xasprintf("Name: n%zu\nVersion: 1\n", i);

		assert_false(list.cut);
		package_list_read_python(&list, str_of(text), "x");
	}
	assert_true(list.cut);
	assert_int_equal(list.len, PACKAGES_MAX);
}

TEST(what_is_told_twice_is_listed_once)
{
	expect(package_list_read_dpkg,
	       "Package: b\nVersion: 1\n\nPackage: a\nVersion: 2\n\nPackage: b\nVersion: 1\n\n"
	       "Package: a\nVersion: 1\n",
	       "deb a 1 -;deb a 2 -;deb b 1 -;");
}

/* Owned. */
static char *url_of(const struct package_list *list, enum package_kind kind, const char *name,
		    const char *version, const char *arch)
{
	AUTO(mem) char *word = xstrdup(name);
	AUTO(mem) char *number = xstrdup(version);
	AUTO(mem) char *machine = xstrdup(arch);
	const struct package package = {
		.kind = kind, .name = word, .version = number, .arch = machine
	};

	return package_purl(list, &package);
}

TEST(package_urls_are_those_of_the_specification)
{
	static const struct {
		enum package_kind kind;
		const char *name, *version, *arch, *want;
	} cases[] = {
		{ PACKAGE_DEB, "curl", "7.50.3-1", "i386",
		  "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=debian-12" },
		{ PACKAGE_DEB, "libstdc++6", "1:2+b1", NULL,
		  "pkg:deb/debian/libstdc%2B%2B6@1:2%2Bb1?distro=debian-12" },
		{ PACKAGE_NPM, "@angular/animation", "12.3.1", NULL,
		  "pkg:npm/%40angular/animation@12.3.1" },
		{ PACKAGE_NPM, "foobar", "12.3.1", NULL, "pkg:npm/foobar@12.3.1" },
		{ PACKAGE_PYPI, "Django_Allauth", "12.23", NULL, "pkg:pypi/django-allauth@12.23" },
	};
	AUTO(package_list) struct package_list list = { 0 };
	AUTO(package_list) struct package_list nobody = { 0 };
	AUTO(mem) char *plain = NULL;

	package_list_read_os(&list, STR("NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *got = url_of(&list, cases[i].kind, cases[i].name, cases[i].version,
				   cases[i].arch);

		assert_string_equal(got, cases[i].want);
	}
	plain = url_of(&nobody, PACKAGE_APK, "curl", "7.83.0-r0", NULL);
	assert_string_equal(plain, "pkg:apk/alpine/curl@7.83.0-r0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dpkg_tells_what_is_installed),
		cmocka_unit_test(apk_tells_by_letters),
		cmocka_unit_test(npm_tells_by_name_and_version),
		cmocka_unit_test(python_tells_in_the_head_of_its_metadata),
		cmocka_unit_test(what_is_no_package_is_passed_over),
		cmocka_unit_test(a_name_that_never_ends_is_no_name),
		cmocka_unit_test(more_packages_than_fit_are_cut_off_and_this_is_known),
		cmocka_unit_test(what_is_told_twice_is_listed_once),
		cmocka_unit_test(package_urls_are_those_of_the_specification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
