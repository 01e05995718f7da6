/*
 * builder/output_spec.h - the value of -o, as `docker buildx build` and `buildah build` spell it.
 *
 *	-                                  the root filesystem as a tar, to standard output
 *	DIR                                the root filesystem in a directory
 *	type=TYPE[,KEY=VALUE]...           a field in quotes may hold commas
 *
 * An attribute that asks for what is done anyway is taken without effect; what cannot be done
 * is refused by name.
 */
#ifndef BUILDER_OUTPUT_SPEC_H
#define BUILDER_OUTPUT_SPEC_H

#include <stdbool.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/vec.h"
#include "builder/build.h"

struct err;

/* What an output wants of the image; a build makes one image for all of its outputs. */
struct output_wishes {
	bool has_codec, has_level;
	enum codec codec;
	int level;
	bool force; /* also layers that are there already */
	bool has_format;
	enum image_format format;
	bool has_rewrite, rewrite;  /* times of files */
	struct strings annotations; /* as the option --annotation has them */
};

void output_wishes_release(struct output_wishes *wishes);

static inline void output_wishes_auto_(struct output_wishes *wishes)
{
	output_wishes_release(wishes);
}

/* The texts of `ret_output` are owned by the caller. A type that may go to a file and has no
 * dest goes to standard output, but for docker, which then means the store. ERR_USAGE and ERR_INVALID say what is
 * wrong with it, ERR_UNSUPPORTED what cannot be done. */
struct err *output_spec_parse(const char *text, struct build_output *ret_output,
			      struct output_wishes *ret_wishes) MUST_USE;

#endif
