/* store/examine.c - see store/examine.h: blobs, layers, records, links. */

#include "store/examine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "store/blob.h"
#include "store/examine-private.h"
#include "store/failed-private.h"
#include "store/image.h"
#include "store/index-private.h"
#include "store/meta-private.h"
#include "store/record-private.h"
#include "store/ref-private.h"
#include "store/step-private.h"
#include "store/store-private.h"
#include "store/web_record.h"

#define WEB_MAX ((size_t)64 * 1024)
#define REMAKES "cairn check --repair takes it away; it is made again when it is needed"

const char *examine_state_name(enum examine_state state)
{
	static const char *const names[EXAMINE_STATES] = {
		[EXAMINE_WRONG] = "wrong",
		[EXAMINE_REPAIRED] = "repaired",
		[EXAMINE_NOTE] = "note",
		[EXAMINE_UNKNOWN] = "unknown",
	};

	return names[state];
}

/* ---- telling ---- */

void examine_report_release(struct examine_report *report)
{
	vec_foreach (report, finding) {
		free(finding->object);
		free(finding->place);
		free(finding->what);
		free(finding->remedy);
	}
	vec_release(report);
}

static void examine_auto_(struct examine *exam)
{
	graph_release(&exam->graph);
	map_release(&exam->wanted, NULL);
	map_release(&exam->bad, NULL);
	examine_report_release(&exam->report);
}

struct examine_finding *examine_tell(struct examine *exam, const char *object, const char *place,
				     char *what, const char *remedy)
{
	struct examine_finding *finding = vec_add(&exam->report);

	finding->object = xstrdup(object);
	finding->place = xstrdup(place);
	finding->what = what;
	finding->remedy = remedy ? xstrdup(remedy) : NULL;
	return finding;
}

void examine_repaired(struct examine *exam, struct examine_finding *finding)
{
	(void)exam;
	finding->state = EXAMINE_REPAIRED;
	free(STEAL(finding->remedy));
}

void examine_note(struct examine *exam, struct examine_finding *finding)
{
	(void)exam;
	finding->state = EXAMINE_NOTE;
	free(STEAL(finding->remedy));
}

struct err *examine_go_on(struct examine *exam, const char *object, const char *place,
			  struct err *err)
{
	const size_t told = exam->report.len;
	const bool repair = told && strcmp(exam->report.at[told - 1].object, object) == 0 &&
			    exam->report.at[told - 1].state == EXAMINE_WRONG;
	char *what;

	if (err_kind(err) != ERR_SYSTEM)
		return err;
	what = xasprintf("could not be %s: %s", repair ? "repaired" : "checked", err_text(err));
	examine_tell(exam, object, place, what, NULL)->state =
		err_errno(err) == EROFS ? EXAMINE_NOTE : EXAMINE_UNKNOWN;
	err_free(err);
	return NULL;
}

/* What is said of an object. */
struct verdict {
	char *what; /* owned; NULL: it is in order, or is gone */
	bool harmless;
};

static void judge_text(struct verdict *verdict, const char *what)
{
	verdict->what = xstrdup(what);
}

/* Whether that is all that a power cut left of a record that was never flushed: no damage, as it was not
 * to be relied on. It is made again when it is needed. */
static bool is_unflushed(const struct buf *text, struct verdict *verdict)
{
	if (!record_is_blank(buf_str(text)))
		return false;
	judge_text(verdict, "it did not reach the disk before a power cut");
	verdict->harmless = true;
	return true;
}

/* Out of view with it: from then on it is absent. */
static struct err *take_away(struct examine *exam, struct examine_finding *finding,
			     const char *path)
{
	AUTO(lock) struct lock hold = LOCK_INIT;

	if (!exam->opts->repair)
		return NULL;
	TRY(store_hold(exam->store, &hold));
	TRY(trash_put(exam->store, exam->store->root_fd, path));
	examine_repaired(exam, finding);
	return NULL;
}

static bool is_wanted(const struct examine *exam, char kind, const char *name)
{
	AUTO(mem) char *key = xasprintf("%c%.64s", kind, name);

	return !exam->wanted.len || map_has(&exam->wanted, str_of(key));
}

/* ---- blobs ---- */

