/* cli/index_view.c - see cli/index_view.h. */

#include "cli/index_view.h"

#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"
#include "registry/index.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void add_line(struct table *table, const char *name, const char *value)
{
	table_cell(table, name);
	table_cell(table, value);
}

static void add_annotations(struct table *table, const json_t *object, const char *title)
{
	json_t *annotations = json_object_get(object, "annotations");
	const char *key;
	json_t *value;

	json_object_foreach(annotations, key, value)
	{
		AUTO(mem) char *line = xasprintf("%s=%s", key, text_of(annotations, key));

		(void)value;
		add_line(table, title, line);
		title = "";
	}
}

void index_view_print(const char *name, const struct descriptor *target, const json_t *index)
{
	AUTO(table) struct table table = { .columns = 2 };
	char digest[DIGEST_TEXT_SIZE];
	json_t *entry;
	size_t i;

	add_line(&table, "Index", name);
	add_line(&table, "Digest", digest_format(&target->digest, digest));
	add_line(&table, "Media type", target->media_type);
	add_annotations(&table, index, "Annotations");
	json_array_foreach(json_object_get(index, "manifests"), i, entry)
	{
		AUTO(mem) char *platform = index_entry_platform(entry);
		json_int_t size = json_integer_value(json_object_get(entry, "size"));
		char text[TEXT_SIZE_MAX];

		table_cell(&table, platform[0] ? platform : "no platform");
		table_cellf(&table, "%s  %s", text_of(entry, "digest"),
			    text_size(size > 0 ? (uint64_t)size : 0, text));
		add_annotations(&table, entry, "");
	}
	table_print(&table);
}

json_t *index_view_describe(const char *name, const struct descriptor *target, const json_t *index)
{
	json_t *object = json_object(), *list = json_array(), *entry;
	char digest[DIGEST_TEXT_SIZE];
	size_t i;

	json_set_text(object, "name", name);
	json_set_text(object, "digest", digest_format(&target->digest, digest));
	json_set_text(object, "mediaType", target->media_type);
	json_set(object, "size", json_integer((json_int_t)target->size));
	json_array_foreach(json_object_get(index, "manifests"), i, entry)
	{
		AUTO(mem) char *platform = index_entry_platform(entry);
		json_t *copy = json_deep_copy(entry);

		json_set_text(copy, "platform", platform);
		json_push(list, copy);
	}
	json_set(object, "manifests", list);
	json_set(object, "index", json_deep_copy(index));
	return object;
}
