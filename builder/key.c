/* builder/key.c - see builder/key.h. */

#include "builder/key.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

static void feed(struct key *key, const char *text)
{
	char head[24];
	size_t len = strlen(text);

	hasher_update(key->hasher, head, (size_t)snprintf(head, sizeof(head), "%zu:", len));
	hasher_update(key->hasher, text, len);
}

void key_begin(struct key *key, struct step_record *record, const char *kind)
{
	*key = (struct key){ .hasher = hasher_new(), .record = record };
	feed(key, "cairn step");
	key_add(key, "kind", kind);
}

void key_add(struct key *key, const char *name, const char *value)
{
	feed(key, name);
	feed(key, value);
	step_add_input(key->record, name, value);
}

void key_add_digest(struct key *key, const char *name, const struct digest *value)
{
	char text[DIGEST_TEXT_SIZE];

	key_add(key, name, digest_format(value, text));
}

struct err *key_finish(struct key *key)
{
	struct err *err = hasher_finish(key->hasher, &key->record->key);

	key_release(key);
	return err;
}

void key_release(struct key *key)
{
	hasher_free(key->hasher);
	key->hasher = NULL;
}
