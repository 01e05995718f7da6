/*
 * store/step.c - see store/step.h.
 *
 * A record is not flushed and carries no boot id: a whole record with a good sum
 * is right whenever it was written, since all it says is which layer a key gave.
 * Whether that layer can be relied on is the layer's own matter (store/layer.h).
 */

#include "store/step.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/meta-private.h"
#include "store/record-private.h"
#include "store/step-private.h"
#include "store/store-private.h"

#define USE_GRAIN 3600 /* seconds between two notes of a record's use */
#define STEP_DIR_LEN (sizeof("steps/xx") - 1)

/* ---- the record in memory ---- */

void step_add_input(struct step_record *record, const char *name, const char *value)
{
	vec_push(record, (struct step_input){ xstrdup(name), xstrdup(value) });
}

void step_record_release(struct step_record *record)
{
	vec_foreach (record, input) {
		free(input->name);
		free(input->value);
	}
	vec_release(record);
}

/* ---- formatting ---- */

struct err *step_format(const struct step_record *record, struct buf *buf)
{
	AUTO(buf) struct buf inputs = BUF_INIT(STEP_MAX);
	char digest[DIGEST_TEXT_SIZE];
	int64_t seconds = record->created.tv_sec;

	vec_foreach (record, input) {
		buf_adds(&inputs, "input ");
		record_escape(&inputs, input->name);
		buf_addc(&inputs, '\t');
		record_escape(&inputs, input->value);
		buf_addc(&inputs, '\n');
	}
	TRY(buf_check(&inputs, "the list of a step's inputs"));
	buf_addf(buf, "cairn-step 1\nkey %s\n", digest_format(&record->key, digest));
	buf_addf(buf, "layer %s\n", record->lid[0] ? record->lid : "-");
	buf_addf(buf, "created %" PRId64 " %ld\n", seconds < 0 ? 0 : seconds,
		 record->created.tv_nsec);
	buf_addf(buf, "duration %" PRIu64 "\n", record->duration);
	buf_addf(buf, "inputs %zu %zu\n", record->len,
		 record->len ? inputs.len + RECORD_SUM_SIZE : 0);
	TRY(record_seal(buf));
	if (record->len == 0)
		return NULL;
	buf_add_str(buf, buf_str(&inputs));
	return record_seal(buf);
}

/* ---- parsing ---- */

static struct err *bad(const char *what)
{
	return err_new(ERR_CORRUPT, "the record has a bad %s", what);
}

struct head {
	struct step_record record;
	uint64_t inputs, bytes;
};

static struct err *parse_layer(struct str *rest, char ret[static LAYER_ID_SIZE])
{
	struct str value;

	TRY(record_text(rest, "layer", &value));
	ret[0] = '\0';
	if (str_is(value, "-"))
		return NULL;
	if (!store_id_is_valid(value))
		return bad("layer");
	memcpy(ret, value.at, value.len);
	ret[value.len] = '\0';
	return NULL;
}

/* Two numbers, each with its ceiling. */
static struct err *parse_pair(struct str *rest, const char *key, const uint64_t max[2],
			      uint64_t ret[2])
{
	struct str value;

	TRY(record_text(rest, key, &value));
	TRY(record_parse_number(str_cut(&value, ' '), &ret[0]));
	TRY(record_parse_number(value, &ret[1]));
	return ret[0] > max[0] || ret[1] > max[1] ? bad(key) : NULL;
}

static struct err *parse_head(struct str body, struct head *ret)
{
	static const uint64_t time_max[] = { INT64_MAX, 999999999 };
	static const uint64_t inputs_max[] = { STEP_MAX, STEP_MAX };
	struct head head = { .inputs = 0 };
	uint64_t created[2], inputs[2];
	struct str value;

	TRY(record_text(&body, "cairn-step", &value));
	if (!str_is(value, "1"))
		return bad("version");
	TRY(record_digest(&body, "key", &head.record.key));
	TRY(parse_layer(&body, head.record.lid));
	TRY(parse_pair(&body, "created", time_max, created));
	head.record.created.tv_sec = (time_t)created[0];
	head.record.created.tv_nsec = (long)created[1];
	TRY(record_number(&body, "duration", &head.record.duration));
	TRY(parse_pair(&body, "inputs", inputs_max, inputs));
	head.inputs = inputs[0];
	head.bytes = inputs[1];
	if (body.len || (head.inputs == 0) != (head.bytes == 0))
		return bad("end");
	*ret = head;
	return NULL;
}

static struct err *parse_input(struct str value, struct step_record *record)
{
	struct str name = str_cut(&value, '\t');
	AUTO(mem) char *name_text = NULL;
	AUTO(mem) char *value_text = NULL;

	if (!value.at)
		return bad("input");
	TRY(record_unescape(name, &name_text));
	TRY(record_unescape(value, &value_text));
	vec_push(record, (struct step_input){ STEAL(name_text), STEAL(value_text) });
	return NULL;
}

static struct err *parse_inputs(struct str rest, uint64_t count, struct step_record *record)
{
	for (; count > 0; count--) {
		struct str value;

		TRY(record_text(&rest, "input", &value));
		TRY(parse_input(value, record));
	}
	return rest.len ? bad("end") : NULL;
}

/* How long the head is, with its sum: the first line that begins with "sum " ends it. */
static size_t head_len(struct str text)
{
	struct str rest = text;

	while (rest.len) {
		struct str line = str_cut(&rest, '\n');

		if (str_starts(line, "sum "))
			return (size_t)(line.at - text.at) + RECORD_SUM_SIZE;
	}
	return SIZE_MAX;
}

