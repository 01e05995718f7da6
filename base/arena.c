/* base/arena.c - blocks that grow; a large piece gets a block of its own. */

#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FIRST_BLOCK ((size_t)8 * 1024)
#define LAST_BLOCK ((size_t)256 * 1024) /* blocks double up to here */

struct arena_block {
	struct arena_block *older;
	size_t size; /* of `data` */
	max_align_t data[];
};

/* Put a fresh block of at least `size` bytes in front. Its memory is zero. */
static void add_block(struct arena *arena, size_t size)
{
	size_t want = arena->blocks ? 2 * arena->blocks->size : FIRST_BLOCK;
	struct arena_block *block;

	if (want > LAST_BLOCK)
		want = LAST_BLOCK;
	if (want < size)
		want = size;
	block = xcalloc(1, sizeof(*block) + want);
	block->older = arena->blocks;
	block->size = want;
	arena->blocks = block;
	arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t align = alignof(max_align_t);
	size_t need = (size + align - 1) & ~(align - 1);
	char *piece;

	assert(size <= SIZE_MAX / 2); /* a size from outside was checked before it came here */
	if (!arena->blocks || need > arena->blocks->size - arena->used)
		add_block(arena, need);
	piece = (char *)arena->blocks->data + arena->used;
	arena->used += need;
	return piece;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	assert(size == 0 || count <= SIZE_MAX / 2 / size);
	return arena_alloc(arena, count * size);
}

char *arena_text(struct arena *arena, struct str text)
{
	char *copy = arena_alloc(arena, text.len + 1);

	if (text.len)
		memcpy(copy, text.at, text.len);
	return copy;
}

void arena_release(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *older = arena->blocks->older;

		free(arena->blocks);
		arena->blocks = older;
	}
	arena->used = 0;
}
