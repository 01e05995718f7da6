/*
 * overlay/sandbox.c - see overlay/sandbox.h.
 *
 * The builder's side of a step: it puts the request together, hands it to the
 * spawner, and listens. Everything that needs care happens in overlay/helper.
 */

#include "overlay/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/str.h"
#include "base/userns.h"
#include "overlay/capability.h"
#include "overlay/cgroup-private.h"
#include "overlay/furniture-private.h"
#include "overlay/idmap.h"
#include "overlay/network-private.h"
#include "overlay/network.h"
#include "overlay/overseer.h"
#include "overlay/report-private.h"
#include "overlay/request-private.h"
#include "overlay/resolver.h"
#include "overlay/resource-private.h"
#include "overlay/runtime-spec.h"
#include "overlay/seccomp-rules.h"
#include "overlay/seccomp.h"
#include "overlay/spawner-private.h"

#define DEFAULT_HOSTNAME "cairn"
#define DEFAULT_SHM_SIZE ((uint64_t)64 * 1024 * 1024)
#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX ((size_t)1024 * 1024)
_Static_assert(SANDBOX_MOUNTS_MAX == REQUEST_MOUNTS_MAX, "each has a descriptor");
_Static_assert(CGROUP_PARTS_MAX == REQUEST_CGROUPS_MAX, "each has a descriptor");

#define REQUEST_MAX ((size_t)64 * 1024 * 1024) /* the kernel takes 6 MiB of argv and envp */

/* Guarded by the sandbox's network_lock until one of both is set, then constant. */
struct private_network {
	struct network *network;
	struct err *none; /* why there is none */
};

struct sandbox {
	int cache_dir_fd; /* borrowed; -1: none */
	pthread_mutex_t lock;
	struct spawner *spawner;       /* guarded by lock until set, then constant */
	struct seccomp_program filter; /* the same */
	struct cgroups *groups;        /* the same; NULL: steps have none of their own */
	struct sandbox_resources resources;
	struct sandbox_security security;
	struct resolver_wishes wishes;
	const struct network_port *ports; /* borrowed */
	size_t port_count;

	pthread_mutex_t network_lock;    /* before `lock`: making a network takes long */
	struct private_network owned[2]; /* by our user namespace, and by that of the steps */
	bool expected;                   /* maker runs, or has run */
	const struct idmap *expecting;   /* for whom; borrowed */
	int below_fd; /* user namespace of steps without an idmap that are in owned[0]; -1: ours.
		       * Set with it */
	pthread_t maker;
	struct cancel_scope making; /* that of the maker */
};

struct sandbox_run {
	struct sandbox *sandbox;
	struct cgroup_leaf *leaf; /* owned; NULL: none */
	int report_fd;
	int tty_fd;
	struct overseer *overseer; /* owned; NULL: the step's filter does not ask */
	bool started;              /* it was handed over */
	bool ended;                /* nothing of it runs any more */
};

struct sandbox *sandbox_new(int cache_dir_fd)
{
	struct sandbox *sandbox = xcalloc(1, sizeof(*sandbox));

	sandbox->cache_dir_fd = cache_dir_fd;
	sandbox->below_fd = -1;
	pthread_mutex_init(&sandbox->lock, NULL);
	pthread_mutex_init(&sandbox->network_lock, NULL);
	return sandbox;
}

void sandbox_free(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	if (sandbox->expected) {
		cancel_stop(&sandbox->making);
		pthread_join(sandbox->maker, NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sandbox->owned); i++) {
		network_free(sandbox->owned[i].network);
		err_free(sandbox->owned[i].none);
	}
	if (sandbox->below_fd >= 0)
		close(sandbox->below_fd);
	spawner_free(sandbox->spawner);
	cgroups_free(sandbox->groups);
	seccomp_program_release(&sandbox->filter);
	pthread_mutex_destroy(&sandbox->network_lock);
	pthread_mutex_destroy(&sandbox->lock);
	free(sandbox);
}

void sandbox_limit(struct sandbox *sandbox, const struct sandbox_resources *resources)
{
	sandbox->resources = *resources;
}

static struct err *open_groups(struct sandbox *sandbox)
{
	AUTO(fd) int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return err_sys("open /");
	return cgroups_open(root_fd, &sandbox->resources, &sandbox->groups);
}

void sandbox_secure(struct sandbox *sandbox, const struct sandbox_security *security)
{
	sandbox->security = *security;
}

