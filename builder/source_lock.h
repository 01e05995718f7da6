/*
 * builder/source_lock.h - what the sources of a Recipe were when they were locked: Recipe.lock.
 *
 *	cairn-lock 1
 *	git 1c7b...e2 https://example.com/team/tool.git#main
 *	image sha256:5f70... docker.io/library/debian:12
 *	url sha256:9a0b... https://example.com/a.tar
 *
 * One source a line: its kind, what it was, and its name, which may hold spaces. An image is known by the digest
 * that its name leads to at the registry (an index, where it has one), a file of the web by that of its content,
 * a ref of a repository by the commit. Lines are written in the order of their bytes, so that the same sources give the
 * same file. Read, they may be in any order, but each source is there once.
 *
 * A source that says itself which content it means (a digest, --checksum, a whole commit) is none of the lock's.
 */
#ifndef BUILDER_SOURCE_LOCK_H
#define BUILDER_SOURCE_LOCK_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct git_url;
struct source_lock;

#define SOURCE_LOCK_MAX ((size_t)4 * 1024 * 1024) /* bytes of a file */

enum locked_kind { LOCKED_GIT, LOCKED_IMAGE, LOCKED_URL };

/* Without any source. `name` is what errors call the file. */
struct source_lock *source_lock_new(const char *name);
/* ERR_INVALID names the line; ERR_UNSUPPORTED for a version that is not known. Both say how to make it anew. */
struct err *source_lock_parse(const char *name, struct str text, struct source_lock **ret) MUST_USE;
/* Append all of it to `ret`. */
void source_lock_format(const struct source_lock *lock, struct buf *ret);
void source_lock_free(struct source_lock *lock);
DEFINE_AUTO(source_lock)

const char *source_lock_name(const struct source_lock *lock);

/* From now on a source that is not in it is an error. */
void source_lock_require(struct source_lock *lock);

/* Add a source. The same one twice is fine; ERR_INVALID if it is something else than before, or has no name that a line
 * can hold. */
struct err *source_lock_add(struct source_lock *lock, enum locked_kind kind, const char *source,
			    const char *value) MUST_USE;

/* Whether it has the source, whatever is required. */
bool source_lock_has(const struct source_lock *lock, enum locked_kind kind, const char *source);

/* What a source is; `*ret` is borrowed, and NULL if it is not locked. `lock` may be NULL: nothing is. ERR_NOT_FOUND
 * if it has to be. */
struct err *source_lock_find(const struct source_lock *lock, enum locked_kind kind,
			     const char *source, const char **ret) MUST_USE;

/* What the lock calls an image, or NULL for one that needs no lock: one with a digest, or an id. Owned. */
char *source_lock_image(const char *name);
/* The same of a repository. */
char *source_lock_git(const struct git_url *url);

#endif
