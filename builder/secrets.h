/*
 * builder/secrets.h - what --secret hands to a build.
 *
 * A secret has a name, its id, and a value: the bytes of a file or of a variable.
 * Values are read when the option is, whole and once, so a pipe will do and a
 * missing file is told before anything runs. They live in memory alone, and are
 * wiped when the table is freed: no key, no record, no event and no log has one.
 *
 * A table does not change once it is filled; any number of threads may read it.
 */
#ifndef BUILDER_SECRETS_H
#define BUILDER_SECRETS_H

#include <stddef.h>

#include "base/mem.h"

struct err;
struct secrets;

#define SECRET_MAX ((size_t)500 * 1024) /* bytes of a value, as other builders have it */

struct secret {
	char *id;
	char *value; /* `len` bytes, any of them, and a NUL behind */
	size_t len;
};

struct secrets *secrets_new(void) MUST_USE;
/* Wipes the values. */
void secrets_free(struct secrets *secrets);
DEFINE_AUTO(secrets)

/* Add what one --secret says: "id=ID[,src=PATH|,source=PATH|,env=NAME][,type=file|env]", a CSV
 * record. With type=env, src is the name of a variable. With the id alone it is the value of the
 * variable of that name, if there is one and type=file does not stand there, else of the file of
 * that name. A later secret replaces an earlier one of the same id. ERR_INVALID for what cannot be
 * read as this or is too large, ERR_NOT_FOUND for a file or a variable that is not there. */
struct err *secrets_add(struct secrets *secrets, const char *text) MUST_USE;

/* The secret of that id, borrowed; NULL if there is none, or no table. */
const struct secret *secrets_find(const struct secrets *secrets, const char *id);

/* `text` with "***" for every value that stands in it, but for values of less than four bytes: those of
 * words. Owned by the caller; `secrets` may be NULL. */
char *secrets_hide(const struct secrets *secrets, const char *text) MUST_USE;

/* Overwrite memory that held a secret. */
void secret_wipe(void *data, size_t len);

#endif
