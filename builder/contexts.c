/* builder/contexts.c - directories that steps read, and the rules of what is hidden in them. */

#include "builder/plan-private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "builder/build.h"
#include "builder/context.h"
#include "builder/statcache.h"
#include "builder/transfer.h"
#include "builder/tree.h"
#include "registry/reference.h"
#include "registry/url.h"
#include "store/store.h"

/* ---- opening ---- */

/* The rules of a context: of one that was fetched only what --ignorefile says for the build's own. */
static struct err *read_ignore(struct plan *plan, struct plan_context *context)
{
	const struct build_opts *opts = plan->opts;
	const bool own = context == plan->context;
	const char *recipe = opts->recipe ? opts->recipe : script_name(plan->recipe->script);
	const struct ignore_search search = {
		.context_fd = context->fd,
		.at_root = context->local,
		.recipe = own && context->local && strcmp(recipe, "-") != 0 ? recipe : NULL,
		.in_context = !opts->recipe,
		.given = own ? opts->ignore_file : NULL,
	};

	return ignore_file_find(&search, &context->ignore);
}

static struct err *open_local(struct plan *plan, struct plan_context *context)
{
	TRY(err_wrap(file_open_dir(AT_FDCWD, context->spec.value, &context->fd), "%s",
		     context->what));
	return statcache_open(plan->store, context->fd, &context->cache);
}

/* Fetch what --build-context names. */
static struct err *fetch(struct plan *plan, struct plan_context *context)
{
	AUTO(mem) char *shown = url_redacted(context->spec.value);
	AUTO(context) struct context fetched = CONTEXT_INIT;
	struct transfer transfer;
	const struct context_opts how = { .store = plan->store,
					  .client = plan->opts->client,
					  .secrets = plan->opts->secrets,
					  .policy = plan->opts->policy,
					  .named = true,
					  .progress = &transfer.progress };
	struct err *err;

	transfer_begin(&transfer, plan->opts->events, ++plan->transfers, "fetch", shown);
	err = context_fetch(&how, &context->spec, &fetched);
	transfer_end(&transfer, err, fetched.fetched);
	context->fd = STEAL_FD(fetched.fd);
	dependencies_copy(&context->dependencies, &fetched.dependencies);
	return err_wrap(err, "%s", context->what);
}

/* Open the directory, of this machine or fetched, with what belongs to it. */
static struct err *open_directory(struct plan *plan, struct plan_context *context)
{
	if (context->local)
		return open_local(plan, context);
	if (context->fd >= 0)
		return NULL;
	if (!context->spec.value)
		return err_new(
			ERR_INVALID,
			"the Recipe came alone, without files: name a directory as the context");
	return fetch(plan, context);
}

static struct err *open_tree(struct plan *plan, struct plan_context *context)
{
	AUTO(fd) int fd = fcntl(context->fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return err_sys("open %s", context->what);
	TRY(tree_open(STEAL_FD(fd), context->ignore.rules, context->cache, &context->tree));
	if (context->local && plan->opts->context_mode == CONTEXT_MODE_GIT)
		tree_take_git_modes(context->tree);
	return tree_skip(context->tree, store_fd(plan->store));
}

struct err *plan_tree_of(struct plan *plan, struct plan_context *context, struct tree **ret)
{
	if (!context->tree) {
		TRY(open_directory(plan, context));
		TRY(read_ignore(plan, context));
		TRY(open_tree(plan, context));
	}
	*ret = context->tree;
	return NULL;
}

/* ---- the list ---- */

static struct plan_context *add(struct plan *plan, const char *name, char *what)
{
	struct plan_context *context = xcalloc(1, sizeof(*context));

	*context = (struct plan_context){
		.name = name ? xstrdup(name) : NULL,
		.what = what,
		.fd = -1,
	};
	vec_push(&plan->contexts, context);
	return context;
}

/* What images are called in texts. */
static char *image_name(const struct context_spec *spec)
{
	if (spec->kind == CONTEXT_IMAGE)
		return xstrdup(spec->value);
	if (spec->kind == CONTEXT_LAYOUT)
		return xasprintf("oci-layout://%s%s%s%s%s", spec->value, spec->tag ? ":" : "",
				 spec->tag ? spec->tag : "", spec->digest ? "@" : "",
				 spec->digest ? spec->digest : "");
	return NULL;
}

static bool is_image(const struct context_spec *spec)
{
	return spec->kind == CONTEXT_IMAGE || spec->kind == CONTEXT_LAYOUT;
}

static struct err *set_spec(struct plan_context *context, const char *text)
{
	TRY(err_wrap(context_spec_parse(text, context->name != NULL, &context->spec), "%s",
		     context->what));
	context->local = !context_is_remote(&context->spec) && !is_image(&context->spec);
	context->image = image_name(&context->spec);
	return NULL;
}

/* The build's own context was fetched before there was a plan. */
static struct err *take_fetched(struct plan *plan, const struct context *fetched)
{
	if (fetched->fd < 0)
		return NULL; /* a Recipe came alone */
	plan->context->fd = fcntl(fetched->fd, F_DUPFD_CLOEXEC, 3);
	return plan->context->fd < 0 ? err_sys("open the build context") : NULL;
}

struct err *plan_contexts(struct plan *plan)
{
	const struct build_opts *opts = plan->opts;

	plan->context = add(plan, NULL, xstrdup("the build context"));
	plan->transfers = opts->fetched ? opts->fetched->transfers : 0;
	if (opts->fetched && opts->fetched->remote)
		TRY(take_fetched(plan, opts->fetched));
	else if (opts->context)
		TRY(set_spec(plan->context, opts->context));
	for (size_t i = 0; i < opts->context_count; i++) {
		const struct build_context *given = &opts->contexts[i];
		struct plan_context *context =
			add(plan, given->name, xasprintf("context '%s'", given->name));

		TRY(set_spec(context, given->value));
	}
	return NULL;
}

/* ---- names ---- */

/* The form in which names of contexts are compared. Owned by the caller. */
static char *plain_name(const char *name)
{
	AUTO(mem) char *lower = xstrdup(name);
	struct reference ref;
	struct err *err;
	char *plain;
	size_t len;

	for (char *c = lower; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + 'a' - 'A');
	err = reference_parse(lower, &ref);
	if (err) {
		err_free(err); /* no name of an image, but perhaps one of a context */
		return STEAL(lower);
	}
	plain = reference_familiar(&ref);
	len = strlen(plain);
	if (str_ends(str_of(plain), ":latest"))
		plain[len - strlen(":latest")] = '\0';
	return plain;
}

bool plan_is_context(const char *context, const char *name)
{
	AUTO(mem) char *has = plain_name(context);
	AUTO(mem) char *wanted = plain_name(name);

	return strcmp(has, wanted) == 0;
}

struct plan_context *plan_find_context(const struct plan *plan, const char *name)
{
	for (size_t i = plan->contexts.len; i-- > 0;) { /* of two with one name the last counts */
		struct plan_context *context = plan->contexts.at[i];

		if (context->name && plan_is_context(context->name, name))
			return context;
	}
	return NULL;
}

struct plan_context *plan_replacement(const struct plan *plan, const struct stage *stage)
{
	return stage->name ? plan_find_context(plan, stage->name) : NULL;
}

void plan_context_free(struct plan_context *context)
{
	if (!context)
		return;
	tree_free(context->tree);
	statcache_free(context->cache);
	ignore_file_release(&context->ignore);
	if (context->fd >= 0)
		close(context->fd);
	free(context->name);
	free(context->what);
	context_spec_release(&context->spec);
	free(context->image);
	dependencies_release(&context->dependencies);
	free(context);
}
