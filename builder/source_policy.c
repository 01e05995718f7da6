/* builder/source_policy.c - see builder/source_policy.h. */

#include "builder/source_policy.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/vec.h"
#include "builder/git_url.h"
#include "builder/policy_pattern.h"
#include "registry/reference.h"
#include "registry/url.h"

#define ROUNDS_MAX 20 /* of conversions of one source */
#define IMAGE "docker-image://"
#define GIT "git://"

enum policy_action { POLICY_ALLOW, POLICY_DENY, POLICY_CONVERT };
enum policy_condition { POLICY_EQUAL, POLICY_NOTEQUAL, POLICY_MATCHES };

static const char *const actions[] = { "ALLOW", "DENY", "CONVERT", NULL };
static const char *const matches[] = { "WILDCARD", "EXACT", "REGEX", NULL };
static const char *const conditions[] = { "EQUAL", "NOTEQUAL", "MATCHES", NULL };

/* What a source has besides its identifier. */
enum attribute { HTTP_CHECKSUM, GIT_CHECKSUM, GIT_FULLURL, ATTRIBUTES };

static const char *const attributes[] = { "http.checksum", "git.checksum", "git.fullurl", NULL };

struct constraint {
	enum attribute attribute;
	enum policy_condition condition;
	char *value;
	struct policy_pattern *pattern; /* of POLICY_MATCHES */
};

struct rule {
	enum policy_action action;
	char *selector; /* for texts */
	struct policy_pattern *pattern;
	VEC(struct constraint) constraints;
	char *becomes;             /* CONVERT: NULL: the identifier stays */
	char *changes[ATTRIBUTES]; /* CONVERT: NULL: it stays */
};

struct source_policy {
	char *name;
	VEC(struct rule) rules;
};

static void rule_release(struct rule *rule)
{
	vec_foreach (&rule->constraints, constraint) {
		free(constraint->value);
		policy_pattern_free(constraint->pattern);
	}
	vec_release(&rule->constraints);
	policy_pattern_free(rule->pattern);
	free(rule->selector);
	free(rule->becomes);
	for (size_t i = 0; i < ATTRIBUTES; i++)
		free(rule->changes[i]);
}

void source_policy_free(struct source_policy *policy)
{
	if (!policy)
		return;
	vec_foreach (&policy->rules, rule)
		rule_release(rule);
	vec_release(&policy->rules);
	free(policy->name);
	free(policy);
}

/* ---- reading ---- */

/* A word of a list, or its number, as BuildKit takes both. */
static struct err *read_word(const struct json_at *at, const char *const *words, int *ret)
{
	AUTO(buf) struct buf list = BUF_INIT(4096);
	const char *text = NULL;

	for (int i = 0; words[i] && json_is_integer(at->value); i++) {
		if (json_integer_value(at->value) == i) {
			*ret = i;
			return NULL;
		}
	}
	TRY(json_get_text(at, &text));
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret = i;
			return NULL;
		}
		buf_addf(&list, "%s%s", i ? ", " : "", words[i]);
	}
	return json_error(at, "'%.80s' is none of: %s", text, list.at);
}

/* Nothing may be without effect: a word that is misspelt, least of all. */
static struct err *check_members(const struct json_at *at, const char *const *known)
{
	const char *key;
	json_t *value;

	TRY(json_expect_object(at));
	json_object_foreach(at->value, key, value)
	{
		size_t i = 0;

		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (!known[i])
			return json_error(at, "'%.80s' is not known", key);
	}
	return NULL;
}

static struct err *find_attribute(const struct json_at *at, const char *name, int *ret)
{
	for (int i = 0; attributes[i]; i++) {
		if (strcmp(attributes[i], name) == 0) {
			*ret = i;
			return NULL;
		}
	}
	return err_new(ERR_UNSUPPORTED,
		       "%s: attribute '%.80s' is none of http.checksum, "
		       "git.checksum, git.fullurl",
		       at->key ? at->key : "rule", name);
}

static struct err *read_constraint(const struct json_at *at, struct constraint *ret)
{
	static const char *const known[] = { "key", "value", "condition", NULL };
	const struct json_at key_at = json_member(at, "key"), value_at = json_member(at, "value");
	const struct json_at condition_at = json_member(at, "condition");
	const char *key = NULL, *value = NULL;
	int attribute = 0, condition = POLICY_EQUAL;

