/* builder/output_spec.c - see builder/output_spec.h. */

#include "builder/output_spec.h"

#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"

#define TYPES "image, registry, oci, docker, tar, local, cacheonly"

/* What is read into; texts are borrowed from the value of -o. */
struct reading {
	struct build_output output;
	struct output_wishes wishes;
	struct str dest, names;
	bool typed;
	struct map seen; /* the keys so far */
};

static inline void reading_auto_(struct reading *reading)
{
	output_wishes_release(&reading->wishes);
	map_release(&reading->seen, NULL);
}

void output_wishes_release(struct output_wishes *wishes)
{
	strings_release(&wishes->annotations);
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

static struct err *take_type(struct reading *r, struct str value)
{
	static const struct {
		const char *name;
		enum output_kind kind;
		bool push;
	} kinds[] = {
		{ "image", OUTPUT_STORE, false },    { "registry", OUTPUT_STORE, true },
		{ "oci", OUTPUT_OCI, false },        { "docker", OUTPUT_DOCKER, false },
		{ "tar", OUTPUT_TAR, false },        { "local", OUTPUT_LOCAL, false },
		{ "cacheonly", OUTPUT_NONE, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!str_is(value, kinds[i].name))
			continue;
		r->output.kind = kinds[i].kind;
		r->output.push = r->output.push || kinds[i].push;
		r->typed = true;
		return NULL;
	}
	return err_new(ERR_USAGE, "type '%.*s' is none of: " TYPES, STR_ARG(value));
}

static struct err *take_compression(struct output_wishes *wishes, struct str value)
{
	struct compression found = { .codec = CODEC_NONE };

	if (str_is(value, "estargz"))
		return err_new(ERR_UNSUPPORTED, "compression=estargz: use gzip or zstd");
	if (!str_is(value, "uncompressed"))
		TRY(compression_parse(value, &found));
	wishes->has_codec = true;
	wishes->codec = found.codec;
	return NULL;
}

static struct err *take_level(struct output_wishes *wishes, struct str value)
{
	uint64_t level;

	TRY(err_wrap(num_parse(value, 1, 19, &level), "compression-level"));
	wishes->has_level = true;
	wishes->level = (int)level;
	return NULL;
}

/* "annotation[-LEVEL][[PLATFORM]].NAME=VALUE" is "LEVEL[PLATFORM]:NAME=VALUE" of --annotation. */
static struct err *take_annotation(struct output_wishes *wishes, struct str key, struct str value)
{
	struct str name = { key.at + strlen("annotation"), key.len - strlen("annotation") };
	struct str where = str_cut(&name, '.');
	AUTO(mem) char *text = NULL;

	if (!name.at || name.len == 0 ||
	    (where.len > 0 && where.at[0] != '-' && where.at[0] != '['))
		return err_new(ERR_USAGE, "'%.*s' is not annotation.NAME", STR_ARG(key));
	if (where.len > 0 && where.at[0] == '-')
		where = (struct str){ where.at + 1, where.len - 1 };
	text = xasprintf("%s%.*s:%.*s=%.*s", where.len && where.at[0] != '[' ? "" : "manifest",
			 STR_ARG(where), STR_ARG(name), STR_ARG(value));
	strings_push(&wishes->annotations, text);
	return NULL;
}

/* ---- fields ---- */

/* Those whose value is true or false. `*ret_taken` tells whether it is one. */
static struct err *take_switch(struct reading *r, struct str key, struct str value, bool *ret_taken)
{
	static const char *const without_effect[] = { "unpack", "store", "name-canonical",
						      "prefer-nondist-layers" };
	bool on = false;

	*ret_taken = true;
	if (str_is(key, "push"))
		return take_truth(key, value, &r->output.push);
	if (str_is(key, "force-compression"))
		return take_truth(key, value, &r->wishes.force);
	if (str_is(key, "tar")) {
		TRY(take_truth(key, value, &on));
		r->output.directory = !on;
		return NULL;
	}
	if (str_is(key, "oci-mediatypes")) {
		TRY(take_truth(key, value, &on));
		r->wishes.has_format = true;
		r->wishes.format = on ? IMAGE_OCI : IMAGE_DOCKER;
		return NULL;
	}
	if (str_is(key, "platform-split")) {
		TRY(take_truth(key, value, &on));
		r->output.split = on ? SPLIT_ON : SPLIT_OFF;
		return NULL;
	}
	if (str_is(key, "rewrite-timestamp")) {
		r->wishes.has_rewrite = true;
		return take_truth(key, value, &r->wishes.rewrite);
	}
	for (size_t i = 0; i < ARRAY_SIZE(without_effect); i++)
		if (str_is(key, without_effect[i]))
			return take_truth(key, value, &on);
	*ret_taken = false;
	return NULL;
}

static struct err *take_field(struct reading *r, struct str key, struct str value)
{
	bool taken;

	TRY(take_switch(r, key, value, &taken));
	if (taken)
		return NULL;
	if (str_is(key, "type"))
		return take_type(r, value);
	if (str_is(key, "compression"))
		return take_compression(&r->wishes, value);
	if (str_is(key, "compression-level"))
		return take_level(&r->wishes, value);
	if (str_starts(key, "annotation"))
		return take_annotation(&r->wishes, key, value);
	if (str_is(key, "dest"))
		r->dest = value;
	else if (str_is(key, "name"))
		r->names = value;
	else
		return err_new(ERR_USAGE,
			       "'%.*s' is none of: type, dest, name, push, tar, compression, "
			       "compression-level, force-compression, oci-mediatypes, "
			       "rewrite-timestamp, annotation.NAME",
			       STR_ARG(key));
	return NULL;
}

/* The next of "a,b", where one in quotes may hold commas. */
static struct str next_field(struct str *text)
{
	struct str field;

	if (text->at[0] != '"')
		return str_cut(text, ',');
	*text = (struct str){ text->at + 1, text->len - 1 };
	field = str_cut(text, '"');
	if (text->at)
		str_cut(text, ',');
	return field;
}

/* "key=value,key=value". */
static struct err *take_fields(struct reading *r, struct str text)
{
	while (text.at && text.len > 0) {
		struct str value = next_field(&text);
		struct str key = str_cut(&value, '=');

		if (map_put(&r->seen, key, r))
			return err_new(ERR_USAGE, "'%.*s' is said twice", STR_ARG(key));
		TRY(take_field(r, key, value));
	}
	if (!r->typed)
		return err_new(ERR_USAGE, "it needs a type: " TYPES);
	return NULL;
}

/* ---- the whole ---- */

static bool is_archive(const struct build_output *output)
{
	return output->kind == OUTPUT_OCI || output->kind == OUTPUT_DOCKER;
}

/* Where to, if it is not said. */
static void find_dest(struct reading *r)
{
	struct build_output *output = &r->output;

	if (r->dest.len > 0 || output->directory)
		return;
	if (output->kind == OUTPUT_DOCKER)
		output->kind = OUTPUT_STORE; /* where docker would load it */
	else if (output->kind == OUTPUT_OCI || output->kind == OUTPUT_TAR)
		r->dest = STR("-");
}

static struct err *check(const struct reading *r, const char *text)
{
	const struct build_output *output = &r->output;
	bool somewhere = output->kind != OUTPUT_STORE && output->kind != OUTPUT_NONE;
	bool in_dir = output->kind == OUTPUT_LOCAL || output->directory;

	if (output->directory && output->kind != OUTPUT_OCI)
		return err_new(ERR_UNSUPPORTED, "%s: tar=false is for type=oci", text);
	if (somewhere && r->dest.len == 0)
		return err_new(ERR_USAGE, "%s: say where to, with dest=PATH", text);
	if (!somewhere && r->dest.len > 0)
		return err_new(ERR_USAGE, "%s: an image goes into the store; name it with -t",
			       text);
	if (output->kind != OUTPUT_STORE && (output->push || (r->names.len && !is_archive(output))))
		return err_new(ERR_USAGE, "%s: only an image has a name and can be pushed", text);
	if (in_dir && str_is(r->dest, "-"))
		return err_new(ERR_USAGE, "%s: a directory cannot go to standard output", text);
	return NULL;
}

struct err *output_spec_parse(const char *text, struct build_output *ret_output,
			      struct output_wishes *ret_wishes)
{
	AUTO(reading) struct reading r = { .output = { .kind = OUTPUT_LOCAL } };

	if (!text[0])
		return err_new(ERR_USAGE, "it is empty: name a directory, or type=TYPE,dest=PATH");
	if (strcmp(text, "-") == 0) {
		r.output.kind = OUTPUT_TAR;
		r.dest = STR("-");
	} else if (strchr(text, '=')) {
		TRY(take_fields(&r, str_of(text)));
		find_dest(&r);
	} else {
		r.dest = str_of(text);
	}
	TRY(check(&r, text));
	r.output.dest = r.dest.len ? str_dup(r.dest) : NULL;
	r.output.names = r.names.len ? str_dup(r.names) : NULL;
	*ret_output = r.output;
	*ret_wishes = r.wishes;
	r.wishes = (struct output_wishes){ 0 };
	return NULL;
}
