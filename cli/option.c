/* cli/option.c - see cli/option.h. */

#include "cli/option.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/text.h"

/* The command line while it is read. */
struct reader {
	const struct option_set *sets;
	size_t set_count;
	char *const *next; /* the words not read yet; NULL-terminated */
};

/* An option, and the set whose values it fills. */
struct found {
	const struct option *option;
	const struct option_set *set;
};

static void *field_of(struct found found)
{
	return (char *)found.set->values + found.option->offset;
}

/* The option called `name`, or else, with an empty name, by its letter. */
static bool find(const struct reader *reader, struct str name, char letter, struct found *ret)
{
	for (size_t s = 0; s < reader->set_count; s++) {
		const struct option_set *set = &reader->sets[s];

		for (size_t i = 0; i < set->count; i++) {
			const struct option *option = &set->options[i];

			if (letter ? option->letter == letter : str_is(name, option->name)) {
				*ret = (struct found){ option, set };
				return true;
			}
		}
	}
	return false;
}

static struct err *unknown_name(const struct reader *reader, struct str name)
{
	struct err *err = err_new(ERR_USAGE, "unknown option '--%.*s'",
				  name.len > 80 ? 80 : (int)name.len, name.at);
	VEC(const char *) names = { 0 };
	const char *near;

	for (size_t s = 0; s < reader->set_count; s++)
		for (size_t i = 0; i < reader->sets[s].count; i++)
			if (reader->sets[s].options[i].help)
				vec_push(&names, reader->sets[s].options[i].name);
	near = text_nearest(name, names.at, names.len);
	vec_release(&names);
	return near ? err_note(err, "did you mean '--%s'?", near) : err;
}

static struct err *read_truth(const char *text, bool *ret)
{
	if (!text || strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
		*ret = true;
	else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
		*ret = false;
	else
		return err_new(ERR_USAGE, "'%.80s' is neither true nor false", text);
	return NULL;
}

static struct err *set_switch(struct found found, const char *text)
{
	bool on = false;

	TRY(read_truth(text, &on));
	*(int *)field_of(found) = on ? SWITCH_ON : SWITCH_OFF;
	return NULL;
}

static struct err *set_word(struct found found, const char *text)
{
	const char *const *words = found.option->words;
	const char *bare = found.option->bare;
	AUTO(buf) struct buf list = BUF_INIT(4096);

	if (bare && (!text || strcmp(text, "true") == 0))
		text = bare;
	else if (bare && strcmp(text, "false") == 0)
		text = words[0];
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*(int *)field_of(found) = i;
			return NULL;
		}
		buf_addf(&list, "%s%s", i ? ", " : "", words[i]);
	}
	return err_new(ERR_USAGE, "'%.80s' is none of: %s", text, list.at);
}

static struct err *set_number(struct found found, const char *text)
{
	uint64_t number;
	AUTO(err)
	struct err *err = num_parse(str_of(text), found.option->min, found.option->max, &number);

	/* the text is right, but it is the command line that is wrong */
	if (err)
		return err_new(ERR_USAGE, "%s", err_text(err));
	*(uint64_t *)field_of(found) = number + found.option->plus_one;
	return NULL;
}

static struct err *set_value(struct found found, const char *text)
{
	switch (found.option->kind) {
	case OPTION_IS_FLAG:
		return read_truth(text, field_of(found));
	case OPTION_IS_SWITCH:
		return set_switch(found, text);
	case OPTION_IS_NUMBER:
		return set_number(found, text);
	case OPTION_IS_WORD:
		return set_word(found, text);
	case OPTION_IS_LIST:
		strings_push(field_of(found), text ? text : found.option->bare);
		return NULL;
	case OPTION_IS_TEXT:
		*(const char **)field_of(found) = text;
		return NULL;
	}
	return NULL;
}

/* Whether a word is an option that we know, or the end of them: then a value was forgotten. */
static bool is_option(const struct reader *reader, const char *word)
{
	struct str name = str_of(word);
	struct found found;

	if (word[0] != '-' || word[1] == '\0')
		return false;
	if (word[1] != '-')
		return find(reader, STR(""), word[1], &found);
	name.at += 2;
	name.len -= 2;
	return name.len == 0 || find(reader, str_cut(&name, '='), 0, &found);
}

/* `attached` is the value that stands in the same word, or NULL. `said` is the option as the user
 * wrote it. */
static struct err *take(struct reader *reader, struct found found, const char *attached,
			const char *said)
{
	if (!attached && option_takes_value(found.option)) {
		if (!*reader->next)
			return err_new(ERR_USAGE, "option %s needs a value", said);
		if (is_option(reader, *reader->next))
			return err_note(err_new(ERR_USAGE,
						"option %s needs a value, and '%.80s' is an option",
						said, *reader->next),
					"if it is the value, write %s=%.80s", said, *reader->next);
		attached = *reader->next++;
	}
	return err_wrap(set_value(found, attached), "option %s", said);
}

/* "--name" or "--name=value"; `text` stands behind the dashes. */
static struct err *read_long(struct reader *reader, const char *text)
{
	struct str value = str_of(text);
	struct str name = str_cut(&value, '=');
	AUTO(mem) char *said = NULL;
	struct found found;

	if (!find(reader, name, 0, &found))
		return unknown_name(reader, name);
	said = xasprintf("--%s", found.option->name);
	return take(reader, found, value.at, said);
}

/* "-abc": flags, the last of which may take a value that is attached or is the next word. */
static struct err *read_short(struct reader *reader, const char *letters)
{
	for (; *letters; letters++) {
		const char said[] = { '-', *letters, '\0' };
		struct found found;

		if (!find(reader, STR(""), *letters, &found))
			return err_new(ERR_USAGE, "unknown option '%s'", said);
		if (option_takes_value(found.option)) {
			letters += letters[1] == '=' ? 2 : 1;
			return take(reader, found, *letters ? letters : NULL, said);
		}
		TRY(take(reader, found, NULL, said));
	}
	return NULL;
}

struct err *option_parse(const struct option_set *sets, size_t set_count, char *const *argv,
			 const struct option_rules *rules, struct strings *operands)
{
	struct reader reader = { .sets = sets, .set_count = set_count, .next = argv };
	bool only_operands = false;

	while (*reader.next) {
		const char *word = *reader.next++;

		if (only_operands || word[0] != '-' || word[1] == '\0') {
			strings_push(operands, word);
			only_operands = only_operands || (rules && rules->first_operand_ends);
		} else if (strcmp(word, "--") == 0) {
			only_operands = true;
			if (rules && rules->keeps_dashes)
				strings_push(operands, word);
		} else if (word[1] == '-') {
			TRY(read_long(&reader, word + 2));
		} else {
			TRY(read_short(&reader, word + 1));
		}
	}
	return NULL;
}

struct err *option_refuse(struct err *err, const char *option)
{
	struct err *usage;

	if (err_kind(err) == ERR_INVALID) {
		usage = err_new(ERR_USAGE, "%s", err_text(err));
		if (err_notes(err))
			usage = err_note(usage, "%s", err_notes(err));
		err_free(err);
		err = usage;
	}
	return option ? err_wrap(err, "option %s", option) : err;
}

void option_release(const struct option_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->options[i].kind == OPTION_IS_LIST)
			strings_release(field_of((struct found){ &set->options[i], set }));
}