static uint64_t capabilities_of(const struct sandbox *sandbox)
{
	return sandbox->security.capabilities_given ? sandbox->security.capabilities :
						      CAPABILITY_DEFAULT;
}

static struct err *load_filter(struct sandbox *sandbox)
{
	AUTO(seccomp_rules) struct seccomp_rules rules = { 0 };

	if (sandbox->security.unconfined) {
		seccomp_program_none(&sandbox->filter);
		return NULL;
	}
	if (!sandbox->security.profile)
		return seccomp_program_load(sandbox->cache_dir_fd, capabilities_of(sandbox),
					    &sandbox->filter);
	TRY(seccomp_rules_parse(str_of(sandbox->security.profile), "seccomp profile",
				capabilities_of(sandbox), &rules));
	return seccomp_program_compile(&rules, &sandbox->filter);
}

/* With the lock held. The spawner comes to life while the filter is read. */
static struct err *prepare_locked(struct sandbox *sandbox)
{
	AUTO(spawner) struct spawner *spawner = NULL;

	if (sandbox->spawner)
		return NULL;
	TRY(spawner_start(&spawner));
	if (!sandbox->groups)
		TRY(open_groups(sandbox));
	TRY(load_filter(sandbox));
	sandbox->spawner = STEAL(spawner);
	return NULL;
}

static struct err *prepare(struct sandbox *sandbox)
{
	struct err *err;

	pthread_mutex_lock(&sandbox->lock);
	err = prepare_locked(sandbox);
	pthread_mutex_unlock(&sandbox->lock);
	return err;
}

/* ---- the network ---- */

void sandbox_resolve(struct sandbox *sandbox, const struct resolver_wishes *wishes)
{
	sandbox->wishes = *wishes;
}

void sandbox_publish(struct sandbox *sandbox, const struct network_port *ports, size_t count)
{
	sandbox->ports = ports;
	sandbox->port_count = count;
}

/* The host's resolv.conf; a machine without one has an empty one. */
static struct err *read_resolv(struct buf *ret)
{
	struct err *err = file_read(AT_FDCWD, RESOLV_CONF, RESOLV_CONF_MAX, ret);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return NULL;
}

static struct str text_of(const struct buf *buf)
{
	return (struct str){ buf->at ? buf->at : "", strnlen(buf->at ? buf->at : "", buf->len) };
}

static struct err *private_resolv(const struct sandbox *sandbox, struct buf *ret)
{
	AUTO(buf) struct buf host = BUF_INIT(RESOLV_CONF_MAX);

	TRY(read_resolv(&host));
	return err_wrap(
		resolver_in_private(text_of(&host), &sandbox->wishes, NETWORK_RESOLVER, ret),
		RESOLV_CONF);
}

/* The one for steps with `idmap`, or without. */
static struct private_network *network_of(struct sandbox *sandbox, const struct idmap *idmap)
{
	return &sandbox->owned[idmap ? 1 : 0];
}

static bool gives(const struct sandbox *sandbox, unsigned capability)
{
	return capabilities_of(sandbox) >> capability & 1;
}

/* In which user namespace the network is to be, and whether the steps' rights there reach it. An ordinary
 * user's steps go one further down for its sake, unless they are to mount, which they may in ours alone. */
static struct err *place_network(struct sandbox *sandbox, const struct idmap *idmap,
				 struct network_opts *opts)
{
	opts->userns_fd = idmap ? idmap_userns(idmap) : -1;
	if (!gives(sandbox, CAP_NET_ADMIN))
		return NULL;
	if (!idmap && userns_mode() != USERNS_NONE && !gives(sandbox, CAP_SYS_ADMIN)) {
		if (sandbox->below_fd < 0)
			TRY(idmap_open_below(&sandbox->below_fd));
		opts->userns_fd = sandbox->below_fd;
	}
	opts->walled = opts->userns_fd >= 0;
	if (opts->walled && opts->port_count)
		return err_new(ERR_UNSUPPORTED,
			       "no port leads to who has CAP_NET_ADMIN of its own network");
	if (!opts->walled)
		log_info("steps with CAP_NET_ADMIN can take away what keeps them from the loopback "
			 "of this machine");
	return NULL;
}

static struct err *make_network(struct sandbox *sandbox, const struct idmap *idmap)
{
	AUTO(buf) struct buf text = BUF_INIT(RESOLV_CONF_MAX);
	struct network_opts opts = { 0 };

