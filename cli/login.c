/* cli/login.c - who we are to a registry: login and logout. */

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/commands-private.h"
#include "cli/network.h"
#include "cli/output.h"
#include "registry/client.h"
#include "registry/credentials.h"
#include "registry/registries.h"
#include "registry/repository.h"

#define SECRET_MAX ((size_t)64 * 1024) /* tokens of some registries have several kilobytes */
#define HUB "docker.io"

struct login_values {
	struct network_values network;
	const char *user, *password;
	bool password_stdin, get_login;
};

static const struct option login_options[] = {
	OPTION_FLAG(struct login_values, get_login, 0, "get-login",
		    "only print who we are to the registry"),
	OPTION_TEXT(struct login_values, password, 'p', "password", "PASSWORD",
		    "the password, for all to see; better --password-stdin"),
	OPTION_FLAG(struct login_values, password_stdin, 0, "password-stdin",
		    "read the password from standard input"),
	OPTION_TEXT(struct login_values, user, 'u', "username", "USER", "the user"),
	NETWORK_OPTIONS(struct login_values, network),
};

/* ---- which registry ---- */

/* What a user may write for HOST[/PATH], also as old versions of Docker did; owned. */
static char *key_of(const struct strings *operands)
{
	static const char *const schemes[] = { "https://", "http://", "docker://" };
	struct str text = str_of(operands->len ? operands->at[0] : HUB);

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_starts(text, schemes[i])) {
			text.at += strlen(schemes[i]);
			text.len -= strlen(schemes[i]);
		}
	while (str_ends(text, "/"))
		text.len--;
	if (str_ends(text, "/v1") || str_ends(text, "/v2"))
		text.len -= strlen("/v2");
	return str_dup(text);
}

/* An image name in the registry, to find out where it is. */
static struct err *reference_of(const char *key, struct reference *ret)
{
	struct str rest = str_of(key);
	struct str host = str_cut(&rest, '/');
	AUTO(mem) char *name = xasprintf("%s%s", key, rest.len ? "" : "/login");

	if (!reference_is_domain(host))
		return err_new(ERR_USAGE, "'%.200s' is no registry: write HOST or HOST:PORT", key);
	if (!strpbrk(host.at, ".:/") && !str_is(host, "localhost")) {
		struct err *err = err_new(ERR_USAGE, "'%.200s' is no registry", key);

		return err_note(
			err, "a registry is written with its domain or port: %s.example.com", key);
	}
	return option_refuse(reference_parse(name, ret), NULL);
}

static struct err *credentials_of(const struct network_values *network,
				  const struct registries *registries, struct credentials **ret)
{
	const struct credentials_opts opts = {
		.authfile = network->authfile,
		.helpers = registries_helpers(registries),
	};

	return credentials_new(&opts, ret);
}

/* ---- asking ---- */

/* Read a line of a terminal, shown or not; at most SECRET_MAX bytes. */
static struct err *ask(const char *question, bool hidden, char **ret)
{
	AUTO(mem) char *line = xcalloc(1, SECRET_MAX);
	struct termios before, silent;
	bool got;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return err_sys("the terminal");
	fprintf(stderr, "%s: ", question);
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	silent.c_lflag |= ECHONL;
	if (hidden && tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0)
		return err_sys("the terminal");
	got = fgets(line, (int)SECRET_MAX, stdin) != NULL;
	if (hidden)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	if (!got)
		return err_new(ERR_CANCELLED, "no answer");
	line[strcspn(line, "\r\n")] = '\0';
	*ret = xstrdup(line);
	explicit_bzero(line, SECRET_MAX);
	return NULL;
}

/* The first line of standard input, or all of it. */
static struct err *read_password(char **ret)
{
	AUTO(mem) char *text = xcalloc(1, SECRET_MAX);
	size_t len = 0, n = 1;
	bool has_nul;

	while (n && len < SECRET_MAX - 1) {
		TRY(file_read_some(STDIN_FILENO, text + len, SECRET_MAX - 1 - len, "standard input",
				   &n));
		len += n;
	}
	has_nul = strlen(text) < len;
	text[strcspn(text, "\r\n")] = '\0';
	*ret = xstrdup(text);
	explicit_bzero(text, SECRET_MAX);
	if (n)
		return err_new(ERR_USAGE, "standard input is too long for a password");
	return has_nul ? err_new(ERR_USAGE, "standard input is no text, so it is no password") :
			 NULL;
}

