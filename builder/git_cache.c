/* builder/git_cache.c - see builder/git_cache.h. */

#include "builder/git_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/git_command.h"
#include "builder/git_url.h"
#include "store/layer.h"
#include "store/store.h"

#define REPO "repo"
#define ANSWER_MAX 4096
#define PACKS_MAX 60 /* files beside packs: more, and it is time to begin anew */
#define DEPTH_MAX 8  /* of a repository's own directories */
#define BOOT "boot"  /* the boot in which it was made or verified */

/* Attributes may leave files out of what git makes of a tree, or rewrite them; a checkout has them. */
static const char attributes[] = "* -export-ignore -export-subst\n";

static struct err *hex_of(const char *what, const char *text, struct digest *ret_digest, char **ret)
{
	AUTO(hasher) struct hasher *h = hasher_new();
	char buf[DIGEST_TEXT_SIZE];

	hasher_update(h, what, strlen(what));
	hasher_update(h, text, strlen(text));
	TRY(hasher_finish(h, ret_digest));
	*ret = xstrdup(strchr(digest_format(ret_digest, buf), ':') + 1);
	return NULL;
}

static struct err *drop_fresh(struct git_cache *cache)
{
	struct err *err = NULL;

	if (cache->fresh_fd >= 0) {
		err = file_remove_tree(cache->fresh_fd, REPO);
		close(cache->fresh_fd);
		cache->fresh_fd = -1;
	}
	return err;
}

void git_cache_release(struct git_cache *cache)
{
	err_free(drop_fresh(cache)); /* what is left goes with the lease */
	if (cache->repo_fd >= 0)
		close(cache->repo_fd);
	lock_release(&cache->lock);
	free(cache->name);
	cache->name = NULL;
	cache->repo_fd = -1;
}

/* Open git/<name>; `*ret_fd` stays if there is none. */
static struct err *open_repo(const struct git_cache *cache, int *ret_fd)
{
	AUTO(mem) char *path = xasprintf("git/%s", cache->name);
	struct err *err = file_open_dir(store_fd(cache->store), path, ret_fd);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return NULL;
}

/* ---- trust ---- */

static bool holds(int repo_fd, const char *path, const char *text)
{
	AUTO(buf) struct buf found = BUF_INIT(ANSWER_MAX);
	AUTO(err) struct err *err = file_read(repo_fd, path, ANSWER_MAX, &found);

	return !err && str_is(buf_str(&found), text);
}

static struct err *put_boot(const struct git_cache *cache, int repo_fd)
{
	return file_replace(repo_fd, BOOT, str_of(store_boot_id(cache->store)), 0600, FILE_QUICK);
}

/* Whether every object that is needed is there and whole. That one of them is not as git would make it
 * today (code 1) was so where it came from. */
static struct err *verify(int repo_fd, bool *ret)
{
	const char *const args[] = { "fsck", "--full", "--no-dangling", "--no-progress", NULL };
	AUTO(tool_end) struct tool_end end = { 0 };

	*ret = false;
	if (!holds(repo_fd, "info/attributes", attributes))
		return NULL;
	TRY(git_try(
		&(struct git_call){ .dir_fd = repo_fd, .git_dir = ".", .args = args, .out_fd = -1 },
		&end));
	*ret = end.code == 0 || end.code == 1;
	return NULL;
}

static struct err *throw_away(struct git_cache *cache)
{
	AUTO(fd) int git_fd = -1;

	close(cache->repo_fd);
	cache->repo_fd = -1;
	log_info("the cached repository %s is damaged, and thrown away", cache->name);
	TRY(file_open_dir(store_fd(cache->store), "git", &git_fd));
	return file_remove_tree(git_fd, cache->name);
}

struct err *git_cache_doubt(struct git_cache *cache, bool *ret_damaged)
{
	bool is_whole = true;

	*ret_damaged = false;
	if (cache->repo_fd < 0)
		return NULL;
	TRY(verify(cache->repo_fd, &is_whole));
	*ret_damaged = !is_whole;
	return is_whole ? NULL : throw_away(cache);
}

