/* store/failed.c - see store/failed.h and store/failed-private.h. */

#include "store/failed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/failed-private.h"
#include "store/record-private.h"
#include "store/store-private.h"
#include "store/usage.h"

#define COUNT_MAX 100000 /* of a list */

static void mount_release(struct failed_mount *mount)
{
	free(mount->type);
	free(mount->target);
	free(mount->source);
	free(mount->id);
	free(mount->sharing);
	free(mount->env);
}

void failed_step_release(struct failed_step *step)
{
	free(step->stage);
	free(step->title);
	free(step->shell);
	free(step->user);
	free(step->cwd);
	free(step->hostname);
	free(step->network);
	strings_release(&step->below);
	strings_release(&step->argv);
	strings_release(&step->env);
	strings_release(&step->hosts);
	vec_foreach (&step->mounts, mount)
		mount_release(mount);
	vec_release(&step->mounts);
	*step = (struct failed_step){ 0 };
}

/* ---- formatting ---- */

static void format_text(struct buf *buf, const char *key, const char *text)
{
	buf_addf(buf, "%s ", key);
	record_escape(buf, text ? text : "");
	buf_addc(buf, '\n');
}

static void format_list(struct buf *buf, const char *key, const struct strings *list)
{
	buf_addf(buf, "%s %zu\n", key, list->len);
	vec_foreach (list, text)
		format_text(buf, "-", *text);
}

static void format_mount(struct buf *buf, const struct failed_mount *mount)
{
	const char *const texts[] = { mount->type, mount->target,  mount->source,
				      mount->id,   mount->sharing, mount->env };
	char digest[DIGEST_TEXT_SIZE];

	buf_adds(buf, "mount ");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		record_escape(buf, texts[i] ? texts[i] : "");
		buf_addc(buf, '\t');
	}
	buf_addf(buf, "%s\t%d\t%" PRIu64, digest_format(&mount->cache, digest), mount->read_only,
		 mount->size);
	buf_addf(buf, "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", mount->mode, mount->uid,
		 mount->gid);
}

struct err *failed_format(const struct failed_step *step, struct buf *buf)
{
	buf_addf(buf, "cairn-failed 1\ncreated %" PRId64 " %ld\n",
		 step->created.tv_sec < 0 ? 0 : (int64_t)step->created.tv_sec,
		 step->created.tv_nsec);
	buf_addf(buf, "step %u %u %u\n", step->number, step->index, step->count);
	format_text(buf, "stage", step->stage);
	format_text(buf, "title", step->title);
	buf_addf(buf, "code %d\n", step->code);
	buf_addf(buf, "layer %s\n", step->lid[0] ? step->lid : "-");
	buf_addf(buf, "bytes %" PRIu64 "\n", step->bytes);
	format_list(buf, "below", &step->below);
	format_list(buf, "argv", &step->argv);
	format_list(buf, "env", &step->env);
	format_list(buf, "hosts", &step->hosts);
	format_text(buf, "shell", step->shell);
	format_text(buf, "user", step->user);
	format_text(buf, "cwd", step->cwd);
	format_text(buf, "hostname", step->hostname);
	format_text(buf, "network", step->network);
	buf_addf(buf, "flags %d %d %" PRIu64 "\n", step->insecure, step->host_root, step->shm_size);
	buf_addf(buf, "mounts %zu\n", step->mounts.len);
	vec_foreach (&step->mounts, mount)
		format_mount(buf, mount);
	TRY(buf_check(buf, "the record of a failed step"));
	return record_seal(buf);
}

/* ---- parsing ---- */

static struct err *bad(const char *what)
{
	return err_new(ERR_CORRUPT, "the record has a bad %s", what);
}

/* Numbers with blanks between, each with its ceiling. */
static struct err *parse_numbers(struct str *rest, const char *key, const uint64_t *max,
				 size_t count, uint64_t *ret)
{
	struct str value;

	TRY(record_text(rest, key, &value));
	for (size_t i = 0; i < count; i++) {
		if (!value.at)
			return bad(key);
		TRY(record_parse_number(str_cut(&value, ' '), &ret[i]));
		if (ret[i] > max[i])
			return bad(key);
	}
	return value.at ? bad(key) : NULL;
}

