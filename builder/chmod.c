/* builder/chmod.c - see builder/chmod.h. */

#include "builder/chmod.h"

#include <string.h>
#include <sys/stat.h>

#include "base/err.h"

static struct err *not_a_mode(struct str text)
{
	return err_new(
		ERR_INVALID,
		"--chmod=%.*s: a mode is octal from 0 to 07777, or symbolic like u=rwX,go=rX",
		STR_ARG(text));
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static bool take_who(char c, mode_t *who)
{
	switch (c) {
	case 'u':
		*who |= 0700;
		return true;
	case 'g':
		*who |= 070;
		return true;
	case 'o':
		*who |= 07;
		return true;
	case 'a':
		*who |= 0777;
		return true;
	default:
		return false;
	}
}

static bool take_permission(char c, struct chmod_clause *clause)
{
	switch (c) {
	case 'r':
		clause->bits |= 0444;
		return true;
	case 'w':
		clause->bits |= 0222;
		return true;
	case 'x':
		clause->bits |= 0111;
		return true;
	case 'X':
		clause->if_exec = true;
		return true;
	case 's':
		clause->bits |= 06000;
		return true;
	case 't':
		clause->bits |= 01000;
		return true;
	default:
		return false;
	}
}

/* One operator and its permissions, from `*at` on. */
static bool take_action(struct str text, size_t *at, mode_t who, struct chmod_spec *spec)
{
	struct chmod_clause *clause = &spec->clauses[spec->count];

	if (spec->count == CHMOD_CLAUSES)
		return false;
	*clause = (struct chmod_clause){ .who = who ? who : 0777, .op = text.at[(*at)++] };
	if (*at < text.len && is_one_of(text.at[*at], "ugo")) {
		clause->copy = text.at[(*at)++];
	} else {
		while (*at < text.len && take_permission(text.at[*at], clause))
			++*at;
	}
	spec->count++;
	return true;
}

/* "go+rX-w": classes, then one or more actions. */
static bool take_clause(struct str text, struct chmod_spec *spec)
{
	mode_t who = 0;
	size_t at = 0;

	while (at < text.len && take_who(text.at[at], &who))
		at++;
	if (at == text.len)
		return false;
	while (at < text.len) {
		if (!is_one_of(text.at[at], "+-=") || !take_action(text, &at, who, spec))
			return false;
	}
	return true;
}

struct err *chmod_parse(struct str text, struct chmod_spec *ret)
{
	struct chmod_spec spec = { .given = true };
	struct str rest = text;
	uint64_t mode;

	if (text.len > 0 && text.at[0] >= '0' && text.at[0] <= '9') {
		struct err *err = num_parse_octal(text, 07777, &mode);

		if (err) {
			err_free(err); /* the message below says more */
			return not_a_mode(text);
		}
		spec.octal = true;
		spec.mode = (mode_t)mode;
		*ret = spec;
		return NULL;
	}
	do {
		if (!take_clause(str_cut(&rest, ','), &spec))
			return not_a_mode(text);
	} while (rest.at);
	*ret = spec;
	return NULL;
}

/* The bits that one clause speaks of, cut to its classes. Set-id and sticky follow their class. */
static mode_t clause_bits(const struct chmod_clause *clause, mode_t mode)
{
	mode_t bits = clause->bits;
	mode_t reach = clause->who;

	if (clause->copy) {
		unsigned shift = clause->copy == 'u' ? 6 : clause->copy == 'g' ? 3 : 0;
		mode_t from = (mode >> shift) & 07;

		bits = from * 0111;
	}
	if (clause->if_exec && (S_ISDIR(mode) || (mode & 0111)))
		bits |= 0111;
	if (clause->who & 0700)
		reach |= S_ISUID;
	if (clause->who & 070)
		reach |= S_ISGID;
	if (clause->who == 0777 || (clause->who & 07))
		reach |= S_ISVTX;
	return bits & reach;
}

mode_t chmod_apply(const struct chmod_spec *spec, mode_t mode)
{
	if (!spec->given)
		return mode & 07777;
	if (spec->octal)
		return spec->mode;
	for (size_t i = 0; i < spec->count; i++) {
		const struct chmod_clause *clause = &spec->clauses[i];
		mode_t bits = clause_bits(clause, mode);

		if (clause->op == '=')
			mode &= ~(clause->who | (clause->who & 0700 ? S_ISUID : 0u) |
				  (clause->who & 070 ? S_ISGID : 0u) |
				  (clause->who == 0777 ? S_ISVTX : 0u));
		if (clause->op == '-')
			mode &= ~bits;
		else
			mode |= bits;
	}
	return mode & 07777;
}
