/* tests/unit/test_verify.c - what became of a sealed tree shows, and what is lost is made anew. */

#include "tests/unit/layers.h"

#include "overlay/stack.h"
#include "overlay/verify.h"

static const struct compression zstd = { .codec = CODEC_ZSTD };

/* Each kind of entry. The times of all are 100, so that a change can be made that they do not show. */
#define TREE                                          \
	"d 755 0:0 0 100 d/\n"                        \
	"f 644 0:0 3 100 d/file abc user.note=here\n" \
	"h 644 0:0 0 100 d/hard -> d/file\n"          \
	"d 755 0:0 0 100 d/inner/\n"                  \
	"c 666 0:0 0 100 d/null 1,3\n"                \
	"p 600 0:0 0 100 d/pipe\n"                    \
	"l 777 0:0 0 100 d/soft -> file\n"

/* ---- what happens to trees; each in the directory "d" ---- */

static void put(int dir_fd, const char *name, const char *text)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_ok(file_write_all(fd, text, strlen(text), name));
}

static void change_content(int fd)
{
	put(fd, "file", "abd");
}

static void grow(int fd)
{
	put(fd, "file", "abcd");
}

static void cut(int fd)
{
	AUTO(fd) int file_fd = openat(fd, "file", O_WRONLY | O_CLOEXEC);

	assert_int_equal(ftruncate(file_fd, 2), 0);
}

static void change_mode(int fd)
{
	assert_int_equal(fchmodat(fd, "file", 04644, 0), 0);
}

static void change_mode_of_dir(int fd)
{
	assert_int_equal(fchmodat(fd, "inner", 0700, 0), 0);
}

static void change_owner(int fd)
{
	assert_int_equal(fchownat(fd, "file", 5, 0, AT_SYMLINK_NOFOLLOW), 0);
}

static void change_group_of_link(int fd)
{
	assert_int_equal(fchownat(fd, "soft", 0, 5, AT_SYMLINK_NOFOLLOW), 0);
}

static void add_file(int fd)
{
	put(fd, "more", "");
}

static void remove_file(int fd)
{
	assert_int_equal(unlinkat(fd, "hard", 0), 0);
}

static void remove_dir(int fd)
{
	assert_int_equal(unlinkat(fd, "inner", AT_REMOVEDIR), 0);
}

/* The last in the order of the list: nothing comes behind it in which it could be missed. */
static void remove_last(int fd)
{
	assert_int_equal(unlinkat(fd, "soft", 0), 0);
}

static void change_target(int fd)
{
	remove_last(fd);
	assert_int_equal(symlinkat("hard", fd, "soft"), 0);
}

static void change_type(int fd)
{
	assert_int_equal(unlinkat(fd, "pipe", 0), 0);
	put(fd, "pipe", "");
	assert_int_equal(fchmodat(fd, "pipe", 0600, 0), 0);
}

static void change_device(int fd)
{
	assert_int_equal(unlinkat(fd, "null", 0), 0);
	assert_int_equal(mknodat(fd, "null", S_IFCHR | 0666, makedev(1, 5)), 0);
	assert_int_equal(fchmodat(fd, "null", 0666, 0), 0);
}

/* Two files of the same content are not one with two names. */
static void part_links(int fd)
{
	AUTO(fd) int file_fd = -1;

	assert_int_equal(unlinkat(fd, "hard", 0), 0);
	put(fd, "hard", "abc");
	file_fd = openat(fd, "hard", O_WRONLY | O_CLOEXEC);
	assert_int_equal(fsetxattr(file_fd, "user.note", "here", 4, 0), 0);
}

static void change_xattr(int fd)
{
	AUTO(fd) int file_fd = openat(fd, "file", O_RDONLY | O_CLOEXEC);

	assert_int_equal(fsetxattr(file_fd, "user.note", "gone", 4, 0), 0);
}

