/*
 * base/userns.c - see base/userns.h.
 *
 * Maps with more than our own id are written by newuidmap and newgidmap, which are set-user-id and
 * look into /etc/subuid themselves. They must be run by somebody who is still outside, and who has
 * the right to: a child that is made before the namespace, and waits for it.
 */

#include "base/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/process.h"
#include "base/subid.h"
#include "base/vec.h"

#define SUBUID "/etc/subuid"
#define SUBGID "/etc/subgid"
#define RULES_MAX ((size_t)4 * 1024 * 1024)
#define ANSWER_MAX 512

static enum userns_mode mode;
static char reason[ANSWER_MAX];
static uid_t outer_uid = (uid_t)-1;

enum userns_mode userns_mode(void)
{
	return mode;
}

const char *userns_reason(void)
{
	return reason;
}

uint32_t userns_parse_last(struct str map)
{
	uint64_t last = 0;

	while (map.len) {
		AUTO(mem) char *line = str_dup(str_cut(&map, '\n'));
		uint32_t first, count;

		if (sscanf(line, "%" SCNu32 " %*u %" SCNu32, &first, &count) == 2 && count > 0 &&
		    (uint64_t)first + count - 1 > last)
			last = (uint64_t)first + count - 1;
	}
	return last < INT32_MAX ? (uint32_t)last : INT32_MAX;
}

uint32_t userns_last_group(void)
{
	AUTO(buf) struct buf text = BUF_INIT(RULES_MAX);
	AUTO(err) struct err *err = file_read(AT_FDCWD, "/proc/self/gid_map", RULES_MAX, &text);

	return err ? 0 : userns_parse_last(buf_str(&text));
}

uid_t userns_outer_uid(void)
{
	return outer_uid == (uid_t)-1 ? getuid() : outer_uid;
}

/* ---- subordinate ids ---- */

/* A decimal number that fits into an id, and nothing else. */
static bool parse_id(struct str text, uint32_t *ret)
{
	uint64_t n = 0;

	if (!text.len || text.len > 10)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.at[i] - '0');
	}
	*ret = (uint32_t)n;
	return n < UINT32_MAX;
}

size_t userns_parse_ranges(struct str text, const char *name, uid_t uid,
			   struct userns_range ret[static USERNS_RANGES_MAX])
{
	char number[16];
	size_t count = 0;

	snprintf(number, sizeof(number), "%u", (unsigned)uid);
	while (text.len && count < USERNS_RANGES_MAX) {
		struct str line = str_cut(&text, '\n');
		const struct str owner = str_cut(&line, ':');
		const struct str first = str_cut(&line, ':');
		struct userns_range range;

		if ((!name || !str_is(owner, name)) && !str_is(owner, number))
			continue;
		if (parse_id(first, &range.first) && parse_id(str_trim(line), &range.count) &&
		    range.count && range.first <= UINT32_MAX - range.count)
			ret[count++] = range;
	}
	return count;
}

/* The arguments of newuidmap or newgidmap behind the process: inside, outside, how many. */
static void add_map(struct strings *argv, uint32_t own, const struct userns_range *ranges,
		    size_t count)
{
	uint64_t inside = 1;
	AUTO(mem) char *self = xasprintf("%u", own);

	strings_push(argv, "0");
	strings_push(argv, self);
	strings_push(argv, "1");
	for (size_t i = 0; i < count && inside < UINT32_MAX; i++) {
		const struct userns_range *range = &ranges[i];
		AUTO(mem) char *in = xasprintf("%ju", (uintmax_t)inside);
		AUTO(mem) char *out = xasprintf("%u", range->first);
		AUTO(mem) char *len = xasprintf("%u", range->count);

		strings_push(argv, in);
		strings_push(argv, out);
		strings_push(argv, len);
		inside += range->count;
	}
}

/* Our ranges by one of the two files; none with the reason why. */
static struct err *read_ranges(const char *rules, const char *user,
			       struct userns_range ret[static USERNS_RANGES_MAX], size_t *ret_count)
{
	AUTO(buf) struct buf text = BUF_INIT(RULES_MAX);
	struct err *err = file_read(AT_FDCWD, rules, RULES_MAX, &text);

