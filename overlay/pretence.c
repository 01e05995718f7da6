/* overlay/pretence.c - see overlay/pretence.h. */

#include "overlay/pretence.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/vec.h"

#define GROUPS_MAX 64 /* of one process; more are left out */
#define BELIEVERS_MAX 512
#define ANCESTORS_MAX 64 /* how far up a belief is looked for */
#define KEEP UINT32_MAX

/* Users, or groups. */
struct ids {
	uint32_t real, effective, saved;
};

struct belief {
	struct ids user, group;
	uint32_t groups[GROUPS_MAX];
	size_t group_count;
};

/* A process that believes something else than it did at first. */
struct believer {
	pid_t pid;
	int pidfd; /* owned */
	struct belief belief;
};

struct pretence {
	struct belief first;
	struct {
		struct believer *at;
		size_t len, cap;
	} believers;
};

struct pretence *pretence_new(const gid_t *groups, size_t count)
{
	struct pretence *pretence = xcalloc(1, sizeof(*pretence));

	for (size_t i = 0; i < count && i < GROUPS_MAX; i++)
		pretence->first.groups[pretence->first.group_count++] = groups[i];
	return pretence;
}

void pretence_free(struct pretence *pretence)
{
	if (!pretence)
		return;
	vec_foreach (&pretence->believers, believer)
		close(believer->pidfd);
	vec_release(&pretence->believers);
	free(pretence);
}

/* ---- processes ---- */

