/* cli/context.c - what a build would see of its context, and why. */

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "builder/context_spec.h"
#include "builder/ignore.h"
#include "builder/ignore_file.h"
#include "builder/include.h"
#include "builder/parse.h"
#include "builder/readers.h"
#include "builder/recipe_file.h"
#include "builder/scope.h"
#include "builder/tree.h"
#include "cli/build_args.h"
#include "cli/commands-private.h"
#include "cli/output.h"
#include "cli/table.h"
#include "store/store.h"

#define PATH_MAX_BYTES ((size_t)64 * 1024)

enum { FORMAT_TABLE, FORMAT_JSON };

static const char *const formats[] = { "table", "json", NULL };

struct context_values {
	struct build_arg_values build_args;
	const char *recipe, *ignore_file, *why;
	int format;
};

static const struct option options[] = {
	BUILD_ARG_OPTIONS(struct context_values, build_args),
	OPTION_PATH(struct context_values, recipe, 'f', "file", "PATH",
		    "the Recipe: an ignore file may be named after it"),
	OPTION_WORD(struct context_values, format, 0, "format", formats, "how to show it"),
	OPTION_PATH(struct context_values, ignore_file, 0, "ignorefile", "PATH",
		    "the ignore file, instead of those beside the Recipe and in DIRECTORY"),
	OPTION_TEXT(struct context_values, why, 0, "why", "PATH",
		    "tell which rule decides about PATH, and what reads it"),
};

/* The context, opened as a build does it. */
struct view {
	const struct context_values *values;
	int fd;                  /* owned */
	struct recipe *recipe;   /* owned; NULL: there is none, or it is wrong */
	struct ignore_file file; /* owned */
	struct tree *tree;       /* owned */
};

static void view_auto_(struct view *view)
{
	tree_free(view->tree);
	ignore_file_release(&view->file);
	recipe_free(view->recipe);
	if (view->fd >= 0)
		close(view->fd);
}

/* ---- opening ---- */

/* Find the Recipe, and tell by what name its ignore files begin. Without -f there need not be one;
 * what is wrong with it is for a build to say. */
static struct err *find_recipe(struct view *view, const char *directory, struct recipe_file *ret)
{
	const struct recipe_search search = { .recipe = view->values->recipe,
					      .context = directory,
					      .context_fd = -1 };
	struct include_root root;
	AUTO(fd) int root_fd = -1;
	struct err *err = recipe_file_find(&search, ret);

	if (err_kind(err) == ERR_NOT_FOUND && !view->values->recipe) {
		err_free(err);
		return NULL;
	}
	TRY(err);
	err_free(recipe_file_root(&search, ret, &root, &root_fd)); /* only an INCLUDE needs it */
	err_free(recipe_parse_as(ret->name, buf_str(&ret->bytes),
				 &(struct recipe_override){ .root = root_fd >= 0 ? &root : NULL },
				 &view->recipe));
	return NULL;
}

/* A store that lies in the context is no part of it. */
static struct err *skip_store(const struct cli *cli, struct tree *tree)
{
	AUTO(mem) char *root = NULL;
	AUTO(fd) int fd = -1;
	AUTO(err) struct err *absent = NULL;

	TRY(store_find_root(cli->root, &root));
	absent = file_open_dir(AT_FDCWD, root, &fd);
	return absent ? NULL : tree_skip(tree, fd);
}

/* The other contexts of a build would have to be fetched. */
static struct err *check_directory(const char *directory)
{
	AUTO(context_spec) struct context_spec spec = { 0 };
	AUTO(err) struct err *err = context_spec_parse(directory, false, &spec);

	if (err || spec.kind == CONTEXT_DIRECTORY || spec.maybe_path)
		return NULL; /* not being there is the error */
	return err_new(ERR_USAGE,
		       "only a directory can be listed, and what is there of '%.80s' is not known "
		       "before it is fetched",
		       directory);
}

static struct err *open_view(const struct cli *cli, const char *directory, struct view *view)
{
	AUTO(recipe_file) struct recipe_file recipe = RECIPE_FILE_INIT;
	struct ignore_search search = { .at_root = true, .given = view->values->ignore_file };
	AUTO(fd) int fd = -1;
	struct stat st;

