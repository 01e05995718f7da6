/* tests/unit/test_repository.c - what is asked of a repository, and what is believed of the answer. */

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "registry/repository.h"
#include "store/image.h"
#include "tests/unit/fake_registry.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MANIFEST(type)                                                                            \
	"{\"schemaVersion\":2,\"mediaType\":\"" type "\",\"config\":{\"mediaType\":\""            \
	"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:" HEX64 "\",\"size\":2}," \
	"\"layers\":[]}"
#define OCI_MANIFEST MANIFEST("application/vnd.oci.image.manifest.v1+json")

static struct repository repository_of(struct fake_registry *registry)
{
	return (struct repository){ .client = registry->client, .place = &registry->place };
}

static void expect_error(struct err *error, enum err_kind kind, const char *part)
{
	AUTO(err) struct err *err = error;

	if (err_kind(err) != kind || !err || !strstr(err_text(err), part))
		fail_msg("kind %d: %s", (int)err_kind(err), err ? err_text(err) : "success");
}

/* ---- manifests ---- */

TEST(a_manifest_is_found_by_its_head_and_fetched_whole)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX);
	struct repository repo;
	struct descriptor found, got;
	char digest[DIGEST_TEXT_SIZE];
	bool there = false;

	fake_open(&registry);
	repo = repository_of(&registry);
	fake_put(&registry.manifests, "team/app:1", STR(OCI_MANIFEST));
	fake_digest(STR(OCI_MANIFEST), digest);
	assert_ok(repository_manifest_find(&repo, "1", &there, &found));
	assert_true(there);
	assert_ok(repository_manifest_get(&repo, "1", &got, &bytes));
	assert_true(descriptor_equal(&found, &got));
	assert_string_equal(bytes.at, OCI_MANIFEST);
	assert_ok(repository_manifest_find(&repo, "2", &there, &found));
	assert_false(there);
	expect_lines(&registry.fake,
		     (const char *const[]){ "HEAD https://reg.example.com/v2/team/app/manifests/1",
					    "GET https://reg.example.com/v2/team/app/manifests/1",
					    "HEAD https://reg.example.com/v2/team/app/manifests/2",
					    NULL });
}

/* HEAD is answered by `counter`, GET as usual. */
static bool poor_head(struct fake_registry *registry, const char *line, struct str body,
		      struct fake_answer *ret)
{
	(void)body;
	if (strncmp(line, "HEAD ", 5) != 0)
		return false;
	*ret = (struct fake_answer){ .status = registry->counter };
	if (registry->counter)
		return true;
	/* everything but a size that can be true */
	*ret = (struct fake_answer){ .status = 200,
				     .headers = { "Docker-Content-Digest: sha256:" HEX64,
						  "Content-Type: " MEDIA_OCI_MANIFEST,
						  "Content-Length: 0" } };
	return true;
}

TEST(a_head_that_says_too_little_is_followed_by_a_get)
{
	static const int statuses[] = { 0, 200, 400, 403, 405, 501 };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		AUTO(fake_registry)
		struct fake_registry registry = { .fault = poor_head, .counter = statuses[i] };
		struct repository repo;
		struct descriptor found;
		bool there = false;

		fake_open(&registry);
		repo = repository_of(&registry);
		fake_put(&registry.manifests, "team/app:1", STR(OCI_MANIFEST));
		assert_ok(repository_manifest_find(&repo, "1", &there, &found));
		assert_true(there);
		assert_int_equal(found.size, strlen(OCI_MANIFEST));
		assert_int_equal(registry.fake.lines.len, 2);
	}
}

struct document {
	const char *type, *body;
};

static const struct document *served;

static bool serve(struct fake_registry *registry, const char *line, struct str body,
		  struct fake_answer *ret)
{
	(void)registry, (void)line, (void)body;
	*ret = (struct fake_answer){ .status = 200,
				     .headers = { served->type },
				     .body = served->body };
	return true;
}

