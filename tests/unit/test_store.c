/* tests/unit/test_store.c - where a store is, what is one, and what opening it makes. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "store/blob.h"
#include "store/image.h"
#include "store/journal.h"
#include "store/layer.h"
#include "store/prune.h"
#include "store/ref.h"
#include "store/step.h"
#include "store/store.h"
#include "tests/unit/room.h"

/* OCI image-spec, image-index: an index of no manifests. */
#define EMPTY_INDEX                                                                       \
	"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\"," \
	"\"manifests\":[]}\n"

/* ---- finding ---- */

TEST(finds_the_root_by_option_then_environment_then_user)
{
	static const struct {
		const char *given, *cairn_root, *data, *home, *want_root, *want_user;
	} cases[] = {
		{ "/a", "/b", "/c", "/d", "/a", "/a" },
		{ NULL, "/b", "/c", "/d", "/b", "/b" },
		{ NULL, NULL, "/c", "/d", "/var/lib/cairn", "/c/cairn" },
		{ NULL, "", "/c", "/d", "/var/lib/cairn", "/c/cairn" },
		{ NULL, NULL, "relative", "/d", "/var/lib/cairn", "/d/.local/share/cairn" },
		{ NULL, NULL, NULL, "/d", "/var/lib/cairn", "/d/.local/share/cairn" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static const char *const names[] = { "CAIRN_ROOT", "XDG_DATA_HOME", "HOME" };
		const char *const values[] = { cases[i].cairn_root, cases[i].data, cases[i].home };
		AUTO(mem) char *root = NULL;

		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			if (values[k])
				setenv(names[k], values[k], 1);
			else
				unsetenv(names[k]);
		assert_ok(store_find_root(cases[i].given, &root));
		assert_string_equal(root, geteuid() ? cases[i].want_user : cases[i].want_root);
	}
	unsetenv("CAIRN_ROOT");
}

/* ---- opening ---- */

static void make_dir(const char *name)
{
	assert_return_code(mkdirat(tmp_fd, name, 0755), errno);
}

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", tmp_path, name);
}

TEST(makes_a_private_store_with_missing_parents)
{
	AUTO(mem) char *path = path_of("deep/er/store");
	AUTO(store) struct store *made = NULL;
	struct stat st;

	assert_ok(store_open(path, &made));
	assert_string_equal(store_path(made), path);
	assert_return_code(fstat(store_fd(made), &st), errno);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (const char *const *dir =
		     (const char *const[]){ "blobs/sha256", "refs", "layers", "diffs", "steps",
					    "contexts", "mounts", "builds", "leases", "tmp",
					    "trash", "lock", NULL };
	     *dir; dir++)
		assert_true(file_exists(store_fd(made), *dir));
}

TEST(a_new_store_is_an_oci_layout)
{
	AUTO(mem) char *layout = room_text("oci-layout");
	AUTO(mem) char *index = room_text("index.json");

	/* image-spec, image-layout: the marker file, and an index without images. */
	assert_string_equal(layout, "{\"imageLayoutVersion\":\"1.0.0\"}\n");
	assert_string_equal(index, EMPTY_INDEX);
}

TEST(takes_an_empty_directory_and_makes_it_private)
{
	AUTO(mem) char *path = path_of("empty");
	AUTO(store) struct store *made = NULL;
	struct stat st;

	make_dir("empty");
	make_dir("empty/lost+found");
	assert_ok(store_open(path, &made));
	assert_return_code(fstat(store_fd(made), &st), errno);
	assert_int_equal(st.st_mode & 07777, 0700);
}

TEST(opening_twice_changes_nothing)
{
	AUTO(mem) char *before = room_text("store.json");
	AUTO(mem) char *after = NULL;
	struct stat first, second;

	assert_return_code(fstatat(store_fd(store), "store.json", &first, 0), errno);
	room_reopen();
	after = room_text("store.json");
	assert_return_code(fstatat(store_fd(store), "store.json", &second, 0), errno);
	assert_string_equal(before, after);
	assert_int_equal(first.st_ino, second.st_ino);
	assert_int_equal(room_count("leases"), 0);
	assert_int_equal(room_count("tmp"), 0);
}