static struct err *parse_text(struct str *rest, const char *key, char **ret)
{
	struct str value;

	TRY(record_text(rest, key, &value));
	return record_unescape(value, ret);
}

static struct err *parse_list(struct str *rest, const char *key, struct strings *ret)
{
	static const uint64_t max = COUNT_MAX;
	uint64_t count = 0;

	TRY(parse_numbers(rest, key, &max, 1, &count));
	for (; count > 0; count--) {
		char *text;

		TRY(parse_text(rest, "-", &text));
		vec_push(ret, text);
	}
	return NULL;
}

static struct err *parse_lid(struct str value, char ret[static LAYER_ID_SIZE])
{
	if (!store_id_is_valid(value))
		return bad("layer");
	memcpy(ret, value.at, value.len);
	ret[value.len] = '\0';
	return NULL;
}

static struct err *parse_layers(struct str *rest, struct failed_step *step)
{
	struct str value;
	char lid[LAYER_ID_SIZE];

	TRY(record_text(rest, "layer", &value));
	if (!str_is(value, "-"))
		TRY(parse_lid(value, step->lid));
	TRY(record_number(rest, "bytes", &step->bytes));
	TRY(parse_list(rest, "below", &step->below));
	vec_foreach (&step->below, text)
		TRY(parse_lid(str_of(*text), lid));
	return NULL;
}

static struct err *parse_head(struct str *rest, struct failed_step *step)
{
	static const uint64_t time_max[] = { INT64_MAX, 999999999 };
	static const uint64_t step_max[] = { UINT32_MAX, UINT32_MAX, UINT32_MAX };
	static const uint64_t code_max = 255;
	uint64_t n[3] = { 0 };
	struct str version;

	TRY(record_text(rest, "cairn-failed", &version));
	if (!str_is(version, "1"))
		return bad("version");
	TRY(parse_numbers(rest, "created", time_max, 2, n));
	step->created = (struct timespec){ .tv_sec = (time_t)n[0], .tv_nsec = (long)n[1] };
	TRY(parse_numbers(rest, "step", step_max, 3, n));
	step->number = (unsigned)n[0];
	step->index = (unsigned)n[1];
	step->count = (unsigned)n[2];
	TRY(parse_text(rest, "stage", &step->stage));
	TRY(parse_text(rest, "title", &step->title));
	TRY(parse_numbers(rest, "code", &code_max, 1, n));
	step->code = (int)n[0];
	return NULL;
}

/* Five numbers behind the texts of a mount. */
static struct err *parse_mount_numbers(struct str value, struct failed_mount *mount)
{
	uint64_t *const fields[] = { &mount->size, &mount->mode, &mount->uid, &mount->gid };
	uint64_t read_only;

	TRY(record_parse_number(str_cut(&value, '\t'), &read_only));
	if (read_only > 1)
		return bad("mount");
	mount->read_only = read_only == 1;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!value.at)
			return bad("mount");
		TRY(record_parse_number(str_cut(&value, '\t'), fields[i]));
	}
	return value.at ? bad("mount") : NULL;
}

static struct err *parse_mount(struct str value, struct failed_mount *mount)
{
	char **const texts[] = { &mount->type, &mount->target,  &mount->source,
				 &mount->id,   &mount->sharing, &mount->env };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		TRY(record_unescape(str_cut(&value, '\t'), texts[i]));
		if (!value.at)
			return bad("mount");
	}
	TRY(record_parse_digest(str_cut(&value, '\t'), &mount->cache));
	return value.at ? parse_mount_numbers(value, mount) : bad("mount");
}

static struct err *parse_mounts(struct str *rest, struct failed_step *step)
{
	static const uint64_t max = COUNT_MAX;
	uint64_t count = 0;

	TRY(parse_numbers(rest, "mounts", &max, 1, &count));
	for (; count > 0; count--) {
		struct str value;

		TRY(record_text(rest, "mount", &value));
		TRY(parse_mount(value, vec_add(&step->mounts)));
	}
	return NULL;
}

