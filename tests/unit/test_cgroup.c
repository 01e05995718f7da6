/* tests/unit/test_cgroup.c - control groups of both shapes, in directories made to look like them. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/anchor-private.h"
#include "overlay/cgroup-private.h"
#include "overlay/hierarchy-private.h"
#include "overlay/resource-private.h"
#include "overlay/sandbox.h"

static char top[] = "/tmp/cairn-test-cgroup-XXXXXX";
static int top_fd = -1;

/* A root directory of its own for each test. */
static int set_up(void **state)
{
	(void)state;
	memset(top + sizeof(top) - 7, 'X', 6);
	if (!mkdtemp(top))
		return -1;
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return top_fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(top_fd);
	err_free(file_remove_tree(AT_FDCWD, top));
	return 0;
}

/* Write a file of the root, with the directories above it. */
static void put(const char *path, const char *text)
{
	AUTO(mem) char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	int fd = -1;

	*slash = '\0';
	assert_ok(file_make_dirs(top_fd, dir, 0755, &fd));
	close(fd);
	fd = openat(top_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static char *get(const char *path)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);

	assert_ok(file_read(top_fd, path, 4096, &text));
	return buf_steal(&text);
}

/* What /proc says, as the kernel has it: proc(5), cgroups(7). */
static void describe(const char *groups, const char *mounts)
{
	put("proc/self/cgroup", groups);
	put("proc/self/mountinfo", mounts);
}

#define OLD_MOUNTS                                                                         \
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"              \
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 master:3 - cgroup cgroup "    \
	"rw,cpu,cpuacct\n"                                                                 \
	"35 31 0:32 /docker/abc /sys/fs/cgroup/mem\\040ory rw - cgroup cgroup rw,memory\n" \
	"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"         \
	"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"

#define NEW_MOUNTS "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

TEST(each_hierarchy_is_found_where_it_is_mounted)
{
	AUTO(hierarchies) struct hierarchies list = { 0 };

	describe(
		"9:name=systemd:/\n4:memory:/docker/abc/inner\n3:pids:/\n1:cpu,cpuacct:/a b\n0::/\n",
		OLD_MOUNTS);
	assert_ok(hierarchies_find(top_fd, &list));
	assert_int_equal(list.len, 3); /* pids is mounted nowhere */
	assert_string_equal(list.at[0].controllers, "memory");
	assert_string_equal(list.at[0].mount, "sys/fs/cgroup/mem ory");
	assert_string_equal(list.at[0].own, "sys/fs/cgroup/mem ory/inner");
	assert_string_equal(list.at[1].controllers, "cpu,cpuacct");
	assert_string_equal(list.at[1].own, "sys/fs/cgroup/cpu,cpuacct/a b");
	assert_true(list.at[2].unified);
	assert_string_equal(list.at[2].controllers, "");
	assert_string_equal(list.at[2].own, "sys/fs/cgroup/unified");
	assert_ptr_equal(hierarchies_with(&list, "cpuacct"), &list.at[1]);
	assert_null(hierarchies_with(&list, "pids"));
	assert_null(hierarchies_with(&list, "acct"));
}

