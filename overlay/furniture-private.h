/*
 * overlay/furniture-private.h - what every step finds around its command, as tables.
 *
 * The helper mounts it (overlay/helper/tree.c), and overlay/runtime-spec.c tells of it. Paths
 * have no slash in front; they are beneath the step's root, or beneath what is said.
 */
#ifndef OVERLAY_FURNITURE_PRIVATE_H
#define OVERLAY_FURNITURE_PRIVATE_H

#include <linux/mount.h>

#define FURNITURE_QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define FURNITURE_DEV (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME)
#define FURNITURE_PTS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

/* Options of file systems: key, value. Those of /dev/pts and /dev/shm have one more that each step
 * has its own of. */
#define FURNITURE_DEV_OPTIONS "mode", "0755", "size", "64m"
#define FURNITURE_PTS_OPTIONS "ptmxmode", "0666", "mode", "0620"
#define FURNITURE_SHM_OPTIONS "mode", "1777"

/* The nodes of /dev, all of them character devices of mode 0666. */
#define FURNITURE_DEVICES                                                                 \
	{                                                                                 \
		{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 }, \
			{ "urandom", 1, 9 }, { "tty", 5, 0 },                             \
	}

/* Beneath /proc. */
#define FURNITURE_HIDDEN_PROC                                                                    \
	{                                                                                        \
		"acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", \
			"scsi", "timer_list", "timer_stats"                                      \
	}
#define FURNITURE_FIXED_PROC                               \
	{                                                  \
		"bus", "fs", "irq", "sys", "sysrq-trigger" \
	}

/* Beneath /sys, and those of each processor below FURNITURE_CPUS. */
#define FURNITURE_HIDDEN_SYS                           \
	{                                              \
		"firmware", "devices/virtual/powercap" \
	}
#define FURNITURE_CPUS "devices/system/cpu"
#define FURNITURE_HIDDEN_CPU "thermal_throttle"

#define FURNITURE_FILES_SOFT 1024 /* RLIMIT_NOFILE, or what the machine allows */
#define FURNITURE_FILES_HARD 524288
#define FURNITURE_TTY_GROUP 5 /* everywhere, seen from within */
#define FURNITURE_UMASK 022
#define FURNITURE_DOMAIN "(none)"

#endif
