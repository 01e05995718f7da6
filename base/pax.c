/* base/pax.c - see base/pax.h. */

#include "base/pax.h"

#include <string.h>

#include "base/err.h"
#include "base/ustar.h"

#define SCHILY "SCHILY.xattr."
#define LIBARCHIVE "LIBARCHIVE.xattr."
#define LENGTH_MAX 20 /* digits of a record's length, and the blank */

/* How a value is read. A number goes to a uint64_t, a text to a const char *. */
enum how { AS_TEXT, AS_NUMBER, AS_TIME, AS_MAP, AS_OFFSET, AS_LEN };

struct key {
	const char *name;
	unsigned bit;
	enum how how;
	size_t to; /* offset in struct pax */
	uint64_t max;
};

#define TO(field) offsetof(struct pax, field)

static const struct key keys[] = {
	{ "path", PAX_PATH, AS_TEXT, TO(path), 0 },
	{ "linkpath", PAX_LINK, AS_TEXT, TO(link), 0 },
	{ "size", PAX_SIZE, AS_NUMBER, TO(size), INT64_MAX },
	{ "uid", PAX_UID, AS_NUMBER, TO(uid), UINT32_MAX - 1 },
	{ "gid", PAX_GID, AS_NUMBER, TO(gid), UINT32_MAX - 1 },
	{ "mtime", PAX_MTIME, AS_TIME, TO(mtime), INT64_MAX - 1 },
	{ "GNU.sparse.name", PAX_SPARSE_NAME, AS_TEXT, TO(sparse_name), 0 },
	{ "GNU.sparse.size", PAX_SPARSE_SIZE, AS_NUMBER, TO(sparse_size), INT64_MAX },
	{ "GNU.sparse.realsize", PAX_SPARSE_SIZE, AS_NUMBER, TO(sparse_size), INT64_MAX },
	{ "GNU.sparse.major", PAX_SPARSE_MAJOR, AS_NUMBER, TO(sparse_major), UINT32_MAX },
	{ "GNU.sparse.minor", PAX_SPARSE_MINOR, AS_NUMBER, TO(sparse_minor), UINT32_MAX },
	{ "GNU.sparse.numblocks", PAX_SPARSE_COUNT, AS_NUMBER, TO(sparse_count), UINT32_MAX },
	{ "GNU.sparse.map", PAX_SPARSE_MAP, AS_MAP, TO(sparse_map), 0 },
	{ "GNU.sparse.offset", PAX_SPARSE_MAP, AS_OFFSET, TO(sparse_map), INT64_MAX },
	{ "GNU.sparse.numbytes", PAX_SPARSE_MAP, AS_LEN, TO(sparse_map), INT64_MAX },
};

void pax_reset(struct pax *pax)
{
	pax->set = 0;
	pax->seen = 0;
	pax->xattrs.len = 0;
	pax->arrived.len = 0;
	sparse_reset(&pax->sparse_map);
}

void pax_release(struct pax *pax)
{
	vec_release(&pax->xattrs);
	vec_release(&pax->arrived);
	sparse_release(&pax->sparse_map);
	pax_reset(pax);
}

/* ---- values ---- */

/* Seconds since 1970 as "-12.5", rounded down. */
static struct err *read_time(struct str text, uint64_t max, int64_t *ret)
{
	bool is_negative = str_starts(text, "-");
	struct str whole;
	bool has_fraction = false;
	uint64_t n;

	if (is_negative) {
		text.at++;
		text.len--;
	}
	whole = str_cut(&text, '.');
	TRY(ustar_decimal(whole, "mtime", max, &n));
	for (; text.len > 0; text.at++, text.len--) {
		if (*text.at < '0' || *text.at > '9')
			return err_new(ERR_CORRUPT, "its mtime is not a possible number");
		has_fraction |= *text.at != '0';
	}
	*ret = is_negative ? -(int64_t)n - has_fraction : (int64_t)n;
	return NULL;
}

static struct err *read_value(struct pax *pax, const struct key *key, struct str value)
{
	void *to = (char *)pax + key->to;
	uint64_t n;

	switch (key->how) {
	case AS_TEXT:
		if (memchr(value.at, '\0', value.len))
			return err_new(ERR_CORRUPT, "a NUL in its %s", key->name);
		*(const char **)to = value.at;
		return NULL;
	case AS_NUMBER:
		return ustar_decimal(value, key->name, key->max, to);
	case AS_TIME:
		return read_time(value, key->max, to);
	case AS_MAP:
		sparse_reset(to);
		return sparse_add_list(to, value);
	case AS_OFFSET:
		TRY(ustar_decimal(value, key->name, key->max, &n));
		return sparse_add_offset(to, n);
	case AS_LEN:
		TRY(ustar_decimal(value, key->name, key->max, &n));
		return sparse_add_len(to, n);
	}
	return err_new(ERR_INTERNAL, "no way to read %s", key->name);
}

