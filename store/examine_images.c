/*
 * store/examine_images.c - what names lead to; see store/examine.h.
 *
 * Of an index some images may be absent, those of other platforms; one must be whole. Of an image
 * everything must be there. Documents were hashed before: what is read here is what it should be.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "store/blob.h"
#include "store/examine-private.h"
#include "store/id.h"
#include "store/image.h"
#include "store/index-private.h"
#include "store/ref-private.h"
#include "store/store-private.h"

#define TRIES 3 /* with a name that others move */
#define REMEDY "build, pull or load the image again"

/* The image that is looked at. */
struct looked {
	struct examine *exam;
	const char *object; /* "image app:latest" */
	const char *place;
	bool wrong; /* something of it is */
};

static void tell(struct looked *looked, char *what)
{
	looked->wrong = true;
	(void)examine_tell(looked->exam, looked->object, looked->place, what, REMEDY);
}

/* Whether a blob is there, good, and of the size that it should have. */
static struct err *is_there(struct examine *exam, const struct descriptor *blob, bool *ret)
{
	char hex[STORE_PATH_SIZE];

	TRY(blob_has(exam->store, blob, ret));
	*ret = *ret && !map_has(&exam->bad, str_of(store_hex_path("", &blob->digest, hex)));
	return NULL;
}

/* Make the blob of a layer anew, if the tree is there. */
static struct err *remake(struct looked *looked, const struct descriptor *manifest,
			  const struct descriptor *blob, bool *ret_done)
{
	AUTO(image) struct image *image = NULL;
	AUTO(err) struct err *err = NULL;

	*ret_done = false;
	if (!looked->exam->opts->repair)
		return NULL;
	err = image_open(looked->exam->store, manifest, NULL, &image);
	for (size_t i = 0; !err && i < image->layer_count; i++)
		if (digest_equal(&image->layers[i].blob.digest, &blob->digest))
			return looked->exam->opts->hands->remake_blob(looked->exam->store, image, i,
								      ret_done);
	return NULL;
}

/* Layers that are not to be distributed may be elsewhere. */
static bool may_be_absent(const struct json_at *at)
{
	const struct json_at urls = json_member(at, "urls");

	return json_length(&urls) > 0;
}

static struct err *examine_part(struct looked *looked, const struct descriptor *manifest,
				const struct json_at *at, const char *what)
{
	char digest[DIGEST_TEXT_SIZE];
	struct descriptor blob;
	bool there = false;
	struct err *err = descriptor_parse(at, &blob);

	if (err) {
		tell(looked, xstrdup(err_text(err)));
		err_free(err);
		return NULL;
	}
	TRY(is_there(looked->exam, &blob, &there));
	if (there || may_be_absent(at))
		return NULL;
	TRY(remake(looked, manifest, &blob, &there));
	tell(looked, xasprintf("its %s %s is missing or damaged", what,
			       digest_format(&blob.digest, digest)));
	if (there) {
		examine_repaired(looked->exam, vec_last(&looked->exam->report));
		looked->wrong = false;
	}
	return NULL;
}

static struct err *examine_manifest(struct looked *looked, const struct descriptor *manifest,
				    const struct json_at *root)
{
	const struct json_at config = json_member(root, "config");
	const struct json_at layers = json_member(root, "layers");

	TRY(examine_part(looked, manifest, &config, "config"));
	for (size_t i = 0; i < json_length(&layers); i++) {
		const struct json_at layer = json_element(&layers, i);
		AUTO(mem) char *what = xasprintf("layer %zu,", i + 1);

		TRY(examine_part(looked, manifest, &layer, what));
	}
	return NULL;
}

static struct err *examine_document(struct looked *looked, const struct descriptor *target,
				    int depth);

static struct err *examine_index(struct looked *looked, const struct json_at *root, int depth)
{
	const struct json_at manifests = json_member(root, "manifests");
	size_t there = 0;

	for (size_t i = 0; i < json_length(&manifests); i++) {
		const struct json_at entry = json_element(&manifests, i);
		struct descriptor manifest;
		struct err *err = descriptor_parse(&entry, &manifest);
		bool found = false;

		if (err) {
			tell(looked, xstrdup(err_text(err)));
			err_free(err);
			continue;
		}
		TRY(is_there(looked->exam, &manifest, &found));
		there += found;
		if (found)
			TRY(examine_document(looked, &manifest, depth + 1));
	}
	if (!there && json_length(&manifests))
		tell(looked, xstrdup("none of the images of its index is there"));
	return NULL;
}

