/*
 * tests/unit/test_layer_roundtrip.c - what a step does to a tree survives the way through a tar.
 *
 * A real overlay mount is changed, its upper directory becomes a tar, the tar becomes a layer
 * elsewhere, and both stacks must show the same tree. And trees that GNU tar and bsdtar pack or
 * unpack must be what they are here.
 */

#include "tests/unit/tree.h"

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>

#include "overlay/diff.h"
#include "overlay/mount.h"
#include "overlay/skeleton.h"
#include "overlay/unpack.h"
#include "tests/unit/tmp.h"

static void unpack_str(struct str tar, int fd)
{
	AUTO(source) struct source *src = source_from_memory(tar.at, tar.len);
	const struct unpack_opts opts = { .below_fd = -1 };
	struct unpack_result result;

	assert_ok(unpack(src, fd, &opts, &result));
	assert_false(result.dependent);
}

static void unpack_lines(const char *lines, int fd)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);

	tree_archive(&tar, lines);
	unpack_str(buf_str(&tar), fd);
}

/* ---- overlay mounts ---- */

/* Two layers below, a new one on top, and where that is unpacked again. */
struct room {
	int low_fd, mid_fd, upper_fd, work_fd, again_fd;
	struct skeleton skeleton;
};

static void room_init(struct room *room, const char *low, const char *mid)
{
	room->low_fd = tree_make(tmp_fd, "low");
	room->mid_fd = tree_make(tmp_fd, "mid");
	room->upper_fd = tree_make(tmp_fd, "upper");
	room->work_fd = tree_make(tmp_fd, "work");
	room->again_fd = tree_make(tmp_fd, "again");
	assert_ok(skeleton_open(tmp_fd, &room->skeleton));
	unpack_lines(low, room->low_fd);
	unpack_lines(mid, room->mid_fd);
}

static void room_auto_(struct room *room)
{
	skeleton_close(&room->skeleton);
	close(room->low_fd);
	close(room->mid_fd);
	close(room->upper_fd);
	close(room->work_fd);
	close(room->again_fd);
}

static int view_with(const struct room *room, int top_fd)
{
	const int lower[] = { top_fd, room->mid_fd, room->low_fd };
	const struct overlay_spec spec = { .lower_fds = top_fd < 0 ? lower + 1 : lower,
					   .lower_count = top_fd < 0 ? 2 : 3,
					   .upper_fd = -1,
					   .work_fd = -1,
					   .skeleton = &room->skeleton };
	int fd = -1;

	assert_ok(overlay_mount(&spec, &fd));
	return fd;
}

static int mount_room(const struct room *room)
{
	const int lower[] = { room->mid_fd, room->low_fd };
	/* Without the skeleton's root below: it would be seen in the tree. */
	const struct skeleton nothing = { .root_fd = room->skeleton.empty_fd,
					  .empty_fd = room->skeleton.empty_fd };
	const struct overlay_spec spec = { .lower_fds = lower,
					   .lower_count = 2,
					   .upper_fd = room->upper_fd,
					   .work_fd = room->work_fd,
					   .skeleton = &nothing };
	int fd = -1;

	assert_ok(overlay_mount(&spec, &fd));
	return fd;
}

/* A tree as text, without the times of directories: a copied-up directory has the time of its last
 * change although nothing of it is in the layer. */
static void timeless(struct buf *out, int fd)
{
	AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);
	struct str rest;

	tree_text(&text, fd, true);
	rest = buf_str(&text);
	while (rest.len > 0) {
		const char *first = rest.at;
		struct str line = str_cut(&rest, '\n');

		/* The time is the fifth word. */
		for (int field = 0; *first == 'd' && field < 5; field++) {
			struct str word = str_cut(&line, ' ');

			if (field < 4)
				buf_addf(out, "%.*s ", STR_ARG(word));
		}
		buf_add_str(out, line);
		buf_addc(out, '\n');
	}
}

/* What the mount shows, and what a stack shows whose top came through a tar, are the same. */
static void check_roundtrip(const struct room *room, int mount_fd, const char *what, char **ret_tar)
{
	AUTO(buf) struct buf seen = BUF_INIT(BUF_MAX), again = BUF_INIT(BUF_MAX);
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), lines = BUF_INIT(BUF_MAX);
	AUTO(sink) struct sink *out = sink_to_buf(&tar);
	AUTO(fd) int below_fd = view_with(room, -1), again_fd = -1;
	const struct diff_opts opts = { .below_fd = below_fd };
	struct diff_result result;

	timeless(&seen, mount_fd);
	assert_ok(err_wrap(diff_write(room->upper_fd, &opts, out, &result), "%s", what));
	assert_ok(sink_finish(out));
	unpack_str(buf_str(&tar), room->again_fd);
	again_fd = view_with(room, room->again_fd);
	timeless(&again, again_fd);
	assert_ok(list(buf_str(&tar), NULL, 4096, &lines));
	if (strcmp(seen.at, again.at) != 0)
		fail_msg("%s: seen\n%s\nthe layer is\n%s\nwhich shows\n%s", what, seen.at,
			 lines.at ? lines.at : "", again.at);
	if (ret_tar)
		*ret_tar = buf_steal(&lines);
}

