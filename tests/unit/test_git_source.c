/* tests/unit/test_git_source.c - files of repositories, and what their makers may try. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "builder/git_source.h"
#include "builder/git_url.h"
#include "tests/unit/git_server.h"
#include "tests/unit/room.h"

#define COMMIT_TIME 1500000000

static struct git_server server;

/* The repositories that all tests look at: "main" with a sub-repository in it. */
static const char make_repositories[] =
	"git init -q lib && cd lib && echo lib >lib.txt && git add . && git commit -qm lib && cd ..\n"
	"git init -q main && cd main\n"
	"echo one >file && echo '#!' >tool && chmod 755 tool && mkdir sub && echo x >sub/x\n"
	"chmod 600 file && ln -s file link && ln -s sub short && ln -s ../.. up && ln -s /etc out\n"
	"printf 'secret export-ignore\\nsubst export-subst\\n' >.gitattributes\n"
	"echo kept >secret && echo '$Format:%H$' >subst && : >.wh.file\n"
	"git add . && git commit -qm one && git tag v1 && git branch old\n"
	"git submodule --quiet add ../lib deps/lib\n"
	"echo two >file && git add . && git commit -qm two\n"
	"git tag -a -m annotated v2 && git tag old HEAD && git update-ref refs/pull/7/head HEAD^\n";

static int setup(void **state)
{
	AUTO(mem) char *base = NULL;

	if (tmp_setup(state))
		return -1;
	assert_int_equal(mkdirat(tmp_fd, "served", 0755), 0);
	{
		AUTO(mem) char *script = xasprintf("cd served\n%s", make_repositories);

		git_script(script);
	}
	base = xasprintf("%s/served", tmp_path);
	git_server_start(&server, base);
	return 0;
}

static int teardown(void **state)
{
	git_server_stop(&server);
	return tmp_teardown(state);
}

static void url_of(const char *rest, struct git_url *ret)
{
	AUTO(mem) char *text = xasprintf("git://127.0.0.1:%u/%s", server.port, rest);
	bool is;

	assert_ok(git_url_parse(text, GIT_URL_SOURCE, &is, ret));
	assert_true(is);
}

static struct err *resolve(const char *rest, bool offline, char ret[static GIT_COMMIT_SIZE])
{
	const struct git_source_opts opts = { .store = store, .offline = offline };
	AUTO(git_url) struct git_url url = { 0 };

	url_of(rest, &url);
	return git_source_resolve(&opts, &url, ret);
}

static struct err *open_source(const char *rest, bool keep, int *ret_fd)
{
	const struct git_source_opts opts = { .store = store };
	AUTO(git_url) struct git_url url = { 0 };
	char commit[GIT_COMMIT_SIZE];

	url_of(rest, &url);
	TRY(git_source_resolve(&opts, &url, commit));
	return git_source_open(&opts, &url, commit, keep, ret_fd);
}

/* What git says in the repository "served/main". */
static char *ask(const char *what)
{
	AUTO(mem) char *script = xasprintf("cd served/main && git %s", what);

	return git_shell(script);
}

static void expect_commit(const char *rest, const char *rev)
{
	AUTO(mem) char *what = xasprintf("rev-parse '%s^{commit}'", rev);
	AUTO(mem) char *want = ask(what);
	char got[GIT_COMMIT_SIZE];

	assert_ok(resolve(rest, false, got));
	if (strcmp(got, want) != 0)
		fail_msg("%s is %s, not %s", rest, got, want);
}

TEST(a_ref_is_what_the_server_says)
{
	char commit[GIT_COMMIT_SIZE];

	expect_commit("main", "main");
	expect_commit("main#main", "main");
	expect_commit("main#v1", "v1");
	expect_commit("main#v2", "v2"); /* an annotated tag: the commit that it was put on */
	expect_commit("main#old", "refs/heads/old"); /* a branch and a tag: the branch */
	expect_commit("main?tag=old", "refs/tags/old");
	expect_commit("main?branch=old", "refs/heads/old");
	expect_commit("main#refs/pull/7/head", "refs/pull/7/head");
	expect_commit("main#pull/7/head", "refs/pull/7/head");
	expect_commit("main#heads/old", "refs/heads/old");
	assert_fails(resolve("main#none", false, commit), ERR_NOT_FOUND);
	assert_fails(resolve("none", false, commit), ERR_NOT_FOUND);
}

