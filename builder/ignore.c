/*
 * builder/ignore.c - rules as plain paths, as lists of names, and as small automata.
 *
 * Many rules are plain paths: where there are more than a few, they live in a
 * map, and a path is looked up with each of its parents. A pattern whose `**`
 * stand alone between slashes is a list of segments, each for one name; the
 * segments that can be next are the bits of one word. The rest (`a**b`) are
 * walked along the path character by character, all places in the pattern at
 * the same time. Whichever way: as soon as a name of the path ends and the
 * pattern does too, the path or one of its parents matches.
 *
 * What the elements of the third kind mean, as patternmatcher translates them:
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
#include "base/path.h"
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

/* How a segment is compared with a name. */
enum segment_kind {
	SEGMENT_DEEP,   /* `**`: any number of names, but at least one at the end */
	SEGMENT_ANY,    /* `*` */
	SEGMENT_NAME,   /* no special character */
	SEGMENT_PREFIX, /* name* */
	SEGMENT_SUFFIX, /* *name */
	SEGMENT_GLOB,
};

struct segment {
	enum segment_kind kind;
	struct str text; /* the name, or the pattern of SEGMENT_GLOB; part of the rule's */
};

#define SEGMENTS_MAX 63 /* places before and behind them are bits of a word */
#define FEW_PATHS 32    /* plain paths that are quicker compared than looked up */

struct rule {
	char *pattern; /* clean, without `!` */
	unsigned line;
	bool exception;
	/* A plain path has neither of them, a pattern one. */
	struct segment *segments;
	uint32_t *elements;
	size_t len; /* of the segments or the elements */
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
		free(rule->segments);
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

/* The clean path, relative; "." for nothing at all. Blanks that a slash had kept at an end go, too,
 * which may leave "". */
static char *clean_path(struct str path)
{
	AUTO(buf) struct buf clean = BUF_INIT(IGNORE_MAX);

	(void)!path_add(&clean, path, str_starts(path, "/") ? PATH_STAYS : PATH_KEPT);
	return clean.len > 0 ? str_dup(utf8_trim(buf_str(&clean))) : xstrdup(".");
}

/* True if a pattern holds nothing special but a leading `**`. */
static bool is_plain(struct str pattern)
{
	for (size_t i = 0; i < pattern.len; i++)
		if (strchr("*?[]\\", pattern.at[i]) && pattern.at[i])
			return false;
	return true;
}

/* What one name of a pattern is; `*` and `**` alone are their own. */
static struct segment make_segment(struct str text)
{
	struct str rest = text;

