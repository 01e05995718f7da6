/*
 * registry/http_trust.c - whose certificates are trusted.
 *
 * What is trusted for one host is trusted beside what is trusted everywhere, but libcurl
 * takes one directory and one file or text. What is trusted everywhere is the system's
 * directory where there is one, of which only what is needed is read; what a host adds to it is
 * the file, or several put together as a text. Without that directory all files are put together. libcurl compares it by its bytes, so a connection that was made with one set never
 * serves a request with another. (A callback that adds certificates would not be compared.)
 */

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "registry/certs.h"
#include "registry/http-private.h"

#define BUNDLE_MAX ((size_t)8 * 1024 * 1024)

struct trust {
	const struct config_paths *paths; /* borrowed */
	pthread_mutex_t lock;
	bool is_read;           /* guarded by lock, as all below */
	struct strings trusted; /* for every host, beside `dir` */
	char *dir;              /* of hashed certificates, for every host; or NULL */
	struct map bundles;     /* names of files, a line each -> struct buf, owned */
};

struct trust *trust_new(const struct config_paths *paths)
{
	struct trust *trust = xcalloc(1, sizeof(*trust));

	trust->paths = paths;
	pthread_mutex_init(&trust->lock, NULL);
	return trust;
}

static void bundle_free(void *value)
{
	buf_release(value);
	free(value);
}

void trust_free(struct trust *trust)
{
	if (!trust)
		return;
	strings_release(&trust->trusted);
	free(trust->dir);
	map_release(&trust->bundles, bundle_free);
	pthread_mutex_destroy(&trust->lock);
	free(trust);
}

static struct err *add_file(struct buf *bundle, const char *path)
{
	TRY(err_wrap(file_read(AT_FDCWD, path, BUNDLE_MAX, bundle), "certificates"));
	buf_addc(bundle, '\n'); /* the next one begins on a line of its own */
	return NULL;
}

/* Under the lock. The texts of all `files`, kept for the transport's life. */
static struct err *bundle_of(struct trust *trust, const struct strings *files, struct buf **ret)
{
	AUTO(buf) struct buf name = BUF_INIT(BUNDLE_MAX);
	AUTO(buf) struct buf bundle = BUF_INIT(BUNDLE_MAX);

	vec_foreach (files, file)
		buf_addf(&name, "%s\n", *file);
	*ret = map_get(&trust->bundles, buf_str(&name));
	if (*ret)
		return NULL;
	vec_foreach (files, file)
		TRY(add_file(&bundle, *file));
	TRY(buf_check(&bundle, "certificates: all of them"));
	*ret = xcalloc(1, sizeof(**ret));
	**ret = bundle;
	bundle = (struct buf){ 0 };
	map_put(&trust->bundles, buf_str(&name), *ret);
	return NULL;
}

/* Which options say it: those of the server's connection, or those of the proxy's. */
struct options {
	CURLoption file, text, dir;
};

static struct err *trust_files(struct trust *trust, const struct curl *curl, CURL *easy,
			       const struct strings *files, const struct options *options)
{
	struct curl_blob blob = { .flags = CURL_BLOB_NOCOPY };
	struct buf *bundle;

	if (files->len == 0 && !trust->dir)
		return NULL; /* what libcurl was built with */
	curl->easy_setopt(easy, options->dir, trust->dir);
	curl->easy_setopt(easy, options->file, (char *)NULL);
	if (files->len == 0)
		return NULL;
	if (files->len == 1) {
		curl->easy_setopt(easy, options->file, files->at[0]);
		return NULL;
	}
	TRY(bundle_of(trust, files, &bundle));
	blob.data = bundle->at;
	blob.len = bundle->len;
	curl->easy_setopt(easy, options->text, &blob);
	return NULL;
}

/* Under the lock. */
static struct err *read_trusted(struct trust *trust)
{
	if (trust->is_read)
		return NULL;
	trust->dir = certs_hashed_dir(trust->paths, &trust->trusted);
	if (!trust->dir)
		TRY(certs_trusted(trust->paths, &trust->trusted));
	trust->is_read = true;
	return NULL;
}

/* Under the lock. */
static struct err *apply(struct trust *trust, const struct curl *curl, CURL *easy,
			 const struct certs *certs)
{
	static const struct options server = { CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB,
					       CURLOPT_CAPATH };
	static const struct options proxy = { CURLOPT_PROXY_CAINFO, CURLOPT_PROXY_CAINFO_BLOB,
					      CURLOPT_PROXY_CAPATH };
	AUTO(strings) struct strings files = { 0 };

	TRY(read_trusted(trust));
	strings_copy(&files, &trust->trusted);
	if (certs)
		strings_copy(&files, &certs->ca_files);
	TRY(trust_files(trust, curl, easy, &files, &server));
	return trust_files(trust, curl, easy, &trust->trusted, &proxy);
}

struct err *trust_apply(struct trust *trust, const struct curl *curl, CURL *easy,
			const struct http_request *request)
{
	const struct certs *certs = request->certs;
	struct err *err;

	if (certs && certs->cert) {
		curl->easy_setopt(easy, CURLOPT_SSLCERT, certs->cert);
		curl->easy_setopt(easy, CURLOPT_SSLKEY, certs->key);
	}
	pthread_mutex_lock(&trust->lock);
	err = apply(trust, curl, easy, certs);
	pthread_mutex_unlock(&trust->lock);
	return err;
}
