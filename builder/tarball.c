/* builder/tarball.c - see builder/tarball.h. */

#include "builder/tarball.h"

#include <string.h>

#include "base/decompress.h"
#include "base/err.h"
#include "base/stream.h"
#include "base/untar.h"
#include "base/ustar.h"
#include "overlay/unpack.h"
#include "store/layer.h"

static bool is_tar(struct str head)
{
	struct ustar block;

	if (head.len < sizeof(block))
		return false;
	memcpy(&block, head.at, sizeof(block));
	return ustar_is_zero(&block) || (block.name[0] && ustar_is_sealed(&block));
}

struct err *tarball_open(struct source *inner, enum tarball_kind *ret_kind, struct source **ret)
{
	struct source *packed, *plain, *whole;
	struct str head;
	bool compressed;

	TRY(source_peek(inner, DECOMPRESS_HEAD, &head, &packed));
	compressed = decompress_detect(head) != NULL;
	TRY(decompress_open(packed, &plain));
	TRY(source_peek(plain, sizeof(struct ustar), &head, &whole));
	*ret_kind = is_tar(head) ? TARBALL_TAR : compressed ? TARBALL_PACKED : TARBALL_NONE;
	*ret = whole;
	return NULL;
}

struct err *tarball_unpack(struct store *store, struct source *tar, uint64_t packed, int *ret_fd)
{
	const struct tar_limits limits = unpack_limits(packed);
	struct unpack_opts opts = { .plain = true, .limits = packed ? &limits : NULL };
	struct unpack_result result;
	AUTO(fd) int nothing_fd = -1;
	AUTO(fd) int fd = -1;

	TRY(layer_scratch(store, &nothing_fd)); /* what lies below */
	TRY(layer_scratch(store, &fd));
	opts.below_fd = nothing_fd;
	TRY(unpack(tar, fd, &opts, &result));
	*ret_fd = STEAL_FD(fd);
	return NULL;
}
