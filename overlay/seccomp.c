/*
 * overlay/seccomp.c - see overlay/seccomp.h.
 *
 * The program has two parts. A prologue of our own looks at socket(2), for it
 * must compare the lower half of a register (the kernel ignores the rest of an
 * int), and libseccomp compares all of it; on the 32-bit ABI it also refuses
 * socketcall(2) where it makes a socket, because its family lies in memory. All
 * other calls fall through to what libseccomp compiled from the tables.
 *
 * The cache is one file: a digest of everything the program depends on, a
 * digest of the instructions, the instructions.
 */

#include "overlay/seccomp.h"

#include <asm/unistd.h>
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "overlay/seccomp-private.h"
#include "overlay/seccomp-rules.h"

#define LIBRARY "libseccomp.so.2"
#define CACHE_NAME "seccomp.bpf"
#define PROGRAM_MAX 4096 /* instructions; the kernel's own limit (BPF_MAXINSNS) */

/* What is used of libseccomp. */
struct library {
	void *handle;
	const struct scmp_version *version;
	scmp_filter_ctx (*init)(uint32_t action);
	void (*release)(scmp_filter_ctx filter);
	int (*arch_add)(scmp_filter_ctx filter, uint32_t arch);
	int (*attr_set)(scmp_filter_ctx filter, enum scmp_filter_attr attr, uint32_t value);
	int (*resolve)(const char *name);
	int (*rule_add)(scmp_filter_ctx filter, uint32_t action, int call, unsigned count,
			const struct scmp_arg_cmp *args);
	int (*export_bpf)(scmp_filter_ctx filter, int fd);
};

static void library_auto_(struct library *library)
{
	if (library->handle)
		dlclose(library->handle);
}

/* `slot` is a function pointer; NULL if the library has no such function. */
static void find(const struct library *library, const char *name, void *slot)
{
	void *symbol = dlsym(library->handle, name);

	memcpy(slot, &symbol, sizeof(symbol));
}

static struct err *library_open(struct library *library)
{
	const struct scmp_version *(*version)(void);

	library->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library->handle)
		return err_note(err_new(ERR_UNSUPPORTED, "seccomp: cannot load " LIBRARY),
				"Steps do not run without a filter. Install libseccomp.");
	find(library, "seccomp_version", &version);
	find(library, "seccomp_init", &library->init);
	find(library, "seccomp_release", &library->release);
	find(library, "seccomp_arch_add", &library->arch_add);
	find(library, "seccomp_attr_set", &library->attr_set);
	find(library, "seccomp_syscall_resolve_name", &library->resolve);
	find(library, "seccomp_rule_add_array", &library->rule_add);
	find(library, "seccomp_export_bpf", &library->export_bpf);
	if (!version || !library->init || !library->release || !library->arch_add ||
	    !library->attr_set || !library->resolve || !library->rule_add || !library->export_bpf)
		return err_new(ERR_UNSUPPORTED, "seccomp: " LIBRARY " is too old");
	library->version = version();
	return NULL;
}

/* ---- the prologue ---- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

#if defined(__x86_64__)
#define NATIVE_AUDIT AUDIT_ARCH_X86_64
#define COMPAT_AUDIT AUDIT_ARCH_I386
#define COMPAT_SOCKET 359
#define COMPAT_SOCKETCALL 102
#elif defined(__aarch64__)
#define NATIVE_AUDIT AUDIT_ARCH_AARCH64
#define COMPAT_AUDIT AUDIT_ARCH_ARM
#define COMPAT_SOCKET 281
#define COMPAT_SOCKETCALL 102
#else
#error "the prologue of the seccomp filter has to learn this architecture"
#endif

#define SOCKETCALL_SOCKET 1 /* SYS_SOCKET of <linux/net.h> */

/* Arguments are loaded by their lower half: both machines are little-endian. */
static const struct sock_filter prologue[] = {
	/* 0 */ LOAD(arch),
	/* 1 */ IF_EQUAL(NATIVE_AUDIT, 0, 2),
	/* 2 */ LOAD(nr),
	/* 3 */ IF_EQUAL(__NR_socket, 6, 10),
	/* 4 */ IF_EQUAL(COMPAT_AUDIT, 0, 9),
	/* 5 */ LOAD(nr),
	/* 6 */ IF_EQUAL(COMPAT_SOCKET, 3, 0),
	/* 7 */ IF_EQUAL(COMPAT_SOCKETCALL, 0, 6),
	/* 8 */ LOAD(args[0]),
	/* 9 */ IF_EQUAL(SOCKETCALL_SOCKET, 3, 4),
	/* 10 */ LOAD(args[0]),
	/* 11 */ IF_EQUAL(SECCOMP_FAMILY_ALG, 1, 0),
	/* 12 */ IF_EQUAL(SECCOMP_FAMILY_VSOCK, 0, 1),
	/* 13 */ REFUSE,
	/* 14: libseccomp's part */
};

