/*
 * store/layer.h - unpacked layers: directories that overlayfs stacks.
 *
 *	layers/<lid>/fs       the tree, in overlayfs's spelling of whiteouts; read-only once sealed
 *	layers/<lid>/meta     one record, see struct layer_meta
 *	layers/<lid>/list     one line per entry, written by whoever digests the layer
 *	layers/<lid>/synced   this layer survived a syncfs
 *	diffs/<hex diff id>   symbolic link "../layers/<lid>": equal layers are stored once
 *	diffs/<hex diff id>.<hex chain id>   the same for a layer that depends on what lies below
 *
 * A layer is made in tmp/<lease>/<n>/{fs,work}, where a step may mount it as
 * upper directory, and sealed by a rename; nothing is copied and nothing is
 * flushed. It is trusted while the machine has not rebooted since, or once it
 * has its `synced` marker; an untrusted layer is reported as absent.
 */
#ifndef STORE_LAYER_H
#define STORE_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/mem.h"
#include "store/descriptor.h"

struct err;
struct store;

#define LAYER_ID_SIZE 27 /* 26 characters [a-z2-7] and the NUL */

struct layer_meta {
	char lid[LAYER_ID_SIZE];
	uint64_t entries, bytes; /* of the tree; 0 until known */
	bool dependent;          /* only right on the chain that it was unpacked on */
	bool has_root;           /* the layer sets the metadata of "/" itself */
	bool has_diff_id;
	struct digest diff_id; /* of the uncompressed tar */
	bool has_blob;
	struct descriptor blob; /* the compressed tar in blobs/ */
};

/* A layer in the making. */
struct layer_stage {
	struct store *store;
	int dir_fd;  /* tmp/<lease>/<n>, owned */
	int fs_fd;   /* .../fs, owned; mode 0755 root at first */
	int work_fd; /* .../work, owned; for an overlay mount */
	char *name;  /* <n>, owned */
};

/* Begin a layer: empty directories below tmp/<lease>, where nobody else looks. Free it, sealed or
 * not. Fails as the file system does; also ERR_SYSTEM for a store that cannot be written. */
struct err *layer_begin(struct store *store, struct layer_stage **ret) MUST_USE;
/* Seal: write the record and rename into layers/. `meta` gives what is known (not the lid);
 * on return it has the lid. With a diff id the layer is linked from diffs/ too (`chain`, the
 * chain id of what lies below, only for a dependent one, else NULL); when another process linked
 * the same diff id first, the stage is dropped and `meta` describes the other's layer. The layer
 * is pinned. The stage is spent: free it. Only what succeeded is sealed: the tree of a step that
 * failed goes with its stage. */
struct err *layer_seal(struct layer_stage *stage, const struct digest *chain,
		       struct layer_meta *meta) MUST_USE;
/* Without a seal nothing remains. */
void layer_stage_free(struct layer_stage *stage);
DEFINE_AUTO(layer_stage)

/* A fresh, empty directory on the file system of the layers, 0755, that goes when the store is
 * closed: something for a mount to stand on that may outlive its maker. */
struct err *layer_scratch(struct store *store, int *ret_fd) MUST_USE;

/* Open fs/ of a trusted layer, O_RDONLY|O_DIRECTORY, and pin it. ERR_NOT_FOUND if it is absent,
 * damaged or not trusted. `ret_meta` may be NULL. */
struct err *layer_open(struct store *store, const char *lid, int *ret_fd,
		       struct layer_meta *ret_meta) MUST_USE;
/* The layer of a diff id, pinned. `chain` as in layer_seal(); both forms are tried. */
struct err *layer_find(struct store *store, const struct digest *diff_id,
		       const struct digest *chain, bool *ret_found, struct layer_meta *ret_meta)
	MUST_USE;
/* Add what became known after sealing (diff id, blob, counts): meta->lid names the layer. Links
 * the diff id if no layer has it yet. */
struct err *layer_update(struct store *store, const struct layer_meta *meta) MUST_USE;
/* Take a damaged layer out of view: its rename to trash/ makes everything on it a cache miss. */
struct err *layer_discard(struct store *store, const char *lid) MUST_USE;

/* Open layers/<lid> itself, to read or write `list`. */
struct err *layer_open_dir(struct store *store, const char *lid, int *ret_fd) MUST_USE;

#endif
