/*
 * builder/ignore.c - rules as literals and as small automata.
 *
 * Most rules are plain paths: they live in a map, and a path is looked up with
 * each of its parents. The others are walked along the path once, all places
 * in the pattern at the same time; wherever a name of the path ends, a place at
 * the end of the pattern means that the path or one of its parents matches.
 *
 * The elements of a pattern, after the translation that patternmatcher does:
 *
 *	*           any run without '/'          ?, [set]   one character but '/'
 *	** / at the end: anything                ** elsewhere: nothing, or any run that ends in '/'
 *
 * Only `**name` at the start of an otherwise plain pattern is any run at all.
 */

#include "builder/ignore.h"

#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "builder/glob.h"

/* Elements that are no characters; above everything utf8_next() gives. */
enum {
	ANY_ONE = 0x200000,
	ANY_RUN, /* without '/' */
	ANYTHING,
	DEEP,             /* the place before an optional run that ends in '/' ... */
	DEEP_RUN,         /* ... and the place inside it */
	SET = 0x40000000, /* plus where it begins in the pattern */
};

struct rule {
	char *pattern; /* clean, without `!` */
	unsigned line;
	bool exception;
	uint32_t *elements; /* NULL for a plain path */
	size_t len;
};

struct ignore {
	VEC(struct rule) rules;
	VEC(size_t) patterns; /* the rules that are no plain path */
	struct map paths;     /* plain path -> size_t, the index plus one of its last rule */
	bool exceptions;
};

struct ignore *ignore_new(void)
{
	return xcalloc(1, sizeof(struct ignore));
}

void ignore_free(struct ignore *ignore)
{
	if (!ignore)
		return;
	vec_foreach (&ignore->rules, rule) {
		free(rule->pattern);
		free(rule->elements);
	}
	vec_release(&ignore->rules);
	vec_release(&ignore->patterns);
	map_release(&ignore->paths, free);
	free(ignore);
}

bool ignore_is_empty(const struct ignore *ignore)
{
	return ignore->rules.len == 0;
}

bool ignore_has_exceptions(const struct ignore *ignore)
{
	return ignore->exceptions;
}

/* ---- parsing ---- */

static struct str skip(struct str s, size_t count)
{
	return (struct str){ s.at + count, s.len - count };
}

/* Drop the last name of `path`, which is not empty. */
static void drop_name(struct buf *path)
{
	while (path->len > 0 && path->at[path->len - 1] != '/')
		path->len--;
	path->len -= path->len > 0;
}

/* The path without empty names and ".", with ".." taken back where that is possible; relative.
 * "." for nothing at all. */
static char *clean_path(struct str path)
{
	AUTO(buf) struct buf clean = BUF_INIT(IGNORE_MAX);
	bool rooted = str_starts(path, "/");
	size_t names = 0; /* that ".." can take back */

	while (path.at) {
		struct str name = str_cut(&path, '/');
		bool up = str_is(name, "..");

		if (name.len == 0 || str_is(name, ".") || (up && rooted && names == 0))
			continue;
		if (up && names > 0) {
			drop_name(&clean);
			names--;
			continue;
		}
		if (clean.len > 0)
			buf_addc(&clean, '/');
		buf_add_str(&clean, name);
		names += !up;
	}
	if (clean.len == 0)
		buf_addc(&clean, '.');
	return str_dup(buf_str(&clean));
}

/* True if a pattern holds nothing special but a leading `**`. */
static bool is_plain(struct str pattern)
{
	for (size_t i = 0; i < pattern.len; i++)
		if (strchr("*?[]\\", pattern.at[i]) && pattern.at[i])
			return false;
	return true;
}

/* At `**`, which is consumed with the '/' behind it. */
static void compile_deep(struct rule *rule, struct str *rest, bool first)
{
	bool slash;

	*rest = skip(*rest, 2);
	slash = str_starts(*rest, "/");
	*rest = skip(*rest, slash);
	if (rest->len == 0 || (first && !slash && is_plain(*rest))) {
		rule->elements[rule->len++] = ANYTHING;
	} else {
		rule->elements[rule->len++] = DEEP;
		rule->elements[rule->len++] = DEEP_RUN;
	}
}

