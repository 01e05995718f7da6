/* builder/operands_health.c - see builder/operands_health.h. */

#include "builder/operands_health.h"

#include <strings.h>

#include "base/err.h"
#include "builder/duration.h"
#include "builder/flags.h"
#include "builder/operands.h"
#include "builder/words.h"

/* Nanoseconds of a flag, 0 if it is absent, empty or zero. */
static struct err *take_interval(const char *name, const char *text, int64_t *ret)
{
	int64_t ns = 0;

	if (operands_or_absent(text))
		TRY(err_wrap(duration_parse(str_of(text), &ns), "--%s", name));
	if (ns != 0 && ns < 1000000)
		return err_new(ERR_INVALID, "--%s=%s is less than 1ms", name, text);
	*ret = ns;
	return NULL;
}

static struct err *take_retries(const char *text, int32_t *ret)
{
	struct str digits = str_of(text);
	uint64_t n = 0;

	if (str_starts(digits, "-"))
		return err_new(ERR_INVALID, "--retries cannot be negative (%s)", text);
	if (str_starts(digits, "+"))
		digits = (struct str){ digits.at + 1, digits.len - 1 };
	if (operands_or_absent(text))
		TRY(err_wrap(num_parse(digits, 0, INT32_MAX, &n), "--retries"));
	*ret = (int32_t)n;
	return NULL;
}

static struct err *take_health_flags(const struct request *request, struct healthcheck *health)
{
	enum { INTERVAL, TIMEOUT, START_PERIOD, START_INTERVAL, RETRIES, COUNT };
	struct flag flags[COUNT] = {
		[INTERVAL] = { .name = "interval", .type = FLAG_TEXT },
		[TIMEOUT] = { .name = "timeout", .type = FLAG_TEXT },
		[START_PERIOD] = { .name = "start-period", .type = FLAG_TEXT },
		[START_INTERVAL] = { .name = "start-interval", .type = FLAG_TEXT },
		[RETRIES] = { .name = "retries", .type = FLAG_TEXT },
	};

	TRY(flags_read(request->arena, &request->flags, flags, COUNT));
	TRY(take_interval("interval", flags[INTERVAL].text, &health->interval));
	TRY(take_interval("timeout", flags[TIMEOUT].text, &health->timeout));
	TRY(take_interval("start-period", flags[START_PERIOD].text, &health->start_period));
	TRY(take_interval("start-interval", flags[START_INTERVAL].text, &health->start_interval));
	return take_retries(flags[RETRIES].text, &health->retries);
}

/* What stands behind `HEALTHCHECK [flags] CMD`. */
static struct err *take_health_command(const struct request *request, struct command *command)
{
	TRY(words_json(request->arena, request->rest, &command->exec, &command->argv));
	if (!command->exec)
		command->text = arena_text(request->arena, request->rest);
	if (command->exec ? command->argv.len == 0 : !*command->text)
		return err_new(ERR_INVALID, "missing command after HEALTHCHECK CMD");
	return NULL;
}

struct err *operands_parse_healthcheck(const struct request *request, struct instruction *ret)
{
	struct healthcheck *health = &ret->healthcheck;
	struct request inner = *request;
	struct str form = words_first(&inner.rest);

	if (form.len == 0)
		return operands_needs_one("HEALTHCHECK");
	if (form.len == 4 && strncasecmp(form.at, "NONE", 4) == 0) {
		struct healthcheck unused;

		health->form = HEALTHCHECK_NONE;
		if (inner.rest.len > 0)
			return err_new(ERR_INVALID, "HEALTHCHECK NONE takes no arguments");
		return take_health_flags(request, &unused);
	}
	if (form.len != 3 || strncasecmp(form.at, "CMD", 3) != 0)
		return err_new(ERR_INVALID, "unknown type '%.*s' in HEALTHCHECK (try CMD)",
			       STR_ARG(form));
	health->form = HEALTHCHECK_CMD;
	TRY(take_health_flags(request, health));
	return take_health_command(&inner, &health->command);
}