TEST(a_group_outside_of_what_is_mounted_is_taken_for_its_top)
{
	static const struct {
		const char *group, *own;
	} cases[] = {
		{ "/docker/abc", "sys/fs/cgroup/mem ory" },
		{ "/docker/abcdef", "sys/fs/cgroup/mem ory" },
		{ "/../other", "sys/fs/cgroup/mem ory" },
		{ "/", "sys/fs/cgroup/mem ory" },
		{ "/docker/abc/", "sys/fs/cgroup/mem ory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(hierarchies) struct hierarchies list = { 0 };
		AUTO(mem) char *line = xasprintf("4:memory:%s\n", cases[i].group);

		describe(line, OLD_MOUNTS);
		assert_ok(hierarchies_find(top_fd, &list));
		assert_int_equal(list.len, 1);
		assert_string_equal(list.at[0].own, cases[i].own);
	}
}

TEST(a_machine_without_control_groups_has_none)
{
	AUTO(hierarchies) struct hierarchies list = { 0 };
	const struct sandbox_resources nothing = { 0 };
	const struct sandbox_resources memory = { .memory = 1 << 20 };
	const struct sandbox_resources parent = { .cgroup_parent = "/a" };
	struct cgroups *groups = NULL;

	assert_ok(hierarchies_find(top_fd, &list));
	assert_int_equal(list.len, 0);
	assert_ok(cgroups_open(top_fd, &nothing, &groups));
	assert_null(groups);
	assert_fails(cgroups_open(top_fd, &memory, &groups), ERR_UNSUPPORTED);
	assert_fails(cgroups_open(top_fd, &parent, &groups), ERR_UNSUPPORTED);
}

/* ---- what is written ---- */

static void assert_settings(const struct sandbox_resources *resources, bool unified,
			    const char *want)
{
	struct resource_setting settings[RESOURCE_SETTINGS_MAX];
	size_t count = resource_settings(resources, unified, settings);
	AUTO(buf) struct buf text = BUF_INIT(4096);

	for (size_t i = 0; i < count; i++)
		buf_addf(&text, "%s%s=%s\n", settings[i].option ? "" : "?", settings[i].file,
			 settings[i].text);
	assert_string_equal(text.at, want);
}

TEST(limits_become_files_of_either_shape)
{
	const struct sandbox_resources all = {
		.memory = 1000,
		.memory_swap = 1500,
		.cpu_quota = 150000,
		.cpu_period = 50000,
		.cpu_shares = 1024,
		.cpuset_cpus = "0-1",
		.cpuset_mems = "0",
		.pids = 30,
	};

	assert_settings(&all, true,
			"memory.max=1000\nmemory.swap.max=500\ncpu.weight=100\n"
			"cpu.max=150000 50000\ncpuset.cpus=0-1\ncpuset.mems=0\npids.max=30\n");
	assert_settings(&all, false,
			"memory.limit_in_bytes=1000\nmemory.memsw.limit_in_bytes=1500\n"
			"cpu.shares=1024\ncpu.cfs_period_us=50000\ncpu.cfs_quota_us=150000\n"
			"cpuset.cpus=0-1\ncpuset.mems=0\npids.max=30\n");
}

TEST(what_is_not_said_has_its_usual_value_and_may_fail)
{
	const struct sandbox_resources nothing = { 0 };
	const struct sandbox_resources memory = { .memory = 1000, .cpu_period = 7000 };
	const struct sandbox_resources none = { .memory = 1000,
						.memory_swap = SANDBOX_NO_LIMIT,
						.cpu_quota = SANDBOX_NO_LIMIT,
						.pids = SANDBOX_NO_LIMIT };

	assert_settings(&nothing, true, "?pids.max=4096\n");
	assert_settings(
		&memory, true,
		"memory.max=1000\n?memory.swap.max=1000\ncpu.max=max 7000\n?pids.max=4096\n");
	assert_settings(&memory, false,
			"memory.limit_in_bytes=1000\n?memory.memsw.limit_in_bytes=2000\n"
			"cpu.cfs_period_us=7000\ncpu.cfs_quota_us=-1\n?pids.max=4096\n");
	assert_settings(&none, true,
			"memory.max=1000\nmemory.swap.max=max\ncpu.max=max 100000\npids.max=max\n");
	assert_settings(&none, false,
			"memory.limit_in_bytes=1000\nmemory.memsw.limit_in_bytes=-1\n"
			"cpu.cfs_period_us=100000\ncpu.cfs_quota_us=-1\npids.max=max\n");
	assert_false(resources_asked(&nothing));
	assert_true(resources_asked(&memory));
}

/* The ends and the middle are those of the OCI runtimes: the usual of one is the usual of the other. */
TEST(shares_become_a_weight)
{
	uint64_t last = 0;

	assert_int_equal(resource_weight(2), 1);
	assert_int_equal(resource_weight(1024), 100);
	assert_int_equal(resource_weight(262144), 10000);
	for (uint64_t shares = 2; shares <= 262144; shares += 997) {
		assert_true(resource_weight(shares) >= last);
		last = resource_weight(shares);
		assert_in_range(last, 1, 10000);
	}
}

/* ---- where groups go ---- */

static struct err *open_anchor(const char *parent, const struct sandbox_resources *resources,
			       struct hierarchies *list, struct anchor *ret)
{
	struct resource_setting settings[RESOURCE_SETTINGS_MAX];
	size_t count;

	TRY(hierarchies_find(top_fd, list));
	assert_int_equal(list->len, 1);
	count = resource_settings(resources, list->at[0].unified, settings);
	return anchor_open(top_fd, &list->at[0], parent, settings, count, ret);
}

/* A unified hierarchy of a session that systemd has started. */
static void make_session(void)
{
	describe("0::/user.slice/session.scope\n", NEW_MOUNTS);
	put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu memory pids\n");
	put("sys/fs/cgroup/cgroup.subtree_control", "memory pids\n");
	put("sys/fs/cgroup/user.slice/cgroup.subtree_control", "memory pids\n");
	put("sys/fs/cgroup/user.slice/session.scope/cgroup.type", "domain\n");
}

TEST(in_the_unified_shape_groups_stand_beside_ours)
{
	const struct sandbox_resources memory = { .memory = 1000 };
	AUTO(hierarchies) struct hierarchies list = { 0 };
	AUTO(anchor) struct anchor anchor = { .dir_fd = -1 };
	AUTO(mem) char *passed = NULL;

	make_session();
	assert_ok(open_anchor(NULL, &memory, &list, &anchor));
	assert_string_equal(anchor.path, "sys/fs/cgroup/user.slice");
	passed = get("sys/fs/cgroup/user.slice/cgroup.subtree_control");
	assert_string_equal(passed, "memory pids\n"); /* they were there already */
}

TEST(a_controller_is_passed_on_from_the_top_down)
{
	const struct sandbox_resources cpus = { .cpu_quota = 1000 };
	AUTO(hierarchies) struct hierarchies list = { 0 };
	AUTO(anchor) struct anchor anchor = { .dir_fd = -1 };
	AUTO(mem) char *above = NULL;
	AUTO(mem) char *passed = NULL;

	make_session();
	assert_ok(open_anchor(NULL, &cpus, &list, &anchor));
	above = get("sys/fs/cgroup/cgroup.subtree_control");
	passed = get("sys/fs/cgroup/user.slice/cgroup.subtree_control");
	assert_true(str_starts(str_of(above), "+cpu"));
	assert_true(str_starts(str_of(passed), "+cpu"));
}

TEST(the_real_top_has_groups_below_it)
{
	const struct sandbox_resources pids = { .pids = 9 };
	AUTO(hierarchies) struct hierarchies list = { 0 };
	AUTO(anchor) struct anchor anchor = { .dir_fd = -1 };

	make_session();
	describe("0::/\n", NEW_MOUNTS);
	assert_ok(open_anchor(NULL, &pids, &list, &anchor));
	assert_string_equal(anchor.path, "sys/fs/cgroup");
}

TEST(parents_are_taken_from_the_top_and_made)
{
	static const struct {
		const char *parent, *path;
	} cases[] = {
		{ "/a/b", "sys/fs/cgroup/a/b" },
		{ "a//./b/", "sys/fs/cgroup/a/b" },
		{ "build.slice", "sys/fs/cgroup/build.slice" },
		{ "ci-build-x.slice", "sys/fs/cgroup/ci.slice/ci-build.slice/ci-build-x.slice" },
		{ "a/ci-b.slice", "sys/fs/cgroup/a/ci-b.slice" },
	};
	const struct sandbox_resources nothing = { 0 };

	make_session();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(hierarchies) struct hierarchies list = { 0 };
		AUTO(anchor) struct anchor anchor = { .dir_fd = -1 };

		assert_ok(open_anchor(cases[i].parent, &nothing, &list, &anchor));
		assert_string_equal(anchor.path, cases[i].path);
		assert_true(file_exists(top_fd, cases[i].path));
	}
	for (size_t i = 0; i < 3; i++) {
		static const char *const wrong[] = { "/", "", "../a" };
		AUTO(hierarchies) struct hierarchies list = { 0 };
		AUTO(anchor) struct anchor anchor = { .dir_fd = -1 };

		assert_fails(open_anchor(wrong[i], &nothing, &list, &anchor), ERR_INVALID);
	}
}

