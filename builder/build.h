/*
 * builder/build.h - from a Recipe and a context to an image: the whole of it.
 *
 *	parse -> plan -> look up -> execute -> assemble -> outputs
 *
 * Everything that can be wrong with a Recipe is found before anything runs: the
 * plan (builder/plan.h) expands every instruction of the stages that the target
 * needs and gives each step its key. The look-up finds what is done already;
 * what is missing runs in parallel across stages (builder/execute.h), and the
 * layers become blobs while later steps run (builder/commit.h).
 */
#ifndef BUILDER_BUILD_H
#define BUILDER_BUILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/vec.h"
#include "builder/context_spec.h"
#include "builder/lock_file.h"
#include "builder/step_userns.h"
#include "overlay/sandbox.h"
#include "registry/pull.h"
#include "store/image.h"

struct attest_opts;
struct build_args;
struct build_events;
struct cache_specs;
struct cdi;
struct client;
struct context;
struct entry;
struct err;
struct image_changes;
struct json_t;
struct on_fails;
struct secrets;
struct source_lock;
struct source_policy;
struct ssh_sources;
struct ulimits;
struct volumes;
struct store;

#define TRIAL_HOSTNAME "cairn-verify" /* where the Recipe's builder names none */

enum output_kind {
	OUTPUT_STORE,  /* the image in the store; always, where an image is made at all */
	OUTPUT_OCI,    /* an OCI archive */
	OUTPUT_DOCKER, /* a docker archive */
	OUTPUT_TAR,    /* the root filesystem as a tar */
	OUTPUT_LOCAL,  /* the root filesystem in a directory */
	OUTPUT_NONE,   /* nothing: what was done stays in the cache */
};

struct build_output {
	enum output_kind kind;
	char *dest; /* a path, or "-" for standard output; NULL for OUTPUT_STORE and OUTPUT_NONE */
	enum {
		SPLIT_USUAL, /* of several platforms: yes */
		SPLIT_ON,
		SPLIT_OFF,
	} split;        /* of a root filesystem: a directory for each platform */
	bool directory; /* OUTPUT_OCI: no tar, but the layout as it is */
	char *names;    /* of an image: what to call it, "a,b"; NULL if not given */
	bool push;      /* OUTPUT_STORE: to the registries that the names say */
};

/* A stage that is wanted. All zero: the last one, without a name. */
struct build_target {
	const char *stage;   /* by name or number; borrowed; NULL: the last one */
	struct strings tags; /* what its image is called: canonical names (registry/reference.h) */
};

/* --build-context NAME=VALUE. Both borrowed. */
struct build_context {
	const char *name, *value; /* the value as context_spec_parse() reads it */
};

