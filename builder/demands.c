/* builder/demands.c - see builder/demands.h. */

#include "builder/demands.h"

#include <ctype.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/text.h"
#include "builder/web_source.h"

/* ---- STOPSIGNAL and USER ---- */

/* "RTMIN", "RTMIN+1" to "RTMIN+15", "RTMAX-14" to "RTMAX-1", "RTMAX". */
static bool is_realtime(const char *name)
{
	const bool up = strncasecmp(name, "RTMIN", 5) == 0;
	AUTO(err) struct err *err = NULL;
	uint64_t distance;

	if (!up && strncasecmp(name, "RTMAX", 5) != 0)
		return false;
	if (!name[5])
		return true;
	if (name[5] != (up ? '+' : '-'))
		return false;
	err = num_parse(str_of(name + 6), 1, up ? 15 : 14, &distance);
	return !err;
}

/* A signal's number, or its name with or without "SIG". */
static bool is_signal(const char *text)
{
	static const char *const aliases[] = { "CLD", "IO", "IOT" }; /* of CHLD, POLL, ABRT */
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	AUTO(err) struct err *err = NULL;
	uint64_t number;

	for (int i = 1; i < NSIG; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcasecmp(known, name) == 0)
			return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcasecmp(aliases[i], name) == 0)
			return true;
	if (is_realtime(name))
		return true;
	err = num_parse(str_of(text), 1, NSIG - 1, &number);
	return !err;
}

struct err *demand_signal(const char *text)
{
	return is_signal(text) ? NULL : err_new(ERR_INVALID, "'%s' is no signal", text);
}

struct err *demand_user(const char *written, const char *user)
{
	if (strcmp(user, ":") == 0) /* now, and not in a RUN that may never come */
		return err_new(ERR_INVALID, "'%s' names neither a user nor a group", written);
	return NULL;
}

/* ---- EXPOSE ---- */

static const char *const protocols[] = { "tcp", "udp", "sctp" };

static bool read_protocol(struct str text, char *ret, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (strlen(protocols[i]) != text.len ||
		    strncasecmp(text.at, protocols[i], text.len) != 0)
			continue;
		memcpy(ret, protocols[i], text.len + 1 < size ? text.len + 1 : size);
		return true;
	}
	return false;
}

struct err *demand_ports(struct str word, struct port_range *ret)
{
	struct str proto = word;
	struct str range = str_cut(&proto, '/');
	const char *colon = memrchr(range.at, ':', range.len);
	struct str last;
	uint64_t from, to;

	if (colon)
		range = (struct str){ colon + 1, (size_t)(range.at + range.len - colon - 1) };
	if (!read_protocol(proto.len ? proto : STR("tcp"), ret->protocol, sizeof(ret->protocol)))
		return err_new(ERR_INVALID, "'%.*s': a port's protocol is tcp, udp or sctp",
			       STR_ARG(word));
	last = range;
	range = str_cut(&last, '-');
	TRY(err_wrap(num_parse(range, 0, 65535, &from), "port '%.*s'", STR_ARG(word)));
	to = from;
	if (last.at)
		TRY(err_wrap(num_parse(last, 0, 65535, &to), "port '%.*s'", STR_ARG(word)));
	if (to < from)
		return err_new(ERR_INVALID, "port range '%.*s' ends before it begins",
			       STR_ARG(word));
	ret->from = (unsigned)from;
	ret->to = (unsigned)to;
	return NULL;
}

/* ---- UNSET ---- */

static const struct unset_setting settings[] = {
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

static struct err *find_setting(const char *name, const struct unset_setting **ret)
{
	const char *names[ARRAY_SIZE(settings)];
	AUTO(mem) char *known = NULL;
	struct buf list = BUF_INIT(4096);
	const char *nearest;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		names[i] = settings[i].name;
		buf_addf(&list, "%s%s", i ? ", " : "", names[i]);
	}
	known = buf_steal(&list);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		*ret = &settings[i];
		if (strcasecmp(name, names[i]) == 0)
			return NULL;
	}
	nearest = text_nearest(str_of(name), names, ARRAY_SIZE(names));
	return err_new(ERR_INVALID, "'%s' cannot be unset%s%s%s; these can: %s", name,
		       nearest ? " (did you mean " : "", nearest ? nearest : "",
		       nearest ? "?)" : "", known);
}

