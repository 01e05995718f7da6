/*
 * builder/git_remote.h - one repository of others: where it is, and who we are there.
 *
 *	git_remote_open(&remote, opts, NULL, &url);	the one that was named
 *	git_remote_try(&remote, &call, &end);	git, with `remote` and what authorises in `call`
 *
 * A server that sends git elsewhere is asked by our own client where to (registry/web.h judges each
 * step), and git then goes there directly. What authorises us is found anew for that host.
 */
#ifndef BUILDER_GIT_REMOTE_H
#define BUILDER_GIT_REMOTE_H

#include <stdbool.h>

#include "base/mem.h"
#include "builder/git_place.h"
#include "builder/git_url.h"

struct err;
struct git_call;
struct git_source_opts;
struct tool_end;

struct git_remote {
	const struct git_source_opts *opts; /* borrowed */
	const struct git_url *url;          /* borrowed: as it is called, moved or not */
	struct git_url moved;               /* where it is, if `is_moved` */
	bool is_moved;
	struct git_remote
		*top;        /* borrowed: the one that was named and leads here; NULL: this is it */
	char *authorization; /* owned; NULL: none */
	bool is_found;       /* its host was looked up */
	struct git_place place; /* of `url` */
	char *pin;              /* owned: git_place_pin() of where it is; NULL: none */
};

/* Get ready to ask the repository at `url`. Errors as of remote_auth_git(). */
struct err *git_remote_open(struct git_remote *ret, const struct git_source_opts *opts,
			    struct git_remote *top, const struct git_url *url) MUST_USE;
void git_remote_release(struct git_remote *remote); /* wipes */

static inline void git_remote_auto_(struct git_remote *remote)
{
	git_remote_release(remote);
}

/* git_try() at the remote, whose URL stands among the arguments as the pointer `remote->url->remote`. Also
 * the errors of git_place_check(), if the one that leads here may not. */
struct err *git_remote_try(struct git_remote *remote, const struct git_call *call,
			   struct tool_end *ret) MUST_USE;
/* The same; a code other than 0 is git_failure(). */
struct err *git_remote_run(struct git_remote *remote, const struct git_call *call) MUST_USE;

#endif
