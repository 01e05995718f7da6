/* cli/dns.c - see cli/dns.h. */

#include "cli/dns.h"

#include <string.h>

#include "base/err.h"

/* Each becomes a word of a line. */
static struct err *check_words(const struct strings *list, const char *option)
{
	vec_foreach (list, text)
		if (!(*text)[0] || strlen(*text) > 253 || strpbrk(*text, " \t\r\n#;"))
			return err_new(ERR_USAGE, "option %s: '%.80s' is no word", option, *text);
	return NULL;
}

static const char *const *list_of(struct strings *list)
{
	return list->len ? (const char *const *)strings_argv(list) : NULL;
}

struct err *dns_read(struct dns_values *values, struct resolver_wishes *ret)
{
	vec_foreach (&values->servers, text)
		if (!resolver_is_address(*text))
			return err_new(ERR_USAGE, "option --dns: '%.80s' is no address", *text);
	TRY(check_words(&values->searches, "--dns-search"));
	TRY(check_words(&values->options, "--dns-option"));
	*ret = (struct resolver_wishes){ .servers = list_of(&values->servers),
					 .searches = list_of(&values->searches),
					 .options = list_of(&values->options) };
	return NULL;
}
