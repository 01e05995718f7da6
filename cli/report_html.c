/* cli/report_html.c - see cli/report_html.h. */

#include "cli/report_html.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/text.h"

#define PAGE_MAX ((size_t)256 * 1024 * 1024)
#define ROW_HEIGHT 34  /* of a step in the timeline, pixels: its text, and its bar below */
#define LANE_HEIGHT 26 /* of the name of a stage */

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<title>Build report</title>\n<style>\n"
	":root{color-scheme:light dark;--bg:#fff;--fg:#1d2329;--dim:#5c6670;--line:#d9dee3;"
	"--done:#4a80c4;--cached:#7a8793;--failed:#cf3a3a;--critical:#e08a1e;--soft:#f4f6f8}\n"
	"@media (prefers-color-scheme:dark){:root{--bg:#14181c;--fg:#e4e8ec;--dim:#9aa5b0;"
	"--line:#323a42;--done:#6a9fe0;--cached:#8a97a3;--failed:#f06a6a;--critical:#f0a545;"
	"--soft:#1d2329}}\n"
	"body{background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif;"
	"max-width:72rem;margin:0 auto;padding:1rem}\n"
	"h1{font-size:1.5rem;margin:.2rem 0 1rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:0}\n"
	"dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}\n"
	".wide{overflow-x:auto}table{border-collapse:collapse;width:100%}\n"
	"th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;"
	"border-bottom:1px solid var(--line)}th{color:var(--dim);font-weight:500}\n"
	"td.s{white-space:nowrap}td.dim{min-width:11rem}td.n,th.n{text-align:right;white-space:nowrap}td.t{min-width:14rem;overflow-wrap:anywhere}\n"
	"code,pre{font:13px/1.4 ui-monospace,monospace}pre{background:var(--soft);padding:.7rem;"
	"white-space:pre-wrap;overflow-wrap:anywhere;border-left:4px solid var(--failed)}\n"
	"svg{display:block;width:100%}svg text{fill:var(--fg);font:12px ui-monospace,monospace}\n"
	"svg .lane{font-weight:700;font-family:system-ui,sans-serif}svg .dim{fill:var(--dim)}\n"
	".done{fill:var(--done)}.cached{fill:var(--cached)}.failed{fill:var(--failed)}"
	".cancelled{fill:none;stroke:var(--cached)}.critical{fill:var(--critical)}\n"
	".key span{margin-right:1rem;white-space:nowrap}.key svg{display:inline;width:12px;"
	"height:12px}.dim{color:var(--dim)}.bad{color:var(--failed)}\n"
	"@media print{:root{print-color-adjust:exact}body{max-width:none;padding:0;font-size:11px}.wide{overflow:visible}td.t,td.dim{min-width:0}td.s{white-space:normal}h2{break-after:avoid}tr{break-inside:avoid}}\n"
	"</style>\n</head>\n<body>\n";

/* ---- text ---- */

/* Outside text in HTML, between tags or in an attribute. */
static void add_text(struct buf *out, const char *text)
{
	AUTO(buf) struct buf safe = BUF_INIT(PAGE_MAX);

	text_escape(&safe, str_of(text), "\n");
	for (size_t i = 0; i < safe.len; i++)
		switch (safe.at[i]) {
		case '&':
			buf_adds(out, "&amp;");
			break;
		case '<':
			buf_adds(out, "&lt;");
			break;
		case '>':
			buf_adds(out, "&gt;");
			break;
		case '"':
			buf_adds(out, "&quot;");
			break;
		case '\'':
			buf_adds(out, "&#39;");
			break;
		default:
			buf_addc(out, safe.at[i]);
		}
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static uint64_t number_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static bool is(const json_t *object, const char *key, const char *want)
{
	const char *text = text_of(object, key);

	return text && strcmp(text, want) == 0;
}

/* A number in a form for people, and exactly for programs. */
static void add_duration(struct buf *out, uint64_t nanoseconds)
{
	char text[TEXT_DURATION_MAX];

	buf_addf(out, "<data value=\"%" PRIu64 "\">%s</data>", nanoseconds,
		 text_duration(nanoseconds, text));
}

static void add_size(struct buf *out, uint64_t bytes)
{
	char text[TEXT_SIZE_MAX];

	buf_addf(out, "<data value=\"%" PRIu64 "\">%s</data>", bytes, text_size(bytes, text));
}

static void cell_size(struct buf *out, const json_t *object, const char *key)
{
	buf_adds(out, "<td class=\"n\">");
	if (json_object_get(object, key))
		add_size(out, number_of(object, key));
	buf_adds(out, "</td>");
}

static void cell_duration(struct buf *out, const json_t *object, const char *key)
{
	buf_adds(out, "<td class=\"n\">");
	if (json_object_get(object, key))
		add_duration(out, number_of(object, key));
	buf_adds(out, "</td>");
}

static void cell_text(struct buf *out, const char *class, const char *text)
{
	buf_addf(out, "<td class=\"%s\">", class);
	add_text(out, text);
	buf_adds(out, "</td>");
}

static unsigned permille(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)((double)part * 1000 / (double)whole + 0.5) : 0;
}

