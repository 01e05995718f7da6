/*
 * registry/saved.h - an image that is to be saved, and the name that it goes by.
 */
#ifndef REGISTRY_SAVED_H
#define REGISTRY_SAVED_H

#include "store/descriptor.h"

struct saved_image {
	const char *name; /* canonical; borrowed; NULL for none */
	const char *
		literal; /* what a layout calls it, whatever the name is; borrowed; NULL: its name */
	struct descriptor target;
};

#endif
