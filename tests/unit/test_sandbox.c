/*
 * tests/unit/test_sandbox.c - what a step finds, what it cannot reach, how it ends.
 *
 * Every test runs commands of a static busybox in a real sandbox. What is
 * expected is what Docker's steps find, and section by section the attacks that
 * other builders have fallen to.
 */

#include "tests/unit/unit.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/sandbox.h"
#include "tests/unit/rootfs.h"

static struct sandbox *sandbox; /* one for all tests, as for all steps of a build */

static char *const plain_env[] = { (char *)"PATH=/bin", (char *)"HOME=/root", NULL };

/* A spec that runs a shell script in a fresh mount of the rootfs. */
struct script_spec {
	struct sandbox_spec spec;
	char *argv[4];
};

static void prepare_script(struct rootfs *rootfs, const char *script, struct script_spec *ret)
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

static char *read_all(int fd)
{
	AUTO(buf) struct buf text = BUF_INIT((size_t)4 * 1024 * 1024);
	char piece[4096];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) > 0)
		buf_add(&text, piece, (size_t)got);
	return buf_steal(&text);
}

/* Run it with a pipe for stdout and stderr; the text, and the result or the error. */
static struct err *run_spec(struct sandbox_spec *spec, char **ret_text,
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
static char *output_of(struct rootfs *rootfs, const char *script)
{
	struct sandbox_result result;
	struct script_spec script_spec;
	char *text = NULL;

	prepare_script(rootfs, script, &script_spec);
	assert_ok(run_spec(&script_spec.spec, &text, &result));
	if (result.code != 0)
		fail_msg("%s: exit code %d, output '%s'", script, result.code, text);
	return text;
}

static void assert_output(struct rootfs *rootfs, const char *script, const char *want)
{
	AUTO(mem) char *text = output_of(rootfs, script);

	if (strcmp(text, want) != 0)
		fail_msg("%s: '%s', not '%s'", script, text, want);
}

static int open_sandbox(void **state)
{
	(void)state;
	sandbox = sandbox_new(-1);
	return 0;
}

static int close_sandbox(void **state)
{
	(void)state;
	sandbox_free(sandbox);
	return 0;
}

/* ---- what a step finds ---- */

TEST(a_step_finds_what_docker_promises)
{
	static const struct {
		const char *script, *want;
	} cases[] = {
		{ "id -u; id -g", "0\n0\n" },
		{ "echo $$", "1\n" },
		{ "umask", "0022\n" },
		{ "hostname", "cairn\n" },
		{ "cat /proc/sys/kernel/domainname", "(none)\n" },
		{ "pwd", "/\n" },
		{ "ls -A /proc/self/fd/ | wc -l; ls /proc/self/fd/0 /proc/self/fd/1 "
		  "/proc/self/fd/2 >/dev/null",
		  "4\n" }, /* 0 1 2 and the directory itself */
		{ "readlink /proc/self/fd/0", "/dev/null\n" },
		{ "cat", "" },
		{ "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status",
		  "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\n"
		  "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n"
		  "CapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n" },
		{ "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; true",
		  "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
		  "SigCgt:\t0000000000000000\n" },
		{ "ulimit -Sn; ulimit -c; ulimit -Hc", "1024\n0\n0\n" },
		{ "cat /etc/hosts",
		  "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
		  "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n127.0.0.1\tcairn\n" },
		{ "cd /dev; stat -c '%n %t:%T %a %u:%g' null zero full random urandom tty",
		  "null 1:3 666 0:0\nzero 1:5 666 0:0\nfull 1:7 666 0:0\nrandom 1:8 666 0:0\n"
		  "urandom 1:9 666 0:0\ntty 5:0 666 0:0\n" },
		{ "cd /dev; for l in fd stdin stdout stderr ptmx; do readlink $l; done",
		  "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n"
		  "pts/ptmx\n" },
		{ "stat -c '%a' /dev /dev/shm /dev/mqueue /dev/pts", "755\n1777\n1777\n755\n" },
		{ "echo x >/dev/null; echo y >/dev/shm/y; cat /dev/shm/y", "y\n" },
		{ "cut() { while read a b c d e f g h; do [ $5 = / ] || echo $5 $h; done; }; "
		  "while read id parent dev root at opts rest; do echo \"$at $opts\"; "
		  "done </proc/self/mountinfo | grep -E '^/(proc|sys|dev|dev/pts|dev/shm) '",
		  "/proc rw,nosuid,nodev,noexec,relatime\n/dev rw,nosuid,nodev\n"
		  "/dev/pts rw,nosuid,noexec,relatime\n"
		  "/dev/shm rw,nosuid,nodev,noexec,relatime\n"
		  "/sys ro,nosuid,nodev,noexec,relatime\n" },
	};
	struct rootfs *rootfs = rootfs_need(state);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_output(rootfs, cases[i].script, cases[i].want);
}

TEST(open_files_are_limited_as_docker_does_or_as_the_machine_does)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *text = output_of(rootfs, "ulimit -Hn");
	struct rlimit own;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
	if (strcmp(text, "524288\n") != 0) { /* a limit above ours needs CAP_SYS_RESOURCE */
		assert_true(own.rlim_max < 524288);
		assert_int_equal(strtoul(text, NULL, 10), own.rlim_max);
	}
}

