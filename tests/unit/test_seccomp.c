/*
 * tests/unit/test_seccomp.c - the filter decides as Docker's profile does, and more strictly where
 * it says so.
 *
 * The program is judged twice: by an interpreter here, which can ask about any
 * machine and any register, and by the kernel, in a child that loads it.
 */

#include "tests/unit/unit.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "overlay/capability.h"
#include "overlay/seccomp-rules.h"
#include "overlay/seccomp.h"

#define ALLOWED 0
#define KILLED (-1) /* anything but ALLOW and ERRNO */

/* What `program` says: ALLOWED, an errno, or KILLED. The part of classic BPF that filters use. */
static int judge(const struct seccomp_program *program, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < program->len; pc++) {
		const struct sock_filter *at = &program->at[pc];

		switch (at->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(at->k + sizeof(a) <= sizeof(*data));
			memcpy(&a, (const char *)data + at->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= at->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += at->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == at->k ? at->jt : at->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > at->k ? at->jt : at->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= at->k ? at->jt : at->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & at->k ? at->jt : at->jf;
			break;
		case BPF_RET | BPF_K:
			if (at->k == SECCOMP_RET_ALLOW)
				return ALLOWED;
			if ((at->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
				return (int)(at->k & SECCOMP_RET_DATA);
			return KILLED;
		default:
			fail_msg("instruction %zu has code 0x%x", pc, at->code);
		}
	}
	fail_msg("the program has no end");
	return KILLED;
}

#ifdef __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif

static int load(void **state)
{
	static struct seccomp_program program;

	assert_ok(seccomp_program_load(-1, CAPABILITY_DEFAULT, &program));
	*state = &program;
	return 0;
}

static int unload(void **state)
{
	seccomp_program_release(*state);
	return 0;
}

TEST(decides_as_the_profile_says)
{
	static const struct {
		long call;
		uint64_t first;
		long want;
	} cases[] = {
		{ __NR_read, 0, ALLOWED },
		{ __NR_execve, 0, ALLOWED },
		{ __NR_chroot, 0, ALLOWED },
		{ __NR_mknodat, 0, ALLOWED },
		{ __NR_ptrace, 0, ALLOWED },
		{ __NR_openat2, 0, ALLOWED },
		{ __NR_mount, 0, EPERM },
		{ __NR_umount2, 0, EPERM },
		{ __NR_fsopen, 0, EPERM },
		{ __NR_move_mount, 0, EPERM },
		{ __NR_open_tree, 0, EPERM },
		{ __NR_mount_setattr, 0, EPERM },
		{ __NR_pivot_root, 0, EPERM },
		{ __NR_setns, 0, EPERM },
		{ __NR_unshare, CLONE_NEWUSER, EPERM },
		{ __NR_bpf, 0, EPERM },
		{ __NR_perf_event_open, 0, EPERM },
		{ __NR_io_uring_setup, 0, EPERM },
		{ __NR_userfaultfd, 0, EPERM },
		{ __NR_keyctl, 0, EPERM },
		{ __NR_add_key, 0, EPERM },
		{ __NR_request_key, 0, EPERM },
		{ __NR_kexec_load, 0, EPERM },
		{ __NR_open_by_handle_at, 0, EPERM },
		{ __NR_init_module, 0, EPERM },
		{ __NR_finit_module, 0, EPERM },
		{ __NR_reboot, 0, EPERM },
		{ __NR_swapon, 0, EPERM },
		{ __NR_settimeofday, 0, EPERM },
		{ __NR_syslog, 0, EPERM },
		{ __NR_pidfd_getfd, 0, EPERM },
		{ __NR_sethostname, 0, EPERM },
		{ __NR_quotactl, 0, EPERM },
		{ __NR_acct, 0, EPERM },
		{ __NR_clone3, 0, ENOSYS },
		{ 4000, 0, ENOSYS }, /* of a kernel to come */
		{ __NR_clone, SIGCHLD, ALLOWED },
		{ __NR_clone, 0x3d0f00 /* a thread */, ALLOWED },
		{ __NR_clone, SIGCHLD | CLONE_NEWNS, EPERM },
		{ __NR_clone, SIGCHLD | CLONE_NEWUSER, EPERM },
		{ __NR_clone, CLONE_NEWNET, EPERM },
		{ __NR_clone, CLONE_NEWPID | CLONE_NEWUTS, EPERM },
		{ __NR_clone, CLONE_NEWCGROUP, EPERM },
		{ __NR_clone, CLONE_NEWIPC, EPERM },
		{ __NR_personality, 0, ALLOWED },
		{ __NR_personality, 8, ALLOWED },
		{ __NR_personality, 0xffffffff, ALLOWED },
		{ __NR_personality, 0x0040000 /* no randomisation */, ENOSYS },
		{ __NR_socket, AF_UNIX, ALLOWED },
		{ __NR_socket, AF_INET6, ALLOWED },
		{ __NR_socket, AF_NETLINK, ALLOWED },
		{ __NR_socket, 37, ALLOWED },
		{ __NR_socket, 38 /* AF_ALG */, EPERM },
		{ __NR_socket, 39, ALLOWED },
		{ __NR_socket, 40 /* AF_VSOCK */, EPERM },
		{ __NR_socket, 41, ALLOWED },
		/* the kernel looks at the lower half */
		{ __NR_socket, UINT64_C(0x100000026), EPERM },
		{ __NR_socket, UINT64_C(0xffffffff00000028), EPERM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct seccomp_data data = { .nr = (int)cases[i].call,
						   .arch = NATIVE,
						   .args = { cases[i].first } };
		int got = judge(*state, &data);

		if (got != cases[i].want)
			fail_msg("call %ld with 0x%llx: %d, not %ld", cases[i].call,
				 (unsigned long long)cases[i].first, got, cases[i].want);
	}
}

#ifdef __x86_64__
TEST(closes_the_same_doors_on_other_abis)
{
	/* numbers of i386, and of x32 */
	static const struct {
		uint32_t arch;
		int call;
		uint64_t first;
		int want;
	} cases[] = {
		{ AUDIT_ARCH_I386, 4 /* write */, 0, ALLOWED },
		{ AUDIT_ARCH_I386, 403 /* clock_gettime64 */, 0, ALLOWED },
		{ AUDIT_ARCH_I386, 21 /* mount */, 0, EPERM },
		{ AUDIT_ARCH_I386, 120 /* clone */, CLONE_NEWUSER, EPERM },
		{ AUDIT_ARCH_I386, 120, SIGCHLD, ALLOWED },
		{ AUDIT_ARCH_I386, 435 /* clone3 */, 0, ENOSYS },
		{ AUDIT_ARCH_I386, 359 /* socket */, AF_INET, ALLOWED },
		{ AUDIT_ARCH_I386, 359, 38, EPERM },
		{ AUDIT_ARCH_I386, 359, 40, EPERM },
		{ AUDIT_ARCH_I386, 102 /* socketcall */, 1 /* socket */, EPERM },
		{ AUDIT_ARCH_I386, 102, 3 /* connect */, ALLOWED },
		{ AUDIT_ARCH_X86_64, 0x40000000 | 1, 0, ENOSYS },
		{ AUDIT_ARCH_X86_64, 0x40000000 | 41, 38, ENOSYS },
		{ AUDIT_ARCH_AARCH64, 64, 0, ENOSYS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct seccomp_data data = { .nr = cases[i].call,
						   .arch = cases[i].arch,
						   .args = { cases[i].first } };
		int got = judge(*state, &data);

		if (got != cases[i].want)
			fail_msg("arch %x call %d: %d, not %d", cases[i].arch, cases[i].call, got,
				 cases[i].want);
	}
}

static long call_i386(long number, long first, long second, long third)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second), "d"(third)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}
#endif

/* In a child with the filter: what the first wrong answer is, 0 if there is none. */
static int ask_kernel(const struct seccomp_program *program)
{
	struct sock_fprog load = { .len = (unsigned short)program->len, .filter = program->at };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &load) < 0)
		return 1;
	if (socket(38, SOCK_SEQPACKET, 0) != -1 || errno != EPERM)
		return 2;
	if (socket(40, SOCK_STREAM, 0) != -1 || errno != EPERM)
		return 3;
	if (socket(AF_UNIX, SOCK_STREAM, 0) < 0)
		return 4;
	if (unshare(CLONE_NEWUSER) != -1 || errno != EPERM)
		return 5;
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		return 6;
	if (syscall(4000) != -1 || errno != ENOSYS)
		return 7;
#ifdef __x86_64__
	/* last of all: without this ABI in the kernel it faults */
	if (call_i386(359, 38, SOCK_SEQPACKET, 0) != -EPERM)
		return 8;
	if (call_i386(102, 1, 0, 0) != -EPERM)
		return 9;
#endif
	return 0;
}