struct err *step_parse(struct str text, uint64_t size, bool with_inputs, struct step_record *ret)
{
	AUTO(step_record) struct step_record record = { 0 };
	size_t len = head_len(text);
	struct str body;
	struct head head = { .inputs = 0 };

	if (len > text.len)
		return bad("head");
	TRY(record_open((struct str){ text.at, len }, &body));
	TRY(parse_head(body, &head));
	if (size != len + head.bytes || (with_inputs && text.len != size))
		return bad("length");
	record = head.record;
	if (with_inputs && head.inputs) {
		TRY(record_open(text, &body));
		TRY(parse_inputs((struct str){ body.at + len, body.len - len }, head.inputs,
				 &record));
	}
	*ret = record;
	record = (struct step_record){ 0 };
	return NULL;
}

/* ---- looking up ---- */

static char *step_path(const struct digest *key, char buf[static STORE_PATH_SIZE])
{
	char hex[STORE_PATH_SIZE];

	store_hex_path("", key, hex);
	snprintf(buf, STORE_PATH_SIZE, "steps/%.2s/%.64s", hex, hex);
	return buf;
}

/* The beginning of the record, or all of it. `*ret_size` is its whole size. */
static struct err *read_record(int fd, bool whole, struct buf *buf, uint64_t *ret_size,
			       time_t *ret_used)
{
	char head[STEP_HEAD_MAX];
	struct stat st;
	size_t len = 0;

	if (fstat(fd, &st) < 0)
		return err_sys("look at a step record");
	*ret_size = (uint64_t)st.st_size;
	*ret_used = st.st_mtime;
	if (whole)
		return file_read_fd(fd, "a step record", STEP_MAX, buf);
	TRY(file_read_some(fd, head, sizeof(head), "a step record", &len));
	buf_add(buf, head, len);
	return NULL;
}

/* The record is used: remember it, for whoever decides what to prune. */
static void note_use(int fd, time_t used)
{
	time_t now = clock_now().tv_sec;

	if (now - used >= USE_GRAIN || used > now)
		(void)futimens(fd, NULL); /* a record that looks older is no harm */
}

/* The record of `key`, if it is whole. */
static struct err *load(struct store *store, const struct digest *key, bool with_inputs,
			bool *ret_found, struct step_record *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(STEP_MAX);
	AUTO(err) struct err *err = NULL;
	AUTO(fd) int fd = -1;
	char path[STORE_PATH_SIZE];
	uint64_t size = 0;
	time_t used = 0;

	*ret_found = false;
	TRY(store_open_record(store, step_path(key, path), &fd));
	if (fd < 0)
		return NULL;
	err = read_record(fd, with_inputs, &text, &size, &used);
	if (!err)
		err = step_parse(buf_str(&text), size, with_inputs, ret);
	if (!err && !digest_equal(&ret->key, key)) {
		step_record_release(ret);
		err = bad("key");
	}
	if (err) {
		log_debug("%s: %s; the record counts as absent", path, err_text(err));
		return NULL;
	}
	note_use(fd, used);
	*ret_found = true;
	return NULL;
}

/* As step_find() without the pins; the caller holds the prune lock. */
static struct err *find(struct store *store, const struct digest *key, bool with_inputs,
			bool *ret_found, struct step_record *ret, struct meta_record *ret_meta)
{
	AUTO(step_record) struct step_record record = { 0 };
	bool found = false;

	*ret_found = false;
	TRY(load(store, key, with_inputs, &found, &record));
	if (!found)
		return NULL;
	if (record.lid[0])
		TRY(meta_find(store, record.lid, &found, ret_meta));
	if (!found)
		return NULL;
	*ret = record;
	record = (struct step_record){ 0 };
	*ret_found = true;
	return NULL;
}

struct err *step_find(struct store *store, const struct digest *key, bool with_inputs,
		      bool *ret_found, struct step_record *ret, struct layer_meta *ret_layer)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	AUTO(step_record) struct step_record record = { 0 };
	struct meta_record layer = { 0 };
	char hex[STORE_PATH_SIZE];
	bool found = false;

	TRY(store_hold(store, &hold));
	TRY(find(store, key, with_inputs, &found, &record, &layer));
	if (found) {
		const struct pin pins[] = {
			{ PIN_STEP, store_hex_path("", key, hex) },
			{ PIN_LAYER, record.lid },
		};

		TRY(store_pin(store, pins, record.lid[0] ? 2 : 1));
		*ret = record;
		record = (struct step_record){ 0 };
		if (ret_layer)
			*ret_layer = layer.meta;
	}
	*ret_found = found;
	return NULL;
}

/* ---- putting ---- */

struct err *step_put(struct store *store, const struct step_record *record)
{
	AUTO(buf) struct buf text = BUF_INIT(STEP_MAX + 2 * STEP_HEAD_MAX);
	AUTO(lock) struct lock hold = LOCK_INIT;
	char hex[STORE_PATH_SIZE];
	char path[STORE_PATH_SIZE];
	struct err *err;

	TRY(store_check_sync(store));
	TRY(step_format(record, &text));
	TRY(store_hold(store, &hold));
	store_hex_path("", &record->key, hex);
	TRY(store_pin(store, &(struct pin){ PIN_STEP, hex }, 1));
	step_path(&record->key, path);
	err = store_write(store, path, buf_str(&text), 0600, FILE_QUICK);
	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err); /* the first record with these two digits */
	path[STEP_DIR_LEN] = '\0';
	if (mkdirat(store->root_fd, path, 0700) < 0 && errno != EEXIST)
		return err_sys("make directory %s", path);
	path[STEP_DIR_LEN] = '/';
	return store_write(store, path, buf_str(&text), 0600, FILE_QUICK);
}
