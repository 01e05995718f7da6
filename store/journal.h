/*
 * store/journal.h - builds/<id>/: the events and the full logs of a build.
 *
 * builds/<id>/events.jsonl holds one JSON object per line; builds/<id>/<n>.log
 * the output of step n, whole and as it came. An id sorts by time. The newest
 * JOURNAL_KEEP builds are kept; older ones go when a new one begins. Nothing
 * depends on a journal: it is never flushed to disk.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

struct err;
struct store;
struct journal;

#define JOURNAL_KEEP 100

/* Begin the journal of a build, and take the oldest ones away: those of builds that still run
 * stay. The caller frees it. ERR_SYSTEM if it cannot be written: a build can do without. */
struct err *journal_begin(struct store *store, struct journal **ret) MUST_USE;
const char *journal_id(const struct journal *journal);
/* Append one line (without its newline). Thread safe; errors are dropped: the build goes on. */
void journal_event(struct journal *journal, struct str line);
/* Open <n>.log for appending; the caller owns the descriptor. */
struct err *journal_open_log(struct journal *journal, unsigned step, int *ret_fd) MUST_USE;
/* The log's path, for messages; owned by the caller. */
char *journal_log_path(const struct journal *journal, unsigned step) MUST_USE;
/* Take the journal of a past build out of view: `*ret_gone` is false if the build still runs. */
struct err *journal_drop(struct store *store, const char *id, bool *ret_gone) MUST_USE;
void journal_free(struct journal *journal);
DEFINE_AUTO(journal)

#endif
