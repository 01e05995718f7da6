/*
 * builder/deliver.h - where the result of a build goes besides the store.
 *
 * An OCI or Docker archive of the image, its root filesystem as a tar or in a
 * directory. A file appears whole or not at all; a directory is filled in
 * place. The forms of -o are in builder/output_spec.h.
 */
#ifndef BUILDER_DELIVER_H
#define BUILDER_DELIVER_H

#include "base/mem.h"
#include "builder/build.h"
#include "builder/plan.h"

struct err;

/* Write one output: an archive of the images of all targets, which have been assembled, or the root
 * filesystem of the first. `plans` are those of all platforms; of several each has a directory of its own, called
 * "linux_arm64", unless output->split says otherwise. */
struct err *deliver(struct plan *const *plans, size_t count, const struct build_output *output)
	MUST_USE;

/* Find out before the work what would fail after it: a directory that is not there or not ours, one
 * in the place of a file or the other way round, a terminal, two outputs for standard output, a root
 * filesystem of several targets, several platforms in what has room for one. ERR_USAGE, ERR_INVALID or ERR_SYSTEM with the name of the option. */
struct err *deliver_check(const struct build_output *outputs, size_t count, size_t targets,
			  size_t platforms) MUST_USE;

#endif
