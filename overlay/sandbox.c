/*
 * overlay/sandbox.c - see overlay/sandbox.h.
 *
 * The builder's side of a step: it hands a request (overlay/request.c) to the
 * spawner, and listens. Everything that needs care happens in overlay/helper.
 */

#include "overlay/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "overlay/capability.h"
#include "overlay/cgroup-private.h"
#include "overlay/network.h"
#include "overlay/overseer.h"
#include "overlay/report-private.h"
#include "overlay/request-private.h"
#include "overlay/runtime-spec.h"
#include "overlay/sandbox-private.h"
#include "overlay/seccomp-rules.h"
#include "overlay/seccomp.h"
#include "overlay/spawner-private.h"

_Static_assert(SANDBOX_MOUNTS_MAX == REQUEST_MOUNTS_MAX, "each has a descriptor");
_Static_assert(CGROUP_PARTS_MAX == REQUEST_CGROUPS_MAX, "each has a descriptor");

struct sandbox_run {
	struct sandbox *sandbox;
	struct cgroup_leaf *leaf; /* owned; NULL: none */
	int report_fd;
	int tty_fd;
	struct overseer *overseer; /* owned; NULL: the step's filter does not ask */
	bool started;              /* it was handed over */
	bool ended;                /* nothing of it runs any more */
};

struct sandbox *sandbox_new(int cache_dir_fd)
{
	struct sandbox *sandbox = xcalloc(1, sizeof(*sandbox));

	sandbox->cache_dir_fd = cache_dir_fd;
	sandbox->below_fd = -1;
	pthread_mutex_init(&sandbox->lock, NULL);
	pthread_mutex_init(&sandbox->network_lock, NULL);
	return sandbox;
}

void sandbox_free(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	if (sandbox->expected) {
		cancel_stop(&sandbox->making);
		pthread_join(sandbox->maker, NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sandbox->owned); i++) {
		network_free(sandbox->owned[i].network);
		err_free(sandbox->owned[i].none);
	}
	if (sandbox->below_fd >= 0)
		close(sandbox->below_fd);
	spawner_free(sandbox->spawner);
	cgroups_free(sandbox->groups);
	seccomp_program_release(&sandbox->filter);
	pthread_mutex_destroy(&sandbox->network_lock);
	pthread_mutex_destroy(&sandbox->lock);
	free(sandbox);
}

void sandbox_limit(struct sandbox *sandbox, const struct sandbox_resources *resources)
{
	sandbox->resources = *resources;
}

static struct err *open_groups(struct sandbox *sandbox)
{
	AUTO(fd) int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return err_sys("open /");
	return cgroups_open(root_fd, &sandbox->resources, &sandbox->groups);
}

void sandbox_secure(struct sandbox *sandbox, const struct sandbox_security *security)
{
	sandbox->security = *security;
}

uint64_t sandbox_capabilities(const struct sandbox *sandbox)
{
	return sandbox->security.capabilities_given ? sandbox->security.capabilities :
						      CAPABILITY_DEFAULT;
}

static struct err *load_filter(struct sandbox *sandbox)
{
	AUTO(seccomp_rules) struct seccomp_rules rules = { 0 };

	if (sandbox->security.unconfined) {
		seccomp_program_none(&sandbox->filter);
		return NULL;
	}
	if (!sandbox->security.profile)
		return seccomp_program_load(sandbox->cache_dir_fd, sandbox_capabilities(sandbox),
					    &sandbox->filter);
	TRY(seccomp_rules_parse(str_of(sandbox->security.profile), "seccomp profile",
				sandbox_capabilities(sandbox), &rules));
	return seccomp_program_compile(&rules, &sandbox->filter);
}

/* With the lock held. The spawner comes to life while the filter is read. */
static struct err *prepare_locked(struct sandbox *sandbox)
{
	AUTO(spawner) struct spawner *spawner = NULL;

	if (sandbox->spawner)
		return NULL;
	TRY(spawner_start(&spawner));
	if (!sandbox->groups)
		TRY(open_groups(sandbox));
	TRY(load_filter(sandbox));
	sandbox->spawner = STEAL(spawner);
	return NULL;
}

struct err *sandbox_prepare(struct sandbox *sandbox)
{
	struct err *err;

	pthread_mutex_lock(&sandbox->lock);
	err = prepare_locked(sandbox);
	pthread_mutex_unlock(&sandbox->lock);
	return err;
}