static void set_time(int fd, const char *name, time_t seconds)
{
	const struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };

	assert_int_equal(utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* As if nobody had been there. */
static void settle(int fd)
{
	AUTO(strings) struct strings names = { 0 };

	assert_ok(file_list(fd, ".", &names));
	vec_foreach (&names, name)
		set_time(fd, *name, 100);
	set_time(fd, ".", 100);
}

static void change_time(int fd)
{
	set_time(fd, "file", 101);
}

static void change_time_of_dir(int fd)
{
	set_time(fd, ".", 101);
}

struct change {
	void (*apply)(int fd);
	const char *
		says; /* of the layer of a build; NULL: its list does not tell (overlay/verify.h) */
	bool is_time;
};

static const struct change changes[] = {
	{ .apply = change_content, .says = "'d/file' has changed" },
	{ .apply = grow, .says = "'d/file' has changed" },
	{ .apply = cut, .says = "'d/file' has changed" },
	{ .apply = change_mode, .says = "'d/file' has changed" },
	{ .apply = change_mode_of_dir, .says = "'d/inner/' has changed" },
	{ .apply = change_owner, .says = "'d/file' has changed" },
	{ .apply = change_group_of_link, .says = "'d/soft' has changed" },
	{ .apply = add_file, .says = "'d/more' was not in the layer" },
	{ .apply = remove_file, .says = "'d/hard' is missing" },
	{ .apply = remove_dir, .says = "'d/inner/' is missing" },
	{ .apply = remove_last, .says = "'d/soft' is missing" },
	{ .apply = change_target, .says = "'d/soft' has changed" },
	{ .apply = change_type, .says = "'d/pipe' has changed" },
	{ .apply = change_device, .says = "'d/null' has changed" },
	{ .apply = part_links, .says = "'d/hard' has changed" },
	{ .apply = change_time, .says = "'d/file' has changed", .is_time = true },
	{ .apply = change_time_of_dir, .says = "'d/' has changed", .is_time = true },
	{ .apply = change_xattr },
};

static int open_inner(const struct layer_meta *meta, const char *path)
{
	AUTO(mem) char *whole = xasprintf("layers/%s/%s", meta->lid, path);
	int fd = openat(store_fd(store), whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void apply(const struct change *change, const struct layer_meta *meta)
{
	AUTO(fd) int fd = open_inner(meta, "fs/d");

	change->apply(fd);
	if (!change->is_time)
		settle(fd);
}

static void assert_in_order(const struct layer_meta *meta)
{
	AUTO(err) struct err *wrong = NULL;

	assert_ok(verify_layer(store, meta->lid, &wrong));
	if (wrong)
		fail_msg("in order, and said to be wrong: %s", err_text(wrong));
}

static void assert_wrong(const struct layer_meta *meta, const char *says, size_t row)
{
	AUTO(err) struct err *wrong = NULL;

	assert_ok(verify_layer(store, meta->lid, &wrong));
	if (!wrong)
		fail_msg("row %zu: nothing was found, wanted: %s", row, says);
	if (!strstr(err_text(wrong), says))
		fail_msg("row %zu: found: %s, wanted: %s", row, err_text(wrong), says);
}

static void discard(const struct layer_meta *meta)
{
	assert_ok(layer_discard(store, meta->lid));
}

TEST(a_tree_is_judged_by_the_list_of_its_build)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct layer_meta meta;

		if (!changes[i].says)
			continue;
		meta = layer_of_build(TREE, -1, &zstd);
		assert_in_order(&meta);
		apply(&changes[i], &meta);
		assert_wrong(&meta, changes[i].says, i);
		discard(&meta);
	}
}

TEST(a_tree_without_a_list_is_judged_by_its_blob)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct layer_meta meta = layer_of_pull(TREE);

		assert_in_order(&meta);
		apply(&changes[i], &meta);
		assert_wrong(&meta, "not what its blob unpacks to", i);
		discard(&meta);
	}
}

TEST(what_a_step_of_overlayfs_leaves_is_in_order)
{
	/* Of a layer only what differs from below is in its tar: a directory that was copied up, and
	 * has nothing new in it, is in the tree alone. */
	struct layer_meta base = layer_of_build(D("copied") D("kept") F("kept/gone"), -1, &zstd);
	AUTO(fd) int below_fd = -1;
	struct layer_meta meta;

	assert_ok(layer_open(store, base.lid, &below_fd, NULL));
	meta = layer_of_build(D("copied") D("kept") F("kept/new") W("kept/.wh.gone"), below_fd,
			      &zstd);
	assert_in_order(&base);
	assert_in_order(&meta);
}

