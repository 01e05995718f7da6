/* store/usage.c - see store/usage.h. */

#include "store/usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"

#define BLOCK 512 /* the unit of st_blocks, on every file system */

/* A walk, one open directory for each level. */
struct level {
	DIR *dir;
};

struct walk {
	struct usage *usage;
	uint64_t *bytes;
	dev_t device;
	VEC(struct level) levels;
};

static inline void walk_auto_(struct walk *walk)
{
	vec_foreach (&walk->levels, level)
		closedir(level->dir);
	vec_release(&walk->levels);
}

void usage_release(struct usage *usage)
{
	map_release(&usage->seen, NULL);
}

/* True the first time. */
static bool is_new(struct usage *usage, const struct stat *st)
{
	const struct {
		dev_t device;
		ino_t inode;
	} key = { st->st_dev, st->st_ino };
	const struct str name = { (const char *)&key, sizeof(key) };

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return true;
	if (map_has(&usage->seen, name))
		return false;
	map_put(&usage->seen, name, usage);
	return true;
}

static struct err *enter(struct walk *walk, int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return NULL;
	if (fd < 0)
		return err_sys("open directory %s", name);
	if (!dir) {
		close(fd);
		return err_sys("read directory %s", name);
	}
	vec_push(&walk->levels, (struct level){ dir });
	return NULL;
}

/* Count one name, and enter it if it is a directory. */
static struct err *count(struct walk *walk, int dir_fd, const char *name)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR ? NULL : err_sys("look at %s", name);
	if (walk->levels.len == 0)
		walk->device = st.st_dev;
	if (st.st_dev != walk->device)
		return NULL;
	if (is_new(walk->usage, &st))
		*walk->bytes += (uint64_t)st.st_blocks * BLOCK;
	return S_ISDIR(st.st_mode) ? enter(walk, dir_fd, name) : NULL;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

struct err *usage_add(struct usage *usage, int dir_fd, const char *path, uint64_t *bytes)
{
	AUTO(walk) struct walk walk = { .usage = usage, .bytes = bytes };

	TRY(count(&walk, dir_fd, path));
	while (walk.levels.len) {
		DIR *dir = vec_last(&walk.levels)->dir;
		const struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry && errno)
			return err_sys("list %s", path);
		if (!entry) {
			closedir(dir);
			walk.levels.len--;
		} else if (!is_dot(entry->d_name)) {
			TRY(count(&walk, dirfd(dir), entry->d_name));
		}
	}
	return NULL;
}
