/* builder/syntax_expand.c - see builder/syntax_expand.h. */

#include "builder/syntax_expand.h"

#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "builder/expand.h"
#include "builder/heredoc.h"
#include "builder/parse.h"
#include "builder/scope.h"
#include "builder/survey.h"
#include "builder/syntax.h"
#include "builder/words.h"

/* ---- words ---- */

/* A line while its words are expanded. */
struct site {
	struct syntax *syntax;
	struct expander expander;
	const struct scope *scope, *globals;
};

static struct err *expand_one(struct site *site, enum expand_mode mode, const char **text)
{
	AUTO(mem) char *expanded = NULL;

	TRY(expand_text(&site->expander, str_of(*text), mode, &expanded));
	*text = arena_text(&site->syntax->arena, str_of(expanded));
	return NULL;
}

static struct err *expand_all(struct site *site, struct words *words)
{
	for (size_t i = 0; i < words->len; i++)
		TRY(expand_one(site, EXPAND_WORD, &words->at[i]));
	return NULL;
}

/* Put `value` behind the name of a flag --NAME=VALUE. */
static const char *with_value(struct site *site, const char *flag, const char *value)
{
	AUTO(mem)
	char *whole = xasprintf("%.*s%s", (int)(strchr(flag, '=') + 1 - flag), flag, value);

	return arena_text(&site->syntax->arena, str_of(whole));
}

