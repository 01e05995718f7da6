/* tests/unit/test_pull_push.c - whole images out of a registry and into one. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "registry/documents.h"
#include "registry/pull.h"
#include "registry/push.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/ref.h"
#include "tests/unit/room.h"

#include "tests/unit/fake_registry.h"
#include "tests/unit/remote.h"

/* ---- pulling ---- */

static struct err *pull(struct fake_registry *registry, const char *text,
			const struct pull_opts *opts, struct pull_result *ret)
{
	struct reference ref;

	assert_ok(reference_parse(text, &ref));
	return pull_image(store, registry->client, &ref, opts, ret);
}

static void expect_error(struct err *error, enum err_kind kind, const char *part)
{
	AUTO(err) struct err *err = error;

	if (err_kind(err) != kind || !err || !strstr(err_text(err), part))
		fail_msg("kind %d: %s", (int)err_kind(err), err ? err_text(err) : "success");
}

#define APP FAKE_HOST "/team/app"

TEST(an_image_is_pulled_named_and_not_asked_for_again)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { .parallel = 1 };
	struct pull_result result;
	struct descriptor image, named;

	fake_open(&registry);
	image = add_image(&registry, "team/app", "amd64");
	tag(&registry, "team/app", "1", &image);
	assert_ok(pull(&registry, APP ":1", &opts, &result));
	assert_true(result.fetched);
	assert_true(digest_equal(&result.target.digest, &image.digest));
	assert_ok(ref_get(store, APP ":1", &named));
	assert_true(descriptor_equal(&named, &image));
	/* head, manifest, config, two layers */
	assert_int_equal(registry.fake.lines.len, 5);
	assert_string_equal(registry.fake.lines.at[0],
			    "HEAD https://reg.example.com/v2/team/app/manifests/1");

	assert_ok(pull(&registry, APP ":1", &opts, &result));
	assert_false(result.fetched);
	assert_int_equal(registry.fake.lines.len, 5);
	opts.policy = PULL_ALWAYS;
	assert_ok(pull(&registry, APP ":1", &opts, &result));
	assert_false(result.fetched);
	assert_int_equal(registry.fake.lines.len, 6);
}

TEST(of_an_index_the_image_for_this_host_is_fetched_alone)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { .parallel = 2 };
	struct pull_result result;
	struct descriptor index;
	struct platform other;

	fake_open(&registry);
	index = add_index(&registry, "team/app");
	tag(&registry, "team/app", "latest", &index);
	assert_ok(pull(&registry, APP, &opts, &result));
	assert_true(digest_equal(&result.target.digest, &index.digest));
	assert_int_equal(registry.fake.lines.len, 6);

	/* the other one costs its manifest, its config and the layer that is its own */
	assert_ok(platform_parse("linux/s390x", &other));
	opts.platform = &other;
	assert_ok(pull(&registry, APP, &opts, &result));
	assert_true(result.fetched);
	assert_int_equal(registry.fake.lines.len, 6 + 1 + 3);

	assert_ok(platform_parse("linux/riscv64", &other));
	expect_error(pull(&registry, APP, &opts, &result), ERR_NOT_FOUND,
		     "nothing for linux/riscv64");
}

TEST(all_platforms_come_if_they_are_wanted)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { .all_platforms = true };
	struct pull_result result;
	struct descriptor index;

	fake_open(&registry);
	index = add_index(&registry, "team/app");
	tag(&registry, "team/app", "latest", &index);
	assert_ok(pull(&registry, APP, &opts, &result));
	/* head, index, two manifests, two configs, three layers */
	assert_int_equal(registry.fake.lines.len, 9);
}

