/*
 * tests/fuzz/fuzz_text.c - what is escaped can be shown, and needs no escaping again; colours are
 * the only difference that `colours` makes.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Well-formed UTF-8 that a terminal shows, but for tabs where they are kept. */
static void must_be_printable(struct str s, bool tabs)
{
	while (s.len > 0) {
		uint32_t point = 0;
		size_t len = utf8_decode(s, &point);

		if (len == 0 || (point < 0x20 && !(tabs && point == '\t')) ||
		    (point >= 0x7f && point < 0xa0) || point == 0x61c || point == 0x200e ||
		    point == 0x200f || (point >= 0x202a && point <= 0x202e) ||
		    (point >= 0x2066 && point <= 0x2069))
			abort();
		s.at += len;
		s.len -= len;
	}
}

static void must_be_equal(struct str a, struct str b)
{
	if (!str_equal(a, b))
		abort();
}

/* `s` without "ESC [ ... m". */
static void add_without_colours(struct buf *out, struct str s)
{
	while (s.len > 0) {
		size_t len = 1;

		if (s.at[0] == '\x1b') {
			while (s.at[len] != 'm')
				len++;
			len++;
		} else {
			buf_addc(out, s.at[0]);
		}
		s.at += len;
		s.len -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	AUTO(mem) char *once = text_escaped(text);
	AUTO(mem) char *twice = text_escaped(str_of(once));
	AUTO(buf) struct buf plain = BUF_INIT(8 * size + 16);
	AUTO(buf) struct buf coloured = BUF_INIT(8 * size + 16);
	AUTO(buf) struct buf bare = BUF_INIT(8 * size + 16);

	must_be_printable(str_of(once), false);
	must_be_equal(str_of(once), str_of(twice));
	text_escape_output(&plain, text, false);
	text_escape_output(&coloured, text, true);
	must_be_printable(buf_str(&plain), true);
	add_without_colours(&bare, buf_str(&coloured));
	must_be_equal(buf_str(&plain), buf_str(&bare));
	return 0;
}
