/* builder/context.c - see builder/context.h. */

#include "builder/context.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/stream.h"
#include "base/vec.h"
#include "builder/context_spec.h"
#include "builder/git_source.h"
#include "builder/git_url.h"
#include "builder/remote_auth.h"
#include "builder/source_policy.h"
#include "builder/tarball.h"
#include "builder/web_source.h"
#include "registry/client.h"
#include "registry/url.h"
#include "store/blob.h"
#include "store/layer.h"

void context_release(struct context *context)
{
	if (context->fd >= 0)
		close(context->fd);
	context->fd = -1;
	buf_release(&context->recipe);
	dependencies_release(&context->dependencies);
	free(context->recipe_name);
	context->recipe_name = NULL;
}

bool context_is_remote(const struct context_spec *spec)
{
	struct stat st;

	if (spec->maybe_path && stat(spec->value, &st) == 0 && S_ISDIR(st.st_mode))
		return false;
	return spec->kind == CONTEXT_STDIN || spec->kind == CONTEXT_WEB ||
	       spec->kind == CONTEXT_GIT;
}

/* ---- a tar or a file ---- */

/* The file as the only one of a directory. */
static struct err *put_alone(const struct context_opts *opts, struct source *content,
			     const char *url, struct context *ret)
{
	AUTO(mem) char *name = web_source_name(url);
	AUTO(sink) struct sink *out = NULL;
	AUTO(fd) int dir_fd = -1;
	int fd = -1;

	TRY(layer_scratch(opts->store, &dir_fd));
	TRY(file_open(dir_fd, name ? name : "__unnamed__", O_WRONLY | O_CREAT | O_EXCL, 0600,
		      FILE_NO_LINKS, &fd));
	out = sink_to_fd(fd, url);
	TRY(stream_copy(content, out, NULL));
	TRY(sink_finish(out));
	ret->fd = STEAL_FD(dir_fd);
	return NULL;
}

/* What came is a Recipe and nothing else. */
static struct err *take_recipe(struct source *content, const char *name, struct context *ret)
{
	AUTO(sink) struct sink *out = sink_to_buf(&ret->recipe);
	struct err *err = stream_copy(content, out, NULL);

	if (err && ret->recipe.over) {
		err_free(err); /* told in other words */
		return err_new(ERR_INVALID,
			       "it is no tar, and for a Recipe too large: more than %zu MiB",
			       SCRIPT_MAX >> 20);
	}
	TRY(err);
	if (ret->recipe.len && memchr(ret->recipe.at, '\0', ret->recipe.len))
		return err_new(ERR_INVALID, "it is neither a tar nor a Recipe: it holds NUL bytes");
	if (ret->recipe.len == 0)
		return err_new(ERR_INVALID,
			       "there is nothing in it: it is neither a tar nor a Recipe");
	ret->recipe_name = xstrdup(name);
	return NULL;
}

/* Take what `inner`, which it owns, holds: a tar or a Recipe. Of `size` bytes; 0: nobody knows. */
static struct err *take(const struct context_opts *opts, struct source *inner, uint64_t size,
			const char *name, struct context *ret)
{
	AUTO(source) struct source *content = NULL;
	enum tarball_kind kind;

	TRY(tarball_open(inner, &kind, &content));
	if (kind == TARBALL_TAR)
		return tarball_unpack(opts->store, content, size, &ret->fd);
	if (kind == TARBALL_PACKED)
		return err_new(ERR_INVALID, "what it holds is compressed, but no tar");
	return take_recipe(content, name, ret);
}

