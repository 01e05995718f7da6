/*
 * base/output.h - a file that a command makes for its user: whole, or not at all.
 *
 * The bytes go into a file without a name in the directory of the path; it gets
 * its name, in place of a file that had it before, when all is written. Whatever
 * happens earlier, `kill -9` included, leaves the old file and nothing else. (On
 * file systems that know no nameless files a temporary name beside it is used,
 * and removed unless the program is killed.) A path that is no regular file, such
 * as a fifo, /dev/null or a link to a pipe (/dev/stdout), is written to as it is,
 * and "-" is standard output.
 */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include "base/mem.h"

struct err;
struct output;
struct sink;

/* ERR_USAGE if it is "-" and standard output is a terminal; ERR_INVALID if it is a directory. */
struct err *output_open(const char *path, struct output **ret) MUST_USE;
/* Whether output_open() would succeed as things are, without touching anything: for asking before
 * work that takes long. ERR_USAGE as above; ERR_INVALID for a directory, ERR_NOT_FOUND for
 * a path whose directory is not there or is none; ERR_SYSTEM for one that may not be written. */
struct err *output_check(const char *path) MUST_USE;
/* Where the bytes go; borrowed, and not finished by the caller. */
struct sink *output_sink(struct output *output);
/* Flush, and give it its name. Once; what remains is to free it. Not durable. */
struct err *output_commit(struct output *output) MUST_USE;
void output_free(struct output *output); /* without a commit nothing remains */
DEFINE_AUTO(output)

#endif
