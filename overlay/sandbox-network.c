/* overlay/sandbox-network.c - see overlay/sandbox.h: the private networks of a sandbox, and their resolv.conf. */

#include "overlay/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/userns.h"
#include "overlay/idmap.h"
#include "overlay/network-private.h"
#include "overlay/network.h"
#include "overlay/sandbox-private.h"
#include "overlay/spawner-private.h"

const char *const sandbox_network_names[] = {
	[SANDBOX_NETWORK_HOST] = "host",
	[SANDBOX_NETWORK_NONE] = "none",
	[SANDBOX_NETWORK_PRIVATE] = "private",
	[SANDBOX_NETWORK_DEFAULT] = "default",
	NULL,
};

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

struct err *sandbox_resolv_text(const struct sandbox *sandbox, enum sandbox_network network,
				struct buf *ret)
{
	AUTO(buf) struct buf host = BUF_INIT(RESOLV_CONF_MAX);

	if (network == SANDBOX_NETWORK_PRIVATE)
		return private_resolv(sandbox, ret);
	TRY(read_resolv(&host));
	resolver_on_host(text_of(&host), &sandbox->wishes, ret);
	return NULL;
}

struct private_network *sandbox_network_of(struct sandbox *sandbox, const struct idmap *idmap)
{
	return &sandbox->owned[idmap ? 1 : 0];
}

static bool gives(const struct sandbox *sandbox, unsigned capability)
{
	return sandbox_capabilities(sandbox) >> capability & 1;
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
	TRY(sandbox_prepare(sandbox));
	opts.spawner_pidfd = spawner_pidfd(sandbox->spawner);
	opts.ports = sandbox->ports;
	opts.port_count = sandbox->port_count;
	TRY(place_network(sandbox, idmap, &opts));
	return network_start(&opts, &sandbox_network_of(sandbox, idmap)->network);
}

/* With the network's lock held. What failed once is not tried again, unless it was stopped. */
static struct err *find_network(struct sandbox *sandbox, const struct idmap *idmap)
{
	struct private_network *found = sandbox_network_of(sandbox, idmap);

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
	const struct private_network *found = sandbox_network_of(sandbox, idmap);
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
	const struct private_network *found = sandbox_network_of(sandbox, idmap);
	const char *name;

	pthread_mutex_lock(&sandbox->network_lock);
	name = found->network ? network_tool_name(found->network) : NULL;
	pthread_mutex_unlock(&sandbox->network_lock);
	return name;
}
