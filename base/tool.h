/*
 * base/tool.h - run another program to its end, and take what it says.
 *
 * Without a shell: `argv` is what the program gets. It has the environment that it is
 * given and no descriptor of ours but 0, 1 and 2; it is the leader of a group of its
 * own, so that all it has started can be ended with it. While it runs the thread waits
 * for it; when the process is told to stop, or the scope that the thread works in is
 * (base/cancel.h), or the program falls silent for too long, the group is killed. The
 * program dies with us when nobody can tell it to.
 */
#ifndef BASE_TOOL_H
#define BASE_TOOL_H

#include "base/mem.h"
#include "base/str.h"

struct err;

#define TOOL_ERRORS_MAX ((size_t)16 * 1024) /* bytes of the end of standard error that are kept */

struct tool {
	const char *const *argv; /* NULL-terminated; [0] is searched in PATH */
	const char *const
		*environment; /* NULL-terminated "NAME=value"; its PATH is the one searched */
	int dir_fd;           /* where it runs; -1: where we are */
	int out_fd;           /* its standard output, borrowed; -1: it goes to `out` */
	struct buf *out;      /* gets it, up to its ceiling; NULL: thrown away */
	unsigned silence;     /* milliseconds without a word on either output; 0: any */
	void (*hear)(void *ear, struct str text); /* standard error as it comes; may be NULL */
	void *ear;
};

struct tool_end {
	int code;     /* as base/process.h has it */
	char *errors; /* owned; the end of its standard error, trimmed; outside text, never NULL */
};

void tool_end_release(struct tool_end *end);

static inline void tool_end_auto_(struct tool_end *end)
{
	tool_end_release(end);
}

/* ERR_NOT_FOUND if there is no such program, ERR_NETWORK if it fell silent, ERR_INVALID if it said
 * more than `out` takes. A code other than 0 is no error of ours. */
struct err *tool_run(const struct tool *tool, struct tool_end *ret) MUST_USE;

#endif
