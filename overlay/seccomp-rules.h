/*
 * overlay/seccomp-rules.h - a seccomp profile from a file, in the form that docker reads.
 *
 * { "defaultAction": "SCMP_ACT_ERRNO", "archMap": [...], "syscalls": [
 *	{ "names": ["mount"], "action": "SCMP_ACT_ALLOW", "args": [...], "includes": {...} } ] }
 *
 * What a rule includes or excludes (capabilities, architectures, a kernel) is decided while it is
 * read, for a step with these capabilities on this machine. Rules that say what the default says are
 * left out. A system call that libseccomp does not know is passed over when the rules are compiled.
 */
#ifndef OVERLAY_SECCOMP_RULES_H
#define OVERLAY_SECCOMP_RULES_H

#include <jansson.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

struct err;

#define SECCOMP_ARGS_MAX 6

struct seccomp_rule {
	struct strings names;
	uint32_t action; /* SCMP_ACT_... */
	struct scmp_arg_cmp args[SECCOMP_ARGS_MAX];
	unsigned arg_count; /* all of them, or with `any` one of them */
	bool any;
};

struct seccomp_rules {
	uint32_t action;           /* of every other call */
	uint32_t architectures[8]; /* SCMP_ARCH_..., besides the machine's own */
	unsigned architecture_count;
	struct {
		struct seccomp_rule *at;
		size_t len, cap;
	} list;
};

/* ERR_INVALID with the place of what is wrong in `text`, `what` in front. */
struct err *seccomp_rules_parse(struct str text, const char *what, uint64_t capabilities,
				struct seccomp_rules *ret) MUST_USE;
/* The usual ones, for a step with `capabilities`. What refuses sockets by the lower half of their
 * family is no part of them, but of the program (overlay/seccomp.h). */
void seccomp_rules_usual(uint64_t capabilities, struct seccomp_rules *ret);
/* The same with that part written out, for who reads them elsewhere: rules that allow every socket()
 * give way to those that allow it by its arguments. `usual`: without the families that the usual
 * profile refuses; `no_frames`: without what seccomp_no_frames() refuses. All of that, and families
 * above 63, of which there are none, are left to the rules' own default: for libseccomp a rule about
 * socket() is one about a call of socketcall(), too, so that there cannot be one that refuses beside
 * one that allows, and a reader that is libseccomp allows the 32-bit socketcall() every family. */
void seccomp_rules_spell_out(struct seccomp_rules *rules, bool usual, bool no_frames);
/* In the form of the OCI runtime-spec's linux.seccomp; a new object. */
json_t *seccomp_rules_format(const struct seccomp_rules *rules) MUST_USE;
void seccomp_rules_release(struct seccomp_rules *rules);

static inline void seccomp_rules_auto_(struct seccomp_rules *rules)
{
	seccomp_rules_release(rules);
}

#endif
