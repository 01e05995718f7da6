/*
 * base/map.h - a hash map from byte strings to pointers.
 *
 * Keys are copied and may hold any byte. Values are the caller's. The hash is
 * seeded once per process, so outside text cannot aim for collisions.
 * Iteration order is insertion order, and does not depend on the seed: nothing
 * that is written or hashed may depend on chance.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct map_entry {
	char *key; /* owned by the map, NUL-terminated */
	size_t key_len;
	void *value; /* the caller's */
};

struct map {
	struct map_entry *at; /* in insertion order */
	size_t len, cap;
	uint32_t *slots;   /* index into `at` plus one; 0 is free */
	size_t slot_count; /* a power of two, or 0 */
};

#define MAP_INIT ((struct map){ 0 })

/* Set `key` to `value`. Returns the value that stood there before, or NULL. */
void *map_put(struct map *map, struct str key, void *value);
void *map_get(const struct map *map, struct str key); /* NULL if absent */
bool map_has(const struct map *map, struct str key);
/* Forget everything. With `free_value` each value is passed to it first. */
void map_release(struct map *map, void (*free_value)(void *value));

#define map_foreach(map, entry)                                                                 \
	for (struct map_entry *entry = (map)->at; (map)->len && entry < (map)->at + (map)->len; \
	     entry++)

#endif
