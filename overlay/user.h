/*
 * overlay/user.h - who a step runs as: USER, looked up in the image.
 *
 * The grammar is `user` or `user:group`, each a name or a decimal number:
 *
 *	NAME         the entry's ids, and every group that lists the name
 *	UID          the same of the entry with that uid; without one gid 0
 *	x:GROUP      that group only, nothing supplementary
 *
 * An empty text is root, `root` and `0` need no files, and two numbers decide
 * everything but HOME. Text of digits is a number, also if an entry has such a
 * name. Numbers are at most 2^31 - 1, so that no wrap can make root of them.
 *
 * An empty half is as if it were not there, but one of them has to be: ':' alone is
 * what is left of variables that nobody set, and must not become root.
 *
 * /etc/passwd and /etc/group are opened as the image sees them: links resolve
 * inside the root. Each must be a regular file of at most 10 MiB, unless two
 * numbers make it needless. Lines that do not parse are skipped, as libc does;
 * an id that is out of range does not parse.
 */
#ifndef OVERLAY_USER_H
#define OVERLAY_USER_H

#include <stddef.h>
#include <sys/types.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

struct user {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned; sorted, without duplicates */
	size_t group_count;
	char *home; /* owned; never NULL, "/" if unknown */
};

/* ERR_INVALID for text outside the grammar or the range, ERR_NOT_FOUND for a name that the image
 * does not know, naming some that it does. `root_fd` is the merged root. */
struct err *user_resolve(int root_fd, struct str text, struct user *ret) MUST_USE;
/* The same from the contents of the two files; an absent file is empty. */
struct err *user_look_up(struct str text, struct str passwd, struct str group, struct user *ret)
	MUST_USE;
void user_release(struct user *user);

static inline void user_auto_(struct user *user)
{
	user_release(user);
}

#endif
