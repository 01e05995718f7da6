/* overlay/xattr.c - see overlay/xattr.h. */

#include "overlay/xattr.h"

#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/vec.h"
#include "overlay/owner.h"
#include "overlay/whiteout.h"

void xattrs_release(struct xattrs *set)
{
	free(set->at);
	free(set->text);
	*set = (struct xattrs){ 0 };
}

bool xattr_kept(const char *name)
{
	static const char *const exact[] = { "security.capability", "security.ima",
					     "system.posix_acl_access", XATTR_DEFAULT_ACL };

	for (size_t i = 0; i < ARRAY_SIZE(exact); i++)
		if (strcmp(name, exact[i]) == 0)
			return true;
	if (strncmp(name, OWNER_XATTR_PREFIX, strlen(OWNER_XATTR_PREFIX)) == 0 ||
	    strncmp(name, FUSE_XATTR_PREFIX, strlen(FUSE_XATTR_PREFIX)) == 0)
		return false;
	return strncmp(name, "user.", 5) == 0 && name[5];
}

/* The names of all attributes of `fd`, each with its NUL, into `list`. */
static struct err *list_names(int fd, char list[static XATTR_LIST_MAX], size_t *ret_len)
{
	ssize_t len = flistxattr(fd, list, XATTR_LIST_MAX);

	if (len < 0 && errno != EOPNOTSUPP)
		return err_sys("list the extended attributes");
	*ret_len = len > 0 ? (size_t)len : 0;
	return NULL;
}

/* How `stored`, a name on disk, is called outside; NULL if it does not leave. `buf` has room for
 * XATTR_NAME_MAX and a NUL. */
static const char *outside_name(const char *stored, enum xattr_side side, char *buf)
{
	const char *name = stored;

	if (side == XATTR_LAYER)
		name = whiteout_xattr_unescape(stored, buf);
	return name && xattr_kept(name) ? name : NULL;
}

/* Room for `need` more bytes at the end of the text. Pointers into it are set by point(). */
static char *text_room(struct xattrs *set, size_t need)
{
	if (need > set->text_cap - set->text_len)
		set->text = vec_grow_(set->text, &set->text_cap, set->text_len + need, 1);
	return set->text + set->text_len;
}

/* Append one attribute as name, NUL, value. Its `value.len` is set; pointers are not yet. */
static struct err *add(struct xattrs *set, int fd, const char *stored, const char *name)
{
	size_t name_size = strlen(name) + 1;
	char *at = text_room(set, name_size + TAR_XATTR_MAX);
	ssize_t len = fgetxattr(fd, stored, at + name_size, TAR_XATTR_MAX);

	/* Gone since it was listed, or listed by a file system that has no value for it. */
	if (len < 0 && errno == ENODATA)
		return NULL;
	if (len < 0 && (errno == ERANGE || errno == E2BIG))
		return err_new(ERR_UNSUPPORTED, "extended attribute %s is larger than %zu bytes",
			       name, TAR_XATTR_MAX);
	if (len < 0)
		return err_sys("read the extended attribute %s", name);
	memcpy(at, name, name_size);
	set->text_len += name_size + (size_t)len;
	vec_push(set, (struct tar_xattr){ .value = { .len = (size_t)len } });
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

/* The text no longer moves: let the elements point into it, and sort them. */
static void point(struct xattrs *set)
{
	const char *at = set->text;

	vec_foreach (set, attr) {
		attr->name = at;
		attr->value.at = at + strlen(at) + 1;
		at = attr->value.at + attr->value.len;
	}
	if (set->len > 1)
		qsort(set->at, set->len, sizeof(*set->at), by_name);
}

struct err *xattrs_read(int fd, enum xattr_side side, struct xattrs *set)
{
	UNCLEARED char list[XATTR_LIST_MAX];
	char buf[XATTR_NAME_MAX + 1];
	size_t len = 0;

	set->len = 0;
	set->text_len = 0;
	TRY(list_names(fd, list, &len));
	for (const char *stored = list; stored < list + len; stored += strlen(stored) + 1) {
		const char *name = outside_name(stored, side, buf);

		if (name)
			TRY(add(set, fd, stored, name));
	}
	point(set);
	return NULL;
}

bool xattrs_equal(const struct xattrs *a, const struct xattrs *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (strcmp(a->at[i].name, b->at[i].name) != 0 ||
		    !str_equal(a->at[i].value, b->at[i].value))
			return false;
	return true;
}

const struct tar_xattr *xattrs_find(const struct tar_xattr *at, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(at[i].name, name) == 0)
			return &at[i];
	return NULL;
}

