/* overlay/snapshot.c - see overlay/snapshot.h. */

#include "overlay/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/copies.h"
#include "overlay/merge.h"
#include "overlay/same.h"
#include "overlay/whiteout.h"
#include "overlay/xattr.h"

#define TICK_NS 500000                      /* between two looks at the clock */
#define TICK_MAX ((uint64_t)5 * 1000000000) /* what no file system's clock takes */
#define CLOCK_NAME "clock"
#define PATHS_MAX ((size_t)1 << 20)
#define LOOK (STATX_TYPE | STATX_INO | STATX_CTIME | STATX_BTIME | STATX_MODE | STATX_NLINK)

/* One name of a directory, and all below it. */
struct node {
	const char *name;
	uint64_t ino;
	struct statx_timestamp made;    /* 0 if nobody knows */
	struct statx_timestamp touched; /* the time of its last change */
	bool is_dir;
	uint32_t links;        /* how many names it has */
	struct node *children; /* by name */
	size_t count;
};

struct linked {
	const char *path;
	uint64_t ino;
};

struct snapshot {
	struct arena arena;
	struct node root;
	struct statx_timestamp last; /* the latest change of all */
	struct buf path;             /* of the directory at hand, while it is taken */
	VEC(struct linked) linked;   /* all names of files of several names */
};

static int compare_times(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

static struct err *look(int dir_fd, const char *name, struct statx *ret)
{
	const int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);

	if (statx(dir_fd, name, flags, LOOK, ret) < 0)
		return err_sys("look at '%s'", name);
	return NULL;
}

static struct err *open_dir(int dir_fd, const char *name, int *ret_fd)
{
	*ret_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys("open the directory '%s'", name) : NULL;
}

/* ---- taking ---- */

/* When a file was made; 0 where the file system does not know. */
static struct statx_timestamp made_at(const struct statx *st)
{
	return st->stx_mask & STATX_BTIME ? st->stx_btime : (struct statx_timestamp){ 0 };
}

static void fill_in(struct snapshot *snapshot, struct node *node, const struct statx *st)
{
	node->ino = st->stx_ino;
	node->is_dir = S_ISDIR(st->stx_mode);
	node->links = st->stx_nlink;
	node->touched = st->stx_ctime;
	node->made = made_at(st);
	if (compare_times(&node->touched, &snapshot->last) > 0)
		snapshot->last = node->touched;
}

static void note_linked(struct snapshot *snapshot, const struct node *node)
{
	AUTO(mem)
	char *path = xasprintf("%.*s%s", (int)snapshot->path.len,
			       snapshot->path.len ? snapshot->path.at : "", node->name);

	vec_push(&snapshot->linked,
		 (struct linked){ arena_text(&snapshot->arena, str_of(path)), node->ino });
}

static struct err *take_dir(struct snapshot *snapshot, struct node *dir, int fd, unsigned depth)
{
	const size_t before = snapshot->path.len;
	AUTO(strings) struct strings names = { 0 };

	if (depth > MERGE_DEPTH_MAX)
		return err_new(ERR_UNSUPPORTED, "more than %d directories within directories",
			       MERGE_DEPTH_MAX);
	TRY(cancel_check());
	TRY(file_list(fd, ".", &names));
	dir->count = names.len;
	dir->children = arena_array(&snapshot->arena, names.len, sizeof(*dir->children));
	for (size_t i = 0; i < names.len; i++) {
		struct node *node = &dir->children[i];
		AUTO(fd) int child_fd = -1;
		struct statx st;

		node->name = arena_text(&snapshot->arena, str_of(names.at[i]));
		TRY(look(fd, node->name, &st));
		fill_in(snapshot, node, &st);
		if (!node->is_dir && node->links > 1)
			note_linked(snapshot, node);
		if (!node->is_dir)
			continue;
		TRY(open_dir(fd, node->name, &child_fd));
		buf_addf(&snapshot->path, "%s/", node->name);
		TRY(buf_check(&snapshot->path, "a path"));
		TRY(take_dir(snapshot, node, child_fd, depth + 1));
		snapshot->path.len = before;
	}
	return NULL;
}

