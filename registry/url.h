/*
 * registry/url.h - URLs: taken apart as the transport will, and judged before they are followed.
 *
 * Everything here reads URLs by libcurl's parser, which is the one that connects: two
 * parsers that differ are how filters are walked around. Only http and https exist;
 * credentials, control characters, blanks, bytes above ASCII and IPv6 zones are refused. What
 * stands in path and query is never decoded or encoded again: signed URLs and upload states
 * do not survive that.
 */
#ifndef REGISTRY_URL_H
#define REGISTRY_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct err;

#define URL_MAX 65536 /* bytes */

struct url {
	char *text;    /* the whole, without a fragment */
	char *host;    /* lower case; IPv4 with dots whatever it was; IPv6 without brackets */
	uint16_t port; /* the scheme's own if none was written */
	bool is_https;
};

/* Read an absolute URL. ERR_INVALID; the text in the message is redacted. */
struct err *url_parse(const char *text, struct url **ret) MUST_USE;
/* What `reference` means in a response from `base`: an absolute URL, "//host/path", "/path",
 * "?query", "name", and also "host/path" without a scheme, which registries send: the first
 * segment is a host if it has a dot or a port, or is "localhost". */
struct err *url_resolve(const struct url *base, const char *reference, struct url **ret) MUST_USE;
void url_free(struct url *url);
DEFINE_AUTO(url)

/* Same scheme, host and port (RFC 6454). */
bool url_same_origin(const struct url *a, const struct url *b);
/* "host:port", the port only if it is not the scheme's own, IPv6 in brackets. Owned. */
char *url_authority(const struct url *url) MUST_USE;

/* "localhost" or an address of 127.0.0.0/8 or ::1: nobody else can be there. */
bool url_is_loopback(const struct url *url);
/* Loopback in a wider sense ("x.localhost", "localhost."), or a literal address that is private,
 * shared, link-local (metadata services are), multicast, unspecified or otherwise not of the
 * public Internet (registry/address.h). Names are not resolved. */
bool url_is_private(const struct url *url);

/* For messages, and for any text: no userinfo, no values in the query, no fragment. Owned. */
char *url_redacted(const char *text) MUST_USE;
/* Any text, with no userinfo in what of it are http and https URLs. Owned. */
char *url_without_logins(const char *text) MUST_USE;
/* Percent-decoded; what is no "%" and two hex digits stands for itself. NULL if a NUL would be in
 * it. Owned. */
char *url_decoded(struct str text) MUST_USE;
/* `text` with "?parameter" or "&parameter" behind it, all else byte for byte; without its
 * fragment. Owned. */
char *url_with_parameter(const char *text, const char *parameter) MUST_USE;

#endif
