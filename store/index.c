/* store/index.c - see store/index-private.h. */

#include "store/index-private.h"

#include <stdio.h>

#include "base/err.h"
#include "store/image.h"

#define REF_NAME "org.opencontainers.image.ref.name"

const char *index_familiar(const char *name)
{
	static const char *const prefixes[] = { "docker.io/library/", "docker.io/" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_starts(str_of(name), prefixes[i]) && name[strlen(prefixes[i])])
			return name + strlen(prefixes[i]);
	return name;
}

/* A ref under the name by which it is listed. */
struct entry {
	const char *name;      /* borrowed from `ref` */
	const struct ref *ref; /* borrowed */
};

static int compare(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : strcmp(left->ref->name, right->ref->name);
}

/* Append a JSON string. The names that refs have are UTF-8 without control characters. */
static void add_string(struct buf *buf, const char *text)
{
	buf_addc(buf, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_addc(buf, '\\');
		buf_addc(buf, *text);
	}
	buf_addc(buf, '"');
}

static void add_entry(struct buf *buf, const struct entry *entry)
{
	const struct descriptor *target = &entry->ref->target;
	char digest[DIGEST_TEXT_SIZE];

	buf_adds(buf, "\n{\"mediaType\":");
	add_string(buf, target->media_type);
	buf_addf(buf, ",\"digest\":\"%s\",\"size\":%ju,\"annotations\":{\"" REF_NAME "\":",
		 digest_format(&target->digest, digest), (uintmax_t)target->size);
	add_string(buf, entry->name);
	buf_adds(buf, "}}");
}

void index_format(const struct ref_list *refs, struct buf *buf)
{
	AUTO(mem) struct entry *entries = xcalloc(refs->len, sizeof(*entries));
	const char *before = "";

	for (size_t i = 0; i < refs->len; i++)
		entries[i] = (struct entry){ index_familiar(refs->at[i].name), &refs->at[i] };
	qsort(entries, refs->len, sizeof(*entries), compare);
	buf_adds(buf, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[");
	for (size_t i = 0; i < refs->len; i++) {
		bool taken = strcmp(entries[i].name, before) == 0;

		before = entries[i].name;
		if (taken)
			entries[i].name = entries[i].ref->name;
		if (i)
			buf_addc(buf, ',');
		add_entry(buf, &entries[i]);
	}
	buf_adds(buf, "]}\n");
}
