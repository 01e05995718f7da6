/* builder/review_values.c - see builder/review_values.h. */

#include "builder/review_values.h"

#include <string.h>

#include "base/err.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/build.h"
#include "builder/chmod.h"
#include "builder/demands.h"
#include "builder/expand.h"
#include "builder/ignore.h"
#include "builder/mount.h"
#include "builder/plan-private.h"
#include "registry/reference.h"

struct review {
	const struct review_values *values;
	struct recipe *recipe;
	bool *workdirs; /* by stage: a WORKDIR stood there, or in a stage below */
	struct scope
		*defaults; /* the global scope without any --build-arg; NULL if there is none */
};

static void review_auto_(struct review *review)
{
	free(review->workdirs);
	scope_free(review->defaults);
}

static const char *check_of(const struct survey_site *site)
{
	return site->in ? site->in->check : site->stage->check;
}

/* The end of a remark about a name that is none: what may have been meant. */
static char *suggest(const struct scope *scope, struct str name, const char *sign)
{
	AUTO(strings) struct strings names = { 0 };
	const char *nearest;

	scope_names(scope, &names);
	nearest = text_nearest(name, (const char *const *)names.at, names.len);
	return nearest ? xasprintf(" (did you mean %s%s?)", sign, nearest) : xstrdup("");
}

/* The names of --from and of mounts may also use what stands before the first FROM. */
static bool is_global_in_from(const struct review *review, const struct survey_site *site,
			      struct str name)
{
	const bool has_from =
		site->in && (site->in->kind == INSTRUCTION_RUN ||
			     (site->in->kind == INSTRUCTION_COPY && site->in->copy.from));

	return has_from && scope_get(review->values->survey.globals, name);
}

/* A remark for each variable that was used without a value and without a declaration. */
static void note_undefined(struct review *review, const struct survey_site *site,
			   const struct expand_report *report)
{
	map_foreach (&report->undefined, entry) {
		struct str name = { entry->key, entry->key_len };
		AUTO(mem) char *meant = suggest(site->scope, name, site->in ? "$" : "");

		if (scope_is_declared(site->scope, name) || is_global_in_from(review, site, name))
			continue;
		if (!site->in)
			lint_add(&review->recipe->lints, "UndefinedArgInFrom", check_of(site),
				 site->position, "no ARG before the first FROM declares %s%s",
				 entry->key, meant);
		else if (site->stage)
			lint_add(&review->recipe->lints, "UndefinedVar", check_of(site),
				 site->position, "variable '$%s' has no value%s%s", entry->key,
				 meant, site->known ? "" : ", unless the base image sets it");
	}
}

static struct err *place(const struct review *review, const struct survey_site *site,
			 struct err *err)
{
	return script_wrap(err, review->recipe->script, site->position);
}

static struct err *expand_here(struct review *review, const struct survey_site *site,
			       const char *text, enum expand_mode mode, char **ret)
{
	AUTO(expand_report) struct expand_report report = { 0 };
	struct expander expander = scope_expander(site->scope, review->recipe->escape, &report);

	if (mode == EXPAND_HEREDOC)
		expander.escape = '\\';
	TRY(script_wrap(expand_text(&expander, str_of(text), mode, ret), review->recipe->script,
			site->position));
	note_undefined(review, site, &report);
	return NULL;
}

/* For the remarks alone. */
static struct err *look_at(struct review *review, const struct survey_site *site, const char *text)
{
	AUTO(mem) char *unused = NULL;

	return text ? expand_here(review, site, text, EXPAND_WORD, &unused) : NULL;
}

/* Whether a base image or an argument may give a variable another value than it has here. */
static bool is_open(const struct survey_site *site, const struct expand_report *report)
{
	return report->undefined.len > 0 || (!site->known && report->unset.len > 0);
}

/* The same, and the value; `*ret` is NULL where it may be another: then nothing can be said against it. */
static struct err *value_of(struct review *review, const struct survey_site *site, const char *text,
			    char **ret)
{
	AUTO(expand_report) struct expand_report report = { 0 };
	struct expander expander = scope_expander(site->scope, review->recipe->escape, &report);

	*ret = NULL;
	TRY(place(review, site, expand_text(&expander, str_of(text), EXPAND_WORD, ret)));
	note_undefined(review, site, &report);
	if (is_open(site, &report)) {
		free(*ret);
		*ret = NULL;
	}
	return NULL;
}

