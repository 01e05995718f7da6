/*
 * overlay/overseer-path.c - the paths of a step, looked up for it.
 *
 * Nearly all of them the kernel looks up at once. Not those through certain links of
 * /proc: "self" is nobody's there, for we are not in the step's process namespace; and
 * links to open files and directories are no names, but ways, which must not be gone
 * with our rights. Such a path is walked name by name. "self" is who asked, and his
 * own links are opened by his number in our /proc; those of others are refused. So
 * whatever a step shows as its /proc, what it reaches is what it holds itself.
 */

#include "overlay/overseer-private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "overlay/kernel-private.h"

#define LINKS_MAX 40 /* as the kernel follows */
#define PROC_ROOT 1  /* the inode of the first directory of every /proc */

int overseer_open_link(pid_t pid, const char *what, int number, int flags)
{
	char path[64];

	if (number >= 0)
		snprintf(path, sizeof(path), "%d/%s/%d", (int)pid, what, number);
	else
		snprintf(path, sizeof(path), "%d/%s", (int)pid, what);
	return open(path, O_PATH | O_CLOEXEC | flags);
}

/* ---- numbers of who asks ---- */

/* A line of its status, of which its name is another: one number for each process namespace, from ours to its
 * own. False if there is none. */
static bool read_numbers(pid_t pid, const char *key, char numbers[static 512])
{
	char path[32], text[4096];
	const char *line;
	AUTO(fd) int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	line = strstr(text, key);
	if (!line)
		return false;
	line += strlen(key);
	snprintf(numbers, 512, "%.*s", (int)strcspn(line, "\n"), line);
	return true;
}

/* Its number in our namespace, or in its own. 0: it is gone. */
static long number_of(pid_t pid, const char *key, bool ours)
{
	char numbers[512];

	if (!read_numbers(pid, key, numbers))
		return 0;
	return strtol(ours ? numbers : strrchr(numbers, '\t'), NULL, 10);
}

static bool has_number(pid_t pid, const char *key, long number)
{
	char numbers[512], *at = numbers, *end;

	if (!read_numbers(pid, key, numbers))
		return false;
	for (; *at; at = end)
		if (strtol(at, &end, 10) == number)
			return true;
		else if (end == at)
			return false;
	return false;
}

/* ---- a walk ---- */

struct walk {
	pid_t pid;
	int at_fd;  /* owned: as far as we are */
	char *rest; /* owned: the way from there */
	unsigned links;
};

static void walk_auto_(struct walk *walk)
{
	if (walk->at_fd >= 0)
		close(walk->at_fd);
	free(walk->rest);
}

