/* store/id.c - see store/id.h. */

#include "store/id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/image-private.h"
#include "store/store-private.h"

#define LINK_TARGET "../../blobs/sha256/"
#define HEX_LEN ((size_t)2 * DIGEST_SIZE)
#define SHELF_LEN (sizeof("ids/xx") - 1)
#define USE_STEP 3600 /* seconds between two updates of the time of use */

/* ---- links ---- */

/* "ids/xx/<hex>" in `buf`. Returns `buf`. */
static const char *id_path(const struct digest *id, char buf[static STORE_PATH_SIZE])
{
	char hex[STORE_PATH_SIZE];

	store_hex_path("", id, hex);
	snprintf(buf, STORE_PATH_SIZE, "ids/%.2s/%.64s", hex, hex);
	return buf;
}

static bool parse_hex(struct str hex, struct digest *ret)
{
	char text[DIGEST_TEXT_SIZE];
	struct err *err;

	if (hex.len != HEX_LEN)
		return false;
	snprintf(text, sizeof(text), "sha256:%.64s", hex.at);
	err = digest_parse(text, ret);
	if (!err)
		return true;
	err_free(err); /* no digest, then: the answer */
	return false;
}

/* Where a link leads to. One that is damaged, or is something else, is absent. */
static struct err *follow(struct store *store, const char *path, bool *ret_found,
			  struct digest *ret)
{
	char target[sizeof(LINK_TARGET) + HEX_LEN + 1] = "";
	const size_t skip = sizeof(LINK_TARGET) - 1;
	ssize_t len = readlinkat(store->root_fd, path, target, sizeof(target) - 1);

	*ret_found = false;
	if (len < 0 && errno != ENOENT && errno != ENOTDIR && errno != EINVAL)
		return err_sys("read link %s", path);
	if (len < 0 || !str_starts(str_of(target), LINK_TARGET))
		return NULL;
	*ret_found = parse_hex(str_of(target + skip), ret);
	return NULL;
}

static bool has_blob(struct store *store, const struct digest *digest)
{
	char path[STORE_PATH_SIZE];

	return file_exists(store->root_fd, store_hex_path("blobs/sha256/", digest, path));
}

/* Note that an image is used. What looks older than it is does no harm. */
static void touch(struct store *store, const struct digest *target)
{
	char path[STORE_PATH_SIZE];

	if (clock_now().tv_sec - id_last_use(store, target).tv_sec > USE_STEP)
		(void)utimensat(store->root_fd, id_path(target, path), NULL, AT_SYMLINK_NOFOLLOW);
}

struct timespec id_last_use(struct store *store, const struct digest *target)
{
	char path[STORE_PATH_SIZE];
	struct stat st;

	if (fstatat(store->root_fd, id_path(target, path), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return (struct timespec){ 0 };
	return st.st_mtim;
}

/* ---- finding ---- */

static void add_match(struct store *store, const struct digest *id, const struct digest *target,
		      struct id_matches *matches)
{
	vec_foreach (matches, match)
		if (digest_equal(&match->target, target))
			return;
	if (has_blob(store, target))
		vec_push(matches, (struct id_match){ *id, *target });
}

static struct err *find_whole(struct store *store, const struct digest *id,
			      struct id_matches *matches)
{
	char path[STORE_PATH_SIZE];
	struct digest target;
	bool found;

	TRY(follow(store, id_path(id, path), &found, &target));
	if (found)
		add_match(store, id, &target, matches);
	return NULL;
}

/* The names in "ids" or "ids/xx"; none if it is not there. */
static struct err *list_shelf(struct store *store, const char *path, struct strings *ret)
{
	struct err *err = file_list(store->root_fd, path, ret);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err); /* there are no such ids */
	return NULL;
}

struct err *id_find(struct store *store, struct str prefix, struct id_matches *ret)
{
	AUTO(id_matches) struct id_matches matches = { 0 };
	AUTO(strings) struct strings names = { 0 };
	char shelf[SHELF_LEN + 1];
	struct digest id;

	if (parse_hex(prefix, &id)) {
		TRY(find_whole(store, &id, &matches));
	} else {
		snprintf(shelf, sizeof(shelf), "ids/%.2s", prefix.at);
		TRY(list_shelf(store, shelf, &names));
	}
	vec_foreach (&names, name)
		if (strncmp(*name, prefix.at, prefix.len) == 0 && parse_hex(str_of(*name), &id))
			TRY(find_whole(store, &id, &matches));
	*ret = matches;
	matches = (struct id_matches){ 0 };
	return NULL;
}

static struct err *add_own(struct store *store, const char *shelf, struct id_matches *matches)
{
	AUTO(mem) char *path = xasprintf("ids/%s", shelf);
	AUTO(strings) struct strings names = { 0 };

	TRY(list_shelf(store, path, &names));
	vec_foreach (&names, name) {
		char link[STORE_PATH_SIZE];
		struct digest id, target;
		bool found = false;

		if (!parse_hex(str_of(*name), &id))
			continue;
		TRY(follow(store, id_path(&id, link), &found, &target));
		if (found && digest_equal(&id, &target) && has_blob(store, &target))
			vec_push(matches, (struct id_match){ id, target });
	}
	return NULL;
}

struct err *id_list(struct store *store, struct id_matches *ret)
{
	AUTO(id_matches) struct id_matches matches = { 0 };
	AUTO(strings) struct strings shelves = { 0 };

