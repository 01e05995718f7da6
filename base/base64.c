/* base/base64.c - see base/base64.h. */

#include "base/base64.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(struct str data)
{
	char *text = xcalloc(data.len / 3 + 2, 4); /* the last group, and the NUL */
	const uint8_t *in = (const uint8_t *)data.at;
	char *out = text;

	for (size_t i = 0; i < data.len; i += 3) {
		size_t have = data.len - i;
		uint32_t group = (uint32_t)in[i] << 16;

		group |= have > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		group |= have > 2 ? in[i + 2] : 0;
		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 63];
		*out++ = '=';
		*out++ = '=';
		if (have > 1)
			out[-2] = alphabet[group >> 6 & 63];
		if (have > 2)
			out[-1] = alphabet[group & 63];
	}
	*out = '\0';
	return text;
}

/* The value of a letter of the alphabet, or -1. */
static int value_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* What was read so far. */
struct decoder {
	size_t letters, padding;
	uint32_t bits; /* of the group that is not whole */
};

/* Take one letter; false if it may not stand there. */
static bool take(struct decoder *d, char c)
{
	int value = value_of(c);

	d->letters++;
	d->bits <<= 6;
	if (c == '=')
		return ++d->padding <= 2;
	if (value < 0 || d->padding > 0)
		return false;
	d->bits |= (uint32_t)value;
	return true;
}

/* The three bytes of a whole group. False if bits are set that nobody reads. */
static bool flush(struct decoder *d, char *out)
{
	uint32_t unread = d->padding == 0 ? 0 : d->padding == 1 ? 0xff : 0xffff;
	bool good = (d->bits & unread) == 0;

	out[0] = (char)(d->bits >> 16 & 255);
	out[1] = (char)(d->bits >> 8 & 255);
	out[2] = (char)(d->bits & 255);
	d->bits = 0;
	return good;
}

struct err *base64_decode(struct str text, char **ret, size_t *ret_len)
{
	AUTO(mem) char *bytes = xcalloc(text.len / 4 * 3 + 4, 1);
	struct decoder d = { 0 };
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '\r' || text.at[i] == '\n')
			continue;
		if (!take(&d, text.at[i]))
			return err_new(ERR_INVALID, "not base64");
		if (d.letters % 4 != 0)
			continue;
		if (!flush(&d, bytes + len))
			return err_new(ERR_INVALID, "not base64");
		len += 3;
	}
	if (d.letters % 4 != 0)
		return err_new(ERR_INVALID, "not base64: it is cut off");
	len -= d.padding;
	bytes[len] = '\0';
	*ret = STEAL(bytes);
	*ret_len = len;
	return NULL;
}
