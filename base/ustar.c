/* base/ustar.c - see base/ustar.h. */

#include "base/ustar.h"

#include <assert.h>

#include "base/err.h"

void ustar_init(struct ustar *block)
{
	memset(block, 0, sizeof(*block));
	memcpy(block->magic, "ustar", sizeof(block->magic));
	memcpy(block->version, "00", sizeof(block->version));
}

void ustar_put(char *field, size_t size, uint64_t n)
{
	field[--size] = '\0';
	while (size > 0) {
		field[--size] = (char)('0' + (n & 7));
		n >>= 3;
	}
	assert(n == 0);
}

/* The sum of all bytes, those of the checksum itself counted as blanks. With `high`, also how many
 * of them have the high bit: each of those weighs 256 less in a signed sum. */
static unsigned sum(const struct ustar *block, unsigned *high)
{
	const unsigned char *at = (const unsigned char *)block;
	const unsigned char *field = (const unsigned char *)block->checksum;
	unsigned total = sizeof(block->checksum) * ' ';
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(*block); i++) {
		total += at[i];
		count += at[i] >> 7;
	}
	for (size_t i = 0; i < sizeof(block->checksum); i++) {
		total -= field[i];
		count -= field[i] >> 7;
	}
	*high = count;
	return total;
}

void ustar_seal(struct ustar *block)
{
	unsigned high;

	/* Six digits, NUL, blank: what tar has always written here, and nowhere else. */
	ustar_put(block->checksum, sizeof(block->checksum) - 1, sum(block, &high));
	block->checksum[7] = ' ';
}

bool ustar_is_zero(const struct ustar *block)
{
	static const struct ustar zero;

	return memcmp(block, &zero, sizeof(zero)) == 0;
}

bool ustar_is_sealed(const struct ustar *block)
{
	unsigned high;
	int64_t total = sum(block, &high);
	int64_t want = -1;
	AUTO(err)
	struct err *err = ustar_number(block->checksum, sizeof(block->checksum), "checksum", 0,
				       INT64_MAX, &want);

	return !err && (want == total || want == total - 256 * (int64_t)high);
}

struct str ustar_text(const char *field, size_t size)
{
	return (struct str){ field, strnlen(field, size) };
}

static struct err *impossible(const char *what)
{
	return err_new(ERR_CORRUPT, "its %s is not a possible number", what);
}

/* Base 256 without its first bit, which marks it; the second one is the sign. */
static bool parse_base256(const char *field, size_t size, int64_t *ret)
{
	unsigned char flip = field[0] & 0x40 ? 0xff : 0;
	uint64_t n = (unsigned char)((field[0] ^ flip) & 0x7f);

	for (size_t i = 1; i < size; i++) {
		if (n >> 56)
			return false;
		n = n << 8 | (unsigned char)(field[i] ^ flip);
	}
	if (n >> 63)
		return false;
	*ret = flip ? -(int64_t)n - 1 : (int64_t)n;
	return true;
}

static bool parse_octal(const char *field, size_t size, int64_t *ret)
{
	struct str text;
	uint64_t n = 0;
	AUTO(err) struct err *err = NULL;

	while (size > 0 && (*field == ' ' || *field == '\0')) {
		field++;
		size--;
	}
	text = str_trim(ustar_text(field, size));
	if (text.len > 0)
		err = num_parse_octal(text, INT64_MAX, &n);
	*ret = (int64_t)n;
	return !err;
}

struct err *ustar_number(const char *field, size_t size, const char *what, int64_t min, int64_t max,
			 int64_t *ret)
{
	int64_t n;

	if (!(field[0] & 0x80 ? parse_base256 : parse_octal)(field, size, &n) || n < min || n > max)
		return impossible(what);
	*ret = n;
	return NULL;
}

struct err *ustar_decimal(struct str text, const char *what, uint64_t max, uint64_t *ret)
{
	AUTO(err) struct err *err = num_parse(text, 0, max, ret);

	return err ? impossible(what) : NULL;
}
