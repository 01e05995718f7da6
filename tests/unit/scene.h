/*
 * tests/unit/scene.h - small file trees, written down and read back as text.
 *
 * One entry per line, in any order when making, sorted by path when telling:
 *
 *	d 755 etc
 *	f 644 etc/motd hello          content is the rest of the line
 *	l - etc/link motd             a symbolic link and its target
 *	h - etc/twin etc/motd         a hard link to an earlier path (only for making)
 *	p 600 pipe                    a fifo
 *
 * An owner other than 0:0 stands behind the mode: "f 644,1000,1000 file text".
 */
#ifndef TESTS_UNIT_SCENE_H
#define TESTS_UNIT_SCENE_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"
#include "tests/unit/unit.h"

static inline void scene_make_line(int dir_fd, char *line)
{
	char type = line[0];
	char path[256], rest[256] = "";
	unsigned mode = 0, uid = 0, gid = 0;
	char *owner = strchr(line + 2, ',');
	int at = 2;

	if (line[2] != '-')
		mode = (unsigned)strtoul(line + 2, NULL, 8);
	if (owner && owner < strchr(line + 2, ' ')) {
		uid = (unsigned)strtoul(owner + 1, &owner, 10);
		gid = (unsigned)strtoul(owner + 1, NULL, 10);
	}
	at += (int)strcspn(line + 2, " ") + 1;
	assert_true(sscanf(line + at, "%255s %255[^\n]", path, rest) >= 1);
	if (type == 'd') {
		mkdirat(dir_fd, path, 0700); /* it may be there as somebody's parent */
	} else if (type == 'f') {
		int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, rest, strlen(rest)), strlen(rest));
		close(fd);
	} else if (type == 'l') {
		assert_int_equal(symlinkat(rest, dir_fd, path), 0);
	} else if (type == 'h') {
		assert_int_equal(linkat(dir_fd, rest, dir_fd, path, 0), 0);
	} else {
		assert_int_equal(mkfifoat(dir_fd, path, 0600), 0);
	}
	if (type == 'd' || type == 'f' || type == 'p') {
		assert_int_equal(fchownat(dir_fd, path, uid, gid, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(fchmodat(dir_fd, path, mode, 0), 0);
	}
}

static inline void scene_make(int dir_fd, const char *text)
{
	char *copy = xstrdup(text);

	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
		scene_make_line(dir_fd, line);
	free(copy);
}

static inline void scene_tell_dir(int dir_fd, const char *prefix, struct buf *out)
{
	AUTO(strings) struct strings names = { 0 };

	assert_ok(file_list(dir_fd, prefix[0] ? prefix : ".", &names));
	vec_foreach (&names, name) {
		char path[512], owner[32] = "";
		struct stat st;

		snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] ? "/" : "", *name);
		assert_int_equal(fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
		if (st.st_uid || st.st_gid)
			snprintf(owner, sizeof(owner), ",%u,%u", st.st_uid, st.st_gid);
		if (S_ISDIR(st.st_mode)) {
			buf_addf(out, "d %o%s %s\n", st.st_mode & 07777, owner, path);
			scene_tell_dir(dir_fd, path, out);
		} else if (S_ISLNK(st.st_mode)) {
			AUTO(mem) char *target = NULL;

			assert_ok(file_read_link(dir_fd, path, &target));
			buf_addf(out, "l - %s %s\n", path, target);
		} else if (S_ISREG(st.st_mode)) {
			AUTO(buf) struct buf content = BUF_INIT(65536);

			assert_ok(file_read(dir_fd, path, 65536, &content));
			buf_addf(out, "f %o%s %s%s%s\n", st.st_mode & 07777, owner, path,
				 content.len ? " " : "", buf_str(&content).at);
		} else {
			buf_addf(out, "p %o%s %s\n", st.st_mode & 07777, owner, path);
		}
	}
}

/* What lies below a directory, owned by the caller. */
static inline char *scene_tell(int dir_fd)
{
	struct buf out = BUF_INIT((size_t)1024 * 1024);

	scene_tell_dir(dir_fd, "", &out);
	return buf_steal(&out);
}

#endif
