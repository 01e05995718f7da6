/* tests/unit/test_deliver.c - the forms of -o, and files that appear whole or not at all. */

#include "tests/unit/kitchen.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "builder/assemble.h"
#include "builder/deliver.h"

#define F(path) "f 644 0:0 1 200 " path " x\n"

static char out_path[300]; /* an empty directory */

static int open_delivery(void **state)
{
	kitchen_open(state);
	opts.user_umask = 022;
	opts.has_epoch = true;
	opts.epoch = 100;
	pool = pool_new(1);
	snprintf(out_path, sizeof(out_path), "%s/out", tmp_path);
	assert_int_equal(mkdirat(tmp_fd, "out", 0755), 0);
	kitchen_image("base", F("from-base"), "");
	must_plan("FROM localhost/base\nRUN [\"write\", \"/made\"]\nWORKDIR /dir\n");
	must_execute();
	assert_ok(assemble(plan, &plan->targets[0]));
	return 0;
}

static int close_delivery(void **state)
{
	strings_release(&wanted.tags);
	assert_ok(file_remove_tree(tmp_fd, "out"));
	return kitchen_close(state);
}

/* Deliver to a name in the empty directory. */
static struct err *deliver_to(enum output_kind kind, const char *name)
{
	AUTO(mem) char *dest = xasprintf("%s/%s", out_path, name);
	const struct build_output output = { .kind = kind, .dest = dest };

	return deliver(&plan, 1, &output);
}

static void out_text(const char *name, struct buf *ret)
{
	AUTO(mem) char *path = xasprintf("out/%s", name);

	assert_ok(file_read(tmp_fd, path, ret->max, ret));
}

/* That is all that there is. */
static void assert_names(const char *const *want, size_t count)
{
	AUTO(strings) struct strings names = { 0 };

	assert_ok(file_list(tmp_fd, "out", &names));
	assert_int_equal(names.len, count);
	for (size_t i = 0; i < count; i++)
		assert_true(file_exists(tmp_fd, want[i]));
}

/* ---- before the work ---- */

TEST(what_would_fail_after_the_work_is_found_before_it)
{
	char *here = xasprintf("%s/a.tar", out_path), *nowhere = xasprintf("%s/no/a", out_path);
	const struct build_output good[] = { { .kind = OUTPUT_OCI, .dest = here },
					     { .kind = OUTPUT_STORE, .dest = NULL },
					     { .kind = OUTPUT_LOCAL,
					       .dest = nowhere } }; /* made with its parents */
	const struct build_output missing = { .kind = OUTPUT_TAR, .dest = nowhere };
	const struct build_output twice[] = { { .kind = OUTPUT_TAR, .dest = (char *)"-" },
					      { .kind = OUTPUT_OCI, .dest = (char *)"-" } };
	AUTO(err) struct err *err = deliver_check(&missing, 1, 1, 1);

	assert_ok(deliver_check(good, ARRAY_SIZE(good), 1, 1));
	assert_non_null(err);
	assert_non_null(strstr(err_text(err), "/out/no"));
	assert_fails(deliver_check(twice, 2, 1, 1), ERR_USAGE);
	assert_fails(deliver_check(good, ARRAY_SIZE(good), 2, 1), ERR_USAGE); /* whose files? */
	assert_names(NULL, 0);
	free(here);
	free(nowhere);
}

/* ---- delivering ---- */

