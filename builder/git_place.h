/*
 * builder/git_place.h - on which machines a repository is, and where it may lead git.
 *
 * Who names a repository says where git goes. What then comes from its server does not: submodules and
 * redirects are judged by the addresses that their hosts have, as a registry's redirects are
 * (registry/address.h).
 *
 *	- The host that was named, by the same scheme and port, may always be asked.
 *	- A repository that is at "localhost" or a written address of this machine or its link may
 *	  lead anywhere. Another name does not count: who owns it may change what it means.
 *	- No other leads to this machine, its link or a cloud's metadata service, by whatever name:
 *	  if a name has several addresses each of them counts.
 *	- One on the Internet leads to no address of this network that is written as such; names of
 *	  this network are allowed.
 *
 * By http and https git then connects to the addresses that were judged (git 2.37 or newer), so that a name that
 * changes its meaning gains nothing. Names that only a proxy or ssh knows are theirs to look up.
 */
#ifndef BUILDER_GIT_PLACE_H
#define BUILDER_GIT_PLACE_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/vec.h"
#include "registry/address.h"

struct err;
struct git_url;

struct git_place {
	bool is_known;                        /* it has addresses */
	bool is_literal;                      /* its host is written as one */
	enum address_reach nearest, farthest; /* of its addresses */
	struct strings addresses;
};

/* Look up the host of a URL: a name without an address is not known then. */
void git_place_find(const struct git_url *url, struct git_place *ret);
void git_place_release(struct git_place *place);

static inline void git_place_auto_(struct git_place *place)
{
	git_place_release(place);
}

/* Whether what is at `top`, where somebody named it, may lead to `url`. ERR_INVALID if not; ERR_NETWORK
 * for a name that cannot be judged. */
struct err *git_place_check(const struct git_url *top, const struct git_place *top_place,
			    const struct git_url *url, const struct git_place *place) MUST_USE;

/* "HOST:PORT:ADDRESS,..." of an http or https URL, as curl takes it; NULL if there is nothing to
 * hold git to. Owned. */
char *git_place_pin(const struct git_url *url, const struct git_place *place) MUST_USE;

#endif
