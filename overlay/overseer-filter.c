/* overlay/overseer-filter.c - what a step's filter asks for: overseer_filter() of overlay/overseer.h. */

#include "overlay/overseer.h"

#include <assert.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "overlay/overseer-private.h"
#include "overlay/pretence.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define COMPAT AUDIT_ARCH_I386
#define COMPAT_FCHOWNAT 298
#define COMPAT_PRLIMIT 340
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#define COMPAT AUDIT_ARCH_ARM
#define COMPAT_FCHOWNAT 325
#define COMPAT_PRLIMIT 369
#else
#error "the overseer has to learn this architecture"
#endif

static const struct asked native_calls[] = {
#ifdef SYS_chown
	{ SYS_chown, ASK_CHOWN, false },
	{ SYS_lchown, ASK_LCHOWN, false },
#endif
	{ SYS_fchown, ASK_FCHOWN, false },
	{ SYS_fchownat, ASK_FCHOWNAT, false },
	{ SYS_getuid, PRETENCE_GETUID, false },
	{ SYS_geteuid, PRETENCE_GETEUID, false },
	{ SYS_getgid, PRETENCE_GETGID, false },
	{ SYS_getegid, PRETENCE_GETEGID, false },
	{ SYS_getresuid, PRETENCE_GETRESUID, false },
	{ SYS_getresgid, PRETENCE_GETRESGID, false },
	{ SYS_getgroups, PRETENCE_GETGROUPS, false },
	{ SYS_setuid, PRETENCE_SETUID, false },
	{ SYS_setgid, PRETENCE_SETGID, false },
	{ SYS_setreuid, PRETENCE_SETREUID, false },
	{ SYS_setregid, PRETENCE_SETREGID, false },
	{ SYS_setresuid, PRETENCE_SETRESUID, false },
	{ SYS_setresgid, PRETENCE_SETRESGID, false },
	{ SYS_setgroups, PRETENCE_SETGROUPS, false },
	{ SYS_setfsuid, PRETENCE_SETFSUID, false },
	{ SYS_setfsgid, PRETENCE_SETFSGID, false },
	{ SYS_capset, PRETENCE_CAPSET, false },
	{ SYS_prctl, PRETENCE_PRCTL, false },
	{ SYS_setrlimit, PRETENCE_SETRLIMIT, false },
	{ SYS_prlimit64, PRETENCE_PRLIMIT, false },
	{ SYS_getrlimit, PRETENCE_GETRLIMIT, false },
};

/* Both older architectures number these alike, but for two. */
static const struct asked compat_calls[] = {
	{ 182, ASK_CHOWN, true },
	{ 16, ASK_LCHOWN, true },
	{ 95, ASK_FCHOWN, true },
	{ 212, ASK_CHOWN, false },
	{ 198, ASK_LCHOWN, false },
	{ 207, ASK_FCHOWN, false },
	{ COMPAT_FCHOWNAT, ASK_FCHOWNAT, false },
	{ 24, PRETENCE_GETUID, true },
	{ 49, PRETENCE_GETEUID, true },
	{ 47, PRETENCE_GETGID, true },
	{ 50, PRETENCE_GETEGID, true },
	{ 165, PRETENCE_GETRESUID, true },
	{ 171, PRETENCE_GETRESGID, true },
	{ 80, PRETENCE_GETGROUPS, true },
	{ 23, PRETENCE_SETUID, true },
	{ 46, PRETENCE_SETGID, true },
	{ 70, PRETENCE_SETREUID, true },
	{ 71, PRETENCE_SETREGID, true },
	{ 164, PRETENCE_SETRESUID, true },
	{ 170, PRETENCE_SETRESGID, true },
	{ 81, PRETENCE_SETGROUPS, true },
	{ 138, PRETENCE_SETFSUID, true },
	{ 139, PRETENCE_SETFSGID, true },
	{ 199, PRETENCE_GETUID, false },
	{ 201, PRETENCE_GETEUID, false },
	{ 200, PRETENCE_GETGID, false },
	{ 202, PRETENCE_GETEGID, false },
	{ 209, PRETENCE_GETRESUID, false },
	{ 211, PRETENCE_GETRESGID, false },
	{ 205, PRETENCE_GETGROUPS, false },
	{ 213, PRETENCE_SETUID, false },
	{ 214, PRETENCE_SETGID, false },
	{ 203, PRETENCE_SETREUID, false },
	{ 204, PRETENCE_SETREGID, false },
	{ 208, PRETENCE_SETRESUID, false },
	{ 210, PRETENCE_SETRESGID, false },
	{ 206, PRETENCE_SETGROUPS, false },
	{ 215, PRETENCE_SETFSUID, false },
	{ 216, PRETENCE_SETFSGID, false },
	{ 185, PRETENCE_CAPSET, false },
	{ 172, PRETENCE_PRCTL, false },
	{ 75, PRETENCE_SETRLIMIT, false },
	{ COMPAT_PRLIMIT, PRETENCE_PRLIMIT, false },
	{ 191, PRETENCE_GETRLIMIT, true },
	{ 76, PRETENCE_GETRLIMIT_OLD, false }, /* i386 alone has it */
};

