/* cli/build_attest.c - see cli/build_attest.h. */

#include "cli/build_attest.h"

#include "base/err.h"
#include "builder/build.h"

static struct err *read_specs(const struct build_attest_values *values, struct attest_opts *ret)
{
	vec_foreach (&values->attest, text)
		TRY(option_refuse(attest_spec_parse(*text, ret), "--attest"));
	vec_foreach (&values->provenance, text)
		TRY(option_refuse(attest_spec_parse_short("provenance", *text, ret),
				  "--provenance"));
	return NULL;
}

struct err *build_attest_read(const struct build_attest_values *values, struct attest_opts *ret,
			      struct build_opts *opts)
{
	TRY(read_specs(values, ret));
	if (ret->sbom)
		return err_new(ERR_UNSUPPORTED, "option --attest: lists of packages are not made yet");
	opts->attest = ret;
	if (!ret->provenance)
		return NULL;
	if (opts->format == IMAGE_DOCKER)
		return err_new(ERR_USAGE, "option --format: beside an image of docker's nothing "
					  "can be said; leave it out for --attest");
	opts->want_image = true;
	return NULL;
}
