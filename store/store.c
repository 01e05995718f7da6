/* store/store.c - see store/store.h: finding, opening, locking and flushing a store. */

#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/userns.h"
#include "store/store-private.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define OWED_MAX ((size_t)16 << 20) /* bytes of pins that wait for room */

/* ---- finding ---- */

/* The value of a variable, or NULL if it is unset or empty. */
static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

struct err *store_find_root(const char *given, char **ret)
{
	const char *root = given ? given : environment("CAIRN_ROOT");
	const char *data = environment("XDG_DATA_HOME");
	const char *home = environment("HOME");

	if (root)
		*ret = xstrdup(root);
	else if (userns_outer_uid() == 0)
		*ret = xstrdup("/var/lib/cairn");
	else if (data && data[0] == '/') /* the specification: a relative one is ignored */
		*ret = xasprintf("%s/cairn", data);
	else if (home)
		*ret = xasprintf("%s/.local/share/cairn", home);
	else
		return err_new(ERR_USAGE,
			       "no place for the store: name one with --root, CAIRN_ROOT "
			       "or HOME");
	return NULL;
}

/* ---- opening ---- */

static bool is_boot_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

void store_set_boot_id(struct store *store, const char *boot_id)
{
	size_t len = 0;

	while (len < STORE_BOOT_SIZE - 1 && is_boot_char(boot_id[len])) {
		store->boot_id[len] = boot_id[len];
		len++;
	}
	store->boot_id[len] = '\0';
}

/* Without a boot id nothing unflushed can be trusted but by this very process. */
static struct err *learn_boot_id(struct store *store)
{
	AUTO(buf) struct buf text = BUF_INIT(256);
	char chance[STORE_ID_SIZE];

	err_free(file_read(AT_FDCWD, BOOT_ID, 255, &text)); /* a random one is as good, see above */
	store_set_boot_id(store, buf_str(&text).at);
	if (strlen(store->boot_id) == STORE_BOOT_SIZE - 1)
		return NULL;
	TRY(store_random_id(chance));
	store_set_boot_id(store, chance);
	return NULL;
}

static struct err *absolute_path(const char *root, char **ret)
{
	AUTO(mem) char *here = NULL;

	if (!root[0])
		return err_new(ERR_USAGE, "the name of the store's directory is empty");
	if (root[0] == '/') {
		*ret = xstrdup(root);
		return NULL;
	}
	here = getcwd(NULL, 0);
	if (!here)
		return err_sys("find the current directory");
	*ret = xasprintf("%s/%s", here, root);
	return NULL;
}

struct err *store_note_full(struct err *err, const char *detail)
{
	return err_note(
		err,
		"the disk%s is full%s%s%s: 'cairn prune --all' gives back all that no named "
		"image needs, --root or CAIRN_ROOT names a store on another disk",
		err_errno(err) == EDQUOT ? ", or your share of it," : "", detail ? " (" : "",
		detail ? detail : "", detail ? ")" : "");
}

/* What a person can do about a directory that cannot be used. */
static struct err *advise(struct err *err)
{
	switch (err_errno(err)) {
	case EACCES:
	case EPERM:
	case EROFS:
		return err_note(err,
				"name a directory that you can write with --root or CAIRN_ROOT");
	default:
		return err;
	}
}

/* Every error names the path, and once. */
static struct err *open_in_place(struct store *store)
{
	struct err *err = file_make_dirs(AT_FDCWD, store->path, 0700, &store->root_fd);
	struct stat st;

	if (!err)
		return err_wrap(layout_open(store), "store %s", store->path);
	if (stat(store->path, &st) < 0 || S_ISDIR(st.st_mode))
		return err_wrap(err, "store");
	err_free(err); /* it says so too, but in other words */
	return err_new(ERR_INVALID, "store %s: it is not a directory", store->path);
}

static struct store *store_new(void)
{
	struct store *store = xcalloc(1, sizeof(*store));

	store->root_fd = -1;
	store->opened = clock_monotonic();
	store->flusher_fd = -1;
	store->keep = LOCK_INIT;
	store->owed = BUF_INIT(OWED_MAX);
	atomic_init(&store->lease_fd, -1);
	atomic_init(&store->tmp_fd, -1);
	pthread_mutex_init(&store->lease_lock, NULL);
	pthread_mutex_init(&store->lock, NULL);
	pthread_mutex_init(&store->flusher_lock, NULL);
	return store;
}

struct err *store_open(const char *root, struct store **ret)
{
	AUTO(store) struct store *store = store_new();

	TRY(absolute_path(root, &store->path));
	TRY(learn_boot_id(store));
	TRY(advise(open_in_place(store)));
	*ret = STEAL(store);
	return NULL;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	lease_drop(store);
	if (store->flusher_fd >= 0)
		close(store->flusher_fd);
	if (store->root_fd >= 0)
		close(store->root_fd);
	buf_release(&store->owed);
	map_release(&store->pinned, NULL);
	map_release(&store->unsynced_set, NULL);
	vec_release(&store->unsynced);
	pthread_mutex_destroy(&store->lease_lock);
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->flusher_lock);
	free(store->path);
	free(store);
}

const char *store_path(const struct store *store)
{
	return store->path;
}

int store_fd(const struct store *store)
{
	return store->root_fd;
}

const char *store_boot_id(const struct store *store)
{
	return store->boot_id;
}

int store_driver(const struct store *store)
{
	return atomic_load(&store->driver);
}

void store_set_driver(struct store *store, int driver)
{
	atomic_store(&store->driver, driver);
}

bool store_choose_driver(struct store *store, int driver)
{
	int unknown = 0;

	return atomic_compare_exchange_strong(&store->driver, &unknown, driver);
}

struct err *store_single(struct store *store, const struct digest *key,
			 const struct lock_wait *wait, struct lock *ret)
{
	return lock_key(store->root_fd, "lock/single", key, wait, ret);
}