TEST(a_checksum_is_the_begin_of_the_commit)
{
	AUTO(mem) char *head = ask("rev-parse main");
	AUTO(mem) char *right = xasprintf("main?checksum=%.8s", head);
	AUTO(mem) char *whole = xasprintf("main?checksum=%s", head);
	unsigned before = atomic_load(server.connections);
	char commit[GIT_COMMIT_SIZE];

	assert_ok(resolve(whole, true, commit)); /* and a whole one is all there is to know */
	assert_int_equal(atomic_load(server.connections), before);
	assert_ok(resolve(right, false, commit));
	assert_fails(resolve("main?checksum=0123456789", false, commit), ERR_CORRUPT);
}

static void expect_file(int dir_fd, const char *path, mode_t mode, const char *text)
{
	AUTO(buf) struct buf content = BUF_INIT(4096);
	struct stat st;

	if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("no %s", path);
	if (st.st_mode != mode)
		fail_msg("%s is %o", path, st.st_mode);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, 0);
	if (!S_ISDIR(mode))
		assert_int_equal(st.st_mtim.tv_sec, COMMIT_TIME);
	if (!text)
		return;
	assert_ok(file_read(dir_fd, path, 4096, &content));
	assert_string_equal(content.at ? content.at : "", text);
}

TEST(the_tree_of_a_commit_is_as_it_was_committed)
{
	AUTO(fd) int fd = -1;
	AUTO(mem) char *link = NULL;

	assert_ok(open_source("main#v1", false, &fd));
	expect_file(fd, "file", S_IFREG | 0644, "one\n");
	expect_file(fd, "tool", S_IFREG | 0755, NULL);
	expect_file(fd, "sub", S_IFDIR | 0755, NULL);
	expect_file(fd, "sub/x", S_IFREG | 0644, "x\n");
	expect_file(fd, "secret", S_IFREG | 0644, "kept\n");
	expect_file(fd, "subst", S_IFREG | 0644, "$Format:%H$\n");
	expect_file(fd, ".wh.file", S_IFREG | 0644, "");
	assert_ok(file_read_link(fd, "link", &link));
	assert_string_equal(link, "file");
	assert_false(file_exists(fd, ".git"));
}

TEST(a_commit_that_no_ref_names_is_found_by_its_id)
{
	AUTO(mem)
	char *id = git_shell("cd served/main && git checkout -q --detach && echo lost >file"
			     " && git commit -qam lost && git rev-parse HEAD &&"
			     " git checkout -q main && git branch -q held HEAD@{1} &&"
			     " git tag later held && git branch -qD held");
	AUTO(mem) char *rest = xasprintf("main#%s", id);
	AUTO(fd) int fd = -1;

	assert_ok(open_source(rest, false, &fd));
	expect_file(fd, "file", S_IFREG | 0644, "lost\n");
	assert_fails(open_source("main#0123456789012345678901234567890123456789", false, &fd),
		     ERR_NOT_FOUND);
}

TEST(what_was_fetched_is_not_fetched_again)
{
	const struct git_source_opts offline = { .store = store, .offline = true };
	AUTO(git_url) struct git_url url = { 0 };
	AUTO(fd) int first = -1;
	AUTO(fd) int again = -1;
	char commit[GIT_COMMIT_SIZE];
	unsigned before;

	url_of("main?submodules=false#v1", &url);
	assert_fails(git_source_resolve(&offline, &url, commit), ERR_NETWORK);
	assert_ok(open_source("main?submodules=false#v1", false, &first));
	before = atomic_load(server.connections);
	room_reopen();
	{
		const struct git_source_opts opts = { .store = store, .offline = true };

		assert_ok(git_source_resolve(&opts, &url, commit));
		assert_ok(git_source_open(&opts, &url, commit, false, &again));
		expect_file(again, "file", S_IFREG | 0644, "one\n");
		assert_fails(resolve("main#main", true, commit), ERR_NETWORK);
	}
	assert_int_equal(atomic_load(server.connections), before);
}

