/* registry/layout.c - see registry/layout.h. */

#include "registry/layout.h"

#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "base/stream.h"
#include "base/vec.h"
#include "registry/members.h"
#include "registry/pack.h"
#include "registry/reference.h"
#include "registry/walk.h"
#include "store/blob.h"
#include "store/image.h"

#define LAYOUT_FILE "oci-layout"
#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define INDEX_FILE "index.json"
#define NAME_CONTAINERD "io.containerd.image.name"
#define NAME_OCI "org.opencontainers.image.ref.name"

/* ---- loading ---- */

bool layout_is(struct members *members)
{
	return members_find(members, LAYOUT_FILE) && members_find(members, INDEX_FILE);
}

static struct err *check_version(struct members *members)
{
	AUTO(json) json_t *document = NULL;
	struct json_at root, at;
	const char *version;

	TRY(members_read_json(members, LAYOUT_FILE, IMAGE_DOCUMENT_MAX, &document, &root));
	at = json_member(&root, "imageLayoutVersion");
	TRY(json_get_text(&at, &version));
	if (!str_starts(str_of(version), "1."))
		return err_new(ERR_UNSUPPORTED, "the layout has version '%.40s', not 1.x", version);
	return NULL;
}

/* Where blobs go. */
struct taking {
	struct store *store;
	bool all; /* read those, too, that the store has */
};

/* What is there already was good when it came: but an archive that contradicts itself is refused, whatever
 * the store has. */
static struct err *expect_blob(const struct member_content *member, const struct descriptor *d)
{
	AUTO(sink) struct sink *out = NULL;
	struct digest digest;

	out = sink_hash(sink_null(), &digest, NULL);
	TRY(stream_copy(member->content, out, NULL));
	TRY(sink_finish(out));
	return digest_equal(&digest, &d->digest) ?
		       NULL :
		       err_new(ERR_CORRUPT, "its content has another digest");
}

/* Take one blob into the store. */
static struct err *take_blob(void *arg, const struct member_content *member)
{
	const struct descriptor *d = member->value;
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	const struct taking *taking = arg;
	struct store *store = taking->store;
	struct digest digest;
	uint64_t size;
	bool found;

	if (member->size != d->size)
		return err_new(ERR_CORRUPT, "it has %ju bytes, not %ju", (uintmax_t)member->size,
			       (uintmax_t)d->size);
	TRY(blob_has(store, d, &found));
	if (found)
		return taking->all ? expect_blob(member, d) : NULL;
	TRY(blob_begin(store, &writer));
	TRY(stream_copy(member->content, blob_sink(writer), NULL));
	return blob_commit(writer, &d->digest, &digest, &size);
}

/* One entry of index.json. */
struct entry {
	char *name; /* owned; NULL for none */
	struct descriptor target;
	size_t first, count; /* its manifests in the walk */
	bool wanted;         /* it is to be loaded */
};

struct entries {
	struct entry *at;
	size_t len, cap;
};

static void entries_auto_(struct entries *entries)
{
	vec_foreach (entries, entry)
		free(entry->name);
	vec_release(entries);
}

static struct err *walk_entry(struct walk *walk, const struct json_at *at, const char *only,
			      struct entries *ret)
{
	const char *containerd, *oci, *attestation, *name;
	struct descriptor target;
	size_t first = walk->manifests.len;
	bool wanted;

	TRY(descriptor_parse(at, &target));
	TRY(walk_annotation(at, NAME_CONTAINERD, &containerd));
	TRY(walk_annotation(at, NAME_OCI, &oci));
	TRY(walk_annotation(at, WALK_ATTESTATION, &attestation));
	name = containerd ? containerd : oci;
	wanted = !only || loaded_is_called(name, only);
	if (wanted)
		TRY(walk_descriptor(walk, &target, !attestation));
	if (!attestation)
		vec_push(ret, (struct entry){ xstrdup(name), target, first,
					      walk->manifests.len - first, wanted });
	return NULL;
}

