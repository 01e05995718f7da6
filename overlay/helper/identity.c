/*
 * overlay/helper/identity.c - who the step is, and what it may still do.
 *
 * The order in identity_assume() matters: groups and the bounding set need
 * capabilities, the filter needs CAP_SYS_ADMIN because no_new_privs stays off
 * (set-id programs work in a step), and the ids go last of all.
 */

#include "overlay/helper/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "overlay/furniture-private.h"
#include "overlay/kernel-private.h"

#define LISTEN_FLAGS (SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_NEW_LISTENER)
#define WAIT_KILLABLE (1UL << 5) /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV */

#define FILES_SOFT FURNITURE_FILES_SOFT
#define FILES_HARD FURNITURE_FILES_HARD

void identity_make_files(const struct step *step)
{
	if (step->userns_fd < 0)
		return;
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
		step_fail(step, STAGE_IDENTITY, "file systems");
	syscall(SYS_setfsgid, step->request->root_gid);
	syscall(SYS_setfsuid, step->request->root_uid);
}

static const struct request_limit *asked_limits(const struct step *step)
{
	const struct request_span span = step->request->limits;

	return (const struct request_limit *)(const void *)step_text(step, span.at);
}

/* Whether the user asked for another one: a hard limit that was lowered stays so. */
static bool is_asked(const struct step *step, uint64_t resource)
{
	for (uint32_t i = 0; i < step->request->limits.count; i++)
		if (asked_limits(step)[i].resource == resource)
			return true;
	return false;
}

static void limit_files(const struct step *step)
{
	struct rlimit files = { .rlim_cur = FILES_SOFT, .rlim_max = FILES_HARD };

	if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
		/* the machine's own ceiling is lower; the user's own limit is no matter */
		if (getrlimit(RLIMIT_NOFILE, &files) < 0)
			step_fail(step, STAGE_LIMITS, "open files");
		files.rlim_cur = files.rlim_max < FILES_SOFT ? files.rlim_max : FILES_SOFT;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			step_fail(step, STAGE_LIMITS, "open files");
	}
}

void identity_limits(const struct step *step)
{
	const struct rlimit none = { 0 };

	if (!is_asked(step, RLIMIT_NOFILE))
		limit_files(step);
	if (!is_asked(step, RLIMIT_CORE) && setrlimit(RLIMIT_CORE, &none) < 0)
		step_fail(step, STAGE_LIMITS, "core size");
}

/* UINT64_MAX is RLIM_INFINITY. */
void identity_own_limits(const struct step *step)
{
	const struct request_span span = step->request->limits;
	const struct request_limit *limits = asked_limits(step);

	for (uint32_t i = 0; i < span.count; i++) {
		const struct rlimit limit = { .rlim_cur = limits[i].soft,
					      .rlim_max = limits[i].hard };

		if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0)
			step_fail(step, STAGE_LIMITS, "those that were asked for");
	}
}

/* Drop from the bounding set what is not in `keep`. The kernel knows where its list ends. */
static void bound(const struct step *step, uint64_t keep)
{
	for (unsigned long i = 0; i < 64; i++) {
		if (keep >> i & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				return;
			step_fail(step, STAGE_CAPABILITIES, "bounding set");
		}
	}
}

static void load_filter(const struct step *step)
{
	const struct request_span span = step->request->seccomp;
	struct sock_fprog program = {
		.len = (unsigned short)span.count,
		.filter = (struct sock_filter *)(void *)step_text(step, span.at),
	};

	long fd;

	if (!span.count)
		return;
	/* Speculation is the machine's decision, as for every other process. */
	if (!(step->request->flags & REQUEST_LISTEN)) {
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
			    &program) < 0)
			step_fail(step, STAGE_SECCOMP, NULL);
		return;
	}
	/* Signals wait until a question is answered, where the kernel can do that (5.19). */
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, LISTEN_FLAGS | WAIT_KILLABLE, &program);
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, LISTEN_FLAGS, &program);
	if (fd < 0)
		step_fail(step, STAGE_SECCOMP, "that asks");
	step_report_fd(step, REPORT_LISTENER, (int)fd);
	close((int)fd);
}

static void set_capabilities(const struct step *step, uint64_t set)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)set, .permitted = (uint32_t)set },
		{ .effective = (uint32_t)(set >> 32), .permitted = (uint32_t)(set >> 32) },
	};

	if (syscall(SYS_capset, &header, data) < 0)
		step_fail(step, STAGE_CAPABILITIES, NULL);
}

/* Write to a file of our own /proc. */
static void write_self(const struct step *step, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		step_fail(step, STAGE_IDENTITY, path);
	close(fd);
}

/* "`id` 0 1" */
static const char *one_id_map(char buf[static 24], uint32_t id)
{
	static const char rest[] = " 0 1";
	char *at = buf + 24 - sizeof(rest);

	memcpy(at, rest, sizeof(rest));
	do
		*--at = (char)('0' + id % 10);
	while ((id /= 10) != 0);
	return at;
}

/* Our only id becomes that of the step's user, in a namespace below. All files are his there. */
static void rename_one_id(const struct step *step)
{
	char buf[24];

	if (unshare(CLONE_NEWUSER) < 0)
		step_fail(step, STAGE_IDENTITY, "in a user namespace of its own");
	write_self(step, "/proc/self/setgroups", "deny");
	write_self(step, "/proc/self/uid_map", one_id_map(buf, step->request->uid));
	write_self(step, "/proc/self/gid_map", one_id_map(buf, step->request->gid));
}

void identity_assume(const struct step *step)
{
	const struct request *request = step->request;
	const gid_t *groups = (const gid_t *)(const void *)step_text(step, request->groups.at);

	/* All capabilities are there again, for this namespace alone, and the bits of above are gone. */
	if (step->userns_fd >= 0) {
		if (setns(step->userns_fd, CLONE_NEWUSER) < 0)
			step_fail(step, STAGE_IDENTITY, "user namespace");
		close(step->userns_fd);
	}
	if (request->flags & REQUEST_ONE_ID && request->uid != 0)
		rename_one_id(step);
	/* Where groups cannot be dropped, those of the user outside stay, all of them unmapped. */
	if (!(request->flags & REQUEST_ONE_ID) && setgroups(request->groups.count, groups) < 0)
		step_fail(step, STAGE_IDENTITY, "groups");
	if (!(request->flags & REQUEST_INSECURE))
		bound(step, request->capabilities);
	if (request->flags & REQUEST_NO_NEW_PRIVILEGES &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		step_fail(step, STAGE_CAPABILITIES, "new privileges");
	load_filter(step);
	if (setresgid(request->gid, request->gid, request->gid) < 0 ||
	    setresuid(request->uid, request->uid, request->uid) < 0)
		step_fail(step, STAGE_IDENTITY, NULL);
	if (request->uid != 0 || !(request->flags & REQUEST_INSECURE))
		set_capabilities(step, request->uid == 0 ? request->capabilities : 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of ids forgets it */
}
