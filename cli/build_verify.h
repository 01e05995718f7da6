/*
 * cli/build_verify.h - --verify: build again under other conditions, and compare.
 */
#ifndef CLI_BUILD_VERIFY_H
#define CLI_BUILD_VERIFY_H

#include "base/mem.h"

struct build_opts;
struct build_result;
struct err;
struct store;

/* Before the first build: ERR_USAGE for what cannot be built twice. Without an epoch, sets that of now. */
struct err *build_verify_prepare(struct build_opts *opts) MUST_USE;
/* After it: build again, keep nothing of that, and say that the images are the same. ERR_INVALID says
 * where they differ first. */
struct err *build_verify(struct store *store, const struct build_opts *opts,
			 const struct build_result *first) MUST_USE;

#endif
