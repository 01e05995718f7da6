/*
 * store/failed-private.h - the text of a failed step's record.
 *
 *	cairn-failed 1
 *	created <seconds> <nanoseconds>
 *	step <number> <index> <count>
 *	stage, title, code, layer (or -), bytes
 *	below <how many>            and a line "- <lid>" for each
 *	argv, env, hosts            likewise, "- <text>"
 *	shell, user, cwd, hostname, network
 *	flags <insecure> <host root> <shm size>
 *	mounts <how many>
 *	mount <type> <target> <source> <id> <sharing> <env> <cache> <read only> <size> <mode> <uid> <gid>
 *	sum ...
 *
 * Texts are escaped; there are tabs between the fields of a mount, blanks between numbers.
 */
#ifndef STORE_FAILED_PRIVATE_H
#define STORE_FAILED_PRIVATE_H

#include "base/str.h"
#include "store/failed.h"

#define FAILED_MAX ((size_t)8 * 1024 * 1024) /* of a record */

/* Appended to `buf`. */
struct err *failed_format(const struct failed_step *step, struct buf *buf) MUST_USE;

/* ERR_CORRUPT for anything but what failed_format() writes. The id is not in it. */
struct err *failed_parse(struct str text, struct failed_step *ret) MUST_USE;

#endif
