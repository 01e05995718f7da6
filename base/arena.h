/*
 * base/arena.h - many small pieces of memory that die together.
 *
 * A parsed document is hundreds of little strings and arrays with one
 * lifetime: they come from an arena, point at each other freely, and one
 * arena_release() ends them all. Nothing is freed one by one.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

struct arena_block;

/* All zero is an empty arena. */
struct arena {
	struct arena_block *blocks; /* the newest first */
	size_t used;                /* bytes taken of the newest */
};

/* Zeroed memory, aligned for any type. Never NULL, also for a `size` of 0. */
void *arena_alloc(struct arena *arena, size_t size) MUST_USE;
/* `count` elements of `size` bytes each; aborts when the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size) MUST_USE;
/* A copy with a NUL behind it. */
char *arena_text(struct arena *arena, struct str text) MUST_USE;
void arena_release(struct arena *arena);

/* AUTO(arena) struct arena arena = { 0 }; */
static inline void arena_auto_(struct arena *arena)
{
	arena_release(arena);
}

#endif
