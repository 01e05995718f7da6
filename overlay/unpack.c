/*
 * overlay/unpack.c - see overlay/unpack.h.
 *
 * Entries are made as they come, by overlay/place, where overlay/dest stands. Two
 * kinds wait for the end. A hard link whose target is not there yet, since it may
 * come later, or lie below. And whiteouts and opaque marks, which act on what lies
 * below whatever their place in the tar: once all entries are there, one pass in
 * byte order, so that a directory is decided before what it holds, sees what each
 * of them means:
 *
 *	.wh.x, no x in this layer      a whiteout x
 *	.wh.x, a directory x           x is opaque: what lies below is gone, what
 *	                               this layer brings stays
 *	.wh.x, anything else called x  nothing: x hides what lies below as it is
 *	below an opaque directory      nothing: all is hidden already, and overlayfs
 *	                               would show such whiteouts in listings
 *	below a whiteout               nothing
 *
 * overlayfs does not read the mark of opaqueness of a layer's own root, so an
 * opaque root becomes whiteouts and opaque directories for all that lies below it.
 */

#include "overlay/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/stream.h"
#include "base/untar.h"
#include "base/vec.h"
#include "overlay/dest.h"
#include "overlay/owner.h"
#include "overlay/pipeline.h"
#include "overlay/place.h"
#include "overlay/whiteout.h"

/* Memory for what waits for the end: half a million whiteouts with long names. */
#define WAITING_MAX ((size_t)64 * 1024 * 1024)

#define RATIO 200
#define ALWAYS (UINT64_C(4) << 30)
#define NEVER (UINT64_C(100) << 30)

struct late_link {
	char *path, *target; /* owned */
};

struct hiding {
	char *path;  /* owned: what is hidden, or the directory that is opaque */
	bool opaque; /* of the directory's content alone */
};

struct job {
	const struct unpack_opts *opts;
	int fs_fd; /* borrowed */
	struct dest dest;
	struct buf path, link; /* of the current entry, cleaned */
	char *chunk;           /* owned, STREAM_CHUNK bytes */
	struct {
		struct late_link *at;
		size_t len, cap;
	} links;
	struct {
		struct hiding *at;
		size_t len, cap;
	} hidings;
	size_t waiting; /* bytes of the texts in both */
	uint64_t entries, bytes;
	bool has_root;
};

static void job_init(struct job *job, int fs_fd, const struct unpack_opts *opts)
{
	*job = (struct job){
		.fs_fd = fs_fd,
		.opts = opts,
		.path = BUF_INIT(TAR_PATH_MAX),
		.link = BUF_INIT(TAR_PATH_MAX),
		.chunk = xcalloc(1, STREAM_CHUNK),
	};
	dest_init(&job->dest, fs_fd, opts->below_fd);
}

static void job_release(struct job *job)
{
	vec_foreach (&job->links, late) {
		free(late->path);
		free(late->target);
	}
	vec_release(&job->links);
	vec_foreach (&job->hidings, hiding)
		free(hiding->path);
	vec_release(&job->hidings);
	free(job->chunk);
	buf_release(&job->path);
	buf_release(&job->link);
	dest_release(&job->dest);
}

static void job_auto_(struct job *job)
{
	job_release(job);
}

/* ---- paths ---- */

/* `raw`, which tar_check_entry() let pass, without "." and empty components, and without a
 * leading or trailing '/'. ERR_INVALID for a whiteout in the place of a directory. */
static struct err *clean_path(const struct job *job, const char *raw, struct buf *out)
{
	struct str rest = str_of(raw);
	bool whiteout = false;

	buf_reset(out);
	while (rest.len > 0) {
		struct str part = str_cut(&rest, '/');

		if (part.len == 0 || str_is(part, "."))
			continue;
		if (whiteout)
			return err_new(ERR_INVALID, "a whiteout holds nothing");
		whiteout = !job->opts->plain && whiteout_reserved(part.at);
		if (job->opts->merge && whiteout_reserved(part.at))
			return err_new(ERR_INVALID,
				       "a name that begins with '.wh.' cannot be in an image");
		if (out->len > 0)
			buf_addc(out, '/');
		buf_add_str(out, part);
	}
	return buf_check(out, "the path");
}

