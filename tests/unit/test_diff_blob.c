/* tests/unit/test_diff_blob.c - a sealed layer gets its blob, once. */

#include "tests/unit/tree.h"

#include "base/cancel.h"
#include "base/codec.h"
#include "overlay/diff.h"
#include "overlay/stack.h"
#include "store/blob.h"
#include "store/image.h"
#include "tests/unit/room.h"

static const struct compression zstd = { .codec = CODEC_ZSTD };

/* A sealed layer with the tree of `lines`, as a step leaves it. */
static struct layer_meta make_layer(const char *lines)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { 0 };

	assert_ok(layer_begin(store, &stage));
	tree_unpack(stage->fs_fd, lines);
	assert_ok(layer_seal(stage, NULL, &meta));
	return meta;
}

/* What a blob holds, decompressed. */
static void read_tar(const struct digest *digest, struct buf *out)
{
	AUTO(source) struct source *src = NULL;
	AUTO(sink) struct sink *sink = sink_to_buf(out);
	struct source *raw;
	uint64_t size;
	int fd;

	assert_ok(blob_open(store, digest, &fd, &size));
	raw = source_verify(source_from_fd(fd, "blob"), digest, size);
	assert_ok(codec_open(raw, NULL, &src));
	assert_ok(stream_copy(src, sink, NULL));
	assert_ok(sink_finish(sink));
}

static char *list_text(const char *lid)
{
	AUTO(mem) char *path = xasprintf("layers/%s/list", lid);

	return room_text(path);
}

TEST(the_blob_is_the_compressed_tar_and_everything_is_recorded)
{
	static const struct {
		struct compression how;
		const char *media_type;
	} cases[] = {
		{ { .codec = CODEC_NONE }, "application/vnd.oci.image.layer.v1.tar" },
		{ { .codec = CODEC_GZIP }, "application/vnd.oci.image.layer.v1.tar+gzip" },
		{ { .codec = CODEC_ZSTD }, "application/vnd.oci.image.layer.v1.tar+zstd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem)
		char *lines = xasprintf("%sf 644 0:0 900000 5 a/big y*900000\n"
					"f 644 0:0 1 5 a/%zu x\n",
					D("a"), i);
		struct layer_meta meta = make_layer(lines), found;
		AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), got = BUF_INIT(BUF_MAX);
		AUTO(hasher) struct hasher *hasher = hasher_new();
		AUTO(mem)
		char *want = xasprintf("d 755 0:0 0 100 a/\nf 644 0:0 1 5 a/%zu x\n"
				       "f 644 0:0 900000 5 a/big y*900000\n",
				       i);
		struct digest diff_id;
		bool is_found;

		assert_ok(diff_commit_blob(store, &meta, -1, &cases[i].how, false, 2));
		assert_true(meta.has_blob && meta.has_diff_id);
		assert_string_equal(meta.blob.media_type, cases[i].media_type);
		assert_int_equal(meta.entries, 3);
		assert_int_equal(meta.bytes, 900001);
		read_tar(&meta.blob.digest, &tar);
		assert_ok(list(buf_str(&tar), NULL, 65536, &got));
		assert_text("the tar", &got, want);
		hasher_update(hasher, tar.at, tar.len);
		assert_ok(hasher_finish(hasher, &diff_id));
		assert_true(digest_equal(&diff_id, &meta.diff_id));

		room_reopen();
		assert_ok(layer_find(store, &diff_id, NULL, &is_found, &found));
		assert_true(is_found);
		assert_string_equal(found.lid, meta.lid);
		assert_true(digest_equal(&found.blob.digest, &meta.blob.digest));
		assert_int_equal(found.blob.size, meta.blob.size);
	}
}

TEST(the_list_is_the_table_of_contents)
{
	struct layer_meta below = make_layer(F("gone")), meta;
	AUTO(fd) int below_fd = -1;
	AUTO(mem) char *text = NULL;

	meta = make_layer(
		"d 1777 1:2 0 -5 d\nf 4755 3:4 3 1700000000 d/abc abc\n"
		"f 644 0:0 0 7 d/empty\nh 0 0:0 0 0 d/hard -> d/abc\n"
		"l 777 0:0 0 7 d/soft -> a\\x20b\n"
		"c 666 0:5 0 7 d/null 1,3\nb 660 0:6 0 7 d/sda 8,1\np 600 0:0 0 7 d/pipe\n"
		"f 600 0:0 1 7 od\\x0ad\\x5c\\x20\\xff x\n"
		"f 0 0:0 0 0 .wh.gone\n");
	assert_ok(layer_open(store, below.lid, &below_fd, NULL));
	assert_ok(diff_commit_blob(store, &meta, below_fd, &zstd, false, 1));
	text = list_text(meta.lid);
	/* FIPS 180-4 for "abc" and nothing; sha256sum for "x". */
	assert_string_equal(
		text, "w 0000 0 0 0 0 - .wh.gone\n"
		      "d 1777 1 2 0 -5 - d/\n"
		      "f 4755 3 4 3 1700000000 "
		      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad d/abc\n"
		      "f 0644 0 0 0 7 "
		      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 d/empty\n"
		      "h 4755 3 4 0 1700000000 d/abc d/hard\n"
		      "c 0666 0 5 0 7 1:3 d/null\n"
		      "p 0600 0 0 0 7 - d/pipe\n"
		      "b 0660 0 6 0 7 8:1 d/sda\n"
		      "l 0777 0 0 0 7 a\\040b d/soft\n"
		      "f 0600 0 0 1 7 "
		      "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 "
		      "od\\012d\\134\\040\xff\n"
		      "end\n");
}

