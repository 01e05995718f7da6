/*
 * tests/unit/tree.h - layers for tests: an archive from text, and a directory as text.
 *
 * Both use the lines of tests/unit/archive.h:
 *
 *	f 4755 0:0 5 1700000000 usr/bin/x hello user.mime=text
 *	h 644 0:0 0 1700000000 usr/bin/y -> usr/bin/x
 *	c 600 0:0 0 1700000000 dev/null 1,3
 *
 * Behind the path come target, device or content (of a file that is not empty), then xattrs.
 * In a directory a whiteout is "w path", and attributes of overlayfs are shown as they lie there.
 */
#ifndef TESTS_TREE_H
#define TESTS_TREE_H

#include "tests/unit/archive.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "base/stream.h"
#include "base/tar.h"
#include "base/vec.h"
#include "overlay/unpack.h"

/* A directory, a file and what is to become a whiteout, in the usual way. */
#define D(path) "d 755 0:0 0 100 " path "\n"
#define F(path) "f 644 0:0 1 200 " path " x\n"
#define W(path) "f 0 0:0 0 0 " path "\n"

/* ---- text to archive ---- */

static inline int tree_hex(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The inverse of add_runs(). */
static inline void tree_unescape(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		unsigned long times = 1;

		if (c == '\\') {
			c = (char)(tree_hex(text.at[i + 2]) * 16 + tree_hex(text.at[i + 3]));
			i += 3;
		}
		if (i + 1 < text.len && text.at[i + 1] == '*') {
			char *end;

			times = strtoul(text.at + i + 2, &end, 10);
			i = (size_t)(end - text.at) - 1;
		}
		while (times-- > 0)
			buf_addc(out, c);
	}
}

static inline void tree_record(struct buf *out, const char *key, struct str value)
{
	size_t bare = strlen(key) + value.len + 3, len = bare;

	while (len != bare + (size_t)snprintf(NULL, 0, "%zu", len))
		len = bare + (size_t)snprintf(NULL, 0, "%zu", len);
	buf_addf(out, "%zu %s=", len, key);
	buf_add_str(out, value);
	buf_addc(out, '\n');
}

static inline void tree_block(struct buf *out, char type, struct str path, struct str link,
			      const unsigned long long *fields)
{
	struct ustar block;

	ustar_init(&block);
	memcpy(block.name, path.at, path.len < 100 ? path.len : 100);
	memcpy(block.link, link.at ? link.at : "", link.len < 100 ? link.len : 100);
	USTAR_PUT(block.mode, fields[0]);
	USTAR_PUT(block.uid, fields[1] & 07777777);
	USTAR_PUT(block.gid, fields[2] & 07777777);
	USTAR_PUT(block.size, fields[3]);
	USTAR_PUT(block.mtime, fields[4]);
	USTAR_PUT(block.dev_major, fields[5] & 07777777);
	USTAR_PUT(block.dev_minor, fields[6] & 07777777);
	block.type = type;
	ustar_seal(&block);
	buf_add(out, &block, sizeof(block));
}

static inline void tree_padded(struct buf *out, struct str data)
{
	buf_add_str(out, data);
	add_zeros(out, -data.len % TAR_BLOCK_SIZE);
}

