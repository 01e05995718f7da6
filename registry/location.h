/*
 * registry/location.h - what a user names as the source or target of a copy.
 *
 *	app, localhost:5000/app:1	an image of the store
 *	docker://REF			an image in a registry; also docker-image://REF
 *	oci:DIR[:NAME]			an OCI layout in a directory
 *	oci-archive:FILE[:NAME]		the same in a tar
 *	docker-archive:FILE[:NAME]	what `docker save` writes
 *
 * What comes before the first ":" decides, so an image of the store called "oci" is written
 * docker.io/library/oci:TAG. DIR and FILE end at the first ":" behind them. Other
 * transports of other tools are known by name and refused with a way out.
 */
#ifndef REGISTRY_LOCATION_H
#define REGISTRY_LOCATION_H

#include "base/mem.h"
#include "registry/reference.h"

struct err;

enum location_kind {
	LOCATION_STORE,
	LOCATION_REGISTRY,
	LOCATION_OCI_DIR,
	LOCATION_OCI_ARCHIVE,
	LOCATION_DOCKER_ARCHIVE,
};

struct location {
	enum location_kind kind;
	char *text;           /* LOCATION_STORE: a name or an id, as it was written; owned */
	char *path;           /* of a directory or file; owned. "-" is standard input or output */
	char *name;           /* which image in it, as it was written; NULL if not said; owned */
	struct reference ref; /* LOCATION_REGISTRY; tag and digest as they were written */
};

/* ERR_INVALID for what is no name, ERR_UNSUPPORTED for transports that cairn does not know, with
 * the remedy in the notes. LOCATION_STORE is not looked up: registry/find.h says whether it is. */
struct err *location_parse(const char *text, struct location *ret) MUST_USE;
void location_release(struct location *location);
/* "docker://docker.io/library/app:latest", "oci:dir:name"; owned. */
char *location_format(const struct location *location) MUST_USE;

static inline void location_auto_(struct location *location)
{
	location_release(location);
}

#endif
