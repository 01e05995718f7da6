/*
 * registry/pack.h - the files of an archive on their way out: into a tar or a directory.
 *
 * A tar is canonical (base/tar.h): root owns everything, mode 0644, no times,
 * members in the order in which they are put; so equal images give equal bytes.
 * It appears whole or not at all (base/output.h). In a directory each file appears whole
 * under its name; a directory that was made for the purpose is removed again
 * unless it is committed, one that was there keeps what it has.
 */
#ifndef REGISTRY_PACK_H
#define REGISTRY_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct pack;
struct source;

/* A tar at `path`, "-" for standard output. */
struct err *pack_open_tar(const char *path, struct pack **ret) MUST_USE;
/* A directory, made if it is absent; its parent must exist. */
struct err *pack_open_dir(const char *path, struct pack **ret) MUST_USE;
void pack_free(struct pack *pack);
DEFINE_AUTO(pack)

/* The directory, borrowed, for merging with what is there; -1 for a tar. */
int pack_dir_fd(const struct pack *pack);

/* Put a file of exactly `size` bytes: ERR_CORRUPT if `content` (borrowed) has more or less. Names
 * are relative, their parts are made as needed. */
struct err *pack_put(struct pack *pack, const char *name, struct source *content, uint64_t size)
	MUST_USE;
struct err *pack_put_text(struct pack *pack, const char *name, struct str text) MUST_USE;

struct err *pack_commit(struct pack *pack) MUST_USE;

#endif
