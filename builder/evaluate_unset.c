/* builder/evaluate_unset.c - UNSET: take out of the config what a base or an earlier line has set. */

#include "builder/evaluate-private.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "builder/config.h"
#include "builder/expand.h"
#include "builder/scope.h"

/* What can be unset, by the instruction that sets it. */
static const struct {
	const char *name;
	const char *key; /* in the config; NULL: the author */
	bool named;      /* members of it, by their names */
} settings[] = {
	{ "CMD", "Cmd", false },
	{ "ENTRYPOINT", "Entrypoint", false },
	{ "ENV", "Env", true },
	{ "EXPOSE", "ExposedPorts", true },
	{ "HEALTHCHECK", "Healthcheck", false },
	{ "LABEL", "Labels", true },
	{ "MAINTAINER", NULL, false },
	{ "ONBUILD", "OnBuild", false },
	{ "SHELL", "Shell", false },
	{ "STOPSIGNAL", "StopSignal", false },
	{ "USER", "User", false },
	{ "VOLUME", "Volumes", true },
	{ "WORKDIR", "WorkingDir", false },
};

static struct err *find_setting(const struct site *site, const char *name, size_t *ret)
{
	const char *names[ARRAY_SIZE(settings)];
	AUTO(mem) char *known = NULL;
	AUTO(buf) struct buf list = BUF_INIT(TEXT_MAX_BYTES);
	const char *nearest;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		names[i] = settings[i].name;
		*ret = i;
		if (strcasecmp(name, names[i]) == 0)
			return NULL;
		buf_addf(&list, "%s%s", i ? ", " : "", names[i]);
	}
	nearest = text_nearest(str_of(name), names, ARRAY_SIZE(names));
	known = buf_steal(&list);
	return site_error(site, ERR_INVALID, "'%s' cannot be unset%s%s%s; these can: %s", name,
			  nearest ? " (did you mean " : "", nearest ? nearest : "",
			  nearest ? "?)" : "", known);
}

/* "80" or "80/tcp"; in lower case after it. */
static bool is_port(char *name)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	struct str protocol = str_of(name), number = str_cut(&protocol, '/');
	uint64_t port;
	AUTO(err) struct err *err = num_parse(number, 0, 65535, &port);

	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (!protocol.at || str_is(protocol, protocols[i]))
			return !err;
	return false;
}

/* What can never be there is a mistake. */
static struct err *check_member(const struct site *site, const char *key, char *name)
{
	if (!name[0])
		return site_error(site, ERR_INVALID, "UNSET: a name is empty");
	if (strcmp(key, "Env") == 0 && strchr(name, '='))
		return site_error(site, ERR_INVALID,
				  "UNSET ENV takes the names of variables, and '%s' is none", name);
	if (strcmp(key, "ExposedPorts") == 0 && !is_port(name))
		return site_error(site, ERR_INVALID,
				  "UNSET EXPOSE takes ports, as 80 and 53/udp, and '%s' is none",
				  name);
	return NULL;
}

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
	size_t i;

	TRY(find_setting(site, words->at[0], &i));
	if (settings[i].named != (words->len > 1))
		return site_error(site, ERR_INVALID,
				  settings[i].named ? "UNSET %s needs the names of what to take "
						      "away" :
						      "UNSET %s takes no names",
				  settings[i].name);
	for (size_t k = 1; k < words->len; k++) { /* all see the environment before this one */
		char *name;

		TRY(site_expand(site, words->at[k], &name));
		vec_push(&names, name);
		TRY(check_member(site, settings[i].key, name));
	}
	if (!settings[i].named)
		unset_whole(site, settings[i].key);
	buf_addf(&row, "UNSET %s", settings[i].name);
	vec_foreach (&names, name) {
		unset_member(site, settings[i].key, *name);
		buf_addf(&row, " %s", *name);
	}
	site_add_row(site, buf_steal(&row), NULL);
	return NULL;
}
