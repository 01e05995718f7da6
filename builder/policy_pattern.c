/* builder/policy_pattern.c - see builder/policy_pattern.h. */

#include "builder/policy_pattern.h"

#include <regex.h>
#include <string.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

#define GROUPS_MAX 10    /* "$0" to "$9" */
#define STARS_MAX 9      /* each is a group */
#define REPEATS_MAX 1000 /* of counted repetitions, all multiplied: regcomp() writes them out */
#define RESULT_MAX ((size_t)16 * 1024)

struct policy_pattern {
	enum policy_match match;
	char *text;
	bool compiled;
	regex_t regex; /* of POLICY_REGEX, if `compiled` */
};

/* What fitted: [0] is the whole, the rest the groups; `at` NULL: it took no part. */
struct groups {
	struct str at[GROUPS_MAX];
};

/* ---- wildcards ---- */

/* The pieces between the stars. */
struct pieces {
	struct str at[STARS_MAX + 1];
	size_t len;
};

static void cut_pieces(const char *text, struct pieces *ret)
{
	struct str rest = str_of(text);

	ret->len = 0;
	while (rest.at && ret->len <= STARS_MAX)
		ret->at[ret->len++] = str_cut(&rest, '*');
}

static bool begins(struct str text, size_t from, struct str piece)
{
	return from + piece.len <= text.len &&
	       str_equal((struct str){ text.at + from, piece.len }, piece);
}

/* The last place where `piece` stands before `end`, or -1. */
static ssize_t find_last(struct str text, size_t end, struct str piece)
{
	for (size_t from = end - piece.len + 1; piece.len <= end && from-- > 0;)
		if (begins(text, from, piece))
			return (ssize_t)from;
	return -1;
}

/* Each star takes as much as it can: every piece stands at the last place that leaves room for those behind
 * it, which are looked for first. */
static bool fit_wildcard(const char *pattern, struct str text, struct groups *groups)
{
	struct pieces pieces = { .len = 0 };
	size_t end = text.len;

	cut_pieces(pattern, &pieces);
	groups->at[0] = text;
	if (pieces.len == 1)
		return str_equal(pieces.at[0], text);
	for (size_t i = pieces.len - 1; i > 0; i--) {
		ssize_t from = find_last(text, end, pieces.at[i]);

		if (from < 0 || (i == pieces.len - 1 && (size_t)from + pieces.at[i].len != end))
			return false;
		if (i + 1 < pieces.len)
			groups->at[i + 1].at = text.at + from + pieces.at[i].len;
		groups->at[i].len = (size_t)from; /* where it ends, for now */
		end = (size_t)from;
	}
	if (pieces.at[0].len > end || !begins(text, 0, pieces.at[0]))
		return false;
	groups->at[1].at = text.at + pieces.at[0].len;
	for (size_t i = 1; i < pieces.len; i++)
		groups->at[i].len -= (size_t)(groups->at[i].at - text.at);
	return true;
}

static struct err *check_wildcard(const char *text)
{
	size_t stars = 0;

	for (const char *c = text; *c; c++)
		stars += *c == '*';
	if (strstr(text, "**"))
		return err_new(ERR_INVALID, "'%.200s': a wildcard has no '**'", text);
	if (stars > STARS_MAX)
		return err_new(ERR_INVALID, "'%.200s': more than %d times '*'", text, STARS_MAX);
	return NULL;
}

/* ---- regular expressions ---- */

/* A pattern on its way into POSIX's spelling. */
struct translation {
	const char *at;
	struct buf out;
	bool in_class; /* between [ and ] */
	uint64_t repeats;
};

static struct err *not_posix(const char *what)
{
	return err_new(ERR_UNSUPPORTED, "'%.20s' in a regular expression is not supported", what);
}

/* A backslash and what stands behind it, outside of a class. */
static struct err *translate_escape(struct translation *t)
{
	const char c = t->at[1];
	const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

	if (c == '\0')
		return err_new(ERR_INVALID, "a regular expression ends in a backslash");
	if (c == 'd' || c == 'D')
		buf_adds(&t->out, c == 'd' ? "[0-9]" : "[^0-9]");
	else if ((letter && !strchr("wWsSbB", c)) || (c >= '0' && c <= '9'))
		return not_posix(t->at);
	else
		buf_addf(&t->out, "\\%c", c);
	t->at += 2;
	return NULL;
}

