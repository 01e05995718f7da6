/* base/subid.c - see base/subid.h. */

#include "base/subid.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/tool.h"

#define NSSWITCH "/etc/nsswitch.conf"
#define NSSWITCH_MAX ((size_t)64 * 1024)
#define ANSWER_MAX ((size_t)8 * 1024) /* of USERNS_RANGES_MAX ranges with long names */

/* The next word of `text`; empty at its end. */
static struct str next_word(struct str *text)
{
	size_t begin = 0, end;
	struct str word;

	while (begin < text->len && strchr(" \t\r", text->at[begin]))
		begin++;
	end = begin;
	while (end < text->len && !strchr(" \t\r", text->at[end]))
		end++;
	word = (struct str){ text->at + begin, end - begin };
	*text = (struct str){ text->at + end, text->len - end };
	return word;
}

char *subid_parse_source(struct str text)
{
	while (text.len) {
		struct str line = str_cut(&text, '\n');
		struct str rest = str_cut(&line, '#');
		struct str source;

		if (!str_is(str_trim(str_cut(&rest, ':')), "subid"))
			continue;
		source = next_word(&rest);
		return source.len && !str_is(source, "files") ? str_dup(source) : NULL;
	}
	return NULL;
}

static bool read_number(struct str word, uint32_t *ret)
{
	uint64_t number;
	AUTO(err) struct err *bad = num_parse(word, 0, UINT32_MAX - 1, &number);

	if (bad)
		return false;
	*ret = (uint32_t)number;
	return true;
}

size_t subid_parse_answer(struct str text, struct userns_range ret[static USERNS_RANGES_MAX])
{
	size_t count = 0;

	while (text.len && count < USERNS_RANGES_MAX) {
		struct str line = str_cut(&text, '\n');
		struct userns_range range;

		next_word(&line); /* a number */
		next_word(&line); /* the user */
		if (read_number(next_word(&line), &range.first) &&
		    read_number(next_word(&line), &range.count) && range.count &&
		    range.first <= UINT32_MAX - range.count)
			ret[count++] = range;
	}
	return count;
}

char *subid_source(void)
{
	AUTO(buf) struct buf text = BUF_INIT(NSSWITCH_MAX);
	AUTO(err) struct err *err = file_read(AT_FDCWD, NSSWITCH, NSSWITCH_MAX, &text);

	return err ? NULL : subid_parse_source(buf_str(&text));
}

unsigned subid_patience = 5000;

size_t subid_ask(const char *user, bool groups, struct userns_range ret[static USERNS_RANGES_MAX],
		 bool *ret_silent)
{
	const char *const argv[] = { "getsubids", groups ? "-g" : user, groups ? user : NULL,
				     NULL };
	AUTO(buf) struct buf out = BUF_INIT(ANSWER_MAX);
	AUTO(tool_end) struct tool_end end = { 0 };
	const struct tool tool = { .argv = argv,
				   .environment = (const char *const *)environ,
				   .dir_fd = -1,
				   .out_fd = -1,
				   .out = &out,
				   .silence = subid_patience };
	AUTO(err) struct err *err = tool_run(&tool, &end);

	*ret_silent = err_kind(err) == ERR_NETWORK;
	return err || end.code ? 0 : subid_parse_answer(buf_str(&out), ret);
}