TEST(the_type_of_a_manifest_is_its_own_word_and_must_not_be_contradicted)
{
	static const struct {
		struct document document;
		const char *want; /* NULL: refused as `kind` with `part` */
		enum err_kind kind;
		const char *part;
	} cases[] = {
		{ { "Content-Type: application/vnd.oci.image.manifest.v1+json; charset=utf-8",
		    OCI_MANIFEST },
		  MEDIA_OCI_MANIFEST,
		  ERR_NONE,
		  NULL },
		{ { "Content-Type: text/plain", OCI_MANIFEST },
		  MEDIA_OCI_MANIFEST,
		  ERR_NONE,
		  NULL },
		{ { "X: y", OCI_MANIFEST }, MEDIA_OCI_MANIFEST, ERR_NONE, NULL },
		{ { "Content-Type: application/vnd.docker.distribution.manifest.v2+json",
		    OCI_MANIFEST },
		  NULL,
		  ERR_INVALID,
		  "mediaType" },
		{ { "Content-Type: application/vnd.oci.image.index.v1+json", OCI_MANIFEST },
		  NULL,
		  ERR_INVALID,
		  "mediaType" },
		/* without a word of its own */
		{ { "Content-Type: application/vnd.docker.distribution.manifest.v2+json",
		    "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}" },
		  MEDIA_DOCKER_MANIFEST,
		  ERR_NONE,
		  NULL },
		{ { "Content-Type: application/json",
		    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\""
		    "application/vnd.docker.container.image.v1+json\"},\"layers\":[]}" },
		  MEDIA_DOCKER_MANIFEST,
		  ERR_NONE,
		  NULL },
		{ { "X: y", "{\"schemaVersion\":2,\"manifests\":[]}" },
		  MEDIA_OCI_INDEX,
		  ERR_NONE,
		  NULL },
		/* CVE-2021-41190: two documents in one */
		{ { "X: y", "{\"schemaVersion\":2,\"manifests\":[],\"config\":{},\"layers\":[]}" },
		  NULL,
		  ERR_INVALID,
		  "shape" },
		{ { "Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws",
		    "{\"schemaVersion\":1,\"fsLayers\":[]}" },
		  NULL,
		  ERR_UNSUPPORTED,
		  "schema 1" },
		{ { "X: y", "{\"schemaVersion\":1,\"fsLayers\":[]}" },
		  NULL,
		  ERR_UNSUPPORTED,
		  "schema version 1" },
		{ { "X: y", "<html>" }, NULL, ERR_INVALID, "manifest" },
		{ { "X: y", "{\"schemaVersion\":2,\"schemaVersion\":2}" },
		  NULL,
		  ERR_INVALID,
		  "duplicate" },
		{ { "X: y", "\xff" }, NULL, ERR_INVALID, "manifest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fake_registry) struct fake_registry registry = { .fault = serve };
		AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX);
		struct repository repo;
		struct descriptor got;

		served = &cases[i].document;
		fake_open(&registry);
		repo = repository_of(&registry);
		if (!cases[i].want) {
			expect_error(repository_manifest_get(&repo, "1", &got, &bytes),
				     cases[i].kind, cases[i].part);
			continue;
		}
		assert_ok(repository_manifest_get(&repo, "1", &got, &bytes));
		assert_string_equal(got.media_type, cases[i].want);
	}
}

TEST(a_manifest_by_digest_must_be_those_bytes)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = serve };
	AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX);
	struct document document = { "X: y", OCI_MANIFEST };
	struct repository repo;
	struct descriptor got;
	char digest[DIGEST_TEXT_SIZE];

	served = &document;
	fake_open(&registry);
	repo = repository_of(&registry);
	expect_error(repository_manifest_get(&repo, "sha256:" HEX64, &got, &bytes), ERR_CORRUPT,
		     "other bytes");
	buf_reset(&bytes);
	fake_digest(STR(OCI_MANIFEST), digest);
	assert_ok(repository_manifest_get(&repo, digest, &got, &bytes));
}

