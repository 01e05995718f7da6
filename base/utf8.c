/* base/utf8.c - see base/utf8.h. */

#include "base/utf8.h"

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
