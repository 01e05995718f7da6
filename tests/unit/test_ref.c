/* tests/unit/test_ref.c - names point at images durably, and others can see them. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/index-private.h"
#include "store/ref-private.h"
#include "store/ref.h"
#include "tests/unit/room.h"

#define APP "docker.io/library/app:latest"
#define APP_PATH "refs/docker.io%2flibrary%2fapp%3alatest"

/* A blob to point at, and its descriptor. */
static struct descriptor put(const char *text)
{
	struct descriptor d = { .media_type = MEDIA_OCI_MANIFEST, .size = strlen(text) };

	assert_ok(blob_put(store, str_of(text), &d.digest));
	return d;
}

/* ---- names on disk ---- */

TEST(names_are_encoded_so_that_no_two_can_meet)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ "a", "refs/a" },
		{ APP, APP_PATH },
		{ "App", "refs/%41pp" },
		{ "app", "refs/app" },
		{ ".", "refs/%2e" },
		{ "..", "refs/%2e." },
		{ ".tmp-1", "refs/%2etmp-1" },
		{ "a.b_c-d", "refs/a.b_c-d" },
		{ "a%2fb", "refs/a%252fb" },
		{ "%%", "refs/%25%25" },
		{ "\xc3\xbc", "refs/%c3%bc" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char path[REF_PATH_SIZE];

		assert_ok(ref_path(cases[i].name, path));
		assert_string_equal(path, cases[i].want);
	}
}

TEST(a_long_name_gets_a_hashed_file_name)
{
	char name[REF_NAME_MAX + 2];
	char path[REF_PATH_SIZE];

	memset(name, 'a', sizeof(name));
	name[REF_NAME_MAX + 1] = '\0';
	assert_fails(ref_path(name, path), ERR_INVALID);
	name[REF_NAME_MAX] = '\0';
	/* Where three more bytes may not fit the plain form ends. */
	name[252] = '\0';
	assert_ok(ref_path(name, path));
	assert_int_equal(strlen(path), strlen("refs/") + 252);
	memset(name, 'A', REF_NAME_MAX);
	name[REF_NAME_MAX] = '\0';
	assert_ok(ref_path(name, path));
	assert_int_equal(strlen(path), strlen("refs/%%") + 64);
	assert_true(str_starts(str_of(path), "refs/%%"));
}

TEST(what_cannot_be_a_name_is_refused)
{
	static const char *const cases[] = { "",      "a\nb",     "\x7f",        "\xff",
					     "a\xc3", "\xc2\x85", "\xed\xa0\x80" };
	struct descriptor target = put("x");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_fails(ref_set(store, cases[i], &target), ERR_INVALID);
		assert_fails(ref_get(store, cases[i], &target), ERR_INVALID);
		assert_fails(ref_delete(store, cases[i]), ERR_INVALID);
	}
	assert_int_equal(room_count("refs"), 0);
}

/* ---- set, get, delete ---- */

TEST(a_name_gives_what_it_was_set_to)
{
	struct descriptor first = put("one"), second = put("two"), got;

	assert_fails(ref_get(store, APP, &got), ERR_NOT_FOUND);
	assert_ok(ref_set(store, APP, &first));
	assert_ok(ref_get(store, APP, &got));
	assert_true(descriptor_equal(&got, &first));
	assert_ok(ref_set(store, APP, &second));
	assert_ok(ref_get(store, APP, &got));
	assert_true(descriptor_equal(&got, &second));
	assert_ok(ref_delete(store, APP));
	assert_fails(ref_get(store, APP, &got), ERR_NOT_FOUND);
	assert_fails(ref_delete(store, APP), ERR_NOT_FOUND);
	assert_int_equal(room_count("refs"), 0);
	assert_int_equal(room_count("blobs/sha256"), 2);
}

TEST(an_absent_image_is_told_by_its_familiar_name)
{
	struct descriptor got;
	AUTO(err) struct err *err = ref_get(store, APP, &got);

	assert_string_equal(err_text(err), "no image 'app:latest' in the store");
}

