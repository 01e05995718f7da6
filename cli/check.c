/* cli/check.c - is everything in the store what it should be? */

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/commands-private.h"
#include "cli/output.h"
#include "overlay/verify.h"
#include "registry/reference.h"
#include "store/examine.h"
#include "store/store.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = { "text", "json", NULL };

struct check_values {
	bool repair;
	bool quick;
	int format;
};

static const struct option check_options[] = {
	OPTION_WORD(struct check_values, format, 0, "format", formats, "how to show it"),
	OPTION_FLAG(struct check_values, quick, 'q', "quick",
		    "documents, records and sizes alone, no contents"),
	OPTION_FLAG(struct check_values, repair, 0, "repair",
		    "take damage out of view, and make anew what can be"),
};

/* Names as the store keeps them. */
static struct err *canonical(const struct strings *operands, struct strings *ret)
{
	vec_foreach (operands, operand) {
		char *name = NULL;

		TRY(reference_normalize(*operand, &name));
		vec_push(ret, name);
	}
	return NULL;
}

static void show_json(const struct examine_report *report)
{
	AUTO(json) json_t *object = json_object();
	json_t *findings = json_array();

	vec_foreach (report, finding) {
		json_t *one = json_object();

		json_set_text(one, "state", examine_state_name(finding->state));
		json_set_text(one, "object", finding->object);
		json_set_text(one, "place", finding->place);
		json_set_text(one, "what", finding->what);
		if (finding->remedy)
			json_set_text(one, "remedy", finding->remedy);
		json_push(findings, one);
	}
	json_set(object, "blobs", json_integer((json_int_t)report->blobs));
	json_set(object, "layers", json_integer((json_int_t)report->layers));
	json_set(object, "steps", json_integer((json_int_t)report->steps));
	json_set(object, "images", json_integer((json_int_t)report->images));
	for (int i = 0; i < EXAMINE_STATES; i++)
		json_set(object, examine_state_name((enum examine_state)i),
			 json_integer((json_int_t)report->counts[i]));
	json_set(object, "findings", findings);
	output_json(object);
}

static void show_text(const struct examine_report *report)
{
	vec_foreach (report, finding) {
		AUTO(mem)
		char *line = xasprintf("%s: %s: %s (%s)%s%s", examine_state_name(finding->state),
				       finding->object, finding->what, finding->place,
				       finding->remedy ? ": " : "",
				       finding->remedy ? finding->remedy : "");

		output_text(line);
	}
	printf("%ju blobs, %ju layers, %ju steps and %ju images looked at: %ju wrong, %ju repaired",
	       (uintmax_t)report->blobs, (uintmax_t)report->layers, (uintmax_t)report->steps,
	       (uintmax_t)report->images, (uintmax_t)report->counts[EXAMINE_WRONG],
	       (uintmax_t)report->counts[EXAMINE_REPAIRED]);
	if (report->counts[EXAMINE_UNKNOWN])
		printf(", %ju could not be checked", (uintmax_t)report->counts[EXAMINE_UNKNOWN]);
	putchar('\n');
}

static struct err *run_check(struct cli *cli, void *arg, struct strings *operands)
{
	static const struct examine_hands hands = {
		.verify_layer = verify_layer,
		.remake_layer = verify_remake_layer,
		.remake_blob = verify_remake_blob,
	};
	const struct check_values *values = arg;
	AUTO(examine_report) struct examine_report report = { 0 };
	AUTO(store) struct store *store = NULL;
	AUTO(strings) struct strings names = { 0 };
	const struct examine_opts opts = {
		.hands = &hands,
		.repair = values->repair,
		.quick = values->quick,
		.names = &names,
	};

	TRY(canonical(operands, &names));
	TRY(cli_be_root());
	TRY(cli_open_store(cli, &store));
	TRY(examine_run(store, &opts, &report));
	if (values->format == FORMAT_JSON)
		show_json(&report);
	else
		show_text(&report);
	cli->exit_code = report.counts[EXAMINE_WRONG] || report.counts[EXAMINE_UNKNOWN];
	return NULL;
}

const struct cli_command command_check = {
	.name = "check",
	.summary = "look whether everything in the store is whole",
	.operands = "[NAME]...",
	.about =
		"Hash every blob, compare every layer with what is known of it, read every record, "
		"and look whether each named image is there whole. With names, only those images. "
		"Ends with 1 if something is wrong and stays so, or could not be checked.",
	.examples = "cairn check\n"
		    "cairn check --repair\n"
		    "cairn check --quick app",
	.options = check_options,
	.option_count = ARRAY_SIZE(check_options),
	.values_size = sizeof(struct check_values),
	.max_operands = UINT_MAX,
	.completes = COMPLETE_IMAGES,
	.run = run_check,
};
