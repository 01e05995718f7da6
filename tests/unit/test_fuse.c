/* tests/unit/test_fuse.c - a program that does not stack layers, in every way. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "overlay/fuse.h"
#include "overlay/mount.h"
#include "overlay/skeleton.h"
#include "store/layer.h"
#include "tests/unit/room.h"

/* A shell script takes the place of the program. */
static void put_script(const char *script)
{
	AUTO(fd)
	int fd = openat(tmp_fd, FUSE_PROGRAM, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	AUTO(mem) char *text = xasprintf("#!/bin/sh\ncd '%s'\n%s\n", tmp_path, script);

	assert_ok(file_write_all(fd, text, strlen(text), "a script"));
	assert_int_equal(setenv("PATH", tmp_path, 1), 0);
}

static struct err *mount_by_script(const char *script)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	AUTO(skeleton) struct skeleton skeleton = SKELETON_INIT;
	const struct overlay_spec spec = { .skeleton = &skeleton };
	AUTO(fd) int fd = -1;

	put_script(script);
	assert_ok(layer_begin(store, &stage));
	assert_ok(skeleton_open(stage->dir_fd, &skeleton));
	return fuse_mount(&spec, &fd);
}

static void need_device(void)
{
	AUTO(fd) int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0 || geteuid() != 0)
		skip();
}

TEST(it_is_told_why_the_program_has_ended)
{
	static const struct {
		const char *script;
		enum err_kind kind; /* ERR_SYSTEM: it may work next time */
		const char *text;
	} cases[] = {
		{ "echo first >&2; echo why >&2; exit 1", ERR_UNSUPPORTED, "has ended: why" },
		{ "exit 3", ERR_UNSUPPORTED, "has ended, with code 3" },
		{ "kill -9 $$", ERR_SYSTEM, "was ended by SIGKILL" },
		{ "echo 'a map: Cannot allocate memory' >&2; exit 1", ERR_SYSTEM,
		  "has ended: a map: Cannot allocate memory" },
		{ "echo 'fuse: too old: No space left on device' >&2; exit 1", ERR_SYSTEM,
		  "No space left on device" },
	};

	need_device();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(err) struct err *err = mount_by_script(cases[i].script);

		assert_int_equal(err_kind(err), cases[i].kind);
		assert_int_equal(err_errno(err), 0);
		assert_non_null(strstr(err_text(err), cases[i].text));
	}
}

TEST(what_it_says_takes_no_more_than_a_page)
{
	AUTO(buf) struct buf size = BUF_INIT(100);

	need_device();
	err_free(mount_by_script("head -c 100000 /dev/zero >&2; wc -c </proc/self/fd/2 >size"));
	assert_ok(file_read(tmp_fd, "size", 100, &size));
	assert_string_equal(size.at, "4096\n");
}

/* Whether the process whose number a script has written still works: nobody may be there to wait for it. */
static bool is_at_work(void)
{
	AUTO(buf) struct buf number = BUF_INIT(100);
	AUTO(buf) struct buf status = BUF_INIT((size_t)8192);
	AUTO(mem) char *path = NULL;
	struct err *err = file_read(tmp_fd, "pid", 100, &number);

	if (!err) {
		path = xasprintf("/proc/%.*s/status", STR_ARG(str_trim(buf_str(&number))));
		err = file_read(AT_FDCWD, path, 8192, &status);
	}
	if (!err)
		return !strstr(status.at, "State:\tZ") && !strstr(status.at, "State:\tX");
	err_free(err); /* it never began, or is gone */
	return false;
}

TEST(one_that_does_not_begin_is_ended_with_what_it_has_started)
{
	const unsigned before = fuse_patience;
	struct err *err;

	need_device();
	fuse_patience = 300;
	err = mount_by_script("sleep 1000 & echo $! >pid.new; mv pid.new pid; wait");
	fuse_patience = before;
	assert_non_null(strstr(err_text(err), "does not begin to work"));
	assert_fails(err, ERR_SYSTEM);
	for (int i = 0; is_at_work() && i < 1000; i++)
		usleep(10000);
	assert_false(is_at_work());
}

TEST(nobody_waits_for_it_who_was_told_to_stop)
{
	struct cancel_scope scope = { 0 };
	const struct cancel_scope *before = cancel_enter(&scope);
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	AUTO(skeleton) struct skeleton skeleton = SKELETON_INIT;
	const struct overlay_spec spec = { .skeleton = &skeleton };
	AUTO(fd) int fd = -1;

	need_device();
	put_script("sleep 1000");
	assert_ok(layer_begin(store, &stage));
	assert_ok(skeleton_open(stage->dir_fd, &skeleton));
	cancel_stop(&scope);
	assert_fails(fuse_mount(&spec, &fd), ERR_CANCELLED);
	cancel_enter(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(it_is_told_why_the_program_has_ended),
		ROOM_TEST(what_it_says_takes_no_more_than_a_page),
		ROOM_TEST(one_that_does_not_begin_is_ended_with_what_it_has_started),
		ROOM_TEST(nobody_waits_for_it_who_was_told_to_stop),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
