/* overlay/export.c - see overlay/export.h. */

#include "overlay/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stream.h"
#include "base/userns.h"
#include "base/vec.h"
#include "overlay/dest.h"
#include "overlay/diff.h"
#include "overlay/owner.h"
#include "overlay/walk.h"

struct err *export_tar(int view_fd, struct sink *out)
{
	const struct diff_opts opts = { .flat = true, .below_fd = -1 };
	struct diff_result result;

	return diff_write(view_fd, &opts, out, &result);
}

struct err *export_tar_below(int view_fd, const char *name, struct sink *out)
{
	const struct diff_opts opts = { .flat = true, .below_fd = -1, .prefix = name };
	struct diff_result result;

	return diff_write(view_fd, &opts, out, &result);
}

/* What we may not give to its owner, and therefore not in its full powers. */
#define SET_ID_BITS (S_ISUID | S_ISGID)

/* A directory that gets its mode when all is in it, because it forbids us to write. */
struct closed_dir {
	char *path; /* owned */
	mode_t mode;
};

struct job {
	int dest_fd; /* borrowed */
	struct dest dest;
	char *chunk; /* owned, STREAM_CHUNK bytes */
	struct {
		struct closed_dir *at;
		size_t len, cap;
	} closed;
	char temp[32];                  /* of a file until it is whole */
	bool left_devices, left_xattrs; /* some were left out */
};

static void job_auto_(struct job *job)
{
	vec_foreach (&job->closed, dir)
		free(dir->path);
	vec_release(&job->closed);
	dest_release(&job->dest);
	free(job->chunk);
}

/* The path of an entry without the '/' of a directory, and its parts; `path` is changed. */
static char *split(char *path, struct str *ret_parent)
{
	size_t len = strlen(path);
	char *slash;

	if (path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	*ret_parent = (struct str){ path, slash ? (size_t)(slash - path) : 0 };
	return slash ? slash + 1 : path;
}

/* What can be made of an entry here, its attributes aside but for a default ACL, which has to come
 * last. */
static struct tar_entry entry_here(const struct job *job, const struct tar_entry *entry)
{
	const struct tar_xattr *acl =
		xattrs_find(entry->xattrs, entry->xattr_count, XATTR_DEFAULT_ACL);
	struct tar_entry here = *entry;

	if (!job->dest.place.owners)
		here.mode &= ~(mode_t)SET_ID_BITS;
	here.xattrs = acl;
	here.xattr_count = acl && job->dest.place.owners ? 1 : 0;
	return here;
}

static struct err *copy_xattrs(struct job *job, const struct tar_entry *entry, int fd)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct tar_xattr *attr = &entry->xattrs[i];
		struct err *err;

		if (!job->dest.place.owners && strncmp(attr->name, "user.", 5) != 0) {
			job->left_xattrs = true;
			continue;
		}
		err = xattrs_apply(fd, XATTR_VIEW, attr, 1, XATTR_DEFAULT_ACL);
		if (err_errno(err) == EOPNOTSUPP) {
			job->left_xattrs = true;
			err_free(STEAL(err));
		}
		TRY(err);
	}
	return NULL;
}

/* ---- entries ---- */

/* Remove `name`, if it is there and no directory. */
static struct err *clear_way(const struct place_dir *dir, const char *name)
{
	if (unlinkat(dir->fd, name, 0) == 0 || errno == ENOENT)
		return NULL;
	if (errno == EISDIR)
		return err_new(ERR_INVALID, "a directory is in the way");
	return err_sys("replace a file");
}

/* All of the file `name` that is made in `dir`. */
static struct err *fill_file(struct job *job, const struct place_dir *dir, const char *name,
			     const struct walk_entry *entry)
{
	const struct tar_entry here = entry_here(job, &entry->tar);
	AUTO(source) struct source *content = NULL;
	AUTO(fd) int fd = -1;
	int from_fd = fcntl(entry->fd, F_DUPFD_CLOEXEC, 0);

	if (from_fd < 0)
		return err_sys("open it again");
	content = source_from_fd(from_fd, "its content");
	TRY(place_file(dir, name, &here, &fd));
	TRY(place_content(fd, content, here.size, job->chunk));
	TRY(place_seal(&job->dest.place, dir, &here, fd));
	return copy_xattrs(job, &entry->tar, fd);
}

/* Under another name until it is whole: what it replaces is there until then. */
static struct err *export_file(struct job *job, const char *name, const struct walk_entry *entry)
{
	struct place_dir dir;
	struct err *err;

	TRY(dest_here(&job->dest, &dir));
	err = fill_file(job, &dir, job->temp, entry);
	if (!err && renameat(dir.fd, job->temp, dir.fd, name) < 0)
		err = errno == EISDIR ? err_new(ERR_INVALID, "a directory is in the way") :
					err_sys("replace a file");
	if (err)
		unlinkat(dir.fd, job->temp, 0); /* what it says does not matter */
	return err;
}

static struct err *export_node(struct job *job, const char *name, const struct walk_entry *entry)
{
	const struct tar_entry here = entry_here(job, &entry->tar);
	struct place_dir dir;

	if ((!job->dest.place.owners || owner_lacks_devices()) &&
	    (here.type == TAR_CHAR || here.type == TAR_BLOCK)) {
		job->left_devices = true;
		return NULL;
	}
	TRY(dest_here(&job->dest, &dir));
	TRY(clear_way(&dir, name));
	return place_node(&job->dest.place, &dir, name, &here);
}