TEST(the_file_holds_the_name_and_the_descriptor)
{
	struct descriptor target = put("one");
	AUTO(mem) char *text = NULL;
	AUTO(json) json_t *doc = NULL;

	assert_ok(ref_set(store, APP, &target));
	text = room_text(APP_PATH);
	assert_ok(json_parse(str_of(text), 4096, "ref", &doc));
	assert_string_equal(json_string_value(json_object_get(doc, "name")), APP);
	assert_string_equal(json_string_value(json_object_get(doc, "mediaType")),
			    MEDIA_OCI_MANIFEST);
	assert_string_equal(
		json_string_value(json_object_get(doc, "digest")),
		/* printf one | sha256sum */
		"sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
	assert_int_equal(json_integer_value(json_object_get(doc, "size")), 3);
	assert_non_null(json_object_get(doc, "updated"));
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_return_code(fstatat(store_fd(store), path, &st, 0), errno);
	return st.st_ino;
}

TEST(setting_what_is_set_writes_nothing)
{
	struct descriptor target = put("one");
	ino_t ref, index;

	assert_ok(ref_set(store, APP, &target));
	ref = inode_of(APP_PATH);
	index = inode_of("index.json");
	room_reopen();
	assert_ok(ref_set(store, APP, &target));
	assert_int_equal(inode_of(APP_PATH), ref);
	assert_int_equal(inode_of("index.json"), index);
	assert_int_equal(room_count("leases"), 0);
}

TEST(a_ref_can_only_name_what_is_there)
{
	struct descriptor absent = { .media_type = MEDIA_OCI_MANIFEST, .size = 1 };
	struct descriptor wrong_size = put("one"), untyped = put("one");

	wrong_size.size = 4;
	untyped.media_type[0] = '\0';
	assert_fails(ref_set(store, APP, &absent), ERR_NOT_FOUND);
	assert_fails(ref_set(store, APP, &wrong_size), ERR_CORRUPT);
	assert_fails(ref_set(store, APP, &untyped), ERR_INVALID);
	assert_int_equal(room_count("refs"), 0);
}

static void count_line(enum log_level level, const char *line, void *arg)
{
	assert_non_null(strstr(line, "damaged"));
	*(unsigned *)arg += level == LOG_WARN;
}

TEST(a_damaged_ref_is_absent_and_can_be_set_or_deleted)
{
	static const char *const damages[] = {
		"",
		"{",
		"{}",
		"[]",
		"null",
		"{\"mediaType\":\"a/b\",\"digest\":\"sha256:00\",\"size\":1,\"name\":\"" APP
		"\",\"updated\":\"2026-01-01T00:00:00Z\"}",
		/* The name of another image. */
		"{\"mediaType\":\"a/b\",\"digest\":\"sha256:7692c3ad3540bb803c020b3aee66cd88"
		"87123234ea0c6e7143c0add73ff431ed\",\"size\":3,\"name\":\"docker.io/library/a\","
		"\"updated\":\"2026-01-01T00:00:00Z\"}",
	};
	struct descriptor target = put("one"), got;
	unsigned warnings = 0;

	log_set_handler(count_line, &warnings);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		AUTO(ref_list) struct ref_list list = { 0 };

		room_put(APP_PATH, damages[i], strlen(damages[i]));
		assert_fails(ref_get(store, APP, &got), ERR_NOT_FOUND);
		assert_ok(ref_list(store, &list));
		assert_int_equal(list.len, 0);
		assert_ok(ref_set(store, APP, &target));
		assert_ok(ref_get(store, APP, &got));
		room_put(APP_PATH, damages[i], strlen(damages[i]));
		assert_ok(ref_delete(store, APP));
	}
	log_set_handler(NULL, NULL);
	assert_int_not_equal(warnings, 0); /* a name that is lost is worth a word */
}

