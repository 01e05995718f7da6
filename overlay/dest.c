/* overlay/dest.c - see overlay/dest.h. */

#include "overlay/dest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/vec.h"
#include "overlay/owner.h"
#include "overlay/whiteout.h"

#define LINKS_MAX 40 /* symbolic links on one path, as in the kernel */

/* What one component of a path turned out to be. */
enum step {
	STEP_DOWN,  /* a directory: the dest stands in it */
	STEP_LINK,  /* a symbolic link */
	STEP_WRONG, /* something else */
	STEP_GONE,  /* nothing, here or below */
};

void dest_init(struct dest *dest, int fs_fd, int below_fd)
{
	*dest = (struct dest){ .below_fd = below_fd, .alias = BUF_INIT(TAR_PATH_MAX) };
	place_init(&dest->place);
	chain_init(&dest->chain, fs_fd);
	vec_add(&dest->levels);
}

void dest_release(struct dest *dest)
{
	vec_foreach (&dest->levels, level)
		free((void *)level->acl.at);
	vec_release(&dest->levels);
	chain_release(&dest->chain);
	buf_release(&dest->alias);
}

struct dest_level *dest_level(struct dest *dest)
{
	return vec_last(&dest->levels);
}

/* ---- up ---- */

/* What is due where the dest stands. */
static struct err *settle(struct dest *dest)
{
	struct dest_level *level = dest_level(dest);
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, level->mtime };
	int fd;

	if (!level->dirty && !level->acl.at)
		return NULL;
	TRY(chain_fd(&dest->chain, &fd));
	if (level->acl.at && fsetxattr(fd, XATTR_DEFAULT_ACL, level->acl.at, level->acl.len, 0) < 0)
		return err_sys("set the default ACL of directory '%s'", chain_path(&dest->chain));
	if (futimens(fd, times) < 0)
		return err_sys("set the time of directory '%s'", chain_path(&dest->chain));
	level->dirty = false;
	return NULL;
}

static struct err *go_up(struct dest *dest)
{
	TRY(settle(dest));
	free((void *)dest_level(dest)->acl.at);
	dest->levels.len--;
	chain_pop(&dest->chain);
	buf_reset(&dest->alias);
	return NULL;
}

struct err *dest_finish(struct dest *dest)
{
	while (dest->chain.len > 0)
		TRY(go_up(dest));
	return settle(dest);
}

/* ---- down ---- */

/* Stand in `fd`, which becomes the chain's. */
static struct err *go_down(struct dest *dest, const char *name, int fd,
			   const struct dest_level *level)
{
	TRY(chain_push(&dest->chain, name, fd));
	*vec_add(&dest->levels) = *level;
	buf_reset(&dest->alias);
	return NULL;
}

/* Take the default ACL from the directory where the dest stands, to be given back on leaving. */
static struct err *hold_acl(struct dest *dest, int fd)
{
	AUTO(mem) char *value = NULL;
	ssize_t len = fgetxattr(fd, XATTR_DEFAULT_ACL, NULL, 0);

	if (len <= 0)
		return NULL;
	value = xcalloc((size_t)len, 1);
	len = fgetxattr(fd, XATTR_DEFAULT_ACL, value, (size_t)len);
	if (len < 0 || fremovexattr(fd, XATTR_DEFAULT_ACL) < 0)
		return err_sys("put the default ACL of a directory aside");
	dest_level(dest)->acl = (struct str){ STEAL(value), (size_t)len };
	return NULL;
}

struct err *dest_here(struct dest *dest, struct place_dir *ret)
{
	struct dest_level *level = dest_level(dest);
	struct stat st;

	TRY(chain_fd(&dest->chain, &ret->fd));
	if (!level->known) {
		if (fstat(ret->fd, &st) < 0)
			return err_sys("stat directory '%s'", chain_path(&dest->chain));
		level->mtime = st.st_mtim;
		level->inherits = place_inherits(&dest->place, st.st_gid, st.st_mode);
		level->known = true;
		if (dest->acls)
			TRY(hold_acl(dest, ret->fd));
	}
	ret->inherits = level->inherits;
	level->dirty = true;
	return NULL;
}

/* Stand in the directory `name`, which was there before; `fd` may be -1. */
static struct err *enter(struct dest *dest, const char *name, int fd)
{
	struct dest_level level = { .hidden = dest_level(dest)->hidden };

	TRY(go_down(dest, name, fd, &level));
	if (dest->ask_opaque && !level.hidden)
		TRY(whiteout_is_opaque(fd, &dest_level(dest)->hidden));
	return NULL;
}

struct err *dest_enter(struct dest *dest, const char *name)
{
	int dir_fd, fd;

	TRY(chain_fd(&dest->chain, &dir_fd));
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys("open directory '%s'", name);
	return enter(dest, name, fd);
}

