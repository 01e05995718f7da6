/*
 * tests/fuzz/fuzz_hosts_toml.c - whatever a hosts.toml says, a place has a host that is one and
 * headers that can be sent, or there is an error; likewise for Docker's daemon.json.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "registry/config_paths.h"
#include "registry/header.h"
#include "registry/reference.h"
#include "registry/registries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[] = "/dev/shm/fuzz-hosts-XXXXXX";

static void remove_root(void)
{
	AUTO(fd) int fd = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	err_free(file_remove_tree(fd, strrchr(root, '/') + 1)); /* the system clears it, else */
}

/* The directory `path` below the root, made; never closed. */
static int make_dir(const char *path)
{
	AUTO(mem) char *whole = xasprintf("%s/%s", root, path);
	int fd = -1;
	AUTO(err) struct err *err = file_make_dirs(AT_FDCWD, whole, 0700, &fd);

	if (err)
		abort();
	return fd;
}

static void put(int dir_fd, const char *name, struct str text)
{
	AUTO(err) struct err *err = file_replace(dir_fd, name, text, 0600, FILE_QUICK);

	if (err)
		abort();
}

static void check_place(const struct place *place)
{
	if (!reference_is_domain(str_of(place->host)) || !place->path[0] ||
	    (place->api[0] && place->api[0] != '/') || (place->certs.cert && !place->certs.key))
		abort();
	vec_foreach (&place->headers, header) {
		char *colon = strstr(*header, ": ");

		if (!colon)
			abort();
		*colon = '\0';
		if (!header_is_valid(*header, colon + 2))
			abort();
	}
}

static void look_up(const char *text, enum registries_purpose purpose)
{
	char *environment[] = { NULL };
	struct config_paths paths = { .root = root, .environment = environment };
	AUTO(registries) struct registries *r = NULL;
	AUTO(places) struct places places = { 0 };
	struct reference ref;
	AUTO(err) struct err *unread = reference_parse(text, &ref);
	AUTO(err) struct err *broken = registries_open(&paths, &r);
	AUTO(err) struct err *err = broken ? NULL : registries_places(r, &ref, purpose, &places);

	if (unread || (!broken && (places.len == 0) != (err != NULL)))
		abort();
	vec_foreach (&places, place)
		check_place(place);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int containerd = -1;
	static int docker = -1;
	struct str text = { (const char *)data, size };

	if (containerd < 0) {
		if (!mkdtemp(root))
			abort();
		atexit(remove_root);
		containerd = make_dir("etc/containerd/certs.d/_default");
		docker = make_dir("etc/docker");
	}
	put(docker, "daemon.json", STR("{}"));
	put(containerd, "hosts.toml", text);
	look_up("h.com:5000/a", PULL_BY_TAG);
	look_up("app", PUSH);
	if (unlinkat(containerd, "hosts.toml", 0) < 0)
		abort();
	put(docker, "daemon.json", text);
	look_up("app", PULL_BY_DIGEST);
	look_up("10.0.0.1:5000/a", PUSH);
	return 0;
}