static struct err *parse_sandbox(struct str *rest, struct failed_step *step)
{
	static const uint64_t flags_max[] = { 1, 1, UINT64_MAX };
	uint64_t flags[3] = { 0 };

	TRY(parse_list(rest, "argv", &step->argv));
	TRY(parse_list(rest, "env", &step->env));
	TRY(parse_list(rest, "hosts", &step->hosts));
	TRY(parse_text(rest, "shell", &step->shell));
	TRY(parse_text(rest, "user", &step->user));
	TRY(parse_text(rest, "cwd", &step->cwd));
	TRY(parse_text(rest, "hostname", &step->hostname));
	TRY(parse_text(rest, "network", &step->network));
	TRY(parse_numbers(rest, "flags", flags_max, 3, flags));
	step->insecure = flags[0];
	step->host_root = flags[1];
	step->shm_size = flags[2];
	return parse_mounts(rest, step);
}

struct err *failed_parse(struct str text, struct failed_step *ret)
{
	AUTO(failed_step) struct failed_step step = { 0 };
	struct str rest;

	TRY(record_open(text, &rest));
	TRY(parse_head(&rest, &step));
	TRY(parse_layers(&rest, &step));
	TRY(parse_sandbox(&rest, &step));
	if (rest.len)
		return bad("end");
	*ret = step;
	step = (struct failed_step){ 0 };
	return NULL;
}

/* ---- files ---- */

static bool id_is_valid(const char *id)
{
	const size_t len = strlen(id);

	return len > 0 && len < FAILED_ID_SIZE &&
	       strspn(id, "0123456789-abcdefghijklmnopqrstuvwxyz") == len;
}

static char *path_of(const char *id, char buf[static STORE_PATH_SIZE])
{
	snprintf(buf, STORE_PATH_SIZE, "failed/%.64s", id);
	return buf;
}

/* The ids, the oldest first. */
static struct err *list_ids(struct store *store, struct strings *ret)
{
	struct err *err = file_list(store->root_fd, "failed", ret);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err); /* none has failed yet */
	return NULL;
}

/* Lock a record and see that it has its name still. `*ret_fd` is -1 if it is gone or locked. */
static struct err *lock_record(struct store *store, const char *id, int how, int *ret_fd)
{
	char path[STORE_PATH_SIZE];
	AUTO(fd) int fd = -1;
	struct stat open_st, named_st;

