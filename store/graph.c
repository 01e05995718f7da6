/* store/graph.c - see store/graph-private.h. */

#include "store/graph-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/log.h"
#include "store/graph-parts-private.h"
#include "store/image.h"
#include "store/meta-private.h"
#include "store/store-private.h"

#define LEASE_MAX ((size_t)64 * 1024 * 1024)
#define BLOCK 512

void graph_release(struct graph *graph)
{
	vec_foreach (&graph->objects, object)
		vec_release(&object->leads_to);
	vec_foreach (&graph->holders, holder) {
		free(holder->path);
		vec_release(&holder->objects);
	}
	vec_release(&graph->objects);
	vec_release(&graph->holders);
	vec_release(&graph->shelves);
	map_release(&graph->names, NULL);
	map_release(&graph->known, NULL);
	map_release(&graph->pins, NULL);
	usage_release(&graph->usage);
}

/* Maps hold an index plus one. */
static uint32_t find_name(const struct map *map, char kind, const char *name)
{
	char key[2 + 64];

	snprintf(key, sizeof(key), "%c%.64s", kind, name);
	return (uint32_t)(uintptr_t)map_get(map, str_of(key));
}

static void put_name(struct map *map, char kind, const char *name, uint32_t index)
{
	char key[2 + 64];

	snprintf(key, sizeof(key), "%c%.64s", kind, name);
	map_put(map, str_of(key), (void *)(uintptr_t)(index + 1));
}

/* ---- objects ---- */

static struct object *add_object(struct graph *graph, enum object_kind kind, const char *name)
{
	struct object *object = vec_add(&graph->objects);

	object->kind = kind;
	snprintf(object->name, sizeof(object->name), "%.64s", name);
	put_name(&graph->names, kind == OBJECT_LAYER ? 'L' : 'B', name,
		 (uint32_t)(graph->objects.len - 1));
	return object;
}

static struct err *load_blobs(struct graph *graph)
{
	AUTO(strings) struct strings names = { 0 };
	AUTO(fd) int dir_fd = -1;

