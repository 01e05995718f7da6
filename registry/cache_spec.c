/* registry/cache_spec.c - see registry/cache_spec.h. */

#include "registry/cache_spec.h"

#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"

#define TYPES "registry, local, inline"

/* What is read into; texts are borrowed. */
struct reading {
	enum cache_way way;
	struct cache_spec spec;
	struct str type, ref, dir, tag, level;
	struct map seen; /* the keys so far */
};

static void spec_release(struct cache_spec *spec)
{
	free(spec->name);
	free(spec->dir);
	free(spec->scope);
}

void cache_specs_release(struct cache_specs *specs)
{
	vec_foreach (specs, spec)
		spec_release(spec);
	vec_release(specs);
}

bool cache_spec_is_same(const struct cache_spec *a, const struct cache_spec *b)
{
	if (a->kind != b->kind || a->kind == CACHE_INLINE || strcmp(a->scope, b->scope) != 0)
		return false;
	if (a->kind == CACHE_LOCAL)
		return strcmp(a->dir, b->dir) == 0;
	return strcmp(a->ref.domain, b->ref.domain) == 0 && strcmp(a->ref.path, b->ref.path) == 0;
}

/* ---- values ---- */

static struct err *take_truth(struct str key, struct str value, bool *ret)
{
	*ret = !value.at || str_is(value, "true") || str_is(value, "1");
	if (!*ret && !str_is(value, "false") && !str_is(value, "0"))
		return err_new(ERR_USAGE, "%.*s=%.*s: it is true or false", STR_ARG(key),
			       STR_ARG(value));
	return NULL;
}

static struct err *take_mode(struct reading *r, struct str value)
{
	if (!str_is(value, "min") && !str_is(value, "max"))
		return err_new(ERR_USAGE, "mode=%.*s: it is min or max", STR_ARG(value));
	r->spec.max = str_is(value, "max");
	return NULL;
}

static struct err *take_compression(struct reading *r, struct str value)
{
	if (str_is(value, "estargz"))
		return err_new(ERR_UNSUPPORTED, "compression=estargz: use gzip or zstd");
	r->spec.has_compression = true;
	r->spec.compression = (struct compression){ .codec = CODEC_NONE };
	return str_is(value, "uncompressed") ? NULL :
					       compression_parse(value, &r->spec.compression);
}

/* Those whose value is true or false. `*ret_taken` tells whether it is one. */
static struct err *take_switch(struct reading *r, struct str key, struct str value, bool *ret_taken)
{
	bool without_effect;
	const struct {
		const char *name;
		bool *to;
	} switches[] = {
		{ "ignore-error", &r->spec.ignore_error },
		{ "force-compression", &r->spec.force_compression },
		{ "registry.insecure", &r->spec.insecure },
		{ "oci-mediatypes", &without_effect },
		{ "image-manifest", &without_effect },
	};

	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		*ret_taken = str_is(key, switches[i].name);
		if (*ret_taken)
			return take_truth(key, value, switches[i].to);
	}
	return NULL;
}

static struct err *take_field(struct reading *r, struct str key, struct str value)
{
	const struct {
		const char *name;
		struct str *to;
	} texts[] = {
		{ "type", &r->type },
		{ "ref", &r->ref },
		{ r->way == CACHE_FROM ? "src" : "dest", &r->dir },
		{ "tag", &r->tag },
		{ "compression-level", &r->level },
	};
	bool taken;

	TRY(take_switch(r, key, value, &taken));
	if (taken)
		return NULL;
	if (str_is(key, "mode"))
		return take_mode(r, value);
	if (str_is(key, "compression"))
		return take_compression(r, value);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (str_is(key, texts[i].name)) {
			if (value.len == 0)
				return err_new(ERR_USAGE, "%.*s: its value is missing",
					       STR_ARG(key));
			*texts[i].to = value;
			return NULL;
		}
	return err_new(ERR_USAGE,
		       "'%.*s' is none of: type, ref, %s, tag, mode, compression, "
		       "compression-level, force-compression, ignore-error, registry.insecure, "
		       "oci-mediatypes, image-manifest",
		       STR_ARG(key), texts[2].name);
}

/* ---- what it all means ---- */

static struct err *take_kind(struct reading *r)
{
	static const struct {
		const char *name;
		enum cache_kind kind;
	} kinds[] = {
		{ "registry", CACHE_REGISTRY },
		{ "local", CACHE_LOCAL },
		{ "inline", CACHE_INLINE },
	};
	static const char *const others[] = { "gha", "s3", "azblob" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_is(r->type, kinds[i].name)) {
			r->spec.kind = kinds[i].kind;
			return NULL;
		}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (str_is(r->type, others[i]))
			return err_note(err_new(ERR_UNSUPPORTED,
						"type=%s does not work; these do: " TYPES,
						others[i]),
					"any registry serves: type=registry,ref=HOST/REPOSITORY");
	if (r->type.len == 0)
		return err_new(ERR_USAGE, "it needs a type: " TYPES);
	return err_new(ERR_USAGE, "type '%.*s' is none of: " TYPES, STR_ARG(r->type));
}

