/*
 * tests/fuzz/fuzz_credentials.c - what any document of credentials or answer of a helper gives is
 * whole: a kind with its secret, or none, and none with an error; an error about an answer shows
 * nothing of it.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "registry/config_paths.h"
#include "registry/credential_helper.h"
#include "registry/credentials-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_whole(const struct credential *found)
{
	if ((found->kind == CREDENTIAL_NONE) != !found->secret)
		abort();
	if (found->kind == CREDENTIAL_BASIC && !found->user)
		abort();
}

static void look_up(struct credentials *c, const char *host, const char *path)
{
	AUTO(credential) struct credential found = { 0 };
	AUTO(err) struct err *err = credentials_get(c, host, path, &found);

	if (err && found.secret)
		abort();
	must_be_whole(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	AUTO(mem) char *variable = xasprintf("DOCKER_AUTH_CONFIG=%.*s", STR_ARG(text));
	char *environment[] = { variable, NULL };
	struct config_paths paths = { .root = "/nonexistent", .environment = environment };
	struct credentials_opts opts = { .paths = &paths };
	struct credential_helper helper = { .suffix = "x", .server = "h" };
	AUTO(credentials) struct credentials *c = NULL;
	AUTO(credential) struct credential answer = { 0 };
	AUTO(err) struct err *err = credentials_new(&opts, &c);
	AUTO(err) struct err *refused = credential_answer_parse(&helper, text, &answer);

	if (err)
		abort();
	look_up(c, "h", "a/b");
	look_up(c, "docker.io", NULL);
	if (refused && strstr(err_text(refused), "secret"))
		abort();
	if (!refused)
		must_be_whole(&answer);
	return 0;
}
