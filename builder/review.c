/* builder/review.c - see builder/review.h. */

#include "builder/review.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "base/err.h"
#include "base/map.h"
#include "builder/review_shell.h"
#include "store/platform.h"

/* ---- casing ---- */

enum casing { CASING_LOWER, CASING_UPPER, CASING_MIXED };

static enum casing casing_of(struct str word)
{
	bool lower = false, upper = false;

	for (size_t i = 0; i < word.len; i++) {
		lower = lower || islower((unsigned char)word.at[i]);
		upper = upper || isupper((unsigned char)word.at[i]);
	}
	if (lower && upper)
		return CASING_MIXED;
	return lower ? CASING_LOWER : CASING_UPPER;
}

/* The keyword at the start of an instruction's text, as it was written. */
static struct str keyword_of(const char *text)
{
	return (struct str){ text, strcspn(text, " \t\r\v\f") };
}

static void count_casing(const char *text, size_t counts[static 3])
{
	counts[casing_of(keyword_of(text))]++;
}

static void check_casing(struct recipe *recipe, const char *text, const char *check,
			 const struct position *at, enum casing majority)
{
	struct str keyword = keyword_of(text);

	if (casing_of(keyword) != majority)
		lint_add(&recipe->lints, "ConsistentInstructionCasing", check, at,
			 "%.*s should be written in %s like most instructions here",
			 STR_ARG(keyword), majority == CASING_LOWER ? "lower case" : "upper case");
}

static void review_casing(struct recipe *recipe)
{
	size_t counts[3] = { 0 };
	enum casing majority;

	for (size_t i = 0; i < recipe->stage_count; i++) {
		const struct stage *stage = &recipe->stages[i];

		count_casing(stage->text, counts);
		for (size_t k = 0; k < stage->instructions.len; k++)
			count_casing(stage->instructions.at[k].text, counts);
	}
	majority = counts[CASING_LOWER] > counts[CASING_UPPER] ? CASING_LOWER : CASING_UPPER;
	for (size_t i = 0; i < recipe->stage_count; i++) {
		const struct stage *stage = &recipe->stages[i];

		check_casing(recipe, stage->text, stage->check, &stage->position, majority);
		for (size_t k = 0; k < stage->instructions.len; k++) {
			const struct instruction *one = &stage->instructions.at[k];

			check_casing(recipe, one->text, one->check, &one->position, majority);
		}
	}
}

static void stages_auto_(struct map *stages)
{
	map_release(stages, NULL);
}

/* ---- FROM ---- */

static bool is_target_platform(const char *platform)
{
	return strcmp(platform, "$TARGETPLATFORM") == 0 ||
	       strcmp(platform, "${TARGETPLATFORM}") == 0;
}

/* A platform without variables, unless the name of the stage tells its system or its processor. One
 * that is none will be refused later. */
static bool is_constant_platform(const struct stage *stage)
{
	struct platform platform;
	AUTO(err) struct err *err = NULL;

	if (strchr(stage->platform, '$'))
		return false;
	err = platform_parse(stage->platform, &platform);
	return !err && (!stage->name ||
			(!strstr(stage->name, platform.os) && !strstr(stage->name, platform.arch)));
}

static void review_platform(struct recipe *recipe, const struct stage *stage)
{
	if (!stage->platform)
		return;
	if (is_target_platform(stage->platform))
		lint_add(&recipe->lints, "RedundantTargetPlatform", stage->check, &stage->position,
			 "--platform=%s is the default and can go", stage->platform);
	if (is_constant_platform(stage))
		lint_add(&recipe->lints, "FromPlatformFlagConstDisallowed", stage->check,
			 &stage->position, "--platform=%s should not be a constant",
			 stage->platform);
}

void review_from(struct recipe *recipe, const struct stage *stage, const struct words *operands)
{
	enum casing from = casing_of(keyword_of(stage->text));

	review_platform(recipe, stage);
	if (operands->len != 3)
		return;
	if (strcmp(operands->at[2], stage->name) != 0)
		lint_add(&recipe->lints, "StageNameCasing", stage->check, &stage->position,
			 "the stage name '%s' should be lower case", operands->at[2]);
	if (from != CASING_MIXED && casing_of(str_of(operands->at[1])) != from)
		lint_add(&recipe->lints, "FromAsCasing", stage->check, &stage->position,
			 "'%s' and '%.*s' should have the same case", operands->at[1],
			 STR_ARG(keyword_of(stage->text)));
}

void review_description(struct recipe *recipe, const struct description *description)
{
	const struct logical_line *line = description->line;
	AUTO(mem) char *check = line->check.at ? str_dup(line->check) : NULL;
	struct str comment, first;

	if (line->comment_count == 0 || description->name_count == 0)
		return;
	comment = line->comments[line->comment_count - 1];
	first = str_cut(&comment, ' ');
	for (size_t i = 0; i < description->name_count; i++)
		if (str_is(first, description->names[i]))
			return;
	lint_add(&recipe->lints, "InvalidDefinitionDescription", check, &line->position,
		 "the comment above %s does not describe it: '# %s ...' would, and an empty line "
		 "between would set it apart",
		 description->keyword,
		 description->name_count == 1 ? description->names[0] : "NAME");
}

static void review_names(struct recipe *recipe)
{
	AUTO(stages) struct map stages = MAP_INIT;

	for (size_t i = 0; i < recipe->stage_count; i++) {
		struct stage *stage = &recipe->stages[i];

		if (!stage->name)
			continue;
		if (strcmp(stage->name, "context") == 0 || strcmp(stage->name, "scratch") == 0)
			lint_add(&recipe->lints, "ReservedStageName", stage->check,
				 &stage->position, "the stage name '%s' is reserved", stage->name);
		if (map_put(&stages, str_of(stage->name), stage))
			lint_add(&recipe->lints, "DuplicateStageName", stage->check,
				 &stage->position, "the stage name '%s' is not unique",
				 stage->name);
	}
}

