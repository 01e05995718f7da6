/*
 * tests/unit/machine.h - a machine of its own for tests of what is read from its configuration.
 *
 * Its root and home are below the directory of tests/unit/tmp.h: "etc/..." and "home/...".
 * machine_reset() empties both.
 */
#ifndef TESTS_UNIT_MACHINE_H
#define TESTS_UNIT_MACHINE_H

#include "base/str.h"
#include "base/vec.h"
#include "registry/config_paths.h"
#include "tests/unit/tmp.h"

static struct strings machine_variables;
static struct config_paths machine = { .root = tmp_path, .user = 1234 };

static inline void machine_set(const char *name, const char *value)
{
	vec_push(&machine_variables, xasprintf("%s=%s", name, value));
	machine.environment = strings_argv(&machine_variables);
}

/* A path below the machine's root; the text is good until eight more were asked for. */
static inline const char *machine_path(const char *path)
{
	static char texts[8][512];
	static size_t next;
	char *text = texts[next++ % ARRAY_SIZE(texts)];

	snprintf(text, sizeof(texts[0]), "%s/%s", tmp_path, path);
	return text;
}

static inline int machine_reset(__attribute__((unused)) void **state)
{
	static const char *const parts[] = { "etc", "home", "run", "var", "other" };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		assert_ok(file_remove_tree(tmp_fd, parts[i]));
	strings_release(&machine_variables);
	machine_set("PATH", "/usr/bin:/bin");
	vec_push(&machine_variables, xasprintf("HOME=%s/home", tmp_path));
	machine.environment = strings_argv(&machine_variables);
	return 0;
}

/* A file with its directories. */
static inline void machine_put(const char *path, const char *text)
{
	AUTO(mem) char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	AUTO(fd) int fd = -1;

	*slash = '\0';
	assert_ok(file_make_dirs(tmp_fd, dir, 0755, &fd));
	assert_ok(file_replace(fd, slash + 1, str_of(text), 0755, FILE_QUICK));
}

#endif
