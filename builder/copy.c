/*
 * builder/copy.c - see builder/copy.h.
 *
 * A large source is copied by several threads, a directory each. Whoever comes to
 * a directory makes it, and then either hands it to the group or fills it himself,
 * when enough of them wait already: what waits holds descriptors. A directory gets
 * its times once everything directly in it has been made; what goes on deeper down
 * does not change them. Names of one file must be linked in order, so a tree in
 * which some file has several names is left to one thread.
 */

#include "builder/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/xattr.h"

#define LINKS_MAX 40
#define DEPTH_MAX 400         /* directories within directories: three descriptors each */
#define CHUNK (64 * 1024)     /* on the stack */
#define CLONE_MIN (64 * 1024) /* below it a plain copy is faster than sharing extents */
#define PARALLEL_MIN 256      /* fewer entries are copied before threads are worth their start */
#define WAITING_MAX 16        /* directories that wait for a thread: two descriptors each */

struct copier {
	const struct copy_opts *opts;
	const struct tree *tree;
	int below_fd, fs_fd;
	uid_t uid; /* ours: what we make in a fresh directory has them */
	gid_t gid;
	struct map links;     /* "dev:ino" of a source with several names -> path in the layer */
	struct group *group;  /* directories that other threads fill; NULL: there are none */
	atomic_uint waiting;  /* of them, those that nobody has begun with */
	atomic_bool no_clone; /* the file system cannot share extents */
};

/* A directory of the layer that is being filled. */
struct place {
	char *path;   /* from the root, without a slash in front; "" is the root */
	int upper_fd; /* owned */
	int below_fd; /* the same directory below, owned; -1: there is none */
	bool fresh;   /* made a moment ago: empty, and not set-group-id */
};

static void place_release(struct place *place)
{
	free(place->path);
	if (place->upper_fd >= 0)
		close(place->upper_fd);
	if (place->below_fd >= 0)
		close(place->below_fd);
}

static inline void place_auto_(struct place *place)
{
	place_release(place);
}

#define PLACE_INIT ((struct place){ .upper_fd = -1, .below_fd = -1 })

static struct err *set_times(int dir_fd, const char *name, int fd, struct timespec mtime)
{
	struct timespec times[2] = { mtime, mtime };
	int failed =
		fd >= 0 ? futimens(fd, times) : utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW);

	return failed ? err_sys("set the time of '%s'", name) : NULL;
}

/* ---- xattrs ---- */

/* Copy the kept xattrs of `from` to `to`. A file system that cannot hold them is an error: an image
 * must not lose a file capability in silence. */
static struct err *copy_xattrs(int from, int to, const char *name)
{
	AUTO(xattrs) struct xattrs xattrs = { 0 };

	TRY(err_wrap(xattrs_read(from, XATTR_VIEW, &xattrs), "'%s'", name));
	return err_wrap(xattrs_apply(to, XATTR_LAYER, xattrs.at, xattrs.len, NULL), "'%s'", name);
}

/* ---- directories of the destination ---- */

/* Mode, owner and xattrs of a directory below, for its entry in this layer. */
static struct err *mirror_dir(int below_fd, int upper_fd, const char *name)
{
	struct stat st;

	if (fstat(below_fd, &st) < 0)
		return err_sys("look at '%s'", name);
	if (fchown(upper_fd, st.st_uid, st.st_gid) < 0 || fchmod(upper_fd, st.st_mode & 07777) < 0)
		return err_sys("copy the mode of '%s'", name);
	return copy_xattrs(below_fd, upper_fd, name);
}

