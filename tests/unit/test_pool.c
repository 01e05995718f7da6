/* tests/unit/test_pool.c - threads on demand; first error wins; what has not begun is dropped. */

#include "tests/unit/unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/pool.h"

/* Stands in front of pthread_create(3): counts the threads made, and makes none when told so. */
static atomic_bool no_threads;
static atomic_int threads_made;

/* NOLINTNEXTLINE: the names of the library are its own */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = NULL;

	if (no_threads)
		return EAGAIN;
	threads_made++;
	*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return real(thread, attr, start, arg);
}

/* What the jobs of a test share. */
struct scene {
	struct group *group;
	atomic_int worked;
	atomic_int dropped;
	pthread_barrier_t meet;
};

static struct err *count_work(void *job)
{
	struct scene *scene = job;

	atomic_fetch_add(&scene->worked, 1);
	return NULL;
}

static void count_drop(void *job)
{
	struct scene *scene = job;

	atomic_fetch_add(&scene->dropped, 1);
}

TEST(a_pool_without_work_starts_no_thread)
{
	int before = threads_made;
	AUTO(pool) struct pool *pool = pool_new(8);
	AUTO(group) struct group *group = group_new(pool);

	assert_ok(group_wait(group));
	assert_int_equal(threads_made, before);
}

TEST(one_piece_of_work_after_another_needs_one_thread)
{
	struct scene scene = { 0 };
	int before = threads_made;
	AUTO(pool) struct pool *pool = pool_new(8);
	AUTO(group) struct group *group = group_new(pool);

	for (int i = 0; i < 20; i++) {
		group_run(group, count_work, count_drop, &scene);
		assert_ok(group_wait(group));
	}
	assert_int_equal(threads_made, before + 1);
	assert_int_equal(scene.worked, 20);
	assert_int_equal(scene.dropped, 0);
}

static struct err *meet(void *job)
{
	struct scene *scene = job;

	pthread_barrier_wait(&scene->meet);
	return count_work(job);
}

/* Would never end with fewer than `limit` threads. */
TEST(work_that_waits_for_other_work_gets_a_thread_each)
{
	enum { limit = 5 };
	struct scene scene = { 0 };
	AUTO(pool) struct pool *pool = pool_new(limit);
	AUTO(group) struct group *group = group_new(pool);

	pthread_barrier_init(&scene.meet, NULL, limit);
	for (int round = 1; round <= 20; round++) {
		for (int i = 0; i < limit; i++)
			group_run(group, meet, NULL, &scene);
		assert_ok(group_wait(group));
		assert_int_equal(scene.worked, round * limit);
	}
	pthread_barrier_destroy(&scene.meet);
}

TEST(never_more_threads_than_the_limit)
{
	enum { limit = 3 };
	struct scene scene = { 0 };
	int before = threads_made;
	AUTO(pool) struct pool *pool = pool_new(limit);
	AUTO(group) struct group *group = group_new(pool);

	for (int i = 0; i < 1000; i++)
		group_run(group, count_work, NULL, &scene);
	assert_ok(group_wait(group));
	assert_in_range(threads_made - before, 1, limit);
	assert_int_equal(scene.worked, 1000);
}

/* Work with a place in the order of arrival. */
struct numbered {
	int *order;
	atomic_int *next;
	int number;
};

static struct err *note_order(void *job)
{
	struct numbered *n = job;

	n->order[atomic_fetch_add(n->next, 1)] = n->number;
	return NULL;
}

TEST(one_thread_takes_work_in_order_of_arrival)
{
	AUTO(pool) struct pool *pool = pool_new(1);
	AUTO(group) struct group *group = group_new(pool);
	struct numbered jobs[50];
	atomic_int next = 0;
	int order[50];

	for (int i = 0; i < 50; i++) {
		jobs[i] = (struct numbered){ .order = order, .next = &next, .number = i };
		group_run(group, note_order, NULL, &jobs[i]);
	}
	assert_ok(group_wait(group));
	for (int i = 0; i < 50; i++)
		assert_int_equal(order[i], i);
}

static struct err *fail_first(void *job)
{
	struct scene *scene = job;

	pthread_barrier_wait(&scene->meet);
	return err_new(ERR_NOT_FOUND, "first");
}

