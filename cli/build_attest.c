/* cli/build_attest.c - see cli/build_attest.h. */

#include "cli/build_attest.h"

#include "base/err.h"
#include "base/output.h"
#include "builder/build.h"

static struct err *read_specs(const struct build_attest_values *values, struct attest_opts *ret)
{
	vec_foreach (&values->attest, text)
		TRY(option_refuse(attest_spec_parse(*text, ret), "--attest"));
	vec_foreach (&values->provenance, text)
		TRY(option_refuse(attest_spec_parse_short("provenance", *text, ret),
				  "--provenance"));
	vec_foreach (&values->sbom, text)
		TRY(option_refuse(attest_spec_parse_short("sbom", *text, ret), "--sbom"));
	return NULL;
}

static struct err *refuse_scanner(void)
{
	return err_note(
		err_new(ERR_UNSUPPORTED,
			"no scanner is run, and nothing is put into the image: the options "
			"--sbom-scanner-..., --sbom-merge-strategy, --sbom-image-... and "
			"--sbom-purl-output do not exist"),
		"--sbom puts the list of packages beside the image, --sbom-output writes it");
}

struct err *build_attest_read(const struct build_attest_values *values, struct attest_opts *ret,
			      struct build_opts *opts)
{
	if (values->scanner)
		return refuse_scanner();
	TRY(read_specs(values, ret));
	ret->sbom_file = values->sbom_output;
	opts->attest = ret;
	if (!ret->provenance && !ret->sbom && !ret->sbom_file)
		return NULL;
	if (opts->format == IMAGE_DOCKER && (ret->provenance || ret->sbom))
		return err_new(ERR_USAGE, "option --format: beside an image of docker's nothing "
					  "can be said; leave it out for --attest");
	opts->want_image = true;
	return NULL;
}

struct err *build_attest_check(const struct build_attest_values *values)
{
	return values->sbom_output ?
		       err_wrap(output_check(values->sbom_output), "option --sbom-output") :
		       NULL;
}
