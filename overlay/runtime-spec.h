/*
 * overlay/runtime-spec.h - a step as a document of the OCI runtime-spec.
 *
 * The config.json that a runtime like runc would need to do what a request (overlay/request-private.h)
 * asks the spawner for: made of the very bytes of such a request, of the tables that the helper
 * mounts from (overlay/furniture-private.h), and of the rules that the filter is compiled from.
 * Specification: runtime-spec 1.1.0, config.md and config-linux.md.
 *
 * What the specification has no word for is in annotations, RUNTIME_SPEC_NOTE and a name behind it.
 */
#ifndef OVERLAY_RUNTIME_SPEC_H
#define OVERLAY_RUNTIME_SPEC_H

#include <jansson.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct sandbox_resources;
struct sandbox_spec;
struct seccomp_rules;

#define RUNTIME_SPEC_VERSION "1.1.0"
#define RUNTIME_SPEC_NOTE "cairn.step."

/* Everything is borrowed. */
struct runtime_spec_source {
	struct str request;              /* as it is handed to the spawner */
	const struct sandbox_spec *spec; /* what a request has only descriptors for: mounts, ids */
	const struct sandbox_resources *resources; /* NULL: the step gets no control group */
	const char *cgroup;                        /* its path; NULL: not known */
	const struct seccomp_rules *rules;         /* written out; NULL: no filter */
};

/* The document, a new object. */
struct err *runtime_spec_make(const struct runtime_spec_source *source, json_t **ret) MUST_USE;

#endif
