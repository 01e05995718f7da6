/* tests/unit/test_stack.c - the layers of an image, unpacked once, seen as one tree. */

#include "tests/unit/tree.h"

#include "base/codec.h"
#include "base/pool.h"
#include "overlay/driver.h"
#include "overlay/receive.h"
#include "overlay/skeleton.h"
#include "overlay/stack.h"
#include "store/blob.h"
#include "store/image.h"
#include "tests/unit/room.h"

#define LAYERS 24

/* An image in the making. */
struct sample {
	struct image image;
	struct image_layer layers[LAYERS];
};

/* Store the tar of `lines` as a blob, and put it on the image. */
static void add_layer(struct sample *sample, const char *lines, const char *compression)
{
	size_t index = sample->image.layer_count++;
	struct image_layer *layer = &sample->layers[index];
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), blob = BUF_INIT(BUF_MAX);
	AUTO(hasher) struct hasher *hasher = hasher_new();
	AUTO(sink) struct sink *out = NULL;
	struct compression how;

	sample->image.layers = sample->layers;
	tree_archive(&tar, lines);
	hasher_update(hasher, tar.at, tar.len);
	assert_ok(hasher_finish(hasher, &layer->diff_id));
	assert_ok(chain_id_next(index > 0 ? &layer[-1].chain_id : NULL, &layer->diff_id,
				&layer->chain_id));
	assert_ok(compression_parse(str_of(compression), &how));
	out = codec_sink(sink_to_buf(&blob), &how, 1);
	sink_write(out, tar.at, tar.len);
	assert_ok(sink_finish(out));
	assert_ok(blob_put(store, buf_str(&blob), &layer->blob.digest));
	layer->blob.size = blob.len;
	snprintf(layer->blob.media_type, sizeof(layer->blob.media_type), MEDIA_OCI_LAYER);
}

static struct sample sample_of(const char *const *layers, size_t count)
{
	struct sample sample = { 0 };

	for (size_t i = 0; i < count; i++)
		add_layer(&sample, layers[i], "none");
	sample.image.layers = NULL; /* set again where the sample lies */
	return sample;
}

static struct err *open_sample(struct sample *sample, struct pool *pool, struct stack *ret)
{
	sample->image.layers = sample->layers;
	return stack_of_image(store, &sample->image, pool, NULL, ret);
}

static void assert_view(const char *what, const struct stack *stack, bool root, const char *want)
{
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
	AUTO(fd) int fd = -1;

	assert_ok(stack_view(stack, &fd));
	tree_text(&got, fd, root);
	assert_text(what, &got, want);
}

TEST(an_image_is_seen_as_its_layers_together)
{
	static const char *const layers[] = {
		D("a") F("a/one") F("a/two") D("b") F("b/x") F("c"),
		"d 700 1:2 0 300 a\n" W("a/.wh.one") F("a/three") W(".wh.c"),
		D("b") W("b/.wh..wh..opq") F("b/y"),
	};
	struct sample sample = sample_of(layers, ARRAY_SIZE(layers));
	AUTO(stack) struct stack stack = { 0 }, copy = { 0 };
	const char *want = "d 700 1:2 0 300 a\n" F("a/three") F("a/two") D("b") F("b/y");

	assert_ok(open_sample(&sample, NULL, &stack));
	assert_int_equal(stack.len, 3);
	assert_view("merged", &stack, false, want);
	assert_ok(stack_copy(&stack, store, &copy));
	assert_view("a copy", &copy, false, want);
}

