/*
 * tests/fuzz/fuzz_untar.c - whatever is read can be written and read again.
 *
 * Any bytes are an archive. Reading them ends in time and memory; content has
 * the size that was announced; and an entry that the canonical writer can
 * express comes back from it as it was. The mutator mends checksums, or nearly
 * no mutation would get past them.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/stream.h"
#include "base/untar.h"
#include "base/ustar.h"

#define CONTENT_MAX ((uint64_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_entry(const struct tar_entry *a, const struct tar_entry *b)
{
	for (size_t i = 0; i < a->xattr_count && i < b->xattr_count; i++) {
		if (!same_text(a->xattrs[i].name, b->xattrs[i].name) ||
		    !str_equal(a->xattrs[i].value, b->xattrs[i].value))
			return false;
	}
	return a->type == b->type && same_text(a->path, b->path) && same_text(a->link, b->link) &&
	       a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->size == b->size &&
	       a->mtime == b->mtime && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor && a->xattr_count == b->xattr_count;
}

/* What holds for every entry. */
static void check_entry(const struct tar_entry *entry)
{
	bool is_link = entry->type == TAR_HARDLINK || entry->type == TAR_SYMLINK;

	check(entry->path[0] != '\0' && strlen(entry->path) <= TAR_PATH_MAX);
	check(is_link == (entry->link != NULL));
	check(!is_link || (entry->link[0] != '\0' && strlen(entry->link) <= TAR_PATH_MAX));
	check(entry->mode <= 07777 && entry->uid < UINT32_MAX && entry->gid < UINT32_MAX);
	check(entry->size <= (entry->type == TAR_FILE ? CONTENT_MAX : 0));
	for (size_t i = 1; i < entry->xattr_count; i++)
		check(strcmp(entry->xattrs[i - 1].name, entry->xattrs[i].name) < 0);
}

static void check_round_trip(const struct tar_entry *entry)
{
	AUTO(buf) struct buf text = BUF_INIT(TAR_HEADER_MAX);
	AUTO(err) struct err *err = tar_encode_header(entry, &text);
	AUTO(source) struct source *src = NULL;
	AUTO(tar_reader) struct tar_reader *tar = NULL;
	const struct tar_entry *again = NULL;

	if (err)
		return;
	check(text.len % TAR_BLOCK_SIZE == 0);
	src = source_from_memory(text.at, text.len);
	tar = tar_reader_new(src, NULL);
	err = tar_reader_next(tar, &again);
	check(!err && again && same_entry(entry, again));
}

/* Read the content, or half of it, or none. */
static void check_content(struct tar_reader *tar, const struct tar_entry *entry)
{
	static char chunk[5000];
	uint64_t want = entry->uid % 3 * entry->size / 2;
	uint64_t total = 0;
	size_t got = 1;

	while (total < want && got > 0) {
		got = source_read(tar_reader_content(tar), chunk, sizeof(chunk));
		total += got;
	}
	check(total <= entry->size);
	if (got == 0) {
		AUTO(err) struct err *err = source_check(tar_reader_content(tar));

		check(err || total == entry->size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct tar_limits limits = { .entries = 1000, .bytes = CONTENT_MAX };
	AUTO(source) struct source *src = source_from_memory(data, size);
	AUTO(tar_reader) struct tar_reader *tar = tar_reader_new(src, &limits);
	const struct tar_entry *entry = NULL;

	for (;;) {
		AUTO(err) struct err *err = tar_reader_next(tar, &entry);

		if (err) {
			AUTO(err) struct err *same = tar_reader_next(tar, &entry);

			check(strcmp(err_text(err), err_text(same)) == 0);
			return 0;
		}
		if (!entry)
			return 0;
		check_entry(entry);
		check_round_trip(entry);
		check_content(tar, entry);
	}
}

/* Mutate, then make most blocks that look like headers whole. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	size = LLVMFuzzerMutate(data, size, max);
	for (size_t at = 0; at + sizeof(struct ustar) <= size; at += sizeof(struct ustar)) {
		struct ustar *block = (struct ustar *)(data + at);

		if (memcmp(block->magic, "usta", 4) == 0 && (seed + at / 512) % 32 != 0)
			ustar_seal(block);
	}
	return size;
}
