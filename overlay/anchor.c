/* overlay/anchor.c - see overlay/anchor-private.h. */

#include "overlay/anchor-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "overlay/hierarchy-private.h"
#include "overlay/resource-private.h"

#define PATH_LIMIT ((size_t)4096)
#define LIST_MAX ((size_t)4096)

/* ---- what went wrong ---- */

static enum err_kind kind_of(int error)
{
	if (error == EACCES || error == EPERM || error == EROFS)
		return ERR_DENIED;
	return error == EINVAL || error == ERANGE || error == ENOSPC ? ERR_INVALID :
								       ERR_UNSUPPORTED;
}

static const char *remedy(int error)
{
	if (error == EROFS)
		return "The control groups are read-only here, as in most containers: limit the "
		       "container instead, or give it its own, writable ones.";
	if (error == EACCES || error == EPERM)
		return "It takes root, or a user to whom systemd has delegated this controller:\n"
		       "    systemd-run --user --scope -p Delegate=yes cairn ...\n"
		       "Of the controllers, systemd delegates cpu, cpuset and io to users only if "
		       "user@.service says so\n(Delegate=cpu cpuset io memory pids).";
	if (error == EBUSY)
		return "A group that has processes of its own limits no others. Start cairn in a "
		       "group below, or name\nanother place with --cgroup-parent.";
	if (error == ENOENT)
		return "This kernel has no such limit, or it was switched off when it was booted.";
	if (error == EINVAL || error == ERANGE || error == ENOSPC)
		return "The kernel refuses this value here: perhaps this machine, or the group "
		       "above, has less.";
	return "";
}

struct err *anchor_refusal(const char *option, const char *controller, const char *doing,
			   const char *path, int error)
{
	AUTO(mem)
	char *which =
		controller ? xasprintf(" of the cgroup controller '%s'", controller) : xstrdup("");
	struct err *err = err_new(kind_of(error), "%s%scannot %s /%s%s: %s", option ? option : "",
				  option ? ": " : "", doing, path, which, strerror(error));

	return remedy(error)[0] ? err_note(err, "%s", remedy(error)) : err;
}

static struct err *anchor_error(const struct anchor *anchor, const char *doing, const char *path)
{
	return anchor_refusal(anchor->option, anchor->controller, doing, path, errno);
}

/* ---- groups ---- */

/* Copy a setting of cpuset to a group that has none yet. */
static bool inherit(int parent_fd, int fd, const char *file)
{
	AUTO(buf) struct buf theirs = BUF_INIT(LIST_MAX);
	AUTO(buf) struct buf ours = BUF_INIT(LIST_MAX);
	AUTO(err) struct err *err = file_read(fd, file, LIST_MAX, &ours);
	AUTO(fd) int file_fd = -1;

	if (err || str_trim(buf_str(&ours)).len > 0)
		return !err;
	err = file_read(parent_fd, file, LIST_MAX, &theirs);
	if (err)
		return false;
	file_fd = openat(fd, file, O_WRONLY | O_CLOEXEC);
	return file_fd >= 0 && write(file_fd, theirs.at, theirs.len) == (ssize_t)theirs.len;
}

struct err *anchor_make_group(const struct hierarchy *hierarchy, int parent_fd, const char *name,
			      bool exclusive, int *ret_fd)
{
	AUTO(fd) int fd = -1;

	if (mkdirat(parent_fd, name, 0755) < 0 && (exclusive || errno != EEXIST))
		return err_sys("make the group %s", name);
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys("open the group %s", name);
	if (!hierarchy->unified && hierarchy_lists(hierarchy->controllers, ',', "cpuset") &&
	    !(inherit(parent_fd, fd, "cpuset.cpus") && inherit(parent_fd, fd, "cpuset.mems")))
		return err_sys("give the group %s its CPUs", name);
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

/* Whether the process sees the real top, which alone can have processes and pass controllers on. */
static bool is_top(int root_fd, const char *path)
{
	AUTO(mem) char *type = xasprintf("%s/cgroup.type", path);

	return !file_exists(root_fd, type);
}

/* Where steps go if nobody says: in our group, or beside it. */
static char *usual_place(int root_fd, const struct hierarchy *h)
{
	const char *slash = strrchr(h->own, '/');

	if (!h->unified || strlen(h->own) <= strlen(h->mount) || is_top(root_fd, h->own))
		return xstrdup(h->own);
	return str_dup((struct str){ h->own, (size_t)(slash - h->own) });
}

/* systemd names a slice by the way to it: a-b.slice lies in a.slice. */
static void add_slice(struct buf *path, const char *name)
{
	for (const char *dash = strchr(name, '-'); dash; dash = strchr(dash + 1, '-'))
		buf_addf(path, "/%.*s.slice", (int)(dash - name), name);
	buf_addf(path, "/%s", name);
}

/* The place that --cgroup-parent names. */
static struct err *named_place(const struct hierarchy *h, const char *parent, char **ret)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_LIMIT);
	AUTO(buf) struct buf below = BUF_INIT(PATH_LIMIT);

	if (!path_add(&below, str_of(parent), PATH_REFUSED) || below.len == 0)
		return err_new(ERR_INVALID, "--cgroup-parent: '%.200s' names no control group",
			       parent);
	buf_adds(&path, h->mount);
	if (str_ends(buf_str(&below), ".slice") && !strchr(below.at, '/'))
		add_slice(&path, below.at);
	else
		buf_addf(&path, "/%s", below.at);
	TRY(buf_check(&path, "--cgroup-parent"));
	*ret = buf_steal(&path);
	return NULL;
}

