/* overlay/driver.c - see overlay/driver.h: what the drivers do. Which one it is, is found in choice.c. */

#include "overlay/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "overlay/detached.h"
#include "overlay/driver-private.h"
#include "overlay/fuse.h"
#include "overlay/idmap.h"
#include "overlay/kernel-private.h"
#include "overlay/merge.h"
#include "overlay/mount.h"
#include "overlay/skeleton.h"
#include "overlay/snapshot.h"
#include "overlay/trees.h"
#include "store/layer.h"
#include "store/store.h"

#define TREE_NAME "tree" /* of a copied tree, in the work directory */

struct mounted {
	enum driver driver;
	int upper_fd;                     /* borrowed */
	struct snapshot *snapshot;        /* of a copied tree, owned */
	int tree_fd;                      /* the tree if nobody else gets it, owned; else -1 */
	struct tree_copy *tree;           /* one that others get, owned; else NULL */
	struct trees *trees;              /* it came from there, borrowed */
	int lower_fds[OVERLAY_LOWER_MAX]; /* those below, owned */
	size_t lower_count;
};

void mounted_free(struct mounted *mounted)
{
	if (!mounted)
		return;
	if (mounted->tree_fd >= 0)
		close(mounted->tree_fd);
	tree_copy_free(mounted->tree);
	for (size_t i = 0; i < mounted->lower_count; i++)
		close(mounted->lower_fds[i]);
	snapshot_free(mounted->snapshot);
	free(mounted);
}

/* ---- copy ---- */

/* The directory `fd` of the store as a mount. */
static struct err *mount_dir(const struct overlay_spec *spec, int fd, bool read_only, int *ret_fd)
{
	const unsigned flags = MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0);
	AUTO(fd) int mount_fd = -1;

	if (!spec->idmap)
		return detached_clone(fd, read_only, ret_fd);
	TRY(idmap_clone(spec->idmap, fd, &mount_fd));
	if (kernel_mount_setattr(mount_fd, "", AT_EMPTY_PATH, flags) < 0)
		return err_sys("set the options of a mount");
	*ret_fd = STEAL_FD(mount_fd);
	return NULL;
}

static struct err *copy_view(struct store *store, const struct overlay_spec *spec, int *ret_fd)
{
	const struct merge what = { .layer_fds = spec->lower_fds,
				    .count = spec->lower_count,
				    .root_fd = spec->lower_fds[0],
				    .link = true };
	AUTO(fd) int dir_fd = -1;

	TRY(layer_scratch(store, &dir_fd));
	TRY(merge_layers(&what, dir_fd));
	return mount_dir(spec, dir_fd, true, ret_fd);
}

/* `mounted` is NULL if nobody wants to know the changes. */
static struct err *copy_mount(const struct overlay_spec *spec, int *ret_fd, struct mounted *mounted)
{
	AUTO(fd) int own_fd = -1;
	int tree_fd, layer_fds[OVERLAY_LOWER_MAX + 1];
	struct merge what = { .layer_fds = layer_fds,
			      .count = spec->lower_count,
			      .root_fd = spec->upper_fd };

	for (size_t i = 0; i < what.count; i++)
		layer_fds[i] = spec->lower_fds[i];
	layer_fds[what.count++] = spec->skeleton->root_fd;
	if (mounted && spec->trees) {
		TRY(trees_take(spec->trees, &what, &mounted->tree));
		mounted->trees = spec->trees;
		tree_fd = tree_copy_fd(mounted->tree);
	} else {
		TRY(file_make_dirs(spec->work_fd, TREE_NAME, 0700, &own_fd));
		TRY(merge_layers(&what, own_fd));
		tree_fd = own_fd;
	}
	if (mounted)
		TRY(snapshot_take(tree_fd, spec->work_fd, &mounted->snapshot));
	TRY(mount_dir(spec, tree_fd, false, ret_fd));
	if (mounted)
		mounted->tree_fd = STEAL_FD(own_fd);
	return NULL;
}

/* ---- fuse-overlayfs ---- */

static struct err *keep_layers(const struct overlay_spec *spec, struct mounted *mounted)
{
	for (size_t i = 0; i < spec->lower_count; i++) {
		int fd = fcntl(spec->lower_fds[i], F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return err_sys("open a layer again");
		mounted->lower_fds[mounted->lower_count++] = fd;
	}
	return NULL;
}

/* ---- the seam ---- */

static struct err *too_many(const struct overlay_spec *spec)
{
	if (spec->lower_count <= OVERLAY_LOWER_MAX)
		return NULL;
	return err_new(ERR_INVALID, "%zu layers, %d can be stacked", spec->lower_count,
		       OVERLAY_LOWER_MAX);
}

struct err *driver_view(struct store *store, const struct overlay_spec *spec, int *ret_fd)
{
	enum driver driver;

	TRY(driver_of(store, &driver));
	TRY(too_many(spec));
	switch (driver) {
	case DRIVER_FUSE:
		return fuse_mount(spec, ret_fd);
	case DRIVER_COPY:
		return err_wrap(copy_view(store, spec, ret_fd), "copy a tree");
	case DRIVER_OVERLAY:
	case DRIVER_AUTO:
		break;
	}
	return overlay_mount(spec, ret_fd);
}

struct err *driver_mount_by(enum driver driver, const struct overlay_spec *spec, int *ret_fd,
			    struct mounted **ret)
{
	AUTO(mounted) struct mounted *mounted = NULL;

	if (ret)
		*ret = NULL;
	if (driver == DRIVER_OVERLAY)
		return overlay_mount(spec, ret_fd);
	TRY(too_many(spec));
	if (ret) {
		mounted = xcalloc(1, sizeof(*mounted));
		mounted->driver = driver;
		mounted->upper_fd = spec->upper_fd;
		mounted->tree_fd = -1;
	}
	if (driver == DRIVER_COPY)
		TRY(err_wrap(copy_mount(spec, ret_fd, mounted), "copy a tree"));
	else
		TRY(fuse_mount(spec, ret_fd));
	if (mounted)
		TRY(keep_layers(spec, mounted));
	if (ret)
		*ret = STEAL(mounted);
	return NULL;
}

struct err *driver_mount(struct store *store, const struct overlay_spec *spec, int *ret_fd,
			 struct mounted **ret)
{
	enum driver driver;

	TRY(driver_of(store, &driver));
	return driver_mount_by(driver, spec, ret_fd, ret);
}

/* The next step gets the tree. */
static struct err *settle_copy(struct mounted *mounted, struct copies *copies)
{
	const int tree_fd = mounted->tree ? tree_copy_fd(mounted->tree) : mounted->tree_fd;
	const struct merge below = { .layer_fds = mounted->lower_fds,
				     .count = mounted->lower_count,
				     .root_fd = mounted->upper_fd };
	bool apart;

	TRY(snapshot_move_changes(mounted->snapshot, &below, tree_fd, mounted->upper_fd, copies,
				  &apart));
	if (mounted->tree && apart)
		trees_keep(mounted->trees, STEAL(mounted->tree), mounted->upper_fd);
	return NULL;
}

struct err *mounted_settle(struct mounted *mounted, struct copies *copies)
{
	if (!mounted)
		return NULL;
	if (mounted->driver == DRIVER_FUSE)
		return fuse_settle(mounted->upper_fd, mounted->lower_fds, mounted->lower_count,
				   copies);
	return settle_copy(mounted, copies);
}