static bool is_dead(const struct believer *believer)
{
	struct pollfd fd = { .fd = believer->pidfd, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

/* Forget those that are no more. */
static void forget_dead(struct pretence *pretence)
{
	size_t kept = 0;

	vec_foreach (&pretence->believers, believer)
		if (is_dead(believer))
			close(believer->pidfd);
		else
			pretence->believers.at[kept++] = *believer;
	pretence->believers.len = kept;
}

static struct believer *find(struct pretence *pretence, pid_t pid)
{
	vec_foreach (&pretence->believers, believer)
		if (believer->pid == pid && !is_dead(believer))
			return believer;
	return NULL;
}

/* The process of a thread, and its parent; 0 if it is gone. */
static void look_up(pid_t thread, pid_t *ret_process, pid_t *ret_parent)
{
	char path[32], text[1024];
	const char *process, *parent;
	ssize_t len;
	AUTO(fd) int fd = -1;

	*ret_process = *ret_parent = 0;
	snprintf(path, sizeof(path), "%d/status", (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return;
	text[len] = '\0';
	process = strstr(text, "\nTgid:\t");
	parent = strstr(text, "\nPPid:\t");
	if (process && parent) {
		*ret_process = (pid_t)strtol(process + 7, NULL, 10);
		*ret_parent = (pid_t)strtol(parent + 7, NULL, 10);
	}
}

/* What the process believes. NULL in `*ret_own` if that is not its own, but the first or an ancestor's. */
static const struct belief *belief_of(struct pretence *pretence, pid_t thread,
				      struct believer **ret_own, pid_t *ret_process)
{
	pid_t at = thread, parent;

	*ret_own = NULL;
	*ret_process = thread;
	if (pretence->believers.len == 0)
		return &pretence->first;
	*ret_own = find(pretence, thread);
	if (*ret_own)
		return &(*ret_own)->belief;
	for (int i = 0; i < ANCESTORS_MAX && at > 1; i++) {
		pid_t process;
		struct believer *found;

		look_up(at, &process, &parent);
		found = process ? find(pretence, process) : NULL;
		if (i == 0) {
			*ret_process = process ? process : thread;
			*ret_own = found;
		}
		if (found)
			return &found->belief;
		at = parent;
	}
	return &pretence->first;
}

/* The process of the thread, if nothing is known of it yet. */
static pid_t process_of(pid_t thread)
{
	pid_t process, parent;

	look_up(thread, &process, &parent);
	return process;
}

static bool is_still_asked(const struct pretence_question *q)
{
	return !q->still_asked || q->still_asked(q->arg);
}

static int keep(struct pretence *pretence, const struct pretence_question *q, pid_t process,
		const struct belief *belief)
{
	struct believer new = { .pid = process, .belief = *belief };

	forget_dead(pretence);
	if (pretence->believers.len == BELIEVERS_MAX)
		return -EAGAIN;
	new.pidfd = (int)syscall(SYS_pidfd_open, process, 0);
	if (new.pidfd < 0)
		return -EAGAIN;
	if (!is_still_asked(q)) {
		close(new.pidfd);
		return -EINTR;
	}
	vec_push(&pretence->believers, new);
	return 0;
}

/* ---- the rules ---- */

static bool is_one_of(const struct ids *ids, uint32_t id)
{
	return id == KEEP || id == ids->real || id == ids->effective || id == ids->saved;
}

static int set_one(struct ids *ids, bool may, uint32_t id)
{
	if (id == KEEP)
		return -EINVAL;
	if (may)
		*ids = (struct ids){ id, id, id };
	else if (id == ids->real || id == ids->saved)
		ids->effective = id;
	else
		return -EPERM;
	return 0;
}

static void take(uint32_t *ret, uint32_t id)
{
	if (id != KEEP)
		*ret = id;
}

static int set_two(struct ids *ids, bool may, uint32_t real, uint32_t effective)
{
	const struct ids old = *ids;

	if (!may && ((real != KEEP && real != old.real && real != old.effective) ||
		     !is_one_of(&old, effective)))
		return -EPERM;
	take(&ids->real, real);
	take(&ids->effective, effective);
	if (real != KEEP || (effective != KEEP && effective != old.real))
		ids->saved = ids->effective;
	return 0;
}

static int set_three(struct ids *ids, bool may, const uint32_t wanted[static 3])
{
	for (int i = 0; i < 3; i++)
		if (!may && !is_one_of(ids, wanted[i]))
			return -EPERM;
	take(&ids->real, wanted[0]);
	take(&ids->effective, wanted[1]);
	take(&ids->saved, wanted[2]);
	return 0;
}

/* ---- memory of theirs ---- */

/* The descriptor holds on to the memory, whoever gets the number of the thread afterwards. Less than `len`
 * bytes that can be reached are a failure. */
static bool transfer(const struct pretence_question *q, bool out, uint64_t address, void *data,
		     size_t len)
{
	char path[32];
	AUTO(fd) int fd = -1;
	ssize_t got;

	snprintf(path, sizeof(path), "%d/mem", (int)q->pid);
	fd = open(path, (out ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0 || address > INT64_MAX || !is_still_asked(q))
		return false;
	got = out ? pwrite(fd, data, len, (off_t)address) : pread(fd, data, len, (off_t)address);
	return got == (ssize_t)len;
}

/* Write ids in their size. */
static int put_ids(const struct pretence_question *q, uint64_t address, const uint32_t *ids,
		   size_t count)
{
	uint16_t narrow[GROUPS_MAX];
	uint32_t wide[GROUPS_MAX];

	for (size_t i = 0; i < count; i++) {
		wide[i] = ids[i];
		narrow[i] = (uint16_t)(ids[i] > 0xffff ? 0xfffe : ids[i]);
	}
	if (count == 0)
		return 0;
	return transfer(q, true, address, q->narrow ? (void *)narrow : (void *)wide,
			count * (q->narrow ? sizeof(narrow[0]) : sizeof(wide[0]))) ?
		       0 :
		       -EFAULT;
}

static int get_groups(const struct pretence_question *q, const struct belief *belief)
{
	const int room = (int)q->args[0];

	if (room < 0 || (room > 0 && (size_t)room < belief->group_count))
		return -EINVAL;
	if (room > 0 && put_ids(q, q->args[1], belief->groups, belief->group_count) < 0)
		return -EFAULT;
	return (int)belief->group_count;
}

static int set_groups(const struct pretence_question *q, struct belief *belief)
{
	const uint32_t asked = (uint32_t)q->args[0];
	const size_t count = asked < GROUPS_MAX ? asked : GROUPS_MAX;
	uint16_t narrow[GROUPS_MAX];

	if (belief->user.effective != 0)
		return -EPERM;
	if (asked > 65536)
		return -EINVAL;
	if (count > 0 &&
	    !transfer(q, false, q->args[1], q->narrow ? (void *)narrow : (void *)belief->groups,
		      count * (q->narrow ? sizeof(narrow[0]) : sizeof(uint32_t))))
		return -EFAULT;
	for (size_t i = 0; q->narrow && i < count; i++)
		belief->groups[i] = narrow[i];
	belief->group_count = count;
	return 0;
}

static int get_three(const struct pretence_question *q, const struct ids *ids)
{
	const uint32_t all[3] = { ids->real, ids->effective, ids->saved };

	for (int i = 0; i < 3; i++)
		if (put_ids(q, q->args[i], &all[i], 1) < 0)
			return -EFAULT;
	return 0;
}

/* An id among the arguments. */
static uint32_t id_of(const struct pretence_question *q, int i)
{
	if (q->narrow)
		return (q->args[i] & 0xffff) == 0xffff ? KEEP : (uint32_t)(q->args[i] & 0xffff);
	return (uint32_t)q->args[i];
}

/* ---- answers ---- */

static int64_t short_id(const struct pretence_question *q, uint32_t id)
{
	return q->narrow && id > 0xffff ? 0xfffe : id;
}

static int64_t tell(const struct pretence_question *q, const struct belief *belief)
{
	switch (q->call) {
	case PRETENCE_GETUID:
		return short_id(q, belief->user.real);
	case PRETENCE_GETEUID:
	case PRETENCE_SETFSUID: /* it returns the one before, and has no error */
		return short_id(q, belief->user.effective);
	case PRETENCE_GETGID:
		return short_id(q, belief->group.real);
	case PRETENCE_GETEGID:
	case PRETENCE_SETFSGID:
		return short_id(q, belief->group.effective);
	case PRETENCE_GETRESUID:
		return get_three(q, &belief->user);
	case PRETENCE_GETRESGID:
		return get_three(q, &belief->group);
	default:
		return get_groups(q, belief);
	}
}

/* Change `belief` as asked. */
static int change(const struct pretence_question *q, struct belief *belief)
{
	const uint32_t ids[3] = { id_of(q, 0), id_of(q, 1), id_of(q, 2) };
	const bool may = belief->user.effective == 0;

	switch (q->call) {
	case PRETENCE_SETUID:
		return set_one(&belief->user, may, ids[0]);
	case PRETENCE_SETGID:
		return set_one(&belief->group, may, ids[0]);
	case PRETENCE_SETREUID:
		return set_two(&belief->user, may, ids[0], ids[1]);
	case PRETENCE_SETREGID:
		return set_two(&belief->group, may, ids[0], ids[1]);
	case PRETENCE_SETRESUID:
		return set_three(&belief->user, may, ids);
	case PRETENCE_SETRESGID:
		return set_three(&belief->group, may, ids);
	default:
		return set_groups(q, belief);
	}
}

static bool is_change(enum pretence_call call)
{
	return call >= PRETENCE_SETUID && call <= PRETENCE_SETGROUPS;
}

int64_t pretence_answer(struct pretence *pretence, const struct pretence_question *q)
{
	struct believer *own;
	pid_t process;
	const struct belief *now = belief_of(pretence, q->pid, &own, &process);
	struct belief next = *now;
	int failed;

	if (!is_change(q->call)) {
		/* the ancestor may be gone when it asks again */
		if (!own && now != &pretence->first)
			(void)keep(pretence, q, process, &next);
		return tell(q, &next);
	}
	failed = change(q, &next);
	if (failed || memcmp(&next, now, sizeof(next)) == 0)
		return failed;
	if (own) {
		own->belief = next;
		return 0;
	}
	if (pretence->believers.len == 0)
		process = process_of(q->pid);
	return process > 0 ? keep(pretence, q, process, &next) : -EAGAIN;
}
