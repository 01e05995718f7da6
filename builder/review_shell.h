/*
 * builder/review_shell.h - whether a script of a heredoc goes on when a command fails.
 *
 * A shell's exit status is that of its last command: a RUN with a heredoc of
 * several commands succeeds although one of them failed, unless errexit is set
 * by `set -e`, by the SHELL, or for the shell that is fed. The script is read
 * as far as that question needs it: words, quotes, heredocs within, and
 * commands that belong together (`&&`, pipes, if, for, case, braces).
 */
#ifndef BUILDER_REVIEW_SHELL_H
#define BUILDER_REVIEW_SHELL_H

#include <stdbool.h>

#include "builder/recipe.h"

/* `shell` is what SHELL set, or NULL: /bin/sh -c. Shells that are none of Bourne's family, and bodies
 * with `#!`, miss nothing. */
bool review_shell_misses_errexit(const struct run *run, const struct words *shell);

#endif