/* What an entry leaves to be done on leaving the directory where the dest stands. */
static void expect(struct dest *dest, const struct tar_entry *entry)
{
	const struct tar_xattr *acl =
		xattrs_find(entry->xattrs, entry->xattr_count, XATTR_DEFAULT_ACL);
	struct dest_level *level = dest_level(dest);

	level->mtime = (struct timespec){ .tv_sec = entry->mtime };
	level->known = level->dirty = true;
	level->inherits = place_inherits(&dest->place, entry->gid, entry->mode);
	free((void *)level->acl.at);
	level->acl = (struct str){ 0 };
	if (!acl)
		return;
	level->acl = (struct str){ str_dup(acl->value), acl->value.len };
	dest->acls = true;
}

struct err *dest_adopt(struct dest *dest, const struct tar_entry *entry)
{
	int fd;

	TRY(chain_fd(&dest->chain, &fd));
	TRY(place_adopt_dir(&dest->place, fd, entry));
	expect(dest, entry);
	return NULL;
}

struct err *dest_make(struct dest *dest, const char *name, const struct tar_entry *entry)
{
	struct dest_level level = { .hidden = dest_level(dest)->hidden };
	struct place_dir dir;
	int fd;

	TRY(dest_here(dest, &dir));
	TRY(place_make_dir(&dest->place, &dir, name, entry, &fd));
	TRY(go_down(dest, name, fd, &level));
	expect(dest, entry);
	return NULL;
}

/* ---- what the layer does not have ---- */

/* Look for `path` below: STEP_GONE, STEP_WRONG, STEP_LINK with its target, or STEP_DOWN with the
 * directory open as `*ret_fd`. */
static struct err *look_below(int below_fd, const char *path, char target[static PATH_MAX],
			      int *ret_fd, enum step *ret)
{
	AUTO(fd) int fd = -1;
	AUTO(err)
	struct err *err = file_open(below_fd, path, O_PATH | O_NOFOLLOW, 0, FILE_NO_LINKS, &fd);
	struct stat st;
	ssize_t len;

	*ret = STEP_GONE;
	if (err_kind(err) == ERR_NOT_FOUND || err_errno(err) == ELOOP)
		return NULL;
	TRY(STEAL(err));
	if (fstat(fd, &st) < 0)
		return err_sys("stat '%s' below the layer", path);
	if (S_ISDIR(st.st_mode)) {
		*ret = STEP_DOWN;
		return file_open_dir(below_fd, path, ret_fd);
	}
	*ret = STEP_WRONG;
	if (!S_ISLNK(st.st_mode))
		return NULL;
	len = readlinkat(fd, "", target, PATH_MAX - 1);
	if (len < 0)
		return err_sys("read the link '%s' below the layer", path);
	target[len] = '\0';
	*ret = STEP_LINK;
	return NULL;
}

/* Make the directory `name` as the one open as `fd` is, below the layer. */
static struct err *make_alike(struct dest *dest, const char *name, int fd)
{
	AUTO(xattrs) struct xattrs xattrs = { 0 };
	struct tar_entry entry = { .type = TAR_DIR };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys("stat directory '%s' below the layer", name);
	TRY(owner_stat(fd, &st));
	TRY(xattrs_read(fd, XATTR_VIEW, &xattrs));
	entry.mode = st.st_mode & 07777;
	entry.uid = st.st_uid;
	entry.gid = st.st_gid;
	entry.mtime = st.st_mtim.tv_sec;
	entry.xattrs = xattrs.at;
	entry.xattr_count = xattrs.len;
	return dest_make(dest, name, &entry);
}

static struct err *step_missing(struct dest *dest, const char *name, enum dest_missing missing,
				int64_t mtime, char target[static PATH_MAX], enum step *ret)
{
	const struct tar_entry plain = { .type = TAR_DIR, .mode = 0755, .mtime = mtime };
	const char *here = chain_path(&dest->chain);
	AUTO(mem) char *path = xasprintf("%s%s%s", here, *here ? "/" : "", name);
	AUTO(fd) int fd = -1;

	dest->dependent = true;
	*ret = STEP_GONE;
	if (whiteout_reserved(name)) /* only the target of a link can ask for that */
		return NULL;
	if (dest->below_fd >= 0) {
		TRY(look_below(dest->below_fd, path, target, &fd, ret));
		if (*ret == STEP_LINK)
			return NULL;
		if (*ret == STEP_DOWN)
			return make_alike(dest, name, fd);
		if (missing == DEST_KNOW)
			return NULL;
	}
	*ret = STEP_DOWN;
	return dest_make(dest, name, &plain);
}

/* ---- one component, and all of them ---- */

/* Go into `name`, or tell what stands there; the target of a link into `target`. */
static struct err *step(struct dest *dest, const char *name, enum dest_missing missing,
			int64_t mtime, char target[static PATH_MAX], enum step *ret)
{
	int dir_fd, fd;
	ssize_t len;

	TRY(chain_fd(&dest->chain, &dir_fd));
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		*ret = STEP_DOWN;
		return enter(dest, name, fd);
	}
	if (errno == ENOENT)
		return step_missing(dest, name, missing, mtime, target, ret);
	if (errno != ENOTDIR && errno != ELOOP)
		return err_sys("open directory '%s'", name);

	len = readlinkat(dir_fd, name, target, PATH_MAX - 1);
	if (len < 0 && errno != EINVAL)
		return err_sys("read the link '%s'", name);
	target[len > 0 ? len : 0] = '\0';
	*ret = len < 0 ? STEP_WRONG : STEP_LINK;
	return NULL;
}

