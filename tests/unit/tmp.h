/*
 * tests/unit/tmp.h - a directory for one test program.
 *
 *	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
 *
 * gives every test `tmp_fd` and `tmp_path`; what is left there is deleted.
 */
#ifndef TESTS_UNIT_TMP_H
#define TESTS_UNIT_TMP_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tests/unit/unit.h"

static int tmp_fd = -1;
static char tmp_path[256];

static inline int tmp_setup(__attribute__((unused)) void **state)
{
	const char *parent = getenv("TMPDIR");

	snprintf(tmp_path, sizeof(tmp_path), "%.200s/cairn-test-XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(tmp_path))
		return -1;
	tmp_fd = open(tmp_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return tmp_fd < 0 ? -1 : 0;
}

static inline int tmp_teardown(__attribute__((unused)) void **state)
{
	AUTO(fd) int parent = -1;
	char *slash = strrchr(tmp_path, '/');

	close(tmp_fd);
	*slash = '\0';
	parent = open(tmp_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(file_remove_tree(parent, slash + 1));
	return 0;
}

#endif
