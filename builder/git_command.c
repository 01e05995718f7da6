/* builder/git_command.c - see builder/git_command.h. */

#include "builder/git_command.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/userns.h"
#include "base/vec.h"
#include "builder/git_progress.h"
#include "builder/git_url.h"

#define SILENCE 120000 /* milliseconds: it tells its progress, and servers theirs, every second */
#define SSH "ssh -oBatchMode=yes -oConnectTimeout=15 -oServerAliveInterval=15"

/* ---- its environment ---- */

/* What it may know of ours. */
static const char *const passed[] = {
	"PATH",         "SSH_AUTH_SOCK",  "TMPDIR",         "http_proxy",      "https_proxy",
	"HTTPS_PROXY",  "all_proxy",      "ALL_PROXY",      "no_proxy",        "NO_PROXY",
	"SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSH_COMMAND",
};

static const char *const fixed[] = {
	"LC_ALL=C",
	"HOME=/dev/null",
	"XDG_CONFIG_HOME=/dev/null",
	"GIT_CONFIG_NOSYSTEM=1",
	"GIT_CONFIG_SYSTEM=/dev/null",
	"GIT_CONFIG_GLOBAL=/dev/null",
	"GIT_ATTR_NOSYSTEM=1",
	"GIT_TERMINAL_PROMPT=0",
	"GIT_ASKPASS=",
	"SSH_ASKPASS=",
	"SSH_ASKPASS_REQUIRE=never",
	"GIT_EDITOR=false",
	"GIT_PAGER=cat",
	"GIT_NO_REPLACE_OBJECTS=1",
	"GIT_LITERAL_PATHSPECS=1",
	"GIT_OPTIONAL_LOCKS=0",
	"GIT_SSH_VARIANT=ssh",
};

static const char *const settings[][2] = {
	{ "core.hooksPath", "/dev/null" },
	{ "core.fsmonitor", "false" },
	{ "core.attributesFile", "/dev/null" },
	{ "core.excludesFile", "/dev/null" },
	{ "core.askPass", "" },
	{ "credential.helper", "" },
	{ "safe.directory", "*" },
	{ "gc.auto", "0" },
	{ "maintenance.auto", "false" },
	{ "fetch.recurseSubmodules", "false" },
	{ "submodule.recurse", "false" },
	{ "transfer.unpackLimit", "1" },
	{ "pack.threads", "1" },
	{ "init.defaultBranch", "main" },
	{ "tar.umask", "0022" },
	{ "http.lowSpeedLimit", "1024" },
	{ "http.lowSpeedTime", "30" },
	{ "http.followRedirects", "false" },
	{ "transfer.bundleURI", "false" },
};

struct environment {
	struct strings list;
	unsigned settings;
};

/* It may hold what authorises. */
static void environment_auto_(struct environment *env)
{
	vec_foreach (&env->list, pair)
		explicit_bzero(*pair, strlen(*pair));
	strings_release(&env->list);
}

static void set(struct environment *env, const char *key, const char *value)
{
	vec_push(&env->list, xasprintf("GIT_CONFIG_KEY_%u=%s", env->settings, key));
	vec_push(&env->list, xasprintf("GIT_CONFIG_VALUE_%u=%s", env->settings, value));
	env->settings++;
}

static void pass(struct environment *env, const char *name)
{
	const char *value = getenv(name);

	if (value)
		vec_push(&env->list, xasprintf("%s=%s", name, value));
}

/* The directory of the user who started us; owned, NULL if a shell or ssh would not take it as it is. */
static char *user_home(void)
{
	struct passwd record, *found = NULL;
	char text[4096];

	if (getpwuid_r(userns_outer_uid(), &record, text, sizeof(text), &found) != 0 || !found)
		return NULL;
	return strpbrk(found->pw_dir, "'\"\\%$\n") ? NULL : xstrdup(found->pw_dir);
}

/* ssh looks for its files where the list of users says, and in a user namespace we are root there. */
static char *ssh_command(void)
{
	static const char *const keys[] = { "id_rsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk",
					    "id_ed25519_sk" };
	AUTO(buf) struct buf command = BUF_INIT((size_t)64 * 1024);
	AUTO(mem) char *home = userns_mode() == USERNS_NONE ? NULL : user_home();
	AUTO(mem) char *config = home ? xasprintf("%s/.ssh/config", home) : NULL;

	buf_adds(&command, SSH);
	if (!home)
		return buf_steal(&command);
	if (file_exists(AT_FDCWD, config))
		buf_addf(&command, " -F '%s'", config);
	buf_addf(&command, " '-oUserKnownHostsFile=\"%s/.ssh/known_hosts\"'", home);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		AUTO(mem) char *key = xasprintf("%s/.ssh/%s", home, keys[i]);

		if (file_exists(AT_FDCWD, key))
			buf_addf(&command, " '-oIdentityFile=\"%s\"'", key);
	}
	return buf_steal(&command);
}

/* What cairn's own transport heeds, and git not in the same way. */
static void pass_translated(struct environment *env)
{
	const char *proxy = getenv("HTTP_PROXY"), *roots = getenv("SSL_CERT_FILE");
	AUTO(mem) char *ssh = getenv("GIT_SSH_COMMAND") ? NULL : ssh_command();

	if (proxy && !getenv("http_proxy"))
		vec_push(&env->list, xasprintf("http_proxy=%s", proxy));
	if (roots && !getenv("GIT_SSL_CAINFO"))
		vec_push(&env->list, xasprintf("GIT_SSL_CAINFO=%s", roots));
	if (ssh)
		vec_push(&env->list, xasprintf("GIT_SSH_COMMAND=%s", ssh));
}

