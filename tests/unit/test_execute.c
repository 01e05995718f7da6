/* tests/unit/test_execute.c - the order of steps, how many run at once, and what stops them.
 *
 * Commands are not run: act() does what a RUN's words say, on the root that it would have got.
 */

#include "tests/unit/kitchen.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/cancel.h"
#include "builder/events.h"
#include "builder/execute.h"
#include "builder/run.h"
#include "store/store.h"

#define PATIENCE 20000 /* milliseconds after which something has hung */

/* ---- what happens, as text ---- */

static struct {
	pthread_mutex_t lock;
	struct buf text;      /* guarded by lock; one line for each event */
	atomic_int acted;     /* RUN steps that were begun */
	atomic_int now, most; /* that are at work; and at one time */
	atomic_int met;       /* that have come to `meet` */
	atomic_int lingering; /* that do nothing until they are stopped */
	atomic_int waiting;   /* that have said that they wait for somebody */
	atomic_bool ended[10];
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void note(const char *text)
{
	pthread_mutex_lock(&seen.lock);
	buf_adds(&seen.text, text);
	pthread_mutex_unlock(&seen.lock);
}

/* Until `value` is at least `want`. A scope that is stopped does not end it. */
static struct err *await(const atomic_int *value, int want)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int i = 0; atomic_load(value) < want; i++) {
		if (i == PATIENCE)
			return err_new(ERR_INTERNAL, "waited in vain");
		nanosleep(&moment, NULL);
	}
	return NULL;
}

/* Until cancel_check() says so. */
static struct err *linger(void)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int i = 0; i < PATIENCE; i++) {
		TRY(cancel_check());
		nanosleep(&moment, NULL);
	}
	return err_new(ERR_INTERNAL, "nobody stopped it");
}

/* Until the step with this number has ended. */
static struct err *await_end(unsigned number)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int i = 0; !atomic_load(&seen.ended[number]); i++) {
		if (i == PATIENCE)
			return err_new(ERR_INTERNAL, "waited in vain");
		nanosleep(&moment, NULL);
	}
	return NULL;
}

/* RUN ["write", PATH...]: as kitchen_run(). ["expect", PATH...]: they are there. ["after", N]: step N has
 * ended. ["meet", N]: N steps come
 * here at once. ["pause"]: a moment of work. ["linger"]: until stopped. ["fail", N]: once N linger.
 * ["fail-waiting", N]: once N wait for somebody. */
static struct err *do_words(struct plan_step *step, int root_fd)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	const char *word = step->argv.at[0];
	const struct strings *argv = &step->argv;
	int code;

	if (strcmp(word, "linger") == 0) {
		atomic_fetch_add(&seen.lingering, 1);
		return linger();
	}
	if (strcmp(word, "fail") == 0) {
		TRY(await(&seen.lingering, (int)strtol(argv->at[1], NULL, 10)));
		return err_new(ERR_INVALID, "the cause");
	}
	if (strcmp(word, "fail-waiting") == 0) {
		TRY(await(&seen.waiting, (int)strtol(argv->at[1], NULL, 10)));
		return err_new(ERR_INVALID, "the cause");
	}
	if (strcmp(word, "meet") == 0) {
		atomic_fetch_add(&seen.met, 1);
		return await(&seen.met, (int)strtol(argv->at[1], NULL, 10));
	}
	if (strcmp(word, "after") == 0)
		return await_end((unsigned)strtoul(argv->at[1], NULL, 10));
	if (strcmp(word, "pause") == 0)
		nanosleep(&pause, NULL);
	for (size_t i = 1; i < argv->len; i++) {
		if (strcmp(word, "expect") == 0 && !file_exists(root_fd, argv->at[i] + 1))
			return err_new(ERR_NOT_FOUND, "%s is not there", argv->at[i]);
	}
	return kitchen_run(NULL, step, root_fd, &code);
}

static struct err *act(const struct run_site *site, struct plan_step *step, int root_fd,
		       int *ret_code)
{
	int now = atomic_fetch_add(&seen.now, 1) + 1;
	int most = atomic_load(&seen.most);
	struct err *err;

	while (now > most && !atomic_compare_exchange_weak(&seen.most, &most, now))
		continue;
	atomic_fetch_add(&seen.acted, 1);
	*ret_code = 0;
	err = do_words(step, root_fd);
	atomic_fetch_sub(&seen.now, 1);
	return script_wrap(err, site->script, &step->instruction->position);
}

