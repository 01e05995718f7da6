/*
 * builder/chmod.h - the MODE of --chmod: octal, or symbolic as chmod(1) has it.
 */
#ifndef BUILDER_CHMOD_H
#define BUILDER_CHMOD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

struct chmod_clause {
	mode_t who;   /* of 0777: the classes that it names */
	char op;      /* '+', '-' or '=' */
	mode_t bits;  /* of 07777, before `who` cuts them */
	char copy;    /* 'u', 'g' or 'o': take that class's bits instead; 0 */
	bool if_exec; /* X: execute only for directories and what is executable already */
};

#define CHMOD_CLAUSES 16

struct chmod_spec {
	bool given;
	bool octal;
	mode_t mode; /* octal */
	struct chmod_clause clauses[CHMOD_CLAUSES];
	size_t count;
};

/* "755", "u=rwX,go=rX". The umask plays no part. ERR_INVALID shows both forms. */
struct err *chmod_parse(struct str text, struct chmod_spec *ret) MUST_USE;

/* The permission bits (07777) after the change; `mode` has type and bits. */
mode_t chmod_apply(const struct chmod_spec *spec, mode_t mode);

#endif
