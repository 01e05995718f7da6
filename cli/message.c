/* cli/message.c - see cli/message.h. */

#include "cli/message.h"

#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/term.h"

static void add_line(struct buf *out, const char *label, const char *colour, const char *text)
{
	buf_addf(out, "%s%s%s", colour, label, colour[0] ? TERM_RESET : "");
	text_escape(out, str_of(text), NULL);
	buf_addc(out, '\n');
}

void message_format_log(enum log_level level, const char *text, bool colours, struct buf *out)
{
	switch (level) {
	case LOG_WARN:
		add_line(out, "warning: ", colours ? TERM_YELLOW : "", text);
		break;
	case LOG_INFO:
		add_line(out, "", "", text);
		break;
	case LOG_DEBUG:
		add_line(out, "debug: ", colours ? TERM_FAINT : "", text);
		break;
	}
}

void message_format_remark(const char *rule, const char *text, const char *excerpt, bool colours,
			   struct buf *out)
{
	AUTO(mem)
	char *line = xasprintf("%s%s%s", rule ? rule : "", rule ? ": " : "", text ? text : "");

	message_format_log(LOG_WARN, line, colours, out);
	if (!excerpt)
		return;
	text_escape(out, str_of(excerpt), "\n\t");
	buf_addc(out, '\n');
}

void message_format_error(const struct err *err, bool colours, struct buf *out)
{
	add_line(out, "error: ", colours ? TERM_RED : "", err_text(err));
	if (!err_notes(err))
		return;
	text_escape(out, str_of(err_notes(err)), "\n\t");
	buf_addc(out, '\n');
}

void message_log(enum log_level level, const char *text, void *arg)
{
	AUTO(buf) struct buf line = BUF_INIT(MESSAGE_MAX);

	(void)arg;
	message_format_log(level, text, term_has_colours(STDERR_FILENO), &line);
	fputs(line.at, stderr);
}
