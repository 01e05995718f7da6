/*
 * overlay/helper/helper.h - the parts of the spawner program.
 *
 *	main.c      the spawner: its own isolation, requests, signals, ends
 *	step.c      one step from clone to exec: the order of everything
 *	tree.c      the step's root, /proc, /sys, /dev and what is hidden there
 *	bind.c      what the request wants mounted besides
 *	network.c   an empty network of a user namespace
 *	identity.c  user, capabilities, seccomp, limits
 *	init.c      a first process that is not the command
 *
 * The program is linked statically and runs with one thread, no heap and no
 * environment. Between clone and exec nothing may block on another process,
 * and a step that cannot be set up says why and ends; it never goes on with
 * less isolation than was asked for.
 */
#ifndef OVERLAY_HELPER_H
#define OVERLAY_HELPER_H

#include <stdnoreturn.h>

#include "overlay/request-private.h"

/* What a step knows between clone and exec. Descriptors are closed by the exec at the latest. */
struct step {
	struct request *request; /* mapped privately, writable */
	int report_fd;
	int file_fd;
	int root_fd;     /* the step's root, detached until tree_enter() */
	int stdio[3];    /* -1: /dev/null */
	int network_fd;  /* the namespace to join; -1: its own or the host's */
	int userns_fd;   /* -1: the step stays in ours */
	int *cgroup_fds; /* cgroup.procs of older hierarchies */
	uint32_t cgroup_count;
	int *mount_fds; /* one for each of request->mounts */
	uint32_t mount_count;
	int base_fd;    /* the spawner's root, from which the step leaves */
	int private_fd; /* a tmpfs for what is cloned into place: nodes, files, an empty dir */
	int proc_fd, dev_fd;
};

/* Where the spawner's root has directories for these. */
#define BASE_ROOT "root"
#define BASE_PRIVATE "private"
#define BASE_SOURCE "source"
/* In a user namespace: what cannot be made there, as the host has it. */
#define BASE_DEV "dev"
#define BASE_SYS "sys"
#define BASE_PROC "proc"

/* The text at an offset of the request. */
static inline char *step_text(const struct step *step, uint32_t at)
{
	return (char *)step->request + at;
}

/* Report errno and end the step with `code`. `what` may be NULL. */
noreturn void step_fail(const struct step *step, enum step_stage stage, const char *what);

/* Report a descriptor. */
void step_report_fd(const struct step *step, enum report_kind kind, int fd);

/* Everything that a freshly cloned step does. */
noreturn void step_main(struct step *step);

/* ---- tree.c ---- */

/* Leave the spawner's root for the step's own, and mount /proc, all of it still writable. The
 * spawner's root stays reachable by base_fd. */
void tree_enter(struct step *step);
/* /etc/hosts, /etc/resolv.conf, /sys and /dev; what is hidden; then the spawner's root goes. */
void tree_furnish(struct step *step);
/* A terminal of the step's own devpts: reports the master, returns the slave. */
int tree_terminal(struct step *step);

/* ---- bind.c ---- */

/* Cut the mounts that the request names down to their sources, by way of the spawner's root. */
void bind_take_sources(const struct step *step);
/* Mount them on targets beneath the step's root, once that is the only one. */
void bind_all(const struct step *step);

/* ---- network.c ---- */

/* A network namespace that belongs to the user namespace, with a loopback interface and nothing else.
 * By the spawner. -1 and errno. */
int network_make(int userns_fd);

/* ---- identity.c ---- */

/* Be the root of the step's user namespace to file systems, and keep our own capabilities. */
void identity_make_files(const struct step *step);
void identity_limits(const struct step *step);
/* Those that were asked for, last of all: nothing of ours is to fail for them. */
void identity_own_limits(const struct step *step);
/* Become the user for good: groups, capabilities, filter, ids. */
void identity_assume(const struct step *step);

/* ---- init.c ---- */

/* With REQUEST_INIT: return in a child, which is to become the command, and stay process 1. */
void init_split(const struct step *step);

#endif
