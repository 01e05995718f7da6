/* builder/package_list.c - see builder/package_list.h. */

#include "builder/package_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/vec.h"
#include "builder/purl.h"

#define URL_MAX ((size_t)16 * 1024)

/* ---- the list ---- */

static void package_release(struct package *package)
{
	free(package->name);
	free(package->version);
	free(package->arch);
	free(package->place);
}

void package_list_release(struct package_list *list)
{
	vec_foreach (list, package)
		package_release(package);
	vec_release(list);
	free(list->distro);
	free(list->distro_version);
	list->distro = list->distro_version = NULL;
}

/* One word of printable bytes, as names and versions of every kind are. */
static bool is_word(struct str s)
{
	if (s.len == 0 || s.len > PACKAGE_WORD_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] <= ' ' || s.at[i] == 0x7f)
			return false;
	return true;
}

static void add(struct package_list *list, enum package_kind kind, struct str name,
		struct str version, struct str arch, const char *place)
{
	if (!is_word(name) || !is_word(version))
		return;
	if (list->len >= PACKAGES_MAX) {
		list->cut = true;
		return;
	}
	vec_push(list, (struct package){ .kind = kind,
					 .name = str_dup(name),
					 .version = str_dup(version),
					 .arch = is_word(arch) ? str_dup(arch) : NULL,
					 .place = xstrdup(place) });
}

static int compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare(const void *one, const void *other)
{
	const struct package *a = one, *b = other;
	int order = (int)a->kind - (int)b->kind;

	order = order ? order : strcmp(a->name, b->name);
	order = order ? order : strcmp(a->version, b->version);
	order = order ? order : strcmp(a->place, b->place);
	return order ? order : compare_texts(a->arch, b->arch);
}

void package_list_sort(struct package_list *list)
{
	size_t kept = 0;

	if (list->len == 0)
		return;
	qsort(list->at, list->len, sizeof(*list->at), compare);
	for (size_t i = 1; i < list->len; i++) {
		if (compare(&list->at[kept], &list->at[i]) == 0)
			package_release(&list->at[i]);
		else
			list->at[++kept] = list->at[i];
	}
	list->len = kept + 1;
}

/* ---- lines "Name: value", in stanzas with empty lines between ---- */

struct field {
	const char *name;
	struct str value; /* what it has; the first counts */
};

/* Whether `text` is `name` in any case. */
static bool is_named(struct str text, const char *name)
{
	return text.len == strlen(name) && strncasecmp(text.at, name, text.len) == 0;
}

/* Fill in the fields of the next stanza; false at the end of the text. */
static bool next_stanza(struct str *rest, struct field *fields, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		fields[i].value = (struct str){ 0 };
	while (rest->len) {
		struct str value = str_cut(rest, '\n');
		struct str name;

		if (str_trim(value).len == 0) {
			if (any)
				return true;
			continue;
		}
		any = true;
		if (value.at[0] == ' ' || value.at[0] == '\t')
			continue; /* more of the line above */
		name = str_cut(&value, ':');
		for (size_t i = 0; i < count; i++)
			if (!fields[i].value.at && is_named(name, fields[i].name))
				fields[i].value = str_trim(value);
	}
	return any;
}

/* "install ok installed": whether its files are there. */
static bool is_installed(struct str status)
{
	struct str state = { 0 };

	while (status.at) {
		struct str word = str_cut(&status, ' ');

		state = word.len ? word : state;
	}
	return !str_is(state, "not-installed") && !str_is(state, "config-files");
}

void package_list_read_dpkg(struct package_list *list, struct str text, const char *place)
{
	enum { NAME, VERSION, ARCH, STATUS };
	struct field fields[] = {
		{ .name = "Package" },
		{ .name = "Version" },
		{ .name = "Architecture" },
		{ .name = "Status" },
	};

	while (next_stanza(&text, fields, ARRAY_SIZE(fields)))
		if (!fields[STATUS].value.len || is_installed(fields[STATUS].value))
			add(list, PACKAGE_DEB, fields[NAME].value, fields[VERSION].value,
			    fields[ARCH].value, place);
}

/* Its names of fields are single letters, and case counts. */
void package_list_read_apk(struct package_list *list, struct str text, const char *place)
{
	struct str name = { 0 }, version = { 0 }, arch = { 0 };

	while (text.len || name.len) {
		struct str line = str_cut(&text, '\n');
		struct str value = line.len > 2 ? (struct str){ line.at + 2, line.len - 2 } :
						  (struct str){ 0 };

		if (line.len == 0) {
			add(list, PACKAGE_APK, name, version, arch, place);
			name = version = arch = (struct str){ 0 };
		}
		if (str_starts(line, "P:"))
			name = value;
		if (str_starts(line, "V:"))
			version = value;
		if (str_starts(line, "A:"))
			arch = value;
	}
}

