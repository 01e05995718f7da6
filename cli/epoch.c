/* cli/epoch.c - see cli/epoch.h. */

#include "cli/epoch.h"

#include "base/clock.h"
#include "base/err.h"

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
