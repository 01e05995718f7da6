/*
 * registry/hosts_toml.c - containerd's configuration of one registry: see registry/registries.h.
 *
 * A file has settings for the registry itself ("server" and what stands beside
 * it) and a table [host."URL"] for each place to ask before it, in their order.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "registry/config_paths.h"
#include "registry/header.h"
#include "registry/reference.h"
#include "registry/registries-private.h"
#include "registry/toml.h"

#define DIR "/etc/containerd/certs.d"

struct hosts_file {
	const char *dir;  /* where its relative paths begin */
	const char *file; /* for messages */
	const struct reference *ref;
	enum registries_purpose purpose;
};

/* ---- settings of a place ---- */

/* Whether the place is one for the purpose; without a list it is one for all. */
static struct err *is_capable(const struct json_at *at, enum registries_purpose purpose, bool *ret)
{
	static const char *const names[] = { "pull", "resolve", "push" };
	struct json_at list = json_member(at, "capabilities");
	AUTO(strings) struct strings given = { 0 };
	bool has[ARRAY_SIZE(names)] = { false };

	TRY(json_get_optional_texts(&list, &given));
	vec_foreach (&given, name) {
		size_t i = 0;

		while (i < ARRAY_SIZE(names) && strcmp(names[i], *name) != 0)
			i++;
		if (i == ARRAY_SIZE(names))
			return json_error(&list, "'%.40s' is not pull, resolve or push", *name);
		has[i] = true;
	}
	*ret = given.len == 0 ||
	       (purpose == PUSH ? has[2] : has[0] && (has[1] || purpose == PULL_BY_DIGEST));
	return NULL;
}

static char *full_path(const struct hosts_file *f, const char *path)
{
	return path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", f->dir, path);
}

/* One text, or a list of them, appended. */
static struct err *get_texts(const struct json_at *at, struct strings *ret)
{
	const char *text = NULL;

	if (!json_is_string(at->value))
		return json_get_optional_texts(at, ret);
	TRY(json_get_text(at, &text));
	strings_push(ret, text);
	return NULL;
}

/* "file", ["file", ...] or [["cert", "key"], ...]; a file alone holds both. The first counts. */
static struct err *get_client(const struct hosts_file *f, const struct json_at *at,
			      struct certs *certs)
{
	struct json_at first = json_is_array(at->value) ? json_element(at, 0) : *at;
	AUTO(strings) struct strings files = { 0 };

	if (!first.value)
		return NULL;
	TRY(get_texts(&first, &files));
	if (files.len == 0 || files.len > 2)
		return json_error(&first, "neither a file nor a certificate and its key");
	certs->cert = full_path(f, files.at[0]);
	certs->key = full_path(f, files.len == 2 && files.at[1][0] ? files.at[1] : files.at[0]);
	return NULL;
}

static struct err *get_certs(const struct hosts_file *f, const struct json_at *at,
			     struct place *place)
{
	struct json_at ca = json_member(at, "ca");
	struct json_at client = json_member(at, "client");
	AUTO(strings) struct strings files = { 0 };

	TRY(get_texts(&ca, &files));
	vec_foreach (&files, file)
		vec_push(&place->certs.ca_files, full_path(f, *file));
	TRY(get_client(f, &client, &place->certs));
	place->has_certs = place->certs.ca_files.len > 0 || place->certs.cert;
	return NULL;
}

static struct err *get_headers(const struct json_at *at, struct place *place)
{
	struct json_at table = json_member(at, "header");
	const char *name;
	json_t *value;

	if (table.value)
		TRY(json_expect_object(&table));
	json_object_foreach(table.value, name, value)
	{
		struct json_at entry = json_member(&table, name);
		AUTO(strings) struct strings values = { 0 };

		TRY(get_texts(&entry, &values));
		vec_foreach (&values, text) {
			if (!header_is_valid(name, *text))
				return json_error(&entry, "not a header");
			vec_push(&place->headers, xasprintf("%s: %s", name, *text));
		}
	}
	return NULL;
}