TEST(a_step_sees_the_variables_it_was_given)
{
	static char *const argv[] = { (char *)"env", NULL };
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result;
	AUTO(mem) char *text = NULL;
	struct script_spec script;

	prepare_script(rootfs, "", &script);
	script.spec.argv = argv;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_string_equal(text, "PATH=/bin\nHOME=/root\n");
}

TEST(no_process_and_no_mount_of_the_host_is_seen)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *mounts = NULL;

	assert_output(rootfs, "for p in /proc/[0-9]*; do echo ${p#/proc/}; done", "1\n");
	mounts = output_of(rootfs, "while read a b c d at rest; do echo $at; "
				   "done </proc/self/mountinfo | grep -vE "
				   "'^/$|^/(proc|sys|dev)(/|$)|^/etc/(hosts|resolv.conf)$' || :");
	assert_string_equal(mounts, "");
}

TEST(dangerous_paths_are_hidden_or_fixed)
{
	struct rootfs *rootfs = rootfs_need(state);

	assert_output(
		rootfs,
		"cd /proc; for f in interrupts kcore keys latency_stats sched_debug timer_list "
		"timer_stats; do [ -e $f ] && cat $f; done; "
		"for d in acpi asound scsi /sys/firmware /sys/devices/virtual/powercap; do "
		"[ -e $d ] && ls -A $d; done; true",
		"");
	assert_output(rootfs,
		      "for f in /proc/sys/kernel/hostname /proc/sysrq-trigger "
		      "/proc/irq/default_smp_affinity /sys/kernel/mm/transparent_hugepage/enabled; "
		      "do [ -e $f ] && (echo 1 >$f) 2>/dev/null && echo $f; done; true",
		      "");
	/* nothing below /sys can be written by mode and by mount */
	assert_output(rootfs, "grep -E ' /sys[/ ]' /proc/self/mountinfo | grep -v ' ro,' || :", "");
	assert_output(rootfs, "mount -o remount,rw /sys 2>/dev/null || echo no", "no\n");
	assert_output(rootfs, "umount /proc/keys 2>/dev/null || echo no", "no\n");
	assert_output(rootfs, "unshare -m true 2>/dev/null || echo no", "no\n");
	assert_output(rootfs, "unshare -U true 2>/dev/null || echo no", "no\n");
}

TEST(no_device_of_the_host_can_be_opened)
{
	struct rootfs *rootfs = rootfs_need(state);

	/* CAP_MKNOD makes nodes; no mount that a step can write to lets it open them */
	assert_output(rootfs,
		      "for d in / /tmp /dev /dev/shm /etc; do "
		      "mknod $d/disk c 1 3 2>/dev/null && (echo >$d/disk) 2>/dev/null && echo $d; "
		      "done; true",
		      "");
}

