/*
 * builder/package_scan.h - look through a root filesystem for what package managers left there.
 *
 *	dpkg     var/lib/dpkg/status, and each file of var/lib/dpkg/status.d
 *	apk      lib/apk/db/installed, usr/lib/apk/db/installed
 *	npm      package.json of each package in a node_modules, wherever that is
 *	Python   METADATA of a .dist-info, PKG-INFO of an .egg-info, wherever they are
 *
 * The tree is not trusted: links are followed within it alone, nothing that is no regular file is
 * read, and of every file only so much. The databases of rpm are not read; that they are there is said.
 */
#ifndef BUILDER_PACKAGE_SCAN_H
#define BUILDER_PACKAGE_SCAN_H

#include "base/mem.h"

struct err;
struct package_list;

/* `root_fd` may be O_PATH, and is on a mount without devices. The list comes sorted. ERR_SYSTEM if the
 * tree cannot be walked. */
struct err *package_scan(int root_fd, struct package_list *ret) MUST_USE;

#endif
