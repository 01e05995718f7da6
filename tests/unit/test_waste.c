/* tests/unit/test_waste.c - what later layers overwrite and delete. */

#include "tests/unit/unit.h"

#include <stdlib.h>

#include "base/mem.h"
#include "builder/waste.h"

static void add(struct waste *waste, size_t layer, enum tar_type type, const char *path,
		uint64_t size)
{
	assert_ok(waste_add(waste, layer,
			    &(struct tar_entry){ .type = type, .path = path, .size = size }));
}

static void assert_waste(const struct waste *waste, size_t layer, uint64_t bytes, size_t files)
{
	size_t count;

	assert_int_equal(waste_bytes(waste, layer, &count), bytes);
	assert_int_equal(count, files);
}

TEST(what_stays_is_no_waste)
{
	AUTO(waste) struct waste *waste = waste_new();

	add(waste, 0, TAR_DIR, "./", 0);
	add(waste, 0, TAR_DIR, "a/", 0);
	add(waste, 0, TAR_FILE, "a/b", 10);
	add(waste, 1, TAR_DIR, "a/", 0);
	add(waste, 1, TAR_FILE, "a/c", 10);
	add(waste, 1, TAR_FILE, ".wh.missing", 0);
	assert_waste(waste, SIZE_MAX, 0, 0);
}

TEST(files_are_overwritten_and_deleted)
{
	AUTO(waste) struct waste *waste = waste_new();
	struct waste_file files[4];

	add(waste, 0, TAR_FILE, "over", 100);
	add(waste, 0, TAR_FILE, "gone", 30);
	add(waste, 1, TAR_FILE, "./over", 7);
	add(waste, 2, TAR_FILE, ".wh.gone", 0);
	add(waste, 2, TAR_SYMLINK, "over", 0);
	assert_waste(waste, SIZE_MAX, 137, 3);
	assert_waste(waste, 0, 130, 2);
	assert_waste(waste, 1, 7, 1);
	assert_int_equal(waste_biggest(waste, files, 4), 3);
	assert_string_equal(files[0].path, "over");
	assert_int_equal(files[0].by, 1);
	assert_int_equal(files[0].kind, WASTE_OVERWRITTEN);
	assert_string_equal(files[1].path, "gone");
	assert_int_equal(files[1].kind, WASTE_DELETED);
	assert_int_equal(files[2].size, 7);
	assert_int_equal(waste_biggest(waste, files, 1), 1);
}

TEST(with_a_directory_goes_what_is_below_it_but_not_what_its_own_layer_brought)
{
	AUTO(waste) struct waste *waste = waste_new();

	add(waste, 0, TAR_FILE, "d/e/f", 5);
	add(waste, 0, TAR_FILE, "d/g", 6);
	add(waste, 0, TAR_FILE, "dd", 7);
	add(waste, 1, TAR_FILE, "d/new", 8);
	add(waste, 1, TAR_FILE, "d/.wh..wh..opq", 0);
	assert_waste(waste, SIZE_MAX, 11, 2);
	add(waste, 2, TAR_FILE, ".wh.d", 0);
	assert_waste(waste, SIZE_MAX, 19, 3);
	assert_waste(waste, 1, 8, 1);
}

TEST(a_file_in_the_place_of_a_directory_hides_all_of_it)
{
	AUTO(waste) struct waste *waste = waste_new();

	add(waste, 0, TAR_FILE, "d/f", 5);
	add(waste, 1, TAR_FILE, "d", 1);
	assert_waste(waste, SIZE_MAX, 5, 1);
	add(waste, 2, TAR_FILE, ".wh.d", 0);
	add(waste, 2, TAR_FILE, "d/f", 3);
	assert_waste(waste, SIZE_MAX, 6, 2);
}

TEST(a_whiteout_spares_what_its_own_layer_brought_before_it)
{
	AUTO(waste) struct waste *waste = waste_new();

	add(waste, 0, TAR_FILE, "f", 5);
	add(waste, 1, TAR_FILE, "f", 7);
	add(waste, 1, TAR_FILE, ".wh.f", 0);
	assert_waste(waste, SIZE_MAX, 5, 1);
	add(waste, 2, TAR_FILE, "f", 1);
	assert_waste(waste, SIZE_MAX, 12, 2);
}

TEST(what_no_layer_can_have_is_refused)
{
	AUTO(waste) struct waste *waste = waste_new();

	assert_fails(waste_add(waste, 0, &(struct tar_entry){ .path = "a/.wh." }), ERR_INVALID);
	add(waste, 0, TAR_FILE, "/", 5); /* the root is no file */
	assert_waste(waste, SIZE_MAX, 0, 0);
}

TEST(nothing_is_lost_twice)
{
	AUTO(waste) struct waste *waste = waste_new();

	add(waste, 0, TAR_FILE, "f", 5);
	add(waste, 1, TAR_FILE, ".wh.f", 0);
	add(waste, 2, TAR_FILE, ".wh.f", 0);
	add(waste, 3, TAR_FILE, "f", 5);
	assert_waste(waste, SIZE_MAX, 5, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stays_is_no_waste),
		cmocka_unit_test(files_are_overwritten_and_deleted),
		cmocka_unit_test(
			with_a_directory_goes_what_is_below_it_but_not_what_its_own_layer_brought),
		cmocka_unit_test(a_file_in_the_place_of_a_directory_hides_all_of_it),
		cmocka_unit_test(a_whiteout_spares_what_its_own_layer_brought_before_it),
		cmocka_unit_test(what_no_layer_can_have_is_refused),
		cmocka_unit_test(nothing_is_lost_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