static struct err *export_link(struct job *job, const char *name, const struct walk_entry *entry)
{
	AUTO(mem) char *path = xstrdup(entry->tar.link);
	AUTO(mem) char *parent_path = NULL;
	AUTO(fd) int from_fd = -1;
	struct place_dir dir;
	struct str parent;
	const char *target = split(path, &parent);

	parent_path = parent.len > 0 ? str_dup(parent) : xstrdup(".");
	TRY(file_open(job->dest_fd, parent_path, O_PATH | O_DIRECTORY, 0, FILE_NO_LINKS, &from_fd));
	TRY(dest_here(&job->dest, &dir));
	TRY(clear_way(&dir, name));
	if (linkat(from_fd, target, dir.fd, name, 0) == 0)
		return NULL;
	if (errno == ENOENT && job->left_devices)
		return NULL; /* another name of a device */
	return err_sys("make a hard link");
}

/* Make the directory, or take the one that is there, and go into it. */
static struct err *enter_dir(struct job *job, const char *name, const struct tar_entry *here)
{
	struct err *err = dest_make(&job->dest, name, here);

	if (err_errno(err) != EEXIST)
		return err;
	err_free(err);
	err = dest_enter(&job->dest, name);
	if (err_errno(err) == ENOTDIR || err_errno(err) == ELOOP) {
		err_free(err);
		return err_new(ERR_INVALID, "something that is no directory is in the way");
	}
	TRY(err);
	return dest_adopt(&job->dest, here);
}

static struct err *export_subdir(struct job *job, const char *name, const struct walk_entry *entry)
{
	struct tar_entry here = entry_here(job, &entry->tar);
	int fd;

	if (!job->dest.place.owners && (here.mode & S_IRWXU) != S_IRWXU) {
		vec_push(&job->closed, (struct closed_dir){ xstrdup(entry->tar.path), here.mode });
		here.mode |= S_IRWXU;
	}
	TRY(enter_dir(job, name, &here));
	TRY(chain_fd(&job->dest.chain, &fd));
	return copy_xattrs(job, &entry->tar, fd);
}

static struct err *export_entry(void *arg, const struct walk_entry *entry)
{
	struct job *job = arg;
	AUTO(mem) char *path = xstrdup(entry->tar.path);
	struct str parent;
	const char *name = split(path, &parent);
	bool found;

	if (strcmp(name, ".") == 0)
		return NULL;
	TRY(dest_move(&job->dest, parent, DEST_MAKE, 0, &found));
	if (!found)
		return err_new(ERR_INVALID, "something that is no directory is in the way");
	switch (entry->tar.type) {
	case TAR_FILE:
		return export_file(job, name, entry);
	case TAR_DIR:
		return export_subdir(job, name, entry);
	case TAR_HARDLINK:
		return export_link(job, name, entry);
	case TAR_SYMLINK:
	case TAR_CHAR:
	case TAR_BLOCK:
	case TAR_FIFO:
		break;
	}
	return export_node(job, name, entry);
}

/* ---- the whole ---- */

/* A name that neither the tree nor the directory has. */
static struct err *choose_temp(struct job *job)
{
	uint64_t chance;

	if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		return err_sys("get random bytes");
	snprintf(job->temp, sizeof(job->temp), ".tmp-%016jx", (uintmax_t)chance);
	return NULL;
}

/* The deepest first, since what is above may forbid to go there. */
static struct err *close_dirs(struct job *job)
{
	for (size_t i = job->closed.len; i > 0; i--) {
		const struct closed_dir *dir = &job->closed.at[i - 1];
		AUTO(fd) int fd = -1;

		TRY(file_open_dir(job->dest_fd, dir->path, &fd));
		if (fchmod(fd, dir->mode) < 0)
			return err_sys("set the mode of '%s'", dir->path);
	}
	return NULL;
}

static void warn(const struct job *job)
{
	if (!job->dest.place.owners)
		log_warn("not root: the files are yours, without set-id bits%s",
			 job->left_devices ? ", and device nodes are left out" : "");
	else if (job->left_devices)
		log_warn("device nodes cannot be made here and are left out");
	if (job->left_xattrs)
		log_warn("some extended attributes could not be set and are left out");
}

static struct err *export_tree(int view_fd, int dest_fd, bool as_own)
{
	const struct walk_opts opts = { .flat = true, .below_fd = -1 };
	AUTO(job) struct job job = { .dest_fd = dest_fd, .chunk = xcalloc(1, STREAM_CHUNK) };

	dest_init(&job.dest, dest_fd, -1);
	TRY(choose_temp(&job));
	job.dest.place.side = XATTR_VIEW;
	/* Records are for the store: who has one id alone is given files of his own. */
	job.dest.place.owners = !as_own && geteuid() == 0 && userns_mode() != USERNS_SINGLE;
	job.dest.place.umask = 0777; /* a default ACL may stand in its place: set every mode */
	TRY(walk(view_fd, &opts, export_entry, &job));
	TRY(dest_finish(&job.dest));
	TRY(close_dirs(&job));
	if (!as_own)
		warn(&job);
	return NULL;
}

struct err *export_dir(int view_fd, int dest_fd)
{
	return export_tree(view_fd, dest_fd, false);
}

struct err *export_dir_as_own(int view_fd, int dest_fd)
{
	return export_tree(view_fd, dest_fd, true);
}
