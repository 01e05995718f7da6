/* cli/signals.c - see cli/signals.h. */

#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/err.h"

static int read_fd = -1;
static atomic_int write_fd = -1; /* all that the handler looks at */
static struct sigaction before[NSIG];
static bool caught[NSIG];

static const int left_alone[] = { SIGKILL, SIGSTOP, SIGCHLD, SIGURG,  SIGPIPE, SIGTSTP,
				  SIGTTIN, SIGTTOU, SIGABRT, SIGBUS,  SIGFPE,  SIGILL,
				  SIGSEGV, SIGSYS,  SIGTRAP, SIGXCPU, SIGXFSZ };

static void handle(int number)
{
	const unsigned char byte = (unsigned char)number;
	int saved = errno;
	/* Fails only when thousands wait already. */
	ssize_t put = write(atomic_load(&write_fd), &byte, 1);

	(void)put;
	errno = saved;
}

static bool is_wanted(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(left_alone); i++)
		if (left_alone[i] == number)
			return false;
	return number < SIGSYS || (number >= SIGRTMIN && number <= SIGRTMAX);
}

static void catch_one(int number)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };

	if (sigaction(number, NULL, &before[number]) < 0 || before[number].sa_handler == SIG_IGN)
		return;
	sigemptyset(&action.sa_mask);
	caught[number] = sigaction(number, &action, NULL) == 0;
}

struct err *signals_catch(int *ret_fd)
{
	int ends[2];

	signals_release();
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys("make a pipe for signals");
	read_fd = *ret_fd = ends[0];
	atomic_store(&write_fd, ends[1]);
	for (int number = 1; number < NSIG; number++)
		if (is_wanted(number))
			catch_one(number);
	return NULL;
}

int signals_next(void)
{
	unsigned char byte;

	return read_fd >= 0 && read(read_fd, &byte, 1) == 1 ? byte : 0;
}

void signals_release(void)
{
	for (int number = 1; number < NSIG; number++) {
		if (caught[number])
			sigaction(number, &before[number], NULL);
		caught[number] = false;
	}
	if (read_fd < 0)
		return;
	close(read_fd);
	close(atomic_exchange(&write_fd, -1));
	read_fd = -1;
}
