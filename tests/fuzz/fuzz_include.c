/*
 * tests/fuzz/fuzz_include.c - a Recipe that is put together includes nothing more, and every line knows
 * where it is from.
 *
 * The input is the Recipe, a NUL, and the one file, "a", that there is to include.
 */

#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "builder/include.h"
#include "builder/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int dir_fd = -1;
static char path[] = "/dev/shm/fuzz-include-XXXXXX";

static void remove_dir(void)
{
	unlinkat(dir_fd, "a", 0);
	rmdir(path);
}

static void open_dir(void)
{
	if (dir_fd >= 0)
		return;
	if (!mkdtemp(path))
		abort();
	atexit(remove_dir);
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(dir_fd >= 0);
}

static void put(struct str text)
{
	int fd = openat(dir_fd, "a", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	AUTO(err) struct err *err = file_write_all(fd, text.at, text.len, "a");

	assert(!err);
	close(fd);
}

static void check(const struct script *script, char escape, const struct include_root *root)
{
	AUTO(script) struct script *again = NULL;
	AUTO(err) struct err *err = include_expand(script, escape, root, &again);
	unsigned line = 0;

	assert(!err && !again);
	for (unsigned i = 1; i <= script_lines(script); i++) {
		const char *name = script_place(script, i, &line);

		assert(strcmp(name, "Recipe") == 0 || strcmp(name, "a") == 0);
		assert(line >= 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct include_root root = { .dir_fd = dir_fd, .path = "Recipe" };
	struct str file = { (const char *)data, size }, text = str_cut(&file, '\0');
	const char escape = size % 2 ? '`' : '\\';
	AUTO(script) struct script *script = NULL;
	AUTO(script) struct script *whole = NULL;
	AUTO(err) struct err *err = NULL;

	open_dir();
	if (root.dir_fd < 0)
		return 0;
	put(file);
	err = script_new("Recipe", text, &script);
	if (!err)
		err = include_expand(script, escape, &root, &whole);
	if (!err && whole)
		check(whole, escape, &root);
	unlinkat(dir_fd, "a", 0);
	return 0;
}
