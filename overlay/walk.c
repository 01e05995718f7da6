/*
 * overlay/walk.c - see overlay/walk.h.
 *
 * The walk stands in a directory of the tree and, as long as there is one, in
 * the directory of the same path below: `tree` and `below` are chains that go up
 * and down together, but the latter ends earlier. A directory of a layer that differs
 * in nothing from the one below waits: it becomes an entry when something in it
 * does. Below an opaque directory everything is hidden, so there whiteouts are what
 * lies below and not in the tree; elsewhere they are what overlayfs left as such.
 *
 * Small files are the heap of every tree: one costs open, fstat, flistxattr,
 * and the visitor's read, and close.
 */

#include "overlay/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/vec.h"
#include "overlay/chain.h"
#include "overlay/owner.h"
#include "overlay/whiteout.h"
#include "overlay/xattr.h"

#define DENTS_SIZE ((size_t)64 * 1024)
#define NAMES_MAX ((size_t)1 << 30) /* bytes of the names in one directory */

/* Names of one directory, sorted by bytes. */
struct name {
	const char *text; /* in the list's text */
	unsigned char type;
	bool whiteout;
};

struct names {
	struct name *at;
	size_t len, cap;
	struct buf text; /* one behind the other, each with its NUL */
};

#define NAMES_INIT ((struct names){ .text = BUF_INIT(NAMES_MAX) })

/* One directory on the way to where the walk stands. */
struct level {
	struct level *up; /* NULL for the root */
	struct stat st;
	struct xattrs xattrs;
	bool told;      /* it is an entry, and was visited; or it is the root of a layer */
	bool has_below; /* `below` stands in the directory of the same path */
	bool hides;     /* it or one above it is opaque */
};

struct walk {
	const struct walk_opts *opts;
	struct err *(*visit)(void *arg, const struct walk_entry *entry);
	void *arg;
	enum xattr_side side; /* of the tree */
	struct chain tree, below;
	struct map links;     /* device and inode of a file -> its first path, owned */
	struct buf path;      /* of the current entry */
	struct xattrs xattrs; /* of the current file */
	char *dents;          /* owned, DENTS_SIZE bytes */
	int noatime;          /* O_NOATIME, until it is refused */
	bool stop;
};

static void walk_release(struct walk *walk)
{
	chain_release(&walk->tree);
	chain_release(&walk->below);
	map_release(&walk->links, free);
	buf_release(&walk->path);
	xattrs_release(&walk->xattrs);
	free(walk->dents);
}

static void walk_auto_(struct walk *walk)
{
	walk_release(walk);
}

static void names_release(struct names *names)
{
	free(names->at);
	buf_release(&names->text);
}

static void names_auto_(struct names *names)
{
	names_release(names);
}

static void level_auto_(struct level *level)
{
	xattrs_release(&level->xattrs);
}

/* ---- names ---- */

/* A name of a layer that reads as a whiteout in a blob, and may be one here. */
static void check_mark(int dir_fd, const struct stat *st, struct name *name, bool *ret_there)
{
	const char *hidden;
	enum whiteout_kind kind = whiteout_mark(dir_fd, name->text, st, &hidden);

	*ret_there = kind != WHITEOUT_OPAQUE; /* that is asked of the directory */
	if (kind != WHITEOUT_FILE)
		return;
	name->text = hidden;
	name->whiteout = true;
}

/* Whether `name` is a whiteout; `*ret_there` is false for what cannot be found although it is
 * listed, as overlayfs lists whiteouts of a directory that no other layer has. */
static struct err *check_name(int dir_fd, bool layer, struct name *name, bool *ret_there)
{
	const bool reserved = layer && whiteout_reserved(name->text);
	struct stat st;

