/*
 * builder/attest.h - what is said about an image, and kept beside it.
 *
 * An attestation is an in-toto statement: a predicate about a subject, which is the manifest of the
 * image. Those of one image are the layers of a manifest of their own, in the form that BuildKit gave
 * it before OCI artifacts, because every registry and tool takes it:
 *
 *	index -> manifest of the image (linux/amd64)
 *	      -> manifest of attestations (unknown/unknown; annotations name the image)
 *	             config   {"architecture": "unknown", "os": "unknown", ...}
 *	             layers   application/vnd.in-toto+json, each a statement
 *
 * Without options that ask for it nothing is attested, and an image is a manifest as ever.
 */
#ifndef BUILDER_ATTEST_H
#define BUILDER_ATTEST_H

#include <stdbool.h>
#include <time.h>

#include "base/mem.h"
#include "builder/plan.h"

struct attest_opts;
struct err;

struct attest_site {
	struct plan *plan;
	struct timespec began;  /* the build */
	const char *invocation; /* its id; NULL: it has none */
};

/* Attest what the options ask for of a target that has been assembled: `wanted->attestation` becomes the
 * manifest of it. After execute(). */
struct err *attest(const struct attest_site *site, struct plan_target *wanted) MUST_USE;

#endif
