/*
 * tests/fuzz/fuzz_proxy.c - the URL of a proxy is plain: a known scheme, printable, no user, and read
 * again it is the same; NO_PROXY only ever takes a proxy away.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "registry/config_paths.h"
#include "registry/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct err *find(char *value, char *no_proxy, const char *host, struct proxy *ret)
{
	char *environment[] = { value, no_proxy, NULL };
	struct config_paths paths = { .root = "", .environment = environment };

	return proxy_find(&paths, "https", host, NULL, ret);
}

static void must_be_plain(const char *url)
{
	AUTO(mem) char *again = xasprintf("https_proxy=%s", url);
	AUTO(proxy) struct proxy proxy = { 0 };
	AUTO(err) struct err *err = find(again, NULL, "example.com", &proxy);

	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0 &&
	    strncmp(url, "socks5h://", 10) != 0)
		abort();
	for (const char *at = url; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '@')
			abort();
	if (err || strcmp(proxy.url, url) != 0 || proxy.user)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Three lines: the variable, NO_PROXY, the host. */
	struct str rest = { (const char *)data, size };
	struct str value = str_cut(&rest, '\n');
	struct str list = str_cut(&rest, '\n');
	AUTO(mem) char *variable = xasprintf("HTTPS_PROXY=%.*s", STR_ARG(value));
	AUTO(mem) char *no_proxy = xasprintf("NO_PROXY=%.*s", STR_ARG(list));
	AUTO(mem) char *host = str_dup(rest);
	AUTO(proxy) struct proxy with = { 0 };
	AUTO(proxy) struct proxy without = { 0 };
	AUTO(err) struct err *err = find(variable, no_proxy, host, &with);
	AUTO(err) struct err *plain = find(variable, NULL, host, &without);

	/* NO_PROXY takes a proxy away or its error, and adds none. */
	if (with.url && (!without.url || strcmp(with.url, without.url) != 0))
		abort();
	if (err && !plain)
		abort();
	if ((err && with.url) || (plain && without.url))
		abort();
	if (without.url)
		must_be_plain(without.url);
	return 0;
}
