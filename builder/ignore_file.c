/* builder/ignore_file.c - see builder/ignore_file.h. */

#include "builder/ignore_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "builder/ignore.h"

static const char *const suffixes[] = { ".containerignore", ".dockerignore" };

void ignore_file_release(struct ignore_file *file)
{
	ignore_free(file->rules);
	free(file->name);
	*file = (struct ignore_file){ 0 };
}

static struct err *read_file(int dir_fd, const char *name, enum file_follow follow,
			     struct ignore_file *ret)
{
	AUTO(buf) struct buf bytes = BUF_INIT(IGNORE_MAX);
	AUTO(fd) int fd = -1;

	TRY(file_open(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, follow, &fd));
	TRY(file_read_fd(fd, name, IGNORE_MAX, &bytes));
	TRY(ignore_parse(name, buf_str(&bytes), &ret->rules));
	ret->name = xstrdup(name);
	return NULL;
}

/* The same for a file that need not be there. */
static struct err *try_file(int dir_fd, const char *name, enum file_follow follow,
			    struct ignore_file *ret)
{
	struct err *err = read_file(dir_fd, name, follow, ret);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return NULL;
}

/* The ignore files that are named after the Recipe. */
static struct err *find_beside(const struct ignore_search *search, struct ignore_file *ret)
{
	const int beside = search->in_context ? search->context_fd : AT_FDCWD;
	const enum file_follow follow = search->in_context ? FILE_BENEATH : FILE_ANYWHERE;

	for (size_t i = 0; !ret->rules && i < ARRAY_SIZE(suffixes); i++) {
		AUTO(mem) char *own = xasprintf("%s%s", search->recipe, suffixes[i]);

		TRY(try_file(beside, own, follow, ret));
	}
	return NULL;
}

struct err *ignore_file_find(const struct ignore_search *search, struct ignore_file *ret)
{
	if (search->given)
		return err_wrap(read_file(AT_FDCWD, search->given, FILE_ANYWHERE, ret),
				"the ignore file");
	if (search->recipe)
		TRY(find_beside(search, ret));
	for (size_t i = 0; search->at_root && !ret->rules && i < ARRAY_SIZE(suffixes); i++)
		TRY(try_file(search->context_fd, suffixes[i], FILE_BENEATH, ret));
	return NULL;
}
