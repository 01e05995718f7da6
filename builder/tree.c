/* builder/tree.c - scan, load and look up; see builder/tree.h. */

#include "builder/tree-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/vec.h"
#include "builder/ignore.h"
#include "builder/sift.h"
#include "overlay/owner.h"

#define LINKS_MAX 40   /* as the kernel allows */
#define INLINE_DIRS 24 /* so many directories are read before threads are worth their start */

struct err *tree_open(int root_fd, const struct ignore *ignore, struct statcache *cache,
		      struct tree **ret)
{
	AUTO(tree) struct tree *tree = xcalloc(1, sizeof(*tree));
	struct stat st;

	tree->root_fd = root_fd;
	tree->ignore = ignore && !ignore_is_empty(ignore) ? ignore : NULL;
	tree->cache = cache;
	if (fstat(root_fd, &st) < 0)
		return err_sys("look at the directory to copy from");
	tree->root = (struct tree_node){ .name = xstrdup(""),
					 .mode = st.st_mode,
					 .uid = st.st_uid,
					 .gid = st.st_gid,
					 .dev = st.st_dev,
					 .ino = st.st_ino,
					 .mtime = st.st_mtim,
					 .ctime = st.st_ctim,
					 .visible = true };
	*ret = STEAL(tree);
	return NULL;
}

struct err *tree_skip(struct tree *tree, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys("look at the directory to leave out");
	tree->skip_dev = st.st_dev;
	tree->skip_ino = st.st_ino;
	return NULL;
}

struct err *tree_read_records(struct tree *tree)
{
	struct stat st = { .st_mode = tree->root.mode,
			   .st_uid = tree->root.uid,
			   .st_gid = tree->root.gid };
	AUTO(fd) int fd = openat(tree->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys("open the directory to copy from");
	TRY(owner_stat(fd, &st));
	tree->recorded = true;
	tree->root.uid = st.st_uid;
	tree->root.gid = st.st_gid;
	return NULL;
}

static uint32_t git_mode(uint32_t mode)
{
	if (S_ISLNK(mode))
		return mode;
	return (mode & S_IFMT) | (S_ISDIR(mode) || (mode & S_IXUSR) ? 0755 : 0644);
}

void tree_take_git_modes(struct tree *tree)
{
	tree->git_modes = true;
	tree->root.plain = true;
	tree->root.mode = git_mode(tree->root.mode);
}

/* Free what is below a node, deepest first, without recursion: the tree may be deep. */
static void release_children(struct tree_node *root)
{
	struct tree_node *at = root;

	for (;;) {
		if (at->child_count > 0) {
			at = &at->children[at->child_count - 1];
			continue;
		}
		free(at->children);
		at->children = NULL;
		if (at == root)
			return;
		free(at->name);
		free(at->link);
		at = at->parent;
		at->child_count--;
	}
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	release_children(&tree->root);
	free(tree->root.name);
	if (tree->root_fd >= 0)
		close(tree->root_fd);
	free(tree);
}

char *tree_path(const struct tree_node *node)
{
	VEC(const struct tree_node *) chain = { 0 };
	struct buf path = BUF_INIT(INT_MAX);

	for (; node->parent; node = node->parent)
		vec_push(&chain, node);
	while (chain.len > 0) {
		if (path.len)
			buf_addc(&path, '/');
		buf_adds(&path, chain.at[--chain.len]->name);
	}
	vec_release(&chain);
	return buf_steal(&path);
}

struct err *tree_open_dir(const struct tree *tree, const char *path, int *ret_fd)
{
	return file_open(tree->root_fd, path[0] ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
			 0, FILE_NO_LINKS, ret_fd);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The sorted names of an open directory. */
static struct err *read_names(int dir_fd, const char *path, struct strings *ret)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		struct err *err = err_sys("read directory '%s'", path[0] ? path : "/");

		if (fd >= 0)
			close(fd);
		return err;
	}
	errno = 0;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strings_push(ret, entry->d_name);
	if (errno) {
		struct err *err = err_sys("read directory '%s'", path[0] ? path : "/");

		closedir(dir);
		return err;
	}
	closedir(dir);
	if (ret->len)
		qsort(ret->at, ret->len, sizeof(*ret->at), compare_names);
	return NULL;
}

static struct err *read_link(int dir_fd, const char *path, const char *name, char **ret)
{
	char target[PATH_MAX + 1];
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (len < 0)
		return err_sys("read link '%s/%s'", path, name);
	*ret = xmemdup(target, (size_t)len);
	return NULL;
}

static bool is_skipped(const struct tree *tree, const struct stat *st)
{
	return tree->skip_ino && S_ISDIR(st->st_mode) && st->st_ino == tree->skip_ino &&
	       st->st_dev == tree->skip_dev;
}

static struct tree_node node_of(const struct stat *st, struct tree_node *dir)
{
	return (struct tree_node){ .parent = dir,
				   .mode = st->st_mode,
				   .uid = st->st_uid,
				   .gid = st->st_gid,
				   .nlink = (uint32_t)st->st_nlink,
				   .dev = st->st_dev,
				   .rdev = st->st_rdev,
				   .ino = st->st_ino,
				   .size = (uint64_t)st->st_size,
				   .mtime = st->st_mtim,
				   .ctime = st->st_ctim,
				   .sparse = file_is_sparse(st) };
}

