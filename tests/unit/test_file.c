/* tests/unit/test_file.c - nothing leaves its directory, appears half, or stays behind. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "base/file.h"
#include "base/vec.h"
#include "tests/unit/child.h"
#include "tests/unit/tmp.h"

static void put(const char *path, const char *text)
{
	int fd = openat(tmp_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void assert_holds(const char *path, const char *want)
{
	AUTO(buf) struct buf buf = BUF_INIT(1024);

	assert_ok(file_read(tmp_fd, path, 1024, &buf));
	assert_string_equal(buf_str(&buf).at, want);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(tmp_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

/* ---- opening ---- */

TEST(a_path_cannot_leave_its_directory)
{
	static const struct {
		const char *path;
		enum file_follow follow;
		enum err_kind want;
		int want_errno;
	} cases[] = {
		{ "in/file", FILE_NO_LINKS, ERR_NONE, 0 },
		{ "in/../in/file", FILE_NO_LINKS, ERR_NONE, 0 },
		{ "in/missing", FILE_NO_LINKS, ERR_NOT_FOUND, 0 },
		{ "in/file/below", FILE_NO_LINKS, ERR_NOT_FOUND, 0 },
		{ "in/relative", FILE_NO_LINKS, ERR_SYSTEM, ELOOP },
		{ "up/file", FILE_NO_LINKS, ERR_SYSTEM, ELOOP },
		{ "../file", FILE_NO_LINKS, ERR_SYSTEM, EXDEV },
		{ "/etc/passwd", FILE_NO_LINKS, ERR_SYSTEM, EXDEV },
		{ "in/relative", FILE_BENEATH, ERR_NONE, 0 },
		{ "absolute", FILE_BENEATH, ERR_SYSTEM, EXDEV },
		{ "up/etc/passwd", FILE_BENEATH, ERR_SYSTEM, EXDEV },
		{ "absolute", FILE_IN_ROOT, ERR_NONE, 0 },
		{ "up/in/file", FILE_IN_ROOT, ERR_NONE, 0 },
		{ "../../in/file", FILE_IN_ROOT, ERR_NONE, 0 },
		{ "/in/file", FILE_IN_ROOT, ERR_NONE, 0 },
		{ "magic", FILE_IN_ROOT, ERR_NOT_FOUND, 0 },
		{ "etc/file", FILE_ANYWHERE, ERR_NONE, 0 },
	};

	assert_int_equal(mkdirat(tmp_fd, "in", 0755), 0);
	assert_int_equal(mkdirat(tmp_fd, "etc", 0755), 0);
	put("in/file", "x");
	put("etc/file", "x");
	assert_int_equal(symlinkat("file", tmp_fd, "in/relative"), 0);
	assert_int_equal(symlinkat("/in/file", tmp_fd, "absolute"), 0);
	assert_int_equal(symlinkat("..", tmp_fd, "up"), 0);
	assert_int_equal(symlinkat("/proc/self/fd/0", tmp_fd, "magic"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fd) int fd = -1;
		AUTO(err)
		struct err *err =
			file_open(tmp_fd, cases[i].path, O_RDONLY, 0, cases[i].follow, &fd);

		if (err_kind(err) != cases[i].want || err_errno(err) != cases[i].want_errno)
			fail_msg("case %zu, %s: %s", i, cases[i].path, err_text(err));
		if (err)
			assert_non_null(strstr(err_text(err), cases[i].path));
		if (cases[i].want_errno == EXDEV)
			assert_non_null(strstr(err_text(err), "leads out of its directory"));
		if (!err)
			assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	}
}

