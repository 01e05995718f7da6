/*
 * overlay/seccomp.h - which system calls a step may make.
 *
 * The rules are those that users of Docker know: what is listed is allowed,
 * what is known and dangerous is EPERM, what the list has never heard of is
 * ENOSYS, so that a C library falls back. On top of that no AF_ALG and no
 * AF_VSOCK socket, on any ABI.
 *
 * Compiling the rules takes 9 ms, loading a compiled program 0.4 ms. So the
 * program is kept in a file, named by everything it depends on (the rules, the
 * machine, libseccomp's version), checked by a checksum, and replaced
 * atomically. libseccomp is loaded only to compile.
 */
#ifndef OVERLAY_SECCOMP_H
#define OVERLAY_SECCOMP_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct err;
struct seccomp_rules;
struct sock_filter;

struct seccomp_program {
	struct sock_filter *at; /* owned */
	size_t len;             /* in instructions */
};

/* The default profile, for a step with `capabilities`: those beyond the usual ones allow more, and
 * are compiled each time. With `cache_dir_fd` (-1: none) it is read from there, or compiled and put
 * there; a damaged file is replaced, a directory that cannot be written is no error.
 * ERR_UNSUPPORTED when it has to be compiled and libseccomp is not installed. */
struct err *seccomp_program_load(int cache_dir_fd, uint64_t capabilities,
				 struct seccomp_program *ret) MUST_USE;
/* A profile of the user's own, with nothing of ours in it. */
struct err *seccomp_program_compile(const struct seccomp_rules *rules, struct seccomp_program *ret)
	MUST_USE;
/* One that allows everything. */
void seccomp_program_none(struct seccomp_program *ret);
/* Put in front of a program: no socket that writes frames to an interface past its filters. */
struct seccomp_part {
	const struct sock_filter *at; /* static */
	size_t len;
};
struct seccomp_part seccomp_no_frames(void);
void seccomp_program_release(struct seccomp_program *program);

#endif