	TRY(check_directory(directory));
	if (stat(directory, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_new(ERR_INVALID, "the context: '%.200s' is no directory", directory);
	TRY(err_wrap(file_open_dir(AT_FDCWD, directory, &view->fd), "the context"));
	TRY(find_recipe(view, directory, &recipe));
	search.context_fd = view->fd;
	search.in_context = recipe.in_context;
	if (recipe.name && (!view->values->recipe || strcmp(view->values->recipe, "-") != 0))
		search.recipe = recipe.name;
	TRY(ignore_file_find(&search, &view->file));
	TRY(file_open_dir(AT_FDCWD, directory, &fd));
	TRY(tree_open(STEAL_FD(fd), view->file.rules, NULL, &view->tree));
	return skip_store(cli, view->tree);
}

/* ---- the list ---- */

static const char *type_name(uint32_t mode)
{
	return S_ISREG(mode)  ? "file" :
	       S_ISDIR(mode)  ? "directory" :
	       S_ISLNK(mode)  ? "link" :
	       S_ISFIFO(mode) ? "fifo" :
	       S_ISSOCK(mode) ? "socket" :
				"device";
}

struct listing {
	struct table table;
	json_t *array; /* owned */
	uint64_t entries, bytes;
};

static void listing_auto_(struct listing *listing)
{
	table_auto_(&listing->table);
	json_decref(listing->array);
}

/* Where a text is not what JSON can hold, its bytes stand beside it. */
static void add_bytes(json_t *object, const char *key, const char *text)
{
	AUTO(mem) char *encoded = NULL;
	uint32_t character;
	struct str rest = str_of(text);

	while (rest.len > 0) {
		size_t len = utf8_decode(rest, &character);

		if (len == 0)
			break;
		rest = (struct str){ rest.at + len, rest.len - len };
	}
	if (rest.len == 0)
		return;
	encoded = base64_encode(str_of(text));
	json_set_text(object, key, encoded);
}

static void add_entry(struct listing *listing, const struct tree_node *node)
{
	AUTO(mem) char *path = tree_path(node);
	const uint64_t size = S_ISREG(node->mode) ? node->size : 0;
	json_t *object = json_object();

	json_set_text(object, "path", path);
	add_bytes(object, "pathBase64", path);
	json_set_text(object, "type", type_name(node->mode));
	if (S_ISREG(node->mode))
		json_set(object, "size", json_integer((json_int_t)size));
	if (node->link)
		json_set_text(object, "target", node->link);
	if (node->link)
		add_bytes(object, "targetBase64", node->link);
	json_push(listing->array, object);
	table_cell(&listing->table, type_name(node->mode));
	if (S_ISREG(node->mode))
		table_cellf(&listing->table, "%ju", (uintmax_t)size);
	else
		table_cell(&listing->table, "");
	table_cell(&listing->table, path);
	listing->entries++;
	listing->bytes += size;
}

/* The node behind `node` in a walk through what is below `top`, in byte order; NULL at the end. */
static struct tree_node *next_node(const struct tree_node *top, struct tree_node *node)
{
	if (node->child_count > 0)
		return &node->children[0];
	while (node != top) {
		struct tree_node *parent = node->parent;

		if (node + 1 < parent->children + parent->child_count)
			return node + 1;
		node = parent;
	}
	return NULL;
}

/* What is visible. Below what is not nothing is. */
static void add_all(struct listing *listing, struct tree_node *top)
{
	for (struct tree_node *node = next_node(top, top); node; node = next_node(top, node))
		if (node->visible)
			add_entry(listing, node);
}

static void print_sum(const struct view *view, const struct listing *listing)
{
	char size[TEXT_SIZE_MAX];
	AUTO(mem)
	char *text = xasprintf("%ju entries, %s%s%s", (uintmax_t)listing->entries,
			       text_size(listing->bytes, size),
			       view->file.name ? ", without what is excluded by " : "",
			       view->file.name ? view->file.name : "");

	output_text(text);
}

static struct err *list(struct view *view)
{
	AUTO(listing)
	struct listing listing = { .table = { .columns = 3 }, .array = json_array() };

	TRY(tree_load_all(view->tree, &view->tree->root, NULL, false, NULL));
	add_all(&listing, &view->tree->root);
	if (view->values->format == FORMAT_JSON) {
		AUTO(json) json_t *document = json_object();

		if (view->file.name)
			json_set_text(document, "ignoreFile", view->file.name);
		json_set(document, "entries", json_incref(listing.array));
		json_set(document, "bytes", json_integer((json_int_t)listing.bytes));
		output_json(document);
		return NULL;
	}
	table_print(&listing.table);
	print_sum(view, &listing);
	return NULL;
}

/* ---- why ---- */

/* What is known of one path. */
struct verdict {
	char *path; /* owned; clean */
	bool exists, excluded;
	bool kept_for_more; /* excluded, but a directory with something below it that is not */
	unsigned line;      /* of the rule that decided; 0: none matched */
	char *pattern;      /* owned; NULL likewise */
	struct readers readers;
};

static void verdict_auto_(struct verdict *verdict)
{
	free(verdict->path);
	free(verdict->pattern);
	readers_release(&verdict->readers);
}

static struct err *read_path(const char *text, char **ret)
{
	AUTO(buf) struct buf clean = BUF_INIT(PATH_MAX_BYTES);

	if (!path_add(&clean, str_of(text), PATH_STAYS))
		return err_new(ERR_USAGE, "option --why: '%.200s' is too long", text);
	*ret = str_dup(buf_str(&clean));
	return NULL;
}

/* What the rules say of the path. */
static void apply_rules(const struct view *view, struct verdict *ret)
{
	const char *path = ret->path;
	struct stat st;

	assert(path);
	ret->exists = fstatat(view->fd, path[0] ? path : ".", &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (view->file.rules)
		ret->excluded = ignore_match(view->file.rules, path, &ret->line);
	if (ret->line)
		ret->pattern = ignore_pattern(view->file.rules, ret->line);
}

static struct err *judge(struct view *view, struct verdict *ret)
{
	AUTO(build_args) struct build_args *args = build_args_new();
	struct tree_node *node = NULL;

	TRY(build_args_read(&view->values->build_args, args));
	TRY(read_path(view->values->why, &ret->path));
	apply_rules(view, ret);
	TRY(tree_load_all(view->tree, &view->tree->root, NULL, false, NULL));
	TRY(tree_find(view->tree, &view->tree->root, str_of(ret->path), false, &node));
	if (node && !node->visible)
		node = NULL;
	ret->kept_for_more = ret->excluded && node;
	if (node && view->recipe)
		TRY(readers_find(view->recipe, args, view->tree, node, &ret->readers));
	return NULL;
}

static json_t *describe_verdict(const struct view *view, const struct verdict *verdict)
{
	json_t *object = json_object(), *readers = json_array();

	json_set_text(object, "path", verdict->path);
	json_set(object, "exists", json_boolean(verdict->exists));
	json_set(object, "excluded", json_boolean(verdict->excluded && !verdict->kept_for_more));
	if (verdict->pattern) {
		json_t *rule = json_object();

		json_set_text(rule, "file", view->file.name);
		json_set(rule, "line", json_integer(verdict->line));
		json_set_text(rule, "pattern", verdict->pattern);
		json_set(object, "rule", rule);
	}
	vec_foreach (&verdict->readers, reader) {
		json_t *one = json_object();
		unsigned line;

		json_set_text(one, "file",
			      script_place(view->recipe->script, (*reader)->position.line, &line));
		json_set(one, "line", json_integer(line));
		json_set_text(one, "text", (*reader)->text);
		json_push(readers, one);
	}
	json_set(object, "readBy", readers);
	return object;
}

static char *verdict_text(const struct view *view, const struct verdict *verdict)
{
	const char *path = verdict->path[0] ? verdict->path : ".";
	const char *gone = verdict->exists ? "" : " (there is no such file)";

	if (!verdict->pattern)
		return xasprintf("%s: kept: %s%s%s", path,
				 view->file.name ? "no rule matches in " :
						   "there is no ignore file",
				 view->file.name ? view->file.name : "", gone);
	return xasprintf("%s: %s by line %u of %s: %s%s%s", path,
			 verdict->excluded ? "excluded" : "kept", verdict->line, view->file.name,
			 verdict->pattern,
			 verdict->kept_for_more ? " (but something below it is not)" : "", gone);
}

static struct err *explain(struct view *view)
{
	AUTO(verdict) struct verdict verdict = { 0 };
	AUTO(mem) char *text = NULL;

	TRY(judge(view, &verdict));
	if (view->values->format == FORMAT_JSON) {
		AUTO(json) json_t *document = describe_verdict(view, &verdict);

		output_json(document);
		return NULL;
	}
	text = verdict_text(view, &verdict);
	output_text(text);
	vec_foreach (&verdict.readers, reader) {
		unsigned line;
		const char *file =
			script_place(view->recipe->script, (*reader)->position.line, &line);
		AUTO(mem)
		char *told = xasprintf("read by line %u of %s: %s", line, file, (*reader)->text);

		output_text(told);
	}
	return NULL;
}

static struct err *run_context(struct cli *cli, void *arg, struct strings *operands)
{
	const struct context_values *values = arg;
	AUTO(view) struct view view = { .values = values, .fd = -1 };

	TRY(open_view(cli, operands->len ? operands->at[0] : ".", &view));
	return values->why ? explain(&view) : list(&view);
}

const struct cli_command command_context = {
	.name = "context",
	.summary = "list what a build sees of a directory",
	.operands = "[DIRECTORY]",
	.about =
		"List the files that a build with this context can read, with their types and sizes in "
		"bytes, and the sum. What an ignore file excludes is not among them.\n"
		"With --why PATH, tell which rule of which ignore file decides about a path of the "
		"context, and which instructions of the Recipe read it.",
	.examples = "cairn context\n"
		    "cairn context --format json | jq -r '.entries | max_by(.size).path'\n"
		    "cairn context --why src/secret.key .",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct context_values),
	.max_operands = 1,
	.completes = COMPLETE_FILES,
	.run = run_context,
};
