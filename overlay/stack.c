/*
 * overlay/stack.c - see overlay/stack.h.
 *
 * What "/" is: overlayfs shows the root directory of the topmost layer, but a
 * layer that was pulled knows nothing of the image's root unless it brings
 * one. So a layer that is begun here gets the root's metadata from the stack,
 * and a view whose topmost layer has other ones gets an empty directory with the
 * right ones on top. That directory, and the empty one that the kernel wants as a
 * second below a single layer, are plain directories of the store: kernels
 * before 6.15 take no detached mount for a layer.
 */

#include "overlay/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/stream.h"
#include "base/vec.h"
#include "overlay/driver.h"
#include "overlay/idmap.h"
#include "overlay/kernel-private.h"
#include "overlay/mount.h"
#include "overlay/owner.h"
#include "overlay/unpack.h"
#include "overlay/xattr.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/store.h"

void stack_release(struct stack *stack)
{
	vec_foreach (stack, layer)
		close(layer->fd);
	vec_release(stack);
	stack->store = NULL;
}

/* Take the layer out of the stack, if it is there. The kernel refuses the same directory twice; and
 * whatever the lower of two equal layers has to say, the upper one says it again. */
static void drop_layer(struct stack *stack, const char *lid)
{
	for (size_t i = 0; i < stack->len; i++) {
		if (strcmp(stack->at[i].lid, lid) != 0)
			continue;
		close(stack->at[i].fd);
		stack->len--;
		memmove(&stack->at[i], &stack->at[i + 1], (stack->len - i) * sizeof(*stack->at));
		return;
	}
}

struct err *stack_push(struct stack *stack, struct store *store, const char *lid)
{
	struct stack_layer layer = { .fd = -1 };
	struct layer_meta meta;

	drop_layer(stack, lid);
	if (stack->len == STACK_MAX)
		return err_new(ERR_UNSUPPORTED, "more than %d layers", STACK_MAX);
	TRY(layer_open(store, lid, &layer.fd, &meta));
	memcpy(layer.lid, meta.lid, sizeof(layer.lid));
	layer.has_root = meta.has_root;
	vec_push(stack, layer);
	stack->store = store;
	return NULL;
}

struct err *stack_copy(const struct stack *from, struct store *store, struct stack *ret)
{
	vec_foreach (from, layer)
		TRY(stack_push(ret, store, layer->lid));
	return NULL;
}

/* ---- what "/" is ---- */

/* The metadata of a root directory. */
struct root {
	struct stat st;
	struct xattrs xattrs;
};

static void root_auto_(struct root *root)
{
	xattrs_release(&root->xattrs);
}

static struct err *root_read(int fd, struct root *ret)
{
	if (fstat(fd, &ret->st) < 0)
		return err_sys("stat the root of a layer");
	TRY(owner_stat(fd, &ret->st));
	return err_wrap(xattrs_read(fd, XATTR_LAYER, &ret->xattrs), "the root of a layer");
}

static bool root_equal(const struct root *a, const struct root *b)
{
	return a->st.st_mode == b->st.st_mode && a->st.st_uid == b->st.st_uid &&
	       a->st.st_gid == b->st.st_gid && xattrs_equal(&a->xattrs, &b->xattrs);
}

/* The layer whose root is the stack's, of which there is at least one. */
static const struct stack_layer *root_layer(const struct stack *stack)
{
	for (size_t i = stack->len; i > 0; i--)
		if (stack->at[i - 1].has_root)
			return &stack->at[i - 1];
	return &stack->at[0];
}

static struct err *stack_root(const struct stack *stack, struct root *ret)
{
	if (stack->len > 0)
		return root_read(root_layer(stack)->fd, ret);
	ret->st = (struct stat){ .st_mode = S_IFDIR | 0755 };
	return NULL;
}

/* Give a fresh directory the metadata of `root`, its default ACL too, and its time. */
static struct err *root_apply(const struct root *root, int fd)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, root->st.st_mtim };

	/* One that it has got from where the store lies would be passed on to all that is made. */
	TRY(xattrs_clear(fd, XATTR_LAYER));
	TRY(owner_set(fd, root->st.st_uid, root->st.st_gid));
	if (fchmod(fd, root->st.st_mode & 07777) < 0)
		return err_sys("make the root of a layer");
	TRY(xattrs_apply(fd, XATTR_LAYER, root->xattrs.at, root->xattrs.len, NULL));
	return futimens(fd, times) < 0 ? err_sys("make the root of a layer") : NULL;
}

struct err *stack_begin_layer(const struct stack *stack, struct store *store,
			      struct layer_stage **ret)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	AUTO(root) struct root root = { 0 };

	TRY(stack_root(stack, &root));
	TRY(layer_begin(store, &stage));
	TRY(root_apply(&root, stage->fs_fd));
	*ret = STEAL(stage);
	return NULL;
}

struct err *stack_seal_layer(const struct stack *below, struct layer_stage *stage,
			     struct layer_meta *meta)
{
	AUTO(root) struct root before = { 0 }, after = { 0 };

