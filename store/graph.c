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
#define FEW 64 /* holders, which are read in a few milliseconds */
#define PREPARE_TURNS 16

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
uint32_t graph_find(const struct map *map, char kind, const char *name)
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
	if (kind == OBJECT_BLOB)
		put_name(&graph->names, 'B', name, (uint32_t)(graph->objects.len - 1));
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

		if (strlen(*name) != 64)
			continue;
		if (fstatat(dir_fd, *name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno != ENOENT)
				return err_sys("look at blob %s", *name);
			continue;
		}
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
	graph->objects.at[layer].next_of_diff = graph_find(&graph->names, 'D', hex);
	put_name(&graph->names, 'D', hex, layer);
}

/* A layer that is not trusted leads nowhere, and nothing leads to it. */
static struct err *load_layer(struct graph *graph, const char *lid)
{
	const uint32_t index = (uint32_t)graph->objects.len;
	struct meta_record record;
	char hex[STORE_PATH_SIZE];
	bool found;

	TRY(meta_find(graph->store, lid, &found, &record));
	add_object(graph, OBJECT_LAYER, lid)->read = true;
	put_name(&graph->names, found ? 'L' : 'U', lid, index);
	if (!found)
		return NULL;
	if (record.meta.has_diff_id)
		add_diff(graph, &record.meta.diff_id, index);
	if (record.meta.has_blob)
		lead(graph, index,
		     graph_find(&graph->names, 'B',
				store_hex_path("", &record.meta.blob.digest, hex)));
	return NULL;
}

/* ---- what has come since ---- */

/* The object of this name, plus one: one that was not there when everything was read is found now, and
 * stays whatever happens, as nobody knows yet all that keeps it. 0: it is not in the store. */
static struct err *seek(struct graph *graph, char kind, const char *name, uint32_t *ret)
{
	char path[STORE_PATH_SIZE];
	struct stat st;

