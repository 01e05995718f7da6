/* store/descriptor.c - see store/descriptor.h. */

#include "store/descriptor.h"

#include <string.h>

#include "base/err.h"

static struct err *parse_media_type(const struct json_at *at, char *ret, size_t size)
{
	const char *text;
	size_t len;

	TRY(json_get_text(at, &text));
	len = strlen(text);
	if (len == 0 || len >= size)
		return json_error(at, "not a media type");
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return json_error(at, "not a media type");
	memcpy(ret, text, len + 1);
	return NULL;
}

static struct err *parse_digest(const struct json_at *at, struct digest *ret)
{
	const char *text;
	struct err *err;

	TRY(json_get_text(at, &text));
	err = digest_parse(text, ret);
	if (!err)
		return NULL;
	err_free(err); /* told again with the place */
	return json_error(at, "'%.80s' is not a sha256 digest", text);
}

struct err *descriptor_parse(const struct json_at *at, struct descriptor *ret)
{
	const struct json_at media_type = json_member(at, "mediaType");
	const struct json_at digest = json_member(at, "digest");
	const struct json_at size = json_member(at, "size");
	struct descriptor d = { .size = 0 };

	TRY(json_expect_object(at));
	TRY(parse_media_type(&media_type, d.media_type, sizeof(d.media_type)));
	TRY(parse_digest(&digest, &d.digest));
	TRY(json_get_size(&size, &d.size));
	*ret = d;
	return NULL;
}

json_t *descriptor_format(const struct descriptor *d)
{
	char digest[DIGEST_TEXT_SIZE];
	json_t *object = json_object();

	json_set_text(object, "mediaType", d->media_type);
	json_set_text(object, "digest", digest_format(&d->digest, digest));
	json_set(object, "size", json_integer((json_int_t)d->size));
	return object;
}

bool descriptor_equal(const struct descriptor *a, const struct descriptor *b)
{
	return digest_equal(&a->digest, &b->digest) && a->size == b->size &&
	       strcmp(a->media_type, b->media_type) == 0;
}
