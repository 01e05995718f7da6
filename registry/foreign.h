/*
 * registry/foreign.h - what a file is that we cannot read.
 *
 * People hand us what they have: a rootfs.tar.xz, a zip. That the checksum of
 * its first header is wrong helps nobody.
 */
#ifndef REGISTRY_FOREIGN_H
#define REGISTRY_FOREIGN_H

#include "base/str.h"

struct err;

#define FOREIGN_HEAD 6 /* first bytes that tell every kind */

/* An error (ERR_UNSUPPORTED) that says what `head`, the first bytes of a file, announces, if that is
 * neither a tar nor compressed by what we undo; NULL if it announces nothing. What another program
 * can undo is noted as a command: of the file `name`, piped into `then`. */
struct err *foreign_kind(struct str head, const char *name, const char *then) MUST_USE;

#endif