TEST(the_network_is_a_loopback_that_is_up)
{
	struct rootfs *rootfs = rootfs_need(state);

	assert_output(rootfs, "ls /sys/class/net; ip -o link show lo | grep -c LOOPBACK,UP",
		      "lo\n1\n");
	assert_output(rootfs, "[ -s /etc/resolv.conf ] || echo empty", "empty\n");
	assert_output(rootfs,
		      "cat /proc/sys/net/ipv4/ip_unprivileged_port_start "
		      "/proc/sys/net/ipv4/ping_group_range",
		      "0\n0\t2147483647\n");
}

TEST(the_hosts_network_comes_with_its_resolver)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *text = NULL;
	AUTO(mem) char *host = NULL;
	struct sandbox_result result;
	struct script_spec script;
	int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		skip();
	host = read_all(fd);
	close(fd);
	prepare_script(rootfs, "cat /etc/resolv.conf", &script);
	script.spec.network = SANDBOX_NETWORK_HOST;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_string_equal(text, host);
}

TEST(takes_host_names_and_more_hosts)
{
	static const char *const hosts[] = { "10.0.0.1\tregistry", "10.0.0.2\tmirror", NULL };
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *text = NULL;
	struct sandbox_result result;
	struct script_spec script;

	prepare_script(rootfs, "hostname; grep -v ip6- /etc/hosts", &script);
	script.spec.hostname = "maker";
	script.spec.hosts = hosts;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_string_equal(text, "maker\n127.0.0.1\tlocalhost\n127.0.0.1\tmaker\n"
				  "10.0.0.1\tregistry\n10.0.0.2\tmirror\n");
}

TEST(shared_memory_has_the_size_that_was_asked_for)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *text = NULL;
	struct sandbox_result result;
	struct script_spec script;

	assert_output(rootfs, "stat -f -c %b /dev/shm; stat -f -c %S /dev/shm", "16384\n4096\n");
	prepare_script(rootfs, "stat -f -c %b /dev/shm", &script);
	script.spec.shm_size = (uint64_t)1024 * 1024;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_string_equal(text, "256\n");
}

/* ---- users ---- */

TEST(another_user_has_no_capabilities_and_its_own_groups)
{
	static const gid_t groups[] = { 44, 100, 1001 };
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *text = NULL;
	struct sandbox_result result;
	struct script_spec script;

	prepare_script(rootfs,
		       "id -u; id -g; grep -E '^(Groups|Cap)' /proc/self/status; "
		       "echo out >/dev/stdout; echo ok >/dev/null; touch /x 2>/dev/null || echo no",
		       &script);
	script.spec.uid = 1000;
	script.spec.gid = 1001;
	script.spec.groups = groups;
	script.spec.group_count = ARRAY_SIZE(groups);
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_string_equal(text, "1000\n1001\nGroups:\t44 100 1001 \n"
				  "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
				  "CapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n"
				  "CapAmb:\t0000000000000000\nout\nno\n");
}

TEST(set_id_programs_work)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *text = NULL;
	struct sandbox_result result;
	struct script_spec script;

	rootfs_put(rootfs, "tmp/x", "", 0644);
	assert_int_equal(renameat(rootfs->layer_fd, "bin/busybox", rootfs->layer_fd, "bin/idbox"),
			 0);
	assert_int_equal(symlinkat("idbox", rootfs->layer_fd, "bin/busybox"), 0);
	assert_int_equal(fchmodat(rootfs->layer_fd, "bin/idbox", 04755, 0), 0);
	prepare_script(rootfs, "grep -E '^(Uid|CapEff)' /proc/self/status", &script);
	script.spec.uid = 1000;
	script.argv[0] = (char *)"/bin/grep";
	script.argv[1] = (char *)"-E";
	script.argv[2] = (char *)"^Uid";
	/* busybox drops what it was given for applets that need no root: the saved id remains */
	char *argv[] = { (char *)"/bin/grep", (char *)"-E", (char *)"^CapBnd|^Uid",
			 (char *)"/proc/self/status", NULL };

	script.spec.argv = argv;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_int_equal(result.code, 0);
	assert_non_null(strstr(text, "Uid:\t1000\t"));
}

