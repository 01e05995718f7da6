/*
 * builder/provenance_steps.c - the steps of a build, as provenance tells them.
 *
 * Images come first, then contexts, then the steps in the order of the plan, so that what is named as
 * an input stands above. Ids are "stepN"; an input is "stepN:0". A step is told alike whether it
 * ran or was found: the same inputs give the same text.
 */

#include "builder/provenance-private.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "builder/build.h"
#include "builder/plan.h"
#include "registry/reference.h"

/* ---- ids ---- */

struct graph {
	const struct plan *plan;
	json_t *steps, *locations, *layers;
};

static size_t number_of_image(const struct plan *plan, const struct plan_image *image)
{
	size_t i = 0;

	while (plan->images.at[i] != image)
		i++;
	return i;
}

static size_t number_of_context(const struct plan *plan, const struct plan_context *context)
{
	size_t i = 0;

	while (plan->contexts.at[i] != context)
		i++;
	return plan->images.len + i;
}

static size_t number_of_step(const struct plan *plan, const struct plan_step *step)
{
	return plan->images.len + plan->contexts.len + step->number - 1;
}

static void add_input(json_t *inputs, size_t number)
{
	AUTO(mem) char *text = xasprintf("step%zu:0", number);

	json_push(inputs, json_text(str_of(text)));
}

/* What a stage is at its end, or its base alone; scratch is nothing. */
static void add_stage_input(const struct graph *graph, const struct plan_stage *stage,
			    json_t *inputs)
{
	while (!stage->top && !stage->image && stage->parent)
		stage = stage->parent;
	if (stage->top)
		add_input(inputs, number_of_step(graph->plan, stage->top));
	else if (stage->image)
		add_input(inputs, number_of_image(graph->plan, stage->image));
}

static void add_from_input(const struct graph *graph, const struct plan_from *from, json_t *inputs)
{
	if (from->stage)
		add_stage_input(graph, from->stage, inputs);
	else if (from->image)
		add_input(inputs, number_of_image(graph->plan, from->image));
	else if (from->context)
		add_input(inputs, number_of_context(graph->plan, from->context));
}

/* ---- what a step does ---- */

/* {"id": ..., "op": {"Op": {kind: what}}, "inputs": [...]}; takes ownership. */
static void add_node(const struct graph *graph, size_t number, const char *kind, json_t *what,
		     json_t *inputs)
{
	json_t *node = json_object(), *op = json_object(), *inner = json_object();
	AUTO(mem) char *id = xasprintf("step%zu", number);

	json_set_text(node, "id", id);
	json_set(inner, kind, what);
	json_set(op, "Op", inner);
	json_set(node, "op", op);
	if (json_array_size(inputs) > 0)
		json_set(node, "inputs", inputs);
	else
		json_decref(inputs);
	json_push(graph->steps, node);
}

static void add_source(const struct graph *graph, size_t number, const char *identifier)
{
	json_t *source = json_object();

	json_set_text(source, "identifier", identifier);
	add_node(graph, number, "source", source, json_array());
}

static void add_image(const struct graph *graph, const struct plan_image *image)
{
	const bool layout = strncmp(image->name, "oci-layout:", strlen("oci-layout:")) == 0;
	struct reference ref;
	AUTO(err) struct err *err = layout ? NULL : reference_parse(image->name, &ref);
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *identifier = NULL;

	digest_format(&image->target.digest, digest);
	if (layout || err) {
		identifier = xasprintf("oci-layout://image@%s", digest);
	} else {
		AUTO(mem) char *name = NULL;

		ref.digest[0] = '\0';
		name = reference_canonical(&ref);
		identifier = xasprintf("docker-image://%s@%s", name, digest);
	}
	add_source(graph, number_of_image(graph->plan, image), identifier);
}

static void add_context(const struct graph *graph, const struct plan_context *context)
{
	AUTO(mem)
	char *identifier =
		context->dependencies.len > 0 ?
			xstrdup(context->dependencies.at[0].uri) :
			xasprintf("local://%s", context->name ? context->name : "context");

	add_source(graph, number_of_context(graph->plan, context), identifier);
}