TEST(a_limit_without_its_controller_says_which)
{
	const struct sandbox_resources resources = { .cpuset_cpus = "0" };
	struct cgroups *groups = NULL;
	AUTO(err) struct err *err = NULL;

	make_session();
	put("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n");
	err = cgroups_open(top_fd, &resources, &groups);
	assert_int_equal(err_kind(err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err_text(err), "--cpuset-cpus: "));
	assert_non_null(strstr(err_text(err), "'cpuset'"));
	assert_non_null(err_notes(err));
}

/* These directories are none of the kernel's, so a new group in them has no files. */
TEST(a_limit_that_cannot_be_written_names_option_file_and_controller)
{
	const struct sandbox_resources resources = { .memory = 4096 };
	AUTO(cgroups) struct cgroups *groups = NULL;
	struct cgroup_leaf *leaf = NULL;
	AUTO(err) struct err *err = NULL;
	AUTO(strings) struct strings names = { 0 };

	make_session();
	assert_ok(cgroups_open(top_fd, &resources, &groups));
	err = cgroups_take(groups, &leaf);
	assert_int_equal(err_kind(err), ERR_UNSUPPORTED);
	assert_non_null(
		strstr(err_text(err),
		       "--memory: cannot write '4096' to /sys/fs/cgroup/user.slice/cairn-"));
	assert_non_null(strstr(err_text(err), "/memory.max of the cgroup controller 'memory': "));
	assert_ok(file_list(top_fd, "sys/fs/cgroup/user.slice", &names));
	assert_int_equal(names.len, 2); /* the group is gone again */
}