/* The same for the families that send frames, and for the old type that became one of them. A socket
 * by socketcall(2) is refused by the prologue. */
static const struct sock_filter no_frames[] = {
	/* 0 */ LOAD(arch),
	/* 1 */ IF_EQUAL(NATIVE_AUDIT, 0, 2),
	/* 2 */ LOAD(nr),
	/* 3 */ IF_EQUAL(__NR_socket, 3, 10),
	/* 4 */ IF_EQUAL(COMPAT_AUDIT, 0, 9),
	/* 5 */ LOAD(nr),
	/* 6 */ IF_EQUAL(COMPAT_SOCKET, 0, 7),
	/* 7 */ LOAD(args[0]),
	/* 8 */ IF_EQUAL(SECCOMP_FAMILY_PACKET, 4, 0),
	/* 9 */ IF_EQUAL(SECCOMP_FAMILY_XDP, 3, 0),
	/* 10 */ LOAD(args[1]),
	/* 11 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SECCOMP_TYPE_MASK),
	/* 12 */ IF_EQUAL(SECCOMP_TYPE_PACKET, 0, 1),
	/* 13 */ REFUSE,
	/* 14: what comes behind it */
};

struct seccomp_part seccomp_no_frames(void)
{
	return (struct seccomp_part){ no_frames, ARRAY_SIZE(no_frames) };
}

/* ---- compiling ---- */

static struct err *add_rule(const struct library *library, scmp_filter_ctx filter, uint32_t action,
			    const char *name, unsigned count, const struct scmp_arg_cmp *args)
{
	int call = library->resolve(name);
	int status;

	if (call == __NR_SCMP_ERROR)
		return NULL;
	status = library->rule_add(filter, action, call, count, args);
	if (status < 0) {
		errno = -status;
		return err_sys("seccomp: add a rule for %s", name);
	}
	return NULL;
}

static struct err *add_names(const struct library *library, scmp_filter_ctx filter,
			     const struct seccomp_rule *rule, const char *name)
{
	if (!rule->any)
		return add_rule(library, filter, rule->action, name, rule->arg_count, rule->args);
	for (unsigned i = 0; i < rule->arg_count; i++)
		TRY(add_rule(library, filter, rule->action, name, 1, &rule->args[i]));
	return NULL;
}

/* Of a profile of `ours` what comes by an ABI that is not among its own is as with a kernel without it. */
static struct err *add_rules(const struct library *library, scmp_filter_ctx filter,
			     const struct seccomp_rules *rules, bool ours)
{
	int status = library->attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* binary tree */

	if (status == 0 && ours)
		status = library->attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	for (unsigned i = 0; i < rules->architecture_count && status == 0; i++)
		status = library->arch_add(filter, rules->architectures[i]);
	if (status < 0) {
		errno = -status;
		return err_sys("seccomp: set up the filter");
	}
	vec_foreach (&rules->list, rule)
		vec_foreach (&rule->names, name)
			TRY(add_names(library, filter, rule, *name));
	return NULL;
}

/* Read the program that libseccomp wrote to `fd`, behind the prologue if it is of our rules. */
static struct err *take_program(int fd, bool ours, struct seccomp_program *ret)
{
	const size_t size = sizeof(struct sock_filter);
	AUTO(buf) struct buf bytes = BUF_INIT(PROGRAM_MAX * sizeof(struct sock_filter));

	if (ours)
		buf_add(&bytes, prologue, sizeof(prologue));
	TRY(file_read_fd(fd, "seccomp program", bytes.max, &bytes));
	if (bytes.len % size != 0 || bytes.len <= (ours ? sizeof(prologue) : 0))
		return err_new(ERR_INTERNAL, "seccomp: libseccomp wrote %zu bytes", bytes.len);
	ret->len = bytes.len / size;
	ret->at = (struct sock_filter *)(void *)buf_steal(&bytes);
	return NULL;
}

static struct err *compile(const struct library *library, const struct seccomp_rules *rules,
			   bool ours, struct seccomp_program *ret)
{
	AUTO(fd) int fd = memfd_create("seccomp", MFD_CLOEXEC);
	scmp_filter_ctx filter;
	struct err *err;

	if (fd < 0)
		return err_sys("seccomp: make a file in memory");
	filter = library->init(rules->action);
	if (!filter) { /* libseccomp leaves no errno */
		errno = ENOMEM;
		return err_sys("seccomp: make a filter");
	}
	err = add_rules(library, filter, rules, ours);
	if (!err) {
		int status = library->export_bpf(filter, fd);

		errno = -status;
		err = status < 0 ? err_sys("seccomp: export the filter") :
				   take_program(fd, ours, ret);
	}
	library->release(filter);
	return err;
}