/* Put the target of a link in front of `*rest`, in fresh memory `*text`. An absolute one goes on
 * from the root. */
static struct err *expand(struct dest *dest, const char *target, char **text, struct str *rest)
{
	char *joined = xasprintf("%s/%.*s", target, STR_ARG(*rest));

	free(*text);
	*text = joined;
	*rest = str_of(joined);
	if (rest->len > PATH_MAX)
		return err_new(ERR_INVALID, "a path through symbolic links is too long");
	while (target[0] == '/' && dest->chain.len > 0)
		TRY(go_up(dest));
	return NULL;
}

/* True for a path of names alone: nothing empty, no "." and no "..". */
static bool is_clean(struct str path)
{
	while (path.len > 0) {
		struct str part = str_cut(&path, '/');

		if (part.len == 0 || str_is(part, ".") || str_is(part, ".."))
			return false;
	}
	return true;
}

/* Go down along all of `rest` by one openat2(2), if there are only directories on the way: a path
 * of thousands of components shall not cost thousands of calls. */
static struct err *jump(struct dest *dest, struct str rest, bool *ret_done)
{
	AUTO(mem) char *path = NULL;
	AUTO(err) struct err *err = NULL;
	AUTO(fd) int fd = -1;
	int dir_fd;

	*ret_done = false;
	if (dest->ask_opaque || !is_clean(rest))
		return NULL;
	path = str_dup(rest);
	TRY(chain_fd(&dest->chain, &dir_fd));
	err = file_open_dir(dir_fd, path, &fd);
	if (err)
		return NULL; /* one step after the other will tell */
	for (char *name = path, *slash; name; name = slash) {
		slash = strchr(name, '/');
		if (slash)
			*slash++ = '\0';
		TRY(enter(dest, name, slash ? -1 : STEAL_FD(fd)));
	}
	*ret_done = true;
	return NULL;
}

/* Go into one component; see step(). */
static struct err *step_into(struct dest *dest, struct str part, enum dest_missing missing,
			     int64_t mtime, char target[static PATH_MAX], enum step *ret)
{
	char name[NAME_MAX + 1];

	*ret = STEP_DOWN;
	if (part.len == 0 || str_is(part, "."))
		return NULL;
	if (str_is(part, ".."))
		return dest->chain.len > 0 ? go_up(dest) : NULL;
	if (part.len > NAME_MAX)
		return err_new(ERR_INVALID, "a name is longer than %d bytes", NAME_MAX);
	memcpy(name, part.at, part.len);
	name[part.len] = '\0';
	return step(dest, name, missing, mtime, target, ret);
}

/* Go down along `rest`, from where the dest stands. */
static struct err *descend(struct dest *dest, struct str rest, enum dest_missing missing,
			   int64_t mtime, bool *ret_found)
{
	AUTO(mem) char *expanded = NULL;
	char target[PATH_MAX];
	enum step found = STEP_LINK;
	int links = 0;

	*ret_found = false;
	while (rest.len > 0) {
		bool done = false;

		if (found == STEP_LINK)
			TRY(jump(dest, rest, &done));
		if (done)
			break;
		TRY(step_into(dest, str_cut(&rest, '/'), missing, mtime, target, &found));
		if (found == STEP_WRONG || found == STEP_GONE)
			return NULL;
		if (found == STEP_LINK && links++ == LINKS_MAX)
			return err_new(ERR_INVALID, "more than %d symbolic links", LINKS_MAX);
		if (found == STEP_LINK)
			TRY(expand(dest, target, &expanded, &rest));
	}
	*ret_found = true;
	return NULL;
}

/* How many levels of the chain lead towards `path`, and how many bytes of it they are. */
static size_t shared_levels(const struct chain *chain, struct str path, size_t *ret_len)
{
	size_t depth = 0;

	*ret_len = 0;
	while (depth < chain->len) {
		size_t len = chain->at[depth].path_len;

		if (len > path.len ||
		    memcmp(chain->path.at + *ret_len, path.at + *ret_len, len - *ret_len) != 0)
			break;
		if (len < path.len && path.at[len] != '/')
			break;
		*ret_len = len;
		depth++;
	}
	return depth;
}

struct err *dest_move(struct dest *dest, struct str path, enum dest_missing missing, int64_t mtime,
		      bool *ret_found)
{
	size_t shared, depth;
	struct str rest;

	*ret_found = true;
	if (str_equal(path, buf_str(&dest->chain.path)) ||
	    (dest->alias.len > 0 && str_equal(path, buf_str(&dest->alias))))
		return NULL;

	depth = shared_levels(&dest->chain, path, &shared);
	while (dest->chain.len > depth)
		TRY(go_up(dest));
	rest = (struct str){ path.at + shared, path.len - shared };
	TRY(descend(dest, rest, missing, mtime, ret_found));
	if (*ret_found && !str_equal(path, buf_str(&dest->chain.path)))
		buf_add_str(&dest->alias, path);
	return NULL;
}
