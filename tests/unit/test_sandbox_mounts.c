/*
 * tests/unit/test_sandbox_mounts.c - what a step is given to mount, and what it cannot make of it.
 */

#include "tests/unit/unit.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/vec.h"
#include "overlay/detached.h"
#include "overlay/kernel-private.h"
#include "tests/unit/child.h"
#include "tests/unit/run.h"
#include "tests/unit/scene.h"

/* Run a script with mounts; their descriptors are closed. */
static struct err *run_with(struct rootfs *rootfs, struct sandbox_mount *mounts, size_t count,
			    const char *script, char **ret_text, int *ret_code)
{
	struct sandbox_result result = { 0 };
	struct script_spec spec;
	struct err *err;

	prepare_script(rootfs, script, &spec);
	spec.spec.mounts = mounts;
	spec.spec.mount_count = count;
	err = run_spec(&spec.spec, ret_text, &result);
	for (size_t i = 0; i < count; i++)
		close(mounts[i].fd);
	*ret_code = result.code;
	return err;
}

static void assert_with(struct rootfs *rootfs, struct sandbox_mount *mounts, size_t count,
			const char *script, const char *want)
{
	AUTO(mem) char *text = NULL;
	int code;

	assert_ok(run_with(rootfs, mounts, count, script, &text, &code));
	if (strcmp(text, want) != 0 || code != 0)
		fail_msg("%s: exit code %d, '%s', not '%s'", script, code, text, want);
}

/* A tree of the machine's as a mount. */
static int clone_of(const struct rootfs *rootfs, const char *name, const char *scene,
		    bool read_only)
{
	AUTO(fd) int dir_fd = rootfs_dir(rootfs, name);
	int fd;

	scene_make(dir_fd, scene);
	assert_ok(detached_clone(dir_fd, read_only, &fd));
	return fd;
}

/* Nothing but what the script made is in the layer. */
static void assert_upper(const struct rootfs *rootfs, const char *want)
{
	AUTO(mem) char *got = scene_tell(rootfs->upper_fd);

	assert_string_equal(got, want);
}

TEST(a_tree_is_found_at_its_target)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_mount mounts[] = {
		{ .fd = clone_of(rootfs, "one", "f 644 a one", false), .target = "/tmp" },
	};

	assert_with(rootfs, mounts, 1, "cat /tmp/a; echo; echo two >/tmp/b", "one\n");
	assert_upper(rootfs, "");
	assert_true(file_exists(rootfs->dir_fd, "one/b"));
}

TEST(a_read_only_one_cannot_be_written_to)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_mount mounts[] = {
		{ .fd = clone_of(rootfs, "one", "f 644 a one", true), .target = "/tmp" },
	};

	assert_with(
		rootfs, mounts, 1,
		"touch /tmp/b 2>/dev/null || echo no; mount -o remount,rw /tmp 2>/dev/null || echo no",
		"no\nno\n");
}

TEST(no_device_of_a_tree_can_be_opened)
{
	struct rootfs *rootfs = rootfs_need(state);
	int dir_fd = rootfs_dir(rootfs, "one");
	struct sandbox_mount mounts[] = { { .fd = -1, .target = "/tmp" },
					  { .fd = -1, .target = "/tmp/t" } };

	assert_int_equal(mknodat(dir_fd, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_ok(detached_clone(dir_fd, false, &mounts[0].fd));
	assert_ok(detached_tmpfs(0755, 0, &mounts[1].fd));
	close(dir_fd);
	assert_with(rootfs, mounts, 2,
		    "cat /tmp/null 2>/dev/null || echo no; mknod /tmp/t/n c 1 3; "
		    "cat /tmp/t/n 2>/dev/null || echo no",
		    "no\nno\n");
}

TEST(a_part_is_found_within_its_own_root)
{
	static const struct {
		const char *source, *want;
	} cases[] = {
		{ "d/f", "deep" },          { "/d/f", "deep" }, { "d/../d/./f", "deep" },
		{ "../../../d/f", "deep" }, { "abs", "deep" },  { "up", "deep" },
		{ "dir/f", "deep" },
	};
	struct rootfs *rootfs = rootfs_need(state);

	rootfs_put(rootfs, "file", "", 0644);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *name = xasprintf("tree%zu", i);
		struct sandbox_mount mounts[] = {
			{ .fd = clone_of(rootfs, name,
					 "d 755 d\nf 644 d/f deep\nl - abs /d/f\n"
					 "l - up ../../../../../d/f\nl - dir /d",
					 true),
			  .source = cases[i].source,
			  .target = "/file" },
		};

		assert_with(rootfs, mounts, 1, "cat /file", cases[i].want);
	}
}

TEST(a_part_that_is_not_there_or_leads_out_is_an_error)
{
	static const char *const sources[] = { "nothing", "d/f/x", "bin/sh", "up/bin/sh", "loop" };
	struct rootfs *rootfs = rootfs_need(state);

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		AUTO(mem) char *name = xasprintf("tree%zu", i);
		AUTO(mem) char *text = NULL;
		int code;
		struct sandbox_mount mounts[] = {
			{ .fd = clone_of(
				  rootfs, name,
				  "d 755 d\nf 644 d/f deep\nl - up ../../../..\nl - loop loop",
				  false),
			  .source = sources[i],
			  .target = "/file" },
		};

		assert_fails(run_with(rootfs, mounts, 1, "echo ran", &text, &code), ERR_INVALID);
		assert_string_equal(text, "");
	}
}

