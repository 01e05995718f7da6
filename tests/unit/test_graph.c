/* tests/unit/test_graph.c - what keeps what, and what has come since. */

#include "tests/unit/images.h"

#include <sys/stat.h>
#include <unistd.h>

#include "store/graph-parts-private.h"
#include "store/graph-private.h"
#include "store/id.h"
#include "store/layer.h"
#include "store/ref.h"
#include "store/step.h"

#define APP "docker.io/library/app:latest"

/* The object with this name in a graph. */
static struct object *find(struct graph *graph, const struct digest *digest)
{
	char hex[STORE_PATH_SIZE];
	const uint32_t at = graph_find(&graph->names, 'B', store_hex_path("", digest, hex));

	return at ? &graph->objects.at[at - 1] : NULL;
}

static bool goes(struct graph *graph, const struct digest *digest)
{
	const struct object *object = find(graph, digest);

	assert_non_null(object);
	return graph_object_goes(graph, object);
}

static struct object *find_layer(struct graph *graph, const char *lid)
{
	vec_foreach (&graph->objects, object)
		if (object->kind == OBJECT_LAYER && strcmp(object->name, lid) == 0)
			return object;
	return NULL;
}

static struct layer_meta put_layer(const struct digest *diff_id, const struct digest *chain)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { .has_diff_id = diff_id != NULL, .dependent = chain != NULL };

	if (diff_id)
		meta.diff_id = *diff_id;
	assert_ok(layer_begin(store, &stage));
	assert_ok(layer_seal(stage, chain, &meta));
	return meta;
}

static void load(struct graph *graph)
{
	room_reopen(); /* what this process has pinned counts no more */
	assert_ok(graph_load(store, graph));
	assert_ok(graph_refresh(graph));
}

TEST(a_name_keeps_its_manifest_its_config_its_layers_and_their_trees)
{
	AUTO(graph) struct graph graph = { 0 };
	struct descriptor config;
	struct descriptor manifest = put_image("amd64", "a layer", &config);
	struct descriptor layer = put_text(MEDIA_OCI_LAYER, "a layer");
	struct descriptor other = put_text(MEDIA_OCI_LAYER, "another layer");
	struct layer_meta tree = put_layer(&layer.digest, NULL);
	struct layer_meta lonely = put_layer(&other.digest, NULL);

	assert_ok(ref_set(store, APP, &manifest));
	load(&graph);
	assert_false(goes(&graph, &manifest.digest));
	assert_false(goes(&graph, &config.digest));
	assert_false(goes(&graph, &layer.digest));
	assert_true(goes(&graph, &other.digest));
	assert_false(graph_object_goes(&graph, find_layer(&graph, tree.lid)));
	assert_true(graph_object_goes(&graph, find_layer(&graph, lonely.lid)));
}

TEST(each_layer_with_the_diff_id_is_kept_whatever_it_was_unpacked_on)
{
	AUTO(graph) struct graph graph = { 0 };
	struct descriptor config;
	struct descriptor manifest = put_image("amd64", "a layer", &config);
	struct descriptor layer = put_text(MEDIA_OCI_LAYER, "a layer");
	struct layer_meta one = put_layer(&layer.digest, &config.digest);
	struct layer_meta two = put_layer(&layer.digest, &manifest.digest);

	assert_string_not_equal(one.lid, two.lid);
	assert_ok(ref_set(store, APP, &manifest));
	load(&graph);
	assert_false(graph_object_goes(&graph, find_layer(&graph, one.lid)));
	assert_false(graph_object_goes(&graph, find_layer(&graph, two.lid)));
}

TEST(whatever_kind_of_document_a_name_leads_to_keeps_what_it_names)
{
	static const char *const documents[] = {
		/* an OCI index, with an attestation */
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"digest\":\"%s\","
		"\"size\":9,\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}}]}",
		/* a list of Docker's */
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.list."
		"v2+json\",\"manifests\":[{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":9}]}",
		/* an artifact that refers to another */
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.empty.v1+json\"},"
		"\"subject\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":9}}",
		/* one that nobody has thought of yet */
		"{\"future\":[[{\"deep\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":9}}]]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		AUTO(graph) struct graph graph = { 0 };
		char digest[DIGEST_TEXT_SIZE];
		struct descriptor kept = put_text("text/plain", "{\"kept\":1}"), document;
		AUTO(mem) char *text = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		text = xasprintf(documents[i], MEDIA_OCI_MANIFEST,
				 digest_format(&kept.digest, digest));
