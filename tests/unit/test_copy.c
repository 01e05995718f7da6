/* tests/unit/test_copy.c - COPY's rules for names, owners and modes, one row each.
 *
 * The rows follow the reference's section on COPY: what frontend 1.26 does.
 */

#include "tests/unit/unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/pool.h"
#include "builder/copy.h"
#include "builder/ignore.h"
#include "builder/selection.h"
#include "overlay/kernel-private.h"
#include "tests/unit/scene.h"
#include "tests/unit/tmp.h"

static int source_fd, below_fd, layer_fd;

static int fresh_dir(const char *name)
{
	int fd;

	assert_ok(file_remove_tree(tmp_fd, name));
	assert_ok(file_make_dirs(tmp_fd, name, 0755, &fd));
	return fd;
}

static int open_scene(__attribute__((unused)) void **state)
{
	umask(022);
	source_fd = fresh_dir("source");
	below_fd = fresh_dir("below");
	layer_fd = fresh_dir("layer");
	return 0;
}

static int close_scene(__attribute__((unused)) void **state)
{
	close(source_fd);
	close(below_fd);
	close(layer_fd);
	return 0;
}

/* One COPY as the Recipe would say it. */
struct line {
	const char *sources; /* separated by blanks */
	const char *dest;
	const char *chmod;   /* NULL: none */
	const char *ignore;  /* an ignore file, or NULL */
	const char *exclude; /* one pattern, or NULL */
	bool parents;
	bool given_owner, keep_owner;
	uid_t uid;
	gid_t gid;
	struct pool *pool; /* NULL: this thread alone */
};

static struct err *copy(const struct line *line)
{
	struct copy_opts opts = { .dest = line->dest,
				  .dest_is_dir = str_ends(str_of(line->dest), "/"),
				  .given_owner = line->given_owner,
				  .keep_owner = line->keep_owner,
				  .uid = line->uid,
				  .gid = line->gid,
				  .pool = line->pool };
	AUTO(ignore) struct ignore *ignore = NULL;
	AUTO(tree) struct tree *tree = NULL;
	AUTO(strings) struct strings excludes = { 0 };
	AUTO(selection)
	struct selection selection = { .excludes = &excludes, .parents = line->parents };
	AUTO(mem) char *sources = xstrdup(line->sources);

	if (line->exclude)
		strings_push(&excludes, line->exclude);
	if (line->ignore)
		TRY(ignore_parse("ignore", str_of(line->ignore), &ignore));
	if (line->chmod)
		TRY(chmod_parse(str_of(line->chmod), &opts.chmod));
	TRY(tree_open(dup(source_fd), ignore, NULL, &tree));
	for (char *source = strtok(sources, " "); source; source = strtok(NULL, " "))
		TRY(selection_add(&selection, tree, source, "the build context"));
	if (selection.len > 1)
		opts.dest_is_dir = true;
	TRY(selection_load(&selection, tree, line->pool));
	return copy_run(tree, &selection, &opts, below_fd, layer_fd);
}

struct row {
	const char *what;
	const char *source, *below; /* scenes */
	struct line line;
	const char *want; /* the layer's scene */
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(mem) char *got = NULL;
		struct err *err;

		close_scene(NULL);
		open_scene(NULL);
		scene_make(source_fd, rows[i].source);
		scene_make(below_fd, rows[i].below);
		err = copy(&rows[i].line);
		if (err)
			fail_msg("%s: %s", rows[i].what, err_text(err));
		got = scene_tell(layer_fd);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got\n%swant\n%s", rows[i].what, got, rows[i].want);
	}
}