TEST(layers_are_unpacked_once)
{
	static const char *const layers[] = { F("a"), F("b") };
	struct sample sample = sample_of(layers, ARRAY_SIZE(layers));
	AUTO(stack) struct stack first = { 0 }, second = { 0 };
	AUTO(strings) struct strings blobs = { 0 };

	assert_ok(open_sample(&sample, NULL, &first));
	assert_int_equal(room_count("layers"), 2);
	assert_int_equal(room_count("diffs"), 2);
	/* Without their blobs they can only be found. */
	assert_ok(file_list(store_fd(store), "blobs/sha256", &blobs));
	vec_foreach (&blobs, name) {
		AUTO(mem) char *path = xasprintf("blobs/sha256/%s", *name);

		assert_int_equal(unlinkat(store_fd(store), path, 0), 0);
	}
	room_reopen();
	assert_ok(open_sample(&sample, NULL, &second));
	assert_view("found again", &second, false, F("a") F("b"));
	assert_int_equal(room_count("layers"), 2);
}

/* The blob of a layer of `sample`, unpacked as a download would. */
static struct err *receive(const struct sample *sample, size_t index, bool broken, bool *ret_kept)
{
	const struct descriptor *blob = &sample->layers[index].blob;
	AUTO(buf) struct buf bytes = BUF_INIT(BUF_MAX);
	AUTO(source) struct source *src = NULL;

	assert_ok(blob_read(store, &blob->digest, BUF_MAX, &bytes));
	src = source_from_memory(bytes.at, bytes.len);
	if (broken)
		src = source_limit(src, bytes.len - 1, "the transfer");
	return receive_layer(store, blob, src, ret_kept);
}

TEST(a_layer_that_was_unpacked_on_its_way_is_found)
{
	/* the second needs what lies below: its parent is not in it */
	static const char *const layers[] = { D("a") F("a/x"), F("a/y"), F("c") };
	struct sample sample = { 0 };
	AUTO(stack) struct stack stack = { 0 };
	bool kept = false;

	for (size_t i = 0; i < ARRAY_SIZE(layers); i++)
		add_layer(&sample, layers[i], "zstd");
	assert_ok(receive(&sample, 0, false, &kept));
	assert_true(kept);
	assert_ok(receive(&sample, 1, false, &kept));
	assert_false(kept);
	assert_fails(receive(&sample, 2, true, &kept), ERR_INVALID);
	assert_int_equal(room_count("layers"), 1);
	assert_ok(open_sample(&sample, NULL, &stack));
	assert_view("all", &stack, false, D("a") F("a/x") F("a/y") F("c"));
	assert_int_equal(room_count("layers"), 3);
}

TEST(any_compression_is_read)
{
	static const char *const names[] = { "none", "gzip", "zstd" };
	struct sample sample = { 0 };
	AUTO(stack) struct stack stack = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(mem) char *lines = xasprintf("f 644 0:0 600000 5 %s y*600000\n", names[i]);

		add_layer(&sample, lines, names[i]);
	}
	assert_ok(open_sample(&sample, NULL, &stack));
	assert_view("all", &stack, false,
		    "f 644 0:0 600000 5 gzip y*600000\nf 644 0:0 600000 5 none y*600000\n"
		    "f 644 0:0 600000 5 zstd y*600000\n");
}

TEST(many_layers_are_unpacked_in_parallel)
{
	AUTO(pool) struct pool *pool = pool_new(4);
	AUTO(stack) struct stack stack = { 0 };
	struct sample sample = { 0 };
	AUTO(buf) struct buf want = BUF_INIT(BUF_MAX);

	for (int i = 0; i < LAYERS; i++) {
		AUTO(mem) char *line = xasprintf("f 644 0:0 300000 5 f%02d z*300000\n", i);

		add_layer(&sample, line, "zstd");
		buf_adds(&want, line);
	}
	assert_ok(open_sample(&sample, pool, &stack));
	assert_view("all", &stack, false, want.at);
}

#define DEPENDENT F("a/new") F("lib/so") "h 0 0:0 0 0 b -> a/f\n" W("gone/.wh.x")

