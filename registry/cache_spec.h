/*
 * registry/cache_spec.h - the values of --cache-from and --cache-to: where a build cache is.
 *
 *	type=registry,ref=HOST/REPO[:TAG]	entries in a repository, one per step
 *	type=local,src=DIR (dest=DIR)		the same entries in an OCI layout
 *	type=inline,ref=IMAGE			facts in the config of an image (to: type=inline alone)
 *	REF[,REF]				registry, and with `to` all steps, as Buildah has it
 *
 * Attributes as buildx has them: mode=min|max, compression, compression-level,
 * force-compression, ignore-error, tag, registry.insecure; oci-mediatypes and
 * image-manifest are taken without effect. What is not said here is refused: gha, s3
 * and azblob by name.
 *
 * A TAG is a scope: entries of one scope are not found from another one, nor from
 * none. The tag itself may be an image with facts in its config.
 */
#ifndef REGISTRY_CACHE_SPEC_H
#define REGISTRY_CACHE_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/codec.h"
#include "base/mem.h"
#include "registry/reference.h"

struct err;

enum cache_kind { CACHE_REGISTRY, CACHE_LOCAL, CACHE_INLINE };
enum cache_way { CACHE_FROM, CACHE_TO };

#define CACHE_SCOPE_MAX 60 /* with what stands behind it, it is a tag */

struct cache_spec {
	enum cache_kind kind;
	char *name;             /* for texts: "HOST/REPO:TAG", "DIR", "inline"; owned */
	struct reference ref;   /* registry, and inline with CACHE_FROM; never a digest */
	char *dir;              /* local; owned */
	char *scope;            /* "" is none; owned */
	bool max;               /* all steps, not those of the image alone */
	bool ignore_error;      /* of writing it */
	bool insecure;          /* plain http will do */
	bool has_compression;   /* of layers that are written */
	bool force_compression; /* also of those that another build compressed */
	struct compression compression;
};

struct cache_specs {
	struct cache_spec *at;
	size_t len, cap;
};

/* Append what `text` says. ERR_USAGE, or ERR_UNSUPPORTED for a type of other tools, with those that
 * work in the text; then nothing is appended. */
struct err *cache_specs_add(struct cache_specs *specs, enum cache_way way, const char *text)
	MUST_USE;
void cache_specs_release(struct cache_specs *specs);
/* Whether both are the same place: what is read from one need not be written to the other. */
bool cache_spec_is_same(const struct cache_spec *a, const struct cache_spec *b);

static inline void cache_specs_auto_(struct cache_specs *specs)
{
	cache_specs_release(specs);
}

#endif