TEST(the_kernel_agrees)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(ask_kernel(*state));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
		return; /* got as far as the other ABI, which this kernel does not have */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- as a document ---- */

/* The rules of a step, written out, through their text and back: what whoever reads them makes of them. */
static void compile_document(uint64_t capabilities, bool no_frames, struct seccomp_program *ret)
{
	AUTO(seccomp_rules) struct seccomp_rules rules = { 0 }, again = { 0 };
	AUTO(json) json_t *document = NULL;
	AUTO(mem) char *text = NULL;

	seccomp_rules_usual(capabilities, &rules);
	seccomp_rules_spell_out(&rules, true, no_frames);
	document = seccomp_rules_format(&rules);
	text = json_format(document);
	assert_ok(seccomp_rules_parse(str_of(text), "document", capabilities, &again));
	assert_ok(seccomp_program_compile(&again, ret));
}

/* What stands in front of the program of a step in a private network, and that. */
static int judge_both(const struct seccomp_program *program, bool no_frames,
		      const struct seccomp_data *data)
{
	struct seccomp_part front = seccomp_no_frames();
	struct sock_filter whole[64 + 4096];
	struct seccomp_program joined = { .at = whole, .len = 0 };

	if (no_frames) {
		memcpy(whole, front.at, front.len * sizeof(*whole));
		joined.len = front.len;
	}
	memcpy(whole + joined.len, program->at, program->len * sizeof(*whole));
	joined.len += program->len;
	return judge(&joined, data);
}

