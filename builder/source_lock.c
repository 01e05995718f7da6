/* builder/source_lock.c - see builder/source_lock.h. */

#include "builder/source_lock.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/vec.h"
#include "builder/git_url.h"
#include "registry/reference.h"

#define MAGIC "cairn-lock "
#define VERSION "1"
#define REMEDY "'cairn lock' or build --update-lock writes it anew"

static const char *const kinds[] = { "git", "image", "url" };

struct locked {
	enum locked_kind kind;
	char *source, *value; /* owned */
};

struct source_lock {
	char *name;
	bool required;
	VEC(struct locked) entries;
};

struct source_lock *source_lock_new(const char *name)
{
	struct source_lock *lock = xcalloc(1, sizeof(*lock));

	lock->name = xstrdup(name);
	return lock;
}

void source_lock_free(struct source_lock *lock)
{
	if (!lock)
		return;
	vec_foreach (&lock->entries, entry) {
		free(entry->source);
		free(entry->value);
	}
	vec_release(&lock->entries);
	free(lock->name);
	free(lock);
}

const char *source_lock_name(const struct source_lock *lock)
{
	return lock->name;
}

void source_lock_require(struct source_lock *lock)
{
	lock->required = true;
}

static const struct locked *find(const struct source_lock *lock, enum locked_kind kind,
				 const char *source)
{
	vec_foreach (&lock->entries, entry)
		if (entry->kind == kind && strcmp(entry->source, source) == 0)
			return entry;
	return NULL;
}

bool source_lock_has(const struct source_lock *lock, enum locked_kind kind, const char *source)
{
	return find(lock, kind, source) != NULL;
}

/* ---- what a line may hold ---- */

static bool is_source(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f)
			return false;
	return text.len > 0;
}

static bool is_value(enum locked_kind kind, const char *text)
{
	struct digest digest;
	AUTO(err) struct err *err = NULL;

	if (kind == LOCKED_GIT)
		return git_is_commit(text);
	err = digest_parse(text, &digest);
	return !err;
}

struct err *source_lock_add(struct source_lock *lock, enum locked_kind kind, const char *source,
			    const char *value)
{
	const struct locked *known = find(lock, kind, source);

	if (known && strcmp(known->value, value) == 0)
		return NULL;
	if (known)
		return err_new(ERR_INVALID, "%s '%.300s' is %s and %s: it cannot be locked",
			       kinds[kind], source, known->value, value);
	if (!is_source(str_of(source)) || !is_value(kind, value))
		return err_new(ERR_INVALID, "%s '%.300s' cannot be locked", kinds[kind], source);
	vec_push(&lock->entries, (struct locked){ kind, xstrdup(source), xstrdup(value) });
	return NULL;
}

/* ---- reading ---- */

static struct err *parse_line(struct source_lock *lock, struct str line)
{
	AUTO(mem) char *value = NULL;
	AUTO(mem) char *source = NULL;
	struct str rest = line;
	const struct str word = str_cut(&rest, ' ');
	size_t kind = 0;

	while (kind < ARRAY_SIZE(kinds) && !str_is(word, kinds[kind]))
		kind++;
	if (kind == ARRAY_SIZE(kinds))
		return err_new(ERR_INVALID, "'%.*s' is none of git, image, url",
			       (int)(word.len < 40 ? word.len : 40), word.at);
	value = rest.at ? str_dup(str_cut(&rest, ' ')) : xstrdup("");
	if (!is_value((enum locked_kind)kind, value))
		return err_new(ERR_INVALID, "'%.80s' is no %s", value,
			       kind == LOCKED_GIT ? "commit" : "digest");
	if (!rest.at || !is_source(rest))
		return err_new(ERR_INVALID, "there is no name of a source in it");
	source = str_dup(rest);
	if (find(lock, (enum locked_kind)kind, source))
		return err_new(ERR_INVALID, "'%.200s' is there twice", source);
	return source_lock_add(lock, (enum locked_kind)kind, source, value);
}

static struct err *parse_version(struct str line)
{
	if (str_is(line, MAGIC VERSION))
		return NULL;
	if (!str_starts(line, MAGIC))
		return err_new(ERR_INVALID, "line 1: it is no lock of a Recipe");
	return err_new(ERR_UNSUPPORTED, "line 1: version '%.*s' is not known, only " VERSION,
		       (int)(line.len < 40 ? line.len : 40) - (int)strlen(MAGIC),
		       line.at + strlen(MAGIC));
}

static struct err *parse_lines(struct source_lock *lock, struct str text)
{
	struct str rest = text;

	if (text.len == 0 || text.at[text.len - 1] != '\n' || memchr(text.at, '\0', text.len))
		return err_new(ERR_INVALID, "it is not whole");
	TRY(parse_version(str_cut(&rest, '\n')));
	for (unsigned number = 2; rest.len > 0; number++)
		TRY(err_wrap(parse_line(lock, str_cut(&rest, '\n')), "line %u", number));
	return NULL;
}

struct err *source_lock_parse(const char *name, struct str text, struct source_lock **ret)
{
	AUTO(source_lock) struct source_lock *lock = source_lock_new(name);
	struct err *err = parse_lines(lock, text);

	if (err)
		return err_note(err_wrap(err, "%s", name), REMEDY);
	*ret = STEAL(lock);
	return NULL;
}

/* ---- writing ---- */

static int compare(const void *a, const void *b)
{
	const struct locked *one = *(const struct locked *const *)a;
	const struct locked *other = *(const struct locked *const *)b;

	if (one->kind != other->kind)
		return one->kind < other->kind ? -1 : 1;
	return strcmp(one->source, other->source);
}

void source_lock_format(const struct source_lock *lock, struct buf *ret)
{
	const size_t count = lock->entries.len;
	AUTO(mem) const struct locked **sorted = xcalloc(count + 1, sizeof(struct locked *));

	for (size_t i = 0; i < count; i++)
		sorted[i] = &lock->entries.at[i];
	qsort(sorted, count, sizeof(struct locked *), compare);
	buf_adds(ret, MAGIC VERSION "\n");
	for (size_t i = 0; i < count; i++)
		buf_addf(ret, "%s %s %s\n", kinds[sorted[i]->kind], sorted[i]->value,
			 sorted[i]->source);
}

/* ---- asking ---- */

struct err *source_lock_find(const struct source_lock *lock, enum locked_kind kind,
			     const char *source, const char **ret)
{
	const struct locked *known = lock ? find(lock, kind, source) : NULL;

	*ret = known ? known->value : NULL;
	if (known || !lock || !lock->required)
		return NULL;
	return err_note(err_new(ERR_NOT_FOUND, "%s '%.300s' is not in %s, and --locked is given",
				kinds[kind], source, lock->name),
			"'cairn lock' or build --update-lock adds it");
}

char *source_lock_image(const char *name)
{
	struct reference ref;
	AUTO(err) struct err *err = reference_parse(name, &ref);

	return err || ref.digest[0] ? NULL : reference_canonical(&ref);
}

char *source_lock_git(const struct git_url *url)
{
	if ((url->ref && git_is_commit(url->ref)) ||
	    (!url->ref && url->checksum && git_is_commit(url->checksum)))
		return NULL;
	return xasprintf("%s#%s", url->remote, url->ref ? url->ref : "HEAD");
}