pid_t sandbox_spawner_pid(struct sandbox *sandbox)
{
	pid_t pid;

	pthread_mutex_lock(&sandbox->lock);
	pid = sandbox->spawner ? spawner_pid(sandbox->spawner) : 0;
	pthread_mutex_unlock(&sandbox->lock);
	return pid;
}

static struct err *check_spec(struct sandbox *sandbox, const struct sandbox_spec *spec)
{
	if (!spec->argv || !spec->argv[0] || !spec->envp)
		return err_new(ERR_INVALID, "sandbox: no command");
	if (spec->mount_count > SANDBOX_MOUNTS_MAX)
		return err_new(ERR_INVALID, "sandbox: more than %d mounts", SANDBOX_MOUNTS_MAX);
	if (spec->network == SANDBOX_NETWORK_DEFAULT ||
	    (spec->network == SANDBOX_NETWORK_PRIVATE &&
	     !sandbox_network_of(sandbox, spec->idmap)->network))
		return err_new(ERR_INTERNAL, "sandbox: no network was chosen");
	return NULL;
}

/* Hand the step over to the spawner. */
static struct err *hand_over(struct sandbox *sandbox, const struct sandbox_spec *spec,
			     const struct cgroup_leaf *leaf, int report_fd)
{
	struct cgroup_entry entry = { .clone_fd = -1 };
	struct request_head head = { .flags = request_flags(sandbox, spec) };
	const int stdio[] = { spec->stdin_fd, spec->stdout_fd, spec->stderr_fd };
	AUTO(fd) int file_fd = -1;
	int fds[REQUEST_FD_MAX];
	size_t count = REQUEST_FD_STDIO;

	if (leaf)
		cgroup_leaf_entry(leaf, &entry);
	head.flags |= entry.clone_fd >= 0 ? REQUEST_CGROUP : 0;
	head.cgroups = (uint32_t)entry.enter_count;
	TRY(request_write(sandbox, spec, &entry, &file_fd));
	fds[REQUEST_FD_REPORT] = report_fd;
	fds[REQUEST_FD_FILE] = file_fd;
	fds[REQUEST_FD_ROOT] = spec->root_fd;
	for (unsigned i = 0; i < ARRAY_SIZE(stdio); i++)
		if (head.flags & REQUEST_STDIN << i)
			fds[count++] = stdio[i];
	if (entry.clone_fd >= 0)
		fds[count++] = entry.clone_fd;
	if (head.flags & REQUEST_JOIN_NETWORK)
		fds[count++] = network_fd(sandbox_network_of(sandbox, spec->idmap)->network);
	if (head.flags & REQUEST_USERNS)
		fds[count++] = request_userns(sandbox, spec);
	for (size_t i = 0; i < entry.enter_count; i++)
		fds[count++] = entry.enter_fds[i];
	for (size_t i = 0; i < spec->mount_count; i++)
		fds[count++] = spec->mounts[i].fd;
	return spawner_send(sandbox->spawner, &head, fds, count);
}

/* ---- as a document ---- */

/* The rules that the filter of a step is made from; none for one without. */
static struct err *find_rules(const struct sandbox *sandbox, const struct sandbox_spec *spec,
			      struct seccomp_rules *ret)
{
	const char *profile = sandbox->security.profile;
	const bool usual = !profile && !sandbox->security.unconfined;

	if (profile)
		TRY(seccomp_rules_parse(str_of(profile), "seccomp profile",
					sandbox_capabilities(sandbox), ret));
	else if (usual)
		seccomp_rules_usual(sandbox_capabilities(sandbox), ret);
	else
		ret->action = SCMP_ACT_ALLOW;
	seccomp_rules_spell_out(ret, usual, spec->network == SANDBOX_NETWORK_PRIVATE);
	return NULL;
}

static struct err *describe(struct sandbox *sandbox, const struct sandbox_spec *spec,
			    const struct cgroup_leaf *leaf, struct buf *request, json_t **ret)
{
	AUTO(seccomp_rules) struct seccomp_rules rules = { 0 };
	AUTO(mem) char *group = leaf ? cgroup_leaf_path(leaf) : NULL;
	struct cgroup_entry entry = { .clone_fd = -1 };

	if (leaf)
		cgroup_leaf_entry(leaf, &entry);
	TRY(request_format(sandbox, spec, &entry, request));
	TRY(find_rules(sandbox, spec, &rules));
	return runtime_spec_make(
		&(struct runtime_spec_source){ .request = buf_str(request),
					       .spec = spec,
					       .resources = leaf ? &sandbox->resources : NULL,
					       .cgroup = group,
					       .rules = spec->insecure ? NULL : &rules },
		ret);
}

