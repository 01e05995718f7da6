/* builder/attachment.c - see builder/attachment.h. */

#include "builder/attachment.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/mount.h"
#include "builder/points.h"
#include "builder/words.h"
#include "overlay/detached.h"
#include "overlay/export.h"
#include "overlay/owner.h"
#include "overlay/sandbox.h"

#define TMPFS_MODE 01777

static void attachment_release(struct attachment *attachment)
{
	free(attachment->source);
	free(attachment->target);
}

static inline void attachment_auto_(struct attachment *attachment)
{
	attachment_release(attachment);
}

void attachments_release(struct attachments *list)
{
	vec_foreach (list, attachment)
		attachment_release(attachment);
	vec_release(list);
}

/* ---- words ---- */

static struct err *set_target(struct attachment *a, struct str text)
{
	AUTO(buf) struct buf clean = BUF_INIT(PATH_MAX);

	if (!str_starts(text, "/") || !path_add(&clean, text, PATH_STAYS) || clean.len == 0)
		return err_new(ERR_INVALID, "'%.*s' is no absolute path below '/'",
			       text.len < 200 ? (int)text.len : 200, text.at);
	if (str_is(buf_str(&clean), "proc")) /* programs trust what they find there */
		return err_new(ERR_INVALID, "'/proc' is the container's own and cannot be covered");
	free(a->target);
	a->target = xasprintf("/%.*s", STR_ARG(buf_str(&clean)));
	return NULL;
}

/* A path of this machine, without links from here on. */
static struct err *set_path(struct attachment *a, const char *path)
{
	char *real = realpath(path, NULL);

	if (!real && (errno == ENOENT || errno == ENOTDIR))
		return err_new(ERR_NOT_FOUND, "'%.200s' is not there", path);
	if (!real)
		return err_sys("'%.200s'", path);
	free(a->source);
	a->source = real;
	return NULL;
}

static struct err *set_name(struct attachment *a, const char *name)
{
	if (!volume_name_is_valid(name))
		return err_new(ERR_INVALID,
			       "'%.200s' is neither a path, with a '/' in it, nor a "
			       "name of letters, digits, '_', '.' and '-'",
			       name);
	free(a->source);
	a->source = xstrdup(name);
	return NULL;
}

static struct err *set_mode(struct attachment *a, const char *text)
{
	char *end = NULL;
	unsigned long mode = strtoul(text, &end, 8);

	if (text[0] < '0' || text[0] > '7' || *end || mode > 07777)
		return err_new(ERR_INVALID, "mode '%.40s' is no octal number up to 7777", text);
	a->mode = (mode_t)mode;
	return NULL;
}

static bool set_number(struct str value, uint64_t max, uint64_t *ret)
{
	AUTO(err) struct err *err = num_parse(value, 0, max, ret);

	return !err;
}

/* A word behind the target of --tmpfs. `*ret_known` is false for another one. */
static struct err *take_memory_option(struct attachment *a, struct str key, struct str value,
				      bool *ret_known)
{
	AUTO(mem) char *text = str_dup(value.at ? value : STR(""));
	uint64_t number = 0;
	bool good = true;

	*ret_known = true;
	if (!value.at && (str_is(key, "exec") || str_is(key, "noexec")))
		a->no_exec = str_is(key, "noexec");
	else if (value.at && str_is(key, "size"))
		return mount_parse_size(text, &a->size);
	else if (value.at && str_is(key, "mode"))
		return set_mode(a, text);
	else if (value.at && str_is(key, "nr_inodes"))
		good = set_number(value, INT64_MAX, &a->inodes);
	else if (value.at && (str_is(key, "uid") || str_is(key, "gid"))) {
		good = set_number(value, UINT32_MAX - 1, &number);
		*(key.at[0] == 'u' ? &a->uid : &a->gid) = (uint32_t)number;
	} else
		*ret_known = !value.at && (str_is(key, "nosuid") || str_is(key, "nodev"));
	return good ? NULL :
		      err_new(ERR_INVALID, "'%.40s' is no number for %.*s", text, STR_ARG(key));
}

/* An option behind the target, of -v and --tmpfs. */
static struct err *take_option(struct attachment *a, struct str option)
{
	struct str value = option;
	const struct str key = str_cut(&value, '=');
	bool known = false;

