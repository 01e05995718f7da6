/* overlay/runtime-spec.c - see overlay/runtime-spec.h. */

#include "overlay/runtime-spec.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/userns.h"
#include "base/vec.h"
#include "overlay/capability.h"
#include "overlay/furniture-private.h"
#include "overlay/idmap.h"
#include "overlay/request-private.h"
#include "overlay/resource-private.h"
#include "overlay/sandbox.h"
#include "overlay/seccomp-rules.h"

#define ROOTFS "rootfs" /* where the bundle has the step's root */
#define MAP_MAX ((size_t)64 * 1024)

/* What a document is made from, and the request in it. */
struct writer {
	const struct runtime_spec_source *source;
	const struct request *request;
	json_t *notes;
};

static const char *text_at(const struct writer *w, uint32_t at)
{
	return w->source->request.at + at;
}

static json_t *new_text(const char *text)
{
	return json_text(str_of(text));
}

static json_t *text_list(const struct writer *w, struct request_span span)
{
	const uint64_t *slots = (const uint64_t *)(const void *)text_at(w, span.at);
	json_t *list = json_array();

	for (uint32_t i = 0; i < span.count; i++)
		json_push(list, new_text(text_at(w, (uint32_t)slots[i])));
	return list;
}

static void note(const struct writer *w, const char *name, const char *text)
{
	AUTO(mem) char *key = xasprintf(RUNTIME_SPEC_NOTE "%s", name);

	json_set_text(w->notes, key, text);
}

static bool has(const struct writer *w, uint32_t flag)
{
	return w->request->flags & flag;
}

/* ---- process ---- */

static json_t *make_user(const struct writer *w)
{
	const gid_t *groups = (const gid_t *)(const void *)text_at(w, w->request->groups.at);
	json_t *user = json_object();
	json_t *list = json_array();

	json_set(user, "uid", json_integer(w->request->uid));
	json_set(user, "gid", json_integer(w->request->gid));
	json_set(user, "umask", json_integer(FURNITURE_UMASK));
	for (uint32_t i = 0; i < w->request->groups.count; i++)
		json_push(list, json_integer(groups[i]));
	json_set(user, "additionalGids", list);
	return user;
}

static json_t *capability_list(uint64_t set)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < 64; i++)
		if (set >> i & 1 && capability_name(i))
			json_push(list, new_text(capability_name(i)));
	return list;
}

/* All that this process could give: an insecure step has it. */
static uint64_t our_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

static json_t *make_capabilities(const struct writer *w)
{
	const uint64_t set =
		has(w, REQUEST_INSECURE) ? our_capabilities() : w->request->capabilities;
	const uint64_t held = w->request->uid == 0 ? set : 0;
	json_t *sets = json_object();

	json_set(sets, "bounding", capability_list(set));
	json_set(sets, "effective", capability_list(held));
	json_set(sets, "inheritable", json_array());
	json_set(sets, "permitted", capability_list(held));
	json_set(sets, "ambient", json_array());
	return sets;
}

