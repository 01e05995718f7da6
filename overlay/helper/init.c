/*
 * overlay/helper/init.c - a first process that is not the command.
 *
 * The kernel protects process 1 of a namespace from signals that it has no handler for,
 * and gives it every orphan to wait for; most programs do not reckon with either. With
 * `--init` this program stays process 1: it hands signals on to the command, waits for
 * everybody, and ends when the command does.
 */

#include "overlay/helper/helper.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Wait for all who have ended. Ends when the command has. */
static void reap(pid_t command)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command)
			_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

noreturn static void stay(pid_t command, const sigset_t *all)
{
	siginfo_t info;

	for (;;) {
		int number = sigwaitinfo(all, &info);

		if (number == SIGCHLD)
			reap(command);
		else if (number > 0)
			kill(command, number);
	}
}

void init_split(const struct step *step)
{
	sigset_t all, before;
	pid_t command;

	if (!(step->request->flags & REQUEST_INIT))
		return;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	command = fork();
	if (command < 0)
		step_fail(step, STAGE_EXEC, "the command beside an init");
	if (command == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return;
	}
	close(step->report_fd);
	prctl(PR_SET_NAME, "init");
	stay(command, &all);
}