/* Wait until a file that is changed now has a later time than all that was seen. */
static struct err *await_tick(const struct snapshot *snapshot, int beside_fd)
{
	const uint64_t begin = clock_monotonic();
	const struct timespec pause = { .tv_nsec = TICK_NS };
	AUTO(fd)
	int fd = openat(beside_fd, CLOCK_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct statx st;

	if (fd < 0)
		return err_sys("make a file");
	for (;;) {
		if (futimens(fd, NULL) < 0)
			return err_sys("touch a file");
		TRY(look(fd, "", &st));
		if (compare_times(&st.stx_ctime, &snapshot->last) > 0)
			break;
		if (clock_monotonic() - begin > TICK_MAX)
			return err_new(ERR_SYSTEM,
				       "the clock of the store's file system stands still");
		TRY(cancel_check());
		nanosleep(&pause, NULL);
	}
	return unlinkat(beside_fd, CLOCK_NAME, 0) < 0 ? err_sys("remove a file") : NULL;
}

static struct err *take(struct snapshot *snapshot, int dir_fd, int beside_fd)
{
	AUTO(fd) int fd = -1;
	struct statx st;

	TRY(open_dir(dir_fd, ".", &fd));
	TRY(look(fd, "", &st));
	fill_in(snapshot, &snapshot->root, &st);
	TRY(take_dir(snapshot, &snapshot->root, fd, 0));
	return await_tick(snapshot, beside_fd);
}

struct err *snapshot_take(int dir_fd, int beside_fd, struct snapshot **ret)
{
	AUTO(snapshot) struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));

	snapshot->path = BUF_INIT(PATHS_MAX);
	TRY(err_wrap(take(snapshot, dir_fd, beside_fd), "look at a copied tree"));
	*ret = STEAL(snapshot);
	return NULL;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	arena_release(&snapshot->arena);
	buf_release(&snapshot->path);
	vec_release(&snapshot->linked);
	free(snapshot);
}

/* ---- what was there before ---- */

/* Whether it is the same file, under whatever name; its inode may be another's by now. */
static bool is_same(const struct node *before, const struct statx *st)
{
	const struct statx_timestamp made = made_at(st);

	return st->stx_ino == before->ino && before->is_dir == S_ISDIR(st->stx_mode) &&
	       compare_times(&made, &before->made) == 0;
}

/* What has changed, on its way into a layer. */
struct moving {
	struct map before;     /* inode -> node: all that was there, if somebody wants the copies */
	struct copies *copies; /* may be NULL */
	struct map links; /* inode of a file of several names -> how many are not moved, owned */
	struct map names; /* inode of what had several names -> struct names, owned */
	const struct merge *below;
};

/* What became of the names of a file. */
struct names {
	unsigned before, kept;
};

static void moving_auto_(struct moving *moving)
{
	map_release(&moving->before, NULL);
	map_release(&moving->links, free);
	map_release(&moving->names, free);
}

static struct str inode_key(const uint64_t *inode)
{
	return (struct str){ (const char *)inode, sizeof(*inode) };
}

static void index_nodes(struct moving *moving, const struct node *dir)
{
	for (size_t i = 0; i < dir->count; i++) {
		struct node *node = &dir->children[i];

		map_put(&moving->before, inode_key(&node->ino), node);
		index_nodes(moving, node);
	}
}

/* Before anything is moved. */
static void count_names(struct moving *moving, const struct snapshot *snapshot, int dir_fd)
{
	vec_foreach (&snapshot->linked, linked) {
		const struct str key = inode_key(&linked->ino);
		struct names *names = map_get(&moving->names, key);
		AUTO(fd) int fd = -1;
		AUTO(err)
		struct err *gone =
			file_open(dir_fd, linked->path, O_PATH | O_NOFOLLOW, 0, FILE_NO_LINKS, &fd);
		struct stat st;

		if (!names) {
			names = xcalloc(1, sizeof(*names));
			map_put(&moving->names, key, names);
		}
		names->before++;
		names->kept += !gone && fstat(fd, &st) == 0 && st.st_ino == linked->ino;
	}
}

/* Remember it if it is no file that the step made. */
static struct err *note_copy(const struct moving *moving, int dir_fd, const char *name)
{
	const struct node *before;
	struct statx st;

	if (!moving->copies)
		return NULL;
	TRY(look(dir_fd, name, &st));
	before = map_get(&moving->before, inode_key(&(uint64_t){ st.stx_ino }));
	if (before && is_same(before, &st))
		copies_add(moving->copies, st.stx_ino);
	return NULL;
}

/* ---- what was moved ---- */

static struct err *escape(int dir_fd, const char *name)
{
	AUTO(fd) int fd = -1;
	bool ours;

	TRY(xattrs_look_for_ours(dir_fd, name, &ours));
	if (!ours)
		return NULL;
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_sys("open '%s'", name);
	return xattrs_escape(fd);
}