TEST(directories_are_made_with_their_parents)
{
	mode_t old = umask(077);
	AUTO(fd) int fd = -1;
	AUTO(fd) int again = -1;
	AUTO(fd) int slashes = -1;
	AUTO(fd) int closed = -1;

	assert_ok(file_make_dirs(tmp_fd, "m/a/b", 0755, &fd));
	umask(old);
	assert_int_equal(mode_of("m/a/b"), 0755);
	assert_int_equal(mode_of("m/a"), 0700); /* the umask's */
	assert_int_equal(fcntl(fd, F_GETFL) & O_PATH, 0);
	assert_ok(file_make_dirs(tmp_fd, "m/a/b", 0700, &again));
	assert_int_equal(mode_of("m/a/b"), 0755); /* existed */
	assert_ok(file_make_dirs(tmp_fd, "m//c/./d//", 0711, &slashes));
	assert_int_equal(mode_of("m/c/d"), 0711);
	assert_ok(file_make_dirs(tmp_fd, "m/e/f", 0500, &closed));
	assert_int_equal(mode_of("m/e/f"), 0500);
	assert_int_equal(mode_of("m/e"), 0700); /* or nothing could be made in it */
}

TEST(directories_are_not_made_through_files_and_links)
{
	int fd = -1;

	assert_int_equal(symlinkat("/tmp", tmp_fd, "out"), 0);
	put("plain", "x");
	assert_fails(file_make_dirs(tmp_fd, "plain/a", 0755, &fd), ERR_NOT_FOUND);
	assert_fails(file_make_dirs(tmp_fd, "out/cairn-never", 0755, &fd), ERR_SYSTEM);
	assert_fails(file_make_dirs(tmp_fd, "../cairn-never", 0755, &fd), ERR_SYSTEM);
	assert_fails(file_make_dirs(tmp_fd, "new/../../cairn-never", 0755, &fd), ERR_SYSTEM);
	assert_fails(file_make_dirs(tmp_fd, "", 0755, &fd), ERR_NOT_FOUND);
	assert_int_equal(fd, -1);
}

TEST(the_users_own_paths_are_taken_as_everywhere)
{
	AUTO(mem) char *path = xasprintf("%s/alias/x/y", tmp_path);
	AUTO(fd) int fd = -1;

	assert_int_equal(mkdirat(tmp_fd, "aliased", 0755), 0);
	assert_int_equal(symlinkat("aliased", tmp_fd, "alias"), 0);
	assert_ok(file_make_dirs(AT_FDCWD, path, 0755, &fd));
	assert_true(file_exists(tmp_fd, "aliased/x/y"));
	assert_true(file_exists(AT_FDCWD, path));
	assert_false(file_exists(tmp_fd, "alias/x/y")); /* but not below a directory */
}

TEST(a_dangling_link_exists_and_can_be_read)
{
	AUTO(mem) char *target = NULL;

	assert_int_equal(mkdirat(tmp_fd, "links", 0755), 0);
	assert_int_equal(symlinkat("../no\nwhere", tmp_fd, "links/dangling"), 0);
	put("links/file", "x");
	assert_true(file_exists(tmp_fd, "links/dangling"));
	assert_false(file_exists(tmp_fd, "links/missing"));
	assert_false(file_exists(tmp_fd, ".."));
	assert_ok(file_read_link(tmp_fd, "links/dangling", &target));
	assert_string_equal(target, "../no\nwhere");
	assert_fails(file_read_link(tmp_fd, "links/file", &target), ERR_SYSTEM);
	assert_fails(file_read_link(tmp_fd, "links/missing", &target), ERR_NOT_FOUND);
}

/* ---- reading and writing ---- */