/* Runs until somebody else has failed and gone on to what is skipped for it, and then fails too. */
static struct err *fail_later(void *job)
{
	struct scene *scene = job;

	pthread_barrier_wait(&scene->meet);
	while (atomic_load(&scene->dropped) == 0)
		sched_yield();
	return err_new(ERR_CORRUPT, "later");
}

TEST(the_first_error_wins_and_the_rest_is_dropped)
{
	struct scene scene = { 0 };
	AUTO(pool) struct pool *pool = pool_new(2);
	AUTO(group) struct group *group = group_new(pool);
	AUTO(err) struct err *err = NULL;

	scene.group = group;
	pthread_barrier_init(&scene.meet, NULL, 3);
	group_run(group, fail_later, NULL, &scene);
	group_run(group, fail_first, NULL, &scene);
	for (int i = 0; i < 10; i++)
		group_run(group, count_work, count_drop, &scene);
	group_run(group, count_work, NULL, &scene); /* nothing to drop is fine */
	pthread_barrier_wait(&scene.meet);
	err = group_wait(group);

	assert_string_equal(err_text(err), "first");
	assert_int_equal(err_kind(err), ERR_NOT_FOUND);
	assert_int_equal(scene.worked, 0);
	assert_int_equal(scene.dropped, 10);
	pthread_barrier_destroy(&scene.meet);
}

static struct err *fail_alone(__attribute__((unused)) void *job)
{
	return err_new(ERR_INVALID, "on purpose");
}

TEST(after_a_failure_was_taken_the_group_is_as_new)
{
	struct scene scene = { 0 };
	AUTO(pool) struct pool *pool = pool_new(2);
	AUTO(group) struct group *group = group_new(pool);

	group_run(group, fail_alone, NULL, NULL);
	assert_fails(group_wait(group), ERR_INVALID);
	assert_false(group_cancelled(group));
	group_run(group, count_work, count_drop, &scene);
	assert_ok(group_wait(group));
	assert_int_equal(scene.worked, 1);
}

TEST(groups_of_one_pool_fail_alone)
{
	struct scene scene = { 0 };
	AUTO(pool) struct pool *pool = pool_new(2);
	AUTO(group) struct group *bad = group_new(pool);
	AUTO(group) struct group *good = group_new(pool);

	group_run(bad, fail_alone, NULL, NULL);
	for (int i = 0; i < 10; i++)
		group_run(good, count_work, count_drop, &scene);
	assert_fails(group_wait(bad), ERR_INVALID);
	assert_ok(group_wait(good));
	assert_int_equal(scene.worked, 10);
}

/* A node of a binary tree of work. */
struct node {
	struct scene *scene;
	int depth;
};

static void drop_node(void *job)
{
	free(job);
}

static struct err *grow_tree(void *job)
{
	AUTO(mem) struct node *node = job;

	atomic_fetch_add(&node->scene->worked, 1);
	for (int i = 0; node->depth > 0 && i < 2; i++) {
		struct node *child = xcalloc(1, sizeof(*child));

		*child = (struct node){ node->scene, node->depth - 1 };
		group_run(node->scene->group, grow_tree, drop_node, child);
	}
	return NULL;
}

TEST(work_may_add_work_to_its_own_group)
{
	for (unsigned threads = 1; threads <= 4; threads++) {
		struct scene scene = { 0 };
		AUTO(pool) struct pool *pool = pool_new(threads);
		AUTO(group) struct group *group = group_new(pool);
		struct node *root = xcalloc(1, sizeof(*root));

		scene.group = group;
		*root = (struct node){ &scene, 9 };
		group_run(group, grow_tree, drop_node, root);
		assert_ok(group_wait(group));
		assert_int_equal(scene.worked, 1023); /* 2^10 - 1 nodes */
	}
}

/* Runs until the group is cancelled. */
static struct err *linger(void *job)
{
	struct scene *scene = job;

	pthread_barrier_wait(&scene->meet);
	while (!group_cancelled(scene->group))
		sched_yield();
	return count_work(job);
}

