/* builder/attest_spec.c - see builder/attest_spec.h. */

#include "builder/attest_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

void attest_opts_release(struct attest_opts *opts)
{
	free(opts->builder_id);
	opts->builder_id = NULL;
}

/* Go's words for true and false. */
static bool read_flag(struct str text, bool *ret)
{
	static const char *const words[2][6] = {
		{ "0", "f", "F", "false", "FALSE", "False" },
		{ "1", "t", "T", "true", "TRUE", "True" },
	};

	for (size_t value = 0; value < 2; value++)
		for (size_t i = 0; i < ARRAY_SIZE(words[value]); i++)
			if (str_is(text, words[value][i])) {
				*ret = value;
				return true;
			}
	return false;
}

static struct err *expect_flag(struct str name, struct str value, bool *ret)
{
	if (read_flag(value, ret))
		return NULL;
	return err_new(ERR_INVALID, "%.*s: '%.80s' is neither true nor false", STR_ARG(name),
		       value.at ? value.at : "");
}

/* ---- parameters ---- */

/* What one text says; of its names and values all are borrowed from it. */
struct spec {
	struct str type;
	bool disabled;
	struct attest_opts *opts;
	enum provenance_mode mode;
};

static struct err *read_mode(struct str value, struct spec *spec)
{
	if (str_is(value, "min"))
		spec->mode = PROVENANCE_MIN;
	else if (str_is(value, "max") || str_is(value, "full"))
		spec->mode = PROVENANCE_MAX;
	else
		return err_new(ERR_INVALID, "mode '%.*s' is neither min nor max",
			       (int)(value.len < 80 ? value.len : 80), value.at);
	return NULL;
}

static struct err *read_version(struct str value, struct spec *spec)
{
	spec->opts->slsa_02 = str_is(value, "v0.2");
	if (spec->opts->slsa_02 || str_is(value, "v1"))
		return NULL;
	return err_new(ERR_INVALID, "version '%.*s' is neither v1 nor v0.2",
		       (int)(value.len < 80 ? value.len : 80), value.at);
}

static struct err *read_provenance(struct str name, struct str value, struct spec *spec)
{
	bool ignored;

	if (str_is(name, "mode"))
		return read_mode(value, spec);
	if (str_is(name, "version"))
		return read_version(value, spec);
	if (str_is(name, "reproducible"))
		return expect_flag(name, value, &spec->opts->reproducible);
	if (str_is(name, "inline-only")) /* it is never anywhere else */
		return expect_flag(name, value, &ignored);
	if (!str_is(name, "builder-id"))
		return err_new(ERR_INVALID,
			       "'%.*s' is none of: mode, version, builder-id, reproducible, "
			       "inline-only, disabled",
			       (int)(name.len < 80 ? name.len : 80), name.at);
	free(spec->opts->builder_id);
	spec->opts->builder_id = str_dup(value);
	return NULL;
}

/* A scanner's image, or the preset of one. */
static struct err *refuse_scanner(const char *what)
{
	return err_note(err_new(ERR_UNSUPPORTED,
				"'%.80s': no scanner is run, the list of packages is made by cairn "
				"itself",
				what),
			"write --sbom or --sbom=true");
}

static struct err *read_sbom(struct str name)
{
	if (str_is(name, "generator"))
		return refuse_scanner("generator");
	return err_new(ERR_INVALID, "'%.*s' is no parameter of type=sbom",
		       (int)(name.len < 80 ? name.len : 80), name.at);
}

static struct err *read_field(struct str field, struct spec *spec)
{
	struct str value = field;
	struct str name = str_cut(&value, '=');

	if (!value.at)
		return err_new(ERR_INVALID,
			       "'%.*s' is neither true, false, min or max nor NAME=VALUE",
			       (int)(field.len < 80 ? field.len : 80), field.at);
	if (str_is(name, "type"))
		return NULL; /* known by now */
	if (str_is(name, "disabled"))
		return expect_flag(name, value, &spec->disabled);
	return str_is(spec->type, "sbom") ? read_sbom(name) : read_provenance(name, value, spec);
}

static struct err *read_fields(const char *text, struct spec *spec)
{
	struct str rest = str_of(text);

	while (rest.at)
		TRY(read_field(str_cut(&rest, ','), spec));
	if (str_is(spec->type, "sbom"))
		spec->opts->sbom = !spec->disabled;
	else
		spec->opts->provenance = spec->disabled ? PROVENANCE_NONE : spec->mode;
	return NULL;
}

static struct str find_type(const char *text)
{
	struct str rest = str_of(text);

	while (rest.at) {
		struct str value = str_cut(&rest, ',');
		struct str name = str_cut(&value, '=');

		if (str_is(name, "type") && value.at)
			return value;
	}
	return STR("");
}

struct err *attest_spec_parse(const char *text, struct attest_opts *opts)
{
	struct spec spec = { .type = find_type(text), .opts = opts, .mode = PROVENANCE_MIN };

	if (spec.type.len == 0)
		return err_new(ERR_INVALID, "'%.200s' does not say type=provenance or type=sbom",
			       text);
	if (!str_is(spec.type, "provenance") && !str_is(spec.type, "sbom"))
		return err_new(ERR_INVALID, "type '%.*s' is neither provenance nor sbom",
			       (int)(spec.type.len < 80 ? spec.type.len : 80), spec.type.at);
	return read_fields(text, &spec);
}

struct err *attest_spec_parse_short(const char *type, const char *text, struct attest_opts *opts)
{
	AUTO(mem) char *whole = NULL;
	bool on;

	if (strcmp(type, "sbom") == 0 && !strchr(text, '=') && !read_flag(str_of(text), &on))
		return refuse_scanner(text);
	if (!read_flag(str_of(text), &on)) {
		whole = xasprintf("type=%s,%s", type, text);
		return attest_spec_parse(whole, opts);
	}
	whole = xasprintf("type=%s,disabled=%s", type, on ? "false" : "true");
	return attest_spec_parse(whole, opts);
}
