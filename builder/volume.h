/*
 * builder/volume.h - what -v mounts into every RUN: a file or directory of this machine; and what
 * --device gives it, there and of a RUN of its own.
 */
#ifndef BUILDER_VOLUME_H
#define BUILDER_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/vec.h"

struct cdi;
struct err;
struct idmap;

struct volume {
	char *source; /* absolute, without links; owned */
	char *target; /* absolute and clean; owned */
	bool read_only;
	bool device; /* a device node, at a place below /dev */
	bool named;  /* part of one of `names` */
	bool no_set_id, no_exec;
};

struct volumes {
	struct volume *at;
	size_t len, cap;
	struct strings names; /* of devices by name, in full */
	struct strings env;   /* "NAME=value" that these bring */
};

#define VOLUMES_MAX 63        /* the mounts of a RUN take the rest of what a sandbox takes */
#define VOLUMES_MAX_NAMED 120 /* with those of devices by name */

/* Add what one -v says: "SOURCE:TARGET[:OPTION,...]" with the options ro, rw, z and Z, of which the
 * last two, about labels, are accepted and mean nothing here. ERR_INVALID if it cannot be read as
 * this, ERR_NOT_FOUND if there is no SOURCE. */
struct err *volumes_add(struct volumes *volumes, const char *text) MUST_USE;
/* Add what one --device says: "PATH[:PLACE][:PERMISSIONS]", PLACE being below /dev and PERMISSIONS rw or
 * rwm, which are not told apart: no node that a step makes is a device; or a name with "=", which is
 * looked for in `cdi` (builder/cdi.h). ERR_UNSUPPORTED for other permissions, ERR_NOT_FOUND for what is not
 * there. */
struct err *volumes_add_device(struct volumes *volumes, struct cdi *cdi, const char *text) MUST_USE;
/* Add a copy of one that is part of a device by name. ERR_NOT_FOUND if there is no such thing on
 * this machine, ERR_INVALID if it is no device and should be. */
struct err *volumes_add_copy(struct volumes *volumes, const struct volume *volume) MUST_USE;
/* As a detached mount; with an idmap a device is the file DETACHED_FILE of one, which idmap_apply() can
 * translate. */
struct err *volume_open(const struct volume *volume, const struct idmap *idmap, int *ret_fd)
	MUST_USE;
void volumes_release(struct volumes *volumes);

static inline void volumes_auto_(struct volumes *volumes)
{
	volumes_release(volumes);
}

#endif
