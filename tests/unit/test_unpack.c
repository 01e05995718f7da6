/* tests/unit/test_unpack.c - a tar becomes a directory, whatever the tar says. */

#include "tests/unit/tree.h"

#include <errno.h>

#include "overlay/kernel-private.h"
#include "overlay/place.h"
#include "overlay/unpack.h"
#include "overlay/whiteout.h"
#include "tests/unit/tmp.h"

/* ---- helpers ---- */

/* Unpack the archive `tar` into the fresh directory "fs", open as *ret_fd. */
static struct err *unpack_tar(struct str tar, int below_fd, struct unpack_result *ret, int *ret_fd)
{
	const struct unpack_opts opts = { .below_fd = below_fd };
	AUTO(source) struct source *src = source_from_memory(tar.at, tar.len);

	*ret_fd = tree_make(tmp_fd, "fs");
	return unpack(src, *ret_fd, &opts, ret);
}

static struct err *unpack_lines(const char *lines, int below_fd, struct unpack_result *ret,
				int *ret_fd)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);

	tree_archive(&tar, lines);
	return unpack_tar(buf_str(&tar), below_fd, ret, ret_fd);
}

/* A layer in lines, and the directory that it becomes. */
struct example {
	const char *what, *lines, *want;
};

static void check_examples(const struct example *examples, size_t count, bool dependent)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
		AUTO(fd) int fd = -1;
		struct unpack_result result;

		assert_ok(err_wrap(unpack_lines(examples[i].lines, -1, &result, &fd), "%s",
				   examples[i].what));
		tree_text(&got, fd, false);
		assert_text(examples[i].what, &got, examples[i].want);
		if (result.dependent != dependent)
			fail_msg("%s: dependent is %d", examples[i].what, result.dependent);
	}
}

#define CHECK_EXAMPLES(examples) check_examples((examples), ARRAY_SIZE(examples), false)
#define CHECK_DEPENDENT(examples) check_examples((examples), ARRAY_SIZE(examples), true)

#define OPAQUE(path) "d 755 0:0 0 100 " path " user.overlay.opaque=y\n"

/* ---- plain entries ---- */