static bool parse_hex(const char *name, struct digest *ret)
{
	AUTO(mem) char *text = xasprintf("sha256:%s", name);
	AUTO(err) struct err *err = digest_parse(text, ret);

	return !err;
}

/* Documents are read even in a hurry. */
static bool is_large(const struct examine *exam, const char *path)
{
	struct stat st;

	return fstatat(exam->store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_size > (off_t)IMAGE_DOCUMENT_MAX;
}

static struct err *tell_blob(struct examine *exam, const char *name, const char *path)
{
	AUTO(mem) char *object = xasprintf("blob sha256:%s", name);
	struct examine_finding *finding =
		examine_tell(exam, object, path, xstrdup("its bytes have another digest"),
			     "cairn check --repair takes it away");

	if (exam->opts->repair)
		examine_repaired(exam, finding); /* it is absent, and what lacks it is told */
	else
		map_put(&exam->bad, str_of(name), exam);
	return NULL;
}

static struct err *examine_blob(struct examine *exam, const char *name)
{
	char path[STORE_PATH_SIZE];
	struct digest digest;
	bool good = true;
	struct err *err;

	snprintf(path, sizeof(path), "blobs/sha256/%.80s", name);
	if (!parse_hex(name, &digest)) {
		struct examine_finding *finding =
			examine_tell(exam, "stray file", path, xstrdup("it is no blob"),
				     "cairn check --repair takes it away");
		return take_away(exam, finding, path);
	}
	if (exam->opts->quick && is_large(exam, path))
		return NULL;
	err = blob_verify(exam->store, &digest, exam->opts->repair, &good);
	if (err_kind(err) == ERR_NOT_FOUND) { /* it has been pruned meanwhile */
		err_free(err);
		return NULL;
	}
	TRY(err);
	exam->report.blobs++;
	return good ? NULL : tell_blob(exam, name, path);
}

static struct err *examine_blobs(struct examine *exam)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(file_list(exam->store->root_fd, "blobs/sha256", &names));
	vec_foreach (&names, name) {
		AUTO(mem) char *object = xasprintf("blob sha256:%s", *name);
		AUTO(mem) char *place = xasprintf("blobs/sha256/%s", *name);

		TRY(cancel_check());
		if (is_wanted(exam, 'B', *name))
			TRY(examine_go_on(exam, object, place, examine_blob(exam, *name)));
	}
	return NULL;
}

/* ---- layers ---- */

/* Take a bad layer away, and make it anew from its blob if that can be. `meta` may be NULL. */
static struct err *replace_layer(struct examine *exam, struct examine_finding *finding,
				 const char *lid, const struct layer_meta *meta)
{
	AUTO(mem) char *path = xasprintf("layers/%s", lid);
	bool done = false;

	TRY(take_away(exam, finding, path));
	if (!exam->opts->repair || !meta)
		return NULL;
	return exam->opts->hands->remake_layer(exam->store, meta, &done);
}

/* `verdict.what` is taken. */
static struct err *tell_layer(struct examine *exam, const char *lid, struct verdict verdict,
			      const struct layer_meta *meta)
{
	AUTO(mem) char *object = xasprintf("layer %s", lid);
	AUTO(mem) char *place = xasprintf("layers/%s", lid);
	struct examine_finding *finding = examine_tell(exam, object, place, verdict.what, REMAKES);

	if (verdict.harmless)
		examine_note(exam, finding);
	return replace_layer(exam, finding, lid, meta);
}

/* Why a layer counts as absent: nothing if that is only because it did not survive a power cut for certain,
 * or is gone. */
static struct err *find_fault(struct examine *exam, const char *lid, struct verdict *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(META_MAX);
	AUTO(err) struct err *err = NULL, *why = NULL;
	struct meta_record record;
	char path[STORE_PATH_SIZE];
	bool found = false;

	if (store_is_gone(exam->store, meta_path(lid, ".", path)))
		return NULL;
	TRY(store_read_or_why(exam->store, meta_path(lid, "meta", path), META_MAX, &text, &found,
			      &why));
	if (!found) {
		judge_text(ret, why ? err_text(why) : "it has no record");
		return NULL;
	}
	if (is_unflushed(&text, ret))
		return NULL;
	err = meta_parse(buf_str(&text), &record);
	if (err)
		judge_text(ret, err_text(err));
	else if (strcmp(record.meta.lid, lid) != 0)
		judge_text(ret, "the record is that of another layer");
	else if (store_is_gone(exam->store, meta_path(lid, "fs", path)))
		judge_text(ret, "it has no tree");
	return NULL;
}