TEST(rights_that_are_missing_come_with_a_remedy)
{
	static const struct {
		int error;
		enum err_kind kind;
		const char *remedy;
	} cases[] = {
		{ EACCES, ERR_DENIED, "systemd-run --user --scope -p Delegate=yes" },
		{ EROFS, ERR_DENIED, "read-only here, as in most containers" },
		{ EBUSY, ERR_UNSUPPORTED, "--cgroup-parent" },
		{ ERANGE, ERR_INVALID, "refuses this value" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(err)
		struct err *err = anchor_refusal("--cpus", "cpu", "write '1' to", "a/cpu.max",
						 cases[i].error);

		assert_int_equal(err_kind(err), cases[i].kind);
		assert_non_null(strstr(
			err_text(err),
			"--cpus: cannot write '1' to /a/cpu.max of the cgroup controller 'cpu': "));
		assert_non_null(strstr(err_notes(err), cases[i].remedy));
	}
}

/* Without a limit of the user's, what stands in the way stands in nobody's way. */
TEST(what_nobody_asked_for_fails_in_silence)
{
	const struct sandbox_resources nothing = { 0 };
	AUTO(cgroups) struct cgroups *groups = NULL;
	struct cgroup_leaf *leaf = NULL;
	struct cgroup_entry entry;

	make_session();
	put("sys/fs/cgroup/user.slice/cgroup.subtree_control", "cpu\n");
	assert_ok(cgroups_open(top_fd, &nothing, &groups));
	assert_null(groups); /* neither pids nor memory: not worth a group */

	describe("3:pids:/x\n", "33 31 0:9 / /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n");
	assert_ok(cgroups_open(top_fd, &nothing, &groups));
	assert_null(groups); /* the mount is not there at all */

	put("sys/fs/cgroup/pids/x/cgroup.procs", "");
	assert_ok(cgroups_open(top_fd, &nothing, &groups));
	assert_non_null(groups);
	assert_ok(cgroups_take(groups, &leaf)); /* has no cgroup.procs in a directory like ours */
	cgroup_leaf_entry(leaf, &entry);
	assert_int_equal(entry.clone_fd, -1);
	assert_int_equal(entry.enter_count, 0);
	cgroup_leaf_put(leaf);
}

#define SLICE "sys/fs/cgroup/user.slice/"
#define DEAD "cairn-0123456789abcdef-1"
#define LIVING "cairn-fedcba9876543210-12"

TEST(leaves_of_the_dead_are_removed_and_those_of_the_living_stay)
{
	const struct sandbox_resources nothing = { 0 };
	AUTO(cgroups) struct cgroups *groups = NULL;
	AUTO(fd) int held = -1;
	AUTO(fd) int fd = -1;

	make_session();
	assert_ok(file_make_dirs(top_fd, SLICE DEAD "/docker/x", 0755, &fd));
	assert_ok(file_make_dirs(top_fd, SLICE LIVING, 0755, &held));
	assert_int_equal(flock(held, LOCK_EX), 0);
	assert_ok(cgroups_open(top_fd, &nothing, &groups));
	assert_false(file_exists(top_fd, SLICE DEAD));
	assert_true(file_exists(top_fd, SLICE LIVING));
	assert_true(file_exists(top_fd, SLICE "session.scope"));
}

TEST(groups_of_others_that_are_called_alike_stay)
{
	static const char *const others[] = {
		SLICE "cairn-ci.service/worker",   SLICE "cairn-1-1",
		SLICE "cairn-0123456789abcdef-",   SLICE "cairn-0123456789abcdef-1.scope",
		SLICE "cairn-0123456789abcdef0-1", SLICE "cairn-",
	};
	const struct sandbox_resources nothing = { 0 };
	AUTO(cgroups) struct cgroups *groups = NULL;

	make_session();
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		AUTO(fd) int fd = -1;

		assert_ok(file_make_dirs(top_fd, others[i], 0755, &fd));
	}
	assert_ok(cgroups_open(top_fd, &nothing, &groups));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_true(file_exists(top_fd, others[i]));
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(each_hierarchy_is_found_where_it_is_mounted),
		FRESH(a_group_outside_of_what_is_mounted_is_taken_for_its_top),
		FRESH(a_machine_without_control_groups_has_none),
		cmocka_unit_test(limits_become_files_of_either_shape),
		cmocka_unit_test(what_is_not_said_has_its_usual_value_and_may_fail),
		cmocka_unit_test(shares_become_a_weight),
		FRESH(in_the_unified_shape_groups_stand_beside_ours),
		FRESH(a_controller_is_passed_on_from_the_top_down),
		FRESH(the_real_top_has_groups_below_it),
		FRESH(parents_are_taken_from_the_top_and_made),
		FRESH(a_limit_without_its_controller_says_which),
		FRESH(a_limit_that_cannot_be_written_names_option_file_and_controller),
		cmocka_unit_test(rights_that_are_missing_come_with_a_remedy),
		FRESH(what_nobody_asked_for_fails_in_silence),
		FRESH(leaves_of_the_dead_are_removed_and_those_of_the_living_stay),
		FRESH(groups_of_others_that_are_called_alike_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
