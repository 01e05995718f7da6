/* store/journal.c - see store/journal.h. */

#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/store-private.h"

#define JOURNAL_ID_SIZE 40

struct journal {
	struct store *store;
	char id[JOURNAL_ID_SIZE];
	int dir_fd;    /* builds/<id>, owned */
	int events_fd; /* events.jsonl, owned, append only; its shared lock says: still running */
};

/* ---- old journals ---- */

/* Whether the build that writes this journal still runs. */
static bool is_running(struct store *store, const char *id)
{
	AUTO(fd) int fd = -1;
	char path[STORE_PATH_SIZE];

	snprintf(path, sizeof(path), "builds/%.64s/events.jsonl", id);
	fd = openat(store->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

struct err *journal_drop(struct store *store, const char *id, bool *ret_gone)
{
	char path[STORE_PATH_SIZE];

	snprintf(path, sizeof(path), "builds/%.64s", id);
	*ret_gone = !is_running(store, id);
	return *ret_gone ? trash_put(store, store->root_fd, path) : NULL;
}

/* Make room for one more. */
static struct err *drop_oldest(struct store *store)
{
	AUTO(strings) struct strings ids = { 0 };
	bool gone;

	TRY(file_list(store->root_fd, "builds", &ids));
	for (size_t i = 0; i + JOURNAL_KEEP <= ids.len; i++)
		TRY(journal_drop(store, ids.at[i], &gone));
	return NULL;
}

/* ---- the journal of this build ---- */

/* "20261123-062002-123456-qk7f": sorts by time, unique by chance. */
static struct err *make_id(char ret[static JOURNAL_ID_SIZE])
{
	struct timespec now = clock_now();
	char chance[STORE_ID_SIZE];
	struct tm tm;
	size_t len;

	TRY(store_random_id(chance));
	if (!gmtime_r(&now.tv_sec, &tm))
		return err_sys("tell the date");
	len = strftime(ret, JOURNAL_ID_SIZE, "%Y%m%d-%H%M%S", &tm);
	snprintf(ret + len, JOURNAL_ID_SIZE - len, "-%06ld-%.4s", now.tv_nsec / 1000, chance);
	return NULL;
}

/* A prune may not come between the directory and the lock. */
static struct err *open_journal(struct journal *journal)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	struct store *store = journal->store;
	char path[STORE_PATH_SIZE];

	TRY(drop_oldest(store));
	TRY(store_hold(store, &hold));
	TRY(make_id(journal->id));
	snprintf(path, sizeof(path), "builds/%s", journal->id);
	if (mkdirat(store->root_fd, path, 0700) < 0)
		return err_sys("make directory %s", path);
	TRY(file_open_dir(store->root_fd, path, &journal->dir_fd));
	journal->events_fd = openat(journal->dir_fd, "events.jsonl",
				    O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (journal->events_fd < 0 || flock(journal->events_fd, LOCK_SH) < 0)
		return err_sys("create %s/events.jsonl", path);
	return NULL;
}

struct err *journal_begin(struct store *store, struct journal **ret)
{
	AUTO(journal) struct journal *journal = xcalloc(1, sizeof(*journal));

	*journal = (struct journal){ .store = store, .dir_fd = -1, .events_fd = -1 };
	TRY(err_wrap(open_journal(journal), "begin a journal"));
	*ret = STEAL(journal);
	return NULL;
}

const char *journal_id(const struct journal *journal)
{
	return journal->id;
}

void journal_event(struct journal *journal, struct str line)
{
	/* One call for the whole line, so that the lines of two threads do not mix. */
	const struct iovec parts[] = {
		{ .iov_base = (char *)line.at, .iov_len = line.len },
		{ .iov_base = (char *)"\n", .iov_len = 1 },
	};

	if (writev(journal->events_fd, parts, ARRAY_SIZE(parts)) < 0)
		log_debug("journal %s: %s", journal->id, strerror(errno));
}

struct err *journal_open_log(struct journal *journal, unsigned step, int *ret_fd)
{
	AUTO(mem) char *name = xasprintf("%u.log", step);

	return file_open(journal->dir_fd, name, O_WRONLY | O_APPEND | O_CREAT, 0600, FILE_NO_LINKS,
			 ret_fd);
}

char *journal_log_path(const struct journal *journal, unsigned step)
{
	return xasprintf("%s/builds/%s/%u.log", store_path(journal->store), journal->id, step);
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->events_fd >= 0)
		close(journal->events_fd);
	if (journal->dir_fd >= 0)
		close(journal->dir_fd);
	free(journal);
}
