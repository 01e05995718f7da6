/* cli/tag.c - give an image another name, and take names away. */

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/commands-private.h"
#include "cli/image.h"
#include "cli/output.h"
#include "registry/reference.h"
#include "store/id.h"
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
	.examples = "cairn tag app app:1.0 registry.example.com/team/app:1.0",
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

/* What one command takes away. */
struct removal {
	struct strings names;
	VEC(struct descriptor) nameless;
};

static void removal_auto_(struct removal *removal)
{
	strings_release(&removal->names);
	vec_release(&removal->nameless);
}

/* An image that was given by its id: its names, or itself if it has none. */
static struct err *add_by_id(struct store *store, const char *id, bool force, struct removal *ret)
{
	AUTO(ref_list) struct ref_list refs = { 0 };
	struct descriptor target;
	size_t before = ret->names.len, count;

	TRY(image_find(store, id, &target));
	TRY(ref_list(store, &refs));
	vec_foreach (&refs, ref)
		if (digest_equal(&ref->target.digest, &target.digest))
			strings_push(&ret->names, ref->name);
	count = ret->names.len - before;
	if (count == 0)
		vec_push(&ret->nameless, target);
	if (count > 1 && !force)
		return err_note(err_new(ERR_INVALID, "image %s has %zu names", id, count),
				"name the one that is to go, or remove them all with --force");
	return NULL;
}

/* What one operand stands for. */
static struct err *add_operand(struct store *store, const char *text, bool force,
			       struct removal *ret)
{
	AUTO(mem) char *name = NULL;
	struct descriptor target;
	struct err *err = reference_normalize(text, &name);

	if (!err)
		err = ref_get(store, name, &target);
	if (!err || err_kind(err) == ERR_SYSTEM) { /* what cannot be read can be deleted */
		err_free(err);
		strings_push(&ret->names, name);
		return NULL;
	}
	err_free(err); /* it may be an id; if not, the other look-up tells it better */
	return add_by_id(store, text, force, ret);
}

static struct err *remove_names(struct store *store, const struct strings *names)
{
	vec_foreach (names, name) {
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

/* Without its id an image without a name is out of sight, and kept by nothing. */
static struct err *remove_nameless(struct store *store, const struct descriptor *target)
{
	AUTO(image) struct image *image = NULL;
	char id[DIGEST_TEXT_SIZE];
	bool known;
	struct err *err = image_open(store, target, NULL, &image);

	digest_format(err ? &target->digest : &image->config_blob.digest, id);
	err_free(err); /* it can go all the same */
	TRY(id_forget(store, target, &known));
	if (!known)
		return err_new(ERR_NOT_FOUND, "image %s has no name, it is a part of another one",
			       id);
	output_text(id);
	return NULL;
}

static struct err *run_rmi(struct cli *cli, void *arg, struct strings *operands)
{
	const struct rmi_values *values = arg;
	AUTO(removal) struct removal removal = { 0 };
	AUTO(store) struct store *store = NULL;

	TRY(cli_open_store(cli, &store));
	vec_foreach (operands, text) {
		struct err *err = add_operand(store, *text, values->force, &removal);

		if (values->force && err_kind(err) == ERR_NOT_FOUND)
			err_free(err); /* as asked */
		else
			TRY(err);
	}
	TRY(remove_names(store, &removal.names));
	vec_foreach (&removal.nameless, target)
		TRY(remove_nameless(store, target));
	return id_sync(store);
}

const struct cli_command command_rmi = {
	.name = "rmi",
	.summary = "remove names of images",
	.operands = "IMAGE...",
	.about = "Remove names of images, and images that have none, by their ids; print what is "
		 "gone. The data stays until no "
		 "name, no step and no running program needs it, and is then reclaimed by a prune.",
	.examples = "cairn rmi app:1.0\n"
		    "cairn rmi --force 2d850ef615b7",
	.options = rmi_options,
	.option_count = ARRAY_SIZE(rmi_options),
	.values_size = sizeof(struct rmi_values),
	.min_operands = 1,
	.max_operands = OPERANDS_ANY,
	.completes = COMPLETE_IMAGES,
	.run = run_rmi,
};
