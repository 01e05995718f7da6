/*
 * base/subid.h - where a machine keeps subordinate ids, and asking there.
 *
 * A line "subid: SOURCE" in nsswitch.conf(5) names a source other than /etc/subuid and
 * /etc/subgid, a directory service perhaps; then the files count for nothing. newuidmap(1)
 * and newgidmap(1) know it by themselves, but have to be told the ranges: getsubids(1),
 * of the same package, asks for them.
 */
#ifndef BASE_SUBID_H
#define BASE_SUBID_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/userns.h"

struct err;

/* The source that the text of an nsswitch.conf names, owned by the caller; NULL: the files. */
char *subid_parse_source(struct str text) MUST_USE;
/* The ranges in the output of getsubids: "0: ann 100000 65536". Returns how many. */
size_t subid_parse_answer(struct str text, struct userns_range ret[static USERNS_RANGES_MAX]);

/* As subid_parse_source(), of this machine; NULL also if that cannot be read. */
char *subid_source(void) MUST_USE;
/* The ranges of users or, with `groups`, of groups that `user` has, by getsubids. None if it fails, or says
 * nothing for so long that nobody waits for it (`*ret_silent`). */
size_t subid_ask(const char *user, bool groups, struct userns_range ret[static USERNS_RANGES_MAX],
		 bool *ret_silent);

extern unsigned subid_patience; /* milliseconds; less in tests */

#endif