static const struct {
	int resource;
	const char *name;
} limit_names[] = {
	{ RLIMIT_AS, "RLIMIT_AS" },
	{ RLIMIT_CORE, "RLIMIT_CORE" },
	{ RLIMIT_CPU, "RLIMIT_CPU" },
	{ RLIMIT_DATA, "RLIMIT_DATA" },
	{ RLIMIT_FSIZE, "RLIMIT_FSIZE" },
	{ RLIMIT_LOCKS, "RLIMIT_LOCKS" },
	{ RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK" },
	{ RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE" },
	{ RLIMIT_NICE, "RLIMIT_NICE" },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE" },
	{ RLIMIT_NPROC, "RLIMIT_NPROC" },
	{ RLIMIT_RSS, "RLIMIT_RSS" },
	{ RLIMIT_RTPRIO, "RLIMIT_RTPRIO" },
	{ RLIMIT_RTTIME, "RLIMIT_RTTIME" },
	{ RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING" },
	{ RLIMIT_STACK, "RLIMIT_STACK" },
};

/* A number of 64 bits without a sign, which jansson has not. */
static json_t *new_limit(uint64_t value)
{
	return json_integer(value > INT64_MAX ? -1 : (json_int_t)value);
}

static void push_limit(json_t *list, uint64_t resource, uint64_t soft, uint64_t hard)
{
	json_t *limit = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(limit_names); i++)
		if ((uint64_t)limit_names[i].resource == resource)
			json_set_text(limit, "type", limit_names[i].name);
	json_set(limit, "soft", new_limit(soft));
	json_set(limit, "hard", new_limit(hard));
	json_push(list, limit);
}

static bool is_asked(const struct request_limit *limits, uint32_t count, uint64_t resource)
{
	for (uint32_t i = 0; i < count; i++)
		if (limits[i].resource == resource)
			return true;
	return false;
}

/* Whether the spawner can raise the number of open files to what is usual. */
static bool may_raise(rlim_t from, rlim_t to)
{
	AUTO(buf) struct buf text = BUF_INIT((size_t)64);
	AUTO(err) struct err *err = file_read(AT_FDCWD, "/proc/sys/fs/nr_open", 63, &text);
	uint64_t most = 0;

	if (to <= from)
		return true;
	if (!err)
		err = num_parse(str_trim(buf_str(&text)), 0, UINT64_MAX, &most);
	return !err && to <= most && our_capabilities() >> CAP_SYS_RESOURCE & 1;
}

/* As overlay/helper/identity.c sets them. */
static json_t *make_limits(const struct writer *w)
{
	const struct request_span span = w->request->limits;
	const struct request_limit *limits =
		(const struct request_limit *)(const void *)text_at(w, span.at);
	struct rlimit files = { FURNITURE_FILES_SOFT, FURNITURE_FILES_HARD };
	struct rlimit ours;
	json_t *list = json_array();

	if (getrlimit(RLIMIT_NOFILE, &ours) == 0 && !may_raise(ours.rlim_max, files.rlim_max))
		files.rlim_max = ours.rlim_max;
	if (files.rlim_cur > files.rlim_max)
		files.rlim_cur = files.rlim_max;
	if (!is_asked(limits, span.count, RLIMIT_NOFILE))
		push_limit(list, RLIMIT_NOFILE, files.rlim_cur, files.rlim_max);
	if (!is_asked(limits, span.count, RLIMIT_CORE))
		push_limit(list, RLIMIT_CORE, 0, 0);
	for (uint32_t i = 0; i < span.count; i++)
		push_limit(list, limits[i].resource, limits[i].soft, limits[i].hard);
	return list;
}

static json_t *make_process(const struct writer *w)
{
	json_t *process = json_object();

	json_set(process, "terminal", json_boolean(has(w, REQUEST_TTY)));
	json_set(process, "user", make_user(w));
	json_set(process, "args", text_list(w, w->request->argv));
	json_set(process, "env", text_list(w, w->request->envp));
	json_set_text(process, "cwd", text_at(w, w->request->cwd));
	json_set(process, "capabilities", make_capabilities(w));
	json_set(process, "rlimits", make_limits(w));
	json_set(process, "noNewPrivileges", json_boolean(has(w, REQUEST_NO_NEW_PRIVILEGES)));
	return process;
}

/* ---- mounts ---- */

static void push_option(json_t *options, const char *text)
{
	json_push(options, new_text(text));
}

static void push_attributes(json_t *options, unsigned attributes)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = { { MOUNT_ATTR_RDONLY, "ro" },
		      { MOUNT_ATTR_NOSUID, "nosuid" },
		      { MOUNT_ATTR_NODEV, "nodev" },
		      { MOUNT_ATTR_NOEXEC, "noexec" },
		      { MOUNT_ATTR_STRICTATIME, "strictatime" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (attributes & names[i].bit)
			push_option(options, names[i].name);
}

static json_t *add_mount(json_t *list, const char *target, const char *type, const char *source,
			 unsigned attributes)
{
	json_t *mount = json_object();
	json_t *options = json_array();

	json_set_text(mount, "destination", target);
	json_set_text(mount, "type", type);
	json_set_text(mount, "source", source);
	push_attributes(options, attributes);
	json_set(mount, "options", options);
	json_push(list, mount);
	return options;
}

/* A list of key, value, …, NULL. */
static void push_pairs(json_t *options, const char *const *pairs)
{
	for (; *pairs; pairs += 2)
		json_push(options, json_sprintf("%s=%s", pairs[0], pairs[1]));
}

static void add_dev(const struct writer *w, json_t *list)
{
	static const char *const dev[] = { FURNITURE_DEV_OPTIONS, NULL };
	static const char *const pts[] = { FURNITURE_PTS_OPTIONS, NULL };
	static const char *const shm[] = { FURNITURE_SHM_OPTIONS, NULL };
	json_t *options;

	/* here nodes are mounts of their own, and there they lie in it */
	push_pairs(add_mount(list, "/dev", "tmpfs", "tmpfs", FURNITURE_DEV & ~MOUNT_ATTR_NODEV),
		   dev);
	options = add_mount(list, "/dev/pts", "devpts", "devpts", FURNITURE_PTS);
	push_option(options, "newinstance");
	push_pairs(options, pts);
	if (!has(w, REQUEST_ONE_ID))
		json_push(options, json_sprintf("gid=%d", FURNITURE_TTY_GROUP));
	options = add_mount(list, "/dev/shm", "tmpfs", "shm", FURNITURE_QUIET);
	push_pairs(options, shm);
	json_push(options, json_sprintf("size=%" PRIu64, w->request->shm_size));
	add_mount(list, "/dev/mqueue", "mqueue", "mqueue", FURNITURE_QUIET);
}

/* A user namespace may mount a sysfs only of a network of its own: then it sees the machine's. */
static void add_sys(const struct writer *w, json_t *list)
{
	const bool own = has(w, REQUEST_NEW_NETWORK | REQUEST_JOIN_NETWORK);
	const unsigned fixed = has(w, REQUEST_INSECURE) ? 0 : MOUNT_ATTR_RDONLY;
	json_t *options;

	if (own || (!w->source->spec->idmap && idmap_is_useful())) {
		add_mount(list, "/sys", "sysfs", "sysfs", FURNITURE_QUIET | fixed);
		add_mount(list, "/sys/fs/cgroup", "cgroup", "cgroup", FURNITURE_QUIET | fixed);
		return;
	}
	options = add_mount(list, "/sys", "bind", "/sys", FURNITURE_QUIET | MOUNT_ATTR_RDONLY);
	push_option(options, "rbind");
}

/* A file whose content stands beside the document, as a note. */
static void add_file(const struct writer *w, json_t *list, const char *name, uint32_t content)
{
	AUTO(mem) char *target = xasprintf("/etc/%s", name);

	if (!content)
		return;
	push_option(add_mount(list, target, "bind", name, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC),
		    "bind");
	note(w, name, text_at(w, content));
}

/* What an open mount is, as the kernel has it. */
static unsigned attributes_of(int fd)
{
	struct statvfs st;
	unsigned set = 0;

	if (fd < 0 || fstatvfs(fd, &st) < 0)
		return 0;
	set |= st.f_flag & ST_RDONLY ? MOUNT_ATTR_RDONLY : 0;
	set |= st.f_flag & ST_NOSUID ? MOUNT_ATTR_NOSUID : 0;
	set |= st.f_flag & ST_NODEV ? MOUNT_ATTR_NODEV : 0;
	return set | (st.f_flag & ST_NOEXEC ? MOUNT_ATTR_NOEXEC : 0);
}

static void add_one(json_t *list, const char *target, const struct sandbox_mount *mount)
{
	const struct sandbox_mount_told *told = &mount->told;
	const char *type = told->type ? told->type : "bind";
	const bool bind = strcmp(type, "bind") == 0;
	unsigned attributes = attributes_of(mount->fd);
	json_t *options;

	if (mount->fd < 0)
		attributes = MOUNT_ATTR_NODEV | (bind ? 0 : MOUNT_ATTR_NOSUID) |
			     (told->read_only ? MOUNT_ATTR_RDONLY : 0) |
			     (told->no_exec ? MOUNT_ATTR_NOEXEC : 0);
	options = add_mount(list, target, type, told->source ? told->source : type, attributes);
	if (bind)
		push_option(options, "rbind");
	else
		json_push(options, json_sprintf("mode=%o", (unsigned)told->mode));
	if (told->size)
		json_push(options, json_sprintf("size=%ju", (uintmax_t)told->size));
}

static void add_own(const struct writer *w, json_t *list)
{
	const struct sandbox_spec *spec = w->source->spec;
	const struct request_mount *asked =
		(const struct request_mount *)(const void *)text_at(w, w->request->mounts.at);

	for (size_t i = 0; i < spec->mount_count; i++)
		add_one(list, text_at(w, asked[i].target), &spec->mounts[i]);
}

static json_t *make_mounts(const struct writer *w)
{
	json_t *list = json_array();

	add_mount(list, "/proc", "proc", "proc", FURNITURE_QUIET);
	add_file(w, list, "hosts", w->request->hosts);
	add_file(w, list, "resolv.conf", w->request->resolv);
	add_dev(w, list);
	add_sys(w, list);
	add_own(w, list);
	return list;
}

/* ---- linux ---- */

static void push_namespace(json_t *list, const char *type)
{
	json_t *namespace = json_object();

	json_set_text(namespace, "type", type);
	json_push(list, namespace);
}

static json_t *make_namespaces(const struct writer *w, bool user)
{
	json_t *list = json_array();

	push_namespace(list, "mount");
	push_namespace(list, "pid");
	push_namespace(list, "ipc");
	push_namespace(list, "uts");
	push_namespace(list, "cgroup");
	if (has(w, REQUEST_NEW_NETWORK | REQUEST_JOIN_NETWORK))
		push_namespace(list, "network");
	if (user)
		push_namespace(list, "user");
	return list;
}

/* The lines of a file like /proc/self/uid_map. */
static struct err *make_mappings(struct str text, json_t **ret)
{
	AUTO(json) json_t *list = json_array();

	while (text.len) {
		const struct str line = str_cut(&text, '\n');
		AUTO(mem) char *copy = str_dup(line);
		json_int_t inside, outside, count;
		json_t *map;

		if (sscanf(copy,
			   "%" JSON_INTEGER_FORMAT " %" JSON_INTEGER_FORMAT
			   " %" JSON_INTEGER_FORMAT,
			   &inside, &outside, &count) != 3)
			return err_new(ERR_INTERNAL, "map of ids: '%.80s'", copy);
		map = json_object();
		json_set(map, "containerID", json_integer(inside));
		json_set(map, "hostID", json_integer(outside));
		json_set(map, "size", json_integer(count));
		json_push(list, map);
	}
	*ret = STEAL(list);
	return NULL;
}

/* Those of the step's own user namespace, or of that of the program. */
static struct err *add_mappings(const struct writer *w, json_t *linux_part)
{
	static const char *const names[2][2] = { { "uidMappings", "/proc/self/uid_map" },
						 { "gidMappings", "/proc/self/gid_map" } };
	const struct idmap *map = w->source->spec->idmap;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(buf) struct buf text = BUF_INIT(MAP_MAX);
		json_t *list = NULL;

		if (map)
			idmap_format(map, i == 1, &text);
		else
			TRY(file_read(AT_FDCWD, names[i][1], MAP_MAX, &text));
		TRY(make_mappings(buf_str(&text), &list));
		json_set(linux_part, names[i][0], list);
	}
	return NULL;
}

static json_t *make_devices(void)
{
	static const struct {
		const char *name;
		int major, minor;
	} devices[] = FURNITURE_DEVICES;
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		json_t *device = json_object();

		json_set(device, "path", json_sprintf("/dev/%s", devices[i].name));
		json_set_text(device, "type", "c");
		json_set(device, "major", json_integer(devices[i].major));
		json_set(device, "minor", json_integer(devices[i].minor));
		json_set(device, "fileMode", json_integer(0666));
		json_set(device, "uid", json_integer(0));
		json_set(device, "gid", json_integer(0));
		json_push(list, device);
	}
	return list;
}

/* The processors that have something to hide, in the order of their names. */
static int is_processor(const struct dirent *entry)
{
	char path[sizeof("/sys/" FURNITURE_CPUS) + sizeof(entry->d_name) +
		  sizeof(FURNITURE_HIDDEN_CPU) + 2];

	snprintf(path, sizeof(path), "/sys/" FURNITURE_CPUS "/%s/" FURNITURE_HIDDEN_CPU,
		 entry->d_name);
	return strncmp(entry->d_name, "cpu", 3) == 0 && access(path, F_OK) == 0;
}

static json_t *make_masked(void)
{
	static const char *const proc[] = FURNITURE_HIDDEN_PROC;
	static const char *const sys[] = FURNITURE_HIDDEN_SYS;
	struct dirent **cpus = NULL;
	json_t *list = json_array();
	int count = scandir("/sys/" FURNITURE_CPUS, &cpus, is_processor, alphasort);

	for (size_t i = 0; i < ARRAY_SIZE(proc); i++)
		json_push(list, json_sprintf("/proc/%s", proc[i]));
	for (size_t i = 0; i < ARRAY_SIZE(sys); i++)
		json_push(list, json_sprintf("/sys/%s", sys[i]));
	for (int i = 0; i < count; i++) {
		json_push(list, json_sprintf("/sys/" FURNITURE_CPUS "/%s/" FURNITURE_HIDDEN_CPU,
					     cpus[i]->d_name));
		free(cpus[i]);
	}
	free(cpus);
	return list;
}

static json_t *make_fixed(void)
{
	static const char *const proc[] = FURNITURE_FIXED_PROC;
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(proc); i++)
		json_push(list, json_sprintf("/proc/%s", proc[i]));
	return list;
}

