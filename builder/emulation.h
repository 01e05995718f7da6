/*
 * builder/emulation.h - whether this machine can execute programs for a platform.
 *
 * Its own it can; those of others if an emulator, such as qemu's, is registered with the
 * kernel's binfmt_misc: a file for each in a directory of /proc, which says by which first bytes
 * of a program it is known. Only those with the flag F count: the kernel has opened them already,
 * so that they work in a root filesystem that does not have them.
 */
#ifndef BUILDER_EMULATION_H
#define BUILDER_EMULATION_H

#include <stdbool.h>

struct platform;

#define EMULATION_HANDLERS "/proc/sys/fs/binfmt_misc"

/* `handlers` is EMULATION_HANDLERS, or a directory like it. */
bool emulation_runs(const char *handlers, const struct platform *platform);

#endif
