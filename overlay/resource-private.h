/*
 * overlay/resource-private.h - limits as what is written into which file of a control group.
 *
 * The same limit has another file, and sometimes another unit, in each of the two
 * shapes of control groups: Linux Documentation/admin-guide/cgroup-v1 and
 * cgroup-v2.rst. How one becomes the other is what the OCI runtimes do.
 */
#ifndef OVERLAY_RESOURCE_H
#define OVERLAY_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sandbox_resources;

#define RESOURCE_SETTINGS_MAX 10
#define RESOURCE_VALUE_SIZE 256
#define RESOURCE_PERIOD 100000 /* microseconds, of cpu_quota if nobody says otherwise */

struct resource_setting {
	const char *option;     /* "--memory", of who asked; NULL: nobody, and it may fail */
	const char *controller; /* "memory" */
	const char *file;       /* "memory.max" */
	const char *text;       /* borrowed from the resources, or `value` */
	char value[RESOURCE_VALUE_SIZE];
};

/* Write down what has to be set, in order, for one shape of control groups; returns how many. */
size_t resource_settings(const struct sandbox_resources *resources, bool unified,
			 struct resource_setting ret[static RESOURCE_SETTINGS_MAX]);

/* Whether anything was asked for. */
bool resources_asked(const struct sandbox_resources *resources);

/* Memory and swap together, in bytes. Without a word about it there is as much swap as memory, as
 * docker has it, if the kernel counts swap at all. */
uint64_t resource_memory_swap(const struct sandbox_resources *resources);

/* cpu.weight (1 to 10000) for cpu.shares (2 to 262144), 1024 being 100. */
uint64_t resource_weight(uint64_t shares);

#endif
