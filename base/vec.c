/* base/vec.c - see base/vec.h. */

#include "base/vec.h"

#include "base/str.h"

void *vec_grow_(void *at, size_t *cap, size_t need, size_t size)
{
	size_t more = *cap ? *cap : 8;

	while (more < need)
		more *= 2;
	if (more == *cap)
		more *= 2;
	*cap = more;
	return xrealloc(at, more, size);
}

void strings_push(struct strings *list, const char *text)
{
	vec_push(list, xstrdup(text));
}

void strings_release(struct strings *list)
{
	vec_foreach (list, text)
		free(*text);
	vec_release(list);
}

void strings_copy(struct strings *to, const struct strings *from)
{
	vec_foreach (from, text)
		strings_push(to, *text);
}

char *const *strings_argv(struct strings *list)
{
	vec_push(list, NULL);
	list->len--;
	return list->at;
}
