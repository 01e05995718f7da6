/* base/output.c - see base/output.h. */

#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"

struct output {
	struct sink *sink; /* owned; writes to a duplicate of `fd` */
	char *path;        /* owned; absolute unless it did not exist; for messages too */
	const char *name;  /* the last component of `path`; NULL if it is written in place */
	int dir_fd;        /* owned; the directory of `path`; -1 in place */
	int fd;            /* owned; the new file; -1 in place */
	char temp[sizeof(".tmp-") + 20 + 20]; /* the name that it has, empty if none */
};

static struct err *set_sink(struct output *output, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return err_sys("write %s", output->path);
	output->sink = sink_to_fd(copy, output->path);
	return NULL;
}

static struct err *check_stdout(void)
{
	if (isatty(STDOUT_FILENO))
		return err_new(ERR_USAGE, "standard output is a terminal: name a file");
	return NULL;
}

static struct err *open_stdout(struct output *output)
{
	TRY(check_stdout());
	free(output->path);
	output->path = xstrdup("standard output");
	return set_sink(output, STDOUT_FILENO);
}

static struct err *open_in_place(struct output *output)
{
	AUTO(fd)
	int fd = open(output->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);

	if (fd < 0)
		return err_sys("open %s", output->path);
	return set_sink(output, fd);
}

/* Another name beside the final one; only one object of this process has it. */
static void name_temp(struct output *output)
{
	static unsigned count;

	snprintf(output->temp, sizeof(output->temp), ".tmp-%d-%u", (int)getpid(),
		 __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
}

/* The directory of `path`, owned by the caller, and the name in it, which `path` owns. */
static char *split(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');

	*ret_name = slash ? slash + 1 : path;
	return slash ? xmemdup(path, (size_t)(slash + 1 - path)) : xstrdup(".");
}

/* A path that ends in a slash, or is empty. */
static struct err *no_name(const char *path)
{
	return path[0] ? err_new(ERR_INVALID, "%s is a directory", path) :
			 err_new(ERR_INVALID, "the path is empty");
}

static struct err *open_aside(struct output *output)
{
	AUTO(mem) char *dir = split(output->path, &output->name);

	if (!output->name[0])
		return no_name(output->path);
	output->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (output->dir_fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_new(ERR_NOT_FOUND, "%s: no such directory", dir);
	if (output->dir_fd < 0)
		return err_sys("open directory %s", dir);
	output->fd = openat(output->dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	if (output->fd < 0) {
		name_temp(output);
		output->fd = openat(output->dir_fd, output->temp,
				    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	}
	if (output->fd < 0) {
		output->temp[0] = '\0';
		return err_sys("create a file in %s", dir);
	}
	return set_sink(output, output->fd);
}

/* What the path leads to decides, and it is asked by following it: the name of a link such as
 * /dev/stdout need not be that of any file. Nothing but a regular file is ever replaced. */
static struct err *open_path(struct output *output)
{
	AUTO(mem) char *real = NULL;
	struct stat st;

	if (stat(output->path, &st) < 0) {
		bool dangling = lstat(output->path, &st) == 0;

		return dangling ? open_in_place(output) : open_aside(output);
	}
	if (S_ISDIR(st.st_mode))
		return err_new(ERR_INVALID, "%s is a directory", output->path);
	real = realpath(output->path, NULL); /* the file behind a link is what is replaced */
	if (!S_ISREG(st.st_mode) || !real)
		return open_in_place(output);
	free(output->path);
	output->path = STEAL(real);
	return open_aside(output);
}

struct err *output_open(const char *path, struct output **ret)
{
	AUTO(output) struct output *output = xcalloc(1, sizeof(*output));

	output->path = xstrdup(path);
	output->dir_fd = -1;
	output->fd = -1;
	TRY(strcmp(path, "-") == 0 ? open_stdout(output) : open_path(output));
	*ret = STEAL(output);
	return NULL;
}

static struct err *check_access(const char *path, int how)
{
	if (access(path, how) == 0)
		return NULL;
	return err_sys("write to %s", path);
}

/* A file will be made beside `path`. */
static struct err *check_aside(const char *path)
{
	const char *name;
	AUTO(mem) char *dir = split(path, &name);
	struct stat st;

	if (!name[0])
		return no_name(path);
	if (stat(dir, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_new(ERR_NOT_FOUND, "%s: no such directory", dir);
	return check_access(dir, W_OK | X_OK);
}

struct err *output_check(const char *path)
{
	AUTO(mem) char *real = NULL;
	struct stat st;

	if (strcmp(path, "-") == 0)
		return check_stdout();
	if (stat(path, &st) < 0) /* through a link that dangles a file may come, or not */
		return lstat(path, &st) == 0 ? NULL : check_aside(path);
	if (S_ISDIR(st.st_mode))
		return err_new(ERR_INVALID, "%s is a directory", path);
	real = realpath(path, NULL);
	return S_ISREG(st.st_mode) && real ? check_aside(real) : check_access(path, W_OK);
}

struct sink *output_sink(struct output *output)
{
	return output->sink;
}

/* Give a nameless file the name `name`; false with errno. */
static bool link_to(const struct output *output, const char *name)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", output->fd);
	return linkat(AT_FDCWD, self, output->dir_fd, name, AT_SYMLINK_FOLLOW) == 0;
}

struct err *output_commit(struct output *output)
{
	TRY(sink_finish(output->sink));
	if (!output->name)
		return NULL;
	if (!output->temp[0]) {
		if (link_to(output, output->name))
			return NULL;
		if (errno != EEXIST)
			return err_sys("create %s", output->path);
		name_temp(output);
		if (!link_to(output, output->temp)) {
			output->temp[0] = '\0';
			return err_sys("create a file beside %s", output->path);
		}
	}
	if (renameat(output->dir_fd, output->temp, output->dir_fd, output->name) < 0)
		return err_sys("replace %s", output->path);
	output->temp[0] = '\0';
	return NULL;
}

void output_free(struct output *output)
{
	if (!output)
		return;
	sink_free(output->sink);
	if (output->temp[0])
		unlinkat(output->dir_fd, output->temp, 0);
	if (output->fd >= 0)
		close(output->fd);
	if (output->dir_fd >= 0)
		close(output->dir_fd);
	free(output->path);
	free(output);
}
