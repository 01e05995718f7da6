/* cli/build_platform.c - see cli/build_platform.h. */

#include "cli/build_platform.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/build.h"
#include "builder/scope.h"

#define PLATFORMS_MAX 100

static void add(struct platforms *platforms, const struct platform *platform)
{
	vec_foreach (platforms, other)
		if (platform_equal(other, platform))
			return;
	vec_push(platforms, *platform);
}

static struct err *read_list(const char *list, struct platforms *ret)
{
	struct str rest = str_of(list);

	while (rest.at) {
		AUTO(mem) char *text = str_dup(str_trim(str_cut(&rest, ',')));
		struct platform platform;

		if (strcmp(text, "local") == 0)
			platform_host(&platform);
		else
			TRY(option_refuse(platform_parse(text, &platform), "--platform"));
		add(ret, &platform);
	}
	if (ret->len > PLATFORMS_MAX)
		return err_new(ERR_USAGE, "option --platform: more than %d platforms",
			       PLATFORMS_MAX);
	return NULL;
}

static struct err *check_part(const char *part, const char *option)
{
	if (part && (!part[0] || strchr(part, '/')))
		return err_new(ERR_USAGE, "option %s: '%.80s' is no part of a platform", option,
			       part);
	return NULL;
}

/* What is not said is that of this machine; a processor of another kind has no variant of ours. */
static struct err *read_parts(const struct platform_values *values, struct platforms *ret)
{
	AUTO(mem) char *text = NULL;
	struct platform host, platform;
	const char *variant;

	TRY(check_part(values->os, "--os"));
	TRY(check_part(values->arch, "--arch"));
	TRY(check_part(values->variant, "--variant"));
	platform_host(&host);
	variant = values->variant ? values->variant : values->arch ? "" : host.variant;
	text = xasprintf("%s/%s%s%s", values->os ? values->os : host.os,
			 values->arch ? values->arch : host.arch, variant[0] ? "/" : "", variant);
	TRY(option_refuse(platform_parse(text, &platform), "--arch"));
	add(ret, &platform);
	return NULL;
}

static bool is_true(const char *text)
{
	return text && (strcmp(text, "1") == 0 || strcmp(text, "true") == 0);
}

struct err *build_platform_read(const struct platform_values *values, struct build_args *args,
				struct platforms *ret, struct build_opts *opts)
{
	const bool parts = values->os || values->arch || values->variant;

	if (parts && values->platforms.len > 0)
		return err_new(ERR_USAGE, "option --platform: it says what --os, --arch and "
					  "--variant say, and they are there, too");
	vec_foreach (&values->platforms, list)
		TRY(read_list(*list, ret));
	if (parts)
		TRY(read_parts(values, ret));
	opts->platform_given = ret->len > 0;
	if (ret->len == 0) {
		struct platform host;

		platform_host(&host);
		add(ret, &host);
	}
	opts->platform = ret->at[0];
	opts->platforms = ret->at;
	opts->platform_count = ret->len;
	opts->want_index =
		ret->len > 1 || is_true(build_args_get(args, STR("BUILDKIT_MULTI_PLATFORM")));
	return NULL;
}