	*ret_fd = -1;
	TRY(store_open_record(store, path_of(id, path), &fd));
	if (fd < 0)
		return NULL;
	if (flock(fd, how | LOCK_NB) < 0)
		return errno == EWOULDBLOCK || errno == EINTR ? NULL : err_sys("lock %s", path);
	if (fstat(fd, &open_st) < 0 ||
	    fstatat(store->root_fd, path, &named_st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    open_st.st_ino != named_st.st_ino)
		return NULL;
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

struct err *failed_drop(struct store *store, const char *id, bool *ret_gone)
{
	char path[STORE_PATH_SIZE];
	AUTO(fd) int fd = -1;

	TRY(lock_record(store, id, LOCK_EX, &fd));
	*ret_gone = fd >= 0 || store_is_gone(store, path_of(id, path));
	return fd >= 0 ? trash_put(store, store->root_fd, path_of(id, path)) : NULL;
}

/* A record that cannot be read is none. */
static struct err *read_record(struct store *store, const char *id, bool *ret_found,
			       struct failed_step *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(FAILED_MAX);
	AUTO(err) struct err *err = NULL;
	char path[STORE_PATH_SIZE];

	TRY(store_read(store, path_of(id, path), FAILED_MAX, &text, ret_found));
	if (!*ret_found)
		return NULL;
	err = failed_parse(buf_str(&text), ret);
	*ret_found = !err;
	if (err)
		log_debug("%s: %s; the record counts as absent", path, err_text(err));
	else
		snprintf(ret->id, sizeof(ret->id), "%s", id);
	return NULL;
}

/* Take a step away with its layer, which is nobody else's. */
static struct err *drop_whole(struct store *store, const struct failed_step *step)
{
	bool gone = false;

	TRY(failed_drop(store, step->id, &gone));
	return gone && step->lid[0] ? layer_discard(store, step->lid) : NULL;
}

/* Make room for one that takes `bytes`: the oldest go. */
static struct err *make_room(struct store *store, uint64_t bytes)
{
	AUTO(strings) struct strings ids = { 0 };
	unsigned kept = 1;

	TRY(list_ids(store, &ids));
	for (size_t i = ids.len; i > 0; i--) { /* the newest first */
		AUTO(failed_step) struct failed_step step = { 0 };
		bool found = false;

		if (!id_is_valid(ids.at[i - 1]))
			continue;
		TRY(read_record(store, ids.at[i - 1], &found, &step));
		if (!found)
			continue;
		bytes += step.bytes;
		if (++kept > FAILED_KEEP || bytes > FAILED_BYTES)
			TRY(drop_whole(store, &step));
	}
	return NULL;
}

/* As a journal's: it sorts by time, and is unique by chance. */
static struct err *make_id(struct failed_step *step)
{
	char chance[STORE_ID_SIZE];
	struct tm tm;
	size_t len;

	TRY(store_random_id(chance));
	if (!gmtime_r(&step->created.tv_sec, &tm))
		return err_sys("tell the date");
	len = strftime(step->id, sizeof(step->id), "%Y%m%d-%H%M%S", &tm);
	snprintf(step->id + len, sizeof(step->id) - len, "-%06ld-%.4s",
		 step->created.tv_nsec / 1000, chance);
	return NULL;
}

static struct err *measure(struct store *store, struct failed_step *step)
{
	AUTO(usage) struct usage usage = { 0 };
	char path[STORE_PATH_SIZE];

	step->bytes = 0;
	if (!step->lid[0])
		return NULL;
	snprintf(path, sizeof(path), "layers/%s", step->lid);
	return usage_add(&usage, store->root_fd, path, &step->bytes);
}

struct err *failed_put(struct store *store, struct failed_step *step, bool *ret_kept)
{
	AUTO(buf) struct buf text = BUF_INIT(FAILED_MAX);
	AUTO(lock) struct lock hold = LOCK_INIT;
	AUTO(fd) int dir_fd = -1;
	char path[STORE_PATH_SIZE];

	TRY(make_id(step));
	TRY(measure(store, step));
	*ret_kept = step->bytes <= FAILED_BYTES;
	if (!*ret_kept)
		return layer_discard(store, step->lid);
	TRY(failed_format(step, &text));
	TRY(file_make_dirs(store->root_fd, "failed", 0700, &dir_fd));
	TRY(store_hold(store, &hold));
	TRY(make_room(store, step->bytes));
	return store_write(store, path_of(step->id, path), buf_str(&text), 0600, FILE_QUICK);
}

struct err *failed_find(struct store *store,
			bool (*wanted)(void *self, const struct failed_step *step), void *self,
			struct failed_step *ret, int *ret_lock)
{
	AUTO(strings) struct strings ids = { 0 };

	TRY(list_ids(store, &ids));
	for (size_t i = ids.len; i > 0; i--) {
		AUTO(failed_step) struct failed_step step = { 0 };
		char path[STORE_PATH_SIZE];
		AUTO(fd) int fd = -1;
		bool found = false;

		if (!id_is_valid(ids.at[i - 1]))
			continue;
		TRY(lock_record(store, ids.at[i - 1], LOCK_SH, &fd));
		if (fd < 0)
			continue;
		TRY(read_record(store, ids.at[i - 1], &found, &step));
		if (!found || (wanted && !wanted(self, &step)))
			continue;
		file_note_use(store->root_fd, path_of(step.id, path));
		*ret = step;
		step = (struct failed_step){ 0 };
		*ret_lock = STEAL_FD(fd);
		return NULL;
	}
	return err_new(ERR_NOT_FOUND, "no step that failed is kept");
}
