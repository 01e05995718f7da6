/* registry/loaded.c - see registry/loaded.h. */

#include "registry/loaded.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "registry/reference.h"

void loaded_add(struct loaded_list *list, const char *name, const struct descriptor *target,
		const struct platform *platform)
{
	vec_push(list, (struct loaded){ xstrdup(name), *target, *platform });
}

bool loaded_is_called(const char *called, const char *name)
{
	AUTO(mem) char *want = NULL;
	AUTO(mem) char *have = NULL;
	AUTO(err) struct err *bad = NULL;

	if (!called)
		return false;
	if (strcmp(called, name) == 0)
		return true;
	bad = reference_normalize(name, &want);
	if (!bad)
		bad = reference_normalize(called, &have);
	return !bad && strcmp(want, have) == 0;
}

void loaded_list_release(struct loaded_list *list)
{
	vec_foreach (list, loaded)
		free(loaded->name);
	vec_release(list);
}
