/*
 * builder/mount.h - the value of RUN --mount.
 *
 * A CSV record of key=value fields. Values are expanded one by one, after the
 * record was cut, so a variable may bring a comma. The checks look at the type
 * seen so far, in order: `type=` belongs first. Buildah's z and Z are passed over.
 */
#ifndef BUILDER_MOUNT_H
#define BUILDER_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct expander;

enum mount_type { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum mount_sharing { MOUNT_SHARED, MOUNT_PRIVATE, MOUNT_LOCKED };

struct mount {
	enum mount_type type;
	enum mount_sharing sharing;
	char *target; /* as written, possibly relative; NULL if absent */
	char *source; /* NULL if absent */
	char *from;   /* as written; NULL if absent: the context for a bind, nothing for a cache */
	char *id;     /* cache, secret, ssh; NULL if absent */
	char *env;    /* secret: the variable that holds it, or NULL */
	bool read_only;         /* after defaults: true for a bind, false for a cache */
	bool required;          /* secret, ssh */
	uint64_t size;          /* tmpfs: bytes, 0 if absent */
	int64_t mode, uid, gid; /* -1 if absent */
};

/* Parse `text`, with its values but for `from` expanded by `expander`. Errors are ERR_INVALID without a place:
 * give them to script_wrap(). */
struct err *mount_parse(struct str text, const struct expander *expander, struct mount *ret)
	MUST_USE;
/* The `from` of a mount, before anything is expanded: owned by the caller, NULL if there is none.
 * ERR_INVALID if `text` is no CSV record. */
struct err *mount_parse_from(struct str text, char **ret) MUST_USE;
/* Of one that stands in no Recipe: what can be told before its variables are known. ERR_INVALID. */
struct err *mount_check(const char *text) MUST_USE;
/* Bytes, with a factor of 1024 or a power of it: "128m", "1 GiB", "1.5g", "4096b". ERR_INVALID. */
struct err *mount_parse_size(const char *value, uint64_t *ret) MUST_USE;
void mount_release(struct mount *mount);
const char *mount_type_name(enum mount_type type); /* "bind" */

/* AUTO(mount) struct mount mount = { 0 }; */
static inline void mount_auto_(struct mount *mount)
{
	mount_release(mount);
}

#endif
