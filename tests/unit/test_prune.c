/* tests/unit/test_prune.c - what goes, in which order, and what stays. */

#include "tests/unit/images.h"

#include <sys/stat.h>
#include <unistd.h>

#include "store/cache_dir.h"
#include "store/id.h"
#include "store/layer.h"
#include "store/prune.h"
#include "store/ref.h"
#include "store/step.h"
#include "store/usage.h"

#define APP "docker.io/library/app:latest"
#define HOUR 3600

static const struct prune_opts everything = { .kinds = ~0U, .max_bytes = PRUNE_NO_LIMIT };

/* A step with a layer that has one file of so many bytes. */
static struct layer_meta put_step(unsigned char key, size_t size)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct step_record step = { .key = { .bytes = { key, key } } };
	struct layer_meta meta = { 0 };
	AUTO(mem) char *content = xcalloc(1, size + 1);

	memset(content, key, size);
	assert_ok(layer_begin(store, &stage));
	assert_ok(file_replace(stage->fs_fd, "file", (struct str){ content, size }, 0644,
			       FILE_QUICK));
	assert_ok(layer_seal(stage, NULL, &meta));
	memcpy(step.lid, meta.lid, sizeof(step.lid));
	assert_ok(step_put(store, &step));
	return meta;
}

static void step_path(unsigned char key, char buf[static STORE_PATH_SIZE])
{
	snprintf(buf, STORE_PATH_SIZE, "steps/%02x/%02x%02x%060d", key, key, key, 0);
}

static bool has_step(unsigned char key)
{
	char path[STORE_PATH_SIZE];

	step_path(key, path);
	return room_has(path);
}

static bool has_layer(const struct layer_meta *meta)
{
	AUTO(mem) char *path = xasprintf("layers/%s", meta->lid);

	return room_has(path);
}

static bool has_blob(const struct descriptor *blob)
{
	char path[STORE_PATH_SIZE];

	return room_has(store_hex_path("blobs/sha256/", &blob->digest, path));
}

