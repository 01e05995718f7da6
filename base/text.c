/* base/text.c - see base/text.h. */

#include "base/text.h"

#include <stdio.h>

#include "base/utf8.h"

#define ESC '\x1b'
#define NEAREST_MAX 64

static struct str skip(struct str s, size_t len)
{
	return (struct str){ s.at + len, s.len - len };
}

/* ---- escaping ---- */

/* True if a terminal would do something at `point` instead of showing it where it stands. */
static bool is_control(uint32_t point)
{
	static const struct {
		uint32_t first, last;
	} controls[] = {
		{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x61c, 0x61c },
		{ 0x200e, 0x200f }, { 0x202a, 0x202e }, { 0x2066, 0x2069 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
		if (point >= controls[i].first && point <= controls[i].last)
			return true;
	}
	return false;
}

/* How many bytes at the start of `s` may stand as they are. */
static size_t plain_length(struct str s, const char *keep)
{
	struct str rest = s;
	uint32_t point;
	size_t len;

	for (; (len = utf8_decode(rest, &point)) > 0; rest = skip(rest, len)) {
		bool kept = keep && point != 0 && point < 0x80 && strchr(keep, (int)point);

		if (is_control(point) && !kept)
			break;
	}
	return s.len - rest.len;
}

void text_escape(struct buf *out, struct str s, const char *keep)
{
	while (s.len > 0) {
		size_t len = plain_length(s, keep);
		char escape[16];
		uint32_t point;

		buf_add(out, s.at, len);
		s = skip(s, len);
		if (s.len == 0)
			break;
		len = utf8_decode(s, &point);
		if (len > 1) {
			snprintf(escape, sizeof(escape), "\\u{%04x}", (unsigned)point);
		} else {
			len = 1; /* a control of one byte, or a byte of no character */
			snprintf(escape, sizeof(escape), "\\x%02x", (unsigned)(uint8_t)s.at[0]);
		}
		buf_adds(out, escape);
		s = skip(s, len);
	}
}

char *text_escaped(struct str s)
{
	/* No escape is longer than 4 bytes for each byte of its character. */
	struct buf out = BUF_INIT(4 * s.len + 1);

	text_escape(&out, s, NULL);
	return buf_steal(&out);
}

/* ---- output of build steps ---- */

/* How many bytes of `s`, from `start` on, lie between `low` and `high`. */
static size_t count_between(struct str s, size_t start, char low, char high)
{
	size_t end = start;

	while (end < s.len && s.at[end] >= low && s.at[end] <= high)
		end++;
	return end - start;
}

/* The length of the control string (ECMA-48 5.6: OSC, DCS, SOS, PM, APC) that begins `s`. It ends
 * with ESC \, OSC also with BEL as every terminal has it; 0 without an end. */
static size_t control_string_length(struct str s)
{
	for (size_t i = 2; i < s.len; i++) {
		if (s.at[i] == '\a' && s.at[1] == ']')
			return i + 1;
		if (s.at[i] == ESC)
			return i + 1 < s.len && s.at[i + 1] == '\\' ? i + 2 : 0;
		if ((uint8_t)s.at[i] < 0x20)
			return 0;
	}
	return 0;
}

/* The length of the escape sequence at the start of `s`, which begins with ESC; 0 if it is cut
 * off or malformed. */
static size_t sequence_length(struct str s)
{
	char low = '0'; /* the lowest final byte: 03/00 after ESC, 04/00 after CSI */
	size_t len = 1;

	if (s.len > 1 && s.at[1] != '\0' && strchr("]PX^_", s.at[1]))
		return control_string_length(s);
	if (s.len > 1 && s.at[1] == '[') {
		len = 2;
		low = '@';
		len += count_between(s, len, '0', '?'); /* parameters */
	}
	len += count_between(s, len, ' ', '/'); /* intermediates */
	return count_between(s, len, low, '~') > 0 ? len + 1 : 0;
}

/* What an SGR sequence leaves behind. */
enum sgr { SGR_NONE, SGR_RESET, SGR_SET };

/* `sequence` is well formed. A private parameter ('<' to '?') makes it something else. */
static enum sgr sgr_kind(struct str sequence)
{
	struct str parameters = { sequence.at + 2, sequence.len - 3 };

	if (sequence.len < 3 || sequence.at[1] != '[' || !str_ends(sequence, "m") ||
	    count_between(parameters, 0, '0', ';') != parameters.len)
		return SGR_NONE;
	return parameters.len == 0 || str_is(parameters, "0") ? SGR_RESET : SGR_SET;
}

/* The part of `line` that a terminal would still show once it has obeyed the carriage returns. */
static struct str last_written(struct str line)
{
	const char *start;

	while (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	start = line.len ? memrchr(line.at, '\r', line.len) : NULL;
	return start ? skip(line, (size_t)(start + 1 - line.at)) : line;
}

void text_escape_output(struct buf *out, struct str line, bool colours)
{
	struct str rest = last_written(line);
	enum sgr state = SGR_NONE;

	while (rest.len > 0) {
		const char *escape = memchr(rest.at, ESC, rest.len);
		size_t len = escape ? (size_t)(escape - rest.at) : rest.len;
		enum sgr kind;

		text_escape(out, (struct str){ rest.at, len }, "\t");
		rest = skip(rest, len);
		len = sequence_length(rest);
		kind = len > 0 ? sgr_kind((struct str){ rest.at, len }) : SGR_NONE;
		if (kind != SGR_NONE && colours) {
			buf_add(out, rest.at, len);
			state = kind;
		} else if (len == 0 && rest.len > 0) {
			len = 1;
			text_escape(out, (struct str){ rest.at, len }, NULL);
		}
		rest = skip(rest, len);
	}
	if (state == SGR_SET)
		buf_adds(out, "\x1b[0m");
}

/* ---- figures ---- */

/* n / unit, rounded half up. */
static uint64_t rounded(uint64_t n, uint64_t unit)
{
	return n / unit + (n % unit >= unit - n % unit);
}

char *text_size(uint64_t bytes, char buf[static TEXT_SIZE_MAX])
{
	const char *prefix = "kMGTPE";
	uint64_t unit = 1000;

	if (bytes < 1000) {
		snprintf(buf, TEXT_SIZE_MAX, "%u B", (unsigned)bytes);
		return buf;
	}
	while (rounded(bytes, unit) >= 1000) {
		unit *= 1000;
		prefix++;
	}
	if (rounded(bytes, unit / 10) < 100) {
		unsigned tenths = (unsigned)rounded(bytes, unit / 10);

		snprintf(buf, TEXT_SIZE_MAX, "%u.%u %cB", tenths / 10, tenths % 10, *prefix);
	} else {
		snprintf(buf, TEXT_SIZE_MAX, "%u %cB", (unsigned)rounded(bytes, unit), *prefix);
	}
	return buf;
}

char *text_duration(uint64_t nanoseconds, char buf[static TEXT_DURATION_MAX])
{
	const uint64_t second = 1000000000;
	uintmax_t tenths_ms = rounded(nanoseconds, second / 10000);
	uintmax_t tenths = rounded(nanoseconds, second / 10);
	uintmax_t seconds = rounded(nanoseconds, second);
	uintmax_t minutes = rounded(nanoseconds, 60 * second);

	if (tenths_ms < 1000)
		snprintf(buf, TEXT_DURATION_MAX, "%ju.%jums", tenths_ms / 10, tenths_ms % 10);
	else if (tenths < 600)
		snprintf(buf, TEXT_DURATION_MAX, "%ju.%jus", tenths / 10, tenths % 10);
	else if (seconds < 3600)
		snprintf(buf, TEXT_DURATION_MAX, "%jum%02jus", seconds / 60, seconds % 60);
	else
		snprintf(buf, TEXT_DURATION_MAX, "%juh%02jum", minutes / 60, minutes % 60);
	return buf;
}

/* ---- near misses ---- */

static char lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits that make `a` of `b`: optimal string alignment. Both at most NEAREST_MAX bytes. */
static size_t distance(struct str a, struct str b)
{
	/* rows[i % 3][j]: from the first i bytes of `a` to the first j of `b`. */
	size_t rows[3][NEAREST_MAX + 1];

	for (size_t i = 0; i <= a.len; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3];
		const size_t *two_above = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			if (i == 0) {
				row[j] = j;
				continue;
			}
			row[j] = above[j - 1] + (lower(a.at[i - 1]) != lower(b.at[j - 1]));
			row[j] = least(row[j], least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && lower(a.at[i - 1]) == lower(b.at[j - 2]) &&
			    lower(a.at[i - 2]) == lower(b.at[j - 1]))
				row[j] = least(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

/* Two letters that only changed their places. */
static bool swapped(struct str a, struct str b)
{
	return a.len == 2 && b.len == 2 && lower(a.at[0]) == lower(b.at[1]) &&
	       lower(a.at[1]) == lower(b.at[0]);
}

const char *text_nearest(struct str wrong, const char *const *names, size_t count)
{
	size_t bound = (wrong.len < 6 ? 1 : wrong.len / 3) + 1; /* the first distance too far */
	const char *best = NULL;

	if (wrong.len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct str name = str_of(names[i]);
		size_t far;

		if (name.len > NEAREST_MAX)
			continue;
		far = distance(wrong, name);
		if (far > 0 && (name.len < 3 || wrong.len < 3) && !swapped(wrong, name))
			continue; /* nearly all short names are near each other */
		if (far < bound) {
			bound = far;
			best = names[i];
		}
	}
	return best;
}
