/*
 * overlay/choice.c - which storage driver works here: tried once, and remembered.
 *
 * cache/storage, mode 0600, one line each:
 *
 *	cairn-storage 1 <boot id> <device of the store> <uid> <user namespace> <kernel>
 *	overlay no overlay: mount: Invalid argument
 *	fuse-overlayfs no the program fuse-overlayfs is not installed
 *	copy ok
 *
 * The first line is what the answers are for: with another one there are none. A driver
 * that was not tried, or did not work for a reason that may pass, has no line. Nobody locks the file: it appears whole, and who finds none
 * tries for himself.
 */

#include "overlay/driver-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/userns.h"
#include "overlay/fuse.h"
#include "overlay/merge.h"
#include "overlay/mount.h"
#include "overlay/skeleton.h"
#include "overlay/walk.h"
#include "store/layer.h"
#include "store/store.h"

#define CACHE_FILE "storage"
#define CACHE_MAX ((size_t)16 * 1024)
#define REASON_MAX 1000
#define KEPT_TIME 1000 /* of a directory in the trial */
/* Drivers that are taken for not working: for tests. */
#define REFUSE_VARIABLE "CAIRN_STORAGE_REFUSE"

const char *const driver_names[] = { "auto", "overlay", "fuse-overlayfs", "copy", NULL };

struct err *driver_parse(const char *name, enum driver *ret)
{
	static const struct {
		const char *name;
		enum driver driver;
	} others[] = { { "overlay2", DRIVER_OVERLAY },
		       { "overlayfs", DRIVER_OVERLAY },
		       { "fuse", DRIVER_FUSE },
		       { "vfs", DRIVER_COPY },
		       { "native", DRIVER_COPY } };

	for (size_t i = 0; driver_names[i]; i++)
		if (strcmp(name, driver_names[i]) == 0) {
			*ret = (enum driver)i;
			return NULL;
		}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(name, others[i].name) == 0) {
			*ret = others[i].driver;
			return NULL;
		}
	return err_new(ERR_USAGE,
		       "storage driver '%.40s' is not known: auto, overlay, fuse-overlayfs or copy",
		       name);
}

void driver_answers_release(struct driver_answers *answers)
{
	for (size_t i = 0; i < DRIVER_COUNT; i++)
		free(answers->at[i].reason);
	*answers = (struct driver_answers){ 0 };
}

/* ---- trying ---- */

static struct err *make_file(int dir_fd, const char *name)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? err_sys("make a file") : NULL;
}

/* What the trial finds. */
static struct err *make_lower(int fs_fd)
{
	static const struct timespec times[2] = { { .tv_sec = KEPT_TIME },
						  { .tv_sec = KEPT_TIME } };
	AUTO(fd) int dir_fd = -1, kept_fd = -1;

	TRY(make_file(fs_fd, "gone"));
	TRY(make_file(fs_fd, "old"));
	TRY(file_make_dirs(fs_fd, "dir", 0755, &dir_fd));
	TRY(make_file(dir_fd, "below"));
	TRY(file_make_dirs(fs_fd, "kept", 0755, &kept_fd));
	TRY(make_file(kept_fd, "file"));
	return futimens(kept_fd, times) < 0 ? err_sys("set a time") : NULL;
}

/* What a step does most often that needs the help of a driver: delete, rename, make anew. */
static struct err *work_on(int root_fd)
{
	AUTO(fd) int fd = -1;

	if (unlinkat(root_fd, "gone", 0) < 0 || unlinkat(root_fd, "dir/below", 0) < 0)
		return err_sys("delete a file");
	if (unlinkat(root_fd, "dir", AT_REMOVEDIR) < 0 || mkdirat(root_fd, "dir", 0755) < 0)
		return err_sys("make a directory anew");
	if (renameat(root_fd, "old", root_fd, "new") < 0)
		return err_sys("rename a file");
	fd = openat(root_fd, "kept/file", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "x", 1) != 1)
		return err_sys("change a file");
	return NULL;
}

/* A directory in which a file is written has the time that it had. */
static struct err *note_entry(void *arg, const struct walk_entry *entry)
{
	if (str_is(str_of(entry->tar.path), "kept/") && entry->tar.mtime != KEPT_TIME)
		return err_new(ERR_UNSUPPORTED, "times of directories are lost");
	buf_addf(arg, "%s ", entry->tar.path);
	return NULL;
}

static struct err *judge(int upper_fd, int below_fd)
{
	static const char expected[] = ".wh.gone .wh.old dir/ dir/.wh.below kept/ kept/file new ";
	const struct walk_opts opts = { .below_fd = below_fd };
	AUTO(buf) struct buf seen = BUF_INIT((size_t)4096);

	TRY(walk(upper_fd, &opts, note_entry, &seen));
	if (!str_is(buf_str(&seen), expected))
		return err_new(ERR_UNSUPPORTED, "what it leaves is no layer: %.*s",
			       STR_ARG(buf_str(&seen)));
	return NULL;
}

