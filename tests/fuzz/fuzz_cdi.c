/*
 * tests/fuzz/fuzz_cdi.c - a file of devices by name from any bytes.
 *
 * Laws: what is none is ERR_INVALID; of one that is accepted every device has a name that can be asked for,
 * and all that it brings has an absolute source and a clean target, a device below /dev, variables a name.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "builder/cdi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_edits(const struct cdi_edits *edits)
{
	vec_foreach (&edits->volumes, volume) {
		assert(volume->source[0] == '/' && volume->target[0] == '/');
		assert(volume->target[1] && !strstr(volume->target, "//"));
		assert(!strstr(volume->target, "/../") && !strstr(volume->target, "/./"));
		assert(!volume->device || strncmp(volume->target, "/dev/", 5) == 0);
		assert(!volume->named);
	}
	vec_foreach (&edits->volumes.env, pair)
		assert((*pair)[0] != '=' && strchr(*pair, '='));
	assert(edits->volumes.names.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(cdi_spec) struct cdi_spec spec = { 0 };
	AUTO(err) struct err *err = cdi_parse((struct str){ (const char *)data, size }, "x", &spec);

	if (err) {
		assert(err_kind(err) == ERR_INVALID);
		return 0;
	}
	assert(cdi_is_name(spec.kind));
	check_edits(&spec.edits);
	vec_foreach (&spec.devices, device) {
		AUTO(mem) char *name = xasprintf("%s=%s", spec.kind, device->name);

		assert(cdi_is_name(name));
		assert(device == spec.devices.at || strcmp(device[-1].name, device->name) < 0);
		check_edits(&device->edits);
	}
	return 0;
}
