/* base/path.c - see base/path.h. */

#include "base/path.h"

#include <string.h>

/* Take the last name away, and the '/' before it; false if there is none but "..". */
static bool drop_last(struct buf *path)
{
	const char *slash = path->len ? memrchr(path->at, '/', path->len) : NULL;
	size_t above = slash ? (size_t)(slash - path->at) : 0;
	size_t begin = slash ? above + 1 : 0;

	if (path->len == 0 || str_is((struct str){ path->at + begin, path->len - begin }, ".."))
		return false;
	path->len = above;
	path->at[above] = '\0';
	return true;
}

static void add_name(struct buf *path, struct str name)
{
	if (path->len > 0)
		buf_addc(path, '/');
	buf_add_str(path, name);
}

bool path_add(struct buf *out, struct str path, enum path_above above)
{
	while (path.len > 0 && !out->over) {
		struct str name = str_cut(&path, '/');

		if (name.len == 0 || str_is(name, "."))
			continue;
		if (!str_is(name, "..")) {
			add_name(out, name);
			continue;
		}
		if (drop_last(out) || above == PATH_STAYS)
			continue;
		if (above == PATH_REFUSED)
			return false;
		add_name(out, name);
	}
	return !out->over;
}
