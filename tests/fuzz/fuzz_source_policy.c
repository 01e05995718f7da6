/*
 * tests/fuzz/fuzz_source_policy.c - a source policy from any bytes, and what it says of some sources.
 *
 * Laws: what is no policy is refused; a policy comes to an end about every source; and what it makes of a file
 * of the web it leaves as it is.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "builder/git_url.h"
#include "builder/source_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_web(const struct source_policy *policy, const char *url)
{
	AUTO(policy_web) struct policy_web once = { 0 };
	AUTO(policy_web) struct policy_web twice = { 0 };
	AUTO(err) struct err *err = source_policy_web(policy, url, NULL, &once);
	AUTO(err) struct err *again = NULL;

	if (err) { /* unsupported: a checksum of another kind */
		assert(err_kind(err) == ERR_DENIED || err_kind(err) == ERR_INVALID ||
		       err_kind(err) == ERR_UNSUPPORTED);
		return;
	}
	again = source_policy_web(policy, once.url, once.has_checksum ? &once.checksum : NULL,
				  &twice);
	assert(!again || once.has_checksum); /* another spelling of a checksum may be denied */
	assert(again || strcmp(once.url, twice.url) == 0);
}

static void check_image(const struct source_policy *policy, const char *name)
{
	AUTO(mem) char *meant = NULL;
	AUTO(err) struct err *err = source_policy_image(policy, name, &meant);

	assert(err ? err_kind(err) == ERR_DENIED || err_kind(err) == ERR_INVALID : meant[0]);
}

static void check_git(const struct source_policy *policy, const char *text)
{
	AUTO(git_url) struct git_url url = { 0 };
	AUTO(err) struct err *bad = NULL;
	AUTO(err) struct err *err = NULL;
	bool is = false;

	bad = git_url_parse(text, GIT_URL_CONTEXT, &is, &url);
	assert(!bad && is);
	err = source_policy_git(policy, &url);
	assert(!err || err_kind(err) == ERR_DENIED || err_kind(err) == ERR_INVALID);
	assert(url.remote);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(source_policy) struct source_policy *policy = NULL;
	AUTO(err) struct err *err = NULL;

	if (size > 2048)
		return 0;
	err = source_policy_parse("policy", (struct str){ (const char *)data, size }, &policy);
	if (err) {
		assert(err_kind(err) == ERR_INVALID || err_kind(err) == ERR_UNSUPPORTED);
		return 0;
	}
	check_web(policy, "https://example.com/a/b.tar");
	check_image(policy, "debian:12");
	check_image(policy, "a.example/b/c@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"
			    "d15d6c15b0f00a08");
	check_git(policy, "git@example.com:a/b.git#v1:sub");
	return 0;
}