TEST(a_layer_that_depends_on_what_lies_below_is_unpacked_for_it)
{
	static const char *const on_one[] = {
		"d 700 1:1 0 5 a user.x=1\n" F("a/f") D("usr") "l 777 0:0 0 1 lib -> usr\n",
		DEPENDENT,
		F("top"),
	};
	static const char *const on_other[] = { "d 750 2:2 0 6 a\nf 600 0:0 1 7 a/f y\n" D("gone"),
						DEPENDENT };
	struct sample one = sample_of(on_one, ARRAY_SIZE(on_one));
	struct sample other = sample_of(on_other, ARRAY_SIZE(on_other));
	AUTO(stack) struct stack one_stack = { 0 }, other_stack = { 0 }, again = { 0 };
	AUTO(pool) struct pool *pool = pool_new(2);

	assert_ok(open_sample(&one, pool, &one_stack));
	assert_view("on the one", &one_stack, false,
		    "d 700 1:1 0 5 a user.x=1\n"
		    "f 644 0:0 1 200 a/f x\n" F("a/new") "h 644 0:0 0 200 b -> a/f\n"
							 "l 777 0:0 0 1 lib -> usr\n" F("top")
								 D("usr") F("usr/so"));
	assert_int_equal(room_count("layers"), 3);

	assert_ok(open_sample(&other, pool, &other_stack));
	assert_view("on the other", &other_stack, false,
		    "d 750 2:2 0 6 a\n"
		    "f 600 0:0 1 7 a/f y\n" F("a/new") "h 600 0:0 0 7 b -> a/f\n" D(
			    "gone") "d 755 0:0 0 200 lib\n" F("lib/so"));
	assert_int_equal(room_count("layers"), 5);

	assert_ok(open_sample(&one, NULL, &again));
	assert_int_equal(room_count("layers"), 5);
	assert_string_equal(again.at[1].lid, one_stack.at[1].lid);
}

TEST(the_lowest_layer_depends_on_nothing_but_is_kept_apart)
{
	static const char *const layers[] = { "d 700 1:1 0 5 a\n", F("a/f") W("b/.wh.x") };
	struct sample low = sample_of(layers + 1, 1), high = sample_of(layers, 2);
	AUTO(stack) struct stack low_stack = { 0 }, high_stack = { 0 };

	assert_ok(open_sample(&low, NULL, &low_stack));
	assert_view("lowest", &low_stack, false, "d 755 0:0 0 200 a\n" F("a/f"));
	assert_ok(open_sample(&high, NULL, &high_stack));
	assert_view("higher", &high_stack, false, "d 700 1:1 0 5 a\n" F("a/f"));
}

TEST(a_layer_that_comes_twice_is_stacked_once)
{
	static const char *const layers[] = { F("a"), "", F("b"), "", F("a") };
	struct sample sample = sample_of(layers, ARRAY_SIZE(layers));
	AUTO(stack) struct stack stack = { 0 };

	assert_ok(open_sample(&sample, NULL, &stack));
	assert_int_equal(stack.len, 3);
	assert_view("once", &stack, false, F("a") F("b"));
}

/* ---- damage ---- */

/* The errors of a sample name its second layer, and nothing of that remains. */
static void assert_refused(struct sample *sample, enum err_kind kind, const char *text)
{
	AUTO(stack) struct stack stack = { 0 };
	AUTO(err) struct err *err = open_sample(sample, NULL, &stack);

	assert_int_equal(err_kind(err), kind);
	if (!strstr(err_text(err), "layer 2, sha256:") || !strstr(err_text(err), text))
		fail_msg("%s", err_text(err));
	assert_int_equal(stack.len, 0);
	assert_int_equal(room_count("layers"), 1);
	assert_int_equal(room_count("diffs"), 1);
}

TEST(damage_is_refused_and_leaves_nothing)
{
	static const char *const layers[] = { F("a"), F("b") };
	struct sample sample = sample_of(layers, ARRAY_SIZE(layers)), changed;
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem)
	char *path = xasprintf("blobs/sha256/%s",
			       digest_format(&sample.layers[1].blob.digest, digest) + 7);
	AUTO(mem) char *text = NULL;

	changed = sample;
	changed.layers[1].diff_id.bytes[0] ^= 1;
	assert_refused(&changed, ERR_CORRUPT, "config says");

	changed = sample;
	changed.layers[1].blob.size++;
	assert_refused(&changed, ERR_CORRUPT, "");

	text = room_text(path);
	text[700] ^= 1; /* in the content of a file, so that the tar is still one */
	room_put_at(store_fd(store), path, text, sample.layers[1].blob.size);
	assert_refused(&sample, ERR_CORRUPT, "");

	assert_refused(&sample, ERR_NOT_FOUND, ""); /* once seen to be damaged, it is gone */
}