static void assert_agree(const struct seccomp_program *ours, const struct seccomp_program *theirs,
			 bool no_frames, uint32_t arch, int call, uint64_t first, uint64_t second)
{
	const struct seccomp_data data = { .nr = call, .arch = arch, .args = { first, second } };
	const bool socket_call = call == (arch == NATIVE ? __NR_socket : 359);
	const int got = judge(theirs, &data);
	int want = judge_both(ours, no_frames, &data);

	if (socket_call && want == EPERM)
		want = ENOSYS; /* the rules' own default */
	if (got != want)
		fail_msg("arch %x call %d with 0x%llx, 0x%llx: %d, not %d", arch, call,
			 (unsigned long long)first, (unsigned long long)second, got, want);
}

static void compare_document(uint64_t capabilities, bool no_frames)
{
	static const uint64_t values[] = { 0,
					   1,
					   2,
					   3,
					   8,
					   0x10,
					   0x20008,
					   SIGCHLD,
					   CLONE_NEWNS,
					   CLONE_NEWUSER | SIGCHLD,
					   CLONE_NEWPID | CLONE_NEWNET,
					   0xffffffff,
					   UINT64_C(0xffffffffffffffff) };
	static const uint32_t arches[] = { NATIVE,
#ifdef __x86_64__
					   AUDIT_ARCH_I386
#endif
	};
	struct seccomp_program ours, theirs;

	assert_ok(seccomp_program_load(-1, capabilities, &ours));
	compile_document(capabilities, no_frames, &theirs);
	for (size_t a = 0; a < ARRAY_SIZE(arches); a++) {
		const int socket_call = arches[a] == NATIVE ? __NR_socket : 359;

		for (int call = 0; call < 512; call++)
			for (size_t i = 0; call != socket_call && i < ARRAY_SIZE(values); i++)
				/* libseccomp adds what socket() is as a call of socketcall() */
				if (arches[a] == NATIVE || call != 102 || values[i] != 1)
					assert_agree(&ours, &theirs, no_frames, arches[a], call,
						     values[i], 0);
		for (uint64_t family = 0; family < 64; family++) {
			for (uint64_t type = 0; type < 32; type++)
				assert_agree(&ours, &theirs, no_frames, arches[a], socket_call,
					     family, type | SOCK_CLOEXEC);
			if (arches[a] == NATIVE)
				assert_agree(&ours, &theirs, no_frames, NATIVE, socket_call,
					     family | UINT64_C(0x100000000), 1);
		}
	}
	seccomp_program_release(&theirs);
	seccomp_program_release(&ours);
}