/* Turn a pattern, which has passed glob_check(), into elements: at most one for each byte. */
static void compile(struct rule *rule)
{
	struct str whole = str_of(rule->pattern);
	struct str rest = whole;

	rule->elements = xcalloc(whole.len, sizeof(*rule->elements));
	while (rest.len > 0) {
		uint32_t c;
		size_t len = utf8_next(rest, &c);
		bool unused;

		if (str_starts(rest, "**")) {
			compile_deep(rule, &rest, rest.at == whole.at);
			continue;
		}
		if (c == '*') {
			c = ANY_RUN;
		} else if (c == '?') {
			c = ANY_ONE;
		} else if (c == '[') {
			c = SET + (uint32_t)(rest.at - whole.at);
			len = glob_match_set(rest, 0, &unused);
		} else if (c == '\\') {
			rest = skip(rest, 1);
			len = utf8_next(rest, &c);
		}
		rule->elements[rule->len++] = c;
		rest = skip(rest, len);
	}
}

/* Add the pattern of a line, without blanks around it and not empty. */
static struct err *add_rule(struct ignore *ignore, struct str pattern, unsigned line)
{
	struct rule rule = { .line = line, .exception = str_starts(pattern, "!") };
	AUTO(mem) char *clean = NULL;

	if (rule.exception)
		pattern = utf8_trim(skip(pattern, 1));
	if (pattern.len == 0)
		return err_new(ERR_INVALID, "a ! needs a pattern behind it");
	clean = clean_path(pattern);
	TRY(glob_check(str_of(clean)));
	rule.pattern = STEAL(clean);
	ignore->exceptions = ignore->exceptions || rule.exception;
	if (is_plain(str_of(rule.pattern))) {
		size_t number = ignore->rules.len + 1;

		free(map_put(&ignore->paths, str_of(rule.pattern),
			     xmemdup(&number, sizeof(number))));
	} else {
		compile(&rule);
		vec_push(&ignore->patterns, ignore->rules.len);
	}
	vec_push(&ignore->rules, rule);
	return NULL;
}

struct err *ignore_add(struct ignore *ignore, struct str pattern)
{
	pattern = utf8_trim(pattern);
	if (pattern.len == 0)
		return NULL;
	return add_rule(ignore, pattern, (unsigned)ignore->rules.len + 1);
}

struct err *ignore_parse(const char *name, struct str bytes, struct ignore **ret)
{
	AUTO(ignore) struct ignore *ignore = ignore_new();

	if (bytes.len > IGNORE_MAX)
		return err_new(ERR_INVALID, "%s is larger than %zu bytes", name, IGNORE_MAX);
	if (str_starts(bytes, "\xef\xbb\xbf"))
		bytes = skip(bytes, 3);
	for (unsigned number = 1; bytes.at; number++) {
		struct str line = str_cut(&bytes, '\n');
		struct str pattern = utf8_trim(line);

		if (pattern.len == 0 || str_starts(line, "#"))
			continue;
		TRY(err_wrap(add_rule(ignore, pattern, number), "%s:%u", name, number));
	}
	*ret = STEAL(ignore);
	return NULL;
}

/* ---- matching ---- */

#define PLACES_ON_STACK 256

/* The places in a pattern that are reached: `now[i]` means that the elements before i are done. */
struct walk {
	const struct rule *rule;
	bool *now, *next;
	bool *heap;
	bool stack[2 * PLACES_ON_STACK];
};

/* Follow what needs no character. */
static void settle(struct walk *walk)
{
	for (size_t i = 0; i < walk->rule->len; i++) {
		uint32_t element = walk->rule->elements[i];

		if (!walk->now[i])
			continue;
		if (element == ANY_RUN || element == ANYTHING || element == DEEP)
			walk->now[i + 1] = true;
		if (element == DEEP)
			walk->now[i + 2] = true;
	}
}

static void walk_init(struct walk *walk, const struct rule *rule)
{
	size_t places = rule->len + 1;

	*walk = (struct walk){ .rule = rule };
	if (places > PLACES_ON_STACK)
		walk->heap = xcalloc(2 * places, sizeof(bool));
	walk->now = walk->heap ? walk->heap : walk->stack;
	walk->next = walk->now + places;
	walk->now[0] = true;
	settle(walk);
}

