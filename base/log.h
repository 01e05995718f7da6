/*
 * base/log.h - remarks for the person who runs the program, and nothing else.
 *
 * Errors are returned, not logged. A warning is something that the user should
 * know although the command goes on; info is shown by default, debug with
 * --debug. Lines go to stderr through the handler that the front end installs
 * (so that a live display is not torn), by default plainly. Outside text in a
 * line is escaped by the handler. Callable from any thread; errno stays.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/mem.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN };

void log_set_level(enum log_level lowest);
/* `line` has no newline at its end and is not escaped. The handler is called on any thread, on
 * several at once. NULL restores the default; a call that has begun may then still run. */
void log_set_handler(void (*handler)(enum log_level level, const char *line, void *arg), void *arg);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
