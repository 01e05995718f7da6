/*
 * builder/context_spec.h - what the text of a context means.
 *
 *	DIRECTORY                            a directory of this machine
 *	-                                    standard input: a tar, or a Recipe alone
 *	https://host/file                    a file of the web: likewise
 *	https://host/repository.git[#...]    a git repository, and all else that builder/git_url.h knows
 *	docker-image://NAME                  an image; container-image:// and docker:// mean the same
 *	oci-layout://DIRECTORY[:TAG|@DIGEST] an image in an OCI layout
 *
 * The last two are only for --build-context, the second is only for the build's
 * own context.
 */
#ifndef BUILDER_CONTEXT_SPEC_H
#define BUILDER_CONTEXT_SPEC_H

#include <stdbool.h>

#include "base/mem.h"

struct err;

/* What the modes of files in directories of this machine are taken to be: what they are, or what git keeps of
 * them (builder/tree.h). What was fetched has its modes from where it comes, on every machine alike. */
enum context_mode { CONTEXT_MODE_EXACT, CONTEXT_MODE_GIT };

extern const char *const context_mode_names[]; /* of the option, NULL-terminated */

enum context_kind {
	CONTEXT_DIRECTORY,
	CONTEXT_STDIN,
	CONTEXT_WEB,
	CONTEXT_GIT,
	CONTEXT_IMAGE,
	CONTEXT_LAYOUT,
};

struct context_spec {
	enum context_kind kind;
	char *value;     /* a path, a URL as it was written, the name of an image; owned */
	char *tag;       /* of CONTEXT_LAYOUT, owned; NULL if not given */
	char *digest;    /* likewise */
	bool maybe_path; /* CONTEXT_GIT without a scheme: a directory of that name comes first */
};

/* Read the text of --build-context (`named`) or of the operand. Looks at no file. ERR_INVALID for what can be
 * neither. */
struct err *context_spec_parse(const char *text, bool named, struct context_spec *ret) MUST_USE;
void context_spec_release(struct context_spec *spec);

static inline void context_spec_auto_(struct context_spec *spec)
{
	context_spec_release(spec);
}

#endif
