/* cli/commands.c - the table of commands, in the order in which help shows them. */

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "base/userns.h"
#include "cli/command.h"
#include "cli/commands-private.h"
#include "overlay/driver.h"
#include "store/store.h"

#define DRIVER_VARIABLE "CAIRN_STORAGE_DRIVER"
#define MOUNTS_MAX ((size_t)4 * 1024 * 1024)

/* clang-format off */
const struct cli_command *const commands[] = {
	&command_build,
	&command_run,
	&command_shell,
	&command_images,
	&command_inspect,
	&command_history,
	&command_tag,
	&command_rmi,
	&command_pull,
	&command_push,
	&command_copy,
	&command_digest,
	&command_tags,
	&command_index,
	&command_delete,
	&command_login,
	&command_logout,
	&command_context,
	&command_lint,
	&command_lock,
	&command_parse,
	&command_import,
	&command_load,
	&command_save,
	&command_export,
	&command_info,
	&command_doctor,
	&command_du,
	&command_prune,
	&command_volume,
	&command_check,
	&command_help,
	&command_version,
	&command_complete,
};
/* clang-format on */
const size_t command_count = ARRAY_SIZE(commands);

const struct option global_options[] = {
	OPTION_PATH(struct cli, root, 0, "root", "DIR", "directory of the store"),
	OPTION_TEXT(struct cli, storage_driver, 0, "storage-driver", "NAME",
		    "how layers are stacked: auto, overlay, fuse-overlayfs, copy"),
	OPTION_FLAG(struct cli, debug, 0, "debug", "tell what goes on inside"),
	OPTION_FLAG(struct cli, help, 'h', "help", "show this text"),
	OPTION_FLAG(struct cli, version, 0, "version", "show the version"),
};
const size_t global_option_count = ARRAY_SIZE(global_options);

const struct cli_command *command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

struct err *command_unknown(const char *name)
{
	VEC(const char *) names = { 0 };
	struct err *err = err_new(ERR_USAGE, "unknown command '%.80s'", name);
	const char *near;

	for (size_t i = 0; i < command_count; i++)
		if (!commands[i]->hidden)
			vec_push(&names, commands[i]->name);
	near = text_nearest(str_of(name), names.at, names.len);
	vec_release(&names);
	return near ? err_note(err, "did you mean '%s'?", near) : err;
}

struct err *cli_be_root(void)
{
	return userns_enter();
}

/* Whether a part of /proc is covered, as containers do; a place that is made for a mount is none. */
static bool proc_is_covered(void)
{
	AUTO(buf) struct buf text = BUF_INIT(MOUNTS_MAX);
	AUTO(err) struct err *err = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTS_MAX, &text);
	struct str rest = err ? STR("") : buf_str(&text);

	while (rest.len) {
		struct str line = str_cut(&rest, '\n'), where = { 0 };

		for (int i = 0; i < 5; i++)
			where = str_cut(&line, ' ');
		if (str_starts(where, "/proc/") && !str_is(where, "/proc/sys/fs/binfmt_misc"))
			return true;
	}
	return false;
}

void cli_tell_ids(void)
{
	if (userns_mode() != USERNS_NONE && proc_is_covered())
		log_warn(
			"parts of /proc are hidden here, as in most containers: steps have the same "
			"/proc, and see the processes in it");
	if (userns_mode() == USERNS_SINGLE)
		log_warn(
			"this user has one id alone (%s): owners are recorded for the layers, but in "
			"a step every file and process is root's own, and stat shows no other owner; "
			"usermod --add-subuids and --add-subgids give more ids",
			userns_reason());
}

/* The driver that the option or the environment names. */
static struct err *read_driver(const struct cli *cli, enum driver *ret)
{
	const char *name = getenv(DRIVER_VARIABLE);

	*ret = DRIVER_AUTO;
	if (cli->storage_driver)
		return err_wrap(driver_parse(cli->storage_driver, ret), "--storage-driver");
	if (name && name[0])
		return err_wrap(driver_parse(name, ret), DRIVER_VARIABLE);
	return NULL;
}

struct err *cli_open_store(const struct cli *cli, struct store **ret)
{
	AUTO(mem) char *root = NULL;
	enum driver driver;

	TRY(read_driver(cli, &driver));
	TRY(store_find_root(cli->root, &root));
	TRY(store_open(root, ret));
	store_set_driver(*ret, driver);
	return NULL;
}
