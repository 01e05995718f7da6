/* builder/package_scan.c - see builder/package_scan.h. */

#include "builder/package_scan.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/package_list.h"
#include "overlay/walk.h"

#define DATABASE_MAX ((size_t)32 * 1024 * 1024) /* of dpkg or apk; a large system has 5 MB */
#define DOCUMENT_MAX ((size_t)1024 * 1024)      /* a package.json */
#define HEAD_MAX ((size_t)64 * 1024) /* what is read of METADATA: a description follows */
#define STATUS_FILES_MAX ((size_t)20 * 1000)

/* Of all files together: an image may have one large file under very many names. */
#define READ_MAX ((uint64_t)512 * 1024 * 1024)

typedef void reader(struct package_list *list, struct str text, const char *place);

struct scan {
	struct package_list *list;
	uint64_t left; /* bytes that may still be read */
};

/* ---- reading ---- */

/* The first `max` bytes of a regular file, or with `whole` nothing of a larger one. Whatever else stands
 * there is passed over: it is not ours to complain of. */
static bool read_file(struct scan *scan, int dir_fd, const char *path, enum file_follow follow,
		      size_t max, bool whole, struct buf *ret)
{
	AUTO(fd) int fd = -1;
	struct err *err = file_open(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, follow, &fd);
	UNCLEARED char piece[32 * 1024];
	struct stat st;
	size_t n = 1;

	if (err || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (whole && (uint64_t)st.st_size > max)) {
		err_free(err);
		return false;
	}
	while (!err && n && ret->len < max && scan->left) {
		size_t want = max - ret->len < sizeof(piece) ? max - ret->len : sizeof(piece);

		if (want > scan->left)
			want = (size_t)scan->left;
		err = file_read_some(fd, piece, want, path, &n);
		if (err)
			break;
		buf_add(ret, piece, n);
		scan->left -= n;
	}
	err_free(err); /* what was read, counts */
	return true;
}

static void say_too_large(int root_fd, const char *path)
{
	AUTO(fd) int fd = -1;
	AUTO(err) struct err *err = file_open(root_fd, path, O_PATH, 0, FILE_IN_ROOT, &fd);
	struct stat st;

	if (!err && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size > DATABASE_MAX)
		log_warn("the list of packages is not complete: %s is too large", path);
}

static void read_database(struct scan *scan, int root_fd, const char *path, reader *read)
{
	AUTO(buf) struct buf text = BUF_INIT(DATABASE_MAX);

	if (read_file(scan, root_fd, path, FILE_IN_ROOT, DATABASE_MAX, true, &text))
		read(scan->list, buf_str(&text), path);
	else
		say_too_large(root_fd, path);
}

/* ---- the databases ---- */

static void read_os(struct scan *scan, int root_fd)
{
	static const char *const paths[] = { "usr/lib/os-release", "etc/os-release" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		AUTO(buf) struct buf text = BUF_INIT(HEAD_MAX);

		if (read_file(scan, root_fd, paths[i], FILE_IN_ROOT, HEAD_MAX, false, &text))
			package_list_read_os(scan->list, buf_str(&text));
	}
}

static void read_status_files(struct scan *scan, int root_fd)
{
	static const char dir[] = "var/lib/dpkg/status.d";
	AUTO(strings) struct strings names = { 0 };
	AUTO(fd) int fd = -1;
	struct err *err =
		file_open(root_fd, dir, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0, FILE_IN_ROOT, &fd);

	if (!err)
		err = file_list(fd, ".", &names);
	err_free(err); /* it is not there, mostly */
	for (size_t i = 0; i < names.len && i < STATUS_FILES_MAX && scan->left; i++) {
		AUTO(mem) char *path = xasprintf("%s/%s", dir, names.at[i]);

		if (!str_ends(str_of(names.at[i]), ".md5sums"))
			read_database(scan, root_fd, path, package_list_read_dpkg);
	}
}