TEST(the_callers_groups_and_capabilities_do_not_come_along)
{
	static const gid_t callers[] = { 27, 999 };
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox *own = sandbox_new(-1);
	struct sandbox *before = sandbox;

	assert_int_equal(setgroups(2, callers), 0);
	sandbox = own;
	assert_output(rootfs, "grep Groups /proc/self/status", "Groups:\t \n");
	sandbox = before;
	sandbox_free(own);
	assert_int_equal(setgroups(0, NULL), 0);
}

/* ---- how steps end ---- */

TEST(exit_codes_are_those_of_a_shell)
{
	static const struct {
		const char *argv[4];
		int code, signal, exec_errno;
		bool found;
	} cases[] = {
		{ { "/bin/true" }, 0, 0, 0, false },
		{ { "false" }, 1, 0, 0, false }, /* found in PATH */
		{ { "/bin/sh", "-c", "exit 3" }, 3, 0, 0, false },
		{ { "/bin/sh", "-c", "exit 255" }, 255, 0, 0, false },
		{ { "nothing" }, 127, 0, ENOENT, false },
		{ { "/bin/nothing" }, 127, 0, ENOENT, false },
		{ { "/no/such/dir/x" }, 127, 0, ENOENT, false },
		{ { "" }, 127, 0, ENOENT, false },
		{ { "/plain" }, 126, 0, EACCES, true },
		{ { "/bin" }, 126, 0, EACCES, true },
		{ { "/text" }, 126, 0, ENOEXEC, true },
		{ { "/script" }, 127, 0, ENOENT, true }, /* its interpreter is missing */
		{ { "true" }, 0, 0, 0, false }, /* as above, but the first in PATH is no program */
		{ { "/loop" }, 126, 0, ELOOP, true },
	};
	static char *const env[] = { (char *)"PATH=/first:/other", NULL };
	struct rootfs *rootfs = rootfs_need(state);

	rootfs_put(rootfs, "plain", "", 0644);
	rootfs_put(rootfs, "text", "neither fish nor fowl", 0755);
	rootfs_put(rootfs, "script", "#!/no/interpreter\n", 0755);
	mkdirat(rootfs->layer_fd, "first", 0755);
	mkdirat(rootfs->layer_fd, "other", 0755);
	rootfs_put(rootfs, "first/true", "", 0644);
	assert_int_equal(symlinkat("/bin/true", rootfs->layer_fd, "other/true"), 0);
	assert_int_equal(symlinkat("/bin/busybox", rootfs->layer_fd, "other/false"), 0);
	assert_int_equal(symlinkat("loop", rootfs->layer_fd, "loop"), 0);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sandbox_result result = { .code = -1 };
		AUTO(mem) char *text = NULL;
		struct script_spec script;

		prepare_script(rootfs, "", &script);
		script.spec.argv = (char *const *)cases[i].argv;
		script.spec.envp = env;
		assert_ok(run_spec(&script.spec, &text, &result));
		if (result.code != cases[i].code || result.exec_errno != cases[i].exec_errno ||
		    result.signal != cases[i].signal || result.exec_found != cases[i].found)
			fail_msg("%s: code %d, signal %d, errno %d, found %d", cases[i].argv[0],
				 result.code, result.signal, result.exec_errno, result.exec_found);
	}
}

/* Start a script with output to a pipe and wait until it says something. */
static struct sandbox_run *start_and_hear(struct script_spec *script, int *ret_output)
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

static int wait_readable(int fd, int milliseconds)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	return poll(&polled, 1, milliseconds);
}

TEST(a_step_can_be_killed)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result;
	struct script_spec script;
	struct sandbox_run *run;
	int output;

	prepare_script(rootfs, "sleep 1000 & echo ready; sleep 1000", &script);
	run = start_and_hear(&script, &output);
	assert_int_equal(wait_readable(sandbox_run_fd(run), 0), 0);
	sandbox_kill(run, SIGKILL);
	assert_int_equal(wait_readable(sandbox_run_fd(run), 5000), 1);
	assert_ok(sandbox_wait(run, &result));
	assert_int_equal(result.code, 137);
	assert_int_equal(result.signal, SIGKILL);
	assert_int_equal(wait_readable(output, 5000), 1); /* the background process, too */
	sandbox_kill(run, SIGKILL);                       /* harmless */
	sandbox_run_free(run);
	close(output);
}

