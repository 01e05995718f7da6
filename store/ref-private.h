/*
 * store/ref-private.h - how a ref lies on disk.
 *
 * The file refs/<encoded name> is a JSON object:
 *
 *	{"mediaType":"...","digest":"sha256:...","size":526,
 *	 "name":"docker.io/library/app:latest","updated":"2026-11-23T06:20:02Z"}
 *
 * Encoded, everything but [a-z0-9_-], and dots that do not come first, is "%" and
 * two lower-case hex digits; so no two names differ in case alone, and no name is
 * hidden, "." or "..". A name that gets longer than a file name may be is "%%" and
 * the hex SHA-256 of the name, which no encoding yields. The name inside counts.
 */
#ifndef STORE_REF_PRIVATE_H
#define STORE_REF_PRIVATE_H

#include "base/str.h"
#include "store/ref.h"

#define REF_NAME_MAX 255
#define REF_PATH_SIZE (sizeof("refs/") + 255)
#define REF_MAX ((size_t)8192)

/* "refs/<encoded name>" in `buf`. ERR_INVALID for what cannot be a name. */
struct err *ref_path(const char *name, char buf[static REF_PATH_SIZE]) MUST_USE;

/* The bytes of refs/<encoded name>: `*ret_found` is false for what is absent or no such file. A disk
 * that does not give them back is an error (store_is_lost()): an image must not be lost for it. */
struct err *ref_read(struct store *store, const char *path, struct buf *buf, bool *ret_found)
	MUST_USE;

/* Read the document of a ref; `ret->name` is the caller's. ERR_CORRUPT or ERR_INVALID for what is
 * none. */
struct err *ref_parse(struct str text, struct ref *ret) MUST_USE;
/* Owned by the caller, with a newline at the end. */
char *ref_format(const struct ref *ref) MUST_USE;

#endif
