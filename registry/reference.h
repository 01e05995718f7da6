/*
 * registry/reference.h - names of images, as people write them and as they are kept.
 *
 *	reference  = [ domain "/" ] path [ ":" tag ] [ "@" digest ]
 *	domain     = host [ ":" digits ]
 *	host       = label *( "." label ) / "[" IPv6 without zone "]"
 *	label      = letters, digits and inner "-"; capitals allowed
 *	path       = component *( "/" component )
 *	component  = [a-z0-9]+ *( ( "." / "_" / "__" / 1*"-" ) [a-z0-9]+ )
 *	tag        = [A-Za-z0-9_] *127[A-Za-z0-9_.-]
 *	digest     = "sha256:" 64 lower-case hex digits / "sha512:" 128 of them
 *
 * What stands before the first "/" is a domain only if it holds "." or ":" or
 * a capital, or is "localhost"; everything else lives on docker.io, and a path
 * of one component there lies below "library/". Domain and path together have
 * at most 255 bytes. A bare name of 64 hex digits is an image id, never a name.
 *
 * The canonical form says everything, "docker.io/library/app:latest", and is what
 * the store uses. The familiar form is the shortest that reads back as the same,
 * "app:latest", and is what people see. Neither depends on configuration.
 */
#ifndef REGISTRY_REFERENCE_H
#define REGISTRY_REFERENCE_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

#define REFERENCE_NAME_MAX 255 /* domain, "/" and path */
#define REFERENCE_TAG_MAX 128
#define REFERENCE_DIGEST_MAX (7 + 128) /* "sha512:" and its digits */

/* A plain value. */
struct reference {
	char domain[REFERENCE_NAME_MAX + 1];
	char path[REFERENCE_NAME_MAX + 1];
	char tag[REFERENCE_TAG_MAX + 1];       /* empty if there is none */
	char digest[REFERENCE_DIGEST_MAX + 1]; /* empty if there is none */
};

/* Parse what a user wrote. ERR_INVALID says which part is wrong and, where it is likely, what
 * was meant; ERR_UNSUPPORTED for a digest of another algorithm. Adds no tag. On failure `*ret`
 * is left as it was. */
struct err *reference_parse(const char *text, struct reference *ret) MUST_USE;

/* "docker.io/library/app:latest", owned by the caller; ":latest" if there is neither tag nor
 * digest. */
char *reference_canonical(const struct reference *ref) MUST_USE;
/* "app:latest", under the same rule. */
char *reference_familiar(const struct reference *ref) MUST_USE;
/* "docker.io/library/app", without tag and digest. */
char *reference_repository(const struct reference *ref) MUST_USE;

/* Whether `text` begins with no registry, so that docker.io is meant. */
bool reference_is_short(const char *text);
/* Whether `text` is a domain by the grammar, "host[:port]". */
bool reference_is_domain(struct str text);

/* reference_parse() and reference_canonical() in one, for names that a store may keep: one with
 * a digest is ERR_INVALID, since it would name what it cannot change, and so is one called like
 * the algorithm of a digest, since it would hide an image's id. */
struct err *reference_normalize(const char *text, char **ret_canonical) MUST_USE;
/* The familiar form of a canonical name; a text that is no reference comes back as it is. */
char *reference_shorten(const char *canonical) MUST_USE;

#endif
