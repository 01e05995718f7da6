/* tests/unit/test_layer.c - layers appear whole, are shared, and are trusted only while they may. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "store/layer.h"
#include "store/meta-private.h"
#include "store/step.h"
#include "tests/unit/room.h"

static const struct digest some_diff = { .bytes = { 0xd1, 2, 3 } };
static const struct digest some_chain = { .bytes = { 0xc1, 2, 3 } };
#define DIFF_HEX "d102030000000000000000000000000000000000000000000000000000000000"
#define CHAIN_HEX "c102030000000000000000000000000000000000000000000000000000000000"

/* A layer that holds one file with this text. */
static struct layer_meta seal(const char *text, const struct digest *diff,
			      const struct digest *chain)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { .entries = 1,
				   .bytes = strlen(text),
				   .dependent = chain != NULL };

	if (diff) {
		meta.has_diff_id = true;
		meta.diff_id = *diff;
	}
	assert_ok(layer_begin(store, &stage));
	room_put_at(stage->fs_fd, "file", text, strlen(text));
	assert_ok(layer_seal(stage, chain, &meta));
	return meta;
}

static void assert_text(const char *lid, const char *want)
{
	AUTO(mem) char *path = xasprintf("layers/%s/fs/file", lid);
	AUTO(mem) char *text = room_text(path);

	assert_string_equal(text, want);
}

static bool is_there(const char *lid)
{
	AUTO(fd) int fd = -1;
	AUTO(err) struct err *err = layer_open(store, lid, &fd, NULL);

	if (err)
		assert_int_equal(err_kind(err), ERR_NOT_FOUND);
	return !err;
}

/* ---- staging ---- */

TEST(scratch_directories_are_empty_and_go_with_the_store)
{
	AUTO(fd) int one = -1, two = -1;
	struct stat a, b;

	assert_ok(layer_scratch(store, &one));
	assert_ok(layer_scratch(store, &two));
	assert_int_equal(fstat(one, &a), 0);
	assert_int_equal(fstat(two, &b), 0);
	assert_int_equal(a.st_mode, S_IFDIR | 0755);
	assert_int_not_equal(a.st_ino, b.st_ino);
	assert_int_equal(mkdirat(one, "sub", 0755), 0);

	/* Deleting may still go on behind the scenes. */
	assert_int_equal(room_count("tmp"), 1);
	room_reopen();
	assert_int_equal(room_count("tmp"), 0);
}

/* ---- sealing ---- */

TEST(a_sealed_layer_is_a_directory_with_its_record)
{
	struct layer_meta meta = seal("hello", NULL, NULL);
	AUTO(mem) char *dir = xasprintf("layers/%s", meta.lid);
	AUTO(strings) struct strings names = { 0 };
	struct layer_meta found;
	AUTO(fd) int fd = -1;
	struct stat st;

	assert_ok(layer_open(store, meta.lid, &fd, &found));
	assert_string_equal(found.lid, meta.lid);
	assert_int_equal(found.entries, 1);
	assert_int_equal(found.bytes, 5);
	assert_false(found.has_diff_id || found.has_blob || found.dependent || found.has_root);
	assert_return_code(fstat(fd, &st), errno);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_text(meta.lid, "hello");
	assert_ok(file_list(store_fd(store), dir, &names));
	assert_int_equal(names.len, 2); /* fs and meta, but no work */
}

TEST(the_root_of_a_tree_has_mode_0755_whatever_the_umask)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	mode_t before = umask(077);
	struct stat st;

	assert_ok(layer_begin(store, &stage));
	umask(before);
	assert_return_code(fstat(stage->fs_fd, &st), errno);
	assert_int_equal(st.st_mode & 07777, 0755);
}

TEST(what_overlayfs_leaves_in_the_work_directory_does_not_hinder)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { .lid = "" };
	AUTO(mem) char *work = NULL;

	assert_ok(layer_begin(store, &stage));
	assert_return_code(mkdirat(stage->work_fd, "work", 0), errno);
	assert_return_code(mkdirat(stage->work_fd, "incompat", 0700), errno);
	assert_return_code(mkdirat(stage->work_fd, "incompat/volatile", 0700), errno);
	assert_ok(layer_seal(stage, NULL, &meta));
	work = xasprintf("layers/%s/work", meta.lid);
	assert_false(room_has(work));
}