TEST(a_blob_once_made_is_kept)
{
	struct layer_meta meta = make_layer(F("a")), again, gzip;
	const struct compression other = { .codec = CODEC_GZIP };

	assert_ok(diff_commit_blob(store, &meta, -1, &zstd, false, 1));
	gzip = meta;
	assert_ok(diff_commit_blob(store, &gzip, -1, &other, false, 1));
	assert_true(digest_equal(&gzip.blob.digest, &meta.blob.digest));
	assert_int_equal(room_count("blobs/sha256"), 1);

	/* Who asks for a codec gets it. */
	assert_ok(diff_commit_blob(store, &gzip, -1, &other, true, 1));
	assert_string_equal(gzip.blob.media_type, MEDIA_OCI_LAYER "+gzip");
	assert_int_equal(room_count("blobs/sha256"), 2);
	assert_ok(diff_commit_blob(store, &meta, -1, &zstd, true, 1));

	/* Only its lid names a layer. */
	again = (struct layer_meta){ 0 };
	memcpy(again.lid, meta.lid, sizeof(again.lid));
	assert_ok(diff_commit_blob(store, &again, -1, &zstd, false, 1));
	assert_true(digest_equal(&again.blob.digest, &meta.blob.digest));
	assert_int_equal(again.entries, 1);
}

TEST(a_blob_that_was_cut_is_made_again)
{
	struct layer_meta meta = make_layer(F("a")), again;
	char hex[DIGEST_TEXT_SIZE], path[128];
	AUTO(fd) int fd = -1;
	bool found;
	uint64_t size;

	assert_ok(diff_commit_blob(store, &meta, -1, &zstd, false, 1));
	snprintf(path, sizeof(path), "blobs/sha256/%s",
		 strchr(digest_format(&meta.blob.digest, hex), ':') + 1);
	room_put(path, "cut", 3);
	again = meta;
	assert_ok(diff_commit_blob(store, &again, -1, &zstd, false, 1));
	assert_ok(blob_find(store, &again.blob.digest, &found, &size));
	assert_true(found);
	assert_int_equal(size, meta.blob.size);
}

static void drop_blob(const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];
	AUTO(mem) char *path = xasprintf("blobs/sha256/%s", digest_format(digest, text) + 7);

	assert_int_equal(unlinkat(store_fd(store), path, 0), 0);
}

TEST(a_blob_that_is_lost_is_made_again)
{
	struct layer_meta meta = make_layer(D("d") F("d/f")), again;

	assert_ok(diff_commit_blob(store, &meta, -1, &zstd, false, 1));
	drop_blob(&meta.blob.digest);
	again = meta;
	assert_ok(diff_commit_blob(store, &again, -1, &zstd, false, 2));
	assert_true(digest_equal(&again.blob.digest, &meta.blob.digest));
	assert_int_equal(room_count("blobs/sha256"), 1);
}

TEST(the_blob_of_a_pulled_layer_cannot_be_made_again)
{
	/* Not canonical: GNU tar pads to 10 kB. */
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
	AUTO(stack) struct stack stack = { 0 };
	struct image_layer layer = { 0 };
	struct image image = { .layers = &layer, .layer_count = 1 };
	struct layer_meta meta;
	AUTO(fd) int fd = -1;

	tree_archive(&tar, F("a"));
	add_zeros(&tar, 8192);
	assert_ok(blob_put(store, buf_str(&tar), &layer.blob.digest));
	layer.blob.size = tar.len;
	layer.diff_id = layer.chain_id = layer.blob.digest;
	assert_ok(stack_of_image(store, &image, NULL, NULL, &stack));
	assert_ok(layer_open(store, stack.at[0].lid, &fd, &meta));
	assert_ok(diff_commit_blob(store, &meta, -1, &zstd, false, 1));
	assert_true(digest_equal(&meta.blob.digest, &layer.blob.digest));

	drop_blob(&meta.blob.digest);
	assert_fails(diff_commit_blob(store, &meta, -1, &zstd, false, 1), ERR_NOT_FOUND);
	assert_int_equal(room_count("blobs/sha256"), 0);
}

