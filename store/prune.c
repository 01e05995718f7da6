/*
 * store/prune.c - see store/prune.h.
 *
 * Three passes. Without any lock the graph of the store is read, and it is chosen what
 * goes. Then, in windows of the exclusive prune lock, holders are taken out of view,
 * and after them the objects that nobody keeps any more. Every window begins with
 * what has changed since: what was used or is used now stays. Most of that is read
 * just before the lock is asked for, so that windows are short; between two of them
 * everybody else gets the lock.
 *
 * Whatever goes is one rename to the trash, so a prune that dies anywhere has only
 * deleted less: a holder may have gone before its objects, never the other way round.
 */

#include "store/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/lock.h"
#include "store/cache_dir.h"
#include "store/failed.h"
#include "store/graph-private.h"
#include "store/journal.h"
#include "store/record-private.h"
#include "store/store-private.h"

#define WINDOW_NS ((uint64_t)6 * 1000 * 1000) /* of work in one hold of the lock */
#define LIMIT_MAX 64

struct prune {
	struct store *store;
	const struct prune_opts *opts;
	struct graph graph;
	struct prune_report report;

	uint32_t *order; /* owned: of objects, see graph_order() */
	size_t ordered;

	struct lock lock; /* of the window */
	uint64_t began;
	size_t next; /* where the next window goes on */
};

static inline void prune_auto_(struct prune *prune)
{
	lock_release(&prune->lock);
	free(prune->order);
	graph_release(&prune->graph);
}

const char *holder_kind_name(enum holder_kind kind)
{
	static const char *const names[HOLDER_KINDS] = {
		[HOLDER_NAME] = "name",       [HOLDER_IMAGE] = "image",
		[HOLDER_STEP] = "step",       [HOLDER_WEB] = "web",
		[HOLDER_MOUNT] = "mount",     [HOLDER_GIT] = "git",
		[HOLDER_CONTEXT] = "context", [HOLDER_LOG] = "log",
		[HOLDER_PARTIAL] = "partial", [HOLDER_HINT] = "hint",
		[HOLDER_FAILED] = "failed",
	};

	return names[kind];
}

/* ---- choosing ---- */

static bool may_go(const struct prune *prune, const struct holder *holder)
{
	const uint64_t now = (uint64_t)clock_now().tv_sec;
	const uint64_t used = (uint64_t)holder->used.tv_sec;

	if (holder->dropped || holder->kind == HOLDER_NAME ||
	    !(prune->opts->kinds >> holder->kind & 1))
		return false;
	if (holder->kind == HOLDER_IMAGE && graph_is_named(&prune->graph, holder))
		return false;
	return !prune->opts->unused || used + prune->opts->unused <= now;
}

/* As if some holders were gone: how many keep each object, and what the store takes. */
struct projection {
	uint32_t *holders; /* owned, one for each object */
	uint64_t total;
};

static inline void projection_auto_(struct projection *projection)
{
	free(projection->holders);
}

static void project(const struct graph *graph, struct projection *p)
{
	p->holders = xcalloc(graph->objects.len + 1, sizeof(*p->holders));
	for (size_t i = 0; i < graph->objects.len; i++) {
		const struct object *object = &graph->objects.at[i];

		p->holders[i] = object->holders;
		if (graph_object_goes(graph, object))
			p->total -= object->bytes;
	}
}

static void project_without(const struct graph *graph, const struct holder *holder,
			    struct projection *p)
{
	p->total -= holder->bytes;
	vec_foreach (&holder->objects, index)
		if (!--p->holders[*index] &&
		    !graph_object_in_use(graph, &graph->objects.at[*index]))
			p->total -= graph->objects.at[*index].bytes;
}

static int compare_use(const void *a, const void *b)
{
	const struct timespec *left = &(*(struct holder *const *)a)->used;
	const struct timespec *right = &(*(struct holder *const *)b)->used;

	if (left->tv_sec != right->tv_sec)
		return left->tv_sec < right->tv_sec ? -1 : 1;
	return (left->tv_nsec > right->tv_nsec) - (left->tv_nsec < right->tv_nsec);
}

/* Choose, the one that was used longest ago first, until the store is small enough. */
static void choose(struct prune *prune, uint64_t rubbish)
{
	AUTO(projection) struct projection p = { .total = prune->report.before - rubbish };
	AUTO(mem) struct holder **order = xcalloc(prune->graph.holders.len + 1, sizeof(*order));
	size_t count = 0;

	project(&prune->graph, &p);
	vec_foreach (&prune->graph.holders, holder)
		if (may_go(prune, holder) && !graph_holder_in_use(&prune->graph, holder))
			order[count++] = holder;
	qsort(order, count, sizeof(*order), compare_use);
	for (size_t i = 0; i < count; i++) {
		if (prune->opts->max_bytes != PRUNE_NO_LIMIT && p.total <= prune->opts->max_bytes)
			break;
		order[i]->chosen = true;
		project_without(&prune->graph, order[i], &p);
	}
	prune->report.after = p.total;
}

/* ---- windows ---- */

