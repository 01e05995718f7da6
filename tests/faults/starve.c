/*
 * starve.so - preloaded, lets one allocation of a program fail: that of number $STARVE_AT, counted from
 * 1; with $STARVE_ON, all later ones, too. Where $STARVE_LOG names a file, it is made when that happens.
 *
 * Only what the program itself and the libraries under it ask for: the loader has its own.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static atomic_ulong count;
static unsigned long at;
static bool goes_on;
static const char *log_path;

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("STARVE_AT");

	goes_on = getenv("STARVE_ON");
	log_path = getenv("STARVE_LOG");
	atomic_store(&count, 0);
	at = text ? strtoul(text, NULL, 10) : 0;
}

static bool fails(void)
{
	unsigned long number = atomic_fetch_add(&count, 1) + 1;

	if (!at || number < at || (number > at && !goes_on))
		return false;
	if (number == at && log_path)
		close(open(log_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t members, size_t size)
{
	return fails() ? NULL : __libc_calloc(members, size);
}

void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t members, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(members, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, bytes);
}