	TRY(private_resolv(sandbox, &text));
	TRY(prepare(sandbox));
	opts.spawner_pidfd = spawner_pidfd(sandbox->spawner);
	opts.ports = sandbox->ports;
	opts.port_count = sandbox->port_count;
	TRY(place_network(sandbox, idmap, &opts));
	return network_start(&opts, &network_of(sandbox, idmap)->network);
}

/* With the network's lock held. What failed once is not tried again, unless it was stopped. */
static struct err *find_network(struct sandbox *sandbox, const struct idmap *idmap)
{
	struct private_network *found = network_of(sandbox, idmap);

	if (!found->network && !found->none) {
		struct err *err = make_network(sandbox, idmap);

		if (err_kind(err) == ERR_CANCELLED)
			return err;
		found->none = err;
		if (!err)
			log_debug("steps are in a private network, by %s",
				  network_tool_name(found->network));
	}
	return NULL;
}

static void *expect(void *arg)
{
	struct sandbox *sandbox = arg;

	cancel_enter(&sandbox->making);
	pthread_mutex_lock(&sandbox->network_lock);
	err_free(find_network(sandbox,
			      sandbox->expecting)); /* stopped: nobody waits for it any more */
	pthread_mutex_unlock(&sandbox->network_lock);
	return NULL;
}

void sandbox_expect_network(struct sandbox *sandbox, const struct idmap *idmap)
{
	if (sandbox->expected)
		return;
	sandbox->expecting = idmap;
	/* Without a thread it is made when it is wanted. */
	sandbox->expected = pthread_create(&sandbox->maker, NULL, expect, sandbox) == 0;
}

/* Of what is kept for whoever asks next. */
static struct err *refuse_network(const struct err *none)
{
	struct err *err = err_new(ERR_UNSUPPORTED, "no private network: %s", err_text(none));

	return err_notes(none) ? err_note(err, "%s", err_notes(none)) : err;
}

struct err *sandbox_choose_network(struct sandbox *sandbox, const struct idmap *idmap,
				   enum sandbox_network wanted, enum sandbox_network *ret,
				   const char **ret_reason)
{
	const struct private_network *found = network_of(sandbox, idmap);
	struct err *err;

	*ret_reason = NULL;
	*ret = wanted;
	if (wanted != SANDBOX_NETWORK_PRIVATE && wanted != SANDBOX_NETWORK_DEFAULT)
		return NULL;
	pthread_mutex_lock(&sandbox->network_lock);
	err = find_network(sandbox, idmap);
	pthread_mutex_unlock(&sandbox->network_lock);
	TRY(err);
	if (!found->none) {
		*ret = SANDBOX_NETWORK_PRIVATE;
		return NULL;
	}
	if (wanted == SANDBOX_NETWORK_PRIVATE)
		return refuse_network(found->none);
	*ret = SANDBOX_NETWORK_HOST;
	*ret_reason = err_text(found->none);
	return NULL;
}

const char *sandbox_network_carrier(struct sandbox *sandbox, const struct idmap *idmap)
{
	const struct private_network *found = network_of(sandbox, idmap);
	const char *name;

	pthread_mutex_lock(&sandbox->network_lock);
	name = found->network ? network_tool_name(found->network) : NULL;
	pthread_mutex_unlock(&sandbox->network_lock);
	return name;
}

pid_t sandbox_spawner_pid(struct sandbox *sandbox)
{
	pid_t pid;

	pthread_mutex_lock(&sandbox->lock);
	pid = sandbox->spawner ? spawner_pid(sandbox->spawner) : 0;
	pthread_mutex_unlock(&sandbox->lock);
	return pid;
}

/* ---- the request ---- */

/* Append and say where it went. Offsets that are looked at as numbers are aligned. */
static struct request_span add_array(struct buf *buf, const void *data, size_t count, size_t size)
{
	static const char zeros[8];
	struct request_span span;

	buf_add(buf, zeros, (8 - buf->len % 8) % 8);
	span = (struct request_span){ .at = (uint32_t)buf->len, .count = (uint32_t)count };
	if (count)
		buf_add(buf, data, count * size);
	return span;
}

static uint32_t add_text(struct buf *buf, const char *text)
{
	uint32_t at = (uint32_t)buf->len;

	buf_add(buf, text, strlen(text) + 1);
	return at;
}

static struct request_span add_list(struct buf *buf, const char *const *list)
{
	AUTO(mem) uint64_t *slots = NULL;
	size_t count = 0;

