/* tests/unit/test_seccomp_rules.c - profiles of docker's form, and capabilities by name. */

#include "tests/unit/unit.h"

#include <errno.h>

#include "overlay/capability.h"
#include "overlay/seccomp-rules.h"

#define SYS_ADMIN (UINT64_C(1) << 21)
#define RULE(more)                                                                                                        \
	"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"a\",\"b\"],\"action\":\"SCMP_ACT_ALLOW\"" more \
	"}]}"

/* How many rules remain for a step with CAP_SYS_ADMIN alone. */
static size_t count(const char *text)
{
	AUTO(seccomp_rules) struct seccomp_rules rules = { 0 };

	assert_ok(seccomp_rules_parse(str_of(text), "x", SYS_ADMIN, &rules));
	return rules.list.len;
}

TEST(a_rule_counts_where_its_conditions_hold)
{
	static const struct {
		const char *text;
		size_t want;
	} cases[] = {
		{ RULE(""), 1 },
		{ RULE(",\"includes\":{}"), 1 },
		{ RULE(",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}"), 1 },
		{ RULE(",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_KILL\"]}"), 0 },
		{ RULE(",\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}"), 0 },
		{ RULE(",\"excludes\":{\"caps\":[\"CAP_KILL\"]}"), 1 },
		{ RULE(",\"includes\":{\"caps\":[\"CAP_OF_TOMORROW\"]}"), 0 },
		{ RULE(",\"includes\":{\"arches\":[\"s390\"]}"), 0 },
		{ RULE(",\"includes\":{\"arches\":[\"amd64\",\"arm64\"]}"), 1 },
		{ RULE(",\"excludes\":{\"arches\":[\"amd64\",\"arm64\"]}"), 0 },
		{ RULE(",\"includes\":{\"minKernel\":\"4.8\"}"), 1 },
		{ RULE(",\"includes\":{\"minKernel\":\"999.0\"}"), 0 },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":\"a\",\"action\":"
		  "\"SCMP_ACT_ALLOW\"}]}",
		  0 },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":null}", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(count(cases[i].text), cases[i].want);
}

TEST(a_rule_is_read_with_its_errno_and_its_arguments)
{
	AUTO(seccomp_rules) struct seccomp_rules rules = { 0 };
	const struct seccomp_rule *rule;

	assert_ok(seccomp_rules_parse(
		STR("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"syscalls\":["
		    "{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ERRNO\"},"
		    "{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,\"value\":2,"
		    "\"valueTwo\":3,\"op\":\"SCMP_CMP_MASKED_EQ\"},{\"index\":1,\"value\":4,\"op\":"
		    "\"SCMP_CMP_EQ\"}]}]}"),
		"x", 0, &rules));
	assert_int_equal(rules.action, SCMP_ACT_ERRNO(ENOSYS));
	assert_int_equal(rules.list.len, 2);
	assert_int_equal(rules.list.at[0].action, SCMP_ACT_ERRNO(EPERM));
	rule = &rules.list.at[1];
	assert_true(rule->any); /* one argument twice */
	assert_int_equal(rule->arg_count, 2);
	assert_int_equal(rule->args[0].op, SCMP_CMP_MASKED_EQ);
	assert_int_equal(rule->args[0].datum_a, 2);
	assert_int_equal(rule->args[0].datum_b, 3);
}

TEST(a_profile_that_is_wrong_is_refused)
{
	static const char *const cases[] = {
		"",
		"[]",
		"{}",
		"{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":4096}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_KILL\"}]}",
		RULE(",\"args\":[{\"index\":6,\"op\":\"SCMP_CMP_EQ\"}]"),
		RULE(",\"args\":[{\"index\":0,\"op\":\"EQ\"}]"),
		RULE(",\"args\":[{\"index\":0}]"),
		RULE(",\"includes\":{\"minKernel\":\"x\"}"),
		RULE(",\"includes\":{\"caps\":\"CAP_KILL\"}"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(seccomp_rules) struct seccomp_rules rules = { 0 };

		assert_fails(seccomp_rules_parse(str_of(cases[i]), "x", 0, &rules), ERR_INVALID);
	}
}

TEST(capabilities_are_numbered_as_the_kernel_does)
{
	assert_int_equal(capability_number("CAP_CHOWN"), 0);
	assert_int_equal(capability_number("CAP_SYS_ADMIN"), 21);
	assert_int_equal(capability_number("cap_setfcap"), 31);
	assert_int_equal(capability_number("CAP_CHECKPOINT_RESTORE"), 40);
	assert_int_equal(capability_number("SYS_ADMIN"), -1);
	assert_string_equal(capability_name(13), "CAP_NET_RAW");
	assert_null(capability_name(41));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_counts_where_its_conditions_hold),
		cmocka_unit_test(a_rule_is_read_with_its_errno_and_its_arguments),
		cmocka_unit_test(a_profile_that_is_wrong_is_refused),
		cmocka_unit_test(capabilities_are_numbered_as_the_kernel_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