TEST(a_layer_that_cannot_be_said_leaves_nothing)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { 0 }, known;
	AUTO(mem) char *path = NULL;
	AUTO(fd) int fd = -1;

	assert_ok(layer_begin(store, &stage));
	room_put_at(stage->fs_fd, "a", "x", 1);
	room_put_at(stage->fs_fd, ".wh.a", "x", 1);
	assert_ok(layer_seal(stage, NULL, &meta));
	assert_fails(diff_commit_blob(store, &meta, -1, &zstd, false, 1), ERR_INVALID);
	assert_int_equal(room_count("blobs/sha256"), 0);
	path = xasprintf("layers/%s/list", meta.lid);
	assert_false(room_has(path));
	assert_ok(layer_open(store, meta.lid, &fd, &known));
	assert_false(known.has_blob || known.has_diff_id);
}

TEST(a_blob_that_nobody_wants_any_more_is_not_made)
{
	struct layer_meta meta = make_layer(F("a"));
	struct cancel_scope scope = { 0 };
	size_t before = room_count("blobs/sha256");

	cancel_stop(&scope);
	cancel_enter(&scope);
	assert_fails(diff_commit_blob(store, &meta, -1, &zstd, false, 2), ERR_CANCELLED);
	cancel_enter(NULL);
	assert_int_equal(room_count("blobs/sha256"), before);
	assert_ok(diff_commit_blob(store, &meta, -1, &zstd, false, 2));
}

TEST(neither_workers_nor_compression_change_the_diff_id)
{
	static const struct compression codecs[] = {
		{ CODEC_NONE, 0 }, { CODEC_GZIP, 1 }, { CODEC_ZSTD, 1 }, { CODEC_ZSTD, 0 }
	};
	struct digest diff_id = { 0 }, digests[ARRAY_SIZE(codecs)];

	for (unsigned workers = 1; workers <= 3; workers++)
		for (size_t i = 0; i < ARRAY_SIZE(codecs); i++) {
			struct layer_meta meta = make_layer("f 644 0:0 3000000 5 f ab*2999999\n");

			assert_ok(diff_commit_blob(store, &meta, -1, &codecs[i], false, workers));
			if (workers == 1 && i == 0)
				diff_id = meta.diff_id;
			if (workers == 1)
				digests[i] = meta.blob.digest;
			assert_true(digest_equal(&meta.diff_id, &diff_id));
			assert_true(digest_equal(&meta.blob.digest, &digests[i]));
		}
}

static struct layer_meta shared;

static bool commit_shared(void *arg)
{
	AUTO(store) struct store *mine = NULL;
	struct layer_meta meta = shared;

	(void)arg;
	CHECK_OK(store_open(room_path, &mine));
	CHECK_OK(diff_commit_blob(mine, &meta, -1, &zstd, false, 1));
	CHECK(meta.has_blob);
	return true;
}

TEST(processes_that_want_the_same_blob_make_one)
{
	pid_t children[4];
	AUTO(mem) char *dir = NULL;
	AUTO(strings) struct strings names = { 0 };

	shared = make_layer("f 644 0:0 3000000 5 f ab*2999999\n");
	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		children[i] = child_start(commit_shared, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		assert_int_equal(child_wait(children[i]), 0);
	assert_int_equal(room_count("blobs/sha256"), 1);
	dir = xasprintf("layers/%s", shared.lid);
	assert_ok(file_list(store_fd(store), dir, &names));
	vec_foreach (&names, name)
		assert_null(strstr(*name, "tmp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(the_blob_is_the_compressed_tar_and_everything_is_recorded),
		ROOM_TEST(the_list_is_the_table_of_contents),
		ROOM_TEST(a_blob_once_made_is_kept),
		ROOM_TEST(a_blob_that_was_cut_is_made_again),
		ROOM_TEST(a_blob_that_is_lost_is_made_again),
		ROOM_TEST(the_blob_of_a_pulled_layer_cannot_be_made_again),
		ROOM_TEST(a_layer_that_cannot_be_said_leaves_nothing),
		ROOM_TEST(a_blob_that_nobody_wants_any_more_is_not_made),
		ROOM_TEST(neither_workers_nor_compression_change_the_diff_id),
		ROOM_TEST(processes_that_want_the_same_blob_make_one),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
