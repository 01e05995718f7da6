/* registry/token.c - see registry/token.h. */

#include "registry/token.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/map.h"

#define SECOND UINT64_C(1000000000)
#define LEAST_LIFE 60        /* seconds: what a server says that says nothing */
#define MOST_LIFE 86400      /* nobody needs to believe in more */
#define MARGIN (10 * SECOND) /* a token is renewed this long before its end */

/* ---- scopes ---- */

/* "repository:a/b:pull,push": the resource ends at the last colon, for a name may have a port. */
static struct str resource_of(struct str scope)
{
	while (scope.len && scope.at[scope.len - 1] != ':')
		scope.len--;
	return scope;
}

static bool has_action(struct str actions, struct str action)
{
	while (actions.at)
		if (str_equal(str_cut(&actions, ','), action))
			return true;
	return false;
}

/* The actions of `scope` that `*have` lacks, put behind it. */
static void add_actions(char **have, struct str scope, size_t resource_len)
{
	struct str actions = { scope.at + resource_len, scope.len - resource_len };

	while (actions.at) {
		struct str action = str_cut(&actions, ',');
		char *longer;

		if (action.len == 0 || has_action(str_of(*have + resource_len), action))
			continue;
		longer = xasprintf("%s%s%.*s", *have, (*have)[resource_len] ? "," : "",
				   STR_ARG(action));
		free(*have);
		*have = longer;
	}
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_one(struct strings *scopes, struct str scope)
{
	struct str resource = resource_of(scope);
	AUTO(mem) char *copy = NULL;

	vec_foreach (scopes, have)
		if (resource.len && str_equal(resource_of(str_of(*have)), resource)) {
			add_actions(have, scope, resource.len);
			return;
		}
	copy = str_dup(scope);
	strings_push(scopes, copy);
}

void scopes_add(struct strings *scopes, struct str text)
{
	while (text.at) {
		struct str scope = str_cut(&text, ' ');

		if (scope.len)
			add_one(scopes, scope);
	}
	if (scopes->len > 1)
		qsort(scopes->at, scopes->len, sizeof(*scopes->at), compare_texts);
}

static bool contains(const struct strings *whole, struct str scope)
{
	struct str resource = resource_of(scope);
	struct str actions = { scope.at + resource.len, scope.len - resource.len };

	vec_foreach (whole, have) {
		struct str theirs = str_of(*have);
		bool all = true;

		if (!str_equal(resource_of(theirs), resource))
			continue;
		theirs = str_of(*have + resource.len);
		for (struct str rest = actions; rest.at;)
			all = has_action(theirs, str_cut(&rest, ',')) && all;
		return all;
	}
	return false;
}

bool scopes_contain(const struct strings *whole, const struct strings *part)
{
	vec_foreach (part, scope)
		if (!contains(whole, str_of(*scope)))
			return false;
	return true;
}

char *scopes_format(const struct strings *scopes)
{
	AUTO(buf) struct buf out = BUF_INIT((size_t)1 << 20);

	vec_foreach (scopes, scope)
		buf_addf(&out, "%s%s", out.len ? " " : "", *scope);
	return buf_steal(&out);
}

/* ---- what a token server says ---- */

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void token_release(struct token *token)
{
	wipe(token->text);
	*token = (struct token){ 0 };
}

/* Visible ASCII, so that nothing else can be put into our header. */
static bool is_sendable(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return *text;
}

static struct err *read_text(const struct json_at *root, const char **ret)
{
	struct json_at token = json_member(root, "token");
	struct json_at access = json_member(root, "access_token");

	*ret = NULL;
	TRY(json_get_optional_text(&token, ret));
	if (!*ret || !**ret)
		TRY(json_get_optional_text(&access, ret));
	if (!*ret || !**ret)
		return err_new(ERR_INVALID, "the token server gave no token");
	if (!is_sendable(*ret))
		return err_new(ERR_INVALID, "the token server gave a token that cannot be sent");
	return NULL;
}

/* How many seconds have passed since "issued_at", by our clock; 0 if it does not say, or it is in
 * the future. */
static uint64_t age_of(const struct json_at *root, struct timespec now)
{
	struct json_at at = json_member(root, "issued_at");
	const char *text = NULL;
	struct timespec issued;
	AUTO(err) struct err *err = json_get_optional_text(&at, &text);
	AUTO(err) struct err *unreadable = NULL;

	if (err || !text)
		return 0;
	unreadable = clock_parse(str_of(text), &issued);
	return unreadable || issued.tv_sec >= now.tv_sec ? 0 :
							   (uint64_t)(now.tv_sec - issued.tv_sec);
}

struct err *token_read(struct str body, uint64_t received, struct timespec now, struct token *ret)
{
	AUTO(json) json_t *doc = NULL;
	struct json_at root, expires;
	uint64_t life = LEAST_LIFE, age;
	const char *text;

	TRY(json_parse(body, TOKEN_ANSWER_MAX, "the token server's answer", &doc));
	root = json_root(doc, "the token server's answer");
	expires = json_member(&root, "expires_in");
	TRY(read_text(&root, &text));
	TRY(json_get_optional_size(&expires, &life));
	life = life < LEAST_LIFE ? LEAST_LIFE : life > MOST_LIFE ? MOST_LIFE : life;
	age = age_of(&root, now);
	*ret = (struct token){
		.text = xstrdup(text),
		.good_until = received + (age < life ? life - age : 0) * SECOND,
	};
	return NULL;
}

/* ---- the cache ---- */

struct entry {
	struct token token; /* guarded by the cache's lock; text NULL: none */
	bool fetching;      /* guarded likewise: somebody asks */
	uint64_t failures;  /* how often asking has failed: those who wait see it change */
	enum err_kind kind; /* of the last failure, */
	char *failure;      /* and its text */
	char *notes;
};

struct token_cache {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct map entries;
};

struct token_cache *token_cache_new(void)
{
	struct token_cache *cache = xcalloc(1, sizeof(*cache));

	pthread_mutex_init(&cache->lock, NULL);
	pthread_cond_init(&cache->changed, NULL);
	return cache;
}

static void entry_free(void *value)
{
	struct entry *entry = value;

	token_release(&entry->token);
	free(entry->failure);
	free(entry->notes);
	free(entry);
}

void token_cache_free(struct token_cache *cache)
{
	if (!cache)
		return;
	map_foreach (&cache->entries, at)
		explicit_bzero(at->key, at->key_len);
	map_release(&cache->entries, entry_free);
	pthread_cond_destroy(&cache->changed);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static struct entry *entry_of(struct token_cache *cache, const char *key)
{
	struct entry *entry = map_get(&cache->entries, str_of(key));

	if (!entry) {
		entry = xcalloc(1, sizeof(*entry));
		map_put(&cache->entries, str_of(key), entry);
	}
	return entry;
}

static bool is_good(const struct entry *entry)
{
	return entry->token.text && clock_monotonic() + MARGIN < entry->token.good_until;
}

static struct err *same_failure(const struct entry *entry)
{
	struct err *err = err_new(entry->kind, "%s", entry->failure);

	return entry->notes ? err_note(err, "%s", entry->notes) : err;
}

static void keep_failure(struct entry *entry, const struct err *err)
{
	entry->failures++;
	free(entry->failure);
	free(entry->notes);
	entry->kind = err_kind(err);
	entry->failure = xstrdup(err_text(err));
	entry->notes = xstrdup(err_notes(err));
}

/* Ask, with the lock given up meanwhile. The token is used once even if it is old already. */
static struct err *ask(struct token_cache *cache, struct entry *entry,
		       struct err *(*fetch)(void *arg, struct token *ret), void *arg)
{
	struct token token = { 0 };
	struct err *err;

	entry->fetching = true;
	pthread_mutex_unlock(&cache->lock);
	err = fetch(arg, &token);
	pthread_mutex_lock(&cache->lock);
	entry->fetching = false;
	if (err) {
		keep_failure(entry, err);
	} else {
		token_release(&entry->token);
		entry->token = token;
	}
	pthread_cond_broadcast(&cache->changed);
	return err;
}

struct err *token_cache_get(struct token_cache *cache, const char *key,
			    struct err *(*fetch)(void *arg, struct token *ret), void *arg,
			    char **ret_text)
{
	struct err *err = NULL;
	struct entry *entry;
	uint64_t failures;

	pthread_mutex_lock(&cache->lock);
	entry = entry_of(cache, key);
	failures = entry->failures;
	while (entry->fetching)
		pthread_cond_wait(&cache->changed, &cache->lock);
	/* Who asked may have been told to stop: that says nothing to those whose work goes on. */
	if (failures != entry->failures && entry->kind != ERR_CANCELLED)
		err = same_failure(entry);
	else if (!is_good(entry))
		err = ask(cache, entry, fetch, arg);
	if (!err)
		*ret_text = xstrdup(entry->token.text);
	pthread_mutex_unlock(&cache->lock);
	return err;
}

void token_cache_drop(struct token_cache *cache, const char *key, const char *text)
{
	struct entry *entry;

	pthread_mutex_lock(&cache->lock);
	entry = map_get(&cache->entries, str_of(key));
	if (entry && !entry->fetching && entry->token.text && strcmp(entry->token.text, text) == 0)
		token_release(&entry->token);
	pthread_mutex_unlock(&cache->lock);
}