TEST(a_stage_without_a_seal_leaves_nothing)
{
	struct layer_stage *stage = NULL;

	assert_ok(layer_begin(store, &stage));
	room_put_at(stage->fs_fd, "file", "x", 1);
	layer_stage_free(stage);
	room_reopen();
	assert_int_equal(room_count("layers"), 0);
	assert_int_equal(room_count("tmp"), 0);
	trash_drain(store, UINT64_MAX);
	assert_int_equal(room_count("trash"), 0);
	layer_stage_free(NULL);
}

TEST(sealing_and_opening_pin)
{
	struct layer_meta meta = seal("hello", NULL, NULL);
	AUTO(mem) char *line = xasprintf("L %s", meta.lid);

	assert_true(map_has(&store->pinned, str_of(line)));
	room_reopen();
	assert_false(map_has(&store->pinned, str_of(line)));
	assert_true(is_there(meta.lid));
	assert_true(map_has(&store->pinned, str_of(line)));
}

TEST(names_that_are_no_lids_are_not_found)
{
	static const char *const cases[] = {
		"",
		".",
		"..",
		"../refs",
		"abc",
		"abcdefghijklmnopqrstuvwxy/",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"abcdefghijklmnopqrstuvwxyz",
		"abcdefghijklmnopqrstuvwxyzz",
		"abcdefghijklmnopqrstuvwx10",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fd) int fd = -1;
		struct layer_meta meta = { .lid = "" };

		assert_false(is_there(cases[i]));
		assert_fails(layer_open_dir(store, cases[i], &fd), ERR_NOT_FOUND);
		snprintf(meta.lid, sizeof(meta.lid), "%s", cases[i]);
		assert_fails(layer_update(store, &meta), ERR_NOT_FOUND);
		assert_ok(layer_discard(store, cases[i]));
	}
	assert_true(room_has("refs"));
}

/* ---- diff ids ---- */

TEST(a_layer_is_found_by_its_diff_id)
{
	struct layer_meta meta = seal("hello", &some_diff, NULL);
	struct layer_meta found;
	bool is_found = false;
	AUTO(mem) char *target = NULL;
	AUTO(mem) char *want = xasprintf("../layers/%s", meta.lid);

	assert_ok(layer_find(store, &some_diff, NULL, &is_found, &found));
	assert_true(is_found);
	assert_string_equal(found.lid, meta.lid);
	assert_true(found.has_diff_id && digest_equal(&found.diff_id, &some_diff));
	assert_ok(file_read_link(store_fd(store), "diffs/" DIFF_HEX, &target));
	assert_string_equal(target, want);
	assert_ok(layer_find(store, &some_chain, NULL, &is_found, NULL));
	assert_false(is_found);
}

TEST(an_equal_layer_is_kept_once)
{
	struct layer_meta first = seal("hello", &some_diff, NULL);
	struct layer_meta second = seal("hello", &some_diff, NULL);

	assert_string_equal(second.lid, first.lid);
	assert_int_equal(room_count("layers"), 1);
	assert_int_equal(room_count("diffs"), 1);
}

TEST(a_dependent_layer_is_found_only_on_its_chain)
{
	struct layer_meta meta = seal("hello", &some_diff, &some_chain);
	struct layer_meta found;
	bool is_found = true;

	assert_true(room_has("diffs/" DIFF_HEX "." CHAIN_HEX));
	assert_ok(layer_find(store, &some_diff, NULL, &is_found, &found));
	assert_false(is_found);
	assert_ok(layer_find(store, &some_diff, &some_diff, &is_found, &found));
	assert_false(is_found);
	assert_ok(layer_find(store, &some_diff, &some_chain, &is_found, &found));
	assert_true(is_found);
	assert_string_equal(found.lid, meta.lid);
	/* One that does not depend serves every chain. */
	meta = seal("hello", &some_diff, NULL);
	assert_ok(layer_find(store, &some_diff, &some_chain, &is_found, &found));
	assert_string_equal(found.lid, meta.lid);
}

