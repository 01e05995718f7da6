/* builder/lock_file.c - see builder/lock_file.h. */

#include "builder/lock_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "builder/build.h"
#include "builder/context.h"
#include "builder/plan-private.h"
#include "builder/source_lock.h"

/* Where a lock lies. */
struct place {
	int dir_fd; /* owned; -1: nowhere */
	char *file; /* owned; its name there */
	bool fetched;
};

static void place_auto_(struct place *place)
{
	if (place->dir_fd >= 0)
		close(place->dir_fd);
	free(place->file);
}

/* The directory of a Recipe that was found, and `*ret_path` its path there. */
static struct err *open_root(const struct build_opts *opts, const struct context *context,
			     int *ret_fd)
{
	if (context && context->fd >= 0 && !opts->recipe) {
		*ret_fd = fcntl(context->fd, F_DUPFD_CLOEXEC, 3);
		return *ret_fd < 0 ? err_sys("open the build context") : NULL;
	}
	return file_open_dir(AT_FDCWD, opts->recipe || !opts->context ? "." : opts->context,
			     ret_fd);
}

static struct err *find_place(const struct build_opts *opts, const struct context *context,
			      const char *name, struct place *ret)
{
	const char *slash = strrchr(name, '/');
	AUTO(mem) char *dir = slash ? xmemdup(name, (size_t)(slash + 1 - name)) : xstrdup(".");
	AUTO(fd) int root_fd = -1;

	ret->fetched = context && context->fd >= 0 && !opts->recipe;
	if (opts->recipe && strcmp(opts->recipe, "-") == 0)
		return NULL;
	TRY(open_root(opts, context, &root_fd));
	TRY(file_open(root_fd, dir, O_RDONLY | O_DIRECTORY, 0,
		      opts->recipe ? FILE_ANYWHERE : FILE_BENEATH, &ret->dir_fd));
	ret->file = xasprintf("%s.lock", slash ? slash + 1 : name);
	return NULL;
}

/* `*ret` stays NULL if there is none. */
static struct err *read_lock(const struct place *place, const char *name, struct source_lock **ret)
{
	AUTO(buf) struct buf text = BUF_INIT(SOURCE_LOCK_MAX + 1);
	AUTO(mem) char *shown = xasprintf("%s.lock", name);
	AUTO(fd) int fd = -1;
	struct err *err = file_open(place->dir_fd, place->file, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
				    place->fetched ? FILE_BENEATH : FILE_ANYWHERE, &fd);

	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err);
		return NULL;
	}
	TRY(err);
	TRY(file_read_fd(fd, shown, SOURCE_LOCK_MAX, &text));
	return source_lock_parse(shown, buf_str(&text), ret);
}

static struct err *nowhere(const struct build_opts *opts, const struct place *place)
{
	const char *why = place->fetched ? "it is part of a context that was fetched" :
					   "it is no file beside which a lock could lie";

	if (opts->lock_wish == LOCK_USE || (opts->lock_wish == LOCK_REQUIRE && place->fetched))
		return NULL;
	if (opts->lock_wish == LOCK_REQUIRE)
		return err_new(ERR_NOT_FOUND, "the Recipe has no lock, and --locked is given: %s",
			       why);
	return err_new(ERR_USAGE, "the Recipe cannot be locked: %s", why);
}

struct err *lock_file_open(const struct build_opts *opts, const struct context *context,
			   const char *name, struct source_lock **ret)
{
	AUTO(place) struct place place = { .dir_fd = -1 };
	AUTO(source_lock) struct source_lock *lock = NULL;

	TRY(find_place(opts, context, name, &place));
	if (place.dir_fd < 0 || place.fetched)
		TRY(nowhere(opts, &place));
	if (place.dir_fd < 0 || opts->lock_wish == LOCK_UPDATE || opts->lock_wish == LOCK_ONLY)
		return NULL;
	TRY(read_lock(&place, name, &lock));
	if (!lock && opts->lock_wish == LOCK_REQUIRE)
		return err_note(
			err_new(ERR_NOT_FOUND, "there is no %s.lock, and --locked is given", name),
			"'cairn lock' or build --update-lock writes it");
	if (lock && opts->lock_wish == LOCK_REQUIRE)
		source_lock_require(lock);
	*ret = STEAL(lock);
	return NULL;
}

/* ---- what plans use ---- */

typedef struct err *take_source(void *self, enum locked_kind kind, const char *source,
				const char *value);

static struct err *visit_adds(const struct plan_step *step, take_source *take, void *self)
{
	char text[DIGEST_TEXT_SIZE];

	vec_foreach (&step->copy.adds, add) {
		if (!add->source)
			continue;
		TRY(add->kind == ADD_GIT ?
			    take(self, LOCKED_GIT, add->source, add->commit) :
			    take(self, LOCKED_URL, add->source, digest_format(&add->digest, text)));
	}
	return NULL;
}

static struct err *visit(const struct plan *plan, take_source *take, void *self)
{
	char text[DIGEST_TEXT_SIZE];

	vec_foreach (&plan->images, image) {
		AUTO(mem) char *source = source_lock_image((*image)->name);

		if (source)
			TRY(take(self, LOCKED_IMAGE, source,
				 digest_format(&(*image)->target.digest, text)));
	}
	vec_foreach (&plan->steps, step)
		TRY(visit_adds(*step, take, self));
	return NULL;
}

static struct err *tell_missing(void *self, enum locked_kind kind, const char *source,
				const char *value)
{
	const struct source_lock *lock = self;

	if (!source_lock_has(lock, kind, source))
		log_info("%s is not in %s, and is %s now; 'cairn lock' adds it", source,
			 source_lock_name(lock), value);
	return NULL;
}

void lock_file_tell(const struct build_opts *opts, struct plan *const *plans, size_t count)
{
	for (size_t i = 0; opts->lock && i < count; i++)
		err_free(visit(plans[i], tell_missing, opts->lock)); /* it never is one */
}

/* ---- writing ---- */

static struct err *add(void *self, enum locked_kind kind, const char *source, const char *value)
{
	return source_lock_add(self, kind, source, value);
}

struct err *lock_file_write(const struct build_opts *opts, const char *name,
			    struct plan *const *plans, size_t count)
{
	AUTO(mem) char *shown = xasprintf("%s.lock", name);
	AUTO(source_lock) struct source_lock *lock = source_lock_new(shown);
	AUTO(buf) struct buf text = BUF_INIT(SOURCE_LOCK_MAX);
	AUTO(place) struct place place = { .dir_fd = -1 };
	struct err *err;

	for (size_t i = 0; i < count; i++)
		TRY(visit(plans[i], add, lock));
	source_lock_format(lock, &text);
	TRY(buf_check(&text, shown));
	TRY(find_place(opts, NULL, name, &place));
	err = file_replace(place.dir_fd, place.file, buf_str(&text),
			   0666 & ~(mode_t)opts->user_umask, FILE_DURABLE);
	return err_wrap(err, "write %s", shown);
}