#pragma GCC diagnostic pop
		document = put_text(MEDIA_OCI_INDEX, text);
		assert_ok(ref_set(store, APP, &document));
		load(&graph);
		assert_false(goes(&graph, &document.digest));
		assert_false(goes(&graph, &kept.digest));
	}
}

TEST(a_new_name_of_a_new_manifest_keeps_an_old_layer)
{
	AUTO(graph) struct graph graph = { 0 };
	struct descriptor layer = put_text(MEDIA_OCI_LAYER, "a layer"), config, manifest;

	load(&graph);
	assert_true(goes(&graph, &layer.digest));
	manifest = put_image("amd64", "a layer", &config);
	assert_ok(ref_set(store, APP, &manifest));
	room_reopen();
	graph.store = store;
	assert_ok(graph_refresh(&graph));
	assert_false(goes(&graph, &layer.digest));
	assert_true(find(&graph, &manifest.digest)->fresh);
	assert_true(find(&graph, &config.digest)->fresh);
}

TEST(a_name_that_was_moved_keeps_what_it_leads_to_now)
{
	AUTO(graph) struct graph graph = { 0 };
	struct descriptor config, first = put_image("amd64", "one", &config);
	struct descriptor second = put_image("amd64", "two", &config);
	struct descriptor one = put_text(MEDIA_OCI_LAYER, "one");
	struct descriptor two = put_text(MEDIA_OCI_LAYER, "two");
	bool known;

	assert_ok(id_forget(store, &second, &known));
	assert_ok(ref_set(store, APP, &first));
	load(&graph);
	assert_false(goes(&graph, &one.digest));
	assert_true(goes(&graph, &two.digest));
	/* moved there and back and there, so that the number of the inode may be the old one */
	assert_ok(ref_set(store, APP, &second));
	assert_ok(ref_set(store, APP, &first));
	assert_ok(ref_set(store, APP, &second));
	room_reopen();
	graph.store = store;
	assert_ok(graph_refresh(&graph));
	assert_false(goes(&graph, &two.digest));
}

/* Give the name to an image that nothing else keeps. */
static void name_alone(const struct descriptor *image)
{
	bool known;

	assert_ok(ref_set(store, APP, image));
	assert_ok(id_forget(store, image, &known));
}

TEST(a_name_that_is_moved_while_all_is_read_keeps_what_it_leads_to_now)
{
	struct descriptor config, images[2] = { put_image("amd64", "one", &config) };
	struct descriptor layers[2] = { put_text(MEDIA_OCI_LAYER, "one") };

	images[1] = put_image("amd64", "two", &config);
	layers[1] = put_text(MEDIA_OCI_LAYER, "two");
	name_alone(&images[1]);
	for (size_t turn = 0; turn < 10; turn++) {
		AUTO(graph) struct graph graph = { 0 };

		name_alone(&images[turn % 2]);
		load(&graph);
		assert_ok(graph_prepare(&graph));
		/* within a tick of the clock, and with numbers of inodes that were just given up */
		for (size_t i = 1; i < 4; i++)
			name_alone(&images[(turn + i) % 2]);
		room_reopen();
		graph.store = store;
		assert_ok(graph_refresh(&graph));
		assert_false(goes(&graph, &layers[(turn + 1) % 2].digest));
		assert_true(goes(&graph, &layers[turn % 2].digest));
	}
}

/* Pins a manifest, says so, and lives until it is told to end. */
struct neighbour {
	int said[2], told[2];
	struct digest digest;
};

static bool pin_and_wait(void *arg)
{
	struct neighbour *neighbour = arg;
	bool found = false;
	char byte;
	CHILD_STORE(mine);

	CHECK_OK(blob_find(mine, &neighbour->digest, &found, NULL));
	CHECK(found);
	CHECK(write(neighbour->said[1], "x", 1) == 1);
	CHECK(close(neighbour->told[1]) == 0);
	CHECK(read(neighbour->told[0], &byte, 1) == 0);
	store_close(mine);
	return true;
}