static struct err *window_open(struct prune *prune)
{
	TRY(graph_prepare(&prune->graph));
	lease_let_go(prune->store);
	TRY(lock_file(prune->store->root_fd, "lock/prune", LOCK_EXCLUSIVE, &prune->lock));
	prune->began = clock_monotonic();
	return graph_refresh(&prune->graph);
}

static void window_close(struct prune *prune)
{
	const uint64_t held = clock_monotonic() - prune->began;

	lock_release(&prune->lock);
	if (held > prune->report.held_ns)
		prune->report.held_ns = held;
}

static bool window_is_over(const struct prune *prune)
{
	return clock_monotonic() - prune->began >= WINDOW_NS;
}

/* Call `work` for the index `prune->next` and on, in as many windows as it takes. */
static struct err *in_windows(struct prune *prune, const size_t *count,
			      struct err *(*work)(struct prune *prune, size_t index))
{
	prune->next = 0;
	while (prune->next < *count) {
		struct err *err = window_open(prune);

		do
			if (!err)
				err = work(prune, prune->next++);
		while (!err && prune->next < *count && !window_is_over(prune));
		window_close(prune);
		TRY(err);
	}
	return NULL;
}

static void tally(struct prune_count *count, uint64_t bytes)
{
	count->count++;
	count->bytes += bytes;
}

/* ---- holders ---- */

/* Whether it is still the one that was read, not used since. */
static bool is_unchanged(const struct prune *prune, const struct holder *holder)
{
	struct stat st;

	return fstatat(prune->store->root_fd, holder->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_ino == holder->inode && st.st_mtim.tv_sec == holder->used.tv_sec &&
	       st.st_mtim.tv_nsec == holder->used.tv_nsec;
}

static bool is_busy(void *self)
{
	(void)self;
	return true;
}

/* Of what is made under the lock of its digest. Nobody waits: `*ret_held` false is in use. */
static struct err *try_single(struct prune *prune, const char *path, struct lock *lock,
			      bool *ret_held)
{
	AUTO(mem) char *text = xasprintf("sha256:%.64s", strrchr(path, '/') + 1);
	const struct lock_wait wait = { .stopped = is_busy };
	struct digest digest;
	struct err *err = digest_parse(text, &digest);

	*ret_held = true;
	if (err) {
		err_free(err); /* a stray file, which nobody locks */
		return NULL;
	}
	err = store_single(prune->store, &digest, &wait, lock);
	*ret_held = !err;
	if (err_kind(err) != ERR_CANCELLED)
		return err;
	err_free(err);
	return NULL;
}

static struct err *drop(struct prune *prune, struct holder *holder, bool *ret_gone)
{
	const char *name = strrchr(holder->path, '/') + 1;
	AUTO(lock) struct lock single = LOCK_INIT;

	*ret_gone = true;
	switch (holder->kind) {
	case HOLDER_MOUNT:
		return cache_dir_drop(prune->store, name, ret_gone);
	case HOLDER_LOG:
		return journal_drop(prune->store, name, ret_gone);
	case HOLDER_FAILED:
		return failed_drop(prune->store, name, ret_gone);
	case HOLDER_GIT:
	case HOLDER_PARTIAL:
		TRY(try_single(prune, holder->path, &single, ret_gone));
		break;
	default:
		break;
	}
	return *ret_gone ? trash_put(prune->store, prune->store->root_fd, holder->path) : NULL;
}

static struct err *drop_if_chosen(struct prune *prune, size_t index)
{
	struct holder *holder = &prune->graph.holders.at[index];
	bool gone = false;

	if (!holder->chosen || holder->dropped)
		return NULL;
	if (store_is_gone(prune->store, holder->path)) { /* somebody else has deleted it */
		graph_drop(&prune->graph, holder);
		return NULL;
	}
	if (is_unchanged(prune, holder) && may_go(prune, holder) &&
	    !graph_holder_in_use(&prune->graph, holder))
		TRY(drop(prune, holder, &gone));
	if (!gone) {
		prune->report.in_use++;
		return NULL;
	}
	graph_drop(&prune->graph, holder);
	tally(&prune->report.holders[holder->kind], holder->bytes);
	return NULL;
}

/* ---- objects ---- */

static void object_path(const struct object *object, char buf[static STORE_PATH_SIZE])
{
	snprintf(buf, STORE_PATH_SIZE, "%s/%s",
		 object->kind == OBJECT_LAYER ? "layers" : "blobs/sha256", object->name);
}

static struct err *drop_if_unheld(struct prune *prune, size_t index)
{
	struct object *object = &prune->graph.objects.at[prune->order[index]];
	char path[STORE_PATH_SIZE];

	if (!graph_object_goes(&prune->graph, object))
		return NULL;
	object_path(object, path);
	TRY(trash_put(prune->store, prune->store->root_fd, path));
	object->gone = true;
	tally(object->kind == OBJECT_LAYER ? &prune->report.layers : &prune->report.blobs,
	      object->bytes);
	return NULL;
}

static struct err *drop_objects(struct prune *prune)
{
	TRY(graph_read_rest(&prune->graph));
	prune->ordered = prune->graph.objects.len;
	prune->order = xcalloc(prune->ordered + 1, sizeof(*prune->order));
	graph_order(&prune->graph, prune->order);
	return in_windows(prune, &prune->ordered, drop_if_unheld);
}

/* ---- links that lead nowhere ---- */

/* Links are made only where what they lead to is held by the prune lock, shared. */
static struct err *remove_loose_links(struct prune *prune)
{
	AUTO(graph_links) struct graph_links links = { 0 };

	TRY(graph_find_loose(&prune->graph, &links));
	if (!links.len)
		return NULL;
	TRY(window_open(prune));
	vec_foreach (&links, link)
		if (graph_link_is_loose(&prune->graph, link->path))
			(void)unlinkat(prune->store->root_fd, link->path, 0);
	window_close(prune);
	return NULL;
}

/* ---- all of it ---- */

static struct err *measure_store(struct store *store, uint64_t *ret)
{
	AUTO(usage) struct usage usage = { 0 };

	*ret = 0;
	return usage_add(&usage, store->root_fd, ".", ret);
}

/* Who lives, for the choice. A store that cannot be written can be looked at. */
static struct err *learn_who_lives(struct prune *prune)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	struct err *err;

	if (prune->opts->dry_run) {
		TRY(store_hold(prune->store, &hold));
		return graph_refresh(&prune->graph);
	}
	err = window_open(prune);
	window_close(prune);
	return err;
}