	*ret_there = true;
	if (name->type != DT_CHR && name->type != DT_UNKNOWN && !reserved)
		return NULL;
	if (fstatat(dir_fd, name->text, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		*ret_there = false;
		return errno == ENOENT ? NULL : err_sys("stat '%s'", name->text);
	}
	name->type = (unsigned char)IFTODT(st.st_mode);
	name->whiteout = whiteout_is(&st);
	if (reserved)
		check_mark(dir_fd, &st, name, ret_there);
	return NULL;
}

static void add_name(struct names *names, const struct dirent64 *entry)
{
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return;
	buf_add(&names->text, entry->d_name, strlen(entry->d_name) + 1);
	vec_push(names, (struct name){ .type = entry->d_type });
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

/* The names in `dir_fd`, which is read once, as those of a layer or of a view. */
static struct err *list_names(struct walk *walk, int dir_fd, bool layer, struct names *ret)
{
	const char *text;
	size_t kept = 0;
	ssize_t len;

	while ((len = getdents64(dir_fd, walk->dents, DENTS_SIZE)) > 0) {
		const struct dirent64 *entry;

		for (ssize_t at = 0; at < len; at += entry->d_reclen) {
			entry = (const struct dirent64 *)(walk->dents + at);
			add_name(ret, entry);
		}
	}
	if (len < 0)
		return err_sys("list directory");
	TRY(buf_check(&ret->text, "the list of names"));

	/* The text no longer moves. */
	text = ret->text.at;
	for (size_t i = 0; i < ret->len; i++) {
		struct name name = { .text = text, .type = ret->at[i].type };
		bool there;

		text += strlen(text) + 1;
		TRY(check_name(dir_fd, layer, &name, &there));
		if (there)
			ret->at[kept++] = name;
	}
	ret->len = kept;
	if (kept > 1)
		qsort(ret->at, kept, sizeof(*ret->at), by_text);
	return NULL;
}

/* ---- telling ---- */

/* The path of `name` where the walk stands, into walk->path. */
static const char *make_path(struct walk *walk, const char *prefix, const char *name)
{
	buf_reset(&walk->path);
	buf_adds(&walk->path, chain_path(&walk->tree));
	if (walk->path.len > 0)
		buf_addc(&walk->path, '/');
	buf_adds(&walk->path, prefix);
	buf_adds(&walk->path, name);
	return walk->path.at;
}

static struct err *tell(struct walk *walk, const struct walk_entry *entry)
{
	walk->stop = walk->opts->first;
	return err_wrap(walk->visit(walk->arg, entry), "'%s'", entry->tar.path);
}

static struct tar_entry describe(enum tar_type type, const char *path, const struct stat *st,
				 const struct xattrs *xattrs)
{
	return (struct tar_entry){
		.type = type,
		.path = path,
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime = st->st_mtim.tv_sec,
		.xattrs = xattrs ? xattrs->at : NULL,
		.xattr_count = xattrs ? xattrs->len : 0,
	};
}

/* Tell of a directory, whose path is `len` bytes of the path where the walk stands, and first of
 * those above it that wait. */
static struct err *tell_level(struct walk *walk, struct level *level, size_t len)
{
	struct walk_entry entry = { .st = &level->st, .fd = -1, .dir_fd = -1 };
	const char *path = chain_path(&walk->tree);
	const char *slash = memrchr(path, '/', len);
	AUTO(mem) char *text = NULL;

	if (level->told)
		return NULL;
	level->told = true;
	if (level->up)
		TRY(tell_level(walk, level->up, slash ? (size_t)(slash - path) : 0));
	if (walk->opts->flat)
		TRY(chain_fd(&walk->tree, &entry.fd));
	text = len > 0 ? xasprintf("%.*s/", (int)len, path) : xstrdup("./");
	entry.tar = describe(TAR_DIR, text, &level->st, &level->xattrs);
	return tell(walk, &entry);
}

/* Tell of the directory where the walk stands, which is `level`, if it still waits. */
static struct err *tell_here(struct walk *walk, struct level *level)
{
	return tell_level(walk, level, walk->tree.path.len);
}

static struct err *tell_whiteout(struct walk *walk, struct level *level, const char *name)
{
	struct walk_entry entry = { .fd = -1, .dir_fd = -1 };

	if (whiteout_reserved(name))
		return err_new(ERR_INVALID, "'%s/%s': no layer can delete a file of that name",
			       chain_path(&walk->tree), name);
	TRY(tell_here(walk, level));
	entry.tar = (struct tar_entry){ .type = TAR_FILE, .path = make_path(walk, ".wh.", name) };
	return tell(walk, &entry);
}

/* ---- what is no directory ---- */

/* If the file of `entry` was told of already, make it a hard link to its first path; otherwise
 * remember this one. `*ret_linked` says which. */
static void look_for_link(struct walk *walk, struct walk_entry *entry, bool *ret_linked)
{
	const uint64_t key[2] = { entry->st->st_dev, entry->st->st_ino };
	struct str id = { (const char *)key, sizeof(key) };
	const char *first;

	*ret_linked = false;
	if (entry->st->st_nlink < 2 || walk->opts->bare)
		return;
	first = map_get(&walk->links, id);
	if (!first) {
		map_put(&walk->links, id, xstrdup(entry->tar.path));
		return;
	}
	*ret_linked = true;
	entry->tar.type = TAR_HARDLINK;
	entry->tar.link = first;
	entry->tar.dev_major = entry->tar.dev_minor = 0;
}

static int open_file(struct walk *walk, int dir_fd, const char *name)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = openat(dir_fd, name, flags | walk->noatime);

	if (fd < 0 && errno == EPERM && walk->noatime) {
		walk->noatime = 0; /* it is for owners alone */
		fd = openat(dir_fd, name, flags);
	}
	return fd;
}

/* The kind of entry that a mode makes; false for a socket. */
static bool node_type(mode_t mode, enum tar_type *ret)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		*ret = TAR_FILE;
		return true;
	case S_IFLNK:
		*ret = TAR_SYMLINK;
		return true;
	case S_IFCHR:
		*ret = TAR_CHAR;
		return true;
	case S_IFBLK:
		*ret = TAR_BLOCK;
		return true;
	case S_IFIFO:
		*ret = TAR_FIFO;
		return true;
	default:
		return false;
	}
}

