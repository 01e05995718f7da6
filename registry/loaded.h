/*
 * registry/loaded.h - what was found in an archive: images in the store that have no name yet.
 */
#ifndef REGISTRY_LOADED_H
#define REGISTRY_LOADED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "store/descriptor.h"
#include "store/platform.h"

struct loaded {
	char *name; /* owned; as the archive says it, or canonical later; NULL if it says nothing */
	struct descriptor target;
	struct platform platform; /* of the image; of an index one that is complete */
};

struct loaded_list {
	struct loaded *at;
	size_t len, cap;
};

/* Add an image under a name (copied; may be NULL). */
void loaded_add(struct loaded_list *list, const char *name, const struct descriptor *target,
		const struct platform *platform);
/* Does `name` mean an image that an archive calls `called` (may be NULL: nothing)? As it is written there, or
 * by the same canonical name. */
bool loaded_is_called(const char *called, const char *name);
void loaded_list_release(struct loaded_list *list);

static inline void loaded_list_auto_(struct loaded_list *list)
{
	loaded_list_release(list);
}

#endif
