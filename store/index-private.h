/*
 * store/index-private.h - index.json, the view of the refs for other tools.
 */
#ifndef STORE_INDEX_PRIVATE_H
#define STORE_INDEX_PRIVATE_H

#include "base/mem.h"
#include "base/str.h"
#include "store/ref.h"

/* How users and other tools call an image: without "docker.io/library/" or "docker.io/". */
const char *index_familiar(const char *name);

/* The text of index.json for these refs, sorted by familiar name. Of two refs with one familiar
 * name the first keeps it, the other is listed by its full one. */
void index_format(const struct ref_list *refs, struct buf *buf);

#endif