/* A step whose text begins with this stands still before its work until it is stopped. */
static const char *held;

static void listen(__attribute__((unused)) void *self, const struct build_event *event)
{
	AUTO(mem) char *line = NULL;

	if (event->kind == EVENT_STEP_BEGIN) {
		line = xasprintf("begin %s\n", event->text);
		note(line);
		if (held && strncmp(event->text, held, strlen(held)) == 0) {
			atomic_fetch_add(&seen.lingering, 1);
			err_free(linger());
		}
	} else if (event->kind == EVENT_STEP_PROGRESS) {
		line = event->text ? xasprintf("%s\n", event->text) : xstrdup("no longer\n");
		note(line);
		if (event->text)
			atomic_fetch_add(&seen.waiting, 1);
	} else if (event->kind == EVENT_STEP_END) {
		line = xasprintf("end %u %s\n", event->step, build_status_name(event->status));
		note(line);
		if (event->step < ARRAY_SIZE(seen.ended))
			atomic_store(&seen.ended[event->step], true);
	}
}

/* ---- a build ---- */

static const struct build_events events = { .emit = listen };
static unsigned needed, missing;

static struct err *execute_it(struct plan *what)
{
	const struct execute_opts how = { .blobs = true, .events = &events, .run = act };

	TRY(execute_lookup(what, &needed, &missing));
	return execute(what, &how);
}

static int open_kitchen(void **state)
{
	seen.text = BUF_INIT(65536);
	seen.acted = seen.now = seen.most = seen.met = seen.lingering = seen.waiting = 0;
	memset(seen.ended, 0, sizeof(seen.ended));
	held = NULL;
	kitchen_open(state);
	return 0;
}

static int close_kitchen(void **state)
{
	buf_release(&seen.text);
	return kitchen_close(state);
}

/* Plan and execute with so many threads for steps. */
static struct err *build_it(const char *text, unsigned jobs)
{
	kitchen_drop_plan();
	pool_free(pool);
	pool = pool_new(jobs);
	TRY(make_plan(text));
	return execute_it(plan);
}

static void assert_seen(const char *want)
{
	assert_string_equal(seen.text.len ? seen.text.at : "", want);
}

/* How many lines say this. */
static int count_seen(const char *line)
{
	int count = 0;

	for (const char *at = seen.text.at; at && (at = strstr(at, line)); at++)
		count++;
	return count;
}

/* The cause, with the place of its instruction, and nothing else. */
static void assert_cause(struct err *err, const char *place)
{
	AUTO(err) struct err *owned = err;

	assert_int_equal(err_kind(owned), ERR_INVALID);
	if (!strstr(err_text(owned), place) || strstr(err_text(owned), "stopped"))
		fail_msg("%s", err_text(owned));
}

/* ---- order ---- */

TEST(steps_of_a_stage_come_in_order_each_on_the_one_before)
{
	assert_ok(build_it("FROM scratch\n"
			   "RUN [\"write\", \"/one\"]\n"
			   "RUN [\"expect\", \"/one\"]\n"
			   "WORKDIR /dir\n"
			   "RUN [\"expect\", \"/one\", \"/dir\"]\n",
			   4));
	assert_seen("begin RUN [\"write\", \"/one\"]\nend 1 done\n"
		    "begin RUN [\"expect\", \"/one\"]\nend 2 done\n"
		    "begin WORKDIR /dir\nend 3 done\n"
		    "begin RUN [\"expect\", \"/one\", \"/dir\"]\nend 4 done\n");
	assert_int_equal(needed, 4);
	assert_int_equal(missing, 4);
}

