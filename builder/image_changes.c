/* builder/image_changes.c - see builder/image_changes.h. */

#include "builder/image_changes.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "builder/config.h"

void image_changes_release(struct image_changes *changes)
{
	strings_release(&changes->env);
	strings_release(&changes->unset_labels);
	strings_release(&changes->unset_env);
	strings_release(&changes->unset_annotations);
	vec_foreach (&changes->annotations, annotation) {
		free(annotation->name);
		free(annotation->value);
	}
	vec_release(&changes->annotations);
}

/* ---- the text of an annotation ---- */

static struct err *parse_level(struct str name, enum annotation_level *ret)
{
	static const char *const names[] = {
		[ANNOTATION_MANIFEST] = "manifest",
		[ANNOTATION_MANIFEST_DESCRIPTOR] = "manifest-descriptor",
		[ANNOTATION_INDEX] = "index",
		[ANNOTATION_INDEX_DESCRIPTOR] = "index-descriptor",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_is(name, names[i])) {
			*ret = (enum annotation_level)i;
			return NULL;
		}
	return err_new(ERR_INVALID,
		       "'%.*s' is none of: index, index-descriptor, manifest, manifest-descriptor",
		       STR_ARG(name));
}

/* "LEVEL" or "LEVEL[PLATFORM]". */
static struct err *parse_place(struct str place, struct annotation *ret)
{
	struct str platform = place;
	struct str level = str_cut(&platform, '[');

	TRY(parse_level(level, &ret->level));
	if (!platform.at)
		return NULL;
	if (!str_ends(platform, "]"))
		return err_new(ERR_INVALID, "'%.*s' lacks a ]", STR_ARG(place));
	platform.len--;
	{
		AUTO(mem) char *text = str_dup(platform);

		TRY(platform_parse(text, &ret->platform));
	}
	ret->has_platform = true;
	return NULL;
}

static void add(struct image_changes *changes, struct annotation annotation, struct str name,
		struct str value)
{
	annotation.name = str_dup(name);
	annotation.value = str_dup(value);
	vec_push(&changes->annotations, annotation);
}

struct err *image_changes_annotate(struct image_changes *changes, const char *text)
{
	struct str value = str_of(text);
	struct str name = str_cut(&value, '=');
	struct str rest = name;
	struct str places = str_cut(&rest, ':');

	if (!value.at)
		return err_new(ERR_INVALID, "'%.200s' is not NAME=VALUE", text);
	if (rest.at)
		name = rest;
	if (name.len == 0)
		return err_new(ERR_INVALID, "'%.200s' has no name", text);
	if (!rest.at) {
		add(changes, (struct annotation){ .level = ANNOTATION_MANIFEST }, name, value);
		return NULL;
	}
	while (places.at) {
		struct annotation annotation = { .level = ANNOTATION_MANIFEST };

		TRY(parse_place(str_cut(&places, ','), &annotation));
		add(changes, annotation, name, value);
	}
	return NULL;
}

bool image_changes_has(const struct image_changes *changes, enum annotation_level level)
{
	vec_foreach (&changes->annotations, annotation)
		if (annotation->level == level)
			return true;
	return false;
}

/* ---- applying ---- */

void image_changes_apply(const struct image_changes *changes, struct config *config)
{
	vec_foreach (&changes->env, pair) {
		struct str value = str_of(*pair);
		struct str name = str_cut(&value, '=');

		config_set_env(config, name, value.at);
	}
	vec_foreach (&changes->unset_env, name)
		config_unset(config, "Env", *name);
	vec_foreach (&changes->unset_labels, name)
		config_unset(config, "Labels", *name);
}

json_t *image_changes_annotations(const struct image_changes *changes, enum annotation_level level,
				  const struct platform *platform, const json_t *base,
				  const char *created)
{
	const bool of_manifest = level == ANNOTATION_MANIFEST;
	json_t *all = json_object();

	if (of_manifest && base && changes->inherit_annotations)
		json_object_update(all, (json_t *)base);
	vec_foreach (&changes->unset_annotations, name)
		json_object_del(all, *name);
	if (of_manifest && changes->created_annotation)
		json_set_text(all, "org.opencontainers.image.created", created);
	vec_foreach (&changes->annotations, one)
		if (one->level == level &&
		    (!one->has_platform || (platform && platform_equal(&one->platform, platform))))
			json_set_text(all, one->name, one->value);
	return all;
}