static struct err *examine_document(struct looked *looked, const struct descriptor *target,
				    int depth)
{
	AUTO(buf) struct buf text = BUF_INIT(IMAGE_DOCUMENT_MAX + 1);
	AUTO(json) json_t *doc = NULL;
	char digest[DIGEST_TEXT_SIZE];
	struct json_at root;
	bool there = false, is_index = false;
	AUTO(err) struct err *err = NULL;

	digest_format(&target->digest, digest);
	TRY(is_there(looked->exam, target, &there));
	if (!there) {
		tell(looked, xasprintf("its manifest %s is missing or damaged", digest));
		return NULL;
	}
	err = blob_read(looked->exam->store, &target->digest, IMAGE_DOCUMENT_MAX, &text);
	if (!err)
		err = json_parse(buf_str(&text), IMAGE_DOCUMENT_MAX, digest, &doc);
	if (!err) {
		root = json_root(doc, digest);
		err = image_document_kind(&root, target->media_type, &is_index);
	}
	if (!err && depth > IMAGE_INDEX_DEPTH)
		err = err_new(ERR_INVALID, "its indexes are too deep");
	if (err_kind(err) == ERR_SYSTEM)
		return STEAL(err);
	if (err) {
		tell(looked, xstrdup(err_text(err)));
		return NULL;
	}
	return is_index ? examine_index(looked, &root, depth) :
			  examine_manifest(looked, target, &root);
}

/* ---- names ---- */

/* The name that a file below refs/ stands for, the caller's; NULL for one that was hashed. */
static char *decode(const char *file)
{
	AUTO(buf) struct buf name = BUF_INIT(REF_NAME_MAX + 1);

	for (const char *c = file; *c; c++) {
		unsigned byte;

		if (*c != '%') {
			buf_addc(&name, *c);
		} else if (sscanf(c + 1, "%2x", &byte) == 1 && byte) {
			buf_addc(&name, (char)byte);
			c += 2;
		} else {
			return NULL;
		}
	}
	return buf_steal(&name);
}

/* The view still knows what a name meant: believe it if that is there. */
static struct err *ask_view(struct examine *exam, const char *name, bool *ret_found,
			    struct descriptor *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(INDEX_MAX);
	AUTO(json) json_t *doc = NULL;
	AUTO(err) struct err *err = NULL;
	json_t *entry;
	size_t i;
	bool found = false;

	*ret_found = false;
	TRY(store_read(exam->store, "index.json", INDEX_MAX - 1, &text, &found));
	if (found)
		err = json_parse(buf_str(&text), INDEX_MAX, "index.json", &doc);
	json_array_foreach(json_object_get(doc, "manifests"), i, entry)
	{
		const struct json_at at = json_root(entry, "index.json");
		const char *own =
			json_string_value(json_object_get(json_object_get(entry, "annotations"),
							  "org.opencontainers.image.ref.name"));
		struct err *bad;

		if (!own || strcmp(own, index_familiar(name)) != 0)
			continue;
		bad = descriptor_parse(&at, ret);
		*ret_found = !bad;
		err_free(bad);
	}
	return *ret_found ? is_there(exam, ret, ret_found) : NULL;
}

/* A ref that cannot be read stays, and its name is told as far as it can be. */
static struct err *examine_unreadable(struct examine *exam, const char *file, const struct err *why)
{
	AUTO(mem) char *name = decode(file);
	AUTO(mem) char *object = xasprintf("image %s", name ? index_familiar(name) : file);
	AUTO(mem) char *place = xasprintf("refs/%s", file);
	char *what = why ? xasprintf("the file of its name cannot be read: %s", err_text(why)) :
			   xstrdup("the file of its name is damaged");
	struct examine_finding *finding = examine_tell(exam, object, place, what, REMEDY);
	struct descriptor target;
	bool found = false;