static struct err *take_ref(struct reading *r, struct str text)
{
	AUTO(mem) char *copy = str_dup(text);
	struct reference *ref = &r->spec.ref;

	TRY(reference_parse(copy, ref));
	if (ref->digest[0])
		return err_new(ERR_USAGE, "ref=%s: a cache has a name, and no digest", copy);
	r->spec.scope = xstrdup(ref->tag);
	r->spec.name = ref->tag[0] ? reference_familiar(ref) : reference_repository(ref);
	return NULL;
}

static bool is_scope(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-",
			    text.at[i]) ||
		    (i == 0 && (text.at[i] == '.' || text.at[i] == '-')))
			return false;
	return true;
}

static struct err *take_place(struct reading *r)
{
	const char *dir = r->way == CACHE_FROM ? "src" : "dest";
	struct cache_spec *spec = &r->spec;

	if (spec->kind == CACHE_LOCAL) {
		if (r->dir.len == 0 || r->ref.len > 0)
			return err_new(ERR_USAGE, "type=local: say which directory, with %s=DIR",
				       dir);
		if (!is_scope(r->tag))
			return err_new(ERR_USAGE, "tag=%.*s is no tag", STR_ARG(r->tag));
		spec->dir = str_dup(r->dir);
		spec->name = str_dup(r->dir);
		spec->scope = str_dup(r->tag);
		return NULL;
	}
	if (r->dir.len > 0 || r->tag.len > 0)
		return err_new(ERR_USAGE, "%s and tag are for type=local", dir);
	if (spec->kind == CACHE_INLINE && r->way == CACHE_TO) {
		if (r->ref.len > 0 || spec->max)
			return err_new(ERR_USAGE, "type=inline: it is in the image, with the steps "
						  "of the image, and goes where that goes");
		spec->name = xstrdup("inline");
		spec->scope = xstrdup("");
		return NULL;
	}
	if (r->ref.len == 0)
		return err_new(ERR_USAGE, "type=%.*s: say which, with ref=NAME", STR_ARG(r->type));
	return take_ref(r, r->ref);
}

static struct err *take_level(struct reading *r)
{
	const enum codec codec = r->spec.compression.codec;
	uint64_t level;

	if (r->level.len == 0)
		return NULL;
	if (!r->spec.has_compression || codec == CODEC_NONE)
		return err_new(ERR_USAGE, "compression-level needs compression=gzip or zstd");
	TRY(err_wrap(num_parse(r->level, 1, codec == CODEC_GZIP ? 12 : 19, &level),
		     "compression-level"));
	r->spec.compression.level = (int)level;
	return NULL;
}

static struct err *check(const struct reading *r)
{
	if (r->spec.scope && strlen(r->spec.scope) > CACHE_SCOPE_MAX)
		return err_new(ERR_USAGE, "tag '%s' has more than %d characters", r->spec.scope,
			       CACHE_SCOPE_MAX);
	return NULL;
}

/* The next of "a,b", where one in quotes may hold commas. */
static struct str next_field(struct str *text)
{
	struct str field;

	if (text->len == 0 || text->at[0] != '"')
		return str_cut(text, ',');
	*text = (struct str){ text->at + 1, text->len - 1 };
	field = str_cut(text, '"');
	if (text->at)
		str_cut(text, ',');
	return field;
}

static struct err *read_fields(struct reading *r, struct str text)
{
	while (text.at && text.len > 0) {
		struct str value = next_field(&text);
		struct str key = str_cut(&value, '=');

		if (map_put(&r->seen, key, r))
			return err_new(ERR_USAGE, "'%.*s' is said twice", STR_ARG(key));
		TRY(take_field(r, key, value));
	}
	TRY(take_kind(r));
	TRY(take_level(r));
	TRY(take_place(r));
	return check(r);
}

static struct err *add(struct cache_specs *specs, struct reading *r, struct err *err)
{
	map_release(&r->seen, NULL);
	if (err)
		spec_release(&r->spec);
	else
		vec_push(specs, r->spec);
	return err;
}

/* "REF,REF": the form of other tools. */
static struct err *add_plain(struct cache_specs *specs, enum cache_way way, struct str text)
{
	const size_t before = specs->len;
	struct err *err = NULL;

	while (!err && text.at) {
		struct reading r = { .way = way, .spec = { .max = way == CACHE_TO } };
		struct str ref = str_cut(&text, ',');

		err = ref.len ? take_ref(&r, ref) : err_new(ERR_USAGE, "a name is missing");
		if (!err)
			err = check(&r);
		err = add(specs, &r, err);
	}
	while (err && specs->len > before)
		spec_release(&specs->at[--specs->len]);
	return err;
}

struct err *cache_specs_add(struct cache_specs *specs, enum cache_way way, const char *text)
{
	struct reading r = { .way = way };

	if (!strchr(text, '='))
		return add_plain(specs, way, str_of(text));
	return add(specs, &r, read_fields(&r, str_of(text)));
}
