/*
 * registry/proxy.h - which proxy a request goes through, as programs written in Go choose it.
 *
 * People write these variables for their container tools, which are written in
 * Go; libcurl reads some of them otherwise, so we choose and tell it the result.
 *
 *  - https: HTTPS_PROXY, else https_proxy. http: HTTP_PROXY, else http_proxy. An
 *    empty variable is an unset one. ALL_PROXY is not read.
 *  - The value is a URL (http, https, socks5, socks5h) or "host[:port]", which is http.
 *  - With REQUEST_METHOD set we are a CGI program, and HTTP_PROXY is what a client sent in a
 *    header "Proxy": a request by http is refused then.
 *  - "localhost" and loopback addresses never go through a proxy.
 *  - NO_PROXY, else no_proxy: a list separated by commas, blanks around entries ignored:
 *
 *	*                      everything
 *	10.0.0.0/8             addresses in the range; names are not looked up
 *	1.2.3.4  [::1]:80      that address; with a port, only at that port
 *	example.com  :443      that name and all below it
 *	.example.com           what is below it, but not itself; also "*.example.com"
 *
 *    What is none of these is ignored. Names outside of ASCII are not converted.
 */
#ifndef REGISTRY_PROXY_H
#define REGISTRY_PROXY_H

#include "base/mem.h"

struct config_paths;
struct err;

struct proxy {
	char *url; /* "http://host:port" without user and password, fit for messages; NULL: none */
	char *user,
		*password; /* percent-decoded; NULL if the variable has none. `password` is "" if
				  there is a user alone */
};

/* The proxy for a request. `host` is a name or an address, an IPv6 one with or without brackets;
 * `port` is a number, as text or NULL for the scheme's own. ERR_INVALID names the variable and does
 * not show its value. A socks5 URL comes back as socks5h, since the proxy is to look names up. */
struct err *proxy_find(const struct config_paths *paths, const char *scheme, const char *host,
		       const char *port, struct proxy *ret) MUST_USE;
void proxy_release(struct proxy *proxy); /* wipes the password */

static inline void proxy_auto_(struct proxy *proxy)
{
	proxy_release(proxy);
}

#endif
