/* cli/term.c - see cli/term.h. */

#include "cli/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool term_is_capable(int fd)
{
	const char *kind = getenv("TERM");

	return isatty(fd) && kind && kind[0] && strcmp(kind, "dumb") != 0;
}

bool term_has_colours(int fd)
{
	const char *no = getenv("NO_COLOR");

	return term_is_capable(fd) && !(no && no[0]);
}

struct term_size term_get_size(int fd)
{
	struct winsize size = { 0 };
	bool known = ioctl(fd, TIOCGWINSZ, &size) == 0;

	return (struct term_size){
		.columns = known && size.ws_col > 0 ? size.ws_col : 80,
		.rows = known && size.ws_row > 0 ? size.ws_row : 24,
	};
}
