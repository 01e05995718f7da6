/* registry/archive.c - see registry/archive.h. */

#include "registry/archive.h"

#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "registry/docker_load.h"
#include "registry/docker_save.h"
#include "registry/download.h"
#include "registry/layout.h"
#include "registry/members.h"
#include "registry/pack.h"
#include "registry/reference.h"
#include "store/image.h"
#include "store/ref.h"

const char *const archive_format_names[] = { "oci-archive", "oci-dir", "docker-archive", NULL };

/* ---- saving ---- */

struct err *archive_save(struct store *store, enum archive_format format, const char *path,
			 const struct saved_image *images, size_t count)
{
	AUTO(pack) struct pack *pack = NULL;

	if (format == ARCHIVE_OCI_DIR)
		TRY(pack_open_dir(path, &pack));
	else
		TRY(pack_open_tar(path, &pack));
	if (format == ARCHIVE_DOCKER)
		TRY(docker_save(store, images, count, pack));
	else
		TRY(layout_save(store, images, count, pack));
	return pack_commit(pack);
}

/* ---- names of what was loaded ---- */

/* The name of a repository that a path suggests: "images/app-1.0.tar.gz" is "app-1.0". Owned. */
static char *path_stem(const char *path)
{
	static const char *const suffixes[] = { ".gz",  ".zst", ".zstd",       ".tgz",
						".tar", ".oci", ".oci-archive" };
	struct str stem = str_of(path);
	const char *slash;

	while (str_ends(stem, "/"))
		stem.len--;
	slash = stem.len ? memrchr(stem.at, '/', stem.len) : NULL;
	if (slash)
		stem = (struct str){ slash + 1, stem.len - (size_t)(slash + 1 - stem.at) };
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (str_ends(stem, suffixes[i]))
			stem.len -= strlen(suffixes[i]);
	return str_dup(stem);
}

static struct err *nameless(const struct err *why)
{
	struct err *err =
		why ? err_new(ERR_INVALID, "the image has no usable name: %s", err_text(why)) :
		      err_new(ERR_INVALID, "the image has no name");

	return err_note(err, "--name NAME gives it one");
}

/* One name would not do for them. */
static struct err *several_nameless(const struct loaded_list *list)
{
	struct err *err =
		err_new(ERR_INVALID, "there are %zu images, none of which has a name", list->len);

	return err_note(err, "write an archive of each, and load that with --name NAME");
}

/* Make a name canonical. In a layout a name may be only a tag. */
static struct err *settle_name(struct loaded *loaded, const char *path)
{
	AUTO(mem) char *written = STEAL(loaded->name);
	AUTO(mem) char *stem = NULL;
	AUTO(err) struct err *err = NULL;

	if (!written)
		return nameless(NULL);
	if (!strpbrk(written, ":/@")) {
		AUTO(mem) char *tag = STEAL(written);

		stem = path_stem(path);
		written = xasprintf("%s:%s", stem, tag);
	}
	err = reference_normalize(written, &loaded->name);
	return err ? nameless(err) : NULL;
}

static bool all_nameless(const struct loaded_list *list)
{
	vec_foreach (list, loaded)
		if (loaded->name)
			return false;
	return true;
}

/* Of nameless images for several platforms, leave the one for this host. Several of them that suit
 * it alike all stay: no order of the archive chooses between them. */
static void leave_host(struct loaded_list *list)
{
	struct platform host;
	const struct loaded *best = NULL;
	unsigned best_match = 0;
	bool tie = false;

	platform_host(&host);
	vec_foreach (list, loaded) {
		unsigned match = platform_match(&host, &loaded->platform);

		if (match > best_match) {
			best = loaded;
			best_match = match;
			tie = false;
		} else if (best && match == best_match) {
			tie = tie || !digest_equal(&loaded->target.digest, &best->target.digest);
		}
	}
	if (best && !tie) {
		list->at[0] = *best; /* names are NULL: nothing is lost */
		list->len = 1;
	}
}

/* Give the one image that there is the name that the user wants. */
static struct err *rename_only(struct loaded_list *list, const char *name)
{
	vec_foreach (list, loaded)
		if (!digest_equal(&loaded->target.digest, &list->at[0].target.digest))
			return err_new(ERR_INVALID,
				       "there are %zu images: one name is not enough for them",
				       list->len);
	while (list->len > 1)
		free(list->at[--list->len].name);
	free(list->at[0].name);
	list->at[0].name = xstrdup(name);
	return NULL;
}

static inline void set_auto_(struct map *set)
{
	map_release(set, NULL);
}

/* Two names in the archive may be one in the store: leave the first, if they mean the same image. */
static struct err *leave_one_each(struct loaded_list *list)
{
	AUTO(set) struct map seen = MAP_INIT; /* name -> element, which stays where it is */
	size_t count = 0;

