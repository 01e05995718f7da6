/*
 * tests/fuzz/fuzz_json.c - what parses can be walked by every accessor and survives format and
 * parse; what does not is an error with text; any bytes make a string that parses again.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/vec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Formats of numbers may be longer than what was read. */
#define AGAIN_MAX ((size_t)64 * 1024 * 1024)

static void use_accessors(const struct json_at *at)
{
	AUTO(strings) struct strings list = { 0 };
	const char *text = NULL;
	uint64_t number = 0;
	bool flag = false;
	/* An accessor of another type than the value's fails, with text. */
	struct err *errs[] = {
		json_get_text(at, &text),
		json_get_optional_text(at, &text),
		json_get_size(at, &number),
		json_get_optional_size(at, &number),
		json_get_optional_flag(at, &flag),
		json_get_optional_texts(at, &list),
		json_expect_object(at),
		json_expect_array(at),
	};

	for (size_t i = 0; i < ARRAY_SIZE(errs); i++) {
		if (errs[i] && (err_kind(errs[i]) != ERR_INVALID || !err_text(errs[i])[0]))
			abort();
		err_free(errs[i]);
	}
	if (number > INT64_MAX)
		abort();
}

/* Recursion as deep as the parser allows. */
static void walk(const struct json_at *at)
{
	const char *key;
	json_t *value;

	use_accessors(at);
	if (!at->value)
		return;
	for (size_t i = 0; i <= json_length(at); i++) {
		struct json_at element = json_element(at, i);

		walk(&element); /* the last is beyond the end */
	}
	json_object_foreach(at->value, key, value)
	{
		struct json_at member = json_member(at, key);

		walk(&member);
	}
}

static void must_survive(const json_t *doc, char *text)
{
	AUTO(mem) char *owned = text;
	AUTO(json) json_t *again = NULL;
	AUTO(err) struct err *err = json_parse(str_of(owned), AGAIN_MAX, "again", &again);

	if (err || !json_equal(doc, again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str raw = { (const char *)data, size };
	AUTO(json) json_t *made = json_object();
	AUTO(json) json_t *doc = NULL;
	AUTO(err) struct err *err = json_parse(raw, JSON_MAX, "fuzz", &doc);
	AUTO(mem) char *key = str_dup(raw);
	struct json_at root;

	json_set(made, key, json_text(raw));
	must_survive(made, json_format(made));
	if (err) {
		if (doc || err_kind(err) != ERR_INVALID || !err_text(err)[0])
			abort();
		return 0;
	}
	root = json_root(doc, "fuzz");
	walk(&root);
	must_survive(doc, json_format(doc));
	must_survive(doc, json_format_pretty(doc));
	return 0;
}
