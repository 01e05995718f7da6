/*
 * registry/config_paths.h - where the configuration of this machine and this user lies.
 *
 * Everything that registry/ reads from the environment and from files of other
 * programs goes through here, so that a test can put a directory and a list of
 * variables in the machine's place. NULL instead of a `struct config_paths` is
 * the real machine, everywhere.
 */
#ifndef REGISTRY_CONFIG_PATHS_H
#define REGISTRY_CONFIG_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/mem.h"

struct buf;
struct err;

struct config_paths {
	const char *root;         /* what stands before "/etc", "/run" and "/var" */
	char *const *environment; /* "NAME=value", NULL-terminated */
	uid_t user;
};

/* The variable's value, borrowed; NULL if it is unset or empty. */
const char *config_variable(const struct config_paths *paths, const char *name);
/* The whole environment, for a child. */
char *const *config_environment(const struct config_paths *paths);
uid_t config_user(const struct config_paths *paths);

/* `path` ("/etc/...") on this machine; owned. */
char *config_system_path(const struct config_paths *paths, const char *path) MUST_USE;
/* `path` below the home directory ($HOME, else what the system knows); owned. NULL if there is
 * none. */
char *config_home_path(const struct config_paths *paths, const char *path) MUST_USE;

#define CONFIG_FILE_MAX ((size_t)512 * 1024) /* of each file of configuration */

/* Append the file to `buf`. One that is not there is no error: `*ret_found` says so. What is no
 * regular file is ERR_INVALID. */
struct err *config_read(const char *path, struct buf *buf, bool *ret_found) MUST_USE;

#endif
