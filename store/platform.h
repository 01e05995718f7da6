/*
 * store/platform.h - operating system and processor, as images name them.
 *
 * The names are Go's (OCI image-spec, config): "linux", "amd64", "arm". A
 * platform is kept in normal form, so that the many spellings of one machine
 * compare equal: "x86_64" is amd64, "aarch64" and arm64/v8 are arm64, an arm
 * without a variant is v7, amd64/v1 is amd64.
 */
#ifndef STORE_PLATFORM_H
#define STORE_PLATFORM_H

#include <stdbool.h>

#include "base/mem.h"

struct err;

struct platform {
	char os[32];      /* "linux" */
	char arch[32];    /* "amd64", "arm64", "arm", ... (GOARCH) */
	char variant[16]; /* "v7", "" */
};

void platform_host(struct platform *ret);
/* "linux/amd64", "linux/arm/v7", "amd64". ERR_INVALID, for a single word that is not known too,
 * shows the form. */
struct err *platform_parse(const char *text, struct platform *ret) MUST_USE;
/* The platform of an image's config or of an index entry; what is absent is NULL or empty. Names
 * that are too long for any platform that we know are cut. */
void platform_from_parts(const char *os, const char *arch, const char *variant,
			 struct platform *ret);
/* "linux/arm/v7"; owned by the caller. */
char *platform_format(const struct platform *p) MUST_USE;
bool platform_equal(const struct platform *a, const struct platform *b); /* arm64 v8 == arm64 */
/* How well an image for `have` runs where `want` is wanted: 0 not at all, and the more the
 * better. A newer arm or amd64 runs what was made for its older variants. */
unsigned platform_match(const struct platform *want, const struct platform *have);

#endif
