/* builder/materials.c - see builder/materials.h. */

#include "builder/materials.h"

#include <string.h>

#include "base/err.h"
#include "base/stream.h"
#include "builder/build.h"
#include "builder/check.h"
#include "builder/context_spec.h"
#include "builder/include.h"
#include "builder/recipe.h"
#include "builder/recipe_file.h"
#include "builder/remote_auth.h"
#include "builder/scope.h"
#include "builder/source_policy.h"
#include "builder/transfer.h"
#include "builder/web_source.h"
#include "registry/url.h"
#include "store/blob.h"

static bool is_stdin(const char *text)
{
	return text && strcmp(text, "-") == 0;
}

/* ---- the context ---- */

/* As BuildKit reads it: any of Go's words for true. */
static bool wants_git_dir(const struct build_opts *opts)
{
	static const char *const words[] = { "1", "t", "T", "true", "TRUE", "True" };
	const char *text = build_args_get(opts->args, STR("BUILDKIT_CONTEXT_KEEP_GIT_DIR"));

	for (size_t i = 0; text && i < ARRAY_SIZE(words); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

static struct err *fetch_context(struct store *store, const struct build_opts *opts,
				 const struct context_spec *spec, struct context *ret)
{
	AUTO(mem) char *shown = url_redacted(spec->value);
	struct transfer transfer;
	const struct context_opts how = { .store = store,
					  .client = opts->client,
					  .secrets = opts->secrets,
					  .policy = opts->policy,
					  .keep_git_dir = wants_git_dir(opts),
					  .progress = &transfer.progress };
	struct err *err;

	if (spec->kind == CONTEXT_STDIN)
		return context_fetch(&(struct context_opts){ .store = store }, spec, ret);
	transfer_begin(&transfer, opts->events, ++ret->transfers, "fetch", shown);
	err = context_fetch(&how, spec, ret);
	transfer_end(&transfer, err, ret->fetched);
	return err;
}

static struct err *get_context(struct store *store, struct build_opts *opts, struct context *ret)
{
	AUTO(context_spec) struct context_spec spec = { 0 };

	if (!opts->context)
		return NULL;
	TRY(context_spec_parse(opts->context, false, &spec));
	if (spec.kind == CONTEXT_STDIN && is_stdin(opts->recipe))
		return err_new(ERR_USAGE, "standard input cannot be both the context and the "
					  "Recipe: '-' and -f - do not go together");
	if (!context_is_remote(&spec))
		return NULL;
	TRY(fetch_context(store, opts, &spec, ret));
	if (ret->recipe_name && opts->recipe)
		return err_new(
			ERR_USAGE,
			"the context is no tar but a Recipe alone: with it -f makes no sense");
	return NULL;
}

/* ---- the Recipe ---- */

/* -f URL. */
static struct err *fetch_recipe(struct store *store, const struct build_opts *opts,
				struct context *context, struct recipe_file *ret)
{
	AUTO(mem) char *shown = url_redacted(opts->recipe);
	struct transfer transfer;
	const struct web_auth auth = remote_auth_web(opts->secrets);
	AUTO(policy_web) struct policy_web web = { 0 };
	struct web_source_opts how = { .store = store,
				       .client = opts->client,
				       .auth = &auth,
				       .progress = &transfer.progress };
	AUTO(source) struct source *content = NULL;
	AUTO(sink) struct sink *out = NULL;
	struct web_source file = { .fetched = false };
	struct err *err;
	int fd = -1;

	TRY(source_policy_web(opts->policy, opts->recipe, NULL, &web));
	how.checksum = web.has_checksum ? &web.checksum : NULL;
	transfer_begin(&transfer, opts->events, ++context->transfers, "fetch", shown);
	err = web_source_get(&how, web.url, &file);
	transfer_end(&transfer, err, file.fetched);
	TRY(err_wrap(err, "the Recipe %s", shown));
	TRY(blob_open(store, &file.digest, &fd, &file.size));
	content = source_from_fd(fd, shown);
	out = sink_to_buf(&ret->bytes);
	ret->name = STEAL(shown);
	return stream_copy(content, out, NULL);
}

static struct err *find_recipe(struct store *store, struct build_opts *opts,
			       struct context *context, struct recipe_file *ret)
{
	const struct recipe_search search = {
		.recipe = opts->recipe,
		.context = opts->context,
		.context_fd = context->fd,
	};

	if (context->recipe_name) {
		buf_add_str(&ret->bytes, buf_str(&context->recipe));
		ret->name = xstrdup(context->recipe_name);
		opts->recipe = "-"; /* no file that an ignore file could be named after */
		return NULL;
	}
	if (opts->recipe && web_source_is_url(opts->recipe)) {
		TRY(fetch_recipe(store, opts, context, ret));
		opts->recipe = "-";
		return NULL;
	}
	TRY(recipe_file_find(&search, ret));
	if (ret->in_context)
		opts->recipe = NULL;
	return NULL;
}

static unsigned count_lines(struct str bytes)
{
	unsigned count = 0;

	for (size_t i = 0; i < bytes.len; i++)
		count += bytes.at[i] == '\n';
	return count;
}

/* Begin a new line behind what is there, and note of which file it was. */
static void end_piece(struct recipe_file *file, char *name, struct script_pieces *pieces)
{
	unsigned before = 0;

	if (file->bytes.len > 0 && file->bytes.at[file->bytes.len - 1] != '\n')
		buf_addc(&file->bytes, '\n');
	vec_foreach (pieces, piece)
		before += piece->count;
	vec_push(pieces,
		 (struct script_piece){ .name = name,
					.line = 1,
					.count = count_lines(buf_str(&file->bytes)) - before });
}

/* The other files after -f, each behind the one before. Their names are kept in `names`. */
static struct err *join_recipes(const struct build_opts *opts, const struct context *context,
				struct recipe_file *file, struct strings *names,
				struct script_pieces *pieces)
{
	end_piece(file, file->name, pieces);
	vec_foreach (&opts->more_recipes, path) {
		const struct recipe_search search = { .recipe = *path,
						      .context = opts->context,
						      .context_fd = context->fd };
		AUTO(recipe_file) struct recipe_file more = RECIPE_FILE_INIT;

		TRY(recipe_file_find(&search, &more));
		buf_add_str(&file->bytes, buf_str(&more.bytes));
		strings_push(names, more.name);
		end_piece(file, *vec_last(names), pieces);
	}
	return buf_check(&file->bytes, file->name);
}

struct err *materials_gather(struct store *store, struct build_opts *opts,
			     struct context *ret_context, struct recipe **ret_recipes, size_t count)
{
	AUTO(recipe_file) struct recipe_file file = RECIPE_FILE_INIT;
	AUTO(strings) struct strings names = { 0 };
	AUTO(script_pieces) struct script_pieces pieces = { 0 };
	struct include_root root;
	AUTO(fd) int root_fd = -1;

	opts->fetched = ret_context;
	TRY(get_context(store, opts, ret_context));
	TRY(find_recipe(store, opts, ret_context, &file));
	/* Only an INCLUDE needs it, and says so. */
	err_free(recipe_file_root(&(struct recipe_search){ .recipe = opts->recipe,
							   .context = opts->context,
							   .context_fd = ret_context->fd },
				  &file, &root, &root_fd));
	if (opts->more_recipes.len > 0)
		TRY(join_recipes(opts, ret_context, &file, &names, &pieces));
	for (size_t i = 0; i < count; i++)
		TRY(check_parse(file.name, buf_str(&file.bytes), pieces.len ? &pieces : NULL,
				root_fd >= 0 && !pieces.len ? &root : NULL, opts->args,
				&ret_recipes[i]));
	for (size_t i = 0; opts->from && i < count; i++)
		ret_recipes[i]->stages[0].base =
			arena_text(&ret_recipes[i]->arena, str_of(opts->from));
	return NULL;
}