/* RFC 7617 section 2: neither a user nor a password may have one. */
static bool has_control(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return true;
	return false;
}

static struct err *find_user(const struct login_values *values, char **ret)
{
	if (values->user)
		*ret = xstrdup(values->user);
	else if (isatty(STDIN_FILENO))
		TRY(ask("user", false, ret));
	else
		return err_new(ERR_USAGE, "who? --username says it where there is no terminal");
	assert(*ret);
	if (!(*ret)[0] || strchr(*ret, ':') || has_control(*ret))
		return err_new(ERR_USAGE, "'%.80s' cannot be a user", *ret);
	return NULL;
}

static struct err *find_password(const struct login_values *values, char **ret)
{
	if (values->password) {
		log_warn("everybody on this machine can read a password on the command line: "
			 "--password-stdin keeps it from them");
		*ret = xstrdup(values->password);
	} else if (isatty(STDIN_FILENO)) {
		TRY(ask("password", true, ret));
	} else if (values->password_stdin) {
		TRY(read_password(ret));
	} else {
		return err_new(ERR_USAGE, "without a terminal the password comes by "
					  "--password-stdin");
	}
	assert(*ret);
	if (!(*ret)[0])
		return err_new(ERR_USAGE, "the password is empty");
	return has_control(*ret) ?
		       err_new(ERR_USAGE, "the password has a control character in it") :
		       NULL;
}

static struct err *find_credential(const struct login_values *values, struct credential *ret)
{
	if (values->password && values->password_stdin)
		return err_new(ERR_USAGE, "either --password or --password-stdin");
	if (values->password_stdin && !values->user)
		return err_new(ERR_USAGE, "--password-stdin needs --username");
	TRY(network_check_creds(values->network.creds));
	if (values->network.creds)
		return option_refuse(credential_parse(values->network.creds, "--creds", ret),
				     "--creds");
	ret->kind = CREDENTIAL_BASIC;
	TRY(find_user(values, &ret->user));
	return find_password(values, &ret->secret);
}

/* ---- the commands ---- */

/* Does the registry let us in? */
static struct err *verify(const struct login_values *values, const struct place *place,
			  const struct credential *credential)
{
	char *creds = xasprintf("%s:%s", credential->user, credential->secret);
	struct client *client = NULL;
	struct err *err = network_open_as(&values->network, place->host, creds, &client);
	const struct repository repo = { .client = client, .place = place };

	if (!err)
		err = repository_ping(&repo);
	client_free(client);
	explicit_bzero(creds, strlen(creds));
	free(creds);
	if (err_kind(err) == ERR_DENIED) {
		struct err *denied =
			err_new(ERR_DENIED, "%s refuses this user or password", place->host);

		denied = err_note(denied, "%s", err_text(err));
		err_free(err);
		return denied;
	}
	return err_wrap(err, "login to %s", place->host);
}

static struct err *print_login(const struct login_values *values,
			       const struct registries *registries, const struct place *place)
{
	AUTO(credentials) struct credentials *credentials = NULL;
	AUTO(credential) struct credential found = { 0 };

	TRY(credentials_of(&values->network, registries, &credentials));
	TRY(credentials_get(credentials, place->host, place->path, &found));
	if (found.kind == CREDENTIAL_NONE)
		return err_new(ERR_NOT_FOUND, "not logged in to %s", place->host);
	output_text(found.user && found.user[0] ? found.user : "<token>");
	return NULL;
}

static struct err *login(const struct login_values *values, const struct registries *registries,
			 const char *key, const struct place *place)
{
	AUTO(credentials) struct credentials *credentials = NULL;
	AUTO(credential) struct credential credential = { 0 };
	AUTO(mem) char *where = NULL, *line = NULL;

	TRY(find_credential(values, &credential));
	TRY(verify(values, place, &credential));
	TRY(credentials_of(&values->network, registries, &credentials));
	TRY(credentials_save(credentials, key, &credential, &where));
	line = xasprintf("logged in to %s as %s; kept %s", key, credential.user, where);
	output_text(line);
	return NULL;
}

static struct err *run_login(struct cli *cli, void *arg, struct strings *operands)
{
	const struct login_values *values = arg;
	AUTO(mem) char *key = key_of(operands);
	AUTO(registries) struct registries *registries = NULL;
	AUTO(places) struct places places = { 0 };
	struct reference ref;

