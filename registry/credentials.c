/* registry/credentials.c - see registry/credentials.h: finding a credential. */

#include "registry/credentials.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "registry/config_paths.h"
#include "registry/credential_helper.h"
#include "registry/credentials-private.h"
#include "registry/header.h"

#define TOKEN_USER "<token>"

static const char *const hub_names[] = { HUB, "index.docker.io", "registry-1.docker.io" };

/* ---- credentials ---- */

void credential_release(struct credential *credential)
{
	secret_free(credential->user);
	secret_free(credential->secret);
	free(credential->source);
	*credential = (struct credential){ 0 };
}

static void credential_copy(const struct credential *from, struct credential *ret)
{
	*ret = (struct credential){ from->kind, xstrdup(from->user), xstrdup(from->secret),
				    xstrdup(from->source) };
}

struct err *credential_parse(const char *text, const char *source, struct credential *ret)
{
	struct str secret = str_of(text);
	struct str user = str_cut(&secret, ':');

	if (user.len == 0)
		return err_new(ERR_USAGE, "a credential is written USER:PASSWORD");
	*ret = (struct credential){ CREDENTIAL_BASIC, str_dup(user), str_dup(secret),
				    xstrdup(source) };
	return NULL;
}

void wipe_json(json_t *doc)
{
	const char *key;
	json_t *value;

	if (json_is_string(doc))
		explicit_bzero((char *)json_string_value(doc), json_string_length(doc));
	json_object_foreach(doc, key, value) wipe_json(value);
	for (size_t i = 0; i < json_array_size(doc); i++)
		wipe_json(json_array_get(doc, i));
}

/* ---- keys ---- */

static bool is_hub(struct str host)
{
	for (size_t i = 0; i < ARRAY_SIZE(hub_names); i++)
		if (str_is(host, hub_names[i]))
			return true;
	return false;
}

bool same_host(struct str a, struct str b)
{
	return str_equal(a, b) || (is_hub(a) && is_hub(b));
}

struct str key_host(const char *key, bool is_legacy)
{
	static const char *const versions[] = { "", "v1", "v1/", "v2", "v2/" };
	struct str rest = str_of(key);
	bool is_url = str_starts(rest, "https://") || str_starts(rest, "http://");
	struct str host;

	if (is_url)
		rest = str_of(strstr(key, "://") + 3);
	host = str_cut(&rest, '/');
	if (!rest.at || is_url || is_legacy)
		return host;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (str_is(rest, versions[i]))
			return host;
	return (struct str){ NULL, 0 };
}

/* ---- files ---- */

/* An error without the piece of the document that JSON's reader puts into its own. */
static struct err *malformed(const char *name, const struct err *err)
{
	const char *column = strstr(err_text(err), " column ");
	size_t len = column ? (size_t)(column - err_text(err)) + strlen(" column ") : 0;

	if (!column)
		return err_new(ERR_INVALID, "%s", err_text(err));
	len += strspn(err_text(err) + len, "0123456789");
	return err_note(err_new(ERR_INVALID, "%.*s: no valid JSON", (int)len, err_text(err)),
			"%s holds credentials and is not shown", name);
}

static struct err *parse_auths(struct str text, const char *name, json_t **ret)
{
	AUTO(err) struct err *err = NULL;

	if (str_trim(text).len == 0)
		return NULL;
	err = json_parse(text, JSON_MAX, name, ret);
	if (err)
		return malformed(name, err);
	return json_is_object(*ret) ? NULL : err_new(ERR_INVALID, "%s: not an object", name);
}

struct err *auth_file_read(const char *path, json_t **ret)
{
	AUTO(buf) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	bool found = false;
	struct err *err = config_read(path, &text, &found);

	*ret = NULL;
	if (!err && found)
		err = parse_auths(buf_str(&text), path, ret);
	if (text.at)
		explicit_bzero(text.at, text.cap);
	return err;
}

/* `path` (owned by us now, may be NULL) is the next file to look into. */
static void add_file(struct credentials *c, char *path)
{
	struct auth_file file = { .name = path };

	if (!path)
		return;
	file.problem = auth_file_read(path, &file.doc);
	vec_push(&c->files, file);
}

static void add_text(struct credentials *c, const char *variable)
{
	const char *text = config_variable(c->paths, variable);
	struct auth_file file = { .only_auths = true };

	if (!text)
		return;
	file.name = xasprintf("$%s", variable);
	file.problem = parse_auths(str_of(text), file.name, &file.doc);
	vec_push(&c->files, file);
}