/* A stack of one layer is changed, and becomes a layer. */
static struct err *try_stack(enum driver driver, struct layer_stage *lower,
			     struct layer_stage *upper)
{
	AUTO(skeleton) struct skeleton skeleton = SKELETON_INIT;
	AUTO(mounted) struct mounted *mounted = NULL;
	const struct overlay_spec spec = { .lower_fds = &lower->fs_fd,
					   .lower_count = 1,
					   .upper_fd = upper->fs_fd,
					   .work_fd = upper->work_fd,
					   .skeleton = &skeleton };
	AUTO(fd) int root_fd = -1;

	TRY(skeleton_open(lower->dir_fd, &skeleton));
	TRY(make_lower(lower->fs_fd));
	TRY(driver_mount_by(driver, &spec, &root_fd, &mounted));
	TRY(work_on(root_fd));
	close(STEAL_FD(root_fd));
	TRY(mounted_settle(mounted, NULL));
	return judge(upper->fs_fd, lower->fs_fd);
}

static struct err *try_driver(struct store *store, enum driver driver)
{
	AUTO(layer_stage) struct layer_stage *lower = NULL;
	AUTO(layer_stage) struct layer_stage *upper = NULL;

	TRY(layer_begin(store, &lower));
	TRY(layer_begin(store, &upper));
	return try_stack(driver, lower, upper);
}

static bool is_refused(enum driver driver)
{
	struct str rest = str_of(getenv(REFUSE_VARIABLE));

	while (rest.at)
		if (str_is(str_cut(&rest, ','), driver_names[driver]))
			return true;
	return false;
}

