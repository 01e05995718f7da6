/*
 * openat2.c - preloaded into a program whose instructions valgrind counts.
 *
 * The valgrind of Debian 12 does not know openat2(2) nor the calls that make a mount. What the program
 * asks of openat2(2) is asked of openat(2), without the limits on how a name is resolved: the files are
 * those of the benchmark. The one mount that it makes, an empty file system to look names up in, is
 * the empty directory EMPTY_DIRECTORY. Every other call goes where it should.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long pass(long number, const long *args)
{
	static union {
		void *found;
		long (*call)(long, ...);
	} next;

	if (!next.found)
		next.found = dlsym(RTLD_NEXT, "syscall");
	return next.call(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

long syscall(long number, ...)
{
	const struct open_how *how;
	long args[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);

	switch (number) {
	case SYS_openat2:
		how = (const struct open_how *)args[2];
		return openat((int)args[0], (const char *)args[1], (int)how->flags,
			      (mode_t)how->mode);
	case SYS_fsopen:
	case SYS_fsmount:
		return open(getenv("EMPTY_DIRECTORY"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case SYS_fsconfig:
		return 0;
	default:
		return pass(number, args);
	}
}