struct err *sandbox_describe(struct sandbox *sandbox, const struct sandbox_spec *spec, json_t **ret)
{
	AUTO(buf) struct buf request = BUF_INIT(REQUEST_MAX);
	struct cgroup_leaf *leaf = NULL;
	struct err *err;

	TRY(check_spec(sandbox, spec));
	TRY(sandbox_prepare(sandbox));
	if (sandbox->groups)
		TRY(cgroups_take(sandbox->groups, &leaf));
	err = describe(sandbox, spec, leaf, &request, ret);
	request_wipe(&request);
	cgroup_leaf_put(leaf);
	return err;
}

/* ---- reports ---- */

/* The next report, and the descriptor that came with it (-1: none). ERR_INTERNAL or the
 * spawner's own story when there is none any more. */
static struct err *receive(struct sandbox_run *run, struct report *ret, int *ret_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = ret, .iov_len = sizeof(*ret) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *cmsg;
	ssize_t got;

	do
		got = recvmsg(run->report_fd, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys("sandbox: receive a report");
	if (got != sizeof(*ret)) {
		run->ended = true; /* with the spawner */
		return spawner_fault(run->sandbox->spawner);
	}
	run->ended = ret->kind == REPORT_ENDED;
	cmsg = CMSG_FIRSTHDR(&msg);
	*ret_fd = -1;
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(cmsg), sizeof(int));
	return NULL;
}

static struct err *receive_tty(struct sandbox_run *run)
{
	struct report report;

	TRY(receive(run, &report, &run->tty_fd));
	if (report.kind == REPORT_FAILED)
		return report_error(&report);
	if (report.kind != REPORT_TTY || run->tty_fd < 0)
		return err_new(ERR_INTERNAL, "sandbox: the step ended before it had a terminal");
	return NULL;
}

/* It comes with the filter, when all else is done but the change of ids. */
static struct err *receive_listener(struct sandbox_run *run, const struct sandbox_spec *spec)
{
	struct report report;
	int fd;

	TRY(receive(run, &report, &fd));
	if (report.kind == REPORT_LISTENER && fd >= 0)
		return overseer_start(fd, spec->root_fd, spec->groups, spec->group_count,
				      &run->overseer);
	if (report.kind == REPORT_FAILED)
		return report_error(&report);
	return err_new(ERR_INTERNAL, "sandbox: the step ended before it had a filter");
}

struct err *sandbox_start(struct sandbox *sandbox, const struct sandbox_spec *spec,
			  struct sandbox_run **ret)
{
	AUTO(sandbox_run) struct sandbox_run *run = NULL;
	AUTO(fd) int theirs = -1;
	int pair[2];

	TRY(check_spec(sandbox, spec));
	TRY(sandbox_prepare(sandbox));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys("sandbox: make a socket");
	run = xcalloc(1, sizeof(*run));
	*run = (struct sandbox_run){ .sandbox = sandbox, .report_fd = pair[0], .tty_fd = -1 };
	theirs = pair[1];
	if (sandbox->groups)
		TRY(cgroups_take(sandbox->groups, &run->leaf));
	TRY(hand_over(sandbox, spec, run->leaf, theirs));
	run->started = true;
	if (spec->tty)
		TRY(receive_tty(run));
	if (request_is_overseen(spec))
		TRY(receive_listener(run, spec));
	*ret = STEAL(run);
	return NULL;
}

int sandbox_run_fd(const struct sandbox_run *run)
{
	return run->report_fd;
}

int sandbox_run_tty(const struct sandbox_run *run)
{
	return run->tty_fd;
}

void sandbox_kill(struct sandbox_run *run, int signal_number)
{
	/* Nobody listens any more when the step has ended. */
	(void)!send(run->report_fd, &signal_number, sizeof(signal_number), MSG_NOSIGNAL);
}

static void take_failure(const struct report *report, struct sandbox_result *result,
			 struct err **err)
{
	if (report->stage == STAGE_EXEC) {
		result->exec_errno = report->error;
		result->exec_found = report->found;
	} else if (!*err) {
		*err = report_error(report);
	}
}