struct build_opts {
	const char *context; /* as context_spec_parse() reads it; NULL: there is none */
	const struct context
		*fetched; /* of the build itself: what materials_gather() fetched; borrowed */
	const struct build_context *contexts;
	size_t context_count;
	enum context_mode context_mode; /* --context-mode */
	const char *recipe; /* -f: a path, "-" for standard input, NULL to search the context */
	struct strings more_recipes;        /* paths of what stands behind it; borrowed */
	const char *ignore_file;            /* --ignorefile; NULL: the usual ones */
	const struct build_target *targets; /* borrowed; none: the last stage, without a name */
	size_t target_count;
	bool save_stages;  /* also make images of the stages that the targets need */
	bool stage_labels; /* each of these and of the targets says which stage it is */
	const char
		*from; /* what the first FROM begins with instead; borrowed; NULL: what it says */
	struct strings labels;    /* "name=value", set last, on every target */
	struct build_args *args;  /* --build-arg; borrowed, also marked as used */
	struct platform platform; /* for which one plan is made */
	const struct platform
		*platforms; /* borrowed; one image for each of them; none: `platform` */
	size_t platform_count;
	bool platform_given; /* the user chose it: an image that is for another one will not do */
	bool want_index;     /* an index also of one image */
	unsigned
		steps_before; /* of a plan: the steps of the build's other plans, that are counted first */
	const char *
		platform_label; /* of a plan: shown with its stages; borrowed; NULL: only one is built */
	struct client *client; /* for base images and pushes; borrowed; NULL: no network */
	enum pull_policy pull; /* of base images; without a client never */
	bool push;             /* every tag, to the registry that it names */
	const struct cache_specs *cache_from, *cache_to; /* borrowed; NULL: none */
	bool no_cache;
	bool trial; /* the build is only looked at: neither records of it are kept, nor caches emptied */
	struct strings no_cache_stages;      /* these run, by name or number, and what needs them */
	const struct image_changes *changes; /* borrowed; NULL: none */
	const struct attest_opts
		*attest; /* builder/attest_spec.h; borrowed; NULL: nothing is attested */
	const struct source_policy
		*policy;               /* builder/source_policy.h; borrowed; NULL: all is allowed */
	enum lock_wish lock_wish;      /* builder/lock_file.h */
	struct source_lock *lock;      /* of the Recipe, once it is read; build_run() sets it */
	const struct secrets *secrets; /* --secret; borrowed; NULL: none */
	const struct ssh_sources *ssh; /* --ssh; borrowed; NULL: none */
	const struct volumes *volumes; /* -v; borrowed; NULL: none */
	const struct on_fails *on_fails; /* --on-fail; borrowed; NULL: none */
	struct strings mounts; /* --mount, as builder/mount.h reads them: of every RUN; borrowed */
	struct strings hosts;  /* lines for /etc/hosts of every RUN, builder/hosts.h; borrowed */
	uint64_t
		log_limit; /* of the output of each RUN, in bytes; 0: CLIP_USUAL (builder/clip.h) */
	uint64_t shm_size; /* of /dev/shm of every RUN, in bytes; 0: the usual */
	const struct ulimits *ulimits;             /* --ulimit; borrowed; NULL: none */
	const struct sandbox_security *security;   /* of every RUN; borrowed; NULL: the usual */
	const struct sandbox_resources *resources; /* of every RUN; borrowed; NULL: the usual */
	bool allow_insecure;                       /* RUN --security=insecure may be */
	bool allow_devices;                        /* RUN --device may be, */
	const struct strings *allowed_devices; /* or these: names, kinds; borrowed; NULL: none */
	struct cdi *cdi; /* builder/cdi.h; borrowed; NULL: the machine's usual files */
	bool want_image; /* an image even if only a root filesystem is put out: its id is asked for */
	enum step_userns userns;      /* --userns */
	enum sandbox_network network; /* of a RUN that does not say otherwise */
	const struct resolver_wishes
		*resolver; /* overlay/resolver.h: --dns…; borrowed; NULL: none */
	struct compression compression;
	bool compression_given;
	bool force_compression; /* the layers of the base, too */
	enum {
		SQUASH_NOT,
		SQUASH_NEW, /* the layers that the build makes become one */
		SQUASH_ALL, /* those of the base, too */
	} squash;
	enum image_format format;
	bool has_epoch;  /* if not, that of the argument SOURCE_DATE_EPOCH counts */
	int64_t epoch;   /* no time in the image above it, in seconds */
	bool keep_times; /* the epoch is for the documents, and not for files */
	unsigned jobs;   /* steps at a time; 0: one per CPU */
	const struct build_output *outputs; /* none: OUTPUT_STORE alone */
	size_t output_count;
	/* --print-sandbox: nothing is built, and a document for each RUN is appended; borrowed. NULL: build */
	struct json_t *documents;
	struct strings described; /* of these lines and stages; borrowed; none: of all */
	/* builder/enter.h: nothing is built but what it takes to enter a step; borrowed. NULL: build */
	const struct entry *entry;
	const struct build_events *events; /* NULL: silence */
	mode_t user_umask;                 /* for what is written outside the store */
};

/* The image of a target. Of several platforms it is an index, `top`, and manifest and config are those of
 * the first of them. */
struct build_image {
	struct descriptor manifest, config;
	struct descriptor top; /* what its names lead to: the manifest, or an index with it */
	bool many;             /* `top` stands for several images */
};

static inline bool build_image_is_index(const struct build_image *image)
{
	return !digest_equal(&image->top.digest, &image->manifest.digest);
}

/* What the image is known by: the digest of its config, or of its index. */
static inline const struct digest *build_image_id(const struct build_image *image)
{
	return image->many ? &image->top.digest : &image->config.digest;
}

struct build_result {
	struct build_image *images; /* of the targets, in their order; owned */
	size_t image_count;         /* 0 if only root filesystems were asked for */
	unsigned steps, cached;
	char *recipe;  /* what it is called, owned; NULL if it could not be read or planned */
	char *journal; /* the id of builds/<id>, owned; NULL if there is none */
};

/* Build. ERR_INVALID with file, line and excerpt for a Recipe that cannot be built; the error of
 * a failing RUN names its exit code and has the last lines of its log in its notes. */
struct err *build_run(struct store *store, const struct build_opts *opts, struct build_result *ret)
	MUST_USE;
void build_result_release(struct build_result *result);

static inline void build_result_auto_(struct build_result *result)
{
	build_result_release(result);
}

#endif
