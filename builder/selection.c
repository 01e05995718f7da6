/* builder/selection.c - see builder/selection.h. */

#include "builder/selection.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/map.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/chmod.h"
#include "builder/glob.h"
#include "builder/ignore.h"
#include "builder/sift.h"

void selection_release(struct selection *selection)
{
	vec_foreach (selection, item) {
		free(item->name);
		sift_free(item->sift);
		vec_release(&item->left_out);
	}
	vec_release(selection);
}

/* The names in a source path, which does not lead above the root. */
static void split_path(struct str path, struct strings *ret)
{
	AUTO(buf) struct buf clean = BUF_INIT(path.len);
	struct str rest;

	(void)!path_add(&clean, path, PATH_STAYS); /* it only gets shorter */
	rest = buf_str(&clean);
	while (rest.len > 0)
		vec_push(ret, str_dup(str_cut(&rest, '/')));
}

struct search {
	struct selection *selection;
	struct tree *tree;
	const struct strings *parts;
	const char *include; /* --parents: what to take of a directory; NULL: everything */
	bool wild;           /* some component is a pattern */
};

static struct err *search_from(const struct search *search, struct tree_node *dir, size_t depth);

/* What to leave out of a directory; NULL if nothing. */
static struct err *make_sift(const struct search *search, struct sift **ret)
{
	const struct strings *excludes = search->selection->excludes;
	AUTO(sift) struct sift *sift = NULL;

	if ((!excludes || excludes->len == 0) && !search->include)
		return NULL;
	sift = sift_new();
	if (search->include)
		TRY(sift_include(sift, search->include));
	for (size_t i = 0; excludes && i < excludes->len; i++)
		TRY(sift_exclude(sift, excludes->at[i]));
	*ret = STEAL(sift);
	return NULL;
}

/* A node that matched the last component: follow it if it is a link, and take it. */
static struct err *take(const struct search *search, struct tree_node *node, const char *name)
{
	AUTO(sift) struct sift *sift = NULL;
	struct tree_node *real = node;

	if (S_ISLNK(node->mode))
		TRY(tree_find(search->tree, node->parent, str_of(node->name), true, &real));
	if (!real) /* a dangling link selects nothing by a pattern, and is missing by name */
		return NULL;
	if (S_ISDIR(real->mode))
		TRY(make_sift(search, &sift));
	else if (search->include) /* there is nothing below the pivot */
		return NULL;
	vec_push(search->selection,
		 (struct selected){ .node = real, .name = xstrdup(name), .sift = STEAL(sift) });
	return NULL;
}

static struct err *match_children(const struct search *search, struct tree_node *dir, size_t depth)
{
	struct str pattern = str_of(search->parts->at[depth]);
	bool last = depth + 1 == search->parts->len;

	TRY(tree_load(search->tree, dir));
	for (size_t i = 0; i < dir->child_count; i++) {
		struct tree_node *child = &dir->children[i];

		if (!glob_match(pattern, str_of(child->name)) || (last && child->excluded))
			continue;
		if (last)
			TRY(take(search, child, child->name));
		else if (S_ISDIR(child->mode))
			TRY(search_from(search, child, depth + 1));
	}
	return NULL;
}

/* Match the components from `depth` on, below `dir`. Recursion is bounded by the path's length. */
static struct err *search_from(const struct search *search, struct tree_node *dir, size_t depth)
{
	AUTO(mem) char *name = NULL;
	struct tree_node *child;

	if (depth == search->parts->len)
		return take(search, dir, dir->name);
	if (glob_is_pattern(str_of(search->parts->at[depth])))
		return match_children(search, dir, depth);
	name = glob_literal(str_of(search->parts->at[depth]));
	TRY(tree_find(search->tree, dir, str_of(name), true, &child));
	if (!child)
		return NULL;
	if (depth + 1 == search->parts->len)
		return take(search, child, name);
	return search_from(search, child, depth + 1);
}

/* The first symbolic link on the way that leads nowhere, with the path to it in `path`. NULL if
 * what is missing is missing itself. */
static struct err *find_dangling(struct tree *tree, struct tree_node *dir,
				 const struct strings *parts, struct buf *path,
				 struct tree_node **ret)
{
	*ret = NULL;
	vec_foreach (parts, part) {
		AUTO(mem) char *name = glob_literal(str_of(*part));
		struct tree_node *node, *real;

		buf_addf(path, "%s%s", path->len ? "/" : "", name);
		TRY(tree_find(tree, dir, str_of(name), false, &node));
		if (!node)
			return NULL;
		TRY(tree_find(tree, dir, str_of(name), true, &real));
		if (!real && S_ISLNK(node->mode))
			*ret = node;
		if (!real)
			return NULL;
		dir = real;
	}
	return NULL;
}

static struct err *dangling(const struct tree_node *node, const char *path, const char *what)
{
	struct err *err =
		err_new(ERR_NOT_FOUND, "'%s' is a symbolic link to '%s', which is not in %s", path,
			node->link, what);

