/* tests/unit/test_pretence.c - what processes are told of their ids is what the kernel would have said. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "overlay/pretence.h"

#define CALLS 8
#define SEQUENCES 600

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
	{ PRETENCE_PRCTL, SYS_prctl },         { PRETENCE_CAPSET, SYS_capset },
};

/* Options of prctl(2) with their values, and sets of capabilities as effective and permitted. */
static const uint32_t options[][2] = {
	{ PR_SET_KEEPCAPS, 1 },
	{ PR_SET_KEEPCAPS, 0 },
	{ PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP },
	{ PR_SET_SECUREBITS, SECBIT_KEEP_CAPS },
	{ PR_SET_SECUREBITS, 0 },
};
static const uint32_t sets[][2] = {
	{ 1 << CAP_SETUID, 1 << CAP_SETUID },
	{ 0, 1 << CAP_SETUID | 1 << CAP_SETGID },
	{ 1 << CAP_SETGID, 1 << CAP_SETUID | 1 << CAP_SETGID },
	{ 0, 0 },
};
static const struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

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
		if (changes[which].call == PRETENCE_PRCTL)
			memcpy(calls[i].ids, options[random_below(ARRAY_SIZE(options))],
			       sizeof(options[0]));
		if (changes[which].call == PRETENCE_CAPSET)
			memcpy(calls[i].ids, sets[random_below(ARRAY_SIZE(sets))], sizeof(sets[0]));
	}
}

/* The arguments of the call; `data` is for those of capset(2). */
static void make_args(const struct call *call, struct __user_cap_data_struct data[static 2],
		      uint64_t args[static 3])
{
	memset(data, 0, 2 * sizeof(*data));
	data[0].effective = call->ids[0];
	data[0].permitted = call->ids[1];
	for (int i = 0; i < 3; i++)
		args[i] = call->ids[i];
	if (call->call != PRETENCE_CAPSET)
		return;
	args[0] = (uintptr_t)&header;
	args[1] = (uintptr_t)data;
}

