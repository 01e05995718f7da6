/*
 * tests/fuzz/fuzz_cache_entry.c - an entry of a cache, the facts in a config, the value of an option.
 *
 * Laws: an entry that is taken is one of the key, with a layer that can be, and is read again from what
 * is written of it as the same; a fact that is taken is one of a layer that the image has. A
 * cache that is taken has a name, and a scope that makes a tag. The first byte chooses.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "registry/cache_entry.h"
#include "store/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct cache_entry *entry)
{
	assert(entry->created.tv_sec >= 0 && entry->duration <= CACHE_DURATION_MAX);
	if (entry->has_layer)
		assert(entry->blob.size > 0 && entry->blob.size <= CACHE_LAYER_MAX);
}

static void fuzz_entry(struct str text)
{
	static const struct descriptor config = { .media_type = MEDIA_OCI_CONFIG, .size = 2 };
	struct cache_entry entry, again;
	AUTO(mem) char *once = NULL;
	AUTO(mem) char *twice = NULL;
	struct digest key;

	memset(key.bytes, 0xaa, sizeof(key.bytes));
	AUTO(err) struct err *err = cache_entry_parse(text, &key, &entry);

	if (err)
		return;
	check_entry(&entry);
	assert(digest_equal(&entry.key, &key));
	once = cache_entry_format(&entry, &config);
	err = cache_entry_parse(str_of(once), &key, &again);
	assert(!err);
	twice = cache_entry_format(&again, &config);
	assert(strcmp(once, twice) == 0);
}

static void fuzz_facts(struct str text)
{
	struct image_layer layers[3] = { 0 };
	struct image image = { .layers = layers };
	struct cache_entries facts = { 0 };
	AUTO(json) json_t *doc = NULL;
	AUTO(err) struct err *err = json_parse(text, JSON_MAX, "config", &doc);
	struct json_at root;

	if (err)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(layers); i++)
		layers[i].blob.size = i + 1;
	root = json_root(doc, "config");
	for (image.layer_count = 0; image.layer_count <= 3; image.layer_count++) {
		facts.len = 0;
		err_free(cache_inline_parse(&root, &image, &facts));
		vec_foreach (&facts, fact) {
			check_entry(fact);
			assert(!fact->has_layer || fact->blob.size <= image.layer_count);
		}
	}
	vec_release(&facts);
}

static void fuzz_spec(enum cache_way way, struct str bytes)
{
	AUTO(mem) char *text = str_dup(bytes);
	AUTO(cache_specs) struct cache_specs specs = { 0 };
	AUTO(err) struct err *err = cache_specs_add(&specs, way, text);

	if (err)
		assert(specs.len == 0);
	vec_foreach (&specs, spec) {
		assert(spec->name && spec->scope && strlen(spec->scope) <= CACHE_SCOPE_MAX);
		assert(spec->scope[0] != '.' && spec->scope[0] != '-' && !strchr(spec->scope, '/'));
		assert(spec->kind != CACHE_LOCAL || (spec->dir && spec->dir[0]));
		assert(spec->kind != CACHE_REGISTRY || (spec->ref.path[0] && !spec->ref.digest[0]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data + 1, size - 1 };

	if (size == 0)
		return 0;
	if (data[0] == 'f')
		fuzz_facts(rest);
	else if (data[0] == '<' || data[0] == '>')
		fuzz_spec(data[0] == '<' ? CACHE_FROM : CACHE_TO, rest);
	else
		fuzz_entry((struct str){ (const char *)data, size });
	return 0;
}
