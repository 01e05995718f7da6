/*
 * openat2.c - preloaded into a program whose instructions valgrind counts.
 *
 * The valgrind of Debian 12 does not know openat2(2). What the program asks of it is asked of
 * openat(2), without the limits on how a name is resolved: the files are those of the benchmark.
 * Every other call goes where it should.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long number, ...)
{
	static union {
		void *found;
		long (*call)(long, ...);
	} next;
	long args[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);

	if (number == SYS_openat2) {
		const struct open_how *how = (const struct open_how *)args[2];

		return openat((int)args[0], (const char *)args[1], (int)how->flags,
			      (mode_t)how->mode);
	}
	if (!next.found)
		next.found = dlsym(RTLD_NEXT, "syscall");
	return next.call(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
