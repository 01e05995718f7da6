/*
 * store/graph_shelves.c - where holders lie; see store/graph-parts-private.h.
 *
 * The files of a shelf are replaced by rename and never written in place, so the time of its
 * directory tells whether anything in it is new. That time has the grain of the kernel's clock: a
 * directory that was changed shortly before it was read is read again. How shortly depends on the
 * file system: one of this machine takes its times from CLOCK_REALTIME_COARSE, so a time that lies
 * before that clock is never given again. Others may keep whole seconds, or the time of a server.
 */

#include "store/graph-parts-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/failed-private.h"
#include "store/ref-private.h"
#include "store/step-private.h"
#include "store/store-private.h"
#include "store/web_record.h"

#define BLOCK 512
#define REST_SECONDS 1                      /* after which a later change shows, */
#define REST_NS ((int64_t)50 * 1000 * 1000) /* and where times are exact */
#define TEMP_SECONDS (24 * 60 * 60)
#define WEB_MAX ((size_t)64 * 1024)

/* ---- one file ---- */

static void keep_digest(struct holder_found *found, const struct digest *digest)
{
	char hex[STORE_PATH_SIZE];

	snprintf(found->keeps, sizeof(found->keeps), "B%.64s", store_hex_path("", digest, hex));
}

/* Remember that a name leads to this manifest or index. */
static void note_name(struct graph *graph, const struct holder_found *found)
{
	char key[sizeof(found->keeps)];

	memcpy(key, found->keeps, sizeof(key));
	key[0] = 'N';
	map_put(&graph->names, str_of(key), (void *)(uintptr_t)(graph->holders.len + 1));
}

static struct err *add_ref(struct graph *graph, struct holder_found *found)
{
	AUTO(buf) struct buf text = BUF_INIT(REF_MAX);
	AUTO(err) struct err *err = NULL;
	struct ref ref = { .name = NULL };
	struct err *added;
	bool is_there;

	TRY(ref_read(graph->store, found->path, &text, &is_there));
	if (!is_there)
		return NULL;
	err = ref_parse(buf_str(&text), &ref);
	if (err) {
		log_warn("%s/%s is damaged, and keeps nothing: %s", store_path(graph->store),
			 found->path, err_text(err));
		return graph_add_holder(graph, found);
	}
	keep_digest(found, &ref.target.digest);
	note_name(graph, found);
	found->name = ref.name;
	added = graph_add_holder(graph, found);
	free(ref.name);
	return added;
}

/* Only a link to itself says that here is an image. */
static struct err *read_id(struct graph *graph, struct holder_found *found, bool *ret_is_holder)
{
	const char *hex = strrchr(found->path, '/') + 1;
	char target[STORE_PATH_SIZE] = "";
	ssize_t len = readlinkat(graph->store->root_fd, found->path, target, sizeof(target) - 1);
	const char *name = strrchr(target, '/');

	if (len < 0 && errno != ENOENT && errno != EINVAL)
		return err_sys("read link %s", found->path);
	*ret_is_holder = len > 0 && name && strcmp(name + 1, hex) == 0;
	snprintf(found->keeps, sizeof(found->keeps), "B%.64s", hex);
	return NULL;
}

/* A record that cannot be read keeps nothing, and goes with the others that nobody uses. */
static struct err *read_step(struct graph *graph, struct holder_found *found)
{
	char head[STEP_HEAD_MAX];
	AUTO(fd) int fd = -1;
	AUTO(err) struct err *err = NULL;
	AUTO(step_record) struct step_record record = { 0 };
	size_t len;

	TRY(store_open_record(graph->store, found->path, &fd));
	if (fd < 0)
		return NULL;
	TRY(file_read_some(fd, head, sizeof(head), found->path, &len));
	err = step_parse((struct str){ head, len }, (uint64_t)found->st.st_size, false, &record);
	if (!err && record.lid[0])
		snprintf(found->keeps, sizeof(found->keeps), "L%s", record.lid);
	return NULL;
}