TEST(a_link_that_leads_astray_is_not_followed_and_is_replaced)
{
	static const char *const targets[] = {
		"../layers/aaaaaaaaaaaaaaaaaaaaaaaaaa",
		"../layers/../refs",
		"nowhere",
		"/etc",
		"../layers/",
	};

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		struct digest diff = { .bytes = { (uint8_t)i } };
		char path[STORE_PATH_SIZE];
		bool is_found = true;
		struct layer_meta meta, found;

		store_hex_path("diffs/", &diff, path);
		assert_return_code(symlinkat(targets[i], store_fd(store), path), errno);
		assert_ok(layer_find(store, &diff, NULL, &is_found, &found));
		assert_false(is_found);
		meta = seal("hello", &diff, NULL);
		assert_ok(layer_find(store, &diff, NULL, &is_found, &found));
		assert_true(is_found);
		assert_string_equal(found.lid, meta.lid);
	}
}

TEST(a_link_to_another_diff_is_not_believed)
{
	struct layer_meta meta = seal("hello", &some_diff, NULL);
	AUTO(mem) char *target = xasprintf("../layers/%s", meta.lid);
	bool is_found = true;

	assert_return_code(symlinkat(target, store_fd(store), "diffs/" CHAIN_HEX), errno);
	assert_ok(layer_find(store, &some_chain, NULL, &is_found, NULL));
	assert_false(is_found);
}

/* Two that work at the same layer: both stage, then both seal. */
TEST(the_second_of_two_that_made_the_same_takes_the_first_one)
{
	AUTO(store) struct store *other = NULL;
	AUTO(layer_stage) struct layer_stage *one = NULL;
	AUTO(layer_stage) struct layer_stage *two = NULL; /* goes before its store */
	struct layer_meta first = { .has_diff_id = true, .diff_id = some_diff };
	struct layer_meta second = first;
	AUTO(mem) char *line = NULL;

	assert_ok(store_open(room_path, &other));
	assert_ok(layer_begin(store, &one));
	assert_ok(layer_begin(other, &two));
	assert_ok(layer_seal(one, NULL, &first));
	assert_ok(layer_seal(two, NULL, &second));
	assert_string_equal(first.lid, second.lid);
	line = xasprintf("L %s", first.lid);
	assert_true(map_has(&other->pinned, str_of(line)));
	assert_int_equal(room_count("layers"), 1);
}

/* ---- amending ---- */

TEST(what_becomes_known_later_is_added)
{
	struct layer_meta meta = seal("hello", NULL, NULL);
	struct layer_meta more = { .entries = 7, .bytes = 70 };
	struct layer_meta found;
	bool is_found = false;
	AUTO(fd) int fd = -1;

	memcpy(more.lid, meta.lid, sizeof(more.lid));
	assert_ok(layer_update(store, &more));
	assert_false(room_has("diffs/" DIFF_HEX));

	more = (struct layer_meta){ .has_diff_id = true, .diff_id = some_diff };
	memcpy(more.lid, meta.lid, sizeof(more.lid));
	assert_ok(layer_update(store, &more));

	more = (struct layer_meta){ .has_blob = true };
	memcpy(more.lid, meta.lid, sizeof(more.lid));
	more.blob = (struct descriptor){ .media_type = "application/x",
					 .digest = some_chain,
					 .size = 9 };
	assert_ok(layer_update(store, &more));

	assert_ok(layer_find(store, &some_diff, NULL, &is_found, &found));
	assert_true(is_found);
	assert_string_equal(found.lid, meta.lid);
	assert_int_equal(found.entries, 7);
	assert_int_equal(found.bytes, 70);
	assert_true(found.has_blob && descriptor_equal(&found.blob, &more.blob));
}

