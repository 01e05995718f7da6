/* tests/unit/test_diff.c - a directory becomes a canonical tar, against what lies below. */

#include "tests/unit/tree.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "overlay/diff.h"
#include "overlay/unpack.h"
#include "overlay/whiteout.h"
#include "tests/unit/tmp.h"

/* The archive of a tree, as bytes and as lines. */
static struct err *diff_tree(int fd, const struct diff_opts *opts, struct buf *tar,
			     struct buf *lines)
{
	AUTO(sink) struct sink *out = sink_to_buf(tar);
	struct diff_result result;

	TRY(diff_write(fd, opts, out, &result));
	TRY(sink_finish(out));
	return lines ? list(buf_str(tar), NULL, 4096, lines) : NULL;
}

struct example {
	const char *what, *below, *layer, *want; /* no below: nothing lies there */
};

static void check_examples(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct example *e = &examples[i];
		AUTO(fd) int fd = tree_unpacked(tmp_fd, "layer", e->layer);
		AUTO(fd) int below_fd = e->below ? tree_unpacked(tmp_fd, "below", e->below) : -1;
		AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), got = BUF_INIT(BUF_MAX);
		const struct diff_opts opts = { .below_fd = below_fd };
		bool empty;

		assert_ok(err_wrap(diff_tree(fd, &opts, &tar, &got), "%s", e->what));
		assert_text(e->what, &got, e->want);
		assert_ok(diff_is_empty(fd, below_fd, &empty));
		if (empty != !*e->want)
			fail_msg("%s: empty is %d", e->what, empty);
	}
}

#define CHECK_EXAMPLES(examples) check_examples((examples), ARRAY_SIZE(examples))

TEST(entries_come_in_byte_order_with_all_that_belongs_to_them)
{
	static const struct example examples[] = {
		{ "order", NULL,
		  F("b") F("a/z") F("a-b/x") D("a") D("a-b") F("a.txt") F("B") F("\\xff") F("a/b"),
		  F("B") D("a/") F("a/b") F("a/z") D("a-b/") F("a-b/x") F("a.txt") F("b")
			  F("\\xff") },
		{ "kinds", NULL,
		  "b 660 0:6 0 7 b 259,1048575\n"
		  "c 666 0:5 0 7 c 1,3\n"
		  "d 1777 1:2 0 -5 d\n"
		  "f 4755 3:4 3 1700000000 f abc\n"
		  "l 777 5:6 0 7 l -> /etc/passwd\n"
		  "p 620 3:4 0 7 p\n",
		  "b 660 0:6 0 7 b 259,1048575\n"
		  "c 666 0:5 0 7 c 1,3\n"
		  "d 1777 1:2 0 -5 d/\n"
		  "f 4755 3:4 3 1700000000 f abc\n"
		  "l 777 5:6 0 7 l -> /etc/passwd\n"
		  "p 620 3:4 0 7 p\n" },
		{ "attributes", NULL,
		  "d 755 0:0 0 9 d user.b=2 user.a=1\n"
		  "f 755 1:1 1 9 f x security.capability=\\x01\\x00*2\\x02\\x00\\x04\\x00*14 "
		  "user.overlay.x=1\n",
		  "d 755 0:0 0 9 d/ user.a=1 user.b=2\n"
		  "f 755 1:1 1 9 f x security.capability=\\x01\\x00\\x00\\x02\\x00\\x04\\x00*14 "
		  "user.overlay.x=1\n" },
		{ "hard links", NULL,
		  D("a") F("a/z") "h 0 0:0 0 0 a/m -> a/z\n"
				  "h 0 0:0 0 0 z -> a/z\n" F("b") "l 777 0:0 0 1 s -> x\n"
								  "h 0 0:0 0 0 t -> s\n",
		  D("a/") F("a/m") "h 644 0:0 0 200 a/z -> a/m\n" F(
			  "b") "l 777 0:0 0 1 s -> x\n"
			       "h 777 0:0 0 1 t -> s\n"
			       "h 644 0:0 0 200 z -> a/m\n" },
		{ "hard links to devices", NULL,
		  "c 666 0:0 0 7 c 1,3\n"
		  "h 0 0:0 0 0 d -> c\n",
		  "c 666 0:0 0 7 c 1,3\n"
		  "h 666 0:0 0 7 d -> c\n" },
		{ "large ids", NULL, "f 644 2097152:4294967294 0 5 f\n",
		  "f 644 2097152:4294967294 0 5 f\n" },
		{ "an empty file", NULL, "f 644 0:0 0 5 f\n", "f 644 0:0 0 5 f\n" },
		{ "nothing", NULL, "", "" },
		{ "long names", NULL, D("d*200") F("d*200/f*255"), D("d*200/") F("d*200/f*255") },
	};

	CHECK_EXAMPLES(examples);
}

