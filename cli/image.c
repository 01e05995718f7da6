/* cli/image.c - see cli/image.h. */

#include "cli/image.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "builder/fetch.h"
#include "cli/network.h"
#include "cli/option.h"
#include "cli/transfer.h"
#include "registry/client.h"
#include "registry/find.h"
#include "registry/reference.h"

#define DAY INT64_C(86400) /* seconds */

struct err *image_find(struct store *store, const char *text, struct descriptor *ret)
{
	struct err *err = find_image(store, text, ret);
	AUTO(err) struct err *bad = NULL;
	struct reference reference;

	if (err_kind(err) != ERR_INVALID)
		return err;
	bad = reference_parse(text, &reference);
	return bad ? option_refuse(err, NULL) : err;
}

/* An image that was not chosen out of an index may be for something else than was asked for. One
 * that does not say for what it is may be for anything. */
static struct err *check_platform(const struct image *image, const struct platform *want)
{
	AUTO(mem) char *wanted = platform_format(want);
	AUTO(mem) char *had = platform_format(&image->platform);

	if (!image->platform.arch[0] || platform_match(want, &image->platform) > 0)
		return NULL;
	return err_new(ERR_NOT_FOUND, "the image has nothing for %s, only for %s", wanted, had);
}

static struct err *open_for(struct store *store, const struct descriptor *target,
			    const struct platform *want, struct image **ret)
{
	AUTO(image) struct image *image = NULL;

	TRY(image_open(store, target, want, &image));
	if (want && digest_equal(&image->manifest.digest, &target->digest))
		TRY(check_platform(image, want));
	*ret = STEAL(image);
	return NULL;
}

struct err *image_find_open(struct store *store, const char *text, const char *platform,
			    struct image **ret)
{
	struct descriptor target;
	struct platform want;

	if (platform)
		TRY(option_refuse(platform_parse(platform, &want), "--platform"));
	TRY(image_find(store, text, &target));
	return err_wrap(open_for(store, &target, platform ? &want : NULL, ret), "image %s", text);
}

/* Fetch it, whatever is here. */
static struct err *fetch(struct store *store, const char *text, const struct platform *want,
			 const struct image_fetch *how, struct descriptor *ret)
{
	AUTO(transfer_ui) struct transfer_ui *shown = NULL;
	AUTO(fetch_result) struct fetch_result result = { 0 };
	AUTO(client) struct client *client = NULL;
	struct fetch_opts opts = { .policy = how->policy, .platform = want };
	struct reference ref = { 0 };

	TRY(option_refuse(reference_parse(text, &ref), NULL));
	TRY(network_open(how->network, ref.domain, &client));
	shown = transfer_ui_new(how->shown);
	opts.progress = transfer_ui_progress(shown);
	TRY(network_named(fetch_image(store, client, text, &opts, &result), text));
	*ret = result.target;
	return NULL;
}

struct err *image_fetch_open(struct store *store, const char *text, const char *platform,
			     const struct image_fetch *how, struct image **ret)
{
	struct descriptor target;
	struct reference ref;
	AUTO(err) struct err *no_name = reference_parse(text, &ref);
	AUTO(err) struct err *absent = NULL;
	struct platform want;
	struct err *err;

	if (no_name || how->policy == PULL_NEVER || how->policy == PULL_MISSING) {
		err = image_find_open(store, text, platform, ret);
		if (no_name || how->policy == PULL_NEVER || err_kind(err) != ERR_NOT_FOUND)
			return err;
		absent = err; /* then it is fetched */
	}
	if (platform)
		TRY(option_refuse(platform_parse(platform, &want), "--platform"));
	err = fetch(store, text, platform ? &want : NULL, how, &target);
	if (absent)
		err = err_note(err, "%s", err_text(absent));
	TRY(err);
	return err_wrap(open_for(store, &target, platform ? &want : NULL, ret), "image %s", text);
}

char *image_short_id(const struct digest *digest, char buf[static SHORT_ID_SIZE])
{
	char text[DIGEST_TEXT_SIZE];

	digest_format(digest, text);
	memcpy(buf, text + strlen("sha256:"), SHORT_ID_SIZE - 1);
	buf[SHORT_ID_SIZE - 1] = '\0';
	return buf;
}

uint64_t image_size(const struct image *image)
{
	uint64_t size = image->config_blob.size;

	for (size_t i = 0; i < image->layer_count; i++)
		size += image->layers[i].blob.size;
	return size;
}

const json_t *image_setting(const struct image *image, const char *key)
{
	return json_object_get(json_object_get(image->config, "config"), key);
}

char *image_age(const char *created)
{
	static const struct {
		int64_t seconds; /* of one */
		const char *name;
	} units[] = {
		{ 365 * DAY, "year" }, { 30 * DAY, "month" }, { 7 * DAY, "week" },
		{ DAY, "day" },        { DAY / 24, "hour" },  { DAY / 24 / 60, "minute" },
	};
	struct timespec then;
	struct err *err = created ? clock_parse(str_of(created), &then) : NULL;
	int64_t age;

	if (!created || err) {
		err_free(err); /* a wrong time is no reason not to show the image */
		return xstrdup("");
	}
	if (then.tv_sec == 0)
		return xstrdup("1970-01-01"); /* an epoch, no time at which anything was done */
	age = clock_now().tv_sec - then.tv_sec;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (age >= 2 * units[i].seconds)
			return xasprintf("%jd %ss ago", (intmax_t)(age / units[i].seconds),
					 units[i].name);
	return xstrdup(age < 0 ? "in the future" : "just now");
}
