/* builder/outline.c - see builder/outline.h. */

#include "builder/outline.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/json.h"
#include "base/path.h"
#include "builder/check.h"
#include "builder/expand.h"
#include "builder/mount.h"
#include "builder/scope.h"
#include "builder/survey.h"

/* ---- lists ---- */

static struct outline_entry *find_entry(const struct outline_list *list, const char *name)
{
	vec_foreach (list, entry)
		if (strcmp(entry->name, name) == 0)
			return entry;
	return NULL;
}

/* The entry called `name`, a new one at the end if there is none. */
static struct outline_entry *add_entry(struct outline_list *list, const char *name,
				       const struct position *at)
{
	struct outline_entry *entry = find_entry(list, name);

	if (entry)
		return entry;
	vec_push(list, (struct outline_entry){ .name = xstrdup(name), .position = *at });
	return vec_last(list);
}

static void release_list(struct outline_list *list)
{
	vec_foreach (list, entry) {
		free(entry->name);
		free(entry->value);
	}
	vec_release(list);
}

void outline_release(struct outline *outline)
{
	release_list(&outline->args);
	release_list(&outline->secrets);
	release_list(&outline->ssh);
	release_list(&outline->caches);
}

/* ---- what a target takes ---- */

struct gathering {
	struct outline *outline;
	const struct recipe *recipe;
	const struct scope *globals;
};

static void set_value(struct outline_entry *entry, const char *value)
{
	free(entry->value);
	entry->value = xstrdup(value);
}

/* The last ARG before the first FROM that is called `name`; NULL if there is none. */
static const struct pair *find_global(const struct recipe *recipe, struct str name,
				      const struct instruction **ret)
{
	for (size_t i = recipe->globals.len; i-- > 0;) {
		const struct pairs *pairs = &recipe->globals.at[i].pairs;

		for (size_t k = pairs->len; k-- > 0;) {
			if (!str_is(name, pairs->at[k].key))
				continue;
			*ret = &recipe->globals.at[i];
			return &pairs->at[k];
		}
	}
	return NULL;
}

static void add_global(struct gathering *g, struct str name);

/* The global arguments that `text` uses. */
static void add_used(struct gathering *g, const char *text)
{
	AUTO(expand_report) struct expand_report report = { 0 };
	struct expander expander = scope_expander(g->globals, g->recipe->escape, &report);
	AUTO(mem) char *unused = NULL;

	if (!text)
		return;
	/* What is wrong was found when the globals were made, and is for the survey to tell. */
	err_free(expand_text(&expander, str_of(text), EXPAND_WORD, &unused));
	map_foreach (&report.used, entry)
		add_global(g, (struct str){ entry->key, entry->key_len });
	map_foreach (&report.unset, entry)
		add_global(g, (struct str){ entry->key, entry->key_len });
}

/* An argument before the first FROM that somebody uses, and those that its default uses: no argument is
 * added twice, so this ends. */
static void add_global(struct gathering *g, struct str name)
{
	const struct instruction *in;
	const struct pair *pair = find_global(g->recipe, name, &in);
	struct outline_entry *entry;

	if (!pair || find_entry(&g->outline->args, pair->key))
		return;
	entry = add_entry(&g->outline->args, pair->key, &in->position);
	entry->doc = pair->doc;
	set_value(entry, scope_get(g->globals, name));
	add_used(g, pair->value);
}

static struct err *gather_arg(struct gathering *g, const struct survey_site *site)
{
	AUTO(scope) struct scope *after = scope_new_child(site->scope);
	const struct pairs *pairs = &site->in->pairs;

	TRY(script_wrap(scope_arg(after, pairs, g->recipe->escape, NULL), g->recipe->script,
			site->position));
	for (size_t i = 0; i < pairs->len; i++) {
		const struct pair *pair = &pairs->at[i];
		struct outline_entry *entry;

		if (!pair->value)
			add_global(g, str_of(pair->key));
		entry = add_entry(&g->outline->args, pair->key, &site->in->position);
		entry->doc = pair->doc ? pair->doc : entry->doc;
		set_value(entry, scope_get(after, str_of(pair->key)));
	}
	return NULL;
}

/* What a mount is known by if it has no id: the clean path of its target, or the last name of it. */
static char *default_id(const struct mount *mount)
{
	AUTO(buf) struct buf path = BUF_INIT((size_t)1024 * 1024);
	const char *text =
		mount->source && mount->type == MOUNT_SECRET ? mount->source : mount->target;
	const char *slash;

	if (mount->type == MOUNT_SSH || !text)
		return xstrdup("default");
	if (mount->source && mount->type == MOUNT_SECRET)
		return xstrdup(text);
	buf_addc(&path, '/');
	buf_reset(&path);
	if (!path_add(&path, str_of(text), PATH_STAYS) || path.len == 0)
		return xstrdup(text);
	slash = strrchr(path.at, '/');
	if (mount->type == MOUNT_SECRET)
		return xstrdup(slash ? slash + 1 : path.at);
	return xasprintf("%s%s", text[0] == '/' ? "/" : "", path.at);
}