/* In a child: it cannot come back. */
static void ask_kernel(const struct call calls[static CALLS], int fd)
{
	for (int i = 0; i < CALLS; i++) {
		struct __user_cap_data_struct data[2];
		struct outcome outcome = { 0 };
		uint64_t args[3];

		make_args(&calls[i], data, args);
		outcome.result = syscall(calls[i].number, args[0], args[1], args[2], 0, 0);
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
	struct __user_cap_data_struct data[2];
	struct outcome outcome = { 0 };
	uint64_t args[3];

	make_args(call, data, args);
	outcome.result = ask(pretence, call->call, args[0], args[1], args[2]);
	if (outcome.result == PRETENCE_CONTINUE)
		outcome.result = 0;
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

/* In the order that the kernel gives them, which is its own. */
TEST(groups_are_told_in_the_order_of_the_kernel)
{
	static const uint32_t orders[][4] = {
		{ 4, 3, 2, 1 }, { 7, 7, 0, 7 }, { 70000, 1, 65536, 2 }, { 1, 4294967294U, 0, 5 }
	};
	AUTO(pretence) struct pretence *pretence = pretence_new(NULL, 0);

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		uint32_t told[4] = { 0 }, real[4] = { 0 };
		int ends[2];
		pid_t child;

		assert_int_equal(pipe(ends), 0);
		child = fork();
		if (child == 0) {
			syscall(SYS_setgroups, 4, orders[i]);
			syscall(SYS_getgroups, 4, real);
			_exit(write(ends[1], real, sizeof(real)) != sizeof(real));
		}
		assert_int_equal(read(ends[0], real, sizeof(real)), sizeof(real));
		assert_int_equal(waitpid(child, NULL, 0), child);
		close(ends[0]);
		close(ends[1]);
		assert_int_equal(ask(pretence, PRETENCE_SETGROUPS, 4, (uintptr_t)orders[i], 0), 0);
		assert_int_equal(ask(pretence, PRETENCE_GETGROUPS, 4, (uintptr_t)told, 0), 4);
		assert_memory_equal(told, real, sizeof(real));
	}
}

TEST(groups_are_kept_and_only_root_changes_them)
{
	const gid_t first[] = { 4, 5 };
	const uint32_t wanted[] = { 70000, 33 };
	const uint32_t bad[] = { 33, UINT32_MAX };
	uint16_t narrow[] = { 9, 7, 8 };
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
	assert_int_equal(groups[0], 7);
	assert_int_equal(groups[2], 9);
	assert_int_equal(ask(pretence, PRETENCE_SETGROUPS, 2, (uintptr_t)bad, 0), -EINVAL);
	narrow[1] = 0xffff; /* it means -1 */
	assert_int_equal(pretence_answer(pretence, &narrow_question), -EINVAL);
	assert_int_equal(ask(pretence, PRETENCE_GETGROUPS, 4, (uintptr_t)groups, 0), 3);
	assert_int_equal(ask(pretence, PRETENCE_SETGROUPS, 70000, (uintptr_t)wanted, 0), -EINVAL);
	assert_int_equal(ask(pretence, PRETENCE_SETGROUPS, 2, 1, 0), -EFAULT);
	assert_int_equal(ask(pretence, PRETENCE_SETUID, 1000, 0, 0), 0);
	assert_int_equal(ask(pretence, PRETENCE_SETGROUPS, 0, 0, 0), -EPERM);
}

static int in_proc(__attribute__((unused)) void **state)
{
	return chdir("/proc");
}

/* A child that lives until the pipe is closed. */
static pid_t start_child(const int life[static 2])
{
	const pid_t pid = fork();
	char end;

	if (pid == 0) {
		close(life[1]);
		_exit(read(life[0], &end, 1) == 0 ? 0 : 1);
	}
	return pid;
}

static int64_t ask_for(struct pretence *pretence, pid_t pid, enum pretence_call call, uint64_t id)
{
	const uint64_t args[6] = { id };
	const struct pretence_question question = { .call = call, .pid = pid, .args = args };

	return pretence_answer(pretence, &question);
}

static void end_children(const int life[static 2])
{
	close(life[1]);
	close(life[0]);
	while (wait(NULL) > 0)
		;
}

TEST(a_child_believes_what_its_parent_did_when_it_was_born)
{
	AUTO(pretence) struct pretence *pretence = pretence_new(NULL, 0);
	int life[2];
	pid_t child;

	assert_int_equal(pipe(life), 0);
	assert_int_equal(ask(pretence, PRETENCE_SETRESUID, 1000, 1000, 0), 0);
	child = start_child(life);
	assert_int_equal(ask(pretence, PRETENCE_SETRESUID, 0, 0, 0), 0);
	assert_int_equal(ask_for(pretence, child, PRETENCE_GETUID, 0), 1000);
	assert_int_equal(ask_for(pretence, child, PRETENCE_GETEGID, 0), 0);
	assert_int_equal(ask(pretence, PRETENCE_GETUID, 0, 0, 0), 0);
	assert_int_equal(ask_for(pretence, 1, PRETENCE_GETUID, 0), 0); /* nobody's child */
	end_children(life);
}

TEST(an_orphan_believes_what_its_parent_did)
{
	AUTO(pretence) struct pretence *pretence = pretence_new(NULL, 0);
	int life[2], told[2], go[2], status;
	pid_t parent, orphan;
	char end;

	assert_int_equal(pipe(life) | pipe(told) | pipe(go), 0);
	parent = fork();
	if (parent == 0) {
		close(life[1]);
		close(go[1]);
		if (read(go[0], &end, 1) != 0) /* until it is another user */
			_exit(1);
		orphan = start_child(life);
		_exit(write(told[1], &orphan, sizeof(orphan)) != sizeof(orphan));
	}
	assert_int_equal(ask_for(pretence, parent, PRETENCE_SETUID, 1000), 0);
	close(go[1]);
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_int_equal(status, 0);
	assert_int_equal(read(told[0], &orphan, sizeof(orphan)), sizeof(orphan));
	assert_int_equal(ask_for(pretence, orphan, PRETENCE_GETUID, 0), 1000);
	assert_int_equal(ask_for(pretence, orphan, PRETENCE_SETUID, 0), -EPERM);
	close(told[0]);
	close(told[1]);
	close(go[0]);
	end_children(life);
}

/* Each its own. */
TEST(many_processes_believe_at_once)
{
	enum { MANY = 700 };
	AUTO(pretence) struct pretence *pretence = pretence_new(NULL, 0);
	static pid_t children[MANY];
	int life[2];

	assert_int_equal(pipe(life), 0);
	for (unsigned i = 0; i < MANY; i++) {
		children[i] = start_child(life);
		assert_true(children[i] > 0);
		assert_int_equal(ask_for(pretence, children[i], PRETENCE_SETUID, i + 1), 0);
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(ask_for(pretence, children[i], PRETENCE_GETUID, 0), i + 1);
	end_children(life);
}

/* What is believed is bounded, whoever asks; and what has been believed can be again. */
TEST(what_was_believed_before_is_believed_when_there_is_no_room_left)
{
	enum { MOST = 4096 };
	AUTO(pretence) struct pretence *pretence = pretence_new(NULL, 0);
	int life[2];
	pid_t child;

	assert_int_equal(pipe(life), 0);
	child = start_child(life);
	for (unsigned i = 1; i < MOST; i++)
		assert_int_equal(ask_for(pretence, child, PRETENCE_SETGID, i), 0);
	assert_int_equal(ask_for(pretence, child, PRETENCE_SETGID, MOST), -EAGAIN);
	assert_int_equal(ask_for(pretence, child, PRETENCE_GETGID, 0), MOST - 1);
	assert_int_equal(ask_for(pretence, child, PRETENCE_SETGID, 7), 0);
	assert_int_equal(ask_for(pretence, child, PRETENCE_SETGID, 0), 0);
	assert_int_equal(ask_for(pretence, child, PRETENCE_GETGID, 0), 0);
	end_children(life);
}

/* What carries a belief is "unlimited" to those who look, in the size that they look for. */
TEST(the_limit_that_carries_a_belief_is_not_seen)
{
	AUTO(pretence) struct pretence *pretence = pretence_new(NULL, 0);
	uint64_t limit[3] = { 1, 2, 3 };
	const uint64_t args[6] = { RLIMIT_LOCKS, (uintptr_t)limit };
	struct pretence_question question = { .pid = getpid(), .args = args };

	assert_int_equal(ask(pretence, PRETENCE_SETUID, 33, 0, 0), 0);
	question.call = PRETENCE_GETRLIMIT;
	assert_int_equal(pretence_answer(pretence, &question), 0);
	assert_true(limit[0] == UINT64_MAX && limit[1] == UINT64_MAX && limit[2] == 3);
	limit[0] = limit[1] = 5;
	question.narrow = true;
	assert_int_equal(pretence_answer(pretence, &question), 0);
	assert_true(limit[0] == UINT64_MAX && limit[1] == 5);
	question.call = PRETENCE_GETRLIMIT_OLD;
	assert_int_equal(pretence_answer(pretence, &question), 0);
	assert_true(limit[0] == 0x7fffffff7fffffff && limit[1] == 5);
	assert_int_equal(ask(pretence, PRETENCE_GETRLIMIT, RLIMIT_LOCKS, 1, 0), -EFAULT);
}

/* A saved id of root's, and what else can be kept, is gone with the next program. */
TEST(another_program_has_not_what_was_saved)
{
	AUTO(pretence) struct pretence *pretence = pretence_new(NULL, 0);
	const uint64_t ids[6] = { 1000, 1000, 0 };
	struct pretence_question question = { .call = PRETENCE_SETRESUID, .args = ids };
	int life[2], go[2], begun[2];
	pid_t child;
	char end;

	assert_int_equal(pipe(life) | pipe2(go, O_CLOEXEC) | pipe2(begun, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		close(life[1]);
		close(go[1]);
		if (dup2(life[0], 0) == 0 && read(go[0], &end, 1) == 0)
			execl("/bin/cat", "cat", NULL);
		_exit(1);
	}
	close(begun[1]);
	question.pid = child;
	assert_int_equal(ask_for(pretence, child, PRETENCE_SETGID, 7), 0);
	assert_int_equal(pretence_answer(pretence, &question), 0);
	close(go[1]);
	assert_int_equal(read(begun[0], &end, 1), 0); /* closed by execve(2) */
	assert_int_equal(ask_for(pretence, child, PRETENCE_GETUID, 0), 1000);
	assert_int_equal(ask_for(pretence, child, PRETENCE_SETUID, 0), -EPERM);
	assert_int_equal(ask_for(pretence, child, PRETENCE_GETGID, 0), 7);
	close(begun[0]);
	close(go[0]);
	end_children(life);
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
		cmocka_unit_test(groups_are_told_in_the_order_of_the_kernel),
		cmocka_unit_test(groups_are_kept_and_only_root_changes_them),
		cmocka_unit_test(a_child_believes_what_its_parent_did_when_it_was_born),
		cmocka_unit_test(an_orphan_believes_what_its_parent_did),
		cmocka_unit_test(many_processes_believe_at_once),
		cmocka_unit_test(what_was_believed_before_is_believed_when_there_is_no_room_left),
		cmocka_unit_test(the_limit_that_carries_a_belief_is_not_seen),
		cmocka_unit_test(another_program_has_not_what_was_saved),
		cmocka_unit_test(nothing_is_written_for_who_waits_no_more),
	};

	return cmocka_run_group_tests(tests, in_proc, NULL);
}
