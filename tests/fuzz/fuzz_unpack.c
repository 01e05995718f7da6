/*
 * tests/fuzz/fuzz_unpack.c - no layer touches what is outside, and what it becomes is stable.
 *
 * The bytes are a tar if they look like one; else they are read as a list of
 * entries, whose names and links come from a few that get into one another's way.
 * What holds for each, unpacked on nothing and on a tree:
 *
 *	- the canary beside the layer stays as it is
 *	- an archive that is merged twice leaves what can be a layer
 *	- a tree that was unpacked has a canonical tar; that unpacks, needs nothing from
 *	  below, and gives itself again
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/stream.h"
#include "base/untar.h"
#include "base/ustar.h"
#include "overlay/diff.h"
#include "overlay/unpack.h"

#define TAR_SIZE_MAX ((size_t)8 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static int room_fd, below_fd, canary_fd;
static struct stat canary_before[2]; /* the directory and the file in it */

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_ok(struct err *err)
{
	if (err)
		fprintf(stderr, "%s\n", err_text(err));
	check(!err);
}

static void stat_canary(struct stat st[static 2])
{
	check(fstat(canary_fd, &st[0]) == 0);
	check(fstatat(canary_fd, "file", &st[1], AT_SYMLINK_NOFOLLOW) == 0);
}