/* Run a shell command in the directory `fd`. */
static void run_in(int fd, const char *command)
{
	const char *const argv[] = { "sh", "-ec", command, NULL };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		/* A shell whose directory has no path says so. */
		if (fchdir(fd) == 0 && dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2) == 2)
			execvp("sh", (char *const *)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("'%s' ends with %d", command, status);
}

/* The paths of an archive, from its lines, separated by blanks. */
static char *paths_of(const char *lines)
{
	struct str rest = str_of(lines);
	AUTO(buf) struct buf paths = BUF_INIT(BUF_MAX);

	while (rest.len > 0) {
		struct str line = str_cut(&rest, '\n'), path;

		for (int field = 0; field < 5; field++)
			str_cut(&line, ' ');
		path = str_cut(&line, ' ');
		buf_addf(&paths, "%s%.*s", paths.len > 0 ? " " : "", STR_ARG(path));
	}
	return buf_steal(&paths);
}

#define LOW                                                                                 \
	"" D("a") D("a/b") F("a/b/f") F("a/b/g") D("a/c") F("a/c/f") F("a/x") D("e") F("f") \
		F("g") "l 777 0:0 0 1 s -> a\n"                                             \
		       "f 644 0:0 1 5 h1 h\n"                                               \
		       "h 0 0:0 0 0 h2 -> h1\n"
#define MID                                                                                       \
	D("a")                                                                                    \
	D("a/b")                                                                                  \
	"f 0 0:0 0 0 a/b/.wh.g\n" F("a/b/m") D("a/c") "f 0 0:0 0 0 a/c/.wh..wh..opq\n" F("a/c/m") \
		D("n") F("n/f")

TEST(what_a_step_does_is_what_its_layer_says)
{
	static const struct {
		const char *command, *paths;
	} cases[] = {
		{ "true", "" },
		{ "cat f a/b/f >/dev/null; ls -lR . >/dev/null", "" },
		{ "echo new >f", "f" },
		{ "echo new >a/b/new", "a/ a/b/ a/b/new" },
		{ "rm f", ".wh.f" },
		{ "rm a/b/f", "a/ a/b/ a/b/.wh.f" },
		{ "rm a/b/m", "a/ a/b/ a/b/.wh.m" },
		{ "rm -r a", ".wh.a" },
		{ "rm -r a; mkdir a", "a/ a/.wh.b a/.wh.c a/.wh.x" },
		{ "rm -r a; mkdir a; touch a/x a/y", "a/ a/.wh.b a/.wh.c a/x a/y" },
		{ "rm -r a/b; mkdir -p a/b/sub", "a/ a/b/ a/b/.wh.f a/b/.wh.m a/b/sub/" },
		{ "rm -r a; mkdir -p a/b; touch a/b/f", "a/ a/.wh.c a/.wh.x a/b/ a/b/.wh.m a/b/f" },
		{ "rm -r a; touch a", "a" },
		{ "rm f; mkdir f", "f/" },
		{ "rm f; mkdir f; rmdir f", ".wh.f" },
		{ "touch new; rm new", "" },
		{ "mkdir new; touch new/f; rm -r new", "" },
		{ "rm f; cp g f", "f" },
		{ "chmod 700 a/b", "a/ a/b/" },
		{ "chmod 700 a/b; chmod 755 a/b", "" },
		{ "chown 1:2 e", "e/" },
		{ "touch -d @5 e", "" },
		{ "chmod 600 f; chmod 644 f", "f" },
		{ "ln f f2", "f f2" },
		{ "ln h1 h3; rm h1 h2", ".wh.h1 .wh.h2 h3" },
		{ "mv f z", ".wh.f z" },
		{ "mv f a/b", ".wh.f a/ a/b/ a/b/f" },
		{ "mkdir new; mv new new2", "new2/" },
		{ "mv n n2", ".wh.n n2/ n2/f" },
		{ "rm s; ln -s b s", "s" },
		{ "rm s; mkdir s; touch s/c", "s/ s/c" },
		{ "setfattr -n user.x -v 1 e f", "e/ f" },
		{ "setfattr -n user.overlay.opaque -v y e", NULL },
		{ "setcap cap_net_raw+ep f", "f" },
		{ "chmod 700 .", "./" },
		{ "setfattr -n user.x -v 1 .", "./" },
		{ "mkfifo p; mknod n1 c 1 3; mknod n2 b 8 1", "n1 n2 p" },
		{ "truncate -s 3000000 sparse; echo x >>sparse", "sparse" },
		{ "rm -r a/c; mkdir a/c; touch a/c/f", "a/ a/c/ a/c/.wh.m a/c/f" },
		{ "rm -rf a n e f g s h1 h2", ".wh.a .wh.e .wh.f .wh.g .wh.h1 .wh.h2 .wh.n .wh.s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(room) struct room room;
		AUTO(fd) int fd = -1;
		AUTO(mem) char *lines = NULL, *paths = NULL;

		room_init(&room, LOW, MID);
		fd = mount_room(&room);
		run_in(fd, cases[i].command);
		check_roundtrip(&room, fd, cases[i].command, &lines);
		paths = paths_of(lines);
		if (cases[i].paths && strcmp(paths, cases[i].paths) != 0)
			fail_msg("%s: the layer has '%s'", cases[i].command, paths);
	}
}

/* ---- any steps at all ---- */

static uint64_t random_state;

static unsigned pick(unsigned count)
{
	/* splitmix64 */
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ (z >> 31)) % count);
}

