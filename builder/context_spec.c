/* builder/context_spec.c - see builder/context_spec.h. */

#include "builder/context_spec.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"
#include "builder/git_url.h"
#include "builder/web_source.h"
#include "registry/reference.h"

const char *const context_mode_names[] = { "exact", "git", NULL };

static bool starts(const char *text, const char *prefix)
{
	return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* ---- images ---- */

static struct err *read_image(const char *name, struct context_spec *ret)
{
	struct reference ref;

	TRY(reference_parse(name, &ref));
	ret->kind = CONTEXT_IMAGE;
	ret->value = xstrdup(name);
	return NULL;
}

static bool is_tag(struct str text)
{
	return text.len > 0 && text.len <= REFERENCE_TAG_MAX && !memchr(text.at, '/', text.len);
}

static struct err *read_layout(const char *text, struct context_spec *ret)
{
	struct str path = str_of(text);
	const char *at = strrchr(text, '@'), *colon;

	ret->kind = CONTEXT_LAYOUT;
	if (at && strchr(at, ':')) {
		struct digest digest;

		TRY(digest_parse(at + 1, &digest));
		ret->digest = xstrdup(at + 1);
		path.len = (size_t)(at - text);
	}
	colon = memrchr(path.at, ':', path.len);
	if (colon) {
		struct str tag = { colon + 1, path.len - (size_t)(colon + 1 - path.at) };

		if (is_tag(tag)) {
			ret->tag = str_dup(tag);
			path.len = (size_t)(colon - path.at);
		}
	}
	if (path.len == 0)
		return err_new(ERR_INVALID, "an OCI layout needs a directory");
	ret->value = str_dup(path);
	return NULL;
}

/* ---- the whole ---- */

static struct err *read_named(const char *text, struct context_spec *ret)
{
	static const char *const images[] = { "docker-image://", "container-image://",
					      "docker://" };

	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		if (starts(text, images[i]))
			return read_image(text + strlen(images[i]), ret);
	return starts(text, "oci-layout://") ? read_layout(text + strlen("oci-layout://"), ret) :
					       NULL;
}

/* A scheme as RFC 3986 has it, with "://" behind it. */
static bool has_scheme(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789+-.");

	return len > 0 && strncmp(text + len, "://", 3) == 0;
}

/* A directory, a URL, or standard input. */
static struct err *read_plain(const char *text, bool named, struct context_spec *ret)
{
	AUTO(git_url) struct git_url url = { 0 };
	bool is_git;

	TRY(git_url_parse(text, GIT_URL_CONTEXT, &is_git, &url));
	ret->maybe_path = is_git && starts(text, "github.com/");
	if (is_git)
		ret->kind = CONTEXT_GIT;
	else if (strcmp(text, "-") == 0 && !named)
		ret->kind = CONTEXT_STDIN;
	else if (web_source_is_url(text))
		ret->kind = CONTEXT_WEB;
	else if (has_scheme(text))
		return err_new(ERR_INVALID, "'%.*s://' is no kind of context that there is here",
			       (int)strcspn(text, ":"), text);
	ret->value = xstrdup(text);
	return NULL;
}

struct err *context_spec_parse(const char *text, bool named, struct context_spec *ret)
{
	AUTO(context_spec) struct context_spec spec = { .kind = CONTEXT_DIRECTORY };

	if (!text[0])
		return err_new(ERR_INVALID, "the name of a directory is empty");
	if (named)
		TRY(read_named(text, &spec));
	if (!spec.value)
		TRY(read_plain(text, named, &spec));
	*ret = spec;
	spec = (struct context_spec){ 0 };
	return NULL;
}

void context_spec_release(struct context_spec *spec)
{
	free(spec->value);
	free(spec->tag);
	free(spec->digest);
	*spec = (struct context_spec){ 0 };
}
