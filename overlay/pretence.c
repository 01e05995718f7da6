/* overlay/pretence.c - see overlay/pretence.h. */

#include "overlay/pretence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/map.h"
#include "base/vec.h"

#define GROUPS_MAX PRETENCE_GROUPS_MAX /* of one process; more are left out */
#define BELIEFS_MAX 4096               /* that differ: some 3 MB; a power of two */
#define KEEP UINT32_MAX

/* The capabilities that are heeded. */
#define CAPABILITY(number) (1U << (number))
#define MAY_USERS CAPABILITY(CAP_SETUID)
#define MAY_GROUPS CAPABILITY(CAP_SETGID)
#define MAY_BITS CAPABILITY(CAP_SETPCAP)
#define MAY_CHOWN CAPABILITY(CAP_CHOWN)
#define MAY_ALL (MAY_USERS | MAY_GROUPS | MAY_BITS | MAY_CHOWN)

/* Users, or groups. */
struct ids {
	uint32_t real, effective, saved;
};

/* Compared as bytes: no gaps, and zeros where nothing is. */
struct belief {
	struct ids user, group;
	uint32_t permitted, effective; /* capabilities */
	uint32_t secure;               /* SECBIT_... */
	uint32_t group_count;
	uint32_t groups[GROUPS_MAX];
	/* The program that believes so, if another will believe something else after execve(2); else 0. */
	uint64_t program[2];
};

struct pretence {
	uint64_t base; /* the number of the first belief; no other pretence has it */
	struct {
		struct belief *at;
		size_t len, cap;
	} beliefs;
	struct map numbers; /* a belief -> its index plus one */
};

/* Its index; false if it is new and there is no room for it. */
static bool intern(struct pretence *pretence, const struct belief *belief, size_t *ret)
{
	const struct str key = { (const char *)belief, sizeof(*belief) };
	const uintptr_t known = (uintptr_t)map_get(&pretence->numbers, key);

	if (known) {
		*ret = known - 1;
		return true;
	}
	if (pretence->beliefs.len >= BELIEFS_MAX)
		return false;
	*ret = pretence->beliefs.len;
	vec_push(&pretence->beliefs, *belief);
	map_put(&pretence->numbers, key, (void *)(uintptr_t)pretence->beliefs.len); /* NOLINT */
	return true;
}