	if (node->link[0] != '/' && strncmp(node->link, "../", 3) != 0)
		return err;
	return err_note(err, "links are followed within %s alone, whose root is '/' to them", what);
}

/* The error of `parts`, which are not below `from`. */
static struct err *missing(struct tree *tree, struct tree_node *from, const struct strings *parts,
			   const char *what)
{
	AUTO(mem) char *above = tree_path(from);
	AUTO(buf) struct buf path = BUF_INIT(SIZE_MAX / 2);
	struct tree_node *link;
	unsigned line = 0;
	struct err *err;

	TRY(find_dangling(tree, from, parts, &path, &link));
	if (link)
		return dangling(link, path.at, what);
	buf_reset(&path);
	buf_adds(&path, above);
	vec_foreach (parts, part)
		buf_addf(&path, "%s%s", path.len ? "/" : "", *part);
	err = err_new(ERR_NOT_FOUND, "'%s' is not in %s", path.at ? path.at : "/", what);
	if (tree->ignore && ignore_match(tree->ignore, buf_str(&path).at, &line))
		err = err_note(err, "it is excluded by line %u of the ignore file", line);
	return err;
}

/* Find `path` in the tree, and take it, or `include` of it. */
static struct err *add_path(struct selection *selection, struct tree *tree, const char *path,
			    const char *include, const char *what)
{
	AUTO(strings) struct strings parts = { 0 };
	struct search search = { selection, tree, &parts, include, false };
	size_t before = selection->len;

	split_path(str_of(path), &parts);
	vec_foreach (&parts, part) {
		if (!glob_is_pattern(str_of(*part)))
			continue;
		TRY(err_wrap(glob_check(str_of(*part)), "source '%s'", path));
		search.wild = true;
	}
	TRY(search_from(&search, &tree->root, 0));
	if (selection->len == before && !search.wild)
		return missing(tree, &tree->root, &parts, what);
	return NULL;
}

/* What --parents takes without wildcards must be there, and no link may lead to it: it would have
 * to be a directory in the one place and a link in the other. */
static struct err *check_below(struct tree *tree, struct tree_node *pivot, const char *include,
			       const char *what)
{
	AUTO(strings) struct strings parts = { 0 };
	struct tree_node *at = pivot;

	split_path(str_of(include), &parts);
	for (size_t i = 0; i < parts.len; i++) {
		struct tree_node *child;

		TRY(tree_find(tree, at, str_of(parts.at[i]), false, &child));
		if (!child)
			return missing(tree, pivot, &parts, what);
		if (S_ISLNK(child->mode) && i + 1 < parts.len)
			return err_note(err_new(ERR_INVALID,
						"'%s' in '%s' is a symbolic link, which --parents "
						"does not follow",
						parts.at[i], include),
					"write '/./' behind it: what is before that is followed, "
					"and left out of the destination");
		at = child;
	}
	return NULL;
}

/* With --parents: "PIVOT/./PATH" or "PATH". */
static struct err *add_with_parents(struct selection *selection, struct tree *tree,
				    const char *source, const char *what)
{
	const char *dot = strstr(source, "/./");
	AUTO(mem) char *pivot = dot ? xmemdup(source, (size_t)(dot - source)) : xstrdup("");
	AUTO(buf) struct buf clean = BUF_INIT(strlen(source));
	size_t before = selection->len;
	const char *include;

	(void)!path_add(&clean, str_of(dot ? dot + 3 : source), PATH_STAYS);
	include = clean.len ? clean.at : "";
	TRY(add_path(selection, tree, pivot, include, what));
	if (glob_is_pattern(str_of(source)))
		return NULL;
	for (size_t i = before; i < selection->len; i++)
		TRY(check_below(tree, selection->at[i].node, include, what));
	return NULL;
}

struct err *selection_add(struct selection *selection, struct tree *tree, const char *pattern,
			  const char *what)
{
	if (selection->parents)
		return add_with_parents(selection, tree, pattern, what);
	return add_path(selection, tree, pattern, NULL, what);
}

/* ---- what a sift leaves out ---- */

static int compare_addresses(const void *a, const void *b)
{
	const struct tree_node *x = *(const struct tree_node *const *)a;
	const struct tree_node *y = *(const struct tree_node *const *)b;

	return (x > y) - (x < y);
}

bool selected_shows(const struct selected *selected, const struct tree_node *node)
{
	if (!node->visible)
		return false;
	return selected->left_out.len == 0 ||
	       !bsearch(&node, selected->left_out.at, selected->left_out.len, sizeof(node),
			compare_addresses);
}

/* Note what of a directory is left out; true if anything is not. `path` is that of the directory
 * for the sift. */
