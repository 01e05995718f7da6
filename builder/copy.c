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
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/landing.h"
#include "overlay/owner.h"
#include "overlay/whiteout.h"
#include "overlay/xattr.h"

#define DEPTH_MAX 400                   /* directories within directories: three descriptors each */
#define CHUNK ((size_t)64 * 1024)       /* on the stack */
#define CLONE_MIN ((uint64_t)64 * 1024) /* below it a plain copy is faster than sharing extents */
#define PARALLEL_MIN 256 /* fewer entries are copied before threads are worth their start */
#define WAITING_MAX 16   /* directories that wait for a thread: two descriptors each */

struct copier {
	const struct copy_opts *opts;
	const struct tree *tree;
	const struct selected *source; /* the current one */
	int below_fd, fs_fd;
	uid_t uid; /* ours: what we make in a fresh directory has them */
	gid_t gid;
	struct map links; /* "dev:ino" of what has several names -> path in the layer; per source */
	struct group *group;  /* directories that other threads fill; NULL: there are none */
	atomic_uint waiting;  /* of them, those that nobody has begun with */
	atomic_bool no_clone; /* the file system cannot share extents */
};

static struct err *set_times(int dir_fd, const char *name, int fd, struct timespec mtime)
{
	struct timespec times[2] = { mtime, mtime };
	int failed =
		fd >= 0 ? futimens(fd, times) : utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW);

	return failed ? err_sys("set the time of '%s'", name) : NULL;
}

static struct landing_dir parent_attributes(const struct copier *c)
{
	const struct copy_opts *o = c->opts;

	return (struct landing_dir){ .mode = o->chmod.octal ? o->chmod.mode : 0755,
				     .uid = o->given_owner ? o->uid : 0,
				     .gid = o->given_owner ? o->gid : 0 };
}

/* Enter the first `count` components, making them where they are missing. */
static struct err *enter_path(const struct copier *c, const struct strings *parts, size_t count,
			      struct landing *ret)
{
	const struct landing_dir fresh = parent_attributes(c);
	AUTO(landing) struct landing at = LANDING_INIT;

	TRY(landing_root(c->fs_fd, c->below_fd, &at));
	for (size_t i = 0; i < count; i++) {
		AUTO(landing) struct landing next = LANDING_INIT;

		TRY(landing_enter(&at, parts->at[i], &fresh, &next));
		TRY(landing_leave(&at));
		landing_release(&at);
		at = landing_steal(&next);
	}
	*ret = landing_steal(&at);
	return NULL;
}

/* ---- files ---- */

/* A file system that cannot hold them is an error: an image must not lose a file capability in
 * silence. */
static struct err *set_xattrs(int fd, const struct xattrs *xattrs, const char *name)
{
	return err_wrap(xattrs_apply(fd, XATTR_LAYER, xattrs->at, xattrs->len, NULL), "'%s'", name);
}

/* `len` bytes from where both stand. */
static struct err *copy_data(int from, int to, uint64_t len, const char *name)
{
	UNCLEARED char chunk[CHUNK];

	while (len > 0) {
		size_t want = len < sizeof(chunk) ? (size_t)len : sizeof(chunk);
		size_t got;

		TRY(file_read_some(from, chunk, want, name, &got));
		if (got == 0)
			return err_new(ERR_INVALID, "'%s' became shorter while it was read", name);
		TRY(file_write_all(to, chunk, got, name));
		len -= got;
		if (len > 0)
			TRY(cancel_check());
	}
	return NULL;
}

/* Holes stay holes. */
static struct err *copy_sparse(int from, int to, uint64_t size, const char *name)
{
	uint64_t begin, end;

	for (uint64_t at = 0; at < size; at = end) {
		TRY(err_wrap(file_next_data(from, at, size, &begin, &end), "'%s'", name));
		if (lseek(to, (off_t)begin, SEEK_SET) < 0)
			return err_sys("leave a hole in '%s'", name);
		TRY(copy_data(from, to, end - begin, name));
		TRY(cancel_check());
	}
	return ftruncate(to, (off_t)size) < 0 ? err_sys("set the size of '%s'", name) : NULL;
}

static struct err *copy_bytes(struct copier *c, const struct tree_node *node, int from, int to)
{
	if (node->size >= CLONE_MIN && !atomic_load(&c->no_clone)) {
		if (ioctl(to, FICLONE, from) == 0)
			return NULL;
		atomic_store(&c->no_clone, true);
	}
	return node->sparse ? copy_sparse(from, to, node->size, node->name) :
			      copy_data(from, to, node->size, node->name);
}

