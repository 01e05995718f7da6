/*
 * overlay/report-private.h - what the helper reports, told to people.
 */
#ifndef OVERLAY_REPORT_PRIVATE_H
#define OVERLAY_REPORT_PRIVATE_H

#include "base/mem.h"

struct err;
struct report;

/* The story of a REPORT_FAILED. ERR_INVALID where the image or the Recipe is at fault, else
 * ERR_SYSTEM. */
struct err *report_error(const struct report *report) MUST_USE;

#endif
