/* cli/tag.c - give an image another name, and take names away. */

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/commands-private.h"
#include "cli/image.h"
#include "cli/output.h"
#include "registry/reference.h"
#include "store/ref.h"
#include "store/store.h"

/* ---- tag ---- */

static struct err *run_tag(struct cli *cli, void *values, struct strings *operands)
{
	AUTO(strings) struct strings names = { 0 };
	AUTO(store) struct store *store = NULL;
	struct descriptor target;

	(void)values;
	for (size_t i = 1; i < operands->len; i++) {
		AUTO(mem) char *name = NULL;

		TRY(option_refuse(reference_normalize(operands->at[i], &name), NULL));
		strings_push(&names, name);
	}
	TRY(cli_open_store(cli, &store));
	TRY(image_find(store, operands->at[0], &target));
	vec_foreach (&names, name)
		TRY(ref_set(store, *name, &target));
	return NULL;
}

const struct cli_command command_tag = {
	.name = "tag",
	.summary = "give an image more names",
	.operands = "IMAGE NAME...",
	.about = "Give an image more names. A name that belongs to another image is taken from it.",
	.min_operands = 2,
	.max_operands = OPERANDS_ANY,
	.completes = COMPLETE_IMAGES,
	.run = run_tag,
};

/* ---- rmi ---- */

struct rmi_values {
	bool force;
};

static const struct option rmi_options[] = {
	OPTION_FLAG(struct rmi_values, force, 'f', "force",
		    "with an id: remove all names of the image; do not mind absent images"),
};

/* All names of an image that was given by its id. */
static struct err *names_of(struct store *store, const char *id, bool force, struct strings *ret)
{
	AUTO(ref_list) struct ref_list refs = { 0 };
	struct descriptor target;
	size_t before = ret->len;

	TRY(image_find(store, id, &target));
	TRY(ref_list(store, &refs));
	vec_foreach (&refs, ref)
		if (digest_equal(&ref->target.digest, &target.digest))
			strings_push(ret, ref->name);
	if (ret->len == before)
		return err_new(ERR_NOT_FOUND, "image %s has no name", id);
	if (ret->len > before + 1 && !force)
		return err_note(
			err_new(ERR_INVALID, "image %s has %zu names", id, ret->len - before),
			"name the one that is to go, or remove them all with --force");
	return NULL;
}

/* The names that one operand stands for. */
static struct err *names_to_remove(struct store *store, const char *text, bool force,
				   struct strings *ret)
{
	AUTO(mem) char *name = NULL;
	struct descriptor target;
	struct err *err = reference_normalize(text, &name);

	if (!err)
		err = ref_get(store, name, &target);
	if (!err) {
		strings_push(ret, name);
		return NULL;
	}
	err_free(err); /* it may be an id; if not, the other look-up tells it better */
	return names_of(store, text, force, ret);
}

static struct err *run_rmi(struct cli *cli, void *arg, struct strings *operands)
{
	const struct rmi_values *values = arg;
	AUTO(strings) struct strings names = { 0 };
	AUTO(store) struct store *store = NULL;

	TRY(cli_open_store(cli, &store));
	vec_foreach (operands, text) {
		struct err *err = names_to_remove(store, *text, values->force, &names);

		if (values->force && err_kind(err) == ERR_NOT_FOUND)
			err_free(err); /* as asked */
		else
			TRY(err);
	}
	vec_foreach (&names, name) {
		AUTO(mem) char *familiar = reference_shorten(*name);
		struct err *err = ref_delete(store, *name);

		if (err_kind(err) == ERR_NOT_FOUND) {
			err_free(err); /* named twice, or gone meanwhile */
			continue;
		}
		TRY(err);
		output_text(familiar);
	}
	return NULL;
}

const struct cli_command command_rmi = {
	.name = "rmi",
	.summary = "remove names of images",
	.operands = "IMAGE...",
	.about = "Remove names of images and print those that are gone. The data stays until no "
		 "name, no step and no running program needs it, and is then reclaimed by a prune.",
	.options = rmi_options,
	.option_count = ARRAY_SIZE(rmi_options),
	.values_size = sizeof(struct rmi_values),
	.min_operands = 1,
	.max_operands = OPERANDS_ANY,
	.completes = COMPLETE_IMAGES,
	.run = run_rmi,
};
