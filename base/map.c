/* base/map.c - open addressing over an insertion-ordered array. */

#include "base/map.h"

#include <sys/random.h>

#include "base/vec.h"

/* The seed of this process: the first caller decides, whatever thread it is on. */
static uint64_t map_seed(void)
{
	static uint64_t seed;
	uint64_t now = __atomic_load_n(&seed, __ATOMIC_RELAXED);
	uint64_t fresh = 0;

	if (now)
		return now;
	if (getrandom(&fresh, sizeof(fresh), GRND_NONBLOCK) != (ssize_t)sizeof(fresh))
		fresh = (uint64_t)(uintptr_t)&fresh; /* address-space layout is the next best */
	fresh |= 1;
	if (__atomic_compare_exchange_n(&seed, &now, fresh, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		return fresh;
	return now;
}

/* FNV-1a from a seed that differs between runs. */
static uint64_t hash_key(struct str key)
{
	uint64_t h = map_seed() ^ 0xcbf29ce484222325u;

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ (uint8_t)key.at[i]) * 0x100000001b3u;
	return h ^ (h >> 29);
}

/* The slot that holds `key`, or the free slot where it belongs. Needs slots. */
static size_t find_slot(const struct map *map, struct str key)
{
	size_t mask = map->slot_count - 1;
	size_t i = hash_key(key) & mask;

	for (; map->slots[i]; i = (i + 1) & mask) {
		const struct map_entry *e = &map->at[map->slots[i] - 1];

		if (str_equal((struct str){ e->key, e->key_len }, key))
			break;
	}
	return i;
}

/* Keep at least half of the slots free. */
static void grow_slots(struct map *map)
{
	if (map->slot_count >= 2 * (map->len + 1))
		return;
	free(map->slots);
	map->slot_count = map->slot_count ? 2 * map->slot_count : 16;
	map->slots = xcalloc(map->slot_count, sizeof(*map->slots));
	for (size_t i = 0; i < map->len; i++) {
		struct str key = { map->at[i].key, map->at[i].key_len };

		map->slots[find_slot(map, key)] = (uint32_t)(i + 1);
	}
}

void *map_put(struct map *map, struct str key, void *value)
{
	struct map_entry *e;
	void *before;
	size_t slot;

	grow_slots(map);
	slot = find_slot(map, key);
	if (map->slots[slot]) {
		e = &map->at[map->slots[slot] - 1];
		before = e->value;
		e->value = value;
		return before;
	}
	vec_push(map, (struct map_entry){ str_dup(key), key.len, value });
	map->slots[slot] = (uint32_t)map->len;
	return NULL;
}

static const struct map_entry *find(const struct map *map, struct str key)
{
	uint32_t slot = map->slot_count ? map->slots[find_slot(map, key)] : 0;

	return slot ? &map->at[slot - 1] : NULL;
}

void *map_get(const struct map *map, struct str key)
{
	const struct map_entry *e = find(map, key);

	return e ? e->value : NULL;
}

bool map_has(const struct map *map, struct str key)
{
	return find(map, key) != NULL;
}

void map_release(struct map *map, void (*free_value)(void *value))
{
	map_foreach (map, entry) {
		if (free_value)
			free_value(entry->value);
		free(entry->key);
	}
	free(map->slots);
	free(map->at);
	*map = MAP_INIT;
}
