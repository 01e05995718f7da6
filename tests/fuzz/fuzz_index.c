/*
 * tests/fuzz/fuzz_index.c - a change that is put into the view gives the view that is made anew.
 *
 * Lines of the input are names of images; the first is a media type for some of them.
 * The name in the last line comes, goes, or points elsewhere. Afterwards the view
 * is JSON and lists exactly the refs that there are. (With "!" in front, the input is
 * somebody else's text, which must be read without harm.)
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/vec.h"
#include "store/index-private.h"
#include "store/ref-private.h"

#define SIZE_CEILING ((size_t)1 << 22)
#define INPUT_MAX ((size_t)4096)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool law)
{
	if (!law)
		abort();
}

static bool is_name(const char *name)
{
	char path[REF_PATH_SIZE];
	struct err *err = ref_path(name, path);
	bool good = !err;

	err_free(err);
	return good;
}

/* The ref that is listed as `familiar`, or NULL. */
static struct ref *find(const struct ref_list *list, const char *familiar)
{
	vec_foreach (list, ref)
		if (strcmp(index_familiar(ref->name), familiar) == 0)
			return ref;
	return NULL;
}

/* Something to point at, different for every number. */
static struct descriptor target_of(unsigned number, struct str media_type)
{
	struct descriptor d = { .size = (uint64_t)number * 1000003 };
	bool printable = number % 2 && media_type.len > 0 && media_type.len < sizeof(d.media_type);

	for (size_t i = 0; i < media_type.len; i++)
		printable = printable && media_type.at[i] >= ' ' && media_type.at[i] <= '~';
	memset(d.digest.bytes, (int)(number & 0xff), sizeof(d.digest.bytes));
	memcpy(d.media_type, printable ? media_type.at : "a/b", printable ? media_type.len : 3);
	return d;
}

/* As a user of JSON reads it: one entry for each ref, and no other. */
static void check_view(struct str text, const struct ref_list *refs)
{
	AUTO(json) json_t *doc = NULL;
	const json_t *entries, *entry;
	size_t i;

	check(json_parse(text, SIZE_CEILING, "index.json", &doc) == NULL);
	entries = json_object_get(doc, "manifests");
	check(json_array_size(entries) == refs->len);
	json_array_foreach(entries, i, entry)
	{
		const json_t *annotations = json_object_get(entry, "annotations");
		const char *name = json_string_value(
			json_object_get(annotations, "org.opencontainers.image.ref.name"));
		const char *type = json_string_value(json_object_get(entry, "mediaType"));
		const char *digest = json_string_value(json_object_get(entry, "digest"));
		char want[DIGEST_TEXT_SIZE];
		const struct ref *ref;

		check(name && type && digest);
		ref = find(refs, name);
		check(ref && strcmp(type, ref->target.media_type) == 0);
		check(strcmp(digest_format(&ref->target.digest, want), digest) == 0);
		check((uint64_t)json_integer_value(json_object_get(entry, "size")) ==
		      ref->target.size);
	}
}

/* Let `name` point at `target` or, if that is NULL, at nothing. */
static void change(struct ref_list *list, const char *name, const struct descriptor *target)
{
	struct ref *ref = find(list, index_familiar(name));

	if (target && ref) {
		ref->target = *target;
	} else if (target) {
		vec_push(list, (struct ref){ .name = xstrdup(name), .target = *target });
	} else if (ref) {
		free(ref->name);
		check(list->at && list->len > 0);
		*ref = list->at[--list->len];
	}
}

static void fuzz_change(struct str input)
{
	const struct str media_type = str_cut(&input, '\n');
	AUTO(ref_list) struct ref_list list = { 0 };
	AUTO(buf) struct buf before = BUF_INIT(SIZE_CEILING);
	AUTO(buf) struct buf after = BUF_INIT(SIZE_CEILING);
	AUTO(buf) struct buf anew = BUF_INIT(SIZE_CEILING);
	AUTO(mem) char *last = xstrdup("");
	struct descriptor target;
	unsigned number = 0;
	const struct ref *there;
	bool sets;

	while (input.len) {
		struct str line = str_cut(&input, '\n');

		free(last);
		last = xmemdup(line.at, line.len);
		target = target_of(++number, media_type);
		if (is_name(last) && input.len && !find(&list, index_familiar(last)))
			change(&list, last, &target);
	}
	there = find(&list, index_familiar(last));
	/* The splice is not asked about a name that looks like another one. */
	if (!is_name(last) || (there && strcmp(there->name, last) != 0))
		return;
	index_format(&list, &before);
	check_view(buf_str(&before), &list);
	target = target_of(++number, media_type);
	sets = number % 3 > 0;
	check(index_splice(buf_str(&before), index_familiar(last), sets ? &target : NULL, &after));
	change(&list, last, sets ? &target : NULL);
	check_view(buf_str(&after), &list);
	index_format(&list, &anew);
	check(str_equal(buf_str(&after), buf_str(&anew)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	AUTO(buf) struct buf after = BUF_INIT(SIZE_CEILING);
	const struct descriptor target = { .media_type = "a/b" };

	if (size == 0 || size > INPUT_MAX)
		return 0;
	if (input.at[0] != '!')
		fuzz_change(input);
	else
		(void)index_splice((struct str){ input.at + 1, size - 1 }, "name", &target, &after);
	return 0;
}