/* Every change of a file or of its attributes changes this. */
static bool same_state(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_nlink == b->st_nlink && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void check_canary(void)
{
	struct stat now[2];

	stat_canary(now);
	check(same_state(&now[0], &canary_before[0]) && same_state(&now[1], &canary_before[1]));
}

static int make_dir(const char *name)
{
	int fd;

	check_ok(file_remove_tree(room_fd, name));
	check(mkdirat(room_fd, name, 0755) == 0);
	fd = openat(room_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(fd >= 0);
	return fd;
}

static char room_path[] = "/dev/shm/cairn-fuzz-XXXXXX";

static void drop_room(void)
{
	AUTO(fd) int shm_fd = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	check_ok(file_remove_tree(shm_fd, strrchr(room_path, '/') + 1));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	check(mkdtemp(room_path) != NULL);
	room_fd = open(room_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	canary_fd = make_dir("canary");
	close(openat(canary_fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
	below_fd = make_dir("below");
	check(mkdirat(below_fd, "a", 0750) == 0 && mkdirat(below_fd, "a/b", 0755) == 0);
	check(symlinkat("a/b", below_fd, "l") == 0 && symlinkat("../canary", below_fd, "c") == 0);
	close(openat(below_fd, "a/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
	stat_canary(canary_before);
	atexit(drop_room);
	return 0;
}

/* ---- entries from bytes ---- */

struct input {
	const uint8_t *at;
	size_t left;
};

static unsigned take(struct input *in, unsigned count)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++ % count;
}

/* One to four names, into a text field of a header. */
static void take_path(struct input *in, char *field)
{
	static const char *const names[] = {
		"a", "b",      "c",    "f",     "l",     ".",     "..",
		"",  "canary", "file", ".wh.a", ".wh.b", ".wh.l", ".wh..wh..opq",
		"a", "b",
	};
	AUTO(buf) struct buf path = BUF_INIT(USTAR_NAME_SIZE);
	unsigned parts = 1 + take(in, 4);

	if (take(in, 8) == 0)
		buf_addc(&path, '/');
	while (parts-- > 0) {
		buf_adds(&path, names[take(in, 16)]);
		if (parts > 0)
			buf_addc(&path, '/');
	}
	memcpy(field, path.at, path.len);
}

static void add_padding(struct buf *tar, size_t size)
{
	static const char zeros[TAR_BLOCK_SIZE];

	buf_add(tar, zeros, -size % TAR_BLOCK_SIZE);
}

static void add_block(struct buf *tar, struct ustar *block, size_t size)
{
	USTAR_PUT(block->size, size);
	ustar_seal(block);
	buf_add(tar, block, sizeof(*block));
}

/* An attribute, in front of the entry that gets it. */
static void add_xattr(struct buf *tar, unsigned which)
{
	static const char *const records[] = {
		"23 SCHILY.xattr.user.a=x\n",
		"36 SCHILY.xattr.user.overlay.opaque=y\n",
		"38 SCHILY.xattr.trusted.overlay.opaque=y\n",
	};
	const char *record = records[which];
	AUTO(buf) struct buf text = BUF_INIT(128);
	struct ustar block;

	/* The length counts itself; it was written for two digits. */
	buf_addf(&text, "%zu%s", strlen(record), record + 2);
	ustar_init(&block);
	block.name[0] = 'x';
	block.type = 'x';
	add_block(tar, &block, text.len);
	buf_add_str(tar, buf_str(&text));
	add_padding(tar, text.len);
}

static void add_entry(struct buf *tar, struct input *in)
{
	unsigned type = take(in, 7), extra = take(in, 16);
	size_t size = type == 0 ? take(in, 4) : 0;
	struct ustar block;

	if (extra < 3)
		add_xattr(tar, extra);
	ustar_init(&block);
	take_path(in, block.name);
	if (type == 1 || type == 2)
		take_path(in, block.link);
	USTAR_PUT(block.mode, take(in, 64) << 6 | take(in, 64));
	USTAR_PUT(block.uid, take(in, 3));
	USTAR_PUT(block.mtime, take(in, 200));
	USTAR_PUT(block.dev_major, take(in, 3));
	USTAR_PUT(block.dev_minor, take(in, 3));
	block.type = (char)('0' + type);
	add_block(tar, &block, size);
	buf_add(tar, "xyz", size);
	add_padding(tar, size);
}

static void make_tar(struct buf *tar, const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (size >= TAR_BLOCK_SIZE && memcmp(data + 257, "ustar", 5) == 0) {
		buf_add(tar, data, size);
		return;
	}
	while (in.left > 0)
		add_entry(tar, &in);
}

/* ---- the laws ---- */

static struct err *unpack_into(const struct buf *tar, int fd, int view_fd, bool *ret_dependent)
{
	static const struct tar_limits limits = { .entries = 300, .bytes = TAR_SIZE_MAX };
	const struct unpack_opts opts = { .below_fd = view_fd, .limits = &limits };
	AUTO(source) struct source *src = source_from_memory(tar->at, tar->len);
	struct unpack_result result;

	TRY(unpack(src, fd, &opts, &result));
	*ret_dependent = result.dependent;
	return NULL;
}

static void diff_into(int fd, struct buf *tar)
{
	const struct diff_opts opts = { .below_fd = -1 };
	AUTO(sink) struct sink *out = sink_to_buf(tar);
	struct diff_result result;

	check_ok(diff_write(fd, &opts, out, &result));
	check_ok(sink_finish(out));
}

static void check_stable(int fd)
{
	AUTO(buf) struct buf tar = BUF_INIT(2 * TAR_SIZE_MAX), again = BUF_INIT(2 * TAR_SIZE_MAX);
	AUTO(fd) int again_fd = make_dir("again");
	bool dependent;

	diff_into(fd, &tar);
	check_ok(unpack_into(&tar, again_fd, -1, &dependent));
	check(!dependent);
	diff_into(again_fd, &again);
	check(str_equal(buf_str(&tar), buf_str(&again)));
}

/* As ADD does it: over what an archive left before, and twice; the directory can always be a layer. */
static void check_merge(const struct buf *tar)
{
	static const struct tar_limits limits = { .entries = 300, .bytes = TAR_SIZE_MAX };
	const struct unpack_opts opts = { .below_fd = below_fd,
					  .plain = true,
					  .merge = true,
					  .give_owner = true,
					  .uid = 7,
					  .limits = &limits };
	AUTO(fd) int fd = make_dir("layer");
	struct unpack_result result;
	bool whole = true;

	for (int i = 0; i < 2 && whole; i++) {
		AUTO(source) struct source *src = source_from_memory(tar->at, tar->len);
		AUTO(err) struct err *err = unpack(src, fd, &opts, &result);

		check_canary();
		whole = !err;
	}
	if (whole)
		check_stable(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int views[] = { -1, below_fd };
	AUTO(buf) struct buf tar = BUF_INIT(TAR_SIZE_MAX);

	make_tar(&tar, data, size);
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		AUTO(fd) int fd = make_dir("layer");
		bool dependent;
		AUTO(err) struct err *err = unpack_into(&tar, fd, views[i], &dependent);

		check_canary();
		if (!err)
			check_stable(fd);
	}
	check_merge(&tar);
	return 0;
}
