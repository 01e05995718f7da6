/* builder/from.c - what a name in FROM, --from or a mount stands for. */

#include "builder/plan-private.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "builder/build.h"
#include "builder/demands.h"
#include "builder/expand.h"
#include "builder/scope.h"

struct plan_name plan_look_up(const struct plan *plan, const char *name, size_t before,
			      bool numbers)
{
	const bool scratch = strcmp(name, "scratch") == 0;
	struct plan_name found = { .kind = NAME_CONTEXT };

	if (!scratch)
		found.context = plan_find_context(plan, name);
	if (found.context)
		return found;
	found.kind = NAME_STAGE;
	found.stage = recipe_find_stage(plan->recipe, name, before, numbers);
	if (found.stage)
		return found;
	found.kind = scratch ? NAME_SCRATCH : NAME_IMAGE;
	return found;
}

struct err *plan_from_of(struct plan *plan, const struct plan_stage *stage,
			 const struct position *at, const char *text, bool numbers,
			 struct plan_from *ret)
{
	struct plan_name name = plan_look_up(plan, text, stage->stage->index, numbers);
	AUTO(mem) char *image = NULL;

	*ret = (struct plan_from){ 0 };
	if (name.kind == NAME_STAGE)
		return plan_stage_of(plan, name.stage, at, &ret->stage);
	if (name.kind == NAME_CONTEXT && !name.context->image)
		ret->context = name.context;
	if (name.kind == NAME_SCRATCH || ret->context)
		return NULL;
	if (name.kind == NAME_IMAGE)
		TRY(script_wrap(demand_from(plan->recipe, stage->stage, text, numbers),
				plan->recipe->script, at));
	image = xstrdup(name.context ? name.context->image : text);
	return plan_image_of(plan,
			     &(struct plan_need){ .name = image,
						  .platform = plan->opts->platform,
						  .exact = plan->opts->platform_given,
						  .context = name.context,
						  .position = at },
			     &ret->image);
}

const struct digest *plan_from_key(const struct plan_from *from)
{
	static const struct digest scratch;

	if (from->context)
		return NULL;
	return from->stage ? &from->stage->key : from->image ? &from->image->key : &scratch;
}

/* Of images that Recipes begin with, the one whose name is near to `name`, whatever its tag; or NULL. */
static const char *near_image(const char *name)
{
	static const char *const common[] = {
		"almalinux",   "alpine", "amazonlinux", "archlinux", "bash",      "buildpack-deps",
		"busybox",     "caddy",  "centos",      "composer",  "debian",    "elixir",
		"erlang",      "fedora", "gcc",         "golang",    "gradle",    "haproxy",
		"haskell",     "httpd",  "julia",       "mariadb",   "maven",     "memcached",
		"mongo",       "mysql",  "nginx",       "node",      "openjdk",   "opensuse",
		"oraclelinux", "perl",   "php",         "postgres",  "python",    "rabbitmq",
		"redis",       "rocky",  "rockylinux",  "ruby",      "rust",      "scratch",
		"swift",       "tomcat", "traefik",     "ubuntu",    "wordpress",
	};
	const struct str repository = { name, strcspn(name, ":@") };
	const char *near = text_nearest(repository, common, ARRAY_SIZE(common));

	return near && !str_is(repository, near) ? near : NULL;
}

struct err *plan_note_near(const struct plan *plan, const char *name, struct err *err)
{
	const struct recipe *recipe = plan->recipe;
	AUTO(mem)
	const char **names = xcalloc(recipe->stage_count + plan->contexts.len, sizeof(*names));
	const char *near;
	size_t count = 0;

	for (size_t i = 0; i < recipe->stage_count; i++)
		if (recipe->stages[i].name)
			names[count++] = recipe->stages[i].name;
	vec_foreach (&plan->contexts, context)
		if ((*context)->name)
			names[count++] = (*context)->name;
	near = text_nearest(str_of(name), names, count);
	if (near)
		return err_note(err, "there is no stage '%s' either: did you mean '%s'?", name,
				near);
	near = near_image(name);
	return near ? err_note(err, "did you mean '%s'?", near) : err;
}

struct err *plan_note_arguments(const struct plan *plan, const struct stage *stage, struct err *err)
{
	AUTO(expand_report) struct expand_report report = { 0 };
	struct expander expander = scope_expander(plan->globals, plan->recipe->escape, &report);
	AUTO(strings) struct strings names = { 0 };
	AUTO(mem) char *unused = NULL;

	if (!err)
		return NULL;
	err_free(expand_text(&expander, str_of(stage->base), EXPAND_WORD, &unused));
	scope_names(plan->globals, &names);
	map_foreach (&report.undefined, entry) {
		struct str name = { entry->key, entry->key_len };
		const char *near = text_nearest(name, (const char *const *)names.at, names.len);

		if (!scope_is_declared(plan->globals, name))
			err = err_note(err, "no ARG before the first FROM declares %s%s%s%s",
				       entry->key, near ? ": did you mean " : "", near ? near : "",
				       near ? "?" : "");
	}
	return err;
}