TEST(a_layer_may_become_so_much_larger_and_no_more)
{
	static const uint64_t gib = UINT64_C(1) << 30;
	static const struct {
		uint64_t packed, bytes;
	} cases[] = { { 0, 4 * gib },
		      { 1000, 4 * gib },
		      { gib / 8, 25 * gib },
		      { gib, 100 * gib },
		      { UINT64_MAX, 100 * gib } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(unpack_limits(cases[i].packed).bytes, cases[i].bytes);
}

TEST(every_kind_of_entry_arrives_with_all_that_belongs_to_it)
{
	static const struct example examples[] = {
		{ "modes, owners, times",
		  "d 1777 0:0 0 5 tmp/\n"
		  "f 4755 0:0 3 1700000000 tmp/su abc\n"
		  "f 2755 0:12 0 1 tmp/sg\n"
		  "f 0 65534:65534 0 0 tmp/none\n"
		  "f 7777 1:2 0 4294967296 tmp/z\n",
		  "d 1777 0:0 0 5 tmp\n"
		  "f 0 65534:65534 0 0 tmp/none\n"
		  "f 2755 0:12 0 1 tmp/sg\n"
		  "f 4755 0:0 3 1700000000 tmp/su abc\n"
		  "f 7777 1:2 0 4294967296 tmp/z\n" },
		{ "ids that octal cannot hold, times before 1970",
		  "f 644 2097152:4294967294 0 -86400 big\n",
		  "f 644 2097152:4294967294 0 -86400 big\n" },
		{ "links, devices, fifos",
		  D("dev") "c 666 0:5 0 7 dev/null 1,3\n"
			   "b 660 0:6 0 7 dev/sda 259,1048575\n"
			   "p 620 3:4 0 7 dev/pipe\n"
			   "l 777 5:6 0 7 dev/out -> /proc/self/fd/1\n"
			   "f 644 0:0 1 7 dev/z x\n"
			   "h 644 0:0 0 7 dev/a -> dev/z\n",
		  "d 755 0:0 0 100 dev\n"
		  "f 644 0:0 1 7 dev/a x\n"
		  "c 666 0:5 0 7 dev/null 1,3\n"
		  "l 777 5:6 0 7 dev/out -> /proc/self/fd/1\n"
		  "p 620 3:4 0 7 dev/pipe\n"
		  "b 660 0:6 0 7 dev/sda 259,1048575\n"
		  "h 644 0:0 0 7 dev/z -> dev/a\n" },
		{ "attributes, and only those of an image",
		  "d 755 0:0 0 9 d user.dir=1\n"
		  "f 755 1:1 1 9 d/f x security.capability=\\x01\\x00*2\\x02\\x00\\x04\\x00*14 "
		  "security.selinux=s trusted.t=1 user.empty= user.nul=a\\x00b\\x0a\n",
		  "d 755 0:0 0 9 d user.dir=1\n"
		  "f 755 1:1 1 9 d/f x security.capability=\\x01\\x00\\x00\\x02\\x00\\x04\\x00*14 "
		  "user.empty= user.nul=a\\x00b\\x0a\n" },
		{ "set-id bits and capabilities outlive the change of owner",
		  "f 6755 7:8 1 9 f x security.capability=\\x01\\x00*2\\x02\\x00\\x04\\x00*14\n",
		  "f 6755 7:8 1 9 f x "
		  "security.capability=\\x01\\x00\\x00\\x02\\x00\\x04\\x00*14\n" },
		{ "attributes of overlayfs are escaped",
		  "d 755 0:0 0 9 d user.overlay.opaque=y user.overlay.redirect=/etc\n"
		  "f 644 0:0 1 9 d/f x user.overlay.metacopy= user.overlay.overlay.x=1\n",
		  "d 755 0:0 0 9 d user.overlay.overlay.opaque=y "
		  "user.overlay.overlay.redirect=/etc\n"
		  "f 644 0:0 1 9 d/f x user.overlay.overlay.metacopy= "
		  "user.overlay.overlay.overlay.x=1\n" },
		{ "odd names",
		  "f 644 0:0 1 9 a\\x0ab x\n"
		  "f 644 0:0 1 9 \\xff\\xfe x\n"
		  "f 644 0:0 1 9 \\x20\\x20 x\n"
		  "f 644 0:0 1 9 ... x\n"
		  "f 644 0:0 1 9 a*255 x\n"
		  "f 644 0:0 1 9 A x\n",
		  "f 644 0:0 1 9 \\x20\\x20 x\n"
		  "f 644 0:0 1 9 ... x\n"
		  "f 644 0:0 1 9 A x\n"
		  "f 644 0:0 1 9 a\\x0ab x\n"
		  "f 644 0:0 1 9 a*255 x\n"
		  "f 644 0:0 1 9 \\xff\\xfe x\n" },
		{ "paths that are not clean", D("./") D("./a/") D("a//b/./") F("/a/b/c") F(".//d"),
		  "d 755 0:0 0 100 a\n"
		  "d 755 0:0 0 100 a/b\n"
		  "f 644 0:0 1 200 a/b/c x\n"
		  "f 644 0:0 1 200 d x\n" },
	};

	CHECK_EXAMPLES(examples);
}

TEST(directories_have_their_times_although_they_were_filled_later)
{
	static const struct example examples[] = {
		{ "filled in order", D("a") D("a/b") F("a/b/c") F("a/d") F("e"),
		  D("a") D("a/b") F("a/b/c") F("a/d") F("e") },
		{ "filled again after others", D("a") D("b") D("a/c") F("b/x") F("a/c/x") F("a/y"),
		  D("a") D("a/c") F("a/c/x") F("a/y") D("b") F("b/x") },
		{ "told after what they hold", "d 755 0:0 0 7 a\n" F("a/x") F("b") D("a"),
		  D("a") F("a/x") F("b") },
		{ "with something removed from them",
		  D("a") F("a/x") D("b") "l 777 0:0 0 5 a/x -> y\n",
		  D("a") "l 777 0:0 0 5 a/x -> y\n" D("b") },
		{ "with a whiteout in them", D("a") F("a/x") D("b") W("a/.wh.y"),
		  D("a") F("a/x") "w a/y\n" D("b") },
		{ "with a link made to a later file", "h 644 0:0 0 0 b -> a\n" F("a"),
		  F("a") "h 644 0:0 0 200 b -> a\n" },
		{ "with a link made to something in another",
		  D("a") F("a/x") D("b") "h 644 0:0 0 0 b/y -> a/x\n",
		  D("a") F("a/x") D("b") "h 644 0:0 0 200 b/y -> a/x\n" },
	};

	CHECK_EXAMPLES(examples);
}

TEST(what_a_directory_would_pass_on_is_not_passed_on)
{
	/* A default ACL u::rwx,u:7:rwx,g::rwx,m::rwx,o::rwx in the kernel's coding. */
#define ACL                                                                                                \
	"system.posix_acl_default=\\x02\\x00*3\\x01\\x00\\x07\\x00\\xff*4\\x02\\x00\\x07\\x00\\x07\\x00*3" \
	"\\x04\\x00\\x07\\x00\\xff*4\\x10\\x00\\x07\\x00\\xff*4\\x20\\x00\\x07\\x00\\xff*4"
#define ACL_OUT                                                                                             \
	"system.posix_acl_default=\\x02\\x00\\x00\\x00\\x01\\x00\\x07\\x00\\xff*4\\x02\\x00\\x07\\x00\\x07" \
	"\\x00\\x00\\x00\\x04\\x00\\x07\\x00\\xff*4\\x10\\x00\\x07\\x00\\xff*4\\x20\\x00\\x07\\x00\\xff*4"
	static const struct example examples[] = {
		{ "set-gid bit and group",
		  "d 2775 0:50 0 100 a\n" F("a/f") D("a/d") "p 600 0:0 0 1 a/p\n"
							    "l 777 0:0 0 1 a/l -> x\n",
		  "d 2775 0:50 0 100 a\n" D("a/d") F("a/f") "l 777 0:0 0 1 a/l -> x\n"
							    "p 600 0:0 0 1 a/p\n" },
		{ "after coming back", "d 2775 0:50 0 100 a\n" D("b") F("a/f") D("a/d"),
		  "d 2775 0:50 0 100 a\n" D("a/d") F("a/f") D("b") },
		{ "a default ACL", "d 755 0:0 0 100 a " ACL "\n" F("a/f") D("a/d"),
		  "d 755 0:0 0 100 a " ACL_OUT "\n" D("a/d") F("a/f") },
		{ "a default ACL after coming back",
		  "d 755 0:0 0 100 a " ACL "\n" D("b") F("a/f") D("a/d"),
		  "d 755 0:0 0 100 a " ACL_OUT "\n" D("a/d") F("a/f") D("b") },
	};

	CHECK_EXAMPLES(examples);
}

TEST(the_umask_changes_nothing)
{
	const mode_t masks[] = { 0, 022, 077, 0777 };
	const char *lines = D("a") "d 777 0:0 0 1 a/d\nf 666 0:0 0 1 a/f\np 666 0:0 0 1 a/p\n";

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
		AUTO(fd) int fd = -1;
		struct unpack_result result;
		mode_t before = umask(masks[i]);
		struct err *err = unpack_lines(lines, -1, &result, &fd);

		umask(before);
		assert_ok(err);
		tree_text(&got, fd, false);
		assert_text("umask", &got, lines);
	}
}