struct err *demand_unset(const struct words *words, const struct unset_setting **ret)
{
	TRY(find_setting(words->at[0], ret));
	if ((*ret)->named != (words->len > 1))
		return err_new(ERR_INVALID,
			       (*ret)->named ? "UNSET %s needs the names of what to take away" :
					       "UNSET %s takes no names",
			       (*ret)->name);
	return NULL;
}

/* "80" or "80/tcp"; in lower case after it. */
static bool is_port(char *name)
{
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

struct err *demand_unset_name(const struct unset_setting *setting, char *name)
{
	if (!name[0])
		return err_new(ERR_INVALID, "UNSET: a name is empty");
	if (strcmp(setting->name, "ENV") == 0 && strchr(name, '='))
		return err_new(ERR_INVALID,
			       "UNSET ENV takes the names of variables, and '%s' is none", name);
	if (strcmp(setting->name, "EXPOSE") == 0 && !is_port(name))
		return err_new(ERR_INVALID,
			       "UNSET EXPOSE takes ports, as 80 and 53/udp, and '%s' is none",
			       name);
	return NULL;
}

/* ---- sources ---- */

static struct err *read_git(const struct copy *copy, const char *checksum, struct add_source *ret)
{
	const enum tristate flag = copy->keep_git_dir, url = ret->git.keep_git_dir;

	ret->kind = ADD_GIT;
	if (checksum && !git_is_commit_prefix(checksum))
		return err_new(
			ERR_INVALID,
			"--checksum=%.100s: of a repository it is the commit, or how that begins",
			checksum);
	if (checksum && ret->git.checksum && strcmp(ret->git.checksum, checksum) != 0)
		return err_new(ERR_INVALID, "--checksum and the URL name two commits: %s and %s",
			       checksum, ret->git.checksum);
	if (checksum && !ret->git.checksum)
		ret->git.checksum = xstrdup(checksum);
	if (flag != TRISTATE_UNSET && url != TRISTATE_UNSET && flag != url)
		return err_new(ERR_INVALID, "--keep-git-dir and the URL contradict each other");
	ret->keep_git_dir = flag == TRISTATE_TRUE || url == TRISTATE_TRUE;
	return NULL;
}

static struct err *read_web(const char *checksum, struct add_source *ret)
{
	ret->kind = ADD_WEB;
	ret->has_digest = checksum != NULL;
	return checksum ? err_wrap(digest_parse(checksum, &ret->digest), "--checksum") : NULL;
}

struct err *demand_add_source(const struct copy *copy, const char *source, const char *checksum,
			      struct add_source *ret)
{
	bool is_git;

	*ret = (struct add_source){ .kind = ADD_LOCAL };
	TRY(git_url_parse(source, GIT_URL_SOURCE, &is_git, &ret->git));
	if (is_git)
		return read_git(copy, checksum, ret);
	if (web_source_is_url(source))
		return read_web(checksum, ret);
	if (checksum)
		return err_new(ERR_INVALID,
			       "--checksum is for files of the web and repositories, and '%s' is "
			       "a file of the context",
			       source);
	return NULL;
}

void add_source_release(struct add_source *source)
{
	git_url_release(&source->git);
}

struct err *demand_copy_source(const char *source)
{
	AUTO(git_url) struct git_url url = { 0 };
	bool is_git;
	struct err *err = git_url_parse(source, GIT_URL_SOURCE, &is_git, &url);

	err_free(err); /* what is wrong about it does not matter */
	if (!is_git && !web_source_is_url(source))
		return NULL;
	return err_new(ERR_INVALID, "COPY cannot take %s: that is for ADD",
		       is_git ? "a repository" : "a file of the web");
}

/* ---- --from ---- */

struct err *demand_from(const struct recipe *recipe, const struct stage *stage, const char *text,
			bool numbers)
{
	AUTO(mem)
	char *name = stage->name ? xstrdup(stage->name) : xasprintf("stage-%zu", stage->index);
	const struct stage *late;

	if (numbers && text[0] && strspn(text, "0123456789") == strlen(text))
		return err_new(ERR_INVALID, "there is no stage %s before stage '%s'", text, name);
	late = recipe_find_stage(recipe, text, recipe->stage_count, false);
	if (late == stage)
		return err_new(ERR_INVALID, "stage '%s' cannot copy from itself", text);
	if (late)
		return err_new(ERR_INVALID,
			       "stage '%s' comes after stage '%s' and cannot be copied from", text,
			       name);
	return NULL;
}