/* The last component of a clean path that is not empty, and what stands before it. */
static char *split(const struct buf *path, struct str *ret_parent)
{
	char *slash = memrchr(path->at, '/', path->len);

	*ret_parent = (struct str){ path->at, slash ? (size_t)(slash - path->at) : 0 };
	return slash ? slash + 1 : path->at;
}

/* Remember that `size` more bytes wait for the end. */
static struct err *wait_for_end(struct job *job, size_t size)
{
	job->waiting += size;
	if (job->waiting > WAITING_MAX)
		return err_new(ERR_INVALID, "the layer has too many whiteouts and open links");
	return NULL;
}

/* ---- entries ---- */

/* Remove `name`, whatever it is. */
static struct err *clear_way(const struct place_dir *dir, const char *name)
{
	struct stat st;

	if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("stat what stands in the way");
	if (S_ISDIR(st.st_mode))
		return file_remove_tree(dir->fd, name);
	if (unlinkat(dir->fd, name, 0) < 0)
		return err_sys("remove what stands in the way");
	return NULL;
}

/* True if `*err` says that the name is taken; then the error is freed. */
static bool was_taken(struct err **err)
{
	if (err_errno(*err) != EEXIST)
		return false;
	err_free(STEAL(*err));
	return true;
}

static struct err *unpack_file(struct job *job, const char *name, const struct tar_entry *entry,
			       struct source *content)
{
	struct place_dir dir;
	AUTO(fd) int fd = -1;
	struct err *err;

	TRY(dest_here(&job->dest, &dir));
	err = place_file(&dir, name, entry, &fd);
	if (was_taken(&err)) {
		TRY(clear_way(&dir, name));
		err = place_file(&dir, name, entry, &fd);
	}
	TRY(err);
	TRY(place_content(fd, content, entry->size, job->chunk));
	job->bytes += entry->size;
	return place_seal(&job->dest.place, &dir, entry, fd);
}

static struct err *unpack_node(struct job *job, const char *name, const struct tar_entry *entry)
{
	struct place_dir dir;
	struct err *err;

	TRY(dest_here(&job->dest, &dir));
	err = place_node(&job->dest.place, &dir, name, entry);
	if (was_taken(&err)) {
		TRY(clear_way(&dir, name));
		err = place_node(&job->dest.place, &dir, name, entry);
	}
	return err;
}

/* A directory over a directory merges: the content stays, the attributes are the new ones. */
static struct err *unpack_dir(struct job *job, const char *name, const struct tar_entry *entry)
{
	struct err *err = dest_make(&job->dest, name, entry);
	struct place_dir dir;
	struct stat st;