TEST(a_directory_may_hold_many_names)
{
	AUTO(fd) int fd = tree_make(tmp_fd, "layer");
	AUTO(buf) struct buf tar = BUF_INIT((size_t)64 * 1024 * 1024);
	const struct diff_opts opts = { .below_fd = -1 };
	const char *at;

	for (int i = 0; i < 5000; i++) {
		AUTO(mem) char *name = xasprintf("a-rather-long-name-of-a-file-%04d", 4999 - i);

		close(openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	}
	assert_ok(diff_tree(fd, &opts, &tar, NULL));
	assert_int_equal(tar.len, 5002 * 512);
	at = tar.at;
	for (int i = 0; i < 5000; i++, at += 512) {
		AUTO(mem) char *name = xasprintf("a-rather-long-name-of-a-file-%04d", i);

		assert_string_equal(at, name);
	}
	assert_ok(file_remove_tree(tmp_fd, "layer"));
}

#define BELOW D("a") D("a/b") F("a/b/f") F("a/c") D("e") F("f") "l 777 0:0 0 1 s -> a\n"

TEST(only_what_differs_from_below_is_told)
{
	static const struct example examples[] = {
		{ "a directory copied up without a change", BELOW, "d 755 0:0 0 777 a\n", "" },
		{ "its mode", BELOW, "d 700 0:0 0 777 a\n", "d 700 0:0 0 777 a/\n" },
		{ "its owner", BELOW, "d 755 0:1 0 777 a\n", "d 755 0:1 0 777 a/\n" },
		{ "its attributes", BELOW, "d 755 0:0 0 777 a user.x=1\n",
		  "d 755 0:0 0 777 a/ user.x=1\n" },
		{ "a new file, with its parents", BELOW,
		  "d 755 0:0 0 777 a\n"
		  "d 755 0:0 0 778 a/b\n" F("a/b/new"),
		  "d 755 0:0 0 777 a/\n"
		  "d 755 0:0 0 778 a/b/\n" F("a/b/new") },
		{ "only the parents that are needed", BELOW,
		  "d 755 0:0 0 777 a\n"
		  "d 755 0:0 0 778 a/b\n" F("a/d") D("e"),
		  "d 755 0:0 0 777 a/\n" F("a/d") },
		{ "a changed directory among others", BELOW,
		  "d 755 0:0 0 777 a\nd 750 0:0 0 778 a/b\n" D("e"),
		  "d 755 0:0 0 777 a/\nd 750 0:0 0 778 a/b/\n" },
		{ "a file over a directory", BELOW, F("a"), F("a") },
		{ "a directory over a file", BELOW, D("f"), D("f/") },
		{ "a directory over a link", BELOW, D("s") F("s/c"), D("s/") F("s/c") },
		{ "a file again", BELOW, F("f"), F("f") },
		{ "a new empty directory", BELOW, D("new"), D("new/") },
	};

	CHECK_EXAMPLES(examples);
}

TEST(a_whiteout_is_told_if_it_hides_something)
{
	static const struct example examples[] = {
		{ "a file", BELOW, W(".wh.f"), W(".wh.f") },
		{ "a directory", BELOW, W(".wh.a"), W(".wh.a") },
		{ "a link", BELOW, W(".wh.s"), W(".wh.s") },
		{ "nothing", BELOW, W(".wh.x") W("e/.wh.x"), "" },
		{ "in a directory that is new", BELOW, D("new") W("new/.wh.x"), D("new/") },
		{ "without anything below", NULL, D("a") W("a/.wh.x") W(".wh.a2"), D("a/") },
		{ "with its parents", BELOW,
		  "d 755 0:0 0 777 a\n"
		  "d 755 0:0 0 778 a/b\n" W("a/b/.wh.f"),
		  "d 755 0:0 0 777 a/\n"
		  "d 755 0:0 0 778 a/b/\n" W("a/b/.wh.f") },
		{ "before all others of its directory", BELOW,
		  D("a") F("a/a") F("a/+") W("a/.wh.c"), D("a/") W("a/.wh.c") F("a/+") F("a/a") },
		{ "through a link below", BELOW, D("s") W("s/.wh.c"), D("s/") },
	};

	CHECK_EXAMPLES(examples);
}

#define OPAQUE(path) W(path "/.wh..wh..opq")

TEST(an_opaque_directory_is_told_as_what_it_hides)
{
	static const struct example examples[] = {
		{ "empty", BELOW, D("a") OPAQUE("a"), D("a/") W("a/.wh.b") W("a/.wh.c") },
		{ "with other content", BELOW, D("a") OPAQUE("a") F("a/x") F("a/c"),
		  D("a/") W("a/.wh.b") F("a/c") F("a/x") },
		{ "with a directory of the same name", BELOW, D("a") OPAQUE("a") D("a/b"),
		  D("a/") W("a/.wh.c") D("a/b/") W("a/b/.wh.f") },
		{ "over an empty directory", BELOW, D("e") OPAQUE("e"), "" },
		{ "over nothing", BELOW, D("new") OPAQUE("new") F("new/x"), D("new/") F("new/x") },
		{ "over a file", BELOW, D("f") OPAQUE("f"), D("f/") },
		{ "hiding links", D("a") "l 777 0:0 0 1 a/s -> gone\n", D("a") OPAQUE("a"),
		  D("a/") W("a/.wh.s") },
	};

	CHECK_EXAMPLES(examples);
}

TEST(a_whiteout_in_an_opaque_directory_hides_like_its_absence)
{
	AUTO(fd) int fd = tree_unpacked(tmp_fd, "layer", D("a") OPAQUE("a") F("a/c")), dir_fd = -1;
	AUTO(fd) int below_fd = tree_unpacked(tmp_fd, "below", D("a") F("a/b") F("a/c"));
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), got = BUF_INIT(BUF_MAX);
	const struct diff_opts opts = { .below_fd = below_fd };

	dir_fd = openat(fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(whiteout_make(dir_fd, "b"));
	assert_ok(whiteout_make(dir_fd, "none"));
	assert_ok(diff_clamp_times(fd, 200));
	assert_ok(diff_tree(fd, &opts, &tar, &got));
	assert_text("both", &got, "d 755 0:0 0 200 a/\n" W("a/.wh.b") F("a/c"));
}

TEST(the_root_is_told_only_if_it_differs)
{
	static const struct example examples[] = {
		{ "nothing below, plain", NULL, "d 755 0:0 0 5 ./\n", "" },
		{ "nothing below, other", NULL, "d 555 0:0 0 5 ./\n" F("f"),
		  "d 555 0:0 0 5 ./\n" F("f") },
		{ "as below", "d 555 1:2 0 5 ./ user.x=1\n", "d 555 1:2 0 6 ./ user.x=1\n" F("f"),
		  F("f") },
		{ "mode", "d 555 1:2 0 5 ./\n", "d 755 1:2 0 6 ./\n", "d 755 1:2 0 6 ./\n" },
		{ "attribute", "d 755 0:0 0 5 ./ user.x=1\n", "d 755 0:0 0 6 ./\n",
		  "d 755 0:0 0 6 ./\n" },
	};

	CHECK_EXAMPLES(examples);
}

TEST(what_overlayfs_keeps_for_itself_is_not_told)
{
	AUTO(fd) int fd = tree_unpacked(tmp_fd, "layer", D("a") F("a/f")), dir_fd = -1;
	AUTO(fd) int below_fd = tree_unpacked(tmp_fd, "below", D("a"));
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), got = BUF_INIT(BUF_MAX);
	const struct diff_opts opts = { .below_fd = below_fd };

	dir_fd = openat(fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fsetxattr(fd, "user.overlay.uuid", "0123", 4, 0), 0);
	assert_int_equal(fsetxattr(fd, "user.overlay.impure", "y", 1, 0), 0);
	assert_int_equal(fsetxattr(dir_fd, "user.overlay.origin", "", 0, 0), 0);
	assert_int_equal(fsetxattr(dir_fd, "trusted.overlay.opaque", "y", 1, 0), 0);
	assert_int_equal(fsetxattr(dir_fd, "trusted.other", "y", 1, 0), 0);
	assert_ok(diff_tree(fd, &opts, &tar, &got));
	assert_text("private attributes", &got, D("a/") F("a/f"));
}