/* Whether the layer's record still has what this process wrote last. */
static bool amend(void *arg, bool counts)
{
	struct layer_meta more = { .has_blob = !counts };
	CHILD_STORE(mine);

	more.blob = (struct descriptor){ .media_type = "application/x", .digest = some_chain };
	memcpy(more.lid, arg, sizeof(more.lid));
	for (unsigned i = 1; i <= 200; i++) {
		struct layer_meta now;
		AUTO(fd) int fd = -1;

		more.entries = counts ? i : 0;
		more.blob.size = i;
		CHECK_OK(layer_update(mine, &more));
		CHECK_OK(layer_open(mine, more.lid, &fd, &now));
		CHECK((counts ? now.entries : now.blob.size) == i);
	}
	store_close(mine);
	return true;
}

static bool amend_counts(void *arg)
{
	return amend(arg, true);
}

static bool amend_blob(void *arg)
{
	return amend(arg, false);
}

TEST(two_that_amend_at_once_do_not_undo_each_other)
{
	struct layer_meta meta = seal("hello", NULL, NULL);
	pid_t one = child_start(amend_counts, meta.lid);
	pid_t two = child_start(amend_blob, meta.lid);

	assert_int_equal(child_wait(one), 0);
	assert_int_equal(child_wait(two), 0);
}

TEST(a_discarded_layer_is_gone_from_every_side)
{
	struct layer_meta meta = seal("hello", &some_diff, NULL);
	bool is_found = true;

	assert_ok(layer_discard(store, meta.lid));
	assert_ok(layer_discard(store, meta.lid));
	assert_false(is_there(meta.lid));
	assert_ok(layer_find(store, &some_diff, NULL, &is_found, NULL));
	assert_false(is_found);
	assert_int_equal(room_count("layers"), 0);
}

/* ---- trust ---- */

TEST(a_layer_of_another_boot_is_absent_until_it_is_marked)
{
	struct layer_meta meta = seal("hello", &some_diff, NULL);
	AUTO(mem) char *marker = xasprintf("layers/%s/synced", meta.lid);
	struct layer_meta found, again;
	bool is_found = true;

	room_reopen();
	assert_true(is_there(meta.lid));
	store_set_boot_id(store, "another-boot");
	assert_false(is_there(meta.lid));
	assert_ok(layer_find(store, &some_diff, NULL, &is_found, &found));
	assert_false(is_found);
	assert_fails(layer_update(store, &meta), ERR_NOT_FOUND);

	/* It is made again, and takes the place of the one that nobody believes. */
	again = seal("hello", &some_diff, NULL);
	assert_string_not_equal(again.lid, meta.lid);
	assert_ok(layer_find(store, &some_diff, NULL, &is_found, &found));
	assert_string_equal(found.lid, again.lid);

	room_put(marker, "", 0);
	assert_true(is_there(meta.lid));
}

TEST(a_flush_marks_what_this_process_made_and_used)
{
	struct layer_meta old = seal("made by one that was killed", NULL, NULL);
	struct layer_meta unused = seal("not met again", NULL, NULL);
	struct layer_meta made;

	room_reopen();
	assert_true(is_there(old.lid));
	made = seal("made here", NULL, NULL);
	assert_ok(store_sync(store));
	room_reopen();
	store_set_boot_id(store, "another-boot");
	assert_true(is_there(old.lid));
	assert_true(is_there(made.lid));
	assert_false(is_there(unused.lid));
}

TEST(after_a_write_error_only_marked_layers_count_and_nothing_is_made)
{
	struct layer_meta marked = seal("on disk", NULL, NULL);
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	const struct step_record step = { .key = some_diff };
	struct layer_meta unmarked, meta = { .lid = "" };

	assert_ok(store_sync(store));
	unmarked = seal("perhaps not", NULL, NULL);
	assert_ok(layer_begin(store, &stage));
	atomic_store(&store->sync_failed, true); /* as after a syncfs(2) that reported EIO */
	assert_true(is_there(marked.lid));
	assert_false(is_there(unmarked.lid));
	assert_fails(layer_seal(stage, NULL, &meta), ERR_SYSTEM);
	assert_fails(step_put(store, &step), ERR_SYSTEM);
	assert_fails(store_sync(store), ERR_SYSTEM);
}

