/*
 * registry/certs.h - the certificates that a registry is checked by, and those that we show it.
 *
 * Users of Docker and Podman keep them in a directory per registry, named as in
 * image names, "host" or "host:port", port or no port exactly as there:
 *
 *	~/.config/containers/certs.d/HOST/	*.crt		certificates to trust, PEM
 *	/etc/containers/certs.d/HOST/		NAME.cert	our certificate, and
 *	/etc/docker/certs.d/HOST/		NAME.key	its key
 *	/etc/containerd/certs.d/HOST/		(or HOST_PORT_ for HOST:PORT)
 *
 * The first directory that exists is the only one. What it trusts is trusted for
 * this one host, beside what is trusted everywhere. One of NAME.cert and NAME.key
 * without the other is an error; of several pairs the first in byte order counts.
 *
 * Everywhere is trusted what programs written in Go trust: SSL_CERT_FILE and the
 * files in the directories of SSL_CERT_DIR, else the system's.
 */
#ifndef REGISTRY_CERTS_H
#define REGISTRY_CERTS_H

#include "base/mem.h"
#include "base/vec.h"

struct config_paths;
struct err;

struct certs {
	struct strings ca_files; /* PEM; trusted for this host beside certs_trusted() */
	char *cert, *key;        /* owned; both NULL if there are none */
};

/* Look in the directories of `host` ("docker.io" for the Hub), or only in `cert_dir` if that is not
 * NULL; which must exist then: ERR_NOT_FOUND. On failure `*ret` is empty. */
struct err *certs_find(const struct config_paths *paths, const char *cert_dir, const char *host,
		       struct certs *ret) MUST_USE;
void certs_release(struct certs *certs);

/* The files (PEM, perhaps with several certificates, perhaps with none) that are trusted for every
 * host, appended: the one of SSL_CERT_FILE, else the first of the system's that exists; then all in
 * the directories of SSL_CERT_DIR (separated by ':'). Where SSL_CERT_FILE alone is set, Go reads the
 * system's directories too; the system's one file, which holds the same, stands for them here. */
struct err *certs_trusted(const struct config_paths *paths, struct strings *ret) MUST_USE;

/* The system's directory of certificates, where each is found by the hash of its name (c_rehash(1)),
 * so that only those which are needed are read: all of them take 40 ms and more. What lies there without
 * such a name is appended to `others`. NULL if there is no such directory, or if the variables want
 * something else than it and the system's file. Owned. */
char *certs_hashed_dir(const struct config_paths *paths, struct strings *others) MUST_USE;

static inline void certs_auto_(struct certs *certs)
{
	certs_release(certs);
}

#endif
