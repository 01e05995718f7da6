/* builder/readers.c - see builder/readers.h. */

#include "builder/readers.h"

#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "builder/expand.h"
#include "builder/mount.h"
#include "builder/recipe.h"
#include "builder/scope.h"
#include "builder/selection.h"
#include "builder/survey.h"
#include "builder/tree.h"
#include "store/platform.h"

void readers_release(struct readers *readers)
{
	vec_release(readers);
}

struct search {
	struct tree *tree;
	const struct tree_node *node;
	struct readers *found;
};

static bool is_below(const struct tree_node *node, const struct tree_node *above)
{
	while (node && node != above)
		node = node->parent;
	return node;
}

/* Whether the node, or all of a directory that holds it, goes along. */
static bool selects(const struct selected *selected, const struct tree_node *node)
{
	if (!is_below(node, selected->node))
		return is_below(selected->node, node);
	for (; node != selected->node; node = node->parent)
		if (!selected_shows(selected, node))
			return false;
	return true;
}

/* What cannot be found or read is no reader; that it is wrong is for a build to say. */
static bool forgive(struct err *err)
{
	err_free(err);
	return err == NULL;
}

static bool copy_reads(const struct search *search, const struct survey_site *site,
		       const struct expander *expander)
{
	const struct copy *copy = &site->in->copy;
	AUTO(strings) struct strings excludes = { 0 };
	AUTO(selection) struct selection all = { .excludes = &excludes, .parents = copy->parents };

	if (copy->from)
		return false;
	for (size_t i = 0; i < copy->excludes.len; i++)
		strings_push(&excludes, copy->excludes.at[i]);
	for (size_t i = 0; i < copy->sources.len; i++) {
		AUTO(mem) char *source = NULL;

		if (forgive(expand_text(expander, str_of(copy->sources.at[i]), EXPAND_WORD,
					&source)))
			(void)forgive(selection_add(&all, search->tree, source, "the context"));
	}
	if (!forgive(selection_load(&all, search->tree, NULL)))
		return false;
	vec_foreach (&all, selected)
		if (selects(selected, search->node))
			return true;
	return false;
}

static bool mount_reads(const struct search *search, const struct mount_flag *flag,
			const struct expander *expander)
{
	AUTO(mount) struct mount mount = { 0 };
	struct tree_node *root = NULL;

	if (!forgive(mount_parse(str_of(flag->text), expander, &mount)) ||
	    mount.type != MOUNT_BIND || mount.from)
		return false;
	if (!forgive(tree_find(search->tree, &search->tree->root,
			       str_of(mount.source ? mount.source : ""), true, &root)))
		return false;
	return root && (is_below(search->node, root) || is_below(root, search->node));
}

static bool run_reads(const struct search *search, const struct survey_site *site,
		      const struct expander *expander)
{
	const struct run *run = &site->in->run;

	for (size_t i = 0; i < run->mount_count; i++)
		if (mount_reads(search, &run->mounts[i], expander))
			return true;
	return false;
}

static struct err *visit(void *self, const struct survey_site *site)
{
	const struct search *search = self;
	struct expander expander = scope_expander(site->scope, site->recipe->escape, NULL);
	bool reads = false;

	if (!site->in)
		return NULL;
	if (site->in->kind == INSTRUCTION_COPY || site->in->kind == INSTRUCTION_ADD)
		reads = copy_reads(search, site, &expander);
	if (site->in->kind == INSTRUCTION_RUN)
		reads = run_reads(search, site, &expander);
	if (reads)
		vec_push(search->found, site->in);
	return NULL;
}

struct err *readers_find(struct recipe *recipe, struct build_args *args, struct tree *tree,
			 const struct tree_node *node, struct readers *ret)
{
	struct search search = { tree, node, ret };
	AUTO(scope) struct scope *globals = NULL;
	struct survey survey = { .recipe = recipe, .visit_self = &search, .visit = visit };
	struct platform host;

	platform_host(&host);
	TRY(survey_globals(recipe, args, &host, NULL, &globals));
	survey.globals = globals;
	return survey_run(&survey);
}