/* ---- instructions ---- */

/* One of the `_`-separated words of `name` is among `words`. */
static bool has_word(const char *name, const char *const *words, size_t count)
{
	struct str rest = str_of(name);

	while (rest.at) {
		struct str part = str_cut(&rest, '_');

		for (size_t i = 0; i < count; i++)
			if (strlen(words[i]) == part.len &&
			    strncasecmp(words[i], part.at, part.len) == 0)
				return true;
	}
	return false;
}

static void review_secrets(struct recipe *recipe, const struct instruction *one)
{
	static const char *const secret[] = { "apikey", "auth",   "credential", "credentials",
					      "key",    "passwd", "password",   "pword",
					      "secret", "token" };
	static const char *const harmless[] = { "public", "file", "version" };

	for (size_t i = 0; i < one->pairs.len; i++) {
		const char *key = one->pairs.at[i].key;

		if (has_word(key, secret, ARRAY_SIZE(secret)) &&
		    !has_word(key, harmless, ARRAY_SIZE(harmless)))
			lint_add(&recipe->lints, "SecretsUsedInArgOrEnv", one->check,
				 &one->position,
				 "%s %s may put a secret into the image; RUN --mount=type=secret "
				 "does not",
				 instruction_name(one->kind), key);
	}
}

/* What is known while the instructions of one stage are walked. */
struct walk {
	const struct words *shell; /* the SHELL that was set, here or in a stage below; or NULL */
	const struct instruction *last[INSTRUCTION_COUNT];
};

static void review_instruction(struct recipe *recipe, const struct instruction *one,
			       const struct walk *walk)
{
	const struct instruction *before = walk->last[one->kind];
	const char *name = instruction_name(one->kind);
	struct lints *lints = &recipe->lints;
	bool command = one->kind == INSTRUCTION_CMD || one->kind == INSTRUCTION_ENTRYPOINT;

	if (command && !one->command.exec && !walk->shell)
		lint_add(lints, "JSONArgsRecommended", one->check, &one->position,
			 "%s in shell form gets no signals; the JSON form does", name);
	if (one->kind == INSTRUCTION_RUN && review_shell_misses_errexit(&one->run, walk->shell))
		lint_add(lints, "HeredocErrexit", one->check, &one->position,
			 "a command of the heredoc may fail and RUN succeed all the same: begin it "
			 "with 'set -e'");
	if (one->kind == INSTRUCTION_MAINTAINER)
		lint_add(lints, "MaintainerDeprecated", one->check, &one->position,
			 "MAINTAINER is deprecated: use LABEL");
	if ((one->kind == INSTRUCTION_ENV || one->kind == INSTRUCTION_LABEL) && one->pairs.legacy)
		lint_add(lints, "LegacyKeyValueFormat", one->check, &one->position,
			 "%s key=value should be used instead of %s key value", name, name);
	if (one->kind == INSTRUCTION_ENV || one->kind == INSTRUCTION_ARG)
		review_secrets(recipe, one);
	if (before && (command || one->kind == INSTRUCTION_HEALTHCHECK))
		lint_add(lints, "MultipleInstructionsDisallowed", before->check, &before->position,
			 "only the last %s of a stage is used", name);
}

/* The SHELL that a stage ends with, its own or that of a stage below, is remembered in `shells` by the
 * name of the stage. */
static void review_stage(struct recipe *recipe, struct stage *stage, struct map *shells)
{
	struct walk walk = { .shell = map_get(shells, str_of(stage->base)) };

	for (size_t i = 0; i < stage->instructions.len; i++) {
		const struct instruction *one = &stage->instructions.at[i];

		review_instruction(recipe, one, &walk);
		if (one->kind == INSTRUCTION_SHELL)
			walk.shell = &one->shell;
		walk.last[one->kind] = one;
	}
	if (stage->name)
		map_put(shells, str_of(stage->name), (void *)walk.shell);
}

/* Other frontends may mean other things by the same words; there is only this one. */
static void review_syntax(struct recipe *recipe)
{
	struct position top = { 1, 1, 0, NULL };
	struct str name;

	if (!recipe->syntax)
		return;
	name = (struct str){ recipe->syntax, strcspn(recipe->syntax, " \t") };
	if (str_starts(name, "docker.io/"))
		name = (struct str){ name.at + 10, name.len - 10 };
	if (!str_starts(name, "docker/dockerfile:1") && !str_is(name, "docker/dockerfile") &&
	    !str_starts(name, "docker/dockerfile-upstream:1") &&
	    !str_starts(name, "docker/dockerfile@") && !str_is(name, "dockerfile.v0") &&
	    !syntax_is_dialect(recipe->syntax) && !str_ends(name, "-labs") &&
	    !str_ends(name, ":labs"))
		lint_add(&recipe->lints, "UnknownSyntax", NULL, &top,
			 "the frontend %.*s is not used: the file is read as docker/dockerfile:1",
			 STR_ARG(name));
}

void review_recipe(struct recipe *recipe)
{
	AUTO(stages) struct map shells = MAP_INIT;

	review_syntax(recipe);
	review_casing(recipe);
	review_names(recipe);
	for (size_t i = 0; i < recipe->stage_count; i++)
		review_stage(recipe, &recipe->stages[i], &shells);
	lints_sort(&recipe->lints);
}
