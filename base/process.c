/* base/process.c - see base/process.h. */

#include "base/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/err.h"

struct process_end process_decode(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return (struct process_end){ .code = 128 + WTERMSIG(wait_status),
					     .signal = WTERMSIG(wait_status) };
	return (struct process_end){ .code = WEXITSTATUS(wait_status) };
}

const char *signal_name(int number, char buf[static SIGNAL_NAME_SIZE])
{
	const char *abbreviation = sigabbrev_np(number);

	if (abbreviation)
		snprintf(buf, SIGNAL_NAME_SIZE, "SIG%s", abbreviation);
	else
		snprintf(buf, SIGNAL_NAME_SIZE, "signal %d", number);
	return buf;
}

struct err *process_wait(int pidfd, struct process_end *ret)
{
	siginfo_t info = { 0 };

	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return err_sys("wait for a process");
	if (info.si_code == CLD_EXITED)
		*ret = (struct process_end){ .code = info.si_status };
	else
		*ret = (struct process_end){ .code = 128 + info.si_status,
					     .signal = info.si_status };
	return NULL;
}

struct err *process_signal(int pidfd, int number)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 && errno != ESRCH)
		return err_sys("send signal %d", number);
	return NULL;
}
