/*
 * cli/limits.h - the options of every command that runs steps: what these may take of the machine.
 *
 *	struct run_values {
 *		struct limit_values limits;
 *		...
 *	};
 *	static const struct option options[] = {
 *		...
 *		LIMIT_OPTIONS(struct run_values, limits),
 *	};
 *
 * They are those of docker and podman, and mean the same.
 */
#ifndef CLI_LIMITS_H
#define CLI_LIMITS_H

#include <stdint.h>

#include "base/mem.h"
#include "base/vec.h"
#include "builder/ulimit.h"
#include "cli/option.h"
#include "overlay/sandbox.h"

struct err;

struct limit_values {
	const char *memory, *memory_swap, *cpus, *cpu_period, *cpu_quota, *cpu_shares;
	const char *cpuset_cpus, *cpuset_mems, *pids_limit, *shm_size, *cgroup_parent;
	struct strings ulimits, resources;
};

/* clang-format off */
#define LIMIT_OPTIONS(type, field) \
	OPTION_TEXT(type, field.cgroup_parent, 0, "cgroup-parent", "GROUP", \
		    "make the control groups of steps below this one"), \
	OPTION_TEXT(type, field.cpu_period, 0, "cpu-period", "MICROSECONDS", \
		    "of --cpu-quota (default: 100000)"), \
	OPTION_TEXT(type, field.cpu_quota, 0, "cpu-quota", "MICROSECONDS", \
		    "CPU time of a step in each period"), \
	OPTION_TEXT(type, field.cpu_shares, 'c', "cpu-shares", "WEIGHT", \
		    "of a step among others, 2 to 262144 (usual: 1024)"), \
	OPTION_TEXT(type, field.cpus, 0, "cpus", "NUMBER", \
		    "how many CPUs a step may keep busy, such as 1.5"), \
	OPTION_TEXT(type, field.cpuset_cpus, 0, "cpuset-cpus", "LIST", \
		    "the CPUs that a step may run on, such as 0-3,6"), \
	OPTION_TEXT(type, field.cpuset_mems, 0, "cpuset-mems", "LIST", \
		    "the memory nodes that a step may use"), \
	OPTION_TEXT(type, field.memory, 'm', "memory", "SIZE", \
		    "memory of a step, such as 2g; with more it is killed"), \
	OPTION_TEXT(type, field.memory_swap, 0, "memory-swap", "SIZE", \
		    "memory and swap together; -1: any (default: twice the memory)"), \
	OPTION_TEXT(type, field.pids_limit, 0, "pids-limit", "N", \
		    "processes and threads of a step; -1: any (default: 4096)"), \
	OPTION_LIST(type, field.resources, 0, "resource", "NAME=VALUE[,...]", \
		    "limits in one option: memory=2g,cpu-quota=50000 and so on"), \
	OPTION_TEXT(type, field.shm_size, 0, "shm-size", "SIZE", \
		    "of /dev/shm, such as 1g (default: 64m)"), \
	OPTION_LIST(type, field.ulimits, 0, "ulimit", "NAME=SOFT[:HARD]", \
		    "a limit for each process, such as nofile=1024:2048")
/* clang-format on */

struct limits {
	struct sandbox_resources resources; /* borrows from the values */
	struct ulimits ulimits;             /* owned */
	struct strings texts;               /* of --resource; owned */
	uint64_t shm_size;                  /* bytes; 0: not said */
};

/* ERR_USAGE names the option that is wrong. `*ret` is zeros before. */
struct err *limits_read(const struct limit_values *given, struct limits *ret) MUST_USE;
void limits_release(struct limits *limits);

static inline void limits_auto_(struct limits *limits)
{
	limits_release(limits);
}

#endif
