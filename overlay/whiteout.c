/* overlay/whiteout.c - see overlay/whiteout.h. */

#include "overlay/whiteout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

#define PREFIX ".wh."
#define OPAQUE_NAME ".wh..wh..opq"
#define OPAQUE_XATTR "user.overlay.opaque"
#define MARK_XATTR "user.overlay.cairn-mark"

/* Where overlayfs keeps its own xattrs: below the first with userxattr, else below the second. */
static const char *const private_prefix[] = { "user.overlay.", "trusted.overlay." };
/* What overlayfs puts behind such a prefix when somebody inside a mount asks for the name. */
#define ESCAPE "overlay."

struct err *whiteout_parse(const char *name, enum whiteout_kind *ret, const char **ret_name)
{
	const char *hidden = name + strlen(PREFIX);

	if (!whiteout_reserved(name)) {
		*ret = WHITEOUT_NONE;
		return NULL;
	}
	if (strcmp(name, OPAQUE_NAME) == 0) {
		*ret = WHITEOUT_OPAQUE;
		return NULL;
	}
	if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0 ||
	    whiteout_reserved(hidden))
		return err_new(ERR_INVALID, "whiteout '%.255s' hides nothing that can exist", name);
	*ret = WHITEOUT_FILE;
	*ret_name = hidden;
	return NULL;
}

bool whiteout_reserved(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

bool whiteout_is(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* Whether the file system, or who lets us use it, does not know the usual spelling. */
static bool is_refusal(int error)
{
	return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
}

/* Whether the file `fd` was made by make_mark(). Steps and contexts can have files that look like
 * marks; the attribute they cannot give. Where there are no attributes, nothing but this program
 * writes to layers (overlay/driver.h), and it makes no other file of such a name. */
static bool is_proven(int fd)
{
	char value;
	ssize_t len = fgetxattr(fd, MARK_XATTR, &value, sizeof(value));

	return len < 0 ? is_refusal(errno) : len == 1 && value == 'y';
}

enum whiteout_kind whiteout_mark(int dir_fd, const char *name, const struct stat *st,
				 const char **ret_name)
{
	enum whiteout_kind kind = WHITEOUT_NONE;
	AUTO(fd) int fd = -1;

	if (!S_ISREG(st->st_mode) || (st->st_mode & 07777) || st->st_size ||
	    !whiteout_reserved(name))
		return WHITEOUT_NONE;
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !is_proven(fd))
		return WHITEOUT_NONE;
	err_free(whiteout_parse(name, &kind, ret_name)); /* what hides nothing is no mark */
	return kind;
}

static struct err *make_mark(int dir_fd, const char *name)
{
	AUTO(fd)
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || (fsetxattr(fd, MARK_XATTR, "y", 1, 0) < 0 && !is_proven(fd)) ||
	    fchmod(fd, 0) < 0)
		return err_sys("make '%s'", name);
	return NULL;
}

static struct err *hide_by_mark(int dir_fd, const char *name)
{
	char mark[sizeof(PREFIX) + 255];
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		errno = EEXIST;
	else if (snprintf(mark, sizeof(mark), PREFIX "%s", name) < (int)sizeof(mark))
		return make_mark(dir_fd, mark);
	else
		errno = ENAMETOOLONG;
	return err_sys("make the whiteout of '%s'", name);
}

/* A mount of fuse-overlayfs shows neither of the two spellings to anybody: what was made is not there. */
static bool is_hiding(int dir_fd)
{
	struct statfs fs;

	return fstatfs(dir_fd, &fs) == 0 && fs.f_type == FUSE_SUPER_MAGIC;
}

struct err *whiteout_make(int dir_fd, const char *name)
{
	if (mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) == 0)
		return NULL;
	if (is_refusal(errno))
		return hide_by_mark(dir_fd, name);
	if (errno == ENOENT && is_hiding(dir_fd))
		return err_note(err_new(ERR_UNSUPPORTED,
					"the whiteout of '%s' is hidden by the "
					"file system of the store, as by a mount "
					"of fuse-overlayfs",
					name),
				"Name a directory on another one with --root or CAIRN_ROOT; in a "
				"container, one on a volume.");
	return err_sys("make the whiteout of '%s'", name);
}

struct err *whiteout_set_opaque(int dir_fd)
{
	if (fsetxattr(dir_fd, OPAQUE_XATTR, "y", 1, 0) == 0)
		return NULL;
	if (is_refusal(errno))
		return make_mark(dir_fd, OPAQUE_NAME);
	return err_sys("mark a directory as opaque");
}

struct err *whiteout_is_opaque(int dir_fd, bool *ret)
{
	char value;
	ssize_t len = fgetxattr(dir_fd, OPAQUE_XATTR, &value, sizeof(value));

	if (len < 0 && is_refusal(errno)) { /* where no attribute can be, there may be a mark */
		*ret = faccessat(dir_fd, OPAQUE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
		return NULL;
	}
	/* ERANGE: longer than "y", so something else. */
	if (len < 0 && errno != ENODATA && errno != ERANGE)
		return err_sys("ask whether a directory is opaque");
	*ret = len == 1 && value == 'y';
	return NULL;
}

/* What stands behind overlayfs's prefix in `name`, or NULL. */
static const char *behind_prefix(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(private_prefix); i++) {
		size_t len = strlen(private_prefix[i]);

		if (strncmp(name, private_prefix[i], len) == 0)
			return name + len;
	}
	return NULL;
}

bool whiteout_xattr_is_ours(const char *name)
{
	return behind_prefix(name) != NULL;
}

bool whiteout_xattr_is_private(const char *name)
{
	const char *rest = behind_prefix(name);

	return rest && strncmp(rest, ESCAPE, strlen(ESCAPE)) != 0;
}

char *whiteout_xattr_escape(const char *name)
{
	const char *rest = behind_prefix(name);

	if (!rest)
		return xstrdup(name);
	return xasprintf("%.*s" ESCAPE "%s", (int)(rest - name), name, rest);
}

const char *whiteout_xattr_unescape(const char *name, char *buf)
{
	const char *rest = behind_prefix(name);

	if (!rest)
		return name;
	if (whiteout_xattr_is_private(name))
		return NULL;
	memcpy(buf, name, (size_t)(rest - name));
	/* The rest with its NUL. */
	memcpy(buf + (rest - name), rest + strlen(ESCAPE), strlen(rest) - strlen(ESCAPE) + 1);
	return buf;
}
