/* builder/git_source.c - see builder/git_source.h. */

#include "builder/git_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/vec.h"
#include "builder/git_command.h"
#include "builder/git_progress.h"
#include "builder/git_remote.h"
#include "overlay/unpack.h"
#include "store/layer.h"
#include "store/store.h"

#define LISTING_MAX ((size_t)64 * 1024 * 1024)
#define SUBMODULES_DEPTH 16
#define SUBMODULES_MAX 2000

/* ---- resolving ---- */

/* What the server's list says of a ref, by the places where it may stand. */
struct found {
	char head[GIT_COMMIT_SIZE], peeled[GIT_COMMIT_SIZE], tag[GIT_COMMIT_SIZE],
		exact[GIT_COMMIT_SIZE], exact_peeled[GIT_COMMIT_SIZE];
};

static const char *without(const char *prefix, const char *ref)
{
	return str_starts(str_of(ref), prefix) ? ref + strlen(prefix) : ref;
}

static void note(const char *ref, const char *name, const char *commit, struct found *ret)
{
	AUTO(mem) char *head = xasprintf("refs/heads/%s", without("refs/heads/", ref));
	AUTO(mem) char *tag = xasprintf("refs/tags/%s", without("refs/tags/", ref));
	AUTO(mem) char *peeled = xasprintf("%s^{}", tag);
	AUTO(mem)
	char *exact = strcmp(ref, "HEAD") == 0 ? xstrdup(ref) :
						 xasprintf("refs/%s", without("refs/", ref));
	AUTO(mem) char *exact_peeled = xasprintf("%s^{}", exact);
	const struct {
		const char *name;
		char *slot;
	} places[] = { { head, ret->head },
		       { peeled, ret->peeled },
		       { tag, ret->tag },
		       { exact, ret->exact },
		       { exact_peeled, ret->exact_peeled } };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strcmp(name, places[i].name) == 0)
			memcpy(places[i].slot, commit, strlen(commit) + 1);
}

/* A branch comes before a tag, and a tag means what it was put on. */
static const char *choose(const struct found *found)
{
	const char *const order[] = { found->head, found->peeled, found->tag, found->exact_peeled,
				      found->exact };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (order[i][0])
			return order[i];
	return "";
}

static void read_list(struct str list, const char *ref, struct found *ret)
{
	while (list.len > 0) {
		struct str name = str_cut(&list, '\n');
		AUTO(mem) char *commit = str_dup(str_cut(&name, '\t'));
		AUTO(mem) char *text = str_dup(name);

		if (git_is_commit(commit))
			note(ref, text, commit, ret);
	}
}

static struct err *ask_server(const struct git_source_opts *opts, const struct git_url *url,
			      char ret[static GIT_COMMIT_SIZE])
{
	const char *ref = url->ref ? url->ref : "HEAD";
	AUTO(mem) char *peeled = xasprintf("%s^{}", ref);
	const char *const args[] = { "ls-remote", "--quiet", "--", url->remote, ref, peeled, NULL };
	AUTO(buf) struct buf list = BUF_INIT(LISTING_MAX);
	AUTO(git_remote) struct git_remote remote = { 0 };
	struct found found = { 0 };

	TRY(git_remote_open(&remote, opts, NULL, url));
	TRY(git_remote_run(&remote, &(struct git_call){ .dir_fd = store_fd(opts->store),
							.args = args,
							.out_fd = -1,
							.out = &list }));
	read_list(buf_str(&list), ref, &found);
	memcpy(ret, choose(&found), strlen(choose(&found)) + 1);
	if (!ret[0])
		return err_new(ERR_NOT_FOUND, "there is no branch or tag '%s'", ref);
	return NULL;
}

static struct err *ask_cache(const struct git_source_opts *opts, const struct git_url *url,
			     char ret[static GIT_COMMIT_SIZE])
{
	AUTO(git_cache)
	struct git_cache cache = { .lock = LOCK_INIT, .repo_fd = -1, .fresh_fd = -1 };

	TRY(git_cache_open(opts->store, url, &cache));
	TRY(git_cache_asked(&cache, url->ref, ret));
	if (!ret[0])
		return err_new(ERR_NETWORK, "'%s' was not fetched before, and there is no network",
			       url->ref ? url->ref : "HEAD");
	return NULL;
}

