/* builder/deliver.c - see builder/deliver.h. */

#include "builder/deliver.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/output.h"
#include "base/stream.h"
#include "base/tar.h"
#include "builder/execute.h"
#include "overlay/export.h"
#include "overlay/stack.h"
#include "registry/archive.h"

/* ---- before the work ---- */

/* A directory that is there, or will be made with its parents: the nearest that is there decides. */
static struct err *check_dir(const char *dest)
{
	AUTO(mem) char *path = xasprintf("%s%s", dest[0] == '/' ? "" : "./", dest);
	struct stat st;

	while (stat(path, &st) < 0) {
		char *slash = strrchr(path, '/');

		if (!slash || (errno != ENOENT && errno != ENOTDIR))
			return err_sys("write into directory '%s'", dest);
		slash[slash == path] = '\0'; /* "/" stays */
	}
	if (!S_ISDIR(st.st_mode))
		return err_new(ERR_INVALID, "directory '%s' cannot be made: there is a file", dest);
	if (access(path, W_OK | X_OK) < 0)
		return err_sys("write into directory '%s'", dest);
	return NULL;
}

static struct err *check_output(const struct build_output *output)
{
	if (output->kind == OUTPUT_STORE || output->kind == OUTPUT_NONE)
		return NULL;
	assert(output->dest); /* output_spec_parse() asks for it */
	return output->kind == OUTPUT_LOCAL || output->directory ? check_dir(output->dest) :
								   output_check(output->dest);
}

struct err *deliver_check(const struct build_output *outputs, size_t count, size_t targets,
			  size_t platforms)
{
	bool to_stdout = false;

	for (size_t i = 0; i < count; i++) {
		const struct build_output *output = &outputs[i];
		bool is_stdout = output->dest && strcmp(output->dest, "-") == 0;

		if (is_stdout && to_stdout)
			return err_new(ERR_USAGE, "two outputs cannot share standard output");
		if (targets > 1 && (output->kind == OUTPUT_TAR || output->kind == OUTPUT_LOCAL))
			return err_new(ERR_USAGE,
				       "option --output: a root filesystem is that of one target");
		if (platforms > 1 && output->kind == OUTPUT_TAR && output->split == SPLIT_OFF)
			return err_new(ERR_USAGE,
				       "option --output: platform-split=false: a tar has "
				       "no room for several platforms side by side");
		if (platforms > 1 && output->kind == OUTPUT_DOCKER)
			return err_new(ERR_USAGE, "option --output: an archive of Docker's has no "
						  "room for several platforms; use type=oci");
		to_stdout = to_stdout || is_stdout;
		TRY(err_wrap(check_output(output), "option --output"));
	}
	return NULL;
}

/* ---- delivering ---- */

static struct err *open_view(struct plan *plan, int *ret_fd)
{
	AUTO(stack) struct stack stack = { 0 };

	TRY(execute_stack(plan, plan->target, &stack));
	return stack_view(&stack, ret_fd);
}

/* Whether each platform has a directory of its own. */
static bool is_split(const struct build_output *output, size_t count)
{
	return output->split == SPLIT_ON || (output->split == SPLIT_USUAL && count > 1);
}

/* "linux_arm64"; the caller's. */
static char *directory_of(const struct plan *plan)
{
	char *name = platform_format(&plan->opts->platform);

	for (char *slash = name; (slash = strchr(slash, '/'));)
		*slash = '_';
	return name;
}

static struct err *deliver_tar(struct plan *const *plans, size_t count,
			       const struct build_output *to)
{
	AUTO(output) struct output *output = NULL;

	TRY(output_open(to->dest, &output));
	for (size_t i = 0; i < count; i++) {
		AUTO(mem) char *dir = directory_of(plans[i]);
		AUTO(fd) int view_fd = -1;

		TRY(open_view(plans[i], &view_fd));
		if (is_split(to, count))
			TRY(export_tar_below(view_fd, dir, output_sink(output)));
		else
			TRY(export_tar(view_fd, output_sink(output)));
	}
	if (is_split(to, count))
		tar_write_end(output_sink(output));
	return output_commit(output);
}

/* Open a directory that the user named, making it and its parents if they are missing. It is the
 * user's own path: links in it mean what they say. */
static struct err *open_dest(const char *dest, int *ret_fd)
{
	AUTO(mem) char *path = xstrdup(dest);

	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755); /* the last one says whether it worked */
		*slash = '/';
	}
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys("make directory '%s'", dest);
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys("open directory '%s'", dest) : NULL;
}

static struct err *deliver_dir(struct plan *const *plans, size_t count,
			       const struct build_output *to)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(mem) char *name = directory_of(plans[i]);
		AUTO(mem)
		char *dest = is_split(to, count) ? xasprintf("%s/%s", to->dest, name) :
						   xstrdup(to->dest);
		AUTO(fd) int view_fd = -1;
		AUTO(fd) int dest_fd = -1;

		TRY(open_view(plans[i], &view_fd));
		TRY(open_dest(dest, &dest_fd));
		TRY(export_dir(view_fd, dest_fd));
	}
	return NULL;
}

/* One archive for the images of all targets. */
static struct err *deliver_archive(struct plan *plan, enum archive_format format, const char *dest)
{
	VEC(struct saved_image) images = { 0 };
	struct err *err;

	for (size_t i = 0; i < plan->target_count; i++) {
		const struct plan_target *target = &plan->targets[i];

		vec_foreach (&target->asked->tags, tag)
			vec_push(&images,
				 (struct saved_image){ .target = target->top, .name = *tag });
		if (target->asked->tags.len == 0)
			vec_push(&images, (struct saved_image){ .target = target->top });
	}
	err = archive_save(plan->store, format, dest, images.at, images.len);
	vec_release(&images);
	return err;
}

struct err *deliver(struct plan *const *plans, size_t count, const struct build_output *output)
{
	struct plan *plan = plans[0];
	mode_t ours = umask(plan->opts->user_umask); /* no other thread is at work any more */
	struct err *err = NULL;

	switch (output->kind) {
	case OUTPUT_STORE:
	case OUTPUT_NONE:
		break; /* it is there */
	case OUTPUT_OCI:
		err = deliver_archive(plan, output->directory ? ARCHIVE_OCI_DIR : ARCHIVE_OCI,
				      output->dest);
		break;
	case OUTPUT_DOCKER:
		err = deliver_archive(plan, ARCHIVE_DOCKER, output->dest);
		break;
	case OUTPUT_TAR:
		err = deliver_tar(plans, count, output);
		break;
	case OUTPUT_LOCAL:
		err = deliver_dir(plans, count, output);
		break;
	}
	umask(ours);
	return err_wrap(err, "write the result to '%s'", output->dest);
}