TEST(a_signal_reaches_the_group_and_process_1_if_it_listens)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result;
	struct script_spec script;
	struct sandbox_run *run;
	int output;

	prepare_script(rootfs, "trap 'exit 9' TERM; echo; sleep 1000 & wait", &script);
	run = start_and_hear(&script, &output);
	sandbox_kill(run, SIGTERM);
	assert_ok(sandbox_wait(run, &result));
	assert_int_equal(result.code, 9);
	sandbox_run_free(run);
	close(output);
}

TEST(freeing_a_run_ends_it)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct script_spec script;
	int output;

	prepare_script(rootfs, "echo; setsid sleep 1000", &script);
	sandbox_run_free(start_and_hear(&script, &output));
	assert_int_equal(wait_readable(output, 5000), 1); /* end of file: nobody holds it */
	close(output);
}

TEST(reports_what_the_step_used)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result;
	AUTO(mem) char *text = NULL;
	struct script_spec script;

	prepare_script(rootfs, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.1",
		       &script);
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_in_range(result.wall_ns, 100 * 1000 * 1000, UINT64_C(60000000000));
	assert_in_range(result.user_us, 1, 60000000);
	assert_in_range(result.max_rss, 100 * 1024, 512 * 1024 * 1024);
}

/* ---- nothing stays behind ---- */

TEST(the_upper_directory_stays_empty)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(strings) struct strings names = { 0 };

	assert_output(rootfs, "ls /proc /sys /dev /etc >/dev/null; echo 1.2.3.4 x >>/etc/hosts",
		      "");
	assert_ok(file_list(rootfs->upper_fd, ".", &names));
	if (names.len)
		fail_msg("the step left %s", names.at[0]);
}

TEST(changes_to_hosts_are_private_and_thrown_away)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(strings) struct strings names = { 0 };

	mkdirat(rootfs->layer_fd, "etc", 0755);
	mkdirat(rootfs->layer_fd, "run", 0755);
	rootfs_put(rootfs, "etc/hosts", "the image's\n", 0644);
	assert_int_equal(symlinkat("../run/nowhere", rootfs->layer_fd, "etc/resolv.conf"), 0);
	assert_output(rootfs, "echo changed >/etc/hosts; cat /etc/hosts", "changed\n");
	assert_ok(file_list(rootfs->upper_fd, ".", &names));
	assert_int_equal(names.len, 0);
	assert_output(rootfs, "grep -c the.image /etc/hosts || :", "0\n");
}

TEST(a_resolver_file_that_is_a_link_is_covered_not_followed)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(strings) struct strings names = { 0 };
	AUTO(mem) char *text = NULL;
	struct sandbox_result result;
	struct script_spec script;

	if (access("/etc/resolv.conf", R_OK) != 0)
		skip();
	mkdirat(rootfs->layer_fd, "etc", 0755);
	assert_int_equal(symlinkat("../run/nowhere", rootfs->layer_fd, "etc/resolv.conf"), 0);
	prepare_script(rootfs,
		       "[ -f /etc/resolv.conf ] && echo x >/etc/resolv.conf && "
		       "cat /etc/resolv.conf",
		       &script);
	script.spec.network = SANDBOX_NETWORK_HOST;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_string_equal(text, "x\n");
	assert_ok(file_list(rootfs->upper_fd, ".", &names));
	assert_int_equal(names.len, 0);
}

TEST(a_working_directory_is_made_for_the_steps_user)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *text = NULL;
	struct sandbox_result result;
	struct script_spec script;
	struct stat st;

	prepare_script(rootfs, "pwd; stat -c '%a %u:%g' /srv/app/data /srv/app /srv", &script);
	script.spec.cwd = "//srv/app//data/";
	script.spec.uid = 1000;
	script.spec.gid = 1001;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_string_equal(text, "/srv/app/data\n755 1000:1001\n755 1000:1001\n755 1000:1001\n");
	assert_int_equal(fstatat(rootfs->upper_fd, "srv/app/data", &st, 0), 0);

	/* one that is there stays as it is */
	free(text);
	prepare_script(rootfs, "pwd; stat -c '%a %u:%g' .", &script);
	script.spec.cwd = "/tmp";
	script.spec.uid = 1000;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_string_equal(text, "/tmp\n1777 0:0\n");
}

