/*
 * tests/unit/run.h - run scripts of a static busybox in a real sandbox.
 */
#ifndef TESTS_RUN_H
#define TESTS_RUN_H

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "overlay/sandbox.h"
#include "tests/unit/rootfs.h"

static struct sandbox *sandbox; /* one for all tests, as for all steps of a build */

static char *const plain_env[] = { (char *)"PATH=/bin", (char *)"HOME=/root", NULL };

/* A spec that runs a shell script in a fresh mount of the rootfs. */
struct script_spec {
	struct sandbox_spec spec;
	char *argv[4];
};

static inline void prepare_script(struct rootfs *rootfs, const char *script,
				  struct script_spec *ret)
{
	ret->argv[0] = (char *)"/bin/sh";
	ret->argv[1] = (char *)"-c";
	ret->argv[2] = (char *)script;
	ret->argv[3] = NULL;
	ret->spec = SANDBOX_SPEC_INIT;
	ret->spec.root_fd = rootfs_mount(rootfs);
	ret->spec.argv = ret->argv;
	ret->spec.envp = plain_env;
	ret->spec.network = SANDBOX_NETWORK_NONE;
}

static inline char *read_all(int fd)
{
	AUTO(buf) struct buf text = BUF_INIT((size_t)4 * 1024 * 1024);
	char piece[4096];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) > 0)
		buf_add(&text, piece, (size_t)got);
	return buf_steal(&text);
}

/* Run it with a pipe for stdout and stderr; the text, and the result or the error. */
static inline struct err *run_spec(struct sandbox_spec *spec, char **ret_text,
				   struct sandbox_result *ret_result)
{
	AUTO(sandbox_run) struct sandbox_run *run = NULL;
	int output[2];
	struct err *err;

	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	spec->stdout_fd = spec->stderr_fd = output[1];
	err = sandbox_start(sandbox, spec, &run);
	close(output[1]);
	close(spec->root_fd);
	*ret_text = read_all(output[0]);
	close(output[0]);
	TRY(err);
	return sandbox_wait(run, ret_result);
}

/* Run a script that must succeed; its output is the caller's. */
static inline char *output_of(struct rootfs *rootfs, const char *script)
{
	struct sandbox_result result = { 0 };
	struct script_spec script_spec;
	char *text = NULL;

	prepare_script(rootfs, script, &script_spec);
	assert_ok(run_spec(&script_spec.spec, &text, &result));
	if (result.code != 0)
		fail_msg("%s: exit code %d, output '%s'", script, result.code, text);
	return text;
}

static inline void assert_output(struct rootfs *rootfs, const char *script, const char *want)
{
	AUTO(mem) char *text = output_of(rootfs, script);

	if (strcmp(text, want) != 0)
		fail_msg("%s: '%s', not '%s'", script, text, want);
}

static inline int open_sandbox(void **state)
{
	(void)state;
	sandbox = sandbox_new(-1);
	return 0;
}

static inline int close_sandbox(void **state)
{
	(void)state;
	sandbox_free(sandbox);
	return 0;
}

/* Start a script with output to a pipe and wait until it says something. */
static inline struct sandbox_run *start_and_hear(struct script_spec *script, int *ret_output)
{
	struct sandbox_run *run = NULL;
	int output[2];
	char byte;

	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	script->spec.stdout_fd = output[1];
	assert_ok(sandbox_start(sandbox, &script->spec, &run));
	close(output[1]);
	close(script->spec.root_fd);
	assert_int_equal(read(output[0], &byte, 1), 1);
	*ret_output = output[0];
	return run;
}

static inline int wait_readable(int fd, int milliseconds)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	return poll(&polled, 1, milliseconds);
}

#define ROOTFS_TEST(name) cmocka_unit_test_setup_teardown(name, rootfs_make, rootfs_remove)

#endif
