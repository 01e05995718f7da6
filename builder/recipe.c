/* builder/recipe.c - see builder/recipe.h. */

#include "builder/recipe.h"

#include <strings.h>

#include "base/text.h"

static const char *const names[INSTRUCTION_COUNT] = {
	[INSTRUCTION_ADD] = "ADD",
	[INSTRUCTION_ARG] = "ARG",
	[INSTRUCTION_CMD] = "CMD",
	[INSTRUCTION_COPY] = "COPY",
	[INSTRUCTION_ENTRYPOINT] = "ENTRYPOINT",
	[INSTRUCTION_ENV] = "ENV",
	[INSTRUCTION_EXPOSE] = "EXPOSE",
	[INSTRUCTION_FROM] = "FROM",
	[INSTRUCTION_HEALTHCHECK] = "HEALTHCHECK",
	[INSTRUCTION_INCLUDE] = "INCLUDE",
	[INSTRUCTION_LABEL] = "LABEL",
	[INSTRUCTION_MAINTAINER] = "MAINTAINER",
	[INSTRUCTION_ONBUILD] = "ONBUILD",
	[INSTRUCTION_RUN] = "RUN",
	[INSTRUCTION_SHELL] = "SHELL",
	[INSTRUCTION_STOPSIGNAL] = "STOPSIGNAL",
	[INSTRUCTION_UNSET] = "UNSET",
	[INSTRUCTION_USER] = "USER",
	[INSTRUCTION_VOLUME] = "VOLUME",
	[INSTRUCTION_WORKDIR] = "WORKDIR",
};

const char *instruction_name(enum instruction_kind kind)
{
	return names[kind];
}

bool instruction_find(struct str name, enum instruction_kind *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i]) == name.len && strncasecmp(names[i], name.at, name.len) == 0) {
			*ret = (enum instruction_kind)i;
			return true;
		}
	}
	return false;
}

bool syntax_is_dialect(const char *syntax)
{
	return syntax && strcmp(syntax, "cairn/1") == 0;
}

struct err *instruction_parse(struct str name, const char *syntax, enum instruction_kind *ret)
{
	const bool found = instruction_find(name, ret);
	const char *nearest;

	if (found && (*ret == INSTRUCTION_UNSET || *ret == INSTRUCTION_INCLUDE) &&
	    !syntax_is_dialect(syntax))
		return err_note(err_new(ERR_INVALID, "unknown instruction: %.*s", STR_ARG(name)),
				"it is one of cairn's own: the line '# syntax=cairn/1' at the top "
				"allows them");
	if (found)
		return NULL;
	nearest = text_nearest(name, names, ARRAY_SIZE(names));
	return err_new(ERR_INVALID,
		       nearest ? "unknown instruction: %.*s (did you mean %s?)" :
				 "unknown instruction: %.*s",
		       STR_ARG(name), nearest);
}

void recipe_free(struct recipe *recipe)
{
	if (!recipe)
		return;
	lints_release(&recipe->lints);
	script_free(recipe->script);
	arena_release(&recipe->arena);
	free(recipe);
}

const struct stage *recipe_find_stage(const struct recipe *recipe, const char *name, size_t before,
				      bool numbers)
{
	struct str text = str_of(name);
	struct err *err;
	uint64_t index;

	for (size_t i = before; i-- > 0;)
		if (recipe->stages[i].name && strcasecmp(recipe->stages[i].name, name) == 0)
			return &recipe->stages[i];
	if (!numbers)
		return NULL;
	/* A text that is no number simply names no stage. */
	err = num_parse(text, 0, SIZE_MAX, &index);
	if (err) {
		err_free(err);
		return NULL;
	}
	return index < before ? &recipe->stages[index] : NULL;
}
