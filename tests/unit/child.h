/*
 * tests/unit/child.h - test bodies that need a process of their own.
 *
 * A body returns true when all is well. It must not use cmocka's asserts, which
 * would jump into the parent's list of tests; CHECK() is for it.
 */
#ifndef TESTS_UNIT_CHILD_H
#define TESTS_UNIT_CHILD_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			return false;                                                   \
		}                                                                       \
	} while (0)

/* `expr` must succeed, in a body. */
#define CHECK_OK(expr)                                                                      \
	do {                                                                                \
		AUTO(err) struct err *err_ = (expr);                                        \
		if (err_) {                                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, err_text(err_)); \
			return false;                                                       \
		}                                                                           \
	} while (0)

/* Start `body(arg)` in a child, which dies of SIGALRM after two minutes. */
static inline pid_t child_start(bool (*body)(void *arg), void *arg)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(120);
		_exit(body(arg) ? 0 : 1);
	}
	return pid;
}

/* Its exit code, or 128 and the signal that killed it. */
static inline int child_wait(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static inline void child_run(bool (*body)(void *arg), void *arg)
{
	assert_int_equal(child_wait(child_start(body, arg)), 0);
}

#endif
