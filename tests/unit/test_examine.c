/* tests/unit/test_examine.c - what is damaged in a store is found, told, and made anew where it can be. */

#include "tests/unit/layers.h"

#include "overlay/verify.h"
#include "store/examine.h"
#include "store/id.h"
#include "store/ref.h"
#include "store/step.h"
#include "store/web_record.h"
#include "tests/unit/images.h"

#define APP "docker.io/library/app:latest"
#define IMAGE "image app:latest"
#define REF "refs/docker.io%2flibrary%2fapp%3alatest" /* see store/ref-private.h */

static const struct compression zstd = { .codec = CODEC_ZSTD };
static const struct examine_hands hands = { verify_layer, verify_remake_layer, verify_remake_blob };

/* ---- a store ---- */

/* What a store consists of. The blob of `ours` was made here, that of `theirs` by others: its
 * entries are in no order of ours, so nobody here could make it again. */
enum part {
	THEIR_BLOB,
	OUR_BLOB,
	CONFIG,
	MANIFEST,
	THEIR_FILE,
	OUR_FILE,
	OUR_LIST,
	OUR_META,
	OUR_TREE,
	OUR_LAYER,
	STEP,
	WEB,
	NAME,
	VIEW,
	DIFF_LINK,
	PARTS,
};

struct part_place {
	char path[STORE_PATH_SIZE], object[STORE_PATH_SIZE];
};

static struct part_place parts[PARTS];
static struct layer_meta theirs, ours;
static struct descriptor app;

static __attribute__((format(printf, 3, 4))) void place(enum part part, const char *object,
							const char *format, ...)
{
	va_list args;

	snprintf(parts[part].object, STORE_PATH_SIZE, "%s", object);
	va_start(args, format);
	vsnprintf(parts[part].path, STORE_PATH_SIZE, format, args);
	va_end(args);
}

static void place_blob(enum part part, const struct descriptor *blob)
{
	char hex[STORE_PATH_SIZE];
	AUTO(mem)
	char *object = xasprintf("blob sha256:%s", store_hex_path("", &blob->digest, hex));

	place(part, object, "blobs/sha256/%s", hex);
}

/* Files are looked at where the link of their diff id leads: a layer that is made anew has another id. */
static void place_layers(void)
{
	AUTO(mem) char *their_object = xasprintf("layer %s", theirs.lid);
	AUTO(mem) char *our_object = xasprintf("layer %s", ours.lid);
	char hex[STORE_PATH_SIZE];

	place(THEIR_FILE, their_object, "%s/fs/d/a",
	      store_hex_path("diffs/", &theirs.diff_id, hex));
	place(OUR_FILE, our_object, "%s/fs/e/file", store_hex_path("diffs/", &ours.diff_id, hex));
	place(DIFF_LINK, our_object, "%s", hex);
	place(OUR_LIST, our_object, "layers/%s/list", ours.lid);
	place(OUR_META, our_object, "layers/%s/meta", ours.lid);
	place(OUR_TREE, our_object, "layers/%s/fs", ours.lid);
	place(OUR_LAYER, our_object, "layers/%s", ours.lid);
}

static struct descriptor put_app(struct descriptor *config)
{
	struct image_layer layers[2] = { { .blob = theirs.blob }, { .blob = ours.blob } };
	char one[DIGEST_TEXT_SIZE], two[DIGEST_TEXT_SIZE];
	AUTO(mem)
	char *text =
		xasprintf("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
			  "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
			  digest_format(&theirs.diff_id, one), digest_format(&ours.diff_id, two));
	AUTO(json) json_t *doc = parse(text);
	struct descriptor manifest;

	assert_ok(image_put(store, doc, layers, 2, NULL, &manifest, config));
	return manifest;
}

