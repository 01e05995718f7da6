/*
 * builder/scope.c - names and values, in the order in which they were written.
 *
 * A variable that is written again moves to the end, as the environment of a
 * step shows it. Lists are scanned: a stage has a few dozen variables.
 */

#include "builder/scope.h"

#include <strings.h>

#include "base/err.h"
#include "base/map.h"

static const char *const proxies[] = { "http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
				       "all_proxy" };

/* ---- build arguments ---- */

struct build_arg {
	char *value;
	bool used;
};

struct build_args {
	struct map args; /* name -> struct build_arg */
};

static void build_arg_free(void *value)
{
	struct build_arg *arg = value;

	if (arg)
		free(arg->value);
	free(arg);
}

struct build_args *build_args_new(void)
{
	return xcalloc(1, sizeof(struct build_args));
}

void build_args_free(struct build_args *args)
{
	if (!args)
		return;
	map_release(&args->args, build_arg_free);
	free(args);
}

void build_args_set(struct build_args *args, struct str name, const char *value)
{
	struct build_arg *arg = xcalloc(1, sizeof(*arg));

	arg->value = xstrdup(value);
	build_arg_free(map_put(&args->args, name, arg));
}

const char *build_args_get(struct build_args *args, struct str name)
{
	struct build_arg *arg = map_get(&args->args, name);

	if (!arg)
		return NULL;
	arg->used = true;
	return arg->value;
}

/* Which of the proxies `name` spells, in any case; NULL for none. */
static const char *find_proxy(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
		if (strcasecmp(name, proxies[i]) == 0)
			return proxies[i];
	return NULL;
}