/* ---- xattrs ---- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%41" becomes "A", in place. False for a bad code or one for NUL. */
static bool decode_percent(char *text)
{
	char *out = text;

	while (*text) {
		int high, low;

		if (*text != '%') {
			*out++ = *text++;
			continue;
		}
		high = hex_value(text[1]);
		low = high < 0 ? -1 : hex_value(text[2]);
		if (low < 0 || high + low == 0)
			return false;
		*out++ = (char)(high * 16 + low);
		text += 3;
	}
	*out = '\0';
	return true;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Base64 (RFC 4648) with or without its padding becomes bytes, in place. */
static bool decode_base64(char *text, size_t len, size_t *ret_len)
{
	unsigned bits = 0, count = 0;
	size_t out = 0;

	while (len > 0 && text[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		int value = base64_value(text[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (unsigned)value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			text[out++] = (char)(bits >> count);
		}
	}
	*ret_len = out;
	return true;
}

static struct err *read_xattr(struct pax *pax, char *name, bool is_coded, char *value, size_t len,
			      size_t max)
{
	if (is_coded && (!decode_percent(name) || !decode_base64(value, len, &len)))
		return err_new(ERR_CORRUPT, "its xattr '%.80s' does not decode", name);
	if (name[0] == '\0')
		return err_new(ERR_CORRUPT, "one of its xattrs has no name");
	if (len > max)
		return err_new(ERR_INVALID, "its xattr '%.80s' is larger than %zu bytes", name,
			       max);
	vec_push(&pax->arrived, (struct pax_xattr){ { name, { value, len } }, is_coded });
	return NULL;
}

/* By name; of one name, the one that counts comes last. */
static int compare_xattrs(const void *left, const void *right)
{
	const struct pax_xattr *a = left;
	const struct pax_xattr *b = right;
	int order = strcmp(a->xattr.name, b->xattr.name);

	if (order != 0)
		return order;
	if (a->is_coded != b->is_coded)
		return a->is_coded ? -1 : 1;
	/* All lie in the same text, so a later record has the higher address. */
	return (a->xattr.name > b->xattr.name) - (a->xattr.name < b->xattr.name);
}

static void sort_xattrs(struct pax *pax)
{
	if (pax->arrived.len > 0)
		qsort(pax->arrived.at, pax->arrived.len, sizeof(*pax->arrived.at), compare_xattrs);
	vec_foreach (&pax->arrived, each) {
		if (pax->xattrs.len > 0 &&
		    strcmp(vec_last(&pax->xattrs)->name, each->xattr.name) == 0)
			*vec_last(&pax->xattrs) = each->xattr;
		else
			vec_push(&pax->xattrs, each->xattr);
	}
}

/* ---- records ---- */

/* `key` and `value` are NUL-terminated; what lies between a key and its NUL has no other NUL. */
static struct err *read_record(struct pax *pax, char *key, struct str value, size_t xattr_max)
{
	bool is_schily = strncmp(key, SCHILY, strlen(SCHILY)) == 0;

	if (is_schily || strncmp(key, LIBARCHIVE, strlen(LIBARCHIVE)) == 0)
		return read_xattr(pax, key + strlen(is_schily ? SCHILY : LIBARCHIVE), !is_schily,
				  (char *)value.at, value.len, xattr_max);

	for (const struct key *known = keys; known < keys + ARRAY_SIZE(keys); known++) {
		if (strcmp(known->name, key) != 0)
			continue;
		pax->set &= ~known->bit;
		pax->seen |= known->bit;
		if (value.len == 0 && !(known->bit & PAX_SPARSE))
			return NULL;
		pax->set |= known->bit;
		return read_value(pax, known, value);
	}
	return NULL;
}

/* Cut the next record off `*text`. */
static struct err *next_record(char **text, size_t *len, char **ret_key, struct str *ret_value)
{
	char *blank = memchr(*text, ' ', *len < LENGTH_MAX ? *len : LENGTH_MAX);
	char *end, *equals;
	uint64_t size;

	if (!blank)
		return err_new(ERR_CORRUPT, "a pax record has no length");
	TRY(ustar_decimal((struct str){ *text, (size_t)(blank - *text) }, "pax record's length",
			  *len, &size));
	end = *text + size;
	if (end <= blank + 1 || end[-1] != '\n')
		return err_new(ERR_CORRUPT, "a pax record has a wrong length");
	equals = memchr(blank + 1, '=', (size_t)(end - (blank + 1)));
	if (!equals || equals == blank + 1)
		return err_new(ERR_CORRUPT, "a pax record has no key");
	if (memchr(blank + 1, '\0', (size_t)(equals - (blank + 1))))
		return err_new(ERR_CORRUPT, "a NUL in the key of a pax record");

	*equals = '\0';
	end[-1] = '\0';
	*ret_key = blank + 1;
	*ret_value = (struct str){ equals + 1, (size_t)(end - 1 - (equals + 1)) };
	*len -= size;
	*text = end;
	return NULL;
}

struct err *pax_parse(struct pax *pax, char *text, size_t len, size_t xattr_max)
{
	while (len > 0) {
		struct str value = { text, 0 };
		char *key = text;

		TRY(next_record(&text, &len, &key, &value));
		TRY(read_record(pax, key, value, xattr_max));
	}
	sort_xattrs(pax);
	return NULL;
}
