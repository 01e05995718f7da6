/* cli/trials.c - see cli/trials.h. */

#include "cli/trials.h"

#include <string.h>

#include "base/err.h"
#include "base/userns.h"
#include "base/vec.h"
#include "builder/step_userns.h"
#include "overlay/idmap.h"
#include "overlay/sandbox.h"
#include "registry/certs.h"
#include "registry/http.h"

#define PUBLISHING "pasta" /* what carries ports, too */

struct err *trial_network(int cache_fd, char **ret)
{
	AUTO(sandbox) struct sandbox *sandbox = sandbox_new(cache_fd);
	enum sandbox_network network;
	const char *reason, *carrier;
	struct err *err =
		sandbox_choose_network(sandbox, NULL, SANDBOX_NETWORK_PRIVATE, &network, &reason);

	if (err_kind(err) == ERR_UNSUPPORTED)
		return err_note(
			err,
			"Until then RUN steps use the network of this machine, and 'run -p' does "
			"not work.");
	TRY(err);
	carrier = sandbox_network_carrier(sandbox, NULL);
	*ret = xasprintf("private, by %s%s", carrier,
			 strcmp(carrier, PUBLISHING) == 0 ? "" : "; 'run -p' needs " PUBLISHING);
	return NULL;
}

struct err *trial_userns(struct store *store, char **ret)
{
	AUTO(idmap) struct idmap *idmap = NULL;

	if (!idmap_is_useful()) {
		*ret = xstrdup("steps are in the user namespace that we are in");
		return NULL;
	}
	TRY(err_wrap(step_userns_open(STEP_USERNS_PRIVATE, NULL, true, store, &idmap),
		     "steps are root of this machine"));
	*ret = xasprintf("root of a step is user %u of this machine, over idmapped layers",
			 (unsigned)idmap_uid(idmap, 0));
	return NULL;
}

struct err *trial_transfers(char **ret)
{
	AUTO(strings) struct strings trusted = { 0 };
	AUTO(mem) char *library = NULL;

	TRY(http_library(&library));
	TRY(certs_trusted(NULL, &trusted));
	if (!trusted.len)
		return err_note(
			err_new(ERR_NOT_FOUND, "%s, but no certificates are trusted", library),
			"Install ca-certificates.");
	*ret = STEAL(library);
	return NULL;
}