static void read_databases(struct scan *scan, int root_fd)
{
	read_database(scan, root_fd, "var/lib/dpkg/status", package_list_read_dpkg);
	read_status_files(scan, root_fd);
	read_database(scan, root_fd, "lib/apk/db/installed", package_list_read_apk);
	if (scan->list->len == 0) /* not the same through a link again */
		read_database(scan, root_fd, "usr/lib/apk/db/installed", package_list_read_apk);
}

/* Their formats are databases of their own (Berkeley DB, ndb, SQLite). */
static void tell_of_rpm(int root_fd)
{
	static const char *const paths[] = {
		"var/lib/rpm/Packages",
		"var/lib/rpm/Packages.db",
		"var/lib/rpm/rpmdb.sqlite",
		"usr/lib/sysimage/rpm/Packages.db",
		"usr/lib/sysimage/rpm/rpmdb.sqlite",
	};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		AUTO(fd) int fd = -1;
		AUTO(err)
		struct err *err = file_open(root_fd, paths[i], O_PATH, 0, FILE_IN_ROOT, &fd);

		if (err || fstat(fd, &st) < 0)
			continue;
		log_warn("packages of rpm are not listed: %s is a database that is not read",
			 paths[i]);
		return;
	}
}

/* ---- wherever they are ---- */

/* The last `count` components of a path; the whole if it has no more. */
static const char *tail(const char *path, unsigned count)
{
	const char *at = path + strlen(path);

	while (at > path && (at[-1] != '/' || --count > 0))
		at--;
	return at;
}

/* node_modules/NAME/package.json or node_modules/@SCOPE/NAME/package.json: a file of that name deeper in a
 * package tells of no package. */
static bool is_npm(const char *path)
{
	static const char dir[] = "node_modules/";
	const char *plain = tail(path, 3), *scoped = tail(path, 4);

	if (!str_ends(str_of(path), "/package.json"))
		return false;
	return (strncmp(plain, dir, strlen(dir)) == 0 && plain[strlen(dir)] != '@') ||
	       (strncmp(scoped, dir, strlen(dir)) == 0 && scoped[strlen(dir)] == '@');
}

static bool is_python(const char *path)
{
	const struct str text = str_of(path);

	return str_ends(text, ".dist-info/METADATA") || str_ends(text, ".egg-info/PKG-INFO") ||
	       str_ends(text, ".egg-info");
}

static struct err *visit(void *arg, const struct walk_entry *entry)
{
	struct scan *scan = arg;
	struct package_list *list = scan->list;
	const char *path = entry->tar.path;
	AUTO(buf) struct buf text = BUF_INIT(DOCUMENT_MAX);

	if (!entry->st || !S_ISREG(entry->st->st_mode) || list->cut || !scan->left)
		return NULL;
	if (is_npm(path) &&
	    read_file(scan, entry->dir_fd, entry->name, FILE_NO_LINKS, DOCUMENT_MAX, true, &text))
		package_list_read_npm(list, buf_str(&text), path);
	if (is_python(path) &&
	    read_file(scan, entry->dir_fd, entry->name, FILE_NO_LINKS, HEAD_MAX, false, &text))
		package_list_read_python(list, buf_str(&text), path);
	return NULL;
}

struct err *package_scan(int root_fd, struct package_list *ret)
{
	const struct walk_opts opts = { .flat = true, .bare = true, .below_fd = -1 };
	struct scan scan = { .list = ret, .left = READ_MAX };

	read_os(&scan, root_fd);
	read_databases(&scan, root_fd);
	tell_of_rpm(root_fd);
	TRY(err_wrap(walk(root_fd, &opts, visit, &scan), "look for packages"));
	if (!scan.left) {
		ret->cut = true;
		log_warn("the list of packages is not complete: the files that tell of them have "
			 "more than %ju bytes",
			 (uintmax_t)READ_MAX);
	} else if (ret->cut) {
		log_warn("the list of packages is not complete: there are more than %zu",
			 PACKAGES_MAX);
	}
	package_list_sort(ret);
	return NULL;
}
