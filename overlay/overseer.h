/*
 * overlay/overseer.h - changes of owner in a step, where there is one id alone.
 *
 * chown(2) to any other id fails in such a namespace, and so does every change of
 * user; without both no distribution's packages can be installed. There a step's
 * filter asks us about the chown family, and a thread of ours answers: it looks up
 * the file as the step would, and records the owner (overlay/owner.h). Files that
 * are not the layer's (caches, mounts, /dev) are left as they are, and the step is
 * told that all went well. Who changes its user or groups is told so, too, and goes on
 * as root (overlay/pretence.h). stat(2) is not answered: a step sees all files as its own.
 *
 * What a step says is not trusted. Paths are looked up beneath the root of the
 * thread that asked, from where it stands. Of links of /proc to what is open those of
 * the thread itself alone are followed, by our own /proc; others fail (EPERM). A record
 * is written only to files of the step's own root mount. A step that changes a path
 * meanwhile deceives itself: it may record any owner for any file of its layer anyhow.
 *
 * A path that leads over another mount, which may be a hung one (NFS, FUSE), is looked up by another
 * thread: who asked waits, and so may others with such a path if there are more than 16; nobody else does, nor the
 * end of the step. If more than 1024 wait who comes next fails with EAGAIN. Exceptions are a working directory
 * on NFS, and a path whose text lies in a mapped file of such a mount: the first thread opens and reads them.
 */
#ifndef OVERLAY_OVERSEER_H
#define OVERLAY_OVERSEER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "overlay/seccomp.h"

struct err;
struct overseer;

/* What stands in front of the filter of such a step: it asks. With every other call it goes on to what
 * comes behind it. */
struct seccomp_part overseer_filter(void);

/* Answer what comes from the filter's `listener_fd`, which is ours from now on, until nobody asks any
 * more. `root_fd` is the step's root mount, borrowed for the call; its processes have these groups. */
struct err *overseer_start(int listener_fd, int root_fd, const gid_t *groups, size_t group_count,
			   struct overseer **ret) MUST_USE;
/* Ends it: who still asks then is told that there is no such call, and no file of the layer is changed any more. */
void overseer_free(struct overseer *overseer);
DEFINE_AUTO(overseer)

#endif
