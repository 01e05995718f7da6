/* builder/points.c - see builder/points.h. */

#include "builder/points.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/vec.h"
#include "builder/landing.h"

#define DEPTH_MAX 256 /* of a target: three descriptors each */

static bool is_ours(struct str target)
{
	static const char *const own[] = { "/proc", "/sys", "/dev" };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (str_starts(target, own[i]) &&
		    (target.len == strlen(own[i]) || target.at[strlen(own[i])] == '/'))
			return true;
	return false;
}

bool points_needed(int view_fd, const char *target)
{
	AUTO(fd) int fd = -1;
	AUTO(err) struct err *missing = NULL;

	if (is_ours(str_of(target)))
		return false;
	missing = file_open(view_fd, target, O_PATH, 0, FILE_IN_ROOT, &fd);
	return missing != NULL; /* for another reason, too: making it tells */
}

static struct err *make_file(const struct landing *in, const char *name)
{
	struct stat st;
	int fd;

	if (landing_has(in, name, &st))
		return NULL;
	fd = openat(in->upper_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys("make '/%s%s%s'", in->path, in->path[0] ? "/" : "", name);
	close(fd);
	return NULL;
}

/* Make what stands at parts[at] and behind; directories get their times when they are left. */
static struct err *make_from(const struct landing *in, const struct strings *parts, size_t at,
			     bool directory)
{
	static const struct landing_dir fresh = { .mode = 0755 };
	AUTO(landing) struct landing inner = LANDING_INIT;
	const bool last = at + 1 == parts->len;

	if (last && !directory)
		return make_file(in, parts->at[at]);
	TRY(landing_enter(in, parts->at[at], &fresh, &inner));
	if (!last)
		TRY(make_from(&inner, parts, at + 1, directory));
	return landing_leave(&inner);
}

struct err *points_make(int points_fd, int view_fd, const char *target, bool directory)
{
	AUTO(strings) struct strings parts = { 0 };
	AUTO(landing) struct landing root = LANDING_INIT;

	TRY(landing_resolve(points_fd, view_fd, target, &parts));
	if (parts.len == 0)
		return NULL;
	if (parts.len > DEPTH_MAX)
		return err_new(ERR_INVALID, "'%.80s...' is too deep", target);
	TRY(landing_root(points_fd, view_fd, &root));
	TRY(make_from(&root, &parts, 0, directory));
	return landing_leave(&root);
}
