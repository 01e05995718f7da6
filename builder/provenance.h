/*
 * builder/provenance.h - how an image was made: a SLSA provenance predicate.
 *
 * Versions 1 and 0.2, with the members that BuildKit defines for its build types, which are named
 * since the structure is theirs. Mode `min` tells what the image was made from: bases by digest, files
 * of the web by checksum, commits, and the names of local sources. Mode `max` adds build arguments and
 * labels, ids of secrets (never a secret), the Recipe, and the steps with their layers. Nothing tells
 * of the machine: no host name, no path, no login of a URL, and no proxy.
 *
 * With an epoch there are no times and no id of the invocation in it: the same inputs give the same bytes.
 */
#ifndef BUILDER_PROVENANCE_H
#define BUILDER_PROVENANCE_H

#include <jansson.h>

#include "base/mem.h"

struct attest_site;
struct plan_target;

#define PROVENANCE_V1 "https://slsa.dev/provenance/v1"
#define PROVENANCE_V02 "https://slsa.dev/provenance/v0.2"

/* The predicate for a target, as the options of its plan ask for it; the caller's. */
json_t *provenance_make(const struct attest_site *site, const struct plan_target *target) MUST_USE;

#endif
