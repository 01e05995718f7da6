/*
 * registry/members.h - the files of an archive or of a directory, by name.
 *
 * What loads an image wants a few small documents first and then, once those
 * have told what they are, the large files. A directory gives any file at any
 * time; a tar, perhaps compressed, only in its own order. So a tar is read
 * twice: opening it lists the members and keeps the small ones that look like
 * JSON; members_visit() streams the ones that are wanted. What cannot be
 * read twice (standard input, a fifo) is copied into a nameless file in the
 * store first.
 *
 * Everything is hostile: names are cleaned or ignored, links are followed
 * among the members only, documents and their sum are bounded, tar limits are
 * those of base/untar.h. Of members with one name the last one counts.
 */
#ifndef REGISTRY_MEMBERS_H
#define REGISTRY_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"

struct err;
struct members;
struct source;
struct store;

#define MEMBERS_DOCUMENT_MAX ((size_t)8 * 1024 * 1024)   /* one document */
#define MEMBERS_DOCUMENTS_MAX ((size_t)64 * 1024 * 1024) /* all documents of a tar */
#define MEMBERS_MAX ((uint64_t)200 * 1000)               /* members of a tar */

/* Open a directory or an archive; "-" is standard input. ERR_NOT_FOUND if there is no such file,
 * ERR_INVALID if it is no archive. */
struct err *members_open(struct store *store, const char *path, struct members **ret) MUST_USE;
void members_free(struct members *members);
DEFINE_AUTO(members)

/* The member that `name` leads to through links, by its clean name, borrowed from `members`; NULL
 * if there is no such regular file. */
const char *members_find(struct members *members, const char *name);

/* A small document, appended to `buf`. `name` as members_find() takes it. ERR_NOT_FOUND names it;
 * ERR_INVALID above `max` bytes. */
struct err *members_read(struct members *members, const char *name, size_t max, struct buf *buf)
	MUST_USE;

/* The same, read as JSON: `*ret` owns what `*ret_root` looks at, whose errors borrow `name`. */
struct err *members_read_json(struct members *members, const char *name, size_t max, json_t **ret,
			      struct json_at *ret_root) MUST_USE;

/* One member on its way. */
struct member_content {
	const char *name;
	void *value;            /* what `wanted` has for it */
	struct source *content; /* borrowed; what is not read is skipped */
	uint64_t size;
	enum codec codec; /* what the first bytes announce */
};

/* Call `each` once for every member named in `wanted`, in an order that is not the caller's to
 * choose. The names come from members_find(). */
struct err *members_visit(struct members *members, const struct map *wanted,
			  struct err *(*each)(void *arg, const struct member_content *member),
			  void *arg) MUST_USE;

#endif