/* A name in a place must be free of directories; anything else of this layer gives way. */
static struct err *make_room(const struct landing *place, const char *name)
{
	struct stat st;

	if (place->fresh || !landing_has(place, name, &st))
		return NULL;
	if (S_ISDIR(st.st_mode))
		return err_new(ERR_INVALID, "cannot copy a file over the directory '/%s%s%s'",
			       place->path, place->path[0] ? "/" : "", name);
	if (unlinkat(place->upper_fd, name, 0) < 0 && errno != ENOENT)
		return err_sys("replace '%s'", name);
	return NULL;
}

static struct err *own(const struct copier *c, const struct tree_node *node,
		       const struct landing *place, const char *name)
{
	uid_t uid = c->opts->keep_owner ? node->uid : c->opts->uid;
	gid_t gid = c->opts->keep_owner ? node->gid : c->opts->gid;

	if (place->fresh && uid == c->uid && gid == c->gid)
		return NULL;
	return err_wrap(owner_set_at(place->upper_fd, name, uid, gid), "'%s'", name);
}

/* Link to the name under which this source was copied before; `*ret_done` false if it is the first
 * of its names. */
static struct err *link_again(struct copier *c, const struct tree_node *node,
			      const struct landing *place, const char *name, bool *ret_done)
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
				const struct landing *place, const char *name)
{
	const struct tree_node *node = item->node;
	mode_t mode = chmod_apply(&c->opts->chmod, node->mode);
	AUTO(xattrs) struct xattrs xattrs = { 0 };
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
	TRY(copy_bytes(c, node, from, to));
	TRY(tree_read_xattrs(node, from, &xattrs));
	TRY(own(c, node, place, name)); /* before file capabilities, which it would take away */
	TRY(set_xattrs(to, &xattrs, name));
	/* Set-id and sticky need chmod; 022 may be our umask's. An ACL has brought a mode with it,
	 * and if --chmod says another one, that bounds it. */
	if ((mode & (07000 | 022)) || xattrs.len > 0)
		if (fchmod(to, mode) < 0)
			return err_sys("set the mode of '%s'", name);
	TRY(tree_expect_unchanged(node, from));
	return set_times(place->upper_fd, name, to, node->mtime);
}

static struct err *make_special(const struct tree_node *node, int dir_fd, const char *name,
				mode_t mode)
{
	const mode_t type = S_ISSOCK(node->mode) ? S_IFREG : node->mode & S_IFMT;

	if (S_ISCHR(type) || S_ISBLK(type))
		return owner_make_device(dir_fd, name, type | (mode & 0777), node->rdev);
	if (S_ISLNK(type) ? symlinkat(node->link, dir_fd, name) :
			    mknodat(dir_fd, name, type | (mode & 0777), 0))
		return err_sys("make it");
	return NULL;
}

/* A link, a fifo, a device; a socket becomes an empty file. */
static struct err *copy_special(struct copier *c, const struct tree_node *node,
				const struct landing *place, const char *name)
{
	mode_t mode = chmod_apply(&c->opts->chmod, node->mode);

	if (whiteout_is(&(struct stat){ .st_mode = node->mode, .st_rdev = node->rdev }))
		return err_new(ERR_INVALID, "'%s': a character device 0:0 would be a whiteout",
			       name);
	TRY(err_wrap(make_special(node, place->upper_fd, name, mode), "create '%s'", name));
	TRY(own(c, node, place, name));
	if (!S_ISLNK(node->mode) && fchmodat(place->upper_fd, name, mode, 0) < 0)
		return err_sys("set the mode of '%s'", name);
	return set_times(place->upper_fd, name, -1, node->mtime);
}

static struct err *copy_file(struct copier *c, const struct item *item, const struct landing *place,
			     const char *name)
{
	bool done;

	if (whiteout_reserved(name)) /* before the store can take it for one of its own */
		return err_new(ERR_INVALID,
			       "'%s%s%s' cannot be in a layer: it would be a whiteout there",
			       place->path, place->path[0] ? "/" : "", name);
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
	struct landing place; /* owned */
	int depth;
};

static struct err *copy_children(struct copier *c, const struct dir_job *dir, int from_fd);

