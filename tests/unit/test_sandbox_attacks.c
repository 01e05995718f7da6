/*
 * tests/unit/test_sandbox_attacks.c - what other builders and runtimes have fallen to.
 *
 * S01 and its like are the numbers of a list of known attacks.
 */

#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/vec.h"
#include "tests/unit/run.h"

/* ---- attacks, by their number in the list of known ones ---- */

/* S01: a working directory outside of the root, by a descriptor that leaked. */
TEST(s01_no_descriptor_leads_out)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox *before = sandbox;
	int leaked[200];

	for (size_t i = 0; i < ARRAY_SIZE(leaked); i++)
		leaked[i] = open("/", O_RDONLY | O_DIRECTORY); /* NOLINT: without O_CLOEXEC */
	sandbox = sandbox_new(-1);
	assert_output(rootfs, "ls /proc/self/fd | wc -l", "4\n");
	assert_output(rootfs, "ls /proc/1/fd; true", "0\n1\n2\n");
	for (int n = 0; n < 40; n++) {
		struct sandbox_result result = { 0 };
		AUTO(mem) char *text = NULL;
		struct script_spec script;
		char cwd[64];

		snprintf(cwd, sizeof(cwd), "/proc/self/fd/%d", n);
		prepare_script(rootfs, "cat etc/hostname", &script);
		script.spec.cwd = cwd;
		assert_fails(run_spec(&script.spec, &text, &result), ERR_INVALID);
		assert_string_equal(text, "");
	}
	sandbox_free(sandbox);
	sandbox = before;
	for (size_t i = 0; i < ARRAY_SIZE(leaked); i++)
		close(leaked[i]);
}

TEST(s01_magic_links_are_no_working_directories)
{
	static const char *const paths[] = { "/proc/self/cwd", "/proc/self/root",
					     "/proc/1/root/tmp", "/proc/thread-self/cwd" };
	struct rootfs *rootfs = rootfs_need(state);

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct sandbox_result result = { 0 };
		AUTO(mem) char *text = NULL;
		struct script_spec script;

		prepare_script(rootfs, "pwd", &script);
		script.spec.cwd = paths[i];
		assert_fails(run_spec(&script.spec, &text, &result), ERR_INVALID);
	}
}

/* S02: the image executes the program that executes it, and writes to it. */
TEST(s02_the_executing_program_can_be_executed_and_not_changed)
{
	static const char *const commands[] = { "/again", "/itself" };
	struct rootfs *rootfs = rootfs_need(state);
	char path[64];
	int fd;

	rootfs_put(rootfs, "again", "#!/proc/self/exe\n", 0755);
	assert_int_equal(symlinkat("/proc/self/exe", rootfs->layer_fd, "itself"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct sandbox_result result = { 0 };
		AUTO(mem) char *text = NULL;
		struct script_spec script;

		prepare_script(rootfs, "", &script);
		script.argv[0] = (char *)commands[i];
		script.argv[1] = NULL;
		assert_ok(run_spec(&script.spec, &text, &result));
		assert_int_equal(result.code, 125); /* the spawner, without a builder to serve */
		assert_string_equal(text, "");
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)sandbox_spawner_pid(sandbox));
	assert_int_equal(open(path, O_WRONLY | O_CLOEXEC), -1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS),
			 F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	close(fd);
}

/* S03, S04: what covers or is bound comes from the image. */
TEST(s03_the_images_own_devices_are_not_used)
{
	static const char core_pattern[] = "/proc/sys/kernel/core_pattern";
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_run *run = NULL;
	struct sandbox_result result = { 0 };
	AUTO(mem) char *text = NULL;
	struct script_spec script;

	assert_int_equal(mkdirat(rootfs->layer_fd, "dev", 0755), 0);
	assert_int_equal(symlinkat(core_pattern, rootfs->layer_fd, "dev/null"), 0);
	assert_int_equal(symlinkat(core_pattern, rootfs->layer_fd, "dev/console"), 0);
	assert_int_equal(symlinkat("/proc/sys", rootfs->layer_fd, "dev/pts"), 0);
	assert_output(rootfs,
		      "stat -c %F /dev/null; cat /proc/keys; "
		      "(echo x >/proc/sys/kernel/core_pattern) 2>/dev/null || echo no",
		      "character special file\nno\n");

	prepare_script(rootfs, "stat -c %F /dev/console /dev/pts", &script);
	script.spec.tty = true;
	assert_ok(sandbox_start(sandbox, &script.spec, &run));
	close(script.spec.root_fd);
	text = read_all(sandbox_run_tty(run));
	assert_ok(sandbox_wait(run, &result));
	assert_string_equal(text, "character special file\r\ndirectory\r\n");
	sandbox_run_free(run);
}