TEST(a_digest_decides_and_needs_no_network_when_it_is_here)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { .policy = PULL_ALWAYS };
	struct pull_result result;
	struct descriptor image, named;
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *text = NULL;
	AUTO(mem) char *both = NULL;
	AUTO(mem) char *other = NULL;

	fake_open(&registry);
	image = add_image(&registry, "team/app", "amd64");
	text = xasprintf(APP "@%s", digest_format(&image.digest, digest));
	both = xasprintf(APP ":2@%s", digest);
	assert_ok(pull(&registry, both, &opts, &result));
	assert_ok(ref_get(store, APP ":2", &named));
	assert_int_equal(registry.fake.lines.len, 5);
	assert_ok(pull(&registry, text, &opts, &result));
	assert_int_equal(registry.fake.lines.len, 5);

	/* the same bytes under a name that nobody has given them */
	opts.policy = PULL_NEVER;
	other = xasprintf(FAKE_HOST "/other@%s", digest);
	expect_error(pull(&registry, other, &opts, &result), ERR_NOT_FOUND, "not to be pulled");
}

TEST(what_is_not_there_says_where_it_was_looked_for)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { 0 };
	struct pull_result result;
	struct descriptor named;
	struct reference ref;
	AUTO(err) struct err *err = NULL;

	fake_open(&registry);
	assert_ok(reference_parse(APP ":none", &ref));
	err = pull_image(store, registry.client, &ref, &opts, &result);
	assert_int_equal(err_kind(err), ERR_NOT_FOUND);
	assert_non_null(strstr(err_notes(err), "asked: reg.example.com/team/app"));
	assert_fails(ref_get(store, APP ":none", &named), ERR_NOT_FOUND);
	opts.policy = PULL_NEVER;
	expect_error(pull(&registry, APP ":none", &opts, &result), ERR_NOT_FOUND,
		     "not to be pulled");
	assert_int_equal(registry.fake.lines.len, 1);
}

static bool down(struct fake_registry *registry, const char *line, struct str body,
		 struct fake_answer *ret)
{
	(void)registry, (void)line, (void)body;
	*ret = (struct fake_answer){ .trouble = HTTP_NO_HOST };
	return true;
}

TEST(the_policy_newer_is_content_with_what_is_here)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { .policy = PULL_NEWER };
	struct pull_result result;
	struct descriptor image;

	fake_open(&registry);
	image = add_image(&registry, "team/app", "amd64");
	tag(&registry, "team/app", "1", &image);
	assert_ok(pull(&registry, APP ":1", &opts, &result));
	registry.fault = down;
	assert_ok(pull(&registry, APP ":1", &opts, &result));
	assert_false(result.fetched);
	opts.policy = PULL_ALWAYS;
	expect_error(pull(&registry, APP ":1", &opts, &result), ERR_NETWORK, "");
}

TEST(a_tag_that_moved_is_followed_and_only_what_is_new_is_fetched)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { .policy = PULL_ALWAYS };
	struct pull_result result;
	struct descriptor old, new, named;

	fake_open(&registry);
	old = add_image(&registry, "team/app", "amd64");
	tag(&registry, "team/app", "1", &old);
	assert_ok(pull(&registry, APP ":1", &opts, &result));
	new = add_image(&registry, "team/app", "arm64");
	tag(&registry, "team/app", "1", &new);
	assert_ok(pull(&registry, APP ":1", &opts, &result));
	assert_ok(ref_get(store, APP ":1", &named));
	assert_true(digest_equal(&named.digest, &new.digest));
	assert_int_equal(registry.fake.lines.len, 5 + 4);
}

/* What the taker is told. */
struct told {
	pthread_mutex_t lock;
	int taken, finished;
	struct err *refusal;
};

static struct err *take(void *self, const struct descriptor *blob, struct source *bytes)
{
	struct told *told_here = self;
	AUTO(sink) struct sink *nowhere = sink_null();

	assert_non_null(strstr(blob->media_type, "layer"));
	pthread_mutex_lock(&told_here->lock);
	told_here->taken++;
	pthread_mutex_unlock(&told_here->lock);
	return stream_copy(bytes, nowhere, NULL);
}

