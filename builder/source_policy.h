/*
 * builder/source_policy.h - which sources a build may use, and what it uses instead.
 *
 * A policy is a JSON file, as BuildKit and Buildah have it: rules that are asked in their order about each
 * source before anything of it is fetched.
 *
 *	{"rules": [{"action": "DENY", "selector": {"identifier": "docker-image:*"}},
 *		   {"action": "ALLOW", "selector": {"identifier": "docker-image://docker.io/library/debian:*"}},
 *		   {"action": "CONVERT", "selector": {"identifier": "https://example.com/a.tar"},
 *		    "updates": {"identifier": "https://mirror.example/a.tar",
 *				"attrs": {"http.checksum": "sha256:..."}}}]}
 *
 * Of ALLOW and DENY the last rule that fits counts; a source that no rule fits is allowed. A CONVERT that
 * changes something ends the round, and the result is asked about again. Sources are images
 * ("docker-image://docker.io/library/debian:12"), files of the web by their URL, and repositories
 * ("git://example.com/owner/name.git#ref"), each without secrets, and in one spelling: hosts in lower case,
 * without the dot that may end them and the port that is the usual one, and nothing escaped that need
 * not be. Redirects, mirrors and submodules are no sources of their own. What is too long for rules to
 * judge is denied.
 *
 * A member or attribute that is not known is an error: of a policy nothing may be without effect.
 */
#ifndef BUILDER_SOURCE_POLICY_H
#define BUILDER_SOURCE_POLICY_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

struct err;
struct git_url;
struct source_policy;

#define SOURCE_POLICY_MAX ((size_t)1024 * 1024) /* bytes of a file */
#define SOURCE_POLICY_RULES_MAX 1000

/* `name` is what errors call the file. ERR_INVALID and ERR_UNSUPPORTED name the rule. */
struct err *source_policy_parse(const char *name, struct str text, struct source_policy **ret)
	MUST_USE;
void source_policy_free(struct source_policy *policy);
DEFINE_AUTO(source_policy)

/*
 * Ask about one source. `policy` may be NULL: then everything is as it is. ERR_DENIED names the rule, and
 * where it comes from; ERR_INVALID if rules convert in a circle, or into what is no source of the kind.
 */

/* An image by its name; `*ret` is the name to use, the caller's. */
struct err *source_policy_image(const struct source_policy *policy, const char *name, char **ret)
	MUST_USE;

/* What is fetched for a file of the web. */
struct policy_web {
	char *url; /* owned */
	bool has_checksum;
	struct digest checksum;
};

/* `want` is the checksum that is known; NULL: none. */
struct err *source_policy_web(const struct source_policy *policy, const char *url,
			      const struct digest *want, struct policy_web *ret) MUST_USE;
void policy_web_release(struct policy_web *web);

static inline void policy_web_auto_(struct policy_web *web)
{
	policy_web_release(web);
}

/* A repository; `url` is changed in place. */
struct err *source_policy_git(const struct source_policy *policy, struct git_url *url) MUST_USE;

#endif