static struct err *compile_usual(const struct library *library, uint64_t capabilities,
				 struct seccomp_program *ret)
{
	AUTO(seccomp_rules) struct seccomp_rules rules = { 0 };

	seccomp_rules_usual(capabilities, &rules);
	return compile(library, &rules, true, ret);
}

/* ---- the cache ---- */

struct cache_header {
	struct digest key, content;
};

static struct err *digest_of(const void *data, size_t len, struct digest *ret)
{
	AUTO(hasher) struct hasher *hasher = hasher_new();

	hasher_update(hasher, data, len);
	return hasher_finish(hasher, ret);
}

/* The digest of everything that the program depends on. */
static struct err *cache_key(const struct scmp_version *version, struct digest *ret)
{
	AUTO(buf) struct buf text = BUF_INIT((size_t)64 * 1024);

	buf_addf(&text, "%s libseccomp %u.%u.%u arch %x %x\n", CAIRN_VERSION, version->major,
		 version->minor, version->micro, (unsigned)NATIVE_AUDIT, (unsigned)COMPAT_AUDIT);
	buf_addf(&text, "%s\n%s\n%x\n", seccomp_allowed, seccomp_denied, SECCOMP_CLONE_DENIED);
	buf_add(&text, seccomp_personalities,
		seccomp_personality_count * sizeof(seccomp_personalities[0]));
	buf_add(&text, prologue, sizeof(prologue));
	return digest_of(text.at, text.len, ret);
}

/* True if the cache holds this program whole. Whatever is wrong with it, it can be made again. */
static bool cache_read(int dir_fd, const struct digest *key, struct seccomp_program *ret)
{
	const size_t max = sizeof(struct cache_header) + PROGRAM_MAX * sizeof(struct sock_filter);
	AUTO(buf) struct buf bytes = BUF_INIT(max);
	AUTO(err) struct err *err = file_read(dir_fd, CACHE_NAME, max, &bytes);
	struct cache_header header;
	struct digest content;
	size_t len;

	if (err || bytes.len <= sizeof(header))
		return false;
	memcpy(&header, bytes.at, sizeof(header));
	len = bytes.len - sizeof(header);
	err = digest_of(bytes.at + sizeof(header), len, &content);
	if (err || !digest_equal(&header.key, key) || !digest_equal(&header.content, &content) ||
	    len % sizeof(struct sock_filter) != 0)
		return false;
	ret->len = len / sizeof(struct sock_filter);
	ret->at = xcalloc(ret->len, sizeof(struct sock_filter));
	memcpy(ret->at, bytes.at + sizeof(header), len);
	return true;
}

static struct err *cache_write(int dir_fd, const struct digest *key,
			       const struct seccomp_program *program)
{
	const size_t len = program->len * sizeof(struct sock_filter);
	AUTO(buf) struct buf bytes = BUF_INIT(sizeof(struct cache_header) + len);
	struct cache_header header = { .key = *key };

	TRY(digest_of(program->at, len, &header.content));
	buf_add(&bytes, &header, sizeof(header));
	buf_add(&bytes, program->at, len);
	return file_replace(dir_fd, CACHE_NAME, buf_str(&bytes), 0600, FILE_QUICK);
}

/* Whether it is the program that is kept. */
static bool is_usual(uint64_t capabilities)
{
	for (unsigned i = 0; i < seccomp_grant_count; i++)
		if (capabilities >> seccomp_grants[i].capability & 1)
			return false;
	return true;
}

struct err *seccomp_program_compile(const struct seccomp_rules *rules, struct seccomp_program *ret)
{
	AUTO(library) struct library library = { 0 };

	TRY(library_open(&library));
	return compile(&library, rules, false, ret);
}

void seccomp_program_none(struct seccomp_program *ret)
{
	const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	ret->at = xcalloc(1, sizeof(allow));
	ret->at[0] = allow;
	ret->len = 1;
}

struct err *seccomp_program_load(int cache_dir_fd, uint64_t capabilities,
				 struct seccomp_program *ret)
{
	AUTO(library) struct library library = { 0 };
	struct digest key;

	/* Loading the library takes 0.1 ms; without it its version is not known. */
	TRY(library_open(&library));
	assert(library.version);
	if (!is_usual(capabilities))
		return compile_usual(&library, capabilities, ret);
	TRY(cache_key(library.version, &key));
	if (cache_dir_fd >= 0 && cache_read(cache_dir_fd, &key, ret))
		return NULL;
	TRY(compile_usual(&library, capabilities, ret));
	if (cache_dir_fd >= 0) /* a full disk or a read-only store only costs time */
		err_free(cache_write(cache_dir_fd, &key, ret));
	return NULL;
}

void seccomp_program_release(struct seccomp_program *program)
{
	free(program->at);
	*program = (struct seccomp_program){ 0 };
}