/* Open anchor->path, made from the top of the hierarchy where it is missing. */
static struct err *enter_place(int root_fd, struct anchor *anchor)
{
	const struct hierarchy *h = anchor->hierarchy;
	AUTO(fd) int fd = -1;
	struct str rest = str_of(anchor->path + strlen(h->mount));

	TRY(file_open(root_fd, h->mount, O_RDONLY | O_DIRECTORY, 0, FILE_BENEATH, &fd));
	while (rest.at) {
		AUTO(mem) char *name = str_dup(str_cut(&rest, '/'));
		AUTO(err) struct err *err = NULL;
		int below_fd = -1;

		if (!name[0])
			continue;
		err = anchor_make_group(h, fd, name, false, &below_fd);
		if (err) {
			errno = err_errno(err);
			return anchor_error(anchor, "make the group", anchor->path);
		}
		close(fd);
		fd = below_fd;
	}
	anchor->dir_fd = STEAL_FD(fd);
	return NULL;
}

/* ---- passing controllers on ---- */

static bool passes_on(int dir_fd, const char *path, const char *controller)
{
	AUTO(mem) char *file = xasprintf("%s%scgroup.subtree_control", path, path[0] ? "/" : "");
	AUTO(buf) struct buf list = BUF_INIT(LIST_MAX);
	AUTO(err) struct err *err = file_read(dir_fd, file, LIST_MAX, &list);

	return !err && list.len > 0 && hierarchy_lists(list.at, ' ', controller);
}

bool anchor_passes_on(const struct anchor *anchor, const char *controller)
{
	return passes_on(anchor->dir_fd, "", controller);
}

/* Let the group at `path` pass a controller on to those in it. */
static struct err *pass_on(int root_fd, const struct anchor *anchor, const char *path,
			   const char *controller)
{
	AUTO(mem) char *file = xasprintf("%s/cgroup.subtree_control", path);
	AUTO(mem) char *word = xasprintf("+%s", controller);
	AUTO(mem) char *doing = xasprintf("write '%s' to", word);
	AUTO(fd) int fd = -1;

	if (passes_on(root_fd, path, controller))
		return NULL;
	fd = openat(root_fd, file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, word, strlen(word)) < 0)
		return anchor_error(anchor, doing, file);
	return NULL;
}

/* The same for every group from the top down to the anchor. */
static struct err *pass_down(int root_fd, const struct anchor *anchor, const char *controller)
{
	const size_t top = strlen(anchor->hierarchy->mount);

	if (anchor_passes_on(anchor, controller))
		return NULL;
	for (size_t end = top; end <= strlen(anchor->path); end++) {
		AUTO(mem) char *path = NULL;

		if (anchor->path[end] != '/' && anchor->path[end])
			continue;
		path = str_dup((struct str){ anchor->path, end });
		TRY(pass_on(root_fd, anchor, path, controller));
	}
	return NULL;
}

struct err *anchor_open(int root_fd, const struct hierarchy *hierarchy, const char *parent,
			const struct resource_setting *settings, size_t setting_count,
			struct anchor *ret)
{
	AUTO(anchor) struct anchor anchor = { .hierarchy = hierarchy, .dir_fd = -1 };

	for (size_t i = setting_count; i-- > 0;)
		if (settings[i].option) {
			anchor.option = settings[i].option;
			anchor.controller = settings[i].controller;
		}
	if (!anchor.option && parent)
		anchor.option = "--cgroup-parent";
	if (parent)
		TRY(named_place(hierarchy, parent, &anchor.path));
	else
		anchor.path = usual_place(root_fd, hierarchy);
	TRY(enter_place(root_fd, &anchor));
	for (size_t i = 0; hierarchy->unified && i < setting_count; i++) {
		if (!settings[i].option)
			continue;
		anchor.option = settings[i].option;
		anchor.controller = settings[i].controller;
		TRY(pass_down(root_fd, &anchor, settings[i].controller));
	}
	*ret = anchor;
	anchor = (struct anchor){ .dir_fd = -1 };
	return NULL;
}

void anchor_release(struct anchor *anchor)
{
	free(anchor->path);
	if (anchor->dir_fd >= 0)
		close(anchor->dir_fd);
}
