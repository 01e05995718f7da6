/* builder/hosts.c - see builder/hosts.h. */

#include "builder/hosts.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

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

static bool is_address(const char *text)
{
	unsigned char address[16];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

struct err *hosts_add(struct strings *hosts, const char *text)
{
	const size_t name_len = strcspn(text, ":=");
	struct str rest = str_of(text + name_len + (text[name_len] != '\0'));
	AUTO(mem) char *address = NULL;

	if (str_starts(rest, "[") && str_ends(rest, "]"))
		rest = (struct str){ rest.at + 1, rest.len - 2 };
	address = str_is(rest, GATEWAY) ? xstrdup(THIS_MACHINE) : str_dup(rest);
	if (!is_name((struct str){ text, name_len }))
		return err_new(ERR_INVALID, "'%.80s' does not begin with a name", text);
	if (!is_address(address))
		return err_new(ERR_INVALID, "'%.80s' is no address, in '%.80s'", address, text);
	vec_push(hosts, xasprintf("%s\t%.*s", address, (int)name_len, text));
	return NULL;
}