TEST(several_commits_share_a_cache_and_leftovers_do_not_matter)
{
	AUTO(strings) struct strings names = { 0 };
	AUTO(mem) char *path = NULL;
	AUTO(fd) int one = -1;
	AUTO(fd) int two = -1;
	AUTO(fd) int again = -1;

	assert_ok(open_source("main?submodules=false#v1", false, &one));
	assert_ok(file_list(store_fd(store), "git", &names));
	assert_int_equal(names.len, 1);
	path = xasprintf("git/%s/shallow.lock", names.at[0]);
	room_put(path, "", 0);
	free(path);
	path = xasprintf("git/%s/objects/pack/tmp_pack_x", names.at[0]);
	room_put(path, "rubbish", 7);
	assert_ok(open_source("main?submodules=false#v2", false, &two));
	expect_file(two, "file", S_IFREG | 0644, "two\n");
	assert_false(room_has(path));
	assert_int_equal(room_count("git"), 1);
	assert_ok(open_source("main?submodules=false#v1", false, &again));
	expect_file(again, "file", S_IFREG | 0644, "one\n");
}

/* The one repository of the cache, with `rest` behind it; owned. */
static char *in_cache(const char *rest)
{
	AUTO(strings) struct strings names = { 0 };

	assert_ok(file_list(store_fd(store), "git", &names));
	assert_int_equal(names.len, 1);
	return xasprintf("git/%s/%s", names.at[0], rest);
}

/* Everything in a directory of the cache becomes empty, as a power cut may leave it. */
static void cut(const char *dir)
{
	AUTO(mem) char *at = in_cache(dir);
	AUTO(mem)
	char *script = xasprintf("find '%s/%s' -type f ! -name boot -exec chmod u+w '{}' + -exec"
				 " truncate -s0 '{}' +",
				 room_path, at);

	git_script(script);
}

TEST(after_a_power_cut_a_damaged_cache_is_fetched_anew)
{
	static const char *const lost[] = { "refs", "objects", ".", "info", "packed-refs" };

	for (size_t i = 0; i < ARRAY_SIZE(lost); i++) {
		AUTO(fd) int first = -1;
		AUTO(fd) int again = -1;
		AUTO(fd) int other = -1;
		unsigned before;

		assert_ok(open_source("main?submodules=false#v1", false, &first));
		if (i < 4)
			cut(lost[i]);
		room_reopen();
		store_set_boot_id(store, "another");
		before = atomic_load(server.connections);
		assert_ok(open_source("main?submodules=false#v1", false, &again));
		expect_file(again, "file", S_IFREG | 0644, "one\n");
		expect_file(again, "secret", S_IFREG | 0644, "kept\n");
		/* the ref is always asked for; what is whole is not fetched again */
		assert_int_equal(atomic_load(server.connections) - before, i < 4 ? 2 : 1);
		assert_ok(open_source("main?submodules=false#v2", false, &other));
		expect_file(other, "file", S_IFREG | 0644, "two\n");
		assert_ok(file_remove_tree(store_fd(store), "git"));
		room_reopen();
	}
}

TEST(a_cache_that_does_not_give_what_it_has_is_fetched_anew)
{
	AUTO(fd) int first = -1;
	AUTO(fd) int again = -1;
	AUTO(fd) int other = -1;

	assert_ok(open_source("main?submodules=false#v1", false, &first));
	cut("objects"); /* in this boot: nobody verifies it before it fails */
	assert_ok(open_source("main?submodules=false#v1", false, &again));
	expect_file(again, "file", S_IFREG | 0644, "one\n");
	cut("objects");
	assert_ok(open_source("main?submodules=false#v2", false, &other));
	expect_file(other, "file", S_IFREG | 0644, "two\n");
}

