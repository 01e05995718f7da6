/* builder/emulation.c - see builder/emulation.h. */

#include "builder/emulation.h"

#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"
#include "store/platform.h"

#define HANDLER_MAX ((size_t)64 * 1024)
#define HANDLERS_MAX 1000

/* Where an ELF header has them. */
enum { ELF_CLASS = 4, ELF_DATA = 5, ELF_MACHINE = 18, ELF_BYTES = 20 };
enum { CLASS_32 = 1, CLASS_64 = 2, LITTLE = 1, BIG = 2 };

/* How programs for a processor are known (ELF, e_machine). */
static const struct machine {
	const char *arch;
	unsigned class, data, machine;
} machines[] = {
	{ "386", CLASS_32, LITTLE, 3 },       { "amd64", CLASS_64, LITTLE, 62 },
	{ "arm", CLASS_32, LITTLE, 40 },      { "arm64", CLASS_64, LITTLE, 183 },
	{ "loong64", CLASS_64, LITTLE, 258 }, { "mips", CLASS_32, BIG, 8 },
	{ "mips64", CLASS_64, BIG, 8 },       { "mips64le", CLASS_64, LITTLE, 8 },
	{ "mipsle", CLASS_32, LITTLE, 8 },    { "ppc64", CLASS_64, BIG, 21 },
	{ "ppc64le", CLASS_64, LITTLE, 21 },  { "riscv64", CLASS_64, LITTLE, 243 },
	{ "s390x", CLASS_64, BIG, 22 },
};

static bool hex_digit(char c, unsigned *ret)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	*ret = at ? (unsigned)(at - digits) : 0;
	return at;
}

/* Byte `i` of "7f454c46...". */
static bool byte_at(struct str magic, size_t i, unsigned *ret)
{
	unsigned high, low;

	if (magic.len < 2 * i + 2 || !hex_digit(magic.at[2 * i], &high) ||
	    !hex_digit(magic.at[2 * i + 1], &low))
		return false;
	*ret = 16 * high + low;
	return true;
}

static bool is_magic_of(struct str magic, const struct machine *machine)
{
	const bool little = machine->data == LITTLE;
	unsigned class, data, first, second;

	if (magic.len < (size_t)2 * ELF_BYTES || !str_starts(magic, "7f454c46") ||
	    !byte_at(magic, ELF_CLASS, &class) || !byte_at(magic, ELF_DATA, &data) ||
	    !byte_at(magic, ELF_MACHINE, &first) || !byte_at(magic, ELF_MACHINE + 1, &second))
		return false;
	return class == machine->class && data == machine->data &&
	       machine->machine == (little ? first + 256 * second : 256 * first + second);
}

/* The file of a handler: "enabled", and lines such as "flags: OCF" and "magic 7f45...". */
static bool is_handler_of(struct str text, const struct machine *machine)
{
	bool enabled = false, fixed = false, fits = false;

	while (text.at && text.len > 0) {
		struct str line = str_cut(&text, '\n');
		struct str value = line;
		struct str key = str_cut(&value, ' ');

		enabled = enabled || str_is(line, "enabled");
		if (str_is(key, "flags:") && value.at)
			fixed = memchr(value.at, 'F', value.len);
		if (str_is(key, "magic") && value.at)
			fits = is_magic_of(value, machine);
	}
	return enabled && fixed && fits;
}

static bool has_handler(const char *handlers, const struct machine *machine)
{
	AUTO(strings) struct strings names = { 0 };
	AUTO(fd) int fd = -1;
	/* where it cannot be read there is none */
	struct err *err = file_open_dir(AT_FDCWD, handlers, &fd);

	if (!err)
		err = file_list(fd, ".", &names);
	err_free(err);
	for (size_t i = 0; i < names.len && i < HANDLERS_MAX; i++) {
		AUTO(buf) struct buf text = BUF_INIT(HANDLER_MAX);

		if (strcmp(names.at[i], "register") == 0) /* is only written to */
			continue;
		err = file_read(fd, names.at[i], HANDLER_MAX, &text);
		if (!err && is_handler_of(buf_str(&text), machine))
			return true;
		err_free(err);
	}
	return false;
}

bool emulation_runs(const char *handlers, const struct platform *platform)
{
	struct platform host;

	platform_host(&host);
	if (strcmp(platform->os, host.os) != 0)
		return false;
	if (strcmp(platform->arch, host.arch) == 0)
		return true;
	if (strcmp(platform->arch, "386") == 0 && strcmp(host.arch, "amd64") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (strcmp(platform->arch, machines[i].arch) == 0)
			return has_handler(handlers, &machines[i]);
	return false;
}