/* What stands before a slash has to be one. */
static int check_dir(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* Takes ownership of `fd`, or answers with -errno if it is none. */
static int move_to(struct walk *walk, int fd)
{
	if (fd < 0)
		return -errno;
	if (walk->at_fd >= 0)
		close(walk->at_fd);
	walk->at_fd = fd;
	return 0;
}

/* The next name, which is the last one if nothing but slashes follows: these want a directory. */
struct step {
	char name[NAME_MAX + 1];
	bool last, wants_dir;
};

static int take_name(struct walk *walk, struct step *ret)
{
	const char *rest = walk->rest + strspn(walk->rest, "/");
	const size_t len = strcspn(rest, "/"), slashes = strspn(rest + len, "/");

	if (len >= sizeof(ret->name))
		return -ENAMETOOLONG;
	memcpy(ret->name, rest, len);
	ret->name[len] = '\0';
	ret->wants_dir = slashes > 0;
	rest += len + slashes;
	ret->last = !*rest;
	memmove(walk->rest, rest, strlen(rest) + 1);
	return 0;
}

/* Go on with `text`, and then with what was left. */
static int insert(struct walk *walk, const char *text, const struct step *step)
{
	char *rest = xasprintf("%s%s%s", text, step->wants_dir ? "/" : "", walk->rest);

	free(walk->rest);
	walk->rest = rest;
	return text[0] == '/' ? move_to(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

/* Whether the directory is .../NUMBER or .../NUMBER/fd, of who asks. */
static bool is_own(const struct walk *walk, bool *ret_fds)
{
	char link[48], dir[PATH_MAX], *last;
	ssize_t len;
	long number;

	snprintf(link, sizeof(link), "thread-self/fd/%d", walk->at_fd);
	len = readlink(link, dir, sizeof(dir) - 1);
	dir[len > 0 ? len : 0] = '\0';
	last = strrchr(dir, '/');
	*ret_fds = last && strcmp(last, "/fd") == 0;
	if (*ret_fds) {
		*last = '\0';
		last = strrchr(dir, '/');
	}
	if (!last || last[1] < '1' || last[1] > '9')
		return false;
	number = strtol(last + 1, &last, 10);
	return !*last && (has_number(walk->pid, "\nNStgid:", number) ||
			  has_number(walk->pid, "\nNSpid:", number));
}

/* A link that leads to what a process has open, or where it is. */
static int follow_own(struct walk *walk, const char *name)
{
	static const char *const places[] = { "cwd", "root", "exe" };
	AUTO(err) struct err *no_number = NULL;
	uint64_t number;
	bool fds;

	if (!is_own(walk, &fds))
		return -EPERM;
	if (fds) {
		no_number = num_parse(str_of(name), 0, INT_MAX, &number);
		return no_number ?
			       -EPERM :
			       move_to(walk, overseer_open_link(walk->pid, "fd", (int)number, 0));
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strcmp(name, places[i]) == 0)
			return move_to(walk, overseer_open_link(walk->pid, places[i], -1, 0));
	return -EPERM;
}

/* In the first directory of a /proc: what a link there is to who asks. */
static void name_self(const struct walk *walk, const char *name, char target[static PATH_MAX])
{
	/* To whom "self" means something, that /proc has his numbers. */
	const bool ours = readlinkat(walk->at_fd, "self", target, PATH_MAX) > 0;
	const long process = number_of(walk->pid, "\nNStgid:", ours);

	if (strcmp(name, "self") == 0)
		snprintf(target, PATH_MAX, "%ld", process);
	else
		snprintf(target, PATH_MAX, "%ld/task/%ld", process,
			 number_of(walk->pid, "\nNSpid:", ours));
}

static int follow_text(struct walk *walk, int link_fd, const struct step *step)
{
	char target[PATH_MAX];
	const ssize_t len = readlinkat(link_fd, "", target, sizeof(target));

	if (len <= 0)
		return len < 0 ? -errno : -ENOENT;
	if (len == sizeof(target))
		return -ENAMETOOLONG;
	target[len] = '\0';
	return insert(walk, target, step);
}

static int follow_in_proc(struct walk *walk, int link_fd, const struct step *step)
{
	char target[PATH_MAX];
	struct stat dir;
	int failed;

	if (fstat(walk->at_fd, &dir) < 0)
		return -errno;
	if (dir.st_ino != PROC_ROOT) {
		failed = follow_own(walk, step->name);
		return failed || !step->wants_dir ? failed : check_dir(walk->at_fd);
	}
	if (strcmp(step->name, "self") != 0 && strcmp(step->name, "thread-self") != 0)
		return follow_text(walk, link_fd, step);
	name_self(walk, step->name, target);
	return insert(walk, target, step);
}

static int follow_link(struct walk *walk, int link_fd, const struct step *step)
{
	struct statfs fs;

	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	if (fstatfs(link_fd, &fs) < 0)
		return -errno;
	return fs.f_type == PROC_SUPER_MAGIC ? follow_in_proc(walk, link_fd, step) :
					       follow_text(walk, link_fd, step);
}

/* One name further. */
static int go_on(struct walk *walk, bool follow)
{
	struct step step;
	struct stat st;
	AUTO(fd) int fd = -1;
	int failed = take_name(walk, &step);

	if (failed)
		return failed;
	fd = kernel_openat2(walk->at_fd, step.name, O_PATH | O_CLOEXEC | O_NOFOLLOW,
			    RESOLVE_NO_MAGICLINKS);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) && (follow || !step.last || step.wants_dir))
		return follow_link(walk, fd, &step);
	failed = step.wants_dir ? check_dir(fd) : 0;
	return failed ? failed : move_to(walk, STEAL_FD(fd));
}

static int walk_to(pid_t pid, int base_fd, const char *path, bool follow)
{
	AUTO(walk) struct walk walk = { .pid = pid, .rest = str_dup(str_of(path)) };
	int failed;

	walk.at_fd = path[0] == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) :
				      fcntl(base_fd, F_DUPFD_CLOEXEC, 0);
	if (walk.at_fd < 0)
		return -errno;
	while (walk.rest[strspn(walk.rest, "/")]) {
		failed = go_on(&walk, follow);
		if (failed)
			return failed;
	}
	return STEAL_FD(walk.at_fd);
}

int overseer_look_up(pid_t pid, int base_fd, const char *path, bool follow, bool near)
{
	const int flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
	const int fd = kernel_openat2(base_fd, path, flags,
				      RESOLVE_NO_MAGICLINKS | (near ? RESOLVE_NO_XDEV : 0));

	if (fd >= 0)
		return fd;
	if (near)
		return errno == EXDEV ? OVERSEER_FAR : -errno;
	if (errno == ELOOP || errno == ENOENT)
		return walk_to(pid, base_fd, path, follow);
	return -errno;
}