/* Fill in one child. `*ret_there` is false if it vanished or is excluded for good. */
static struct err *scan_child(struct tree *tree, struct tree_node *dir, int dir_fd,
			      const char *path, const char *name, struct tree_node *ret,
			      bool *ret_there)
{
	AUTO(mem) char *full = NULL;
	struct stat st;
	bool excluded = false;

	*ret_there = false;
	if (tree->ignore) {
		full = path[0] ? xasprintf("%s/%s", path, name) : xstrdup(name);
		excluded = ignore_match(tree->ignore, full, NULL);
	}
	if (excluded && !ignore_may_reinclude(tree->ignore, full))
		return NULL;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? NULL : err_sys("look at '%s/%s'", path, name);
	if ((excluded && !S_ISDIR(st.st_mode)) || is_skipped(tree, &st))
		return NULL;
	if (tree->recorded)
		TRY(err_wrap(owner_stat_at(dir_fd, name, &st), "'%s/%s'", path, name));
	if (tree->git_modes)
		st.st_mode = git_mode(st.st_mode);
	*ret = node_of(&st, dir);
	ret->plain = tree->git_modes;
	ret->shared = tree->recorded && st.st_nlink > 1;
	ret->excluded = excluded;
	ret->visible = !excluded;
	if (S_ISLNK(st.st_mode))
		TRY(read_link(dir_fd, path, name, &ret->link));
	if (st.st_nlink > 1 && !S_ISDIR(st.st_mode))
		atomic_store(&tree->twins, true);
	*ret_there = true;
	return NULL;
}

/* What is not excluded brings back all directories above it. */
static void show(struct tree_node *dir)
{
	for (; dir && !atomic_load(&dir->visible); dir = dir->parent)
		atomic_store(&dir->visible, true);
}

static struct err *scan_dir(struct tree *tree, struct tree_node *dir, int dir_fd, const char *path)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(read_names(dir_fd, path, &names));
	dir->children = xcalloc(names.len, sizeof(*dir->children));
	vec_foreach (&names, name) {
		struct tree_node *child = &dir->children[dir->child_count];
		bool there;

		TRY(scan_child(tree, dir, dir_fd, path, *name, child, &there));
		if (there) {
			child->name = STEAL(*name);
			dir->child_count++;
			if (!child->excluded)
				show(dir);
		}
	}
	dir->loaded = true;
	return NULL;
}

struct err *tree_load(struct tree *tree, struct tree_node *dir)
{
	AUTO(mem) char *path = NULL;
	AUTO(fd) int fd = -1;

	if (dir->loaded || !S_ISDIR(dir->mode))
		return NULL;
	path = tree_path(dir);
	TRY(tree_open_dir(tree, path, &fd));
	return scan_dir(tree, dir, fd, path);
}

