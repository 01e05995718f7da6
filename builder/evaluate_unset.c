/* builder/evaluate_unset.c - UNSET: take out of the config what a base or an earlier line has set. */

#include "builder/evaluate-private.h"

#include <string.h>

#include "builder/config.h"
#include "builder/demands.h"
#include "builder/scope.h"

/* Ports are kept as "80/tcp". */
static char *member_name(const char *key, const char *name)
{
	if (strcmp(key, "ExposedPorts") == 0 && !strchr(name, '/'))
		return xasprintf("%s/tcp", name);
	return xstrdup(name);
}

static void unset_member(const struct site *site, const char *key, const char *name)
{
	AUTO(mem) char *member = member_name(key, name);

	config_unset(site->stage->config, key, member);
	if (strcmp(key, "Env") == 0)
		scope_unset(site->stage->scope, str_of(name));
}

static void unset_whole(const struct site *site, const char *key)
{
	if (!key)
		config_unset_author(site->stage->config);
	else
		config_unset(site->stage->config, key, NULL);
	if (key && strcmp(key, "Cmd") == 0) /* it says something of that alone */
		config_unset(site->stage->config, "ArgsEscaped", NULL);
}

struct err *evaluate_unset(const struct site *site)
{
	const struct words *words = &site->in->words;
	AUTO(strings) struct strings names = { 0 };
	struct buf row = BUF_INIT(TEXT_MAX_BYTES);
	const struct unset_setting *setting;

	TRY(site_wrap(site, demand_unset(words, &setting)));
	for (size_t k = 1; k < words->len; k++) { /* all see the environment before this one */
		char *name;

		TRY(site_expand(site, words->at[k], &name));
		vec_push(&names, name);
		TRY(site_wrap(site, demand_unset_name(setting, name)));
	}
	if (!setting->named)
		unset_whole(site, setting->key);
	buf_addf(&row, "UNSET %s", setting->name);
	vec_foreach (&names, name) {
		unset_member(site, setting->key, *name);
		buf_addf(&row, " %s", *name);
	}
	site_add_row(site, buf_steal(&row), NULL);
	return NULL;
}