	TRY(check_members(at, known));
	TRY(json_get_text(&key_at, &key));
	TRY(json_get_text(&value_at, &value));
	TRY(find_attribute(at, key, &attribute));
	if (condition_at.value)
		TRY(read_word(&condition_at, conditions, &condition));
	ret->attribute = (enum attribute)attribute;
	ret->condition = (enum policy_condition)condition;
	ret->value = xstrdup(value);
	return condition == POLICY_MATCHES ?
		       policy_pattern_new(POLICY_REGEX, value, &ret->pattern) :
		       NULL;
}

static struct err *read_selector(const struct json_at *at, struct rule *ret)
{
	static const char *const known[] = { "identifier", "matchType", "match_type", "constraints",
					     NULL };
	const struct json_at identifier_at = json_member(at, "identifier");
	const struct json_at list = json_member(at, "constraints");
	struct json_at match_at = json_member(at, "matchType");
	const char *identifier = NULL;
	int match = POLICY_WILDCARD;

	TRY(check_members(at, known));
	TRY(json_get_text(&identifier_at, &identifier));
	if (!match_at.value)
		match_at = json_member(at, "match_type");
	if (match_at.value)
		TRY(read_word(&match_at, matches, &match));
	ret->selector = xstrdup(identifier);
	TRY(policy_pattern_new((enum policy_match)match, identifier, &ret->pattern));
	if (list.value)
		TRY(json_expect_array(&list));
	for (size_t i = 0; i < json_length(&list); i++) {
		const struct json_at element = json_element(&list, i);

		TRY(read_constraint(&element, vec_add(&ret->constraints)));
	}
	return NULL;
}

static struct err *read_updates(const struct json_at *at, struct rule *ret)
{
	static const char *const known[] = { "identifier", "attrs", NULL };
	const struct json_at identifier_at = json_member(at, "identifier");
	const struct json_at attrs = json_member(at, "attrs");
	const char *identifier = NULL, *key;
	json_t *value;

	TRY(check_members(at, known));
	TRY(json_get_optional_text(&identifier_at, &identifier));
	ret->becomes = identifier && identifier[0] ? xstrdup(identifier) : NULL;
	if (!attrs.value)
		return NULL;
	TRY(json_expect_object(&attrs));
	json_object_foreach(attrs.value, key, value)
	{
		const struct json_at member = json_member(&attrs, key);
		const char *text = NULL;
		int attribute = 0;

		TRY(find_attribute(&attrs, key, &attribute));
		TRY(json_get_text(&member, &text));
		ret->changes[attribute] = xstrdup(text);
	}
	return NULL;
}

static struct err *read_rule(const struct json_at *at, struct rule *ret)
{
	static const char *const known[] = { "action", "selector", "updates", NULL };
	const struct json_at action_at = json_member(at, "action");
	const struct json_at selector_at = json_member(at, "selector");
	const struct json_at updates_at = json_member(at, "updates");
	int action = POLICY_ALLOW;

	TRY(check_members(at, known));
	TRY(read_word(&action_at, actions, &action));
	ret->action = (enum policy_action)action;
	TRY(read_selector(&selector_at, ret));
	if (ret->action != POLICY_CONVERT)
		return NULL;
	return read_updates(&updates_at, ret);
}

static struct err *read_rules(const struct json_at *root, struct source_policy *policy)
{
	static const char *const known[] = { "rules", "version", NULL };
	const struct json_at rules = json_member(root, "rules");

	TRY(check_members(root, known));
	if (!rules.value)
		return NULL;
	TRY(json_expect_array(&rules));
	if (json_length(&rules) > SOURCE_POLICY_RULES_MAX)
		return json_error(&rules, "more than %d rules", SOURCE_POLICY_RULES_MAX);
	for (size_t i = 0; i < json_length(&rules); i++) {
		const struct json_at at = json_element(&rules, i);

		TRY(err_wrap(read_rule(&at, vec_add(&policy->rules)), "rule %zu", i + 1));
	}
	return NULL;
}

struct err *source_policy_parse(const char *name, struct str text, struct source_policy **ret)
{
	AUTO(source_policy) struct source_policy *policy = xcalloc(1, sizeof(*policy));
	AUTO(json) json_t *document = NULL;
	struct json_at root;

	policy->name = xstrdup(name);
	TRY(json_parse(text, SOURCE_POLICY_MAX, name, &document));
	root = json_root(document, name);
	TRY(err_wrap(read_rules(&root, policy), "source policy %s", name));
	*ret = STEAL(policy);
	return NULL;
}

/* ---- judging ---- */

