/* cli/build_verify.c - see cli/build_verify.h. */

#include "cli/build_verify.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "builder/build.h"
#include "builder/differ.h"
#include "builder/lock_file.h"
#include "registry/cache_spec.h"
#include "store/id.h"

#define TEXT_MAX ((size_t)64 * 1024)

struct err *build_verify_prepare(struct build_opts *opts)
{
	if (strcmp(opts->context, "-") == 0 || (opts->recipe && strcmp(opts->recipe, "-") == 0))
		return err_new(ERR_USAGE,
			       "option --verify: standard input cannot be read a second time");
	if (opts->platform_count > 1)
		return err_new(ERR_USAGE, "option --verify: it is for one platform at a time");
	if (opts->cache_to && opts->cache_to->len > 0)
		return err_new(ERR_USAGE, "option --verify: not together with --cache-to");
	opts->want_image = true;
	if (opts->has_epoch)
		return NULL;
	opts->has_epoch = true;
	opts->epoch = clock_now().tv_sec;
	log_info("verify: no time was given, so both builds have --timestamp %" PRId64,
		 opts->epoch);
	return NULL;
}

/* Of one target. The second image is not to be found any more. */
static struct err *compare(struct store *store, const struct build_image *a,
			   const struct build_image *b, struct buf *ret)
{
	AUTO(image) struct image *first = NULL;
	AUTO(image) struct image *second = NULL;
	struct err *err;
	bool known;

	if (digest_equal(&a->manifest.digest, &b->manifest.digest))
		return NULL;
	err = image_open(store, &a->manifest, NULL, &first);
	if (!err)
		err = image_open(store, &b->manifest, NULL, &second);
	if (!err)
		err = differ_images(store, first, second, ret);
	if (!err && ret->len == 0)
		buf_adds(ret, "their manifests differ, but neither a file nor the config does");
	if (!err)
		err = id_forget(store, &b->manifest, &known);
	if (!err)
		err = id_remember(store, &a->top);
	return err;
}

struct err *build_verify(struct store *store, const struct build_opts *opts,
			 const struct build_result *first)
{
	const struct build_output nothing = { .kind = OUTPUT_NONE };
	AUTO(mem)
	struct build_target *targets = xcalloc(opts->target_count + 1, sizeof(*targets));
	AUTO(build_result) struct build_result second = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
	struct build_opts again = *opts;
	char id[DIGEST_TEXT_SIZE];

	for (size_t i = 0; i < opts->target_count; i++)
		targets[i].stage = opts->targets[i].stage;
	again.targets = targets;
	again.outputs = &nothing;
	again.output_count = 1;
	again.events = NULL;
	again.cache_from = NULL;
	again.push = false;
	again.pull = PULL_MISSING; /* a base that moves meanwhile is not the Recipe's doing */
	again.on_fails = NULL;
	again.lock_wish = opts->lock_wish == LOCK_UPDATE ? LOCK_USE : opts->lock_wish;
	again.no_cache = true;
	again.trial = true;
	again.jobs = opts->jobs == 1 ? 4 : 1;
	log_info("verify: building again without cache, later, with host name " TRIAL_HOSTNAME
		 ", -j %u and other directories and inodes",
		 again.jobs);
	TRY(err_wrap(build_run(store, &again, &second), "verify: the second build"));
	for (size_t i = 0; i < first->image_count && text.len == 0; i++)
		TRY(err_wrap(compare(store, &first->images[i], &second.images[i], &text),
			     "verify"));
	if (text.len > 0)
		return err_new(ERR_INVALID, "not reproducible: %s", text.at);
	for (size_t i = 0; i < first->image_count; i++)
		log_info("reproducible: %s", digest_format(&first->images[i].manifest.digest, id));
	return NULL;
}
