/* overlay/owner-private.h - the records of overlay/owner.h as text and bytes. */
#ifndef OVERLAY_OWNER_PRIVATE_H
#define OVERLAY_OWNER_PRIVATE_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "overlay/owner.h"

#define OWNER_TEXT_SIZE 32

/* On regular files and directories; on regular files. */
#define OWNER_XATTR_OWNER OWNER_XATTR_PREFIX "owner"
#define OWNER_XATTR_DEVICE OWNER_XATTR_PREFIX "device"

/*
 * Each way back takes what the way there has made, and nothing else. What cannot be read, as a `len`
 * below 0, is false, and leaves the results as they were. No id is -1.
 */

/* "33:44" */
size_t owner_format(char text[static OWNER_TEXT_SIZE], uid_t uid, gid_t gid);
bool owner_parse(const char *text, ssize_t len, uid_t *ret_uid, gid_t *ret_gid);

/* "c 1:3": type, number and size of `st` become those of the device. */
size_t owner_format_device(char text[static OWNER_TEXT_SIZE], mode_t mode, dev_t number);
bool owner_parse_device(const char *text, ssize_t len, struct stat *st);

/* For links and fifos. The kernel may give it back longer, with who is root behind it. */
struct vfs_cap_data owner_make_set(uid_t uid, gid_t gid);
bool owner_parse_set(const void *value, ssize_t len, uid_t *ret_uid, gid_t *ret_gid);

#endif
