/* tests/unit/test_bases.c - base images that are fetched: which, how often, and what is told. */

#include "tests/unit/unit.h"

#include <string.h>

#include "base/text.h"
#include "builder/events.h"
#include "builder/fetch.h"
#include "registry/push.h"
#include "store/layer.h"
#include "tests/unit/fake_registry.h"
#include "tests/unit/kitchen.h"

#define TEAM FAKE_HOST "/team/"

/* Put an image into the registry as team/`name`, and nowhere else. `members` as kitchen_image(). */
static void publish(struct fake_registry *registry, const char *name, const char *members)
{
	AUTO(mem) char *lines = xasprintf("f 644 0:0 1 200 %s x\n", name);
	AUTO(mem) char *local = xasprintf("localhost/%s:latest", name);
	AUTO(mem) char *there = xasprintf(TEAM "%s:latest", name);
	const struct push_opts how = { 0 };
	struct push_result result;
	struct descriptor target;
	struct reference ref;

	kitchen_image(name, lines, members);
	assert_ok(ref_get(store, local, &target));
	assert_ok(reference_parse(there, &ref));
	assert_ok(push_image(store, registry->client, &target, &ref, &how, &result));
	room_close(NULL);
	room_open(NULL);
	strings_release(&registry->fake.lines);
}

static void open_registry(struct fake_registry *registry)
{
	fake_open(registry);
	opts.client = registry->client;
	pool = pool_new(2);
}

static bool is_named(const char *name)
{
	struct descriptor target;
	AUTO(err) struct err *err = ref_get(store, name, &target);

	return !err;
}

static void expect_error(const char *recipe, enum err_kind kind, const char *const *parts)
{
	AUTO(err) struct err *err = make_plan(recipe);
	AUTO(buf) struct buf story = BUF_INIT(65536);

	if (err_kind(err) != kind)
		fail_msg("kind %d: %s", (int)err_kind(err), err ? err_text(err) : "success");
	buf_adds(&story, err_text(err));
	buf_addf(&story, "\n%s", err_notes(err) ? err_notes(err) : "");
	for (; *parts; parts++)
		if (!strstr(story.at, *parts))
			fail_msg("no '%s' in: %s", *parts, story.at);
}

TEST(all_bases_are_fetched_once_each_and_nothing_else)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };

	open_registry(&registry);
	publish(&registry, "one", "");
	publish(&registry, "two", "");
	publish(&registry, "three", "");
	must_plan("ARG team=" TEAM "\n"
		  "FROM ${team}one AS a\n"
		  "FROM ${team}three AS unneeded\n"
		  "FROM ${team}one\n"
		  "COPY --from=a / /a\n"
		  "COPY --from=" TEAM "two / /two\n"
		  "COPY --from=" TEAM "two / /two-again\n");
	assert_int_equal(plan->images.len, 2);
	assert_true(is_named(TEAM "one:latest"));
	assert_true(is_named(TEAM "two:latest"));
	assert_int_equal(fake_count(&registry, "/team/one/manifests/latest"), 1);
	assert_int_equal(fake_count(&registry, "/team/two/manifests/latest"), 1);
	assert_int_equal(fake_count(&registry, "/team/three/"), 0);
	must_execute();

	/* what is here is not asked for, and the trees are there already */
	strings_release(&registry.fake.lines);
	must_plan("FROM " TEAM "one\nCOPY --from=" TEAM "two / /two\n");
	assert_int_equal(registry.fake.lines.len, 0);
}

TEST(a_pulled_base_has_its_tree_and_the_key_of_one_that_was_imported)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct image_layer layer = kitchen_layer(F("one"));
	struct digest key;
	struct layer_meta meta;
	bool found = false;

	open_registry(&registry);
	kitchen_image("one", F("one"), "");
	must_plan("FROM localhost/one\n");
	key = plan->target->key;
	kitchen_drop_plan();
	publish(&registry, "one", "");
	must_plan("FROM " TEAM "one\n");
	assert_true(digest_equal(&plan->target->key, &key));
	assert_ok(layer_find(store, &layer.diff_id, NULL, &found, &meta));
	assert_true(found);
}

