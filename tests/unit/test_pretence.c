/* tests/unit/test_pretence.c - what processes are told of their ids is what the kernel would have said. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "overlay/pretence.h"

#define CALLS 8
#define SEQUENCES 300

/* The ids after a call, and what it returned. */
struct outcome {
	int64_t result;
	uint32_t user[3], group[3];
};

struct call {
	enum pretence_call call;
	long number;
	uint32_t ids[3];
};

static const struct {
	enum pretence_call call;
	long number;
} changes[] = {
	{ PRETENCE_SETUID, SYS_setuid },       { PRETENCE_SETGID, SYS_setgid },
	{ PRETENCE_SETREUID, SYS_setreuid },   { PRETENCE_SETREGID, SYS_setregid },
	{ PRETENCE_SETRESUID, SYS_setresuid }, { PRETENCE_SETRESGID, SYS_setresgid },
};

static uint32_t seed;

static uint32_t random_below(uint32_t limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 16) % limit;
}

static void make_calls(struct call calls[static CALLS])
{
	static const uint32_t ids[] = { 0, 1, 2, UINT32_MAX };

	for (int i = 0; i < CALLS; i++) {
		const size_t which = random_below(ARRAY_SIZE(changes));

		calls[i] = (struct call){ changes[which].call, changes[which].number, { 0 } };
		for (int k = 0; k < 3; k++)
			calls[i].ids[k] = ids[random_below(ARRAY_SIZE(ids))];
	}
}

/* In a child: it cannot come back. */
static void ask_kernel(const struct call calls[static CALLS], int fd)
{
	for (int i = 0; i < CALLS; i++) {
		struct outcome outcome = { 0 };

		outcome.result =
			syscall(calls[i].number, calls[i].ids[0], calls[i].ids[1], calls[i].ids[2]);
		outcome.result = outcome.result < 0 ? -errno : outcome.result;
		syscall(SYS_getresuid, &outcome.user[0], &outcome.user[1], &outcome.user[2]);
		syscall(SYS_getresgid, &outcome.group[0], &outcome.group[1], &outcome.group[2]);
		(void)!write(fd, &outcome, sizeof(outcome));
	}
	_exit(0);
}

static int64_t ask(struct pretence *pretence, enum pretence_call call, uint64_t a, uint64_t b,
		   uint64_t c)
{
	const uint64_t args[6] = { a, b, c };
	const struct pretence_question question = { .call = call, .pid = getpid(), .args = args };

	return pretence_answer(pretence, &question);
}

static struct outcome pretend(struct pretence *pretence, const struct call *call)
{
	struct outcome outcome = { 0 };

	outcome.result = ask(pretence, call->call, call->ids[0], call->ids[1], call->ids[2]);
	assert_int_equal(ask(pretence, PRETENCE_GETRESUID, (uintptr_t)&outcome.user[0],
			     (uintptr_t)&outcome.user[1], (uintptr_t)&outcome.user[2]),
			 0);
	assert_int_equal(ask(pretence, PRETENCE_GETRESGID, (uintptr_t)&outcome.group[0],
			     (uintptr_t)&outcome.group[1], (uintptr_t)&outcome.group[2]),
			 0);
	return outcome;
}

TEST(ids_change_as_the_kernel_changes_them)
{
	if (geteuid() != 0)
		skip();
	for (seed = 0; seed < SEQUENCES;) {
		AUTO(pretence) struct pretence *pretence = pretence_new(NULL, 0);
		const uint32_t next = seed + 1;
		struct call calls[CALLS];
		int ends[2];
		pid_t child;

		make_calls(calls);
		assert_int_equal(pipe(ends), 0);
		child = fork();
		if (child == 0)
			ask_kernel(calls, ends[1]);
		close(ends[1]);
		for (int i = 0; i < CALLS; i++) {
			struct outcome real, told = pretend(pretence, &calls[i]);

			assert_int_equal(read(ends[0], &real, sizeof(real)), sizeof(real));
			assert_memory_equal(&told, &real, sizeof(real));
		}
		close(ends[0]);
		assert_int_equal(waitpid(child, NULL, 0), child);
		seed = next;
	}
}

