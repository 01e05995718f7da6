/*
 * cli/build_policy.h - the option --source-policy-file, and the variable in its place.
 */
#ifndef CLI_BUILD_POLICY_H
#define CLI_BUILD_POLICY_H

#include "base/mem.h"

struct err;
struct source_policy;

/* Read the policy of `path`, or without one of the file that EXPERIMENTAL_BUILDKIT_SOURCE_POLICY names; the
 * caller's, NULL if there is neither. ERR_USAGE for a file that is no policy; as file_read() if it cannot be read. */
struct err *build_policy_read(const char *path, struct source_policy **ret) MUST_USE;

#endif