TEST(a_whiteout_that_is_lost_is_missed)
{
	struct layer_meta base = layer_of_build(D("d") F("d/gone") F("d/other"), -1, &zstd), meta;
	AUTO(fd) int below_fd = -1, fd = -1;

	assert_ok(layer_open(store, base.lid, &below_fd, NULL));
	meta = layer_of_build(D("d") W("d/.wh.gone") F("d/new"), below_fd, &zstd);
	assert_in_order(&meta);
	fd = open_inner(&meta, "fs/d");
	assert_int_equal(unlinkat(fd, "gone", 0), 0);
	set_time(fd, ".", 100);
	assert_wrong(&meta, "'d/.wh.gone' is missing", 0);
}

/* It is whole if its last line is "end" (overlay/diff.h). */
TEST(a_list_that_is_not_whole_is_told)
{
	static const struct {
		const char *list, *says;
	} cases[] = {
		{ "", "its list is cut off" },
		{ "en", "its list is cut off" },
		{ "end", "its list is cut off" },
		{ "d 0755 0 0 0 100 - d/\n", "its list is cut off" },
		{ "d 0755 0 0 0 100 - d/\nlegend\n", "its list is cut off" },
		{ "end\n", "'d/file' was not in the layer" },
		{ "d 0755 0 0 0 100 - d/\nend\n", "'d/file' was not in the layer" },
	};
	struct layer_meta meta = layer_of_build(TREE, -1, &zstd);
	AUTO(fd) int fd = open_inner(&meta, ".");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		room_put_at(fd, "list", cases[i].list, strlen(cases[i].list));
		assert_wrong(&meta, cases[i].says, i);
	}
}

TEST(of_what_nothing_is_known_nothing_is_found)
{
	struct layer_meta step = layer_of_step(TREE), pulled = layer_of_pull(F("x"));
	AUTO(err) struct err *wrong = NULL;
	char path[STORE_PATH_SIZE];

	assert_in_order(&step);
	/* A blob that is damaged, or absent, is no witness against the tree. */
	store_hex_path("blobs/sha256/", &pulled.blob.digest, path);
	room_put(path, "rubbish", 7);
	assert_in_order(&pulled);
	assert_int_equal(unlinkat(store_fd(store), path, 0), 0);
	assert_in_order(&pulled);
	discard(&pulled);
	assert_fails(verify_layer(store, pulled.lid, &wrong), ERR_NOT_FOUND);
	assert_null(wrong);
}

/* ---- making anew ---- */

static char *text_of(const struct layer_meta *meta)
{
	AUTO(fd) int fd = open_inner(meta, "fs");
	struct buf text = BUF_INIT(BUF_MAX);

	tree_text(&text, fd, false);
	return buf_steal(&text);
}

TEST(a_tree_is_made_anew_from_its_blob)
{
	struct layer_meta lost[] = { layer_of_build(TREE, -1, &zstd),
				     layer_of_pull(F("y") F("x")) };

	for (size_t i = 0; i < ARRAY_SIZE(lost); i++) {
		AUTO(mem) char *before = text_of(&lost[i]);
		AUTO(mem) char *after = NULL;
		struct layer_meta found;
		bool done = false;

		discard(&lost[i]);
		assert_ok(verify_remake_layer(store, &lost[i], &done));
		assert_true(done);
		room_reopen();
		assert_ok(layer_find(store, &lost[i].diff_id, NULL, &done, &found));
		assert_true(done);
		assert_true(descriptor_equal(&found.blob, &lost[i].blob));
		after = text_of(&found);
		assert_string_equal(after, before);
		assert_in_order(&found);
	}
}

TEST(a_tree_is_not_made_of_what_is_not_its_own)
{
	struct layer_meta other = layer_of_pull(F("other"));
	struct layer_meta cases[5];
	AUTO(mem) char *path = NULL;
	char hex[STORE_PATH_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *lines = xasprintf(F("%zu"), i);

		cases[i] = layer_of_pull(lines);
		discard(&cases[i]);
	}
	cases[0].has_blob = false;
	cases[1].dependent = true;
	cases[2].blob = other.blob; /* a good one, of another tree */
	assert_int_equal(unlinkat(store_fd(store),
				  store_hex_path("blobs/sha256/", &cases[3].blob.digest, hex), 0),
			 0);
	room_put(store_hex_path("blobs/sha256/", &cases[4].blob.digest, hex), "rubbish", 7);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool done = true;

		assert_ok(verify_remake_layer(store, &cases[i], &done));
		if (done)
			fail_msg("row %zu", i);
	}
	assert_int_equal(room_count("layers"), 1);
	path = xasprintf("layers/%s", other.lid);
	assert_true(room_has(path));
}