/* A member of an object that is made when it is first needed. */
static void set_in(json_t *object, const char *part, const char *key, json_t *value)
{
	if (!json_object_get(object, part))
		json_set(object, part, json_object());
	json_set(json_object_get(object, part), key, value);
}

static json_t *add_rule(json_t *list, bool allow, const char *access)
{
	json_t *rule = json_object();

	json_set(rule, "allow", json_boolean(allow));
	json_set_text(rule, "access", access);
	json_push(list, rule);
	return rule;
}

static void allow_device(json_t *list, char type, unsigned major, int64_t minor, const char *access)
{
	json_t *rule = add_rule(list, true, access);

	json_set(rule, "type", json_sprintf("%c", type));
	json_set(rule, "major", json_integer(major));
	if (minor >= 0)
		json_set(rule, "minor", json_integer(minor));
}

/* What a step can do with devices. Here it is by no control group, but because no mount that it can
 * write to has devices: it makes nodes, and those that it can open are in /dev. */
static json_t *make_device_rules(const struct writer *w)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} devices[] = FURNITURE_DEVICES;
	const struct sandbox_spec *spec = w->source->spec;
	json_t *list = json_array();
	struct stat st;

	if (has(w, REQUEST_INSECURE)) {
		add_rule(list, true, "rwm");
		return list;
	}
	add_rule(list, false, "rwm");
	json_set_text(add_rule(list, true, "m"), "type", "c");
	json_set_text(add_rule(list, true, "m"), "type", "b");
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		allow_device(list, 'c', devices[i].major, devices[i].minor, "rwm");
	allow_device(list, 'c', 5, 2, "rwm");    /* /dev/pts/ptmx */
	allow_device(list, 'c', 136, -1, "rwm"); /* and what comes out of it */
	for (size_t i = 0; i < spec->mount_count; i++) {
		const char *path = spec->mounts[i].told.source;

		if (path && path[0] == '/' && stat(path, &st) == 0 &&
		    (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
			allow_device(list, S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev),
				     minor(st.st_rdev), "rwm");
	}
	return list;
}

