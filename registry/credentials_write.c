/*
 * registry/credentials_write.c - login and logout: see registry/credentials.h.
 *
 * The file is read again under a lock on its directory, changed and replaced. The
 * lock is on the directory because the file itself is another one after each
 * change.
 */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>

#include "base/base64.h"
#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "registry/credential_helper.h"
#include "registry/credentials-private.h"
#include "registry/credentials.h"

#define LINKS_MAX 16

/* ---- the file ---- */

/* A file that is being changed. */
struct change {
	char *path;  /* owned; behind all links */
	int dir_fd;  /* owned; locked */
	json_t *doc; /* owned; an object */
};

static void change_auto_(struct change *change)
{
	if (change->dir_fd >= 0)
		close(change->dir_fd); /* and unlock */
	wipe_json(change->doc);
	json_decref(change->doc);
	free(change->path);
}

/* The directory of `path`, owned; "." for a bare name. */
static char *parent_of(const char *path)
{
	AUTO(mem) char *copy = xstrdup(path);

	return xstrdup(dirname(copy));
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What `path` leads to through links of its last component, which need not be there. */
static struct err *follow_links(const char *path, char **ret)
{
	char *at = xstrdup(path);
	char *target = NULL;

	for (int i = 0; i < LINKS_MAX; i++) {
		struct err *err = file_read_link(AT_FDCWD, at, &target);
		char *parent;

		if (err) { /* no link, or nothing at all */
			err_free(err);
			*ret = at;
			return NULL;
		}
		parent = parent_of(at);
		free(at);
		at = target[0] == '/' ? xstrdup(target) : xasprintf("%s/%s", parent, target);
		free(parent);
		free(STEAL(target));
	}
	free(at);
	return err_new(ERR_INVALID, "%s: too many symbolic links", path);
}

static struct err *lock_dir(int dir_fd, const char *path)
{
	while (flock(dir_fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_sys("lock the directory of %s", path);
		TRY(cancel_check());
	}
	return NULL;
}

static struct err *begin(const char *path, struct change *change)
{
	AUTO(mem) char *parent = NULL;

	TRY(follow_links(path, &change->path));
	parent = parent_of(change->path);
	TRY(err_wrap(file_make_dirs(AT_FDCWD, parent, 0700, &change->dir_fd), "%s", path));
	TRY(lock_dir(change->dir_fd, path));
	TRY(auth_file_read(change->path, &change->doc));
	if (!change->doc)
		change->doc = json_object();
	if (!json_is_object(change->doc))
		return err_new(ERR_INVALID, "%s: not an object", path);
	return NULL;
}

static struct err *commit(const struct change *change)
{
	AUTO(secret) char *text = json_format_pretty(change->doc);

	TRY(err_wrap(file_replace(change->dir_fd, name_of(change->path), str_of(text), 0600,
				  FILE_DURABLE),
		     "%s", change->path));
	return file_sync_dir(change->dir_fd);
}

/* ---- entries ---- */

/* "auths", made if it is missing; borrowed. */
static struct err *auths_of(const struct change *change, json_t **ret)
{
	struct json_at root = json_root(change->doc, change->path);
	struct json_at auths = json_member(&root, "auths");

	if (!auths.value)
		json_set(change->doc, "auths", json_object());
	else
		TRY(json_expect_object(&auths));
	*ret = json_object_get(change->doc, "auths");
	return NULL;
}

/* Whether an entry of `auths` is the one that `key` names. */
static bool is_entry(const char *entry, const char *key)
{
	return strcmp(entry, key) == 0 ||
	       (!strchr(key, '/') && same_host(key_host(entry, false), str_of(key)));
}

/* Forget the entries for `key`. */
static bool remove_entries(json_t *auths, const char *key)
{
	const char *entry;
	json_t *value;
	bool found = false;
	void *next;

	json_object_foreach_safe(auths, next, entry, value)
	{
		if (!is_entry(entry, key))
			continue;
		wipe_json(value);
		json_object_del(auths, entry);
		found = true;
	}
	return found;
}

/* The name of the Hub is another one in Docker's own file. */
static const char *key_to_write(const struct change *change, const char *key)
{
	bool is_hub = same_host(str_of(key), str_of(HUB));

	if (!is_hub)
		return key;
	return strcmp(name_of(change->path), "config.json") == 0 ? HUB_KEY : HUB;
}

static json_t *entry_of(const struct credential *credential)
{
	bool is_basic = credential->kind == CREDENTIAL_BASIC;
	const char *user = credential->user ? credential->user : "";
	AUTO(secret) char *plain = xasprintf("%s:%s", user, is_basic ? credential->secret : "");
	AUTO(secret) char *auth = base64_encode(str_of(plain));
	json_t *entry = json_object();

	if (is_basic || user[0])
		json_set_text(entry, "auth", auth);
	if (credential->kind == CREDENTIAL_IDENTITY)
		json_set_text(entry, "identitytoken", credential->secret);
	if (credential->kind == CREDENTIAL_BEARER)
		json_set_text(entry, "registrytoken", credential->secret);
	return entry;
}

/* ---- helpers ---- */

/* The helper that keeps secrets of the host of `key`; NULL for none. From registries.conf, else from
 * the file. */
static struct err *choose_helper(const struct credentials *c, const struct change *change,
				 const char *key, const char **ret)
{
	struct str rest = str_of(key);
	AUTO(mem) char *host = str_dup(str_cut(&rest, '/'));
	bool is_own = false;

	if (c->helpers.len > 0 && strcmp(c->helpers.at[0], FILES_HELPER) != 0) {
		*ret = c->helpers.at[0];
		return NULL;
	}
	return find_suffix(change->doc, change->path, host, ret, &is_own);
}

static const char *server_of(const char *key)
{
	return same_host(str_of(key), str_of(HUB)) ? HUB_KEY : key;
}

/* ---- login and logout ---- */

static bool is_key(const char *key)
{
	return key[0] && key[0] != '/' && !strstr(key, "://");
}

static struct err *check_key(const char *key)
{
	if (!is_key(key))
		return err_new(ERR_INVALID, "'%.200s' is no registry: write HOST or HOST:PORT",
			       key);
	return NULL;
}

static struct err *save(const struct credentials *c, const char *key,
			const struct credential *credential, char **ret_where)
{
	AUTO(change) struct change change = { .dir_fd = -1 };
	const char *suffix = NULL;
	json_t *auths = NULL;

	TRY(begin(c->write_path, &change));
	TRY(choose_helper(c, &change, key, &suffix));
	TRY(auths_of(&change, &auths));
	if (suffix) {
		const struct credential_helper helper = { c->paths, suffix, server_of(key), 0 };

		TRY(credential_helper_store(&helper, credential));
	}
	remove_entries(auths, key);
	json_set(auths, key_to_write(&change, key),
		 suffix ? json_object() : entry_of(credential)); /* {}: a helper has it */
	TRY(commit(&change));
	*ret_where = suffix ? xasprintf("with the helper docker-credential-%s", suffix) :
			      xasprintf("in %s", c->write_path);
	return NULL;
}

struct err *credentials_save(struct credentials *credentials, const char *key,
			     const struct credential *credential, char **ret_where)
{
	TRY(check_key(key));
	if (credential->kind == CREDENTIAL_NONE)
		return err_new(ERR_INVALID, "there is no credential to save for %s", key);
	return err_wrap(save(credentials, key, credential, ret_where), "save the login to %s", key);
}

static struct err *erase(const struct credentials *c, const char *key, bool *ret_found)
{
	AUTO(change) struct change change = { .dir_fd = -1 };
	const char *suffix = NULL;
	json_t *auths = NULL;
	bool helped = false;
	bool found;

	TRY(begin(c->write_path, &change));
	TRY(choose_helper(c, &change, key, &suffix));
	TRY(auths_of(&change, &auths));
	if (suffix) {
		const struct credential_helper helper = { c->paths, suffix, server_of(key), 0 };

		TRY(credential_helper_erase(&helper, &helped));
	}
	found = remove_entries(auths, key);
	if (found)
		TRY(commit(&change));
	*ret_found = found || helped;
	return NULL;
}

struct err *credentials_erase(struct credentials *credentials, const char *key, bool *ret_found)
{
	TRY(check_key(key));
	if (access(credentials->write_path, F_OK) < 0 && credentials->helpers.len == 0) {
		*ret_found = false; /* nothing is made in order to forget */
		return NULL;
	}
	return err_wrap(erase(credentials, key, ret_found), "forget the login to %s", key);
}

struct err *credentials_keys(struct credentials *credentials, struct strings *ret)
{
	AUTO(secret_json) json_t *doc = NULL;
	const char *entry;
	json_t *value;

	TRY(auth_file_read(credentials->write_path, &doc));
	json_object_foreach(json_object_get(doc, "auths"), entry, value)
	{
		struct str host = key_host(entry, false);
		AUTO(mem) char *key = host.len ? str_dup(host) : xstrdup(entry);

		(void)value;
		if (!is_key(key))
			continue;
		strings_push(ret, key);
	}
	return NULL;
}