static struct err *walk_node(struct walk *walk, int dir_fd, const char *name)
{
	struct walk_entry entry = { .fd = -1, .dir_fd = dir_fd, .name = name };
	char target[PATH_MAX];
	enum tar_type type;
	struct stat st;
	bool linked;
	ssize_t len;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("stat '%s'", walk->path.at);
	TRY(err_wrap(owner_stat_at(dir_fd, name, &st), "'%s'", walk->path.at));
	if (!node_type(st.st_mode, &type))
		return NULL;
	entry.st = &st;
	entry.tar = describe(type, walk->path.at, &st, NULL);
	if (type == TAR_FILE)
		entry.tar.size = (uint64_t)st.st_size;
	if (type == TAR_CHAR || type == TAR_BLOCK) {
		entry.tar.dev_major = major(st.st_rdev);
		entry.tar.dev_minor = minor(st.st_rdev);
	}
	if (type == TAR_SYMLINK) {
		len = readlinkat(dir_fd, name, target, sizeof(target) - 1);
		if (len < 0)
			return err_sys("read the link '%s'", walk->path.at);
		target[len] = '\0';
		entry.tar.link = target;
	}
	look_for_link(walk, &entry, &linked);
	return tell(walk, &entry);
}

static struct err *walk_file(struct walk *walk, int dir_fd, const char *name)
{
	AUTO(fd) int fd = open_file(walk, dir_fd, name);
	struct walk_entry entry = { .fd = fd, .dir_fd = dir_fd, .name = name };
	struct stat st;
	bool linked;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys("open '%s'", walk->path.at);
	if (!S_ISREG(st.st_mode))
		return err_new(ERR_INVALID, "'%s' has changed its type", walk->path.at);
	TRY(err_wrap(owner_stat(fd, &st), "'%s'", walk->path.at));
	if (!S_ISREG(st.st_mode))
		return walk_node(walk, dir_fd, name);
	entry.st = &st;
	entry.tar = describe(TAR_FILE, walk->path.at, &st, NULL);
	look_for_link(walk, &entry, &linked);
	if (!linked) {
		TRY(err_wrap(xattrs_read(fd, walk->side, &walk->xattrs), "'%s'", walk->path.at));
		entry.tar.xattrs = walk->xattrs.at;
		entry.tar.xattr_count = walk->xattrs.len;
		entry.tar.size = (uint64_t)st.st_size;
	}
	return tell(walk, &entry);
}

