/* registry/short_name.c - what a short name may mean: see registry/registries.h. */

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "registry/reference.h"
#include "registry/registries-private.h"
#include "registry/registries.h"

/* Append the canonical form of `text`. */
static struct err *add_name(struct meanings *meanings, const char *text)
{
	struct reference ref;

	TRY(reference_parse(text, &ref));
	vec_push(&meanings->names, reference_canonical(&ref));
	return NULL;
}

/* "app" of "app:1@sha256:..."; a short name has no port. */
static struct str without_tag(const char *text)
{
	return (struct str){ text, strcspn(text, ":@") };
}

static struct err *add_alias(struct meanings *meanings, const char *text, const char *alias)
{
	AUTO(mem) char *whole = xasprintf("%s%s", alias, text + without_tag(text).len);
	struct reference ref;
	struct err *err = reference_parse(alias, &ref);

	if (!err && (reference_is_short(alias) || ref.tag[0] || ref.digest[0]))
		err = err_new(ERR_INVALID, "'%.300s' is not REGISTRY/NAME without a tag", alias);
	TRY(err_wrap(err, "the alias of %.300s in registries.conf", text));
	return add_name(meanings, whole);
}

static struct err *refuse_ambiguous(const char *text, const struct meanings *meanings)
{
	struct err *err = err_new(ERR_INVALID,
				  "'%.300s' may be %zu images, and nobody is here to ask: name the "
				  "registry",
				  text, meanings->names.len);

	vec_foreach (&meanings->names, name)
		err = err_note(err, "%s", *name);
	return err;
}

static struct err *search(const struct registries *registries, const char *text, bool terminal,
			  struct meanings *ret)
{
	AUTO(meanings) struct meanings found = { 0 };

	if (registries->search.len == 0)
		return err_note(err_new(ERR_INVALID,
					"'%.300s' has no registry, and %s searches none", text,
					registries->search_file),
				"for an image of Docker Hub: docker.io/%s%.300s",
				strchr(text, '/') ? "" : "library/", text);
	vec_foreach (&registries->search, host) {
		AUTO(mem) char *whole = xasprintf("%s/%s", *host, text);

		TRY(add_name(&found, whole));
	}
	if (found.names.len > 1 && !terminal && registries->mode == SHORT_NAMES_ENFORCING)
		return refuse_ambiguous(text, &found);
	found.choose = found.names.len > 1 && terminal && registries->mode != SHORT_NAMES_DISABLED;
	*ret = found;
	found = (struct meanings){ 0 };
	return NULL;
}

struct err *registries_meanings(const struct registries *registries, const char *text,
				bool terminal, struct meanings *ret)
{
	struct reference ref;
	const char *alias;

	*ret = (struct meanings){ 0 };
	TRY(reference_parse(text, &ref));
	if (!reference_is_short(text))
		return add_name(ret, text);
	alias = map_get(&registries->aliases, without_tag(text));
	if (alias && alias[0])
		return add_alias(ret, text, alias);
	if (!registries->search_file)
		return add_name(ret, text);
	return search(registries, text, terminal, ret);
}

struct err *meanings_try(const struct meanings *meanings,
			 struct err *(*attempt)(void *self, const char *name), void *self)
{
	struct err *err = NULL;

	for (size_t i = 0; i < meanings->names.len; i++) {
		err_free(err);
		err = attempt(self, meanings->names.at[i]);
		if (err_kind(err) != ERR_NOT_FOUND && err_kind(err) != ERR_DENIED)
			return err;
		if (i + 1 < meanings->names.len && err_kind(err) == ERR_DENIED)
			log_warn("%s", err_text(err));
		else if (i + 1 < meanings->names.len)
			log_info("%s", err_text(err));
	}
	for (size_t i = 0; i + 1 < meanings->names.len; i++)
		err = err_note(err, "asked before, in vain: %s", meanings->names.at[i]);
	return err;
}

void meanings_release(struct meanings *meanings)
{
	strings_release(&meanings->names);
}