static bool sift_dir(struct selected *selected, const struct tree_node *dir, const char *path)
{
	bool some = false;

	for (size_t i = 0; i < dir->child_count; i++) {
		const struct tree_node *child = &dir->children[i];
		AUTO(mem) char *full = NULL;
		enum sift_answer answer;
		bool shows;

		if (!child->visible)
			continue;
		full = xasprintf("%s%s%s", path, path[0] ? "/" : "", child->name);
		answer = sift_ask(selected->sift, full);
		shows = answer == SIFT_IN && !child->excluded;
		if (answer != SIFT_OUT && S_ISDIR(child->mode))
			shows = sift_dir(selected, child, full) || shows;
		if (!shows)
			vec_push(&selected->left_out, child);
		some = some || shows;
	}
	return some;
}

/* Work out what goes along of a directory that is loaded. */
static void sift_selected(struct selected *selected)
{
	if (!selected->sift || selected->left_out.len)
		return;
	sift_dir(selected, selected->node, "");
	if (selected->left_out.len)
		qsort(selected->left_out.at, selected->left_out.len, sizeof(*selected->left_out.at),
		      compare_addresses);
}

static struct err *load(struct selected *selected, struct tree *tree, bool hash, struct pool *pool)
{
	TRY(tree_load_all(tree, selected->node, selected->sift, hash, pool));
	sift_selected(selected);
	return NULL;
}

/* ---- the digest ---- */

/* The digest of one source in the making. */
struct digesting {
	struct hasher *hasher;
	const struct selected *selected;
	const struct chmod_spec *chmod; /* NULL: none */
	bool owners;
	struct map links; /* "dev:ino" of what has several names -> number of the first, owned */
	uint64_t count;   /* nodes so far */
};

static void digesting_auto_(struct digesting *d)
{
	map_release(&d->links, free);
}

/* The number of the node that a copy would link this one to; 0 if it is the first of its names. */
static uint64_t first_name(struct digesting *d, const struct tree_node *node)
{
	char key[48];
	uint64_t *number;

	d->count++;
	if (node->nlink < 2 || S_ISDIR(node->mode))
		return 0;
	snprintf(key, sizeof(key), "%ju:%ju", (uintmax_t)node->dev, (uintmax_t)node->ino);
	number = map_get(&d->links, str_of(key));
	if (number)
		return *number;
	number = xcalloc(1, sizeof(*number));
	*number = d->count;
	map_put(&d->links, str_of(key), number);
	return 0;
}

/* Type and mode of the copy: of what --chmod decides the source's mode says nothing. */
static uint32_t copied_mode(const struct digesting *d, const struct tree_node *node)
{
	if (!d->chmod || !d->chmod->given || S_ISLNK(node->mode))
		return node->mode;
	return (node->mode & S_IFMT) | chmod_apply(d->chmod, node->mode);
}

static void digest_head(struct digesting *d, const struct tree_node *node, const char *name)
{
	char text[128];
	int len =
		snprintf(text, sizeof(text), "%o %" PRIu32 " %" PRIu32 " %" PRIu64 " %" PRIu64 " ",
			 copied_mode(d, node), d->owners ? node->uid : 0, d->owners ? node->gid : 0,
			 S_ISCHR(node->mode) || S_ISBLK(node->mode) ? (uint64_t)node->rdev : 0,
			 first_name(d, node));

	hasher_update(d->hasher, text, (size_t)len);
	hasher_update(d->hasher, name, strlen(name) + 1);
	if (S_ISREG(node->mode) || S_ISDIR(node->mode))
		hasher_update(d->hasher, node->digest.bytes, sizeof(node->digest.bytes));
	if (S_ISLNK(node->mode))
		hasher_update(d->hasher, node->link, strlen(node->link) + 1);
}

/* What is in a directory, in order; an empty name closes it. */
static void digest_children(struct digesting *d, const struct tree_node *dir)
{
	for (size_t i = 0; i < dir->child_count; i++) {
		const struct tree_node *child = &dir->children[i];

		if (!selected_shows(d->selected, child))
			continue;
		digest_head(d, child, child->name);
		if (S_ISDIR(child->mode))
			digest_children(d, child);
	}
	hasher_update(d->hasher, "", 1);
}

/* A directory stands for its contents: its own metadata goes nowhere. */
static struct err *digest_one(struct selected *item, struct tree *tree, struct pool *pool,
			      struct digesting *d)
{
	if (S_ISDIR(item->node->mode)) {
		TRY(load(item, tree, true, pool));
		hasher_update(d->hasher, "/", 2);
		digest_children(d, item->node);
		return NULL;
	}
	if (S_ISREG(item->node->mode))
		TRY(tree_hash(tree, item->node));
	digest_head(d, item->node, item->name);
	return NULL;
}

struct err *selection_digest(struct selection *selection, struct tree *tree, bool owners,
			     struct pool *pool, struct hasher *h)
{
	vec_foreach (selection, item) {
		AUTO(digesting)
		struct digesting d = {
			.hasher = h, .selected = item, .chmod = selection->chmod, .owners = owners
		};

		TRY(digest_one(item, tree, pool, &d));
	}
	return NULL;
}

struct err *selection_load(struct selection *selection, struct tree *tree, struct pool *pool)
{
	vec_foreach (selection, item)
		TRY(load(item, tree, false, pool));
	return NULL;
}
