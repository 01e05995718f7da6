/*
 * builder/events.h - what a build tells while it runs.
 *
 * The executor emits events; whoever listens shows them (cli/ui), keeps them
 * (the journal) or both: a listener is one function, and events_tee() makes one
 * of two. Events come from any thread, several at a time: a listener has its
 * own lock and returns soon. What an event points at is borrowed for the call.
 * Text may hold any byte: who shows it escapes it.
 *
 * Order that listeners can rely on: BUILD_BEGIN first, BUILD_END last; of one step
 * STEP_BEGIN first, STEP_END last and exactly once, and of one transfer likewise. A
 * step found in the cache has both too. A step that never began has neither, and is
 * counted by BUILD_END as the difference. BUILD_PLAN comes once, before all steps, when it
 * is known what there is to do: base images are fetched before it. A build whose Recipe
 * is refused has none. ISOLATION is told of the first RUN that runs, once it does, and again only of one
 * that runs in another way; a build whose RUNs are all cached has none.
 *
 * event_format_json() is the one spelling of events as JSON lines, for
 * `--progress json` and for builds/<id>/events.jsonl; cairn-build(1) documents it.
 */
#ifndef BUILDER_EVENTS_H
#define BUILDER_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

enum build_event_kind {
	EVENT_BUILD_BEGIN,       /* text (the build's id, or NULL) */
	EVENT_BUILD_PLAN,        /* stages, steps */
	EVENT_TRANSFER_BEGIN,    /* transfer, verb, name */
	EVENT_TRANSFER_PROGRESS, /* transfer, verb, name, done, total */
	EVENT_TRANSFER_END,      /* transfer, verb, name, status, duration, done, text */
	EVENT_STEP_BEGIN,        /* step, platform, stage, index, count, inputs, text */
	EVENT_ISOLATION,         /* step, userns, network, carrier, storage */
	EVENT_STEP_LOG,          /* step, stream, bytes */
	EVENT_STEP_PROGRESS,     /* step, text, done, total */
	EVENT_STEP_END,  /* step, status, duration, exit_code, memory_peak, cpu_time, text */
	EVENT_WARNING,   /* step, rule, text */
	EVENT_BUILD_END, /* status, duration, image, manifest, images, text */
};

enum build_status { BUILD_DONE, BUILD_CACHED, BUILD_FAILED, BUILD_CANCELLED };
enum build_stream { BUILD_STDOUT = 1, BUILD_STDERR = 2 };

/* The image of a target. */
struct build_event_image {
	const char *target; /* the stage, as it was asked for; NULL: the last one */
	const struct digest *image, *manifest; /* as of a build with one target */
};

struct build_event {
	uint64_t when; /* clock_monotonic(); 0: now, filled in by events_emit() */
	enum build_event_kind kind;

	unsigned step;         /* 1.. in the order of the plan; 0: the build as a whole */
	unsigned stages;       /* how many stages are built */
	unsigned steps;        /* how many steps they have together */
	unsigned index, count; /* the step's place in its stage: 2 of 7; 0 without a stage */
	const char *platform;  /* for which it is, "linux/arm64", if several are built; else NULL */
	const char *stage;     /* its name, or "stage-1"; NULL for work outside of stages */
	const unsigned *inputs; /* the steps that it begins from, and whose files it takes */
	size_t input_count;
	unsigned aside; /* the input below a layer of its own, which is not waited for; 0: none */

	bool fresh; /* STEP_BEGIN: it runs whatever is in the cache */

	unsigned transfer;        /* 1.. of images from and to registries */
	enum build_stream stream; /* of `bytes` */
	const char *verb;         /* "pull", "push" */
	const char *name;         /* of the image, as it was written */

	/* STEP_BEGIN: the instruction, "RUN make". STEP_PROGRESS: what is going on, "unpack", or
	 * NULL: no longer.
	 * STEP_END, TRANSFER_END, BUILD_END: why it failed, in one line, or NULL. WARNING: the remark. */
	const char *text;

	/* How a RUN is kept apart: root of whom it is ("private": of a user namespace by idmapped layers;
	 * "host": of the machine; "ranges": of a namespace of subordinate ids; "single": of one id), its
	 * network ("private", "host", "none"), what carries it ("pasta"; NULL: nothing) and the storage
	 * driver (overlay/driver.h). */
	const char *userns, *network, *carrier, *storage;

	const char *rule;    /* of a lint, "StageNameCasing"; NULL for other warnings */
	const char *excerpt; /* of a lint: the lines that it is about, marked; else NULL */

	struct str bytes; /* one line without its newline; see struct event_lines */

	uint64_t done,
		total; /* bytes; total 0: unknown; both 0: nothing to be measured. The total of a
			       * transfer grows while more becomes known. */

	enum build_status status;
	int exit_code; /* of a failed RUN (128+n: killed by signal n); else 0 */
	uint64_t
		memory_peak; /* of a RUN that ran, bytes; 0: not known. Of all its processes together
			       * with the files that they use, or else of the largest process */
	uint64_t cpu_time; /* of a RUN that ran, nanoseconds, of all its processes; 0: not known */
	uint64_t duration; /* nanoseconds; of a cached step: of its look-up */
	const struct digest *image;    /* the image id (config digest); NULL if there is none */
	const struct digest *manifest; /* the digest that a registry will show */
	const struct build_event_image *images; /* of all targets; `image` is that of the first */
	size_t image_count;
};

struct build_events {
	void (*emit)(void *self, const struct build_event *event);
	void *self;
};

/* Pass an event on; a NULL listener hears nothing.
 *	events_emit(events, &(struct build_event){ .kind = EVENT_STEP_BEGIN, .step = 3, ... }); */
void events_emit(const struct build_events *events, const struct build_event *event);

/* Both listeners (each may be NULL), in this order. `pair` holds them and must outlive the
 * result. */
struct build_events events_tee(const struct build_events *pair[static 2]);

/* Cuts what a step writes into lines, each emitted as STEP_LOG. A line is also cut after
 * EVENT_LINE_MAX bytes. Carriage returns stay in the line. One per step and stream; one thread at
 * a time. */
#define EVENT_LINE_MAX ((size_t)64 * 1024)

struct event_lines {
	const struct build_events *events; /* borrowed; NULL: nothing is emitted */
	unsigned step;
	enum build_stream stream;
	struct buf rest; /* what has no newline yet */
	bool cut;        /* the last line that was emitted had no newline */
};

#define EVENT_LINES_INIT(listener, step_number, which) \
	((struct event_lines){ .events = (listener),   \
			       .step = (step_number),  \
			       .stream = (which),      \
			       .rest = BUF_INIT(EVENT_LINE_MAX) })

void event_lines_feed(struct event_lines *lines, struct str bytes);
void event_lines_end(struct event_lines *lines); /* emits an unfinished line, once; frees */

const char *build_status_name(enum build_status status); /* "done", "cached", ... */

/* Append the event as one JSON object without a newline; `at` is the nanoseconds since BUILD_BEGIN. */
void event_format_json(const struct build_event *event, uint64_t at, struct buf *out);

/* For a listener that writes lines one after another. Events of several threads come a little out
 * of order; its readers are promised times that never go back. */
struct event_clock {
	uint64_t begin; /* `when` of the first event, or of BUILD_BEGIN */
	uint64_t last;
};

/* The `at` of an event that is written now: what it says, or that of the one before if later. */
uint64_t event_clock_at(struct event_clock *clock, const struct build_event *event);

#endif