	if (!exam->opts->repair || !name)
		return NULL;
	TRY(ask_view(exam, name, &found, &target));
	if (!found)
		return NULL;
	TRY(ref_set(exam->store, name, &target));
	examine_repaired(exam, finding);
	return NULL;
}

/* `*ret_why`, the caller's: why nothing could be read. */
static struct err *read_ref(struct examine *exam, const char *place, bool *ret_found,
			    struct ref *ret, struct err **ret_why)
{
	AUTO(buf) struct buf text = BUF_INIT(REF_MAX);
	char own[REF_PATH_SIZE];
	struct err *err;

	*ret_found = false;
	TRY(store_read_or_why(exam->store, place, REF_MAX - 1, &text, ret_found, ret_why));
	if (!*ret_found)
		return NULL;
	err = ref_parse(buf_str(&text), ret);
	*ret_found = !err;
	err_free(err);
	if (*ret_found) {
		TRY(ref_path(ret->name, own));
		*ret_found = strcmp(own, place) == 0;
		if (!*ret_found)
			free(STEAL(ret->name));
	}
	return NULL;
}

static bool is_asked_for(const struct examine *exam, const char *file)
{
	if (!exam->opts->names || !exam->opts->names->len)
		return true;
	vec_foreach (exam->opts->names, name) {
		char path[REF_PATH_SIZE];
		AUTO(err) struct err *err = ref_path(*name, path);

		if (!err && strcmp(path + strlen("refs/"), file) == 0)
			return true;
	}
	return false;
}

/* Forget the findings beyond `len`. */
static void forget(struct examine *exam, size_t len)
{
	struct examine_report rest = { .at = exam->report.at + len, .len = exam->report.len - len };

	vec_foreach (&rest, finding) {
		free(finding->object);
		free(finding->place);
		free(finding->what);
		free(finding->remedy);
	}
	exam->report.len = len;
}

static struct err *examine_ref(struct examine *exam, const char *place, const struct ref *ref,
			       bool *ret_wrong)
{
	AUTO(mem) char *object = xasprintf("image %s", index_familiar(ref->name));
	struct looked looked = { .exam = exam, .place = place, .object = object };

	TRY(examine_document(&looked, &ref->target, 0));
	*ret_wrong = looked.wrong;
	return exam->opts->repair && !looked.wrong ? id_remember(exam->store, &ref->target) : NULL;
}

/* What a manifest that is there leads to stays there while we look, as it is pinned with it. But before
 * that the name may be moved, and what it led to pruned: then it is looked at again. */
static struct err *examine_image(struct examine *exam, const char *file)
{
	AUTO(mem) char *place = xasprintf("refs/%s", file);
	const size_t findings = exam->report.len;
	bool wrong = true;

	exam->report.images++;
	for (int tries = 0; wrong && tries < TRIES; tries++) {
		struct ref ref = { .name = NULL };
		struct stat before = { 0 }, after;
		AUTO(err) struct err *why = NULL;
		struct err *err;
		bool found = false;

		if (fstatat(exam->store->root_fd, place, &before, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? NULL : err_sys("look at %s", place);
		TRY(read_ref(exam, place, &found, &ref, &why));
		err = found ? examine_ref(exam, place, &ref, &wrong) :
			      examine_unreadable(exam, file, why);
		free(ref.name);
		TRY(err);
		if (fstatat(exam->store->root_fd, place, &after, AT_SYMLINK_NOFOLLOW) == 0 &&
		    after.st_ino == before.st_ino &&
		    after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
		    after.st_ctim.tv_nsec == before.st_ctim.tv_nsec)
			return NULL;
		if (!found || !wrong)
			return NULL;
		forget(exam, findings);
	}
	return NULL;
}

struct err *examine_images(struct examine *exam)
{
	AUTO(strings) struct strings files = { 0 };

	TRY(file_list(exam->store->root_fd, "refs", &files));
	vec_foreach (&files, file) {
		AUTO(mem) char *name = decode(*file);
		AUTO(mem) char *object = xasprintf("image %s", name ? index_familiar(name) : *file);
		AUTO(mem) char *place = xasprintf("refs/%s", *file);

		if (is_asked_for(exam, *file))
			TRY(examine_go_on(exam, object, place, examine_image(exam, *file)));
	}
	return NULL;
}
