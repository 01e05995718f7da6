/* cli/build_manifest.c - see cli/build_manifest.h. */

#include "cli/build_manifest.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/lock.h"
#include "builder/build.h"
#include "cli/option.h"
#include "registry/index.h"
#include "registry/reference.h"
#include "store/ref.h"

void build_manifest_release(struct build_manifest *manifest)
{
	free(manifest->name);
	json_decref(manifest->index);
}

/* What the name leads to now. */
static struct err *read_index(struct store *store, struct build_manifest *manifest)
{
	struct descriptor target;
	struct err *err = ref_get(store, manifest->name, &target);

	json_decref(STEAL(manifest->index));
	if (!err)
		return err_wrap(index_read(store, &target, &manifest->index), "option --manifest");
	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	manifest->index = index_new();
	return NULL;
}

struct err *build_manifest_open(struct store *store, const char *text, struct build_manifest *ret)
{
	TRY(option_refuse(reference_normalize(text, &ret->name), "--manifest"));
	return read_index(store, ret);
}

struct err *build_manifest_add(struct store *store, struct build_manifest *manifest,
			       const struct build_result *result)
{
	AUTO(lock) struct lock lock = LOCK_INIT;
	struct descriptor target;

	TRY(index_hold(store, manifest->name, &lock));
	TRY(read_index(store, manifest)); /* others may have added to it meanwhile */
	for (size_t i = 0; i < result->image_count; i++)
		TRY(index_add(store, manifest->index, &result->images[i].top));
	TRY(index_put(store, manifest->index, &target));
	return ref_set(store, manifest->name, &target);
}
