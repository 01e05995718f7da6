/*
 * builder/describe.c - the RUN steps of a plan as documents of the OCI runtime-spec.
 *
 * The sandbox is asked for what it would hand to its spawner (overlay/sandbox.h), with the user
 * looked up in the layers that are there: those of the base image, and of steps that are cached. What only
 * the plan knows of a step is in notes.
 */

#include "builder/execute-private.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "builder/build.h"
#include "builder/mounts.h"
#include "builder/run.h"
#include "overlay/runtime-spec.h"

static bool is_number(struct str text, uint64_t *ret)
{
	struct err *err = num_parse(text, 0, UINT32_MAX, ret);
	const bool good = !err;

	err_free(err);
	return good;
}

/* Whether the user asked for this one: by a line of the Recipe, by its stage, or by nothing. */
static bool is_asked(const struct plan_step *step, const struct strings *wanted)
{
	const struct position *at = &step->instruction->position;
	uint64_t line;

	vec_foreach (wanted, text) {
		if (!is_number(str_of(*text), &line)) {
			if (plan_stage_is(step->stage, *text))
				return true;
		} else if (at->line <= line && line <= at->line_end) {
			return true;
		}
	}
	return wanted->len == 0;
}

/* The layers below a step, as far up as they are there. */
static struct err *open_below(struct execution *ex, struct plan_step *step, int *ret_fd)
{
	AUTO(stack) struct stack stack = { 0 };
	struct plan_step *below = step->below;

	/* what is below a cached step is cached, or was not looked for */
	for (struct plan_step *at = below; at; at = at->below)
		if (!at->cached || at->absent)
			below = at->below;
	TRY(execution_open_chain(ex, step->stage, below, &stack));
	return stack_view(&stack, ret_fd);
}

static void set_note(json_t *document, const char *name, char *text)
{
	AUTO(mem) char *owned = text;
	AUTO(mem) char *key = xasprintf(RUNTIME_SPEC_NOTE "%s", name);

	json_set_text(json_object_get(document, "annotations"), key, owned);
}

static struct err *describe(struct execution *ex, struct plan_step *step, json_t **ret)
{
	AUTO(mounts) struct mounts mounts = { 0 };
	struct run_site site = execution_run_site(ex, &mounts);
	AUTO(fd) int view_fd = -1;

	mounts_tell(ex, step, &mounts);
	site.idmap = step->insecure ? NULL : ex->idmap;
	TRY(open_below(ex, step, &view_fd));
	TRY(run_describe(&site, step, view_fd, ret));
	set_note(*ret, "stage", xstrdup(step->stage->name));
	set_note(*ret, "line", xasprintf("%u", step->instruction->position.line));
	set_note(*ret, "number", xasprintf("%u", step->number));
	set_note(*ret, "instruction", xstrdup(step->instruction->text));
	set_note(*ret, "cached", xstrdup(step->cached ? "true" : "false"));
	if (step->user && step->user[0])
		set_note(*ret, "user", xstrdup(step->user));
	return NULL;
}

struct err *execution_describe(struct execution *ex, json_t *documents)
{
	const struct strings *wanted = &ex->plan->opts->described;
	const size_t before = json_array_size(documents);

	vec_foreach (&ex->plan->steps, step) {
		json_t *document = NULL;

		if ((*step)->kind != STEP_RUN || !is_asked(*step, wanted))
			continue;
		TRY(describe(ex, *step, &document));
		json_push(documents, document);
	}
	if (json_array_size(documents) == before && wanted->len > 0)
		return err_new(ERR_NOT_FOUND, "--print-sandbox: no RUN is in line or stage '%.80s'",
			       wanted->at[0]);
	return NULL;
}