struct err *xattrs_apply(int fd, enum xattr_side side, const struct tar_xattr *at, size_t count,
			 const char *skip)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = at[i].name;
		AUTO(mem)
		char *stored = side == XATTR_LAYER ? whiteout_xattr_escape(name) : xstrdup(name);

		if (!xattr_kept(name) || (skip && strcmp(name, skip) == 0))
			continue;
		if (fsetxattr(fd, stored, at[i].value.at, at[i].value.len, 0) < 0)
			return err_sys("set the extended attribute %s", name);
	}
	return NULL;
}

struct err *xattrs_clear(int fd, enum xattr_side side)
{
	UNCLEARED char list[XATTR_LIST_MAX];
	char buf[XATTR_NAME_MAX + 1];
	size_t len = 0;

	TRY(list_names(fd, list, &len));
	for (const char *stored = list; stored < list + len; stored += strlen(stored) + 1)
		if (outside_name(stored, side, buf) && fremovexattr(fd, stored) < 0)
			return err_sys("remove the extended attribute %s", stored);
	return NULL;
}

static bool is_copied(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || xattr_kept(name);
}

/* The value of `name`, as long as any may be, into `value`. */
static struct err *read_value(int fd, const char *name, char value[static XATTR_SIZE_MAX],
			      ssize_t *ret_len)
{
	*ret_len = fgetxattr(fd, name, value, XATTR_SIZE_MAX);
	if (*ret_len < 0 && errno != ENODATA)
		return err_sys("read the extended attribute %s", name);
	return NULL;
}

static struct err *copy_value(int from_fd, const char *stored, int to_fd, const char *name)
{
	UNCLEARED char value[XATTR_SIZE_MAX];
	ssize_t len;

	TRY(read_value(from_fd, stored, value, &len));
	if (len >= 0 && fsetxattr(to_fd, name, value, (size_t)len, 0) < 0)
		return err_sys("set the extended attribute %s", name);
	return NULL;
}

struct err *xattrs_transfer(int from_fd, enum xattr_side side, int to_fd)
{
	UNCLEARED char list[XATTR_LIST_MAX];
	char buf[XATTR_NAME_MAX + 1];
	size_t len = 0;

	TRY(list_names(from_fd, list, &len));
	for (const char *stored = list; stored < list + len; stored += strlen(stored) + 1) {
		const char *name = stored;

		if (side == XATTR_LAYER)
			name = whiteout_xattr_unescape(stored, buf);
		if (name && is_copied(name))
			TRY(copy_value(from_fd, stored, to_fd, name));
	}
	return NULL;
}

struct err *xattrs_transfer_record(int from_dir, const char *name, int to_dir)
{
	static const char record[] = "security.capability";
	char path[sizeof("/proc/self/fd/2147483647/") + NAME_MAX];
	char value[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", from_dir, name);
	len = lgetxattr(path, record, value, sizeof(value));
	if (len < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? NULL : err_sys("read its owner");
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", to_dir, name);
	return lsetxattr(path, record, value, (size_t)len, 0) < 0 ? err_sys("record its owner") :
								    NULL;
}

struct err *xattrs_escape(int fd)
{
	UNCLEARED char list[XATTR_LIST_MAX];
	size_t len = 0;

	TRY(list_names(fd, list, &len));
	for (const char *name = list; name < list + len; name += strlen(name) + 1) {
		AUTO(mem) char *escaped = NULL;

		if (!whiteout_xattr_is_ours(name))
			continue;
		escaped = whiteout_xattr_escape(name);
		if (is_copied(name))
			TRY(copy_value(fd, name, fd, escaped));
		if (fremovexattr(fd, name) < 0)
			return err_sys("remove the extended attribute %s", name);
	}
	return NULL;
}

struct err *xattrs_look_for_ours(int dir_fd, const char *name, bool *ret)
{
	UNCLEARED char list[XATTR_LIST_MAX];
	char path[sizeof("/proc/self/fd/2147483647/") + NAME_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir_fd, name);
	len = llistxattr(path, list, sizeof(list));
	if (len < 0 && errno != EOPNOTSUPP)
		return err_sys("list the extended attributes");
	*ret = false;
	for (const char *at = list; len > 0 && at < list + len; at += strlen(at) + 1)
		*ret = *ret || whiteout_xattr_is_ours(at);
	return NULL;
}