TEST(a_deleted_proc_is_made_again)
{
	struct rootfs *rootfs = rootfs_need(state);

	assert_int_equal(mknodat(rootfs->layer_fd, "proc", S_IFCHR, 0), 0);
	assert_output(rootfs, "cat /proc/sys/kernel/hostname", "cairn\n");
}

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
		struct sandbox_result result;
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
		struct sandbox_result result;
		AUTO(mem) char *text = NULL;
		struct script_spec script;

		prepare_script(rootfs, "pwd", &script);
		script.spec.cwd = paths[i];
		assert_fails(run_spec(&script.spec, &text, &result), ERR_INVALID);
	}
}

/* S02: the image executes the program that executes it, and writes to it. */
TEST(s02_the_executing_program_cannot_be_changed)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result;
	AUTO(mem) char *text = NULL;
	struct script_spec script;

	rootfs_put(rootfs, "again", "#!/proc/self/exe\n", 0755);
	prepare_script(rootfs, "", &script);
	script.argv[0] = (char *)"/again";
	script.argv[1] = NULL;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_int_equal(result.code, 125); /* the spawner, which found no builder to talk to */

	free(text);
	assert_int_equal(symlinkat("/proc/self/exe", rootfs->layer_fd, "itself"), 0);
	prepare_script(rootfs, "", &script);
	script.argv[0] = (char *)"/itself";
	script.argv[1] = NULL;
	assert_ok(run_spec(&script.spec, &text, &result));
	assert_int_equal(result.code, 125);
	/* and it is a sealed memory file: F_SEAL_WRITE is tested by what the kernel answers */
	free(text);
	prepare_script(rootfs, "", &script);
	assert_ok(run_spec(&script.spec, &text, &result));
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
			struct sandbox_result result;
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

	struct sandbox_result result;
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

/* S16: no terminal of the caller, and a session of its own. */
TEST(s16_a_step_has_its_own_session_and_no_terminal)
{
	struct rootfs *rootfs = rootfs_need(state);

	/* pid, comm, state, ppid, pgrp, session, tty */
	assert_output(rootfs, "read a b c d e f g h </proc/1/stat; echo $a $e $f $g", "1 1 1 0\n");
	assert_output(rootfs, "(: </dev/tty) 2>/dev/null || echo none", "none\n");
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

/* ---- a terminal ---- */

TEST(a_step_can_have_a_terminal)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_run *run = NULL;
	struct sandbox_result result;
	AUTO(mem) char *text = NULL;
	struct script_spec script;

	prepare_script(rootfs,
		       "tty; stat -c '%t:%T' /dev/console; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && "
		       "echo yes; : </dev/tty && read x; echo got $x; id -u",
		       &script);
	script.spec.tty = true;
	script.spec.uid = 1000;
	assert_ok(sandbox_start(sandbox, &script.spec, &run));
	close(script.spec.root_fd);
	assert_true(sandbox_run_tty(run) >= 0);
	assert_int_equal(write(sandbox_run_tty(run), "hello\n", 6), 6);
	text = read_all(sandbox_run_tty(run)); /* ends with EIO when the last slave is closed */
	assert_ok(sandbox_wait(run, &result));
	assert_int_equal(result.code, 0);
	assert_non_null(strstr(text, "/dev/pts/0\r\n"));
	assert_non_null(strstr(text, "88:0\r\n"));
	assert_non_null(strstr(text, "yes\r\n"));
	assert_non_null(strstr(text, "got hello\r\n1000\r\n"));
	sandbox_run_free(run);
}

TEST(a_terminal_is_not_given_when_the_step_cannot_be_set_up)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_run *run = NULL;
	struct script_spec script;

	rootfs_put(rootfs, "dev", "", 0644);
	prepare_script(rootfs, "true", &script);
	script.spec.tty = true;
	assert_fails(sandbox_start(sandbox, &script.spec, &run), ERR_INVALID);
	close(script.spec.root_fd);
}

