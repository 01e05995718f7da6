/* registry/find.c - see registry/find.h. */

#include "registry/find.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "registry/reference.h"
#include "store/ref.h"
#include "store/resolve.h"

/* True if the store knows a manifest of this digest under some tag of the repository. */
static struct err *is_of_repository(struct store *store, const char *repository,
				    const struct digest *digest, bool *ret)
{
	AUTO(ref_list) struct ref_list refs = { 0 };
	size_t len = strlen(repository);

	*ret = false;
	TRY(ref_list(store, &refs));
	vec_foreach (&refs, ref)
		if (strncmp(ref->name, repository, len) == 0 && ref->name[len] == ':' &&
		    !strchr(ref->name + len, '/') && digest_equal(&ref->target.digest, digest))
			*ret = true;
	return NULL;
}

static struct err *find_by_digest(struct store *store, const struct reference *reference,
				  const char *text, struct descriptor *ret)
{
	AUTO(mem) char *repository = reference_repository(reference);
	char have[DIGEST_TEXT_SIZE];
	struct descriptor target;
	bool known;

	TRY(image_resolve(store, reference->digest, NULL, &target));
	TRY(is_of_repository(store, repository, &target.digest, &known));
	if (!known || strcmp(digest_format(&target.digest, have), reference->digest) != 0)
		return err_new(ERR_NOT_FOUND, "no image '%.300s' in the store", text);
	*ret = target;
	return NULL;
}

static bool may_be_id(const char *text)
{
	const char *hex = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;

	return hex[0] && strspn(hex, "0123456789abcdef") == strlen(hex);
}

struct err *find_image(struct store *store, const char *text, struct descriptor *ret)
{
	AUTO(mem) char *canonical = NULL;
	struct reference reference;
	struct err *err = reference_parse(text, &reference);

	if (err && may_be_id(text)) {
		err_free(err); /* no name, but an id */
		return image_resolve(store, text, NULL, ret);
	}
	TRY(err);
	if (reference.digest[0])
		return find_by_digest(store, &reference, text, ret);
	canonical = reference_canonical(&reference);
	return image_resolve(store, text, canonical, ret);
}
