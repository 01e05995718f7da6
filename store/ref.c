/*
 * store/ref.c - see store/ref.h and store/ref-private.h.
 *
 * A change is made under lock/index, and the view is rendered before the ref: if
 * the process is killed between the two, the ref is still the old one, so doing
 * the same again mends the view too. If it is killed between the ref and its flush,
 * the ref is found as it should be, but the view does not count as settled, and
 * doing the same again flushes both.
 */

#include "store/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "store/blob.h"
#include "store/id.h"
#include "store/index-private.h"
#include "store/ref-private.h"
#include "store/store-private.h"

#define FILE_NAME_MAX 255

/* ---- names ---- */

static bool is_plain(const char *name, const char *c)
{
	return (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_' || *c == '-' ||
	       (*c == '.' && c != name);
}

static struct err *check_name(const char *name)
{
	struct str rest = str_of(name);

	if (rest.len == 0 || rest.len > REF_NAME_MAX)
		return err_new(ERR_INVALID, "the name of an image has 1 to %d bytes, not %zu",
			       REF_NAME_MAX, rest.len);
	while (rest.len) {
		uint32_t c = 0;
		size_t len = utf8_decode(rest, &c);

		if (!len)
			return err_new(ERR_INVALID, "the name '%.80s' of an image is not UTF-8",
				       name);
		if (c < ' ' || (c >= 0x7f && c < 0xa0))
			return err_new(ERR_INVALID,
				       "the name of an image holds a control character");
		rest = (struct str){ rest.at + len, rest.len - len };
	}
	return NULL;
}

static struct err *hashed_path(const char *name, char buf[static REF_PATH_SIZE])
{
	AUTO(hasher) struct hasher *h = hasher_new();
	char hex[STORE_PATH_SIZE];
	struct digest d;

	hasher_update(h, name, strlen(name));
	TRY(hasher_finish(h, &d));
	snprintf(buf, REF_PATH_SIZE, "refs/%%%%%.64s", store_hex_path("", &d, hex));
	return NULL;
}

struct err *ref_path(const char *name, char buf[static REF_PATH_SIZE])
{
	char *out = buf + sizeof("refs/") - 1;
	const char *end = out + FILE_NAME_MAX;

	TRY(check_name(name));
	memcpy(buf, "refs/", sizeof("refs/"));
	for (const char *c = name; *c; c++) {
		if (end - out < 3)
			return hashed_path(name, buf);
		if (is_plain(name, c))
			*out++ = *c;
		else
			out += snprintf(out, 4, "%%%02x", (unsigned char)*c);
		*out = '\0';
	}
	return NULL;
}

/* ---- the file ---- */

/* The members of a ref's document. `*ret_name` is borrowed from it. */
static struct err *parse_members(json_t *doc, struct ref *ret, const char **ret_name)
{
	const struct json_at root = json_root(doc, "ref");
	const struct json_at name = json_member(&root, "name");
	const struct json_at updated = json_member(&root, "updated");
	const char *time;

	TRY(descriptor_parse(&root, &ret->target));
	TRY(json_get_text(&name, ret_name));
	TRY(check_name(*ret_name));
	TRY(json_get_text(&updated, &time));
	return clock_parse(str_of(time), &ret->updated);
}

struct err *ref_parse(struct str text, struct ref *ret)
{
	AUTO(json) json_t *doc = NULL;
	struct ref ref = { .name = NULL };
	const char *name = NULL;

	TRY(json_parse(text, REF_MAX, "ref", &doc));
	TRY(parse_members(doc, &ref, &name));
	ref.name = xstrdup(name);
	*ret = ref;
	return NULL;
}

char *ref_format(const struct ref *ref)
{
	AUTO(json) json_t *doc = descriptor_format(&ref->target);
	AUTO(mem) char *text = NULL;
	char time[CLOCK_TEXT_SIZE];

	json_set_text(doc, "name", ref->name);
	json_set_text(doc, "updated", clock_format(ref->updated, time));
	text = json_format(doc);
	return xasprintf("%s\n", text);
}

static void ref_release(struct ref *ref)
{
	free(ref->name);
	*ref = (struct ref){ .name = NULL };
}

static inline void ref_auto_(struct ref *ref)
{
	ref_release(ref);
}

struct err *ref_read(struct store *store, const char *path, struct buf *buf, bool *ret_found)
{
	struct err *err = file_read(store->root_fd, path, REF_MAX, buf);

	*ret_found = !err;
	if (err_kind(err) != ERR_NOT_FOUND && err_kind(err) != ERR_INVALID &&
	    err_errno(err) != ELOOP && err_errno(err) != ENXIO)
		return err;
	err_free(err); /* absent, or nothing that we made */
	return NULL;
}

/* The ref in this file, if there is a good one. */
static struct err *load(struct store *store, const char *path, bool *ret_found, struct ref *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(REF_MAX);
	char own_path[REF_PATH_SIZE];
	struct err *err;
	bool found;

	*ret_found = false;
	TRY(ref_read(store, path, &text, &found));
	if (!found)
		return NULL;
	err = ref_parse(buf_str(&text), ret);
	if (!err) {
		err = ref_path(ret->name, own_path);
		if (!err && strcmp(own_path, path) == 0) {
			*ret_found = true;
			return NULL;
		}
		ref_release(ret);
	}
	log_warn("%s/%s is damaged: %s", store_path(store), path,
		 err ? err_text(err) : "it has the name of another image");
	err_free(err); /* an unreadable record is an absent record */
	return NULL;
}

static struct err *find(struct store *store, const char *name, bool *ret_found, struct ref *ret)
{
	char path[REF_PATH_SIZE];

	TRY(ref_path(name, path));
	return load(store, path, ret_found, ret);
}

static struct err *absent(const char *name)
{
	return err_new(ERR_NOT_FOUND, "no image '%.255s' in the store", index_familiar(name));
}

struct err *ref_get(struct store *store, const char *name, struct descriptor *ret)
{
	struct ref ref;
	bool found = false;

	TRY(find(store, name, &found, &ref));
	if (!found)
		return absent(name);
	*ret = ref.target;
	ref_release(&ref);
	return NULL;
}

/* ---- lists ---- */

void ref_list_release(struct ref_list *list)
{
	vec_foreach (list, ref)
		free(ref->name);
	vec_release(list);
}

static int compare_names(const void *a, const void *b)
{
	const struct ref *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* One name whose file the disk does not give back is no reason to have none of the others. */
static struct err *load_or_warn(struct store *store, const char *path, bool *ret_found,
				struct ref *ret)
{
	struct err *err = load(store, path, ret_found, ret);

	if (!store_is_lost(err))
		return err;
	log_warn("%s/%s is left out: %s", store_path(store), path, err_text(err));
	err_free(err);
	return NULL;
}

struct err *ref_list(struct store *store, struct ref_list *ret)
{
	AUTO(ref_list) struct ref_list list = { 0 };
	AUTO(strings) struct strings files = { 0 };

	TRY(file_list(store->root_fd, "refs", &files));
	vec_foreach (&files, file) {
		char path[REF_PATH_SIZE];
		struct ref ref;
		bool found = false;

		snprintf(path, sizeof(path), "refs/%s", *file);
		TRY(load_or_warn(store, path, &found, &ref));
		list.partial = list.partial || !found;
		if (found)
			vec_push(&list, ref);
	}
	if (list.len)
		qsort(list.at, list.len, sizeof(*list.at), compare_names);
	*ret = list;
	list = (struct ref_list){ 0 };
	return NULL;
}

/* ---- changes ---- */

static struct err *write_ref(struct store *store, const char *name, const struct descriptor *target)
{
	const struct ref ref = { (char *)name, *target, clock_now() };
	AUTO(mem) char *text = ref_format(&ref);
	char path[REF_PATH_SIZE];

	TRY(ref_path(name, path));
	return store_write(store, path, str_of(text), 0600, FILE_DURABLE);
}

/* A ref may only name what is there, and says its size. */
static struct err *check_target(struct store *store, const struct descriptor *target)
{
	char digest[DIGEST_TEXT_SIZE];
	uint64_t size = 0;
	bool found = false;

	digest_format(&target->digest, digest);
	TRY(blob_find(store, &target->digest, &found, &size));
	if (!found)
		return err_new(ERR_NOT_FOUND, "blob %s is not in the store", digest);
	if (size != target->size)
		return err_new(ERR_CORRUPT, "blob %s has %ju bytes, not %ju", digest,
			       (uintmax_t)size, (uintmax_t)target->size);
	if (!target->media_type[0])
		return err_new(ERR_INVALID, "the media type of %s is not known", digest);
	return NULL;
}

/* Whether the name is set already, and that is on disk. */
static struct err *is_set(struct store *store, const char *name, const struct descriptor *target,
			  bool *ret)
{
	struct ref ref = { .name = NULL };

	TRY(find(store, name, ret, &ref));
	*ret = *ret && descriptor_equal(&ref.target, target) && index_is_settled(store);
	ref_release(&ref);
	return NULL;
}

static struct err *set(struct store *store, const char *name, const struct descriptor *target)
{
	AUTO(buf) struct buf view = BUF_INIT(INDEX_MAX);
	AUTO(lock) struct lock lock = LOCK_INIT;
	bool done = false, whole = false;

	TRY(is_set(store, name, target, &done));
	if (done)
		return NULL;
	TRY(check_target(store, target));
	TRY(id_remember(store, target)); /* not flushed: it can be told from the ref */
	/* Whoever wrote the blobs, their names must be on disk before the ref. */
	TRY(store_sync_dir(store, "blobs/sha256"));
	TRY(lock_file(store->root_fd, "lock/index", LOCK_EXCLUSIVE, &lock));
	TRY(is_set(store, name, target, &done)); /* meanwhile, by another */
	if (done)
		return NULL;
	TRY(index_render(store, &lock, name, target, &view, &whole));
	TRY(write_ref(store, name, target));
	TRY(store_sync_dir(store, "refs"));
	TRY(store_sync_dir(store, "."));
	if (whole)
		index_settle(store, &lock);
	return NULL;
}

struct err *ref_set(struct store *store, const char *name, const struct descriptor *target)
{
	return err_wrap(set(store, name, target), "name an image '%.255s'", index_familiar(name));
}

/* The view without the name. On a full disk the image is deleted all the same, and the view
 * follows when there is room: `*ret_rendered` is false then, and also where a name was left out. */
static struct err *unlist(struct store *store, const struct lock *held, const char *name,
			  struct buf *view, bool *ret_rendered)
{
	struct err *err = index_render(store, held, name, NULL, view, ret_rendered);

	if (!err)
		return NULL;
	*ret_rendered = false;
	if (err_errno(err) != ENOSPC && err_errno(err) != EDQUOT)
		return err;
	log_warn("index.json still lists the image: %s", err_text(err));
	err_free(err);
	return NULL;
}

/* An image that lost its last name has no id either, or a prune would keep it. That it has another
 * name is seen in the view, without reading all refs. */
static struct err *forget_nameless(struct store *store, const struct ref *ref, struct str view)
{
	char digest[DIGEST_TEXT_SIZE];
	bool known;

	digest_format(&ref->target.digest, digest);
	if (memmem(view.at, view.len, digest, strlen(digest)))
		return NULL;
	return id_forget(store, &ref->target, &known);
}

struct err *ref_delete(struct store *store, const char *name)
{
	AUTO(buf) struct buf view = BUF_INIT(INDEX_MAX);
	AUTO(lock) struct lock lock = LOCK_INIT;
	AUTO(ref) struct ref ref = { .name = NULL };
	char path[REF_PATH_SIZE];
	bool rendered = false, readable = false;

	TRY(ref_path(name, path));
	TRY(lock_file(store->root_fd, "lock/index", LOCK_EXCLUSIVE, &lock));
	if (store_is_gone(store, path))
		return absent(name);
	TRY(load_or_warn(store, path, &readable, &ref));
	TRY(unlist(store, &lock, name, &view, &rendered));
	if (unlinkat(store->root_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys("delete %s", path);
	TRY(store_sync_dir(store, "refs"));
	TRY(store_sync_dir(store, "."));
	if (rendered)
		index_settle(store, &lock);
	return rendered && readable ? forget_nameless(store, &ref, buf_str(&view)) : NULL;
}