	if (!value.at && (str_is(key, "ro") || str_is(key, "rw"))) {
		a->read_only = str_is(key, "ro");
		return NULL;
	}
	if (!value.at && a->kind == ATTACH_VOLUME && str_is(key, "nocopy")) {
		a->no_copy = true;
		return NULL;
	}
	if (!value.at && a->kind != ATTACH_TMPFS && (str_is(key, "z") || str_is(key, "Z")))
		return NULL; /* about labels, which there are none of here */
	if (a->kind == ATTACH_TMPFS)
		TRY(take_memory_option(a, key, value, &known));
	if (known)
		return NULL;
	if (a->kind == ATTACH_TMPFS)
		return err_new(
			ERR_INVALID,
			"option '%.*s' is none of: size=, mode=, uid=, gid=, nr_inodes=, ro, "
			"rw, exec, noexec, nosuid, nodev",
			STR_ARG(option));
	return err_new(ERR_INVALID, "option '%.*s' is none of: ro, rw, nocopy, z, Z",
		       STR_ARG(option));
}

static struct err *take_options(struct attachment *a, struct str options)
{
	while (options.at)
		TRY(take_option(a, str_cut(&options, ',')));
	return NULL;
}

static struct err *read_volume(const char *text, struct attachment *a)
{
	struct str rest = str_of(text);
	AUTO(mem) char *first = str_dup(str_cut(&rest, ':'));

	a->kind = strchr(first, '/') ? ATTACH_BIND : ATTACH_VOLUME;
	if (!rest.at) { /* a volume that goes with the container */
		a->kind = ATTACH_VOLUME;
		return set_target(a, str_of(text));
	}
	TRY(set_target(a, str_cut(&rest, ':')));
	TRY(take_options(a, rest));
	return a->kind == ATTACH_BIND ? set_path(a, first) : set_name(a, first);
}

static struct err *read_tmpfs(const char *text, struct attachment *a)
{
	struct str rest = str_of(text);

	a->kind = ATTACH_TMPFS;
	a->mode = TMPFS_MODE;
	TRY(set_target(a, str_cut(&rest, ':')));
	return take_options(a, rest);
}

/* ---- --mount ---- */

static bool is_one_of(struct str key, const char *a, const char *b, const char *c)
{
	return str_is(key, a) || str_is(key, b) || str_is(key, c);
}

static struct err *set_kind(struct attachment *a, struct str value)
{
	if (str_is(value, "bind"))
		a->kind = ATTACH_BIND;
	else if (str_is(value, "volume"))
		a->kind = ATTACH_VOLUME;
	else if (str_is(value, "tmpfs"))
		a->kind = ATTACH_TMPFS;
	else
		return err_new(ERR_INVALID, "type '%.*s' is none of: bind, volume, tmpfs",
			       STR_ARG(value));
	return NULL;
}

static struct err *set_flag(struct str key, struct str value, bool *ret)
{
	if (!value.at || str_is(value, "true") || str_is(value, "1"))
		*ret = true;
	else if (str_is(value, "false") || str_is(value, "0"))
		*ret = false;
	else
		return err_new(ERR_INVALID, "%.*s is true or false, not '%.*s'", STR_ARG(key),
			       STR_ARG(value));
	return NULL;
}

/* `*source` is what source= says, for when the type is known. */
static struct err *take_field(struct attachment *a, struct str field, char **source)
{
	struct str value = field;
	const struct str key = str_cut(&value, '=');
	AUTO(mem) char *text = str_dup(value.at ? value : STR(""));

	if (is_one_of(key, "readonly", "ro", "ro"))
		return set_flag(key, value, &a->read_only);
	if (str_is(key, "volume-nocopy"))
		return set_flag(key, value, &a->no_copy);
	if (!value.at)
		return err_new(ERR_INVALID, "'%.*s' has no value", STR_ARG(field));
	if (str_is(key, "type"))
		return set_kind(a, value);
	if (is_one_of(key, "target", "dst", "destination"))
		return set_target(a, value);
	if (is_one_of(key, "source", "src", "src")) {
		free(*source);
		*source = STEAL(text);
		return NULL;
	}
	if (str_is(key, "tmpfs-size"))
		return mount_parse_size(text, &a->size);
	if (str_is(key, "tmpfs-mode"))
		return set_mode(a, text);
	if (is_one_of(key, "bind-propagation", "consistency", "bind-nonrecursive"))
		return NULL; /* a container takes nothing back, and sees what is mounted there */
	return err_new(ERR_INVALID,
		       "'%.*s' is none of: type, source, target, readonly, volume-nocopy, "
		       "tmpfs-size, tmpfs-mode",
		       STR_ARG(key));
}

