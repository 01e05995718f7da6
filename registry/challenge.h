/*
 * registry/challenge.h - what a server says it wants: WWW-Authenticate.
 *
 *	challenges = #challenge
 *	challenge  = scheme [ 1*SP ( token68 / #param ) ]
 *	param      = token BWS "=" BWS ( token / quoted-string )
 *
 * RFC 9110, 11.6.1. A comma separates parameters and challenges alike: a word with "="
 * behind it belongs to the challenge before, any other word begins a new one. One header
 * line may hold several challenges, several lines may come, a scheme may stand alone. Schemes
 * and names of parameters are compared without case and kept in lower case; of a parameter
 * that comes twice the first counts.
 */
#ifndef REGISTRY_CHALLENGE_H
#define REGISTRY_CHALLENGE_H

#include <stddef.h>

#include "base/mem.h"

struct err;

struct challenge_param {
	char *name;  /* owned, lower case */
	char *value; /* owned, unquoted */
};

struct challenge {
	char *scheme;  /* owned, lower case: "bearer" */
	char *token68; /* owned; NULL if there is none */
	struct {
		struct challenge_param *at;
		size_t len, cap;
	} params;
};

struct challenges {
	struct challenge *at; /* in the order of the header */
	size_t len, cap;
};

#define CHALLENGE_HEADER_MAX ((size_t)64 * 1024)
#define CHALLENGES_MAX 16       /* over all lines */
#define CHALLENGE_PARAMS_MAX 32 /* of each */

/* Append the challenges of one header line. ERR_INVALID says what is wrong; those that were read
 * before that place are kept. */
struct err *challenges_read(struct challenges *list, const char *header) MUST_USE;
void challenges_release(struct challenges *list);

/* The first of a scheme ("bearer"), or NULL. Borrowed, as below. */
const struct challenge *challenges_find(const struct challenges *list, const char *scheme);
const char *challenge_param(const struct challenge *challenge, const char *name); /* or NULL */

static inline void challenges_auto_(struct challenges *list)
{
	challenges_release(list);
}

#endif
