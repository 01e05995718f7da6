/*
 * tests/fuzz/fuzz_git_url.c - what is read as a repository's URL is nothing that git or ssh would take for an
 * option or a helper, its directory stays inside, and reading the remote again gives the same.
 *
 * A zero byte parts a URL from that of a submodule.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/git_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool law)
{
	if (!law)
		abort();
}

static void check_remote(const struct git_url *url)
{
	check(url->remote[0] && url->remote[0] != '-');
	check(url->authority[0] && url->authority[0] != '-');
	for (const char *c = url->remote; *c; c++)
		check((unsigned char)*c > ' ' && *c != 0x7f);
	if (!strstr(url->remote, "://")) {
		check(strstr(url->remote, ":")[1] != ':');
		return;
	}
	check(strstr(url->remote, "://")[3] != '-');
	check(str_starts(str_of(url->remote), "http://") ||
	      str_starts(str_of(url->remote), "https://") ||
	      str_starts(str_of(url->remote), "ssh://") ||
	      str_starts(str_of(url->remote), "git://"));
}

static void check_url(const struct git_url *url)
{
	AUTO(mem) char *subdir = xasprintf("/%s/", url->subdir);

	check_remote(url);
	check(!url->ref || (url->ref[0] && url->ref[0] != '-'));
	check(!url->ref || !strpbrk(url->ref, " ~^:?*[\\\n"));
	check(!strstr(subdir, "/../") && !strstr(subdir, "/./"));
	check(!url->subdir[0] || !strstr(subdir, "//"));
	check(!url->checksum || git_is_commit_prefix(url->checksum));
}

static void check_again(const struct git_url *url)
{
	AUTO(git_url) struct git_url again = { 0 };
	bool is;

	if (strpbrk(url->remote,
		    "?#")) /* of scp's: they belong to a path that came from elsewhere */
		return;
	check(!git_url_parse(url->remote, GIT_URL_CONTEXT, &is, &again));
	if (!is) /* github.com/x without its ".git" */
		return;
	check(strcmp(again.remote, url->remote) == 0);
	check(strcmp(again.authority, url->authority) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	AUTO(mem) char *text = str_dup(str_cut(&rest, '\0'));
	AUTO(mem) char *module = str_dup(rest);
	AUTO(git_url) struct git_url url = { 0 };
	AUTO(git_url) struct git_url sub = { 0 };
	AUTO(err) struct err *err = NULL;
	bool is;

	err = git_url_parse(text, GIT_URL_CONTEXT, &is, &url);
	if (err || !is) {
		check(!url.remote);
		return 0;
	}
	check_url(&url);
	check_again(&url);
	err = git_url_resolve(&url, module, &sub);
	if (err)
		return 0;
	check_remote(&sub);
	check(!sub.ref && !sub.subdir[0]);
	return 0;
}
