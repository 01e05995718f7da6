/* registry/complaint.c - see registry/complaint.h. */

#include "registry/complaint.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "registry/client.h"
#include "registry/url.h"

/* Any JSON member that a person may read; NULL if it is none. */
static const char *text_of(const struct json_at *object, const char *key)
{
	struct json_at member = json_member(object, key);
	const char *text = NULL;
	AUTO(err) struct err *err = json_get_optional_text(&member, &text);

	return err ? NULL : text;
}

/* "CODE: message", of the first error of the list. */
static void tell_first(const struct json_at *root, struct buf *out)
{
	struct json_at list = json_member(root, "errors");
	struct json_at first = json_element(&list, 0);
	const char *code = text_of(&first, "code");
	const char *message = text_of(&first, "message");
	const char *detail = text_of(&first, "detail");

	if (code)
		buf_adds(out, code);
	if (message && *message)
		buf_addf(out, "%s%s", out->len ? ": " : "", message);
	if (detail && *detail)
		buf_addf(out, "%s%s", out->len ? ": " : "", detail);
}

static void tell_json(struct str body, struct buf *out)
{
	AUTO(json) json_t *doc = NULL;
	AUTO(err) struct err *err = json_parse(body, COMPLAINT_BODY_MAX, "the answer", &doc);
	struct json_at root;

	if (err)
		return;
	root = json_root(doc, "the answer");
	tell_first(&root, out);
	for (const char *const *key = (const char *const[]){ "details", "message", "error", NULL };
	     *key && out->len == 0; key++)
		if (text_of(&root, *key))
			buf_adds(out, text_of(&root, *key));
}

/* At most COMPLAINT_SHOWN_MAX bytes, in one line. */
static char *one_line(struct str text)
{
	AUTO(buf) struct buf out = BUF_INIT(COMPLAINT_SHOWN_MAX + 8);
	struct str trimmed = str_trim(text);

	for (size_t i = 0; i < trimmed.len && out.len < COMPLAINT_SHOWN_MAX; i++) {
		char c = trimmed.at[i];

		if (c != '\n' && c != '\r' && c != '\t')
			buf_addc(&out, c);
		else if (out.len && out.at[out.len - 1] != ' ')
			buf_addc(&out, ' ');
	}
	if (trimmed.len > COMPLAINT_SHOWN_MAX)
		buf_adds(&out, "...");
	return buf_steal(&out);
}

char *complaint_text(struct http_response *response)
{
	AUTO(mem) char *type = http_media_type(response);
	AUTO(buf) struct buf body = BUF_INIT(COMPLAINT_BODY_MAX);
	AUTO(buf) struct buf said = BUF_INIT(COMPLAINT_BODY_MAX);
	AUTO(err)
	struct err *err = client_read(response, COMPLAINT_BODY_MAX, "the answer", &body);
	struct str text = str_trim(buf_str(&body));

	if (err || text.len == 0 || strcmp(type, "text/html") == 0 || text.at[0] == '<')
		return xstrdup("");
	if (text.at[0] == '{')
		tell_json(text, &said);
	else if (strcmp(type, "text/plain") == 0 || strcmp(type, "application/json") == 0)
		buf_add_str(&said, text);
	return one_line(buf_str(&said));
}

static enum err_kind kind_of(int status)
{
	switch (status) {
	case 404:
		return ERR_NOT_FOUND;
	case 401:
	case 403:
	case 407:
		return ERR_DENIED;
	case 408:
	case 429:
		return ERR_NETWORK;
	default:
		return status >= 499 ? ERR_NETWORK : ERR_INVALID;
	}
}

struct err *complaint_error(enum http_method method, const char *url, int status, const char *said)
{
	AUTO(mem) char *shown = url_redacted(url);

	return err_new(kind_of(status), "%s %s: %d%s%s", http_method_name(method), shown, status,
		       *said ? ": " : "", said);
}