/* Append the entry of one line. */
static inline void tree_add(struct buf *out, struct str line)
{
	static const char letters[] = "fhlcbdp", types[] = "0123456";
	AUTO(buf) struct buf path = BUF_INIT(BUF_MAX), body = BUF_INIT(BUF_MAX);
	AUTO(buf) struct buf pax = BUF_INIT(BUF_MAX);
	unsigned long long fields[7] = { 0 };
	struct str word = str_cut(&line, ' '), ids, id;
	char letter = *word.at;
	char type = types[strchr(letters, letter) - letters];

	word = str_cut(&line, ' ');
	fields[0] = strtoull(word.at, NULL, 8);
	ids = str_cut(&line, ' ');
	id = str_cut(&ids, ':');
	fields[1] = strtoull(id.at, NULL, 10);
	fields[2] = strtoull(ids.at, NULL, 10);
	if (fields[1] > 07777777)
		tree_record(&pax, "uid", id);
	if (fields[2] > 07777777)
		tree_record(&pax, "gid", ids);
	word = str_cut(&line, ' ');
	fields[3] = strtoull(word.at, NULL, 10);
	word = str_cut(&line, ' ');
	if (*word.at == '-')
		tree_record(&pax, "mtime", word);
	else
		fields[4] = strtoull(word.at, NULL, 10);
	tree_unescape(&path, str_cut(&line, ' '));
	if (path.len > 100)
		tree_record(&pax, "path", buf_str(&path));
	if (letter == 'c' || letter == 'b') {
		char *end;

		fields[5] = strtoull(line.at, &end, 10);
		fields[6] = strtoull(end + 1, NULL, 10);
		str_cut(&line, ' ');
	}
	if (letter == 'h' || letter == 'l')
		str_cut(&line, ' '); /* the arrow */
	if (letter == 'h' || letter == 'l' || fields[3] > 0)
		tree_unescape(&body, str_cut(&line, ' '));
	if ((letter == 'h' || letter == 'l') && body.len > 100)
		tree_record(&pax, "linkpath", buf_str(&body));
	while (line.len > 0) {
		struct str value = str_cut(&line, ' ');
		struct str name = str_cut(&value, '=');
		AUTO(mem) char *key = xasprintf("SCHILY.xattr.%.*s", STR_ARG(name));
		AUTO(buf) struct buf plain = BUF_INIT(BUF_MAX);

		tree_unescape(&plain, value);
		tree_record(&pax, key, buf_str(&plain));
	}
	if (pax.len > 0) {
		const unsigned long long size[7] = { [3] = pax.len };

		tree_block(out, 'x', STR("pax"), STR(""), size);
		tree_padded(out, buf_str(&pax));
	}
	if (letter == 'h' || letter == 'l') {
		tree_block(out, type, buf_str(&path), buf_str(&body), fields);
		return;
	}
	fields[3] = letter == 'f' ? body.len : 0;
	tree_block(out, type, buf_str(&path), STR(""), fields);
	tree_padded(out, buf_str(&body));
}

/* The archive of `lines`, with its end, appended to `out`. */
static inline void tree_archive(struct buf *out, const char *lines)
{
	struct str rest = str_of(lines);

	while (rest.len > 0)
		tree_add(out, str_cut(&rest, '\n'));
	add_zeros(out, (size_t)2 * TAR_BLOCK_SIZE);
}

/* ---- directory to text ---- */

struct tree_listing {
	struct buf *out;
	struct map inodes; /* -> first path */
	struct buf path;
};

static inline int tree_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void tree_xattrs(struct buf *out, int dir_fd, const char *name)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(strings) struct strings names = { 0 };
	char list[4096], value[4096];
	ssize_t len = flistxattr(fd, list, sizeof(list));

	for (char *at = list; at < list + len; at += strlen(at) + 1)
		strings_push(&names, at);
	if (names.len > 1)
		qsort(names.at, names.len, sizeof(*names.at), tree_order);
	vec_foreach (&names, each) {
		len = fgetxattr(fd, *each, value, sizeof(value));
		assert_true(len >= 0);
		buf_addf(out, " %s=", *each);
		add_runs(out, (struct str){ value, (size_t)len });
	}
}

static inline char tree_letter(mode_t mode)
{
	return S_ISREG(mode)  ? 'f' :
	       S_ISDIR(mode)  ? 'd' :
	       S_ISLNK(mode)  ? 'l' :
	       S_ISCHR(mode)  ? 'c' :
	       S_ISBLK(mode)  ? 'b' :
	       S_ISFIFO(mode) ? 'p' :
				's';
}

/* What stands behind the path of something that is no directory. */
static inline void tree_rest(struct buf *out, int dir_fd, const char *name, const struct stat *st)
{
	AUTO(buf) struct buf content = BUF_INIT(BUF_MAX);
	char link[4097];
	ssize_t len;

	if (S_ISREG(st->st_mode) && st->st_size > 0 && (size_t)st->st_size < BUF_MAX / 2) {
		assert_ok(file_read(dir_fd, name, BUF_MAX / 2, &content));
		buf_addc(out, ' ');
		add_runs(out, buf_str(&content));
	}
	if (S_ISLNK(st->st_mode)) {
		len = readlinkat(dir_fd, name, link, sizeof(link));
		buf_adds(out, " -> ");
		add_runs(out, (struct str){ link, (size_t)len });
	}
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		buf_addf(out, " %u,%u", major(st->st_rdev), minor(st->st_rdev));
}

