/*
 * overlay/seccomp-usual.c - the usual rules as a list, see overlay/seccomp-rules.h.
 *
 * The program of the filter and the document that tells of it are made from this one list.
 */

#include "overlay/seccomp-rules.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "overlay/seccomp-private.h"

#if defined(__x86_64__)
#define COMPAT_SCMP SCMP_ARCH_X86
#else
#define COMPAT_SCMP SCMP_ARCH_ARM
#endif

#define FAMILIES 64 /* more than there are */
#define LOWER_HALF UINT64_C(0xffffffff)
#define SOCKETCALL_SOCKET 1 /* SYS_SOCKET of <linux/net.h> */

static struct seccomp_rule *add(struct seccomp_rules *rules, uint32_t action)
{
	struct seccomp_rule *rule = vec_add(&rules->list);

	rule->action = action;
	return rule;
}

/* One name, and what one of its arguments must be; `a` and `b` as libseccomp has them. */
static struct seccomp_rule *add_call(struct seccomp_rules *rules, uint32_t action, const char *name,
				     struct scmp_arg_cmp arg)
{
	struct seccomp_rule *rule = add(rules, action);

	strings_push(&rule->names, name);
	rule->args[rule->arg_count++] = arg;
	return rule;
}

static struct scmp_arg_cmp masked(unsigned arg, uint64_t mask, uint64_t value)
{
	return (struct scmp_arg_cmp){ arg, SCMP_CMP_MASKED_EQ, mask, value };
}

/* Whether a grant of these capabilities has the call. */
static bool is_granted(uint64_t capabilities, struct str name)
{
	for (unsigned i = 0; i < seccomp_grant_count; i++) {
		struct str rest = str_of(seccomp_grants[i].names);

		while (capabilities >> seccomp_grants[i].capability & 1 && rest.len)
			if (str_equal(str_cut(&rest, ' '), name))
				return true;
	}
	return false;
}

/* Those of `names` that are granted, or those that are not; without capabilities none is. */
static void add_names(struct seccomp_rules *rules, uint32_t action, const char *names,
		      uint64_t capabilities, bool granted)
{
	struct strings list = { 0 };
	struct str rest = str_of(names);

	while (rest.len) {
		const struct str name = str_cut(&rest, ' ');

		if (is_granted(capabilities, name) == granted)
			vec_push(&list, str_dup(name));
	}
	if (list.len)
		add(rules, action)->names = list;
}

/* clone is allowed without any of the flags, and EPERM with each of them. With the capability to make
 * namespaces all are allowed. */
static void add_clone(struct seccomp_rules *rules, uint64_t capabilities)
{
	if (capabilities >> CAP_SYS_ADMIN & 1) {
		add_names(rules, SCMP_ACT_ALLOW, "clone3 clone", 0, false);
		return;
	}
	add_call(rules, SCMP_ACT_ALLOW, "clone", masked(0, SECCOMP_CLONE_DENIED, 0));
	for (uint32_t flag = 1; flag; flag <<= 1)
		if (SECCOMP_CLONE_DENIED & flag)
			add_call(rules, SCMP_ACT_ERRNO(EPERM), "clone", masked(0, flag, flag));
}

void seccomp_rules_usual(uint64_t capabilities, struct seccomp_rules *ret)
{
	ret->action = SCMP_ACT_ERRNO(ENOSYS);
	ret->architectures[ret->architecture_count++] = COMPAT_SCMP;
	add_names(ret, SCMP_ACT_ALLOW, seccomp_allowed, 0, false);
	add_names(ret, SCMP_ACT_ALLOW, seccomp_denied, capabilities, true);
	add_names(ret, SCMP_ACT_ERRNO(EPERM), seccomp_denied, capabilities, false);
	add_clone(ret, capabilities);
	for (unsigned i = 0; i < seccomp_personality_count; i++)
		add_call(ret, SCMP_ACT_ALLOW, "personality",
			 (struct scmp_arg_cmp){ 0, SCMP_CMP_EQ, seccomp_personalities[i], 0 });
}

/* ---- sockets, written out ---- */

/* Take a name out of the rules that allow it whatever its arguments are. */
static bool take_out(struct seccomp_rules *rules, const char *name)
{
	bool found = false;

	vec_foreach (&rules->list, rule) {
		size_t kept = 0;

		if (rule->action != SCMP_ACT_ALLOW || rule->arg_count)
			continue;
		for (size_t i = 0; i < rule->names.len; i++) {
			char *text = rule->names.at[i];

			if (strcmp(text, name) != 0) {
				rule->names.at[kept++] = text;
				continue;
			}
			free(text);
			found = true;
		}
		rule->names.len = kept;
	}
	return found;
}

/* A socket of the families that `mask` and `value` mean, of any type, or of any but the one for frames. */
static void allow_families(struct seccomp_rules *rules, uint64_t mask, uint64_t value,
			   bool no_frames)
{
	if (!no_frames) {
		add_call(rules, SCMP_ACT_ALLOW, "socket", masked(0, mask, value));
		return;
	}
	/* Those that are equal down to a bit, and differ there. */
	for (uint64_t bit = 1; bit <= SECCOMP_TYPE_MASK; bit <<= 1) {
		const uint64_t bits = SECCOMP_TYPE_MASK & ~(bit - 1);
		struct seccomp_rule *rule =
			add_call(rules, SCMP_ACT_ALLOW, "socket", masked(0, mask, value));

		rule->args[rule->arg_count++] = masked(1, bits, (SECCOMP_TYPE_PACKET ^ bit) & bits);
	}
}

/* Allow the families from `first` on, `count` of them, a power of two, but for those in the set `refused`. */
static void allow_range(struct seccomp_rules *rules, uint64_t first, uint64_t count,
			uint64_t refused, bool no_frames)
{
	const uint64_t bits = count < FAMILIES ? ((UINT64_C(1) << count) - 1) << first : UINT64_MAX;

	if (!(refused & bits)) {
		allow_families(rules, LOWER_HALF & ~(count - 1), first, no_frames);
	} else if (count > 1) { /* six times at most */
		allow_range(rules, first, count / 2, refused, no_frames);
		allow_range(rules, first + count / 2, count / 2, refused, no_frames);
	}
}

void seccomp_rules_spell_out(struct seccomp_rules *rules, bool usual, bool no_frames)
{
	uint64_t refused = 0;

	if (usual)
		refused |= UINT64_C(1) << SECCOMP_FAMILY_ALG | UINT64_C(1) << SECCOMP_FAMILY_VSOCK;
	if (no_frames)
		refused |= UINT64_C(1) << SECCOMP_FAMILY_PACKET | UINT64_C(1) << SECCOMP_FAMILY_XDP;
	if (!refused || !take_out(rules, "socket"))
		return;
	allow_range(rules, 0, FAMILIES, refused, no_frames);
	if (take_out(rules, "socketcall"))
		add_call(rules, SCMP_ACT_ALLOW, "socketcall",
			 (struct scmp_arg_cmp){ 0, SCMP_CMP_NE, SOCKETCALL_SOCKET, 0 });
}