	if (err_kind(err) != ERR_NOT_FOUND)
		TRY(err);
	else
		err_free(err);
	*ret_count = userns_parse_ranges(buf_str(&text), user, getuid(), ret);
	if (!*ret_count)
		snprintf(reason, sizeof(reason), "%s has no line for %s", rules,
			 user ? user : "this user");
	return NULL;
}

/* Our ranges, from wherever this machine keeps them. */
static struct err *find_ranges(const char *rules, const char *user,
			       struct userns_range ret[static USERNS_RANGES_MAX], size_t *ret_count)
{
	AUTO(mem) char *source = subid_source();
	bool silent;

	if (!source || !user)
		return read_ranges(rules, user, ret, ret_count);
	*ret_count = subid_ask(user, strcmp(rules, SUBGID) == 0, ret, &silent);
	if (!*ret_count)
		snprintf(reason, sizeof(reason),
			 "getsubids %s %s of %s ('subid: %.32s' in /etc/nsswitch.conf)",
			 silent ? "says nothing of the" : "has no",
			 strcmp(rules, SUBGID) == 0 ? "groups" : "ids", user, source);
	return NULL;
}

/* The command that maps our ids, or nothing and the reason why there is none. */
static struct err *plan_map(const char *tool, const char *rules, const char *user, uint32_t own,
			    struct strings *argv)
{
	struct userns_range ranges[USERNS_RANGES_MAX];
	AUTO(mem) char *pid = xasprintf("%ld", (long)getpid());
	size_t count = 0;

	TRY(find_ranges(rules, user, ranges, &count));
	if (!count)
		return NULL;
	strings_push(argv, tool);
	strings_push(argv, pid);
	add_map(argv, own, ranges, count);
	return NULL;
}

/* ---- the child outside ---- */