struct subject {
	char *identifier; /* as rules know it */
	char *given;      /* as the last rule that changed it spelt it; NULL: none did */
	char *(*plain)(const char *); /* makes the one out of the other; NULL: they are the same */
	char *has[ATTRIBUTES];        /* NULL: it has none */
};

static void subject_auto_(struct subject *subject)
{
	free(subject->identifier);
	free(subject->given);
	for (size_t i = 0; i < ATTRIBUTES; i++)
		free(subject->has[i]);
}

static bool holds(const struct constraint *constraint, const struct subject *subject)
{
	const char *has = subject->has[constraint->attribute];

	has = has ? has : "";
	switch (constraint->condition) {
	case POLICY_EQUAL:
		return strcmp(has, constraint->value) == 0;
	case POLICY_NOTEQUAL:
		return strcmp(has, constraint->value) != 0;
	case POLICY_MATCHES:
		break;
	}
	return policy_pattern_fits(constraint->pattern, has, NULL, NULL);
}

/* `ret_becomes` (the caller's, may be NULL) is what the rule makes of the identifier. */
static bool fits(const struct rule *rule, const struct subject *subject, char **ret_becomes)
{
	vec_foreach (&rule->constraints, constraint)
		if (!holds(constraint, subject))
			return false;
	return policy_pattern_fits(rule->pattern, subject->identifier, rule->becomes, ret_becomes);
}

/* The next rules see the plain form of it, however the rule spells it. Whether that is another one. */
static bool rename_subject(struct subject *subject, const char *becomes)
{
	AUTO(mem) char *plain = subject->plain ? subject->plain(becomes) : xstrdup(becomes);

	if (strcmp(plain, subject->identifier) == 0)
		return false;
	free(subject->identifier);
	free(subject->given);
	subject->identifier = STEAL(plain);
	subject->given = xstrdup(becomes);
	return true;
}

/* `becomes` may be NULL. Whether anything is another than before. */
static bool convert(const struct rule *rule, const char *becomes, struct subject *subject)
{
	bool changed = becomes && rename_subject(subject, becomes);

	for (size_t i = 0; i < ATTRIBUTES; i++) {
		const char *has = subject->has[i];

		if (!rule->changes[i] || (has && strcmp(has, rule->changes[i]) == 0))
			continue;
		free(subject->has[i]);
		subject->has[i] = xstrdup(rule->changes[i]);
		changed = true;
	}
	return changed;
}

static struct err *denied(const struct source_policy *policy, const struct subject *subject,
			  size_t number)
{
	const struct rule *rule = &policy->rules.at[number];
	AUTO(mem) char *shown = url_without_logins(subject->identifier);

	return err_new(ERR_DENIED, "source '%.300s' is denied by rule %zu of %s (DENY %.200s)",
		       shown, number + 1, policy->name, rule->selector);
}

/* One round over all rules; `*ret_changed` asks for another one. */
static struct err *judge_once(const struct source_policy *policy, struct subject *subject,
			      bool *ret_changed)
{
	size_t deny = policy->rules.len;

	*ret_changed = false;
	for (size_t i = 0; i < policy->rules.len; i++) {
		const struct rule *rule = &policy->rules.at[i];
		AUTO(mem) char *becomes = NULL;

		if (!fits(rule, subject, &becomes))
			continue;
		if (rule->action == POLICY_ALLOW)
			deny = policy->rules.len;
		else if (rule->action == POLICY_DENY)
			deny = i;
		else if (convert(rule, becomes, subject)) {
			*ret_changed = true;
			return NULL;
		}
	}
	return deny < policy->rules.len ? denied(policy, subject, deny) : NULL;
}

/* What no pattern can be compared with would pass every DENY. */
static struct err *check_length(const struct source_policy *policy, const struct subject *subject)
{
	size_t longest = strlen(subject->identifier);

	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (subject->has[i] && strlen(subject->has[i]) > longest)
			longest = strlen(subject->has[i]);
	if (longest <= POLICY_TEXT_MAX)
		return NULL;
	return err_new(ERR_DENIED,
		       "source '%.80s...' is denied: %s cannot judge more than %zu bytes",
		       subject->identifier, policy->name, POLICY_TEXT_MAX);
}

static struct err *judge(const struct source_policy *policy, struct subject *subject)
{
	bool changed = true;

	for (int round = 0; changed; round++) {
		TRY(check_length(policy, subject));
		if (round > ROUNDS_MAX)
			return err_new(ERR_INVALID, "%s converts source '%.300s' again and again",
				       policy->name, subject->identifier);
		TRY(judge_once(policy, subject, &changed));
	}
	return NULL;
}

