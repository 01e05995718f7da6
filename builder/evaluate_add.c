/* builder/evaluate_add.c - ADD: what its sources are, and the key that decides its result. */

#include "builder/evaluate-private.h"

#include <stdlib.h>
#include <string.h>

#include "builder/build.h"
#include "builder/demands.h"
#include "builder/git_source.h"
#include "builder/key.h"
#include "builder/remote_auth.h"
#include "builder/source_lock.h"
#include "builder/source_policy.h"
#include "builder/transfer.h"
#include "builder/web_source.h"
#include "registry/client.h"
#include "registry/url.h"

#define UNNAMED "__unnamed__" /* a file whose URL has no name for it */

/* What --checksum says; all NULL without it. */
struct expected {
	char *text; /* owned */
};

static void expected_auto_(struct expected *expected)
{
	free(expected->text);
}

/* ---- the web ---- */

static struct err *fetch(const struct site *site, const char *url, const struct digest *want,
			 struct web_source *ret)
{
	struct plan *plan = site->plan;
	const struct web_auth auth = remote_auth_web(plan->opts->secrets);
	AUTO(mem) char *shown = url_redacted(url);
	struct transfer transfer;
	const struct web_source_opts opts = { .store = plan->store,
					      .client = plan->opts->client,
					      .auth = &auth,
					      .checksum = want,
					      .progress = &transfer.progress };
	struct err *err;

	transfer_begin(&transfer, plan->opts->events, ++plan->transfers, "fetch", shown);
	err = web_source_get(&opts, url, ret);
	transfer_end(&transfer, err, ret->fetched);
	return err;
}

static void key_of_time(int64_t time, struct key *key)
{
	AUTO(mem) char *text = xasprintf("%jd", (intmax_t)time);

	key_add(key, "modified", text);
}

/* Hold what says nothing of its content to what the lock says of it. */
static struct err *lock_web(const struct plan *plan, struct plan_add *add, struct policy_web *web,
			    bool *ret_locked)
{
	const char *locked = NULL;

	*ret_locked = false;
	if (web->has_checksum)
		return NULL;
	add->source = url_without_logins(web->url);
	TRY(source_lock_find(plan->opts->lock, LOCKED_URL, add->source, &locked));
	if (!locked)
		return NULL;
	*ret_locked = web->has_checksum = true;
	return digest_parse(locked, &web->checksum);
}

static struct err *find_web(const struct site *site, const char *url,
			    const struct add_source *source, struct plan_add *add, struct key *key)
{
	const enum tristate unpack = site->in->copy.unpack;
	char *name = web_source_name(url);
	struct web_source found = { .size = 0 };
	AUTO(policy_web) struct policy_web web = { 0 };
	const struct digest *want = source->has_digest ? &source->digest : NULL;
	struct err *err;
	bool locked;

	add->unpack = unpack == TRISTATE_TRUE;
	add->name = name ? name : xstrdup(UNNAMED);
	TRY(source_policy_web(site->plan->opts->policy, url, want, &web));
	TRY(lock_web(site->plan, add, &web, &locked));
	err = fetch(site, web.url, web.has_checksum ? &web.checksum : NULL, &found);
	if (locked && err_kind(err) == ERR_CORRUPT)
		return err_note(err,
				"the latter is in %s; build --update-lock takes what is there now",
				source_lock_name(site->plan->opts->lock));
	TRY(err);
	add->url = STEAL(web.url);
	add->digest = found.digest;
	add->time = found.time;
	key_add(key, "file", add->name);
	key_add_digest(key, "content", &add->digest);
	key_of_time(add->time, key);
	return NULL;
}

/* ---- repositories ---- */

/* Which commit the URL means: a server may be slow to say. */
static struct err *resolve(const struct site *site, struct plan_add *add)
{
	struct plan *plan = site->plan;
	const struct git_source_opts opts = plan_git_opts(plan);
	const bool asks = !opts.offline && (!add->git.ref || !git_is_commit(add->git.ref));
	AUTO(mem) char *shown = url_redacted(add->git.remote);
	struct transfer transfer;
	struct err *err;

