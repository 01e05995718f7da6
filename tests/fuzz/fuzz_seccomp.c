/*
 * tests/fuzz/fuzz_seccomp.c - a seccomp profile from any bytes.
 *
 * Laws: what is none is ERR_INVALID; of one that is accepted every rule has a name, says something else than the
 * default, and compares arguments that a system call has.
 */

#include <assert.h>
#include <stdint.h>

#include "base/err.h"
#include "overlay/capability.h"
#include "overlay/seccomp-rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(seccomp_rules) struct seccomp_rules rules = { 0 };
	AUTO(err)
	struct err *err = seccomp_rules_parse((struct str){ (const char *)data, size }, "x",
					      CAPABILITY_DEFAULT, &rules);

	if (err) {
		assert(err_kind(err) == ERR_INVALID);
		return 0;
	}
	assert(rules.architecture_count <= 5);
	vec_foreach (&rules.list, rule) {
		assert(rule->names.len > 0 && rule->action != rules.action);
		assert(rule->arg_count <= SECCOMP_ARGS_MAX);
		for (unsigned i = 0; i < rule->arg_count; i++)
			assert(rule->args[i].arg < SECCOMP_ARGS_MAX);
	}
	return 0;
}
