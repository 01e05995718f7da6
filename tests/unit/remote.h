/*
 * tests/unit/remote.h - tiny images in the registry of a test (tests/unit/fake_registry.h).
 */
#ifndef TESTS_UNIT_REMOTE_H
#define TESTS_UNIT_REMOTE_H

#include <stdlib.h>
#include <string.h>

#include "store/image.h"
#include "store/platform.h"
#include "tests/unit/fake_registry.h"

#define DIFF_ID "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static inline struct descriptor add_document(struct fake_registry *registry, const char *path,
					     const char *text, const char *type)
{
	struct descriptor d = { .size = strlen(text) };
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *key = NULL;

	snprintf(d.media_type, sizeof(d.media_type), "%s", type);
	fake_digest(str_of(text), digest);
	assert_ok(digest_parse(digest, &d.digest));
	key = xasprintf("%s@%s", path, digest);
	fake_put(&registry->manifests, key, str_of(text));
	return d;
}

static inline char *told(const struct descriptor *d, const char *media_type)
{
	char digest[DIGEST_TEXT_SIZE];

	return xasprintf("{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%ju}", media_type,
			 digest_format(&d->digest, digest), (uintmax_t)d->size);
}

/* An image of two layers for linux/<arch>. Nothing unpacks them, so they may be any bytes. */
static inline struct descriptor add_image(struct fake_registry *registry, const char *path,
					  const char *arch)
{
	AUTO(mem)
	char *config_text = xasprintf(
		"{\"os\":\"linux\",\"architecture\":\"%s\",\"rootfs\":{\"type\":\"layers\","
		"\"diff_ids\":[\"" DIFF_ID "\",\"" DIFF_ID "\"]}}",
		arch);
	AUTO(mem) char *layer_text = xasprintf("the upper layer of %s", arch);
	struct descriptor config = fake_add_blob(registry, path, str_of(config_text));
	struct descriptor below = fake_add_blob(registry, path, STR("the layer of all"));
	struct descriptor above = fake_add_blob(registry, path, str_of(layer_text));
	AUTO(mem) char *config_told = told(&config, MEDIA_OCI_CONFIG);
	AUTO(mem) char *below_told = told(&below, MEDIA_OCI_LAYER);
	AUTO(mem) char *above_told = told(&above, MEDIA_OCI_LAYER);
	AUTO(mem)
	char *text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
			       "\",\"config\":%s,\"layers\":[%s,%s]}",
			       config_told, below_told, above_told);

	return add_document(registry, path, text, MEDIA_OCI_MANIFEST);
}

static inline void tag(struct fake_registry *registry, const char *path, const char *name,
		       const struct descriptor *d)
{
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *from = xasprintf("%s@%s", path, digest_format(&d->digest, digest));
	AUTO(mem) char *to = xasprintf("%s:%s", path, name);
	const struct fake_blob *blob = map_get(&registry->manifests, str_of(from));

	fake_put(&registry->manifests, to, buf_str(&blob->bytes));
}

/* For this host and for another, with a note about the first as BuildKit leaves it. */
static inline struct descriptor add_index(struct fake_registry *registry, const char *path)
{
	struct platform host;
	struct descriptor one, other;
	AUTO(mem) char *one_told = NULL;
	AUTO(mem) char *other_told = NULL;
	AUTO(mem) char *text = NULL;

	platform_host(&host);
	one = add_image(registry, path, host.arch);
	other = add_image(registry, path, "s390x");
	one_told = told(&one, MEDIA_OCI_MANIFEST);
	other_told = told(&other, MEDIA_OCI_MANIFEST);
	text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
			 "\",\"manifests\":["
			 "%.*s,\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}},"
			 "%.*s,\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}}]}",
			 (int)strlen(other_told) - 1, other_told, (int)strlen(one_told) - 1,
			 one_told, host.arch);
	return add_document(registry, path, text, MEDIA_OCI_INDEX);
}

#endif
