/*
 * cli/ui_plain.h - the events of a build as lines for pipes and logs.
 *
 *	pull debian:trixie
 *	pull debian:trixie: 12.1 MB / 48.3 MB
 *	pull debian:trixie: DONE 48.3 MB in 1.2s
 *	#3 [build 2/5] RUN make
 *	#3 0.123 cc -c main.c
 *	#3 DONE 0.4s
 *	#4 CACHED
 *	#5 ERROR exit code 2
 *	warning: ...
 *
 * Steps that run at the same time are told apart by their numbers. Output is
 * escaped, without colours.
 */
#ifndef CLI_UI_PLAIN_H
#define CLI_UI_PLAIN_H

#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"

struct build_event;

struct ui_plain_step {
	uint64_t begin;     /* clock_monotonic() */
	uint64_t told_when; /* the last line about its progress */
	unsigned told_part; /* twentieths of the whole */
};

struct ui_plain {
	VEC(struct ui_plain_step) at; /* step n at 2n, transfer n at 2n + 1 */
};

/* Append what an event looks like; nothing for some. */
void ui_plain_format(struct ui_plain *plain, const struct build_event *event, struct buf *out);
void ui_plain_release(struct ui_plain *plain);

#endif