TEST(goes_on_with_a_store_that_was_left_half_made)
{
	/* What there is after each step of making one. */
	static const char *const left[][4] = {
		{ "lock" },
		{ "lock", "blobs", "tmp" },
		{ "lock", "blobs", "blobs/sha256", "leases" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		AUTO(mem) char *name = xasprintf("half-%zu", i);
		AUTO(mem) char *path = path_of(name);
		AUTO(store) struct store *made = NULL;

		make_dir(name);
		for (size_t k = 0; k < ARRAY_SIZE(left[i]) && left[i][k]; k++) {
			AUTO(mem) char *dir = xasprintf("%s/%s", name, left[i][k]);

			make_dir(dir);
		}
		assert_ok(store_open(path, &made));
		assert_true(file_exists(store_fd(made), "store.json"));
	}
}

TEST(refuses_a_directory_that_is_something_else)
{
	AUTO(mem) char *full = path_of("full");
	AUTO(mem) char *layout = path_of("layout");
	AUTO(mem) char *file = path_of("file");
	struct store *made = NULL;

	make_dir("full");
	room_put_at(tmp_fd, "full/thesis.txt", "x", 1);
	assert_fails(store_open(full, &made), ERR_INVALID);
	/* Somebody's OCI layout is theirs. */
	make_dir("layout");
	make_dir("layout/blobs");
	room_put_at(tmp_fd, "layout/oci-layout", "{}", 2);
	assert_fails(store_open(layout, &made), ERR_INVALID);
	room_put_at(tmp_fd, "file", "x", 1);
	assert_fails(store_open(file, &made), ERR_INVALID);
	assert_fails(store_open("", &made), ERR_USAGE);
	assert_false(file_exists(tmp_fd, "full/lock"));
}

TEST(refuses_other_formats)
{
	static const struct {
		const char *text;
		enum err_kind want;
	} cases[] = {
		{ "{\"format\":1,\"features\":[]}", ERR_NONE },
		{ "{\"format\":1,\"features\":[],\"created\":\"today\"}", ERR_NONE },
		{ "{\"format\":2,\"features\":[]}", ERR_UNSUPPORTED },
		{ "{\"format\":1,\"features\":[\"packs\"]}", ERR_UNSUPPORTED },
		{ "{\"format\":0}", ERR_INVALID },
		{ "{\"format\":\"1\"}", ERR_INVALID },
		{ "{}", ERR_INVALID },
		{ "[]", ERR_INVALID },
		{ "", ERR_INVALID },
		{ "{\"format\":1", ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store *again = NULL;

		room_put("store.json", cases[i].text, strlen(cases[i].text));
		assert_fails(store_open(room_path, &again), cases[i].want);
		store_close(again);
	}
}

/* What a user may delete at the top of a store. */
static const char *const parts[] = {
	"lock",  "ids",   "blobs",      "blobs/sha256", "refs",       "layers",
	"diffs", "steps", "contexts",   "mounts",       "builds",     "leases",
	"tmp",   "trash", "oci-layout", "index.json",   "store.json",
};

/* Name an image, and make a layer and a step record. */
static void use_every_part(void)
{
	struct descriptor target = { .media_type = MEDIA_OCI_MANIFEST, .size = 3 };
	struct step_record record = { .duration = 1 };
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { .has_diff_id = true };
	AUTO(journal) struct journal *journal = NULL;

	assert_ok(blob_put(store, STR("one"), &target.digest));
	assert_ok(ref_set(store, "image:1", &target));
	assert_ok(layer_begin(store, &stage));
	assert_ok(layer_seal(stage, NULL, &meta));
	assert_ok(step_put(store, &record));
	assert_ok(journal_begin(store, &journal));
}

static void delete_part(const char *part)
{
	AUTO(fd) int blobs_fd = -1;

	if (strcmp(part, "blobs/sha256") != 0) {
		assert_ok(file_remove_tree(store_fd(store), part));
		return;
	}
	assert_ok(file_open_dir(store_fd(store), "blobs", &blobs_fd));
	assert_ok(file_remove_tree(blobs_fd, "sha256"));
}

static void assert_is_whole(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		assert_true(room_has(parts[i]));
	assert_int_equal(room_count("leases"), 0); /* whoever mends has a lease, and drops it */
}

TEST(what_somebody_deleted_is_made_again)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		AUTO(mem) char *index = NULL;

		use_every_part();
		(void)mkdirat(store_fd(store), "cache", 0700); /* as the sandbox does */
		delete_part(parts[i]);
		room_reopen();
		room_reopen();
		assert_is_whole();
		/* The view is that of the refs that there are. */
		index = room_text("index.json");
		assert_int_equal(strstr(index, "image:1") != NULL, strcmp(parts[i], "refs") != 0);
		use_every_part();
	}
}

static bool delete_and_open(void *arg)
{
	const char *part = arg;
	AUTO(store) struct store *mine = NULL;

	(void)unlinkat(tmp_fd, part, AT_REMOVEDIR); /* another may have been faster */
	CHECK_OK(store_open(room_path, &mine));
	return true;
}

TEST(many_processes_may_make_it_again_at_once)
{
	pid_t children[8];

	for (size_t round = 0; round < 5; round++) {
		AUTO(mem) char *part = xasprintf("%s/diffs", strrchr(room_path, '/') + 1);

		for (size_t i = 0; i < ARRAY_SIZE(children); i++)
			children[i] = child_start(delete_and_open, part);
		for (size_t i = 0; i < ARRAY_SIZE(children); i++)
			assert_int_equal(child_wait(children[i]), 0);
		room_reopen();
		assert_is_whole();
	}
}