	while (list[count])
		count++;
	slots = xcalloc(count + 1, sizeof(*slots));
	for (size_t i = 0; i < count; i++)
		slots[i] = add_text(buf, list[i]);
	return (struct request_span){ .at = add_array(buf, slots, count + 1, sizeof(*slots)).at,
				      .count = (uint32_t)count };
}

/* `path` without empty components and without a slash at the end. */
static uint32_t add_clean_path(struct buf *buf, const char *path)
{
	uint32_t at = (uint32_t)buf->len;
	struct str rest = str_of(path);

	while (rest.at) {
		struct str part = str_cut(&rest, '/');

		if (!part.len)
			continue;
		buf_addc(buf, '/');
		buf_add_str(buf, part);
	}
	if (buf->len == at)
		buf_addc(buf, '/');
	buf_addc(buf, '\0');
	return at;
}

static uint32_t add_hosts(struct buf *buf, const struct sandbox_spec *spec, const char *hostname)
{
	uint32_t at = (uint32_t)buf->len;

	buf_adds(buf, "127.0.0.1\tlocalhost\n"
		      "::1\tlocalhost ip6-localhost ip6-loopback\n"
		      "ff02::1\tip6-allnodes\n"
		      "ff02::2\tip6-allrouters\n");
	buf_addf(buf, "127.0.0.1\t%s\n", hostname);
	for (size_t i = 0; spec->hosts && spec->hosts[i]; i++)
		buf_addf(buf, "%s\n", spec->hosts[i]);
	buf_addc(buf, '\0');
	return at;
}

static uint32_t add_ping_groups(struct buf *buf)
{
	const uint32_t at = (uint32_t)buf->len;

	buf_addf(buf, "0 %" PRIu32, userns_last_group());
	buf_addc(buf, '\0');
	return at;
}

/* The host's file for the host's network. A machine without one needs none, and a step without a
 * network keeps the image's. */
static struct err *add_resolv(struct buf *buf, const struct sandbox *sandbox,
			      const struct sandbox_spec *spec, uint32_t *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(RESOLV_CONF_MAX);

	if (spec->network == SANDBOX_NETWORK_NONE)
		return NULL;
	if (spec->network == SANDBOX_NETWORK_PRIVATE) {
		TRY(private_resolv(sandbox, &text));
	} else {
		AUTO(buf) struct buf host = BUF_INIT(RESOLV_CONF_MAX);

		TRY(read_resolv(&host));
		resolver_on_host(text_of(&host), &sandbox->wishes, &text);
	}
	TRY(buf_check(&text, RESOLV_CONF));
	if (!text.len)
		return NULL;
	*ret = (uint32_t)buf->len;
	buf_add(buf, text.at, text.len);
	buf_addc(buf, '\0');
	return NULL;
}

static struct request_span add_mounts(struct buf *buf, const struct sandbox_spec *spec)
{
	AUTO(mem)
	struct request_mount *mounts = xcalloc(spec->mount_count, sizeof(*mounts));

	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct sandbox_mount *mount = &spec->mounts[i];

		mounts[i].target = add_clean_path(buf, mount->target);
		if (mount->source)
			mounts[i].source = add_text(buf, mount->source);
	}
	return add_array(buf, mounts, spec->mount_count, sizeof(*mounts));
}

static struct request_span add_limits(struct buf *buf, const struct sandbox_spec *spec)
{
	AUTO(mem)
	struct request_limit *limits = xcalloc(spec->limit_count, sizeof(*limits));

	for (size_t i = 0; i < spec->limit_count; i++)
		limits[i] = (struct request_limit){
			.soft = spec->limits[i].soft,
			.hard = spec->limits[i].hard,
			.resource = (uint64_t)spec->limits[i].resource,
		};
	return add_array(buf, limits, spec->limit_count, sizeof(*limits));
}

/* With one id alone the step's root asks for what cannot be done there. Other users could not do it anyhow. */
static bool is_overseen(const struct sandbox_spec *spec)
{
	return userns_mode() == USERNS_SINGLE && spec->uid == 0;
}

static void add_part(struct buf *buf, struct seccomp_part part, struct request_span *span)
{
	buf_add(buf, part.at, part.len * sizeof(*part.at));
	span->count += (uint32_t)part.len;
}

static struct request_span add_filter(struct buf *buf, const struct sandbox *sandbox,
				      const struct sandbox_spec *spec)
{
	static const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct request_span span = add_array(buf, NULL, 0, sizeof(struct sock_filter));

	if (is_overseen(spec))
		add_part(buf, overseer_filter(), &span);
	if (spec->insecure && span.count)
		add_part(buf, (struct seccomp_part){ &allow, 1 }, &span);
	if (spec->insecure)
		return span;
	if (spec->network == SANDBOX_NETWORK_PRIVATE)
		add_part(buf, seccomp_no_frames(), &span);
	add_part(buf, (struct seccomp_part){ sandbox->filter.at, sandbox->filter.len }, &span);
	return span;
}