static void add_mount(struct gathering *g, const struct mount *mount, const struct position *at)
{
	struct outline_list *list = mount->type == MOUNT_SECRET ? &g->outline->secrets :
				    mount->type == MOUNT_SSH    ? &g->outline->ssh :
				    mount->type == MOUNT_CACHE  ? &g->outline->caches :
								  NULL;
	AUTO(mem) char *id = NULL;
	struct outline_entry *entry;

	if (!list)
		return;
	id = mount->id ? xstrdup(mount->id) : default_id(mount);
	entry = add_entry(list, id, at);
	entry->required = entry->required || mount->required;
}

static struct err *gather_run(struct gathering *g, const struct survey_site *site)
{
	const struct run *run = &site->in->run;
	struct expander expander = scope_expander(site->scope, g->recipe->escape, NULL);

	for (size_t i = 0; i < run->mount_count; i++) {
		AUTO(mount) struct mount mount = { 0 };

		TRY(script_wrap(mount_parse(str_of(run->mounts[i].text), &expander, &mount),
				g->recipe->script, site->position));
		add_mount(g, &mount, site->position);
	}
	return NULL;
}

static struct err *gather(void *self, const struct survey_site *site)
{
	struct gathering *g = self;

	if (!site->stage)
		return NULL; /* an argument that nobody uses is none of the target's */
	if (!site->in) {
		add_used(g, site->stage->base);
		add_used(g, site->stage->platform);
		return NULL;
	}
	if (site->in->kind == INSTRUCTION_ARG)
		return gather_arg(g, site);
	return site->in->kind == INSTRUCTION_RUN ? gather_run(g, site) : NULL;
}

struct err *outline_make(const struct check *check, const char *target, struct outline *ret)
{
	struct gathering g = { ret, check->recipe, check->globals };
	AUTO(mem) bool *needed = NULL;

	*ret = (struct outline){ 0 };
	TRY(survey_find_target(check->recipe, target, &ret->target));
	TRY(survey_needed(check->recipe, check->globals, ret->target, &needed));
	return survey_run(&(struct survey){ .recipe = check->recipe,
					    .globals = check->globals,
					    .wanted = needed,
					    .visit = gather,
					    .visit_self = &g });
}

/* ---- documents ---- */

static void set_present(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_set_text(object, key, text);
}

static json_t *describe_position(unsigned line)
{
	json_t *position = json_object();

	json_set(position, "line", json_integer(line));
	return position;
}

static void set_location(json_t *object, const struct position *at)
{
	json_t *location = json_object(), *ranges = json_array(), *range = json_object();

	json_set(range, "start", describe_position(at->line));
	json_set(range, "end", describe_position(at->line_end));
	json_push(ranges, range);
	json_set(location, "ranges", ranges);
	json_set(object, "location", location);
}

static void set_sources(json_t *document, const struct check *check)
{
	AUTO(mem) char *data = base64_encode(check_bytes(check));
	json_t *sources = json_array();

	json_push(sources, json_text(str_of(data)));
	json_set(document, "sources", sources);
}

static void set_list(json_t *document, const char *key, const struct outline_list *list)
{
	json_t *array = json_array();

	vec_foreach (list, entry) {
		json_t *object = json_object();

		json_set_text(object, strcmp(key, "cache") == 0 ? "ID" : "name", entry->name);
		set_present(object, "description", entry->doc);
		set_present(object, "value", entry->value);
		if (entry->required)
			json_set(object, "required", json_true());
		set_location(object, &entry->position);
		json_push(array, object);
	}
	if (list->len > 0)
		json_set(document, key, array);
	else
		json_decref(array);
}

json_t *outline_describe(const struct outline *outline, const struct check *check)
{
	json_t *document = json_object();

	set_present(document, "name", outline->target->name);
	set_present(document, "description", outline->target->doc);
	set_list(document, "args", &outline->args);
	set_list(document, "secrets", &outline->secrets);
	set_list(document, "ssh", &outline->ssh);
	set_list(document, "cache", &outline->caches);
	set_sources(document, check);
	return document;
}

json_t *outline_describe_targets(const struct check *check)
{
	const struct recipe *recipe = check->recipe;
	json_t *document = json_object(), *targets = json_array();

	for (size_t i = 0; i < recipe->stage_count; i++) {
		const struct stage *stage = &recipe->stages[i];
		json_t *target = json_object();

		set_present(target, "name", stage->name);
		if (i + 1 == recipe->stage_count)
			json_set(target, "default", json_true());
		set_present(target, "description", stage->doc);
		set_present(target, "base", stage->base);
		set_present(target, "platform", stage->platform);
		set_location(target, &stage->position);
		json_push(targets, target);
	}
	json_set(document, "targets", targets);
	set_sources(document, check);
	return document;
}
