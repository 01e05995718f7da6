/* overlay/resolver.c - see overlay/resolver.h. */

#include "overlay/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/err.h"

bool resolver_is_address(const char *text)
{
	unsigned char address[16];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* 0.0.0.0 is the own machine, too. */
static bool is_loopback(const char *text)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, text, &four) == 1)
		return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET || ntohl(four.s_addr) >> 24 == 0;
	return inet_pton(AF_INET6, text, &six) == 1 &&
	       (IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_UNSPECIFIED(&six));
}

static bool is_ipv4(const char *text)
{
	struct in_addr four;

	return inet_pton(AF_INET, text, &four) == 1;
}

/* The first word of a line, which loses it. */
static struct str take_word(struct str *line)
{
	struct str word = { line->at, 0 };

	while (word.len < line->len && !strchr(" \t", word.at[word.len]))
		word.len++;
	line->at += word.len;
	line->len -= word.len;
	*line = str_trim(*line);
	return word;
}

static void add_server(struct buf *ret, const char *address)
{
	buf_addf(ret, "nameserver %s\n", address);
}

/* `keyword` and all of the list in a line; a list of "." alone says that there is nothing. */
static void add_wishes(struct buf *ret, const char *keyword, const char *const *list)
{
	if (!list || !list[0] || (strcmp(list[0], ".") == 0 && !list[1]))
		return;
	buf_adds(ret, keyword);
	for (; *list; list++)
		buf_addf(ret, " %s", *list);
	buf_addc(ret, '\n');
}

/* The host's lines that no wish takes the place of, but servers, which `take` gets. */
static void add_host_lines(struct str host, const struct resolver_wishes *wishes, struct buf *ret,
			   void (*take)(struct buf *ret, struct str address, const char *forward),
			   const char *forward)
{
	while (host.len) {
		struct str line = str_trim(str_cut(&host, '\n'));
		const struct str whole = line;
		const struct str word = take_word(&line);

		if (str_is(word, "nameserver")) {
			if (!wishes->servers)
				take(ret, take_word(&line), forward);
		} else if (str_is(word, "search") || str_is(word, "domain")) {
			if (!wishes->searches)
				buf_addf(ret, "%.*s\n", STR_ARG(whole));
		} else if (str_is(word, "options")) {
			if (!wishes->options)
				buf_addf(ret, "%.*s\n", STR_ARG(whole));
		} else if (str_is(word, "sortlist")) {
			buf_addf(ret, "%.*s\n", STR_ARG(whole));
		}
	}
}

static void add_wanted(const struct resolver_wishes *wishes, struct buf *ret)
{
	for (const char *const *server = wishes->servers; server && *server; server++)
		add_server(ret, *server);
	add_wishes(ret, "search", wishes->searches);
	add_wishes(ret, "options", wishes->options);
}

static void take_as_it_is(struct buf *ret, struct str address, const char *forward)
{
	(void)forward;
	buf_addf(ret, "nameserver %.*s\n", STR_ARG(address));
}

void resolver_on_host(struct str host, const struct resolver_wishes *wishes, struct buf *ret)
{
	if (!wishes->servers && !wishes->searches && !wishes->options) {
		buf_add_str(ret, host);
		return;
	}
	add_host_lines(host, wishes, ret, take_as_it_is, NULL);
	add_wanted(wishes, ret);
}

static bool names_server(struct str text)
{
	while (text.len)
		if (str_starts(str_cut(&text, '\n'), "nameserver "))
			return true;
	return false;
}

/* The first one is asked by way of `forward`, too: pasta of 2023 gives every answer of the host's first
 * server that address as its source, and who asked the server itself waits for ever. */
static void take_reachable(struct buf *ret, struct str address, const char *forward)
{
	AUTO(mem) char *text = str_dup(address);

	if (is_ipv4(text))
		add_server(ret, is_loopback(text) || !names_server(buf_str(ret)) ? forward : text);
}

struct err *resolver_in_private(struct str host, const struct resolver_wishes *wishes,
				const char *forward, struct buf *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(ret->max);

	for (const char *const *server = wishes->servers; server && *server; server++)
		if (is_loopback(*server))
			return err_new(
				ERR_INVALID,
				"the server %s is the loopback's, which a private network does not reach",
				*server);
	add_host_lines(host, wishes, &text, take_reachable, forward);
	add_wanted(wishes, &text);
	if (!names_server(buf_str(&text)))
		return err_new(ERR_NOT_FOUND, "it names no server of IPv4");
	buf_add(ret, text.at, text.len);
	return NULL;
}
