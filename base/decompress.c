/* base/decompress.c - see base/decompress.h. */

#include "base/decompress.h"

#include "base/bzip2.h"
#include "base/codec.h"
#include "base/err.h"
#include "base/stream.h"
#include "base/xz.h"

const char *decompress_detect(struct str head)
{
	enum codec codec = codec_detect(head.at, head.len);

	if (codec != CODEC_NONE)
		return codec_name(codec);
	if (bzip2_detect(head))
		return "bzip2";
	return xz_detect(head) ? "xz" : NULL;
}

struct err *decompress_open(struct source *inner, struct source **ret)
{
	AUTO(source) struct source *whole = NULL;
	struct str head;

	TRY(source_peek(inner, DECOMPRESS_HEAD, &head, &whole));
	if (bzip2_detect(head))
		return bzip2_source(STEAL(whole), ret);
	if (xz_detect(head))
		return xz_source(STEAL(whole), ret);
	return codec_open(STEAL(whole), NULL, ret);
}