static void warn_unread(const struct json_at *at, const char *file)
{
	static const char *const names[] = { "proxy", "dial_timeout" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_member(at, names[i]).value)
			log_debug("%s: %s is not read", file, names[i]);
}

/* Append the place at `url` with the settings of `at`, if it is one for the purpose. */
static struct err *add_place(const struct hosts_file *f, const struct json_at *at, const char *url,
			     bool is_mirror, struct places *ret)
{
	struct json_at skip = json_member(at, "skip_verify");
	struct json_at override = json_member(at, "override_path");
	AUTO(mem) char *path = NULL;
	struct place *place = NULL;
	bool capable = false;
	bool is_whole = false;

	TRY(is_capable(at, f->purpose, &capable));
	if (!capable)
		return NULL;
	warn_unread(at, f->file);
	TRY(places_add_url(ret, url, f->ref->path, f->file, &path, &place));
	place->is_mirror = is_mirror && f->purpose != PUSH;
	TRY(json_get_optional_flag(&skip, &place->skip_verify));
	TRY(json_get_optional_flag(&override, &is_whole));
	free(place->api);
	place->api = is_whole || str_ends(str_of(path), "/v2") ? xstrdup(path) :
								 xasprintf("%s/v2", path);
	if (strcmp(place->host, f->ref->domain) != 0)
		place->ns = xstrdup(f->ref->domain);
	TRY(get_certs(f, at, place));
	return get_headers(at, place);
}

/* ---- the file ---- */

static struct err *read_places(const struct hosts_file *f, json_t *doc, struct places *ret)
{
	struct json_at root = json_root(doc, f->file);
	struct json_at hosts = json_member(&root, "host");
	struct json_at server = json_member(&root, "server");
	const char *url = f->ref->domain;
	const char *name;
	json_t *value;

	TRY(json_get_optional_text(&server, &url));
	if (hosts.value)
		TRY(json_expect_object(&hosts));
	json_object_foreach(hosts.value, name, value)
	{
		struct json_at at = json_member(&hosts, name);

		TRY(json_expect_object(&at));
		TRY(add_place(f, &at, name, true, ret));
	}
	TRY(add_place(f, &root, url[0] ? url : f->ref->domain, false, ret));
	if (ret->len == 0)
		return err_new(ERR_DENIED, "%s: no host there is capable of this", f->file);
	return NULL;
}

/* The directory of a registry: the first of three that exists, owned; NULL if there is none. */
static char *find_dir(const struct registries *r, const char *domain)
{
	AUTO(mem) char *base = config_system_path(r->paths, DIR);
	const char *port = strrchr(domain, ':');
	bool has_port = port && !strchr(port, ']');
	char *dirs[] = {
		has_port ? xasprintf("%s/%.*s_%s_", base, (int)(port - domain), domain, port + 1) :
			   xasprintf("%s/%s", base, domain),
		xasprintf("%s/%s", base, domain),
		xasprintf("%s/_default", base),
	};
	char *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		if (!found && file_exists(AT_FDCWD, dirs[i]))
			found = STEAL(dirs[i]);
		free(dirs[i]);
	}
	return found;
}

struct err *hosts_toml_places(const struct registries *registries, const struct reference *ref,
			      enum registries_purpose purpose, struct places *ret, bool *ret_found)
{
	AUTO(mem) char *dir = find_dir(registries, ref->domain);
	AUTO(mem) char *file = dir ? xasprintf("%s/hosts.toml", dir) : NULL;
	struct hosts_file f = { .dir = dir, .file = file, .ref = ref, .purpose = purpose };
	AUTO(buf) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	AUTO(json) json_t *doc = NULL;
	struct err *err;

	*ret_found = false;
	if (!file)
		return NULL;
	err = config_read(file, &text, ret_found);
	if (err_errno(err) == EACCES) {
		log_debug("%s", err_text(err));
		err_free(err); /* containerd's own business */
		*ret_found = false;
		return NULL;
	}
	TRY(err);
	if (!*ret_found)
		return NULL;
	TRY(toml_parse(buf_str(&text), file, &doc));
	return read_places(&f, doc, ret);
}