/* ---- names of stages and images ---- */

static bool is_context(const struct review *review, const char *name)
{
	for (size_t i = 0; i < review->values->context_count; i++)
		if (plan_is_context(review->values->contexts[i].name, name))
			return true;
	return false;
}

static struct err *demand_image(const struct review *review, const struct survey_site *site,
				const char *name)
{
	const char *hex = strncmp(name, "sha256:", 7) == 0 ? name + 7 : name;
	struct reference reference;

	if (hex[strspn(hex, "0123456789abcdef")] == '\0') /* the id of an image in the store */
		return NULL;
	return place(review, site, err_wrap(reference_parse(name, &reference), "image '%s'", name));
}

/* Where the name of `--from` is looked for: in the stage, then before the first FROM. */
struct from_scope {
	const struct scope *stage, *globals;
};

static const char *get_for_from(const void *arg, struct str name)
{
	const struct from_scope *scope = arg;
	const char *value = scope_get(scope->stage, name);

	return value ? value : scope_get(scope->globals, name);
}

/* --from, and `from` of a mount, where stages have no numbers. */
static struct err *review_from_name(struct review *review, const struct survey_site *site,
				    const char *text, bool numbers)
{
	AUTO(expand_report) struct expand_report report = { 0 };
	const struct from_scope scope = { site->scope, review->values->survey.globals };
	const struct expander expander = { .escape = review->recipe->escape,
					   .get = get_for_from,
					   .arg = &scope,
					   .report = &report };
	AUTO(mem) char *name = NULL;

	TRY(place(review, site, expand_text(&expander, str_of(text), EXPAND_WORD, &name)));
	if (is_open(site, &report) || !name[0] || is_context(review, name) ||
	    strcmp(name, "scratch") == 0 ||
	    recipe_find_stage(review->recipe, name, site->stage->index, numbers))
		return NULL;
	TRY(place(review, site, demand_from(review->recipe, site->stage, name, numbers)));
	return demand_image(review, site, name);
}

/* ---- FROM ---- */

/* True if the defaults of its arguments alone make a base no name of an image. */
static bool is_bad_by_default(const struct review *review, const struct stage *stage)
{
	struct expander expander = scope_expander(review->defaults, review->recipe->escape, NULL);
	AUTO(mem) char *name = NULL;
	AUTO(err)
	struct err *err = expand_text(&expander, str_of(stage->base), EXPAND_WORD, &name);
	struct reference reference;

	if (err || recipe_find_stage(review->recipe, name, stage->index, false))
		return false;
	err = reference_parse(name, &reference);
	return err != NULL;
}

/* Defaults that make it none are remarked on by themselves. */
static struct err *review_base(struct review *review, const struct survey_site *site)
{
	const struct stage *stage = site->stage;
	AUTO(mem) char *name = NULL;

	TRY(value_of(review, site, stage->base, &name));
	if (!name || !name[0] || strchr(stage->base, '$') || site->parent ||
	    strcmp(name, "scratch") == 0 || is_context(review, name) ||
	    (stage->name && is_context(review, stage->name)))
		return NULL;
	return demand_image(review, site, name);
}

static struct err *visit_from(struct review *review, const struct survey_site *site)
{
	const struct stage *stage = site->stage;

	if (site->parent)
		review->workdirs[stage->index] = review->workdirs[site->parent->index];
	if (review->defaults && strchr(stage->base, '$') && is_bad_by_default(review, stage))
		lint_add(&review->recipe->lints, "InvalidDefaultArgInFrom", stage->check,
			 &stage->position,
			 "'%s' is no name of an image unless --build-arg makes it one",
			 stage->base);
	TRY(review_base(review, site));
	return look_at(review, site, stage->platform);
}

/* ---- instructions ---- */

static struct err *visit_arg(struct review *review, const struct survey_site *site)
{
	AUTO(scope) struct scope *after = scope_new_child(site->scope);
	AUTO(expand_report) struct expand_report report = { 0 };

	if (!site->stage)
		return NULL; /* all of them are in the global scope already */
	TRY(script_wrap(scope_arg(after, &site->in->pairs, review->recipe->escape, &report),
			review->recipe->script, site->position));
	note_undefined(review, site, &report);
	return NULL;
}