/* What the whole step used, from its control group where that tells. */
static void measure(const struct sandbox_run *run, struct sandbox_result *result)
{
	const uint64_t limit = run->sandbox->resources.memory;
	const uint64_t pids = run->sandbox->resources.pids;
	struct cgroup_usage usage = { 0 };

	if (run->leaf)
		cgroup_leaf_usage(run->leaf, &usage);
	result->memory_peak = usage.memory_peak ? usage.memory_peak : result->max_rss;
	result->cpu_us = usage.cpu_us ? usage.cpu_us : result->user_us + result->system_us;
	result->oom_kills = usage.oom_kills;
	result->memory_limit = limit == SANDBOX_NO_LIMIT ? 0 : limit;
	result->forks_refused = usage.forks_refused;
	result->pids_limit = pids == SANDBOX_NO_LIMIT ? 0 : pids ? pids : SANDBOX_PIDS;
}

struct err *sandbox_wait(struct sandbox_run *run, struct sandbox_result *ret)
{
	AUTO(err) struct err *err = NULL;
	struct sandbox_result result = { 0 };
	struct process_end end;
	struct report report;

	do {
		AUTO(fd) int fd = -1;
		struct err *gone = receive(run, &report, &fd);

		if (gone) {
			err_free(err ? gone : NULL); /* the first failure explains the end */
			return err ? STEAL(err) : gone;
		}
		if (report.kind == REPORT_FAILED)
			take_failure(&report, &result, &err);
	} while (report.kind != REPORT_ENDED);

	if (err)
		return STEAL(err);
	end = process_decode(report.status);
	result.code = end.code;
	result.signal = end.signal;
	result.wall_ns = report.wall_ns;
	result.user_us = report.user_us;
	result.system_us = report.system_us;
	result.max_rss = report.max_rss;
	measure(run, &result);
	*ret = result;
	return NULL;
}

const char *sandbox_exec_reason(const struct sandbox_result *result)
{
	if (!result->exec_errno)
		return "";
	if (result->exec_errno == ENOENT && result->exec_found)
		return "the interpreter that it names is missing";
	if (result->exec_errno == ENOEXEC)
		return "neither a program for this machine nor a script that begins with #!";
	return strerrordesc_np(result->exec_errno);
}

/* As the option takes it: "2g". */
static void format_limit(uint64_t bytes, char buf[static SANDBOX_OOM_SIZE])
{
	static const char units[] = { 'k', 'm', 'g' };
	size_t i = 0;

	while (i < ARRAY_SIZE(units) && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	snprintf(buf, SANDBOX_OOM_SIZE, "%" PRIu64 "%.*s", bytes, i ? 1 : 0,
		 i ? &units[i - 1] : "");
}

const char *sandbox_oom_text(const struct sandbox_result *result, char buf[static SANDBOX_OOM_SIZE])
{
	char limit[SANDBOX_OOM_SIZE];

	format_limit(result->memory_limit, limit);
	if (result->memory_limit)
		snprintf(buf, SANDBOX_OOM_SIZE,
			 "the kernel's OOM killer fired in this step (limit %.32s, by --memory)",
			 limit);
	else
		snprintf(buf, SANDBOX_OOM_SIZE,
			 "the kernel's OOM killer fired in this step: no memory was left for it");
	return buf;
}

const char *sandbox_pids_text(const struct sandbox_result *result,
			      char buf[static SANDBOX_OOM_SIZE])
{
	snprintf(buf, SANDBOX_OOM_SIZE,
		 "this step had as many processes as it may (%" PRIu64
		 "; --pids-limit sets another limit)",
		 result->pids_limit);
	return buf;
}

/* Kill it and hear the rest. */
static void end_run(struct sandbox_run *run)
{
	if (run->leaf)
		cgroup_leaf_kill(run->leaf);
	sandbox_kill(run, SIGKILL);
	while (!run->ended) {
		AUTO(fd) int fd = -1;
		struct report report;
		AUTO(err) struct err *err = receive(run, &report, &fd);

		if (err) /* a socket that fails will not tell of the end either */
			return;
	}
}

void sandbox_run_free(struct sandbox_run *run)
{
	if (!run)
		return;
	if (run->started && !run->ended)
		end_run(run);
	overseer_free(run->overseer);
	cgroup_leaf_put(run->leaf);
	if (run->tty_fd >= 0)
		close(run->tty_fd);
	close(run->report_fd);
	free(run);
}
