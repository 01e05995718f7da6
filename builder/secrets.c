/* builder/secrets.c - see builder/secrets.h. */

#include "builder/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/words.h"

struct secrets {
	struct secret *at;
	size_t len, cap;
};

void secret_wipe(void *data, size_t len)
{
	if (data)
		explicit_bzero(data, len);
}

static void secret_release(struct secret *secret)
{
	free(secret->id);
	secret_wipe(secret->value, secret->len);
	free(secret->value);
}

struct secrets *secrets_new(void)
{
	return xcalloc(1, sizeof(struct secrets));
}

void secrets_free(struct secrets *secrets)
{
	if (!secrets)
		return;
	vec_foreach (secrets, secret)
		secret_release(secret);
	vec_release(secrets);
	free(secrets);
}

static struct secret *find(const struct secrets *secrets, const char *id)
{
	vec_foreach (secrets, secret)
		if (strcmp(secret->id, id) == 0)
			return secret;
	return NULL;
}

const struct secret *secrets_find(const struct secrets *secrets, const char *id)
{
	return secrets ? find(secrets, id) : NULL;
}

#define HIDDEN "***"
#define HIDE_MIN 4 /* bytes: what is shorter stands everywhere */

/* The longest secret that begins here, without the newline at its end, which no line of output has. */
static size_t secret_at(const struct secrets *secrets, struct str text)
{
	size_t longest = 0;

	vec_foreach (secrets, secret) {
		size_t len = secret->len;

		while (len > 0 && secret->value[len - 1] == '\n')
			len--;
		if (len >= HIDE_MIN && len > longest && len <= text.len &&
		    memcmp(secret->value, text.at, len) == 0)
			longest = len;
	}
	return longest;
}

char *secrets_hide(const struct secrets *secrets, const char *text)
{
	struct str rest = str_of(text);
	struct buf out = BUF_INIT(rest.len * sizeof(HIDDEN) + 1);

	if (!secrets || secrets->len == 0)
		return xstrdup(text);
	while (rest.len > 0) {
		size_t len = secret_at(secrets, rest);

		if (len > 0)
			buf_adds(&out, HIDDEN);
		else
			buf_addc(&out, rest.at[0]);
		len = len ? len : 1;
		rest = (struct str){ rest.at + len, rest.len - len };
	}
	return buf_steal(&out);
}

/* ---- one option ---- */

/* What --secret says, in the arena of the caller. */
struct source {
	const char *id, *path, *variable;
	bool is_file, is_env;
	bool bare; /* only the id was given: it may be that of a variable, too */
};

static struct err *take_field(struct source *source, const char *field)
{
	struct str rest = str_of(field);
	struct str key = str_cut(&rest, '=');
	AUTO(mem) char *name = str_dup(key);

	if (!rest.at)
		return err_new(ERR_INVALID, "'%.80s' is not of the form key=value", field);
	if (strcasecmp(name, "id") == 0) {
		source->id = rest.at;
	} else if (strcasecmp(name, "src") == 0 || strcasecmp(name, "source") == 0) {
		source->path = rest.at;
	} else if (strcasecmp(name, "env") == 0) {
		source->variable = rest.at;
	} else if (strcasecmp(name, "type") == 0) {
		source->is_file = str_is(rest, "file");
		source->is_env = str_is(rest, "env");
		if (!source->is_file && !source->is_env)
			return err_new(ERR_INVALID, "type '%.80s' is neither file nor env",
				       rest.at);
	} else {
		return err_new(ERR_INVALID, "unexpected key '%.80s'", name);
	}
	return NULL;
}

/* Where the value is: a path or a variable, and not both. */
static struct err *settle(struct source *source)
{
	if (!source->id || !source->id[0])
		return err_new(ERR_INVALID, "it has no id");
	if (source->is_env && !source->variable) {
		source->variable = source->path;
		source->path = NULL;
	}
	if (source->path && source->variable)
		return err_new(ERR_INVALID, "'%.80s' has both a file and a variable", source->id);
	if (source->path || source->variable)
		return NULL;
	source->bare = true;
	if (!source->is_file && (source->is_env || getenv(source->id)))
		source->variable = source->id;
	else
		source->path = source->id;
	return NULL;
}

static struct err *too_large(const char *id)
{
	return err_new(ERR_INVALID, "'%.80s' has more than %zu bytes", id, SECRET_MAX);
}

/* Not through a buffer that grows: what it leaves behind would not be wiped. */
static struct err *read_path(const struct source *source, struct secret *ret)
{
	AUTO(fd) int fd = -1;
	size_t got = 1;
	struct err *err =
		file_open(AT_FDCWD, source->path, O_RDONLY | O_NOCTTY, 0, FILE_ANYWHERE, &fd);

	if (source->bare && !source->is_file)
		err = err_wrap(err, "there is no variable '%.80s', and no file", source->id);
	TRY(err);
	ret->value = xcalloc(1, SECRET_MAX + 2);
	while (got > 0 && ret->len <= SECRET_MAX) {
		TRY(file_read_some(fd, ret->value + ret->len, SECRET_MAX + 1 - ret->len,
				   source->path, &got));
		ret->len += got;
	}
	return ret->len > SECRET_MAX ? too_large(source->id) : NULL;
}

static struct err *read_variable(const struct source *source, struct secret *ret)
{
	const char *value = getenv(source->variable);

	if (!value)
		return err_new(ERR_NOT_FOUND, "'%.80s': there is no variable %.80s", source->id,
			       source->variable);
	if (strlen(value) > SECRET_MAX)
		return too_large(source->id);
	ret->len = strlen(value);
	ret->value = xmemdup(value, ret->len);
	return NULL;
}

static void put(struct secrets *secrets, struct secret *secret)
{
	struct secret *old = find(secrets, secret->id);

	if (old) {
		secret_release(old);
		*old = *secret;
	} else {
		vec_push(secrets, *secret);
	}
}

struct err *secrets_add(struct secrets *secrets, const char *text)
{
	AUTO(arena) struct arena arena = { 0 };
	struct source source = { 0 };
	struct secret secret = { 0 };
	struct words fields;
	struct err *err;

	TRY(words_csv(&arena, str_of(text), &fields));
	for (size_t i = 0; i < fields.len; i++)
		TRY(take_field(&source, fields.at[i]));
	TRY(settle(&source));
	secret.id = xstrdup(source.id);
	err = source.path ? read_path(&source, &secret) : read_variable(&source, &secret);
	if (err) {
		secret_release(&secret);
		return err;
	}
	put(secrets, &secret);
	return NULL;
}