TEST(groups_are_kept_and_only_root_changes_them)
{
	const gid_t first[] = { 4, 5 };
	const uint32_t wanted[] = { 33, 70000 };
	uint16_t narrow[] = { 7, 8, 9 };
	uint32_t groups[4] = { 0 };
	const uint64_t narrow_args[6] = { 3, (uintptr_t)narrow };
	const struct pretence_question narrow_question = {
		.call = PRETENCE_SETGROUPS, .narrow = true, .pid = getpid(), .args = narrow_args
	};
	AUTO(pretence) struct pretence *pretence = pretence_new(first, 2);

	assert_int_equal(ask(pretence, PRETENCE_GETGROUPS, 0, 0, 0), 2);
	assert_int_equal(ask(pretence, PRETENCE_GETGROUPS, 1, (uintptr_t)groups, 0), -EINVAL);
	assert_int_equal(ask(pretence, PRETENCE_GETGROUPS, 4, (uintptr_t)groups, 0), 2);
	assert_int_equal(groups[1], 5);
	assert_int_equal(ask(pretence, PRETENCE_SETGROUPS, 2, (uintptr_t)wanted, 0), 0);
	assert_int_equal(ask(pretence, PRETENCE_GETGROUPS, 4, (uintptr_t)groups, 0), 2);
	assert_int_equal(groups[1], 70000);
	assert_int_equal(pretence_answer(pretence, &narrow_question), 0);
	assert_int_equal(ask(pretence, PRETENCE_GETGROUPS, 4, (uintptr_t)groups, 0), 3);
	assert_int_equal(groups[2], 9);
	assert_int_equal(ask(pretence, PRETENCE_SETGROUPS, 70000, (uintptr_t)wanted, 0), -EINVAL);
	assert_int_equal(ask(pretence, PRETENCE_SETGROUPS, 2, 1, 0), -EFAULT);
	assert_int_equal(ask(pretence, PRETENCE_SETUID, 1000, 0, 0), 0);
	assert_int_equal(ask(pretence, PRETENCE_SETGROUPS, 0, 0, 0), -EPERM);
}

static int in_proc(__attribute__((unused)) void **state)
{
	return chdir("/proc");
}

/* A child asks: by its own id, which nobody has seen before. */
TEST(a_child_believes_what_its_parent_did)
{
	AUTO(pretence) struct pretence *pretence = pretence_new(NULL, 0);
	const uint64_t args[6] = { 0 };
	struct pretence_question question = { .call = PRETENCE_GETUID, .args = args };
	int ends[2];
	char end;

	assert_int_equal(ask(pretence, PRETENCE_SETUID, 1000, 0, 0), 0);
	assert_int_equal(pipe(ends), 0);
	question.pid = fork();
	if (question.pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], &end, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(pretence_answer(pretence, &question), 1000);
	question.call = PRETENCE_GETEGID;
	assert_int_equal(pretence_answer(pretence, &question), 0);
	/* init is nobody's child */
	question.pid = 1;
	question.call = PRETENCE_GETUID;
	assert_int_equal(pretence_answer(pretence, &question), 0);
	close(ends[1]);
	close(ends[0]);
	while (wait(NULL) > 0)
		;
}

static bool nobody_waits(const void *arg)
{
	(void)arg;
	return false;
}

/* Its number may be another's already. */
TEST(nothing_is_written_for_who_waits_no_more)
{
	AUTO(pretence) struct pretence *pretence = pretence_new(NULL, 0);
	uint32_t ids[3] = { 7, 7, 7 };
	const uint64_t places[6] = { (uintptr_t)&ids[0], (uintptr_t)&ids[1], (uintptr_t)&ids[2] };
	const uint64_t wanted[6] = { 1000 };
	struct pretence_question question = {
		.call = PRETENCE_GETRESUID,
		.pid = getpid(),
		.args = places,
		.still_asked = nobody_waits,
	};

	assert_true(pretence_answer(pretence, &question) < 0);
	assert_int_equal(ids[0] + ids[1] + ids[2], 21);
	question.call = PRETENCE_SETUID;
	question.args = wanted;
	assert_int_equal(pretence_answer(pretence, &question), -EINTR);
	assert_int_equal(ask(pretence, PRETENCE_GETUID, 0, 0, 0), 0);
	assert_int_equal(ask(pretence, PRETENCE_GETRESUID, places[0], places[1], places[2]), 0);
	assert_int_equal(ids[0] + ids[1] + ids[2], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_change_as_the_kernel_changes_them),
		cmocka_unit_test(groups_are_kept_and_only_root_changes_them),
		cmocka_unit_test(a_child_believes_what_its_parent_did),
		cmocka_unit_test(nothing_is_written_for_who_waits_no_more),
	};

	return cmocka_run_group_tests(tests, in_proc, NULL);
}