/* ---- several at once, and the death of the builder ---- */

#define THREADS 8

struct worker {
	struct script_spec script;
	char text[64];
	char *got;
	struct err *err;
	struct sandbox_result result;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	worker->err = run_spec(&worker->script.spec, &worker->got, &worker->result);
	return NULL;
}

TEST(steps_run_at_once_from_many_threads)
{
	struct rootfs *rootfs = rootfs_need(state);
	static struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint64_t begin = clock_monotonic();

	for (int i = 0; i < THREADS; i++) {
		snprintf(workers[i].text, sizeof(workers[i].text), "sleep 0.3; echo %d; exit %d", i,
			 i);
		prepare_script(rootfs, workers[i].text, &workers[i].script);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		char want[16];

		pthread_join(threads[i], NULL);
		assert_null(workers[i].err);
		assert_int_equal(workers[i].result.code, i);
		snprintf(want, sizeof(want), "%d\n", i);
		assert_string_equal(workers[i].got, want);
		free(workers[i].got);
	}
	assert_in_range(clock_monotonic() - begin, 0, UINT64_C(2000000000)); /* not one by one */
}

struct short_life {
	struct script_spec script;
	struct sandbox_run *run;
};

static void *start_only(void *arg)
{
	struct short_life *life = arg;

	return sandbox_start(sandbox, &life->script.spec, &life->run);
}

TEST(a_step_outlives_the_thread_that_started_it)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result;
	struct short_life life = { 0 };
	pthread_t thread;
	void *err;

	sandbox_free(sandbox);
	sandbox = sandbox_new(-1); /* so that this thread starts the spawner, too */
	prepare_script(rootfs, "sleep 0.3; exit 7", &life.script);
	assert_int_equal(pthread_create(&thread, NULL, start_only, &life), 0);
	pthread_join(thread, &err);
	assert_null(err);
	close(life.script.spec.root_fd);
	assert_ok(sandbox_wait(life.run, &result));
	assert_int_equal(result.code, 7);
	sandbox_run_free(life.run);
}

/* In a process that will be killed: start a step as user 1000 that makes itself hard to kill. */
static void live_until_killed(struct rootfs *rootfs, int output)
{
	struct sandbox *own = sandbox_new(-1);
	struct sandbox_run *run = NULL;
	struct script_spec script;

	prepare_script(rootfs,
		       "trap '' TERM HUP INT; setsid sleep 1000 & setsid sleep 1000 & echo; "
		       "while :; do sleep 1000; done",
		       &script);
	script.spec.uid = 1000; /* a change of ids takes the death signal away */
	script.spec.stdout_fd = output;
	err_free(sandbox_start(own, &script.spec, &run));
	close(output);
	for (;;)
		pause();
}

TEST(kill_9_of_the_builder_kills_the_step)
{
	struct rootfs *rootfs = rootfs_need(state);
	int output[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(output[0]);
		live_until_killed(rootfs, output[1]);
	}
	close(output[1]);
	assert_int_equal(read(output[0], &byte, 1), 1);
	assert_int_equal(wait_readable(output[0], 100), 0); /* it lives */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* the pipe ends when the last process of the step is gone */
	assert_int_equal(wait_readable(output[0], 5000), 1);
	assert_int_equal(read(output[0], &byte, 1), 0);
	close(output[0]);
}

TEST(the_spawner_is_small_and_shows_nothing)
{
	struct rootfs *rootfs = rootfs_need(state);
	AUTO(mem) char *status = NULL;
	AUTO(mem) char *environment = NULL;
	const char *line;
	char path[64];
	int fd;

	assert_output(rootfs, "true", "");
	snprintf(path, sizeof(path), "/proc/%d/status", (int)sandbox_spawner_pid(sandbox));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	status = read_all(fd);
	close(fd);
	line = strstr(status, "VmRSS:");
	assert_non_null(line);
	assert_in_range(strtol(line + strlen("VmRSS:"), NULL, 10), 1, 1024); /* kB */
	assert_non_null(strstr(status, "Threads:\t1\n"));
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)sandbox_spawner_pid(sandbox));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	environment = read_all(fd);
	close(fd);
	assert_string_equal(environment, "");
}