TEST(what_a_living_process_has_pinned_stays_with_all_that_it_leads_to)
{
	AUTO(graph) struct graph graph = { 0 };
	struct descriptor config, manifest = put_image("amd64", "a layer", &config);
	struct descriptor layer = put_text(MEDIA_OCI_LAYER, "a layer");
	struct neighbour neighbour = { .digest = manifest.digest };
	char byte;
	bool known;
	pid_t pid;

	assert_ok(id_forget(store, &manifest, &known));
	assert_int_equal(pipe(neighbour.said) | pipe(neighbour.told), 0);
	store_close(STEAL(store)); /* the child has none of ours */
	pid = child_start(pin_and_wait, &neighbour);
	close(neighbour.told[0]);
	assert_int_equal(read(neighbour.said[0], &byte, 1), 1);
	assert_ok(store_open(room_path, &store));
	assert_ok(graph_load(store, &graph));
	assert_ok(graph_refresh(&graph));
	assert_true(graph_object_in_use(&graph, find(&graph, &manifest.digest)));
	assert_true(graph_object_in_use(&graph, find(&graph, &layer.digest)));
	assert_false(goes(&graph, &layer.digest));
	close(neighbour.told[1]);
	assert_int_equal(child_wait(pid), 0);
	assert_ok(graph_refresh(&graph));
	assert_true(goes(&graph, &manifest.digest));
	assert_true(goes(&graph, &layer.digest));
	close(neighbour.said[0]);
	close(neighbour.said[1]);
}

TEST(pins_that_cannot_be_read_end_everything)
{
	AUTO(graph) struct graph graph = { 0 };
	AUTO(lock) struct lock lock = LOCK_INIT;

	assert_ok(graph_load(store, &graph));
	assert_ok(lock_file(store_fd(store), "leases/zzzz", LOCK_SHARED, &lock));
	assert_int_equal(unlinkat(store_fd(store), "leases/zzzz", 0), 0);
	assert_ok(graph_refresh(&graph));
	assert_int_equal(mkdirat(store_fd(store), "leases/zzzz", 0700), 0);
	assert_fails(graph_refresh(&graph), ERR_SYSTEM);
}

TEST(nothing_goes_before_what_leads_to_it)
{
	AUTO(graph) struct graph graph = { 0 };
	struct descriptor config, one = put_image("amd64", "one", &config);
	struct descriptor two = put_image("s390x", "two", &config);
	AUTO(mem) uint32_t *order = NULL;
	AUTO(mem) size_t *place = NULL;

	(void)put_index(&one, &two);
	load(&graph);
	assert_ok(graph_read_rest(&graph));
	order = xcalloc(graph.objects.len, sizeof(*order));
	place = xcalloc(graph.objects.len, sizeof(*place));
	graph_order(&graph, order);
	for (size_t i = 0; i < graph.objects.len; i++)
		place[order[i]] = i + 1;
	for (size_t i = 0; i < graph.objects.len; i++) {
		assert_true(place[i]); /* each is in it */
		vec_foreach (&graph.objects.at[i].leads_to, below)
			assert_true(place[i] < place[*below]);
	}
}

TEST(a_layer_that_is_not_trusted_is_kept_by_nobody)
{
	AUTO(graph) struct graph graph = { 0 };
	struct layer_meta layer = put_layer(NULL, NULL);
	struct step_record step = { .key = { .bytes = { 7 } } };

	memcpy(step.lid, layer.lid, sizeof(step.lid));
	assert_ok(step_put(store, &step));
	load(&graph);
	assert_false(graph_object_goes(&graph, find_layer(&graph, layer.lid)));
	graph_release(&graph);
	graph = (struct graph){ 0 };
	room_reopen();
	store_set_boot_id(store, "another");
	assert_ok(graph_load(store, &graph));
	assert_ok(graph_refresh(&graph));
	assert_true(graph_object_goes(&graph, find_layer(&graph, layer.lid)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(a_name_keeps_its_manifest_its_config_its_layers_and_their_trees),
		ROOM_TEST(each_layer_with_the_diff_id_is_kept_whatever_it_was_unpacked_on),
		ROOM_TEST(whatever_kind_of_document_a_name_leads_to_keeps_what_it_names),
		ROOM_TEST(a_new_name_of_a_new_manifest_keeps_an_old_layer),
		ROOM_TEST(a_name_that_was_moved_keeps_what_it_leads_to_now),
		ROOM_TEST(a_name_that_is_moved_while_all_is_read_keeps_what_it_leads_to_now),
		ROOM_TEST(what_a_living_process_has_pinned_stays_with_all_that_it_leads_to),
		ROOM_TEST(pins_that_cannot_be_read_end_everything),
		ROOM_TEST(nothing_goes_before_what_leads_to_it),
		ROOM_TEST(a_layer_that_is_not_trusted_is_kept_by_nobody),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