TEST(a_relative_path_is_made_absolute)
{
	AUTO(mem) char *here = getcwd(NULL, 0);
	AUTO(mem) char *want = path_of("relative");
	AUTO(store) struct store *made = NULL;

	assert_return_code(chdir(tmp_path), errno);
	assert_ok(store_open("relative", &made));
	assert_return_code(chdir(here), errno);
	assert_string_equal(store_path(made), want);
}

/* ---- small files ---- */

TEST(a_file_that_cannot_get_its_name_leaves_nothing)
{
	AUTO(mem) char *staging = NULL;

	assert_fails(store_write(store, "absent/file", STR("x"), 0600, FILE_QUICK), ERR_NOT_FOUND);
	staging = xasprintf("tmp/%s", store->lease_id);
	assert_int_equal(room_count(staging), 0);
}

/* ---- many at once ---- */

static bool open_and_stage(void *arg)
{
	AUTO(store) struct store *mine = NULL;
	AUTO(layer_stage) struct layer_stage *stage = NULL; /* goes before its store */

	CHECK_OK(store_open(arg, &mine));
	CHECK_OK(layer_begin(mine, &stage));
	return true;
}

TEST(many_processes_may_make_the_same_store_at_once)
{
	AUTO(mem) char *path = path_of("crowded");
	pid_t children[8];

	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		children[i] = child_start(open_and_stage, path);
	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		assert_int_equal(child_wait(children[i]), 0);
}

/* ---- file systems that do not want ---- */

/* In a mount namespace of its own, so that nothing stays mounted. */
static bool enter_private_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount("", "/", "", MS_REC | MS_PRIVATE, "") == 0;
}

static bool read_only_body(void *arg)
{
	AUTO(store) struct store *mine = NULL;
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	AUTO(lock) struct lock hold = LOCK_INIT;
	AUTO(err) struct err *err = NULL;
	AUTO(mem) char *absent = xasprintf("%s/absent", (char *)arg);
	struct store *none = NULL;

	CHECK(unlinkat(store_fd(store), "diffs", AT_REMOVEDIR) == 0); /* not to be made again */
	CHECK(enter_private_mounts());
	CHECK(mount(arg, arg, "", MS_BIND, "") == 0);
	CHECK(mount("", arg, "", MS_REMOUNT | MS_BIND | MS_RDONLY, "") == 0);
	CHECK_OK(store_open(arg, &mine));
	CHECK_OK(store_hold(mine, &hold));
	CHECK_OK(store_pin(mine, &(struct pin){ PIN_STEP, "x" }, 1));
	err = layer_begin(mine, &stage);
	CHECK(err_errno(err) == EROFS);
	err_free(STEAL(err));
	err = store_open(absent, &none);
	CHECK(err_errno(err) == EROFS && strstr(err_notes(err), "--root"));
	return true;
}

TEST(a_store_on_a_read_only_file_system_can_be_read)
{
	if (geteuid() != 0)
		skip();
	child_run(read_only_body, room_path);
}

/* Stage layers until the disk is full. */
static bool fill(struct store *mine)
{
	static const char zeros[4096];

	for (int i = 0; i < 1000; i++) {
		AUTO(layer_stage) struct layer_stage *stage = NULL;
		struct layer_meta meta = { .lid = "" };
		struct err *err = layer_begin(mine, &stage);

		if (!err)
			err = file_replace(stage->fs_fd, "file",
					   (struct str){ zeros, sizeof(zeros) }, 0644, FILE_QUICK);
		if (!err)
			err = layer_seal(stage, NULL, &meta);
		if (err) {
			bool full = err_errno(err) == ENOSPC;

			err_free(err);
			return full;
		}
	}
	return false;
}

/* Whether somebody could prune now. */
static bool may_prune(const struct store *mine)
{
	AUTO(lock) struct lock lock = LOCK_INIT;
	bool held = false;

	err_free(lock_try_file(store_fd(mine), "lock/prune", LOCK_EXCLUSIVE, &lock, &held));
	return held;
}