static void put_records(void)
{
	struct step_record step = { .key = { .bytes = { 1, 2 } } };
	struct web_record web = { .digest = ours.blob.digest, .size = ours.blob.size };
	AUTO(strings) struct strings names = { 0 };
	char hex[STORE_PATH_SIZE];
	AUTO(mem) char *object = NULL;
	AUTO(mem) char *web_object = NULL;

	memcpy(step.lid, ours.lid, sizeof(step.lid));
	assert_ok(step_put(store, &step));
	store_hex_path("", &step.key, hex);
	object = xasprintf("step %s", hex);
	place(STEP, object, "steps/%.2s/%s", hex, hex);
	assert_ok(web_record_put(store, "https://example.com/file", &web));
	assert_ok(file_list(store_fd(store), "web", &names));
	assert_int_equal(names.len, 1);
	web_object = xasprintf("file of the web %s", names.at[0]);
	place(WEB, web_object, "web/%s", names.at[0]);
}

/* One image of two layers with their trees, a step, a file of the web: all that a store may have. */
static int make_store(void **state)
{
	struct descriptor config;

	assert_int_equal(room_open(state), 0);
	theirs = layer_of_pull(D("d") F("d/z") F("d/a"));
	ours = layer_of_build(D("e") "f 644 0:0 5 100 e/file hello\n", -1, &zstd);
	app = put_app(&config);
	assert_ok(ref_set(store, APP, &app));
	assert_ok(id_remember(store, &app));
	put_records();
	place_blob(THEIR_BLOB, &theirs.blob);
	place_blob(OUR_BLOB, &ours.blob);
	place_blob(CONFIG, &config);
	place_blob(MANIFEST, &app);
	place_layers();
	place(NAME, IMAGE, "%s", REF);
	place(VIEW, "view index.json", "%s", "index.json");
	return 0;
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, make_store, room_close)

/* ---- what happens to it ---- */

static void write_part(enum part part, const struct buf *bytes, size_t len)
{
	room_put(parts[part].path, bytes->at, len);
}

static void flip(enum part part)
{
	AUTO(buf) struct buf bytes = BUF_INIT(BUF_MAX);

	layer_bytes(parts[part].path, &bytes);
	bytes.at[bytes.len / 2] ^= 4;
	write_part(part, &bytes, bytes.len);
}

static void cut(enum part part)
{
	AUTO(buf) struct buf bytes = BUF_INIT(BUF_MAX);

	layer_bytes(parts[part].path, &bytes);
	write_part(part, &bytes, bytes.len - 3);
}

