/* builder/mount.c - see builder/mount.h. */

#include "builder/mount.h"

#include <ctype.h>
#include <strings.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "builder/expand.h"
#include "builder/words.h"

static const char *const type_names[] = { "bind", "cache", "tmpfs", "secret", "ssh" };
static const char *const sharing_names[] = { "shared", "private", "locked" };

enum key {
	KEY_TYPE,
	KEY_FROM,
	KEY_SOURCE,
	KEY_TARGET,
	KEY_READ_ONLY,
	KEY_READ_WRITE,
	KEY_REQUIRED,
	KEY_ID,
	KEY_SHARING,
	KEY_SIZE,
	KEY_MODE,
	KEY_UID,
	KEY_GID,
	KEY_ENV,
};

static const char *const key_names[] = {
	"type",     "from", "source",    "src", "target",   "dst", "destination",
	"readonly", "ro",   "readwrite", "rw",  "required", "id",  "sharing",
	"size",     "mode", "uid",       "gid", "env",
};

static const enum key keys[] = {
	KEY_TYPE,       KEY_FROM,     KEY_SOURCE,    KEY_SOURCE,    KEY_TARGET,
	KEY_TARGET,     KEY_TARGET,   KEY_READ_ONLY, KEY_READ_ONLY, KEY_READ_WRITE,
	KEY_READ_WRITE, KEY_REQUIRED, KEY_ID,        KEY_SHARING,   KEY_SIZE,
	KEY_MODE,       KEY_UID,      KEY_GID,       KEY_ENV,
};

const char *mount_type_name(enum mount_type type)
{
	return type_names[type];
}

void mount_release(struct mount *mount)
{
	free(mount->target);
	free(mount->source);
	free(mount->from);
	free(mount->id);
	free(mount->env);
	*mount = (struct mount){ 0 };
}

/* Where `name` stands among `names`, in any case; `count` if nowhere. */
static size_t find_name(struct str name, const char *const *names, size_t count)
{
	size_t i = 0;

	while (i < count &&
	       !(strlen(names[i]) == name.len && strncasecmp(names[i], name.at, name.len) == 0))
		i++;
	return i;
}

/* `what 'name'`, with what was probably meant. */
static struct err *unknown_name(const char *what, struct str name, const char *const *names,
				size_t count)
{
	const char *nearest = text_nearest(name, names, count);

	if (nearest)
		return err_new(ERR_INVALID, "%s '%.*s' (did you mean %s?)", what, STR_ARG(name),
			       nearest);
	return err_new(ERR_INVALID, "%s '%.*s'", what, STR_ARG(name));
}

static struct err *take_name(const char *what, struct str value, const char *const *names,
			     size_t count, unsigned *ret)
{
	size_t i = find_name(value, names, count);

	if (i == count)
		return unknown_name(what, value, names, count);
	*ret = (unsigned)i;
	return NULL;
}

/* A key that only some types know. */
static struct err *not_for(const struct mount *mount, const char *key)
{
	return err_new(ERR_INVALID, "unexpected key '%s' for mount type '%s'", key,
		       type_names[mount->type]);
}

/* The spellings of Go's strconv.ParseBool. */
static struct err *take_boolean(const char *key, const char *value, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
			*ret = strcmp(value, yes[i]) == 0;
			return NULL;
		}
	}
	return err_new(ERR_INVALID, "%s is either true or false, not '%s'", key, value);
}

static struct err *take_number(const char *key, const char *value, int64_t *ret)
{
	uint64_t n;

	if (strcmp(key, "mode") == 0)
		TRY(err_wrap(num_parse_octal(str_of(value), UINT32_MAX, &n), "%s", key));
	else
		TRY(err_wrap(num_parse(str_of(value), 0, UINT32_MAX, &n), "%s", key));
	*ret = (int64_t)n;
	return NULL;
}

/* Skip the first character if it is one of `any`, and tell which one; 0 otherwise. */
static char take_one_of(struct str *rest, const char *any)
{
	char c;

	if (rest->len == 0)
		return '\0';
	c = (char)tolower((unsigned char)rest->at[0]);
	if (c == '\0' || !strchr(any, c))
		return '\0';
	rest->at++;
	rest->len--;
	return c;
}

/* The decimal number at the start, with a point or without; false if there is none. */
static bool take_decimal(struct str *rest, double *ret)
{
	double value = 0, scale = 0;
	size_t digits = 0;
	char c;

	while ((c = take_one_of(rest, scale == 0 && digits ? "0123456789." : "0123456789"))) {
		if (c == '.') {
			scale = 1;
			continue;
		}
		value = 10 * value + (c - '0');
		scale *= 10;
		digits++;
	}
	*ret = scale > 0 ? value / scale : value;
	return digits > 0;
}

