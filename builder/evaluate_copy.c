/* builder/evaluate_copy.c - COPY, what ADD shares with it, and the key that decides its result. */

#include "builder/evaluate-private.h"

#include <string.h>

#include "builder/build.h"
#include "builder/demands.h"
#include "builder/key.h"
#include "builder/scope.h"
#include "builder/web_source.h"
#include "registry/url.h"

/* Where the files come from: the build's context, or what --from says. */
static struct err *find_source(const struct site *site, struct plan_copy *copy)
{
	const char *from = site->in->copy.from;

	copy->from.context = site->plan->context;
	return from ? site_from(site, from, true, &copy->from) : NULL;
}

struct err *copy_select(const struct site *site, const struct plan_copy *copy, const char *pattern,
			struct selection *ret, struct key *key)
{
	AUTO(selection)
	struct selection found = { .excludes = &copy->excludes,
				   .parents = copy->parents,
				   .chmod = &copy->chmod };
	AUTO(hasher) struct hasher *h = hasher_new();
	AUTO(mem) char *name = xasprintf("source %s", pattern);
	struct digest digest;
	struct tree *tree;

	TRY(site_tree(site, copy->from.context, &tree));
	TRY(site_wrap(site, site_hint_json(site, pattern,
					   selection_add(&found, tree, pattern,
							 copy->from.context->what))));
	TRY(site_wrap(site, selection_digest(&found, tree, !copy->from.context->local,
					     site->plan->pool, h)));
	TRY(hasher_finish(h, &digest));
	key_add_digest(key, name, &digest);
	vec_foreach (&found, item)
		vec_push(ret, *item);
	found.len = 0;
	return NULL;
}

static struct err *key_of_sources(const struct site *site, struct plan_copy *copy, struct key *key)
{
	const struct digest *from = plan_from_key(&copy->from);

	if (from)
		key_add_digest(key, "from", from);
	vec_foreach (&copy->sources, source) {
		TRY(site_wrap(site, demand_copy_source(*source)));
		if (from)
			key_add(key, "source", *source);
		else
			TRY(copy_select(site, copy, *source, &copy->selection, key));
	}
	return NULL;
}

/* What is left out shows in the digests of sources from the context, but not of others. */
static void key_of_rules(const struct plan_copy *copy, struct key *key)
{
	if (copy->parents)
		key_add(key, "parents", "yes");
	if (!plan_from_key(&copy->from))
		return;
	vec_foreach (&copy->excludes, pattern)
		key_add(key, "exclude", *pattern);
}

/* The heredocs, filled in where no part of their names was quoted. */
static struct err *expand_heredocs(const struct site *site, struct plan_copy *copy)
{
	const struct heredocs *heredocs = &site->in->copy.heredocs;

	for (size_t i = 0; i < heredocs->len; i++) {
		const struct heredoc *heredoc = &heredocs->at[i];
		char *content;

		if (heredoc->expand)
			TRY(site_expand_heredoc(site, heredoc->content, &content));
		else
			content = xstrdup(heredoc->content);
		vec_push(&copy->texts, (struct plan_text){ xstrdup(heredoc->name), content });
	}
	return NULL;
}

struct err *copy_expand(const struct site *site, struct plan_copy *copy, char **ret_dest)
{
	const struct copy *in = &site->in->copy;
	AUTO(mem) char *dest = NULL;
	struct str end;

	for (size_t i = 0; i < in->sources.len; i++) {
		char *source;

		TRY(site_hint_json(site, in->sources.at[i],
				   site_expand(site, in->sources.at[i], &source)));
		vec_push(&copy->sources, source);
	}
	TRY(site_hint_json(site, in->destination, site_expand(site, in->destination, &dest)));
	end = str_of(dest);
	TRY(expand_heredocs(site, copy));
	words_to_strings(&in->excludes, &copy->excludes);
	copy->parents = in->parents;
	copy->link = in->link;
	copy->dest_is_dir = copy->sources.len + copy->texts.len > 1 || end.len == 0 ||
			    str_ends(end, "/") || str_is(end, ".") || str_ends(end, "/.");
	copy->dest = site_join_path(site_directory(site), dest);
	if (in->chown)
		TRY(site_expand(site, in->chown, &copy->chown));
	if (in->chmod) {
		TRY(site_expand(site, in->chmod, &copy->mode));
		TRY(site_wrap(site, chmod_parse(str_of(copy->mode), &copy->chmod)));
	}
	*ret_dest = STEAL(dest);
	return NULL;
}

/* Whether an owner has to be looked up. "root" has not. */
static bool has_names(const char *chown)
{
	struct str rest = str_of(chown);

	while (rest.len > 0) {
		struct str half = str_cut(&rest, ':');
		AUTO(mem) char *text = str_dup(half);

		if (!str_is(half, "root") && strspn(text, "0123456789") < half.len)
			return true;
	}
	return false;
}

void copy_row(const struct site *site, struct plan_step *step, const char *dest)
{
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);

	buf_adds(&row, step->copy.is_add ? "ADD" : "COPY");
	if (step->copy.parents)
		buf_adds(&row, " --parents");
	if (step->copy.chown)
		buf_addf(&row, " --chown=%s", step->copy.chown);
	if (step->copy.mode)
		buf_addf(&row, " --chmod=%s", step->copy.mode);
	vec_foreach (&step->copy.sources, source) {
		AUTO(mem)
		char *text = step->copy.is_add ? url_without_logins(*source) : xstrdup(*source);

		buf_addf(&row, " %s", text);
	}
	vec_foreach (&step->copy.texts, text)
		buf_addf(&row, " <<%s", text->name);
	buf_addf(&row, " %s # buildkit", dest);
	site_add_row(site, buf_steal(&row), step);
}

void copy_begin_key(const struct site *site, struct plan_step *step, struct key *key)
{
	static const char *const kinds[2][2] = { { "copy 2", "copy link 1" },
						 { "add 1", "add link 1" } };

	step->alone = step->copy.link;
	step->looks_below = step->alone && step->copy.chown && has_names(step->copy.chown);
	site_begin_key(site, step, kinds[step->copy.is_add][step->alone], key);
}

struct err *copy_end_key(const struct site *site, struct plan_step *step, struct key *key)
{
	const struct plan_copy *copy = &step->copy;

	vec_foreach (&copy->texts, text) {
		AUTO(mem) char *name = xasprintf("heredoc %s", text->name);

		key_add(key, name, text->content);
	}
	key_of_rules(copy, key);
	key_add(key, "destination", copy->dest);
	key_add(key, "into directory", copy->dest_is_dir ? "yes" : "no");
	key_add(key, "chown", copy->chown ? copy->chown : "");
	key_add(key, "chmod", copy->mode ? copy->mode : "");
	return site_end_key(site, step, key);
}

struct err *evaluate_copy(const struct site *site)
{
	AUTO(mem) char *dest = NULL;
	struct plan_copy found = { 0 };
	struct plan_step *step;
	AUTO(key) struct key key = { 0 };

	TRY(find_source(site, &found)); /* plans the other stage, and numbers its steps, first */
	step = site_add_step(site, STEP_COPY);
	step->copy = found;
	step_reads(step, &step->copy.from);
	TRY(copy_expand(site, &step->copy, &dest));
	copy_begin_key(site, step, &key);
	TRY(key_of_sources(site, &step->copy, &key));
	TRY(copy_end_key(site, step, &key));
	copy_row(site, step, dest);
	return NULL;
}