TEST(a_flat_tree_is_told_whole)
{
	AUTO(fd)
	int fd = tree_unpacked(tmp_fd, "layer",
			       "d 755 0:0 0 5 ./\n" D("a") W(".wh.x") OPAQUE("a")
				       F("a/f") "h 0 0:0 0 0 b -> a/f\n");
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), got = BUF_INIT(BUF_MAX);
	const struct diff_opts opts = { .below_fd = fd, .flat = true };

	assert_ok(diff_tree(fd, &opts, &tar, &got));
	assert_text("flat", &got,
		    "d 755 0:0 0 0 ./\nd 755 0:0 0 100 a/ user.overlay.opaque=y\n" F(
			    "a/f") "h 644 0:0 0 200 b -> a/f\n");
}

TEST(what_cannot_be_said_is_refused_and_sockets_are_left_out)
{
	AUTO(fd) int fd = tree_unpacked(tmp_fd, "layer", D("a") F("f")), sock = -1;
	AUTO(fd) int below_fd = tree_unpacked(tmp_fd, "below", D("a"));
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), got = BUF_INIT(BUF_MAX);
	const struct diff_opts opts = { .below_fd = below_fd };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	/* Nor is it a reason to tell of its directory. */
	snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/layer/a/sock", tmp_path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_ok(diff_tree(fd, &opts, &tar, &got));
	assert_text("a socket", &got, F("f"));

	close(openat(fd, ".wh.f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	assert_fails(diff_tree(fd, &opts, &tar, NULL), ERR_INVALID);
}

/* ---- content ---- */

/* A sink that counts, and calls `at_write` before each write. */
struct probe {
	uint64_t bytes;
	void (*at_write)(struct probe *probe);
	int fd;
	bool fail;
};

static struct err *probe_write(void *self, const void *data, size_t len)
{
	struct probe *probe = self;

	(void)data;
	if (probe->fail && probe->bytes > 100000)
		return err_new(ERR_NETWORK, "the probe fails");
	if (probe->at_write)
		probe->at_write(probe);
	probe->bytes += len;
	return NULL;
}

static void probe_free(void *self)
{
	(void)self;
}

static const struct sink_ops probe_ops = { probe_write, NULL, probe_free };

TEST(files_with_holes_are_written_in_full)
{
	AUTO(fd) int fd = tree_make(tmp_fd, "layer"), file_fd = -1;
	const struct diff_opts opts = { .below_fd = -1 };
	const uint64_t size = (UINT64_C(9) << 30) + 7; /* above what octal can say */
	struct probe probe = { 0 };
	AUTO(sink) struct sink *out = sink_new(&probe_ops, &probe);
	struct diff_result result;

	file_fd = openat(fd, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(file_fd, (off_t)size), 0);
	assert_int_equal(pwrite(file_fd, "x", 1, 5000000), 1);
	assert_int_equal(pwrite(file_fd, "y", 1, (off_t)size - 1), 1);
	assert_ok(diff_write(fd, &opts, out, &result));
	assert_ok(sink_finish(out));
	assert_int_equal(result.bytes, size);
	/* A pax header and its content, a header, the content, the end. */
	assert_int_equal(probe.bytes, (size + 511) / 512 * 512 + UINT64_C(5) * 512);
}

TEST(holes_are_zeros_wherever_they_are)
{
	static const struct {
		off_t size, data[3];
	} cases[] = {
		{ 3000000, { 0, 1500000, 2999999 } },       { 3000000, { 1, 1, 1 } },
		{ 3000000, { 2000000, 2000000, 2000000 } }, { 1048576, { 4096, 65536, 524288 } },
		{ 1048577, { 1048576, 1048576, 1048576 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fd) int fd = tree_make(tmp_fd, "layer"), file_fd = -1;
		AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
		AUTO(mem) char *want = xcalloc(1, (size_t)cases[i].size);
		const struct diff_opts opts = { .below_fd = -1 };

		file_fd = openat(fd, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		assert_int_equal(ftruncate(file_fd, cases[i].size), 0);
		for (size_t j = 0; j < 3; j++) {
			want[cases[i].data[j]] = 'x';
			assert_int_equal(pwrite(file_fd, "x", 1, cases[i].data[j]), 1);
		}
		assert_ok(diff_tree(fd, &opts, &tar, NULL));
		assert_memory_equal(tar.at + 512, want, (size_t)cases[i].size);
	}
}

static void grow(struct probe *probe)
{
	assert_int_equal(write(probe->fd, "more", 4), 4);
}

static void shrink(struct probe *probe)
{
	assert_int_equal(ftruncate(probe->fd, 1), 0);
}

TEST(a_file_that_changes_while_it_is_read_is_an_error)
{
	void (*const changes[])(struct probe *) = { grow, shrink };

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		AUTO(mem) char *content = xcalloc(1, 600000);
		AUTO(fd) int fd = tree_make(tmp_fd, "layer"), file_fd = -1;
		const struct diff_opts opts = { .below_fd = -1 };
		struct probe probe = { .at_write = changes[i] };
		AUTO(sink) struct sink *out = sink_new(&probe_ops, &probe);
		struct diff_result result;

		file_fd = openat(fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		assert_int_equal(write(file_fd, content, 600000), 600000);
		probe.fd = file_fd;
		assert_fails(diff_write(fd, &opts, out, &result), ERR_INVALID);
	}
}

TEST(what_fails_in_the_sink_is_told_by_the_sink)
{
	AUTO(fd) int fd = tree_unpacked(tmp_fd, "layer", F("a") F("b")), file_fd = -1;
	const struct diff_opts opts = { .below_fd = -1 };
	struct probe probe = { .fail = true };
	AUTO(sink) struct sink *out = sink_new(&probe_ops, &probe);
	struct diff_result result;

	file_fd = openat(fd, "c", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(file_fd, 3000000), 0);
	assert_ok(diff_write(fd, &opts, out, &result));
	assert_fails(sink_finish(out), ERR_NETWORK);
}

/* ---- what the caller is told ---- */

static void note(void *arg, const struct tar_entry *entry, const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];

	buf_addf(arg, "%s %s\n", entry->path, digest ? digest_format(digest, text) : "-");
}

TEST(each_entry_is_told_with_the_digest_of_its_content)
{
	AUTO(fd)
	int fd = tree_unpacked(tmp_fd, "layer",
			       D("a") "f 644 0:0 3 1 a/abc abc\nf 644 0:0 0 1 empty\n"
				      "h 0 0:0 0 0 hard -> a/abc\n"
				      "l 777 0:0 0 1 soft -> x\n");
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), got = BUF_INIT(BUF_MAX);
	const struct diff_opts opts = { .below_fd = -1, .each = note, .arg = &got };

	assert_ok(diff_tree(fd, &opts, &tar, NULL));
	/* FIPS 180-4 examples: "abc" and the empty message. */
	assert_text("digests", &got,
		    "a/ -\n"
		    "a/abc sha256:"
		    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
		    "empty sha256:"
		    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
		    "hard -\n"
		    "soft -\n");
}

TEST(the_bytes_depend_on_the_tree_alone)
{
	/* The same tree, made in two orders, once unpacked from its own tar. */
	const char *lines[] = { D("a") F("a/1") F("a/2") F("b") "h 0 0:0 0 0 c -> b\n",
				F("b") "h 0 0:0 0 0 c -> b\n" F("a/2") F("a/1") D("a") };
	AUTO(buf) struct buf first = BUF_INIT(BUF_MAX);
	const struct diff_opts opts = { .below_fd = -1 };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		AUTO(fd) int fd = tree_unpacked(tmp_fd, "layer", lines[i]), again_fd = -1;
		AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), again = BUF_INIT(BUF_MAX);
		AUTO(source) struct source *src = NULL;
		const struct unpack_opts unpack_opts = { .below_fd = -1 };
		struct unpack_result result;

		assert_ok(diff_tree(fd, &opts, &tar, NULL));
		if (i == 0)
			buf_add_str(&first, buf_str(&tar));
		assert_true(str_equal(buf_str(&tar), buf_str(&first)));
		src = source_from_memory(tar.at, tar.len);
		again_fd = tree_make(tmp_fd, "again");
		assert_ok(unpack(src, again_fd, &unpack_opts, &result));
		assert_false(result.dependent);
		assert_ok(diff_tree(again_fd, &opts, &again, NULL));
		assert_true(str_equal(buf_str(&again), buf_str(&first)));
	}
}

