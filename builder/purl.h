/*
 * builder/purl.h - package URLs: one spelling for packages of every kind.
 *
 *	pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12
 *	pkg:npm/%40scope/name@1.0.0
 *	pkg:docker/library/debian@12?platform=linux%2Famd64
 *
 * Of the specification (ECMA-427): every byte but letters, digits, ".", "-", "_", "~" and ":" is
 * percent-encoded; qualifiers stand in the order of their names.
 */
#ifndef BUILDER_PURL_H
#define BUILDER_PURL_H

#include "base/mem.h"
#include "base/str.h"

struct digest;
struct platform;

/* Append `text`, encoded. "/" is too, unless it is kept, as in a namespace. */
void purl_encode(struct buf *out, struct str text, bool keep_slashes);

/* "pkg:TYPE/NAMESPACE/NAME@VERSION"; `namespace` and `version` may be NULL or empty. Owned. */
char *purl_format(const char *type, const char *namespace, const char *name, const char *version)
	MUST_USE;

/* An image by what it was called, as BuildKit writes it: names of Docker Hub are short, a tag that is
 * not said is latest. `platform` may be NULL. Owned; NULL for what is no name of an image. */
char *purl_of_image(const char *name, const struct platform *platform) MUST_USE;

#endif
