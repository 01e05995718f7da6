/* tests/fuzz/fuzz_source_lock.c - a Recipe.lock that is read, written and read again is the same. */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/source_lock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(source_lock) struct source_lock *lock = NULL;
	AUTO(source_lock) struct source_lock *again = NULL;
	AUTO(buf) struct buf one = BUF_INIT(2 * size + 64);
	AUTO(buf) struct buf two = BUF_INIT(2 * size + 64);
	AUTO(err) struct err *err = NULL;
	struct err *second;

	err = source_lock_parse("lock", (struct str){ (const char *)data, size }, &lock);
	assert(!err || err_kind(err) == ERR_INVALID || err_kind(err) == ERR_UNSUPPORTED);
	if (err)
		return 0;
	source_lock_format(lock, &one);
	second = source_lock_parse("lock", buf_str(&one), &again);
	assert(!second);
	source_lock_format(again, &two);
	assert(str_equal(buf_str(&one), buf_str(&two)));
	return 0;
}
