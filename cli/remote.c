/* cli/remote.c - see cli/remote.h. */

#include "cli/remote.h"

#include "base/err.h"
#include "registry/client.h"
#include "registry/download.h"

bool remote_is(const char *text)
{
	return network_skip_scheme(text) != text;
}

struct err *remote_open(const struct network_values *network, const char *text, struct remote *ret)
{
	TRY(network_reference(text, &ret->ref));
	ret->name = reference_canonical(&ret->ref);
	TRY(network_open(network, ret->ref.domain, &ret->client));
	return origin_open(ret->client, &ret->ref, &ret->origin);
}

void remote_close(struct remote *remote)
{
	origin_free(remote->origin);
	client_free(remote->client);
	free(remote->name);
}

struct err *remote_choose(const struct remote *remote, struct store *store,
			  const struct platform *platform, struct descriptor *target)
{
	AUTO(documents) struct documents documents = { 0 };

	TRY(documents_find(store, origin_sources(remote->origin), target, platform, false,
			   &documents));
	documents_warn_of_platform(store, origin_sources(remote->origin), &documents, platform);
	*target = documents.manifests.at[0];
	return NULL;
}

struct err *remote_fetch_documents(const struct remote *remote, struct store *store,
				   const struct descriptor *target, const struct platform *platform,
				   bool all)
{
	AUTO(documents) struct documents documents = { 0 };
	const struct download_from from = { .sources = origin_sources(remote->origin) };
	bool fetched;

	TRY(documents_find(store, from.sources, target, platform, all, &documents));
	vec_foreach (&documents.configs, config)
		TRY(download_blob(store, &from, config, NULL, NULL, &fetched));
	origin_note(remote->origin, store, &documents);
	return NULL;
}
