/* tests/unit/test_export.c - a merged tree leaves the store. */

#include "tests/unit/tree.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/log.h"
#include "overlay/export.h"
#include "tests/unit/child.h"
#include "tests/unit/tmp.h"

#define CAP "security.capability=\\x01\\x00*2\\x02\\x00\\x04\\x00*14"

static void assert_tree(const char *what, int fd, const char *want)
{
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);

	tree_text(&got, fd, false);
	assert_text(what, &got, want);
}

#define EVERYTHING                                                                      \
	"d 555 1:2 0 5 a user.d=1\n"                                                    \
	"b 660 0:6 0 7 a/b 259,1048575\n"                                               \
	"c 666 0:5 0 7 a/c 1,3\n" D("a/d") "f 4755 3:4 3 1700000000 a/f abc user.f=1\n" \
					   "h 4755 3:4 0 1700000000 a/h -> a/f\n"       \
					   "l 777 5:6 0 7 a/l -> /etc/passwd\n"         \
					   "p 620 3:4 0 7 a/p\n"                        \
					   "d 2770 0:50 0 100 g\n" F("g/x") "f 644 0:0 0 9 z\n"

TEST(the_tar_is_flat_and_begins_with_the_root)
{
	AUTO(fd)
	int fd = tree_unpacked(tmp_fd, "view",
			       "d 555 0:0 0 5 ./\n" F("b") D("a") F("a/.wh.c") F("a/d"));
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), got = BUF_INIT(BUF_MAX);
	AUTO(sink) struct sink *out = sink_to_buf(&tar);

	assert_ok(export_tar(fd, out));
	assert_ok(sink_finish(out));
	assert_ok(list(buf_str(&tar), NULL, 4096, &got));
	assert_text("flat", &got, "d 555 0:0 0 0 ./\n" D("a/") F("a/d") F("b"));
}

TEST(the_directory_is_the_same_tree)
{
	AUTO(fd) int fd = tree_unpacked(tmp_fd, "view", "d 700 7:7 0 5 ./\n" EVERYTHING);
	AUTO(fd) int dest_fd = tree_make(tmp_fd, "dest");
	struct stat before, after;

	assert_int_equal(fstat(dest_fd, &before), 0);
	assert_ok(export_dir(fd, dest_fd));
	assert_tree("a copy", dest_fd, EVERYTHING);
	assert_int_equal(fstat(dest_fd, &after), 0);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_int_equal(after.st_uid, before.st_uid);

	assert_ok(export_dir(fd, dest_fd));
	assert_tree("once more", dest_fd, EVERYTHING);
}

TEST(what_the_destination_holds_is_merged_and_replaced)
{
	AUTO(fd)
	int fd = tree_unpacked(tmp_fd, "view", D("a") F("a/f") "l 777 0:0 0 1 a/l -> new\n" F("b"));
	AUTO(fd)
	int dest_fd = tree_unpacked(tmp_fd, "dest",
				    "d 700 1:1 0 1 a user.old=1\n"
				    "f 600 0:0 3 1 a/f old\n"
				    "f 600 0:0 3 1 a/keep old\n"
				    "l 777 0:0 0 1 a/l -> old\n"
				    "l 777 0:0 0 1 b -> a/keep\n"
				    "d 700 0:0 0 1 c\n");

	assert_ok(export_dir(fd, dest_fd));
	assert_tree("merged", dest_fd,
		    D("a") F("a/f") "f 600 0:0 3 1 a/keep old\nl 777 0:0 0 1 a/l -> new\n" F(
			    "b") "d 700 0:0 0 1 c\n");
}

TEST(a_default_acl_of_the_destination_changes_no_mode)
{
	/* user::rwx, group::---, other::---, in the kernel's coding */
	static const unsigned char acl[] = { 2,   0,   0, 0, 1,   0,   7,   0,   255, 255,
					     255, 255, 4, 0, 0,   0,   255, 255, 255, 255,
					     32,  0,   0, 0, 255, 255, 255, 255 };
	static const struct {
		const char *path;
		mode_t mode;
	} modes[] = { { "a", S_IFDIR | 0755 }, { "a/f", S_IFREG | 0644 }, { "f", S_IFREG | 0644 } };
	AUTO(fd) int fd = tree_unpacked(tmp_fd, "view", D("a") F("a/f") F("f"));
	AUTO(fd) int dest_fd = tree_make(tmp_fd, "dest");

	assert_int_equal(fsetxattr(dest_fd, "system.posix_acl_default", acl, sizeof(acl), 0), 0);
	assert_ok(export_dir(fd, dest_fd));
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct stat st;

		assert_int_equal(fstatat(dest_fd, modes[i].path, &st, 0), 0);
		assert_int_equal(st.st_mode, modes[i].mode);
	}
}