static int compare_ids(const void *a, const void *b)
{
	const uint32_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

/* The kernel keeps them so. */
static void sort_groups(struct belief *belief)
{
	qsort(belief->groups, belief->group_count, sizeof(belief->groups[0]), compare_ids);
}

struct pretence *pretence_new(const gid_t *groups, size_t count)
{
	struct pretence *pretence = xcalloc(1, sizeof(*pretence));
	struct belief first = { .permitted = MAY_ALL, .effective = MAY_ALL };
	size_t index;

	/* Between what anybody sets and "unlimited". Without chance it is no worse but for one step in another. */
	(void)!getrandom(&pretence->base, sizeof(pretence->base), GRND_NONBLOCK);
	pretence->base = UINT64_C(1) << 61 | (pretence->base >> 4 & ~(uint64_t)(BELIEFS_MAX - 1));
	for (size_t i = 0; i < count && i < GROUPS_MAX; i++)
		first.groups[first.group_count++] = groups[i];
	sort_groups(&first);
	intern(pretence, &first, &index);
	return pretence;
}

void pretence_free(struct pretence *pretence)
{
	if (!pretence)
		return;
	vec_release(&pretence->beliefs);
	map_release(&pretence->numbers, NULL);
	free(pretence);
}

static bool is_still_asked(const struct pretence_question *q)
{
	return !q->still_asked || q->still_asked(q->arg);
}

/* ---- processes ---- */

/* Where the program of a process has its code and its stack: another one, or the same started again, has
 * them elsewhere. 0 if they cannot be seen. */
static void read_program(pid_t pid, uint64_t ret[static 2])
{
	char path[32], text[1024];
	const char *at;
	ssize_t len;
	AUTO(fd) int fd = -1;

	ret[0] = ret[1] = 0;
	snprintf(path, sizeof(path), "%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return;
	text[len] = '\0';
	at = strrchr(text, ')'); /* the name before it can hold anything */
	for (int field = 2; at && field < 26; field++)
		at = strchr(at + 1, ' ');
	if (at)
		sscanf(at, "%" SCNu64 " %*u %" SCNu64, &ret[0], &ret[1]);
}

/* What is left after execve(2): see capabilities(7). */
static struct belief after_exec(const struct belief *belief)
{
	struct belief next = *belief;
	const bool is_root =
		!(next.secure & SECBIT_NOROOT) && (next.user.real == 0 || next.user.effective == 0);

	next.user.saved = next.user.effective;
	next.group.saved = next.group.effective;
	next.permitted = is_root ? MAY_ALL : 0;
	next.effective = next.user.effective == 0 ? next.permitted : 0;
	next.secure &= ~(uint32_t)SECBIT_KEEP_CAPS;
	next.program[0] = next.program[1] = 0;
	return next;
}

static struct belief belief_of(const struct pretence *pretence, pid_t pid)
{
	const struct belief *found = &pretence->beliefs.at[0];
	uint64_t program[2];
	struct rlimit limit;

	if (pretence->beliefs.len == 1)
		return *found;
	if (prlimit(pid, RLIMIT_LOCKS, NULL, &limit) == 0 && limit.rlim_cur >= pretence->base &&
	    limit.rlim_cur - pretence->base < pretence->beliefs.len)
		found = &pretence->beliefs.at[limit.rlim_cur - pretence->base];
	if (!found->program[0] && !found->program[1])
		return *found;
	read_program(pid, program);
	return memcmp(program, found->program, sizeof(program)) == 0 ? *found : after_exec(found);
}

/* From now on the process believes this. */
static int believe(struct pretence *pretence, const struct pretence_question *q,
		   struct belief *belief)
{
	struct rlimit limit;
	struct belief later;
	size_t index;

	belief->program[0] = belief->program[1] = 0;
	later = after_exec(belief);
	if (memcmp(&later, belief, sizeof(later)) != 0)
		read_program(q->pid, belief->program);
	if (prlimit(q->pid, RLIMIT_LOCKS, NULL, &limit) < 0 || !intern(pretence, belief, &index))
		return -EAGAIN;
	limit.rlim_cur = pretence->base + index;
	/* What was asked is still asked a moment before, so the number is not another's. */
	if (!is_still_asked(q))
		return -EINTR;
	return prlimit(q->pid, RLIMIT_LOCKS, &limit, NULL) < 0 ? -EAGAIN : 0;
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
	const uint32_t count = asked < GROUPS_MAX ? asked : GROUPS_MAX;
	uint16_t narrow[GROUPS_MAX];

	if (!(belief->effective & MAY_GROUPS))
		return -EPERM;
	if (asked > 65536)
		return -EINVAL;
	if (count > 0 &&
	    !transfer(q, false, q->args[1], q->narrow ? (void *)narrow : (void *)belief->groups,
		      count * (q->narrow ? sizeof(narrow[0]) : sizeof(uint32_t))))
		return -EFAULT;
	for (size_t i = 0; q->narrow && i < count; i++)
		belief->groups[i] = narrow[i] == 0xffff ? KEEP : narrow[i];
	for (size_t i = 0; i < count; i++)
		if (belief->groups[i] == KEEP)
			return -EINVAL;
	for (size_t i = count; i < GROUPS_MAX; i++)
		belief->groups[i] = 0;
	belief->group_count = count;
	sort_groups(belief);
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

/* It is not theirs. `address` is where two numbers of `size` bytes are wanted. */
static int get_limit(const struct pretence_question *q, uint64_t address, size_t size)
{
	struct rlimit64 none = { RLIM64_INFINITY, RLIM64_INFINITY };

	return transfer(q, true, address, &none, 2 * size) ? 0 : -EFAULT;
}

/* The first getrlimit(2) of the older architectures knows no number beyond this one. */
static int get_old_limit(const struct pretence_question *q)
{
	int32_t most[2] = { INT32_MAX, INT32_MAX };

	return transfer(q, true, q->args[1], most, sizeof(most)) ? 0 : -EFAULT;
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
	case PRETENCE_SETRLIMIT:
		return 0;
	case PRETENCE_PRLIMIT:
		return q->args[3] ? get_limit(q, q->args[3], sizeof(uint64_t)) : 0;
	case PRETENCE_GETRLIMIT:
		return get_limit(q, q->args[1], q->narrow ? sizeof(uint32_t) : sizeof(uint64_t));
	case PRETENCE_GETRLIMIT_OLD:
		return get_old_limit(q);
	default:
		return get_groups(q, belief);
	}
}

/* What a change of users does to capabilities. */
static void fix_capabilities(const struct ids *old, struct belief *belief)
{
	const struct ids *new = &belief->user;
	const bool was_root = !old->real || !old->effective || !old->saved;

	if (belief->secure & SECBIT_NO_SETUID_FIXUP)
		return;
	if (was_root && new->real &&new->effective &&new->saved &&
	    !(belief->secure & SECBIT_KEEP_CAPS))
		belief->permitted = belief->effective = 0;
	if (!old->effective && new->effective)
		belief->effective = 0;
	if (old->effective && !new->effective)
		belief->effective = belief->permitted;
}

static int set_users(const struct pretence_question *q, struct belief *belief,
		     const uint32_t ids[static 3])
{
	const bool may = belief->effective & MAY_USERS;
	const struct ids old = belief->user;
	int failed;

	if (q->call == PRETENCE_SETUID)
		failed = set_one(&belief->user, may, ids[0]);
	else if (q->call == PRETENCE_SETREUID)
		failed = set_two(&belief->user, may, ids[0], ids[1]);
	else
		failed = set_three(&belief->user, may, ids);
	if (!failed)
		fix_capabilities(&old, belief);
	return failed;
}

/* Sets that the kernel will not take change nothing here. */
static int set_capabilities(const struct pretence_question *q, struct belief *belief)
{
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct sets; /* the first 32 */
	uint32_t permitted, effective;

	if (!transfer(q, false, q->args[0], &header, sizeof(header)) ||
	    (header.version != _LINUX_CAPABILITY_VERSION_1 &&
	     header.version != _LINUX_CAPABILITY_VERSION_2 &&
	     header.version != _LINUX_CAPABILITY_VERSION_3) ||
	    !transfer(q, false, q->args[1], &sets, sizeof(sets)))
		return is_still_asked(q) ? 0 : -EINTR;
	permitted = sets.permitted & MAY_ALL;
	effective = sets.effective & MAY_ALL;
	if (permitted & ~belief->permitted || effective & ~permitted)
		return -EPERM;
	belief->permitted = permitted;
	belief->effective = effective;
	return 0;
}

#define SECURE_KNOWN (SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS)

static int set_bits(const struct pretence_question *q, struct belief *belief)
{
	const uint64_t value = q->args[1];

	if ((uint32_t)q->args[0] == PR_SET_SECUREBITS) {
		if (!(belief->effective & MAY_BITS))
			return -EPERM;
		if (!(value & ~(uint64_t)(SECURE_ALL_BITS | SECURE_ALL_LOCKS)))
			belief->secure = (uint32_t)value & SECURE_KNOWN;
	} else if (value <= 1) {
		belief->secure &= ~(uint32_t)SECBIT_KEEP_CAPS;
		belief->secure |= value ? SECBIT_KEEP_CAPS : 0;
	}
	return 0;
}

/* Change `belief` as asked. */
static int change(const struct pretence_question *q, struct belief *belief)
{
	const uint32_t ids[3] = { id_of(q, 0), id_of(q, 1), id_of(q, 2) };
	const bool may = belief->effective & MAY_GROUPS;

	switch (q->call) {
	case PRETENCE_SETUID:
	case PRETENCE_SETREUID:
	case PRETENCE_SETRESUID:
		return set_users(q, belief, ids);
	case PRETENCE_SETGID:
		return set_one(&belief->group, may, ids[0]);
	case PRETENCE_SETREGID:
		return set_two(&belief->group, may, ids[0], ids[1]);
	case PRETENCE_SETRESGID:
		return set_three(&belief->group, may, ids);
	case PRETENCE_CAPSET:
		return set_capabilities(q, belief);
	case PRETENCE_PRCTL:
		return set_bits(q, belief);
	default:
		return set_groups(q, belief);
	}
}

static bool is_change(enum pretence_call call)
{
	return call >= PRETENCE_SETUID && call <= PRETENCE_PRCTL;
}

int64_t pretence_answer(struct pretence *pretence, const struct pretence_question *q)
{
	const struct belief now = belief_of(pretence, q->pid);
	struct belief next = now;
	int failed;

	if (!is_change(q->call))
		return tell(q, &now);
	failed = change(q, &next);
	if (!failed && memcmp(&next, &now, sizeof(next)) != 0)
		failed = believe(pretence, q, &next);
	if (failed)
		return failed;
	return q->call == PRETENCE_CAPSET || q->call == PRETENCE_PRCTL ? PRETENCE_CONTINUE : 0;
}

/* ---- files ---- */

/* What it may have at most: it has not changed its user, but takes capabilities away from itself in truth. */
static uint32_t permitted_of(pid_t pid)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3,
						   .pid = pid };
	struct __user_cap_data_struct sets[2] = { 0 };

	return syscall(SYS_capget, &header, sets) == 0 ? sets[0].permitted : 0;
}

void pretence_ask(const struct pretence *pretence, pid_t pid, struct pretence_who *ret)
{
	const struct belief belief = belief_of(pretence, pid);

	ret->may_give = belief.effective & permitted_of(pid) & MAY_CHOWN;
	ret->uid = belief.user.effective;
	ret->gid = belief.group.effective;
	memcpy(ret->groups, belief.groups, sizeof(ret->groups));
	ret->group_count = belief.group_count;
}

static bool is_member(const struct pretence_who *who, uint32_t gid)
{
	for (uint32_t i = 0; i < who->group_count; i++)
		if (who->groups[i] == gid)
			return true;
	return who->gid == gid;
}

bool pretence_may_chown(const struct pretence_who *who, bool known, uint32_t own_uid,
			uint32_t own_gid, uint32_t uid, uint32_t gid)
{
	if (who->may_give || (uid == KEEP && gid == KEEP))
		return true;
	if (known && who->uid != own_uid)
		return false;
	return (uid == KEEP || uid == who->uid) &&
	       (gid == KEEP || is_member(who, gid) || (known && gid == own_gid));
}
