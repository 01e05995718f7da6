/*
 * tests/unit/layers.h - sealed layers in the store of a test (tests/unit/room.h), in both ways that
 * there are; their trees are lines of tests/unit/tree.h.
 */
#ifndef TESTS_UNIT_LAYERS_H
#define TESTS_UNIT_LAYERS_H

#include "tests/unit/tree.h"

#include "overlay/diff.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/layer.h"
#include "tests/unit/room.h"

/* As a step leaves it: with a tree, and nothing known of it. */
static inline struct layer_meta layer_of_step(const char *lines)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { 0 };

	assert_ok(layer_begin(store, &stage));
	tree_unpack(stage->fs_fd, lines);
	assert_ok(layer_seal(stage, NULL, &meta));
	return meta;
}

/* As the end of a build leaves it: it has a list, and a blob that was made from its tree. */
static inline struct layer_meta layer_of_build(const char *lines, int below_fd,
					       const struct compression *how)
{
	struct layer_meta meta = layer_of_step(lines);

	assert_ok(diff_commit_blob(store, &meta, below_fd, how, false, 1));
	return meta;
}

/* As a pull leaves it: it has a blob, which others made, and no list. */
static inline struct layer_meta layer_of_pull(const char *lines)
{
	struct layer_meta meta = { .has_blob = true, .has_diff_id = true };
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);

	tree_archive(&tar, lines);
	assert_ok(blob_put(store, buf_str(&tar), &meta.diff_id));
	meta.blob = (struct descriptor){ .media_type = MEDIA_OCI_LAYER,
					 .digest = meta.diff_id,
					 .size = tar.len };
	assert_ok(layer_begin(store, &stage));
	tree_unpack(stage->fs_fd, lines);
	assert_ok(layer_seal(stage, NULL, &meta));
	return meta;
}

/* A file of the store, byte for byte; unlike room_text() by links, too. */
static inline void layer_bytes(const char *path, struct buf *ret)
{
	AUTO(fd) int fd = openat(store_fd(store), path, O_RDONLY | O_CLOEXEC);
	char chunk[4096];
	ssize_t got;

	if (fd < 0)
		fail_msg("%s is missing", path);
	while ((got = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(ret, chunk, (size_t)got);
	assert_int_equal(got, 0);
}

#endif