static struct err *finish(void *self, const struct image *image)
{
	struct told *told_here = self;

	assert_int_equal(image->layer_count, 2);
	told_here->finished++;
	return STEAL(told_here->refusal);
}

TEST(layers_are_taken_and_a_refused_image_gets_no_name)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct told told_here = { .lock = PTHREAD_MUTEX_INITIALIZER,
				  .refusal = err_new(ERR_CORRUPT, "wrong diff id") };
	struct taker taker = { take, finish, &told_here };
	struct pull_opts opts = { .taker = &taker };
	struct pull_result result;
	struct descriptor image, named;

	fake_open(&registry);
	image = add_image(&registry, "team/app", "amd64");
	tag(&registry, "team/app", "1", &image);
	expect_error(pull(&registry, APP ":1", &opts, &result), ERR_CORRUPT, "wrong diff id");
	assert_fails(ref_get(store, APP ":1", &named), ERR_NOT_FOUND);
	assert_int_equal(told_here.taken, 2);
	assert_ok(pull(&registry, APP ":1", &opts, &result));
	assert_int_equal(told_here.finished, 2);
	assert_ok(ref_get(store, APP ":1", &named));
}

/* ---- documents that mean harm ---- */

static void expect_refused(const char *text, enum err_kind kind, const char *part)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { 0 };
	struct pull_result result;
	struct descriptor top;

	fake_open(&registry);
	top = add_document(&registry, "team/app", text, MEDIA_OCI_MANIFEST);
	tag(&registry, "team/app", "bad", &top);
	expect_error(pull(&registry, APP ":bad", &opts, &result), kind, part);
}

TEST(hostile_documents_are_refused)
{
#define CONFIG "{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" DIFF_ID "\",\"size\":2}"
#define WITH_LAYER(layer)                                                                  \
	"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":" CONFIG \
	",\"layers\":[" layer "]}"
	expect_refused(WITH_LAYER("{\"mediaType\":\"" MEDIA_OCI_LAYER
				  "\",\"digest\":\"sha256:../../x\",\"size\":2}"),
		       ERR_INVALID, "layers[0].digest");
	expect_refused(WITH_LAYER("{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":\"" DIFF_ID
				  "\",\"size\":-2}"),
		       ERR_INVALID, "layers[0].size");
	expect_refused(WITH_LAYER("{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":\"" DIFF_ID
				  "\",\"size\":9223372036854775808}"),
		       ERR_INVALID, "");
	expect_refused(WITH_LAYER("{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":\"" DIFF_ID
				  "\",\"size\":1.5}"),
		       ERR_INVALID, "layers[0].size");
	expect_refused("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\"}",
		       ERR_INVALID, "shape");
	expect_refused("[1]", ERR_INVALID, "");
}

TEST(indexes_within_indexes_come_to_an_end)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { 0 };
	struct pull_result result;
	struct descriptor top;

	fake_open(&registry);
	top = add_image(&registry, "team/app", "amd64");
	for (int depth = 0; depth <= IMAGE_INDEX_DEPTH; depth++) {
		AUTO(mem) char *inner = told(&top, depth ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST);
		AUTO(mem)
		char *text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
				       "\",\"manifests\":[%s]}",
				       inner);

		top = add_document(&registry, "team/app", text, MEDIA_OCI_INDEX);
	}
	tag(&registry, "team/app", "deep", &top);
	expect_error(pull(&registry, APP ":deep", &opts, &result), ERR_INVALID, "nest more than");
}

