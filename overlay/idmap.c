/*
 * overlay/idmap.c - see overlay/idmap.h.
 *
 * A user namespace lives as long as a descriptor of it. It is made by a child that does
 * nothing else, and whose maps we write: only somebody outside may map more than his own id.
 */

#include "overlay/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/userns.h"
#include "overlay/kernel-private.h"

#define RANGE_LEAST 65536
#define RULES_MAX ((size_t)4 * 1024 * 1024)
#define PATH_SIZE 64
#define MAP_MAX ((size_t)64 * 1024) /* the kernel takes 340 lines */

struct map {
	struct idmap_extent at[IDMAP_EXTENTS];
	size_t len;
};

struct idmap {
	int userns_fd;
	struct map uids, gids;
};

/* ---- which ids ---- */

/* The first range of `name` that is large enough and lies below ours. */
static bool find_range(struct str rules, const char *name, struct userns_range *ret)
{
	struct userns_range ranges[USERNS_RANGES_MAX];
	const uid_t number = strcmp(name, "root") == 0 ? 0 : (uid_t)-1;
	const size_t count = userns_parse_ranges(rules, name, number, ranges);

	for (size_t i = 0; i < count; i++) {
		*ret = ranges[i];
		if (ret->first > 0 && ret->count >= RANGE_LEAST && ret->first <= IDMAP_FIRST &&
		    ret->count <= IDMAP_FIRST - ret->first)
			return true;
	}
	return false;
}

size_t idmap_plan(struct str rules, struct idmap_extent ret[static IDMAP_EXTENTS])
{
	struct userns_range range;
	size_t len = 0;
	uint32_t done = 0;

	if (find_range(rules, "containers", &range) || find_range(rules, "root", &range)) {
		ret[len++] = (struct idmap_extent){ 0, range.first, range.count };
		done = range.count;
	}
	ret[len++] = (struct idmap_extent){ done, IDMAP_FIRST + done, IDMAP_COUNT - done };
	return len;
}

static struct err *plan(const char *path, struct map *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(RULES_MAX);
	struct err *err = file_read(AT_FDCWD, path, RULES_MAX, &text);

	if (err_kind(err) == ERR_NOT_FOUND)
		err_free(err);
	else
		TRY(err);
	ret->len = idmap_plan(buf_str(&text), ret->at);
	return NULL;
}

static uint32_t map_id(const struct map *map, uint32_t inside)
{
	for (size_t i = 0; i < map->len; i++)
		if (inside >= map->at[i].inside && inside - map->at[i].inside < map->at[i].count)
			return map->at[i].outside + (inside - map->at[i].inside);
	return UINT32_MAX;
}

uid_t idmap_uid(const struct idmap *idmap, uid_t inside)
{
	return map_id(&idmap->uids, inside);
}

gid_t idmap_gid(const struct idmap *idmap, gid_t inside)
{
	return map_id(&idmap->gids, inside);
}

/* As the kernel takes and gives it. */
static void format_map(const struct map *map, struct buf *ret)
{
	for (size_t i = 0; i < map->len; i++)
		buf_addf(ret, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", map->at[i].inside,
			 map->at[i].outside, map->at[i].count);
}

void idmap_format(const struct idmap *idmap, bool groups, struct buf *ret)
{
	format_map(groups ? &idmap->gids : &idmap->uids, ret);
}

int idmap_userns(const struct idmap *idmap)
{
	return idmap->userns_fd;
}

/* ---- the namespace ---- */

/* Any id may be mapped only there. */
bool idmap_is_useful(void)
{
	AUTO(buf) struct buf text = BUF_INIT((size_t)4096);
	AUTO(err) struct err *err = file_read(AT_FDCWD, "/proc/self/uid_map", 4095, &text);
	unsigned inside, outside, count;
	char line[64] = { 0 };

	if (err || !text.len)
		return false;
	snprintf(line, sizeof(line), "%.*s", (int)(text.len < 63 ? text.len : 63), text.at);
	return sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
	       outside == 0 && count == UINT32_MAX;
}

static struct err *write_map(pid_t pid, const char *name, struct str text)
{
	char path[PATH_SIZE];
	AUTO(fd) int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text.at, text.len) != (ssize_t)text.len)
		return err_sys("write %s", path);
	return NULL;
}

static struct err *take_namespace(pid_t pid, struct str uids, struct str gids, int *ret_fd)
{
	char path[PATH_SIZE];
	int fd;

	TRY(write_map(pid, "uid_map", uids));
	TRY(write_map(pid, "gid_map", gids));
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys("open %s", path);
	*ret_fd = fd;
	return NULL;
}

/* Is in a namespace of its own until our end of the pipe closes, also by our death. */
static pid_t clone_holder(const int pipe_fds[2])
{
	/* No exit signal: the program's own waiting must not see this child. */
	struct clone_args args = { .flags = CLONE_NEWUSER };
	const long pid = syscall(SYS_clone3, &args, sizeof(args));
	char byte;

	if (pid == 0) {
		syscall(SYS_close, pipe_fds[1]);
		while (syscall(SYS_read, pipe_fds[0], &byte, 1) < 0)
			;
		syscall(SYS_exit_group, 0);
	}
	return (pid_t)pid;
}

