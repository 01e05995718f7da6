/* base/base64.c - see base/base64.h. */

#include "base/base64.h"

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

struct err *base64_decode(struct str text, char **ret, size_t *ret_len)
{
	AUTO(mem) char *bytes = xcalloc(text.len / 4 * 3 + 4, 1);
	size_t len = 0, letters = 0, padding = 0;
	uint32_t bits = 0; /* of the group so far */

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		int value = value_of(c);

		if (c == '\r' || c == '\n')
			continue;
		padding += c == '=';
		if (c == '=' ? padding > 2 : value < 0 || padding > 0)
			return err_new(ERR_INVALID, "not base64");
		bits = bits << 6 | (uint32_t)(c == '=' ? 0 : value);
		if (++letters % 4 != 0)
			continue;
		bytes[len++] = (char)(bits >> 16 & 255);
		bytes[len++] = (char)(bits >> 8 & 255);
		bytes[len++] = (char)(bits & 255);
		if ((padding > 0 && bytes[len - 1]) || (padding > 1 && bytes[len - 2]))
			return err_new(ERR_INVALID, "not base64");
		bits = 0;
	}
	if (letters % 4 != 0)
		return err_new(ERR_INVALID, "not base64: it is cut off");
	len -= padding;
	bytes[len] = '\0';
	*ret = STEAL(bytes);
	*ret_len = len;
	return NULL;
}