/* One of several names of a file is moved. */
static void note_link(struct moving *moving, const struct stat *st)
{
	const uint64_t inode = st->st_ino;
	nlink_t *left = map_get(&moving->links, inode_key(&inode));

	if (!left) {
		left = xcalloc(1, sizeof(*left));
		*left = st->st_nlink;
		map_put(&moving->links, inode_key(&inode), left);
	}
	*left -= *left > 0;
}

static bool is_apart(const struct moving *moving)
{
	map_foreach (&moving->links, entry)
		if (*(const nlink_t *)entry->value > 0)
			return false;
	return true;
}

static struct err *adopt_dir(struct moving *moving, int fd, unsigned depth);

/* Something new that is now in the layer: nothing in it may speak to overlayfs. */
static struct err *adopt(struct moving *moving, int dir_fd, const char *name, unsigned depth)
{
	AUTO(fd) int fd = -1;
	struct stat st;

	if (whiteout_reserved(name))
		return err_new(ERR_INVALID,
			       "'%s' cannot be in a layer: it would be a whiteout there", name);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("look at '%s'", name);
	if (whiteout_is(&st))
		return err_new(ERR_INVALID,
			       "'%s': a character device 0:0 would be a whiteout in a layer", name);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		TRY(escape(dir_fd, name));
	TRY(note_copy(moving, dir_fd, name));
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
		note_link(moving, &st);
	if (!S_ISDIR(st.st_mode))
		return NULL;
	TRY(open_dir(dir_fd, name, &fd));
	return adopt_dir(moving, fd, depth + 1);
}

static struct err *adopt_dir(struct moving *moving, int fd, unsigned depth)
{
	AUTO(strings) struct strings names = { 0 };

	if (depth > MERGE_DEPTH_MAX)
		return err_new(ERR_UNSUPPORTED, "more than %d directories within directories",
			       MERGE_DEPTH_MAX);
	TRY(cancel_check());
	TRY(file_list(fd, ".", &names));
	vec_foreach (&names, name)
		TRY(adopt(moving, fd, *name, depth));
	return NULL;
}

/* ---- comparing ---- */

/* A directory of the tree, and its like in the layer, which is made when something has to be in it. */
struct place {
	struct moving *moving;
	struct place *up; /* NULL for the root */
	const char *name;
	int from_fd;
	int upper_fd; /* -1: not made yet */
	unsigned depth;
	bool owned;               /* upper_fd is ours to close */
	struct timespec times[2]; /* of the directory, before anything was moved out of it */
};

static void place_auto_(struct place *place)
{
	if (place->owned && place->upper_fd >= 0)
		close(place->upper_fd);
}

/* It stands for one that was there before. */
static struct err *note_dir(const struct place *place)
{
	struct statx st;

	if (!place->moving->copies)
		return NULL;
	TRY(look(place->upper_fd, "", &st));
	copies_add(place->moving->copies, st.stx_ino);
	return NULL;
}

static struct err *need_upper(struct place *place)
{
	if (place->upper_fd >= 0)
		return NULL;
	TRY(need_upper(place->up));
	if (mkdirat(place->up->upper_fd, place->name, 0700) < 0)
		return err_sys("make the directory '%s'", place->name);
	place->owned = true;
	TRY(open_dir(place->up->upper_fd, place->name, &place->upper_fd));
	return note_dir(place);
}

static struct err *note_times(struct place *place)
{
	struct stat st;

	if (fstat(place->from_fd, &st) < 0)
		return err_sys("look at the directory '%s'", place->name);
	place->times[0] = st.st_atim;
	place->times[1] = st.st_mtim;
	return NULL;
}

/* What the directory is, once all is in it. */
static struct err *dress(const struct place *place)
{
	if (place->upper_fd < 0)
		return NULL;
	TRY(xattrs_clear(place->upper_fd, XATTR_LAYER));
	TRY(merge_dress(place->from_fd, false, place->upper_fd));
	TRY(xattrs_escape(place->upper_fd));
	if (futimens(place->upper_fd, place->times) < 0)
		return err_sys("set the time of the directory '%s'", place->name);
	return NULL;
}

static struct err *hide(struct place *place, const char *name)
{
	TRY(need_upper(place));
	return whiteout_make(place->upper_fd, name);
}

/* With `was` something of that name was there before, so a directory has to hide what is below. */
static struct err *move(struct place *place, const char *name, bool was)
{
	AUTO(fd) int fd = -1;
	struct stat st;

