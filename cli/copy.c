/* cli/copy.c - an image from one place to another. */

#include "registry/copy.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/output.h"
#include "cli/commands-private.h"
#include "cli/network.h"
#include "cli/output.h"
#include "cli/transfer.h"
#include "registry/client.h"
#include "store/platform.h"
#include "store/store.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = { "text", "json", NULL };

struct copy_values {
	struct network_values network;
	struct transfer_values transfer;
	const char *platform, *src_creds, *dest_creds, *digestfile;
	int src_tls_verify, dest_tls_verify; /* enum option_switch */
	bool all;
	int format;
};

static const struct option options[] = {
	OPTION_FLAG(struct copy_values, all, 'a', "all",
		    "of an index everything, not only one image"),
	OPTION_TEXT(struct copy_values, dest_creds, 0, "dest-creds", "USER:PASSWORD",
		    "who to be at the target"),
	OPTION_SWITCH(struct copy_values, dest_tls_verify, 0, "dest-tls-verify",
		      "--tls-verify for the target alone"),
	OPTION_PATH(struct copy_values, digestfile, 0, "digestfile", "FILE",
		    "write the digest to FILE"),
	OPTION_WORD(struct copy_values, format, 0, "format", formats, "how to show what was done"),
	OPTION_TEXT(struct copy_values, platform, 0, "platform", "OS/ARCH",
		    "which image of an index (default: the one for this machine)"),
	OPTION_TEXT(struct copy_values, src_creds, 0, "src-creds", "USER:PASSWORD",
		    "who to be at the source"),
	OPTION_SWITCH(struct copy_values, src_tls_verify, 0, "src-tls-verify",
		      "--tls-verify for the source alone"),
	TRANSFER_OPTIONS(struct copy_values, transfer),
	NETWORK_OPTIONS(struct copy_values, network),
};

/* One end of the copy. */
struct end {
	struct network_values network; /* the lists in it are the command's */
	struct location location;
	struct client *client; /* owned; NULL unless it is a registry */
};

static void end_auto_(struct end *end)
{
	client_free(end->client);
	location_release(&end->location);
}

static struct err *open_end(const struct copy_values *values, const char *text, const char *creds,
			    int tls_verify, struct end *ret)
{
	ret->network = values->network;
	if (creds)
		ret->network.creds = creds;
	if (tls_verify != SWITCH_UNSAID)
		ret->network.tls_verify = tls_verify;
	TRY(option_refuse(location_parse(text, &ret->location), NULL));
	if (ret->location.kind != LOCATION_REGISTRY)
		return NULL;
	return network_open(&ret->network, ret->location.ref.domain, &ret->client);
}

/* --creds are for one registry. */
static struct err *check_creds(const struct copy_values *values, const struct end *from,
			       const struct end *to)
{
	if (!values->network.creds || values->src_creds || values->dest_creds || !from->client ||
	    !to->client || strcmp(from->location.ref.domain, to->location.ref.domain) == 0)
		return NULL;
	return err_new(ERR_USAGE, "option --creds: for which of the two registries? --src-creds "
				  "and --dest-creds say it");
}

/* In the store an image gets a name; an id is none that can be given. */
static struct err *check_name(const struct location *to)
{
	struct reference ref;

	return to->kind == LOCATION_STORE ? option_refuse(reference_parse(to->text, &ref), NULL) :
					    NULL;
}

static struct err *copy(struct store *store, const struct copy_values *values,
			const struct end *from, const struct end *to, struct copy_result *ret)
{
	AUTO(transfer_ui) struct transfer_ui *transfer = NULL;
	const struct copy_side source = { &from->location, from->client };
	const struct copy_side target = { &to->location, to->client };
	struct copy_opts opts = { .all = values->all };
	struct platform platform;

	if (values->platform) {
		TRY(option_refuse(platform_parse(values->platform, &platform), "--platform"));
		opts.platform = &platform;
	}
	transfer = transfer_ui_new(&values->transfer);
	opts.progress = transfer_ui_progress(transfer);
	return copy_image(store, &source, &target, &opts, ret);
}

static void print(const struct copy_values *values, const struct end *from, const struct end *to,
		  const struct copy_result *result)
{
	AUTO(json) json_t *object = json_object();
	AUTO(mem) char *source = location_format(&from->location);
	AUTO(mem) char *target = location_format(&to->location);
	char digest[DIGEST_TEXT_SIZE];

	digest_format(&result->target.digest, digest);
	if (values->format == FORMAT_TEXT) {
		puts(digest);
		return;
	}
	json_set_text(object, "source", source);
	json_set_text(object, "target", target);
	json_set_text(object, "digest", digest);
	json_set(object, "bytes", json_integer((json_int_t)result->bytes));
	output_json(object);
}

static bool is_stdout(const struct location *location)
{
	return location->path && strcmp(location->path, "-") == 0;
}

static struct err *run_copy(struct cli *cli, void *arg, struct strings *operands)
{
	const struct copy_values *values = arg;
	AUTO(end) struct end from = { .client = NULL };
	AUTO(end) struct end to = { .client = NULL };
	AUTO(store) struct store *store = NULL;
	struct copy_result result = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	if (values->all && values->platform)
		return err_new(ERR_USAGE, "either --platform or --all");
	TRY(open_end(values, operands->at[0], values->src_creds, values->src_tls_verify, &from));
	TRY(open_end(values, operands->at[1], values->dest_creds, values->dest_tls_verify, &to));
	TRY(check_creds(values, &from, &to));
	TRY(check_name(&to.location));
	if (values->digestfile)
		TRY(option_refuse(output_check(values->digestfile), "--digestfile"));
	if (to.location.path && to.location.kind != LOCATION_OCI_DIR)
		TRY(option_refuse(output_check(to.location.path), NULL));
	TRY(cli_open_store(cli, &store));
	TRY(err_wrap(copy(store, values, &from, &to, &result), "copy %s", operands->at[0]));
	TRY(output_file(values->digestfile, digest_format(&result.target.digest, digest)));
	if (!is_stdout(&to.location))
		print(values, &from, &to, &result);
	return NULL;
}

const struct cli_command command_copy = {
	.name = "copy",
	.summary = "copy an image from one place to another",
	.operands = "SOURCE TARGET",
	.about = "Copy an image, byte for byte, between registries (docker://NAME), the store "
		 "(NAME), OCI layouts (oci:DIR[:NAME], oci-archive:FILE[:NAME]) and the archives "
		 "of docker save (docker-archive:FILE[:NAME]). Its digest stays the same, and is "
		 "printed; only a docker archive has manifests of its own. Between two registries "
		 "blobs are streamed and not kept.",
	.examples =
		"cairn copy docker://debian:trixie docker://registry.example.com/debian:trixie\n"
		"cairn copy --all docker://debian:trixie oci:mirror:debian:trixie",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct copy_values),
	.min_operands = 2,
	.max_operands = 2,
	.completes = COMPLETE_IMAGES,
	.run = run_copy,
};