static json_t *make_resources(const struct writer *w)
{
	const struct sandbox_resources *r = w->source->resources;
	json_t *all = json_object();

	json_set(all, "devices", make_device_rules(w));
	if (!r)
		return all;
	if (r->memory) {
		set_in(all, "memory", "limit", new_limit(r->memory));
		set_in(all, "memory", "swap", new_limit(resource_memory_swap(r)));
	}
	if (r->cpu_shares)
		set_in(all, "cpu", "shares", new_limit(r->cpu_shares));
	if (r->cpu_quota || r->cpu_period) {
		set_in(all, "cpu", "quota",
		       new_limit(r->cpu_quota ? r->cpu_quota : SANDBOX_NO_LIMIT));
		set_in(all, "cpu", "period",
		       new_limit(r->cpu_period ? r->cpu_period : RESOURCE_PERIOD));
	}
	if (r->cpuset_cpus)
		set_in(all, "cpu", "cpus", new_text(r->cpuset_cpus));
	if (r->cpuset_mems)
		set_in(all, "cpu", "mems", new_text(r->cpuset_mems));
	set_in(all, "pids", "limit", new_limit(r->pids ? r->pids : SANDBOX_PIDS));
	return all;
}

/* What a network of the step's own begins with. */
static json_t *make_sysctls(const struct writer *w)
{
	AUTO(mem)
	char *groups = w->source->spec->idmap ? xstrdup(IDMAP_ALL_GROUPS) :
						xasprintf("0 %" PRIu32, userns_last_group());
	json_t *all = json_object();

	json_set_text(all, "net.ipv4.ping_group_range", groups);
	json_set_text(all, "net.ipv4.ip_unprivileged_port_start", "0");
	return all;
}

