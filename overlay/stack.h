/*
 * overlay/stack.h - the layers of an image or a half-built stage, open and in order.
 *
 * A stack is what overlayfs mounts: directories of layers, the newest first in
 * the mount, the lowest first here. It owns its descriptors. Growing a stack by a
 * step's layer copies no file; stages that start from one another share layers
 * by opening them again.
 */
#ifndef OVERLAY_STACK_H
#define OVERLAY_STACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "store/layer.h"

struct err;
struct idmap;
struct image;
struct mounted;
struct pool;
struct progress;
struct skeleton;
struct store;
struct trees;

#define STACK_MAX 490 /* the kernel takes 500 lower directories; some are ours */

struct stack_layer {
	char lid[LAYER_ID_SIZE];
	int fd;        /* layers/<lid>/fs, owned */
	bool has_root; /* the layer decides the metadata of "/" */
};

/* All zero is an empty stack. */
struct stack {
	struct stack_layer *at; /* lowest first */
	size_t len, cap;
	struct store *store; /* of the layers, borrowed; NULL while there are none */
	/* How stack_view() and stack_mount() show owners, borrowed; NULL: as they are. */
	const struct idmap *idmap;
	struct trees *trees; /* of the build, for stack_mount(), borrowed; may be NULL */
};

void stack_release(struct stack *stack);

/* Put a layer on top; one that is in the stack already goes there from its place, since what it says
 * above it need not say below. ERR_NOT_FOUND if it is absent or not trusted, ERR_UNSUPPORTED above
 * STACK_MAX. */
struct err *stack_push(struct stack *stack, struct store *store, const char *lid) MUST_USE;
/* The same layers, opened again. */
struct err *stack_copy(const struct stack *from, struct store *store, struct stack *ret) MUST_USE;

/* The stack of an image: each layer is found by its diff id or unpacked from its blob, in
 * parallel on `pool`, one process per layer (store_single); a layer that turns out to depend on
 * what lies below is unpacked again in its place. Errors name the layer's number and digest;
 * ERR_CORRUPT for a blob or tar that does not match its digests, of which nothing is kept.
 * `progress` may be NULL. So may `pool`, for one layer after the other; on a thread of the pool it
 * must be (base/pool.h). `ret` is an empty stack. */
struct err *stack_of_image(struct store *store, const struct image *image, struct pool *pool,
			   struct progress *progress, struct stack *ret) MUST_USE;

/* A read-only, detached mount of the whole stack: openat(2) beneath it sees what a container
 * would. "/" has the metadata that the newest layer which brings a root gave it, else the lowest
 * layer's. The descriptor (O_PATH) is the caller's, and good for as long as the store is open. An
 * empty stack gives an empty directory. */
struct err *stack_view(const struct stack *stack, int *ret_fd) MUST_USE;

/* Start a layer on top of the stack, to be mounted by stack_mount() and kept by
 * stack_seal_layer(): the upper directory gets the mode, owner and xattrs of the
 * stack's "/" (0755 root for an empty stack). */
struct err *stack_begin_layer(const struct stack *stack, struct store *store,
			      struct layer_stage **ret) MUST_USE;
/* The stack with that layer on top, detached and writable: the root of a step. What is written goes
 * to the layer; `skeleton` lies below everything, and the directory `points_fd` (-1: none) right
 * below the layer, of which it is no part. Once per layer. The descriptor (O_PATH) is the caller's,
 * and so is `*ret` (overlay/driver.h), for mounted_settle() before the layer is read or sealed: it goes
 * before the layer does. `ret` is NULL if the layer is thrown away. */
struct err *stack_mount(const struct stack *stack, const struct layer_stage *layer,
			const struct skeleton *skeleton, int points_fd, int *ret_fd,
			struct mounted **ret) MUST_USE;
/* Seal it: layer_seal(), with meta->has_root set if the layer has changed what "/" is. */
struct err *stack_seal_layer(const struct stack *below, struct layer_stage *stage,
			     struct layer_meta *meta) MUST_USE;

static inline void stack_auto_(struct stack *stack)
{
	stack_release(stack);
}

#endif
