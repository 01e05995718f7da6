/* builder/on_fail.c - see builder/on_fail.h. */

#include "builder/on_fail.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "builder/build.h"
#include "builder/execute-private.h"
#include "builder/keep_failed.h"
#include "overlay/export.h"
#include "store/layer.h"

#define COPY_CHUNK 65536

void on_fails_release(struct on_fails *list)
{
	vec_foreach (list, one) {
		free(one->path);
		free(one->dir);
	}
	vec_release(list);
}

struct err *on_fails_add(struct on_fails *list, const char *text)
{
	struct str dir = str_of(text);
	const struct str kind = str_cut(&dir, ':');
	struct str path;

	if (!str_is(kind, "export") || !dir.at)
		return err_new(ERR_INVALID, "'%.200s' is not export:PATH=DIR", text);
	path = str_cut(&dir, '=');
	if (!path.len || !dir.len)
		return err_new(ERR_INVALID, "'%.200s' is not export:PATH=DIR", text);
	if (path.at[0] != '/')
		return err_new(ERR_INVALID, "path '%.*s' is not absolute", STR_ARG(path));
	vec_push(list, (struct on_fail){ str_dup(path), str_dup(dir) });
	return NULL;
}

/* ---- copying ---- */

/* The files of the step: what it has written, on what it stood on. */
static struct err *open_view(struct execution *ex, const struct failed_run *run, int *ret_fd)
{
	AUTO(stack) struct stack stack = { 0 };
	int fd;

	TRY(stack_copy(run->below, ex->plan->store, &stack));
	fd = fcntl(run->layer->fs_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_sys("open the files of a step");
	stack.store = ex->plan->store;
	vec_push(&stack, (struct stack_layer){ .fd = fd, .has_root = true });
	return stack_view(&stack, ret_fd);
}

static struct err *copy_bytes(int from_fd, int to_fd, const char *name)
{
	char chunk[COPY_CHUNK];

	for (;;) {
		ssize_t got = read(from_fd, chunk, sizeof(chunk));

		if (got < 0)
			return err_sys("read %s", name);
		if (got == 0)
			return NULL;
		TRY(file_write_all(to_fd, chunk, (size_t)got, name));
	}
}

/* One file, whole or not at all. `from_fd` is a regular file, O_PATH. */
static struct err *export_file(int from_fd, mode_t mode, int dest_fd, const char *name)
{
	AUTO(mem) char *link = xasprintf("/proc/self/fd/%d", from_fd);
	AUTO(mem) char *temp = xasprintf(".tmp-on-fail-%d-%d", (int)getpid(), from_fd);
	AUTO(fd) int in = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO(fd) int out = -1;
	struct err *err;

	if (in < 0)
		return err_sys("open %s", name);
	out = openat(dest_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys("create %s", name);
	err = copy_bytes(in, out, name);
	if (!err && (fchmod(out, mode & 0777) < 0 || renameat(dest_fd, temp, dest_fd, name) < 0))
		err = err_sys("create %s", name);
	if (err)
		unlinkat(dest_fd, temp, 0); /* what it says does not matter */
	return err;
}

/* The last part of where the path leads; links on the way count by their own names. */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static struct err *export_path(const struct execution *ex, int view_fd, const struct on_fail *one)
{
	const mode_t mode = 0777 & ~ex->plan->opts->user_umask;
	AUTO(fd) int from_fd = -1;
	AUTO(fd) int dest_fd = -1;
	struct stat st;

	TRY(file_open(view_fd, one->path, O_PATH, 0, FILE_IN_ROOT, &from_fd));
	if (fstat(from_fd, &st) < 0)
		return err_sys("look at it");
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return err_new(ERR_INVALID, "it is neither a file nor a directory");
	TRY(err_wrap(file_make_dirs(AT_FDCWD, one->dir, mode, &dest_fd), "'%s'", one->dir));
	if (S_ISDIR(st.st_mode))
		return export_dir_as_own(from_fd, dest_fd);
	return export_file(from_fd, st.st_mode, dest_fd, name_of(one->path));
}

struct err *on_fail(struct execution *ex, const struct failed_run *run, struct err *err)
{
	const struct on_fails *list = ex->plan->opts->on_fails;
	AUTO(err) struct err *no_view = NULL;
	AUTO(fd) int view_fd = -1;

	if (!list || !list->len)
		return err;
	no_view = open_view(ex, run, &view_fd);
	if (no_view)
		log_warn("--on-fail: %s", err_text(no_view));
	for (size_t i = 0; i < list->len && !no_view; i++) {
		AUTO(err) struct err *why = export_path(ex, view_fd, &list->at[i]);

		if (err_kind(why) == ERR_NOT_FOUND)
			log_warn("--on-fail: step #%u has no %s", run->step->number,
				 list->at[i].path);
		else if (why)
			log_warn("--on-fail: %s of step #%u: %s", list->at[i].path,
				 run->step->number, err_text(why));
		else
			err = err_note(err, "\n%s of the step is in %s", list->at[i].path,
				       list->at[i].dir);
	}
	return err;
}
