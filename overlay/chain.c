/* overlay/chain.c - see overlay/chain.h. */

#include "overlay/chain.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/tar.h"
#include "base/vec.h"

void chain_init(struct chain *chain, int root_fd)
{
	/* One byte of a tar's longest path is for the '/' behind a directory. */
	*chain = (struct chain){ .root_fd = root_fd, .path = BUF_INIT(TAR_PATH_MAX - 1) };
}

static void close_level(struct chain_level *level)
{
	if (level->fd >= 0)
		close(level->fd);
	level->fd = -1;
}

void chain_release(struct chain *chain)
{
	vec_foreach (chain, level)
		close_level(level);
	vec_release(chain);
	buf_release(&chain->path);
}

struct err *chain_push(struct chain *chain, const char *name, int fd)
{
	if (chain->path.len + 1 + strlen(name) > chain->path.max) {
		close(fd);
		return err_new(ERR_INVALID, "the path of directory '%.255s' is too long", name);
	}
	if (chain->len > 0)
		buf_addc(&chain->path, '/');
	buf_adds(&chain->path, name);
	vec_push(chain, (struct chain_level){ .path_len = chain->path.len, .fd = fd });
	if (chain->len > CHAIN_OPEN)
		close_level(&chain->at[chain->len - 1 - CHAIN_OPEN]);
	return NULL;
}

void chain_pop(struct chain *chain)
{
	close_level(vec_last(chain));
	chain->len--;
	chain->path.len = chain->len > 0 ? vec_last(chain)->path_len : 0;
	chain->path.at[chain->path.len] = '\0';
}

struct err *chain_fd(struct chain *chain, int *ret_fd)
{
	struct chain_level *top;

	if (chain->len == 0) {
		*ret_fd = chain->root_fd;
		return NULL;
	}
	top = vec_last(chain);
	if (top->fd < 0)
		TRY(file_open_dir(chain->root_fd, chain_path(chain), &top->fd));
	*ret_fd = top->fd;
	return NULL;
}

const char *chain_path(const struct chain *chain)
{
	return chain->path.len > 0 ? chain->path.at : "";
}
