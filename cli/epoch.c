/* cli/epoch.c - see cli/epoch.h. */

#include "cli/epoch.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "builder/scope.h"

struct err *epoch_find(const char *option, bool *ret_found, int64_t *ret)
{
	const char *text = option ? option : getenv("SOURCE_DATE_EPOCH");
	AUTO(err) struct err *err = NULL;

	*ret_found = text && (option || text[0]);
	if (!*ret_found)
		return NULL;
	err = clock_parse_epoch(str_of(text), ret);
	if (!err)
		return NULL;
	return err_new(ERR_USAGE, "%s: %s", option ? "option --timestamp" : "SOURCE_DATE_EPOCH",
		       err_text(err));
}

struct err *epoch_find_for_build(const char *option, struct build_args *args, bool *ret_found,
				 int64_t *ret)
{
	const struct str name = STR("SOURCE_DATE_EPOCH");
	const char *given = build_args_get(args, name);
	AUTO(err) struct err *err = NULL;

	if (!given || option) {
		TRY(epoch_find(option, ret_found, ret));
		if (!given && *ret_found)
			build_args_set(args, name, option ? option : getenv("SOURCE_DATE_EPOCH"));
		return NULL;
	}
	*ret_found = given[0] && strcmp(given, "context") != 0;
	err = *ret_found ? clock_parse_epoch(str_of(given), ret) : NULL;
	return err ? err_new(ERR_USAGE, "option --build-arg: SOURCE_DATE_EPOCH: %s",
			     err_text(err)) :
		     NULL;
}