static struct err *examine_tree(struct examine *exam, const struct layer_meta *meta)
{
	AUTO(err) struct err *wrong = NULL;
	struct err *err;

	if (exam->opts->quick)
		return NULL;
	err = exam->opts->hands->verify_layer(exam->store, meta->lid, &wrong);
	if (err_kind(err) == ERR_NOT_FOUND) { /* it has been pruned meanwhile */
		err_free(err);
		return NULL;
	}
	TRY(err);
	if (!wrong)
		return NULL;
	return tell_layer(exam, meta->lid, (struct verdict){ .what = xstrdup(err_text(wrong)) },
			  meta);
}

/* A layer that is not linked by its diff id is not found by it: a process died between the two. */
static struct err *examine_diff(struct examine *exam, const struct layer_meta *meta)
{
	char path[STORE_PATH_SIZE];
	struct examine_finding *finding;
	AUTO(mem) char *object = xasprintf("layer %s", meta->lid);

	if (!meta->has_diff_id || meta->dependent ||
	    !store_is_gone(exam->store, store_hex_path("diffs/", &meta->diff_id, path)))
		return NULL;
	finding = examine_tell(exam, object, path, xstrdup("no link leads to it"), NULL);
	examine_note(exam, finding);
	if (!exam->opts->repair)
		return NULL;
	TRY(layer_update(exam->store, meta));
	examine_repaired(exam, finding);
	return NULL;
}

static struct err *examine_layer(struct examine *exam, const char *lid)
{
	struct meta_record record;
	bool found = false;
	struct verdict fault = { .what = NULL };

	TRY(meta_find(exam->store, lid, &found, &record));
	exam->report.layers++;
	if (found) {
		TRY(examine_tree(exam, &record.meta));
		return examine_diff(exam, &record.meta);
	}
	TRY(find_fault(exam, lid, &fault));
	return fault.what ? tell_layer(exam, lid, fault, NULL) : NULL;
}

static struct err *examine_layers(struct examine *exam)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(file_list(exam->store->root_fd, "layers", &names));
	vec_foreach (&names, name) {
		AUTO(mem) char *object = xasprintf("layer %s", *name);
		AUTO(mem) char *place = xasprintf("layers/%s", *name);

		TRY(cancel_check());
		if (is_wanted(exam, 'L', *name))
			TRY(examine_go_on(exam, object, place, examine_layer(exam, *name)));
	}
	return NULL;
}

/* ---- records ---- */

/* What is wrong with a step record. */
static struct err *judge_step(struct examine *exam, const char *path, struct verdict *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(STEP_MAX + 2 * STEP_HEAD_MAX);
	AUTO(step_record) struct step_record record = { 0 };
	AUTO(err) struct err *err = NULL, *why = NULL;
	char hex[STORE_PATH_SIZE], layer[STORE_PATH_SIZE];
	bool found = false;

	TRY(store_read_or_why(exam->store, path, STEP_MAX + STEP_HEAD_MAX, &text, &found, &why));
	if (!found) {
		if (why)
			judge_text(ret, err_text(why));
		return NULL;
	}
	if (is_unflushed(&text, ret))
		return NULL;
	err = step_parse(buf_str(&text), text.len, true, &record);
	if (err)
		judge_text(ret, err_text(err));
	else if (strcmp(store_hex_path("", &record.key, hex), strrchr(path, '/') + 1) != 0)
		judge_text(ret, "it is the record of another step");
	else if (record.lid[0] && store_is_gone(exam->store, meta_path(record.lid, ".", layer))) {
		ret->what = xasprintf("its layer %s is not in the store", record.lid);
		ret->harmless = true; /* a layer whose flush failed is discarded */
	}
	return NULL;
}

static struct err *judge_web(struct examine *exam, const char *path, struct verdict *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(WEB_MAX);
	AUTO(web_record) struct web_record record = { 0 };
	AUTO(err) struct err *err = NULL, *why = NULL;
	bool found = false;

	TRY(store_read_or_why(exam->store, path, WEB_MAX - 1, &text, &found, &why));
	if (why)
		judge_text(ret, err_text(why));
	if (!found || is_unflushed(&text, ret))
		return NULL;
	err = web_record_parse(buf_str(&text), &record);
	if (err)
		judge_text(ret, err_text(err));
	return NULL;
}

