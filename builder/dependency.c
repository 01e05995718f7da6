/* builder/dependency.c - see builder/dependency.h. */

#include "builder/dependency.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/vec.h"
#include "builder/git_url.h"
#include "registry/url.h"

#define SHA1_HEX 40

/* Takes ownership of both texts. */
static void push(struct dependencies *list, char *uri, const char *algorithm, char *hex)
{
	vec_push(list, (struct dependency){ .uri = uri, .algorithm = algorithm, .hex = hex });
}

void dependencies_add(struct dependencies *list, const char *uri, const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];

	push(list, xstrdup(uri), "sha256",
	     xstrdup(digest_format(digest, text) + strlen("sha256:")));
}

void dependencies_add_web(struct dependencies *list, const char *url, const struct digest *digest)
{
	AUTO(mem) char *shown = url_redacted(url);

	dependencies_add(list, shown, digest);
}

void dependencies_add_git(struct dependencies *list, const struct git_url *url, const char *commit)
{
	AUTO(mem) char *shown = url_without_logins(url->remote);
	char *uri = url->ref ? xasprintf("%s#%s", shown, url->ref) : xstrdup(shown);

	push(list, uri, strlen(commit) == SHA1_HEX ? "sha1" : "sha256", xstrdup(commit));
}

void dependencies_copy(struct dependencies *to, const struct dependencies *from)
{
	vec_foreach (from, dependency)
		push(to, xstrdup(dependency->uri), dependency->algorithm, xstrdup(dependency->hex));
}

static int compare(const void *one, const void *other)
{
	const struct dependency *a = one, *b = other;
	int order = strcmp(a->uri, b->uri);

	return order ? order : strcmp(a->hex, b->hex);
}

static void dependency_release(struct dependency *dependency)
{
	free(dependency->uri);
	free(dependency->hex);
}

void dependencies_sort(struct dependencies *list)
{
	size_t kept = 0;

	if (list->len == 0)
		return;
	qsort(list->at, list->len, sizeof(*list->at), compare);
	for (size_t i = 1; i < list->len; i++) {
		if (compare(&list->at[kept], &list->at[i]) == 0)
			dependency_release(&list->at[i]);
		else
			list->at[++kept] = list->at[i];
	}
	list->len = kept + 1;
}

void dependencies_release(struct dependencies *list)
{
	vec_foreach (list, dependency)
		dependency_release(dependency);
	vec_release(list);
}
