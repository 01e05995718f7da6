/* registry/config_paths.c - see registry/config_paths.h. */

#include "registry/config_paths.h"

#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/userns.h"

char *const *config_environment(const struct config_paths *paths)
{
	return paths ? paths->environment : environ;
}

const char *config_variable(const struct config_paths *paths, const char *name)
{
	size_t len = strlen(name);

	for (char *const *at = config_environment(paths); *at; at++)
		if (strncmp(*at, name, len) == 0 && (*at)[len] == '=')
			return (*at)[len + 1] ? *at + len + 1 : NULL;
	return NULL;
}

uid_t config_user(const struct config_paths *paths)
{
	return paths ? paths->user : userns_outer_uid();
}

char *config_system_path(const struct config_paths *paths, const char *path)
{
	return xasprintf("%s%s", paths ? paths->root : "", path);
}

char *config_home_path(const struct config_paths *paths, const char *path)
{
	const char *home = config_variable(paths, "HOME");
	struct passwd record;
	struct passwd *found = NULL;
	char text[4096];

	if (!home && !paths &&
	    getpwuid_r(userns_outer_uid(), &record, text, sizeof(text), &found) == 0 && found)
		home = found->pw_dir;
	return home && home[0] ? xasprintf("%s/%s", home, path) : NULL;
}

struct err *config_read(const char *path, struct buf *buf, bool *ret_found)
{
	struct err *err = file_read(AT_FDCWD, path, CONFIG_FILE_MAX, buf);

	*ret_found = err_kind(err) != ERR_NOT_FOUND;
	if (*ret_found)
		return err;
	err_free(err); /* most of these files are not there */
	return NULL;
}