/* Whether `name` in a place is there at all: in this layer first, then below. */
static bool stat_in(const struct place *place, const char *name, struct stat *st)
{
	if (fstatat(place->upper_fd, name, st, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	return place->below_fd >= 0 && fstatat(place->below_fd, name, st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int open_quiet(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* What a directory that exists nowhere yet gets. */
struct new_dir {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* Enter a directory, making its entry in the layer: with the attributes that it has below, or with
 * those of `fresh` if it is nowhere. ERR_INVALID if something else has the name. */
static struct err *enter(const struct place *from, const char *name, const struct new_dir *fresh,
			 struct place *ret)
{
	AUTO(place) struct place place = PLACE_INIT;
	bool there;

	place.path = from->path[0] ? xasprintf("%s/%s", from->path, name) : xstrdup(name);
	if (from->below_fd >= 0)
		place.below_fd = open_quiet(from->below_fd, name);
	if (!from->fresh)
		place.upper_fd = open_quiet(from->upper_fd, name);
	there = place.upper_fd >= 0;
	place.fresh = !there && place.below_fd < 0 && !(fresh->mode & S_ISGID);
	if (!there) {
		struct stat st;

		if (place.below_fd < 0 && !from->fresh && stat_in(from, name, &st))
			return err_new(ERR_INVALID, "'/%s' exists and is not a directory",
				       place.path);
		if (mkdirat(from->upper_fd, name, 0700) < 0)
			return err_sys("make directory '/%s'", place.path);
		place.upper_fd = open_quiet(from->upper_fd, name);
		if (place.upper_fd < 0)
			return err_sys("open directory '/%s'", place.path);
		if (place.below_fd >= 0)
			TRY(mirror_dir(place.below_fd, place.upper_fd, place.path));
		else if (fchown(place.upper_fd, fresh->uid, fresh->gid) < 0 ||
			 fchmod(place.upper_fd, fresh->mode) < 0)
			return err_sys("set the mode of '/%s'", place.path);
	}
	*ret = place;
	place = PLACE_INIT;
	return NULL;
}

static struct err *root_place(const struct copier *c, struct place *ret)
{
	AUTO(place) struct place place = PLACE_INIT;

	place.path = xstrdup("");
	place.upper_fd = open_quiet(c->fs_fd, ".");
	place.below_fd = c->below_fd >= 0 ? open_quiet(c->below_fd, ".") : -1;
	if (place.upper_fd < 0)
		return err_sys("open the layer");
	*ret = place;
	place = PLACE_INIT;
	return NULL;
}

/*
 * Turn a path with links into the components of one without, as it would be seen from inside. What
 * does not exist yet is taken literally. Walks from the root again for each link: they are few.
 */
static struct err *resolve_dest(const struct copier *c, const char *path, struct strings *ret)
{
	AUTO(mem) char *rest_text = xstrdup(path);
	struct str rest = str_of(rest_text);
	int links = 0;

	while (rest.len > 0) {
		AUTO(mem) char *name = str_dup(str_cut(&rest, '/'));
		AUTO(mem) char *target = NULL;
		AUTO(buf) struct buf so_far = BUF_INIT(INT_MAX);
		char link[PATH_MAX + 1];
		ssize_t len;

		if (!name[0] || strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			if (ret->len > 0)
				free(ret->at[--ret->len]);
			continue;
		}
		vec_foreach (ret, part)
			buf_addf(&so_far, "%s/", *part);
		buf_adds(&so_far, name);
		len = readlinkat(c->fs_fd, so_far.at, link, sizeof(link) - 1);
		if (len < 0 && c->below_fd >= 0)
			len = readlinkat(c->below_fd, so_far.at, link, sizeof(link) - 1);
		if (len < 0) {
			vec_push(ret, STEAL(name));
			continue;
		}
		if (++links > LINKS_MAX)
			return err_new(ERR_INVALID, "too many symbolic links in '%s'", path);
		target = xasprintf("%.*s/%.*s", (int)len, link, STR_ARG(rest));
		free(rest_text);
		rest_text = STEAL(target);
		rest = str_of(rest_text);
		while (link[0] == '/' && ret->len > 0)
			free(ret->at[--ret->len]);
	}
	return NULL;
}

static struct new_dir parent_attributes(const struct copier *c)
{
	const struct copy_opts *o = c->opts;

	return (struct new_dir){ .mode = o->chmod.octal ? o->chmod.mode : 0755,
				 .uid = o->given_owner ? o->uid : 0,
				 .gid = o->given_owner ? o->gid : 0 };
}

/* Enter the first `count` components, making them where they are missing. */
static struct err *enter_path(const struct copier *c, const struct strings *parts, size_t count,
			      struct place *ret)
{
	const struct new_dir fresh = parent_attributes(c);
	AUTO(place) struct place at = PLACE_INIT;

	TRY(root_place(c, &at));
	for (size_t i = 0; i < count; i++) {
		struct place next;

		TRY(enter(&at, parts->at[i], &fresh, &next));
		place_release(&at);
		at = next;
	}
	*ret = at;
	at = PLACE_INIT;
	return NULL;
}

/* ---- files ---- */

static struct err *copy_bytes(struct copier *c, int from, int to, uint64_t size, const char *name)
{
	char chunk[CHUNK];
	uint64_t done = 0;

	if (size >= CLONE_MIN && !atomic_load(&c->no_clone)) {
		if (ioctl(to, FICLONE, from) == 0)
			return NULL;
		atomic_store(&c->no_clone, true);
	}
	while (done < size) {
		ssize_t got = read(from, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR) {
			TRY(cancel_check());
			continue;
		}
		if (got < 0)
			return err_sys("read '%s'", name);
		if (got == 0)
			return err_new(ERR_INVALID, "'%s' became shorter while it was read", name);
		TRY(file_write_all(to, chunk, (size_t)got, name));
		done += (uint64_t)got;
		if (size > CHUNK)
			TRY(cancel_check());
	}
	return NULL;
}

/* A name in a place must be free of directories; anything else of this layer gives way. */
static struct err *make_room(const struct place *place, const char *name)
{
	struct stat st;

	if (place->fresh || !stat_in(place, name, &st))
		return NULL;
	if (S_ISDIR(st.st_mode))
		return err_new(ERR_INVALID, "cannot copy a file over the directory '/%s%s%s'",
			       place->path, place->path[0] ? "/" : "", name);
	if (unlinkat(place->upper_fd, name, 0) < 0 && errno != ENOENT)
		return err_sys("replace '%s'", name);
	return NULL;
}

static struct err *own(const struct copier *c, const struct tree_node *node,
		       const struct place *place, const char *name)
{
	uid_t uid = c->opts->keep_owner ? node->uid : c->opts->uid;
	gid_t gid = c->opts->keep_owner ? node->gid : c->opts->gid;

	if (place->fresh && uid == c->uid && gid == c->gid)
		return NULL;
	if (fchownat(place->upper_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("set the owner of '%s'", name);
	return NULL;
}

/* Link to the name under which this source was copied before; `*ret_done` false if it is the first
 * of its names. */
static struct err *link_again(struct copier *c, const struct tree_node *node,
			      const struct place *place, const char *name, bool *ret_done)
{
	char key[48];
	const char *before;

	*ret_done = false;
	if (node->nlink < 2 || S_ISDIR(node->mode))
		return NULL;
	snprintf(key, sizeof(key), "%ju:%ju", (uintmax_t)node->dev, (uintmax_t)node->ino);
	before = map_get(&c->links, str_of(key));
	if (!before) {
		map_put(&c->links, str_of(key),
			xasprintf("%s%s%s", place->path, place->path[0] ? "/" : "", name));
		return NULL;
	}
	if (linkat(c->fs_fd, before, place->upper_fd, name, 0) < 0)
		return err_sys("link '%s' to '%s'", name, before);
	*ret_done = true;
	return NULL;
}

/* A source within a directory. */
struct item {
	const struct tree_node *node;
	int dir_fd; /* of the directory that it lies in; -1: it has to be found from the root */
};

static struct err *copy_regular(struct copier *c, const struct item *item,
				const struct place *place, const char *name)
{
	const struct tree_node *node = item->node;
	mode_t mode = chmod_apply(&c->opts->chmod, node->mode);
	AUTO(fd) int from = -1;
	AUTO(fd) int to = -1;

	if (item->dir_fd >= 0)
		TRY(tree_open_child(node, item->dir_fd, &from));
	else
		TRY(tree_open_node(c->tree, node, &from));
	to = openat(place->upper_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    mode & 0777);
	if (to < 0)
		return err_sys("create '%s'", name);
	TRY(copy_bytes(c, from, to, node->size, name));
	TRY(own(c, node, place, name));
	if (mode & 07000 || mode & 022) /* set-id and sticky need chmod; 022 may be our umask's */
		if (fchmod(to, mode) < 0)
			return err_sys("set the mode of '%s'", name);
	TRY(copy_xattrs(from, to, name));
	return set_times(place->upper_fd, name, to, node->mtime);
}

/* A link, a fifo, a device; a socket becomes an empty file. */
static struct err *copy_special(struct copier *c, const struct tree_node *node,
				const struct place *place, const char *name)
{
	mode_t type = node->mode & S_IFMT;
	mode_t mode = chmod_apply(&c->opts->chmod, node->mode);
	int failed;

	if (S_ISLNK(node->mode))
		failed = symlinkat(node->link, place->upper_fd, name);
	else
		failed = mknodat(place->upper_fd, name,
				 (type == S_IFSOCK ? S_IFREG : type) | (mode & 0777), node->rdev);
	if (failed)
		return err_sys("create '%s'", name);
	TRY(own(c, node, place, name));
	if (!S_ISLNK(node->mode) && fchmodat(place->upper_fd, name, mode, 0) < 0)
		return err_sys("set the mode of '%s'", name);
	return set_times(place->upper_fd, name, -1, node->mtime);
}

static struct err *copy_file(struct copier *c, const struct item *item, const struct place *place,
			     const char *name)
{
	bool done;

	TRY(make_room(place, name));
	TRY(link_again(c, item->node, place, name, &done));
	if (done)
		return NULL;
	if (S_ISREG(item->node->mode))
		return copy_regular(c, item, place, name);
	return copy_special(c, item->node, place, name);
}

/* ---- directories ---- */

/* A directory that is made, and waits to be filled. */
struct dir_job {
	struct copier *c;
	const struct tree_node *node;
	struct place place; /* owned */
	int depth;
};

static struct err *copy_children(struct copier *c, const struct dir_job *dir, int from_fd);

/* Fill a directory, and give it the source's metadata, also where it exists. */
static struct err *fill_dir(struct copier *c, const struct dir_job *dir)
{
	const struct copy_opts *o = c->opts;
	const struct tree_node *node = dir->node;
	const struct place *place = &dir->place;
	AUTO(fd) int from = -1;

	TRY(tree_open_node(c->tree, node, &from));
	TRY(copy_children(c, dir, from));
	if (fchown(place->upper_fd, o->keep_owner ? node->uid : o->uid,
		   o->keep_owner ? node->gid : o->gid) < 0 ||
	    fchmod(place->upper_fd, chmod_apply(&o->chmod, node->mode)) < 0)
		return err_sys("set the mode of '/%s'", place->path);
	TRY(copy_xattrs(from, place->upper_fd, place->path));
	return set_times(-1, place->path, place->upper_fd, node->mtime);
}

static void drop_dir_job(void *arg)
{
	struct dir_job *job = arg;

	atomic_fetch_sub(&job->c->waiting, 1);
	place_release(&job->place);
	free(job);
}

static struct err *run_dir_job(void *arg)
{
	struct dir_job *job = arg;
	struct err *err;

	atomic_fetch_sub(&job->c->waiting, 1);
	err = fill_dir(job->c, job);
	place_release(&job->place);
	free(job);
	return err;
}

/* True if one more directory may wait for a thread; it then counts. */
static bool may_wait(struct copier *c)
{
	if (!c->group)
		return false;
	if (atomic_fetch_add(&c->waiting, 1) < WAITING_MAX)
		return true;
	atomic_fetch_sub(&c->waiting, 1);
	return false;
}

/* A directory within a copied one. */
static struct err *copy_dir(struct copier *c, const struct tree_node *node,
			    const struct place *place, int depth)
{
	const struct new_dir fresh = { .mode = 0700, .uid = 0, .gid = 0 };
	struct dir_job inside = { .c = c, .node = node, .place = PLACE_INIT, .depth = depth + 1 };
	struct dir_job *job;
	struct err *err;

	if (depth > DEPTH_MAX)
		return err_new(ERR_UNSUPPORTED, "'/%s' lies more than %d directories deep",
			       place->path, DEPTH_MAX);
	TRY(enter(place, node->name, &fresh, &inside.place));
	if (may_wait(c)) {
		job = xcalloc(1, sizeof(*job));
		*job = inside;
		group_run(c->group, run_dir_job, drop_dir_job, job);
		return NULL;
	}
	err = fill_dir(c, &inside);
	place_release(&inside.place);
	return err;
}

/* Everything in a directory whose source is open as `from_fd`. */
static struct err *copy_children(struct copier *c, const struct dir_job *dir, int from_fd)
{
	TRY(cancel_check());
	for (size_t i = 0; i < dir->node->child_count; i++) {
		const struct tree_node *node = &dir->node->children[i];

		if (!node->visible)
			continue;
		if (S_ISDIR(node->mode))
			TRY(copy_dir(c, node, &dir->place, dir->depth));
		else
			TRY(copy_file(c, &(struct item){ node, from_fd }, &dir->place, node->name));
	}
	return NULL;
}

/* Count what is below a directory, up to `enough`. */
static size_t count_below(const struct tree_node *dir, size_t enough)
{
	size_t count = dir->child_count;

	for (size_t i = 0; i < dir->child_count && count < enough; i++)
		count += count_below(&dir->children[i], enough - count);
	return count;
}

/* Everything in a directory that is a source, on several threads if it is large. */
static struct err *copy_content(struct copier *c, const struct dir_job *dir)
{
	struct pool *pool = c->opts->pool;
	AUTO(fd) int from = -1;
	struct err *err;

	TRY(tree_open_node(c->tree, dir->node, &from));
	if (pool && !tree_has_twins(c->tree) &&
	    count_below(dir->node, PARALLEL_MIN) >= PARALLEL_MIN)
		c->group = group_new(pool);
	err = copy_children(c, dir, from);
	if (c->group && !err)
		err = group_wait(c->group);
	group_free(c->group);
	c->group = NULL;
	return err;
}

/* ---- one source ---- */

/* True if the destination is a directory that exists, in this layer or below. */
static bool dest_exists(const struct copier *c, const struct strings *parts)
{
	AUTO(buf) struct buf path = BUF_INIT(INT_MAX);
	struct stat st;

	vec_foreach (parts, part)
		buf_addf(&path, "%s%s", path.len ? "/" : "", *part);
	if (!path.len)
		return true;
	if (fstatat(c->fs_fd, path.at, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode);
	return c->below_fd >= 0 && fstatat(c->below_fd, path.at, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

static struct err *copy_one(struct copier *c, const struct selected *source)
{
	AUTO(strings) struct strings parts = { 0 };
	AUTO(place) struct place place = PLACE_INIT;
	const struct tree_node *node = source->node;
	const struct item item = { node, -1 };

	TRY(resolve_dest(c, c->opts->dest, &parts));
	if (S_ISDIR(node->mode)) {
		TRY(enter_path(c, &parts, parts.len, &place));
		return copy_content(c, &(struct dir_job){ .c = c, .node = node, .place = place });
	}
	if (c->opts->dest_is_dir || dest_exists(c, &parts)) {
		TRY(enter_path(c, &parts, parts.len, &place));
		return copy_file(c, &item, &place, source->name);
	}
	TRY(enter_path(c, &parts, parts.len - 1, &place));
	return copy_file(c, &item, &place, parts.at[parts.len - 1]);
}

struct err *copy_run(const struct tree *tree, const struct selection *selection,
		     const struct copy_opts *opts, int below_fd, int fs_fd)
{
	struct copier c = { .opts = opts,
			    .tree = tree,
			    .below_fd = below_fd,
			    .fs_fd = fs_fd,
			    .uid = geteuid(),
			    .gid = getegid(),
			    .links = MAP_INIT };
	struct err *err = NULL;

	vec_foreach (selection, source) {
		AUTO(mem) char *path = tree_path(source->node);

		err = err_wrap(copy_one(&c, source), "copy '%s'", path[0] ? path : ".");
		if (err)
			break;
	}
	map_release(&c.links, free);
	return err;
}

struct err *copy_make_dir(const char *path, uid_t uid, gid_t gid, int below_fd, int fs_fd)
{
	const struct copy_opts opts = { .dest = path, .given_owner = true, .uid = uid, .gid = gid };
	struct copier c = { .opts = &opts, .below_fd = below_fd, .fs_fd = fs_fd };
	AUTO(strings) struct strings parts = { 0 };
	AUTO(place) struct place place = PLACE_INIT;

	TRY(resolve_dest(&c, path, &parts));
	if (dest_exists(&c, &parts))
		return NULL; /* nothing to make: the layer stays empty */
	return enter_path(&c, &parts, parts.len, &place);
}