	if (!asks)
		return git_source_resolve(&opts, &add->git, add->commit);
	transfer_begin(&transfer, plan->opts->events, ++plan->transfers, "resolve", shown);
	err = git_source_resolve(&opts, &add->git, add->commit);
	transfer_end(&transfer, err, true);
	return err;
}

/* Take the commit that the lock has for the ref. */
static struct err *lock_git(const struct plan *plan, struct plan_add *add)
{
	const char *locked = NULL;

	add->source = source_lock_git(&add->git);
	if (!add->source)
		return NULL;
	TRY(source_lock_find(plan->opts->lock, LOCKED_GIT, add->source, &locked));
	if (locked) {
		free(add->git.ref);
		add->git.ref = xstrdup(locked);
	}
	return NULL;
}

static struct err *find_git(const struct site *site, struct add_source *source,
			    struct plan_add *add, struct key *key)
{
	add->git = source->git;
	source->git = (struct git_url){ 0 };
	add->keep_git_dir = source->keep_git_dir;
	TRY(source_policy_git(site->plan->opts->policy, &add->git));
	TRY(lock_git(site->plan, add));
	TRY(resolve(site, add));
	key_add(key, "commit", add->commit);
	key_add(key, "directory of the repository", add->git.subdir);
	key_add(key, "with .git", add->keep_git_dir ? add->git.remote : "no");
	key_add(key, "submodules", add->git.submodules == TRISTATE_FALSE ? "no" : "yes");
	return NULL;
}

/* ---- sources ---- */

static struct err *find_local(const struct site *site, struct plan_step *step, const char *source,
			      struct plan_add *add, struct key *key)
{
	struct err *err;

	add->unpack = site->in->copy.unpack != TRISTATE_FALSE;
	err = copy_select(site, &step->copy, source, &add->selection, key);
	return strstr(source, "://") ?
		       err_note(
			       err,
			       "of the web ADD takes http, https and git repositories; all else is a "
			       "path of the context") :
		       err;
}

static struct err *find_source(const struct site *site, struct plan_step *step, const char *source,
			       const struct expected *expected, struct key *key)
{
	AUTO(add_source) struct add_source what = { 0 };
	struct plan_add *add;

	vec_push(&step->copy.adds, (struct plan_add){ .kind = ADD_LOCAL });
	add = vec_last(&step->copy.adds);
	TRY(site_wrap(site, demand_add_source(&site->in->copy, source, expected->text, &what)));
	add->kind = what.kind;
	if (what.kind == ADD_GIT)
		return site_wrap(site, find_git(site, &what, add, key));
	if (what.kind == ADD_WEB)
		return site_wrap(site, find_web(site, source, &what, add, key));
	return find_local(site, step, source, add, key);
}

static struct err *find_expected(const struct site *site, const struct plan_copy *copy,
				 struct expected *ret)
{
	const char *text = site->in->copy.checksum;

	if (!text)
		return NULL;
	if (copy->sources.len + copy->texts.len > 1)
		return site_error(site, ERR_INVALID, "--checksum is for a single source");
	return site_expand(site, text, &ret->text);
}

/* Of sources from elsewhere what is left out does not show in their digests. */
static void key_of_rules(const struct plan_copy *copy, struct key *key)
{
	vec_foreach (&copy->excludes, pattern)
		key_add(key, "exclude", *pattern);
	vec_foreach (&copy->adds, add)
		key_add(key, "unpack", add->unpack ? "yes" : "no");
}

struct err *evaluate_add(const struct site *site)
{
	AUTO(mem) char *dest = NULL;
	AUTO(expected) struct expected expected = { 0 };
	AUTO(key) struct key key = { 0 };
	struct plan_step *step = site_add_step(site, STEP_COPY);

	step->copy.is_add = true;
	step->copy.from.context = site->plan->context;
	TRY(copy_expand(site, &step->copy, &dest));
	TRY(find_expected(site, &step->copy, &expected));
	copy_begin_key(site, step, &key);
	vec_foreach (&step->copy.sources, source)
		TRY(find_source(site, step, *source, &expected, &key));
	key_of_rules(&step->copy, &key);
	TRY(copy_end_key(site, step, &key));
	copy_row(site, step, dest);
	return NULL;
}
