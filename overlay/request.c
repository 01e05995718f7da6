/*
 * overlay/request.c - see overlay/sandbox-private.h: what the helper is told of a step.
 *
 * A request is put together in one buffer, its head in front and what that points to behind, and goes
 * over as a memory file (overlay/request-private.h).
 */

#include "overlay/request-private.h"

#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/userns.h"
#include "overlay/cgroup-private.h"
#include "overlay/furniture-private.h"
#include "overlay/idmap.h"
#include "overlay/overseer.h"
#include "overlay/resource-private.h"
#include "overlay/sandbox-private.h"

#define DEFAULT_HOSTNAME "cairn"
#define DEFAULT_SHM_SIZE ((uint64_t)64 * 1024 * 1024)

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
	TRY(sandbox_resolv_text(sandbox, spec->network, &text));
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

bool request_is_overseen(const struct sandbox_spec *spec)
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

	if (request_is_overseen(spec))
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

int request_userns(const struct sandbox *sandbox, const struct sandbox_spec *spec)
{
	if (spec->idmap)
		return idmap_userns(spec->idmap);
	return spec->network == SANDBOX_NETWORK_PRIVATE && !spec->insecure ? sandbox->below_fd : -1;
}

uint32_t request_flags(const struct sandbox *sandbox, const struct sandbox_spec *spec)
{
	uint32_t flags = spec->network == SANDBOX_NETWORK_NONE ? REQUEST_NEW_NETWORK : 0;

	flags |= spec->network == SANDBOX_NETWORK_PRIVATE ? REQUEST_JOIN_NETWORK : 0;
	flags |= spec->insecure ? REQUEST_INSECURE : 0;
	flags |= spec->init ? REQUEST_INIT : 0;
	flags |= userns_mode() == USERNS_SINGLE ? REQUEST_ONE_ID : 0;
	flags |= request_is_overseen(spec) ? REQUEST_LISTEN : 0;
	flags |= request_userns(sandbox, spec) >= 0 ? REQUEST_USERNS : 0;
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

struct err *request_format(const struct sandbox *sandbox, const struct sandbox_spec *spec,
			   const struct cgroup_entry *entry, struct buf *buf)
{
	const char *hostname = spec->hostname ? spec->hostname : DEFAULT_HOSTNAME;
	const bool bound = sandbox->security.no_new_privileges && !spec->insecure;
	struct request request = {
		.capabilities = sandbox_capabilities(sandbox),
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

void request_wipe(struct buf *request)
{
	if (request->at)
		explicit_bzero(request->at, request->len);
}

struct err *request_write(const struct sandbox *sandbox, const struct sandbox_spec *spec,
			  const struct cgroup_entry *entry, int *ret_fd)
{
	AUTO(buf) struct buf buf = BUF_INIT(REQUEST_MAX);
	AUTO(fd) int fd = memfd_create("request", MFD_CLOEXEC);
	struct err *err;

	if (fd < 0)
		return err_sys("sandbox: make a memory file");
	err = request_format(sandbox, spec, entry, &buf);
	if (!err)
		err = file_write_all(fd, buf.at, buf.len, "sandbox: request");
	request_wipe(&buf);
	TRY(err);
	*ret_fd = STEAL_FD(fd);
	return NULL;
}
