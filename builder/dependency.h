/*
 * builder/dependency.h - what a build took from elsewhere: where it was, and what exactly it is.
 *
 * A file of the web by its sha256, a repository by its commit. Provenance lists
 * them (builder/provenance.h), so no URI holds a secret: no login and no value of a
 * query. Images are in the plan (builder/plan.h).
 */
#ifndef BUILDER_DEPENDENCY_H
#define BUILDER_DEPENDENCY_H

#include <stddef.h>

#include "base/digest.h"
#include "base/mem.h"

struct git_url;

struct dependency {
	char *uri;             /* owned */
	const char *algorithm; /* "sha256", "sha1"; a literal */
	char *hex;             /* owned */
};

struct dependencies {
	struct dependency *at;
	size_t len, cap;
};

void dependencies_add(struct dependencies *list, const char *uri, const struct digest *digest);
/* A file of the web. */
void dependencies_add_web(struct dependencies *list, const char *url, const struct digest *digest);
/* "https://host/path.git#ref" and the commit, which is 40 or 64 hex digits. */
void dependencies_add_git(struct dependencies *list, const struct git_url *url, const char *commit);
/* Appends copies. */
void dependencies_copy(struct dependencies *to, const struct dependencies *from);
/* By URI and digest, each once. */
void dependencies_sort(struct dependencies *list);
void dependencies_release(struct dependencies *list);

static inline void dependencies_auto_(struct dependencies *list)
{
	dependencies_release(list);
}

#endif