/* A manifest may be as large as any that is read, and as deep; one more is too many. */
TEST(what_a_registry_may_send_the_store_can_read)
{
	static char space[5 * 1024 * 1024 + 1];
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { 0 };
	struct pull_result result;
	struct descriptor top = { .size = 0 };
	AUTO(mem) char *text = NULL;
	struct fake_blob *image;
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *key = NULL;

	fake_open(&registry);
	top = add_image(&registry, "team/app", "amd64");
	key = xasprintf("team/app@%s", digest_format(&top.digest, digest));
	image = map_get(&registry.manifests, str_of(key));
	memset(space, ' ', sizeof(space) - 1);
	text = xasprintf("%s%s", image->bytes.at, space);
	top = add_document(&registry, "team/app", text, MEDIA_OCI_MANIFEST);
	for (int depth = 0; depth < IMAGE_INDEX_DEPTH; depth++) {
		AUTO(mem) char *inner = told(&top, depth ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST);
		AUTO(mem)
		char *outer = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
					"\",\"manifests\":[%s]}",
					inner);

		top = add_document(&registry, "team/app", outer, MEDIA_OCI_INDEX);
	}
	tag(&registry, "team/app", "large", &top);
	assert_ok(pull(&registry, APP ":large", &opts, &result));
	assert_true(result.fetched);
}

/* ---- pushing ---- */

static struct err *push(struct fake_registry *registry, const struct descriptor *image,
			const char *to, struct push_result *ret)
{
	struct push_opts opts = { .parallel = 1 };
	struct reference ref;

	assert_ok(reference_parse(to, &ref));
	return push_image(store, registry->client, image, &ref, &opts, ret);
}

TEST(a_pulled_image_is_pushed_elsewhere_with_its_digest)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { 0 };
	struct pull_result pulled;
	struct push_result result;
	struct descriptor image;
	size_t before;

	fake_open(&registry);
	image = add_image(&registry, "team/app", "amd64");
	tag(&registry, "team/app", "1", &image);
	assert_ok(pull(&registry, APP ":1", &opts, &pulled));
	before = registry.fake.lines.len;

	/* on the same registry everything is mounted: two looks, three times a look and a mount, a tag */
	assert_ok(push(&registry, &image, FAKE_HOST "/other:9", &result));
	assert_true(digest_equal(&result.digest, &image.digest));
	assert_int_equal(result.mounted, 3);
	assert_int_equal(registry.fake.lines.len - before, 2 + 3 * 2 + 1);
	assert_true(map_has(&registry.manifests, STR("other:9")));

	/* under another tag: two looks and the tag; under its own: a look */
	before = registry.fake.lines.len;
	assert_ok(push(&registry, &image, FAKE_HOST "/other:10", &result));
	assert_int_equal(registry.fake.lines.len - before, 3);
	assert_ok(push(&registry, &image, FAKE_HOST "/other:10", &result));
	assert_int_equal(registry.fake.lines.len - before, 4);
	assert_int_equal(result.sent + result.mounted + result.present, 0);
}

TEST(what_was_here_before_a_pull_is_mounted_from_where_the_image_is)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { 0 };
	struct pull_result pulled;
	struct push_result result;
	struct descriptor image;

	fake_open(&registry);
	(void)add_image(&registry, "team/app", "amd64");
	image = add_image(&registry, "other/app", "amd64");
	tag(&registry, "other/app", "1", &image);
	/* the layers are here already, from nowhere */
	map_foreach (&registry.blobs, at) {
		const struct fake_blob *blob = at->value;
		struct digest digest;

		assert_ok(blob_put(store, buf_str(&blob->bytes), &digest));
	}
	assert_ok(pull(&registry, FAKE_HOST "/other/app:1", &opts, &pulled));
	assert_ok(push(&registry, &pulled.target, FAKE_HOST "/third:1", &result));
	assert_int_equal(result.mounted, 3);
}

