/*
 * store/layout.c - the format of a store, and laying out a new one.
 *
 * A new store is made in this order: lock/ first, the other directories, the
 * files of an OCI image layout, and store.json last. So a directory with lock/
 * and without store.json is a store in the making, by a process that is still
 * busy or was killed; whoever finds it goes on under lock/index. Everything is
 * flushed once here, because what a ref promises later hangs below it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/json.h"
#include "store/store-private.h"

#define FORMAT_MAX ((size_t)64 * 1024)

static const char *const directories[] = {
	"lock",     "blobs",  "blobs/sha256", "refs",   "layers", "diffs", "steps",
	"contexts", "mounts", "builds",       "leases", "tmp",    "trash",
};

/* What may lie in a store in the making. */
static const char *const foreign_friends[] = { "oci-layout", "index.json", "lost+found" };

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

static bool is_ours(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		if (strcmp(name, directories[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(foreign_friends); i++)
		if (strcmp(name, foreign_friends[i]) == 0)
			return true;
	return false;
}

/* Refuse a directory that is in use for something else. */
static struct err *check_empty(struct store *store)
{
	AUTO(strings) struct strings names = { 0 };
	bool begun;

	TRY(file_list(store->root_fd, ".", &names));
	/* Asked after listing: whoever makes a store makes lock/ first. */
	begun = file_exists(store->root_fd, "lock");
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

static struct err *make_layout(struct store *store)
{
	AUTO(lock) struct lock lock = LOCK_INIT;

	/* Trees of other users' set-id programs lie in here: nobody else may enter. */
	if (fchmod(store->root_fd, 0700) < 0)
		return err_sys("make the directory private");
	TRY(make_dir(store, "lock"));
	TRY(lock_file(store->root_fd, "lock/index", LOCK_EXCLUSIVE, &lock));
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		TRY(make_dir(store, directories[i]));
	TRY(make_file(store, "oci-layout", STR("{\"imageLayoutVersion\":\"1.0.0\"}\n")));
	TRY(make_file(store, "index.json", STR("{\"schemaVersion\":2,\"manifests\":[]}\n")));
	TRY(store_sync_dir(store, "blobs"));
	TRY(store_sync_dir(store, "."));
	TRY(make_file(store, "store.json", STR("{\"format\":1,\"features\":[]}\n")));
	return store_sync_dir(store, ".");
}

struct err *layout_open(struct store *store)
{
	struct err *err = read_format(store);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err); /* a store that is new */
	TRY(check_empty(store));
	TRY(err_wrap(make_layout(store), "make a store"));
	return read_format(store);
}
