/*
 * builder/attachment.h - what `cairn run` mounts into a container: -v, --mount, --tmpfs.
 *
 * Docker's words. A source that is a path is a file or directory of this machine; a plain
 * name is a volume of the store (store/volume_dir.h), which is made when it is first
 * named, with what the image has at its place; no source at all is a volume that goes
 * with the container.
 */
#ifndef BUILDER_ATTACHMENT_H
#define BUILDER_ATTACHMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "store/layer.h"
#include "store/volume_dir.h"

struct err;
struct sandbox_mount;
struct store;

enum attachment_kind { ATTACH_BIND, ATTACH_VOLUME, ATTACH_TMPFS };

struct attachment {
	enum attachment_kind kind;
	char *source; /* a path, or the name of a volume; NULL: none; owned */
	char *target; /* absolute and clean, not "/"; owned */
	bool read_only;
	bool no_copy;  /* of a volume: it begins empty */
	uint64_t size; /* of a tmpfs, in bytes; 0: the usual */
	mode_t mode;   /* of a tmpfs, and so are all below */
	uint32_t uid, gid;
	uint64_t inodes; /* 0: the usual */
	bool no_exec;
};

struct attachments {
	struct attachment *at;
	size_t len, cap;
};

#define ATTACHMENTS_MAX 63 /* devices take the rest of what a sandbox takes */

/* Add what one -v says: "[SOURCE:]TARGET[:OPTION,...]", options ro, rw, nocopy, z and Z. ERR_INVALID,
 * ERR_NOT_FOUND for a path that is not there. */
struct err *attachments_add_volume(struct attachments *list, const char *text) MUST_USE;
/* --mount: "type=bind|volume|tmpfs,source=...,target=...,readonly,volume-nocopy,tmpfs-size=...,
 * tmpfs-mode=..." and the other names that Docker has for them. */
struct err *attachments_add_mount(struct attachments *list, const char *text) MUST_USE;
/* --tmpfs: "TARGET[:OPTION,...]", options size=, mode=, uid=, gid=, nr_inodes=, ro, rw, exec, noexec, and nosuid
 * and nodev, which it is always. */
struct err *attachments_add_tmpfs(struct attachments *list, const char *text) MUST_USE;
void attachments_release(struct attachments *list);

/* Opened for one run. */
struct attached {
	struct volume_dir *volumes; /* as many as there are attachments; owned */
	size_t count;
	struct layer_stage *points; /* mount points that the image does not have; owned */
};

void attached_release(struct attached *attached);

/* Open all of them: `mounts` (room for as many) gets descriptors that are used up, and texts that
 * `list` owns; those with an fd of -1 need none. `view_fd` shows the image, and mount points that it
 * lacks are made in `ret->points`. What is opened by then is closed on error. */
struct err *attachments_open(const struct attachments *list, struct store *store, int view_fd,
			     struct sandbox_mount *mounts, struct attached *ret) MUST_USE;
/* The directory of mount points for stack_mount(), -1 if there are none. */
int attached_points_fd(const struct attached *attached);

static inline void attachments_auto_(struct attachments *list)
{
	attachments_release(list);
}

static inline void attached_auto_(struct attached *attached)
{
	attached_release(attached);
}

#endif