static struct err *walk_layout(struct walk *walk, const char *only, struct entries *ret)
{
	AUTO(json) json_t *document = NULL;
	struct json_at root, list;

	TRY(check_version(walk->members));
	TRY(members_read_json(walk->members, INDEX_FILE, IMAGE_DOCUMENT_MAX, &document, &root));
	list = json_member(&root, "manifests");
	TRY(json_expect_array(&list));
	for (size_t i = 0; i < json_length(&list); i++) {
		struct json_at entry = json_element(&list, i);

		TRY(walk_entry(walk, &entry, only, ret));
	}
	return NULL;
}

/* The documents of an entry are in the store now, and must be what they are said to be. */
static struct err *check_entry(const struct walk *walk, const struct entry *entry,
			       struct platform *ret_platform)
{
	AUTO(image) struct image *image = NULL;
	struct err *err;

	TRY(walk_expect_image(walk, entry->first, entry->count, ret_platform));
	err = image_open(walk->store, &entry->target, ret_platform, &image);
	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err_free(err); /* an index that has no such platform is right all the same */
	return NULL;
}

struct err *layout_load(struct store *store, struct members *members, const char *only, bool all,
			struct loaded_list *ret)
{
	struct taking taking = { .store = store, .all = all };
	AUTO(walk) struct walk walk = { .store = store, .members = members };
	AUTO(entries) struct entries entries = { 0 };
	struct map by_member = MAP_INIT;
	struct err *err;

	TRY(walk_layout(&walk, only, &entries));
	map_foreach (&walk.wanted, entry)
		map_put(&by_member, str_of(members_find(members, entry->key)), entry->value);
	err = members_visit(members, &by_member, take_blob, &taking);
	map_release(&by_member, NULL);
	TRY(err);
	vec_foreach (&entries, entry) {
		struct platform platform = { .os = "" };

		if (entry->wanted)
			TRY(err_wrap(check_entry(&walk, entry, &platform), "image %s",
				     entry->name ? entry->name : "without a name"));
		loaded_add(ret, entry->name, &entry->target, &platform);
	}
	return NULL;
}

struct err *layout_list(struct store *store, struct members *members, struct loaded_list *ret)
{
	AUTO(walk) struct walk walk = { .store = store, .members = members };
	AUTO(entries) struct entries entries = { 0 };
	const struct platform unknown = { .os = "" };

	TRY(walk_layout(&walk, NULL, &entries));
	vec_foreach (&entries, entry)
		loaded_add(ret, entry->name, &entry->target, &unknown);
	return NULL;
}

/* ---- saving ---- */

static struct err *save_blob(const struct walk *walk, const char *name, const struct descriptor *d,
			     struct pack *pack)
{
	AUTO(source) struct source *content = NULL;
	uint64_t size;
	int fd = -1;

	TRY(blob_open(walk->store, &d->digest, &fd, &size));
	content = source_verify(source_from_fd(fd, name), &d->digest, d->size);
	return blob_doubt(walk->store, &d->digest, pack_put(pack, name, content, d->size));
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct map_entry *)a)->key, ((const struct map_entry *)b)->key);
}

/* All blobs, in the order of their digests: the order of the images does not show. */
static struct err *save_blobs(struct walk *walk, struct pack *pack)
{
	AUTO(mem) struct map_entry *sorted = xcalloc(walk->wanted.len, sizeof(*sorted));

	if (walk->wanted.len)
		memcpy(sorted, walk->wanted.at, walk->wanted.len * sizeof(*sorted));
	qsort(sorted, walk->wanted.len, sizeof(*sorted), compare_entries);
	for (size_t i = 0; i < walk->wanted.len; i++)
		TRY(save_blob(walk, sorted[i].key, sorted[i].value, pack));
	return NULL;
}