/* Links of the image lead where they would lead a process in it. */
TEST(a_target_is_found_within_the_step)
{
	static const char *const targets[] = { "/tmp", "/link", "/up", "/far", "/link/../tmp/." };
	struct rootfs *rootfs = rootfs_need(state);

	scene_make(rootfs->layer_fd, "l - link tmp\nl - up ../../tmp\nl - far /tmp");
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		AUTO(mem) char *name = xasprintf("tree%zu", i);
		struct sandbox_mount mounts[] = {
			{ .fd = clone_of(rootfs, name, "f 644 a one", true), .target = targets[i] },
		};

		assert_with(rootfs, mounts, 1, "cat /tmp/a", "one");
		assert_upper(rootfs, "");
	}
}

static bool rename_for_ever(void *arg)
{
	const int dir_fd = *(const int *)arg;

	for (;;)
		CHECK(renameat(dir_fd, "a", dir_fd, "b") == 0 &&
		      renameat(dir_fd, "b", dir_fd, "a") == 0);
	return true;
}

/* The kernel then says EAGAIN: it cannot be sure that ".." does not lead out. */
TEST(a_rename_elsewhere_does_not_disturb_a_search)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(fd) int other_fd = rootfs_dir(rootfs, "other");
	pid_t renamer;
	int failed = 0;

	scene_make(other_fd, "f 644 a x\n");
	scene_make(rootfs->layer_fd, "d 755 d\nd 755 d/e\n");
	renamer = child_start(rename_for_ever, &other_fd);
	for (int i = 0; i < 20000 && !failed; i++) {
		int fd = kernel_openat2(rootfs->layer_fd, "d/../d/e/../../d/e", O_PATH,
					RESOLVE_IN_ROOT);

		failed = fd < 0 ? errno : 0;
		close(fd);
	}
	assert_int_equal(kill(renamer, SIGKILL), 0);
	assert_int_equal(child_wait(renamer), 128 + SIGKILL);
	assert_int_equal(failed, 0);
}

/* Attacks: a target by a magic link, in the spawner's root, over a file, in nothing. */
TEST(a_target_that_leads_out_is_an_error)
{
	static const char *const targets[] = {
		"/proc/self/root/tmp",
		"/proc/self/cwd",
		"/proc/1/fd/3",
		"/loop",
		"/nothing",
		"/bin/true",
		"/private",
		"/source",
		"/out/private",
		"/bin/true/x",
	};
	struct rootfs *rootfs = rootfs_need(state);

	scene_make(rootfs->layer_fd, "l - loop loop\nl - out ../../..");
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		AUTO(mem) char *name = xasprintf("tree%zu", i);
		AUTO(mem) char *text = NULL;
		AUTO(err) struct err *err = NULL;
		int code;
		struct sandbox_mount mounts[] = {
			{ .fd = clone_of(rootfs, name, "f 644 a one", false),
			  .target = targets[i] },
		};

		err = run_with(rootfs, mounts, 1, "echo ran", &text, &code);
		if (err_kind(err) != ERR_INVALID || text[0])
			fail_msg("%s: '%s'", targets[i], err_text(err));
		assert_upper(rootfs, "");
	}
}

