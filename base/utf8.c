/* base/utf8.c - see base/utf8.h. */

#include "base/utf8.h"

#include <locale.h>
#include <wctype.h>

size_t utf8_decode(struct str s, uint32_t *ret)
{
	/* By length: the smallest code point that needs it. */
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t first = s.len > 0 ? (uint8_t)s.at[0] : 0;
	uint32_t point;
	size_t len;

	if (s.len > 0 && first < 0x80) {
		*ret = first;
		return 1;
	}
	len = first >= 0xf8 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
	if (len == 0 || len > s.len)
		return 0;
	point = first & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		uint8_t next = (uint8_t)s.at[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (next & 0x3f);
	}
	if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret = point;
	return len;
}

size_t utf8_next(struct str s, uint32_t *ret)
{
	size_t len = utf8_decode(s, ret);

	if (len > 0)
		return len;
	*ret = UTF8_STRAY + (uint8_t)s.at[0];
	return 1;
}

void utf8_append(struct buf *out, uint32_t character)
{
	if (character >= UTF8_STRAY) {
		buf_addc(out, (char)(character - UTF8_STRAY));
	} else if (character < 0x80) {
		buf_addc(out, (char)character);
	} else if (character < 0x800) {
		buf_addc(out, (char)(0xc0 | character >> 6));
		buf_addc(out, (char)(0x80 | (character & 0x3f)));
	} else if (character < 0x10000) {
		buf_addc(out, (char)(0xe0 | character >> 12));
		buf_addc(out, (char)(0x80 | (character >> 6 & 0x3f)));
		buf_addc(out, (char)(0x80 | (character & 0x3f)));
	} else {
		buf_addc(out, (char)(0xf0 | character >> 18));
		buf_addc(out, (char)(0x80 | (character >> 12 & 0x3f)));
		buf_addc(out, (char)(0x80 | (character >> 6 & 0x3f)));
		buf_addc(out, (char)(0x80 | (character & 0x3f)));
	}
}

bool utf8_is_space(uint32_t c)
{
	if (c < 0x80)
		return c == ' ' || (c >= '\t' && c <= '\r');
	return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* The character classes of Unicode, whatever locale the process runs in. Made once, by
 * whichever thread needs it first, and kept. */
static locale_t unicode_locale(void)
{
	static locale_t kept;
	locale_t now = __atomic_load_n(&kept, __ATOMIC_ACQUIRE);
	locale_t fresh;

	if (now)
		return now;
	fresh = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!fresh)
		return (locale_t)0;
	if (__atomic_compare_exchange_n(&kept, &now, fresh, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return fresh;
	freelocale(fresh);
	return now;
}

bool utf8_is_alphanumeric(uint32_t c)
{
	locale_t locale;

	if (c < 0x80)
		return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
	if (c >= UTF8_STRAY)
		return false;
	locale = unicode_locale();
	return locale && iswalpha_l((wint_t)c, locale);
}

struct str utf8_trim_left(struct str s)
{
	while (s.len > 0) {
		uint32_t c;
		size_t len = utf8_next(s, &c);

		if (!utf8_is_space(c))
			break;
		s.at += len;
		s.len -= len;
	}
	return s;
}

/* Where the last character of `text` begins: at most three continuation bytes back. */
static size_t last_character(struct str text)
{
	size_t back = text.len < 4 ? text.len : 4;
	uint32_t c;

	for (size_t width = 2; width <= back; width++) {
		struct str tail = { text.at + text.len - width, width };

		if (utf8_decode(tail, &c) == width)
			return text.len - width;
	}
	return text.len - 1;
}

struct str utf8_trim_right(struct str s)
{
	while (s.len > 0) {
		size_t at = last_character(s);
		uint32_t c;

		utf8_next((struct str){ s.at + at, s.len - at }, &c);
		if (!utf8_is_space(c))
			break;
		s.len = at;
	}
	return s;
}

struct str utf8_trim(struct str s)
{
	return utf8_trim_left(utf8_trim_right(s));
}
