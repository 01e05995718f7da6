/* registry/pack.c - see registry/pack.h. */

#include "registry/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/output.h"
#include "base/stream.h"
#include "base/tar.h"
#include "base/vec.h"

struct pack {
	char *path;            /* owned; for messages */
	struct output *output; /* owned; the tar, or NULL */
	int dir_fd;            /* owned; the directory, or -1 */
	bool made;             /* the directory is ours to remove */
	unsigned temps;        /* temporary names given out */
};

struct err *pack_open_tar(const char *path, struct pack **ret)
{
	struct output *output = NULL;
	struct pack *pack;

	TRY(output_open(path, &output));
	pack = xcalloc(1, sizeof(*pack));
	*pack = (struct pack){ .path = xstrdup(path), .output = output, .dir_fd = -1 };
	*ret = pack;
	return NULL;
}

/* A directory that was there is empty, or a layout that we add to: no other one is strewn with
 * files. */
static struct err *check_dir(const char *path, int dir_fd)
{
	AUTO(strings) struct strings names = { 0 };

	if (file_exists(dir_fd, "oci-layout"))
		return NULL;
	TRY(err_wrap(file_list(dir_fd, ".", &names), "list %s", path));
	if (names.len == 0)
		return NULL;
	return err_new(ERR_INVALID, "directory %s is neither empty nor an OCI layout", path);
}

struct err *pack_open_dir(const char *path, struct pack **ret)
{
	AUTO(pack) struct pack *pack = xcalloc(1, sizeof(*pack));

	pack->path = xstrdup(path);
	pack->dir_fd = -1;
	pack->made = mkdir(path, 0777) == 0;
	if (!pack->made && errno == ENOENT)
		return err_new(ERR_NOT_FOUND, "make directory %s: its parent does not exist", path);
	if (!pack->made && errno != EEXIST)
		return err_sys("make directory %s", path);
	pack->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pack->dir_fd < 0 && errno == ENOTDIR)
		return err_new(ERR_INVALID, "%s is a file, not a directory", path);
	if (pack->dir_fd < 0)
		return err_sys("open directory %s", path);
	if (!pack->made)
		TRY(check_dir(path, pack->dir_fd));
	*ret = STEAL(pack);
	return NULL;
}

/* Remove the directory that we made. What goes wrong meanwhile is left unsaid: the error that
 * brought us here tells more. */
static void remove_made(const struct pack *pack)
{
	AUTO(mem) char *path = xstrdup(pack->path);
	AUTO(fd) int parent = -1;
	size_t len = strlen(path);
	char *slash;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	if (!slash) {
		err_free(file_remove_tree(AT_FDCWD, path));
		return;
	}
	*slash = '\0';
	parent = open(slash == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent >= 0)
		err_free(file_remove_tree(parent, slash + 1));
}

void pack_free(struct pack *pack)
{
	if (!pack)
		return;
	output_free(pack->output);
	if (pack->dir_fd >= 0)
		close(pack->dir_fd);
	if (pack->made)
		remove_made(pack);
	free(pack->path);
	free(pack);
}

int pack_dir_fd(const struct pack *pack)
{
	return pack->dir_fd;
}

/* Copy exactly `size` bytes. */
static struct err *copy_exactly(struct source *content, uint64_t size, struct sink *out)
{
	AUTO(source) struct source *slice = source_slice(content, size);
	uint64_t copied;
	char more;

	TRY(stream_copy(slice, out, &copied));
	if (copied < size)
		return err_new(ERR_CORRUPT, "the content ends after %ju of %ju bytes",
			       (uintmax_t)copied, (uintmax_t)size);
	if (source_read(content, &more, 1) > 0)
		return err_new(ERR_CORRUPT, "the content is longer than %ju bytes",
			       (uintmax_t)size);
	return source_check(content);
}

static struct err *put_in_tar(struct pack *pack, const char *name, struct source *content,
			      uint64_t size)
{
	const struct tar_entry entry = {
		.type = TAR_FILE, .path = name, .mode = 0644, .size = size
	};
	struct sink *out = output_sink(pack->output);

	TRY(tar_write_header(out, &entry));
	TRY(copy_exactly(content, size, out));
	tar_write_padding(out, size);
	return NULL;
}

/* The directory that holds `name`, made if it is absent. */
static struct err *open_parent(const struct pack *pack, const char *name, int *ret_fd)
{
	const char *slash = strrchr(name, '/');
	AUTO(mem) char *parent = slash ? xmemdup(name, (size_t)(slash - name)) : xstrdup(".");

	return file_make_dirs(pack->dir_fd, parent, 0755, ret_fd);
}

static struct err *put_in_dir(struct pack *pack, const char *name, struct source *content,
			      uint64_t size)
{
	const char *slash = strrchr(name, '/');
	const char *last = slash ? slash + 1 : name;
	AUTO(sink) struct sink *out = NULL;
	AUTO(fd) int parent = -1;
	struct err *err;
	char temp[64];
	int fd = -1;

	/* Aside at the top: other tools expect nothing but digests among the blobs. */
	snprintf(temp, sizeof(temp), ".tmp-%d-%u", (int)getpid(), ++pack->temps);
	TRY(open_parent(pack, name, &parent));
	TRY(file_open(pack->dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL, 0644, FILE_NO_LINKS, &fd));
	out = sink_to_fd(fd, name);
	err = copy_exactly(content, size, out);
	if (!err)
		err = sink_finish(out);
	if (!err && renameat(pack->dir_fd, temp, parent, last) < 0)
		err = err_sys("create %s", name);
	if (err)
		unlinkat(pack->dir_fd, temp, 0);
	return err;
}

struct err *pack_put(struct pack *pack, const char *name, struct source *content, uint64_t size)
{
	return err_wrap(pack->output ? put_in_tar(pack, name, content, size) :
				       put_in_dir(pack, name, content, size),
			"%s: %s", pack->path, name);
}

struct err *pack_put_text(struct pack *pack, const char *name, struct str text)
{
	AUTO(source) struct source *content = source_from_memory(text.at, text.len);

	return pack_put(pack, name, content, text.len);
}

struct err *pack_commit(struct pack *pack)
{
	if (pack->output) {
		tar_write_end(output_sink(pack->output));
		return output_commit(pack->output);
	}
	pack->made = false;
	return NULL;
}