/* Whether a proxy must never see it: it stands on this machine. */
static bool is_here(const struct git_url *url)
{
	struct str rest = str_of(url->authority);
	struct str host = str_cut(&rest, ':');

	return str_is(host, "localhost") || str_starts(host, "127.") ||
	       str_starts(str_of(url->authority), "[::1]");
}

static void authorise(struct environment *env, const struct git_call *call)
{
	const char *scheme = call->remote->scheme == GIT_HTTPS ? "https" : "http";
	AUTO(mem)
	char *key = xasprintf("http.%s://%s/.extraHeader", scheme, call->remote->authority);
	char *line = xasprintf("Authorization: %s", call->authorization);

	set(env, key, line);
	explicit_bzero(line, strlen(line));
	free(line);
}

static const char *protocols(const struct git_call *call)
{
	static const char *const names[] = {
		[GIT_HTTP] = "http", [GIT_HTTPS] = "https", [GIT_SSH] = "ssh", [GIT_GIT] = "git"
	};

	if (call->remote)
		return names[call->remote->scheme];
	return call->local ? "file" : "";
}

static void make_environment(const struct git_call *call, struct environment *env)
{
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		pass(env, passed[i]);
	pass_translated(env);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		strings_push(&env->list, fixed[i]);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		set(env, settings[i][0], settings[i][1]);
	if (call->remote && is_here(call->remote))
		set(env, "http.proxy", "");
	if (call->remote && call->authorization)
		authorise(env, call);
	if (call->remote && call->pin)
		set(env, "http.curloptResolve", call->pin);
	vec_push(&env->list, xasprintf("GIT_ALLOW_PROTOCOL=%s", protocols(call)));
	vec_push(&env->list, xasprintf("GIT_CONFIG_COUNT=%u", env->settings));
}

/* ---- running ---- */

struct err *git_try(const struct git_call *call, struct tool_end *ret)
{
	AUTO(environment) struct environment env = { 0 };
	AUTO(strings) struct strings argv = { 0 };
	struct tool program = { .dir_fd = call->dir_fd,
				.out_fd = call->out ? -1 : call->out_fd,
				.out = call->out,
				.silence = call->remote ? SILENCE : 0,
				.hear = call->progress ? git_progress_hear : NULL,
				.ear = call->progress };
	struct err *err;

	strings_push(&argv, "git");
	if (call->git_dir)
		vec_push(&argv, xasprintf("--git-dir=%s", call->git_dir));
	for (const char *const *arg = call->args; *arg; arg++)
		strings_push(&argv, *arg);
	make_environment(call, &env);
	program.argv = (const char *const *)strings_argv(&argv);
	program.environment = (const char *const *)strings_argv(&env.list);
	err = tool_run(&program, ret);
	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err); /* told in other words */
	return err_note(err_new(ERR_UNSUPPORTED, "the program 'git' is not here"),
			"Repositories are fetched by git. Install git (2.31 or newer).");
}

struct err *git_run(const struct git_call *call)
{
	AUTO(tool_end) struct tool_end end = { 0 };

	TRY(git_try(call, &end));
	return end.code == 0 ? NULL : git_failure(call, &end);
}

/* ---- complaints ---- */

/* Whether one of these lines is what matters. */
static bool is_telling(struct str line)
{
	return str_starts(line, "fatal: ") || str_starts(line, "error: ") ||
	       str_starts(line, "remote: ERROR") || str_starts(line, "ERROR: ");
}

/* The line that says most: the last that tells of an error, else the last. */
static struct str telling(const char *errors)
{
	struct str rest = str_of(errors), last = { "", 0 }, best = { NULL, 0 };

	while (rest.len > 0) {
		struct str line = str_cut(&rest, '\n');
		const char *back = line.len ? memrchr(line.at, '\r', line.len) : NULL;

		if (back) /* progress was written over */
			line = (struct str){ back + 1, line.len - (size_t)(back + 1 - line.at) };
		line = str_trim(line);
		if (line.len)
			last = line;
		if (is_telling(line))
			best = line;
	}
	return best.at ? best : last;
}

static enum err_kind kind_of(const char *errors)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} known[] = {
		{ "could not read Username", ERR_DENIED },
		{ "could not read Password", ERR_DENIED },
		{ "Authentication failed", ERR_DENIED },
		{ "Permission denied", ERR_DENIED },
		{ "Host key verification failed", ERR_DENIED },
		{ "returned error: 401", ERR_DENIED },
		{ "returned error: 403", ERR_DENIED },
		{ "not found", ERR_NOT_FOUND },
		{ "returned error: 404", ERR_NOT_FOUND },
		{ "does not appear to be a git repository", ERR_NOT_FOUND },
		{ "couldn't find remote ref", ERR_NOT_FOUND },
		{ "not exported", ERR_NOT_FOUND }, /* what git daemon says */
		{ "not our ref", ERR_NOT_FOUND },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strstr(errors, known[i].text))
			return known[i].kind;
	return ERR_NETWORK;
}

struct err *git_failure(const struct git_call *call, const struct tool_end *end)
{
	struct str line = telling(end->errors);
	enum err_kind kind = call->remote ? kind_of(end->errors) : ERR_INVALID;
	struct err *err = err_new(kind, "git %s: %.*s (code %d)", call->args[0],
				  line.len > 400 ? 400 : (int)line.len, line.at, end->code);

	if (kind != ERR_DENIED || !call->remote)
		return err;
	if (call->remote->scheme == GIT_SSH)
		return err_note(
			err, "git uses the keys of the agent at SSH_AUTH_SOCK and ssh's own files");
	return err_note(err, "give a token by --secret id=GIT_AUTH_TOKEN.%s,env=NAME",
			call->remote->authority);
}
