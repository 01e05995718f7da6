/*
 * cli/signals.h - the signals that we get, as something to read.
 *
 * For a program that stands in front of another one and passes signals on. While
 * they are caught each arrives in a pipe, so that poll(2) hears of it beside
 * everything else, in the order in which they came and as often.
 *
 * Not caught: what cannot be (SIGKILL, SIGSTOP), what a fault of our own raises
 * (SIGSEGV and its like, SIGPIPE, the limits), news of our children, and what a
 * terminal stops a job with (^Z stops us, and us alone). A signal that was
 * ignored when we started stays ignored: nohup and background jobs mean it.
 *
 * There is one set of signals in a process, and so one pipe: no two callers.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "base/mem.h"

struct err;

/* From now on. `*ret_fd` is readable when a signal waits; it is ours. */
struct err *signals_catch(int *ret_fd) MUST_USE;

/* The next signal, or 0 when none waits. */
int signals_next(void);

/* Handlers are what they were. Harmless without signals_catch(). */
void signals_release(void);

#endif