TEST(files_are_read_whole_or_refused)
{
	AUTO(buf) struct buf buf = BUF_INIT(1 << 20);
	AUTO(buf) struct buf small = BUF_INIT(3);

	put("text", "hello");
	buf_adds(&buf, "> ");
	assert_ok(file_read(tmp_fd, "text", 5, &buf));
	assert_string_equal(buf.at, "> hello");
	assert_fails(file_read(tmp_fd, "text", 4, &buf), ERR_INVALID);
	assert_fails(file_read(tmp_fd, "text", 5, &small), ERR_INVALID);
	assert_fails(file_read(tmp_fd, "none", 5, &buf), ERR_NOT_FOUND);
	assert_fails(file_read(tmp_fd, ".", 5, &buf), ERR_INVALID);
	buf_reset(&buf);
	assert_ok(file_read(AT_FDCWD, "/proc/self/status", 1 << 20, &buf)); /* of size 0, it says */
	assert_non_null(strstr(buf.at, "Pid:"));
	assert_fails(file_read(AT_FDCWD, "/proc/self/status", 10, &buf), ERR_INVALID);
}

TEST(a_large_file_is_read_in_pieces)
{
	AUTO(buf) struct buf data = BUF_INIT(1 << 20);
	AUTO(buf) struct buf back = BUF_INIT(1 << 20);

	for (int i = 0; data.len < 300000; i++)
		buf_addf(&data, "%d,", i);
	assert_ok(file_replace(tmp_fd, "large", buf_str(&data), 0600, FILE_QUICK));
	assert_ok(file_read(tmp_fd, "large", 1 << 20, &back));
	assert_true(str_equal(buf_str(&data), buf_str(&back)));
}

TEST(a_fifo_is_refused_without_waiting)
{
	AUTO(buf) struct buf buf = BUF_INIT(16);

	assert_int_equal(mkfifoat(tmp_fd, "fifo", 0600), 0);
	alarm(10);
	assert_fails(file_read(tmp_fd, "fifo", 16, &buf), ERR_INVALID);
	alarm(0);
}

TEST(a_file_is_replaced_whole_with_its_exact_mode)
{
	mode_t old = umask(077);

	assert_ok(file_replace(tmp_fd, "record", STR("one"), 0644, FILE_QUICK));
	assert_int_equal(mode_of("record"), 0644);
	assert_holds("record", "one");
	assert_ok(file_replace(tmp_fd, "record", STR(""), 0600, FILE_DURABLE));
	umask(old);
	assert_int_equal(mode_of("record"), 0600);
	assert_holds("record", "");
}

TEST(a_failed_replacement_leaves_nothing_behind)
{
	static const char *const wrong[] = { "", ".", "..", "a/b", "/a" };
	AUTO(strings) struct strings names = { 0 };
	AUTO(fd) int fd = -1;

	assert_ok(file_make_dirs(tmp_fd, "full/dir", 0755, &fd));
	close(fd);
	assert_ok(file_open_dir(tmp_fd, "full", &fd));
	assert_fails(file_replace(fd, "dir", STR("x"), 0644, FILE_QUICK), ERR_SYSTEM);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_fails(file_replace(fd, wrong[i], STR("x"), 0644, FILE_QUICK), ERR_INVALID);
	assert_ok(file_list(fd, ".", &names));
	assert_int_equal(names.len, 1);
	assert_ok(file_sync_dir(fd));
}

