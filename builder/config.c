/* builder/config.c - see builder/config.h. */

#include "builder/config.h"

#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "builder/recipe.h"
#include "store/image.h"

/* The order in which other tools write the members; what is not listed follows, sorted. */
static const char *const document_order[] = { "created", "author", "architecture", "variant",
					      "os",      "config", "rootfs",       "history" };
static const char *const settings_order[] = {
	"Hostname",     "Domainname",   "User",        "AttachStdin",     "AttachStdout",
	"AttachStderr", "ExposedPorts", "Tty",         "OpenStdin",       "StdinOnce",
	"Env",          "Cmd",          "Healthcheck", "ArgsEscaped",     "Image",
	"Volumes",      "WorkingDir",   "Entrypoint",  "NetworkDisabled", "MacAddress",
	"OnBuild",      "Labels",       "StopSignal",  "StopTimeout",     "Shell"
};

/* Each must be of the given type where it stands at all: later code relies on it. */
static struct err *check_settings(const struct json_at *at)
{
	static const struct {
		const char *key;
		json_type type;
	} members[] = {
		{ "Env", JSON_ARRAY },         { "Cmd", JSON_ARRAY },
		{ "Entrypoint", JSON_ARRAY },  { "Shell", JSON_ARRAY },
		{ "OnBuild", JSON_ARRAY },     { "Labels", JSON_OBJECT },
		{ "Volumes", JSON_OBJECT },    { "ExposedPorts", JSON_OBJECT },
		{ "User", JSON_STRING },       { "WorkingDir", JSON_STRING },
		{ "StopSignal", JSON_STRING },
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		struct json_at member = json_member(at, members[i].key);

		if (!member.value)
			continue;
		if (json_typeof(member.value) != members[i].type)
			return json_error(&member, "has the wrong type");
		if (members[i].type != JSON_ARRAY)
			continue;
		for (size_t k = 0; k < json_length(&member); k++) {
			struct json_at item = json_element(&member, k);
			const char *text;

			TRY(json_get_text(&item, &text));
		}
	}
	return NULL;
}

static bool has_path(const struct config *config)
{
	AUTO(strings) struct strings env = { 0 };

	config_env(config, &env);
	vec_foreach (&env, pair)
		if (str_starts(str_of(*pair), "PATH="))
			return true;
	return false;
}

struct err *config_new(const json_t *base, struct config **ret)
{
	AUTO(config) struct config *config = xcalloc(1, sizeof(*config));
	json_t *settings = base ? json_object_get(base, "config") : NULL;

	config->document = base ? json_deep_copy(base) : json_object();
	config->settings = json_is_object(settings) ? json_deep_copy(settings) : json_object();
	if (base) {
		struct json_at root = json_root(config->document, "image config");
		struct json_at at = json_root(config->settings, "image config: config");
		struct json_at history = json_member(&root, "history");

		TRY(json_expect_object(&root));
		TRY(check_settings(&at));
		if (history.value)
			TRY(json_expect_array(&history));
	} else {
		config_set_text(config, "WorkingDir", "/");
	}
	if (!has_path(config))
		config_set_env(config, STR("PATH"), CONFIG_DEFAULT_PATH);
	*ret = STEAL(config);
	return NULL;
}

struct config *config_copy(const struct config *from)
{
	struct config *config = xcalloc(1, sizeof(*config));

	config->document = json_deep_copy(from->document);
	config->settings = json_deep_copy(from->settings);
	return config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	json_decref(config->document);
	json_decref(config->settings);
	free(config);
}

/* The array or object `key`, made if it is absent; borrowed. */
static json_t *member_of(struct config *config, const char *key, json_type type)
{
	json_t *member = json_object_get(config->settings, key);

	if (json_is_array(member) || json_is_object(member))
		return member;
	member = type == JSON_ARRAY ? json_array() : json_object();
	json_set(config->settings, key, member);
	return member;
}

void config_set_env(struct config *config, struct str name, const char *value)
{
	json_t *env = member_of(config, "Env", JSON_ARRAY);
	AUTO(mem) char *pair = xasprintf("%.*s=%s", STR_ARG(name), value);

	for (size_t i = 0; i < json_array_size(env); i++) {
		struct str have = str_of(json_string_value(json_array_get(env, i)));

		if (!str_equal(str_cut(&have, '='), name))
			continue;
		json_array_set_new(env, i, json_text(str_of(pair)));
		return;
	}
	json_push(env, json_text(str_of(pair)));
}

void config_set_label(struct config *config, const char *name, const char *value)
{
	json_set_text(member_of(config, "Labels", JSON_OBJECT), name, value);
}

void config_set_text(struct config *config, const char *key, const char *value)
{
	json_set_text(config->settings, key, value);
}

void config_set_author(struct config *config, const char *author)
{
	json_set_text(config->document, "author", author);
}

void config_set_cmd(struct config *config, const struct strings *argv)
{
	json_set(config->settings, "Cmd", json_texts(argv));
	json_set(config->settings, "ArgsEscaped", json_true());
	config->cmd_set = true;
}

