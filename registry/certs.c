/* registry/certs.c - see registry/certs.h. */

#include "registry/certs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "registry/config_paths.h"

/* Where distributions keep the roots, as one file. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",                /* Debian, Arch, Gentoo */
	"/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
	"/etc/ssl/ca-bundle.pem",                            /* openSUSE */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL 7 */
	"/etc/ssl/cert.pem",                                 /* Alpine */
};

/* ---- the directory of a host ---- */

/* The directories of `host`, the first that exists to be used; `*ret_other` is where those of
 * containerd begin, which are none if they hold a hosts.toml. */
static void list_dirs(const struct config_paths *paths, const char *host, struct strings *ret,
		      size_t *ret_other)
{
	static const char *const system[] = { "/etc/containers/certs.d", "/etc/docker/certs.d" };
	AUTO(mem) char *home = config_home_path(paths, ".config/containers/certs.d");
	AUTO(mem) char *other = config_system_path(paths, "/etc/containerd/certs.d");
	const char *port = strrchr(host, ':');
	bool has_port = port && !strchr(port, ']');

	if (home)
		vec_push(ret, xasprintf("%s/%s", home, host));
	for (size_t i = 0; i < ARRAY_SIZE(system); i++) {
		AUTO(mem) char *dir = config_system_path(paths, system[i]);

		vec_push(ret, xasprintf("%s/%s", dir, host));
	}
	*ret_other = ret->len;
	if (has_port)
		vec_push(ret, xasprintf("%s/%.*s_%s_", other, (int)(port - host), host, port + 1));
	vec_push(ret, xasprintf("%s/%s", other, host));
	vec_push(ret, xasprintf("%s/_default", other));
}

/* Whether `names` has STEM and `suffix`, where `name` is STEM and another suffix of `cut` bytes. */
static bool has_partner(const struct strings *names, const char *name, size_t cut,
			const char *suffix)
{
	AUTO(mem) char *partner = xasprintf("%.*s%s", (int)(strlen(name) - cut), name, suffix);

	vec_foreach (names, other)
		if (strcmp(*other, partner) == 0)
			return true;
	return false;
}

static struct err *take_cert(const char *dir, const struct strings *names, const char *name,
			     struct certs *certs)
{
	size_t cut = strlen(".cert");

	if (!has_partner(names, name, cut, ".key"))
		return err_new(ERR_INVALID,
			       "%s/%s has no key beside it (%.*s.key); a certificate to trust is "
			       "called *.crt",
			       dir, name, (int)(strlen(name) - cut), name);
	if (certs->cert)
		return NULL; /* the first pair counts */
	certs->cert = xasprintf("%s/%s", dir, name);
	certs->key = xasprintf("%s/%.*s.key", dir, (int)(strlen(name) - cut), name);
	return NULL;
}

static struct err *take_names(const char *dir, const struct strings *names, struct certs *certs)
{
	vec_foreach (names, name) {
		struct str text = str_of(*name);

		if (str_ends(text, ".crt"))
			vec_push(&certs->ca_files, xasprintf("%s/%s", dir, *name));
		else if (str_ends(text, ".cert"))
			TRY(take_cert(dir, names, *name, certs));
		else if (str_ends(text, ".key") && !has_partner(names, *name, 4, ".cert"))
			return err_new(ERR_INVALID,
				       "%s/%s has no certificate beside it (%.*s.cert)", dir, *name,
				       (int)text.len - 4, *name);
	}
	return NULL;
}

static struct err *read_dir(const char *dir, struct certs *ret)
{
	AUTO(certs) struct certs certs = { 0 };
	AUTO(strings) struct strings names = { 0 };

	TRY(err_wrap(file_list(AT_FDCWD, dir, &names), "certificates"));
	TRY(take_names(dir, &names, &certs));
	*ret = certs;
	certs = (struct certs){ 0 };
	return NULL;
}

/* A directory that is not there, or that is somebody else's secret, is no error. */
static struct err *try_dir(const char *dir, bool is_other, struct certs *ret, bool *ret_found)
{
	AUTO(mem) char *hosts = xasprintf("%s/hosts.toml", dir);
	struct err *err;

	if (is_other && file_exists(AT_FDCWD, hosts))
		return NULL;
	err = read_dir(dir, ret);
	*ret_found = err_kind(err) != ERR_NOT_FOUND && err_errno(err) != EACCES;
	if (*ret_found)
		return err;
	if (err_kind(err) != ERR_NOT_FOUND)
		log_debug("%s", err_text(err));
	err_free(err);
	return NULL;
}

struct err *certs_find(const struct config_paths *paths, const char *cert_dir, const char *host,
		       struct certs *ret)
{
	AUTO(strings) struct strings dirs = { 0 };
	size_t other = 0;
	bool found = false;

