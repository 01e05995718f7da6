/*
 * registry/curl-private.h - libcurl, loaded when the network is used for the first time.
 *
 * Linking it would cost every start of the program 5 ms; so it is a shared
 * library that is found at run time, and its functions are reached through one table:
 *
 *	const struct curl *curl;
 *
 *	TRY(curl_load(&curl));
 *	easy = curl->easy_init();
 *
 * It is never unloaded: it may have threads that resolve names.
 */
#ifndef REGISTRY_CURL_PRIVATE_H
#define REGISTRY_CURL_PRIVATE_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/mem.h"

struct err;

/* What is used of it, by its names without "curl_". */
#define CURL_FUNCTIONS(X)      \
	X(global_init)         \
	X(version_info)        \
	X(free)                \
	X(easy_init)           \
	X(easy_cleanup)        \
	X(easy_setopt)         \
	X(easy_getinfo)        \
	X(easy_pause)          \
	X(easy_strerror)       \
	X(slist_append)        \
	X(slist_free_all)      \
	X(multi_init)          \
	X(multi_cleanup)       \
	X(multi_setopt)        \
	X(multi_add_handle)    \
	X(multi_remove_handle) \
	X(multi_perform)       \
	X(multi_poll)          \
	X(multi_wakeup)        \
	X(multi_info_read)     \
	X(url)                 \
	X(url_cleanup)         \
	X(url_get)             \
	X(url_set)             \
	X(url_strerror)

#define CURL_FIELD(name) __typeof__(curl_##name) *name;
struct curl {
	CURL_FUNCTIONS(CURL_FIELD)
	bool has_http2;
	long least_tls; /* CURL_SSLVERSION_*: TLS 1.2, or more if the system says so */
};
#undef CURL_FIELD

/* The table, valid for ever; callable from any thread. ERR_UNSUPPORTED if the library is missing,
 * too old or speaks no TLS by OpenSSL. */
struct err *curl_load(const struct curl **ret) MUST_USE;

#endif