static char *pick_path(void)
{
	static const char *const names[] = { "a", "b", "c", "f", "m" };
	AUTO(buf) struct buf path = BUF_INIT(32);

	buf_adds(&path, names[pick(ARRAY_SIZE(names))]);
	while (path.len < 8 && pick(5) < 3)
		buf_addf(&path, "/%s", names[pick(ARRAY_SIZE(names))]);
	return buf_steal(&path);
}

/* Remove a tree by its path, as rm does: links among the parents are followed. */
static void remove_path(int fd, const char *path)
{
	AUTO(mem) char *parent = xasprintf("./%s", path);
	char *slash = strrchr(parent, '/');
	AUTO(fd) int parent_fd = -1;

	*slash = '\0';
	parent_fd = openat(fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd >= 0)
		assert_ok(file_remove_tree(parent_fd, slash + 1));
}

/* One change, which may well fail. */
static void change(int fd)
{
	AUTO(fd) int file_fd = -1;
	AUTO(mem) char *path = pick_path();
	AUTO(mem) char *other = pick_path();
	unsigned what = pick(12);
	ssize_t done = 0;

	switch (what) {
	case 0:
	case 1:
		file_fd = openat(fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600 + pick(64));
		done = file_fd < 0 ? 0 : write(file_fd, path, strlen(path));
		break;
	case 2:
	case 3:
		done = mkdirat(fd, path, 0700 + pick(64));
		break;
	case 4:
	case 5:
		remove_path(fd, path);
		break;
	case 6:
		done = renameat(fd, path, fd, other);
		break;
	case 7:
		done = linkat(fd, path, fd, other, 0);
		break;
	case 8:
		done = symlinkat(other, fd, path);
		break;
	case 9:
		done = fchmodat(fd, path, 0700 + pick(64), 0);
		break;
	case 10:
		file_fd = openat(fd, path, O_RDONLY | O_CLOEXEC);
		done = fsetxattr(file_fd, pick(2) ? "user.x" : "user.y", path, pick(3), 0);
		break;
	default:
		done = renameat2(fd, path, fd, other, RENAME_EXCHANGE);
		break;
	}
	(void)done;
}

TEST(any_changes_survive_the_way_through_a_tar)
{
	for (unsigned seed = 1; seed <= 40; seed++) {
		AUTO(mem) char *what = xasprintf("seed %u", seed);
		AUTO(room) struct room room;
		AUTO(fd) int fd = -1;

		random_state = seed;
		room_init(&room, LOW, MID);
		fd = mount_room(&room);
		for (int i = 0; i < 60; i++)
			change(fd);
		check_roundtrip(&room, fd, what, NULL);
	}
}

/* ---- other tools ---- */

