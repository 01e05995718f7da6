/* builder/flags.c - see builder/flags.h. */

#include "builder/flags.h"

#include <strings.h>

#include "base/err.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "builder/words.h"

#define FLAGS_MAX 16 /* how many an instruction may know */

/* The character at `at`; its length. */
static size_t character_at(struct str text, size_t at, uint32_t *ret)
{
	return utf8_next((struct str){ text.at + at, text.len - at }, ret);
}

/* Read one word into `word`, without quotes and escapes. Returns its length as written. */
static size_t read_word(struct str text, char escape, struct buf *word)
{
	uint32_t quote = 0;
	size_t at = 0;

	buf_reset(word);
	while (at < text.len) {
		uint32_t c;
		size_t width = character_at(text, at, &c);

		if (!quote && utf8_is_space(c))
			break;
		if (c == (unsigned char)escape) {
			at += width;
			if (at == text.len)
				break; /* one at the very end is dropped */
			width = character_at(text, at, &c);
			buf_add(word, text.at + at, width);
		} else if (quote && c == quote) {
			quote = 0;
		} else if (!quote && (c == '\'' || c == '"')) {
			quote = c;
		} else {
			buf_add(word, text.at + at, width);
		}
		at += width;
	}
	return at;
}

struct words flags_split(struct arena *arena, struct str *rest, char escape)
{
	AUTO(buf) struct buf word = BUF_INIT(SCRIPT_MAX);
	VEC(struct str) found = { 0 };
	struct words ret;
	bool ended = false;

	*rest = utf8_trim(*rest);
	while (!ended && str_starts(*rest, "--")) {
		size_t len = read_word(*rest, escape, &word);

		*rest = utf8_trim_left((struct str){ rest->at + len, rest->len - len });
		ended = str_is(buf_str(&word), "--");
		if (!ended)
			vec_push(&found,
				 (struct str){ arena_text(arena, buf_str(&word)), word.len });
	}
	ret = words_from(arena, found.at, found.len);
	vec_release(&found);
	return ret;
}

static struct flag *find_flag(struct str name, struct flag *flags, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_is(name, flags[i].name))
			return &flags[i];
	return NULL;
}

static struct err *unknown_flag(struct str name, const struct flag *flags, size_t count)
{
	const char *names[FLAGS_MAX];
	const char *nearest;

	for (size_t i = 0; i < count; i++)
		names[i] = flags[i].name;
	nearest = text_nearest(name, names, count);
	if (nearest)
		return err_new(ERR_INVALID, "unknown flag: --%.*s (did you mean --%s?)",
			       STR_ARG(name), nearest);
	return err_new(ERR_INVALID, "unknown flag: --%.*s", STR_ARG(name));
}

static struct err *read_switch(struct flag *flag, const char *value)
{
	if (flag->state != TRISTATE_UNSET)
		return err_new(ERR_INVALID, "duplicate flag: --%s", flag->name);
	if (value && !*value)
		return err_new(ERR_INVALID, "--%s= without a value", flag->name);
	if (!value || strcasecmp(value, "true") == 0)
		flag->state = TRISTATE_TRUE;
	else if (strcasecmp(value, "false") == 0)
		flag->state = TRISTATE_FALSE;
	else
		return err_new(ERR_INVALID, "--%s is either true or false, not %s", flag->name,
			       value);
	return NULL;
}

/* Append to a list that may grow to `most` entries. */
static void list_push(struct arena *arena, struct words *list, size_t most, const char *value)
{
	if (!list->at)
		list->at = arena_array(arena, most + 1, sizeof(*list->at));
	list->at[list->len++] = value;
}

struct err *flags_read(struct arena *arena, const struct words *given, struct flag *flags,
		       size_t count)
{
	for (size_t i = 0; i < given->len; i++) {
		struct str rest = str_of(given->at[i] + 2);
		struct str name = str_cut(&rest, '=');
		const char *value = rest.at; /* NULL without `=` */
		struct flag *flag = find_flag(name, flags, count);

		if (!flag)
			return unknown_flag(name, flags, count);
		if (flag->type == FLAG_SWITCH) {
			TRY(read_switch(flag, value));
			continue;
		}
		if (!value)
			return err_new(ERR_INVALID, "--%s needs a value: --%s=VALUE", flag->name,
				       flag->name);
		if (flag->type == FLAG_LIST) {
			list_push(arena, &flag->list, given->len, value);
			continue;
		}
		if (flag->text)
			return err_new(ERR_INVALID, "duplicate flag: --%s", flag->name);
		flag->text = value;
	}
	return NULL;
}