TEST(amending_a_layer_does_not_make_it_younger)
{
	struct layer_meta meta = seal("hello", NULL, NULL);
	struct layer_meta more = { .entries = 5 };
	AUTO(mem) char *marker = xasprintf("layers/%s/synced", meta.lid);

	assert_ok(store_sync(store));
	memcpy(more.lid, meta.lid, sizeof(more.lid));
	store_set_boot_id(store, "another-boot");
	assert_ok(layer_update(store, &more)); /* trusted by its marker */
	assert_return_code(unlinkat(store_fd(store), marker, 0), errno);
	assert_false(is_there(meta.lid));
}

TEST(a_record_without_its_tree_is_an_absent_layer)
{
	struct layer_meta meta = seal("hello", NULL, NULL);
	AUTO(mem) char *dir = xasprintf("layers/%s", meta.lid);
	AUTO(fd) int dir_fd = -1, fd = -1;

	assert_ok(file_open_dir(store_fd(store), dir, &dir_fd));
	assert_ok(file_remove_tree(dir_fd, "fs"));
	room_reopen();
	assert_fails(layer_open(store, meta.lid, &fd, NULL), ERR_NOT_FOUND);
}

TEST(a_damaged_record_is_an_absent_layer)
{
	struct layer_meta meta = seal("hello", &some_diff, NULL);
	AUTO(mem) char *path = xasprintf("layers/%s/meta", meta.lid);
	AUTO(mem) char *text = room_text(path);
	size_t len = strlen(text);
	bool is_found = true;

	for (size_t cut = 0; cut < len; cut++) {
		room_put(path, text, cut);
		assert_false(is_there(meta.lid));
	}
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 4;
		room_put(path, text, len);
		assert_false(is_there(meta.lid));
		text[i] ^= 4;
	}
	assert_ok(layer_find(store, &some_diff, NULL, &is_found, NULL));
	assert_false(is_found);
	room_put(path, text, len);
	assert_true(is_there(meta.lid));
	assert_return_code(unlinkat(store_fd(store), path, 0), errno);
	assert_return_code(mkdirat(store_fd(store), path, 0700), errno);
	assert_false(is_there(meta.lid));
}

TEST(the_record_of_one_layer_does_not_serve_another)
{
	struct layer_meta one = seal("one", NULL, NULL);
	struct layer_meta two = seal("two", NULL, NULL);
	AUTO(mem) char *from = xasprintf("layers/%s/meta", one.lid);
	AUTO(mem) char *to = xasprintf("layers/%s/meta", two.lid);
	AUTO(mem) char *text = room_text(from);

	room_put(to, text, strlen(text));
	assert_false(is_there(two.lid));
}

/* ---- the record ---- */

TEST(a_record_parses_back_to_what_it_was)
{
	struct meta_record record = {
		.meta = { .lid = "abcdefghijklmnopqrstuvwx23",
			  .entries = 3,
			  .bytes = UINT64_MAX,
			  .dependent = true,
			  .has_root = true,
			  .has_diff_id = true,
			  .diff_id = some_diff,
			  .has_blob = true },
		.boot = "0f5b6b6e-0000-4000-8000-000000000000",
	};
	AUTO(buf) struct buf text = BUF_INIT(META_MAX);
	AUTO(buf) struct buf again = BUF_INIT(META_MAX);
	struct meta_record parsed;

	record.meta.blob =
		(struct descriptor){ .media_type = "application/vnd.oci.image.layer.v1.tar",
				     .digest = some_chain,
				     .size = 1 };
	assert_ok(meta_format(&record, &text));
	assert_ok(meta_parse(buf_str(&text), &parsed));
	assert_ok(meta_format(&parsed, &again));
	assert_string_equal(text.at, again.at);
	assert_string_equal(parsed.boot, record.boot);
	assert_true(parsed.meta.dependent && parsed.meta.has_root);
	assert_true(descriptor_equal(&parsed.meta.blob, &record.meta.blob));
	memcpy(record.meta.blob.media_type, "a\nb", 4);
	assert_fails(meta_format(&record, &again), ERR_INVALID);
}

