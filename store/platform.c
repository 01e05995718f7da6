/* store/platform.c - see store/platform.h. */

#include "store/platform.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"
#include "base/str.h"

#define MATCH_EXACT 100

/* ---- normal form ---- */

/* Other people's spellings. */
static const struct {
	const char *text, *arch, *variant;
} spellings[] = {
	{ "x86_64", "amd64", "" },    { "x86-64", "amd64", "" },
	{ "aarch64", "arm64", "" },   { "armhf", "arm", "v7" },
	{ "armel", "arm", "v6" },     { "armv5l", "arm", "v5" },
	{ "armv6l", "arm", "v6" },    { "armv7l", "arm", "v7" },
	{ "armv8l", "arm", "v7" },    { "i386", "386", "" },
	{ "i486", "386", "" },        { "i586", "386", "" },
	{ "i686", "386", "" },        { "loongarch64", "loong64", "" },
	{ "ppc64el", "ppc64le", "" }, { "mips64el", "mips64le", "" },
};

/* What an architecture is called without saying so. */
static const struct {
	const char *arch, *variant, *normal;
} defaults[] = {
	{ "arm64", "v8", "" }, { "arm64", "8", "" }, { "amd64", "v1", "" }, { "arm", "", "v7" },
	{ "arm", "7", "v7" },  { "arm", "6", "v6" }, { "arm", "5", "v5" },
};

static void copy_lower(char *to, size_t size, const char *from)
{
	size_t len = 0;

	for (; from && *from && len < size - 1; from++)
		to[len++] = (char)(*from >= 'A' && *from <= 'Z' ? *from - 'A' + 'a' : *from);
	to[len] = '\0';
}

static void normalise(struct platform *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		if (strcmp(p->arch, spellings[i].text) != 0)
			continue;
		copy_lower(p->arch, sizeof(p->arch), spellings[i].arch);
		if (!p->variant[0])
			copy_lower(p->variant, sizeof(p->variant), spellings[i].variant);
		break;
	}
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		if (strcmp(p->arch, defaults[i].arch) != 0 ||
		    strcmp(p->variant, defaults[i].variant) != 0)
			continue;
		copy_lower(p->variant, sizeof(p->variant), defaults[i].normal);
		break;
	}
	if (strcmp(p->os, "macos") == 0)
		copy_lower(p->os, sizeof(p->os), "darwin");
}

void platform_from_parts(const char *os, const char *arch, const char *variant,
			 struct platform *ret)
{
	struct platform p;

	copy_lower(p.os, sizeof(p.os), os);
	copy_lower(p.arch, sizeof(p.arch), arch);
	copy_lower(p.variant, sizeof(p.variant), variant);
	normalise(&p);
	*ret = p;
}

void platform_host(struct platform *ret)
{
	struct utsname name = { .machine = "" };

	(void)uname(&name); /* fails only for a bad pointer */
	platform_from_parts("linux", name.machine, "", ret);
}

/* ---- text ---- */

static bool is_word(struct str s, size_t size)
{
	if (s.len == 0 || s.len >= size)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.')
			return false;
	}
	return true;
}

static bool is_os(struct str s)
{
	static const char *const known[] = { "linux", "windows", "darwin", "macos", "freebsd" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_is(s, known[i]))
			return true;
	return false;
}

/* A word that stands alone must be known: nobody else says what it is. */
static bool is_arch(struct str s)
{
	static const char *const known[] = { "386",     "amd64",   "arm",    "arm64",    "loong64",
					     "mips",    "mipsle",  "mips64", "mips64le", "ppc64",
					     "ppc64le", "riscv64", "s390x",  "wasm" };
	AUTO(mem) char *text = str_dup(s);
	struct platform p;

	platform_from_parts("linux", text, "", &p);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(p.arch, known[i]) == 0)
			return true;
	return false;
}

struct err *platform_parse(const char *text, struct platform *ret)
{
	struct str rest = str_of(text);
	struct str parts[3] = { { NULL, 0 } };
	size_t count = 0;
	bool good = true;
	struct platform p, host;

	platform_host(&host);
	for (; rest.at && count < 3; count++) {
		parts[count] = str_cut(&rest, '/');
		good = good && is_word(parts[count], count < 2 ? sizeof(p.os) : sizeof(p.variant));
	}
	if (!good || rest.at || (count == 1 && !is_os(parts[0]) && !is_arch(parts[0])))
		return err_new(ERR_INVALID,
			       "'%.80s' is not a platform: write linux/amd64, "
			       "linux/arm/v7 or amd64",
			       text);
	AUTO(mem) char *first = str_dup(parts[0]);
	AUTO(mem) char *second = str_dup(parts[1]);
	AUTO(mem) char *third = str_dup(parts[2]);

	if (count > 1)
		platform_from_parts(first, second, third, ret);
	else if (is_os(parts[0]))
		platform_from_parts(first, host.arch, host.variant, ret);
	else
		platform_from_parts("linux", first, "", ret);
	return NULL;
}

char *platform_format(const struct platform *p)
{
	return xasprintf("%s/%s%s%s", p->os, p->arch, p->variant[0] ? "/" : "", p->variant);
}

/* ---- comparing ---- */

bool platform_equal(const struct platform *a, const struct platform *b)
{
	struct platform x, y;

	platform_from_parts(a->os, a->arch, a->variant, &x);
	platform_from_parts(b->os, b->arch, b->variant, &y);
	return strcmp(x.os, y.os) == 0 && strcmp(x.arch, y.arch) == 0 &&
	       strcmp(x.variant, y.variant) == 0;
}

/* The number in "v7"; that of the plain architecture for an empty one; 0 for anything else. */
static unsigned variant_level(const struct platform *p)
{
	const char *v = p->variant;

	if (!v[0])
		return strcmp(p->arch, "arm64") == 0 ? 8 : 1;
	if (v[0] != 'v' || v[1] < '1' || v[1] > '9' || v[2])
		return 0;
	return (unsigned)(v[1] - '0');
}

unsigned platform_match(const struct platform *want, const struct platform *have)
{
	struct platform w, h;
	unsigned wanted, had;

	platform_from_parts(want->os, want->arch, want->variant, &w);
	platform_from_parts(have->os, have->arch, have->variant, &h);
	if (strcmp(w.os, h.os) != 0 || strcmp(w.arch, h.arch) != 0)
		return 0;
	if (strcmp(w.variant, h.variant) == 0)
		return MATCH_EXACT;
	wanted = variant_level(&w);
	had = variant_level(&h);
	return had <= wanted ? had : 0;
}
