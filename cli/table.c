/* cli/table.c - see cli/table.h. */

#include "cli/table.h"

#include <stdio.h>

#include "base/text.h"
#include "cli/width.h"

#define GAP 2 /* blanks between columns */
#define TABLE_MAX ((size_t)256 * 1024 * 1024)

void table_cell(struct table *table, const char *text)
{
	vec_push(&table->cells, text_escaped(str_of(text)));
}

void table_cellf(struct table *table, const char *fmt, ...)
{
	AUTO(mem) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	table_cell(table, text);
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t widest = 0;

	for (size_t i = column; i < table->cells.len; i += table->columns) {
		size_t width = width_of(str_of(table->cells.at[i]));

		widest = width > widest ? width : widest;
	}
	return widest;
}

static void format_row(const struct table *table, size_t first, const size_t *widths,
		       struct buf *out)
{
	size_t owed = 0; /* blanks that are due once another cell comes */

	for (size_t column = 0; column < table->columns && first + column < table->cells.len;
	     column++) {
		struct str cell = str_of(table->cells.at[first + column]);

		if (cell.len > 0) {
			buf_addf(out, "%*s", (int)owed, "");
			buf_add_str(out, cell);
			owed = 0;
		}
		owed += widths[column] - width_of(cell) + GAP;
	}
	buf_addc(out, '\n');
}

void table_format(const struct table *table, struct buf *out)
{
	AUTO(mem) size_t *widths = xcalloc(table->columns, sizeof(*widths));

	for (size_t column = 0; column < table->columns; column++)
		widths[column] = column_width(table, column);
	for (size_t first = 0; first < table->cells.len; first += table->columns)
		format_row(table, first, widths, out);
}

void table_print(const struct table *table)
{
	AUTO(buf) struct buf text = BUF_INIT(TABLE_MAX);

	table_format(table, &text);
	fputs(text.at ? text.at : "", stdout);
}