TEST(a_damaged_cache_is_none_where_nobody_can_be_asked)
{
	const struct git_source_opts offline = { .store = store, .offline = true };
	AUTO(git_url) struct git_url url = { 0 };
	AUTO(fd) int first = -1;
	char commit[GIT_COMMIT_SIZE];

	url_of("main?submodules=false#v1", &url);
	assert_ok(open_source("main?submodules=false#v1", false, &first));
	cut("refs");
	store_set_boot_id(store, "another");
	assert_fails(git_source_resolve(&offline, &url, commit), ERR_NETWORK);
}

/* A server without version 2 of the protocol: it gives what its refs name, and no other commit. */
static struct err *open_old_server(const char *rest, int *ret_fd)
{
	const struct git_source_opts opts = { .store = store };
	AUTO(mem) char *text = xasprintf("ssh://old%s/served/turning%s", tmp_path, rest);
	AUTO(git_url) struct git_url url = { 0 };
	char commit[GIT_COMMIT_SIZE];
	bool is;

	TRY(git_url_parse(text, GIT_URL_SOURCE, &is, &url));
	assert_true(is);
	TRY(git_source_resolve(&opts, &url, commit));
	return git_source_open(&opts, &url, commit, false, ret_fd);
}

TEST(what_an_old_server_gave_before_is_not_in_the_way)
{
	AUTO(mem) char *program = xasprintf("%s/old-ssh", tmp_path);
	AUTO(mem) char *id = NULL;
	AUTO(fd) int one = -1;
	AUTO(fd) int two = -1;
	AUTO(fd) int three = -1;

	git_script(
		"printf '#!/bin/sh\nfor last; do :; done\nunset GIT_PROTOCOL\neval \"$last\"\n'"
		" >old-ssh && chmod 755 old-ssh && cd served && git init -q turning && cd turning\n"
		"for i in 1 2 3 4; do echo $i >file; git add . && git commit -qm $i; done\n"
		"git tag -a -m tag v1 HEAD^ && git branch turn\n");
	id = git_shell("cd served/turning && printf '#%s' $(git rev-parse HEAD~2)");
	assert_int_equal(setenv("GIT_SSH_COMMAND", program, 1), 0);
	assert_ok(open_old_server("#v1",
				  &one)); /* not by the commit below the tag, but by its name */
	expect_file(one, "file", S_IFREG | 0644, "3\n");
	assert_ok(open_old_server(id, &two)); /* by way of all that there is */
	expect_file(two, "file", S_IFREG | 0644, "2\n");
	git_script("cd served/turning && git branch -D -q turn && git checkout -q --orphan x &&"
		   " echo 5 >file && git commit -qam 5 && echo 6 >file && git commit -qam 6 &&"
		   " git branch turn/off && git branch -D -q main\n");
	free(id);
	id = git_shell("cd served/turning && printf '#%s' $(git rev-parse HEAD~1)");
	assert_ok(open_old_server(id, &three)); /* again, with a directory where a branch was */
	expect_file(three, "file", S_IFREG | 0644, "5\n");
	assert_int_equal(unsetenv("GIT_SSH_COMMAND"), 0);
}

TEST(a_subdirectory_does_not_lead_out)
{
	AUTO(fd) int plain = -1;
	AUTO(fd) int link = -1;
	AUTO(fd) int up = -1;
	AUTO(fd) int none = -1;

	assert_ok(open_source("main#v1:sub", false, &plain));
	expect_file(plain, "x", S_IFREG | 0644, "x\n");
	assert_ok(open_source("main#v1:short", false, &link));
	expect_file(link, "x", S_IFREG | 0644, "x\n");
	assert_ok(open_source("main#v1:up/sub", false, &up));
	expect_file(up, "x", S_IFREG | 0644, "x\n");
	assert_fails(open_source("main#v1:out", false, &none), ERR_NOT_FOUND);
	assert_fails(open_source("main#v1:nowhere", false, &none), ERR_NOT_FOUND);
}

