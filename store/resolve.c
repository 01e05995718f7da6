/* store/resolve.c - see store/resolve.h. */

#include "store/resolve.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "store/blob.h"
#include "store/id.h"
#include "store/image-private.h"
#include "store/index-private.h"
#include "store/ref.h"

#define ID_LEN_MIN ((size_t)4)
#define ID_LEN ((size_t)2 * DIGEST_SIZE)
#define CANDIDATES_MAX 10 /* shown of an id that is ambiguous */

/* ---- by id ---- */

/* The hex digits in what may be an id, or nothing. */
static struct str id_prefix(const char *text)
{
	struct str id = str_of(text);

	if (str_starts(id, "sha256:"))
		id = str_of(text + strlen("sha256:"));
	if (id.len < ID_LEN_MIN || id.len > ID_LEN)
		return STR("");
	for (size_t i = 0; i < id.len; i++)
		if (!strchr("0123456789abcdef", id.at[i]))
			return STR("");
	return id;
}

static bool has_prefix(const struct digest *digest, struct str prefix)
{
	char text[DIGEST_TEXT_SIZE];

	digest_format(digest, text);
	return strncmp(strchr(text, ':') + 1, prefix.at, prefix.len) == 0;
}

/* Whether the image does have an id that begins like this: its own digest, or its config's. */
static struct err *is_id_of(struct store *store, const struct descriptor *target, struct str prefix,
			    bool *ret)
{
	struct digest config;
	struct err *err;

	*ret = has_prefix(&target->digest, prefix);
	if (*ret)
		return NULL;
	err = image_config_digest(store, target, &config);
	if (err_kind(err) == ERR_SYSTEM)
		return err;
	*ret = !err && has_prefix(&config, prefix);
	err_free(err); /* an image that is damaged has no id that anybody could mean */
	return NULL;
}

/* The descriptor of an image whose manifest or index has this digest, if it is one. */
static struct err *describe(struct store *store, const struct digest *digest, bool *ret_found,
			    struct descriptor *ret)
{
	struct descriptor target = { .digest = *digest };
	struct err *err;
	bool found;

	*ret_found = false;
	TRY(blob_find(store, digest, &found, &target.size));
	if (!found)
		return NULL;
	err = image_identify(store, &target);
	if (err_kind(err) == ERR_INVALID || err_kind(err) == ERR_UNSUPPORTED) {
		err_free(err); /* a layer, a config, or no part of an image at all */
		return NULL;
	}
	TRY(err);
	*ret = target;
	*ret_found = true;
	return NULL;
}

/* A manifest or index of which no id is known, a part of another image for one. */
static struct err *find_unlisted(struct store *store, struct str hex, bool *ret_found,
				 struct descriptor *ret)
{
	AUTO(mem) char *text = xasprintf("sha256:%.*s", STR_ARG(hex));
	struct digest digest;

	*ret_found = false;
	if (hex.len != ID_LEN)
		return NULL;
	TRY(digest_parse(text, &digest));
	return describe(store, &digest, ret_found, ret);
}

/* The first name that a manifest or index has, or NULL. */
static const char *name_of(const struct ref_list *refs, const struct digest *target)
{
	vec_foreach (refs, ref)
		if (digest_equal(&ref->target.digest, target))
			return index_familiar(ref->name);
	return NULL;
}

static struct err *ambiguous(struct store *store, struct str prefix,
			     const struct id_matches *matches)
{
	AUTO(ref_list) struct ref_list refs = { 0 };
	char id[DIGEST_TEXT_SIZE];
	struct err *err;

	TRY(ref_list(store, &refs));
	err = err_new(ERR_INVALID, "'%.*s' is how the ids of %zu images begin: write more of it",
		      STR_ARG(prefix), matches->len);
	for (size_t i = 0; i < matches->len && i < CANDIDATES_MAX; i++) {
		const char *name = name_of(&refs, &matches->at[i].target);

		err = err_note(err, "%s  %s", digest_format(&matches->at[i].id, id),
			       name ? name : "(without a name)");
	}
	return err;
}

