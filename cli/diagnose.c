/* cli/diagnose.c - see cli/diagnose.h. */

#include "cli/diagnose.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/json.h"
#include "builder/check.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/term.h"

#define SARIF_SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"
#define ERROR_RULE "BuildError"

const char *const diagnose_format_names[] = { "text", "json", "sarif", NULL };

static const struct lints *lints_of(const struct check *check)
{
	static const struct lints none;

	return check->recipe ? &check->recipe->lints : &none;
}

/* ---- for people ---- */

static void print_text(const struct check *check)
{
	const bool colours = term_has_colours(STDOUT_FILENO);
	const struct lints *lints = lints_of(check);

	vec_foreach (lints, lint) {
		AUTO(buf) struct buf out = BUF_INIT(MESSAGE_MAX);
		AUTO(buf) struct buf excerpt = BUF_INIT((size_t)64 * 1024);
		unsigned line;
		const char *file = script_place(check->recipe->script, lint->position.line, &line);
		AUTO(mem) char *text = xasprintf("%s:%u: %s", file, line, lint->text);

		script_excerpt(check->recipe->script, &lint->position, &excerpt);
		message_format_remark(lint->rule, text, excerpt.at, colours, &out);
		printf("%s\n", out.at);
	}
	if (lints->len > 0)
		printf("%zu warning%s\n", lints->len, lints->len == 1 ? "" : "s");
	else if (!check->error)
		puts("no warnings");
}

/* ---- as BuildKit says it ---- */

static json_t *json_position(unsigned line)
{
	json_t *position = json_object();

	json_set(position, "line", json_integer(line));
	return position;
}

static json_t *json_location(const struct position *at)
{
	json_t *location = json_object(), *ranges = json_array(), *range = json_object();

	json_set(range, "start", json_position(at->line));
	json_set(range, "end", json_position(at->line_end < at->line ? at->line : at->line_end));
	json_push(ranges, range);
	json_set(location, "ranges", ranges);
	return location;
}

static json_t *json_warning(const struct lint *lint)
{
	json_t *warning = json_object();

	json_set_text(warning, "ruleName", lint->rule);
	json_set_text(warning, "description", lint_rule_find(lint->rule)->about);
	json_set_text(warning, "detail", lint->text);
	json_set(warning, "location", json_location(&lint->position));
	return warning;
}

json_t *diagnose_json(const struct check *check)
{
	const struct lints *lints = lints_of(check);
	AUTO(mem) char *data = base64_encode(check_bytes(check));
	json_t *document = json_object(), *warnings = json_array(), *sources = json_array();
	json_t *source = json_object();

	vec_foreach (lints, lint)
		json_push(warnings, json_warning(lint));
	json_set_text(source, "fileName", check->path);
	json_set_text(source, "language", "Dockerfile");
	json_set_text(source, "data", data);
	json_push(sources, source);
	json_set(document, "warnings", warnings);
	json_set(document, "sources", sources);
	if (check->error) {
		json_t *error = json_object();

		json_set_text(error, "message", err_text(check->error));
		json_set(document, "buildError", error);
	}
	return document;
}

/* ---- SARIF ---- */

static json_t *sarif_text(const char *text)
{
	json_t *message = json_object();

	json_set_text(message, "text", text);
	return message;
}

static json_t *sarif_rule(const char *name, const char *about, const char *level)
{
	AUTO(mem) char *help = xasprintf("docs/lint.md, section %s", name);
	json_t *rule = json_object(), *configuration = json_object();

	json_set_text(rule, "id", name);
	json_set_text(rule, "name", name);
	json_set(rule, "shortDescription", sarif_text(about));
	json_set(rule, "help", sarif_text(help));
	json_set_text(configuration, "level", level);
	json_set(rule, "defaultConfiguration", configuration);
	return rule;
}

/* A path as the reference of a URI (RFC 3986): what is neither unreserved nor a slash is escaped. */
static char *uri_of(const char *path)
{
	struct buf uri = BUF_INIT((size_t)1024 * 1024);

	for (const char *c = path; *c; c++) {
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		    (*c >= '0' && *c <= '9') || strchr("/-._~", *c))
			buf_addc(&uri, *c);
		else
			buf_addf(&uri, "%%%02X", (unsigned)(uint8_t)*c);
	}
	return buf_steal(&uri);
}

