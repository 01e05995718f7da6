/* cli/build_manifest.c - see cli/build_manifest.h. */

#include "cli/build_manifest.h"

#include <stdlib.h>

#include "base/err.h"
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

struct err *build_manifest_open(struct store *store, const char *text, struct build_manifest *ret)
{
	struct descriptor target;
	struct err *err;

	TRY(option_refuse(reference_normalize(text, &ret->name), "--manifest"));
	err = ref_get(store, ret->name, &target);
	if (!err)
		return err_wrap(index_read(store, &target, &ret->index), "option --manifest");
	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	ret->index = index_new();
	return NULL;
}

struct err *build_manifest_add(struct store *store, struct build_manifest *manifest,
			       const struct build_result *result)
{
	struct descriptor target;

	for (size_t i = 0; i < result->image_count; i++)
		TRY(index_add(store, manifest->index, &result->images[i].top));
	TRY(index_put(store, manifest->index, &target));
	return ref_set(store, manifest->name, &target);
}