/* The command with what it sees; neither proxies nor secrets are in its environment here. */
static json_t *format_run(const struct graph *graph, const struct plan_step *step, json_t *inputs)
{
	json_t *exec = json_object(), *meta = json_object();

	json_set(meta, "args", json_texts(&step->argv));
	json_set(meta, "env", json_texts(&step->env));
	json_set_text(meta, "cwd", step->cwd);
	if (step->user[0])
		json_set_text(meta, "user", step->user);
	json_set(exec, "meta", meta);
	if (step->network == SANDBOX_NETWORK_NONE)
		json_set_text(exec, "network", "NONE");
	vec_foreach (&step->mounts, mount)
		add_from_input(graph, &mount->from, inputs);
	return exec;
}

static json_t *format_file(const struct graph *graph, const struct plan_step *step, json_t *inputs)
{
	json_t *file = json_object(), *actions = json_array(), *action = json_object(),
	       *inner = json_object(), *what = json_object();

	if (step->kind == STEP_WORKDIR) {
		json_set_text(what, "path", step->cwd);
		json_set(inner, "mkdir", what);
	} else {
		json_set(what, "src", json_texts(&step->copy.sources));
		json_set_text(what, "dest", step->copy.dest);
		json_set(inner, "copy", what);
		add_from_input(graph, &step->copy.from, inputs);
	}
	json_set(action, "Action", inner);
	json_push(actions, action);
	json_set(file, "actions", actions);
	return file;
}

static json_t *format_line(unsigned number)
{
	json_t *line = json_object();

	json_set(line, "line", json_integer(number));
	return line;
}

static void add_location(const struct graph *graph, const char *id, const struct position *position)
{
	json_t *all = json_object(), *list = json_array(), *one = json_object(),
	       *ranges = json_array(), *range = json_object();

	json_set(range, "start", format_line(position->line));
	json_set(range, "end", format_line(position->line_end));
	json_push(ranges, range);
	json_set(one, "ranges", ranges);
	json_push(list, one);
	json_set(all, "locations", list);
	json_set(graph->locations, id, all);
}

static void add_layer(const struct graph *graph, const char *id, const struct descriptor *blob)
{
	AUTO(mem) char *key = xasprintf("%s:0", id);
	json_t *outer = json_array(), *inner = json_array();

	json_push(inner, descriptor_format(blob));
	json_push(outer, inner);
	json_set(graph->layers, key, outer);
}

static void add_step(const struct graph *graph, const struct plan_step *step)
{
	const size_t number = number_of_step(graph->plan, step);
	AUTO(mem) char *id = xasprintf("step%zu", number);
	json_t *inputs = json_array(), *what;
	const bool is_run = step->kind == STEP_RUN;

	if (step->below)
		add_input(inputs, number_of_step(graph->plan, step->below));
	else if (step->stage->image)
		add_input(inputs, number_of_image(graph->plan, step->stage->image));
	what = is_run ? format_run(graph, step, inputs) : format_file(graph, step, inputs);
	add_node(graph, number, is_run ? "exec" : "file", what, inputs);
	if (step->instruction->position.line)
		add_location(graph, id, &step->instruction->position);
	if (step->layer.blob.size)
		add_layer(graph, id, &step->layer.blob);
}

/* ---- the whole ---- */

static json_t *format_recipe(const struct plan *plan)
{
	AUTO(mem) char *name = provenance_recipe_name(plan);
	AUTO(mem) char *data = base64_encode(script_bytes(plan->recipe->script));
	json_t *infos = json_array(), *info = json_object();

	if (name)
		json_set_text(info, "filename", name);
	json_set_text(info, "language", "Dockerfile");
	json_set_text(info, "data", data);
	json_push(infos, info);
	return infos;
}

json_t *provenance_steps(const struct plan *plan, json_t *extra)
{
	const struct graph graph = { plan, json_array(), json_object(), json_object() };
	json_t *config = json_object(), *source = json_object();

	vec_foreach (&plan->images, image)
		add_image(&graph, *image);
	vec_foreach (&plan->contexts, context)
		add_context(&graph, *context);
	vec_foreach (&plan->steps, step)
		add_step(&graph, *step);
	json_set(config, "llbDefinition", graph.steps);
	json_set(source, "locations", graph.locations);
	json_set(source, "infos", format_recipe(plan));
	json_set(extra, "source", source);
	json_set(extra, "layers", graph.layers);
	return config;
}