TEST(stages_run_at_once_and_what_copies_from_them_waits)
{
	fill_context("f 644 c x\n");
	assert_ok(build_it("FROM scratch AS a\n"
			   "RUN [\"meet\", \"3\"]\n"
			   "RUN [\"write\", \"/a\"]\n"
			   "FROM scratch AS b\n"
			   "RUN [\"meet\", \"3\", \"b\"]\n"
			   "RUN [\"write\", \"/b\"]\n"
			   "FROM scratch\n"
			   "COPY c /\n"
			   "RUN [\"meet\", \"3\", \"c\"]\n"
			   "COPY --from=a /a /\n"
			   "COPY --from=b /b /\n"
			   "RUN [\"expect\", \"/a\", \"/b\", \"/c\"]\n",
			   3));
	assert_int_equal(seen.most, 3);
}

TEST(stages_on_one_stage_share_its_result)
{
	assert_ok(build_it("FROM scratch AS base\n"
			   "RUN [\"write\", \"/base\"]\n"
			   "FROM base AS a\n"
			   "RUN [\"meet\", \"3\"]\n"
			   "RUN [\"write\", \"/a\"]\n"
			   "FROM base AS b\n"
			   "RUN [\"meet\", \"3\", \"b\"]\n"
			   "RUN [\"write\", \"/b\"]\n"
			   "FROM base\n"
			   "RUN [\"meet\", \"3\", \"c\"]\n"
			   "COPY --from=a / /\n"
			   "COPY --from=b / /\n"
			   "COPY --from=base /base /again\n"
			   "RUN [\"expect\", \"/a\", \"/b\", \"/base\", \"/again\"]\n",
			   3));
	assert_int_equal(count_seen("begin RUN [\"write\", \"/base\"]"), 1);
}

TEST(no_more_steps_run_at_once_than_jobs)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);

	for (int i = 0; i < 6; i++)
		buf_addf(&text, "FROM scratch AS s%d\nRUN [\"pause\", \"%d\"]\n", i, i);
	buf_adds(&text, "FROM scratch\n");
	for (int i = 0; i < 6; i++)
		buf_addf(&text, "COPY --from=s%d / /\n", i);
	opts.no_cache = true;
	for (unsigned jobs = 1; jobs <= 3; jobs++) {
		seen.acted = seen.most = 0;
		assert_ok(build_it(text.at, jobs));
		assert_int_equal(seen.acted, 6);
		assert_in_range(seen.most, 1, jobs);
	}
}

/* ---- layers of their own ---- */

TEST(a_linked_copy_waits_for_nothing_below_it)
{
	fill_context("f 644 c x\nf 644 d y\n");
	assert_ok(build_it("FROM scratch AS base\n"
			   "RUN [\"write\", \"/a\"]\n"
			   "RUN [\"after\", \"4\"]\n" /* step 2 */
			   "COPY --link c /\n"
			   "COPY --link --chown=5:6 d /\n" /* step 4 */
			   "RUN [\"expect\", \"/a\", \"/c\", \"/d\"]\n"
			   "COPY --link c /e/\n"
			   "FROM base\n"
			   "RUN [\"expect\", \"/a\", \"/c\", \"/d\", \"/e/c\"]\n",
			   2));
	assert_int_equal(missing, 7);
	/* and what starts from it while what is below still runs does wait for that */
	opts.no_cache = true;
	assert_fails(build_it("FROM scratch\n"
			      "RUN [\"pause\"]\n"
			      "RUN [\"write\", \"/a\"]\n"
			      "COPY --link c /\n"
			      "WORKDIR /a/b\n",
			      2),
		     ERR_INVALID);
}

TEST(a_linked_copy_knows_nothing_of_the_base)
{
#define RECIPE(base) "FROM localhost/" base "\nCOPY --link c /dir/\nRUN [\"expect\", \"/dir/c\"]\n"
	const char *first = RECIPE("one"), *second = RECIPE("two");
	struct digest diff_id;

	kitchen_image("one", F("one"), "");
	kitchen_image("two", F("two"), "");
	fill_context("f 644 c x\n");
	opts.has_epoch = true; /* else /dir has the time at which it was made */
	opts.epoch = 1000;
	assert_ok(build_it(first, 1));
	assert_int_equal(seen.acted, 1);
	assert_true(plan->target->top->below->alone);
	diff_id = plan->target->top->below->layer.diff_id;
	assert_ok(build_it(second, 1));
	assert_true(plan->target->top->below->cached);
	assert_int_equal(seen.acted, 2); /* on another base it is another RUN */
	opts.no_cache = true;
	assert_ok(build_it(second, 1));
	assert_false(plan->target->top->below->cached);
	assert_true(digest_equal(&plan->target->top->below->layer.diff_id, &diff_id));
	/* what is copied decides all the same */
	opts.no_cache = false;
	assert_int_equal(unlinkat(tmp_fd, "context/c", 0), 0);
	fill_context("f 644 c y\n");
	assert_ok(build_it(second, 1));
	assert_false(plan->target->top->below->cached);
}