/* ---- threads ---- */

#define ROUNDS 40

struct crowd {
	pthread_barrier_t *barrier;
	char lids[ROUNDS][LAYER_ID_SIZE];
	struct err *err;
};

static struct err *seal_round(struct crowd *c, uint8_t round)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { .has_diff_id = true, .diff_id = some_diff };
	bool found = false;
	struct err *err = layer_begin(store, &stage);

	meta.diff_id.bytes[31] = round;
	pthread_barrier_wait(c->barrier);
	TRY(err);
	TRY(layer_seal(stage, NULL, &meta));
	memcpy(c->lids[round], meta.lid, sizeof(meta.lid));
	TRY(layer_find(store, &meta.diff_id, NULL, &found, NULL));
	if (!found)
		return err_new(ERR_INTERNAL, "sealed and not found");
	return round % 16 ? NULL : store_sync(store);
}

static void *seal_the_same(void *arg)
{
	struct crowd *c = arg;

	for (uint8_t round = 0; round < ROUNDS; round++) {
		struct err *err = seal_round(c, round);

		if (c->err)
			err_free(err);
		else
			c->err = err;
	}
	return NULL;
}

TEST(threads_that_seal_the_same_agree_on_one)
{
	pthread_barrier_t barrier;
	struct crowd crowd[4] = { { .err = NULL } };
	pthread_t threads[ARRAY_SIZE(crowd)];

	pthread_barrier_init(&barrier, NULL, ARRAY_SIZE(crowd));
	for (size_t i = 0; i < ARRAY_SIZE(crowd); i++) {
		crowd[i].barrier = &barrier;
		assert_int_equal(pthread_create(&threads[i], NULL, seal_the_same, &crowd[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(crowd); i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_ok(crowd[i].err);
		for (size_t round = 0; round < ROUNDS; round++)
			assert_string_equal(crowd[i].lids[round], crowd[0].lids[round]);
	}
	pthread_barrier_destroy(&barrier);
	assert_int_equal(room_count("layers"), ROUNDS);
	assert_int_equal(room_count("diffs"), ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(scratch_directories_are_empty_and_go_with_the_store),
		ROOM_TEST(a_sealed_layer_is_a_directory_with_its_record),
		ROOM_TEST(the_root_of_a_tree_has_mode_0755_whatever_the_umask),
		ROOM_TEST(what_overlayfs_leaves_in_the_work_directory_does_not_hinder),
		ROOM_TEST(a_stage_without_a_seal_leaves_nothing),
		ROOM_TEST(sealing_and_opening_pin),
		ROOM_TEST(names_that_are_no_lids_are_not_found),
		ROOM_TEST(a_layer_is_found_by_its_diff_id),
		ROOM_TEST(an_equal_layer_is_kept_once),
		ROOM_TEST(a_dependent_layer_is_found_only_on_its_chain),
		ROOM_TEST(a_link_that_leads_astray_is_not_followed_and_is_replaced),
		ROOM_TEST(a_link_to_another_diff_is_not_believed),
		ROOM_TEST(the_second_of_two_that_made_the_same_takes_the_first_one),
		ROOM_TEST(what_becomes_known_later_is_added),
		ROOM_TEST(two_that_amend_at_once_do_not_undo_each_other),
		ROOM_TEST(a_discarded_layer_is_gone_from_every_side),
		ROOM_TEST(a_layer_of_another_boot_is_absent_until_it_is_marked),
		ROOM_TEST(a_flush_marks_what_this_process_made_and_used),
		ROOM_TEST(after_a_write_error_only_marked_layers_count_and_nothing_is_made),
		ROOM_TEST(amending_a_layer_does_not_make_it_younger),
		ROOM_TEST(a_record_without_its_tree_is_an_absent_layer),
		ROOM_TEST(a_damaged_record_is_an_absent_layer),
		ROOM_TEST(the_record_of_one_layer_does_not_serve_another),
		ROOM_TEST(a_record_parses_back_to_what_it_was),
		ROOM_TEST(threads_that_seal_the_same_agree_on_one),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
