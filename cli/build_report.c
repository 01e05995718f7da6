/* cli/build_report.c - see cli/build_report.h. */

#include "cli/build_report.h"

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "base/output.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/report.h"
#include "cli/output.h"
#include "cli/report_html.h"

static bool is_page(const char *path)
{
	return str_ends(str_of(path), ".html");
}

struct err *build_report_check(const struct strings *paths)
{
	vec_foreach (paths, path) {
		if (!is_page(*path) && !str_ends(str_of(*path), ".json"))
			return err_new(ERR_USAGE,
				       "option --report: '%.200s' ends with neither .html nor "
				       ".json, which says what to write",
				       *path);
		TRY(err_wrap(output_check(*path), "option --report"));
	}
	return NULL;
}

struct err *build_report_write(const struct strings *paths, const struct report *report,
			       struct store *store, const struct build_result *result)
{
	AUTO(json) json_t *document = NULL;

	if (paths->len == 0)
		return NULL;
	document = report_make(report, store, result);
	vec_foreach (paths, path) {
		AUTO(mem)
		char *text = is_page(*path) ? report_html(document) : json_format_pretty(document);

		TRY(err_wrap(output_file(*path, text), "option --report"));
	}
	return NULL;
}