struct err *mount_parse_size(const char *value, uint64_t *ret)
{
	static const char factors[] = "kmgtp";
	struct str rest = str_of(value);
	double size = 0;
	bool good = take_decimal(&rest, &size);
	char factor;

	take_one_of(&rest, " ");
	factor = take_one_of(&rest, factors);
	for (size_t i = 0; factor && (i == 0 || factors[i - 1] != factor); i++)
		size *= 1024;
	if (factor)
		take_one_of(&rest, "i");
	take_one_of(&rest, "b");
	if (!good || rest.len > 0 || size >= (double)INT64_MAX)
		return err_new(ERR_INVALID, "'%s' is no size such as 64m", value);
	*ret = (uint64_t)size;
	return NULL;
}

static void replace(char **text, const char *value)
{
	free(*text);
	*text = xstrdup(value);
}

/* While a mount is read. */
struct reading {
	struct mount mount;
	bool access_given; /* readonly or readwrite */
	bool sharing_given;
};

static struct err *take_option(struct reading *r, enum key key, const char *name, const char *value)
{
	struct mount *m = &r->mount;
	bool secret = m->type == MOUNT_SECRET || m->type == MOUNT_SSH;
	unsigned index = 0;
	bool on = false;

	switch (key) {
	case KEY_TYPE:
		TRY(take_name("unsupported mount type", str_of(value), type_names,
			      ARRAY_SIZE(type_names), &index));
		m->type = (enum mount_type)index;
		return NULL;
	case KEY_SHARING:
		TRY(take_name("unsupported sharing", str_of(value), sharing_names,
			      ARRAY_SIZE(sharing_names), &index));
		m->sharing = (enum mount_sharing)index;
		r->sharing_given = true;
		return NULL;
	case KEY_READ_ONLY:
	case KEY_READ_WRITE:
		TRY(take_boolean(name, value, &on));
		m->read_only = on == (key == KEY_READ_ONLY);
		r->access_given = true;
		return NULL;
	case KEY_REQUIRED:
		return secret ? take_boolean(name, value, &m->required) : not_for(m, name);
	case KEY_SIZE:
		return m->type == MOUNT_TMPFS ? mount_parse_size(value, &m->size) :
						not_for(m, name);
	case KEY_MODE:
		return take_number(name, value, &m->mode);
	case KEY_UID:
		return take_number(name, value, &m->uid);
	case KEY_GID:
		return take_number(name, value, &m->gid);
	case KEY_FROM:
		replace(&m->from, value);
		return NULL;
	case KEY_SOURCE:
		replace(&m->source, value);
		return NULL;
	case KEY_TARGET:
		replace(&m->target, value);
		return NULL;
	case KEY_ID:
		replace(&m->id, value);
		return NULL;
	case KEY_ENV:
		replace(&m->env, value);
		return NULL;
	}
	return NULL;
}

/* A word without `=`: only switches may stand so. */
static bool is_switch(enum key key)
{
	return key == KEY_READ_ONLY || key == KEY_READ_WRITE || key == KEY_REQUIRED;
}

/* "z" and "Z" ask Buildah for labels of a security module, of which a step here has none. */
static bool is_label(const char *field)
{
	return strcmp(field, "z") == 0 || strcmp(field, "Z") == 0;
}

static struct err *take_field(struct reading *r, const char *field, const struct expander *expander)
{
	struct str rest = str_of(field);
	struct str key = str_cut(&rest, '=');
	size_t i = find_name(key, key_names, ARRAY_SIZE(key_names));
	AUTO(mem) char *value = NULL;

	if (is_label(field))
		return NULL;
	if (!rest.at && (i == ARRAY_SIZE(key_names) || !is_switch(keys[i])))
		return err_new(ERR_INVALID, "'%s' is not of the form key=value", field);
	if (i == ARRAY_SIZE(key_names))
		return unknown_name("unexpected key", key, key_names, ARRAY_SIZE(key_names));
	if (!rest.at)
		return take_option(r, keys[i], key_names[i], "true");
	if (keys[i] == KEY_FROM) /* expanded by who resolves it */
		value = str_dup(rest);
	else
		TRY(expand_text(expander, rest, EXPAND_WORD, &value));
	return take_option(r, keys[i], key_names[i], value);
}

