/* builder/hosts.c - see builder/hosts.h. */

#include "builder/hosts.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "overlay/network.h"
#include "overlay/resolver.h"

#define GATEWAY "host-gateway"
#define THIS_MACHINE "127.0.0.1"

static bool is_name(struct str name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._";

	for (size_t i = 0; i < name.len; i++)
		if (!strchr(allowed, name.at[i]))
			return false;
	return name.len > 0 && name.len <= 253;
}

/* On the machine's own network its loopback; from another one an address that leads to it. */
static struct err *gateway(enum sandbox_network network, char **ret)
{
	char address[NETWORK_ADDRESS_SIZE] = THIS_MACHINE;

	if (network == SANDBOX_NETWORK_PRIVATE || network == SANDBOX_NETWORK_DEFAULT)
		TRY(err_wrap(network_host_address(address), GATEWAY));
	*ret = xstrdup(address);
	return NULL;
}

struct err *hosts_add(struct strings *hosts, const char *text, enum sandbox_network network)
{
	const size_t name_len = strcspn(text, ":=");
	struct str rest = str_of(text + name_len + (text[name_len] != '\0'));
	AUTO(mem) char *address = NULL;

	if (str_starts(rest, "[") && str_ends(rest, "]"))
		rest = (struct str){ rest.at + 1, rest.len - 2 };
	if (str_is(rest, GATEWAY))
		TRY(gateway(network, &address));
	else
		address = str_dup(rest);
	if (!is_name((struct str){ text, name_len }))
		return err_new(ERR_INVALID, "'%.80s' does not begin with a name", text);
	if (!resolver_is_address(address))
		return err_new(ERR_INVALID, "'%.80s' is no address, in '%.80s'", address, text);
	vec_push(hosts, xasprintf("%s\t%.*s", address, (int)name_len, text));
	return NULL;
}