	if (str_is(text, "**"))
		return (struct segment){ SEGMENT_DEEP, text };
	if (str_is(text, "*"))
		return (struct segment){ SEGMENT_ANY, text };
	if (is_plain(text))
		return (struct segment){ SEGMENT_NAME, text };
	rest.len--;
	if (text.at[rest.len] == '*' && is_plain(rest))
		return (struct segment){ SEGMENT_PREFIX, rest };
	if (text.at[0] == '*' && is_plain(skip(text, 1)))
		return (struct segment){ SEGMENT_SUFFIX, skip(text, 1) };
	return (struct segment){ SEGMENT_GLOB, text };
}

/* True if `**` stands in `text` together with anything else. */
static bool has_glued_deep(struct str text)
{
	return text.len > 2 && memmem(text.at, text.len, "**", 2);
}

/* Cut a pattern, which has passed glob_check(), into segments. False if it has too many, or if it
 * has to be walked character by character. A '/' in a set or behind an escape makes a segment
 * that is no pattern. */
static bool cut_segments(struct rule *rule)
{
	struct segment segments[SEGMENTS_MAX];
	struct str rest = str_of(rule->pattern);
	size_t len = 0;

	while (rest.at) {
		struct str text = str_cut(&rest, '/');
		struct segment segment;
		AUTO(err) struct err *err = NULL;

		if (len == SEGMENTS_MAX || has_glued_deep(text))
			return false;
		err = glob_check(text);
		if (err)
			return false;
		segment = make_segment(text);
		/* a second `**` in a row adds nothing */
		if (len > 0 && segment.kind == SEGMENT_DEEP &&
		    segments[len - 1].kind == SEGMENT_DEEP)
			continue;
		segments[len++] = segment;
	}
	rule->segments = xcalloc(len, sizeof(*segments));
	memcpy(rule->segments, segments, len * sizeof(*segments));
	rule->len = len;
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
	if (pattern.len > 0)
		clean = clean_path(pattern);
	if (!clean || (!clean[0] && rule.exception))
		return err_new(ERR_INVALID, "a ! needs a pattern behind it");
	if (!clean[0])
		return NULL;
	TRY(glob_check(str_of(clean)));
	rule.pattern = STEAL(clean);
	ignore->exceptions = ignore->exceptions || rule.exception;
	if (is_plain(str_of(rule.pattern))) {
		size_t number = ignore->rules.len + 1;

		free(map_put(&ignore->paths, str_of(rule.pattern),
			     xmemdup(&number, sizeof(number))));
	} else {
		if (!cut_segments(&rule))
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

char *ignore_pattern(const struct ignore *ignore, unsigned line)
{
	vec_foreach (&ignore->rules, rule)
		if (rule->line == line)
			return xasprintf("%s%s", rule->exception ? "!" : "", rule->pattern);
	return NULL;
}

/* ---- segments ---- */

static bool segment_matches(const struct segment *segment, struct str name)
{
	struct str text = segment->text;

	switch (segment->kind) {
	case SEGMENT_DEEP:
	case SEGMENT_ANY:
		return true;
	case SEGMENT_NAME:
		return str_equal(name, text);
	case SEGMENT_PREFIX:
		return name.len >= text.len && memcmp(name.at, text.at, text.len) == 0;
	case SEGMENT_SUFFIX:
		return name.len >= text.len &&
		       memcmp(name.at + name.len - text.len, text.at, text.len) == 0;
	case SEGMENT_GLOB:
		break;
	}
	return glob_match(text, name);
}

/* The places behind the segments in `places` that take `name`; bit i is before segment i. */
static uint64_t take_name(const struct rule *rule, uint64_t places, struct str name)
{
	uint64_t next = 0;

	for (; places; places &= places - 1) {
		unsigned i = (unsigned)__builtin_ctzll(places);
		const struct segment *segment = &rule->segments[i];

		if (!segment_matches(segment, name))
			continue;
		/* `**` may take more, and what follows it may come; at the end it is done */
		if (segment->kind == SEGMENT_DEEP)
			next |= UINT64_C(1) << i;
		if (segment->kind != SEGMENT_DEEP || i + 1 == rule->len)
			next |= UINT64_C(1) << (i + 1);
	}
	return next;
}

/* Add the places behind a `**` that takes nothing. Two never stand in a row. */
static uint64_t skip_deep(const struct rule *rule, uint64_t places)
{
	uint64_t ret = places;

	for (; places; places &= places - 1) {
		unsigned i = (unsigned)__builtin_ctzll(places);

		if (i + 1 < rule->len && rule->segments[i].kind == SEGMENT_DEEP)
			ret |= UINT64_C(1) << (i + 1);
	}
	return ret;
}

/* Walk all names of `path`. True if the pattern ends behind one of them; else `*ret_open` tells
 * whether more names could complete it. */
static bool segments_match(const struct rule *rule, struct str path, bool *ret_open)
{
	uint64_t places = skip_deep(rule, 1);

	while (places && path.at) {
		places = take_name(rule, places, str_cut(&path, '/'));
		if (places >> rule->len & 1)
			return true;
		places = skip_deep(rule, places);
	}
	*ret_open = places != 0;
	return false;
}

/* ---- elements ---- */

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

/* As segments_match(). */
static bool elements_match(const struct rule *rule, struct str path, bool *ret_open)
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
	if (alive && is_done(&walk))
		return true;
	*ret_open = alive && walk_step(&walk, '/');
	return false;
}

/* ---- rules ---- */

/* As segments_match(). */
static bool path_matches(const struct rule *rule, struct str path, bool *ret_open)
{
	struct str own = str_of(rule->pattern);
	size_t common = own.len < path.len ? own.len : path.len;

	*ret_open = false;
	if (memcmp(own.at, path.at, common) != 0)
		return false;
	*ret_open = own.len > path.len && own.at[path.len] == '/';
	return own.len == path.len || (own.len < path.len && path.at[own.len] == '/');
}

static bool rule_matches(const struct rule *rule, struct str path, bool *ret_open)
{
	if (rule->segments)
		return segments_match(rule, path, ret_open);
	if (rule->elements)
		return elements_match(rule, path, ret_open);
	return path_matches(rule, path, ret_open);
}

/* The last of the plain paths that is `path` or above it, as index plus one; 0 for none. */
static size_t look_up(const struct ignore *ignore, struct str path)
{
	size_t found = 0;

	for (size_t i = 0; i <= path.len; i++) {
		const size_t *rule;

		if (i < path.len && path.at[i] != '/')
			continue;
		rule = map_get(&ignore->paths, (struct str){ path.at, i });
		found = rule && *rule > found ? *rule : found;
	}
	return found;
}

/* The index plus one of the last rule that matches, 0 if none does. */
static size_t find_rule(const struct ignore *ignore, struct str path)
{
	size_t found;
	bool unused;

	if (ignore->paths.len <= FEW_PATHS) {
		found = ignore->rules.len;
		while (found > 0 && !rule_matches(&ignore->rules.at[found - 1], path, &unused))
			found--;
		return found;
	}
	found = look_up(ignore, path);
	for (size_t i = ignore->patterns.len; i-- > 0;) {
		size_t index = ignore->patterns.at[i];

		if (index < found)
			break;
		if (rule_matches(&ignore->rules.at[index], path, &unused))
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

bool ignore_may_reinclude(const struct ignore *ignore, const char *path)
{
	struct str text = str_of(path);

	if (!ignore->exceptions)
		return false;
	for (size_t i = find_rule(ignore, text); i < ignore->rules.len; i++) {
		const struct rule *rule = &ignore->rules.at[i];
		bool open = false;

		if (rule->exception && !rule_matches(rule, text, &open) && open)
			return true;
	}
	return false;
}
