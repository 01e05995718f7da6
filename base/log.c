/* base/log.c - see base/log.h. */

#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/str.h"
#include "base/text.h"

/* Who shows the lines, and its argument; both guarded by `lock`. NULL is print_plainly(). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*shown_by)(enum log_level level, const char *line, void *arg);
static void *shown_arg;

static atomic_int lowest_shown = LOG_INFO;

void log_set_level(enum log_level lowest)
{
	atomic_store(&lowest_shown, (int)lowest);
}

void log_set_handler(void (*handler)(enum log_level level, const char *line, void *arg), void *arg)
{
	pthread_mutex_lock(&lock);
	shown_by = handler;
	shown_arg = arg;
	pthread_mutex_unlock(&lock);
}

/* One write(2), so that lines of several threads or programs do not mix. */
static void print_plainly(enum log_level level, const char *line)
{
	AUTO(buf) struct buf out = BUF_INIT(4 * strlen(line) + 16); /* escapes, prefix, newline */
	ssize_t ignored;

	if (level == LOG_WARN)
		buf_adds(&out, "warning: ");
	if (level == LOG_DEBUG)
		buf_adds(&out, "debug: ");
	text_escape(&out, str_of(line), "\t");
	buf_addc(&out, '\n');
	ignored = write(STDERR_FILENO, out.at, out.len); /* there is nobody left to tell */
	(void)ignored;
}

static void log_line(enum log_level level, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
static void log_line(enum log_level level, const char *fmt, va_list args)
{
	void (*handler)(enum log_level, const char *, void *);
	AUTO(mem) char *line = NULL;
	int saved = errno; /* a remark between a failure and err_sys() must not change it */
	void *arg;

	if ((int)level < atomic_load_explicit(&lowest_shown, memory_order_relaxed))
		return;
	line = xvasprintf(fmt, args);
	pthread_mutex_lock(&lock);
	handler = shown_by;
	arg = shown_arg;
	pthread_mutex_unlock(&lock);
	if (handler)
		handler(level, line, arg);
	else
		print_plainly(level, line);
	errno = saved;
}

void log_debug(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_DEBUG, fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_INFO, fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_WARN, fmt, args);
	va_end(args);
}
