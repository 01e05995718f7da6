/*
 * base/clock.c - see base/clock.h.
 *
 * Dates are computed here in the proleptic Gregorian calendar: the C library's
 * functions would read the time zone's files first, and ask the locale.
 */

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>

#include "base/err.h"

#define DAY ((int64_t)86400)
#define SECOND_MIN (-62167219200) /* 0000-01-01T00:00:00Z */
#define SECOND_MAX 253402300799   /* 9999-12-31T23:59:59Z */
#define NANO_MAX 999999999

/* Days from 0000-03-01, the start of the year as it is counted here, to 1970-01-01. */
#define EPOCH_DAY 719468
#define DAYS_IN_400_YEARS 146097

uint64_t clock_monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct timespec clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t;
}

struct date {
	int64_t year; /* from 0 on */
	int month;    /* 1..12 */
	int day;      /* 1..31 */
};

/* Days since 1970-01-01. A year begins in March, so that the leap day is its last: then a month
 * m (0 is March) begins on day (153 m + 2) / 5. */
static int64_t days_from_date(struct date d)
{
	int month = (d.month + 9) % 12;
	int64_t year = d.month > 2 ? d.year : d.year - 1; /* -1 in January of year 0 */
	int64_t shifted = year + 400;                     /* keeps the divisions positive */

	return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + (153 * month + 2) / 5 +
	       d.day - 1 - EPOCH_DAY - DAYS_IN_400_YEARS;
}

/* The inverse, for days of the years 0 to 9999. */
static struct date date_from_days(int64_t days)
{
	int64_t since = days + EPOCH_DAY + DAYS_IN_400_YEARS;
	int64_t era = since / DAYS_IN_400_YEARS;
	int64_t of_era = since % DAYS_IN_400_YEARS;
	/* Take the leap days out: one in 4 years but for 100, and the one that ends the era. */
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = (int)(of_era - (365 * year + year / 4 - year / 100));
	int month = (5 * of_year + 2) / 153;
	struct date d = { .day = of_year - (153 * month + 2) / 5 + 1 };

	d.month = month < 10 ? month + 3 : month - 9;
	d.year = year + (era - 1) * 400 + (d.month <= 2);
	return d;
}

char *clock_format(struct timespec t, char buf[static CLOCK_TEXT_SIZE])
{
	int64_t seconds = t.tv_sec;
	long nano = t.tv_nsec;
	int64_t days;
	int64_t of_day;
	struct date d;
	int len;

	assert(nano >= 0 && nano <= NANO_MAX);
	if (seconds < SECOND_MIN) {
		seconds = SECOND_MIN;
		nano = 0;
	}
	if (seconds > SECOND_MAX) {
		seconds = SECOND_MAX;
		nano = NANO_MAX;
	}
	days = (seconds - SECOND_MIN) / DAY + SECOND_MIN / DAY; /* rounded down */
	of_day = seconds - days * DAY;
	d = date_from_days(days);
	len = snprintf(buf, CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", (int)d.year, d.month,
		       d.day, (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
	if (nano > 0) {
		len += snprintf(buf + len, CLOCK_TEXT_SIZE - (size_t)len, ".%09ld", nano);
		while (buf[len - 1] == '0')
			len--;
	}
	snprintf(buf + len, CLOCK_TEXT_SIZE - (size_t)len, "Z");
	return buf;
}

/* The pieces of an RFC 3339 text. A wrong one makes `bad`, and the rest is read on in vain. */
struct reader {
	struct str rest;
	bool bad;
};

/* One character, any of `set`. */
static char read_char(struct reader *r, const char *set)
{
	char c = '\0';

	if (r->rest.len > 0)
		c = r->rest.at[0];
	if (c == '\0' || !strchr(set, c)) {
		r->bad = true;
		return '\0';
	}
	r->rest.at++;
	r->rest.len--;
	return c;
}

/* Exactly `digits` digits, a number in [min, max]. */
static int read_number(struct reader *r, int digits, int min, int max)
{
	int n = 0;

	while (digits-- > 0) {
		char c = read_char(r, "0123456789");

		n = n * 10 + (r->bad ? 0 : c - '0');
	}
	if (n < min || n > max)
		r->bad = true;
	return n;
}

/* "." and digits, as nanoseconds: those after the ninth are cut off. */
static long read_fraction(struct reader *r)
{
	long scale = 100000000;
	long nano = 0;

	if (r->rest.len == 0 || r->rest.at[0] != '.')
		return 0;
	(void)read_char(r, ".");
	do {
		nano += scale * read_number(r, 1, 0, 9);
		scale /= 10;
	} while (!r->bad && r->rest.len > 0 && r->rest.at[0] >= '0' && r->rest.at[0] <= '9');
	return nano;
}

/* "Z" or an offset: seconds east of UTC. */
static int read_zone(struct reader *r)
{
	char c = read_char(r, "Zz+-");
	int offset;

	if (c != '+' && c != '-')
		return 0;
	offset = read_number(r, 2, 0, 23) * 3600;
	(void)read_char(r, ":");
	offset += read_number(r, 2, 0, 59) * 60;
	return c == '-' ? -offset : offset;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[month - 1];
}

struct err *clock_parse(struct str text, struct timespec *ret)
{
	struct reader r = { .rest = text };
	struct timespec t = { 0 };
	struct date d;
	int second;

	d.year = read_number(&r, 4, 0, 9999);
	(void)read_char(&r, "-");
	d.month = read_number(&r, 2, 1, 12);
	(void)read_char(&r, "-");
	d.day = read_number(&r, 2, 1, r.bad ? 31 : days_in_month((int)d.year, d.month));
	(void)read_char(&r, "Tt");
	t.tv_sec = read_number(&r, 2, 0, 23) * (time_t)3600;
	(void)read_char(&r, ":");
	t.tv_sec += read_number(&r, 2, 0, 59) * (time_t)60;
	(void)read_char(&r, ":");
	second = read_number(&r, 2, 0, 60);
	t.tv_nsec = read_fraction(&r);
	t.tv_sec += second - read_zone(&r);
	if (!r.bad) {
		t.tv_sec += days_from_date(d) * DAY;
		/* A leap second is the last of a day; the next day's first has to stand for it. */
		r.bad = r.rest.len > 0 || (second == 60 && t.tv_sec % DAY != 0) ||
			t.tv_sec < SECOND_MIN || t.tv_sec > SECOND_MAX;
	}
	if (r.bad)
		return err_new(ERR_INVALID, "'%.*s' is not a time like 2006-01-02T15:04:05Z",
			       (int)(text.len > 80 ? 80 : text.len), text.at);
	*ret = t;
	return NULL;
}

struct err *clock_parse_epoch(struct str text, int64_t *ret)
{
	uint64_t seconds;

	TRY(num_parse(text, 0, SECOND_MAX, &seconds));
	*ret = (int64_t)seconds;
	return NULL;
}
