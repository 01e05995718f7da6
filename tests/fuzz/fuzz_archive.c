/*
 * tests/fuzz/fuzz_archive.c - whatever loads is whole: every image opens, every blob is there.
 *
 * The input is a kind, 'd' for a docker archive and else an OCI layout, and documents that
 * the byte 0xff separates. Documents refer to later ones: "@2" becomes the digest of document 2,
 * "#2" its size. They become a tar, and the tar is loaded.
 *	docker   0 manifest.json   1 "config"   2.. "layer2", ...
 *	OCI      0 index.json      1.. blobs by their digests
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/tar.h"
#include "base/vec.h"
#include "registry/archive.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/ref.h"
#include "store/store.h"

#define DOCUMENTS 8
#define ARCHIVE_MAX ((size_t)4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *store;
static char root[64];

static void remove_store(void)
{
	AUTO(fd) int parent = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	store_close(store);
	err_free(file_remove_tree(parent, root + strlen("/tmp/")));
}

static void open_once(void)
{
	if (store)
		return;
	snprintf(root, sizeof(root), "/tmp/cairn-fuzz-XXXXXX");
	if (!mkdtemp(root) || store_open(root, &store))
		abort();
	atexit(remove_store);
}

static void must(struct err *err)
{
	if (err) {
		fprintf(stderr, "%s\n", err_text(err));
		abort();
	}
}

struct document {
	struct buf text;
	char digest[DIGEST_TEXT_SIZE];
};

/* Replace "@2" and "#2" by what they stand for, in documents above this one. */
static void expand(struct document *documents, size_t which, struct str raw)
{
	struct document *d = &documents[which];
	struct hasher *hasher = hasher_new();
	struct digest digest;

	d->text = BUF_INIT(ARCHIVE_MAX);
	buf_adds(&d->text, "");
	for (size_t i = 0; i < raw.len; i++) {
		size_t other = i + 1 < raw.len ? (size_t)(raw.at[i + 1] - '0') : DOCUMENTS;
		bool refers = other > which && other < DOCUMENTS && documents[other].text.at;

		if (refers && raw.at[i] == '@')
			buf_adds(&d->text, documents[other].digest), i++;
		else if (refers && raw.at[i] == '#')
			buf_addf(&d->text, "%zu", documents[other].text.len), i++;
		else
			buf_addc(&d->text, raw.at[i]);
	}
	hasher_update(hasher, d->text.at, d->text.len);
	must(hasher_finish(hasher, &digest));
	digest_format(&digest, d->digest);
	hasher_free(hasher);
}

static void add_member(struct sink *out, const char *name, struct str text)
{
	const struct tar_entry entry = {
		.type = TAR_FILE, .path = name, .mode = 0644, .size = text.len
	};

	must(tar_write_header(out, &entry));
	sink_write(out, text.at, text.len);
	tar_write_padding(out, text.len);
}

static void add_document(struct sink *out, bool docker, size_t which, const struct document *d)
{
	AUTO(mem) char *name = NULL;

	if (which == 0)
		name = xstrdup(docker ? "manifest.json" : "index.json");
	else if (docker)
		name = which == 1 ? xstrdup("config") : xasprintf("layer%zu", which);
	else
		name = xasprintf("blobs/sha256/%s", d->digest + strlen("sha256:"));
	add_member(out, name, buf_str(&d->text));
}

/* Everything that was loaded must be there. */
static void check(const struct loaded *loaded)
{
	AUTO(image) struct image *image = NULL;
	struct descriptor target;
	struct err *err;

	must(ref_get(store, loaded->name, &target));
	if (!digest_equal(&target.digest, &loaded->target.digest))
		abort();
	err = image_open(store, &target, &loaded->platform, &image);
	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err); /* what an index says of its images may be wrong */
		must(ref_delete(store, loaded->name));
		return;
	}
	must(err);
	for (size_t i = 0; i < image->layer_count; i++) {
		bool found = false;

		must(blob_find(store, &image->layers[i].blob.digest, &found, NULL));
		if (!found)
			abort();
	}
	must(ref_delete(store, loaded->name));
}

static void load(int fd)
{
	AUTO(loaded_list) struct loaded_list list = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err_free(archive_load(store, path, "docker.io/library/x:latest", NULL,
			      &list)); /* may fail */
	vec_foreach (&list, loaded)
		check(loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data + 1, size ? size - 1 : 0 };
	struct document documents[DOCUMENTS] = { 0 };
	AUTO(fd) int fd = -1;
	AUTO(sink) struct sink *out = NULL;
	struct str raw[DOCUMENTS];
	size_t count = 0;

	if (!data || size == 0)
		return 0;
	open_once();
	while (rest.at && count < DOCUMENTS)
		raw[count++] = str_cut(&rest, (char)0xff);
	for (size_t i = count; i-- > 0;)
		expand(documents, i, raw[i]);

	fd = memfd_create("archive", MFD_CLOEXEC);
	out = sink_to_fd(dup(fd), "archive");
	if (data[0] != 'd')
		add_member(out, "oci-layout", STR("{\"imageLayoutVersion\":\"1.0.0\"}"));
	for (size_t i = 0; i < count; i++)
		add_document(out, data[0] == 'd', i, &documents[i]);
	tar_write_end(out);
	must(sink_finish(out));
	load(fd);
	for (size_t i = 0; i < count; i++)
		buf_release(&documents[i].text);
	return 0;
}