/* The same of a file that --build-context names: what is no tar is there as it is. */
static struct err *take_named(const struct context_opts *opts, const struct digest *digest,
			      const char *name, struct context *ret)
{
	AUTO(source) struct source *content = NULL;
	AUTO(source) struct source *whole = NULL;
	struct err *err;
	enum tarball_kind kind = TARBALL_NONE;
	int fd = -1, again_fd = -1;
	uint64_t size;

	TRY(blob_open(opts->store, digest, &fd, &size));
	err = tarball_open(source_from_fd(fd, name), &kind, &content);
	if (err_kind(err) == ERR_CORRUPT || err_kind(err) == ERR_INVALID)
		err_free(err); /* it merely looks compressed */
	else
		TRY(err);
	if (kind == TARBALL_TAR)
		return tarball_unpack(opts->store, content, size, &ret->fd);
	TRY(blob_open(opts->store, digest, &again_fd, &size));
	whole = source_from_fd(again_fd, name);
	return put_alone(opts, whole, name, ret);
}

static struct err *fetch_stdin(const struct context_opts *opts, struct context *ret)
{
	static const char name[] = "(standard input)";
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return err_sys("open the standard input");
	return take(opts, source_from_fd(fd, name), 0, name, ret);
}

static struct err *fetch_web(const struct context_opts *opts, const char *url, struct context *ret)
{
	const struct web_auth auth = remote_auth_web(opts->secrets);
	AUTO(policy_web) struct policy_web web = { 0 };
	struct web_source_opts how = { .store = opts->store,
				       .client = opts->client,
				       .auth = &auth,
				       .progress = opts->progress };
	AUTO(mem) char *shown = url_redacted(url);
	struct web_source file;
	int fd = -1;

	TRY(source_policy_web(opts->policy, url, NULL, &web));
	how.checksum = web.has_checksum ? &web.checksum : NULL;
	TRY(web_source_get(&how, web.url, &file));
	ret->has_time = file.has_time;
	ret->time = file.time;
	ret->fetched = file.fetched;
	dependencies_add_web(&ret->dependencies, web.url, &file.digest);
	if (opts->named)
		return take_named(opts, &file.digest, shown, ret);
	TRY(blob_open(opts->store, &file.digest, &fd, &file.size));
	return take(opts, source_from_fd(fd, shown), file.size, shown, ret);
}

/* The time of a commit, which all that was checked out of it has. */
static struct err *find_time(struct context *ret)
{
	AUTO(strings) struct strings names = { 0 };
	struct stat st;

	TRY(file_list(ret->fd, ".", &names));
	vec_foreach (&names, name) {
		if (strcmp(*name, ".git") == 0 ||
		    fstatat(ret->fd, *name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		ret->has_time = true;
		ret->time = st.st_mtim.tv_sec;
		return NULL;
	}
	return NULL;
}

static struct err *fetch_git(const struct context_opts *opts, const char *text, struct context *ret)
{
	const struct git_source_opts how = {
		.store = opts->store,
		.offline = !opts->client || client_is_offline(opts->client),
		.secrets = opts->secrets,
		.client = opts->client,
		.progress = opts->progress,
	};
	AUTO(git_url) struct git_url url = { 0 };
	char commit[GIT_COMMIT_SIZE];
	bool is, keep;

	TRY(git_url_parse(text, GIT_URL_CONTEXT, &is, &url));
	TRY(source_policy_git(opts->policy, &url));
	keep = url.keep_git_dir == TRISTATE_UNSET ? opts->keep_git_dir :
						    url.keep_git_dir == TRISTATE_TRUE;
	TRY(git_source_resolve(&how, &url, commit));
	TRY(git_source_open(&how, &url, commit, keep, &ret->fd));
	dependencies_add_git(&ret->dependencies, &url, commit);
	ret->fetched = true;
	return find_time(ret);
}

struct err *context_fetch(const struct context_opts *opts, const struct context_spec *spec,
			  struct context *ret)
{
	AUTO(mem) char *shown = url_redacted(spec->value);

	ret->remote = true;
	if (spec->kind == CONTEXT_STDIN)
		return err_wrap(fetch_stdin(opts, ret), "the build context on standard input");
	if (spec->kind == CONTEXT_WEB)
		return err_wrap(fetch_web(opts, spec->value, ret), "context %s", shown);
	return err_wrap(fetch_git(opts, spec->value, ret), "context %s", shown);
}
