/* builder/recipe_file.c - see builder/recipe_file.h. */

#include "builder/recipe_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "builder/script.h"

static struct err *open_context(const char *context, int *ret_fd)
{
	struct stat st;

	if (stat(context, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_new(ERR_INVALID,
			       "the build context '%s' is not a directory: -f names the Recipe",
			       context);
	return err_wrap(file_open_dir(AT_FDCWD, context, ret_fd), "the build context");
}

/* Look for the Recipe in the context under its three names. It may be a link, but not one that
 * leads out of the context: that is for -f. */
static struct err *open_in_context(const char *context, char **ret_name, int *ret_fd)
{
	static const char *const names[] = { "Recipe", "Containerfile", "Dockerfile" };
	AUTO(fd) int dir_fd = -1;

	if (!context)
		return err_new(ERR_USAGE, "there is no context to find a Recipe in: say -f FILE");
	TRY(open_context(context, &dir_fd));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct err *err = file_open(dir_fd, names[i], O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
					    FILE_BENEATH, ret_fd);

		if (!err) {
			*ret_name = xstrdup(names[i]);
			return NULL;
		}
		if (err_kind(err) != ERR_NOT_FOUND)
			return err;
		err_free(err); /* try the next name */
	}
	return err_new(ERR_NOT_FOUND,
		       "there is no Recipe, Containerfile or Dockerfile in '%s': say -f FILE",
		       context);
}

/* Everything that comes out of a descriptor: a file, a pipe, a process substitution. */
static struct err *read_all(int fd, const char *name, struct buf *ret)
{
	char chunk[16384];

	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno != EINTR)
			return err_sys("read '%s'", name);
		if (got < 0)
			TRY(cancel_check());
		if (got == 0)
			return NULL;
		if (got > 0)
			buf_add(ret, chunk, (size_t)got);
		TRY(buf_check(ret, name));
	}
}

static bool is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

struct err *recipe_file_read(const char *recipe, const char *context, struct buf *ret_bytes,
			     char **ret_name)
{
	AUTO(mem) char *name = NULL;
	AUTO(fd) int fd = -1;

	if (!recipe) {
		TRY(open_in_context(context, &name, &fd));
	} else if (strcmp(recipe, "-") == 0) {
		name = xstrdup("(standard input)");
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	} else {
		name = xstrdup(recipe);
		TRY(file_open(AT_FDCWD, name, O_RDONLY | O_NOCTTY, 0, FILE_ANYWHERE, &fd));
	}
	if (fd < 0)
		return err_sys("open '%s'", name);
	if (is_directory(fd))
		return err_new(ERR_INVALID, "the Recipe '%s' is a directory", name);
	/* What the user names may be a pipe; what is found must not hold the build up. */
	if (recipe)
		TRY(read_all(fd, name, ret_bytes));
	else
		TRY(file_read_fd(fd, name, SCRIPT_MAX, ret_bytes));
	*ret_name = STEAL(name);
	return NULL;
}