/* S06: mount points that are links, of every kind. */
TEST(s06_links_are_no_mount_points)
{
	static const char *const targets[] = { "/tmp",          "tmp",
					       "/../../../tmp", "/proc/self/root",
					       "/nowhere",      "dev" };
	static const char *const points[] = { "proc", "sys", "dev" };
	struct rootfs *rootfs = rootfs_need(state);

	for (size_t i = 0; i < ARRAY_SIZE(points); i++)
		for (size_t k = 0; k < ARRAY_SIZE(targets); k++) {
			struct sandbox_result result = { 0 };
			AUTO(mem) char *text = NULL;
			AUTO(err) struct err *err = NULL;
			struct script_spec script;
			char want[64];

			assert_int_equal(symlinkat(targets[k], rootfs->layer_fd, points[i]), 0);
			prepare_script(rootfs, "true", &script);
			err = run_spec(&script.spec, &text, &result);
			assert_int_equal(err_kind(err), ERR_INVALID);
			snprintf(want, sizeof(want), "the image's /%s is a symbolic link",
				 points[i]);
			assert_string_equal(err_text(err), want);
			assert_int_equal(unlinkat(rootfs->layer_fd, points[i], 0), 0);
		}
	rootfs_put(rootfs, "dev", "", 0644);

	struct sandbox_result result = { 0 };
	AUTO(mem) char *text = NULL;
	AUTO(err) struct err *err = NULL;
	struct script_spec script;

	prepare_script(rootfs, "true", &script);
	err = run_spec(&script.spec, &text, &result);
	assert_string_equal(err_text(err), "the image's /dev is not a directory");
}

TEST(s06_etc_may_be_a_link_and_stays_inside)
{
	static const char *const targets[] = { "/tmp", "../../../../tmp", "/nowhere", "etc",
					       "/proc/self/root/etc" };
	struct rootfs *rootfs = rootfs_need(state);
	struct stat before, after;

	assert_int_equal(stat("/etc/hosts", &before), 0);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		assert_int_equal(symlinkat(targets[i], rootfs->layer_fd, "etc"), 0);
		assert_output(rootfs, "(echo harm >/etc/hosts) 2>/dev/null; true", "");
		assert_int_equal(unlinkat(rootfs->layer_fd, "etc", 0), 0);
	}
	assert_int_equal(stat("/etc/hosts", &after), 0);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	assert_int_equal(before.st_size, after.st_size);
}

/* Give a copy of busybox the capabilities `set`, effective at once. */
static void put_capable(const struct rootfs *rootfs, const char *path, uint32_t set)
{
	/* revision 2: magic with the effective bit, permitted, inheritable, the upper halves */
	const uint32_t value[5] = { 0x02000001, set, 0, 0, 0 };
	int from = openat(rootfs->layer_fd, "bin/busybox", O_RDONLY | O_CLOEXEC);
	int to = openat(rootfs->layer_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	struct stat st;

	assert_int_equal(fstat(from, &st), 0);
	assert_int_equal(sendfile(to, from, NULL, (size_t)st.st_size), st.st_size);
	assert_int_equal(fsetxattr(to, "security.capability", value, sizeof(value), 0), 0);
	close(from);
	close(to);
}

/* S08: capabilities of files give what the bounding set holds, and nothing by inheritance. */
TEST(s08_file_capabilities_work_within_the_bounding_set)
{
	static const struct {
		const char *path;
		int code;
		const char *text;
	} cases[] = {
		{ "/bin/good/grep", 0,
		  "CapInh:\t0000000000000000\nCapPrm:\t0000000000002000\n"
		  "CapEff:\t0000000000002000\n" },
		{ "/bin/bad/grep", 126, "" },
	};
	struct rootfs *rootfs = rootfs_need(state);

	mkdirat(rootfs->layer_fd, "bin/good", 0755);
	mkdirat(rootfs->layer_fd, "bin/bad", 0755);
	put_capable(rootfs, "bin/good/grep", 1U << 13 /* NET_RAW */);
	put_capable(rootfs, "bin/bad/grep", 1U << 21 /* SYS_ADMIN */);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[] = { (char *)cases[i].path, (char *)"-E", (char *)"^Cap(Inh|Prm|Eff)",
				 (char *)"/proc/self/status", NULL };
		struct sandbox_result result = { 0 };
		AUTO(mem) char *text = NULL;
		struct script_spec script;

		prepare_script(rootfs, "", &script);
		script.spec.argv = argv;
		script.spec.uid = 1000;
		assert_ok(run_spec(&script.spec, &text, &result));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(result.code, cases[i].code);
	}
}

