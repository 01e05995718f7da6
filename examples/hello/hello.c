/* hello.c - prints its greeting; linked statically, so that it needs nothing around it. */

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	const char *greeting = getenv("GREETING");

	puts(greeting ? greeting : "Hello.");
	return 0;
}
