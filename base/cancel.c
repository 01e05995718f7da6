/* base/cancel.c - the handler sets the flag first and rings second, so who hears sees it. */

#include "base/cancel.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "base/err.h"

static atomic_int caught;    /* the first signal; 0 before it */
static atomic_int bell = -1; /* an eventfd, rung once and never read */

static _Thread_local const struct cancel_scope *current;

static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler may touch only lock-free atomics");

static void handle(int signal)
{
	const uint64_t one = 1;
	int saved = errno;
	int none = 0;

	if (atomic_compare_exchange_strong(&caught, &none, signal)) {
		/* Cannot fail: this is the only write, and the counter is 0. */
		ssize_t rung = write(atomic_load(&bell), &one, sizeof(one));

		(void)rung;
	}
	errno = saved;
}

void cancel_catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction catch = { .sa_handler = handle }; /* no SA_RESTART, see the header */
	struct sigaction before;

	if (cancel_fd() < 0)
		atomic_store(&bell, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	sigemptyset(&catch.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &catch, NULL);
	}
}

int cancel_signal(void)
{
	return atomic_load_explicit(&caught, memory_order_relaxed);
}

struct err *cancel_check(void)
{
	if (cancel_signal())
		return err_new(ERR_CANCELLED, "interrupted");
	if (cancel_stopped(current))
		return err_new(ERR_CANCELLED, "stopped because something else failed");
	return NULL;
}

int cancel_fd(void)
{
	return atomic_load(&bell);
}

void cancel_stop(struct cancel_scope *scope)
{
	atomic_store(&scope->stopped, true);
}

bool cancel_stopped(const struct cancel_scope *scope)
{
	for (; scope; scope = scope->outer)
		if (atomic_load_explicit(&scope->stopped, memory_order_relaxed))
			return true;
	return cancel_signal() != 0;
}

const struct cancel_scope *cancel_enter(const struct cancel_scope *scope)
{
	const struct cancel_scope *before = current;

	current = scope;
	return before;
}

const struct cancel_scope *cancel_current(void)
{
	return current;
}
