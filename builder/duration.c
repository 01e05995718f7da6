/* builder/duration.c - see builder/duration.h. */

#include "builder/duration.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

static const struct {
	const char *name;
	uint64_t nanoseconds;
} units
	[] = {
		/* those that another one begins with come after it */
		{ "ns", 1 },           { "us", 1000 },
		{ "\xc2\xb5s", 1000 }, /* U+00B5, the micro sign */
		{ "\xce\xbcs", 1000 }, /* U+03BC, the Greek letter */
		{ "ms", 1000000 },     { "s", 1000000000 },
		{ "m", 60000000000 },  { "h", 3600000000000 },
	};

#define LIMIT ((uint64_t)INT64_MAX + 1) /* the largest magnitude, of a negative duration */

/* Digits at the start of `*rest` times `unit` onto `*sum`, and the count of digits. False when
 * it grows too large. */
static bool take_digits(struct str *rest, uint64_t *ret, size_t *ret_count)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < rest->len && rest->at[i] >= '0' && rest->at[i] <= '9'; i++) {
		if (n > LIMIT / 10)
			return false;
		n = 10 * n + (uint64_t)(rest->at[i] - '0');
		if (n > LIMIT)
			return false;
	}
	rest->at += i;
	rest->len -= i;
	*ret = n;
	*ret_count = i;
	return true;
}

/* Digits behind the point, as nanoseconds of `unit`, rounded down. Digits that cannot matter any
 * more are only skipped. */
static uint64_t take_fraction(struct str *rest, uint64_t *ret_scale, size_t *ret_count)
{
	uint64_t n = 0;
	size_t i = 0;

	*ret_scale = 1;
	for (; i < rest->len && rest->at[i] >= '0' && rest->at[i] <= '9'; i++) {
		if (*ret_scale > LIMIT / 100)
			continue;
		n = 10 * n + (uint64_t)(rest->at[i] - '0');
		*ret_scale *= 10;
	}
	rest->at += i;
	rest->len -= i;
	*ret_count = i;
	return n;
}

static uint64_t take_unit(struct str *rest)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!str_starts(*rest, units[i].name))
			continue;
		rest->at += strlen(units[i].name);
		rest->len -= strlen(units[i].name);
		return units[i].nanoseconds;
	}
	return 0;
}

/* One number with its unit onto `*sum`. */
static bool take_term(struct str *rest, uint64_t *sum)
{
	uint64_t whole, unit, scale = 1, fraction = 0, ns;
	size_t digits, more = 0;

	if (!take_digits(rest, &whole, &digits))
		return false;
	if (rest->len > 0 && rest->at[0] == '.') {
		rest->at++;
		rest->len--;
		fraction = take_fraction(rest, &scale, &more);
	}
	if (digits + more == 0)
		return false;
	unit = take_unit(rest);
	if (unit == 0 || whole > LIMIT / unit)
		return false;
	ns = whole * unit + (uint64_t)((double)fraction * ((double)unit / (double)scale));
	if (ns > LIMIT || *sum > LIMIT - ns)
		return false;
	*sum += ns;
	return true;
}

struct err *duration_parse(struct str text, int64_t *ret)
{
	struct str rest = text;
	bool negative = str_starts(text, "-");
	uint64_t sum = 0;
	bool good;

	if (negative || str_starts(text, "+")) {
		rest.at++;
		rest.len--;
	}
	good = rest.len > 0;
	if (!str_is(rest, "0"))
		while (good && rest.len > 0)
			good = take_term(&rest, &sum);
	if (!good || (sum == LIMIT && !negative))
		return err_new(ERR_INVALID, "'%.*s' is no duration such as 30s or 1m30s",
			       STR_ARG(text));
	*ret = negative ? (int64_t)(0 - sum) : (int64_t)sum;
	return NULL;
}

/* `n` in a unit of so many nanoseconds, without trailing zeros behind the point. Returns `end`. */
static char *format_part(uint64_t n, uint64_t unit, const char *name, char *at, char *limit)
{
	int digits = 0;
	uint64_t fraction = n % unit;

	for (uint64_t i = unit; i > 1; i /= 10)
		digits++;
	for (; fraction > 0 && fraction % 10 == 0; fraction /= 10)
		digits--;
	at += snprintf(at, (size_t)(limit - at), "%" PRIu64, n / unit);
	if (fraction > 0)
		at += snprintf(at, (size_t)(limit - at), ".%0*" PRIu64, digits, fraction);
	return at + snprintf(at, (size_t)(limit - at), "%s", name);
}

char *duration_format(int64_t nanoseconds, char buf[static DURATION_TEXT_SIZE])
{
	const uint64_t second = 1000000000, minute = 60 * second, hour = 60 * minute;
	uint64_t left = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
	char *limit = buf + DURATION_TEXT_SIZE;
	char *at = buf;

	if (nanoseconds < 0)
		*at++ = '-';
	if (left > 0 && left < 1000)
		format_part(left, 1, "ns", at, limit);
	else if (left > 0 && left < 1000000)
		format_part(left, 1000, "\xc2\xb5s", at, limit);
	else if (left > 0 && left < second)
		format_part(left, 1000000, "ms", at, limit);
	if (left > 0 && left < second)
		return buf;
	if (left >= hour)
		at += snprintf(at, (size_t)(limit - at), "%" PRIu64 "h", left / hour);
	if (left >= minute)
		at += snprintf(at, (size_t)(limit - at), "%" PRIu64 "m", left % hour / minute);
	format_part(left % minute, second, "s", at, limit);
	return buf;
}
