/* store/files.c - small files of the store, read and written whole; ids and paths. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/err.h"
#include "store/store-private.h"

static const char id_alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

struct err *store_random_id(char ret[static STORE_ID_SIZE])
{
	uint8_t chance[STORE_ID_SIZE - 1];

	if (getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		return err_sys("get random bytes");
	for (size_t i = 0; i < sizeof(chance); i++)
		ret[i] = id_alphabet[chance[i] % 32];
	ret[sizeof(chance)] = '\0';
	return NULL;
}

bool store_id_is_valid(struct str text)
{
	if (text.len != STORE_ID_SIZE - 1)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!text.at[i] || !strchr(id_alphabet, text.at[i]))
			return false;
	return true;
}

char *store_hex_path(const char *dir, const struct digest *digest, char buf[static STORE_PATH_SIZE])
{
	char text[DIGEST_TEXT_SIZE];

	snprintf(buf, STORE_PATH_SIZE, "%s%s", dir, strchr(digest_format(digest, text), ':') + 1);
	return buf;
}

bool store_is_gone(const struct store *store, const char *path)
{
	struct stat st;

	return fstatat(store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	       (errno == ENOENT || errno == ENOTDIR);
}

bool store_is_lost(const struct err *err)
{
	return err_errno(err) == EIO || err_errno(err) == EUCLEAN || err_errno(err) == EBADMSG;
}

/* Errors that speak of this one file, and not of the machine or the process. */
static bool is_unreadable(const struct err *err)
{
	switch (err_kind(err)) {
	case ERR_NOT_FOUND:
	case ERR_INVALID: /* too large, no regular file */
		return true;
	case ERR_SYSTEM:
		return store_is_lost(err) || err_errno(err) == ELOOP || err_errno(err) == ENXIO;
	default:
		return false;
	}
}

struct err *store_read_or_why(struct store *store, const char *path, size_t max, struct buf *buf,
			      bool *ret_found, struct err **ret_why)
{
	struct err *err = file_read(store->root_fd, path, max, buf);

	*ret_found = !err;
	*ret_why = NULL;
	if (!is_unreadable(err))
		return err;
	if (err_kind(err) != ERR_NOT_FOUND)
		*ret_why = err;
	else
		err_free(err);
	return NULL;
}

struct err *store_read(struct store *store, const char *path, size_t max, struct buf *buf,
		       bool *ret_found)
{
	AUTO(err) struct err *why = NULL; /* it is as good as absent, and that is what is heard */

	return store_read_or_why(store, path, max, buf, ret_found, &why);
}

struct err *store_open_record(struct store *store, const char *path, int *ret_fd)
{
	struct err *err = file_open(store->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
				    FILE_NO_LINKS, ret_fd);

	if (!is_unreadable(err))
		return err;
	err_free(err); /* likewise */
	*ret_fd = -1;
	return NULL;
}

static struct err *write_aside(int tmp_fd, const char *temp, struct str data, mode_t mode,
			       enum file_durability durability)
{
	AUTO(fd) int fd = openat(tmp_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return err_sys("create a temporary file");
	TRY(file_write_all(fd, data.at, data.len, "a temporary file"));
	if (durability == FILE_DURABLE && fdatasync(fd) < 0)
		return err_sys("flush a temporary file");
	return NULL;
}

struct err *store_write(struct store *store, const char *path, struct str data, mode_t mode,
			enum file_durability durability)
{
	AUTO(mem) char *temp = store_temp_name(store);
	struct err *err;
	int tmp_fd = -1;

	TRY(store_lease(store, &tmp_fd));
	err = write_aside(tmp_fd, temp, data, mode, durability);
	if (!err && renameat(tmp_fd, temp, store->root_fd, path) < 0)
		err = errno == ENOENT ? err_new(ERR_NOT_FOUND, "its directory is missing") :
					err_sys("rename");
	if (err)
		unlinkat(tmp_fd, temp, 0);
	return err_wrap(err, "write %s", path);
}

struct err *store_sync_dir(struct store *store, const char *path)
{
	AUTO(fd) int fd = -1;

	TRY(file_open_dir(store->root_fd, path, &fd));
	return err_wrap(file_sync_dir(fd), "%s", path);
}
