/* base/subid.c - see base/subid.h. */

#include "base/subid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

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

/* Its complaints are nobody's. */
static void run(const char *user, bool groups, int out_fd)
{
	const char *const argv[] = { "getsubids", groups ? "-g" : user, groups ? user : NULL,
				     NULL };
	const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null_fd, 0);
	dup2(out_fd, 1);
	dup2(null_fd, 2);
	execvp(argv[0], (char *const *)(uintptr_t)argv); /* NOLINT */
	_exit(127);
}

size_t subid_ask(const char *user, bool groups, struct userns_range ret[static USERNS_RANGES_MAX])
{
	char text[ANSWER_MAX];
	size_t len = 0;
	ssize_t got = 1;
	int ends[2], status = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	pid = fork();
	if (pid == 0)
		run(user, groups, ends[1]);
	close(ends[1]);
	while (got > 0 && len < sizeof(text)) {
		do
			got = read(ends[0], text + len, sizeof(text) - len);
		while (got < 0 && errno == EINTR);
		len += got > 0 ? (size_t)got : 0;
	}
	close(ends[0]); /* whoever says too much has no reader any more */
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0 || status != 0)
		return 0;
	return subid_parse_answer((struct str){ text, len }, ret);
}
