/*
 * builder/critical.h - the chain of steps that a build could not have been shorter than.
 *
 * The steps of a build and what each waits for are a graph without cycles. Its critical
 * path is the chain whose durations have the largest sum, of several such the one that ends
 * first in the order of the steps. With more jobs than the machine had, a build would still
 * take as long.
 */
#ifndef BUILDER_CRITICAL_H
#define BUILDER_CRITICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct critical_step {
	unsigned number;
	uint64_t duration; /* nanoseconds; 0: it was found, not run */
	const unsigned
		*inputs; /* numbers of steps; borrowed; unknown and higher ones are nothing */
	size_t input_count;
	unsigned aside; /* the input below a layer of its own: it is not waited for, but whoever
			 * starts from this step waits for both; 0: none */

	/* result */
	bool critical;
};

/* Mark the critical path among the steps, which are sorted by number. Steps that took no time are not on
 * it. Returns the sum of its durations. */
uint64_t critical_path(struct critical_step *steps, size_t count);

#endif