/* ---- sections ---- */

static void add_row(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	buf_addf(out, "<dt>%s</dt><dd>", name);
	add_text(out, text);
	buf_adds(out, "</dd>\n");
}

static void add_images(struct buf *out, const json_t *images)
{
	for (size_t i = 0; i < json_array_size(images); i++) {
		const json_t *image = json_array_get(images, i);

		add_row(out, "Target", text_of(image, "target"));
		add_row(out, "Image", text_of(image, "image"));
		add_row(out, "Manifest", text_of(image, "manifest"));
	}
}

static void add_summary(struct buf *out, const json_t *document)
{
	const json_t *platforms = json_object_get(document, "platforms");

	buf_adds(out, "<h1>Build report</h1>\n<dl>\n<dt>Result</dt><dd>");
	if (is(document, "status", "failed"))
		buf_adds(out, "<b class=\"bad\">failed</b>");
	else
		add_text(out, text_of(document, "status"));
	buf_adds(out, "</dd>\n");
	add_row(out, "Recipe", text_of(document, "recipe"));
	add_row(out, "Context", text_of(document, "context"));
	add_row(out, "Context mode", text_of(document, "context_mode"));
	add_images(out, json_object_get(document, "images"));
	add_row(out, "Started", text_of(document, "started"));
	buf_adds(out, "<dt>Time</dt><dd>");
	add_duration(out, number_of(document, "duration"));
	buf_adds(out, "</dd>\n");
	for (size_t i = 0; i < json_array_size(platforms); i++)
		add_row(out, "Platform", json_string_value(json_array_get(platforms, i)));
	add_row(out, "Storage driver", text_of(document, "driver"));
	buf_addf(out, "<dt>Jobs</dt><dd>%" PRIu64 "</dd>\n", number_of(document, "jobs"));
	add_row(out, "cairn", text_of(document, "cairn"));
	add_row(out, "Build", text_of(document, "build"));
	buf_adds(out, "</dl>\n");
}

static void add_failure(struct buf *out, const json_t *document)
{
	const json_t *steps = json_object_get(document, "steps");

	if (!text_of(document, "error"))
		return;
	buf_adds(out, "<h2>Failure</h2>\n<p class=\"bad\">");
	add_text(out, text_of(document, "error"));
	buf_adds(out, "</p>\n");
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);

		if (!is(step, "status", "failed"))
			continue;
		buf_addf(out, "<p>Step #%" PRIu64 ": <code>", number_of(step, "step"));
		add_text(out, text_of(step, "text"));
		buf_adds(out, "</code></p>\n");
		if (!text_of(step, "output"))
			continue;
		buf_adds(out, "<pre>");
		add_text(out, text_of(step, "output"));
		buf_adds(out, "</pre>\n");
	}
}

static bool same_lane(const json_t *a, const json_t *b)
{
	const char *platform = text_of(a, "platform"), *stage = text_of(a, "stage");

	return is(b, "stage", stage ? stage : "") &&
	       (platform ? is(b, "platform", platform) : !text_of(b, "platform"));
}

/* The text of a step, and its bar below. */
static void add_bar(struct buf *out, const json_t *step, uint64_t whole, unsigned y)
{
	const unsigned begin = permille(number_of(step, "begin"), whole);
	const unsigned width = permille(number_of(step, "duration"), whole);
	const bool critical = json_is_true(json_object_get(step, "critical"));

	buf_addf(out, "<text x=\"0\" y=\"%u\">#%" PRIu64 " ", y + 12, number_of(step, "step"));
	add_text(out, text_of(step, "text"));
	buf_addf(
		out,
		"</text>\n<rect x=\"0\" y=\"%u\" width=\"100%%\" height=\"10\" fill=\"var(--soft)\"/>",
		y + 17);
	buf_addf(out,
		 "<rect x=\"%u.%u%%\" y=\"%u\" width=\"%u.%u%%\" height=\"10\" "
		 "style=\"min-width:3px\" class=\"",
		 begin / 10, begin % 10, y + 17, (width > 3 ? width : 3) / 10,
		 (width > 3 ? width : 3) % 10);
	add_text(out,
		 critical && !is(step, "status", "failed") ? "critical" : text_of(step, "status"));
	buf_adds(out, "\"><title>");
	add_text(out, text_of(step, "text"));
	buf_adds(out, "</title></rect>\n");
}

