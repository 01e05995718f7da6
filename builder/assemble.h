/*
 * builder/assemble.h - the finished image: config, history, manifest.
 *
 * Layers are the base's and those of the steps that changed something; history
 * has the base's rows untouched and one row per instruction (reference, image
 * config and history). A row with a layer has the time at which the step was
 * done, however long ago; one without has the time of the layer before it, or
 * without any that at which these rows were first put together here, so that an
 * unchanged rebuild gives the same bytes. No new time is above the epoch.
 */
#ifndef BUILDER_ASSEMBLE_H
#define BUILDER_ASSEMBLE_H

#include "base/mem.h"
#include "builder/plan.h"

struct err;

/* Write config and manifest of a target into the store, and note in it which they are. After
 * execute() with blobs. */
struct err *assemble(struct plan *plan, struct plan_target *wanted) MUST_USE;

#endif
