/*
 * tests/fuzz/fuzz_registries.c - whatever a registries.conf says, an image has a place with a host
 * and a path of which a name can be made, or there is an error; short names mean names.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "registry/config_paths.h"
#include "registry/reference.h"
#include "registry/registries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_place(const struct place *place)
{
	AUTO(mem)
	char *name = xasprintf("%s/%s:%s", place->host, place->path, place->tag ? place->tag : "x");
	struct reference ref;
	AUTO(err) struct err *err = reference_parse(name, &ref);

	if (err || strcmp(ref.domain, place->host) != 0 || strcmp(ref.path, place->path) != 0)
		abort();
}

static void look_up(const struct registries *r, const char *text, enum registries_purpose purpose)
{
	AUTO(places) struct places places = { 0 };
	struct reference ref;
	AUTO(err) struct err *unread = reference_parse(text, &ref);
	AUTO(err) struct err *err = registries_places(r, &ref, purpose, &places);

	if (unread || (places.len == 0) != (err != NULL))
		abort();
	vec_foreach (&places, place)
		check_place(place);
}

static void resolve(const struct registries *r, const char *text)
{
	AUTO(meanings) struct meanings meanings = { 0 };
	AUTO(err) struct err *err = registries_meanings(r, text, false, &meanings);

	if ((meanings.names.len == 0) != (err != NULL))
		abort();
	vec_foreach (&meanings.names, name) {
		struct reference ref;
		AUTO(err) struct err *bad = reference_parse(*name, &ref);

		if (bad)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(fd) int fd = memfd_create("registries.conf", MFD_CLOEXEC);
	AUTO(mem) char *variable = xasprintf("CONTAINERS_REGISTRIES_CONF=/proc/self/fd/%d", fd);
	char *environment[] = { variable, NULL };
	struct config_paths paths = { .root = "/nonexistent", .environment = environment };
	AUTO(registries) struct registries *r = NULL;
	AUTO(err) struct err *err = NULL;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	err = registries_open(&paths, &r);
	if (err)
		return 0;
	for (enum registries_purpose purpose = PULL_BY_TAG; purpose <= PUSH; purpose++) {
		look_up(r, "app", purpose);
		look_up(r, "a.example.com/foo/bar:1", purpose);
		look_up(r, "example.com:5000/foo", purpose);
	}
	resolve(r, "app");
	resolve(r, "team/app:1");
	return 0;
}
