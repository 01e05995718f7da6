/*
 * builder/recipe.h - a Recipe as a typed tree.
 *
 * recipe_parse() in builder/parse.h makes it. Everything is as it was written:
 * no variable is expanded and no default filled in, because what a name means
 * depends on the stage and on the command line (builder/scope.h,
 * builder/expand.h). Quotes that protect anything from expansion are still in
 * the words that are expanded later; flags and JSON have lost theirs.
 *
 * All text and all arrays belong to the recipe's arena and live as long as the
 * recipe. A text is NUL-terminated and holds no other NUL. An absent text is
 * NULL; an empty one is "". The tree does not change after parsing.
 */
#ifndef BUILDER_RECIPE_H
#define BUILDER_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "builder/lint.h"
#include "builder/script.h"

enum instruction_kind {
	INSTRUCTION_ADD,
	INSTRUCTION_ARG,
	INSTRUCTION_CMD,
	INSTRUCTION_COPY,
	INSTRUCTION_ENTRYPOINT,
	INSTRUCTION_ENV,
	INSTRUCTION_EXPOSE,
	INSTRUCTION_FROM,
	INSTRUCTION_HEALTHCHECK,
	INSTRUCTION_INCLUDE, /* of the dialect alone; never in the tree */
	INSTRUCTION_LABEL,
	INSTRUCTION_MAINTAINER,
	INSTRUCTION_ONBUILD,
	INSTRUCTION_RUN,
	INSTRUCTION_SHELL,
	INSTRUCTION_STOPSIGNAL,
	INSTRUCTION_UNSET, /* of the dialect alone */
	INSTRUCTION_USER,
	INSTRUCTION_VOLUME,
	INSTRUCTION_WORKDIR,
	INSTRUCTION_COUNT,
};

/* A list of texts; `at[len]` is NULL, so that it serves as an argv. */
struct words {
	const char **at;
	size_t len;
};

/* KEY=VALUE. In ENV and LABEL `value` is never NULL; in ARG it is NULL for a bare name. */
struct pair {
	const char *key;
	const char *value;
	const char *doc; /* ARG: the comment "# KEY ..." above it, without KEY; or NULL */
};

struct pairs {
	struct pair *at;
	size_t len;
	bool legacy; /* "ENV key rest of the line" */
};

/* The lines that follow a `<<NAME`, up to and without their terminator. */
struct heredoc {
	const char *name;
	const char *body;         /* whole lines as written, each with its newline; may be "" */
	const char *content;      /* what it stands for: without leading tabs if `chomp` */
	unsigned descriptor;      /* the digits before "<<", or 0 */
	bool expand;              /* no part of the name was quoted */
	bool chomp;               /* "<<-" */
	struct position position; /* of the body and its terminator */
};

struct heredocs {
	struct heredoc *at;
	size_t len;
};

/* Something to execute: RUN, CMD, ENTRYPOINT, HEALTHCHECK CMD. */
struct command {
	bool exec;         /* JSON form: `argv`; else `text` is for the shell */
	struct words argv; /* may be empty: `CMD []` */
	const char *text;  /* shell form, without heredocs; NULL in exec form, "" for a bare CMD */
};

enum run_form {
	RUN_EXEC,   /* command.argv as it is */
	RUN_SHELL,  /* `script` is the one argument behind the shell */
	RUN_SCRIPT, /* `script` begins with "#!": it becomes the executable
		     * /dev/pipes/<heredocs.at[0].name>, which is the shell's argument */
};

/* One --mount. Its values may hold variables: mount_parse() in builder/mount.h makes the typed
 * form once they are known. `from` is here for the graph of stages. */
struct mount_flag {
	const char *text; /* the whole value: "type=cache,target=/root/.cache" */
	const char *from; /* NULL if there is none */
};

struct device_flag {
	const char *name;
	bool required;
};

enum run_network { RUN_NETWORK_DEFAULT, RUN_NETWORK_NONE, RUN_NETWORK_HOST };
enum run_security { RUN_SECURITY_SANDBOX, RUN_SECURITY_INSECURE };