/* "$VARIABLE/below", or NULL without the variable; owned. */
static char *below_variable(const struct credentials *c, const char *variable, const char *below)
{
	const char *dir = config_variable(c->paths, variable);

	return dir ? xasprintf("%s/%s", dir, below) : NULL;
}

static char *runtime_file(const struct credentials *c)
{
	char *path = below_variable(c, "XDG_RUNTIME_DIR", "containers/auth.json");
	AUTO(mem) char *name = NULL;

	if (path)
		return path;
	name = xasprintf("/run/containers/%ju/auth.json", (uintmax_t)config_user(c->paths));
	return config_system_path(c->paths, name);
}

/* Below /run is root's directory on many machines, which others may not enter: nothing there is ours. */
static void forgive_foreign_dir(struct credentials *c)
{
	struct auth_file *file = c->files.len ? vec_last(&c->files) : NULL;

	if (!file || config_variable(c->paths, "XDG_RUNTIME_DIR") ||
	    err_errno(file->problem) != EACCES)
		return;
	err_free(file->problem);
	file->problem = NULL;
}

static void add_usual_files(struct credentials *c)
{
	char *path;

	add_text(c, "DOCKER_AUTH_CONFIG");
	c->write_path = runtime_file(c);
	add_file(c, xstrdup(c->write_path));
	forgive_foreign_dir(c);
	path = below_variable(c, "XDG_CONFIG_HOME", "containers/auth.json");
	add_file(c, path ? path : config_home_path(c->paths, ".config/containers/auth.json"));
	path = below_variable(c, "DOCKER_CONFIG", "config.json");
	add_file(c, path ? path : config_home_path(c->paths, ".docker/config.json"));
	path = config_home_path(c->paths, ".dockercfg");
	add_file(c, path);
	if (path)
		vec_last(&c->files)->is_legacy = true;
}

static void add_files(struct credentials *c, const char *authfile)
{
	const char *named = authfile ? authfile : config_variable(c->paths, "REGISTRY_AUTH_FILE");

	if (!named) {
		add_usual_files(c);
		return;
	}
	c->write_path = xstrdup(named);
	add_file(c, xstrdup(named));
	if (authfile && !vec_last(&c->files)->problem && access(authfile, F_OK) < 0)
		vec_last(&c->files)->problem =
			err_new(ERR_NOT_FOUND, "there is no file %s", authfile);
}

struct err *credentials_new(const struct credentials_opts *opts, struct credentials **ret)
{
	AUTO(credentials) struct credentials *c = xcalloc(1, sizeof(*c));

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->answered, NULL);
	c->paths = opts->paths;
	c->given_host = xstrdup(opts->creds_host);
	if (opts->creds)
		TRY(err_wrap(credential_parse(opts->creds, "from --creds", &c->given), "--creds"));
	if (opts->helpers)
		strings_copy(&c->helpers, opts->helpers);
	add_files(c, opts->authfile);
	*ret = STEAL(c);
	return NULL;
}

/* ---- helpers, each asked once ---- */

struct answer {
	bool is_here;
	struct err *problem; /* owned */
	struct credential credential;
};

static void answer_free(void *value)
{
	struct answer *answer = value;

	err_free(answer->problem);
	credential_release(&answer->credential);
	free(answer);
}

/* The same error again. */
static struct err *repeat(const struct err *err)
{
	struct err *again = err_new(err_kind(err), "%s", err_text(err));

	return err_notes(err) ? err_note(again, "%s", err_notes(err)) : again;
}

static struct err *ask(struct credentials *c, const char *suffix, const char *server,
		       struct credential *ret)
{
	const struct credential_helper helper = { c->paths, suffix, server, 0 };
	AUTO(mem) char *key = xasprintf("%s %s", suffix, server);
	struct credential found = { 0 };
	struct err *problem = NULL;
	struct answer *answer;
	bool is_first;

	pthread_mutex_lock(&c->lock);
	answer = map_get(&c->answers, str_of(key));
	is_first = !answer;
	if (is_first) {
		answer = xcalloc(1, sizeof(*answer));
		map_put(&c->answers, str_of(key), answer);
	}
	while (!is_first && !answer->is_here)
		pthread_cond_wait(&c->answered, &c->lock);
	pthread_mutex_unlock(&c->lock);
	if (is_first) {
		problem = credential_helper_get(&helper, &found);
		pthread_mutex_lock(&c->lock);
		answer->problem = problem;
		answer->credential = found;
		answer->is_here = true;
		pthread_cond_broadcast(&c->answered);
		pthread_mutex_unlock(&c->lock);
	}
	if (answer->problem) /* an answer that is here does not change any more */
		return repeat(answer->problem);
	credential_copy(&answer->credential, ret);
	return NULL;
}

