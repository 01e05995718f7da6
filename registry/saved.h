/*
 * registry/saved.h - an image that is to be saved, and the name that it goes by.
 */
#ifndef REGISTRY_SAVED_H
#define REGISTRY_SAVED_H

#include "store/descriptor.h"

struct saved_image {
	const char *name; /* canonical; borrowed; NULL for none */
	struct descriptor target;
};

#endif