TEST(stages_and_scratch_are_no_images)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };

	open_registry(&registry);
	fill_context("f 644 a x\n");
	must_plan("FROM scratch AS debian\n"
		  "COPY a /\n"
		  "FROM debian\n"
		  "COPY --from=debian a /b\n"
		  "COPY --from=0 a /c\n");
	assert_int_equal(registry.fake.lines.len, 0);
}

TEST(a_trigger_of_a_base_may_need_another_image)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };

	open_registry(&registry);
	publish(&registry, "two", "");
	publish(&registry, "one", "\"config\":{\"OnBuild\":[\"COPY --from=" TEAM "two / /two\"]},");
	must_plan("FROM " TEAM "one\n");
	assert_true(is_named(TEAM "two:latest"));
}

TEST(an_image_that_nobody_has_is_told_with_its_place)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };

	open_registry(&registry);
	expect_error("FROM scratch AS one\nFROM " TEAM "none\n", ERR_NOT_FOUND,
		     (const char *const[]){ "Recipe:2", "image '" TEAM "none'", "no such image",
					    "asked: " FAKE_HOST "/team/none", "FROM " TEAM "none",
					    NULL });
	expect_error("FROM scratch\n\nCOPY --from=" TEAM "none / /\n", ERR_NOT_FOUND,
		     (const char *const[]){ "Recipe:3", "image '" TEAM "none'", NULL });
	assert_int_equal(room_count("refs"), 0);
}

TEST(the_policy_says_when_to_ask)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	static const struct {
		enum pull_policy policy;
		size_t requests; /* for an image that is here and has not changed */
	} cases[] = {
		{ PULL_MISSING, 0 }, { PULL_NEVER, 0 }, { PULL_ALWAYS, 1 }, { PULL_NEWER, 1 }
	};

	open_registry(&registry);
	publish(&registry, "one", "");
	opts.pull = PULL_NEVER;
	expect_error("FROM " TEAM "one\n", ERR_NOT_FOUND,
		     (const char *const[]){ "Recipe:1", "in the store", NULL });
	assert_int_equal(registry.fake.lines.len, 0);
	opts.pull = PULL_MISSING;
	must_plan("FROM " TEAM "one\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		opts.pull = cases[i].policy;
		strings_release(&registry.fake.lines);
		must_plan("FROM " TEAM "one AS a\nFROM " TEAM "one\nCOPY --from=a / /\n");
		assert_int_equal(registry.fake.lines.len, cases[i].requests);
	}
}

static bool broken(struct fake_registry *registry, const char *line, struct str body,
		   struct fake_answer *ret)
{
	(void)registry;
	(void)line;
	(void)body;
	*ret = (struct fake_answer){ .status = 404 };
	return true;
}

TEST(newer_makes_do_with_what_is_here)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };

	open_registry(&registry);
	publish(&registry, "one", "");
	must_plan("FROM " TEAM "one\n");
	registry.fault = broken;
	opts.pull = PULL_NEWER;
	must_plan("FROM " TEAM "one\n");
	opts.pull = PULL_ALWAYS;
	expect_error("FROM " TEAM "one\n", ERR_NOT_FOUND,
		     (const char *const[]){ "Recipe:1", NULL });
}

TEST(offline_is_no_matter_for_what_is_here)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct client *client;

	open_registry(&registry);
	publish(&registry, "one", "");
	publish(&registry, "two", "");
	must_plan("FROM " TEAM "one\n");
	strings_release(&registry.fake.lines);
	registry.opts.offline = true;
	client = client_new(&registry.opts, fake_transport(&registry.fake));
	opts.client = client;
	must_plan("FROM " TEAM "one\n");
	expect_error("FROM " TEAM "two\n", ERR_NETWORK,
		     (const char *const[]){ "Recipe:1", "image '" TEAM "two'", "--offline", NULL });
	assert_int_equal(registry.fake.lines.len, 0);
	kitchen_drop_plan();
	client_free(client);
}

