/* builder/git_progress.c - see builder/git_progress.h. */

#include "builder/git_progress.h"

#include <string.h>

#include "base/err.h"
#include "base/progress.h"

#define BYTES_MAX (UINT64_C(1) << 60)

/* "1.50 MiB": a number with at most two digits behind its point, and a unit. */
static uint64_t size_of(struct str text)
{
	static const struct {
		const char *name;
		unsigned shift;
	} units[] = { { "bytes", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };
	struct str unit = text, fraction = str_cut(&unit, ' '), whole = str_cut(&fraction, '.');
	uint64_t n = 0, hundredths = 0;

	err_free(num_parse(whole, 0, UINT32_MAX, &n)); /* what is no number is 0 */
	if (fraction.len == 2)
		err_free(num_parse(fraction, 0, 99, &hundredths));
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (str_is(unit, units[i].name))
			return (n << units[i].shift) + ((hundredths << units[i].shift) / 100);
	return 0;
}

static uint64_t read_line(struct str line)
{
	struct str rest = line, size;

	if (!str_starts(str_trim(line), "Receiving objects:"))
		return 0;
	(void)str_cut(&rest, ',');
	size = str_cut(&rest, '|');
	return size_of(str_trim(size));
}

uint64_t git_progress_read(struct str text)
{
	uint64_t last = 0;

	while (text.len > 0) {
		uint64_t bytes = read_line(str_cut(&text, '\r'));

		if (bytes)
			last = bytes;
	}
	return last;
}

void git_progress_settle(struct git_progress *progress, uint64_t bytes)
{
	if (bytes <= progress->told || bytes > BYTES_MAX)
		return;
	progress_advance(progress->progress, progress->id, bytes - progress->told);
	progress->told = bytes;
}

void git_progress_hear(void *self, struct str text)
{
	git_progress_settle(self, git_progress_read(text));
}