/* Run one of the two; its complaint goes to our standard error, a pipe. */
static int run_tool(char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execvp(argv[0], argv);
		dprintf(2, "%s: %s", argv[0], strerror(errno));
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Wait until there is a namespace, and give it its ids. The pipe is also what we complain to. */
noreturn static void map_from_outside(int socket_fd, struct strings *uid_map,
				      struct strings *gid_map)
{
	char go;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(socket_fd, 2);
	if (read(socket_fd, &go, 1) != 1)
		_exit(1);
	if (run_tool(strings_argv(uid_map)) != 0 || run_tool(strings_argv(gid_map)) != 0)
		_exit(1);
	_exit(0);
}

/* The first `len` bytes of `reason`, as part of a sentence. */
static void keep_reason(size_t len)
{
	while (len > 0 && reason[len - 1] == '\n')
		len--;
	reason[len] = '\0';
	for (char *c = reason; *c; c++)
		*c = (char)(*c == '\n' ? ' ' : *c);
	if (len == 0)
		snprintf(reason, sizeof(reason), "newuidmap or newgidmap failed");
}

/* Let it go on, and hear what it has to say. */
static bool map_by_child(pid_t pid, int socket_fd)
{
	ssize_t got = 0;
	size_t len = 0;
	pid_t ended;
	int status;

	(void)!send(socket_fd, "g", 1, MSG_NOSIGNAL); /* it may have been killed */
	shutdown(socket_fd, SHUT_WR);
	while (len < sizeof(reason) - 1 &&
	       (got = read(socket_fd, reason + len, sizeof(reason) - 1 - len)) != 0) {
		if (got < 0 && errno != EINTR)
			break;
		len += got > 0 ? (size_t)got : 0;
	}
	shutdown(socket_fd, SHUT_RD); /* who has more to say is not waited for */
	while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	keep_reason(len);
	if (ended != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return false;
	reason[0] = '\0'; /* a warning */
	return true;
}

/* ---- entering ---- */

static bool has_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 && data[0].effective & 1U << CAP_SYS_ADMIN;
}

static bool reads(const char *path, const char *text)
{
	AUTO(buf) struct buf found = BUF_INIT(64);
	AUTO(err) struct err *err = file_read(AT_FDCWD, path, 63, &found);

	return !err && str_is(str_trim(buf_str(&found)), text);
}

/* Why there can be no namespace: errno is what the kernel said. */
static struct err *explain(const char *what)
{
	struct err *err = err_new(ERR_DENIED, "cannot %s: %s", what, strerror(errno));

	if (reads("/proc/sys/user/max_user_namespaces", "0"))
		return err_note(err, "User namespaces are turned off here: set "
				     "user.max_user_namespaces to 10000 with sysctl(8), or run as "
				     "root.");
	if (reads("/proc/sys/kernel/unprivileged_userns_clone", "0"))
		return err_note(err, "Ordinary users may not make user namespaces here: set "
				     "kernel.unprivileged_userns_clone to 1 with sysctl(8), or run "
				     "as root.");
	if (reads("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
		return err_note(err,
				"AppArmor restricts user namespaces here: install the profile "
				"that comes with cairn (share/cairn/apparmor says how), or set "
				"kernel.apparmor_restrict_unprivileged_userns to 0 with "
				"sysctl(8), or run as root.");
	return err_note(err, "Inside a container it must allow user namespaces: podman does with "
			     "--security-opt seccomp=unconfined, docker also needs "
			     "--security-opt apparmor=unconfined.");
}

static struct err *write_proc(const char *path, const char *text)
{
	AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys("open %s", path);
	if (write(fd, text, strlen(text)) < 0)
		return err_sys("write %s", path);
	return NULL;
}

/* A map can be written once: newuidmap may have done it, and newgidmap failed. */
static bool has_map(const char *path)
{
	AUTO(buf) struct buf found = BUF_INIT(RULES_MAX);
	AUTO(err) struct err *err = file_read(AT_FDCWD, path, RULES_MAX, &found);

	return !err && found.len > 0;
}

/* Our own ids alone, which nobody has to allow. */
static struct err *map_self(uid_t uid, gid_t gid)
{
	AUTO(mem) char *uid_map = xasprintf("0 %u 1", (unsigned)uid);
	AUTO(mem) char *gid_map = xasprintf("0 %u 1", (unsigned)gid);

	TRY(write_proc("/proc/self/setgroups", "deny"));
	if (!has_map("/proc/self/uid_map"))
		TRY(write_proc("/proc/self/uid_map", uid_map));
	return write_proc("/proc/self/gid_map", gid_map);
}

struct maps {
	struct strings uids, gids; /* argv of the two tools; empty: single-id mode */
};

static inline void maps_auto_(struct maps *maps)
{
	strings_release(&maps->uids);
	strings_release(&maps->gids);
}

static struct err *plan(struct maps *maps)
{
	struct passwd record, *found = NULL;
	char text[4096];
	const char *user = NULL;

	if (getpwuid_r(getuid(), &record, text, sizeof(text), &found) == 0 && found)
		user = found->pw_name;
	TRY(plan_map("newuidmap", SUBUID, user, getuid(), &maps->uids));
	if (maps->uids.len)
		TRY(plan_map("newgidmap", SUBGID, user, getgid(), &maps->gids));
	return NULL;
}

static struct err *make_namespace(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return explain("make a user namespace");
	return NULL;
}

/* With a helper outside. `*ret_mapped` false: it could not, and `reason` says why. */
static struct err *enter_with_ranges(struct maps *maps, bool *ret_mapped)
{
	AUTO(fd) int ours = -1;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys("make a socket");
	ours = pair[0];
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		map_from_outside(pair[1], &maps->uids, &maps->gids);
	}
	close(pair[1]);
	if (pid < 0)
		return err_sys("start a process");
	TRY(make_namespace()); /* the child ends with its socket */
	*ret_mapped = map_by_child(pid, ours);
	return NULL;
}

static struct err *become_root(void)
{
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys("become root of a user namespace");
	/* setresuid() made us undumpable: our own /proc entries would not be ours. */
	prctl(PR_SET_DUMPABLE, 1);
	return NULL;
}

struct err *userns_enter(void)
{
	AUTO(maps) struct maps maps = { .uids = { 0 } };
	const uid_t uid = getuid();
	const gid_t gid = getgid();
	bool mapped = false;

	if (outer_uid != (uid_t)-1 || (geteuid() == 0 && has_admin()))
		return NULL;
	TRY(plan(&maps));
	if (maps.gids.len)
		TRY(enter_with_ranges(&maps, &mapped));
	else
		TRY(make_namespace());
	if (!mapped)
		TRY(map_self(uid, gid));
	outer_uid = uid;
	mode = mapped ? USERNS_RANGES : USERNS_SINGLE;
	return become_root();
}
