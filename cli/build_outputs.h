/*
 * cli/build_outputs.h - the options of a build that say where its result goes, and in what form.
 *
 * One image is made, whatever number of outputs it goes to: what they ask of its compression
 * and format must agree with each other and with the options for it.
 */
#ifndef CLI_BUILD_OUTPUTS_H
#define CLI_BUILD_OUTPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/vec.h"
#include "builder/build.h"
#include "builder/output_spec.h"
#include "cli/option.h"

struct build_result;
struct err;

struct build_output_values {
	struct strings outputs;
	const char *compression, *compression_format;
	uint64_t compression_level;
	int format;
	bool force_compression, load, push;
	const char *iidfile, *iidfile_raw, *metadata_file;
};

extern const char *const build_format_names[];

/* All of them, for a table of a command whose values have a `struct build_output_values` called
 * `field`. */
/* clang-format off */
#define BUILD_OUTPUT_OPTIONS(type, field) \
	OPTION_TEXT(type, field.compression, 0, "compression", "CODEC[:LEVEL]", \
		    "compress new layers: zstd (default), gzip or none"), \
	OPTION_TEXT(type, field.compression_format, 0, "compression-format", "CODEC", \
		    "the CODEC of --compression"), \
	OPTION_NUMBER(type, field.compression_level, 0, "compression-level", "LEVEL", 1, 19, \
		      "the LEVEL of --compression"), \
	OPTION_FLAG(type, field.force_compression, 0, "force-compression", \
		    "compress the layers of the base anew, too, where they are not so"), \
	OPTION_WORD(type, field.format, 0, "format", build_format_names, \
		    "what the documents of the image are (default: oci)"), \
	OPTION_PATH(type, field.iidfile, 0, "iidfile", "PATH", "write the image id to PATH"), \
	OPTION_PATH(type, field.iidfile_raw, 0, "iidfile-raw", "PATH", \
		    "write the image id to PATH, without sha256:"), \
	OPTION_FLAG(type, field.load, 0, "load", \
		    "make an image in the store, also where only a root filesystem is put out"), \
	OPTION_PATH(type, field.metadata_file, 0, "metadata-file", "PATH", \
		    "write digests and names to PATH as JSON"), \
	OPTION_LIST(type, field.outputs, 'o', "output", "DEST", \
		    "also write type=oci|docker|tar|local,dest=PATH; a bare DEST is a directory " \
		    "for the root filesystem, '-' a tar of it on standard output; type=registry " \
		    "pushes"), \
	OPTION_FLAG(type, field.push, 0, "push", "push the image under each of its names")
/* clang-format on */

/* What the options become; the options of the build borrow from it. */
struct build_outputs {
	struct build_output *at; /* owned, with their texts */
	size_t count;
	struct output_wishes wishes;
};

void build_outputs_release(struct build_outputs *outputs);

/* Fill in what `opts` says of outputs, compression and format; names that outputs give are added to
 * `names`. ERR_USAGE says which option is wrong, or which two contradict each other. */
struct err *build_outputs_read(const struct build_output_values *values, struct build_outputs *ret,
			       struct strings *names, struct build_opts *opts) MUST_USE;

/* Before the work: whether the files can be written. */
struct err *build_outputs_check(const struct build_output_values *values) MUST_USE;

/* After the work: the image id, and what else was asked for. */
struct err *build_outputs_tell(const struct build_output_values *values,
			       const struct build_opts *opts, const struct build_result *result)
	MUST_USE;

#endif
