/*
 * builder/run.h - RUN: one command in the sandbox, its output kept and shown.
 */
#ifndef BUILDER_RUN_H
#define BUILDER_RUN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/mem.h"
#include "builder/plan.h"

struct build_events;
struct err;
struct idmap;
struct json_t;
struct journal;
struct mounts;
struct sandbox;
struct sandbox_spec;
struct script;
struct store;
struct strings;
struct ulimits;

struct run_site {
	struct sandbox *sandbox;
	atomic_flag *network_told; /* set once it was said that the network is the host's */
	atomic_uint *
		isolation_told; /* ways that were told of, run_step()'s own; NULL: nobody is told */
	struct store *store;
	const struct build_events *events;
	struct journal *journal;
	const char *hostname;          /* NULL: the usual one */
	const struct script *script;   /* for the excerpt of a failure */
	char *const *hosts;            /* lines for /etc/hosts, NULL-terminated; NULL: none */
	uint64_t shm_size;             /* 0: the usual */
	uint64_t log_limit;            /* of output, as builder/clip.h has it */
	const struct ulimits *ulimits; /* NULL: the usual */
	const struct idmap *idmap;     /* of its root and mounts, or NULL */
	const struct mounts *mounts;   /* what it finds, and variables; NULL: nothing */
};

/* Run a RUN step in the merged root `root_fd` (from overlay_mount(); used up). Both output streams
 * go to the step's log and, line by line, to the listener, but for what is too much (builder/clip.h). A command that fails is
 * ERR_INVALID with its exit code in the text, which `*ret_code` has too, and place, excerpt and
 * last lines of output in its notes. ERR_CANCELLED, with the command killed, if cancel_check() says
 * so meanwhile. */
struct err *run_step(const struct run_site *site, struct plan_step *step, int root_fd,
		     int *ret_code) MUST_USE;

/* A step that somebody enters, in place of its command. */
struct run_visit {
	const struct strings *argv; /* what runs instead */
	const struct strings *env;  /* "NAME=value" in place of its own */
	/* Start it and see to its end. `spec` is complete but for what its output and input are. */
	struct err *(*run)(void *self, struct sandbox *sandbox, struct sandbox_spec *spec);
	void *self;
};

/* Let `visit` run a command in the merged root `root_fd` as run_step() would; nothing is logged. */
struct err *run_visit(const struct run_site *site, struct plan_step *step, int root_fd,
		      const struct run_visit *visit) MUST_USE;

/* The step as it would run, as a document (sandbox_describe()); a new object. Its user is looked up in
 * `view_fd`, what lies below it as far as that is there: one who is not known is nobody, and that is
 * said. */
struct err *run_describe(const struct run_site *site, struct plan_step *step, int view_fd,
			 struct json_t **ret) MUST_USE;

#endif
