/* overlay/settle.c - owner_settle() of overlay/owner.h. */

#include "overlay/owner.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/walk.h"

#define PATH_SIZE 320

/* overlayfs gives it to all that it copies up, even where it does not know from what. */
#define ORIGIN "user.overlay.origin"

/* A directory on the way to where the walk stands. */
struct above {
	size_t len;     /* of its path */
	bool passes_on; /* it has the set-gid bit */
	gid_t gid;
};

struct settling {
	int below_fd; /* -1: the mark tells */
	uid_t uid;
	gid_t gid;
	struct {
		struct above *at;
		size_t len, cap;
	} above;
	struct buf
		path; /* of the deepest directory that was met last; those above are the beginning of it */
};

static void settling_auto_(struct settling *settling)
{
	vec_release(&settling->above);
	buf_release(&settling->path);
}

/* Forget the directories that `path` does not lie in. */
static void go_up(struct settling *s, const char *path)
{
	while (s->above.len > 0) {
		const struct above *last = vec_last(&s->above);

		if (strncmp(path, s->path.at, last->len) == 0)
			return;
		s->above.len--;
	}
}

static void go_down(struct settling *s, const struct walk_entry *entry, gid_t gid)
{
	const char *path = strcmp(entry->tar.path, "./") == 0 ? "" : entry->tar.path;

	buf_reset(&s->path);
	buf_adds(&s->path, path);
	vec_push(&s->above, (struct above){ .len = strlen(path),
					    .passes_on = entry->st->st_mode & S_ISGID,
					    .gid = gid });
}

/* As a path for calls that take no descriptor. */
static void name_it(char buf[static PATH_SIZE], const struct walk_entry *entry)
{
	if (entry->name)
		snprintf(buf, PATH_SIZE, "/proc/self/fd/%d/%s", entry->dir_fd, entry->name);
	else
		snprintf(buf, PATH_SIZE, "/proc/self/fd/%d/.", entry->fd);
}

/* Whether it is the step's, and not a copy of what lies below. */
static bool is_new(const struct settling *s, const char *path, mode_t mode,
		   const struct walk_entry *entry)
{
	struct stat st;
	char value;

	if (lgetxattr(path, ORIGIN, &value, 0) >= 0)
		return false;
	return s->below_fd < 0 ||
	       fstatat(s->below_fd, entry->tar.path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	       (st.st_mode & S_IFMT) != (mode & S_IFMT);
}

static struct err *settle(void *arg, const struct walk_entry *entry)
{
	struct settling *s = arg;
	uid_t uid;
	gid_t gid, wanted = s->gid;
	mode_t mode = entry->st->st_mode;
	char path[PATH_SIZE];

	go_up(s, entry->tar.path);
	if (s->above.len > 0 && vec_last(&s->above)->passes_on)
		wanted = vec_last(&s->above)->gid;
	name_it(path, entry);
	if (S_ISCHR(mode) ||
	    S_ISBLK(mode)) /* with one id alone there are none but those that are recorded */
		mode = S_IFREG;
	if (s->above.len > 0 && (s->uid || wanted) &&
	    (s->uid || !owner_find_record(path, false, mode, &uid, &gid)) &&
	    is_new(s, path, mode, entry)) {
		gid = wanted;
		if (!owner_record(path, false, mode, s->uid, gid))
			return err_sys("record the owner");
		if (s->uid && S_ISREG(mode) && !owner_forget_device(path))
			return err_sys("take the record of a device away");
	} else {
		gid = entry->st->st_gid;
	}
	if (S_ISDIR(entry->st->st_mode))
		go_down(s, entry, gid);
	return NULL;
}

struct err *owner_settle(int fs_fd, int below_fd, uid_t uid, gid_t gid)
{
	const struct walk_opts opts = { .flat = true, .bare = true, .below_fd = -1 };
	AUTO(settling)
	struct settling settling = {
		.below_fd = below_fd, .uid = uid, .gid = gid, .path = BUF_INIT((size_t)2 * 4096)
	};

	return walk(fs_fd, &opts, settle, &settling);
}