static void drop(enum part part)
{
	char *slash = strrchr(parts[part].path, '/');
	AUTO(mem)
	char *parent =
		slash ? xasprintf("%.*s", (int)(slash - parts[part].path), parts[part].path) :
			xstrdup(".");
	AUTO(fd) int fd = openat(store_fd(store), parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(file_remove_tree(fd, slash ? slash + 1 : parts[part].path));
}

/* What a power cut leaves: the name and the length, and no bytes. */
static void blank(enum part part)
{
	static const char nothing[4096];
	AUTO(buf) struct buf bytes = BUF_INIT(BUF_MAX);

	layer_bytes(parts[part].path, &bytes);
	room_put(parts[part].path, nothing, bytes.len);
}

/* A file that is there, and cannot be read. */
static void divert(enum part part)
{
	drop(part);
	assert_int_equal(symlinkat("store.json", store_fd(store), parts[part].path), 0);
}

static void empty(enum part part)
{
	room_put(parts[part].path, "", 0);
}

/* ---- what is said of it ---- */

static void examine(bool repair, struct examine_report *ret)
{
	const struct examine_opts opts = { .hands = &hands, .repair = repair };

	room_reopen(); /* as the next command would */
	assert_ok(examine_run(store, &opts, ret));
}

static bool tells(const struct examine_report *report, enum examine_state state, const char *object,
		  const char *what)
{
	vec_foreach (report, finding)
		if (finding->state == state && strcmp(finding->object, object) == 0 &&
		    strstr(finding->what, what))
			return true;
	return false;
}

static void dump(const char *row, const char *when, const struct examine_report *report)
{
	vec_foreach (report, finding)
		print_error("%s, %s: %s: %s: %s (%s)\n", row, when,
			    examine_state_name(finding->state), finding->object, finding->what,
			    finding->place);
	fail_msg("%s, %s", row, when);
}

/* All names below a directory, so that what goes or comes shows. */
static void tell_names(const char *dir, struct buf *out)
{
	AUTO(strings) struct strings names = { 0 };
	AUTO(err) struct err *err = file_list(store_fd(store), dir, &names);

	if (err)
		return;
	vec_foreach (&names, name) {
		AUTO(mem) char *path = xasprintf("%s/%s", dir, *name);

		buf_addf(out, "%s\n", path);
		tell_names(path, out);
	}
}

static void tell_store(struct buf *out)
{
	static const char *const dirs[] = { "blobs", "refs", "layers", "diffs",
					    "steps", "web",  "ids",    "partial" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		tell_names(dirs[i], out);
}

static void assert_clean(const char *row)
{
	AUTO(examine_report) struct examine_report report = { 0 };

	examine(false, &report);
	if (report.len)
		dump(row, "after the repair", &report);
}

TEST(in_a_store_in_order_nothing_is_found)
{
	for (int repair = 0; repair < 2; repair++) {
		AUTO(examine_report) struct examine_report report = { 0 };

		examine(repair, &report);
		if (report.len)
			dump("in order", "first", &report);
		assert_int_equal(report.blobs, 4); /* two layers, a config, a manifest */
		assert_int_equal(report.layers, 2);
		assert_int_equal(report.steps, 1);
		assert_int_equal(report.images, 1);
	}
}

enum fate {
	BACK,   /* made anew as it was, and the store is in order */
	ABSENT, /* out of view, so that it is made when it is needed, and the store is in order */
	LOST,   /* out of view, and its image is said to lack it from then on */
};

struct damage {
	const char *row;
	void (*harm)(enum part part);
	enum part part;
	enum examine_state state;
	const char *what; /* of the part itself; NULL: nothing is there of which it could be said */
	const char *image; /* what is said of the image that lacks it; NULL: nothing */
	enum fate fate;
};

#define DIGEST_WRONG "its bytes have another digest"

static const struct damage damages[] = {
	{ "flip our blob", flip, OUR_BLOB, EXAMINE_WRONG, DIGEST_WRONG,
	  "its layer 2, sha256:", BACK },
	{ "cut our blob", cut, OUR_BLOB, EXAMINE_WRONG, DIGEST_WRONG,
	  "its layer 2, sha256:", BACK },
	{ "empty our blob", empty, OUR_BLOB, EXAMINE_WRONG, DIGEST_WRONG,
	  "its layer 2, sha256:", BACK },
	{ "drop our blob", drop, OUR_BLOB, EXAMINE_WRONG, NULL, "its layer 2, sha256:", BACK },
	{ "flip their blob", flip, THEIR_BLOB, EXAMINE_WRONG, DIGEST_WRONG,
	  "its layer 1, sha256:", LOST },
	{ "cut their blob", cut, THEIR_BLOB, EXAMINE_WRONG, DIGEST_WRONG,
	  "its layer 1, sha256:", LOST },
	{ "drop their blob", drop, THEIR_BLOB, EXAMINE_WRONG, NULL, "its layer 1, sha256:", LOST },
	{ "flip the config", flip, CONFIG, EXAMINE_WRONG, DIGEST_WRONG,
	  "its config sha256:", LOST },
	{ "cut the config", cut, CONFIG, EXAMINE_WRONG, DIGEST_WRONG, "its config sha256:", LOST },
	{ "drop the config", drop, CONFIG, EXAMINE_WRONG, NULL, "its config sha256:", LOST },
	{ "flip the manifest", flip, MANIFEST, EXAMINE_WRONG, DIGEST_WRONG,
	  "its manifest sha256:", LOST },
	{ "cut the manifest", cut, MANIFEST, EXAMINE_WRONG, DIGEST_WRONG,
	  "its manifest sha256:", LOST },
	{ "drop the manifest", drop, MANIFEST, EXAMINE_WRONG, NULL, "its manifest sha256:", LOST },
	{ "flip a file of theirs", flip, THEIR_FILE, EXAMINE_WRONG, "the tree is not", NULL, BACK },
	{ "drop a file of theirs", drop, THEIR_FILE, EXAMINE_WRONG, "the tree is not", NULL, BACK },
	{ "flip a file of ours", flip, OUR_FILE, EXAMINE_WRONG, "has changed", NULL, BACK },
	{ "drop a file of ours", drop, OUR_FILE, EXAMINE_WRONG, "has changed", NULL, BACK },
	{ "cut the list", cut, OUR_LIST, EXAMINE_WRONG, "its list is cut off", NULL, ABSENT },
	{ "flip a layer's record", flip, OUR_META, EXAMINE_WRONG, "", NULL, ABSENT },
	{ "cut a layer's record", cut, OUR_META, EXAMINE_WRONG, "", NULL, ABSENT },
	{ "drop a layer's record", drop, OUR_META, EXAMINE_WRONG, "it has no record", NULL,
	  ABSENT },
	{ "blank a layer's record", blank, OUR_META, EXAMINE_NOTE, "before a power cut", NULL,
	  ABSENT },
	{ "empty a layer's record", empty, OUR_META, EXAMINE_NOTE, "before a power cut", NULL,
	  ABSENT },
	{ "drop a tree", drop, OUR_TREE, EXAMINE_WRONG, "it has no tree", NULL, ABSENT },
	{ "drop a layer", drop, OUR_LAYER, EXAMINE_NOTE, NULL, NULL, ABSENT },
	{ "flip a step", flip, STEP, EXAMINE_WRONG, "", NULL, ABSENT },
	{ "cut a step", cut, STEP, EXAMINE_WRONG, "", NULL, ABSENT },
	{ "blank a step", blank, STEP, EXAMINE_NOTE, "before a power cut", NULL, ABSENT },
	{ "flip a file of the web", flip, WEB, EXAMINE_WRONG, "", NULL, ABSENT },
	{ "blank a file of the web", blank, WEB, EXAMINE_NOTE, "before a power cut", NULL, ABSENT },
	{ "cut a name", cut, NAME, EXAMINE_WRONG, "is damaged", NULL, BACK },
	{ "empty a name", empty, NAME, EXAMINE_WRONG, "is damaged", NULL, BACK },
	{ "flip the view", flip, VIEW, EXAMINE_NOTE, "not what the names say", NULL, BACK },
	{ "cut the view", cut, VIEW, EXAMINE_NOTE, "not what the names say", NULL, BACK },
	{ "a link for the view", divert, VIEW, EXAMINE_WRONG, "symbolic link", NULL, BACK },
	{ "drop a link", drop, DIFF_LINK, EXAMINE_NOTE, "no link leads to it", NULL, BACK },
};

/* Of a link, where it leads to would be a directory: its name says enough. */
static void remember(enum part part, struct buf *bytes)
{
	if (part < OUR_TREE || part == STEP || part == WEB || part == VIEW)
		layer_bytes(parts[part].path, bytes);
}

/* Unlike room_has() by links, too. */
static bool is_there(enum part part)
{
	return faccessat(store_fd(store), parts[part].path, F_OK, 0) == 0;
}

/* First it is told and nothing is touched. */
static void look(const struct damage *damage)
{
	AUTO(examine_report) struct examine_report report = { 0 };
	AUTO(buf) struct buf before = BUF_INIT(BUF_MAX), after = BUF_INIT(BUF_MAX);
	const bool is_harm = damage->state == EXAMINE_WRONG;
	const uint64_t wrong = is_harm ? (damage->what != NULL) + (damage->image != NULL) : 0;

	tell_store(&before);
	examine(false, &report);
	tell_store(&after);
	if (!str_equal(buf_str(&before), buf_str(&after)))
		dump(damage->row, "a look has changed the store", &report);
	if (damage->what &&
	    !tells(&report, damage->state, parts[damage->part].object, damage->what))
		dump(damage->row, "not told of the part", &report);
	if (damage->image && !tells(&report, EXAMINE_WRONG, IMAGE, damage->image))
		dump(damage->row, "not told of the image", &report);
	if (report.counts[EXAMINE_WRONG] != wrong || report.counts[EXAMINE_REPAIRED] || !report.len)
		dump(damage->row, "so much is wrong", &report);
}

/* Whatever cannot be made again is told each time. */
static void repair(const struct damage *damage)
{
	AUTO(examine_report) struct examine_report report = { 0 }, again = { 0 };

	examine(true, &report);
	if (damage->what &&
	    !tells(&report, EXAMINE_REPAIRED, parts[damage->part].object, damage->what))
		dump(damage->row, "the part is not repaired", &report);
	if (report.counts[EXAMINE_WRONG] != (damage->fate == LOST))
		dump(damage->row, "still wrong", &report);
	if (damage->fate != LOST) {
		assert_clean(damage->row);
		return;
	}
	examine(false, &again);
	if (again.counts[EXAMINE_WRONG] != 1 || !tells(&again, EXAMINE_WRONG, IMAGE, damage->image))
		dump(damage->row, "the loss is not told again", &again);
}

TEST(damage_is_told_and_what_can_be_made_anew_is)
{
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		const struct damage *damage = &damages[i];
		AUTO(buf) struct buf before = BUF_INIT(BUF_MAX), after = BUF_INIT(BUF_MAX);
		struct descriptor target;

		if (i) {
			assert_int_equal(room_close(NULL), 0);
			assert_int_equal(make_store(NULL), 0);
		}
		remember(damage->part, &before);
		damage->harm(damage->part);
		look(damage);
		repair(damage);
		if (is_there(damage->part) != (damage->fate == BACK))
			fail_msg("%s: it is there or not", damage->row);
		if (damage->fate == BACK)
			remember(damage->part, &after);
		if (damage->fate == BACK && !str_equal(buf_str(&before), buf_str(&after)))
			fail_msg("%s: it is not what it was", damage->row);
		assert_ok(ref_get(store, APP, &target)); /* no name is ever deleted */
		assert_true(descriptor_equal(&target, &app));
	}
}

/* ---- more than one thing at a time ---- */

TEST(what_neither_tree_nor_blob_can_give_is_told_and_its_name_stays)
{
	AUTO(examine_report) struct examine_report report = { 0 }, again = { 0 };
	struct descriptor target;

	flip(OUR_FILE);
	flip(OUR_BLOB);
	examine(true, &report);
	assert_true(tells(&report, EXAMINE_REPAIRED, parts[OUR_BLOB].object, DIGEST_WRONG));
	assert_true(tells(&report, EXAMINE_REPAIRED, parts[OUR_FILE].object, "has changed"));
	assert_true(tells(&report, EXAMINE_WRONG, IMAGE, "its layer 2, sha256:"));
	assert_int_equal(report.counts[EXAMINE_WRONG], 1);
	examine(true, &again);
	assert_true(tells(&again, EXAMINE_WRONG, IMAGE, "its layer 2, sha256:"));
	assert_ok(ref_get(store, APP, &target));
}

TEST(a_name_that_the_view_does_not_know_either_is_told_and_its_file_stays)
{
	cut(NAME);
	drop(VIEW); /* whoever opens the store next makes it of the names that can be read */
	for (int i = 0; i < 2; i++) {
		AUTO(examine_report) struct examine_report report = { 0 };

		examine(true, &report);
		assert_true(tells(&report, EXAMINE_WRONG, IMAGE, "is damaged"));
		assert_int_equal(report.counts[EXAMINE_WRONG], 1);
		assert_true(room_has(REF));
		assert_true(room_has(parts[MANIFEST].path));
	}
}

TEST(what_is_of_no_known_kind_is_told_and_goes)
{
	static const struct {
		const char *path, *object, *what;
		enum examine_state state;
	} cases[] = {
		{ "blobs/sha256/stray", "stray file", "it is no blob", EXAMINE_WRONG },
		{ "blobs/sha256/"
		  "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
		  "stray file", "it is no blob", EXAMINE_WRONG },
		{ "partial/stray", "download stray", "it is no download", EXAMINE_WRONG },
		{ "steps/00/stray", "step stray", "", EXAMINE_WRONG },
		{ "web/stray", "file of the web stray", "", EXAMINE_WRONG },
	};

	(void)mkdirat(store_fd(store), "partial", 0700);
	(void)mkdirat(store_fd(store), "steps/00", 0700);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(examine_report) struct examine_report report = { 0 }, mended = { 0 };

		room_put(cases[i].path, "stray", 5);
		examine(false, &report);
		if (report.len != 1 ||
		    !tells(&report, cases[i].state, cases[i].object, cases[i].what))
			dump(cases[i].path, "not told", &report);
		assert_string_equal(report.at[0].place, cases[i].path);
		examine(true, &mended);
		if (mended.counts[EXAMINE_WRONG] || room_has(cases[i].path))
			dump(cases[i].path, "it is still there", &mended);
		assert_clean(cases[i].path);
	}
}

