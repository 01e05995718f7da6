/*
 * registry/pull.h - an image out of a registry into the store.
 *
 * Resolve the name (mirrors in order, the registry itself last), choose the platform, then
 * fetch what is missing, layers in parallel, each unpacked while it comes; the name
 * appears last. What is in the store already is not asked for. A name with a digest needs no
 * network if the image of that digest is here.
 */
#ifndef REGISTRY_PULL_H
#define REGISTRY_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "registry/download.h"
#include "registry/reference.h"
#include "store/platform.h"

struct client;
struct err;
struct progress;
struct store;

enum pull_policy {
	PULL_MISSING,
	PULL_ALWAYS,
	PULL_NEVER,
	PULL_NEWER, /* ask as PULL_ALWAYS does, but be content with what is here if nobody answers well */
};

struct pull_opts {
	enum pull_policy policy;
	const struct platform *platform; /* NULL: the host's */
	bool all_platforms;
	const struct taker *taker; /* for layers; NULL: only blobs */
	unsigned parallel;         /* blobs at a time; 0: 6 */
	struct progress *progress; /* may be NULL */
};

struct pull_result {
	struct descriptor target; /* what the name leads to: an index or a manifest */
	bool fetched;             /* something came that was not here */
	uint64_t bytes;           /* of blobs that were fetched */
};

/* Pull, and name it as `ref` says; a reference with a digest names nothing that was not named before, but with a
 * tag beside it that tag. ERR_NOT_FOUND "no such image, or it needs a login", with the places that were
 * asked; with PULL_NEVER what the store says. ERR_CORRUPT, ERR_INVALID, ERR_DENIED, ERR_NETWORK
 * of the last place that was asked. On failure what has come stays, without a name. */
struct err *pull_image(struct store *store, struct client *client, const struct reference *ref,
		       const struct pull_opts *opts, struct pull_result *ret) MUST_USE;

/* The same without a name and whatever is here: fetch what is missing of `ref` and tell what it leads to. With
 * `all_platforms` all of it. */
struct err *pull_unnamed(struct store *store, struct client *client, const struct reference *ref,
			 const struct pull_opts *opts, struct pull_result *ret) MUST_USE;

#endif