	*ret = graph_find(&graph->names, kind, name);
	if (*ret || !graph->loaded || kind == 'D')
		return NULL;
	snprintf(path, sizeof(path), "%s/%.64s", kind == 'L' ? "layers" : "blobs/sha256", name);
	if (fstatat(graph->store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? NULL : err_sys("look at %s", path);
	if (kind == 'L')
		TRY(load_layer(graph, name));
	else
		add_object(graph, OBJECT_BLOB, name)->bytes = (uint64_t)st.st_blocks * BLOCK;
	vec_last(&graph->objects)->fresh = true;
	*ret = (uint32_t)graph->objects.len;
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
static struct err *lead_from_value(struct graph *graph, uint32_t from, json_t *value);

static struct err *lead_from_text(struct graph *graph, uint32_t from, char kind, json_t *text)
{
	const char *digest = json_is_string(text) ? json_string_value(text) : "";
	uint32_t at;

	if (!str_starts(str_of(digest), "sha256:") || strlen(digest) != strlen("sha256:") + 64)
		return NULL;
	TRY(seek(graph, kind, digest + strlen("sha256:"), &at));
	while (at) {
		lead(graph, from, at);
		at = kind == 'D' ? graph->objects.at[at - 1].next_of_diff : 0;
	}
	return NULL;
}

static struct err *lead_from_object(struct graph *graph, uint32_t from, json_t *object)
{
	const char *key;
	json_t *member;

	json_object_foreach(object, key, member)
	{
		size_t i;
		json_t *element;

		if (strcmp(key, "digest") == 0)
			TRY(lead_from_text(graph, from, 'B', member));
		else if (strcmp(key, "diff_ids") == 0)
			json_array_foreach(member, i, element)
				TRY(lead_from_text(graph, from, 'D', element));
		else
			TRY(lead_from_value(graph, from, member));
	}
	return NULL;
}

/* Recursion is bounded by JSON_MAX_DEPTH. */
static struct err *lead_from_value(struct graph *graph, uint32_t from, json_t *value)
{
	size_t i;
	json_t *element;

	if (json_is_object(value))
		TRY(lead_from_object(graph, from, value));
	json_array_foreach(value, i, element) TRY(lead_from_value(graph, from, element));
	return NULL;
}

/* Whether a blob is a document; layers are large or begin otherwise. */
static struct err *open_document(struct graph *graph, const char *path, bool *ret, struct buf *text)
{
	AUTO(fd)
	int fd =
		openat(graph->store->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char first = 0;

	*ret = false;
	if (fd < 0)
		return errno == ENOENT ? NULL : err_sys("open %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys("look at %s", path);
	if (!S_ISREG(st.st_mode))
		return err_note(err_new(ERR_CORRUPT, "%s is not a regular file", path),
				"'cairn check --repair' takes it away");
	if (st.st_size == 0 || st.st_size > (off_t)IMAGE_DOCUMENT_MAX)
		return NULL;
	if (pread(fd, &first, 1, 0) < 0)
		return err_sys("read %s", path);
	if (first != '{')
		return NULL;
	*ret = true;
	return file_read_fd(fd, path, IMAGE_DOCUMENT_MAX, text);
}

/* Somebody will miss what a document leads to that cannot be read. */
static void complain(const struct graph *graph, const struct object *object, const char *what)
{
	if (graph->named)
		log_warn("blob sha256:%s of image '%.255s' is damaged (%s): what it leads to may "
			 "go. Pull or build the image again",
			 object->name, graph->named, what);
	else
		log_debug("blob sha256:%s keeps nothing: %s", object->name, what);
}

static bool has_digest(struct str text, const char *hex)
{
	AUTO(hasher) struct hasher *h = hasher_new();
	AUTO(err) struct err *err = NULL;
	char own[STORE_PATH_SIZE];
	struct digest digest;

	hasher_update(h, text.at, text.len);
	err = hasher_finish(h, &digest);
	return !err && strcmp(store_hex_path("", &digest, own), hex) == 0;
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
	if (err)
		complain(graph, &graph->objects.at[index], err_text(err));
	else if (!has_digest(buf_str(&text), graph->objects.at[index].name))
		complain(graph, &graph->objects.at[index], "it has other bytes than its name says");
	return err ? NULL : lead_from_value(graph, index, doc);
}

struct err *graph_read_rest(struct graph *graph)
{
	graph->named = NULL;
	for (uint32_t i = 0; i < graph->objects.len; i++)
		if (!graph->objects.at[i].read)
			TRY(read_blob(graph, i));
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

/* The object that a holder keeps, plus one. What a name leads to must be a document. */
static struct err *find_kept(struct graph *graph, const struct holder_found *found, uint32_t *ret)
{
	*ret = 0;
	graph->named = found->kind == HOLDER_NAME ? found->name : NULL;
	if (!found->keeps[0])
		return NULL;
	TRY(seek(graph, found->keeps[0], found->keeps + 1, ret));
	if (!*ret && graph->named)
		log_warn("blob sha256:%s of image '%.255s' is not in the store: pull or build the "
			 "image again",
			 found->keeps + 1, graph->named);
	return NULL;
}

/* The holder keeps these layers, too. */
static struct err *hold_layers(struct graph *graph, struct holder *holder,
			       const struct strings *lids)
{
	vec_foreach (lids, lid) {
		uint32_t at;

		TRY(seek(graph, 'L', *lid, &at));
		if (at)
			TRY(hold(graph, holder, at - 1));
	}
	return NULL;
}

struct err *graph_add_holder(struct graph *graph, const struct holder_found *found)
{
	const uint32_t index = (uint32_t)graph->holders.len;
	struct holder *holder;
	void *before = map_get(&graph->known, str_of(found->path));
	uint32_t kept;

	TRY(find_kept(graph, found, &kept));
	if (before) {
		graph_drop(graph, &graph->holders.at[(uintptr_t)before - 1]);
		graph->holders.at[(uintptr_t)before - 1].replaced = true;
	}
	map_put(&graph->known, str_of(found->path), (void *)(uintptr_t)(index + 1));
	holder = vec_add(&graph->holders);
	holder->kind = found->kind;
	holder->path = xstrdup(found->path);
	holder->inode = found->st.st_ino;
	holder->used = found->st.st_mtim;
	holder->changed = found->st.st_ctim;
	holder->settled = found->settled;
	holder->bytes = (uint64_t)found->st.st_blocks * BLOCK;
	graph->stamp++;
	graph->read++;
	if (kept)
		TRY(hold(graph, holder, kept - 1));
	return found->layers ? hold_layers(graph, holder, found->layers) : NULL;
}

bool graph_knows(const struct graph *graph, const char *path, ino_t inode,
		 const struct timespec *changed)
{
	uintptr_t at = (uintptr_t)map_get(&graph->known, str_of(path));
	const struct holder *holder = at ? &graph->holders.at[at - 1] : NULL;

	return holder && holder->inode == inode &&
	       (!changed || (holder->settled && changed->tv_sec == holder->changed.tv_sec &&
			     changed->tv_nsec == holder->changed.tv_nsec));
}

struct err *graph_load(struct store *store, struct graph *graph)
{
	graph->store = store;
	graph_learn_clock(graph);
	TRY(load_blobs(graph));
	TRY(load_layers(graph));
	graph->loaded = true;
	TRY(graph_load_shelves(graph));
	return graph_load_caches(graph);
}

/* ---- what has changed ---- */

/* The pins of one living process. Without them nothing can be deleted. */
static struct err *read_pins(struct graph *graph, const char *path)
{
	AUTO(buf) struct buf text = BUF_INIT(LEASE_MAX);
	struct str rest;
	struct err *err = file_read(graph->store->root_fd, path, LEASE_MAX, &text);

	if (err_kind(err) == ERR_NOT_FOUND) { /* it has ended meanwhile */
		err_free(err);
		return NULL;
	}
	TRY(err_wrap(err, "what a running process uses"));
	rest = buf_str(&text);
	while (memchr(rest.at, '\n', rest.len)) {
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
		if (store_is_gone(graph->store, path))
			continue; /* it would be made */
		TRY(lock_try_file(graph->store->root_fd, path, LOCK_EXCLUSIVE, &lock, &dead));
		if (dead)
			continue;
		snprintf(path, sizeof(path), "T %.64s", *id);
		map_put(&graph->pins, str_of(path), graph);
		snprintf(path, sizeof(path), "leases/%.64s", *id);
		TRY(read_pins(graph, path));
	}
	return NULL;
}

bool graph_process_lives(const struct graph *graph, const char *lease)
{
	AUTO(mem) char *line = xasprintf("T %.64s", lease);

	return map_has(&graph->pins, str_of(line));
}

/* What a living process uses keeps what it leads to: who has pinned a manifest reads its layers. */
static struct err *spread_pins(struct graph *graph)
{
	struct holder user = { .kind = HOLDER_NAME };
	struct err *err = NULL;
	VEC(uint32_t) used = { 0 };

	graph->named = NULL;
	map_foreach (&graph->pins, pin) {
		uint32_t at = 0;

		if (pin->key[0] == 'L' || pin->key[0] == 'B')
			err = seek(graph, pin->key[0], pin->key + 2, &at);
		if (err)
			break;
		if (at)
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

struct err *graph_prepare(struct graph *graph)
{
	for (unsigned turn = 0; turn < PREPARE_TURNS; turn++) {
		const uint32_t before = graph->read;

		TRY(graph_load_shelves(graph));
		if (graph->read - before < FEW)
			break;
	}
	return NULL;
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
	const uint32_t at = graph_find(&graph->names, 'N', strrchr(image->path, '/') + 1);

	return at && !graph->holders.at[at - 1].dropped;
}

/* ---- going ---- */

void graph_order(const struct graph *graph, uint32_t *ret)
{
	const size_t count = graph->objects.len;
	AUTO(mem) uint32_t *above = xcalloc(count + 1, sizeof(*above));
	AUTO(mem) bool *placed = xcalloc(count + 1, sizeof(*placed));
	size_t len = 0;

	vec_foreach (&graph->objects, object)
		vec_foreach (&object->leads_to, below)
			above[*below]++;
	for (uint32_t i = 0; i < count; i++)
		if (!above[i])
			ret[len++] = i;
	for (size_t next = 0; next < len; next++) {
		placed[ret[next]] = true;
		vec_foreach (&graph->objects.at[ret[next]].leads_to, below)
			if (!--above[*below])
				ret[len++] = *below;
	}
	for (uint32_t i = 0; i < count; i++)
		if (!placed[i]) /* in a ring, as only a forged record of a layer makes one */
			ret[len++] = i;
}

bool graph_object_goes(const struct graph *graph, const struct object *object)
{
	return !object->holders && !object->gone && !object->fresh &&
	       !graph_object_in_use(graph, object);
}

bool graph_is_dropped(const struct graph *graph, const char *path)
{
	const uintptr_t at = (uintptr_t)map_get(&graph->known, str_of(path));

	return at && graph->holders.at[at - 1].dropped;
}

struct err *graph_rubbish_in(struct graph *graph, const char *dir, uint64_t *bytes)
{
	AUTO(strings) struct strings names = { 0 };

	TRY(file_list(graph->store->root_fd, dir, &names));
	vec_foreach (&names, name) {
		AUTO(mem) char *path = xasprintf("%s/%s", dir, *name);

		if (!graph_process_lives(graph, *name))
			TRY(usage_add(&graph->usage, graph->store->root_fd, path, bytes));
	}
	return NULL;
}

struct err *graph_rubbish(struct graph *graph, uint64_t *ret)
{
	*ret = 0;
	TRY(graph_rubbish_in(graph, "trash", ret));
	TRY(graph_rubbish_in(graph, "tmp", ret));
	return graph_rubbish_in(graph, "leases", ret);
}
