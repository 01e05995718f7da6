/*
 * tests/unit/images.h - tiny images in the store of a test (tests/unit/room.h).
 */
#ifndef TESTS_UNIT_IMAGES_H
#define TESTS_UNIT_IMAGES_H

#include <string.h>

#include "base/json.h"
#include "store/blob.h"
#include "store/image.h"
#include "tests/unit/room.h"

static inline json_t *parse(const char *text)
{
	json_t *doc = NULL;

	assert_ok(json_parse(str_of(text), JSON_MAX, "test", &doc));
	return doc;
}

/* A tiny image of one layer whose blob is `layer`. */
static inline struct descriptor put_image(const char *arch, const char *layer,
					  struct descriptor *config)
{
	struct image_layer one = { .blob = { .media_type = MEDIA_OCI_LAYER,
					     .size = strlen(layer) } };
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *text = NULL;
	AUTO(json) json_t *doc = NULL;
	AUTO(json) json_t *annotations = json_object();
	struct descriptor manifest;

	assert_ok(blob_put(store, str_of(layer), &one.blob.digest));
	text = xasprintf("{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{},\"rootfs\":{"
			 "\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
			 arch, digest_format(&one.blob.digest, digest));
	doc = parse(text);
	json_set_text(annotations, "key", "value");
	assert_ok(image_put(store, doc, &one, 1, annotations, &manifest, config));
	return manifest;
}

static inline struct descriptor put_text(const char *media_type, const char *text)
{
	struct descriptor d = { .size = strlen(text) };

	memcpy(d.media_type, media_type, strlen(media_type) + 1);
	assert_ok(blob_put(store, str_of(text), &d.digest));
	return d;
}

/* An index of these two images. */
static inline struct descriptor put_index(const struct descriptor *amd64,
					  const struct descriptor *s390x)
{
	char one[DIGEST_TEXT_SIZE], two[DIGEST_TEXT_SIZE];
	AUTO(mem)
	char *text = xasprintf("{\"schemaVersion\":2,\"manifests\":["
			       "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%ju,"
			       "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
			       "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%ju,"
			       "\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}}]}",
			       amd64->media_type, digest_format(&amd64->digest, one),
			       (uintmax_t)amd64->size, s390x->media_type,
			       digest_format(&s390x->digest, two), (uintmax_t)s390x->size);

	return put_text(MEDIA_OCI_INDEX, text);
}

#endif