static struct err *visit_pairs(struct review *review, const struct survey_site *site)
{
	const struct pairs *pairs = &site->in->pairs;

	for (size_t i = 0; i < pairs->len; i++) {
		TRY(look_at(review, site, pairs->at[i].key));
		TRY(look_at(review, site, pairs->at[i].value));
	}
	return NULL;
}

static struct err *visit_workdir(struct review *review, const struct survey_site *site)
{
	bool *seen = &review->workdirs[site->stage->index];
	AUTO(mem) char *path = NULL;

	TRY(expand_here(review, site, site->in->word, EXPAND_WORD, &path));
	if (!*seen && path[0] != '/')
		lint_add(&review->recipe->lints, "WorkdirRelativePath", check_of(site),
			 site->position,
			 "the relative '%s' begins wherever the base image says: name an absolute "
			 "WORKDIR first",
			 path);
	*seen = true;
	return NULL;
}

static void review_port(struct review *review, const struct survey_site *site, const char *port)
{
	const char *protocol = strchr(port, '/');
	struct lints *lints = &review->recipe->lints;

	for (const char *c = protocol; c && *c; c++) {
		if (*c >= 'A' && *c <= 'Z') {
			lint_add(lints, "ExposeProtoCasing", check_of(site), site->position,
				 "the protocol of '%s' should be lower case", port);
			break;
		}
	}
	if (strchr(port, ':'))
		lint_add(lints, "ExposeInvalidFormat", check_of(site), site->position,
			 "'%s': EXPOSE takes a port alone, no address and no port of the host",
			 port);
}

static struct err *visit_expose(struct review *review, const struct survey_site *site)
{
	AUTO(expand_report) struct expand_report report = { 0 };
	AUTO(strings) struct strings ports = { 0 };
	struct expander expander = scope_expander(site->scope, review->recipe->escape, &report);

	for (size_t i = 0; i < site->in->words.len; i++)
		TRY(script_wrap(expand_words(&expander, str_of(site->in->words.at[i]), &ports),
				review->recipe->script, site->position));
	note_undefined(review, site, &report);
	vec_foreach (&ports, port) {
		struct port_range range;

		review_port(review, site, *port);
		if (!is_open(site, &report))
			TRY(place(review, site, demand_ports(str_of(*port), &range)));
	}
	return NULL;
}

static struct err *visit_volume(struct review *review, const struct survey_site *site)
{
	for (size_t i = 0; i < site->in->words.len; i++)
		TRY(look_at(review, site, site->in->words.at[i]));
	return NULL;
}

static struct err *visit_unset(struct review *review, const struct survey_site *site)
{
	const struct words *words = &site->in->words;
	const struct unset_setting *setting;

	TRY(place(review, site, demand_unset(words, &setting)));
	for (size_t i = 1; i < words->len; i++) {
		AUTO(mem) char *name = NULL;

		TRY(value_of(review, site, words->at[i], &name));
		if (name)
			TRY(place(review, site, demand_unset_name(setting, name)));
	}
	return NULL;
}

static struct err *visit_word(struct review *review, const struct survey_site *site)
{
	const char *written = site->in->word;
	AUTO(mem) char *word = NULL;

	TRY(value_of(review, site, written, &word));
	if (!word)
		return NULL;
	return place(review, site,
		     site->in->kind == INSTRUCTION_USER ? demand_user(written, word) :
							  demand_signal(word));
}

/* A source of ADD that is not in the context. */
static bool is_remote(const char *source)
{
	return strstr(source, "://") || strncmp(source, "git@", 4) == 0;
}

/* A rule that begins with `!` may bring anything back: then nothing is said. */
static void review_source(struct review *review, const struct survey_site *site, const char *source)
{
	const struct ignore *ignore = review->values->ignore;
	AUTO(buf) struct buf path = BUF_INIT((size_t)64 * 1024);

	if (!ignore || ignore_has_exceptions(ignore) || site->in->copy.from)
		return;
	if (site->in->kind == INSTRUCTION_ADD && is_remote(source))
		return;
	if (path_add(&path, str_of(source), PATH_STAYS) && path.len > 0 &&
	    ignore_match(ignore, path.at, NULL))
		lint_add(&review->recipe->lints, "CopyIgnoredFile", check_of(site), site->position,
			 "the ignore file hides the source '%s' of %s", source,
			 instruction_name(site->in->kind));
}