static bool is_flag(const char *flag, const char *const *names, size_t count)
{
	struct str rest = str_of(flag + 2);
	struct str name = str_cut(&rest, '=');

	for (size_t i = 0; rest.at && i < count; i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

static struct err *expand_flags(struct site *site, struct words *flags, const char *const *names,
				size_t count)
{
	for (size_t i = 0; i < flags->len; i++) {
		const char *value = strchr(flags->at[i], '=') + 1;

		if (!is_flag(flags->at[i], names, count))
			continue;
		TRY(expand_one(site, EXPAND_WORD, &value));
		flags->at[i] = with_value(site, flags->at[i], value);
	}
	return NULL;
}

/* One field of a mount, as CSV has it. */
static void add_field(struct buf *out, struct str field)
{
	const bool quote = memchr(field.at, ',', field.len) || memchr(field.at, '"', field.len);

	if (out->len > 0)
		buf_addc(out, ',');
	if (quote)
		buf_addc(out, '"');
	for (size_t i = 0; i < field.len; i++) {
		if (field.at[i] == '"')
			buf_addc(out, '"');
		buf_addc(out, field.at[i]);
	}
	if (quote)
		buf_addc(out, '"');
}

/* Each value of a mount is expanded by itself: one that brings a comma brings no field. */
static struct err *expand_mount(struct site *site, const char **flag)
{
	AUTO(buf) struct buf out = BUF_INIT(4 * EXPAND_MAX);
	struct words fields;

	TRY(err_wrap(words_csv(&site->syntax->arena, str_of(strchr(*flag, '=') + 1), &fields),
		     "--mount"));
	for (size_t i = 0; i < fields.len; i++) {
		const char *value = strchr(fields.at[i], '=');
		AUTO(mem) char *field = NULL;

		if (value) {
			int len = (int)(++value - fields.at[i]);

			TRY(expand_one(site, EXPAND_WORD, &value));
			field = xasprintf("%.*s%s", len, fields.at[i], value);
		}
		add_field(&out, str_of(field ? field : fields.at[i]));
	}
	*flag = with_value(site, *flag, out.at);
	return NULL;
}

/* ---- instructions ---- */

/* A variable of the stage, or else a global one: what --from sees. */
static const char *get_for_from(const void *arg, struct str name)
{
	const struct site *site = arg;
	const char *value = scope_get(site->scope, name);

	return value ? value : scope_get(site->globals, name);
}

static struct err *expand_from(struct site *site, struct syntax_line *line)
{
	static const char *const flags[] = { "platform" };

	TRY(expand_flags(site, &line->flags, flags, ARRAY_SIZE(flags)));
	return expand_one(site, EXPAND_WORD, &line->args.at[0]);
}

static struct err *expand_copy(struct site *site, struct syntax_line *line)
{
	static const char *const flags[] = { "chown", "chmod", "checksum" };
	static const char *const from[] = { "from" };
	const struct expander expander = site->expander;
	struct heredoc heredoc;

	TRY(expand_flags(site, &line->flags, flags, ARRAY_SIZE(flags)));
	site->expander.get = get_for_from;
	site->expander.arg = site;
	TRY(expand_flags(site, &line->flags, from, 1));
	site->expander = expander;
	for (size_t i = 0; i < line->args.len; i++)
		if (line->json ||
		    !heredoc_parse(&site->syntax->arena, str_of(line->args.at[i]), &heredoc))
			TRY(expand_one(site, EXPAND_WORD, &line->args.at[i]));
	site->expander.escape = '\\'; /* in heredocs, whatever the Recipe's is */
	for (size_t i = 0; i < line->heredocs.len; i++)
		if (line->heredocs.at[i].expand)
			TRY(expand_one(site, EXPAND_HEREDOC, &line->heredocs.at[i].body));
	return NULL;
}

static struct err *expand_run(struct site *site, struct syntax_line *line)
{
	static const char *const mount[] = { "mount" };

	for (size_t i = 0; i < line->flags.len; i++)
		if (is_flag(line->flags.at[i], mount, 1))
			TRY(expand_mount(site, &line->flags.at[i]));
	return NULL;
}

/* Values may bring blanks, and then more ports. */
static struct err *expand_ports(struct site *site, struct syntax_line *line)
{
	AUTO(strings) struct strings ports = { 0 };
	struct words words;

	for (size_t i = 0; i < line->args.len; i++)
		TRY(expand_words(&site->expander, str_of(line->args.at[i]), &ports));
	words.len = ports.len;
	words.at = arena_array(&site->syntax->arena, ports.len + 1, sizeof(*words.at));
	for (size_t i = 0; i < ports.len; i++)
		words.at[i] = arena_text(&site->syntax->arena, str_of(ports.at[i]));
	line->args = words;
	return NULL;
}

/* What the arguments are worth behind the instruction. */
static struct err *expand_arg(struct site *site, struct syntax_line *line,
			      const struct survey_site *at)
{
	AUTO(scope) struct scope *after = scope_new_child(at->scope);
	const struct pairs *pairs = &at->in->pairs;

	if (at->stage) /* the global scope is that behind all of its ARGs */
		TRY(scope_arg(after, pairs, site->syntax->escape, NULL));
	for (size_t i = 0; i < line->args.len && i < pairs->len; i++) {
		const char *value = scope_get(after, str_of(pairs->at[i].key));
		AUTO(mem)
		char *word =
			xasprintf("%s%s%s", pairs->at[i].key, value ? "=" : "", value ? value : "");

		line->args.at[i] = arena_text(&site->syntax->arena, str_of(word));
	}
	return NULL;
}

static struct err *expand_line(struct site *site, struct syntax_line *line,
			       const struct survey_site *at)
{
	switch (line->kind) {
	case INSTRUCTION_FROM:
		return expand_from(site, line);
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
		return expand_copy(site, line);
	case INSTRUCTION_ARG:
		return expand_arg(site, line, at);
	case INSTRUCTION_RUN:
		return expand_run(site, line);
	case INSTRUCTION_EXPOSE:
		return expand_ports(site, line);
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_UNSET:
	case INSTRUCTION_USER:
	case INSTRUCTION_VOLUME:
	case INSTRUCTION_WORKDIR:
		return expand_all(site, &line->args);
	default:
		return NULL;
	}
}

/* ---- the whole ---- */

/* Lines of the syntax and instructions of the tree come in the same order. */
struct expansion {
	struct syntax *syntax;
	bool expand;
	const struct scope *globals;
	size_t next; /* the line that is looked at next */
	size_t kept;
};

static struct err *visit(void *self, const struct survey_site *at)
{
	struct expansion *expansion = self;
	struct syntax *syntax = expansion->syntax;
	struct site site = { syntax, scope_expander(at->scope, syntax->escape, NULL), at->scope,
			     expansion->globals };
	struct syntax_line *line;

	while (expansion->next < syntax->lines.len &&
	       syntax->lines.at[expansion->next].position.line < at->position->line)
		expansion->next++;
	if (expansion->next == syntax->lines.len)
		return NULL;
	line = &syntax->lines.at[expansion->next];
	if (line->position.line != at->position->line)
		return NULL; /* it stands in another file */
	expansion->next++;
	if (expansion->expand)
		TRY(script_wrap(expand_line(&site, line, at), syntax->script, at->position));
	syntax->lines.at[expansion->kept++] = *line;
	return NULL;
}

struct err *syntax_expand(struct syntax *syntax, const struct syntax_values *values)
{
	struct expansion expansion = { .syntax = syntax, .expand = values->expand };
	AUTO(recipe) struct recipe *recipe = NULL;
	AUTO(scope) struct scope *globals = NULL;
	AUTO(mem) bool *needed = NULL;
	const struct stage *target;
	struct survey survey = { .visit_self = &expansion, .visit = visit };

	TRY(recipe_parse_as(script_name(syntax->script),
			    values->root ? values->bytes : script_bytes(syntax->script),
			    &(struct recipe_override){ .root = values->root }, &recipe));
	TRY(survey_globals(recipe, values->args, values->platform, values->target, &globals));
	if (values->target) {
		TRY(survey_find_target(recipe, values->target, &target));
		TRY(survey_needed(recipe, globals, target, &needed));
	}
	survey.recipe = recipe;
	survey.globals = globals;
	expansion.globals = globals;
	survey.wanted = needed;
	TRY(survey_run(&survey));
	syntax->lines.len = expansion.kept;
	return NULL;
}
