/* registry/host.c - what is known of a host. See registry/client-private.h. */

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "registry/client-private.h"

void host_want_release(struct host_want *want)
{
	free(want->realm);
	free(want->service);
	*want = (struct host_want){ 0 };
}

struct host *host_of(struct client *client, const char *authority)
{
	struct host *host;

	pthread_mutex_lock(&client->lock);
	host = map_get(&client->hosts, str_of(authority));
	if (!host) {
		host = xcalloc(1, sizeof(*host));
		pthread_mutex_init(&host->lock, NULL);
		map_put(&client->hosts, str_of(authority), host);
	}
	pthread_mutex_unlock(&client->lock);
	return host;
}

void host_free(void *value)
{
	struct host *host = value;

	host_want_release(&host->want);
	certs_release(&host->certs);
	pthread_mutex_destroy(&host->lock);
	free(host);
}

void host_get_want(struct host *host, struct host_want *ret)
{
	pthread_mutex_lock(&host->lock);
	*ret = (struct host_want){
		.auth = host->want.auth,
		.realm = xstrdup(host->want.realm),
		.service = xstrdup(host->want.service),
	};
	pthread_mutex_unlock(&host->lock);
}

void host_set_want(struct host *host, enum host_auth auth, const char *realm, const char *service)
{
	struct host_want want = { auth, xstrdup(realm), xstrdup(service) };
	struct host_want old;

	pthread_mutex_lock(&host->lock);
	old = host->want;
	host->want = want;
	pthread_mutex_unlock(&host->lock);
	host_want_release(&old);
}

enum address_reach host_nearest(struct host *host, const struct url *home)
{
	bool is_inside;

	pthread_mutex_lock(&host->lock);
	is_inside = host->is_inside;
	pthread_mutex_unlock(&host->lock);
	return is_inside || url_is_private(home) ? ADDRESS_NEAR : ADDRESS_PRIVATE;
}

struct err *host_certs(struct client *client, struct host *host, const struct place *place,
		       const char *authority, const struct certs **ret)
{
	const char *cert_dir = place ? client->opts.cert_dir : NULL;
	struct err *err = NULL;

	if (place && place->has_certs && !cert_dir) {
		*ret = &place->certs;
		return NULL;
	}
	pthread_mutex_lock(&host->lock);
	if (!host->certs_read) {
		err = certs_find(client->opts.paths, cert_dir, place ? place->host : authority,
				 &host->certs);
		host->certs_read = !err;
	}
	pthread_mutex_unlock(&host->lock);
	*ret = &host->certs;
	return err;
}