TEST(what_would_delete_or_follow_is_refused)
{
	static const struct {
		const char *what, *tree, *dest;
	} cases[] = {
		{ "a directory in the way of a file", F("a"), D("a") F("a/precious") },
		{ "a directory in the way of a link", "l 777 0:0 0 1 a -> x\n", D("a") },
		{ "a file in the way of a directory", D("a") F("a/b"), F("a") },
		{ "a link in the way of a directory", D("a") F("a/b"),
		  "l 777 0:0 0 1 a -> ../canary\n" },
	};
	AUTO(fd) int canary_fd = tree_make(tmp_fd, "canary");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fd) int fd = tree_unpacked(tmp_fd, "view", cases[i].tree);
		AUTO(fd) int dest_fd = tree_unpacked(tmp_fd, "dest", cases[i].dest);
		AUTO(err) struct err *err = export_dir(fd, dest_fd);

		if (err_kind(err) != ERR_INVALID || !strstr(err_text(err), "'a"))
			fail_msg("%s: %s", cases[i].what, err_text(err));
		assert_tree(cases[i].what, dest_fd, cases[i].dest);
	}
	assert_tree("the canary", canary_fd, "");
}

/* ---- not root ---- */

static int ordinary_view, ordinary_dest;
static unsigned warnings;

static void count_warning(enum log_level level, const char *line, void *arg)
{
	(void)line;
	(void)arg;
	warnings += level == LOG_WARN;
}

static bool export_as_nobody(void *arg)
{
	(void)arg;
	CHECK(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 &&
	      setresuid(65534, 65534, 65534) == 0);
	log_set_handler(count_warning, NULL);
	CHECK_OK(export_dir(ordinary_view, ordinary_dest));
	CHECK(warnings == 2);
	return true;
}

TEST(a_file_that_cannot_be_written_replaces_nothing)
{
	AUTO(fd) int fd = tree_unpacked(tmp_fd, "view", "f 644 0:0 5 9 a whole\n");
	AUTO(fd) int dest_fd = tree_unpacked(tmp_fd, "dest", "f 600 0:0 3 1 a old\n");
	struct rlimit whole, little = { 2, 2 };
	struct err *err;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
	little.rlim_max = whole.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	err = export_dir(fd, dest_fd);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
	assert_int_equal(err_errno(err), EFBIG);
	err_free(err);
	assert_tree("as it was", dest_fd, "f 600 0:0 3 1 a old\n");
}

TEST(without_root_everything_is_ours)
{
	ordinary_view = tree_unpacked(tmp_fd, "view",
				      "d 555 1:2 0 5 a user.d=1\n"
				      "c 666 0:5 0 7 a/c 1,3\n"
				      "h 666 0:5 0 7 a/c2 -> a/c\n"
				      "f 6755 3:4 3 1700000000 a/f abc user.f=1 " CAP "\n"
				      "p 624 3:4 0 7 a/p\n" D("b"));
	ordinary_dest = tree_make(tmp_fd, "dest");
	assert_int_equal(fchown(ordinary_dest, 65534, 65534), 0);
	child_run(export_as_nobody, NULL);
	assert_tree("ours", ordinary_dest,
		    "d 555 65534:65534 0 5 a user.d=1\n"
		    "f 755 65534:65534 3 1700000000 a/f abc user.f=1\n"
		    "p 624 65534:65534 0 7 a/p\n"
		    "d 755 65534:65534 0 100 b\n");
	close(ordinary_view);
	close(ordinary_dest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tar_is_flat_and_begins_with_the_root),
		cmocka_unit_test(the_directory_is_the_same_tree),
		cmocka_unit_test(what_the_destination_holds_is_merged_and_replaced),
		cmocka_unit_test(a_default_acl_of_the_destination_changes_no_mode),
		cmocka_unit_test(what_would_delete_or_follow_is_refused),
		cmocka_unit_test(a_file_that_cannot_be_written_replaces_nothing),
		cmocka_unit_test(without_root_everything_is_ours),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
