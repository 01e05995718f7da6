/*
 * cli/network.h - the options of every command that speaks to registries, and the client that
 * they make.
 *
 *	struct pull_values {
 *		struct network_values network;
 *		...
 *	};
 *	static const struct option options[] = {
 *		...
 *		NETWORK_OPTIONS(struct pull_values, network),
 *	};
 *
 * What the client has to say comes as warnings through base/log, escaped by whoever shows them.
 */
#ifndef CLI_NETWORK_H
#define CLI_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/vec.h"
#include "cli/option.h"
#include "registry/reference.h"

struct client;
struct err;

struct network_values {
	const char *creds, *authfile, *cert_dir;
	struct strings trusted_realms;
	int tls_verify; /* enum option_switch */
	bool offline;
	uint64_t retry;          /* times, plus one; 0: not said */
	const char *retry_delay; /* a duration; NULL: not said */
	uint64_t retry_max_wait; /* seconds; 0: not said */
};

#define NETWORK_RETRY_MAX 100
#define NETWORK_WAIT_MAX 86400 /* seconds that a registry may have us wait, if the user allows it */

/* clang-format off */
#define NETWORK_OPTIONS(type, field) \
	OPTION_PATH(type, field.authfile, 0, "authfile", "FILE", \
		    "read credentials from FILE instead of the usual places"), \
	OPTION_PATH(type, field.cert_dir, 0, "cert-dir", "DIR", \
		    "certificates for the registry, instead of certs.d"), \
	OPTION_TEXT(type, field.creds, 0, "creds", "USER:PASSWORD", \
		    "who to be, whatever is kept for the registry"), \
	OPTION_FLAG(type, field.offline, 0, "offline", "use no network at all"), \
	OPTION_COUNT(type, field.retry, 0, "retry", "N", NETWORK_RETRY_MAX, \
		     "how often to try again what a registry may do later (default: 5)"), \
	OPTION_TEXT(type, field.retry_delay, 0, "retry-delay", "DURATION", \
		    "the pause before each of them, such as 2s, instead of growing ones"), \
	OPTION_NUMBER(type, field.retry_max_wait, 0, "retry-max-wait", "SECONDS", 1, \
		      NETWORK_WAIT_MAX, \
		      "the longest pause that a registry may ask for (default: 120)"), \
	OPTION_SWITCH(type, field.tls_verify, 0, "tls-verify", \
		      "check certificates; =false: neither that nor https is needed"), \
	OPTION_LIST(type, field.trusted_realms, 0, "trust-realm", "HOST", \
		    "a token server that may see credentials of registries elsewhere")
/* clang-format on */

/* The client that the options describe; connects to nothing yet. ERR_USAGE says which of them is wrong. `host` ("docker.io") is whom --creds are
 * for; it and the values are borrowed for the client's life. */
struct err *network_open(const struct network_values *values, const char *host, struct client **ret)
	MUST_USE;

/* Is it "USER:PASSWORD"? If so, a warning of what others can read; NULL is nobody, and fine. */
struct err *network_check_creds(const char *creds) MUST_USE;

/* The same as somebody: `creds` ("USER:PASSWORD") instead of those of the values. */
struct err *network_open_as(const struct network_values *values, const char *host,
			    const char *creds, struct client **ret) MUST_USE;

/* ERR_USAGE for "oci:DIR" and the like, which another tool would take where cairn takes names. */
struct err *network_refuse_transport(const char *text) MUST_USE;

/* The image in a registry that a user means by "REF" or "docker://REF". ERR_USAGE if it is no
 * name, or names another transport. */
struct err *network_reference(const char *text, struct reference *ret) MUST_USE;

/* The error with the image's name in front, unless it says that already; NULL stays NULL. */
struct err *network_named(struct err *err, const char *name) MUST_USE;

/* `text` without "docker://" or "docker-image://", if it has that. */
const char *network_skip_scheme(const char *text);

#endif
