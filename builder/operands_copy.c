/* builder/operands_copy.c - see builder/operands_copy.h. */

#include "builder/operands_copy.h"

#include "base/err.h"
#include "builder/flags.h"
#include "builder/heredoc.h"
#include "builder/operands.h"
#include "builder/words.h"

static struct err *take_copy_flags(const struct request *request, bool add, struct copy *copy)
{
	enum { CHOWN, CHMOD, LINK, EXCLUDE, COMMON, FROM = COMMON, PARENTS, COPY_COUNT };
	enum { CHECKSUM = COMMON, KEEP_GIT_DIR, UNPACK, ADD_COUNT };
	struct flag flags[ADD_COUNT] = {
		[CHOWN] = { .name = "chown", .type = FLAG_TEXT },
		[CHMOD] = { .name = "chmod", .type = FLAG_TEXT },
		[LINK] = { .name = "link", .type = FLAG_SWITCH },
		[EXCLUDE] = { .name = "exclude", .type = FLAG_LIST },
	};

	if (add) {
		flags[CHECKSUM] = (struct flag){ .name = "checksum", .type = FLAG_TEXT };
		flags[KEEP_GIT_DIR] = (struct flag){ .name = "keep-git-dir", .type = FLAG_SWITCH };
		flags[UNPACK] = (struct flag){ .name = "unpack", .type = FLAG_SWITCH };
	} else {
		flags[FROM] = (struct flag){ .name = "from", .type = FLAG_TEXT };
		flags[PARENTS] = (struct flag){ .name = "parents", .type = FLAG_SWITCH };
	}
	TRY(flags_read(request->arena, &request->flags, flags, add ? ADD_COUNT : COPY_COUNT));
	copy->chown = operands_or_absent(flags[CHOWN].text);
	copy->chmod = operands_or_absent(flags[CHMOD].text);
	copy->link = flags[LINK].state == TRISTATE_TRUE;
	copy->excludes = flags[EXCLUDE].list;
	if (add) {
		copy->checksum = operands_or_absent(flags[CHECKSUM].text);
		copy->keep_git_dir = flags[KEEP_GIT_DIR].state;
		copy->unpack = flags[UNPACK].state;
	} else {
		copy->from = operands_or_absent(flags[FROM].text);
		copy->parents = flags[PARENTS].state == TRISTATE_TRUE;
	}
	return NULL;
}

/* Digits, `<<` and perhaps `-`: the name of the heredoc is the next word. */
static bool is_bare_marker(const char *word)
{
	while (*word >= '0' && *word <= '9')
		word++;
	return strcmp(word, "<<") == 0 || strcmp(word, "<<-") == 0;
}

/* The operands, with a marker and a name that stand apart joined to one word. */
static struct words copy_operands(const struct request *request)
{
	struct words words =
		request->json ? request->list : words_plain(request->arena, request->rest);
	size_t out = 0;

	if (request->json || request->heredocs.len == 0)
		return words;
	for (size_t i = 0; i < words.len; i++, out++) {
		words.at[out] = words.at[i];
		if (is_bare_marker(words.at[i]) && i + 1 < words.len) {
			AUTO(mem) char *both = xasprintf("%s %s", words.at[i], words.at[i + 1]);

			words.at[out] = arena_text(request->arena, str_of(both));
			i++;
		}
	}
	words.len = out;
	words.at[out] = NULL;
	return words;
}

/* A heredoc becomes a file of its name. */
static struct err *check_name(const char *name)
{
	if (!strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		return NULL;
	return err_new(ERR_INVALID, "the heredoc '%s' becomes a file, and that is no name for one",
		       name);
}

/* Sort the operands into sources, heredocs and the destination. */
static struct err *take_operands(const struct request *request, const char *keyword,
				 struct copy *copy)
{
	struct words words = copy_operands(request);
	struct heredoc heredoc;
	size_t count = 0;

	if (words.len < 2)
		return err_new(ERR_INVALID,
			       "%s requires at least two arguments: a source and a "
			       "destination",
			       keyword);
	words.len--;
	copy->destination = words.at[words.len];
	words.at[words.len] = NULL;
	copy->heredocs = request->heredocs;
	if (!request->json && heredoc_parse(request->arena, str_of(copy->destination), &heredoc))
		return err_new(ERR_INVALID, "%s cannot take a heredoc as its destination", keyword);
	for (size_t i = 0; i < words.len; i++) {
		if (!request->json && count < copy->heredocs.len &&
		    heredoc_parse(request->arena, str_of(words.at[i]), &heredoc))
			count++;
		else
			words.at[copy->sources.len++] = words.at[i];
	}
	for (size_t i = 0; i < copy->heredocs.len; i++)
		TRY(check_name(copy->heredocs.at[i].name));
	if (count < copy->heredocs.len)
		return err_new(ERR_INVALID, "the name of the heredoc %s holds blanks",
			       copy->heredocs.at[count].name);
	copy->sources.at = words.at;
	copy->sources.at[copy->sources.len] = NULL;
	return NULL;
}

struct err *operands_parse_copy(const struct request *request, struct instruction *ret)
{
	struct copy *copy = &ret->copy;

	TRY(take_copy_flags(request, ret->kind == INSTRUCTION_ADD, copy));
	return take_operands(request, instruction_name(ret->kind), copy);
}
