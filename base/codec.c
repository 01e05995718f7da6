/* base/codec.c - which codec it is; the work is done in base/gzip and base/zstd. */

#include "base/codec.h"

#include <assert.h>

#include "base/err.h"
#include "base/gzip.h"
#include "base/stream.h"
#include "base/zstd.h"

static const struct {
	const char *name;
	int levels; /* 1 to this; 0: it has none */
	int usual;
} codecs[] = {
	[CODEC_NONE] = { "none", 0, 0 },
	[CODEC_GZIP] = { "gzip", GZIP_LEVELS, 6 },
	[CODEC_ZSTD] = { "zstd", ZSTD_LEVELS, 3 },
};

const char *codec_name(enum codec codec)
{
	return codecs[codec].name;
}

struct err *compression_parse(struct str text, struct compression *ret)
{
	struct str rest = text;
	struct str name = str_cut(&rest, ':');
	struct compression found = { .codec = CODEC_NONE };
	size_t i = 0;
	uint64_t level;

	while (i < ARRAY_SIZE(codecs) && !str_is(name, codecs[i].name))
		i++;
	if (i == ARRAY_SIZE(codecs))
		return err_new(ERR_INVALID, "'%.*s' is no compression: use gzip, zstd or none",
			       name.len > 40 ? 40 : (int)name.len, name.at);
	found.codec = (enum codec)i;
	if (rest.at && codecs[i].levels == 0)
		return err_new(ERR_INVALID, "compression '%s' has no level", codecs[i].name);
	if (rest.at) {
		TRY(err_wrap(num_parse(rest, 1, (uint64_t)codecs[i].levels, &level),
			     "compression '%s' has levels 1 to %d", codecs[i].name,
			     codecs[i].levels));
		found.level = (int)level;
	}
	*ret = found;
	return NULL;
}

enum codec codec_detect(const void *head, size_t len)
{
	const uint8_t *h = head;

	if (len < 4)
		return CODEC_NONE;
	if (h[0] == 0x1f && h[1] == 0x8b && h[2] == 8) /* deflate is the only method there is */
		return CODEC_GZIP;
	if (h[0] == 0x28 && h[1] == 0xb5 && h[2] == 0x2f && h[3] == 0xfd)
		return CODEC_ZSTD;
	if ((h[0] & 0xf0) == 0x50 && h[1] == 0x2a && h[2] == 0x4d && h[3] == 0x18)
		return CODEC_ZSTD; /* a skippable frame may come first */
	return CODEC_NONE;
}

/* ---- reading ---- */

struct err *codec_open(struct source *inner, enum codec *ret_found, struct source **ret)
{
	struct str head;
	enum codec found;

	TRY(source_peek(inner, 4, &head, ret));
	found = codec_detect(head.at, head.len);
	if (ret_found)
		*ret_found = found;
	if (found == CODEC_GZIP)
		*ret = gzip_source(*ret);
	if (found == CODEC_ZSTD)
		*ret = zstd_source(*ret);
	return NULL;
}

/* ---- writing ---- */

struct sink *codec_sink(struct sink *inner, const struct compression *how, unsigned workers)
{
	int level = how->level ? how->level : codecs[how->codec].usual;

	assert(workers > 0 && level >= 0 && level <= codecs[how->codec].levels);
	if (how->codec == CODEC_GZIP)
		return gzip_sink(inner, level, workers);
	if (how->codec == CODEC_ZSTD)
		return zstd_sink(inner, level, workers);
	return inner;
}
