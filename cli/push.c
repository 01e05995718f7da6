/* cli/push.c - an image into a registry. */

#include "registry/push.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/output.h"
#include "base/text.h"
#include "cli/commands-private.h"
#include "cli/image.h"
#include "cli/network.h"
#include "cli/output.h"
#include "cli/transfer.h"
#include "registry/client.h"
#include "store/ref.h"
#include "store/store.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = { "text", "json", NULL };

struct push_values {
	struct network_values network;
	struct transfer_values transfer;
	const char *platform, *digestfile;
	bool foreign;
	int format;
};

static const struct option options[] = {
	OPTION_PATH(struct push_values, digestfile, 0, "digestfile", "FILE",
		    "write the digest to FILE"),
	OPTION_WORD(struct push_values, format, 0, "format", formats, "how to show what was done"),
	OPTION_TEXT(struct push_values, platform, 0, "platform", "OS/ARCH",
		    "of an index this image alone"),
	OPTION_FLAG(struct push_values, foreign, 0, "push-foreign",
		    "send layers, too, that are not to be handed on"),
	TRANSFER_OPTIONS(struct push_values, transfer),
	NETWORK_OPTIONS(struct push_values, network),
};

/* Does the store call something so? What reads as a name may be an id. */
static struct err *expect_name(struct store *store, const struct reference *ref, const char *text)
{
	AUTO(mem) char *name = reference_canonical(ref);
	struct descriptor target;
	struct err *err = ref_get(store, name, &target);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return err_new(ERR_USAGE, "'%.80s' is an id, not a name: say where to push it", text);
}

/* Where to: DEST, or the image's own name. */
static struct err *find_target(struct store *store, const struct strings *operands,
			       struct reference *ret)
{
	const char *image = operands->at[0];
	struct err *err;

	if (operands->len > 1)
		return network_reference(operands->at[1], ret);
	err = reference_parse(image, ret);
	if (err) {
		err_free(err);
		return err_new(ERR_USAGE, "'%.80s' is an id, not a name: say where to push it",
			       image);
	}
	if (!ret->digest[0])
		return expect_name(store, ret, image);
	ret->digest[0] = '\0'; /* it says which image; the tag says what it is to be called */
	return NULL;
}

static void print_json(const char *name, const char *digest, const struct push_result *result)
{
	AUTO(json) json_t *object = json_object();

	json_set_text(object, "name", name);
	json_set_text(object, "digest", digest);
	json_set(object, "sent", json_integer(result->sent));
	json_set(object, "mounted", json_integer(result->mounted));
	json_set(object, "present", json_integer(result->present));
	json_set(object, "bytes", json_integer((json_int_t)result->bytes));
	output_json(object);
}

static void print_counts(const char *name, const struct push_result *result)
{
	char bytes[TEXT_SIZE_MAX];

	if (!result->sent && !result->mounted && !result->present)
		fprintf(stderr, "%s: all of it was there\n", name);
	else
		fprintf(stderr, "%s: %u blobs sent (%s), %u mounted, %u there already\n", name,
			result->sent, text_size(result->bytes, bytes), result->mounted,
			result->present);
}

static struct err *push(struct store *store, const struct push_values *values,
			const struct descriptor *image, const struct reference *to,
			struct push_result *ret)
{
	AUTO(transfer_ui) struct transfer_ui *transfer = NULL;
	AUTO(client) struct client *client = NULL;
	struct push_opts opts = { .foreign = values->foreign };
	struct platform platform;

	if (values->platform) {
		TRY(option_refuse(platform_parse(values->platform, &platform), "--platform"));
		opts.platform = &platform;
	}
	TRY(network_open(&values->network, to->domain, &client));
	transfer = transfer_ui_new(&values->transfer);
	opts.progress = transfer_ui_progress(transfer);
	return push_image(store, client, image, to, &opts, ret);
}

static struct err *run_push(struct cli *cli, void *arg, struct strings *operands)
{
	const struct push_values *values = arg;
	AUTO(store) struct store *store = NULL;
	AUTO(mem) char *name = NULL;
	char digest[DIGEST_TEXT_SIZE];
	struct push_result result = { 0 };
	struct descriptor image;
	struct reference to;

	if (values->digestfile)
		TRY(option_refuse(output_check(values->digestfile), "--digestfile"));
	TRY(cli_open_store(cli, &store));
	TRY(image_find(store, operands->at[0], &image));
	TRY(find_target(store, operands, &to));
	name = reference_canonical(&to);
	TRY(err_wrap(push(store, values, &image, &to, &result), "push %s", name));
	digest_format(&result.digest, digest);
	TRY(output_file(values->digestfile, digest));
	if (!values->transfer.quiet && values->transfer.progress != UI_QUIET &&
	    values->transfer.progress != UI_JSON)
		print_counts(name, &result);
	if (values->format == FORMAT_JSON)
		print_json(name, digest, &result);
	else
		puts(digest);
	return NULL;
}

const struct cli_command command_push = {
	.name = "push",
	.summary = "send an image to a registry",
	.operands = "IMAGE [DEST]",
	.about = "Send what a registry lacks of an image, and print the digest that it has there: "
		 "it is that of the store, as nothing is compressed again. DEST is a name, also "
		 "as docker://NAME; without it the image is called as it is here. Blobs that the "
		 "registry has in another repository are mounted, not sent.",
	.examples = "cairn push registry.example.com/team/app:1.2\n"
		    "cairn push --digestfile digest app docker://localhost:5000/app",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct push_values),
	.min_operands = 1,
	.max_operands = 2,
	.completes = COMPLETE_IMAGES,
	.run = run_push,
};
