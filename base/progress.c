/* base/progress.c - see base/progress.h. */

#include "base/progress.h"

#include <stdatomic.h>

#include "base/stream.h"

uint64_t progress_begin(struct progress *progress, const char *what, uint64_t total)
{
	uint64_t id;

	if (!progress)
		return 0;
	id = atomic_fetch_add(&progress->last, 1) + 1;
	progress->ops->begin(progress->self, id, what, total);
	return id;
}

void progress_advance(struct progress *progress, uint64_t id, uint64_t n)
{
	if (progress)
		progress->ops->advance(progress->self, id, n);
}

void progress_end(struct progress *progress, uint64_t id, bool ok)
{
	if (progress)
		progress->ops->end(progress->self, id, ok);
}

struct watched {
	struct progress *progress;
	uint64_t id;
	struct source *inner; /* owned */
	uint64_t unsaid;      /* bytes read since the last advance */
};

static void say(struct watched *w)
{
	if (w->unsaid > 0)
		progress_advance(w->progress, w->id, w->unsaid);
	w->unsaid = 0;
}

static size_t watched_read(void *self, void *data, size_t len, struct err **err)
{
	struct watched *w = self;
	size_t n = source_read(w->inner, data, len);

	w->unsaid += n;
	if (n == 0)
		*err = source_check(w->inner);
	if (n == 0 || w->unsaid >= STREAM_CHUNK)
		say(w);
	return n;
}

static void watched_free(void *self)
{
	struct watched *w = self;

	say(w); /* of a source that was not read to its end */
	source_free(w->inner);
	free(w);
}

struct source *progress_source(struct progress *progress, uint64_t id, struct source *inner)
{
	static const struct source_ops ops = { watched_read, watched_free };
	struct watched *w;

	if (!progress)
		return inner;
	w = xcalloc(1, sizeof(*w));
	*w = (struct watched){ .progress = progress, .id = id, .inner = inner };
	return source_new(&ops, w);
}