static struct err *wrong_kind(const struct source_policy *policy, const char *what,
			      const struct subject *subject)
{
	AUTO(mem) char *shown = url_without_logins(subject->identifier);

	return err_new(ERR_INVALID, "%s converts %s into '%.300s', which is none", policy->name,
		       what, shown);
}

/* ---- one spelling ---- */

/* Without the percents that change nothing (RFC 3986, 2.3). Owned. */
static char *unescaped(const char *text)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	AUTO(buf) struct buf out = BUF_INIT(strlen(text) + 1);

	while (*text) {
		const bool escape = text[0] == '%' && isxdigit((unsigned char)text[1]) &&
				    isxdigit((unsigned char)text[2]);
		AUTO(mem) char *byte = escape ? url_decoded((struct str){ text, 3 }) : NULL;

		if (byte && strchr(plain, byte[0])) {
			buf_addc(&out, byte[0]);
			text += 3;
		} else {
			buf_addc(&out, *text++);
		}
	}
	return buf_steal(&out);
}

/* "host" or "host:port" as rules know it: without the dot that may end a name, and without the port that
 * is the usual one. `authority` is in lower case. Owned. */
static char *plain_authority(const char *authority, uint64_t usual_port)
{
	const char *colon = strrchr(authority, ':');
	const bool has_port = colon && !strchr(colon, ']');
	struct str host = { authority, has_port ? (size_t)(colon - authority) : strlen(authority) };
	const struct str port = str_of(has_port ? colon + 1 : "");
	AUTO(err) struct err *err = NULL;
	uint64_t number = usual_port;

	while (str_ends(host, "."))
		host.len--;
	if (port.len)
		err = num_parse(port, 0, UINT16_MAX, &number);
	if (err) /* it leads nowhere */
		return xstrdup(authority);
	if (number == usual_port)
		return str_dup(host);
	return xasprintf("%.*s:%ju", STR_ARG(host), (uintmax_t)number);
}

/* ---- images ---- */

struct err *source_policy_image(const struct source_policy *policy, const char *name, char **ret)
{
	AUTO(subject) struct subject subject = { 0 };
	AUTO(mem) char *canonical = NULL;
	AUTO(mem) char *before = NULL;
	struct reference ref;

	if (policy) {
		AUTO(err) struct err *err = reference_parse(name, &ref);

		canonical = err ? xstrdup(name) : reference_canonical(&ref);
		subject.identifier = xasprintf(IMAGE "%s", canonical);
		before = xstrdup(subject.identifier);
		TRY(judge(policy, &subject));
	}
	if (!policy || strcmp(before, subject.identifier) == 0) {
		*ret = xstrdup(name); /* as it was written: it may be short */
		return NULL;
	}
	if (!str_starts(str_of(subject.identifier), IMAGE) || !subject.identifier[strlen(IMAGE)])
		return wrong_kind(policy, "an image", &subject);
	*ret = xstrdup(subject.identifier + strlen(IMAGE));
	return NULL;
}

/* ---- files of the web ---- */

void policy_web_release(struct policy_web *web)
{
	free(web->url);
	web->url = NULL;
}

