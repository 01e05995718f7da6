/* cli/build_outputs.c - see cli/build_outputs.h. */

#include "cli/build_outputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/output.h"
#include "base/str.h"
#include "builder/build.h"
#include "builder/image_changes.h"
#include "cli/output.h"
#include "registry/reference.h"

enum format_word { FORMAT_UNSAID, FORMAT_OCI, FORMAT_DOCKER };

const char *const build_format_names[] = { "default", "oci", "docker", NULL };

void build_outputs_release(struct build_outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++) {
		free(outputs->at[i].dest);
		free(outputs->at[i].names);
	}
	free(outputs->at);
	output_wishes_release(&outputs->wishes);
}

/* ---- -o ---- */

/* The names of -o type=image,name=A,B: as those of -t, among which they may be already. */
static struct err *add_names(const char *names, struct strings *tags)
{
	struct str rest = str_of(names);

	while (rest.at) {
		AUTO(mem) char *text = str_dup(str_cut(&rest, ','));
		AUTO(mem) char *name = NULL;
		bool known = false;

		TRY(option_refuse(reference_normalize(text, &name), "--output"));
		vec_foreach (tags, tag)
			known = known || strcmp(*tag, name) == 0;
		if (!known)
			strings_push(tags, name);
	}
	return NULL;
}

static struct err *disagree(const char *what)
{
	return err_new(ERR_USAGE,
		       "option --output: one image is made for all outputs, and they ask "
		       "for different %s",
		       what);
}

/* What one more output wants, beside what is wanted already. */
static struct err *join_wishes(const struct output_wishes *one, struct output_wishes *all)
{
	if (one->has_codec && all->has_codec && one->codec != all->codec)
		return disagree("compressions");
	if (one->has_level && all->has_level && one->level != all->level)
		return disagree("compression levels");
	if (one->has_format && all->has_format && one->format != all->format)
		return disagree("formats");
	if (one->has_rewrite && all->has_rewrite && one->rewrite != all->rewrite)
		return disagree("times");
	if (one->has_codec)
		all->codec = one->codec;
	if (one->has_level)
		all->level = one->level;
	if (one->has_format)
		all->format = one->format;
	if (one->has_rewrite)
		all->rewrite = one->rewrite;
	all->has_codec = all->has_codec || one->has_codec;
	all->has_level = all->has_level || one->has_level;
	all->has_format = all->has_format || one->has_format;
	all->has_rewrite = all->has_rewrite || one->has_rewrite;
	all->force = all->force || one->force;
	vec_foreach (&one->annotations, text)
		strings_push(&all->annotations, *text);
	return NULL;
}

static struct err *read_outputs(const struct strings *list, struct build_outputs *ret,
				struct strings *names, struct build_opts *opts)
{
	ret->at = xcalloc(list->len, sizeof(*ret->at));
	vec_foreach (list, text) {
		AUTO(output_wishes) struct output_wishes wishes = { 0 };
		struct build_output *output = &ret->at[ret->count];

		TRY(option_refuse(output_spec_parse(*text, output, &wishes), "--output"));
		ret->count++;
		TRY(join_wishes(&wishes, &ret->wishes));
		opts->push = opts->push || output->push;
		TRY(add_names(output->names, names));
	}
	opts->outputs = ret->at;
	opts->output_count = ret->count;
	return NULL;
}

/* ---- format and compression ---- */

static struct err *read_format(const struct build_output_values *values,
			       const struct output_wishes *wishes, struct build_opts *opts)
{
	const char *usual = getenv("BUILDAH_FORMAT");

	if (values->format != FORMAT_UNSAID) {
		opts->format = values->format == FORMAT_DOCKER ? IMAGE_DOCKER : IMAGE_OCI;
		if (wishes->has_format && wishes->format != opts->format)
			return err_new(ERR_USAGE, "option --format: an option --output asks for "
						  "another one");
		return NULL;
	}
	opts->format = wishes->has_format                    ? wishes->format :
		       usual && strcmp(usual, "docker") == 0 ? IMAGE_DOCKER :
							       IMAGE_OCI;
	return NULL;
}

/* "CODEC[:LEVEL]" of all options together; NULL if none was given. Owned by the caller. */
static struct err *join_compression(const struct build_output_values *values,
				    const struct output_wishes *wishes, enum codec usual,
				    char **ret)
{
	const char *codec = values->compression_format ? values->compression_format :
			    wishes->has_codec          ? codec_name(wishes->codec) :
							 NULL;
	uint64_t level = values->compression_level ? values->compression_level :
			 wishes->has_level         ? (uint64_t)wishes->level :
						     0;

	if (values->compression && (codec || level))
		return err_new(ERR_USAGE, "option --compression: the compression is said twice");
	if (values->compression)
		*ret = xstrdup(values->compression);
	else if (level)
		*ret = xasprintf("%s:%ju", codec ? codec : codec_name(usual), (uintmax_t)level);
	else
		*ret = codec ? xstrdup(codec) : NULL;
	return NULL;
}