/* The user namespace that the step ends up in; -1: ours. */
static int userns_of(const struct sandbox *sandbox, const struct sandbox_spec *spec)
{
	if (spec->idmap)
		return idmap_userns(spec->idmap);
	return spec->network == SANDBOX_NETWORK_PRIVATE && !spec->insecure ? sandbox->below_fd : -1;
}

static uint32_t request_flags(const struct sandbox *sandbox, const struct sandbox_spec *spec)
{
	uint32_t flags = spec->network == SANDBOX_NETWORK_NONE ? REQUEST_NEW_NETWORK : 0;

	flags |= spec->network == SANDBOX_NETWORK_PRIVATE ? REQUEST_JOIN_NETWORK : 0;
	flags |= spec->insecure ? REQUEST_INSECURE : 0;
	flags |= spec->init ? REQUEST_INIT : 0;
	flags |= userns_mode() == USERNS_SINGLE ? REQUEST_ONE_ID : 0;
	flags |= is_overseen(spec) ? REQUEST_LISTEN : 0;
	flags |= userns_of(sandbox, spec) >= 0 ? REQUEST_USERNS : 0;
	if (spec->tty)
		return flags | REQUEST_TTY;
	return flags | (spec->stdin_fd >= 0 ? REQUEST_STDIN : 0) |
	       (spec->stdout_fd >= 0 ? REQUEST_STDOUT : 0) |
	       (spec->stderr_fd >= 0 ? REQUEST_STDERR : 0);
}

/* Who the step is to file systems while it is set up. */
static void add_ids(const struct sandbox_spec *spec, struct request *request)
{
	const struct idmap *map = spec->idmap;

	const bool alone = userns_mode() == USERNS_SINGLE;

	request->outer_uid = map ? idmap_uid(map, spec->uid) : alone ? 0 : spec->uid;
	request->outer_gid = map ? idmap_gid(map, spec->gid) : alone ? 0 : spec->gid;
	request->root_uid = map ? idmap_uid(map, 0) : 0;
	request->root_gid = map ? idmap_gid(map, 0) : 0;
	request->tty_gid = map ? idmap_gid(map, FURNITURE_TTY_GROUP) : FURNITURE_TTY_GROUP;
}

static struct err *format_request(const struct sandbox *sandbox, const struct sandbox_spec *spec,
				  const struct cgroup_entry *entry, struct buf *buf)
{
	const char *hostname = spec->hostname ? spec->hostname : DEFAULT_HOSTNAME;
	const bool bound = sandbox->security.no_new_privileges && !spec->insecure;
	struct request request = {
		.capabilities = capabilities_of(sandbox),
		.shm_size = spec->shm_size ? spec->shm_size : DEFAULT_SHM_SIZE,
		.uid = spec->uid,
		.gid = spec->gid,
		.flags = request_flags(sandbox, spec) | (bound ? REQUEST_NO_NEW_PRIVILEGES : 0),
	};

	add_ids(spec, &request);
	buf_add(buf, &request, sizeof(request)); /* its place; the offsets come below */
	request.cwd = add_clean_path(buf, spec->cwd ? spec->cwd : "/");
	request.hostname = add_text(buf, hostname);
	request.hosts = add_hosts(buf, spec, hostname);
	if (request.flags & REQUEST_NEW_NETWORK)
		request.ping_groups = add_ping_groups(buf);
	TRY(add_resolv(buf, sandbox, spec, &request.resolv));
	request.argv = add_list(buf, (const char *const *)spec->argv);
	request.envp = add_list(buf, (const char *const *)spec->envp);
	request.mounts = add_mounts(buf, spec);
	request.limits = add_limits(buf, spec);
	if (resources_asked(&sandbox->resources))
		request.cgroups = add_list(buf, entry->shown);
	request.groups = add_array(buf, spec->groups, spec->group_count, sizeof(*spec->groups));
	request.seccomp = add_filter(buf, sandbox, spec);
	TRY(buf_check(buf, "the command with its variables"));
	memcpy(buf->at, &request, sizeof(request));
	return NULL;
}

/* A variable may hold a secret. */
static void wipe(struct buf *request)
{
	if (request->at)
		explicit_bzero(request->at, request->len);
}