/* Give a directory that is filled the source's metadata in place of what it has. */
static struct err *finish_dir(struct copier *c, const struct dir_job *dir, int from)
{
	const struct copy_opts *o = c->opts;
	const struct tree_node *node = dir->node;
	const struct landing *place = &dir->place;
	AUTO(xattrs) struct xattrs xattrs = { 0 };

	TRY(tree_read_xattrs(node, from, &xattrs));
	TRY(err_wrap(owner_set(place->upper_fd, o->keep_owner ? node->uid : o->uid,
			       o->keep_owner ? node->gid : o->gid),
		     "'/%s'", place->path));
	if (!place->fresh)
		TRY(xattrs_clear(place->upper_fd, XATTR_LAYER));
	TRY(set_xattrs(place->upper_fd, &xattrs, place->path));
	if (fchmod(place->upper_fd, chmod_apply(&o->chmod, node->mode)) < 0)
		return err_sys("set the mode of '/%s'", place->path);
	return set_times(-1, place->path, place->upper_fd, node->mtime);
}

static struct err *fill_dir(struct copier *c, const struct dir_job *dir)
{
	AUTO(fd) int from = -1;

	TRY(tree_open_node(c->tree, dir->node, &from));
	TRY(copy_children(c, dir, from));
	return finish_dir(c, dir, from);
}

static void drop_dir_job(void *arg)
{
	struct dir_job *job = arg;

	atomic_fetch_sub(&job->c->waiting, 1);
	landing_release(&job->place);
	free(job);
}

static struct err *run_dir_job(void *arg)
{
	struct dir_job *job = arg;
	struct err *err;

	atomic_fetch_sub(&job->c->waiting, 1);
	err = fill_dir(job->c, job);
	landing_release(&job->place);
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
			    const struct landing *place, int depth)
{
	const struct landing_dir fresh = { .mode = 0700, .uid = 0, .gid = 0 };
	struct dir_job inside = { .c = c, .node = node, .place = LANDING_INIT, .depth = depth + 1 };
	struct dir_job *job;
	struct err *err;

	if (depth > DEPTH_MAX)
		return err_new(ERR_UNSUPPORTED, "'/%s' lies more than %d directories deep",
			       place->path, DEPTH_MAX);
	TRY(landing_enter(place, node->name, &fresh, &inside.place));
	if (may_wait(c)) {
		job = xcalloc(1, sizeof(*job));
		*job = inside;
		group_run(c->group, run_dir_job, drop_dir_job, job);
		return NULL;
	}
	err = fill_dir(c, &inside);
	landing_release(&inside.place);
	return err;
}

