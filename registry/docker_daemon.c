/* registry/docker_daemon.c - registries in Docker's daemon.json: see registry/registries.h. */

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "registry/address.h"
#include "registry/config_paths.h"
#include "registry/reference.h"
#include "registry/registries-private.h"

struct err *docker_daemon_read(struct registries *registries)
{
	AUTO(mem) char *path = config_system_path(registries->paths, "/etc/docker/daemon.json");
	AUTO(buf) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	AUTO(json) json_t *doc = NULL;
	struct json_at root, mirrors, insecure;
	bool found = false;

	TRY(config_read(path, &text, &found));
	if (!found || str_trim(buf_str(&text)).len == 0)
		return NULL;
	TRY(json_parse(buf_str(&text), CONFIG_FILE_MAX, path, &doc));
	root = json_root(doc, path);
	mirrors = json_member(&root, "registry-mirrors");
	insecure = json_member(&root, "insecure-registries");
	TRY(json_get_optional_texts(&mirrors, &registries->hub_mirrors));
	return json_get_optional_texts(&insecure, &registries->insecure);
}

/* The address that `host` is, without port and brackets; none for a name. */
static struct address address_of(const char *host)
{
	struct str rest = str_of(host);
	struct str bare;

	if (host[0] == '[') {
		rest = (struct str){ rest.at + 1, rest.len - 1 };
		bare = str_cut(&rest, ']');
	} else {
		bare = str_cut(&rest, ':');
	}
	return address_parse(bare);
}

bool docker_daemon_is_insecure(const struct registries *registries, const char *host)
{
	struct address address = address_of(host);

	vec_foreach (&registries->insecure, entry) {
		bool inside = false;

		if (strcmp(*entry, host) == 0 ||
		    (address_in_range(str_of(*entry), &address, &inside) && inside))
			return true;
	}
	return false;
}

struct err *docker_daemon_mirrors(const struct registries *registries, const struct reference *ref,
				  struct places *ret)
{
	vec_foreach (&registries->hub_mirrors, url) {
		AUTO(mem) char *path = NULL;
		struct place *place = NULL;

		TRY(places_add_url(ret, *url, ref->path, "/etc/docker/daemon.json", &path, &place));
		if (path[0])
			return err_new(ERR_INVALID,
				       "/etc/docker/daemon.json: a mirror has no path: '%.200s'",
				       *url);
		place->is_mirror = true;
		place->insecure =
			place->insecure || docker_daemon_is_insecure(registries, place->host);
	}
	return NULL;
}
