/*
 * builder/attest_spec.h - the values of --attest, --provenance and --sbom.
 *
 *	--attest type=provenance[,mode=min|max][,version=v0.2|v1][,builder-id=URI][,reproducible=BOOL]
 *	--attest type=sbom
 *	--provenance true|false|mode=...    --sbom true|false
 *
 * As docker buildx has it, `disabled=true` takes an attestation back, and the last word counts.
 */
#ifndef BUILDER_ATTEST_SPEC_H
#define BUILDER_ATTEST_SPEC_H

#include <stdbool.h>

#include "base/mem.h"

struct err;

enum provenance_mode { PROVENANCE_NONE, PROVENANCE_MIN, PROVENANCE_MAX };

/* All zero: nothing is attested. */
struct attest_opts {
	enum provenance_mode provenance;
	bool slsa_02;          /* version 0.2 of the predicate; else 1 */
	bool reproducible;     /* the user says so */
	char *builder_id;      /* owned; NULL: not said */
	bool sbom;             /* a list of packages */
	const char *sbom_file; /* also write it there; borrowed; NULL: nowhere */
};

void attest_opts_release(struct attest_opts *opts);

/* One value of --attest. ERR_INVALID, or ERR_UNSUPPORTED for a scanner. */
struct err *attest_spec_parse(const char *text, struct attest_opts *opts) MUST_USE;
/* A value of --provenance or --sbom: true, false, or parameters of --attest type=`type`. */
struct err *attest_spec_parse_short(const char *type, const char *text, struct attest_opts *opts)
	MUST_USE;

#endif
