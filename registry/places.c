/* registry/places.c - lists of places: see registry/registries.h. */

#include <string.h>

#include "base/err.h"
#include "registry/reference.h"
#include "registry/registries-private.h"
#include "registry/registries.h"

#define API "/v2"

struct place *places_add(struct places *places, const char *host, const char *path)
{
	bool is_hub = strcmp(host, HUB_HOST) == 0 || strcmp(host, HUB_SERVER) == 0;
	struct place *place = vec_add(places);

	place->host = xstrdup(is_hub ? HUB_HOST : host);
	place->server = xstrdup(is_hub ? HUB_SERVER : host);
	place->path = xstrdup(path);
	place->api = xstrdup(API);
	return place;
}

struct err *places_add_url(struct places *places, const char *url, const char *path,
			   const char *what, char **ret_path, struct place **ret)
{
	bool is_http = strncasecmp(url, "http://", 7) == 0;
	bool has_scheme = is_http || strncasecmp(url, "https://", 8) == 0;
	struct str rest = str_of(has_scheme ? strstr(url, "://") + 3 : url);
	struct str host = str_cut(&rest, '/');
	AUTO(mem) char *name = str_dup(host);

	if (!reference_is_domain(host) || (rest.at && strpbrk(rest.at, "?#")))
		return err_new(ERR_INVALID, "%s: '%.200s' is no URL of a registry", what, url);
	while (str_ends(rest, "/"))
		rest.len--;
	*ret_path = rest.len > 0 ? xasprintf("/%.*s", STR_ARG(rest)) : xstrdup("");
	*ret = places_add(places, name, path);
	(*ret)->plain_http = (*ret)->insecure = is_http;
	return NULL;
}

void places_release(struct places *places)
{
	vec_foreach (places, place) {
		free(place->host);
		free(place->server);
		free(place->path);
		free(place->api);
		free(place->ns);
		free(place->tag);
		certs_release(&place->certs);
		strings_release(&place->headers);
	}
	vec_release(places);
}
