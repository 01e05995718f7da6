/* store/index.c - see store/index-private.h. */

#include "store/index-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/log.h"
#include "base/vec.h"
#include "store/image.h"
#include "store/ref-private.h"
#include "store/store-private.h"

#define HEADER "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":["
#define FOOTER "]}"
#define NAME_KEY "\"org.opencontainers.image.ref.name\":"
#define ENTRY_END "}}"
#define SEAL_SIZE 256 /* of what lock/index remembers; fixed, so that it is replaced in one write */

/* ---- names ---- */

static const char *const prefixes[] = { "docker.io/library/", "docker.io/" };

const char *index_familiar(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_starts(str_of(name), prefixes[i]) && name[strlen(prefixes[i])])
			return name + strlen(prefixes[i]);
	return name;
}

/* ---- the whole text ---- */

/* A ref under the name by which it is listed. */
struct entry {
	const char *name;      /* borrowed from `ref` */
	const struct ref *ref; /* borrowed */
};

static int compare(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : strcmp(left->ref->name, right->ref->name);
}

/* Append a JSON string. The names that refs have are UTF-8 without control characters. */
static void add_string(struct buf *buf, const char *text)
{
	buf_addc(buf, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_addc(buf, '\\');
		buf_addc(buf, *text);
	}
	buf_addc(buf, '"');
}

static void add_entry(struct buf *buf, const char *name, const struct descriptor *target)
{
	char digest[DIGEST_TEXT_SIZE];

	buf_adds(buf, "{\"mediaType\":");
	add_string(buf, target->media_type);
	buf_addf(buf, ",\"digest\":\"%s\",\"size\":%ju,\"annotations\":{" NAME_KEY,
		 digest_format(&target->digest, digest), (uintmax_t)target->size);
	add_string(buf, name);
	buf_adds(buf, ENTRY_END);
}

/* Every ref under its familiar name, or under its full one where that is taken, in order. */
static void list_entries(const struct ref_list *refs, struct entry *entries)
{
	const char *before = "";

	for (size_t i = 0; i < refs->len; i++)
		entries[i] = (struct entry){ index_familiar(refs->at[i].name), &refs->at[i] };
	qsort(entries, refs->len, sizeof(*entries), compare);
	for (size_t i = 0; i < refs->len; i++) {
		bool taken = strcmp(entries[i].name, before) == 0;

		before = entries[i].name;
		if (taken)
			entries[i].name = entries[i].ref->name;
	}
	qsort(entries, refs->len, sizeof(*entries), compare);
}

void index_format(const struct ref_list *refs, struct buf *buf)
{
	AUTO(mem) struct entry *entries = xcalloc(refs->len, sizeof(*entries));

	list_entries(refs, entries);
	buf_adds(buf, HEADER);
	for (size_t i = 0; i < refs->len; i++) {
		buf_adds(buf, i ? ",\n" : "\n");
		add_entry(buf, entries[i].name, &entries[i].ref->target);
	}
	buf_adds(buf, FOOTER "\n");
}

/* ---- one change ---- */

/* Compare the name in an entry, as JSON spells it, with a name: as strcmp(). */
static int compare_spelled(struct str spelled, const char *name)
{
	size_t i = 0;

	for (; i < spelled.len; i++, name++) {
		if (spelled.at[i] == '\\')
			i++;
		if (i == spelled.len || spelled.at[i] != *name)
			break;
	}
	return (i < spelled.len ? (unsigned char)spelled.at[i] : 0) - (unsigned char)*name;
}