	TRY(file_open_dir(graph->store->root_fd, "blobs/sha256", &dir_fd));
	TRY(file_list(dir_fd, ".", &names));
	vec_foreach (&names, name) {
		struct stat st;

		if (strlen(*name) != 64 || fstatat(dir_fd, *name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		add_object(graph, OBJECT_BLOB, *name)->bytes = (uint64_t)st.st_blocks * BLOCK;
	}
	return NULL;
}

static void lead(struct graph *graph, uint32_t from, uint32_t to_plus_one)
{
	if (to_plus_one)
		vec_push(&graph->objects.at[from].leads_to, to_plus_one - 1);
}

/* Several layers may have one diff id, each on what it was unpacked on. */
static void add_diff(struct graph *graph, const struct digest *diff_id, uint32_t layer)
{
	char hex[STORE_PATH_SIZE];

	store_hex_path("", diff_id, hex);
	graph->objects.at[layer].next_of_diff = find_name(&graph->names, 'D', hex);
	put_name(&graph->names, 'D', hex, layer);
}

/* A layer that is not trusted leads nowhere, and nothing leads to it. */
static struct err *load_layer(struct graph *graph, const char *lid)
{
	const uint32_t index = (uint32_t)graph->objects.len;
	struct meta_record record;
	char hex[STORE_PATH_SIZE];
	bool found;

	add_object(graph, OBJECT_LAYER, lid)->read = true;
	TRY(meta_find(graph->store, lid, &found, &record));
	if (!found)
		return NULL;
	if (record.meta.has_diff_id)
		add_diff(graph, &record.meta.diff_id, index);
	if (record.meta.has_blob)
		lead(graph, index,
		     find_name(&graph->names, 'B',
			       store_hex_path("", &record.meta.blob.digest, hex)));
	return NULL;
}

static struct err *load_layers(struct graph *graph)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(file_list(graph->store->root_fd, "layers", &names));
	vec_foreach (&names, name)
		TRY(load_layer(graph, *name));
	return NULL;
}

struct err *graph_measure(struct graph *graph)
{
	vec_foreach (&graph->objects, object) {
		char path[STORE_PATH_SIZE];

		if (object->kind != OBJECT_LAYER || object->measured)
			continue;
		snprintf(path, sizeof(path), "layers/%s", object->name);
		TRY(usage_add(&graph->usage, graph->store->root_fd, path, &object->bytes));
		object->measured = true;
	}
	return NULL;
}

/* ---- documents ---- */

/* What a document may lead to, wherever it stands in it: each "digest" of a descriptor, and each diff
 * id. So what a later kind of document refers to is kept too. */
static void lead_from_value(struct graph *graph, uint32_t from, json_t *value);

static void lead_from_text(struct graph *graph, uint32_t from, char kind, json_t *text)
{
	const char *digest = json_is_string(text) ? json_string_value(text) : "";
	uint32_t at;

	if (!str_starts(str_of(digest), "sha256:"))
		return;
	at = find_name(&graph->names, kind, digest + strlen("sha256:"));
	while (at) {
		lead(graph, from, at);
		at = kind == 'D' ? graph->objects.at[at - 1].next_of_diff : 0;
	}
}

static void lead_from_object(struct graph *graph, uint32_t from, json_t *object)
{
	const char *key;
	json_t *member;

	json_object_foreach(object, key, member)
	{
		size_t i;
		json_t *element;

		if (strcmp(key, "digest") == 0)
			lead_from_text(graph, from, 'B', member);
		else if (strcmp(key, "diff_ids") == 0)
			json_array_foreach(member, i, element)
				lead_from_text(graph, from, 'D', element);
		else
			lead_from_value(graph, from, member);
	}
}

/* Recursion is bounded by JSON_MAX_DEPTH. */
static void lead_from_value(struct graph *graph, uint32_t from, json_t *value)
{
	size_t i;
	json_t *element;

	if (json_is_object(value))
		lead_from_object(graph, from, value);
	json_array_foreach(value, i, element) lead_from_value(graph, from, element);
}

/* Whether a blob is a document; layers are large or begin otherwise. */
static struct err *open_document(struct graph *graph, const char *path, bool *ret, struct buf *text)
{
	AUTO(fd) int fd = openat(graph->store->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	char first = 0;

	*ret = false;
	if (fd < 0)
		return errno == ENOENT ? NULL : err_sys("open %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys("look at %s", path);
	if (st.st_size > (off_t)IMAGE_DOCUMENT_MAX || pread(fd, &first, 1, 0) != 1 || first != '{')
		return NULL;
	*ret = true;
	return file_read_fd(fd, path, IMAGE_DOCUMENT_MAX, text);
}

/* Learn what a blob leads to. */
static struct err *read_blob(struct graph *graph, uint32_t index)
{
	AUTO(buf) struct buf text = BUF_INIT(IMAGE_DOCUMENT_MAX + 1);
	AUTO(json) json_t *doc = NULL;
	AUTO(err) struct err *err = NULL;
	char path[STORE_PATH_SIZE];
	bool is_document;

	graph->objects.at[index].read = true;
	snprintf(path, sizeof(path), "blobs/sha256/%s", graph->objects.at[index].name);
	TRY(open_document(graph, path, &is_document, &text));
	if (!is_document)
		return NULL;
	err = json_parse(buf_str(&text), IMAGE_DOCUMENT_MAX, path, &doc);
	if (!err)
		lead_from_value(graph, index, doc);
	else
		log_debug("%s keeps nothing: %s", path, err_text(err));
	return NULL;
}

/* ---- holders ---- */

/* The holder keeps this object, and all that it leads to. An own stack in the place of recursion. */
static struct err *hold(struct graph *graph, struct holder *holder, uint32_t first)
{
	VEC(uint32_t) todo = { 0 };
	struct err *err = NULL;

	vec_push(&todo, first);
	while (!err && todo.len) {
		const uint32_t index = todo.at[--todo.len];
		struct object *object = &graph->objects.at[index];

		if (object->stamp == graph->stamp)
			continue;
		object->stamp = graph->stamp;
		object->holders++;
		vec_push(&holder->objects, index);
		if (!object->read)
			err = read_blob(graph, index);
		vec_foreach (&graph->objects.at[index].leads_to, next)
			vec_push(&todo, *next);
	}
	vec_release(&todo);
	return err;
}

void graph_drop(struct graph *graph, struct holder *holder)
{
	if (holder->dropped)
		return;
	holder->dropped = true;
	vec_foreach (&holder->objects, index)
		graph->objects.at[*index].holders--;
}

struct err *graph_add_holder(struct graph *graph, const struct holder_found *found)
{
	const uint32_t index = (uint32_t)graph->holders.len;
	struct holder *holder;
	void *before = map_get(&graph->known, str_of(found->path));

	if (before)
		graph_drop(graph, &graph->holders.at[(uintptr_t)before - 1]);
	map_put(&graph->known, str_of(found->path), (void *)(uintptr_t)(index + 1));
	holder = vec_add(&graph->holders);
	holder->kind = found->kind;
	holder->path = xstrdup(found->path);
	holder->inode = found->st.st_ino;
	holder->used = found->st.st_mtim;
	holder->bytes = (uint64_t)found->st.st_blocks * BLOCK;
	if (!found->keeps[0])
		return NULL;
	graph->stamp++;
	if (find_name(&graph->names, found->keeps[0], found->keeps + 1))
		return hold(graph, holder,
			    find_name(&graph->names, found->keeps[0], found->keeps + 1) - 1);
	return NULL;
}

bool graph_knows(const struct graph *graph, const char *path, ino_t inode)
{
	uintptr_t at = (uintptr_t)map_get(&graph->known, str_of(path));

	return at && graph->holders.at[at - 1].inode == inode;
}

struct err *graph_load(struct store *store, struct graph *graph)
{
	graph->store = store;
	TRY(load_blobs(graph));
	TRY(load_layers(graph));
	TRY(graph_load_shelves(graph));
	return graph_load_caches(graph);
}

/* ---- what has changed ---- */

/* The pins of one living process. */
static struct err *read_pins(struct graph *graph, const char *path)
{
	AUTO(buf) struct buf text = BUF_INIT(LEASE_MAX);
	struct str rest;
	bool found;

	TRY(store_read(graph->store, path, LEASE_MAX, &text, &found));
	rest = buf_str(&text);
	while (found && memchr(rest.at, '\n', rest.len)) {
		struct str line = str_cut(&rest, '\n');

		if (line.len > 2 && line.at[1] == ' ')
			map_put(&graph->pins, line, graph);
	}
	return NULL;
}

static struct err *read_leases(struct graph *graph)
{
	AUTO(strings) struct strings ids = { 0 };

	map_release(&graph->pins, NULL);
	TRY(file_list(graph->store->root_fd, "leases", &ids));
	vec_foreach (&ids, id) {
		AUTO(lock) struct lock lock = LOCK_INIT;
		char path[STORE_PATH_SIZE];
		bool dead = false;

		snprintf(path, sizeof(path), "leases/%.64s", *id);
		TRY(lock_try_file(graph->store->root_fd, path, LOCK_EXCLUSIVE, &lock, &dead));
		if (!dead)
			TRY(read_pins(graph, path));
	}
	return NULL;
}

/* What a living process uses keeps what it leads to: who has pinned a manifest reads its layers. */
static struct err *spread_pins(struct graph *graph)
{
	struct holder user = { .kind = HOLDER_NAME };
	struct err *err = NULL;
	VEC(uint32_t) used = { 0 };

	map_foreach (&graph->pins, pin) {
		uint32_t at = find_name(&graph->names, pin->key[0], pin->key + 2);

		if (pin->key[0] != 'S' && at)
			vec_push(&used, at - 1);
	}
	graph->stamp++;
	for (size_t i = 0; !err && i < used.len; i++)
		err = hold(graph, &user, used.at[i]);
	vec_foreach (&user.objects, index) {
		struct object *object = &graph->objects.at[*index];
		char line[2 + sizeof(object->name)];

		object->holders--;
		snprintf(line, sizeof(line), "%c %s", object->kind == OBJECT_LAYER ? 'L' : 'B',
			 object->name);
		map_put(&graph->pins, str_of(line), graph);
	}
	vec_release(&user.objects);
	vec_release(&used);
	return err;
}

struct err *graph_refresh(struct graph *graph)
{
	TRY(graph_load_shelves(graph));
	TRY(read_leases(graph));
	return spread_pins(graph);
}

bool graph_object_in_use(const struct graph *graph, const struct object *object)
{
	char line[2 + sizeof(object->name)];

	snprintf(line, sizeof(line), "%c %s", object->kind == OBJECT_LAYER ? 'L' : 'B',
		 object->name);
	return map_has(&graph->pins, str_of(line));
}

bool graph_holder_in_use(const struct graph *graph, const struct holder *holder)
{
	const char kind = holder->kind == HOLDER_STEP ? 'S' : 'B';
	const char *name = strrchr(holder->path, '/');
	char line[2 + 64 + 1];

	snprintf(line, sizeof(line), "%c %.64s", kind, name ? name + 1 : "");
	return map_has(&graph->pins, str_of(line));
}

bool graph_is_named(const struct graph *graph, const struct holder *image)
{
	const uint32_t at = find_name(&graph->names, 'N', strrchr(image->path, '/') + 1);

	return at && !graph->holders.at[at - 1].dropped;
}
