/*
 * overlay/owner.h - owners and devices that cannot be given to a file are written beside it.
 *
 * In a user namespace with one id alone every file belongs to that id, and in none can a
 * device node be made. What a layer says all the same is recorded in the store, so that the
 * same layer comes out again:
 *
 *	user.cairn.owner = "33:44"      on regular files and directories
 *	security.capability             on symbolic links and fifos, which the kernel lets have no
 *	                                user.* attributes: two ids and a mark, in the form of a set of
 *	                                capabilities, which mean nothing there
 *	user.cairn.device = "c 1:3"     on an empty regular file, which stands for the node
 *
 * overlayfs copies all three up with the file, and rename(2) keeps them: what a later step changes
 * keeps its owner. None of them enters or leaves a blob (overlay/xattr.h): whoever reads a tree asks
 * owner_stat(). As root of the machine nothing is recorded, and no record is read. In a namespace of several ids
 * a record counts only on a file that is root's, and an owner only if one of the two ids is not mapped there:
 * owners that are mapped are true ones. Everybody can write attributes to a file that he may write to, to root's,
 * too, if its mode lets him: after a step of another user owner_sift() takes away what he could have written.
 */
#ifndef OVERLAY_OWNER_H
#define OVERLAY_OWNER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/mem.h"

struct copies;
struct err;

/* Attributes whose names begin so are ours alone. */
#define OWNER_XATTR_PREFIX "user.cairn."

/* Whether trees of the store may have records: we are in a user namespace. */
bool owner_recorded(void);
/* Whether device nodes cannot be made here. The same, for those who make files that are not the store's. */
bool owner_lacks_devices(void);

/* chown(2), of a file that is open for reading or writing, or of `name` without following it; an id that
 * is not mapped here is recorded. A file that is given its true owner has no record any more. */
struct err *owner_set(int fd, uid_t uid, gid_t gid) MUST_USE;
struct err *owner_set_at(int dir_fd, const char *name, uid_t uid, gid_t gid) MUST_USE;

/* Make `st`, of a file that is open for reading or writing, or of `name` as fstatat(2) tells it without
 * following it, what it is to be in a layer: owner, group, and for a device its type and number. */
struct err *owner_stat(int fd, struct stat *st) MUST_USE;
struct err *owner_stat_at(int dir_fd, const char *name, struct stat *st) MUST_USE;

/* mknod(2) of a device; where there can be none it is recorded. `mode` has the type; the umask is
 * heeded. ERR_SYSTEM with EEXIST if the name is taken. */
struct err *owner_make_device(int dir_fd, const char *name, mode_t mode, dev_t number) MUST_USE;

/* The record of `uid` and `gid` for the file at `path`, whose type `mode` tells, in place of what it has, and
 * without chown(2). False, with errno, if there can be none. `follow` is for links of /proc to open files. */
bool owner_record(const char *path, bool follow, mode_t mode, uid_t uid, gid_t gid);
/* What is recorded there; false if nothing is, and the two are as they were. */
bool owner_find_record(const char *path, bool follow, mode_t mode, uid_t *ret_uid, gid_t *ret_gid);
/* No device is recorded there any more, of something that is no directory. False, with errno. */
bool owner_forget_device(const char *path);

/*
 * What a step made in the upper directory `fs_fd` of its layer, and nobody gave to anybody, belongs to
 * `uid` and `gid`, or to the group of a directory with a set-gid bit: with one id alone the kernel could
 * not say so. What was copied up from `below_fd`, a view of what lies below, keeps what it has: it is in
 * `copies`, or overlayfs has marked it (NULL). Neither can tell of links, fifos, and files of several names: of the
 * former those count as copied that have a record, or the time of what has the name below; of the latter those
 * that have its record. So a link of root's that another user renames becomes his.
 * Only a step of root is overseen: what another has recorded itself is overwritten, and devices are none.
 */
struct err *owner_settle(int fs_fd, int below_fd, const struct copies *copies, uid_t uid, gid_t gid)
	MUST_USE;

/*
 * Take the records away that a step of another user than root could have forged in the upper directory `fs_fd`
 * of its layer: all but those that the same name has below, and in a namespace of several ids those of root's
 * files that nobody else may write to, which have been moved there. With one id alone every user may write
 * everywhere: it is devices only, and what was moved keeps them. Before owner_settle().
 */
struct err *owner_sift(int fs_fd, int below_fd) MUST_USE;

#endif
