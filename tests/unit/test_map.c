/* tests/unit/test_map.c - any bytes are a key; iteration is in order of insertion. */

#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"

static int values[5000];

TEST(an_empty_map_has_nothing)
{
	struct map map = MAP_INIT;

	assert_null(map_get(&map, STR("a")));
	assert_false(map_has(&map, STR("")));
	map_foreach (&map, entry)
		fail_msg("visited '%s'", entry->key);
	map_release(&map, NULL);
	map_release(&map, free); /* again is fine */
}

TEST(a_value_is_found_under_its_key_alone)
{
	struct map map = MAP_INIT;
	char key[] = "name";

	assert_null(map_put(&map, str_of(key), &values[1]));
	key[0] = 'g'; /* the map has its own copy */
	assert_ptr_equal(map_get(&map, STR("name")), &values[1]);
	assert_null(map_get(&map, STR("game")));
	assert_null(map_get(&map, STR("nam")));
	assert_null(map_get(&map, STR("names")));
	assert_ptr_equal(map_put(&map, STR("name"), &values[2]), &values[1]);
	assert_ptr_equal(map_get(&map, STR("name")), &values[2]);
	assert_int_equal(map.len, 1);
	map_release(&map, NULL);
}

TEST(a_key_may_hold_any_byte)
{
	struct map map = MAP_INIT;

	assert_null(map_put(&map, STR(""), &values[0]));
	assert_null(map_put(&map, STR("\0"), &values[1]));
	assert_null(map_put(&map, STR("a\0b"), &values[2]));
	assert_null(map_put(&map, STR("a\0c"), &values[3]));
	assert_null(map_put(&map, STR("\xff\n"), &values[4]));
	assert_ptr_equal(map_get(&map, (struct str){ NULL, 0 }), &values[0]);
	assert_ptr_equal(map_get(&map, STR("\0")), &values[1]);
	assert_ptr_equal(map_get(&map, STR("a\0b")), &values[2]);
	assert_ptr_equal(map_get(&map, STR("a\0c")), &values[3]);
	assert_ptr_equal(map_get(&map, STR("\xff\n")), &values[4]);
	assert_null(map_get(&map, STR("a")));
	map_release(&map, NULL);
}

TEST(null_is_a_value)
{
	struct map map = MAP_INIT;

	assert_null(map_put(&map, STR("set"), NULL));
	assert_true(map_has(&map, STR("set")));
	assert_null(map_get(&map, STR("set")));
	assert_false(map_has(&map, STR("unset")));
	map_release(&map, NULL);
}

TEST(thousands_of_keys_keep_their_order)
{
	struct map map = MAP_INIT;
	size_t visited = 0;
	char key[32];

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		snprintf(key, sizeof(key), "key %zu", i * 7919 % ARRAY_SIZE(values));
		assert_null(map_put(&map, str_of(key), &values[i]));
	}
	assert_int_equal(map.len, ARRAY_SIZE(values));
	map_foreach (&map, entry) {
		snprintf(key, sizeof(key), "key %zu", visited * 7919 % ARRAY_SIZE(values));
		assert_string_equal(entry->key, key);
		assert_int_equal(entry->key_len, strlen(key));
		assert_ptr_equal(entry->value, &values[visited++]);
		assert_ptr_equal(map_get(&map, str_of(key)), entry->value);
	}
	assert_int_equal(visited, ARRAY_SIZE(values));
	map_release(&map, NULL);
	assert_int_equal(map.len, 0);
}

TEST(releasing_may_free_the_values)
{
	struct map map = MAP_INIT;

	assert_null(map_put(&map, STR("a"), xstrdup("owned")));
	assert_null(map_put(&map, STR("b"), NULL));
	map_release(&map, free);
	assert_null(map_put(&map, STR("a"), &values[0])); /* usable again */
	map_release(&map, NULL);
}

/* Each thread its own map: only the seed is shared. */
static void *use_a_map(__attribute__((unused)) void *arg)
{
	struct map map = MAP_INIT;
	void *found;

	(void)map_put(&map, STR("a"), &values[0]);
	found = map_get(&map, STR("a"));
	map_release(&map, NULL);
	return found;
}

TEST(threads_agree_on_the_seed)
{
	pthread_t threads[8];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_a_map, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *found = NULL;

		pthread_join(threads[i], &found);
		assert_ptr_equal(found, &values[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_agree_on_the_seed), /* first: before there is a seed */
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(a_value_is_found_under_its_key_alone),
		cmocka_unit_test(a_key_may_hold_any_byte),
		cmocka_unit_test(null_is_a_value),
		cmocka_unit_test(thousands_of_keys_keep_their_order),
		cmocka_unit_test(releasing_may_free_the_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