	(void)cli;
	TRY(reference_of(key, &ref));
	TRY(registries_open(NULL, &registries));
	TRY(registries_places(registries, &ref, PUSH, &places));
	if (strcmp(places.at[0].host, ref.domain) != 0)
		return err_new(ERR_USAGE, "images of %s are at %s by registries.conf: log in there",
			       ref.domain, places.at[0].host);
	if (values->get_login)
		return print_login(values, registries, &places.at[0]);
	return login(values, registries, key, &places.at[0]);
}

const struct cli_command command_login = {
	.name = "login",
	.summary = "keep credentials for a registry, after trying them",
	.operands = "[REGISTRY]",
	.about = "Ask who you are to a registry (docker.io if none is named), ask the registry "
		 "whether it is true, and only then keep it where podman, skopeo and buildah find "
		 "it too; where is told. REGISTRY may go on with a path, HOST/TEAM, for "
		 "credentials of a part of it.",
	.examples = "cairn login registry.example.com\n"
		    "cairn login -u ci --password-stdin localhost:5000 <password",
	.options = login_options,
	.option_count = ARRAY_SIZE(login_options),
	.values_size = sizeof(struct login_values),
	.max_operands = 1,
	.completes = COMPLETE_NOTHING,
	.run = run_login,
};

/* ---- logout ---- */

struct logout_values {
	struct network_values network;
	bool all;
};

static const struct option logout_options[] = {
	OPTION_FLAG(struct logout_values, all, 'a', "all", "forget every registry"),
	OPTION_PATH(struct logout_values, network.authfile, 0, "authfile", "FILE",
		    "the file with credentials, instead of the usual one"),
};

static struct err *forget_all(struct credentials *credentials)
{
	AUTO(strings) struct strings keys = { 0 };

	TRY(credentials_keys(credentials, &keys));
	vec_foreach (&keys, key) {
		AUTO(mem) char *line = xasprintf("forgot the login to %s", *key);
		bool found;

		TRY(credentials_erase(credentials, *key, &found));
		if (found)
			output_text(line);
	}
	return NULL;
}

/* Another file may know it still. */
static struct err *warn_of_others(const struct logout_values *values,
				  const struct registries *registries, const char *key)
{
	AUTO(credentials) struct credentials *fresh = NULL;
	AUTO(credential) struct credential known = { 0 };
	struct str rest = str_of(key);
	AUTO(mem) char *host = str_dup(str_cut(&rest, '/'));

	TRY(credentials_of(&values->network, registries, &fresh));
	TRY(credentials_get(fresh, host, rest.len ? rest.at : NULL, &known));
	if (known.kind != CREDENTIAL_NONE)
		log_warn("%s is still known %s: --authfile says where to forget it", key,
			 known.source);
	return NULL;
}

static struct err *forget_one(const struct logout_values *values,
			      const struct registries *registries, struct credentials *credentials,
			      const char *key)
{
	AUTO(mem) char *line = xasprintf("forgot the login to %s", key);
	struct reference ref;
	bool found;

	TRY(reference_of(key, &ref));
	TRY(credentials_erase(credentials, key, &found));
	TRY(warn_of_others(values, registries, key));
	if (!found)
		return err_new(ERR_NOT_FOUND, "not logged in to %s", key);
	output_text(line);
	return NULL;
}

static struct err *run_logout(struct cli *cli, void *arg, struct strings *operands)
{
	const struct logout_values *values = arg;
	AUTO(mem) char *key = key_of(operands);
	AUTO(registries) struct registries *registries = NULL;
	AUTO(credentials) struct credentials *credentials = NULL;

	(void)cli;
	if (values->all && operands->len)
		return err_new(ERR_USAGE, "either --all or one registry");
	TRY(registries_open(NULL, &registries));
	TRY(credentials_of(&values->network, registries, &credentials));
	if (values->all)
		return forget_all(credentials);
	return forget_one(values, registries, credentials, key);
}

const struct cli_command command_logout = {
	.name = "logout",
	.summary = "forget credentials of registries",
	.operands = "[REGISTRY]",
	.about = "Forget the credentials for a registry (docker.io if none is named) where cairn "
		 "login keeps them. If another file knows the registry still, that is said.",
	.examples = "cairn logout registry.example.com\n"
		    "cairn logout --all",
	.options = logout_options,
	.option_count = ARRAY_SIZE(logout_options),
	.values_size = sizeof(struct logout_values),
	.max_operands = 1,
	.completes = COMPLETE_NOTHING,
	.run = run_logout,
};