/* What says that nothing can be done in the store now, by any driver. */
static bool is_fatal(const struct err *err)
{
	static const int numbers[] = {
		EROFS, ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EAGAIN, ESTALE
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (err_errno(err) == numbers[i])
			return true;
	return err_kind(err) == ERR_CANCELLED;
}

/* What says nothing about what comes of the next try. */
static bool is_passing(const struct err *err)
{
	static const int numbers[] = { 0, EINTR, EIO, EBUSY, ETIMEDOUT, ENOBUFS };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (err_kind(err) == ERR_SYSTEM && err_errno(err) == numbers[i])
			return true;
	return false;
}

/* Only what says that the store cannot be used at all is an error. */
static struct err *ask(struct store *store, enum driver driver, struct driver_answer *answer)
{
	struct err *err = is_refused(driver) ?
				  err_new(ERR_UNSUPPORTED, REFUSE_VARIABLE " refuses it") :
				  try_driver(store, driver);

	if (is_fatal(err))
		return err;
	free(answer->reason);
	answer->tried = true;
	answer->works = !err;
	answer->passing = is_passing(err);
	answer->reason = err ? xasprintf("%.*s", REASON_MAX, err_text(err)) : NULL;
	for (char *c = answer->reason; c && *c; c++)
		*c = (char)(*c == '\n' ? ' ' : *c);
	err_free(err);
	return NULL;
}

/* ---- remembering ---- */

static struct err *make_key(const struct store *store, struct buf *ret)
{
	struct utsname name;
	struct stat st;

	if (fstat(store_fd(store), &st) < 0 || uname(&name) < 0)
		return err_sys("look at the store");
	buf_addf(ret, "cairn-storage 1 %s %u:%u %u %d %s\n", store_boot_id(store), major(st.st_dev),
		 minor(st.st_dev), (unsigned)geteuid(), (int)userns_mode(), name.release);
	return buf_check(ret, "the name of the kernel");
}

static void read_line(struct str line, struct driver_answers *answers)
{
	struct str name = str_cut(&line, ' ');
	struct str state = str_cut(&line, ' ');

	for (int i = DRIVER_OVERLAY; i < DRIVER_COUNT; i++) {
		struct driver_answer *answer = &answers->at[i];

		if (answer->tried || !str_is(name, driver_names[i]))
			continue;
		answer->works = str_is(state, "ok");
		answer->tried = answer->works || str_is(state, "no");
		if (answer->tried && !answer->works)
			answer->reason = str_dup(line);
	}
}

/* What an earlier process found. What cannot be read is not known. */
static void recall(struct store *store, struct driver_answers *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(CACHE_MAX);
	AUTO(buf) struct buf key = BUF_INIT((size_t)1024);
	struct str rest;

	if (getenv(REFUSE_VARIABLE))
		return;
	err_free(file_read(store_fd(store), "cache/" CACHE_FILE, CACHE_MAX, &text));
	err_free(make_key(store, &key));
	rest = buf_str(&text);
	if (!key.len || text.len < key.len || memcmp(text.at, key.at, key.len) != 0)
		return;
	rest = (struct str){ text.at + key.len, text.len - key.len };
	while (rest.len)
		read_line(str_cut(&rest, '\n'), ret);
}

static struct err *write_answers(struct store *store, const struct driver_answers *answers)
{
	AUTO(buf) struct buf text = BUF_INIT(CACHE_MAX);
	AUTO(fd) int dir_fd = -1;

	TRY(make_key(store, &text));
	for (int i = DRIVER_OVERLAY; i < DRIVER_COUNT; i++) {
		const struct driver_answer *answer = &answers->at[i];

		if (answer->tried && !answer->passing)
			buf_addf(&text, "%s %s%s%s\n", driver_names[i], answer->works ? "ok" : "no",
				 answer->works ? "" : " ", answer->works ? "" : answer->reason);
	}
	TRY(buf_check(&text, "the list of answers"));
	TRY(file_make_dirs(store_fd(store), "cache", 0700, &dir_fd));
	return file_replace(dir_fd, CACHE_FILE, buf_str(&text), 0600, FILE_QUICK);
}

static void remember(struct store *store, const struct driver_answers *answers)
{
	if (!getenv(REFUSE_VARIABLE))
		err_free(write_answers(store, answers)); /* then it is tried again */
}

/* ---- choosing ---- */

/* Who has installed the program meanwhile has not to wait for the next boot. */
static void doubt_program(struct driver_answers *answers)
{
	struct driver_answer *fuse = &answers->at[DRIVER_FUSE];

	if (answers->at[DRIVER_OVERLAY].works || !fuse->tried || fuse->works ||
	    (strstr(fuse->reason, FUSE_MISSING) != NULL) == !fuse_is_installed())
		return;
	fuse->tried = false;
}

static void tell(enum driver driver, const struct driver_answers *answers)
{
	const char *fuse = answers->at[DRIVER_FUSE].reason;

	log_warn("storage driver %s, which is slower than overlay (%s%s%s): a store on ext4, xfs, "
		 "btrfs or tmpfs, by --root, in a container on a volume,%s helps",
		 driver_names[driver], answers->at[DRIVER_OVERLAY].reason,
		 driver == DRIVER_COPY ? "; fuse-overlayfs: " : "",
		 driver == DRIVER_COPY && fuse ? fuse : "",
		 driver == DRIVER_COPY && fuse && strstr(fuse, FUSE_MISSING) ?
			 " or the package fuse-overlayfs" :
			 "");
}

struct err *driver_of(struct store *store, enum driver *ret)
{
	AUTO(driver_answers) struct driver_answers answers = { 0 };
	int driver = store_driver(store);
	bool news = false;

	*ret = (enum driver)driver;
	if (driver != DRIVER_AUTO)
		return NULL;
	recall(store, &answers);
	doubt_program(&answers);
	for (driver = DRIVER_OVERLAY; driver < DRIVER_COUNT; driver++) {
		struct driver_answer *answer = &answers.at[driver];

		news = news || !answer->tried;
		if (!answer->tried)
			TRY(err_wrap(ask(store, (enum driver)driver, answer), "try %s",
				     driver_names[driver]));
		if (answer->works)
			break;
	}
	if (news)
		remember(store, &answers);
	if (driver == DRIVER_COUNT)
		return err_note(err_new(ERR_UNSUPPORTED,
					"no storage driver works here: overlay: %s; copy: %s",
					answers.at[DRIVER_OVERLAY].reason,
					answers.at[DRIVER_COPY].reason),
				"Name a directory on ext4, xfs, btrfs or tmpfs with --root or "
				"CAIRN_ROOT; in a container, one on a volume.");
	*ret = (enum driver)driver;
	if (store_choose_driver(store, driver) && driver != DRIVER_OVERLAY)
		tell((enum driver)driver, &answers);
	return NULL;
}

const char *driver_describe(struct store *store, enum driver driver)
{
	AUTO(fd) int fd = -1;
	struct err *err;

	if (driver == DRIVER_OVERLAY)
		return "the kernel stacks layers";
	if (driver == DRIVER_FUSE)
		return "a program stacks layers";
	err = file_open_dir(store_fd(store), ".", &fd);
	err_free(err); /* then it shares nothing */
	return fd >= 0 && merge_can_share(fd) ?
		       "copies share their data with the layers (reflink)" :
		       "copies take the space of the layers once more";
}

struct err *driver_try_all(struct store *store, struct driver_answers *ret, enum driver *ret_best)
{
	*ret_best = DRIVER_AUTO;
	for (int driver = DRIVER_OVERLAY; driver < DRIVER_COUNT; driver++) {
		TRY(err_wrap(ask(store, (enum driver)driver, &ret->at[driver]), "try %s",
			     driver_names[driver]));
		if (ret->at[driver].works && *ret_best == DRIVER_AUTO)
			*ret_best = (enum driver)driver;
	}
	remember(store, ret);
	return NULL;
}