static json_t *index_entry(const struct saved_image *image)
{
	json_t *entry = descriptor_format(&image->target);
	AUTO(mem) char *familiar = image->name ? reference_shorten(image->name) : NULL;
	json_t *annotations;

	if (!image->name && !image->literal)
		return entry;
	annotations = json_object();
	if (image->name)
		json_set_text(annotations, NAME_CONTAINERD, image->name);
	json_set_text(annotations, NAME_OCI, image->literal ? image->literal : familiar);
	json_set(entry, "annotations", annotations);
	return entry;
}

/* The name that an entry of an index goes by, or "". */
static const char *entry_name(const json_t *entry)
{
	const json_t *annotations = json_object_get(entry, "annotations");
	const char *name = json_string_value(json_object_get(annotations, NAME_OCI));

	return name ? name : "";
}

/* Whether `ours` takes the place of `entry`: by its name, or without one by being the same image. */
static bool replaces(const json_t *ours, const json_t *entry)
{
	const char *name = entry_name(entry);
	const char *digest = json_string_value(json_object_get(entry, "digest"));

	if (strcmp(name, entry_name(ours)) != 0)
		return false;
	return name[0] ||
	       (digest && strcmp(digest, json_string_value(json_object_get(ours, "digest"))) == 0);
}

/* Keep the entries of an index that is there already, but for those that ours replace. */
static struct err *merge_index(const struct pack *pack, json_t *manifests)
{
	AUTO(buf) struct buf text = BUF_INIT(IMAGE_DOCUMENT_MAX);
	AUTO(json) json_t *document = NULL;
	size_t ours = json_array_size(manifests);
	json_t *entry;
	size_t i;

	if (pack_dir_fd(pack) < 0 || !file_exists(pack_dir_fd(pack), INDEX_FILE))
		return NULL;
	TRY(file_read(pack_dir_fd(pack), INDEX_FILE, IMAGE_DOCUMENT_MAX, &text));
	TRY(json_parse(buf_str(&text), IMAGE_DOCUMENT_MAX, INDEX_FILE, &document));
	json_array_foreach(json_object_get(document, "manifests"), i, entry)
	{
		bool replaced = false;

		for (size_t k = 0; k < ours; k++)
			replaced = replaced || replaces(json_array_get(manifests, k), entry);
		if (!replaced)
			json_array_append(manifests, entry);
	}
	return NULL;
}

static struct err *save_index(const struct saved_image *images, size_t count, struct pack *pack)
{
	AUTO(json) json_t *index = json_object();
	json_t *manifests = json_array();
	AUTO(mem) char *text = NULL;

	json_set(index, "schemaVersion", json_integer(2));
	json_set_text(index, "mediaType", MEDIA_OCI_INDEX);
	json_set(index, "manifests", manifests);
	for (size_t i = 0; i < count; i++)
		json_push(manifests, index_entry(&images[i]));
	TRY(merge_index(pack, manifests));
	text = json_format(index);
	return pack_put_text(pack, INDEX_FILE, str_of(text));
}

/* Everything that an image needs must be in the store before a byte is written. */
static struct err *walk_image(struct walk *walk, const struct saved_image *image)
{
	size_t first = walk->manifests.len;
	struct platform platform;

	TRY(walk_descriptor(walk, &image->target, true));
	return walk_expect_image(walk, first, walk->manifests.len - first, &platform);
}

struct err *layout_save(struct store *store, const struct saved_image *images, size_t count,
			struct pack *pack)
{
	AUTO(walk) struct walk walk = { .store = store };

	for (size_t i = 0; i < count; i++)
		TRY(err_wrap(walk_image(&walk, &images[i]), "image %s",
			     images[i].name ? images[i].name : "without a name"));
	TRY(pack_put_text(pack, LAYOUT_FILE, STR(LAYOUT_TEXT)));
	TRY(save_blobs(&walk, pack));
	return save_index(images, count, pack);
}
