/* builder/volume.c - see builder/volume.h. */

#include "builder/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/cdi.h"
#include "overlay/detached.h"

static void volume_release(struct volume *volume)
{
	free(volume->source);
	free(volume->target);
}

void volumes_release(struct volumes *volumes)
{
	vec_foreach (volumes, volume)
		volume_release(volume);
	vec_release(volumes);
	strings_release(&volumes->names);
	strings_release(&volumes->env);
}

static struct err *take_options(struct volume *volume, struct str options)
{
	while (options.at) {
		struct str option = str_cut(&options, ',');

		if (str_is(option, "ro") || str_is(option, "rw"))
			volume->read_only = str_is(option, "ro");
		else if (!str_is(option, "z") && !str_is(option, "Z"))
			return err_new(ERR_INVALID, "option '%.*s' is none of: ro, rw, z, Z",
				       STR_ARG(option));
	}
	return NULL;
}

static struct err *take_target(struct volume *volume, struct str text)
{
	AUTO(buf) struct buf clean = BUF_INIT(PATH_MAX);

	if (!str_starts(text, "/") || !path_add(&clean, text, PATH_STAYS) || clean.len == 0)
		return err_new(ERR_INVALID, "'%.*s' is no absolute path below '/'",
			       text.len < 200 ? (int)text.len : 200, text.at);
	volume->target = xasprintf("/%.*s", STR_ARG(buf_str(&clean)));
	return NULL;
}

/* What it is must not depend on where we are: the source is in the key of every RUN. */
static struct err *make_absolute(struct volume *volume)
{
	char *path = realpath(volume->source, NULL);

	if (!path)
		return err_sys("'%.200s'", volume->source);
	free(volume->source);
	volume->source = path;
	return NULL;
}

static struct err *check_source(struct volume *volume)
{
	struct stat st;

	if (stat(volume->source, &st) == 0)
		return make_absolute(volume);
	if (errno == ENOENT || errno == ENOTDIR)
		return err_new(ERR_NOT_FOUND, "'%.200s' is not there", volume->source);
	return err_sys("'%.200s'", volume->source);
}

static struct err *read_volume(const char *text, struct volume *volume)
{
	struct str rest = str_of(text);

	volume->source = str_dup(str_cut(&rest, ':'));
	if (!volume->source[0] || !rest.at)
		return err_new(ERR_INVALID, "'%.200s' is not SOURCE:TARGET[:ro]", text);
	TRY(take_target(volume, str_cut(&rest, ':')));
	TRY(take_options(volume, rest));
	return check_source(volume);
}

static bool is_permissions(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr("rwm", text.at[i]))
			return false;
	return text.len > 0;
}

/* "vendor.example/class=name", right or not */
static bool is_interface_name(const char *text)
{
	return text[0] != '/' && strchr(text, '/') && strchr(text, '=');
}

static struct err *check_device(const struct volume *volume)
{
	struct stat st;

	if (!str_starts(str_of(volume->target), "/dev/"))
		return err_new(ERR_INVALID, "'%.200s' is not below /dev", volume->target);
	if (stat(volume->source, &st) < 0)
		return err_sys("'%.200s'", volume->source);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_new(ERR_INVALID, "'%.200s' is not a device", volume->source);
	return NULL;
}

static struct err *read_device(const char *text, struct volume *volume)
{
	struct str rest = str_of(text);
	struct str place;

	volume->device = true;
	volume->source = str_dup(str_cut(&rest, ':'));
	place = str_cut(&rest, ':');
	if (place.at && !rest.at && is_permissions(place)) {
		rest = place;
		place = (struct str){ 0 };
	}
	if (rest.at && !is_permissions(rest))
		return err_new(ERR_INVALID, "'%.200s' is not PATH[:PLACE][:rwm]", text);
	if (rest.at && !(memchr(rest.at, 'r', rest.len) && memchr(rest.at, 'w', rest.len)))
		return err_new(ERR_UNSUPPORTED,
			       "'%.200s': a device can be given to read and write, and no less",
			       text);
	TRY(take_target(volume, place.at ? place : str_of(volume->source)));
	TRY(check_source(volume));
	return check_device(volume);
}

struct err *volume_open(const struct volume *volume, const struct idmap *idmap, int *ret_fd)
{
	AUTO(fd) int fd = -1;
	AUTO(fd) int mount_fd = -1;

	TRY(file_open(AT_FDCWD, volume->source, O_PATH, 0, FILE_ANYWHERE, &fd));
	if (volume->device)
		return err_wrap(idmap ? detached_node(fd, ret_fd) : detached_device(fd, ret_fd),
				"--device %s", volume->source);
	TRY(err_wrap(detached_clone_all(fd, volume->read_only, &mount_fd), "%s %s",
		     volume->named ? "--device: mount" : "-v", volume->source));
	if (volume->no_set_id || volume->no_exec)
		TRY(detached_restrict(mount_fd, volume->no_set_id, volume->no_exec));
	*ret_fd = STEAL_FD(mount_fd);
	return NULL;
}

static struct err *add(struct volumes *volumes, const char *text,
		       struct err *(*read)(const char *text, struct volume *volume))
{
	struct volume volume = { 0 };
	struct err *err = volumes->len < VOLUMES_MAX ?
				  read(text, &volume) :
				  err_new(ERR_INVALID, "more than %d volumes", VOLUMES_MAX);

	if (err) {
		volume_release(&volume);
		return err;
	}
	vec_push(volumes, volume);
	return NULL;
}

struct err *volumes_add(struct volumes *volumes, const char *text)
{
	return add(volumes, text, read_volume);
}

static struct err *add_named(struct volumes *volumes, struct cdi *cdi, const char *name)
{
	AUTO(cdi_found) struct cdi_found found = { 0 };

	TRY(cdi_find(cdi, name, volumes, &found));
	strings_copy(&volumes->names, &found.names);
	return found.names.len ? NULL : cdi_missing(cdi, name);
}

struct err *volumes_add_device(struct volumes *volumes, struct cdi *cdi, const char *text)
{
	return is_interface_name(text) ? add_named(volumes, cdi, text) :
					 add(volumes, text, read_device);
}

static struct err *check_there(const struct volume *volume)
{
	struct stat st;

	if (stat(volume->source, &st) == 0)
		return volume->device ? check_device(volume) : NULL;
	if (errno == ENOENT || errno == ENOTDIR)
		return err_new(ERR_NOT_FOUND, "'%.200s' is not there", volume->source);
	return err_sys("'%.200s'", volume->source);
}

struct err *volumes_add_copy(struct volumes *volumes, const struct volume *volume)
{
	struct volume *copy;

	if (volumes->len >= VOLUMES_MAX_NAMED)
		return err_new(ERR_INVALID, "more than %d mounts", VOLUMES_MAX_NAMED);
	TRY(check_there(volume));
	copy = vec_add(volumes);
	*copy = *volume;
	copy->named = true;
	copy->source = xstrdup(volume->source);
	copy->target = xstrdup(volume->target);
	return NULL;
}