/* The name in an entry, as JSON spells it: what stands last, between quotes. */
static bool spelled_name(struct str entry, struct str *ret)
{
	const char *key =
		entry.len ? memmem(entry.at, entry.len, NAME_KEY, sizeof(NAME_KEY) - 1) : NULL;
	const size_t quote = 1, end = sizeof("\"" ENTRY_END) - 1;
	struct str rest;

	if (!key)
		return false;
	key += sizeof(NAME_KEY) - 1;
	rest = (struct str){ key, entry.len - (size_t)(key - entry.at) };
	if (rest.len < quote + end || rest.at[0] != '"' || !str_ends(rest, "\"" ENTRY_END))
		return false;
	*ret = (struct str){ rest.at + quote, rest.len - quote - end };
	return true;
}

/* What stands between header and footer: lines of entries, each but the last with a comma. */
static bool cut_frame(struct str text, struct str *ret_lines)
{
	const size_t head = sizeof(HEADER) - 1, foot = sizeof(FOOTER "\n") - 1;
	struct str lines = { text.at + head, text.len - head - foot };

	if (text.len < head + foot || !str_starts(text, HEADER) || !str_ends(text, FOOTER "\n"))
		return false;
	if (lines.len && lines.at[0] != '\n')
		return false;
	*ret_lines = lines.len ? (struct str){ lines.at + 1, lines.len - 1 } : lines;
	return true;
}

/* The next entry without its comma; false if that is missing. */
static bool cut_entry(struct str *lines, struct str *ret)
{
	struct str entry = str_cut(lines, '\n');
	bool comma = str_ends(entry, ",");

	*ret = (struct str){ entry.at, entry.len - comma };
	return comma == (lines->len > 0);
}

static void begin_entry(struct buf *buf, bool *first)
{
	buf_adds(buf, *first ? "\n" : ",\n");
	*first = false;
}

bool index_splice(struct str text, const char *name, const struct descriptor *target,
		  struct buf *after)
{
	bool first = true;
	bool pending = target != NULL;
	struct str lines, entry;

	if (!cut_frame(text, &lines))
		return false;
	buf_adds(after, HEADER);
	while (lines.len || pending) {
		bool more = lines.len > 0;
		struct str spelled = { NULL, 0 };
		int order = 1; /* behind the last entry */

		if (more && (!cut_entry(&lines, &entry) || !spelled_name(entry, &spelled)))
			return false;
		if (more)
			order = compare_spelled(spelled, name);
		if (order >= 0 && pending) {
			begin_entry(after, &first);
			add_entry(after, name, target);
			pending = false;
		}
		if (more && order != 0) {
			begin_entry(after, &first);
			buf_add_str(after, entry);
		}
	}
	buf_adds(after, FOOTER "\n");
	return true;
}

/* ---- the file ---- */

/* The list with `name` pointing at `target`, or without it if `target` is NULL. */
static void change_list(struct ref_list *list, const char *name, const struct descriptor *target)
{
	size_t i = 0;

	while (i < list->len && strcmp(list->at[i].name, name) != 0)
		i++;
	if (target && i == list->len)
		vec_push(list, (struct ref){ .name = xstrdup(name) });
	if (target) {
		list->at[i].target = *target;
	} else if (i < list->len) {
		free(list->at[i].name);
		list->at[i] = list->at[--list->len];
	}
}

/* The text of all refs, of which one (if `name` is not NULL) is about to change. */
static struct err *render_anew(struct store *store, const char *name,
			       const struct descriptor *target, struct buf *text, bool *ret_whole)
{
	AUTO(ref_list) struct ref_list list = { 0 };

	TRY(ref_list(store, &list));
	*ret_whole = !list.partial;
	if (name)
		change_list(&list, name, target);
	index_format(&list, text);
	return NULL;
}