/* A tree with everything that an image may hold. */
#define BUSY                                                                                 \
	"set -e; umask 022; mkdir -p d/deep/er t; chmod 1777 t; echo hello >d/f; "           \
	"ln d/f d/hard; ln d/f t/hard; ln -s ../d/f t/soft; ln -s /nowhere t/broken; "       \
	"mkfifo t/pipe; mknod t/null c 1 3; mknod t/disk b 259 7; chmod 4755 d/f; "          \
	"echo cap >d/cap; chmod 755 d/cap; setcap cap_net_raw+ep d/cap; "                    \
	"setfattr -n user.one -v 1 d/f d/deep; setfattr -n user.bin -v 0x00ff0a d/deep; "    \
	"touch \"$(printf 'new\\nline')\" \"$(printf 'bad\\377utf')\" 'blank ' ; "           \
	"long=$(printf '%0200d' 0); mkdir $long; echo x >$long/$long; ln -s $long/$long l; " \
	"echo x >big; chown 3000000:4000000000 big; chgrp 50 t; chmod 2775 d/deep; "         \
	"truncate -s 2000000 sparse; echo end >>sparse; : >empty; echo x >old; "             \
	"find . -depth -exec touch -h -d @1600000000 {} +; touch -d @-5 old; touch -d @1500000000 d"

/* Not the root directory itself: its time is not the same everywhere. */
static void assert_same_tree(const char *what, int a, int b)
{
	AUTO(buf) struct buf x = BUF_INIT(BUF_MAX), y = BUF_INIT(BUF_MAX);

	tree_text(&x, a, false);
	tree_text(&y, b, false);
	assert_text(what, &x, y.at);
}

TEST(archives_of_other_tools_unpack_as_those_tools_unpack_them)
{
#define GNU_UNPACK "tar --xattrs --xattrs-include=* -xpf ../packed.tar"
	static const struct {
		const char *pack, *unpack;
	} cases[] = {
		{ "tar --format=pax --xattrs --xattrs-include=* -cf ../packed.tar .", GNU_UNPACK },
		{ "tar --format=gnu -cf ../packed.tar .", GNU_UNPACK },
		{ "tar --format=pax --xattrs --xattrs-include=* -S -cf ../packed.tar .",
		  GNU_UNPACK },
		/* Everything before the directory that it is in. */
		{ "find . -mindepth 1 -print0 | sort -rz | tar --format=pax --xattrs "
		  "--xattrs-include=* --no-recursion --null -T - -cf ../packed.tar",
		  GNU_UNPACK },
		{ "bsdtar --format=pax --no-fflags --no-acls -cf ../packed.tar .",
		  "bsdtar -xpf ../packed.tar" },
	};
	AUTO(fd) int busy_fd = tree_make(tmp_fd, "busy");

	run_in(busy_fd, BUSY);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf tar = BUF_INIT((size_t)64 * 1024 * 1024);
		AUTO(fd) int ours_fd = tree_make(tmp_fd, "ours"), theirs_fd = -1;
		AUTO(source) struct source *src = NULL;
		const struct unpack_opts opts = { .below_fd = -1 };
		struct unpack_result result;

		run_in(busy_fd, cases[i].pack);
		theirs_fd = tree_make(tmp_fd, "theirs");
		run_in(theirs_fd, cases[i].unpack);
		assert_ok(file_read(tmp_fd, "packed.tar", tar.max, &tar));
		src = source_from_memory(tar.at, tar.len);
		assert_ok(unpack(src, ours_fd, &opts, &result));
		assert_same_tree(cases[i].pack, ours_fd, theirs_fd);
	}
}

TEST(our_archives_unpack_with_other_tools)
{
	static const char *const unpackers[] = {
		"tar --xattrs --xattrs-include=* -xpf ../ours.tar",
		"bsdtar -xpf ../ours.tar",
		"python3 -c 'import tarfile; tarfile.open(\"../ours.tar\").extractall(numeric_owner=True)'"
		"; tar --xattrs --xattrs-include=* -xpf ../ours.tar",
	};
	AUTO(fd) int busy_fd = tree_make(tmp_fd, "busy"), tar_fd = -1;
	const struct diff_opts opts = { .below_fd = -1 };
	AUTO(sink) struct sink *out = NULL;
	struct diff_result result;

	run_in(busy_fd, BUSY);
	tar_fd = openat(tmp_fd, "ours.tar", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	out = sink_to_fd(STEAL_FD(tar_fd), "ours.tar");
	assert_ok(diff_write(busy_fd, &opts, out, &result));
	assert_ok(sink_finish(out));
	for (size_t i = 0; i < ARRAY_SIZE(unpackers); i++) {
		AUTO(fd) int theirs_fd = tree_make(tmp_fd, "theirs");

		run_in(theirs_fd, unpackers[i]);
		assert_same_tree(unpackers[i], theirs_fd, busy_fd);
	}
	run_in(busy_fd, "tar --xattrs --xattrs-include=* -df ../ours.tar");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_step_does_is_what_its_layer_says),
		cmocka_unit_test(any_changes_survive_the_way_through_a_tar),
		cmocka_unit_test(archives_of_other_tools_unpack_as_those_tools_unpack_them),
		cmocka_unit_test(our_archives_unpack_with_other_tools),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