/* Believe it if it was made since the machine was started, or has survived. */
static struct err *settle(struct git_cache *cache)
{
	bool is_damaged;

	if (cache->repo_fd < 0 || holds(cache->repo_fd, BOOT, store_boot_id(cache->store)))
		return NULL;
	TRY(git_cache_doubt(cache, &is_damaged));
	if (!is_damaged)
		err_free(put_boot(cache, cache->repo_fd)); /* then it is verified once more */
	return NULL;
}

struct err *git_cache_open(struct store *store, const struct git_url *url, struct git_cache *ret)
{
	AUTO(git_cache)
	struct git_cache cache = {
		.store = store, .lock = LOCK_INIT, .repo_fd = -1, .fresh_fd = -1
	};
	struct digest key;

	TRY(hex_of("git ", url->remote, &key, &cache.name));
	TRY(store_single(store, &key, NULL, &cache.lock));
	TRY(open_repo(&cache, &cache.repo_fd));
	TRY(settle(&cache));
	if (cache.repo_fd >= 0)
		file_note_use(cache.repo_fd, ".");
	*ret = cache;
	cache = (struct git_cache){ .lock = LOCK_INIT, .repo_fd = -1, .fresh_fd = -1 };
	return NULL;
}

/* ---- asking ---- */

/* The commit that a ref of ours names; "" if there is none. */
static struct err *look_up(int repo_fd, const char *ref, char ret[static GIT_COMMIT_SIZE])
{
	AUTO(mem) char *commit = xasprintf("%s^{commit}", ref);
	const char *const args[] = { "rev-parse",        "--verify", "--quiet",
				     "--end-of-options", commit,     NULL };
	AUTO(buf) struct buf out = BUF_INIT(ANSWER_MAX);
	AUTO(tool_end) struct tool_end end = { 0 };
	AUTO(mem) char *line = NULL;

	ret[0] = '\0';
	if (repo_fd < 0)
		return NULL;
	TRY(git_try(
		&(struct git_call){ .dir_fd = repo_fd, .git_dir = ".", .args = args, .out = &out },
		&end));
	line = str_dup(str_trim(buf_str(&out)));
	if (end.code == 0 && git_is_commit(line))
		memcpy(ret, line, strlen(line) + 1);
	return NULL;
}

struct err *git_cache_has(const struct git_cache *cache, const char *commit, bool *ret)
{
	AUTO(mem) char *ref = xasprintf("refs/commits/%s", commit);
	char found[GIT_COMMIT_SIZE];

	TRY(look_up(cache->repo_fd, ref, found));
	*ret = strcmp(found, commit) == 0;
	return NULL;
}

static struct err *asked_ref(const char *ref, char **ret)
{
	AUTO(mem) char *hex = NULL;
	struct digest digest;

	TRY(hex_of("ref ", ref ? ref : "HEAD", &digest, &hex));
	*ret = xasprintf("refs/asked/%s", hex);
	return NULL;
}

struct err *git_cache_asked(const struct git_cache *cache, const char *ref,
			    char ret[static GIT_COMMIT_SIZE])
{
	AUTO(mem) char *name = NULL;

	TRY(asked_ref(ref, &name));
	return look_up(cache->repo_fd, name, ret);
}

/* ---- the next one ---- */

static bool is_leftover(const char *name)
{
	return str_ends(str_of(name), ".lock") || str_starts(str_of(name), "tmp_") ||
	       strcmp(name, "FETCH_HEAD") == 0;
}

/* Make `to` a tree of links to the files of `from`: git replaces files, and writes into none. */
static struct err *link_tree(int from, int to, int depth)
{
	AUTO(strings) struct strings names = { 0 };
	struct stat st;

