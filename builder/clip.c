/* builder/clip.c - see builder/clip.h. */

#include "builder/clip.h"

#include <inttypes.h>
#include <string.h>

#define PIECE_MAX \
	((size_t)64 * 1024) /* what comes after another of its stream joins it up to here */

static void pass(struct clip *clip, unsigned stream, struct str bytes)
{
	if (!bytes.len)
		return;
	clip->in_line = bytes.at[bytes.len - 1] != '\n';
	clip->last_stream = stream;
	clip->passed += bytes.len;
	clip->pass(clip->self, stream, bytes);
}

static struct clip_piece *piece_at(const struct clip *clip, size_t i)
{
	return &clip->tail.at[(clip->tail.first + i) % CLIP_PIECES];
}

static void count_lost(struct clip *clip, struct str bytes)
{
	clip->lost_bytes += bytes.len;
	for (const char *at = bytes.at; bytes.len; at++) {
		const char *newline = memchr(at, '\n', bytes.len);

		if (!newline)
			return;
		clip->lost_lines++;
		bytes.len -= (size_t)(newline + 1 - at);
		at = newline;
	}
}

static void drop_first(struct clip *clip)
{
	struct clip_piece *piece = piece_at(clip, 0);

	count_lost(clip, buf_str(&piece->bytes));
	clip->cut = piece->bytes.at[piece->bytes.len - 1] != '\n';
	clip->cut_stream = piece->stream;
	clip->tail.bytes -= piece->bytes.len;
	buf_release(&piece->bytes);
	clip->tail.first = (clip->tail.first + 1) % CLIP_PIECES;
	clip->tail.len--;
}

/* A place at the end for more of a stream. */
static struct clip_piece *last_piece(struct clip *clip, unsigned stream)
{
	struct clip_piece *last = clip->tail.len ? piece_at(clip, clip->tail.len - 1) : NULL;

	if (last && last->stream == stream && last->bytes.len < PIECE_MAX)
		return last;
	if (clip->tail.len == CLIP_PIECES)
		drop_first(clip);
	last = piece_at(clip, clip->tail.len++);
	*last = (struct clip_piece){ .stream = stream, .bytes = BUF_INIT(PIECE_MAX) };
	return last;
}

static void hold(struct clip *clip, unsigned stream, struct str bytes)
{
	if (!clip->tail.at)
		clip->tail.at = xcalloc(CLIP_PIECES, sizeof(*clip->tail.at));
	while (bytes.len) {
		struct clip_piece *piece = last_piece(clip, stream);
		const size_t room = PIECE_MAX - piece->bytes.len;
		const size_t len = bytes.len < room ? bytes.len : room;

		buf_add(&piece->bytes, bytes.at, len);
		clip->tail.bytes += len;
		bytes = (struct str){ bytes.at + len, bytes.len - len };
		while (clip->tail.bytes > CLIP_TAIL + PIECE_MAX)
			drop_first(clip);
	}
}

void clip_feed(struct clip *clip, unsigned stream, struct str bytes)
{
	const uint64_t limit = clip->limit ? clip->limit : CLIP_USUAL;
	const uint64_t room = limit - clip->passed;

	if (clip->passed < limit && bytes.len <= room) {
		pass(clip, stream, bytes);
		return;
	}
	if (clip->passed < limit) {
		pass(clip, stream, (struct str){ bytes.at, (size_t)room });
		bytes = (struct str){ bytes.at + room, bytes.len - (size_t)room };
	}
	hold(clip, stream, bytes);
}

/* The rest of a line whose beginning is lost says nothing. */
static struct str skip_rest_of_line(struct clip *clip, struct str bytes)
{
	const char *newline = memchr(bytes.at, '\n', bytes.len);
	struct str rest = bytes;

	if (!newline)
		return bytes;
	str_cut(&rest, '\n');
	count_lost(clip, (struct str){ bytes.at, (size_t)(newline + 1 - bytes.at) });
	return rest;
}

static void say_what_is_lost(struct clip *clip, unsigned stream)
{
	AUTO(buf) struct buf text = BUF_INIT((size_t)256);

	if (clip->in_line)
		pass(clip, clip->last_stream, str_of("\n"));
	buf_addf(&text, "[%" PRIu64 " lines (%" PRIu64 " bytes) of output were dropped here]\n",
		 clip->lost_lines, clip->lost_bytes);
	pass(clip, stream, buf_str(&text));
}

void clip_end(struct clip *clip)
{
	for (size_t i = 0; i < clip->tail.len; i++) {
		struct clip_piece *piece = piece_at(clip, i);
		struct str bytes = buf_str(&piece->bytes);

		if (i == 0 && clip->lost_bytes) {
			if (clip->cut && clip->cut_stream == piece->stream)
				bytes = skip_rest_of_line(clip, bytes);
			say_what_is_lost(clip, piece->stream);
		}
		pass(clip, piece->stream, bytes);
	}
	clip_release(clip);
}

void clip_release(struct clip *clip)
{
	while (clip->tail.len)
		drop_first(clip);
	free(clip->tail.at);
	clip->tail.at = NULL;
}
