/* cli/security.c - see cli/security.h. */

#include "cli/security.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "overlay/capability.h"
#include "overlay/seccomp-rules.h"

#define PROFILE_MAX ((size_t)1024 * 1024)

static struct err *read_capabilities(const struct security_values *values,
				     struct sandbox_security *ret)
{
	struct capability_change change = { 0 };

	vec_foreach (&values->added, text)
		TRY(option_refuse(capability_change_add(&change, *text, true), "--cap-add"));
	vec_foreach (&values->dropped, text)
		TRY(option_refuse(capability_change_add(&change, *text, false), "--cap-drop"));
	ret->capabilities_given = values->added.len > 0 || values->dropped.len > 0;
	return option_refuse(capability_change_apply(&change, &ret->capabilities), "--cap-add");
}

static struct err *read_profile(const char *path, struct security *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(PROFILE_MAX);

	TRY(err_wrap(file_read(AT_FDCWD, path, PROFILE_MAX, &text), "option --security-opt"));
	free(ret->profile);
	ret->profile = buf_steal(&text);
	return NULL;
}

/* "no-new-privileges" and its long form; docker has ':' for '=' as well. */
static struct err *read_option(const char *text, struct security *ret)
{
	const struct str whole = str_of(text);
	const size_t len = strcspn(text, "=:");
	const struct str name = { text, len };
	const char *value = text[len] ? text + len + 1 : NULL;

	if (str_is(name, "no-new-privileges") &&
	    (!value || strcmp(value, "true") == 0 || strcmp(value, "false") == 0)) {
		ret->sandbox.no_new_privileges = !value || value[0] == 't';
		return NULL;
	}
	if (str_is(name, "seccomp") && value && value[0]) {
		ret->sandbox.unconfined = strcmp(value, "unconfined") == 0;
		if (ret->sandbox.unconfined || strcmp(value, "builtin") == 0) {
			free(STEAL(ret->profile));
			return NULL;
		}
		return read_profile(value, ret);
	}
	return err_new(ERR_USAGE,
		       "option --security-opt: '%.*s' is none of: seccomp=PROFILE, "
		       "seccomp=unconfined, no-new-privileges",
		       whole.len < 80 ? (int)whole.len : 80, whole.at);
}

struct err *security_read(const struct security_values *values, struct security *ret)
{
	AUTO(seccomp_rules) struct seccomp_rules rules = { 0 };

	TRY(read_capabilities(values, &ret->sandbox));
	vec_foreach (&values->options, text)
		TRY(read_option(*text, ret));
	ret->sandbox.profile = ret->profile;
	if (!ret->profile)
		return NULL;
	/* before anything runs */
	return option_refuse(seccomp_rules_parse(str_of(ret->profile), "seccomp profile",
						 ret->sandbox.capabilities, &rules),
			     "--security-opt");
}

void security_release(struct security *security)
{
	free(security->profile);
}
