/*
 * overlay/sandbox-private.h - what the parts of the sandbox know of each other.
 *
 *	sandbox.c          a step begins, is listened to, and ends
 *	sandbox-network.c  the private networks of a sandbox, and which of them a step gets
 *	request.c          what the helper is told (overlay/request-private.h), from a specification
 *
 * Nobody else includes it. What is set once, before the first step, is read without a lock.
 */
#ifndef OVERLAY_SANDBOX_PRIVATE_H
#define OVERLAY_SANDBOX_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "overlay/resolver.h"
#include "overlay/sandbox.h"
#include "overlay/seccomp.h"

struct buf;
struct cgroup_entry;
struct cgroups;
struct err;
struct idmap;
struct network;
struct network_port;
struct spawner;

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX ((size_t)1024 * 1024)
#define REQUEST_MAX ((size_t)64 * 1024 * 1024) /* the kernel takes 6 MiB of argv and envp */

/* Guarded by the sandbox's network_lock until one of both is set, then constant. */
struct private_network {
	struct network *network;
	struct err *none; /* why there is none */
};

struct sandbox {
	int cache_dir_fd; /* borrowed; -1: none */
	pthread_mutex_t lock;
	struct spawner *spawner;       /* guarded by lock until set, then constant */
	struct seccomp_program filter; /* the same */
	struct cgroups *groups;        /* the same; NULL: steps have none of their own */
	struct sandbox_resources resources;
	struct sandbox_security security;
	struct resolver_wishes wishes;
	const struct network_port *ports; /* borrowed */
	size_t port_count;

	pthread_mutex_t network_lock;    /* before `lock`: making a network takes long */
	struct private_network owned[2]; /* by our user namespace, and by that of the steps */
	bool expected;                   /* maker runs, or has run */
	const struct idmap *expecting;   /* for whom; borrowed */
	int below_fd; /* user namespace of steps without an idmap that are in owned[0]; -1: ours.
		       * Set with it */
	pthread_t maker;
	struct cancel_scope making; /* that of the maker */
};

/* ---- sandbox.c ---- */

/* Start the spawner, find the control groups and compile the filter, once. Any thread. */
struct err *sandbox_prepare(struct sandbox *sandbox) MUST_USE;

/* What steps that are not insecure may do: bits by number. */
uint64_t sandbox_capabilities(const struct sandbox *sandbox);

/* ---- sandbox-network.c ---- */

/* The one for steps with `idmap` (NULL: without); part of the sandbox. */
struct private_network *sandbox_network_of(struct sandbox *sandbox, const struct idmap *idmap);

/* Append the resolv.conf of a step in that network, the host's or the private one; empty if the machine has
 * none. Its size is for the caller to check (buf_check()). */
struct err *sandbox_resolv_text(const struct sandbox *sandbox, enum sandbox_network network,
				struct buf *ret) MUST_USE;

/* ---- request.c ---- */

/* With one id alone the step's root asks for what cannot be done there. Other users could not do it anyhow. */
bool request_is_overseen(const struct sandbox_spec *spec);

/* The user namespace that the step ends up in, borrowed; -1: ours. */
int request_userns(const struct sandbox *sandbox, const struct sandbox_spec *spec);

/* Of enum request_flags, those that the specification decides. */
uint32_t request_flags(const struct sandbox *sandbox, const struct sandbox_spec *spec);

/* A struct request and what it points to, in the empty `buf` of REQUEST_MAX: the sandbox is prepared. ERR_INVALID
 * if it is too long. It may hold a secret: request_wipe() it, after an error too. */
struct err *request_format(const struct sandbox *sandbox, const struct sandbox_spec *spec,
			   const struct cgroup_entry *entry, struct buf *buf) MUST_USE;
void request_wipe(struct buf *request);

/* The same as a memory file, which is the caller's. */
struct err *request_write(const struct sandbox *sandbox, const struct sandbox_spec *spec,
			  const struct cgroup_entry *entry, int *ret_fd) MUST_USE;

#endif