/* The same within a class, where POSIX has no escapes. */
static struct err *translate_class_escape(struct translation *t)
{
	const char c = t->at[1];

	if (c == 'd')
		buf_adds(&t->out, "0-9");
	else if (c == 'w')
		buf_adds(&t->out, "[:alnum:]_");
	else if (c == 's')
		buf_adds(&t->out, "[:space:]");
	else if (c == '\\')
		buf_addc(&t->out, '\\');
	else if (c == '-' || c == ']' || c == '^' || c == '[')
		buf_addf(&t->out, "[.%c.]", c);
	else if (strchr("./:*+?|(){}$@#", c) && c)
		buf_addc(&t->out, c);
	else
		return not_posix(t->at);
	t->at += 2;
	return NULL;
}

/* "{2,5}": what it repeats at most. */
static struct err *count_repeats(struct translation *t)
{
	uint64_t most = 1;

	for (const char *c = t->at + 1; *c && *c != '}'; c++) {
		uint64_t number = 0;

		for (; *c >= '0' && *c <= '9' && number <= REPEATS_MAX; c++)
			number = number * 10 + (uint64_t)(*c - '0');
		most = number > most ? number : most;
		if (*c != ',')
			break;
	}
	t->repeats *= most;
	if (t->repeats > REPEATS_MAX)
		return err_new(ERR_INVALID, "a regular expression repeats more than %d times",
			       REPEATS_MAX);
	return NULL;
}

/* One byte that is no escape and in no class. */
static struct err *translate_plain(struct translation *t)
{
	const char c = t->at[0], next = t->at[1];

	if ((c == '(' || c == '*' || c == '+' || c == '?' || c == '}') && next == '?')
		return not_posix(t->at);
	if ((c == '*' || c == '+' || c == '?') && (next == '*' || next == '+'))
		return err_new(ERR_INVALID, "'%.2s' in a regular expression", t->at);
	if (c == '{')
		TRY(count_repeats(t));
	if (c == '[') {
		t->in_class = true;
		buf_addc(&t->out, *t->at++);
		if (*t->at == '^')
			buf_addc(&t->out, *t->at++);
		if (*t->at == ']') /* the first one is itself */
			buf_addc(&t->out, *t->at++);
		return NULL;
	}
	buf_addc(&t->out, *t->at++);
	return NULL;
}

/* Within a class: "[:alpha:]" is one thing. */
static struct err *translate_in_class(struct translation *t)
{
	const char *end = t->at[0] == '[' && t->at[1] == ':' ? strstr(t->at, ":]") : NULL;

	if (t->at[0] == '[' && (t->at[1] == '.' || t->at[1] == '='))
		return not_posix(t->at);
	for (; end && t->at < end + 1; t->at++)
		buf_addc(&t->out, *t->at);
	if (!end)
		t->in_class = t->at[0] != ']';
	buf_addc(&t->out, *t->at++);
	return NULL;
}

static struct err *translate(const char *text, struct translation *t)
{
	t->at = text;
	t->repeats = 1;
	while (*t->at) {
		const bool escape = *t->at == '\\';

		if (t->in_class)
			TRY(escape ? translate_class_escape(t) : translate_in_class(t));
		else
			TRY(escape ? translate_escape(t) : translate_plain(t));
	}
	return t->in_class ? err_new(ERR_INVALID, "a regular expression has no ']' for a '['") :
			     NULL;
}

static struct err *compile(const char *text, regex_t *ret)
{
	struct translation t = { .out = BUF_INIT(8 * POLICY_TEXT_MAX) };
	struct err *err = translate(text, &t);
	char why[200];
	int code = 0;

	if (!err)
		err = buf_check(&t.out, "a regular expression");
	if (!err) {
		code = regcomp(ret, t.out.at ? t.out.at : "", REG_EXTENDED);
		if (code) {
			regerror(code, ret, why, sizeof(why));
			err = err_new(ERR_INVALID, "'%.200s': %s", text, why);
		}
	}
	buf_release(&t.out);
	return err;
}

