/*
 * overlay/copies.h - which files of an upper directory are copies of what lies below.
 *
 * A storage driver that brings files up before they are changed knows which those are; afterwards
 * nothing tells them from what a step made itself. They are known by inode, under whatever name
 * they end. The overlayfs of the kernel keeps its own account: there is no such set for it.
 */
#ifndef OVERLAY_COPIES_H
#define OVERLAY_COPIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

struct copies {
	struct map inodes;
	bool complete; /* links and fifos are known, too, and not regular files and directories alone */
};

/* NULL is a set that nobody wants. */
static inline void copies_add(struct copies *copies, uint64_t inode)
{
	static char there;

	if (copies)
		map_put(&copies->inodes, (struct str){ (const char *)&inode, sizeof(inode) },
			&there);
}

static inline bool copies_have(const struct copies *copies, uint64_t inode)
{
	return map_has(&copies->inodes, (struct str){ (const char *)&inode, sizeof(inode) });
}

static inline void copies_auto_(struct copies *copies)
{
	map_release(&copies->inodes, NULL);
}

#endif