void config_set_entrypoint(struct config *config, const struct strings *argv)
{
	json_set(config->settings, "Entrypoint", json_texts(argv));
	if (!config->cmd_set)
		json_object_del(config->settings, "Cmd");
}

void config_set_shell(struct config *config, const struct strings *argv)
{
	json_set(config->settings, "Shell", json_texts(argv));
}

void config_add_volume(struct config *config, const char *path)
{
	json_set(member_of(config, "Volumes", JSON_OBJECT), path, json_object());
}

void config_add_port(struct config *config, const char *port)
{
	json_set(member_of(config, "ExposedPorts", JSON_OBJECT), port, json_object());
}

void config_add_onbuild(struct config *config, const char *text)
{
	json_push(member_of(config, "OnBuild", JSON_ARRAY), json_text(str_of(text)));
}

void config_set_healthcheck(struct config *config, const struct strings *test,
			    const struct healthcheck *timing)
{
	json_t *check = json_object();
	const struct {
		const char *key;
		int64_t value;
	} members[] = {
		{ "Interval", timing->interval },
		{ "Timeout", timing->timeout },
		{ "StartPeriod", timing->start_period },
		{ "StartInterval", timing->start_interval },
		{ "Retries", timing->retries },
	};

	json_set(check, "Test", json_texts(test));
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (members[i].value != 0)
			json_set(check, members[i].key, json_integer(members[i].value));
	json_set(config->settings, "Healthcheck", check);
}

void config_unset(struct config *config, const char *key, const char *name)
{
	json_t *member = json_object_get(config->settings, key);

	if (!name) {
		json_object_del(config->settings, key);
		return;
	}
	json_object_del(member, name); /* does nothing to what is no object */
	for (size_t i = json_array_size(member); i-- > 0;) {
		struct str have = str_of(json_string_value(json_array_get(member, i)));

		if (str_is(str_cut(&have, '='), name))
			json_array_remove(member, i);
	}
	if (json_array_size(member) + json_object_size(member) == 0)
		json_object_del(config->settings, key);
}

void config_unset_author(struct config *config)
{
	json_object_del(config->document, "author");
}

const char *config_text(const struct config *config, const char *key)
{
	const char *text = json_string_value(json_object_get(config->settings, key));

	return text ? text : "";
}

void config_list(const struct config *config, const char *key, struct strings *ret)
{
	const json_t *list = json_object_get(config->settings, key);

	for (size_t i = 0; i < json_array_size(list); i++)
		strings_push(ret, json_string_value(json_array_get(list, i)));
}

void config_env(const struct config *config, struct strings *ret)
{
	config_list(config, "Env", ret);
}

void config_shell(const struct config *config, struct strings *ret)
{
	if (json_array_size(json_object_get(config->settings, "Shell")) > 0) {
		config_list(config, "Shell", ret);
		return;
	}
	strings_push(ret, "/bin/sh");
	strings_push(ret, "-c");
}

void config_take_onbuild(struct config *config, struct strings *ret)
{
	config_list(config, "OnBuild", ret);
	json_object_del(config->settings, "OnBuild");
}

json_t *config_history(const struct config *config)
{
	return json_object_get(config->document, "history");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A shallow copy of an object: the members of `order` first, all others sorted behind them. */
static json_t *in_order(json_t *object, const char *const *order, size_t count)
{
	json_t *sorted = json_object();
	VEC(const char *) rest = { 0 };
	const char *key;
	json_t *value;

	for (size_t i = 0; i < count; i++) {
		value = json_object_get(object, order[i]);
		if (value)
			json_object_set(sorted, order[i], value);
	}
	json_object_foreach(object, key, value) if (!json_object_get(sorted, key))
		vec_push(&rest, key);
	if (rest.len)
		qsort(rest.at, rest.len, sizeof(*rest.at), compare_names);
	vec_foreach (&rest, name)
		json_object_set(sorted, *name, json_object_get(object, *name));
	vec_release(&rest);
	return sorted;
}

static json_t *finish_settings(const struct config *config)
{
	static const char *const maps[] = { "ExposedPorts", "Volumes", "Labels" };
	json_t *settings = in_order(config->settings, settings_order, ARRAY_SIZE(settings_order));

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		json_t *map = json_object_get(settings, maps[i]);

		if (json_is_object(map))
			json_set(settings, maps[i], in_order(map, NULL, 0));
	}
	return settings;
}

json_t *config_finish(const struct config *config, const struct platform *platform,
		      const char *created, json_t *history, json_t *diff_ids)
{
	AUTO(json) json_t *document = json_copy(config->document);
	json_t *rootfs = json_object();

	json_set_text(rootfs, "type", "layers");
	json_object_set(rootfs, "diff_ids", diff_ids);
	json_set_text(document, "created", created);
	json_set_text(document, "architecture", platform->arch);
	json_set_text(document, "os", platform->os);
	if (platform->variant[0])
		json_set_text(document, "variant", platform->variant);
	json_set(document, "config", finish_settings(config));
	json_set(document, "rootfs", rootfs);
	json_object_set(document, "history", history);
	return in_order(document, document_order, ARRAY_SIZE(document_order));
}
