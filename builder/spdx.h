/*
 * builder/spdx.h - a list of packages as an SPDX document (version 2.3, JSON).
 *
 * The document describes one package, the image, which contains all others. What nobody knows says
 * NOASSERTION: licences that a package declares are no SPDX expressions, mostly, and none is guessed. Its time is
 * that of the image, so that one image has one document.
 */
#ifndef BUILDER_SPDX_H
#define BUILDER_SPDX_H

#include <jansson.h>
#include <time.h>

#include "base/digest.h"
#include "base/mem.h"

struct package_list;

struct spdx_image {
	const char *name;              /* what it is called; NULL: nothing */
	const char *purl;              /* NULL: it has none */
	const struct digest *manifest; /* by which it is known */
	struct timespec created;
};

/* The document; the caller's. `list` is sorted. */
json_t *spdx_make(const struct spdx_image *image, const struct package_list *list) MUST_USE;

#endif