TEST(refs_are_listed_by_name)
{
	static const char *const names[] = { "b:1", "localhost/x:2", APP, "B:1" };
	static const char *const sorted[] = { "B:1", "b:1", APP, "localhost/x:2" };
	struct descriptor target = put("one");
	AUTO(ref_list) struct ref_list list = { 0 };
	time_t now = clock_now().tv_sec;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_ok(ref_set(store, names[i], &target));
	assert_ok(ref_list(store, &list));
	assert_int_equal(list.len, ARRAY_SIZE(sorted));
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		assert_string_equal(list.at[i].name, sorted[i]);
		assert_true(descriptor_equal(&list.at[i].target, &target));
		assert_in_range(list.at[i].updated.tv_sec, now - 1, now + 60);
	}
}

/* ---- the view ---- */

TEST(familiar_names_are_the_short_ones)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ APP, "app:latest" },
		{ "docker.io/team/app:1", "team/app:1" },
		{ "localhost/app:1", "localhost/app:1" },
		{ "docker.io/", "docker.io/" },
		{ "docker.io/library/", "library/" },
		{ "registry.example.com/docker.io/library/x:1",
		  "registry.example.com/docker.io/library/x:1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(index_familiar(cases[i].name), cases[i].want);
}

#define ONE_ENTRY(name)                                                                  \
	"\n{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:"               \
	"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed\",\"size\":3," \
	"\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}}"

#define INDEX(entries) \
	"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[" entries "]}\n"

TEST(index_json_lists_every_image_by_its_familiar_name)
{
	struct descriptor target = put("one");
	AUTO(mem) char *text = NULL;
	AUTO(mem) char *later = NULL;
	AUTO(json) json_t *doc = NULL;

	assert_ok(ref_set(store, "localhost/x:2", &target));
	assert_ok(ref_set(store, "docker.io/library/\"a\\\":1", &target));
	assert_ok(ref_set(store, APP, &target));
	text = room_text("index.json");
	assert_string_equal(text, INDEX(ONE_ENTRY("\\\"a\\\\\\\":1") "," ONE_ENTRY(
					  "app:latest") "," ONE_ENTRY("localhost/x:2")));
	assert_ok(json_parse(str_of(text), 4096, "index.json", &doc));
	assert_ok(ref_delete(store, "localhost/x:2"));
	assert_ok(ref_delete(store, "docker.io/library/\"a\\\":1"));
	later = room_text("index.json");
	assert_string_equal(later, INDEX(ONE_ENTRY("app:latest")));
}

TEST(two_names_that_look_alike_are_both_listed)
{
	struct descriptor target = put("one");
	AUTO(mem) char *text = NULL;

	assert_ok(ref_set(store, "app:latest", &target));
	assert_ok(ref_set(store, APP, &target));
	text = room_text("index.json");
	assert_string_equal(text, INDEX(ONE_ENTRY("app:latest") "," ONE_ENTRY(APP)));
}

static void assert_view_agrees(void)
{
	AUTO(ref_list) struct ref_list list = { 0 };
	AUTO(buf) struct buf want = BUF_INIT(1 << 20);
	AUTO(mem) char *text = room_text("index.json");

	assert_ok(ref_list(store, &list));
	index_format(&list, &want);
	assert_string_equal(text, want.at);
}

TEST(a_view_that_is_changed_in_place_is_the_one_made_anew)
{
	static const char *const names[] = {
		APP,
		"app:latest",
		"docker.io/app:latest",
		"docker.io/library/b:1",
		"b:1",
		"docker.io/team/b:1",
		"B:1",
		"\"",
		"\\",
		"\"\\a",
		"a",
		"ab",
		"aa",
		"zz",
		"\xc3\xbc",
		"docker.io/",
		"docker.io/library/",
		"library/",
	};
	const struct descriptor targets[] = { put("one"), put("two") };
	uint32_t chance = 1;

	for (int i = 0; i < 400; i++) {
		const char *name = names[(chance >> 8) % ARRAY_SIZE(names)];
		struct descriptor got;
		struct err *err = ref_get(store, name, &got);

		if (!err && (chance >> 24) % 2)
			assert_ok(ref_delete(store, name));
		else
			assert_ok(ref_set(store, name, &targets[(chance >> 20) % 2]));
		err_free(err);
		assert_view_agrees();
		chance = chance * 1664525 + 1013904223; /* Numerical Recipes' generator */
	}
}

