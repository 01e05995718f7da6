/* builder/check.c - see builder/check.h. */

#include "builder/check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "builder/build.h"
#include "builder/config.h"
#include "builder/ignore_file.h"
#include "builder/include.h"
#include "builder/parse.h"
#include "builder/plan-private.h"
#include "builder/recipe_file.h"
#include "builder/review_values.h"
#include "builder/scope.h"
#include "builder/survey.h"
#include "registry/find.h"
#include "store/descriptor.h"
#include "store/image.h"

void check_release(struct check *check)
{
	free(check->name);
	free(check->path);
	free(check->bytes);
	recipe_free(check->recipe);
	scope_free(check->globals);
	err_free(check->error);
}

/* ---- reading ---- */

/* A check that was given must be one, or the command line is wrong. */
static struct err *check_override(const char *check)
{
	AUTO(lint_policy) struct lint_policy policy = { 0 };
	AUTO(err) struct err *err = check ? lint_policy_parse(str_of(check), &policy) : NULL;

	return err ? err_new(ERR_USAGE, "option --build-arg: BUILDKIT_DOCKERFILE_CHECK: %s",
			     err_text(err)) :
		     NULL;
}

struct err *check_parse(const char *name, struct str bytes, const struct script_pieces *pieces,
			const struct include_root *root, struct build_args *args,
			struct recipe **ret)
{
	const struct recipe_override override = {
		.syntax = build_args_get(args, STR("BUILDKIT_SYNTAX")),
		.check = build_args_get(args, STR("BUILDKIT_DOCKERFILE_CHECK")),
		.root = root,
		.pieces = pieces,
	};

	TRY(check_override(override.check));
	return recipe_parse_as(name, bytes, &override, ret);
}

/* The path of a Recipe that was found in a directory, from where we are. */
static char *path_of(const struct check_opts *opts, const struct recipe_file *file)
{
	if (!file->in_context || strcmp(opts->context, ".") == 0)
		return xstrdup(file->name);
	return xasprintf("%s%s%s", opts->context, str_ends(str_of(opts->context), "/") ? "" : "/",
			 file->name);
}

struct str check_bytes(const struct check *check)
{
	return check->recipe ? script_bytes(check->recipe->script) : str_of(check->bytes);
}

struct err *check_read(const struct check_opts *opts, struct check *ret)
{
	const struct recipe_search search = { .recipe = opts->recipe,
					      .context = opts->context,
					      .context_fd = -1 };
	AUTO(recipe_file) struct recipe_file file = RECIPE_FILE_INIT;
	struct include_root root;
	AUTO(fd) int root_fd = -1;
	struct err *err;

	*ret = (struct check){ 0 };
	TRY(recipe_file_find(&search, &file));
	ret->name = xstrdup(file.name);
	ret->path = path_of(opts, &file);
	ret->in_context = file.in_context;
	ret->bytes = str_dup(buf_str(&file.bytes));
	err_free(recipe_file_root(&search, &file, &root, &root_fd)); /* only an INCLUDE needs it */
	err = check_parse(ret->name, buf_str(&file.bytes), NULL, root_fd >= 0 ? &root : NULL,
			  opts->args, &ret->recipe);
	if (err_kind(err) == ERR_USAGE)
		return err;
	if (!err)
		err = survey_globals(ret->recipe, opts->args, &opts->platform, opts->target,
				     &ret->globals);
	ret->error = err;
	return NULL;
}

/* ---- what is around it ---- */

/* The rules that hide sources; none without a context. */
static struct err *find_ignore(const struct check_opts *opts, const struct check *check,
			       struct ignore_file *ret)
{
	const char *recipe = check->in_context ? check->name : opts->recipe;
	AUTO(fd) int fd = -1;

	if (!opts->context)
		return NULL;
	TRY(err_wrap(file_open_dir(AT_FDCWD, opts->context, &fd), "the build context"));
	return ignore_file_find(
		&(struct ignore_search){ .context_fd = fd,
					 .at_root = true,
					 .recipe = strcmp(recipe, "-") == 0 ? NULL : recipe,
					 .in_context = check->in_context,
					 .given = opts->ignore_file },
		ret);
}

struct bases {
	const struct check_opts *opts;
	struct recipe *recipe;
};

/* Whether something else stands in the place of this image, or of the stage that is built on it. */
static bool is_replaced(const struct check_opts *opts, const struct stage *stage, const char *name)
{
	for (size_t i = 0; i < opts->context_count; i++)
		if (plan_is_context(opts->contexts[i].name, name) ||
		    (stage->name && plan_is_context(opts->contexts[i].name, stage->name)))
			return true;
	return false;
}

/* What a base image in the store sets. One that is not there, or not whole, is not known. */
static struct err *find_base(void *self, const struct stage *stage, const char *name,
			     struct config **ret)
{
	struct bases *bases = self;
	const struct check_opts *opts = bases->opts;
	AUTO(image) struct image *image = NULL;
	struct descriptor target;
	struct err *err;

	if (!opts->store || is_replaced(opts, stage, name))
		return NULL;
	err = find_image(opts->store, name, &target);
	if (!err)
		err = image_open(opts->store, &target, &opts->platform, &image);
	if (!err && !stage->platform && image->platform.arch[0] &&
	    !platform_equal(&image->platform, &opts->platform)) {
		AUTO(mem) char *has = platform_format(&image->platform);
		AUTO(mem) char *wanted = platform_format(&opts->platform);

		lint_add(&bases->recipe->lints, "InvalidBaseImagePlatform", stage->check,
			 &stage->position, "base image '%s' is for %s, not for %s", name, has,
			 wanted);
	}
	if (!err)
		err = config_new(image->config, ret);
	err_free(err);
	return NULL;
}

/* ---- the whole ---- */

/* The line that an error is about: it says "NAME:LINE: ...". */
static void find_position(struct check *check)
{
	struct str rest = str_of(err_text(check->error));
	AUTO(mem) char *head = xasprintf("%s:", check->name);
	struct str number;
	uint64_t line = 0;

	if (!str_starts(rest, head))
		return;
	rest = (struct str){ rest.at + strlen(head), rest.len - strlen(head) };
	number = str_cut(&rest, ':');
	err_free(num_parse(number, 1, UINT32_MAX, &line)); /* else it is about the file */
	check->error_position = (struct position){ (unsigned)line, (unsigned)line, 0, NULL };
}

static struct err *look(const struct check_opts *opts, struct check *check)
{
	struct bases bases = { opts, check->recipe };
	AUTO(ignore_file) struct ignore_file ignore = { 0 };
	AUTO(mem) bool *needed = NULL;
	const struct stage *target;
	struct review_values values = { .platform = &opts->platform,
					.contexts = opts->contexts,
					.context_count = opts->context_count };

	if (opts->target) {
		TRY(survey_find_target(check->recipe, opts->target, &target));
		TRY(survey_needed(check->recipe, check->globals, target, &needed));
	}
	TRY(find_ignore(opts, check, &ignore));
	values.ignore = ignore.rules;
	values.survey = (struct survey){ .recipe = check->recipe,
					 .globals = check->globals,
					 .wanted = needed,
					 .base = find_base,
					 .base_self = &bases };
	return review_values(&values);
}

struct err *check_run(const struct check_opts *opts, struct check *ret)
{
	TRY(check_read(opts, ret));
	if (!ret->error)
		ret->error = look(opts, ret);
	if (err_kind(ret->error) == ERR_USAGE)
		return STEAL(ret->error);
	if (ret->error)
		find_position(ret);
	return NULL;
}
