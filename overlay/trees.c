/* overlay/trees.c - see overlay/trees.h. */

#include "overlay/trees.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/vec.h"
#include "overlay/merge.h"
#include "store/layer.h"

#define TREE_NAME "tree"

/* A layer is its directory, which is held: nobody else gets its inode. */
struct tree_copy {
	struct layer_stage *stage; /* owned; it goes with it */
	int fd;                    /* owned */
	struct {
		int *at; /* the lowest first, owned */
		size_t len, cap;
	} layers;
	bool due; /* the last layer has still to be laid on the tree */
};

struct trees {
	struct store *store; /* borrowed */
	pthread_mutex_t lock;
	VEC(struct tree_copy *) idle; /* the one kept last comes last; guarded by lock */
};

struct trees *trees_new(struct store *store)
{
	struct trees *trees = xcalloc(1, sizeof(*trees));

	trees->store = store;
	pthread_mutex_init(&trees->lock, NULL);
	return trees;
}

void trees_free(struct trees *trees)
{
	if (!trees)
		return;
	vec_foreach (&trees->idle, tree)
		tree_copy_free(*tree);
	vec_release(&trees->idle);
	pthread_mutex_destroy(&trees->lock);
	free(trees);
}

int tree_copy_fd(const struct tree_copy *tree)
{
	return tree->fd;
}

void tree_copy_free(struct tree_copy *tree)
{
	if (!tree)
		return;
	if (tree->fd >= 0)
		close(tree->fd);
	vec_foreach (&tree->layers, fd)
		close(*fd);
	vec_release(&tree->layers);
	layer_stage_free(tree->stage);
	free(tree);
}

/* ---- taking ---- */

static bool is_same_dir(int a_fd, int b_fd)
{
	struct stat a, b;

	return fstat(a_fd, &a) == 0 && fstat(b_fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* How many of the layers, from the lowest on, the tree has; 0 if it has others. */
static size_t count_common(const struct tree_copy *tree, const struct merge *what)
{
	if (tree->layers.len > what->count)
		return 0;
	for (size_t i = 0; i < tree->layers.len; i++)
		if (!is_same_dir(tree->layers.at[i], what->layer_fds[what->count - 1 - i]))
			return 0;
	return tree->layers.len;
}

/* Under the lock. */
static struct tree_copy *remove_idle(struct trees *trees, size_t at)
{
	struct tree_copy *tree = trees->idle.at[at];

	trees->idle.len--;
	memmove(&trees->idle.at[at], &trees->idle.at[at + 1],
		(trees->idle.len - at) * sizeof(tree));
	return tree;
}

static struct tree_copy *take_idle(struct trees *trees, const struct merge *what)
{
	struct tree_copy *found = NULL;
	size_t best = 0, at = 0;

	pthread_mutex_lock(&trees->lock);
	for (size_t i = 0; i < trees->idle.len; i++) {
		const size_t common = count_common(trees->idle.at[i], what);

		if (common > best) {
			best = common;
			at = i;
		}
	}
	if (best) {
		found = remove_idle(trees, at);
	}
	pthread_mutex_unlock(&trees->lock);
	return found;
}

static struct err *add_layer(struct tree_copy *tree, int layer_fd)
{
	int fd = fcntl(layer_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return err_sys("open a layer again");
	vec_push(&tree->layers, fd);
	return NULL;
}

static struct err *make_tree(struct trees *trees, const struct merge *what, struct tree_copy *tree)
{
	TRY(layer_begin(trees->store, &tree->stage));
	TRY(file_make_dirs(tree->stage->dir_fd, TREE_NAME, 0700, &tree->fd));
	return merge_layers(what, tree->fd);
}

/* Lay on it what it lacks. */
static struct err *complete(const struct merge *what, struct tree_copy *tree)
{
	struct merge rest = *what;

	rest.count = what->count - tree->layers.len + (tree->due ? 1 : 0);
	tree->due = false;
	return merge_more(&rest, tree->fd);
}

/* One that was kept, made complete; NULL if there is none, or if it cannot be. */
static struct err *take_kept(struct trees *trees, const struct merge *what, struct tree_copy **ret)
{
	AUTO(tree_copy) struct tree_copy *tree = take_idle(trees, what);
	struct err *err = tree ? complete(what, tree) : NULL;

	if (err_kind(err) == ERR_CANCELLED)
		return err;
	if (!err)
		*ret = STEAL(tree);
	err_free(err); /* all is copied again then, and says what is wrong if it still is */
	return NULL;
}

struct err *trees_take(struct trees *trees, const struct merge *what, struct tree_copy **ret)
{
	AUTO(tree_copy) struct tree_copy *tree = NULL;

	TRY(take_kept(trees, what, &tree));
	if (!tree) {
		tree = xcalloc(1, sizeof(*tree));
		tree->fd = -1;
		TRY(make_tree(trees, what, tree));
	}
	for (size_t i = tree->layers.len; i < what->count; i++)
		TRY(add_layer(tree, what->layer_fds[what->count - 1 - i]));
	*ret = STEAL(tree);
	return NULL;
}

/* ---- keeping ---- */

static struct err *put(struct trees *trees, struct tree_copy *tree, int upper_fd,
		       struct tree_copy **ret_spare)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(file_list(upper_fd, ".", &names));
	tree->due = names.len > 0;
	if (tree->due)
		TRY(add_layer(tree, upper_fd));
	pthread_mutex_lock(&trees->lock);
	if (trees->idle.len == TREES_MAX)
		*ret_spare = remove_idle(trees, 0);
	vec_push(&trees->idle, tree);
	pthread_mutex_unlock(&trees->lock);
	return NULL;
}

void trees_keep(struct trees *trees, struct tree_copy *tree, int upper_fd)
{
	AUTO(tree_copy) struct tree_copy *spare = NULL;
	struct err *err = put(trees, tree, upper_fd, &spare);

	if (!err)
		return;
	err_free(err); /* then the next step copies all there is */
	tree_copy_free(tree);
}
