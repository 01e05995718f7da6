/*
 * builder/git_command.h - the git program, with all doors shut.
 *
 * It runs without the user's and the machine's configuration, without hooks, helpers, editors and
 * prompts; with no protocol but that of its remote, and for local work none. Of the environment it
 * gets the PATH, proxies, certificates, SSH_AUTH_SOCK and GIT_SSH_COMMAND. What authorises
 * us stands in its environment, not among its arguments, and counts for the one host alone. It follows no
 * redirects: builder/git_remote.h does.
 */
#ifndef BUILDER_GIT_COMMAND_H
#define BUILDER_GIT_COMMAND_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/tool.h"

struct buf;
struct err;
struct git_progress;
struct git_url;

struct git_call {
	int dir_fd;                   /* where it runs */
	const char *git_dir;          /* the repository, seen from there; NULL: none yet */
	const struct git_url *remote; /* the only one that it may talk to; NULL: nobody */
	const char *authorization;    /* the header's value at `remote`, or NULL */
	const char *pin;              /* git_place_pin() of `remote`, or NULL */
	bool local;                   /* it may read another repository of this machine */
	const char *const *args;      /* NULL-terminated, from the verb on */
	int out_fd;                   /* as in struct tool */
	struct buf *out;
	struct git_progress *progress; /* hears how far it has come; may be NULL */
};

/* Run it to its end. ERR_UNSUPPORTED if there is no git. */
struct err *git_try(const struct git_call *call, struct tool_end *ret) MUST_USE;
/* The same; a code other than 0 is git_failure(). */
struct err *git_run(const struct git_call *call) MUST_USE;

/* What git complained of, as an error: ERR_DENIED, ERR_NOT_FOUND or ERR_NETWORK for a remote, else ERR_INVALID. */
struct err *git_failure(const struct git_call *call, const struct tool_end *end) MUST_USE;

#endif
