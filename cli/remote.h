/*
 * cli/remote.h - an image or repository in a registry that a command is about.
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include <stdbool.h>

#include "base/mem.h"
#include "cli/network.h"
#include "registry/origin.h"
#include "store/platform.h"

struct client;
struct err;
struct store;

struct remote {
	struct reference ref;
	char *name; /* canonical, with the digest if that was written; owned */
	struct client *client;
	struct origin *origin;
};

/* Whether `text` is written as an image in a registry: "docker://...". */
bool remote_is(const char *text);

/* "REF" or "docker://REF". Nothing is asked yet; the values are borrowed. */
struct err *remote_open(const struct network_values *network, const char *text, struct remote *ret)
	MUST_USE;
void remote_close(struct remote *remote);

/* Of what an index leads to, the image for `platform`; documents are kept in the store. */
struct err *remote_choose(const struct remote *remote, struct store *store,
			  const struct platform *platform, struct descriptor *target) MUST_USE;
/* Everything but layers into the store: what image_open() needs. */
struct err *remote_fetch_documents(const struct remote *remote, struct store *store,
				   const struct descriptor *target, const struct platform *platform,
				   bool all) MUST_USE;

static inline void remote_auto_(struct remote *remote)
{
	remote_close(remote);
}

#endif
