/* cli/main.c - the entry of the program; everything else is in libcairn.a. */

#include "cli/program.h"

int main(int argc, char **argv)
{
	return program_run(argc, argv);
}