	TRY(stack_root(below, &before));
	TRY(root_read(stage->fs_fd, &after));
	meta->has_root = !root_equal(&before, &after);
	return layer_seal(stage, NULL, meta);
}

/* ---- views ---- */

/* If the topmost layer shows another root than the stack has, make a directory that shows the right
 * one: `*ret_fd`, the caller's; else it stays. */
static struct err *make_top(const struct stack *stack, int *ret_fd)
{
	const struct stack_layer *top = vec_last(stack), *decides = root_layer(stack);
	AUTO(root) struct root shown = { 0 }, wanted = { 0 };

	if (top == decides)
		return NULL;
	TRY(root_read(top->fd, &shown));
	TRY(root_read(decides->fd, &wanted));
	if (root_equal(&shown, &wanted))
		return NULL;
	TRY(layer_scratch(stack->store, ret_fd));
	return root_apply(&wanted, *ret_fd);
}

/* An empty directory that needs no store. */
static struct err *view_nothing(const struct idmap *idmap, int *ret_fd)
{
	AUTO(fd) int fs_fd = kernel_fsopen("tmpfs");
	AUTO(fd) int fd = -1;

	if (fs_fd < 0 || kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys("make an empty file system");
	fd = kernel_fsmount(fs_fd, MOUNT_ATTR_RDONLY);
	if (fd < 0)
		return err_sys("mount an empty file system");
	if (idmap)
		TRY(idmap_apply(idmap, fd, false));
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

/* The directories of the layers, the newest first; returns how many. */
static size_t add_layers(const struct stack *stack, int *fds)
{
	for (size_t i = 0; i < stack->len; i++)
		fds[i] = stack->at[stack->len - 1 - i].fd;
	return stack->len;
}

struct err *stack_view(const struct stack *stack, int *ret_fd)
{
	AUTO(fd) int top_fd = -1, empty_fd = -1;
	int lower_fds[STACK_MAX + 2];
	struct overlay_spec spec = {
		.lower_fds = lower_fds, .upper_fd = -1, .work_fd = -1, .idmap = stack->idmap
	};

	if (stack->len == 0)
		return view_nothing(stack->idmap, ret_fd);
	TRY(make_top(stack, &top_fd));
	if (top_fd >= 0)
		lower_fds[spec.lower_count++] = top_fd;
	spec.lower_count += add_layers(stack, lower_fds + spec.lower_count);
	if (spec.lower_count < 2) {
		TRY(layer_scratch(stack->store, &empty_fd));
		lower_fds[spec.lower_count++] = empty_fd;
	}
	return driver_view(stack->store, &spec, ret_fd);
}

struct err *stack_mount(const struct stack *stack, const struct layer_stage *layer,
			const struct skeleton *skeleton, int points_fd, int *ret_fd,
			struct mounted **ret)
{
	int lower_fds[STACK_MAX + 1];
	struct overlay_spec spec = { .lower_fds = lower_fds,
				     .upper_fd = layer->fs_fd,
				     .work_fd = layer->work_fd,
				     .skeleton = skeleton,
				     .idmap = stack->idmap,
				     .pair_fd = layer->dir_fd,
				     .trees = stack->trees };

	if (points_fd >= 0)
		lower_fds[spec.lower_count++] = points_fd;
	spec.lower_count += add_layers(stack, lower_fds + spec.lower_count);
	return driver_mount(layer->store, &spec, ret_fd, ret);
}

/* ---- images ---- */

/* Fetching one layer of an image. */
struct fetch {
	struct store *store;
	const struct image *image;
	size_t index;
	struct progress *progress; /* may be NULL */
	char lid[LAYER_ID_SIZE];   /* empty until it is known */
	bool dependent;            /* it has to be unpacked on what lies below */
};

static const struct image_layer *fetch_layer(const struct fetch *f)
{
	return &f->image->layers[f->index];
}

/* What lies below it. The lowest layer lies on nothing, which has no chain id: all zero. */
static const struct digest *fetch_chain(const struct fetch *f)
{
	static const struct digest nothing = { 0 };

	return f->index > 0 ? &f->image->layers[f->index - 1].chain_id : &nothing;
}

static struct err *find_layer(struct fetch *f, bool *ret_found)
{
	struct layer_meta meta;

	TRY(layer_find(f->store, &fetch_layer(f)->diff_id, fetch_chain(f), ret_found, &meta));
	if (*ret_found)
		memcpy(f->lid, meta.lid, sizeof(f->lid));
	return NULL;
}

/* The tar of a layer, from its blob, which is verified on the way. */
static struct err *open_tar(struct fetch *f, uint64_t id, struct source **ret)
{
	const struct descriptor *blob = &fetch_layer(f)->blob;
	struct source *src;
	uint64_t size;
	int fd;

	TRY(blob_open(f->store, &blob->digest, &fd, &size));
	src = source_from_fd(fd, "the blob");
	src = source_verify(src, &blob->digest, blob->size);
	return codec_open(progress_source(f->progress, id, src), NULL, ret);
}

/* Name the tree in `stage`, if it is what it should be. */
static struct err *keep_layer(struct fetch *f, struct layer_stage *stage,
			      const struct unpack_result *result)
{
	const struct image_layer *layer = fetch_layer(f);
	struct layer_meta meta = {
		.entries = result->entries,
		.bytes = result->bytes,
		.dependent = result->dependent,
		.has_root = result->has_root,
		.has_diff_id = true,
		.diff_id = result->diff_id,
		.has_blob = true,
		.blob = layer->blob,
	};
	char got[DIGEST_TEXT_SIZE], want[DIGEST_TEXT_SIZE];

	if (!digest_equal(&result->diff_id, &layer->diff_id))
		return err_new(ERR_CORRUPT, "its tar is %s, but the image's config says %s",
			       digest_format(&result->diff_id, got),
			       digest_format(&layer->diff_id, want));
	TRY(layer_seal(stage, result->dependent ? fetch_chain(f) : NULL, &meta));
	memcpy(f->lid, meta.lid, sizeof(f->lid));
	return NULL;
}

/* Unpack the layer on a view of what lies below; -1: not known yet, then a layer that depends on it
 * is only noted. */
static struct err *unpack_blob(struct fetch *f, uint64_t id, int below_fd)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	AUTO(source) struct source *tar = NULL;
	const struct tar_limits limits = unpack_limits(fetch_layer(f)->blob.size);
	struct unpack_opts opts = { .below_fd = below_fd, .limits = &limits };
	struct unpack_result result;

	TRY(layer_begin(f->store, &stage));
	if (f->index == 0)
		opts.below_fd = stage->work_fd; /* empty: nothing lies below */
	TRY(open_tar(f, id, &tar));
	TRY(unpack(tar, stage->fs_fd, &opts, &result));
	f->dependent = result.dependent && opts.below_fd < 0;
	return f->dependent ? NULL : keep_layer(f, stage, &result);
}

/* One layer, found or unpacked, by one process at a time. */
static struct err *fetch_on(struct fetch *f, int below_fd)
{
	const struct image_layer *layer = fetch_layer(f);
	AUTO(lock) struct lock lock = LOCK_INIT;
	AUTO(mem) char *what = NULL;
	bool found;
	struct err *err;
	uint64_t id;