#define PROGRAM_MAX 128

struct program {
	struct sock_filter at[PROGRAM_MAX];
	size_t len;
};

static struct program program;
static pthread_once_t program_made = PTHREAD_ONCE_INIT;

static void add(struct sock_filter instruction)
{
	assert(program.len < PROGRAM_MAX);
	program.at[program.len++] = instruction;
}

static void load(size_t offset)
{
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* A jump of BPF reaches 255 instructions. */
static void jump_if(uint32_t value, size_t if_equal, size_t if_not)
{
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, (uint8_t)if_equal,
					 (uint8_t)if_not));
}

/* Calls that are asked for with two values of one argument alone. */
static const struct condition {
	uint8_t what, arg;
	uint32_t values[2];
} conditions[] = {
	{ PRETENCE_PRCTL, 0, { PR_SET_KEEPCAPS, PR_SET_SECUREBITS } },
	{ PRETENCE_SETRLIMIT, 0, { RLIMIT_LOCKS, RLIMIT_LOCKS } },
	{ PRETENCE_PRLIMIT, 1, { RLIMIT_LOCKS, RLIMIT_LOCKS } },
	{ PRETENCE_GETRLIMIT, 0, { RLIMIT_LOCKS, RLIMIT_LOCKS } },
	{ PRETENCE_GETRLIMIT_OLD, 0, { RLIMIT_LOCKS, RLIMIT_LOCKS } },
};

static const struct condition *condition_of(const struct asked *call)
{
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
		if (conditions[i].what == call->what)
			return &conditions[i];
	return NULL;
}

/* How many instructions a call takes. */
static size_t size_of(const struct asked *call)
{
	return condition_of(call) ? 4 : 1;
}

/* Go to the question, `question` instructions from here, or to what comes behind it. */
static void add_call(const struct asked *call, size_t question)
{
	const struct condition *when = condition_of(call);

	if (!when) {
		jump_if(call->number, question - 1, 0);
		return;
	}
	jump_if(call->number, 0, 3);
	/* the lower half: all of these architectures are little-endian */
	load(offsetof(struct seccomp_data, args[0]) + when->arg * sizeof(uint64_t));
	jump_if(when->values[0], question - 3, 0);
	jump_if(when->values[1], question - 4, question - 3);
}

/* For one architecture; what is none of it, or not asked for, falls through. */
static void add_architecture(uint32_t arch, const struct asked *calls, size_t count)
{
	size_t question = 1; /* how far it is from here */

	for (size_t i = 0; i < count; i++)
		question += size_of(&calls[i]);
	load(offsetof(struct seccomp_data, arch));
	jump_if(arch, 0, question + 2);
	load(offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < count; i++) {
		add_call(&calls[i], question);
		question -= size_of(&calls[i]);
	}
	add((struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1)); /* none of them */
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
}

static void make_program(void)
{
	add_architecture(NATIVE, native_calls, ARRAY_SIZE(native_calls));
	add_architecture(COMPAT, compat_calls, ARRAY_SIZE(compat_calls));
}

struct seccomp_part overseer_filter(void)
{
	pthread_once(&program_made, make_program);
	return (struct seccomp_part){ program.at, program.len };
}

const struct asked *overseer_call(const struct seccomp_data *data)
{
	const bool native = data->arch == NATIVE;
	const struct asked *calls = native ? native_calls : compat_calls;
	const size_t count = native ? ARRAY_SIZE(native_calls) : ARRAY_SIZE(compat_calls);

	for (size_t i = 0; i < count; i++)
		if (calls[i].number == data->nr)
			return &calls[i];
	return NULL;
}