/* Everything in a directory whose source is open as `from_fd`. */
static struct err *copy_children(struct copier *c, const struct dir_job *dir, int from_fd)
{
	for (size_t i = 0; i < dir->node->child_count; i++) {
		const struct tree_node *node = &dir->node->children[i];

		if (!selected_shows(c->source, node))
			continue;
		TRY(cancel_check());
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

/* Enter the directory in which a file called `*name` is to be made, and give it the name that the
 * destination has for it. Frees the one before. */
static struct err *enter_for_file(const struct copier *c, char **name, struct landing *ret)
{
	AUTO(strings) struct strings parts = { 0 };

	TRY(landing_resolve(c->fs_fd, c->below_fd, c->opts->dest, &parts));
	if (c->opts->dest_is_dir || landing_is_dir(c->fs_fd, c->below_fd, &parts))
		return enter_path(c, &parts, parts.len, ret);
	free(*name);
	*name = STEAL(parts.at[parts.len - 1]);
	return enter_path(c, &parts, parts.len - 1, ret);
}

static struct err *copy_one(struct copier *c, const struct selected *source)
{
	AUTO(strings) struct strings parts = { 0 };
	AUTO(landing) struct landing place = LANDING_INIT;
	AUTO(mem) char *name = xstrdup(source->name);
	const struct tree_node *node = source->node;
	const struct item item = { node, -1 };

	if (S_ISDIR(node->mode)) {
		c->source = source;
		TRY(landing_resolve(c->fs_fd, c->below_fd, c->opts->dest, &parts));
		TRY(enter_path(c, &parts, parts.len, &place));
		TRY(copy_content(c, &(struct dir_job){ .c = c, .node = node, .place = place }));
		return landing_leave(&place);
	}
	TRY(enter_for_file(c, &name, &place));
	TRY(copy_file(c, &item, &place, name));
	return landing_leave(&place);
}

static struct copier copier_of(const struct tree *tree, const struct copy_opts *opts, int below_fd,
			       int fs_fd)
{
	return (struct copier){ .opts = opts,
				.tree = tree,
				.below_fd = below_fd,
				.fs_fd = fs_fd,
				.uid = geteuid(),
				.gid = getegid(),
				.links = MAP_INIT };
}

struct err *copy_run(const struct tree *tree, const struct selection *selection,
		     const struct copy_opts *opts, int below_fd, int fs_fd)
{
	struct copier c = copier_of(tree, opts, below_fd, fs_fd);

	vec_foreach (selection, source) {
		AUTO(mem) char *path = tree_path(source->node);
		struct err *err = cancel_check();

		if (!err)
			err = copy_one(&c, source);
		map_release(&c.links, free); /* what two sources share becomes two files */
		TRY(err_wrap(err, "copy '%s'", path[0] ? path : "."));
	}
	return NULL;
}

/* Make a file of this name at the destination, for writing; `place` is to be left when it is written. */
static struct err *make_file(const struct copier *c, char **name, struct landing *place,
			     int *ret_fd)
{
	TRY(enter_for_file(c, name, place));
	TRY(make_room(place, *name));
	*ret_fd = openat(place->upper_fd, *name,
			 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *ret_fd < 0 ? err_sys("create '%s'", *name) : NULL;
}

static struct err *finish_file(const struct copier *c, int fd, const char *name, mode_t mode)
{
	const mode_t bits = chmod_apply(&c->opts->chmod, S_IFREG | mode) & 07777;

	TRY(err_wrap(owner_set(fd, c->opts->uid, c->opts->gid), "'%s'", name));
	if (fchmod(fd, bits) < 0)
		return err_sys("set the mode of '%s'", name);
	return NULL;
}

struct err *copy_text(const char *name, struct str content, const struct copy_opts *opts,
		      int below_fd, int fs_fd)
{
	struct copier c = copier_of(NULL, opts, below_fd, fs_fd);
	AUTO(landing) struct landing place = LANDING_INIT;
	AUTO(mem) char *file = xstrdup(name);
	AUTO(fd) int fd = -1;

	TRY(make_file(&c, &file, &place, &fd));
	TRY(file_write_all(fd, content.at, content.len, file));
	TRY(finish_file(&c, fd, file, 0644));
	return landing_leave(&place);
}

struct err *copy_file_from(const struct copy_file *file, const struct copy_opts *opts, int below_fd,
			   int fs_fd)
{
	struct copier c = copier_of(NULL, opts, below_fd, fs_fd);
	AUTO(landing) struct landing place = LANDING_INIT;
	AUTO(mem) char *name = xstrdup(file->name);
	const struct tree_node node = { .name = (char *)file->name, .size = file->size };
	AUTO(fd) int fd = -1;

	TRY(make_file(&c, &name, &place, &fd));
	TRY(copy_bytes(&c, &node, file->fd, fd));
	TRY(finish_file(&c, fd, name, file->mode));
	TRY(set_times(-1, name, fd, file->mtime));
	return landing_leave(&place);
}

struct err *copy_enter(const struct copy_opts *opts, int below_fd, int fs_fd, struct landing *ret)
{
	struct copier c = copier_of(NULL, opts, below_fd, fs_fd);
	AUTO(strings) struct strings parts = { 0 };

	TRY(landing_resolve(fs_fd, below_fd, opts->dest, &parts));
	return enter_path(&c, &parts, parts.len, ret);
}

struct err *copy_make_dir(const char *path, uid_t uid, gid_t gid, int below_fd, int fs_fd)
{
	const struct copy_opts opts = { .dest = path, .given_owner = true, .uid = uid, .gid = gid };
	struct copier c = { .opts = &opts, .below_fd = below_fd, .fs_fd = fs_fd };
	AUTO(strings) struct strings parts = { 0 };
	AUTO(landing) struct landing place = LANDING_INIT;

	TRY(landing_resolve(fs_fd, below_fd, path, &parts));
	if (landing_is_dir(fs_fd, below_fd, &parts))
		return NULL; /* nothing to make: the layer stays empty */
	TRY(enter_path(&c, &parts, parts.len, &place));
	return landing_leave(&place);
}
