/*
 * cli/term.h - what the terminal at a descriptor can do.
 */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>

#define TERM_RESET "\033[0m"
#define TERM_BOLD "\033[1m"
#define TERM_FAINT "\033[2m"
#define TERM_RED "\033[31m"
#define TERM_GREEN "\033[32m"
#define TERM_YELLOW "\033[33m"
#define TERM_BLUE "\033[34m"

struct term_size {
	unsigned columns, rows;
};

/* Whether `fd` is a terminal that understands cursor movement: TERM is neither empty nor "dumb". */
bool term_is_capable(int fd);
/* The same, and the user has not asked for no colours: NO_COLOR is not set (https://no-color.org). */
bool term_has_colours(int fd);
/* Its size now; 80 by 24 if it does not know. */
struct term_size term_get_size(int fd);

#endif
