/* tests/unit/test_limits.c - the options for memory, CPUs and processes, as docker and podman take them. */

#include "tests/unit/unit.h"

#include <string.h>

#include "cli/limits.h"

#define MIB (UINT64_C(1) << 20)

TEST(options_become_numbers)
{
	AUTO(limits) struct limits limits = { 0 };
	const struct limit_values values = {
		.memory = "512m",
		.memory_swap = "1g",
		.cpu_period = "50000",
		.cpu_quota = "25000",
		.cpu_shares = "512",
		.cpuset_cpus = "0-2,4",
		.cpuset_mems = "0",
		.pids_limit = "100",
		.shm_size = "2m",
		.cgroup_parent = "/ci",
	};
	const struct sandbox_resources *r = &limits.resources;

	assert_ok(limits_read(&values, &limits));
	assert_int_equal(r->memory, 512 * MIB);
	assert_int_equal(r->memory_swap, 1024 * MIB);
	assert_int_equal(r->cpu_period, 50000);
	assert_int_equal(r->cpu_quota, 25000);
	assert_int_equal(r->cpu_shares, 512);
	assert_string_equal(r->cpuset_cpus, "0-2,4");
	assert_string_equal(r->cpuset_mems, "0");
	assert_int_equal(r->pids, 100);
	assert_string_equal(r->cgroup_parent, "/ci");
	assert_int_equal(limits.shm_size, 2 * MIB);
}

/* The list is freed by its owner, the table of options. */
static struct err *read_resource(const char *text, struct limits *ret)
{
	AUTO(strings) struct strings list = { 0 };

	strings_push(&list, text);
	return limits_read(&(struct limit_values){ .memory = "1m", .resources = list }, ret);
}

TEST(limits_may_stand_in_one_option)
{
	static const char *const wrong[] = {
		"",        "memory",     "memory=",           "=1",
		"disk=1g", "memory=2g,", "memory=2g,,cpus=1", "0-3,memory=2g"
	};
	AUTO(limits) struct limits limits = { 0 };

	assert_ok(read_resource("cpuset-cpus=0-3,6,memory=2g,cpu-quota=25000,pids-limit=-1",
				&limits));
	assert_int_equal(limits.resources.memory, 2048 * MIB);
	assert_int_equal(limits.resources.cpu_quota, 25000);
	assert_string_equal(limits.resources.cpuset_cpus, "0-3,6");
	assert_int_equal(limits.resources.pids, SANDBOX_NO_LIMIT);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO(limits) struct limits none = { 0 };

		assert_fails(read_resource(wrong[i], &none), ERR_USAGE);
	}
}

TEST(numbers_of_cpus_are_a_quota)
{
	static const struct {
		const char *text;
		uint64_t quota;
	} cases[] = {
		{ "1", 100000 },   { "1.5", 150000 },        { "0.01", 1000 },
		{ ".25", 25000 },  { "2.", 200000 },         { "0.333333", 33333 },
		{ "64", 6400000 }, { "1.00000999", 100000 }, { "0.5000000000001", 50000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct limits limits = { 0 };

		assert_ok(limits_read(&(struct limit_values){ .cpus = cases[i].text }, &limits));
		assert_int_equal(limits.resources.cpu_quota, cases[i].quota);
		assert_int_equal(limits.resources.cpu_period, 0);
	}
}

TEST(no_limit_can_be_asked_for)
{
	const struct limit_values values = {
		.memory = "1m", .memory_swap = "-1", .cpu_quota = "-1", .pids_limit = "-1"
	};
	struct limits limits = { 0 };

	assert_ok(limits_read(&values, &limits));
	assert_true(limits.resources.memory_swap == SANDBOX_NO_LIMIT);
	assert_true(limits.resources.cpu_quota == SANDBOX_NO_LIMIT);
	assert_true(limits.resources.pids == SANDBOX_NO_LIMIT);
	limits = (struct limits){ 0 };
	assert_ok(limits_read(&(struct limit_values){ .pids_limit = "0" }, &limits));
	assert_true(limits.resources.pids == SANDBOX_NO_LIMIT);
}

TEST(wrong_values_name_their_option)
{
	static const struct {
		struct limit_values values;
		const char *text;
	} cases[] = {
		{ { .memory = "much" }, "option --memory: " },
		{ { .cgroup_parent = "../x" }, "option --cgroup-parent: '../x'" },
		{ { .cgroup_parent = "/" }, "option --cgroup-parent: " },
		{ { .memory = "0" }, "option --memory: " },
		{ { .memory = "-1" }, "option --memory: " },
		{ { .memory_swap = "1g" }, "option --memory-swap: it needs --memory" },
		{ { .memory = "2g", .memory_swap = "1g" }, "option --memory-swap: " },
		{ { .cpus = "0" }, "option --cpus: " },
		{ { .cpus = "0.001" }, "option --cpus: " },
		{ { .cpus = "" }, "option --cpus: " },
		{ { .cpus = "." }, "option --cpus: " },
		{ { .cpus = "1.0000000x" }, "option --cpus: " },
		{ { .cpus = "1,5" }, "option --cpus: " },
		{ { .cpus = "-1" }, "option --cpus: " },
		{ { .cpus = "1e9" }, "option --cpus: " },
		{ { .cpus = "99999999999999999999" }, "option --cpus: " },
		{ { .cpus = "1", .cpu_quota = "5000" }, "option --cpus: " },
		{ { .cpus = "1", .cpu_period = "5000" }, "option --cpus: " },
		{ { .cpu_period = "999" }, "option --cpu-period: " },
		{ { .cpu_period = "1000001" }, "option --cpu-period: " },
		{ { .cpu_quota = "999" }, "option --cpu-quota: " },
		{ { .cpu_shares = "1" }, "option --cpu-shares: " },
		{ { .cpu_shares = "262145" }, "option --cpu-shares: " },
		{ { .cpuset_cpus = "" }, "option --cpuset-cpus: " },
		{ { .cpuset_cpus = "all" }, "option --cpuset-cpus: " },
		{ { .cpuset_cpus = "0-" }, "option --cpuset-cpus: " },
		{ { .cpuset_cpus = "-1" }, "option --cpuset-cpus: " },
		{ { .cpuset_cpus = "3-1" }, "option --cpuset-cpus: " },
		{ { .cpuset_cpus = "0,,1" }, "option --cpuset-cpus: " },
		{ { .cpuset_cpus = "0,1," }, "option --cpuset-cpus: " },
		{ { .cpuset_mems = "0 1" }, "option --cpuset-mems: " },
		{ { .pids_limit = "-2" }, "option --pids-limit: " },
		{ { .pids_limit = "few" }, "option --pids-limit: " },
		{ { .shm_size = "much" }, "option --shm-size: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(limits) struct limits limits = { 0 };
		AUTO(err) struct err *err = limits_read(&cases[i].values, &limits);

		if (err_kind(err) != ERR_USAGE || !strstr(err_text(err), cases[i].text))
			fail_msg("case %zu, '%s': %s", i, cases[i].text,
				 err ? err_text(err) : "accepted");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_become_numbers),
		cmocka_unit_test(limits_may_stand_in_one_option),
		cmocka_unit_test(numbers_of_cpus_are_a_quota),
		cmocka_unit_test(no_limit_can_be_asked_for),
		cmocka_unit_test(wrong_values_name_their_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