TEST(an_index_is_pushed_whole_or_its_one_image_alone)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(fake_registry) struct fake_registry target = { 0 };
	struct pull_opts opts = { 0 };
	struct pull_result pulled;
	struct push_result result;
	struct descriptor index;

	fake_open(&registry);
	fake_open(&target);
	index = add_index(&registry, "team/app");
	tag(&registry, "team/app", "1", &index);
	assert_ok(pull(&registry, APP ":1", &opts, &pulled));
	assert_ok(push(&target, &pulled.target, FAKE_HOST "/one:1", &result));
	assert_false(digest_equal(&result.digest, &index.digest));
	assert_int_equal(result.sent, 3);
	assert_int_equal(target.said.len, 1);

	/* all documents, as who looks at an index has them, but not all layers */
	map_foreach (&registry.manifests, at) {
		const struct fake_blob *blob = at->value;
		struct digest digest;

		assert_ok(blob_put(store, buf_str(&blob->bytes), &digest));
	}
	assert_ok(push(&target, &pulled.target, FAKE_HOST "/some:1", &result));
	assert_false(digest_equal(&result.digest, &index.digest));
	assert_int_equal(target.said.len, 2);

	opts.all_platforms = true;
	assert_ok(pull(&registry, APP ":1", &opts, &pulled));
	assert_ok(push(&target, &pulled.target, FAKE_HOST "/all:1", &result));
	assert_true(digest_equal(&result.digest, &index.digest));
	assert_int_equal(result.sent + result.mounted, 5);
	assert_true(map_has(&target.manifests, STR("all:1")));
}

#define OUTSIDE "a layer of somebody who does not want it handed on"
#define CARRIED "a layer in its descriptor"

static bool has_outside(struct fake_registry *registry, const char *line, struct str body,
			struct fake_answer *ret)
{
	(void)registry, (void)body;
	if (!strstr(line, "https://files.example.net/layer"))
		return false;
	*ret = (struct fake_answer){ .status = 200, .body = OUTSIDE };
	return true;
}

/* An index of one manifest: the config is the empty object, one layer is outside, and one is carried by
 * its descriptor, or something else instead of it. */
static struct descriptor add_odd_index(struct fake_registry *registry, const char *carried)
{
	char outside[DIGEST_TEXT_SIZE], inside[DIGEST_TEXT_SIZE], empty[DIGEST_TEXT_SIZE];
	AUTO(mem) char *data = base64_encode(str_of(carried));
	AUTO(mem) char *manifest = NULL;
	AUTO(mem) char *inner = NULL;
	AUTO(mem) char *index = NULL;
	struct descriptor image;

	fake_digest(STR(OUTSIDE), outside);
	fake_digest(STR(CARRIED), inside);
	fake_digest(STR("{}"), empty);
	manifest = xasprintf(
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.empty.v1+json\","
		"\"digest\":\"%s\",\"size\":2},\"layers\":[{\"mediaType\":\"application/"
		"vnd.oci.image.layer.nondistributable.v1.tar\",\"digest\":\"%s\",\"size\":%zu,"
		"\"urls\":[\"https://files.example.net/layer\"]},{\"mediaType\":\"" MEDIA_OCI_LAYER
		"\",\"digest\":\"%s\",\"size\":%zu,\"data\":\"%s\"}]}",
		empty, outside, strlen(OUTSIDE), inside, strlen(CARRIED), data);
	image = add_document(registry, "team/app", manifest, MEDIA_OCI_MANIFEST);
	inner = told(&image, MEDIA_OCI_MANIFEST);
	index = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
			  "\",\"manifests\":[%s]}",
			  inner);
	return add_document(registry, "team/app", index, MEDIA_OCI_INDEX);
}

TEST(what_a_descriptor_carries_is_not_asked_for_if_it_is_right)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = has_outside };
	struct pull_opts opts = { .parallel = 1, .all_platforms = true };
	struct pull_result pulled;
	struct descriptor index;
	size_t asked;

	fake_open(&registry);
	index = add_odd_index(&registry, "a layer that is another");
	tag(&registry, "team/app", "1", &index);
	expect_error(pull(&registry, APP ":1", &opts, &pulled), ERR_NOT_FOUND, "404");
	index = add_odd_index(&registry, CARRIED);
	tag(&registry, "team/app", "2", &index);
	asked = fake_count(&registry, "/blobs/");
	assert_ok(pull(&registry, APP ":2", &opts, &pulled));
	assert_int_equal(fake_count(&registry, "/blobs/"), asked); /* the other layer has come */
}