void package_list_read_python(struct package_list *list, struct str text, const char *place)
{
	enum { NAME, VERSION };
	struct field fields[] = { { .name = "Name" }, { .name = "Version" } };

	/* What follows the head is a description. */
	if (next_stanza(&text, fields, ARRAY_SIZE(fields)))
		add(list, PACKAGE_PYPI, fields[NAME].value, fields[VERSION].value,
		    (struct str){ 0 }, place);
}

/* ---- JSON ---- */

void package_list_read_npm(struct package_list *list, struct str text, const char *place)
{
	AUTO(json) json_t *document = NULL;
	struct err *err = json_parse(text, text.len, "package.json", &document);
	const char *name = json_string_value(json_object_get(document, "name"));
	const char *version = json_string_value(json_object_get(document, "version"));

	err_free(err); /* then it names no package */
	if (name && version)
		add(list, PACKAGE_NPM, str_of(name), str_of(version), (struct str){ 0 }, place);
}

/* ---- os-release ---- */

static struct str unquoted(struct str value)
{
	char quote;

	value = str_trim(value);
	quote = '\0';
	if (value.len)
		quote = value.at[0];
	if (value.len >= 2 && (quote == '"' || quote == '\'') && value.at[value.len - 1] == quote)
		return (struct str){ value.at + 1, value.len - 2 };
	return value;
}

static void set_word(char **word, struct str value)
{
	if (!is_word(value))
		return;
	free(*word);
	*word = str_dup(value);
}

void package_list_read_os(struct package_list *list, struct str text)
{
	while (text.len) {
		struct str value = str_cut(&text, '\n');
		struct str name = str_cut(&value, '=');

		if (str_is(name, "ID"))
			set_word(&list->distro, unquoted(value));
		if (str_is(name, "VERSION_ID"))
			set_word(&list->distro_version, unquoted(value));
	}
}

/* ---- package URLs ---- */

const char *package_kind_name(enum package_kind kind)
{
	static const char *const names[] = { [PACKAGE_DEB] = "deb",
					     [PACKAGE_APK] = "apk",
					     [PACKAGE_NPM] = "npm",
					     [PACKAGE_PYPI] = "pypi" };

	return names[kind];
}

/* Names of Python are the same in any case, and with "_" or "-". Owned. */
static char *python_name(const char *name)
{
	char *plain = xstrdup(name);

	for (char *c = plain; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c == '_' ? '-' : *c);
	return plain;
}

/* "@scope/name" has a namespace. */
static char *npm_purl(const struct package *package)
{
	const char *slash = strchr(package->name, '/');
	AUTO(mem) char *scope = NULL;

	if (!slash)
		return purl_format("npm", NULL, package->name, package->version);
	scope = str_dup((struct str){ package->name, (size_t)(slash - package->name) });
	return purl_format("npm", scope, slash + 1, package->version);
}

static void add_qualifier(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "%s%s=", strchr(out->at, '?') ? "&" : "?", name);
	purl_encode(out, str_of(value), false);
}

/* Of a distribution: "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12". */
static char *distro_purl(const struct package_list *list, const struct package *package,
			 const char *usual)
{
	const char *distro = list->distro ? list->distro : usual;
	AUTO(mem)
	char *start = purl_format(package_kind_name(package->kind), distro, package->name,
				  package->version);
	struct buf out = BUF_INIT(URL_MAX);

	buf_adds(&out, start);
	if (package->arch)
		add_qualifier(&out, "arch", package->arch);
	if (list->distro && list->distro_version) {
		AUTO(mem) char *text = xasprintf("%s-%s", list->distro, list->distro_version);

		add_qualifier(&out, "distro", text);
	}
	return buf_steal(&out);
}

char *package_purl(const struct package_list *list, const struct package *package)
{
	AUTO(mem) char *name = NULL;

	switch (package->kind) {
	case PACKAGE_DEB:
		return distro_purl(list, package, "debian");
	case PACKAGE_APK:
		return distro_purl(list, package, "alpine");
	case PACKAGE_NPM:
		return npm_purl(package);
	case PACKAGE_PYPI:
		break;
	}
	name = python_name(package->name);
	return purl_format("pypi", NULL, name, package->version);
}
