/*
 * store/step-private.h - the text of a step record.
 *
 *	cairn-step 1
 *	key <digest>
 *	layer <lid, or - for none>
 *	created <seconds> <nanoseconds>
 *	duration <nanoseconds>
 *	inputs <how many> <bytes that follow the next line>
 *	sum ...
 *	input <name>	<value>      (a tab between them; both escaped)
 *	...
 *	sum ...                      (of everything above; absent without inputs)
 *
 * The head has a sum of its own, so that a look-up reads and hashes a few hundred
 * bytes, however many files went into the key. It knows the length of the whole,
 * so that a record that was cut is noticed all the same.
 */
#ifndef STORE_STEP_PRIVATE_H
#define STORE_STEP_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "store/step.h"

#define STEP_HEAD_MAX ((size_t)1024)
#define STEP_MAX ((size_t)64 * 1024 * 1024)

/* Appended to `buf`. */
struct err *step_format(const struct step_record *record, struct buf *buf) MUST_USE;

/* `text` is the beginning of a record of `size` bytes: at least its head, and all of it with
 * `with_inputs`. ERR_CORRUPT for anything but what step_format() writes. */
struct err *step_parse(struct str text, uint64_t size, bool with_inputs, struct step_record *ret)
	MUST_USE;

#endif
