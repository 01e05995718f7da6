/*
 * cli/relay.h - between our terminal, or pipes, and a running container.
 *
 * With a terminal of its own (-t) the container's master is joined with our
 * standard input and output: ours is put into raw mode, so that every key,
 * Ctrl-C included, goes to the container, and its size is passed on whenever it
 * changes. Without one, what the container writes comes through pipes where we
 * have a terminal (it must not get hold of ours), else it has our own
 * descriptors.
 *
 * Process 1 of a container survives a broken pipe. So when nobody reads our
 * standard output any more the container is killed, with the code of SIGPIPE.
 *
 * Signals that we get are passed on to process 1 of the container, which ignores
 * those for which it has no handler. So one that has not ended ten seconds after
 * a SIGINT or SIGTERM is killed, and a third SIGINT kills at once: whoever presses
 * ^C again and again means it.
 */
#ifndef CLI_RELAY_H
#define CLI_RELAY_H

#include <stdbool.h>

#include "base/mem.h"

struct err;
struct relay;
struct sandbox_result;
struct sandbox_run;
struct sandbox_spec;

/* Before it starts, with the idmap of `spec`. Prepares descriptors: fills stdin_fd, stdout_fd, stderr_fd and tty of `spec`.
 * `interactive`: the container reads our standard input, else nothing. From now on signals wait
 * for relay_run(). ERR_USAGE for a tty without a terminal, ERR_CANCELLED after a signal. */
struct err *relay_new(bool interactive, bool tty, struct sandbox_spec *spec, struct relay **ret)
	MUST_USE;

/* Once it has started: move bytes until it ends, and tell how. */
struct err *relay_run(struct relay *relay, struct sandbox_run *run, struct sandbox_result *ret)
	MUST_USE;

/* Gives the terminal back. */
void relay_free(struct relay *relay);
DEFINE_AUTO(relay)

#endif
