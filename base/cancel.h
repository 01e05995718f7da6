/*
 * base/cancel.h - one flag that says: stop what you are doing.
 *
 * SIGINT, SIGTERM and SIGHUP set it (cancel_catch_signals(), once, in main);
 * so does the first failure inside a group of workers for that group. Long
 * loops ask cancel_check(); blocking calls are interrupted by the signal
 * because it is caught without SA_RESTART. (Only one thread's call is: another
 * thread that may block for long polls cancel_fd() beside what it waits for.)
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <stdbool.h>

#include "base/mem.h"

struct err;

/* A signal that was ignored when the program started (nohup, a shell's background job) stays
 * ignored. */
void cancel_catch_signals(void);
int cancel_signal(void); /* the signal that asked for the end, or 0 */
/* ERR_CANCELLED "interrupted" once a signal has come. */
struct err *cancel_check(void) MUST_USE;
/* A descriptor that becomes readable when a signal has come, for poll(2). Never closed, never
 * read by anyone. -1 before cancel_catch_signals(). */
int cancel_fd(void);

#endif
