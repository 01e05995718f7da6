/*
 * builder/cdi.h - devices by name: the Container Device Interface.
 *
 * A vendor's spec file says what a device is made of: device nodes, files and
 * directories of the machine, variables. Its name is "VENDOR/CLASS=NAME"; the part
 * before "=" is its kind. `VENDOR/CLASS` alone asks for the first device of a kind by
 * name, `=*` for all, and `=WORD` for those whose annotation
 * "org.mobyproject.buildkit.device.class" is WORD if none is called so.
 *
 * Files are JSON (version 1.1 of the specification and those before it) in directories of
 * which a later one wins over an earlier one. Those that are not understood are
 * passed over with a warning, as the specification has it, since none of their
 * devices may be wanted. Nothing in a file is executed: hooks are left out, and told of.
 */
#ifndef BUILDER_CDI_H
#define BUILDER_CDI_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/volume.h"

struct err;

/* What a container gets. */
struct cdi_edits {
	struct volumes volumes; /* with variables */
	bool more;              /* the file asks for something that is not done here */
};

struct cdi_device {
	char *name;   /* what stands behind "=" */
	char *word;   /* of the annotation for classes; NULL: none */
	bool allowed; /* "org.mobyproject.buildkit.device.autoallow": nobody has to allow it */
	struct cdi_edits edits;
};

/* One file. */
struct cdi_spec {
	char *file;    /* for texts */
	unsigned rank; /* of its directory: the higher wins */
	char *kind;
	struct cdi_edits edits; /* of each of its devices */
	struct {
		struct cdi_device *at;
		size_t len, cap;
	} devices; /* by name */
};

/* Read one file's `text`. ERR_INVALID with the path of what is wrong. Nothing of the machine is looked
 * at. */
struct err *cdi_parse(struct str text, const char *file, struct cdi_spec *ret) MUST_USE;
void cdi_spec_release(struct cdi_spec *spec);

static inline void cdi_spec_auto_(struct cdi_spec *spec)
{
	cdi_spec_release(spec);
}

/* Whether `text` can ask for a device: "VENDOR/CLASS", or that with "=NAME". */
bool cdi_is_name(const char *text);

struct cdi;

/* `dirs` (copied) are where files lie; empty: /etc/cdi and /var/run/cdi. They are read when something
 * is looked for, once. Of one thread. */
struct cdi *cdi_new(const struct strings *dirs) MUST_USE;
void cdi_free(struct cdi *cdi);
DEFINE_AUTO(cdi)

/* What is found. */
struct cdi_found {
	struct strings names;   /* in full; empty: there is no such device */
	struct strings guarded; /* those among them that no annotation allows */
};

void cdi_found_release(struct cdi_found *found);

static inline void cdi_found_auto_(struct cdi_found *found)
{
	cdi_found_release(found);
}

/* Look for what `name` asks for, and add what it needs to `volumes` (NULL: nothing). Of each device and
 * of each file once. ERR_INVALID for text that is no name and for a device that two files of a
 * directory define; ERR_NOT_FOUND for a device of which something is missing on this machine. */
struct err *cdi_find(struct cdi *cdi, const char *name, struct volumes *volumes,
		     struct cdi_found *ret) MUST_USE;

/* ERR_NOT_FOUND for a device that cdi_find() did not find: says where it looked. */
struct err *cdi_missing(const struct cdi *cdi, const char *name) MUST_USE;

#endif