/* Use up what the last files have freed, too. */
static bool fill_up(int root_fd)
{
	AUTO(fd)
	int fill_fd = openat(root_fd, "fill", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	CHECK(fill_fd >= 0);
	while (write(fill_fd, &(char[4096]){ 0 }, 4096) > 0)
		;
	return true;
}

/* No byte is left: nothing can be pinned, and what is read is kept all the same. */
static bool read_on_full_disk(struct store *mine, const struct strings *lids)
{
	CHECK(fill_up(store_fd(mine)));
	CHECK(may_prune(mine));
	vec_foreach (lids, lid) {
		AUTO(fd) int fd = -1;

		CHECK_OK(layer_open(mine, *lid, &fd, NULL));
		CHECK(!may_prune(mine));
	}
	return true;
}

/* With room again the next pin writes all of them: the lock goes, what was read stays. */
static bool read_with_room_again(struct store *mine, const struct strings *lids)
{
	const struct prune_opts all = { .kinds = ~0U, .max_bytes = PRUNE_NO_LIMIT };
	struct prune_report report = { 0 };
	AUTO(strings) struct strings left = { 0 };
	AUTO(store) struct store *other = NULL;

	CHECK(unlinkat(store_fd(mine), "fill", 0) == 0);
	{
		AUTO(lock) struct lock hold = LOCK_INIT;

		CHECK_OK(store_hold(mine, &hold));
		CHECK_OK(store_pin(mine, &(struct pin){ PIN_STEP, "x" }, 1));
	}
	CHECK(may_prune(mine));
	CHECK_OK(store_open(store_path(mine), &other));
	CHECK_OK(prune_run(other, &all, &report));
	CHECK_OK(file_list(store_fd(mine), "layers", &left));
	CHECK(left.len == lids->len);
	return true;
}

/* Whoever keeps all for want of room and then prunes does not wait for himself. */
static bool prune_on_full_disk(struct store *mine)
{
	const struct prune_opts all = { .kinds = ~0U, .max_bytes = PRUNE_NO_LIMIT };
	struct prune_report report = { 0 };
	AUTO(strings) struct strings left = { 0 };

	CHECK(!may_prune(mine));
	alarm(60);
	CHECK_OK(prune_run(mine, &all, &report));
	alarm(0);
	CHECK_OK(file_list(store_fd(mine), "layers", &left));
	CHECK(left.len == 0);
	return true;
}

static bool full_disk_body(void *arg)
{
	AUTO(mem) char *path = xasprintf("%s/store", (char *)arg);
	AUTO(strings) struct strings left = { 0 };
	AUTO(store) struct store *mine = NULL;

	CHECK(enter_private_mounts());
	CHECK(mount("none", arg, "tmpfs", 0, "size=1m") == 0);
	CHECK_OK(store_open(path, &mine));
	CHECK(fill(mine));
	store_close(STEAL(mine));
	/* Staging is gone, what was sealed is whole, and the store still opens. */
	CHECK_OK(store_open(path, &mine));
	CHECK_OK(file_list(store_fd(mine), "tmp", &left));
	CHECK(left.len == 0);
	CHECK_OK(file_list(store_fd(mine), "layers", &left));
	CHECK(left.len > 0);
	CHECK(read_on_full_disk(mine, &left));
	CHECK(read_with_room_again(mine, &left));
	store_close(STEAL(mine));
	CHECK_OK(store_open(path, &mine));
	CHECK(read_on_full_disk(mine, &left));
	store_close(STEAL(mine));
	CHECK_OK(store_open(path, &mine));
	CHECK(may_prune(mine)); /* what we kept is let go */
	CHECK(read_on_full_disk(mine, &left));
	CHECK(prune_on_full_disk(mine));
	return true;
}

TEST(a_full_disk_is_an_error_and_harms_nothing)
{
	AUTO(mem) char *path = path_of("small");

	if (geteuid() != 0)
		skip();
	make_dir("small");
	child_run(full_disk_body, path);
}

TEST(a_full_disk_says_what_to_do)
{
	AUTO(err) struct err *err = NULL;
	struct store *none = NULL;

	/* /dev/full has no directories, but /proc has no room for any. */
	err = store_open("/proc/cairn", &none);
	assert_non_null(err);
	assert_non_null(strstr(err_text(err), "/proc/cairn"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_root_by_option_then_environment_then_user),
		cmocka_unit_test(makes_a_private_store_with_missing_parents),
		ROOM_TEST(a_new_store_is_an_oci_layout),
		cmocka_unit_test(takes_an_empty_directory_and_makes_it_private),
		ROOM_TEST(opening_twice_changes_nothing),
		cmocka_unit_test(goes_on_with_a_store_that_was_left_half_made),
		cmocka_unit_test(refuses_a_directory_that_is_something_else),
		ROOM_TEST(refuses_other_formats),
		ROOM_TEST(what_somebody_deleted_is_made_again),
		ROOM_TEST(many_processes_may_make_it_again_at_once),
		cmocka_unit_test(a_relative_path_is_made_absolute),
		ROOM_TEST(a_file_that_cannot_get_its_name_leaves_nothing),
		cmocka_unit_test(many_processes_may_make_the_same_store_at_once),
		ROOM_TEST(a_store_on_a_read_only_file_system_can_be_read),
		cmocka_unit_test(a_full_disk_is_an_error_and_harms_nothing),
		cmocka_unit_test(a_full_disk_says_what_to_do),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
