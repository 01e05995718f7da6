/*
 * cli/security.h - the options of every command that runs steps: what these may do.
 *
 * Those of docker and podman. The command line is trusted: what it says needs no --allow, which
 * is about what a Recipe asks for.
 */
#ifndef CLI_SECURITY_H
#define CLI_SECURITY_H

#include "base/mem.h"
#include "base/vec.h"
#include "cli/option.h"
#include "overlay/sandbox.h"

struct err;

struct security_values {
	struct strings added, dropped, options;
};

/* clang-format off */
#define SECURITY_OPTIONS(type, field) \
	OPTION_LIST(type, field.added, 0, "cap-add", "CAPABILITY", \
		    "a capability that steps have besides the usual ones; ALL"), \
	OPTION_LIST(type, field.dropped, 0, "cap-drop", "CAPABILITY", \
		    "a capability that steps do not have; ALL"), \
	OPTION_LIST(type, field.options, 0, "security-opt", "OPTION", \
		    "seccomp=PROFILE, seccomp=unconfined or no-new-privileges")
/* clang-format on */

struct security {
	struct sandbox_security sandbox; /* borrows `profile` */
	char *profile;                   /* owned; NULL: none */
};

/* ERR_USAGE names the option that is wrong. `*ret` is zeros before. */
struct err *security_read(const struct security_values *values, struct security *ret) MUST_USE;
void security_release(struct security *security);

static inline void security_auto_(struct security *security)
{
	security_release(security);
}

#endif