	*ret = (struct certs){ 0 };
	if (cert_dir)
		return read_dir(cert_dir, ret);
	if (!host[0] || host[0] == '.' || strchr(host, '/'))
		return err_new(ERR_INVALID, "'%.80s' is no host", host);
	list_dirs(paths, host, &dirs, &other);
	for (size_t i = 0; i < dirs.len && !found; i++)
		TRY(try_dir(dirs.at[i], i >= other, ret, &found));
	return NULL;
}

void certs_release(struct certs *certs)
{
	strings_release(&certs->ca_files);
	free(certs->cert);
	free(certs->key);
	*certs = (struct certs){ 0 };
}

/* ---- what is trusted everywhere ---- */

static void add_bundle(const struct config_paths *paths, struct strings *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(bundles); i++) {
		AUTO(mem) char *path = config_system_path(paths, bundles[i]);

		if (access(path, R_OK) == 0) {
			strings_push(ret, path);
			return;
		}
	}
}

/* Whether `path` is a file of its own, and no second name of another in its directory: a link to it,
 * as c_rehash(1) makes them. */
static bool is_own_file(const char *path)
{
	AUTO(mem) char *target = NULL;
	AUTO(err) struct err *no_link = NULL;
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	no_link = file_read_link(AT_FDCWD, path, &target);
	return no_link || strchr(target, '/');
}

/* Every file of a directory. */
static struct err *add_dir(const char *dir, struct strings *ret)
{
	AUTO(strings) struct strings names = { 0 };
	struct err *err = file_list(AT_FDCWD, dir, &names);

	if (err_kind(err) == ERR_NOT_FOUND || err_errno(err) == EACCES) {
		err_free(err); /* Go passes over these, too */
		return NULL;
	}
	TRY(err_wrap(err, "SSL_CERT_DIR"));
	vec_foreach (&names, name) {
		AUTO(mem) char *path = xasprintf("%s/%s", dir, *name);

		if (is_own_file(path))
			strings_push(ret, path);
	}
	return NULL;
}

struct err *certs_trusted(const struct config_paths *paths, struct strings *ret)
{
	const char *file = config_variable(paths, "SSL_CERT_FILE");
	struct str dirs = str_of(config_variable(paths, "SSL_CERT_DIR"));

	if (file)
		strings_push(ret, file);
	if (!file || !dirs.at)
		add_bundle(paths, ret);
	while (dirs.at) {
		AUTO(mem) char *dir = str_dup(str_cut(&dirs, ':'));

		if (dir[0])
			TRY(add_dir(dir, ret));
	}
	return NULL;
}

/* "4042bcee.0" */
static bool is_hash(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] >= '0' &&
	       name[9] <= '9' && !name[10];
}

/* The file of the system that holds the same as its directory. */
static bool is_bundle(const struct config_paths *paths, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(bundles); i++) {
		AUTO(mem) char *bundle = config_system_path(paths, bundles[i]);

		if (strcmp(path, bundle) == 0)
			return true;
	}
	return false;
}

static void add_unhashed(const struct config_paths *paths, const char *dir,
			 const struct strings *names, struct strings *others)
{
	struct map hashed = MAP_INIT;

	vec_foreach (names, name) {
		AUTO(mem) char *path = xasprintf("%s/%s", dir, *name);
		AUTO(mem) char *target = NULL;
		AUTO(err) struct err *no_link = NULL;

		if (!is_hash(*name))
			continue;
		no_link = file_read_link(AT_FDCWD, path, &target);
		if (!no_link)
			map_put(&hashed, str_of(target), others);
	}
	vec_foreach (names, name) {
		AUTO(mem) char *path = xasprintf("%s/%s", dir, *name);

		if (!is_hash(*name) && !map_has(&hashed, str_of(*name)) &&
		    !is_bundle(paths, path) && is_own_file(path))
			strings_push(others, path);
	}
	map_release(&hashed, NULL);
}

char *certs_hashed_dir(const struct config_paths *paths, struct strings *others)
{
	const char *file = config_variable(paths, "SSL_CERT_FILE");
	const char *dirs = config_variable(paths, "SSL_CERT_DIR");
	AUTO(mem) char *dir = config_system_path(paths, "/etc/ssl/certs");
	AUTO(strings) struct strings names = { 0 };
	AUTO(err) struct err *err = NULL;
	bool has_hashes = false;

	if ((file && !is_bundle(paths, file)) || (dirs && strcmp(dirs, dir) != 0))
		return NULL;
	err = file_list(AT_FDCWD, dir, &names);
	vec_foreach (&names, name)
		has_hashes = has_hashes || is_hash(*name);
	if (err || !has_hashes)
		return NULL;
	add_unhashed(paths, dir, &names, others);
	return STEAL(dir);
}
