/* tests/unit/test_attachment.c - what -v, --mount and --tmpfs of `cairn run` say: docker-run(1). */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "builder/attachment.h"

typedef struct err *(*add_fn)(struct attachments *list, const char *text);

TEST(words_are_read_as_docker_reads_them)
{
	static const struct {
		add_fn add;
		const char *text;
		struct attachment want;
	} cases[] = {
		{ attachments_add_volume,
		  "/dev/../dev:/a//b/",
		  { ATTACH_BIND, (char *)"/dev", (char *)"/a/b", .mode = 0 } },
		{ attachments_add_volume,
		  "/dev:/a:ro,z",
		  { ATTACH_BIND, (char *)"/dev", (char *)"/a", .read_only = true } },
		{ attachments_add_volume,
		  "n_1.x-y:/a",
		  { ATTACH_VOLUME, (char *)"n_1.x-y", (char *)"/a", .mode = 0 } },
		{ attachments_add_volume,
		  "n:/a:nocopy,rw",
		  { ATTACH_VOLUME, (char *)"n", (char *)"/a", .no_copy = true } },
		{ attachments_add_volume, "/a", { ATTACH_VOLUME, NULL, (char *)"/a", .mode = 0 } },
		{ attachments_add_tmpfs,
		  "/a",
		  { ATTACH_TMPFS, NULL, (char *)"/a", .mode = 01777 } },
		{ attachments_add_tmpfs,
		  "/a:size=2k,mode=0700,ro",
		  { ATTACH_TMPFS, NULL, (char *)"/a", .mode = 0700, .size = 2048,
		    .read_only = true } },
		{ attachments_add_tmpfs,
		  "/a:rw,noexec,nosuid,nodev,size=65536k,mode=1770,uid=7,gid=8,nr_inodes=99",
		  { ATTACH_TMPFS, NULL, (char *)"/a", .mode = 01770, .size = 67108864, .uid = 7,
		    .gid = 8, .inodes = 99, .no_exec = true } },
		{ attachments_add_tmpfs,
		  "/a:noexec,exec",
		  { ATTACH_TMPFS, NULL, (char *)"/a", .mode = 01777 } },
		{ attachments_add_mount,
		  "type=bind,source=/dev,target=/a,readonly",
		  { ATTACH_BIND, (char *)"/dev", (char *)"/a", .read_only = true, .mode = 01777 } },
		{ attachments_add_mount,
		  "src=/dev,type=bind,dst=/a,ro=false,bind-propagation=rslave",
		  { ATTACH_BIND, (char *)"/dev", (char *)"/a", .mode = 01777 } },
		{ attachments_add_mount,
		  "source=n,destination=/a,volume-nocopy=true",
		  { ATTACH_VOLUME, (char *)"n", (char *)"/a", .no_copy = true, .mode = 01777 } },
		{ attachments_add_mount,
		  "type=tmpfs,dst=/a,tmpfs-size=1m,tmpfs-mode=755",
		  { ATTACH_TMPFS, NULL, (char *)"/a", .size = 1048576, .mode = 0755 } },
		{ attachments_add_mount,
		  "type=bind,\"source=/dev\",target=/a",
		  { ATTACH_BIND, (char *)"/dev", (char *)"/a", .mode = 01777 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(attachments) struct attachments list = { 0 };
		const struct attachment *got;

		assert_ok(cases[i].add(&list, cases[i].text));
		assert_int_equal(list.len, 1);
		got = &list.at[0];
		assert_int_equal(got->kind, cases[i].want.kind);
		assert_string_equal(got->source ? got->source : "(none)",
				    cases[i].want.source ? cases[i].want.source : "(none)");
		assert_string_equal(got->target, cases[i].want.target);
		assert_int_equal(got->read_only, cases[i].want.read_only);
		assert_int_equal(got->no_copy, cases[i].want.no_copy);
		assert_int_equal(got->size, cases[i].want.size);
		assert_int_equal(got->mode, cases[i].want.mode);
		assert_int_equal(got->uid, cases[i].want.uid);
		assert_int_equal(got->gid, cases[i].want.gid);
		assert_int_equal(got->inodes, cases[i].want.inodes);
		assert_int_equal(got->no_exec, cases[i].want.no_exec);
	}
}

TEST(what_cannot_be_meant_is_refused)
{
	static const struct {
		add_fn add;
		const char *text;
		enum err_kind kind;
	} cases[] = {
		{ attachments_add_volume, "", ERR_INVALID },
		{ attachments_add_volume, "/dev:rel", ERR_INVALID },
		{ attachments_add_volume, "/dev:/proc", ERR_INVALID },
		{ attachments_add_tmpfs, "//proc/.", ERR_INVALID },
		{ attachments_add_volume, "/no/such/file:/x", ERR_NOT_FOUND },
		{ attachments_add_volume, "-n:/x", ERR_INVALID },
		{ attachments_add_volume, "n:/x:size=1m", ERR_INVALID },
		{ attachments_add_tmpfs, "/x:nocopy", ERR_INVALID },
		{ attachments_add_tmpfs, "/x:mode=77777", ERR_INVALID },
		{ attachments_add_tmpfs, "/x:size", ERR_INVALID },
		{ attachments_add_tmpfs, "/x:uid=root", ERR_INVALID },
		{ attachments_add_tmpfs, "/x:noexec=1", ERR_INVALID },
		{ attachments_add_tmpfs, "/x:nr_inodes=", ERR_INVALID },
		{ attachments_add_mount, "type=bind,type=tmpfs,target=/x", ERR_INVALID },
		{ attachments_add_mount, "", ERR_INVALID },
		{ attachments_add_mount, "type=bind,source=/dev", ERR_INVALID },
		{ attachments_add_mount, "target=/x,readonly=perhaps", ERR_INVALID },
		{ attachments_add_mount, "target", ERR_INVALID },
		{ attachments_add_mount, "type=bind,source=\"/dev,target=/x", ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(attachments) struct attachments list = { 0 };
		AUTO(err) struct err *err = cases[i].add(&list, cases[i].text);

		if (err_kind(err) != cases[i].kind)
			print_message("%s: %s\n", cases[i].text, err ? err_text(err) : "taken");
		assert_int_equal(err_kind(err), cases[i].kind);
		assert_int_equal(list.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_read_as_docker_reads_them),
		cmocka_unit_test(what_cannot_be_meant_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
