/*
 * cli/ui_raw.h - the events of a build as `docker buildx build --progress rawjson` writes them.
 *
 * Each line is a JSON object of BuildKit's client.SolveStatus: arrays "vertexes", "statuses",
 * "logs" and "warnings", each left out if it is empty. A vertex is told whenever it changes, and is
 * known by its digest. Ours are
 *
 *	the Recipe     "[internal] load build definition", from the begin to the plan; it fails
 *	               with a build that fails for what belongs to no step
 *	a transfer     "pull debian:trixie", with one status that counts its bytes
 *	a step         "[build 2/5] RUN make"; its inputs are the steps that it begins from
 *	the export     "exporting to image", at the end of a build that made images, with
 *	               statuses that name their digests
 *
 * Bytes of logs and warnings are base64, as Go spells them; times are RFC 3339 in UTC.
 */
#ifndef CLI_UI_RAW_H
#define CLI_UI_RAW_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/str.h"
#include "base/vec.h"

struct build_event;

struct ui_raw_vertex {
	char *name;     /* owned; NULL: it has not begun */
	char *inputs;   /* owned; numbers of steps, "1 2"; NULL if there are none */
	uint64_t begin; /* clock_monotonic() */
	bool ended;
};

struct ui_raw {
	struct timespec wall; /* what the clock showed at `begin` */
	uint64_t begin;       /* clock_monotonic(); 0: nothing has been told yet */
	char *id;             /* of the build: digests of vertices depend on it; owned */
	/* The Recipe at 0, the export at 1, step n at 2n, transfer n at 2n + 1. */
	VEC(struct ui_raw_vertex) at;
};

/* Append what an event looks like: whole lines, or nothing. `now` is the wall clock, which is looked
 * at once. */
void ui_raw_format(struct ui_raw *raw, const struct build_event *event, struct timespec now,
		   struct buf *out);
void ui_raw_release(struct ui_raw *raw);

#endif
