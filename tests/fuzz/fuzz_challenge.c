/* tests/fuzz/fuzz_challenge.c - challenges written out again read back as the same. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "registry/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_out(struct buf *out, const struct challenge *challenge)
{
	buf_addf(out, "%s %s, ", challenge->scheme, challenge->token68 ? challenge->token68 : "");
	vec_foreach (&challenge->params, param) {
		buf_addf(out, "%s=\"", param->name);
		for (const char *c = param->value; *c; c++) {
			if (*c == '"' || *c == '\\')
				buf_addc(out, '\\');
			buf_addc(out, *c);
		}
		buf_adds(out, "\", ");
	}
}

static void expect_same(const char *a, const char *b)
{
	if (!a != !b || (a && strcmp(a, b) != 0))
		abort();
}

static void compare(const struct challenge *a, const struct challenge *b)
{
	expect_same(a->scheme, b->scheme);
	expect_same(a->token68, b->token68);
	if (a->params.len != b->params.len)
		abort();
	for (size_t i = 0; i < a->params.len; i++) {
		expect_same(a->params.at[i].name, b->params.at[i].name);
		expect_same(a->params.at[i].value, b->params.at[i].value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(challenges) struct challenges first = { 0 }, second = { 0 };
	AUTO(mem) char *text = xasprintf("%.*s", (int)size, (const char *)data);
	AUTO(buf) struct buf out = BUF_INIT(CHALLENGE_HEADER_MAX);
	AUTO(err) struct err *err = challenges_read(&first, text);
	AUTO(err) struct err *again = NULL;

	vec_foreach (&first, challenge)
		write_out(&out, challenge);
	if (err && !err_text(err)[0])
		abort();
	if (out.over || out.len == 0)
		return 0;
	again = challenges_read(&second, out.at);
	if (again || first.len != second.len)
		abort();
	for (size_t i = 0; i < first.len; i++)
		compare(&first.at[i], &second.at[i]);
	return 0;
}
