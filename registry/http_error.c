/*
 * registry/http_error.c - what libcurl says, for people and for who decides about trying again.
 *
 * Every text begins with whom we talked to, and never holds more of the URL.
 */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "registry/http-private.h"
#include "registry/url.h"

/* Those whose own text is better than libcurl's; NULL takes what it wrote about this one. */
struct meaning {
	CURLcode code;
	enum http_trouble trouble;
	const char *text;
};

static const struct meaning meanings[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, HTTP_NO_HOST, "the name is not known" },
	{ CURLE_COULDNT_RESOLVE_PROXY, HTTP_PROXY, "the name of the proxy is not known" },
	{ CURLE_PROXY, HTTP_PROXY, NULL },
	{ CURLE_SSL_CERTPROBLEM, HTTP_NO_TLS, NULL },
	{ CURLE_SSL_CIPHER, HTTP_NO_TLS, NULL },
	{ CURLE_SSL_CACERT_BADFILE, HTTP_NO_TLS, NULL },
	{ CURLE_SSL_ISSUER_ERROR, HTTP_NO_TLS, NULL },
	{ CURLE_SSL_ENGINE_INITFAILED, HTTP_NO_TLS, NULL },
	{ CURLE_UNSUPPORTED_PROTOCOL, HTTP_BROKEN, "the answer is not HTTP" },
	{ CURLE_WEIRD_SERVER_REPLY, HTTP_BROKEN, "the answer is not HTTP" },
	{ CURLE_GOT_NOTHING, HTTP_BROKEN, "the connection was closed without an answer" },
	{ CURLE_PARTIAL_FILE, HTTP_BROKEN, "the connection was closed before the end" },
	{ CURLE_SEND_FAIL_REWIND, HTTP_BROKEN, "the connection broke, and what was sent is gone" },
	{ CURLE_OUT_OF_MEMORY, HTTP_BROKEN, "the head of the response is too long" },
	{ CURLE_OK, HTTP_BROKEN, "the connection was closed without an answer" },
};

/* What libcurl wrote about this failure, else what it writes about all of its kind. */
static struct str said(const struct transfer *transfer, CURLcode code)
{
	struct str text = str_trim(str_of(transfer->detail));
	const char *colons;

	if (text.len == 0)
		text = str_of(transfer->curl->easy_strerror(code));
	/* "error:0A000086:SSL routines::certificate verify failed" */
	colons = str_starts(text, "error:") ? strstr(text.at, "::") : NULL;
	return colons ? str_of(colons + 2) : text;
}

static bool says(const struct transfer *transfer, const char *text)
{
	return strstr(transfer->detail, text);
}

static struct err *untrusted(const struct transfer *transfer, struct str detail)
{
	static const char prefix[] = "SSL certificate problem: ";
	struct err *err;

	if (str_starts(detail, prefix))
		detail = (struct str){ detail.at + sizeof(prefix) - 1,
				       detail.len - (sizeof(prefix) - 1) };
	else if (str_starts(detail, "SSL: "))
		detail = (struct str){ detail.at + 5, detail.len - 5 };
	err = err_new(ERR_NETWORK, "%s: the certificate is not trusted: %.*s", transfer->peer,
		      STR_ARG(detail));
	return err_note(err,
			"If you know better, put the certificate of its authority into "
			"/etc/containers/certs.d/%s/ca.crt, or use --tls-verify=false.",
			transfer->peer);
}

/* The handshake failed: by an end, by what is no TLS at all, or for good. */
static struct err *no_handshake(const struct transfer *transfer, struct str detail, long number,
				enum http_trouble *ret_trouble)
{
	*ret_trouble = HTTP_NO_TLS;
	if (number == ECONNRESET || number == EPIPE || says(transfer, "SSL_ERROR_SYSCALL") ||
	    says(transfer, "Connection reset") || says(transfer, "unexpected eof")) {
		*ret_trouble = HTTP_CLOSED;
		return err_new(ERR_NETWORK, "%s: the connection broke in the TLS handshake",
			       transfer->peer);
	}
	if (says(transfer, "wrong version number") || says(transfer, "packet length too long") ||
	    says(transfer, "http request")) {
		*ret_trouble = HTTP_NOT_TLS;
		return err_note(err_new(ERR_NETWORK, "%s: what answers there does not speak TLS",
					transfer->peer),
				"If it is meant to speak plain http, use --tls-verify=false.");
	}
	return err_new(ERR_NETWORK, "%s: no TLS connection: %.*s", transfer->peer, STR_ARG(detail));
}