TEST(submodules_come_along_unless_they_are_not_wanted)
{
	AUTO(fd) int with = -1;
	AUTO(fd) int without = -1;

	assert_ok(open_source("main", false, &with));
	expect_file(with, "deps/lib/lib.txt", S_IFREG | 0644, "lib\n");
	assert_ok(open_source("main?submodules=false", false, &without));
	expect_file(without, "deps/lib", S_IFDIR | 0755, NULL);
	assert_false(file_exists(without, "deps/lib/lib.txt"));
}

TEST(a_kept_git_directory_is_one_commit_deep_and_clean)
{
	AUTO(mem) char *script = NULL;
	AUTO(mem) char *said = NULL;
	AUTO(mem) char *want = NULL;
	AUTO(fd) int fd = -1;

	assert_ok(open_source("main#v1", true, &fd));
	script = xasprintf("cd /proc/%d/fd/%d && git status --porcelain && git log --format=%%s &&"
			   " git rev-parse HEAD v1 2>/dev/null || git config remote.origin.url &&"
			   " ls .git | grep -c -e hooks -e FETCH_HEAD || :",
			   (int)getpid(), fd);
	said = git_shell(script);
	want = xasprintf("git://127.0.0.1:%u/main\n0", server.port);
	assert_true(str_starts(str_of(said), "one\n"));
	if (!str_ends(str_of(said), want))
		fail_msg("%s", said);
}

/* ---- hostile repositories ---- */

/* A tree by hand: what git itself would never write. The script makes "$t", the id of a tree. */
static void make_hostile(const char *name, const char *script)
{
	AUTO(mem)
	char *whole = xasprintf(
		"cd served && git init -q %s && cd %s\n"
		"blob() { printf %%s \"$1\" | git hash-object -w --stdin; }\n"
		"raw() { printf '%%s' \"$1\" | sed 's/../\\\\x&/g' >../hex; printf \"$(cat ../hex)\"; }\n"
		"entry() { printf '%%s %%s\\0' \"$1\" \"$2\"; raw \"$3\"; }\n"
		"tree() { git hash-object -t tree -w --literally --stdin; }\n"
		"%s\n"
		"c=$(echo evil | git commit-tree $t)\n"
		"git update-ref refs/heads/main $c\n",
		name, name, script);

	/* bash: its printf knows \x */
	AUTO(mem)
	char *quoted =
		xasprintf("cat >hostile.sh <<'END'\nset -eu\n%s\nEND\nbash hostile.sh", whole);

	git_script(quoted);
}

