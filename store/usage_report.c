/*
 * store/usage_report.c - what takes how much of a store; see store/prune.h.
 *
 * Every name at the top of the store is a line, known or not, so that the lines add up to
 * what is there. What could be given back is what the graph says nobody needs by name.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/lock.h"
#include "store/graph-private.h"
#include "store/prune.h"
#include "store/store-private.h"

#define BLOCK 512

/* The names at the top of the store, and what of the graph lies there. */
struct place {
	const char *dir;
	int holder; /* enum holder_kind, or -1 */
	int object; /* enum object_kind, or -1 */
};

static const struct place places[] = {
	{ "blobs", -1, OBJECT_BLOB },
	{ "layers", -1, OBJECT_LAYER },
	{ "steps", HOLDER_STEP, -1 },
	{ "mounts", HOLDER_MOUNT, -1 },
	{ "git", HOLDER_GIT, -1 },
	{ "web", HOLDER_WEB, -1 },
	{ "builds", HOLDER_LOG, -1 },
	{ "contexts", HOLDER_CONTEXT, -1 },
	{ "partial", HOLDER_PARTIAL, -1 },
	{ "elsewhere", HOLDER_HINT, -1 },
	{ "failed", HOLDER_FAILED, -1 },
	{ "refs", HOLDER_NAME, -1 },
	{ "ids", HOLDER_IMAGE, -1 },
	{ "volumes", -1, -1 },
	{ "diffs", -1, -1 },
	{ "leases", -1, -1 },
	{ "tmp", -1, -1 },
	{ "trash", -1, -1 },
	{ "lock", -1, -1 },
	{ "cache", -1, -1 },
	{ "index.json", -1, -1 },
	{ "oci-layout", -1, -1 },
	{ "store.json", -1, -1 },
	{ "limit", -1, -1 },
};

void usage_report_release(struct usage_report *report)
{
	vec_foreach (report, line)
		free(line->name);
	vec_release(report);
}

static const struct place *find_place(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strcmp(places[i].dir, name) == 0)
			return &places[i];
	return NULL;
}

static void count_objects(const struct graph *graph, int kind, struct usage_line *line)
{
	vec_foreach (&graph->objects, object) {
		if ((int)object->kind != kind)
			continue;
		line->count++;
		if (graph_object_goes(graph, object))
			line->reclaimable += object->bytes;
	}
}

static void count_holders(const struct graph *graph, int kind, struct usage_line *line)
{
	vec_foreach (&graph->holders, holder) {
		if ((int)holder->kind != kind || holder->replaced)
			continue;
		line->count++;
		if (holder->dropped)
			line->reclaimable += holder->bytes;
	}
}

/* Links go with what they lead to; those that are holders are counted already. */
static void count_links(const struct graph *graph, const struct graph_links *links,
			struct usage_line *line)
{
	vec_foreach (links, link)
		if (strncmp(link->path, line->name, strlen(line->name)) == 0 &&
		    link->path[strlen(line->name)] == '/' && !graph_is_dropped(graph, link->path))
			line->reclaimable += link->bytes;
}

/* As a prune of everything would leave it. */
static void drop_all(struct graph *graph)
{
	vec_foreach (&graph->holders, holder)
		if (holder->kind != HOLDER_NAME && !graph_holder_in_use(graph, holder) &&
		    !(holder->kind == HOLDER_IMAGE && graph_is_named(graph, holder)))
			graph_drop(graph, holder);
}

struct telling {
	struct graph graph;
	struct graph_links loose;
	struct usage usage;
};

static inline void telling_auto_(struct telling *telling)
{
	graph_release(&telling->graph);
	vec_release(&telling->loose);
	usage_release(&telling->usage);
}

static bool is_for_passing(const char *name)
{
	return strcmp(name, "trash") == 0 || strcmp(name, "tmp") == 0 ||
	       strcmp(name, "leases") == 0;
}

static struct err *add_line(struct store *store, struct telling *telling, const char *name,
			    struct usage_report *report)
{
	const struct place *place = find_place(name);
	struct usage_line *line = vec_add(report);
	const struct graph *graph = &telling->graph;

	line->name = xstrdup(name);
	line->known = place != NULL;
	TRY(usage_add(&telling->usage, store->root_fd, name, &line->bytes));
	report->total += line->bytes;
	if (place && place->object >= 0)
		count_objects(graph, place->object, line);
	if (place && place->holder >= 0)
		count_holders(graph, place->holder, line);
	count_links(graph, &telling->loose, line);
	return is_for_passing(name) ? graph_rubbish_in(&telling->graph, name, &line->reclaimable) :
				      NULL;
}

/* The directory itself, and the few files at its top. */
static struct err *add_rest(struct store *store, struct usage_report *report)
{
	struct usage_line *line = vec_add(report);
	struct stat st;

	line->name = xstrdup(".");
	line->known = true;
	line->count = 1;
	if (fstat(store->root_fd, &st) < 0)
		return err_sys("look at the store");
	line->bytes = (uint64_t)st.st_blocks * BLOCK;
	report->total += line->bytes;
	return NULL;
}

static struct err *look(struct store *store, struct graph *graph)
{
	AUTO(lock) struct lock lock = LOCK_INIT;

	TRY(graph_load(store, graph));
	TRY(graph_measure(graph));
	TRY(store_hold(store, &lock));
	return graph_refresh(graph);
}

struct err *usage_tell(struct store *store, struct usage_report *ret)
{
	AUTO(usage_report) struct usage_report report = { 0 };
	AUTO(telling) struct telling telling = { 0 };
	AUTO(strings) struct strings names = { 0 };

	TRY(look(store, &telling.graph));
	drop_all(&telling.graph);
	TRY(graph_find_loose(&telling.graph, &telling.loose));
	TRY(file_list(store->root_fd, ".", &names));
	vec_foreach (&names, name)
		TRY(add_line(store, &telling, *name, &report));
	TRY(add_rest(store, &report));
	*ret = report;
	report = (struct usage_report){ 0 };
	return NULL;
}
