/*
 * store/store-private.h - what the files of store/ share: open directories, the lease, pins.
 */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include "store/store.h"

/* The lease of this process, made on first use: leases/<id> exists and is locked, tmp/<id>
 * exists. Dead leases found on the way are swept. `*ret_dir` is tmp/<id>, borrowed. */
struct err *store_lease(struct store *store, int *ret_dir) MUST_USE;

/* A fresh name below tmp/<lease>, owned by the caller. */
char *store_temp_name(struct store *store) MUST_USE;

/* Record that this process uses an object; `kind` is 'L' layer, 'B' blob or 'S' step. The caller
 * holds the prune lock, shared, since before it looked the object up. */
struct err *store_pin(struct store *store, char kind, const char *name) MUST_USE;

/* The prune lock, shared. */
struct err *store_hold(struct store *store, struct lock *ret) MUST_USE;

#endif
