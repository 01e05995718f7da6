/* builder/add.c - see builder/add.h. */

#include "builder/add.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/stream.h"
#include "base/untar.h"
#include "base/ustar.h"
#include "builder/copy.h"
#include "builder/landing.h"
#include "builder/plan.h"
#include "builder/tarball.h"
#include "builder/tree.h"
#include "overlay/unpack.h"
#include "store/blob.h"
#include "store/layer.h"

#define WEB_MODE 0600 /* of a file that came by http */

struct adding {
	const struct add_site *site;
	const struct plan_copy *copy;
	const struct copy_opts *opts;
};

/* ---- archives ---- */

/* What lies below the directory; an empty one if nothing does. `*ret_own` is to be closed. */
static struct err *below(const struct adding *a, const struct landing *place, int *ret_own,
			 int *ret)
{
	*ret = place->below_fd;
	if (*ret >= 0)
		return NULL;
	TRY(layer_scratch(a->site->store, ret_own));
	*ret = *ret_own;
	return NULL;
}

/* Unpack into the destination; --chmod is not for it. */
static struct err *add_archive(const struct adding *a, struct source *tar, uint64_t packed)
{
	const struct tar_limits limits = unpack_limits(packed);
	struct copy_opts plain = *a->opts;
	struct unpack_opts how = { .plain = true,
				   .merge = true,
				   .limits = &limits,
				   .give_owner = plain.given_owner,
				   .uid = plain.uid,
				   .gid = plain.gid };
	AUTO(landing) struct landing place = LANDING_INIT;
	AUTO(fd) int nothing_fd = -1;
	struct unpack_result result;

	plain.chmod = (struct chmod_spec){ 0 };
	TRY(copy_enter(&plain, a->site->below_fd, a->site->fs_fd, &place));
	TRY(below(a, &place, &nothing_fd, &how.below_fd));
	TRY(unpack(tar, place.upper_fd, &how, &result));
	return landing_leave(&place);
}

/* ---- sources ---- */

static struct err *size_of(int fd, const char *name, uint64_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys("look at '%s'", name);
	*ret = (uint64_t)st.st_size;
	return NULL;
}

/* What is in a file, if it is an archive: one without an entry is a file like others, and so is what
 * merely looks compressed. `*ret` is NULL otherwise. */
static struct err *open_archive(int fd, const char *name, struct source **ret)
{
	AUTO(fd) int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	AUTO(source) struct source *plain = NULL;
	enum tarball_kind kind;
	struct source *whole;
	struct ustar block;
	struct str head;
	struct err *err;

	*ret = NULL;
	if (own < 0)
		return err_sys("open '%s' again", name);
	err = tarball_open(source_from_fd(STEAL_FD(own), name), &kind, &plain);
	if (err_kind(err) == ERR_CORRUPT || err_kind(err) == ERR_INVALID) {
		err_free(err);
		return NULL;
	}
	TRY(err);
	if (kind != TARBALL_TAR)
		return NULL;
	TRY(source_peek(STEAL(plain), sizeof(block), &head, &whole));
	memcpy(&block, head.at, sizeof(block));
	if (ustar_is_zero(&block))
		source_free(whole);
	else
		*ret = whole;
	return NULL;
}

/* Unpack a file if it is an archive: `*ret_done`. */
static struct err *try_archive(const struct adding *a, int fd, const char *name, bool *ret_done)
{
	AUTO(source) struct source *tar = NULL;
	uint64_t size = 0;

	TRY(open_archive(fd, name, &tar));
	*ret_done = tar;
	if (!tar)
		return NULL;
	TRY(size_of(fd, name, &size));
	return err_wrap(add_archive(a, tar, size), "unpack '%s'", name);
}

static struct err *try_local_archive(const struct adding *a, const struct tree_node *node,
				     bool *ret_done)
{
	const struct tree *tree = a->copy->from.context->tree;
	AUTO(mem) char *path = tree_path(node);
	AUTO(fd) int fd = -1;

	TRY(tree_open_node(tree, node, &fd));
	TRY(try_archive(a, fd, path, ret_done));
	return *ret_done ? tree_expect_unchanged(node, fd) : NULL;
}

static struct err *add_local(const struct adding *a, const struct plan_add *add)
{
	vec_foreach (&add->selection, item) {
		const struct selection one = { .at = item, .len = 1 };
		bool done = false;

		if (add->unpack && S_ISREG(item->node->mode))
			TRY(try_local_archive(a, item->node, &done));
		if (!done)
			TRY(copy_run(a->copy->from.context->tree, &one, a->opts, a->site->below_fd,
				     a->site->fs_fd));
	}
	return NULL;
}

static struct err *add_web(const struct adding *a, const struct plan_add *add)
{
	struct copy_file file = {
		.name = add->name, .fd = -1, .mode = WEB_MODE, .mtime = { .tv_sec = add->time }
	};
	AUTO(fd) int fd = -1;
	bool done = false;

	TRY(blob_open(a->site->store, &add->digest, &fd, &file.size));
	if (add->unpack)
		TRY(try_archive(a, fd, add->name, &done));
	if (done)
		return NULL;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys("rewind '%s'", add->name);
	file.fd = fd;
	return copy_file_from(&file, a->opts, a->site->below_fd, a->site->fs_fd);
}

static struct err *add_git(const struct adding *a, const struct plan_add *add)
{
	const struct strings *excludes = a->copy->excludes.len ? &a->copy->excludes : NULL;
	AUTO(selection) struct selection selection = { .excludes = excludes };
	AUTO(tree) struct tree *tree = NULL;
	int fd;

	TRY(git_source_open(a->site->git, &add->git, add->commit, add->keep_git_dir, &fd));
	TRY(tree_open(fd, NULL, NULL, &tree));
	TRY(selection_add(&selection, tree, "/", "the repository"));
	TRY(selection_load(&selection, tree, a->opts->pool));
	return copy_run(tree, &selection, a->opts, a->site->below_fd, a->site->fs_fd);
}

static struct err *add_one(const struct adding *a, const struct plan_add *add)
{
	switch (add->kind) {
	case ADD_LOCAL:
		return add_local(a, add);
	case ADD_WEB:
		return err_wrap(add_web(a, add), "add '%s'", add->name);
	case ADD_GIT:
		break;
	}
	return add_git(a, add);
}

/* How many files and directories are put into the destination. */
static size_t count(const struct plan_copy *copy)
{
	size_t sum = copy->texts.len;

	vec_foreach (&copy->adds, add)
		sum += add->kind == ADD_LOCAL ? add->selection.len : 1;
	return sum;
}

struct err *add_run(const struct add_site *site, const struct plan_copy *copy,
		    struct copy_opts *opts)
{
	const struct adding adding = { site, copy, opts };

	opts->dest_is_dir = opts->dest_is_dir || count(copy) > 1;
	vec_foreach (&copy->adds, add)
		TRY(add_one(&adding, add));
	vec_foreach (&copy->texts, text)
		TRY(copy_text(text->name, str_of(text->content), opts, site->below_fd,
			      site->fs_fd));
	return NULL;
}
