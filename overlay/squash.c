/* overlay/squash.c - see overlay/squash.h. */

#include "overlay/squash.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/tar.h"
#include "base/vec.h"
#include "overlay/diff.h"
#include "overlay/walk.h"
#include "overlay/xattr.h"

/* Names that are whiteouts of a directory. */
struct gone {
	struct strings names;
};

struct squash {
	int below_fd;      /* -1: nothing is below */
	struct map below;  /* path -> struct stat, owned; the paths of directories end in '/' */
	struct map full;   /* path -> what is there, no values */
	struct map wanted; /* paths that are entries */
	struct map gone;   /* path of a directory -> struct gone, owned */
	uint64_t entries;
};

static void free_gone(void *value)
{
	struct gone *gone = value;

	strings_release(&gone->names);
	free(gone);
}

static void squash_release(struct squash *squash)
{
	map_release(&squash->below, free);
	map_release(&squash->full, NULL);
	map_release(&squash->wanted, NULL);
	map_release(&squash->gone, free_gone);
}

static inline void squash_auto_(struct squash *squash)
{
	squash_release(squash);
}

/* ---- what differs ---- */

/* The directory that a path lies in: "a/b" and "a/b/" are in "a/", "a" is in "./". */
static struct str parent_of(struct str path)
{
	size_t len = path.len;

	while (len > 0 && path.at[len - 1] == '/')
		len--;
	while (len > 0 && path.at[len - 1] != '/')
		len--;
	return len > 0 ? (struct str){ path.at, len } : STR("./");
}

static void add(struct map *map, struct str path)
{
	static char there;

	if (!map_has(map, path))
		map_put(map, path, &there);
}

static struct err *note_below(void *arg, const struct walk_entry *entry)
{
	struct squash *squash = arg;
	struct stat *st = xcalloc(1, sizeof(*st));

	*st = *entry->st;
	map_put(&squash->below, str_of(entry->tar.path), st);
	return NULL;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_alike(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       same_time(a->st_mtim, b->st_mtim);
}

static struct err *has_same_attributes(int below_fd, const char *path, int fd, bool *ret)
{
	AUTO(fd) int other_fd = -1;
	AUTO(xattrs) struct xattrs below = { 0 };
	AUTO(xattrs) struct xattrs here = { 0 };
	struct err *err = file_open_dir(below_fd, path, &other_fd);

	*ret = false;
	if (err_errno(err) == ENAMETOOLONG) {
		err_free(err); /* it becomes an entry, which is never wrong */
		return NULL;
	}
	TRY(err);
	TRY(xattrs_read(other_fd, XATTR_VIEW, &below));
	TRY(xattrs_read(fd, XATTR_VIEW, &here));
	*ret = xattrs_equal(&below, &here);
	return NULL;
}

/* A file is told by its inode, which has its attributes and its content. A directory has another one in each
 * copied view, and what is in it is looked at by itself. */
static struct err *is_same(const struct squash *squash, const struct stat *below,
			   const struct walk_entry *entry, bool *ret)
{
	*ret = is_alike(below, entry->st);
	if (!S_ISDIR(entry->st->st_mode))
		*ret = *ret && below->st_ino == entry->st->st_ino &&
		       below->st_size == entry->st->st_size;
	else if (*ret && below->st_ino != entry->st->st_ino)
		return err_wrap(
			has_same_attributes(squash->below_fd, entry->tar.path, entry->fd, ret),
			"'%s'", entry->tar.path);
	return NULL;
}

/* An entry brings its parents with it: a layer depends on none below. */
static void want(struct squash *squash, struct str path)
{
	for (; !str_is(path, "./") && !map_has(&squash->wanted, path); path = parent_of(path))
		add(&squash->wanted, path);
}

/* The root is an entry only if it is another one: its times say nothing. */
static bool is_same_root(const struct stat *below, const struct stat *st)
{
	const struct stat usual = { .st_mode = S_IFDIR | 0755 };
	const struct stat *other = below ? below : &usual;

	return other->st_mode == st->st_mode && other->st_uid == st->st_uid &&
	       other->st_gid == st->st_gid;
}

static struct err *note_full(void *arg, const struct walk_entry *entry)
{
	struct squash *squash = arg;
	const struct str path = str_of(entry->tar.path);
	const struct stat *below = map_get(&squash->below, path);
	bool same = false;

