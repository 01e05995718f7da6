/*
 * registry/http.h - one exchange over the network: a request goes out, a response comes back.
 *
 * No retries, no redirects, no credentials and no opinion about statuses: that
 * is registry/client.h. What is here is the shape of requests and responses, and
 * `struct transport`, by which they travel: http_transport_new() makes the real one,
 * libcurl loops on threads of their own, and a test may give another.
 *
 * libcurl is loaded when the first request is made, never before. A call blocks
 * until the head of the response is here; the body is then read as a source, at
 * the reader's pace: a bounded buffer lies between, and a reader that stops
 * stops the sender. Bodies of requests are memory, a range of a file, or a feed that
 * another thread fills.
 *
 * Certificates are always checked unless the request says otherwise; at least
 * TLS 1.2; protocols other than http and https do not exist here. Bytes are
 * never decoded (no Accept-Encoding). Blobs travel by HTTP/1.1 on connections of
 * their own (`bulk`), because streams of one HTTP/2 connection share a window;
 * small requests may share an HTTP/2 connection.
 */
#ifndef REGISTRY_HTTP_H
#define REGISTRY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/stream.h"
#include "base/vec.h"
#include "registry/address.h"

struct certs;
struct config_paths;
struct err;

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

const char *http_method_name(enum http_method method); /* "GET" */

/* What requests travel by, "libcurl 7.88.1, OpenSSL/3.0.17, HTTP/2"; owned. ERR_UNSUPPORTED with a remedy if there
 * is none. */
struct err *http_library(char **ret) MUST_USE;

struct http_feed;

/* What a request carries; all zero is nothing. One of the three. */
struct http_content {
	struct str bytes; /* borrowed */
	int fd;           /* borrowed; read by pread(2), used if `from_fd` */
	bool from_fd;
	uint64_t offset;        /* of the first byte in `fd` */
	struct http_feed *feed; /* borrowed */
	uint64_t size;          /* of what comes from `fd` or `feed` */
	/* Told how many more bytes of `fd` or `feed` were taken, on the transport's thread; may be NULL. */
	void (*taken)(void *taken_self, size_t n);
	void *taken_self;
};

struct http_request {
	enum http_method method;
	const char *url; /* absolute, http or https */
	const struct strings
		*headers; /* "Name: value"; may be NULL. Sent to nobody but the URL's host */
	struct http_content content;
	const struct certs *certs; /* NULL: the system's roots alone */
	bool skip_verify;          /* do not check the certificate */
	/* The nearest that the host may be, whatever its name leads to: ERR_INVALID if it is nearer.
	 * A proxy connects as it likes. */
	enum address_reach nearest;
	bool bulk; /* the body is long */
};

enum http_trouble {
	HTTP_FINE,
	HTTP_NO_HOST, /* the name is not known, nothing listens there */
	HTTP_CLOSED,  /* the connection was closed in the TLS handshake */
	HTTP_NO_TLS,  /* the certificate or the handshake is refused: the same again is no use */
	HTTP_NOT_TLS, /* what answers does not speak TLS at all */
	HTTP_BROKEN,  /* the connection broke, stalled or timed out */
	HTTP_PROXY,   /* the proxy refused */
};

/* Fields are the receiver's to free by http_response_free(). */
struct http_response {
	int status;
	struct strings headers; /* "Name: value" as received, unfolded, in order */
	struct source
		*body;  /* owned; ends with ERR_NETWORK if the connection broke before its end */
	bool reused;    /* by a connection that had served before */
	bool is_inside; /* it comes, without a proxy, from an address that is not public */
	char *url;      /* owned; whence it came, after redirects; NULL from a transport */
};

/* An unread body breaks the connection. What the request borrowed is needed until here. */
void http_response_free(struct http_response *response);
DEFINE_AUTO(http_response)

/* The value of the header's first line, or NULL; borrowed. Names are compared without case. */
const char *http_header(const struct http_response *response, const char *name);
/* The next line of that name behind number `*at` (start at 0), or NULL. */
const char *http_header_next(const struct http_response *response, const char *name, size_t *at);
/* "text/html; charset=x" -> "text/html" in lower case; "" if there is none. Owned. */
char *http_media_type(const struct http_response *response) MUST_USE;

struct transport_ops {
	/* Send one request; callable from any thread, on several at once. On failure ERR_NETWORK
	 * and `*ret_trouble` says what kind; ERR_CANCELLED when the process was told to stop. URLs
	 * in texts are redacted (registry/url.h). */
	struct err *(*send)(void *self, const struct http_request *request,
			    struct http_response **ret, enum http_trouble *ret_trouble);
	void (*free)(void *self);
};

struct transport {
	const struct transport_ops *ops;
	void *self;
};

/* Times in milliseconds; 0 takes the default. */
struct http_opts {
	unsigned connect_timeout; /* 15 s */
	unsigned
		stall_timeout; /* no byte in either direction: 30 s; slower than 1 KiB/s likewise */
	unsigned per_host;     /* connections to one host at a time: 8, and as many for `bulk` */
	const struct config_paths
		*paths; /* proxies and trusted certificates; NULL: this machine's */
};

/* The real one. Cheap: nothing is loaded, no thread runs before the first request. */
struct transport http_transport_new(const struct http_opts *opts) MUST_USE;
void transport_free(struct transport *transport);

/* ---- a body that is made while it is sent ---- */

/* A bounded pipe into a request: one thread writes the sink, the transport takes. If the request
 * ends first the sink fails with ERR_CANCELLED. */
struct http_feed *http_feed_new(void) MUST_USE;
struct sink *http_feed_sink(struct http_feed *feed); /* borrowed; finish it to end the body */
/* The writer has failed: the request ends with an error instead of a short body. */
void http_feed_break(struct http_feed *feed);
void http_feed_free(struct http_feed *feed); /* after the request has ended */
DEFINE_AUTO(http_feed)

#endif
