/* overlay/cgroup.c - see overlay/cgroup-private.h. */

#include "overlay/cgroup-private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/anchor-private.h"
#include "overlay/hierarchy-private.h"
#include "overlay/resource-private.h"
#include "overlay/sandbox.h"

#define PREFIX "cairn-"
#define ID_DIGITS 16
#define NAME_SIZE 64
#define TAKE_TRIES 16
#define REMOVE_TRIES 5000 /* of a millisecond each, for processes that are dying */
#define DEPTH_MAX 32      /* of groups that a trusted step has made in its own */
#define STAT_MAX ((size_t)64 * 1024)

struct cgroups {
	const struct sandbox_resources *resources; /* borrowed */
	bool asked;
	struct hierarchies hierarchies;
	struct anchor anchors[CGROUP_PARTS_MAX];
	size_t count;
	char prefix[NAME_SIZE / 2];
	bool counts; /* memory or CPU time: then a leaf is for one step alone */
	pthread_mutex_t lock;
	unsigned last; /* guarded by lock */
	struct {
		struct cgroup_leaf **at;
		size_t len, cap;
	} idle; /* guarded by lock */
};

/* A leaf's directory in one hierarchy. */
struct part {
	const struct anchor *anchor;
	int dir_fd;   /* locked; -1: there is none */
	int enter_fd; /* of cgroup.procs; -1 in the unified shape */
};

struct cgroup_leaf {
	struct cgroups *groups;
	uint64_t forks_refused; /* to steps that had it before */
	char name[NAME_SIZE];
	struct part parts[CGROUP_PARTS_MAX]; /* as the anchors */
};

/* ---- removing ---- */

static bool remove_group(int parent_fd, const char *name, unsigned depth);

