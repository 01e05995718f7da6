/*
 * store/step.h - step records: what a build step with this key gave.
 *
 * steps/<first two hex digits>/<64 hex digits of the key>. Text, one field per
 * line, the last line is the checksum of all before it. A record that cannot be
 * read, fails its checksum, or names a layer that is absent or not trusted is no
 * record. The modification time is the time of the last use (at most one update
 * an hour). The inputs of the key are kept in readable form, so that a miss can
 * be explained by comparing the nearest records.
 */
#ifndef STORE_STEP_H
#define STORE_STEP_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/digest.h"
#include "base/mem.h"
#include "store/layer.h"

struct err;
struct store;

struct step_input {
	char *name;  /* "parent", "command", "env PATH", "file src/main.c", ... */
	char *value; /* text or digest; escaped on disk */
};

struct step_record {
	struct digest key;
	char lid[LAYER_ID_SIZE]; /* empty if the step changed no file */
	struct timespec created; /* when the step ended; the history's time */
	uint64_t duration;       /* nanoseconds of the step's work */
	struct step_input *at;   /* the inputs, in the order in which they entered the key */
	size_t len, cap;
};

void step_add_input(struct step_record *record, const char *name, const char *value); /* copies */
void step_record_release(struct step_record *record);

/* Look up and pin, record and layer. `*ret_found` false: nothing usable. `ret_layer` (its lid is
 * empty if the step has no layer) may be NULL. Inputs are read only when `with_inputs`. */
struct err *step_find(struct store *store, const struct digest *key, bool with_inputs,
		      bool *ret_found, struct step_record *ret, struct layer_meta *ret_layer)
	MUST_USE;
/* Write a record; an older one of the same key is replaced. The layer is sealed already. */
struct err *step_put(struct store *store, const struct step_record *record) MUST_USE;

static inline void step_record_auto_(struct step_record *record)
{
	step_record_release(record);
}

#endif