TEST(what_others_did_to_the_view_is_undone_by_the_next_change)
{
	static const char *const damages[] = {
		"",
		"{}",
		INDEX(""),
		INDEX(ONE_ENTRY("foreign:1")),
		INDEX(ONE_ENTRY("a:1") ",\n" ONE_ENTRY("a:1")),
	};
	struct descriptor target = put("one");
	AUTO(mem) char *good = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		AUTO(mem) char *name = xasprintf("image:%zu", i);

		room_put("index.json", damages[i], strlen(damages[i]));
		assert_ok(ref_set(store, name, &target));
		assert_view_agrees();
	}
	/* A ref that came without us. */
	good = room_text("refs/image%3a0");
	assert_return_code(unlinkat(store_fd(store), "refs/image%3a0", 0), errno);
	assert_ok(ref_delete(store, "image:1"));
	assert_view_agrees();
	room_put("refs/image%3a0", good, strlen(good));
	assert_ok(ref_delete(store, "image:2"));
	assert_view_agrees();
}

TEST(only_a_text_of_ours_is_changed_in_place)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ INDEX(""), true },
		{ INDEX(ONE_ENTRY("a")), true },
		{ INDEX(ONE_ENTRY("a") "," ONE_ENTRY("b")), true },
		{ INDEX(ONE_ENTRY("a") ","), false },
		{ INDEX(ONE_ENTRY("a") ONE_ENTRY("b")), false },
		{ INDEX("\n{}"), false },
		{ INDEX("\n"), true }, /* as good as empty */
		{ INDEX("x"), false },
		{ INDEX("\n\"org.opencontainers.image.ref.name\":\"}}"), false },
		{ "", false },
		{ "{\"schemaVersion\":2,\"manifests\":[]}\n", false },
	};
	const struct descriptor target = { .media_type = "a/b" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf after = BUF_INIT(1 << 20);

		assert_int_equal(index_splice(str_of(cases[i].text), "c", &target, &after),
				 cases[i].good);
	}
}

/* ---- many at once ---- */

static bool set_many(void *arg)
{
	const unsigned *who = arg;
	struct descriptor target = { .media_type = MEDIA_OCI_MANIFEST };
	CHILD_STORE(mine);

	CHECK_OK(blob_put(mine, STR("one"), &target.digest));
	target.size = 3;
	for (unsigned i = 0; i < 10; i++) {
		AUTO(mem) char *name = xasprintf("image-%u:%u", *who, i);

		CHECK_OK(ref_set(mine, name, &target));
		CHECK_OK(ref_set(mine, "shared:1", &target));
		if (i % 2)
			CHECK_OK(ref_delete(mine, name));
	}
	store_close(mine);
	return true;
}

TEST(no_change_of_many_processes_is_lost_from_the_view)
{
	static unsigned who[] = { 1, 2, 3, 4 };
	pid_t children[ARRAY_SIZE(who)];
	AUTO(ref_list) struct ref_list list = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(who); i++)
		children[i] = child_start(set_many, &who[i]);
	for (size_t i = 0; i < ARRAY_SIZE(who); i++)
		assert_int_equal(child_wait(children[i]), 0);
	assert_ok(ref_list(store, &list));
	assert_int_equal(list.len, 21);
	assert_view_agrees();
}

/* ---- a full disk ---- */

