/* tests/unit/test_user.c - USER is looked up in the image, and nothing wraps into root. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "overlay/user.h"

#define PASSWD                                      \
	"root:x:0:0:root:/root:/bin/sh\n"           \
	"daemon:x:1:1:daemon:/usr/sbin:/bin/no\n"   \
	"# a comment\n"                             \
	"broken:x:abc:5::/:\n"                      \
	"huge:x:4294967296:0::/:\n"                 \
	"wrap:x:2147483648:0::/:\n"                 \
	"nogid:x:7\n"                               \
	"app:x:1000:1001:An App:/home/app:/bin/s\n" \
	"1234:x:77:78::/digits:/bin/sh\n"           \
	"homeless:x:1002:1002:::\n"                 \
	"app:x:5:5::/second:/bin/sh"
#define GROUP                              \
	"root:x:0:root\n"                  \
	"wheel:x:10:daemon,root,app\n"     \
	"apps:x:1001:\n"                   \
	"video:x:44:app\n"                 \
	"audio:x:29:applause,app\n"        \
	"video2:x:44:app\n"                \
	"bad:x:-1:app\n"                   \
	"big:x:99999999999999999999:app\n" \
	"last:x:500:app\r\n"

static struct err *look_up(const char *text, struct user *ret)
{
	return user_look_up(str_of(text), STR(PASSWD), STR(GROUP), ret);
}

TEST(understands_every_form)
{
	static const struct {
		const char *text;
		uid_t uid;
		gid_t gid;
		const char *home;
		gid_t groups[6];
		size_t group_count;
	} cases[] = {
		{ "", 0, 0, "/root", { 0, 10 }, 2 },
		{ "root", 0, 0, "/root", { 0, 10 }, 2 },
		{ "0", 0, 0, "/root", { 0, 10 }, 2 },
		{ "app", 1000, 1001, "/home/app", { 10, 29, 44, 500, 1001 }, 5 },
		{ "1000", 1000, 1001, "/home/app", { 10, 29, 44, 500, 1001 }, 5 },
		{ "4242", 4242, 0, "/", { 0 }, 1 },
		{ "app:video", 1000, 44, "/home/app", { 44 }, 1 },
		{ "app:7", 1000, 7, "/home/app", { 7 }, 1 },
		{ "1000:1000", 1000, 1000, "/home/app", { 1000 }, 1 },
		{ "4242:wheel", 4242, 10, "/", { 10 }, 1 },
		{ "app:root", 1000, 0, "/home/app", { 0 }, 1 },
		{ "app:", 1000, 1001, "/home/app", { 10, 29, 44, 500, 1001 }, 5 },
		{ ":video", 0, 44, "/root", { 44 }, 1 },
		{ "homeless", 1002, 1002, "/", { 1002 }, 1 },
		{ "1234", 1234, 0, "/", { 0 }, 1 }, /* digits are never a name */
		{ "2147483647:2147483647", INT32_MAX, INT32_MAX, "/", { INT32_MAX }, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(user) struct user user = { 0 };

		assert_ok(look_up(cases[i].text, &user));
		assert_int_equal(user.uid, cases[i].uid);
		assert_int_equal(user.gid, cases[i].gid);
		assert_string_equal(user.home, cases[i].home);
		assert_int_equal(user.group_count, cases[i].group_count);
		assert_memory_equal(user.groups, cases[i].groups,
				    cases[i].group_count * sizeof(gid_t));
	}
}

