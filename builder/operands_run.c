/* builder/operands_run.c - see builder/operands_run.h. */

#include "builder/operands_run.h"

#include <strings.h>

#include "base/err.h"
#include "builder/flags.h"
#include "builder/heredoc.h"
#include "builder/mount.h"
#include "builder/operands.h"
#include "builder/words.h"

static struct err *take_mounts(const struct request *request, const struct words *texts,
			       struct run *run)
{
	run->mounts = arena_array(request->arena, texts->len, sizeof(*run->mounts));
	run->mount_count = texts->len;
	for (size_t i = 0; i < texts->len; i++) {
		AUTO(mem) char *from = NULL;

		TRY(mount_parse_from(str_of(texts->at[i]), &from));
		run->mounts[i].text = texts->at[i];
		if (from)
			run->mounts[i].from = arena_text(request->arena, str_of(from));
	}
	return NULL;
}

/* One field of --device: a name, or name=... and required[=...]. */
static struct err *take_device_field(struct device_flag *device, const char *field)
{
	struct str rest = str_of(field);
	struct str key = str_cut(&rest, '=');

	if (key.len == 8 && strncasecmp(key.at, "required", 8) == 0) {
		device->required = !rest.at || str_is(rest, "true") || str_is(rest, "1");
		if (rest.at && !device->required && !str_is(rest, "false") && !str_is(rest, "0"))
			return err_new(ERR_INVALID, "required is either true or false, not '%s'",
				       rest.at);
		return NULL;
	}
	if (device->name)
		return err_new(ERR_INVALID, "unexpected '%s' behind the name %s", field,
			       device->name);
	device->name =
		key.len == 4 && strncasecmp(key.at, "name", 4) == 0 && rest.at ? rest.at : field;
	return NULL;
}

static struct err *take_devices(const struct request *request, const struct words *texts,
				struct run *run)
{
	run->devices = arena_array(request->arena, texts->len, sizeof(*run->devices));
	run->device_count = texts->len;
	for (size_t i = 0; i < texts->len; i++) {
		struct words fields;

		TRY(err_wrap(words_csv(request->arena, str_of(texts->at[i]), &fields), "--device"));
		for (size_t k = 0; k < fields.len; k++)
			TRY(err_wrap(take_device_field(&run->devices[i], fields.at[k]),
				     "--device"));
		if (!operands_or_absent(run->devices[i].name))
			return err_new(ERR_INVALID, "--device=%s names no device", texts->at[i]);
	}
	return NULL;
}

/* Which of `names` a flag says, in `*ret`; an absent flag is the first. */
static struct err *take_choice(const char *flag, const char *value, const char *const *names,
			       size_t count, unsigned *ret)
{
	AUTO(buf) struct buf list = BUF_INIT(4096);

	*ret = 0;
	for (size_t i = 0; value && i < count; i++) {
		if (strcmp(value, names[i]) == 0) {
			*ret = (unsigned)i;
			return NULL;
		}
		buf_addf(&list, "%s%s", i ? ", " : "", names[i]);
	}
	if (!value)
		return NULL;
	return err_new(ERR_INVALID, "--%s: '%.80s' is none of: %s", flag, value, list.at);
}

static struct err *take_run_flags(const struct request *request, struct run *run)
{
	static const char *const networks[] = { "default", "none", "host" };
	static const char *const securities[] = { "sandbox", "insecure" };
	enum { MOUNT, NETWORK, SECURITY, DEVICE, COUNT };
	struct flag flags[COUNT] = {
		[MOUNT] = { .name = "mount", .type = FLAG_LIST },
		[NETWORK] = { .name = "network", .type = FLAG_TEXT },
		[SECURITY] = { .name = "security", .type = FLAG_TEXT },
		[DEVICE] = { .name = "device", .type = FLAG_LIST },
	};
	unsigned choice;

	TRY(flags_read(request->arena, &request->flags, flags, COUNT));
	TRY(take_mounts(request, &flags[MOUNT].list, run));
	TRY(take_devices(request, &flags[DEVICE].list, run));
	TRY(take_choice("network", flags[NETWORK].text, networks, ARRAY_SIZE(networks), &choice));
	run->network = (enum run_network)choice;
	TRY(take_choice("security", flags[SECURITY].text, securities, ARRAY_SIZE(securities),
			&choice));
	run->security = (enum run_security)choice;
	return NULL;
}

/* The line with its heredocs behind it, for a shell that knows heredocs itself. */
static const char *rebuild_script(const struct request *request)
{
	AUTO(buf) struct buf script = BUF_INIT(2 * SCRIPT_MAX);

	buf_add_str(&script, request->rest);
	for (size_t i = 0; i < request->heredocs.len; i++) {
		buf_addc(&script, '\n');
		buf_adds(&script, request->heredocs.at[i].body);
		buf_adds(&script, request->heredocs.at[i].name);
	}
	return arena_text(request->arena, buf_str(&script));
}

struct err *operands_parse_run(const struct request *request, struct instruction *ret)
{
	struct run *run = &ret->run;
	struct heredoc alone;

	TRY(take_run_flags(request, run));
	operands_take_command(request, &run->command);
	run->heredocs = request->heredocs;
	run->form = RUN_SHELL;
	if (request->json && request->list.len == 0)
		return operands_needs_one("RUN");
	if (request->json) {
		run->form = RUN_EXEC;
	} else if (run->heredocs.len == 0) {
		run->script = run->command.text;
	} else if (heredoc_parse(request->arena, request->rest, &alone)) {
		run->script = run->heredocs.at[0].content;
		if (str_starts(str_of(run->script), "#!"))
			run->form = RUN_SCRIPT;
	} else {
		run->script = rebuild_script(request);
	}
	return NULL;
}
