/*
 * builder/on_fail.h - --on-fail: what is done when a RUN fails.
 *
 *	export:PATH=DIR    copy PATH of its files into DIR of this machine
 *
 * PATH is found in the files of the step, its links included: none leads out of them. What
 * is a directory there gives DIR its contents, a file lies in DIR under its name. All of it
 * belongs to who builds; set-id bits and devices are left out, and links of DIR are replaced,
 * not followed.
 */
#ifndef BUILDER_ON_FAIL_H
#define BUILDER_ON_FAIL_H

#include <stddef.h>

#include "base/mem.h"

struct err;
struct execution;
struct failed_run;

struct on_fail {
	char *path; /* owned */
	char *dir;  /* owned */
};

/* All zero is an empty list. */
struct on_fails {
	struct on_fail *at;
	size_t len, cap;
};

/* Add what one --on-fail says. ERR_INVALID if it cannot be read as this. */
struct err *on_fails_add(struct on_fails *list, const char *text) MUST_USE;
void on_fails_release(struct on_fails *list);

/* Do what the options of the build say, for a step that has failed with `err`, which is returned with a note of
 * what was done. What cannot be done is a warning. */
struct err *on_fail(struct execution *ex, const struct failed_run *run, struct err *err) MUST_USE;

#endif
