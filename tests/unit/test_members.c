/* tests/unit/test_members.c - archives as bags of files, on the way in and on the way out. */

#include "tests/unit/tmp.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/tar.h"
#include "base/vec.h"
#include "registry/members.h"
#include "registry/pack.h"
#include "store/store.h"

static struct store *store;

static int setup(void **state)
{
	AUTO(mem) char *root = NULL;

	if (tmp_setup(state) < 0)
		return -1;
	root = xasprintf("%s/store", tmp_path);
	assert_ok(store_open(root, &store));
	return 0;
}

static int teardown(void **state)
{
	store_close(store);
	return tmp_teardown(state);
}

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", tmp_path, name);
}

/* ---- an archive to look at ---- */

struct file {
	enum tar_type type;
	const char *path, *text; /* content, or the target of a link */
};

static const struct file files[] = {
	{ TAR_FILE, "plain", "plain text" },
	{ TAR_FILE, "doc.json", "{\"old\":1}" },
	{ TAR_DIR, "dir/", NULL },
	{ TAR_FILE, "dir/inner", "\x1f\x8b\x08 looks like gzip" },
	{ TAR_SYMLINK, "dir/up", "../plain" },
	{ TAR_SYMLINK, "absolute", "/plain" },
	{ TAR_SYMLINK, "out", "../../plain" },
	{ TAR_SYMLINK, "loop", "loop2" },
	{ TAR_SYMLINK, "loop2", "loop" },
	{ TAR_SYMLINK, "dangling", "nowhere" },
	{ TAR_SYMLINK, "twice", "dir/up" },
	{ TAR_HARDLINK, "hard", "dir/inner" },
	{ TAR_FILE, "empty", "" },
	{ TAR_FILE, "doc.json", "{\"new\":2}" }, /* the last one counts */
};

static void write_tar(const char *name)
{
	AUTO(sink) struct sink *out = NULL;
	int fd = openat(tmp_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	out = sink_to_fd(fd, name);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const struct file *file = &files[i];
		struct tar_entry entry = { .type = file->type, .path = file->path, .mode = 0644 };

		if (file->type == TAR_FILE)
			entry.size = strlen(file->text);
		else
			entry.link = file->text;
		assert_ok(tar_write_header(out, &entry));
		sink_write(out, file->text, (size_t)entry.size);
		tar_write_padding(out, entry.size);
	}
	tar_write_end(out);
	assert_ok(sink_finish(out));
}

static struct members *open_tar(void)
{
	struct members *members = NULL;
	AUTO(mem) char *path = path_of("a.tar");

	write_tar("a.tar");
	assert_ok(members_open(store, path, &members));
	return members;
}

TEST(a_name_leads_to_a_file_of_the_archive_or_nowhere)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ "plain", "plain" },
		{ "./plain", "plain" },
		{ "/plain", "plain" },
		{ "dir//inner", "dir/inner" },
		{ "dir/../plain", "plain" },
		{ "dir/up", "plain" },
		{ "twice", "plain" },
		{ "hard", "dir/inner" },
		{ "absolute", "plain" },
		{ "empty", "empty" },
		{ "out", NULL },
		{ "loop", NULL },
		{ "dangling", NULL },
		{ "dir", NULL },
		{ "nothing", NULL },
		{ "../plain", NULL },
		{ "dir/../../plain", NULL },
		{ "", NULL },
		{ "/", NULL },
		{ "..", NULL },
	};
	AUTO(members) struct members *members = open_tar();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = members_find(members, cases[i].name);

		if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
			fail_msg("'%s' leads to %s", cases[i].name, got ? got : "nothing");
	}
}

TEST(documents_are_at_hand_and_bounded)
{
	AUTO(members) struct members *members = open_tar();
	AUTO(buf) struct buf text = BUF_INIT(4096);

	assert_ok(members_read(members, "doc.json", 4096, &text));
	assert_string_equal(text.at, "{\"new\":2}");
	assert_fails(members_read(members, "doc.json", 8, &text), ERR_INVALID);
	assert_fails(members_read(members, "nothing.json", 4096, &text), ERR_NOT_FOUND);
	assert_fails(members_read(members, "plain", 4096, &text), ERR_INVALID); /* no document */
}