/* S09: no file of a control group or of the kernel's objects can be written. */
TEST(s09_nothing_below_sys_can_be_written)
{
	struct rootfs *rootfs = rootfs_need(state);

	assert_output(rootfs,
		      "for f in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/release_agent "
		      "/sys/kernel/uevent_helper /sys/kernel/mm/ksm/run /sys/power/state; do "
		      "[ -e $f ] && (echo 0 >$f) 2>/dev/null && echo $f; done; "
		      "mkdir /sys/fs/cgroup/x 2>/dev/null && echo x; true",
		      "");
}

/* S10: sockets without a file belong to a network. */
TEST(s10_no_socket_of_the_host_is_in_an_own_network)
{
	struct rootfs *rootfs = rootfs_need(state);

	assert_output(rootfs, "wc -l </proc/net/unix; wc -l </proc/net/tcp", "1\n1\n");
}

/* S16: no terminal of the caller, and a session of its own. */
TEST(s16_a_step_has_its_own_session_and_no_terminal)
{
	struct rootfs *rootfs = rootfs_need(state);

	/* pid, comm, state, ppid, pgrp, session, tty */
	assert_output(rootfs, "read a b c d e f g h </proc/1/stat; echo $a $e $f $g", "1 1 1 0\n");
	assert_output(rootfs, "(: </dev/tty) 2>/dev/null || echo none", "none\n");
}

/* S17, S18: nobody else's process, by number, by directory or by file. */
TEST(s17_process_1_is_its_own)
{
	struct rootfs *rootfs = rootfs_need(state);

	assert_output(rootfs, "ls /proc/1/root/ | grep -c bin; readlink /proc/1/exe",
		      "1\n/bin/busybox\n");
	assert_output(rootfs, "grep NSpid /proc/self/status | wc -w", "2\n");
	assert_output(rootfs, "kill -9 1; echo alive; kill -0 2 2>/dev/null || echo none",
		      "alive\nnone\n");
}

TEST(ignored_signals_do_not_come_along)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox *before = sandbox;

	const uint64_t ignore[8] = { 1 }; /* the kernel's struct: SIG_IGN */
	const uint64_t ordinary[8] = { 0 };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (int i = 32; i < 34; i++) /* the C library keeps these from sigaction(2) */
		syscall(SYS_rt_sigaction, i, ignore, NULL, sizeof(uint64_t));
	sandbox = sandbox_new(-1);
	assert_output(rootfs, "grep SigIgn /proc/self/status; true", "SigIgn:\t0000000000000000\n");
	sandbox_free(sandbox);
	sandbox = before;
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	for (int i = 32; i < 34; i++)
		syscall(SYS_rt_sigaction, i, ordinary, NULL, sizeof(uint64_t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOTFS_TEST(s01_no_descriptor_leads_out),
		ROOTFS_TEST(s01_magic_links_are_no_working_directories),
		ROOTFS_TEST(s02_the_executing_program_can_be_executed_and_not_changed),
		ROOTFS_TEST(s03_the_images_own_devices_are_not_used),
		ROOTFS_TEST(s06_links_are_no_mount_points),
		ROOTFS_TEST(s06_etc_may_be_a_link_and_stays_inside),
		ROOTFS_TEST(s08_file_capabilities_work_within_the_bounding_set),
		ROOTFS_TEST(s09_nothing_below_sys_can_be_written),
		ROOTFS_TEST(s10_no_socket_of_the_host_is_in_an_own_network),
		ROOTFS_TEST(s16_a_step_has_its_own_session_and_no_terminal),
		ROOTFS_TEST(s17_process_1_is_its_own),
		ROOTFS_TEST(ignored_signals_do_not_come_along),
	};

	return cmocka_run_group_tests(tests, open_sandbox, close_sandbox);
}
