/* cli/main.c - the entry of the program; everything else is in libcairn.a. */

#include <malloc.h>

#include "cli/program.h"

/* Every thread that allocates may get an arena of its own, which keeps what was freed in it: with six
 * layers on their way that is 10 MB that nobody uses. */
#define ARENAS 4

int main(int argc, char **argv)
{
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, ARENAS);
#endif
	return cli_main(argc, argv);
}