/* Ask for `host`; for the Hub by the name that Docker uses, then by the one that Podman uses. */
static struct err *ask_helper(struct credentials *c, const char *suffix, const char *host,
			      struct credential *ret)
{
	if (!is_hub(str_of(host)))
		return ask(c, suffix, host, ret);
	TRY(ask(c, suffix, HUB_KEY, ret));
	if (ret->kind != CREDENTIAL_NONE)
		return NULL;
	credential_release(ret);
	return ask(c, suffix, HUB, ret);
}

struct err *find_suffix(json_t *doc, const char *name, const char *host, const char **ret,
			bool *ret_is_own)
{
	struct json_at root = json_root(doc, name);
	struct json_at helpers = json_member(&root, "credHelpers");
	struct json_at store = json_member(&root, "credsStore");
	const char *suffix = "";
	const char *key;
	json_t *value;

	*ret = NULL;
	*ret_is_own = false;
	if (helpers.value)
		TRY(json_expect_object(&helpers));
	json_object_foreach(helpers.value, key, value)
	{
		struct json_at entry = json_member(&helpers, key);

		if (same_host(key_host(key, false), str_of(host)) && entry.value) {
			TRY(json_get_text(&entry, &suffix));
			*ret_is_own = true;
			break;
		}
	}
	if (!*ret_is_own)
		TRY(json_get_optional_text(&store, &suffix));
	*ret = suffix[0] ? suffix : NULL;
	return NULL;
}

/* ---- entries of "auths" ---- */

/* "USER:PASSWORD" in base64. Messages do not show it. */
static struct err *decode_auth(const struct json_at *at, const char *text, struct credential *ret)
{
	AUTO(mem) char *plain = NULL;
	struct str secret = { NULL, 0 };
	struct str user;
	size_t len = 0;
	AUTO(err) struct err *err = base64_decode(str_of(text), &plain, &len);

	while (len > 0 && plain[len - 1] == '\0')
		len--;
	secret = (struct str){ plain, len };
	user = str_cut(&secret, ':');
	if (!err && secret.at && user.len > 0 && !memchr(plain, '\0', len)) {
		ret->user = str_dup(user);
		ret->secret = str_dup(secret);
	}
	if (plain)
		explicit_bzero(plain, len);
	return ret->user ? NULL : json_error(at, "not USER:PASSWORD in base64");
}

/* Make `ret` of what its parts are. */
static void decide_kind(const char *identity, const char *bearer, struct credential *ret)
{
	const char *token = bearer[0] ? bearer : identity;

	if (token[0]) {
		ret->kind = bearer[0] ? CREDENTIAL_BEARER : CREDENTIAL_IDENTITY;
		secret_free(ret->secret);
		ret->secret = xstrdup(token);
	} else if (ret->user && strcmp(ret->user, TOKEN_USER) == 0) {
		ret->kind = CREDENTIAL_IDENTITY;
		secret_free(STEAL(ret->user));
	} else if (ret->user) {
		ret->kind = CREDENTIAL_BASIC;
	}
}

static struct err *read_entry(const struct json_at *entry, struct credential *ret)
{
	struct {
		const char *name, *text;
	} parts[] = { { "auth", "" },
		      { "username", "" },
		      { "password", "" },
		      { "identitytoken", "" },
		      { "registrytoken", "" } };

	if (!entry->value)
		return NULL;
	TRY(json_expect_object(entry));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct json_at member = json_member(entry, parts[i].name);

		TRY(json_get_optional_text(&member, &parts[i].text));
	}
	if (parts[0].text[0]) {
		struct json_at auth = json_member(entry, "auth");

		TRY(decode_auth(&auth, parts[0].text, ret));
	} else if (parts[1].text[0]) {
		ret->user = xstrdup(parts[1].text);
		ret->secret = xstrdup(parts[2].text);
	}
	decide_kind(parts[3].text, parts[4].text, ret);
	return NULL;
}

/* The key of `auths` that is nearest to `host`/`path`, or NULL. */
static const char *find_key(json_t *auths, const char *host, const char *path, bool is_legacy)
{
	bool hub = is_hub(str_of(host));
	const char *key;
	json_t *value;

	for (size_t len = path ? strlen(path) : 0; len > 0;) {
		for (size_t i = 0; i < (hub ? ARRAY_SIZE(hub_names) : 1); i++) {
			AUTO(mem)
			char *name =
				xasprintf("%s/%.*s", hub ? hub_names[i] : host, (int)len, path);

			if (json_object_get(auths, name))
				return json_object_iter_key(json_object_iter_at(auths, name));
		}
		while (len > 0 && path[--len] != '/')
			;
	}
	if (json_object_get(auths, host))
		return host;
	json_object_foreach(auths, key, value) if (same_host(key_host(key, is_legacy),
							     str_of(host))) return key;
	return NULL;
}

