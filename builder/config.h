/*
 * builder/config.h - the config of the image that is being built.
 *
 * A stage starts from its base's config or from nothing and changes it
 * instruction by instruction; what we do not know is carried along untouched.
 * The finished document has its keys in a fixed order (image-spec, config, as
 * other tools write it), its maps sorted, its lists as the Recipe ordered them.
 */
#ifndef BUILDER_CONFIG_H
#define BUILDER_CONFIG_H

#include <jansson.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

struct err;
struct digest;
struct healthcheck;
struct pairs;
struct platform;
struct words;

#define CONFIG_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct config {
	json_t *document; /* all top-level members that we carry along, owned */
	json_t *settings; /* the member "config", owned */
	bool cmd_set;     /* a CMD stood in this stage: ENTRYPOINT keeps it */
};

/* From the config document of a base image; NULL is `scratch`. PATH is added where it is missing.
 * ERR_INVALID if a member has the wrong type, with its path. */
struct err *config_new(const json_t *base, struct config **ret) MUST_USE;
/* For a stage that is built on another stage. */
struct config *config_copy(const struct config *from) MUST_USE;
void config_free(struct config *config);
DEFINE_AUTO(config)

/* What an instruction sets. All texts are final: expanded, checked, copied here. */
void config_set_env(struct config *config, struct str name, const char *value);
void config_set_label(struct config *config, const char *name, const char *value);
void config_set_text(struct config *config, const char *key, const char *value); /* "User", ... */
void config_set_author(struct config *config, const char *author);
void config_set_cmd(struct config *config, const struct strings *argv);
void config_set_entrypoint(struct config *config, const struct strings *argv);
void config_set_shell(struct config *config, const struct strings *argv);
void config_add_volume(struct config *config, const char *path);
void config_add_port(struct config *config, const char *port); /* "80/tcp" */
void config_add_onbuild(struct config *config, const char *text);
/* HEALTHCHECK; `test` is ["NONE"], ["CMD", ...] or ["CMD-SHELL", text]. */
void config_set_healthcheck(struct config *config, const struct strings *test,
			    const struct healthcheck *timing);

/* Take away a setting ("Cmd", "Env" as a whole) or, of a list of "NAME=value" or a map, the member
 * `name`. What is not there is gone already. */
void config_unset(struct config *config, const char *key, const char *name);
/* The same of what MAINTAINER sets. */
void config_unset_author(struct config *config);

/* What an instruction reads. */
const char *config_text(const struct config *config, const char *key); /* "" if absent; borrowed */
void config_env(const struct config *config, struct strings *ret);     /* "NAME=value" appended */
/* The SHELL, or /bin/sh -c. */
void config_shell(const struct config *config, struct strings *ret);
void config_list(const struct config *config, const char *key, struct strings *ret);
/* The OnBuild triggers, which the config then no longer has. */
void config_take_onbuild(struct config *config, struct strings *ret);
/* The base's history rows, borrowed; NULL if there are none. */
json_t *config_history(const struct config *config);

/* The document of the finished image; the caller owns it. `history` and `diff_ids` are borrowed
 * arrays, `created` an RFC 3339 time. */
json_t *config_finish(const struct config *config, const struct platform *platform,
		      const char *created, json_t *history, json_t *diff_ids) MUST_USE;

#endif
