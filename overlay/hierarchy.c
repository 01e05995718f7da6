/* overlay/hierarchy.c - see overlay/hierarchy-private.h. */

#include "overlay/hierarchy-private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/vec.h"

#define PROC_MAX ((size_t)16 * 1024 * 1024) /* a machine may have very many mounts */

/* What a line of mountinfo says of a mount of ours; borrowed from it. */
struct mounted {
	struct str root, point, type, options;
};

bool hierarchy_lists(const char *controllers, char separator, const char *controller)
{
	struct str rest = str_of(controllers);

	while (rest.at)
		if (str_is(str_trim(str_cut(&rest, separator)), controller))
			return true;
	return false;
}

const struct hierarchy *hierarchies_with(const struct hierarchies *list, const char *controller)
{
	vec_foreach (list, h)
		if (hierarchy_lists(h->controllers, ',', controller))
			return h;
	return NULL;
}

/* proc(5): ID PARENT MAJOR:MINOR ROOT POINT OPTIONS OPTIONAL… - TYPE SOURCE SUPER-OPTIONS. */
static struct mounted read_mount(struct str line)
{
	struct mounted mount = { 0 };

	for (unsigned i = 0; i < 3; i++)
		str_cut(&line, ' ');
	mount.root = str_cut(&line, ' ');
	mount.point = str_cut(&line, ' ');
	while (line.at && !str_is(str_cut(&line, ' '), "-"))
		;
	mount.type = str_cut(&line, ' ');
	str_cut(&line, ' ');
	mount.options = line;
	return mount;
}

/* The kernel writes blanks and backslashes of a path as \040. */
static char *unescape(struct str s)
{
	AUTO(buf) struct buf text = BUF_INIT(PROC_MAX);

	for (size_t i = 0; i < s.len; i++) {
		uint64_t byte = 0;
		AUTO(err) struct err *err = NULL;

		if (s.at[i] != '\\' || i + 3 >= s.len) {
			buf_addc(&text, s.at[i]);
			continue;
		}
		err = num_parse_octal((struct str){ s.at + i + 1, 3 }, 255, &byte);
		buf_addc(&text, (char)(err ? (unsigned char)s.at[i] : byte));
		i += err ? 0 : 3;
	}
	return buf_steal(&text);
}

/* Where the group at `path` is, seen through a mount. One outside of what is mounted, as in a
 * container that has not got its own, is taken to be its top. */
static char *translate(const char *point, const char *root, struct str path)
{
	size_t len = strlen(root);

	while (len > 0 && root[len - 1] == '/')
		len--;
	if (path.len >= len && memcmp(path.at, root, len) == 0 &&
	    (path.len == len || path.at[len] == '/') && !str_starts(path, "/..")) {
		struct str below = { path.at + len, path.len - len };

		while (below.len > 0 && below.at[below.len - 1] == '/')
			below.len--;
		return xasprintf("%s%.*s", point, STR_ARG(below));
	}
	return xstrdup(point);
}

/* The controllers at the top of the unified tree, cut by commas. */
static char *unified_controllers(int root_fd, const char *point)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	AUTO(mem) char *path = xasprintf("%s/cgroup.controllers", point);
	AUTO(err) struct err *err = file_read(root_fd, path, text.max, &text);
	char *list;

	if (err) /* before Linux 4.5, or not for us to read: as good as none */
		return xstrdup("");
	list = str_dup(str_trim(buf_str(&text)));
	for (char *p = list; *p; p++)
		if (*p == ' ')
			*p = ',';
	return list;
}

static bool is_mount_of(const struct mounted *mount, struct str controllers)
{
	AUTO(mem) char *first = str_dup(str_cut(&controllers, ','));
	AUTO(mem) char *options = str_dup(mount->options);

	if (!*first)
		return str_is(mount->type, "cgroup2");
	return str_is(mount->type, "cgroup") && hierarchy_lists(options, ',', first);
}

/* One line of /proc/self/cgroup, "ID:CONTROLLERS:PATH", and where that is mounted. */
static void add_hierarchy(int root_fd, struct str line, struct str mounts, struct hierarchies *ret)
{
	struct str controllers;

	str_cut(&line, ':');
	controllers = str_cut(&line, ':');
	if (!line.at || str_starts(controllers, "name="))
		return;
	while (mounts.at) {
		const struct mounted mount = read_mount(str_cut(&mounts, '\n'));
		AUTO(mem) char *root = NULL;
		AUTO(mem) char *point = NULL;
		struct hierarchy h = { .unified = controllers.len == 0 };

		if (!is_mount_of(&mount, controllers))
			continue;
		root = unescape(mount.root);
		point = unescape(mount.point);
		h.mount = xstrdup(point + strspn(point, "/"));
		h.own = translate(h.mount, root, line);
		h.controllers =
			h.unified ? unified_controllers(root_fd, h.mount) : str_dup(controllers);
		vec_push(ret, h);
		return;
	}
}

/* "self" is a link, to a directory beside it. */
static struct err *read_proc(int root_fd, const char *path, struct buf *ret)
{
	AUTO(fd) int fd = -1;

	TRY(file_open(root_fd, path, O_RDONLY, 0, FILE_BENEATH, &fd));
	return file_read_fd(fd, path, PROC_MAX, ret);
}

struct err *hierarchies_find(int root_fd, struct hierarchies *ret)
{
	AUTO(buf) struct buf groups = BUF_INIT(PROC_MAX);
	AUTO(buf) struct buf mounts = BUF_INIT(PROC_MAX);
	struct str rest;
	struct err *err = read_proc(root_fd, "proc/self/cgroup", &groups);

	if (err_kind(err) == ERR_NOT_FOUND) { /* a kernel without control groups */
		err_free(err);
		return NULL;
	}
	TRY(err);
	TRY(read_proc(root_fd, "proc/self/mountinfo", &mounts));
	rest = buf_str(&groups);
	while (rest.at)
		add_hierarchy(root_fd, str_cut(&rest, '\n'), buf_str(&mounts), ret);
	return NULL;
}

void hierarchies_release(struct hierarchies *list)
{
	vec_foreach (list, h) {
		free(h->controllers);
		free(h->mount);
		free(h->own);
	}
	vec_release(list);
}
