/* base/sparse.c - see base/sparse.h. */

#include "base/sparse.h"

#include "base/err.h"
#include "base/ustar.h"

#define FIELD_SIZE (SPARSE_PAIR_SIZE / 2)

void sparse_reset(struct sparse *map)
{
	map->extents.len = 0;
	map->is_pending = false;
	map->run = 0;
}

void sparse_release(struct sparse *map)
{
	vec_release(&map->extents);
	sparse_reset(map);
}

/* The first byte behind all extents. */
static uint64_t sparse_end(const struct sparse *map)
{
	const struct extent *last;

	if (map->extents.len == 0)
		return 0;
	last = vec_last(&map->extents);
	return last->offset + last->len;
}

struct err *sparse_add(struct sparse *map, uint64_t offset, uint64_t len)
{
	if (offset > INT64_MAX || len > INT64_MAX - offset || offset < sparse_end(map))
		return err_new(ERR_CORRUPT, "its sparse map is out of order");
	vec_push(&map->extents, (struct extent){ offset, len });
	return NULL;
}

struct err *sparse_add_offset(struct sparse *map, uint64_t offset)
{
	if (map->is_pending)
		return err_new(ERR_CORRUPT, "its sparse map lacks a length");
	map->pending = offset;
	map->is_pending = true;
	return NULL;
}

struct err *sparse_add_len(struct sparse *map, uint64_t len)
{
	if (!map->is_pending)
		return err_new(ERR_CORRUPT, "its sparse map lacks an offset");
	map->is_pending = false;
	return sparse_add(map, map->pending, len);
}

struct err *sparse_add_list(struct sparse *map, struct str text)
{
	while (text.len > 0) {
		uint64_t n;

		TRY(ustar_decimal(str_cut(&text, ','), "sparse map", INT64_MAX, &n));
		if (map->is_pending)
			TRY(sparse_add_len(map, n));
		else
			TRY(sparse_add_offset(map, n));
	}
	return NULL;
}

struct err *sparse_add_fields(struct sparse *map, const char *fields, size_t count)
{
	for (; count > 0 && fields[0] != '\0'; count--, fields += SPARSE_PAIR_SIZE) {
		int64_t offset, len;

		TRY(ustar_number(fields, FIELD_SIZE, "sparse map", 0, INT64_MAX, &offset));
		TRY(ustar_number(fields + FIELD_SIZE, FIELD_SIZE, "sparse map", 0, INT64_MAX,
				 &len));
		TRY(sparse_add(map, (uint64_t)offset, (uint64_t)len));
	}
	return NULL;
}

struct err *sparse_finish(struct sparse *map, uint64_t size, uint64_t stored)
{
	uint64_t total = 0; /* cannot overflow: the extents do not overlap */

	vec_foreach (&map->extents, extent)
		total += extent->len;
	if (map->is_pending)
		return err_new(ERR_CORRUPT, "its sparse map lacks a length");
	if (sparse_end(map) > size || total != stored)
		return err_new(ERR_CORRUPT, "its sparse map does not agree with its size");
	map->run = 0;
	return NULL;
}

uint64_t sparse_run(struct sparse *map, uint64_t pos, bool *ret_hole)
{
	const struct extent *extent;

	while (map->run < map->extents.len) {
		extent = &map->extents.at[map->run];
		*ret_hole = pos < extent->offset;
		if (*ret_hole)
			return extent->offset - pos;
		if (pos < extent->offset + extent->len)
			return extent->offset + extent->len - pos;
		map->run++;
	}
	*ret_hole = true;
	return UINT64_MAX;
}