static struct err *find_id(struct store *store, struct str prefix, bool *ret_found,
			   struct descriptor *ret)
{
	AUTO(id_matches) struct id_matches matches = { 0 };

	*ret_found = false;
	if (prefix.len == 0)
		return NULL;
	TRY(id_find(store, prefix, &matches));
	if (matches.len > 1)
		return ambiguous(store, prefix, &matches);
	if (matches.len == 1)
		TRY(describe(store, &matches.at[0].target, ret_found, ret));
	if (*ret_found)
		return is_id_of(store, ret, prefix, ret_found);
	return NULL;
}

/* Make the ids of named images known again: of a store that is older than they are, or that lost
 * some. */
static void remember_all(struct store *store, const struct ref_list *refs)
{
	vec_foreach (refs, ref)
		err_free(id_remember(store, &ref->target)); /* it has no id, then */
}

/* ---- by name ---- */

/* Cut a familiar name before its tag, which is returned; "" if there is none. */
static const char *split_tag(char *name)
{
	char *colon = strrchr(name, ':');

	if (!colon || strchr(colon, '/'))
		return "";
	*colon = '\0';
	return colon + 1;
}

/* The image that was meant: one of this tag whose name is near, or else of this name whose tag is.
 * Together they would be near too easily: ":latest" is alike in all. NULL if there is none; owned
 * by the caller. */
static char *nearest_image(const char *wanted, const struct ref_list *refs)
{
	AUTO(mem) char *name = xstrdup(wanted);
	const char *tag = split_tag(name);
	AUTO(strings) struct strings names = { 0 }; /* with this tag */
	AUTO(strings) struct strings tags = { 0 };  /* of this name */
	const char *near;

	vec_foreach (refs, ref) {
		AUTO(mem) char *other = xstrdup(index_familiar(ref->name));
		const char *other_tag = split_tag(other);

		if (strcmp(tag, other_tag) == 0)
			strings_push(&names, other);
		else if (strcmp(name, other) == 0)
			strings_push(&tags, other_tag);
	}
	near = text_nearest(str_of(name), (const char *const *)names.at, names.len);
	if (near)
		return xasprintf("%s:%s", near, tag);
	near = text_nearest(str_of(tag), (const char *const *)tags.at, tags.len);
	if (near || tags.len > 0)
		return xasprintf("%s:%s", name, near ? near : tags.at[0]);
	return NULL;
}

static struct err *not_found(const char *text, const char *canonical, const struct ref_list *refs)
{
	struct err *err = err_new(ERR_NOT_FOUND, "no image '%.255s' in the store", text);
	AUTO(mem) char *near = canonical ? nearest_image(index_familiar(canonical), refs) : NULL;

	return near ? err_note(err, "did you mean '%s'?", near) : err;
}

/* By the name that it has. */
static struct err *find_name(struct store *store, const char *canonical, bool *ret_found,
			     struct descriptor *ret)
{
	struct err *err = canonical ? ref_get(store, canonical, ret) : NULL;

	*ret_found = canonical && !err;
	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err); /* it may still be an id */
	return NULL;
}

struct err *image_resolve(struct store *store, const char *text, const char *canonical,
			  struct descriptor *ret)
{
	AUTO(ref_list) struct ref_list refs = { 0 };
	struct str prefix = id_prefix(text);
	bool found = false;

	TRY(find_name(store, canonical, &found, ret));
	if (found)
		return NULL;
	TRY(find_id(store, prefix, &found, ret));
	if (!found)
		TRY(find_unlisted(store, prefix, &found, ret));
	if (found)
		return NULL;
	TRY(ref_list(store, &refs));
	if (prefix.len) {
		remember_all(store, &refs);
		TRY(find_id(store, prefix, &found, ret));
	}
	return found ? NULL : not_found(text, canonical, &refs);
}
