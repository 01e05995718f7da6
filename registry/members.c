/* registry/members.c - see registry/members.h. */

#include "registry/members.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/path.h"
#include "base/stream.h"
#include "base/untar.h"
#include "registry/foreign.h"
#include "store/store.h"

#define LINKS_MAX 8    /* links from a name to its file */
#define HEAD_SIZE 8    /* first bytes that are kept, to tell codecs and documents */
#define NAME_MAX_ 4096 /* of a member */

struct member {
	char *name;      /* owned; the key in the map */
	uint64_t number; /* the how-manieth entry of the tar it is */
	char *link;      /* owned; the clean name that a link leads to; NULL for a file */
	uint64_t size;
	char head[HEAD_SIZE];
	size_t head_len;
	char *text; /* owned; the whole document, or NULL if it was not kept */
};

struct members {
	char *path;     /* owned; for messages */
	int dir_fd;     /* owned; the directory, or -1 */
	int fd;         /* owned; the tar, from its start; -1 for a directory */
	struct map map; /* clean name -> struct member *; of a directory: what was asked for */
	size_t kept;    /* bytes of documents */
};

static void member_free(void *arg)
{
	struct member *member = arg;

	if (!member)
		return;
	free(member->name);
	free(member->link);
	free(member->text);
	free(member);
}

/* ---- names ---- */

/* The clean form of a name, seen from the directory `dir`; owned. NULL if there is none. */
static char *clean_name(struct str dir, const char *name)
{
	AUTO(buf) struct buf clean = BUF_INIT(NAME_MAX_);

	if (name[0] != '/' && !path_add(&clean, dir, PATH_REFUSED))
		return NULL;
	if (!path_add(&clean, str_of(name), PATH_REFUSED) || clean.len == 0)
		return NULL;
	return buf_steal(&clean);
}

/* What stands before the last slash. */
static struct str dir_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return (struct str){ name, slash ? (size_t)(slash - name) : 0 };
}

/* ---- the list of a tar's members ---- */

static bool looks_like_json(const struct member *member)
{
	struct str head = str_trim((struct str){ member->head, member->head_len });

	return head.len > 0 && (head.at[0] == '{' || head.at[0] == '[');
}

/* Read as much of a file as tells what it is, and all of it if it is a document. */
static struct err *keep_document(struct members *members, struct member *member,
				 struct source *content)
{
	member->head_len = member->size < HEAD_SIZE ? (size_t)member->size : HEAD_SIZE;
	TRY(source_read_full(content, member->head, member->head_len));
	if (!looks_like_json(member) || member->size > MEMBERS_DOCUMENT_MAX)
		return NULL;
	if (member->size > MEMBERS_DOCUMENTS_MAX - members->kept)
		return NULL; /* members_read() will say so, should it be wanted */
	members->kept += (size_t)member->size;
	member->text = xcalloc((size_t)member->size + 1, 1);
	memcpy(member->text, member->head, member->head_len);
	return source_read_full(content, member->text + member->head_len,
				(size_t)member->size - member->head_len);
}

static struct err *list_entry(struct members *members, struct tar_reader *tar,
			      const struct tar_entry *entry, uint64_t number)
{
	AUTO(mem) char *name = clean_name(STR(""), entry->path);
	struct member *member;

	if (!name ||
	    (entry->type != TAR_FILE && entry->type != TAR_SYMLINK && entry->type != TAR_HARDLINK))
		return NULL;
	member = xcalloc(1, sizeof(*member));
	member_free(map_put(&members->map, str_of(name), member));
	member->name = xstrdup(name);
	member->number = number;
	member->size = entry->size;
	if (entry->type == TAR_FILE)
		return keep_document(members, member, tar_reader_content(tar));
	member->link = clean_name(entry->type == TAR_SYMLINK ? dir_of(name) : STR(""), entry->link);
	if (!member->link)
		member->link = xstrdup(""); /* leads nowhere */
	return NULL;
}

/* ---- reading a tar from its start ---- */

struct pass {
	struct source *src;
	struct tar_reader *tar;
};

static void pass_auto_(struct pass *pass)
{
	tar_reader_free(pass->tar);
	source_free(pass->src);
}

static struct err *pass_begin(const struct members *members, struct pass *ret)
{
	static const struct tar_limits limits = { .entries = MEMBERS_MAX };
	int fd;

	if (lseek(members->fd, 0, SEEK_SET) < 0)
		return err_sys("rewind");
	fd = fcntl(members->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_sys("read");
	TRY(codec_open(source_from_fd(fd, members->path), NULL, &ret->src));
	ret->tar = tar_reader_new(ret->src, &limits);
	return NULL;
}

static struct err *list_tar(struct members *members)
{
	AUTO(pass) struct pass pass = { 0 };
	const struct tar_entry *entry = NULL;