TEST(puts_files_where_the_destination_says)
{
	static const struct row rows[] = {
		{ "a file under a new name",
		  "f 640 a x\n",
		  "",
		  { .sources = "a", .dest = "/b" },
		  "f 640 b x\n" },
		{ "a trailing slash makes a directory",
		  "f 644 a x\n",
		  "",
		  { .sources = "a", .dest = "/b/" },
		  "d 755 b\nf 644 b/a x\n" },
		{ "into a directory that exists, with its mode",
		  "f 644 a x\n",
		  "d 1777 b\n",
		  { .sources = "a", .dest = "/b" },
		  "d 1777 b\nf 644 b/a x\n" },
		{ "parents are made, 755",
		  "f 600 a x\n",
		  "",
		  { .sources = "a", .dest = "/p/q/b" },
		  "d 755 p\nd 755 p/q\nf 600 p/q/b x\n" },
		{ "a directory stands for its contents",
		  "d 700 d\nf 644 d/a x\nd 711 d/e\n",
		  "",
		  { .sources = "d", .dest = "/t" },
		  "d 755 t\nf 644 t/a x\nd 711 t/e\n" },
		{ "an existing top directory keeps its mode, nested ones take the source's",
		  "d 700 d\nd 711 d/e\n",
		  "d 750 t\nd 700 t/e\n",
		  { .sources = "d", .dest = "/t" },
		  "d 750 t\nd 711 t/e\n" },
		{ "several files go into a directory",
		  "f 644 a x\nf 644 b y\n",
		  "",
		  { .sources = "a b", .dest = "/t/" },
		  "d 755 t\nf 644 t/a x\nf 644 t/b y\n" },
		{ "a pattern flattens directories",
		  "d 755 d1\nf 644 d1/a x\nd 755 d2\nf 644 d2/b y\n",
		  "",
		  { .sources = "d*", .dest = "/t/" },
		  "d 755 t\nf 644 t/a x\nf 644 t/b y\n" },
		{ "a star takes dot files",
		  "f 644 .a x\nf 644 b y\n",
		  "",
		  { .sources = "*", .dest = "/" },
		  "f 644 .a x\nf 644 b y\n" },
		{ "a pattern without a match is skipped",
		  "f 644 a x\n",
		  "",
		  { .sources = "a *.c", .dest = "/t/" },
		  "d 755 t\nf 644 t/a x\n" },
		{ "patterns match within a component",
		  "d 755 s\nd 755 s/x\nf 644 s/x/a 1\n",
		  "",
		  { .sources = "s/?/[a-c]", .dest = "/t/" },
		  "d 755 t\nf 644 t/a 1\n" },
		{ "dots in a source stay in the root",
		  "f 644 a x\n",
		  "",
		  { .sources = "../../d/../a", .dest = "/b" },
		  "f 644 b x\n" },
		{ "the whole context",
		  "f 644 a x\nd 755 d\n",
		  "",
		  { .sources = ".", .dest = "/" },
		  "f 644 a x\nd 755 d\n" },
		{ "a slash behind a source is dropped",
		  "f 644 a x\nd 700 d\nf 644 d/b y\n",
		  "",
		  { .sources = "a/ d/", .dest = "/t/" },
		  "d 755 t\nf 644 t/a x\nf 644 t/b y\n" },
		{ "patterns without a match leave nothing at all",
		  "f 644 a x\n",
		  "",
		  { .sources = "*.c d/* [b-z]", .dest = "/t/" },
		  "" },
		{ "a special character in brackets is itself",
		  "f 644 arr[0].txt x\nf 644 arr0.txt y\n",
		  "",
		  { .sources = "arr[[]0].txt", .dest = "/t/" },
		  "d 755 t\nf 644 t/arr[0].txt x\n" },
		{ "so is one behind a backslash",
		  "f 644 a* x\nf 644 ab y\n",
		  "",
		  { .sources = "a\\*", .dest = "/t/" },
		  "d 755 t\nf 644 t/a* x\n" },
		{ "two stars are one, within a component",
		  "f 644 f 0\nd 755 s\nd 755 s/x\nf 644 s/x/f 1\nd 755 s/x/y\nf 644 s/x/y/f 2\n",
		  "",
		  { .sources = "s/**/f", .dest = "/t/" },
		  "d 755 t\nf 644 t/f 1\n" },
		{ "one match alone takes the destination's name",
		  "f 644 a.c x\n",
		  "",
		  { .sources = "*.c", .dest = "/t" },
		  "f 644 t x\n" },
		{ "a directory that exists keeps its owner, too, and nested ones get a new one",
		  "d 700 d\nd 711 d/e\n",
		  "d 750,3,4 t\nd 700,5,6 t/e\n",
		  { .sources = "d", .dest = "/t" },
		  "d 750,3,4 t\nd 711 t/e\n" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(follows_links_where_users_expect_it)
{
	static const struct row rows[] = {
		{ "a link as source is followed",
		  "f 644 a x\nl - ln a\n",
		  "",
		  { .sources = "ln", .dest = "/b" },
		  "f 644 b x\n" },
		{ "a link on the way is followed",
		  "d 755 d\nf 644 d/a x\nl - ln d\n",
		  "",
		  { .sources = "ln/a", .dest = "/b" },
		  "f 644 b x\n" },
		{ "an absolute link is rooted in the context",
		  "f 644 a x\nl - ln /a\n",
		  "",
		  { .sources = "ln", .dest = "/b" },
		  "f 644 b x\n" },
		{ "a link inside a directory stays a link",
		  "d 755 d\nl - d/ln ../../etc\n",
		  "",
		  { .sources = "d", .dest = "/t" },
		  "d 755 t\nl - t/ln ../../etc\n" },
		{ "a link in the destination is followed within the root",
		  "f 644 a x\n",
		  "d 755 usr\nd 750 usr/lib\nl - lib usr/lib\n",
		  { .sources = "a", .dest = "/lib/" },
		  "d 755 usr\nd 750 usr/lib\nf 644 usr/lib/a x\n" },
		{ "an absolute link, too",
		  "f 644 a x\n",
		  "d 700 real\nl - ln /real\n",
		  { .sources = "a", .dest = "/ln/sub/b" },
		  "d 700 real\nd 755 real/sub\nf 644 real/sub/b x\n" },
		{ "a link cannot climb out",
		  "f 644 a x\n",
		  "l - ln ../../../out\n",
		  { .sources = "a", .dest = "/ln/b" },
		  "d 755 out\nf 644 out/b x\n" },
		{ "a link to a file as the destination",
		  "f 644 a x\n",
		  "f 600 real y\nl - ln real\n",
		  { .sources = "a", .dest = "/ln" },
		  "f 644 real x\n" },
		{ "a link that a pattern matches is followed",
		  "d 755 d\nf 644 d/a x\nl - l1 d\nl - l2 d/a\n",
		  "",
		  { .sources = "l?", .dest = "/t/" },
		  "d 755 t\nf 644 t/a x\nf 644 t/l2 x\n" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(gives_owners_and_modes)
{
	static const struct row rows[] = {
		{ "the context's owners are dropped",
		  "f 644,5,6 a x\nd 755,7,8 d\n",
		  "",
		  { .sources = ".", .dest = "/t" },
		  "d 755 t\nf 644 t/a x\nd 755 t/d\n" },
		{ "a stage's owners are kept",
		  "f 644,5,6 a x\nd 755,7,8 d\n",
		  "",
		  { .sources = ".", .dest = "/t", .keep_owner = true },
		  "d 755 t\nf 644,5,6 t/a x\nd 755,7,8 t/d\n" },
		{ "--chown also owns new parents",
		  "f 644 a x\n",
		  "d 755 old\n",
		  { .sources = "a", .dest = "/old/new/b", .given_owner = true, .uid = 9, .gid = 9 },
		  "d 755 old\nd 755,9,9 old/new\nf 644,9,9 old/new/b x\n" },
		{ "an octal --chmod also applies to new parents and directories",
		  "d 755 d\nd 755 d/e\nf 644 d/a x\n",
		  "",
		  { .sources = "d", .dest = "/t", .chmod = "770" },
		  "d 770 t\nf 770 t/a x\nd 770 t/e\n" },
		{ "a symbolic one does not apply to new parents",
		  "d 700 d\nf 600 d/a x\n",
		  "",
		  { .sources = ".", .dest = "/t", .chmod = "go=rX" },
		  "d 755 t\nd 755 t/d\nf 644 t/d/a x\n" },
		{ "neither is for links, nor for what they lead to",
		  "d 755 d\nl - d/in a\nl - d/out ../old\nf 644 d/a x\n",
		  "f 604 old y\n",
		  { .sources = "d", .dest = "/t", .chmod = "700" },
		  "d 700 t\nf 700 t/a x\nl - t/in a\nl - t/out ../old\n" },
		{ "an octal one leaves parents that exist",
		  "f 644 a x\n",
		  "d 755 old\n",
		  { .sources = "a", .dest = "/old/new/b", .chmod = "0770" },
		  "d 755 old\nd 770 old/new\nf 770 old/new/b x\n" },
		{ "set-id bits survive an owner",
		  "f 4755 a x\n",
		  "",
		  { .sources = "a", .dest = "/b", .given_owner = true, .uid = 3, .gid = 4 },
		  "f 4755,3,4 b x\n" },
		{ "a set-group-id directory does not give its group away",
		  "f 644 a x\nd 755 d\nf 644 d/b y\n",
		  "d 2775,0,50 t\n",
		  { .sources = ".", .dest = "/t" },
		  "d 2775,0,50 t\nf 644 t/a x\nd 755 t/d\nf 644 t/d/b y\n" },
		{ "a fifo stays one",
		  "p 620 a\n",
		  "",
		  { .sources = "a", .dest = "/b" },
		  "p 620 b\n" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(sees_the_context_through_the_ignore_file)
{
	static const struct row rows[] = {
		{ "what is ignored does not exist",
		  "f 644 a x\nd 755 d\nf 644 d/b y\n",
		  "",
		  { .sources = ".", .dest = "/", .ignore = "d\n" },
		  "f 644 a x\n" },
		{ "a directory comes back with what was re-included",
		  "d 711 d\nf 644 d/a x\nf 644 d/b y\nd 755 e\nf 644 e/c z\n",
		  "",
		  { .sources = ".", .dest = "/", .ignore = "*\n!d/a\n" },
		  "d 711 d\nf 644 d/a x\n" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(leaves_out_what_is_excluded)
{
	static const struct row rows[] = {
		{ "in every directory that is copied",
		  "d 755 d1\nf 644 d1/a x\nf 644 d1/b y\nd 755 d2\nf 644 d2/b z\n",
		  "",
		  { .sources = "d*", .dest = "/t/", .exclude = "a" },
		  "d 755 t\nf 644 t/b z\n" },
		{ "but not a file that is named",
		  "f 644 a x\n",
		  "",
		  { .sources = "a", .dest = "/b", .exclude = "a" },
		  "f 644 b x\n" },
		{ "nor one that a pattern matches",
		  "f 644 a.c x\nf 644 b.c y\nd 755 d.c\nf 644 d.c/a.c z\nf 644 d.c/e 1\n",
		  "",
		  { .sources = "*.c", .dest = "/t/", .exclude = "*.c" },
		  "d 755 t\nf 644 t/a.c x\nf 644 t/b.c y\nf 644 t/e 1\n" },
		{ "if that is everything, an empty directory is left",
		  "d 755 d\nf 644 d/a x\n",
		  "",
		  { .sources = "d*", .dest = "/t", .exclude = "*" },
		  "d 755 t\n" },
		{ "with all that is below",
		  "d 755 d\nd 755 d/e\nf 644 d/e/f x\nf 644 d/g y\n",
		  "",
		  { .sources = ".", .dest = "/", .exclude = "d/e" },
		  "d 755 d\nf 644 d/g y\n" },
		{ "and what the ignore file takes stays away",
		  "d 755 d\nf 644 d/a x\nf 644 d/b y\nf 644 d/c z\n",
		  "",
		  { .sources = "d", .dest = "/", .ignore = "d\n!d/b\n!d/c\n", .exclude = "c" },
		  "f 644 b y\n" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(takes_the_directories_along_with_parents)
{
	static const struct row rows[] = {
		{ "the path below the destination, with the metadata of the source",
		  "d 750 a\nd 711 a/b\nf 600 a/b/c x\nf 600 a/d y\n",
		  "",
		  { .sources = "a/b/c", .dest = "/t", .parents = true },
		  "d 755 t\nd 750 t/a\nd 711 t/a/b\nf 600 t/a/b/c x\n" },
		{ "also where they are",
		  "d 750 a\nf 600 a/c x\n",
		  "d 700 t\nd 700 t/a\n",
		  { .sources = "a/c", .dest = "/t/", .parents = true },
		  "d 700 t\nd 750 t/a\nf 600 t/a/c x\n" },
		{ "from the pivot on",
		  "d 750 a\nd 711 a/b\nf 600 a/b/c x\n",
		  "",
		  { .sources = "a/./b/c", .dest = "/", .parents = true },
		  "d 711 b\nf 600 b/c x\n" },
		{ "from the first pivot on",
		  "d 750 a\nd 711 a/b\nf 600 a/b/c x\n",
		  "",
		  { .sources = "a/./b/./c", .dest = "/", .parents = true },
		  "d 711 b\nf 600 b/c x\n" },
		{ "a directory has its name, and all that is in it",
		  "d 750 a\nd 711 a/b\nf 600 a/b/c x\nf 600 a/d y\n",
		  "",
		  { .sources = "a/b", .dest = "/t", .parents = true },
		  "d 755 t\nd 750 t/a\nd 711 t/a/b\nf 600 t/a/b/c x\n" },
		{ "the number of directories in a path is any",
		  "d 750 a\nd 711 a/b\nf 600 a/b/f x\nf 600 f y\nf 600 a/g z\n",
		  "",
		  { .sources = "**/f no/*", .dest = "/t/", .parents = true },
		  "d 755 t\nd 750 t/a\nd 711 t/a/b\nf 600 t/a/b/f x\nf 600 t/f y\n" },
		{ "owners and modes are for all of them",
		  "d 750 a\nf 600 a/c x\n",
		  "",
		  { .sources = "a/c",
		    .dest = "/",
		    .parents = true,
		    .chmod = "u=rwX,go=rX",
		    .given_owner = true,
		    .uid = 3,
		    .gid = 4 },
		  "d 755,3,4 a\nf 644,3,4 a/c x\n" },
		{ "owners of a stage are kept",
		  "d 750,7,8 a\nf 600,5,6 a/c x\n",
		  "",
		  { .sources = "a/c", .dest = "/", .parents = true, .keep_owner = true },
		  "d 750,7,8 a\nf 600,5,6 a/c x\n" },
		{ "several sources share theirs",
		  "d 750 a\nf 600 a/c x\nf 600 a/d y\nf 600 a/e z\n",
		  "",
		  { .sources = "a/c a/d", .dest = "/", .parents = true },
		  "d 750 a\nf 600 a/c x\nf 600 a/d y\n" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(puts_down_a_text_as_if_it_were_a_source)
{
	static const struct {
		const char *below, *dest;
		const char *chmod;
		bool given_owner;
		const char *want;
	} cases[] = {
		{ "", "/t", NULL, false, "f 644 t hello\n" },
		{ "", "/t/", NULL, false, "d 755 t\nf 644 t/EOF hello\n" },
		{ "d 700 t\n", "/t", NULL, false, "d 700 t\nf 644 t/EOF hello\n" },
		{ "l - t /u\n", "/t", NULL, false, "f 644 u hello\n" },
		{ "", "/p/t", "4711", true, "d 4711,3,4 p\nf 4711,3,4 p/t hello\n" },
		{ "", "/t", "u+x,go=", false, "f 700 t hello\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct copy_opts how = { .dest = cases[i].dest,
					 .dest_is_dir = str_ends(str_of(cases[i].dest), "/") };
		AUTO(mem) char *got = NULL;

		close_scene(NULL);
		open_scene(NULL);
		scene_make(below_fd, cases[i].below);
		if (cases[i].chmod)
			assert_ok(chmod_parse(str_of(cases[i].chmod), &how.chmod));
		how.given_owner = cases[i].given_owner;
		how.uid = cases[i].given_owner ? 3 : 0;
		how.gid = cases[i].given_owner ? 4 : 0;
		assert_ok(copy_text("EOF", STR("hello"), &how, below_fd, layer_fd));
		got = scene_tell(layer_fd);
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s: got\n%swant\n%s", cases[i].dest, got, cases[i].want);
	}
	scene_make(below_fd, "d 755 d\nd 755 d/EOF\n");
	assert_fails(copy_text("EOF", STR("x"),
			       &(struct copy_opts){ .dest = "/d/", .dest_is_dir = true }, below_fd,
			       layer_fd),
		     ERR_INVALID);
}

TEST(keeps_hard_links_within_a_source)
{
	struct stat one, two;

	scene_make(source_fd, "d 755 d\nf 644 d/a x\nh - d/b d/a\n");
	assert_ok(copy(&(struct line){ .sources = "d", .dest = "/" }));
	assert_int_equal(fstatat(layer_fd, "a", &one, 0), 0);
	assert_int_equal(fstatat(layer_fd, "b", &two, 0), 0);
	assert_int_equal(one.st_ino, two.st_ino);
}

TEST(keeps_no_hard_links_from_one_source_to_another)
{
	AUTO(mem) char *got = NULL;

	scene_make(source_fd, "d 755 a\nf 644 a/x AAA\nd 755 b\nf 644 b/x BBB\nd 755 c\n"
			      "h - c/y a/x\n");
	assert_ok(copy(&(struct line){ .sources = "a b c", .dest = "/d/" }));
	got = scene_tell(layer_fd);
	assert_string_equal(got, "d 755 d\nf 644 d/x BBB\nf 644 d/y AAA\n");
}

struct meddler {
	atomic_bool stop;
	bool attribute; /* meddle with that, and not with the bytes */
};

/* Change the source as soon as its copy appears: by then it has been opened and looked at. */
static void *meddle(void *arg)
{
	struct meddler *meddler = arg;
	AUTO(fd) int fd = openat(source_fd, "a", O_RDWR | O_CLOEXEC);

	while (!atomic_load(&meddler->stop)) {
		if (faccessat(layer_fd, "a", F_OK, 0) < 0) {
			sched_yield();
			continue;
		}
		if (meddler->attribute)
			fsetxattr(fd, "user.note", "x", 1, 0);
		else if (pwrite(fd, "x", 1, 0) < 0)
			break;
		break;
	}
	return NULL;
}

/* Whether copying fails if somebody changes the file meanwhile; tried until he was fast enough. */
static bool notices(bool attribute)
{
	bool failed = false;

	for (int i = 0; i < 40 && !failed; i++) {
		struct meddler meddler = { .attribute = attribute };
		pthread_t thread;
		struct err *err;

		assert_int_equal(pthread_create(&thread, NULL, meddle, &meddler), 0);
		err = copy(&(struct line){ .sources = "a", .dest = "/" });
		atomic_store(&meddler.stop, true);
		pthread_join(thread, NULL);
		if (err && !strstr(err_text(err), "changed while it was read"))
			fail_msg("%s", err_text(err));
		failed = err != NULL;
		err_free(err);
		assert_int_equal(unlinkat(layer_fd, "a", 0), 0);
	}
	return failed;
}

TEST(a_file_that_changes_while_it_is_copied_fails_the_copy)
{
	enum { SIZE = 32 << 20 };
	AUTO(mem) char *bytes = xcalloc(1, SIZE);
	AUTO(fd) int fd = openat(source_fd, "a", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	memset(bytes, 'y', SIZE);
	assert_ok(file_write_all(fd, bytes, SIZE, "a"));
	assert_true(notices(false));
	assert_true(notices(true));
}

TEST(a_socket_becomes_an_empty_file_and_devices_stay)
{
	AUTO(fd) int dir_fd = -1;
	struct stat st;

	scene_make(source_fd, "d 755 d\np 620 d/pipe\n");
	assert_ok(file_open_dir(source_fd, "d", &dir_fd));
	assert_int_equal(mknodat(dir_fd, "char", S_IFCHR | 0604, makedev(1, 3)), 0);
	assert_int_equal(mknodat(dir_fd, "block", S_IFBLK | 0600, makedev(7, 0)), 0);
	assert_int_equal(mknodat(dir_fd, "socket", S_IFSOCK | 0640, 0), 0);
	assert_ok(copy(&(struct line){ .sources = "d", .dest = "/" }));
	assert_int_equal(fstatat(layer_fd, "char", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFCHR | 0604);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	assert_int_equal(fstatat(layer_fd, "block", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFBLK | 0600);
	assert_int_equal(st.st_rdev, makedev(7, 0));
	assert_int_equal(fstatat(layer_fd, "pipe", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0620);
	assert_int_equal(fstatat(layer_fd, "socket", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(st.st_size, 0);
}

TEST(refuses_a_device_that_would_be_a_whiteout)
{
	assert_int_equal(mknodat(source_fd, "null", S_IFCHR | 0644, makedev(1, 3)), 0);
	assert_ok(copy(&(struct line){ .sources = ".", .dest = "/" }));
	assert_int_equal(mknodat(source_fd, "gone", S_IFCHR | 0644, makedev(0, 0)), 0);
	assert_fails(copy(&(struct line){ .sources = "gone", .dest = "/" }), ERR_INVALID);
}

/* ACLs in the kernel's coding (linux/posix_acl_xattr.h): u::rwx,u:7:rwx,g::r-x,m::rwx,o::r-x. */
static const char acl[] = "\x02\0\0\0"
			  "\x01\0\x07\0\xff\xff\xff\xff"
			  "\x02\0\x07\0\x07\0\0\0"
			  "\x04\0\x05\0\xff\xff\xff\xff"
			  "\x10\0\x07\0\xff\xff\xff\xff"
			  "\x20\0\x05\0\xff\xff\xff\xff";

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

static void set_acl(int dir_fd, const char *path, const char *name)
{
	AUTO(fd) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(fsetxattr(fd, name, acl, sizeof(acl) - 1, 0), 0);
}

static bool has_acl(const char *path, const char *name)
{
	AUTO(fd) int fd = openat(layer_fd, path, O_RDONLY | O_CLOEXEC);
	char value[sizeof(acl)];

	assert_true(fd >= 0);
	return fgetxattr(fd, name, value, sizeof(value)) == sizeof(acl) - 1 &&
	       memcmp(value, acl, sizeof(acl) - 1) == 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(layer_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

TEST(keeps_access_lists)
{
	scene_make(source_fd, "d 755 d\nf 755 d/a x\nf 644 d/plain x\nd 755 d/e\nf 644 d/e/f x\n");
	set_acl(source_fd, "d/a", ACCESS);
	set_acl(source_fd, "d/e", DEFAULT);
	assert_ok(copy(&(struct line){ .sources = "d", .dest = "/" }));
	assert_true(has_acl("a", ACCESS));
	assert_true(has_acl("e", DEFAULT));
	assert_false(has_acl("plain", ACCESS));
	assert_int_equal(mode_of("e/f"), 0644);
	assert_ok(copy(&(struct line){ .sources = "d", .dest = "/" })); /* once more, over it */
	assert_true(has_acl("e", DEFAULT));
	assert_int_equal(mode_of("e/f"), 0644);
}

TEST(a_mode_that_was_asked_for_bounds_an_access_list)
{
	scene_make(source_fd, "f 755 a x\n");
	set_acl(source_fd, "a", ACCESS);
	assert_ok(copy(&(struct line){ .sources = "a", .dest = "/", .chmod = "600" }));
	assert_int_equal(mode_of("a"), 0600);
}

TEST(what_is_put_into_a_directory_inherits_no_access_list)
{
	scene_make(below_fd, "d 755 t\nd 755 t/u\n");
	set_acl(below_fd, "t", DEFAULT);
	set_acl(below_fd, "t/u", ACCESS);
	scene_make(source_fd, "f 640 a x\nd 711 new\nd 700 u\n");
	assert_ok(copy(&(struct line){ .sources = "a new", .dest = "/t/sub/" }));
	assert_ok(copy(&(struct line){ .sources = ".", .dest = "/t" }));
	assert_true(has_acl("t", DEFAULT));
	assert_int_equal(mode_of("t/a"), 0640);
	assert_int_equal(mode_of("t/new"), 0711);
	assert_int_equal(mode_of("t/sub"), 0755);
	assert_false(has_acl("t/sub", DEFAULT));
	assert_false(has_acl("t/new", DEFAULT));
	assert_int_equal(mode_of("t/u"), 0700); /* the source's, and nothing of what it had */
	assert_false(has_acl("t/u", ACCESS));
}

TEST(holes_stay_holes)
{
	enum { SIZE = 8 << 20 };
	AUTO(fd) int from = openat(source_fd, "a", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	AUTO(buf) struct buf bytes = BUF_INIT(SIZE);
	struct stat st;

	assert_int_equal(ftruncate(from, SIZE), 0);
	assert_int_equal(pwrite(from, "data", 4, 5 << 20), 4);
	assert_ok(copy(&(struct line){ .sources = "a", .dest = "/" }));
	assert_int_equal(fstatat(layer_fd, "a", &st, 0), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_true(st.st_blocks * 512 < SIZE / 4);
	assert_ok(file_read(layer_fd, "a", SIZE, &bytes));
	for (size_t i = 0; i < SIZE; i++)
		if (bytes.at[i] != (i - (5 << 20) < 4 ? "data"[i - (5 << 20)] : 0))
			fail_msg("byte %zu", i);
}

static void set_time(int dir_fd, const char *path, time_t time)
{
	const struct timespec times[2] = { { .tv_sec = time }, { .tv_sec = time } };

	assert_int_equal(utimensat(dir_fd, path, times, 0), 0);
}

TEST(directories_on_the_way_keep_their_times)
{
	static const char *const paths[] = { "usr", "usr/lib", "usr/lib/deep" };

	scene_make(below_fd, "d 755 usr\nd 755 usr/lib\nd 755 usr/lib/deep\n");
	for (size_t i = ARRAY_SIZE(paths); i > 0; i--)
		set_time(below_fd, paths[i - 1], 1000 * (time_t)i);
	scene_make(source_fd, "f 644 a x\nd 755 d\nf 644 d/b x\n");
	assert_ok(copy(&(struct line){ .sources = "a d", .dest = "/usr/lib/deep/" }));
	assert_ok(copy(&(struct line){ .sources = "a", .dest = "/usr/lib/new" }));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct stat st;

		assert_int_equal(fstatat(layer_fd, paths[i], &st, 0), 0);
		assert_int_equal(st.st_mtime, 1000 * (i + 1));
	}
}

TEST(what_the_layer_has_replaced_is_not_followed_below)
{
	AUTO(mem) char *got = NULL;

	scene_make(below_fd, "d 755 real\nl - ln real\n");
	scene_make(layer_fd, "f 644 ln now a file\n");
	scene_make(source_fd, "f 644 a x\n");
	assert_fails(copy(&(struct line){ .sources = "a", .dest = "/ln/" }), ERR_INVALID);
	assert_fails(copy(&(struct line){ .sources = "a", .dest = "/ln/b" }), ERR_INVALID);
	assert_ok(copy(&(struct line){ .sources = "a", .dest = "/ln" }));
	got = scene_tell(layer_fd);
	assert_string_equal(got, "f 644 ln x\n");
}

/* 30 directories, one within another after each fifth, of 20 files each. */
static void make_large_source(void)
{
	AUTO(buf) struct buf scene = BUF_INIT(1 << 20);
	AUTO(mem) char *dir = xstrdup("");

	for (int i = 0; i < 30; i++) {
		char *next = xasprintf("%sd%d", i % 5 ? dir : "", i);

		buf_addf(&scene, "d %o %s\n", i % 2 ? 0755 : 0500, next);
		for (int k = 0; k < 20; k++)
			buf_addf(&scene, "f %o %s/f%d %d/%d\n", k % 3 ? 0644 : 0711, next, k, i, k);
		free(dir);
		dir = xasprintf("%s/", next);
		free(next);
	}
	scene_make(source_fd, scene.at);
	for (int i = 0; i < 30; i += 5) {
		const struct timespec times[2] = { { .tv_sec = 1000 + i }, { .tv_sec = 1000 + i } };
		char name[16];

		snprintf(name, sizeof(name), "d%d", i);
		assert_int_equal(utimensat(source_fd, name, times, 0), 0);
	}
}

TEST(copies_large_sources_with_several_threads)
{
	AUTO(pool) struct pool *pool = pool_new(4);
	AUTO(mem) char *got = NULL;
	AUTO(mem) char *want = NULL;

	make_large_source();
	assert_ok(copy(&(struct line){ .sources = ".", .dest = "/", .pool = pool }));
	got = scene_tell(layer_fd);
	want = scene_tell(source_fd);
	assert_string_equal(got, want);
	for (int i = 0; i < 30; i += 5) {
		char name[16];
		struct stat st;

		snprintf(name, sizeof(name), "d%d", i);
		assert_int_equal(fstatat(layer_fd, name, &st, 0), 0);
		assert_int_equal(st.st_mtime, 1000 + i);
	}
}

TEST(keeps_hard_links_of_large_sources)
{
	AUTO(pool) struct pool *pool = pool_new(4);
	struct stat one, two;

	make_large_source();
	scene_make(source_fd, "h - d5/twin d0/f0\n");
	assert_ok(copy(&(struct line){ .sources = ".", .dest = "/", .pool = pool }));
	assert_int_equal(fstatat(layer_fd, "d0/f0", &one, 0), 0);
	assert_int_equal(fstatat(layer_fd, "d5/twin", &two, 0), 0);
	assert_int_equal(one.st_ino, two.st_ino);
}

TEST(tells_what_failed_in_another_thread)
{
	AUTO(pool) struct pool *pool = pool_new(4);

	make_large_source();
	scene_make(below_fd, "d 755 d10\nd 755 d10/f7\n");
	assert_fails(copy(&(struct line){ .sources = ".", .dest = "/", .pool = pool }),
		     ERR_INVALID);
}

TEST(keeps_times_and_attributes)
{
	const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	char value[16];
	struct stat st;
	int fd;

	scene_make(source_fd, "d 755 d\nf 644 d/a x\n");
	fd = openat(source_fd, "d/a", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsetxattr(fd, "user.note", "kept", 4, 0), 0);
	close(fd);
	assert_int_equal(utimensat(source_fd, "d/a", times, 0), 0);
	assert_int_equal(utimensat(source_fd, "d", times, 0), 0);
	assert_ok(copy(&(struct line){ .sources = ".", .dest = "/" }));
	assert_int_equal(fstatat(layer_fd, "d", &st, 0), 0);
	assert_int_equal(st.st_mtime, 1000);
	assert_int_equal(fstatat(layer_fd, "d/a", &st, 0), 0);
	assert_int_equal(st.st_mtime, 1000);
	fd = openat(layer_fd, "d/a", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(fd, "user.note", value, sizeof(value)), 4);
	close(fd);
}

/* BuildKit only logs it. */
TEST(an_attribute_that_the_layer_cannot_have_is_an_error)
{
	const int fs_fd = kernel_fsopen("ramfs");
	AUTO(fd) int file_fd = -1;
	AUTO(err) struct err *err = NULL;

	if (fs_fd < 0)
		skip(); /* that is for root */
	assert_int_equal(kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
	close(layer_fd);
	layer_fd = kernel_fsmount(fs_fd, 0);
	close(fs_fd);
	assert_true(layer_fd >= 0);
	scene_make(source_fd, "f 644 a x\n");
	assert_ok(copy(&(struct line){ .sources = "a", .dest = "/b" }));
	file_fd = openat(source_fd, "a", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsetxattr(file_fd, "user.note", "kept", 4, 0), 0);
	err = copy(&(struct line){ .sources = "a", .dest = "/c" });
	assert_int_equal(err_kind(err), ERR_SYSTEM);
	assert_non_null(strstr(err_text(err), "user.note"));
}

TEST(refuses_files_over_directories_and_what_is_missing)
{
	static const struct {
		const char *source, *below;
		struct line line;
		enum err_kind want;
	} cases[] = {
		{ "f 644 a x\n",
		  "d 755 t\nd 755 t/a\n",
		  { .sources = "a", .dest = "/t/" },
		  ERR_INVALID },
		{ "d 755 d\nd 755 d/e\n",
		  "f 644 e x\n",
		  { .sources = "d", .dest = "/" },
		  ERR_INVALID },
		{ "d 755 d\nf 644 d/e x\n",
		  "f 644 t x\n",
		  { .sources = "d", .dest = "/t" },
		  ERR_INVALID },
		{ "f 644 a x\n", "f 644 b y\n", { .sources = "a", .dest = "/b/c" }, ERR_INVALID },
		{ "f 644 a x\n", "", { .sources = "b", .dest = "/" }, ERR_NOT_FOUND },
		{ "f 644 a x\n",
		  "",
		  { .sources = "a", .dest = "/", .ignore = "a\n" },
		  ERR_NOT_FOUND },
		{ "l - a b\nl - b a\n", "", { .sources = "a", .dest = "/c" }, ERR_INVALID },
		{ "l - a gone\n", "", { .sources = "a", .dest = "/c" }, ERR_NOT_FOUND },
		{ "f 644 a x\n", "", { .sources = "[a", .dest = "/c" }, ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		close_scene(NULL);
		open_scene(NULL);
		scene_make(source_fd, cases[i].source);
		scene_make(below_fd, cases[i].below);
		assert_fails(copy(&cases[i].line), cases[i].want);
	}
}

TEST(makes_a_working_directory_only_where_there_is_none)
{
	AUTO(mem) char *got = NULL;

	scene_make(below_fd, "d 700 home\nl - ln home\nf 644 file x\n");
	assert_ok(copy_make_dir("/home", 5, 5, below_fd, layer_fd));
	assert_ok(copy_make_dir("/ln", 5, 5, below_fd, layer_fd));
	assert_ok(copy_make_dir("/ln/a/b", 5, 6, below_fd, layer_fd));
	assert_fails(copy_make_dir("/file/x", 5, 5, below_fd, layer_fd), ERR_INVALID);
	got = scene_tell(layer_fd);
	assert_string_equal(got, "d 700 home\nd 755,5,6 home/a\nd 755,5,6 home/a/b\n");
}

#define IN_SCENE(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCENE(puts_files_where_the_destination_says),
		IN_SCENE(follows_links_where_users_expect_it),
		IN_SCENE(gives_owners_and_modes),
		IN_SCENE(sees_the_context_through_the_ignore_file),
		IN_SCENE(leaves_out_what_is_excluded),
		IN_SCENE(takes_the_directories_along_with_parents),
		IN_SCENE(puts_down_a_text_as_if_it_were_a_source),
		IN_SCENE(keeps_hard_links_within_a_source),
		IN_SCENE(keeps_no_hard_links_from_one_source_to_another),
		IN_SCENE(a_file_that_changes_while_it_is_copied_fails_the_copy),
		IN_SCENE(a_socket_becomes_an_empty_file_and_devices_stay),
		IN_SCENE(refuses_a_device_that_would_be_a_whiteout),
		IN_SCENE(keeps_access_lists),
		IN_SCENE(a_mode_that_was_asked_for_bounds_an_access_list),
		IN_SCENE(what_is_put_into_a_directory_inherits_no_access_list),
		IN_SCENE(holes_stay_holes),
		IN_SCENE(directories_on_the_way_keep_their_times),
		IN_SCENE(what_the_layer_has_replaced_is_not_followed_below),
		IN_SCENE(copies_large_sources_with_several_threads),
		IN_SCENE(keeps_hard_links_of_large_sources),
		IN_SCENE(tells_what_failed_in_another_thread),
		IN_SCENE(keeps_times_and_attributes),
		IN_SCENE(an_attribute_that_the_layer_cannot_have_is_an_error),
		IN_SCENE(refuses_files_over_directories_and_what_is_missing),
		IN_SCENE(makes_a_working_directory_only_where_there_is_none),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