	if (depth > DEPTH_MAX)
		return err_new(ERR_INVALID, "the cached repository is too deep");
	TRY(file_list(from, ".", &names));
	vec_foreach (&names, name) {
		AUTO(fd) int inner_from = -1;
		AUTO(fd) int inner_to = -1;

		if (is_leftover(*name))
			continue;
		if (fstatat(from, *name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys("look at %s", *name);
		if (S_ISREG(st.st_mode) && linkat(from, *name, to, *name, 0) < 0)
			return err_sys("link %s", *name);
		if (!S_ISDIR(st.st_mode))
			continue;
		TRY(file_open_dir(from, *name, &inner_from));
		TRY(file_make_dirs(to, *name, 0700, &inner_to));
		TRY(link_tree(inner_from, inner_to, depth + 1));
	}
	return NULL;
}

/* Whether the old one is worth going on with. What was cut off of a history is not asked for again,
 * but for by an option that not every server knows. */
static bool is_tidy(int repo_fd, bool whole)
{
	AUTO(strings) struct strings packs = { 0 };
	AUTO(err) struct err *err = file_list(repo_fd, "objects/pack", &packs);

	return !err && packs.len <= PACKS_MAX && !(whole && file_exists(repo_fd, "shallow"));
}

static struct err *init(int dir_fd, const char *commit)
{
	AUTO(mem)
	char *format = xasprintf("--object-format=%s", strlen(commit) == 64 ? "sha256" : "sha1");
	const char *const args[] = {
		"init", "--quiet", "--bare", "--template=", format, REPO, NULL
	};
	AUTO(fd) int info_fd = -1;

	TRY(git_run(&(struct git_call){ .dir_fd = dir_fd, .args = args, .out_fd = -1 }));
	TRY(file_make_dirs(dir_fd, REPO "/info", 0700, &info_fd));
	return file_replace(info_fd, "attributes", str_of(attributes), 0600, FILE_QUICK);
}

static struct err *go_on(const struct git_cache *cache)
{
	AUTO(fd) int to = -1;

	TRY(file_make_dirs(cache->fresh_fd, REPO, 0700, &to));
	return link_tree(cache->repo_fd, to, 0);
}

struct err *git_cache_begin(struct git_cache *cache, const char *commit, bool whole, int *ret_fd)
{
	struct err *err = NULL;
	bool begun = false;

	TRY(drop_fresh(cache));
	TRY(layer_scratch(cache->store, &cache->fresh_fd));
	if (cache->repo_fd >= 0 && is_tidy(cache->repo_fd, whole)) {
		err = go_on(cache);
		begun = !err;
		err_free(err); /* then from nothing */
		if (!begun)
			TRY(file_remove_tree(cache->fresh_fd, REPO));
	}
	if (!begun)
		TRY(init(cache->fresh_fd, commit));
	*ret_fd = cache->fresh_fd;
	return NULL;
}

/* Write a ref of the fresh one. */
static struct err *set_ref(int dir_fd, const char *ref, const char *commit)
{
	const char *const args[] = { "update-ref", "--no-deref", ref, commit, NULL };

	return git_run(&(struct git_call){
		.dir_fd = dir_fd, .git_dir = REPO, .args = args, .out_fd = -1 });
}

struct err *git_cache_commit(struct git_cache *cache, const char *ref, const char *commit)
{
	AUTO(mem) char *asked = NULL;
	AUTO(mem) char *own = xasprintf("refs/commits/%s", commit);
	AUTO(fd) int repo_fd = -1;
	AUTO(fd) int git_fd = -1;
	int failed;

	TRY(asked_ref(ref, &asked));
	TRY(set_ref(cache->fresh_fd, own, commit));
	TRY(set_ref(cache->fresh_fd, asked, commit));
	TRY(file_open_dir(cache->fresh_fd, REPO, &repo_fd));
	TRY(put_boot(cache, repo_fd));
	TRY(file_make_dirs(store_fd(cache->store), "git", 0700, &git_fd));
	failed = renameat2(cache->fresh_fd, REPO, git_fd, cache->name,
			   cache->repo_fd >= 0 ? RENAME_EXCHANGE : 0);
	if (failed < 0)
		return err_sys("put the repository into the store");
	if (cache->repo_fd >= 0)
		close(cache->repo_fd);
	cache->repo_fd = -1;
	TRY(drop_fresh(cache));
	return open_repo(cache, &cache->repo_fd);
}