TEST(refuses_what_is_no_user)
{
	const struct {
		struct str text;
		enum err_kind want;
	} cases[] = {
		{ STR("nobody"), ERR_NOT_FOUND },
		{ STR("app:nogroup"), ERR_NOT_FOUND },
		{ STR("broken"), ERR_NOT_FOUND },
		{ STR("huge"), ERR_NOT_FOUND },
		{ STR("wrap"), ERR_NOT_FOUND },
		{ STR("nogid"), ERR_NOT_FOUND },
		{ STR("app:bad"), ERR_NOT_FOUND },
		{ STR("app:big"), ERR_NOT_FOUND },
		{ STR("-1"), ERR_NOT_FOUND },
		{ STR("+5"), ERR_NOT_FOUND },
		{ STR("0x0"), ERR_NOT_FOUND },
		{ STR("4294967296"), ERR_INVALID },
		{ STR("4294967295"), ERR_INVALID },
		{ STR("2147483648:0"), ERR_INVALID },
		{ STR("0:2147483648"), ERR_INVALID },
		{ STR("340282366920938463463374607431768211456"), ERR_INVALID },
		{ STR(" 0"), ERR_INVALID },
		{ STR("0 "), ERR_INVALID },
		{ STR("1000\n0"), ERR_INVALID },
		{ STR("root\0x"), ERR_INVALID },
		{ STR("a:b:c"), ERR_INVALID },
		{ STR(":"), ERR_INVALID },
		{ STR("0:0:0"), ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct user user = { .uid = 9 };

		assert_fails(user_look_up(cases[i].text, STR(PASSWD), STR(GROUP), &user),
			     cases[i].want);
		assert_int_equal(user.uid, 9); /* never half written */
	}
}

TEST(names_the_users_that_exist)
{
	struct user user;
	AUTO(err) struct err *err = look_up("appp", &user);

	assert_string_equal(err_text(err), "the image has no user 'appp'");
	assert_string_equal(err_notes(err), "did you mean 'app'?\n"
					    "it has: app, root, daemon, 1234, homeless");
}

TEST(names_the_nearest_and_ten_more)
{
	AUTO(buf) struct buf passwd = BUF_INIT(4096);
	AUTO(err) struct err *err = NULL;
	struct user user;

	for (int i = 0; i < 12; i++)
		buf_addf(&passwd, "%c:x:%d:%d::/:\n", 'a' + i, i, i);
	buf_adds(&passwd, "worker:x:20:20::/:\n");
	err = user_look_up(STR("workre"), buf_str(&passwd), STR(""), &user);
	assert_string_equal(err_notes(err), "did you mean 'worker'?\n"
					    "it has: worker, a, b, c, d, e, f, g, h, i, j, ...");
	err_free(err);
	err = user_look_up(STR("0:staff"), buf_str(&passwd), STR(""), &user);
	assert_string_equal(err_text(err), "the image has no group 'staff'");
	assert_string_equal(err_notes(err), "it has no groups at all; a number always works");
}

/* ---- with files ---- */

struct image {
	char path[64];
	int fd;
};

static int make_image(void **state)
{
	static struct image image;

	strcpy(image.path, "/tmp/test_user.XXXXXX");
	if (!mkdtemp(image.path))
		return -1;
	image.fd = open(image.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(image.fd, "etc", 0755);
	*state = &image;
	return 0;
}

static int remove_image(void **state)
{
	struct image *image = *state;

	int tmp_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	close(image->fd);
	assert_ok(file_remove_tree(tmp_fd, image->path + strlen("/tmp/")));
	close(tmp_fd);
	return 0;
}

static void put(const struct image *image, const char *path, const char *text)
{
	int fd = openat(image->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_ok(file_write_all(fd, text, strlen(text), path));
	close(fd);
}

TEST(needs_no_files_for_root_and_numbers)
{
	static const char *const texts[] = { "", "root", "0", "0:0", "12:34", "12" };
	const struct image *image = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(user) struct user user = { 0 };

		assert_ok(user_resolve(image->fd, str_of(texts[i]), &user));
		assert_string_equal(user.home, "/");
	}
	struct user user;

	assert_fails(user_resolve(image->fd, STR("app"), &user), ERR_NOT_FOUND);
}

TEST(reads_the_files_of_the_image_and_no_others)
{
	const struct image *image = *state;
	AUTO(user) struct user user = { 0 };
	struct user none;

	/* as the image sees it: an absolute link stays inside */
	mkdirat(image->fd, "lib", 0755);
	put(image, "lib/passwd", "inside:x:5:6::/in:\n");
	assert_int_equal(symlinkat("/lib/passwd", image->fd, "etc/passwd"), 0);
	assert_ok(user_resolve(image->fd, STR("inside"), &user));
	assert_int_equal(user.uid, 5);

	/* "daemon" is a user of every host; here it must not be found through a link */
	unlinkat(image->fd, "etc/passwd", 0);
	assert_int_equal(symlinkat("../../../../../../etc/passwd", image->fd, "etc/passwd"), 0);
	assert_fails(user_resolve(image->fd, STR("daemon"), &none), ERR_SYSTEM); /* ELOOP: itself */
}

TEST(refuses_what_is_no_plain_file)
{
	const struct image *image = *state;
	AUTO(user) struct user user = { 0 };
	struct user none;

	mkfifoat(image->fd, "etc/passwd", 0644); /* must not block */
	assert_fails(user_resolve(image->fd, STR("app"), &none), ERR_INVALID);
	assert_fails(user_resolve(image->fd, STR("root"), &none), ERR_INVALID);
	assert_ok(user_resolve(image->fd, STR("5:6"), &user)); /* needs none */
	assert_int_equal(user.gid, 6);

	unlinkat(image->fd, "etc/passwd", 0);
	put(image, "etc/passwd", "app:x:1:1::/:\n");
	put(image, "etc/group", "");
	int fd = openat(image->fd, "etc/group", O_WRONLY | O_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)10 * 1024 * 1024 + 1), 0);
	close(fd);
	assert_fails(user_resolve(image->fd, STR("app"), &none), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands_every_form),
		cmocka_unit_test(refuses_what_is_no_user),
		cmocka_unit_test(names_the_users_that_exist),
		cmocka_unit_test(names_the_nearest_and_ten_more),
		cmocka_unit_test_setup_teardown(needs_no_files_for_root_and_numbers, make_image,
						remove_image),
		cmocka_unit_test_setup_teardown(reads_the_files_of_the_image_and_no_others,
						make_image, remove_image),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_plain_file, make_image,
						remove_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
