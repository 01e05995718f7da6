/* builder/operands.c - see builder/operands.h. */

#include "builder/operands.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/utf8.h"
#include "builder/flags.h"
#include "builder/operands_copy.h"
#include "builder/operands_health.h"
#include "builder/operands_run.h"
#include "builder/words.h"

bool operands_take_json(enum instruction_kind kind)
{
	switch (kind) {
	case INSTRUCTION_ADD:
	case INSTRUCTION_CMD:
	case INSTRUCTION_COPY:
	case INSTRUCTION_ENTRYPOINT:
	case INSTRUCTION_RUN:
	case INSTRUCTION_SHELL:
	case INSTRUCTION_VOLUME:
		return true;
	default:
		return false; /* HEALTHCHECK looks for itself, behind CMD */
	}
}

bool operands_take_heredocs(enum instruction_kind kind)
{
	return kind == INSTRUCTION_ADD || kind == INSTRUCTION_COPY || kind == INSTRUCTION_RUN;
}

struct err *operands_needs_one(const char *keyword)
{
	return err_new(ERR_INVALID, "%s requires at least one argument", keyword);
}

/* Instructions without any flag. */
static struct err *no_flags(const struct request *request)
{
	return flags_read(request->arena, &request->flags, NULL, 0);
}

const char *operands_or_absent(const char *text)
{
	return text && *text ? text : NULL;
}

/* What the comments above say of `name`: the first that begins with it. */
static const char *find_doc(const struct request *request, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; len > 0 && i < request->comment_count; i++) {
		struct str line = request->comments[i];

		if (str_starts(line, name) && line.len > len && line.at[len] == ' ')
			return arena_text(request->arena,
					  (struct str){ line.at + len + 1, line.len - len - 1 });
	}
	return NULL;
}

/* ---- what is executed ---- */

void operands_take_command(const struct request *request, struct command *ret)
{
	ret->exec = request->json;
	if (request->json)
		ret->argv = request->list;
	else
		ret->text = arena_text(request->arena, request->rest);
}

static struct err *parse_command(const struct request *request, struct instruction *ret)
{
	TRY(no_flags(request));
	operands_take_command(request, &ret->command);
	return NULL;
}

static struct err *parse_shell(const struct request *request, struct instruction *ret)
{
	TRY(no_flags(request));
	if (request->json ? request->list.len == 0 : request->rest.len == 0)
		return operands_needs_one("SHELL");
	if (!request->json)
		return err_new(ERR_INVALID, "SHELL requires the JSON form: SHELL [\"/bin/bash\", "
					    "\"-c\"]");
	ret->shell = request->list;
	return NULL;
}

/* ---- ENV, LABEL, ARG ---- */

static struct err *blank_name(const char *keyword)
{
	return err_new(ERR_INVALID, "%s names cannot be blank", keyword);
}

static struct pair cut_pair(const struct request *request, const char *word)
{
	struct str rest = str_of(word);
	struct str key = str_cut(&rest, '=');

	return (struct pair){ arena_text(request->arena, key), rest.at, NULL };
}

/* "ENV key the rest of the line" */
static struct err *cut_legacy_pair(const struct request *request, struct pairs *pairs)
{
	const char *keyword = request->keyword;
	struct str rest = request->rest;
	struct str key = words_first(&rest);

	if (rest.len == 0)
		return err_new(ERR_INVALID, "%s must have two arguments: %s %.*s=VALUE", keyword,
			       keyword, STR_ARG(key));
	pairs->legacy = true;
	pairs->len = 1;
	pairs->at = arena_array(request->arena, 1, sizeof(*pairs->at));
	pairs->at[0].key = arena_text(request->arena, key);
	pairs->at[0].value = arena_text(request->arena, rest);
	return NULL;
}

struct err *operands_cut_pairs(const struct request *request, struct pairs *ret)
{
	struct words words = words_quoted(request->arena, request->rest, request->escape);

	if (words.len > 0 && !strchr(words.at[0], '='))
		return cut_legacy_pair(request, ret);
	ret->len = words.len;
	ret->at = arena_array(request->arena, words.len, sizeof(*ret->at));
	for (size_t i = 0; i < words.len; i++) {
		if (!strchr(words.at[i], '='))
			return err_new(ERR_INVALID,
				       "%s: no = in '%s': must be of the form "
				       "name=value",
				       request->keyword, words.at[i]);
		ret->at[i] = cut_pair(request, words.at[i]);
	}
	return NULL;
}

static struct err *parse_pairs(const struct request *request, struct instruction *ret)
{
	TRY(no_flags(request));
	TRY(operands_cut_pairs(request, &ret->pairs));
	if (ret->pairs.len == 0)
		return operands_needs_one(request->keyword);
	for (size_t i = 0; i < ret->pairs.len; i++)
		if (!*ret->pairs.at[i].key)
			return blank_name(request->keyword);
	return NULL;
}

static struct err *parse_arg(const struct request *request, struct instruction *ret)
{
	struct words words = words_quoted(request->arena, request->rest, request->escape);
	struct pairs *pairs = &ret->pairs;