static struct err *read_web(struct graph *graph, struct holder_found *found)
{
	AUTO(buf) struct buf text = BUF_INIT(WEB_MAX);
	AUTO(err) struct err *err = NULL;
	AUTO(web_record) struct web_record record = { 0 };
	bool is_there;

	TRY(store_read(graph->store, found->path, WEB_MAX, &text, &is_there));
	err = web_record_parse(buf_str(&text), &record);
	if (!err)
		keep_digest(found, &record.digest);
	return NULL;
}

/* It keeps what lies below the step as well: without that it is nothing. */
static struct err *add_failed(struct graph *graph, struct holder_found *found)
{
	AUTO(buf) struct buf text = BUF_INIT(FAILED_MAX);
	AUTO(err) struct err *err = NULL;
	AUTO(failed_step) struct failed_step step = { 0 };
	bool is_there;

	TRY(store_read(graph->store, found->path, FAILED_MAX, &text, &is_there));
	err = failed_parse(buf_str(&text), &step);
	if (!err && step.lid[0])
		snprintf(found->keeps, sizeof(found->keeps), "L%s", step.lid);
	if (!err)
		found->layers = &step.below;
	return graph_add_holder(graph, found);
}

static struct err *read_holder(struct graph *graph, struct holder_found *found)
{
	bool is_holder = true;

	if (fstatat(graph->store->root_fd, found->path, &found->st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? NULL : err_sys("look at %s", found->path);
	found->settled = graph_is_settled(graph, &found->st.st_ctim); /* asked before it is read */
	switch (found->kind) {
	case HOLDER_NAME:
		return add_ref(graph, found);
	case HOLDER_IMAGE:
		TRY(read_id(graph, found, &is_holder));
		break;
	case HOLDER_STEP:
		TRY(read_step(graph, found));
		break;
	case HOLDER_WEB:
		TRY(read_web(graph, found));
		break;
	case HOLDER_FAILED:
		return add_failed(graph, found);
	default:
		break;
	}
	return is_holder ? graph_add_holder(graph, found) : NULL;
}

/* ---- one directory ---- */

void graph_learn_clock(struct graph *graph)
{
	static const unsigned long exact[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
					       TMPFS_MAGIC, F2FS_SUPER_MAGIC };
	struct statfs fs;

	if (fstatfs(graph->store->root_fd, &fs) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(exact); i++)
		graph->exact = graph->exact || (unsigned long)fs.f_type == exact[i];
}

/* An ext4 with small inodes keeps whole seconds. */
bool graph_is_settled(const struct graph *graph, const struct timespec *changed)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (!graph->exact || !changed->tv_nsec)
		return changed->tv_sec + REST_SECONDS < now.tv_sec;
	return (int64_t)(now.tv_sec - changed->tv_sec) * 1000000000 + now.tv_nsec -
		       changed->tv_nsec >
	       REST_NS;
}

/* What is taken for known by mistake may lose what it keeps. That is no harm but to a name, of which
 * more is asked than the number of the inode. */
static bool is_known(const struct graph *graph, int dir_fd, const struct dirent *entry,
		     const struct holder_found *found)
{
	struct stat st;

	if (!graph_knows(graph, found->path, entry->d_ino, NULL))
		return false;
	return found->kind != HOLDER_NAME ||
	       (fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		graph_knows(graph, found->path, st.st_ino, &st.st_ctim));
}

/* Read what is new in a shelf. */
static struct err *read_shelf(struct graph *graph, const char *path, enum holder_kind kind)
{
	AUTO(fd) int fd = openat(graph->store->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	struct err *err = NULL;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT ? NULL : err_sys("open %s", path);
	dir = fdopendir(fd);
	if (!dir)
		return err_sys("read %s", path);
	(void)STEAL_FD(fd); /* closedir() closes it */
	while (!err && (errno = 0, entry = readdir(dir))) {
		char file[REF_PATH_SIZE + 16];
		struct holder_found found = { .kind = kind, .path = file };

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (!is_known(graph, dirfd(dir), entry, &found))
			err = read_holder(graph, &found);
	}
	if (!err && errno)
		err = err_sys("read %s", path);
	closedir(dir);
	return err;
}

/* Read the shelf if it was written to since the last time. */
static struct err *visit_shelf(struct graph *graph, struct shelf *shelf)
{
	struct stat st;

