/*
 * builder/package_list.h - the packages that an image holds, as the files of package managers tell.
 *
 * The readers take the text of one file each and add what they find. Any text may come out of an image:
 * what does not parse is passed over, without an error. Everything is bounded: length of names, number
 * of packages.
 */
#ifndef BUILDER_PACKAGE_LIST_H
#define BUILDER_PACKAGE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

#define PACKAGES_MAX ((size_t)20 * 1000)
#define PACKAGE_WORD_MAX ((size_t)512) /* bytes of a name or version */

enum package_kind { PACKAGE_DEB, PACKAGE_APK, PACKAGE_NPM, PACKAGE_PYPI };

/* Texts are owned. */
struct package {
	enum package_kind kind;
	char *name, *version;
	char *arch;  /* NULL: it has none */
	char *place; /* the file that tells of it, without a slash in front */
};

struct package_list {
	struct package *at;
	size_t len, cap;
	bool cut;             /* there are more than fit */
	char *distro;         /* ID of os-release: "debian"; NULL: nobody says */
	char *distro_version; /* VERSION_ID: "12"; NULL: nobody says */
};

void package_list_release(struct package_list *list);

/* dpkg: /var/lib/dpkg/status, and the files of status.d, which have no states: all in them is installed. */
void package_list_read_dpkg(struct package_list *list, struct str text, const char *place);
/* apk: /lib/apk/db/installed. */
void package_list_read_apk(struct package_list *list, struct str text, const char *place);
/* npm: the package.json of an installed package. */
void package_list_read_npm(struct package_list *list, struct str text, const char *place);
/* Python: METADATA of a .dist-info, PKG-INFO of an .egg-info. */
void package_list_read_python(struct package_list *list, struct str text, const char *place);
/* os-release: which distribution it is. */
void package_list_read_os(struct package_list *list, struct str text);

/* By kind, name, version and place; what is told twice in one file once. */
void package_list_sort(struct package_list *list);

/* The package URL; owned by the caller. */
char *package_purl(const struct package_list *list, const struct package *package) MUST_USE;
/* "deb", "apk", "npm", "pypi": also the type of the URL. */
const char *package_kind_name(enum package_kind kind);

static inline void package_list_auto_(struct package_list *list)
{
	package_list_release(list);
}

#endif