static bool huge(struct fake_registry *registry, const char *line, struct str body,
		 struct fake_answer *ret)
{
	static char space[IMAGE_DOCUMENT_MAX + 1];

	(void)registry, (void)line, (void)body;
	memset(space, ' ', sizeof(space));
	*ret = (struct fake_answer){ .status = 200, .body = space, .body_size = sizeof(space) };
	return true;
}

TEST(a_manifest_has_a_largest_size)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = huge };
	AUTO(buf) struct buf bytes = BUF_INIT(IMAGE_DOCUMENT_MAX);
	struct repository repo;
	struct descriptor got;

	fake_open(&registry);
	repo = repository_of(&registry);
	expect_error(repository_manifest_get(&repo, "1", &got, &bytes), ERR_INVALID,
		     "larger than 8388608 bytes");
}

/* A web server that is pleased with everything. */
static bool pleased(struct fake_registry *registry, const char *line, struct str body,
		    struct fake_answer *ret)
{
	(void)registry, (void)line, (void)body;
	*ret = (struct fake_answer){ .status = 200, .body = "<html>hello" };
	return true;
}

TEST(a_manifest_that_was_put_is_known_to_be_there)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct repository repo;
	char text[DIGEST_TEXT_SIZE];
	struct digest digest;

	fake_open(&registry);
	repo = repository_of(&registry);
	fake_digest(STR(OCI_MANIFEST), text);
	assert_ok(digest_parse(text, &digest));
	assert_ok(repository_manifest_put(&repo, "1", MEDIA_OCI_MANIFEST, STR(OCI_MANIFEST),
					  &digest));
	assert_int_equal(registry.fake.lines.len, 1);
	digest.bytes[0] ^= 1;
	expect_error(
		repository_manifest_put(&repo, "1", MEDIA_OCI_MANIFEST, STR(OCI_MANIFEST), &digest),
		ERR_CORRUPT, "another manifest");
	registry.fault = pleased;
	expect_error(
		repository_manifest_put(&repo, "1", MEDIA_OCI_MANIFEST, STR(OCI_MANIFEST), &digest),
		ERR_INVALID, "");
}

static bool refuses_deletes(struct fake_registry *registry, const char *line, struct str body,
			    struct fake_answer *ret)
{
	(void)line, (void)body;
	*ret = (struct fake_answer){ .status = registry->counter };
	return true;
}

TEST(deleting_is_not_possible_everywhere)
{
	static const struct {
		int status;
		enum err_kind kind;
		const char *part;
	} cases[] = {
		{ 405, ERR_UNSUPPORTED, "does not delete tags" },
		{ 400, ERR_UNSUPPORTED, "does not delete tags" },
		{ 404, ERR_NOT_FOUND, "404" },
		{ 403, ERR_DENIED, "403" },
	};
	AUTO(fake_registry) struct fake_registry registry = { .fault = refuses_deletes };
	struct repository repo;

	fake_open(&registry);
	repo = repository_of(&registry);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		registry.counter = cases[i].status;
		expect_error(repository_manifest_delete(&repo, "1"), cases[i].kind, cases[i].part);
	}
	registry.counter = 202;
	assert_ok(repository_manifest_delete(&repo, "1"));
}

/* ---- blobs ---- */

TEST(a_blob_is_there_or_not_and_has_its_size)
{
	AUTO(fake_registry) struct fake_registry registry = { 0 };
	struct repository repo;
	struct descriptor blob;
	bool there = false;

	fake_open(&registry);
	repo = repository_of(&registry);
	blob = fake_add_blob(&registry, "team/app", STR("content"));
	assert_ok(repository_blob_find(&repo, &blob, &there));
	assert_true(there);
	blob.size++;
	expect_error(repository_blob_find(&repo, &blob, &there), ERR_CORRUPT, "should have 8");
	blob.digest.bytes[0] ^= 1;
	assert_ok(repository_blob_find(&repo, &blob, &there));
	assert_false(there);
}