bool tree_has_twins(const struct tree *tree)
{
	return atomic_load(&tree->twins);
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

struct err *tree_changed(const struct tree_node *node)
{
	AUTO(mem) char *path = tree_path(node);

	return err_new(ERR_INVALID, "'%s' changed while it was read: run the build again", path);
}

/* What is in a directory is checked entry by entry; what came later was not asked for. */
struct err *tree_expect_unchanged(const struct tree_node *node, int fd)
{
	struct stat st;
	bool same;

	if (fstat(fd, &st) < 0)
		return err_sys("look at '%s'", node->name);
	if (node->plain)
		st.st_mode = git_mode(st.st_mode);
	same = st.st_ino == node->ino && st.st_dev == node->dev && st.st_mode == node->mode;
	/* A name more or less changes a time, too: the layers of a copied view get and lose them. */
	if (same && !S_ISDIR(st.st_mode))
		same = (uint64_t)st.st_size == node->size && same_time(st.st_mtim, node->mtime) &&
		       (same_time(st.st_ctim, node->ctime) || node->shared);
	return same ? NULL : tree_changed(node);
}

/* ---- whole subtrees, on several threads once they are large ---- */

struct load {
	struct tree *tree;
	const struct sift *sift;
	size_t top_len; /* of the path that the sift's begin behind */
	struct group *group;
	bool hash;
};

struct nodes {
	struct tree_node **at;
	size_t len, cap;
};

struct load_job {
	const struct load *load;
	struct tree_node *dir;
};

/* Whether somebody wants to know more of an entry of a directory that has this path. */
static bool is_wanted(const struct load *load, const char *dir_path, const struct tree_node *node)
{
	AUTO(mem) char *path = NULL;
	enum sift_answer answer;

	if (!load->sift)
		return true;
	path = xasprintf("%s/%s", dir_path + load->top_len, node->name);
	answer = sift_ask(load->sift, path[0] == '/' ? path + 1 : path);
	return answer == SIFT_IN || (answer == SIFT_BELOW && S_ISDIR(node->mode));
}

static struct err *load_dir(const struct load *load, struct tree_node *dir)
{
	AUTO(mem) char *path = NULL;
	AUTO(fd) int fd = -1;

	if (dir->loaded && !load->hash)
		return NULL;
	TRY(cancel_check());
	path = tree_path(dir);
	TRY(tree_open_dir(load->tree, path, &fd));
	if (!dir->loaded)
		TRY(scan_dir(load->tree, dir, fd, path));
	if (load->hash)
		TRY(tree_hash_dir(dir, fd));
	for (size_t i = 0; load->hash && i < dir->child_count; i++)
		if (is_wanted(load, path, &dir->children[i]))
			TRY(tree_hash_child(load->tree, &dir->children[i], fd, path));
	return NULL;
}

/* The directories in a loaded one that are to be loaded. */
static void find_dirs(const struct load *load, struct tree_node *dir, struct nodes *ret)
{
	AUTO(mem) char *path = load->sift ? tree_path(dir) : NULL;

	for (size_t i = 0; i < dir->child_count; i++) {
		struct tree_node *child = &dir->children[i];

		if (S_ISDIR(child->mode) && is_wanted(load, path, child))
			vec_push(ret, child);
	}
}

static void queue_dir(const struct load *load, struct tree_node *dir);

static struct err *run_load_job(void *arg)
{
	AUTO(mem) struct load_job *job = arg;
	struct nodes dirs = { 0 };

	TRY(load_dir(job->load, job->dir));
	find_dirs(job->load, job->dir, &dirs);
	vec_foreach (&dirs, dir)
		queue_dir(job->load, *dir);
	vec_release(&dirs);
	return NULL;
}

static void queue_dir(const struct load *load, struct tree_node *dir)
{
	struct load_job *job = xcalloc(1, sizeof(*job));

	*job = (struct load_job){ load, dir };
	group_run(load->group, run_load_job, free, job);
}

struct err *tree_load_all(struct tree *tree, struct tree_node *node, const struct sift *sift,
			  bool hash, struct pool *pool)
{
	AUTO(group) struct group *group = NULL;
	AUTO(mem) char *top = tree_path(node);
	struct load load = { .tree = tree, .sift = sift, .top_len = strlen(top), .hash = hash };
	struct nodes pending = { 0 };
	struct err *err = NULL;

	if (!S_ISDIR(node->mode))
		return NULL;
	vec_push(&pending, node);
	for (size_t done = 0; !err && done < pending.len; done++) {
		struct tree_node *dir = pending.at[done];

		if (pool && done >= INLINE_DIRS) {
			group = load.group = group_new(pool);
			for (; done < pending.len; done++)
				queue_dir(&load, pending.at[done]);
			break;
		}
		err = load_dir(&load, dir);
		if (!err)
			find_dirs(&load, dir, &pending);
	}
	vec_release(&pending);
	return group ? group_wait(group) : err;
}

/* ---- finding ---- */

struct tree_node *tree_child(const struct tree_node *dir, struct str name)
{
	size_t low = 0, high = dir->child_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = str_compare(str_of(dir->children[middle].name), name);

		if (order == 0)
			return &dir->children[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct err *tree_find(struct tree *tree, struct tree_node *from, struct str path, bool follow,
		      struct tree_node **ret)
{
	AUTO(mem) char *rest_text = str_dup(path);
	struct str rest = str_of(rest_text);
	struct tree_node *at = from;
	int links = 0;

	*ret = NULL;
	if (str_starts(rest, "/"))
		at = &tree->root;
	while (rest.len > 0) {
		struct str name = str_cut(&rest, '/');
		struct tree_node *child;

		if (name.len == 0 || str_is(name, "."))
			continue;
		if (str_is(name, "..")) {
			at = at->parent ? at->parent : at;
			continue;
		}
		if (!S_ISDIR(at->mode))
			return NULL;
		TRY(tree_load(tree, at));
		child = tree_child(at, name);
		if (!child)
			return NULL;
		if (S_ISLNK(child->mode) && (rest.len > 0 || follow)) {
			char *joined;

			if (++links > LINKS_MAX)
				return err_new(ERR_INVALID, "too many symbolic links in '%.*s'",
					       STR_ARG(path));
			joined = xasprintf("%s/%.*s", child->link, STR_ARG(rest));
			free(rest_text);
			rest_text = joined;
			rest = str_of(rest_text);
			at = child->link[0] == '/' ? &tree->root : at;
			continue;
		}
		at = child;
	}
	*ret = at;
	return NULL;
}

struct err *tree_open_node(const struct tree *tree, const struct tree_node *node, int *ret_fd)
{
	AUTO(mem) char *path = tree_path(node);
	AUTO(fd) int fd = -1;

	TRY(file_open(tree->root_fd, path[0] ? path : ".",
		      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, FILE_NO_LINKS, &fd));
	TRY(tree_expect_unchanged(node, fd));
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

struct err *tree_open_child(const struct tree_node *node, int dir_fd, int *ret_fd)
{
	AUTO(fd)
	int fd = openat(dir_fd, node->name,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_sys("open '%s'", node->name);
	TRY(tree_expect_unchanged(node, fd));
	*ret_fd = STEAL_FD(fd);
	return NULL;
}
