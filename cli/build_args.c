/* cli/build_args.c - see cli/build_args.h. */

#include "cli/build_args.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "builder/scope.h"

#define FILE_MAX ((size_t)1024 * 1024)

/* NAME=VALUE, or NAME alone, whose value is that of the environment if it has one. */
static struct err *set_argument(struct str text, struct build_args *args)
{
	struct str rest = text;
	struct str name = str_cut(&rest, '=');
	AUTO(mem) char *copy = str_dup(name);
	AUTO(mem) char *value = rest.at ? str_dup(rest) : NULL;
	const char *given = value ? value : getenv(copy);

	if (name.len == 0)
		return err_new(ERR_USAGE, "'%.*s' has no name",
			       (int)(text.len < 80 ? text.len : 80), text.at);
	if (given)
		build_args_set(args, name, given);
	return NULL;
}

static struct err *read_file(const char *path, struct build_args *args)
{
	AUTO(buf) struct buf bytes = BUF_INIT(FILE_MAX);
	AUTO(fd) int fd = -1;
	struct str rest;

	TRY(file_open(AT_FDCWD, path, O_RDONLY | O_NOCTTY, 0, FILE_ANYWHERE, &fd));
	for (size_t got = 1; got > 0;) {
		char chunk[4096];

		TRY(file_read_some(fd, chunk, sizeof(chunk), path, &got));
		buf_add(&bytes, chunk, got);
		TRY(buf_check(&bytes, path));
	}
	rest = buf_str(&bytes);
	for (unsigned number = 1; rest.at; number++) {
		struct str line = str_cut(&rest, '\n');

		if (str_ends(line, "\r"))
			line.len--;
		if (str_trim(line).len == 0 || str_starts(line, "#"))
			continue;
		TRY(err_wrap(set_argument(line, args), "%s:%u", path, number));
	}
	return NULL;
}

struct err *build_args_read(const struct build_arg_values *values, struct build_args *ret)
{
	vec_foreach (&values->files, path)
		TRY(err_wrap(read_file(*path, ret), "option --build-arg-file"));
	vec_foreach (&values->args, text)
		TRY(err_wrap(set_argument(str_of(*text), ret), "option --build-arg"));
	return NULL;
}