/* With these maps, in the kernel's own spelling. */
static struct err *make_namespace(struct str uids, struct str gids, int *ret_fd)
{
	AUTO(fd) int read_fd = -1;
	struct err *err;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys("make a pipe");
	read_fd = ends[0];
	pid = clone_holder(ends);
	err = pid < 0 ? err_sys("make a user namespace") : take_namespace(pid, uids, gids, ret_fd);
	close(ends[1]);
	while (pid > 0 && waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	return err;
}

static struct err *make_mapped(struct idmap *idmap)
{
	AUTO(buf) struct buf uids = BUF_INIT(MAP_MAX);
	AUTO(buf) struct buf gids = BUF_INIT(MAP_MAX);

	format_map(&idmap->uids, &uids);
	format_map(&idmap->gids, &gids);
	return make_namespace(buf_str(&uids), buf_str(&gids), &idmap->userns_fd);
}

static struct err *unsupported(struct err *err)
{
	struct err *other = err_new(ERR_UNSUPPORTED, "%s", err_text(err));

	err_free(err);
	return other;
}

struct err *idmap_open(struct idmap **ret)
{
	AUTO(idmap) struct idmap *idmap = xcalloc(1, sizeof(*idmap));
	struct err *err;

	idmap->userns_fd = -1;
	if (!idmap_is_useful())
		return err_new(ERR_UNSUPPORTED, "we are in a user namespace ourselves");
	TRY(plan("/etc/subuid", &idmap->uids));
	TRY(plan("/etc/subgid", &idmap->gids));
	err = make_mapped(idmap);
	if (err)
		return unsupported(err);
	*ret = STEAL(idmap);
	return NULL;
}

/* Every id that we have, as itself. */
static struct err *copy_map(const char *path, struct buf *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(MAP_MAX);
	struct str rest;

	TRY(file_read(AT_FDCWD, path, MAP_MAX, &text));
	rest = buf_str(&text);
	while (rest.len) {
		AUTO(mem) char *line = str_dup(str_cut(&rest, '\n'));
		uint32_t first, count;

		if (sscanf(line, "%" SCNu32 " %*u %" SCNu32, &first, &count) == 2)
			buf_addf(ret, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", first, first, count);
	}
	return buf_check(ret, path);
}

struct err *idmap_open_below(int *ret_userns_fd)
{
	AUTO(buf) struct buf uids = BUF_INIT(MAP_MAX);
	AUTO(buf) struct buf gids = BUF_INIT(MAP_MAX);

	TRY(copy_map("/proc/self/uid_map", &uids));
	TRY(copy_map("/proc/self/gid_map", &gids));
	return make_namespace(buf_str(&uids), buf_str(&gids), ret_userns_fd);
}

void idmap_free(struct idmap *idmap)
{
	if (!idmap)
		return;
	if (idmap->userns_fd >= 0)
		close(idmap->userns_fd);
	free(idmap);
}

/* ---- mounts ---- */

struct err *idmap_apply(const struct idmap *idmap, int mount_fd, bool all)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .userns_fd = (uint64_t)idmap->userns_fd };

	if (syscall(SYS_mount_setattr, mount_fd, "", AT_EMPTY_PATH | (all ? AT_RECURSIVE : 0),
		    &attr, sizeof(attr)) < 0)
		return unsupported(
			err_sys("the file system cannot show its files with other owners"));
	return NULL;
}

struct err *idmap_clone(const struct idmap *idmap, int fd, int *ret_fd)
{
	AUTO(fd) int clone_fd = kernel_clone_mount(fd, "");

	if (clone_fd < 0 || kernel_make_private(clone_fd, "", AT_EMPTY_PATH) < 0)
		return err_sys("clone a mount");
	TRY(idmap_apply(idmap, clone_fd, false));
	*ret_fd = STEAL_FD(clone_fd);
	return NULL;
}

/* ---- who we are to file systems ---- */

/* A change of this id must not take capabilities away; both are of this thread alone. */
struct err *idmap_assume(const struct idmap *idmap)
{
	const int bits = prctl(PR_GET_SECUREBITS);

	if (bits < 0 || prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP) < 0)
		return unsupported(err_sys("keep our capabilities"));
	setfsgid(idmap_gid(idmap, 0));
	setfsuid(idmap_uid(idmap, 0));
	return NULL;
}

void idmap_resume(void)
{
	const int bits = prctl(PR_GET_SECUREBITS);

	setfsuid(geteuid());
	setfsgid(getegid());
	if (bits >= 0)
		prctl(PR_SET_SECUREBITS, bits & ~SECBIT_NO_SETUID_FIXUP);
}