/* ---- directories ---- */

static struct err *walk_content(struct walk *walk, struct level *level);

/* Read what there is to know of the directory `fd`. */
static struct err *read_dir(struct walk *walk, int fd, enum xattr_side side, struct stat *st,
			    struct xattrs *xattrs)
{
	if (fstat(fd, st) < 0)
		return err_sys("stat directory");
	TRY(owner_stat(fd, st));
	return walk->opts->bare ? NULL : xattrs_read(fd, side, xattrs);
}

static bool same_dir(const struct stat *a, const struct xattrs *a_xattrs, const struct stat *b,
		     const struct xattrs *b_xattrs)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       xattrs_equal(a_xattrs, b_xattrs);
}

/* Fill in `level`, the directory `fd`, with `below_fd` as its like below (-1: none), and find out
 * whether it differs from that. */
static struct err *read_level(struct walk *walk, struct level *level, int fd, int below_fd,
			      bool *ret_differs)
{
	AUTO(xattrs) struct xattrs below_xattrs = { 0 };
	struct stat below_st;

	*ret_differs = true;
	TRY(read_dir(walk, fd, walk->side, &level->st, &level->xattrs));
	if (below_fd < 0)
		return NULL;
	level->has_below = true;
	if (!level->hides)
		TRY(whiteout_is_opaque(fd, &level->hides));
	TRY(read_dir(walk, below_fd, XATTR_VIEW, &below_st, &below_xattrs));
	*ret_differs = !same_dir(&level->st, &level->xattrs, &below_st, &below_xattrs);
	return NULL;
}

/* Open the directory `name` where `chain` stands, as `*ret_fd`, and go there. A chain that has no
 * such directory stays, and `*ret_fd` is -1. */
static struct err *go_down(struct chain *chain, const char *name, int *ret_fd)
{
	int dir_fd;

	*ret_fd = -1;
	TRY(chain_fd(chain, &dir_fd));
	*ret_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd >= 0)
		return chain_push(chain, name, *ret_fd);
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return err_sys("open directory '%s'", name);
	return NULL;
}

static struct err *walk_dir(struct walk *walk, struct level *up, const char *name)
{
	AUTO(level) struct level level = { .up = up, .hides = up->hides };
	int fd, below_fd = -1;
	bool differs;

	TRY(go_down(&walk->tree, name, &fd));
	if (fd < 0)
		return err_new(ERR_INVALID, "'%s' has changed its type", walk->path.at);
	if (up->has_below)
		TRY(go_down(&walk->below, name, &below_fd));
	TRY(err_wrap(read_level(walk, &level, fd, below_fd, &differs), "'%s'",
		     chain_path(&walk->tree)));
	if (differs)
		TRY(tell_here(walk, &level));
	TRY(walk_content(walk, &level));
	if (level.has_below)
		chain_pop(&walk->below);
	chain_pop(&walk->tree);
	return NULL;
}

static struct err *walk_child(struct walk *walk, struct level *level, const struct name *child)
{
	int dir_fd;

	TRY(cancel_check());
	make_path(walk, "", child->text);
	if (!walk->opts->flat && whiteout_reserved(child->text))
		return err_new(ERR_INVALID,
			       "'%s' cannot be in a layer: it would be a whiteout there",
			       walk->path.at);
	if (child->type == DT_DIR)
		return walk_dir(walk, level, child->text);
	if (child->type == DT_SOCK)
		return NULL;
	TRY(tell_here(walk, level));
	make_path(walk, "", child->text);
	TRY(chain_fd(&walk->tree, &dir_fd));
	if (child->type == DT_REG && !walk->opts->bare)
		return walk_file(walk, dir_fd, child->text);
	return walk_node(walk, dir_fd, child->text);
}

