/* builder/volume.c - see builder/volume.h. */

#include "builder/volume.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"

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

struct err *volumes_add(struct volumes *volumes, const char *text)
{
	struct volume volume = { 0 };
	struct err *err = volumes->len < VOLUMES_MAX ?
				  read_volume(text, &volume) :
				  err_new(ERR_INVALID, "more than %d volumes", VOLUMES_MAX);

	if (err) {
		volume_release(&volume);
		return err;
	}
	vec_push(volumes, volume);
	return NULL;
}