TEST(layers_that_are_not_to_be_handed_on_are_left)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = has_outside };
	AUTO(fake_registry) struct fake_registry target = { 0 };
	struct pull_opts opts = { .parallel = 1, .all_platforms = true };
	struct push_opts all = { .parallel = 1, .foreign = true };
	struct pull_result pulled;
	struct push_result result;
	struct descriptor index;
	struct reference to;

	fake_open(&registry);
	fake_open(&target);
	index = add_odd_index(&registry, CARRIED);
	tag(&registry, "team/app", "1", &index);
	assert_ok(pull(&registry, APP ":1", &opts, &pulled));
	assert_int_equal(fake_count(&registry, "https://files.example.net/layer"), 1);
	assert_ok(push(&target, &pulled.target, FAKE_HOST "/some:1", &result));
	assert_int_equal(result.sent, 2);
	assert_int_equal(target.said.len, 1);
	assert_ok(reference_parse(FAKE_HOST "/all:1", &to));
	assert_ok(push_image(store, target.client, &pulled.target, &to, &all, &result));
	assert_int_equal(result.sent + result.mounted, 3);
}

TEST(nothing_is_tagged_before_all_of_it_is_there)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct pull_opts opts = { 0 };
	struct pull_result pulled;
	struct push_result result;
	struct descriptor image;
	char digest[DIGEST_TEXT_SIZE];
	AUTO(strings) struct strings blobs = { 0 };

	fake_open(&registry);
	image = add_image(&registry, "team/app", "amd64");
	tag(&registry, "team/app", "1", &image);
	assert_ok(pull(&registry, APP ":1", &opts, &pulled));
	/* the largest blob that is no document is gone from our store */
	fake_digest(STR("the layer of all"), digest);
	{
		AUTO(mem) char *path = xasprintf("blobs/sha256/%s", digest + 7);

		assert_int_equal(unlinkat(store_fd(store), path, 0), 0);
	}
	expect_error(push(&registry, &image, FAKE_HOST "/other:1", &result), ERR_NOT_FOUND,
		     "is not in the store");
	assert_false(map_has(&registry.manifests, STR("other:1")));
	expect_error(push(&registry, &image, FAKE_HOST "/other@" DIFF_ID, &result), ERR_USAGE,
		     "not to a digest");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(an_image_is_pulled_named_and_not_asked_for_again),
		ROOM_TEST(of_an_index_the_image_for_this_host_is_fetched_alone),
		ROOM_TEST(all_platforms_come_if_they_are_wanted),
		ROOM_TEST(a_digest_decides_and_needs_no_network_when_it_is_here),
		ROOM_TEST(what_is_not_there_says_where_it_was_looked_for),
		ROOM_TEST(the_policy_newer_is_content_with_what_is_here),
		ROOM_TEST(a_tag_that_moved_is_followed_and_only_what_is_new_is_fetched),
		ROOM_TEST(layers_are_taken_and_a_refused_image_gets_no_name),
		ROOM_TEST(hostile_documents_are_refused),
		ROOM_TEST(indexes_within_indexes_come_to_an_end),
		ROOM_TEST(what_a_registry_may_send_the_store_can_read),
		ROOM_TEST(a_pulled_image_is_pushed_elsewhere_with_its_digest),
		ROOM_TEST(what_was_here_before_a_pull_is_mounted_from_where_the_image_is),
		ROOM_TEST(an_index_is_pushed_whole_or_its_one_image_alone),
		ROOM_TEST(what_a_descriptor_carries_is_not_asked_for_if_it_is_right),
		ROOM_TEST(layers_that_are_not_to_be_handed_on_are_left),
		ROOM_TEST(nothing_is_tagged_before_all_of_it_is_there),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
