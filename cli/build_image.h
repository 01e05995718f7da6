/*
 * cli/build_image.h - the options of a build that change the image besides what its Recipe says.
 */
#ifndef CLI_BUILD_IMAGE_H
#define CLI_BUILD_IMAGE_H

#include "base/mem.h"
#include "base/vec.h"
#include "cli/option.h"

struct build_args;
struct build_opts;
struct err;
struct image_changes;
struct output_wishes;

struct build_image_values {
	struct strings annotations, env, labels;
	struct strings unset_annotations, unset_env, unset_labels;
	int created_annotation, identity_label, inherit_annotations, inherit_labels;
	int rewrite_timestamp;
	bool omit_history, save_stages, squash, squash_all, stage_labels;
	const char *source_date_epoch, *timestamp;
};

/* All of them, for a table of a command whose values have a `struct build_image_values` called
 * `field`. */
/* clang-format off */
#define BUILD_IMAGE_OPTIONS(type, field) \
	OPTION_LIST(type, field.annotations, 0, "annotation", "[LEVEL:]NAME=VALUE", \
		    "put an annotation on the manifest; LEVEL may also be manifest-descriptor, index or " \
		    "index-descriptor"), \
	OPTION_SWITCH(type, field.created_annotation, 0, "created-annotation", \
		      "put org.opencontainers.image.created among the annotations"), \
	OPTION_LIST(type, field.env, 0, "env", "NAME[=VALUE]", \
		    "set a variable in the image; without VALUE it is taken from the environment"), \
	OPTION_SWITCH(type, field.inherit_annotations, 0, "inherit-annotations", \
		      "keep the annotations of the base image"), \
	OPTION_SWITCH(type, field.inherit_labels, 0, "inherit-labels", \
		      "keep the labels of bases (default: true)"), \
	OPTION_LIST(type, field.labels, 0, "label", "NAME=VALUE", "put a label on the image"), \
	OPTION_FLAG(type, field.omit_history, 0, "omit-history", "leave the history out"), \
	OPTION_SWITCH(type, field.rewrite_timestamp, 0, "rewrite-timestamp", \
		      "whether new files are not later than the epoch of the build either"), \
	OPTION_FLAG(type, field.save_stages, 0, "save-stages", \
		    "make images of the stages that the target needs, too"), \
	OPTION_TEXT(type, field.source_date_epoch, 0, "source-date-epoch", "SECONDS", \
		    "the time of the image; of its files only with --rewrite-timestamp"), \
	OPTION_FLAG(type, field.squash, 0, "squash", \
		    "make one layer of all that the build adds to the base"), \
	OPTION_FLAG(type, field.squash_all, 0, "squash-all", \
		    "make one layer of all, those of the base too"), \
	OPTION_FLAG(type, field.stage_labels, 0, "stage-labels", \
		    "with --save-stages: label every image with its stage and what that is built on"), \
	OPTION_TEXT(type, field.timestamp, 0, "timestamp", "SECONDS", \
		    "no time in the image is later, since 1970 (default: SOURCE_DATE_EPOCH)"), \
	OPTION_LIST(type, field.unset_annotations, 0, "unsetannotation", "NAME[,NAME]", \
		    "take away an annotation of the base"), \
	OPTION_LIST(type, field.unset_env, 0, "unsetenv", "NAME[,NAME]", \
		    "take away a variable of the image"), \
	OPTION_LIST(type, field.unset_labels, 0, "unsetlabel", "NAME[,NAME]", \
		    "take away a label of the image"), \
	OPTION_SWITCH(type, field.identity_label, 0, "identity-label", NULL)
/* clang-format on */

/* Names, each of which may also be a list with commas, one by one. */
void build_image_split(const struct strings *list, struct strings *ret);

/* Fill in what `opts` says of changes and of the epoch, for which an argument may be set too.
 * `wishes` is what outputs ask for. ERR_USAGE says which option is wrong. */
struct err *build_image_read(const struct build_image_values *values,
			     const struct output_wishes *wishes, struct build_args *args,
			     struct image_changes *ret, struct build_opts *opts) MUST_USE;

#endif
