/* cli/build_image.c - see cli/build_image.h. */

#include "cli/build_image.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "builder/attest_spec.h"
#include "builder/build.h"
#include "builder/image_changes.h"
#include "builder/output_spec.h"
#include "cli/epoch.h"

static struct err *read_labels(const struct strings *list, struct strings *ret)
{
	vec_foreach (list, text) {
		AUTO(mem)
		char *whole = strchr(*text, '=') ? xstrdup(*text) : xasprintf("%s=", *text);

		if (whole[0] == '=')
			return err_new(ERR_USAGE, "option --label: '%.80s' has no name", *text);
		strings_push(ret, whole);
	}
	return NULL;
}

/* One without a value that the environment does not have is not set. */
static struct err *read_env(const struct strings *list, struct strings *ret)
{
	vec_foreach (list, text) {
		const char *value = strchr(*text, '=') ? NULL : getenv(*text);
		AUTO(mem) char *whole = value ? xasprintf("%s=%s", *text, value) : xstrdup(*text);

		if (whole[0] == '=' || !whole[0])
			return err_new(ERR_USAGE, "option --env: '%.80s' has no name", *text);
		if (strchr(whole, '='))
			strings_push(ret, whole);
	}
	return NULL;
}

void build_image_split(const struct strings *list, struct strings *ret)
{
	vec_foreach (list, text) {
		struct str rest = str_of(*text);

		while (rest.at) {
			AUTO(mem) char *name = str_dup(str_cut(&rest, ','));

			if (name[0])
				strings_push(ret, name);
		}
	}
}

static bool has_index(const struct build_opts *opts)
{
	return opts->want_index || (opts->attest && opts->attest->provenance);
}

static struct err *read_annotations(const struct strings *list, const char *option, bool index,
				    struct image_changes *ret)
{
	vec_foreach (list, text)
		TRY(option_refuse(image_changes_annotate(ret, *text), option));
	if (!index && (image_changes_has(ret, ANNOTATION_INDEX) ||
		       image_changes_has(ret, ANNOTATION_INDEX_DESCRIPTOR)))
		return err_new(ERR_USAGE,
			       "option %s: no index is made that could have an annotation", option);
	return NULL;
}

static void warn_of_docker(const struct image_changes *changes, const struct build_opts *opts)
{
	if (opts->format == IMAGE_DOCKER &&
	    (changes->annotations.len > 0 || changes->created_annotation))
		log_warn("manifests of --format docker have no annotations: they are left out");
}

/* The epoch, and whether files obey it: one of --source-date-epoch is for the documents alone. */
static struct err *read_times(const struct build_image_values *values,
			      const struct output_wishes *wishes, struct build_args *args,
			      struct build_opts *opts)
{
	int rewrite = values->rewrite_timestamp;
	int64_t epoch;

	if (values->timestamp && values->source_date_epoch)
		return err_new(ERR_USAGE, "option --source-date-epoch: --timestamp is there, too");
	if (values->source_date_epoch)
		TRY(option_refuse(clock_parse_epoch(str_of(values->source_date_epoch), &epoch),
				  "--source-date-epoch"));
	if (rewrite == SWITCH_UNSAID && wishes->has_rewrite)
		rewrite = wishes->rewrite ? SWITCH_ON : SWITCH_OFF;
	opts->keep_times = rewrite == SWITCH_UNSAID ? values->source_date_epoch != NULL :
						      rewrite == SWITCH_OFF;
	return epoch_find_for_build(values->timestamp ? values->timestamp :
							values->source_date_epoch,
				    args, &opts->has_epoch, &opts->epoch);
}

struct err *build_image_read(const struct build_image_values *values,
			     const struct output_wishes *wishes, struct build_args *args,
			     struct image_changes *ret, struct build_opts *opts)
{
	TRY(read_labels(&values->labels, &opts->labels));
	TRY(read_env(&values->env, &ret->env));
	build_image_split(&values->unset_labels, &ret->unset_labels);
	build_image_split(&values->unset_env, &ret->unset_env);
	build_image_split(&values->unset_annotations, &ret->unset_annotations);
	TRY(read_annotations(&wishes->annotations, "--output", has_index(opts), ret));
	TRY(read_annotations(&values->annotations, "--annotation", has_index(opts), ret));
	ret->drop_labels = values->inherit_labels == SWITCH_OFF;
	ret->inherit_annotations = values->inherit_annotations == SWITCH_ON;
	ret->created_annotation = values->created_annotation == SWITCH_ON;
	ret->omit_history = values->omit_history;
	if (values->stage_labels && !values->save_stages)
		return err_new(ERR_USAGE, "option --stage-labels: it is for --save-stages, which "
					  "is not there");
	opts->save_stages = values->save_stages;
	opts->stage_labels = values->stage_labels;
	opts->changes = ret;
	opts->squash = values->squash_all ? SQUASH_ALL : values->squash ? SQUASH_NEW : SQUASH_NOT;
	warn_of_docker(ret, opts);
	return read_times(values, wishes, args, opts);
}
