/* cli/build_policy.c - see cli/build_policy.h. */

#include "cli/build_policy.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "builder/source_policy.h"
#include "cli/option.h"

#define VARIABLE "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"

struct err *build_policy_read(const char *path, struct source_policy **ret)
{
	const char *usual = getenv(VARIABLE);
	const char *what = path ? "option --source-policy-file" : VARIABLE;
	AUTO(buf) struct buf text = BUF_INIT(SOURCE_POLICY_MAX + 1);

	if (!path && usual && usual[0])
		path = usual;
	*ret = NULL;
	if (!path)
		return NULL;
	if (!path[0])
		return err_new(ERR_USAGE, "%s: an empty path is no file", what);
	TRY(err_wrap(file_read(AT_FDCWD, path, SOURCE_POLICY_MAX, &text), "%s", what));
	return err_wrap(option_refuse(source_policy_parse(path, buf_str(&text), ret), NULL), "%s",
			what);
}