	TRY(no_flags(request));
	if (words.len == 0)
		return operands_needs_one("ARG");
	pairs->len = words.len;
	pairs->at = arena_array(request->arena, words.len, sizeof(*pairs->at));
	for (size_t i = 0; i < words.len; i++) {
		pairs->at[i] = cut_pair(request, words.at[i]);
		if (!*pairs->at[i].key)
			return blank_name("ARG");
		pairs->at[i].doc = find_doc(request, pairs->at[i].key);
	}
	return NULL;
}

/* ---- plain words ---- */

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The words are put in order, before anything is expanded: that order is in the history. */
static struct err *parse_expose(const struct request *request, struct instruction *ret)
{
	TRY(no_flags(request));
	ret->words = words_plain(request->arena, request->rest);
	if (ret->words.len == 0)
		return operands_needs_one("EXPOSE");
	qsort(ret->words.at, ret->words.len, sizeof(*ret->words.at), compare_words);
	return NULL;
}

static struct err *parse_volume(const struct request *request, struct instruction *ret)
{
	TRY(no_flags(request));
	ret->words = request->json ? request->list : words_plain(request->arena, request->rest);
	if (ret->words.len == 0)
		return operands_needs_one("VOLUME");
	for (size_t i = 0; i < ret->words.len; i++) {
		struct str path = utf8_trim(str_of(ret->words.at[i]));

		if (path.len == 0)
			return err_new(ERR_INVALID, "VOLUME takes no empty path");
		ret->words.at[i] = arena_text(request->arena, path);
	}
	return NULL;
}

/* WORKDIR, USER, STOPSIGNAL, MAINTAINER: the rest of the line as it is. */
static struct err *parse_word(const struct request *request, struct instruction *ret)
{
	TRY(no_flags(request));
	if (request->rest.len == 0)
		return err_new(ERR_INVALID, "%s requires exactly one argument",
			       instruction_name(ret->kind));
	ret->word = arena_text(request->arena, request->rest);
	return NULL;
}

/* ---- FROM ---- */

/* Lower case; begins with a letter; letters, digits, '-', '_' and '.'. */
static bool is_stage_name(const char *name)
{
	if (*name < 'a' || *name > 'z')
		return false;
	for (; *name; name++)
		if (!(*name >= 'a' && *name <= 'z') && !(*name >= '0' && *name <= '9') &&
		    *name != '-' && *name != '_' && *name != '.')
			return false;
	return true;
}

static char *to_lower(struct arena *arena, const char *text)
{
	char *lower = arena_text(arena, str_of(text));

	for (char *at = lower; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + 'a' - 'A');
	return lower;
}

struct err *operands_parse_from(const struct request *request, struct stage *ret,
				struct words *ret_words)
{
	struct flag platform = { .name = "platform", .type = FLAG_TEXT };
	struct words words = words_plain(request->arena, request->rest);

	TRY(flags_read(request->arena, &request->flags, &platform, 1));
	if (words.len != 1 && !(words.len == 3 && strcasecmp(words.at[1], "AS") == 0))
		return err_new(ERR_INVALID, "FROM requires either one or three arguments: FROM "
					    "image [AS name]");
	ret->base = words.at[0];
	ret->platform = operands_or_absent(platform.text);
	if (words.len == 3) {
		ret->name = to_lower(request->arena, words.at[2]);
		if (!is_stage_name(ret->name))
			return err_new(ERR_INVALID,
				       "invalid name for a stage: '%s' (it begins with a letter; "
				       "letters, digits, '-', '_' and '.' follow)",
				       words.at[2]);
		ret->doc = find_doc(request, ret->name);
	}
	*ret_words = words;
	return NULL;
}

static struct err *parse_unset(const struct request *request, struct instruction *ret)
{
	TRY(flags_read(request->arena, &request->flags, NULL, 0));
	ret->words = words_quoted(request->arena, request->rest, request->escape);
	return ret->words.len ? NULL : operands_needs_one(request->keyword);
}

struct err *operands_parse(const struct request *request, struct instruction *ret)
{
	switch (ret->kind) {
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
		return operands_parse_copy(request, ret);
	case INSTRUCTION_ARG:
		return parse_arg(request, ret);
	case INSTRUCTION_CMD:
	case INSTRUCTION_ENTRYPOINT:
		return parse_command(request, ret);
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		return parse_pairs(request, ret);
	case INSTRUCTION_EXPOSE:
		return parse_expose(request, ret);
	case INSTRUCTION_HEALTHCHECK:
		return operands_parse_healthcheck(request, ret);
	case INSTRUCTION_MAINTAINER:
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_USER:
	case INSTRUCTION_WORKDIR:
		return parse_word(request, ret);
	case INSTRUCTION_RUN:
		return operands_parse_run(request, ret);
	case INSTRUCTION_SHELL:
		return parse_shell(request, ret);
	case INSTRUCTION_UNSET:
		return parse_unset(request, ret);
	case INSTRUCTION_VOLUME:
		return parse_volume(request, ret);
	case INSTRUCTION_FROM:
	case INSTRUCTION_INCLUDE:
	case INSTRUCTION_ONBUILD:
	case INSTRUCTION_COUNT:
		break;
	}
	return err_new(ERR_INTERNAL, "no operands for %s", request->keyword);
}