/* The groups in a group, which have to go first. */
static void remove_below(int parent_fd, const char *name, unsigned depth)
{
	AUTO(strings) struct strings names = { 0 };
	AUTO(fd) int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || depth == 0)
		return;
	err_free(file_list(fd, ".", &names)); /* what cannot be listed stays, with its parent */
	vec_foreach (&names, below) {
		struct stat st;

		if (fstatat(fd, *below, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			remove_group(fd, *below, depth - 1);
	}
}

/* True if it is gone. */
static bool remove_group(int parent_fd, const char *name, unsigned depth)
{
	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return true;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return false;
	remove_below(parent_fd, name, depth);
	return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

/* The kernel takes a moment to forget the last process of a group. One that stays is swept later. */
static void remove_soon(int parent_fd, const char *name)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (unsigned tries = 0; !remove_group(parent_fd, name, DEPTH_MAX); tries++) {
		const bool busy = errno == EBUSY || errno == ENOTEMPTY;

		if (!busy || tries == REMOVE_TRIES) {
			log_debug("the control group %s stays: %s", name, strerror(errno));
			return;
		}
		nanosleep(&moment, NULL);
	}
}

/* "cairn-<16 hex digits>-<n>": beside ours stand groups of others, such as cairn-ci.service. */
static bool is_leaf(const char *name)
{
	struct str number = str_of(name);
	AUTO(err) struct err *err = NULL;
	AUTO(mem) char *id = NULL;
	uint64_t n = 0;

	if (!str_starts(number, PREFIX))
		return false;
	(void)str_cut(&number, '-');
	id = str_dup(str_cut(&number, '-'));
	if (strlen(id) != ID_DIGITS || id[strspn(id, "0123456789abcdef")])
		return false;
	err = number.at ? num_parse(number, 0, UINT32_MAX, &n) : NULL;
	return number.at && !err;
}

/* Remove leaves whose process is gone. */
static void sweep(const struct anchor *anchor)
{
	AUTO(strings) struct strings names = { 0 };
	AUTO(err) struct err *err = file_list(anchor->dir_fd, ".", &names);

	vec_foreach (&names, name) {
		AUTO(fd) int fd = -1;

		if (!is_leaf(*name))
			continue;
		fd = openat(anchor->dir_fd, *name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			remove_group(anchor->dir_fd, *name, DEPTH_MAX);
	}
}

/* ---- where leaves go ---- */

/* The settings that belong to a hierarchy, moved to the front; returns how many. */
static size_t settings_for(const struct sandbox_resources *resources, const struct hierarchy *h,
			   struct resource_setting *ret)
{
	size_t all = resource_settings(resources, h->unified, ret);
	size_t kept = 0;

	for (size_t i = 0; i < all; i++) {
		const bool own_text = ret[i].text == ret[i].value;

		if (!hierarchy_lists(h->controllers, ',', ret[i].controller))
			continue;
		ret[kept] = ret[i];
		if (own_text)
			ret[kept].text = ret[kept].value;
		kept++;
	}
	return kept;
}

/* Whether a leaf in `h` is worth having, though none of its limits was asked for. */
static bool is_useful(const struct cgroups *groups, const struct hierarchy *h)
{
	static const char *const counting[] = { "memory", "cpu", "cpuacct" };

	if (hierarchy_lists(h->controllers, ',', "pids"))
		return true;
	for (size_t i = 0; groups->asked && i < ARRAY_SIZE(counting); i++)
		if (hierarchy_lists(h->controllers, ',', counting[i]))
			return true;
	return false;
}

/* An anchor that nobody asked for is used only if it does something. */
static bool is_idle(const struct cgroups *groups, const struct anchor *anchor)
{
	return !groups->asked && anchor->hierarchy->unified && !anchor_passes_on(anchor, "pids") &&
	       !anchor_passes_on(anchor, "memory");
}

static struct err *add_anchor(int root_fd, struct cgroups *groups, const struct hierarchy *h)
{
	struct resource_setting settings[RESOURCE_SETTINGS_MAX];
	size_t count = settings_for(groups->resources, h, settings);
	AUTO(anchor) struct anchor anchor = { .dir_fd = -1 };
	bool required = groups->resources->cgroup_parent && (is_useful(groups, h) || h->unified);
	struct err *err;

	for (size_t i = 0; i < count; i++)
		required = required || settings[i].option;
	if ((!required && !is_useful(groups, h)) || groups->count == CGROUP_PARTS_MAX)
		return NULL;
	err = anchor_open(root_fd, h, groups->resources->cgroup_parent, settings, count, &anchor);
	if (err && !required) {
		log_debug("no control groups: %s", err_text(err));
		err_free(err);
		return NULL;
	}
	TRY(err);
	if (is_idle(groups, &anchor))
		return NULL;
	sweep(&anchor);
	groups->counts = groups->counts || groups->asked ||
			 (h->unified && anchor_passes_on(&anchor, "memory"));
	groups->anchors[groups->count++] = anchor;
	anchor = (struct anchor){ .dir_fd = -1 };
	return NULL;
}

/* A limit was asked for that nothing here can set. */
static struct err *check_controllers(const struct cgroups *groups)
{
	struct resource_setting settings[RESOURCE_SETTINGS_MAX];
	size_t count = resource_settings(groups->resources, true, settings);

	for (size_t i = 0; i < count; i++) {
		const char *controller = settings[i].controller;
		struct err *err;

		if (!settings[i].option || hierarchies_with(&groups->hierarchies, controller))
			continue;
		err = err_new(ERR_UNSUPPORTED,
			      "%s: there is no cgroup controller '%s' on this machine",
			      settings[i].option, controller);
		return err_note(err,
				"No mounted control group has it: see /proc/cgroups, and "
				"cgroup.controllers below /sys/fs/cgroup.\nIt may have to be "
				"switched on when the kernel is booted (cgroup_enable=%s).",
				controller);
	}
	if (groups->resources->cgroup_parent && groups->hierarchies.len == 0)
		return err_new(ERR_UNSUPPORTED,
			       "--cgroup-parent: no control groups are mounted on this machine");
	return NULL;
}

struct err *cgroups_open(int root_fd, const struct sandbox_resources *resources,
			 struct cgroups **ret)
{
	AUTO(cgroups) struct cgroups *groups = xcalloc(1, sizeof(*groups));
	uint64_t id = 0;
	struct err *err;

	groups->resources = resources;
	groups->asked = resources_asked(resources);
	pthread_mutex_init(&groups->lock, NULL);
	*ret = NULL;
	err = hierarchies_find(root_fd, &groups->hierarchies);
	if (err && !groups->asked) {
		log_debug("no control groups: %s", err_text(err));
		err_free(err);
		return NULL;
	}
	TRY(err);
	TRY(check_controllers(groups));
	vec_foreach (&groups->hierarchies, h)
		TRY(add_anchor(root_fd, groups, h));
	if (groups->count == 0)
		return NULL;
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return err_sys("control groups: get a random number");
	snprintf(groups->prefix, sizeof(groups->prefix), PREFIX "%016" PRIx64, id);
	*ret = STEAL(groups);
	return NULL;
}

/* ---- leaves ---- */

static void drop_part(const struct cgroup_leaf *leaf, struct part *part)
{
	if (part->enter_fd >= 0)
		close(part->enter_fd);
	if (part->dir_fd >= 0) {
		remove_soon(part->anchor->dir_fd, leaf->name);
		close(part->dir_fd); /* and with it the lock */
	}
	part->enter_fd = part->dir_fd = -1;
}

static void leaf_free(struct cgroup_leaf *leaf)
{
	if (!leaf)
		return;
	for (size_t i = 0; i < leaf->groups->count; i++)
		drop_part(leaf, &leaf->parts[i]);
	free(leaf);
}

static inline void leaf_auto_(struct cgroup_leaf **leaf)
{
	leaf_free(*leaf);
}

static struct err *part_error(const struct cgroup_leaf *leaf, const struct part *part,
			      const char *doing, const char *file)
{
	int error = errno;
	AUTO(mem)
	char *path = xasprintf("%s/%s%s%s", part->anchor->path, leaf->name, file ? "/" : "",
			       file ? file : "");

	return anchor_refusal(part->anchor->option, part->anchor->controller, doing, path, error);
}

/* Write one limit. */
static struct err *set(const struct cgroup_leaf *leaf, const struct part *part,
		       const struct resource_setting *setting)
{
	AUTO(fd) int fd = openat(part->dir_fd, setting->file, O_WRONLY | O_CLOEXEC);
	const size_t len = strlen(setting->text);
	int error;
	AUTO(mem) char *doing = NULL;
	AUTO(mem) char *path = NULL;

	if (fd >= 0 && write(fd, setting->text, len) == (ssize_t)len)
		return NULL;
	if (!setting->option)
		return NULL;
	error = errno;
	doing = xasprintf("write '%s' to", setting->text);
	path = xasprintf("%s/%s/%s", part->anchor->path, leaf->name, setting->file);
	return anchor_refusal(setting->option, setting->controller, doing, path, error);
}

/* Make a leaf's directory in one hierarchy, lock it and set the limits. `*ret_lost`: a sweeper took
 * it for dead before it was locked. */
static struct err *make_part(const struct cgroup_leaf *leaf, struct part *part, bool *ret_lost)
{
	const struct anchor *anchor = part->anchor;
	struct resource_setting settings[RESOURCE_SETTINGS_MAX];
	size_t count = settings_for(leaf->groups->resources, anchor->hierarchy, settings);
	AUTO(err)
	struct err *err = anchor_make_group(anchor->hierarchy, anchor->dir_fd, leaf->name, true,
					    &part->dir_fd);

	*ret_lost = err_errno(err) == ENOENT;
	errno = err_errno(err);
	if (err)
		return *ret_lost ? NULL : part_error(leaf, part, "make the group", NULL);
	*ret_lost = flock(part->dir_fd, LOCK_EX | LOCK_NB) < 0 ||
		    !file_exists(anchor->dir_fd, leaf->name);
	if (*ret_lost)
		return NULL;
	for (size_t i = 0; i < count; i++)
		TRY(set(leaf, part, &settings[i]));
	if (anchor->hierarchy->unified)
		return NULL;
	part->enter_fd = openat(part->dir_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (part->enter_fd < 0)
		return part_error(leaf, part, "open", "cgroup.procs");
	return NULL;
}

/* `*ret` stays NULL if a sweeper was faster. */
static struct err *make_leaf(struct cgroups *groups, struct cgroup_leaf **ret)
{
	AUTO(leaf) struct cgroup_leaf *leaf = xcalloc(1, sizeof(*leaf));
	unsigned number;

	leaf->groups = groups;
	for (size_t i = 0; i < CGROUP_PARTS_MAX; i++)
		leaf->parts[i] = (struct part){ &groups->anchors[i], -1, -1 };
	pthread_mutex_lock(&groups->lock);
	number = ++groups->last;
	pthread_mutex_unlock(&groups->lock);
	snprintf(leaf->name, sizeof(leaf->name), "%s-%u", groups->prefix, number);
	for (size_t i = 0; i < groups->count; i++) {
		struct part *part = &leaf->parts[i];
		bool lost = false;
		struct err *err = make_part(leaf, part, &lost);

		if (err && !part->anchor->option) { /* it would have counted, or said 4096 */
			log_debug("no control group for this step: %s", err_text(err));
			err_free(err);
			drop_part(leaf, part);
			continue;
		}
		TRY(err);
		if (lost)
			return NULL;
	}
	*ret = STEAL(leaf);
	return NULL;
}

static struct cgroup_leaf *take_idle(struct cgroups *groups)
{
	struct cgroup_leaf *leaf = NULL;

	pthread_mutex_lock(&groups->lock);
	if (groups->idle.len > 0)
		leaf = groups->idle.at[--groups->idle.len];
	pthread_mutex_unlock(&groups->lock);
	return leaf;
}

struct err *cgroups_take(struct cgroups *groups, struct cgroup_leaf **ret)
{
	struct cgroup_leaf *leaf = take_idle(groups);
	struct err *err = NULL;

	for (unsigned i = 0; !leaf && !err && i < TAKE_TRIES; i++)
		err = make_leaf(groups, &leaf);
	if (!err && !leaf && groups->asked)
		err = err_new(ERR_INTERNAL, "every control group is swept at once");
	*ret = leaf;
	return err;
}

void cgroup_leaf_entry(const struct cgroup_leaf *leaf, struct cgroup_entry *ret)
{
	*ret = (struct cgroup_entry){ .clone_fd = -1 };
	for (size_t i = 0; i < leaf->groups->count; i++) {
		const struct part *part = &leaf->parts[i];

		if (part->dir_fd < 0)
			continue;
		if (part->anchor->hierarchy->unified) {
			ret->clone_fd = part->dir_fd;
			continue;
		}
		ret->shown[ret->enter_count] = part->anchor->hierarchy->controllers;
		ret->enter_fds[ret->enter_count++] = part->enter_fd;
	}
}

char *cgroup_leaf_path(const struct cgroup_leaf *leaf)
{
	const struct part *best = NULL;

	for (size_t i = 0; i < leaf->groups->count; i++) {
		const struct part *part = &leaf->parts[i];

		if (part->dir_fd >= 0 && (!best || part->anchor->hierarchy->unified))
			best = part;
	}
	if (!best)
		return NULL;
	return xasprintf("%s/%s", best->anchor->path + strlen(best->anchor->hierarchy->mount),
			 leaf->name);
}

/* ---- what was used ---- */

/* A number in a file: alone in it, or behind `key` in a line of its own. 0 if it is not there. */
static uint64_t read_number(const struct part *part, const char *file, const char *key)
{
	AUTO(buf) struct buf text = BUF_INIT(STAT_MAX);
	AUTO(err) struct err *err = file_read(part->dir_fd, file, STAT_MAX, &text);
	struct str rest = buf_str(&text);
	uint64_t number = 0;

	while (!err && rest.at) {
		struct str value = str_cut(&rest, '\n');

		if (key && !str_is(str_cut(&value, ' '), key))
			continue;
		err_free(
			num_parse(str_trim(value), 0, INT64_MAX, &number)); /* "max" is not known */
		break;
	}
	return number;
}

static void add_usage(const struct part *part, struct cgroup_usage *usage)
{
	const struct hierarchy *h = part->anchor->hierarchy;

	if (h->unified) {
		usage->memory_peak += read_number(part, "memory.peak", NULL);
		usage->oom_kills += read_number(part, "memory.events", "oom_kill");
		usage->cpu_us = read_number(part, "cpu.stat", "usage_usec");
		return;
	}
	if (hierarchy_lists(h->controllers, ',', "memory")) {
		usage->memory_peak += read_number(part, "memory.max_usage_in_bytes", NULL);
		usage->oom_kills += read_number(part, "memory.oom_control", "oom_kill");
	}
	if (hierarchy_lists(h->controllers, ',', "cpuacct"))
		usage->cpu_us = read_number(part, "cpuacct.usage", NULL) / 1000;
}

/* Since the leaf was made. Both shapes have the same file. */
static uint64_t count_refused(const struct cgroup_leaf *leaf)
{
	uint64_t count = 0;

	for (size_t i = 0; i < leaf->groups->count; i++) {
		const struct part *part = &leaf->parts[i];

		if (part->dir_fd >= 0 &&
		    hierarchy_lists(part->anchor->hierarchy->controllers, ',', "pids"))
			count += read_number(part, "pids.events", "max");
	}
	return count;
}

void cgroup_leaf_usage(const struct cgroup_leaf *leaf, struct cgroup_usage *ret)
{
	*ret = (struct cgroup_usage){ .forks_refused = count_refused(leaf) - leaf->forks_refused };
	for (size_t i = 0; leaf->groups->counts && i < leaf->groups->count; i++)
		if (leaf->parts[i].dir_fd >= 0)
			add_usage(&leaf->parts[i], ret);
}

void cgroup_leaf_kill(const struct cgroup_leaf *leaf)
{
	for (size_t i = 0; i < leaf->groups->count; i++) {
		const int dir_fd = leaf->parts[i].dir_fd;
		int fd = dir_fd < 0 ? -1 : openat(dir_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		(void)!write(fd, "1", 1); /* a process namespace ends them as well */
		close(fd);
	}
}

void cgroup_leaf_put(struct cgroup_leaf *leaf)
{
	if (!leaf)
		return;
	if (leaf->groups->counts) {
		leaf_free(leaf);
		return;
	}
	leaf->forks_refused = count_refused(leaf);
	pthread_mutex_lock(&leaf->groups->lock);
	vec_push(&leaf->groups->idle, leaf);
	pthread_mutex_unlock(&leaf->groups->lock);
}

void cgroups_free(struct cgroups *groups)
{
	if (!groups)
		return;
	vec_foreach (&groups->idle, leaf)
		leaf_free(*leaf);
	vec_release(&groups->idle);
	for (size_t i = 0; i < groups->count; i++)
		anchor_release(&groups->anchors[i]);
	hierarchies_release(&groups->hierarchies);
	pthread_mutex_destroy(&groups->lock);
	free(groups);
}