static void walk_auto_(struct walk *walk)
{
	free(walk->heap);
}

/* True if the element takes `c` and is done with it. */
static bool takes(const struct rule *rule, uint32_t element, uint32_t c)
{
	bool matches = false;

	if (element < ANY_ONE)
		return element == c;
	if (element == ANY_ONE)
		return c != '/';
	if (element == DEEP_RUN)
		return c == '/';
	if (element >= SET)
		glob_match_set(str_of(rule->pattern + (element - SET)), c, &matches);
	return matches;
}

/* Take one character. False if no place is left. */
static bool walk_step(struct walk *walk, uint32_t c)
{
	const struct rule *rule = walk->rule;
	bool *next = walk->next;
	bool alive = false;

	memset(next, 0, rule->len + 1);
	for (size_t i = 0; i < rule->len; i++) {
		uint32_t element = rule->elements[i];

		if (!walk->now[i])
			continue;
		if (element == ANYTHING || element == DEEP_RUN || (element == ANY_RUN && c != '/'))
			alive = next[i] = true;
		if (takes(rule, element, c))
			alive = next[i + 1] = true;
	}
	walk->next = walk->now;
	walk->now = next;
	settle(walk);
	return alive;
}

static bool is_done(const struct walk *walk)
{
	return walk->now[walk->rule->len];
}

/* True if the pattern of `rule` matches `path` or a directory above it. */
static bool rule_matches(const struct rule *rule, struct str path)
{
	AUTO(walk) struct walk walk;
	bool alive = true;

	walk_init(&walk, rule);
	while (alive && path.len > 0) {
		uint32_t c;
		size_t len = utf8_next(path, &c);

		if (c == '/' && is_done(&walk))
			return true;
		alive = walk_step(&walk, c);
		path = skip(path, len);
	}
	return alive && is_done(&walk);
}

/* The index plus one of the last rule that matches, 0 if none does. */
static size_t find_rule(const struct ignore *ignore, struct str path)
{
	size_t found = 0;

	for (size_t i = 0; ignore->paths.len > 0 && i <= path.len; i++) {
		const size_t *rule;

		if (i < path.len && path.at[i] != '/')
			continue;
		rule = map_get(&ignore->paths, (struct str){ path.at, i });
		found = rule && *rule > found ? *rule : found;
	}
	for (size_t i = ignore->patterns.len; i-- > 0;) {
		size_t index = ignore->patterns.at[i];

		if (index < found)
			break;
		if (rule_matches(&ignore->rules.at[index], path))
			return index + 1;
	}
	return found;
}

bool ignore_match(const struct ignore *ignore, const char *path, unsigned *ret_line)
{
	struct str text = str_of(path);
	size_t rule = text.len == 0 || str_is(text, ".") ? 0 : find_rule(ignore, text);

	if (ret_line)
		*ret_line = rule ? ignore->rules.at[rule - 1].line : 0;
	return rule && !ignore->rules.at[rule - 1].exception;
}

/* True if the pattern of `rule` could match something below the directory `path`. */
static bool pattern_reaches(const struct rule *rule, struct str path)
{
	AUTO(walk) struct walk walk;
	bool alive = true;

	walk_init(&walk, rule);
	while (alive && path.len > 0) {
		uint32_t c;
		size_t len = utf8_next(path, &c);

		alive = walk_step(&walk, c);
		path = skip(path, len);
	}
	return alive && walk_step(&walk, '/');
}

/* The same for a rule that may be a plain path. */
static bool reaches_below(const struct rule *rule, struct str path)
{
	if (rule->elements)
		return pattern_reaches(rule, path);
	return str_starts(str_of(rule->pattern), path.at) && rule->pattern[path.len] == '/';
}

bool ignore_may_reinclude(const struct ignore *ignore, const char *path)
{
	struct str text = str_of(path);

	if (!ignore->exceptions)
		return false;
	for (size_t i = find_rule(ignore, text); i < ignore->rules.len; i++)
		if (ignore->rules.at[i].exception && reaches_below(&ignore->rules.at[i], text))
			return true;
	return false;
}
