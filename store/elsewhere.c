/* store/elsewhere.c - see store/elsewhere.h. */

#include "store/elsewhere.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "store/store-private.h"

#define FILE_MAX ((size_t)256 * 1024)
#define URL_LENGTH_MAX 8192 /* an upload's URL that is longer is not kept */

static void read_lines(struct store *store, const struct digest *digest, struct strings *ret)
{
	char path[STORE_PATH_SIZE];
	AUTO(buf) struct buf text = BUF_INIT(FILE_MAX);
	AUTO(err)
	struct err *err = file_read(store->root_fd, store_hex_path("elsewhere/", digest, path),
				    FILE_MAX, &text);
	struct str rest = buf_str(&text);

	while (!err && rest.len) {
		AUTO(mem) char *line = str_dup(str_cut(&rest, '\n'));

		strings_push(ret, line);
	}
}

/* Write `first` and the old lines but those that begin with `without`; both may be NULL. */
static void write_lines(struct store *store, const struct digest *digest, const char *first,
			const char *without, const char *kind)
{
	AUTO(strings) struct strings old = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(FILE_MAX);
	char hex[STORE_PATH_SIZE];
	unsigned of_kind = first ? 1 : 0;
	AUTO(fd) int dir_fd = -1;
	AUTO(err) struct err *err = NULL;

	read_lines(store, digest, &old);
	if (first)
		buf_addf(&text, "%s\n", first);
	vec_foreach (&old, line) {
		if (without && strncmp(*line, without, strlen(without)) == 0)
			continue;
		if (strncmp(*line, kind, strlen(kind)) == 0 && ++of_kind > ELSEWHERE_MAX)
			continue;
		buf_addf(&text, "%s\n", *line);
	}
	if (text.over)
		return;
	err = file_make_dirs(store->root_fd, "elsewhere", 0700, &dir_fd);
	if (err)
		return;
	/* What is not noted is asked for again. */
	err_free(file_replace(dir_fd, store_hex_path("", digest, hex), buf_str(&text), 0600,
			      FILE_QUICK));
}

void elsewhere_add(struct store *store, const struct digest *digest, const char *repository)
{
	AUTO(mem) char *line = xasprintf("has %s", repository);
	AUTO(strings) struct strings old = { 0 };

	read_lines(store, digest, &old);
	vec_foreach (&old, have)
		if (strcmp(*have, line) == 0)
			return;
	write_lines(store, digest, line, NULL, "has ");
}

void elsewhere_list(struct store *store, const struct digest *digest, const char *host,
		    struct strings *ret)
{
	AUTO(mem) char *start = xasprintf("has %s/", host);
	AUTO(strings) struct strings lines = { 0 };

	read_lines(store, digest, &lines);
	vec_foreach (&lines, line)
		if (strncmp(*line, start, strlen(start)) == 0)
			strings_push(ret, *line + strlen(start));
}

void elsewhere_set_upload(struct store *store, const struct digest *digest, const char *repository,
			  const char *url)
{
	AUTO(mem) char *start = xasprintf("upload %s ", repository);
	AUTO(mem) char *line = NULL;

	if (url && (strlen(url) > URL_LENGTH_MAX || strchr(url, '\n')))
		url = NULL;
	if (url)
		line = xasprintf("%s%jd %s", start, (intmax_t)clock_now().tv_sec, url);
	write_lines(store, digest, line, start, "upload ");
}

char *elsewhere_upload(struct store *store, const struct digest *digest, const char *repository)
{
	AUTO(mem) char *start = xasprintf("upload %s ", repository);
	AUTO(strings) struct strings lines = { 0 };
	const uint64_t now = (uint64_t)clock_now().tv_sec;

	read_lines(store, digest, &lines);
	vec_foreach (&lines, line) {
		struct str url, begun;
		uint64_t when = 0;
		AUTO(err) struct err *err = NULL;

		if (strncmp(*line, start, strlen(start)) != 0)
			continue;
		url = str_of(*line + strlen(start));
		begun = str_cut(&url, ' ');
		err = num_parse(begun, 0, INT64_MAX, &when);
		if (!err && url.len && when <= now && now - when < ELSEWHERE_UPLOAD_AGE)
			return str_dup(url);
	}
	return NULL;
}