/* Whether a source can be one. */
static struct err *review_kind(struct review *review, const struct survey_site *site,
			       const char *source, const char *checksum)
{
	AUTO(add_source) struct add_source what = { 0 };

	return place(review, site,
		     site->in->kind == INSTRUCTION_COPY ?
			     demand_copy_source(source) :
			     demand_add_source(&site->in->copy, source, checksum, &what));
}

static struct err *review_sources(struct review *review, const struct survey_site *site)
{
	const struct copy *copy = &site->in->copy;
	AUTO(mem) char *checksum = NULL;

	if (copy->checksum)
		TRY(value_of(review, site, copy->checksum, &checksum));
	for (size_t i = 0; i < copy->sources.len; i++) {
		AUTO(mem) char *source = NULL;
		AUTO(mem) char *certain = NULL;

		TRY(expand_here(review, site, copy->sources.at[i], EXPAND_WORD, &source));
		review_source(review, site, source);
		TRY(value_of(review, site, copy->sources.at[i], &certain));
		if (certain && !copy->checksum == !checksum && !copy->from)
			TRY(review_kind(review, site, certain, checksum));
	}
	return NULL;
}

static struct err *visit_copy(struct review *review, const struct survey_site *site)
{
	const struct copy *copy = &site->in->copy;
	AUTO(mem) char *chmod = NULL;
	struct chmod_spec spec;

	TRY(review_sources(review, site));
	TRY(look_at(review, site, copy->destination));
	TRY(look_at(review, site, copy->chown));
	TRY(look_at(review, site, copy->from));
	if (copy->from)
		TRY(review_from_name(review, site, copy->from, true));
	if (copy->chmod)
		TRY(value_of(review, site, copy->chmod, &chmod));
	if (chmod)
		TRY(place(review, site, chmod_parse(str_of(chmod), &spec)));
	for (size_t i = 0; i < copy->heredocs.len; i++) {
		AUTO(mem) char *unused = NULL;

		if (copy->heredocs.at[i].expand)
			TRY(expand_here(review, site, copy->heredocs.at[i].content, EXPAND_HEREDOC,
					&unused));
	}
	return NULL;
}

static struct err *visit_run(struct review *review, const struct survey_site *site)
{
	const struct run *run = &site->in->run;

	for (size_t i = 0; i < run->mount_count; i++) {
		AUTO(mount) struct mount mount = { 0 };
		AUTO(expand_report) struct expand_report report = { 0 };
		struct expander expander =
			scope_expander(site->scope, review->recipe->escape, &report);

		TRY(script_wrap(mount_parse(str_of(run->mounts[i].text), &expander, &mount),
				review->recipe->script, site->position));
		note_undefined(review, site, &report);
		if (mount.from)
			TRY(review_from_name(review, site, mount.from, false));
	}
	return NULL;
}

static struct err *visit(void *self, const struct survey_site *site)
{
	struct review *review = self;

	switch (site->in ? site->in->kind : INSTRUCTION_FROM) {
	case INSTRUCTION_FROM:
		return visit_from(review, site);
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
		return visit_copy(review, site);
	case INSTRUCTION_ARG:
		return visit_arg(review, site);
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		return visit_pairs(review, site);
	case INSTRUCTION_EXPOSE:
		return visit_expose(review, site);
	case INSTRUCTION_RUN:
		return visit_run(review, site);
	case INSTRUCTION_UNSET:
		return visit_unset(review, site);
	case INSTRUCTION_VOLUME:
		return visit_volume(review, site);
	case INSTRUCTION_WORKDIR:
		return visit_workdir(review, site);
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_USER:
		return visit_word(review, site);
	default:
		return NULL;
	}
}

struct err *review_values(const struct review_values *values)
{
	struct survey survey = values->survey;
	AUTO(build_args) struct build_args *none = build_args_new();
	AUTO(review)
	struct review review = { .values = values,
				 .recipe = survey.recipe,
				 .workdirs = xcalloc(survey.recipe->stage_count, sizeof(bool)) };
	struct err *err;

	/* Where the defaults alone are in error there is nothing to say about them. */
	err_free(survey_globals(survey.recipe, none, values->platform, NULL, &review.defaults));
	survey.visit = visit;
	survey.visit_self = &review;
	err = survey_run(&survey);
	lints_sort(&survey.recipe->lints);
	return err;
}
