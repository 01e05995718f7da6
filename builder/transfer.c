/* builder/transfer.c - see builder/transfer.h. */

#include "builder/transfer.h"

#include "base/clock.h"
#include "base/err.h"
#include "builder/events.h"

#define PERIOD ((uint64_t)100 * 1000000) /* nanoseconds between two events of progress */

static struct build_event event_of(struct transfer *transfer, enum build_event_kind kind)
{
	return (struct build_event){
		.kind = kind,
		.transfer = transfer->number,
		.verb = transfer->verb,
		.name = transfer->name,
		.done = atomic_load(&transfer->done),
		.total = atomic_load(&transfer->total),
	};
}

static void add_blob(void *self, uint64_t id, const char *what, uint64_t total)
{
	struct transfer *transfer = self;

	(void)id;
	(void)what;
	atomic_fetch_add(&transfer->total, total);
}

static void advance(void *self, uint64_t id, uint64_t n)
{
	struct transfer *transfer = self;
	unsigned long long told = atomic_load(&transfer->told);
	uint64_t now = clock_monotonic();
	struct build_event event;

	(void)id;
	atomic_fetch_add(&transfer->done, n);
	if (now - told < PERIOD || !atomic_compare_exchange_strong(&transfer->told, &told, now))
		return;
	event = event_of(transfer, EVENT_TRANSFER_PROGRESS);
	events_emit(transfer->events, &event);
}

static void end_blob(void *self, uint64_t id, bool ok)
{
	(void)self;
	(void)id;
	(void)ok;
}

void transfer_begin(struct transfer *transfer, const struct build_events *events, unsigned number,
		    const char *verb, const char *name)
{
	static const struct progress_ops ops = { add_blob, advance, end_blob };
	struct build_event event;

	*transfer = (struct transfer){ .events = events,
				       .verb = verb,
				       .name = name,
				       .number = number,
				       .began = clock_monotonic(),
				       .progress = { .ops = &ops, .self = transfer } };
	atomic_store(&transfer->told, transfer->began);
	event = event_of(transfer, EVENT_TRANSFER_BEGIN);
	events_emit(events, &event);
}

void transfer_end(struct transfer *transfer, const struct err *err, bool moved)
{
	struct build_event event = event_of(transfer, EVENT_TRANSFER_END);

	event.status = err_kind(err) == ERR_CANCELLED ? BUILD_CANCELLED :
		       err                            ? BUILD_FAILED :
		       moved                          ? BUILD_DONE :
							BUILD_CACHED;
	event.duration = clock_monotonic() - transfer->began;
	event.text = err ? err_text(err) : NULL;
	events_emit(transfer->events, &event);
}
