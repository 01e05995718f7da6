/*
 * tests/fuzz/fuzz_mount.c - the value of RUN --mount, and the flags of an instruction, from any bytes.
 *
 * Laws: a mount that is taken keeps what its type promises, and its values, written
 * out again, are taken as the same mount. Flags are cut off without losing a byte of
 * what follows them.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "builder/expand.h"
#include "builder/flags.h"
#include "builder/mount.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *get(const void *arg, struct str name)
{
	(void)arg;
	return str_is(name, "v") ? "a,b\"c$d" : NULL;
}

static void add_field(struct buf *out, const char *key, const char *quote, const char *value)
{
	if (!value)
		return;
	buf_addf(out, ",\"%s=%s", key, quote);
	for (; *value; value++)
		buf_addf(out, "%s%c", *value == '"' ? "\"" : "", *value);
	buf_addf(out, "%s\"", quote);
}

/* Nothing is left to expand: what comes out of a variable is not looked at again. */
static void add_text(struct buf *out, const char *key, const char *value)
{
	add_field(out, key, "'", value);
}

static void add_number(struct buf *out, const char *key, int64_t number, int64_t absent, bool octal)
{
	if (number != absent)
		buf_addf(out, octal ? ",%s=%jo" : ",%s=%jd", key, (intmax_t)number);
}

static bool equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_again(const struct mount *mount, const struct expander *expander)
{
	static const char *const sharing[] = { "shared", "private", "locked" };
	AUTO(buf) struct buf text = BUF_INIT((size_t)4 * 1024 * 1024);
	AUTO(mount) struct mount again = { 0 };
	AUTO(err) struct err *err = NULL;

	buf_addf(&text, "type=%s", mount_type_name(mount->type));
	add_text(&text, "target", mount->target);
	add_text(&text, "source", mount->source);
	add_field(&text, "from", "", mount->from); /* kept as it is written */
	add_text(&text, "id", mount->id);
	add_text(&text, "env", mount->env);
	if (mount->type == MOUNT_CACHE)
		buf_addf(&text, ",sharing=%s", sharing[mount->sharing]);
	buf_addf(&text, ",readonly=%s", mount->read_only ? "true" : "false");
	if (mount->required)
		buf_adds(&text, ",required");
	add_number(&text, "size", (int64_t)mount->size, 0, false);
	add_number(&text, "mode", mount->mode, -1, true);
	add_number(&text, "uid", mount->uid, -1, false);
	add_number(&text, "gid", mount->gid, -1, false);
	err = mount_parse(buf_str(&text), expander, &again);
	assert(!err);
	assert(again.type == mount->type && again.sharing == mount->sharing);
	assert(equal(again.target, mount->target) && equal(again.source, mount->source));
	assert(equal(again.from, mount->from) && equal(again.id, mount->id));
	assert(equal(again.env, mount->env) && again.read_only == mount->read_only);
	assert(again.required == mount->required);
	/* sizes are read as floating point numbers: beyond their whole ones, nearly the same */
	assert(again.size == mount->size || mount->size > (uint64_t)1 << 53);
	assert(again.mode == mount->mode && again.uid == mount->uid && again.gid == mount->gid);
}

/* A quote would end the text in which add_text() writes it. */
static bool is_plain(const struct mount *mount)
{
	const char *const texts[] = { mount->target, mount->source, mount->from, mount->id,
				      mount->env };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i] && strchr(texts[i], '\''))
			return false;
	return true;
}

static void check_flags(struct str text)
{
	AUTO(arena) struct arena arena = { 0 };
	struct str rest = text;
	struct words flags = flags_split(&arena, &rest, '\\');

	assert(rest.len == 0 || (rest.at >= text.at && rest.at + rest.len <= text.at + text.len));
	for (size_t i = 0; i < flags.len; i++)
		assert(strncmp(flags.at[i], "--", 2) == 0 && flags.at[i][2]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct expander expander = { .escape = '\\', .get = get };
	AUTO(mount) struct mount mount = { 0 };
	AUTO(err) struct err *err = NULL;

	if (size > 4096 || (size && memchr(data, '\0', size)))
		return 0;
	check_flags(text);
	err = mount_parse(text, &expander, &mount);
	if (err) {
		assert(err_kind(err) == ERR_INVALID);
		return 0;
	}
	assert(mount.type <= MOUNT_SSH && mount.sharing <= MOUNT_LOCKED);
	assert(mount.type == MOUNT_SECRET || mount.type == MOUNT_SSH || mount.target);
	assert(mount.size == 0 || mount.type == MOUNT_TMPFS);
	if (is_plain(&mount) && mount.size <= INT64_MAX)
		check_again(&mount, &expander);
	return 0;
}