/* A stage's steps. Returns where the next one begins. */
static unsigned add_lane(struct buf *out, const json_t *steps, const json_t *first, uint64_t whole,
			 unsigned y)
{
	const char *platform = text_of(first, "platform");

	buf_addf(out, "<text class=\"lane\" x=\"0\" y=\"%u\">", y + 18);
	add_text(out, text_of(first, "stage"));
	if (platform) {
		buf_adds(out, " ");
		add_text(out, platform);
	}
	buf_adds(out, "</text>\n");
	y += LANE_HEIGHT;
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);

		if (!same_lane(first, step))
			continue;
		add_bar(out, step, whole, y);
		y += ROW_HEIGHT;
	}
	return y;
}

/* Whether a step is the first of its stage. */
static bool opens_lane(const json_t *steps, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (same_lane(json_array_get(steps, i), json_array_get(steps, at)))
			return false;
	return true;
}

static void add_key(struct buf *out)
{
	static const char *const kinds[][2] = { { "critical", "on the critical path" },
						{ "done", "ran" },
						{ "cached", "from the cache" },
						{ "failed", "failed" } };

	buf_adds(out, "<p class=\"key dim\">");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		buf_addf(out,
			 "<span><svg><rect width=\"12\" height=\"12\" class=\"%s\"/></svg> "
			 "%s</span> ",
			 kinds[i][0], kinds[i][1]);
	buf_adds(out, "</p>\n");
}

static void add_timeline(struct buf *out, const json_t *document)
{
	const json_t *steps = json_object_get(document, "steps");
	AUTO(buf) struct buf lanes = BUF_INIT(PAGE_MAX);
	unsigned y = 0;

	if (json_array_size(steps) == 0)
		return;
	buf_adds(out, "<h2>Timeline</h2>\n");
	add_key(out);
	for (size_t i = 0; i < json_array_size(steps); i++)
		if (opens_lane(steps, i))
			y = add_lane(&lanes, steps, json_array_get(steps, i),
				     number_of(document, "duration"), y);
	buf_addf(out, "<svg height=\"%u\" role=\"img\" aria-label=\"Timeline of the steps\">\n", y);
	buf_add_str(out, buf_str(&lanes));
	buf_adds(out, "</svg>\n");
}

static void add_critical(struct buf *out, const json_t *document)
{
	const json_t *path = json_object_get(document, "critical_path");
	const json_t *steps = json_object_get(document, "steps");
	const uint64_t whole = number_of(document, "duration");
	const unsigned share = permille(number_of(path, "duration"), whole);

	if (json_array_size(json_object_get(path, "steps")) == 0)
		return;
	buf_adds(out, "<h2>Critical path</h2>\n<p>");
	add_duration(out, number_of(path, "duration"));
	buf_addf(
		out,
		", %u.%u %% of the build: the longest chain of steps that wait for each other. "
		"More jobs do not make it shorter.</p>\n<div class=\"wide\"><table id=\"critical\">"
		"<tr><th class=\"n\">#</th><th>Stage</th><th>Step</th><th class=\"n\">Time</th>"
		"<th class=\"n\">Share</th></tr>\n",
		share / 10, share % 10);
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);
		const unsigned part = permille(number_of(step, "duration"), whole);

		if (!json_is_true(json_object_get(step, "critical")))
			continue;
		buf_addf(out, "<tr><td class=\"n\">%" PRIu64 "</td>", number_of(step, "step"));
		cell_text(out, "s", text_of(step, "stage"));
		cell_text(out, "t", text_of(step, "text"));
		cell_duration(out, step, "duration");
		buf_addf(out, "<td class=\"n\">%u.%u %%</td></tr>\n", part / 10, part % 10);
	}
	buf_adds(out, "</table></div>\n");
}

static void add_steps(struct buf *out, const json_t *document)
{
	const json_t *steps = json_object_get(document, "steps");

	if (json_array_size(steps) == 0)
		return;
	buf_adds(out, "<h2>Steps</h2>\n<div class=\"wide\"><table id=\"steps\"><tr>"
		      "<th class=\"n\">#</th><th>Stage</th><th>Step</th><th>Result</th>"
		      "<th>Reason</th><th class=\"n\">Time</th><th class=\"n\">CPU</th>"
		      "<th class=\"n\">Memory</th></tr>\n");
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);

		buf_addf(out, "<tr><td class=\"n\">%" PRIu64 "</td>", number_of(step, "step"));
		cell_text(out, "s", text_of(step, "stage"));
		cell_text(out, "t", text_of(step, "text"));
		cell_text(out, is(step, "status", "failed") ? "bad" : "s", text_of(step, "status"));
		cell_text(out, "dim", text_of(step, "reason"));
		cell_duration(out, step, "duration");
		cell_duration(out, step, "cpu_time");
		cell_size(out, step, "memory_peak");
		buf_adds(out, "</tr>\n");
	}
	buf_adds(out, "</table></div>\n");
}