/* The names in a directory that may be absent. */
static struct err *list(struct examine *exam, const char *dir, struct strings *ret)
{
	struct err *err = file_list(exam->store->root_fd, dir, ret);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err);
	return NULL;
}

typedef struct err *judge_record(struct examine *exam, const char *path, struct verdict *ret);

static struct err *examine_record(struct examine *exam, const char *object, const char *path,
				  judge_record *judge)
{
	struct verdict verdict = { .what = NULL };
	struct examine_finding *finding;

	TRY(judge(exam, path, &verdict));
	if (!verdict.what)
		return NULL;
	finding = examine_tell(exam, object, path, verdict.what, REMAKES);
	if (verdict.harmless)
		examine_note(exam, finding);
	return take_away(exam, finding, path);
}

static struct err *examine_records(struct examine *exam, const char *dir, const char *kind,
				   judge_record *judge)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(list(exam, dir, &names));
	vec_foreach (&names, name) {
		AUTO(mem) char *path = xasprintf("%s/%s", dir, *name);
		AUTO(mem) char *object = xasprintf("%s %s", kind, *name);

		TRY(examine_go_on(exam, object, path, examine_record(exam, object, path, judge)));
	}
	if (judge == judge_step)
		exam->report.steps += names.len;
	return NULL;
}

static struct err *examine_steps(struct examine *exam)
{
	for (unsigned i = 0; i < 256; i++) {
		char shelf[16];

		snprintf(shelf, sizeof(shelf), "steps/%02x", i);
		TRY(examine_records(exam, shelf, "step", judge_step));
	}
	return NULL;
}

/* What is wrong with the record of a failed step: its layers may be gone, which shows when it is entered. */
static struct err *judge_failed(struct examine *exam, const char *path, struct verdict *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(FAILED_MAX);
	AUTO(failed_step) struct failed_step step = { 0 };
	AUTO(err) struct err *err = NULL, *why = NULL;
	char layer[STORE_PATH_SIZE];
	bool found = false;

	TRY(store_read_or_why(exam->store, path, FAILED_MAX - 1, &text, &found, &why));
	if (why)
		judge_text(ret, err_text(why));
	if (!found || is_unflushed(&text, ret))
		return NULL;
	err = failed_parse(buf_str(&text), &step);
	if (err)
		judge_text(ret, err_text(err));
	else if (step.lid[0] && store_is_gone(exam->store, meta_path(step.lid, ".", layer))) {
		ret->what = xasprintf("its layer %s is not in the store", step.lid);
		ret->harmless = true;
	}
	return NULL;
}

static struct err *judge_partial(struct examine *exam, const char *path, struct verdict *ret)
{
	struct digest digest;

	(void)exam;
	if (!parse_hex(strrchr(path, '/') + 1, &digest))
		judge_text(ret, "it is no download that can go on");
	return NULL;
}

/* ---- links ---- */

/* Where a link leads, without what comes before "layers/" or "blobs/". */
static bool leads_somewhere(struct examine *exam, const char *path)
{
	char target[256] = "";
	const char *rest = target;

	if (readlinkat(exam->store->root_fd, path, target, sizeof(target) - 1) < 0)
		return errno != ENOENT && errno != EINVAL; /* then it cannot be told */
	while (strncmp(rest, "../", 3) == 0)
		rest += 3;
	return !store_is_gone(exam->store, rest);
}

static struct err *examine_link(struct examine *exam, const char *object, const char *path)
{
	AUTO(lock) struct lock hold = LOCK_INIT;
	struct examine_finding *finding;

	TRY(store_hold(exam->store, &hold));
	if (leads_somewhere(exam, path) || store_is_gone(exam->store, path))
		return NULL;
	finding = examine_tell(exam, object, path, xstrdup("it leads nowhere"), NULL);
	examine_note(exam, finding);
	if (!exam->opts->repair)
		return NULL;
	if (unlinkat(exam->store->root_fd, path, 0) == 0)
		examine_repaired(exam, finding);
	return NULL;
}