TEST(a_spawner_that_dies_is_reported)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_result result;
	struct script_spec script;
	struct sandbox_run *run;
	int output;

	sandbox_free(sandbox);
	sandbox = sandbox_new(-1);
	prepare_script(rootfs, "echo; sleep 1000", &script);
	run = start_and_hear(&script, &output);
	assert_int_equal(kill(sandbox_spawner_pid(sandbox), SIGKILL), 0);
	assert_fails(sandbox_wait(run, &result), ERR_INTERNAL);
	sandbox_run_free(run);
	close(output);
	sandbox_free(sandbox);
	sandbox = sandbox_new(-1);
}

int main(void)
{
#define ROOTFS_TEST(name) cmocka_unit_test_setup_teardown(name, rootfs_make, rootfs_remove)
	const struct CMUnitTest tests[] = {
		ROOTFS_TEST(a_step_finds_what_docker_promises),
		ROOTFS_TEST(open_files_are_limited_as_docker_does_or_as_the_machine_does),
		ROOTFS_TEST(a_step_sees_the_variables_it_was_given),
		ROOTFS_TEST(no_process_and_no_mount_of_the_host_is_seen),
		ROOTFS_TEST(dangerous_paths_are_hidden_or_fixed),
		ROOTFS_TEST(no_device_of_the_host_can_be_opened),
		ROOTFS_TEST(the_network_is_a_loopback_that_is_up),
		ROOTFS_TEST(the_hosts_network_comes_with_its_resolver),
		ROOTFS_TEST(takes_host_names_and_more_hosts),
		ROOTFS_TEST(shared_memory_has_the_size_that_was_asked_for),
		ROOTFS_TEST(another_user_has_no_capabilities_and_its_own_groups),
		ROOTFS_TEST(set_id_programs_work),
		ROOTFS_TEST(the_callers_groups_and_capabilities_do_not_come_along),
		ROOTFS_TEST(exit_codes_are_those_of_a_shell),
		ROOTFS_TEST(a_step_can_be_killed),
		ROOTFS_TEST(a_signal_reaches_the_group_and_process_1_if_it_listens),
		ROOTFS_TEST(freeing_a_run_ends_it),
		ROOTFS_TEST(reports_what_the_step_used),
		ROOTFS_TEST(the_upper_directory_stays_empty),
		ROOTFS_TEST(changes_to_hosts_are_private_and_thrown_away),
		ROOTFS_TEST(a_resolver_file_that_is_a_link_is_covered_not_followed),
		ROOTFS_TEST(a_working_directory_is_made_for_the_steps_user),
		ROOTFS_TEST(a_deleted_proc_is_made_again),
		ROOTFS_TEST(s01_no_descriptor_leads_out),
		ROOTFS_TEST(s01_magic_links_are_no_working_directories),
		ROOTFS_TEST(s02_the_executing_program_cannot_be_changed),
		ROOTFS_TEST(s06_links_are_no_mount_points),
		ROOTFS_TEST(s06_etc_may_be_a_link_and_stays_inside),
		ROOTFS_TEST(s16_a_step_has_its_own_session_and_no_terminal),
		ROOTFS_TEST(ignored_signals_do_not_come_along),
		ROOTFS_TEST(a_step_can_have_a_terminal),
		ROOTFS_TEST(a_terminal_is_not_given_when_the_step_cannot_be_set_up),
		ROOTFS_TEST(steps_run_at_once_from_many_threads),
		ROOTFS_TEST(a_step_outlives_the_thread_that_started_it),
		ROOTFS_TEST(kill_9_of_the_builder_kills_the_step),
		ROOTFS_TEST(the_spawner_is_small_and_shows_nothing),
		ROOTFS_TEST(a_spawner_that_dies_is_reported),
	};

	return cmocka_run_group_tests(tests, open_sandbox, close_sandbox);
}
