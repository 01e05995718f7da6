/*
 * builder/volume.h - what -v mounts into every RUN: a file or directory of this machine; and what
 * --device gives it.
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
	bool device; /* a device node, at a place below /dev */
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
/* Add what one --device says: "PATH[:PLACE][:PERMISSIONS]", PLACE being below /dev and PERMISSIONS rw or
 * rwm, which are not told apart: no node that a step makes is a device. ERR_UNSUPPORTED for names of the
 * Container Device Interface and for other permissions. */
struct err *volumes_add_device(struct volumes *volumes, const char *text) MUST_USE;
/* A device as a detached mount. */
struct err *volume_open_device(const struct volume *volume, int *ret_fd) MUST_USE;
void volumes_release(struct volumes *volumes);

static inline void volumes_auto_(struct volumes *volumes)
{
	volumes_release(volumes);
}

#endif
