/* overlay/resource.c - see overlay/resource-private.h. */

#include "overlay/resource-private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "overlay/sandbox.h"

struct settings {
	struct resource_setting *at;
	size_t count;
};

static struct resource_setting *add(struct settings *list, const char *option,
				    const char *controller, const char *file)
{
	struct resource_setting *new = &list->at[list->count++];

	new->option = option;
	new->controller = controller;
	new->file = file;
	new->text = new->value;
	return new;
}

static void set_number(struct resource_setting *setting, uint64_t value, const char *unlimited)
{
	if (value == SANDBOX_NO_LIMIT)
		snprintf(setting->value, sizeof(setting->value), "%s", unlimited);
	else
		snprintf(setting->value, sizeof(setting->value), "%" PRIu64, value);
}

uint64_t resource_memory_swap(const struct sandbox_resources *r)
{
	if (r->memory == SANDBOX_NO_LIMIT)
		return SANDBOX_NO_LIMIT;
	return r->memory_swap ? r->memory_swap : r->memory * 2;
}

/* Swap is counted together with memory in one shape, and by itself in the other. */
static void add_memory(const struct sandbox_resources *r, bool unified, struct settings *list)
{
	uint64_t both = resource_memory_swap(r);

	if (!r->memory)
		return;
	set_number(
		add(list, "--memory", "memory", unified ? "memory.max" : "memory.limit_in_bytes"),
		r->memory, unified ? "max" : "-1");
	if (unified && both != SANDBOX_NO_LIMIT)
		both -= r->memory;
	set_number(add(list, r->memory_swap ? "--memory-swap" : NULL, "memory",
		       unified ? "memory.swap.max" : "memory.memsw.limit_in_bytes"),
		   both, unified ? "max" : "-1");
}

uint64_t resource_weight(uint64_t shares)
{
	const double power = log2((double)shares);
	const double weight = pow(10, (power * power + 125 * power) / 612 - 7.0 / 34);

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	return (uint64_t)ceil(weight);
}

static void add_quota(const struct sandbox_resources *r, bool unified, struct settings *list)
{
	const char *option = r->cpus ? "--cpus" : r->cpu_quota ? "--cpu-quota" : "--cpu-period";
	uint64_t period = r->cpu_period ? r->cpu_period : RESOURCE_PERIOD;
	uint64_t quota = r->cpu_quota ? r->cpu_quota : SANDBOX_NO_LIMIT;
	struct resource_setting *max;

	if (!r->cpu_quota && !r->cpu_period)
		return;
	if (!unified) {
		set_number(add(list, option, "cpu", "cpu.cfs_period_us"), period, "");
		set_number(add(list, option, "cpu", "cpu.cfs_quota_us"), quota, "-1");
		return;
	}
	max = add(list, option, "cpu", "cpu.max");
	set_number(max, quota, "max");
	snprintf(max->value + strlen(max->value), sizeof(max->value) - strlen(max->value),
		 " %" PRIu64, period);
}

static void add_cpu(const struct sandbox_resources *r, bool unified, struct settings *list)
{
	if (r->cpu_shares)
		set_number(add(list, "--cpu-shares", "cpu", unified ? "cpu.weight" : "cpu.shares"),
			   unified ? resource_weight(r->cpu_shares) : r->cpu_shares, "");
	add_quota(r, unified, list);
	if (r->cpuset_cpus)
		add(list, "--cpuset-cpus", "cpuset", "cpuset.cpus")->text = r->cpuset_cpus;
	if (r->cpuset_mems)
		add(list, "--cpuset-mems", "cpuset", "cpuset.mems")->text = r->cpuset_mems;
}

size_t resource_settings(const struct sandbox_resources *resources, bool unified,
			 struct resource_setting ret[static RESOURCE_SETTINGS_MAX])
{
	struct settings list = { .at = ret };

	add_memory(resources, unified, &list);
	add_cpu(resources, unified, &list);
	set_number(add(&list, resources->pids ? "--pids-limit" : NULL, "pids", "pids.max"),
		   resources->pids ? resources->pids : SANDBOX_PIDS, "max");
	return list.count;
}

bool resources_asked(const struct sandbox_resources *r)
{
	return r->memory || r->cpu_period || r->cpu_quota || r->cpu_shares || r->pids ||
	       r->cpuset_cpus || r->cpuset_mems || r->cgroup_parent;
}
