/* registry/http_message.c - what is said of a response without a connection. See registry/http.h. */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/vec.h"
#include "registry/http.h"

const char *http_method_name(enum http_method method)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
		[HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
	};

	return names[method];
}

void http_response_free(struct http_response *response)
{
	if (!response)
		return;
	strings_release(&response->headers);
	source_free(response->body);
	free(response->url);
	free(response);
}

/* What stands behind "name:" without blanks in front, or NULL if the line is another header. */
static const char *value_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	return line + strspn(line, " \t");
}

const char *http_header_next(const struct http_response *response, const char *name, size_t *at)
{
	while (*at < response->headers.len) {
		const char *value = value_of(response->headers.at[(*at)++], name);

		if (value)
			return value;
	}
	return NULL;
}

const char *http_header(const struct http_response *response, const char *name)
{
	size_t at = 0;

	return http_header_next(response, name, &at);
}

char *http_media_type(const struct http_response *response)
{
	struct str rest = str_of(http_header(response, "Content-Type"));
	char *type = str_dup(str_trim(str_cut(&rest, ';')));

	for (char *c = type; *c; c++) { /* ASCII alone, whatever the locale */
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return type;
}