TEST(names_of_owners_bind_a_linked_copy_to_what_is_below)
{
	static const struct {
		const char *owner;
		bool cached;
	} cases[] = {
		{ "5", true }, { "root:0", true }, { "someone", false }, { "5:some", false }
	};

	kitchen_image("one",
		      D("etc") "f 644 0:0 17 1 etc/passwd someone:x:7:8::/:\n"
			       "f 644 0:0 9 1 etc/group some:x:9:\n",
		      "");
	kitchen_image("two",
		      D("etc") "f 644 0:0 19 1 etc/passwd someone:x:70:80::/:\n"
			       "f 644 0:0 10 1 etc/group some:x:90:\n",
		      "");
	fill_context("f 644 c x\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *first = xasprintf("FROM localhost/one\nCOPY --link --chown=%s c /d/\n",
					cases[i].owner);
		AUTO(mem)
		char *second = xasprintf("FROM localhost/two\nCOPY --link --chown=%s c /d/\n",
					 cases[i].owner);

		assert_ok(build_it(first, 1));
		assert_ok(build_it(second, 1));
		if (plan->target->top->cached != cases[i].cached)
			fail_msg("--chown=%s", cases[i].owner);
	}
}

TEST(a_linked_copy_follows_no_links_and_replaces_what_is_there)
{
	AUTO(stack) struct stack stack = { 0 };
	AUTO(fd) int view_fd = -1;
	struct stat st;

	kitchen_image("base", D("usr") "l 777 0:0 0 1 lib -> usr\n", "");
	fill_context("f 644 c x\n");
	assert_ok(build_it("FROM localhost/base\nCOPY --link --chmod=750 c /lib/\n", 1));
	assert_ok(execute_stack(plan, plan->target, &stack));
	assert_ok(stack_view(&stack, &view_fd));
	assert_int_equal(fstatat(view_fd, "lib", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(fstatat(view_fd, "lib/c", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0750);
	assert_true(fstatat(view_fd, "usr/c", &st, 0) < 0);
}

/* ---- the cache ---- */

TEST(what_is_there_is_found_and_a_stage_that_nobody_reads_is_left_out)
{
	const char *text = "FROM scratch AS a\n"
			   "RUN [\"write\", \"/a\"]\n"
			   "FROM scratch\n"
			   "COPY --from=a /a /\n"
			   "RUN [\"expect\", \"/a\"]\n";

	assert_ok(build_it(text, 2));
	assert_int_equal(seen.acted, 2);
	buf_reset(&seen.text);
	assert_ok(build_it(text, 2));
	assert_int_equal(seen.acted, 2);
	assert_int_equal(needed, 2); /* without a reason to copy, nobody needs stage a */
	assert_int_equal(missing, 0);
	assert_seen("begin COPY --from=a /a /\nend 2 cached\n"
		    "begin RUN [\"expect\", \"/a\"]\nend 3 cached\n");
	opts.no_cache = true;
	assert_ok(build_it(text, 2));
	assert_int_equal(seen.acted, 4);
}

/* An execution in a store of its own, as another process would have it. */
static void *build_beside(void *arg)
{
	struct store *beside = NULL;
	AUTO(plan) struct plan *again = NULL;
	AUTO(pool) struct pool *own = pool_new(1);
	struct recipe *recipe = NULL;
	unsigned all, rest;
	const struct execute_opts how = { .blobs = true, .run = act };
	struct err *err = store_open(room_path, &beside);

	if (!err)
		err = recipe_parse("Recipe", str_of(arg), &recipe);
	if (!err)
		err = plan_make(beside, &opts, recipe, own, &again);
	if (!err)
		err = execute_lookup(again, &all, &rest);
	if (!err)
		err = execute(again, &how);
	plan_free(STEAL(again));
	store_close(beside);
	return err;
}

TEST(a_step_that_another_process_is_making_is_waited_for)
{
	char text[] = "FROM scratch\nRUN [\"pause\"]\nRUN [\"write\", \"/a\"]\n";
	pthread_t thread;
	void *result;

	for (int i = 0; i < 5; i++) {
		AUTO(mem)
		char *own = xasprintf("%sLABEL x=%d\nRUN [\"pause\", \"%d\"]\n", text, i, i);

		seen.acted = 0;
		assert_int_equal(pthread_create(&thread, NULL, build_beside, own), 0);
		assert_ok(build_it(own, 1));
		pthread_join(thread, &result);
		assert_ok((struct err *)result);
		assert_int_equal(seen.acted, i == 0 ? 3 : 1);
	}
}

static void *execute_in_thread(void *arg)
{
	return execute_it(arg);
}

TEST(a_step_says_once_that_it_waits_for_another_build)
{
	AUTO(lock) struct lock single = LOCK_INIT;
	struct store *beside = NULL;
	pthread_t thread;
	void *result;

	pool = pool_new(1);
	must_plan("FROM scratch\nRUN [\"write\", \"/a\"]\nRUN [\"write\", \"/b\"]\n");
	assert_ok(store_open(room_path, &beside));
	assert_ok(store_single(beside, &plan->target->top->below->record.key, NULL, &single));
	assert_int_equal(pthread_create(&thread, NULL, execute_in_thread, plan), 0);
	assert_ok(await(&seen.waiting, 1));
	assert_int_equal(seen.acted, 0);
	lock_release(&single);
	pthread_join(thread, &result);
	assert_ok((struct err *)result);
	assert_seen("begin RUN [\"write\", \"/a\"]\n"
		    "waiting for another build that makes the same step\nno longer\nend 1 done\n"
		    "begin RUN [\"write\", \"/b\"]\nend 2 done\n");
	store_close(beside);
}

TEST(a_step_that_two_stages_have_is_made_once)
{
	assert_ok(build_it("FROM scratch AS a\nRUN [\"pause\"]\n"
			   "FROM scratch AS b\nRUN [\"pause\"]\n"
			   "FROM scratch\nCOPY --from=a / /a\nCOPY --from=b / /b\n",
			   2));
	assert_int_equal(seen.acted, 1);
	assert_int_equal(count_seen("waiting for the same step of stage"), 1);
	assert_int_equal(count_seen("end 1"), 1);
	assert_int_equal(count_seen("end 2"), 1);
}

/* ---- failures ---- */

#define SIBLINGS                                              \
	"FROM scratch AS bad\nRUN [\"fail\", \"1\"]\n"        \
	"FROM %s AS other\n%s\nRUN [\"write\", \"/never\"]\n" \
	"FROM scratch\nCOPY --from=bad / /\nCOPY --from=other / /\n"

/* A stage that is at `step` when another one fails does not go on. */
static void assert_stops(const char *base, const char *step)
{
	AUTO(mem) char *text = xasprintf(SIBLINGS, base, step);

	assert_cause(build_it(text, 2), "Recipe:2");
	assert_int_equal(count_seen("failed"), 1);
	assert_int_equal(count_seen("cancelled"), 1);
	assert_int_equal(count_seen("done"), 0);
	assert_int_equal(count_seen("never"), 0);
	assert_int_equal(count_seen("begin COPY --from"), 0);
}

TEST(a_failure_stops_the_commands_of_other_stages)
{
	assert_stops("scratch", "RUN [\"linger\"]");
}

TEST(a_failure_stops_a_copy)
{
	fill_context("f 644 c x\n");
	held = "COPY c";
	assert_stops("scratch", "COPY c /");
	assert_int_equal(room_count("layers"), 0);
}

TEST(a_failure_stops_a_base_from_being_unpacked)
{
	kitchen_image("base", F("a"), "");
	held = "WORKDIR";
	assert_stops("localhost/base", "WORKDIR /a");
	assert_int_equal(room_count("layers"), 0);
}

/* The keys are never given back while the build lasts. */
TEST(a_failure_stops_those_who_wait_for_another_build)
{
	AUTO(lock) struct lock single = LOCK_INIT;
	AUTO(lock) struct lock base = LOCK_INIT;
	struct image_layer layer = kitchen_image("base", F("a"), "");
	struct store *beside = NULL;

	pool = pool_new(3);
	must_plan(
		"FROM scratch AS bad\nRUN [\"fail-waiting\", \"1\"]\n"
		"FROM scratch AS held\nRUN [\"write\", \"/a\"]\n"
		"FROM localhost/base AS based\nRUN [\"write\", \"/b\"]\n"
		"FROM scratch\nCOPY --from=bad / /\nCOPY --from=held / /\nCOPY --from=based / /\n");
	assert_ok(store_open(room_path, &beside));
	assert_ok(store_single(beside, &plan->stages[1].top->record.key, NULL, &single));
	assert_ok(store_single(beside, &layer.diff_id, NULL, &base));
	assert_cause(execute_it(plan), "Recipe:2");
	assert_int_equal(count_seen("waiting for another build that makes the same step"), 1);
	assert_int_equal(count_seen("failed"), 1);
	assert_int_equal(count_seen("done"), 0);
	assert_int_equal(seen.acted, 1);
	store_close(beside);
}

TEST(all_of_many_siblings_stop_and_the_cause_is_told)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);

	buf_adds(&text, "FROM scratch AS bad\nRUN [\"fail\", \"5\"]\n");
	for (int i = 0; i < 5; i++)
		buf_addf(&text, "FROM scratch AS s%d\nRUN [\"linger\", \"%d\"]\n", i, i);
	buf_adds(&text, "FROM scratch\nCOPY --from=bad / /\n");
	for (int i = 0; i < 5; i++)
		buf_addf(&text, "COPY --from=s%d / /\n", i);
	for (int i = 0; i < 5; i++) {
		buf_reset(&seen.text);
		seen.lingering = 0;
		assert_cause(build_it(text.at, 6), "Recipe:2");
		assert_int_equal(count_seen("failed"), 1);
		assert_int_equal(count_seen("cancelled"), 5);
	}
}

/* A file called ".wh.x" cannot be in a layer, which only shows when its blob is made: before that
 * nobody looks behind the first file. */
TEST(a_layer_that_cannot_be_a_blob_stops_the_steps)
{
	AUTO(err)
	struct err *err = build_it("FROM scratch\n"
				   "WORKDIR /d\n"
				   "RUN [\"write\", \"/a\", \"/d/.wh.x\"]\n"
				   "RUN [\"linger\"]\n",
				   1);

	assert_int_equal(err_kind(err), ERR_INVALID);
	assert_non_null(strstr(err_text(err), "Recipe:3: make the blob of layer"));
	assert_non_null(strstr(err_text(err), ".wh.x"));
	assert_null(strstr(err_text(err), "stopped"));
}

TEST(after_a_failure_what_was_done_is_found_again)
{
	assert_cause(build_it("FROM scratch\nRUN [\"write\", \"/a\"]\nRUN [\"fail\", \"0\"]\n", 1),
		     "Recipe:3");
	assert_int_equal(seen.acted, 2);
	assert_ok(build_it("FROM scratch\nRUN [\"write\", \"/a\"]\nRUN [\"expect\", \"/a\"]\n", 1));
	assert_int_equal(seen.acted, 3);
}

/* ---- bases ---- */

/* Another process unpacks the base of the first stage, and takes its time. */
TEST(a_base_that_takes_long_does_not_hold_up_another)
{
	struct image_layer slow = kitchen_image("slow", F("slow"), "");
	AUTO(lock) struct lock single = LOCK_INIT;
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct store *beside = NULL;
	atomic_bool *fast_ended, *slow_ended;
	pthread_t thread;
	void *result;

	kitchen_image("fast", F("fast"), "");
	pool = pool_new(2);
	must_plan("FROM localhost/slow AS a\nRUN [\"expect\", \"/slow\"]\n"
		  "FROM localhost/fast\nRUN [\"expect\", \"/fast\"]\n"
		  "COPY --from=a /slow /\n");
	fast_ended = &seen.ended[plan->target->top->below->number];
	slow_ended = &seen.ended[plan->stages[0].top->number];
	assert_ok(store_open(room_path, &beside));
	assert_ok(store_single(beside, &slow.diff_id, NULL, &single));
	assert_int_equal(pthread_create(&thread, NULL, execute_in_thread, plan), 0);
	for (int i = 0; i < PATIENCE && !atomic_load(fast_ended); i++)
		nanosleep(&moment, NULL);
	assert_true(atomic_load(fast_ended));
	assert_false(atomic_load(slow_ended));
	lock_release(&single);
	pthread_join(thread, &result);
	assert_ok((struct err *)result);
	store_close(beside);
}

TEST(a_base_of_many_stages_is_unpacked_once)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);

	kitchen_image("base", F("base"), "");
	for (int i = 0; i < 4; i++)
		buf_addf(&text,
			 "FROM localhost/base AS s%d\n"
			 "ENV n=%d\n"
			 "RUN [\"expect\", \"/base\"]\n",
			 i, i);
	buf_adds(&text, "FROM localhost/base\n");
	for (int i = 0; i < 4; i++)
		buf_addf(&text, "COPY --from=s%d /base /%d\n", i, i);
	buf_adds(&text, "RUN [\"expect\", \"/0\", \"/1\", \"/2\", \"/3\", \"/base\"]\n");
	assert_ok(build_it(text.at, 4));
	assert_int_equal(room_count("layers"), 5); /* the base's, and one for each COPY */
}

