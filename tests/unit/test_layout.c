/* tests/unit/test_layout.c - other tools read images of the store in place. */

#include "tests/unit/unit.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/stream.h"
#include "base/tar.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/ref.h"
#include "tests/unit/room.h"

#define APP "docker.io/library/app:latest"

/* ---- other programs ---- */

/* Run a program and give what it printed, or NULL if it is not installed or failed. The words are
 * separated by blanks; "@" stands for the store. */
static char *run(const char *command)
{
	AUTO(mem) char *words = xstrdup(command);
	AUTO(strings) struct strings args = { 0 };
	AUTO(buf) struct buf output = BUF_INIT(1 << 20);
	char *rest = words;
	int pipe_fds[2];
	pid_t pid;

	for (char *word; (word = strsep(&rest, " "));) {
		char *at = strchr(word, '@');
		AUTO(mem)
		char *arg = at ? xasprintf("%.*s%s%s", (int)(at - word), word, room_path, at + 1) :
				 xstrdup(word);

		strings_push(&args, arg);
	}
	assert_return_code(pipe(pipe_fds), errno);
	pid = fork();
	if (pid == 0) {
		dup2(pipe_fds[1], 1);
		close(pipe_fds[0]);
		execvp(*strings_argv(&args), strings_argv(&args));
		_exit(127);
	}
	close(pipe_fds[1]);
	for (char piece[4096];;) {
		ssize_t n = read(pipe_fds[0], piece, sizeof(piece));

		if (n <= 0)
			break;
		buf_add(&output, piece, (size_t)n);
	}
	close(pipe_fds[0]);
	return child_wait(pid) == 0 ? buf_steal(&output) : NULL;
}

static void need(const char *command)
{
	AUTO(mem) char *output = run(command);

	if (!output)
		skip();
}

static void assert_runs(const char *command)
{
	AUTO(mem) char *output = run(command);

	if (!output)
		fail_msg("%s failed", command);
}

/* ---- an image that is one ---- */

/* A layer with one file, as a blob and as a tree. */
static struct image_layer put_layer(void)
{
	const struct tar_entry entry = {
		.type = TAR_FILE, .path = "hello", .mode = 0644, .size = 6
	};
	struct image_layer layer = { .blob = { .media_type = MEDIA_OCI_LAYER } };
	AUTO(blob_writer) struct blob_writer *writer = NULL;

	assert_ok(blob_begin(store, &writer));
	assert_ok(tar_write_header(blob_sink(writer), &entry));
	sink_write(blob_sink(writer), "world\n", 6);
	tar_write_padding(blob_sink(writer), 6);
	tar_write_end(blob_sink(writer));
	assert_ok(blob_commit(writer, NULL, &layer.blob.digest, &layer.blob.size));
	layer.diff_id = layer.blob.digest;
	return layer;
}

static void put_image(const char *name)
{
	struct image_layer layer = put_layer();
	struct descriptor manifest, config;
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem)
	char *text = xasprintf(
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"/hello\"]},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]},"
		"\"history\":[{\"created\":\"2026-01-01T00:00:00Z\",\"created_by\":\"COPY\"}]}",
		digest_format(&layer.diff_id, digest));
	AUTO(json) json_t *doc = NULL;

	assert_ok(json_parse(str_of(text), JSON_MAX, "config", &doc));
	assert_ok(image_put(store, doc, &layer, 1, NULL, &manifest, &config));
	assert_ok(ref_set(store, name, &manifest));
}

/* A store in which every directory holds something. */
static int open_full(void **state)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	struct layer_meta meta = { .has_diff_id = true };

	room_open(state);
	assert_ok(layer_begin(store, &stage));
	assert_ok(layer_seal(stage, NULL, &meta));
	put_image("localhost/other:1.0");
	put_image("docker.io/team/app:2");
	put_image(APP);
	return 0;
}

#define FULL_TEST(name) cmocka_unit_test_setup_teardown(name, open_full, room_close)

/* ---- skopeo and umoci ---- */

TEST(skopeo_inspects_and_copies_images_of_the_store)
{
	AUTO(mem) char *output = NULL;
	AUTO(json) json_t *doc = NULL;

	need("skopeo --version");
	output = run("skopeo inspect oci:@:app:latest");
	assert_non_null(output);
	assert_ok(json_parse(str_of(output), JSON_MAX, "skopeo", &doc));
	assert_string_equal(json_string_value(json_object_get(doc, "Architecture")), "amd64");
	assert_int_equal(json_array_size(json_object_get(doc, "Layers")), 1);
	assert_runs("skopeo inspect oci:@:team/app:2");
	assert_runs("skopeo inspect oci:@:localhost/other:1.0");
	assert_runs("skopeo --insecure-policy copy -q oci:@:app:latest oci:@-copy:app:latest");
	assert_runs("rm -r @-copy");
}

TEST(umoci_lists_and_unpacks_images_of_the_store)
{
	AUTO(mem) char *names = NULL;
	AUTO(mem) char *hello = NULL;

	need("umoci --version");
	names = run("umoci ls --layout @");
	assert_string_equal(names, "app:latest\nlocalhost/other:1.0\nteam/app:2\n");
	assert_runs("umoci stat --image @:app:latest");
	assert_runs("umoci unpack --rootless --image @:app:latest @-bundle");
	hello = run("cat @-bundle/rootfs/hello");
	assert_string_equal(hello, "world\n");
	assert_runs("rm -r @-bundle");
}

TEST(a_deleted_image_is_gone_for_others_too)
{
	AUTO(mem) char *names = NULL;

	need("umoci --version");
	assert_ok(ref_delete(store, APP));
	names = run("umoci ls --layout @");
	assert_string_equal(names, "localhost/other:1.0\nteam/app:2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FULL_TEST(skopeo_inspects_and_copies_images_of_the_store),
		FULL_TEST(umoci_lists_and_unpacks_images_of_the_store),
		FULL_TEST(a_deleted_image_is_gone_for_others_too),
	};

	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
