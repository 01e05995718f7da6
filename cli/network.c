/* cli/network.c - see cli/network.h. */

#include "cli/network.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "builder/duration.h"
#include "registry/client.h"
#include "registry/location.h"

#define NANOSECONDS INT64_C(1000000000)

static void say(void *self, const char *line)
{
	(void)self;
	log_warn("%s", line);
}

static int tls_verify(int said)
{
	return said == SWITCH_ON  ? TLS_VERIFY_ALWAYS :
	       said == SWITCH_OFF ? TLS_VERIFY_NEVER :
				    TLS_VERIFY_CONFIGURED;
}

/* A duration, or a number of seconds; in milliseconds. */
static struct err *read_delay(const char *text, unsigned *ret)
{
	const struct str whole = str_of(text);
	int64_t delay;
	uint64_t seconds;
	AUTO(err) struct err *err = num_parse(whole, 0, NETWORK_WAIT_MAX, &seconds);

	*ret = 0;
	if (!err)
		delay = (int64_t)seconds * NANOSECONDS;
	else
		TRY(option_refuse(duration_parse(whole, &delay), "--retry-delay"));
	if (delay < 0 || delay / NANOSECONDS > NETWORK_WAIT_MAX)
		return err_new(ERR_USAGE, "option --retry-delay: '%.80s' is not between 0 and %d s",
			       text, NETWORK_WAIT_MAX);
	*ret = (unsigned)(delay / 1000000);
	return NULL;
}

struct err *network_open_as(const struct network_values *values, const char *host,
			    const char *creds, struct client **ret)
{
	struct client_opts opts = {
		.creds = creds,
		.creds_host = host,
		.authfile = values->authfile,
		.trusted_realms = &values->trusted_realms,
		.cert_dir = values->cert_dir,
		.tls_verify = tls_verify(values->tls_verify),
		.offline = values->offline,
		.retries = values->retry ? (unsigned)values->retry - 1 : 0,
		.never_again = values->retry == 1,
		.retry_max_wait = (unsigned)values->retry_max_wait,
		.say = say,
	};

	if (values->retry_delay)
		TRY(read_delay(values->retry_delay, &opts.retry_delay));
	*ret = client_new(&opts, (struct transport){ 0 });
	return NULL;
}

struct err *network_check_creds(const char *creds)
{
	if (!creds)
		return NULL;
	if (!creds[0] || creds[0] == ':')
		return err_new(ERR_USAGE, "option --creds: the user is missing");
	if (!strchr(creds, ':'))
		return err_note(err_new(ERR_USAGE, "option --creds: the password is missing"),
				"cairn login asks for one, or reads it with --password-stdin");
	log_warn("everybody on this machine can read a password on the command line");
	return NULL;
}

struct err *network_open(const struct network_values *values, const char *host, struct client **ret)
{
	TRY(network_check_creds(values->creds));
	return network_open_as(values, host, values->creds, ret);
}

const char *network_skip_scheme(const char *text)
{
	static const char *const schemes[] = { "docker://", "docker-image://" };

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
			return text + strlen(schemes[i]);
	return text;
}

struct err *network_named(struct err *err, const char *name)
{
	return err && !strstr(err_text(err), name) ? err_wrap(err, "%s", name) : err;
}

struct err *network_refuse_transport(const char *text)
{
	AUTO(location) struct location location = { 0 };
	AUTO(err) struct err *err = location_parse(text, &location);

	/* what is no name at all is for the parser of names to say, who says it better */
	if (err ? err_kind(err) != ERR_UNSUPPORTED :
		  location.kind == LOCATION_STORE || location.kind == LOCATION_REGISTRY)
		return NULL;
	return err_note(err_new(ERR_USAGE, "'%.300s' is not in a registry", text),
			"cairn copy reads and writes layouts and archives; an image in a registry "
			"with such a name is written docker.io/library/%.300s",
			text);
}

struct err *network_reference(const char *text, struct reference *ret)
{
	TRY(network_refuse_transport(text));
	return option_refuse(reference_parse(network_skip_scheme(text), ret), NULL);
}