struct run {
	struct command command;
	struct heredocs heredocs;
	enum run_form form;
	const char *script; /* RUN_SHELL: command and heredocs as the shell gets them;
			     * RUN_SCRIPT: the bytes of the file; RUN_EXEC: NULL */
	struct mount_flag *mounts;
	size_t mount_count;
	struct device_flag *devices;
	size_t device_count;
	enum run_network network;
	enum run_security security;
};

enum tristate { TRISTATE_UNSET, TRISTATE_FALSE, TRISTATE_TRUE };

/* COPY and ADD. Flags that are not given are NULL, empty, false or unset. */
struct copy {
	struct words sources;     /* paths, URLs and patterns, without the heredocs */
	struct heredocs heredocs; /* sources whose content stands in the recipe; copied last */
	const char *destination;
	const char *from;      /* COPY: stage, number, context or image; may hold variables */
	const char *chown;     /* may hold variables */
	const char *chmod;     /* may hold variables */
	const char *checksum;  /* ADD; may hold variables */
	struct words excludes; /* never expanded */
	bool link;
	bool parents;               /* COPY */
	enum tristate keep_git_dir; /* ADD */
	enum tristate unpack;       /* ADD */
};

enum healthcheck_form { HEALTHCHECK_NONE, HEALTHCHECK_CMD };

struct healthcheck {
	enum healthcheck_form form;
	struct command command;
	/* Nanoseconds; 0 means the runtime's default, and nothing is stored. */
	int64_t interval, timeout, start_period, start_interval;
	int32_t retries; /* 0 as above */
};

struct instruction;

struct onbuild {
	const char *text;            /* what the image stores: the trigger with its heredocs */
	struct instruction *trigger; /* the same, parsed; at the position of the ONBUILD */
};

struct instruction {
	enum instruction_kind kind;
	struct position position; /* from the keyword to the end of the last heredoc */
	const char *text;         /* the joined line from the keyword on, without heredocs */
	const char *check;        /* value of the `# check=` comment right above, or NULL */
	union {
		struct run run;
		struct copy copy;       /* COPY, ADD */
		struct command command; /* CMD, ENTRYPOINT */
		struct words shell;     /* SHELL: at least one */
		struct words
			words; /* EXPOSE: at least one; VOLUME: the paths; UNSET: what, and its names */
		struct pairs pairs; /* ENV, LABEL, ARG: at least one */
		struct healthcheck healthcheck;
		struct onbuild onbuild;
		const char *word; /* WORKDIR, USER, STOPSIGNAL, MAINTAINER */
	};
};

struct instructions {
	struct instruction *at;
	size_t len;
};

struct stage {
	size_t index;
	const char *name;     /* lower case; NULL for a stage without one */
	const char *base;     /* image, stage, context or "scratch", variables and all */
	const char *platform; /* --platform, variables and all, or NULL */
	struct position position;
	const char *text;  /* the FROM line */
	const char *check; /* as in an instruction */
	const char *doc;   /* the comment "# NAME ..." above it, without NAME; or NULL */
	struct instructions instructions; /* without the FROM */
};

struct recipe {
	struct arena arena;
	struct script *script;
	char escape;                 /* '\\' or '`' */
	const char *syntax;          /* value of the directive, or NULL */
	const char *check;           /* value of the directive, or NULL */
	struct instructions globals; /* the ARGs before the first FROM */
	struct stage *stages;        /* at least one */
	size_t stage_count;
	struct lints lints;
};

void recipe_free(struct recipe *recipe);
DEFINE_AUTO(recipe)

const char *instruction_name(enum instruction_kind kind); /* "RUN" */
/* The instruction called `name` in any case; false if there is none. */
bool instruction_find(struct str name, enum instruction_kind *ret);
/* The same; ERR_INVALID if there is none, with the nearest that there is, and for one of the dialect if `syntax`
 * (the directive's value, or NULL) is another. */
struct err *instruction_parse(struct str name, const char *syntax, enum instruction_kind *ret)
	MUST_USE;
/* Whether the value of a `# syntax=` directive, or NULL, is that of our dialect: "cairn/1". */
bool syntax_is_dialect(const char *syntax);

/* The last of the first `before` stages that is called `name`, in any case, or NULL. With
 * `numbers` the text "0" names the first stage, as COPY --from takes it. */
const struct stage *recipe_find_stage(const struct recipe *recipe, const char *name, size_t before,
				      bool numbers);

#endif