/* An image of these, lowest first. */
static struct image *image_of(const struct layer_meta *metas, size_t count)
{
	struct image *image = xcalloc(1, sizeof(*image));

	image->layers = xcalloc(count, sizeof(*image->layers));
	image->layer_count = count;
	for (size_t i = 0; i < count; i++) {
		struct image_layer *layer = &image->layers[i];

		layer->blob = metas[i].blob;
		layer->diff_id = metas[i].diff_id;
		assert_ok(chain_id_next(i ? &layer[-1].chain_id : NULL, &layer->diff_id,
					&layer->chain_id));
	}
	return image;
}

static const struct compression codecs[] = {
	{ .codec = CODEC_NONE },
	{ .codec = CODEC_GZIP },
	{ .codec = CODEC_ZSTD },
};

TEST(a_blob_is_made_anew_byte_for_byte)
{
	for (size_t i = 0; i < ARRAY_SIZE(codecs); i++) {
		AUTO(mem) char *one = xasprintf(D("d") F("d/gone") F("d/%zu"), i);
		AUTO(mem) char *two = xasprintf(D("d") F("d/new") W("d/.wh.gone") F("e%zu"), i);
		struct layer_meta metas[2] = { layer_of_build(one, -1, &codecs[i]) };
		AUTO(image) struct image *image = NULL;
		AUTO(fd) int below_fd = -1;

		assert_ok(layer_open(store, metas[0].lid, &below_fd, NULL));
		metas[1] = layer_of_build(two, below_fd, &codecs[i]);
		image = image_of(metas, 2);
		for (size_t k = 0; k < 2; k++) {
			AUTO(buf) struct buf before = BUF_INIT(BUF_MAX), after = BUF_INIT(BUF_MAX);
			char path[STORE_PATH_SIZE];
			bool done = false;

			store_hex_path("blobs/sha256/", &metas[k].blob.digest, path);
			layer_bytes(path, &before);
			assert_int_equal(unlinkat(store_fd(store), path, 0), 0);
			assert_ok(verify_remake_blob(store, image, k, &done));
			assert_true(done);
			layer_bytes(path, &after);
			assert_true(str_equal(buf_str(&before), buf_str(&after)));
		}
	}
}

TEST(no_blob_is_made_that_would_not_be_the_one_that_is_lost)
{
	static const struct compression harder = { .codec = CODEC_ZSTD, .level = 19 };
	/* What level 19 says in other bytes; a tree of others' order; one that has changed; none. */
	struct layer_meta cases[] = {
		layer_of_build("f 644 0:0 200000 5 a x*100000y*100000\n" TREE, -1, &harder),
		layer_of_pull(F("z") F("a")),
		layer_of_build(TREE F("x"), -1, &zstd),
		layer_of_build(TREE F("y"), -1, &zstd),
	};

	apply(&changes[0], &cases[2]);
	discard(&cases[3]);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(image) struct image *image = image_of(&cases[i], 1);
		char path[STORE_PATH_SIZE];
		bool done = true;

		store_hex_path("blobs/sha256/", &cases[i].blob.digest, path);
		assert_int_equal(unlinkat(store_fd(store), path, 0), 0);
		assert_ok(verify_remake_blob(store, image, 0, &done));
		if (done || room_has(path))
			fail_msg("row %zu", i);
	}
	assert_int_equal(room_count("blobs/sha256"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(a_tree_is_judged_by_the_list_of_its_build),
		ROOM_TEST(a_tree_without_a_list_is_judged_by_its_blob),
		ROOM_TEST(what_a_step_of_overlayfs_leaves_is_in_order),
		ROOM_TEST(a_whiteout_that_is_lost_is_missed),
		ROOM_TEST(a_list_that_is_not_whole_is_told),
		ROOM_TEST(of_what_nothing_is_known_nothing_is_found),
		ROOM_TEST(a_tree_is_made_anew_from_its_blob),
		ROOM_TEST(a_tree_is_not_made_of_what_is_not_its_own),
		ROOM_TEST(a_blob_is_made_anew_byte_for_byte),
		ROOM_TEST(no_blob_is_made_that_would_not_be_the_one_that_is_lost),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
