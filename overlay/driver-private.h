/*
 * overlay/driver-private.h - between what drivers do and how one is chosen.
 */
#ifndef OVERLAY_DRIVER_PRIVATE_H
#define OVERLAY_DRIVER_PRIVATE_H

#include "overlay/driver.h"

/* driver_mount() by one that works or not, not by AUTO. */
struct err *driver_mount_by(enum driver driver, const struct overlay_spec *spec, int *ret_fd,
			    struct mounted **ret) MUST_USE;

#endif
