/*
 * builder/report.h - a build as one document, for people and programs to look at afterwards.
 *
 * A report listens to the events of a build (builder/events.h) and, once that is over,
 * makes the document out of what it heard and of the image's layers. docs/report.md
 * says what is in it. Nothing of it costs anything where no report is asked for.
 *
 * Values of secrets are hidden in what it keeps of a step's output. Other outside text
 * is in the document as it is: who shows it escapes it.
 */
#ifndef BUILDER_REPORT_H
#define BUILDER_REPORT_H

#include <stdint.h>

#include "base/mem.h"
#include "builder/events.h"

struct build_opts;
struct build_result;
struct json_t;
struct report;
struct store;

#define REPORT_VERSION 1 /* of the document; grows when a member changes its meaning or goes away */

/* All of `opts` is borrowed until the report is freed. */
struct report *report_new(const struct build_opts *opts) MUST_USE;
void report_free(struct report *report);
DEFINE_AUTO(report)

/* The listener to give to the build; lives as long as the report. */
const struct build_events *report_events(const struct report *report);

/* After the build, failed or not: the document, a new object. Layers that cannot be read are left out. */
struct json_t *report_make(const struct report *report, struct store *store,
			   const struct build_result *result) MUST_USE;

#endif
