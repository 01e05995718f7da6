/* builder/recipe_file.c - see builder/recipe_file.h. */

#include "builder/recipe_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "builder/include.h"

static struct err *open_context(const char *context, int *ret_fd)
{
	struct stat st;

	if (stat(context, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_new(ERR_INVALID,
			       "the build context '%s' is not a directory: -f names the Recipe",
			       context);
	return err_wrap(file_open_dir(AT_FDCWD, context, ret_fd), "the build context");
}

/* The context's directory; `*ret_fd` is the caller's. */
static struct err *context_of(const struct recipe_search *search, int *ret_fd)
{
	if (search->context_fd < 0)
		return open_context(search->context, ret_fd);
	*ret_fd = fcntl(search->context_fd, F_DUPFD_CLOEXEC, 3);
	return *ret_fd < 0 ? err_sys("open the build context") : NULL;
}

/* Open a file of the context. It may be a link, but not one that leads out of the context: that is
 * for -f. `*ret_fd` stays if there is no such file. */
static struct err *try_in_context(int dir_fd, const char *name, int *ret_fd)
{
	struct err *err =
		file_open(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, FILE_BENEATH, ret_fd);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return NULL;
}

/* Look for the Recipe in the context under its names. */
static struct err *open_in_context(const struct recipe_search *search, struct recipe_file *ret,
				   int *ret_fd)
{
	static const char *const names[] = { "Recipe", "Containerfile", "Dockerfile",
					     "dockerfile" };
	AUTO(fd) int dir_fd = -1;

	if (!search->context && search->context_fd < 0)
		return err_new(ERR_USAGE, "there is no context to find a Recipe in: say -f FILE");
	TRY(context_of(search, &dir_fd));
	ret->in_context = true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		TRY(try_in_context(dir_fd, names[i], ret_fd));
		if (*ret_fd < 0)
			continue;
		ret->name = xstrdup(names[i]);
		return NULL;
	}
	if (search->context_fd >= 0) /* its name may hold what is secret */
		return err_new(ERR_NOT_FOUND, "there is no Recipe, Containerfile or Dockerfile in "
					      "the context: say -f FILE");
	return err_new(ERR_NOT_FOUND,
		       "there is no Recipe, Containerfile or Dockerfile in '%s': say -f FILE",
		       search->context);
}

/* The path after -f, taken from the context. `*ret_fd` stays if it is not there. */
static struct err *open_below_context(const struct recipe_search *search, struct recipe_file *ret,
				      int *ret_fd)
{
	AUTO(fd) int dir_fd = -1;

	if (search->recipe[0] == '/' || (!search->context && search->context_fd < 0))
		return NULL;
	TRY(context_of(search, &dir_fd));
	TRY(try_in_context(dir_fd, search->recipe, ret_fd));
	ret->in_context = *ret_fd >= 0;
	return NULL;
}

/* The path after -f: from where we are, else in the context; in one that was fetched first. */
static struct err *open_given(const struct recipe_search *search, struct recipe_file *ret,
			      int *ret_fd)
{
	const bool fetched = search->context_fd >= 0;
	struct err *err;

	ret->name = xstrdup(search->recipe);
	if (fetched)
		TRY(open_below_context(search, ret, ret_fd));
	if (*ret_fd >= 0)
		return NULL;
	err = file_open(AT_FDCWD, search->recipe, O_RDONLY | O_NOCTTY, 0, FILE_ANYWHERE, ret_fd);
	if (err_kind(err) == ERR_NOT_FOUND && !fetched) {
		AUTO(err) struct err *other = open_below_context(search, ret, ret_fd);

		if (!other && *ret_fd >= 0) {
			err_free(err);
			return NULL;
		}
	}
	return err_wrap(err, "the Recipe");
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

struct err *recipe_file_find(const struct recipe_search *search, struct recipe_file *ret)
{
	const char *recipe = search->recipe;
	AUTO(fd) int fd = -1;

	if (!recipe) {
		TRY(open_in_context(search, ret, &fd));
	} else if (strcmp(recipe, "-") == 0) {
		ret->name = xstrdup("(standard input)");
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	} else {
		TRY(open_given(search, ret, &fd));
	}
	if (fd < 0)
		return err_sys("open '%s'", ret->name);
	if (is_directory(fd))
		return err_new(ERR_INVALID, "the Recipe '%s' is a directory", ret->name);
	/* What the user names may be a pipe; what is found must not hold the build up. */
	if (!ret->in_context)
		return read_all(fd, ret->name, &ret->bytes);
	return file_read_fd(fd, ret->name, SCRIPT_MAX, &ret->bytes);
}

struct err *recipe_file_read(const char *recipe, const char *context, struct buf *ret_bytes,
			     char **ret_name)
{
	const struct recipe_search search = { .recipe = recipe,
					      .context = context,
					      .context_fd = -1 };
	AUTO(recipe_file) struct recipe_file file = RECIPE_FILE_INIT;

	TRY(recipe_file_find(&search, &file));
	buf_add_str(ret_bytes, buf_str(&file.bytes));
	*ret_name = STEAL(file.name);
	return NULL;
}

void recipe_file_release(struct recipe_file *file)
{
	buf_release(&file->bytes);
	free(file->name);
	file->name = NULL;
}

struct err *recipe_file_root(const struct recipe_search *search, const struct recipe_file *file,
			     struct include_root *ret, int *ret_fd)
{
	const char *slash = strrchr(file->name, '/');
	AUTO(mem) char *dir = NULL;

	ret->path = file->name;
	if (file->in_context) {
		TRY(context_of(search, ret_fd));
	} else if (search->recipe && strcmp(search->recipe, "-") != 0) {
		dir = slash ? xmemdup(file->name, (size_t)(slash + 1 - file->name)) : xstrdup(".");
		ret->path = slash ? slash + 1 : file->name;
		TRY(file_open_dir(AT_FDCWD, dir, ret_fd));
	}
	ret->dir_fd = *ret_fd;
	return NULL;
}
