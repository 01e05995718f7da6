/*
 * cli/report_html.h - the document of a build as a page.
 *
 * The page stands alone: it fetches nothing and runs nothing. Every number in it is from
 * the document (builder/report.h), and every text of it is escaped twice over: controls
 * as on a terminal, then what HTML would obey.
 */
#ifndef CLI_REPORT_HTML_H
#define CLI_REPORT_HTML_H

#include <jansson.h>

#include "base/mem.h"

/* The whole page; owned by the caller. */
char *report_html(const json_t *document) MUST_USE;

#endif
