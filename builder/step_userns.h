/*
 * builder/step_userns.h - whether steps are root of the machine, or of a user namespace alone.
 */
#ifndef BUILDER_STEP_USERNS_H
#define BUILDER_STEP_USERNS_H

#include <stdbool.h>

#include "base/mem.h"

struct err;
struct idmap;
struct sandbox_security;
struct store;

enum step_userns {
	STEP_USERNS_AUTO, /* one of their own where it works, and that is told */
	STEP_USERNS_HOST, /* ours */
	STEP_USERNS_PRIVATE,
};

extern const char *const step_userns_names[]; /* of the options, NULL-terminated */

/* Make the user namespace of the steps, once it is known by trying that the store's file system
 * and the kernel can show layers in it: `*ret` is the caller's, NULL for none. What was chosen is
 * logged. More capabilities than usual (`security` may be NULL) are of use to root of the machine
 * only, but for those over networks where steps have a network of their own. ERR_UNSUPPORTED if it was
 * asked for and cannot be had. */
struct err *step_userns_open(enum step_userns wish, const struct sandbox_security *security,
			     bool own_network, struct store *store, struct idmap **ret) MUST_USE;

#endif
