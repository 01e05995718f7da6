/*
 * cli/build_attest.h - the options of a build for what is said about its image.
 */
#ifndef CLI_BUILD_ATTEST_H
#define CLI_BUILD_ATTEST_H

#include "base/mem.h"
#include "base/vec.h"
#include "builder/attest_spec.h"
#include "cli/option.h"

struct build_opts;
struct err;

struct build_attest_values {
	struct strings attest, provenance;
};

/* All of them, for a table of a command whose values have a `struct build_attest_values` called
 * `field`. */
/* clang-format off */
#define BUILD_ATTEST_OPTIONS(type, field) \
	OPTION_LIST(type, field.attest, 0, "attest", "type=TYPE[,NAME=VALUE]", \
		    "say something about the image beside it: type=provenance or type=sbom"), \
	OPTION_BARE_LIST(type, field.provenance, 0, "provenance", "[=BOOL|mode=MODE]", "true", \
			 "say beside the image what it was made from; MODE is min or max")
/* clang-format on */

/* Fill in what `opts` says of attestations. ERR_USAGE or ERR_UNSUPPORTED says which option is wrong. After
 * build_outputs_read(). */
struct err *build_attest_read(const struct build_attest_values *values, struct attest_opts *ret,
			      struct build_opts *opts) MUST_USE;

#endif