TEST(a_link_that_leads_nowhere_is_a_note_and_goes)
{
	AUTO(examine_report) struct examine_report report = { 0 }, mended = { 0 };
	static const char path[] =
		"diffs/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

	assert_int_equal(symlinkat("../layers/aaaaaaaaaaaaaaaaaaaaaaaaaa", store_fd(store), path),
			 0);
	examine(false, &report);
	assert_int_equal(report.len, 1);
	assert_int_equal(report.at[0].state, EXAMINE_NOTE);
	assert_string_equal(report.at[0].place, path);
	examine(true, &mended);
	assert_int_equal(mended.counts[EXAMINE_REPAIRED], 1);
	assert_clean("a link");
}

/* ---- what images need (OCI image-spec) ---- */

#define ABSENT_DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define LAYER "{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":\"" ABSENT_DIGEST "\",\"size\":9"
#define OTHER "docker.io/library/other:latest"

/* A manifest with the config of the app and, if not NULL, one layer. `more` makes the size wrong. */
static struct descriptor put_manifest(const char *layer, uint64_t more)
{
	char digest[DIGEST_TEXT_SIZE];
	struct descriptor config = put_text(MEDIA_OCI_CONFIG, "{}");
	AUTO(mem)
	char *text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{"
			       "\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%ju},"
			       "\"layers\":[%s]}",
			       MEDIA_OCI_MANIFEST, MEDIA_OCI_CONFIG,
			       digest_format(&config.digest, digest),
			       (uintmax_t)(config.size + more), layer);