static void add_waste(struct buf *out, const json_t *waste)
{
	const json_t *files = json_object_get(waste, "biggest");

	if (json_array_size(files) == 0)
		return;
	buf_adds(out, "<h2>Wasted space</h2>\n<p>");
	add_size(out, number_of(waste, "bytes"));
	buf_addf(
		out,
		" in %" PRIu64
		" file%s that later layers overwrite or delete, and that are stored and "
		"sent all the same. The biggest:</p>\n<div class=\"wide\"><table class=\"waste\"><tr>"
		"<th class=\"n\">Size</th><th>Path</th><th class=\"n\">Layer</th><th></th></tr>\n",
		number_of(waste, "files"), number_of(waste, "files") == 1 ? "" : "s");
	for (size_t i = 0; i < json_array_size(files); i++) {
		const json_t *file = json_array_get(files, i);

		buf_adds(out, "<tr>");
		cell_size(out, file, "size");
		cell_text(out, "t", text_of(file, "path"));
		buf_addf(out, "<td class=\"n\">%" PRIu64 "</td><td>", number_of(file, "layer"));
		add_text(out, text_of(file, "kind"));
		buf_addf(out, " by layer %" PRIu64 "</td></tr>\n", number_of(file, "by"));
	}
	buf_adds(out, "</table></div>\n");
}

static void add_layers(struct buf *out, const json_t *image)
{
	const json_t *layers = json_object_get(image, "layers");

	if (json_array_size(layers) == 0)
		return;
	buf_adds(out, "<h2>Layers");
	if (text_of(image, "target")) {
		buf_adds(out, " of ");
		add_text(out, text_of(image, "target"));
	}
	buf_adds(out,
		 "</h2>\n<div class=\"wide\"><table class=\"layers\"><tr><th class=\"n\">#</th>"
		 "<th>Made by</th><th class=\"n\">Compressed</th><th class=\"n\">Files' bytes</th>"
		 "<th class=\"n\">Entries</th><th class=\"n\">Wasted</th></tr>\n");
	for (size_t i = 0; i < json_array_size(layers); i++) {
		const json_t *layer = json_array_get(layers, i);

		buf_addf(out, "<tr><td class=\"n\">%" PRIu64 "</td>", number_of(layer, "layer"));
		cell_text(out, "t", text_of(layer, "created_by"));
		cell_size(out, layer, "size");
		cell_size(out, layer, "uncompressed");
		buf_adds(out, "<td class=\"n\">");
		if (json_object_get(layer, "entries"))
			buf_addf(out, "%" PRIu64, number_of(layer, "entries"));
		buf_adds(out, "</td>");
		cell_size(out, layer, "wasted");
		buf_adds(out, "</tr>\n");
	}
	buf_adds(out, "</table></div>\n");
	add_waste(out, json_object_get(image, "waste"));
}

static void add_warnings(struct buf *out, const json_t *document)
{
	const json_t *warnings = json_object_get(document, "warnings");

	if (json_array_size(warnings) == 0)
		return;
	buf_adds(out, "<h2>Warnings</h2>\n<ul id=\"warnings\">\n");
	for (size_t i = 0; i < json_array_size(warnings); i++) {
		const json_t *warning = json_array_get(warnings, i);

		buf_adds(out, "<li>");
		if (text_of(warning, "rule")) {
			buf_adds(out, "<code>");
			add_text(out, text_of(warning, "rule"));
			buf_adds(out, "</code> ");
		}
		add_text(out, text_of(warning, "text"));
		buf_adds(out, "</li>\n");
	}
	buf_adds(out, "</ul>\n");
}

char *report_html(const json_t *document)
{
	const json_t *images = json_object_get(document, "images");
	struct buf out = BUF_INIT(PAGE_MAX);

	buf_adds(&out, head);
	add_summary(&out, document);
	add_failure(&out, document);
	add_timeline(&out, document);
	add_critical(&out, document);
	add_steps(&out, document);
	for (size_t i = 0; i < json_array_size(images); i++)
		add_layers(&out, json_array_get(images, i));
	add_warnings(&out, document);
	buf_adds(&out, "</body>\n</html>\n");
	return buf_steal(&out);
}
