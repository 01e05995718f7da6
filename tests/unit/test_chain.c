/* tests/unit/test_chain.c - a walk keeps its place with a bounded number of descriptors. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tar.h"
#include "overlay/chain.h"
#include "tests/unit/tmp.h"

/* Make a directory where the chain stands, and go there. */
static void descend(struct chain *chain, const char *name)
{
	int dir_fd, fd;

	assert_ok(chain_fd(chain, &dir_fd));
	assert_int_equal(mkdirat(dir_fd, name, 0755), 0);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(chain_push(chain, name, fd));
}

static ino_t inode_here(struct chain *chain)
{
	struct stat st;
	int fd;

	assert_ok(chain_fd(chain, &fd));
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

TEST(every_level_is_found_again_on_the_way_up)
{
	enum { DEPTH = 3 * CHAIN_OPEN };
	AUTO(chain) struct chain chain;
	ino_t inodes[DEPTH + 1];
	int open_levels = 0;

	chain_init(&chain, tmp_fd);
	assert_string_equal(chain_path(&chain), "");
	inodes[0] = inode_here(&chain);
	for (size_t i = 1; i <= DEPTH; i++) {
		descend(&chain, i % 2 ? "odd" : "even");
		inodes[i] = inode_here(&chain);
	}
	for (size_t i = 0; i < chain.len; i++)
		open_levels += chain.at[i].fd >= 0;
	assert_int_equal(open_levels, CHAIN_OPEN);

	for (size_t i = DEPTH; i > 0; i--) {
		assert_int_equal(inode_here(&chain), inodes[i]);
		/* "odd", "even", each with a '/' but the first */
		assert_int_equal(strlen(chain_path(&chain)), i * 4 + i / 2 - 1);
		chain_pop(&chain);
	}
	assert_int_equal(inode_here(&chain), inodes[0]);
	assert_string_equal(chain_path(&chain), "");
}

TEST(a_link_in_the_place_of_a_level_is_not_followed)
{
	AUTO(chain) struct chain chain;
	int fd;

	chain_init(&chain, tmp_fd);
	descend(&chain, "a");
	assert_ok(chain_push(&chain, "b", -1)); /* as after it was closed */
	assert_int_equal(symlinkat(tmp_path, tmp_fd, "a/b"), 0);
	assert_fails(chain_fd(&chain, &fd), ERR_SYSTEM);
}

TEST(a_path_is_no_longer_than_a_tar_can_name)
{
	AUTO(chain) struct chain chain;
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	chain_init(&chain, tmp_fd);
	for (int i = 0; i < 16; i++)
		assert_ok(chain_push(&chain, name, -1));
	/* With its '/' behind it a directory's path has TAR_PATH_MAX bytes now. */
	assert_int_equal(chain.path.len, TAR_PATH_MAX - 1);
	assert_fails(chain_push(&chain, "x", -1), ERR_INVALID);
	assert_int_equal(chain.len, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_level_is_found_again_on_the_way_up),
		cmocka_unit_test(a_link_in_the_place_of_a_level_is_not_followed),
		cmocka_unit_test(a_path_is_no_longer_than_a_tar_can_name),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