TEST(a_tar_and_a_directory_hold_the_root_filesystem)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), text = BUF_INIT(BUF_MAX);
	AUTO(buf) struct buf made = BUF_INIT(100);
	AUTO(buf) struct buf base = BUF_INIT(100);
	struct stat st;

	assert_ok(deliver_to(OUTPUT_TAR, "root.tar"));
	out_text("root.tar", &tar);
	assert_ok(list(buf_str(&tar), NULL, 65536, &text));
	assert_text("the tar", &text,
		    "d 755 0:0 0 0 ./\nd 755 0:0 0 100 dir/\n" F(
			    "from-base") "f 644 0:0 5 100 made /made\n");
	assert_ok(deliver_to(OUTPUT_LOCAL, "deep/er/root"));
	out_text("deep/er/root/made", &made);
	out_text("deep/er/root/from-base", &base);
	assert_string_equal(made.at, "/made");
	assert_string_equal(base.at, "x");
	assert_int_equal(fstatat(tmp_fd, "out/deep/er/root/dir", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
}

TEST(archives_hold_the_image_and_its_names)
{
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX), text = BUF_INIT(BUF_MAX);
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *blob = NULL;

	vec_push(&wanted.tags, xstrdup("localhost/one:1"));
	vec_push(&wanted.tags, xstrdup("localhost/two:2"));
	digest_format(&plan->targets[0].manifest.digest, digest);
	blob = xasprintf("blobs/sha256/%s", digest + 7);
	assert_ok(deliver_to(OUTPUT_OCI, "oci.tar"));
	out_text("oci.tar", &tar);
	assert_ok(list(buf_str(&tar), NULL, 65536, &text));
	assert_non_null(strstr(text.at, "oci-layout"));
	assert_non_null(strstr(text.at, "index.json"));
	assert_non_null(strstr(text.at, blob));
	buf_reset(&tar);
	buf_reset(&text);
	assert_ok(deliver_to(OUTPUT_DOCKER, "docker.tar"));
	out_text("docker.tar", &tar);
	assert_ok(list(buf_str(&tar), NULL, 65536, &text));
	assert_non_null(strstr(text.at, "manifest.json"));
	assert_non_null(strstr(text.at, "localhost/one:1"));
	assert_non_null(strstr(text.at, "localhost/two:2"));
}

/* Every kind of file, when the disk refuses what is behind the first bytes. */
TEST(a_file_that_cannot_be_written_whole_leaves_the_old_one)
{
	static const enum output_kind kinds[] = { OUTPUT_TAR, OUTPUT_OCI, OUTPUT_DOCKER };
	static const char *const all[] = { "out/file" };
	struct rlimit whole, little;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
	little = (struct rlimit){ .rlim_cur = 512, .rlim_max = whole.rlim_max };
	scene_make(tmp_fd, "f 644 out/file old\n");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		AUTO(buf) struct buf text = BUF_INIT(100);
		AUTO(err) struct err *err = NULL;

		assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
		err = deliver_to(kinds[i], "file");
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
		assert_int_equal(err_kind(err), ERR_SYSTEM);
		assert_int_equal(err_errno(err), EFBIG);
		assert_non_null(strstr(err_text(err), "write the result to '"));
		out_text("file", &text);
		assert_string_equal(text.at, "old");
		assert_names(all, 1);
	}
	signal(SIGXFSZ, SIG_DFL);
}

TEST(a_result_that_is_gone_leaves_the_old_file)
{
	static const char *const all[] = { "out/file" };
	AUTO(buf) struct buf text = BUF_INIT(100);

	scene_make(tmp_fd, "f 644 out/file old\n");
	assert_ok(file_remove_tree(store_fd(store), "layers"));
	assert_fails(deliver_to(OUTPUT_TAR, "file"), ERR_NOT_FOUND);
	out_text("file", &text);
	assert_string_equal(text.at, "old");
	assert_names(all, 1);
}

TEST(files_have_the_mode_that_the_user_asks_for)
{
	static const mode_t masks[] = { 022, 077, 0 };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		opts.user_umask = masks[i];
		assert_ok(deliver_to(OUTPUT_TAR, "file"));
		assert_int_equal(fstatat(tmp_fd, "out/file", &st, 0), 0);
		assert_int_equal(st.st_mode & 0777, 0666 & ~masks[i]);
		assert_int_equal(umask(022), 022); /* ours is back */
		assert_int_equal(unlinkat(tmp_fd, "out/file", 0), 0);
	}
	opts.user_umask = 077;
	assert_fails(deliver_to(OUTPUT_TAR, "no/file"), ERR_NOT_FOUND);
	assert_int_equal(umask(022), 022);
}

#define DELIVER_TEST(name) cmocka_unit_test_setup_teardown(name, open_delivery, close_delivery)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DELIVER_TEST(what_would_fail_after_the_work_is_found_before_it),
		DELIVER_TEST(a_tar_and_a_directory_hold_the_root_filesystem),
		DELIVER_TEST(archives_hold_the_image_and_its_names),
		DELIVER_TEST(a_file_that_cannot_be_written_whole_leaves_the_old_one),
		DELIVER_TEST(a_result_that_is_gone_leaves_the_old_file),
		DELIVER_TEST(files_have_the_mode_that_the_user_asks_for),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
