/*
 * tests/fuzz/fuzz_record.c - what parses as a record formats back to the same bytes.
 *
 * The first byte chooses the type. The sums are added here, since no mutation
 * would ever hit them; a zero byte stands where the head of a step ends.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/failed-private.h"
#include "store/meta-private.h"
#include "store/record-private.h"
#include "store/ref-private.h"
#include "store/step-private.h"
#include "store/web_record.h"

#define SIZE_CEILING ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool law)
{
	if (!law)
		abort();
}

static void check_ok(struct err *err)
{
	check(!err);
}

static void fuzz_meta(struct str body)
{
	AUTO(buf) struct buf text = BUF_INIT(SIZE_CEILING);
	AUTO(buf) struct buf again = BUF_INIT(SIZE_CEILING);
	AUTO(err) struct err *err = NULL;
	struct meta_record record;

	buf_add_str(&text, body);
	check_ok(record_seal(&text));
	err = meta_parse(buf_str(&text), &record);
	if (err)
		return;
	check_ok(meta_format(&record, &again));
	check(str_equal(buf_str(&text), buf_str(&again)));
}

static void fuzz_step(struct str body)
{
	AUTO(step_record) struct step_record record = { 0 };
	AUTO(step_record) struct step_record head = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(SIZE_CEILING);
	AUTO(buf) struct buf again = BUF_INIT(SIZE_CEILING);
	AUTO(err) struct err *err = NULL;

	buf_add_str(&text, str_cut(&body, '\0'));
	check_ok(record_seal(&text));
	if (body.at) {
		buf_add_str(&text, body);
		check_ok(record_seal(&text));
	}
	err = step_parse(buf_str(&text), text.len, true, &record);
	if (err)
		return;
	check_ok(step_parse(buf_str(&text), text.len, false, &head));
	check(digest_equal(&head.key, &record.key) && strcmp(head.lid, record.lid) == 0);
	check_ok(step_format(&record, &again));
	check(str_equal(buf_str(&text), buf_str(&again)));
}

static void fuzz_web(struct str body)
{
	AUTO(web_record) struct web_record record = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(SIZE_CEILING);
	AUTO(buf) struct buf again = BUF_INIT(SIZE_CEILING);
	AUTO(err) struct err *err = NULL;

	buf_add_str(&text, body);
	check_ok(record_seal(&text));
	err = web_record_parse(buf_str(&text), &record);
	if (err)
		return;
	check_ok(web_record_format(&record, &again));
	check(str_equal(buf_str(&text), buf_str(&again)));
}

static void fuzz_failed(struct str body)
{
	AUTO(failed_step) struct failed_step step = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(SIZE_CEILING);
	AUTO(buf) struct buf again = BUF_INIT(SIZE_CEILING);
	AUTO(err) struct err *err = NULL;

	buf_add_str(&text, body);
	check_ok(record_seal(&text));
	err = failed_parse(buf_str(&text), &step);
	if (err)
		return;
	check_ok(failed_format(&step, &again));
	check(str_equal(buf_str(&text), buf_str(&again)));
}

static void fuzz_ref(struct str text)
{
	struct ref ref = { .name = NULL }, again = { .name = NULL };
	AUTO(err) struct err *err = ref_parse(text, &ref);
	AUTO(mem) char *formatted = NULL;
	char path[REF_PATH_SIZE];

	if (err)
		return;
	formatted = ref_format(&ref);
	check_ok(ref_parse(str_of(formatted), &again));
	check(strcmp(ref.name, again.name) == 0);
	check(descriptor_equal(&ref.target, &again.target));
	check(ref.updated.tv_sec == again.updated.tv_sec &&
	      ref.updated.tv_nsec == again.updated.tv_nsec);
	check_ok(ref_path(ref.name, path));
	check(!strchr(path + strlen("refs/"), '/') && strlen(path) < REF_PATH_SIZE);
	free(ref.name);
	free(again.name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data + 1, size - 1 };

	if (size == 0 || size > SIZE_CEILING / 2)
		return 0;
	if (data[0] == 'F') {
		fuzz_failed(rest);
		return 0;
	}
	switch (data[0] % 4) {
	case 0:
		fuzz_meta(rest);
		break;
	case 1:
		fuzz_step(rest);
		break;
	case 3:
		fuzz_web(rest);
		break;
	default:
		fuzz_ref(rest);
		break;
	}
	return 0;
}
