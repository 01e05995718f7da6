/*
 * registry/http_easy.c - how libcurl is told what to send, and what it may do.
 *
 * Everything that it would read from the environment or do of its own accord is set: proxies,
 * redirects, decoding, protocols, the certificates that count.
 */

#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "registry/http-private.h"
#include "registry/url.h"

#define RECEIVE_SIZE 262144L /* bytes asked of the kernel at a time */
#define SEND_SIZE 524288L
#define SMALL_SIZE 65536L
#define EXPECT_WAIT 300L /* milliseconds: some servers and proxies never say 100 */

/* The first option that was refused is remembered; all of them are known to libcurl OLDEST. */
struct easy {
	const struct curl *curl;
	CURL *handle;
	CURLcode code;
};

static void set_number(struct easy *easy, CURLoption option, long value)
{
	if (easy->code == CURLE_OK)
		easy->code = easy->curl->easy_setopt(easy->handle, option, value);
}

static void set_size(struct easy *easy, CURLoption option, uint64_t value)
{
	if (easy->code == CURLE_OK)
		easy->code = easy->curl->easy_setopt(easy->handle, option, (curl_off_t)value);
}

static void set_pointer(struct easy *easy, CURLoption option, const void *value)
{
	if (easy->code == CURLE_OK)
		easy->code = easy->curl->easy_setopt(easy->handle, option, value);
}

#define SET_FUNCTION(easy, option, function)                                                 \
	do {                                                                                 \
		if ((easy)->code == CURLE_OK)                                                \
			(easy)->code =                                                       \
				(easy)->curl->easy_setopt((easy)->handle, option, function); \
	} while (0)

