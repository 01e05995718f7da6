/* builder/landing.c - see builder/landing.h. */

#include "builder/landing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "overlay/owner.h"

#define LINKS_MAX 40 /* as the kernel allows */

void landing_release(struct landing *landing)
{
	free(landing->path);
	xattrs_release(&landing->xattrs);
	if (landing->upper_fd >= 0)
		close(landing->upper_fd);
	if (landing->below_fd >= 0)
		close(landing->below_fd);
}

struct landing landing_steal(struct landing *landing)
{
	struct landing stolen = *landing;

	*landing = LANDING_INIT;
	return stolen;
}

/* ---- entering and leaving ---- */

/* Open a directory; `*ret_fd` is -1 if `dir_fd` is, or if it has no such name. */
static struct err *open_dir(int dir_fd, const char *name, const char *path, int *ret_fd)
{
	*ret_fd = -1;
	if (dir_fd < 0)
		return NULL;
	*ret_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd >= 0 || errno == ENOENT)
		return NULL;
	if (errno == ENOTDIR || errno == ELOOP)
		return err_new(ERR_INVALID, "'/%s' exists and is not a directory", path);
	return err_sys("open directory '/%s'", path);
}

static struct err *note_time(struct landing *landing, int fd, struct stat *ret)
{
	if (fstat(fd, ret) < 0)
		return err_sys("look at '/%s'", landing->path);
	landing->holds = true;
	landing->time = ret->st_mtim;
	return NULL;
}

/* Give a directory that was just made what it has below. */
static struct err *mirror(struct landing *landing)
{
	const int fd = landing->upper_fd;
	struct stat st;

	TRY(note_time(landing, landing->below_fd, &st));
	TRY(owner_stat(landing->below_fd, &st));
	TRY(xattrs_read(landing->below_fd, XATTR_VIEW, &landing->xattrs));
	TRY(owner_set(fd, st.st_uid, st.st_gid));
	TRY(xattrs_apply(fd, XATTR_LAYER, landing->xattrs.at, landing->xattrs.len,
			 XATTR_DEFAULT_ACL));
	if (fchmod(fd, st.st_mode & 07777) < 0)
		return err_sys("copy the mode of '/%s'", landing->path);
	return NULL;
}

/* Take a directory of the layer as it is, but for what waits until it is left. */
static struct err *adopt(struct landing *landing)
{
	const struct xattrs *xattrs = &landing->xattrs;
	struct stat st;

	TRY(note_time(landing, landing->upper_fd, &st));
	TRY(xattrs_read(landing->upper_fd, XATTR_LAYER, &landing->xattrs));
	if (xattrs_find(xattrs->at, xattrs->len, XATTR_DEFAULT_ACL) &&
	    fremovexattr(landing->upper_fd, XATTR_DEFAULT_ACL) < 0)
		return err_sys("put aside the default ACL of '/%s'", landing->path);
	return NULL;
}

static struct err *make(struct landing *landing, int dir_fd, const char *name,
			const struct landing_dir *fresh)
{
	if (mkdirat(dir_fd, name, 0700) < 0)
		return err_sys("make directory '/%s'", landing->path);
	TRY(open_dir(dir_fd, name, landing->path, &landing->upper_fd));
	if (landing->below_fd >= 0)
		return err_wrap(mirror(landing), "'/%s'", landing->path);
	TRY(err_wrap(owner_set(landing->upper_fd, fresh->uid, fresh->gid), "'/%s'", landing->path));
	if (fchmod(landing->upper_fd, fresh->mode) < 0)
		return err_sys("set the mode of '/%s'", landing->path);
	landing->fresh = !(fresh->mode & S_ISGID);
	return NULL;
}

struct err *landing_enter(const struct landing *from, const char *name,
			  const struct landing_dir *fresh, struct landing *ret)
{
	AUTO(landing) struct landing in = LANDING_INIT;

	in.path =
		from->path && from->path[0] ? xasprintf("%s/%s", from->path, name) : xstrdup(name);
	if (!from->fresh)
		TRY(open_dir(from->upper_fd, name, in.path, &in.upper_fd));
	TRY(open_dir(from->below_fd, name, in.path, &in.below_fd));
	if (in.upper_fd < 0)
		TRY(make(&in, from->upper_fd, name, fresh));
	else
		TRY(err_wrap(adopt(&in), "'/%s'", in.path));
	*ret = landing_steal(&in);
	return NULL;
}