/* An empty value is an absent one. */
static void forget_empty(char **text)
{
	if (*text && !**text) {
		free(*text);
		*text = NULL;
	}
}

static struct err *check_secret(const struct mount *m)
{
	if (m->type == MOUNT_SSH && m->source)
		return err_new(ERR_INVALID, "an ssh mount has no source");
	if (m->type != MOUNT_SECRET)
		return NULL;
	if (m->from)
		return err_new(ERR_INVALID, "a secret mount has no from");
	if (!m->source && !m->target && !m->id)
		return err_new(ERR_INVALID, "a secret mount needs an id, a source or a target");
	if (m->source && m->id)
		return err_new(ERR_INVALID, "a secret mount has either a source or an id");
	return NULL;
}

/* What another type took, before the last one was named; and what a tmpfs has no use for. */
static struct err *check_leftovers(const struct mount *m)
{
	const bool memory = m->type == MOUNT_TMPFS;
	const struct {
		const char *key;
		bool wrong;
	} rules[] = {
		{ "size", m->size && !memory },
		{ "required", m->required && m->type != MOUNT_SECRET && m->type != MOUNT_SSH },
		{ "env", m->env && m->type != MOUNT_SECRET },
		{ "from", m->from && memory },
		{ "source", m->source && memory },
		{ "id", m->id && memory },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].wrong)
			return not_for(m, rules[i].key);
	return NULL;
}

/* What only the whole shows. */
static struct err *check(struct reading *r)
{
	struct mount *m = &r->mount;
	bool owned = m->type == MOUNT_CACHE || m->type == MOUNT_SECRET || m->type == MOUNT_SSH;
	const char *name = m->mode >= 0 ? "mode" : m->uid >= 0 ? "uid" : "gid";

	forget_empty(&m->target);
	forget_empty(&m->source);
	forget_empty(&m->from);
	forget_empty(&m->id);
	forget_empty(&m->env);
	if (!owned && (m->mode >= 0 || m->uid >= 0 || m->gid >= 0))
		return not_for(m, name);
	if (r->sharing_given && m->type != MOUNT_CACHE)
		return not_for(m, "sharing");
	TRY(check_leftovers(m));
	if (!m->target && m->type != MOUNT_SECRET && m->type != MOUNT_SSH)
		return err_new(ERR_INVALID, "a %s mount needs a target", type_names[m->type]);
	if (!r->access_given)
		m->read_only = m->type != MOUNT_CACHE && m->type != MOUNT_TMPFS;
	return check_secret(m);
}

static struct err *read_fields(struct reading *r, struct str text, const struct expander *expander)
{
	AUTO(arena) struct arena arena = { 0 };
	struct words fields;

	TRY(words_csv(&arena, text, &fields));
	for (size_t i = 0; i < fields.len; i++)
		TRY(take_field(r, fields.at[i], expander));
	return check(r);
}

struct err *mount_parse(struct str text, const struct expander *expander, struct mount *ret)
{
	struct reading r = { .mount = { .mode = -1, .uid = -1, .gid = -1 } };
	struct err *err = read_fields(&r, text, expander);

	if (err) {
		mount_release(&r.mount);
		return err_wrap(err, "--mount");
	}
	*ret = r.mount;
	return NULL;
}

/* Nothing is set. */
static const char *get_nothing(__attribute__((unused)) const void *arg,
			       __attribute__((unused)) struct str name)
{
	return NULL;
}

struct err *mount_check(const char *text)
{
	static const struct expander expander = { .escape = '\\', .get = get_nothing };
	struct reading r = { .mount = { .mode = -1, .uid = -1, .gid = -1 } };
	AUTO(arena) struct arena arena = { 0 };
	struct words fields;
	struct err *err;

	if (strchr(text, '$'))
		return words_csv(&arena, str_of(text), &fields);
	err = read_fields(&r, str_of(text), &expander);
	mount_release(&r.mount);
	return err;
}

struct err *mount_parse_from(struct str text, char **ret)
{
	AUTO(arena) struct arena arena = { 0 };
	struct words fields;
	const char *from = NULL;

	TRY(err_wrap(words_csv(&arena, text, &fields), "--mount"));
	for (size_t i = 0; i < fields.len; i++) {
		struct str rest = str_of(fields.at[i]);
		struct str key = str_cut(&rest, '=');

		if (rest.at && find_name(key, (const char *const[]){ "from" }, 1) == 0)
			from = rest.at;
	}
	*ret = from && *from ? xstrdup(from) : NULL;
	return NULL;
}