static struct err *make_linux(const struct writer *w, json_t **ret)
{
	const bool user = w->source->spec->idmap || !idmap_is_useful();
	AUTO(json) json_t *all = json_object();

	json_set(all, "namespaces", make_namespaces(w, user));
	if (user)
		TRY(add_mappings(w, all));
	json_set(all, "devices", make_devices());
	if (w->source->cgroup)
		json_set_text(all, "cgroupsPath", w->source->cgroup);
	json_set(all, "resources", make_resources(w));
	if (has(w, REQUEST_NEW_NETWORK | REQUEST_JOIN_NETWORK))
		json_set(all, "sysctl", make_sysctls(w));
	if (w->source->rules)
		json_set(all, "seccomp", seccomp_rules_format(w->source->rules));
	if (!has(w, REQUEST_INSECURE)) {
		json_set(all, "maskedPaths", make_masked());
		json_set(all, "readonlyPaths", make_fixed());
	}
	*ret = STEAL(all);
	return NULL;
}

/* ---- the whole ---- */

static json_t *make_root(const struct writer *w)
{
	const int fd = w->source->spec->root_fd;
	json_t *root = json_object();

	json_set_text(root, "path", ROOTFS);
	json_set(root, "readonly", json_boolean(attributes_of(fd) & MOUNT_ATTR_RDONLY));
	return root;
}