	TRY(find_layer(f, &found));
	if (found)
		return NULL;
	TRY(store_single(f->store, below_fd < 0 ? &layer->diff_id : &layer->chain_id, NULL, &lock));
	TRY(find_layer(f, &found));
	if (found)
		return NULL;
	what = xasprintf("unpack layer %zu", f->index + 1);
	id = progress_begin(f->progress, what, layer->blob.size);
	err = blob_doubt(f->store, &layer->blob.digest, unpack_blob(f, id, below_fd));
	progress_end(f->progress, id, !err);
	return err;
}

static struct err *fetch(void *job)
{
	struct fetch *f = job;
	char text[DIGEST_TEXT_SIZE];

	return err_wrap(fetch_on(f, -1), "layer %zu, %s", f->index + 1,
			digest_format(&fetch_layer(f)->blob.digest, text));
}

/* A layer that depends on what lies below: on the stack, which holds all of that by now. */
static struct err *fetch_dependent(struct fetch *f, const struct stack *below)
{
	AUTO(fd) int view_fd = -1;
	char text[DIGEST_TEXT_SIZE];
	struct err *err = stack_view(below, &view_fd);

	if (!err)
		err = fetch_on(f, view_fd);
	return err_wrap(err, "layer %zu, %s", f->index + 1,
			digest_format(&fetch_layer(f)->blob.digest, text));
}

static struct err *fetch_all(struct fetch *fetches, size_t count, struct pool *pool)
{
	AUTO(group) struct group *group = NULL;

	if (!pool) {
		for (size_t i = 0; i < count; i++)
			TRY(fetch(&fetches[i]));
		return NULL;
	}
	group = group_new(pool);
	for (size_t i = 0; i < count; i++)
		group_run(group, fetch, NULL, &fetches[i]);
	return group_wait(group);
}

struct err *stack_of_image(struct store *store, const struct image *image, struct pool *pool,
			   struct progress *progress, struct stack *ret)
{
	AUTO(mem) struct fetch *fetches = xcalloc(image->layer_count, sizeof(*fetches));
	AUTO(stack) struct stack stack = { 0 };

	for (size_t i = 0; i < image->layer_count; i++)
		fetches[i] = (struct fetch){
			.store = store, .image = image, .index = i, .progress = progress
		};
	TRY(fetch_all(fetches, image->layer_count, pool));
	for (size_t i = 0; i < image->layer_count; i++) {
		if (fetches[i].dependent)
			TRY(fetch_dependent(&fetches[i], &stack));
		TRY(stack_push(&stack, store, fetches[i].lid));
	}
	*ret = stack;
	stack = (struct stack){ 0 };
	return NULL;
}