static bool full_disk_body(void *arg)
{
	AUTO(mem) char *path = xasprintf("%s/store", (char *)arg);
	struct descriptor target = { .media_type = MEDIA_OCI_MANIFEST, .size = 3 };
	struct err *err = NULL;
	AUTO(store) struct store *mine = NULL;
	AUTO(fd) int fd = -1;
	char name[32];

	CHECK(unshare(CLONE_NEWNS) == 0 && mount("", "/", "", MS_REC | MS_PRIVATE, "") == 0);
	CHECK(mount("none", arg, "tmpfs", 0, "size=512k") == 0);
	CHECK_OK(store_open(path, &mine));
	CHECK_OK(blob_put(mine, STR("one"), &target.digest));
	for (unsigned i = 0; !err && i < 1000; i++) {
		snprintf(name, sizeof(name), "image:%u", i);
		err = ref_set(mine, name, &target);
	}
	CHECK(err_errno(err) == ENOSPC);
	err_free(err);
	/* The one that failed is not there, those before it are, and can be deleted. */
	CHECK(err_kind(err = ref_get(mine, name, &target)) == ERR_NOT_FOUND);
	err_free(err);
	CHECK_OK(ref_get(mine, "image:0", &target));
	CHECK_OK(ref_delete(mine, "image:0"));
	return true;
}

TEST(on_a_full_disk_names_stay_whole_and_can_be_deleted)
{
	AUTO(mem) char *path = xasprintf("%s/small", tmp_path);

	if (geteuid() != 0)
		skip();
	assert_return_code(mkdir(path, 0755), errno);
	child_run(full_disk_body, path);
}

/* ---- ten thousand images ---- */

/* As many refs as a large store has, without the flushes. */
static void fill(const struct descriptor *target)
{
	for (unsigned i = 0; i < 10000; i++) {
		char name[64];
		char path[REF_PATH_SIZE];
		const struct ref ref = { name, *target, { 0, 0 } };
		AUTO(mem) char *text = NULL;

		snprintf(name, sizeof(name), "registry.example.com/team/image-%u:latest", i);
		assert_ok(ref_path(name, path));
		text = ref_format(&ref);
		assert_ok(store_write(store, path, str_of(text), 0600, FILE_QUICK));
	}
}

static uint64_t time_of_get(void)
{
	uint64_t best = UINT64_MAX;
	struct descriptor got;

	for (int i = 0; i < 200; i++) {
		uint64_t begun = clock_monotonic(), took;

		assert_ok(ref_get(store, APP, &got));
		took = clock_monotonic() - begun;
		best = took < best ? took : best;
	}
	return best;
}

TEST(getting_one_of_ten_thousand_names_costs_no_more_than_the_only_one)
{
	struct descriptor target = put("one");
	uint64_t alone, crowded;

	assert_ok(ref_set(store, APP, &target));
	alone = time_of_get();
	fill(&target);
	crowded = time_of_get();
	assert_true(crowded < 4 * alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_encoded_so_that_no_two_can_meet),
		cmocka_unit_test(a_long_name_gets_a_hashed_file_name),
		ROOM_TEST(what_cannot_be_a_name_is_refused),
		ROOM_TEST(a_name_gives_what_it_was_set_to),
		ROOM_TEST(an_absent_image_is_told_by_its_familiar_name),
		ROOM_TEST(the_file_holds_the_name_and_the_descriptor),
		ROOM_TEST(setting_what_is_set_writes_nothing),
		ROOM_TEST(a_ref_can_only_name_what_is_there),
		ROOM_TEST(a_damaged_ref_is_absent_and_can_be_set_or_deleted),
		ROOM_TEST(refs_are_listed_by_name),
		cmocka_unit_test(familiar_names_are_the_short_ones),
		ROOM_TEST(index_json_lists_every_image_by_its_familiar_name),
		ROOM_TEST(two_names_that_look_alike_are_both_listed),
		ROOM_TEST(a_view_that_is_changed_in_place_is_the_one_made_anew),
		ROOM_TEST(what_others_did_to_the_view_is_undone_by_the_next_change),
		cmocka_unit_test(only_a_text_of_ours_is_changed_in_place),
		ROOM_TEST(no_change_of_many_processes_is_lost_from_the_view),
		cmocka_unit_test(on_a_full_disk_names_stay_whole_and_can_be_deleted),
		ROOM_TEST(getting_one_of_ten_thousand_names_costs_no_more_than_the_only_one),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
