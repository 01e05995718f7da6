/*
 * store/index-private.h - index.json, the view of the refs for other tools.
 *
 * One line per image, sorted by the name that it has there:
 *
 *	{"schemaVersion":2,"mediaType":"...","manifests":[
 *	{"mediaType":"...","digest":"...","size":1,"annotations":{"<key>":"app:latest"}},
 *	{"mediaType":"...", ...}]}
 *
 * So a change can be put into the text where it belongs, without reading all of
 * the refs. That is done only while the text is known to be right: the file
 * lock/index remembers identity, size and times of index.json and of refs/ as
 * they were when the last change had been flushed. A change that is still on its
 * way, or whose author was killed, another tool that wrote index.json, a ref that
 * came or went in another way: all of them show, and the view is made anew from
 * the refs. (Where times are coarse, as on tmpfs, what others do within a few
 * milliseconds of our change shows only if a size is another then.)
 */
#ifndef STORE_INDEX_PRIVATE_H
#define STORE_INDEX_PRIVATE_H

#include "base/lock.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/ref.h"

struct store;

#define INDEX_MAX ((size_t)256 * 1024 * 1024)

/* How users and other tools call an image: without "docker.io/library/" or "docker.io/". */
const char *index_familiar(const char *name);

/* The text of index.json for these refs. Of refs with one familiar name the first keeps it, the
 * others are listed by their full ones. */
void index_format(const struct ref_list *refs, struct buf *buf);

/* Put one change into the text of a view in which every familiar name is the only one of its kind:
 * `name` points at `target`, or is gone if that is NULL. False for a text that index_format() did
 * not write; `after` then is rubbish. */
bool index_splice(struct str text, const char *name, const struct descriptor *target,
		  struct buf *after);

/* Write index.json as it will be after the change of one ref, which is to follow. Its bytes are
 * flushed, its name is not yet. `held` is lock/index. `text`, empty and of INDEX_MAX, then holds
 * what was written; if a name was left out of it as its ref could not be read, `*ret_whole` is false,
 * and it is not to be settled. */
struct err *index_render(struct store *store, const struct lock *held, const char *name,
			 const struct descriptor *target, struct buf *text, bool *ret_whole)
	MUST_USE;

/* Write index.json anew from the refs as they are; its name is not flushed. The caller holds
 * lock/index. */
struct err *index_renew(struct store *store) MUST_USE;

/* The ref has been changed, and is on disk with the view: they agree from here on. */
void index_settle(struct store *store, const struct lock *held);

/* Whether nothing has happened since the last index_settle(): all names are on disk. Also without
 * the lock: a change that another process is making shows. False if it cannot be told, and once
 * after every boot. */
bool index_is_settled(struct store *store);

#endif
