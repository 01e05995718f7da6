/*
 * registry/curl.c - see registry/curl-private.h.
 *
 * base/digest.c starts libcrypto without its configuration, which is about TLS: the
 * system's policy (least version, ciphers, providers) stands there. libcrypto asks for
 * it only once, so whoever comes later has to load it by hand, before the first
 * context of TLS is made.
 */

#include "registry/curl-private.h"

#include <dlfcn.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "registry/http.h"

#define LIBRARY "libcurl.so.4"
#define OLDEST 0x075500 /* 7.85.0: CURLOPT_PROTOCOLS_STR */
#define REMEDY "Images come over the network by libcurl. Install libcurl4 (7.85 or newer)."

/* Written once, by load(); read by everyone after it. */
static struct curl table;
static enum { LOADED, MISSING, TOO_OLD, NO_TLS, NOT_STARTED } outcome;

/* As libcrypto itself would have done it: what is missing or wrong in the file is no error. */
static void load_tls_policy(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	CONF_modules_load_file(NULL, NULL,
			       CONF_MFLAGS_DEFAULT_SECTION | CONF_MFLAGS_IGNORE_MISSING_FILE |
				       CONF_MFLAGS_IGNORE_RETURN_CODES);
}

/* `slot` is a function pointer; false if the library has no such function. */
static bool find(void *library, const char *name, void *slot)
{
	void *symbol = dlsym(library, name);

	memcpy(slot, &symbol, sizeof(symbol));
	return symbol;
}

/* TLS 1.2, unless the system's policy wants 1.3: libcurl would overrule it by what it is told.
 * libssl is not linked; it has come with libcurl. */
static long least_tls(void *library)
{
	const int get_min_version = 130; /* SSL_CTRL_GET_MIN_PROTO_VERSION */
	const long tls_1_3 = 0x0304;
	const void *(*method)(void);
	void *(*make)(const void *method);
	long (*control)(void *context, int command, long number, void *pointer);
	void (*drop)(void *context);
	long least = 0;
	void *context;

	if (!find(library, "TLS_client_method", &method) || !find(library, "SSL_CTX_new", &make) ||
	    !find(library, "SSL_CTX_ctrl", &control) || !find(library, "SSL_CTX_free", &drop))
		return CURL_SSLVERSION_TLSv1_2;
	context = make(method());
	if (context)
		least = control(context, get_min_version, 0, NULL);
	drop(context);
	return least >= tls_1_3 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2;
}

static void load(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	const curl_version_info_data *info;
	bool whole = true;

	if (!library) {
		outcome = MISSING;
		return;
	}
#define FIND(name) whole = find(library, "curl_" #name, &table.name) && whole;
	CURL_FUNCTIONS(FIND)
#undef FIND
	info = whole ? table.version_info(CURLVERSION_NOW) : NULL;
	if (!info || info->version_num < OLDEST) {
		outcome = TOO_OLD;
		return;
	}
	if (!(info->features & CURL_VERSION_SSL) || !info->ssl_version ||
	    !strstr(info->ssl_version, "OpenSSL")) {
		outcome = NO_TLS;
		return;
	}
	table.has_http2 = info->features & CURL_VERSION_HTTP2;
	load_tls_policy();
	if (table.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		outcome = NOT_STARTED;
		return;
	}
	table.least_tls = least_tls(library);
	outcome = LOADED;
}

struct err *curl_load(const struct curl **ret)
{
	static const char *const texts[] = {
		[MISSING] = "cannot load " LIBRARY,
		[TOO_OLD] = LIBRARY " is too old",
		[NO_TLS] = LIBRARY " does not speak TLS by OpenSSL",
		[NOT_STARTED] = LIBRARY " does not start",
	};
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (outcome != LOADED)
		return err_note(err_new(ERR_UNSUPPORTED, "%s", texts[outcome]), REMEDY);
	*ret = &table;
	return NULL;
}

struct err *http_library(char **ret)
{
	const curl_version_info_data *info;
	const struct curl *curl;

	TRY(curl_load(&curl));
	info = curl->version_info(CURLVERSION_NOW);
	*ret = xasprintf("libcurl %s, %s%s", info->version, info->ssl_version,
			 curl->has_http2 ? ", HTTP/2" : "");
	return NULL;
}