static bool fit_regex(const regex_t *regex, const char *text, bool inside, struct groups *groups)
{
	regmatch_t found[GROUPS_MAX];

	if (regexec(regex, text, GROUPS_MAX, found, inside ? REG_NOTBOL : 0) != 0)
		return false;
	for (size_t i = 0; i < GROUPS_MAX; i++)
		groups->at[i] = found[i].rm_so < 0 ?
					(struct str){ 0 } :
					(struct str){ text + found[i].rm_so,
						      (size_t)(found[i].rm_eo - found[i].rm_so) };
	return true;
}

/* ---- what becomes of it ---- */

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* What "$NAME" or "${NAME}" at `*at` stands for: a group, or nothing. `*at` goes behind it. */
static struct str take_group(const char **at, const struct groups *groups)
{
	const bool braces = (*at)[1] == '{';
	const char *name = *at + 1 + braces, *end = name;

	while (is_name_byte(*end))
		end++;
	*at = end + (braces && *end == '}');
	if (end - name != 1 || *name < '0' || *name > '9')
		return (struct str){ 0 };
	return groups->at[*name - '0'];
}

static void expand(const char *becomes, const struct groups *groups, struct buf *out)
{
	while (*becomes) {
		const bool sign = becomes[0] == '$';

		if (sign && (becomes[1] == '{' || is_name_byte(becomes[1]))) {
			buf_add_str(out, take_group(&becomes, groups));
			continue;
		}
		buf_addc(out, *becomes);
		becomes += sign && becomes[1] == '$' ? 2 : 1;
	}
}

/* Every place where it fits, from left to right. */
static void replace(const regex_t *regex, const char *text, const char *becomes, struct buf *out)
{
	struct groups groups;
	bool inside = false;

	while (fit_regex(regex, text, inside, &groups)) {
		const struct str whole = groups.at[0];

		buf_add(out, text, (size_t)(whole.at - text));
		expand(becomes, &groups, out);
		text = whole.at + whole.len;
		inside = true;
		if (*text == '\0')
			return;
		if (whole.len == 0) /* go on behind the next byte */
			buf_addc(out, *text++);
	}
	buf_adds(out, text);
}

/* ---- the whole ---- */

struct err *policy_pattern_new(enum policy_match match, const char *text,
			       struct policy_pattern **ret)
{
	AUTO(policy_pattern) struct policy_pattern *pattern = xcalloc(1, sizeof(*pattern));

	if (strlen(text) > POLICY_TEXT_MAX)
		return err_new(ERR_INVALID, "a pattern is longer than %zu bytes", POLICY_TEXT_MAX);
	pattern->match = match;
	pattern->text = xstrdup(text);
	if (match == POLICY_WILDCARD)
		TRY(check_wildcard(text));
	if (match == POLICY_REGEX) {
		TRY(compile(text, &pattern->regex));
		pattern->compiled = true;
	}
	*ret = STEAL(pattern);
	return NULL;
}

void policy_pattern_free(struct policy_pattern *pattern)
{
	if (!pattern)
		return;
	if (pattern->compiled)
		regfree(&pattern->regex);
	free(pattern->text);
	free(pattern);
}

bool policy_pattern_fits(const struct policy_pattern *pattern, const char *text,
			 const char *becomes, char **ret)
{
	const bool is_itself = strcmp(pattern->text, text) == 0;
	struct groups groups = { { { 0 } } };
	struct buf out = BUF_INIT(RESULT_MAX);
	bool fits = false;

	if (strlen(text) <= POLICY_TEXT_MAX && pattern->match == POLICY_WILDCARD)
		fits = fit_wildcard(pattern->text, str_of(text), &groups);
	else if (strlen(text) <= POLICY_TEXT_MAX && pattern->match == POLICY_REGEX)
		fits = fit_regex(&pattern->regex, text, false, &groups);
	if (!fits && !is_itself)
		return false;
	if (!becomes)
		return true;
	if (fits && pattern->match == POLICY_REGEX)
		replace(&pattern->regex, text, becomes, &out);
	else if (fits)
		expand(becomes, &groups, &out);
	else
		buf_adds(&out, becomes);
	*ret = buf_steal(&out);
	return true;
}