	TRY(pass_begin(members, &pass));
	for (uint64_t number = 1;; number++) {
		TRY(cancel_check());
		TRY(tar_reader_next(pass.tar, &entry));
		if (!entry)
			break;
		TRY(list_entry(members, pass.tar, entry, number));
	}
	if (members->map.len == 0)
		return err_new(ERR_INVALID, "it is no archive, or an empty one");
	return NULL;
}

/* It could not be read as a tar: say what it is instead, if its first bytes tell. Consumes `err`. */
static struct err *tell_kind(struct members *members, const char *path, struct err *err)
{
	char head[FOREIGN_HEAD];
	ssize_t n = pread(members->fd, head, sizeof(head), 0);
	struct err *kind;

	if (err_kind(err) != ERR_CORRUPT || members->map.len > 0 || n <= 0)
		return err;
	kind = foreign_kind((struct str){ head, (size_t)n }, strcmp(path, "-") == 0 ? "FILE" : path,
			    "cairn load -");
	if (!kind)
		return err_wrap(err, "it is no tar");
	err_free(err);
	return kind;
}

/* ---- opening ---- */

/* Replace what can be read only once by a copy without a name. */
static struct err *spool(struct store *store, struct members *members)
{
	AUTO(source) struct source *src = NULL;
	AUTO(sink) struct sink *out = NULL;
	AUTO(fd) int file = -1;
	int copy;

	TRY(file_open(store_fd(store), ".", O_TMPFILE | O_RDWR, 0600, FILE_NO_LINKS, &file));
	copy = fcntl(file, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return err_sys("copy");
	out = sink_to_fd(copy, "a copy in the store");
	src = source_from_fd(STEAL_FD(members->fd), members->path);
	TRY(stream_copy(src, out, NULL));
	TRY(sink_finish(out));
	members->fd = STEAL_FD(file);
	return NULL;
}

/* Its errors name the path. */
static struct err *open_path(const char *path, struct members *members)
{
	if (strcmp(path, "-") != 0)
		return file_open(AT_FDCWD, path, O_RDONLY | O_NOCTTY, 0, FILE_ANYWHERE,
				 &members->fd);
	members->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	return members->fd < 0 ? err_sys("open standard input") : NULL;
}

static struct err *list_all(struct store *store, const char *path, struct members *members)
{
	struct stat st;
	struct err *err;

	if (fstat(members->fd, &st) < 0)
		return err_sys("stat");
	if (S_ISDIR(st.st_mode)) {
		members->dir_fd = STEAL_FD(members->fd);
		return NULL;
	}
	if (!S_ISREG(st.st_mode))
		TRY(spool(store, members));
	err = list_tar(members);
	return err ? tell_kind(members, path, err) : NULL;
}

struct err *members_open(struct store *store, const char *path, struct members **ret)
{
	AUTO(members) struct members *members = xcalloc(1, sizeof(*members));

	members->path = xstrdup(strcmp(path, "-") == 0 ? "standard input" : path);
	members->dir_fd = -1;
	members->fd = -1;
	TRY(open_path(path, members));
	TRY(err_wrap(list_all(store, path, members), "%s", members->path));
	*ret = STEAL(members);
	return NULL;
}

void members_free(struct members *members)
{
	if (!members)
		return;
	map_release(&members->map, member_free);
	if (members->dir_fd >= 0)
		close(members->dir_fd);
	if (members->fd >= 0)
		close(members->fd);
	free(members->path);
	free(members);
}

/* ---- looking up ---- */

/* Open a regular file of a directory; -1 if there is none. */
static int open_below(const struct members *members, const char *name, struct stat *st)
{
	AUTO(fd) int fd = -1;
	AUTO(err)
	struct err *err = file_open(members->dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
				    FILE_BENEATH, &fd);

	if (err || fstat(fd, st) < 0 || !S_ISREG(st->st_mode))
		return -1;
	return STEAL_FD(fd);
}

/* What a directory has by that name, noted in the map. */
static const struct member *look_below(struct members *members, const char *name)
{
	struct member *member;
	struct stat st;
	AUTO(fd) int fd = open_below(members, name, &st);
	ssize_t n;

	if (fd < 0)
		return NULL;
	member = xcalloc(1, sizeof(*member));
	member->name = xstrdup(name);
	member->size = (uint64_t)st.st_size;
	n = pread(fd, member->head, HEAD_SIZE, 0);
	member->head_len = n > 0 ? (size_t)n : 0;
	map_put(&members->map, str_of(name), member);
	return member;
}

/* The regular file that a clean name leads to; NULL if there is none. */
static const struct member *follow(struct members *members, const char *name)
{
	for (int i = 0; i < LINKS_MAX; i++) {
		const struct member *member = map_get(&members->map, str_of(name));

		if (!member && members->dir_fd >= 0)
			return look_below(members, name);
		if (!member || !member->link)
			return member;
		name = member->link;
	}
	return NULL;
}

const char *members_find(struct members *members, const char *name)
{
	AUTO(mem) char *clean = clean_name(STR(""), name);
	const struct member *member = clean ? follow(members, clean) : NULL;

	return member ? member->name : NULL;
}

struct err *members_read(struct members *members, const char *name, size_t max, struct buf *buf)
{
	AUTO(mem) char *clean = clean_name(STR(""), name);
	const struct member *member = clean ? follow(members, clean) : NULL;
	AUTO(fd) int fd = -1;
	struct stat st;