static struct err *examine_links_in(struct examine *exam, const char *dir)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(list(exam, dir, &names));
	vec_foreach (&names, name) {
		AUTO(mem) char *path = xasprintf("%s/%s", dir, *name);
		AUTO(mem) char *object = xasprintf("link %s", path);

		TRY(examine_go_on(exam, object, path, examine_link(exam, object, path)));
	}
	return NULL;
}

static struct err *examine_links(struct examine *exam)
{
	TRY(examine_links_in(exam, "diffs"));
	for (unsigned i = 0; i < 256; i++) {
		char shelf[8];

		snprintf(shelf, sizeof(shelf), "ids/%02x", i);
		TRY(examine_links_in(exam, shelf));
	}
	return NULL;
}

/* ---- the view ---- */

static struct err *compare_view(struct examine *exam)
{
	AUTO(ref_list) struct ref_list refs = { 0 };
	AUTO(buf) struct buf want = BUF_INIT(INDEX_MAX), have = BUF_INIT(INDEX_MAX);
	AUTO(lock) struct lock lock = LOCK_INIT;
	AUTO(err) struct err *why = NULL;
	struct examine_finding *finding;
	bool found = false;

	if (atomic_load(&exam->store->read_only))
		return NULL;
	TRY(lock_file(exam->store->root_fd, "lock/index", LOCK_EXCLUSIVE, &lock));
	TRY(ref_list(exam->store, &refs));
	if (refs.partial) /* what it should be cannot be told; the name is told of elsewhere */
		return NULL;
	index_format(&refs, &want);
	TRY(store_read_or_why(exam->store, "index.json", INDEX_MAX - 1, &have, &found, &why));
	if (found && str_equal(buf_str(&want), buf_str(&have)))
		return NULL;
	finding = examine_tell(exam, "view index.json", "index.json",
			       xstrdup(why ? err_text(why) : "it is not what the names say"), NULL);
	if (!why)
		examine_note(exam, finding);
	if (!exam->opts->repair)
		return NULL;
	TRY(index_renew(exam->store));
	TRY(store_sync_dir(exam->store, "."));
	examine_repaired(exam, finding);
	return NULL;
}

static struct err *examine_view(struct examine *exam)
{
	return examine_go_on(exam, "view index.json", "index.json", compare_view(exam));
}

/* ---- all of it ---- */

/* What the images that were asked for lead to. */
static struct err *want_images(struct examine *exam)
{
	vec_foreach (exam->opts->names, name) {
		char path[REF_PATH_SIZE];
		const struct holder *holder = NULL;

		TRY(ref_path(*name, path));
		vec_foreach (&exam->graph.holders, other)
			if (!other->dropped && strcmp(other->path, path) == 0)
				holder = other;
		if (!holder)
			return err_new(ERR_NOT_FOUND, "no image '%.255s' in the store",
				       index_familiar(*name));
		map_put(&exam->wanted, STR("*"), exam);
		vec_foreach (&holder->objects, index) {
			const struct object *object = &exam->graph.objects.at[*index];
			AUTO(mem)
			char *key = xasprintf("%c%s", object->kind == OBJECT_LAYER ? 'L' : 'B',
					      object->name);

			map_put(&exam->wanted, str_of(key), exam);
		}
	}
	return NULL;
}

static struct err *examine_rest(struct examine *exam)
{
	TRY(examine_steps(exam));
	TRY(examine_records(exam, "web", "file of the web", judge_web));
	TRY(examine_records(exam, "failed", "failed step", judge_failed));
	TRY(examine_records(exam, "partial", "download", judge_partial));
	TRY(examine_links(exam));
	return examine_view(exam);
}

struct err *examine_run(struct store *store, const struct examine_opts *opts,
			struct examine_report *ret)
{
	AUTO(examine) struct examine exam = { .store = store, .opts = opts };
	const bool all = !opts->names || !opts->names->len;

	if (!all) {
		TRY(graph_load(store, &exam.graph));
		TRY(want_images(&exam));
	}
	TRY(examine_blobs(&exam));
	TRY(examine_layers(&exam));
	TRY(examine_images(&exam));
	if (all)
		TRY(examine_rest(&exam));
	vec_foreach (&exam.report, finding)
		exam.report.counts[finding->state]++;
	*ret = exam.report;
	exam.report = (struct examine_report){ 0 };
	return NULL;
}
