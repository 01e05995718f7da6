/*
 * builder/key.h - the key of a step: a digest of everything that decides its result.
 *
 * Each input is fed with its name and both lengths, so no two lists of inputs
 * give the same bytes. The record keeps the inputs in readable form: a miss is
 * explained by comparing them with those of an earlier record.
 */
#ifndef BUILDER_KEY_H
#define BUILDER_KEY_H

#include "base/digest.h"
#include "base/mem.h"
#include "store/step.h"

struct err;

struct key {
	struct hasher *hasher;      /* owned */
	struct step_record *record; /* borrowed: gets the inputs and, at the end, the key */
};

/* `kind` names the sort of step and the version of its rules: "run 1". */
void key_begin(struct key *key, struct step_record *record, const char *kind);
void key_add(struct key *key, const char *name, const char *value);
void key_add_digest(struct key *key, const char *name, const struct digest *value);
/* Write record->key and release. */
struct err *key_finish(struct key *key) MUST_USE;
void key_release(struct key *key); /* for a key that is not finished */

static inline void key_auto_(struct key *key)
{
	key_release(key);
}

#endif