struct err *git_source_resolve(const struct git_source_opts *opts, const struct git_url *url,
			       char ret[static GIT_COMMIT_SIZE])
{
	if (url->ref && git_is_commit(url->ref))
		memcpy(ret, url->ref, strlen(url->ref) + 1);
	else if (!url->ref && url->checksum && git_is_commit(url->checksum))
		memcpy(ret, url->checksum, strlen(url->checksum) + 1);
	else
		TRY(err_wrap((opts->offline ? ask_cache : ask_server)(opts, url, ret), "%s",
			     url->remote));
	if (url->checksum && strncmp(ret, url->checksum, strlen(url->checksum)) != 0)
		return err_new(ERR_CORRUPT, "%s: the commit is %s, not %s", url->remote, ret,
			       url->checksum);
	return NULL;
}

/* ---- fetching ---- */

/* Whether another way of asking may help: the server does not give single commits, or no short
 * histories. */
static bool may_differ(const struct tool_end *end)
{
	static const char *const texts[] = { "not our ref",      "unadvertised object",
					     "shallow",          "--depth",
					     "does not support", "couldn't find remote ref",
					     "does not allow",   "no such remote ref",
					     "unable to find" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strstr(end->errors, texts[i]))
			return true;
	return false;
}

struct attempt {
	const char *first, *second; /* refspecs; the second may be NULL */
	bool whole;                 /* with all of the history */
};