static void set_limits(struct easy *easy, const struct transfer *transfer, unsigned connect_timeout)
{
	bool is_long = transfer->bulk || transfer->size > EXPECT_MIN;

	set_number(easy, CURLOPT_NOSIGNAL, 1);
	set_number(easy, CURLOPT_NOPROGRESS, 1);
	set_number(easy, CURLOPT_FOLLOWLOCATION, 0);
	set_pointer(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	set_number(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1);
	set_number(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
	set_number(easy, CURLOPT_TCP_KEEPALIVE, 1);
	set_number(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout);
	set_number(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, EXPECT_WAIT);
	set_number(easy, CURLOPT_BUFFERSIZE, is_long ? RECEIVE_SIZE : SMALL_SIZE);
	set_number(easy, CURLOPT_UPLOAD_BUFFERSIZE, is_long ? SEND_SIZE : SMALL_SIZE);
}

static void set_version(struct easy *easy, const struct transfer *transfer)
{
	bool may_share = !transfer->bulk && transfer->url->is_https && easy->curl->has_http2;

	set_number(easy, CURLOPT_HTTP_VERSION,
		   may_share ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
	set_number(easy, CURLOPT_PIPEWAIT, may_share); /* rather share than connect again */
}

static void set_tls(struct easy *easy, const struct http_request *request)
{
	set_number(easy, CURLOPT_SSLVERSION, easy->curl->least_tls);
	set_number(easy, CURLOPT_PROXY_SSLVERSION, easy->curl->least_tls);
	set_number(easy, CURLOPT_SSL_VERIFYPEER, !request->skip_verify);
	set_number(easy, CURLOPT_SSL_VERIFYHOST, request->skip_verify ? 0 : 2);
}

/* Empty texts: neither a proxy nor an exception to it comes from the environment. */
static void set_proxy(struct easy *easy, const struct transfer *transfer)
{
	const struct proxy *proxy = &transfer->proxy;

	set_pointer(easy, CURLOPT_PROXY, proxy->url ? proxy->url : "");
	set_pointer(easy, CURLOPT_NOPROXY, "");
	set_number(easy, CURLOPT_HEADEROPT, CURLHEADER_SEPARATE);
	if (proxy->user) {
		set_pointer(easy, CURLOPT_PROXYUSERNAME, proxy->user);
		set_pointer(easy, CURLOPT_PROXYPASSWORD, proxy->password);
	}
}

static void set_callbacks(struct easy *easy, struct transfer *transfer)
{
	set_pointer(easy, CURLOPT_PRIVATE, transfer);
	set_pointer(easy, CURLOPT_ERRORBUFFER, transfer->detail);
	set_pointer(easy, CURLOPT_HEADERDATA, transfer);
	set_pointer(easy, CURLOPT_WRITEDATA, transfer);
	set_pointer(easy, CURLOPT_READDATA, transfer);
	set_pointer(easy, CURLOPT_SEEKDATA, transfer);
	set_pointer(easy, CURLOPT_PREREQDATA, transfer);
	set_pointer(easy, CURLOPT_OPENSOCKETDATA, transfer);
	SET_FUNCTION(easy, CURLOPT_HEADERFUNCTION, transfer_on_header);
	SET_FUNCTION(easy, CURLOPT_WRITEFUNCTION, transfer_on_body);
	SET_FUNCTION(easy, CURLOPT_READFUNCTION, transfer_on_content);
	SET_FUNCTION(easy, CURLOPT_SEEKFUNCTION, transfer_on_seek);
	SET_FUNCTION(easy, CURLOPT_PREREQFUNCTION, transfer_on_connected);
	SET_FUNCTION(easy, CURLOPT_OPENSOCKETFUNCTION, transfer_on_socket);
}

/* A body goes by "upload" whatever the method: libcurl then asks for it piece by piece. */
static void set_method(struct easy *easy, const struct transfer *transfer)
{
	switch (transfer->method) {
	case HTTP_GET:
		set_number(easy, CURLOPT_HTTPGET, 1);
		return;
	case HTTP_HEAD:
		set_number(easy, CURLOPT_NOBODY, 1);
		return;
	case HTTP_POST:
	case HTTP_PUT:
	case HTTP_PATCH:
		set_number(easy, CURLOPT_UPLOAD, 1);
		set_size(easy, CURLOPT_INFILESIZE_LARGE, transfer->size);
		break;
	case HTTP_DELETE:
		break;
	}
	set_pointer(easy, CURLOPT_CUSTOMREQUEST, http_method_name(transfer->method));
}

static void add_line(struct easy *easy, struct transfer *transfer, const char *line)
{
	struct curl_slist *longer = easy->curl->slist_append(transfer->lines, line);

	if (longer)
		transfer->lines = longer;
	else
		easy->code = CURLE_OUT_OF_MEMORY;
}

/* No line of ours may become two. */
static struct err *set_headers(struct easy *easy, struct transfer *transfer,
			       const struct strings *headers)
{
	const struct strings none = { 0 };

	vec_foreach (headers ? headers : &none, line) {
		for (const char *c = *line; *c; c++) {
			if ((unsigned char)*c < ' ' && *c != '\t')
				return err_new(ERR_INVALID,
					       "request to %s: a header has a control character",
					       transfer->peer);
		}
		add_line(easy, transfer, *line);
	}
	if (transfer->size <= EXPECT_MIN)
		add_line(easy, transfer, "Expect:"); /* which takes it away */
	add_line(easy, transfer, "Accept-Encoding: identity");
	set_pointer(easy, CURLOPT_USERAGENT, "cairn/" CAIRN_VERSION);
	set_pointer(easy, CURLOPT_HTTPHEADER, transfer->lines);
	return NULL;
}

struct err *transfer_prepare(struct transfer *transfer, const struct http_request *request,
			     struct trust *trust, unsigned connect_timeout)
{
	struct easy easy = { .curl = transfer->curl };

	easy.handle = transfer->easy = transfer->curl->easy_init();
	if (!easy.handle)
		return err_new(ERR_INTERNAL, "libcurl: no handle");
	set_pointer(&easy, CURLOPT_URL, transfer->url->text);
	set_limits(&easy, transfer, connect_timeout);
	set_version(&easy, transfer);
	set_tls(&easy, request);
	set_proxy(&easy, transfer);
	set_callbacks(&easy, transfer);
	set_method(&easy, transfer);
	TRY(set_headers(&easy, transfer, request->headers));
	if (easy.code != CURLE_OK)
		return err_new(ERR_INTERNAL, "libcurl: %s",
			       transfer->curl->easy_strerror(easy.code));
	return transfer->url->is_https || transfer->proxy.url ?
		       trust_apply(trust, transfer->curl, easy.handle, request) :
		       NULL;
}
