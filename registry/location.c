/* registry/location.c - see registry/location.h. */

#include "registry/location.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"

/* The first name of each kind is the one that is written. */
static const struct {
	const char *prefix;
	enum location_kind kind;
} transports[] = {
	{ "docker://", LOCATION_REGISTRY },
	{ "docker-image://", LOCATION_REGISTRY },
	{ "oci:", LOCATION_OCI_DIR },
	{ "oci-archive:", LOCATION_OCI_ARCHIVE },
	{ "docker-archive:", LOCATION_DOCKER_ARCHIVE },
};

/* What other tools know, and what to do instead. */
static const struct {
	const char *prefix, *remedy;
} others[] = {
	{ "dir:", "use an OCI layout: oci:DIR" },
	{ "oci-layout:", "an OCI layout is written oci:DIR" },
	{ "containers-storage:",
	  "save it first: podman save --format oci-archive -o FILE IMAGE; then oci-archive:FILE" },
	{ "docker-daemon:", "save it first: docker save -o FILE IMAGE; then docker-archive:FILE" },
	{ "tarball:", "a root filesystem becomes an image with: cairn import FILE NAME" },
	{ "ostree:", "use an OCI layout: oci:DIR" },
	{ "sif:", "use an OCI layout: oci:DIR" },
	{ "atomic:", "name the registry: docker://HOST/NAME" },
};

static struct err *refuse_others(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		size_t len = strlen(others[i].prefix);

		if (strncmp(text, others[i].prefix, len) == 0)
			return err_note(err_new(ERR_UNSUPPORTED, "'%.300s': %.*s is not supported",
						text, (int)len, others[i].prefix),
					"%s", others[i].remedy);
	}
	if (strstr(text, "://"))
		return err_new(ERR_INVALID,
			       "'%.300s': an image in a registry is written docker://HOST/NAME",
			       text);
	return NULL;
}

/* "DIR:NAME"; `text` is the whole. */
static struct err *split_path(const char *text, const char *rest, struct location *ret)
{
	struct str name = str_of(rest);
	struct str path = str_cut(&name, ':');

	if (path.len == 0)
		return err_new(ERR_INVALID, "'%.300s': no path", text);
	ret->path = str_dup(path);
	ret->name = name.len > 0 ? str_dup(name) : NULL;
	return NULL;
}

struct err *location_parse(const char *text, struct location *ret)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(transports) &&
	       strncmp(text, transports[i].prefix, strlen(transports[i].prefix)) != 0)
		i++;
	*ret = (struct location){ .kind = LOCATION_STORE };
	if (i < ARRAY_SIZE(transports)) {
		const char *rest = text + strlen(transports[i].prefix);

		ret->kind = transports[i].kind;
		return ret->kind == LOCATION_REGISTRY ? reference_parse(rest, &ret->ref) :
							split_path(text, rest, ret);
	}
	TRY(refuse_others(text));
	if (!text[0])
		return err_new(ERR_INVALID, "an image without a name");
	ret->text = xstrdup(text);
	return NULL;
}

void location_release(struct location *location)
{
	free(location->text);
	free(location->path);
	free(location->name);
	*location = (struct location){ 0 };
}

char *location_format(const struct location *location)
{
	AUTO(mem) char *canonical = NULL;
	size_t i = 0;

	if (location->kind == LOCATION_STORE)
		return xstrdup(location->text);
	while (transports[i].kind != location->kind)
		i++;
	if (location->kind != LOCATION_REGISTRY)
		return xasprintf("%s%s%s%s", transports[i].prefix, location->path,
				 location->name ? ":" : "", location->name ? location->name : "");
	canonical = reference_canonical(&location->ref);
	return xasprintf("%s%s", transports[i].prefix, canonical);
}