/* ---- times ---- */

TEST(later_times_are_clamped_and_earlier_ones_kept)
{
	AUTO(fd)
	int fd = tree_unpacked(tmp_fd, "layer",
			       "d 755 0:0 0 2000 ./\nd 755 0:0 0 2000 a\n"
			       "f 644 0:0 1 3000 a/late x\n"
			       "f 644 0:0 1 500 a/early x\n"
			       "l 777 0:0 0 9999 a/link -> late\n"
			       "p 600 0:0 0 1001 p\n"
			       "f 644 0:0 0 0 a/.wh.gone\n"
			       "d 755 0:0 0 10 old\n");
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
	const struct timespec half[2] = { { .tv_nsec = UTIME_OMIT },
					  { .tv_sec = 1000, .tv_nsec = 1 } };
	struct stat st;

	assert_int_equal(utimensat(fd, "p", half, 0), 0);
	assert_ok(diff_clamp_times(fd, 1000));
	tree_text(&got, fd, true);
	assert_text("clamped", &got,
		    "d 755 0:0 0 1000 .\nd 755 0:0 0 1000 a\n"
		    "f 644 0:0 1 500 a/early x\n"
		    "w a/gone\n"
		    "f 644 0:0 1 1000 a/late x\n"
		    "l 777 0:0 0 1000 a/link -> late\n"
		    "d 755 0:0 0 10 old\n"
		    "p 600 0:0 0 1000 p\n");
	assert_int_equal(fstatat(fd, "p", &st, 0), 0);
	assert_int_equal(st.st_mtim.tv_nsec, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_in_byte_order_with_all_that_belongs_to_them),
		cmocka_unit_test(a_directory_may_hold_many_names),
		cmocka_unit_test(only_what_differs_from_below_is_told),
		cmocka_unit_test(a_whiteout_is_told_if_it_hides_something),
		cmocka_unit_test(an_opaque_directory_is_told_as_what_it_hides),
		cmocka_unit_test(a_whiteout_in_an_opaque_directory_hides_like_its_absence),
		cmocka_unit_test(the_root_is_told_only_if_it_differs),
		cmocka_unit_test(what_overlayfs_keeps_for_itself_is_not_told),
		cmocka_unit_test(a_flat_tree_is_told_whole),
		cmocka_unit_test(what_cannot_be_said_is_refused_and_sockets_are_left_out),
		cmocka_unit_test(files_with_holes_are_written_in_full),
		cmocka_unit_test(holes_are_zeros_wherever_they_are),
		cmocka_unit_test(a_file_that_changes_while_it_is_read_is_an_error),
		cmocka_unit_test(what_fails_in_the_sink_is_told_by_the_sink),
		cmocka_unit_test(each_entry_is_told_with_the_digest_of_its_content),
		cmocka_unit_test(the_bytes_depend_on_the_tree_alone),
		cmocka_unit_test(later_times_are_clamped_and_earlier_ones_kept),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