TEST(what_is_missing_is_made_in_an_earlier_mount_alone)
{
	struct rootfs *rootfs = rootfs_need(state);
	const struct detached_file file = {
		.data = "s", .len = 1, .mode = 0400, .uid = 5, .gid = 6
	};
	struct sandbox_mount mounts[] = {
		{ .fd = -1, .target = "/tmp" },
		{ .fd = -1, .target = "/tmp/a/b" },
		{ .fd = -1, .source = DETACHED_FILE, .target = "/tmp/a/f/g" },
		{ .fd = -1, .source = DETACHED_FILE, .target = "/dev/own/f" },
	};

	assert_ok(detached_tmpfs(01777, 0, &mounts[0].fd));
	assert_ok(detached_tmpfs(0700, 1 << 20, &mounts[1].fd));
	assert_ok(detached_file(&file, &mounts[2].fd));
	assert_ok(detached_file(&file, &mounts[3].fd));
	assert_with(
		rootfs, mounts, 4,
		"stat -c '%a %u:%g %n' /tmp /tmp/a /tmp/a/b /tmp/a/f /tmp/a/f/g; cat /dev/own/f",
		"1777 0:0 /tmp\n755 0:0 /tmp/a\n700 0:0 /tmp/a/b\n755 0:0 /tmp/a/f\n"
		"400 5:6 /tmp/a/f/g\ns");
	assert_upper(rootfs, "");
}

TEST(a_secret_file_can_be_read_and_nothing_else)
{
	struct rootfs *rootfs = rootfs_need(state);
	const struct detached_file file = { .data = "#!/bin/sh\necho x\n",
					    .len = 17,
					    .mode = 0700 };
	const struct detached_file program = {
		.data = "#!/bin/sh\necho x\n", .len = 17, .mode = 0700, .executable = true
	};
	struct sandbox_mount mounts[] = { { .fd = -1, .source = DETACHED_FILE, .target = "/one" },
					  { .fd = -1, .source = DETACHED_FILE, .target = "/two" } };

	rootfs_put(rootfs, "one", "", 0644);
	rootfs_put(rootfs, "two", "", 0644);
	assert_ok(detached_file(&file, &mounts[0].fd));
	assert_ok(detached_file(&program, &mounts[1].fd));
	assert_with(rootfs, mounts, 2,
		    "/one 2>/dev/null || echo no; /two; (echo y >/one) 2>/dev/null || echo no",
		    "no\nx\nno\n");
}

TEST(as_many_as_allowed_and_no_more)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_mount mounts[SANDBOX_MOUNTS_MAX + 1];
	char names[SANDBOX_MOUNTS_MAX + 1][16];
	AUTO(mem) char *text = NULL;
	int code;

	for (size_t i = 0; i <= SANDBOX_MOUNTS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "/dev/m%zu", i);
		mounts[i] = (struct sandbox_mount){ .fd = -1, .target = names[i] };
		assert_ok(detached_tmpfs(0755, 65536, &mounts[i].fd));
	}
	assert_fails(run_with(rootfs, mounts, ARRAY_SIZE(mounts), "true", &text, &code),
		     ERR_INVALID);
	for (size_t i = 0; i < SANDBOX_MOUNTS_MAX; i++)
		assert_ok(detached_tmpfs(0755, 65536, &mounts[i].fd));
	assert_with(rootfs, mounts, SANDBOX_MOUNTS_MAX, "ls -d /dev/m[0-9]* | wc -l", "128\n");
}

TEST(an_insecure_step_keeps_what_we_may)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result = { 0 };
	AUTO(mem) char *text = NULL;
	struct script_spec script;

	prepare_script(
		rootfs,
		"grep -E '^(Seccomp|CapAmb|CapInh):' /proc/self/status; mount -t tmpfs x /tmp && "
		"touch /tmp/x && mount -o remount,rw /sys && echo mounted",
		&script);
	script.spec.insecure = true;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_string_equal(text, "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n"
				  "Seccomp:\t0\nmounted\n");
	assert_upper(rootfs, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOTFS_TEST(a_tree_is_found_at_its_target),
		ROOTFS_TEST(a_read_only_one_cannot_be_written_to),
		ROOTFS_TEST(no_device_of_a_tree_can_be_opened),
		ROOTFS_TEST(a_part_is_found_within_its_own_root),
		ROOTFS_TEST(a_part_that_is_not_there_or_leads_out_is_an_error),
		ROOTFS_TEST(a_target_is_found_within_the_step),
		ROOTFS_TEST(a_rename_elsewhere_does_not_disturb_a_search),
		ROOTFS_TEST(a_target_that_leads_out_is_an_error),
		ROOTFS_TEST(what_is_missing_is_made_in_an_earlier_mount_alone),
		ROOTFS_TEST(a_secret_file_can_be_read_and_nothing_else),
		ROOTFS_TEST(as_many_as_allowed_and_no_more),
		ROOTFS_TEST(an_insecure_step_keeps_what_we_may),
	};

	return cmocka_run_group_tests(tests, open_sandbox, close_sandbox);
}
