/*
 * store/layout.c - the format of a store, and laying out a new one.
 *
 * A new store is made in this order: lock/ first, the other directories, the
 * files of an OCI image layout, and store.json last. So a directory with lock/
 * and without store.json is a store in the making, by a process that is still
 * busy or was killed; whoever finds it goes on under lock/index. Everything is
 * flushed once here, because what a ref promises later hangs below it.
 *
 * What somebody deleted from the top of a store is made again when the store is
 * next opened, in the same way; one listing shows that nothing is missing.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "store/index-private.h"
#include "store/store-private.h"

#define FORMAT_MAX ((size_t)64 * 1024)
#define BLOBS "blobs/sha256"

static const char *const directories[] = {
	"lock",     "blobs",  BLOBS,    "refs",   "layers", "diffs", "steps",
	"contexts", "mounts", "builds", "leases", "tmp",    "trash", "ids",
};

static const char *const files[] = { "oci-layout", "index.json", "store.json" };

/* What may lie in a store besides. */
static const char *const others[] = { "cache", "lost+found" };

/* ---- the format file ---- */

static struct err *refuse_newer(const char *why, const char *name)
{
	struct err *err = err_new(ERR_UNSUPPORTED, "the store %s '%.80s'", why, name);

	return err_note(err, "it was made by a newer cairn; use that one, or another --root");
}

static struct err *check_format(json_t *doc)
{
	const struct json_at root = json_root(doc, "store.json");
	const struct json_at format = json_member(&root, "format");
	const struct json_at features = json_member(&root, "features");
	uint64_t version;

	TRY(json_expect_object(&root));
	TRY(json_get_size(&format, &version));
	if (version > STORE_FORMAT) {
		char number[24];

		snprintf(number, sizeof(number), "%ju", (uintmax_t)version);
		return refuse_newer("has format", number);
	}
	if (version == 0)
		return json_error(&format, "there is no such format");
	for (size_t i = 0; i < json_length(&features); i++) {
		const struct json_at feature = json_element(&features, i);
		const char *name = NULL;

		TRY(json_get_text(&feature, &name));
		return refuse_newer("needs the feature", name);
	}
	return NULL;
}

static struct err *read_format(struct store *store)
{
	AUTO(buf) struct buf text = BUF_INIT(FORMAT_MAX);
	AUTO(json) json_t *doc = NULL;

	TRY(file_read(store->root_fd, "store.json", FORMAT_MAX, &text));
	TRY(json_parse(buf_str(&text), FORMAT_MAX, "store.json", &doc));
	return check_format(doc);
}

/* ---- a new store ---- */

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool is_ours(const char *name)
{
	return is_one_of(name, directories, ARRAY_SIZE(directories)) ||
	       is_one_of(name, files, ARRAY_SIZE(files)) ||
	       is_one_of(name, others, ARRAY_SIZE(others));
}

/* Refuse a directory that is in use for something else. */
static struct err *check_empty(struct store *store)
{
	AUTO(strings) struct strings names = { 0 };
	bool begun;

	TRY(file_list(store->root_fd, ".", &names));
	/* Asked after listing: whoever makes a store makes lock/ first. */
	begun = !store_is_gone(store, "lock");
	vec_foreach (&names, name) {
		if (strcmp(*name, "lost+found") == 0 || strcmp(*name, "store.json") == 0)
			continue;
		if (begun && is_ours(*name))
			continue;
		return err_note(err_new(ERR_INVALID,
					"the directory is not empty ('%.80s'), and no store",
					*name),
				"name an empty or absent directory with --root or CAIRN_ROOT");
	}
	return NULL;
}

static struct err *make_dir(struct store *store, const char *path)
{
	if (mkdirat(store->root_fd, path, 0700) == 0 || errno == EEXIST)
		return NULL;
	return err_sys("make directory %s", path);
}

/* Write a file of the layout, if it is not there. */
static struct err *make_file(struct store *store, const char *name, struct str data)
{
	if (file_exists(store->root_fd, name))
		return NULL;
	return store_write(store, name, data, 0644, FILE_DURABLE);
}

/* Make whatever is missing. */
static struct err *make_layout(struct store *store)
{
	AUTO(lock) struct lock lock = LOCK_INIT;
	bool viewed;

	/* Trees of other users' set-id programs lie in here: nobody else may enter. */
	if (fchmod(store->root_fd, 0700) < 0)
		return err_sys("make the directory private");
	TRY(make_dir(store, "lock"));
	TRY(lock_file(store->root_fd, "lock/index", LOCK_EXCLUSIVE, &lock));
	viewed = file_exists(store->root_fd, "refs") && file_exists(store->root_fd, "index.json");
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		TRY(make_dir(store, directories[i]));
	TRY(make_file(store, "oci-layout", STR("{\"imageLayoutVersion\":\"1.0.0\"}\n")));
	if (!viewed)
		TRY(index_renew(store));
	TRY(store_sync_dir(store, "blobs"));
	TRY(store_sync_dir(store, "."));
	TRY(make_file(store, "store.json", STR("{\"format\":1,\"features\":[]}\n")));
	return store_sync_dir(store, ".");
}

/* ---- a store that is there ---- */

/* Whether everything that belongs there is. */
static struct err *is_whole(struct store *store, bool *ret)
{
	AUTO(strings) struct strings names = { 0 };
	size_t there = 0;

	TRY(file_list(store->root_fd, ".", &names));
	vec_foreach (&names, name)
		there += is_one_of(*name, directories, ARRAY_SIZE(directories)) ||
			 is_one_of(*name, files, ARRAY_SIZE(files));
	/* All directories but one are at the top. */
	*ret = there == ARRAY_SIZE(directories) - 1 + ARRAY_SIZE(files) &&
	       faccessat(store->root_fd, BLOBS, F_OK, 0) == 0;
	return NULL;
}

/* Make again what somebody deleted; a store that cannot be written is read as it is. */
static struct err *mend(struct store *store)
{
	bool whole = false;
	struct err *err;

	TRY(is_whole(store, &whole));
	if (whole)
		return NULL;
	err = make_layout(store);
	if (err_errno(err) != EROFS)
		return err_wrap(err, "make what is missing");
	log_debug("what is missing cannot be made: %s", err_text(err));
	err_free(err);
	return NULL;
}

struct err *layout_open(struct store *store)
{
	struct err *err = read_format(store);

	if (!err)
		return mend(store);
	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err); /* a store that is new */
	TRY(check_empty(store));
	TRY(err_wrap(make_layout(store), "make a store"));
	return read_format(store);
}