TEST(the_root_is_an_entry_like_others)
{
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
	AUTO(fd) int fd = -1, none_fd = -1;
	struct unpack_result result;

	assert_ok(unpack_lines("d 700 3:4 0 5 ./ user.x=1\n" F("a"), -1, &result, &fd));
	assert_true(result.has_root);
	assert_int_equal(result.entries, 2);
	assert_int_equal(result.bytes, 1);
	tree_text(&got, fd, true);
	assert_text("with a root", &got, "d 700 3:4 0 5 . user.x=1\n" F("a"));

	buf_reset(&got);
	assert_ok(unpack_lines(F("a"), -1, &result, &none_fd));
	assert_false(result.has_root);
	tree_text(&got, none_fd, true);
	assert_text("without a root", &got, "d 755 0:0 0 0 .\n" F("a"));
}

/* ---- one name twice ---- */

TEST(the_last_of_two_entries_wins_and_directories_merge)
{
	static const struct {
		const char *letter, *line, *seen;
	} kinds[] = {
		{ "file", "f 600 0:0 3 3 a new\n", "f 600 0:0 3 3 a new\n" },
		{ "link", "h 600 0:0 0 3 a -> z\n", NULL },
		{ "symlink", "l 777 0:0 0 3 a -> new\n", "l 777 0:0 0 3 a -> new\n" },
		{ "device", "c 600 0:0 0 3 a 1,5\n", "c 600 0:0 0 3 a 1,5\n" },
		{ "fifo", "p 600 0:0 0 3 a\n", "p 600 0:0 0 3 a\n" },
		{ "dir", "d 700 0:0 0 3 a\n", "d 700 0:0 0 3 a\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (size_t j = 0; j < ARRAY_SIZE(kinds); j++) {
			AUTO(mem)
			char *what = xasprintf("%s over %s", kinds[j].letter, kinds[i].letter);
			AUTO(mem)
			char *lines =
				xasprintf("%s%s%s%s", F("z"), kinds[i].line,
					  strcmp(kinds[i].letter, "dir") == 0 ? F("a/in") : "",
					  kinds[j].line);
			bool merged = i == j && strcmp(kinds[i].letter, "dir") == 0;
			AUTO(mem)
			char *want = xasprintf(
				"%s%s%s", kinds[j].seen ? kinds[j].seen : "f 644 0:0 1 200 a x\n",
				merged ? F("a/in") : "",
				kinds[j].seen ? F("z") : "h 644 0:0 0 200 z -> a\n");
			AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
			AUTO(fd) int fd = -1;
			struct unpack_result result;

			assert_ok(err_wrap(unpack_lines(lines, -1, &result, &fd), "%s", what));
			tree_text(&got, fd, false);
			assert_text(what, &got, want);
		}
}

TEST(hard_links_meet_what_is_there)
{
	static const struct example examples[] = {
		{ "itself", F("a") "h 0 0:0 0 0 a -> a\n", F("a") },
		{ "itself, by another path", D("d") F("d/a") "h 0 0:0 0 0 d/a -> ./d//a\n",
		  D("d") F("d/a") },
		{ "another name of its target", F("a") "h 0 0:0 0 0 b -> a\nh 0 0:0 0 0 b -> a\n",
		  F("a") "h 644 0:0 0 200 b -> a\n" },
		{ "a file, before the target comes",
		  "f 600 0:0 3 3 a old\n"
		  "h 0 0:0 0 0 a -> z\n" F("z"),
		  F("a") "h 644 0:0 0 200 z -> a\n" },
		{ "a file that comes after, before the target comes",
		  "h 0 0:0 0 0 a -> z\n"
		  "f 600 0:0 3 3 a new\n" F("z"),
		  "f 600 0:0 3 3 a new\n" F("z") },
		{ "through a link of the layer",
		  D("usr") F("usr/f") "l 777 0:0 0 1 lib -> usr\n" D(
			  "d") "h 0 0:0 0 0 d/a -> lib/f\n",
		  D("d") F("d/a") "l 777 0:0 0 1 lib -> usr\n" D(
			  "usr") "h 644 0:0 0 200 usr/f -> d/a\n" },
	};

	CHECK_EXAMPLES(examples);
}

TEST(a_directory_over_a_directory_takes_the_new_attributes)
{
	static const struct example examples[] = {
		{ "attributes go and come",
		  "d 2700 1:2 0 3 a user.old=1 user.both=1\n" F(
			  "a/x") "d 755 0:0 0 100 a user.both=2 user.new=1\n" F("a/y"),
		  "d 755 0:0 0 100 a user.both=2 user.new=1\n" F("a/x") F("a/y") },
	};

	CHECK_EXAMPLES(examples);
}

/* ---- whiteouts ---- */

TEST(whiteouts_hide_what_lies_below_and_nothing_of_their_layer)
{
	static const struct example examples[] = {
		{ "alone", D("a") W("a/.wh.b"), D("a") "w a/b\n" },
		{ "at the root", W(".wh.b"), "w b\n" },
		{ "twice", W(".wh.b") W(".wh.b"), "w b\n" },
		{ "before a file", D("a") W("a/.wh.b") F("a/b"), D("a") F("a/b") },
		{ "after a file", D("a") F("a/b") W("a/.wh.b"), D("a") F("a/b") },
		{ "before a symlink", W(".wh.b") "l 777 0:0 0 1 b -> c\n",
		  "l 777 0:0 0 1 b -> c\n" },
		{ "before a directory", W(".wh.b") D("b") F("b/c"), OPAQUE("b") F("b/c") },
		{ "after a directory", D("b") F("b/c") W(".wh.b"), OPAQUE("b") F("b/c") },
		{ "below another", W(".wh.b") W("b/.wh.c"), "w b\n" },
		{ "above another", W("b/.wh.c") W(".wh.b"), "w b\n" },
		{ "of any type",
		  D("a") "d 755 0:0 0 1 a/.wh.b/\n"
			 "l 777 0:0 0 1 a/.wh.c -> /\n",
		  D("a") "w a/b\nw a/c\n" },
		{ "through a link of the layer",
		  D("usr") D("usr/lib") "l 777 0:0 0 1 lib -> usr/lib\n" W("lib/.wh.x"),
		  "l 777 0:0 0 1 lib -> usr/lib\n" D("usr") D("usr/lib") "w usr/lib/x\n" },
		{ "below a file", F("a") W("a/.wh.b"), F("a") },
	};

	CHECK_EXAMPLES(examples);
}

TEST(opaque_marks_act_in_any_order)
{
	static const struct example examples[] = {
		{ "before the content", D("a") W("a/.wh..wh..opq") F("a/b"), OPAQUE("a") F("a/b") },
		{ "after the content", D("a") F("a/b") W("a/.wh..wh..opq"), OPAQUE("a") F("a/b") },
		{ "before the directory", W("a/.wh..wh..opq") D("a") F("a/b"),
		  OPAQUE("a") F("a/b") },
		{ "with whiteouts", D("a") W("a/.wh.x") W("a/.wh..wh..opq") F("a/b"),
		  OPAQUE("a") F("a/b") },
		{ "with whiteouts further down",
		  D("a") D("a/d") W("a/d/.wh.x") W("a/.wh..wh..opq") D("ab") W("ab/.wh.x"),
		  OPAQUE("a") D("a/d") D("ab") "w ab/x\n" },
		{ "in a file", F("a") W("a/.wh..wh..opq"), F("a") },
		{ "under a whiteout", W(".wh.a") W("a/.wh..wh..opq"), "w a\n" },
	};

	CHECK_EXAMPLES(examples);
}

TEST(in_a_plain_tar_no_name_is_a_whiteout)
{
	static const char *const lines = D(".wh.d") F(".wh.d/.wh..wh..opq") F(".wh.x");
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
	AUTO(source) struct source *src = NULL;
	struct unpack_opts opts = { .below_fd = -1, .plain = true };
	struct unpack_result result;
	AUTO(fd) int fd = tree_make(tmp_fd, "fs");

	tree_archive(&tar, lines);
	src = source_from_memory(tar.at, tar.len);
	assert_ok(unpack(src, fd, &opts, &result));
	tree_text(&got, fd, false);
	assert_text("plain", &got, lines);
	assert_false(result.dependent);
}

/* ---- parents ---- */

TEST(a_parent_that_is_a_link_is_followed_inside_the_layer)
{
	static const struct example examples[] = {
		{ "relative",
		  D("usr") D("usr/lib") "l 777 0:0 0 1 lib -> usr/lib\n" F("lib/x") F("lib/y"),
		  "l 777 0:0 0 1 lib -> usr/lib\n" D("usr") D("usr/lib") F("usr/lib/x")
			  F("usr/lib/y") },
		{ "absolute",
		  D("usr") D("usr/lib") D("a") "l 777 0:0 0 1 a/lib -> /usr/lib\n" F("a/lib/x"),
		  D("a") "l 777 0:0 0 1 a/lib -> /usr/lib\n" D("usr") D("usr/lib") F("usr/lib/x") },
		{ "upwards, but never out",
		  D("a") "l 777 0:0 0 1 a/up -> ../../../../b\n" D("b") F("a/up/x"),
		  D("a") "l 777 0:0 0 1 a/up -> ../../../../b\n" D("b") F("b/x") },
		{ "and found again after another",
		  D("usr") D("usr/lib") "l 777 0:0 0 1 lib -> usr/lib\n" F("lib/x") F("usr/z")
			  F("lib/y"),
		  "l 777 0:0 0 1 lib -> usr/lib\n" D("usr") D("usr/lib") F("usr/lib/x")
			  F("usr/lib/y") F("usr/z") },
		{ "to the root", D("a") "l 777 0:0 0 1 a/root -> /\n" F("a/root/x"),
		  D("a") "l 777 0:0 0 1 a/root -> /\n" F("x") },
		{ "links on links",
		  D("a") D("a/b") "l 777 0:0 0 1 p -> q\n"
				  "l 777 0:0 0 1 q -> a/../a/b\n" D("p/c") F("p/c/x"),
		  D("a") D("a/b") D("a/b/c") F("a/b/c/x") "l 777 0:0 0 1 p -> q\n"
							  "l 777 0:0 0 1 q -> a/../a/b\n" },
		{ "the last component is not followed",
		  D("b") "l 777 0:0 0 1 a -> b\n" D("a") F("a/x"), D("a") F("a/x") D("b") },
	};

	CHECK_EXAMPLES(examples);
}

TEST(a_parent_that_the_layer_does_not_bring_makes_it_dependent)
{
	static const struct example examples[] = {
		{ "of a file", F("a/b/c"), "d 755 0:0 0 200 a\nd 755 0:0 0 200 a/b\n" F("a/b/c") },
		{ "of a whiteout", W("a/.wh.b"), "d 755 0:0 0 0 a\nw a/b\n" },
		{ "of an opaque mark", W("a/.wh..wh..opq"),
		  "d 755 0:0 0 0 a user.overlay.opaque=y\n" },
		{ "of a root that is opaque", D("a") W(".wh..wh..opq"), D("a") },
		{ "a hard link to a file below", D("a") "h 644 0:0 0 0 a/b -> etc/passwd\n",
		  D("a") },
		{ "of a directory that is not named", D("b/c") W(".wh.b"),
		  "d 755 0:0 0 100 b user.overlay.opaque=y\n" D("b/c") },
		{ "nothing there yet", "l 777 0:0 0 1 lib -> usr/lib\n" F("lib/x"),
		  "l 777 0:0 0 1 lib -> usr/lib\n"
		  "d 755 0:0 0 200 usr\n"
		  "d 755 0:0 0 200 usr/lib\n" F("usr/lib/x") },
	};

	CHECK_DEPENDENT(examples);
}

TEST(what_the_layer_does_not_bring_comes_from_below)
{
	static const struct example examples[] = {
		{ "a parent", F("a/b/c") F("new/x"),
		  "d 710 1:2 0 3 a user.a=1\nd 2755 3:4 0 5 a/b\n" F(
			  "a/b/c") "d 755 0:0 0 200 new\n" F("new/x") },
		{ "a parent that is a link below", F("lib/x"),
		  "d 755 0:0 0 100 usr\nd 755 0:0 0 100 usr/lib\n" F("usr/lib/x") },
		{ "the target of a hard link", D("z") "h 644 0:0 0 0 z/y -> a/b/file\n",
		  "d 710 1:2 0 3 a user.a=1\nd 2755 3:4 0 5 a/b\n"
		  "f 4711 5:6 4 7 a/b/file text user.f=1\n" D(
			  "z") "h 4711 5:6 0 7 z/y -> a/b/file\n" +
			  0 },
		{ "whiteouts of what is there", W("a/.wh.b") W("none/.wh.x") W("lib/.wh.y"),
		  "d 710 1:2 0 3 a user.a=1\nw a/b\n"
		  "d 755 0:0 0 100 usr\nd 755 0:0 0 100 usr/lib\nw usr/lib/y\n" },
		{ "a root that is opaque", D("a") W("a/.wh.q") W(".wh..wh..opq") F("x"),
		  OPAQUE("a") "w lib\nw usr\n" F("x") },
	};
	AUTO(fd) int below_fd = -1, fd = -1;
	struct unpack_result result;

	assert_ok(unpack_lines("d 710 1:2 0 3 a user.a=1\nd 2755 3:4 0 5 a/b\n"
			       "f 4711 5:6 4 7 a/b/file text user.f=1\n"
			       "l 777 0:0 0 1 lib -> usr/lib\n" D("usr") D("usr/lib"),
			       -1, &result, &fd));
	assert_int_equal(renameat2(tmp_fd, "fs", tmp_fd, "below", 0), 0);
	below_fd = openat(tmp_fd, "below", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
		AUTO(fd) int layer_fd = -1;

		assert_ok(err_wrap(unpack_lines(examples[i].lines, below_fd, &result, &layer_fd),
				   "%s", examples[i].what));
		tree_text(&got, layer_fd, false);
		assert_text(examples[i].what, &got, examples[i].want);
		assert_true(result.dependent);
	}
	assert_ok(file_remove_tree(tmp_fd, "below"));
}

/* ---- hostile input ---- */

/* What must be refused, and the canary outside that none of it may touch. */
TEST(hostile_entries_are_refused_and_nothing_outside_is_touched)
{
	static const struct {
		const char *what, *lines;
		enum err_kind kind;
	} cases[] = {
		{ "upwards", F("../canary/new"), ERR_INVALID },
		{ "upwards in the middle", D("a") F("a/../../canary/new"), ERR_INVALID },
		{ "upwards alone", D(".."), ERR_INVALID },
		{ "a hard link upwards", "h 644 0:0 0 0 a -> ../canary/file\n", ERR_INVALID },
		{ "a hard link to the root", "h 644 0:0 0 0 a -> ./\n", ERR_INVALID },
		{ "a hard link to a directory", D("d") "h 644 0:0 0 0 a -> d\n", ERR_INVALID },
		{ "the root as a file", F("."), ERR_INVALID },
		{ "the root as a symlink", "l 777 0:0 0 1 ./ -> ../canary\n", ERR_INVALID },
		{ "the root as a hard link", "h 777 0:0 0 1 . -> a\n", ERR_INVALID },
		{ "a file as parent", F("a") F("a/b"), ERR_INVALID },
		{ "a device as parent", "c 600 0:0 0 1 a 1,3\n" F("a/b"), ERR_INVALID },
		{ "a link to a file as parent", F("a") "l 777 0:0 0 1 b -> a\n" F("b/c"),
		  ERR_INVALID },
		{ "a loop as parent", "l 777 0:0 0 1 a -> b\nl 777 0:0 0 1 b -> a\n" F("a/c"),
		  ERR_INVALID },
		{ "a whiteout by its device", "c 0 0:0 0 0 a 0,0\n", ERR_INVALID },
		{ "a device number that is cut to a whiteout's", "c 0 0:0 0 0 a 4096,0\n",
		  ERR_CORRUPT },
		{ "a minor that is cut", "c 0 0:0 0 0 a 1,1048576\n", ERR_CORRUPT },
		{ "a whiteout of nothing", W(".wh."), ERR_INVALID },
		{ "a whiteout of the directory", D("a") W("a/.wh.."), ERR_INVALID },
		{ "a whiteout of its parent", D("a") W("a/.wh..."), ERR_INVALID },
		{ "a whiteout as parent", F("a/.wh.b/c"), ERR_INVALID },
		{ "an opaque mark as parent", F("a/.wh..wh..opq/c"), ERR_INVALID },
		{ "a whiteout as parent, through a link",
		  "l 777 0:0 0 1 l -> .wh..wh..opq/a\n" F("l/b"), ERR_INVALID },
		{ "a whiteout from another age", D(".wh..wh.plnk"), ERR_INVALID },
		{ "a name too long", F("a*256"), ERR_INVALID },
		{ "a parent's name too long", F("a*256/b"), ERR_INVALID },
		{ "a path too long", F("a/b*4096"), ERR_INVALID },
	};
	AUTO(buf) struct buf before = BUF_INIT(BUF_MAX), after = BUF_INIT(BUF_MAX);
	AUTO(fd) int canary_fd = tree_make(tmp_fd, "canary");

	close(openat(canary_fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
	tree_text(&before, canary_fd, true);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fd) int fd = -1;
		struct unpack_result result;
		AUTO(err) struct err *err = unpack_lines(cases[i].lines, -1, &result, &fd);

		if (err_kind(err) != cases[i].kind)
			fail_msg("%s: %s", cases[i].what, err_text(err));
	}
	tree_text(&after, canary_fd, true);
	assert_text("the canary", &after, before.at);
	assert_ok(file_remove_tree(tmp_fd, "canary"));
}

/* Shapes that are taken, and must end inside: a link that leads outside is made, then used in every
 * way there is. */
TEST(no_use_of_a_link_leads_out_of_the_layer)
{
	static const char *const uses[] = {
		F("l/new"),
		F("l/file"),
		D("l/dir"),
		"l 777 0:0 0 1 l/file -> x\n",
		"c 600 0:0 0 1 l/file 1,3\n",
		"h 644 0:0 0 1 l/file -> z\n",
		"h 644 0:0 0 1 stolen -> l/file\n",
		W("l/.wh.file"),
		W("l/.wh..wh..opq"),
		D("l") F("l/new"),
		F("l"),
		"f 777 9:9 0 1 l\n",
		"d 777 9:9 0 1 l/.\n",
		"h 644 0:0 0 1 hl -> l\n"
		"f 777 9:9 2 1 hl xx\n",
		"h 644 0:0 0 1 hl -> l\n" F("hl/new"),
	};
	AUTO(mem) char *targets[] = { xasprintf("%s/canary", tmp_path) };
	const char *const links[] = {
		"../canary",     "../../../../../../../..", "/", targets[0], "canary",
		"./../canary/.", "/proc/self/cwd"
	};
	AUTO(buf) struct buf before = BUF_INIT(BUF_MAX), after = BUF_INIT(BUF_MAX);
	AUTO(fd) int canary_fd = tree_make(tmp_fd, "canary");

	close(openat(canary_fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
	tree_text(&before, canary_fd, true);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		for (size_t j = 0; j < ARRAY_SIZE(uses); j++) {
			AUTO(mem)
			char *lines =
				xasprintf("%sl 777 0:0 0 1 l -> %s\n%s", F("z"), links[i], uses[j]);
			AUTO(fd) int fd = -1;
			struct unpack_result result;
			AUTO(err) struct err *err = unpack_lines(lines, -1, &result, &fd);

			(void)err_kind(err); /* some are refused, all are harmless */
		}
	tree_text(&after, canary_fd, true);
	assert_text("the canary", &after, before.at);
	assert_ok(file_remove_tree(tmp_fd, "canary"));
}

/* A file system of a megabyte, mounted nowhere. */
static int small_disk(void)
{
	AUTO(fd) int fs_fd = kernel_fsopen("tmpfs");

	assert_int_equal(kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, "size", "1m", 0), 0);
	assert_int_equal(kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
	return kernel_fsmount(fs_fd, 0);
}

/* Every kind of entry under every odd name, alone and behind something that gets in its way. */
TEST(no_kind_of_entry_under_any_name_leaves_the_layer)
{
	static const char *const kinds[] = {
		"f 4777 9:9 1 1 %s x\n",     "d 777 9:9 0 1 %s\n",
		"l 777 9:9 0 1 %s -> /\n",   "l 777 9:9 0 1 %s -> ../canary\n",
		"h 777 9:9 0 1 %s -> own\n", "h 777 9:9 0 1 %s -> ../canary/file\n",
		"c 666 9:9 0 1 %s 1,3\n",    "b 660 9:9 0 1 %s 8,0\n",
		"p 666 9:9 0 1 %s\n",
	};
	static const char *const names[] = {
		"..",
		"../canary",
		"../canary/file",
		"../canary/new",
		"a/../../canary/file",
		".",
		"./",
		"/",
		"//",
		"/own",
		"/../own",
		"own/",
		"own/.",
		"own/x",
		"out",
		"out/",
		"out/file",
		"out/new",
		"out/../file",
		"out/.wh.file",
		"out/.wh..wh..opq",
		".wh.out",
		".wh...",
		".wh..wh..opq",
		".wh.out/file",
		"dir/out/file",
		"dir/out/new",
		"dir/.wh.out",
		"OWN",
		"own\\xff",
		"n*255",
		"n*256",
		"p/p*4090",
	};
	static const char *const before[] = {
		"",
		"l 777 0:0 0 1 out -> ../canary\n",
		"d 755 0:0 0 1 dir\nl 777 0:0 0 1 dir/out -> ../../canary\n"
		"l 777 0:0 0 1 out -> dir/out\n",
		"d 755 0:0 0 1 out\nf 644 0:0 1 1 out/file x\nl 777 0:0 0 1 out -> ../canary\n",
	};
	AUTO(buf) struct buf want = BUF_INIT(BUF_MAX), got = BUF_INIT(BUF_MAX);
	AUTO(fd) int disk_fd = small_disk(), canary_fd = -1;
	int saved_fd = tmp_fd;

	tmp_fd = disk_fd; /* a thousand trees are quicker in memory */
	canary_fd = tree_make(tmp_fd, "canary");
	close(openat(canary_fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
	tree_text(&want, canary_fd, true);
	for (size_t i = 0; i < ARRAY_SIZE(kinds) * ARRAY_SIZE(names) * ARRAY_SIZE(before); i++) {
		const char *kind = kinds[i % ARRAY_SIZE(kinds)];
		const char *name = names[i / ARRAY_SIZE(kinds) % ARRAY_SIZE(names)];
		const char *percent = strchr(kind, '%');
		AUTO(mem)
		char *lines = xasprintf("f 600 0:0 3 1 own own\n%s%.*s%s%s",
					before[i / (ARRAY_SIZE(kinds) * ARRAY_SIZE(names))],
					(int)(percent - kind), kind, name, percent + 2);
		AUTO(fd) int fd = -1;
		struct unpack_result result;
		AUTO(err) struct err *err = unpack_lines(lines, -1, &result, &fd);

		if (strncmp(name, "..", 2) == 0)
			assert_int_equal(err_kind(err), ERR_INVALID);
		buf_reset(&got);
		tree_text(&got, canary_fd, true);
		assert_text(lines, &got, want.at);
	}
	tmp_fd = saved_fd;
}

TEST(a_tree_deeper_than_the_descriptors_of_a_process_unpacks)
{
	AUTO(buf) struct buf tar = BUF_INIT((size_t)64 * 1024 * 1024);
	AUTO(buf) struct buf path = BUF_INIT(BUF_MAX);
	AUTO(fd) int fd = -1;
	struct unpack_result result;
	struct stat st;

	for (int i = 0; i < 2000; i++) {
		AUTO(mem) char *line = NULL;

		buf_adds(&path, i > 0 ? "/d" : "d");
		line = xasprintf("d 755 0:0 0 %d %s", i, path.at);
		tree_add(&tar, str_of(line));
	}
	for (int i = 0; i < 50; i++) {
		AUTO(mem) char *line = xasprintf("f 644 0:0 1 7 %s/%d x", path.at, i);

		tree_add(&tar, str_of(line));
		tree_add(&tar, str_of(i % 2 ? "f 644 0:0 1 7 d/x x" : "f 644 0:0 1 7 y x"));
	}
	add_zeros(&tar, (size_t)2 * TAR_BLOCK_SIZE);
	assert_ok(unpack_tar(buf_str(&tar), -1, &result, &fd));
	assert_int_equal(result.entries, 2100);
	assert_false(result.dependent);
	assert_int_equal(fstatat(fd, path.at, &st, 0), 0);
	assert_int_equal(st.st_mtime, 1999);
	assert_int_equal(fstatat(fd, "d", &st, 0), 0);
	assert_int_equal(st.st_mtime, 0);
}

TEST(limits_hold)
{
	const struct tar_limits limits = { .entries = 3, .bytes = UINT64_C(1024) * 1024 };
	const struct unpack_opts opts = { .below_fd = -1, .limits = &limits };
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
	AUTO(source) struct source *src = NULL;
	AUTO(fd) int fd = tree_make(tmp_fd, "fs");
	struct unpack_result result;

	tree_archive(&tar, F("a") F("b") F("c") F("d"));
	src = source_from_memory(tar.at, tar.len);
	assert_fails(unpack(src, fd, &opts, &result), ERR_INVALID);
}

TEST(a_full_disk_is_an_error_that_says_so)
{
	AUTO(buf) struct buf tar = BUF_INIT((size_t)8 * 1024 * 1024);
	AUTO(source) struct source *src = NULL;
	AUTO(fd) int fd = small_disk();
	const struct unpack_opts opts = { .below_fd = -1 };
	AUTO(err) struct err *err = NULL;
	struct unpack_result result;

	assert_true(fd >= 0);
	tree_add(&tar, STR("f 644 0:0 3000000 1 usr/big x*3000000"));
	add_zeros(&tar, (size_t)2 * TAR_BLOCK_SIZE);
	src = source_from_memory(tar.at, tar.len);
	err = unpack(src, fd, &opts, &result);
	assert_int_equal(err_errno(err), ENOSPC);
	assert_non_null(strstr(err_text(err), "'usr/big'"));
}

/* ---- the stream ---- */

TEST(the_diff_id_is_the_digest_of_every_byte)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
	AUTO(hasher) struct hasher *hasher = hasher_new();
	AUTO(fd) int fd = -1;
	struct unpack_result result;
	struct digest want;

	tree_archive(&tar, D("a") F("a/b"));
	add_zeros(&tar, 10240); /* the padding of GNU tar belongs to it */
	hasher_update(hasher, tar.at, tar.len);
	assert_ok(hasher_finish(hasher, &want));
	assert_ok(unpack_tar(buf_str(&tar), -1, &result, &fd));
	assert_true(digest_equal(&result.diff_id, &want));
}

TEST(a_stream_that_ends_early_is_an_error)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
	struct unpack_result result;

	tree_archive(&tar, D("a") "f 644 0:0 600 1 a/b x*600\n");
	for (size_t len = 513; len < 512 * 2 + 600; len += 97) {
		AUTO(fd) int fd = -1;

		assert_fails(unpack_tar((struct str){ tar.at, len }, -1, &result, &fd),
			     ERR_CORRUPT);
	}
}

TEST(long_runs_of_zeros_become_holes)
{
	AUTO(buf) struct buf tar = BUF_INIT((size_t)16 * 1024 * 1024);
	AUTO(mem) char *got = xcalloc(1, (size_t)3 * 1024 * 1024 + 3);
	AUTO(fd) int fd = -1, file_fd = -1;
	struct unpack_result result;
	struct stat st;
	size_t size = (size_t)3 * 1024 * 1024 + 3;

	tree_add(&tar, STR("f 644 0:0 3145731 1 sparse \\x00*1000000y\\x00*2145730"));
	add_zeros(&tar, (size_t)2 * TAR_BLOCK_SIZE);
	assert_ok(unpack_tar(buf_str(&tar), -1, &result, &fd));
	assert_int_equal(result.bytes, size);
	file_fd = openat(fd, "sparse", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(file_fd, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_true(st.st_blocks < 2048);
	assert_int_equal(read(file_fd, got, size), size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(got[i], i == 1000000 ? 'y' : 0);
}

TEST(a_file_may_end_in_a_hole)
{
	AUTO(fd) int fd = -1;
	struct unpack_result result;
	struct stat st;

	assert_ok(unpack_lines("f 644 0:0 524288 1 sparse \\x00*524288\n", -1, &result, &fd));
	assert_int_equal(fstatat(fd, "sparse", &st, 0), 0);
	assert_int_equal(st.st_size, 524288);
	assert_int_equal(st.st_blocks, 0);
}

TEST(device_numbers_that_the_kernel_would_cut_are_refused)
{
	static const struct tar_entry entries[] = {
		{ .type = TAR_CHAR, .dev_major = 4096, .dev_minor = 0 },
		{ .type = TAR_CHAR, .dev_major = 1, .dev_minor = 1048576 },
		{ .type = TAR_BLOCK, .dev_major = UINT32_MAX, .dev_minor = 0 },
	};
	AUTO(fd) int fd = tree_make(tmp_fd, "fs");
	const struct place_dir dir = { .fd = fd };
	struct place place;

	place_init(&place);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		assert_fails(place_node(&place, &dir, "a", &entries[i]), ERR_INVALID);
}

/* ---- archives of users ---- */

/* Unpack lines over the directory `fd`. */
static struct err *merge_lines(const char *lines, int fd, const struct unpack_opts *opts)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
	AUTO(source) struct source *src = NULL;
	struct unpack_result result;

	tree_archive(&tar, lines);
	src = source_from_memory(tar.at, tar.len);
	return unpack(src, fd, opts, &result);
}

TEST(an_archive_joins_what_is_there)
{
	struct unpack_opts opts = { .below_fd = -1, .plain = true, .merge = true };
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
	AUTO(fd) int nothing = tree_make(tmp_fd, "nothing");
	AUTO(fd) int fd = tree_make(tmp_fd, "fs");

	opts.below_fd = nothing;
	assert_ok(merge_lines(D("d") "f 644 1:1 1 5 d/a x\n"
				     "f 644 1:1 1 5 e x\n",
			      fd, &opts));
	opts.give_owner = true;
	opts.uid = 7;
	opts.gid = 8;
	assert_ok(merge_lines("d 700 0:0 0 9 ./\n"
			      "d 750 0:0 0 9 d\n"
			      "f 600 0:0 1 9 d/b y\n"
			      "d 755 0:0 0 9 e\n"
			      "h 600 0:0 0 9 e/h -> d/b\n",
			      fd, &opts));
	tree_text(&got, fd, false);
	assert_text("merged", &got,
		    "d 750 7:8 0 9 d\n"
		    "f 644 1:1 1 5 d/a x\n"
		    "f 600 7:8 1 9 d/b y\n"
		    "d 755 7:8 0 9 e\n"
		    "h 600 7:8 0 9 e/h -> d/b\n");
	assert_fails(merge_lines("f 644 0:0 0 9 .wh.x\n", fd, &opts), ERR_INVALID);
	assert_fails(merge_lines("f 644 0:0 0 9 .wh.d/x\n", fd, &opts), ERR_INVALID);
	assert_fails(merge_lines("h 644 0:0 0 9 z -> nowhere\n", fd, &opts), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_layer_may_become_so_much_larger_and_no_more),
		cmocka_unit_test(every_kind_of_entry_arrives_with_all_that_belongs_to_it),
		cmocka_unit_test(directories_have_their_times_although_they_were_filled_later),
		cmocka_unit_test(what_a_directory_would_pass_on_is_not_passed_on),
		cmocka_unit_test(the_umask_changes_nothing),
		cmocka_unit_test(the_root_is_an_entry_like_others),
		cmocka_unit_test(the_last_of_two_entries_wins_and_directories_merge),
		cmocka_unit_test(hard_links_meet_what_is_there),
		cmocka_unit_test(a_directory_over_a_directory_takes_the_new_attributes),
		cmocka_unit_test(whiteouts_hide_what_lies_below_and_nothing_of_their_layer),
		cmocka_unit_test(opaque_marks_act_in_any_order),
		cmocka_unit_test(in_a_plain_tar_no_name_is_a_whiteout),
		cmocka_unit_test(a_parent_that_is_a_link_is_followed_inside_the_layer),
		cmocka_unit_test(a_parent_that_the_layer_does_not_bring_makes_it_dependent),
		cmocka_unit_test(what_the_layer_does_not_bring_comes_from_below),
		cmocka_unit_test(hostile_entries_are_refused_and_nothing_outside_is_touched),
		cmocka_unit_test(no_use_of_a_link_leads_out_of_the_layer),
		cmocka_unit_test(no_kind_of_entry_under_any_name_leaves_the_layer),
		cmocka_unit_test(a_tree_deeper_than_the_descriptors_of_a_process_unpacks),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(a_full_disk_is_an_error_that_says_so),
		cmocka_unit_test(the_diff_id_is_the_digest_of_every_byte),
		cmocka_unit_test(a_stream_that_ends_early_is_an_error),
		cmocka_unit_test(long_runs_of_zeros_become_holes),
		cmocka_unit_test(a_file_may_end_in_a_hole),
		cmocka_unit_test(device_numbers_that_the_kernel_would_cut_are_refused),
		cmocka_unit_test(an_archive_joins_what_is_there),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