	TRY(list_shelf(store, "ids", &shelves));
	vec_foreach (&shelves, shelf)
		TRY(add_own(store, *shelf, &matches));
	*ret = matches;
	matches = (struct id_matches){ 0 };
	return NULL;
}

/* ---- changing ---- */

/* The directory of a link, and the one above it in a store that is older than ids. */
static struct err *make_shelf(struct store *store, const char *path)
{
	char shelf[SHELF_LEN + 1];

	snprintf(shelf, sizeof(shelf), "%.*s", (int)SHELF_LEN, path);
	if (mkdirat(store->root_fd, "ids", 0700) < 0 && errno != EEXIST)
		return err_sys("make directory ids");
	if (mkdirat(store->root_fd, shelf, 0700) < 0 && errno != EEXIST)
		return err_sys("make directory %s", shelf);
	return NULL;
}

static void note_dirty(struct store *store, const struct digest *id)
{
	pthread_mutex_lock(&store->lock);
	store->ids_dirty[id->bytes[0] / 8] |= (uint8_t)(1u << id->bytes[0] % 8);
	pthread_mutex_unlock(&store->lock);
}

/* Make a link where there may be another one. */
static struct err *replace_link(struct store *store, const char *target, const char *path)
{
	AUTO(mem) char *temp = NULL;
	int tmp_fd = -1;

	TRY(store_lease(store, &tmp_fd));
	TRY(make_shelf(store, path));
	temp = store_temp_name(store);
	if (symlinkat(target, tmp_fd, temp) < 0)
		return err_sys("make a link for %s", path);
	if (renameat(tmp_fd, temp, store->root_fd, path) == 0)
		return NULL;
	return err_sys("rename a link to %s", path); /* what is left goes with the lease */
}

struct err *id_put(struct store *store, const struct digest *id, const struct digest *target)
{
	char path[STORE_PATH_SIZE], text[STORE_PATH_SIZE];
	struct digest old;
	bool found;

	TRY(follow(store, id_path(id, path), &found, &old));
	if (found && digest_equal(&old, target)) {
		touch(store, target);
		return NULL;
	}
	TRY(replace_link(store, store_hex_path(LINK_TARGET, target, text), path));
	note_dirty(store, id);
	return NULL;
}

static bool is_known(struct store *store, const struct digest *target)
{
	char path[STORE_PATH_SIZE];

	return file_exists(store->root_fd, id_path(target, path));
}

/* The configs of an image; none if it cannot be read. */
static void find_configs(struct store *store, const struct descriptor *target,
			 struct id_matches *ret)
{
	char text[DIGEST_TEXT_SIZE];
	struct err *err = image_configs(store, target, ret);

	if (!err)
		return;
	log_debug("the ids of %s: %s", digest_format(&target->digest, text), err_text(err));
	err_free(err);
}

struct err *id_remember(struct store *store, const struct descriptor *target)
{
	AUTO(id_matches) struct id_matches configs = { 0 };

	if (is_known(store, &target->digest)) {
		touch(store, &target->digest);
		return NULL;
	}
	find_configs(store, target, &configs);
	vec_foreach (&configs, config)
		TRY(id_put(store, &config->id, &config->target));
	/* Last: where it is, the others are. */
	return id_put(store, &target->digest, &target->digest);
}

/* Remove a link, if it leads to `target`. */
static struct err *remove_link(struct store *store, const struct digest *id,
			       const struct digest *target)
{
	char path[STORE_PATH_SIZE];
	struct digest old;
	bool found;

	TRY(follow(store, id_path(id, path), &found, &old));
	if (!found || !digest_equal(&old, target))
		return NULL;
	if (unlinkat(store->root_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys("delete %s", path);
	note_dirty(store, id);
	return NULL;
}

struct err *id_forget(struct store *store, const struct descriptor *target, bool *ret_known)
{
	AUTO(id_matches) struct id_matches configs = { 0 };

	*ret_known = is_known(store, &target->digest);
	/* First: without it, the image is no image any more, only a part of others. */
	TRY(remove_link(store, &target->digest, &target->digest));
	find_configs(store, target, &configs);
	vec_foreach (&configs, config)
		if (!is_known(store, &config->target))
			TRY(remove_link(store, &config->id, &config->target));
	return NULL;
}

struct err *id_sync(struct store *store)
{
	uint8_t dirty[sizeof(store->ids_dirty)];
	bool any = false;

	pthread_mutex_lock(&store->lock);
	memcpy(dirty, store->ids_dirty, sizeof(dirty));
	memset(store->ids_dirty, 0, sizeof(dirty));
	pthread_mutex_unlock(&store->lock);
	for (unsigned i = 0; i < 8 * sizeof(dirty); i++) {
		char shelf[SHELF_LEN + 1];

		if (!(dirty[i / 8] >> i % 8 & 1))
			continue;
		any = true;
		snprintf(shelf, sizeof(shelf), "ids/%02x", i & 0xff);
		TRY(store_sync_dir(store, shelf));
	}
	return any ? store_sync_dir(store, "ids") : NULL;
}
