/*
 * cli/table.h - rows for people: columns as wide as their widest cell.
 *
 *	AUTO(table) struct table table = { .columns = 2 };
 *	table_cell(&table, "NAME");
 *	table_cell(&table, "SIZE");
 *	...
 *	table_print(&table);
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

struct table {
	size_t columns;
	struct strings cells; /* row by row, escaped */
};

/* Add the next cell; outside text is escaped here. */
void table_cell(struct table *table, const char *text);
void table_cellf(struct table *table, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Append the whole table, two blanks between columns, none at the end of a line. */
void table_format(const struct table *table, struct buf *out);
void table_print(const struct table *table); /* to stdout */

static inline void table_auto_(struct table *table)
{
	strings_release(&table->cells);
}

#endif