	TRY(need_upper(place));
	if (renameat(place->from_fd, name, place->upper_fd, name) < 0)
		return err_sys("move '%s'", name);
	TRY(adopt(place->moving, place->upper_fd, name, place->depth));
	if (!was || fstatat(place->upper_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode))
		return NULL;
	TRY(open_dir(place->upper_fd, name, &fd));
	return whiteout_set_opaque(fd);
}

static struct err *compare_dir(struct place *place, const struct node *before);

static bool is_same_dir(const struct node *before, const struct statx *st)
{
	return S_ISDIR(st->stx_mode) && is_same(before, st);
}

static struct err *compare_subdir(struct place *up, const struct node *before,
				  const struct statx *st)
{
	AUTO(fd) int fd = -1;
	AUTO(place)
	struct place place = { .moving = up->moving,
			       .up = up,
			       .name = before->name,
			       .upper_fd = -1,
			       .depth = up->depth + 1 };

	TRY(open_dir(up->from_fd, before->name, &fd));
	place.from_fd = fd;
	TRY(note_times(&place));
	TRY(compare_dir(&place, before));
	if (compare_times(&st->stx_ctime, &before->touched) != 0)
		TRY(need_upper(&place));
	return dress(&place);
}

static void add_path(const struct place *place, struct buf *path)
{
	if (!place->up)
		return;
	add_path(place->up, path);
	buf_addf(path, "%s/", place->name);
}

/* Whether that other names of it are gone is all that has happened to a file. */
static struct err *has_lost_names(struct place *place, const struct node *before,
				  const struct statx *st, bool *ret)
{
	const struct names *names = map_get(&place->moving->names, inode_key(&before->ino));
	AUTO(buf) struct buf path = BUF_INIT(PATHS_MAX);

	*ret = false;
	if (before->is_dir || !is_same(before, st) || !names || names->kept == names->before ||
	    st->stx_nlink > names->before)
		return NULL;
	add_path(place, &path);
	buf_adds(&path, before->name);
	TRY(buf_check(&path, "a path"));
	return same_as_below(place->moving->below, path.at, place->from_fd, before->name, ret);
}

/* A name that was there before and still is. */
static struct err *compare(struct place *place, const struct node *before)
{
	struct statx st;
	bool same;

	TRY(look(place->from_fd, before->name, &st));
	if (is_same_dir(before, &st))
		return compare_subdir(place, before, &st);
	if (!before->is_dir && st.stx_ino == before->ino && !S_ISDIR(st.stx_mode) &&
	    compare_times(&st.stx_ctime, &before->touched) == 0)
		return NULL;
	TRY(has_lost_names(place, before, &st, &same));
	return same ? NULL : move(place, before->name, true);
}

static struct err *compare_dir(struct place *place, const struct node *before)
{
	AUTO(strings) struct strings names = { 0 };
	size_t at = 0;

	TRY(cancel_check());
	TRY(file_list(place->from_fd, ".", &names));
	for (size_t i = 0; i < before->count; i++) {
		const struct node *node = &before->children[i];

		for (; at < names.len && strcmp(names.at[at], node->name) < 0; at++)
			TRY(move(place, names.at[at], false));
		if (at < names.len && strcmp(names.at[at], node->name) == 0) {
			TRY(compare(place, node));
			at++;
		} else {
			TRY(hide(place, node->name));
		}
	}
	for (; at < names.len; at++)
		TRY(move(place, names.at[at], false));
	return NULL;
}

struct err *snapshot_move_changes(const struct snapshot *snapshot, const struct merge *below,
				  int dir_fd, int upper_fd, struct copies *copies, bool *ret_apart)
{
	AUTO(fd) int from_fd = -1;
	AUTO(fd) int to_fd = -1;
	AUTO(moving)
	struct moving moving = { .before = MAP_INIT,
				 .copies = copies,
				 .links = MAP_INIT,
				 .names = MAP_INIT,
				 .below = below };
	struct place root = { .moving = &moving, .name = "." };

	TRY(open_dir(dir_fd, ".", &from_fd));
	TRY(open_dir(upper_fd, ".", &to_fd));
	root.from_fd = from_fd;
	root.upper_fd = to_fd;
	if (copies) {
		copies->complete = true;
		index_nodes(&moving, &snapshot->root);
	}
	TRY(note_times(&root));
	count_names(&moving, snapshot, from_fd);
	TRY(err_wrap(compare_dir(&root, &snapshot->root), "find the changes of a step"));
	*ret_apart = is_apart(&moving);
	return dress(&root);
}