/* ---- the root ---- */

TEST(the_root_is_that_of_the_newest_layer_which_brings_one)
{
	static const char *const layers[] = { "d 555 1:2 0 5 ./ user.x=1\n" F("a"), F("b"),
					      "d 700 0:0 0 6 ./\n", F("c") };

	for (size_t count = 1; count <= ARRAY_SIZE(layers); count++) {
		struct sample sample = sample_of(layers, count);
		AUTO(stack) struct stack stack = { 0 };
		AUTO(mem)
		char *want = xasprintf(
			"%s%s%s%s", count < 3 ? "d 555 1:2 0 5 . user.x=1\n" : "d 700 0:0 0 6 .\n",
			F("a"), count > 1 ? F("b") : "", count > 3 ? F("c") : "");

		assert_ok(open_sample(&sample, NULL, &stack));
		assert_view("the root", &stack, true, want);
	}
}

TEST(a_new_layer_starts_with_the_root_of_its_stack)
{
	static const char *const layers[] = { "d 555 1:2 0 5 ./ user.x=1\n" F("a"), F("b") };
	struct sample sample = sample_of(layers, ARRAY_SIZE(layers));
	AUTO(stack) struct stack stack = { 0 };
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
	AUTO(layer_stage) struct layer_stage *plain = NULL, *stage = NULL, *changed = NULL;
	struct layer_meta meta = { 0 };

	assert_ok(stack_begin_layer(&stack, store, &plain));
	tree_text(&got, plain->fs_fd, true);
	assert_true(str_starts(buf_str(&got), "d 755 0:0 0 "));

	assert_ok(open_sample(&sample, NULL, &stack));
	assert_ok(stack_begin_layer(&stack, store, &stage));
	buf_reset(&got);
	tree_text(&got, stage->fs_fd, true);
	assert_text("the upper directory", &got, "d 555 1:2 0 5 . user.x=1\n");

	/* overlayfs leaves marks of its own, which change nothing. */
	assert_int_equal(fsetxattr(stage->fs_fd, "user.overlay.impure", "y", 1, 0), 0);
	assert_ok(stack_seal_layer(&stack, stage, &meta));
	assert_false(meta.has_root);
	assert_ok(stack_push(&stack, store, meta.lid));

	assert_ok(stack_begin_layer(&stack, store, &changed));
	assert_int_equal(fchmod(changed->fs_fd, 0755), 0);
	meta = (struct layer_meta){ 0 };
	assert_ok(stack_seal_layer(&stack, changed, &meta));
	assert_true(meta.has_root);
	assert_ok(stack_push(&stack, store, meta.lid));
	assert_view("changed", &stack, true, "d 755 1:2 0 5 . user.x=1\n" F("a") F("b"));
}

TEST(an_empty_stack_is_an_empty_directory)
{
	AUTO(stack) struct stack stack = { 0 };
	AUTO(fd) int fd = -1, made = -1;
	struct stat st;

	assert_ok(stack_view(&stack, &fd));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	made = openat(fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(made, -1);
	assert_view("nothing", &stack, false, "");
}

/* ---- a layer on top ---- */

static void write_at(int dir_fd, const char *name)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
}