/* Last used so many seconds ago. */
static void age(const char *path, time_t seconds)
{
	struct timespec times[2];

	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= seconds;
	times[1] = times[0];
	assert_int_equal(utimensat(store_fd(store), path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void age_step(unsigned char key, time_t seconds)
{
	char path[STORE_PATH_SIZE];

	step_path(key, path);
	age(path, seconds);
}

/* As the next command would. */
static struct prune_report prune(const struct prune_opts *opts)
{
	struct prune_report report = { 0 };

	room_reopen();
	assert_ok(prune_run(store, opts, &report));
	return report;
}

static uint64_t disk(void)
{
	AUTO(usage) struct usage usage = { 0 };
	uint64_t bytes = 0;

	assert_ok(usage_add(&usage, store_fd(store), ".", &bytes));
	return bytes;
}

TEST(what_has_no_name_goes_and_what_has_one_stays)
{
	struct descriptor config, app = put_image("amd64", "app", &config), app_config = config;
	struct descriptor other = put_image("amd64", "other", &config);
	struct layer_meta layer = put_step(1, 10);
	struct prune_report report;

	assert_ok(ref_set(store, APP, &app));
	assert_ok(id_remember(store, &other));
	report = prune(&everything);
	assert_true(has_blob(&app) && has_blob(&app_config));
	assert_false(has_blob(&other) || has_blob(&config));
	assert_false(has_layer(&layer) || has_step(1));
	assert_int_equal(report.holders[HOLDER_IMAGE].count, 1);
	assert_int_equal(report.holders[HOLDER_STEP].count, 1);
	assert_int_equal(report.layers.count, 1);
	assert_int_equal(report.blobs.count, 3);
	assert_int_equal(report.after, disk());
	assert_int_equal(room_count("trash"), 0);
}

TEST(what_was_used_lately_stays)
{
	const struct prune_opts old = { .kinds = ~0U, .unused = HOUR, .max_bytes = PRUNE_NO_LIMIT };
	struct layer_meta one = put_step(1, 10), two = put_step(2, 10);

	age_step(1, 2 * HOUR);
	age_step(2, HOUR / 2);
	(void)prune(&old);
	assert_false(has_step(1) || has_layer(&one));
	assert_true(has_step(2) && has_layer(&two));
}

TEST(a_layer_stays_with_the_last_step_that_leads_to_it)
{
	const struct prune_opts old = { .kinds = ~0U, .unused = HOUR, .max_bytes = PRUNE_NO_LIMIT };
	struct layer_meta layer = put_step(1, 10);
	struct step_record step = { .key = { .bytes = { 2, 2 } } };

	memcpy(step.lid, layer.lid, sizeof(step.lid));
	assert_ok(step_put(store, &step));
	age_step(1, 2 * HOUR);
	(void)prune(&old);
	assert_false(has_step(1));
	assert_true(has_step(2) && has_layer(&layer));
}

TEST(only_the_kinds_that_were_asked_for_go)
{
	const struct prune_opts images = { .kinds = 1U << HOLDER_IMAGE,
					   .max_bytes = PRUNE_NO_LIMIT };
	struct descriptor config, image = put_image("amd64", "app", &config);
	struct layer_meta layer = put_step(1, 10);

	assert_ok(id_remember(store, &image));
	(void)prune(&images);
	assert_false(has_blob(&image));
	assert_true(has_step(1) && has_layer(&layer));
}

TEST(a_size_is_kept_by_what_was_used_longest_ago)
{
	struct prune_opts opts = { .kinds = ~0U };
	struct layer_meta layers[5];
	struct prune_report report;

	for (unsigned char i = 0; i < 5; i++) {
		layers[i] = put_step((unsigned char)(i + 1), 1000000);
		age_step((unsigned char)(i + 1), (i * 3 % 5 + 1) * HOUR);
	}
	room_reopen();
	opts.max_bytes = disk() - 1500000;
	report = prune(&opts);
	/* used 1, 4, 2, 5 and 3 hours ago */
	assert_true(has_layer(&layers[0]) && has_layer(&layers[2]) && has_layer(&layers[4]));
	assert_false(has_layer(&layers[1]) || has_layer(&layers[3]));
	assert_true(report.after <= opts.max_bytes);
	assert_int_equal(report.holders[HOLDER_STEP].count, 2);
}

TEST(a_dry_run_changes_nothing_and_its_figures_are_those_of_the_prune)
{
	struct prune_opts dry = everything;
	struct descriptor config, app = put_image("amd64", "app", &config);
	struct descriptor other = put_image("amd64", "other", &config);
	struct prune_report told, done;
	AUTO(fd) int scratch_fd = -1;
	uint64_t before;

	dry.dry_run = true;
	assert_ok(ref_set(store, APP, &app));
	assert_ok(id_remember(store, &other));
	put_step(1, 100000);
	put_text("text/plain", "nobody's");
	room_put("trash/something", "rubbish", 7);
	assert_int_equal(mkdirat(store_fd(store), "tmp/aaaa", 0700), 0);
	room_put("tmp/aaaa/left", "by the dead", 11);
	room_reopen();
	before = disk();
	assert_ok(prune_run(store, &dry, &told));
	assert_int_equal(told.before, before);
	assert_int_equal(disk(), before);
	assert_true(has_step(1) && has_blob(&other));
	assert_ok(prune_run(store, &everything, &done));
	assert_int_equal(done.before, before);
	assert_int_equal(done.after, told.after);
	assert_int_equal(done.after, disk());
	assert_memory_equal(done.holders, told.holders, sizeof(done.holders));
	assert_memory_equal(&done.layers, &told.layers, sizeof(done.layers));
	assert_memory_equal(&done.blobs, &told.blobs, sizeof(done.blobs));
}

TEST(what_this_process_uses_stays)
{
	struct descriptor config, image = put_image("amd64", "app", &config);
	struct layer_meta layer = put_step(1, 10);
	struct prune_report report;

	assert_ok(prune_run(store, &everything, &report));
	assert_true(has_blob(&image) && has_blob(&config));
	assert_true(has_step(1) && has_layer(&layer));
	assert_int_equal(report.blobs.count + report.layers.count, 0);
}

TEST(links_that_lead_nowhere_go)
{
	struct descriptor config, image = put_image("amd64", "app", &config);
	struct descriptor layer = put_text(MEDIA_OCI_LAYER, "app");
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { .has_diff_id = true, .diff_id = layer.digest };

	assert_ok(layer_begin(store, &stage));
	assert_ok(layer_seal(stage, NULL, &meta));
	assert_ok(id_remember(store, &image));
	assert_int_equal(room_count("diffs"), 1);
	layer_stage_free(STEAL(stage));
	(void)prune(&everything);
	assert_int_equal(room_count("diffs"), 0);
	for (unsigned i = 0; i < 256; i++) {
		char shelf[8];

		snprintf(shelf, sizeof(shelf), "ids/%02x", i);
		if (room_has(shelf))
			assert_int_equal(room_count(shelf), 0);
	}
}

TEST(a_cache_that_is_in_use_stays)
{
	const struct digest id = { .bytes = { 1 } };
	const struct cache_dir_opts opts = { .id = &id, .about = "a test" };
	struct cache_dir cache;
	struct prune_report report;

	assert_ok(cache_dir_open(store, &opts, &cache));
	assert_ok(prune_run(store, &everything, &report));
	assert_int_equal(room_count("mounts"), 1);
	assert_int_equal(report.in_use, 1);
	cache_dir_close(&cache);
	assert_ok(prune_run(store, &everything, &report));
	assert_int_equal(room_count("mounts"), 0);
	assert_int_equal(report.holders[HOLDER_MOUNT].count, 1);
	assert_ok(cache_dir_open(store, &opts, &cache)); /* and is made anew */
	cache_dir_close(&cache);
}

TEST(a_limit_is_kept_and_can_be_given_up)
{
	struct prune_report report;
	bool pruned;

	put_step(1, 1000000);
	age_step(1, 9 * HOUR);
	room_reopen();
	assert_ok(prune_set_limit(store, disk() - 500000));
	room_reopen();
	assert_ok(prune_keep_limit(store, &pruned, &report));
	assert_false(pruned); /* nothing was made */
	put_step(2, 10);
	assert_ok(prune_keep_limit(store, &pruned, &report));
	assert_true(pruned);
	assert_false(has_step(1));
	assert_true(has_step(2));
	assert_ok(prune_keep_limit(store, &pruned, &report));
	assert_false(pruned);
	room_put("limit", "much", 4);
	assert_fails(prune_keep_limit(store, &pruned, &report), ERR_CORRUPT);
	assert_ok(prune_set_limit(store, PRUNE_NO_LIMIT));
	assert_false(room_has("limit"));
	assert_ok(prune_set_limit(store, PRUNE_NO_LIMIT));
	assert_ok(prune_keep_limit(store, &pruned, &report));
	assert_false(pruned);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(what_has_no_name_goes_and_what_has_one_stays),
		ROOM_TEST(what_was_used_lately_stays),
		ROOM_TEST(a_layer_stays_with_the_last_step_that_leads_to_it),
		ROOM_TEST(only_the_kinds_that_were_asked_for_go),
		ROOM_TEST(a_size_is_kept_by_what_was_used_longest_ago),
		ROOM_TEST(a_dry_run_changes_nothing_and_its_figures_are_those_of_the_prune),
		ROOM_TEST(what_this_process_uses_stays),
		ROOM_TEST(links_that_lead_nowhere_go),
		ROOM_TEST(a_cache_that_is_in_use_stays),
		ROOM_TEST(a_limit_is_kept_and_can_be_given_up),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