static struct err *finish_mount(struct attachment *a, const char *source)
{
	if (!a->target)
		return err_new(ERR_INVALID, "target= is missing");
	if (a->kind == ATTACH_TMPFS && source)
		return err_new(ERR_INVALID, "a tmpfs has no source");
	if (a->kind == ATTACH_BIND && !source)
		return err_new(ERR_INVALID, "source= is missing");
	if (!source)
		return NULL;
	return a->kind == ATTACH_BIND ? set_path(a, source) : set_name(a, source);
}

static inline void seen_auto_(struct map *seen)
{
	map_release(seen, NULL);
}

static struct err *read_mount(const char *text, struct attachment *a)
{
	AUTO(arena) struct arena arena = { 0 };
	AUTO(mem) char *source = NULL;
	AUTO(seen) struct map seen = MAP_INIT;
	struct words fields;

	a->kind = ATTACH_VOLUME;
	a->mode = TMPFS_MODE;
	TRY(words_csv(&arena, str_of(text), &fields));
	for (size_t i = 0; i < fields.len; i++) {
		struct str rest = str_of(fields.at[i]);
		const struct str key = str_cut(&rest, '=');

		if (map_put(&seen, key, a))
			return err_new(ERR_INVALID, "'%.*s' is said twice", STR_ARG(key));
		TRY(take_field(a, str_of(fields.at[i]), &source));
	}
	return finish_mount(a, source);
}

static struct err *add(struct attachments *list, const char *text,
		       struct err *(*read)(const char *text, struct attachment *a))
{
	AUTO(attachment) struct attachment a = { .kind = ATTACH_BIND };

	if (list->len == ATTACHMENTS_MAX)
		return err_new(ERR_INVALID, "more than %d mounts", ATTACHMENTS_MAX);
	TRY(read(text, &a));
	vec_foreach (list, other)
		if (strcmp(other->target, a.target) == 0)
			return err_new(ERR_INVALID, "two things for '%.200s'", a.target);
	vec_push(list, a);
	a = (struct attachment){ .kind = ATTACH_BIND };
	return NULL;
}

struct err *attachments_add_volume(struct attachments *list, const char *text)
{
	return add(list, text, read_volume);
}

struct err *attachments_add_mount(struct attachments *list, const char *text)
{
	return add(list, text, read_mount);
}

struct err *attachments_add_tmpfs(struct attachments *list, const char *text)
{
	return add(list, text, read_tmpfs);
}

/* ---- opening ---- */

/* A new volume begins with what the image has at its place. */
struct filling {
	const struct attachment *attachment;
	int view_fd;
};

static struct err *fill(void *self, int fs_fd)
{
	const struct filling *filling = self;
	AUTO(fd) int from_fd = -1;
	struct stat st;
	struct err *err;

	if (filling->attachment->no_copy)
		return NULL;
	err = file_open(filling->view_fd, filling->attachment->target, O_RDONLY | O_DIRECTORY, 0,
			FILE_IN_ROOT, &from_fd);
	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err); /* or it is no directory: the mount then says so */
		return NULL;
	}
	TRY(err);
	if (fstat(from_fd, &st) < 0)
		return err_sys("look at '%s'", filling->attachment->target);
	TRY(owner_stat(from_fd, &st));
	TRY(owner_set(fs_fd, st.st_uid, st.st_gid));
	if (fchmod(fs_fd, st.st_mode & 07777) < 0)
		return err_sys("copy the mode of '%s'", filling->attachment->target);
	return export_dir(from_fd, fs_fd);
}

static struct err *open_bind(const struct attachment *a, int *ret_fd)
{
	AUTO(fd) int fd = -1;