TEST(what_is_written_goes_to_the_layer_on_top)
{
	static const char *const layers[] = {
		F("a") F("b"),
		"d 700 1:2 0 6 ./\n" W(".wh.a") F("c"),
		F("d"),
	};

	for (size_t count = 0; count <= ARRAY_SIZE(layers); count++) {
		struct sample sample = sample_of(layers, count);
		AUTO(stack) struct stack stack = { 0 };
		AUTO(layer_stage) struct layer_stage *stage = NULL, *holder = NULL;
		AUTO(skeleton) struct skeleton skeleton = SKELETON_INIT;
		AUTO(mounted) struct mounted *mounted = NULL;
		AUTO(fd) int fd = -1;
		struct layer_meta meta = { 0 };
		struct stat st;

		assert_ok(open_sample(&sample, NULL, &stack));
		assert_ok(stack_begin_layer(&stack, store, &stage));
		assert_ok(layer_begin(store, &holder));
		assert_ok(skeleton_open(holder->dir_fd, &skeleton));
		assert_ok(stack_mount(&stack, stage, &skeleton, -1, &fd, &mounted));

		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode, S_IFDIR | (count < 2 ? 0755 : 0700));
		assert_int_equal(faccessat(fd, "a", F_OK, 0), count == 1 ? 0 : -1);
		assert_int_equal(faccessat(fd, "b", F_OK, 0), count > 0 ? 0 : -1);
		assert_int_equal(faccessat(fd, "d", F_OK, 0), count > 2 ? 0 : -1);
		assert_int_equal(faccessat(fd, "proc", F_OK, 0), 0); /* the skeleton's */
		write_at(fd, "new");
		assert_int_equal(faccessat(stage->fs_fd, "new", F_OK, 0), 0);
		if (count > 0) {
			assert_int_equal(unlinkat(fd, "b", 0), 0);
			assert_int_equal(faccessat(stack.at[0].fd, "b", F_OK, 0), 0);
		}

		assert_ok(stack_seal_layer(&stack, stage, &meta));
		assert_int_equal(faccessat(fd, "new", F_OK, 0), 0);
	}
}

/* ---- many processes ---- */

static struct sample shared;

static bool open_shared(void *arg)
{
	AUTO(store) struct store *mine = NULL;
	AUTO(pool) struct pool *pool = pool_new(2);
	AUTO(stack) struct stack stack = { 0 };

	(void)arg;
	CHECK_OK(store_open(room_path, &mine));
	CHECK_OK(stack_of_image(mine, &shared.image, pool, NULL, &stack));
	CHECK(stack.len == 4);
	return true;
}

TEST(processes_that_need_the_same_layers_make_them_once)
{
	pid_t children[6];

	shared = (struct sample){ 0 };
	for (int i = 0; i < 4; i++) {
		AUTO(mem)
		char *line =
			xasprintf("%sf 644 0:0 500000 5 d/f%d z*500000\n", i < 3 ? D("d") : "", i);

		add_layer(&shared, line, "zstd");
	}
	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		children[i] = child_start(open_shared, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		assert_int_equal(child_wait(children[i]), 0);
	assert_int_equal(room_count("layers"), 4);
	assert_int_equal(room_count("diffs"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(an_image_is_seen_as_its_layers_together),
		ROOM_TEST(layers_are_unpacked_once),
		ROOM_TEST(a_layer_that_was_unpacked_on_its_way_is_found),
		ROOM_TEST(any_compression_is_read),
		ROOM_TEST(many_layers_are_unpacked_in_parallel),
		ROOM_TEST(a_layer_that_depends_on_what_lies_below_is_unpacked_for_it),
		ROOM_TEST(the_lowest_layer_depends_on_nothing_but_is_kept_apart),
		ROOM_TEST(a_layer_that_comes_twice_is_stacked_once),
		ROOM_TEST(damage_is_refused_and_leaves_nothing),
		ROOM_TEST(the_root_is_that_of_the_newest_layer_which_brings_one),
		ROOM_TEST(a_new_layer_starts_with_the_root_of_its_stack),
		ROOM_TEST(an_empty_stack_is_an_empty_directory),
		ROOM_TEST(what_is_written_goes_to_the_layer_on_top),
		ROOM_TEST(processes_that_need_the_same_layers_make_them_once),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