/* The path of the file that a line is from, and which it is there: a Recipe may include others. */
static char *path_of_line(const struct check *check, unsigned line, unsigned *ret_line)
{
	const size_t len = strlen(check->path), name_len = strlen(check->name);
	const char *file = check->name;

	*ret_line = line;
	if (check->recipe)
		file = script_place(check->recipe->script, line, ret_line);
	return strcmp(file, check->name) == 0 ?
		       xstrdup(check->path) :
		       xasprintf("%.*s%s", (int)(len > name_len ? len - name_len : 0), check->path,
				 file);
}

/* `at` may be NULL: the file as a whole. */
static json_t *sarif_locations(const struct check *check, const struct position *at)
{
	unsigned line;
	AUTO(mem) char *path = path_of_line(check, at ? at->line : 1, &line);
	AUTO(mem) char *uri = uri_of(path);
	json_t *locations = json_array(), *location = json_object(), *physical = json_object();
	json_t *artifact = json_object(), *region = json_object();

	json_set_text(artifact, "uri", uri);
	json_set(physical, "artifactLocation", artifact);
	json_set(region, "startLine", json_integer(line));
	if (at)
		json_set(region, "endLine",
			 json_integer(at->line_end < at->line ? line :
								line + (at->line_end - at->line)));
	json_set(physical, "region", region);
	json_set(location, "physicalLocation", physical);
	json_push(locations, location);
	return locations;
}

static json_t *sarif_result(const struct check *check, const char *rule, size_t index,
			    const char *level, const char *text, const struct position *at)
{
	json_t *result = json_object();

	json_set_text(result, "ruleId", rule);
	json_set(result, "ruleIndex", json_integer((json_int_t)index));
	json_set_text(result, "level", level);
	json_set(result, "message", sarif_text(text));
	json_set(result, "locations", sarif_locations(check, at));
	return result;
}

static json_t *sarif_tool(void)
{
	json_t *tool = json_object(), *driver = json_object(), *rules = json_array();

	for (size_t i = 0; i < lint_rule_count; i++)
		json_push(rules, sarif_rule(lint_rules[i].name, lint_rules[i].about, "warning"));
	json_push(rules, sarif_rule(ERROR_RULE, "the Recipe can be built", "error"));
	json_set_text(driver, "name", "cairn");
	json_set_text(driver, "version", CAIRN_VERSION);
	json_set(driver, "rules", rules);
	json_set(tool, "driver", driver);
	return tool;
}

static json_t *sarif_results(const struct check *check)
{
	const struct lints *lints = lints_of(check);
	json_t *results = json_array();

	vec_foreach (lints, lint) {
		const size_t index = (size_t)(lint_rule_find(lint->rule) - lint_rules);

		json_push(results, sarif_result(check, lint->rule, index, "warning", lint->text,
						&lint->position));
	}
	if (check->error) {
		const struct position *at = &check->error_position;

		json_push(results, sarif_result(check, ERROR_RULE, lint_rule_count, "error",
						err_text(check->error), at->line ? at : NULL));
	}
	return results;
}

json_t *diagnose_sarif(const struct check *check)
{
	json_t *document = json_object(), *runs = json_array(), *run = json_object();

	json_set(run, "tool", sarif_tool());
	json_set(run, "results", sarif_results(check));
	json_push(runs, run);
	json_set_text(document, "$schema", SARIF_SCHEMA);
	json_set_text(document, "version", "2.1.0");
	json_set(document, "runs", runs);
	return document;
}

struct err *diagnose_print(struct check *check, enum diagnose_format format)
{
	if (format == DIAGNOSE_TEXT) {
		print_text(check);
	} else {
		AUTO(json)
		json_t *document =
			format == DIAGNOSE_JSON ? diagnose_json(check) : diagnose_sarif(check);

		output_json(document);
	}
	return STEAL(check->error);
}
