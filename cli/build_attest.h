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
	struct strings attest, provenance, sbom;
	const char *sbom_output;
	const char *scanner; /* what is for scanners, none of which is run */
};

/* All of them, for a table of a command whose values have a `struct build_attest_values` called
 * `field`. */
/* clang-format off */
#define BUILD_ATTEST_OPTIONS(type, field) \
	OPTION_LIST(type, field.attest, 0, "attest", "type=TYPE[,NAME=VALUE]", \
		    "say something about the image beside it: type=provenance or type=sbom"), \
	OPTION_BARE_LIST(type, field.provenance, 0, "provenance", "[=BOOL|mode=MODE]", "true", \
			 "say beside the image what it was made from; MODE is min or max"), \
	OPTION_BARE_LIST(type, field.sbom, 0, "sbom", "[=BOOL]", "true", \
			 "say beside the image which packages are in it"), \
	OPTION_PATH(type, field.sbom_output, 0, "sbom-output", "PATH", \
		    "write the list of packages to PATH, as SPDX"), \
	OPTION_TEXT(type, field.scanner, 0, "sbom-image-output", "PATH", NULL), \
	OPTION_TEXT(type, field.scanner, 0, "sbom-image-purl-output", "PATH", NULL), \
	OPTION_TEXT(type, field.scanner, 0, "sbom-merge-strategy", "NAME", NULL), \
	OPTION_TEXT(type, field.scanner, 0, "sbom-purl-output", "PATH", NULL), \
	OPTION_TEXT(type, field.scanner, 0, "sbom-scanner-command", "COMMAND", NULL), \
	OPTION_TEXT(type, field.scanner, 0, "sbom-scanner-image", "IMAGE", NULL)
/* clang-format on */

/* Fill in what `opts` says of attestations. ERR_USAGE or ERR_UNSUPPORTED says which option is wrong. After
 * build_outputs_read(). */
struct err *build_attest_read(const struct build_attest_values *values, struct attest_opts *ret,
			      struct build_opts *opts) MUST_USE;

/* Before the work: whether the file can be written. */
struct err *build_attest_check(const struct build_attest_values *values) MUST_USE;

#endif