/* Of all packs of the repository that is being made. */
static uint64_t size_of_packs(int dir_fd)
{
	AUTO(fd) int fd = -1;
	AUTO(strings) struct strings names = { 0 };
	struct err *err = file_open_dir(dir_fd, "repo/objects/pack", &fd);
	uint64_t size = 0;
	struct stat st;

	if (!err)
		err = file_list(fd, ".", &names);
	err_free(err); /* there is none yet */
	vec_foreach (&names, name)
		if (fstatat(fd, *name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			size += (uint64_t)st.st_size;
	return size;
}

/* git, which tells how far it has come. */
static struct err *run_fetch(struct git_remote *remote, struct git_call *call, struct tool_end *ret)
{
	AUTO(mem) char *what = xasprintf("fetch %s", remote->url->remote);
	struct git_progress told = { .progress = remote->opts->progress };
	uint64_t before = size_of_packs(call->dir_fd);
	struct err *err;

	told.id = progress_begin(told.progress, what, 0);
	call->progress = &told;
	err = git_remote_try(remote, call, ret);
	if (!err)
		git_progress_settle(&told, size_of_packs(call->dir_fd) - before);
	progress_end(told.progress, told.id, !err && ret->code == 0);
	call->progress = NULL;
	return err;
}

/* `*ret_done` is false if it did not work and another way may. */
static struct err *try_fetch(struct git_remote *remote, int dir_fd, const struct attempt *attempt,
			     bool *ret_done)
{
	const char *args[16] = { "fetch",
				 "--progress",
				 "--no-tags",
				 "--force",
				 "--no-write-fetch-head",
				 "--no-recurse-submodules" };
	AUTO(tool_end) struct tool_end end = { 0 };
	struct git_call call = { .dir_fd = dir_fd,
				 .git_dir = "repo",
				 .remote = remote->url, /* for messages */
				 .args = args,
				 .out_fd = -1 };
	size_t n = 6;

	if (!attempt->whole)
		args[n++] = "--depth=1";
	if (attempt->second) /* a branch of before may stand where one now has a directory */
		args[n++] = "--prune";
	args[n++] = "--";
	args[n++] = remote->url->remote;
	args[n++] = attempt->first;
	args[n++] = attempt->second;
	TRY(run_fetch(remote, &call, &end));
	*ret_done = end.code == 0;
	return *ret_done || may_differ(&end) ? NULL : git_failure(&call, &end);
}

static struct err *has_commit(int dir_fd, const char *commit, bool *ret)
{
	AUTO(mem) char *object = xasprintf("%s^{commit}", commit);
	const char *const args[] = { "cat-file", "-e", object, NULL };
	AUTO(tool_end) struct tool_end end = { 0 };

	TRY(git_try(
		&(struct git_call){
			.dir_fd = dir_fd, .git_dir = "repo", .args = args, .out_fd = -1 },
		&end));
	*ret = end.code == 0;
	return NULL;
}

/* Ask for the commit alone, then for the ref that led to it, then for everything. */
static struct err *fetch(struct git_remote *remote, struct git_cache *cache, const char *commit)
{
	const char *ref = remote->url->ref ? remote->url->ref : "HEAD";
	AUTO(mem) char *by_commit = xasprintf("+%s:refs/commits/%s", commit, commit);
	AUTO(mem) char *by_ref = xasprintf("+%s:refs/one", ref);
	const struct attempt attempts[] = {
		{ .first = by_commit },
		{ .first = by_ref },
		{ .first = by_commit, .whole = true },
		{ .first = "+refs/heads/*:refs/all/heads/*",
		  .second = "+refs/tags/*:refs/all/tags/*",
		  .whole = true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		bool done = false;
		int dir_fd;

		if (i == 1 && git_is_commit(ref))
			continue;
		TRY(git_cache_begin(cache, commit, attempts[i].whole, &dir_fd));
		TRY(try_fetch(remote, dir_fd, &attempts[i], &done));
		if (done)
			TRY(has_commit(dir_fd, commit, &done));
		if (done)
			return git_cache_commit(cache, remote->url->ref, commit);
	}
	return err_new(ERR_NOT_FOUND, "there is no commit %s", commit);
}

/* Whether `err` (borrowed) came of a damaged cache, which is gone now. */
static bool was_damaged(struct git_cache *cache, const struct err *err)
{
	struct err *other;
	bool is_damaged;

	if (!err || err_kind(err) == ERR_CANCELLED)
		return false;
	other = git_cache_doubt(cache, &is_damaged);
	is_damaged = is_damaged && !other;
	err_free(other); /* the first one says more */
	return is_damaged;
}

/* Make sure that the cache has a commit. */
static struct err *provide(struct git_remote *remote, struct git_cache *cache, const char *commit)
{
	struct err *err;
	bool has;

	TRY(git_cache_has(cache, commit, &has));
	if (has)
		return NULL;
	if (remote->opts->offline)
		return err_new(ERR_NETWORK,
			       "commit %s was not fetched before, and there is no network", commit);
	err = fetch(remote, cache, commit);
	if (!was_damaged(cache, err))
		return err;
	err_free(err);
	return fetch(remote, cache, commit);
}

/* ---- unpacking ---- */

struct archive {
	int repo_fd;
	const char *commit;
	int out_fd; /* owned */
};

static void drop_archive(void *arg)
{
	struct archive *archive = arg;

	close(archive->out_fd);
}

static struct err *run_archive(void *arg)
{
	struct archive *archive = arg;
	const char *const args[] = { "archive", "--format=tar", archive->commit, NULL };
	struct err *err = git_run(&(struct git_call){ .dir_fd = archive->repo_fd,
						      .git_dir = ".",
						      .args = args,
						      .out_fd = archive->out_fd });

	close(archive->out_fd);
	return err;
}

/* The tree of a commit into a directory. */
static struct err *unpack_commit(int repo_fd, const char *commit, int dir_fd)
{
	const struct unpack_opts opts = { .below_fd = -1, .plain = true };
	AUTO(pool) struct pool *pool = pool_new(1);
	AUTO(group) struct group *group = group_new(pool);
	struct archive archive = { .repo_fd = repo_fd, .commit = commit };
	struct unpack_result result;
	struct source *tar;
	struct err *err, *made;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys("make a pipe");
	archive.out_fd = ends[1];
	tar = source_from_fd(ends[0], "the tree of a commit");
	group_run(group, run_archive, drop_archive, &archive);
	err = unpack(tar, dir_fd, &opts, &result);
	source_free(tar); /* if not all of it was read git ends now */
	made = group_wait(group);
	if (!err || (made && err_kind(err) == ERR_CORRUPT)) {
		err_free(err); /* it was cut off, and the other one knows why */
		return made;
	}
	err_free(made);
	return err;
}

/* ---- submodules ---- */

struct checkout {
	const struct git_source_opts *opts;
	struct git_remote *top; /* the repository that was named */
	unsigned submodules;    /* so far */
};

static struct err *checkout(struct checkout *c, const struct git_url *url, const char *commit,
			    int dir_fd, bool keep_git_dir, unsigned depth);

struct module {
	char *path, *commit; /* owned */
	char *url;           /* owned; NULL: .gitmodules has none for it */
};

struct modules {
	struct module *at;
	size_t len, cap;
};

static void modules_auto_(struct modules *modules)
{
	vec_foreach (modules, module) {
		free(module->path);
		free(module->commit);
		free(module->url);
	}
	vec_release(modules);
}

/* The entries of the tree that are commits: "160000 commit ID\tPATH". */
static struct err *list_modules(int repo_fd, const char *commit, struct modules *ret)
{
	const char *const args[] = { "ls-tree", "-r", "-z", "--full-tree", commit, NULL };
	AUTO(buf) struct buf list = BUF_INIT(LISTING_MAX);
	struct str rest;

	TRY(git_run(&(struct git_call){
		.dir_fd = repo_fd, .git_dir = ".", .args = args, .out_fd = -1, .out = &list }));
	rest = buf_str(&list);
	while (rest.len > 0) {
		struct str path = str_cut(&rest, '\0');
		struct str entry = str_cut(&path, '\t');
		AUTO(mem) char *id = NULL;

		if (!str_starts(entry, "160000 commit "))
			continue;
		entry.at += strlen("160000 commit ");
		entry.len -= strlen("160000 commit ");
		id = str_dup(entry);
		if (!git_is_commit(id) || !path.len)
			return err_new(ERR_CORRUPT, "the tree has an entry that makes no sense");
		vec_push(ret, (struct module){ .path = str_dup(path), .commit = STEAL(id) });
	}
	return NULL;
}

/* The value of "submodule.NAME.<last>", or an empty text. `*ret_name` is NAME. */
static struct str module_value(struct str pair, const char *last, struct str *ret_name)
{
	struct str value = pair, key = str_cut(&value, '\n');
	size_t prefix = strlen("submodule."), suffix = strlen(last);

	if (!str_starts(key, "submodule.") || !str_ends(key, last) || key.len < prefix + suffix)
		return (struct str){ NULL, 0 };
	*ret_name = (struct str){ key.at + prefix, key.len - prefix - suffix };
	return value;
}

static char *find_url(struct str config, struct str name)
{
	char *found = NULL;

	while (config.len > 0) {
		struct str of = { NULL, 0 };
		struct str value = module_value(str_cut(&config, '\0'), ".url", &of);

		if (value.at && str_equal(of, name)) {
			free(found);
			found = str_dup(value);
		}
	}
	return found;
}

/* Where .gitmodules says that they are. */
static struct err *find_urls(int repo_fd, const char *commit, struct modules *modules)
{
	AUTO(mem) char *blob = xasprintf("--blob=%s:.gitmodules", commit);
	const char *const args[] = { "config", blob, "--null", "--list", NULL };
	AUTO(buf) struct buf config = BUF_INIT(LISTING_MAX);
	AUTO(tool_end) struct tool_end end = { 0 };
	struct str rest;

	TRY(git_try(&(struct git_call){ .dir_fd = repo_fd,
					.git_dir = ".",
					.args = args,
					.out_fd = -1,
					.out = &config },
		    &end));
	rest = buf_str(&config);
	while (end.code == 0 && rest.len > 0) {
		struct str name = { NULL, 0 };
		struct str path = module_value(str_cut(&rest, '\0'), ".path", &name);

		vec_foreach (modules, module)
			if (path.at && str_is(path, module->path) && !module->url)
				module->url = find_url(buf_str(&config), name);
	}
	return NULL;
}

static struct err *checkout_module(struct checkout *c, const struct git_url *url,
				   const struct module *module, int dir_fd, unsigned depth)
{
	AUTO(git_url) struct git_url from = { 0 };
	AUTO(fd) int fd = -1;

	if (!module->url)
		return err_new(ERR_INVALID, "there is no URL for it in .gitmodules");
	if (++c->submodules > SUBMODULES_MAX || depth >= SUBMODULES_DEPTH)
		return err_new(ERR_UNSUPPORTED, "there are too many submodules");
	TRY(git_url_resolve(url, module->url, &from));
	from.ref = xstrdup(module->commit);
	TRY(file_open(dir_fd, module->path, O_RDONLY | O_DIRECTORY, 0, FILE_NO_LINKS, &fd));
	return err_wrap(checkout(c, &from, module->commit, fd, false, depth + 1), "%s",
			from.remote);
}

static struct err *checkout_modules(struct checkout *c, const struct git_url *url,
				    const struct modules *modules, int dir_fd, unsigned depth)
{
	vec_foreach (modules, module) {
		TRY(cancel_check());
		TRY(err_wrap(checkout_module(c, url, module, dir_fd, depth), "submodule '%s'",
			     module->path));
	}
	return NULL;
}

/* ---- .git ---- */

static struct err *in_copy(int dir_fd, const char *const *args, bool local)
{
	return git_run(&(struct git_call){
		.dir_fd = dir_fd, .git_dir = ".git", .args = args, .out_fd = -1, .local = local });
}

/* Make `.git`, with the one commit. */
static struct err *make_git_dir(const struct git_cache *cache, const struct git_url *url,
				const char *commit, int dir_fd)
{
	AUTO(mem) char *path = xasprintf("%s/git/%s", store_path(cache->store), cache->name);
	AUTO(mem) char *ref = xasprintf("refs/commits/%s", commit);
	AUTO(mem)
	char *format = xasprintf("--object-format=%s", strlen(commit) == 64 ? "sha256" : "sha1");
	const char *const init[] = { "init", "--quiet", "--template=", format, ".", NULL };
	const char *const fetch_args[] = {
		"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", "--",
		path,    ref,       NULL
	};
	const char *const head[] = { "update-ref", "--no-deref", "HEAD", commit, NULL };
	const char *const index[] = { "read-tree", commit, NULL };
	const char *const remote[] = { "config", "remote.origin.url", url->remote, NULL };
	const char *const refs[] = { "config", "remote.origin.fetch",
				     "+refs/heads/*:refs/remotes/origin/*", NULL };

	if (file_exists(dir_fd, ".git"))
		return err_new(ERR_INVALID, "the repository has a file called '.git'");
	TRY(git_run(&(struct git_call){ .dir_fd = dir_fd, .args = init, .out_fd = -1 }));
	TRY(in_copy(dir_fd, fetch_args, true));
	TRY(in_copy(dir_fd, head, false));
	TRY(in_copy(dir_fd, index, false));
	TRY(in_copy(dir_fd, remote, false));
	return in_copy(dir_fd, refs, false);
}

/* ---- the whole ---- */

static struct err *empty(int dir_fd)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(file_list(dir_fd, ".", &names));
	vec_foreach (&names, name)
		TRY(file_remove_tree(dir_fd, *name));
	return NULL;
}

/* Unpack a commit, which is fetched once more if what the cache has of it is damaged. */
static struct err *provide_files(struct git_remote *remote, struct git_cache *cache,
				 const char *commit, int dir_fd)
{
	struct err *err;

	TRY(provide(remote, cache, commit));
	err = unpack_commit(cache->repo_fd, commit, dir_fd);
	if (!was_damaged(cache, err))
		return err;
	err_free(err);
	TRY(empty(dir_fd));
	TRY(provide(remote, cache, commit));
	return unpack_commit(cache->repo_fd, commit, dir_fd);
}

/* A commit without its submodules, which `modules` gets. */
static struct err *checkout_one(struct checkout *c, const struct git_url *url, const char *commit,
				int dir_fd, bool keep_git_dir, struct modules *modules)
{
	AUTO(git_cache)
	struct git_cache cache = { .lock = LOCK_INIT, .repo_fd = -1, .fresh_fd = -1 };
	AUTO(git_remote) struct git_remote below = { 0 };
	struct git_remote *remote = c->top;

	if (url != c->top->url) {
		TRY(git_remote_open(&below, c->opts, c->top, url));
		remote = &below;
	}
	TRY(git_cache_open(c->opts->store, url, &cache));
	TRY(provide_files(remote, &cache, commit, dir_fd));
	if (keep_git_dir)
		TRY(make_git_dir(&cache, url, commit, dir_fd));
	if (url->submodules == TRISTATE_FALSE)
		return NULL;
	TRY(list_modules(cache.repo_fd, commit, modules));
	return modules->len ? find_urls(cache.repo_fd, commit, modules) : NULL;
}

static struct err *checkout(struct checkout *c, const struct git_url *url, const char *commit,
			    int dir_fd, bool keep_git_dir, unsigned depth)
{
	AUTO(modules) struct modules modules = { 0 };

	TRY(checkout_one(c, url, commit, dir_fd, keep_git_dir, &modules));
	return checkout_modules(c, url, &modules, dir_fd, depth);
}

struct err *git_source_checkout(const struct git_source_opts *opts, const struct git_url *url,
				const char *commit, bool keep_git_dir, int dir_fd)
{
	AUTO(git_remote) struct git_remote top = { 0 };
	struct checkout c = { .opts = opts, .top = &top };

	TRY(git_remote_open(&top, opts, NULL, url));
	return err_wrap(checkout(&c, url, commit, dir_fd, keep_git_dir, 0), "%s", url->remote);
}

struct err *git_source_open(const struct git_source_opts *opts, const struct git_url *url,
			    const char *commit, bool keep_git_dir, int *ret_fd)
{
	AUTO(fd) int dir_fd = -1;
	struct err *err;

	TRY(layer_scratch(opts->store, &dir_fd));
	TRY(git_source_checkout(opts, url, commit, keep_git_dir, dir_fd));
	if (!url->subdir[0]) {
		*ret_fd = STEAL_FD(dir_fd);
		return NULL;
	}
	err = file_open(dir_fd, url->subdir, O_RDONLY | O_DIRECTORY, 0, FILE_IN_ROOT, ret_fd);
	if (err_kind(err) != ERR_NOT_FOUND)
		return err_wrap(err, "%s", url->remote);
	err_free(err); /* told in other words */
	return err_new(ERR_NOT_FOUND, "%s: commit %s has no directory '%s'", url->remote, commit,
		       url->subdir);
}