TEST(a_document_is_read_as_json)
{
	AUTO(members) struct members *members = open_tar();
	AUTO(json) json_t *document = NULL;
	struct json_at root, number;
	uint64_t got;

	assert_ok(members_read_json(members, "doc.json", 4096, &document, &root));
	number = json_member(&root, "new");
	assert_ok(json_get_size(&number, &got));
	assert_int_equal(got, 2);
	json_decref(STEAL(document));
	assert_fails(members_read_json(members, "doc.json", 8, &document, &root), ERR_INVALID);
	assert_fails(members_read_json(members, "nothing", 8, &document, &root), ERR_NOT_FOUND);
	assert_null(document);
}

/* Note what comes: "name=content(codec)". */
static struct err *note(void *arg, const struct member_content *member)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	AUTO(sink) struct sink *out = sink_to_buf(&text);
	struct buf *heard = arg;

	buf_adds(&text, "");
	TRY(stream_copy(member->content, out, NULL));
	assert_int_equal(text.len, member->size);
	buf_addf(heard, "%s=%s:%s(%s) ", member->name, (const char *)member->value, text.at + 3,
		 codec_name(member->codec));
	return NULL;
}

static void visit(struct members *members, const char *const *names, size_t count,
		  struct buf *heard)
{
	struct map wanted = MAP_INIT;

	for (size_t i = 0; i < count; i++)
		map_put(&wanted, str_of(members_find(members, names[i])), (void *)"x");
	assert_ok(members_visit(members, &wanted, note, heard));
	map_release(&wanted, NULL);
}

TEST(every_wanted_member_comes_once)
{
	static const char *const names[] = { "doc.json", "twice", "hard", "dir/up" };
	AUTO(members) struct members *members = open_tar();
	AUTO(buf) struct buf heard = BUF_INIT(4096);

	visit(members, names, ARRAY_SIZE(names), &heard);
	assert_string_equal(heard.at, "plain=x:in text(none) dir/inner=x: looks like gzip(gzip) "
				      "doc.json=x:ew\":2}(none) ");
}

TEST(a_directory_is_an_archive_too)
{
	static const char *const names[] = { "inner", "up" };
	AUTO(members) struct members *members = NULL;
	AUTO(mem) char *path = path_of("tree");
	AUTO(buf) struct buf heard = BUF_INIT(4096);
	AUTO(buf) struct buf text = BUF_INIT(4096);
	AUTO(fd) int dir = -1;

	assert_ok(file_make_dirs(tmp_fd, "tree", 0700, &dir));
	assert_ok(file_replace(dir, "inner", STR("abcdef"), 0600, FILE_QUICK));
	assert_int_equal(symlinkat("inner", dir, "up"), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "out"), 0);
	assert_int_equal(symlinkat("../a.tar", dir, "beside"), 0);
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_ok(members_open(store, path, &members));
	assert_null(members_find(members, "out"));
	assert_null(members_find(members, "beside"));
	assert_null(members_find(members, "../a.tar"));
	assert_null(members_find(members, "fifo"));
	visit(members, names, ARRAY_SIZE(names), &heard);
	assert_string_equal(heard.at, "inner=x:def(none) up=x:def(none) ");
	assert_ok(members_read(members, "up", 6, &text));
	assert_string_equal(text.at, "abcdef");
}

TEST(what_is_no_archive_is_refused)
{
	AUTO(members) struct members *members = NULL;
	AUTO(mem) char *text = path_of("text");
	AUTO(mem) char *nothing = path_of("nothing");

	assert_ok(file_replace(tmp_fd, "text", STR("no tar at all"), 0600, FILE_QUICK));
	assert_fails(members_open(store, text, &members), ERR_CORRUPT);
	assert_ok(file_replace(tmp_fd, "text", STR(""), 0600, FILE_QUICK));
	assert_fails(members_open(store, text, &members), ERR_INVALID);
	assert_fails(members_open(store, nothing, &members), ERR_NOT_FOUND);
	assert_null(members);
}