TEST(a_name_with_a_digest_is_fetched_once)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(mem) char *recipe = NULL;
	char digest[DIGEST_TEXT_SIZE];
	const struct fake_blob *manifest;

	open_registry(&registry);
	publish(&registry, "one", "");
	manifest = map_get(&registry.manifests, STR("team/one:latest"));
	assert_non_null(manifest);
	fake_digest(buf_str(&manifest->bytes), digest);
	recipe = xasprintf("FROM " TEAM "one@%s\n", digest);
	must_plan(recipe);
	strings_release(&registry.fake.lines);
	must_plan(recipe);
	assert_int_equal(registry.fake.lines.len, 0);
}

/* An index of the image team/one for s390x alone. */
static void add_index(struct fake_registry *registry, const char *tag)
{
	const struct fake_blob *manifest = map_get(&registry->manifests, STR("team/one:latest"));
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *text = NULL;
	AUTO(mem) char *key = xasprintf("team/one:%s", tag);
	AUTO(mem) char *by_digest = NULL;

	fake_digest(buf_str(&manifest->bytes), digest);
	text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":"
			 "[{\"mediaType\":\"" MEDIA_OCI_MANIFEST
			 "\",\"digest\":\"%s\",\"size\":%zu,"
			 "\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}}]}",
			 digest, manifest->bytes.len);
	fake_put(&registry->manifests, key, str_of(text));
	fake_digest(str_of(text), digest);
	by_digest = xasprintf("team/one@%s", digest);
	fake_put(&registry->manifests, by_digest, str_of(text));
}

TEST(the_platform_of_from_chooses_out_of_an_index)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };

	open_registry(&registry);
	publish(&registry, "one", "");
	add_index(&registry, "index");
	expect_error("FROM scratch\nCOPY --from=" TEAM "one:index / /\n", ERR_NOT_FOUND,
		     (const char *const[]){ "Recipe:2", "linux/s390x", NULL });
	assert_false(is_named(TEAM "one:index"));
	must_plan("FROM --platform=linux/s390x " TEAM "one:index\n");
	assert_true(is_named(TEAM "one:index"));
}

TEST(an_image_here_for_another_platform_than_from_names_is_asked_for)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };

	open_registry(&registry);
	kitchen_image("one", F("one"), "");
	/* not named: what is here will do, as ever */
	must_plan("FROM localhost/one\n");
	assert_int_equal(registry.fake.lines.len, 0);
	expect_error("FROM --platform=linux/s390x localhost/one\n", ERR_NOT_FOUND,
		     (const char *const[]){ "Recipe:1", "no such image", NULL });
	opts.pull = PULL_NEVER;
	must_plan("FROM --platform=linux/s390x localhost/one\n");
}

TEST(an_image_for_another_platform_gives_its_own_and_is_remarked_on)
{
	struct platform host = opts.platform;

	strcpy(opts.platform.arch, "s390x");
	kitchen_image("other", F("f"), "");
	opts.platform = host;
	kitchen_image("own", F("f"), "");
	opts.pull = PULL_NEVER;
	must_plan("FROM localhost/own\n");
	assert_int_equal(plan->recipe->lints.len, 0);
	must_plan("# check=skip=X\nFROM localhost/other\nENV a=1\n");
	assert_string_equal(plan->target->platform.arch, "s390x");
	assert_int_equal(plan->recipe->lints.len, 1);
	assert_string_equal(plan->recipe->lints.at[0].rule, "InvalidBaseImagePlatform");
	assert_int_equal(plan->recipe->lints.at[0].position.line, 2);
	must_plan("# check=skip=InvalidBaseImagePlatform\nFROM localhost/other\n");
	assert_int_equal(plan->recipe->lints.len, 0);
}

/* ---- what is told ---- */

static void hear_event(void *self, const struct build_event *event)
{
	struct buf *heard = self;

	if (event->kind == EVENT_TRANSFER_BEGIN)
		buf_addf(heard, "begin %u %s %s\n", event->transfer, event->verb, event->name);
	if (event->kind == EVENT_TRANSFER_END)
		buf_addf(heard, "end %u %s %s\n", event->transfer, build_status_name(event->status),
			 event->done ? "bytes" : "none");
}

