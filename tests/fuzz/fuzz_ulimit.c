/*
 * tests/fuzz/fuzz_ulimit.c - what --ulimit takes is a limit that the kernel takes, and what it does not take
 * changes nothing.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/ulimit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ulimits limits = { 0 };
	struct str rest = { (const char *)data, size };

	while (rest.len > 0) {
		AUTO(mem) char *text = str_dup(str_cut(&rest, '\n'));
		size_t before = limits.len;
		AUTO(err) struct err *err = ulimits_add(&limits, text);

		assert(limits.len == before || (!err && limits.len == before + 1));
		assert(!err || err_kind(err) == ERR_INVALID);
	}
	for (size_t i = 0; i < limits.len; i++) {
		const struct sandbox_limit *limit = &limits.at[i];

		assert(limit->resource >= 0 && limit->resource < RLIMIT_NLIMITS);
		assert(limit->soft <= limit->hard);
		for (size_t k = 0; k < i; k++)
			assert(limits.at[k].resource != limit->resource);
	}
	ulimits_release(&limits);
	return 0;
}