TEST(hostile_trees_are_refused_and_touch_nothing)
{
	static const struct {
		const char *name, *script;
	} cases[] = {
		{ "dotdot",
		  "t=$(entry 100644 x $(blob evil) | tree); t=$(entry 40000 .. $t | tree)" },
		{ "slash", "t=$(entry 100644 ../../canary $(blob evil) | tree)" },
		{ "dotgit",
		  "t=$(entry 100644 config $(blob evil) | tree); t=$(entry 40000 .git $t | tree)" },
		{ "dotgitcase",
		  "t=$(entry 100644 config $(blob evil) | tree); t=$(entry 40000 .GIT $t | tree)" },
		{ "twice", "s=$(entry 100644 canary $(blob evil) | tree); "
			   "t=$( (entry 120000 a $(blob ..); entry 40000 a $s) | tree)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fd) int fd = -1;
		struct err *err;

		make_hostile(cases[i].name, cases[i].script);
		err = open_source(cases[i].name, false, &fd);
		if (!err && strcmp(cases[i].name, "twice") != 0)
			fail_msg("%s was accepted", cases[i].name);
		err_free(err);
		assert_false(room_has("canary"));
		assert_false(file_exists(tmp_fd, "canary"));
	}
}

TEST(what_a_submodule_is_called_and_where_it_is_cannot_run_anything)
{
	static const struct {
		const char *name, *url, *path;
		enum err_kind kind;
	} cases[] = {
		{ "ext", "ext::sh", "m", ERR_INVALID },
		{ "option", "-utouch", "m", ERR_UNSUPPORTED },
		{ "file", "file:///etc", "m", ERR_UNSUPPORTED },
		{ "local", "/etc", "m", ERR_UNSUPPORTED },
		{ "proxy", "ssh://-oProxyCommand=x/x", "m", ERR_INVALID },
		{ "other", "../lib", "elsewhere", ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fd) int fd = -1;
		AUTO(mem)
		char *script = xasprintf(
			"cd served && git init -q sub-%s && cd sub-%s\n"
			"git config -f .gitmodules 'submodule.../../hooks/x.url' '%s'\n"
			"git config -f .gitmodules 'submodule.../../hooks/x.path' '%s'\n"
			"git config -f .gitmodules 'submodule.../../hooks/x.update' '!touch canary'\n"
			"git add .gitmodules\n"
			"git update-index --add --cacheinfo 160000,$(git -C ../lib rev-parse HEAD),m\n"
			"git commit -qm evil\n",
			cases[i].name, cases[i].name, cases[i].url, cases[i].path);
		AUTO(mem) char *rest = xasprintf("sub-%s", cases[i].name);
		AUTO(err) struct err *err = NULL;

		git_script(script);
		err = open_source(rest, false, &fd);
		if (err_kind(err) != cases[i].kind)
			fail_msg("%s: %s", cases[i].name, err ? err_text(err) : "accepted");
	}
	/* a name that climbs is no more than a name */
	{
		AUTO(fd) int fd = -1;

		git_script(
			"cd served && git init -q sub-climb && cd sub-climb\n"
			"git config -f .gitmodules 'submodule.../../hooks/x.url' '../lib'\n"
			"git config -f .gitmodules 'submodule.../../hooks/x.path' 'm'\n"
			"git add .gitmodules\n"
			"git update-index --add --cacheinfo 160000,$(git -C ../lib rev-parse HEAD),m\n"
			"git commit -qm evil\n");
		assert_ok(open_source("sub-climb", true, &fd));
		expect_file(fd, "m/lib.txt", S_IFREG | 0644, "lib\n");
		assert_false(file_exists(fd, "hooks"));
		assert_false(file_exists(fd, ".git/modules"));
	}
}

TEST(a_repository_that_holds_itself_comes_to_an_end)
{
	AUTO(fd) int fd = -1;
	AUTO(err) struct err *err = NULL;

	/* each commit has the one before it as its submodule */
	git_script("cd served && git init -q deep && cd deep\n"
		   "git config -f .gitmodules submodule.m.url ./\n"
		   "git config -f .gitmodules submodule.m.path m\n"
		   "git add . && git commit -qm 0\n"
		   "for i in $(seq 20); do\n"
		   "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),m\n"
		   "git commit -qm $i\ndone\n");
	err = open_source("deep", false, &fd);
	assert_int_equal(err_kind(err), ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(a_ref_is_what_the_server_says),
		ROOM_TEST(a_checksum_is_the_begin_of_the_commit),
		ROOM_TEST(the_tree_of_a_commit_is_as_it_was_committed),
		ROOM_TEST(a_commit_that_no_ref_names_is_found_by_its_id),
		ROOM_TEST(what_was_fetched_is_not_fetched_again),
		ROOM_TEST(several_commits_share_a_cache_and_leftovers_do_not_matter),
		ROOM_TEST(after_a_power_cut_a_damaged_cache_is_fetched_anew),
		ROOM_TEST(a_cache_that_does_not_give_what_it_has_is_fetched_anew),
		ROOM_TEST(a_damaged_cache_is_none_where_nobody_can_be_asked),
		ROOM_TEST(what_an_old_server_gave_before_is_not_in_the_way),
		ROOM_TEST(a_subdirectory_does_not_lead_out),
		ROOM_TEST(submodules_come_along_unless_they_are_not_wanted),
		ROOM_TEST(a_kept_git_directory_is_one_commit_deep_and_clean),
		ROOM_TEST(hostile_trees_are_refused_and_touch_nothing),
		ROOM_TEST(what_a_submodule_is_called_and_where_it_is_cannot_run_anything),
		ROOM_TEST(a_repository_that_holds_itself_comes_to_an_end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
