/*
 * cli/build_report.h - build --report: what a build did, as files.
 */
#ifndef CLI_BUILD_REPORT_H
#define CLI_BUILD_REPORT_H

#include "base/mem.h"

struct build_result;
struct err;
struct report;
struct store;
struct strings;

/* Before the work: whether each path ends with .html or .json, and can be written. */
struct err *build_report_check(const struct strings *paths) MUST_USE;

/* After the work, failed or not: the files. */
struct err *build_report_write(const struct strings *paths, const struct report *report,
			       struct store *store, const struct build_result *result) MUST_USE;

#endif