/* ---- on the way out ---- */

static struct err *pack_all(struct pack *pack, bool commit)
{
	AUTO(source) struct source *content = source_from_memory("0123456789", 10);

	TRY(pack_put_text(pack, "first", STR("one")));
	TRY(pack_put(pack, "a/b/second", content, 10));
	return commit ? pack_commit(pack) : NULL;
}

TEST(a_packed_tar_is_read_back)
{
	static const char *const names[] = { "first", "a/b/second" };
	AUTO(pack) struct pack *pack = NULL;
	AUTO(members) struct members *members = NULL;
	AUTO(mem) char *path = path_of("packed.tar");
	AUTO(buf) struct buf heard = BUF_INIT(4096);
	struct stat st;

	assert_ok(pack_open_tar(path, &pack));
	assert_ok(pack_all(pack, true));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 6 * TAR_BLOCK_SIZE); /* two headers, two contents, the end */
	assert_ok(members_open(store, path, &members));
	visit(members, names, ARRAY_SIZE(names), &heard);
	assert_string_equal(heard.at, "first=x:(none) a/b/second=x:3456789(none) ");
}

TEST(a_directory_that_we_made_goes_with_our_failure)
{
	AUTO(mem) char *path = path_of("new-dir/");
	struct pack *pack = NULL;

	assert_ok(pack_open_dir(path, &pack));
	assert_ok(pack_all(pack, false));
	assert_true(file_exists(tmp_fd, "new-dir/a/b/second"));
	pack_free(pack);
	assert_false(file_exists(tmp_fd, "new-dir"));

	assert_ok(pack_open_dir(path, &pack));
	assert_ok(pack_all(pack, true));
	pack_free(pack);
	assert_true(file_exists(tmp_fd, "new-dir/a/b/second"));

	pack = NULL;
	assert_fails(pack_open_dir(path, &pack), ERR_INVALID); /* somebody's, and no layout */
	assert_int_equal(mknodat(tmp_fd, "new-dir/oci-layout", S_IFREG | 0600, 0), 0);
	assert_ok(pack_open_dir(path, &pack)); /* it was there: it stays */
	assert_ok(pack_put_text(pack, "third", STR("3")));
	pack_free(pack);
	assert_true(file_exists(tmp_fd, "new-dir/third"));
}

TEST(content_of_another_size_is_refused)
{
	static const uint64_t sizes[] = { 9, 11 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO(mem) char *tar = path_of("sized.tar");
		AUTO(mem) char *dir = path_of("sized");
		AUTO(source) struct source *first = source_from_memory("0123456789", 10);
		AUTO(source) struct source *second = source_from_memory("0123456789", 10);
		AUTO(pack) struct pack *into_tar = NULL;
		AUTO(pack) struct pack *into_dir = NULL;

		assert_ok(pack_open_tar(tar, &into_tar));
		assert_fails(pack_put(into_tar, "x", first, sizes[i]), ERR_CORRUPT);
		assert_ok(pack_open_dir(dir, &into_dir));
		assert_fails(pack_put(into_dir, "x", second, sizes[i]), ERR_CORRUPT);
		assert_false(file_exists(tmp_fd, "sized/x"));
	}
	assert_false(file_exists(tmp_fd, "sized.tar"));
	assert_false(file_exists(tmp_fd, "sized"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_leads_to_a_file_of_the_archive_or_nowhere),
		cmocka_unit_test(a_document_is_read_as_json),
		cmocka_unit_test(documents_are_at_hand_and_bounded),
		cmocka_unit_test(every_wanted_member_comes_once),
		cmocka_unit_test(a_directory_is_an_archive_too),
		cmocka_unit_test(what_is_no_archive_is_refused),
		cmocka_unit_test(a_packed_tar_is_read_back),
		cmocka_unit_test(a_directory_that_we_made_goes_with_our_failure),
		cmocka_unit_test(content_of_another_size_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
