/*
 * cli/message.h - errors and remarks as lines on standard error.
 *
 * Each message is one write of whole lines; outside text is escaped. Labels are
 * coloured where the terminal and the user (NO_COLOR) want it.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include <stdbool.h>

#include "base/log.h"
#include "base/str.h"

struct err;

#define MESSAGE_MAX ((size_t)1024 * 1024)

/* Append one remark with its newline: "warning: ...". */
void message_format_log(enum log_level level, const char *text, bool colours, struct buf *out);
/* Append "warning: RULE: ..." and the lines that it is about; `rule` and `excerpt` may be NULL. */
void message_format_remark(const char *rule, const char *text, const char *excerpt, bool colours,
			   struct buf *out);
/* Append "error: ..." and the notes below it, with a newline at the end. */
void message_format_error(const struct err *err, bool colours, struct buf *out);

/* The handler of base/log for commands without a live display. */
void message_log(enum log_level level, const char *text, void *arg);

#endif