	if (fstatat(graph->store->root_fd, shelf->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? NULL : err_sys("look at %s", shelf->path);
	if (shelf->settled && st.st_mtim.tv_sec == shelf->changed.tv_sec &&
	    st.st_mtim.tv_nsec == shelf->changed.tv_nsec)
		return NULL;
	shelf->changed = st.st_mtim;
	shelf->settled = graph_is_settled(graph, &st.st_mtim); /* asked before it is read */
	return read_shelf(graph, shelf->path, shelf->kind);
}

static void add_shelf(struct graph *graph, const char *path, enum holder_kind kind)
{
	struct shelf *shelf = vec_add(&graph->shelves);

	snprintf(shelf->path, sizeof(shelf->path), "%s", path);
	shelf->kind = kind;
}

/* Steps and ids lie on 256 shelves each, of which some may come later. */
static void add_all_shelves(struct graph *graph)
{
	add_shelf(graph, "refs", HOLDER_NAME);
	add_shelf(graph, "web", HOLDER_WEB);
	add_shelf(graph, "failed", HOLDER_FAILED);
	for (unsigned i = 0; i < 256; i++) {
		char path[16];

		snprintf(path, sizeof(path), "ids/%02x", i);
		add_shelf(graph, path, HOLDER_IMAGE);
		snprintf(path, sizeof(path), "steps/%02x", i);
		add_shelf(graph, path, HOLDER_STEP);
	}
}

struct err *graph_load_shelves(struct graph *graph)
{
	if (!graph->shelves.len)
		add_all_shelves(graph);
	vec_foreach (&graph->shelves, shelf)
		TRY(visit_shelf(graph, shelf));
	return NULL;
}

/* ---- caches ---- */

/* What file_replace() has not renamed yet, or left behind when it died long ago. */
static bool is_being_written(const char *name, const struct stat *st)
{
	return name[0] == '.' && clock_now().tv_sec - st->st_mtim.tv_sec < TEMP_SECONDS;
}

static struct err *load_cache(struct graph *graph, const char *top, enum holder_kind kind)
{
	AUTO(strings) struct strings names = { 0 };
	struct err *err = file_list(graph->store->root_fd, top, &names);

	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err); /* nothing of the kind was ever made */
		return NULL;
	}
	TRY(err);
	vec_foreach (&names, name) {
		AUTO(mem) char *path = xasprintf("%s/%s", top, *name);
		struct holder_found found = { .kind = kind, .path = path };
		uint64_t bytes = 0;

		if (fstatat(graph->store->root_fd, path, &found.st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    is_being_written(*name, &found.st))
			continue;
		TRY(usage_add(&graph->usage, graph->store->root_fd, path, &bytes));
		TRY(graph_add_holder(graph, &found));
		vec_last(&graph->holders)->bytes = bytes;
	}
	return NULL;
}

struct err *graph_load_caches(struct graph *graph)
{
	static const struct {
		const char *top;
		enum holder_kind kind;
	} caches[] = {
		{ "mounts", HOLDER_MOUNT },     { "git", HOLDER_GIT },
		{ "contexts", HOLDER_CONTEXT }, { "builds", HOLDER_LOG },
		{ "partial", HOLDER_PARTIAL },  { "elsewhere", HOLDER_HINT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(caches); i++)
		TRY(load_cache(graph, caches[i].top, caches[i].kind));
	return NULL;
}