/* Tell what the opaque directory where the walk stands hides. */
static struct err *walk_hidden(struct walk *walk, struct level *level, const struct names *names)
{
	AUTO(names) struct names hidden = NAMES_INIT;
	const struct name *own = names->at, *end = names->at + names->len;
	int below_fd;

	TRY(chain_fd(&walk->below, &below_fd));
	TRY(list_names(walk, below_fd, false, &hidden));
	vec_foreach (&hidden, name) {
		while (own < end && strcmp(own->text, name->text) < 0)
			own++;
		if (own < end && strcmp(own->text, name->text) == 0 && !own->whiteout)
			continue;
		if (!walk->stop)
			TRY(tell_whiteout(walk, level, name->text));
	}
	return NULL;
}

/* Tell of the whiteouts among `names` that hide something. */
static struct err *walk_whiteouts(struct walk *walk, struct level *level, const struct names *names)
{
	struct stat st;
	int below_fd;

	TRY(chain_fd(&walk->below, &below_fd));
	vec_foreach (names, name) {
		if (walk->stop || !name->whiteout)
			continue;
		if (fstatat(below_fd, name->text, &st, AT_SYMLINK_NOFOLLOW) == 0)
			TRY(tell_whiteout(walk, level, name->text));
		else if (errno != ENOENT)
			return err_sys("stat '%s' below the layer", name->text);
	}
	return NULL;
}

/* What is in the directory where the walk stands. */
static struct err *walk_content(struct walk *walk, struct level *level)
{
	AUTO(names) struct names names = NAMES_INIT;
	int dir_fd;

	TRY(chain_fd(&walk->tree, &dir_fd));
	TRY(err_wrap(list_names(walk, dir_fd, !walk->opts->flat, &names), "'%s'",
		     chain_path(&walk->tree)));
	if (level->has_below && level->hides)
		TRY(walk_hidden(walk, level, &names));
	else if (level->has_below)
		TRY(walk_whiteouts(walk, level, &names));
	vec_foreach (&names, name)
		if (!walk->stop && !name->whiteout)
			TRY(walk_child(walk, level, name));
	return NULL;
}

/* ---- the whole ---- */

static struct err *walk_root(struct walk *walk, int root_fd, int below_fd)
{
	AUTO(level) struct level root = { 0 };
	bool differs;

	TRY(err_wrap(read_level(walk, &root, root_fd, below_fd, &differs), "the root"));
	/* A layer on nothing need not mention a root that is as every root is by default. */
	if (!walk->opts->flat && below_fd < 0)
		differs = root.st.st_mode != (S_IFDIR | 0755) || root.st.st_uid != 0 ||
			  root.st.st_gid != 0 || root.xattrs.len > 0;
	/* The mark of opaqueness of a layer's own root is one that overlayfs does not read. */
	root.hides = false;
	if (differs)
		TRY(tell_here(walk, &root));
	root.told = true;
	return walk->stop ? NULL : walk_content(walk, &root);
}

static struct err *open_root(int fd, int *ret_fd)
{
	*ret_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys("open the root of a tree") : NULL;
}

struct err *walk(int fs_fd, const struct walk_opts *opts,
		 struct err *(*visit)(void *arg, const struct walk_entry *entry), void *arg)
{
	AUTO(fd) int root_fd = -1;
	AUTO(fd) int below_fd = -1;
	AUTO(walk)
	struct walk walk = {
		.opts = opts,
		.visit = visit,
		.arg = arg,
		.side = opts->flat ? XATTR_VIEW : XATTR_LAYER,
		.path = BUF_INIT((size_t)2 * PATH_MAX),
		.dents = xcalloc(1, DENTS_SIZE),
		.noatime = O_NOATIME,
	};

	TRY(open_root(fs_fd, &root_fd));
	if (!opts->flat && opts->below_fd >= 0)
		TRY(open_root(opts->below_fd, &below_fd));
	chain_init(&walk.tree, root_fd);
	chain_init(&walk.below, below_fd);
	return walk_root(&walk, root_fd, below_fd);
}