static const char *range_header;

static bool odd_range(struct fake_registry *registry, const char *line, struct str body,
		      struct fake_answer *ret)
{
	(void)line, (void)body;
	*ret = (struct fake_answer){ .status = registry->counter,
				     .headers = { range_header },
				     .body = "tent" };
	if (registry->counter == 416)
		registry->fault = NULL;
	return true;
}

TEST(a_range_is_only_believed_if_it_is_the_one_asked_for)
{
	static const struct {
		int status;
		const char *header;
		bool ok;
		unsigned offset;
	} cases[] = {
		{ 206, "Content-Range: bytes 3-6/7", true, 3 },
		{ 206, "Content-Range: bytes 3-6/*", true, 3 },
		{ 206, "Content-Range: bytes 3-5/7", true, 3 },
		{ 206, "Content-Range: bytes 2-6/7", false, 0 },
		{ 206, "Content-Range: bytes 3-7/8", false, 0 },
		{ 206, "Content-Range: bytes 3-6/8", false, 0 },
		{ 206, "X: y", false, 0 },
		{ 200, "X: y", true, 0 },
		{ 416, "X: y", true, 0 }, /* asked again, from the start */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fake_registry)
		struct fake_registry registry = { .fault = odd_range, .counter = cases[i].status };
		AUTO(http_response) struct http_response *response = NULL;
		struct repository repo;
		struct descriptor blob;
		uint64_t offset = 77;

		range_header = cases[i].header;
		fake_open(&registry);
		repo = repository_of(&registry);
		blob = fake_add_blob(&registry, "team/app", STR("content"));
		if (!cases[i].ok) {
			expect_error(repository_blob_get(&repo, &blob, 3, &response, &offset),
				     ERR_CORRUPT, "another range");
			continue;
		}
		assert_ok(repository_blob_get(&repo, &blob, 3, &response, &offset));
		assert_int_equal(offset, cases[i].offset);
	}
}

/* ---- tags ---- */

static bool pages(struct fake_registry *registry, const char *line, struct str body,
		  struct fake_answer *ret)
{
	static const struct {
		const char *link, *body;
	} all[][3] = {
		{ { "Link: </v2/team/app/tags/list?n=2&last=b>; rel=\"next\"",
		    "{\"name\":\"team/app\",\"tags\":[\"a\",\"b\"]}" },
		  { "Link: <?n=2&last=d>; rel=next", "{\"tags\":[\"c\",\"a\"]}" },
		  { "X: y", "{\"tags\":[\"d\"]}" } },
		/* a circle */
		{ { "Link: </v2/team/app/tags/list?n=1>; rel=next", "{\"tags\":[\"a\"]}" },
		  { "Link: </v2/team/app/tags/list?n=1>; rel=next", "{\"tags\":[\"b\"]}" },
		  { "X: y", "{\"tags\":[\"never\"]}" } },
		/* what is no tag */
		{ { "X: y", "{\"tags\":[\"ok\",null,\"sha256:abc\",\"\",\"-x\",\"a b\",7]}" } },
		{ { "X: y",
		    "{\"tags\":[\"ok\",null,\"sha256:abc\",\"\",\"-x\",\"a b\",\"../x\"]}" } },
		{ { "X: y", "{\"tags\":null}" } },
		{ { "X: y", "{}" } },
		{ { "Link: <https://other.example.com/v2/x>; rel=next", "{\"tags\":[\"a\"]}" } },
		{ { "Link: <http://reg.example.com/v2/x>; rel=next", "{\"tags\":[\"a\"]}" } },
		{ { "X: y", "{\"tags\":\"a\"}" } },
	};
	size_t page = registry->fake.lines.len - 1;

	(void)line, (void)body;
	*ret = (struct fake_answer){ .status = 200,
				     .headers = { all[registry->counter][page].link },
				     .body = all[registry->counter][page].body };
	return true;
}

