/* builder/git_remote.c - see builder/git_remote.h. */

#include "builder/git_remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/git_command.h"
#include "builder/git_source.h"
#include "builder/remote_auth.h"
#include "builder/secrets.h"
#include "registry/http.h"
#include "registry/web.h"

#define QUESTION "/info/refs?service=git-upload-pack" /* what git asks first */
#define ARGUMENTS_MAX 24

static void wipe(char *text)
{
	if (text)
		secret_wipe(text, strlen(text));
	free(text);
}

void git_remote_release(struct git_remote *remote)
{
	wipe(remote->authorization);
	free(remote->pin);
	git_url_release(&remote->moved);
	git_place_release(&remote->place);
	*remote = (struct git_remote){ 0 };
}

static bool same_host(const struct git_url *a, const struct git_url *b)
{
	return a->scheme == b->scheme && strcmp(a->authority, b->authority) == 0;
}

struct err *git_remote_open(struct git_remote *ret, const struct git_source_opts *opts,
			    struct git_remote *top, const struct git_url *url)
{
	char *authorization = NULL;

	TRY(remote_auth_git(opts->secrets, url, !top || same_host(top->url, url), &authorization));
	*ret = (struct git_remote){
		.opts = opts, .url = url, .top = top, .authorization = authorization
	};
	return NULL;
}

/* Look up its host, once, and judge it. */
static struct err *find_place(struct git_remote *remote)
{
	struct git_remote *top = remote->top;

	if (remote->is_found)
		return NULL;
	git_place_find(remote->url, &remote->place);
	remote->is_found = true;
	remote->pin = git_place_pin(remote->url, &remote->place);
	if (!top)
		return NULL;
	TRY(find_place(top));
	return git_place_check(top->url, &top->place, remote->url, &remote->place);
}

/* ---- redirects ---- */

static bool is_sent_elsewhere(const struct git_remote *remote, const struct tool_end *end)
{
	static const char *const codes[] = { "error: 301", "error: 302", "error: 303", "error: 307",
					     "error: 308" };

	if (!remote->opts->client || remote->is_moved || end->code == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (strstr(end->errors, codes[i]))
			return true;
	return false;
}

/* Who we are at a host on the way. */
static struct err *find_auth(void *self, const char *authority, char **ret)
{
	const struct git_remote *remote = self;
	const struct git_url other = { .scheme = GIT_HTTPS, .authority = (char *)authority };

	*ret = NULL;
	if (strcmp(authority, remote->url->authority) != 0)
		return remote_auth_git(remote->opts->secrets, &other, false, ret);
	if (remote->authorization)
		*ret = xstrdup(remote->authorization);
	return NULL;
}

/* Where the server's redirects end: the URL of the repository. */
static struct err *find_end(const struct git_remote *remote, char **ret)
{
	static const int accept[] = { 401, 403,
				      0 }; /* git will be told the same, and says it better */
	const struct web_auth auth = { .find = find_auth, .self = (void *)remote };
	AUTO(mem) char *question = xasprintf("%s" QUESTION, remote->url->remote);
	const struct web_request request = { .url = question, .auth = &auth, .accept = accept };
	AUTO(http_response) struct http_response *response = NULL;
	struct str end;

	TRY(web_get(remote->opts->client, &request, &response));
	end = str_of(response->url);
	if (!str_ends(end, QUESTION))
		return err_new(ERR_INVALID, "%s redirects to what is no repository",
			       remote->url->authority);
	end.len -= strlen(QUESTION);
	*ret = str_dup(end);
	return NULL;
}

static struct err *move(struct git_remote *remote)
{
	AUTO(git_url) struct git_url moved = { 0 };
	AUTO(git_place) struct git_place place = { 0 };
	AUTO(mem) char *text = NULL;
	char *authorization = NULL;

	TRY(find_end(remote, &text));
	TRY(git_url_resolve(remote->url, text, &moved));
	git_place_find(&moved, &place);
	TRY(git_place_check(remote->url, &remote->place, &moved, &place));
	TRY(remote_auth_git(remote->opts->secrets, &moved, same_host(remote->url, &moved),
			    &authorization));
	wipe(remote->authorization);
	free(remote->pin);
	remote->authorization = authorization;
	remote->pin = git_place_pin(&moved, &place);
	remote->moved = moved;
	remote->is_moved = true;
	moved = (struct git_url){ 0 };
	return NULL;
}

/* ---- running ---- */

static struct git_call at_remote(const struct git_remote *remote, const struct git_call *call,
				 const char *args[static ARGUMENTS_MAX])
{
	struct git_call whole = *call;
	size_t n = 0;

	whole.remote = remote->is_moved ? &remote->moved : remote->url;
	whole.authorization = remote->authorization;
	whole.pin = remote->pin;
	for (; call->args[n] && n < ARGUMENTS_MAX - 1; n++)
		args[n] =
			call->args[n] == remote->url->remote ? whole.remote->remote : call->args[n];
	args[n] = NULL;
	whole.args = args;
	return whole;
}

struct err *git_remote_try(struct git_remote *remote, const struct git_call *call,
			   struct tool_end *ret)
{
	const char *args[ARGUMENTS_MAX];
	struct git_call whole;

	TRY(find_place(remote));
	whole = at_remote(remote, call, args);
	TRY(git_try(&whole, ret));
	if (!is_sent_elsewhere(remote, ret))
		return NULL;
	TRY(move(remote));
	tool_end_release(ret);
	*ret = (struct tool_end){ 0 };
	if (call->out)
		buf_reset(call->out);
	whole = at_remote(remote, call, args);
	return git_try(&whole, ret);
}

struct err *git_remote_run(struct git_remote *remote, const struct git_call *call)
{
	AUTO(tool_end) struct tool_end end = { 0 };
	const char *args[ARGUMENTS_MAX];
	struct git_call whole;

	TRY(git_remote_try(remote, call, &end));
	whole = at_remote(remote, call, args);
	return end.code == 0 ? NULL : git_failure(&whole, &end);
}
