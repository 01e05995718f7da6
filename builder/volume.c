/* builder/volume.c - see builder/volume.h. */

#include "builder/volume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
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

static struct err *check(const struct volume *volume)
{
	struct stat st;

	if (volume->target[0] != '/' || !volume->target[strspn(volume->target, "/.")])
		return err_new(ERR_INVALID, "'%.200s' is no absolute path below '/'",
			       volume->target);
	if (stat(volume->source, &st) == 0)
		return NULL;
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
	volume->target = str_dup(str_cut(&rest, ':'));
	TRY(take_options(volume, rest));
	return check(volume);
}

struct err *volumes_add(struct volumes *volumes, const char *text)
{
	struct volume volume = { 0 };
	struct err *err = read_volume(text, &volume);

	if (err) {
		volume_release(&volume);
		return err;
	}
	vec_push(volumes, volume);
	return NULL;
}
