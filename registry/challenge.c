/* registry/challenge.c - see registry/challenge.h. */

#include "registry/challenge.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

#define TOKEN_MARKS "!#$%&'*+-.^_`|~" /* RFC 9110, 5.6.2 */
#define TOKEN68_MARKS "-._~+/"        /* 11.2 */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *marks)
{
	return c && strchr(marks, c);
}

static struct err *bad(const char *header, const char *at, const char *what)
{
	return err_new(ERR_INVALID, "WWW-Authenticate: %s at byte %zu", what,
		       (size_t)(at - header) + 1);
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* The word at `*at`, which moves behind it. Empty if there is none. */
static struct str take_token(const char **at)
{
	struct str token = { *at, 0 };

	while (is_alnum(token.at[token.len]) || is_one_of(token.at[token.len], TOKEN_MARKS))
		token.len++;
	*at += token.len;
	return token;
}

/* What stands alone behind a scheme, up to a comma or the end; empty if that is no token68. */
static struct str take_token68(const char **at)
{
	struct str token = { *at, 0 };

	while (is_alnum(token.at[token.len]) || is_one_of(token.at[token.len], TOKEN68_MARKS))
		token.len++;
	if (token.len == 0)
		return token;
	token.len += strspn(token.at + token.len, "=");
	if (*skip_blanks(token.at + token.len) != ',' && *skip_blanks(token.at + token.len))
		return (struct str){ *at, 0 };
	*at += token.len;
	return token;
}

/* The inside of a quoted string, whose first quote `*at` stands behind. NULL if it has no end. */
static char *take_quoted(const char **at)
{
	AUTO(buf) struct buf value = BUF_INIT(CHALLENGE_HEADER_MAX);

	for (; **at != '"'; (*at)++) {
		if (**at == '\\')
			(*at)++;
		if (!**at)
			return NULL;
		buf_addc(&value, **at);
	}
	(*at)++;
	return buf_steal(&value);
}

static char *lower_case(struct str word)
{
	char *lower = str_dup(word);

	for (char *c = lower; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return lower;
}

static void add_param(struct challenge *challenge, struct str name, const char *value)
{
	AUTO(mem) char *lower = lower_case(name);

	if (challenge_param(challenge, lower))
		return;
	vec_push(&challenge->params, (struct challenge_param){ STEAL(lower), xstrdup(value) });
}

/* "= value" of the parameter `name`. */
static struct err *read_param(struct challenge *challenge, struct str name, const char *header,
			      const char **at)
{
	AUTO(mem) char *value = NULL;
	const char *start = *at;

	if (challenge->params.len == CHALLENGE_PARAMS_MAX)
		return bad(header, start, "too many parameters");
	*at = skip_blanks(*at + 1);
	if (**at == '"') {
		(*at)++;
		value = take_quoted(at);
		if (!value)
			return bad(header, start, "a quoted value without its end");
	} else {
		/* Values that should have been quoted, such as URLs, go up to the next comma or blank. */
		struct str plain = { *at, strcspn(*at, " \t,\"") };

		*at += plain.len;
		value = str_dup(plain);
	}
	add_param(challenge, name, value);
	return NULL;
}

static struct err *read_scheme(struct challenges *list, struct str name, const char *header,
			       const char **at)
{
	struct challenge *challenge;
	struct str token68 = { NULL, 0 };
	bool parted = **at == ' ' || **at == '\t';

	if (list->len == CHALLENGES_MAX)
		return bad(header, name.at, "too many challenges");
	*at = skip_blanks(*at);
	if (parted)
		token68 = take_token68(at);
	challenge = vec_add(list);
	challenge->scheme = lower_case(name);
	if (token68.len)
		challenge->token68 = str_dup(token68);
	return NULL;
}

struct err *challenges_read(struct challenges *list, const char *header)
{
	const size_t before = list->len;
	const char *at = header;

	if (strnlen(header, CHALLENGE_HEADER_MAX + 1) > CHALLENGE_HEADER_MAX)
		return err_new(ERR_INVALID, "WWW-Authenticate: larger than %zu bytes",
			       CHALLENGE_HEADER_MAX);
	for (at += strspn(at, " \t,"); *at; at += strspn(at, " \t,")) {
		struct str word = take_token(&at);
		const char *behind = skip_blanks(at);

		if (word.len == 0)
			return bad(header, at, "neither a scheme nor a parameter");
		if (*behind == '=') {
			if (list->len == before)
				return bad(header, word.at, "a parameter without a scheme");
			at = behind;
			TRY(read_param(vec_last(list), word, header, &at));
		} else {
			TRY(read_scheme(list, word, header, &at));
		}
	}
	return NULL;
}

void challenges_release(struct challenges *list)
{
	vec_foreach (list, challenge) {
		vec_foreach (&challenge->params, param) {
			free(param->name);
			free(param->value);
		}
		vec_release(&challenge->params);
		free(challenge->scheme);
		free(challenge->token68);
	}
	vec_release(list);
}

const struct challenge *challenges_find(const struct challenges *list, const char *scheme)
{
	vec_foreach (list, challenge)
		if (strcmp(challenge->scheme, scheme) == 0)
			return challenge;
	return NULL;
}

const char *challenge_param(const struct challenge *challenge, const char *name)
{
	vec_foreach (&challenge->params, param)
		if (strcmp(param->name, name) == 0)
			return param->value;
	return NULL;
}