	TRY(file_open(AT_FDCWD, a->source, O_PATH, 0, FILE_ANYWHERE, &fd));
	return err_wrap(detached_clone_all(fd, a->read_only, ret_fd), "mount '%s'", a->source);
}

static struct err *open_named(const struct attachment *a, struct store *store, int view_fd,
			      struct volume_dir *dir, int *ret_fd)
{
	struct filling filling = { a, view_fd };

	TRY(volume_dir_open(store, a->source, fill, &filling, dir));
	return detached_clone(dir->fd, a->read_only, ret_fd);
}

/* What has no name is memory that ends with the container. Its mount is held by a descriptor of O_PATH,
 * and such a one sets neither owners nor modes. */
static struct err *open_nameless(const struct attachment *a, int view_fd, int *ret_fd)
{
	struct filling filling = { a, view_fd };
	AUTO(fd) int fs_fd = -1;

	TRY(detached_tmpfs(0755, 0, ret_fd));
	TRY(file_open(*ret_fd, ".", O_RDONLY | O_DIRECTORY, 0, FILE_NO_LINKS, &fs_fd));
	TRY(fill(&filling, fs_fd));
	return a->read_only ? detached_fix(*ret_fd) : NULL;
}

static struct err *open_one(const struct attachment *a, struct store *store, int view_fd,
			    struct volume_dir *dir, int *ret_fd)
{
	if (a->kind == ATTACH_BIND)
		return open_bind(a, ret_fd);
	if (a->kind == ATTACH_TMPFS) {
		const struct detached_memory memory = { .mode = a->mode,
							.uid = a->uid,
							.gid = a->gid,
							.size = a->size,
							.inodes = a->inodes,
							.no_exec = a->no_exec };

		TRY(detached_memory(&memory, ret_fd));
		return a->read_only ? detached_fix(*ret_fd) : NULL;
	}
	if (a->source)
		return open_named(a, store, view_fd, dir, ret_fd);
	return open_nameless(a, view_fd, ret_fd);
}

static struct err *make_point(const struct attachment *a, struct store *store, int view_fd, int fd,
			      struct attached *ret)
{
	struct stat st;

	if (!points_needed(view_fd, a->target))
		return NULL;
	if (!ret->points)
		TRY(layer_begin(store, &ret->points));
	if (fstat(fd, &st) < 0)
		return err_sys("look at what is for '%s'", a->target);
	return points_make(ret->points->fs_fd, view_fd, a->target, S_ISDIR(st.st_mode));
}

static struct err *open_all(const struct attachments *list, struct store *store, int view_fd,
			    struct sandbox_mount *mounts, struct attached *ret)
{
	for (size_t i = 0; i < list->len; i++) {
		const struct attachment *a = &list->at[i];

		mounts[i].target = a->target;
		TRY(open_one(a, store, view_fd, &ret->volumes[i], &mounts[i].fd));
		TRY(make_point(a, store, view_fd, mounts[i].fd, ret));
	}
	return NULL;
}

struct err *attachments_open(const struct attachments *list, struct store *store, int view_fd,
			     struct sandbox_mount *mounts, struct attached *ret)
{
	AUTO(attached) struct attached attached = { .count = list->len };
	struct err *err;

	attached.volumes = xcalloc(list->len + 1, sizeof(*attached.volumes));
	for (size_t i = 0; i < list->len; i++) {
		attached.volumes[i] = VOLUME_DIR_INIT;
		mounts[i] = (struct sandbox_mount){ .fd = -1 };
	}
	err = open_all(list, store, view_fd, mounts, &attached);
	for (size_t i = 0; err && i < list->len; i++)
		if (mounts[i].fd >= 0)
			close(mounts[i].fd);
	TRY(err);
	*ret = attached;
	attached = (struct attached){ .count = 0 };
	return NULL;
}

int attached_points_fd(const struct attached *attached)
{
	return attached->points ? attached->points->fs_fd : -1;
}

void attached_release(struct attached *attached)
{
	for (size_t i = 0; i < attached->count; i++)
		volume_dir_close(&attached->volumes[i]);
	free(attached->volumes);
	layer_stage_free(attached->points);
	*attached = (struct attached){ .count = 0 };
}
