/*
 * builder/image_changes.h - what the command line changes of an image besides what its Recipe says.
 *
 * Variables and annotations that are set, and these and labels that are taken away, after all
 * instructions and in no step's key: changing them runs nothing again. An
 * annotation belongs to one of four places (image-spec, annotations): the
 * manifest, the index, or the descriptor of either.
 */
#ifndef BUILDER_IMAGE_CHANGES_H
#define BUILDER_IMAGE_CHANGES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/vec.h"
#include "store/platform.h"

struct config;
struct err;

enum annotation_level {
	ANNOTATION_MANIFEST,
	ANNOTATION_MANIFEST_DESCRIPTOR,
	ANNOTATION_INDEX,
	ANNOTATION_INDEX_DESCRIPTOR,
};

struct annotation {
	enum annotation_level level;
	bool has_platform; /* only for this one */
	struct platform platform;
	char *name, *value; /* owned */
};

/* All zero: nothing is changed, and a base's annotations are not taken over. */
struct image_changes {
	struct strings env; /* "NAME=value" */
	struct strings unset_labels, unset_env, unset_annotations;
	struct {
		struct annotation *at;
		size_t len, cap;
	} annotations;
	bool drop_labels;         /* of bases, images and stages alike */
	bool inherit_annotations; /* of the base image's manifest */
	bool created_annotation;
	bool omit_history;
};

void image_changes_release(struct image_changes *changes);

/* "[LEVEL[[PLATFORM]],...:]NAME=VALUE" as docker buildx has it; a level may be index,
 * index-descriptor, manifest or manifest-descriptor, and is manifest if none is said. ERR_INVALID
 * says what is wrong. */
struct err *image_changes_annotate(struct image_changes *changes, const char *text) MUST_USE;

/* Whether there is an annotation for `level`. */
bool image_changes_has(const struct image_changes *changes, enum annotation_level level);

/* Variables are set, then taken away; labels are taken away, and set later (opts->labels). */
void image_changes_apply(const struct image_changes *changes, struct config *config);

/* The annotations of `level` for an image of `platform` (NULL: an index, of none): those of `base` (NULL: none) first if they are
 * inherited. `created` is for the annotation of that name. The caller owns it; empty if there are none. */
json_t *image_changes_annotations(const struct image_changes *changes, enum annotation_level level,
				  const struct platform *platform, const json_t *base,
				  const char *created) MUST_USE;

#endif