static struct err *look(struct prune *prune)
{
	uint64_t rubbish = 0;

	TRY(measure_store(prune->store, &prune->report.before));
	if (!prune->opts->dry_run)
		TRY(lease_sweep(prune->store));
	TRY(graph_load(prune->store, &prune->graph));
	TRY(graph_measure(&prune->graph));
	TRY(learn_who_lives(prune));
	TRY(graph_rubbish(&prune->graph, &rubbish));
	choose(prune, rubbish);
	return NULL;
}

static struct err *pretend(struct prune *prune)
{
	AUTO(graph_links) struct graph_links links = { 0 };
	struct graph *graph = &prune->graph;

	vec_foreach (&graph->holders, holder)
		if (holder->chosen) {
			graph_drop(graph, holder);
			tally(&prune->report.holders[holder->kind], holder->bytes);
		}
	vec_foreach (&graph->objects, object)
		if (graph_object_goes(graph, object))
			tally(object->kind == OBJECT_LAYER ? &prune->report.layers :
							     &prune->report.blobs,
			      object->bytes);
	TRY(graph_find_loose(graph, &links));
	vec_foreach (&links, link)
		if (!graph_is_dropped(graph, link->path)) /* those are counted already */
			prune->report.after -= link->bytes;
	return NULL;
}

static struct err *take(struct prune *prune)
{
	TRY(in_windows(prune, &prune->graph.holders.len, drop_if_chosen));
	TRY(drop_objects(prune));
	TRY(remove_loose_links(prune));
	trash_drain(prune->store, UINT64_MAX);
	return measure_store(prune->store, &prune->report.after);
}

struct err *prune_run(struct store *store, const struct prune_opts *opts, struct prune_report *ret)
{
	AUTO(prune)
	struct prune prune = { .store = store, .opts = opts, .lock = LOCK_INIT };

	TRY(look(&prune));
	TRY(opts->dry_run ? pretend(&prune) : take(&prune));
	*ret = prune.report;
	return NULL;
}

/* ---- the limit ---- */

struct err *prune_set_limit(struct store *store, uint64_t bytes)
{
	AUTO(mem) char *text = xasprintf("%ju\n", (uintmax_t)bytes);

	if (bytes != PRUNE_NO_LIMIT)
		TRY(store_write(store, "limit", str_of(text), 0600, FILE_DURABLE));
	else if (unlinkat(store->root_fd, "limit", 0) < 0 && errno != ENOENT)
		return err_sys("delete the limit");
	return store_sync_dir(store, ".");
}

static struct err *read_limit(struct store *store, uint64_t *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(LIMIT_MAX);
	AUTO(err) struct err *err = NULL;
	bool found;

	*ret = PRUNE_NO_LIMIT;
	TRY(store_read(store, "limit", LIMIT_MAX - 1, &text, &found));
	if (!found)
		return NULL;
	err = record_parse_number(str_trim(buf_str(&text)), ret);
	if (err)
		return err_new(ERR_CORRUPT,
			       "%s/limit is no number of bytes: set it again, with "
			       "cairn prune --limit",
			       store_path(store));
	return NULL;
}

struct err *prune_keep_limit(struct store *store, bool *ret_pruned, struct prune_report *ret)
{
	struct prune_opts opts = { .kinds = ~0U };
	uint64_t now;

	*ret_pruned = false;
	if (atomic_load(&store->tmp_fd) < 0)
		return NULL;
	TRY(read_limit(store, &opts.max_bytes));
	if (opts.max_bytes == PRUNE_NO_LIMIT)
		return NULL;
	TRY(measure_store(store, &now));
	if (now <= opts.max_bytes)
		return NULL;
	*ret_pruned = true;
	return prune_run(store, &opts, ret);
}