TEST(a_fetch_is_told)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(buf) struct buf heard = BUF_INIT(65536);
	const struct build_events events = { hear_event, &heard };
	AUTO(err) struct err *err = NULL;

	open_registry(&registry);
	publish(&registry, "one", "");
	opts.events = &events;
	must_plan("FROM " TEAM "one\n");
	opts.pull = PULL_ALWAYS;
	must_plan("FROM " TEAM "one\n");
	err = make_plan("FROM " TEAM "none\n");
	assert_int_equal(err_kind(err), ERR_NOT_FOUND);
	assert_string_equal(heard.at, "begin 1 pull " TEAM "one\nend 1 done bytes\n"
				      "begin 1 pull " TEAM "one\nend 1 cached none\n"
				      "begin 1 pull " TEAM "none\nend 1 failed none\n");
}

/* ---- fetch_image() ---- */

TEST(an_id_is_never_asked_for)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(fetch_result) struct fetch_result result = { 0 };
	const struct fetch_opts always = { .policy = PULL_ALWAYS };
	AUTO(err) struct err *err = NULL;

	open_registry(&registry);
	err = fetch_image(store, registry.client,
			  "sha256:"
			  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			  &always, &result);
	assert_int_equal(err_kind(err), ERR_NOT_FOUND);
	assert_int_equal(registry.fake.lines.len, 0);
}

TEST(a_layer_that_is_not_what_its_config_says_names_nothing)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(fetch_result) struct fetch_result result = { 0 };
	const struct fetch_opts missing = { .policy = PULL_MISSING };
	struct image_layer layer, other;
	struct descriptor manifest, config;
	char digest[DIGEST_TEXT_SIZE];
	AUTO(json) json_t *document = NULL;
	AUTO(mem) char *text = NULL;
	struct push_result pushed;
	const struct push_opts how = { 0 };
	AUTO(err) struct err *err = NULL;
	struct reference ref;

	open_registry(&registry);
	layer = kitchen_layer(F("one"));
	other = kitchen_layer(F("two"));
	text = xasprintf("{\"architecture\":\"%s\",\"os\":\"linux\",\"rootfs\":{\"type\":"
			 "\"layers\",\"diff_ids\":[\"%s\"]}}",
			 opts.platform.arch, digest_format(&other.diff_id, digest));
	assert_ok(json_parse(str_of(text), JSON_MAX, "config", &document));
	assert_ok(image_put(store, document, &layer, 1, NULL, &manifest, &config));
	assert_ok(reference_parse(TEAM "lie", &ref));
	assert_ok(push_image(store, registry.client, &manifest, &ref, &how, &pushed));
	room_close(NULL);
	room_open(NULL);
	err = fetch_image(store, registry.client, TEAM "lie", &missing, &result);
	assert_int_equal(err_kind(err), ERR_CORRUPT);
	assert_false(is_named(TEAM "lie:latest"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KITCHEN_TEST(all_bases_are_fetched_once_each_and_nothing_else),
		KITCHEN_TEST(a_pulled_base_has_its_tree_and_the_key_of_one_that_was_imported),
		KITCHEN_TEST(stages_and_scratch_are_no_images),
		KITCHEN_TEST(a_trigger_of_a_base_may_need_another_image),
		KITCHEN_TEST(an_image_that_nobody_has_is_told_with_its_place),
		KITCHEN_TEST(the_policy_says_when_to_ask),
		KITCHEN_TEST(newer_makes_do_with_what_is_here),
		KITCHEN_TEST(offline_is_no_matter_for_what_is_here),
		KITCHEN_TEST(a_name_with_a_digest_is_fetched_once),
		KITCHEN_TEST(the_platform_of_from_chooses_out_of_an_index),
		KITCHEN_TEST(an_image_here_for_another_platform_than_from_names_is_asked_for),
		KITCHEN_TEST(an_image_for_another_platform_gives_its_own_and_is_remarked_on),
		KITCHEN_TEST(a_fetch_is_told),
		KITCHEN_TEST(an_id_is_never_asked_for),
		KITCHEN_TEST(a_layer_that_is_not_what_its_config_says_names_nothing),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