TEST(tags_come_in_pages_and_only_tags_are_believed)
{
	static const struct {
		const char *want; /* NULL: an error with `part` */
		const char *part;
	} cases[] = {
		{ "a b c d ", NULL },  { "a b ", NULL },      { NULL, "tags[6]" },
		{ "ok ", NULL },       { "", NULL },          { "", NULL },
		{ NULL, "elsewhere" }, { NULL, "elsewhere" }, { NULL, "tags: not an array" },
	};

	for (int i = 0; i < (int)ARRAY_SIZE(cases); i++) {
		AUTO(fake_registry)
		struct fake_registry registry = { .fault = pages, .counter = i };
		AUTO(strings) struct strings tags = { 0 };
		AUTO(buf) struct buf got = BUF_INIT(1024);
		struct repository repo;

		fake_open(&registry);
		repo = repository_of(&registry);
		if (!cases[i].want) {
			expect_error(repository_tags(&repo, &tags), ERR_INVALID, cases[i].part);
			continue;
		}
		assert_ok(repository_tags(&repo, &tags));
		vec_foreach (&tags, tag)
			buf_addf(&got, "%s ", *tag);
		assert_string_equal(got.len ? got.at : "", cases[i].want);
	}
}

#define PAGE_OF_MANY 400000

/* Another page, for ever. */
static bool endless_pages(struct fake_registry *registry, const char *line, struct str body,
			  struct fake_answer *ret)
{
	static char text[PAGE_OF_MANY * 10 + 100];
	size_t len = (size_t)sprintf(text, "{\"tags\":[\"x\"");
	const char *link =
		fake_keep(registry, xasprintf("Link: <?n=1&last=%d>; rel=next", registry->counter));

	(void)line, (void)body;
	for (int i = 0; i < PAGE_OF_MANY; i++)
		len += (size_t)sprintf(text + len, ",\"%07d\"", registry->counter++);
	strcpy(text + len, "]}");
	*ret = (struct fake_answer){ .status = 200, .headers = { link }, .body = text };
	return true;
}

TEST(a_list_of_tags_comes_to_an_end)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = endless_pages };
	AUTO(strings) struct strings tags = { 0 };
	struct repository repo;

	fake_open(&registry);
	repo = repository_of(&registry);
	expect_error(repository_tags(&repo, &tags), ERR_INVALID, "more than 1000000 tags");
}

TEST(a_ping_says_whether_it_is_a_registry)
{
	AUTO(fake_registry) struct fake_registry registry = { .fault = refuses_deletes };
	struct repository repo;

	fake_open(&registry);
	repo = repository_of(&registry);
	registry.counter = 200;
	assert_ok(repository_ping(&repo));
	registry.counter = 404;
	expect_error(repository_ping(&repo), ERR_INVALID, "is no registry");
	registry.counter = 401;
	expect_error(repository_ping(&repo), ERR_DENIED, "401");
	assert_string_equal(registry.fake.lines.at[0], "GET https://reg.example.com/v2/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_is_found_by_its_head_and_fetched_whole),
		cmocka_unit_test(a_head_that_says_too_little_is_followed_by_a_get),
		cmocka_unit_test(
			the_type_of_a_manifest_is_its_own_word_and_must_not_be_contradicted),
		cmocka_unit_test(a_manifest_by_digest_must_be_those_bytes),
		cmocka_unit_test(a_manifest_has_a_largest_size),
		cmocka_unit_test(a_manifest_that_was_put_is_known_to_be_there),
		cmocka_unit_test(deleting_is_not_possible_everywhere),
		cmocka_unit_test(a_blob_is_there_or_not_and_has_its_size),
		cmocka_unit_test(a_range_is_only_believed_if_it_is_the_one_asked_for),
		cmocka_unit_test(tags_come_in_pages_and_only_tags_are_believed),
		cmocka_unit_test(a_list_of_tags_comes_to_an_end),
		cmocka_unit_test(a_ping_says_whether_it_is_a_registry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
