/* builder/cdi_find.c - devices among all files; see builder/cdi.h. */

#include "builder/cdi.h"

#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)
#define SPECS_MAX 1000

struct cdi {
	struct strings dirs;
	bool loaded;
	VEC(struct cdi_spec) specs;
	char *yaml; /* one that cannot be read: for messages; NULL: there is none */
};

struct cdi *cdi_new(const struct strings *dirs)
{
	struct cdi *cdi = xcalloc(1, sizeof(*cdi));

	if (dirs)
		strings_copy(&cdi->dirs, dirs);
	if (cdi->dirs.len == 0) {
		strings_push(&cdi->dirs, "/etc/cdi");
		strings_push(&cdi->dirs, "/var/run/cdi");
	}
	return cdi;
}

void cdi_free(struct cdi *cdi)
{
	if (!cdi)
		return;
	strings_release(&cdi->dirs);
	vec_foreach (&cdi->specs, spec)
		cdi_spec_release(spec);
	vec_release(&cdi->specs);
	free(cdi->yaml);
	free(cdi);
}

void cdi_found_release(struct cdi_found *found)
{
	strings_release(&found->names);
	strings_release(&found->guarded);
}

/* ---- reading ---- */

static struct err *read_spec(const char *path, struct cdi_spec *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(FILE_MAX_BYTES);

	TRY(file_read(AT_FDCWD, path, FILE_MAX_BYTES, &text));
	return cdi_parse(buf_str(&text), path, ret);
}

static void load_file(struct cdi *cdi, const char *dir, const char *name, unsigned rank)
{
	AUTO(mem) char *path = xasprintf("%s/%s", dir, name);
	AUTO(cdi_spec) struct cdi_spec spec = { 0 };
	AUTO(err) struct err *err = NULL;

	if (str_ends(str_of(name), ".yaml") || str_ends(str_of(name), ".yml")) {
		free(cdi->yaml);
		cdi->yaml = STEAL(path);
		return;
	}
	if (!str_ends(str_of(name), ".json") || cdi->specs.len == SPECS_MAX)
		return;
	err = read_spec(path, &spec);
	if (err) {
		log_warn("devices: %s; it is passed over", err_text(err));
		return;
	}
	spec.rank = rank;
	vec_push(&cdi->specs, spec);
	spec = (struct cdi_spec){ 0 };
}

static struct err *load(struct cdi *cdi)
{
	for (unsigned i = 0; i < cdi->dirs.len && !cdi->loaded; i++) {
		AUTO(strings) struct strings names = { 0 };
		struct err *err = file_list(AT_FDCWD, cdi->dirs.at[i], &names);

		if (err_kind(err) == ERR_NOT_FOUND) {
			err_free(err);
			continue;
		}
		TRY(err_wrap(err, "devices"));
		vec_foreach (&names, name)
			load_file(cdi, cdi->dirs.at[i], *name, i);
	}
	cdi->loaded = true;
	return NULL;
}

/* ---- finding ---- */

struct match {
	const struct cdi_spec *spec;
	const struct cdi_device *device;
};

struct matches {
	struct match *at;
	size_t len, cap;
};

static inline void matches_auto_(struct matches *matches)
{
	vec_release(matches);
}

/* One that is called so already is replaced if its directory comes earlier, and kept if later. */
static struct err *add_match(struct matches *matches, const struct cdi_spec *spec,
			     const struct cdi_device *device)
{
	vec_foreach (matches, known) {
		if (strcmp(known->device->name, device->name) != 0)
			continue;
		if (known->spec->rank == spec->rank)
			return err_new(ERR_INVALID, "device '%s=%s' is in %s and in %s", spec->kind,
				       device->name, known->spec->file, spec->file);
		if (known->spec->rank < spec->rank)
			*known = (struct match){ spec, device };
		return NULL;
	}
	vec_push(matches, (struct match){ spec, device });
	return NULL;
}

