/* builder/quote.c - see builder/quote.h. */

#include "builder/quote.h"

#include "base/utf8.h"
#include "builder/duration.h"
#include "builder/recipe.h"

#define REPLACEMENT 0xFFFDu /* what stands for a number that is no character */

/* One character of utf8_next() inside of `mark`s. */
static void add_character(struct buf *out, uint32_t c, char mark)
{
	static const char letters[] = "abtnvfr"; /* of the escapes for 7 to 13 */

	if (c >= UTF8_STRAY)
		buf_addf(out, "\\x%02x", c - UTF8_STRAY);
	else if (c == (uint32_t)mark || c == '\\')
		buf_addf(out, "\\%c", (char)c);
	else if (c >= 7 && c <= 13)
		buf_addf(out, "\\%c", letters[c - 7]);
	else if (c < ' ' || c == 0x7f)
		buf_addf(out, "\\x%02x", c);
	else if (c == 0xfeff || (c >= 0x80 && (c < 0xa0 || utf8_is_space(c))))
		buf_addf(out, "\\u%04x", c);
	else
		utf8_append(out, c);
}

void quote_text(struct buf *out, const char *text)
{
	struct str rest = str_of(text);

	buf_addc(out, '"');
	while (rest.len > 0) {
		uint32_t c;
		size_t len = utf8_next(rest, &c);

		add_character(out, c, '"');
		rest.at += len;
		rest.len -= len;
	}
	buf_addc(out, '"');
}

void quote_list(struct buf *out, const struct strings *list)
{
	buf_addc(out, '[');
	vec_foreach (list, text) {
		if (text > list->at)
			buf_addc(out, ' ');
		quote_text(out, *text);
	}
	buf_addc(out, ']');
}

void quote_number(struct buf *out, int64_t number)
{
	bool character = number >= 0 && number < UTF8_STRAY && (number < 0xd800 || number > 0xdfff);

	buf_addc(out, '\'');
	add_character(out, character ? (uint32_t)number : REPLACEMENT, '\'');
	buf_addc(out, '\'');
}

void quote_healthcheck(struct buf *out, const struct strings *test,
		       const struct healthcheck *timing)
{
	const int64_t times[] = { timing->interval, timing->timeout, timing->start_period,
				  timing->start_interval };

	buf_adds(out, "&{");
	quote_list(out, test);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		char text[DURATION_TEXT_SIZE];

		buf_addf(out, " \"%s\"", duration_format(times[i], text));
	}
	buf_addc(out, ' ');
	quote_number(out, timing->retries);
	buf_addc(out, '}');
}
