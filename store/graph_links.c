/* store/graph_links.c - links in diffs/ and ids/ that lead nowhere; see store/graph-private.h. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "store/graph-parts-private.h"
#include "store/store-private.h"

#define BLOCK 512
#define LINK_MAX 256

bool graph_link_is_loose(const struct graph *graph, const char *path)
{
	char target[LINK_MAX] = "", below[LINK_MAX];
	const char *rest = target, *name;
	bool is_layer;
	uint32_t at;

	if (readlinkat(graph->store->root_fd, path, target, sizeof(target) - 1) < 0)
		return false;
	while (strncmp(rest, "../", 3) == 0)
		rest += 3;
	snprintf(below, sizeof(below), "%s", rest);
	if (store_is_gone(graph->store, below))
		return true;
	name = strrchr(below, '/');
	is_layer = strncmp(below, "layers/", strlen("layers/")) == 0;
	at = name ? graph_find(&graph->names, is_layer ? 'L' : 'B', name + 1) : 0;
	if (!at && name && is_layer)
		at = graph_find(&graph->names, 'U', name + 1);
	return at && graph_object_goes(graph, &graph->objects.at[at - 1]);
}

static struct err *find_loose_in(const struct graph *graph, const char *dir,
				 struct graph_links *links)
{
	AUTO(strings) struct strings names = { 0 };
	struct err *err = file_list(graph->store->root_fd, dir, &names);

	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err);
		return NULL;
	}
	TRY(err);
	vec_foreach (&names, name) {
		struct graph_link link;
		struct stat st;

		snprintf(link.path, sizeof(link.path), "%s/%s", dir, *name);
		if (!graph_link_is_loose(graph, link.path) ||
		    fstatat(graph->store->root_fd, link.path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		link.bytes = (uint64_t)st.st_blocks * BLOCK;
		vec_push(links, link);
	}
	return NULL;
}

struct err *graph_find_loose(const struct graph *graph, struct graph_links *links)
{
	TRY(find_loose_in(graph, "diffs", links));
	for (unsigned i = 0; i < 256; i++) {
		char shelf[8];

		snprintf(shelf, sizeof(shelf), "ids/%02x", i);
		TRY(find_loose_in(graph, shelf, links));
	}
	return NULL;
}