TEST(a_base_that_is_damaged_fails_every_stage_alike)
{
	struct image_layer layer = kitchen_image("base", F("base"), "");
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem)
	char *path = xasprintf("blobs/sha256/%s", digest_format(&layer.blob.digest, digest) + 7);
	AUTO(err) struct err *err = NULL;

	room_put(path, "no tar", 6);
	err = build_it("FROM localhost/base AS a\nRUN [\"write\", \"/a\"]\n"
		       "FROM localhost/base\nRUN [\"write\", \"/b\"]\nCOPY --from=a /a /\n",
		       2);
	assert_int_equal(err_kind(err), ERR_CORRUPT);
	assert_non_null(strstr(err_text(err), "image 'localhost/base'"));
	assert_int_equal(seen.acted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define EXECUTE_TEST(name) cmocka_unit_test_setup_teardown(name, open_kitchen, close_kitchen)
		EXECUTE_TEST(a_linked_copy_waits_for_nothing_below_it),
		EXECUTE_TEST(a_linked_copy_knows_nothing_of_the_base),
		EXECUTE_TEST(names_of_owners_bind_a_linked_copy_to_what_is_below),
		EXECUTE_TEST(a_linked_copy_follows_no_links_and_replaces_what_is_there),
		EXECUTE_TEST(steps_of_a_stage_come_in_order_each_on_the_one_before),
		EXECUTE_TEST(stages_run_at_once_and_what_copies_from_them_waits),
		EXECUTE_TEST(stages_on_one_stage_share_its_result),
		EXECUTE_TEST(no_more_steps_run_at_once_than_jobs),
		EXECUTE_TEST(what_is_there_is_found_and_a_stage_that_nobody_reads_is_left_out),
		EXECUTE_TEST(a_step_that_another_process_is_making_is_waited_for),
		EXECUTE_TEST(a_step_says_once_that_it_waits_for_another_build),
		EXECUTE_TEST(a_step_that_two_stages_have_is_made_once),
		EXECUTE_TEST(a_failure_stops_the_commands_of_other_stages),
		EXECUTE_TEST(a_failure_stops_a_copy),
		EXECUTE_TEST(a_failure_stops_a_base_from_being_unpacked),
		EXECUTE_TEST(a_failure_stops_those_who_wait_for_another_build),
		EXECUTE_TEST(all_of_many_siblings_stop_and_the_cause_is_told),
		EXECUTE_TEST(a_layer_that_cannot_be_a_blob_stops_the_steps),
		EXECUTE_TEST(after_a_failure_what_was_done_is_found_again),
		EXECUTE_TEST(a_base_that_takes_long_does_not_hold_up_another),
		EXECUTE_TEST(a_base_of_many_stages_is_unpacked_once),
		EXECUTE_TEST(a_base_that_is_damaged_fails_every_stage_alike),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