struct err *landing_root(int upper_fd, int below_fd, struct landing *ret)
{
	AUTO(landing) struct landing root = LANDING_INIT;
	struct stat st;

	root.path = xstrdup("");
	TRY(open_dir(upper_fd, ".", "", &root.upper_fd));
	TRY(open_dir(below_fd, ".", "", &root.below_fd));
	TRY(adopt(&root));
	if (root.below_fd >= 0) /* it was made for this layer: its own time says nothing */
		TRY(note_time(&root, root.below_fd, &st));
	*ret = landing_steal(&root);
	return NULL;
}

struct err *landing_leave(const struct landing *landing)
{
	const struct timespec times[2] = { landing->time, landing->time };
	const struct tar_xattr *acl;

	if (!landing->holds)
		return NULL;
	acl = xattrs_find(landing->xattrs.at, landing->xattrs.len, XATTR_DEFAULT_ACL);
	if (acl)
		TRY(err_wrap(xattrs_apply(landing->upper_fd, XATTR_LAYER, acl, 1, NULL), "'/%s'",
			     landing->path));
	if (futimens(landing->upper_fd, times) < 0)
		return err_sys("set the time of '/%s'", landing->path);
	return NULL;
}

/* ---- finding ---- */

static bool has(int upper_fd, int below_fd, const char *path, struct stat *ret)
{
	if (fstatat(upper_fd, path, ret, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	return errno == ENOENT && below_fd >= 0 &&
	       fstatat(below_fd, path, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

bool landing_has(const struct landing *landing, const char *name, struct stat *ret)
{
	return has(landing->upper_fd, landing->below_fd, name, ret);
}

static char *join(const struct strings *parts, const char *last)
{
	struct buf path = BUF_INIT(INT_MAX);

	vec_foreach (parts, part)
		buf_addf(&path, "%s%s", path.len ? "/" : "", *part);
	if (last)
		buf_addf(&path, "%s%s", path.len ? "/" : "", last);
	return path.len ? buf_steal(&path) : xstrdup(".");
}

bool landing_is_dir(int upper_fd, int below_fd, const struct strings *parts)
{
	AUTO(mem) char *path = join(parts, NULL);
	struct stat st;

	return has(upper_fd, below_fd, path, &st) && S_ISDIR(st.st_mode);
}

/* The target of a link, or -1 if there is none of this name. */
static ssize_t read_link(int upper_fd, int below_fd, const char *path,
			 char link[static PATH_MAX + 1])
{
	ssize_t len = readlinkat(upper_fd, path, link, PATH_MAX);

	if (len < 0 && errno == ENOENT && below_fd >= 0)
		len = readlinkat(below_fd, path, link, PATH_MAX);
	return len;
}

static void drop_last(struct strings *parts)
{
	if (parts->len > 0)
		free(parts->at[--parts->len]);
}

/* Walks from the root again for each link: they are few. */
struct err *landing_resolve(int upper_fd, int below_fd, const char *path, struct strings *ret)
{
	AUTO(mem) char *rest_text = xstrdup(path);
	struct str rest = str_of(rest_text);
	int links = 0;

	while (rest.len > 0) {
		AUTO(mem) char *name = str_dup(str_cut(&rest, '/'));
		AUTO(mem) char *so_far = NULL;
		char link[PATH_MAX + 1];
		char *target;
		ssize_t len;

		if (!name[0] || strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			drop_last(ret);
			continue;
		}
		so_far = join(ret, name);
		len = read_link(upper_fd, below_fd, so_far, link);
		if (len < 0) {
			vec_push(ret, STEAL(name));
			continue;
		}
		if (++links > LINKS_MAX)
			return err_new(ERR_INVALID, "too many symbolic links in '%s'", path);
		while (link[0] == '/' && ret->len > 0)
			drop_last(ret);
		target = xasprintf("%.*s/%.*s", (int)len, link, STR_ARG(rest));
		free(rest_text);
		rest_text = target;
		rest = str_of(rest_text);
	}
	return NULL;
}