static bool is_web(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* A URL as rules know it, however it was spelt: without a login, scheme and host in lower case. One that
 * cannot be read is not fetched either. Owned. */
static char *plain_url(const char *text)
{
	AUTO(mem) char *decoded = unescaped(text);
	AUTO(mem) char *shown = url_without_logins(decoded);
	AUTO(mem) char *authority = NULL;
	AUTO(mem) char *plain = NULL;
	AUTO(url) struct url *url = NULL;
	AUTO(err) struct err *err = url_parse(shown, &url);
	const char *host;

	if (err)
		return STEAL(shown);
	authority = url_authority(url);
	plain = plain_authority(authority, url->is_https ? 443 : 80);
	host = strstr(url->text, "://") + 3;
	return xasprintf("http%s://%s%s", url->is_https ? "s" : "", plain,
			 host + strcspn(host, "/?#"));
}

struct err *source_policy_web(const struct source_policy *policy, const char *url,
			      const struct digest *want, struct policy_web *ret)
{
	AUTO(subject) struct subject subject = { .identifier = plain_url(url), .plain = plain_url };
	char text[DIGEST_TEXT_SIZE];

	if (want)
		subject.has[HTTP_CHECKSUM] = xstrdup(digest_format(want, text));
	if (policy)
		TRY(judge(policy, &subject));
	if (policy && !is_web(subject.identifier))
		return wrong_kind(policy, "a file of the web", &subject);
	ret->has_checksum = subject.has[HTTP_CHECKSUM] != NULL;
	if (ret->has_checksum)
		TRY(err_wrap(digest_parse(subject.has[HTTP_CHECKSUM], &ret->checksum),
			     "http.checksum"));
	ret->url = xstrdup(subject.given ? subject.given :
					   url); /* as it was written, with its login */
	return NULL;
}

/* ---- repositories ---- */

/* "host/path" of "https://host/path", of "ssh://user@host/path" and of "user@host:path". Owned. */
static char *place_of(const struct git_url *url)
{
	static const uint64_t usual_ports[] = {
		[GIT_HTTP] = 80, [GIT_HTTPS] = 443, [GIT_SSH] = 22, [GIT_GIT] = 9418
	};
	AUTO(mem)
	char *remote = is_web(url->remote) ? plain_url(url->remote) : unescaped(url->remote);
	AUTO(mem) char *host = unescaped(url->authority);
	AUTO(mem) char *authority = NULL;
	const char *scheme = strstr(remote, "://");
	const char *path = scheme ? strchr(scheme + 3, '/') : strchr(remote, ':') + 1;

	if (scheme && is_web(remote)) {
		free(host);
		host = str_dup((struct str){ scheme + 3, strcspn(scheme + 3, "/") });
	}
	for (char *c = host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	authority = plain_authority(host, usual_ports[url->scheme]);
	if (!path)
		return STEAL(authority);
	return xasprintf("%s/%s", authority, path + strspn(path, "/"));
}

/* "#ref:subdir", as far as there is any. Owned. */
static char *fragment_of(const struct git_url *url)
{
	const bool subdir = url->subdir && url->subdir[0];

	if (!url->ref && !subdir)
		return xstrdup("");
	return xasprintf("#%s%s%s", url->ref ? url->ref : "", subdir ? ":" : "",
			 subdir ? url->subdir : "");
}

/* What the identifier and the attributes mean, if they are others than before. */
static struct err *read_git(const struct source_policy *policy, const struct subject *subject,
			    const char *place, struct git_url *url)
{
	struct str rest = str_of(subject->identifier + strlen(GIT));
	AUTO(mem) char *to = str_dup(str_cut(&rest, '#'));
	AUTO(mem) char *fragment = rest.at ? xasprintf("#%s", rest.at) : xstrdup("");
	const bool moved = strcmp(to, place) != 0;
	const bool said = strcmp(subject->has[GIT_FULLURL], url->remote) != 0;
	AUTO(mem)
	char *remote =
		said || !moved ? xstrdup(subject->has[GIT_FULLURL]) : xasprintf("https://%s", to);
	AUTO(mem) char *text = xasprintf("%s%s", remote, fragment);
	AUTO(git_url) struct git_url fresh = { 0 };
	bool is = false;

	TRY(git_url_parse(text, GIT_URL_CONTEXT, &is, &fresh));
	if (!is)
		return wrong_kind(policy, "a repository", subject);
	if (!moved && !said)
		fresh.login = STEAL(url->login);
	fresh.submodules = url->submodules;
	fresh.keep_git_dir = url->keep_git_dir;
	free(fresh.checksum);
	fresh.checksum = xstrdup(subject->has[GIT_CHECKSUM]);
	git_url_release(url);
	*url = fresh;
	fresh = (struct git_url){ 0 };
	return NULL;
}

struct err *source_policy_git(const struct source_policy *policy, struct git_url *url)
{
	AUTO(subject) struct subject subject = { 0 };
	AUTO(mem) char *place = NULL;
	AUTO(mem) char *fragment = NULL;
	AUTO(mem) char *before = NULL;

	if (!policy)
		return NULL;
	place = place_of(url);
	fragment = fragment_of(url);
	subject.identifier = xasprintf(GIT "%s%s", place, fragment);
	before = xstrdup(subject.identifier);
	subject.has[GIT_FULLURL] = xstrdup(url->remote);
	subject.has[GIT_CHECKSUM] = xstrdup(url->checksum);
	TRY(judge(policy, &subject));
	if (!str_starts(str_of(subject.identifier), GIT))
		return wrong_kind(policy, "a repository", &subject);
	if (strcmp(before, subject.identifier) == 0 &&
	    strcmp(subject.has[GIT_FULLURL], url->remote) == 0) {
		free(url->checksum);
		url->checksum = xstrdup(subject.has[GIT_CHECKSUM]);
		return NULL;
	}
	return read_git(policy, &subject, place, url);
}