	if (!was_taken(&err))
		return err;
	TRY(dest_here(&job->dest, &dir));
	if (fstatat(dir.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("stat what stands in the way");
	if (!S_ISDIR(st.st_mode)) {
		TRY(clear_way(&dir, name));
		return dest_make(&job->dest, name, entry);
	}
	TRY(dest_enter(&job->dest, name));
	return dest_adopt(&job->dest, entry);
}

static struct err *unpack_root(struct job *job, const struct tar_entry *entry)
{
	bool found;

	if (job->opts->merge)
		return NULL;
	TRY(dest_move(&job->dest, STR(""), DEST_MAKE, 0, &found));
	TRY(dest_adopt(&job->dest, entry));
	job->has_root = true;
	return NULL;
}

/* ---- hard links ---- */

/* Open the directory `path` of this layer, to link from. `*ret_fd` stays if there is none. */
static struct err *open_link_dir(const struct job *job, struct str path, int *ret_fd)
{
	AUTO(mem) char *text = path.len > 0 ? str_dup(path) : xstrdup(".");
	struct err *err =
		file_open(job->fs_fd, text, O_PATH | O_DIRECTORY, 0, FILE_IN_ROOT, ret_fd);

	if (err_kind(err) == ERR_NOT_FOUND)
		err_free(STEAL(err));
	return err;
}

static bool same_file(int a_fd, const char *a, int b_fd, const char *b)
{
	struct stat x, y;

	return fstatat(a_fd, a, &x, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(b_fd, b, &y, AT_SYMLINK_NOFOLLOW) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* linkat(2); what stands in the way is removed if `replace`. `*ret_done` is false if there is no
 * such target. */
static struct err *make_link(int from_fd, const char *target, const struct place_dir *dir,
			     const char *name, bool replace, bool *ret_done)
{
	*ret_done = true;
	if (linkat(from_fd, target, dir->fd, name, 0) == 0)
		return NULL;
	if (errno == EEXIST && (!replace || same_file(from_fd, target, dir->fd, name)))
		return NULL;
	if (errno == EEXIST) {
		TRY(clear_way(dir, name));
		return make_link(from_fd, target, dir, name, false, ret_done);
	}
	if (errno == EPERM)
		return err_new(ERR_INVALID, "a hard link to a directory");
	if (errno != ENOENT)
		return err_sys("make a hard link");
	*ret_done = false;
	return NULL;
}

/* Link `name`, where the dest stands, to the path in job->link. */
static struct err *try_link(struct job *job, const char *name, bool replace, bool *ret_done)
{
	struct place_dir dir;
	struct str parent;
	const char *target = split(&job->link, &parent);
	AUTO(fd) int opened = -1;
	int from_fd;

	TRY(dest_here(&job->dest, &dir));
	from_fd = dir.fd;
	if (!str_is(parent, chain_path(&job->dest.chain))) {
		TRY(open_link_dir(job, parent, &opened));
		from_fd = opened;
	}
	*ret_done = false;
	if (from_fd < 0)
		return NULL;
	return make_link(from_fd, target, &dir, name, replace, ret_done);
}

static struct err *unpack_link(struct job *job, const char *name, const struct tar_entry *entry)
{
	struct place_dir dir;
	struct err *err;
	bool done;

	TRY(err_wrap(clean_path(job, entry->link, &job->link), "its target '%s'", entry->link));
	TRY(try_link(job, name, true, &done));
	if (done)
		return NULL;

	/* The last of duplicates wins: what was called so is gone, whatever becomes of the link. */
	TRY(dest_here(&job->dest, &dir));
	err = clear_way(&dir, name);
	if (err && err_errno(err) != ENOENT)
		return err;
	err_free(err);
	TRY(wait_for_end(job, job->path.len + job->link.len));
	vec_push(&job->links, (struct late_link){ .path = str_dup(buf_str(&job->path)),
						  .target = str_dup(buf_str(&job->link)) });
	return NULL;
}

/* Make the regular file that lies below, open as `below_fd`, in the layer too, so that it can be
 * linked. Takes ownership of `below_fd`. */
static struct err *copy_up(struct job *job, const char *name, int below_fd)
{
	AUTO(fd) int fd = below_fd;
	AUTO(xattrs) struct xattrs xattrs = { 0 };
	AUTO(source) struct source *content = NULL;
	struct stat st;
	struct tar_entry entry = { .type = TAR_FILE };

	if (fstat(fd, &st) < 0)
		return err_sys("stat the target below the layer");
	if (!S_ISREG(st.st_mode))
		return err_new(ERR_UNSUPPORTED, "a hard link to something below that is no file");
	TRY(owner_stat(fd, &st));
	TRY(xattrs_read(fd, XATTR_VIEW, &xattrs));
	entry.mode = st.st_mode & 07777;
	entry.uid = st.st_uid;
	entry.gid = st.st_gid;
	entry.size = (uint64_t)st.st_size;
	entry.mtime = st.st_mtim.tv_sec;
	entry.xattrs = xattrs.at;
	entry.xattr_count = xattrs.len;
	content = source_from_fd(STEAL_FD(fd), name);
	return unpack_file(job, name, &entry, content);
}

/* Take the target of a link, job->link, from below into the layer. */
static struct err *fetch_target(struct job *job, bool *ret_found)
{
	struct str parent;
	const char *name = split(&job->link, &parent), *here;
	AUTO(mem) char *path = NULL;
	AUTO(fd) int fd = -1;
	struct err *err;

	/* The links on the way are followed in what this layer and those below make together. */
	TRY(dest_move(&job->dest, parent, DEST_KNOW, 0, ret_found));
	if (!*ret_found)
		return NULL;
	here = chain_path(&job->dest.chain);
	path = xasprintf("%s%s%s", here, *here ? "/" : "", name);
	err = file_open(job->dest.below_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0,
			FILE_NO_LINKS, &fd);
	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err);
		*ret_found = false;
		return NULL;
	}
	TRY(err);
	buf_reset(&job->link);
	buf_adds(&job->link, path);
	return copy_up(job, split(&job->link, &parent), STEAL_FD(fd));
}

static struct err *finish_link(struct job *job, const struct late_link *late)
{
	struct str parent;
	const char *name;
	bool done;

	buf_reset(&job->path);
	buf_adds(&job->path, late->path);
	buf_reset(&job->link);
	buf_adds(&job->link, late->target);
	name = split(&job->path, &parent);
	TRY(dest_move(&job->dest, parent, DEST_MAKE, 0, &done));
	if (!done) /* something else has come in the place of its directory */
		return NULL;
	TRY(try_link(job, name, false, &done));
	if (done)
		return NULL;

	job->dest.dependent = true;
	if (job->dest.below_fd < 0)
		return NULL;
	TRY(fetch_target(job, &done));
	if (done)
		TRY(dest_move(&job->dest, parent, DEST_MAKE, 0, &done));
	if (done)
		TRY(try_link(job, name, false, &done));
	if (!done)
		return err_new(ERR_INVALID, "a hard link to '%s', which does not exist",
			       late->target);
	return NULL;
}

static struct err *finish_links(struct job *job)
{
	vec_foreach (&job->links, late)
		TRY(err_wrap(finish_link(job, late), "entry '%s'", late->path));
	return NULL;
}

/* ---- whiteouts ---- */

static struct err *note_hiding(struct job *job, struct str path, bool opaque)
{
	TRY(wait_for_end(job, path.len + sizeof(struct hiding)));
	vec_push(&job->hidings, (struct hiding){ .path = str_dup(path), .opaque = opaque });
	return NULL;
}

/* Note what an entry called `name`, the last component of job->path, hides. `*ret_is` is false if
 * it is no whiteout. */
static struct err *unpack_whiteout(struct job *job, char *name, struct str parent, bool *ret_is)
{
	enum whiteout_kind kind;
	const char *hidden;
	size_t before = (size_t)(name - job->path.at);

	*ret_is = false;
	if (job->opts->plain)
		return NULL;
	TRY(whiteout_parse(name, &kind, &hidden));
	*ret_is = kind != WHITEOUT_NONE;
	if (kind == WHITEOUT_OPAQUE)
		return note_hiding(job, parent, true);
	if (kind == WHITEOUT_FILE) {
		/* The prefix goes, the path to it stays. */
		memmove(name, hidden, strlen(hidden) + 1);
		return note_hiding(job, (struct str){ job->path.at, before + strlen(name) }, false);
	}
	return NULL;
}

static int by_path(const void *a, const void *b)
{
	const struct hiding *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : (int)x->opaque - (int)y->opaque;
}

/* Hide `name` below the directory where the dest stands. */
static struct err *hide(struct job *job, const char *name)
{
	AUTO(fd) int fd = -1;
	struct place_dir dir;
	struct err *err;

	TRY(dest_here(&job->dest, &dir));
	err = whiteout_make(dir.fd, name);
	if (!was_taken(&err))
		return err;
	fd = openat(dir.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? NULL : whiteout_set_opaque(fd);
}

/* The root is opaque: hide every name below it. */
static struct err *hide_all(struct job *job)
{
	AUTO(strings) struct strings names = { 0 };

	job->dest.dependent = true;
	if (job->dest.below_fd < 0)
		return NULL;
	TRY(file_list(job->dest.below_fd, ".", &names));
	vec_foreach (&names, name)
		TRY(hide(job, *name));
	return NULL;
}

static struct err *finish_hiding(struct job *job, const struct hiding *hiding)
{
	struct buf text = { .at = hiding->path, .len = strlen(hiding->path) };
	struct str path = buf_str(&text), parent = path;
	const char *name = hiding->opaque ? NULL : split(&text, &parent);
	struct place_dir dir;
	bool found;

	TRY(dest_move(&job->dest, parent, DEST_KNOW, 0, &found));
	if (!found || dest_level(&job->dest)->hidden)
		return NULL;
	if (name)
		return hide(job, name);
	if (path.len == 0)
		return hide_all(job);
	TRY(dest_here(&job->dest, &dir));
	dest_level(&job->dest)->hidden = true;
	return whiteout_set_opaque(dir.fd);
}

static struct err *finish_hidings(struct job *job)
{
	bool found;

	if (job->hidings.len == 0)
		return NULL;
	qsort(job->hidings.at, job->hidings.len, sizeof(*job->hidings.at), by_path);
	/* Levels entered so far were not asked. */
	TRY(dest_move(&job->dest, STR(""), DEST_MAKE, 0, &found));
	job->dest.ask_opaque = true;
	vec_foreach (&job->hidings, hiding)
		TRY(err_wrap(finish_hiding(job, hiding), "whiteout of '%s'", hiding->path));
	return NULL;
}

/* ---- the whole ---- */

static struct err *unpack_entry(struct job *job, const struct tar_entry *entry,
				struct tar_reader *tar)
{
	struct tar_entry given;
	struct str parent;
	bool is_whiteout, found;
	char *name;

	TRY(tar_check_entry(entry));
	if (job->opts->give_owner) {
		given = *entry;
		given.uid = job->opts->uid;
		given.gid = job->opts->gid;
		entry = &given;
	}
	TRY(clean_path(job, entry->path, &job->path));
	if (job->path.len == 0)
		return unpack_root(job, entry);
	name = split(&job->path, &parent);
	TRY(unpack_whiteout(job, name, parent, &is_whiteout));
	if (is_whiteout)
		return NULL;

	TRY(dest_move(&job->dest, parent, DEST_MAKE, entry->mtime, &found));
	if (!found)
		return err_new(ERR_INVALID, "its parent is not a directory");
	switch (entry->type) {
	case TAR_FILE:
		return unpack_file(job, name, entry, tar_reader_content(tar));
	case TAR_DIR:
		return unpack_dir(job, name, entry);
	case TAR_HARDLINK:
		return unpack_link(job, name, entry);
	case TAR_SYMLINK:
	case TAR_CHAR:
	case TAR_BLOCK:
	case TAR_FIFO:
		break;
	}
	return unpack_node(job, name, entry);
}

static struct err *unpack_all(struct job *job, struct tar_reader *tar)
{
	const struct tar_entry *entry;
	struct err *err;

	for (;;) {
		TRY(cancel_check());
		TRY(tar_reader_next(tar, &entry));
		if (!entry)
			return NULL;
		err = unpack_entry(job, entry, tar);
		if (tar_reader_has_failed(tar)) /* it says which entry */
			return err;
		TRY(err_wrap(err, "entry '%s'", entry->path));
		job->entries++;
	}
}

/* What waited for the end. */
static struct err *unpack_rest(struct job *job)
{
	struct dest_level *root;

	TRY(finish_links(job));
	TRY(finish_hidings(job));
	if (job->opts->merge)
		return dest_finish(&job->dest);
	/* Nobody sees the time of a root that the layer does not bring; let it be the same
	 * always. */
	root = &job->dest.levels.at[0];
	if (!job->has_root)
		root->mtime = (struct timespec){ 0 };
	root->dirty = true;
	return dest_finish(&job->dest);
}

struct tar_limits unpack_limits(uint64_t packed)
{
	uint64_t bytes = packed < NEVER / RATIO ? packed * RATIO : NEVER;

	return (struct tar_limits){ .bytes = bytes > ALWAYS ? bytes : ALWAYS };
}

struct err *unpack(struct source *tar, int fs_fd, const struct unpack_opts *opts,
		   struct unpack_result *ret)
{
	struct source *slice = source_slice(tar, UINT64_MAX);
	struct source *hashed = opts->merge ? slice : source_hash(slice);
	/* Reading and hashing go on in a thread of their own, about half of all the work. */
	AUTO(source) struct source *ahead = pipeline_source(hashed);
	AUTO(tar_reader) struct tar_reader *reader = tar_reader_new(ahead, opts->limits);
	AUTO(job) struct job job;
	struct digest diff_id = { { 0 } };
	uint64_t size;

	job_init(&job, fs_fd, opts);
	TRY(unpack_all(&job, reader));
	TRY(unpack_rest(&job));
	/* At the end of `ahead` its thread has ended too. */
	if (!opts->merge)
		TRY(source_hash_finish(hashed, &diff_id, &size));
	*ret = (struct unpack_result){
		.diff_id = diff_id,
		.entries = job.entries,
		.bytes = job.bytes,
		.dependent = job.dest.dependent,
		.has_root = job.has_root,
	};
	return NULL;
}