static struct err *look_into_auths(const struct auth_file *file, const char *host, const char *path,
				   struct credential *ret)
{
	struct json_at root = json_root(file->doc, file->name);
	struct json_at auths = file->is_legacy ? root : json_member(&root, "auths");
	struct json_at entry;
	const char *key;

	if (!auths.value)
		return NULL;
	TRY(json_expect_object(&auths));
	key = find_key(auths.value, host, path, file->is_legacy);
	if (!key)
		return NULL;
	entry = json_member(&auths, key);
	TRY(read_entry(&entry, ret));
	ret->source = xasprintf("from %s", file->name);
	return NULL;
}

/* ---- looking up ---- */

static struct err *look_into_file(struct credentials *c, const struct auth_file *file,
				  const char *host, const char *path, struct credential *ret)
{
	const char *suffix = NULL;
	bool is_own = false;

	if (file->problem)
		return repeat(file->problem);
	if (!file->doc)
		return NULL;
	if (!file->only_auths && !file->is_legacy)
		TRY(find_suffix(file->doc, file->name, host, &suffix, &is_own));
	if (suffix)
		TRY(err_wrap(ask_helper(c, suffix, host, ret), "%s", file->name));
	if (is_own || ret->kind != CREDENTIAL_NONE)
		return NULL;
	credential_release(ret);
	return look_into_auths(file, host, path, ret);
}

static struct err *look_into_files(struct credentials *c, const char *host, const char *path,
				   struct credential *ret)
{
	vec_foreach (&c->files, file) {
		TRY(look_into_file(c, file, host, path, ret));
		if (ret->kind != CREDENTIAL_NONE)
			return NULL;
		credential_release(ret);
	}
	return NULL;
}

static struct err *look_up(struct credentials *c, const char *host, const char *path,
			   struct credential *ret)
{
	if (c->helpers.len == 0)
		return look_into_files(c, host, path, ret);
	vec_foreach (&c->helpers, helper) {
		if (strcmp(*helper, FILES_HELPER) == 0)
			TRY(look_into_files(c, host, path, ret));
		else
			TRY(ask_helper(c, *helper, host, ret));
		if (ret->kind != CREDENTIAL_NONE)
			return NULL;
		credential_release(ret);
	}
	return NULL;
}

struct err *credentials_get(struct credentials *credentials, const char *host, const char *path,
			    struct credential *ret)
{
	AUTO(credential) struct credential found = { 0 };

	if (credentials->given_host && credentials->given.kind != CREDENTIAL_NONE &&
	    same_host(str_of(credentials->given_host), str_of(host))) {
		credential_copy(&credentials->given, ret);
		return NULL;
	}
	TRY(err_wrap(look_up(credentials, host, path, &found), "credentials for %s", host));
	if (!found.source)
		found.source = xstrdup("anonymous");
	*ret = found;
	found = (struct credential){ 0 };
	return NULL;
}

/* ---- headers ---- */

static struct err *read_headers(const struct json_at *headers, struct strings *ret)
{
	const char *name;
	json_t *value;

	TRY(json_expect_object(headers));
	json_object_foreach(headers->value, name, value)
	{
		struct json_at at = json_member(headers, name);
		const char *text = "";

		TRY(json_get_optional_text(&at, &text));
		if (!header_is_valid(name, text))
			return json_error(&at, "not a header");
		vec_push(ret, xasprintf("%s: %s", name, text));
	}
	return NULL;
}

struct err *credentials_headers(struct credentials *credentials, struct strings *ret)
{
	vec_foreach (&credentials->files, file) {
		struct json_at root = json_root(file->doc, file->name);
		struct json_at headers = json_member(&root, "HttpHeaders");

		if (headers.value && !file->only_auths && !file->is_legacy)
			return read_headers(&headers, ret);
	}
	return NULL;
}

void credentials_free(struct credentials *credentials)
{
	if (!credentials)
		return;
	vec_foreach (&credentials->files, file) {
		wipe_json(file->doc);
		json_decref(file->doc);
		err_free(file->problem);
		free(file->name);
	}
	vec_release(&credentials->files);
	map_release(&credentials->answers, answer_free);
	strings_release(&credentials->helpers);
	credential_release(&credentials->given);
	free(credentials->given_host);
	free(credentials->write_path);
	pthread_cond_destroy(&credentials->answered);
	pthread_mutex_destroy(&credentials->lock);
	free(credentials);
}