TEST(leaving_early_skips_what_has_not_begun)
{
	struct scene scene = { 0 };
	AUTO(pool) struct pool *pool = pool_new(1);
	struct group *group = group_new(pool);

	scene.group = group;
	pthread_barrier_init(&scene.meet, NULL, 2);
	group_run(group, linger, NULL, &scene);
	for (int i = 0; i < 10; i++)
		group_run(group, count_work, count_drop, &scene);
	pthread_barrier_wait(&scene.meet);
	group_free(group);
	assert_int_equal(scene.worked, 1);
	assert_int_equal(scene.dropped, 10);
	pthread_barrier_destroy(&scene.meet);
}

/* Ends when it is told to, as work deep down would that does not know its group. */
static struct err *linger_blindly(void *job)
{
	struct scene *scene = job;

	pthread_barrier_wait(&scene->meet);
	for (;;) {
		TRY(cancel_check());
		sched_yield();
	}
}

static struct err *fail_late(void *job)
{
	struct scene *scene = job;

	pthread_barrier_wait(&scene->meet);
	return err_new(ERR_INVALID, "the cause");
}

TEST(work_that_began_is_told_of_a_failure_and_only_the_cause_is_reported)
{
	struct scene scene = { 0 };
	AUTO(pool) struct pool *pool = pool_new(3);
	AUTO(group) struct group *group = group_new(pool);

	pthread_barrier_init(&scene.meet, NULL, 3);
	for (int i = 0; i < 20; i++) { /* the group is as new each time */
		AUTO(err) struct err *err = NULL;

		group_run(group, linger_blindly, NULL, &scene);
		group_run(group, fail_late, NULL, &scene);
		group_run(group, linger_blindly, NULL, &scene);
		err = group_wait(group);
		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_string_equal(err_text(err), "the cause");
	}
	pthread_barrier_destroy(&scene.meet);
}

static struct err *say_stopped(void *job)
{
	struct scene *scene = job;

	pthread_barrier_wait(&scene->meet); /* the other has begun, and fails after us */
	return err_new(ERR_CANCELLED, "stopped");
}

static struct err *fail_after(void *job)
{
	struct scene *scene = job;

	pthread_barrier_wait(&scene->meet);
	while (!group_cancelled(scene->group))
		sched_yield();
	return err_new(ERR_CORRUPT, "the cause");
}

TEST(a_cause_that_comes_after_what_was_stopped_is_reported)
{
	struct scene scene = { 0 };
	AUTO(pool) struct pool *pool = pool_new(2);
	AUTO(group) struct group *group = group_new(pool);

	scene.group = group;
	pthread_barrier_init(&scene.meet, NULL, 2);
	group_run(group, say_stopped, NULL, &scene);
	group_run(group, fail_after, NULL, &scene);
	assert_fails(group_wait(group), ERR_CORRUPT);
	pthread_barrier_destroy(&scene.meet);
}

/* Work that has work done on another pool. */
struct nest {
	struct pool *inner;
	struct scene scene;
};

static struct err *wait_for_inner(void *job)
{
	struct nest *nest = job;
	AUTO(group) struct group *group = group_new(nest->inner);

	group_run(group, linger_blindly, NULL, &nest->scene);
	return group_wait(group);
}

static struct err *fail_in_nest(void *job)
{
	struct nest *nest = job;

	return fail_late(&nest->scene);
}

TEST(a_failure_ends_what_its_siblings_have_set_going_on_other_pools)
{
	AUTO(pool) struct pool *outer = pool_new(2);
	AUTO(pool) struct pool *inner = pool_new(1);
	struct nest nest = { .inner = inner };
	AUTO(group) struct group *group = group_new(outer);

	pthread_barrier_init(&nest.scene.meet, NULL, 2);
	group_run(group, wait_for_inner, NULL, &nest);
	group_run(group, fail_in_nest, NULL, &nest);
	assert_fails(group_wait(group), ERR_INVALID);
	pthread_barrier_destroy(&nest.scene.meet);
}

TEST(work_skipped_because_the_scope_around_was_stopped_is_no_success)
{
	struct scene scene = { 0 };
	struct cancel_scope around = { 0 };
	const struct cancel_scope *before = cancel_enter(&around);
	AUTO(pool) struct pool *pool = pool_new(1);
	AUTO(group) struct group *group = group_new(pool);

	cancel_enter(before);
	cancel_stop(&around);
	group_run(group, count_work, count_drop, &scene);
	assert_fails(group_wait(group), ERR_CANCELLED);
	assert_int_equal(scene.worked, 0);
	assert_int_equal(scene.dropped, 1);
}