	return put_text(MEDIA_OCI_MANIFEST, text);
}

TEST(all_that_a_manifest_names_must_be_there)
{
	static const struct {
		const char *layer;
		uint64_t more;
		const char *what; /* NULL: it is whole */
	} cases[] = {
		{ "", 0, NULL },
		{ LAYER "}", 0, "its layer 1, " ABSENT_DIGEST " is missing" },
		{ "", 1, "its config sha256:" },
		/* descriptor: what may be fetched elsewhere need not be here */
		{ LAYER ",\"urls\":[\"https://example.com/layer\"]}", 0, NULL },
		{ LAYER ",\"urls\":[]}", 0, "its layer 1, " ABSENT_DIGEST " is missing" },
		/* descriptor: the digest is REQUIRED */
		{ "{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"size\":9}", 0, "digest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct descriptor manifest = put_manifest(cases[i].layer, cases[i].more), target;

		assert_ok(ref_set(store, OTHER, &manifest));
		for (int repair = 0; repair < 2; repair++) {
			AUTO(examine_report) struct examine_report report = { 0 };

			examine(repair, &report);
			if (report.counts[EXAMINE_WRONG] != (cases[i].what != NULL) ||
			    (cases[i].what &&
			     !tells(&report, EXAMINE_WRONG, "image other:latest", cases[i].what)))
				dump(cases[i].layer, "what is missing", &report);
		}
		assert_ok(ref_get(store, OTHER, &target));
		assert_true(descriptor_equal(&target, &manifest));
	}
}

/* Image-spec, image-index: what it names is for different platforms, and a store needs but one. */
TEST(of_an_index_one_image_must_be_whole)
{
	struct descriptor none = { .media_type = MEDIA_OCI_MANIFEST, .size = 9 };
	struct descriptor broken = put_manifest(LAYER "}", 0);
	const struct {
		const struct descriptor *one, *two;
		const char *what;
	} cases[] = {
		{ &app, &none, NULL },
		{ &none, &app, NULL },
		{ &none, &none, "none of the images of its index is there" },
		{ &app, &broken, "its layer 1, " ABSENT_DIGEST " is missing" },
	};

	assert_ok(digest_parse(ABSENT_DIGEST, &none.digest));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct descriptor list = put_index(cases[i].one, cases[i].two);
		AUTO(examine_report) struct examine_report report = { 0 };

		assert_ok(ref_set(store, OTHER, &list));
		examine(false, &report);
		if (report.counts[EXAMINE_WRONG] != (cases[i].what != NULL) ||
		    (cases[i].what &&
		     !tells(&report, EXAMINE_WRONG, "image other:latest", cases[i].what)))
			dump("an index", cases[i].what ? cases[i].what : "whole", &report);
	}
}