TEST(the_document_that_is_printed_decides_as_the_filter_does)
{
	(void)state;
	compare_document(CAPABILITY_DEFAULT, false);
	compare_document(CAPABILITY_DEFAULT, true);
	compare_document(CAPABILITY_DEFAULT | UINT64_C(1) << CAP_SYS_ADMIN, false);
}

/* ---- the cache ---- */

struct cache {
	char path[64];
	int fd;
};

static int make_cache(void **state)
{
	static struct cache cache;

	strcpy(cache.path, "/tmp/test_seccomp.XXXXXX");
	if (!mkdtemp(cache.path))
		return -1;
	cache.fd = open(cache.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &cache;
	return 0;
}

static int remove_cache(void **state)
{
	struct cache *cache = *state;
	int tmp_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	close(cache->fd);
	assert_ok(file_remove_tree(tmp_fd, cache->path + strlen("/tmp/")));
	close(tmp_fd);
	return 0;
}

static void assert_same(const struct seccomp_program *a, const struct seccomp_program *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->at, b->at, a->len * sizeof(*a->at));
}

/* Change one byte of the cache file; a negative place counts from its end. */
static void damage(const struct cache *cache, off_t at)
{
	int fd = openat(cache->fd, "seccomp.bpf", O_RDWR | O_CLOEXEC);
	off_t place = lseek(fd, at, at < 0 ? SEEK_END : SEEK_SET);
	unsigned char byte;

	assert_int_equal(pread(fd, &byte, 1, place), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, place), 1);
	close(fd);
}

TEST(a_kept_program_is_the_compiled_one_and_damage_is_mended)
{
	static const off_t places[] = { 0, 32, 64, -1 };
	const struct cache *cache = *state;
	struct seccomp_program first, again;
	struct stat before, after;

	assert_ok(seccomp_program_load(cache->fd, CAPABILITY_DEFAULT, &first));
	assert_int_equal(fstatat(cache->fd, "seccomp.bpf", &before, 0), 0);
	assert_ok(seccomp_program_load(cache->fd, CAPABILITY_DEFAULT, &again));
	assert_int_equal(fstatat(cache->fd, "seccomp.bpf", &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino); /* read, not written */
	assert_same(&first, &again);
	seccomp_program_release(&again);

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		damage(cache, places[i]);
		assert_ok(seccomp_program_load(cache->fd, CAPABILITY_DEFAULT, &again));
		assert_same(&first, &again);
		seccomp_program_release(&again);
	}
	assert_int_equal(unlinkat(cache->fd, "seccomp.bpf", 0), 0);
	assert_int_equal(mkdirat(cache->fd, "seccomp.bpf", 0700), 0); /* cannot be written */
	assert_ok(seccomp_program_load(cache->fd, CAPABILITY_DEFAULT, &again));
	assert_same(&first, &again);
	seccomp_program_release(&again);
	seccomp_program_release(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(decides_as_the_profile_says, load, unload),
#ifdef __x86_64__
		cmocka_unit_test_setup_teardown(closes_the_same_doors_on_other_abis, load, unload),
#endif
		cmocka_unit_test_setup_teardown(the_kernel_agrees, load, unload),
		cmocka_unit_test(the_document_that_is_printed_decides_as_the_filter_does),
		cmocka_unit_test_setup_teardown(
			a_kept_program_is_the_compiled_one_and_damage_is_mended, make_cache,
			remove_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
