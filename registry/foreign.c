/* registry/foreign.c - see registry/foreign.h. */

#include "registry/foreign.h"

#include "base/err.h"
#include "base/mem.h"

struct err *foreign_kind(struct str head, const char *name, const char *then)
{
	static const struct {
		const char *magic, *kind, *program; /* which undoes it, to standard output */
	} kinds[] = {
		{ "\xfd"
		  "7zXZ",
		  "compressed by xz", "xz -dc" },
		{ "BZh", "compressed by bzip2", "bzip2 -dc" },
		{ "LZIP", "compressed by lzip", "lzip -dc" },
		{ "\x04\x22\x4d\x18", "compressed by lz4", "lz4 -dc" },
		{ "PK\x03\x04", "a zip archive", NULL },
		{ "hsqs", "a squashfs image", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct err *err;

		if (!str_starts(head, kinds[i].magic))
			continue;
		err = err_new(ERR_UNSUPPORTED, "it is %s, not a tar, plain or by gzip or zstd",
			      kinds[i].kind);
		if (!kinds[i].program)
			return err;
		return err_note(err, "%s %s | %s", kinds[i].program, name, then);
	}
	return NULL;
}