/* The devices of a kind that are called `name`, or have it as `word`; NULL: any. */
static struct err *match(const struct cdi *cdi, struct str kind, const char *name, const char *word,
			 struct matches *ret)
{
	vec_foreach (&cdi->specs, spec) {
		if (!str_is(kind, spec->kind))
			continue;
		vec_foreach (&spec->devices, device) {
			if (name && strcmp(device->name, name) != 0)
				continue;
			if (word && (!device->word || strcmp(device->word, word) != 0))
				continue;
			TRY(add_match(ret, spec, device));
		}
	}
	return NULL;
}

static int compare_matches(const void *a, const void *b)
{
	return strcmp(((const struct match *)a)->device->name,
		      ((const struct match *)b)->device->name);
}

static struct err *look_up(const struct cdi *cdi, const char *text, struct matches *ret)
{
	struct str name = str_of(text);
	const struct str kind = str_cut(&name, '=');

	if (!name.at || str_is(name, "*")) {
		TRY(match(cdi, kind, NULL, NULL, ret));
	} else {
		TRY(match(cdi, kind, name.at, NULL, ret));
		if (ret->len == 0)
			TRY(match(cdi, kind, NULL, name.at, ret));
	}
	if (ret->len)
		qsort(ret->at, ret->len, sizeof(*ret->at), compare_matches);
	if (!name.at && ret->len > 1)
		ret->len = 1;
	return NULL;
}

/* ---- what it brings ---- */

static struct err *add_edits(const struct match *match, const struct cdi_edits *edits,
			     struct volumes *ret)
{
	vec_foreach (&edits->volumes, volume)
		TRY(err_wrap(volumes_add_copy(ret, volume), "device '%s=%s' of %s",
			     match->spec->kind, match->device->name, match->spec->file));
	strings_copy(&ret->env, &edits->volumes.env);
	if (edits->more)
		log_warn("device '%s=%s': hooks and other changes that %s asks for are not made",
			 match->spec->kind, match->device->name, match->spec->file);
	return NULL;
}

/* Whether a match before the one numbered `i` is of the same file. */
static bool is_begun(const struct matches *matches, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (matches->at[k].spec == matches->at[i].spec)
			return true;
	return false;
}

struct err *cdi_find(struct cdi *cdi, const char *name, struct volumes *volumes,
		     struct cdi_found *ret)
{
	AUTO(matches) struct matches matches = { 0 };

	if (!cdi_is_name(name))
		return err_new(ERR_INVALID,
			       "'%.200s' is no device: VENDOR/CLASS or "
			       "VENDOR/CLASS=NAME is",
			       name);
	TRY(load(cdi));
	TRY(look_up(cdi, name, &matches));
	for (size_t i = 0; i < matches.len; i++) {
		const struct match *found = &matches.at[i];

		vec_push(&ret->names, xasprintf("%s=%s", found->spec->kind, found->device->name));
		if (!found->device->allowed)
			strings_push(&ret->guarded, *vec_last(&ret->names));
		if (!volumes)
			continue;
		if (!is_begun(&matches, i))
			TRY(add_edits(found, &found->spec->edits, volumes));
		TRY(add_edits(found, &found->device->edits, volumes));
	}
	return NULL;
}

struct err *cdi_missing(const struct cdi *cdi, const char *name)
{
	AUTO(buf) struct buf dirs = BUF_INIT((size_t)64 * 1024);
	struct err *err;

	vec_foreach (&cdi->dirs, dir)
		buf_addf(&dirs, "%s%s", dirs.len ? ", " : "", *dir);
	err = err_new(ERR_NOT_FOUND, "device '%.200s' is in no file of %s", name,
		      dirs.at ? dirs.at : "any directory");
	if (cdi->yaml)
		return err_note(err, "%s is YAML, which is not read: write it as JSON", cdi->yaml);
	return err;
}