/* What tells whether index.json or refs/ changed since. All zero if it cannot be told. */
static void take_seal(struct store *store, char ret[static SEAL_SIZE])
{
	struct stat index, refs;

	memset(ret, 0, SEAL_SIZE);
	if (fstatat(store->root_fd, "index.json", &index, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(store->root_fd, "refs", &refs, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	snprintf(ret, SEAL_SIZE,
		 "index %ju %ju %jd.%09ld %jd.%09ld refs %ju %ju %jd.%09ld %jd.%09ld boot %s\n",
		 (uintmax_t)index.st_ino, (uintmax_t)index.st_size, (intmax_t)index.st_mtim.tv_sec,
		 index.st_mtim.tv_nsec, (intmax_t)index.st_ctim.tv_sec, index.st_ctim.tv_nsec,
		 (uintmax_t)refs.st_ino, (uintmax_t)refs.st_size, (intmax_t)refs.st_mtim.tv_sec,
		 refs.st_mtim.tv_nsec, (intmax_t)refs.st_ctim.tv_sec, refs.st_ctim.tv_nsec,
		 store->boot_id);
}

/* `fd` is lock/index. */
static bool matches_seal(struct store *store, int fd)
{
	char now[SEAL_SIZE], then[SEAL_SIZE];

	take_seal(store, now);
	return now[0] && pread(fd, then, sizeof(then), 0) == (ssize_t)sizeof(then) &&
	       memcmp(now, then, sizeof(now)) == 0;
}

bool index_is_settled(struct store *store)
{
	AUTO(fd) int fd = -1;

	err_free(store_open_record(store, "lock/index", &fd)); /* then it cannot be told */
	return fd >= 0 && matches_seal(store, fd);
}

void index_settle(struct store *store, const struct lock *held)
{
	char now[SEAL_SIZE];

	take_seal(store, now);
	/* If this fails the view is made anew next time. */
	if (pwrite(held->fd, now, sizeof(now), 0) < 0)
		log_debug("lock/index: %s", strerror(errno));
}

/* Whether another ref has the same familiar name, or may get it. */
static struct err *has_twin(struct store *store, const char *name, bool *ret)
{
	const char *familiar = index_familiar(name);

	*ret = false;
	for (size_t i = 0; i <= ARRAY_SIZE(prefixes); i++) {
		const char *prefix = i < ARRAY_SIZE(prefixes) ? prefixes[i] : "";
		AUTO(mem) char *twin = xasprintf("%s%s", prefix, familiar);
		char path[REF_PATH_SIZE];

		if (strcmp(twin, name) == 0 || strlen(twin) > REF_NAME_MAX)
			continue;
		TRY(ref_path(twin, path));
		*ret = *ret || !store_is_gone(store, path);
	}
	return NULL;
}

/* The text after one change, if it can be had without reading all refs. */
static struct err *try_splice(struct store *store, const struct lock *held, const char *name,
			      const struct descriptor *target, struct buf *after, bool *ret_done)
{
	AUTO(buf) struct buf before = BUF_INIT(INDEX_MAX);
	bool found = false, twin = false;

	*ret_done = false;
	if (!matches_seal(store, held->fd))
		return NULL;
	TRY(has_twin(store, name, &twin));
	if (twin)
		return NULL;
	TRY(store_read(store, "index.json", INDEX_MAX, &before, &found));
	*ret_done = found && index_splice(buf_str(&before), index_familiar(name), target, after);
	return NULL;
}

static struct err *write_view(struct store *store, const struct buf *text)
{
	TRY(buf_check(text, "index.json"));
	return store_write(store, "index.json", buf_str(text), 0644, FILE_DURABLE);
}

struct err *index_render(struct store *store, const struct lock *held, const char *name,
			 const struct descriptor *target, struct buf *text, bool *ret_whole)
{
	bool done = false;

	*ret_whole = true;

	TRY(try_splice(store, held, name, target, text, &done));
	if (!done) {
		buf_reset(text);
		TRY(render_anew(store, name, target, text, ret_whole));
	}
	return write_view(store, text);
}

struct err *index_renew(struct store *store)
{
	AUTO(buf) struct buf text = BUF_INIT(INDEX_MAX);
	bool whole;

	TRY(render_anew(store, NULL, NULL, &text, &whole));
	return write_view(store, &text);
}
