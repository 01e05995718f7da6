/* registry/loaded.c - see registry/loaded.h. */

#include "registry/loaded.h"

#include "base/str.h"
#include "base/vec.h"

void loaded_add(struct loaded_list *list, const char *name, const struct descriptor *target,
		const struct platform *platform)
{
	vec_push(list, (struct loaded){ xstrdup(name), *target, *platform });
}

void loaded_list_release(struct loaded_list *list)
{
	vec_foreach (list, loaded)
		free(loaded->name);
	vec_release(list);
}