static void add_notes(const struct writer *w)
{
	note(w, "network",
	     has(w, REQUEST_NEW_NETWORK)  ? "none" :
	     has(w, REQUEST_JOIN_NETWORK) ? "private" :
					    "host");
	if (has(w, REQUEST_INIT))
		note(w, "init", "true");
	if (has(w, REQUEST_ONE_ID))
		note(w, "ids", "single");
	if (has(w, REQUEST_LISTEN))
		note(w, "owners", "recorded");
}

struct err *runtime_spec_make(const struct runtime_spec_source *source, json_t **ret)
{
	AUTO(json) json_t *all = json_object();
	AUTO(json) json_t *notes = json_object();
	const struct writer w = { source, (const struct request *)(const void *)source->request.at,
				  notes };
	json_t *linux_part = NULL;

	assert(source->request.len >= sizeof(*w.request));
	TRY(make_linux(&w, &linux_part));
	add_notes(&w);
	json_set_text(all, "ociVersion", RUNTIME_SPEC_VERSION);
	json_set(all, "process", make_process(&w));
	json_set(all, "root", make_root(&w));
	json_set_text(all, "hostname", text_at(&w, w.request->hostname));
	json_set_text(all, "domainname", FURNITURE_DOMAIN);
	json_set(all, "mounts", make_mounts(&w));
	json_set(all, "linux", linux_part);
	json_set(all, "annotations", STEAL(notes));
	*ret = STEAL(all);
	return NULL;
}