static struct err *no_connection(const struct transfer *transfer, long number,
				 enum http_trouble *ret_trouble)
{
	const struct proxy *proxy = &transfer->proxy;
	AUTO(mem) char *reason = xstrdup(number ? strerror((int)number) : "no connection");

	if (*reason >= 'A' && *reason <= 'Z')
		*reason = (char)(*reason - 'A' + 'a');
	*ret_trouble = proxy->url ? HTTP_PROXY : HTTP_NO_HOST;
	if (proxy->url)
		return err_new(ERR_NETWORK, "%s: proxy %s: %s", transfer->peer, proxy->url, reason);
	return err_new(ERR_NETWORK, "%s: %s", transfer->peer, reason);
}

/* libcurl's texts about a lost connection are about its own functions. */
static struct err *broken(const struct transfer *transfer, CURLcode code, struct str detail,
			  long number, enum http_trouble *ret_trouble)
{
	*ret_trouble = HTTP_BROKEN;
	if (says(transfer, "alert")) { /* the server refuses us, after the handshake */
		const char *what = strstr(detail.at, "alert");

		*ret_trouble = HTTP_NO_TLS;
		return err_new(ERR_NETWORK, "%s: the server refused the TLS connection: %.*s",
			       transfer->peer, (int)strcspn(what, ","), what);
	}
	if (number == ECONNRESET || says(transfer, "reset"))
		return err_new(ERR_NETWORK, "%s: the connection was reset", transfer->peer);
	if (code == CURLE_SEND_ERROR)
		return err_new(ERR_NETWORK, "%s: the connection broke while sending",
			       transfer->peer);
	return err_new(ERR_NETWORK, "%s: the connection broke: %.*s", transfer->peer,
		       STR_ARG(detail));
}

static struct err *by_table(const struct transfer *transfer, CURLcode code, struct str detail,
			    enum http_trouble *ret_trouble)
{
	*ret_trouble = HTTP_BROKEN;
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		if (meanings[i].code != code)
			continue;
		*ret_trouble = meanings[i].trouble;
		if (meanings[i].text)
			return err_new(ERR_NETWORK, "%s: %s", transfer->peer, meanings[i].text);
		break;
	}
	return err_new(ERR_NETWORK, "%s: %.*s", transfer->peer, STR_ARG(detail));
}

/* libcurl names the file, and no more. */
static struct err *no_certificates(const struct transfer *transfer, struct str detail,
				   enum http_trouble *ret_trouble)
{
	return err_note(by_table(transfer, CURLE_SSL_CACERT_BADFILE, detail, ret_trouble),
			"a file of certificates to trust holds at least one, in PEM: -----BEGIN "
			"CERTIFICATE-----");
}

struct err *http_explain(struct transfer *transfer, CURLcode code, enum http_trouble *ret_trouble)
{
	struct str detail = said(transfer, code);
	long number = 0;
	long tunnel = 0;

	transfer->curl->easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
	transfer->curl->easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
	if (tunnel / 100 > 2) {
		*ret_trouble = HTTP_PROXY;
		return err_new(ERR_NETWORK, "%s: the proxy %s refused: status %ld", transfer->peer,
			       transfer->proxy.url, tunnel);
	}
	if (transfer->is_led_astray &&
	    (code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK)) {
		*ret_trouble = HTTP_BROKEN;
		return err_new(ERR_INVALID, "%s: its address is inside this network",
			       transfer->peer);
	}
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return no_connection(transfer, number, ret_trouble);
	case CURLE_OPERATION_TIMEDOUT:
		*ret_trouble = HTTP_BROKEN;
		return err_new(ERR_NETWORK, "%s: no connection in time", transfer->peer);
	case CURLE_PEER_FAILED_VERIFICATION:
		*ret_trouble = HTTP_NO_TLS;
		return untrusted(transfer, detail);
	case CURLE_SSL_CACERT_BADFILE:
		return no_certificates(transfer, detail, ret_trouble);
	case CURLE_SSL_CONNECT_ERROR:
		return no_handshake(transfer, detail, number, ret_trouble);
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return broken(transfer, code, detail, number, ret_trouble);
	default:
		return by_table(transfer, code, detail, ret_trouble);
	}
}