static struct err *read_compression(const struct build_output_values *values,
				    const struct output_wishes *wishes, struct build_opts *opts)
{
	const enum codec usual = opts->format == IMAGE_DOCKER ? CODEC_GZIP : CODEC_ZSTD;
	AUTO(mem) char *text = NULL;

	TRY(join_compression(values, wishes, usual, &text));
	opts->force_compression = values->force_compression || wishes->force;
	opts->compression_given = text || opts->force_compression || opts->format == IMAGE_DOCKER;
	opts->compression = (struct compression){ .codec = usual };
	if (!text)
		return NULL;
	TRY(option_refuse(compression_parse(str_of(text), &opts->compression), "--compression"));
	if (opts->format == IMAGE_DOCKER && opts->compression.codec == CODEC_ZSTD)
		return err_new(ERR_USAGE,
			       "option --format: docker's has no zstd; use --compression gzip");
	return NULL;
}

/* ---- the whole ---- */

struct err *build_outputs_read(const struct build_output_values *values, struct build_outputs *ret,
			       struct strings *names, struct build_opts *opts)
{
	TRY(read_outputs(&values->outputs, ret, names, opts));
	TRY(read_format(values, &ret->wishes, opts));
	TRY(read_compression(values, &ret->wishes, opts));
	opts->push = opts->push || values->push;
	opts->want_image =
		values->load || values->iidfile || values->iidfile_raw || values->metadata_file;
	return NULL;
}

static struct err *check_file(const char *path, const char *option)
{
	return path ? err_wrap(output_check(path), "option %s", option) : NULL;
}

struct err *build_outputs_check(const struct build_output_values *values)
{
	TRY(check_file(values->iidfile, "--iidfile"));
	TRY(check_file(values->iidfile_raw, "--iidfile-raw"));
	return check_file(values->metadata_file, "--metadata-file");
}

/* ---- results ---- */

/* With the annotations that are for the descriptor of the manifest or index. */
static json_t *format_descriptor(const struct build_opts *opts, const struct build_image *image)
{
	const enum annotation_level level = build_image_is_index(image) ?
						    ANNOTATION_INDEX_DESCRIPTOR :
						    ANNOTATION_MANIFEST_DESCRIPTOR;
	json_t *descriptor = descriptor_format(&image->top);
	AUTO(json) json_t *annotations = NULL;

	if (opts->changes)
		annotations = image_changes_annotations(opts->changes, level, &opts->platform, NULL,
							NULL);
	if (json_object_size(annotations) > 0)
		json_object_set(descriptor, "annotations", annotations);
	return descriptor;
}

/* What docker buildx writes of an image; `image` is NULL if there is none. */
static json_t *format_metadata(const struct build_opts *opts, const struct build_target *target,
			       const struct build_image *image)
{
	AUTO(buf) struct buf names = BUF_INIT((size_t)1024 * 1024);
	json_t *object = json_object();
	char digest[DIGEST_TEXT_SIZE];

	if (image) {
		if (!image->many) /* else there are several */
			json_set_text(object, "containerimage.config.digest",
				      digest_format(&image->config.digest, digest));
		json_set(object, "containerimage.descriptor", format_descriptor(opts, image));
		json_set_text(object, "containerimage.digest",
			      digest_format(&image->top.digest, digest));
	}
	vec_foreach (&target->tags, name)
		buf_addf(&names, "%s%s", names.len ? "," : "", *name);
	if (names.len > 0)
		json_set_text(object, "image.name", names.at);
	return object;
}

/* That of the only target, or of several under their names, as docker buildx bake does. */
static struct err *write_metadata(const char *path, const struct build_opts *opts,
				  const struct build_result *result)
{
	AUTO(json) json_t *all = json_object();
	AUTO(json) json_t *object = NULL;
	AUTO(mem) char *text = NULL;

	for (size_t i = 0; i < opts->target_count; i++) {
		const struct build_target *target = &opts->targets[i];

		json_decref(object);
		object = format_metadata(opts, target,
					 result->image_count ? &result->images[i] : NULL);
		if (opts->target_count > 1)
			json_set(all, target->stage, json_incref(object));
	}
	text = json_format_pretty(opts->target_count > 1 ? all : object);
	return output_file(path, text);
}

/* The ids of the images from their first `skip` bytes on, a line for each but without an end of the
 * last line. */
static struct err *write_ids(const char *path, const struct build_result *result, size_t skip)
{
	AUTO(buf) struct buf ids = BUF_INIT((size_t)1024 * 1024);
	char id[DIGEST_TEXT_SIZE];

	for (size_t i = 0; i < result->image_count; i++)
		buf_addf(&ids, "%s%s", i ? "\n" : "",
			 digest_format(build_image_id(&result->images[i]), id) + skip);
	return output_file(path, ids.len ? ids.at : "");
}

static bool writes_to_stdout(const struct build_opts *opts)
{
	for (size_t i = 0; i < opts->output_count; i++)
		if (opts->outputs[i].dest && strcmp(opts->outputs[i].dest, "-") == 0)
			return true;
	return false;
}

struct err *build_outputs_tell(const struct build_output_values *values,
			       const struct build_opts *opts, const struct build_result *result)
{
	char id[DIGEST_TEXT_SIZE];

	if (values->iidfile)
		TRY(write_ids(values->iidfile, result, 0));
	if (values->iidfile_raw)
		TRY(write_ids(values->iidfile_raw, result, strlen("sha256:")));
	if (values->metadata_file)
		TRY(write_metadata(values->metadata_file, opts, result));
	for (size_t i = 0; i < result->image_count && !writes_to_stdout(opts); i++)
		output_text(digest_format(build_image_id(&result->images[i]), id));
	return NULL;
}
