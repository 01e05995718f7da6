/*
 * overlay/idmap.h - root for a step that is nobody for the machine.
 *
 * A user namespace in which a step is root, and the means to show files in it with
 * the owners they have on the disk: layers and other mounts are cloned, and the clone
 * translates ids (an idmapped mount). On the disk nothing is translated, so a layer
 * is the same whichever way its step was run.
 *
 * Ids 0 to 2^31-1 are mapped. The first ones are those of the first range of at least
 * 65536 that /etc/subuid and /etc/subgid give to `containers` or else to `root`; all
 * that no range covers lie at IDMAP_FIRST and above, where no machine has users.
 *
 * One for a build; all functions are thread safe.
 */
#ifndef OVERLAY_IDMAP_H
#define OVERLAY_IDMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct idmap;

#define IDMAP_FIRST UINT32_C(0x7f000000)
#define IDMAP_COUNT UINT32_C(0x80000000)
#define IDMAP_ALL_GROUPS "0 2147483647" /* for the sysctl net.ipv4.ping_group_range */

/* Whether we are in the machine's own namespace. In another one root is nobody outside anyway. */
bool idmap_is_useful(void);

/* Make a namespace. ERR_UNSUPPORTED says why there can be none: we are in one already, the kernel
 * or somebody above us does not let us. */
struct err *idmap_open(struct idmap **ret) MUST_USE;
void idmap_free(struct idmap *idmap);
DEFINE_AUTO(idmap)

/* A user namespace below ours with all the ids that we have, each as itself, so that nothing needs to be
 * translated: who is there has no right over what belongs to ours. The descriptor is the caller's. */
struct err *idmap_open_below(int *ret_userns_fd) MUST_USE;

/* The namespace, for setns(2); borrowed. */
int idmap_userns(const struct idmap *idmap);

/* What an id of the namespace is outside; (uid_t)-1 for one that is not mapped. */
uid_t idmap_uid(const struct idmap *idmap, uid_t inside);
gid_t idmap_gid(const struct idmap *idmap, gid_t inside);

/* Append the map of users, or of groups, as /proc/PID/uid_map has it. */
void idmap_format(const struct idmap *idmap, bool groups, struct buf *ret);

/* Let the mount, which stands nowhere yet and which nobody is writing to, translate; with `all`
 * those in it, too. ERR_UNSUPPORTED if its file system cannot. */
struct err *idmap_apply(const struct idmap *idmap, int mount_fd, bool all) MUST_USE;

/* A detached clone of the directory `fd` that translates. */
struct err *idmap_clone(const struct idmap *idmap, int fd, int *ret_fd) MUST_USE;

/* Be the namespace's root to file systems, with all rights that we have, for this thread and until
 * idmap_resume(). */
struct err *idmap_assume(const struct idmap *idmap) MUST_USE;
void idmap_resume(void);

/* ---- for tests ---- */

/* One map, in the order of the kernel's: what is inside, outside, and how many. */
struct idmap_extent {
	uint32_t inside, outside, count;
};

#define IDMAP_EXTENTS 2

/* The map that a file like /etc/subuid leads to; returns how many extents it has. */
size_t idmap_plan(struct str rules, struct idmap_extent ret[static IDMAP_EXTENTS]);

#endif