static inline void tree_dir(struct tree_listing *tree, int dir_fd);

static inline void tree_entry(struct tree_listing *tree, int dir_fd, const char *name)
{
	uint64_t id[2];
	struct str key = { (const char *)id, sizeof(id) };
	const char *first;
	size_t before = tree->path.len;
	struct stat st;

	assert_int_equal(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	id[0] = st.st_dev;
	id[1] = st.st_ino;
	if (strcmp(name, ".") != 0)
		buf_addf(&tree->path, "%s%s", before > 0 ? "/" : "", name);
	first = S_ISDIR(st.st_mode) || st.st_nlink < 2 ? NULL : map_get(&tree->inodes, key);
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0) {
		buf_adds(tree->out, "w ");
		add_runs(tree->out, buf_str(&tree->path));
	} else {
		buf_addf(tree->out, "%c %o %u:%u %ju %jd ", first ? 'h' : tree_letter(st.st_mode),
			 st.st_mode & 07777, st.st_uid, st.st_gid,
			 first || !S_ISREG(st.st_mode) ? (uintmax_t)0 : (uintmax_t)st.st_size,
			 (intmax_t)st.st_mtim.tv_sec);
		add_runs(tree->out, tree->path.len > 0 ? buf_str(&tree->path) : STR("."));
		if (first) {
			buf_adds(tree->out, " -> ");
			add_runs(tree->out, str_of(first));
		} else {
			tree_rest(tree->out, dir_fd, name, &st);
		}
		if ((S_ISREG(st.st_mode) && !first) || S_ISDIR(st.st_mode))
			tree_xattrs(tree->out, dir_fd, name);
		if (!S_ISDIR(st.st_mode) && st.st_nlink > 1 && !first)
			map_put(&tree->inodes, key, xstrdup(tree->path.at));
	}
	buf_addc(tree->out, '\n');
	if (S_ISDIR(st.st_mode) && strcmp(name, ".") != 0) {
		AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		tree_dir(tree, fd);
	}
	tree->path.len = before;
	if (tree->path.at)
		tree->path.at[before] = '\0';
}

static inline void tree_dir(struct tree_listing *tree, int dir_fd)
{
	AUTO(strings) struct strings names = { 0 };

	assert_ok(file_list(dir_fd, ".", &names));
	vec_foreach (&names, name)
		tree_entry(tree, dir_fd, *name);
}

/* All that lies below `dir_fd`, sorted by bytes; with `root`, that itself first, as ".". */
static inline void tree_text(struct buf *out, int dir_fd, bool root)
{
	struct tree_listing tree = { .out = out, .path = BUF_INIT(16384) };

	if (root)
		tree_entry(&tree, dir_fd, ".");
	tree_dir(&tree, dir_fd);
	map_release(&tree.inodes, free);
	buf_release(&tree.path);
}

/* ---- directories for tests ---- */

/* A fresh directory `name` below `dir_fd`. */
static inline int tree_make(int dir_fd, const char *name)
{
	int fd;

	assert_ok(file_remove_tree(dir_fd, name));
	assert_int_equal(mkdirat(dir_fd, name, 0755), 0);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* The tree of `lines`, unpacked as a layer on nothing. */
static inline void tree_unpack(int fd, const char *lines)
{
	const struct unpack_opts opts = { .below_fd = -1 };
	AUTO(buf) struct buf tar = BUF_INIT(BUF_MAX);
	AUTO(source) struct source *src = NULL;
	struct unpack_result result;

	tree_archive(&tar, lines);
	src = source_from_memory(tar.at, tar.len);
	assert_ok(unpack(src, fd, &opts, &result));
}

/* A fresh directory with the tree of `lines`; without lines, an empty one. */
static inline int tree_unpacked(int dir_fd, const char *name, const char *lines)
{
	int fd = tree_make(dir_fd, name);

	tree_unpack(fd, lines);
	return fd;
}

static inline void assert_text(const char *what, const struct buf *got, const char *want)
{
	const char *text = got->at ? got->at : "";

	if (strcmp(text, want) != 0)
		fail_msg("%s:\n%swanted:\n%s", what, text, want);
}

#endif
