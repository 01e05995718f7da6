/*
 * tests/unit/test_sandbox.c - what a step finds, who it is, and what it leaves behind.
 *
 * Expected is what the steps of Docker find.
 */

#include "tests/unit/unit.h"

#include <grp.h>
#include <sys/resource.h>

#include "base/vec.h"
#include "tests/unit/run.h"

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
	struct sandbox_result result = { 0 };
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
	struct sandbox_result result = { 0 };
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
	struct sandbox_result result = { 0 };
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
	struct sandbox_result result = { 0 };
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
	struct sandbox_result result = { 0 };
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
	struct sandbox_result result = { 0 };
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
	struct sandbox_result result = { 0 };
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

/* ---- a terminal ---- */

TEST(a_step_can_have_a_terminal)
{
	struct rootfs *rootfs = rootfs_need(state);
	struct sandbox_run *run = NULL;
	struct sandbox_result result = { 0 };
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

int main(void)
{
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
		ROOTFS_TEST(the_callers_groups_and_capabilities_do_not_come_along),
		ROOTFS_TEST(the_upper_directory_stays_empty),
		ROOTFS_TEST(changes_to_hosts_are_private_and_thrown_away),
		ROOTFS_TEST(a_resolver_file_that_is_a_link_is_covered_not_followed),
		ROOTFS_TEST(a_working_directory_is_made_for_the_steps_user),
		ROOTFS_TEST(a_deleted_proc_is_made_again),
		ROOTFS_TEST(a_step_can_have_a_terminal),
		ROOTFS_TEST(a_terminal_is_not_given_when_the_step_cannot_be_set_up),
	};

	return cmocka_run_group_tests(tests, open_sandbox, close_sandbox);
}