	add(&squash->full, path);
	if (str_is(path, "./")) {
		if (!is_same_root(below, entry->st))
			add(&squash->wanted, path);
		return NULL;
	}
	if (below)
		TRY(is_same(squash, below, entry, &same));
	if (!same)
		want(squash, path);
	return NULL;
}

/* Whether there is anything of that name, a directory or not. */
static bool is_there(const struct map *map, struct str path)
{
	const bool is_dir = str_ends(path, "/");
	AUTO(mem) char *dir = is_dir ? NULL : xasprintf("%.*s/", STR_ARG(path));

	if (map_has(map, path))
		return true;
	return map_has(map, is_dir ? (struct str){ path.at, path.len - 1 } : str_of(dir));
}

static void note_gone(struct squash *squash, struct str path)
{
	const struct str parent = parent_of(path);
	struct gone *gone;
	AUTO(mem) char *name = NULL;

	if (is_there(&squash->full, path) || !map_has(&squash->full, parent))
		return; /* another kind takes its place, or the directory is gone with it */
	name = str_dup(str_is(parent, "./") ?
			       path :
			       (struct str){ path.at + parent.len, path.len - parent.len });
	if (name[strlen(name) - 1] == '/')
		name[strlen(name) - 1] = '\0';
	gone = map_get(&squash->gone, parent);
	if (!gone) {
		gone = xcalloc(1, sizeof(*gone));
		map_put(&squash->gone, parent, gone);
	}
	strings_push(&gone->names, name);
	want(squash, parent);
}

/* A directory that took the place of a file, or came back, hides nothing of below: what was there is gone
 * one by one. A directory that below had is told apart by its children. */
static struct err *compare(struct squash *squash, int full_fd)
{
	const struct walk_opts opts = { .flat = true, .bare = true };

	if (squash->below_fd >= 0)
		TRY(walk(squash->below_fd, &opts, note_below, squash));
	TRY(walk(full_fd, &opts, note_full, squash));
	map_foreach (&squash->below, entry)
		note_gone(squash, (struct str){ entry->key, entry->key_len });
	return NULL;
}

/* ---- the tar ---- */

static bool is_wanted(void *arg, const struct tar_entry *entry)
{
	const struct squash *squash = arg;

	return map_has(&squash->wanted, str_of(entry->path));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct err *write_gone(void *arg, const struct tar_entry *dir, struct sink *out)
{
	struct squash *squash = arg;
	struct gone *gone = map_get(&squash->gone, str_of(dir->path));
	const bool is_root = strcmp(dir->path, "./") == 0;

	if (!gone)
		return NULL;
	qsort(gone->names.at, gone->names.len, sizeof(*gone->names.at), compare_names);
	vec_foreach (&gone->names, name) {
		AUTO(mem) char *path = xasprintf("%s.wh.%s", is_root ? "" : dir->path, *name);
		const struct tar_entry whiteout = { .type = TAR_FILE, .path = path };

		TRY(tar_write_header(out, &whiteout));
		squash->entries++;
	}
	return NULL;
}

struct err *squash_write(int below_fd, int full_fd, struct sink *out, uint64_t *ret_entries)
{
	AUTO(squash)
	struct squash squash = { .below_fd = below_fd,
				 .below = MAP_INIT,
				 .full = MAP_INIT,
				 .wanted = MAP_INIT,
				 .gone = MAP_INIT };
	const struct diff_opts opts = { .flat = true,
					.below_fd = -1,
					.wants = is_wanted,
					.behind = write_gone,
					.arg = &squash };
	struct diff_result result;

	TRY(compare(&squash, full_fd));
	TRY(diff_write(full_fd, &opts, out, &result));
	*ret_entries = result.entries + squash.entries;
	return NULL;
}
