/* tests/unit/test_arena.c - pieces are zero, aligned, and do not overlap. */

#include "tests/unit/unit.h"

#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "base/arena.h"

TEST(pieces_are_aligned_and_zero_and_apart)
{
	AUTO(arena) struct arena arena = { 0 };
	unsigned char *pieces[2000];

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		pieces[i] = arena_alloc(&arena, i);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)(i % 251), i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		for (size_t k = 0; k < i; k++)
			assert_int_equal(pieces[i][k], i % 251);
}

TEST(a_piece_may_be_larger_than_any_block)
{
	AUTO(arena) struct arena arena = { 0 };
	char *small = arena_text(&arena, STR("small"));
	char *large = arena_array(&arena, 1024, 1024);

	memset(large, 'x', (size_t)1024 * 1024);
	assert_string_equal(small, "small");
}

TEST(text_gets_its_nul)
{
	AUTO(arena) struct arena arena = { 0 };

	assert_string_equal(arena_text(&arena, (struct str){ "abcdef", 3 }), "abc");
	assert_string_equal(arena_text(&arena, (struct str){ NULL, 0 }), "");
}

TEST(an_empty_arena_can_be_released)
{
	struct arena arena = { 0 };

	arena_release(&arena);
	assert_null(arena.blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_and_zero_and_apart),
		cmocka_unit_test(a_piece_may_be_larger_than_any_block),
		cmocka_unit_test(text_gets_its_nul),
		cmocka_unit_test(an_empty_arena_can_be_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