/* Drains a pipe slowly, in odd pieces. */
static void *drain(void *arg)
{
	const int *fd = arg;
	size_t *sum = xcalloc(1, sizeof(*sum));
	unsigned char piece[777];
	ssize_t n;

	while ((n = read(*fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
		for (ssize_t i = 0; i < n; i++)
			*sum += piece[i];
	return sum;
}

static void do_nothing(int signal)
{
	(void)signal;
}

static void write_through_a_pipe(int flags)
{
	const struct itimerval often = { { 0, 500 }, { 0, 500 } };
	struct sigaction quiet = { .sa_handler = do_nothing };
	AUTO(mem) unsigned char *data = xcalloc(1 << 20, 1);
	AUTO(mem) size_t *sum = NULL;
	size_t want = 0;
	pthread_t thread;
	int fds[2];

	for (size_t i = 0; i < 1 << 20; i++)
		want += data[i] = (unsigned char)(i * 7);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, flags), 0);
	assert_int_equal(pthread_create(&thread, NULL, drain, &fds[0]), 0);
	sigaction(SIGALRM, &quiet, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	assert_ok(file_write_all(fds[1], data, 1 << 20, "pipe"));
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	signal(SIGALRM, SIG_DFL);
	close(fds[1]);
	assert_int_equal(pthread_join(thread, (void **)&sum), 0);
	close(fds[0]);
	assert_int_equal(*sum, want);
}

TEST(signals_and_small_pipes_do_not_lose_bytes)
{
	write_through_a_pipe(0);
	write_through_a_pipe(O_NONBLOCK);
}

TEST(a_closed_pipe_is_an_error_with_its_name)
{
	AUTO(err) struct err *err = NULL;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	err = file_write_all(fds[1], "x", 1, "layer.tar");
	close(fds[1]);
	assert_int_equal(err_errno(err), EPIPE);
	assert_string_equal(err_text(err), "write layer.tar: Broken pipe");
}

TEST(names_are_listed_in_byte_order)
{
	static const char *const want[] = { "A", "a", "a.b", "a0", "\xc3\xa4" };
	AUTO(strings) struct strings names = { 0 };
	AUTO(fd) int fd = -1;

	assert_ok(file_make_dirs(tmp_fd, "list", 0755, &fd));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(mkdirat(fd, want[(i * 3) % ARRAY_SIZE(want)], 0755), 0);
	assert_ok(file_list(tmp_fd, "list", &names));
	assert_int_equal(names.len, ARRAY_SIZE(want));
	for (size_t i = 0; i < names.len; i++)
		assert_string_equal(names.at[i], want[i]);
	assert_fails(file_list(tmp_fd, "list/none", &names), ERR_NOT_FOUND);
}

/* ---- removing trees ---- */

/* 10,000 directories, each in the one before, with a file in every hundredth. */
static bool make_deep_tree(void)
{
	AUTO(fd) int at = openat(tmp_fd, "deep", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 10000; i++) {
		int next;

		if (mkdirat(at, "d", 0755) < 0)
			return false;
		if (i % 100 == 0 && mknodat(at, "file", S_IFREG | 0644, 0) < 0)
			return false;
		next = openat(at, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	return at >= 0;
}

static bool remove_deep_tree(__attribute__((unused)) void *arg)
{
	const struct rlimit few = { 64, 64 };

	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK(make_deep_tree());
	CHECK_OK(file_remove_tree(tmp_fd, "deep"));
	CHECK(!file_exists(tmp_fd, "deep"));
	return true;
}

TEST(a_tree_of_ten_thousand_levels_is_removed_with_few_descriptors)
{
	assert_int_equal(mkdirat(tmp_fd, "deep", 0755), 0);
	child_run(remove_deep_tree, NULL);
}

TEST(a_wide_tree_is_removed)
{
	AUTO(fd) int fd = -1;
	char name[32];

	assert_ok(file_make_dirs(tmp_fd, "wide", 0755, &fd));
	for (int i = 0; i < 9000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		if (i % 3 == 0) {
			snprintf(name, sizeof(name), "%d/file", i);
			assert_int_equal(mknodat(fd, name, S_IFREG | 0644, 0), 0);
		}
	}
	assert_ok(file_remove_tree(tmp_fd, "wide"));
	assert_false(file_exists(tmp_fd, "wide"));
}

TEST(bushy_trees_are_removed_beyond_the_kept_levels)
{
	AUTO(fd) int fd = -1;
	AUTO(buf) struct buf path = BUF_INIT(1 << 12);

	buf_adds(&path, "bushy");
	for (int i = 0; i < 100; i++) {
		AUTO(mem) char *side = xasprintf("%s/side/leaf", path.at);
		AUTO(fd) int leaf = -1;

		assert_ok(file_make_dirs(tmp_fd, side, 0755, &leaf));
		assert_int_equal(symlinkat("/", leaf, "root"), 0);
		buf_addf(&path, "/%d", i);
	}
	assert_ok(file_make_dirs(tmp_fd, path.at, 0755, &fd));
	assert_ok(file_remove_tree(tmp_fd, "bushy"));
	assert_false(file_exists(tmp_fd, "bushy"));
}

TEST(removal_follows_no_links_and_takes_any_kind_of_file)
{
	AUTO(fd) int fd = -1;

	assert_ok(file_make_dirs(tmp_fd, "keep", 0755, &fd));
	put("keep/me", "still here");
	assert_int_equal(mkdirat(tmp_fd, "tree", 0755), 0);
	assert_int_equal(symlinkat("../keep", tmp_fd, "tree/link"), 0);
	assert_int_equal(symlinkat("keep", tmp_fd, "link"), 0);
	assert_int_equal(mkfifoat(tmp_fd, "tree/fifo", 0600), 0);
	put("tree/file", "x");
	put("file", "x");
	assert_ok(file_remove_tree(tmp_fd, "tree"));
	assert_ok(file_remove_tree(tmp_fd, "link"));
	assert_ok(file_remove_tree(tmp_fd, "file"));
	assert_ok(file_remove_tree(tmp_fd, "absent"));
	assert_false(file_exists(tmp_fd, "tree"));
	assert_false(file_exists(tmp_fd, "link"));
	assert_false(file_exists(tmp_fd, "file"));
	assert_holds("keep/me", "still here");
	assert_fails(file_remove_tree(tmp_fd, ".."), ERR_INVALID);
	assert_fails(file_remove_tree(tmp_fd, "keep/me"), ERR_INVALID);
}

/* As somebody whom modes bind. */
static bool remove_closed_dirs(__attribute__((unused)) void *arg)
{
	static const mode_t modes[] = { 0, 0100, 0200, 0400, 0500, 0600 };
	AUTO(fd) int fd = -1;
	char name[16];

	if (getuid() == 0) {
		CHECK(fchownat(tmp_fd, "closed", 65534, 65534, 0) == 0);
		CHECK(setresuid(65534, 65534, 65534) == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		snprintf(name, sizeof(name), "closed/%zu/x", i);
		CHECK_OK(file_make_dirs(tmp_fd, name, 0755, &fd));
		CHECK(mknodat(fd, "file", S_IFREG, 0) == 0);
		CHECK(fchmod(fd, modes[i]) == 0);
		close(fd);
		*strrchr(name, '/') = '\0';
		CHECK(fchmodat(tmp_fd, name, modes[i], 0) == 0);
	}
	CHECK_OK(file_open_dir(tmp_fd, "closed", &fd));
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		snprintf(name, sizeof(name), "%zu", i);
		CHECK_OK(file_remove_tree(fd, name));
		CHECK(!file_exists(fd, name));
	}
	return true;
}

TEST(directories_without_permissions_are_removed)
{
	assert_int_equal(mkdirat(tmp_fd, "closed", 0755), 0);
	assert_int_equal(fchmod(tmp_fd, 0755), 0);
	child_run(remove_closed_dirs, NULL);
}

static bool spare_mount_point(void *arg)
{
	const char *path = arg;
	AUTO(err) struct err *err = NULL;
	AUTO(fd) int fd = -1; /* tmp_fd is of the mount namespace that we leave */

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		fprintf(stderr, "skipped: mounting needs root\n");
		return true;
	}
	CHECK(mount("none", path, "tmpfs", 0, NULL) == 0);
	CHECK_OK(file_open_dir(AT_FDCWD, tmp_path, &fd));
	CHECK(mknodat(fd, "mounted/a/on/file", S_IFREG, 0) == 0);
	err = file_remove_tree(fd, "mounted");
	CHECK(err_errno(err) == EXDEV);
	CHECK(file_exists(fd, "mounted/a/on/file"));
	return true;
}

TEST(what_is_mounted_in_a_tree_is_not_removed)
{
	AUTO(mem) char *path = xasprintf("%s/mounted/a/on", tmp_path);
	AUTO(fd) int fd = -1;

	assert_ok(file_make_dirs(tmp_fd, "mounted/a/on", 0755, &fd));
	child_run(spare_mount_point, path);
}

/* What file_next_data() says of a file, "begin-end" each. */
static char *tell_data(int fd, uint64_t size)
{
	struct buf out = BUF_INIT(1024);
	uint64_t begin, end;

	for (uint64_t at = 0; at < size; at = end) {
		assert_ok(file_next_data(fd, at, size, &begin, &end));
		if (begin < size)
			assert_int_equal(lseek(fd, 0, SEEK_CUR), begin);
		buf_addf(&out, "%ju-%ju ", (uintmax_t)begin, (uintmax_t)end);
	}
	return buf_steal(&out);
}

TEST(the_data_of_a_sparse_file_is_found)
{
	enum { SIZE = 1 << 20 };
	const off_t meg = SIZE;
	AUTO(fd) int fd = openat(tmp_fd, "holes", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	AUTO(mem) char *block = xcalloc(1, SIZE);
	AUTO(mem) char *all = NULL;
	AUTO(mem) char *cut = NULL;
	AUTO(mem) char *full = NULL;
	struct stat st;

	memset(block, 'x', SIZE);
	assert_int_equal(ftruncate(fd, 5 * meg), 0);
	assert_int_equal(pwrite(fd, block, SIZE, meg), SIZE);
	assert_int_equal(pwrite(fd, block, SIZE, 3 * meg), SIZE);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(file_is_sparse(&st));
	all = tell_data(fd, (uint64_t)(5 * meg));
	assert_string_equal(all, "1048576-2097152 3145728-4194304 5242880-5242880 ");
	cut = tell_data(fd, (uint64_t)(3 * meg + 5));
	assert_string_equal(cut, "1048576-2097152 3145728-3145733 ");
	for (off_t at = 0; at < 5 * meg; at += meg)
		assert_int_equal(pwrite(fd, block, SIZE, at), SIZE);
	assert_int_equal(fstat(fd, &st), 0);
	assert_false(file_is_sparse(&st));
	full = tell_data(fd, (uint64_t)(5 * meg));
	assert_string_equal(full, "0-5242880 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_data_of_a_sparse_file_is_found),
		cmocka_unit_test(a_path_cannot_leave_its_directory),
		cmocka_unit_test(directories_are_made_with_their_parents),
		cmocka_unit_test(directories_are_not_made_through_files_and_links),
		cmocka_unit_test(the_users_own_paths_are_taken_as_everywhere),
		cmocka_unit_test(a_dangling_link_exists_and_can_be_read),
		cmocka_unit_test(files_are_read_whole_or_refused),
		cmocka_unit_test(a_large_file_is_read_in_pieces),
		cmocka_unit_test(a_fifo_is_refused_without_waiting),
		cmocka_unit_test(a_file_is_replaced_whole_with_its_exact_mode),
		cmocka_unit_test(a_failed_replacement_leaves_nothing_behind),
		cmocka_unit_test(signals_and_small_pipes_do_not_lose_bytes),
		cmocka_unit_test(a_closed_pipe_is_an_error_with_its_name),
		cmocka_unit_test(names_are_listed_in_byte_order),
		cmocka_unit_test(a_tree_of_ten_thousand_levels_is_removed_with_few_descriptors),
		cmocka_unit_test(a_wide_tree_is_removed),
		cmocka_unit_test(bushy_trees_are_removed_beyond_the_kept_levels),
		cmocka_unit_test(removal_follows_no_links_and_takes_any_kind_of_file),
		cmocka_unit_test(directories_without_permissions_are_removed),
		cmocka_unit_test(what_is_mounted_in_a_tree_is_not_removed),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