/* True for what is taken without an ARG: proxies, and what is meant for the builder itself. */
static bool is_builtin(const char *name)
{
	static const char *const names[] = {
		"BUILDKIT_BUILD_NAME",
		"BUILDKIT_CACHE_MOUNT_NS",
		"BUILDKIT_CONTEXT_KEEP_GIT_DIR",
		"BUILDKIT_DOCKERFILE_CHECK",
		"BUILDKIT_INLINE_CACHE",
		"BUILDKIT_MULTI_PLATFORM",
		"BUILDKIT_SANDBOX_HOSTNAME",
		"BUILDKIT_SBOM_SCAN_CONTEXT",
		"BUILDKIT_SBOM_SCAN_STAGE",
		"BUILDKIT_SYNTAX",
		"SOURCE_DATE_EPOCH",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return find_proxy(name);
}

void build_args_unused(const struct build_args *args, struct strings *ret)
{
	map_foreach (&args->args, entry) {
		const struct build_arg *arg = entry->value;

		if (!arg->used && !is_builtin(entry->key))
			strings_push(ret, entry->key);
	}
}

void build_args_pairs(const struct build_args *args, struct strings *ret)
{
	map_foreach (&args->args, entry) {
		const struct build_arg *arg = entry->value;

		if (!find_proxy(entry->key))
			vec_push(ret, xasprintf("%s=%s", entry->key, arg->value));
	}
}

/* ---- scopes ---- */

struct variable {
	char *name;
	char *value;
	bool argument; /* nobody but ARGs has set it */
};

struct scope {
	struct build_args *args;
	const struct scope *global;     /* NULL in the global scope itself */
	VEC(struct variable) variables; /* the one written last at the end */
	VEC(struct variable) declared;  /* ARGs in order of declaration; a value may be NULL */
};

struct scope *scope_new(struct build_args *args)
{
	struct scope *scope = xcalloc(1, sizeof(*scope));

	scope->args = args;
	return scope;
}

struct scope *scope_new_stage(const struct scope *global)
{
	struct scope *scope = scope_new(global->args);

	scope->global = global;
	return scope;
}

struct scope *scope_new_child(const struct scope *parent)
{
	struct scope *scope = scope_new(parent->args);

	scope->global = parent->global;
	vec_foreach (&parent->variables, v)
		vec_push(&scope->variables,
			 (struct variable){ xstrdup(v->name), xstrdup(v->value), v->argument });
	vec_foreach (&parent->declared, v)
		vec_push(&scope->declared,
			 (struct variable){ xstrdup(v->name), xstrdup(v->value), true });
	return scope;
}

void scope_free(struct scope *scope)
{
	if (!scope)
		return;
	vec_foreach (&scope->variables, v) {
		free(v->name);
		free(v->value);
	}
	vec_foreach (&scope->declared, v) {
		free(v->name);
		free(v->value);
	}
	vec_release(&scope->variables);
	vec_release(&scope->declared);
	free(scope);
}

/* Where `name` stands among the variables; their number if nowhere. */
static size_t find_variable(const struct scope *scope, struct str name)
{
	size_t i = 0;

	while (i < scope->variables.len && !str_is(name, scope->variables.at[i].name))
		i++;
	return i;
}

void scope_unset(struct scope *scope, struct str name)
{
	size_t i = find_variable(scope, name);
	struct variable *old;

	if (i == scope->variables.len)
		return;
	old = &scope->variables.at[i];
	free(old->name);
	free(old->value);
	memmove(old, old + 1, (scope->variables.len - i - 1) * sizeof(*old));
	scope->variables.len--;
}

static void set(struct scope *scope, struct str name, const char *value, bool argument)
{
	struct variable variable = { str_dup(name), xstrdup(value), argument };

	scope_unset(scope, name);
	vec_push(&scope->variables, variable);
}

void scope_env(struct scope *scope, struct str name, const char *value)
{
	set(scope, name, value, false);
}

/* Whether a variable would be there without the ARGs. */
static bool is_of_env(const struct scope *scope, struct str name)
{
	const size_t i = find_variable(scope, name);

	return i < scope->variables.len && !scope->variables.at[i].argument;
}

const char *scope_get(const struct scope *scope, struct str name)
{
	size_t i = find_variable(scope, name);

	return i < scope->variables.len ? scope->variables.at[i].value : NULL;
}

static const char *get_for_expansion(const void *scope, struct str name)
{
	return scope_get(scope, name);
}

struct expander scope_expander(const struct scope *scope, char escape, struct expand_report *report)
{
	return (struct expander){
		.escape = escape,
		.get = get_for_expansion,
		.arg = scope,
		.report = report,
	};
}

void scope_set_automatic(struct scope *global, const char *name, const char *value)
{
	const char *given = build_args_get(global->args, str_of(name));

	scope_env(global, str_of(name), given ? given : value);
}

/* Note that an ARG declared `name`; the last value counts, the first place. */
static void declare(struct scope *scope, const char *name, const char *value)
{
	vec_foreach (&scope->declared, v) {
		if (strcmp(v->name, name) != 0)
			continue;
		free(v->value);
		v->value = xstrdup(value);
		return;
	}
	vec_push(&scope->declared, (struct variable){ xstrdup(name), xstrdup(value), true });
}

/* Declared like any other, but never a variable. */
static bool is_scan_option(const char *name)
{
	return strcmp(name, "BUILDKIT_SBOM_SCAN_CONTEXT") == 0 ||
	       strcmp(name, "BUILDKIT_SBOM_SCAN_STAGE") == 0;
}

static struct err *take_arg(struct scope *scope, const struct pair *arg, char escape,
			    struct expand_report *report)
{
	struct str name = str_of(arg->key);
	const char *value = build_args_get(scope->args, name);
	AUTO(mem) char *expanded = NULL;

	if (!value && arg->value) {
		struct expander expander = scope_expander(scope, escape, report);

		TRY(expand_text(&expander, str_of(arg->value), EXPAND_WORD, &expanded));
		value = expanded;
	} else if (!value && scope->global) {
		value = scope_get(scope->global, name);
	}
	if (value && !is_scan_option(arg->key))
		set(scope, name, value, !is_of_env(scope, name));
	declare(scope, arg->key, value);
	return NULL;
}

struct err *scope_arg(struct scope *scope, const struct pairs *args, char escape,
		      struct expand_report *report)
{
	for (size_t i = 0; i < args->len; i++)
		TRY(take_arg(scope, &args->at[i], escape, report));
	return NULL;
}

bool scope_is_declared(const struct scope *scope, struct str name)
{
	vec_foreach (&scope->declared, v)
		if (str_is(name, v->name))
			return true;
	return false;
}

void scope_names(const struct scope *scope, struct strings *ret)
{
	vec_foreach (&scope->variables, v)
		strings_push(ret, v->name);
	vec_foreach (&scope->declared, v)
		if (find_variable(scope, str_of(v->name)) == scope->variables.len)
			strings_push(ret, v->name);
}

static void push_setting(struct strings *list, const char *name, const char *value)
{
	AUTO(mem) char *setting = xasprintf("%s=%s", name, value);

	strings_push(list, setting);
}

void scope_environment(const struct scope *scope, struct strings *ret)
{
	vec_foreach (&scope->variables, v)
		push_setting(ret, v->name, v->value);
}

/* ---- what a RUN has no use for ---- */

struct texts {
	const char **at;
	size_t len, cap;
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* Nothing names what no shell could: that is left alone. */
static bool is_name(const char *text)
{
	while (is_word(*text))
		text++;
	return !*text;
}

/* Take the words of a text out of what waits to be named: name -> value. The values come into `texts`, since
 * they may name others. */
static void name_words(const char *text, struct map *waiting, struct texts *texts)
{
	while (*text) {
		struct str word = { text, 0 };
		const char *value;

		while (is_word(text[word.len]))
			word.len++;
		text += word.len ? word.len : 1;
		value = word.len ? map_get(waiting, word) : NULL;
		if (!value)
			continue;
		vec_push(texts, value);
		map_put(waiting, word, NULL);
	}
}

void scope_unused(const struct scope *scope, const struct strings *texts, struct strings *ret)
{
	struct map waiting = MAP_INIT;
	struct texts all = { 0 };

	vec_foreach (&scope->declared, v) {
		const char *value = scope_get(scope, str_of(v->name));

		if (is_name(v->name) && !is_builtin(v->name) && !is_of_env(scope, str_of(v->name)))
			map_put(&waiting, str_of(v->name), (char *)(value ? value : ""));
	}
	vec_foreach (texts, text)
		vec_push(&all, *text);
	vec_foreach (&scope->variables, v)
		if (!map_has(&waiting, str_of(v->name)))
			vec_push(&all, v->value);
	for (size_t i = 0; i < all.len; i++)
		name_words(all.at[i], &waiting, &all);
	map_foreach (&waiting, entry)
		if (entry->value)
			strings_push(ret, entry->key);
	map_release(&waiting, NULL);
	vec_release(&all);
}

/* The value that --build-arg gives to a proxy in whatever case, the last one given. */
static const char *proxy_value(const struct scope *scope, const char *proxy)
{
	const char *value = NULL;

	map_foreach (&scope->args->args, entry)
		if (strcasecmp(entry->key, proxy) == 0)
			value = ((const struct build_arg *)entry->value)->value;
	return value;
}

void scope_proxies(const struct scope *scope, struct strings *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++) {
		const char *value = proxy_value(scope, proxies[i]);
		AUTO(mem) char *upper = xstrdup(proxies[i]);

		if (!value)
			continue;
		for (char *c = upper; *c; c++)
			if (*c != '_')
				*c = (char)(*c - 'a' + 'A');
		push_setting(ret, upper, value);
		push_setting(ret, proxies[i], value);
	}
}

void scope_history_args(const struct scope *scope, struct strings *ret)
{
	vec_foreach (&scope->declared, v) {
		const char *value = scope_get(scope, str_of(v->name));

		if (!value)
			value = v->value ? v->value : "";
		push_setting(ret, v->name, value);
	}
}