TEST(without_any_thread_the_group_fails)
{
	struct scene scene = { 0 };
	AUTO(pool) struct pool *pool = pool_new(4);
	AUTO(group) struct group *group = group_new(pool);
	AUTO(err) struct err *err = NULL;

	no_threads = true;
	group_run(group, count_work, count_drop, &scene);
	group_run(group, count_work, NULL, &scene);
	no_threads = false;
	err = group_wait(group);
	assert_int_equal(err_kind(err), ERR_SYSTEM);
	assert_int_equal(err_errno(err), EAGAIN);
	assert_int_equal(scene.worked, 0);
	assert_int_equal(scene.dropped, 1);
}

TEST(fewer_threads_than_wished_will_do)
{
	struct scene scene = { 0 };
	int before = threads_made;
	AUTO(pool) struct pool *pool = pool_new(4);
	AUTO(group) struct group *group = group_new(pool);

	group_run(group, count_work, count_drop, &scene);
	no_threads = true;
	for (int i = 0; i < 100; i++)
		group_run(group, count_work, count_drop, &scene);
	assert_ok(group_wait(group));
	no_threads = false;
	assert_int_equal(scene.worked, 101);
	assert_int_equal(threads_made, before + 1);
}

TEST(nothing_can_be_freed)
{
	pool_free(NULL);
	group_free(NULL);
}

TEST(the_default_is_what_this_process_may_use)
{
	cpu_set_t all;
	cpu_set_t one;
	int first = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	assert_in_range(pool_default_threads(), 1, CPU_COUNT(&all));
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(pool_default_threads(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* The last test: the flag that it sets is never taken back. */
TEST(being_told_to_stop_skips_work_and_is_no_success)
{
	struct scene scene = { 0 };
	AUTO(pool) struct pool *pool = pool_new(1);
	AUTO(group) struct group *group = group_new(pool);

	cancel_catch_signals();
	scene.group = group;
	pthread_barrier_init(&scene.meet, NULL, 2);
	group_run(group, linger, NULL, &scene);
	group_run(group, count_work, count_drop, &scene);
	pthread_barrier_wait(&scene.meet);
	raise(SIGTERM);
	assert_fails(group_wait(group), ERR_CANCELLED);
	assert_int_equal(scene.worked, 1);
	assert_int_equal(scene.dropped, 1);
	assert_true(group_cancelled(group));
	pthread_barrier_destroy(&scene.meet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_without_work_starts_no_thread),
		cmocka_unit_test(one_piece_of_work_after_another_needs_one_thread),
		cmocka_unit_test(work_that_waits_for_other_work_gets_a_thread_each),
		cmocka_unit_test(never_more_threads_than_the_limit),
		cmocka_unit_test(one_thread_takes_work_in_order_of_arrival),
		cmocka_unit_test(the_first_error_wins_and_the_rest_is_dropped),
		cmocka_unit_test(after_a_failure_was_taken_the_group_is_as_new),
		cmocka_unit_test(groups_of_one_pool_fail_alone),
		cmocka_unit_test(work_may_add_work_to_its_own_group),
		cmocka_unit_test(leaving_early_skips_what_has_not_begun),
		cmocka_unit_test(
			work_that_began_is_told_of_a_failure_and_only_the_cause_is_reported),
		cmocka_unit_test(a_cause_that_comes_after_what_was_stopped_is_reported),
		cmocka_unit_test(a_failure_ends_what_its_siblings_have_set_going_on_other_pools),
		cmocka_unit_test(work_skipped_because_the_scope_around_was_stopped_is_no_success),
		cmocka_unit_test(without_any_thread_the_group_fails),
		cmocka_unit_test(fewer_threads_than_wished_will_do),
		cmocka_unit_test(nothing_can_be_freed),
		cmocka_unit_test(the_default_is_what_this_process_may_use),
		cmocka_unit_test(being_told_to_stop_skips_work_and_is_no_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
