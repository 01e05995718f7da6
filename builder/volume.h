/*
 * builder/volume.h - what -v mounts into every RUN: a file or directory of this machine.
 */
#ifndef BUILDER_VOLUME_H
#define BUILDER_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct err;

struct volume {
	char *source; /* absolute, without links; owned */
	char *target; /* absolute and clean; owned */
	bool read_only;
};

struct volumes {
	struct volume *at;
	size_t len, cap;
};

#define VOLUMES_MAX 63 /* the mounts of a RUN take the rest of what a sandbox takes */

/* Add what one -v says: "SOURCE:TARGET[:OPTION,...]" with the options ro, rw, z and Z, of which the
 * last two, about labels, are accepted and mean nothing here. ERR_INVALID if it cannot be read as
 * this, ERR_NOT_FOUND if there is no SOURCE. */
struct err *volumes_add(struct volumes *volumes, const char *text) MUST_USE;
void volumes_release(struct volumes *volumes);

static inline void volumes_auto_(struct volumes *volumes)
{
	volumes_release(volumes);
}

#endif