	if (!member)
		return err_new(ERR_NOT_FOUND, "%s: no file '%.200s'", members->path, name);
	if (member->size > max)
		return err_new(ERR_INVALID, "%s: '%.200s' is larger than %zu bytes", members->path,
			       name, max);
	if (members->dir_fd >= 0) {
		fd = open_below(members, member->name, &st);
		if (fd < 0)
			return err_new(ERR_NOT_FOUND, "%s: no file '%.200s'", members->path, name);
		return file_read_fd(fd, name, max, buf);
	}
	if (!member->text)
		return err_new(ERR_INVALID, "%s: '%.200s' is no JSON document", members->path,
			       name);
	buf_add(buf, member->text, (size_t)member->size);
	return buf_check(buf, name);
}

struct err *members_read_json(struct members *members, const char *name, size_t max, json_t **ret,
			      struct json_at *ret_root)
{
	AUTO(buf) struct buf text = BUF_INIT(max);

	TRY(members_read(members, name, max, &text));
	TRY(json_parse(buf_str(&text), max, name, ret));
	*ret_root = json_root(*ret, name);
	return NULL;
}

/* ---- visiting ---- */

struct visit {
	struct members *members;
	const struct map *wanted;
	struct err *(*each)(void *arg, const struct member_content *member);
	void *arg;
};

static struct err *visit_one(const struct visit *visit, const struct member *member,
			     struct source *content)
{
	const struct member_content arrived = {
		.name = member->name,
		.value = map_get(visit->wanted, str_of(member->name)),
		.content = content,
		.size = member->size,
		.codec = codec_detect(member->head, member->head_len),
	};

	TRY(cancel_check());
	return err_wrap(visit->each(visit->arg, &arrived), "%s: '%.200s'", visit->members->path,
			member->name);
}

static struct err *visit_dir(const struct visit *visit)
{
	map_foreach (visit->wanted, entry) {
		const struct member *member = map_get(&visit->members->map, str_of(entry->key));
		AUTO(source) struct source *content = NULL;
		struct stat st;
		int fd = open_below(visit->members, entry->key, &st);

		if (!member || fd < 0)
			return err_new(ERR_NOT_FOUND, "%s: '%.200s' is gone", visit->members->path,
				       entry->key);
		content = source_from_fd(fd, entry->key);
		TRY(visit_one(visit, member, content));
	}
	return NULL;
}

static struct err *visit_tar(const struct visit *visit)
{
	AUTO(pass) struct pass pass = { 0 };
	const struct tar_entry *entry = NULL;
	size_t left = visit->wanted->len;

	TRY(pass_begin(visit->members, &pass));
	for (uint64_t number = 1; left > 0; number++) {
		AUTO(mem) char *name = NULL;
		const struct member *member;

		TRY(err_wrap(tar_reader_next(pass.tar, &entry), "%s", visit->members->path));
		if (!entry)
			return err_new(ERR_CORRUPT, "%s changed while it was read",
				       visit->members->path);
		name = clean_name(STR(""), entry->path);
		member = name ? map_get(&visit->members->map, str_of(name)) : NULL;
		if (!member || member->number != number || entry->type != TAR_FILE ||
		    !map_has(visit->wanted, str_of(name)))
			continue;
		TRY(visit_one(visit, member, tar_reader_content(pass.tar)));
		left--;
	}
	return NULL;
}

struct err *members_visit(struct members *members, const struct map *wanted,
			  struct err *(*each)(void *arg, const struct member_content *member),
			  void *arg)
{
	const struct visit visit = { members, wanted, each, arg };

	return members->dir_fd >= 0 ? visit_dir(&visit) : visit_tar(&visit);
}
