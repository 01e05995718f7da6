/* builder/evaluate_step.c - what all steps share, and WORKDIR. */

#include "builder/evaluate-private.h"

#include <string.h>

#include "base/path.h"
#include "builder/build.h"
#include "builder/config.h"
#include "builder/key.h"

struct err *site_not_yet(const struct site *site, const char *what)
{
	return site_error(site, ERR_UNSUPPORTED, "%s does not work yet", what);
}

struct plan_step *site_add_step(const struct site *site, enum step_kind kind)
{
	struct plan_step *step = xcalloc(1, sizeof(*step));

	vec_push(&site->plan->steps, step);
	step->number = site->plan->opts->steps_before + (unsigned)site->plan->steps.len;
	step->kind = kind;
	step->stage = site->stage;
	step->below = site->stage->top;
	step->instruction = site->in;
	step->index = ++site->stage->step_count;
	site->stage->top = step;
	return step;
}

void site_begin_key(const struct site *site, struct plan_step *step, const char *kind,
		    struct key *key)
{
	AUTO(mem) char *platform = platform_format(&site->stage->platform);

	key_begin(key, &step->record, kind);
	if (!step->alone || step->looks_below)
		key_add_digest(key, "parent", &site->stage->key);
	key_add(key, "platform", platform);
	if (site->plan->has_epoch && !site->plan->opts->keep_times) {
		AUTO(mem) char *epoch = xasprintf("%jd", (intmax_t)site->plan->epoch);

		key_add(key, "epoch", epoch);
	}
}

/* The key of what `*below` is the key of, with a layer on top whose own key knows nothing of it. */
static struct err *stack_key(const struct digest *layer, struct digest *below)
{
	AUTO(step_record) struct step_record record = { 0 };
	AUTO(key) struct key key = { 0 };

	key_begin(&key, &record, "stack 1");
	key_add_digest(&key, "parent", below);
	key_add_digest(&key, "layer", layer);
	TRY(key_finish(&key));
	*below = record.key;
	return NULL;
}

struct err *site_end_key(const struct site *site, struct plan_step *step, struct key *key)
{
	TRY(key_finish(key));
	if (step->alone)
		return stack_key(&step->record.key, &site->stage->key);
	site->stage->key = step->record.key;
	return NULL;
}

const char *site_directory(const struct site *site)
{
	const char *cwd = config_text(site->stage->config, "WorkingDir");

	return cwd[0] ? cwd : "/";
}

char *site_join_path(const char *base, const char *path)
{
	AUTO(buf) struct buf clean = BUF_INIT(TEXT_MAX_BYTES);

	if (path[0] == '/' || path_add(&clean, str_of(base), PATH_STAYS))
		(void)!path_add(&clean, str_of(path), PATH_STAYS);
	return xasprintf("/%.*s", STR_ARG(buf_str(&clean)));
}

struct err *evaluate_workdir(const struct site *site)
{
	AUTO(mem) char *text = NULL;
	AUTO(mem) char *path = NULL;
	struct plan_step *step;
	AUTO(key) struct key key = { 0 };

	TRY(site_expand(site, site->in->word, &text));
	path = site_join_path(site_directory(site), text);
	config_set_text(site->stage->config, "WorkingDir", path);
	if (strcmp(path, "/") == 0) {
		site_add_row(site, xstrdup("WORKDIR /"), NULL);
		return NULL;
	}
	step = site_add_step(site, STEP_WORKDIR);
	step->user = xstrdup(config_text(site->stage->config, "User"));
	step->cwd = xstrdup(path);
	site_begin_key(site, step, "workdir 1", &key);
	key_add(&key, "directory", step->cwd);
	key_add(&key, "user", step->user);
	TRY(site_end_key(site, step, &key));
	site_add_row(site, xasprintf("WORKDIR %s", path), step);
	return NULL;
}
