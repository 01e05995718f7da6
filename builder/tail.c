/* builder/tail.c - see builder/tail.h. */

#include "builder/tail.h"

void tail_add(struct tail *tail, struct str line)
{
	struct buf *buf = &tail->lines[tail->count++ % TAIL_LINES];
	size_t skipped = line.len > TAIL_BYTES ? line.len - TAIL_BYTES : 0;

	buf->max = TAIL_BYTES;
	buf_reset(buf);
	buf_add(buf, line.at + skipped, line.len - skipped);
}

static void hear(void *self, const struct build_event *event)
{
	if (event->kind == EVENT_STEP_LOG)
		tail_add(self, event->bytes);
}

struct build_events tail_listener(struct tail *tail)
{
	return (struct build_events){ .emit = hear, .self = tail };
}

static const struct buf *line_at(const struct tail *tail, size_t i)
{
	return &tail->lines[i % TAIL_LINES];
}

char *tail_text(const struct tail *tail)
{
	size_t first = tail->count > TAIL_LINES ? tail->count - TAIL_LINES : 0;
	size_t end = tail->count, from, bytes = 0;
	AUTO(buf) struct buf text = BUF_INIT(TAIL_BYTES + TAIL_LINES);

	while (end > first && line_at(tail, end - 1)->len == 0)
		end--;
	if (end == first)
		return NULL;
	for (from = end; from > first; from--) {
		bytes += line_at(tail, from - 1)->len;
		if (bytes > TAIL_BYTES)
			break;
	}
	for (size_t i = from; i < end; i++) {
		if (i > from)
			buf_addc(&text, '\n');
		buf_add_str(&text, buf_str(line_at(tail, i)));
	}
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] == '\0') /* which would end the text */
			text.at[i] = ' ';
	return buf_steal(&text);
}

void tail_release(struct tail *tail)
{
	for (size_t i = 0; i < TAIL_LINES; i++)
		buf_release(&tail->lines[i]);
	tail->count = 0;
}