static struct err *write_request(const struct sandbox *sandbox, const struct sandbox_spec *spec,
				 const struct cgroup_entry *entry, int *ret_fd)
{
	AUTO(buf) struct buf buf = BUF_INIT(REQUEST_MAX);
	AUTO(fd) int fd = memfd_create("request", MFD_CLOEXEC);
	struct err *err;

	if (fd < 0)
		return err_sys("sandbox: make a memory file");
	err = format_request(sandbox, spec, entry, &buf);
	if (!err)
		err = file_write_all(fd, buf.at, buf.len, "sandbox: request");
	wipe(&buf);
	TRY(err);
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

static struct err *check_spec(struct sandbox *sandbox, const struct sandbox_spec *spec)
{
	if (!spec->argv || !spec->argv[0] || !spec->envp)
		return err_new(ERR_INVALID, "sandbox: no command");
	if (spec->mount_count > SANDBOX_MOUNTS_MAX)
		return err_new(ERR_INVALID, "sandbox: more than %d mounts", SANDBOX_MOUNTS_MAX);
	if (spec->network == SANDBOX_NETWORK_DEFAULT ||
	    (spec->network == SANDBOX_NETWORK_PRIVATE &&
	     !network_of(sandbox, spec->idmap)->network))
		return err_new(ERR_INTERNAL, "sandbox: no network was chosen");
	return NULL;
}

/* Hand the step over to the spawner. */
static struct err *hand_over(struct sandbox *sandbox, const struct sandbox_spec *spec,
			     const struct cgroup_leaf *leaf, int report_fd)
{
	struct cgroup_entry entry = { .clone_fd = -1 };
	struct request_head head = { .flags = request_flags(sandbox, spec) };
	const int stdio[] = { spec->stdin_fd, spec->stdout_fd, spec->stderr_fd };
	AUTO(fd) int file_fd = -1;
	int fds[REQUEST_FD_MAX];
	size_t count = REQUEST_FD_STDIO;

	if (leaf)
		cgroup_leaf_entry(leaf, &entry);
	head.flags |= entry.clone_fd >= 0 ? REQUEST_CGROUP : 0;
	head.cgroups = (uint32_t)entry.enter_count;
	TRY(write_request(sandbox, spec, &entry, &file_fd));
	fds[REQUEST_FD_REPORT] = report_fd;
	fds[REQUEST_FD_FILE] = file_fd;
	fds[REQUEST_FD_ROOT] = spec->root_fd;
	for (unsigned i = 0; i < ARRAY_SIZE(stdio); i++)
		if (head.flags & REQUEST_STDIN << i)
			fds[count++] = stdio[i];
	if (entry.clone_fd >= 0)
		fds[count++] = entry.clone_fd;
	if (head.flags & REQUEST_JOIN_NETWORK)
		fds[count++] = network_fd(network_of(sandbox, spec->idmap)->network);
	if (head.flags & REQUEST_USERNS)
		fds[count++] = userns_of(sandbox, spec);
	for (size_t i = 0; i < entry.enter_count; i++)
		fds[count++] = entry.enter_fds[i];
	for (size_t i = 0; i < spec->mount_count; i++)
		fds[count++] = spec->mounts[i].fd;
	return spawner_send(sandbox->spawner, &head, fds, count);
}

/* ---- as a document ---- */

/* The rules that the filter of a step is made from; none for one without. */
static struct err *find_rules(const struct sandbox *sandbox, const struct sandbox_spec *spec,
			      struct seccomp_rules *ret)
{
	const char *profile = sandbox->security.profile;
	const bool usual = !profile && !sandbox->security.unconfined;

	if (profile)
		TRY(seccomp_rules_parse(str_of(profile), "seccomp profile",
					capabilities_of(sandbox), ret));
	else if (usual)
		seccomp_rules_usual(capabilities_of(sandbox), ret);
	else
		ret->action = SCMP_ACT_ALLOW;
	seccomp_rules_spell_out(ret, usual, spec->network == SANDBOX_NETWORK_PRIVATE);
	return NULL;
}

static struct err *describe(struct sandbox *sandbox, const struct sandbox_spec *spec,
			    const struct cgroup_leaf *leaf, struct buf *request, json_t **ret)
{
	AUTO(seccomp_rules) struct seccomp_rules rules = { 0 };
	AUTO(mem) char *group = leaf ? cgroup_leaf_path(leaf) : NULL;
	struct cgroup_entry entry = { .clone_fd = -1 };

	if (leaf)
		cgroup_leaf_entry(leaf, &entry);
	TRY(format_request(sandbox, spec, &entry, request));
	TRY(find_rules(sandbox, spec, &rules));
	return runtime_spec_make(
		&(struct runtime_spec_source){ .request = buf_str(request),
					       .spec = spec,
					       .resources = leaf ? &sandbox->resources : NULL,
					       .cgroup = group,
					       .rules = spec->insecure ? NULL : &rules },
		ret);
}

struct err *sandbox_describe(struct sandbox *sandbox, const struct sandbox_spec *spec, json_t **ret)
{
	AUTO(buf) struct buf request = BUF_INIT(REQUEST_MAX);
	struct cgroup_leaf *leaf = NULL;
	struct err *err;

	TRY(check_spec(sandbox, spec));
	TRY(prepare(sandbox));
	if (sandbox->groups)
		TRY(cgroups_take(sandbox->groups, &leaf));
	err = describe(sandbox, spec, leaf, &request, ret);
	wipe(&request);
	cgroup_leaf_put(leaf);
	return err;
}

/* ---- reports ---- */

/* The next report, and the descriptor that came with it (-1: none). ERR_INTERNAL or the
 * spawner's own story when there is none any more. */
static struct err *receive(struct sandbox_run *run, struct report *ret, int *ret_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = ret, .iov_len = sizeof(*ret) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *cmsg;
	ssize_t got;

	do
		got = recvmsg(run->report_fd, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys("sandbox: receive a report");
	if (got != sizeof(*ret)) {
		run->ended = true; /* with the spawner */
		return spawner_fault(run->sandbox->spawner);
	}
	run->ended = ret->kind == REPORT_ENDED;
	cmsg = CMSG_FIRSTHDR(&msg);
	*ret_fd = -1;
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(cmsg), sizeof(int));
	return NULL;
}

static struct err *receive_tty(struct sandbox_run *run)
{
	struct report report;

	TRY(receive(run, &report, &run->tty_fd));
	if (report.kind == REPORT_FAILED)
		return report_error(&report);
	if (report.kind != REPORT_TTY || run->tty_fd < 0)
		return err_new(ERR_INTERNAL, "sandbox: the step ended before it had a terminal");
	return NULL;
}

/* It comes with the filter, when all else is done but the change of ids. */
static struct err *receive_listener(struct sandbox_run *run, const struct sandbox_spec *spec)
{
	struct report report;
	int fd;

	TRY(receive(run, &report, &fd));
	if (report.kind == REPORT_LISTENER && fd >= 0)
		return overseer_start(fd, spec->root_fd, spec->groups, spec->group_count,
				      &run->overseer);
	if (report.kind == REPORT_FAILED)
		return report_error(&report);
	return err_new(ERR_INTERNAL, "sandbox: the step ended before it had a filter");
}

struct err *sandbox_start(struct sandbox *sandbox, const struct sandbox_spec *spec,
			  struct sandbox_run **ret)
{
	AUTO(sandbox_run) struct sandbox_run *run = NULL;
	AUTO(fd) int theirs = -1;
	int pair[2];

	TRY(check_spec(sandbox, spec));
	TRY(prepare(sandbox));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys("sandbox: make a socket");
	run = xcalloc(1, sizeof(*run));
	*run = (struct sandbox_run){ .sandbox = sandbox, .report_fd = pair[0], .tty_fd = -1 };
	theirs = pair[1];
	if (sandbox->groups)
		TRY(cgroups_take(sandbox->groups, &run->leaf));
	TRY(hand_over(sandbox, spec, run->leaf, theirs));
	run->started = true;
	if (spec->tty)
		TRY(receive_tty(run));
	if (is_overseen(spec))
		TRY(receive_listener(run, spec));
	*ret = STEAL(run);
	return NULL;
}

int sandbox_run_fd(const struct sandbox_run *run)
{
	return run->report_fd;
}

int sandbox_run_tty(const struct sandbox_run *run)
{
	return run->tty_fd;
}

void sandbox_kill(struct sandbox_run *run, int signal_number)
{
	/* Nobody listens any more when the step has ended. */
	(void)!send(run->report_fd, &signal_number, sizeof(signal_number), MSG_NOSIGNAL);
}

static void take_failure(const struct report *report, struct sandbox_result *result,
			 struct err **err)
{
	if (report->stage == STAGE_EXEC) {
		result->exec_errno = report->error;
		result->exec_found = report->found;
	} else if (!*err) {
		*err = report_error(report);
	}
}

/* What the whole step used, from its control group where that tells. */
static void measure(const struct sandbox_run *run, struct sandbox_result *result)
{
	const uint64_t limit = run->sandbox->resources.memory;
	const uint64_t pids = run->sandbox->resources.pids;
	struct cgroup_usage usage = { 0 };

	if (run->leaf)
		cgroup_leaf_usage(run->leaf, &usage);
	result->memory_peak = usage.memory_peak ? usage.memory_peak : result->max_rss;
	result->cpu_us = usage.cpu_us ? usage.cpu_us : result->user_us + result->system_us;
	result->oom_kills = usage.oom_kills;
	result->memory_limit = limit == SANDBOX_NO_LIMIT ? 0 : limit;
	result->forks_refused = usage.forks_refused;
	result->pids_limit = pids == SANDBOX_NO_LIMIT ? 0 : pids ? pids : SANDBOX_PIDS;
}

struct err *sandbox_wait(struct sandbox_run *run, struct sandbox_result *ret)
{
	AUTO(err) struct err *err = NULL;
	struct sandbox_result result = { 0 };
	struct process_end end;
	struct report report;

	do {
		AUTO(fd) int fd = -1;
		struct err *gone = receive(run, &report, &fd);

		if (gone) {
			err_free(err ? gone : NULL); /* the first failure explains the end */
			return err ? STEAL(err) : gone;
		}
		if (report.kind == REPORT_FAILED)
			take_failure(&report, &result, &err);
	} while (report.kind != REPORT_ENDED);

	if (err)
		return STEAL(err);
	end = process_decode(report.status);
	result.code = end.code;
	result.signal = end.signal;
	result.wall_ns = report.wall_ns;
	result.user_us = report.user_us;
	result.system_us = report.system_us;
	result.max_rss = report.max_rss;
	measure(run, &result);
	*ret = result;
	return NULL;
}

const char *sandbox_exec_reason(const struct sandbox_result *result)
{
	if (!result->exec_errno)
		return "";
	if (result->exec_errno == ENOENT && result->exec_found)
		return "the interpreter that it names is missing";
	if (result->exec_errno == ENOEXEC)
		return "neither a program for this machine nor a script that begins with #!";
	return strerrordesc_np(result->exec_errno);
}

/* As the option takes it: "2g". */
static void format_limit(uint64_t bytes, char buf[static SANDBOX_OOM_SIZE])
{
	static const char units[] = { 'k', 'm', 'g' };
	size_t i = 0;

	while (i < ARRAY_SIZE(units) && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	snprintf(buf, SANDBOX_OOM_SIZE, "%" PRIu64 "%.*s", bytes, i ? 1 : 0,
		 i ? &units[i - 1] : "");
}

const char *sandbox_oom_text(const struct sandbox_result *result, char buf[static SANDBOX_OOM_SIZE])
{
	char limit[SANDBOX_OOM_SIZE];

	format_limit(result->memory_limit, limit);
	if (result->memory_limit)
		snprintf(buf, SANDBOX_OOM_SIZE,
			 "the kernel's OOM killer fired in this step (limit %.32s, by --memory)",
			 limit);
	else
		snprintf(buf, SANDBOX_OOM_SIZE,
			 "the kernel's OOM killer fired in this step: no memory was left for it");
	return buf;
}

const char *sandbox_pids_text(const struct sandbox_result *result,
			      char buf[static SANDBOX_OOM_SIZE])
{
	snprintf(buf, SANDBOX_OOM_SIZE,
		 "this step had as many processes as it may (%" PRIu64
		 "; --pids-limit sets another limit)",
		 result->pids_limit);
	return buf;
}

/* Kill it and hear the rest. */
static void end_run(struct sandbox_run *run)
{
	if (run->leaf)
		cgroup_leaf_kill(run->leaf);
	sandbox_kill(run, SIGKILL);
	while (!run->ended) {
		AUTO(fd) int fd = -1;
		struct report report;
		AUTO(err) struct err *err = receive(run, &report, &fd);

		if (err) /* a socket that fails will not tell of the end either */
			return;
	}
}

void sandbox_run_free(struct sandbox_run *run)
{
	if (!run)
		return;
	if (run->started && !run->ended)
		end_run(run);
	overseer_free(run->overseer);
	cgroup_leaf_put(run->leaf);
	if (run->tty_fd >= 0)
		close(run->tty_fd);
	close(run->report_fd);
	free(run);
}
