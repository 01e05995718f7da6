/*
 * cli/build_platform.h - for which platforms a build is: --platform, or --os, --arch and --variant.
 *
 * Without any, the one of this machine, which is also called "local". Several make one image each, in
 * an index; a platform that is given twice counts once.
 */
#ifndef CLI_BUILD_PLATFORM_H
#define CLI_BUILD_PLATFORM_H

#include "base/mem.h"
#include "base/vec.h"
#include "cli/option.h"
#include "store/platform.h"

struct build_args;
struct build_opts;
struct err;

struct platform_values {
	struct strings platforms;
	const char *os, *arch, *variant;
};

/* All of them, for a table of a command whose values have a `struct platform_values` called
 * `field`. */
/* clang-format off */
#define BUILD_PLATFORM_OPTIONS(type, field) \
	OPTION_TEXT(type, field.arch, 0, "arch", "ARCH", \
		    "build for this processor; with --os and --variant what --platform says at once"), \
	OPTION_TEXT(type, field.os, 0, "os", "OS", "build for this operating system"), \
	OPTION_LIST(type, field.platforms, 0, "platform", "OS/ARCH[/VARIANT][,...]", \
		    "build for these platforms; several become an index"), \
	OPTION_TEXT(type, field.variant, 0, "variant", "VARIANT", \
		    "build for this variant of the processor")
/* clang-format on */

struct platforms {
	struct platform *at;
	size_t len, cap;
};

/* Fill in what `opts` says of platforms, and whether an index is wanted in any case, which the
 * argument BUILDKIT_MULTI_PLATFORM says. ERR_USAGE says which option is wrong. */
struct err *build_platform_read(const struct platform_values *values, struct build_args *args,
				struct platforms *ret, struct build_opts *opts) MUST_USE;

#endif