	for (size_t i = 0; i < list->len; i++) {
		struct loaded *loaded = &list->at[i];
		const struct loaded *first = map_get(&seen, str_of(loaded->name));

		if (first && !digest_equal(&first->target.digest, &loaded->target.digest))
			return err_note(
				err_new(ERR_INVALID, "two images are called '%s'", loaded->name),
				"none of them was given the name");
		if (first) {
			free(loaded->name);
			loaded->name = NULL;
			continue;
		}
		list->at[count] = *loaded;
		if (count != i)
			loaded->name = NULL; /* it has moved */
		map_put(&seen, str_of(list->at[count].name), &list->at[count]);
		count++;
	}
	list->len = count;
	return NULL;
}

static struct err *settle_names(struct loaded_list *list, const char *path, const char *name)
{
	if (list->len == 0)
		return err_new(ERR_NOT_FOUND, "there is no image in it");
	if (list->len > 1 && all_nameless(list))
		leave_host(list);
	if (name)
		return rename_only(list, name);
	if (list->len > 1 && all_nameless(list))
		return several_nameless(list);
	vec_foreach (list, loaded)
		TRY(settle_name(loaded, path));
	return leave_one_each(list);
}

/* ---- loading ---- */

static struct err *load_members(struct store *store, struct members *members, const char *only,
				bool all, struct loaded_list *ret)
{
	if (layout_is(members))
		return layout_load(store, members, only, all, ret);
	if (docker_is_archive(members))
		return docker_load(store, members, only, ret);
	return err_new(ERR_INVALID, "neither an OCI layout nor an archive of docker save is in it");
}

/* With `all`, blobs that the store has are read and judged, too; a layout that is the base of a build is not
 * read through each time. */
static struct err *load_path(struct store *store, const char *path, const char *only, bool all,
			     struct loaded_list *ret)
{
	AUTO(members) struct members *members = NULL;

	TRY(members_open(store, path, &members));
	return err_wrap(load_members(store, members, only, all, ret), "load %s", path);
}

struct err *archive_load_unnamed(struct store *store, const char *path, const char *only, bool all,
				 struct loaded_list *ret)
{
	TRY(load_path(store, path, only, !all, ret));
	if (ret->len == 0)
		return err_new(ERR_NOT_FOUND, "load %s: there is no image in it", path);
	if (!all && ret->len > 1 && all_nameless(ret))
		leave_host(ret);
	return NULL;
}

static struct err *finish(struct store *store, const struct taker *taker,
			  const struct loaded *loaded)
{
	AUTO(image) struct image *image = NULL;

	if (!taker || !taker->finish)
		return NULL;
	TRY(image_open(store, &loaded->target, &loaded->platform, &image));
	return taker->finish(taker->self, image);
}

struct err *archive_load(struct store *store, const char *path, const char *name,
			 const struct taker *taker, struct loaded_list *ret)
{
	AUTO(loaded_list) struct loaded_list list = { 0 };

	TRY(load_path(store, path, NULL, true, &list));
	TRY(err_wrap(settle_names(&list, path, name), "load %s", path));
	vec_foreach (&list, loaded)
		TRY(err_wrap(finish(store, taker, loaded), "load %s: image %s", path,
			     loaded->name));
	vec_foreach (&list, loaded)
		TRY(ref_set(store, loaded->name, &loaded->target));
	*ret = list;
	list = (struct loaded_list){ 0 };
	return NULL;
}

/* ---- one of several ---- */

static struct err *which_one(enum err_kind kind, const char *path, const char *story,
			     const struct loaded_list *list)
{
	struct err *err = err_new(kind, "%s: %s", path, story);

	vec_foreach (list, loaded)
		err = err_note(err, "%s", loaded->name ? loaded->name : "(without a name)");
	return err;
}

struct err *archive_choose(const char *path, const char *name, const struct loaded_list *list,
			   struct descriptor *ret)
{
	const struct loaded *found = NULL;

	vec_foreach (list, loaded) {
		if (name && !loaded_is_called(loaded->name, name))
			continue;
		if (found && !digest_equal(&found->target.digest, &loaded->target.digest))
			return which_one(ERR_INVALID, path,
					 "there is more than one image: say which", list);
		found = loaded;
	}
	if (!found)
		return which_one(ERR_NOT_FOUND, path, "there is no image of that name", list);
	*ret = found->target;
	return NULL;
}

struct err *archive_list(struct store *store, const char *path, struct loaded_list *ret)
{
	AUTO(members) struct members *members = NULL;

	TRY(members_open(store, path, &members));
	if (!layout_is(members))
		return err_new(ERR_UNSUPPORTED, "%s: only an OCI layout has manifests of its own",
			       path);
	return err_wrap(layout_list(store, members, ret), "%s", path);
}
