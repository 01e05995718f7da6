/*
 * tests/fuzz/fuzz_package_list.c - the files of package managers, from any bytes.
 *
 * Laws: what is listed are words, and each has a package URL of plain ASCII that begins with its
 * type; sorting twice changes nothing.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/vec.h"
#include "builder/package_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(const struct package_list *list, const struct package *package)
{
	AUTO(mem) char *url = package_purl(list, package);
	AUTO(mem) char *start = xasprintf("pkg:%s/", package_kind_name(package->kind));

	assert(strncmp(url, start, strlen(start)) == 0);
	for (const char *c = url; *c; c++)
		assert(*c > ' ' && *c < 0x7f);
}

static void check(struct package_list *list)
{
	size_t count;

	package_list_sort(list);
	count = list->len;
	package_list_sort(list);
	assert(list->len == count && count <= PACKAGES_MAX);
	vec_foreach (list, package) {
		assert(package->name[0] && strlen(package->name) <= PACKAGE_WORD_MAX);
		assert(package->version[0] && !strpbrk(package->version, " \t\r\n"));
		check_url(list, package);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(struct package_list *, struct str, const char *) = {
		package_list_read_dpkg, package_list_read_apk, package_list_read_npm,
		package_list_read_python
	};
	AUTO(package_list) struct package_list list = { 0 };
	struct str text = { (const char *)data, size };

	if (size < 1)
		return 0;
	package_list_read_os(&list, text);
	readers[data[0] % 4](&list, (struct str){ text.at + 1, size - 1 }, "file");
	check(&list);
	return 0;
}