/* ---- less than all ---- */

TEST(in_a_hurry_documents_are_read_and_trees_are_not)
{
	const struct examine_opts quick = { .hands = &hands, .quick = true };
	AUTO(examine_report) struct examine_report first = { 0 }, second = { 0 };

	flip(OUR_FILE);
	room_reopen();
	assert_ok(examine_run(store, &quick, &first));
	if (first.len)
		dump("in a hurry", "a tree", &first);
	flip(CONFIG);
	room_reopen();
	assert_ok(examine_run(store, &quick, &second));
	assert_true(tells(&second, EXAMINE_WRONG, IMAGE, "its config sha256:"));
}

TEST(only_the_images_that_are_named_are_looked_at)
{
	AUTO(strings) struct strings names = { 0 };
	const struct examine_opts opts = { .hands = &hands, .names = &names };
	AUTO(examine_report) struct examine_report other = { 0 }, both = { 0 }, none = { 0 };
	struct descriptor manifest = put_manifest("", 0);

	assert_ok(ref_set(store, OTHER, &manifest));
	flip(OUR_BLOB);
	flip(OUR_FILE);
	flip(STEP);
	strings_push(&names, OTHER);
	room_reopen();
	assert_ok(examine_run(store, &opts, &other));
	if (other.len || other.blobs != 2 || other.layers || other.images != 1)
		dump("by name", "one", &other);
	strings_push(&names, APP);
	assert_ok(examine_run(store, &opts, &both));
	if (both.counts[EXAMINE_WRONG] != 3 || both.images != 2)
		dump("by name", "two", &both);
	strings_push(&names, "docker.io/library/nothing:latest");
	assert_fails(examine_run(store, &opts, &none), ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(in_a_store_in_order_nothing_is_found),
		STORE_TEST(damage_is_told_and_what_can_be_made_anew_is),
		STORE_TEST(what_neither_tree_nor_blob_can_give_is_told_and_its_name_stays),
		STORE_TEST(a_name_that_the_view_does_not_know_either_is_told_and_its_file_stays),
		STORE_TEST(what_is_of_no_known_kind_is_told_and_goes),
		STORE_TEST(a_link_that_leads_nowhere_is_a_note_and_goes),
		STORE_TEST(all_that_a_manifest_names_must_be_there),
		STORE_TEST(of_an_index_one_image_must_be_whole),
		STORE_TEST(in_a_hurry_documents_are_read_and_trees_are_not),
		STORE_TEST(only_the_images_that_are_named_are_looked_at),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
